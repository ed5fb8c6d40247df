/*
 * Exemplars: whole or none while others write and die, and nothing but an id.
 */

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_stats.h"


#define ID  "0123456789abcdef00fedcba98765432"


static trove_rc_t
put(trove_exemplar_t *e, uint64_t now, uint64_t ns, const char *id)
{
    return trove_exemplar_put(e, now, ns, (const unsigned char *) id,
                              strlen(id));
}


static void
assert_text(const trove_exemplar_t *e, const char *expected)
{
    char            text[TROVE_EXEMPLAR_TEXT + 1];
    trove_writer_t  w;

    trove_writer_init(&w, text, TROVE_EXEMPLAR_TEXT);
    trove_exemplar_write(&w, e);
    assert_false(w.truncated);
    *w.pos = '\0';

    assert_string_equal(text, expected);
}


static void
one_is_shown_as_it_was_put(void **state)
{
    trove_exemplar_t  e, newest;

    memset(&e, 0, sizeof(e));
    memset(&newest, 0, sizeof(newest));

    assert_text(&e, "");
    assert_true(trove_exemplar_due(&e, 1700000000123));

    assert_int_equal(put(&e, 1700000000123, 12345, ID), TROVE_OK);
    assert_text(&e, " # {request_id=\"" ID "\"} 0.000012345 1700000000.123");

    assert_false(trove_exemplar_due(&e, 1700000000123));
    assert_false(trove_exemplar_due(&e, 1700000001122));
    assert_true(trove_exemplar_due(&e, 1700000001123));

    /* a clock that was put back asks for one, too */

    assert_true(trove_exemplar_due(&e, 1600000000000));

    trove_exemplar_newest(&newest, &e);
    assert_text(&newest,
                " # {request_id=\"" ID "\"} 0.000012345 1700000000.123");

    assert_int_equal(put(&e, 1600000000000, 1, ID), TROVE_OK);
    trove_exemplar_newest(&newest, &e);
    assert_text(&newest,
                " # {request_id=\"" ID "\"} 0.000012345 1700000000.123");
}


static void
what_is_no_id_is_refused(void **state)
{
    size_t            i;
    trove_exemplar_t  e;

    static const char *const  bad[] = {
        "", "0", "0123456789abcdef00fedcba9876543",
        "0123456789abcdef00fedcba987654321",
        "0123456789ABCDEF00FEDCBA98765432",
        "0123456789abcdef00fedcba9876543\"",
        "\"} 1\n# EOF\nevil 1\n0123456789ab",
        "0123456789abcdef 0fedcba98765432",
        "0123456789abcdefg0fedcba98765432",
        "0123456789abcdef/:`@fedcba987654"
    };

    memset(&e, 0, sizeof(e));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(trove_exemplar_due(&e, 5000 * (i + 1)));
        assert_int_equal(put(&e, 5000 * (i + 1), 1, bad[i]), TROVE_INVALID);
        assert_false(trove_exemplar_due(&e, 5000 * (i + 1)));
        assert_text(&e, "");
    }
}


/* Of each bucket one a second, of the newest slot; a shared one has none. */

static void
they_are_kept_by_endpoint_and_bucket(void **state)
{
    void                 *region;
    uint64_t              now;
    trove_stats_t        *a, *b;
    trove_exemplar_t     *e;
    trove_stats_total_t  *total;

    region = mmap(NULL, trove_stats_size(), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    total = malloc(sizeof(trove_stats_total_t));
    assert_true(region != MAP_FAILED && total != NULL);

    trove_stats_init(region);
    a = trove_stats_claim(region);
    b = trove_stats_claim(region);
    now = 1700000000000;

    e = trove_stats_exemplar(a, TROVE_ENDPOINT_POLL, 9000, now);
    assert_non_null(e);
    assert_int_equal(put(e, now, 9000, ID), TROVE_OK);

    assert_null(trove_stats_exemplar(a, TROVE_ENDPOINT_POLL, 10000, now + 9));
    assert_non_null(trove_stats_exemplar(a, TROVE_ENDPOINT_POLL, 10001, now));
    assert_non_null(trove_stats_exemplar(a, TROVE_ENDPOINT_TAP, 9000, now));

    e = trove_stats_exemplar(b, TROVE_ENDPOINT_POLL, 8000, now + 5);
    assert_non_null(e);
    assert_int_equal(put(e, now + 5, 8000, ID), TROVE_OK);

    e = trove_stats_exemplar(b, TROVE_ENDPOINT_STATS, UINT64_MAX, now);
    assert_non_null(e);
    assert_int_equal(put(e, now, UINT64_MAX, ID), TROVE_OK);

    a->shared = 1;
    assert_null(trove_stats_exemplar(a, TROVE_ENDPOINT_POLL, 10001, now));

    trove_stats_sum(region, NULL, total);

    assert_text(&total->exemplars[TROVE_ENDPOINT_POLL].of[0],
                " # {request_id=\"" ID "\"} 0.000008 1700000000.005");
    assert_text(&total->exemplars[TROVE_ENDPOINT_POLL].of[1], "");
    assert_int_equal(total->exemplars[TROVE_ENDPOINT_STATS]
                         .of[TROVE_HISTOGRAM_NBOUNDS].ns, UINT64_MAX);

    free(total);
    munmap(region, trove_stats_size());
}


/* An id of which each digit is the same, at a time and of a duration of it. */

static void
put_number(trove_exemplar_t *e, uint64_t n)
{
    char  id[TROVE_EXEMPLAR_ID + 1];

    snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long) n,
             (unsigned long long) n);

    assert_int_equal(put(e, n, n, id), TROVE_OK);
}


static pid_t
start_writer(trove_exemplar_t *e, uint64_t from)
{
    pid_t  pid;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

        for ( ;; ) {
            put_number(e, ++from);
        }
    }

    return pid;
}


static void
none_is_ever_torn(void **state)
{
    int               status;
    pid_t             pid;
    uint32_t          i, k;
    uint64_t          n;
    trove_exemplar_t  *e, newest;

    e = mmap(NULL, sizeof(trove_exemplar_t), PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_true(e != MAP_FAILED);

    n = 0;

    for (i = 0; i < 40; i++) {
        pid = start_writer(e, n);

        do {
            memset(&newest, 0, sizeof(newest));
            trove_exemplar_newest(&newest, e);
        } while (trove_stat_get(&newest.time) <= n);

        for (k = 0; k < 5000; k++) {
            memset(&newest, 0, sizeof(newest));
            trove_exemplar_newest(&newest, e);

            assert_int_equal(newest.time, newest.ns);
            assert_int_equal(newest.time, newest.id[0]);
            assert_int_equal(newest.time, newest.id[1]);
            assert_true(newest.time == 0 || newest.time >= n);

            if (newest.time) {
                n = newest.time;
            }
        }

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        n = trove_stat_get(&e->time) + 1;
    }

    /* a writer that died while it wrote leaves none, until the next one */

    atomic_fetch_or(&e->sequence, 1);

    memset(&newest, 0, sizeof(newest));
    trove_exemplar_newest(&newest, e);
    assert_text(&newest, "");

    put_number(e, n + 1);
    trove_exemplar_newest(&newest, e);
    assert_int_equal(newest.id[1], n + 1);

    munmap(e, sizeof(trove_exemplar_t));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(one_is_shown_as_it_was_put),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(they_are_kept_by_endpoint_and_bucket),
        cmocka_unit_test(none_is_ever_torn)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
