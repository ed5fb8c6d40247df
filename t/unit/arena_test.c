
/*
 * The arena: alignment, bounds, what it counts.
 */

#include "unit.h"

#include "trove_arena.h"


#define SIZE  (8 * TROVE_BLOB_ALIGN)


static int
setup(void **state)
{
    *state = aligned_alloc(TROVE_BLOB_ALIGN, SIZE);

    return (*state == NULL);
}


static int
teardown(void **state)
{
    free(*state);

    return 0;
}


static void
allocations_are_aligned_and_apart(void **state)
{
    size_t          n;
    unsigned char  *p, *last;
    trove_arena_t   a;

    trove_arena_init(&a, *state, SIZE);

    last = *state;

    for (n = 0; n < 200; n++) {
        p = trove_arena_alloc(&a, n);

        assert_non_null(p);
        assert_int_equal((uintptr_t) p % TROVE_CACHE_LINE, 0);
        assert_true(p >= last);

        memset(p, (int) n, n);
        last = p + n;
    }

    p = trove_arena_blob(&a, TROVE_BLOB_ALIGN);

    assert_non_null(p);
    assert_int_equal((uintptr_t) p % TROVE_BLOB_ALIGN, 0);
    assert_true(p >= last);
    assert_int_equal(a.exhausted, 0);
}


static void
what_does_not_fit_is_refused_and_counted(void **state)
{
    trove_arena_t  a;

    trove_arena_init(&a, *state, SIZE);

    assert_non_null(trove_arena_alloc(&a, SIZE));
    assert_null(trove_arena_alloc(&a, 1));
    assert_non_null(trove_arena_alloc(&a, 0));
    assert_int_equal(a.exhausted, 1);

    trove_arena_reset(&a);

    assert_null(trove_arena_alloc(&a, SIZE + 1));
    assert_null(trove_arena_alloc(&a, SIZE_MAX));
    assert_null(trove_arena_alloc(&a, SIZE_MAX - (uintptr_t) a.pos + 1));
    assert_null(trove_arena_blob(&a, SIZE_MAX - TROVE_BLOB_ALIGN));
    assert_int_equal(a.exhausted, 5);
    assert_int_equal(trove_arena_used(&a), 0);
}


static void
alignment_past_the_end_is_refused(void **state)
{
    trove_arena_t  a;

    /* a size that is no multiple of the alignments */

    trove_arena_init(&a, *state, TROVE_BLOB_ALIGN + 100);

    assert_non_null(trove_arena_alloc(&a, TROVE_BLOB_ALIGN + 70));
    assert_null(trove_arena_alloc(&a, 0));
    assert_null(trove_arena_blob(&a, 1));
    assert_int_equal(a.exhausted, 2);
}


static void
a_reset_gives_all_back_and_clears_nothing(void **state)
{
    unsigned char  *p;
    trove_arena_t   a;

    trove_arena_init(&a, *state, SIZE);

    p = trove_arena_alloc(&a, 1000);
    assert_non_null(p);
    p[999] = 7;

    trove_arena_reset(&a);

    assert_ptr_equal(trove_arena_alloc(&a, 10), p);
    assert_int_equal(p[999], 7);

    trove_arena_reset(&a);

    assert_int_equal(a.peak, 1000);
    assert_int_equal(a.resets, 2);
    assert_int_equal(trove_arena_used(&a), 0);
    assert_int_equal(trove_arena_size(&a), SIZE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(what_does_not_fit_is_refused_and_counted),
        cmocka_unit_test(alignment_past_the_end_is_refused),
        cmocka_unit_test(a_reset_gives_all_back_and_clears_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
