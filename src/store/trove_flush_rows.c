
/*
 * What is dirty in a ledger is brought to its store.
 */

#include <stdio.h>
#include <string.h>

#include "trove_alloc.h"
#include "trove_board_data.h"
#include "trove_clock.h"
#include "trove_dirty.h"
#include "trove_flush_data.h"
#include "trove_mark.h"
#include "trove_probe.h"


/* Looks at a player's rows before he is left for the next flush. */
#define TROVE_FLUSH_TRIES  64


static trove_store_rc_t trove_flush_some(trove_flushing_t *w);
static trove_store_rc_t trove_flush_rewards(trove_flushing_t *w);
static trove_store_rc_t trove_flush_reward(trove_flushing_t *w,
    uint32_t slot);
static trove_store_rc_t trove_flush_players(trove_flushing_t *w);
static trove_store_rc_t trove_flush_player(trove_flushing_t *w, uint32_t i);
static trove_store_rc_t trove_flush_grow(trove_flush_t *f);
static int trove_flush_read_player(trove_flush_t *f, uint32_t number,
    const trove_slice_t *id, trove_player_t *p);
static trove_store_rc_t trove_flush_claims(trove_flush_t *f, uint32_t claim,
    uint32_t stored);
static trove_store_rc_t trove_flush_torn(trove_flushing_t *w);
static trove_store_rc_t trove_flush_marks(trove_flushing_t *w);
static void trove_flush_landed(trove_flushing_t *w);


trove_store_rc_t
trove_flush_dirty(trove_flush_t *f, int *whole)
{
    trove_flushing_t  w;
    trove_store_rc_t  rc;

    memset(&w, 0, sizeof(w));
    w.f = f;

    memset(f->from, 0, trove_dirty_kinds(f->ledger) * sizeof(uint32_t));

    w.held = trove_mark_whose(f->ledger) != 0;

    /* what an operation has changed is not stored without its mark */

    if (w.held && trove_mark_hold(f->ledger) != TROVE_OK) {
        *whole = 0;
        return TROVE_STORE_DONE;
    }

    /* nor in another transaction */

    w.moved = w.held && trove_mark_any(f->ledger);
    w.rows = w.moved ? UINT32_MAX : TROVE_FLUSH_ROWS;

    do {
        rc = trove_flush_some(&w);
    } while (rc == TROVE_STORE_DONE && w.room < TROVE_FLUSH_BATCH);

    if (w.held) {
        trove_mark_let_go(f->ledger);
    }

    *whole = !w.skipped;

    return rc;
}


/* One transaction, or nothing if nothing is left. */

