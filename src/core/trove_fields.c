/*
 * Fields of a table.
 */

#include <float.h>
#include <math.h>
#include <string.h>

#include "trove_fields.h"
#include "trove_number.h"
#include "trove_writer.h"


#define TROVE_FIELDS_CUT     40     /* most bytes of input in a detail       */
#define TROVE_FIELD_EXACT    9007199254740992.0   /* 2^53: no two integers
                                                     below are one double    */
#define TROVE_FIELD_DIGITS   "9007199254740992"


static inline trove_rc_t trove_field_value(const trove_field_t *field,
    double d, void *value);
static int trove_field_exact(const unsigned char *p, size_t len, double d);
static trove_rc_t trove_field_integer(const trove_field_t *field, double d,
    void *out);
static double trove_field_min(const trove_field_t *field);
static double trove_field_max(const trove_field_t *field);
static trove_rc_t trove_field_refuse_number(const trove_field_t *field,
    const unsigned char *p, size_t len, trove_fields_t *f);
static void trove_field_expected(const trove_field_t *field,
    trove_writer_t *w);
static void trove_field_begin(const trove_field_t *field, trove_writer_t *w,
    trove_fields_t *f);
static void trove_field_end(trove_writer_t *w);
static void trove_field_quote(trove_writer_t *w, const unsigned char *p,
    size_t len);
static size_t trove_fields_utf8_char(const unsigned char *p,
    const unsigned char *last);


trove_rc_t
trove_field_number(const trove_field_t *field, const unsigned char *p,
    size_t len, void *out, trove_fields_t *f)
{
    double  d;

    if (trove_number_parse(p, len, &d) != TROVE_OK) {
        return trove_field_refuse_string(field, p, len, f);
    }

    if ((field->type == TROVE_FIELD_INT64 && !trove_field_exact(p, len, d))
        || trove_field_value(field, d, (unsigned char *) out + field->offset)
           != TROVE_OK)
    {
        return trove_field_refuse_number(field, p, len, f);
    }

    return TROVE_OK;
}


/* What is next to 2^53 is the same double: it is told by its digits. */

static int
trove_field_exact(const unsigned char *p, size_t len, double d)
{
    if (trove_likely(fabs(d) < TROVE_FIELD_EXACT)) {
        return 1;
    }

    if (*p == '-') {
        p++;
        len--;
    }

    return len == sizeof(TROVE_FIELD_DIGITS) - 1
           && memcmp(p, TROVE_FIELD_DIGITS, len) == 0;
}


static inline trove_rc_t
trove_field_value(const trove_field_t *field, double d, void *value)
{
    switch (field->type) {

    case TROVE_FIELD_NUMBER:

        if (d >= field->min && d <= field->max && fabs(d) <= DBL_MAX) {
            *(double *) value = d;
            return TROVE_OK;
        }

        return TROVE_INVALID;

    case TROVE_FIELD_UINT32:
    case TROVE_FIELD_INT32:
    case TROVE_FIELD_INT64:
        return trove_field_integer(field, d, value);

    case TROVE_FIELD_FLAG:

        if (d == 0 || d == 1) {
            *(int *) value = (d == 1);
            return TROVE_OK;
        }

        return TROVE_INVALID;

    default: /* TROVE_FIELD_PLAYER, TROVE_FIELD_TEXT */
        return TROVE_INVALID;
    }
}


/* JSON does not tell 5 from 5.0 and 5e0: what counts is the value. */

static trove_rc_t
trove_field_integer(const trove_field_t *field, double d, void *out)
{
    if (!(d >= trove_field_min(field) && d <= trove_field_max(field))
        || d != (double) (int64_t) d)
    {
        return TROVE_INVALID;
    }

    if (field->type == TROVE_FIELD_UINT32) {
        *(uint32_t *) out = (uint32_t) d;

    } else if (field->type == TROVE_FIELD_INT64) {
        *(int64_t *) out = (int64_t) d;

    } else {
        *(int32_t *) out = (int32_t) d;
    }

    return TROVE_OK;
}


/* The bounds of the field, within those of its type. */

static double
trove_field_min(const trove_field_t *field)
{
    double  min;

    min = (field->type == TROVE_FIELD_UINT32) ? 0
          : (field->type == TROVE_FIELD_INT64) ? -TROVE_FIELD_EXACT
          : INT32_MIN;

    return (field->min > min) ? field->min : min;
}


