
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_QUIT_WAIT    5000    /* ms for the store at an exit,   */
#define NGX_HTTP_TROVE_TERM_WAIT    500     /* and if that must not take long */
#define NGX_HTTP_TROVE_BEAT         50      /* ms between looks for others'   */


/*
 * A worker's part of a store: it may be the writer, and its requests may wait
 * for what the writer does.  Not of the cycle's pool, for a thread that the
 * store never lets go outlives that.
 */

struct ngx_http_trove_flush_s {
    trove_flush_t             flush;
    ngx_http_trove_worker_t  *worker;
    ngx_http_trove_job_t      job;

    ngx_connection_t         *ended;    /* of the trove's second eventfd     */
    ngx_event_t               beat;     /* of the writer                     */
    ngx_http_trove_waits_t    waits;    /* for tickets                       */
    uint64_t                  stuck;    /* ticket in vain: until it is good  */

    unsigned                  running:1;
    unsigned                  missed:1; /* a turn came while it ran          */
    unsigned                  failing:1;
    unsigned                  closes:1; /* the flush is this process's last  */
    unsigned                  hangs:1;
    unsigned                  told:1;   /* that the writer does              */
};


static ngx_int_t ngx_http_trove_flush_watch(ngx_cycle_t *cycle,
    ngx_http_trove_flush_t *f);
static void ngx_http_trove_flush_ended(ngx_event_t *ev);
static void ngx_http_trove_flush_beat(ngx_event_t *ev);
static void ngx_http_trove_flush_start(ngx_http_trove_flush_t *f);
static void ngx_http_trove_flush_thread(void *data);
static void ngx_http_trove_flush_done(void *data);
static void ngx_http_trove_flush_report(ngx_http_trove_flush_t *f);
static void ngx_http_trove_flush_again(ngx_http_trove_t *trove);
static void ngx_http_trove_flush_look(ngx_http_trove_flush_t *f);
static void ngx_http_trove_flush_good(ngx_http_trove_flush_t *f);
static ngx_int_t ngx_http_trove_flush_last(ngx_http_trove_flush_t *f,
    ngx_msec_t ms);
static ngx_msec_t ngx_http_trove_flush_patience(ngx_uint_t left);

static ngx_uint_t ngx_http_trove_flush_durable(ngx_http_trove_waits_t *waits,
    uint64_t ticket);
static void ngx_http_trove_flush_waiting(ngx_http_trove_waits_t *waits);
static void ngx_http_trove_flush_vain(ngx_http_trove_waits_t *waits,
    uint64_t ticket);
static ngx_int_t ngx_http_trove_settle_begin(ngx_http_request_t *r,
    ngx_http_trove_ctx_t *ctx);
static void ngx_http_trove_settle_answer(ngx_http_request_t *r);


ngx_int_t
ngx_http_trove_flush_init(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    trove_store_conf_t       conf;
    ngx_http_trove_flush_t  *f;

    if (w->trove->store == NULL) {
        return NGX_OK;
    }

    /* with its path, which ends with a zero */

    f = ngx_calloc(sizeof(ngx_http_trove_flush_t) + w->trove->store_path.len
                   + 1, cycle->log);
    if (f == NULL) {
        return NGX_ERROR;
    }

    ngx_http_trove_store_conf(w->trove, &conf);

    conf.path = (char *) (f + 1);
    ngx_memcpy(f + 1, w->trove->store_path.data, w->trove->store_path.len);

    if (trove_flush_init(&f->flush, w->trove->ledger, w->trove->store, &conf)
        != TROVE_OK)
    {
        ngx_free(f);
        return NGX_ERROR;
    }

    w->flush = f;
    f->worker = w;

    f->job.data = f;
    f->job.run = ngx_http_trove_flush_thread;
    f->job.done = ngx_http_trove_flush_done;

    f->beat.data = f;
    f->beat.handler = ngx_http_trove_flush_beat;
    f->beat.log = cycle->log;
    f->beat.cancelable = 1;

    f->waits.worker = w;
    f->waits.good = ngx_http_trove_flush_durable;
    f->waits.look = ngx_http_trove_flush_waiting;
    f->waits.vain = ngx_http_trove_flush_vain;

    ngx_http_trove_waits_init(&f->waits, cycle->log);

    return ngx_http_trove_flush_watch(cycle, f);
}


