
#include "ngx_http_trove_redis.h"

#include "trove_fault.h"


#define NGX_HTTP_TROVE_CALLS_SENT    2         /* under way                  */
#define NGX_HTTP_TROVE_CALLS_MAX     64        /* of a worker and trove      */
#define NGX_HTTP_TROVE_CALLS_FREE    4         /* kept for reuse             */
#define NGX_HTTP_TROVE_CALL_BYTES    262144    /* no more ops from there on  */
#define NGX_HTTP_TROVE_CALLS_BYTES   8388608   /* of all calls               */
#define NGX_HTTP_TROVE_CALL_START    4096


static void ngx_http_trove_place_answer(ngx_http_trove_place_t *place,
    trove_redis_result_t *result, uint64_t log, uint64_t now);
static ngx_http_trove_call_t *ngx_http_trove_call_open(
    ngx_http_trove_redis_t *rd);
static ngx_int_t ngx_http_trove_call_room(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, size_t size);
static void ngx_http_trove_call_tidy(ngx_http_trove_call_t *call);
static ngx_uint_t ngx_http_trove_call_wanted(ngx_http_trove_call_t *call);
static void ngx_http_trove_call_send(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call);
static uint64_t ngx_http_trove_call_deadline(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call);
static void ngx_http_trove_call_answer(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, redisReply *reply);
static void ngx_http_trove_call_failed(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, trove_rc_t rc);
static void ngx_http_trove_call_close(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call);


void
ngx_http_trove_calls_init(ngx_http_trove_redis_t *rd)
{
    ngx_queue_init(&rd->calls);
    ngx_queue_init(&rd->free);

    rd->send.data = rd;
    rd->send.handler = ngx_http_trove_calls_send;
    rd->send.log = ngx_cycle->log;
}


void
ngx_http_trove_calls_end(ngx_http_trove_redis_t *rd)
{
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

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
}


trove_rc_t
ngx_http_trove_redis_ask(ngx_http_trove_redis_t *rd,
    const trove_redis_op_t *op, uint64_t since, ngx_http_trove_asker_t *asker,
    uint32_t index)
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
    place->board = op->board;
    place->at = call->len;
    place->len = trove_redis_op((char *) call->text + call->len, op);

    if (rd->worker->trove->overflow) {
        place->target = trove_overflow_target(rd->worker->trove->ledger, op);
        place->since = since;
    }

    call->len += place->len;

    ngx_queue_insert_tail(&asker->places, &place->queue);

    ngx_post_event(&rd->send, &ngx_posted_events);

    return TROVE_OK;
}


ngx_uint_t
ngx_http_trove_redis_asks(ngx_http_trove_asker_t *asker, uint64_t target)
{
    ngx_queue_t             *q;
    ngx_http_trove_place_t  *place;

    for (q = ngx_queue_head(&asker->places);
         q != ngx_queue_sentinel(&asker->places);
         q = ngx_queue_next(q))
    {
        place = ngx_queue_data(q, ngx_http_trove_place_t, queue);

        if (place->target == target) {
            return 1;
        }
    }

    return 0;
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


void
ngx_http_trove_calls_send(ngx_event_t *ev)
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
            && rd->role->known(rd))
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
            ngx_http_trove_call_send(rd, call);

        } else {
            ngx_http_trove_call_close(rd, call);
        }

        /* who was stopped meanwhile has found it overdue */

        if (rd->state != NGX_HTTP_TROVE_REDIS_READY) {
            return;
        }
    }

    ngx_http_trove_redis_write(rd);
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
            call->places[n].board = place->board;
            call->places[n].type = place->type;
            call->places[n].target = place->target;
            call->places[n].since = place->since;
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
ngx_http_trove_call_send(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call)
{
    char         replicas[NGX_INT_T_LEN + 1], ms[NGX_INT_T_LEN + 1];
    const char  *argv[3];

    if (call->number == 0) {
        call->number = ++rd->number;
        call->again = 0;

    } else {
        call->again = 1;
    }

    rd->role->sent(rd->worker->stats, call->again);

    ngx_http_trove_call_eval(rd, NGX_HTTP_TROVE_REPLY_CALL, call);

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
    call->since = call->sent;
    call->under_way = 1;
    TROVE_FAULT("replica: call sent");

    if (rd->under_way++ == 0) {
        ngx_http_trove_calls_due(rd);
    }
}


