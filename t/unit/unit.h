/*
 * What all unit tests begin with: cmocka and what it needs before it, and
 * random numbers whose seed is printed, and taken from TROVE_SEED.
 */

#ifndef UNIT_H_INCLUDED
#define UNIT_H_INCLUDED


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>


static uint64_t  seed;


static inline uint64_t
random_bits(void)
{
    uint64_t  z;

    z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


static inline uint32_t
random_below(uint32_t n)
{
    return (uint32_t) ((random_bits() >> 32) * n >> 32);
}


/* 0 is one of them, 1 is not. */

static inline double
random_unit(void)
{
    return (double) (random_bits() >> 11) * 0x1p-53;
}


static inline double
random_between(double a, double b)
{
    return a + (b - a) * random_unit();
}


/* Of a group of tests. */

static inline int
random_setup(void **state)
{
    const char  *value;

    value = getenv("TROVE_SEED");

    seed = (value != NULL) ? strtoull(value, NULL, 0)
                           : (uint64_t) time(NULL) * 1000003
                             ^ (uint64_t) getpid();

    print_message("# TROVE_SEED=%llu\n", (unsigned long long) seed);

    return 0;
}


#endif /* UNIT_H_INCLUDED */
