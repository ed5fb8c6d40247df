
/*
 * The drainer's thread: whatever happens to its connection, to Redis, to locks
 * of the ledger and to other drainers, what waits is carried out, once each.
 */

#include "queues.h"
#include "trove_clock.h"
#include "trove_drain.h"


#define LONG     20000000000ULL         /* ns: something is wrong by then    */
#define TAPS     300                    /* more than are read at once        */


typedef struct {
    trove_drain_t        drain;
    pthread_t            thread;
    int                  goes;
    _Atomic uint64_t     moved;
} drainer_t;


static drainer_t            drainer;
static trove_ledger_t      *world;
static trove_redis_conf_t   redis_conf;     /* of the drainer                */


static void
moved(void *data)
{
    drainer_t  *d = data;

    (void) atomic_fetch_add(&d->moved, 1);
}


static void *
drain(void *data)
{
    drainer_t  *d = data;

    trove_drain_run(&d->drain);

    return NULL;
}


static void
drain_init(trove_drain_t *d, trove_ledger_t *l, void *data)
{
    trove_overflow_t  o;

    memset(&o, 0, sizeof(o));
    o.ledger = l;
    o.trove = slice("hunt");

    assert_int_equal(trove_drain_init(d, &o, &redis_conf, data ? moved : NULL,
                                      data),
                     TROVE_OK);
}


static void
drainer_go(trove_ledger_t *l)
{
    memset(&drainer, 0, sizeof(drainer_t));
    drain_init(&drainer.drain, l, &drainer);

    assert_true(trove_drain_elect(&drainer.drain));
    assert_int_equal(pthread_create(&drainer.thread, NULL, drain, &drainer),
                     0);
    drainer.goes = 1;
}


static void
drainer_halt(void)
{
    drainer.goes = 0;

    trove_drain_stop(&drainer.drain);
    assert_int_equal(pthread_join(drainer.thread, NULL), 0);
    trove_drain_done(&drainer.drain);
}


static trove_ledger_t *
begin(uint32_t rewards, uint32_t players)
{
    redis_did(s, "FLUSHALL");
    redis_did(s, "CONFIG RESETSTAT");

    world = world_new(rewards, players);

    return world;
}


static void
end(void)
{
    drainer_halt();

    assert_true(trove_ledger_sane(world));

    ledger_free(world);
    world = NULL;
}


/* What a test that failed has left. */

static int
left(void **state)
{
    if (drainer.goes) {
        drainer_halt();
    }

    if (world != NULL) {
        ledger_free(world);
        world = NULL;
    }

    return 0;
}


static int
late(uint64_t since)
{
    if (trove_clock_ns() - since > LONG) {
        return 1;
    }

    (void) usleep(1000);

    return 0;
}


static trove_client_report_t
reported(trove_store_rc_t rc)
{
    uint64_t               since;
    trove_client_report_t  report;

    since = trove_clock_ns();

    do {
        trove_drain_report(&drainer.drain, &report);

        if (report.n && report.rc == rc) {
            return report;
        }
    } while (!late(since));

    fail_msg("not %d but %d: %s", rc, report.rc, report.error);

    return report;
}


/* The mark comes to be that, and Redis has forgotten what is behind it. */

static void
done(uint32_t queue, uint64_t mark)
{
    char         name[TROVE_MARK_NAME];
    uint64_t     since;
    long long    len;
    redisReply  *reply;

    since = trove_clock_ns();

    do {
        reply = redis_do(s, "XLEN trove:{hunt}:overflow:%s",
                         trove_mark_name(world, queue, name));
        len = reply->integer;
        freeReplyObject(reply);

        if (trove_mark(world, queue) == mark && len == 0) {
            return;
        }
    } while (!late(since));

    fail_msg("at %lu, not %lu, and %lld are left",
             (unsigned long) trove_mark(world, queue), (unsigned long) mark,
             len);
}


static void
stays(uint32_t queue)
{
    uint64_t  since;

    since = trove_clock_ns();

    while (trove_mark_stays(world, queue) == 0) {
        assert_false(late(since));
    }
}


