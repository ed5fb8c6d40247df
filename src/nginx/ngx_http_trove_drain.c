
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_DRAIN_BEAT   100     /* ms between looks for others'   */
#define NGX_HTTP_TROVE_DRAIN_WAIT   200     /* ms for the thread, at an exit  */


/*
 * A worker's part of what waits in queues: of all workers that have the ledger
 * it may be the one that carries that out.  Not of the cycle's pool, for a
 * thread that has to be left behind outlives that.
 */

struct ngx_http_trove_drain_s {
    trove_drain_t             drain;
    trove_client_report_t     report;
    ngx_http_trove_worker_t  *worker;
    ngx_http_trove_job_t      job;
    ngx_event_t               beat;
    int                       eventfd;      /* of the trove                  */

    uint64_t                  others;       /* these are in the log: of the  */
    uint64_t                  refused;      /* drain's figures               */
    uint64_t                  lost;
    ngx_uint_t                told;         /* failures, by their bits: in   */
                                            /* a row, each is told once      */
    unsigned                  running:1;
};


static void ngx_http_trove_drain_beat(ngx_event_t *ev);
static void ngx_http_trove_drain_thread(void *data);
static void ngx_http_trove_drain_moved(void *data);
static void ngx_http_trove_drain_ended(void *data);
static void ngx_http_trove_drain_tell(ngx_http_trove_drain_t *d);
static void ngx_http_trove_drain_report(ngx_http_trove_drain_t *d);
static void ngx_http_trove_drain_losses(ngx_http_trove_drain_t *d);
static uint64_t ngx_http_trove_drain_more(trove_stat_t *stat, uint64_t *told);


ngx_int_t
ngx_http_trove_drain_init(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    trove_overflow_t         o;
    ngx_http_trove_t        *trove;
    ngx_http_trove_drain_t  *d;

    trove = w->trove;

    if (trove->overflow == NULL) {
        return NGX_OK;
    }

    d = ngx_calloc(sizeof(ngx_http_trove_drain_t), cycle->log);
    if (d == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&o, sizeof(trove_overflow_t));
    o.ledger = trove->ledger;
    o.trove.data = trove->name.data;
    o.trove.len = trove->name.len;
    o.durable = (trove->store != NULL);
    o.rules = trove->rules;
    o.interval = trove->tap_interval;
    o.burst = trove->tap_burst;

    if (trove_drain_init(&d->drain, &o, trove->overflow,
                         ngx_http_trove_drain_moved, d)
        != TROVE_OK)
    {
        ngx_free(d);
        return NGX_ERROR;
    }

    w->drain = d;
    d->worker = w;
    d->eventfd = trove->eventfd;

    d->job.data = d;
    d->job.run = ngx_http_trove_drain_thread;
    d->job.done = ngx_http_trove_drain_ended;

    d->beat.data = d;
    d->beat.handler = ngx_http_trove_drain_beat;
    d->beat.log = cycle->log;
    d->beat.cancelable = 1;

    ngx_http_trove_drain_beat(&d->beat);

    return NGX_OK;
}


/*
 * Nobody tells that the drainer has died.  One that has only some requests to
 * end leaves the queues to others, which may be configured in another way.
 */

static void
ngx_http_trove_drain_beat(ngx_event_t *ev)
{
    ngx_http_trove_drain_t  *d;

    d = ev->data;

    if (d->running) {
        ngx_http_trove_drain_tell(d);
    }

    if (ngx_exiting) {
        trove_drain_stop(&d->drain);

        if (!d->running) {
            trove_drain_resign(&d->drain);
            return;
        }
    }

    /* if there is no thread now, there may be one at the next beat */

    if (!d->running
        && trove_drain_elect(&d->drain)
        && ngx_http_trove_job_start(&d->job) == NGX_OK)
    {
        d->running = 1;
    }

    ngx_add_timer(&d->beat, NGX_HTTP_TROVE_DRAIN_BEAT);
}


static void
ngx_http_trove_drain_thread(void *data)
{
    ngx_http_trove_drain_t  *d = data;

    trove_drain_run(&d->drain);
}


