
#include "ngx_http_trove.h"


/*
 * A worker that shuts down waits for timers, not for posted events: one that
 * never fires stands beside them.
 */

#define NGX_HTTP_TROVE_AGAIN_GUARD  1000

#define NGX_HTTP_TROVE_PATIENCE     1000     /* ms                           */


struct ngx_http_trove_tried_s {
    ngx_http_handler_pt     handler;
    ngx_http_trove_again_t  again;
};


static void ngx_http_trove_again_event(ngx_event_t *ev);
static void ngx_http_trove_again_cleanup(void *data);
static void ngx_http_trove_try_again(ngx_http_request_t *r);


ngx_int_t
ngx_http_trove_again_init(ngx_http_request_t *r, ngx_http_trove_again_t *again,
    ngx_http_event_handler_pt handler)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_trove_again_cleanup;
    cln->data = again;

    ngx_memzero(again, sizeof(ngx_http_trove_again_t));

    again->request = r;
    again->handler = handler;

    again->event.handler = ngx_http_trove_again_event;
    again->event.data = again;
    again->event.log = r->connection->log;

    return NGX_OK;
}


void
ngx_http_trove_again(ngx_http_trove_again_t *again)
{
    ngx_add_timer(&again->event, NGX_HTTP_TROVE_AGAIN_GUARD);
    ngx_post_event(&again->event, &ngx_posted_next_events);
}


void
ngx_http_trove_again_later(ngx_http_trove_again_t *again)
{
    ngx_add_timer(&again->event, NGX_HTTP_TROVE_AGAIN_LATER);
}


void
ngx_http_trove_again_stop(ngx_http_trove_again_t *again)
{
    if (again->event.timer_set) {
        ngx_del_timer(&again->event);
    }

    if (again->event.posted) {
        ngx_delete_posted_event(&again->event);
    }
}


static void
ngx_http_trove_again_event(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_trove_again_t  *again;

    again = ev->data;
    r = again->request;
    c = r->connection;

    ngx_http_trove_again_stop(again);

    ngx_http_set_log_request(c->log, r);

    again->handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_trove_again_cleanup(void *data)
{
    ngx_http_trove_again_stop(data);
}


ngx_int_t
ngx_http_trove_try(ngx_http_request_t *r, ngx_http_handler_pt handler)
{
    ngx_int_t                rc;
    ngx_http_trove_ctx_t    *ctx;
    ngx_http_trove_tried_t  *tried;

    rc = handler(r);

    if (trove_likely(rc != NGX_BUSY)) {
        return rc;
    }

    tried = ngx_palloc(r->pool, sizeof(ngx_http_trove_tried_t));

    if (tried == NULL
        || ngx_http_trove_watch(r) != NGX_OK
        || ngx_http_trove_again_init(r, &tried->again,
                                     ngx_http_trove_try_again)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tried->handler = handler;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->tried = tried;
    ctx->spent += trove_clock_ns() - ctx->started;

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_trove_again_later(&tried->again);

    return NGX_DONE;
}


static void
ngx_http_trove_try_again(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->started = trove_clock_ns();

    (void) ngx_http_trove_worker(ctx->worker->trove);

    rc = ctx->tried->handler(r);

    if (rc != NGX_BUSY) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ctx->spent += trove_clock_ns() - ctx->started;

    ngx_http_trove_again_later(&ctx->tried->again);
}


ngx_uint_t
ngx_http_trove_patient(ngx_http_trove_ctx_t *ctx)
{
    return ngx_http_trove_patient_for(ctx, NGX_HTTP_TROVE_PATIENCE);
}


ngx_uint_t
ngx_http_trove_patient_for(ngx_http_trove_ctx_t *ctx, ngx_msec_t ms)
{
    uint64_t  now;

    now = trove_clock_ns();

    if (ctx->held == 0) {
        ctx->held = now;
    }

    return now - ctx->held < (uint64_t) ms * 1000000;
}


const char *
ngx_http_trove_busy(ngx_http_trove_ctx_t *ctx)
{
    ctx->status = NGX_HTTP_TROVE_BUSY;

    trove_stats_add(ctx->worker->stats, ledger_busy, 1);

    return "the ledger is held by another process";
}
