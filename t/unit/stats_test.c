/*
 * Statistics: slots under several processes and their deaths, sums, and the
 * texts read back by yajl and by a parser of their own.
 */

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <yajl/yajl_tree.h>

#include "unit.h"

#include "trove_fault.h"
#include "trove_stats.h"

#ifndef TROVE_FAULT_POINTS
#error "the core has to be built with TROVE_FAULT_POINTS for its tests"
#endif


#define WORKERS      5
#define GENERATIONS  4
#define ENOUGH       3000       /* records of each worker before its death   */
#define SERIES       4096
#define NAMES        3
#define MANY         10

#define EXEMPLAR     "00112233445566778899aabbccddeeff"


/* What a worker says of itself, in shared memory. */

typedef struct {
    _Atomic uint64_t   begun;       /* records                               */
    _Atomic uint64_t   done;
    _Atomic uint64_t   stop;
    _Atomic uint64_t   slot;        /* its index + 1, once it is claimed     */
} worker_t;


/* A line of Prometheus's text. */

typedef struct {
    char               name[128];
    char               labels[1024];
    double             value;
    uint32_t           exemplar;    /* it has one                            */
} series_t;


typedef struct {
    char               family[128];
    char               type[16];
    uint32_t           families;
    uint32_t           exemplars;
    uint32_t           n;
    series_t           series[SERIES];
} text_t;


static void                 *region;
static worker_t             *workers;
static trove_stats_total_t   total, before;


static const trove_stats_info_t  info = {
    TROVE_VERSION, "1.22.1", "avx2", "mimalloc", "2.0.9"
};


/* As hostile as a name may be, and how it is to be shown. */

static const struct {
    const char  *name;
    const char  *shown;
} names[NAMES] = {
    { "hunt", "hunt" },
    { "a\"b\\c\nd\t{},=\x01 \xc3\xa4\xe2\x82\xac",
      "a\"b\\c\nd\t{},=\x01 \xc3\xa4\xe2\x82\xac" },
    { "\xff\xc3\"x\xed\xa0\x80", "\\xff\\xc3\"x\\xed\\xa0\\x80" }
};


static void *
shared_memory(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
             0);

    return (p == MAP_FAILED) ? NULL : p;
}


/* How often this process has read so far. */

static unsigned long long
reads(void)
{
    FILE                *f;
    char                 line[64];
    unsigned long long   n;

    f = fopen("/proc/self/io", "r");
    assert_non_null(f);
    n = 0;

    while (fgets(line, sizeof(line), f) != NULL) {
        (void) sscanf(line, "syscr: %llu", &n);
    }

    (void) fclose(f);

    return n;
}


/* Each test has a region of its own. */

static int
setup(void **state)
{
    region = shared_memory(trove_stats_size());
    workers = shared_memory(WORKERS * sizeof(worker_t));

    if (region == NULL || workers == NULL) {
        return 1;
    }

    trove_stats_init(region);

    return 0;
}


static int
teardown(void **state)
{
    munmap(region, trove_stats_size());
    munmap(workers, WORKERS * sizeof(worker_t));

    return 0;
}


/* Pages of the region that memory stands for. */

static size_t
resident_pages(void)
{
    size_t          i, n, pages;
    unsigned char  *vec;

    n = (trove_stats_size() + 4095) / 4096;
    vec = malloc(n);

    assert_non_null(vec);
    assert_int_equal(mincore(region, trove_stats_size(), vec), 0);

    pages = 0;

    for (i = 0; i < n; i++) {
        pages += vec[i] & 1;
    }

    free(vec);

    return pages;
}


/* A child that does not outlive a test that fails. */

static pid_t
fork_child(void)
{
    pid_t  pid, parent;

    parent = getpid();
    pid = fork();

    assert_true(pid != -1);

    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0
                     || getppid() != parent))
    {
        _exit(2);
    }

    return pid;
}


static void
kill_and_wait(pid_t pid)
{
    int  status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}


static void
wait_for_exit(pid_t pid)
{
    int  status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}


static uint64_t
requests_of(const trove_stats_total_t *t, trove_endpoint_t endpoint)
{
    uint32_t  i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < TROVE_CODES; i++) {
        n += trove_stat_get(&t->sum.endpoints[endpoint].requests[i]);
    }

    return n;
}


static void
a_region_is_told_from_others(void **state)
{
    void      *other;
    uint64_t  *layout;

    assert_int_equal(trove_stats_attach(region), TROVE_OK);

    other = shared_memory(trove_stats_size());

    assert_non_null(other);
    assert_int_equal(trove_stats_attach(other), TROVE_MISMATCH);

    munmap(other, trove_stats_size());

    layout = region;
    (*layout)++;

    assert_int_equal(trove_stats_attach(region), TROVE_MISMATCH);
}


static void
only_touched_slots_take_memory(void **state)
{
    size_t          none, slot;
    trove_stats_t  *s[3];

    slot = sizeof(trove_stats_t) / 4096 + 2;
    none = resident_pages();

    assert_true(none <= 4);

    trove_stats_sum(region, NULL, &total);
    assert_true(resident_pages() == none);

    s[0] = trove_stats_claim(region);
    s[1] = trove_stats_claim(region);
    s[2] = trove_stats_claim(region);

    assert_true(resident_pages() <= none + 3 * slot);

    trove_stats_sum(region, NULL, &total);
    assert_true(resident_pages() <= none + 3 * slot);

    assert_int_equal((uintptr_t) s[1] % TROVE_STATS_ALIGN, 0);
    assert_int_equal(sizeof(trove_stats_t) % TROVE_STATS_ALIGN, 0);

    trove_stats_release(s[0]);
    trove_stats_release(s[1]);
    trove_stats_release(s[2]);
}


static void
codes_are_those_of_the_list(void **state)
{
    char      text[16];
    uint32_t  status, code, known;

    known = 0;

    for (status = 0; status < 1000; status++) {
        code = trove_stats_code(status);
        snprintf(text, sizeof(text), "%u", status);

        if (code == TROVE_CODE_OTHER) {
            continue;
        }

        assert_string_equal(trove_stats_code_names[code], text);
        known++;
    }

    assert_int_equal(known, TROVE_CODES - 1);
    assert_int_equal(trove_stats_code(UINT32_MAX), TROVE_CODE_OTHER);
    assert_string_equal(trove_stats_code_names[TROVE_CODE_OTHER], "other");
}


