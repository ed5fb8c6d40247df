
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_OUT_SIZE      16384   /* of a buffer of answers       */
#define NGX_HTTP_TROVE_OUT_MAX       4       /* of them on their way         */
#define NGX_HTTP_TROVE_TURN_SIZE     131072  /* input taken in one turn      */
#define NGX_HTTP_TROVE_TURN_NS       200000  /* spent on lines in one turn   */
#define NGX_HTTP_TROVE_TURN_LINES    8       /* between looks at the clock,  */
#define NGX_HTTP_TROVE_TURN_SCANNED  65536   /* or rewards scanned           */
#define NGX_HTTP_TROVE_FILE_SIZE     65536   /* read of a temp file at once  */
#define NGX_HTTP_TROVE_PIECES_SIZE   4096    /* for an object of any length  */


struct ngx_http_trove_object_s {
    ngx_http_trove_object_pt           handler;
    trove_slice_t                      text;

    u_char                            *start;    /* what came in pieces      */
    size_t                             size;
    size_t                             len;      /* also of what is too much */
};


struct ngx_http_trove_batch_s {
    const ngx_http_trove_batch_ops_t  *ops;
    const trove_field_t               *fields;
    ngx_uint_t                         nfields;

    trove_lines_t                      lines;

    ngx_chain_t                       *in;       /* not yet cut into lines   */
    ngx_buf_t                         *file_buf; /* a piece of a temp file   */

    trove_writer_t                     writer;   /* into the last of "out"   */
    ngx_buf_t                         *buf;
    ngx_chain_t                       *out;
    ngx_chain_t                       *free;
    ngx_chain_t                       *busy;
    ngx_uint_t                         nbufs;
    size_t                             out_size;
    size_t                             answer_max;
    size_t                             left;     /* input of this turn       */

    ngx_http_trove_again_t             again;
};


static ngx_int_t ngx_http_trove_await(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler);
static ngx_uint_t ngx_http_trove_body_lost(ngx_http_request_t *r);

static ngx_int_t ngx_http_trove_unread(ngx_http_request_t *r, ngx_int_t rc);

