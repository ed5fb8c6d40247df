/*
 * Cuts a body that arrives in pieces into lines.  A line that lies whole in
 * one piece is handed out where it lies; only one that spans pieces is copied
 * into the carry.  Memory is bounded by the longest line allowed.
 */

#ifndef TROVE_LINES_H_INCLUDED
#define TROVE_LINES_H_INCLUDED


#include "trove.h"


typedef struct {
    unsigned char  *carry;    /* the caller's, "size" bytes                  */
    size_t          size;     /* longest line                                */
    size_t          len;      /* carried so far                              */
    uint64_t        line;     /* number of the line handed out last, from 1  */
    unsigned        skip:1;   /* inside a line that is too long              */
    unsigned        flush:1;  /* the carry was handed out: forget it         */
    unsigned        cr:1;     /* a carriage return follows what is carried:
                                 the line's end, or a byte of it             */
} trove_lines_t;


void trove_lines_init(trove_lines_t *l, unsigned char *carry, size_t size);

/*
 * The next line of *pos .. last without its line feed (and a carriage return
 * before it); *pos is moved behind it.  "final" says that no piece follows,
 * then an unterminated last line counts.  Blank lines are counted and passed
 * over.  TROVE_OK: *line is one, valid until the next call; TROVE_INVALID: a
 * line was too long and is skipped; TROVE_AGAIN: the piece is used up.
 */
trove_rc_t trove_lines_next(trove_lines_t *l, const unsigned char **pos,
    const unsigned char *last, int final, trove_slice_t *line);


#endif /* TROVE_LINES_H_INCLUDED */
