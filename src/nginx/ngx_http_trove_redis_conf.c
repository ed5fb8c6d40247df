
#include "ngx_http_trove.h"

#include <netdb.h>


#define NGX_HTTP_TROVE_REPLICAS            16     /* waited for, at most     */
#define NGX_HTTP_TROVE_REDIS_TIMEOUT_MIN   10     /* ms                      */
#define NGX_HTTP_TROVE_REDIS_TIMEOUT_MAX   60000

/* parameters, each of which is given once */

#define NGX_HTTP_TROVE_REDIS_HAS_REPLICAS  0x01
#define NGX_HTTP_TROVE_REDIS_HAS_TIMEOUT   0x02
#define NGX_HTTP_TROVE_REDIS_HAS_MAX       0x04

#define NGX_HTTP_TROVE_OVERFLOW            1000000      /* entries of a queue */
#define NGX_HTTP_TROVE_OVERFLOW_MAX        1000000000


static char *ngx_http_trove_redis_url(ngx_conf_t *cf, const char *what,
    trove_redis_conf_t **conf);
static void ngx_http_trove_redis_tls_cleanup(void *data);
static ngx_int_t ngx_http_trove_redis_parameter(ngx_str_t *value,
    trove_redis_conf_t *conf, ngx_uint_t *seen);
static ngx_int_t ngx_http_trove_redis_once(ngx_uint_t *seen, ngx_uint_t bit);
static ngx_int_t ngx_http_trove_redis_resolve(ngx_conf_t *cf,
    ngx_http_trove_t *trove, const char *what, trove_redis_conf_t *conf,
    trove_redis_conf_t **addrs);


ngx_uint_t
ngx_http_trove_is_redis(ngx_str_t *value)
{
    return ngx_strncasecmp(value->data, (u_char *) "redis:",
                           sizeof("redis:") - 1)
           == 0
           || ngx_strncasecmp(value->data, (u_char *) "rediss:",
                              sizeof("rediss:") - 1)
              == 0;
}


/* No connection is made: a configuration is good though Redis is away. */

