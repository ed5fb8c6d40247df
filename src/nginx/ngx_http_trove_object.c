
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_PIECES_SIZE   4096    /* for an object of any length  */


struct ngx_http_trove_object_s {
    ngx_http_trove_object_pt           handler;
    trove_slice_t                      text;

    u_char                            *start;    /* what came in pieces      */
    size_t                             size;
    size_t                             len;      /* also of what is too much */
};


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

    return ngx_http_trove_body_await(r, ngx_http_trove_object_body);
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
            rc = ngx_http_trove_body_unread(r, rc);
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
            rc = ngx_http_trove_body_unread(r, rc);
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
        rc = ngx_http_trove_body_unread(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

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

        if (ngx_http_trove_body_file(r, &file, p, size) != NGX_OK) {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}
