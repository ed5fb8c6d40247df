
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_TURN_SIZE     131072  /* input taken in one turn      */
#define NGX_HTTP_TROVE_TURN_NS       200000  /* spent on lines in one turn   */
#define NGX_HTTP_TROVE_TURN_LINES    8       /* between looks at the clock,  */
#define NGX_HTTP_TROVE_TURN_SCANNED  65536   /* or rewards scanned           */
#define NGX_HTTP_TROVE_FILE_SIZE     65536   /* read of a temp file at once  */


struct ngx_http_trove_batch_s {
    const ngx_http_trove_batch_ops_t  *ops;
    const trove_field_t               *fields;
    ngx_uint_t                         nfields;

    trove_lines_t                      lines;

    ngx_chain_t                       *in;       /* not yet cut into lines   */
    ngx_buf_t                         *file_buf; /* a piece of a temp file   */

    size_t                             left;     /* input of this turn       */

    ngx_http_trove_out_t               out;

    ngx_http_trove_again_t             again;
};


static void ngx_http_trove_batch_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_copy(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static void ngx_http_trove_batch_event(ngx_http_request_t *r);
static void ngx_http_trove_batch_again(ngx_http_request_t *r);
static void ngx_http_trove_batch_finalize(ngx_http_request_t *r, ngx_int_t rc);
static ngx_int_t ngx_http_trove_batch_run(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_turn(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_yield(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static void ngx_http_trove_batch_unhurried(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_more(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_fill(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, ngx_buf_t *b);
static ngx_int_t ngx_http_trove_batch_lines(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, trove_json_t *json, ngx_buf_t *b,
    ngx_uint_t final);
static ngx_int_t ngx_http_trove_batch_line(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, trove_json_t *json, trove_rc_t rc,
    trove_slice_t *line);
static ngx_int_t ngx_http_trove_batch_flush(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, ngx_int_t rc);
static ngx_int_t ngx_http_trove_batch_held(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_uint_t ngx_http_trove_batch_late(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_finish(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);


ngx_int_t
ngx_http_trove_read_batch(ngx_http_request_t *r,
    const ngx_http_trove_batch_ops_t *ops, size_t answer_max,
    const trove_field_t *fields, ngx_uint_t nfields)
{
    u_char                  *carry;
    ngx_http_trove_ctx_t    *ctx;
    ngx_http_trove_batch_t  *batch;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    batch = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_batch_t));
    carry = ngx_pnalloc(r->pool, NGX_HTTP_TROVE_OBJECT_MAX);

    if (batch == NULL || carry == NULL
        || ngx_http_trove_again_init(r, &batch->again,
                                     ngx_http_trove_batch_again)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    batch->ops = ops;
    batch->fields = fields;
    batch->nfields = nfields;
    batch->out.answer_max = answer_max;
    batch->out.settle = ops->settle;

    trove_lines_init(&batch->lines, carry, NGX_HTTP_TROVE_OBJECT_MAX);

    ctx->batch = batch;
    ctx->again = &batch->again;

    if (ops->written && ngx_http_trove_is_remote(r)
        && ngx_http_trove_remote_batch(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->request_body_no_buffering = 1;

    return ngx_http_trove_body_await(r, ngx_http_trove_batch_body);
}


static void
ngx_http_trove_batch_body(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (r != r->main || r->preserve_body) {

        if (ngx_http_trove_batch_copy(r, ctx->batch) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }

    } else if (r->request_body) {
        ctx->batch->in = r->request_body->bufs;
        r->request_body->bufs = NULL;
    }

    r->read_event_handler = ngx_http_trove_batch_event;
    r->write_event_handler = ngx_http_trove_batch_event;

    ngx_http_trove_batch_finalize(r, ngx_http_trove_batch_run(r));
}


/* The body is shared with a mirror's requests: only its memory is taken. */

static ngx_int_t
ngx_http_trove_batch_copy(ngx_http_request_t *r, ngx_http_trove_batch_t *batch)
{
    ngx_buf_t    *b;
    ngx_chain_t  *in, *cl, **ll;

    ll = &batch->in;

    for (in = r->request_body ? r->request_body->bufs : NULL;
         in;
         in = in->next)
    {
        b = ngx_alloc_buf(r->pool);
        cl = ngx_alloc_chain_link(r->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        *b = *in->buf;

        cl->buf = b;
        cl->next = NULL;
        *ll = cl;
        ll = &cl->next;
    }

    return NGX_OK;
}


static void
ngx_http_trove_batch_event(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->write->timedout || c->read->timedout) {
        c->timedout = 1;
        ngx_http_trove_batch_finalize(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ngx_http_trove_batch_finalize(r, ngx_http_trove_batch_run(r));
}


static void
ngx_http_trove_batch_again(ngx_http_request_t *r)
{
    ngx_http_trove_batch_finalize(r, ngx_http_trove_batch_run(r));
}


static void
ngx_http_trove_batch_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_trove_ctx_t  *ctx;

    if (rc == NGX_AGAIN) {
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_http_trove_remote_end(ctx);
    ngx_http_trove_again_stop(&ctx->batch->again);

    /* an "error_page" may have the request go on without the batch */

    r->read_event_handler = ngx_http_block_reading;

    if (r->header_sent && rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        rc = NGX_ERROR;                /* too late for another answer */

    } else if (rc == NGX_HTTP_SERVICE_UNAVAILABLE) {
        rc = ngx_http_trove_unsettled(r);

    } else if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        rc = ngx_http_trove_body_unread(r, rc);
    }

    ngx_http_finalize_request(r, rc == NGX_DONE ? NGX_OK : rc);
}


/*
 * One turn of the event loop for a batch.  Everything in the arena is this
 * turn's, the parser is made at its begin; thus a batch takes no more of it
 * for having many turns in an epoch.
 */

static ngx_int_t
ngx_http_trove_batch_run(ngx_http_request_t *r)
{
    u_char                  *mark;
    ngx_int_t                rc;
    trove_arena_t           *arena;
    ngx_http_trove_ctx_t    *ctx;
    ngx_http_trove_batch_t  *batch;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    batch = ctx->batch;

    ctx->started = trove_clock_ns();

    if (batch->out.busy || batch->out.ready) {
        rc = ngx_http_trove_out_send(r, &batch->out, 0);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return rc;
        }
    }

    (void) ngx_http_trove_worker(ctx->worker->trove);

    arena = &ctx->worker->arena;
    mark = arena->pos;

    rc = ngx_http_trove_batch_turn(r, batch);
    rc = ngx_http_trove_batch_flush(r, batch, rc);

    trove_arena_rewind(arena, mark);

    if (batch->ops->turned) {
        batch->ops->turned(r);
    }

    if (rc == NGX_OK) {
        return ngx_http_trove_batch_finish(r, batch);
    }

    /* until there is an answer, another one can be given for all */

    ngx_http_trove_out_close(&batch->out);

    if (rc == NGX_AGAIN && batch->out.ready) {
        rc = ngx_http_trove_out_send(r, &batch->out, 0);

        if (rc == NGX_OK) {
            rc = NGX_AGAIN;
        }
    }

    ctx->spent += trove_clock_ns() - ctx->started;
    ctx->started = trove_clock_ns();

    return rc;
}


/* NGX_OK: all lines were carried out; NGX_AGAIN: more to come. */

static ngx_int_t
ngx_http_trove_batch_turn(ngx_http_request_t *r, ngx_http_trove_batch_t *batch)
{
    ngx_int_t              rc;
    ngx_buf_t             *b, *piece;
    ngx_chain_t           *cl;
    trove_json_t          *json;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    json = trove_json_open(&ctx->worker->arena, batch->fields, batch->nfields);

    batch->left = NGX_HTTP_TROVE_TURN_SIZE;

    for ( ;; ) {

        while (batch->in) {
            cl = batch->in;
            b = cl->buf;

            rc = ngx_http_trove_batch_fill(r, batch, b);

            if (rc != NGX_OK) {
                return rc;
            }

            piece = batch->file_buf ? batch->file_buf : b;

            rc = ngx_http_trove_batch_lines(r, batch, json, piece, 0);

            if (rc != NGX_OK) {
                return rc;
            }

            if (piece->pos != piece->last) {
                return ngx_http_trove_batch_yield(r, batch);
            }

            if (batch->file_buf && b->file_pos != b->file_last) {
                continue;
            }

            batch->file_buf = NULL;
            batch->in = cl->next;
            ngx_free_chain(r->pool, cl);
        }

        if (!r->reading_body) {
            return ngx_http_trove_batch_lines(r, batch, json, NULL, 1);
        }

        if (batch->left == 0) {
            return ngx_http_trove_batch_yield(r, batch);
        }

        rc = ngx_http_trove_batch_more(r, batch);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* Lets the others in, the next turn comes at once. */

static ngx_int_t
ngx_http_trove_batch_yield(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch)
{
    ngx_http_trove_batch_unhurried(r);
    ngx_http_trove_again(&batch->again);

    return NGX_AGAIN;
}


/* It is not the client's sending that is waited for now. */

static void
ngx_http_trove_batch_unhurried(ngx_http_request_t *r)
{
    if (r == r->main && r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }
}


/* NGX_OK: something new stands in "in", or the body has ended. */

static ngx_int_t
ngx_http_trove_batch_more(ngx_http_request_t *r, ngx_http_trove_batch_t *batch)
{
    ngx_int_t  rc;

    rc = ngx_http_read_unbuffered_request_body(r);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_ERROR) {
        return rc;
    }

    batch->in = r->request_body->bufs;
    r->request_body->bufs = NULL;

    return (batch->in || !r->reading_body) ? NGX_OK : NGX_AGAIN;
}


/* Makes the next piece of a buffer that lies in a file readable. */

static ngx_int_t
ngx_http_trove_batch_fill(ngx_http_request_t *r, ngx_http_trove_batch_t *batch,
    ngx_buf_t *b)
{
    size_t      size;
    ngx_buf_t  *piece;

    if (ngx_buf_in_memory(b) || ngx_buf_special(b)) {
        return NGX_OK;
    }

    piece = batch->file_buf;

    if (piece && piece->pos != piece->last) {
        return NGX_OK;
    }

    if (piece == NULL) {
        piece = ngx_create_temp_buf(r->pool, NGX_HTTP_TROVE_FILE_SIZE);
        if (piece == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        batch->file_buf = piece;
    }

    size = ngx_min(b->file_last - b->file_pos, NGX_HTTP_TROVE_FILE_SIZE);

    if (ngx_http_trove_body_file(r, b, piece->start, size) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    piece->pos = piece->start;
    piece->last = piece->start + size;

    return NGX_OK;
}


/*
 * NGX_OK: the buffer is used up, or what may be taken in this turn;
 * NGX_AGAIN: there is no room for answers, or something is waited for.
 */

static ngx_int_t
ngx_http_trove_batch_lines(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, trove_json_t *json, ngx_buf_t *b,
    ngx_uint_t final)
{
    ngx_int_t              rc;
    trove_rc_t             trc;
    trove_lines_t          lines;
    trove_slice_t          line;
    const unsigned char   *pos, *last;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    pos = b ? b->pos : NULL;
    last = b ? b->last : NULL;

    if ((size_t) (last - pos) > batch->left) {
        last = pos + batch->left;
    }

    for ( ;; ) {
        rc = ngx_http_trove_out_room(r, &batch->out);

        if (rc == NGX_AGAIN) {
            ngx_http_trove_batch_unhurried(r);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        lines = batch->lines;

        trc = trove_lines_next(&batch->lines, &pos, last, final, &line);

        if (trc != TROVE_AGAIN
            && ngx_http_trove_batch_line(r, batch, json, trc, &line)
               == NGX_AGAIN)
        {
            batch->lines = lines;

            return ngx_http_trove_batch_held(r, batch);
        }

        if (b) {
            batch->left -= pos - b->pos;
            b->pos = (u_char *) pos;
        }

        if (trc == TROVE_AGAIN) {
            return NGX_OK;
        }

        if (b && ngx_http_trove_batch_late(ctx, batch)) {
            batch->left = 0;
            return NGX_OK;
        }
    }
}


/* NGX_AGAIN: the ledger is held, it comes again. */

static ngx_int_t
ngx_http_trove_batch_line(ngx_http_request_t *r, ngx_http_trove_batch_t *batch,
    trove_json_t *json, trove_rc_t rc, trove_slice_t *line)
{
    ngx_http_trove_ctx_t  *ctx;

    if (trove_likely(rc == TROVE_OK && json)) {
        return batch->ops->line(r, json, line, batch->lines.line,
                                &batch->out.writer);
    }

    if (batch->ops->flush
        && batch->ops->flush(r, &batch->out.writer) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    batch->ops->refuse(r, batch->lines.line,
                       (rc == TROVE_OK) ? ngx_http_trove_exhausted(ctx)
                                        : "the line is longer than 65536 bytes",
                       &batch->out.writer);

    return NGX_OK;
}


/*
 * What was put by in a turn does not wait for the client; without a buffer it
 * waits for one, as the lines behind it do.
 */

static ngx_int_t
ngx_http_trove_batch_flush(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, ngx_int_t rc)
{
    ngx_int_t  room;

    if (batch->ops->flush == NULL || (rc != NGX_OK && rc != NGX_AGAIN)) {
        return rc;
    }

    /* as in a turn that only had answers of Redis come */

    if (batch->out.buf == NULL) {
        room = ngx_http_trove_out_room(r, &batch->out);

        if (room != NGX_OK) {
            return room;
        }
    }

    return (batch->ops->flush(r, &batch->out.writer) == NGX_OK)
           ? rc : ngx_http_trove_batch_held(r, batch);
}


/* It is the ledger that is waited for, or Redis, which says when. */

static ngx_int_t
ngx_http_trove_batch_held(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_http_trove_batch_unhurried(r);

    if (!ngx_http_trove_remote_waits(ctx)) {
        ngx_http_trove_again_later(&batch->again);
    }

    return NGX_AGAIN;
}


/*
 * A line may ask for much: a turn ends by the clock, too.  To read it costs
 * as much as a tenth of a small poll, so not all lines do.
 */

static ngx_uint_t
ngx_http_trove_batch_late(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_batch_t *batch)
{
    if (batch->lines.line % NGX_HTTP_TROVE_TURN_LINES
        && ctx->scanned < NGX_HTTP_TROVE_TURN_SCANNED)
    {
        return 0;
    }

    ctx->scanned = 0;

    return trove_clock_ns() - ctx->started > NGX_HTTP_TROVE_TURN_NS;
}


void
ngx_http_trove_batch_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_http_trove_overflowed(ctx, write);

    if (write->result.rc == TROVE_QUEUED && ctx->batch->out.answer_max) {
        ngx_http_trove_queued_line(r, out);
        return;
    }

    ctx->batch->ops->written(r, write, out);
}


void
ngx_http_trove_refuse(ngx_http_request_t *r, uint64_t number,
    const char *detail, trove_writer_t *out)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    trove_write_lit(out, "{\"error\":");
    trove_write_string(out, (u_char *) detail, ngx_strlen(detail));
    trove_write_lit(out, ",\"line\":");
    trove_write_uint(out, number);
    trove_write_lit(out, "}\n");

    ctx->status = NGX_HTTP_TROVE_BATCH;

    trove_stats_endpoint_add(ctx->worker->stats, ctx->endpoint, lines_error,
                             1);
}


static ngx_int_t
ngx_http_trove_batch_finish(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch)
{
    ngx_int_t  rc;

    if (batch->ops->settle) {
        rc = batch->ops->settle(r);

        if (rc != NGX_OK) {
            ngx_http_trove_batch_unhurried(r);
            return rc;
        }
    }

    if (r == r->main && r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }

    if (batch->ops->done) {
        rc = batch->ops->done(r);

    } else {
        rc = ngx_http_trove_out_send(r, &batch->out, 1);

        ngx_http_trove_record(r, NGX_HTTP_OK);
    }

    /* what is still on its way is nginx's to write, as of any answer */

    return (rc == NGX_AGAIN) ? NGX_DONE : rc;
}
