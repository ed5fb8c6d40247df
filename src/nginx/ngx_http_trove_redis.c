
#include "ngx_http_trove.h"

#include <sys/random.h>


/*
 * A worker's connection to the Redis that decides a trove's writes:
 *
 *   ops of requests -> calls of up to 128 ops, in order -> at most two of them
 *   are under way; load makes them longer by itself
 *
 *   AWAY -- connect --> GREETS -- all is well --> READY
 *     ^                   |                         |
 *     '---- later --------+---- lost, or no answer -'
 *
 * A greeting is authentication, the database, and a call without ops, which
 * Redis answers only if it has the trove and takes writes; it is the breaker's
 * probe, too.  Calls that were under way when a connection is lost are sent
 * again, as they were and in their order, by the next one, if anybody still
 * waits for them: Redis knows a call by its session and number and carries it
 * out once.
 *
 * Nothing here waits: the sockets are nginx's events, level-triggered since
 * hiredis reads what there is once, and hosts are addresses since the
 * configuration.
 */

#define NGX_HTTP_TROVE_CALLS_SENT    2         /* under way                  */
#define NGX_HTTP_TROVE_CALLS_MAX     64        /* of a worker and trove      */
#define NGX_HTTP_TROVE_CALLS_FREE    4         /* kept for reuse             */
#define NGX_HTTP_TROVE_CALL_BYTES    262144    /* no more ops from there on  */
#define NGX_HTTP_TROVE_CALLS_BYTES   8388608   /* of all calls               */
#define NGX_HTTP_TROVE_CALL_START    4096

#define NGX_HTTP_TROVE_EXPECTED      32        /* replies, a power of two    */
#define NGX_HTTP_TROVE_REDIRECTS     4         /* one after the other        */
#define NGX_HTTP_TROVE_LOG_MAX       65536     /* entries of the log         */

#define NGX_HTTP_TROVE_REDIS_FAILS   3         /* that open the breaker      */
#define NGX_HTTP_TROVE_REDIS_LEAST   50        /* ms, as long as it is open, */
#define NGX_HTTP_TROVE_REDIS_MOST    2000      /* and between connections    */
#define NGX_HTTP_TROVE_REDIS_LOADS   100       /* ms between looks at a copy */
#define NGX_HTTP_TROVE_REDIS_TELLS   10        /* s between lines of failures,
                                                  the breaker being closed   */


typedef enum {
    NGX_HTTP_TROVE_REDIS_AWAY,
    NGX_HTTP_TROVE_REDIS_GREETS,
    NGX_HTTP_TROVE_REDIS_READY
} ngx_http_trove_redis_state_t;


/* What a reply is of. */

typedef enum {
    NGX_HTTP_TROVE_REPLY_AUTH,
    NGX_HTTP_TROVE_REPLY_SELECT,
    NGX_HTTP_TROVE_REPLY_SCRIPT,
    NGX_HTTP_TROVE_REPLY_ASKING,
    NGX_HTTP_TROVE_REPLY_PROBE,
    NGX_HTTP_TROVE_REPLY_CALL,
    NGX_HTTP_TROVE_REPLY_REPLICAS
} ngx_http_trove_reply_t;


typedef struct ngx_http_trove_call_s  ngx_http_trove_call_t;


/* An op's place in its call; a request that has gone leaves it empty. */

typedef struct {
    ngx_queue_t              queue;      /* of the asker's                   */
    ngx_http_trove_asker_t  *asker;      /* NULL: nobody                     */
    ngx_http_trove_call_t   *call;
    uint32_t                 index;
    uint32_t                 at;         /* in the call's text               */
    uint32_t                 len;
    trove_redis_type_t       type;
} ngx_http_trove_place_t;


struct ngx_http_trove_call_s {
    ngx_queue_t              queue;
    uint64_t                 number;     /* 0: it was never sent             */
    uint64_t                 opened;     /* when, in ns                      */
    uint64_t                 sent;
    redisReply              *reply;      /* replicas are waited for          */
    ngx_uint_t               n;
    u_char                  *text;
    size_t                   len;
    size_t                   size;
    ngx_http_trove_place_t   places[TROVE_REDIS_OPS];
    unsigned                 under_way:1;
    unsigned                 again:1;    /* it was sent more than once       */
};


struct ngx_http_trove_redis_s {
    ngx_http_trove_worker_t       *worker;
    const trove_redis_conf_t      *conf;
    trove_breaker_t               *breaker;
    trove_breaker_conf_t           rules;
    trove_breaker_probe_t          probe;       /* 0: it is not ours         */

    ngx_http_trove_redis_state_t   state;
    redisContext                  *context;
    ngx_connection_t              *connection;
    uint8_t                        expected[NGX_HTTP_TROVE_EXPECTED];
    ngx_uint_t                     first;       /* of them                   */
    ngx_uint_t                     last;
    ngx_uint_t                     at;          /* conf's node               */
    trove_redis_node_t             node;        /* where a cluster sent us   */
    char                           host[TROVE_REDIS_HOST + 1];  /* its name   */
    ngx_uint_t                     redirects;
    ngx_uint_t                     tries;       /* in vain, since the last   */
    u_char                         name[TROVE_REDIS_NODE];
    char                           why[TROVE_STORE_ERROR];
    time_t                         told;        /* when, of a failure        */

    ngx_queue_t                    calls;       /* first those under way     */
    ngx_queue_t                    free;
    ngx_uint_t                     ncalls;
    ngx_uint_t                     nfree;
    ngx_uint_t                     under_way;
    size_t                         bytes;

    char                           session[TROVE_REDIS_SESSION];
    uint64_t                       number;      /* of the last call          */
    uint64_t                       looked;      /* ns; 0: it was answered    */
    int64_t                        ahead;       /* us: Redis' clock of ours  */
    uint64_t                       random;

    ngx_event_t                    send;        /* posted: at the turn's end */
    ngx_event_t                    timer;       /* to connect, of an answer  */
    ngx_event_t                    look;        /* READY, the breaker is not */

    char                          *key;
    size_t                         key_len;
    char                          *config;
    size_t                         config_len;

    unsigned                       known:1;     /* the session is, in Redis  */
    unsigned                       moved:1;     /* "node" is where to go     */
    unsigned                       asking:1;
    unsigned                       was_open:1;  /* when "timer" was set      */
    unsigned                       writing:1;
};


