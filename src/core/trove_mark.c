
/*
 * What of queues has been carried out.
 *
 * The lock is held during each operation: whoever succeeds a dead holder sees
 * to it that what that one had under way is done, before he goes on.
 */

#include <stdio.h>

#include "trove_board_data.h"
#include "trove_elect.h"
#include "trove_mark.h"


#define TROVE_MARK_BOARD  "board:"


static trove_marks_t *trove_marks_of(const trove_ledger_t *l,
    uint32_t queue);
static uint32_t trove_mark_slot(uint64_t target);
static void trove_mark_raise(_Atomic uint64_t *last, uint64_t number);
static trove_rc_t trove_mark_end(trove_ledger_t *l, uint32_t queue,
    uint64_t number, trove_rc_t rc);


static const char *const  trove_mark_names[TROVE_MARK_BOARDS] = {
    "rewards",
    "players"
};


uint32_t
trove_marks(const trove_ledger_t *l)
{
    return TROVE_MARK_BOARDS + trove_ledger_boards(l);
}


static trove_marks_t *
trove_marks_of(const trove_ledger_t *l, uint32_t queue)
{
    return (queue < TROVE_MARK_BOARDS)
           ? (trove_marks_t *) &l->marks[queue]
           : &trove_board_of(l, queue - TROVE_MARK_BOARDS)->marks;
}


const char *
trove_mark_name(const trove_ledger_t *l, uint32_t queue, char *buf)
{
    if (queue < TROVE_MARK_BOARDS) {
        return trove_mark_names[queue];
    }

    (void) snprintf(buf, TROVE_MARK_NAME, TROVE_MARK_BOARD "%s",
                    trove_board_conf(l, queue - TROVE_MARK_BOARDS)->name);

    return buf;
}


uint32_t
trove_mark_find(const trove_ledger_t *l, const trove_slice_t *name)
{
    char         buf[TROVE_MARK_NAME];
    uint32_t     queue;
    const char  *is;

    for (queue = 0; queue < trove_marks(l); queue++) {
        is = trove_mark_name(l, queue, buf);

        if (strlen(is) == name->len
            && memcmp(is, name->data, name->len) == 0)
        {
            return queue;
        }
    }

    return TROVE_MARK_NONE;
}


uint64_t
trove_mark(const trove_ledger_t *l, uint32_t queue)
{
    return trove_acquire(&trove_marks_of(l, queue)->done);
}


uint64_t
trove_mark_stored(const trove_ledger_t *l, uint32_t queue)
{
    return trove_acquire(&trove_marks_of(l, queue)->stored);
}


uint64_t
trove_mark_queued(const trove_ledger_t *l, uint32_t queue)
{
    return trove_acquire(&trove_marks_of(l, queue)->queued);
}


void
trove_mark_queue(trove_ledger_t *l, uint32_t queue, uint64_t number)
{
    uint64_t        queued;
    trove_marks_t  *m;

    m = trove_marks_of(l, queue);
    queued = trove_get(&m->queued);

    while (queued < number && !trove_cas(&m->queued, &queued, number)) {
        /* void */
    }
}


/* Numbers of queues that are not known, or no more, say nothing of ours. */

void
trove_mark_tell(trove_ledger_t *l, uint64_t whose, uint32_t queue,
    uint64_t number)
{
    if (whose == trove_mark_whose(l)) {
        trove_mark_queue(l, queue, number);
        return;
    }

    (void) atomic_fetch_add_explicit(&l->mark_doubts, 1,
                                     memory_order_release);
}


uint32_t
trove_mark_doubts(const trove_ledger_t *l)
{
    return trove_acquire(&((trove_ledger_t *) l)->mark_doubts);
}


int
trove_mark_sure(const trove_ledger_t *l)
{
    return trove_acquire(&((trove_ledger_t *) l)->mark_known)
           == trove_mark_doubts(l) + 1;
}


int
trove_mark_pending(const trove_ledger_t *l, uint32_t queue)
{
    trove_marks_t  *m;

    if (!trove_mark_sure(l)) {
        return 1;
    }

    m = trove_marks_of(l, queue);

    return trove_acquire(&m->queued) > trove_acquire(&m->done);
}


uint64_t
trove_mark_reward(uint32_t id)
{
    return ((uint64_t) id * 0x9e3779b97f4a7c15ULL >> 32) | 1ULL << 32;
}


uint64_t
trove_mark_player(const trove_ledger_t *l, const trove_slice_t *player)
{
    uint64_t  target;

    target = trove_player_hash(l, player);

    return target ? target : 1;
}


static uint32_t
trove_mark_slot(uint64_t target)
{
    return (uint32_t) target & (TROVE_MARK_TARGETS - 1);
}


static void
trove_mark_raise(_Atomic uint64_t *last, uint64_t number)
{
    uint64_t  known;

    known = trove_get(last);

    while (known < number && !trove_cas(last, &known, number)) {
        /* void */
    }
}


