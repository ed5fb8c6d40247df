/*
 * Query arguments.
 */

#include <string.h>

#include "trove_fields.h"


static trove_rc_t trove_args_one(trove_arena_t *arena,
    const trove_field_t *fields, uint32_t nfields, uint32_t *next,
    trove_slice_t *name, trove_slice_t *value, void *out, trove_fields_t *f);
static trove_rc_t trove_args_value(trove_arena_t *arena,
    const trove_field_t *field, trove_slice_t *value, void *out,
    trove_fields_t *f);
static trove_rc_t trove_args_decode(trove_arena_t *arena, trove_slice_t *s);
static int trove_args_hex(unsigned char ch);


trove_rc_t
trove_args_parse(trove_arena_t *arena, const unsigned char *args, size_t len,
    const trove_field_t *fields, uint32_t nfields, void *out,
    trove_fields_t *f)
{
    uint32_t              next;
    trove_rc_t            rc;
    trove_slice_t         name, value;
    const unsigned char  *p, *last, *end, *eq;

    f->seen = 0;
    f->detail[0] = '\0';

    if (len == 0) {
        return TROVE_OK;                /* "args" may be NULL then */
    }

    next = 0;
    last = args + len;

    for (p = args; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        end = end ? end : last;

        eq = memchr(p, '=', end - p);
        eq = eq ? eq : end;

        name.data = p;
        name.len = eq - p;

        value.data = (eq < end) ? eq + 1 : end;
        value.len = end - value.data;

        rc = trove_args_one(arena, fields, nfields, &next, &name, &value, out,
                            f);
        if (rc != TROVE_OK) {
            return rc;
        }
    }

    return TROVE_OK;
}


/* A name that cannot be decoded is not the name of a field: passed over. */

static trove_rc_t
trove_args_one(trove_arena_t *arena, const trove_field_t *fields,
    uint32_t nfields, uint32_t *next, trove_slice_t *name,
    trove_slice_t *value, void *out, trove_fields_t *f)
{
    uint32_t    i, bit;
    trove_rc_t  rc;

    rc = trove_args_decode(arena, name);

    if (rc != TROVE_OK) {
        return (rc == TROVE_INVALID) ? TROVE_OK : rc;
    }

    i = trove_fields_find(fields, nfields, *next, name->data, name->len);

    if (i == nfields) {
        return TROVE_OK;
    }

    bit = (uint32_t) 1 << i;

    if (f->seen & bit) {
        return trove_field_error(&fields[i], "given twice", f);
    }

    f->seen |= bit;
    *next = i + 1;

    return trove_args_value(arena, &fields[i], value, out, f);
}


static trove_rc_t
trove_args_value(trove_arena_t *arena, const trove_field_t *field,
    trove_slice_t *value, void *out, trove_fields_t *f)
{
    trove_rc_t  rc;

    rc = trove_args_decode(arena, value);

    if (rc == TROVE_INVALID) {
        return trove_field_error(field, "bad percent-encoding", f);
    }

    if (rc != TROVE_OK) {
        return rc;
    }

    if (field->type == TROVE_FIELD_PLAYER) {
        return trove_field_player(field, value->data, value->len, out, f);
    }

    if (field->type == TROVE_FIELD_TEXT) {
        return trove_field_text(field, value->data, value->len, out, f);
    }

    if (field->type == TROVE_FIELD_FLAG) {

        if (value->len == 4 && memcmp(value->data, "true", 4) == 0) {
            return trove_field_flag(field, 1, out, f);
        }

        if (value->len == 5 && memcmp(value->data, "false", 5) == 0) {
            return trove_field_flag(field, 0, out, f);
        }
    }

    return trove_field_number(field, value->data, value->len, out, f);
}


/* "+" stays what it is: a plus sign, for these are not forms. */

static trove_rc_t
trove_args_decode(trove_arena_t *arena, trove_slice_t *s)
{
    int                   high, low;
    unsigned char        *d, *start;
    const unsigned char  *p, *last;

    p = s->data;
    last = p + s->len;

    if (s->len == 0 || memchr(p, '%', s->len) == NULL) {
        return TROVE_OK;
    }

    start = trove_arena_take(arena, s->len, 1);

    if (start == NULL) {
        return TROVE_NOMEM;
    }

    for (d = start; p < last; d++) {

        if (*p != '%') {
            *d = *p++;
            continue;
        }

        if (last - p < 3) {
            return TROVE_INVALID;
        }

        high = trove_args_hex(p[1]);
        low = trove_args_hex(p[2]);

        if (high < 0 || low < 0) {
            return TROVE_INVALID;
        }

        *d = high << 4 | low;
        p += 3;
    }

    s->data = start;
    s->len = d - start;

    return TROVE_OK;
}


static int
trove_args_hex(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}
