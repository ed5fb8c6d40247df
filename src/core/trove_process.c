
/*
 * Processes told apart by pid and start time, as /proc shows them.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "trove_process.h"


/* Fields of /proc/PID/stat, numbered as in proc(5). */

#define TROVE_PROCESS_STATE    3
#define TROVE_PROCESS_THREADS  20
#define TROVE_PROCESS_START    22

#define trove_process_make(pid, stamp)                                        \
    ((trove_process_t) (uint32_t) (pid) << 32 | (stamp))


typedef struct {
    uint64_t  threads;
    uint32_t  stamp;          /* the start time folded, never 0              */
    char      state;
} trove_process_stat_t;


static int trove_process_read(pid_t pid, trove_process_stat_t *st);
static int trove_process_parse(const char *p, const char *end,
    trove_process_stat_t *st);
static int trove_process_exists(pid_t pid);


trove_process_t
trove_process_self(void)
{
    static _Atomic trove_process_t  cached;

    pid_t                 pid;
    trove_process_t       self;
    trove_process_stat_t  st;

    pid = getpid();
    self = atomic_load_explicit(&cached, memory_order_relaxed);

    if (trove_likely((pid_t) (self >> 32) == pid)) {
        return self;
    }

    /* stamp 0, where there is no /proc: the pid alone has to tell */

    st.stamp = 0;

    if (trove_process_read(pid, &st) != 0) {
        st.stamp = 0;
    }

    self = trove_process_make(pid, st.stamp);
    atomic_store_explicit(&cached, self, memory_order_relaxed);

    return self;
}


int
trove_process_alive(trove_process_t p)
{
    pid_t                 pid;
    trove_process_stat_t  st;

    pid = (pid_t) (p >> 32);

    if (pid <= 0) {
        return 0;
    }

    if (trove_process_read(pid, &st) != 0) {
        return trove_process_exists(pid);
    }

    if ((uint32_t) p != 0 && st.stamp != (uint32_t) p) {
        return 0;
    }

    /*
     * The first thread of a killed process turns into a zombie while others
     * may still run; it is counted itself.
     */

    if (st.state == 'Z' || st.state == 'X') {
        return st.threads > 1;
    }

    return 1;
}


/* Zero, or -1 if there is nothing to be read or it is not understood. */

static int
trove_process_read(pid_t pid, trove_process_stat_t *st)
{
    int      fd;
    char     buf[1024], path[32];
    ssize_t  n;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    do {
        n = read(fd, buf, sizeof(buf));
    } while (n == -1 && errno == EINTR);

    (void) close(fd);

    if (n <= 0) {
        return -1;
    }

    return trove_process_parse(buf, buf + n, st);
}


static int
trove_process_parse(const char *p, const char *end, trove_process_stat_t *st)
{
    int       field;
    uint64_t  n;

    /* the name of the program may hold spaces and parentheses itself */

    p = memrchr(p, ')', end - p);

    if (p == NULL) {
        return -1;
    }

    p++;
    st->state = 0;
    st->threads = 0;

    for (field = TROVE_PROCESS_STATE; p < end && *p == ' '; field++) {
        p++;
        n = 0;

        if (field == TROVE_PROCESS_STATE && p < end) {
            st->state = *p;
        }

        for ( /* void */ ; p < end && *p != ' '; p++) {
            n = n * 10 + (uint64_t) (*p - '0');
        }

        if (field == TROVE_PROCESS_THREADS) {
            st->threads = n;
        }

        if (field == TROVE_PROCESS_START) {
            st->stamp = (uint32_t) (n ^ n >> 32);
            st->stamp += (st->stamp == 0);
            return 0;
        }
    }

    return -1;
}


/* What /proc hides may still run: only "no such process" is an answer. */

static int
trove_process_exists(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}
