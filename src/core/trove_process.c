
/*
 * Processes told apart by pid and start time, as /proc shows them.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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


typedef struct {
    uint64_t  threads;
    uint32_t  stamp;          /* the start time folded, never 0              */
    char      state;
} trove_process_stat_t;


static trove_process_t trove_process_identify(void);
static void trove_process_watch_forks(void);
static void trove_process_forget(void);
static int trove_process_read(pid_t pid, trove_process_stat_t *st);
static int trove_process_parse(const char *p, const char *end,
    trove_process_stat_t *st);
static int trove_process_exists(pid_t pid);


static int                      trove_process_watched;
static _Atomic trove_process_t  trove_process_cached;


/*
 * Asked for with every write: a system call that tells the pid would take
 * longer than the write.
 */

trove_process_t
trove_process_self(void)
{
    trove_process_t  self;

    self = atomic_load_explicit(&trove_process_cached, memory_order_relaxed);

    return trove_likely(self != 0) ? self : trove_process_identify();
}


static trove_process_t
trove_process_identify(void)
{
    pid_t                 pid;
    trove_process_t       self;
    trove_process_stat_t  st;

    static pthread_once_t  once = PTHREAD_ONCE_INIT;

    pid = getpid();

    /* stamp 0, where there is no /proc: the pid alone has to tell */

    if (trove_process_read(pid, &st) != 0) {
        st.stamp = 0;
    }

    self = (uint64_t) pid << 32 | st.stamp;

    (void) pthread_once(&once, trove_process_watch_forks);

    if (trove_process_watched) {
        atomic_store_explicit(&trove_process_cached, self,
                              memory_order_relaxed);
    }

    return self;
}


static void
trove_process_watch_forks(void)
{
    trove_process_watched = pthread_atfork(NULL, NULL, trove_process_forget)
                            == 0;
}


static void
trove_process_forget(void)
{
    atomic_store_explicit(&trove_process_cached, 0, memory_order_relaxed);
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
