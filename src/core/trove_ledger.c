
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
 *      values: to start over from any point gives the same, but for another
 *      entry in the log;
 *   4. forgotten: "op" is cleared, then the lock.
 *
 * What the lock protects is only ever read by others through a check of its
 * own: rows by their version, the index by index_seq and the id of the row it
 * leads to, the log by the distance from the version.  Two things are written
 * by others, too, and therefore by compare-and-swap: the state of a row, whose
 * head claims replace, and the log.
 */

#include "trove_dirty.h"
#include "trove_ledger_data.h"


static int trove_ledger_credible(trove_ledger_t *l);
static trove_rc_t trove_ledger_put_locked(trove_ledger_t *l,
    const trove_reward_t *r, uint32_t born, uint64_t *version);
static trove_rc_t trove_ledger_new_slot(const trove_ledger_t *l,
    trove_ledger_intent_t *in);
static uint64_t trove_ledger_write(trove_ledger_t *l, trove_ledger_op_t op);
static uint64_t trove_ledger_redo(trove_ledger_t *l, uint32_t op);
static uint64_t trove_ledger_make(trove_ledger_t *l,
    const trove_ledger_row_t *row);
static uint32_t trove_ledger_head(trove_ledger_t *l, uint32_t op,
    const trove_ledger_row_t *row);
static void trove_ledger_store(trove_ledger_t *l, trove_ledger_row_t *row);
static void trove_ledger_mark(trove_ledger_row_t *row);
static void trove_ledger_close_hole(trove_ledger_t *l);
static int trove_ledger_stays(const trove_ledger_t *l, uint32_t hole,
    uint32_t at);
static uint32_t trove_ledger_probe(const trove_ledger_t *l, uint32_t id,
    uint32_t *cell);
static int trove_ledger_copy(const trove_ledger_t *l, uint32_t slot,
    trove_ledger_copy_t *copy);


/*
 * What an intent's version is.  All copies make the same ones, each of them
 * once; while they are filled they make none.
 */

static inline uint64_t
trove_ledger_makes(const trove_ledger_t *l)
{
    uint64_t  generation;

    generation = trove_get(&l->generation);

    if (trove_likely(generation == 0)) {
        return TROVE_LEDGER_NEXT;
    }

    return (generation & 1) ? TROVE_LEDGER_UNMADE
                            : trove_get(&l->version) + 1;
}


/* Nobody else makes versions. */

static inline void
trove_ledger_note(trove_ledger_t *l, uint64_t version, uint32_t slot)
{
    trove_release(trove_ledger_log(l, version), version << 32 | slot);
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

    return (uint32_t) ((uint64_t) id * l->at.cells >> 32);
}


static inline uint32_t
trove_ledger_next(const trove_ledger_t *l, uint32_t cell)
{
    return (cell + 1 == l->at.cells) ? 0 : cell + 1;
}


