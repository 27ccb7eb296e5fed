/* The two stages of reading ISO 2709, compiled: what directory.py and subfields.py do with NumPy, byte for byte the same.
 *
 * Plain C99, no libraries, no state. Nothing is read outside [0, end) and nothing is written beyond the capacities given: the caller counts
 * the bytes that bound them first. Places are int32: a block is smaller than 2 GiB.
 */
#include <stdint.h>
#include <string.h>

enum { LEADER = 24, ENTRY = 12, END_OF_RECORD = 0x1D, END_OF_FIELD = 0x1E, DELIMITER = 0x1F };
enum { HIGH = 1, CONTROL = 2, AT = 4, ODD_CODE = 8 };

/* How many bytes have this value. */
int64_t count_byte(const uint8_t *data, int64_t size, uint8_t byte) {
    int64_t found = 0;
    for (int64_t at = 0; at < size; at++) found += data[at] == byte;
    return found;
}

/* A number for each stretch of bytes, such that different bytes hardly ever have the same: eight bytes at a time, each multiplied in and mixed. */
void digests(const uint8_t *data, int64_t count, const int64_t *start, const int64_t *length, uint64_t *digest) {
    for (int64_t one = 0; one < count; one++) {
        const uint8_t *at = data + start[one];
        int64_t left = length[one];
        uint64_t seen = 0x9E3779B97F4A7C15u ^ (uint64_t)left, word;
        for (; left >= 8; at += 8, left -= 8) {
            memcpy(&word, at, 8);
            seen = (seen ^ word) * 0xD6E8FEB86659FD93u;
            seen ^= seen >> 32;
        }
        word = 0;
        memcpy(&word, at, (size_t)left);
        seen = (seen ^ word) * 0xD6E8FEB86659FD93u;
        seen = (seen ^ seen >> 29) * 0x94D049BB133111EBu;
        digest[one] = seen ^ seen >> 32;
    }
}

