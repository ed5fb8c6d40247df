/*
 * What the follower's files share.
 */

#ifndef TROVE_FOLLOW_DATA_H_INCLUDED
#define TROVE_FOLLOW_DATA_H_INCLUDED


#include "trove_atomic.h"
#include "trove_follow.h"


#define TROVE_FOLLOW_ARGS     8         /* of a command, at most             */

/* Attempts at what is held by others, of a millisecond each. */
#define TROVE_FOLLOW_BUSY     1000


/* An entry of the log; the slices are the reply's. */

typedef struct {
    uint64_t                log;        /* its number                        */
    uint64_t                version;    /* of the ledger before it           */
    uint64_t                mark;       /* tells it from another of that     */
                                        /* number; never 0                   */
    trove_slice_t           changes;
} trove_follow_entry_t;


typedef struct {
    redisReply             *reply;      /* to be freed, if not NULL          */
    redisReply            **entries;
    size_t                  n;
} trove_follow_entries_t;


/*
 * A command and its reply, an array, or NULL.  Nothing is begun any more after
 * it was stopped.
 */
trove_store_rc_t trove_follow_ask(trove_follow_t *f, redisReply **reply,
    int argc, const char **argv);

trove_store_rc_t trove_follow_foreign(trove_follow_t *f, const char *text);

/* The trove of this ledger: how it stands in Redis. */
trove_store_rc_t trove_follow_meta(trove_follow_t *f,
    trove_redis_meta_t *meta);

/*
 * Carries out what the log has after that, at once or what comes within
 * "block" ms; *n entries, or fewer than it has if *lost.
 */
trove_store_rc_t trove_follow_entries(trove_follow_t *f, uint64_t log,
    uint32_t block, size_t *n, int *lost);

/* The mark of the entry of that number; 0: there is none. */
trove_store_rc_t trove_follow_marks(trove_follow_t *f, uint64_t log,
    uint64_t *mark);


/* trove_follow_apply.c */

/*
 * Carries the entry out.  *lost: it is not what follows upon what the ledger
 * has.  The ledger's mark becomes the entry's before anything is changed, its
 * position when all is.
 */
trove_store_rc_t trove_follow_apply(trove_follow_t *f,
    const trove_follow_entry_t *e, int *lost);

/*
 * How a call of the ledger ended: whether it is made again, for it is held,
 * and what comes of it when it is not.
 */
int trove_follow_again(trove_follow_t *f, trove_rc_t rc, uint32_t *n);
trove_store_rc_t trove_follow_done_with(trove_follow_t *f, trove_rc_t rc,
    const char *what);

/* Carries out a change of a row, which is of that board if it is of one. */
trove_store_rc_t trove_follow_row(trove_follow_t *f,
    const trove_redis_change_t *change, uint32_t board);


/* trove_follow_load.c */

/* Empties the ledger and fills it with all that there is. */
trove_store_rc_t trove_follow_load(trove_follow_t *f);


#endif /* TROVE_FOLLOW_DATA_H_INCLUDED */
