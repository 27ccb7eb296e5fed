/* Reading ISO 2709, compiled: what directory.py, subfields.py and charsets/utf8.py do with NumPy and Arrow, byte for byte the same.
 *
 * C99 (and __builtin_ctzll, which GCC and Clang have), no libraries, no state. Behind the bytes given there are as many spare ones (SPARE of blocks.py) as are looked at beyond the end, and
 * nothing is written beyond the capacities given. Places are int32: a block is smaller than 2 GiB.
 */
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error eight bytes are looked at as a number whose lowest byte comes first
#endif

enum { LEADER = 24, ENTRY = 12, END_OF_RECORD = 0x1D, END_OF_FIELD = 0x1E, DELIMITER = 0x1F };
enum { HIGH = 1, CONTROL = 2, AT = 4, ODD_CODE = 8 };

/* How many bytes have this value. */
int64_t count_byte(const uint8_t *data, int64_t size, uint8_t byte) {
    int64_t found = 0, at = 0;
    for (; size - at >= 128; at += 128) { /* so many fit into a sum of one byte, and the compiler does sixteen at once */
        uint8_t some = 0;
        for (int ahead = 0; ahead < 128; ahead++) some += data[at + ahead] == byte;
        found += some;
    }
    for (; at < size; at++) found += data[at] == byte;
    return found;
}

static uint64_t eight_at(const uint8_t *at) {
    uint64_t eight;
    memcpy(&eight, at, 8);
    return eight;
}

static uint64_t mixed_in(uint64_t seen, uint64_t word) {
    seen = (seen ^ word) * 0xD6E8FEB86659FD93u;
    return seen ^ seen >> 32;
}

/* A number for each stretch of bytes, such that different bytes hardly ever have the same: eight bytes at a time, each multiplied in and mixed; of
 * long stretches in four sums side by side, for a multiplication waits for the one before it. */
void digests(const uint8_t *data, int64_t count, const int64_t *start, const int64_t *length, uint64_t *digest) {
    for (int64_t one = 0; one < count; one++) {
        const uint8_t *at = data + start[one];
        int64_t left = length[one];
        uint64_t seen = 0x9E3779B97F4A7C15u ^ (uint64_t)left, second = 0x3C6EF372FE94F82Au, third = 0xDAA66D2C7DDF743Fu, fourth = 0x78DDE6E5FD29F054u;
        if (left >= 32) {
            for (; left >= 32; at += 32, left -= 32) {
                seen = mixed_in(seen, eight_at(at)), second = mixed_in(second, eight_at(at + 8));
                third = mixed_in(third, eight_at(at + 16)), fourth = mixed_in(fourth, eight_at(at + 24));
            }
            seen = mixed_in(mixed_in(mixed_in(seen, second), third), fourth);
        }
        for (; left >= 8; at += 8, left -= 8) seen = mixed_in(seen, eight_at(at));
        uint64_t word = 0;
        memcpy(&word, at, (size_t)left);
        seen = (seen ^ word) * 0xD6E8FEB86659FD93u;
        seen = (seen ^ seen >> 29) * 0x94D049BB133111EBu;
        digest[one] = seen ^ seen >> 32;
    }
}

static int is_between(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0 || c == 0x1A; }
static int is_printable(uint8_t c) { return c >= 32 && c < 127; }
static int is_alphanumeric(uint8_t c) { return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 32) - 'a') < 26; }

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

