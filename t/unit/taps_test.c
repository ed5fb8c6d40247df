
/*
 * Taps: balances, retries, and the rate under any clock.
 */

#include "players.h"


static void
a_tap_adds_its_coin(void **state)
{
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_slice_t    id;
    trove_ledger_t  *l;
    trove_player_t   p;

    l = ledger_new(1, 10, 0);
    r = redo_new(l);
    id = slice("p1");

    assert_int_equal(trove_player_get(l, &id, &p), TROVE_NOTFOUND);

    assert_int_equal(tap(r, "p1", 0, 5, &t), TROVE_OK);
    assert_int_equal(t.result, TROVE_TAP_GRANTED);
    assert_int_equal(t.value, 5);
    assert_int_equal(t.coin, 36);
    assert_int_equal(t.balance, 5);

    assert_int_equal(tap(r, "p1", 0, -7, &t), TROVE_OK);
    assert_int_equal(t.balance, -2);

    assert_int_equal(tap(r, "p2", 0, 1, &t), TROVE_OK);
    assert_int_equal(t.balance, 1);

    assert_int_equal(trove_player_get(l, &id, &p), TROVE_OK);
    assert_int_equal(p.balance, -2);
    assert_int_equal(p.seq, 0);
    assert_int_equal(p.claim, 0);
    assert_int_equal(trove_ledger_players(l), 2);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
the_last_seq_gives_the_same_coin_again(void **state)
{
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = ledger_new(1, 10, 0);
    r = redo_new(l);

    assert_int_equal(tap(r, "p1", 7, 5, &t), TROVE_OK);
    assert_int_equal(t.result, TROVE_TAP_GRANTED);

    assert_int_equal(tap(r, "p1", 7, 9, &t), TROVE_OK);
    assert_int_equal(t.result, TROVE_TAP_REPEAT);
    assert_int_equal(t.value, 5);
    assert_int_equal(t.coin, 36);
    assert_int_equal(t.balance, 5);

    assert_int_equal(tap(r, "p1", 6, 9, &t), TROVE_OK);
    assert_int_equal(t.result, TROVE_TAP_STALE);
    assert_int_equal(t.balance, 5);

    /* nor does one without come in between */

    assert_int_equal(tap(r, "p1", 0, 100, &t), TROVE_OK);
    assert_int_equal(t.balance, 105);

    assert_int_equal(tap(r, "p1", 7, 9, &t), TROVE_OK);
    assert_int_equal(t.result, TROVE_TAP_REPEAT);
    assert_int_equal(t.value, 5);
    assert_int_equal(t.balance, 105);

    assert_int_equal(tap(r, "p1", UINT64_MAX, 1, &t), TROVE_OK);
    assert_int_equal(t.result, TROVE_TAP_GRANTED);
    assert_int_equal(t.balance, 106);

    ledger_free(l);
}


static trove_tap_result_t
tap_at(trove_redo_t *r, uint64_t now, uint64_t interval, uint32_t burst,
    uint64_t *wait)
{
    trove_tap_t          t;
    trove_tap_request_t  q;

    memset(&q, 0, sizeof(q));
    q.player = slice("p1");
    q.now = now;
    q.interval = interval;
    q.burst = burst;
    q.value = 1;

    assert_int_equal(trove_tap(r, &q, &t), TROVE_OK);
    *wait = t.wait;

    return t.result;
}


static void
a_burst_and_then_the_rate(void **state)
{
    int              i;
    uint64_t         now, wait;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = ledger_new(1, 10, 0);
    r = redo_new(l);
    now = NOW * 1000;

    for (i = 0; i < 4; i++) {
        assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_GRANTED);
    }

    assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_LIMITED);
    assert_int_equal(wait, 100);
    assert_int_equal(tap_at(r, now + 99, 100, 3, &wait), TROVE_TAP_LIMITED);
    assert_int_equal(wait, 1);
    assert_int_equal(tap_at(r, now + 100, 100, 3, &wait), TROVE_TAP_GRANTED);
    assert_int_equal(tap_at(r, now + 100, 100, 3, &wait), TROVE_TAP_LIMITED);

    /* all of the burst is back only after so long, and never more */

    now += 1000000;

    for (i = 0; i < 4; i++) {
        assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_GRANTED);
    }

    assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_LIMITED);

    /* without a rate nothing is limited */

    assert_int_equal(tap_at(r, now, 0, 0, &wait), TROVE_TAP_GRANTED);
    assert_int_equal(tap_at(r, now, UINT64_MAX / 4, UINT32_MAX, &wait),
                     TROVE_TAP_GRANTED);

    ledger_free(l);
}


