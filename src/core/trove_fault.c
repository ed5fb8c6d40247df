
/*
 * Death, company and want at a chosen point, for tests.
 */

#include "trove_fault.h"


#ifdef TROVE_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


static void trove_fault_count(const char *const *point);


static int       trove_fault_known;
static char      trove_fault_name[64];
static uint64_t  trove_fault_left;
static uint64_t  trove_fault_memory_left;

static trove_fault_shared_t  *trove_fault_shared;

static const char  *trove_fault_meet_name;
static uint64_t     trove_fault_meet_left;
static void       (*trove_fault_meet_act)(void *data);
static void        *trove_fault_meet_data;


/* Of the section, by the linker. */

extern const char *const  __start_trove_faults[]
    __attribute__((visibility("hidden")));
extern const char *const  __stop_trove_faults[]
    __attribute__((visibility("hidden")));


const char *const *
trove_fault_points(size_t *n)
{
    *n = __stop_trove_faults - __start_trove_faults;

    return __start_trove_faults;
}


/*
 * When the program or the module is loaded, before there are other processes
 * and threads: all that are forked from here on share it.
 */

__attribute__((constructor)) static void
trove_fault_share(void)
{
    int                    fd;
    size_t                 i, n;
    const char            *path;
    trove_fault_shared_t  *shared;

    path = getenv("TROVE_FAULT_FILE");

    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0666);

    if (fd == -1) {
        return;
    }

    (void) trove_fault_points(&n);

    if (ftruncate(fd, sizeof(trove_fault_shared_t)
                      + n * sizeof(trove_fault_point_t)) == 0)
    {
        shared = mmap(NULL, sizeof(trove_fault_shared_t)
                            + n * sizeof(trove_fault_point_t),
                      PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

        if (shared != MAP_FAILED) {

            for (i = 0; i < n; i++) {
                (void) snprintf(shared->points[i].name,
                                sizeof(shared->points[i].name), "%s",
                                __start_trove_faults[i]);
            }

            atomic_store(&shared->n, n);
            trove_fault_shared = shared;
        }
    }

    (void) close(fd);
}


void
trove_fault(const char *const *point)
{
    const char  *name;

    if (trove_fault_shared != NULL) {
        trove_fault_count(point);
    }

    if (!trove_fault_known) {
        trove_fault_environment();
    }

    name = *point;

    if (trove_fault_left == 0) {
        return;
    }

    if (trove_fault_name[0] != '\0' && strcmp(trove_fault_name, name) != 0) {
        return;
    }

    trove_fault_left--;

    if (trove_fault_left == 0) {
        (void) kill(getpid(), SIGKILL);
    }
}


/* The one who comes at the right time, of whatever process. */

static void
trove_fault_count(const char *const *point)
{
    uint64_t              left;
    trove_fault_point_t  *p;

    p = &trove_fault_shared->points[point - __start_trove_faults];

    (void) atomic_fetch_add(&p->met, 1);

    left = atomic_load(&p->left);

    do {
        if (left == 0
            || atomic_load(&trove_fault_shared->spared) == (uint64_t) getpid())
        {
            return;
        }

    } while (!atomic_compare_exchange_weak(&p->left, &left, left - 1));

    if (left == 1) {
        atomic_store(&p->pid, (uint64_t) getpid());

        /* of a stop, this thread does not get further than here */

        (void) raise((int) atomic_load(&p->signal));
    }
}


void
trove_fault_arm(const char *name, uint64_t nth)
{
    trove_fault_known = 1;
    trove_fault_left = nth;

    (void) snprintf(trove_fault_name, sizeof(trove_fault_name), "%s",
                    (name != NULL) ? name : "");
}


void
trove_fault_disarm(void)
{
    trove_fault_arm(NULL, 0);
}


void
trove_fault_meet(const char *name)
{
    if (trove_fault_meet_left == 0
        || strcmp(trove_fault_meet_name, name) != 0)
    {
        return;
    }

    trove_fault_meet_left--;

    if (trove_fault_meet_left == 0) {
        trove_fault_meet_act(trove_fault_meet_data);
    }
}


void
trove_fault_meet_arm(const char *name, uint64_t nth, void (*act)(void *data),
    void *data)
{
    trove_fault_meet_name = name;
    trove_fault_meet_left = nth;
    trove_fault_meet_act = act;
    trove_fault_meet_data = data;
}


int
trove_fault_held(const char *name)
{
    size_t       len;
    const char  *value;

    value = getenv("TROVE_FAULT_HOLD");
    len = strlen(name);

    return value != NULL
           && strncmp(value, name, len) == 0
           && value[len] == ':'
           && access(value + len + 1, F_OK) == 0;
}


int
trove_fault_memory(void)
{
    if (trove_fault_memory_left == 0) {
        return 0;
    }

    trove_fault_memory_left--;

    return trove_fault_memory_left == 0;
}


void
trove_fault_memory_arm(uint64_t nth)
{
    trove_fault_memory_left = nth;
}


void
trove_fault_environment(void)
{
    char        name[64];
    size_t      len;
    const char  *value, *colon;

    trove_fault_disarm();

    value = getenv("TROVE_FAULT");

    if (value == NULL) {
        return;
    }

    colon = strchr(value, ':');
    len = (colon != NULL) ? (size_t) (colon - value) : 0;

    if (len >= sizeof(name)) {
        return;
    }

    memcpy(name, value, len);
    name[len] = '\0';

    trove_fault_arm(name, strtoull((colon != NULL) ? colon + 1 : value, NULL,
                                   10));
}

#endif
