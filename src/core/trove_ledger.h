/*
 * The ledger: the one truth of a trove, in memory that all workers share.
 *
 *   +--------+------------+-----------+------+-------+---------+--------+
 *   | header | rows       | index     | log  | dirty | players | boards |
 *   +--------+------------+-----------+------+-------+---------+--------+
 *
 *   header   the layout and its version, the lock, the intent of the write
 *            that holds it, counts, and "version"
 *   rows     one a reward, 56 bytes, the authority; a row's place is its slot
 *   index    id -> slot, open addressing; derived from the rows
 *   log      a ring of the slots that the latest versions changed; version v
 *            stands at v modulo the ring's size
 *   dirty    which rewards and players a store has not got: trove_dirty.h
 *   players  and claims, if there is to be room for any: trove_players.h
 *   boards   if there are to be any: trove_board.h
 *
 * A put or a removal takes the lock, notes in the intent all that it is about
 * to store as absolute values, stores it, publishes the new version, clears
 * the intent and lets go.  Whoever finds the lock in the hands of a dead
 * process carries the intent to its end first: to store it twice is harmless,
 * and at most a slot stands in the log twice.  Claims and taps take no lock; a
 * claim that takes the last of a reward's stock makes a version, too.
 *
 * Reading takes no lock: a row is valid if its version is not marked as being
 * written and the same before and after it was copied.  Only a reader that
 * finds a row or the index in the middle of a write for long takes the lock,
 * for the writer may be dead.  Everything is an offset, nothing a pointer, for
 * each process may map the memory elsewhere.
 *
 * Any number of threads of a process may use a ledger at once.
 */

#ifndef TROVE_LEDGER_H_INCLUDED
#define TROVE_LEDGER_H_INCLUDED


#include "trove.h"


typedef struct trove_ledger_s  trove_ledger_t;


typedef struct trove_board_conf_s  trove_board_conf_t;


/* What the memory is laid out for; a ledger of another one is refused. */

typedef struct {
    uint32_t                   rewards; /* capacity, 1 .. 2^31 - 1           */
    uint32_t                   space;   /* trove_space_kind_t                */
    uint32_t                   players; /* 0: neither these nor claims       */
    uint32_t                   claims;  /* 0: none                           */
    size_t                     nboards;
    const trove_board_conf_t  *boards;  /* see trove_board.h                 */
} trove_ledger_conf_t;


typedef struct {
    double    x;              /* or longitude in degrees                     */
    double    y;              /* or latitude in degrees                      */
    double    level;          /* least level of the players who may have it  */
    uint32_t  id;             /* 1 .. 2^32 - 1; 0: no reward                 */
    int32_t   value;
    uint32_t  starts;         /* unix seconds, valid from; 0: always         */
    uint32_t  expires;        /* unix seconds, valid until; 0: for ever      */
    uint32_t  stock;          /* how many players may have it                */
    uint32_t  taken;          /* how many have                               */
} trove_reward_t;


/* Bytes that a ledger of this capacity needs. */
size_t trove_ledger_size(const trove_ledger_conf_t *conf);

/* Lays an empty ledger out in zeroed memory aligned to a cache line. */
trove_ledger_t *trove_ledger_init(void *mem, const trove_ledger_conf_t *conf);

/*
 * Takes up what is laid out in "mem".  TROVE_MISMATCH if that is not a ledger
 * of this layout and configuration; *l is set all the same if it is a ledger,
 * so that trove_ledger_conf() can tell of which.
 */
trove_rc_t trove_ledger_attach(void *mem, const trove_ledger_conf_t *conf,
    trove_ledger_t **l);

/* Without its boards: these are trove_board_conf()'s. */
const trove_ledger_conf_t *trove_ledger_conf(const trove_ledger_t *l);

/* Bytes that it was laid out in; 0: "mem" is no ledger. */
size_t trove_ledger_bytes(const void *mem);

/* Whether a ledger of the one configuration is one of the other. */
int trove_ledger_conf_same(const trove_ledger_conf_t *a,
    const trove_ledger_conf_t *b);


/*
 * Adds the reward or replaces the one of its id ("taken" is not taken from
 * "r": an existing reward keeps its own, a new one starts at 0), and sets
 * *version to the version that this made.  TROVE_FULL: no room for a new one;
 * TROVE_BUSY: another process holds the lock, and this one, or another before
 * it, has waited a millisecond in vain; try again later.
 */
trove_rc_t trove_ledger_put(trove_ledger_t *l, const trove_reward_t *r,
    uint64_t *version);

/* TROVE_NOTFOUND if there is no such reward; TROVE_BUSY as above. */
trove_rc_t trove_ledger_remove(trove_ledger_t *l, uint32_t id,
    uint64_t *version);

/* TROVE_NOTFOUND or TROVE_BUSY (its writer died and cannot be finished). */
trove_rc_t trove_ledger_get(trove_ledger_t *l, uint32_t id,
    trove_reward_t *r);


/*
 * For views and exports.  A slot is 0 .. trove_ledger_slots() - 1, the latter
 * only ever grows.  TROVE_NOTFOUND: the slot is empty; TROVE_BUSY as above.
 */
trove_rc_t trove_ledger_row(trove_ledger_t *l, uint32_t slot,
    trove_reward_t *r);
uint32_t trove_ledger_slots(const trove_ledger_t *l);

/* Has the slot's row fetched, for who copies rows in an order of his own. */
void trove_ledger_prefetch(const trove_ledger_t *l, uint32_t slot);

/*
 * Whether the slot, which is below trove_ledger_slots(), may be another than
 * it was in that version of the ledger: it was written later, is being
 * written, or has claims.
 */
int trove_ledger_written(const trove_ledger_t *l, uint32_t slot,
    uint64_t after);

/* Slot of this id, or UINT32_MAX: there is none, or the lock is not had. */
uint32_t trove_ledger_slot(trove_ledger_t *l, uint32_t id);

uint64_t trove_ledger_version(const trove_ledger_t *l);
uint32_t trove_ledger_rewards(const trove_ledger_t *l);

/*
 * The slots that the versions after + 1 .. after + n have changed, in their
 * order and with repetitions, where n is at most "max"; returns n through
 * *n.  TROVE_BEHIND: the log holds them no longer, look at every row.
 */
trove_rc_t trove_ledger_changes(trove_ledger_t *l, uint64_t after,
    uint32_t *slots, uint32_t max, uint32_t *n);


/*
 * Carries a dead writer's intent to its end.  Every write does so before its
 * own; nobody needs to call this, but what a dead writer left would otherwise
 * wait for the next write.  TROVE_OK or TROVE_BUSY.
 */
trove_rc_t trove_ledger_recover(trove_ledger_t *l);

/*
 * Whether every invariant holds: rows, index, free slots, log and counts, and
 * if nobody is at them players and claims, and boards.  Takes the locks
 * meanwhile: slow, for tests.
 */
int trove_ledger_sane(trove_ledger_t *l);


#endif /* TROVE_LEDGER_H_INCLUDED */
