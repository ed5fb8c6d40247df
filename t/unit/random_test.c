
/*
 * Random words: each is given once, in one process only.
 */

#include <sys/mman.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_random.h"


#define WORDS  64


static uint64_t  *said;       /* what two children and their parent drew     */


static int
setup(void **state)
{
    said = mmap(NULL, 3 * WORDS * sizeof(uint64_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return (said == MAP_FAILED);
}


static trove_rc_t
count(void *data, void *p, size_t size)
{
    size_t     i;
    uint32_t  *next, *words;

    next = data;
    words = p;

    for (i = size / sizeof(uint32_t); i > 0; i--) {
        words[i - 1] = (*next)++;
    }

    return TROVE_OK;
}


static trove_rc_t
refuse(void *data, void *p, size_t size)
{
    return TROVE_NOMEM;
}


static void
once(void **state)
{
    uint32_t        i, next;
    trove_random_t  r;

    next = 0;

    assert_int_equal(trove_random_init(&r, count, &next), TROVE_OK);

    for (i = 0; i < 2 * TROVE_RANDOM_WORDS; i++) {
        assert_int_equal(trove_random32(&r), i);
        assert_int_equal(r.block->words[r.block->left], 0);
    }

    assert_true(trove_random64(&r) == ((uint64_t) i << 32 | (i + 1)));

    trove_random_done(&r);
}


static void
refused(void **state)
{
    trove_random_t  r;

    assert_int_equal(trove_random_init(&r, refuse, NULL), TROVE_NOMEM);
    assert_null(r.block);

    trove_random_done(&r);
}


static void
draw(trove_random_t *r, uint64_t *words)
{
    uint32_t  i;

    for (i = 0; i < WORDS; i++) {
        words[i] = trove_random64(r);
    }
}


static int
compare(const void *one, const void *two)
{
    const uint64_t  *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


/* That two of 192 words of 64 bits are the same by chance is 1 in 10^15. */

static void
check_forks(trove_random_t *r)
{
    int       i, status;
    pid_t     pid[2];

    (void) trove_random32(r);

    for (i = 0; i < 2; i++) {
        pid[i] = fork();
        assert_true(pid[i] != -1);

        if (pid[i] == 0) {
            draw(r, &said[i * WORDS]);
            _exit(0);
        }
    }

    draw(r, &said[2 * WORDS]);

    for (i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }

    qsort(said, 3 * WORDS, sizeof(uint64_t), compare);

    for (i = 1; i < 3 * WORDS; i++) {
        assert_true(said[i - 1] != said[i]);
    }
}


static void
forks(void **state)
{
    trove_random_t  r;

    assert_int_equal(trove_random_init(&r, NULL, NULL), TROVE_OK);
    check_forks(&r);
    trove_random_done(&r);
}


/* The same where the kernel does not wipe. */

static void
forks_unwiped(void **state)
{
    trove_random_t  r;

    assert_int_equal(trove_random_init(&r, NULL, NULL), TROVE_OK);

    r.owner = getpid();
    assert_int_equal(madvise(r.block, sizeof(trove_random_block_t),
                             MADV_KEEPONFORK), 0);

    check_forks(&r);
    assert_int_equal(r.owner, getpid());
    trove_random_done(&r);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(refused),
        cmocka_unit_test(forks),
        cmocka_unit_test(forks_unwiped)
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
