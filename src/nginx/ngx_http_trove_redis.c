
#include "ngx_http_trove_redis.h"

#include <sys/random.h>


#define NGX_HTTP_TROVE_REDIRECTS     4         /* one after the other        */

#define NGX_HTTP_TROVE_REDIS_FAILS   3         /* that open the breaker      */
#define NGX_HTTP_TROVE_REDIS_LEAST   50        /* ms, as long as it is open, */
#define NGX_HTTP_TROVE_REDIS_MOST    2000      /* and between connections    */
#define NGX_HTTP_TROVE_REDIS_LOADS   100       /* ms between looks at a copy */
#define NGX_HTTP_TROVE_REDIS_TELLS   10        /* s between lines of failures,
                                                  the breaker being closed   */


static ngx_int_t ngx_http_trove_redis_session(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_redis_random(ngx_http_trove_redis_t *rd,
    ngx_uint_t n);
static void ngx_http_trove_redis_timer(ngx_event_t *ev);
static void ngx_http_trove_redis_look(ngx_event_t *ev);
static ngx_msec_t ngx_http_trove_redis_wait(ngx_http_trove_redis_t *rd);
static ngx_uint_t ngx_http_trove_redis_tries(ngx_http_trove_redis_t *rd);
static const char *ngx_http_trove_redis_open(ngx_http_trove_redis_t *rd);
static ngx_int_t ngx_http_trove_redis_events(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_later(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_elsewhere(ngx_http_trove_redis_t *rd,
    trove_redis_error_t *e);
static ngx_int_t ngx_http_trove_redis_address(ngx_http_trove_redis_t *rd,
    trove_redis_node_t *node);
static void ngx_http_trove_redis_greet(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_probe(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_load(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_broken(ngx_http_trove_redis_t *rd);
static void ngx_http_trove_redis_write_handler(ngx_event_t *wev);
static void ngx_http_trove_redis_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_trove_redis_reply(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, redisReply *reply);
static ngx_int_t ngx_http_trove_redis_greeted(ngx_http_trove_redis_t *rd,
    redisReply *reply);


ngx_int_t
ngx_http_trove_redis_init(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    uint64_t                 ms;
    ngx_http_trove_t        *trove;
    ngx_http_trove_redis_t  *rd;

    trove = w->trove;

    if (trove->redis == NULL && trove->overflow == NULL) {
        return NGX_OK;
    }

    rd = ngx_pcalloc(cycle->pool, sizeof(ngx_http_trove_redis_t));
    if (rd == NULL) {
        return NGX_ERROR;
    }

    ms = 1000000;

    rd->worker = w;
    rd->role = trove->redis ? &ngx_http_trove_role_store
                            : &ngx_http_trove_role_overflow;
    rd->conf = trove->redis ? trove->redis_addrs : trove->overflow_addrs;
    rd->names = trove->redis ? trove->redis : trove->overflow;
    rd->breaker = trove->breaker;
    rd->rules.failures = NGX_HTTP_TROVE_REDIS_FAILS;
    rd->rules.least = NGX_HTTP_TROVE_REDIS_LEAST * ms;
    rd->rules.most = NGX_HTTP_TROVE_REDIS_MOST * ms;
    rd->rules.probe = 2 * rd->conf->timeout * ms;

    ngx_http_trove_calls_init(rd);

    /* requests that wait for an answer have timers of their own */

    rd->timer.data = rd;
    rd->timer.handler = ngx_http_trove_redis_timer;
    rd->timer.log = cycle->log;
    rd->timer.cancelable = 1;

    rd->look.data = rd;
    rd->look.handler = ngx_http_trove_redis_look;
    rd->look.log = cycle->log;
    rd->look.cancelable = 1;

    if (ngx_http_trove_redis_session(rd) != NGX_OK
        || rd->role->init(rd) != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->redis = rd;

    ngx_add_timer(&rd->timer, 1);

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

    ngx_http_trove_calls_end(rd);

    w->redis = NULL;
}


ngx_msec_t
ngx_http_trove_redis_timeout(ngx_http_trove_redis_t *rd)
{
    return rd->conf->timeout;
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


static void
ngx_http_trove_redis_timer(ngx_event_t *ev)
{
    ngx_http_trove_redis_t  *rd;

    rd = ev->data;

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        ngx_http_trove_calls_due(rd);
        return;
    }

    if (rd->state == NGX_HTTP_TROVE_REDIS_GREETS) {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_TIMEOUT,
                                  "it does not answer");
        return;
    }

    if (!rd->role->known(rd)) {
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
    ngx_http_trove_calls_due(rd);

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
                  "the breaker of trove \"%V\" is half-open: the %s is "
                  "tried again", &rd->worker->trove->name, rd->role->name);

    return 1;
}


void
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

    host = rd->names->nodes[rd->at].host;

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
        && trove_redis_tls(rd->context, rd->conf, host, &rd->tls) != TROVE_OK)
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


void
ngx_http_trove_redis_close(ngx_http_trove_redis_t *rd)
{
    rd->state = NGX_HTTP_TROVE_REDIS_AWAY;
    rd->first = rd->last;
    rd->looked = 0;

    ngx_http_trove_calls_back(rd);

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
    rd->tls = NULL;
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


void
ngx_http_trove_redis_lost(ngx_http_trove_redis_t *rd, trove_store_rc_t rc,
    const char *why)
{
    u_char  text[TROVE_STORE_ERROR];

    /* it may be the context's, or a reply's */

    (void) ngx_cpystrn(text, (u_char *) why, sizeof(text));

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        rd->tries = 0;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "the connection of trove \"%V\" to its %s, %s, is "
                      "lost: %s", &rd->worker->trove->name, rd->role->name,
                      rd->name, text);

    } else {
        rd->tries++;
        rd->at = rd->conf->nnodes ? (rd->at + 1) % rd->conf->nnodes : 0;
    }

    rd->moved = 0;

    ngx_http_trove_redis_close(rd);

    /* who does not answer will not answer others */

    ngx_http_trove_redis_failed(rd, rc,
                                (rc == TROVE_STORE_TIMEOUT)
                                ? NGX_HTTP_TROVE_REDIS_FAILS : 1,
                                (char *) text);
    ngx_http_trove_redis_later(rd);
}


/*
 * Another node is to be asked, with what this one has not carried out; but not
 * the one that a slot is moving to, for it has not got all keys yet, and takes
 * those that are missing for none.
 */

static void
ngx_http_trove_redis_elsewhere(ngx_http_trove_redis_t *rd,
    trove_redis_error_t *e)
{
    ngx_uint_t  redirected;

    redirected = e->then == TROVE_REDIS_MOVED
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

    ngx_http_trove_redis_close(rd);

    ngx_add_timer(&rd->timer, 1);
}


/* A name that the configuration does not have would have to be waited for. */

static ngx_int_t
ngx_http_trove_redis_address(ngx_http_trove_redis_t *rd,
    trove_redis_node_t *node)
{
    u_char                     addr[sizeof(struct in6_addr)];
    ngx_uint_t                 i;
    const trove_redis_conf_t  *conf;

    rd->node = *node;
    (void) ngx_cpystrn((u_char *) rd->host, (u_char *) node->host,
                       sizeof(rd->host));

    if (inet_pton(AF_INET, node->host, addr) == 1
        || inet_pton(AF_INET6, node->host, addr) == 1)
    {
        return NGX_OK;
    }

    conf = rd->names;

    for (i = 0; i < conf->nnodes; i++) {

        if (ngx_strcmp(conf->nodes[i].host, node->host) == 0) {
            ngx_memcpy(rd->node.host, rd->conf->nodes[i].host,
                       sizeof(node->host));
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


void
ngx_http_trove_redis_failed(ngx_http_trove_redis_t *rd, trove_store_rc_t rc,
    ngx_uint_t count, const char *why)
{
    uint64_t                 now;
    ngx_uint_t                level;
    ngx_http_trove_worker_t  *w;

    w = rd->worker;
    now = trove_clock_ns();
    level = rd->probe ? NGX_LOG_INFO : NGX_LOG_ERR;

    rd->role->failed(w->stats, rc);

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
                          "a write to the %s of trove \"%V\" fails (%s), "
                          "%s: %s", rd->role->name, &w->trove->name,
                          trove_store_failures[rc], rd->name, why);
        }

        return;
    }

    rd->probe = 0;

    trove_stats_add(w->stats, breaker_opened, 1);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "the breaker of trove \"%V\" is open, %s: the %s fails "
                  "(%s), %s: %s", &w->trove->name, rd->role->refuses,
                  rd->role->name, trove_store_failures[rc], rd->name, why);

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY && !rd->look.timer_set) {
        ngx_add_timer(&rd->look, ngx_http_trove_redis_wait(rd));
    }
}


static void
ngx_http_trove_redis_greet(ngx_http_trove_redis_t *rd)
{
    char         db[TROVE_REDIS_DB];
    const char  *words[TROVE_REDIS_WORDS];
    ngx_uint_t   n;

    n = trove_redis_auth(rd->conf, words);

    if (n) {
        ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_AUTH, n, words,
                                     NULL);
    }

    n = trove_redis_select(rd->conf, words, db);

    if (n) {
        ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_SELECT, n, words,
                                     NULL);
    }

    ngx_http_trove_redis_probe(rd);
}


