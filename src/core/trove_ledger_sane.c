
#include "trove_board_data.h"
#include "trove_ledger_data.h"


static int trove_ledger_sane_rows(trove_ledger_t *l);
static int trove_ledger_sane_index(const trove_ledger_t *l);
static int trove_ledger_sane_free(const trove_ledger_t *l);


int
trove_ledger_sane(trove_ledger_t *l)
{
    int  sane;

    if (trove_ledger_lock(l) != TROVE_OK) {
        return 0;
    }

    sane = trove_get(&l->intent.op) == TROVE_LEDGER_IDLE
           && trove_get(&l->used) <= l->at.conf.rewards
           && trove_ledger_sane_rows(l)
           && trove_ledger_sane_index(l)
           && trove_ledger_sane_free(l)
           && (l->at.conf.players == 0 || trove_players_sane(l));

    trove_ledger_unlock(l);

    return sane && trove_board_sane(l);
}


/*
 * Every live row is whole, found by its id, and in the log if that reaches
 * back to it; there are as many as are counted, none above "used".
 */

static int
trove_ledger_sane_rows(trove_ledger_t *l)
{
    uint32_t             slot, seq, id, at, live, used;
    uint64_t             state, version, written;
    trove_ledger_row_t  *row;

    live = 0;
    used = trove_get(&l->used);
    version = trove_get(&l->version);

    for (slot = 0; slot < l->at.conf.rewards; slot++) {
        row = trove_ledger_rowp(l, slot);
        state = trove_get(&row->state);
        seq = trove_row_seq(state);
        id = trove_ledger_row_id(row);

        if ((seq & TROVE_ROW_WRITING) != 0
            || (slot >= used && state != 0)
            || (id == 0 && trove_row_head(state) != 0))
        {
            return 0;
        }

        written = version - ((version - seq) & TROVE_ROW_VERSION);

        if (slot < used
            && (trove_get(&l->generation) & 1) == 0
            && written > trove_get(&l->loaded)
            && version - written < l->at.log_size
            && trove_get(trove_ledger_log(l, written))
               != (written << 32 | slot))
        {
            return 0;
        }

        if (id == 0) {
            continue;
        }

        live++;

        if (trove_ledger_find(l, id, &at) != TROVE_OK || at != slot) {
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

    for (cell = 0; cell < l->at.cells; cell++) {
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
