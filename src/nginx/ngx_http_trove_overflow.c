
#include "ngx_http_trove.h"


/*
 * What the ledger has no room for waits in a queue, see trove_overflow.h.  So
 * does what may be about something that waits there: a later write would
 * overtake an earlier one.
 */


uint32_t
ngx_http_trove_queue(trove_redis_type_t type, uint32_t board)
{
    switch (type) {

    case TROVE_REDIS_CLAIM:
    case TROVE_REDIS_TAP:
        return TROVE_MARK_PLAYERS;

    case TROVE_REDIS_SCORE:
    case TROVE_REDIS_UNSCORE:
        return TROVE_MARK_BOARDS + board;

    default: /* TROVE_REDIS_PUT, TROVE_REDIS_REMOVE */
        return TROVE_MARK_REWARDS;
    }
}


/* All lines of a batch are for the same queue. */

trove_rc_t
ngx_http_trove_overtakes(ngx_http_trove_ctx_t *ctx, trove_redis_op_t *op)
{
    uint32_t         queue;
    uint64_t         target;
    trove_rc_t       rc;
    trove_ledger_t  *ledger;

    ledger = ctx->worker->trove->ledger;
    queue = ngx_http_trove_queue(op->type, op->board);

    /*
     * if it is not known that any waits, others may get room for the same until
     * this is known to
     */

    ctx->since = trove_mark_sure(ledger) ? trove_mark(ledger, queue)
                                         : TROVE_MARK_UNKNOWN;

    if (!trove_mark_pending(ledger, queue)) {
        ctx->since = TROVE_MARK_UNKNOWN;

        if (!ngx_http_trove_remote_asks(ctx)) {
            return TROVE_OK;
        }
    }

    rc = trove_overflow_has_target(ledger, queue, op,
                                   ngx_http_trove_board_now());

    if (rc != TROVE_OK) {
        return (rc == TROVE_NOTFOUND) ? TROVE_FULL : rc;
    }

    target = trove_overflow_target(ledger, op);

    return (trove_mark_behind(ledger, queue, target)
            || ngx_http_trove_remote_asks_of(ctx, target))
           ? TROVE_FULL : TROVE_OK;
}


void
ngx_http_trove_overflowed(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write)
{
    ctx->overflows = write->overflows;

    if (write->overflows
        && (write->result.rc == TROVE_CANCELED
            || write->result.rc == TROVE_AGAIN))
    {
        trove_stats_add(ctx->worker->stats, overflow_away, 1);
    }
}


ngx_int_t
ngx_http_trove_queued(ngx_http_request_t *r)
{
    trove_writer_t         w;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ngx_http_trove_writer(r, &w, sizeof("{\"queued\":true}") - 1) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    trove_write_lit(&w, "{\"queued\":true}");

    ctx->status = NGX_HTTP_TROVE_QUEUED;

    return ngx_http_trove_answer(r, NGX_HTTP_ACCEPTED, "application/json", &w);
}


void
ngx_http_trove_queued_line(ngx_http_request_t *r, trove_writer_t *out)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    trove_write_lit(out, "{\"queued\":true}\n");

    ctx->status = NGX_HTTP_TROVE_BATCH;

    trove_stats_endpoint_add(ctx->worker->stats, ctx->endpoint, lines_ok, 1);
}