/* The writer tells by a second eventfd that tickets were made good. */

static ngx_int_t
ngx_http_trove_flush_watch(ngx_cycle_t *cycle, ngx_http_trove_flush_t *f)
{
    if (f->worker->trove->ack != NGX_HTTP_TROVE_ACK_COMMIT) {
        return NGX_OK;
    }

    return ngx_http_trove_eventfd(cycle, f->worker->trove->ackfd,
                                  ngx_http_trove_flush_ended, f, &f->ended);
}


static void
ngx_http_trove_flush_ended(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_http_trove_flush_t  *f;

    c = ev->data;
    f = c->data;

    ngx_http_trove_waits_look(&f->waits);
}


/* The epoch turns, here or where something was written. */

void
ngx_http_trove_flush_turn(ngx_http_trove_worker_t *w)
{
    ngx_http_trove_flush_t  *f;

    f = w->flush;

    if (f == NULL || f->closes) {
        return;
    }

    ngx_http_trove_flush_look(f);

    if (f->running) {
        f->missed = 1;
        return;
    }

    if (!trove_flush_elect(&f->flush)) {
        return;
    }

    if (!f->beat.timer_set) {
        ngx_add_timer(&f->beat, NGX_HTTP_TROVE_BEAT);
    }

    if (trove_flush_needed(&f->flush)) {
        ngx_http_trove_flush_start(f);
        return;
    }

    ngx_http_trove_flush_good(f);
}


/*
 * The workers of another master write the same ledger and have other eventfds
 * than this one's: the writer looks by itself, and who waits does.
 */

static void
ngx_http_trove_flush_beat(ngx_event_t *ev)
{
    ngx_http_trove_flush_t  *f;

    f = ev->data;

    if (!f->worker->epoch.timer_set) {
        ngx_http_trove_flush_turn(f->worker);
    }

    if (f->flush.elected && !f->closes && !f->beat.timer_set) {
        ngx_add_timer(&f->beat, NGX_HTTP_TROVE_BEAT);
    }
}


/* Whether there is, or may be, something to be stored at the next turn. */

ngx_uint_t
ngx_http_trove_flush_pending(ngx_http_trove_worker_t *w)
{
    ngx_http_trove_flush_t  *f;

    f = w->flush;

    return f
           && !f->running
           && f->flush.elected
           && (f->flush.unsure || f->flush.rc != TROVE_STORE_DONE
               || trove_dirty_any(w->trove->ledger));
}


ngx_uint_t
ngx_http_trove_flush_writes(ngx_http_trove_worker_t *w)
{
    return w->flush && w->flush->flush.elected;
}


static void
ngx_http_trove_flush_start(ngx_http_trove_flush_t *f)
{
    f->missed = 0;

    /* if there is no thread now, there may be one at the next turn */

    if (ngx_http_trove_job_start(&f->job) == NGX_OK) {
        f->running = 1;
    }
}


static void
ngx_http_trove_flush_thread(void *data)
{
    ngx_http_trove_flush_t  *f = data;

    (void) trove_flush_run(&f->flush);

    if (f->closes) {
        trove_flush_close(&f->flush);
    }
}


static void
ngx_http_trove_flush_done(void *data)
{
    ngx_http_trove_flush_t  *f = data;

    f->running = 0;

    ngx_http_trove_flush_report(f);
    trove_flush_tell(&f->flush, f->worker->stats);
    ngx_http_trove_flush_good(f);

    if (f->missed) {
        ngx_http_trove_flush_turn(f->worker);
    }

    ngx_http_trove_awake(f->worker);
}


/* Once when it begins, and once when it is over. */

static void
ngx_http_trove_flush_report(ngx_http_trove_flush_t *f)
{
    ngx_http_trove_t  *trove;

    trove = f->worker->trove;

    if (f->flush.rc == TROVE_STORE_DONE) {

        if (f->failing) {
            f->failing = 0;
            ngx_http_trove_flush_again(trove);
        }

        return;
    }

    if (!f->failing) {
        f->failing = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "the store of trove \"%V\" fails (%s), it is tried "
                      "again: %s", &trove->name,
                      trove_store_failures[f->flush.rc], f->flush.error);
    }
}


