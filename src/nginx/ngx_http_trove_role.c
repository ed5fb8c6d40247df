
#include "ngx_http_trove_redis.h"


/*
 * What Redis is to a trove.  Its store: there its writes are decided, see
 * trove_redis_wire.h.
 */

#define NGX_HTTP_TROVE_LOG_MAX  65536    /* entries of the store's log */


static ngx_int_t ngx_http_trove_role_store_init(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_role_store_known(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_role_store_opened(trove_stats_t *stats);
static void ngx_http_trove_role_store_sent(trove_stats_t *stats,
    ngx_uint_t again);
static void ngx_http_trove_role_store_answered(trove_stats_t *stats,
    uint64_t ns);
static void ngx_http_trove_role_store_failed(trove_stats_t *stats,
    trove_store_rc_t rc);


const ngx_http_trove_role_t  ngx_http_trove_role_store = {
    "store",
    "writes are refused",

    trove_redis_script,
    &trove_redis_script_len,
    trove_redis_script_sha,

    ngx_http_trove_role_store_init,
    ngx_http_trove_role_store_known,
    trove_redis_answer,
    trove_redis_result,

    ngx_http_trove_role_store_opened,
    ngx_http_trove_role_store_sent,
    ngx_http_trove_role_store_answered,
    ngx_http_trove_role_store_failed
};


static ngx_int_t
ngx_http_trove_role_store_init(ngx_http_trove_redis_t *rd)
{
    ngx_pool_t           *pool;
    trove_slice_t         name;
    ngx_http_trove_t     *trove;
    trove_redis_rules_t   rules;

    trove = rd->worker->trove;
    pool = trove->cycle->pool;

    name.data = trove->name.data;
    name.len = trove->name.len;

    rd->key = ngx_pnalloc(pool, name.len + TROVE_REDIS_KEY);
    if (rd->key == NULL) {
        return NGX_ERROR;
    }

    rd->key_len = trove_redis_key(rd->key, &name, "");

    ngx_memzero(&rules, sizeof(trove_redis_rules_t));
    ngx_http_trove_ledger_conf(trove, &rules.ledger);

    rules.claims = trove->rules;
    rules.interval = trove->tap_interval;
    rules.burst = trove->tap_burst;
    rules.log_max = NGX_HTTP_TROVE_LOG_MAX;

    rd->config = ngx_pnalloc(pool, trove_redis_rules_size(&rules));
    if (rd->config == NULL) {
        return NGX_ERROR;
    }

    rd->config_len = trove_redis_rules(rd->config, &rules);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_trove_role_store_known(ngx_http_trove_redis_t *rd)
{
    return trove_replica_state(rd->worker->trove->ledger)
           == TROVE_REPLICA_LIVE;
}


static void
ngx_http_trove_role_store_opened(trove_stats_t *stats)
{
    trove_stats_add(stats, store_opens, 1);
}


static void
ngx_http_trove_role_store_sent(trove_stats_t *stats, ngx_uint_t again)
{
    trove_stats_add(stats, store_calls, 1);
    trove_stats_add(stats, store_calls_again, again);
}


static void
ngx_http_trove_role_store_answered(trove_stats_t *stats, uint64_t ns)
{
    trove_stats_observe(stats, store_call, ns);
}


static void
ngx_http_trove_role_store_failed(trove_stats_t *stats, trove_store_rc_t rc)
{
#define NGX_HTTP_TROVE_ROLE_COUNT(NAME, name)                                \
    case TROVE_STORE_##NAME:                                                  \
        trove_stats_add(stats, store_##name, 1);                              \
        break;

    switch (rc) {

    TROVE_STORE_FAILURES(NGX_HTTP_TROVE_ROLE_COUNT)

    default:
        break;
    }
}
