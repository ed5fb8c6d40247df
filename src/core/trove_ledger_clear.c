
/*
 * A ledger emptied in place, beside readers who may be at any part of it: all
 * that they find is as it was, or not there.
 */

#include "trove_ledger_data.h"


static void trove_ledger_clear_rewards(trove_ledger_t *l);
static void trove_ledger_clear_row(trove_ledger_row_t *row, uint32_t next);
static void trove_ledger_clear_claims(trove_ledger_t *l);
static void trove_ledger_clear_players(trove_ledger_t *l);
static void trove_ledger_clear_redos(trove_ledger_t *l);


void
trove_ledger_clear(trove_ledger_t *l)
{
    trove_ledger_intent_t  *in;

    in = &l->intent;

    in->slot = 0;
    trove_set(&in->cell, 0);
    in->free = 0;
    in->used = 0;
    in->live = 0;
    in->mark = 0;
    in->version = TROVE_LEDGER_UNMADE;

    TROVE_FAULT("replica: clear decided");

    trove_release(&in->op, TROVE_LEDGER_CLEAR);
    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("replica: clear noted");

    trove_ledger_cleared(l);
}


/*
 * Claims before players, and both before what was under way with them: as long
 * as there are players a redo may be of one of them.
 */

void
trove_ledger_cleared(trove_ledger_t *l)
{
    trove_ledger_clear_rewards(l);
    trove_ledger_clear_claims(l);
    trove_ledger_clear_redos(l);
    trove_ledger_clear_players(l);

    trove_release(&l->intent.op, TROVE_LEDGER_IDLE);
    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("replica: clear forgotten");
}


/* Slots that ever were stay: the first ones are the first to be used again. */

static void
trove_ledger_clear_rewards(trove_ledger_t *l)
{
    uint32_t  slot, used;

    used = trove_get(&l->used);

    trove_set(&l->index_seq, trove_get(&l->index_seq) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("replica: clear opened");

    if (used != 0) {
        memset((void *) trove_ledger_cells(l), 0,
               (size_t) l->at.cells * sizeof(uint32_t));
        TROVE_FAULT("replica: clear no cells");
    }

    for (slot = 0; slot < used; slot++) {
        trove_ledger_clear_row(trove_ledger_rowp(l, slot),
                               (slot + 1 < used) ? slot + 2 : 0);
    }

    trove_set(&l->live, 0);
    TROVE_FAULT("replica: clear no rewards");

    trove_set(&l->free, used != 0);
    TROVE_FAULT("replica: clear free");

    trove_release(&l->index_seq, trove_get(&l->index_seq) + 1);
    TROVE_FAULT("replica: clear closed");
}


static void
trove_ledger_clear_row(trove_ledger_row_t *row, uint32_t next)
{
    int       i;
    uint64_t  state;

    state = trove_get(&row->state);

    trove_set(&row->state, state | (uint64_t) TROVE_ROW_WRITING << 32);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("replica: clear marked");

    trove_set(&row->words[0], next);

    for (i = 1; i < TROVE_LEDGER_WORDS; i++) {
        trove_set(&row->words[i], 0);
    }

    TROVE_FAULT("replica: clear row");

    trove_release(&row->state,
                  trove_row_state((trove_row_seq(state) + 1)
                                  & TROVE_ROW_VERSION, 0));
    TROVE_FAULT("replica: clear freed");
}


static void
trove_ledger_clear_claims(trove_ledger_t *l)
{
    uint32_t       n;
    trove_index_t  index;

    n = trove_get(&l->claims);

    if (n == 0) {
        return;
    }

    index = trove_claim_index(l);

    memset((void *) index.cells, 0, (size_t) index.n * sizeof(uint64_t));
    TROVE_FAULT("replica: clear no claims' index");

    memset((void *) trove_ledger_claim(l, 0), 0,
           (size_t) n * sizeof(trove_claim_row_t));
    TROVE_FAULT("replica: clear no claims");

    trove_set(&l->claims, 0);
    TROVE_FAULT("replica: clear claims");
}


static void
trove_ledger_clear_players(trove_ledger_t *l)
{
    uint32_t       n;
    trove_index_t  index;

    n = trove_get(&l->players);

    if (n == 0) {
        return;
    }

    index = trove_player_index(l);

    memset((void *) index.cells, 0, (size_t) index.n * sizeof(uint64_t));
    TROVE_FAULT("replica: clear no players' index");

    memset((void *) trove_ledger_record(l, 0), 0,
           (size_t) n * sizeof(trove_record_t));
    TROVE_FAULT("replica: clear no records");

    memset(trove_ledger_name(l, 0), 0, (size_t) n * sizeof(trove_name_t));
    TROVE_FAULT("replica: clear no names");

    trove_set(&l->players, 0);
    TROVE_FAULT("replica: clear players");
}


/* No number is anybody's any more, be he dead or not. */

static void
trove_ledger_clear_redos(trove_ledger_t *l)
{
    uint32_t       n;
    trove_redo_t  *r;

    for (n = 0; n < l->at.redos; n++) {
        r = trove_ledger_redop(l, n);

        trove_set(&r->op, TROVE_REDO_IDLE);
        trove_set(&r->player, 0);
        r->claim = 0;
        r->gives = 0;
        trove_set(&r->spare, 0);
    }

    TROVE_FAULT("replica: clear redos");
}