/* Many wait, which is told; the sum of the taps. */

static int64_t
taps_of(const char *player, int n)
{
    int       i;
    int64_t   sum;
    uint64_t  number;

    sum = 0;
    number = 0;

    for (i = 1; i <= n; i++) {
        number = enqueue_tap(world, player, i);
        sum += i;
    }

    trove_mark_queue(world, TROVE_MARK_PLAYERS, number);

    return sum;
}


static uint64_t
enqueue_put(uint32_t id)
{
    trove_redis_op_t  op;

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_PUT;
    op.u.put.id = id;
    op.u.put.stock = 1;

    return enqueue(world, TROVE_MARK_REWARDS, &op, 1000, 0);
}


static uint64_t
enqueue_score(const char *player, int64_t score)
{
    trove_redis_op_t  op;

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_SCORE;
    op.u.score.player = slice(player);
    op.u.score.score = score;

    return enqueue(world, TROVE_MARK_BOARDS, &op, 1000, 0);
}


static void
what_waits_is_carried_out_in_turn(void **state)
{
    int64_t          sum;
    uint64_t         n;
    trove_reward_t   r;
    trove_ledger_t  *l;

    l = begin(1, 2);
    reward_put(l, 1, 1, 1);
    assert_int_equal(enqueue_put(7), 1);
    assert_int_equal(enqueue_put(8), 2);
    sum = taps_of("a", TAPS);

    drainer_go(l);
    done(TROVE_MARK_PLAYERS, TAPS);
    assert_int_equal(balance_of(l, "a"), sum);
    stays(TROVE_MARK_REWARDS);
    assert_int_equal(trove_drain_pending(l), 2);
    assert_true(trove_mark_sure(l));

    /* what comes while others wait, and room for one after the other */

    assert_int_equal(enqueue_score("a", 5), 1);
    trove_mark_queue(l, TROVE_MARK_BOARDS, 1);
    done(TROVE_MARK_BOARDS, 1);

    n = atomic_load(&drainer.moved);
    reward_remove(l, 1);
    assert_int_equal(trove_ledger_get(l, 1, &r), TROVE_NOTFOUND);

    while (trove_mark(l, TROVE_MARK_REWARDS) != 1) {
        (void) usleep(1000);
    }

    assert_int_equal(trove_ledger_get(l, 7, &r), TROVE_OK);
    reward_remove(l, 7);
    done(TROVE_MARK_REWARDS, 2);
    assert_int_equal(trove_ledger_get(l, 8, &r), TROVE_OK);

    while (atomic_load(&drainer.moved) == n) {
        (void) usleep(1000);
    }

    assert_int_equal(trove_drain_pending(l), 0);
    end();
}


/* There is room for more rows when players are gone from the board. */

static void
a_row_that_is_removed_makes_room(void **state)
{
    trove_slice_t   b;
    trove_ledger_t  *l;

    l = begin(1, 1);
    assert_int_equal(enqueue_score("b", 5), 1);
    assert_int_equal(enqueue_score("c", 5), 2);
    drainer_go(l);
    stays(TROVE_MARK_BOARDS);
    assert_int_equal(trove_mark(l, TROVE_MARK_BOARDS), 1);

    b = slice("b");
    assert_int_equal(trove_board_remove(l, 0, &b, (uint64_t) time(NULL) * 1000),
                     TROVE_OK);
    done(TROVE_MARK_BOARDS, 2);
    end();
}


/* He died before he could tell that he had put something there. */

static void
what_nobody_has_told_of_is_found(void **state)
{
    trove_ledger_t  *l;

    l = begin(1, 2);
    drainer_go(l);
    (void) reported(TROVE_STORE_DONE);
    assert_int_equal(enqueue_tap(l, "a", 3), 1);
    done(TROVE_MARK_PLAYERS, 1);
    assert_int_equal(balance_of(l, "a"), 3);
    end();
}


