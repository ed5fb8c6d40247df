/*
 * Coins.
 */

#include "trove_coins.h"


#define TROVE_COINS_FNV_BASIS  0x811c9dc5
#define TROVE_COINS_FNV_PRIME  0x01000193

#define TROVE_COINS_SHORT      (1 << 18)   /* total, up to which a word has 32
                                              bits: 1 of 256 is in vain then */


static void trove_coins_share(trove_coins_t *coins);


uint32_t
trove_coin_key(const trove_slice_t *name)
{
    size_t    i;
    uint32_t  hash;

    hash = TROVE_COINS_FNV_BASIS;

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ name->data[i]) * TROVE_COINS_FNV_PRIME;
    }

    return hash ? hash : 1;
}


trove_rc_t
trove_coins_init(trove_coins_t *coins, const trove_coin_t *list, uint32_t n)
{
    uint32_t  i;

    coins->n = n;
    coins->bits = 1;
    coins->total = 0;

    while ((uint32_t) 1 << coins->bits < n) {
        coins->bits++;
    }

    for (i = 0; i < n; i++) {
        coins->coins[i] = list[i];
        coins->total += list[i].weight;
    }

    if (coins->total == 0) {
        return TROVE_INVALID;
    }

    coins->rest = (coins->total <= TROVE_COINS_SHORT ? 32 : 64) - coins->bits;

    /* without these the words are a multiple of the total */

    coins->biased = ((uint64_t) 1 << coins->rest) % coins->total;

    trove_coins_share(coins);

    return TROVE_OK;
}


/*
 * A cell that its coin does not fill is filled up by one that has more than
 * its own.  With n a power of two, by coins of no weight, all stays integer.
 */

static void
trove_coins_share(trove_coins_t *coins)
{
    uint32_t             i, n, nless, nmore, less[TROVE_COINS_MAX],
                         more[TROVE_COINS_MAX];
    trove_coins_cell_t  *cell, *from;

    n = (uint32_t) 1 << coins->bits;
    nless = 0;
    nmore = 0;

    for (i = 0; i < n; i++) {
        cell = &coins->cells[i];

        cell->keep = (i < coins->n)
                     ? (uint64_t) coins->coins[i].weight << coins->bits : 0;
        cell->coin = i;
        cell->alias = i;

        if (cell->keep < coins->total) {
            less[nless++] = i;

        } else if (cell->keep > coins->total) {
            more[nmore++] = i;
        }
    }

    /* the sum is n cells: as long as one lacks something, one has too much */

    while (nless) {
        cell = &coins->cells[less[--nless]];
        from = &coins->cells[more[nmore - 1]];

        cell->alias = from->coin;
        from->keep -= coins->total - cell->keep;

        if (from->keep < coins->total) {
            less[nless++] = more[--nmore];

        } else if (from->keep == coins->total) {
            nmore--;
        }
    }
}


trove_rc_t
trove_coins_find(const trove_coins_t *coins, uint32_t key, uint32_t *coin)
{
    uint32_t  i;

    for (i = 0; i < coins->n; i++) {
        if (coins->coins[i].key == key) {
            *coin = i;
            return TROVE_OK;
        }
    }

    return TROVE_NOTFOUND;
}
