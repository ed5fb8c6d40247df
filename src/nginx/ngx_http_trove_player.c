
#include "ngx_http_trove.h"

#include "trove_fields.h"


static const trove_field_t  ngx_http_trove_player_field = {
    "trove_player", TROVE_FIELD_PLAYER, 0, 0, 0
};


char *
ngx_http_trove_player(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_loc_conf_t  *tlcf = conf;

    ngx_str_t                          *value;
    ngx_http_compile_complex_value_t    ccv;

    if (tlcf->player != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        tlcf->player = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no variable in \"%V\": all would be one player",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    tlcf->player = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (tlcf->player == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = tlcf->player;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_trove_identify(ngx_http_request_t *r)
{
    ngx_str_t                   value;
    trove_fields_t              f;
    ngx_http_trove_ctx_t       *ctx;
    ngx_http_trove_loc_conf_t  *tlcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);

    if (tlcf->player == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, tlcf->player, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    /* of what is no player's id, none is set */

    (void) trove_field_player(&ngx_http_trove_player_field, value.data,
                              value.len, &ctx->player, &f);

    return NGX_OK;
}


ngx_uint_t
ngx_http_trove_player_of(ngx_http_request_t *r, trove_slice_t *given,
    const char **detail)
{
    ngx_http_trove_ctx_t       *ctx;
    ngx_http_trove_loc_conf_t  *tlcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);

    if (tlcf->player == NULL) {

        if (given->len == 0) {
            *detail = "player: is missing";
            return NGX_HTTP_BAD_REQUEST;
        }

        return NGX_HTTP_OK;
    }

    if (ctx->player.len == 0) {
        *detail = "it is not known which player this is";
        return NGX_HTTP_FORBIDDEN;
    }

    if (given->len
        && (given->len != ctx->player.len
            || ngx_memcmp(given->data, ctx->player.data, given->len) != 0))
    {
        *detail = "player: is another than the one who asks";
        return NGX_HTTP_FORBIDDEN;
    }

    *given = ctx->player;

    return NGX_HTTP_OK;
}