char *
ngx_http_trove_redis_conf(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_str_t   *value;
    ngx_uint_t   i, seen;

    if (ngx_http_trove_redis_url(cf, "store", &trove->redis)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_trove_redis_parameter(&value[i], trove->redis, &seen)
            != NGX_OK)
        {
            return ngx_http_trove_invalid(cf, &value[i],
                                          "\"replicas=\" and 0 to 16, or "
                                          "\"timeout=\" and 10ms to 60s, "
                                          "each once");
        }
    }

    return (ngx_http_trove_redis_resolve(cf, trove, "store", trove->redis,
                                         &trove->redis_addrs)
            == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_trove_overflow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, rest;
    ngx_uint_t         i, seen;

    if (trove->overflow) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!ngx_http_trove_is_redis(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid overflow \"%V\", "
                           "must be \"redis://HOST\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_trove_redis_url(cf, "overflow", &trove->overflow)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    trove->overflow_max = NGX_HTTP_TROVE_OVERFLOW;
    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_trove_prefixed(&value[i], "max=", &rest) == NGX_OK
            && ngx_http_trove_count(&rest, 1, NGX_HTTP_TROVE_OVERFLOW_MAX,
                                    &trove->overflow_max)
               == NGX_OK
            && ngx_http_trove_redis_once(&seen, NGX_HTTP_TROVE_REDIS_HAS_MAX)
               == NGX_OK)
        {
            continue;
        }

        if (ngx_http_trove_redis_parameter(&value[i], trove->overflow, &seen)
            != NGX_OK)
        {
            return ngx_http_trove_invalid(cf, &value[i],
                                          "\"max=\" and 1 to 1000000000, "
                                          "\"replicas=\" and 0 to 16, or "
                                          "\"timeout=\" and 10ms to 60s, "
                                          "each once");
        }
    }

    return (ngx_http_trove_redis_resolve(cf, trove, "overflow",
                                         trove->overflow,
                                         &trove->overflow_addrs)
            == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_trove_redis_url(ngx_conf_t *cf, const char *what,
    trove_redis_conf_t **conf)
{
    char                 error[TROVE_STORE_ERROR];
    ngx_str_t           *value;
    trove_slice_t        address;
    ngx_pool_cleanup_t  *cln;

    value = cf->args->elts;

    *conf = ngx_palloc(cf->pool, sizeof(trove_redis_conf_t));
    if (*conf == NULL) {
        return NGX_CONF_ERROR;
    }

    address.data = value[1].data;
    address.len = value[1].len;

    if (trove_redis_parse(&address, *conf, error) != TROVE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s: %s", what,
                           error);
        return NGX_CONF_ERROR;
    }

    if (!(*conf)->tls) {
        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (trove_redis_tls_open(*conf, error) != TROVE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s: %s", what,
                           error);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_trove_redis_tls_cleanup;
    cln->data = *conf;

    return NGX_CONF_OK;
}


static void
ngx_http_trove_redis_tls_cleanup(void *data)
{
    trove_redis_tls_close(data);
}


static ngx_int_t
ngx_http_trove_redis_parameter(ngx_str_t *value, trove_redis_conf_t *conf,
    ngx_uint_t *seen)
{
    ngx_str_t   rest;
    ngx_uint_t  n;
    ngx_msec_t  ms;

    if (ngx_http_trove_prefixed(value, "replicas=", &rest) == NGX_OK
        && ngx_http_trove_count(&rest, 0, NGX_HTTP_TROVE_REPLICAS, &n)
           == NGX_OK)
    {
        conf->replicas = n;
        return ngx_http_trove_redis_once(seen,
                                         NGX_HTTP_TROVE_REDIS_HAS_REPLICAS);
    }

    if (ngx_http_trove_prefixed(value, "timeout=", &rest) == NGX_OK) {
        ms = ngx_parse_time(&rest, 0);

        if (ms != (ngx_msec_t) NGX_ERROR
            && ms >= NGX_HTTP_TROVE_REDIS_TIMEOUT_MIN
            && ms <= NGX_HTTP_TROVE_REDIS_TIMEOUT_MAX)
        {
            conf->timeout = ms;
            return ngx_http_trove_redis_once(seen,
                                             NGX_HTTP_TROVE_REDIS_HAS_TIMEOUT);
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_trove_redis_once(ngx_uint_t *seen, ngx_uint_t bit)
{
    if (*seen & bit) {
        return NGX_ERROR;
    }

    *seen |= bit;

    return NGX_OK;
}


/* Names become addresses here, where it may take its time. */

static ngx_int_t
ngx_http_trove_redis_resolve(ngx_conf_t *cf, ngx_http_trove_t *trove,
    const char *what, trove_redis_conf_t *conf, trove_redis_conf_t **addrs)
{
    int               rc;
    uint32_t          i;
    struct addrinfo   hints, *res;

    *addrs = ngx_palloc(cf->pool, sizeof(trove_redis_conf_t));
    if (*addrs == NULL) {
        return NGX_ERROR;
    }

    **addrs = *conf;

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    for (i = 0; i < conf->nnodes; i++) {

        /* in hiredis' order, so that threads are at the same address */

        hints.ai_family = AF_INET;
        rc = getaddrinfo(conf->nodes[i].host, NULL, &hints, &res);

        if (rc != 0) {
            hints.ai_family = AF_INET6;
            rc = getaddrinfo(conf->nodes[i].host, NULL, &hints, &res);
        }

        if (rc != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the host \"%s\" of the %s of trove \"%V\" "
                               "is not found: %s", conf->nodes[i].host, what,
                               &trove->name, gai_strerror(rc));
            return NGX_ERROR;
        }

        rc = getnameinfo(res->ai_addr, res->ai_addrlen,
                         (*addrs)->nodes[i].host, TROVE_REDIS_HOST + 1, NULL,
                         0, NI_NUMERICHOST);

        freeaddrinfo(res);

        if (rc != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
