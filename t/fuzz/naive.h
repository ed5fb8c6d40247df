/*
 * Objects and arguments decoded in the plainest way, to compare with: all the
 * rules of trove_json.h, written once more from the grammars.
 */

#ifndef NAIVE_H_INCLUDED
#define NAIVE_H_INCLUDED


#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trove_json.h"


/* One field of each type and some more, as tests of input use them. */

typedef struct {
    double         x;
    double         r;
    double         level;
    uint32_t       limit;
    int32_t        value;
    int            detail;
    trove_slice_t  player;
    int64_t        seq;
    trove_slice_t  data;
} naive_out_t;


#define NAIVE_FIELDS  9
#define NAIVE_TEXT    60                /* bytes of "data", at most          */
#define NAIVE_KEEP    (40 + NAIVE_TEXT) /* and of both, "player" first       */


static const trove_field_t  naive_fields[] = {
    { "x", TROVE_FIELD_NUMBER, offsetof(naive_out_t, x), -180, 180 },
    { "r", TROVE_FIELD_NUMBER, offsetof(naive_out_t, r), 0, 5000 },
    { "level", TROVE_FIELD_NUMBER, offsetof(naive_out_t, level),
      -INFINITY, INFINITY },
    { "limit", TROVE_FIELD_UINT32, offsetof(naive_out_t, limit), 1, 64 },
    { "value", TROVE_FIELD_INT32, offsetof(naive_out_t, value),
      -1e300, 1e300 },
    { "detail", TROVE_FIELD_FLAG, offsetof(naive_out_t, detail), 0, 0 },
    { "player", TROVE_FIELD_PLAYER, offsetof(naive_out_t, player), 0, 0 },
    { "seq", TROVE_FIELD_INT64, offsetof(naive_out_t, seq), -1e300, 1e300 },
    { "data", TROVE_FIELD_TEXT, offsetof(naive_out_t, data), 0, NAIVE_TEXT }
};


typedef struct {
    const unsigned char  *p;
    const unsigned char  *last;
    naive_out_t          *out;
    uint32_t              seen;
    unsigned char        *keep;         /* strings are kept here             */
} naive_t;


static int naive_value(naive_t *n, int depth, int field);


static inline size_t
naive_digits(const unsigned char *p, const unsigned char *last)
{
    size_t  n;

    for (n = 0; p + n < last && p[n] >= '0' && p[n] <= '9'; n++) {
        /* void */
    }

    return n;
}


/* Bytes of the number at "p", 0 if there is none. */

