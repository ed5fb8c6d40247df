/*
 * Calls that are timed by the chunk, each with players of its own, for which
 * all is prepared beforehand; times are without that.
 */

#ifndef BENCH_CHUNKS_H_INCLUDED
#define BENCH_CHUNKS_H_INCLUDED


#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "ids.h"
#include "trove_ledger.h"
#include "trove_memory.h"


#define CHUNK   1000
#define CHUNKS  500


typedef struct bench_s  bench_t;

/* The i-th of a chunk is of that player. */
typedef void (*prepare_pt)(bench_t *b, uint32_t i, uint32_t player);

/* All calls of a chunk: nanoseconds. */
typedef uint64_t (*chunk_pt)(bench_t *b);


static inline void
chunks_show(const char *name, double *ns, uint32_t n)
{
    median_sort(ns, n);

    printf("%-24s best %7.1f  median %7.1f ns  %6.2f M/s\n", name, ns[0],
           ns[n / 2], 1000 / ns[n / 2]);
}


static inline void
chunk_any(bench_t *b, prepare_pt prepare, uint32_t players)
{
    uint32_t  i;

    for (i = 0; i < CHUNK; i++) {
        prepare(b, i, random_below(players));
    }
}


static inline void
chunks_any(bench_t *b, const char *name, prepare_pt prepare,
    uint32_t players, chunk_pt chunk)
{
    double    ns[CHUNKS];
    uint32_t  i;

    for (i = 0; i < CHUNKS; i++) {
        chunk_any(b, prepare, players);
        ns[i] = (double) chunk(b) / CHUNK;
    }

    chunks_show(name, ns, CHUNKS);
}


/*
 * Each player once, in a random order: by steps that have no divisor with
 * their number, which is one of whole chunks.
 */

static inline void
chunks_each(bench_t *b, const char *name, prepare_pt prepare,
    uint32_t players, chunk_pt chunk)
{
    double    ns[CHUNKS];
    uint32_t  i, k;
    uint64_t  at;

    at = 0;

    for (i = 0; i < players / CHUNK; i++) {

        for (k = 0; k < CHUNK; k++) {
            at = (at + 2654435761u) % players;
            prepare(b, k, (uint32_t) at);
        }

        ns[i % CHUNKS] = (double) chunk(b) / CHUNK;
    }

    chunks_show(name, ns, (i < CHUNKS) ? i : CHUNKS);
}


static inline trove_ledger_t *
chunks_ledger(const trove_ledger_conf_t *conf)
{
    void    *mem;
    size_t   size;

    size = trove_ledger_size(conf);
    mem = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
               0);

    if (mem == MAP_FAILED || trove_memory_populate(mem, size) != TROVE_OK) {
        die("no memory for the ledger");
    }

    return trove_ledger_init(mem, conf);
}


#endif /* BENCH_CHUNKS_H_INCLUDED */
