
/*
 * The ledger's writes, and how they survive the death of who makes them.
 *
 * A process may be killed between any two instructions.  What it has stored
 * by then is a prefix of its stores in the order of the program, for others
 * see them through the kernel that ended it; the compiler is kept to that
 * order by releases and fences.  A write is therefore
 *
 *   1. decided: all that it will store is computed, nothing is stored;
 *   2. noted: the intent is filled, then its "op" set by a release.  Who dies
 *      before has changed nothing, who dies later has said all;
 *   3. carried out from the intent alone (trove_ledger_redo), as absolute
 *      values: to start over from any point gives the same;
 *   4. forgotten: "op" is cleared, then the lock.
 *
 * What the lock protects is only ever read by others through a check of its
 * own: rows by their version, the index by index_seq and the id of the row it
 * leads to, the log by the distance from the version.
 */

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "trove_fault.h"
#include "trove_ledger.h"
#include "trove_process.h"


#define TROVE_LEDGER_MAGIC    0x72656764656c7674ULL      /* "tvledger" */
#define TROVE_LEDGER_LAYOUT   1

#define TROVE_LEDGER_REWARDS  ((uint32_t) INT32_MAX)
#define TROVE_LEDGER_LOG_MIN  4096

/* Set in the version of a row while it is being written. */
#define TROVE_LEDGER_WRITING  ((uint64_t) 1 << 63)

#define TROVE_LEDGER_WORDS    6
#define TROVE_LEDGER_WORD_ID  3

#define TROVE_LEDGER_NONE     UINT32_MAX

/* How long a lock is waited for, and in what rhythm its owner is looked at. */
#define TROVE_LEDGER_WAIT     100000000                  /* nanoseconds */
#define TROVE_LEDGER_SPINS    256
#define TROVE_LEDGER_YIELDS   16

/* Looks at a row or the index before its writer is taken for dead. */
#define TROVE_LEDGER_TRIES    1024

#if (__x86_64__ || __i386__)
#define trove_pause()         __builtin_ia32_pause()
#elif (__aarch64__)
#define trove_pause()         __asm__ volatile ("yield" ::: "memory")
#else
#define trove_pause()         atomic_signal_fence(memory_order_seq_cst)
#endif

#define trove_get(p)          atomic_load_explicit(p, memory_order_relaxed)
#define trove_set(p, v)       atomic_store_explicit(p, v, memory_order_relaxed)
#define trove_acquire(p)      atomic_load_explicit(p, memory_order_acquire)
#define trove_release(p, v)   atomic_store_explicit(p, v, memory_order_release)


/*
 * A row.  The words are those of trove_reward_t; in a free row all are zero
 * but the first, which holds the next free slot plus one.
 */

typedef struct {
    _Atomic uint64_t  version;          /* of the ledger, that wrote it last */
    _Atomic uint64_t  words[TROVE_LEDGER_WORDS];
} trove_ledger_row_t;


typedef enum {
    TROVE_LEDGER_IDLE,
    TROVE_LEDGER_UPDATE,      /* a row is replaced                           */
    TROVE_LEDGER_INSERT,      /* a row is filled, and a cell led to it       */
    TROVE_LEDGER_REMOVE       /* a row is freed, and its cell closed         */
} trove_ledger_op_t;


/* All that a write will have changed when it is done. */

typedef struct {
    _Atomic uint32_t  op;
    uint32_t          slot;
    _Atomic uint32_t  cell;             /* filled, or the hole to be closed  */
    uint32_t          free;             /* the header's fields afterwards    */
    uint32_t          used;
    uint32_t          live;
    uint64_t          index_seq;
    uint64_t          version;
    uint64_t          words[TROVE_LEDGER_WORDS];
} trove_ledger_intent_t;


