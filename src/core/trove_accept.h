/*
 * What a client would like to be answered with: the header Accept (RFC 9110,
 * 12.5.1) against types that there are.  Ranges with a "*" like nothing more
 * than another, and count for nothing.
 */

#ifndef TROVE_ACCEPT_H_INCLUDED
#define TROVE_ACCEPT_H_INCLUDED


#include "trove.h"


typedef struct {
    const char  *type;
    const char  *version;     /* that its parameter says, NULL: any          */
    int          required;    /* and it must                                 */
} trove_accept_t;


/*
 * Raises q[i] to what the header says of types[i], in thousandths; a header
 * that is sent in several lines is read line by line.  What is not well formed
 * likes nothing, up to the next comma.
 */
void trove_accept(const unsigned char *s, size_t len,
    const trove_accept_t *types, uint32_t n, uint32_t *q);


#endif /* TROVE_ACCEPT_H_INCLUDED */
