/*
 * A histogram of durations, in nanoseconds: log-linear buckets for quantiles,
 * and beside them exact counts for the decimal bounds that Prometheus's
 * classic histograms have.
 *
 *      0        32       64              128                      2^36
 *      +--------+--------+---------------+---------------- ... ----+
 *      | 32 * 1 | 32 * 1 |    32 * 2     |      32 * 4     ...     |
 *      +--------+--------+---------------+---------------- ... ----+
 *
 *   bucket       every power of two is cut into 32 of equal width, thus none
 *                is wider than 1/32 of the durations in it; what is 2^36 ns
 *                (68.7 s) or longer is counted by the last one
 *   bound        10 us, 25 us, 50 us ... 1 s, and infinity: "lower or equal"
 *
 * The idea is that of HdrHistogram (Gil Tene, http://hdrhistogram.org).
 *
 * One process writes, any number read meanwhile, and nobody waits: each
 * number is right by itself, and never goes back.
 */

#ifndef TROVE_HISTOGRAM_H_INCLUDED
#define TROVE_HISTOGRAM_H_INCLUDED


#include <stdatomic.h>

#include "trove.h"


#define TROVE_HISTOGRAM_SUB      5      /* buckets in a power of two, log2   */
#define TROVE_HISTOGRAM_RANGE    36     /* durations are below 2^36 ns       */

#define TROVE_HISTOGRAM_BUCKETS                                              \
    ((TROVE_HISTOGRAM_RANGE - TROVE_HISTOGRAM_SUB + 1)                       \
     << TROVE_HISTOGRAM_SUB)


/*
 * The bounds in nanoseconds, and in seconds as Prometheus itself writes them.
 * Each is at least twice the one before it: no power of two has more than one
 * of them.
 *
 *   X(a, ns, text), where "a" is handed on
 */

#define TROVE_HISTOGRAM_BOUNDS(X, a)                                         \
    X(a, 10000,      "1e-05")                                                \
    X(a, 25000,      "2.5e-05")                                              \
    X(a, 50000,      "5e-05")                                                \
    X(a, 100000,     "0.0001")                                               \
    X(a, 250000,     "0.00025")                                              \
    X(a, 500000,     "0.0005")                                               \
    X(a, 1000000,    "0.001")                                                \
    X(a, 2500000,    "0.0025")                                               \
    X(a, 5000000,    "0.005")                                                \
    X(a, 10000000,   "0.01")                                                 \
    X(a, 25000000,   "0.025")                                                \
    X(a, 50000000,   "0.05")                                                 \
    X(a, 100000000,  "0.1")                                                  \
    X(a, 250000000,  "0.25")                                                 \
    X(a, 500000000,  "0.5")                                                  \
    X(a, 1000000000, "1.0")

#define TROVE_HISTOGRAM_ONE(a, ns, text)  + 1

enum {
    TROVE_HISTOGRAM_NBOUNDS = 0 TROVE_HISTOGRAM_BOUNDS(TROVE_HISTOGRAM_ONE, )
};


/* A number that one process writes, and others read meanwhile. */
typedef _Atomic uint64_t  trove_stat_t;


/* All zero is an empty one. */

typedef struct {
    trove_stat_t  sum;                              /* ns                    */
    trove_stat_t  max;                              /* ns                    */

    /* not cumulative; the last one is for what is above all bounds */

    trove_stat_t  bounds[TROVE_HISTOGRAM_NBOUNDS + 1];
    trove_stat_t  buckets[TROVE_HISTOGRAM_BUCKETS];
} trove_histogram_t;


/* Of the durations of one power of two. */

typedef struct {
    uint64_t      index;      /* the first bound that any of them is within  */
    uint64_t      ns;         /* what it is, or UINT64_MAX                   */
} trove_histogram_octave_t;


extern const trove_histogram_octave_t
    trove_histogram_octaves[TROVE_HISTOGRAM_RANGE];

extern const char *const  trove_histogram_bounds[TROVE_HISTOGRAM_NBOUNDS];


/* Adds that only the owner of the number, or anybody, may do. */

static inline void
trove_stat_add(trove_stat_t *stat, uint64_t n)
{
    n += atomic_load_explicit(stat, memory_order_relaxed);
    atomic_store_explicit(stat, n, memory_order_relaxed);
}


static inline void
trove_stat_add_shared(trove_stat_t *stat, uint64_t n)
{
    (void) atomic_fetch_add_explicit(stat, n, memory_order_relaxed);
}


static inline uint64_t
trove_stat_get(const trove_stat_t *stat)
{
    return atomic_load_explicit(stat, memory_order_relaxed);
}


static inline void
trove_stat_set(trove_stat_t *stat, uint64_t n)
{
    atomic_store_explicit(stat, n, memory_order_relaxed);
}


static inline uint32_t
trove_histogram_octave(uint64_t ns)
{
    return 63 - __builtin_clzll(ns | 1);
}


/* The bucket of a duration. */

static inline uint32_t
trove_histogram_bucket(uint64_t ns)
{
    uint32_t  octave, shift;

    octave = trove_histogram_octave(ns);

    if (trove_unlikely(octave >= TROVE_HISTOGRAM_RANGE)) {
        return TROVE_HISTOGRAM_BUCKETS - 1;
    }

    shift = (octave > TROVE_HISTOGRAM_SUB) ? octave - TROVE_HISTOGRAM_SUB : 0;

    return (shift << TROVE_HISTOGRAM_SUB) + (uint32_t) (ns >> shift);
}


/* The first of the bounds that is not below a duration. */

static inline uint32_t
trove_histogram_bound(uint64_t ns)
{
    uint32_t                         octave;
    const trove_histogram_octave_t  *o;

    octave = trove_histogram_octave(ns);

    if (trove_unlikely(octave >= TROVE_HISTOGRAM_RANGE)) {
        return TROVE_HISTOGRAM_NBOUNDS;
    }

    o = &trove_histogram_octaves[octave];

    return (uint32_t) o->index + (ns > o->ns);
}


/* Counts a duration; for the only process that writes the histogram. */

static inline void
trove_histogram_record(trove_histogram_t *h, uint64_t ns)
{
    trove_stat_add(&h->buckets[trove_histogram_bucket(ns)], 1);
    trove_stat_add(&h->bounds[trove_histogram_bound(ns)], 1);
    trove_stat_add(&h->sum, ns);

    if (trove_unlikely(ns > trove_stat_get(&h->max))) {
        trove_stat_set(&h->max, ns);
    }
}


/* The same for a histogram that several write at the same time. */
void trove_histogram_record_shared(trove_histogram_t *h, uint64_t ns);

/* Adds what "h" has counted to "sum", which is the caller's alone. */
void trove_histogram_add(trove_histogram_t *sum, const trove_histogram_t *h);

uint64_t trove_histogram_count(const trove_histogram_t *h);

/*
 * The duration that so many thousandths of all do not exceed, in ns; 0 if
 * there are none.  It is never below the exact one, and above it by less than
 * a bucket is wide: 1/32 of it at most.  Of those beyond the range only "max"
 * is known, and is the answer.
 */
uint64_t trove_histogram_quantile(const trove_histogram_t *h,
    uint32_t thousandths);

/* The shortest and the longest duration of a bucket. */
uint64_t trove_histogram_first(uint32_t bucket);
uint64_t trove_histogram_last(uint32_t bucket);


#endif /* TROVE_HISTOGRAM_H_INCLUDED */
