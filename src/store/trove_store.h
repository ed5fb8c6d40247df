/*
 * Where a ledger is kept durably: the interface, and what all kinds of stores
 * have in common.
 *
 *   open    finds, or makes, what belongs to the ledger
 *   load    gives back all that is stored, to fill an empty ledger
 *   begin   -+
 *   put ..   |  one transaction: all of it is stored or nothing
 *   commit  -+
 *   tidy    when nobody waits any more
 *   close
 *
 * All that is put is absolute, so that to put it again is harmless.  Whoever
 * got anything but TROVE_STORE_DONE takes none of the transaction for stored,
 * though it may be; after anything but TROVE_STORE_BUSY the store has to be
 * closed and opened again before it takes another one.
 *
 * Every call may wait for a disk or a network without bound: a store belongs
 * into a thread.  It may move from thread to thread, and not over a fork.
 */

#ifndef TROVE_STORE_H_INCLUDED
#define TROVE_STORE_H_INCLUDED


#include "trove.h"
#include "trove_board.h"
#include "trove_histogram.h"
#include "trove_restore.h"


#define TROVE_STORE_INSTANCE  32        /* hexadecimal digits                */
#define TROVE_STORE_ERROR     512


/*
 * How a call ended.  The failures are counted by these, and what they are
 * called is in trove_store_failures[].
 */

#define TROVE_STORE_FAILURES(X)                                              \
    X(FULL, full)             /* the disk                                  */ \
    X(BUSY, busy)             /* another program holds it                  */ \
    X(IO, io)                 /* an error of the disk, or no access        */ \
    X(GONE, gone)             /* deleted or replaced while it was open     */ \
    X(FOREIGN, foreign)       /* another's, of a newer version, or damaged */ \
    X(NOMEM, nomem)                                                          \
    X(HANGS, hangs)           /* its writer does, or is stopped            */ \
    X(AWAY, away)             /* cannot be reached, or is not ready        */ \
    X(TIMEOUT, timeout)       /* has not answered in time                  */ \
    X(DENIED, denied)         /* the password, or a right, is wrong        */ \
    X(READONLY, readonly)     /* takes no writes                           */ \
    X(LOST, lost)             /* what became of a write cannot be told     */

#define TROVE_STORE_ENUM(NAME, name)   TROVE_STORE_##NAME,

typedef enum {
    TROVE_STORE_DONE = 0,
    TROVE_STORE_FAILURES(TROVE_STORE_ENUM)
    TROVE_STORE_RCS
} trove_store_rc_t;


/* Written by the store's thread, read by any: trove_stat_get(). */

typedef struct {
    trove_stat_t              commits;
    trove_stat_t              rewards;      /* rows that were committed      */
    trove_stat_t              players;
    trove_stat_t              claims;
    trove_stat_t              scores;
    trove_stat_t              opens;
    trove_stat_t              log_bytes;    /* not yet in its place          */
    trove_stat_t              log_failures; /* attempts to put it there      */
    trove_stat_t              failures[TROVE_STORE_RCS];
} trove_store_stats_t;


typedef struct {
    const char               *path;         /* of SQLite: the file           */
    uint32_t                  space;        /* trove_space_kind_t            */
    uint32_t                  busy;         /* ms to wait for other programs */

    /*
     * Of the ledger this is for; NULL: of any.  A store that is made is made
     * with it, or with a new one.
     */
    const char               *instance;

    uint64_t                  log_size;     /* bytes to be put in its place  */
    uint64_t                  log_max;      /* bytes to stop at              */
    const char               *vfs;          /* of SQLite; NULL: the system's */

    trove_store_stats_t      *stats;        /* these two outlive the store   */
    char                     *error;        /* TROVE_STORE_ERROR bytes       */
} trove_store_conf_t;


#define TROVE_STORE_LOG_SIZE  ((uint64_t) 16 << 20)
#define TROVE_STORE_LOG_MAX   ((uint64_t) 1 << 30)


/* What a store tells of itself. */

typedef struct {
    char                      instance[TROVE_STORE_INSTANCE + 1];
    uint64_t                  flush;        /* number of its last commit     */
    uint64_t                  version;      /* the ledger's, of that         */
    int                       created;      /* by this open                  */
} trove_store_info_t;


