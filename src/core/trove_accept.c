/*
 * The header Accept.
 */

#include <string.h>
#include <strings.h>

#include "trove_accept.h"


/* One range of a header; slices are of it, not unquoted. */

typedef struct {
    trove_slice_t         type;
    trove_slice_t         version;        /* NULL: it says none              */
    uint32_t              q;
    int                   bad;
} trove_accept_range_t;


static const unsigned char *trove_accept_range(const unsigned char *p,
    const unsigned char *last, trove_accept_range_t *range);
static const unsigned char *trove_accept_parameter(const unsigned char *p,
    const unsigned char *last, trove_accept_range_t *range);
static const unsigned char *trove_accept_value(const unsigned char *p,
    const unsigned char *last, trove_slice_t *value);
static const unsigned char *trove_accept_token(const unsigned char *p,
    const unsigned char *last, trove_slice_t *token);
static const unsigned char *trove_accept_space(const unsigned char *p,
    const unsigned char *last);
static uint32_t trove_accept_quality(const trove_slice_t *value);
static int trove_accept_same(const trove_slice_t *s, const char *text);


void
trove_accept(const unsigned char *s, size_t len, const trove_accept_t *types,
    uint32_t n, uint32_t *q)
{
    uint32_t               i;
    const unsigned char   *p, *last;
    trove_accept_range_t   range;

    last = s + len;

    for (p = s; p < last; p++) {
        p = trove_accept_range(p, last, &range);

        if (range.bad) {
            continue;
        }

        for (i = 0; i < n; i++) {

            if (!trove_accept_same(&range.type, types[i].type)
                || (range.version.data == NULL && types[i].required)
                || (range.version.data != NULL && types[i].version != NULL
                    && !trove_accept_same(&range.version, types[i].version)))
            {
                continue;
            }

            if (range.q > q[i]) {
                q[i] = range.q;
            }
        }
    }
}


/* Returns the comma behind it, or the end. */

static const unsigned char *
trove_accept_range(const unsigned char *p, const unsigned char *last,
    trove_accept_range_t *range)
{
    memset(range, 0, sizeof(trove_accept_range_t));
    range->q = 1000;

    p = trove_accept_token(trove_accept_space(p, last), last, &range->type);
    p = trove_accept_space(p, last);

    while (p < last && *p == ';') {
        p = trove_accept_parameter(p + 1, last, range);
        p = trove_accept_space(p, last);
    }

    if (p < last && *p != ',') {
        range->bad = 1;
        p = memchr(p, ',', last - p);
    }

    return p ? p : last;
}


static const unsigned char *
trove_accept_parameter(const unsigned char *p, const unsigned char *last,
    trove_accept_range_t *range)
{
    trove_slice_t  name, value;

    p = trove_accept_token(trove_accept_space(p, last), last, &name);

    if (p == last || *p != '=') {
        range->bad |= (name.len != 0);
        return p;
    }

    p = trove_accept_value(p + 1, last, &value);

    if (trove_accept_same(&name, "version")) {
        range->version = value;

    } else if (trove_accept_same(&name, "q")) {
        range->q = trove_accept_quality(&value);
    }

    return p;
}


/* A token, or what stands between quotes. */

static const unsigned char *
trove_accept_value(const unsigned char *p, const unsigned char *last,
    trove_slice_t *value)
{
    if (p == last || *p != '"') {
        return trove_accept_token(p, last, value);
    }

    value->data = ++p;

    while (p < last && *p != '"') {
        p += (*p == '\\' && last - p > 1) ? 2 : 1;
    }

    value->len = p - value->data;

    return (p < last) ? p + 1 : p;
}


static const unsigned char *
trove_accept_token(const unsigned char *p, const unsigned char *last,
    trove_slice_t *token)
{
    token->data = p;

    while (p < last && *p > ' ' && *p < 0x7f && strchr(",;=\"", *p) == NULL) {
        p++;
    }

    token->len = p - token->data;

    return p;
}


static const unsigned char *
trove_accept_space(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


/* 0 or 1, and at most three decimals; what is anything else is 0. */

static uint32_t
trove_accept_quality(const trove_slice_t *value)
{
    size_t    i;
    uint32_t  q, unit;

    if (value->len == 0 || value->len > 5
        || (value->data[0] != '0' && value->data[0] != '1')
        || (value->len > 1 && value->data[1] != '.'))
    {
        return 0;
    }

    q = (value->data[0] - '0') * 1000;
    unit = 100;

    for (i = 2; i < value->len; i++, unit /= 10) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return 0;
        }

        q += (value->data[i] - '0') * unit;
    }

    return (q <= 1000) ? q : 0;
}


static int
trove_accept_same(const trove_slice_t *s, const char *text)
{
    return s->len == strlen(text)
           && strncasecmp((const char *) s->data, text, s->len) == 0;
}