static double
trove_field_max(const trove_field_t *field)
{
    double  max;

    max = (field->type == TROVE_FIELD_UINT32) ? UINT32_MAX
          : (field->type == TROVE_FIELD_INT64) ? TROVE_FIELD_EXACT
          : INT32_MAX;

    return (field->max < max) ? field->max : max;
}


trove_rc_t
trove_field_flag(const trove_field_t *field, int flag, void *out,
    trove_fields_t *f)
{
    if (field->type != TROVE_FIELD_FLAG) {
        return trove_field_refuse(field, flag ? "true" : "false", f);
    }

    *(int *) ((unsigned char *) out + field->offset) = flag;

    return TROVE_OK;
}


/* The controls are U+0000 .. U+001F and U+007F .. U+009F. */

trove_rc_t
trove_field_player(const trove_field_t *field, const unsigned char *p,
    size_t len, void *out, trove_fields_t *f)
{
    size_t                i;
    trove_slice_t        *slice;
    const unsigned char  *last;

    if (len == 0 || len > TROVE_PLAYER_MAX) {
        goto invalid;
    }

    last = p + len;

    if (trove_fields_utf8(p, last) != last) {
        goto invalid;
    }

    for (i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f
            || (p[i] == 0xc2 && p[i + 1] < 0xa0))
        {
            goto invalid;
        }
    }

    slice = (trove_slice_t *) ((unsigned char *) out + field->offset);
    slice->data = p;
    slice->len = len;

    return TROVE_OK;

invalid:

    return trove_field_error(field, "must be 1 to 40 bytes of UTF-8 without "
                             "control characters", f);
}


trove_rc_t
trove_field_text(const trove_field_t *field, const unsigned char *p,
    size_t len, void *out, trove_fields_t *f)
{
    trove_slice_t   *slice;
    trove_writer_t   w;

    if (len > trove_field_room(field)) {
        trove_field_begin(field, &w, f);
        trove_field_expected(field, &w);
        trove_write_lit(&w, ", not ");
        trove_write_uint(&w, len);
        trove_field_end(&w);

        return TROVE_INVALID;
    }

    if (trove_fields_utf8(p, p + len) != p + len) {
        return trove_field_error(field, "must be UTF-8", f);
    }

    slice = (trove_slice_t *) ((unsigned char *) out + field->offset);
    slice->data = p;
    slice->len = len;

    return TROVE_OK;
}


size_t
trove_field_room(const trove_field_t *field)
{
    switch (field->type) {

    case TROVE_FIELD_PLAYER:
        return TROVE_PLAYER_MAX;

    case TROVE_FIELD_TEXT:
        return (size_t) field->max;

    default:
        return 0;
    }
}


trove_rc_t
trove_field_refuse(const trove_field_t *field, const char *what,
    trove_fields_t *f)
{
    trove_writer_t  w;

    trove_field_begin(field, &w, f);
    trove_field_expected(field, &w);
    trove_write_lit(&w, ", not ");
    trove_write_text(&w, what);
    trove_field_end(&w);

    return TROVE_INVALID;
}


trove_rc_t
trove_field_refuse_string(const trove_field_t *field, const unsigned char *p,
    size_t len, trove_fields_t *f)
{
    trove_writer_t  w;

    trove_field_begin(field, &w, f);
    trove_field_expected(field, &w);
    trove_write_lit(&w, ", not ");
    trove_field_quote(&w, p, len);
    trove_field_end(&w);

    return TROVE_INVALID;
}


static trove_rc_t
trove_field_refuse_number(const trove_field_t *field, const unsigned char *p,
    size_t len, trove_fields_t *f)
{
    trove_writer_t  w;

    trove_field_begin(field, &w, f);
    trove_field_expected(field, &w);
    trove_write_lit(&w, ", not ");
    trove_write(&w, p, (len < TROVE_FIELDS_CUT) ? len : TROVE_FIELDS_CUT);

    if (len > TROVE_FIELDS_CUT) {
        trove_write_lit(&w, "...");
    }

    trove_field_end(&w);

    return TROVE_INVALID;
}


trove_rc_t
trove_field_error(const trove_field_t *field, const char *text,
    trove_fields_t *f)
{
    trove_writer_t  w;

    trove_field_begin(field, &w, f);
    trove_write_text(&w, text);
    trove_field_end(&w);

    return TROVE_INVALID;
}