static void
connections_may_break(void **state)
{
    int              i;
    int64_t          sum;
    trove_ledger_t  *l;

    l = begin(1, 2);
    drainer_go(l);
    sum = 0;

    for (i = 1; i <= 5; i++) {
        sum += taps_of("a", TAPS);
        (void) usleep((useconds_t) random_below(2000));
        redis_did(s, "CLIENT KILL TYPE normal SKIPME yes");
        done(TROVE_MARK_PLAYERS, (uint64_t) i * TAPS);
        assert_int_equal(balance_of(l, "a"), sum);
    }

    (void) reported(TROVE_STORE_DONE);
    end();
}


/* It says nothing for so long that it is given up, and then goes on. */

static void
redis_may_be_stopped(void **state)
{
    int64_t                 sum;
    uint64_t                n;
    trove_ledger_t         *l;
    trove_client_report_t   report;

    l = begin(1, 2);
    drainer_go(l);
    n = reported(TROVE_STORE_DONE).n;
    sum = taps_of("a", 1);
    done(TROVE_MARK_PLAYERS, 1);

    assert_int_equal(kill(s->pid, SIGSTOP), 0);

    while (reported(TROVE_STORE_TIMEOUT).n < n + 1) {
        /* void */
    }

    trove_drain_report(&drainer.drain, &report);
    assert_true(report.error[0] != '\0');

    assert_int_equal(kill(s->pid, SIGCONT), 0);
    (void) reported(TROVE_STORE_DONE);
    sum += taps_of("a", TAPS);
    done(TROVE_MARK_PLAYERS, TAPS + 1);
    assert_int_equal(balance_of(l, "a"), sum);

    /* and it does not keep the thread from its end */

    assert_int_equal(kill(s->pid, SIGSTOP), 0);
    drainer_halt();
    assert_int_equal(kill(s->pid, SIGCONT), 0);
    drainer_go(l);
    end();
}


static void
marks_may_be_held(void **state)
{
    int              ready[2], go[2];
    char             c;
    pid_t            pid;
    int64_t          sum;
    trove_ledger_t  *l;

    l = begin(1, 2);
    sum = taps_of("a", TAPS);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);

    pid = child_new();

    if (pid == 0) {
        if (trove_mark_hold(l) != TROVE_OK
            || write(ready[1], "", 1) != 1
            || read(go[0], &c, 1) != 1)
        {
            _exit(1);
        }

        trove_mark_let_go(l);
        _exit(0);
    }

    assert_int_equal(read(ready[0], &c, 1), 1);
    drainer_go(l);

    /* for longer than that is thought to be usual, which is told */

    assert_non_null(strstr(reported(TROVE_STORE_BUSY).error, "is held"));
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 0);
    assert_int_equal(write(go[1], "", 1), 1);

    done(TROVE_MARK_PLAYERS, TAPS);
    (void) reported(TROVE_STORE_DONE);
    assert_int_equal(balance_of(l, "a"), sum);
    assert_int_equal(child_end(pid), 0);

    (void) close(ready[0]);
    (void) close(ready[1]);
    (void) close(go[0]);
    (void) close(go[1]);
    end();
}


/* The drainer dies when it has carried out some. */

static void
another_process_goes_on(void **state)
{
    int              i;
    pid_t            pid;
    int64_t          sum;
    trove_drain_t    d, other;
    trove_ledger_t  *l;

    for (i = 0; i < 5; i++) {
        l = begin(1, 2);
        sum = taps_of("a", TAPS);

        pid = child_new();

        if (pid == 0) {
            drain_init(&d, l, NULL);

            if (!trove_drain_elect(&d)) {
                _exit(1);
            }

            trove_fault_arm(NULL, 1 + random_below(2 * TAPS));
            trove_drain_run(&d);
        }

        drain_init(&other, l, NULL);

        while (trove_mark(l, TROVE_MARK_PLAYERS) == 0
               && waitpid(pid, NULL, WNOHANG) == 0)
        {
            (void) trove_drain_elect(&other);
            (void) usleep(1000);
        }

        trove_drain_done(&other);
        (void) waitpid(pid, NULL, 0);

        drainer_go(l);
        done(TROVE_MARK_PLAYERS, TAPS);
        assert_int_equal(balance_of(l, "a"), sum);
        end();
    }
}


