
/*
 * The boards of a ledger: their layout, and their periods.
 */

#include "boards.h"


static void
a_board_is_found_by_its_name(void **state)
{
    trove_slice_t        id;
    trove_ledger_t      *l;
    trove_board_conf_t   boards[3];

    boards[0] = board_conf("weekly", 10);
    boards[1] = board_conf("week", 1);
    boards[2] = board_conf("all-time", 1000);
    boards[1].reset = TROVE_BOARD_WEEKLY;

    l = boards_new(boards, 3);

    assert_int_equal(trove_ledger_boards(l), 3);

    id = slice("week");
    assert_int_equal(trove_board_find(l, &id), 1);
    id = slice("weekly");
    assert_int_equal(trove_board_find(l, &id), 0);
    id = slice("all-time");
    assert_int_equal(trove_board_find(l, &id), 2);
    id = slice("all");
    assert_int_equal(trove_board_find(l, &id), TROVE_BOARD_NONE);
    id = slice("");
    assert_int_equal(trove_board_find(l, &id), TROVE_BOARD_NONE);

    assert_int_equal(trove_board_conf(l, 2)->rows, 1000);
    assert_int_equal(trove_board_tables(l, 0), 1);
    assert_int_equal(trove_board_tables(l, 1), 2);

    ledger_free(l);
}


static void
attach(trove_ledger_t *l, const trove_board_conf_t *boards, uint32_t n,
    trove_rc_t rc)
{
    trove_ledger_t       *other;
    trove_ledger_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 1;
    conf.boards = boards;
    conf.nboards = n;

    assert_int_equal(trove_ledger_attach(l, &conf, &other), rc);
    assert_ptr_equal(other, l);
}


static void
a_ledger_of_other_boards_is_told_apart(void **state)
{
    trove_ledger_t      *l;
    trove_board_conf_t   boards[3], other[3];

    boards[0] = board_conf("a", 10);
    boards[1] = board_conf("b", 20);
    boards[2] = board_conf("c", 20);

    l = boards_new(boards, 2);

    attach(l, boards, 2, TROVE_OK);
    attach(l, boards, 1, TROVE_MISMATCH);
    attach(l, boards, 3, TROVE_MISMATCH);
    attach(l, NULL, 0, TROVE_MISMATCH);

#define differs(field, value)                                                 \
    memcpy(other, boards, sizeof(other));                                     \
    other[1].field = value;                                                   \
    attach(l, other, 2, TROVE_MISMATCH)

    differs(name[0], 'c');
    differs(rows, 21);
    differs(row, 136);
    differs(keep, TROVE_BOARD_SUM);
    differs(order, TROVE_BOARD_ASC);
    differs(ties, TROVE_BOARD_SHARED);
    differs(reset, TROVE_BOARD_DAILY);
    differs(claims, 1);

    ledger_free(l);
}


/* Any bit of what the boards are laid out by. */

static void
a_board_that_is_damaged_is_no_ledgers(void **state)
{
    size_t                i;
    unsigned char        *mem;
    trove_ledger_t       *l, *other;
    trove_board_conf_t    board;
    trove_ledger_conf_t   conf;

    board = board_conf("a", 10);
    l = boards_new(&board, 1);

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 1;
    conf.boards = &board;
    conf.nboards = 1;

    mem = (unsigned char *) trove_board_of(l, 0);

    for (i = 0; i < sizeof(trove_board_layout_t) * 8; i++) {
        mem[i / 8] ^= 1 << i % 8;
        assert_int_equal(trove_ledger_attach(l, &conf, &other),
                         TROVE_MISMATCH);
        assert_null(other);
        mem[i / 8] ^= 1 << i % 8;
    }

    assert_int_equal(trove_ledger_attach(l, &conf, &other), TROVE_OK);

    ledger_free(l);
}


