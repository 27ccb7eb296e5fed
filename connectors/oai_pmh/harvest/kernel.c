/* A plain OAI-PMH page in one pass: is it XML with namespaces, and where do its records lie? (marks.py)

   Plain is less than XML 1.0 allows: tags with names of ASCII letters, attributes, text, references to characters and to the five
   entities that XML knows, and nothing else. What is not plain, or is no XML, is told from the rest by a real parser: here it is just
   refused. So a page that is accepted here is well-formed (XML 1.0, Namespaces in XML 1.0), and the reverse is not said.

   The page is UTF-8 (the caller has seen to that) and a zero byte stands behind its end. */

#include <stdint.h>
#include <string.h>

enum { MOST_DEPTH = 64, MOST_DECLARED = 64, MOST_ATTRIBUTES = 32 };
enum { NOT_PLAIN = -1, NO_ROOM = -2 };
enum { DELETED = 1, ODD = 2 };
enum { NOTHING, IDENTIFIER, DATESTAMP, SET };

typedef const uint8_t *Place;

/* prefix: the length of what stands before the colon, -1 without one */
typedef struct { Place at; int32_t length, prefix; } Name;
typedef struct { Place at; int32_t length, depth, empty; } Declared;

/* Nine numbers a record, in this order; places are offsets in the page, -1 where there is nothing. */
typedef struct { int32_t start, end, identifier, identifier_end, datestamp, datestamp_end, metadata, metadata_end, flags; } Record;
typedef struct { int32_t record, start, end; } Set;

/* 1: begins a name, 2: goes on with a name, 4: stops text, 8: blank */
static uint8_t classes[256];

static uint8_t class_of(int c)
{
    if (c == 9 || c == 10 || c == 13 || c == 32) return 8;
    if (c < 32 || c == '<' || c == '&' || c == ']' || c == 0xEF) return 4;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return 1 | 2;
    return (c >= '0' && c <= '9') || c == '-' || c == '.' ? 2 : 0;
}

/* To be called before anything else; twice, or at once, does no harm. */
void ready(void)
{
    int c;
    for (c = 0; c < 256; c++) classes[c] = class_of(c);
}

static int same(Place at, int32_t length, const char *word)
{
    return (size_t)length == strlen(word) && memcmp(at, word, length) == 0;
}

static Place blanks(Place p)
{
    while (classes[*p] & 8) p++;
    return p;
}

/* Behind a name (NCName, or two of them with a colon between); NULL where none stands. */
static Place name_at(Place p, Name *name)
{
    name->at = p;
    name->prefix = -1;
    if (!(classes[*p] & 1)) return NULL;
    while (classes[*p] & 2) p++;
    if (*p == ':') {
        name->prefix = (int32_t)(p - name->at);
        p++;
        if (!(classes[*p] & 1)) return NULL;
        while (classes[*p] & 2) p++;
    }
    if (*p == ':' || *p >= 0x80) return NULL;
    name->length = (int32_t)(p - name->at);
    return p;
}

static Place local_of(const Name *name, int32_t *length)
{
    *length = name->length - name->prefix - 1;
    return name->at + name->prefix + 1;
}

/* Behind a reference (p is at its &); NULL for one that XML does not know, or that names no character. */
static Place reference(Place p)
{
    static const char *known[] = {"lt;", "gt;", "amp;", "quot;", "apos;"};
    int i;
    p++;
    if (*p != '#') {
        for (i = 0; i < 5; i++)
            if (strncmp((const char *)p, known[i], strlen(known[i])) == 0) return p + strlen(known[i]);
        return NULL;
    }
    uint32_t number = 0, base = 10;
    int digits = 0;
    if (*++p == 'x') { base = 16; p++; }
    for (; *p != ';'; p++, digits++) {
        uint32_t digit = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10 : 99;
        if (digit >= base || digits > 8) return NULL;
        number = number * base + digit;
    }
    if (!digits) return NULL;
    if (number == 9 || number == 10 || number == 13 || (number >= 0x20 && number < 0xD800) || (number >= 0xE000 && number < 0xFFFE)
        || (number >= 0x10000 && number < 0x110000)) return p + 1;
    return NULL;
}

