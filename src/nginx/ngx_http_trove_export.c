
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_EXPORT_SIZE   65536   /* of one buffer of rewards     */
#define NGX_HTTP_TROVE_EXPORT_SLOTS  16384   /* looked at in one turn        */
#define NGX_HTTP_TROVE_EXPORT_HELD   5000    /* ms that a slot may be held   */


/* An export on its way: one buffer, filled again when nginx has sent it. */

typedef struct {
    uint32_t      slot;                      /* the next one                 */
    ngx_buf_t    *buf;
    ngx_chain_t  *free;                      /* the one link of "buf"        */
    ngx_chain_t  *busy;
    unsigned      held:1;                    /* the slot                     */

    ngx_http_trove_again_t  again;
} ngx_http_trove_export_t;


static void ngx_http_trove_export_event(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_export_send(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_export_filter(ngx_http_request_t *r,
    ngx_http_trove_export_t *ex, ngx_buf_t *b);
static ngx_int_t ngx_http_trove_export_last(ngx_http_request_t *r,
    ngx_http_trove_export_t *ex);
static ngx_int_t ngx_http_trove_export_fill(ngx_http_request_t *r,
    ngx_http_trove_export_t *ex);
static ngx_int_t ngx_http_trove_export_next(ngx_http_request_t *r,
    ngx_http_trove_export_t *ex);
static ngx_int_t ngx_http_trove_export_hold(ngx_http_request_t *r,
    ngx_http_trove_export_t *ex);
static void ngx_http_trove_export_unhurried(ngx_http_request_t *r);


/*
 * Each reward as it is when its turn comes; those that are there all along
 * are all in it, once.
 */

ngx_int_t
ngx_http_trove_export(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_export_t  *ex;

    if (ngx_http_trove_watch(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_header(r, NGX_HTTP_OK, "application/x-ndjson", -1);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_trove_record(r, NGX_HTTP_OK);
        return rc;
    }

    ex = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_export_t));
    if (ex == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->data = ex;

    ex->buf = ngx_create_temp_buf(r->pool, NGX_HTTP_TROVE_EXPORT_SIZE);
    if (ex->buf == NULL) {
        return NGX_ERROR;
    }

    ex->buf->tag = (ngx_buf_tag_t) &ngx_http_trove_module;

    if (ngx_http_trove_again_init(r, &ex->again, ngx_http_trove_export_event)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_trove_export_event;

    ngx_http_trove_export_event(r);

    return NGX_DONE;
}


static void
ngx_http_trove_export_event(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_export_t  *ex;

    if (r->connection->write->timedout) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->started = ctx->recorded ? ctx->started : trove_clock_ns();

    ex = ctx->data;

    ngx_http_trove_again_stop(&ex->again);

    rc = ngx_http_trove_export_send(r);

    if (rc == NGX_AGAIN) {
        ctx->spent += trove_clock_ns() - ctx->started;
        return;
    }

    if (rc == NGX_OK) {
        ngx_http_trove_record(r, NGX_HTTP_OK);
    }

    ngx_http_finalize_request(r, rc);
}


/* NGX_OK: all is handed over; NGX_AGAIN: an event goes on with it. */

static ngx_int_t
ngx_http_trove_export_send(ngx_http_request_t *r)
{
    ngx_int_t                 rc, last;
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_export_t  *ex;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ex = ctx->data;

    if (ex->busy) {
        rc = ngx_http_trove_export_filter(r, ex, NULL);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    last = ngx_http_trove_export_fill(r, ex);

    /* what is left of a copy that is loaded anew would look like all of it */

    if (ngx_http_trove_torn(ctx)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "an export of trove \"%V\" ends early: its store is "
                      "read anew", &ctx->worker->trove->name);
        return NGX_ERROR;
    }

    if (last) {
        return ngx_http_trove_export_last(r, ex);
    }

    if (ex->buf->pos != ex->buf->last) {
        rc = ngx_http_trove_export_filter(r, ex, ex->buf);

        if (rc != NGX_OK) {
            return rc;
        }

    } else if (ex->held) {
        return ngx_http_trove_export_hold(r, ex);
    }

    /* a fast client must not keep the others waiting */

    return ngx_http_trove_export_next(r, ex);
}


/* NGX_OK: nginx has sent it; NGX_AGAIN: it is waited for that. */

static ngx_int_t
ngx_http_trove_export_filter(ngx_http_request_t *r,
    ngx_http_trove_export_t *ex, ngx_buf_t *b)
{
    ngx_chain_t  *cl;

    cl = NULL;

    if (b && ex->free) {
        cl = ex->free;
        ex->free = NULL;

    } else if (b) {
        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        cl->buf = b;
        cl->next = NULL;
    }

    if (ngx_http_output_filter(r, cl) == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_chain_update_chains(r->pool, &ex->free, &ex->busy, &cl,
                            (ngx_buf_tag_t) &ngx_http_trove_module);

    return ex->busy ? ngx_http_trove_out_wait(r) : NGX_OK;
}


static ngx_int_t
ngx_http_trove_export_last(ngx_http_request_t *r, ngx_http_trove_export_t *ex)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    ex->buf->last_buf = (r == r->main) ? 1 : 0;
    ex->buf->last_in_chain = 1;
    ex->buf->temporary = (ex->buf->pos != ex->buf->last);

    out.buf = ex->buf;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    return (rc == NGX_AGAIN) ? NGX_OK : rc;
}


/* Returns whether these were the last. */

static ngx_int_t
ngx_http_trove_export_fill(ngx_http_request_t *r, ngx_http_trove_export_t *ex)
{
    uint32_t               slots, end;
    ngx_buf_t             *b;
    trove_rc_t             rc;
    trove_ledger_t        *ledger;
    trove_writer_t         w;
    trove_reward_t         reward;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ledger = ctx->worker->trove->ledger;

    b = ex->buf;
    b->pos = b->start;

    trove_writer_init(&w, b->start, b->end - b->start);

    slots = trove_ledger_slots(ledger);
    end = ngx_min((uint64_t) slots,
                  (uint64_t) ex->slot + NGX_HTTP_TROVE_EXPORT_SLOTS);

    ex->held = 0;

    while (ex->slot < end && w.end - w.pos >= NGX_HTTP_TROVE_REWARD_TEXT) {

        rc = trove_ledger_row(ledger, ex->slot, &reward);

        if (rc == TROVE_BUSY) {
            ex->held = 1;
            break;
        }

        if (rc == TROVE_OK) {
            ngx_http_trove_reward_write(&w, &reward);
            trove_write_lit(&w, "\n");
            ctx->found++;
        }

        ctx->held = 0;
        ex->slot++;
    }

    b->last = w.pos;

    return ex->slot >= slots;
}


/* Goes on in the next turn of the event loop. */

static ngx_int_t
ngx_http_trove_export_next(ngx_http_request_t *r, ngx_http_trove_export_t *ex)
{
    if (r->connection->write->delayed) {

        /* limit_rate has set the timer that goes on with it */

        return ngx_http_trove_out_wait(r);
    }

    ngx_http_trove_export_unhurried(r);
    ngx_http_trove_again(&ex->again);

    return NGX_AGAIN;
}


/*
 * Somebody is in the middle of the row that is next, and does not move.  One
 * that never does ends the answer where it is, which its client sees.
 */

static ngx_int_t
ngx_http_trove_export_hold(ngx_http_request_t *r, ngx_http_trove_export_t *ex)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (!ngx_http_trove_patient_for(ctx, NGX_HTTP_TROVE_EXPORT_HELD)) {

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "%s, the export of trove \"%V\" is cut off",
                      ngx_http_trove_busy(ctx), &ctx->worker->trove->name);

        ngx_http_trove_record(r, NGX_HTTP_SERVICE_UNAVAILABLE);

        return NGX_ERROR;
    }

    ngx_http_trove_export_unhurried(r);
    ngx_http_trove_again_later(&ex->again);

    return NGX_AGAIN;
}


/* It is not the client's reading that is waited for now. */

static void
ngx_http_trove_export_unhurried(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (r == r->main && wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }
}


/* What it writes can be posted back. */

void
ngx_http_trove_reward_write(trove_writer_t *w, const trove_reward_t *r)
{
    trove_write_lit(w, "{\"id\":");
    trove_write_uint(w, r->id);
    trove_write_lit(w, ",\"x\":");
    trove_write_double(w, r->x);
    trove_write_lit(w, ",\"y\":");
    trove_write_double(w, r->y);
    trove_write_lit(w, ",\"value\":");
    trove_write_int(w, r->value);
    trove_write_lit(w, ",\"level\":");
    trove_write_double(w, r->level);
    trove_write_lit(w, ",\"stock\":");
    trove_write_uint(w, r->stock);

    if (r->starts) {
        trove_write_lit(w, ",\"starts\":");
        trove_write_uint(w, r->starts);
    }

    if (r->expires) {
        trove_write_lit(w, ",\"expires\":");
        trove_write_uint(w, r->expires);
    }

    trove_write_lit(w, "}");
}
