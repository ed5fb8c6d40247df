
#include "ngx_http_trove.h"


static ngx_uint_t ngx_http_trove_body_lost(ngx_http_request_t *r);


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
ngx_http_trove_body_await(ngx_http_request_t *r,
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

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? ngx_http_trove_body_unread(r, rc)
                                             : NGX_DONE;
}


ngx_int_t
ngx_http_trove_body_unread(ngx_http_request_t *r, ngx_int_t rc)
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


ngx_int_t
ngx_http_trove_body_file(ngx_http_request_t *r, ngx_buf_t *b, u_char *p,
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
