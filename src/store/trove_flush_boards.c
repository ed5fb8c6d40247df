
/*
 * Rows of boards are brought to the store, and removed from it with the
 * periods that nobody can see any more.
 */

#include "trove_board_data.h"
#include "trove_dirty.h"
#include "trove_flush_data.h"


static trove_store_rc_t trove_flush_table(trove_flushing_t *w, uint32_t board,
    uint32_t table);
static trove_store_rc_t trove_flush_row(trove_flushing_t *w, uint32_t board,
    uint32_t table, uint32_t number);
static void trove_flush_score(const trove_flush_t *f, uint32_t board,
    uint32_t number, const trove_board_row_t *row, trove_store_score_t *r);
static int trove_flush_freed(trove_ledger_t *l, uint32_t board);
static trove_store_rc_t trove_flush_drop_of(trove_flushing_t *w,
    uint32_t board);


int
trove_flush_read_credits(trove_flush_t *f, const trove_slice_t *id)
{
    uint32_t               i;
    trove_flush_credit_t  *c;

    for (i = 0; i < f->ncredits; i++) {
        c = &f->credits[i];

        c->rc = trove_board_row_of(f->ledger, c->board, c->table, id, c->text,
                                   &c->row);

        if (c->rc == TROVE_BUSY && trove_flush_freed(f->ledger, c->board)) {
            c->rc = trove_board_row_of(f->ledger, c->board, c->table, id,
                                       c->text, &c->row);
        }

        if (c->rc == TROVE_BUSY) {
            return 0;
        }
    }

    return 1;
}


trove_store_rc_t
trove_flush_credits(trove_flush_t *f, uint32_t number, int fresh)
{
    uint32_t                     i;
    trove_store_rc_t             rc;
    trove_store_score_t          r;
    const trove_board_conf_t    *conf;
    const trove_flush_credit_t  *c;

    for (i = 0; i < f->ncredits; i++) {
        c = &f->credits[i];
        conf = trove_board_conf(f->ledger, c->board);
        rc = TROVE_STORE_DONE;

        if (trove_flush_passed(f->ledger, c->board, c->row.period)) {
            continue;
        }

        if (c->rc != TROVE_OK) {
            rc = trove_store_remove_score(f->store, conf, c->row.period,
                                          number);

        } else if (fresh) {
            trove_flush_score(f, c->board, number, &c->row, &r);
            rc = trove_store_put_score(f->store, &r);
        }

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    return TROVE_STORE_DONE;
}


trove_store_rc_t
trove_flush_boards(trove_flushing_t *w)
{
    uint32_t           board, table;
    trove_ledger_t    *l;
    trove_store_rc_t   rc;

    l = w->f->ledger;

    for (board = 0; board < trove_ledger_boards(l); board++) {

        for (table = 0; table < trove_board_tables(l, board); table++) {
            rc = trove_flush_table(w, board, table);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_table(trove_flushing_t *w, uint32_t board, uint32_t table)
{
    uint32_t           i, n, rows[TROVE_FLUSH_BATCH];
    trove_dirty_t      of;
    trove_store_rc_t   rc;

    of = trove_dirty_board(board, table);

    while (w->room >= TROVE_FLUSH_BATCH) {
        n = trove_dirty_take(w->f->ledger, of, &w->f->from[of], rows,
                             TROVE_FLUSH_BATCH);

        if (n == 0) {
            break;
        }

        w->room -= n;

        for (i = 0; i < n; i++) {
            rc = trove_flush_row(w, board, table, rows[i]);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_row(trove_flushing_t *w, uint32_t board, uint32_t table,
    uint32_t number)
{
    trove_rc_t                  rc;
    trove_flush_t              *f;
    trove_board_row_t           row;
    trove_store_score_t         r;
    const trove_board_conf_t   *conf;

    f = w->f;
    conf = trove_board_conf(f->ledger, board);
    rc = trove_board_row(f->ledger, board, table, number, f->text, &row);

    if (rc == TROVE_BUSY && trove_flush_freed(f->ledger, board)) {
        rc = trove_board_row(f->ledger, board, table, number, f->text, &row);
    }

    if (rc == TROVE_BUSY) {
        trove_dirty_set(f->ledger, trove_dirty_board(board, table), number);
        w->skipped = 1;

        return TROVE_STORE_DONE;
    }

    if (trove_flush_passed(f->ledger, board, row.period)) {
        return TROVE_STORE_DONE;
    }

    if (rc != TROVE_OK) {
        return trove_store_remove_score(f->store, conf, row.period, number);
    }

    trove_flush_score(f, board, number, &row, &r);

    return trove_store_put_score(f->store, &r);
}


static void
trove_flush_score(const trove_flush_t *f, uint32_t board, uint32_t number,
    const trove_board_row_t *row, trove_store_score_t *r)
{
    r->board = trove_board_conf(f->ledger, board);
    r->period = row->period;
    r->row = number;
    r->player = row->player;
    r->data = row->data;
    r->score = row->score;
    r->reached = row->reached;
    r->seq = row->seq;
}


/* What a dead writer has left is carried to its end with the lock. */

static int
trove_flush_freed(trove_ledger_t *l, uint32_t board)
{
    if (trove_board_lock(l, board) != TROVE_OK) {
        return 0;
    }

    trove_board_unlock(l, board);

    return 1;
}


int
trove_flush_passed(const trove_ledger_t *l, uint32_t board, uint64_t period)
{
    return trove_acquire(&trove_board_of(l, board)->period) > period + 1;
}


trove_store_rc_t
trove_flush_drop(trove_flushing_t *w)
{
    uint32_t           board;
    trove_store_rc_t   rc;

    w->dropped = 0;

    if (w->room < TROVE_FLUSH_BATCH) {
        return TROVE_STORE_DONE;
    }

    w->f->dropping = 0;

    for (board = 0; board < trove_ledger_boards(w->f->ledger); board++) {
        rc = trove_flush_drop_of(w, board);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_drop_of(trove_flushing_t *w, uint32_t board)
{
    uint32_t                    n;
    uint64_t                    period;
    trove_flush_t              *f;
    trove_store_rc_t            rc;
    const trove_board_conf_t   *conf;

    f = w->f;
    conf = trove_board_conf(f->ledger, board);
    period = trove_acquire(&trove_board_of(f->ledger, board)->period);

    if (conf->reset == TROVE_BOARD_NEVER || period == 0
        || f->periods[board] == period)
    {
        return TROVE_STORE_DONE;
    }

    rc = trove_store_drop_scores(f->store, conf, period - 1, TROVE_FLUSH_DROP,
                                 &n);

    if (rc == TROVE_STORE_DONE) {
        w->dropped += n;

        if (n < TROVE_FLUSH_DROP) {
            f->periods[board] = period;

        } else {
            f->dropping = 1;
        }
    }

    return rc;
}
