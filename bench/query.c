/*
 * Queries in process: how long they take, and that they are right.
 *
 *   query [rewards ...]      default: 100000 1000000 10000000
 *
 * Rewards and queries are uniform, on a plane and on the earth; the radius is
 * such that about 50 are found, of which the nearest 3 are wanted.  A sample
 * of the answers is compared with a scan and with a loop over the rewards as
 * they were given.  Any difference ends the run with 1.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "../t/lib/random.h"
#include "trove_view_data.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif


#define QUERIES  (1 << 16)
#define CHUNK    256            /* queries that are timed together */
#define ROUNDS   9
#define CHECKED  24
#define FOUND    50.0
#define LIMIT    3
#define WIDTH    1e6            /* of the plane */
#define CHANGES  100000


typedef struct {
    double  min;
    double  median;
} figure_t;


typedef struct {
    trove_space_kind_t   space;
    uint32_t             n;
    double               r;
    trove_ledger_conf_t  conf;
    trove_mapping_t      mem;
    trove_ledger_t      *ledger;
    trove_reward_t      *rewards;
    trove_query_t       *queries;
    trove_view_t        *view;
} bench_t;


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


static figure_t
figure(double *times, int n)
{
    figure_t  f;

    median_sort(times, n);

    f.min = times[0];
    f.median = times[n / 2];

    return f;
}


static void
random_point(bench_t *b, double *x, double *y)
{
    if (b->space == TROVE_PLANE) {
        *x = random_unit() * WIDTH;
        *y = random_unit() * WIDTH;
        return;
    }

    *x = random_unit() * 360 - 180;
    *y = asin(2 * random_unit() - 1) * 180 / M_PI;
}


static void
setup(bench_t *b)
{
    uint32_t        i;
    uint64_t        version;
    trove_query_t  *q;

    b->conf.rewards = b->n;
    b->conf.space = b->space;

    if (trove_memory_map(&b->mem, trove_ledger_size(&b->conf),
                         trove_ledger_size(&b->conf), TROVE_PAGES_AUTO)
        != TROVE_OK)
    {
        die("no memory for the ledger");
    }

    b->ledger = trove_ledger_init(b->mem.base, &b->conf);
    b->rewards = calloc(b->n, sizeof(trove_reward_t));
    b->queries = calloc(QUERIES, sizeof(trove_query_t));

    if (b->rewards == NULL || b->queries == NULL) {
        die("no memory");
    }

    for (i = 0; i < b->n; i++) {
        random_point(b, &b->rewards[i].x, &b->rewards[i].y);
        b->rewards[i].id = i + 1;
        b->rewards[i].stock = 1;

        if (trove_ledger_put(b->ledger, &b->rewards[i], &version)
            != TROVE_OK)
        {
            die("the ledger takes no reward");
        }
    }

    b->r = (b->space == TROVE_PLANE)
           ? WIDTH * sqrt(FOUND / (M_PI * b->n))
           : TROVE_EARTH_RADIUS * 2 * asin(sqrt(FOUND / b->n));

    for (i = 0; i < QUERIES; i++) {
        q = &b->queries[i];

        random_point(b, &q->x, &q->y);
        q->r = b->r;
        q->now = 1700000000;
        q->limit = LIMIT;
    }
}


static void
teardown(bench_t *b)
{
    trove_view_destroy(b->view);
    trove_memory_unmap(&b->mem);
    free(b->rewards);
    free(b->queries);
}


static int
nearer(bench_t *b, const trove_query_t *q, uint32_t i, uint32_t k)
{
    double  a, c;

    a = trove_space_key(b->space, q->x, q->y, b->rewards[i].x,
                        b->rewards[i].y);
    c = trove_space_key(b->space, q->x, q->y, b->rewards[k].x,
                        b->rewards[k].y);

    return a < c || (a == c && i < k);
}


static void
naive(bench_t *b, const trove_query_t *q, trove_answer_t *a)
{
    double    edge;
    uint32_t  i, k, id;

    a->n = 0;
    a->found = 0;
    edge = trove_space_radius_key(b->space, q->r);

    for (i = 0; i < b->n; i++) {

        if (trove_space_key(b->space, q->x, q->y, b->rewards[i].x,
                            b->rewards[i].y) > edge)
        {
            continue;
        }

        a->found++;
        id = i;

        for (k = 0; k < a->n; k++) {
            if (nearer(b, q, id, a->hits[k].id - 1)) {
                uint32_t  t = a->hits[k].id - 1;
                a->hits[k].id = id + 1;
                id = t;
            }
        }

        if (a->n < q->limit) {
            a->hits[a->n++].id = id + 1;
        }
    }
}