static void
ngx_http_trove_redis_probe(ngx_http_trove_redis_t *rd)
{
    ngx_http_trove_call_eval(rd, NGX_HTTP_TROVE_REPLY_PROBE, NULL);
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
    argv[2] = rd->role->script;
    lens[2] = *rd->role->script_len;

    ngx_http_trove_redis_command(rd, NGX_HTTP_TROVE_REPLY_SCRIPT, 3, argv,
                                 lens);
}


void
ngx_http_trove_redis_command(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_uint_t argc, const char **argv,
    const size_t *lens)
{
    /* a failure is one of memory, and is told when it is written */

    if (redisAppendCommandArgv(rd->context, argc, argv, lens) == REDIS_OK) {
        rd->expected[rd->last++ % NGX_HTTP_TROVE_EXPECTED] = kind;
    }
}


void
ngx_http_trove_redis_write(ngx_http_trove_redis_t *rd)
{
    int         done;
    ngx_uint_t  writing;

    if (redisBufferWrite(rd->context, &done) != REDIS_OK) {
        ngx_http_trove_redis_broken(rd);
        return;
    }

    writing = !done && !trove_redis_tls_reads(rd->tls);

    if (writing == rd->writing) {
        return;
    }

    rd->writing = writing;

    if ((writing ? ngx_add_event(rd->connection->write, NGX_WRITE_EVENT,
                                 NGX_LEVEL_EVENT)
                 : ngx_del_event(rd->connection->write, NGX_WRITE_EVENT, 0))
        != NGX_OK)
    {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, "epoll_ctl() failed");
    }
}


