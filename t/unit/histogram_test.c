/*
 * Histograms: against a sorted list, and each boundary by itself.
 */

#include "unit.h"

#include "trove_histogram.h"


#define SAMPLES  3000
#define RANGE    ((uint64_t) 1 << TROVE_HISTOGRAM_RANGE)


static const uint64_t  bounds[] = {
    10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
    10000000, 25000000, 50000000, 100000000, 250000000, 500000000, 1000000000
};


/* Every power of two is as likely as any other. */

static uint64_t
random_duration(uint32_t bits)
{
    uint64_t  top;

    top = (uint64_t) 1 << (random_bits() % bits);

    return top + random_bits() % top;
}


static uint32_t
naive_bound(uint64_t ns)
{
    uint32_t  i;

    for (i = 0; i < TROVE_HISTOGRAM_NBOUNDS; i++) {
        if (ns <= bounds[i]) {
            break;
        }
    }

    return i;
}


static int
compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


/* The least of the sorted that at least so many thousandths do not exceed. */

static uint64_t
naive_quantile(const uint64_t *sorted, uint64_t n, uint32_t thousandths)
{
    uint64_t  i;

    for (i = 1; i < n; i++) {
        if (i * 1000 >= n * thousandths) {
            break;
        }
    }

    return sorted[i - 1];
}


static void
check_quantiles(const trove_histogram_t *h, const uint64_t *sorted, uint64_t n)
{
    uint32_t  q;
    uint64_t  naive, ns;

    for (q = 0; q <= 1000; q++) {
        naive = naive_quantile(sorted, n, q);
        ns = trove_histogram_quantile(h, q);

        assert_true(ns >= naive);
        assert_true(ns - naive <= naive / 32);
    }

    assert_int_equal(trove_histogram_quantile(h, 1000), sorted[n - 1]);
    assert_int_equal(trove_stat_get(&h->max), sorted[n - 1]);
}


static void
buckets_follow_each_other(void **state)
{
    uint32_t  i;
    uint64_t  first, last, next;

    next = 0;

    for (i = 0; i < TROVE_HISTOGRAM_BUCKETS - 1; i++) {
        first = trove_histogram_first(i);
        last = trove_histogram_last(i);

        assert_int_equal(first, next);
        assert_true(last >= first);
        assert_true((last - first + 1) * 32 <= first || last == first);
        assert_int_equal(trove_histogram_bucket(first), i);
        assert_int_equal(trove_histogram_bucket(last), i);

        next = last + 1;
    }

    assert_int_equal(trove_histogram_first(i), next);
    assert_int_equal(trove_histogram_bucket(next), i);
    assert_int_equal(trove_histogram_bucket(RANGE - 1), i);
    assert_int_equal(trove_histogram_bucket(RANGE), i);
    assert_int_equal(trove_histogram_bucket(UINT64_MAX), i);

    assert_true(RANGE >= (uint64_t) 60 * 1000000000);
}


static void
bounds_are_lower_or_equal(void **state)
{
    char      *end;
    double     s;
    uint32_t   i;
    uint64_t   ns;

    assert_int_equal(TROVE_HISTOGRAM_NBOUNDS,
                     sizeof(bounds) / sizeof(bounds[0]));

    for (i = 0; i < TROVE_HISTOGRAM_NBOUNDS; i++) {
        assert_int_equal(trove_histogram_bound(bounds[i] - 1), i);
        assert_int_equal(trove_histogram_bound(bounds[i]), i);
        assert_int_equal(trove_histogram_bound(bounds[i] + 1), i + 1);

        s = strtod(trove_histogram_bounds[i], &end);

        assert_int_equal(*end, '\0');
        assert_true(s * 1e9 > (double) bounds[i] - 0.5);
        assert_true(s * 1e9 < (double) bounds[i] + 0.5);
    }

    for (i = 0; i < 64; i++) {
        ns = (uint64_t) 1 << i;

        assert_int_equal(trove_histogram_bound(ns - 1), naive_bound(ns - 1));
        assert_int_equal(trove_histogram_bound(ns), naive_bound(ns));
    }

    assert_int_equal(trove_histogram_bound(UINT64_MAX),
                     TROVE_HISTOGRAM_NBOUNDS);

    for (i = 0; i < 100000; i++) {
        ns = random_duration(63);
        assert_int_equal(trove_histogram_bound(ns), naive_bound(ns));
    }
}


