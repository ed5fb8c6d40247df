
/*
 * Players: found by any id, made once, never beyond their number, and read in
 * whole whoever writes them.
 */

#include "players.h"
#include "trove_dirty.h"


#define ID_A  "0123456789abcdef0123456789abcdef0123456a"
#define ID_B  "0123456789abcdef0123456789abcdef0123456b"


static void
ids_of_any_length_are_their_own(void **state)
{
    char             id[TROVE_PLAYER_MAX + 2];
    size_t           len;
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_slice_t    s;
    trove_ledger_t  *l;
    trove_player_t   p;

    l = ledger_new(1, 100, 0);
    r = redo_new(l);
    memset(id, 'x', sizeof(id));

    for (len = 1; len <= TROVE_PLAYER_MAX; len++) {
        id[len] = '\0';
        assert_int_equal(tap(r, id, 0, (int32_t) len, &t), TROVE_OK);
        assert_int_equal(t.balance, len);
        id[len] = 'x';
    }

    for (len = 1; len <= TROVE_PLAYER_MAX; len++) {
        s.data = (unsigned char *) id;
        s.len = len;
        assert_int_equal(trove_player_get(l, &s, &p), TROVE_OK);
        assert_int_equal(p.balance, len);
    }

    id[TROVE_PLAYER_MAX + 1] = '\0';
    s.len = TROVE_PLAYER_MAX + 1;

    assert_int_equal(trove_player_get(l, &s, &p), TROVE_NOTFOUND);
    assert_int_equal(tap(r, id, 0, 1, &t), TROVE_INVALID);
    assert_int_equal(tap(r, "", 0, 1, &t), TROVE_INVALID);
    assert_int_equal(trove_ledger_players(l), TROVE_PLAYER_MAX);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
the_last_of_40_bytes_counts(void **state)
{
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = ledger_new(1, 10, 0);
    r = redo_new(l);

    assert_int_equal(tap(r, ID_A, 0, 1, &t), TROVE_OK);
    assert_int_equal(tap(r, ID_B, 0, 10, &t), TROVE_OK);
    assert_int_equal(t.balance, 10);
    assert_int_equal(tap(r, ID_A, 0, 1, &t), TROVE_OK);
    assert_int_equal(t.balance, 2);
    assert_int_equal(trove_ledger_players(l), 2);

    ledger_free(l);
}


static void
a_full_table_takes_no_other_and_loses_none(void **state)
{
    enum { N = 1000 };

    char             buf[16];
    uint32_t         n;
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_slice_t    id;
    trove_ledger_t  *l;
    trove_player_t   p;

    l = ledger_new(1, N, 0);
    r = redo_new(l);

    for (n = 0; n < N; n++) {
        (void) player_id(buf, n);
        assert_int_equal(tap(r, buf, 0, (int32_t) n, &t), TROVE_OK);
    }

    for (n = N; n < N + 10; n++) {
        (void) player_id(buf, n);
        assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_FULL);
    }

    for (n = 0; n < N + 10; n++) {
        id = player_id(buf, n);
        assert_int_equal(trove_player_get(l, &id, &p),
                         (n < N) ? TROVE_OK : TROVE_NOTFOUND);
        assert_true(n >= N || p.balance == n);
    }

    assert_int_equal(tap(r, "p7", 0, 1, &t), TROVE_OK);
    assert_int_equal(t.balance, 8);
    assert_int_equal(trove_ledger_players(l), N);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
a_player_takes_128_bytes_at_most(void **state)
{
    uint64_t             n, without;
    trove_ledger_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 1;
    without = trove_ledger_size(&conf);

    /* the redos are as many for few players */

    for (n = 16384; n < INT32_MAX; n += n / 7) {
        conf.players = (uint32_t) n;
        assert_true(trove_ledger_size(&conf) - without <= 128 * n);
    }
}


static void
without_players_there_is_no_redo(void **state)
{
    trove_redo_t    *r;
    trove_slice_t    id;
    trove_ledger_t  *l;
    trove_player_t   p;

    l = ledger_new(1, 0, 10);
    id = slice("p1");

    assert_int_equal(trove_redo_open(l, &r), TROVE_FULL);
    assert_int_equal(trove_player_get(l, &id, &p), TROVE_NOTFOUND);
    trove_player_fetch_cell(l, trove_player_hash(l, &id));
    trove_player_fetch(l, trove_player_hash(l, &id));
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
as_many_processes_as_there_is_room_for(void **state)
{
    int              n;
    trove_redo_t    *r, *all[TROVE_RECORD_OWNERS];
    trove_ledger_t  *l;

    l = ledger_new(1, 1, 0);

    for (n = 0; n < TROVE_RECORD_OWNERS; n++) {
        assert_int_equal(trove_redo_open(l, &all[n]), TROVE_OK);
    }

    assert_int_equal(trove_redo_open(l, &r), TROVE_FULL);

    trove_redo_close(all[17]);
    assert_int_equal(trove_redo_open(l, &r), TROVE_OK);
    assert_ptr_equal(r, all[17]);

    ledger_free(l);
}


/* Wherever it is mapped. */

static void
nothing_in_it_is_an_address(void **state)
{
    int                   n;
    char                  buf[16];
    void                 *mem;
    size_t                size;
    trove_tap_t           t;
    trove_redo_t         *r;
    trove_slice_t         id;
    trove_claim_t         c;
    trove_ledger_t       *l, *other;
    trove_player_t        p;
    trove_ledger_conf_t   conf;

    l = ledger_new(10, 100, 100);
    conf = *trove_ledger_conf(l);
    size = trove_ledger_size(&conf);
    reward_put(l, 1, 50, 100);
    r = redo_new(l);

    for (n = 0; n < 50; n++) {
        (void) player_id(buf, n);
        assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_OK);
        assert_int_equal(claim(r, buf, 1, &c), TROVE_OK);
    }

    /* a second mapping of the same memory, and then no other */

    mem = mremap(l, 0, size, MREMAP_MAYMOVE);
    assert_ptr_not_equal(mem, MAP_FAILED);
    (void) mprotect(l, size, PROT_NONE);

    assert_int_equal(trove_ledger_attach(mem, &conf, &other), TROVE_OK);
    r = redo_new(other);

    for (n = 0; n < 60; n++) {
        id = player_id(buf, n);
        assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_OK);
        assert_int_equal(claim(r, buf, 1, &c), TROVE_OK);
        assert_int_equal(c.result, (n < 50) ? TROVE_CLAIM_REPEAT
                                            : TROVE_CLAIM_GRANTED);
        assert_int_equal(trove_player_get(other, &id, &p), TROVE_OK);
        assert_int_equal(p.balance, (n < 50) ? 52 : 51);
    }

    assert_true(trove_ledger_sane(other));

    ledger_free(other);
    (void) munmap(l, size);
}


