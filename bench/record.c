/*
 * What it costs to put a request on record: by itself, with the two readings
 * of the clock that its duration takes, and those alone; and the sum that
 * /stats makes of it.
 *
 *   record [rounds]
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"
#include "trove_clock.h"
#include "trove_stats.h"


#define BENCH_RECORDS        4000       /* a round                           */
#define BENCH_ROUNDS         1001
#define BENCH_DURATIONS      4096       /* different ones                    */

#define BENCH_ID             "0123456789abcdef0123456789abcdef"


typedef struct {
    const char  *name;
    void       (*round)(trove_stats_t *s);
    int          records;               /* requests                          */
} bench_case_t;


static void bench_run(const bench_case_t *bench, trove_stats_t *s,
    size_t rounds);
static void bench_check(uint64_t expected);
static void bench_record(trove_stats_t *s);
static void bench_clock(trove_stats_t *s);
static void bench_both(trove_stats_t *s);
static void bench_request(trove_stats_t *s, uint64_t ns);
static void bench_sum(size_t rounds);
static void bench_durations(void);


static void                 *bench_region;
static uint64_t              bench_now;      /* unix time in ms             */
static trove_stats_total_t   bench_total;
static uint64_t              bench_ns[BENCH_DURATIONS];


static const bench_case_t  bench_cases[] = {
    { "record", bench_record, 1 },
    { "clock twice", bench_clock, 0 },
    { "clock twice and record", bench_both, 1 }
};

#define BENCH_CASES  (sizeof(bench_cases) / sizeof(bench_cases[0]))


int
main(int argc, char **argv)
{
    size_t          i, rounds;
    uint64_t        expected;
    trove_stats_t  *s;

    rounds = (argc > 1) ? strtoul(argv[1], NULL, 10) : BENCH_ROUNDS;

    bench_region = mmap(NULL, trove_stats_size(), PROT_READ|PROT_WRITE,
                        MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (bench_region == MAP_FAILED || rounds == 0) {
        fprintf(stderr, "usage: record [rounds]\n");
        return 1;
    }

    bench_durations();

    trove_stats_init(bench_region);
    s = trove_stats_claim(bench_region);

    expected = 0;

    for (i = 0; i < BENCH_CASES; i++) {
        bench_run(&bench_cases[i], s, rounds);

        if (bench_cases[i].records) {
            expected += (rounds + 1) * BENCH_RECORDS;
        }

        bench_check(expected);
    }

    bench_sum(rounds);

    return 0;
}


static void
bench_run(const bench_case_t *bench, trove_stats_t *s, size_t rounds)
{
    double    *ns;
    size_t     i;
    uint64_t   start;

    ns = calloc(rounds, sizeof(double));

    if (ns == NULL) {
        exit(1);
    }

    bench->round(s);

    for (i = 0; i < rounds; i++) {
        start = trove_clock_ns();
        bench_now = start / 1000000;
        bench->round(s);
        ns[i] = (double) (trove_clock_ns() - start);
    }

    median_sort(ns, rounds);

    printf("%-24s best %6.2f  median %6.2f ns/request\n", bench->name,
           ns[0] / BENCH_RECORDS, ns[rounds / 2] / BENCH_RECORDS);

    free(ns);
}


/* Nothing that was recorded is missing. */

static void
bench_check(uint64_t expected)
{
    uint32_t                 i;
    uint64_t                 requests;
    trove_stats_endpoint_t  *poll;

    trove_stats_sum(bench_region, NULL, &bench_total);

    poll = &bench_total.sum.endpoints[TROVE_ENDPOINT_POLL];
    requests = 0;

    for (i = 0; i < TROVE_CODES; i++) {
        requests += trove_stat_get(&poll->requests[i]);
    }

    if (requests != expected
        || trove_histogram_count(&poll->duration) != expected)
    {
        fprintf(stderr, "wrong: %llu of %llu requests\n",
                (unsigned long long) requests, (unsigned long long) expected);
        exit(1);
    }
}


static void
bench_record(trove_stats_t *s)
{
    uint32_t  i;

    for (i = 0; i < BENCH_RECORDS; i++) {
        bench_request(s, bench_ns[i % BENCH_DURATIONS]);
    }
}


static void
bench_clock(trove_stats_t *s)
{
    uint32_t  i;
    uint64_t  start, spent;

    for (i = 0; i < BENCH_RECORDS; i++) {
        start = trove_clock_ns();
        spent = trove_clock_ns() - start;

        __asm__ volatile ("" : : "r" (spent));
    }
}


static void
bench_both(trove_stats_t *s)
{
    uint32_t  i;
    uint64_t  start, spent;

    for (i = 0; i < BENCH_RECORDS; i++) {
        start = trove_clock_ns();
        spent = trove_clock_ns() - start;

        bench_request(s, spent + bench_ns[i % BENCH_DURATIONS]);
    }
}


/* A round is shorter than the time from one exemplar to the next. */

static void
bench_request(trove_stats_t *s, uint64_t ns)
{
    trove_exemplar_t  *e;

    trove_stats_request(s, TROVE_ENDPOINT_POLL, 200, ns);

    e = trove_stats_exemplar(s, TROVE_ENDPOINT_POLL, ns, bench_now);

    if (trove_unlikely(e != NULL)) {
        (void) trove_exemplar_put(e, bench_now, ns,
                                  (const unsigned char *) BENCH_ID,
                                  TROVE_EXEMPLAR_ID);
    }
}


static void
bench_sum(size_t rounds)
{
    double    *ns;
    size_t     i;
    uint64_t   start;

    ns = calloc(rounds, sizeof(double));

    if (ns == NULL) {
        exit(1);
    }

    for (i = 0; i < rounds; i++) {
        start = trove_clock_ns();
        trove_stats_sum(bench_region, NULL, &bench_total);
        ns[i] = (double) (trove_clock_ns() - start);
    }

    median_sort(ns, rounds);

    printf("%-24s best %6.2f  median %6.2f us\n", "sum of one worker",
           ns[0] / 1e3, ns[rounds / 2] / 1e3);

    free(ns);
}


/* 0.5 us and more, each half as likely as one of half of it. */

static void
bench_durations(void)
{
    uint32_t  i;
    uint64_t  x;

    x = 88172645463325252;

    for (i = 0; i < BENCH_DURATIONS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;

        bench_ns[i] = 500 + (((x >> 20) % 1000)
                             << __builtin_ctzll(x | 1 << 14));
    }
}
