/*
 * What the programs that measure share: how they end when something is wrong,
 * and measured values in their order, so that the first is the least and the
 * one in the middle the median.
 */

#ifndef BENCH_BENCH_H_INCLUDED
#define BENCH_BENCH_H_INCLUDED


#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>


static inline void
die(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}


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


#endif /* BENCH_BENCH_H_INCLUDED */