static trove_store_rc_t
trove_flush_some(trove_flushing_t *w)
{
    uint64_t            start;
    trove_flush_t      *f;
    trove_ledger_t     *l;
    trove_store_rc_t    rc;

    f = w->f;
    l = f->ledger;

    w->room = w->rows;
    w->nplayers = 0;
    w->marked = 0;

    rc = trove_store_begin(f->store);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_rewards(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_players(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_boards(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_drop(w);
    }

    if (rc == TROVE_STORE_DONE && w->moved) {
        rc = w->skipped ? trove_flush_torn(w) : trove_flush_marks(w);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (w->room == w->rows && w->dropped == 0 && !w->marked) {
        trove_store_rollback(f->store);
        return TROVE_STORE_DONE;
    }

    start = trove_clock_ns();

    rc = trove_store_commit(f->store, trove_ledger_version(l));

    TROVE_PROBE(store_commit, f->conf.path, w->rows - w->room,
                trove_clock_ns() - start, rc);

    if (rc == TROVE_STORE_DONE) {
        trove_flush_landed(w);
    }

    return rc;
}


static trove_store_rc_t
trove_flush_rewards(trove_flushing_t *w)
{
    uint32_t           i, n, slots[TROVE_FLUSH_BATCH];
    trove_store_rc_t   rc;

    while (w->room >= TROVE_FLUSH_BATCH) {
        n = trove_dirty_take(w->f->ledger, TROVE_DIRTY_REWARDS,
                             &w->f->from[TROVE_DIRTY_REWARDS], slots,
                             TROVE_FLUSH_BATCH);

        if (n == 0) {
            break;
        }

        w->room -= n;

        for (i = 0; i < n; i++) {
            rc = trove_flush_reward(w, slots[i]);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_reward(trove_flushing_t *w, uint32_t slot)
{
    trove_flush_t         *f;
    trove_ledger_copy_t    copy;
    trove_store_reward_t   r;

    f = w->f;

    if (trove_ledger_read(f->ledger, slot, &copy) != TROVE_OK) {
        trove_dirty_set(f->ledger, TROVE_DIRTY_REWARDS, slot);
        w->skipped = 1;

        return TROVE_STORE_DONE;
    }

    if (copy.reward.id == 0) {
        return trove_store_remove_reward(f->store, slot);
    }

    r.reward = copy.reward;
    r.slot = slot;
    r.born = copy.born;

    return trove_store_put_reward(f->store, &r);
}


static trove_store_rc_t
trove_flush_players(trove_flushing_t *w)
{
    uint32_t           n;
    trove_flush_t     *f;
    trove_store_rc_t   rc;

    f = w->f;

    while (w->room >= TROVE_FLUSH_BATCH) {

        if (f->nplayers - w->nplayers < TROVE_FLUSH_BATCH) {
            rc = trove_flush_grow(f);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }

        n = trove_dirty_take(f->ledger, TROVE_DIRTY_PLAYERS,
                             &f->from[TROVE_DIRTY_PLAYERS],
                             f->numbers + w->nplayers, TROVE_FLUSH_BATCH);

        if (n == 0) {
            break;
        }

        w->room -= n;

        for ( /* void */ ; n > 0; n--) {
            rc = trove_flush_player(w, w->nplayers++);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


/* There are twice as many players in a transaction. */

static trove_store_rc_t
trove_flush_grow(trove_flush_t *f)
{
    size_t     size;
    uint32_t  *numbers, *claims;

    size = f->nplayers * sizeof(uint32_t);
    numbers = trove_alloc(2 * size);
    claims = trove_alloc(2 * size);

    if (numbers == NULL || claims == NULL) {
        trove_free(numbers);
        trove_free(claims);
        (void) snprintf(f->error, TROVE_STORE_ERROR, "there is no memory for "
                        "%u players at once", 2 * f->nplayers);
        trove_stat_add(&f->stats.failures[TROVE_STORE_NOMEM], 1);

        return TROVE_STORE_NOMEM;
    }

    memcpy(numbers, f->numbers, size);
    memcpy(claims, f->claims, size);
    trove_free(f->numbers);
    trove_free(f->claims);

    f->numbers = numbers;
    f->claims = claims;
    f->nplayers *= 2;

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_player(trove_flushing_t *w, uint32_t i)
{
    trove_flush_t         *f;
    trove_name_t          *name;
    trove_store_rc_t       rc;
    trove_store_player_t   p;

    f = w->f;
    name = trove_ledger_name(f->ledger, f->numbers[i]);
    f->claims[i] = trove_get(&name->stored);

    p.id.data = name->id;
    p.id.len = name->len;
    p.number = f->numbers[i];

    if (!trove_flush_read_player(f, p.number, &p.id, &p.data)) {
        trove_dirty_set(f->ledger, TROVE_DIRTY_PLAYERS, p.number);
        w->skipped = 1;

        return TROVE_STORE_DONE;
    }

    rc = trove_store_put_player(f->store, &p);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_claims(f, p.data.claim, f->claims[i]);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_credits(f, p.number, p.data.claim != f->claims[i]);
    }

    f->claims[i] = p.data.claim;

    return rc;
}


/*
 * With his rows as they were when this was his latest claim: he cannot be read
 * while one is under way that has been added to some of them only.
 */

static int
trove_flush_read_player(trove_flush_t *f, uint32_t number,
    const trove_slice_t *id, trove_player_t *p)
{
    int       n;
    uint32_t  claim;

    if (trove_player_read(f->ledger, number, p) != TROVE_OK) {
        return 0;
    }

    if (f->ncredits == 0) {
        return 1;
    }

    for (n = 0; n < TROVE_FLUSH_TRIES; n++) {
        claim = p->claim;

        if (!trove_flush_read_credits(f, id)
            || trove_player_read(f->ledger, number, p) != TROVE_OK)
        {
            return 0;
        }

        if (p->claim == claim) {
            return 1;
        }
    }

    return 0;
}


/* The player's claims from the latest back to the one that is stored. */

static trove_store_rc_t
trove_flush_claims(trove_flush_t *f, uint32_t claim, uint32_t stored)
{
    uint32_t                  n;
    trove_ledger_t           *l;
    trove_store_rc_t          rc;
    const trove_claim_row_t  *row;
    trove_store_claim_t       c;

    l = f->ledger;

    for (n = 0; claim != stored && n < l->at.conf.claims; n++) {

        if (claim == 0 || claim > l->at.conf.claims) {
            break;
        }

        row = trove_ledger_claim(l, claim - 1);

        c.player = row->player;
        c.reward = row->reward;
        c.born = row->born;
        c.ordinal = row->ordinal;
        c.value = row->value;
        c.balance = row->balance;
        c.at = trove_get(&((trove_claim_row_t *) row)->at) >> 1;

        rc = trove_store_put_claim(f->store, &c);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }

        claim = row->prev;
    }

    return TROVE_STORE_DONE;
}


/* A row was left out that may be one of those that the marks stand for. */

static trove_store_rc_t
trove_flush_torn(trove_flushing_t *w)
{
    (void) snprintf(w->f->error, TROVE_STORE_ERROR, "what came from a queue is "
                    "held by a process that does not move");
    trove_stat_add(&w->f->stats.failures[TROVE_STORE_BUSY], 1);

    return TROVE_STORE_BUSY;
}


static trove_store_rc_t
trove_flush_marks(trove_flushing_t *w)
{
    char               buf[TROVE_MARK_NAME];
    uint32_t           queue;
    trove_slice_t      name;
    trove_flush_t     *f;
    trove_ledger_t    *l;
    trove_store_rc_t   rc;

    f = w->f;
    l = f->ledger;

    name.data = (const unsigned char *) "";
    name.len = 0;

    rc = trove_store_put_mark(f->store, &name, trove_mark_whose(l));

    for (queue = 0; queue < trove_marks(l) && rc == TROVE_STORE_DONE; queue++)
    {
        f->marks[queue] = trove_mark(l, queue);

        name.data = (const unsigned char *) trove_mark_name(l, queue, buf);
        name.len = strlen((const char *) name.data);

        rc = trove_store_put_mark(f->store, &name, f->marks[queue]);
    }

    w->marked = (rc == TROVE_STORE_DONE);

    return rc;
}


/* Who dies here has stored what the next one stores again. */

static void
trove_flush_landed(trove_flushing_t *w)
{
    uint32_t         i;
    trove_dirty_t    of;
    trove_flush_t   *f;
    trove_ledger_t  *l;

    f = w->f;
    l = f->ledger;

    TROVE_FAULT("flush: committed");

    for (i = 0; i < w->nplayers; i++) {
        trove_set(&trove_ledger_name(l, f->numbers[i])->stored, f->claims[i]);
        TROVE_FAULT("flush: claims");
    }

    for (i = 0; w->marked && i < trove_marks(l); i++) {
        trove_mark_landed(l, i, f->marks[i]);
        TROVE_FAULT("flush: marks");
    }

    trove_release(&l->store_flush, f->store->info.flush);
    TROVE_FAULT("flush: noted");

    for (of = 0; of < trove_dirty_kinds(l); of++) {
        trove_dirty_landed(l, of);
    }

    TROVE_FAULT("flush: landed");
}
