/*
 * Measured values in their order, so that the first is the least and the one in
 * the middle the median.
 */

#ifndef BENCH_MEDIAN_H_INCLUDED
#define BENCH_MEDIAN_H_INCLUDED


#include <stddef.h>
#include <stdlib.h>


static inline int
median_order(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


static inline void
median_sort(double *values, size_t n)
{
    qsort(values, n, sizeof(double), median_order);
}


#endif /* BENCH_MEDIAN_H_INCLUDED */
