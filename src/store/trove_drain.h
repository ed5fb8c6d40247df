/*
 * Carrying out what waits in a ledger's queues, when there is room for it.
 *
 * Of all processes that have the ledger one at a time is the drainer; another
 * one takes over when it dies.  Its thread
 *
 *   connects, finds the queues <-----------------------------+
 *     |                                                       |
 *     v                                                       |  back-off
 *   of each queue what is known to wait, in turn:             |
 *     carries some of it out, has Redis forget what was      -+
 *     |                                                       |
 *   a pause, if no more can be done ..  ------- an error -----+
 *
 * Who fills the queues tells in the ledger that something waits: while nothing
 * does, that alone is looked at.  What there is no room for is tried again when
 * the ledger has changed, at most once an epoch.
 */

#ifndef TROVE_DRAIN_H_INCLUDED
#define TROVE_DRAIN_H_INCLUDED


#include "trove_client.h"
#include "trove_overflow.h"
#include "trove_stats.h"


/* Pauses in ns: while something waits, and while nothing does. */
#define TROVE_DRAIN_EPOCH      16000000
#define TROVE_DRAIN_IDLE       100000000

/* How often Redis is asked what there is, whatever is known, ns. */
#define TROVE_DRAIN_LOOK       1000000000

/* Reads of a queue before the next one has its turn. */
#define TROVE_DRAIN_TURN       8

/* Attempts at what is held by others, a millisecond apart. */
#define TROVE_DRAIN_BUSY       1000


/* Nobody else's memory: one of a process, for one ledger. */

typedef struct {
    trove_overflow_t           overflow;
    trove_client_t             client;
    trove_redis_conf_t         conf;
    char                      *name;        /* of the trove                  */
    char                       error[TROVE_STORE_ERROR];

    uint64_t                  *trimmed;     /* of each queue, up to where    */
    uint64_t                   looked;      /* at all there is, ns           */
    uint64_t                   moved;       /* when that was said, ns        */
    uint64_t                   seen;        /* how many were drained then    */
    uint64_t                   room;        /* see trove_drain_room()        */

    trove_stat_t               found;       /* what waited when it was found */
    trove_stat_t               others;      /* times that they were others   */
    trove_overflow_stats_t     told;        /* to trove_stats.h              */
    int                        elected;
} trove_drain_t;


/*
 * "o" has the ledger, the trove's name, the rules, and whether there is a store
 * that is the ledger's own; that and "conf" are copied.  "moved" is called in
 * the thread when the ledger or what is reported has changed; it may be NULL.
 * TROVE_OK or TROVE_NOMEM.
 */
trove_rc_t trove_drain_init(trove_drain_t *d, const trove_overflow_t *o,
    const trove_redis_conf_t *conf, void (*moved)(void *data), void *data);

/* Nor is it the drainer any more; the thread has ended. */
void trove_drain_done(trove_drain_t *d);

/* Whether this process is the drainer, or becomes it now. */
int trove_drain_elect(trove_drain_t *d);

/* It is not any more, and has no thread. */
void trove_drain_resign(trove_drain_t *d);

/* In a thread, of the drainer: until it is stopped, by any thread. */
void trove_drain_run(trove_drain_t *d);
void trove_drain_stop(trove_drain_t *d);

/* Of any thread; TROVE_STORE_DONE: what waits is looked after. */
void trove_drain_report(trove_drain_t *d, trove_client_report_t *report);

/* Adds what has happened since the last call to the worker's figures. */
void trove_drain_tell(trove_drain_t *d, trove_stats_t *s);

/* How many operations wait, for all that is known. */
uint64_t trove_drain_pending(const trove_ledger_t *l);


#endif /* TROVE_DRAIN_H_INCLUDED */
