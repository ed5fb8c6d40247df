
/*
 * Mappings, and what is read from the kernel; the allocator behind its seam.
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_alloc.h"
#include "trove_memory.h"


#define MB  ((size_t) 1 << 20)


static void
mapped_memory_is_zeroed_aligned_and_large_enough(void **state)
{
    size_t           i, size;
    unsigned char   *p;
    trove_rc_t       rc;
    trove_pages_t    pages;
    trove_mapping_t  m;

    for (pages = TROVE_PAGES_AUTO; pages <= TROVE_PAGES_OFF; pages++) {

        for (size = 1; size < 16 * MB; size = size * 3 + 1) {

            rc = trove_memory_map(&m, size, size / 2, pages);

            if (pages == TROVE_PAGES_ON && rc == TROVE_NOPAGES) {
                assert_null(m.base);
                continue;
            }

            assert_int_equal(rc, TROVE_OK);
            assert_true(m.size >= size);
            assert_int_equal((uintptr_t) m.base
                             % (size < 2 * MB ? TROVE_BLOB_ALIGN : 2 * MB), 0);

            p = m.base;

            for (i = 0; i < m.size; i += 509) {
                assert_int_equal(p[i], 0);
                p[i] = 1;
            }

            p[m.size - 1] = 1;

            if (pages == TROVE_PAGES_ON) {
                assert_true(trove_memory_large(&m) >= 2 * MB);
            }

            if (pages == TROVE_PAGES_OFF) {
                assert_int_equal(trove_memory_large(&m), 0);
            }

            assert_true(trove_memory_large(&m) <= m.size);

            trove_memory_unmap(&m);
            assert_null(m.base);
        }
    }
}


static void
nothing_is_mapped_and_unmapped(void **state)
{
    trove_mapping_t  m;

    assert_int_equal(trove_memory_map(&m, 0, 0, TROVE_PAGES_ON), TROVE_OK);
    assert_null(m.base);
    assert_int_equal(m.size, 0);
    assert_int_equal(trove_memory_large(&m), 0);

    trove_memory_unmap(&m);
}


static void
too_much_is_refused(void **state)
{
    trove_mapping_t  m;

    assert_int_equal(trove_memory_map(&m, SIZE_MAX, 0, TROVE_PAGES_AUTO),
                     TROVE_NOMEM);
    assert_int_equal(trove_memory_map(&m, (size_t) 1 << 50, 0,
                                      TROVE_PAGES_OFF),
                     TROVE_NOMEM);

    /* addresses there are, memory there is not: it must not be tried */

    assert_int_equal(trove_memory_map(&m, (size_t) 1 << 42, (size_t) 1 << 42,
                                      TROVE_PAGES_OFF),
                     TROVE_NOMEM);
    assert_null(m.base);
}


static void
behind_a_mapping_nothing_can_be_written(void **state)
{
    int              status;
    pid_t            pid;
    trove_mapping_t  m;

    assert_int_equal(trove_memory_map(&m, 4096, 0, TROVE_PAGES_OFF), TROVE_OK);

    pid = fork();

    if (pid == 0) {
        (void) signal(SIGSEGV, SIG_DFL);
        *((volatile char *) m.base + m.size) = 1;
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);

    trove_memory_unmap(&m);
}


/* Of this process, in bytes. */

static size_t
resident(void)
{
    FILE           *f;
    unsigned long   pages;

    f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
    (void) fclose(f);

    return pages * sysconf(_SC_PAGESIZE);
}


static void
what_is_populated_is_resident(void **state)
{
    size_t           before, after;
    trove_mapping_t  m;

    before = resident();

    assert_int_equal(trove_memory_map(&m, 32 * MB, 16 * MB, TROVE_PAGES_OFF),
                     TROVE_OK);

    after = resident();

    assert_true(after - before >= 16 * MB);
    assert_true(after - before < 20 * MB);

    assert_int_equal(trove_memory_populate((char *) m.base + 16 * MB + 5,
                                           16 * MB - 5),
                     TROVE_OK);
    assert_true(resident() - before >= 32 * MB);

    trove_memory_unmap(&m);
    assert_true(resident() < before + 4 * MB);
}


static void
populating_changes_no_byte(void **state)
{
    char    *p;
    size_t   i;

    p = mmap(NULL, MB, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);

    for (i = 0; i < MB; i++) {
        p[i] = (char) (i * 31 >> 3);
    }

    assert_int_equal(trove_memory_populate(p, MB), TROVE_OK);
    assert_int_equal(trove_memory_populate(p, 0), TROVE_OK);

    for (i = 0; i < MB; i++) {
        assert_int_equal(p[i], (char) (i * 31 >> 3));
    }

    (void) munmap(p, MB);
}


/* A tree of made-up files below a directory that each test has anew. */

static char  top[64];


static void
put_file(const char *path, const char *text)
{
    FILE  *f;
    char   name[512], *p;

    (void) snprintf(name, sizeof(name), "%s/%s", top, path);

    for (p = name + strlen(top) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void) mkdir(name, 0700);
        *p = '/';
    }

    f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}


