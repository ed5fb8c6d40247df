/*
 * Keeping a store up to its ledger.
 *
 * One process at a time is the store's writer; another one takes over when it
 * dies.  A flush brings to the store all that was dirty when it began, in
 * transactions of bounded size, each of which stores a player together with
 * all of his claims, and what they have added to his rows of boards.
 *
 * The marks of queues (trove_mark.h) are in one transaction with what they
 * stand for: no operation of theirs is carried out during a flush, and one that
 * finds them moved on is a single transaction, however much it stores.
 *
 *   event loop                          thread
 *
 *   trove_flush_elect()
 *   trove_flush_needed() --------------> trove_flush_run()
 *   ticket = trove_flush_ticket()           |
 *   ...                                     |
 *   trove_flush_durable(ticket) <-----------+
 *
 * What was written is durable when a flush that began later has ended well.
 * Nothing here but run, load and close waits for the store.
 */

#ifndef TROVE_FLUSH_H_INCLUDED
#define TROVE_FLUSH_H_INCLUDED


#include "trove_ledger.h"
#include "trove_stats.h"
#include "trove_store.h"


/* Rows of one transaction, the claims of its players not counted. */
#define TROVE_FLUSH_ROWS      16384

/* Rows of earlier periods that a flush removes, at most, of each board. */
#define TROVE_FLUSH_DROP      4096

/* How long a store that failed is left alone, nanoseconds. */
#define TROVE_FLUSH_AGAIN     16000000
#define TROVE_FLUSH_AGAIN_MAX 1000000000


/* A player's row of a board whose scores come from claims, as it was read. */

typedef struct {
    uint32_t                   board;
    uint32_t                   table;
    trove_rc_t                 rc;          /* of the read: TROVE_NOTFOUND   */
    trove_board_row_t          row;
    char                      *text;
} trove_flush_credit_t;


/* Nobody else's memory: one of a process, for one ledger. */

typedef struct {
    trove_ledger_t            *ledger;
    const trove_store_kind_t  *kind;
    trove_store_conf_t         conf;
    trove_store_t             *store;       /* NULL: not open                */

    /* how the last flush ended; the text is "" if well */

    trove_store_rc_t           rc;
    char                       error[TROVE_STORE_ERROR];
    uint64_t                   again;       /* not before, trove_clock_ns()  */
    uint64_t                   wait;

    trove_store_stats_t        stats;
    trove_store_stats_t        told;        /* of these, to trove_stats.h    */
    uint64_t                   ns;          /* that the last flush took      */

    uint64_t                   looked;      /* for a writer, the same clock  */
    uint64_t                   commits;     /* of anybody, that were seen    */
    uint64_t                   since;       /* then, the same clock          */
    int                        elected;
    int                        unsure;      /* of what is flying             */

    /* of the players of a transaction, and which claim of theirs is stored */

    uint32_t                  *numbers;
    uint32_t                  *claims;
    uint32_t                   nplayers;    /* that there is room for        */

    /* of what is dirty, by kind: up to where it was looked at */

    uint32_t                  *from;

    /* by board: the store has nothing that is older than the one before this */

    uint64_t                  *periods;
    int                        dropping;    /* there is more to be removed   */
    uint64_t                  *marks;       /* to be stored, by queue        */
    char                      *text;        /* of a row                      */

    trove_flush_credit_t      *credits;     /* of one player                 */
    uint32_t                   ncredits;
} trove_flush_t;


/*
 * "conf" names the store, its "stats", "error" and "instance" are set here.
 * TROVE_OK or TROVE_NOMEM.
 */
trove_rc_t trove_flush_init(trove_flush_t *f, trove_ledger_t *l,
    const trove_store_kind_t *kind, const trove_store_conf_t *conf);

/* Closes the store and is the writer no more. */
void trove_flush_close(trove_flush_t *f);

/*
 * At a start: fills the ledger, which was just laid out, from the store, and
 * makes the two belong together.  The store is closed afterwards.  Anything
 * but TROVE_STORE_DONE leaves a ledger to be thrown away.
 */
trove_store_rc_t trove_flush_load(trove_flush_t *f);

/*
 * At a start: whether this store and this ledger, which has lived already,
 * belong together; a store that is empty or too old is given all of it by the
 * next flush.  The store is closed afterwards.
 */
trove_store_rc_t trove_flush_meet(trove_flush_t *f);


/* Whether this process is the writer, or becomes it now. */
int trove_flush_elect(trove_flush_t *f);

/*
 * Of the writer: whether a flush is needed now.  If there is nothing to be
 * stored, all tickets are made good at once.
 */
int trove_flush_needed(trove_flush_t *f);

/*
 * One flush, by the writer, in a thread: one at a time.  After anything but
 * TROVE_STORE_DONE all that is not known to be stored is dirty again.
 */
trove_store_rc_t trove_flush_run(trove_flush_t *f);

/*
 * Adds what has happened since the last call to the worker's figures: after
 * each flush, and not during one.
 */
void trove_flush_tell(trove_flush_t *f, trove_stats_t *s);


/* For all that this thread has written up to now; of any process. */
uint64_t trove_flush_ticket(trove_ledger_t *l);
int trove_flush_durable(const trove_ledger_t *l, uint64_t ticket);

/*
 * Whether anybody has had a ticket since this was last asked: of the writer,
 * when tickets were made good.
 */
int trove_flush_wanted(trove_ledger_t *l);

/*
 * How the last flush ended, whoever made it; TROVE_STORE_HANGS until one ends,
 * if that was found out.
 */
trove_store_rc_t trove_flush_state(const trove_ledger_t *l);

/*
 * Whether the writer, this process or another, has committed nothing for so
 * many nanoseconds, though there is something; of any process, from time to
 * time.  Once: only the first to see it is told.  Nobody can take over from
 * one that lives: it may go on at any instruction.
 */
int trove_flush_hangs(trove_flush_t *f, uint64_t ns);

/*
 * At an end, when no other process has the ledger: whether the store has all
 * of it.
 */
int trove_flush_whole(trove_ledger_t *l);

/* Who the writer is; 0: nobody. */
trove_process_t trove_flush_writer(const trove_ledger_t *l);

/*
 * Nanoseconds since the moment up to which all is durable; 0: all is, but for
 * what is just being written.
 */
uint64_t trove_flush_lag(const trove_ledger_t *l);


#endif /* TROVE_FLUSH_H_INCLUDED */
