
#include "ngx_http_trove_redis.h"

#include "trove_overflow.h"


/*
 * What Redis is to a trove.
 *
 * Its store: there writes are decided, see trove_redis_wire.h.  Or where what
 * there is no room for waits in queues, see trove_overflow.h.
 */

#define NGX_HTTP_TROVE_LOG_MAX  65536    /* entries of the store's log */

/* Spreads numbers that follow each other. */
#define NGX_HTTP_TROVE_GOLDEN   0x9e3779b97f4a7c15ULL


static ngx_int_t ngx_http_trove_role_store_init(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_role_store_known(ngx_http_trove_redis_t *rd);
static const char *ngx_http_trove_role_store_instance(
    ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_role_store_args(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, const char **argv, size_t *lens);
static trove_rc_t ngx_http_trove_role_store_head(const trove_slice_t *text,
    ngx_http_trove_reply_head_t *h);
static trove_rc_t ngx_http_trove_role_store_result(
    ngx_http_trove_reply_head_t *h, trove_redis_type_t type,
    trove_redis_result_t *result);
static void ngx_http_trove_role_store_decided(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, ngx_http_trove_reply_head_t *h,
    trove_redis_result_t *results);
static void ngx_http_trove_role_store_opened(trove_stats_t *stats);
static void ngx_http_trove_role_store_sent(trove_stats_t *stats,
    ngx_uint_t again);
static void ngx_http_trove_role_store_answered(trove_stats_t *stats,
    uint64_t ns);
static void ngx_http_trove_role_store_failed(trove_stats_t *stats,
    trove_store_rc_t rc);

static ngx_int_t ngx_http_trove_role_overflow_init(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_role_overflow_known(
    ngx_http_trove_redis_t *rd);
static const char *ngx_http_trove_role_overflow_instance(
    ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_role_overflow_args(
    ngx_http_trove_redis_t *rd, ngx_http_trove_call_t *call,
    const char **argv, size_t *lens);
static trove_rc_t ngx_http_trove_role_overflow_head(const trove_slice_t *text,
    ngx_http_trove_reply_head_t *h);
static trove_rc_t ngx_http_trove_role_overflow_result(
    ngx_http_trove_reply_head_t *h, trove_redis_type_t type,
    trove_redis_result_t *result);
static void ngx_http_trove_role_overflow_decided(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, ngx_http_trove_reply_head_t *h,
    trove_redis_result_t *results);
static uint64_t ngx_http_trove_role_overflow_since(
    ngx_http_trove_redis_t *rd, ngx_http_trove_place_t *place,
    uint32_t queue);
static void ngx_http_trove_role_overflow_opened(trove_stats_t *stats);
static void ngx_http_trove_role_overflow_sent(trove_stats_t *stats,
    ngx_uint_t again);
static void ngx_http_trove_role_overflow_answered(trove_stats_t *stats,
    uint64_t ns);
static void ngx_http_trove_role_overflow_failed(trove_stats_t *stats,
    trove_store_rc_t rc);


/* Of the queues: the names are the same in all calls. */

typedef struct {
    char                  whose[NGX_INT64_LEN + 1];
    char                (*names)[TROVE_MARK_NAME];
    char                  marks[TROVE_REDIS_OPS][NGX_INT64_LEN + 1];
} ngx_http_trove_queues_t;


const ngx_http_trove_role_t  ngx_http_trove_role_store = {
    "store",
    "writes are refused",

    trove_redis_script,
    &trove_redis_script_len,
    trove_redis_script_sha,

    ngx_http_trove_role_store_init,
    ngx_http_trove_role_store_known,
    ngx_http_trove_role_store_instance,
    ngx_http_trove_role_store_args,
    ngx_http_trove_role_store_head,
    ngx_http_trove_role_store_result,
    ngx_http_trove_role_store_decided,

    ngx_http_trove_role_store_opened,
    ngx_http_trove_role_store_sent,
    ngx_http_trove_role_store_answered,
    ngx_http_trove_role_store_failed
};


const ngx_http_trove_role_t  ngx_http_trove_role_overflow = {
    "overflow",
    "what would have to wait is refused",

    trove_overflow_script,
    &trove_overflow_script_len,
    trove_overflow_script_sha,

    ngx_http_trove_role_overflow_init,
    ngx_http_trove_role_overflow_known,
    ngx_http_trove_role_overflow_instance,
    ngx_http_trove_role_overflow_args,
    ngx_http_trove_role_overflow_head,
    ngx_http_trove_role_overflow_result,
    ngx_http_trove_role_overflow_decided,

    ngx_http_trove_role_overflow_opened,
    ngx_http_trove_role_overflow_sent,
    ngx_http_trove_role_overflow_answered,
    ngx_http_trove_role_overflow_failed
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


static const char *
ngx_http_trove_role_store_instance(ngx_http_trove_redis_t *rd)
{
    return trove_replica_instance(rd->worker->trove->ledger);
}


static ngx_uint_t
ngx_http_trove_role_store_args(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, const char **argv, size_t *lens)
{
    ngx_uint_t  i;

    for (i = 0; call && i < call->n; i++) {
        argv[i] = (char *) call->text + call->places[i].at;
        lens[i] = call->places[i].len;
    }

    return i;
}


static trove_rc_t
ngx_http_trove_role_store_head(const trove_slice_t *text,
    ngx_http_trove_reply_head_t *h)
{
    trove_rc_t            rc;
    trove_redis_answer_t  a;

    rc = trove_redis_answer(text, &a);

    if (rc == TROVE_OK) {
        h->log = a.log;
        h->whose = 0;
        h->now = a.now;
        h->rest = a.rest;
    }

    return rc;
}


static trove_rc_t
ngx_http_trove_role_store_result(ngx_http_trove_reply_head_t *h,
    trove_redis_type_t type, trove_redis_result_t *result)
{
    trove_rc_t            rc;
    trove_redis_answer_t  a;

    a.log = h->log;
    a.now = h->now;
    a.rest = h->rest;

    rc = trove_redis_result(&a, type, result);

    h->rest = a.rest;

    return rc;
}


static void
ngx_http_trove_role_store_decided(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, ngx_http_trove_reply_head_t *h,
    trove_redis_result_t *results)
{
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


static ngx_int_t
ngx_http_trove_role_overflow_init(ngx_http_trove_redis_t *rd)
{
    uint32_t                  queue, n;
    ngx_pool_t               *pool;
    const char               *name;
    trove_slice_t             trove;
    trove_ledger_t           *ledger;
    ngx_http_trove_queues_t  *qs;

    pool = rd->worker->trove->cycle->pool;
    ledger = rd->worker->trove->ledger;
    n = trove_marks(ledger);

    trove.data = rd->worker->trove->name.data;
    trove.len = rd->worker->trove->name.len;

    rd->key = ngx_pnalloc(pool, trove.len + TROVE_REDIS_KEY);
    rd->config = ngx_pnalloc(pool, NGX_INT_T_LEN);
    qs = ngx_palloc(pool, sizeof(ngx_http_trove_queues_t));

    if (rd->key == NULL || rd->config == NULL || qs == NULL) {
        return NGX_ERROR;
    }

    qs->names = ngx_pnalloc(pool, n * TROVE_MARK_NAME);
    if (qs->names == NULL) {
        return NGX_ERROR;
    }

    rd->data = qs;
    rd->key_len = trove_redis_key(rd->key, &trove, ":overflow");
    rd->config_len = ngx_sprintf((u_char *) rd->config, "%ui",
                                 rd->worker->trove->overflow_max)
                     - (u_char *) rd->config;

    for (queue = 0; queue < n; queue++) {
        name = trove_mark_name(ledger, queue, qs->names[queue]);

        (void) ngx_cpystrn((u_char *) qs->names[queue], (u_char *) name,
                           TROVE_MARK_NAME);
    }

    return NGX_OK;
}


/* Queues must not be made for a store that was not opened yet. */

static ngx_uint_t
ngx_http_trove_role_overflow_known(ngx_http_trove_redis_t *rd)
{
    return rd->role->instance(rd)[0] != '\0';
}


static const char *
ngx_http_trove_role_overflow_instance(ngx_http_trove_redis_t *rd)
{
    return trove_overflow_instance(rd->worker->trove->ledger,
                                   rd->worker->trove->store != NULL);
}


static ngx_uint_t
ngx_http_trove_role_overflow_args(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, const char **argv, size_t *lens)
{
    u_char                   *end;
    uint32_t                  queue;
    uint64_t                  whose;
    ngx_uint_t                i, argc;
    trove_ledger_t           *ledger;
    ngx_http_trove_queues_t  *qs;

    qs = rd->data;
    ledger = rd->worker->trove->ledger;

    /* what tells these queues from all others, if they are made by this call */

    whose = 1 + (rd->random + rd->number * NGX_HTTP_TROVE_GOLDEN)
                % (TROVE_REDIS_NUMBER - 1);

    argv[0] = qs->whose;
    lens[0] = ngx_sprintf((u_char *) qs->whose, "%uL", whose)
              - (u_char *) qs->whose;
    argc = 1;

    for (i = 0; call && i < call->n; i++) {
        queue = ngx_http_trove_queue(call->places[i].type,
                                     call->places[i].board);

        end = ngx_sprintf((u_char *) qs->marks[i], "%uL",
                          trove_mark(ledger, queue));

        argv[argc] = qs->names[queue];
        lens[argc++] = ngx_strlen(qs->names[queue]);
        argv[argc] = qs->marks[i];
        lens[argc++] = end - (u_char *) qs->marks[i];
        argv[argc] = (char *) call->text + call->places[i].at;
        lens[argc++] = call->places[i].len;
    }

    return argc;
}


static trove_rc_t
ngx_http_trove_role_overflow_head(const trove_slice_t *text,
    ngx_http_trove_reply_head_t *h)
{
    h->log = 0;

    return trove_overflow_answer(text, &h->whose, &h->now, &h->rest);
}


/* Its number is where a version would be. */

static trove_rc_t
ngx_http_trove_role_overflow_result(ngx_http_trove_reply_head_t *h,
    trove_redis_type_t type, trove_redis_result_t *result)
{
    int         queued;
    trove_rc_t  rc;

    rc = trove_overflow_queued(&h->rest, &queued, &result->u.version);

    if (rc == TROVE_OK) {
        result->rc = queued ? TROVE_QUEUED : TROVE_FULL;
    }

    return rc;
}


/* Before anybody hears of it, all workers know that it waits. */

static void
ngx_http_trove_role_overflow_decided(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, ngx_http_trove_reply_head_t *h,
    trove_redis_result_t *results)
{
    uint32_t                 queue;
    ngx_uint_t               i;
    trove_stats_t           *stats;
    trove_ledger_t          *ledger;
    ngx_http_trove_place_t  *place;

    stats = rd->worker->stats;
    ledger = rd->worker->trove->ledger;

    for (i = 0; i < call->n; i++) {

        if (results[i].rc == TROVE_FULL) {
            trove_stats_add(stats, overflow_full, 1);
            continue;
        }

        trove_stats_add(stats, overflow_queued, 1);

        place = &call->places[i];
        queue = ngx_http_trove_queue(place->type, place->board);

        trove_mark_tell(ledger, h->whose, queue, results[i].u.version);
        trove_mark_follow(ledger, queue, place->target,
                          ngx_http_trove_role_overflow_since(rd, place, queue),
                          results[i].u.version);
    }
}


/* What was not there yet cannot come by now but from the queue. */

static uint64_t
ngx_http_trove_role_overflow_since(ngx_http_trove_redis_t *rd,
    ngx_http_trove_place_t *place, uint32_t queue)
{
    uint64_t           mark;
    trove_slice_t      text;
    trove_ledger_t    *ledger;
    trove_redis_op_t   op;

    if (place->since != TROVE_MARK_UNKNOWN) {
        return place->since;
    }

    ledger = rd->worker->trove->ledger;
    mark = trove_mark(ledger, queue);

    text.data = place->call->text + place->at;
    text.len = place->len;

    return (trove_redis_op_read(&text, &op) == TROVE_OK
            && trove_overflow_has_target(ledger, queue, &op,
                                         ngx_http_trove_board_now())
               == TROVE_NOTFOUND)
           ? mark : TROVE_MARK_UNKNOWN;
}


static void
ngx_http_trove_role_overflow_opened(trove_stats_t *stats)
{
}


static void
ngx_http_trove_role_overflow_sent(trove_stats_t *stats, ngx_uint_t again)
{
}


static void
ngx_http_trove_role_overflow_answered(trove_stats_t *stats, uint64_t ns)
{
    trove_stats_observe(stats, overflow_call, ns);
}


/* What comes of it is counted: ops that are refused. */

static void
ngx_http_trove_role_overflow_failed(trove_stats_t *stats, trove_store_rc_t rc)
{
}
