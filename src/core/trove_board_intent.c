
/*
 * How a board's changes survive the death of who makes them.
 */

#include "trove_board_intent.h"
#include "trove_dirty.h"


static int trove_board_credible(const trove_ledger_t *l, uint32_t board);
static void trove_board_recover(trove_ledger_t *l, uint32_t board,
    uint32_t op);


trove_rc_t
trove_board_lock(trove_ledger_t *l, uint32_t board)
{
    uint32_t        op;
    trove_board_t  *b;

    b = trove_board_of(l, board);

    if (trove_lock_take(&b->lock) != TROVE_OK) {
        return TROVE_BUSY;
    }

    op = trove_acquire(&b->intent.op);

    if (trove_likely(op == TROVE_BOARD_IDLE)) {
        return TROVE_OK;
    }

    if (!trove_board_credible(l, board)) {
        trove_lock_release(&b->lock);
        return TROVE_BUSY;
    }

    trove_board_recover(l, board, op);

    return TROVE_OK;
}


void
trove_board_unlock(trove_ledger_t *l, uint32_t board)
{
    trove_lock_release(&trove_board_of(l, board)->lock);
}


/* An intent in memory that came from elsewhere must not lead out of it. */

static int
trove_board_credible(const trove_ledger_t *l, uint32_t board)
{
    const trove_board_t         *b;
    const trove_board_conf_t    *conf;
    const trove_board_intent_t  *in;

    b = trove_board_of(l, board);
    in = &b->intent;
    conf = trove_board_conf(l, board);

    return trove_get(&in->op) <= TROVE_BOARD_TURN
           && in->table < b->at.tables
           && in->row < conf->rows
           && in->used <= conf->rows
           && in->bytes <= conf->row - sizeof(uint64_t)
           && in->player <= l->at.conf.players;
}


static void
trove_board_recover(trove_ledger_t *l, uint32_t board, uint32_t op)
{
    trove_board_t  *b;

    b = trove_board_of(l, board);

    trove_board_begin(b);

    trove_board_store(l, board, op);
    trove_board_rebuild(l, board, b->intent.table);

    trove_board_end(b);
}


void
trove_board_store(trove_ledger_t *l, uint32_t board, uint32_t op)
{
    trove_board_t         *b;
    trove_board_line_t    *line;
    trove_board_table_t   *t;
    trove_board_intent_t  *in;

    b = trove_board_of(l, board);
    in = &b->intent;
    t = &b->table[in->table];

    if (op == TROVE_BOARD_TURN) {
        trove_set(&t->built, trove_get(&t->built) | 1);
        atomic_thread_fence(memory_order_release);
        TROVE_FAULT("board: turning");

        trove_set(&t->used, 0);
        TROVE_FAULT("board: rows gone");

        trove_release(&t->period, in->period);
        TROVE_FAULT("board: table turned");

        if (in->period > trove_get(&b->period)) {
            trove_release(&b->period, in->period);
            TROVE_FAULT("board: turned");
        }

        return;
    }

    line = trove_board_line(l, board, in->table, in->row);

    trove_set(&line->state, trove_get(&line->state) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("board: row marked");

    memcpy((void *) line->words, trove_board_intent_row(l, board), in->bytes);
    TROVE_FAULT("board: row stored");

    if (in->player != 0) {
        trove_dirty_set(l, TROVE_DIRTY_PLAYERS, in->player - 1);

    } else if (!trove_board_conf(l, board)->claims) {
        trove_dirty_set(l, trove_dirty_board(board, in->table), in->row);
    }

    trove_release(&line->state, trove_get(&line->state) + 1);
    TROVE_FAULT("board: row written");

    trove_release(&t->used, in->used);
    TROVE_FAULT("board: used");

    if (in->reached > trove_get(&b->reached)) {
        trove_set(&b->reached, in->reached);
        TROVE_FAULT("board: reached");
    }

    trove_marks_done(&b->marks, in->mark);
}


void
trove_board_turn(trove_ledger_t *l, uint32_t board, uint64_t period)
{
    trove_board_t         *b;
    trove_board_intent_t  *in;

    b = trove_board_of(l, board);
    in = &b->intent;

    in->table = (uint32_t) (period % b->at.tables);
    in->row = 0;
    in->used = 0;
    in->bytes = 0;
    in->player = 0;
    in->period = period;
    in->reached = 0;
    in->mark = 0;

    trove_board_note(b, TROVE_BOARD_TURN);
    trove_board_begin(b);

    trove_board_store(l, board, TROVE_BOARD_TURN);
    trove_board_empty(l, board, in->table);

    trove_board_end(b);
}
