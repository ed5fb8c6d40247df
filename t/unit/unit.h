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

#include "../lib/random.h"


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

    random_seed = (value != NULL) ? strtoull(value, NULL, 0)
                                  : (uint64_t) time(NULL) * 1000003
                                    ^ (uint64_t) getpid();

    print_message("# TROVE_SEED=%llu\n", (unsigned long long) random_seed);

    return 0;
}


#endif /* UNIT_H_INCLUDED */
