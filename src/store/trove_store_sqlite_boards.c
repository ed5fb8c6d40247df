
/*
 * The rows of boards in an SQLite database.
 */

#include "trove_store_sqlite.h"


static trove_store_rc_t trove_sqlite_period(trove_sqlite_t *s,
    const trove_board_conf_t *board, uint64_t period, int make,
    int64_t *number);
static trove_store_rc_t trove_sqlite_period_known(trove_sqlite_t *s,
    const trove_board_conf_t *board, uint64_t period, int *same,
    int64_t *number);
static trove_store_rc_t trove_sqlite_period_begins(trove_sqlite_t *s,
    const trove_board_conf_t *board, uint64_t period, int64_t *number);
static trove_store_rc_t trove_sqlite_drop_of(trove_sqlite_t *s,
    int64_t number, uint32_t max, uint32_t *n);
static sqlite3_stmt *trove_sqlite_of_period(trove_sqlite_t *s, int statement,
    const trove_board_conf_t *board, uint64_t period);


const char *
trove_sqlite_reset(uint32_t reset)
{
    switch (reset) {

    case TROVE_BOARD_DAILY:
        return "daily";

    case TROVE_BOARD_WEEKLY:
        return "weekly";

    case TROVE_BOARD_MONTHLY:
        return "monthly";

    default:
        return "never";
    }
}


trove_store_rc_t
trove_sqlite_score(trove_store_t *store, const trove_store_score_t *r)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    int64_t            number;
    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    rc = trove_sqlite_period(s, r->board, r->period, 1, &number);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    st = s->prepared[TROVE_SQLITE_SCORE];
    s->scores++;

    (void) sqlite3_bind_int64(st, 1, trove_sqlite_score_id(number, r->row));
    (void) sqlite3_bind_text(st, 2, (const char *) r->player.data,
                             (int) r->player.len, SQLITE_STATIC);
    (void) sqlite3_bind_int64(st, 3, r->score);
    (void) sqlite3_bind_int64(st, 4, (sqlite3_int64) r->reached);
    (void) sqlite3_bind_int64(st, 5, (sqlite3_int64) r->seq);

    if (r->data.len == 0) {
        (void) sqlite3_bind_null(st, 6);

    } else {
        (void) sqlite3_bind_text(st, 6, (const char *) r->data.data,
                                 (int) r->data.len, SQLITE_STATIC);
    }

    return trove_sqlite_step(s, TROVE_SQLITE_SCORE);
}


trove_store_rc_t
trove_sqlite_unscore(trove_store_t *store, const trove_board_conf_t *board,
    uint64_t period, uint32_t row)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    int64_t            number;
    trove_store_rc_t   rc;

    rc = trove_sqlite_period(s, board, period, 0, &number);

    if (rc != TROVE_STORE_DONE || number == 0) {
        return rc;
    }

    s->scores++;

    (void) sqlite3_bind_int64(s->prepared[TROVE_SQLITE_UNSCORE], 1,
                              trove_sqlite_score_id(number, row));

    return trove_sqlite_step(s, TROVE_SQLITE_UNSCORE);
}


/*
 * Those of a transaction are few, and each comes many times.  *number is 0 if
 * there is none and none is to be made.
 */