static void
workers_are_looked_at_once_for_all_troves(void **state)
{
    uint32_t            i, n;
    unsigned long long  before;
    trove_stats_seen_t  seen;

    memset(&seen, 0, sizeof(seen));

    (void) trove_stats_claim(region);
    (void) trove_stats_claim(region);

    before = reads();
    n = reads() - before;               /* that takes some itself            */

    before = reads();

    for (i = 0; i < 50; i++) {
        trove_stats_sum(region, &seen, &total);

        assert_int_equal(total.sum.workers_alive, 2);
        assert_true(total.workers[1].resident > 0);
    }

    /* its life and its resident set */

    assert_int_equal(reads() - before, n + 2);
}


static void
what_is_recorded_is_summed(void **state)
{
    uint32_t                      i;
    trove_stats_t                *s[2];
    const trove_stats_figures_t  *sum;

    s[0] = trove_stats_claim(region);
    s[1] = trove_stats_claim(region);

    assert_ptr_not_equal(s[0], s[1]);

    for (i = 0; i < 2; i++) {
        trove_stats_request(s[i], TROVE_ENDPOINT_POLL, 200, 1000 + i);
        trove_stats_request(s[i], TROVE_ENDPOINT_POLL, 404, 90000);
        trove_stats_request(s[i], TROVE_ENDPOINT_REWARDS, 418, 7);
        trove_stats_add(s[i], poll_found, 12);
        trove_stats_observe(s[i], epoch_turn, 5000);
        trove_stats_endpoint_add(s[i], TROVE_ENDPOINT_REWARDS, lines_ok, 100);
        trove_stats_set(s[i], arena_size, 1000);
        trove_stats_set(s[i], arena_size, 4096);
        trove_stats_set(s[i], view_version, 69 + i);
        trove_stats_set(s[i], allocator_committed, 300 + i);
    }

    trove_stats_sum(region, NULL, &total);
    sum = &total.sum;

    assert_int_equal(sum->endpoints[TROVE_ENDPOINT_POLL]
                         .requests[TROVE_CODE_200], 2);
    assert_int_equal(sum->endpoints[TROVE_ENDPOINT_POLL]
                         .requests[TROVE_CODE_404], 2);
    assert_int_equal(sum->endpoints[TROVE_ENDPOINT_REWARDS]
                         .requests[TROVE_CODE_OTHER], 2);
    assert_int_equal(requests_of(&total, TROVE_ENDPOINT_POLL), 4);
    assert_int_equal(sum->endpoints[TROVE_ENDPOINT_POLL].duration.sum, 182001);
    assert_int_equal(sum->endpoints[TROVE_ENDPOINT_POLL].duration.max, 90000);
    assert_int_equal(sum->endpoints[TROVE_ENDPOINT_REWARDS].lines_ok, 200);
    assert_int_equal(sum->poll_found, 24);
    assert_int_equal(trove_histogram_count(&sum->epoch_turn), 2);
    assert_int_equal(trove_histogram_count(&sum->epoch_lag), 0);

    assert_int_equal(sum->arena_size, 8192);
    assert_int_equal(sum->view_version, 69);
    assert_int_equal(sum->workers_alive, 2);
    assert_true(sum->started > 0 && sum->started <= (uint64_t) time(NULL));

    assert_int_equal(total.nworkers, 2);
    assert_int_equal(total.workers[0].process >> 32, getpid());
    assert_int_equal(total.workers[0].allocator_committed, 300);
    assert_int_equal(total.workers[1].allocator_committed, 301);
    assert_true(total.workers[0].resident > 4096);

    /* of who has left the counters stay, and the gauges do not */

    trove_stats_release(s[1]);
    trove_stats_sum(region, NULL, &total);

    assert_int_equal(sum->poll_found, 24);
    assert_int_equal(sum->arena_size, 4096);
    assert_int_equal(sum->view_version, 69);
    assert_int_equal(total.nworkers, 1);

    /* and who takes the slot goes on with them */

    assert_ptr_equal(trove_stats_claim(region), s[1]);
    trove_stats_add(s[1], poll_found, 1);
    trove_stats_sum(region, NULL, &total);

    assert_int_equal(sum->poll_found, 25);
    assert_int_equal(sum->arena_size, 4096);
    assert_int_equal(sum->view_version, 0);
    assert_int_equal(total.nworkers, 2);
}


/* A worker counts its records before and after it makes them. */

static void
worker_run(worker_t *w, uint64_t salt)
{
    uint64_t        ns;
    trove_stats_t  *s;

    random_seed ^= salt;

    s = trove_stats_claim(region);

    trove_stats_set(s, arena_size, 1000);
    atomic_store(&w->slot, s->index + 1);

    while (!atomic_load(&w->stop)) {
        ns = random_bits() % 100000;

        atomic_fetch_add(&w->begun, 1);

        trove_stats_request(s, TROVE_ENDPOINT_POLL, 200, ns);
        trove_stats_add(s, poll_found, 3);
        trove_stats_observe(s, epoch_lag, ns);

        atomic_fetch_add(&w->done, 1);
    }

    trove_stats_release(s);
}


static pid_t
worker_start(worker_t *w, uint64_t salt)
{
    pid_t  pid;

    memset(w, 0, sizeof(worker_t));

    pid = fork_child();

    if (pid == 0) {
        worker_run(w, salt);
        _exit(0);
    }

    return pid;
}


/* Sums until each worker has recorded enough; no counter may go back. */

static void
watch(uint64_t enough)
{
    uint32_t                    i, ready;
    const trove_stats_entry_t  *entry;

    do {
        trove_stats_sum(region, NULL, &total);

        for (i = 0; i < TROVE_STATS_FIGURES; i++) {
            entry = &trove_stats_list[i];

            if (entry->kind == TROVE_STATS_COUNTER) {
                assert_true(trove_stats_value(&total.sum, entry)
                            >= trove_stats_value(&before.sum, entry));
            }
        }

        assert_true(requests_of(&total, TROVE_ENDPOINT_POLL)
                    >= requests_of(&before, TROVE_ENDPOINT_POLL));
        assert_true(trove_histogram_count(&total.sum.epoch_lag)
                    >= trove_histogram_count(&before.sum.epoch_lag));
        assert_true(total.sum.epoch_lag.sum >= before.sum.epoch_lag.sum);
        assert_true(total.sum.epoch_lag.max >= before.sum.epoch_lag.max);
        assert_true(total.nworkers <= WORKERS);

        memcpy(&before, &total, sizeof(trove_stats_total_t));

        ready = 0;

        for (i = 0; i < WORKERS; i++) {
            ready += (atomic_load(&workers[i].done) >= enough);
        }

    } while (ready < WORKERS);
}


