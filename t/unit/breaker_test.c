
/*
 * The circuit breaker: step by step, against a model, and with threads.
 */

#include <pthread.h>

#include "unit.h"

#include "trove_breaker.h"
#include "input.h"


#define MS        1000000ULL
#define STEPS     200000
#define THREADS   4
#define ROUNDS    100000


static const trove_breaker_conf_t  conf = { 3, 50 * MS, 2000 * MS, 1000 * MS };


static void
it_opens_when_failures_follow_each_other(void **state)
{
    trove_breaker_t  b;

    memset(&b, 0, sizeof(trove_breaker_t));

    assert_int_equal(trove_breaker_failure(&b, &conf, 0, 1, MS, 0), 0);
    assert_int_equal(trove_breaker_failure(&b, &conf, 0, 1, MS, 0), 0);
    assert_int_equal(trove_breaker_success(&b, 0), 0);
    assert_int_equal(trove_breaker_failure(&b, &conf, 0, 1, MS, 0), 0);
    assert_int_equal(trove_breaker_failure(&b, &conf, 0, 1, MS, 0), 0);
    assert_true(trove_breaker_closed(&b));

    assert_int_equal(trove_breaker_failure(&b, &conf, 0, 1, MS, 0), 1);
    assert_int_equal(trove_breaker_state(&b), TROVE_BREAKER_OPEN);

    /* of those that were under way only the one that opened it says so */

    assert_int_equal(trove_breaker_failure(&b, &conf, 0, 1, MS, 0), 0);
    assert_int_equal(trove_breaker_success(&b, 0), 0);
    assert_int_equal(trove_breaker_state(&b), TROVE_BREAKER_OPEN);
}


static void
one_failure_may_be_enough(void **state)
{
    trove_breaker_t  b;

    memset(&b, 0, sizeof(trove_breaker_t));

    assert_int_equal(trove_breaker_failure(&b, &conf, 0, conf.failures, MS, 0),
                     1);
    assert_int_equal(trove_breaker_state(&b), TROVE_BREAKER_OPEN);
}


static void
one_probe_at_a_time(void **state)
{
    uint64_t               now;
    trove_breaker_t        b;
    trove_breaker_probe_t  probe, other;

    memset(&b, 0, sizeof(trove_breaker_t));

    assert_int_equal(trove_breaker_ask(&b, &conf, MS), 0);

    (void) trove_breaker_failure(&b, &conf, 0, 3, MS, UINT32_MAX);

    assert_int_equal(trove_breaker_ask(&b, &conf, 50 * MS), 0);
    assert_true(trove_breaker_wait(&b, 50 * MS) > 0);

    now = 50 * MS + trove_breaker_wait(&b, 50 * MS);

    assert_true(now <= 52 * MS);
    assert_int_equal(trove_breaker_wait(&b, now), 0);

    probe = trove_breaker_ask(&b, &conf, now);
    assert_true(probe != 0);
    assert_int_equal(trove_breaker_state(&b), TROVE_BREAKER_HALF_OPEN);

    assert_int_equal(trove_breaker_ask(&b, &conf, now), 0);
    assert_int_equal(trove_breaker_ask(&b, &conf, now + 999 * MS), 0);

    /* its owner is dead, or thought to be */

    other = trove_breaker_ask(&b, &conf, now + 1001 * MS);
    assert_true(other != 0);

    assert_int_equal(trove_breaker_success(&b, probe), 0);
    assert_int_equal(trove_breaker_failure(&b, &conf, probe, 1, now, 0), 0);
    assert_int_equal(trove_breaker_state(&b), TROVE_BREAKER_HALF_OPEN);

    assert_int_equal(trove_breaker_success(&b, other), 1);
    assert_true(trove_breaker_closed(&b));
    assert_int_equal(trove_breaker_success(&b, other), 0);
}


/* Without jitter at its longest: 50 ms, 100, 200 and so on up to 2 s. */