/* What is carried out is there before that is said of it: see _tried(). */

int
trove_mark_behind(const trove_ledger_t *l, uint32_t queue, uint64_t target)
{
    uint32_t        slot;
    uint64_t        done;
    trove_marks_t  *m;

    m = trove_marks_of(l, queue);
    slot = trove_mark_slot(target);

    if (trove_acquire(&m->tried) == target) {
        return 1;
    }

    done = trove_acquire(&m->done);

    /* a ledger that a store has filled does not know it yet */

    if (done != 0 && trove_mark_fresh(l)) {
        return 1;
    }

    return trove_acquire(&m->out[slot]) > done
           && trove_acquire(&m->in[slot]) > done;
}


void
trove_mark_follow(trove_ledger_t *l, uint32_t queue, uint64_t target,
    uint64_t since, uint64_t number)
{
    uint32_t        slot;
    trove_marks_t  *m;

    m = trove_marks_of(l, queue);
    slot = trove_mark_slot(target);

    trove_mark_raise(&m->in[slot], number);

    /* either this sees what _tried() has done, or that the number */

    atomic_thread_fence(memory_order_seq_cst);

    if (trove_acquire(&m->tried) == target
        || trove_acquire(&m->done) != since
        || trove_acquire(&m->out[slot]) > since)
    {
        trove_mark_raise(&m->out[slot], number);
    }
}


void
trove_mark_waits(trove_ledger_t *l, uint32_t queue, uint64_t target,
    uint64_t number, int there)
{
    trove_marks_t  *m;

    m = trove_marks_of(l, queue);

    trove_mark_raise(&m->in[trove_mark_slot(target)], number);

    if (there) {
        trove_mark_raise(&m->out[trove_mark_slot(target)], number);
    }
}


void
trove_mark_try(trove_ledger_t *l, uint32_t queue, uint64_t target)
{
    trove_release(&trove_marks_of(l, queue)->tried, target);
    atomic_thread_fence(memory_order_seq_cst);
}


void
trove_mark_tried(trove_ledger_t *l, uint32_t queue, uint64_t target, int done)
{
    uint32_t        slot;
    trove_marks_t  *m;

    m = trove_marks_of(l, queue);
    slot = trove_mark_slot(target);

    /* what is not known to be of it by now will see that this was done */

    if (done) {
        atomic_thread_fence(memory_order_seq_cst);
        trove_mark_raise(&m->out[slot], trove_acquire(&m->in[slot]));
    }

    trove_release(&m->tried, 0);
}


int
trove_mark_fresh(const trove_ledger_t *l)
{
    return trove_acquire(&((trove_ledger_t *) l)->mark_known) == 0;
}


uint64_t
trove_mark_stays(const trove_ledger_t *l, uint32_t queue)
{
    return trove_get(&trove_marks_of(l, queue)->stays);
}


uint64_t
trove_mark_whose(const trove_ledger_t *l)
{
    return trove_acquire(&((trove_ledger_t *) l)->queue);
}


int
trove_mark_elect(trove_ledger_t *l)
{
    uint32_t  queue;
    uint64_t  tried;

    switch (trove_take_over(l, &l->drainer)) {

    case TROVE_ELECT_OTHER:
        return 0;

    case TROVE_ELECT_SAME:
        return 1;

    case TROVE_ELECT_NEW:
        break;
    }

    /* what the dead one tried is carried out, or is tried again */

    for (queue = 0; queue < trove_marks(l); queue++) {
        tried = trove_get(&trove_marks_of(l, queue)->tried);

        if (tried != 0) {
            trove_mark_tried(l, queue, tried, 1);
        }
    }

    return 1;
}


void
trove_mark_resign(trove_ledger_t *l)
{
    trove_resign(&l->drainer);
}


trove_rc_t
trove_mark_hold(trove_ledger_t *l)
{
    uint32_t  successions;

    if (trove_lock_take(&l->mark_lock) != TROVE_OK) {
        return TROVE_BUSY;
    }

    successions = trove_get(&l->mark_lock.successions);

    if (trove_likely(trove_get(&l->mark_settled) == successions)) {
        return TROVE_OK;
    }

    if (trove_succeed(l) != TROVE_OK) {
        trove_mark_let_go(l);
        return TROVE_BUSY;
    }

    TROVE_FAULT("mark: settled");

    trove_set(&l->mark_settled, successions);

    return TROVE_OK;
}


void
trove_mark_let_go(trove_ledger_t *l)
{
    trove_lock_release(&l->mark_lock);
}


