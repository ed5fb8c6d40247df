/*
 * What a ledger's memory holds, for the files that write and read it.
 *
 *   +--------+----------------+------+-------+-----+-------+
 *   | header | boards' confs, | rows | index | log | dirty |
 *   |        | their headers  |      |       |     |       |
 *   +--------+----------------+------+-------+-----+-------+
 *     and if it is to have players:
 *     | redos | records | names | players' index | claims | claims' index |
 *     +-------+---------+-------+----------------+--------+---------------+
 *     and the boards one by one
 *
 *   rows     56 bytes a reward: its state { seq, head } and its words
 *   log      8 bytes an entry { version, slot }
 *   dirty    what a store has not got yet, see trove_dirty.h
 *   redos    what each process has under way, see trove_redo_t
 *   records  64 bytes a player, see trove_record_t
 *   names    48 bytes a player, see trove_name_t
 *   claims   40 bytes a claim, see trove_claim_row_t
 *
 * The two indexes of players and claims are trove_index.h's, and derived.
 * What a board is made of stands in trove_board_data.h.
 */

#ifndef TROVE_LEDGER_DATA_H_INCLUDED
#define TROVE_LEDGER_DATA_H_INCLUDED


#include <string.h>

#include "trove_atomic.h"
#include "trove_fault.h"
#include "trove_index.h"
#include "trove_ledger.h"
#include "trove_lock.h"
#include "trove_players.h"
#include "trove_process.h"
#include "trove_redo.h"


#define TROVE_LEDGER_MAGIC    0x72656764656c7674ULL      /* "tvledger" */
#define TROVE_LEDGER_LAYOUT   8

#define TROVE_LEDGER_MAX      ((uint32_t) INT32_MAX)
#define TROVE_LEDGER_LOG_MIN  4096

#define TROVE_LEDGER_WORDS    6
#define TROVE_LEDGER_WORD_ID  3
#define TROVE_LEDGER_NONE     UINT32_MAX

/* Of an intent: the next version, whichever that is; or none is made. */
#define TROVE_LEDGER_NEXT     0
#define TROVE_LEDGER_UNMADE   UINT64_MAX

/* Bytes for a store's name, with a zero behind it. */
#define TROVE_LEDGER_STORE    40

/* So many claims or taps have what they need fetched together. */
#define TROVE_FETCH           16

/* Looks at what is being written before its writer is taken for dead. */
#define TROVE_LEDGER_TRIES    1024


/*
 * A row.  Its state is { seq, head }:
 *
 *   seq    the version that wrote it last, low 31 bits, and above them a bit
 *          that is set while it is written; the next version of the same row
 *          is another one
 *   head   the reward's latest claim, its number plus one; 0: none
 *
 * Who puts or removes holds the ledger's lock and marks the row; a claim
 * replaces the head of a state that is not marked, by compare-and-swap, which
 * fails if anything at all has changed since it looked.
 *
 * The words are those of trove_reward_t, but where it has "taken" they have
 * "born", by which two rewards that had the same id one after the other are
 * told apart.  In a free row they are zero but the first, which is the next
 * free slot plus one.
 */

typedef struct {
    _Atomic uint64_t  state;
    _Atomic uint64_t  words[TROVE_LEDGER_WORDS];
} trove_ledger_row_t;

#define TROVE_ROW_WRITING     0x80000000u
#define TROVE_ROW_VERSION     0x7fffffffu

#define trove_row_seq(state)        ((uint32_t) ((state) >> 32))
#define trove_row_head(state)       ((uint32_t) (state))
#define trove_row_state(seq, head)  ((uint64_t) (seq) << 32 | (head))


/* A row as it was at one moment. */

typedef struct {
    uint64_t          state;
    trove_reward_t    reward;
    uint32_t          born;
} trove_ledger_copy_t;


typedef enum {
    TROVE_LEDGER_IDLE,
    TROVE_LEDGER_UPDATE,      /* a row is replaced                           */
    TROVE_LEDGER_INSERT,      /* a row is filled, and a cell led to it       */
    TROVE_LEDGER_REMOVE,      /* a row is freed, and its cell closed         */
    TROVE_LEDGER_CLEAR        /* rewards, players and claims are gone        */
} trove_ledger_op_t;