static trove_store_rc_t
trove_sqlite_period(trove_sqlite_t *s, const trove_board_conf_t *board,
    uint64_t period, int make, int64_t *number)
{
    int                     same;
    uint32_t                i;
    trove_store_rc_t        rc;
    trove_sqlite_period_t  *p;

    for (i = 0; i < s->nperiods && i < TROVE_SQLITE_PERIODS; i++) {
        p = &s->periods[i];

        if (p->board == board && p->period == period) {
            *number = p->number;
            return TROVE_STORE_DONE;
        }
    }

    rc = trove_sqlite_period_known(s, board, period, &same, number);

    if (rc == TROVE_STORE_DONE && !same && (make || *number != 0)) {
        rc = trove_sqlite_period_begins(s, board, period, number);
    }

    if (rc == TROVE_STORE_DONE && *number != 0) {
        p = &s->periods[s->nperiods++ % TROVE_SQLITE_PERIODS];

        p->board = board;
        p->period = period;
        p->number = *number;
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_period_known(trove_sqlite_t *s, const trove_board_conf_t *board,
    uint64_t period, int *same, int64_t *number)
{
    int                row;
    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    *same = 0;
    *number = 0;

    st = trove_sqlite_of_period(s, TROVE_SQLITE_PERIOD, board, period);
    rc = trove_sqlite_step_row(s, TROVE_SQLITE_PERIOD, &row);

    if (rc == TROVE_STORE_DONE && row) {
        *number = sqlite3_column_int64(st, 0);
        *same = sqlite3_column_int(st, 1);
        (void) sqlite3_reset(st);
    }

    return rc;
}


/* Or goes on in another order. */

static trove_store_rc_t
trove_sqlite_period_begins(trove_sqlite_t *s, const trove_board_conf_t *board,
    uint64_t period, int64_t *number)
{
    int                same;
    trove_store_rc_t   rc;

    (void) trove_sqlite_of_period(s, TROVE_SQLITE_BEGINS, board, period);
    rc = trove_sqlite_step(s, TROVE_SQLITE_BEGINS);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_period_known(s, board, period, &same, number);
    }

    if (rc == TROVE_STORE_DONE && *number == 0) {
        trove_sqlite_rollback(&s->store);
        rc = trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                 "does not keep the periods of its boards");
    }

    return rc;
}


trove_store_rc_t
trove_sqlite_drop(trove_store_t *store, const trove_board_conf_t *board,
    uint64_t before, uint32_t max, uint32_t *n)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    int                row;
    int64_t            number;
    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    *n = 0;
    s->nperiods = 0;

    do {
        st = trove_sqlite_of_period(s, TROVE_SQLITE_EARLIER, board, before);
        rc = trove_sqlite_step_row(s, TROVE_SQLITE_EARLIER, &row);

        if (rc != TROVE_STORE_DONE || !row) {
            return rc;
        }

        number = sqlite3_column_int64(st, 0);
        (void) sqlite3_reset(st);

        rc = trove_sqlite_drop_of(s, number, max, n);

    } while (rc == TROVE_STORE_DONE && *n < max);

    return rc;
}


/* And the period itself, when nothing more is in it. */

static trove_store_rc_t
trove_sqlite_drop_of(trove_sqlite_t *s, int64_t number, uint32_t max,
    uint32_t *n)
{
    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    st = s->prepared[TROVE_SQLITE_DROP];

    (void) sqlite3_bind_int64(st, 1, trove_sqlite_score_id(number, 0));
    (void) sqlite3_bind_int64(st, 2, trove_sqlite_score_id(number, INT32_MAX));
    (void) sqlite3_bind_int64(st, 3, max - *n);

    rc = trove_sqlite_step(s, TROVE_SQLITE_DROP);

    if (rc == TROVE_STORE_DONE) {
        *n += (uint32_t) sqlite3_changes(s->db);
        s->scores += (uint64_t) sqlite3_changes(s->db);
    }

    if (rc == TROVE_STORE_DONE && *n < max) {
        (void) sqlite3_bind_int64(s->prepared[TROVE_SQLITE_ENDED], 1, number);
        rc = trove_sqlite_step(s, TROVE_SQLITE_ENDED);
    }

    return rc;
}


/* The statement, with what it wants to know of the period. */

static sqlite3_stmt *
trove_sqlite_of_period(trove_sqlite_t *s, int statement,
    const trove_board_conf_t *board, uint64_t period)
{
    sqlite3_stmt  *st;

    st = s->prepared[statement];

    (void) sqlite3_bind_text(st, 1, board->name, -1, SQLITE_STATIC);
    (void) sqlite3_bind_text(st, 2, trove_sqlite_reset(board->reset), -1,
                             SQLITE_STATIC);
    (void) sqlite3_bind_int(st, 3, board->claims != 0);
    (void) sqlite3_bind_int64(st, 4, (sqlite3_int64) period);

    if (statement != TROVE_SQLITE_EARLIER) {
        (void) sqlite3_bind_int(st, 5, board->order == TROVE_BOARD_ASC);
        (void) sqlite3_bind_int(st, 6, board->ties == TROVE_BOARD_SHARED);
    }

    return st;
}