static void
an_empty_one_tells_nothing(void **state)
{
    trove_histogram_t  h, sum;

    memset(&h, 0, sizeof(trove_histogram_t));
    memset(&sum, 0, sizeof(trove_histogram_t));

    trove_histogram_add(&sum, &h);

    assert_int_equal(trove_histogram_count(&sum), 0);
    assert_int_equal(trove_histogram_quantile(&sum, 0), 0);
    assert_int_equal(trove_histogram_quantile(&sum, 500), 0);
    assert_int_equal(trove_histogram_quantile(&sum, 1000), 0);
}


static void
a_single_duration_is_every_quantile(void **state)
{
    uint32_t           i;
    uint64_t           ns;
    trove_histogram_t  h;

    for (i = 0; i < 1000; i++) {
        ns = (i == 0) ? 0 : random_duration(TROVE_HISTOGRAM_RANGE);

        memset(&h, 0, sizeof(trove_histogram_t));
        trove_histogram_record(&h, ns);

        check_quantiles(&h, &ns, 1);
    }
}


static void
quantiles_are_within_a_bucket(void **state)
{
    uint64_t           i, n, round, sorted[SAMPLES];
    trove_histogram_t  h;

    for (round = 0; round < 30; round++) {
        n = 1 + random_bits() % SAMPLES;

        memset(&h, 0, sizeof(trove_histogram_t));

        for (i = 0; i < n; i++) {
            sorted[i] = (round % 2) ? random_duration(TROVE_HISTOGRAM_RANGE)
                                    : 400 + random_bits() % 5000;
            trove_histogram_record(&h, sorted[i]);
        }

        qsort(sorted, n, sizeof(uint64_t), compare);

        check_quantiles(&h, sorted, n);
    }
}


static void
sums_are_as_of_one(void **state)
{
    uint32_t           k;
    uint64_t           i, n, total, sorted[SAMPLES];
    uint64_t           naive[TROVE_HISTOGRAM_NBOUNDS + 1];
    trove_histogram_t  h[4], all, sum;

    memset(h, 0, sizeof(h));
    memset(&all, 0, sizeof(trove_histogram_t));
    memset(&sum, 0, sizeof(trove_histogram_t));
    memset(naive, 0, sizeof(naive));

    total = 0;
    n = SAMPLES;

    for (i = 0; i < n; i++) {
        sorted[i] = random_duration(40);
        total += sorted[i];
        naive[naive_bound(sorted[i])]++;

        trove_histogram_record(&all, sorted[i]);

        /* one of the four stays empty */

        k = random_bits() % 3;

        if (k == 2) {
            trove_histogram_record_shared(&h[k], sorted[i]);

        } else {
            trove_histogram_record(&h[k], sorted[i]);
        }
    }

    for (k = 0; k < 4; k++) {
        trove_histogram_add(&sum, &h[k]);
    }

    assert_memory_equal(&sum, &all, sizeof(trove_histogram_t));
    assert_int_equal(trove_histogram_count(&sum), n);
    assert_int_equal(trove_stat_get(&sum.sum), total);

    for (k = 0; k <= TROVE_HISTOGRAM_NBOUNDS; k++) {
        assert_int_equal(trove_stat_get(&sum.bounds[k]), naive[k]);
    }
}


static void
what_is_beyond_the_range_saturates(void **state)
{
    trove_histogram_t  h;

    memset(&h, 0, sizeof(trove_histogram_t));

    trove_histogram_record(&h, 100);
    trove_histogram_record(&h, RANGE * 3);
    trove_histogram_record(&h, RANGE * 2);

    assert_int_equal(trove_histogram_count(&h), 3);
    assert_int_equal(trove_histogram_quantile(&h, 333),
                     trove_histogram_last(trove_histogram_bucket(100)));
    assert_int_equal(trove_histogram_quantile(&h, 500), RANGE * 3);
    assert_int_equal(trove_histogram_quantile(&h, 1000), RANGE * 3);
    assert_int_equal(trove_stat_get(&h.bounds[TROVE_HISTOGRAM_NBOUNDS]), 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(buckets_follow_each_other),
        cmocka_unit_test(bounds_are_lower_or_equal),
        cmocka_unit_test(an_empty_one_tells_nothing),
        cmocka_unit_test(a_single_duration_is_every_quantile),
        cmocka_unit_test(quantiles_are_within_a_bucket),
        cmocka_unit_test(sums_are_as_of_one),
        cmocka_unit_test(what_is_beyond_the_range_saturates)
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
