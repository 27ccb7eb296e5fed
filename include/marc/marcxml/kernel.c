/* The places of all `<` and what each begins, compiled: what tokens.py does with NumPy, the same.
 *
 * Plain C99, no libraries, no state. Behind data[end] there are as many spare bytes as the longest pattern has, and nothing is written beyond
 * the number of `<`, which the caller has counted.
 */
#include <stdint.h>
#include <string.h>

enum { RECORD = 1, RECORD_END = 2 };

/* How many bytes have this value. */
int64_t count_byte(const uint8_t *data, int64_t size, uint8_t byte) {
    int64_t found = 0;
    for (int64_t at = 0; at < size; at++) found += data[at] == byte;
    return found;
}

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

/* Pattern p is text and mask from offset[p] to offset[p + 1], `length[p]` of it; the first that fits says what a `<` begins. Returns how many `<`. */
int64_t tokens(const uint8_t *data, int64_t end, int64_t patterns, const uint8_t *text, const uint8_t *mask, const int32_t *offset,
               const int32_t *length, const int8_t *kind_of, const int8_t *template_of, int64_t *at, int8_t *kind, int8_t *template_) {
    int64_t found = 0;
    const uint8_t *here = data, *stop = data + end;
    while (here < stop && (here = memchr(here, '<', (size_t)(stop - here)))) {
        kind[found] = 0;
        template_[found] = -1;
        for (int64_t p = 0; p < patterns; p++) {
            if (!same(here, text + offset[p], mask + offset[p], offset[p + 1] - offset[p])) continue;
            if ((kind_of[p] == RECORD || kind_of[p] == RECORD_END) && !ends_name(here + length[p], kind_of[p])) continue;
            kind[found] = kind_of[p];
            template_[found] = template_of[p];
            break;
        }
        at[found++] = here - data;
        here++;
    }
    return found;
}
