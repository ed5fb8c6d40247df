
/*
 * Coins: the table holds exactly the odds of the weights, and draws show it.
 */

#include "unit.h"

#include "trove_coins.h"


/* Words of a known sequence, or those that a test lays out. */

typedef struct {
    uint64_t         state;
    const uint32_t  *words;   /* given from the last one backwards           */
    uint32_t         n;
} source_t;


static trove_rc_t
fill(void *data, void *p, size_t size)
{
    size_t     i;
    uint32_t  *words;
    uint64_t   z;
    source_t  *source;

    source = data;
    words = p;

    for (i = 0; i < size / sizeof(uint32_t); i++) {
        z = (source->state += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        words[i] = (z ^ (z >> 31)) >> 32;
    }

    for (i = 0; i < source->n; i++) {
        words[size / sizeof(uint32_t) - 1 - i] = source->words[i];
    }

    return TROVE_OK;
}


static void
make(trove_coins_t *coins, const uint32_t *weights, uint32_t n)
{
    uint32_t      i;
    trove_coin_t  list[TROVE_COINS_MAX];

    memset(list, 0, sizeof(list));

    for (i = 0; i < n; i++) {
        list[i].weight = weights[i];
        list[i].key = 1 + i;
    }

    assert_int_equal(trove_coins_init(coins, list, n), TROVE_OK);
}


/* What each coin has of all cells is its weight times their number. */

static void
check_odds(const trove_coins_t *coins)
{
    uint32_t                   i;
    uint64_t                   has[TROVE_COINS_MAX] = { 0 };
    const trove_coins_cell_t  *cell;

    for (i = 0; i < (uint32_t) 1 << coins->bits; i++) {
        cell = &coins->cells[i];

        assert_true(cell->keep <= coins->total);

        has[cell->coin] += cell->keep;
        has[cell->alias] += coins->total - cell->keep;
    }

    for (i = 0; i < TROVE_COINS_MAX; i++) {
        assert_true(has[i] == ((i < coins->n)
                               ? (uint64_t) coins->coins[i].weight
                                 << coins->bits : 0));
    }
}


static void
odds(void **state)
{
    uint32_t       i, n, k, weights[TROVE_COINS_MAX];
    trove_coins_t  coins;

    for (k = 0; k < 20000; k++) {
        n = 1 + random_below(TROVE_COINS_MAX);

        for (i = 0; i < n; i++) {
            switch (random_below(5)) {
            case 0:
                weights[i] = 0;
                break;
            case 1:
                weights[i] = 1 + random_below(10);
                break;
            case 2:
                weights[i] = UINT32_MAX - random_below(3);
                break;
            default:
                weights[i] = (uint32_t) random_bits() >> random_below(32);
            }
        }

        weights[random_below(n)] |= 1;

        make(&coins, weights, n);
        check_odds(&coins);
    }
}


static void
edges(void **state)
{
    uint32_t       i, weights[TROVE_COINS_MAX], coin;
    trove_coin_t   none[2] = { { .weight = 0 } };
    trove_coins_t  coins;

    for (i = 0; i < TROVE_COINS_MAX; i++) {
        weights[i] = UINT32_MAX;
    }

    make(&coins, weights, TROVE_COINS_MAX);
    check_odds(&coins);

    make(&coins, weights, 1);
    check_odds(&coins);

    assert_int_equal(trove_coins_init(&coins, none, 2), TROVE_INVALID);

    make(&coins, weights, 7);

    assert_int_equal(trove_coins_find(&coins, 3, &coin), TROVE_OK);
    assert_int_equal(coin, 2);
    assert_int_equal(trove_coins_find(&coins, 8, &coin), TROVE_NOTFOUND);
}


static void
keys(void **state)
{
    trove_slice_t  name;

    name.data = (const unsigned char *) "foobar";
    name.len = 6;

    /* of FNV-1a; it is stored: never another one */

    assert_int_equal(trove_coin_key(&name), 0xbf9cf968);

    name.len = 0;

    assert_int_equal(trove_coin_key(&name), 0x811c9dc5);
}


/*
 * With a total of 3 and one bit for the cell, 2^31 words are left for three
 * places, and 2^31 mod 3 is 2: the first words of two of the places are one
 * too many.
 */

static void
unbiased(void **state)
{
    uint32_t        i;
    source_t        source;
    trove_coins_t   coins;
    trove_random_t  random;

    static const uint32_t  weights[] = { 2, 1 };
    static const uint32_t  words[] = {
        0,                        /* the first of place 0: drawn again       */
        0x55555555,               /* the last of place 1                     */
        0x2aaaaaab,               /* the first of place 1: drawn again       */
        0x2aaaaaaa,               /* the last of place 0                     */
        0x55555556,               /* the first of place 2                    */
        0x80000001,               /* place 0 of the other cell               */
        0xffffffff                /* and its last                            */
    };

    static const struct {
        uint32_t  used;
        uint32_t  coin;
    } draws[] = {
        { 2, 0 }, { 4, 0 }, { 5, 0 }, { 6, 1 }, { 7, 0 }
    };

    memset(&source, 0, sizeof(source_t));
    source.words = words;
    source.n = sizeof(words) / sizeof(words[0]);

    make(&coins, weights, 2);

    assert_int_equal(coins.total, 3);
    assert_int_equal(coins.rest, 31);
    assert_int_equal(coins.biased, 2);

    /* cell 0 is all of coin 0; of cell 1 place 0 and 1 are coin 1's */

    assert_int_equal(coins.cells[0].keep, 3);
    assert_int_equal(coins.cells[1].keep, 2);
    assert_int_equal(coins.cells[1].alias, 0);

    assert_int_equal(trove_random_init(&random, fill, &source), TROVE_OK);

    for (i = 0; i < sizeof(draws) / sizeof(draws[0]); i++) {
        assert_int_equal(trove_coins_draw(&coins, &random), draws[i].coin);
        assert_int_equal(TROVE_RANDOM_WORDS - random.block->left,
                         draws[i].used);
    }

    trove_random_done(&random);
}


/*
 * The sequence is always the same: what passes once passes for ever.  Bounds
 * of chi-square are those of 1 in a million.
 */

static void
chi_square(const uint32_t *weights, uint32_t n, double bound)
{
    double          chi, want;
    uint32_t        i, k, draws, got[TROVE_COINS_MAX] = { 0 };
    source_t        source;
    trove_coins_t   coins;
    trove_random_t  random;

    draws = 1000000;
    memset(&source, 0, sizeof(source_t));
    source.state = 20240229;

    make(&coins, weights, n);
    assert_int_equal(trove_random_init(&random, fill, &source), TROVE_OK);

    for (k = 0; k < draws; k++) {
        i = trove_coins_draw(&coins, &random);
        assert_true(i < n);
        got[i]++;
    }

    chi = 0;

    for (i = 0; i < n; i++) {

        if (weights[i] == 0) {
            assert_int_equal(got[i], 0);
            continue;
        }

        want = (double) draws * weights[i] / coins.total;
        chi += (got[i] - want) * (got[i] - want) / want;
    }

    print_message("# chi-square of %u coins: %.1f\n", n, chi);
    assert_true(chi < bound);

    trove_random_done(&random);
}


static void
draws(void **state)
{
    uint32_t  i, weights[TROVE_COINS_MAX];

    static const uint32_t  few[] = { 80, 15, 5 };
    static const uint32_t  none[] = { 0, 7, 0, 0, 1 };
    static const uint32_t  large[] = { 4000000000, 294967295, 3000000000 };

    chi_square(few, 3, 27.6);
    chi_square(none, 5, 23.9);
    chi_square(large, 3, 27.6);

    for (i = 0; i < TROVE_COINS_MAX; i++) {
        weights[i] = 1 + i;
    }

    chi_square(weights, TROVE_COINS_MAX, 132);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(odds),
        cmocka_unit_test(edges),
        cmocka_unit_test(keys),
        cmocka_unit_test(unbiased),
        cmocka_unit_test(draws)
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