/*
 * In each generation some workers are killed, wherever they are, and the
 * others leave; the next one finds the same slots.
 */

static void
totals_are_exact_over_deaths(void **state)
{
    pid_t     pids[WORKERS];
    uint32_t  i, g, killed;
    uint64_t  begun, done, deaths, requests;

    memset(&before, 0, sizeof(trove_stats_total_t));

    begun = 0;
    done = 0;
    deaths = 0;

    for (g = 0; g < GENERATIONS; g++) {
        killed = random_bits() % (1 << WORKERS);

        for (i = 0; i < WORKERS; i++) {
            pids[i] = worker_start(&workers[i], random_bits());
        }

        watch(1 + random_bits() % ENOUGH);
        trove_stats_sum(region, NULL, &total);

        assert_int_equal(total.nworkers, WORKERS);
        assert_int_equal(total.sum.arena_size, WORKERS * 1000);

        /* of one who died each of those who start may know, but one counts */

        assert_int_equal(total.sum.worker_deaths, deaths);

        for (i = 0; i < WORKERS; i++) {
            if (killed & (1 << i)) {
                kill_and_wait(pids[i]);
                deaths++;

            } else {
                atomic_store(&workers[i].stop, 1);
                wait_for_exit(pids[i]);
            }

            assert_in_range(workers[i].slot, 1, WORKERS);

            begun += workers[i].begun;
            done += workers[i].done;
        }

        trove_stats_sum(region, NULL, &total);

        requests = requests_of(&total, TROVE_ENDPOINT_POLL);

        assert_in_range(requests, done, begun);
        assert_in_range(total.sum.poll_found, 3 * done, 3 * begun);
        assert_in_range(trove_histogram_count(&total.sum.epoch_lag), done,
                        begun);
        assert_true(begun - done <= (uint64_t) (g + 1) * WORKERS);

        assert_int_equal(total.nworkers, 0);
        assert_int_equal(total.sum.arena_size, 0);
        assert_int_equal(total.sum.slots_exhausted, 0);
    }
}


static void
totals_are_exact_without_deaths(void **state)
{
    pid_t     pids[WORKERS];
    uint32_t  i;
    uint64_t  done;

    memset(&before, 0, sizeof(trove_stats_total_t));

    for (i = 0; i < WORKERS; i++) {
        pids[i] = worker_start(&workers[i], random_bits());
    }

    watch(ENOUGH);

    done = 0;

    for (i = 0; i < WORKERS; i++) {
        atomic_store(&workers[i].stop, 1);
        wait_for_exit(pids[i]);

        assert_int_equal(workers[i].begun, workers[i].done);
        done += workers[i].done;
    }

    trove_stats_sum(region, NULL, &total);

    assert_int_equal(requests_of(&total, TROVE_ENDPOINT_POLL), done);
    assert_int_equal(total.sum.poll_found, 3 * done);
    assert_int_equal(trove_histogram_count(&total.sum.epoch_lag), done);
    assert_int_equal(trove_histogram_count(
                         &total.sum.endpoints[TROVE_ENDPOINT_POLL].duration),
                     done);
}


/* At each point of claiming and releasing; nothing is lost of what was. */

static void
death_while_a_slot_changes_hands(void **state)
{
    int             status, points;
    pid_t           pid;
    uint32_t        i, k;
    trove_stats_t  *s;

    static const char  *names[] = { "stats claim", "stats release" };

    s = trove_stats_claim(region);
    trove_stats_add(s, poll_found, 77);
    trove_stats_release(s);

    points = 0;

    for (k = 0; k < 2; k++) {
        for (i = 1; /* void */ ; i++) {

            pid = fork_child();

            if (pid == 0) {
                trove_fault_arm(names[k], i);
                s = trove_stats_claim(region);
                trove_stats_set(s, arena_size, 1000);
                trove_stats_release(s);
                _exit(0);
            }

            assert_int_equal(waitpid(pid, &status, 0), pid);

            if (WIFEXITED(status)) {
                assert_int_equal(WEXITSTATUS(status), 0);
                break;
            }

            points++;

            trove_stats_sum(region, NULL, &total);
            assert_int_equal(total.sum.poll_found, 77);
            assert_int_equal(total.sum.arena_size, 0);
            assert_int_equal(total.nworkers, 0);

            s = trove_stats_claim(region);
            assert_int_equal(s->index, 0);

            trove_stats_sum(region, NULL, &total);
            assert_int_equal(total.sum.poll_found, 77);
            assert_int_equal(total.sum.arena_size, 0);
            assert_int_equal(total.nworkers, 1);

            trove_stats_release(s);
        }
    }

    assert_int_equal(points, 5);
}


static void
workers_beyond_the_slots_share_one(void **state)
{
    pid_t           pids[WORKERS];
    uint32_t        i, k, n;
    trove_stats_t  *s[TROVE_STATS_SLOTS], *shared;

    for (i = 0; i < TROVE_STATS_SLOTS; i++) {
        s[i] = trove_stats_claim(region);
        assert_int_equal(s[i]->index, i);
        assert_false(s[i]->shared);
    }

    trove_stats_add(s[0], epoch_turns, 5);

    n = 100000;

    for (i = 0; i < WORKERS; i++) {
        pids[i] = fork_child();

        if (pids[i] == 0) {
            shared = trove_stats_claim(region);

            if (!shared->shared) {
                _exit(1);
            }

            trove_stats_set(shared, arena_size, 1000);

            /* they write at the same time as far as there are processors */

            atomic_fetch_add(&workers[0].begun, 1);

            while (atomic_load(&workers[0].begun) < WORKERS) {
                sched_yield();
            }

            for (k = 0; k < n; k++) {
                trove_stats_add(shared, epoch_turns, 1);
                trove_stats_request(shared, TROVE_ENDPOINT_POLL, 200, k + i);
                trove_stats_observe(shared, epoch_turn, k);
            }

            trove_stats_release(shared);
            _exit(0);
        }
    }

    for (i = 0; i < WORKERS; i++) {
        wait_for_exit(pids[i]);
    }

    trove_stats_sum(region, NULL, &total);

    assert_int_equal(total.sum.epoch_turns, WORKERS * n + 5);
    assert_int_equal(requests_of(&total, TROVE_ENDPOINT_POLL), WORKERS * n);
    assert_int_equal(trove_histogram_count(&total.sum.epoch_turn),
                     WORKERS * n);
    assert_int_equal(total.sum.epoch_turn.sum,
                     (uint64_t) WORKERS * n * (n - 1) / 2);
    assert_int_equal(total.sum.endpoints[TROVE_ENDPOINT_POLL].duration.max,
                     n - 1 + WORKERS - 1);
    assert_int_equal(total.sum.slots_exhausted, WORKERS);
    assert_int_equal(total.sum.arena_size, 0);
    assert_int_equal(total.nworkers, TROVE_STATS_SLOTS);

    /* a slot that is let go is the next one's */

    trove_stats_release(s[100]);
    assert_ptr_equal(trove_stats_claim(region), s[100]);
}