static void
compare(const trove_answer_t *a, const trove_answer_t *b, const char *what)
{
    uint32_t  i;

    if (a->found != b->found || a->n != b->n) {
        die(what);
    }

    for (i = 0; i < a->n; i++) {
        if (a->hits[i].id != b->hits[i].id) {
            die(what);
        }
    }
}


static void
check(bench_t *b)
{
    uint32_t        i;
    trove_hit_t     h1[LIMIT], h2[LIMIT], h3[LIMIT];
    trove_answer_t  a1, a2, a3;

    a1.hits = h1;
    a2.hits = h2;
    a3.hits = h3;

    for (i = 0; i < (b->n > 1000000 ? CHECKED / 8 : CHECKED); i++) {
        trove_view_query(b->view, &b->queries[i], &a1);
        trove_view_scan(b->view, &b->queries[i], &a2);
        naive(b, &b->queries[i], &a3);

        compare(&a1, &a2, "query and scan differ");
        compare(&a1, &a3, "query and naive loop differ");
    }
}


static uint64_t
run_queries(bench_t *b, uint32_t from, uint64_t *found)
{
    uint32_t        i;
    uint64_t        sum;
    trove_hit_t     hits[LIMIT];
    trove_answer_t  a;

    sum = 0;
    a.hits = hits;

    for (i = from; i < from + CHUNK; i++) {
        trove_view_query(b->view, &b->queries[i], &a);
        *found += a.found;
        sum = sum * 31 + a.found + (a.n ? hits[0].id : 0)
              + (a.n == LIMIT ? hits[LIMIT - 1].id : 0);
    }

    return sum;
}


#if defined(__x86_64__)

__attribute__((target("avx512f")))
static uint64_t
read_avx512(const char *p, size_t size)
{
    size_t   i;
    __m512i  a, b, c, d;

    a = b = c = d = _mm512_setzero_si512();

    for (i = 0; i + 256 <= size; i += 256) {
        a = _mm512_add_epi64(a, _mm512_loadu_si512(p + i));
        b = _mm512_add_epi64(b, _mm512_loadu_si512(p + i + 64));
        c = _mm512_add_epi64(c, _mm512_loadu_si512(p + i + 128));
        d = _mm512_add_epi64(d, _mm512_loadu_si512(p + i + 192));
    }

    a = _mm512_add_epi64(_mm512_add_epi64(a, b), _mm512_add_epi64(c, d));

    return _mm512_reduce_add_epi64(a);
}


__attribute__((target("avx2")))
static uint64_t
read_avx2(const char *p, size_t size)
{
    size_t    i;
    uint64_t  v[4];
    __m256i   a, b, c, d;

    a = b = c = d = _mm256_setzero_si256();

    for (i = 0; i + 128 <= size; i += 128) {
        a = _mm256_add_epi64(a, _mm256_loadu_si256((void *) (p + i)));
        b = _mm256_add_epi64(b, _mm256_loadu_si256((void *) (p + i + 32)));
        c = _mm256_add_epi64(c, _mm256_loadu_si256((void *) (p + i + 64)));
        d = _mm256_add_epi64(d, _mm256_loadu_si256((void *) (p + i + 96)));
    }

    a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
    _mm256_storeu_si256((void *) v, a);

    return v[0] + v[1] + v[2] + v[3];
}

#endif


static uint64_t
read_plain(const char *p, size_t size)
{
    size_t    i;
    uint64_t  v, sum;

    sum = 0;

    for (i = 0; i + 8 <= size; i += 8) {
        memcpy(&v, p + i, 8);
        sum += v;
    }

    return sum;
}


static uint64_t
read_all(const char *p, size_t size)
{
#if defined(__x86_64__)

    if (__builtin_cpu_supports("avx512f")) {
        return read_avx512(p, size);
    }

    if (__builtin_cpu_supports("avx2")) {
        return read_avx2(p, size);
    }

#endif

    return read_plain(p, size);
}


/* The keys of both coordinates lie side by side: reads, then scans them. */

static void
bench_scan(bench_t *b)
{
    int              i, rounds;
    double           t, bytes, reads[31], scans[31];
    volatile uint64_t  sink;
    figure_t         r, s;
    trove_hit_t      hits[LIMIT];
    trove_answer_t   a;

    a.hits = hits;
    rounds = b->n > 1000000 ? 11 : 31;
    bytes = 8.0 * trove_view_base(b->view);

    for (i = 0; i < rounds; i++) {
        t = now();
        sink = read_all((char *) b->view->rows[0].key, (size_t) bytes);
        reads[i] = now() - t;

        t = now();
        trove_view_scan(b->view, &b->queries[i], &a);
        scans[i] = now() - t;
    }

    (void) sink;
    r = figure(reads, rounds);
    s = figure(scans, rounds);

    printf("  %-7s scan   min %9.0f  median %9.0f ns   %5.1f GB/s,"
           " read %5.1f GB/s: %3.0f %%\n",
           trove_simd_name(b->view->simd), s.min, s.median, bytes / s.median,
           bytes / r.median, 100 * r.median / s.median);
}


