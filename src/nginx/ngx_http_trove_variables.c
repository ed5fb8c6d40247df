
#include "ngx_http_trove.h"


static ngx_int_t ngx_http_trove_variable_name(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_trove_variable_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_trove_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_trove_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_trove_variables[] = {

    { ngx_string("trove_name"), NULL, ngx_http_trove_variable_name, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("trove_status"), NULL, ngx_http_trove_variable_status, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("trove_found"), NULL, ngx_http_trove_variable_number,
      offsetof(ngx_http_trove_ctx_t, found), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("trove_version"), NULL, ngx_http_trove_variable_number,
      offsetof(ngx_http_trove_ctx_t, version), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("trove_time"), NULL, ngx_http_trove_variable_time, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* by ngx_http_trove_status_t */

static ngx_str_t  ngx_http_trove_statuses[] = {
    ngx_string("-"),
    ngx_string("HIT"),
    ngx_string("MISS"),
    ngx_string("BATCH"),
    ngx_string("STORED"),
    ngx_string("REMOVED"),
    ngx_string("UNKNOWN"),
    ngx_string("EXPORT"),
    ngx_string("CLAIMED"),
    ngx_string("COIN"),
    ngx_string("IMPROVED"),
    ngx_string("KEPT"),
    ngx_string("REPEAT"),
    ngx_string("CONFLICT"),
    ngx_string("EXPIRED"),
    ngx_string("FORBIDDEN"),
    ngx_string("LIMITED"),
    ngx_string("QUEUED"),
    ngx_string("FULL"),
    ngx_string("INVALID"),
    ngx_string("EXHAUSTED"),
    ngx_string("BUSY"),
    ngx_string("UNSTORED"),
    ngx_string("FAILED")
};


ngx_int_t
ngx_http_trove_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_trove_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_variable_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_variable_name(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);

    if (tlcf->trove == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_trove_variable_set(v, tlcf->trove->name.data,
                                       tlcf->trove->name.len);
}


static ngx_int_t
ngx_http_trove_variable_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t             *status;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    status = &ngx_http_trove_statuses[ctx->status];

    return ngx_http_trove_variable_set(v, status->data, status->len);
}


static ngx_int_t
ngx_http_trove_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p;
    uint64_t               n;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    n = *(uint64_t *) ((char *) ctx + data);

    return ngx_http_trove_variable_set(v, p, ngx_sprintf(p, "%uL", n) - p);
}


/* Seconds that the module itself has worked on the request. */

static ngx_int_t
ngx_http_trove_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p;
    uint64_t               us;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + sizeof(".000000"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    us = (ctx->recorded ? ctx->spent : trove_clock_ns() - ctx->started) / 1000;

    return ngx_http_trove_variable_set(v, p,
                                       ngx_sprintf(p, "%uL.%06uL",
                                                   us / 1000000, us % 1000000)
                                       - p);
}
