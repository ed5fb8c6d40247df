
/*
 * Death of a follower at every store that it makes: the next one goes on from
 * what it finds, and the copy becomes the same.
 */

#include "replica.h"


#define POINTS   4000         /* more than one entry comes to                */
#define ENTRIES  40
#define FORKS    40           /* for each of them, about                     */
#define ROUNDS   300


/* All that a follower does, from the point where the one before has died. */

static trove_rc_t
follow(world_t *w, trove_redo_t *r, int anew)
{
    trove_rc_t  rc;

    if (anew || trove_replica_state(w->copy) != TROVE_REPLICA_LIVE) {
        return snapshot(w, r, 0);
    }

    while (trove_replica_log(w->copy) < w->log->log) {
        rc = entry_apply(w, r, trove_replica_log(w->copy) + 1);

        if (rc != TROVE_OK) {
            return rc;
        }
    }

    return TROVE_OK;
}


/* Whether it was killed on its way. */

static int
follower(world_t *w, const char *point, uint64_t nth, int anew)
{
    int            status;
    pid_t          pid;
    trove_redo_t  *r;

    pid = child_new();

    if (pid == 0) {
        trove_fault_arm(point, nth);

        if (!trove_replica_elect(w->copy)) {
            _exit(100);
        }

        if (trove_redo_open(w->copy, &r) != TROVE_OK) {
            _exit(101);
        }

        _exit(follow(w, r, anew));
    }

    status = child_end(pid);
    assert_true(status == -1 || status == TROVE_OK);

    return status == -1;
}


/* By somebody who looks at the copy and does not follow. */

static void
sane(world_t *w)
{
    assert_int_equal(trove_redo_recover(w->copy), TROVE_OK);
    assert_true(trove_ledger_sane(w->copy));
}


static void
follow_and_compare(world_t *w)
{
    trove_redo_t  *r;

    assert_true(trove_replica_elect(w->copy));
    assert_int_equal(trove_redo_open(w->copy, &r), TROVE_OK);
    assert_int_equal(follow(w, r, 0), TROVE_OK);

    sane(w);
    same(w, r);

    trove_redo_close(r);
    trove_replica_resign(w->copy);
}


/* Up to where the store in question follows, in steps that differ. */

static void
death_at_any_point_is_made_good(void **state)
{
    char      *before;
    size_t     size;
    uint32_t   i, forks, killed;
    uint64_t   nth;
    world_t    w;

    world_new(&w);
    size = trove_ledger_bytes(w.copy);
    before = malloc(size);
    assert_non_null(before);

    for (i = 0; i < 400; i++) {
        master_acts(&w);
    }

    killed = 0;

    for (i = 0; i < ENTRIES; i++) {
        follow_and_compare(&w);
        memcpy(before, w.copy, size);

        master_acts(&w);

        for (nth = 1, forks = 0; /* void */ ; forks++) {
            assert_true(nth < POINTS);

            if (!follower(&w, NULL, nth, 0)) {
                break;
            }

            killed++;
            follow_and_compare(&w);
            memcpy(w.copy, before, size);

            nth += 1 + random_below(1 + forks * forks / FORKS);
        }
    }

    assert_true(killed > 200);

    free(before);
    world_free(&w);
}


/* One after the other, until one gets to the end. */

static void
followers_that_die_leave_it_the_same(void **state)
{
    int       anew;
    uint32_t  i, n, tries, killed;
    world_t   w;

    world_new(&w);
    killed = 0;

    for (i = 0; i < ROUNDS; i++) {

        for (n = random_below(8); n != 0; n--) {
            master_acts(&w);
        }

        anew = (random_below(6) == 0);

        for (tries = 0; /* void */ ; tries++) {
            n = 1 + random_below(random_below(2) ? 60 : 6000);

            if (!follower(&w, NULL, n << tries / 4, anew)) {
                break;
            }

            killed++;

            if (random_below(3) == 0) {
                sane(&w);
            }
        }

        follow_and_compare(&w);
    }

    assert_true(killed > ROUNDS / 4);
    world_free(&w);
}


/* What leads to points that hardly ever are on the way. */

static void
everything(world_t *w, const char *point)
{
    uint32_t                i;
    char                    id[16];
    trove_redo_t           *r;
    trove_slice_t           s;
    trove_restore_claim_t   c;

    trove_fault_arm(point, 1);

    if (!trove_replica_elect(w->copy)
        || trove_redo_open(w->copy, &r) != TROVE_OK
        || follow(w, r, 0) != TROVE_OK)
    {
        _exit(100);
    }

    /* a claim of the next reward of the same id, before there is that one */

    memset(&c, 0, sizeof(c));
    c.ordinal = 1;
    s = player_id(id, 1);

    for (i = 1; i <= IDS; i++) {

        if (trove_ledger_slot(w->copy, i) == TROVE_LEDGER_NONE) {
            continue;
        }

        c.reward = i;
        c.born = born_of(w->copy, i);
        c.ordinal = PLAYERS + 1;
        (void) trove_replica_remove(w->copy, i);
        c.born += 100000;

        w->log->entry[0].c[0].reward.id = i;
        (void) trove_replica_put(w->copy, &w->log->entry[0].c[0].reward,
                                 c.born);
        (void) trove_replica_claim(r, &s, &c);
        c.born++;
        (void) trove_replica_claim(r, &s, &c);
        break;
    }

    trove_replica_begun(w->copy, 1);
    (void) trove_replica_remove(w->copy, 999);
    (void) follow(w, r, 1);
    _exit(0);
}


static void
every_point_that_there_is_is_met(void **state)
{
    int                 met;
    pid_t               pid;
    size_t              i, n;
    uint32_t            k;
    world_t             w;
    const char *const  *points;

    points = trove_fault_points(&n);
    world_new(&w);

    for (k = 0; k < 300; k++) {
        master_acts(&w);
    }

    for (i = 0; i < n; i++) {

        if (strncmp(points[i], "replica", 7) != 0
            && strncmp(points[i], "elect", 5) != 0)
        {
            continue;
        }

        for (k = 0; k < 20; k++) {
            master_acts(&w);
        }

        pid = child_new();

        if (pid == 0) {
            everything(&w, points[i]);
        }

        met = (child_end(pid) == -1);

        if (!met) {
            print_error("%s\n", points[i]);
        }

        assert_true(met);
        sane(&w);

        /* what it did last was none of the log */

        assert_false(follower(&w, NULL, 1000000000, 1));
        follow_and_compare(&w);
    }

    world_free(&w);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(death_at_any_point_is_made_good),
        cmocka_unit_test(followers_that_die_leave_it_the_same),
        cmocka_unit_test(every_point_that_there_is_is_met),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