static void
it_waits_longer_each_time(void **state)
{
    int                    i, jitter;
    uint64_t               now, wait, longest;
    trove_breaker_t        b;
    trove_breaker_probe_t  probe;

    for (jitter = 0; jitter < 2; jitter++) {
        memset(&b, 0, sizeof(trove_breaker_t));

        now = 1000 * MS;
        probe = 0;

        for (i = 0; i < 200; i++) {
            assert_int_equal(trove_breaker_failure(&b, &conf, probe, 3, now,
                                                   jitter ? 0 : UINT32_MAX),
                             1);

            wait = trove_breaker_wait(&b, now);
            longest = (i < 6) ? (50 * MS) << i : 2000 * MS;
            longest = jitter ? longest / 2 : longest;

            assert_in_range(wait, longest - 1000, longest + 1000);

            now += wait;
            probe = trove_breaker_ask(&b, &conf, now);
            assert_true(probe != 0);

            /* that a probe succeeds proves little */

            if (i == 100) {
                assert_int_equal(trove_breaker_success(&b, probe), 1);
                probe = 0;
            }
        }

        assert_int_equal(trove_breaker_success(&b, probe), 1);
        assert_int_equal(trove_breaker_success(&b, 0), 0);
        assert_int_equal(trove_breaker_failure(&b, &conf, 0, 3, now, 0), 1);
        assert_in_range(trove_breaker_wait(&b, now), 24 * MS, 26 * MS);
    }
}


/* What it should be, in the plainest words. */

typedef struct {
    trove_breaker_state_t  state;
    unsigned               failures;
    unsigned               openings;
    uint64_t               until;
    unsigned               probe;      /* number of the one that is carried  */
} model_t;


static uint64_t
model_open(model_t *m, uint64_t now, uint32_t random)
{
    unsigned  i;
    uint64_t  time;

    time = conf.least;

    for (i = 0; i < m->openings && time < conf.most; i++) {
        time *= 2;
    }

    time = (time < conf.most) ? time : conf.most;

    m->state = TROVE_BREAKER_OPEN;
    m->failures = 0;
    m->openings++;
    m->probe = 0;

    return now + time / 2 + (uint64_t) ((double) (time / 2) * random
                                        / UINT32_MAX);
}


static void
it_is_as_the_model(void **state)
{
    int                    i, opened, closed, kind, is, said;
    model_t                m;
    unsigned               count, number, numbers[3];
    uint32_t               random;
    uint64_t               now;
    trove_breaker_t        b;
    trove_breaker_probe_t  probe, probes[3];

    now = 1000 * MS;
    number = 0;

    memset(&b, 0, sizeof(trove_breaker_t));
    memset(&m, 0, sizeof(model_t));
    memset(probes, 0, sizeof(probes));
    memset(numbers, 0, sizeof(numbers));

    for (i = 0; i < STEPS; i++) {
        random = (uint32_t) random_bits();
        kind = (uint32_t) random_bits() % 8;
        is = (uint32_t) random_bits() % 3;
        opened = 0;
        closed = 0;

        switch (kind) {

        case 0:
        case 1:
            now += (uint64_t) ((uint32_t) random_bits() % 1000) * MS / 7;
            break;

        case 2:
        case 3:
            probe = trove_breaker_ask(&b, &conf, now);

            if (m.state != TROVE_BREAKER_CLOSED
                && m.until / 1000 + 1 <= now / 1000)
            {
                assert_true(probe != 0);

                m.state = TROVE_BREAKER_HALF_OPEN;
                m.until = now + conf.probe;
                m.probe = ++number;

                probes[is] = probe;
                numbers[is] = number;

            } else {
                assert_int_equal(probe, 0);
            }

            break;

        case 4:
            said = trove_breaker_success(&b, 0);

            if (m.state == TROVE_BREAKER_CLOSED) {
                m.failures = 0;
                m.openings = 0;
            }

            assert_int_equal(said, 0);
            break;

        case 5:
            if (probes[is] == 0) {
                break;
            }

            if (m.probe == numbers[is]) {
                closed = 1;
                m.state = TROVE_BREAKER_CLOSED;
                m.failures = 0;
                m.probe = 0;
            }

            assert_int_equal(trove_breaker_success(&b, probes[is]), closed);
            break;

        case 6:
            count = 1 + (uint32_t) random_bits() % 2;

            if (m.state == TROVE_BREAKER_CLOSED) {
                m.failures += count;

                if (m.failures >= conf.failures) {
                    m.until = model_open(&m, now, random);
                    opened = 1;
                }
            }

            assert_int_equal(trove_breaker_failure(&b, &conf, 0, count, now,
                                                   random),
                             opened);
            break;

        case 7:
            if (probes[is] == 0) {
                break;
            }

            if (m.probe == numbers[is]) {
                m.until = model_open(&m, now, random);
                opened = 1;
            }

            assert_int_equal(trove_breaker_failure(&b, &conf, probes[is], 1,
                                                   now, random),
                             opened);
            break;
        }

        assert_int_equal(trove_breaker_state(&b), m.state);

        if (m.state == TROVE_BREAKER_CLOSED) {
            assert_int_equal(trove_breaker_wait(&b, now), 0);

        } else if (m.until > now + 1000) {
            assert_in_range(trove_breaker_wait(&b, now),
                            m.until - now - 1000, m.until - now + 1000);
        }
    }
}


