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
 * stable; "last" - "first" is even, and "spare" has room for n more.  TROVE_OK,
 * or TROVE_CANCELED, and then no number is where it was.
 */
trove_rc_t trove_sort_digits(uint64_t *a, uint64_t *spare, size_t n,
    unsigned first, unsigned last, trove_cancel_pt cancel);

/* By key, then id; no memory but its own, never worse than n log n. */
void trove_sort_entries(trove_entry_t *e, uint32_t n);

/* Makes a heap of n entries, the last in their order first. */
void trove_sort_heap(trove_entry_t *e, uint32_t n);

/* Puts "e" in place of a heap's first. */
void trove_sort_sift(trove_entry_t *heap, uint32_t n, trove_entry_t e);


/*
 * Sorts TROVE_SORT_FEW numbers at "v" by a network: "swap" of two pointers puts
 * the lesser first, and if it does so without a jump there is none.
 */

#define TROVE_SORT_FEW  8

#define trove_sort_few(swap, v)                                              \
    swap(&(v)[0], &(v)[2]); swap(&(v)[1], &(v)[3]);                          \
    swap(&(v)[4], &(v)[6]); swap(&(v)[5], &(v)[7]);                          \
    swap(&(v)[0], &(v)[4]); swap(&(v)[1], &(v)[5]);                          \
    swap(&(v)[2], &(v)[6]); swap(&(v)[3], &(v)[7]);                          \
    swap(&(v)[0], &(v)[1]); swap(&(v)[2], &(v)[3]);                          \
    swap(&(v)[4], &(v)[5]); swap(&(v)[6], &(v)[7]);                          \
    swap(&(v)[2], &(v)[4]); swap(&(v)[3], &(v)[5]);                          \
    swap(&(v)[1], &(v)[4]); swap(&(v)[3], &(v)[6]);                          \
    swap(&(v)[1], &(v)[2]); swap(&(v)[3], &(v)[4]);                          \
    swap(&(v)[5], &(v)[6])


static inline int
trove_entry_before(const trove_entry_t *a, const trove_entry_t *b)
{
    return a->key < b->key || (a->key == b->key && a->id < b->id);
}


#endif /* TROVE_SORT_H_INCLUDED */
