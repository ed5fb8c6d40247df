/*
 * Input: JSON objects and query arguments, decoded by one table of fields into
 * a struct of the caller's.  Strict: duplicate, mistyped or out-of-range
 * fields, invalid UTF-8, lone surrogates, anything but one object, are errors
 * that name the field and the value; unknown fields are passed over.
 */

#ifndef TROVE_JSON_H_INCLUDED
#define TROVE_JSON_H_INCLUDED


#include "trove.h"
#include "trove_arena.h"


#define TROVE_JSON_DEPTH     32     /* levels of nesting in unknown fields   */
#define TROVE_JSON_DETAIL    256    /* most bytes of an error's text         */


typedef enum {
    TROVE_FIELD_NUMBER,       /* double: finite, within min .. max           */
    TROVE_FIELD_UINT32,       /* uint32_t: integer within min .. max         */
    TROVE_FIELD_INT32,        /* int32_t: the same                           */
    TROVE_FIELD_INT64,        /* int64_t: the same, within +-2^53            */
    TROVE_FIELD_FLAG,         /* int: true, false, 1 or 0                    */
    TROVE_FIELD_PLAYER,       /* trove_slice_t: 1-40 bytes of UTF-8 without
                                 control characters                          */
    TROVE_FIELD_TEXT          /* trove_slice_t: UTF-8 of at most max bytes   */
} trove_field_type_t;


typedef struct {
    const char          *name;
    trove_field_type_t   type;
    size_t               offset;    /* into the caller's struct              */
    double               min;
    double               max;
} trove_field_t;


/*
 * *seen gets a bit for each field of the table that was there, bit i for
 * fields[i]; at most 32 fields.  On TROVE_INVALID "detail" says what is wrong
 * in plain ASCII, terminated; hostile bytes of the input stand in it escaped
 * and cut.
 */

typedef struct {
    uint32_t             seen;
    char                 detail[TROVE_JSON_DETAIL];
} trove_fields_t;


typedef struct trove_json_s  trove_json_t;


/*
 * A parser for any number of objects of one table, living in the arena until
 * it is reset: made anew in every turn of the event loop.  NULL: exhausted.
 */
trove_json_t *trove_json_open(trove_arena_t *arena,
    const trove_field_t *fields, uint32_t nfields);

/*
 * Decodes the one object that "buf" holds into "out"; fields that are not
 * there are left as they were.  Slices point into "buf" or the arena.
 * TROVE_OK; TROVE_INVALID, when "out" may be set in part and the parser takes
 * the next object all the same; or TROVE_NOMEM when the arena is used up.
 */
trove_rc_t trove_json_parse(trove_json_t *json, const unsigned char *buf,
    size_t len, void *out, trove_fields_t *f);

/*
 * The same from "a=1&b=2" of a URI, percent-encoding undone.  TROVE_OK,
 * TROVE_INVALID, or TROVE_NOMEM.
 */
trove_rc_t trove_args_parse(trove_arena_t *arena, const unsigned char *args,
    size_t len, const trove_field_t *fields, uint32_t nfields, void *out,
    trove_fields_t *f);


#endif /* TROVE_JSON_H_INCLUDED */