static void
ngx_http_trove_redis_broken(ngx_http_trove_redis_t *rd)
{
    if (rd->tls) {
        trove_redis_tls_why(rd->context, rd->tls);
    }

    ngx_http_trove_redis_lost(rd, TROVE_STORE_AWAY, rd->context->errstr);
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
        ngx_http_trove_redis_broken(rd);
        return;
    }

    /* what has waited for that to be read */

    if (rd->tls && !rd->writing) {
        ngx_http_trove_redis_write(rd);

        if (rd->context == NULL) {
            return;
        }
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
        ngx_http_trove_calls_due(rd);
    }

    if (rd->state == NGX_HTTP_TROVE_REDIS_READY) {
        ngx_http_trove_calls_send(&rd->send);
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
        return ngx_http_trove_call_replied(rd, reply);

    case NGX_HTTP_TROVE_REPLY_REPLICAS:
        return ngx_http_trove_call_replicated(rd, reply);

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


ngx_int_t
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
    ngx_uint_t                   under_way;
    trove_slice_t                text;
    trove_redis_error_t          e;
    ngx_http_trove_reply_head_t  h;

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

            ngx_http_trove_calls_lost(rd);

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
        || rd->role->head(&text, &h) != TROVE_OK)
    {
        ngx_http_trove_redis_lost(rd, TROVE_STORE_FOREIGN,
                                  "an answer that is none of trove's script");
        return NGX_DONE;
    }

    ngx_http_trove_call_clock(rd, h.now);

    rd->known = 1;
    rd->looked = 0;
    rd->tries = 0;
    rd->redirects = 0;

    if (rd->state == NGX_HTTP_TROVE_REDIS_GREETS) {
        rd->state = NGX_HTTP_TROVE_REDIS_READY;
        rd->role->opened(rd->worker->stats);
    }

    if (trove_breaker_success(rd->breaker, rd->probe)) {
        trove_stats_add(rd->worker->stats, breaker_closed, 1);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "the breaker of trove \"%V\" is closed: the %s takes "
                      "writes, %s", &rd->worker->trove->name, rd->role->name,
                      rd->name);
    }

    rd->probe = 0;

    return NGX_OK;
}