static ngx_int_t ngx_http_trove_redis_names(ngx_http_trove_redis_t *rd);
static ngx_int_t ngx_http_trove_redis_session(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_redis_random(ngx_http_trove_redis_t *rd,
    ngx_uint_t n);

static ngx_http_trove_call_t *ngx_http_trove_call_open(
    ngx_http_trove_redis_t *rd);
static ngx_int_t ngx_http_trove_call_room(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, size_t size);
static void ngx_http_trove_call_tidy(ngx_http_trove_call_t *call);
static ngx_uint_t ngx_http_trove_call_wanted(ngx_http_trove_call_t *call);
static void ngx_http_trove_call_close(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call);
static void ngx_http_trove_call_answer(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, redisReply *reply);
static void ngx_http_trove_call_failed(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, trove_rc_t rc);
static void ngx_http_trove_place_answer(ngx_http_trove_place_t *place,
    trove_redis_result_t *result, uint64_t log, uint64_t now);

static void ngx_http_trove_redis_timer(ngx_event_t *ev);
static void ngx_http_trove_redis_look(ngx_event_t *ev);
static ngx_msec_t ngx_http_trove_redis_wait(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_redis_tries(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_connect(ngx_http_trove_redis_t *rd);
static const char *ngx_http_trove_redis_open(ngx_http_trove_redis_t *rd);
static ngx_int_t ngx_http_trove_redis_events(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_close(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_later(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_lost(ngx_http_trove_redis_t *rd,
    trove_store_rc_t rc, const char *why);
static void ngx_http_trove_redis_elsewhere(ngx_http_trove_redis_t *rd,
    trove_redis_error_t *e);
static ngx_int_t ngx_http_trove_redis_address(ngx_http_trove_redis_t *rd,
    trove_redis_node_t *node);
static void ngx_http_trove_redis_failed(ngx_http_trove_redis_t *rd,
    trove_store_rc_t rc, ngx_uint_t count, const char *why);
static void ngx_http_trove_redis_count(trove_stats_t *stats,
    trove_store_rc_t rc);

static void ngx_http_trove_redis_greet(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_probe(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_load(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_command(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_uint_t argc, const char **argv,
    const size_t *lens);
static void ngx_http_trove_redis_clock(ngx_http_trove_redis_t *rd,
    uint64_t now);
static uint64_t ngx_http_trove_redis_deadline(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call);
static void ngx_http_trove_redis_eval(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_http_trove_call_t *call);
static void ngx_http_trove_redis_send(ngx_event_t *ev);
static void ngx_http_trove_redis_call(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call);
static void ngx_http_trove_redis_due(ngx_http_trove_redis_t *rd);

static void ngx_http_trove_redis_write(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_write_handler(ngx_event_t *wev);
static void ngx_http_trove_redis_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_trove_redis_reply(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, redisReply *reply);
static ngx_int_t ngx_http_trove_redis_greeted(ngx_http_trove_redis_t *rd,
    redisReply *reply);
static ngx_int_t ngx_http_trove_redis_called(ngx_http_trove_redis_t *rd,
    redisReply *reply);
static ngx_int_t ngx_http_trove_redis_replicated(ngx_http_trove_redis_t *rd,
    redisReply *reply);
static ngx_int_t ngx_http_trove_redis_error(ngx_http_trove_redis_t *rd,
    redisReply *reply, trove_redis_error_t *e);


ngx_int_t
ngx_http_trove_redis_init(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    uint64_t                 ms;
    ngx_http_trove_redis_t  *rd;

    if (w->trove->redis == NULL) {
        return NGX_OK;
    }

    rd = ngx_pcalloc(cycle->pool, sizeof(ngx_http_trove_redis_t));
    if (rd == NULL) {
        return NGX_ERROR;
    }

    ms = 1000000;

    rd->worker = w;
    rd->conf = w->trove->redis_addrs;
    rd->breaker = w->trove->breaker;
    rd->rules.failures = NGX_HTTP_TROVE_REDIS_FAILS;
    rd->rules.least = NGX_HTTP_TROVE_REDIS_LEAST * ms;
    rd->rules.most = NGX_HTTP_TROVE_REDIS_MOST * ms;
    rd->rules.probe = 2 * rd->conf->timeout * ms;

    ngx_queue_init(&rd->calls);
    ngx_queue_init(&rd->free);

    rd->send.data = rd;
    rd->send.handler = ngx_http_trove_redis_send;
    rd->send.log = cycle->log;

    /* requests that wait for an answer have timers of their own */

    rd->timer.data = rd;
    rd->timer.handler = ngx_http_trove_redis_timer;
    rd->timer.log = cycle->log;
    rd->timer.cancelable = 1;

    rd->look.data = rd;
    rd->look.handler = ngx_http_trove_redis_look;
    rd->look.log = cycle->log;
    rd->look.cancelable = 1;

    if (ngx_http_trove_redis_names(rd) != NGX_OK
        || ngx_http_trove_redis_session(rd) != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->redis = rd;

    ngx_add_timer(&rd->timer, 1);

    return NGX_OK;
}


/* What is the same in all calls. */

static ngx_int_t
ngx_http_trove_redis_names(ngx_http_trove_redis_t *rd)
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


static ngx_int_t
ngx_http_trove_redis_session(ngx_http_trove_redis_t *rd)
{
    u_char  random[TROVE_REDIS_SESSION / 2];

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    (void) ngx_hex_dump((u_char *) rd->session, random, sizeof(random));
    ngx_memcpy(&rd->random, random, sizeof(uint64_t));

    rd->random |= 1;
    rd->known = 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_trove_redis_random(ngx_http_trove_redis_t *rd, ngx_uint_t n)
{
    rd->random ^= rd->random << 13;
    rd->random ^= rd->random >> 7;
    rd->random ^= rd->random << 17;

    return (rd->random >> 32) % n;
}


/* What waits has been answered, or given up, by the requests' own timers. */

void
ngx_http_trove_redis_exit(ngx_http_trove_worker_t *w)
{
    ngx_queue_t             *q;
    ngx_http_trove_call_t   *call;
    ngx_http_trove_redis_t  *rd;

    rd = w->redis;

    if (rd == NULL) {
        return;
    }

    ngx_http_trove_redis_close(rd);

    if (rd->probe) {
        (void) trove_breaker_failure(rd->breaker, &rd->rules, rd->probe, 1,
                                     trove_clock_ns(), 0);
    }

    while (!ngx_queue_empty(&rd->calls)) {
        q = ngx_queue_head(&rd->calls);
        ngx_http_trove_call_close(rd, ngx_queue_data(q, ngx_http_trove_call_t,
                                                     queue));
    }

    while (!ngx_queue_empty(&rd->free)) {
        q = ngx_queue_head(&rd->free);
        ngx_queue_remove(q);

        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

        trove_free(call->text);
        trove_free(call);
    }

    w->redis = NULL;
}


ngx_uint_t
ngx_http_trove_redis_takes(ngx_http_trove_redis_t *rd)
{
    if (trove_likely(trove_breaker_closed(rd->breaker))) {
        return 1;
    }

    /* somebody has to look whether it can be closed */

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY && !rd->look.timer_set) {
        ngx_add_timer(&rd->look, 1);
    }

    return 0;
}


trove_rc_t
ngx_http_trove_redis_ask(ngx_http_trove_redis_t *rd,
    const trove_redis_op_t *op, ngx_http_trove_asker_t *asker, uint32_t index)
{
    size_t                   size;
    ngx_http_trove_call_t   *call;
    ngx_http_trove_place_t  *place;

    size = trove_redis_op_size(op);
    call = ngx_http_trove_call_open(rd);

    if (call == NULL || ngx_http_trove_call_room(rd, call, size) != NGX_OK) {
        ngx_http_trove_redis_failed(rd, TROVE_STORE_BUSY, 1,
                                    "too many writes wait for it");
        return TROVE_CANCELED;
    }

    place = &call->places[call->n++];

    place->asker = asker;
    place->call = call;
    place->index = index;
    place->type = op->type;
    place->at = call->len;
    place->len = trove_redis_op((char *) call->text + call->len, op);

    call->len += place->len;

    ngx_queue_insert_tail(&asker->places, &place->queue);

    ngx_post_event(&rd->send, &ngx_posted_events);

    return TROVE_OK;
}


void
ngx_http_trove_redis_forget(ngx_http_trove_asker_t *asker)
{
    ngx_queue_t             *q;
    trove_redis_result_t     result;
    ngx_http_trove_place_t  *place;

    while (!ngx_queue_empty(&asker->places)) {
        q = ngx_queue_head(&asker->places);
        place = ngx_queue_data(q, ngx_http_trove_place_t, queue);

        result.rc = place->call->number ? TROVE_AGAIN : TROVE_CANCELED;

        ngx_http_trove_place_answer(place, &result, 0, 0);
    }
}


static void
ngx_http_trove_place_answer(ngx_http_trove_place_t *place,
    trove_redis_result_t *result, uint64_t log, uint64_t now)
{
    ngx_http_trove_asker_t  *asker;

    asker = place->asker;

    if (asker == NULL) {
        return;
    }

    place->asker = NULL;
    ngx_queue_remove(&place->queue);

    asker->answered(asker, place->index, result, log, now,
                    ngx_queue_empty(&asker->places));
}


/* The one that ops are added to; NULL: there are too many. */

static ngx_http_trove_call_t *
ngx_http_trove_call_open(ngx_http_trove_redis_t *rd)
{
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

    if (!ngx_queue_empty(&rd->calls)) {
        q = ngx_queue_last(&rd->calls);
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

        if (call->number == 0
            && call->n < TROVE_REDIS_OPS
            && call->len < NGX_HTTP_TROVE_CALL_BYTES)
        {
            return call;
        }
    }

    if (rd->ncalls == NGX_HTTP_TROVE_CALLS_MAX
        || rd->bytes > NGX_HTTP_TROVE_CALLS_BYTES)
    {
        return NULL;
    }

    if (!ngx_queue_empty(&rd->free)) {
        q = ngx_queue_head(&rd->free);
        ngx_queue_remove(q);
        rd->nfree--;
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

    } else {
        call = trove_alloc(sizeof(ngx_http_trove_call_t));
        if (call == NULL) {
            return NULL;
        }

        call->text = NULL;
        call->size = 0;
    }

    call->number = 0;
    call->opened = trove_clock_ns();
    call->reply = NULL;
    call->n = 0;
    call->len = 0;
    call->under_way = 0;

    ngx_queue_insert_tail(&rd->calls, &call->queue);
    rd->ncalls++;

    return call;
}


static ngx_int_t
ngx_http_trove_call_room(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, size_t size)
{
    u_char  *text;

    if (call->len + size <= call->size) {
        return NGX_OK;
    }

    size = ngx_max(2 * call->size, call->len + size);
    size = ngx_max(size, NGX_HTTP_TROVE_CALL_START);

    text = trove_alloc(size);
    if (text == NULL) {
        return NGX_ERROR;
    }

    if (call->len) {
        ngx_memcpy(text, call->text, call->len);
    }

    trove_free(call->text);

    rd->bytes += size - call->size;

    call->text = text;
    call->size = size;

    return NGX_OK;
}


/* Nobody waits for these, and they were never sent. */

static void
ngx_http_trove_call_tidy(ngx_http_trove_call_t *call)
{
    ngx_uint_t               i, n;
    ngx_http_trove_place_t  *place;

    n = 0;

    for (i = 0; i < call->n; i++) {
        place = &call->places[i];

        if (place->asker == NULL) {
            continue;
        }

        if (n != i) {
            ngx_queue_insert_after(&place->queue, &call->places[n].queue);
            ngx_queue_remove(&place->queue);

            call->places[n].asker = place->asker;
            call->places[n].call = call;
            call->places[n].index = place->index;
            call->places[n].at = place->at;
            call->places[n].len = place->len;
            call->places[n].type = place->type;
        }

        n++;
    }

    call->n = n;
}


/* Whether anybody waits for it; who does not asks again by himself. */

static ngx_uint_t
ngx_http_trove_call_wanted(ngx_http_trove_call_t *call)
{
    ngx_uint_t  i;

    for (i = 0; i < call->n; i++) {

        if (call->places[i].asker) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_trove_call_close(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call)
{
    if (call->under_way) {
        rd->under_way--;
    }

    if (call->reply) {
        freeReplyObject(call->reply);
    }

    ngx_queue_remove(&call->queue);
    rd->ncalls--;

    /* a large one is not kept */

    if (rd->nfree < NGX_HTTP_TROVE_CALLS_FREE
        && call->size <= NGX_HTTP_TROVE_CALL_BYTES / 8)
    {
        ngx_queue_insert_head(&rd->free, &call->queue);
        rd->nfree++;
        return;
    }

    rd->bytes -= call->size;

    trove_free(call->text);
    trove_free(call);
}


/* Hands out the results of a reply that stays the caller's. */

static void
ngx_http_trove_call_answer(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, redisReply *reply)
{
    ngx_uint_t             i;
    trove_slice_t          text;
    trove_redis_answer_t   a;
    trove_redis_result_t   results[TROVE_REDIS_OPS];

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    if (reply->type != REDIS_REPLY_STRING
        || trove_redis_answer(&text, &a) != TROVE_OK)
    {
        goto foreign;
    }

    for (i = 0; i < call->n; i++) {

        if (trove_redis_result(&a, call->places[i].type, &results[i])
            != TROVE_OK)
        {
            goto foreign;
        }
    }

    if (a.rest.len) {
        goto foreign;
    }

    (void) trove_breaker_success(rd->breaker, 0);

    /* what it is told again is of then */

    if (!call->again) {
        ngx_http_trove_redis_clock(rd, a.now);
    }

    for (i = 0; i < call->n; i++) {
        ngx_http_trove_place_answer(&call->places[i], &results[i], a.log,
                                    a.now);
    }

    ngx_http_trove_call_close(rd, call);

    return;

foreign:

    ngx_http_trove_redis_failed(rd, TROVE_STORE_FOREIGN, 1,
                                "what it answers is not an answer");
    ngx_http_trove_call_failed(rd, call, TROVE_AGAIN);
}


static void
ngx_http_trove_call_failed(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, trove_rc_t rc)
{
    ngx_uint_t             i;
    trove_redis_result_t   result;

    for (i = 0; i < call->n; i++) {
        result.rc = rc;
        ngx_http_trove_place_answer(&call->places[i], &result, 0, 0);
    }

    ngx_http_trove_call_close(rd, call);
}


static void
ngx_http_trove_redis_timer(ngx_event_t *ev)
{
    ngx_http_trove_t        *trove;
    ngx_http_trove_redis_t  *rd;

    rd = ev->data;
    trove = rd->worker->trove;

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        ngx_http_trove_redis_due(rd);
        return;
    }

    if (rd->state == NGX_HTTP_TROVE_REDIS_GREETS) {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_TIMEOUT,
                                  "it does not answer");
        return;
    }

    /* before that it is not known which trove it has to be */

    if (trove_replica_state(trove->ledger) != TROVE_REPLICA_LIVE) {
        ngx_add_timer(ev, NGX_HTTP_TROVE_REDIS_LOADS);
        return;
    }

    /* a probe may have been sent on to another node */

    if (rd->probe == 0 && !trove_breaker_closed(rd->breaker)) {

        if (!ngx_http_trove_redis_tries(rd)) {
            ngx_http_trove_redis_later(rd);
            return;
        }
    }

    ngx_http_trove_redis_connect(rd);
}


/* It is open though there is a connection. */

static void
ngx_http_trove_redis_look(ngx_event_t *ev)
{
    ngx_http_trove_redis_t  *rd;

    rd = ev->data;

    if (rd->state != NGX_HTTP_TROVE_REDIS_READY
        || rd->probe
        || trove_breaker_closed(rd->breaker))
    {
        return;
    }

    if (!ngx_http_trove_redis_tries(rd)) {
        ngx_add_timer(ev, ngx_http_trove_redis_wait(rd));
        return;
    }

    rd->looked = trove_clock_ns();

    ngx_http_trove_redis_probe(rd);
    ngx_http_trove_redis_due(rd);

    /* a call that was overdue has ended the connection */

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        ngx_http_trove_redis_write(rd);
    }
}


/* ms until the breaker may be half-open; all workers' at other times. */

static ngx_msec_t
ngx_http_trove_redis_wait(ngx_http_trove_redis_t *rd)
{
    return 1 + trove_breaker_wait(rd->breaker, trove_clock_ns()) / 1000000
           + ngx_http_trove_redis_random(rd, 10);
}


/* Whether it is this worker that looks if the store is there again. */

static ngx_uint_t
ngx_http_trove_redis_tries(ngx_http_trove_redis_t *rd)
{
    rd->probe = trove_breaker_ask(rd->breaker, &rd->rules, trove_clock_ns());

    if (rd->probe == 0) {
        return 0;
    }

    trove_stats_add(rd->worker->stats, breaker_half_opened, 1);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "the breaker of trove \"%V\" is half-open: the store is "
                  "tried again", &rd->worker->trove->name);

    return 1;
}


static void
ngx_http_trove_redis_connect(ngx_http_trove_redis_t *rd)
{
    const char  *why;

    if (rd->timer.timer_set) {
        ngx_del_timer(&rd->timer);
    }

    why = ngx_http_trove_redis_open(rd);

    if (why == NULL && ngx_http_trove_redis_events(rd) != NGX_OK) {
        why = "there are not enough worker_connections";
    }

    if (why) {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, why);
        return;
    }

    rd->state = NGX_HTTP_TROVE_REDIS_GREETS;

    ngx_add_timer(&rd->timer, rd->conf->timeout);

    ngx_http_trove_redis_greet(rd);
}


static const char *
ngx_http_trove_redis_open(ngx_http_trove_redis_t *rd)
{
    const char                *host;
    const trove_redis_node_t  *node;

    (void) trove_redis_node_name(rd->conf, rd->at, (char *) rd->name);

    host = rd->worker->trove->redis->nodes[rd->at].host;

    if (rd->moved) {
        node = &rd->node;
        host = rd->host;
        (void) ngx_snprintf(rd->name, TROVE_REDIS_NODE, "%s:%uD%Z",
                            node->host, node->port);

    } else if (rd->conf->nnodes) {
        node = &rd->conf->nodes[rd->at];

    } else {
        node = NULL;
    }

    rd->context = node ? redisConnectNonBlock(node->host, node->port)
                       : redisConnectUnixNonBlock(rd->conf->path);

    if (rd->context == NULL) {
        return "there is no memory";
    }

    /* the certificate is one of the name */

    if (rd->context->err == 0 && rd->conf->tls
        && trove_redis_tls(rd->context, host) != TROVE_OK)
    {
        return rd->context->errstr;
    }

    return rd->context->err ? rd->context->errstr : NULL;
}


static ngx_int_t
ngx_http_trove_redis_events(ngx_http_trove_redis_t *rd)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(rd->context->fd, ngx_cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    rd->connection = c;

    c->data = rd;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_http_trove_redis_read_handler;
    c->write->handler = ngx_http_trove_redis_write_handler;
    c->read->channel = 1;              /* no connection to wait for at exit */

    rd->writing = 1;

    return (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) == NGX_OK
            && ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT)
               == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


/* Calls that were under way are to be sent again. */

static void
ngx_http_trove_redis_close(ngx_http_trove_redis_t *rd)
{
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

    rd->state = NGX_HTTP_TROVE_REDIS_AWAY;
    rd->first = rd->last;
    rd->under_way = 0;
    rd->looked = 0;

    for (q = ngx_queue_head(&rd->calls);
         q != ngx_queue_sentinel(&rd->calls);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);
        call->under_way = 0;

        if (call->reply) {
            freeReplyObject(call->reply);
            call->reply = NULL;
        }
    }

    if (rd->timer.timer_set) {
        ngx_del_timer(&rd->timer);
    }

    if (rd->look.timer_set) {
        ngx_del_timer(&rd->look);
    }

    if (rd->send.posted) {
        ngx_delete_posted_event(&rd->send);
    }

    if (rd->connection) {
        (void) redisFreeKeepFd(rd->context);
        ngx_close_connection(rd->connection);

    } else if (rd->context) {
        redisFree(rd->context);
    }

    rd->context = NULL;
    rd->connection = NULL;
}


/* When the next connection is made. */

static void
ngx_http_trove_redis_later(ngx_http_trove_redis_t *rd)
{
    ngx_uint_t  ms;

    if (rd->timer.timer_set) {
        ngx_del_timer(&rd->timer);
    }

    rd->was_open = !trove_breaker_closed(rd->breaker);

    if (rd->was_open) {
        ms = ngx_http_trove_redis_wait(rd);

    } else if (rd->tries == 0) {
        ms = 1;

    } else {
        ms = NGX_HTTP_TROVE_REDIS_LEAST << ngx_min(rd->tries - 1, 8);
        ms = ngx_min(ms, NGX_HTTP_TROVE_REDIS_MOST);
        ms = ms / 2 + ngx_http_trove_redis_random(rd, ms / 2 + 1);
    }

    ngx_add_timer(&rd->timer, ms);
}


static void
ngx_http_trove_redis_lost(ngx_http_trove_redis_t *rd, trove_store_rc_t rc,
    const char *why)
{
    u_char  text[TROVE_STORE_ERROR];

    /* it may be the context's, or a reply's */

    (void) ngx_cpystrn(text, (u_char *) why, sizeof(text));

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        rd->tries = 0;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "the connection of trove \"%V\" to its store, %s, is "
                      "lost: %s", &rd->worker->trove->name, rd->name, text);

    } else {
        rd->tries++;
        rd->at = rd->conf->nnodes ? (rd->at + 1) % rd->conf->nnodes : 0;
    }

    rd->moved = 0;
    rd->asking = 0;

    ngx_http_trove_redis_close(rd);

    /* who does not answer will not answer others */

    ngx_http_trove_redis_failed(rd, rc,
                                (rc == TROVE_STORE_TIMEOUT)
                                ? NGX_HTTP_TROVE_REDIS_FAILS : 1,
                                (char *) text);
    ngx_http_trove_redis_later(rd);
}


/* Another node is to be asked, with what this one has not carried out. */

static void
ngx_http_trove_redis_elsewhere(ngx_http_trove_redis_t *rd,
    trove_redis_error_t *e)
{
    ngx_uint_t  redirected;

    redirected = (e->then == TROVE_REDIS_MOVED || e->then == TROVE_REDIS_ASK)
                 && rd->redirects++ < NGX_HTTP_TROVE_REDIRECTS
                 && ngx_http_trove_redis_address(rd, &e->node) == NGX_OK;

    if (!redirected) {
        rd->redirects = 0;

        if (e->then == TROVE_REDIS_NEXT) {
            rd->state = NGX_HTTP_TROVE_REDIS_GREETS;
        }

        ngx_http_trove_redis_lost(rd, e->rc, rd->why);
        return;
    }

    rd->moved = 1;
    rd->asking = (e->then == TROVE_REDIS_ASK);

    ngx_http_trove_redis_close(rd);

    ngx_add_timer(&rd->timer, 1);
}


/* A name that the configuration does not have would have to be waited for. */

static ngx_int_t
ngx_http_trove_redis_address(ngx_http_trove_redis_t *rd,
    trove_redis_node_t *node)
{
    u_char               addr[sizeof(struct in6_addr)];
    ngx_uint_t           i;
    trove_redis_conf_t  *conf;

    rd->node = *node;
    (void) ngx_cpystrn((u_char *) rd->host, (u_char *) node->host,
                       sizeof(rd->host));

    if (inet_pton(AF_INET, node->host, addr) == 1
        || inet_pton(AF_INET6, node->host, addr) == 1)
    {
        return NGX_OK;
    }

    conf = rd->worker->trove->redis;

    for (i = 0; i < conf->nnodes; i++) {

        if (ngx_strcmp(conf->nodes[i].host, node->host) == 0) {
            ngx_memcpy(rd->node.host, rd->conf->nodes[i].host,
                       sizeof(node->host));
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* Counts it for the breaker, and tells when that opens. */

static void
ngx_http_trove_redis_failed(ngx_http_trove_redis_t *rd, trove_store_rc_t rc,
    ngx_uint_t count, const char *why)
{
    uint64_t                 now;
    ngx_uint_t                level;
    ngx_http_trove_worker_t  *w;

    w = rd->worker;
    now = trove_clock_ns();
    level = rd->probe ? NGX_LOG_INFO : NGX_LOG_ERR;

    ngx_http_trove_redis_count(w->stats, rc);

    if (!trove_breaker_failure(rd->breaker, &rd->rules, rd->probe, count, now,
                               (uint32_t) ngx_http_trove_redis_random(rd,
                                                                UINT32_MAX)))
    {
        rd->probe = 0;

        /* others may succeed, so that it never opens */

        if (rd->state == NGX_HTTP_TROVE_REDIS_READY
            && trove_breaker_closed(rd->breaker)
            && ngx_time() - rd->told >= NGX_HTTP_TROVE_REDIS_TELLS)
        {
            rd->told = ngx_time();

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "a write to the store of trove \"%V\" fails (%s), "
                          "%s: %s", &w->trove->name, trove_store_failures[rc],
                          rd->name, why);
        }

        return;
    }

    rd->probe = 0;

    trove_stats_add(w->stats, breaker_opened, 1);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "the breaker of trove \"%V\" is open, writes are refused: "
                  "the store fails (%s), %s: %s", &w->trove->name,
                  trove_store_failures[rc], rd->name, why);

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY && !rd->look.timer_set) {
        ngx_add_timer(&rd->look, ngx_http_trove_redis_wait(rd));
    }
}


static void
ngx_http_trove_redis_count(trove_stats_t *stats, trove_store_rc_t rc)
{
#define NGX_HTTP_TROVE_REDIS_COUNT(NAME, name)                                \
    case TROVE_STORE_##NAME:                                                  \
        trove_stats_add(stats, store_##name, 1);                              \
        break;

    switch (rc) {

    TROVE_STORE_FAILURES(NGX_HTTP_TROVE_REDIS_COUNT)

    default:
        break;
    }
}


static void
ngx_http_trove_redis_greet(ngx_http_trove_redis_t *rd)
{
    char                      db[NGX_INT_T_LEN + 1];
    const char               *argv[3];
    ngx_uint_t                argc;
    const trove_redis_conf_t *conf;

    conf = rd->conf;

    if (conf->password[0]) {
        argc = 0;
        argv[argc++] = "AUTH";

        if (conf->user[0]) {
            argv[argc++] = conf->user;
        }

        argv[argc++] = conf->password;

        ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_AUTH, argc, argv,
                                     NULL);
    }

    if (conf->db) {
        (void) ngx_sprintf((u_char *) db, "%uD%Z", conf->db);

        argv[0] = "SELECT";
        argv[1] = db;

        ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_SELECT, 2, argv,
                                     NULL);
    }

    ngx_http_trove_redis_probe(rd);
}


static void
ngx_http_trove_redis_probe(ngx_http_trove_redis_t *rd)
{
    ngx_http_trove_redis_eval(rd, NGX_HTTP_TROVE_REPLY_PROBE, NULL);
}


static void
ngx_http_trove_redis_load(ngx_http_trove_redis_t *rd)
{
    size_t       lens[3];
    const char  *argv[3];

    argv[0] = "SCRIPT";
    lens[0] = sizeof("SCRIPT") - 1;
    argv[1] = "LOAD";
    lens[1] = sizeof("LOAD") - 1;
    argv[2] = trove_redis_script;
    lens[2] = trove_redis_script_len;

    ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_SCRIPT, 3, argv,
                                 lens);
}


static void
ngx_http_trove_redis_command(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_uint_t argc, const char **argv,
    const size_t *lens)
{
    /* a failure is one of memory, and is told when it is written */

    if (redisAppendCommandArgv(rd->context, argc, argv, lens) == REDIS_OK) {
        rd->expected[rd->last++ % NGX_HTTP_TROVE_EXPECTED] = kind;
    }
}


/* A call, or one without ops, which begins the session if it is not known. */

static void
ngx_http_trove_redis_eval(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_http_trove_call_t *call)
{
    char                 header[TROVE_REDIS_CALL_SIZE];
    size_t               lens[TROVE_REDIS_OPS + 6];
    const char          *argv[TROVE_REDIS_OPS + 6];
    ngx_uint_t           i, n;
    trove_redis_call_t   c;

    if (rd->asking) {
        argv[0] = "ASKING";
        ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_ASKING, 1, argv,
                                     NULL);
    }

    c.instance = trove_replica_instance(rd->worker->trove->ledger);
    c.session = rd->session;
    c.number = call ? call->number : rd->number + 1;
    c.again = call ? call->again : rd->known;
    c.deadline = call ? ngx_http_trove_redis_deadline(rd, call) : 0;

    argv[0] = "EVALSHA";
    lens[0] = sizeof("EVALSHA") - 1;
    argv[1] = trove_redis_script_sha;
    lens[1] = 40;
    argv[2] = "1";
    lens[2] = 1;
    argv[3] = rd->key;
    lens[3] = rd->key_len;
    argv[4] = header;
    lens[4] = trove_redis_call(header, &c);
    argv[5] = rd->config;
    lens[5] = rd->config_len;

    n = call ? call->n : 0;

    for (i = 0; i < n; i++) {
        argv[i + 6] = (char *) call->text + call->places[i].at;
        lens[i + 6] = call->places[i].len;
    }

    ngx_http_trove_redis_command(rd, kind, n + 6, argv, lens);
}


/* Too little by the time that its answer took to come. */

static void
ngx_http_trove_redis_clock(ngx_http_trove_redis_t *rd, uint64_t now)
{
    rd->ahead = (int64_t) (now - trove_clock_ns() / 1000);
}


/*
 * By Redis' clock, which the answers have told: somewhat before those give up
 * who wait for the call.
 */

static uint64_t
ngx_http_trove_redis_deadline(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call)
{
    uint64_t  timeout;

    timeout = (uint64_t) rd->conf->timeout * 1000;

    return call->opened / 1000 + rd->ahead + timeout - timeout / 16;
}


/* The end of a turn of the event loop, or there is room for a call again. */

static void
ngx_http_trove_redis_send(ngx_event_t *ev)
{
    ngx_queue_t             *q, *next;
    ngx_http_trove_call_t   *call;
    ngx_http_trove_redis_t  *rd;

    rd = ev->data;

    if (rd->state != NGX_HTTP_TROVE_REDIS_READY) {

        /* another worker has found it well */

        if (rd->state == NGX_HTTP_TROVE_REDIS_AWAY
            && rd->was_open
            && trove_breaker_closed(rd->breaker)
            && trove_replica_state(rd->worker->trove->ledger)
               == TROVE_REPLICA_LIVE)
        {
            ngx_http_trove_redis_connect(rd);
        }

        return;
    }

    for (q = ngx_queue_head(&rd->calls);
         q != ngx_queue_sentinel(&rd->calls)
         && rd->under_way < NGX_HTTP_TROVE_CALLS_SENT;
         q = next)
    {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

        if (call->under_way) {
            continue;
        }

        if (call->number == 0) {
            ngx_http_trove_call_tidy(call);
        }

        if (ngx_http_trove_call_wanted(call)) {
            ngx_http_trove_redis_call(rd, call);

        } else {
            ngx_http_trove_call_close(rd, call);
        }
    }

    ngx_http_trove_redis_write(rd);
}


static void
ngx_http_trove_redis_call(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call)
{
    char         replicas[NGX_INT_T_LEN + 1], ms[NGX_INT_T_LEN + 1];
    const char  *argv[3];

    if (call->number == 0) {
        call->number = ++rd->number;
        call->again = 0;

    } else {
        call->again = 1;
        trove_stats_add(rd->worker->stats, store_calls_again, 1);
    }

    trove_stats_add(rd->worker->stats, store_calls, 1);

    ngx_http_trove_redis_eval(rd, NGX_HTTP_TROVE_REPLY_CALL, call);

    if (rd->conf->replicas) {
        (void) ngx_sprintf((u_char *) replicas, "%uD%Z", rd->conf->replicas);
        (void) ngx_sprintf((u_char *) ms, "%uD%Z",
                           rd->conf->timeout - rd->conf->timeout / 4);

        argv[0] = "WAIT";
        argv[1] = replicas;
        argv[2] = ms;

        ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_REPLICAS, 3,
                                     argv, NULL);
    }

    call->sent = trove_clock_ns();
    call->under_way = 1;

    if (rd->under_way++ == 0) {
        ngx_http_trove_redis_due(rd);
    }
}


/* The first call that is under way, or a look, has its answer in time. */

static void
ngx_http_trove_redis_due(ngx_http_trove_redis_t *rd)
{
    int64_t                 left;
    uint64_t                sent;
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

    sent = rd->looked;

    if (rd->under_way) {
        q = ngx_queue_head(&rd->calls);
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);
        sent = call->sent;
    }

    if (sent == 0) {

        if (rd->timer.timer_set) {
            ngx_del_timer(&rd->timer);
        }

        return;
    }

    left = (int64_t) (sent + (uint64_t) rd->conf->timeout * 1000000
                      - trove_clock_ns());

    if (left <= 0) {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_TIMEOUT,
                                  "it does not answer");
        return;
    }

    ngx_add_timer(&rd->timer, 1 + left / 1000000);
}