static uint32_t
coin(const char *name)
{
    trove_slice_t  slice;

    slice.data = (const unsigned char *) name;
    slice.len = strlen(name);

    return trove_stats_coin(region, &slice);
}


/* Names of coins are remembered; those too many are one. */

static void
coins_are_counted_by_name(void **state)
{
    char                 name[TROVE_COIN_NAME_MAX + 1];
    uint32_t             i;
    trove_stats_t       *s;
    trove_stats_total_t  total;

    assert_int_equal(coin("gold"), 0);
    assert_int_equal(coin("silver"), 1);
    assert_int_equal(coin("gold"), 0);
    assert_int_equal(coin("golden"), 2);
    assert_int_equal(coin("gol"), 3);

    memset(name, 'n', sizeof(name));
    name[TROVE_COIN_NAME_MAX] = '\0';

    assert_int_equal(coin(name), 4);

    for (i = 5; i < TROVE_STATS_COINS; i++) {
        snprintf(name, sizeof(name), "coin%u", i);
        assert_int_equal(coin(name), i);
    }

    trove_stats_sum(region, NULL, &total);
    assert_int_equal(total.ncoins, TROVE_STATS_COINS);

    assert_int_equal(coin("one too many"), TROVE_STATS_COINS);
    assert_int_equal(coin("and another"), TROVE_STATS_COINS);
    assert_int_equal(coin("silver"), 1);

    for (i = 0; i < 2; i++) {
        s = trove_stats_claim(region);
        trove_stats_add(s, coins[1], 5);
        trove_stats_add(s, coins[TROVE_STATS_COINS], 1);
        trove_stats_release(s);
    }

    trove_stats_sum(region, NULL, &total);

    assert_int_equal(total.ncoins, TROVE_STATS_COINS + 1);
    assert_int_equal(total.coins[4].len, TROVE_COIN_NAME_MAX);
    assert_memory_equal(total.coins[1].data, "silver", 6);
    assert_memory_equal(total.coins[TROVE_STATS_COINS].data, "(other)", 7);
    assert_int_equal(total.sum.coins[1], 10);
    assert_int_equal(total.sum.coins[TROVE_STATS_COINS], 2);
}


static const trove_stats_board_t  boards[] = {
    { "weekly", 7, 400000, 2 }, { "all-time_2", 0, 1, 0 }
};


static const trove_stats_queue_t  queues[] = {
    { "rewards", 3, UINT64_C(2500000000) },
    { "players", 0, 0 },
    { "board:weekly", 1, 1 }
};


static void
exemplar_put(trove_stats_t *s, trove_endpoint_t endpoint, uint64_t ns)
{
    trove_exemplar_t  *e;

    e = trove_stats_exemplar(s, endpoint, ns, 1700000000125);

    if (e) {
        assert_int_equal(trove_exemplar_put(e, 1700000000125, ns,
                                            (const unsigned char *) EXEMPLAR,
                                            TROVE_EXEMPLAR_ID), TROVE_OK);
    }
}


/* Troves of the hostile names, with different figures each. */

static void
fill(trove_stats_trove_t *troves, trove_stats_total_t *totals)
{
    uint32_t        i, k;
    uint64_t        ns;
    trove_stats_t  *s;

    s = trove_stats_claim(region);

    assert_int_equal(coin("bronze"), 0);
    assert_int_equal(coin("a \"b\" c"), 1);

    for (i = 0; i < NAMES; i++) {

        for (k = 0; k < 1000; k++) {
            ns = random_bits() % 2000000000;
            trove_stats_request(s, k % TROVE_ENDPOINTS, (k % 7) ? 200 : 404,
                                ns);
            exemplar_put(s, k % TROVE_ENDPOINTS, ns);
            trove_stats_observe(s, epoch_turn, random_bits() % 50000);
        }

        trove_stats_observe(s, epoch_lag, UINT64_C(100000000000));

        trove_stats_add(s, poll_scanned, UINT64_C(1) << 60);
        trove_stats_endpoint_add(s, TROVE_ENDPOINT_POLL, lines_error, 3);
        trove_stats_add(s, coins[1], 17);
        trove_stats_set(s, arena_size, 128 << 20);
        trove_stats_set(s, allocator_reserved, 1 << 30);

        trove_stats_sum(region, NULL, &totals[i]);
        trove_stat_set(&totals[i].sum.rewards, 171075);
        trove_stat_set(&totals[i].sum.store_lag, 16000000);

        troves[i].name.data = (const unsigned char *) names[i].name;
        troves[i].name.len = strlen(names[i].name);
        troves[i].simd = "avx512";
        troves[i].total = &totals[i];
        troves[i].boards = boards;
        troves[i].nboards = i % 3;
        troves[i].queues = queues;
        troves[i].nqueues = (i % 3) ? 3 : 0;
    }
}


static yajl_val
get(yajl_val v, const char *key)
{
    const char  *path[] = { key, NULL };

    v = yajl_tree_get(v, path, yajl_t_any);

    assert_non_null(v);

    return v;
}


static uint64_t
number(yajl_val v, const char *key)
{
    v = get(v, key);

    assert_true(YAJL_IS_NUMBER(v));

    return strtoull(YAJL_GET_NUMBER(v), NULL, 10);
}


static double
seconds(yajl_val v, const char *key)
{
    v = get(v, key);

    assert_true(YAJL_IS_DOUBLE(v));

    return YAJL_GET_DOUBLE(v);
}


/* No object has a key twice. */

static void
check_keys(yajl_val v)
{
    size_t  i, k;

    if (YAJL_IS_ARRAY(v)) {
        for (i = 0; i < v->u.array.len; i++) {
            check_keys(v->u.array.values[i]);
        }
    }

    if (!YAJL_IS_OBJECT(v)) {
        return;
    }

    for (i = 0; i < v->u.object.len; i++) {
        for (k = 0; k < i; k++) {
            assert_string_not_equal(v->u.object.keys[i],
                                    v->u.object.keys[k]);
        }

        check_keys(v->u.object.values[i]);
    }
}


/* The buckets that are not empty: the longest duration, and how many. */