static int is_between(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0 || c == 0x1A; }
static int is_printable(uint8_t c) { return c >= 32 && c < 127; }
static int is_alphanumeric(uint8_t c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'); }

/* `size` digits as a number; -1 if one is no digit. */
static int32_t number(const uint8_t *text, int size) {
    int32_t value = 0;
    for (int at = 0; at < size; at++) {
        uint8_t digit = (uint8_t)(text[at] - '0');
        if (digit > 9) return -1;
        value = value * 10 + digit;
    }
    return value;
}

typedef struct {
    int32_t *rec;
    uint32_t *key;
    int32_t *seq, *start, *end;
    uint8_t *plain;
} Fields;

/* The fields of one record at [start, stop): how many are written from `out` on; -1 if the record is not clean. */
static int64_t fields_of_record(const uint8_t *data, int32_t start, int32_t stop, int32_t rec, int subfields_below_010, const uint8_t *wanted,
                                Fields to, int64_t out) {
    const uint8_t *record = data + start;
    int32_t size = stop - start;
    if (size <= LEADER + 1) return -1;
    for (int at = 0; at < LEADER; at++)
        if (!is_printable(record[at])) return -1;
    int32_t base = number(record + 12, 5);
    if (number(record, 5) != size || base <= LEADER + 1 || base >= size || (base - LEADER - 1) % ENTRY || record[base - 1] != END_OF_FIELD) return -1;

    int64_t first = out;
    to.rec[out] = rec, to.key[out] = 0, to.seq[out] = 0, to.start[out] = start, to.end[out] = start + LEADER, to.plain[out] = 1;
    out++;
    int32_t expected = 0, count = (base - LEADER - 1) / ENTRY;
    for (int32_t seq = 1; seq <= count; seq++) {
        const uint8_t *entry = record + LEADER + ENTRY * (seq - 1);
        int32_t length = number(entry + 3, 4), place = number(entry + 7, 5);
        if (length < 1 || place != expected || base + place + length >= size) return -1;
        if (!is_alphanumeric(entry[0]) || !is_alphanumeric(entry[1]) || !is_alphanumeric(entry[2])) return -1;
        expected = place + length;
        uint32_t key = entry[0] | (uint32_t)entry[1] << 8 | (uint32_t)entry[2] << 16;
        if (record[base + expected - 1] != END_OF_FIELD) return -1;
        if (wanted && !wanted[(key & 0x7F) | ((key >> 8) & 0x7F) << 7 | ((key >> 16) & 0x7F) << 14]) continue;
        const uint8_t *field = record + base + place;
        int divided = length >= 4 && field[2] == DELIMITER;
        int control = !subfields_below_010 && entry[0] == '0' && entry[1] == '0';
        if (control ? divided : !(divided && is_printable(field[0]) && is_printable(field[1]))) return -1;
        to.rec[out] = rec, to.key[out] = key, to.seq[out] = seq, to.plain[out] = (uint8_t)control;
        to.start[out] = start + base + place, to.end[out] = start + base + expected - 1;
        out++;
    }
    return base + expected == size - 1 ? out - first : -1;
}

/* Spans and fields of a block, as directory.fields gives them; counts[0] spans, counts[1] fields. */
void fields(const uint8_t *data, int64_t end, int subfields_below_010, const uint8_t *wanted, int32_t *span_start, int32_t *span_stop, uint8_t *clean,
            int32_t *rec, uint32_t *key, int32_t *seq, int32_t *start, int32_t *stop, uint8_t *plain, int64_t *counts) {
    Fields to = {rec, key, seq, start, stop, plain};
    int64_t spans = 0, out = 0, at = 0;
    const uint8_t *found;
    while (at < end && (found = memchr(data + at, END_OF_RECORD, (size_t)(end - at)))) {
        int64_t behind = found - data + 1;
        while (is_between(data[at])) at++;
        int64_t written = fields_of_record(data, (int32_t)at, (int32_t)behind, (int32_t)spans, subfields_below_010, wanted, to, out);
        span_start[spans] = (int32_t)at, span_stop[spans] = (int32_t)behind, clean[spans] = written >= 0;
        if (written > 0) out += written;
        spans++;
        at = behind;
    }
    counts[0] = spans, counts[1] = out;
}

typedef struct {
    int32_t *field;
    uint8_t *ind1, *ind2;
    uint16_t *code;
    int32_t *start, *end;
    uint8_t *flags;
} Rows;

/* Where the value that begins at `at` ends: the next delimiter, or `end`. What its bytes are is added to `flags`. */
static int32_t value_end(const uint8_t *data, int32_t at, int32_t end, int stops, uint8_t *flags) {
    static const uint8_t kinds[256] = {
        CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, 0, 0, CONTROL, CONTROL, 0, CONTROL, CONTROL,
        CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
        [64] = AT,
    };
    uint8_t seen = 0;
    for (; at < end; at++) {
        uint8_t byte = data[at];
        if (byte == DELIMITER && stops) break;
        seen |= kinds[byte] | byte >> 7;
    }
    *flags |= seen;
    return at;
}

/* The code at data[at], before a value that ends at `end`; moves `at` behind it. */
static uint16_t code_at(const uint8_t *data, int32_t *at, int32_t end, uint8_t *flags) {
    uint16_t first = data[(*at)++];
    if (first >= 33 && first <= 126) return first;
    *flags |= ODD_CODE;
    int32_t room = end - *at;
    const uint8_t *next = data + *at;
    if (first >= 0xC2 && first < 0xE0 && room >= 1 && (next[0] & 0xC0) == 0x80) {
        *at += 1;
        return (uint16_t)((first & 0x1F) << 6 | (next[0] & 0x3F));
    }
    if ((first & 0xF0) == 0xE0 && room >= 2 && (next[0] & 0xC0) == 0x80 && (next[1] & 0xC0) == 0x80) {
        uint16_t wide = (uint16_t)((first & 0xF) << 12 | (next[0] & 0x3F) << 6 | (next[1] & 0x3F));
        if (wide >= 0x800 && (wide < 0xD800 || wide > 0xDFFF)) {
            *at += 2;
            return wide;
        }
    }
    return first;
}

/* The rows of `count` fields, as subfields.rows gives them; counts[0] rows, counts[1] delimiters with nothing behind them. */
void rows(const uint8_t *data, int64_t count, const int32_t *field_start, const int32_t *field_end, const uint8_t *plain, int32_t *field, uint8_t *ind1,
          uint8_t *ind2, uint16_t *code, int32_t *start, int32_t *end, uint8_t *flags, int32_t *empty, int64_t *counts) {
    int64_t out = 0, empties = 0;
    for (int64_t one = 0; one < count; one++) {
        int32_t at = field_start[one], stop = field_end[one];
        if (plain[one]) {
            field[out] = (int32_t)one, ind1[out] = 0, ind2[out] = 0, code[out] = 0, start[out] = at, end[out] = stop, flags[out] = 0;
            value_end(data, at, stop, 0, &flags[out]);
            out++;
            continue;
        }
        uint8_t first = data[at], second = data[at + 1];
        at += 2;
        if (at == stop || data[at] != DELIMITER) { /* text before the first subfield, or no subfield at all */
            field[out] = (int32_t)one, ind1[out] = first, ind2[out] = second, code[out] = 0, start[out] = at, flags[out] = 0;
            at = end[out] = value_end(data, at, stop, 1, &flags[out]);
            out++;
        }
        while (at < stop) { /* at a delimiter */
            at++;
            if (at == stop || data[at] == DELIMITER) {
                empty[empties++] = (int32_t)one;
                continue;
            }
            uint8_t seen = 0, of_code = 0;
            int32_t value = at + 1;
            int32_t finish = value_end(data, value, stop, 1, &seen);
            code[out] = code_at(data, &at, finish, &of_code);
            if (at > value) { /* the code took bytes of the value: look at the rest again */
                seen = 0;
                value_end(data, at, finish, 1, &seen);
            }
            field[out] = (int32_t)one, ind1[out] = first, ind2[out] = second, start[out] = at, end[out] = finish, flags[out] = seen | of_code;
            out++;
            at = finish;
        }
    }
    counts[0] = out, counts[1] = empties;
}
