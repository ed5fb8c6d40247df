
/*
 * How a player's record is owned, what is noted before it is written, and how
 * that is carried out, by whoever noted it or by who finds him dead.
 *
 *   1. op is IDLE, and the redo says whose record is going to be owned
 *   2. the record is owned: by a compare-and-swap of its state
 *   3. all that will be stored is noted, then op is set by a release
 *   4. of a claim: it is decided, by a compare-and-swap of the reward's row
 *   5. carried out: absolute values, and what may be done twice
 *   6. the record is let go, by the store of a state without owner
 *
 * It is the record that says whether there is anything left to be done: once
 * it is let go, what the redo says is of no meaning.
 */

#include <sched.h>

#include "trove_clock.h"
#include "trove_credits.h"
#include "trove_dirty.h"
#include "trove_ledger_data.h"


/* How long a record's owner is waited for, and when he is looked at. */
#define TROVE_REDO_WAIT     1000000                      /* nanoseconds */
#define TROVE_REDO_SPINS    64
#define TROVE_REDO_YIELDS   16


static trove_rc_t trove_redo_recover_locked(trove_ledger_t *l);
static trove_rc_t trove_redo_settle(trove_ledger_t *l, trove_redo_t *r);
static int trove_redo_decided(trove_ledger_t *l, trove_redo_t *r);
static void trove_redo_spare(trove_ledger_t *l, trove_redo_t *r);
static void trove_redo_finish_claim(trove_ledger_t *l, trove_redo_t *r);
static void trove_redo_finish_given(trove_ledger_t *l, trove_redo_t *r);
static void trove_claim_write(trove_claim_row_t *c,
    const trove_claim_row_t *from);
static void trove_claim_behead(trove_ledger_t *l, uint32_t slot,
    uint32_t claim, const trove_claim_row_t *given);


trove_rc_t
trove_redo_open(trove_ledger_t *l, trove_redo_t **redo)
{
    uint32_t       n;
    trove_rc_t     rc;
    trove_redo_t  *r;

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    (void) trove_redo_recover_locked(l);

    rc = TROVE_FULL;

    for (n = 0; n < l->at.redos; n++) {
        r = trove_ledger_redop(l, n);

        if (trove_acquire(&r->owner) == 0) {
            r->mark = 0;
            trove_release(&r->owner, trove_process_self());
            *redo = r;
            rc = TROVE_OK;
            break;
        }
    }

    trove_ledger_unlock(l);

    return rc;
}


void
trove_redo_close(trove_redo_t *r)
{
    trove_release(&r->owner, 0);
}


trove_rc_t
trove_redo_recover(trove_ledger_t *l)
{
    trove_rc_t  rc;

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_redo_recover_locked(l);

    trove_ledger_unlock(l);

    return rc;
}


static trove_rc_t
trove_redo_recover_locked(trove_ledger_t *l)
{
    uint32_t         n;
    trove_rc_t       rc;
    trove_redo_t    *r;
    trove_process_t  owner;

    rc = TROVE_OK;

    for (n = 0; n < l->at.redos; n++) {
        r = trove_ledger_redop(l, n);
        owner = trove_acquire(&r->owner);

        if (owner == 0 || trove_process_alive(owner)) {
            continue;
        }

        if (trove_redo_settle(l, r) != TROVE_OK) {
            rc = TROVE_BUSY;
            continue;
        }

        trove_set(&r->op, TROVE_REDO_IDLE);
        TROVE_FAULT("recover: idle");

        trove_redo_spare(l, r);

        trove_release(&r->owner, 0);
        TROVE_FAULT("recover: freed");
    }

    return rc;
}


/*
 * Its owner is dead.  May be started again after any store.  TROVE_BUSY: a
 * board that the claim is to be added to is held by somebody who lives.
 */

static trove_rc_t
trove_redo_settle(trove_ledger_t *l, trove_redo_t *r)
{
    uint32_t         op;
    trove_record_t  *record;

    if (r->player == 0 || r->player > l->at.conf.players) {
        return TROVE_OK;
    }

    record = trove_ledger_record(l, r->player - 1);

    if (trove_record_owner(trove_acquire(&record->state)) != r->number) {
        return TROVE_OK;
    }

    op = trove_acquire(&r->op);

    if (op == TROVE_REDO_TAP || op == TROVE_REDO_GIVEN) {
        trove_redo_finish(r, op);

    } else if (op == TROVE_REDO_CLAIM && trove_redo_decided(l, r)) {

        if (trove_credits_succeed(l) != TROVE_OK) {
            return TROVE_BUSY;
        }

        trove_redo_finish(r, op);
        trove_credits_unlock(l);

    } else {
        trove_redo_let_go(r);
    }

    return TROVE_OK;
}


/*
 * In this order: who made another claim the head had decided this one before.
 */