static void
check_json_buckets(yajl_val list, const trove_histogram_t *h)
{
    uint32_t   i;
    size_t     k;
    uint64_t   n;
    yajl_val  *pair;

    assert_true(YAJL_IS_ARRAY(list));

    for (i = 0, k = 0; i < TROVE_HISTOGRAM_BUCKETS; i++) {
        n = trove_stat_get(&h->buckets[i]);

        if (n == 0) {
            continue;
        }

        assert_true(k + 2 <= list->u.array.len);
        pair = &list->u.array.values[k];
        k += 2;

        assert_int_equal(YAJL_GET_INTEGER(pair[0]),
                         (i < TROVE_HISTOGRAM_BUCKETS - 1)
                         ? trove_histogram_last(i) : 68719476735);
        assert_int_equal(YAJL_GET_INTEGER(pair[1]), n);
    }

    assert_int_equal(k, list->u.array.len);
}


static void
check_json_histogram(yajl_val v, const trove_histogram_t *h)
{
    uint64_t  count;
    double    max;

    count = trove_histogram_count(h);
    max = (double) trove_stat_get(&h->max) / 1e9;

    assert_int_equal(number(v, "count"), count);
    assert_true(seconds(v, "max") == max);
    assert_true(seconds(v, "p50") <= seconds(v, "p90"));
    assert_true(seconds(v, "p90") <= seconds(v, "p99"));
    assert_true(seconds(v, "p99") <= seconds(v, "p999"));
    assert_true(seconds(v, "p999") <= max);
    assert_true(seconds(v, "mean") <= max);
    assert_true(seconds(v, "sum") <= max * (double) count);
    assert_true(seconds(v, "p50")
                == (double) trove_histogram_quantile(h, 500) / 1e9);
    check_json_buckets(get(v, "buckets"), h);
}


static void
check_json_boards(yajl_val object, const trove_stats_trove_t *trove)
{
    uint32_t                    i;
    yajl_val                    v;
    const trove_stats_board_t  *board;

    assert_int_equal(object->u.object.len, trove->nboards);

    for (i = 0; i < trove->nboards; i++) {
        board = &trove->boards[i];
        v = get(object, board->name);

        assert_int_equal(v->u.object.len, 3);
        assert_int_equal(number(v, "rows"), board->rows);
        assert_int_equal(number(v, "rows_capacity"), board->capacity);
        assert_int_equal(number(v, "rebuilds"), board->rebuilds);
    }
}


static void
check_json_queues(yajl_val object, const trove_stats_trove_t *trove)
{
    uint32_t                    i;
    yajl_val                    v;
    const trove_stats_queue_t  *queue;

    assert_int_equal(object->u.object.len, trove->nqueues);

    for (i = 0; i < trove->nqueues; i++) {
        queue = &trove->queues[i];
        v = get(object, queue->name);

        assert_int_equal(v->u.object.len, 2);
        assert_int_equal(number(v, "pending"), queue->pending);
        assert_true(seconds(v, "oldest") == (double) queue->oldest / 1e9);
    }
}


static void
check_json_trove(yajl_val v, const trove_stats_total_t *t)
{
    uint32_t                       i, k;
    yajl_val                       list, object, requests;
    const trove_stats_entry_t     *entry;
    const trove_stats_endpoint_t  *endpoint;

    assert_string_equal(YAJL_GET_STRING(get(v, "simd")), "avx512");

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];

        if (entry->kind == TROVE_STATS_SPAN) {
            assert_true(seconds(v, entry->field)
                        == (double) trove_stats_value(&t->sum, entry) / 1e9);

        } else if (entry->kind != TROVE_STATS_PROCESS) {
            assert_int_equal(number(v, entry->field),
                             trove_stats_value(&t->sum, entry));
        }
    }

    object = get(v, "coins");

    assert_int_equal(object->u.object.len, 2);
    assert_int_equal(number(object, "bronze"), 0);
    assert_int_equal(number(object, "a \"b\" c"), t->sum.coins[1]);

    for (i = 0; i < TROVE_STATS_HISTOGRAMS; i++) {
        entry = &trove_stats_histogram_list[i];
        check_json_histogram(get(v, entry->field),
                             trove_stats_histogram(&t->sum, entry));
    }

    for (i = 0; i < TROVE_ENDPOINTS; i++) {
        endpoint = &t->sum.endpoints[i];

        object = get(get(v, "endpoints"), trove_stats_endpoints[i]);
        requests = get(object, "requests");

        assert_int_equal(requests->u.object.len, 2);
        assert_int_equal(number(requests, "200"),
                         endpoint->requests[TROVE_CODE_200]);
        assert_int_equal(number(requests, "404"),
                         endpoint->requests[TROVE_CODE_404]);

        for (k = 0; k < TROVE_STATS_ENDPOINT_FIGURES; k++) {
            entry = &trove_stats_endpoint_list[k];
            assert_int_equal(number(object, entry->field),
                             trove_stats_value(endpoint, entry));
        }

        check_json_histogram(get(get(v, "latency"), trove_stats_endpoints[i]),
                             &endpoint->duration);
    }

    list = get(v, "workers");

    assert_true(YAJL_IS_ARRAY(list));
    assert_int_equal(list->u.array.len, 1);

    object = list->u.array.values[0];

    assert_int_equal(number(object, "pid"), getpid());
    assert_int_equal(number(object, "allocator_reserved"), 1 << 30);
    assert_int_equal(number(object, "resident"), t->workers[0].resident);
}


static void
json_is_read_back(void **state)
{
    char                  *buf, error[256];
    size_t                 size;
    uint32_t               i;
    yajl_val               v, list;
    trove_writer_t         w;
    trove_stats_total_t   *totals;
    trove_stats_trove_t    troves[NAMES];

    totals = malloc(NAMES * sizeof(trove_stats_total_t));
    assert_non_null(totals);
    fill(troves, totals);

    size = trove_stats_text_max(&info, troves, NAMES);
    buf = malloc(size + 1);
    assert_non_null(buf);

    trove_writer_init(&w, buf, size);
    trove_stats_json(&w, &info, troves, NAMES);

    assert_false(w.truncated);
    *w.pos = '\0';

    v = yajl_tree_parse(buf, error, sizeof(error));

    if (v == NULL) {
        fail_msg("%s", error);
    }

    check_keys(v);

    assert_int_equal(number(v, "schema"), TROVE_STATS_SCHEMA);
    assert_string_equal(YAJL_GET_STRING(get(v, "version")), TROVE_VERSION);
    assert_string_equal(YAJL_GET_STRING(get(v, "nginx")), "1.22.1");
    assert_string_equal(YAJL_GET_STRING(get(v, "simd")), "avx2");
    assert_string_equal(YAJL_GET_STRING(get(get(v, "allocator"), "name")),
                        "mimalloc");

    list = get(v, "troves");

    assert_int_equal(list->u.object.len, NAMES);

    for (i = 0; i < NAMES; i++) {
        assert_string_equal(list->u.object.keys[i], names[i].shown);
        check_json_trove(list->u.object.values[i], &totals[i]);
        check_json_boards(get(list->u.object.values[i], "boards"),
                          &troves[i]);
        check_json_queues(get(list->u.object.values[i], "overflow"),
                          &troves[i]);
    }

    yajl_tree_free(v);

    /* and of none at all */

    trove_writer_init(&w, buf, size);
    trove_stats_json(&w, &info, NULL, 0);
    *w.pos = '\0';

    v = yajl_tree_parse(buf, error, sizeof(error));

    assert_non_null(v);
    assert_int_equal(get(v, "troves")->u.object.len, 0);

    yajl_tree_free(v);
    free(buf);
    free(totals);
}


