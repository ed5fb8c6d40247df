
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_FOLLOW_BEAT   100    /* ms between looks for others'   */
#define NGX_HTTP_TROVE_FOLLOW_WAIT   200    /* ms for the thread, at an exit  */


/*
 * A worker's part of a trove that is in Redis: it may be the one that keeps
 * the machine's ledger a copy of it.  Not of the cycle's pool, for a thread
 * that has to be left behind outlives that.
 */

struct ngx_http_trove_follow_s {
    trove_follow_t            follow;
    trove_client_report_t     report;
    ngx_http_trove_worker_t  *worker;
    ngx_http_trove_job_t      job;
    ngx_event_t               beat;
    int                       eventfd;      /* of the trove                  */

    ngx_uint_t                told;         /* failures, by their bits: in   */
                                            /* a row, each is told once      */
    unsigned                  running:1;
};


static void ngx_http_trove_follow_beat(ngx_event_t *ev);
static void ngx_http_trove_follow_thread(void *data);
static void ngx_http_trove_follow_moved(void *data);
static void ngx_http_trove_follow_ended(void *data);
static void ngx_http_trove_follow_report(ngx_http_trove_follow_t *f);


ngx_int_t
ngx_http_trove_follow_init(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    trove_slice_t             name;
    ngx_http_trove_follow_t  *f;

    if (w->trove->redis == NULL) {
        return NGX_OK;
    }

    f = ngx_calloc(sizeof(ngx_http_trove_follow_t), cycle->log);
    if (f == NULL) {
        return NGX_ERROR;
    }

    name.data = w->trove->name.data;
    name.len = w->trove->name.len;

    if (trove_follow_init(&f->follow, w->trove->ledger, w->trove->redis, &name,
                          ngx_http_trove_follow_moved, f)
        != TROVE_OK)
    {
        ngx_free(f);
        return NGX_ERROR;
    }

    w->follow = f;
    f->worker = w;
    f->eventfd = w->trove->eventfd;

    f->job.data = f;
    f->job.run = ngx_http_trove_follow_thread;
    f->job.done = ngx_http_trove_follow_ended;

    f->beat.data = f;
    f->beat.handler = ngx_http_trove_follow_beat;
    f->beat.log = cycle->log;
    f->beat.cancelable = 1;

    ngx_http_trove_follow_beat(&f->beat);

    return NGX_OK;
}


/* Nobody tells that the follower has died. */

static void
ngx_http_trove_follow_beat(ngx_event_t *ev)
{
    ngx_http_trove_follow_t  *f;

    f = ev->data;

    ngx_http_trove_follow_turn(f->worker);

    ngx_add_timer(&f->beat, NGX_HTTP_TROVE_FOLLOW_BEAT);
}


void
ngx_http_trove_follow_turn(ngx_http_trove_worker_t *w)
{
    ngx_http_trove_follow_t  *f;

    f = w->follow;

    if (f == NULL) {
        return;
    }

    if (f->running) {
        ngx_http_trove_follow_report(f);
        trove_follow_tell(&f->follow, w->stats);
        return;
    }

    /* if there is no thread now, there may be one at the next turn */

    if (trove_follow_elect(&f->follow)
        && ngx_http_trove_job_start(&f->job) == NGX_OK)
    {
        f->running = 1;
    }
}


static void
ngx_http_trove_follow_thread(void *data)
{
    ngx_http_trove_follow_t  *f = data;

    trove_follow_run(&f->follow);
}


/* In the thread: all workers look what there is. */

static void
ngx_http_trove_follow_moved(void *data)
{
    ngx_http_trove_follow_t  *f = data;

    uint64_t  one;

    one = 1;

    /* a counter that is full has woken everybody already */

    (void) !write(f->eventfd, &one, sizeof(uint64_t));
}


static void
ngx_http_trove_follow_ended(void *data)
{
    ngx_http_trove_follow_t  *f = data;

    f->running = 0;
}


/* Once when it begins, or for another reason, and once when it is over. */

static void
ngx_http_trove_follow_report(ngx_http_trove_follow_t *f)
{
    uint64_t           n;
    ngx_http_trove_t  *trove;

    n = f->report.n;

    trove_follow_report(&f->follow, &f->report);

    if (f->report.n == n) {
        return;
    }

    trove = f->worker->trove;

    trove_stats_set(f->worker->stats, store_connected,
                    f->report.rc == TROVE_STORE_DONE);

    if (f->report.rc == TROVE_STORE_DONE) {

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "trove \"%V\" follows its store%s, at version %uL",
                      &trove->name, f->told ? " again" : "",
                      trove_ledger_version(trove->ledger));

        f->told = 0;
        return;
    }

    if ((f->told & (1 << f->report.rc)) == 0) {
        f->told |= 1 << f->report.rc;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "trove \"%V\" does not follow its store (%s), it is "
                      "tried again: %s", &trove->name,
                      trove_store_failures[f->report.rc], f->report.error);
    }
}


/* Polls are answered from the worker's view, which was of a copy once. */

ngx_uint_t
ngx_http_trove_uncopied(ngx_http_trove_ctx_t *ctx)
{
    ngx_http_trove_worker_t  *w;

    w = ctx->worker;

    if (trove_likely(w == NULL || w->trove->redis == NULL)) {
        return 0;
    }

    if (trove_view_generation(w->view) == 0) {
        return 1;
    }

    if (trove_likely(ctx->endpoint == TROVE_ENDPOINT_POLL)) {
        return 0;
    }

    ctx->generation = trove_replica_generation(w->trove->ledger);

    return trove_replica_state(w->trove->ledger) != TROVE_REPLICA_LIVE;
}


ngx_uint_t
ngx_http_trove_torn(ngx_http_trove_ctx_t *ctx)
{
    ngx_http_trove_worker_t  *w;

    w = ctx->worker;

    return ctx->generation
           && !trove_replica_whole(w->trove->ledger, ctx->generation);
}


/*
 * At an exit: another process may follow from here on.  A connection that is
 * just being made is not waited for: the thread ends with the process.
 */

void
ngx_http_trove_follow_exit(ngx_http_trove_worker_t *w)
{
    ngx_http_trove_follow_t  *f;

    f = w->follow;

    if (f == NULL) {
        return;
    }

    if (f->beat.timer_set) {
        ngx_del_timer(&f->beat);
    }

    trove_follow_stop(&f->follow);

    if (f->running
        && ngx_http_trove_job_wait(&f->job, NGX_HTTP_TROVE_FOLLOW_WAIT)
           != NGX_OK)
    {
        return;
    }

    ngx_http_trove_follow_report(f);
    trove_follow_tell(&f->follow, w->stats);
    trove_stats_set(w->stats, store_connected, 0);

    trove_follow_done(&f->follow);
    ngx_free(f);

    w->follow = NULL;
}