/* All that a write will have changed when it is done. */

typedef struct {
    _Atomic uint32_t  op;
    uint32_t          slot;
    _Atomic uint32_t  cell;             /* filled, or the hole to be closed  */
    uint32_t          free;             /* the header's fields afterwards    */
    uint32_t          used;
    uint32_t          live;
    uint32_t          born;
    uint64_t          index_seq;
    uint64_t          version;          /* that it makes, see above          */
    uint64_t          mark;             /* of trove_mark.h, 0: none          */
    uint64_t          words[TROVE_LEDGER_WORDS];
} trove_ledger_intent_t;


/* Of a queue, see trove_mark.h. */

#define TROVE_MARK_TARGETS    32768     /* a power of two                    */

typedef struct {
    _Atomic uint64_t  done;             /* of its operations, the last one   */
    _Atomic uint64_t  stored;           /* and what a store has of that      */
    _Atomic uint64_t  queued;           /* the last one that there is        */
    _Atomic uint64_t  stays;            /* when the next was queued that     */
                                        /* there is no room for, us of unix  */
                                        /* time; 0: there is                 */
    _Atomic uint64_t  tried;            /* the target of what is carried     */
                                        /* out just now; 0: none             */

    /* by target: the last one that was queued; and that there was when one  */
    /* of the target came out                                                */

    _Atomic uint64_t  in[TROVE_MARK_TARGETS];
    _Atomic uint64_t  out[TROVE_MARK_TARGETS];
} trove_marks_t;


/* What a ledger is found by and laid out by: offsets are from the header. */

typedef struct {
    uint32_t             layout;
    uint32_t             log_size;      /* a power of two                    */
    trove_ledger_conf_t  conf;          /* "boards" is NULL                  */
    uint32_t             cells;         /* of the three indexes              */
    uint32_t             player_cells;
    uint32_t             claim_cells;
    uint32_t             redos;
    uint64_t             rows_at;
    uint64_t             index_at;
    uint64_t             log_at;
    uint64_t             dirty_at[2];
    uint64_t             redos_at;
    uint64_t             records_at;
    uint64_t             names_at;
    uint64_t             players_at;
    uint64_t             claims_at;
    uint64_t             claimed_at;
    uint64_t             confs_at;      /* of the boards                     */
    uint64_t             boards_at;
    uint64_t             size;          /* without the boards                */
} trove_ledger_layout_t;


/* Where the next part of so many bytes begins, behind "*size" of others. */

static inline uint64_t
trove_section(uint64_t *size, uint64_t bytes)
{
    uint64_t  offset;

    offset = *size;
    *size = trove_align(offset + bytes, TROVE_CACHE_LINE);

    return offset;
}


struct trove_ledger_s {
    _Atomic uint64_t        magic;      /* set last                          */
    trove_ledger_layout_t   at;
    uint64_t                size;
    uint64_t                key[2];     /* of the players' hash, random      */

    /* read by every worker in every epoch, written by every write */

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t        version;    /* that is published                 */
    _Atomic uint64_t        index_seq;  /* odd while cells are moved         */
    _Atomic uint32_t        used;       /* slots that ever were              */
    _Atomic uint32_t        live;       /* rewards                           */
    _Atomic uint32_t        free;       /* first free slot plus one, or zero */
    _Atomic uint32_t        born;       /* of the latest new reward          */
    _Atomic uint64_t        generation; /* see trove_replica.h; 0: no copy   */

    trove_aligned(TROVE_CACHE_LINE)
    trove_lock_t            lock;

    trove_aligned(TROVE_CACHE_LINE)
    trove_ledger_intent_t   intent;

    /*
     * Of the store.  A flush takes its number from "begun" before it looks at
     * what is dirty; what was written before is durable when it is "done".
     */

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t        flush_begun;
    _Atomic uint64_t        flush_done; /* the number of the last that was   */
    _Atomic uint64_t        flush_from; /* when that began, trove_clock_ns() */
    _Atomic uint64_t        store_writer;   /* trove_process_t, 0: nobody    */
    _Atomic uint64_t        store_flush;    /* the store's last commit       */
    char                    store[TROVE_LEDGER_STORE];  /* its instance      */
    _Atomic uint32_t        store_rc;   /* trove_store_rc_t of the last one  */
    _Atomic uint32_t        flush_wanted;   /* a ticket was given out        */

