/*
 * Sorting for views: large arrays by their digits, small ones in place.
 */

#ifndef TROVE_SORT_H_INCLUDED
#define TROVE_SORT_H_INCLUDED


#include "trove.h"


typedef struct {
    double    key;
    uint32_t  id;
    uint32_t  row;
} trove_entry_t;


/*
 * Sorts n numbers by their bytes "first" .. "last" - 1 (0 is the lowest),
 * stable; "last" - "first" is even, and "spare" has room for n more.
 */
void trove_sort_digits(uint64_t *a, uint64_t *spare, size_t n, unsigned first,
    unsigned last);

/* By key, then id; no memory but its own, never worse than n log n. */
void trove_sort_entries(trove_entry_t *e, uint32_t n);

/* Makes a heap of n entries, the last in their order first. */
void trove_sort_heap(trove_entry_t *e, uint32_t n);

/* Puts "e" in place of a heap's first. */
void trove_sort_sift(trove_entry_t *heap, uint32_t n, trove_entry_t e);


static inline int
trove_entry_before(const trove_entry_t *a, const trove_entry_t *b)
{
    return a->key < b->key || (a->key == b->key && a->id < b->id);
}


#endif /* TROVE_SORT_H_INCLUDED */