static void
ngx_http_trove_redis_write(ngx_http_trove_redis_t *rd)
{
    int  done;

    if (redisBufferWrite(rd->context, &done) != REDIS_OK) {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, rd->context->errstr);
        return;
    }

    if (done == !rd->writing) {
        return;
    }

    rd->writing = !done;

    if ((done ? ngx_del_event(rd->connection->write, NGX_WRITE_EVENT, 0)
              : ngx_add_event(rd->connection->write, NGX_WRITE_EVENT,
                              NGX_LEVEL_EVENT))
        != NGX_OK)
    {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, "epoll_ctl() failed");
    }
}


static void
ngx_http_trove_redis_write_handler(ngx_event_t *wev)
{
    int                      err;
    socklen_t                len;
    ngx_connection_t        *c;
    ngx_http_trove_redis_t  *rd;

    c = wev->data;
    rd = c->data;

    if (rd->state == NGX_HTTP_TROVE_REDIS_GREETS) {
        err = 0;
        len = sizeof(int);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
            err = ngx_errno;
        }

        if (err) {
            ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, strerror(err));
            return;
        }
    }

    ngx_http_trove_redis_write(rd);
}


static void
ngx_http_trove_redis_read_handler(ngx_event_t *rev)
{
    void                    *reply;
    ngx_connection_t        *c;
    ngx_http_trove_reply_t   kind;
    ngx_http_trove_redis_t  *rd;

    c = rev->data;
    rd = c->data;

    if (redisBufferRead(rd->context) != REDIS_OK) {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, rd->context->errstr);
        return;
    }

    for ( ;; ) {

        if (redisGetReplyFromReader(rd->context, &reply) != REDIS_OK) {
            ngx_http_trove_redis_lost(rd, TROVE_STORE_FOREIGN,
                                      rd->context->errstr);
            return;
        }

        if (reply == NULL) {
            break;
        }

        if (rd->first == rd->last) {
            freeReplyObject(reply);
            ngx_http_trove_redis_lost(rd, TROVE_STORE_FOREIGN,
                                      "it answers unasked");
            return;
        }

        kind = rd->expected[rd->first++ % NGX_HTTP_TROVE_EXPECTED];

        if (ngx_http_trove_redis_reply(rd, kind, reply) != NGX_OK) {
            return;
        }
    }

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        ngx_http_trove_redis_due(rd);
    }

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        ngx_http_trove_redis_send(&rd->send);
    }
}