    /* of a copy, whose follower is the "store_writer" */

    _Atomic uint64_t        replica_log;    /* changes that are carried out  */
    _Atomic uint64_t        replica_mark;   /* of the latest that was begun  */
    _Atomic uint64_t        replica_seen;   /* trove_clock_ns(), 0: never    */
    _Atomic uint64_t        loaded;     /* rows of versions up to it are     */
                                        /* not in the log                    */

    /* of the queues whose operations are carried out on it: trove_mark.h */

    trove_aligned(TROVE_CACHE_LINE)
    trove_marks_t           marks[2];   /* of rewards, of players            */
    _Atomic uint64_t        queue;      /* which these are of, 0: none       */
    _Atomic uint64_t        drainer;    /* trove_process_t, 0: nobody        */

    trove_aligned(TROVE_CACHE_LINE)
    trove_lock_t            mark_lock;
    _Atomic uint32_t        mark_settled;   /* of its successions            */
    _Atomic uint32_t        mark_doubts;    /* which queues these are        */
    _Atomic uint32_t        mark_known; /* what waited when there were that  */
                                        /* many, plus 1; 0: nothing is       */

    /* numbers that were given out */

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint32_t        players;

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint32_t        claims;
};


/*
 * A player's record.  Its state is { claim, seq, owner }:
 *
 *   claim  the player's latest claim, its number plus one; 0: none
 *   seq    24 bits that every change moves on
 *   owner  8 bits, the number of the redo of the process that is at it, plus
 *          one; 0: nobody is
 *
 * Only the owner writes the others, and lets go by a store of the state.
 */

#define TROVE_RECORD_WORDS    7

typedef struct {
    int64_t           balance;
    uint64_t          seq;              /* of the last tap that had one      */
    uint64_t          paced;            /* microseconds of unix time         */
    double            x;
    double            y;
    uint64_t          moved;            /* milliseconds of unix time         */
    uint32_t          coin;             /* of the tap of that seq            */
    int32_t           coin_value;
} trove_record_data_t;

typedef struct {
    _Atomic uint64_t  state;
    _Atomic uint64_t  words[TROVE_RECORD_WORDS];
} trove_record_t;

#define TROVE_RECORD_OWNERS   255
#define TROVE_RECORD_SEQ      0xffffffu

#define trove_record_claim(state)   ((uint32_t) ((state) >> 32))
#define trove_record_seq(state)     ((uint32_t) (state) >> 8)
#define trove_record_owner(state)   ((uint32_t) (state) & 0xff)
#define trove_record_state(claim, seq, owner)                                 \
    ((uint64_t) (claim) << 32 | ((seq) & TROVE_RECORD_SEQ) << 8 | (owner))


/* Written before the index leads to it, and "stored" by a store's writer. */

typedef struct {
    unsigned char     id[TROVE_PLAYER_MAX];
    uint32_t          len;
    _Atomic uint32_t  stored;           /* latest claim it has, plus one     */
} trove_name_t;


/*
 * A claim, written in whole before anything leads to it.  "decided" is the
 * lowest bit of its last word: it was granted.  It is set by who granted it,
 * and by everybody else before he makes it anything but its reward's latest.
 */

typedef struct {
    uint32_t          player;
    uint32_t          reward;           /* its id                            */
    uint32_t          born;
    uint32_t          ordinal;          /* among the claims of the reward    */
    uint32_t          prev;             /* of the same player, plus one      */
    int32_t           value;
    int64_t           balance;          /* afterwards                        */
    _Atomic uint64_t  at;               /* ms of unix time, times two        */
} trove_claim_row_t;

#define TROVE_CLAIM_DECIDED   1


typedef enum {
    TROVE_REDO_IDLE,
    TROVE_REDO_TAP,           /* the image is to be stored                   */
    TROVE_REDO_CLAIM,         /* and before it a claim, if it was decided    */
    TROVE_REDO_GIVEN          /* and before it one that was granted already  */
} trove_redo_op_t;


