
#include "ngx_http_trove.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>


/*
 * Threads of nginx's pool take turns: each would keep the stack and the heap
 * that one build needs, tens of kilobytes in each of 32.  A job has a thread of
 * its own for as long as it runs; the next one gets that one's stack.
 */


static void *ngx_http_trove_job_thread(void *data);
static void ngx_http_trove_job_handler(ngx_event_t *ev);


static int          ngx_http_trove_jobs_fd;      /* written when a job ends  */
static ngx_queue_t  ngx_http_trove_jobs;         /* that run                 */


ngx_int_t
ngx_http_trove_jobs_init(ngx_cycle_t *cycle)
{
    ngx_connection_t  *c;

    ngx_queue_init(&ngx_http_trove_jobs);

    ngx_http_trove_jobs_fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (ngx_http_trove_jobs_fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "eventfd() of trove's threads failed");
        return NGX_ERROR;
    }

    return ngx_http_trove_eventfd(cycle, ngx_http_trove_jobs_fd,
                                  ngx_http_trove_job_handler, NULL, &c);
}


ngx_int_t
ngx_http_trove_eventfd(ngx_cycle_t *cycle, int fd,
    ngx_event_handler_pt handler, void *data, ngx_connection_t **c)
{
    ngx_event_t  *rev;

    *c = ngx_get_connection(fd, cycle->log);
    if (*c == NULL) {
        return NGX_ERROR;
    }

    (*c)->data = data;
    (*c)->pool = cycle->pool;

    rev = (*c)->read;
    rev->log = cycle->log;
    rev->handler = handler;
    rev->channel = 1;                  /* no connection to wait for at exit */

    return ngx_add_event(rev, NGX_READ_EVENT, NGX_CLEAR_EVENT);
}


ngx_int_t
ngx_http_trove_job_start(ngx_http_trove_job_t *job)
{
    int       rc;
    sigset_t  blocked, before;

    /* signals are for the event loop, but those that the thread itself makes */

    sigfillset(&blocked);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);

    atomic_store(&job->ended, 0);

    (void) pthread_sigmask(SIG_BLOCK, &blocked, &before);

    rc = pthread_create(&job->thread, NULL, ngx_http_trove_job_thread, job);

    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, rc,
                      "pthread_create() failed");
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&ngx_http_trove_jobs, &job->queue);

    return NGX_OK;
}


static void *
ngx_http_trove_job_thread(void *data)
{
    ngx_http_trove_job_t  *job = data;

    job->run(job->data);

    atomic_store(&job->ended, 1);

    /* nobody reads it: with edge triggering each write wakes */

    (void) eventfd_write(ngx_http_trove_jobs_fd, 1);

    return NULL;
}


static void
ngx_http_trove_job_handler(ngx_event_t *ev)
{
    ngx_queue_t           *q, *next;
    ngx_http_trove_job_t  *job;

    for (q = ngx_queue_head(&ngx_http_trove_jobs);
         q != ngx_queue_sentinel(&ngx_http_trove_jobs);
         q = next)
    {
        next = ngx_queue_next(q);
        job = ngx_queue_data(q, ngx_http_trove_job_t, queue);

        if (!atomic_load(&job->ended)) {
            continue;
        }

        /* what it starts itself comes last */

        ngx_queue_remove(q);
        (void) pthread_join(job->thread, NULL);
        job->done(job->data);
    }
}


ngx_int_t
ngx_http_trove_job_wait(ngx_http_trove_job_t *job, ngx_msec_t ms)
{
    struct timespec  until;

    ngx_queue_remove(&job->queue);

    (void) clock_gettime(CLOCK_MONOTONIC, &until);

    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;

    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }

    if (pthread_clockjoin_np(job->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
    {
        return NGX_OK;
    }

    (void) pthread_detach(job->thread);

    return NGX_AGAIN;
}


void
ngx_http_trove_jobs_end(void)
{
    ngx_queue_t           *q;
    ngx_http_trove_job_t  *job;

    while (!ngx_queue_empty(&ngx_http_trove_jobs)) {
        q = ngx_queue_head(&ngx_http_trove_jobs);
        job = ngx_queue_data(q, ngx_http_trove_job_t, queue);

        ngx_queue_remove(q);
        (void) pthread_join(job->thread, NULL);
    }
}