static void
sections_lie_one_behind_the_other(void **state)
{
    uint32_t               i, k;
    trove_ledger_t        *l;
    trove_board_t         *b;
    trove_board_conf_t     boards[2];
    trove_board_place_t   *t;

    boards[0] = board_conf("a", 1000);
    boards[1] = board_conf("b", 3);
    boards[0].reset = TROVE_BOARD_DAILY;

    l = boards_new(boards, 2);

    for (i = 0; i < 2; i++) {
        b = trove_board_of(l, i);
        assert_true(b->at.size <= trove_ledger_bytes(l));

        for (k = 0; k < b->at.tables; k++) {
            t = &b->at.table[k];
            assert_true(t->rows_at >= l->at.size);
            assert_true(t->cells_at >= t->rows_at + 128 * boards[i].rows);
            assert_true(t->dirty_at >= t->cells_at + b->at.cells * 8);
            assert_true(t->leaves_at >= t->dirty_at + boards[i].rows / 8);
            assert_true(t->inners_at >= t->leaves_at + b->at.leaves
                                        * sizeof(trove_board_leaf_t));
            assert_true(b->at.size >= t->inners_at + b->at.inners
                                      * sizeof(trove_board_inner_t));
        }
    }

    ledger_free(l);
}


/* By the C library's calendar. */

static void
periods_are_those_of_the_calendar(void **state)
{
    int        i;
    time_t     t, begins;
    uint64_t   p;
    struct tm  tm;

    for (i = 0; i < 200000; i++) {
        t = (time_t) (random_bits() % (200ULL * 365 * 86400));
        t += (i % 3 == 0) ? 86400 - t % 86400 - (i % 2) : 0;

        assert_int_equal(trove_board_period(TROVE_BOARD_NEVER, t * 1000), 0);
        assert_int_equal(trove_board_begins(TROVE_BOARD_NEVER, 1), 0);

        p = trove_board_period(TROVE_BOARD_DAILY, t * 1000 + 999);
        assert_int_equal(trove_board_begins(TROVE_BOARD_DAILY, p),
                         t - t % 86400);

        /* a week holds its time, and begins with a Monday */

        p = trove_board_period(TROVE_BOARD_WEEKLY, t * 1000 + 999);
        begins = (time_t) trove_board_begins(TROVE_BOARD_WEEKLY, p);
        assert_true(begins <= t);
        assert_int_equal(gmtime_r(&begins, &tm)->tm_wday, (p != 0) ? 1 : 4);
        begins = (time_t) trove_board_begins(TROVE_BOARD_WEEKLY, p + 1);
        assert_true(begins > t && begins % 86400 == 0);
        assert_int_equal(gmtime_r(&begins, &tm)->tm_wday, 1);

        (void) gmtime_r(&t, &tm);
        p = trove_board_period(TROVE_BOARD_MONTHLY, t * 1000 + 999);
        assert_int_equal(p, (tm.tm_year - 70) * 12 + tm.tm_mon);

        tm.tm_mday = 1;
        tm.tm_hour = 0;
        tm.tm_min = 0;
        tm.tm_sec = 0;
        assert_int_equal(trove_board_begins(TROVE_BOARD_MONTHLY, p),
                         timegm(&tm));
    }
}


static void
an_untouched_board_is_empty(void **state)
{
    char                  text[128];
    uint64_t              now;
    trove_ledger_t       *l;
    trove_board_row_t     row;
    trove_board_conf_t    boards[2];
    trove_board_state_t   s;

    boards[0] = board_conf("a", 10);
    boards[1] = board_conf("b", 10);
    boards[1].reset = TROVE_BOARD_DAILY;

    l = boards_new(boards, 2);
    now = 1699920000000 + 3600000;

    trove_board_state(l, 0, 0, now, &s);
    assert_true(s.rows == 0 && s.ends == 0);
    trove_board_state(l, 0, -1, now, &s);
    assert_true(s.rows == 0 && s.ends == 0);
    trove_board_state(l, 1, 0, now, &s);
    assert_true(s.rows == 0 && s.ends == 1699920000 + 86400);
    trove_board_state(l, 1, -1, now, &s);
    assert_true(s.rows == 0 && s.ends == 1699920000);
    trove_board_state(l, 1, -1, 0, &s);
    assert_true(s.rows == 0 && s.ends == 0);

    assert_int_equal(trove_board_rebuilds(l, 0), 0);
    assert_int_equal(trove_board_row(l, 0, 0, 3, text, &row), TROVE_NOTFOUND);
    assert_int_equal(trove_dirty_kinds(l), 6);

    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_board_is_found_by_its_name),
        cmocka_unit_test(a_ledger_of_other_boards_is_told_apart),
        cmocka_unit_test(a_board_that_is_damaged_is_no_ledgers),
        cmocka_unit_test(sections_lie_one_behind_the_other),
        cmocka_unit_test(periods_are_those_of_the_calendar),
        cmocka_unit_test(an_untouched_board_is_empty),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
