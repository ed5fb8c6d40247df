
/*
 * Death at every store of a claim, a tap, and what is on their way: it has
 * happened or it has not, whoever comes next, and nobody waits for the dead.
 */

#include "players.h"
#include "trove_dirty.h"


#define POINTS   1000         /* more than there are in one act              */
#define STOCK    3
#define VALUE    50
#define COIN     5


typedef enum {
    CLAIM_NEW,                /* by a player who is none yet                 */
    CLAIM,
    CLAIM_FIRST,              /* of the reward                               */
    CLAIM_LAST,
    CLAIM_AFTER_CLAIM,        /* with another one just before it             */
    TAP_NEW,
    TAP,
    TAP_AFTER_TAP,            /* of another player                           */
    ACTS
} act_t;


typedef enum {
    RECOVERS,
    CLAIMS,                   /* the same reward, and then recovers          */
    CLAIMS_TWICE,
    PUTS,                     /* it again, which changes its value           */
    REMOVES,
    RENEWS,                   /* removes it, and puts another in its slot    */
    RETRIES,                  /* the same again                              */
    READS,                    /* the player                                  */
    OPENS,                    /* a redo, as a new worker does                */
    NEXT
} next_t;


typedef struct {
    trove_ledger_t  *l;
    trove_redo_t    *redo;    /* of this process                             */
    act_t            act;
    const char      *player;
    uint32_t         others;  /* who claimed before it                       */
} world_t;


static int
is_claim(act_t act)
{
    return act < TAP_NEW;
}


static void
world_new(world_t *w, act_t act)
{
    uint32_t       i;
    uint32_t       numbers[64], from;
    trove_tap_t    t;
    trove_claim_t  c;

    static const uint32_t  others[ACTS] = { 1, 1, 0, STOCK - 1, 1 };
    static const char     *names[] = { "o1", "o2", "o3" };

    w->l = ledger_new(8, 20, 40);
    w->redo = redo_new(w->l);
    w->act = act;
    w->player = "dies";
    w->others = others[act];

    reward_put(w->l, 1, 7, 9);
    reward_put(w->l, 2, VALUE, STOCK);
    reward_put(w->l, 3, 8, 9);

    for (i = 0; i < w->others; i++) {
        assert_int_equal(claim(w->redo, names[i], 2, &c), TROVE_OK);
        assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
    }

    if (act != CLAIM_NEW && act != TAP_NEW) {
        assert_int_equal(claim(w->redo, w->player, 1, &c), TROVE_OK);
        assert_int_equal(tap(w->redo, w->player, 1, 3, &t), TROVE_OK);
    }

    for (i = 0; i < 2; i++) {
        from = 0;

        while (trove_dirty_take(w->l, (trove_dirty_t) i, &from, numbers, 64))
        {
            /* void */
        }

        trove_dirty_landed(w->l, (trove_dirty_t) i);
    }
}


static int
act(world_t *w, trove_redo_t *r)
{
    trove_tap_t    t;
    trove_claim_t  c;

    if (w->act == TAP_AFTER_TAP && tap(r, "o1", 7, 900, &t) != TROVE_OK) {
        return TROVE_INVALID;
    }

    if (!is_claim(w->act)) {
        return tap(r, w->player, 2, COIN, &t);
    }

    if (w->act == CLAIM_AFTER_CLAIM && claim(r, w->player, 3, &c) != TROVE_OK) {
        return TROVE_INVALID;
    }

    return claim(r, w->player, 2, &c);
}


/* Whether the child was killed; it is one that recovers without a redo. */

static int
killed_at(world_t *w, int acts, uint64_t nth)
{
    int            status;
    pid_t          pid;
    trove_redo_t  *r;

    pid = child_new();

    if (pid == 0) {

        if (!acts) {
            trove_fault_arm(NULL, nth);
            _exit(trove_redo_recover(w->l));
        }

        if (trove_redo_open(w->l, &r) != TROVE_OK) {
            _exit(100);
        }

        trove_fault_arm(NULL, nth);

        _exit(act(w, r));
    }

    status = child_end(pid);
    assert_true(status == -1 || status == TROVE_OK);

    return status == -1;
}