/* Behind what stopped a text at p, where it may stand in one; NULL for what may not, `<` included. */
static Place stopped(Place p)
{
    switch (*p) {
    case '&': return reference(p);
    case ']': return p[1] == ']' && p[2] == '>' ? NULL : p + 1;
    case 0xEF: return p[1] == 0xBF && p[2] >= 0xBE ? NULL : p + 1; /* U+FFFE and U+FFFF are no characters */
    default: return NULL;
    }
}

/* Behind the value of an attribute (p is at its quote); NULL where it is none. */
static Place value_at(Place p, Place *from, int32_t *length)
{
    uint8_t quote = *p;
    if (quote != '"' && quote != '\'') return NULL;
    *from = ++p;
    for (; *p != quote; )
        if (!(classes[*p] & 4)) p++;
        else if (*p == ']') p++;
        else if (!(p = stopped(p))) return NULL;
    *length = (int32_t)(p - *from);
    return p + 1;
}

typedef struct {
    Declared declared[MOST_DECLARED];
    int count;
} Scope;

/* At which depth the prefix (the default namespace, with length 0) is declared; 0 where it is not. */
static int32_t depth_of(const Scope *scope, Place at, int32_t length)
{
    int i;
    for (i = scope->count - 1; i >= 0; i--)
        if (scope->declared[i].length == length && memcmp(scope->declared[i].at, at, length) == 0)
            return scope->declared[i].empty ? 0 : scope->declared[i].depth;
    return 0;
}

/* Take in a declaration; 0 where it is not plain. */
static int declare(Scope *scope, Place at, int32_t length, Place value, int32_t size, int32_t depth)
{
    int32_t i;
    if (scope->count == MOST_DECLARED || same(at, length, "xml") || same(at, length, "xmlns")) return 0;
    if (same(value, size, "http://www.w3.org/XML/1998/namespace") || same(value, size, "http://www.w3.org/2000/xmlns/")) return 0;
    if (length && !size) return 0;
    for (i = 0; i < size; i++)
        if (value[i] <= ' ' || value[i] == '&') return 0;
    Declared one = {at, length, depth, size == 0};
    scope->declared[scope->count++] = one;
    return 1;
}

static void trim(Place page, int32_t *start, int32_t *end)
{
    while (*start < *end && classes[page[*start]] & 8) ++*start;
    while (*start < *end && classes[page[*end - 1]] & 8) --*end;
}

/* Records of `page[begin:size]` (the XML declaration is left out) into `records`, their sets into `sets`; returns how many records there
   are, NOT_PLAIN or NO_ROOM. `element`: what a record is called, "record", or "header" in a list of identifiers; or "" for none. */