static void
ngx_http_trove_flush_again(ngx_http_trove_t *trove)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "the store of trove \"%V\" takes writes again",
                  &trove->name);
}


/* A writer that is stopped does not tell it itself. */

static void
ngx_http_trove_flush_look(ngx_http_trove_flush_t *f)
{
    trove_store_rc_t   state;
    ngx_http_trove_t  *trove;

    trove = f->worker->trove;
    state = trove_flush_state(trove->ledger);

    if (f->told && state != TROVE_STORE_HANGS) {
        f->told = 0;

        if (state == TROVE_STORE_DONE) {
            ngx_http_trove_flush_again(trove);
        }
    }

    /* a little less than who waits, by nginx's coarse clock, has waited */

    if (!trove_flush_hangs(&f->flush, (uint64_t) trove->ack_timeout * 900000))
    {
        return;
    }

    f->told = 1;
    trove_stats_add(f->worker->stats, store_hangs, 1);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "the store of trove \"%V\" has taken nothing for %M ms: "
                  "process %P, which writes it, hangs or is stopped",
                  &trove->name, trove->ack_timeout,
                  (ngx_pid_t) (trove_flush_writer(trove->ledger) >> 32));
}


/* Tickets may have been made good: wakes all who have one. */

static void
ngx_http_trove_flush_good(ngx_http_trove_flush_t *f)
{
    uint64_t           one;
    ngx_http_trove_t  *trove;

    trove = f->worker->trove;

    if (trove->ack != NGX_HTTP_TROVE_ACK_COMMIT
        || !trove_flush_wanted(trove->ledger))
    {
        return;
    }

    one = 1;

    if (write(trove->ackfd, &one, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "write() to the eventfd of the store of trove \"%V\" "
                      "failed", &trove->name);
    }
}


/*
 * At an exit: what is dirty goes to the store, if no other process does that,
 * and the writer's part is free.  A store that hangs is left alone after a
 * while: the ledger's file has it all.
 */

void
ngx_http_trove_flush_exit(ngx_http_trove_worker_t *w, ngx_uint_t left)
{
    ngx_msec_t               ms;
    ngx_http_trove_flush_t  *f;

    f = w->flush;

    if (f == NULL) {
        return;
    }

    ngx_http_trove_waits_exit(&f->waits);

    if (f->beat.timer_set) {
        ngx_del_timer(&f->beat);
    }

    ms = ngx_http_trove_flush_patience(left);

    if (ngx_http_trove_flush_last(f, ms) == NGX_OK) {
        ngx_http_trove_flush_report(f);
        trove_flush_tell(&f->flush, w->stats);
        trove_stats_set(w->stats, store_log, 0);
        ngx_free(f);
        w->flush = NULL;
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "the store of trove \"%V\" hangs, what it has not got stays "
                  "in \"%V\"", &w->trove->name, &w->trove->ledger_path);

    ngx_http_trove_store_pin(w->trove);
}


/* What a store may take of the time that this and those after it have. */

static ngx_msec_t
ngx_http_trove_flush_patience(ngx_uint_t left)
{
    uint64_t         now;
    static uint64_t  end;

    now = trove_clock_ns();

    if (end == 0) {
        end = now + 1000000 * (uint64_t) (ngx_terminate
                                          ? NGX_HTTP_TROVE_TERM_WAIT
                                          : NGX_HTTP_TROVE_QUIT_WAIT);
    }

    return (now < end) ? (end - now) / 1000000 / left : 0;
}


static ngx_int_t
ngx_http_trove_flush_last(ngx_http_trove_flush_t *f, ngx_msec_t ms)
{
    ms /= 2;                /* one flush may be under way, and one to come */

    if (f->running) {

        if (ngx_http_trove_job_wait(&f->job, ms) != NGX_OK) {
            return NGX_AGAIN;
        }

        f->running = 0;
    }

    f->closes = 1;

    if (!trove_flush_elect(&f->flush)) {
        trove_flush_close(&f->flush);
        return NGX_OK;
    }

    /* to close it may take as long as to flush it */

    if (ngx_http_trove_job_start(&f->job) != NGX_OK) {
        return NGX_OK;
    }

    return ngx_http_trove_job_wait(&f->job, ms);
}


