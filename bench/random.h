/*
 * Numbers as if at random, the same in each run, and ids of players: for the
 * programs that measure in process.
 */

#ifndef BENCH_RANDOM_H_INCLUDED
#define BENCH_RANDOM_H_INCLUDED


#include <stdint.h>


static uint64_t  random_seed = 42;


static inline uint64_t
random_bits(void)
{
    uint64_t  z;

    z = (random_seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


static inline uint32_t
random_below(uint32_t n)
{
    return (uint32_t) ((random_bits() >> 32) * n >> 32);
}


/* A number's id: all different, and nothing like in order. */

static inline void
random_id(char *id, uint32_t n)
{
    int       i;
    uint64_t  bits[2];

    static const char  digits[] = "0123456789abcdef";

    bits[0] = (n + 1) * 0x9e3779b97f4a7c15;
    bits[1] = bits[0] * 0xc2b2ae3d27d4eb4f;

    for (i = 0; i < 36; i++) {
        id[i] = (i == 8 || i == 13 || i == 18 || i == 23)
                ? '-' : digits[bits[i / 18] >> (i % 16 * 4) & 15];
    }

    id[36] = '\0';
}


#endif /* BENCH_RANDOM_H_INCLUDED */