/* A record that is read while others tap. */


typedef struct {
    trove_redo_t  *redo;
    uint32_t       times;
} other_t;


static void
other_taps(void *data)
{
    other_t      *o;
    trove_tap_t   t;

    for (o = data; o->times != 0; o->times--) {
        assert_int_equal(tap(o->redo, "p1", o->times, 1, &t), TROVE_OK);
    }
}


static void
a_record_is_copied_whole(void **state)
{
    other_t          o;
    uint32_t         nth;
    trove_tap_t      t;
    trove_slice_t    id;
    trove_ledger_t  *l;
    trove_player_t   p;

    id = slice("p1");

    for (nth = 1; nth <= TROVE_RECORD_WORDS; nth++) {
        l = ledger_new(1, 10, 0);
        o.redo = redo_new(l);
        o.times = 1;

        assert_int_equal(tap(o.redo, "p1", 0, 5, &t), TROVE_OK);

        trove_fault_meet_arm("player: copy", nth, other_taps, &o);
        assert_int_equal(trove_player_get(l, &id, &p), TROVE_OK);
        assert_int_equal(p.balance, 6);
        assert_int_equal(p.seq, 1);
        assert_int_equal(p.coin, 8);

        ledger_free(l);
    }
}


/* What a store is told of. */

static void
what_changed_is_dirty_until_it_landed(void **state)
{
    enum { N = 10000, MAX = 100 };

    char             buf[16];
    uint32_t         i, k, n, from, taken, numbers[MAX];
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;
    unsigned char   *dirty;

    l = ledger_new(N, N, 10);
    r = redo_new(l);
    dirty = calloc(N, 1);
    assert_non_null(dirty);

    for (i = 0; i < N; i++) {
        (void) player_id(buf, i);
        assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_OK);
        dirty[i] = 1;
    }

    for (i = 0; i < 30; i++) {
        from = 0;
        taken = 0;

        while ((n = trove_dirty_take(l, TROVE_DIRTY_PLAYERS, &from, numbers,
                                     MAX)) != 0)
        {
            for (k = 0; k < n; k++) {
                assert_int_equal(dirty[numbers[k]], 1);
                dirty[numbers[k]] = 2;
                taken++;
            }

            /* also what changes meanwhile is taken, now or next time */

            k = random_below(N);
            (void) player_id(buf, k);
            assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_OK);

            if (k < from) {
                dirty[k] |= 4;

            } else {
                dirty[k] |= 1;
            }
        }

        for (k = 0; k < N; k++) {
            assert_int_equal(dirty[k] & 1, 0);
        }

        if (random_below(3) == 0) {
            trove_dirty_give_back(l, TROVE_DIRTY_PLAYERS);

            for (k = 0; k < N; k++) {
                dirty[k] = (dirty[k] != 0);
            }

        } else {
            trove_dirty_landed(l, TROVE_DIRTY_PLAYERS);

            for (k = 0; k < N; k++) {
                dirty[k] = (dirty[k] & 4) != 0;
            }
        }

        for (k = random_below(300); k != 0; k--) {
            n = random_below(N);
            (void) player_id(buf, n);
            assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_OK);
            dirty[n] = 1;
        }
    }

    /* rewards, by what is put, removed, and claimed */

    for (i = 1; i <= N; i++) {
        reward_put(l, i, 1, 5);
    }

    for (from = 0, taken = 0; ; taken += n) {
        n = trove_dirty_take(l, TROVE_DIRTY_REWARDS, &from, numbers, MAX);

        if (n == 0) {
            break;
        }
    }

    assert_int_equal(taken, N);
    trove_dirty_landed(l, TROVE_DIRTY_REWARDS);

    assert_int_equal(claim(r, "p1", 5000, &c), TROVE_OK);
    reward_remove(l, 7000);
    reward_put(l, 8000, 1, 5);

    from = 0;
    n = trove_dirty_take(l, TROVE_DIRTY_REWARDS, &from, numbers, MAX);
    assert_int_equal(n, 3);
    assert_int_equal(numbers[0], 4999);
    assert_int_equal(numbers[1], 6999);
    assert_int_equal(numbers[2], 7999);

    free(dirty);
    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ids_of_any_length_are_their_own),
        cmocka_unit_test(the_last_of_40_bytes_counts),
        cmocka_unit_test(a_full_table_takes_no_other_and_loses_none),
        cmocka_unit_test(a_player_takes_128_bytes_at_most),
        cmocka_unit_test(without_players_there_is_no_redo),
        cmocka_unit_test(as_many_processes_as_there_is_room_for),
        cmocka_unit_test(nothing_in_it_is_an_address),
        cmocka_unit_test(a_record_is_copied_whole),
        cmocka_unit_test(what_changed_is_dirty_until_it_landed),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