static inline size_t
naive_number(const unsigned char *p, const unsigned char *last)
{
    size_t                n;
    const unsigned char  *start;

    start = p;
    p += (p < last && *p == '-');
    n = naive_digits(p, last);

    if (n == 0) {
        return 0;
    }

    p += (*p == '0') ? 1 : n;

    if (p < last && *p == '.') {
        n = naive_digits(++p, last);

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        p++;
        p += (p < last && (*p == '+' || *p == '-'));
        n = naive_digits(p, last);

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return p - start;
}


/* Code of the UTF-8 character at "p" and its size, or -1. */

static inline long
naive_utf8(const unsigned char *p, const unsigned char *last, int *size)
{
    int   i;
    long  code;

    static const long  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (*p < 0x80) {
        *size = 1;
        return *p;
    }

    *size = (*p >= 0xf0) ? 4 : (*p >= 0xe0) ? 3 : 2;

    if (*p < 0xc0 || *p > 0xf7 || last - p < *size) {
        return -1;
    }

    code = *p & (0x7f >> *size);

    for (i = 1; i < *size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return -1;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    if (code < least[*size] || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return -1;
    }

    return code;
}


/* 2^53 is written as it is, lest it be a number beyond it. */

static inline int
naive_limit(const unsigned char *p, size_t len)
{
    return (len == 16 && memcmp(p, "9007199254740992", 16) == 0)
           || (len == 17 && memcmp(p, "-9007199254740992", 17) == 0);
}


static inline int
naive_set_number(int field, const unsigned char *p, size_t len,
    naive_out_t *out)
{
    char    *text;
    double   d;

    text = malloc(len + 1);
    memcpy(text, p, len);
    text[len] = '\0';
    d = strtod(text, NULL);
    free(text);

    if (isinf(d)) {
        return 0;
    }

    switch (field) {

    case 0:
        out->x = d;
        return d >= -180 && d <= 180;

    case 1:
        out->r = d;
        return d >= 0 && d <= 5000;

    case 2:
        out->level = d;
        return 1;

    case 3:
        out->limit = (d >= 1 && d <= 64) ? d : 0;
        return d >= 1 && d <= 64 && d == out->limit;

    case 4:
        out->value = (d >= INT32_MIN && d <= INT32_MAX) ? d : 0;
        return d == out->value;

    case 5:
        out->detail = (d == 1);
        return d == 0 || d == 1;

    case 7:
        out->seq = (fabs(d) <= 9007199254740992.0) ? d : 0;
        return d == out->seq
               && (fabs(d) < 9007199254740992.0 || naive_limit(p, len));

    default:
        return 0;
    }
}


static inline int
naive_set_player(const unsigned char *p, size_t len, naive_out_t *out)
{
    int                   size;
    long                  code;
    const unsigned char  *last;

    out->player.data = p;
    out->player.len = len;

    for (last = p + len; p < last; p += size) {
        code = naive_utf8(p, last, &size);

        if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
            return 0;
        }
    }

    return len >= 1 && len <= 40;
}


static inline int
naive_set_text(const unsigned char *p, size_t len, naive_out_t *out)
{
    int                   size;
    const unsigned char  *last;

    out->data.data = p;
    out->data.len = len;

    for (last = p + len; p < last; p += size) {
        if (naive_utf8(p, last, &size) < 0) {
            return 0;
        }
    }

    return len <= NAIVE_TEXT;
}


/* A string, which is put in "keep". */

static inline int
naive_set_string(int field, const unsigned char *p, size_t len,
    naive_out_t *out, unsigned char *keep)
{
    switch (naive_fields[field].type) {

    case TROVE_FIELD_PLAYER:

        if (!naive_set_player(p, len, out)) {
            return 0;
        }

        memcpy(keep, p, len);
        out->player.data = keep;

        return 1;

    case TROVE_FIELD_TEXT:

        if (!naive_set_text(p, len, out)) {
            return 0;
        }

        memcpy(keep + 40, p, len);
        out->data.data = keep + 40;

        return 1;

    default:
        return 0;
    }
}


static inline void
naive_space(naive_t *n)
{
    while (n->p < n->last && *n->p && strchr(" \t\r\n", *n->p)) {
        n->p++;
    }
}


static inline int
naive_is(naive_t *n, const char *word)
{
    size_t  len;

    len = strlen(word);

    if ((size_t) (n->last - n->p) < len || memcmp(n->p, word, len) != 0) {
        return 0;
    }

    n->p += len;

    return 1;
}


static inline long
naive_hex(naive_t *n)
{
    char           hex[5];
    unsigned char  i;

    if (n->last - n->p < 4) {
        return -1;
    }

    memcpy(hex, n->p, 4);
    hex[4] = '\0';
    n->p += 4;

    for (i = 0; i < 4; i++) {
        if (hex[i] == '\0' || strchr("0123456789abcdefABCDEF", hex[i]) == NULL)
        {
            return -1;
        }
    }

    return strtol(hex, NULL, 16);
}


/* The code of an escape behind its backslash, or -1. */

static inline long
naive_escape(naive_t *n)
{
    long         high, low;
    char         ch;
    const char  *p;

    static const char  names[] = "\"\\/bfnrt";
    static const char  codes[] = "\"\\/\b\f\n\r\t";

    if (n->p == n->last || *n->p == '\0') {
        return -1;
    }

    ch = *n->p++;

    if (ch != 'u') {
        p = strchr(names, ch);
        return p ? codes[p - names] : -1;
    }

    high = naive_hex(n);

    if (high < 0xd800 || high > 0xdfff) {
        return high;
    }

    if (high >= 0xdc00 || !naive_is(n, "\\u")) {
        return -1;
    }

    low = naive_hex(n);

    if (low < 0xdc00 || low > 0xdfff) {
        return -1;
    }

    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}


/* Decodes a string into "buf", which is as large as all of the text. */

static inline int
naive_string(naive_t *n, unsigned char *buf, size_t *len)
{
    int             size;
    long            code;
    unsigned char  *d;

    if (!naive_is(n, "\"")) {
        return 0;
    }

    d = buf;

    for ( ;; ) {

        if (n->p == n->last) {
            return 0;
        }

        if (naive_is(n, "\"")) {
            *len = d - buf;
            return 1;
        }

        if (naive_is(n, "\\")) {
            code = naive_escape(n);

        } else {
            code = naive_utf8(n->p, n->last, &size);

            if (code < 0x20) {
                return 0;
            }

            n->p += size;
        }

        if (code < 0) {
            return 0;
        }

        if (code < 0x80) {
            *d++ = code;

        } else if (code < 0x800) {
            *d++ = 0xc0 | code >> 6;
            *d++ = 0x80 | (code & 0x3f);

        } else if (code < 0x10000) {
            *d++ = 0xe0 | code >> 12;
            *d++ = 0x80 | (code >> 6 & 0x3f);
            *d++ = 0x80 | (code & 0x3f);

        } else {
            *d++ = 0xf0 | code >> 18;
            *d++ = 0x80 | (code >> 12 & 0x3f);
            *d++ = 0x80 | (code >> 6 & 0x3f);
            *d++ = 0x80 | (code & 0x3f);
        }
    }
}


static inline int
naive_field(const unsigned char *p, size_t len)
{
    int  i;

    for (i = 0; i < NAIVE_FIELDS; i++) {
        if (len == strlen(naive_fields[i].name)
            && memcmp(p, naive_fields[i].name, len) == 0)
        {
            return i;
        }
    }

    return -1;
}


/* Members of an object behind its brace; their names count at depth 1. */

static inline int
naive_members(naive_t *n, int depth)
{
    int             field, ok;
    size_t          len;
    unsigned char  *name;

    naive_space(n);

    if (naive_is(n, "}")) {
        return 1;
    }

    do {
        naive_space(n);

        name = malloc(n->last - n->p + 1);
        ok = naive_string(n, name, &len);
        field = (ok && depth == 1) ? naive_field(name, len) : -1;
        free(name);

        if (!ok) {
            return 0;
        }

        if (field >= 0) {
            if (n->seen & 1u << field) {
                return 0;
            }

            n->seen |= 1u << field;
        }

        naive_space(n);

        if (!naive_is(n, ":") || !naive_value(n, depth, field)) {
            return 0;
        }

        naive_space(n);

    } while (naive_is(n, ","));

    return naive_is(n, "}");
}


static inline int
naive_elements(naive_t *n, int depth)
{
    naive_space(n);

    if (naive_is(n, "]")) {
        return 1;
    }

    do {
        if (!naive_value(n, depth, -1)) {
            return 0;
        }

        naive_space(n);

    } while (naive_is(n, ","));

    return naive_is(n, "]");
}


static inline int
naive_value(naive_t *n, int depth, int field)
{
    int             ok;
    size_t          len;
    unsigned char  *buf;

    naive_space(n);

    if (n->p == n->last) {
        return 0;
    }

    if (*n->p == '{' || *n->p == '[') {

        if (field >= 0 || depth > TROVE_JSON_DEPTH) {
            return 0;
        }

        return (*n->p++ == '{') ? naive_members(n, depth + 1)
                                : naive_elements(n, depth + 1);
    }

    if (*n->p == '"') {
        buf = malloc(n->last - n->p + 1);
        ok = naive_string(n, buf, &len);

        if (ok && field >= 0) {
            ok = naive_set_string(field, buf, len, n->out, n->keep);
        }

        free(buf);

        return ok;
    }

    if (naive_is(n, "null")) {
        return field < 0;
    }

    ok = naive_is(n, "true");

    if (ok || naive_is(n, "false")) {
        if (field == 5) {
            n->out->detail = ok;
        }

        return field < 0 || field == 5;
    }

    len = naive_number(n->p, n->last);
    ok = (len && (field < 0 || naive_set_number(field, n->p, len, n->out)));
    n->p += len;

    return ok;
}


/* Whether it is to be accepted; strings are put in "keep", of NAIVE_KEEP. */

static inline int
naive_json(const unsigned char *p, size_t len, naive_out_t *out,
    uint32_t *seen, unsigned char *keep)
{
    int      ok;
    naive_t  n;

    n.p = p;
    n.last = p + len;
    n.out = out;
    n.seen = 0;
    n.keep = keep;

    naive_space(&n);

    ok = naive_is(&n, "{") && naive_members(&n, 1);

    naive_space(&n);

    *seen = n.seen;

    return ok && n.p == n.last;
}


/* Percent-encoding undone in "buf"; -1: it is broken. */

static inline long
naive_decode(const unsigned char *p, size_t len, unsigned char *buf)
{
    long     n;
    naive_t  hex;
    size_t   i;

    unsigned char  four[4] = "00";

    n = 0;

    for (i = 0; i < len; i++) {

        if (p[i] != '%') {
            buf[n++] = p[i];
            continue;
        }

        if (len - i < 3) {
            return -1;
        }

        memcpy(four + 2, p + i + 1, 2);
        hex.p = four;
        hex.last = four + 4;
        buf[n] = naive_hex(&hex);
        hex.p = four;

        if (naive_hex(&hex) < 0) {
            return -1;
        }

        n++;
        i += 2;
    }

    return n;
}


static inline int
naive_argument(int field, unsigned char *value, long len, naive_out_t *out,
    unsigned char *keep)
{
    if (len < 0) {
        return 0;
    }

    if (naive_fields[field].type == TROVE_FIELD_PLAYER
        || naive_fields[field].type == TROVE_FIELD_TEXT)
    {
        return naive_set_string(field, value, len, out, keep);
    }

    if (naive_fields[field].type == TROVE_FIELD_FLAG
        && ((len == 4 && memcmp(value, "true", 4) == 0)
            || (len == 5 && memcmp(value, "false", 5) == 0)))
    {
        out->detail = (len == 4);
        return 1;
    }

    return len && naive_number(value, value + len) == (size_t) len
           && naive_set_number(field, value, len, out);
}


static inline int
naive_args(const unsigned char *p, size_t len, naive_out_t *out,
    uint32_t *seen, unsigned char *keep)
{
    int             field, ok;
    long            n;
    size_t          end, eq;
    unsigned char  *buf;

    *seen = 0;
    buf = malloc(len + 1);
    ok = 1;

    while (ok && len) {

        for (end = 0; end < len && p[end] != '&'; end++) {
            /* void */
        }

        for (eq = 0; eq < end && p[eq] != '='; eq++) {
            /* void */
        }

        n = naive_decode(p, eq, buf);
        field = (n < 0) ? -1 : naive_field(buf, n);

        if (field >= 0) {
            ok = !(*seen & 1u << field);
            *seen |= 1u << field;

            eq += (eq < end);
            n = naive_decode(p + eq, end - eq, buf);
            ok = ok && naive_argument(field, buf, n, out, keep);
        }

        end += (end < len);
        p += end;
        len -= end;
    }

    free(buf);

    return ok;
}


/* The fields that were seen have the same values; zeros have their signs. */

static inline int
naive_same(const naive_out_t *a, const naive_out_t *b, uint32_t seen)
{
    return (!(seen & 1) || memcmp(&a->x, &b->x, sizeof(double)) == 0)
        && (!(seen & 2) || memcmp(&a->r, &b->r, sizeof(double)) == 0)
        && (!(seen & 4) || memcmp(&a->level, &b->level, sizeof(double)) == 0)
        && (!(seen & 8) || a->limit == b->limit)
        && (!(seen & 16) || a->value == b->value)
        && (!(seen & 32) || a->detail == b->detail)
        && (!(seen & 64) || (a->player.len == b->player.len
                             && memcmp(a->player.data, b->player.data,
                                       a->player.len) == 0))
        && (!(seen & 128) || a->seq == b->seq)
        && (!(seen & 256) || (a->data.len == b->data.len
                              && memcmp(a->data.data, b->data.data,
                                        a->data.len) == 0));
}


/* An error says something, in a line of printable ASCII. */

static inline int
naive_detail(const trove_fields_t *f)
{
    size_t  i, len;

    len = strnlen(f->detail, TROVE_JSON_DETAIL);

    if (len == 0 || len == TROVE_JSON_DETAIL) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (f->detail[i] < 0x20 || f->detail[i] > 0x7e) {
            return 0;
        }
    }

    return 1;
}


#endif /* NAIVE_H_INCLUDED */