static void
trove_field_expected(const trove_field_t *field, trove_writer_t *w)
{
    switch (field->type) {

    case TROVE_FIELD_NUMBER:

        if (field->min < -DBL_MAX || field->max > DBL_MAX) {
            trove_write_lit(w, "must be a finite number");
            break;
        }

        trove_write_lit(w, "must be a number from ");
        trove_write_double(w, field->min);
        trove_write_lit(w, " to ");
        trove_write_double(w, field->max);
        break;

    case TROVE_FIELD_UINT32:
    case TROVE_FIELD_INT32:
    case TROVE_FIELD_INT64:
        trove_write_lit(w, "must be an integer from ");
        trove_write_double(w, trove_field_min(field));
        trove_write_lit(w, " to ");
        trove_write_double(w, trove_field_max(field));
        break;

    case TROVE_FIELD_FLAG:
        trove_write_lit(w, "must be true, false, 1 or 0");
        break;

    case TROVE_FIELD_PLAYER:
        trove_write_lit(w, "must be 1 to 40 bytes of UTF-8 without "
                        "control characters");
        break;

    case TROVE_FIELD_TEXT:
        trove_write_lit(w, "must be a string of at most ");
        trove_write_uint(w, trove_field_room(field));
        trove_write_lit(w, " bytes");
        break;
    }
}


static void
trove_field_begin(const trove_field_t *field, trove_writer_t *w,
    trove_fields_t *f)
{
    trove_writer_init(w, f->detail, sizeof(f->detail) - 1);
    trove_write_text(w, field->name);
    trove_write_lit(w, ": ");
}


static void
trove_field_end(trove_writer_t *w)
{
    *w->pos = '\0';
}


/* Whatever the bytes are, what is written is printable ASCII. */

static void
trove_field_quote(trove_writer_t *w, const unsigned char *p, size_t len)
{
    static const char  hex[] = "0123456789abcdef";

    char    escaped[4] = "\\x";
    size_t  i;

    trove_write_lit(w, "\"");

    for (i = 0; i < len && i < TROVE_FIELDS_CUT; i++) {

        if (p[i] == '"' || p[i] == '\\') {
            trove_write_lit(w, "\\");
            trove_write(w, &p[i], 1);

        } else if (p[i] >= 0x20 && p[i] < 0x7f) {
            trove_write(w, &p[i], 1);

        } else {
            escaped[2] = hex[p[i] >> 4];
            escaped[3] = hex[p[i] & 0xf];
            trove_write(w, escaped, 4);
        }
    }

    if (len > TROVE_FIELDS_CUT) {
        trove_write_lit(w, "...");
    }

    trove_write_lit(w, "\"");
}


const unsigned char *
trove_fields_utf8(const unsigned char *p, const unsigned char *last)
{
    size_t    n;
    uint64_t  word;

    while (p < last) {

        if (*p < 0x80) {

            /* most are, and stand together */

            for (p++; last - p >= 8; p += 8) {
                memcpy(&word, p, sizeof(word));

                if ((word & 0x8080808080808080) != 0) {
                    break;
                }
            }

            continue;
        }

        n = trove_fields_utf8_char(p, last);

        if (n == 0) {
            return p;
        }

        p += n;
    }

    return last;
}


/*
 * Bytes of the character of two to four bytes, 0 if it is not one.  The range
 * of the second byte is what excludes overlong forms, surrogates and all
 * beyond U+10FFFF.
 */

static size_t
trove_fields_utf8_char(const unsigned char *p, const unsigned char *last)
{
    size_t         i, n;
    unsigned char  low, high;

    if (*p < 0xc2 || *p > 0xf4) {
        return 0;
    }

    n = 2 + (*p >= 0xe0) + (*p >= 0xf0);

    if (n > (size_t) (last - p)) {
        return 0;
    }

    low = (*p == 0xe0) ? 0xa0 : (*p == 0xf0) ? 0x90 : 0x80;
    high = (*p == 0xed) ? 0x9f : (*p == 0xf4) ? 0x8f : 0xbf;

    for (i = 1; i < n; i++) {
        if (p[i] < low || p[i] > high) {
            return 0;
        }

        low = 0x80;
        high = 0xbf;
    }

    return n;
}