/*
 * What a process has under way with a player, whose record says by its owner
 * whether it still is.  "claim" and "spare" are numbers that it took; the
 * former is free to be used until that claim is decided.
 */

struct trove_redo_s {
    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t    owner;          /* trove_process_t, 0: of nobody     */
    uint64_t            at;             /* offset from the ledger            */
    uint32_t            number;         /* its own, plus one                 */
    _Atomic uint32_t    op;
    _Atomic uint32_t    player;         /* plus one; 0: none                 */
    uint32_t            claim;          /* plus one; 0: none                 */
    _Atomic uint32_t    spare;          /* number for a player, plus one     */
    uint32_t            slot;
    uint32_t            last;           /* it takes the last of the stock    */
    uint32_t            latest;         /* the player's claim afterwards     */
    trove_record_data_t image;          /* the record afterwards             */
    uint32_t            gives;          /* the claim that "given" will be    */
    trove_claim_row_t   given;
    uint64_t            mark;           /* of trove_mark.h, 0: none          */
};


_Static_assert(sizeof(trove_reward_t) == TROVE_LEDGER_WORDS * 8,
               "a reward is the words of a row");
_Static_assert(offsetof(trove_reward_t, id) == TROVE_LEDGER_WORD_ID * 8,
               "the word that holds the id");
_Static_assert(offsetof(trove_reward_t, taken) == 44,
               "the half of the last word that holds \"born\"");
_Static_assert(sizeof(trove_ledger_row_t) == 56, "a row's size");
_Static_assert(sizeof(trove_ledger_t) % TROVE_CACHE_LINE == 0,
               "what follows is aligned");
_Static_assert(sizeof(trove_record_data_t) == TROVE_RECORD_WORDS * 8,
               "a record's data are its words");
_Static_assert(sizeof(trove_record_t) == TROVE_CACHE_LINE, "one line");
_Static_assert(sizeof(trove_name_t) == 48, "a name's size");
_Static_assert(sizeof(trove_claim_row_t) == 40, "a claim's size");
_Static_assert(sizeof(trove_redo_t) == 3 * TROVE_CACHE_LINE, "a redo's size");


#define trove_ledger_at(l, type, offset)                                      \
    ((type *) ((char *) (l) + (l)->at.offset))


/* Whether all that was read since is of one copy that nobody was filling. */

static inline int
trove_ledger_whole(const trove_ledger_t *l, uint64_t generation)
{
    atomic_thread_fence(memory_order_acquire);

    return (generation & 1) == 0 && trove_get(&l->generation) == generation;
}


static inline trove_ledger_row_t *
trove_ledger_rowp(const trove_ledger_t *l, uint32_t slot)
{
    return trove_ledger_at(l, trove_ledger_row_t, rows_at) + slot;
}


static inline _Atomic uint32_t *
trove_ledger_cells(const trove_ledger_t *l)
{
    return trove_ledger_at(l, _Atomic uint32_t, index_at);
}


static inline _Atomic uint64_t *
trove_ledger_log(const trove_ledger_t *l, uint64_t version)
{
    return trove_ledger_at(l, _Atomic uint64_t, log_at)
           + (version & (l->at.log_size - 1));
}


static inline trove_redo_t *
trove_ledger_redop(const trove_ledger_t *l, uint32_t n)
{
    return trove_ledger_at(l, trove_redo_t, redos_at) + n;
}


static inline trove_record_t *
trove_ledger_record(const trove_ledger_t *l, uint32_t player)
{
    return trove_ledger_at(l, trove_record_t, records_at) + player;
}


static inline trove_name_t *
trove_ledger_name(const trove_ledger_t *l, uint32_t player)
{
    return trove_ledger_at(l, trove_name_t, names_at) + player;
}


static inline trove_claim_row_t *
trove_ledger_claim(const trove_ledger_t *l, uint32_t claim)
{
    return trove_ledger_at(l, trove_claim_row_t, claims_at) + claim;
}