/* A parser of the text formats; only what they allow is accepted. */

static const char *
read_name(const char *p, char *name)
{
    size_t  n;

    n = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789");

    assert_in_range(n, 1, 127);
    assert_true(*p < '0' || *p > '9');

    memcpy(name, p, n);
    name[n] = '\0';

    return p + n;
}


/* A value between quotes, its escapes undone, and a 0x1f behind it. */

static const char *
read_value(const char *p, char **out)
{
    assert_int_equal(*p, '"');

    for (p++; *p != '"'; p++) {
        assert_true(*p != '\0' && *p != '\n');

        if (*p == '\\') {
            p++;
            assert_non_null(strchr("\\\"n", *p));
            *(*out)++ = (*p == 'n') ? '\n' : *p;

        } else {
            *(*out)++ = *p;
        }
    }

    *(*out)++ = '\x1f';
    **out = '\0';

    return p + 1;
}


/* It is of the bucket that it stands at, as exemplar_put() has put it. */

static const char *
read_exemplar(const char *p, series_t *s)
{
    char         *end, le[64];
    double        value;
    const char   *label;

    assert_memory_equal(p, " # {request_id=\"" EXEMPLAR "\"} ",
                        sizeof(EXEMPLAR) + 18);
    p += sizeof(EXEMPLAR) + 18;

    assert_string_equal(s->name, "trove_request_duration_seconds_bucket");
    label = strstr(s->labels, "\x1f" "le=");
    assert_non_null(label);
    assert_int_equal(sscanf(label + 1, "le=%63[^\x1f]", le), 1);

    value = strtod(p, &end);
    assert_true(end > p && *end == ' ');
    assert_true(value <= strtod(le, NULL));

    assert_true(strtod(end, &end) == 1700000000.125);
    assert_int_equal(*end, '\n');

    s->exemplar = 1;

    return end + 1;
}


static const char *
read_series(const char *p, series_t *s)
{
    char  *out, *end, name[128];

    p = read_name(p, s->name);

    assert_int_equal(*p++, '{');
    out = s->labels;

    do {
        p = read_name(p, name);

        assert_string_not_equal(name, "zone");
        assert_string_not_equal(name, "service");

        out += sprintf(out, "%s=", name);

        assert_int_equal(*p++, '=');
        p = read_value(p, &out);

    } while (*p++ == ',');

    assert_int_equal(p[-1], '}');
    assert_int_equal(*p++, ' ');

    s->value = strtod(p, &end);
    s->exemplar = 0;

    assert_true(end > p);

    if (*end == ' ') {
        return read_exemplar(end, s);
    }

    assert_int_equal(*end, '\n');

    return end + 1;
}


/* The unit that OpenMetrics tells is how the family's name ends. */

static const char *
read_unit(const char *p, const text_t *text, int openmetrics)
{
    char  name[128], unit[128], end[160];

    if (!openmetrics || memcmp(p, "# UNIT ", 7) != 0) {
        assert_true(!openmetrics || (strstr(text->family, "_seconds") == NULL
                                     && strstr(text->family, "_bytes")
                                        == NULL));
        return p;
    }

    p = read_name(p + 7, name);
    assert_string_equal(name, text->family);
    assert_int_equal(*p, ' ');

    p = read_name(p + 1, unit);
    assert_int_equal(*p, '\n');

    assert_int_equal(strlen(unit) < strlen(name), 1);
    snprintf(end, sizeof(end), "_%s", unit);
    assert_string_equal(name + strlen(name) - strlen(end), end);

    return p + 1;
}


static const char *
read_family(const char *p, text_t *text, int openmetrics)
{
    char  name[128];

    assert_memory_equal(p, "# HELP ", 7);
    p = read_name(p + 7, text->family);

    assert_int_equal(*p, ' ');
    p = strchr(p, '\n') + 1;

    assert_int_equal(p[-2], '.');
    assert_memory_equal(p, "# TYPE ", 7);
    p = read_name(p + 7, name);

    assert_string_equal(name, text->family);
    assert_int_equal(*p, ' ');

    p = read_name(p + 1, text->type);

    assert_int_equal(*p, '\n');
    text->families++;

    return read_unit(p + 1, text, openmetrics);
}


/* The series belongs to the family above it. */

static void
check_series(const text_t *text, const series_t *s, int openmetrics)
{
    size_t       len;
    const char  *suffix;

    len = strlen(text->family);

    assert_memory_equal(s->name, text->family, len);
    suffix = s->name + len;

    if (strcmp(text->type, "histogram") == 0) {
        assert_true(strcmp(suffix, "_bucket") == 0
                    || strcmp(suffix, "_sum") == 0
                    || strcmp(suffix, "_count") == 0);

    } else if (strcmp(text->type, "counter") == 0) {
        assert_string_equal(suffix, openmetrics ? "_total" : "");
        assert_string_equal(s->name + strlen(s->name) - 6, "_total");

    } else if (strcmp(text->type, "info") == 0) {
        assert_true(openmetrics);
        assert_string_equal(suffix, "_info");

    } else {
        assert_string_equal(text->type, "gauge");
        assert_string_equal(suffix, "");
    }
}