static void ngx_http_trove_object_body(ngx_http_request_t *r);
static void ngx_http_trove_object_event(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_object_take(ngx_http_request_t *r,
    ngx_http_trove_object_t *o);
static ngx_int_t ngx_http_trove_object_room(ngx_http_request_t *r,
    ngx_http_trove_object_t *o, size_t size);
static ngx_int_t ngx_http_trove_object_keep(ngx_http_request_t *r,
    ngx_http_trove_object_t *o);
static void ngx_http_trove_object_done(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_object_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_gather(ngx_http_request_t *r,
    trove_slice_t *object);
static ngx_int_t ngx_http_trove_read_file(ngx_http_request_t *r, ngx_buf_t *b,
    u_char *p, size_t size);

static void ngx_http_trove_batch_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_copy(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static void ngx_http_trove_batch_event(ngx_http_request_t *r);
static void ngx_http_trove_batch_again(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_run(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_turn(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_yield(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static void ngx_http_trove_batch_unhurried(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_batch_more(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_lines(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, trove_json_t *json, ngx_buf_t *b,
    ngx_uint_t final);
static ngx_int_t ngx_http_trove_batch_fill(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, ngx_buf_t *b);
static ngx_int_t ngx_http_trove_batch_line(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, trove_json_t *json, trove_rc_t rc,
    trove_slice_t *line);
static ngx_int_t ngx_http_trove_batch_flush(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, ngx_int_t rc);
static ngx_int_t ngx_http_trove_batch_held(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_uint_t ngx_http_trove_batch_late(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_room(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static void ngx_http_trove_batch_close_buf(ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_send(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch, ngx_uint_t last);
static ngx_int_t ngx_http_trove_batch_finish(ngx_http_request_t *r,
    ngx_http_trove_batch_t *batch);
static ngx_int_t ngx_http_trove_batch_wait(ngx_http_request_t *r);
static void ngx_http_trove_batch_finalize(ngx_http_request_t *r, ngx_int_t rc);


ngx_int_t
ngx_http_trove_is_batch(ngx_http_request_t *r)
{
    size_t                       len;
    ngx_str_t                   *type;
    ngx_uint_t                   i;

    static ngx_str_t  types[] = {
        ngx_string("application/x-ndjson"),
        ngx_string("application/ndjson"),
        ngx_string("application/jsonl")
    };

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        len = types[i].len;

        if (type->len >= len
            && ngx_strncasecmp(type->data, types[i].data, len) == 0
            && (type->len == len || type->data[len] == ';'
                || type->data[len] == ' '))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_trove_read_object(ngx_http_request_t *r,
    ngx_http_trove_object_pt handler)
{
    ngx_http_trove_ctx_t  *ctx;

    if (r->headers_in.content_length_n > NGX_HTTP_TROVE_OBJECT_MAX) {
        return ngx_http_trove_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      "one object is at most 65536 bytes long,"
                                      " send more as application/x-ndjson");
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ctx->object = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_object_t));
    if (ctx->object == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->object->handler = handler;

    /* it goes to no file, and it is the module that answers what goes wrong */

    r->request_body_no_buffering = 1;

    return ngx_http_trove_await(r, ngx_http_trove_object_body);
}


/* Has the body read; the time until it comes is not the module's. */

static ngx_int_t
ngx_http_trove_await(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t              rc;
    ngx_http_trove_ctx_t  *ctx;

    if (ngx_http_trove_body_lost(r)) {
        return ngx_http_trove_problem(r, NGX_HTTP_BAD_REQUEST,
                                      "the body could not be read to its end");
    }

    if (ngx_http_trove_watch(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->spent = trove_clock_ns() - ctx->started;
    ctx->started += ctx->spent;

    rc = ngx_http_read_client_request_body(r, handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? ngx_http_trove_unread(r, rc)
                                             : NGX_DONE;
}


/*
 * nginx could not, or would not, read the body: says so as a problem, if an
 * answer can still be given.  What follows in the connection is not known.
 */

static ngx_int_t
ngx_http_trove_unread(ngx_http_request_t *r, ngx_int_t rc)
{
    if (r->connection->error || rc == NGX_HTTP_REQUEST_TIME_OUT) {
        return rc;
    }

    r->keepalive = 0;

    switch (rc) {

    case NGX_HTTP_BAD_REQUEST:
        return ngx_http_trove_problem(r, rc, "the body is not as its chunks, "
                                      "or its length, are said to be");

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return ngx_http_trove_problem(r, rc, "the body is longer than "
                                      "client_max_body_size");

    default:
        return ngx_http_trove_problem(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                      "the body could not be read");
    }
}


/*
 * Whether somebody has failed to read it, and the request has come here by
 * "error_page": nginx would hand over what it has, as if that were all.
 */

static ngx_uint_t
ngx_http_trove_body_lost(ngx_http_request_t *r)
{
    return r->request_body
           && r->request_body->rest != 0
           && (r->headers_in.content_length_n > 0 || r->headers_in.chunked);
}


static void
ngx_http_trove_object_body(ngx_http_request_t *r)
{
    if (!r->reading_body) {
        ngx_http_trove_object_done(r);
        return;
    }

    r->read_event_handler = ngx_http_trove_object_event;

    ngx_http_trove_object_event(r);
}


static void
ngx_http_trove_object_event(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_object_t  *o;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    o = ctx->object;

    for ( ;; ) {
        rc = ngx_http_trove_object_take(r, o);

        if (rc != NGX_OK) {
            rc = ngx_http_trove_unread(r, rc);
            break;
        }

        /* a little of what is too much is read, for the connection to stay */

        if (!r->reading_body || o->len > 2 * NGX_HTTP_TROVE_OBJECT_MAX) {
            r->read_event_handler = ngx_http_block_reading;
            ngx_http_trove_object_done(r);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            rc = ngx_http_trove_unread(r, rc);
            break;
        }

        if (rc == NGX_ERROR) {
            break;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }

    ngx_http_finalize_request(r, rc);
}


/* Takes over what has come, for nginx to use its buffer again. */

static ngx_int_t
ngx_http_trove_object_take(ngx_http_request_t *r, ngx_http_trove_object_t *o)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    while (r->request_body->bufs) {
        cl = r->request_body->bufs;
        b = cl->buf;
        size = b->last - b->pos;

        /* the last buffer may have nothing but that it is the last */

        if (size && o->len + size <= NGX_HTTP_TROVE_OBJECT_MAX) {

            if (ngx_http_trove_object_room(r, o, o->len + size) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            ngx_memcpy(o->start + o->len, b->pos, size);
        }

        o->len += size;
        b->pos = b->last;

        r->request_body->bufs = cl->next;
        ngx_free_chain(r->pool, cl);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_object_room(ngx_http_request_t *r, ngx_http_trove_object_t *o,
    size_t size)
{
    u_char  *p;

    if (size <= o->size) {
        return NGX_OK;
    }

    if (r->headers_in.chunked) {
        size = ngx_max(size, ngx_max(2 * o->size, NGX_HTTP_TROVE_PIECES_SIZE));

    } else {
        size = ngx_max(size, (size_t) r->headers_in.content_length_n);
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (o->start) {
        ngx_memcpy(p, o->start, o->len);
        (void) ngx_pfree(r->pool, o->start);
    }

    o->start = p;
    o->size = size;

    return NGX_OK;
}


/* What came in pieces becomes the body, for $request_body, too. */

static ngx_int_t
ngx_http_trove_object_keep(ngx_http_request_t *r, ngx_http_trove_object_t *o)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->pos = o->start;
    b->last = o->start + o->len;
    b->temporary = 1;

    cl->buf = b;
    cl->next = NULL;

    r->request_body->bufs = cl;

    return NGX_OK;
}


static void
ngx_http_trove_object_done(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->started = trove_clock_ns();

    /* while the body came the epoch may have gone to sleep */

    (void) ngx_http_trove_worker(ctx->worker->trove);

    rc = NGX_OK;

    if (ctx->object->len > NGX_HTTP_TROVE_OBJECT_MAX) {
        rc = NGX_DECLINED;

    } else if (ctx->object->len) {
        rc = ngx_http_trove_object_keep(r, ctx->object);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_trove_gather(r, &ctx->object->text);
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_http_trove_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                    "one object is at most 65536 bytes long, "
                                    "send more as application/x-ndjson");

    } else if (rc != NGX_OK) {
        rc = ngx_http_trove_unread(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        rc = ngx_http_trove_try(r, ngx_http_trove_object_handler);
    }

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_trove_object_handler(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    return ctx->object->handler(r, &ctx->object->text);
}


/* The body as one piece; NGX_DECLINED if it is too long. */

static ngx_int_t
ngx_http_trove_gather(ngx_http_request_t *r, trove_slice_t *object)
{
    off_t         size;
    u_char       *p;
    ngx_buf_t    *b, file;
    ngx_chain_t  *cl, *bufs;

    object->data = (u_char *) "";
    object->len = 0;

    bufs = r->request_body ? r->request_body->bufs : NULL;

    if (bufs == NULL) {
        return NGX_OK;
    }

    if (bufs->next == NULL && ngx_buf_in_memory(bufs->buf)) {
        object->data = bufs->buf->pos;
        object->len = bufs->buf->last - bufs->buf->pos;

        return object->len > NGX_HTTP_TROVE_OBJECT_MAX ? NGX_DECLINED : NGX_OK;
    }

    size = 0;

    for (cl = bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > NGX_HTTP_TROVE_OBJECT_MAX) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    object->data = p;
    object->len = size;

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        /* others may want to read it, too */

        file = *b;
        size = ngx_buf_size(b);

        if (ngx_http_trove_read_file(r, &file, p, size) != NGX_OK) {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


/* Takes "size" bytes from the front of a buffer that lies in a file. */

static ngx_int_t
ngx_http_trove_read_file(ngx_http_request_t *r, ngx_buf_t *b, u_char *p,
    size_t size)
{
    ssize_t  n;

    while (size) {
        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n == NGX_ERROR || n == 0) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "the body's temporary file \"%V\" ends early",
                          &b->file->name);
            return NGX_ERROR;
        }

        p += n;
        size -= n;
        b->file_pos += n;
    }

    return NGX_OK;
}


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
    batch->answer_max = answer_max;

    trove_lines_init(&batch->lines, carry, NGX_HTTP_TROVE_OBJECT_MAX);

    ctx->batch = batch;
    ctx->again = &batch->again;

    if (ops->written && ctx->worker->redis) {
        batch->answer_max += NGX_HTTP_TROVE_REMOTE_LINES * ops->text;

        if (ngx_http_trove_remote_batch(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    batch->out_size = NGX_HTTP_TROVE_OUT_SIZE + batch->answer_max;

    r->request_body_no_buffering = 1;

    return ngx_http_trove_await(r, ngx_http_trove_batch_body);
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
        rc = ngx_http_trove_unread(r, rc);
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

    if (batch->busy || batch->out) {
        rc = ngx_http_trove_batch_send(r, batch, 0);

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

    ngx_http_trove_batch_close_buf(batch);

    if (rc == NGX_AGAIN && batch->out) {
        rc = ngx_http_trove_batch_send(r, batch, 0);

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

    if (ngx_http_trove_read_file(r, b, piece->start, size) != NGX_OK) {
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
        rc = ngx_http_trove_batch_room(r, batch);

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
                                &batch->writer);
    }

    if (batch->ops->flush
        && batch->ops->flush(r, &batch->writer) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    batch->ops->refuse(r, batch->lines.line,
                       (rc == TROVE_OK) ? ngx_http_trove_exhausted(ctx)
                                        : "the line is longer than 65536 bytes",
                       &batch->writer);

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
    if (batch->ops->flush == NULL
        || (batch->buf == NULL && batch->answer_max)
        || (rc != NGX_OK && rc != NGX_AGAIN)
        || batch->ops->flush(r, &batch->writer) == NGX_OK)
    {
        return rc;
    }

    return ngx_http_trove_batch_held(r, batch);
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


void
ngx_http_trove_batch_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ctx->batch->ops->written(r, write, out);
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


/* Sees to it that one answer more has room. */

static ngx_int_t
ngx_http_trove_batch_room(ngx_http_request_t *r, ngx_http_trove_batch_t *batch)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl, **ll;

    if (batch->answer_max == 0) {
        return NGX_OK;
    }

    if (batch->buf
        && (size_t) (batch->writer.end - batch->writer.pos)
           >= batch->answer_max)
    {
        return NGX_OK;
    }

    if (batch->buf) {
        rc = ngx_http_trove_batch_send(r, batch, 0);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return rc;
        }
    }

    if (batch->free == NULL && batch->nbufs == NGX_HTTP_TROVE_OUT_MAX) {
        ngx_http_trove_batch_unhurried(r);
        return NGX_AGAIN;
    }

    cl = ngx_chain_get_free_buf(r->pool, &batch->free);
    if (cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (cl->buf->start == NULL) {
        cl->buf->start = ngx_palloc(r->pool, batch->out_size);
        if (cl->buf->start == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cl->buf->end = cl->buf->start + batch->out_size;
        cl->buf->temporary = 1;
        cl->buf->tag = (ngx_buf_tag_t) &ngx_http_trove_module;
        batch->nbufs++;
    }

    cl->buf->pos = cl->buf->start;
    cl->buf->last = cl->buf->start;
    cl->buf->flush = 1;
    cl->next = NULL;

    batch->buf = cl->buf;

    trove_writer_init(&batch->writer, cl->buf->start, batch->out_size);

    for (ll = &batch->out; *ll; ll = &(*ll)->next) { /* void */ }

    *ll = cl;

    return NGX_OK;
}


static void
ngx_http_trove_batch_close_buf(ngx_http_trove_batch_t *batch)
{
    ngx_chain_t  **ll, *cl;

    if (batch->buf == NULL) {
        return;
    }

    batch->buf->last = batch->writer.pos;

    if (batch->buf->last == batch->buf->pos) {

        /* nothing was written to it: it is the last of "out" */

        for (ll = &batch->out; (*ll)->next; ll = &(*ll)->next) { /* void */ }

        cl = *ll;
        *ll = NULL;
        cl->next = batch->free;
        batch->free = cl;
    }

    batch->buf = NULL;
}


/*
 * Hands the answers so far to nginx's filters.  NGX_OK: all were sent;
 * NGX_AGAIN: the client is slow, the write event comes, or they may not be
 * sent yet.
 */

static ngx_int_t
ngx_http_trove_batch_send(ngx_http_request_t *r, ngx_http_trove_batch_t *batch,
    ngx_uint_t last)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, **ll;

    ngx_http_trove_batch_close_buf(batch);

    if (batch->ops->settle) {
        rc = batch->ops->settle(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!r->header_sent) {
        rc = ngx_http_trove_header(r, NGX_HTTP_OK, "application/x-ndjson", -1);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (last) {
        b = ngx_calloc_buf(r->pool);
        cl = ngx_alloc_chain_link(r->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->last_buf = (r == r->main) ? 1 : 0;
        b->sync = (r == r->main) ? 0 : 1;
        b->last_in_chain = 1;
        cl->buf = b;
        cl->next = NULL;

        for (ll = &batch->out; *ll; ll = &(*ll)->next) { /* void */ }

        *ll = cl;
    }

    if (r->header_only) {

        /* of a mirror's request nobody reads the answer */

        for (cl = batch->out; cl; cl = cl->next) {
            cl->buf->pos = cl->buf->last;
        }

        rc = NGX_OK;

    } else {
        rc = ngx_http_output_filter(r, batch->out);
    }

    ngx_chain_update_chains(r->pool, &batch->free, &batch->busy, &batch->out,
                            (ngx_buf_tag_t) &ngx_http_trove_module);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (batch->busy) {
        return ngx_http_trove_batch_wait(r);
    }

    /* that of limit_rate stays */

    if (r == r->main
        && r->connection->write->timer_set && !r->connection->write->delayed)
    {
        ngx_del_timer(r->connection->write);
    }

    return NGX_OK;
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
        rc = ngx_http_trove_batch_send(r, batch, 1);

        ngx_http_trove_record(r, NGX_HTTP_OK);
    }

    /* what is still on its way is nginx's to write, as of any answer */

    return (rc == NGX_AGAIN) ? NGX_DONE : rc;
}


static ngx_int_t
ngx_http_trove_batch_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}
