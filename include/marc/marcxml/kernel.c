/* The places of all `<` and what each begins, and the rows of plain records, compiled: what tokens.py and plain.py do with NumPy, the same.
 *
 * Plain C99, no libraries, no state. Behind data[end] there are as many spare bytes as the longest pattern has, and nothing is written beyond
 * the number of `<`, which the caller has counted.
 */
#include <stdint.h>
#include <string.h>

enum { RECORD = 1, RECORD_END = 2, KINDS = 11, MOST = 512 }; /* MOST: patterns; dialect.py learns far fewer */

static int is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Eight bytes at a time; bytes of `mask` that are 0 are not compared. Text and mask are filled up with 0 to a multiple of eight. */
static int same(const uint8_t *data, const uint8_t *text, const uint8_t *mask, int32_t size) {
    for (int32_t at = 0; at < size; at += 8) {
        uint64_t here, wanted, asked;
        memcpy(&here, data + at, 8);
        memcpy(&wanted, text + at, 8);
        memcpy(&asked, mask + at, 8);
        if ((here ^ wanted) & asked) return 0;
    }
    return 1;
}

/* The name of a record element ends before `data`: does its tag go on as one? */
static int ends_name(const uint8_t *data, int kind) {
    if (*data == '>') return 1;
    if (!is_blank(*data)) return 0;
    if (kind == RECORD) return 1;
    for (int ahead = 1; ahead < 80; ahead++) {
        if (data[ahead] == '>') return 1;
        if (!is_blank(data[ahead])) return 0;
    }
    return 0;
}

/* Pattern p is text and mask from offset[p] to offset[p + 1], `length[p]` of it; the first that fits says what a `<` begins. What fitted behind the same
 * pattern the last time is tried before all others: tags come in the same order again and again. Returns how many `<`. */
int64_t tokens(const uint8_t *data, int64_t end, int64_t patterns, const uint8_t *text, const uint8_t *mask, const int32_t *offset,
               const int32_t *length, const int8_t *kind_of, const int8_t *template_of, int64_t *at, int8_t *kind, int8_t *template_) {
    int64_t found = 0, before = MOST;
    int64_t next[MOST + 1] = {0};
    const uint8_t *here = data, *stop = data + end;
    while (here < stop && (here = memchr(here, '<', (size_t)(stop - here)))) {
        kind[found] = 0;
        template_[found] = -1;
        for (int64_t nth = -1; nth < patterns; nth++) {
            int64_t p = nth < 0 ? next[before] : nth;
            if (!same(here, text + offset[p], mask + offset[p], offset[p + 1] - offset[p])) continue;
            if ((kind_of[p] == RECORD || kind_of[p] == RECORD_END) && !ends_name(here + length[p], kind_of[p])) continue;
            kind[found] = kind_of[p];
            template_[found] = template_of[p];
            next[before] = p;
            before = p;
            break;
        }
        at[found++] = here - data;
        here++;
    }
    return found;
}

/* Where the kinds of two tokens may not follow one another: the first of each such two. Returns how many. */
int64_t misplaced(const int8_t *kind, int64_t count, const uint8_t *may_follow, int64_t *where) {
    int64_t found = 0;
    for (int64_t token = 0; token + 1 < count; token++)
        if (!may_follow[kind[token] * KINDS + kind[token + 1]]) where[found++] = token;
    return found;
}

enum { LEADER = 3, CONTROL = 5, DATA = 7, SUBFIELD = 9 };
enum { TAG, IND1, IND2, CODE, WIDTH, PLACES };
enum { HIGH = 1, REFERS = 2, ODD = 4, CLOSER = 8 };

