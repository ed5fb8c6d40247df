/*
 * A circuit breaker that processes share: while something far away fails,
 * nobody waits for it, and one at a time looks whether it is there again.
 *
 *          failures in a row, or one           its time has come,
 *          that is reason enough               for one who asks
 *   CLOSED ------------------------> OPEN ------------------------> HALF-OPEN
 *     ^                               ^                              |  |  ^
 *     |                               '-------- the probe fails -----'  |  |
 *     '---------------------------------------- the probe succeeds -----'  '--.
 *                                               its deadline is over: its owner
 *                                               is dead or stopped, for one who
 *                                               asks
 *
 * It stays open for between a half and all of a time that doubles with every
 * opening until a call that is no probe succeeds.
 *
 * One word has it all, { state, openings, n }; n is the failures in a row, or
 * the time until which it is open, or the probe's deadline, in microseconds.
 * Whoever carries a probe has the word that it began with: when that has
 * changed, it is another's.
 */

#ifndef TROVE_BREAKER_H_INCLUDED
#define TROVE_BREAKER_H_INCLUDED


#include "trove.h"
#include "trove_atomic.h"


/* The numbers are those of the metric. */

typedef enum {
    TROVE_BREAKER_CLOSED,
    TROVE_BREAKER_HALF_OPEN,
    TROVE_BREAKER_OPEN
} trove_breaker_state_t;


/* Starts as zero: closed. */

typedef struct {
    _Atomic uint64_t  word;
} trove_aligned(TROVE_CACHE_LINE) trove_breaker_t;


/* Durations in ns, as all times here are, see trove_clock_ns(). */

typedef struct {
    uint32_t          failures;     /* in a row that open it                 */
    uint64_t          least;        /* open for, at first                    */
    uint64_t          most;
    uint64_t          probe;        /* that a probe may take                 */
} trove_breaker_conf_t;


/* A probe that was begun; 0: none. */
typedef uint64_t  trove_breaker_probe_t;


#define TROVE_BREAKER_SHIFT  62

static inline trove_breaker_state_t
trove_breaker_state(trove_breaker_t *b)
{
    return (trove_breaker_state_t) (trove_get(&b->word) >> TROVE_BREAKER_SHIFT);
}


static inline int
trove_breaker_closed(trove_breaker_t *b)
{
    return trove_breaker_state(b) == TROVE_BREAKER_CLOSED;
}


/* A probe for who asks, if it is time for one; it is half-open then. */
trove_breaker_probe_t trove_breaker_ask(trove_breaker_t *b,
    const trove_breaker_conf_t *conf, uint64_t now);

/* How long it is in vain to ask, 0: it is not. */
uint64_t trove_breaker_wait(trove_breaker_t *b, uint64_t now);

/* A call, or that probe, has succeeded; returns 1 if that has closed it. */
int trove_breaker_success(trove_breaker_t *b, trove_breaker_probe_t probe);

/*
 * It has failed, and that counts as so many failures; "random" is any.
 * Returns 1 if that has opened it.
 */
int trove_breaker_failure(trove_breaker_t *b, const trove_breaker_conf_t *conf,
    trove_breaker_probe_t probe, uint32_t count, uint64_t now,
    uint32_t random);


#endif /* TROVE_BREAKER_H_INCLUDED */
