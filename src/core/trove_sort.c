/*
 * Radix sort and heap sort.
 */

#include <string.h>

#include "trove_sort.h"


#define TROVE_SORT_INSERT  24      /* entries that are sorted by insertion   */
#define TROVE_SORT_STRIDE  16384   /* numbers between looks at "cancel"      */


static trove_rc_t trove_sort_pass(const uint64_t *from, uint64_t *to,
    size_t n, unsigned shift, trove_cancel_pt cancel);
static void trove_sort_insert(trove_entry_t *e, uint32_t n);
static void trove_sort_down(trove_entry_t *heap, uint32_t n, uint32_t i,
    trove_entry_t e);


trove_rc_t
trove_sort_digits(uint64_t *a, uint64_t *spare, size_t n, unsigned first,
    unsigned last, trove_cancel_pt cancel)
{
    for ( /* void */ ; first < last; first += 2) {

        if (trove_sort_pass(a, spare, n, 8 * first, cancel) != TROVE_OK
            || trove_sort_pass(spare, a, n, 8 * first + 8, cancel) != TROVE_OK)
        {
            return TROVE_CANCELED;
        }
    }

    return TROVE_OK;
}


static trove_rc_t
trove_sort_pass(const uint64_t *from, uint64_t *to, size_t n, unsigned shift,
    trove_cancel_pt cancel)
{
    size_t    i, sum, count, place[256];
    unsigned  digit;

    memset(place, 0, sizeof(place));

    for (i = 0; i < n; i++) {
        place[(from[i] >> shift) & 0xff]++;
    }

    sum = 0;

    for (digit = 0; digit < 256; digit++) {
        count = place[digit];
        place[digit] = sum;
        sum += count;
    }

    for (i = 0; i < n; i++) {

        if (i % TROVE_SORT_STRIDE == 0 && cancel && cancel()) {
            return TROVE_CANCELED;
        }

        to[place[(from[i] >> shift) & 0xff]++] = from[i];
    }

    return TROVE_OK;
}


void
trove_sort_entries(trove_entry_t *e, uint32_t n)
{
    uint32_t       i;
    trove_entry_t  last;

    if (n <= TROVE_SORT_INSERT) {
        trove_sort_insert(e, n);
        return;
    }

    trove_sort_heap(e, n);

    for (i = n - 1; i > 0; i--) {
        last = e[i];
        e[i] = e[0];
        trove_sort_down(e, i, 0, last);
    }
}


void
trove_sort_heap(trove_entry_t *e, uint32_t n)
{
    uint32_t  i;

    for (i = n / 2; i-- > 0; /* void */ ) {
        trove_sort_down(e, n, i, e[i]);
    }
}


void
trove_sort_sift(trove_entry_t *heap, uint32_t n, trove_entry_t e)
{
    trove_sort_down(heap, n, 0, e);
}


static void
trove_sort_insert(trove_entry_t *e, uint32_t n)
{
    uint32_t       i, k;
    trove_entry_t  v;

    for (i = 1; i < n; i++) {
        v = e[i];

        for (k = i; k > 0 && trove_entry_before(&v, &e[k - 1]); k--) {
            e[k] = e[k - 1];
        }

        e[k] = v;
    }
}


/* Puts "e" at the place "i" or below it, so that the larger come first. */

static void
trove_sort_down(trove_entry_t *heap, uint32_t n, uint32_t i, trove_entry_t e)
{
    uint32_t  child;

    for (child = 2 * i + 1; child < n; child = 2 * i + 1) {

        if (child + 1 < n && trove_entry_before(&heap[child], &heap[child + 1]))
        {
            child++;
        }

        if (!trove_entry_before(&e, &heap[child])) {
            break;
        }

        heap[i] = heap[child];
        i = child;
    }

    heap[i] = e;
}
