
/*
 * Processes: who is alive, and who is another of the same number.
 */

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_process.h"


/* What a child says of itself before it waits for a signal. */

static trove_process_t  *said;


static int
setup(void **state)
{
    said = mmap(NULL, sizeof(trove_process_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return (said == MAP_FAILED);
}


static void *
tell_later(void *data)
{
    int  *fd;

    fd = data;

    (void) write(*fd, "", 1);

    for ( ;; ) {
        (void) pause();
    }

    return NULL;
}


/* A child that lives until it is killed; returns when it has said who it is. */

static pid_t
child(const char *name, int leave_thread)
{
    int        pipes[2];
    char       c;
    pid_t      pid;
    pthread_t  tid;

    assert_int_equal(pipe(pipes), 0);

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) prctl(PR_SET_NAME, name);
        *said = trove_process_self();

        if (leave_thread) {
            if (pthread_create(&tid, NULL, tell_later, &pipes[1]) != 0) {
                _exit(1);
            }

            pthread_exit(NULL);
        }

        (void) tell_later(&pipes[1]);
    }

    assert_int_equal(read(pipes[0], &c, 1), 1);

    (void) close(pipes[0]);
    (void) close(pipes[1]);

    return pid;
}


static void
reap(pid_t pid)
{
    (void) kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}


static void
this_process_is_alive(void **state)
{
    trove_process_t  self;

    self = trove_process_self();

    assert_int_equal(self >> 32, getpid());
    assert_int_not_equal((uint32_t) self, 0);
    assert_true(self == trove_process_self());
    assert_true(trove_process_alive(self));
    assert_true(trove_process_alive((uint64_t) getppid() << 32));
}


static void
nobody_is_not_alive(void **state)
{
    assert_false(trove_process_alive(0));
    assert_false(trove_process_alive(1));
    assert_false(trove_process_alive((uint64_t) -1));
    assert_false(trove_process_alive((uint64_t) INT32_MAX << 32 | 5));
}


static void
a_child_is_another_until_it_dies(void **state)
{
    pid_t            pid;
    siginfo_t        info;
    trove_process_t  self;

    self = trove_process_self();
    pid = child("plain", 0);

    assert_int_equal(*said >> 32, pid);
    assert_true(self == trove_process_self());
    assert_true(trove_process_alive(*said));

    (void) kill(pid, SIGSTOP);
    assert_true(trove_process_alive(*said));

    /* dead, and not yet waited for */

    (void) kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, pid, &info, WEXITED|WNOWAIT), 0);
    assert_false(trove_process_alive(*said));

    reap(pid);
    assert_false(trove_process_alive(*said));
}


static void
a_later_process_of_that_number_is_another(void **state)
{
    assert_false(trove_process_alive(trove_process_self() ^ 2));
    assert_false(trove_process_alive(trove_process_self() ^ 0x80000000));
}


static void
the_name_of_a_program_cannot_mislead(void **state)
{
    int    i;
    pid_t  pid;

    static const char  *names[] = {
        ") Z 1 1 1 1", "a b (c) d", "))))))))))))", "\n1 (x) X 1", ""
    };

    for (i = 0; i < 5; i++) {
        pid = child(names[i], 0);
        assert_true(trove_process_alive(*said));

        reap(pid);
        assert_false(trove_process_alive(*said));
    }
}


static void
alive_as_long_as_a_thread_is(void **state)
{
    pid_t  pid;

    pid = child("threads", 1);

    assert_true(trove_process_alive(*said));

    reap(pid);
    assert_false(trove_process_alive(*said));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(this_process_is_alive),
        cmocka_unit_test(nobody_is_not_alive),
        cmocka_unit_test(a_child_is_another_until_it_dies),
        cmocka_unit_test(a_later_process_of_that_number_is_another),
        cmocka_unit_test(the_name_of_a_program_cannot_mislead),
        cmocka_unit_test(alive_as_long_as_a_thread_is),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