/* Spans and fields of a block, as directory.fields gives them, up to `most` spans; counts[0] spans, counts[1] fields. */
void fields(const uint8_t *data, int64_t end, int subfields_below_010, const uint8_t *wanted, int64_t most, int32_t *span_start, int32_t *span_stop,
            uint8_t *clean, const Fields *fields, int64_t *counts) {
    Fields to = *fields;
    int64_t spans = 0, out = 0, at = 0;
    const uint8_t *found;
    while (at < end && spans < most && (found = memchr(data + at, END_OF_RECORD, (size_t)(end - at)))) {
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

/* Where the value that begins at `at` ends: the next delimiter, if it `stops` there, or `end`. What its bytes are is added to `flags`. */
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

typedef struct { /* of each field */
    const int32_t *rec;
    const int16_t *tag;
    const int32_t *seq, *start, *end;
    const uint8_t *plain;
} Given;

typedef struct { /* of each row */
    int32_t *field, *rec;
    int16_t *tag;
    int32_t *seq;
    uint8_t *ind1, *ind2;
    uint16_t *code;
    int32_t *start, *end;
    uint8_t *flags;
} Rows;

/* One row of field `one`. */
static void put(Rows to, int64_t row, Given of, int64_t one, uint8_t ind1, uint8_t ind2, uint16_t code, int32_t start, int32_t end, uint8_t flags) {
    to.field[row] = (int32_t)one, to.rec[row] = of.rec[one], to.tag[row] = of.tag[one], to.seq[row] = of.seq[one];
    to.ind1[row] = ind1, to.ind2[row] = ind2, to.code[row] = code, to.start[row] = start, to.end[row] = end, to.flags[row] = flags;
}

/* The rows of `count` fields, as subfields.rows gives them; counts[0] rows, counts[1] delimiters with nothing behind them. */
void rows(const uint8_t *data, int64_t count, const Given *fields, const Rows *rows, int32_t *empty, int64_t *counts) {
    Given of = *fields;
    Rows to = *rows;
    int64_t out = 0, empties = 0;
    for (int64_t one = 0; one < count; one++) {
        int32_t at = of.start[one], stop = of.end[one], begin = at;
        uint8_t seen = 0;
        if (of.plain[one]) {
            at = value_end(data, at, stop, 0, &seen);
            put(to, out++, of, one, 0, 0, 0, begin, at, seen);
            continue;
        }
        uint8_t first = data[at], second = data[at + 1];
        begin = at += 2;
        if (at == stop || data[at] != DELIMITER) { /* text before the first subfield, or no subfield at all */
            at = value_end(data, at, stop, 1, &seen);
            put(to, out++, of, one, first, second, 0, begin, at, seen);
        }
        while (at < stop) { /* at a delimiter */
            at++;
            if (at == stop || data[at] == DELIMITER) {
                empty[empties++] = (int32_t)one;
                continue;
            }
            uint8_t of_code = 0;
            int32_t value = at + 1;
            seen = 0;
            int32_t finish = value_end(data, value, stop, 1, &seen);
            uint16_t code = code_at(data, &at, finish, &of_code);
            if (at > value) { /* the code took bytes of the value: look at the rest again */
                seen = 0;
                value_end(data, at, finish, 1, &seen);
            }
            put(to, out++, of, one, first, second, code, at, finish, seen | of_code);
            at = finish;
        }
    }
    counts[0] = out, counts[1] = empties;
}

/* Whether [at, end) is UTF-8 (Unicode, table 3-7). */
static int is_utf8(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        uint64_t beyond = eight_at(at) & 0x8080808080808080u;
        if (!beyond) {
            at += 8;
            continue;
        }
        at += __builtin_ctzll(beyond) >> 3; /* the first byte that is not ASCII */
        if (at >= end) return 1;
        uint8_t first = *at;
        int more = first < 0xC2 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : 0;
        if (!more || end - at <= more) return 0;
        uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80, high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (at[1] < low || at[1] > high) return 0;
        for (int ahead = 2; ahead <= more; ahead++)
            if ((at[ahead] & 0xC0) != 0x80) return 0;
        at += more + 1;
    }
    return 1;
}

/* The values [start, end) one behind the other; places from `size` on are in `other`. `flags` may be NULL; else values with HIGH are looked at, and the
 * rows that are no UTF-8 go into `wrong`. Returns how many. Sixteen bytes are copied at a time: that many behind each end are there, and in `out`. */
int64_t values(const uint8_t *data, int64_t size, const uint8_t *other, int64_t count, const int32_t *start, const int32_t *end, const uint8_t *flags,
               int32_t *offset, uint8_t *out, int32_t *wrong) {
    int64_t wrongs = 0;
    int32_t behind = 0;
    for (int64_t row = 0; row < count; row++) {
        const uint8_t *from = start[row] < size ? data + start[row] : other + (start[row] - size);
        int32_t length = end[row] - start[row];
        offset[row] = behind;
        for (int32_t at = 0; at < length; at += 16) memcpy(out + behind + at, from + at, 16);
        if (flags && (flags[row] & HIGH) && !is_utf8(from, from + length)) wrong[wrongs++] = (int32_t)row;
        behind += length;
    }
    offset[count] = behind;
    return wrongs;
}
