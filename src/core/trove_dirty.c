
/*
 * Four bitmaps of each kind, one behind the other: what is dirty, of that
 * which words are not empty, and the same two of what is flying.
 */

#include "trove_board_data.h"
#include "trove_dirty.h"
#include "trove_mark.h"


typedef struct {
    _Atomic uint64_t  *bits;
    _Atomic uint64_t  *words;           /* a bit each, that is not empty     */
    uint32_t           nbits;           /* words that there are of each      */
    uint32_t           nwords;
} trove_bitmap_t;


static void trove_dirty_map(const trove_ledger_t *l, trove_dirty_t of,
    int flying, trove_bitmap_t *map);
static uint32_t trove_dirty_bits(const trove_ledger_t *l, trove_dirty_t of,
    uint64_t *at);
static uint32_t trove_dirty_take_word(trove_ledger_t *l, trove_dirty_t of,
    uint32_t i, uint32_t *numbers);
static void trove_dirty_or(trove_bitmap_t *map, uint32_t i, uint64_t bits);


static inline uint64_t
trove_dirty_words(uint64_t bits)
{
    return (bits + 63) / 64;
}


uint64_t
trove_dirty_size(uint64_t bits)
{
    uint64_t  words;

    words = trove_dirty_words(bits);

    return 2 * (words + trove_dirty_words(words)) * sizeof(uint64_t);
}


uint32_t
trove_dirty_kinds(const trove_ledger_t *l)
{
    return trove_dirty_board((uint32_t) l->at.conf.nboards, 0);
}


/* How many bits there are; *at is where. */

static uint32_t
trove_dirty_bits(const trove_ledger_t *l, trove_dirty_t of, uint64_t *at)
{
    uint32_t              board;
    const trove_board_t  *b;

    if (of < TROVE_DIRTY_BOARDS) {
        *at = l->at.dirty_at[of];

        return (of == TROVE_DIRTY_REWARDS) ? l->at.conf.rewards
                                           : l->at.conf.players;
    }

    of -= TROVE_DIRTY_BOARDS;
    board = of / 2;
    of %= 2;

    b = trove_board_of(l, board);
    *at = b->at.table[of].dirty_at;

    return (of < b->at.tables && !trove_board_conf(l, board)->claims)
           ? trove_board_conf(l, board)->rows : 0;
}


static void
trove_dirty_map(const trove_ledger_t *l, trove_dirty_t of, int flying,
    trove_bitmap_t *map)
{
    uint64_t  at;

    map->nbits = trove_dirty_words(trove_dirty_bits(l, of, &at));
    map->nwords = trove_dirty_words(map->nbits);

    map->bits = (_Atomic uint64_t *) ((char *) l + at)
                + (flying ? map->nbits + map->nwords : 0);
    map->words = map->bits + map->nbits;
}


/*
 * The bit first, then that its word is not empty; they are taken in the other
 * order.  Most are set already, and then nothing is written.
 */

static void
trove_dirty_or(trove_bitmap_t *map, uint32_t i, uint64_t bits)
{
    uint64_t  word;

    if ((atomic_load(&map->bits[i]) & bits) != bits) {
        (void) atomic_fetch_or(&map->bits[i], bits);
        TROVE_FAULT("dirty");
    }

    word = (uint64_t) 1 << i % 64;

    if ((atomic_load(&map->words[i / 64]) & word) == 0) {
        (void) atomic_fetch_or(&map->words[i / 64], word);
        TROVE_FAULT("dirty word");
    }
}


void
trove_dirty_set(trove_ledger_t *l, trove_dirty_t of, uint32_t number)
{
    trove_bitmap_t  dirty;

    trove_dirty_map(l, of, 0, &dirty);
    trove_dirty_or(&dirty, number / 64, (uint64_t) 1 << number % 64);
}


int
trove_dirty_any(const trove_ledger_t *l)
{
    uint32_t        i;
    trove_dirty_t   of;
    trove_bitmap_t  dirty;

    for (of = 0; of < trove_dirty_kinds(l); of++) {
        trove_dirty_map(l, of, 0, &dirty);

        for (i = 0; i < dirty.nwords; i++) {

            if (atomic_load(&dirty.words[i]) != 0) {
                return 1;
            }
        }
    }

    return trove_mark_any(l);
}


uint32_t
trove_dirty_take(trove_ledger_t *l, trove_dirty_t of, uint32_t *from,
    uint32_t *numbers, uint32_t max)
{
    uint32_t        i, n;
    uint64_t        words;
    trove_bitmap_t  dirty;

    trove_dirty_map(l, of, 0, &dirty);

    n = 0;
    i = *from / 64;

    while (i < dirty.nbits) {
        words = atomic_load(&dirty.words[i / 64]) >> i % 64;

        if (words == 0) {
            i = (i / 64 + 1) * 64;
            continue;
        }

        i += (uint32_t) __builtin_ctzll(words);

        if (n + 64 > max) {
            break;
        }

        n += trove_dirty_take_word(l, of, i, numbers + n);
        i++;
    }

    *from = i * 64;

    return n;
}


static uint32_t
trove_dirty_take_word(trove_ledger_t *l, trove_dirty_t of, uint32_t i,
    uint32_t *numbers)
{
    uint32_t        n;
    uint64_t        bits;
    trove_bitmap_t  dirty, flying;

    trove_dirty_map(l, of, 0, &dirty);
    trove_dirty_map(l, of, 1, &flying);

    (void) atomic_fetch_and(&dirty.words[i / 64], ~((uint64_t) 1 << i % 64));
    TROVE_FAULT("word taken");

    /* first the one and then not the other, or a death would lose it */

    bits = atomic_load(&dirty.bits[i]);
    trove_dirty_or(&flying, i, bits);

    bits &= atomic_fetch_and(&dirty.bits[i], ~bits);
    TROVE_FAULT("taken");

    for (n = 0; bits != 0; bits &= bits - 1) {
        numbers[n++] = i * 64 + (uint32_t) __builtin_ctzll(bits);
    }

    return n;
}


void
trove_dirty_landed(trove_ledger_t *l, trove_dirty_t of)
{
    uint32_t        i, w;
    uint64_t        words;
    trove_bitmap_t  flying;

    trove_dirty_map(l, of, 1, &flying);

    for (w = 0; w < flying.nwords; w++) {
        words = atomic_load(&flying.words[w]);

        for ( /* void */ ; words != 0; words &= words - 1) {
            i = w * 64 + (uint32_t) __builtin_ctzll(words);
            atomic_store(&flying.bits[i], 0);
            TROVE_FAULT("landed");
        }

        atomic_store(&flying.words[w], 0);
    }
}


/* Looks at every word, for who died may have left one without its bit. */

void
trove_dirty_give_back(trove_ledger_t *l, trove_dirty_t of)
{
    uint32_t        i;
    uint64_t        bits;
    trove_bitmap_t  dirty, flying;

    trove_dirty_map(l, of, 0, &dirty);
    trove_dirty_map(l, of, 1, &flying);

    for (i = 0; i < dirty.nbits; i++) {
        bits = atomic_load(&flying.bits[i]);

        if (bits != 0 || atomic_load(&dirty.bits[i]) != 0) {
            trove_dirty_or(&dirty, i, bits);
        }

        if (bits != 0) {
            atomic_store(&flying.bits[i], 0);
            TROVE_FAULT("given back");
        }
    }

    for (i = 0; i < flying.nwords; i++) {
        atomic_store(&flying.words[i], 0);
    }
}
