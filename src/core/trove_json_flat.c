
#include "trove_fields.h"
#include "trove_json_flat.h"


typedef struct {
    const unsigned char  *p;
    const unsigned char  *last;
    const trove_field_t  *fields;
    uint32_t              nfields;
    uint32_t              next;         /* field that is likely to come next */
    void                 *out;
    trove_fields_t       *f;
} trove_json_flat_t;


static int trove_json_flat_member(trove_json_flat_t *flat);
static const trove_field_t *trove_json_flat_field(trove_json_flat_t *flat);
static int trove_json_flat_text(trove_json_flat_t *flat,
    const trove_field_t *field);
static int trove_json_flat_number(trove_json_flat_t *flat,
    const trove_field_t *field);


/* The next byte behind blanks; 0: there is none. */

static inline unsigned char
trove_json_flat_next(trove_json_flat_t *flat)
{
    while (flat->p < flat->last) {

        if (*flat->p != ' ') {
            return *flat->p++;
        }

        flat->p++;
    }

    return 0;
}


int
trove_json_flat(const unsigned char *buf, size_t len,
    const trove_field_t *fields, uint32_t nfields, void *out,
    trove_fields_t *f)
{
    unsigned char      ch;
    trove_json_flat_t  flat;

    flat.p = buf;
    flat.last = buf + len;
    flat.fields = fields;
    flat.nfields = nfields;
    flat.next = 0;
    flat.out = out;
    flat.f = f;

    f->seen = 0;

    if (trove_json_flat_next(&flat) != '{') {
        return 0;
    }

    do {

        if (!trove_json_flat_member(&flat)) {
            return 0;
        }

        ch = trove_json_flat_next(&flat);

    } while (ch == ',');

    return ch == '}' && trove_json_flat_next(&flat) == 0;
}


static int
trove_json_flat_member(trove_json_flat_t *flat)
{
    const trove_field_t  *field;

    field = trove_json_flat_field(flat);

    if (field == NULL || trove_json_flat_next(flat) != ':') {
        return 0;
    }

    if (trove_json_flat_next(flat) == '"') {
        return trove_json_flat_text(flat, field);
    }

    flat->p--;

    return trove_json_flat_number(flat, field);
}


/* NULL: it is none of the table, or was there before. */

static const trove_field_t *
trove_json_flat_field(trove_json_flat_t *flat)
{
    uint32_t              i, bit;
    const unsigned char  *name;

    if (trove_json_flat_next(flat) != '"') {
        return NULL;
    }

    name = flat->p;

    while (flat->p < flat->last && *flat->p != '"') {
        flat->p++;
    }

    if (flat->p == flat->last) {
        return NULL;
    }

    i = trove_fields_find(flat->fields, flat->nfields, flat->next, name,
                          flat->p - name);

    if (i == flat->nfields) {
        return NULL;
    }

    bit = (uint32_t) 1 << i;

    if (flat->f->seen & bit) {
        return NULL;
    }

    flat->f->seen |= bit;
    flat->next = i + 1;
    flat->p++;

    return &flat->fields[i];
}


static int
trove_json_flat_text(trove_json_flat_t *flat, const trove_field_t *field)
{
    size_t                len;
    const unsigned char  *p;

    p = flat->p;

    while (flat->p < flat->last && *flat->p != '"') {
        flat->p++;
    }

    if (flat->p == flat->last) {
        return 0;
    }

    len = flat->p - p;
    flat->p++;

    switch (field->type) {

    case TROVE_FIELD_PLAYER:
        return trove_field_player(field, p, len, flat->out, flat->f)
               == TROVE_OK;

    case TROVE_FIELD_TEXT:
        return trove_field_text(field, p, len, flat->out, flat->f)
               == TROVE_OK;

    default:
        return 0;
    }
}


static int
trove_json_flat_number(trove_json_flat_t *flat, const trove_field_t *field)
{
    const unsigned char  *p;

    p = flat->p;

    while (flat->p < flat->last
           && *flat->p != ',' && *flat->p != '}' && *flat->p != ' ')
    {
        flat->p++;
    }

    /* what is none shall be told in words once only */

    if (flat->p == p || (*p != '-' && (unsigned) (*p - '0') > 9)) {
        return 0;
    }

    return trove_field_number(field, p, flat->p - p, flat->out, flat->f)
           == TROVE_OK;
}
