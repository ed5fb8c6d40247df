/*
 * Numbers as if at random for programs of tests and benches, the same for the
 * same seed: SplitMix64, by Steele, Lea and Flood.
 */

#ifndef RANDOM_H_INCLUDED
#define RANDOM_H_INCLUDED


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


/* 0 is one of them, 1 is not. */

static inline double
random_unit(void)
{
    return (double) (random_bits() >> 11) * 0x1p-53;
}


#endif /* RANDOM_H_INCLUDED */