/*
 * Each round asks all queries, and what disturbs a round disturbs but some of
 * its chunks: the figures are sums over the chunks.
 */

static void
bench_simd(bench_t *b, trove_simd_kind_t kind, uint64_t *sum)
{
    int                  i;
    double               t;
    uint32_t             k;
    uint64_t             got, found;
    figure_t             f, all;
    const trove_simd_t  *simd;

    static double  times[QUERIES / CHUNK][ROUNDS];

    simd = trove_simd_select(kind);

    if (simd == NULL) {
        return;
    }

    b->view->simd = simd;
    check(b);

    for (i = 0; i < ROUNDS; i++) {
        got = 0;
        found = 0;

        for (k = 0; k < QUERIES / CHUNK; k++) {
            t = now();
            got = got * 31 + run_queries(b, k * CHUNK, &found);
            times[k][i] = now() - t;
        }

        if (*sum && got != *sum) {
            die("the SIMD paths differ");
        }

        *sum = got;
    }

    memset(&all, 0, sizeof(figure_t));

    for (k = 0; k < QUERIES / CHUNK; k++) {
        f = figure(times[k], ROUNDS);
        all.min += f.min / QUERIES;
        all.median += f.median / QUERIES;
    }

    printf("  %-7s query  min %9.1f  median %9.1f ns   found %.1f\n",
           trove_simd_name(simd), all.min, all.median,
           (double) found / QUERIES);

    bench_scan(b);
}


static void
bench_sync(bench_t *b)
{
    double      t;
    uint32_t    i, changes;
    uint64_t    version;
    trove_rc_t  rc;

    changes = b->n / 8 < CHANGES ? b->n / 8 : CHANGES;

    for (i = 0; i < changes; i++) {
        b->rewards[i].id = (uint32_t) (random_bits() % b->n) + 1;
        b->rewards[i].stock = 1;
        random_point(b, &b->rewards[i].x, &b->rewards[i].y);

        if (trove_ledger_put(b->ledger, &b->rewards[i], &version) != TROVE_OK)
        {
            die("the ledger takes no reward");
        }
    }

    t = now();
    rc = trove_view_sync(b->view, UINT32_MAX);
    t = now() - t;

    printf("  sync %.0f ns a change (moved at random), %u changes: %s\n",
           t / (double) (trove_view_version(b->view) - b->n), changes,
           rc == TROVE_OK ? "up to date"
                          : rc == TROVE_FULL ? "full" : "behind");
}


static void
bench(trove_space_kind_t space, uint32_t n)
{
    double    t;
    bench_t   b;
    uint64_t  sum;

    memset(&b, 0, sizeof(bench_t));
    b.space = space;
    b.n = n;

    setup(&b);

    t = now();

    if (trove_view_build(&b.view, b.ledger,
                         trove_simd_select(TROVE_SIMD_AUTO),
                         TROVE_PAGES_AUTO, NULL)
        != TROVE_OK)
    {
        die("the view cannot be built");
    }

    t = now() - t;

    printf("%s, %u rewards: built in %.1f ns a reward, %.1f bytes a reward,"
           " large pages %zu MB\n",
           space == TROVE_PLANE ? "plane" : "earth", n, t / n,
           (double) trove_view_memory(b.view) / n,
           trove_view_large(b.view) >> 20);

    sum = 0;

    bench_simd(&b, TROVE_SIMD_AVX512, &sum);
    bench_simd(&b, TROVE_SIMD_AVX2, &sum);
    bench_simd(&b, TROVE_SIMD_SCALAR, &sum);

    bench_sync(&b);
    teardown(&b);
}


int
main(int argc, char **argv)
{
    int       i;
    uint32_t  n;

    static char  *sizes[] = { "", "100000", "1000000", "10000000" };

    if (argc < 2) {
        argc = 4;
        argv = sizes;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);

    for (i = 1; i < argc; i++) {
        n = (uint32_t) strtoul(argv[i], NULL, 10);

        if (n == 0) {
            die("usage: query [rewards ...]");
        }

        bench(TROVE_PLANE, n);
        bench(TROVE_EARTH, n);
    }

    return 0;
}
