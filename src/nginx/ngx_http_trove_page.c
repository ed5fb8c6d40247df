
/*
 * The live page: one file that is part of the module, see src/page.
 */

#include "ngx_http_trove.h"
#include "trove_page.h"


static ngx_int_t ngx_http_trove_page_headers(ngx_http_request_t *r);
static ngx_uint_t ngx_http_trove_page_gzip_ok(ngx_http_request_t *r);


ngx_int_t
ngx_http_trove_page(ngx_http_request_t *r)
{
    trove_writer_t         w;
    ngx_table_elt_t       *h;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->status = NGX_HTTP_TROVE_HIT;

    if (ngx_http_trove_page_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&w, sizeof(trove_writer_t));

    if (!ngx_http_trove_page_gzip_ok(r)) {
        w.start = (void *) ngx_http_trove_page_html;
        w.pos = w.start + sizeof(ngx_http_trove_page_html);

        return ngx_http_trove_answer(r, NGX_HTTP_OK,
                                     "text/html; charset=utf-8", &w);
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "Content-Encoding");
    ngx_str_set(&h->value, "gzip");

    /* by this nginx knows that it has not to compress it itself */

    r->headers_out.content_encoding = h;

    w.start = (void *) ngx_http_trove_page_gzip;
    w.pos = w.start + sizeof(ngx_http_trove_page_gzip);

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "text/html; charset=utf-8",
                                 &w);
}


static ngx_int_t
ngx_http_trove_page_headers(ngx_http_request_t *r)
{
    ngx_uint_t  i;

    static const char  *headers[][2] = {
        { "Content-Security-Policy", NGX_HTTP_TROVE_PAGE_POLICY },
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "no-referrer" },
        { "Vary", "Accept, Accept-Encoding" }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {

        if (ngx_http_trove_add_header(r, headers[i][0], headers[i][1])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_trove_page_gzip_ok(ngx_http_request_t *r)
{
#if (NGX_HTTP_GZIP)
    return ngx_http_gzip_ok(r) == NGX_OK;
#else
    return 0;
#endif
}
