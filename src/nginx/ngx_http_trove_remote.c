
#include "ngx_http_trove.h"


/*
 * Writes of a request that Redis decides: one, or lines of a batch, which are
 * put by and answered together.  They are asked for as they come; then the
 * request waits until all are answered and this machine's copy has what they
 * have changed, so that whoever has the answer reads what it says.
 *
 * Or writes that are to wait in a queue there, for which it is enough that they
 * do; lines behind them that were carried out here are put by as well.
 */

struct ngx_http_trove_remote_s {
    ngx_http_trove_asker_t   asker;
    ngx_http_request_t      *request;
    ngx_http_trove_wait_t    wait;
    uint64_t                 log;           /* that the copy has to reach    */
    ngx_msec_t               deadline;
    ngx_uint_t               n;
    ngx_uint_t               max;
    ngx_uint_t               done;          /* answered by now               */
    ngx_http_trove_write_t  *writes;
};


static ngx_http_trove_remote_t *ngx_http_trove_remote_init(
    ngx_http_request_t *r, ngx_http_trove_write_t *writes, ngx_uint_t max);
static void ngx_http_trove_remote_cleanup(void *data);
static ngx_uint_t ngx_http_trove_remote_takes(ngx_http_trove_ctx_t *ctx);
static ngx_int_t ngx_http_trove_remote_answer(ngx_http_request_t *r);
static trove_rc_t ngx_http_trove_remote_ask(ngx_http_trove_ctx_t *ctx,
    trove_redis_op_t *op);
static void ngx_http_trove_remote_answered(ngx_http_trove_asker_t *asker,
    uint32_t index, trove_redis_result_t *result, uint64_t log, uint64_t now,
    ngx_uint_t last);
static ngx_uint_t ngx_http_trove_remote_pending(ngx_http_trove_remote_t *rm);
static void ngx_http_trove_remote_event(ngx_http_request_t *r);
static void ngx_http_trove_remote_rank(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write);

static ngx_uint_t ngx_http_trove_copied(ngx_http_trove_waits_t *waits,
    uint64_t ticket);
static void ngx_http_trove_copying(ngx_http_trove_waits_t *waits);
static void ngx_http_trove_uncopied_in_time(ngx_http_trove_waits_t *waits,
    uint64_t ticket);


void
ngx_http_trove_remote_start(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    w->copied.worker = w;
    w->copied.good = ngx_http_trove_copied;
    w->copied.look = ngx_http_trove_copying;
    w->copied.vain = ngx_http_trove_uncopied_in_time;

    ngx_http_trove_waits_init(&w->copied, cycle->log);
}


static ngx_uint_t
ngx_http_trove_copied(ngx_http_trove_waits_t *waits, uint64_t ticket)
{
    return trove_replica_log(waits->worker->trove->ledger) >= ticket;
}


static void
ngx_http_trove_copying(ngx_http_trove_waits_t *waits)
{
}


static void
ngx_http_trove_uncopied_in_time(ngx_http_trove_waits_t *waits, uint64_t ticket)
{
    trove_stats_add(waits->worker->stats, store_ack_timeouts, 1);
}


ngx_int_t
ngx_http_trove_remote(ngx_http_request_t *r, trove_redis_op_t *op)
{
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_remote_t  *rm;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (!ngx_http_trove_remote_takes(ctx)) {
        ctx->write->result.rc = TROVE_CANCELED;
        return ngx_http_trove_remote_answer(r);
    }

    rm = ngx_http_trove_remote_init(r, ctx->write, 1);

    if (rm == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_trove_remote_ask(ctx, op) != TROVE_OK) {
        return ngx_http_trove_remote_answer(r);
    }

    return ngx_http_trove_wait_detach(r);
}


ngx_http_trove_write_t *
ngx_http_trove_remote_line(ngx_http_request_t *r, trove_redis_op_t *op,
    trove_writer_t *out)
{
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_write_t   *write;
    ngx_http_trove_remote_t  *rm;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    rm = ctx->remote;

    if (ngx_http_trove_remote_room(r, out) != NGX_OK) {
        return NULL;
    }

    write = &rm->writes[rm->n];

    if (!ngx_http_trove_remote_takes(ctx)) {
        write->result.rc = TROVE_CANCELED;
        rm->n++;

    } else {
        (void) ngx_http_trove_remote_ask(ctx, op);
    }

    return write;
}


ngx_int_t
ngx_http_trove_remote_room(ngx_http_request_t *r, trove_writer_t *out)
{
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_remote_t  *rm;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    rm = ctx->remote;

    return (rm && rm->n == rm->max) ? ngx_http_trove_remote_flush(r, out)
                                    : NGX_OK;
}


