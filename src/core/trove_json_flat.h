/*
 * JSON objects as nearly all clients write them, which need no parser of all
 * that JSON can be: known fields, each once, whose values are strings or
 * numbers.  There is no other grammar here than that of yajl; this is a part
 * of it, and of the rest nothing is said.
 */

#ifndef TROVE_JSON_FLAT_H_INCLUDED
#define TROVE_JSON_FLAT_H_INCLUDED


#include "trove_json.h"


/*
 * Of "len" bytes, at least one, all of them ASCII, none a control character or
 * a backslash.  1: decoded as trove_json_parse() says; 0: it may be anything,
 * fields may be set, and "f" is of no meaning.
 */
int trove_json_flat(const unsigned char *buf, size_t len,
    const trove_field_t *fields, uint32_t nfields, void *out,
    trove_fields_t *f);


#endif /* TROVE_JSON_FLAT_H_INCLUDED */