struct trove_ledger_s {
    _Atomic uint64_t        magic;      /* set last                          */
    uint32_t                layout;
    uint32_t                cells;      /* of the index                      */
    uint32_t                log_size;   /* a power of two                    */
    trove_ledger_conf_t     conf;
    uint64_t                rows_at;    /* offsets from the header           */
    uint64_t                index_at;
    uint64_t                log_at;
    uint64_t                size;

    /* read by every worker in every epoch, written by every write */

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t        version;    /* that is published                 */
    _Atomic uint64_t        index_seq;  /* odd while cells are moved         */
    _Atomic uint32_t        used;       /* slots that ever were              */
    _Atomic uint32_t        live;       /* rewards                           */
    _Atomic uint32_t        free;       /* first free slot plus one, or zero */

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t        lock;       /* trove_process_t of its owner      */
    _Atomic uint32_t        wanted;     /* somebody waits for long           */

    trove_aligned(TROVE_CACHE_LINE)
    trove_ledger_intent_t   intent;
};


_Static_assert(sizeof(trove_reward_t) == TROVE_LEDGER_WORDS * 8,
               "a reward is the words of a row");
_Static_assert(offsetof(trove_reward_t, id) == TROVE_LEDGER_WORD_ID * 8,
               "the word that holds the id");
_Static_assert(sizeof(trove_ledger_row_t) == 56, "a row's size");
_Static_assert(sizeof(trove_ledger_t) % TROVE_CACHE_LINE == 0,
               "rows are aligned");


static void trove_ledger_layout(const trove_ledger_conf_t *conf,
    trove_ledger_t *h);
static trove_rc_t trove_ledger_lock(trove_ledger_t *l);
static trove_rc_t trove_ledger_wait(trove_ledger_t *l, trove_process_t self);
static int trove_ledger_spin(trove_ledger_t *l, trove_process_t self);
static int trove_ledger_take(trove_ledger_t *l, trove_process_t from,
    trove_process_t self);
static void trove_ledger_unlock(trove_ledger_t *l);
static uint64_t trove_ledger_clock(void);
static int trove_ledger_credible(trove_ledger_t *l);
static trove_rc_t trove_ledger_put_locked(trove_ledger_t *l,
    const trove_reward_t *r, uint64_t *version);
static trove_rc_t trove_ledger_new_slot(const trove_ledger_t *l,
    trove_ledger_intent_t *in);
static void trove_ledger_write(trove_ledger_t *l, trove_ledger_op_t op);
static void trove_ledger_redo(trove_ledger_t *l, uint32_t op);
static void trove_ledger_store(trove_ledger_t *l);
static void trove_ledger_close_hole(trove_ledger_t *l);
static int trove_ledger_stays(const trove_ledger_t *l, uint32_t hole,
    uint32_t at);
static uint32_t trove_ledger_probe(const trove_ledger_t *l, uint32_t id,
    uint32_t *cell);
static trove_rc_t trove_ledger_find(trove_ledger_t *l, uint32_t id,
    uint32_t *slot);
static int trove_ledger_copy(const trove_ledger_row_t *row,
    trove_reward_t *r);
static trove_rc_t trove_ledger_read(trove_ledger_t *l, uint32_t slot,
    trove_reward_t *r);
static int trove_ledger_sane_rows(const trove_ledger_t *l);
static int trove_ledger_sane_index(const trove_ledger_t *l);
static int trove_ledger_sane_free(const trove_ledger_t *l);


static inline trove_ledger_row_t *
trove_ledger_rowp(const trove_ledger_t *l, uint32_t slot)
{
    return (trove_ledger_row_t *) ((char *) l + l->rows_at) + slot;
}


static inline _Atomic uint32_t *
trove_ledger_cells(const trove_ledger_t *l)
{
    return (_Atomic uint32_t *) ((char *) l + l->index_at);
}


static inline _Atomic uint32_t *
trove_ledger_log(const trove_ledger_t *l, uint64_t version)
{
    return (_Atomic uint32_t *) ((char *) l + l->log_at)
           + (version & (l->log_size - 1));
}


/* The cell that the search for an id starts from. */