static inline uint32_t
trove_ledger_row_id(const trove_ledger_row_t *row)
{
    uint32_t  id;
    uint64_t  word;

    word = trove_get(&row->words[TROVE_LEDGER_WORD_ID]);
    memcpy(&id, &word, sizeof(id));

    return id;
}


/* How many of a reward are taken, by the head of its row. */

static inline uint32_t
trove_ledger_taken(const trove_ledger_t *l, uint32_t head)
{
    if (head == 0 || head > l->at.conf.claims) {
        return 0;
    }

    return trove_ledger_claim(l, head - 1)->ordinal;
}


static inline void
trove_claim_decide(trove_claim_row_t *c)
{
    uint64_t  at;

    at = trove_get(&c->at);

    if ((at & TROVE_CLAIM_DECIDED) == 0) {
        trove_release(&c->at, at | TROVE_CLAIM_DECIDED);
    }
}


/* A mark never goes back; 0 is none.  One process at a time moves it on. */

static inline void
trove_marks_done(trove_marks_t *m, uint64_t mark)
{
    if (trove_unlikely(mark != 0) && mark > trove_get(&m->done)) {
        trove_release(&m->done, mark);
        TROVE_FAULT("mark: done");
    }
}


/* TROVE_OK or TROVE_BUSY; with the lock comes a ledger without half a put. */
trove_rc_t trove_ledger_lock(trove_ledger_t *l);
void trove_ledger_unlock(trove_ledger_t *l);

/* As trove_ledger_put(), of a reward that is told apart by "born". */
trove_rc_t trove_ledger_put_born(trove_ledger_t *l, const trove_reward_t *r,
    uint32_t born);

/* As those of that name, and with it the mark of rewards is this one. */
trove_rc_t trove_ledger_put_marked(trove_ledger_t *l, const trove_reward_t *r,
    uint64_t mark, uint64_t *version);
trove_rc_t trove_ledger_remove_marked(trove_ledger_t *l, uint32_t id,
    uint64_t mark, uint64_t *version);

/* With the lock: notes that all is gone but boards, and carries it out. */
void trove_ledger_clear(trove_ledger_t *l);

/* The latter; may be done again. */
void trove_ledger_cleared(trove_ledger_t *l);

/* TROVE_OK, TROVE_NOTFOUND or TROVE_BUSY. */
trove_rc_t trove_ledger_find(trove_ledger_t *l, uint32_t id, uint32_t *slot);

/*
 * Fetch what leads to the reward; its row; and the claim that is its head: one
 * after the other, for each is found by the one before.
 */
void trove_ledger_fetch_cell(const trove_ledger_t *l, uint32_t id);
uint32_t trove_ledger_fetch_row(const trove_ledger_t *l, uint32_t id);
void trove_ledger_fetch_head(const trove_ledger_t *l, uint32_t slot);

/* Copies the row, also one that is free.  TROVE_OK or TROVE_BUSY. */
trove_rc_t trove_ledger_read(trove_ledger_t *l, uint32_t slot,
    trove_ledger_copy_t *copy);

/*
 * Enters the slot in the log and returns the version that this makes, which
 * others may publish at once and trove_ledger_publish() does.
 */
uint64_t trove_ledger_enter(trove_ledger_t *l, uint32_t slot);
void trove_ledger_publish(trove_ledger_t *l, uint64_t version);

/* Of a copy, with the lock: a version that changes nothing but what is read. */
void trove_ledger_tick(trove_ledger_t *l, uint32_t slot);


/* A balance stops at what it can hold. */

static inline int64_t
trove_balance(int64_t balance, int32_t value)
{
    int64_t  sum;

    if (__builtin_add_overflow(balance, (int64_t) value, &sum)) {
        return (value < 0) ? INT64_MIN : INT64_MAX;
    }

    return sum;
}


static inline trove_ledger_t *
trove_redo_ledger(const trove_redo_t *r)
{
    return (trove_ledger_t *) ((char *) r - r->at);
}


static inline trove_index_t
trove_player_index(const trove_ledger_t *l)
{
    trove_index_t  index;

    index.cells = trove_ledger_at(l, _Atomic uint64_t, players_at);
    index.n = l->at.player_cells;

    return index;
}