static void
parse(const char *p, text_t *text, int openmetrics)
{
    uint32_t   i;
    series_t  *s;

    memset(text, 0, sizeof(text_t));

    while (*p) {

        if (strcmp(p, "# EOF\n") == 0) {
            assert_true(openmetrics);
            return;
        }

        if (*p == '#') {
            p = read_family(p, text, openmetrics);
            continue;
        }

        assert_true(text->n < SERIES);

        s = &text->series[text->n++];
        p = read_series(p, s);
        check_series(text, s, openmetrics);

        text->exemplars += s->exemplar;
        assert_true(openmetrics || !s->exemplar);

        for (i = 0; i < text->n - 1; i++) {
            assert_false(strcmp(text->series[i].name, s->name) == 0
                         && strcmp(text->series[i].labels, s->labels) == 0);
        }
    }

    assert_false(openmetrics);
}


static double
value_of(const text_t *text, const char *name, const char *labels)
{
    uint32_t  i;

    for (i = 0; i < text->n; i++) {
        if (strcmp(text->series[i].name, name) == 0
            && strcmp(text->series[i].labels, labels) == 0)
        {
            return text->series[i].value;
        }
    }

    fail_msg("no %s{%s}", name, labels);

    return 0;
}


/* Buckets grow, the last one is infinite, and is the count that follows. */

static uint32_t
check_buckets(const text_t *text)
{
    char            le[64];
    double          last, bound;
    uint32_t        i, histograms;
    const char     *p;
    const series_t *s;

    last = 0;
    bound = 0;
    histograms = 0;

    for (i = 0; i < text->n; i++) {
        s = &text->series[i];
        p = strstr(s->labels, "\x1f" "le=");

        if (p == NULL) {
            continue;
        }

        assert_string_equal(s->name + strlen(s->name) - 7, "_bucket");
        assert_int_equal(sscanf(p + 1, "le=%63[^\x1f]", le), 1);

        assert_true(s->value >= last);
        assert_true(strtod(le, NULL) > bound);

        last = s->value;
        bound = strtod(le, NULL);

        if (strcmp(le, "+Inf") == 0) {
            assert_non_null(strstr(s[1].name, "_sum"));
            assert_non_null(strstr(s[2].name, "_count"));
            assert_true(s[2].value == last);

            last = 0;
            bound = 0;
            histograms++;
        }
    }

    return histograms;
}


static void
check_text(const char *buf, const trove_stats_trove_t *troves, int openmetrics)
{
    char                       labels[512];
    text_t                    *text;
    uint32_t                   i;
    const trove_histogram_t   *h;

    text = malloc(sizeof(text_t));
    assert_non_null(text);

    parse(buf, text, openmetrics);

    assert_int_equal(check_buckets(text),
                     NAMES * (TROVE_ENDPOINTS + TROVE_STATS_HISTOGRAMS));

    /* the last two buckets have half of all each */

    if (openmetrics) {
        assert_true(text->exemplars >= NAMES * TROVE_ENDPOINTS * 2);
    }

    for (i = 0; i < NAMES; i++) {
        h = &troves[i].total->sum.endpoints[TROVE_ENDPOINT_POLL].duration;

        snprintf(labels, sizeof(labels),
                 "trove=%s\x1f" "endpoint=poll\x1f", names[i].shown);

        assert_true(value_of(text, "trove_request_duration_seconds_count",
                             labels) == (double) trove_histogram_count(h));
        assert_true(value_of(text, "trove_request_duration_seconds_sum",
                             labels) == (double) h->sum / 1e9);

        snprintf(labels, sizeof(labels),
                 "trove=%s\x1f" "endpoint=poll\x1f" "code=404\x1f",
                 names[i].shown);

        assert_true(value_of(text, "trove_requests_total", labels)
                    == (double) troves[i].total->sum
                           .endpoints[TROVE_ENDPOINT_POLL]
                           .requests[TROVE_CODE_404]);

        snprintf(labels, sizeof(labels), "trove=%s\x1f", names[i].shown);

        assert_true(value_of(text, "trove_store_lag_seconds", labels)
                    == 0.016);

        snprintf(labels, sizeof(labels),
                 "trove=%s\x1f" "state=size\x1f", names[i].shown);

        assert_true(value_of(text, "trove_arena_bytes", labels) == 128 << 20);

        snprintf(labels, sizeof(labels),
                 "trove=%s\x1f" "coin=a \"b\" c\x1f", names[i].shown);

        assert_true(value_of(text, "trove_coins_total", labels)
                    == 17 * (i + 1));

        if (i % 3 == 0) {
            continue;
        }

        snprintf(labels, sizeof(labels),
                 "trove=%s\x1f" "board=weekly\x1f", names[i].shown);

        assert_true(value_of(text, "trove_board_rows", labels) == 7);
        assert_true(value_of(text, "trove_board_rows_capacity", labels)
                    == 400000);
        assert_true(value_of(text, "trove_board_rebuilds_total", labels) == 2);

        snprintf(labels, sizeof(labels),
                 "trove=%s\x1f" "queue=rewards\x1f", names[i].shown);

        assert_true(value_of(text, "trove_overflow_pending", labels) == 3);
        assert_true(value_of(text, "trove_overflow_oldest_seconds", labels)
                    == 2.5);
    }

    /* a process is one, however many troves it has */

    snprintf(labels, sizeof(labels), "worker=%d\x1f", (int) getpid());

    assert_true(value_of(text, "trove_process_resident_bytes", labels)
                == (double) troves[0].total->workers[0].resident);
    assert_true(value_of(text, "trove_build_info",
                         "version=" TROVE_VERSION "\x1f"
                         "nginx=1.22.1\x1f" "simd=avx2\x1f") == 1);

    free(text);
}


static void
prometheus_text_is_read_back(void **state)
{
    char                  *buf;
    size_t                 size;
    trove_writer_t         w;
    trove_stats_total_t   *totals;
    trove_stats_trove_t    troves[NAMES];

    totals = malloc(NAMES * sizeof(trove_stats_total_t));
    assert_non_null(totals);
    fill(troves, totals);

    size = trove_stats_text_max(&info, troves, NAMES);
    buf = malloc(size + 1);
    assert_non_null(buf);

    trove_writer_init(&w, buf, size);
    trove_stats_prometheus(&w, &info, troves, NAMES, TROVE_STATS_PROMETHEUS);

    assert_false(w.truncated);
    *w.pos = '\0';

    check_text(buf, troves, 0);

    trove_writer_init(&w, buf, size);
    trove_stats_prometheus(&w, &info, troves, NAMES, TROVE_STATS_OPENMETRICS);

    assert_false(w.truncated);
    *w.pos = '\0';

    check_text(buf, troves, 1);

    free(buf);
    free(totals);
}