static int
trove_redo_decided(trove_ledger_t *l, trove_redo_t *r)
{
    uint64_t  state;

    if (r->claim == 0 || r->claim > l->at.conf.claims) {
        return 0;
    }

    state = 0;

    if (r->slot < l->at.conf.rewards) {
        state = trove_acquire(&trove_ledger_rowp(l, r->slot)->state);
    }

    return trove_row_head(state) == r->claim
           || (trove_acquire(&trove_ledger_claim(l, r->claim - 1)->at)
               & TROVE_CLAIM_DECIDED) != 0;
}


/* Numbers that came to be used are no spare ones. */

static void
trove_redo_spare(trove_ledger_t *l, trove_redo_t *r)
{
    uint32_t             spare;
    trove_slice_t        id;
    const trove_name_t  *name;

    if (r->claim != 0 && trove_redo_decided(l, r)) {
        r->claim = 0;
        TROVE_FAULT("recover: claim");
    }

    spare = trove_get(&r->spare);

    if (spare == 0 || spare > l->at.conf.players) {
        trove_set(&r->spare, 0);
        return;
    }

    name = trove_ledger_name(l, spare - 1);

    if (name->len > TROVE_PLAYER_MAX) {
        return;
    }

    id.data = name->id;
    id.len = name->len;

    if (trove_player_find(l, &id, trove_player_hash(l, &id)) == spare - 1) {
        trove_set(&r->spare, 0);
        TROVE_FAULT("recover: spare");
    }
}


trove_rc_t
trove_redo_own(trove_redo_t *r, uint32_t player, trove_record_data_t *data)
{
    int                 i;
    uint64_t            state, words[TROVE_RECORD_WORDS];
    trove_rc_t          rc;
    trove_ledger_t     *l;
    trove_record_t     *record;
    trove_redo_wait_t   wait;

    l = trove_redo_ledger(r);
    record = trove_ledger_record(l, player);

    trove_release(&r->op, TROVE_REDO_IDLE);
    TROVE_FAULT("own: idle");

    trove_release(&r->player, player + 1);
    TROVE_FAULT("own: player");

    memset(&wait, 0, sizeof(wait));
    state = trove_get(&record->state);

    for ( ;; ) {

        if (trove_record_owner(state) == 0) {

            if (trove_cas(&record->state, &state, state | r->number)) {
                break;
            }

            continue;
        }

        rc = trove_redo_wait(l, state, &wait);

        if (rc != TROVE_AGAIN) {
            return rc;
        }

        state = trove_get(&record->state);
    }

    TROVE_FAULT("own: owned");

    /* a reader who sees what is stored from now on sees the owner, too */

    atomic_thread_fence(memory_order_release);

    for (i = 0; i < TROVE_RECORD_WORDS; i++) {
        words[i] = trove_get(&record->words[i]);
    }

    memcpy(data, words, sizeof(words));

    return TROVE_OK;
}


/*
 * The owner is a process that is between two stores; should he not move for
 * long, he was interrupted or is dead.
 */

trove_rc_t
trove_redo_wait(trove_ledger_t *l, uint64_t state, trove_redo_wait_t *w)
{
    uint32_t         owner;
    uint64_t         now;
    trove_process_t  process;

    if (w->n++ < TROVE_REDO_SPINS) {
        trove_pause();
        return TROVE_AGAIN;
    }

    now = trove_clock_ns();

    if (w->end == 0) {
        w->end = now + TROVE_REDO_WAIT;
    }

    if (now > w->end) {
        return TROVE_BUSY;
    }

    owner = trove_record_owner(state);

    if (w->n % TROVE_REDO_YIELDS == 1 && owner != 0 && owner <= l->at.redos) {
        process = trove_acquire(&trove_ledger_redop(l, owner - 1)->owner);

        if (process != 0 && !trove_process_alive(process)
            && trove_redo_recover(l) != TROVE_OK)
        {
            return TROVE_BUSY;
        }
    }

    (void) sched_yield();

    return TROVE_AGAIN;
}


/* As it was. */

void
trove_redo_let_go(trove_redo_t *r)
{
    uint64_t         state;
    trove_record_t  *record;

    record = trove_ledger_record(trove_redo_ledger(r), r->player - 1);
    state = trove_get(&record->state);

    trove_release(&record->state,
                  trove_record_state(trove_record_claim(state),
                                     trove_record_seq(state), 0));
    TROVE_FAULT("let go");
}


void
trove_redo_note(trove_redo_t *r, trove_redo_op_t op)
{
    TROVE_FAULT("redo: decided");

    trove_release(&r->op, op);

    /* no store of what is noted before the note stands */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("redo: noted");
}


void
trove_redo_forget(trove_redo_t *r)
{
    trove_release(&r->op, TROVE_REDO_IDLE);

    /* and none of the next one before it is gone */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("redo: forgotten");
}