static size_t
available(void)
{
    char  proc[128], groups[128];

    (void) snprintf(proc, sizeof(proc), "%s/proc", top);
    (void) snprintf(groups, sizeof(groups), "%s/groups", top);

    return trove_memory_available_at(proc, groups);
}


static int
make_top(void **state)
{
    (void) snprintf(top, sizeof(top), "/tmp/trove-memory-XXXXXX");

    return mkdtemp(top) == NULL;
}


static int
remove_top(void **state)
{
    char  command[128];

    (void) snprintf(command, sizeof(command), "rm -r %s", top);

    return system(command);
}


static void
available_is_the_machine_s(void **state)
{
    assert_true(available() == SIZE_MAX);

    put_file("proc/meminfo",
             "MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable:    5000 kB\n");
    assert_int_equal(available(), 5000 * 1024);

    put_file("proc/self/cgroup", "1:cpu:/\n0::/\ngarbage\n7:x\n");
    assert_int_equal(available(), 5000 * 1024);
}


static void
available_is_bounded_by_each_group_above(void **state)
{
    put_file("proc/meminfo", "MemAvailable:    5000 kB\n");
    put_file("proc/self/cgroup", "0::/a:b/c\n");

    put_file("groups/a:b/c/memory.max", "max\n");
    put_file("groups/a:b/c/memory.current", "100\n");
    assert_int_equal(available(), 5000 * 1024);

    put_file("groups/a:b/memory.max", "100000\n");
    put_file("groups/a:b/memory.current", "60000\n");
    assert_int_equal(available(), 40000);

    /* cached files make room */

    put_file("groups/a:b/memory.stat",
             "anon 1\nactive_file 7000\ninactive_file 3000\n");
    assert_int_equal(available(), 50000);

    put_file("groups/memory.max", "3000\n");
    put_file("groups/memory.current", "1000\n");
    assert_int_equal(available(), 2000);

    put_file("groups/memory.current", "3001\n");
    assert_int_equal(available(), 0);
}


static void
available_inside_a_container(void **state)
{
    /* the path is the host's, which is not mounted */

    put_file("proc/self/cgroup", "0::/docker/0123456789\n");
    put_file("groups/memory.max", "8000\n");
    put_file("groups/memory.current", "1000\n");
    assert_int_equal(available(), 7000);
}


static void
available_of_version_1(void **state)
{
    put_file("proc/self/cgroup", "4:memory:/deep/er\n3:cpu:/\n0::/\n");
    put_file("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put_file("groups/memory/memory.usage_in_bytes", "5000\n");
    assert_true(available() > SIZE_MAX / 4);

    put_file("groups/memory/deep/er/memory.limit_in_bytes", "10000\n");
    put_file("groups/memory/deep/er/memory.usage_in_bytes", "5000\n");
    put_file("groups/memory/deep/er/memory.stat",
             "inactive_file 9\ntotal_inactive_file 1000\n"
             "total_active_file 500\n");
    assert_int_equal(available(), 6500);
}


static void
this_machine_has_memory(void **state)
{
    assert_true(trove_memory_available() > MB);
}


static void
the_allocator_gives_and_takes(void **state)
{
    char     version[32];
    void    *p;
    size_t   committed, reserved;

    p = trove_alloc(1000);
    assert_non_null(p);
    memset(p, 1, 1000);
    trove_free(p);

    p = trove_alloc(0);
    assert_non_null(p);
    trove_free(p);
    trove_free(NULL);

    trove_allocator_version(version, sizeof(version));
    assert_true(strlen(trove_allocator_name()) > 0);
    assert_true(strlen(version) > 0);

    trove_allocator_usage(&committed, &reserved);
    assert_true(committed <= reserved);
}


#ifdef TROVE_FAULT_POINTS

static void
the_nth_allocation_is_refused(void **state)
{
    void             *p;
    trove_mapping_t   m;

    trove_fault_memory_arm(2);

    p = trove_alloc(1);
    assert_non_null(p);
    assert_null(trove_alloc(1));
    trove_free(p);

    trove_fault_memory_arm(1);
    assert_int_equal(trove_memory_map(&m, 1, 1, TROVE_PAGES_OFF), TROVE_NOMEM);
    assert_int_equal(trove_memory_map(&m, 1, 1, TROVE_PAGES_OFF), TROVE_OK);

    trove_memory_unmap(&m);
}

#endif


#define with_top(f)  cmocka_unit_test_setup_teardown(f, make_top, remove_top)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(mapped_memory_is_zeroed_aligned_and_large_enough),
        cmocka_unit_test(nothing_is_mapped_and_unmapped),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(behind_a_mapping_nothing_can_be_written),
        cmocka_unit_test(what_is_populated_is_resident),
        cmocka_unit_test(populating_changes_no_byte),
        with_top(available_is_the_machine_s),
        with_top(available_is_bounded_by_each_group_above),
        with_top(available_inside_a_container),
        with_top(available_of_version_1),
        cmocka_unit_test(this_machine_has_memory),
        cmocka_unit_test(the_allocator_gives_and_takes),
#ifdef TROVE_FAULT_POINTS
        cmocka_unit_test(the_nth_allocation_is_refused),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