typedef struct {
    trove_reward_t            reward;
    uint32_t                  slot;
    uint32_t                  born;         /* tells those of one id apart   */
} trove_store_reward_t;


typedef struct {
    trove_slice_t             id;
    uint32_t                  number;       /* in the ledger                 */
    trove_player_t            data;         /* "claim" is not stored         */
} trove_store_player_t;


typedef trove_restore_claim_t  trove_store_claim_t;


/*
 * A row of a board, which is known by its name, its "reset" and whether its
 * scores come from claims.
 */

typedef struct {
    const trove_board_conf_t *board;        /* loaded: NULL                  */
    uint64_t                  period;
    uint32_t                  row;          /* its number there, or if they  */
                                            /* come from claims the player's */
    trove_slice_t             player;
    trove_slice_t             data;         /* may be empty                  */
    int64_t                   score;
    uint64_t                  reached;
    uint64_t                  seq;
} trove_store_score_t;


typedef struct {
    trove_slice_t             board;        /* its name                      */
    uint32_t                  reset;        /* trove_board_reset_t           */
    uint32_t                  claims;
    uint64_t                  period;
    uint64_t                  rows;         /* all numbers are below         */
} trove_store_period_t;


/*
 * Who takes what is loaded: first the rewards, their slots 0, 1, 2 ..., then
 * the players by number, then the claims by reward, born and ordinal, those of
 * rewards that are no more among them; then each board's periods, the latest
 * first, and the scores of a period that is taken, by their rows' numbers.
 * Anything but TROVE_OK ends the load, with that in trove_store_load(); but a
 * period may be left to lie with TROVE_NOTFOUND, and one that is TROVE_FULL is
 * offered once more, its rows numbered 0, 1, 2 ...  Marks are first of all,
 * in any order.
 */

typedef struct {
    void                     *data;
    trove_rc_t              (*reward)(void *data,
                                      const trove_store_reward_t *r);
    trove_rc_t              (*player)(void *data,
                                      const trove_store_player_t *p);
    trove_rc_t              (*claim)(void *data,
                                     const trove_store_claim_t *c);
    trove_rc_t              (*period)(void *data,
                                      const trove_store_period_t *p);
    trove_rc_t              (*score)(void *data,
                                     const trove_store_score_t *r);
    trove_rc_t              (*mark)(void *data, const trove_slice_t *queue,
                                    uint64_t number);
    trove_rc_t                rc;           /* that ended it                 */
} trove_store_load_t;


typedef struct trove_store_s  trove_store_t;


typedef struct {
    const char               *name;
    trove_store_rc_t        (*open)(const trove_store_conf_t *conf,
                                    trove_store_t **store);
    trove_store_rc_t        (*load)(trove_store_t *s, trove_store_load_t *to);
    trove_store_rc_t        (*begin)(trove_store_t *s);
    trove_store_rc_t        (*reward)(trove_store_t *s,
                                      const trove_store_reward_t *r);
    trove_store_rc_t        (*remove)(trove_store_t *s, uint32_t slot);
    trove_store_rc_t        (*player)(trove_store_t *s,
                                      const trove_store_player_t *p);
    trove_store_rc_t        (*claim)(trove_store_t *s,
                                     const trove_store_claim_t *c);
    trove_store_rc_t        (*score)(trove_store_t *s,
                                     const trove_store_score_t *r);
    trove_store_rc_t        (*unscore)(trove_store_t *s,
                                       const trove_board_conf_t *board,
                                       uint64_t period, uint32_t row);
    trove_store_rc_t        (*drop)(trove_store_t *s,
                                    const trove_board_conf_t *board,
                                    uint64_t before, uint32_t max,
                                    uint32_t *n);
    trove_store_rc_t        (*mark)(trove_store_t *s,
                                    const trove_slice_t *queue,
                                    uint64_t number);
    trove_store_rc_t        (*commit)(trove_store_t *s, uint64_t version);
    void                    (*tidy)(trove_store_t *s);
    void                    (*rollback)(trove_store_t *s);
    void                    (*close)(trove_store_t *s);
} trove_store_kind_t;


struct trove_store_s {
    const trove_store_kind_t *kind;
    trove_store_info_t        info;
};


extern const trove_store_kind_t  trove_store_sqlite;

