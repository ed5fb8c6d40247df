/*
 * Histograms of durations: the tables, and all that is not recording.
 */

#include "trove_histogram.h"


#define TROVE_HISTOGRAM_INDEX(octave, ns, text)                              \
    + ((ns) < (uint64_t) 1 << (octave))

#define TROVE_HISTOGRAM_FIRST(octave, ns, text)                              \
    (ns) >= (uint64_t) 1 << (octave) ? (ns) :

#define TROVE_HISTOGRAM_OCTAVE(octave)                                       \
    { 0 TROVE_HISTOGRAM_BOUNDS(TROVE_HISTOGRAM_INDEX, octave),               \
      TROVE_HISTOGRAM_BOUNDS(TROVE_HISTOGRAM_FIRST, octave) UINT64_MAX }

#define TROVE_HISTOGRAM_4(octave)                                            \
    TROVE_HISTOGRAM_OCTAVE(octave),                                          \
    TROVE_HISTOGRAM_OCTAVE((octave) + 1),                                    \
    TROVE_HISTOGRAM_OCTAVE((octave) + 2),                                    \
    TROVE_HISTOGRAM_OCTAVE((octave) + 3)

#define TROVE_HISTOGRAM_TEXT(a, ns, text)  text,


const trove_histogram_octave_t
trove_histogram_octaves[TROVE_HISTOGRAM_RANGE] = {
    TROVE_HISTOGRAM_4(0),
    TROVE_HISTOGRAM_4(4),
    TROVE_HISTOGRAM_4(8),
    TROVE_HISTOGRAM_4(12),
    TROVE_HISTOGRAM_4(16),
    TROVE_HISTOGRAM_4(20),
    TROVE_HISTOGRAM_4(24),
    TROVE_HISTOGRAM_4(28),
    TROVE_HISTOGRAM_4(32)
};


const char *const  trove_histogram_bounds[TROVE_HISTOGRAM_NBOUNDS] = {
    TROVE_HISTOGRAM_BOUNDS(TROVE_HISTOGRAM_TEXT, )
};


void
trove_histogram_record_shared(trove_histogram_t *h, uint64_t ns)
{
    uint64_t  max;

    trove_stat_add_shared(&h->buckets[trove_histogram_bucket(ns)], 1);
    trove_stat_add_shared(&h->bounds[trove_histogram_bound(ns)], 1);
    trove_stat_add_shared(&h->sum, ns);

    max = trove_stat_get(&h->max);

    while (ns > max
           && !atomic_compare_exchange_weak_explicit(&h->max, &max, ns,
                                                     memory_order_relaxed,
                                                     memory_order_relaxed))
    {
        /* void */
    }
}


void
trove_histogram_add(trove_histogram_t *sum, const trove_histogram_t *h)
{
    uint32_t  i;
    uint64_t  max;

    if (trove_histogram_count(h) == 0) {
        return;
    }

    trove_stat_add(&sum->sum, trove_stat_get(&h->sum));

    max = trove_stat_get(&h->max);

    if (max > trove_stat_get(&sum->max)) {
        trove_stat_set(&sum->max, max);
    }

    for (i = 0; i <= TROVE_HISTOGRAM_NBOUNDS; i++) {
        trove_stat_add(&sum->bounds[i], trove_stat_get(&h->bounds[i]));
    }

    for (i = 0; i < TROVE_HISTOGRAM_BUCKETS; i++) {
        trove_stat_add(&sum->buckets[i], trove_stat_get(&h->buckets[i]));
    }
}


uint64_t
trove_histogram_count(const trove_histogram_t *h)
{
    uint32_t  i;
    uint64_t  count;

    count = 0;

    for (i = 0; i <= TROVE_HISTOGRAM_NBOUNDS; i++) {
        count += trove_stat_get(&h->bounds[i]);
    }

    return count;
}


uint64_t
trove_histogram_quantile(const trove_histogram_t *h, uint32_t thousandths)
{
    uint32_t  i;
    uint64_t  count, rank, max;

    count = 0;

    for (i = 0; i < TROVE_HISTOGRAM_BUCKETS; i++) {
        count += trove_stat_get(&h->buckets[i]);
    }

    if (count == 0) {
        return 0;
    }

    rank = count / 1000 * thousandths
           + (count % 1000 * thousandths + 999) / 1000;

    count = 0;

    for (i = 0; i < TROVE_HISTOGRAM_BUCKETS - 1; i++) {
        count += trove_stat_get(&h->buckets[i]);

        if (count && count >= rank) {
            break;
        }
    }

    max = trove_stat_get(&h->max);

    if (max > trove_histogram_last(i)) {
        return trove_histogram_last(i);
    }

    /* "max" is stored last, and may be behind what is counted already */

    return (max > trove_histogram_first(i)) ? max : trove_histogram_first(i);
}


uint64_t
trove_histogram_first(uint32_t bucket)
{
    uint32_t  shift;

    if (bucket < 2 << TROVE_HISTOGRAM_SUB) {
        return bucket;
    }

    shift = (bucket >> TROVE_HISTOGRAM_SUB) - 1;

    return (uint64_t) (bucket - (shift << TROVE_HISTOGRAM_SUB)) << shift;
}


uint64_t
trove_histogram_last(uint32_t bucket)
{
    if (bucket >= TROVE_HISTOGRAM_BUCKETS - 1) {
        return UINT64_MAX;
    }

    return trove_histogram_first(bucket + 1) - 1;
}
