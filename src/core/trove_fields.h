/*
 * Fields of a table, found and set: what JSON and query arguments share, so
 * that both accept and refuse the same with the same words.
 */

#ifndef TROVE_FIELDS_H_INCLUDED
#define TROVE_FIELDS_H_INCLUDED


#include "trove.h"
#include "trove_json.h"


#define TROVE_PLAYER_MAX     40     /* bytes of a player's id                */


/* "p" may hold zeros, the name ends by one. */

static inline int
trove_fields_is(const char *name, const unsigned char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if ((unsigned char) name[i] != p[i] || p[i] == '\0') {
            return 0;
        }
    }

    return name[len] == '\0';
}


/*
 * Index of the field of that name, or "nfields".  It is looked for from
 * "first" (at most "nfields") on and around: fields in the table's order are
 * found at once.
 */

static inline uint32_t
trove_fields_find(const trove_field_t *fields, uint32_t nfields,
    uint32_t first, const unsigned char *name, size_t len)
{
    uint32_t  i;

    for (i = first; i < nfields; i++) {
        if (trove_fields_is(fields[i].name, name, len)) {
            return i;
        }
    }

    for (i = 0; i < first; i++) {
        if (trove_fields_is(fields[i].name, name, len)) {
            return i;
        }
    }

    return nfields;
}


/*
 * These return TROVE_OK or TROVE_INVALID, with what is wrong in f->detail.
 * A number is text, of which it is checked that it is one; a flag is set by
 * "1" and "0" too.
 */
trove_rc_t trove_field_number(const trove_field_t *field,
    const unsigned char *p, size_t len, void *out, trove_fields_t *f);
trove_rc_t trove_field_flag(const trove_field_t *field, int flag, void *out,
    trove_fields_t *f);
trove_rc_t trove_field_player(const trove_field_t *field,
    const unsigned char *p, size_t len, void *out, trove_fields_t *f);
trove_rc_t trove_field_text(const trove_field_t *field,
    const unsigned char *p, size_t len, void *out, trove_fields_t *f);

/* Most bytes of a string that the field may take, 0 if it takes none. */
size_t trove_field_room(const trove_field_t *field);

/*
 * "NAME: must be ..., not WHAT", where WHAT is a name of a kind of values, or
 * a string of the input, which is quoted, escaped and cut.
 */
trove_rc_t trove_field_refuse(const trove_field_t *field, const char *what,
    trove_fields_t *f);
trove_rc_t trove_field_refuse_string(const trove_field_t *field,
    const unsigned char *p, size_t len, trove_fields_t *f);

/* "NAME: TEXT" */
trove_rc_t trove_field_error(const trove_field_t *field, const char *text,
    trove_fields_t *f);

/* The first byte that is not well-formed UTF-8 (RFC 3629), or "last". */
const unsigned char *trove_fields_utf8(const unsigned char *p,
    const unsigned char *last);


#endif /* TROVE_FIELDS_H_INCLUDED */