static int is_alphanumeric(uint8_t c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'); }
static int is_printed(uint8_t c) { return c >= ' ' && c < 127 && c != '"' && c != '\'' && c != '<' && c != '>' && c != '&'; }

/* Does a text have bytes above 127, references or line ends to resolve, or characters that no XML text has? `data[stop]` is a `<`. */
static int looked_through(const uint8_t *data, int64_t start, int64_t stop) {
    static const uint8_t kinds[256] = {
        ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, 0, 0, ODD, ODD, REFERS, ODD, ODD,
        ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD,
        ['&'] = REFERS, [']'] = CLOSER, [0xEF] = CLOSER,
    };
    int found = 0;
    for (int64_t at = start; at < stop; at++) found |= kinds[data[at]] | data[at] >> 7;
    if (found & CLOSER)
        for (int64_t at = start; at < stop; at++) {
            if (data[at] == ']' && data[at + 1] == ']' && data[at + 2] == '>') found |= ODD;
            if (data[at] == 0xEF && data[at + 1] == 0xBF && data[at + 2] >= 0xBE) found |= ODD;
        }
    return found;
}

/* The rows of plain records: record r is from token first[r] to token last[r]. `place` has PLACES numbers for each template, -1 where it has none.
 * `wanted` may be NULL. `odd` is set for records that need a closer look. Returns how many rows. */
int64_t rows(const uint8_t *data, int64_t records, const int64_t *first, const int64_t *last, const int64_t *at, const int8_t *kind,
             const int8_t *template_, const int32_t *place, const int32_t *length, const uint8_t *wanted, int subfields_below_010, int32_t *rec,
             uint32_t *key, int32_t *seq, uint8_t *ind1, uint8_t *ind2, uint16_t *code, int32_t *start, int32_t *stop, uint8_t *flags, uint8_t *odd) {
    int64_t row = 0;
    for (int64_t r = 0; r < records; r++) {
        int32_t fields = 0;
        uint32_t tag = 0;
        uint8_t one = 0, two = 0;
        int asked = 1, strange = 0;
        for (int64_t token = first[r]; token < last[r]; token++) {
            if (kind[token] != LEADER && kind[token] != CONTROL && kind[token] != DATA && kind[token] != SUBFIELD) continue;
            const uint8_t *text = data + at[token];
            const int32_t *where = place + PLACES * template_[token];
            uint16_t letter = 0;
            if (kind[token] == CONTROL || kind[token] == DATA) {
                const uint8_t *name = text + where[TAG];
                tag = name[0] | (uint32_t)name[1] << 8 | (uint32_t)name[2] << 16;
                fields++;
                one = two = 0;
                if (kind[token] == DATA) {
                    one = where[IND1] < 0 ? ' ' : text[where[IND1]];
                    two = where[IND2] < 0 ? ' ' : text[where[IND2]];
                    strange |= !is_printed(one) || !is_printed(two);
                    strange |= !subfields_below_010 && name[0] == '0' && name[1] == '0';
                }
                strange |= !is_alphanumeric(name[0]) || !is_alphanumeric(name[1]) || !is_alphanumeric(name[2]);
                asked = wanted == NULL || wanted[(tag & 0x7F) | (tag >> 8 & 0x7F) << 7 | (tag >> 16 & 0x7F) << 14];
                if (kind[token] == DATA) continue;
            } else if (kind[token] == SUBFIELD) {
                letter = text[where[CODE]];
                if (where[WIDTH] == 2) letter = (uint16_t)((letter & 0x1F) << 6 | (text[where[CODE] + 1] & 0x3F));
                else strange |= !is_printed((uint8_t)letter) || letter == ' ';
            }
            if (!asked && kind[token] != LEADER) continue;
            int leader = kind[token] == LEADER;
            rec[row] = (int32_t)r;
            key[row] = leader ? 0 : tag;
            seq[row] = leader ? 0 : fields;
            ind1[row] = leader ? 0 : one;
            ind2[row] = leader ? 0 : two;
            code[row] = letter;
            start[row] = (int32_t)(at[token] + length[template_[token]]);
            stop[row] = (int32_t)at[token + 1];
            int seen = looked_through(data, start[row], stop[row]);
            flags[row] = seen & (HIGH | REFERS);
            strange |= seen & ODD;
            row++;
        }
        odd[r] = strange != 0;
    }
    return row;
}