static inline trove_index_t
trove_claim_index(const trove_ledger_t *l)
{
    trove_index_t  index;

    index.cells = trove_ledger_at(l, _Atomic uint64_t, claimed_at);
    index.n = l->at.claim_cells;

    return index;
}


/* Of the index: a player's claims of rewards that had the same id clash. */

static inline uint64_t
trove_claim_hash(const trove_ledger_t *l, uint32_t player, uint32_t reward)
{
    uint64_t  z;

    z = ((uint64_t) player << 32 | reward) ^ l->key[0];

    z = (z ^ (z >> 33)) * 0xff51afd7ed558ccd;
    z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53;

    return z ^ (z >> 33);
}


/* The number of the first player of the hash's tag: a guess, to be fetched. */

static inline uint32_t
trove_player_likely(const trove_ledger_t *l, uint64_t hash)
{
    uint32_t       at;
    trove_index_t  index;

    index = trove_player_index(l);
    at = trove_index_first(&index, hash);

    return trove_index_next(&index, hash, &at);
}


/*
 * A name may lie on two lines.  To gcc a function that does nothing but fetch
 * does nothing at all, and calls of it may be left out.
 */

static inline void
trove_player_fetch_number(const trove_ledger_t *l, uint32_t player)
{
    const trove_name_t  *name;

    name = trove_ledger_name(l, player);

    __asm__ volatile ("");

    __builtin_prefetch(trove_ledger_record(l, player), 1);
    __builtin_prefetch(name);
    __builtin_prefetch(&name->stored);
}


/* The number of the player of this id, or TROVE_LEDGER_NONE. */

uint32_t trove_player_find(const trove_ledger_t *l, const trove_slice_t *id,
    uint64_t hash);

/*
 * One attempt to copy a record: whether it was whole.  trove_player_read()
 * makes as many as it takes: TROVE_OK or TROVE_BUSY.
 */
int trove_player_copy(const trove_record_t *record, trove_player_t *p,
    uint64_t *state);
trove_rc_t trove_player_read(trove_ledger_t *l, uint32_t player,
    trove_player_t *p);

void trove_player_name(trove_name_t *name, const trove_slice_t *id);

/* Finds or makes it.  TROVE_OK or TROVE_FULL. */
trove_rc_t trove_player_make(trove_redo_t *r, const trove_slice_t *id,
    uint64_t hash, uint32_t *player);

/*
 * Makes the player's record this redo's and copies it; TROVE_BUSY.  It is let
 * go as it was, or with what was noted.
 */
trove_rc_t trove_redo_own(trove_redo_t *r, uint32_t player,
    trove_record_data_t *data);
void trove_redo_let_go(trove_redo_t *r);

/*
 * A record's owner was met.  TROVE_AGAIN: he may have moved on, or he was dead
 * and is no longer the owner; TROVE_BUSY.  *w is zero at first.
 */
typedef struct {
    uint32_t  n;
    uint64_t  end;            /* of trove_clock_ns()                         */
} trove_redo_wait_t;

trove_rc_t trove_redo_wait(trove_ledger_t *l, uint64_t state,
    trove_redo_wait_t *w);

/* From the note on, whoever finds its writer dead carries it out. */
void trove_redo_note(trove_redo_t *r, trove_redo_op_t op);
void trove_redo_forget(trove_redo_t *r);

/* Carries out what was noted, and lets the record go. */
void trove_redo_finish(trove_redo_t *r, uint32_t op);

/* A number that was taken and not used, or a new one; TROVE_FULL. */
trove_rc_t trove_claim_number(trove_redo_t *r);

/* The claim is its reward's head, if that is none of a higher ordinal. */
void trove_claim_top(trove_ledger_t *l, uint32_t slot, uint32_t claim);

/* Has the index lead to the claim, once. */
void trove_claim_lead(trove_ledger_t *l, const trove_claim_row_t *c,
    uint32_t claim);

/* The part of trove_ledger_sane() that is about players and claims. */
int trove_players_sane(trove_ledger_t *l);


#endif /* TROVE_LEDGER_DATA_H_INCLUDED */