trove_rc_t
trove_mark_begin(trove_ledger_t *l, uint64_t whose)
{
    uint32_t        i, queue;
    trove_marks_t  *m;

    if (trove_get(&l->queue) == whose) {
        return TROVE_OK;
    }

    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    trove_release(&l->mark_known, 0);
    trove_release(&l->queue, 0);
    TROVE_FAULT("mark: of none");

    for (queue = 0; queue < trove_marks(l); queue++) {
        m = trove_marks_of(l, queue);

        trove_set(&m->done, 0);
        trove_set(&m->queued, 0);
        trove_set(&m->stays, 0);
        trove_set(&m->tried, 0);

        for (i = 0; i < TROVE_MARK_TARGETS; i++) {
            trove_set(&m->in[i], 0);
            trove_set(&m->out[i], 0);
        }

        TROVE_FAULT("mark: zero");
    }

    trove_release(&l->queue, whose);
    TROVE_FAULT("mark: of another");

    trove_mark_let_go(l);

    return TROVE_OK;
}


void
trove_mark_stay(trove_ledger_t *l, uint32_t queue, uint64_t at)
{
    trove_set(&trove_marks_of(l, queue)->stays, at);
}


void
trove_mark_known(trove_ledger_t *l, uint32_t doubts)
{
    trove_release(&l->mark_known, doubts + 1);
}


/* What changed nothing has not moved the mark. */

static trove_rc_t
trove_mark_end(trove_ledger_t *l, uint32_t queue, uint64_t number,
    trove_rc_t rc)
{
    if (rc == TROVE_OK || rc == TROVE_NOTFOUND) {
        trove_marks_done(trove_marks_of(l, queue), number);
    }

    trove_mark_let_go(l);

    return rc;
}


trove_rc_t
trove_mark_put(trove_ledger_t *l, uint64_t number, const trove_reward_t *r,
    uint64_t *version)
{
    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    return trove_mark_end(l, TROVE_MARK_REWARDS, number,
                          trove_ledger_put_marked(l, r, number, version));
}


trove_rc_t
trove_mark_remove(trove_ledger_t *l, uint64_t number, uint32_t id,
    uint64_t *version)
{
    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    return trove_mark_end(l, TROVE_MARK_REWARDS, number,
                          trove_ledger_remove_marked(l, id, number, version));
}


trove_rc_t
trove_mark_claim(trove_redo_t *redo, uint64_t number,
    const trove_claim_rules_t *rules, const trove_claim_request_t *q,
    trove_claim_t *c)
{
    trove_rc_t       rc;
    trove_ledger_t  *l;

    l = trove_redo_ledger(redo);

    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    redo->mark = number;
    rc = trove_claim(redo, rules, q, c);
    redo->mark = 0;

    return trove_mark_end(l, TROVE_MARK_PLAYERS, number, rc);
}


trove_rc_t
trove_mark_tap(trove_redo_t *redo, uint64_t number,
    const trove_tap_request_t *q, trove_tap_t *t)
{
    trove_rc_t       rc;
    trove_ledger_t  *l;

    l = trove_redo_ledger(redo);

    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    redo->mark = number;
    rc = trove_tap(redo, q, t);
    redo->mark = 0;

    return trove_mark_end(l, TROVE_MARK_PLAYERS, number, rc);
}


trove_rc_t
trove_mark_score(trove_ledger_t *l, uint64_t number, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written)
{
    trove_rc_t  rc;

    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_board_write_marked(l, board, q, number, written);

    return trove_mark_end(l, TROVE_MARK_BOARDS + board, number, rc);
}


trove_rc_t
trove_mark_unscore(trove_ledger_t *l, uint64_t number, uint32_t board,
    const trove_slice_t *player, uint64_t now)
{
    trove_rc_t  rc;

    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_board_remove_marked(l, board, player, now, number);

    return trove_mark_end(l, TROVE_MARK_BOARDS + board, number, rc);
}


trove_rc_t
trove_mark_pass(trove_ledger_t *l, uint32_t queue, uint64_t number)
{
    if (trove_mark_hold(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    return trove_mark_end(l, queue, number, TROVE_OK);
}


void
trove_mark_landed(trove_ledger_t *l, uint32_t queue, uint64_t number)
{
    trove_release(&trove_marks_of(l, queue)->stored, number);
}


void
trove_mark_restore(trove_ledger_t *l, uint32_t queue, uint64_t number)
{
    trove_marks_t  *m;

    m = trove_marks_of(l, queue);

    trove_set(&m->done, number);
    trove_set(&m->stored, number);
    trove_set(&m->queued, number);
}


void
trove_mark_restore_whose(trove_ledger_t *l, uint64_t whose)
{
    trove_set(&l->queue, whose);
}


void
trove_mark_lost(trove_ledger_t *l)
{
    uint32_t  queue;

    for (queue = 0; queue < trove_marks(l); queue++) {
        trove_set(&trove_marks_of(l, queue)->stored, 0);
    }
}


int
trove_mark_any(const trove_ledger_t *l)
{
    uint32_t        queue;
    trove_marks_t  *m;

    if (trove_mark_whose(l) == 0) {
        return 0;                      /* nor is any stored */
    }

    for (queue = 0; queue < trove_marks(l); queue++) {
        m = trove_marks_of(l, queue);

        if (trove_get(&m->done) != trove_get(&m->stored)) {
            return 1;
        }
    }

    return 0;
}