static int64_t
balance_of(trove_ledger_t *l, const char *player)
{
    trove_rc_t      rc;
    trove_slice_t   id;
    trove_player_t  p;

    id = slice(player);
    rc = trove_player_get(l, &id, &p);
    assert_true(rc == TROVE_OK || rc == TROVE_NOTFOUND);

    return (rc == TROVE_OK) ? p.balance : 0;
}


/* How many of reward 2 are taken; UINT32_MAX: it is removed. */

static uint32_t
taken_of(trove_ledger_t *l)
{
    trove_reward_t  r;

    if (trove_ledger_get(l, 2, &r) != TROVE_OK) {
        return UINT32_MAX;
    }

    return r.taken;
}


/* What comes next; "claims" is how many it was granted of the reward. */

static void
next(world_t *w, next_t what, uint32_t *claims)
{
    trove_redo_t   *r;
    trove_claim_t   c;

    switch (what) {

    case CLAIMS_TWICE:
        assert_int_equal(claim(w->redo, "next", 2, &c), TROVE_OK);
        *claims += (c.result == TROVE_CLAIM_GRANTED);
        assert_int_equal(claim(w->redo, "next2", 2, &c), TROVE_OK);
        *claims += (c.result == TROVE_CLAIM_GRANTED);
        break;

    case CLAIMS:
        assert_int_equal(claim(w->redo, "next", 2, &c), TROVE_OK);
        *claims += (c.result == TROVE_CLAIM_GRANTED);
        break;

    case PUTS:
        reward_put(w->l, 2, VALUE + 1, STOCK);
        break;

    case REMOVES:
        reward_remove(w->l, 2);
        break;

    case RENEWS:
        reward_remove(w->l, 2);
        reward_put(w->l, 6, 1, 1);
        assert_int_equal(claim(w->redo, "next", 6, &c), TROVE_OK);
        assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
        break;

    case RETRIES:
        assert_int_equal(act(w, w->redo), TROVE_OK);
        break;

    case READS:
        (void) balance_of(w->l, w->player);
        break;

    case OPENS:
        assert_int_equal(trove_redo_open(w->l, &r), TROVE_OK);
        trove_redo_close(r);
        break;

    default:
        break;
    }

    assert_int_equal(trove_redo_recover(w->l), TROVE_OK);
}


static int
is_dirty(trove_ledger_t *l, trove_dirty_t of, uint32_t number)
{
    int       dirty;
    uint32_t  i, n, from, numbers[64];

    from = 0;
    dirty = 0;

    while ((n = trove_dirty_take(l, of, &from, numbers, 64)) != 0) {

        for (i = 0; i < n; i++) {
            dirty |= (numbers[i] == number);
        }
    }

    trove_dirty_give_back(l, of);

    return dirty;
}


/*
 * The act has happened in whole or not at all: returns which, by the balance
 * of who died.
 */