ngx_http_trove_write_t *
ngx_http_trove_remote_put(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write)
{
    ngx_http_trove_write_t   *own;
    ngx_http_trove_remote_t  *rm;

    rm = ctx->remote;

    if (rm == NULL || rm->n == 0) {
        return NULL;
    }

    own = &rm->writes[rm->n++];
    *own = *write;

    /* seen before it is answered */

    if (write->type == TROVE_REDIS_PUT && write->result.rc == TROVE_OK) {
        ngx_http_trove_changed(ctx->worker);
    }

    return own;
}


ngx_uint_t
ngx_http_trove_remote_asks(ngx_http_trove_ctx_t *ctx)
{
    return ctx->remote && !ngx_queue_empty(&ctx->remote->asker.places);
}


ngx_uint_t
ngx_http_trove_remote_asks_of(ngx_http_trove_ctx_t *ctx, uint64_t target)
{
    return ctx->remote
           && ngx_http_trove_redis_asks(&ctx->remote->asker, target);
}


/* If not, it is counted by who answers, or here. */

static ngx_uint_t
ngx_http_trove_remote_takes(ngx_http_trove_ctx_t *ctx)
{
    return ctx->worker->trove->redis
           ? ngx_http_trove_unstored(ctx) == NULL
           : ngx_http_trove_redis_takes(ctx->worker->redis);
}


/* The one of a request. */

static ngx_int_t
ngx_http_trove_remote_answer(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_http_trove_overflowed(ctx, ctx->write);

    return (ctx->write->result.rc == TROVE_QUEUED) ? ngx_http_trove_queued(r)
                                                   : ctx->answer(r);
}


ngx_int_t
ngx_http_trove_remote_batch(ngx_http_request_t *r)
{
    ngx_http_trove_write_t  *writes;

    writes = ngx_palloc(r->pool, NGX_HTTP_TROVE_REMOTE_LINES
                                 * sizeof(ngx_http_trove_write_t));
    if (writes == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_trove_remote_init(r, writes, NGX_HTTP_TROVE_REMOTE_LINES)
           ? NGX_OK : NGX_ERROR;
}


static ngx_http_trove_remote_t *
ngx_http_trove_remote_init(ngx_http_request_t *r,
    ngx_http_trove_write_t *writes, ngx_uint_t max)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_remote_t  *rm;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    rm = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_remote_t));
    if (rm == NULL) {
        return NULL;
    }

    ngx_queue_init(&rm->asker.places);

    rm->asker.answered = ngx_http_trove_remote_answered;
    rm->request = r;
    rm->writes = writes;
    rm->max = max;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_trove_remote_cleanup;
    cln->data = rm;

    if (ngx_http_trove_wait_init(r, &rm->wait, &ctx->worker->copied,
                                 ctx->batch ? ctx->again : NULL,
                                 ngx_http_trove_remote_event)
        != NGX_OK)
    {
        return NULL;
    }

    ctx->remote = rm;

    return rm;
}


/* Nobody waits any longer, and nothing goes on. */

static void
ngx_http_trove_remote_cleanup(void *data)
{
    ngx_http_trove_remote_t  *rm = data;

    rm->request = NULL;

    ngx_http_trove_redis_forget(&rm->asker);
}


/* The request may live on, for a client who still sends. */

void
ngx_http_trove_remote_end(ngx_http_trove_ctx_t *ctx)
{
    if (ctx->remote) {
        ngx_http_trove_remote_cleanup(ctx->remote);
        ngx_http_trove_wait_end(&ctx->remote->wait);
    }
}


static trove_rc_t
ngx_http_trove_remote_ask(ngx_http_trove_ctx_t *ctx, trove_redis_op_t *op)
{
    trove_rc_t                rc;
    ngx_msec_t                timeout;
    ngx_uint_t                asks;
    ngx_http_trove_worker_t  *w;
    ngx_http_trove_remote_t  *rm;

    w = ctx->worker;
    rm = ctx->remote;

    asks = !ngx_queue_empty(&rm->asker.places);

    rc = ngx_http_trove_redis_ask(w->redis, op, ctx->since, &rm->asker,
                                  rm->n);

    rm->writes[rm->n++].result.rc = rc;

    if (rc == TROVE_OK) {

        if (!asks) {
            ngx_http_trove_waits_count(&w->copied, 1);
        }

        timeout = ngx_http_trove_redis_timeout(w->redis);
        rm->deadline = ngx_current_msec + timeout;

        if (!rm->wait.again->event.timer_set) {
            ngx_add_timer(&rm->wait.again->event, timeout);
        }
    }

    return rc;
}


static void
ngx_http_trove_remote_answered(ngx_http_trove_asker_t *asker, uint32_t index,
    trove_redis_result_t *result, uint64_t log, uint64_t now, ngx_uint_t last)
{
    ngx_http_trove_remote_t  *rm;

    rm = (ngx_http_trove_remote_t *) asker;

    if (last) {
        ngx_http_trove_waits_count(rm->wait.waits, -1);
    }

    if (rm->request == NULL) {
        return;
    }

    rm->writes[index].result = *result;
    rm->writes[index].now = now / 1000;

    if (log > rm->log) {
        rm->log = log;
    }

    if (!last) {
        return;
    }

    if (ngx_http_trove_copied(rm->wait.waits, rm->log)) {
        ngx_http_trove_again(rm->wait.again);

    } else {
        ngx_http_trove_wait_begin(&rm->wait, rm->log, rm->deadline);
    }
}


