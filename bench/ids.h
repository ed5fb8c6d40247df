/*
 * Ids of players, the same in each run, for the programs that measure in
 * process.
 */

#ifndef BENCH_IDS_H_INCLUDED
#define BENCH_IDS_H_INCLUDED


#include "../t/lib/random.h"


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


#endif /* BENCH_IDS_H_INCLUDED */
