
/*
 * SipHash-2-4, after section 2 of the paper.
 */

#include <string.h>

#include "trove_siphash.h"


typedef struct {
    uint64_t  v0;
    uint64_t  v1;
    uint64_t  v2;
    uint64_t  v3;
} trove_siphash_t;


static inline uint64_t
trove_siphash_rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}


static inline uint64_t
trove_siphash_little(uint64_t x)
{
#if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    x = __builtin_bswap64(x);
#endif

    return x;
}


static inline void
trove_siphash_round(trove_siphash_t *s)
{
    s->v0 += s->v1;
    s->v1 = trove_siphash_rotate(s->v1, 13) ^ s->v0;
    s->v0 = trove_siphash_rotate(s->v0, 32);

    s->v2 += s->v3;
    s->v3 = trove_siphash_rotate(s->v3, 16) ^ s->v2;

    s->v0 += s->v3;
    s->v3 = trove_siphash_rotate(s->v3, 21) ^ s->v0;

    s->v2 += s->v1;
    s->v1 = trove_siphash_rotate(s->v1, 17) ^ s->v2;
    s->v2 = trove_siphash_rotate(s->v2, 32);
}


static inline void
trove_siphash_word(trove_siphash_t *s, uint64_t word)
{
    s->v3 ^= word;

    trove_siphash_round(s);
    trove_siphash_round(s);

    s->v0 ^= word;
}


/* What is behind the last whole word, which is read with some before it. */

static inline uint64_t
trove_siphash_rest(const unsigned char *data, size_t len)
{
    size_t    i;
    uint64_t  word;

    if (len % 8 == 0) {
        return 0;
    }

    if (len > 8) {
        memcpy(&word, data + len - 8, 8);

        return trove_siphash_little(word) >> (8 - len % 8) * 8;
    }

    word = 0;

    for (i = 0; i < len; i++) {
        word |= (uint64_t) data[i] << i * 8;
    }

    return word;
}


uint64_t
trove_siphash(const uint64_t key[2], const unsigned char *data, size_t len)
{
    size_t           i;
    uint64_t         word;
    trove_siphash_t  s;

    s.v0 = key[0] ^ 0x736f6d6570736575;
    s.v1 = key[1] ^ 0x646f72616e646f6d;
    s.v2 = key[0] ^ 0x6c7967656e657261;
    s.v3 = key[1] ^ 0x7465646279746573;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, data + i, 8);
        trove_siphash_word(&s, trove_siphash_little(word));
    }

    trove_siphash_word(&s, (uint64_t) len << 56
                           | trove_siphash_rest(data, len));

    s.v2 ^= 0xff;

    trove_siphash_round(&s);
    trove_siphash_round(&s);
    trove_siphash_round(&s);
    trove_siphash_round(&s);

    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