/*
 * Threads with one clock.  Each probe is carried alone until it ends, or, with
 * owners that die, until it is overdue.
 */

static struct {
    trove_breaker_t       breaker;
    trove_breaker_conf_t  conf;
    unsigned              dies;         /* one of so many probes, 0: none    */
    uint64_t              seed;
    _Atomic uint64_t      clock;
    _Atomic unsigned      carried;
    _Atomic unsigned      twice;
    _Atomic unsigned      failed;       /* openings, of calls                */
    _Atomic unsigned      opened;       /* and of probes                     */
    _Atomic unsigned      closed;
    _Atomic unsigned      probes;
    _Atomic unsigned      lost;
} shared;


static void
carry(trove_breaker_probe_t probe, uint64_t now, uint64_t random)
{
    int  said;

    shared.probes++;

    if (shared.dies && (random >> 40) % shared.dies == 0) {
        shared.lost++;
        return;
    }

    shared.twice += atomic_fetch_add(&shared.carried, 1);
    (void) atomic_fetch_sub(&shared.carried, 1);

    if (random >> 32 & 1) {
        said = trove_breaker_failure(&shared.breaker, &shared.conf, probe, 1,
                                     now, (uint32_t) random);
        shared.opened += said;

    } else {
        said = trove_breaker_success(&shared.breaker, probe);
        shared.closed += said;
    }

    shared.lost += !said;
}


static void *
worker(void *data)
{
    int                    i;
    uint64_t               random, now;
    trove_breaker_probe_t  probe;

    random = shared.seed + (uintptr_t) data * 2;

    for (i = 0; i < ROUNDS; i++) {
        now = atomic_fetch_add(&shared.clock, MS);

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;

        if (random % 4 == 0) {
            shared.failed += trove_breaker_failure(&shared.breaker,
                                                   &shared.conf, 0, 1, now,
                                                   (uint32_t) random);
            continue;
        }

        if (trove_breaker_closed(&shared.breaker)) {
            (void) trove_breaker_success(&shared.breaker, 0);
            continue;
        }

        probe = trove_breaker_ask(&shared.breaker, &shared.conf, now);

        if (probe) {
            carry(probe, now, random);
        }
    }

    return NULL;
}


static void
threads(unsigned dies, uint64_t probe)
{
    uintptr_t  i;
    pthread_t  tids[THREADS];

    memset(&shared, 0, sizeof(shared));

    shared.conf = conf;
    shared.conf.probe = probe;
    shared.dies = dies;
    shared.seed = random_bits() | 1;
    shared.clock = 1000 * MS;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&tids[i], NULL, worker, (void *) i),
                         0);
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(tids[i], NULL), 0);
    }

    assert_true(shared.failed > 10);
    assert_true(shared.closed > 10);

    /* told by one each: what closes it was opened, and what opens it closed */

    assert_int_equal(shared.failed,
                     shared.closed + !trove_breaker_closed(&shared.breaker));
    assert_int_equal(shared.probes,
                     shared.opened + shared.closed + shared.lost);
}


static void
threads_share_it(void **state)
{
    threads(0, 1000000000 * MS);

    assert_int_equal(shared.twice, 0);
    assert_int_equal(shared.lost, 0);
}


static void
threads_die_with_their_probes(void **state)
{
    threads(8, 100 * MS);

    assert_true(shared.lost > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(it_opens_when_failures_follow_each_other),
        cmocka_unit_test(one_failure_may_be_enough),
        cmocka_unit_test(one_probe_at_a_time),
        cmocka_unit_test(it_waits_longer_each_time),
        cmocka_unit_test(it_is_as_the_model),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(threads_die_with_their_probes)
    };

    return cmocka_run_group_tests(tests, input_setup, NULL);
}
