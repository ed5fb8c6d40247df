
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_OUT_SIZE      16384   /* of a buffer of answers       */
#define NGX_HTTP_TROVE_OUT_MAX       4       /* of them on their way         */


static ngx_int_t ngx_http_trove_out_open(ngx_http_request_t *r,
    ngx_http_trove_out_t *out);
static ngx_int_t ngx_http_trove_out_last(ngx_http_request_t *r,
    ngx_http_trove_out_t *out);
static void ngx_http_trove_out_append(ngx_http_trove_out_t *out,
    ngx_chain_t *cl);


ngx_int_t
ngx_http_trove_out_room(ngx_http_request_t *r, ngx_http_trove_out_t *out)
{
    ngx_int_t  rc;

    if (out->answer_max == 0) {
        return NGX_OK;
    }

    if (out->buf
        && (size_t) (out->writer.end - out->writer.pos) >= out->answer_max)
    {
        return NGX_OK;
    }

    if (out->buf) {
        rc = ngx_http_trove_out_send(r, out, 0);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return rc;
        }
    }

    if (out->free == NULL && out->nbufs == NGX_HTTP_TROVE_OUT_MAX) {
        return NGX_AGAIN;
    }

    return ngx_http_trove_out_open(r, out);
}


static ngx_int_t
ngx_http_trove_out_open(ngx_http_request_t *r, ngx_http_trove_out_t *out)
{
    size_t        size;
    ngx_chain_t  *cl;

    size = NGX_HTTP_TROVE_OUT_SIZE + out->answer_max;

    cl = ngx_chain_get_free_buf(r->pool, &out->free);
    if (cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (cl->buf->start == NULL) {
        cl->buf->start = ngx_palloc(r->pool, size);
        if (cl->buf->start == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cl->buf->end = cl->buf->start + size;
        cl->buf->temporary = 1;
        cl->buf->tag = (ngx_buf_tag_t) &ngx_http_trove_module;
        out->nbufs++;
    }

    cl->buf->pos = cl->buf->start;
    cl->buf->last = cl->buf->start;
    cl->buf->flush = 1;
    cl->next = NULL;

    out->buf = cl->buf;

    trove_writer_init(&out->writer, cl->buf->start, size);

    ngx_http_trove_out_append(out, cl);

    return NGX_OK;
}


void
ngx_http_trove_out_close(ngx_http_trove_out_t *out)
{
    ngx_chain_t  **ll, *cl;

    if (out->buf == NULL) {
        return;
    }

    out->buf->last = out->writer.pos;

    if (out->buf->last == out->buf->pos) {

        /* nothing was written to it: it is the last of "ready" */

        for (ll = &out->ready; (*ll)->next; ll = &(*ll)->next) { /* void */ }

        cl = *ll;
        *ll = NULL;
        cl->next = out->free;
        out->free = cl;
    }

    out->buf = NULL;
}


ngx_int_t
ngx_http_trove_out_send(ngx_http_request_t *r, ngx_http_trove_out_t *out,
    ngx_uint_t last)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    ngx_http_trove_out_close(out);

    if (out->settle) {
        rc = out->settle(r);

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

    if (last && ngx_http_trove_out_last(r, out) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->header_only) {

        /* of a mirror's request nobody reads the answer */

        for (cl = out->ready; cl; cl = cl->next) {
            cl->buf->pos = cl->buf->last;
        }

        rc = NGX_OK;

    } else {
        rc = ngx_http_output_filter(r, out->ready);
    }

    ngx_chain_update_chains(r->pool, &out->free, &out->busy, &out->ready,
                            (ngx_buf_tag_t) &ngx_http_trove_module);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (out->busy) {
        return ngx_http_trove_out_wait(r);
    }

    /* that of limit_rate stays */

    if (r == r->main
        && r->connection->write->timer_set && !r->connection->write->delayed)
    {
        ngx_del_timer(r->connection->write);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_out_last(ngx_http_request_t *r, ngx_http_trove_out_t *out)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

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

    ngx_http_trove_out_append(out, cl);

    return NGX_OK;
}


static void
ngx_http_trove_out_append(ngx_http_trove_out_t *out, ngx_chain_t *cl)
{
    ngx_chain_t  **ll;

    for (ll = &out->ready; *ll; ll = &(*ll)->next) { /* void */ }

    *ll = cl;
}


ngx_int_t
ngx_http_trove_out_wait(ngx_http_request_t *r)
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
