/*
 * What a ledger has no room for waits in queues in Redis, and is carried out
 * in order, once each, when there is room: see trove_mark.h.
 *
 *   trove:{NAME}:overflow            hash: format, whose, ledger, and of each
 *                                    queue by its name its last number
 *   trove:{NAME}:overflow:QUEUE      stream: entry n has the id n-0, and fields
 *                                    at  when it was queued, us of unix time
 *                                    op  see trove_redis_wire.h
 *   trove:{NAME}:overflow:refused    stream: what cannot be carried out: queue,
 *                                    number, why, op
 *   trove:{NAME}:overflow:s:SESSION  hash: number modulo 16 -> an answer
 *
 * All that is here is the drainer's, and waits for Redis: for a thread.
 */

#ifndef TROVE_OVERFLOW_H_INCLUDED
#define TROVE_OVERFLOW_H_INCLUDED


#include "trove_mark.h"
#include "trove_redis.h"


/* Entries that are asked for at once. */
#define TROVE_OVERFLOW_ENTRIES  128

/* Bytes of a trove's name, at most; and of a key. */
#define TROVE_OVERFLOW_TROVE    255
#define TROVE_OVERFLOW_KEY      (TROVE_REDIS_KEY + TROVE_OVERFLOW_TROVE)


/* Written by the thread, read by any: trove_stat_get(). */

typedef struct {
    trove_stat_t               drained;
    trove_stat_t               refused;     /* put aside                     */
    trove_stat_t               lost;        /* numbers that were not there   */
} trove_overflow_stats_t;


typedef struct {
    trove_ledger_t            *ledger;
    trove_redo_t              *redo;        /* of this thread; NULL: the     */
                                            /* ledger has no players         */
    trove_slice_t              trove;       /* its name, not too long a one  */
    const char                *instance;    /* of the ledger's store         */
    int                        durable;     /* there is such a store         */
    trove_claim_rules_t        rules;
    uint64_t                   interval;    /* see trove_tap_request_t       */
    uint32_t                   burst;
    trove_redis_t              redis;
    trove_overflow_stats_t     stats;
} trove_overflow_t;


/*
 * Whose the queues are that are a ledger's: its store's, or nobody's, for a
 * ledger without a store ends with its memory.
 */
const char *trove_overflow_instance(const trove_ledger_t *l, int durable);

/* What an operation is about, see trove_mark.h. */
uint64_t trove_overflow_target(const trove_ledger_t *l,
    const trove_redis_op_t *op);

/*
 * Whether what the operation of that queue is about is in the ledger, at that
 * time, ms of unix time: TROVE_OK, TROVE_NOTFOUND, or TROVE_BUSY.
 */
trove_rc_t trove_overflow_has_target(trove_ledger_t *l, uint32_t queue,
    const trove_redis_op_t *op, uint64_t now);


/* The script that fills the queues. */

extern const char    trove_overflow_script[];
extern const size_t  trove_overflow_script_len;
extern const char    trove_overflow_script_sha[41];


/*
 * Finds the queues, which are made if there are none and the ledger has known
 * none, and tells the ledger how many wait in each.
 * TROVE_STORE_DONE; TROVE_STORE_FOREIGN: they are another ledger's, or the
 * trove's name is too long;
 * TROVE_STORE_BUSY: a lock of the ledger is held; or as trove_redis_command().
 */
trove_store_rc_t trove_overflow_find(trove_overflow_t *o);

/*
 * Carries out what of the queue there is room for, some of it; *n is how many
 * were in Redis and are behind the mark now.  TROVE_STORE_DONE; *stays: there
 * is no room for the next one, which was queued then, us of unix time; else 0.
 */
trove_store_rc_t trove_overflow_drain(trove_overflow_t *o, uint32_t queue,
    uint32_t *n, uint64_t *stays);

/* What is behind the mark, up to this one, and stored if there is a store. */
uint64_t trove_overflow_done(const trove_overflow_t *o, uint32_t queue);

/* Has Redis forget that. */
trove_store_rc_t trove_overflow_trim(trove_overflow_t *o, uint32_t queue);


/*
 * For who fills them: the answer's parts, "now" is us of unix time by Redis'
 * clock.  TROVE_OK or TROVE_INVALID.
 */
trove_rc_t trove_overflow_answer(const trove_slice_t *text, uint64_t *whose,
    uint64_t *now, trove_slice_t *rest);
trove_rc_t trove_overflow_queued(trove_slice_t *rest, int *queued,
    uint64_t *number);


#endif /* TROVE_OVERFLOW_H_INCLUDED */