static void
a_clock_set_back_neither_locks_out_nor_opens(void **state)
{
    int              i, granted;
    uint64_t         now, wait;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = ledger_new(1, 10, 0);
    r = redo_new(l);
    now = NOW * 1000;

    for (i = 0; i < 4; i++) {
        assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_GRANTED);
    }

    /* an hour back: one, and then the rate */

    now -= 3600000000;

    assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_GRANTED);
    assert_int_equal(tap_at(r, now, 100, 3, &wait), TROVE_TAP_LIMITED);
    assert_int_equal(wait, 100);

    granted = 0;

    for (i = 0; i < 1000; i++) {
        now++;
        granted += (tap_at(r, now, 100, 3, &wait) == TROVE_TAP_GRANTED);
    }

    assert_int_equal(granted, 10);

    /* a little back is waited out, or workers whose clocks differ give more */

    while (tap_at(r, now, 100, 3, &wait) == TROVE_TAP_GRANTED) { /* void */ }

    assert_int_equal(tap_at(r, now - 900000, 100, 3, &wait),
                     TROVE_TAP_LIMITED);

    ledger_free(l);
}


/* At random times, never more in any stretch of time than burst and rate. */

static void
the_rate_holds_over_any_stretch(void **state)
{
    enum { N = 600 };

    int              i, j, n;
    uint32_t         interval, burst;
    uint64_t         now, wait, at[N];
    trove_redo_t    *r;
    trove_ledger_t  *l;

    for (i = 0; i < 20; i++) {
        l = ledger_new(1, 1, 0);
        r = redo_new(l);
        interval = 1 + random_below(1000);
        burst = random_below(10);
        now = NOW * 1000;
        n = 0;

        while (n < N) {
            now += random_below(interval);

            if (tap_at(r, now, interval, burst, &wait) == TROVE_TAP_GRANTED) {
                at[n++] = now;

            } else {
                assert_int_equal(tap_at(r, now + wait - 1, interval, burst,
                                        &(uint64_t) { 0 }),
                                 TROVE_TAP_LIMITED);
                assert_int_equal(tap_at(r, now + wait, interval, burst,
                                        &(uint64_t) { 0 }),
                                 TROVE_TAP_GRANTED);
                now += wait;
                at[n++] = now;
            }

            for (j = 0; j < n - 1; j++) {
                assert_true((uint64_t) (n - 1 - j)
                            <= (at[n - 1] - at[j]) / interval + burst + 1);
            }
        }

        ledger_free(l);
    }
}


static void
a_balance_stops_at_its_ends(void **state)
{
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = ledger_new(1, 1, 0);
    r = redo_new(l);

    assert_int_equal(tap(r, "p1", 0, 1, &t), TROVE_OK);

    trove_ledger_record(l, 0)->words[0] = INT64_MAX - 1;
    assert_int_equal(tap(r, "p1", 0, 5, &t), TROVE_OK);
    assert_true(t.balance == INT64_MAX);

    trove_ledger_record(l, 0)->words[0] = (uint64_t) INT64_MIN + 1;
    assert_int_equal(tap(r, "p1", 0, -5, &t), TROVE_OK);
    assert_true(t.balance == INT64_MIN);

    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_tap_adds_its_coin),
        cmocka_unit_test(the_last_seq_gives_the_same_coin_again),
        cmocka_unit_test(a_burst_and_then_the_rate),
        cmocka_unit_test(a_clock_set_back_neither_locks_out_nor_opens),
        cmocka_unit_test(the_rate_holds_over_any_stretch),
        cmocka_unit_test(a_balance_stops_at_its_ends),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