/* Takes the reply over; NGX_DONE: the connection is gone. */

static ngx_int_t
ngx_http_trove_redis_reply(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, redisReply *reply)
{
    ngx_int_t             rc;
    trove_redis_error_t   e;

    rc = NGX_OK;

    switch (kind) {

    case NGX_HTTP_TROVE_REPLY_CALL:
        return ngx_http_trove_redis_called(rd, reply);

    case NGX_HTTP_TROVE_REPLY_REPLICAS:
        return ngx_http_trove_redis_replicated(rd, reply);

    case NGX_HTTP_TROVE_REPLY_PROBE:
        rc = ngx_http_trove_redis_greeted(rd, reply);
        break;

    default:

        if (reply->type == REDIS_REPLY_ERROR) {
            rc = ngx_http_trove_redis_error(rd, reply, &e);

            if (rc == NGX_OK) {
                ngx_http_trove_redis_lost(rd, e.rc, rd->why);
                rc = NGX_DONE;
            }
        }
    }

    freeReplyObject(reply);

    return rc;
}


/*
 * What holds for any error: NGX_DONE: it is another node's, or to be said
 * later, and the connection is gone; NGX_OK: it is for the caller.
 */

static ngx_int_t
ngx_http_trove_redis_error(ngx_http_trove_redis_t *rd, redisReply *reply,
    trove_redis_error_t *e)
{
    trove_slice_t  text;

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    trove_redis_error(&text, rd->moved ? &rd->node : &rd->conf->nodes[rd->at],
                      e);

    (void) snprintf(rd->why, sizeof(rd->why), "%s (%s)", e->why, reply->str);

    switch (e->then) {

    case TROVE_REDIS_MOVED:
    case TROVE_REDIS_ASK:
    case TROVE_REDIS_NEXT:
    case TROVE_REDIS_LATER:
        ngx_http_trove_redis_elsewhere(rd, e);
        return NGX_DONE;

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_trove_redis_greeted(ngx_http_trove_redis_t *rd, redisReply *reply)
{
    ngx_uint_t              under_way;
    ngx_queue_t            *q, *next;
    trove_slice_t           text;
    trove_redis_error_t     e;
    trove_redis_answer_t    a;
    ngx_http_trove_call_t  *call;

    if (reply->type == REDIS_REPLY_ERROR) {

        if (ngx_http_trove_redis_error(rd, reply, &e) != NGX_OK) {
            return NGX_DONE;
        }

        if (e.then == TROVE_REDIS_SCRIPT) {
            ngx_http_trove_redis_load(rd);
            ngx_http_trove_redis_probe(rd);
            ngx_http_trove_redis_write(rd);
            return rd->context ? NGX_OK : NGX_DONE;
        }

        if (e.then == TROVE_REDIS_LOST
            && ngx_http_trove_redis_session(rd) == NGX_OK)
        {
            /* what was sent in it is not to be known any more */

            under_way = rd->under_way;

            for (q = ngx_queue_head(&rd->calls);
                 q != ngx_queue_sentinel(&rd->calls);
                 q = next)
            {
                next = ngx_queue_next(q);
                call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

                if (call->number) {
                    ngx_http_trove_call_failed(rd, call, TROVE_AGAIN);
                }
            }

            /* answers that are still to come are nobody's */

            if (under_way) {
                ngx_http_trove_redis_close(rd);
                ngx_add_timer(&rd->timer, 1);
                return NGX_DONE;
            }

            ngx_http_trove_redis_probe(rd);
            ngx_http_trove_redis_write(rd);
            return rd->context ? NGX_OK : NGX_DONE;
        }

        ngx_http_trove_redis_lost(rd, e.rc, rd->why);
        return NGX_DONE;
    }

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    if (reply->type != REDIS_REPLY_STRING
        || trove_redis_answer(&text, &a) != TROVE_OK)
    {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_FOREIGN,
                                  "an answer that is none of trove's script");
        return NGX_DONE;
    }

    ngx_http_trove_redis_clock(rd, a.now);

    rd->known = 1;
    rd->looked = 0;
    rd->tries = 0;
    rd->redirects = 0;

    if (rd->state == NGX_HTTP_TROVE_REDIS_GREETS) {
        rd->state = NGX_HTTP_TROVE_REDIS_READY;
        trove_stats_add(rd->worker->stats, store_opens, 1);
    }

    if (trove_breaker_success(rd->breaker, rd->probe)) {
        trove_stats_add(rd->worker->stats, breaker_closed, 1);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "the breaker of trove \"%V\" is closed: the store takes "
                      "writes, %s", &rd->worker->trove->name, rd->name);
    }

    rd->probe = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_redis_called(ngx_http_trove_redis_t *rd, redisReply *reply)
{
    ngx_queue_t            *q;
    trove_redis_error_t     e;
    ngx_http_trove_call_t  *call;

    for (q = ngx_queue_head(&rd->calls); /* void */ ; q = ngx_queue_next(q)) {
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

        if (call->under_way && call->reply == NULL) {
            break;
        }
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        trove_stats_observe(rd->worker->stats, store_call,
                            trove_clock_ns() - call->sent);

        if (rd->conf->replicas) {
            call->reply = reply;
            return NGX_OK;
        }

        ngx_http_trove_call_answer(rd, call, reply);
        freeReplyObject(reply);

        return NGX_OK;
    }

    if (ngx_http_trove_redis_error(rd, reply, &e) != NGX_OK) {
        freeReplyObject(reply);
        return NGX_DONE;
    }

    if (e.then == TROVE_REDIS_SCRIPT) {

        /* as are those behind it: all of them again, when it is loaded */

        ngx_http_trove_redis_close(rd);
        ngx_add_timer(&rd->timer, 1);

    } else {
        ngx_http_trove_redis_failed(rd, e.rc, 1, rd->why);
        ngx_http_trove_call_failed(rd, call,
                                   (e.then == TROVE_REDIS_LOST)
                                   ? TROVE_AGAIN : TROVE_CANCELED);
    }

    freeReplyObject(reply);

    return rd->context ? NGX_OK : NGX_DONE;
}


/* So many replicas have the first call's changes. */

static ngx_int_t
ngx_http_trove_redis_replicated(ngx_http_trove_redis_t *rd, redisReply *reply)
{
    redisReply             *answer;
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

    q = ngx_queue_head(&rd->calls);
    call = ngx_queue_data(q, ngx_http_trove_call_t, queue);

    /* an error of the call, or this is of one that has failed */

    if (rd->under_way == 0 || call->reply == NULL) {
        freeReplyObject(reply);
        return NGX_OK;
    }

    if (reply->type == REDIS_REPLY_INTEGER
        && reply->integer >= (long long) rd->conf->replicas)
    {
        answer = call->reply;
        call->reply = NULL;

        ngx_http_trove_call_answer(rd, call, answer);
        freeReplyObject(answer);

    } else {
        ngx_http_trove_redis_failed(rd, TROVE_STORE_TIMEOUT, 1,
                                    "too few replicas have what was written");
        ngx_http_trove_call_failed(rd, call, TROVE_AGAIN);
    }

    freeReplyObject(reply);

    return NGX_OK;
}