static void
check_room(unsigned char byte, size_t len)
{
    static const char  longest[] = "0123456789012345678901234567890123456789"
                                   "012345678901234567890123";
    static const char  queue[] = "board:01234567890123456789012345678901"
                                 "23456789012345678901234567890123";

    static const trove_stats_board_t  most[] = {
        { longest, UINT64_MAX, UINT64_MAX, UINT64_MAX },
        { longest, UINT64_MAX, UINT64_MAX, UINT64_MAX }
    };

    static const trove_stats_queue_t  waiting[] = {
        { queue, UINT64_MAX, UINT64_MAX }, { queue, UINT64_MAX, UINT64_MAX }
    };

    size_t                size;
    uint32_t              i;
    unsigned char        *buf, *name;
    trove_writer_t        w;
    trove_stats_trove_t   troves[MANY];

    name = malloc(len + 1);
    assert_non_null(name);
    memset(name, byte, len);

    for (i = 0; i < MANY; i++) {
        troves[i].name.data = name;
        troves[i].name.len = len;
        troves[i].simd = "avx512";
        troves[i].total = &total;
        troves[i].boards = most;
        troves[i].nboards = sizeof(most) / sizeof(most[0]);
        troves[i].queues = waiting;
        troves[i].nqueues = sizeof(waiting) / sizeof(waiting[0]);
    }

    size = trove_stats_text_max(&info, troves, MANY);
    buf = malloc(size);
    assert_non_null(buf);

    trove_writer_init(&w, buf, size);
    trove_stats_json(&w, &info, troves, MANY);
    assert_false(w.truncated);

    trove_writer_init(&w, buf, size);
    trove_stats_prometheus(&w, &info, troves, MANY, TROVE_STATS_PROMETHEUS);
    assert_false(w.truncated);

    trove_writer_init(&w, buf, size);
    trove_stats_prometheus(&w, &info, troves, MANY, TROVE_STATS_OPENMETRICS);
    assert_false(w.truncated);

    free(buf);
    free(name);
}


/* The largest figures, and as many workers as there can be. */

static void
texts_have_the_room_they_ask_for(void **state)
{
    uint32_t  i, n;

    unsigned char  coin[TROVE_COIN_NAME_MAX];

    memset(&total, 0xff, sizeof(trove_stats_total_t));
    memset(coin, 0xff, sizeof(coin));

    for (i = 0; i < TROVE_STATS_SLOTS; i++) {
        total.workers[i].process -= (uint64_t) i << 32;
    }

    total.ncoins = TROVE_STATS_COINS + 1;

    for (i = 0; i < total.ncoins; i++) {
        total.coins[i].data = coin;
        total.coins[i].len = sizeof(coin);
    }

    for (n = 0; n <= TROVE_STATS_SLOTS; n += TROVE_STATS_SLOTS) {
        total.nworkers = n;

        check_room('a', 0);
        check_room('a', 200);
        check_room('\x01', 200);
        check_room('\xff', 200);
    }
}


static void
texts_are_cut_where_the_room_ends(void **state)
{
    size_t                 size, json, text;
    uint32_t               i;
    unsigned char         *buf;
    trove_writer_t         w;
    trove_stats_total_t   *totals;
    trove_stats_trove_t    troves[NAMES];

    totals = malloc(NAMES * sizeof(trove_stats_total_t));
    assert_non_null(totals);
    fill(troves, totals);

    size = trove_stats_text_max(&info, troves, NAMES);
    buf = malloc(size);
    assert_non_null(buf);

    trove_writer_init(&w, buf, size);
    trove_stats_json(&w, &info, troves, NAMES);
    json = w.pos - w.start;

    trove_writer_init(&w, buf, size);
    trove_stats_prometheus(&w, &info, troves, NAMES, TROVE_STATS_PROMETHEUS);
    text = w.pos - w.start;

    free(buf);

    for (i = 0; i < 60; i++) {
        size = (i < 5) ? i : random_bits() % (text + 2);
        buf = malloc(size ? size : 1);
        assert_non_null(buf);

        trove_writer_init(&w, buf, size);
        trove_stats_json(&w, &info, troves, NAMES);
        assert_int_equal(w.truncated, size < json);

        trove_writer_init(&w, buf, size);
        trove_stats_prometheus(&w, &info, troves, NAMES,
                               TROVE_STATS_PROMETHEUS);
        assert_int_equal(w.truncated, size < text);

        free(buf);
    }

    free(totals);
}


/* The README's table has a row for every family of the text. */

static void
the_table_is_of_the_same_list(void **state)
{
    char                  *text, *table, *p, row[192], name[128];
    size_t                 size, rows;
    trove_writer_t         w;
    trove_stats_trove_t    trove;

    trove_stats_sum(region, NULL, &total);

    trove.name.data = (const unsigned char *) "hunt";
    trove.name.len = 4;
    trove.simd = "scalar";
    trove.total = &total;
    trove.boards = boards;
    trove.nboards = 1;
    trove.queues = queues;
    trove.nqueues = 3;

    size = trove_stats_text_max(&info, &trove, 1);
    text = malloc(size + 1);
    table = malloc(size + 1);
    assert_non_null(text);
    assert_non_null(table);

    trove_writer_init(&w, text, size);
    trove_stats_prometheus(&w, &info, &trove, 1, TROVE_STATS_PROMETHEUS);
    *w.pos = '\0';

    trove_writer_init(&w, table, size);
    trove_stats_table(&w);
    assert_false(w.truncated);
    *w.pos = '\0';

    rows = 0;

    for (p = text; (p = strstr(p, "# HELP ")) != NULL; p++) {
        (void) read_name(p + 7, name);
        snprintf(row, sizeof(row), "\n| `%s` | ", name);
        assert_non_null(strstr(table, row));
        rows++;
    }

    for (p = table; (p = strstr(p, "\n| `")) != NULL; p++) {
        rows--;
    }

    assert_int_equal(rows, 0);

    free(text);
    free(table);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(a_region_is_told_from_others,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(only_touched_slots_take_memory,
                                        setup, teardown),
        cmocka_unit_test(codes_are_those_of_the_list),
        cmocka_unit_test_setup_teardown(
            workers_are_looked_at_once_for_all_troves, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_recorded_is_summed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(totals_are_exact_over_deaths,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(totals_are_exact_without_deaths,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(death_while_a_slot_changes_hands,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(workers_beyond_the_slots_share_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(coins_are_counted_by_name,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_read_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(prometheus_text_is_read_back,
                                        setup, teardown),
        cmocka_unit_test(texts_have_the_room_they_ask_for),
        cmocka_unit_test_setup_teardown(texts_are_cut_where_the_room_ends,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_is_of_the_same_list,
                                        setup, teardown)
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
