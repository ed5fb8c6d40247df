/*
 * Coins, one of which a tap draws by weight: an alias table (Walker 1977,
 * Vose 1991) in integers, so that the odds are exactly those of the weights.
 *
 *            +------+------+------+------+
 *   keep     |  7   |  10  |  4   |  10  |   of "total", 10 here
 *   coin     |  0   |  1   |  2   |  3   |   below "keep"
 *   alias    |  1   |      |  3   |      |   from "keep" on
 *            +------+------+------+------+
 *
 * There are 2^bits cells of the same size, "total", the sum of the weights;
 * a coin has weight * 2^bits of them all.  A draw takes the cell by the first
 * bits of a random word, and a place in it by the others, without bias.  Words
 * have 32 bits, unless the weights are so large that many would be in vain.
 */

#ifndef TROVE_COINS_H_INCLUDED
#define TROVE_COINS_H_INCLUDED


#include "trove.h"
#include "trove_random.h"


#define TROVE_COINS_MAX      64
#define TROVE_COIN_NAME_MAX  32     /* bytes of a coin's name                */


typedef struct {
    trove_slice_t  name;
    uint32_t       key;       /* hash of the name, not 0; what is stored     */
    int32_t        value;
    uint32_t       weight;
} trove_coin_t;


typedef struct {
    uint64_t       keep;
    uint32_t       coin;
    uint32_t       alias;
} trove_coins_cell_t;


typedef struct {
    uint32_t             n;
    uint32_t             bits;      /* of a word, for the cell               */
    uint32_t             rest;      /* for the place in it                   */
    uint64_t             total;
    uint64_t             biased;    /* words too many, see the draw          */
    trove_coin_t         coins[TROVE_COINS_MAX];
    trove_coins_cell_t   cells[TROVE_COINS_MAX];
} trove_coins_t;


uint32_t trove_coin_key(const trove_slice_t *name);

/*
 * Makes the table of n coins, 1 .. TROVE_COINS_MAX, of which names and keys
 * are kept as they are.  TROVE_INVALID: no coin has a weight.
 */
trove_rc_t trove_coins_init(trove_coins_t *coins, const trove_coin_t *list,
    uint32_t n);

/* The number of a coin, or TROVE_NOTFOUND. */
trove_rc_t trove_coins_find(const trove_coins_t *coins, uint32_t key,
    uint32_t *coin);


/* The number of the coin that is drawn. */

static inline uint32_t
trove_coins_draw(const trove_coins_t *coins, trove_random_t *random)
{
    uint32_t                   rest;
    uint64_t                   word, mask;
    unsigned __int128          place;
    const trove_coins_cell_t  *cell;

    rest = coins->rest;
    mask = ((uint64_t) 1 << rest) - 1;

    /*
     * The values that the rest of a word may have are spread over the places
     * of a cell (Lemire 2019); where that would be uneven, it is drawn again.
     */

    do {
        word = (rest + coins->bits == 32) ? trove_random32(random)
                                          : trove_random64(random);
        place = (unsigned __int128) (word & mask) * coins->total;
    } while (trove_unlikely(((uint64_t) place & mask) < coins->biased));

    cell = &coins->cells[word >> rest];

    return ((uint64_t) (place >> rest) < cell->keep) ? cell->coin : cell->alias;
}


#endif /* TROVE_COINS_H_INCLUDED */