static int
happened(world_t *w, next_t what, int64_t before, uint64_t version,
    uint32_t claims)
{
    int            did;
    int32_t        value;
    int64_t        balance;
    uint32_t       taken, slots[8], n;
    trove_tap_t    t;
    trove_claim_t  c;

    balance = balance_of(w->l, w->player);
    value = is_claim(w->act) ? VALUE : COIN;

    if (w->act == CLAIM_AFTER_CLAIM && balance != before) {
        before += 8;
    }

    did = (balance != before);
    assert_true(!did || balance == before + value
                || (what == PUTS && balance == before + VALUE + 1));

    if (!is_claim(w->act)) {
        assert_int_equal(tap(w->redo, w->player, 2, 77, &t), TROVE_OK);
        assert_int_equal(t.result, did ? TROVE_TAP_REPEAT : TROVE_TAP_GRANTED);
        assert_int_equal(t.value, did ? COIN : 77);

        return did;
    }

    taken = taken_of(w->l);

    assert_true(taken == UINT32_MAX
                || taken == w->others + claims + (uint32_t) did);

    if (did && taken == STOCK) {
        assert_int_equal(trove_ledger_changes(w->l, version, slots, 8, &n),
                         TROVE_OK);
        assert_true(n >= 1 && slots[0] == 1);
    }

    if (did) {
        assert_true(is_dirty(w->l, TROVE_DIRTY_REWARDS, 1));
    }

    assert_int_equal(claim(w->redo, w->player, 2, &c), TROVE_OK);

    if (did) {
        assert_int_equal(c.result, TROVE_CLAIM_REPEAT);
        assert_true(c.balance == balance && c.value == VALUE);

    } else if (taken == UINT32_MAX) {
        assert_int_equal(c.result, TROVE_CLAIM_UNKNOWN);

    } else if (taken == STOCK) {
        assert_int_equal(c.result, TROVE_CLAIM_GONE);

    } else {
        assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
        assert_int_equal(c.balance, balance + ((what == PUTS) ? VALUE + 1
                                                              : VALUE));
    }

    return did;
}


static void
no_number_is_used_twice(world_t *w)
{
    int            i;
    char           buf[16];
    trove_rc_t     rc;
    trove_tap_t    t;
    trove_redo_t  *r;
    trove_claim_t  c;

    /* who has the dead one's redo next goes on with his numbers */

    r = redo_new(w->l);

    reward_put(w->l, 4, 1, 100);

    for (i = 0; i < 3; i++) {
        (void) player_id(buf, i);
        assert_int_equal(claim(r, buf, 4, &c), TROVE_OK);
        assert_int_equal(c.result, TROVE_CLAIM_GRANTED);
        assert_true(trove_ledger_sane(w->l));
    }

    /* until there are no more, of which a death may lose one */

    for ( ;; i++) {
        (void) player_id(buf, i);
        rc = tap(r, buf, 0, 1, &t);

        if (rc == TROVE_FULL) {
            break;
        }

        assert_int_equal(rc, TROVE_OK);
    }

    assert_true(trove_ledger_sane(w->l));
    assert_int_equal(trove_ledger_players(w->l), 20);

    trove_redo_close(r);
}


static void
death_at(world_t *w, next_t what, uint64_t nth, int *did, int *killed)
{
    int       now_did, seen, repairer;
    int64_t   before;
    uint32_t  claims;
    uint64_t  version;

    claims = 0;
    before = balance_of(w->l, w->player);
    version = trove_ledger_version(w->l);

    *killed = killed_at(w, 1, nth);

    seen = is_claim(w->act) && taken_of(w->l) != w->others;

    for (repairer = random_below(3); *killed && repairer != 0; repairer--) {

        /* and who repairs it dies as well */

        (void) killed_at(w, 0, 1 + random_below(40));
    }

    alarm(20);
    next(w, what, &claims);
    alarm(0);

    assert_true(trove_ledger_sane(w->l));

    if (what == RETRIES) {
        assert_int_equal(balance_of(w->l, w->player),
                         before + (is_claim(w->act) ? VALUE : COIN)
                         + ((w->act == CLAIM_AFTER_CLAIM) ? 8 : 0));
    }

    now_did = happened(w, what, before, version, claims);

    /* it is decided at one point, and from there on it is seen */

    assert_true(now_did >= *did && now_did >= seen);
    *did = now_did;

    assert_true(trove_ledger_sane(w->l));
    no_number_is_used_twice(w);
}


