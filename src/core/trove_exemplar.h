/*
 * An exemplar: one request of those that a bucket of a histogram has counted,
 * by which it is found in a log.  It is known by an id of 128 bits, shown as
 * 32 hexadecimal digits: whatever was given for one, nothing else comes out.
 *
 *   owner      one process writes it, at most once in a TROVE_EXEMPLAR_MS;
 *              others read meanwhile, and nobody waits
 *   sequence   odd while it is written: what was read then is not whole.  Of
 *              a writer that died it stays odd until the next one has written
 */

#ifndef TROVE_EXEMPLAR_H_INCLUDED
#define TROVE_EXEMPLAR_H_INCLUDED


#include <stdatomic.h>

#include "trove.h"
#include "trove_histogram.h"
#include "trove_writer.h"


#define TROVE_EXEMPLAR_MS     1000
#define TROVE_EXEMPLAR_ID     32      /* digits                              */
#define TROVE_EXEMPLAR_TEXT   112     /* bytes of it in OpenMetrics, at most */


/* All zero is none. */

typedef struct {
    _Atomic uint64_t   sequence;
    trove_stat_t       asked;         /* when one was due, by its owner      */
    trove_stat_t       time;          /* unix time in ms, 0: there is none   */
    trove_stat_t       ns;
    trove_stat_t       id[2];
} trove_exemplar_t;


/* Whether to ask for the id of a request that ends now, a unix time in ms. */

static inline int
trove_exemplar_due(const trove_exemplar_t *e, uint64_t now)
{
    return now - trove_stat_get(&e->asked) >= TROVE_EXEMPLAR_MS;
}


/*
 * TROVE_OK, or TROVE_INVALID: it is no id, and the exemplar stays as it is;
 * none is due any more in both cases.
 */
trove_rc_t trove_exemplar_put(trove_exemplar_t *e, uint64_t now, uint64_t ns,
    const unsigned char *id, size_t len);

/* Replaces "newest", which is the caller's, if this one is newer and whole. */
void trove_exemplar_newest(trove_exemplar_t *newest,
    const trove_exemplar_t *e);

/* What OpenMetrics appends to a bucket; nothing if there is none. */
void trove_exemplar_write(trove_writer_t *w, const trove_exemplar_t *e);


#endif /* TROVE_EXEMPLAR_H_INCLUDED */
