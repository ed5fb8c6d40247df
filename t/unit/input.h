/*
 * What the tests of input and output share: numbers of all kinds, and memory
 * that ends at a page which nobody may touch.
 */

#ifndef INPUT_H_INCLUDED
#define INPUT_H_INCLUDED


#include <sys/mman.h>

#include "unit.h"


#define GUARD_SIZE  (1 << 20)

static unsigned char  *guard;           /* first byte of the guard page      */


static inline int
input_setup(void **state)
{
    unsigned char  *mem;

    (void) random_setup(state);

    mem = mmap(NULL, GUARD_SIZE + getpagesize(), PROT_READ|PROT_WRITE,
               MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED) {
        return -1;
    }

    guard = mem + GUARD_SIZE;

    return mprotect(guard, getpagesize(), PROT_NONE);
}


/* Any double but infinities and NaNs, all exponents alike. */

static inline double
random_double(void)
{
    double    d;
    uint64_t  bits;

    do {
        bits = random_bits();
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