const char *
ngx_http_trove_unstored(ngx_http_trove_ctx_t *ctx)
{
    ngx_http_trove_t         *trove;
    ngx_http_trove_flush_t   *f;
    ngx_http_trove_worker_t  *w;

    w = ctx->worker;
    f = w->flush;

    if (w->trove->redis && !ngx_http_trove_redis_takes(w->redis)) {
        trove_stats_add(w->stats, store_refused, 1);
        ctx->status = NGX_HTTP_TROVE_UNSTORED;
        return NGX_HTTP_TROVE_UNSTORED_TEXT;
    }

    if (trove_likely(f == NULL)) {
        return NULL;
    }

    trove = w->trove;

    if (trove->ack == NGX_HTTP_TROVE_ACK_COMMIT) {

        if (f->hangs && trove_flush_durable(trove->ledger, f->stuck)) {
            f->hangs = 0;
        }

        if (f->hangs || trove_flush_state(trove->ledger) != TROVE_STORE_DONE) {
            trove_stats_add(w->stats, store_refused, 1);
            ctx->status = NGX_HTTP_TROVE_UNSTORED;
            return NGX_HTTP_TROVE_UNSTORED_TEXT;
        }

        ctx->unsettled = 1;
    }

    w->dirtied = 1;

    return NULL;
}


ngx_int_t
ngx_http_trove_settle(ngx_http_request_t *r, ngx_http_handler_pt answer)
{
    ngx_int_t               rc;
    ngx_http_trove_ctx_t   *ctx;

    rc = ngx_http_trove_settle_lines(r);

    if (rc == NGX_OK) {
        return answer(r);
    }

    if (rc != NGX_AGAIN) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->answer = answer;

    return ngx_http_trove_wait_detach(r);
}


/* This worker's own polls see at once what the answer says. */

ngx_int_t
ngx_http_trove_settle_lines(ngx_http_request_t *r)
{
    ngx_http_trove_t       *trove;
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_wait_t  *wait;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx->changed) {
        ctx->changed = 0;
        ngx_http_trove_changed(ctx->worker);
    }

    if (trove_likely(!ctx->unsettled && ctx->wait == NULL)) {
        return NGX_OK;
    }

    if (ctx->wait == NULL && ngx_http_trove_settle_begin(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait = ctx->wait;

    if (wait->failed) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ctx->unsettled) {
        ctx->unsettled = 0;
        trove = ctx->worker->trove;

        ngx_http_trove_wait_begin(wait, trove_flush_ticket(trove->ledger),
                                  ngx_current_msec + trove->ack_timeout);
    }

    return wait->unsettled ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_trove_settle_begin(ngx_http_request_t *r, ngx_http_trove_ctx_t *ctx)
{
    ngx_http_trove_wait_t  *wait;

    wait = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_wait_t));

    if (wait == NULL
        || ngx_http_trove_wait_init(r, wait, &ctx->worker->flush->waits,
                                    ctx->batch ? ctx->again : NULL,
                                    ngx_http_trove_settle_answer)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->wait = wait;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_trove_flush_durable(ngx_http_trove_waits_t *waits, uint64_t ticket)
{
    return trove_flush_durable(waits->worker->trove->ledger, ticket);
}


static void
ngx_http_trove_flush_waiting(ngx_http_trove_waits_t *waits)
{
    ngx_http_trove_flush_look(waits->worker->flush);
}


/* Those to come need not wait for what is not to be had. */

static void
ngx_http_trove_flush_vain(ngx_http_trove_waits_t *waits, uint64_t ticket)
{
    ngx_http_trove_flush_t  *f;

    f = waits->worker->flush;

    f->hangs = 1;
    f->stuck = ticket;

    trove_stats_add(waits->worker->stats, store_ack_timeouts, 1);
}


static void
ngx_http_trove_settle_answer(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_trove_ctx_t   *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    (void) ngx_http_trove_worker(ctx->worker->trove);

    rc = ctx->wait->failed ? ngx_http_trove_unsettled(r)
                           : ctx->answer(r);

    ngx_http_finalize_request(r, rc);
}


ngx_int_t
ngx_http_trove_unsettled(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->status = NGX_HTTP_TROVE_UNSTORED;

    return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "the store has not taken what was written, "
                                  "which may be lost yet");
}