static inline uint32_t
trove_ledger_home(const trove_ledger_t *l, uint32_t id)
{
    id ^= id >> 16;
    id *= 0x85ebca6b;
    id ^= id >> 13;
    id *= 0xc2b2ae35;
    id ^= id >> 16;

    return (uint32_t) ((uint64_t) id * l->cells >> 32);
}


static inline uint32_t
trove_ledger_next(const trove_ledger_t *l, uint32_t cell)
{
    return (cell + 1 == l->cells) ? 0 : cell + 1;
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


size_t
trove_ledger_size(const trove_ledger_conf_t *conf)
{
    trove_ledger_t  h;

    trove_ledger_layout(conf, &h);

    return h.size;
}


trove_ledger_t *
trove_ledger_init(void *mem, const trove_ledger_conf_t *conf)
{
    trove_ledger_t  *l;

    l = mem;

    trove_ledger_layout(conf, l);
    trove_release(&l->magic, TROVE_LEDGER_MAGIC);

    return l;
}


/* Sets what a ledger is found by and laid out by, and nothing else. */

static void
trove_ledger_layout(const trove_ledger_conf_t *conf, trove_ledger_t *h)
{
    uint32_t  log;
    uint64_t  n;

    n = conf->rewards;

    /* the log takes up to two fifths of an entry a reward, 1.6 bytes */

    for (log = TROVE_LEDGER_LOG_MIN; log <= n / 5; log *= 2) { /* void */ }

    h->layout = TROVE_LEDGER_LAYOUT;
    h->conf = *conf;

    /* two in three are used at most, and one is empty, for a search to end */

    h->cells = (uint32_t) (n + n / 2 + 1);
    h->log_size = log;

    h->rows_at = sizeof(trove_ledger_t);
    h->index_at = trove_align(h->rows_at + n * sizeof(trove_ledger_row_t),
                              TROVE_CACHE_LINE);
    h->log_at = trove_align(h->index_at + (uint64_t) h->cells * 4,
                            TROVE_CACHE_LINE);
    h->size = trove_align(h->log_at + (uint64_t) log * 4, TROVE_CACHE_LINE);
}


trove_rc_t
trove_ledger_attach(void *mem, const trove_ledger_conf_t *conf,
    trove_ledger_t **ledger)
{
    trove_ledger_t   h;
    trove_ledger_t  *l;

    *ledger = NULL;
    l = mem;

    if (trove_acquire(&l->magic) != TROVE_LEDGER_MAGIC
        || l->layout != TROVE_LEDGER_LAYOUT
        || l->conf.rewards == 0
        || l->conf.rewards > TROVE_LEDGER_REWARDS)
    {
        return TROVE_MISMATCH;
    }

    trove_ledger_layout(&l->conf, &h);

    if (l->cells != h.cells
        || l->log_size != h.log_size
        || l->rows_at != h.rows_at
        || l->index_at != h.index_at
        || l->log_at != h.log_at
        || l->size != h.size
        || trove_get(&l->used) > l->conf.rewards
        || trove_get(&l->live) > l->conf.rewards
        || trove_get(&l->free) > l->conf.rewards)
    {
        return TROVE_MISMATCH;
    }

    *ledger = l;

    if (l->conf.rewards != conf->rewards || l->conf.space != conf->space) {
        return TROVE_MISMATCH;
    }

    return TROVE_OK;
}


const trove_ledger_conf_t *
trove_ledger_conf(const trove_ledger_t *l)
{
    return &l->conf;
}


/*
 * With the lock comes a ledger in which nothing is half done.
 */

static trove_rc_t
trove_ledger_lock(trove_ledger_t *l)
{
    uint32_t         op;
    trove_process_t  self;

    self = trove_process_self();

    if (!trove_ledger_take(l, 0, self)
        && trove_ledger_wait(l, self) != TROVE_OK)
    {
        return TROVE_BUSY;
    }

    op = trove_acquire(&l->intent.op);

    if (trove_likely(op == TROVE_LEDGER_IDLE)) {
        return TROVE_OK;
    }

    if (!trove_ledger_credible(l)) {
        trove_ledger_unlock(l);
        return TROVE_BUSY;
    }

    trove_ledger_redo(l, op);

    return TROVE_OK;
}


static trove_rc_t
trove_ledger_wait(trove_ledger_t *l, trove_process_t self)
{
    uint32_t         n;
    uint64_t         end;
    trove_process_t  owner;

    if (trove_ledger_spin(l, self)) {
        return TROVE_OK;
    }

    end = trove_ledger_clock() + TROVE_LEDGER_WAIT;

    for (n = 0; /* void */ ; n++) {

        trove_set(&l->wanted, 1);

        if (trove_ledger_spin(l, self)) {
            return TROVE_OK;
        }

        if (n % TROVE_LEDGER_YIELDS == 0) {
            owner = trove_get(&l->lock);

            /*
             * Another thread of this process may be the owner: that one is
             * alive.  Of those that find an owner dead one succeeds it.
             */

            if (owner != 0
                && !trove_process_alive(owner)
                && trove_ledger_take(l, owner, self))
            {
                return TROVE_OK;
            }

            if (trove_ledger_clock() > end) {
                return TROVE_BUSY;
            }
        }

        (void) sched_yield();
    }
}


static int
trove_ledger_spin(trove_ledger_t *l, trove_process_t self)
{
    int  n;

    for (n = 0; n < TROVE_LEDGER_SPINS; n++) {

        if (trove_ledger_take(l, 0, self)) {
            return 1;
        }

        trove_pause();
    }

    return 0;
}


static int
trove_ledger_take(trove_ledger_t *l, trove_process_t from,
    trove_process_t self)
{
    if (trove_get(&l->lock) != from) {
        return 0;
    }

    return atomic_compare_exchange_strong_explicit(&l->lock, &from, self,
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}


/*
 * Who writes in a row takes the lock again before anybody else sees it free:
 * for one that has waited for long a pause is made.
 */

static void
trove_ledger_unlock(trove_ledger_t *l)
{
    trove_release(&l->lock, 0);

    if (trove_unlikely(trove_get(&l->wanted) != 0)) {
        trove_set(&l->wanted, 0);
        (void) sched_yield();
    }
}


static uint64_t
trove_ledger_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


trove_rc_t
trove_ledger_recover(trove_ledger_t *l)
{
    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    trove_ledger_unlock(l);

    return TROVE_OK;
}


trove_rc_t
trove_ledger_put(trove_ledger_t *l, const trove_reward_t *r,
    uint64_t *version)
{
    trove_rc_t  rc;

    if (r->id == 0) {
        return TROVE_INVALID;
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_ledger_put_locked(l, r, version);

    trove_ledger_unlock(l);

    return rc;
}


static trove_rc_t
trove_ledger_put_locked(trove_ledger_t *l, const trove_reward_t *r,
    uint64_t *version)
{
    uint32_t                cell;
    trove_reward_t          old, new;
    trove_ledger_op_t       op;
    trove_ledger_intent_t  *in;

    in = &l->intent;

    in->free = trove_get(&l->free);
    in->used = trove_get(&l->used);
    in->live = trove_get(&l->live);

    /* zeros lose their sign, in which they are equal and yet are not */

    new = *r;
    new.x += 0.0;
    new.y += 0.0;
    new.level += 0.0;
    new.taken = 0;

    in->slot = trove_ledger_probe(l, r->id, &cell);
    trove_set(&in->cell, cell);

    if (in->slot != TROVE_LEDGER_NONE) {
        op = TROVE_LEDGER_UPDATE;

        (void) trove_ledger_copy(trove_ledger_rowp(l, in->slot), &old);
        new.taken = old.taken;

    } else {
        op = TROVE_LEDGER_INSERT;

        if (trove_ledger_new_slot(l, in) != TROVE_OK) {
            return TROVE_FULL;
        }
    }

    memcpy(in->words, &new, sizeof(in->words));

    trove_ledger_write(l, op);

    *version = in->version;

    return TROVE_OK;
}


/* A slot for a new reward: one that was freed, else one that never was. */

static trove_rc_t
trove_ledger_new_slot(const trove_ledger_t *l, trove_ledger_intent_t *in)
{
    uint64_t  next;

    if (in->free == 0) {

        if (in->used >= l->conf.rewards) {
            return TROVE_FULL;
        }

        in->slot = in->used++;

    } else {

        if (in->free > in->used) {
            return TROVE_FULL;
        }

        in->slot = in->free - 1;

        next = trove_get(&trove_ledger_rowp(l, in->slot)->words[0]);
        in->free = (uint32_t) next;
    }

    in->live++;

    return TROVE_OK;
}


trove_rc_t
trove_ledger_remove(trove_ledger_t *l, uint32_t id, uint64_t *version)
{
    uint32_t                slot, cell;
    trove_ledger_intent_t  *in;

    if (id == 0) {
        return TROVE_NOTFOUND;
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    slot = trove_ledger_probe(l, id, &cell);

    if (slot == TROVE_LEDGER_NONE) {
        trove_ledger_unlock(l);
        return TROVE_NOTFOUND;
    }

    in = &l->intent;

    in->slot = slot;
    trove_set(&in->cell, cell);

    memset(in->words, 0, sizeof(in->words));
    in->words[0] = trove_get(&l->free);

    in->free = slot + 1;
    in->used = trove_get(&l->used);
    in->live = trove_get(&l->live) - 1;

    trove_ledger_write(l, TROVE_LEDGER_REMOVE);
    *version = in->version;

    trove_ledger_unlock(l);

    return TROVE_OK;
}


/* The intent is filled but for what every write has in common. */

static void
trove_ledger_write(trove_ledger_t *l, trove_ledger_op_t op)
{
    trove_ledger_intent_t  *in;

    in = &l->intent;

    in->version = trove_get(&l->version) + 1;
    in->index_seq = trove_get(&l->index_seq)
                    + ((op == TROVE_LEDGER_REMOVE) ? 2 : 0);

    TROVE_FAULT("decided");

    trove_release(&in->op, op);

    /* no store of what is intended before the intent stands */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("noted");

    trove_ledger_redo(l, op);
}


/* An intent in memory that came from elsewhere must not lead out of it. */

static int
trove_ledger_credible(trove_ledger_t *l)
{
    uint32_t                n;
    trove_ledger_intent_t  *in;

    in = &l->intent;
    n = l->conf.rewards;

    return trove_get(&in->op) <= TROVE_LEDGER_REMOVE
           && trove_get(&in->cell) < l->cells
           && in->slot < n
           && in->free <= n
           && in->used <= n
           && in->live <= n;
}


/*
 * Carries the intent out.  May be started again after any of its stores, and
 * by another process.
 */

static void
trove_ledger_redo(trove_ledger_t *l, uint32_t op)
{
    trove_ledger_intent_t  *in;

    in = &l->intent;

    /* first, for no slot that can be found is beyond it */

    trove_set(&l->used, in->used);
    TROVE_FAULT("used");

    trove_ledger_store(l);
    TROVE_FAULT("stored");

    if (op == TROVE_LEDGER_INSERT) {
        trove_release(trove_ledger_cells(l) + trove_get(&in->cell),
                      in->slot + 1);
        TROVE_FAULT("indexed");
    }

    if (op == TROVE_LEDGER_REMOVE) {
        trove_ledger_close_hole(l);
        TROVE_FAULT("closed");
    }

    trove_set(&l->free, in->free);
    TROVE_FAULT("free");

    trove_set(&l->live, in->live);
    TROVE_FAULT("live");

    trove_set(trove_ledger_log(l, in->version), in->slot);
    TROVE_FAULT("logged");

    trove_release(&l->version, in->version);
    TROVE_FAULT("published");

    trove_release(&in->op, TROVE_LEDGER_IDLE);

    /* nor is the next intent begun before this one is gone */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("forgotten");
}


static void
trove_ledger_store(trove_ledger_t *l)
{
    int                     i;
    trove_ledger_row_t     *row;
    trove_ledger_intent_t  *in;

    in = &l->intent;
    row = trove_ledger_rowp(l, in->slot);

    trove_set(&row->version, in->version | TROVE_LEDGER_WRITING);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("marked");

    for (i = 0; i < TROVE_LEDGER_WORDS; i++) {
        trove_set(&row->words[i], in->words[i]);
        TROVE_FAULT("word");
    }

    trove_release(&row->version, in->version);
}


/*
 * Empties the hole by moving into it the next entry that may stand there,
 * which leaves another hole, until none may.  The hole is kept in the intent:
 * behind it everything is in order, and in front of it nothing was touched.
 */

static void
trove_ledger_close_hole(trove_ledger_t *l)
{
    uint32_t                hole, at, n, value;
    _Atomic uint32_t       *cells;
    trove_ledger_intent_t  *in;

    in = &l->intent;
    cells = trove_ledger_cells(l);
    hole = trove_get(&in->cell);
    at = hole;

    trove_set(&l->index_seq, in->index_seq - 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("opened");

    for (n = 1; n < l->cells; n++) {
        at = trove_ledger_next(l, at);
        value = trove_get(&cells[at]);

        if (value == 0) {
            break;
        }

        if (trove_ledger_stays(l, hole, at)) {
            continue;
        }

        trove_release(&cells[hole], value);
        TROVE_FAULT("moved");

        hole = at;
        trove_release(&in->cell, hole);
        atomic_thread_fence(memory_order_release);
        TROVE_FAULT("hole");
    }

    trove_release(&cells[hole], 0);
    TROVE_FAULT("emptied");

    trove_release(&l->index_seq, in->index_seq);
}


/*
 * Whether the entry at "at" would be lost in "hole": its home lies behind the
 * hole, cyclically in hole + 1 .. at.
 */

static int
trove_ledger_stays(const trove_ledger_t *l, uint32_t hole, uint32_t at)
{
    uint32_t  slot, home;

    slot = trove_get(&trove_ledger_cells(l)[at]) - 1;

    if (slot >= l->conf.rewards) {
        return 1;
    }

    home = trove_ledger_home(l, trove_ledger_row_id(trove_ledger_rowp(l,
                                                                     slot)));

    if (hole < at) {
        return home > hole && home <= at;
    }

    return home > hole || home <= at;
}


/*
 * The slot of this id and the cell that leads to it, or TROVE_LEDGER_NONE and
 * the cell for it.  Without the lock, only a slot that is found is true, and
 * only at that moment.
 */

static uint32_t
trove_ledger_probe(const trove_ledger_t *l, uint32_t id, uint32_t *cell)
{
    uint32_t           at, n, slot;
    _Atomic uint32_t  *cells;

    cells = trove_ledger_cells(l);
    at = trove_ledger_home(l, id);

    for (n = 0; n < l->cells; n++) {
        slot = trove_acquire(&cells[at]);

        if (slot == 0) {
            break;
        }

        slot--;
        TROVE_FAULT_MEET("probe");

        if (slot < l->conf.rewards
            && trove_ledger_row_id(trove_ledger_rowp(l, slot)) == id)
        {
            *cell = at;
            return slot;
        }

        at = trove_ledger_next(l, at);
    }

    *cell = at;

    return TROVE_LEDGER_NONE;
}


/* TROVE_OK, TROVE_NOTFOUND or TROVE_BUSY. */

static trove_rc_t
trove_ledger_find(trove_ledger_t *l, uint32_t id, uint32_t *slot)
{
    int       n;
    uint32_t  cell;
    uint64_t  seq;

    if (id == 0) {
        return TROVE_NOTFOUND;
    }

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {
        seq = trove_acquire(&l->index_seq);

        *slot = trove_ledger_probe(l, id, &cell);

        if (*slot != TROVE_LEDGER_NONE) {
            return TROVE_OK;
        }

        /* an entry may have been moved from before the search to behind it */

        atomic_thread_fence(memory_order_acquire);

        if ((seq & 1) == 0 && trove_get(&l->index_seq) == seq) {
            return TROVE_NOTFOUND;
        }

        trove_pause();
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    *slot = trove_ledger_probe(l, id, &cell);

    trove_ledger_unlock(l);

    return (*slot != TROVE_LEDGER_NONE) ? TROVE_OK : TROVE_NOTFOUND;
}


/* One attempt to copy a row: whether it was whole. */

static int
trove_ledger_copy(const trove_ledger_row_t *row, trove_reward_t *r)
{
    int       i;
    uint64_t  version, words[TROVE_LEDGER_WORDS];

    version = trove_acquire(&row->version);

    for (i = 0; i < TROVE_LEDGER_WORDS; i++) {
        words[i] = trove_get(&row->words[i]);
        TROVE_FAULT_MEET("copy");
    }

    atomic_thread_fence(memory_order_acquire);

    memcpy(r, words, sizeof(words));

    return (version & TROVE_LEDGER_WRITING) == 0
           && trove_get(&row->version) == version;
}


/* Copies the row, also one that is free.  TROVE_OK or TROVE_BUSY. */

static trove_rc_t
trove_ledger_read(trove_ledger_t *l, uint32_t slot, trove_reward_t *r)
{
    int                  n;
    trove_ledger_row_t  *row;

    row = trove_ledger_rowp(l, slot);

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {

        if (trove_ledger_copy(row, r)) {
            return TROVE_OK;
        }

        trove_pause();
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    (void) trove_ledger_copy(row, r);

    trove_ledger_unlock(l);

    return TROVE_OK;
}


trove_rc_t
trove_ledger_get(trove_ledger_t *l, uint32_t id, trove_reward_t *r)
{
    int         n;
    uint32_t    slot;
    trove_rc_t  rc;

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {
        rc = trove_ledger_find(l, id, &slot);

        if (rc != TROVE_OK) {
            return rc;
        }

        TROVE_FAULT_MEET("get");

        rc = trove_ledger_read(l, slot, r);

        if (rc != TROVE_OK) {
            return rc;
        }

        if (r->id == id) {
            return TROVE_OK;
        }

        /* it was removed in between, and perhaps added again elsewhere */
    }

    return TROVE_BUSY;
}


trove_rc_t
trove_ledger_row(trove_ledger_t *l, uint32_t slot, trove_reward_t *r)
{
    trove_rc_t  rc;

    if (slot >= l->conf.rewards) {
        return TROVE_NOTFOUND;
    }

    rc = trove_ledger_read(l, slot, r);

    if (rc != TROVE_OK) {
        return rc;
    }

    return (r->id != 0) ? TROVE_OK : TROVE_NOTFOUND;
}


int
trove_ledger_written(const trove_ledger_t *l, uint32_t slot, uint64_t after)
{
    return trove_get(&trove_ledger_rowp(l, slot)->version) > after;
}


uint32_t
trove_ledger_slots(const trove_ledger_t *l)
{
    return trove_acquire(&l->used);
}


uint32_t
trove_ledger_slot(trove_ledger_t *l, uint32_t id)
{
    uint32_t  slot;

    return (trove_ledger_find(l, id, &slot) == TROVE_OK) ? slot
                                                         : TROVE_LEDGER_NONE;
}


uint64_t
trove_ledger_version(const trove_ledger_t *l)
{
    return trove_acquire(&l->version);
}


uint32_t
trove_ledger_rewards(const trove_ledger_t *l)
{
    return trove_acquire(&l->live);
}


trove_rc_t
trove_ledger_changes(trove_ledger_t *l, uint64_t after, uint32_t *slots,
    uint32_t max, uint32_t *n)
{
    uint32_t  i;
    uint64_t  version;

    *n = 0;
    version = trove_acquire(&l->version);

    if (after > version) {
        return TROVE_BEHIND;
    }

    if (max > version - after) {
        max = (uint32_t) (version - after);
    }

    if (max == 0) {
        return TROVE_OK;
    }

    for (i = 0; i < max; i++) {
        slots[i] = trove_get(trove_ledger_log(l, after + 1 + i));
    }

    TROVE_FAULT_MEET("changes");

    /*
     * The write after the published version may already have logged, in the
     * place of the version one ring before it.
     */

    atomic_thread_fence(memory_order_acquire);

    version = trove_get(&l->version);

    if (version - after >= l->log_size) {
        return TROVE_BEHIND;
    }

    *n = max;

    return TROVE_OK;
}


int
trove_ledger_sane(trove_ledger_t *l)
{
    int  sane;

    if (trove_ledger_lock(l) != TROVE_OK) {
        return 0;
    }

    sane = trove_get(&l->intent.op) == TROVE_LEDGER_IDLE
           && trove_get(&l->used) <= l->conf.rewards
           && trove_ledger_sane_rows(l)
           && trove_ledger_sane_index(l)
           && trove_ledger_sane_free(l);

    trove_ledger_unlock(l);

    return sane;
}


/*
 * Every live row is whole, found by its id, and in the log if that reaches
 * back to it; there are as many as are counted, none above "used".
 */

static int
trove_ledger_sane_rows(const trove_ledger_t *l)
{
    uint32_t             slot, id, cell, live, used;
    uint64_t             version, written;
    trove_ledger_row_t  *row;

    live = 0;
    used = trove_get(&l->used);
    version = trove_get(&l->version);

    for (slot = 0; slot < l->conf.rewards; slot++) {
        row = trove_ledger_rowp(l, slot);
        written = trove_get(&row->version);
        id = trove_ledger_row_id(row);

        if (written > version || (written != 0) != (slot < used)) {
            return 0;
        }

        if (written != 0
            && version - written < l->log_size
            && trove_get(trove_ledger_log(l, written)) != slot)
        {
            return 0;
        }

        if (id == 0) {
            continue;
        }

        live++;

        if (trove_ledger_probe(l, id, &cell) != slot) {
            return 0;
        }
    }

    return live == trove_get(&l->live);
}


/* Every cell leads to a live row, and there are as many as live rows. */

static int
trove_ledger_sane_index(const trove_ledger_t *l)
{
    uint32_t           cell, slot, taken;
    _Atomic uint32_t  *cells;

    taken = 0;
    cells = trove_ledger_cells(l);

    for (cell = 0; cell < l->cells; cell++) {
        slot = trove_get(&cells[cell]);

        if (slot == 0) {
            continue;
        }

        taken++;

        if (slot > trove_get(&l->used)
            || trove_ledger_row_id(trove_ledger_rowp(l, slot - 1)) == 0)
        {
            return 0;
        }
    }

    return taken == trove_get(&l->live) && (trove_get(&l->index_seq) & 1) == 0;
}


/* The list of free slots is as long as there are used ones without reward. */

static int
trove_ledger_sane_free(const trove_ledger_t *l)
{
    uint32_t             free, n;
    trove_ledger_row_t  *row;

    n = trove_get(&l->used) - trove_get(&l->live);

    for (free = trove_get(&l->free); free != 0 && n != 0; n--) {

        if (free > trove_get(&l->used)) {
            return 0;
        }

        row = trove_ledger_rowp(l, free - 1);

        if (trove_ledger_row_id(row) != 0) {
            return 0;
        }

        free = (uint32_t) trove_get(&row->words[0]);
    }

    return free == 0 && n == 0;
}
