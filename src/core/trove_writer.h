/*
 * Output: text into a buffer that cannot be overrun.  What does not fit is
 * not written, and "truncated" tells; after it nothing more is written.
 */

#ifndef TROVE_WRITER_H_INCLUDED
#define TROVE_WRITER_H_INCLUDED


#include <string.h>

#include "trove.h"


typedef struct {
    unsigned char  *pos;
    unsigned char  *end;
    unsigned char  *start;
    int             truncated;
} trove_writer_t;


void trove_writer_init(trove_writer_t *w, void *buf, size_t size);

/* These write all that they are asked for or nothing of it. */

static inline void
trove_write(trove_writer_t *w, const void *p, size_t len)
{
    if (w->truncated || len > (size_t) (w->end - w->pos)) {
        w->truncated = 1;
        return;
    }

    if (len) {
        memcpy(w->pos, p, len);
        w->pos += len;
    }
}


void trove_write_text(trove_writer_t *w, const char *s);
void trove_write_uint(trove_writer_t *w, uint64_t n);
void trove_write_int(trove_writer_t *w, int64_t n);

/*
 * The fewest digits that read back as the same double, as a JSON number.  It
 * is finite; others, which no number of JSON is, are written as null.
 */
void trove_write_double(trove_writer_t *w, double d);

/*
 * At most "decimals" (0 .. 9) digits behind the point, zeros cut; rounded from
 * the exact value, a half away from zero.  Finite as above.
 */
void trove_write_fixed(trove_writer_t *w, double d, int decimals);

/* A JSON string with its quotes, escaped; "s" is valid UTF-8. */
void trove_write_string(trove_writer_t *w, const unsigned char *s,
    size_t len);

/* Bytes that this writes. */
size_t trove_string_size(const unsigned char *s, size_t len);

#define trove_write_lit(w, s)  trove_write(w, s, sizeof(s) - 1)


#endif /* TROVE_WRITER_H_INCLUDED */