void
trove_redo_finish(trove_redo_t *r, uint32_t op)
{
    int              i;
    uint64_t         words[TROVE_RECORD_WORDS];
    trove_ledger_t  *l;
    trove_record_t  *record;

    l = trove_redo_ledger(r);
    record = trove_ledger_record(l, r->player - 1);

    if (op == TROVE_REDO_CLAIM) {
        trove_redo_finish_claim(l, r);

    } else if (op == TROVE_REDO_GIVEN) {
        trove_redo_finish_given(l, r);
    }

    memcpy(words, &r->image, sizeof(words));

    for (i = 0; i < TROVE_RECORD_WORDS; i++) {
        trove_release(&record->words[i], words[i]);
        TROVE_FAULT("record: word");
    }

    trove_dirty_set(l, TROVE_DIRTY_PLAYERS, r->player - 1);

    trove_marks_done(&l->marks[1], r->mark);

    trove_release(&record->state,
                  trove_record_state(r->latest,
                           trove_record_seq(trove_get(&record->state)) + 1,
                           0));
    TROVE_FAULT("record: let go");
}


static void
trove_redo_finish_claim(trove_ledger_t *l, trove_redo_t *r)
{
    uint64_t            version;
    trove_claim_row_t  *c;

    c = trove_ledger_claim(l, r->claim - 1);

    trove_claim_decide(c);
    TROVE_FAULT("claim: settled");

    trove_claim_lead(l, c, r->claim - 1);
    TROVE_FAULT("claim: indexed");

    trove_credits_add(l, r->claim - 1);

    trove_dirty_set(l, TROVE_DIRTY_REWARDS, r->slot);

    if (r->last) {
        version = trove_ledger_enter(l, r->slot);
        TROVE_FAULT("claim: entered");

        trove_ledger_publish(l, version);
        TROVE_FAULT("claim: published");
    }
}


/*
 * A claim of a copy, which may be one that the player had of an earlier reward
 * of the same id, written anew.
 */

static void
trove_redo_finish_given(trove_ledger_t *l, trove_redo_t *r)
{
    trove_claim_row_t  *c;

    if (r->gives == 0 || r->gives > l->at.conf.claims) {
        return;
    }

    c = trove_ledger_claim(l, r->gives - 1);

    trove_claim_behead(l, r->slot, r->gives, &r->given);
    trove_claim_write(c, &r->given);

    trove_claim_lead(l, c, r->gives - 1);
    TROVE_FAULT("replica: given indexed");

    trove_claim_top(l, r->slot, r->gives - 1);
    TROVE_FAULT("replica: given top");
}


static void
trove_claim_write(trove_claim_row_t *c, const trove_claim_row_t *from)
{
    c->player = from->player;
    c->reward = from->reward;
    c->born = from->born;
    c->ordinal = from->ordinal;
    c->prev = from->prev;
    c->value = from->value;
    c->balance = from->balance;
    TROVE_FAULT("replica: given written");

    trove_release(&c->at, trove_get(&from->at) | TROVE_CLAIM_DECIDED);
    TROVE_FAULT("replica: given decided");
}


/* No reward's head becomes a claim of another one. */

static void
trove_claim_behead(trove_ledger_t *l, uint32_t slot, uint32_t claim,
    const trove_claim_row_t *given)
{
    trove_ledger_row_t   *row;
    trove_ledger_copy_t   copy;

    if (slot >= l->at.conf.rewards
        || trove_ledger_read(l, slot, &copy) != TROVE_OK
        || trove_row_head(copy.state) != claim
        || copy.born == given->born)
    {
        return;
    }

    row = trove_ledger_rowp(l, slot);

    (void) trove_cas(&row->state, &copy.state,
                     trove_row_state(trove_row_seq(copy.state), 0));
    TROVE_FAULT("replica: given beheaded");
}


void
trove_claim_top(trove_ledger_t *l, uint32_t slot, uint32_t claim)
{
    trove_claim_row_t    *c;
    trove_ledger_row_t   *row;
    trove_ledger_copy_t   copy;

    c = trove_ledger_claim(l, claim);

    if (slot >= l->at.conf.rewards
        || trove_ledger_read(l, slot, &copy) != TROVE_OK
        || copy.reward.id != c->reward
        || copy.born != c->born
        || copy.reward.taken >= c->ordinal)
    {
        return;
    }

    row = trove_ledger_rowp(l, slot);

    (void) trove_cas(&row->state, &copy.state,
                     trove_row_state(trove_row_seq(copy.state), claim + 1));

    trove_dirty_set(l, TROVE_DIRTY_REWARDS, slot);
}


void
trove_claim_lead(trove_ledger_t *l, const trove_claim_row_t *c,
    uint32_t claim)
{
    uint32_t       at, n;
    uint64_t       hash;
    trove_index_t  index;

    index = trove_claim_index(l);
    hash = trove_claim_hash(l, c->player, c->reward);
    at = trove_index_first(&index, hash);

    do {
        n = trove_index_next(&index, hash, &at);

        if (n == claim) {
            return;
        }

    } while (n != TROVE_INDEX_NONE
             || !trove_index_fill(&index, hash, at, claim));
}