static void
death_at_any_point_is_before_or_after(void **state)
{
    int       did, killed;
    char     *before;
    size_t    size;
    uint64_t  nth;
    world_t   w;
    act_t     a;
    next_t    what;

    for (a = 0; a < ACTS; a++) {
        world_new(&w, a);

        size = trove_ledger_bytes(w.l);
        before = malloc(size);
        assert_non_null(before);
        memcpy(before, w.l, size);

        for (what = 0; what < NEXT; what++) {
            did = 0;
            killed = 1;

            for (nth = 1; killed; nth++) {
                assert_true(nth < POINTS);
                death_at(&w, what, nth, &did, &killed);
                memcpy(w.l, before, size);
            }

            assert_true(did && nth > 12);
        }

        free(before);
        ledger_free(w.l);
    }
}


/* A living owner is waited for, not for long, and not robbed. */

static void
a_live_owner_is_not_robbed(void **state)
{
    pid_t             pid;
    world_t           w;
    trove_rc_t        rc;
    trove_tap_t       t;
    trove_redo_t     *r;
    trove_slice_t     id;
    trove_claim_t     c;
    trove_player_t    p;
    _Atomic int      *ready;
    trove_record_data_t  data;

    world_new(&w, TAP);
    ready = shared_new(sizeof(int));
    id = slice(w.player);

    pid = child_new();

    if (pid == 0) {
        rc = trove_redo_open(w.l, &r);

        if (rc == TROVE_OK) {
            rc = trove_redo_own(r, 0, &data);
            *ready = 1;
        }

        for ( ;; ) {
            (void) pause();
        }
    }

    while (!*ready) {
        (void) usleep(1000);
    }

    assert_int_equal(tap(w.redo, w.player, 0, 1, &t), TROVE_BUSY);
    assert_int_equal(claim(w.redo, w.player, 2, &c), TROVE_BUSY);
    assert_int_equal(trove_player_get(w.l, &id, &p), TROVE_BUSY);
    assert_int_equal(trove_redo_recover(w.l), TROVE_OK);
    assert_int_equal(tap(w.redo, w.player, 0, 1, &t), TROVE_BUSY);
    assert_false(trove_ledger_sane(w.l));

    /* others are not in his way */

    assert_int_equal(tap(w.redo, "p2", 0, 1, &t), TROVE_OK);
    assert_int_equal(claim(w.redo, "p2", 2, &c), TROVE_OK);

    assert_int_equal(kill(pid, SIGKILL), 0);
    (void) child_end(pid);

    assert_int_equal(tap(w.redo, w.player, 0, 1, &t), TROVE_OK);
    assert_int_equal(t.balance, 11);
    assert_true(trove_ledger_sane(w.l));

    (void) munmap((void *) ready, sizeof(int));
    ledger_free(w.l);
}


/* A flush that dies: what it took is dirty for the next one. */

static void
a_dead_flush_gives_everything_back(void **state)
{
    enum { N = 300 };

    int              i;
    char             buf[16], *before;
    size_t           size;
    pid_t            pid;
    uint32_t         k, n, from, numbers[64];
    uint64_t         nth;
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = ledger_new(1, N, 0);
    r = redo_new(l);

    for (i = 0; i < N; i++) {
        (void) player_id(buf, i);
        assert_int_equal(tap(r, buf, 0, 1, &t), TROVE_OK);
    }

    size = trove_ledger_bytes(l);
    before = malloc(size);
    assert_non_null(before);
    memcpy(before, l, size);

    for (nth = 1; ; nth++) {
        pid = child_new();

        if (pid == 0) {
            trove_fault_arm(NULL, nth);
            from = 0;

            while (trove_dirty_take(l, TROVE_DIRTY_PLAYERS, &from, numbers,
                                    64))
            {
                /* void */
            }

            trove_dirty_give_back(l, TROVE_DIRTY_PLAYERS);
            _exit(0);
        }

        i = child_end(pid);

        trove_dirty_give_back(l, TROVE_DIRTY_PLAYERS);

        from = 0;
        k = 0;

        while ((n = trove_dirty_take(l, TROVE_DIRTY_PLAYERS, &from, numbers,
                                     64)) != 0)
        {
            while (n != 0) {
                k++;
                n--;
            }
        }

        assert_int_equal(k, N);
        memcpy(l, before, size);

        if (i == 0) {
            break;
        }
    }

    assert_true(nth > 10);

    free(before);
    ledger_free(l);
}


