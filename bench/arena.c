/*
 * What an arena costs: an allocation, and a reset after all of it was given
 * out and written, for arenas of different sizes.
 *
 *   arena [megabytes ...]      default: 1 16 128 1024
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "trove_arena.h"
#include "trove_clock.h"
#include "trove_memory.h"


#define BENCH_ROUNDS         1001
#define BENCH_BYTES          48         /* of an allocation: an answer       */
#define BENCH_ALLOCS         4096       /* of them in a round                */
#define BENCH_WRITTEN        (4ull << 30)


static void bench_run(size_t megabytes);
static void bench_bump(trove_arena_t *a);
static void bench_reset(trove_arena_t *a);
static void bench_pair(trove_arena_t *a);
static void bench_check(trove_arena_t *a);
static void bench_print(const char *name, trove_arena_t *a, double *ns,
    size_t n);


int
main(int argc, char **argv)
{
    int     i;
    size_t  n;

    static char  *sizes[] = { "", "1", "16", "128", "1024" };

    if (argc < 2) {
        argc = sizeof(sizes) / sizeof(sizes[0]);
        argv = sizes;
    }

    for (i = 1; i < argc; i++) {
        n = strtoul(argv[i], NULL, 10);

        if (n == 0) {
            die("usage: arena [megabytes ...]");
        }

        bench_run(n);
    }

    return 0;
}


static void
bench_run(size_t megabytes)
{
    size_t           size;
    trove_arena_t    a;
    trove_mapping_t  m;

    size = megabytes << 20;

    if (trove_memory_map(&m, size, size, TROVE_PAGES_AUTO) != TROVE_OK) {
        die("there is not so much memory");
    }

    trove_arena_init(&a, m.base, size);

    bench_check(&a);
    bench_bump(&a);
    bench_reset(&a);
    bench_pair(&a);

    trove_memory_unmap(&m);
}


/* Pieces are aligned, apart, and as many as there is room for. */

static void
bench_check(trove_arena_t *a)
{
    size_t          n;
    unsigned char  *p, *last;

    last = NULL;

    for (n = 0; (p = trove_arena_alloc(a, BENCH_BYTES)) != NULL; n++) {

        if ((uintptr_t) p % TROVE_CACHE_LINE != 0
            || (last && p < last + BENCH_BYTES))
        {
            die("pieces overlap");
        }

        last = p;
    }

    if (n != trove_arena_size(a) / TROVE_CACHE_LINE || a->exhausted != 1) {
        die("the arena is not used up");
    }

    trove_arena_reset(a);

    if (trove_arena_used(a) != 0 || trove_arena_alloc(a, 1) != a->start) {
        die("a reset does not give all back");
    }

    trove_arena_reset(a);
}


static void
bench_bump(trove_arena_t *a)
{
    void      *p;
    size_t     i, k;
    double     ns[BENCH_ROUNDS];
    uint64_t   start;

    for (i = 0; i < BENCH_ROUNDS; i++) {
        trove_arena_reset(a);

        start = trove_clock_ns();

        for (k = 0; k < BENCH_ALLOCS; k++) {
            p = trove_arena_alloc(a, BENCH_BYTES);

            __asm__ volatile ("" : : "r" (p) : "memory");
        }

        ns[i] = (double) (trove_clock_ns() - start) / BENCH_ALLOCS;

        if (a->exhausted != 1) {
            die("the arena is too small");
        }
    }

    bench_print("bump", a, ns, BENCH_ROUNDS);
}


/*
 * One reset at a time, with a reading of the clock in it; the first reading
 * has the clock's own memory, which the writing displaced, back in the cache.
 */

static void
bench_reset(trove_arena_t *a)
{
    void      *p;
    size_t     i, n;
    double     ns[BENCH_ROUNDS];
    uint64_t   start;

    trove_arena_reset(a);

    n = BENCH_WRITTEN / trove_arena_size(a);
    n = n > BENCH_ROUNDS ? BENCH_ROUNDS : n | 1;

    for (i = 0; i < n; i++) {
        while ((p = trove_arena_blob(a, TROVE_BLOB_ALIGN)) != NULL) {
            memset(p, (int) i, TROVE_BLOB_ALIGN);
        }

        (void) trove_clock_ns();

        start = trove_clock_ns();
        trove_arena_reset(a);
        __asm__ volatile ("" : : "r" (a) : "memory");
        ns[i] = (double) (trove_clock_ns() - start);
    }

    bench_print("reset", a, ns, n);
}


/* As a worker that serves one request an epoch does. */

static void
bench_pair(trove_arena_t *a)
{
    void      *p;
    size_t     i, k;
    double     ns[BENCH_ROUNDS];
    uint64_t   start;

    for (i = 0; i < BENCH_ROUNDS; i++) {
        start = trove_clock_ns();

        for (k = 0; k < BENCH_ALLOCS; k++) {
            p = trove_arena_alloc(a, BENCH_BYTES);
            __asm__ volatile ("" : : "r" (p), "r" (a) : "memory");
            trove_arena_reset(a);
        }

        ns[i] = (double) (trove_clock_ns() - start) / BENCH_ALLOCS;
    }

    bench_print("bump and reset", a, ns, BENCH_ROUNDS);
}


static void
bench_print(const char *name, trove_arena_t *a, double *ns, size_t n)
{
    median_sort(ns, n);

    printf("%-16s %5zu MB  best %7.2f  median %7.2f ns\n", name,
           trove_arena_size(a) >> 20, ns[0], ns[n / 2]);
}