trove_rc_t
trove_ledger_lock(trove_ledger_t *l)
{
    uint32_t  op;

    if (trove_lock_take(&l->lock) != TROVE_OK) {
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

    (void) trove_ledger_redo(l, op);

    return TROVE_OK;
}


void
trove_ledger_unlock(trove_ledger_t *l)
{
    trove_lock_release(&l->lock);
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
    return trove_ledger_put_marked(l, r, 0, version);
}


trove_rc_t
trove_ledger_put_marked(trove_ledger_t *l, const trove_reward_t *r,
    uint64_t mark, uint64_t *version)
{
    trove_rc_t  rc;

    if (r->id == 0) {
        return TROVE_INVALID;
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    l->intent.mark = mark;
    rc = trove_ledger_put_locked(l, r, 0, version);

    trove_ledger_unlock(l);

    return rc;
}


trove_rc_t
trove_ledger_put_born(trove_ledger_t *l, const trove_reward_t *r,
    uint32_t born)
{
    uint64_t    version;
    trove_rc_t  rc;

    if (r->id == 0 || born == 0) {
        return TROVE_INVALID;
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    l->intent.mark = 0;
    rc = trove_ledger_put_locked(l, r, born, &version);

    trove_ledger_unlock(l);

    return rc;
}


/* "born" is 0 if it is the ledger's own affair. */

static trove_rc_t
trove_ledger_put_locked(trove_ledger_t *l, const trove_reward_t *r,
    uint32_t born, uint64_t *version)
{
    uint32_t                cell;
    trove_reward_t          new;
    trove_ledger_op_t       op;
    trove_ledger_copy_t     old;
    trove_ledger_intent_t  *in;

    in = &l->intent;

    in->free = trove_get(&l->free);
    in->used = trove_get(&l->used);
    in->live = trove_get(&l->live);
    in->born = trove_get(&l->born);

    /* zeros lose their sign, in which they are equal and yet are not */

    new = *r;
    new.x += 0.0;
    new.y += 0.0;
    new.level += 0.0;

    in->slot = trove_ledger_probe(l, r->id, &cell);
    trove_set(&in->cell, cell);

    if (in->slot != TROVE_LEDGER_NONE) {
        op = TROVE_LEDGER_UPDATE;

        (void) trove_ledger_copy(l, in->slot, &old);
        new.taken = old.born;

    } else {
        op = TROVE_LEDGER_INSERT;

        if (trove_ledger_new_slot(l, in) != TROVE_OK) {
            return TROVE_FULL;
        }

        new.taken = ++in->born;
    }

    if (born != 0) {
        new.taken = born;
        in->born = trove_get(&l->born);
        in->born = (born > in->born) ? born : in->born;
    }

    memcpy(in->words, &new, sizeof(in->words));

    *version = trove_ledger_write(l, op);

    return TROVE_OK;
}


/* A slot for a new reward: one that was freed, else one that never was. */

static trove_rc_t
trove_ledger_new_slot(const trove_ledger_t *l, trove_ledger_intent_t *in)
{
    uint64_t  next;

    if (in->free == 0) {

        if (in->used >= l->at.conf.rewards) {
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
    return trove_ledger_remove_marked(l, id, 0, version);
}


trove_rc_t
trove_ledger_remove_marked(trove_ledger_t *l, uint32_t id, uint64_t mark,
    uint64_t *version)
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
    in->mark = mark;
    trove_set(&in->cell, cell);

    memset(in->words, 0, sizeof(in->words));
    in->words[0] = trove_get(&l->free);

    in->free = slot + 1;
    in->used = trove_get(&l->used);
    in->live = trove_get(&l->live) - 1;
    in->born = trove_get(&l->born);

    *version = trove_ledger_write(l, TROVE_LEDGER_REMOVE);

    trove_ledger_unlock(l);

    return TROVE_OK;
}


/* The intent is filled but for what every write has in common. */

static uint64_t
trove_ledger_write(trove_ledger_t *l, trove_ledger_op_t op)
{
    trove_ledger_intent_t  *in;

    in = &l->intent;

    in->index_seq = trove_get(&l->index_seq)
                    + ((op == TROVE_LEDGER_REMOVE) ? 2 : 0);
    in->version = trove_ledger_makes(l);

    TROVE_FAULT("decided");

    trove_release(&in->op, op);

    /* no store of what is intended before the intent stands */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("noted");

    return trove_ledger_redo(l, op);
}


/* An intent in memory that came from elsewhere must not lead out of it. */

static int
trove_ledger_credible(trove_ledger_t *l)
{
    uint32_t                n;
    trove_ledger_intent_t  *in;

    in = &l->intent;
    n = l->at.conf.rewards;

    return trove_get(&in->op) <= TROVE_LEDGER_CLEAR
           && trove_get(&in->cell) < l->at.cells
           && in->slot < n
           && in->free <= n
           && in->used <= n
           && in->live <= n;
}


/*
 * Carries the intent out.  May be started again after any of its stores, and
 * by another process: then the slot is entered in the log twice, and claims
 * of the reward that were made in between stay.
 *
 * All is done while the row is marked, and it gets its version from the log:
 * who is told of that version finds the row marked, or everything done.
 */

static uint64_t
trove_ledger_redo(trove_ledger_t *l, uint32_t op)
{
    uint32_t                head;
    uint64_t                version;
    trove_ledger_row_t     *row;
    trove_ledger_intent_t  *in;

    in = &l->intent;

    if (op == TROVE_LEDGER_CLEAR) {
        trove_ledger_cleared(l);
        return 0;
    }

    row = trove_ledger_rowp(l, in->slot);

    /* first, for no slot that can be found is beyond it */

    trove_set(&l->used, in->used);
    TROVE_FAULT("used");

    trove_set(&l->born, in->born);
    TROVE_FAULT("born");

    trove_ledger_mark(row);
    TROVE_FAULT("marked");

    head = trove_ledger_head(l, op, row);

    trove_ledger_store(l, row);

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

    trove_dirty_set(l, TROVE_DIRTY_REWARDS, in->slot);

    trove_marks_done(&l->marks[0], in->mark);

    version = trove_ledger_make(l, row);
    TROVE_FAULT("entered");

    trove_release(&row->state,
                  trove_row_state(version & TROVE_ROW_VERSION, head));
    TROVE_FAULT("stored");

    if (in->version != TROVE_LEDGER_UNMADE) {
        trove_ledger_publish(l, version);
        TROVE_FAULT("published");
    }

    trove_release(&in->op, TROVE_LEDGER_IDLE);

    /* nor is the next intent begun before this one is gone */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("forgotten");

    return version;
}


/*
 * The version that the row gets.  One that is known beforehand is the same for
 * who carries the intent out again; if none is made, the row's own goes on.
 */

static uint64_t
trove_ledger_make(trove_ledger_t *l, const trove_ledger_row_t *row)
{
    const trove_ledger_intent_t  *in;

    in = &l->intent;

    if (in->version == TROVE_LEDGER_NEXT) {
        return trove_ledger_enter(l, in->slot);
    }

    if (in->version == TROVE_LEDGER_UNMADE) {
        return trove_row_seq(trove_get(&row->state)) + 1;
    }

    trove_ledger_note(l, in->version, in->slot);

    return in->version;
}


void
trove_ledger_tick(trove_ledger_t *l, uint32_t slot)
{
    uint64_t  version;

    version = trove_ledger_makes(l);

    if (version == TROVE_LEDGER_UNMADE) {
        return;
    }

    trove_ledger_note(l, version, slot);
    TROVE_FAULT("replica: tick entered");

    trove_ledger_publish(l, version);
    TROVE_FAULT("replica: tick published");
}


/* The head that the marked row will have: its latest claim is decided. */

static uint32_t
trove_ledger_head(trove_ledger_t *l, uint32_t op,
    const trove_ledger_row_t *row)
{
    uint32_t            head;
    trove_reward_t      reward;
    trove_claim_row_t  *c;

    head = trove_row_head(trove_get(&row->state));

    if (head == 0 || head > l->at.conf.claims) {
        return (op == TROVE_LEDGER_REMOVE) ? 0 : head;
    }

    c = trove_ledger_claim(l, head - 1);

    if (op == TROVE_LEDGER_REMOVE) {
        trove_claim_decide(c);
        TROVE_FAULT("settled");
        return 0;
    }

    /* of a copy, the row may become that of another reward of its id */

    memcpy(&reward, l->intent.words, sizeof(reward));

    return (c->born == reward.taken) ? head : 0;
}


static void
trove_ledger_store(trove_ledger_t *l, trove_ledger_row_t *row)
{
    int  i;

    for (i = 0; i < TROVE_LEDGER_WORDS; i++) {
        trove_release(&row->words[i], l->intent.words[i]);
        TROVE_FAULT("word");
    }
}


/* From here on no claim is granted, until the row is written. */

static void
trove_ledger_mark(trove_ledger_row_t *row)
{
    uint64_t  state;

    state = trove_get(&row->state);

    while (!trove_cas(&row->state, &state,
                      state | (uint64_t) TROVE_ROW_WRITING << 32))
    {
        /* void */
    }

    atomic_thread_fence(memory_order_release);
}


/*
 * An entry of the log is { version, low 32 bits; slot }.  That of the next
 * version is taken by compare-and-swap from the one it had a ring before;
 * whoever finds it taken publishes it, so that nobody is waited for.
 */

uint64_t
trove_ledger_enter(trove_ledger_t *l, uint32_t slot)
{
    uint32_t           before;
    uint64_t           version, next, old;
    _Atomic uint64_t  *entry;

    for ( ;; ) {
        version = trove_acquire(&l->version);
        next = version + 1;
        entry = trove_ledger_log(l, next);
        old = trove_acquire(entry);

        before = (next <= l->at.log_size) ? 0
                                          : (uint32_t) (next - l->at.log_size);

        if (old >> 32 == (uint32_t) next) {
            trove_ledger_publish(l, next);
            continue;
        }

        if (old >> 32 == before
            && trove_cas(entry, &old, next << 32 | slot))
        {
            return next;
        }
    }
}


void
trove_ledger_publish(trove_ledger_t *l, uint64_t version)
{
    uint64_t  before;

    before = version - 1;

    (void) trove_cas(&l->version, &before, version);
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

    for (n = 1; n < l->at.cells; n++) {
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

    if (slot >= l->at.conf.rewards) {
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

    for (n = 0; n < l->at.cells; n++) {
        slot = trove_acquire(&cells[at]);

        if (slot == 0) {
            break;
        }

        slot--;
        TROVE_FAULT_MEET("probe");

        if (slot < l->at.conf.rewards
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


trove_rc_t
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


void
trove_ledger_fetch_cell(const trove_ledger_t *l, uint32_t id)
{
    __builtin_prefetch(&trove_ledger_cells(l)[trove_ledger_home(l, id)]);
}


/* The slot that most likely is this id's; a row may lie on two lines. */

uint32_t
trove_ledger_fetch_row(const trove_ledger_t *l, uint32_t id)
{
    uint32_t             slot;
    trove_ledger_row_t  *row;

    slot = trove_get(&trove_ledger_cells(l)[trove_ledger_home(l, id)]) - 1;

    if (slot >= l->at.conf.rewards) {
        return TROVE_LEDGER_NONE;
    }

    row = trove_ledger_rowp(l, slot);

    __builtin_prefetch(&row->state, 1);
    __builtin_prefetch(&row->words[TROVE_LEDGER_WORDS - 1]);

    return slot;
}


void
trove_ledger_fetch_head(const trove_ledger_t *l, uint32_t slot)
{
    uint32_t  head;

    head = trove_row_head(trove_get(&trove_ledger_rowp(l, slot)->state));

    if (head != 0 && head <= l->at.conf.claims) {
        __builtin_prefetch(&trove_ledger_claim(l, head - 1)->ordinal);
        __builtin_prefetch(&trove_ledger_claim(l, head - 1)->at, 1);
    }
}


/* One attempt to copy a row: whether it was whole. */

static int
trove_ledger_copy(const trove_ledger_t *l, uint32_t slot,
    trove_ledger_copy_t *copy)
{
    int                  i;
    uint64_t             state, words[TROVE_LEDGER_WORDS];
    trove_ledger_row_t  *row;

    row = trove_ledger_rowp(l, slot);
    state = trove_acquire(&row->state);

    for (i = 0; i < TROVE_LEDGER_WORDS; i++) {
        words[i] = trove_get(&row->words[i]);
        TROVE_FAULT_MEET("copy");
    }

    atomic_thread_fence(memory_order_acquire);

    memcpy(&copy->reward, words, sizeof(words));

    copy->state = state;
    copy->born = copy->reward.taken;
    copy->reward.taken = trove_ledger_taken(l, trove_row_head(state));

    return (trove_row_seq(state) & TROVE_ROW_WRITING) == 0
           && trove_row_seq(trove_get(&row->state)) == trove_row_seq(state);
}


trove_rc_t
trove_ledger_read(trove_ledger_t *l, uint32_t slot, trove_ledger_copy_t *copy)
{
    int  n;

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {

        if (trove_ledger_copy(l, slot, copy)) {
            return TROVE_OK;
        }

        trove_pause();
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    (void) trove_ledger_copy(l, slot, copy);

    trove_ledger_unlock(l);

    return TROVE_OK;
}


trove_rc_t
trove_ledger_get(trove_ledger_t *l, uint32_t id, trove_reward_t *r)
{
    int                  n;
    uint32_t             slot;
    trove_rc_t           rc;
    trove_ledger_copy_t  copy;

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {
        rc = trove_ledger_find(l, id, &slot);

        if (rc != TROVE_OK) {
            return rc;
        }

        TROVE_FAULT_MEET("get");

        rc = trove_ledger_read(l, slot, &copy);

        if (rc != TROVE_OK) {
            return rc;
        }

        if (copy.reward.id == id) {
            *r = copy.reward;
            return TROVE_OK;
        }

        /* it was removed in between, and perhaps added again elsewhere */
    }

    return TROVE_BUSY;
}


trove_rc_t
trove_ledger_row(trove_ledger_t *l, uint32_t slot, trove_reward_t *r)
{
    trove_rc_t           rc;
    trove_ledger_copy_t  copy;

    if (slot >= l->at.conf.rewards) {
        return TROVE_NOTFOUND;
    }

    rc = trove_ledger_read(l, slot, &copy);

    if (rc != TROVE_OK) {
        return rc;
    }

    *r = copy.reward;

    return (r->id != 0) ? TROVE_OK : TROVE_NOTFOUND;
}


void
trove_ledger_prefetch(const trove_ledger_t *l, uint32_t slot)
{
    const char  *row;

    /* it may lie across two cache lines */

    row = (const char *) trove_ledger_rowp(l, slot);

    __builtin_prefetch(row);
    __builtin_prefetch(row + sizeof(trove_ledger_row_t) - 1);
}


int
trove_ledger_written(const trove_ledger_t *l, uint32_t slot, uint64_t after)
{
    uint32_t  seq;
    uint64_t  state;

    state = trove_acquire(&trove_ledger_rowp(l, slot)->state);
    seq = trove_row_seq(state);

    /* half of the versions that a row can tell apart are after another */

    return trove_get(&l->version) - after > TROVE_ROW_VERSION / 2
           || trove_row_head(state) != 0
           || (seq & TROVE_ROW_WRITING) != 0
           || ((seq - (uint32_t) after - 1) & TROVE_ROW_VERSION)
              <= TROVE_ROW_VERSION / 2;
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
        slots[i] = (uint32_t) trove_get(trove_ledger_log(l, after + 1 + i));
    }

    TROVE_FAULT_MEET("changes");

    /*
     * The write after the published version may already have logged, in the
     * place of the version one ring before it.
     */

    atomic_thread_fence(memory_order_acquire);

    version = trove_get(&l->version);

    if (version - after >= l->at.log_size) {
        return TROVE_BEHIND;
    }

    *n = max;

    return TROVE_OK;
}