extern const char *const  trove_store_failures[TROVE_STORE_RCS];


/*
 * The store at conf->path; made if there is none, or an empty file.  Anything
 * but TROVE_STORE_DONE leaves conf->error telling why and *store NULL.
 */

static inline trove_store_rc_t
trove_store_open(const trove_store_kind_t *kind,
    const trove_store_conf_t *conf, trove_store_t **store)
{
    return kind->open(conf, store);
}


/*
 * May renumber the slots of the rewards first, to have no holes, and rows of
 * boards; the ledger that the store was of before is then refused by
 * info.flush, which is two more.
 */

static inline trove_store_rc_t
trove_store_load(trove_store_t *s, trove_store_load_t *to)
{
    return s->kind->load(s, to);
}


static inline trove_store_rc_t
trove_store_begin(trove_store_t *s)
{
    return s->kind->begin(s);
}


/* A slot holds one reward, and a reward is in one slot: the later put wins. */

static inline trove_store_rc_t
trove_store_put_reward(trove_store_t *s, const trove_store_reward_t *r)
{
    return s->kind->reward(s, r);
}


/* Nothing is in the slot. */

static inline trove_store_rc_t
trove_store_remove_reward(trove_store_t *s, uint32_t slot)
{
    return s->kind->remove(s, slot);
}


static inline trove_store_rc_t
trove_store_put_player(trove_store_t *s, const trove_store_player_t *p)
{
    return s->kind->player(s, p);
}


static inline trove_store_rc_t
trove_store_put_claim(trove_store_t *s, const trove_store_claim_t *c)
{
    return s->kind->claim(s, c);
}


/* A row's number in a period holds one score: the later put wins. */

static inline trove_store_rc_t
trove_store_put_score(trove_store_t *s, const trove_store_score_t *r)
{
    return s->kind->score(s, r);
}


/* Nothing is in the row. */

static inline trove_store_rc_t
trove_store_remove_score(trove_store_t *s, const trove_board_conf_t *board,
    uint64_t period, uint32_t row)
{
    return s->kind->unscore(s, board, period, row);
}


/*
 * Removes scores of the board's periods before that one, "max" of them at
 * most; returns through *n how many.  Fewer: there are no more.
 */

static inline trove_store_rc_t
trove_store_drop_scores(trove_store_t *s, const trove_board_conf_t *board,
    uint64_t before, uint32_t max, uint32_t *n)
{
    return s->kind->drop(s, board, before, max, n);
}


/*
 * The operations of this queue (trove_mark.h) up to that number are among what
 * is stored.  Of no name, and before the others: whose they are; if that is
 * another one than before, what there is of others is forgotten.
 */

static inline trove_store_rc_t
trove_store_put_mark(trove_store_t *s, const trove_slice_t *queue,
    uint64_t number)
{
    return s->kind->mark(s, queue, number);
}


/*
 * "version" is the ledger's, not earlier than anything that was put.  When it
 * is done all of it is durable, and info.flush is one more.
 */

static inline trove_store_rc_t
trove_store_commit(trove_store_t *s, uint64_t version)
{
    return s->kind->commit(s, version);
}


/* What a commit leaves to be done later; a failure shows in the next begin. */

static inline void
trove_store_tidy(trove_store_t *s)
{
    s->kind->tidy(s);
}


/* What was put since begin is forgotten; a failed call has done so itself. */

static inline void
trove_store_rollback(trove_store_t *s)
{
    s->kind->rollback(s);
}


/* NULL is allowed and nothing. */

static inline void
trove_store_close(trove_store_t *s)
{
    if (s != NULL) {
        s->kind->close(s);
    }
}


/*
 * Whether there is a store of SQLite's at the path that this version knows,
 * read without opening it as a database, which would change what lies beside
 * it: for a test of the configuration.  TROVE_STORE_DONE also if there is
 * nothing yet and could be; else "error" tells.
 */
trove_store_rc_t trove_store_sqlite_check(const char *path, char *error);

/* A new one, of the system's generator; TROVE_OK or TROVE_NOTFOUND. */
trove_rc_t trove_store_instance(char instance[TROVE_STORE_INSTANCE + 1]);


#endif /* TROVE_STORE_H_INCLUDED */
