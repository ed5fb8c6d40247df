
/*
 * Claims: what is granted and what is not, once, whatever comes in between.
 */

#include "players.h"
#include "trove_view.h"


static trove_claim_result_t
claimed(trove_redo_t *r, const char *player, uint32_t reward)
{
    trove_claim_t  c;

    assert_int_equal(claim(r, player, reward, &c), TROVE_OK);

    return c.result;
}


static void
a_claim_gives_the_reward_s_value(void **state)
{
    uint64_t         version;
    trove_redo_t    *r;
    trove_slice_t    id;
    trove_claim_t    c;
    trove_ledger_t  *l;
    trove_player_t   p;
    trove_reward_t   reward;

    l = ledger_new(10, 10, 10);
    r = redo_new(l);
    reward_put(l, 7, 50, 2);
    version = trove_ledger_version(l);

    assert_int_equal(claim(r, "p1", 7, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
    assert_int_equal(c.value, 50);
    assert_int_equal(c.balance, 50);
    assert_int_equal(c.version, version);
    assert_int_equal(c.last, 0);

    assert_int_equal(claim(r, "p1", 7, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_REPEAT);
    assert_int_equal(c.value, 50);
    assert_int_equal(c.balance, 50);

    assert_int_equal(trove_ledger_get(l, 7, &reward), TROVE_OK);
    assert_int_equal(reward.taken, 1);
    assert_int_equal(reward.stock, 2);

    assert_int_equal(claim(r, "p2", 7, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
    assert_int_equal(c.last, 1);
    assert_int_equal(c.version, version + 1);
    assert_int_equal(trove_ledger_version(l), version + 1);

    assert_int_equal(claimed(r, "p3", 7), TROVE_CLAIM_GONE);
    assert_int_equal(claimed(r, "p2", 7), TROVE_CLAIM_REPEAT);
    assert_int_equal(claimed(r, "p1", 8), TROVE_CLAIM_UNKNOWN);
    assert_int_equal(claimed(r, "p3", 0), TROVE_CLAIM_UNKNOWN);

    /* who was granted nothing is no player */

    id = slice("p3");
    assert_int_equal(trove_player_get(l, &id, &p), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_players(l), 2);

    id = slice("p1");
    assert_int_equal(trove_player_get(l, &id, &p), TROVE_OK);
    assert_int_equal(p.balance, 50);
    assert_int_equal(p.claim, 1);
    assert_int_equal(p.moved, 0);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
a_repeat_is_what_was_granted(void **state)
{
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;

    l = ledger_new(10, 10, 10);
    r = redo_new(l);
    reward_put(l, 1, 50, 1);

    assert_int_equal(claim(r, "p1", 1, &c), TROVE_OK);
    assert_int_equal(tap(r, "p1", 0, 5, &t), TROVE_OK);
    assert_int_equal(t.balance, 55);

    /* whatever the reward is by now */

    reward_put(l, 1, 99, 0);
    assert_int_equal(claim(r, "p1", 1, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_REPEAT);
    assert_int_equal(c.value, 50);
    assert_int_equal(c.balance, 50);

    reward_remove(l, 1);
    assert_int_equal(claim(r, "p1", 1, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_REPEAT);
    assert_int_equal(c.value, 50);
    assert_int_equal(claimed(r, "p2", 1), TROVE_CLAIM_UNKNOWN);

    /* one that was removed and put again is another one */

    reward_put(l, 1, 7, 1);
    assert_int_equal(claim(r, "p1", 1, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
    assert_int_equal(c.balance, 62);

    reward_remove(l, 1);
    assert_int_equal(claim(r, "p1", 1, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_REPEAT);
    assert_int_equal(c.value, 7);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
a_put_keeps_what_is_taken(void **state)
{
    trove_redo_t    *r;
    trove_ledger_t  *l;
    trove_reward_t   reward;

    l = ledger_new(10, 10, 10);
    r = redo_new(l);

    reward_put(l, 1, 50, 2);
    assert_int_equal(claimed(r, "p1", 1), TROVE_CLAIM_GRANTED);
    assert_int_equal(claimed(r, "p2", 1), TROVE_CLAIM_GRANTED);

    reward_put(l, 1, 50, 1);
    assert_int_equal(trove_ledger_get(l, 1, &reward), TROVE_OK);
    assert_int_equal(reward.taken, 2);
    assert_int_equal(claimed(r, "p3", 1), TROVE_CLAIM_GONE);

    reward_put(l, 1, 50, 3);
    assert_int_equal(claimed(r, "p3", 1), TROVE_CLAIM_GRANTED);
    assert_int_equal(claimed(r, "p4", 1), TROVE_CLAIM_GONE);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


/* The rules. */


typedef struct {
    trove_redo_t           *redo;
    trove_claim_rules_t     rules;
    trove_claim_request_t   q;
    trove_claim_t           c;
} asked_t;


static trove_claim_result_t
ask(asked_t *a, const char *player, uint32_t reward)
{
    a->q.player = slice(player);
    a->q.reward = reward;

    assert_int_equal(trove_claim(a->redo, &a->rules, &a->q, &a->c), TROVE_OK);

    return a->c.result;
}


static void
at(asked_t *a, double x, double y, uint64_t now)
{
    a->q.x = x;
    a->q.y = y;
    a->q.placed = 1;
    a->q.now = now;
}


static void
level_and_times_are_checked(void **state)
{
    asked_t          a;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(10, 10, 10);
    memset(&a, 0, sizeof(a));
    a.redo = redo_new(l);

    memset(&r, 0, sizeof(r));
    r.id = 1;
    r.stock = 9;
    r.level = 5;
    r.starts = NOW / 1000;
    r.expires = NOW / 1000 + 10;
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);

    a.q.level = 5;
    a.q.now = NOW - 1;
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_EARLY);

    a.q.now = NOW + 10000;
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_EXPIRED);

    a.q.now = NOW + 9999;
    a.q.level = 4.5;
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_LEVEL);

    a.q.level = 5;
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_GRANTED);

    a.q.now = NOW;
    assert_int_equal(ask(&a, "p2", 1), TROVE_CLAIM_GRANTED);

    /* to ask again is not to claim */

    a.q.now = NOW + 10000;
    a.q.level = 0;
    assert_int_equal(ask(&a, "p2", 1), TROVE_CLAIM_REPEAT);

    ledger_free(l);
}


static void
range_is_checked_exactly(void **state)
{
    asked_t          a;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(10, 10, 10);
    memset(&a, 0, sizeof(a));
    a.redo = redo_new(l);
    a.rules.range = 5;

    memset(&r, 0, sizeof(r));
    r.id = 1;
    r.x = 3;
    r.y = 4;
    r.stock = 9;
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);

    a.q.now = NOW;
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_FAR);

    at(&a, 0, -0x1p-50, NOW);
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_FAR);
    assert_int_equal(a.c.flouts, TROVE_CLAIM_FAR);
    assert_int_equal(trove_ledger_players(l), 0);

    at(&a, 0, 0, NOW);
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_GRANTED);

    /* to tell only */

    a.rules.dry_run = 1;
    at(&a, 100, 100, NOW);
    assert_int_equal(ask(&a, "p2", 1), TROVE_CLAIM_GRANTED);
    assert_int_equal(a.c.flouts, TROVE_CLAIM_FAR);

    at(&a, 0, 0, NOW);
    assert_int_equal(ask(&a, "p3", 1), TROVE_CLAIM_GRANTED);
    assert_int_equal(a.c.flouts, TROVE_CLAIM_GRANTED);

    ledger_free(l);
}


static void
speed_is_since_the_last_accepted_place(void **state)
{
    uint32_t         id;
    asked_t          a;
    trove_slice_t    p1;
    trove_ledger_t  *l;
    trove_player_t   p;

    l = ledger_new(10, 10, 20);
    memset(&a, 0, sizeof(a));
    a.redo = redo_new(l);
    a.rules.max_speed = 10;
    p1 = slice("p1");

    for (id = 1; id <= 10; id++) {
        reward_put(l, id, 1, 9);
    }

    a.q.now = NOW;
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_FAST);

    at(&a, 1000, 1000, NOW);
    assert_int_equal(ask(&a, "p1", 1), TROVE_CLAIM_GRANTED);

    /* the time since counts as a second at least */

    at(&a, 1011, 1000, NOW + 1);
    assert_int_equal(ask(&a, "p1", 2), TROVE_CLAIM_FAST);
    at(&a, 1010, 1000, NOW + 1);
    assert_int_equal(ask(&a, "p1", 2), TROVE_CLAIM_GRANTED);

    at(&a, 1031, 1000, NOW + 2001);
    assert_int_equal(ask(&a, "p1", 3), TROVE_CLAIM_FAST);
    at(&a, 1030, 1000, NOW + 2001);
    assert_int_equal(ask(&a, "p1", 3), TROVE_CLAIM_GRANTED);

    /* a repeat moves nobody, nor what is refused */

    at(&a, 0, 0, NOW + 2002);
    assert_int_equal(ask(&a, "p1", 3), TROVE_CLAIM_REPEAT);
    assert_int_equal(trove_player_get(l, &p1, &p), TROVE_OK);
    assert_true(p.x == 1030 && p.y == 1000 && p.moved == NOW + 2001);

    /* a clock set back tells no speed, and is the time from then on */

    at(&a, 5000, 5000, NOW - 3600000);
    assert_int_equal(ask(&a, "p1", 4), TROVE_CLAIM_GRANTED);
    at(&a, 5011, 5000, NOW - 3600000);
    assert_int_equal(ask(&a, "p1", 5), TROVE_CLAIM_FAST);

    /* to tell only: and that place is accepted, too */

    a.rules.dry_run = 1;
    assert_int_equal(ask(&a, "p1", 5), TROVE_CLAIM_GRANTED);
    assert_int_equal(a.c.flouts, TROVE_CLAIM_FAST);
    assert_int_equal(trove_player_get(l, &p1, &p), TROVE_OK);
    assert_true(p.x == 5011);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
full_claims_take_no_other_and_lose_none(void **state)
{
    enum { N = 300 };

    char             buf[16];
    uint32_t         n;
    trove_redo_t    *r;
    trove_slice_t    id;
    trove_claim_t    c;
    trove_ledger_t  *l;
    trove_player_t   p;

    l = ledger_new(N, 10, N);
    r = redo_new(l);

    for (n = 1; n <= N; n++) {
        reward_put(l, n, 1, 9);
        (void) player_id(buf, n % 7);
        assert_int_equal(claimed(r, buf, n), TROVE_CLAIM_GRANTED);
    }

    assert_int_equal(trove_ledger_claims(l), N);

    /* also of a new player, who does not become one */

    assert_int_equal(claim(r, "p1", 2, &c), TROVE_FULL);
    assert_int_equal(claim(r, "new", 2, &c), TROVE_FULL);

    id = slice("new");
    assert_int_equal(trove_player_get(l, &id, &p), TROVE_NOTFOUND);

    for (n = 1; n <= N; n++) {
        (void) player_id(buf, n % 7);
        assert_int_equal(claimed(r, buf, n), TROVE_CLAIM_REPEAT);
    }

    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
full_players_claim_on(void **state)
{
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;

    l = ledger_new(5, 2, 10);
    r = redo_new(l);
    reward_put(l, 1, 1, 9);
    reward_put(l, 2, 1, 9);

    assert_int_equal(claimed(r, "p1", 1), TROVE_CLAIM_GRANTED);
    assert_int_equal(claimed(r, "p2", 1), TROVE_CLAIM_GRANTED);
    assert_int_equal(claim(r, "p3", 1, &c), TROVE_FULL);
    assert_int_equal(claimed(r, "p1", 2), TROVE_CLAIM_GRANTED);
    assert_int_equal(claimed(r, "p3", 9), TROVE_CLAIM_UNKNOWN);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


/* A reward that changes right before its claim is decided. */


typedef enum {
    PUT,                      /* with another value                          */
    REMOVE,
    RENEW,
    TAKE_LAST,
    LOWER,                    /* the stock, to what is taken                 */
    RAISE,
    CHANGES
} change_t;


typedef struct {
    change_t         change;
    trove_ledger_t  *ledger;
    trove_redo_t    *redo;
} other_t;


static void
other_changes(void *data)
{
    other_t  *o;

    o = data;

    switch (o->change) {

    case PUT:
        reward_put(o->ledger, 1, 9, 3);
        break;

    case REMOVE:
        reward_remove(o->ledger, 1);
        break;

    case RENEW:
        reward_remove(o->ledger, 1);
        reward_put(o->ledger, 5, 1, 1);
        reward_put(o->ledger, 1, 8, 2);
        break;

    case TAKE_LAST:
        reward_put(o->ledger, 1, 7, 2);
        assert_int_equal(claimed(o->redo, "p2", 1), TROVE_CLAIM_GRANTED);
        break;

    case LOWER:
        reward_put(o->ledger, 1, 7, 1);
        break;

    default:
        reward_put(o->ledger, 1, 7, 100);
    }
}


static void
what_changes_meanwhile_is_what_counts(void **state)
{
    other_t          o;
    trove_redo_t    *r;
    trove_slice_t    id;
    trove_claim_t    c;
    trove_player_t   p;

    static const struct {
        trove_claim_result_t  result;
        int32_t               value;
        int                   last;
    } ends[CHANGES] = {
        { TROVE_CLAIM_GRANTED, 9, 0 },
        { TROVE_CLAIM_UNKNOWN, 0, 0 },
        { TROVE_CLAIM_GRANTED, 8, 0 },
        { TROVE_CLAIM_GONE, 0, 0 },
        { TROVE_CLAIM_GONE, 0, 0 },
        { TROVE_CLAIM_GRANTED, 7, 0 }
    };

    for (o.change = 0; o.change < CHANGES; o.change++) {
        o.ledger = ledger_new(10, 10, 10);
        o.redo = redo_new(o.ledger);
        r = redo_new(o.ledger);

        reward_put(o.ledger, 1, 7, 2);
        assert_int_equal(claimed(o.redo, "p1", 1), TROVE_CLAIM_GRANTED);

        trove_fault_meet_arm("claim: decide", 1, other_changes, &o);
        assert_int_equal(claim(r, "p3", 1, &c), TROVE_OK);
        assert_int_equal(c.result, ends[o.change].result);
        assert_int_equal(c.value, ends[o.change].value);
        assert_int_equal(c.last, ends[o.change].last);

        id = slice("p3");
        assert_int_equal(trove_player_get(o.ledger, &id, &p), TROVE_OK);
        assert_int_equal(p.balance, ends[o.change].value);
        assert_true(trove_ledger_sane(o.ledger));

        /* the number that was not used is used by the next one */

        assert_int_equal(claimed(r, "p1", 1),
                         (o.change == REMOVE) ? TROVE_CLAIM_REPEAT
                         : (o.change == RENEW) ? TROVE_CLAIM_GRANTED
                         : TROVE_CLAIM_REPEAT);
        reward_put(o.ledger, 2, 1, 9);
        assert_int_equal(claimed(r, "p4", 2), TROVE_CLAIM_GRANTED);
        assert_true(trove_ledger_sane(o.ledger));

        ledger_free(o.ledger);
    }
}


/* Many at once are as many one after the other. */

static void
all_are_answered_in_their_order(void **state)
{
    enum { N = 50 };

    char                    ids[N][16];
    uint32_t                i;
    trove_rc_t              rc[N];
    trove_tap_t             t[N];
    trove_redo_t           *r;
    trove_claim_t           c[N];
    trove_ledger_t         *l;
    trove_claim_rules_t     rules;
    trove_tap_request_t     taps[N];
    trove_claim_request_t   q[N];

    l = ledger_new(10, N, 2 * N);
    r = redo_new(l);
    reward_put(l, 1, 10, 7);

    memset(&rules, 0, sizeof(rules));
    memset(q, 0, sizeof(q));
    memset(taps, 0, sizeof(taps));

    /* each twice in a row, the tenth has no id, the twentieth no reward */

    for (i = 0; i < N; i++) {
        q[i].player = player_id(ids[i], i / 2);
        q[i].player.len = (i == 10) ? 0 : q[i].player.len;
        q[i].reward = (i == 20) ? 2 : 1;
        q[i].now = NOW;

        taps[i].player = q[i].player;
        taps[i].now = NOW * 1000;
        taps[i].value = 1;
    }

    trove_claim_all(r, &rules, q, c, rc, N);

    for (i = 0; i < N; i++) {
        assert_int_equal(rc[i], (i == 10) ? TROVE_INVALID : TROVE_OK);

        if (i == 10) {
            continue;
        }

        assert_int_equal(c[i].result,
                         (i == 20) ? TROVE_CLAIM_UNKNOWN
                         : (i == 11) ? TROVE_CLAIM_GRANTED
                         : (i >= 14) ? TROVE_CLAIM_GONE
                         : (i % 2) ? TROVE_CLAIM_REPEAT : TROVE_CLAIM_GRANTED);
    }

    trove_tap_all(r, taps, t, rc, N);

    for (i = 0; i < N; i++) {
        assert_int_equal(rc[i], (i == 10) ? TROVE_INVALID : TROVE_OK);
        assert_true(i == 10 || i == 11
                    || t[i].balance == 1 + i % 2 + ((i < 14) ? 10 : 0));
    }

    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
without_room_for_claims_there_are_none(void **state)
{
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;

    l = ledger_new(5, 2, 0);
    r = redo_new(l);
    reward_put(l, 1, 1, 9);

    assert_int_equal(claim(r, "p1", 1, &c), TROVE_FULL);
    assert_int_equal(claim(r, "", 1, &c), TROVE_INVALID);

    ledger_free(l);
}


/* One that is claimed out is shown to nobody, from the next sync on. */

static uint64_t
shown(trove_view_t *v)
{
    trove_hit_t     hits[8];
    trove_query_t   q;
    trove_answer_t  a;

    memset(&q, 0, sizeof(q));
    q.r = 1000;
    q.now = NOW / 1000;
    q.limit = 8;
    a.hits = hits;

    trove_view_query(v, &q, &a);

    return a.found;
}


static void
what_is_gone_is_not_shown(void **state)
{
    int                  built;
    trove_redo_t        *r;
    trove_view_t        *v;
    trove_ledger_t      *l;
    const trove_simd_t  *simd;

    simd = trove_simd_select(TROVE_SIMD_AUTO);
    assert_non_null(simd);

    for (built = 0; built < 2; built++) {
        l = ledger_new(10, 10, 10);
        r = redo_new(l);
        reward_put(l, 1, 1, 2);
        reward_put(l, 2, 1, 1);

        if (!built) {
            assert_int_equal(trove_view_build(&v, l, simd, TROVE_PAGES_OFF,
                                              NULL),
                             TROVE_OK);
            assert_int_equal(shown(v), 2);
        }

        assert_int_equal(claimed(r, "p1", 1), TROVE_CLAIM_GRANTED);
        assert_int_equal(claimed(r, "p1", 2), TROVE_CLAIM_GRANTED);

        if (built) {
            assert_int_equal(trove_view_build(&v, l, simd, TROVE_PAGES_OFF,
                                              NULL),
                             TROVE_OK);

        } else {
            assert_int_equal(trove_view_sync(v, 100), TROVE_OK);
        }

        assert_int_equal(shown(v), 1);

        assert_int_equal(claimed(r, "p2", 1), TROVE_CLAIM_GRANTED);
        assert_int_equal(trove_view_sync(v, 100), TROVE_OK);
        assert_int_equal(shown(v), 0);
        assert_int_equal(trove_view_version(v), trove_ledger_version(l));

        reward_put(l, 2, 1, 2);
        assert_int_equal(trove_view_sync(v, 100), TROVE_OK);
        assert_int_equal(shown(v), 1);

        trove_view_destroy(v);
        ledger_free(l);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_claim_gives_the_reward_s_value),
        cmocka_unit_test(a_repeat_is_what_was_granted),
        cmocka_unit_test(a_put_keeps_what_is_taken),
        cmocka_unit_test(level_and_times_are_checked),
        cmocka_unit_test(range_is_checked_exactly),
        cmocka_unit_test(speed_is_since_the_last_accepted_place),
        cmocka_unit_test(full_claims_take_no_other_and_lose_none),
        cmocka_unit_test(full_players_claim_on),
        cmocka_unit_test(what_changes_meanwhile_is_what_counts),
        cmocka_unit_test(all_are_answered_in_their_order),
        cmocka_unit_test(without_room_for_claims_there_are_none),
        cmocka_unit_test(what_is_gone_is_not_shown),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
