/*
 * A worker's connection to the Redis of a trove:
 *
 *   ops of requests -> calls of up to 128 ops, in order -> at most two of them
 *   are under way; load makes them longer by itself (call)
 *
 *   AWAY -- connect --> GREETS -- all is well --> READY (redis)
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
 * What Redis is to a trove makes the calls and reads the answers (role).
 *
 * Nothing here waits: the sockets are nginx's events, level-triggered since
 * hiredis reads what there is once, and hosts are addresses since the
 * configuration.
 */

#ifndef NGX_HTTP_TROVE_REDIS_H_INCLUDED
#define NGX_HTTP_TROVE_REDIS_H_INCLUDED


#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_EXPECTED      32        /* replies, a power of two    */

/* Arguments of a call, at most: what is before its ops, and three of each. */
#define NGX_HTTP_TROVE_CALL_ARGS     (7 + 3 * TROVE_REDIS_OPS)


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
    uint32_t                 board;
    trove_redis_type_t       type;
    uint64_t                 target;     /* see trove_mark.h                 */
    uint64_t                 since;
} ngx_http_trove_place_t;


struct ngx_http_trove_call_s {
    ngx_queue_t              queue;
    uint64_t                 number;     /* 0: it was never sent             */
    uint64_t                 opened;     /* when, in ns                      */
    uint64_t                 sent;
    uint64_t                 since;      /* Redis may be at it               */
    redisReply              *reply;      /* replicas are waited for          */
    ngx_uint_t               n;
    u_char                  *text;
    size_t                   len;
    size_t                   size;
    ngx_http_trove_place_t   places[TROVE_REDIS_OPS];
    unsigned                 under_way:1;
    unsigned                 again:1;    /* it was sent more than once       */
};


/* An answer's head. */

typedef struct {
    uint64_t                 log;        /* that has the changes             */
    uint64_t                 whose;      /* the queues are                   */
    uint64_t                 now;        /* us of unix time                  */
    trove_slice_t            rest;
} ngx_http_trove_reply_head_t;


/* What Redis is to the trove. */

typedef struct {
    const char              *name;       /* in the log: "its store"          */
    const char              *refuses;    /* what an open breaker does        */

    const char              *script;
    const size_t            *script_len;
    const char              *sha;

    /* the key, and what is the same in all calls */

    ngx_int_t              (*init)(ngx_http_trove_redis_t *rd);

    /* whether it is known by now which trove it has to be */

    ngx_uint_t             (*known)(ngx_http_trove_redis_t *rd);

    /* whose the keys are, as Redis has to know it */

    const char            *(*instance)(ngx_http_trove_redis_t *rd);

    /* adds what is behind that; "call" is NULL of a call without ops */

    ngx_uint_t             (*args)(ngx_http_trove_redis_t *rd,
                                   ngx_http_trove_call_t *call,
                                   const char **argv, size_t *lens);

    /* TROVE_OK or TROVE_INVALID */

    trove_rc_t             (*head)(const trove_slice_t *text,
                                   ngx_http_trove_reply_head_t *h);
    trove_rc_t             (*result)(ngx_http_trove_reply_head_t *h,
                                     trove_redis_type_t type,
                                     trove_redis_result_t *result);

    /* the results of a call, also those that nobody waits for any more */

    void                   (*decided)(ngx_http_trove_redis_t *rd,
                                      ngx_http_trove_call_t *call,
                                      ngx_http_trove_reply_head_t *h,
                                      trove_redis_result_t *results);

    /* figures */

    void                   (*opened)(trove_stats_t *stats);
    void                   (*sent)(trove_stats_t *stats, ngx_uint_t again);
    void                   (*answered)(trove_stats_t *stats, uint64_t ns);
    void                   (*failed)(trove_stats_t *stats,
                                     trove_store_rc_t rc);
} ngx_http_trove_role_t;


struct ngx_http_trove_redis_s {
    ngx_http_trove_worker_t       *worker;
    const ngx_http_trove_role_t   *role;
    const trove_redis_conf_t      *conf;
    const trove_redis_conf_t      *names;       /* of the same nodes         */
    trove_breaker_t               *breaker;
    trove_breaker_conf_t           rules;
    trove_breaker_probe_t          probe;       /* 0: it is not ours         */

    ngx_http_trove_redis_state_t   state;
    redisContext                  *context;
    void                          *tls;         /* of it, if it has TLS      */
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
    void                          *data;        /* the role's                */

    unsigned                       known:1;     /* the session is, in Redis  */
    unsigned                       moved:1;     /* "node" is where to go     */
    unsigned                       was_open:1;  /* when "timer" was set      */
    unsigned                       writing:1;
};


/* ngx_http_trove_redis.c */

void ngx_http_trove_redis_connect(ngx_http_trove_redis_t *rd);

/* Calls that were under way are to be sent again. */
void ngx_http_trove_redis_close(ngx_http_trove_redis_t *rd);
void ngx_http_trove_redis_lost(ngx_http_trove_redis_t *rd,
    trove_store_rc_t rc, const char *why);

/* Counts it for the breaker, and tells when that opens. */
void ngx_http_trove_redis_failed(ngx_http_trove_redis_t *rd,
    trove_store_rc_t rc, ngx_uint_t count, const char *why);

/*
 * What holds for any error: NGX_DONE: it is another node's, or to be said
 * later, and the connection is gone; NGX_OK: it is for the caller.
 */
ngx_int_t ngx_http_trove_redis_error(ngx_http_trove_redis_t *rd,
    redisReply *reply, trove_redis_error_t *e);

void ngx_http_trove_redis_command(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_uint_t argc, const char **argv,
    const size_t *lens);
void ngx_http_trove_redis_write(ngx_http_trove_redis_t *rd);


/* ngx_http_trove_call.c */

void ngx_http_trove_calls_init(ngx_http_trove_redis_t *rd);
void ngx_http_trove_calls_end(ngx_http_trove_redis_t *rd);

/* Sends what may be sent: at the end of a turn, or there is room again. */
void ngx_http_trove_calls_send(ngx_event_t *ev);

/* The first call that is under way, or a look, has its answer in time. */
void ngx_http_trove_calls_due(ngx_http_trove_redis_t *rd);

/* The connection is closed: they are to be sent again. */
void ngx_http_trove_calls_back(ngx_http_trove_redis_t *rd);

/* Those that were sent in a session that is not known any more. */
void ngx_http_trove_calls_lost(ngx_http_trove_redis_t *rd);

/* Sends the call, or one without ops, which begins a session. */
void ngx_http_trove_call_eval(ngx_http_trove_redis_t *rd,
    ngx_http_trove_reply_t kind, ngx_http_trove_call_t *call);

/* Its time is Redis' at present. */
void ngx_http_trove_call_clock(ngx_http_trove_redis_t *rd, uint64_t now);

/* Take the reply over; NGX_DONE: the connection is gone. */
ngx_int_t ngx_http_trove_call_replied(ngx_http_trove_redis_t *rd,
    redisReply *reply);
ngx_int_t ngx_http_trove_call_replicated(ngx_http_trove_redis_t *rd,
    redisReply *reply);


/* ngx_http_trove_role.c */

extern const ngx_http_trove_role_t  ngx_http_trove_role_store;
extern const ngx_http_trove_role_t  ngx_http_trove_role_overflow;


#endif /* NGX_HTTP_TROVE_REDIS_H_INCLUDED */