int64_t look(Place page, int64_t begin, int64_t size, const char *element, int64_t room, Record *records, int64_t rooms, Set *sets, int64_t *count_sets)
{
    Name open[MOST_DEPTH + 1];
    Scope scope;
    Place p = page + begin, end = page + size;
    int32_t depth = 0, of_header = strcmp(element, "header") == 0 ? 3 : 4, children = 0, inside = 0;
    int listing = 0, in_record = 0, in_header = 0, in_metadata = 0, capture = NOTHING;
    int64_t count = 0, many = 0;
    int32_t caught = 0;
    int refers = 0;
    Record *record = NULL;

    scope.count = 0;
    p = blanks(p);
    for (;;) {
        /* the text before a tag */
        Place from = p;
        for (;;) {
            while (!(classes[*p] & 4)) p++;
            if (*p == '<' || p >= end) break;
            refers |= *p == '&';
            if (!(p = stopped(p))) return NOT_PLAIN;
        }
        if (depth == 0 || (in_metadata && depth == 4)) {
            Place q = blanks(from);
            if (q < p) {
                if (depth == 0) return NOT_PLAIN;
                record->flags |= ODD;
            }
        }
        if (p >= end) return NOT_PLAIN; /* the root is still open, or was never there */

        Place tag = p++;
        if (*p == '/') {
            /* an end tag */
            const Name *last = &open[depth];
            if (depth == 0 || end - p <= last->length + 1 || memcmp(p + 1, last->at, last->length) != 0) return NOT_PLAIN;
            p = blanks(p + 1 + last->length);
            if (*p++ != '>') return NOT_PLAIN;
        } else {
            Name name, attributes[MOST_ATTRIBUTES];
            int given = 0, i, j, closed, header_here = 0;
            int32_t length;
            if (capture || depth == MOST_DEPTH || !(p = name_at(p, &name))) return NOT_PLAIN;
            open[++depth] = name;
            Place local = local_of(&name, &length);
            int is_record = 0;
            if (depth == 1) {
                if (!same(local, length, "OAI-PMH")) return NOT_PLAIN;
            } else if (depth == 2) {
                listing = same(local, length, "ListRecords") || same(local, length, "GetRecord") || same(local, length, "ListIdentifiers");
            } else if (depth == 3 && listing && same(local, length, element)) {
                if (count == room) return NO_ROOM;
                record = &records[count++];
                Record fresh = {(int32_t)(tag - page), -1, -1, -1, -1, -1, -1, -1, 0};
                *record = fresh;
                in_record = is_record = 1;
                children = 0;
            }
            if (in_record && depth == of_header && (is_record || same(local, length, "header"))) {
                if (of_header == 4 && children) record->flags |= ODD;
                in_header = header_here = 1;
            }
            if (in_record && depth == 4) children++;
            if (in_metadata && depth == 5 && inside++) record->flags |= ODD;

            for (;;) {
                /* its attributes */
                Place after = blanks(p), value;
                int32_t long_;
                Name *one = &attributes[given];
                if (*after == '>' || *after == '/') { p = after; break; }
                if (after == p || given == MOST_ATTRIBUTES || !(p = name_at(after, one))) return NOT_PLAIN;
                p = blanks(p);
                if (*p++ != '=' || !(p = value_at(blanks(p), &value, &long_))) return NOT_PLAIN;
                given++;
                if (one->prefix < 0 && same(one->at, one->length, "xmlns")) {
                    if (!declare(&scope, one->at, 0, value, long_, depth)) return NOT_PLAIN;
                } else if (one->prefix == 5 && memcmp(one->at, "xmlns", 5) == 0) {
                    if (!declare(&scope, one->at + 6, one->length - 6, value, long_, depth)) return NOT_PLAIN;
                } else if (header_here && one->prefix < 0 && same(one->at, one->length, "status")) {
                    int32_t a = (int32_t)(value - page), b = a + long_;
                    trim(page, &a, &b);
                    if (same(page + a, b - a, "deleted")) record->flags |= DELETED;
                }
            }
            closed = *p == '/';
            p += closed;
            if (*p++ != '>') return NOT_PLAIN;

            /* what the names of the tag are bound to */
            for (i = 0; i < given; i++) {
                for (j = 0; j < i; j++) {
                    if (attributes[i].length == attributes[j].length && memcmp(attributes[i].at, attributes[j].at, attributes[i].length) == 0) return NOT_PLAIN;
                    int32_t a, b;
                    Place x = local_of(&attributes[i], &a), y = local_of(&attributes[j], &b);
                    if (attributes[i].prefix >= 0 && attributes[j].prefix >= 0 && a == b && memcmp(x, y, a) == 0
                        && !(attributes[i].prefix == 5 && memcmp(attributes[i].at, "xmlns", 5) == 0)
                        && !(attributes[j].prefix == 5 && memcmp(attributes[j].at, "xmlns", 5) == 0)) return NOT_PLAIN; /* perhaps one name twice */
                }
            }
            for (i = -1; i < given; i++) {
                const Name *one = i < 0 ? &name : &attributes[i];
                int32_t where;
                if (i >= 0 && (one->prefix < 0 || (one->prefix == 5 && memcmp(one->at, "xmlns", 5) == 0))) continue;
                if (i >= 0 && one->prefix == 3 && memcmp(one->at, "xml", 3) == 0) continue;
                where = depth_of(&scope, one->at, one->prefix < 0 ? 0 : one->prefix);
                if (one->prefix >= 0 && !where) return NOT_PLAIN;
                if (in_metadata && where && where <= 4) record->flags |= ODD; /* the record cannot stand alone as it is */
            }

            /* what it begins */
            if (!closed && in_header && depth == of_header + 1) {
                int kind = same(local, length, "identifier") ? IDENTIFIER : same(local, length, "datestamp") ? DATESTAMP : same(local, length, "setSpec") ? SET : NOTHING;
                if ((kind == IDENTIFIER && record->identifier >= 0) || (kind == DATESTAMP && record->datestamp >= 0)) record->flags |= ODD, kind = NOTHING;
                capture = kind;
                caught = (int32_t)(p - page);
                refers = 0;
            }
            if (in_record && of_header == 4 && depth == 4 && same(local, length, "metadata")) {
                if (record->metadata >= 0 || (closed && children == 1)) record->flags |= ODD;
                else if (!closed) {
                    record->metadata = (int32_t)(p - page);
                    in_metadata = 1;
                    inside = 0;
                }
            }
            if (!closed) continue;
            if (header_here && of_header == 4) record->flags |= ODD; /* a header of nothing */
        }

        /* an element has ended, with the tag before p */
        if (capture) {
            int32_t a = caught, b = (int32_t)(tag - page);
            trim(page, &a, &b);
            if (refers || (a < b && (page[a] >= 0x80 || page[b - 1] >= 0x80))) record->flags |= ODD;
            if (capture == IDENTIFIER) { record->identifier = a; record->identifier_end = b; }
            if (capture == DATESTAMP) { record->datestamp = a; record->datestamp_end = b; }
            if (capture == SET) {
                if (many == rooms) return NO_ROOM;
                Set one = {(int32_t)(count - 1), a, b};
                sets[many++] = one;
            }
            capture = NOTHING;
        }
        if (in_metadata && depth == 4) {
            record->metadata_end = (int32_t)(tag - page);
            trim(page, &record->metadata, &record->metadata_end);
            in_metadata = 0;
        }
        if (in_header && depth == of_header) in_header = 0;
        if (in_record && depth == 3) {
            record->end = (int32_t)(p - page);
            in_record = 0;
        }
        if (depth == 2) listing = 0;
        while (scope.count && scope.declared[scope.count - 1].depth == depth) scope.count--;
        if (--depth == 0) break;
    }
    p = blanks(p);
    *count_sets = many;
    return p == end ? count : NOT_PLAIN;
}

/* Whether data[:size] is UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF. */
int32_t utf8(Place data, int64_t size)
{
    int64_t at = 0;
    uint64_t eight;
    while (at < size) {
        while (size - at >= 8) {
            memcpy(&eight, data + at, 8);
            if (eight & UINT64_C(0x8080808080808080)) break;
            at += 8;
        }
        while (at < size && data[at] < 0x80) at++;
        if (at == size) break;
        uint8_t c = data[at];
        int more = c < 0xC2 ? -1 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF5 ? 3 : -1;
        if (more < 0 || size - at <= more) return 0;
        for (int i = 1; i <= more; i++)
            if ((data[at + i] & 0xC0) != 0x80) return 0;
        if ((c == 0xE0 && data[at + 1] < 0xA0) || (c == 0xED && data[at + 1] > 0x9F) || (c == 0xF0 && data[at + 1] < 0x90) || (c == 0xF4 && data[at + 1] > 0x8F)) return 0;
        at += more + 1;
    }
    return 1;
}