static void
what_is_lost_and_what_is_of_others_is_told(void **state)
{
    trove_stats_t   *stats;
    trove_ledger_t  *l;
    trove_drain_t   *d;
    void            *region;

    d = &drainer.drain;
    l = begin(1, 2);
    drainer_go(l);
    (void) taps_of("a", 3);
    done(TROVE_MARK_PLAYERS, 3);

    /* Redis is emptied, and then somebody's players tap */

    trove_mark_queue(l, TROVE_MARK_PLAYERS, 5);
    redis_did(s, "FLUSHALL");
    redis_did(s, "HSET trove:{hunt}:overflow format 1 whose 99 ledger "
                 "00000000000000000000000000000000 players 1");
    redis_did(s, "XADD trove:{hunt}:overflow:players 1-0 at 1 op nonsense");
    done(TROVE_MARK_PLAYERS, 1);
    assert_int_equal(trove_mark_whose(l), 99);
    assert_int_equal(trove_stat_get(&d->others), 1);

    redis_did(s, "HSET trove:{hunt}:overflow players 4");
    done(TROVE_MARK_PLAYERS, 4);

    region = calloc(1, trove_stats_size() + TROVE_STATS_ALIGN);
    assert_non_null(region);
    stats = (trove_stats_t *) (((uintptr_t) region + TROVE_STATS_ALIGN - 1)
                               & ~(uintptr_t) (TROVE_STATS_ALIGN - 1));
    trove_stats_init(stats);
    stats = trove_stats_claim(stats);

    trove_drain_tell(d, stats);
    trove_drain_tell(d, stats);
    assert_int_equal(trove_stat_get(&stats->figures.overflow_drained), 3);
    assert_int_equal(trove_stat_get(&stats->figures.overflow_invalid), 1);
    assert_int_equal(trove_stat_get(&stats->figures.overflow_lost), 2 + 3);
    free(region);

    /* queues of another ledger are left alone until they are no longer */

    redis_did(s, "HSET trove:{hunt}:overflow ledger other");
    assert_non_null(strstr(reported(TROVE_STORE_FOREIGN).error,
                           "another ledger's"));
    redis_did(s, "HSET trove:{hunt}:overflow ledger "
                 "00000000000000000000000000000000");
    (void) reported(TROVE_STORE_DONE);
    end();
}


/* As many are at the ledger as can be. */

static void
a_place_among_processes_may_be_had_later(void **state)
{
    int64_t          sum;
    trove_redo_t    *redos[300];
    trove_ledger_t  *l;
    uint32_t         n;

    l = begin(1, 2);
    sum = taps_of("a", 3);

    for (n = 0; trove_redo_open(l, &redos[n]) == TROVE_OK; n++) {
        assert_true(n < 299);
    }

    drainer_go(l);
    assert_non_null(strstr(reported(TROVE_STORE_BUSY).error, "too many"));
    trove_redo_close(redos[n / 2]);
    done(TROVE_MARK_PLAYERS, 3);
    assert_int_equal(balance_of(l, "a"), sum);
    end();
}


static int
setup(void **state)
{
    (void) queues_setup(state);

    if (s != NULL) {
        redis_conf = s->conf;
        redis_conf.timeout = 500;
    }

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(what_waits_is_carried_out_in_turn, left),
        cmocka_unit_test_teardown(a_row_that_is_removed_makes_room, left),
        cmocka_unit_test_teardown(what_nobody_has_told_of_is_found, left),
        cmocka_unit_test_teardown(connections_may_break, left),
        cmocka_unit_test_teardown(redis_may_be_stopped, left),
        cmocka_unit_test_teardown(marks_may_be_held, left),
        cmocka_unit_test_teardown(another_process_goes_on, left),
        cmocka_unit_test_teardown(what_is_lost_and_what_is_of_others_is_told,
                                  left),
        cmocka_unit_test_teardown(a_place_among_processes_may_be_had_later,
                                  left),
    };

    return redis_tests("drain", tests, sizeof(tests) / sizeof(tests[0]), 0,
                       setup, queues_teardown);
}
