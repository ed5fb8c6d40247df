
#include "ngx_http_trove.h"


static ngx_int_t ngx_http_trove_write_remote(ngx_http_request_t *r,
    trove_redis_op_t *op, uint64_t number, trove_writer_t *out,
    ngx_uint_t overflows);
static void ngx_http_trove_write_begin(ngx_http_trove_write_t *write,
    const trove_redis_op_t *op);
static trove_rc_t ngx_http_trove_write_local(ngx_http_trove_ctx_t *ctx,
    trove_redis_op_t *op, trove_redis_result_t *result);
static trove_rc_t ngx_http_trove_write_room(ngx_http_trove_ctx_t *ctx,
    trove_redis_op_t *op);
static trove_rc_t ngx_http_trove_write_claim(ngx_http_trove_worker_t *w,
    trove_claim_request_t *request, trove_claim_t *claim);
static trove_rc_t ngx_http_trove_write_tap(ngx_http_trove_worker_t *w,
    trove_tap_request_t *request, trove_tap_t *tap);
static trove_rc_t ngx_http_trove_write_score(ngx_http_trove_worker_t *w,
    trove_redis_op_t *op, trove_board_written_t *written);


ngx_int_t
ngx_http_trove_write(ngx_http_request_t *r, trove_redis_op_t *op,
    ngx_http_handler_pt written)
{
    ngx_http_trove_ctx_t    *ctx;
    ngx_http_trove_write_t  *write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx->write == NULL) {
        ctx->write = ngx_palloc(r->pool, sizeof(ngx_http_trove_write_t));
        if (ctx->write == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    write = ctx->write;

    ngx_http_trove_write_begin(write, op);

    ctx->answer = written;

    if (ctx->worker->trove->redis) {
        return ngx_http_trove_remote(r, op);
    }

    write->result.rc = ngx_http_trove_write_local(ctx, op, &write->result);

    if (write->result.rc == TROVE_BUSY && ngx_http_trove_patient(ctx)) {
        return NGX_BUSY;
    }

    if (write->result.rc == TROVE_FULL && ctx->worker->trove->overflow) {
        write->overflows = 1;

        return ngx_http_trove_remote(r, op);
    }

    return written(r);
}


ngx_int_t
ngx_http_trove_write_line(ngx_http_request_t *r, trove_redis_op_t *op,
    uint64_t number, trove_writer_t *out)
{
    ngx_http_trove_ctx_t    *ctx;
    ngx_http_trove_write_t   write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx->worker->trove->redis) {
        return ngx_http_trove_write_remote(r, op, number, out, 0);
    }

    if (ngx_http_trove_remote_room(r, out) != NGX_OK) {
        return NGX_AGAIN;
    }

    write.number = number;

    ngx_http_trove_write_begin(&write, op);

    write.result.rc = ngx_http_trove_write_local(ctx, op, &write.result);

    if (write.result.rc == TROVE_BUSY) {

        if (ngx_http_trove_patient(ctx)) {
            return NGX_AGAIN;
        }

    } else {
        ctx->held = 0;
    }

    if (write.result.rc == TROVE_FULL && ctx->worker->trove->overflow) {
        return ngx_http_trove_write_remote(r, op, number, out, 1);
    }

    /* answers come in the order of the lines */

    if (!ngx_http_trove_remote_put(ctx, &write)) {
        ngx_http_trove_batch_written(r, &write, out);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_write_remote(ngx_http_request_t *r, trove_redis_op_t *op,
    uint64_t number, trove_writer_t *out, ngx_uint_t overflows)
{
    ngx_http_trove_write_t  *write;

    write = ngx_http_trove_remote_line(r, op, out);

    if (write == NULL) {
        return NGX_AGAIN;
    }

    ngx_http_trove_write_begin(write, op);

    write->number = number;
    write->overflows = overflows;

    return NGX_OK;
}


/* What the answer needs of it; the request's text may be gone by then. */

static void
ngx_http_trove_write_begin(ngx_http_trove_write_t *write,
    const trove_redis_op_t *op)
{
    const trove_slice_t  *player;

    write->type = op->type;
    write->board = op->board;
    write->overflows = 0;
    write->id = trove_redis_op_reward(op);

    player = trove_redis_op_player(op);

    if (player) {
        ngx_memcpy(write->player, player->data, player->len);
        write->len = player->len;
    }
}


static trove_rc_t
ngx_http_trove_write_local(ngx_http_trove_ctx_t *ctx, trove_redis_op_t *op,
    trove_redis_result_t *result)
{
    trove_rc_t                rc;
    trove_ledger_t           *ledger;
    ngx_http_trove_worker_t  *w;

    if (ngx_http_trove_unstored(ctx)) {
        return TROVE_CANCELED;
    }

    w = ctx->worker;
    ledger = w->trove->ledger;

    if (w->trove->overflow) {
        rc = ngx_http_trove_overtakes(ctx, op);

        if (rc == TROVE_FULL) {
            return ngx_http_trove_write_room(ctx, op);
        }

        if (rc != TROVE_OK) {
            return rc;
        }
    }

    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        return ngx_http_trove_write_claim(w, &op->u.claim, &result->u.claim);

    case TROVE_REDIS_TAP:
        return ngx_http_trove_write_tap(w, &op->u.tap, &result->u.tap);

    case TROVE_REDIS_SCORE:
        return ngx_http_trove_write_score(w, op, &result->u.score);

    case TROVE_REDIS_UNSCORE:
        return trove_board_remove(ledger, op->board, &op->u.unscore,
                                  ngx_http_trove_board_now());

    case TROVE_REDIS_PUT:
        return trove_ledger_put(ledger, &op->u.put, &result->u.version);

    default: /* TROVE_REDIS_REMOVE */
        return trove_ledger_remove(ledger, op->u.remove, &result->u.version);
    }
}


/*
 * What is to wait, and makes room, makes it at once, for what waits before it
 * may need that; it waits all the same, for what it is about may be there again
 * then.
 */

static trove_rc_t
ngx_http_trove_write_room(ngx_http_trove_ctx_t *ctx, trove_redis_op_t *op)
{
    uint64_t         version;
    trove_rc_t       rc;
    trove_ledger_t  *ledger;

    ledger = ctx->worker->trove->ledger;

    switch (op->type) {

    case TROVE_REDIS_REMOVE:
        rc = trove_ledger_remove(ledger, op->u.remove, &version);

        if (rc == TROVE_OK) {
            ngx_http_trove_changed(ctx->worker);
        }

        break;

    case TROVE_REDIS_UNSCORE:
        rc = trove_board_remove(ledger, op->board, &op->u.unscore,
                                ngx_http_trove_board_now());
        break;

    default:
        rc = TROVE_OK;
    }

    return (rc == TROVE_BUSY) ? rc : TROVE_FULL;
}


static trove_rc_t
ngx_http_trove_write_claim(ngx_http_trove_worker_t *w,
    trove_claim_request_t *request, trove_claim_t *claim)
{
    trove_rc_t   rc;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    request->now = (uint64_t) tp->sec * 1000 + tp->msec;

    rc = ngx_http_trove_redo(w);

    return (rc == TROVE_OK)
           ? trove_claim(w->redo, &w->trove->rules, request, claim) : rc;
}


/* nginx's time stands still in a turn, and rates are finer than its ms. */

static trove_rc_t
ngx_http_trove_write_tap(ngx_http_trove_worker_t *w,
    trove_tap_request_t *request, trove_tap_t *tap)
{
    trove_rc_t       rc;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    request->now = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    request->interval = w->trove->tap_interval;
    request->burst = w->trove->tap_burst;

    rc = ngx_http_trove_redo(w);

    return (rc == TROVE_OK) ? trove_tap(w->redo, request, tap) : rc;
}


static trove_rc_t
ngx_http_trove_write_score(ngx_http_trove_worker_t *w, trove_redis_op_t *op,
    trove_board_written_t *written)
{
    op->u.score.now = ngx_http_trove_board_now();

    return trove_board_write(w->trove->ledger, op->board, &op->u.score,
                             written);
}


const char *
ngx_http_trove_unwritten(ngx_http_trove_ctx_t *ctx, trove_rc_t rc)
{
    switch (rc) {

    case TROVE_CANCELED:
        ctx->status = NGX_HTTP_TROVE_UNSTORED;
        return ctx->overflows ? "there is no room for it, or others may wait "
                                "before it, and where it could wait is not "
                                "reached at present"
                              : NGX_HTTP_TROVE_UNSTORED_TEXT;

    case TROVE_AGAIN:
        ctx->status = NGX_HTTP_TROVE_UNSTORED;

        if (ctx->overflows) {
            return "there is no room for it, or others may wait before it, "
                   "and where it is to wait has not answered in time: it may "
                   "have been queued";
        }

        return "the store has not answered in time: it may have been carried "
               "out, and may be asked for again";

    case TROVE_BUSY:
        return ngx_http_trove_busy(ctx);

    case TROVE_NOMEM:
        return ngx_http_trove_exhausted(ctx);

    default:
        return "the trove does not take it";
    }
}
