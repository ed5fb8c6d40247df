/*
 * What the tests of input and output share: seeded random numbers, and memory
 * that ends at a page which nobody may touch.
 */

#ifndef INPUT_H_INCLUDED
#define INPUT_H_INCLUDED


#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>


#define GUARD_SIZE  (1 << 20)

static uint64_t        seed;
static unsigned char  *guard;           /* first byte of the guard page      */


static inline int
input_setup(void **state)
{
    char           *env;
    unsigned char  *mem;

    env = getenv("TROVE_SEED");
    seed = env ? strtoull(env, NULL, 10) : (uint64_t) time(NULL) * 2654435761u;
    seed |= 1;

    printf("# TROVE_SEED=%llu\n", (unsigned long long) seed);

    mem = mmap(NULL, GUARD_SIZE + getpagesize(), PROT_READ|PROT_WRITE,
               MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED) {
        return -1;
    }

    guard = mem + GUARD_SIZE;

    return mprotect(guard, getpagesize(), PROT_NONE);
}


static inline uint64_t
random_next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed * 0x2545f4914f6cdd1dull;
}


static inline uint32_t
random_below(uint32_t n)
{
    return (uint32_t) ((random_next() >> 32) * n >> 32);
}


/* Any double but infinities and NaNs, all exponents alike. */

static inline double
random_double(void)
{
    double    d;
    uint64_t  bits;

    do {
        bits = random_next();
        memcpy(&d, &bits, sizeof(double));
    } while ((bits >> 52 & 0x7ff) == 0x7ff);

    return d;
}


/* A copy of "p" behind which lies the guard page. */

static inline unsigned char *
guarded(const void *p, size_t len)
{
    unsigned char  *copy;

    assert_true(len <= GUARD_SIZE);

    copy = guard - len;

    if (len) {
        memcpy(copy, p, len);
    }

    return copy;
}


#endif /* INPUT_H_INCLUDED */