/* Whether to wait, and until when. */

static ngx_uint_t
ngx_http_trove_remote_pending(ngx_http_trove_remote_t *rm)
{
    ngx_uint_t      i;
    ngx_event_t    *ev;
    ngx_msec_int_t  left;

    if (rm->wait.queued) {
        return 1;
    }

    if (!ngx_queue_empty(&rm->asker.places)) {
        left = rm->deadline - ngx_current_msec;
        ev = &rm->wait.again->event;

        if (left > 0) {

            if (!ev->timer_set) {
                ngx_add_timer(ev, left);
            }

            return 1;
        }

        if (rm->wait.waits->worker->trove->redis) {
            trove_stats_add(rm->wait.waits->worker->stats, store_ack_timeouts,
                            1);
        }

        /* what was answered in time the copy may lack */

        rm->wait.failed = !ngx_http_trove_copied(rm->wait.waits, rm->log);
        rm->log = 0;

        ngx_http_trove_redis_forget(&rm->asker);
        ngx_http_trove_again_stop(rm->wait.again);
    }

    if (rm->wait.failed) {
        rm->wait.failed = 0;

        for (i = rm->done; i < rm->n; i++) {

            if (rm->writes[i].result.rc == TROVE_OK) {
                rm->writes[i].result.rc = TROVE_AGAIN;
            }
        }
    }

    return 0;
}


static void
ngx_http_trove_remote_event(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ngx_http_trove_remote_pending(ctx->remote)) {
        return;
    }

    (void) ngx_http_trove_worker(ctx->worker->trove);

    ngx_http_trove_remote_rank(ctx, ctx->write);

    ngx_http_finalize_request(r, ngx_http_trove_remote_answer(r));
}


ngx_int_t
ngx_http_trove_remote_flush(ngx_http_request_t *r, trove_writer_t *out)
{
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_write_t   *write;
    ngx_http_trove_remote_t  *rm;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    rm = ctx->remote;

    if (rm == NULL || rm->n == 0) {
        return NGX_OK;
    }

    if (ngx_http_trove_remote_pending(rm)) {
        return NGX_AGAIN;
    }

    for (rm->done = 0; rm->done < rm->n; rm->done++) {
        write = &rm->writes[rm->done];

        ngx_http_trove_remote_rank(ctx, write);
        ngx_http_trove_batch_written(r, write, out);
    }

    rm->n = 0;
    rm->done = 0;
    rm->log = 0;

    return NGX_OK;
}


ngx_uint_t
ngx_http_trove_is_remote(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    return ctx->worker->redis != NULL;
}


ngx_uint_t
ngx_http_trove_remote_waits(ngx_http_trove_ctx_t *ctx)
{
    return ctx->remote
           && (ctx->remote->wait.queued
               || !ngx_queue_empty(&ctx->remote->asker.places));
}


/* Redis has no order of a board: the rank is that in the copy. */

static void
ngx_http_trove_remote_rank(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write)
{
    int                        period;
    char                      *text;
    u_char                    *mark;
    uint32_t                   n;
    trove_rc_t                 rc;
    trove_arena_t             *arena;
    trove_slice_t              player;
    trove_ledger_t            *ledger;
    trove_board_entry_t        entry;
    trove_board_state_t        state;
    trove_board_written_t     *written;

    if (write->type != TROVE_REDIS_SCORE
        || write->result.rc != TROVE_OK
        || ctx->worker->trove->redis == NULL)
    {
        return;
    }

    arena = &ctx->worker->arena;
    ledger = ctx->worker->trove->ledger;
    written = &write->result.u.score;
    written->rank = 0;

    mark = arena->pos;
    text = trove_arena_alloc(arena,
                             trove_board_conf(ledger, write->board)->row);
    if (text == NULL) {
        write->result.rc = TROVE_AGAIN;     /* it was carried out */
        return;
    }

    player.data = write->player;
    player.len = write->len;

    trove_board_state(ledger, write->board, 0, write->now, &state);

    /* what is repeated may be of the period before */

    period = (state.ends == written->ends) ? 0 : -1;

    rc = trove_board_around(ledger, write->board, period, write->now, &player,
                            0, text, &entry, &n, &state);

    if (rc == TROVE_OK) {
        written->rank = entry.rank;

    } else {

        /* it is held; or somebody else has removed the row by now */

        write->result.rc = TROVE_AGAIN;
    }

    trove_arena_rewind(arena, mark);
}
