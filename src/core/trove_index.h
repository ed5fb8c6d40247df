/*
 * An index that only ever grows: a table of cells { tag, number + 1 } of 8
 * bytes with open addressing, four in five used at most.  What it leads to is
 * written before the cell, and one compare-and-swap fills it, so that nobody
 * waits and a death leaves it whole.
 *
 *   at = trove_index_first(index, hash);
 *
 *   while ((number = trove_index_next(index, hash, &at)) is none of
 *          TROVE_INDEX_NONE)
 *   {
 *       is it this one?
 *   }
 *
 *   trove_index_fill(index, hash, at, number)
 */

#ifndef TROVE_INDEX_H_INCLUDED
#define TROVE_INDEX_H_INCLUDED


#include <stdatomic.h>

#include "trove.h"


#define TROVE_INDEX_NONE  UINT32_MAX


typedef struct {
    _Atomic uint64_t  *cells;
    uint32_t           n;
} trove_index_t;


/* Cells for so many numbers; one is always empty, for a search to end. */

static inline uint32_t
trove_index_cells(uint64_t numbers)
{
    return (numbers != 0) ? (uint32_t) (numbers + numbers / 4 + 1) : 0;
}


static inline uint32_t
trove_index_first(const trove_index_t *index, uint64_t hash)
{
    return (uint32_t) ((hash >> 32) * index->n >> 32);
}


/* The next number of this tag; none: *at is where its cell would be. */

static inline uint32_t
trove_index_next(const trove_index_t *index, uint64_t hash, uint32_t *at)
{
    uint64_t  cell;

    for ( ;; ) {
        cell = atomic_load_explicit(&index->cells[*at], memory_order_acquire);

        if (cell == 0) {
            return TROVE_INDEX_NONE;
        }

        if (cell >> 32 == (uint32_t) hash) {
            *at = (*at + 1 == index->n) ? 0 : *at + 1;
            return (uint32_t) cell - 1;
        }

        *at = (*at + 1 == index->n) ? 0 : *at + 1;
    }
}


/* Not if the cell was filled meanwhile: the search goes on from there. */

static inline int
trove_index_fill(const trove_index_t *index, uint64_t hash, uint32_t at,
    uint32_t number)
{
    uint64_t  empty;

    empty = 0;

    return atomic_compare_exchange_strong(&index->cells[at], &empty,
                                          hash << 32 | (number + 1));
}


#endif /* TROVE_INDEX_H_INCLUDED */