/* All that a ledger's points stand in, in one child. */


static void
meanwhile(void *data)
{
    reward_put(((world_t *) data)->l, 2, VALUE, STOCK);
}


static void
everything(const world_t *dead, const char *point)
{
    uint32_t        id, from, numbers[64];
    uint64_t        version;
    trove_tap_t     t;
    trove_redo_t   *r;
    trove_claim_t   c;

    trove_fault_arm(point, 1);

    (void) trove_redo_recover(dead->l);

    if (trove_redo_open(dead->l, &r) != TROVE_OK) {
        _exit(1);
    }

    trove_fault_meet_arm("claim: decide", 1, meanwhile, (void *) dead);

    (void) tap(r, "new", 1, 1, &t);
    (void) claim(r, "new", 2, &c);
    (void) claim(r, "new2", 2, &c);
    (void) claim(r, "new3", 2, &c);
    (void) claim(r, "new", 99, &c);

    /* so many that some are in the way of others */

    for (id = 4; id <= 8; id++) {
        reward_put(dead->l, id, 1, 1);
    }

    for (id = 1; id <= 8; id++) {
        (void) trove_ledger_remove(dead->l, id, &version);
    }

    from = 0;
    (void) trove_dirty_take(dead->l, TROVE_DIRTY_PLAYERS, &from, numbers, 64);
    trove_dirty_give_back(dead->l, TROVE_DIRTY_PLAYERS);

    from = 0;
    (void) trove_dirty_take(dead->l, TROVE_DIRTY_PLAYERS, &from, numbers, 64);
    trove_dirty_landed(dead->l, TROVE_DIRTY_PLAYERS);

    _exit(0);
}


/* Others' points: of statistics, flushes, workers, boards, copies, queues. */

static int
is_elsewhere(const char *point)
{
    size_t  i;

    static const char *const  parts[] = {
        "stats", "flush", "snapshot", "board", "tree", "replica", "mark",
        "overflow", "elect"
    };

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {

        if (strncmp(point, parts[i], strlen(parts[i])) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
every_point_that_there_is_is_met(void **state)
{
    pid_t               pid;
    size_t              i, k, n;
    world_t             w;
    trove_redo_t       *r;
    const char *const  *points;

    static const char *const  deaths[] = {
        "claim: decided", "player: indexed", "nowhere"
    };

    points = trove_fault_points(&n);
    assert_true(n > 40);

    for (i = 0; i < n; i++) {

        if (is_elsewhere(points[i])) {
            continue;
        }

        for (k = 0; k < 3; k++) {
            world_new(&w, CLAIM_NEW);

            pid = child_new();

            if (pid == 0) {
                trove_fault_arm(deaths[k], 1);
                (void) trove_redo_open(w.l, &r);
                _exit(act(&w, r));
            }

            (void) child_end(pid);

            pid = child_new();

            if (pid == 0) {
                everything(&w, points[i]);
            }

            if (child_end(pid) == -1) {
                break;
            }

            ledger_free(w.l);
        }

        if (k == 3) {
            print_error("%s\n", points[i]);
        }

        assert_true(k < 3);

        assert_int_equal(trove_redo_recover(w.l), TROVE_OK);
        assert_true(trove_ledger_sane(w.l));
        ledger_free(w.l);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(death_at_any_point_is_before_or_after),
        cmocka_unit_test(every_point_that_there_is_is_met),
        cmocka_unit_test(a_live_owner_is_not_robbed),
        cmocka_unit_test(a_dead_flush_gives_everything_back),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