/* In the thread: all workers look what there is, and a store is brought it. */

static void
ngx_http_trove_drain_moved(void *data)
{
    ngx_http_trove_drain_t  *d = data;

    uint64_t  one;

    one = 1;

    /* a counter that is full has woken everybody already */

    (void) !write(d->eventfd, &one, sizeof(uint64_t));
}


static void
ngx_http_trove_drain_ended(void *data)
{
    ngx_http_trove_drain_t  *d = data;

    d->running = 0;

    ngx_http_trove_drain_tell(d);
    trove_stats_set(d->worker->stats, overflow_up, 0);
}


static void
ngx_http_trove_drain_tell(ngx_http_trove_drain_t *d)
{
    ngx_http_trove_drain_report(d);
    ngx_http_trove_drain_losses(d);

    trove_drain_tell(&d->drain, d->worker->stats);
}


/* Once when it begins, or for another reason, and once when it is over. */

static void
ngx_http_trove_drain_report(ngx_http_trove_drain_t *d)
{
    uint64_t           n;
    ngx_http_trove_t  *trove;

    n = d->report.n;

    trove_drain_report(&d->drain, &d->report);

    if (d->report.n == n) {
        return;
    }

    trove = d->worker->trove;

    trove_stats_set(d->worker->stats, overflow_up,
                    d->report.rc == TROVE_STORE_DONE);

    if (d->report.rc == TROVE_STORE_DONE) {

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "trove \"%V\" looks after its queues%s, where %uL "
                      "operations wait", &trove->name,
                      d->told ? " again" : "",
                      trove_stat_get(&d->drain.found));

        d->told = 0;
        return;
    }

    if ((d->told & (1 << d->report.rc)) == 0) {
        d->told |= 1 << d->report.rc;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "trove \"%V\" does not look after its queues (%s), it "
                      "is tried again: %s", &trove->name,
                      trove_store_failures[d->report.rc], d->report.error);
    }
}


static void
ngx_http_trove_drain_losses(ngx_http_trove_drain_t *d)
{
    uint64_t                 n;
    ngx_str_t               *name;
    trove_overflow_stats_t  *stats;

    name = &d->worker->trove->name;
    stats = &d->drain.overflow.stats;

    n = ngx_http_trove_drain_more(&d->drain.others, &d->others);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "the queues of trove \"%V\" are others than before",
                      name);
    }

    n = ngx_http_trove_drain_more(&stats->lost, &d->lost);

    if (n) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "%uL operations that waited in queues of trove \"%V\" "
                      "are no longer there", n, name);
    }

    n = ngx_http_trove_drain_more(&stats->refused, &d->refused);

    if (n) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "%uL operations that waited in queues of trove \"%V\" "
                      "cannot be carried out: they are put aside in "
                      "\"trove:{%V}:overflow:refused\"", n, name, name);
    }
}


/* How much more of it there is than was told. */

static uint64_t
ngx_http_trove_drain_more(trove_stat_t *stat, uint64_t *told)
{
    uint64_t  n, before;

    n = trove_stat_get(stat);
    before = *told;
    *told = n;

    return n - before;
}


/*
 * At an exit: another process may go on from here.  A connection that is just
 * being made is not waited for: the thread ends with the process.
 */

void
ngx_http_trove_drain_exit(ngx_http_trove_worker_t *w)
{
    ngx_http_trove_drain_t  *d;

    d = w->drain;

    if (d == NULL) {
        return;
    }

    if (d->beat.timer_set) {
        ngx_del_timer(&d->beat);
    }

    trove_drain_stop(&d->drain);

    if (d->running
        && ngx_http_trove_job_wait(&d->job, NGX_HTTP_TROVE_DRAIN_WAIT)
           != NGX_OK)
    {
        return;
    }

    ngx_http_trove_drain_tell(d);
    trove_stats_set(w->stats, overflow_up, 0);

    trove_drain_done(&d->drain);
    ngx_free(d);

    w->drain = NULL;
}