void
ngx_http_trove_call_eval(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_http_trove_call_t *call)
{
    char                 header[TROVE_REDIS_CALL_SIZE];
    size_t               lens[NGX_HTTP_TROVE_CALL_ARGS];
    const char          *argv[NGX_HTTP_TROVE_CALL_ARGS];
    ngx_uint_t           argc;
    trove_redis_call_t   c;

    c.instance = rd->role->instance(rd);
    c.session = rd->session;
    c.number = call ? call->number : rd->number + 1;
    c.again = call ? call->again : rd->known;
    c.waits = call && rd->conf->replicas;
    c.deadline = call ? ngx_http_trove_call_deadline(rd, call) : 0;

    argv[0] = "EVALSHA";
    lens[0] = sizeof("EVALSHA") - 1;
    argv[1] = rd->role->sha;
    lens[1] = 40;
    argv[2] = "1";
    lens[2] = 1;
    argv[3] = rd->key;
    lens[3] = rd->key_len;
    argv[4] = header;
    lens[4] = trove_redis_call(header, &c);
    argv[5] = rd->config;
    lens[5] = rd->config_len;

    argc = 6 + rd->role->args(rd, call, &argv[6], &lens[6]);

    ngx_http_trove_redis_command(rd, kind, argc, argv, lens);
}


/*
 * By Redis' clock, which the answers have told: somewhat before those give up
 * who wait for the call.
 */

static uint64_t
ngx_http_trove_call_deadline(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call)
{
    uint64_t  timeout;

    timeout = (uint64_t) rd->conf->timeout * 1000;

    return call->opened / 1000 + rd->ahead + timeout - timeout / 16;
}


/* Too little by the time that its answer took to come. */

void
ngx_http_trove_call_clock(ngx_http_trove_redis_t *rd, uint64_t now)
{
    rd->ahead = (int64_t) (now - trove_clock_ns() / 1000);
}


void
ngx_http_trove_calls_due(ngx_http_trove_redis_t *rd)
{
    int64_t                 left;
    uint64_t                sent;
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

    sent = rd->looked;

    if (rd->under_way) {
        q = ngx_queue_head(&rd->calls);
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);
        sent = call->since;
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


ngx_int_t
ngx_http_trove_call_replied(ngx_http_trove_redis_t *rd, redisReply *reply)
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
        rd->role->answered(rd->worker->stats, trove_clock_ns() - call->sent);

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

        /* too late, maybe by a clock that was set: its time is asked for */

        if (e.rc == TROVE_STORE_TIMEOUT && rd->looked == 0) {
            rd->looked = trove_clock_ns();

            ngx_http_trove_call_eval(rd, NGX_HTTP_TROVE_REPLY_PROBE, NULL);
        }
    }

    freeReplyObject(reply);

    return rd->context ? NGX_OK : NGX_DONE;
}


/* So many replicas have the first call's changes. */

ngx_int_t
ngx_http_trove_call_replicated(ngx_http_trove_redis_t *rd, redisReply *reply)
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

    /* the next one has waited behind it */

    if (rd->under_way) {
        q = ngx_queue_head(&rd->calls);
        call = ngx_queue_data(q, ngx_http_trove_call_t, queue);
        call->since = trove_clock_ns();
    }

    return NGX_OK;
}


void
ngx_http_trove_calls_back(ngx_http_trove_redis_t *rd)
{
    ngx_queue_t            *q;
    ngx_http_trove_call_t  *call;

    rd->under_way = 0;

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
}


void
ngx_http_trove_calls_lost(ngx_http_trove_redis_t *rd)
{
    ngx_queue_t            *q, *next;
    ngx_http_trove_call_t  *call;

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
}


/* Hands out the results of a reply that stays the caller's. */

static void
ngx_http_trove_call_answer(ngx_http_trove_redis_t *rd,
    ngx_http_trove_call_t *call, redisReply *reply)
{
    ngx_uint_t                   i;
    trove_slice_t                text;
    trove_redis_result_t         results[TROVE_REDIS_OPS];
    ngx_http_trove_reply_head_t  h;

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    if (reply->type != REDIS_REPLY_STRING
        || rd->role->head(&text, &h) != TROVE_OK)
    {
        goto foreign;
    }

    for (i = 0; i < call->n; i++) {

        if (rd->role->result(&h, call->places[i].type, &results[i])
            != TROVE_OK)
        {
            goto foreign;
        }
    }

    if (h.rest.len) {
        goto foreign;
    }

    rd->role->decided(rd, call, &h, results);

    (void) trove_breaker_success(rd->breaker, 0);

    /* what it is told again is of then */

    if (!call->again) {
        ngx_http_trove_call_clock(rd, h.now);
    }

    for (i = 0; i < call->n; i++) {
        ngx_http_trove_place_answer(&call->places[i], &results[i], h.log,
                                    h.now);
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
