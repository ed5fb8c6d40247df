
#include "ngx_http_trove.h"


static ngx_uint_t ngx_http_trove_parsed(ngx_http_trove_ctx_t *ctx,
    trove_rc_t rc, trove_fields_t *f, const char **detail);


trove_field_t *
ngx_http_trove_fields(ngx_conf_t *cf, const trove_field_t *fields,
    ngx_uint_t n, ngx_http_trove_t *trove, ngx_uint_t x)
{
    trove_field_t  *f;

    f = ngx_palloc(cf->pool, n * sizeof(trove_field_t));
    if (f == NULL) {
        return NULL;
    }

    ngx_memcpy(f, fields, n * sizeof(trove_field_t));

    if (trove->space == TROVE_EARTH) {
        f[x].min = -180;
        f[x].max = 180;
        f[x + 1].min = -90;
        f[x + 1].max = 90;
    }

    return f;
}


ngx_uint_t
ngx_http_trove_decode(ngx_http_trove_ctx_t *ctx, trove_json_t *json,
    trove_slice_t *text, void *out, trove_fields_t *f, const char **detail)
{
    trove_rc_t  rc;

    rc = TROVE_NOMEM;

    if (json) {
        rc = trove_json_parse(json, text->data, text->len, out, f);
    }

    return ngx_http_trove_parsed(ctx, rc, f, detail);
}


ngx_int_t
ngx_http_trove_args(ngx_http_request_t *r, const trove_field_t *fields,
    ngx_uint_t n, void *out, trove_fields_t *f, ngx_int_t *rc)
{
    trove_rc_t             trc;
    ngx_uint_t             status;
    const char            *detail;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    trc = trove_args_parse(&ctx->worker->arena, r->args.data, r->args.len,
                           fields, n, out, f);

    status = ngx_http_trove_parsed(ctx, trc, f, &detail);

    if (status == NGX_HTTP_OK) {
        return NGX_OK;
    }

    *rc = ngx_http_trove_problem(r, status, detail);

    return NGX_DONE;
}


static ngx_uint_t
ngx_http_trove_parsed(ngx_http_trove_ctx_t *ctx, trove_rc_t rc,
    trove_fields_t *f, const char **detail)
{
    switch (rc) {

    case TROVE_OK:
        return NGX_HTTP_OK;

    case TROVE_NOMEM:
        *detail = ngx_http_trove_exhausted(ctx);
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    default:
        *detail = f->detail;
        return NGX_HTTP_BAD_REQUEST;
    }
}
