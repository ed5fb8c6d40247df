
/*
 * A thread that works with Redis: its pauses, its end, and what it tells.
 */

#include <string.h>
#include <sys/socket.h>

#include "trove_atomic.h"
#include "trove_client.h"
#include "trove_clock.h"
#include "trove_process.h"


void
trove_client_init(trove_client_t *c, trove_redis_t *redis,
    void (*moved)(void *data), void *data)
{
    pthread_condattr_t  attr;

    memset(c, 0, sizeof(trove_client_t));

    c->redis = redis;
    c->moved = moved;
    c->data = data;
    c->random = trove_clock_ns() ^ trove_process_self();
    c->wait = TROVE_CLIENT_AGAIN;

    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&c->cond, &attr);
    (void) pthread_condattr_destroy(&attr);
    (void) pthread_mutex_init(&c->mutex, NULL);
}


void
trove_client_done(trove_client_t *c)
{
    (void) pthread_cond_destroy(&c->cond);
    (void) pthread_mutex_destroy(&c->mutex);
}


void
trove_client_stop(trove_client_t *c)
{
    int  fd;

    (void) pthread_mutex_lock(&c->mutex);

    atomic_store(&c->stopped, 1);
    (void) pthread_cond_signal(&c->cond);

    (void) pthread_mutex_unlock(&c->mutex);

    /* what is begun after this is not waited for */

    fd = atomic_load(&c->redis->fd);

    if (fd != -1) {
        (void) shutdown(fd, SHUT_RDWR);
    }
}


void
trove_client_report(trove_client_t *c, trove_client_report_t *report)
{
    (void) pthread_mutex_lock(&c->mutex);

    *report = c->report;

    (void) pthread_mutex_unlock(&c->mutex);
}


int
trove_client_stopped(trove_client_t *c)
{
    return trove_get(&c->stopped);
}


void
trove_client_moved(trove_client_t *c)
{
    if (c->moved) {
        c->moved(c->data);
    }
}


void
trove_client_tell(trove_client_t *c, trove_store_rc_t rc)
{
    if (rc == TROVE_STORE_DONE) {
        c->redis->error[0] = '\0';
    }

    (void) pthread_mutex_lock(&c->mutex);

    c->report.rc = rc;
    c->report.n++;
    memcpy(c->report.error, c->redis->error, TROVE_STORE_ERROR);

    (void) pthread_mutex_unlock(&c->mutex);

    trove_client_moved(c);
}


void
trove_client_works(trove_client_t *c)
{
    c->wait = TROVE_CLIENT_AGAIN;
}


/* Between a half and all of the time. */

void
trove_client_pause(trove_client_t *c)
{
    uint64_t  ns;

    c->random = c->random * 6364136223846793005 + 1442695040888963407;

    ns = c->wait / 2 + (c->random >> 32) % (c->wait / 2 + 1);

    c->wait = 2 * c->wait;

    if (c->wait > TROVE_CLIENT_AGAIN_MAX) {
        c->wait = TROVE_CLIENT_AGAIN_MAX;
    }

    trove_client_sleep(c, ns);
}


void
trove_client_sleep(trove_client_t *c, uint64_t ns)
{
    uint64_t         until;
    struct timespec  ts;

    until = trove_clock_ns() + ns;

    ts.tv_sec = until / 1000000000;
    ts.tv_nsec = until % 1000000000;

    (void) pthread_mutex_lock(&c->mutex);

    while (!trove_get(&c->stopped)
           && pthread_cond_timedwait(&c->cond, &c->mutex, &ts) == 0)
    {
        /* void */
    }

    (void) pthread_mutex_unlock(&c->mutex);
}
