/*
 * What the files of the nginx side share.  The way of a request: an endpoint
 * (poll, rewards, claim, tap, board, stats) checks it and, for a POST, has its
 * body read (body) as one object or a batch of lines; decodes with the core
 * into the worker's arena (worker); decides; settles what it has written,
 * answers (answer).  Those that write have all of this in common (op).
 */

#ifndef NGX_HTTP_TROVE_H_INCLUDED
#define NGX_HTTP_TROVE_H_INCLUDED


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <pthread.h>

#include "trove.h"
#include "trove_accept.h"
#include "trove_alloc.h"
#include "trove_arena.h"
#include "trove_board.h"
#include "trove_breaker.h"
#include "trove_claims.h"
#include "trove_clock.h"
#include "trove_coins.h"
#include "trove_dirty.h"
#include "trove_drain.h"
#include "trove_flush.h"
#include "trove_follow.h"
#include "trove_json.h"
#include "trove_ledger.h"
#include "trove_ledger_file.h"
#include "trove_lines.h"
#include "trove_mark.h"
#include "trove_memory.h"
#include "trove_players.h"
#include "trove_probe.h"
#include "trove_random.h"
#include "trove_redis.h"
#include "trove_replica.h"
#include "trove_simd.h"
#include "trove_space.h"
#include "trove_start.h"
#include "trove_stats.h"
#include "trove_store.h"
#include "trove_taps.h"
#include "trove_view.h"
#include "trove_writer.h"


#define NGX_HTTP_TROVE_CONF          0x00800000

#define NGX_HTTP_TROVE_OBJECT_MAX    65536    /* bytes of one object or line */

#define NGX_HTTP_TROVE_SEQ_MAX       9007199254740991.0     /* 2^53 - 1 */

#define NGX_HTTP_TROVE_GONE          410


#define NGX_HTTP_TROVE_UNQUEUED_TEXT                                          \
    "nor is there any in its queue"

#define NGX_HTTP_TROVE_UNCOPIED_TEXT                                          \
    "the store is being read: there is no copy of it yet"

#define NGX_HTTP_TROVE_UNSTORED_TEXT                                          \
    "the store does not take writes at present"

/* Of a removal, which needs no room but there. */

#define NGX_HTTP_TROVE_UNREMOVED_TEXT                                         \
    "the queue that it would have to wait in has no room for it"

#define NGX_HTTP_TROVE_ACK_MEMORY    0
#define NGX_HTTP_TROVE_ACK_COMMIT    1


typedef struct ngx_http_trove_file_s   ngx_http_trove_file_t;
typedef struct ngx_http_trove_flush_s  ngx_http_trove_flush_t;
typedef struct ngx_http_trove_follow_s ngx_http_trove_follow_t;
typedef struct ngx_http_trove_drain_s  ngx_http_trove_drain_t;
typedef struct ngx_http_trove_wait_s   ngx_http_trove_wait_t;
typedef struct ngx_http_trove_again_s  ngx_http_trove_again_t;
typedef struct ngx_http_trove_waits_s  ngx_http_trove_waits_t;
typedef struct ngx_http_trove_redis_s  ngx_http_trove_redis_t;
typedef struct ngx_http_trove_remote_s  ngx_http_trove_remote_t;
typedef struct ngx_http_trove_asker_s  ngx_http_trove_asker_t;
typedef struct ngx_http_trove_op_s     ngx_http_trove_op_t;


/* A "trove NAME { }" block; read-only once the configuration is merged. */

typedef struct {
    ngx_str_t               name;
    ngx_uint_t              index;          /* among the configuration's     */

    u_char                 *file;           /* where it was first named      */
    ngx_uint_t              line;
    ngx_uint_t              defined;

    ngx_uint_t              rewards;        /* capacities                    */
    ngx_uint_t              players;
    ngx_uint_t              claims;
    off_t                   arena;
    ngx_msec_t              epoch;
    ngx_uint_t              space;          /* trove_space_kind_t            */
    ngx_uint_t              simd;           /* trove_simd_kind_t             */
    ngx_uint_t              large_pages;    /* trove_pages_t                 */
    double                  radius;
    double                  radius_max;
    ngx_uint_t              limit;
    ngx_uint_t              limit_max;

    trove_claim_rules_t     rules;
    ngx_uint_t              tap_interval;   /* in microseconds, 0: any       */
    ngx_uint_t              tap_burst;
    ngx_array_t             coin_list;      /* trove_coin_t, as configured   */
    trove_coins_t          *coins;          /* NULL: none                    */
    uint32_t                coin_stats[TROVE_COINS_MAX];   /* see zone_init  */
    ngx_array_t             boards;         /* trove_board_conf_t, by number */

    const trove_store_kind_t  *store;       /* NULL: off, or it is in Redis  */
    trove_redis_conf_t     *redis;          /* NULL: it is not               */
    ngx_str_t               store_value;    /* as it was configured          */
    ngx_str_t               store_path;     /* these two end with a zero     */
    ngx_str_t               ledger_path;
    ngx_uint_t              ack;
    ngx_msec_t              ack_timeout;

    /* where what there is no room for waits; never with a store in Redis */

    trove_redis_conf_t     *overflow;       /* NULL: nowhere                 */
    ngx_uint_t              overflow_max;   /* entries of a queue            */

    const trove_simd_t     *kernels;
    trove_field_t          *poll_fields;    /* with this trove's bounds      */
    trove_field_t          *reward_fields;
    trove_field_t          *claim_fields;
    trove_field_t          *board_fields;   /* so many of each board         */
    size_t                  poll_text;      /* longest answer to a poll      */

    trove_redis_conf_t     *redis_addrs;    /* without names                 */
    trove_redis_conf_t     *overflow_addrs;
    trove_breaker_t        *breaker;        /* of all workers                */

    ngx_shm_zone_t         *zone;
    ngx_http_trove_file_t  *shared;         /* of the ledger, with a store   */
    trove_ledger_t         *ledger;
    void                   *stats;          /* region of all workers' slots  */
    int                     eventfd;        /* written when the ledger moved */
    int                     ackfd;          /* and when tickets became good  */
    int                     snapshot;       /* of a view, for who starts     */
    ngx_cycle_t            *cycle;
} ngx_http_trove_t;


typedef struct {
    ngx_array_t             troves;         /* ngx_http_trove_t *            */
    size_t                  taken;          /* by workers when they start    */
    ngx_int_t               request_id;     /* index of the variable         */
} ngx_http_trove_main_conf_t;


typedef struct {
    ngx_http_trove_t       *trove;          /* NULL: of trove_stats          */
    ngx_http_handler_pt     handler;        /* NULL: no endpoint             */
    ngx_flag_t              stats_write;

    ngx_http_complex_value_t  *player;      /* NULL: the request says it     */
} ngx_http_trove_loc_conf_t;


/*
 * Goes on with a request by an event of its own: a subrequest has none, and
 * those of a connection are for what its client does.
 */

struct ngx_http_trove_again_s {
    ngx_event_t                event;
    ngx_http_request_t        *request;
    ngx_http_event_handler_pt  handler;
};

/*
 * What a request has written is to be somewhere else before it is answered:
 * those of a worker that wait for it, in the order of their tickets.
 */

struct ngx_http_trove_waits_s {
    struct ngx_http_trove_worker_s  *worker;
    ngx_uint_t               (*good)(ngx_http_trove_waits_t *waits,
                                     uint64_t ticket);

    /* now and then while any waits, and of one that has done so in vain */

    void                     (*look)(ngx_http_trove_waits_t *waits);
    void                     (*vain)(ngx_http_trove_waits_t *waits,
                                     uint64_t ticket);

    ngx_queue_t                queue;
    ngx_uint_t                 n;
    ngx_uint_t                 before;  /* who have no ticket yet            */
    ngx_event_t                settle;  /* posted: tickets may be good       */
    ngx_event_t                timeout; /* while any waits                   */
};

struct ngx_http_trove_wait_s {
    ngx_queue_t                queue;
    uint64_t                   ticket;
    ngx_msec_t                 deadline;
    ngx_http_trove_waits_t    *waits;
    ngx_http_trove_again_t    *again;   /* what goes on then                 */
    ngx_http_trove_again_t     own;
    unsigned                   queued:1;
    unsigned                   unsettled:1;
    unsigned                   failed:1;
};


/* What is done in a thread, and what the event loop does after it. */

typedef struct {
    void                  (*run)(void *data);
    void                  (*done)(void *data);
    void                   *data;
    ngx_queue_t             queue;
    pthread_t               thread;
    _Atomic ngx_uint_t      ended;
} ngx_http_trove_job_t;


/* One worker's part of a trove. */

typedef struct ngx_http_trove_worker_s {
    ngx_http_trove_t       *trove;
    trove_stats_t          *stats;
    trove_view_t           *view;
    trove_redo_t           *redo;           /* NULL: not had yet, or needed  */
    trove_random_t         *random;         /* of this process               */
    trove_arena_t           arena;
    trove_mapping_t         arena_pages;
    size_t                  arena_large;    /* bytes of it in large pages    */

    ngx_event_t             epoch;
    uint64_t                due;            /* when it should turn, in ns    */
    uint64_t                allocator_read; /* its usage, in ns              */
    uint64_t                tidied;         /* version at the last turn      */
    ngx_uint_t              quiet;          /* turns since without a change  */
    ngx_connection_t       *wake;           /* of the trove's eventfd        */

    ngx_http_trove_job_t    build;
    trove_view_t           *built;
    trove_view_t           *worn;           /* waits to be destroyed         */
    trove_rc_t              build_rc;
    uint64_t                build_ns;
    size_t                  built_large;

    ngx_http_trove_flush_t *flush;          /* NULL: no store of its own     */
    ngx_http_trove_follow_t  *follow;       /* NULL: it is not in Redis      */
    ngx_http_trove_drain_t *drain;          /* NULL: nothing overflows       */

    ngx_http_trove_redis_t *redis;          /* NULL: there is none           */
    ngx_http_trove_waits_t  copied;         /* until it has come from there  */

    unsigned                active:1;       /* a request came in this epoch  */
    unsigned                dirtied:1;      /* and wrote for the store       */
    unsigned                wrote:1;        /* and changed the ledger        */
    unsigned                behind:1;       /* only a new view catches up    */
    unsigned                building:1;
    unsigned                warned:1;
} ngx_http_trove_worker_t;


typedef enum {
    NGX_HTTP_TROVE_NONE = 0,
    NGX_HTTP_TROVE_HIT,
    NGX_HTTP_TROVE_MISS,
    NGX_HTTP_TROVE_BATCH,
    NGX_HTTP_TROVE_STORED,
    NGX_HTTP_TROVE_REMOVED,
    NGX_HTTP_TROVE_UNKNOWN,
    NGX_HTTP_TROVE_EXPORT,
    NGX_HTTP_TROVE_CLAIMED,
    NGX_HTTP_TROVE_COIN,
    NGX_HTTP_TROVE_IMPROVED,
    NGX_HTTP_TROVE_KEPT,
    NGX_HTTP_TROVE_REPEAT,
    NGX_HTTP_TROVE_CONFLICT,
    NGX_HTTP_TROVE_EXPIRED,
    NGX_HTTP_TROVE_FORBIDDEN,
    NGX_HTTP_TROVE_LIMITED,
    NGX_HTTP_TROVE_QUEUED,
    NGX_HTTP_TROVE_FULL,
    NGX_HTTP_TROVE_INVALID,
    NGX_HTTP_TROVE_EXHAUSTED,
    NGX_HTTP_TROVE_BUSY,
    NGX_HTTP_TROVE_UNSTORED,
    NGX_HTTP_TROVE_FAILED
} ngx_http_trove_status_t;


/* What is asked of the ledger, or of Redis, and what comes of it. */

typedef struct {
    trove_redis_type_t      type;
    uint32_t                board;
    uint32_t                id;             /* of the reward                 */
    uint64_t                number;         /* of a batch's line             */
    uint64_t                now;            /* of Redis, unix time in ms     */
    trove_redis_result_t    result;         /* rc may be _CANCELED, _AGAIN,  */
                                            /* or _QUEUED                    */
    const trove_coin_t     *coin;           /* NULL: it has no name now      */
    unsigned                overflows:1;    /* it was to wait in a queue     */
    size_t                  len;
    u_char                  player[TROVE_PLAYER_MAX];
} ngx_http_trove_write_t;


typedef struct ngx_http_trove_batch_s  ngx_http_trove_batch_t;
typedef struct ngx_http_trove_object_s  ngx_http_trove_object_t;
typedef struct ngx_http_trove_tried_s  ngx_http_trove_tried_t;


typedef struct {
    ngx_http_trove_worker_t  *worker;       /* NULL: of trove_stats          */
    trove_endpoint_t          endpoint;
    ngx_http_trove_status_t   status;
    uint64_t                  started;      /* in ns                         */
    uint64_t                  spent;        /* by all turns so far           */
    uint64_t                  found;
    uint64_t                  version;
    uint64_t                  scanned;      /* in this turn of a batch       */
    uint64_t                  held;         /* since when the ledger is, ns  */
    uint64_t                  generation;   /* of the copy it reads, 0: none */
    uint64_t                  since;        /* the mark by which it was seen */
                                            /* whether an op has to wait     */
    ngx_http_trove_batch_t   *batch;
    ngx_http_trove_object_t  *object;
    ngx_http_trove_tried_t   *tried;
    ngx_http_trove_wait_t    *wait;         /* for the store                 */
    const ngx_http_trove_op_t  *op;         /* if it writes                  */
    const trove_field_t      *fields;       /* of its objects                */
    ngx_http_trove_write_t   *write;
    ngx_http_trove_remote_t  *remote;       /* of Redis                      */
    ngx_http_handler_pt       answer;       /* when what it waits for is so  */
    ngx_http_trove_again_t   *again;        /* the batch's next turn         */
    void                     *data;         /* the endpoint's own            */
    trove_slice_t             player;       /* of trove_player               */
    ngx_uint_t                retry_after;  /* in seconds, 0: do not say     */
    unsigned                  recorded:1;
    unsigned                  unsettled:1;  /* it wrote what is not durable  */
    unsigned                  changed:1;    /* it took the last of a stock   */
    unsigned                  overflows:1;  /* as the write that is answered */
} ngx_http_trove_ctx_t;


extern ngx_module_t  ngx_http_trove_module;


/* ngx_http_trove_conf.c */

void *ngx_http_trove_create_main_conf(ngx_conf_t *cf);
void *ngx_http_trove_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_trove_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
ngx_int_t ngx_http_trove_postconfiguration(ngx_conf_t *cf);
char *ngx_http_trove_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_capacity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_radius(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_stats(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* What setters parse with; a count may end in "k" and "m". */
ngx_int_t ngx_http_trove_count(ngx_str_t *value, ngx_uint_t min,
    ngx_uint_t max, ngx_uint_t *count);
ngx_int_t ngx_http_trove_distance(ngx_str_t *value, double *distance);
ngx_int_t ngx_http_trove_prefixed(ngx_str_t *value, const char *prefix,
    ngx_str_t *rest);
char *ngx_http_trove_invalid(ngx_conf_t *cf, ngx_str_t *value,
    const char *must);
ngx_int_t ngx_http_trove_name_valid(ngx_str_t *name, size_t max);


/* ngx_http_trove_zone.c */

ngx_int_t ngx_http_trove_zone_add(ngx_conf_t *cf, ngx_http_trove_t *trove);

/* What the trove's ledger is laid out for. */
void ngx_http_trove_ledger_conf(ngx_http_trove_t *trove,
    trove_ledger_conf_t *conf);


/* ngx_http_trove_store.c */

char *ngx_http_trove_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_ack(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_store_defaults(ngx_conf_t *cf, ngx_http_trove_t *trove);

/* Whether a reload leaves the store where it is. */
ngx_uint_t ngx_http_trove_store_kept(ngx_http_trove_t *trove,
    ngx_http_trove_t *old);

/* How the trove's store is opened. */
void ngx_http_trove_store_conf(ngx_http_trove_t *trove,
    trove_store_conf_t *conf);

/* Whether it could be, changing nothing. */
ngx_int_t ngx_http_trove_store_check(ngx_http_trove_t *trove, ngx_log_t *log);

/* Maps the ledger, filled from the store if it has to be; of a master. */
ngx_int_t ngx_http_trove_store_open(ngx_http_trove_t *trove,
    ngx_http_trove_t *old, ngx_log_t *log);

/* All workers have ended. */
void ngx_http_trove_exit_master(ngx_cycle_t *cycle);

/* The trove needs the ledger no longer, or as long as this process lives. */
void ngx_http_trove_store_close(ngx_http_trove_t *trove);
void ngx_http_trove_store_pin(ngx_http_trove_t *trove);


/* ngx_http_trove_redis_conf.c */

/* What "store" and "overflow" say of a Redis. */
ngx_uint_t ngx_http_trove_is_redis(ngx_str_t *value);
char *ngx_http_trove_redis_conf(ngx_conf_t *cf, ngx_http_trove_t *trove);
char *ngx_http_trove_overflow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_trove_worker.c */

ngx_int_t ngx_http_trove_init_process(ngx_cycle_t *cycle);
void ngx_http_trove_exit_process(ngx_cycle_t *cycle);

/* This worker's part; wakes its epoch, thus the view is at most one old. */
ngx_http_trove_worker_t *ngx_http_trove_worker(ngx_http_trove_t *trove);

/* The ledger was changed: seen here at once, by the others when it turns. */
void ngx_http_trove_changed(ngx_http_trove_worker_t *w);

/* Turns the epoch now, or in due time though nobody comes. */
void ngx_http_trove_turn(ngx_http_trove_worker_t *w);
void ngx_http_trove_awake(ngx_http_trove_worker_t *w);

/* What claims and taps need; TROVE_FULL or TROVE_BUSY: not to be had now. */
trove_rc_t ngx_http_trove_redo(ngx_http_trove_worker_t *w);


/* ngx_http_trove_thread.c */

/*
 * Has the handler called when an eventfd is written: its event's data are the
 * connection, the data of which are these.
 */
ngx_int_t ngx_http_trove_eventfd(ngx_cycle_t *cycle, int fd,
    ngx_event_handler_pt handler, void *data, ngx_connection_t **c);

/* For a worker, before its first job. */
ngx_int_t ngx_http_trove_jobs_init(ngx_cycle_t *cycle);

/* NGX_OK, or NGX_ERROR if there is no thread; a job runs once at a time. */
ngx_int_t ngx_http_trove_job_start(ngx_http_trove_job_t *job);

/*
 * Waits for one that runs, but no longer than that: NGX_AGAIN, and it is left
 * to itself.  What would be done after it is not.
 */
ngx_int_t ngx_http_trove_job_wait(ngx_http_trove_job_t *job, ngx_msec_t ms);

/* Waits for those that run; what would be done after them is not. */
void ngx_http_trove_jobs_end(void);


/* ngx_http_trove_answer.c */

/* Opens the record of a request; its worker's epoch is awake from here. */
ngx_http_trove_ctx_t *ngx_http_trove_begin(ngx_http_request_t *r,
    ngx_http_trove_t *trove, trove_endpoint_t endpoint);

/* NGX_OK, or what the handler returns: 405 and 415 are answered. */
ngx_int_t ngx_http_trove_check(ngx_http_request_t *r, ngx_uint_t methods);

/* Answers with the writer's text; returns what a handler returns. */
ngx_int_t ngx_http_trove_answer(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const trove_writer_t *w);

/* Answers with application/problem+json. */
ngx_int_t ngx_http_trove_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail);

/* The arena has refused a request or a line: counts it, returns what to say. */
const char *ngx_http_trove_exhausted(ngx_http_trove_ctx_t *ctx);

/* Both live as long as the request. */
ngx_int_t ngx_http_trove_add_header(ngx_http_request_t *r, const char *name,
    const char *value);

/* Sends the header of an answer of unknown length. */
ngx_int_t ngx_http_trove_header(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, off_t length);

/* A writer into a new buffer of the request's pool; NGX_ERROR if none. */
ngx_int_t ngx_http_trove_writer(ngx_http_request_t *r, trove_writer_t *w,
    size_t size);

/* Puts the request's time and code on record, once. */
void ngx_http_trove_record(ngx_http_request_t *r, ngx_uint_t status);

/* Has a request recorded that ends before its answer does. */
ngx_int_t ngx_http_trove_watch(ngx_http_request_t *r);


/* ngx_http_trove_again.c */

#define NGX_HTTP_TROVE_AGAIN_LATER   4      /* ms: a slice of the processor  */

/* It ends with the request, or when it is stopped. */
ngx_int_t ngx_http_trove_again_init(ngx_http_request_t *r,
    ngx_http_trove_again_t *again, ngx_http_event_handler_pt handler);

/* In the next turn of the event loop. */
void ngx_http_trove_again(ngx_http_trove_again_t *again);

/* When the ledger may be free. */
void ngx_http_trove_again_later(ngx_http_trove_again_t *again);

void ngx_http_trove_again_stop(ngx_http_trove_again_t *again);

/*
 * Calls the handler, and as long as it returns NGX_BUSY, for the ledger is
 * held, again later; returns what a handler returns.
 */
ngx_int_t ngx_http_trove_try(ngx_http_request_t *r,
    ngx_http_handler_pt handler);

/*
 * The ledger is held: whether to come again, or a request has done so for long
 * enough.  Who has got it in between may set ctx->held to 0.
 */
ngx_uint_t ngx_http_trove_patient(ngx_http_trove_ctx_t *ctx);
ngx_uint_t ngx_http_trove_patient_for(ngx_http_trove_ctx_t *ctx,
    ngx_msec_t ms);

/* And it is not waited for any longer: counts it, returns what to say. */
const char *ngx_http_trove_busy(ngx_http_trove_ctx_t *ctx);


/* ngx_http_trove_wait.c */

/* What is not set here is set by the caller. */
void ngx_http_trove_waits_init(ngx_http_trove_waits_t *waits, ngx_log_t *log);
void ngx_http_trove_waits_exit(ngx_http_trove_waits_t *waits);

/* So many more of those that have no ticket yet. */
void ngx_http_trove_waits_count(ngx_http_trove_waits_t *waits, ngx_int_t n);

/* Tickets may be good now: before other events are seen to. */
void ngx_http_trove_waits_look(ngx_http_trove_waits_t *waits);

/* "again", or if that is NULL "handler", goes on with the request. */
ngx_int_t ngx_http_trove_wait_init(ngx_http_request_t *r,
    ngx_http_trove_wait_t *wait, ngx_http_trove_waits_t *waits,
    ngx_http_trove_again_t *again, ngx_http_event_handler_pt handler);

/* It has "unsettled" until it is good, or "failed" from the deadline on. */
void ngx_http_trove_wait_begin(ngx_http_trove_wait_t *wait, uint64_t ticket,
    ngx_msec_t deadline);
void ngx_http_trove_wait_end(ngx_http_trove_wait_t *wait);

/* The request goes on later, whatever its client does; what to return. */
ngx_int_t ngx_http_trove_wait_detach(ngx_http_request_t *r);


/* ngx_http_trove_fields.c */

/* The fields for a trove: that of x, and behind it y, are of its space. */
trove_field_t *ngx_http_trove_fields(ngx_conf_t *cf,
    const trove_field_t *fields, ngx_uint_t n, ngx_http_trove_t *trove,
    ngx_uint_t x);

/* Parses a JSON text: 200, or what is wrong with it, and *detail. */
ngx_uint_t ngx_http_trove_decode(ngx_http_trove_ctx_t *ctx,
    trove_json_t *json, trove_slice_t *text, void *out, trove_fields_t *f,
    const char **detail);

/* Parses the query string: NGX_OK, or an answer already given in *rc. */
ngx_int_t ngx_http_trove_args(ngx_http_request_t *r,
    const trove_field_t *fields, ngx_uint_t n, void *out, trove_fields_t *f,
    ngx_int_t *rc);


/* ngx_http_trove_op.c */

/* What the kinds of writes are unlike in. */

struct ngx_http_trove_op_s {
    ngx_uint_t     nfields;
    ngx_uint_t     lines;       /* of a batch put by, unless it is in Redis  */
    size_t         text;        /* longest answer                            */
    size_t         forbidden;   /* the figure of a 403 to a text             */
    size_t         rejected;    /* and of other texts, 0: there is none      */

    /* Makes an op of a text: 200, or what is wrong with it, and *detail. */
    ngx_uint_t   (*parse)(ngx_http_request_t *r, trove_json_t *json,
                          trove_slice_t *text, trove_redis_op_t *op,
                          trove_fields_t *f, const char **detail);

    /* See ngx_http_trove_write_line(), ngx_http_trove_remote_flush(). */
    ngx_int_t    (*line)(ngx_http_request_t *r, trove_redis_op_t *op,
                         uint64_t number, trove_writer_t *out);
    ngx_int_t    (*flush)(ngx_http_request_t *r, trove_writer_t *out);

    /* Counts what has come of one: 200, or what it is, and *detail. */
    ngx_uint_t   (*result)(ngx_http_trove_ctx_t *ctx,
                           ngx_http_trove_write_t *write,
                           const char **detail);

    /* What is said of one that is a 200. */
    void         (*answer)(ngx_http_trove_ctx_t *ctx,
                           ngx_http_trove_write_t *write, trove_writer_t *w);
};


/* A figure for a table, and how it is counted. */
#define ngx_http_trove_figure(field)  offsetof(trove_stats_figures_t, field)

void ngx_http_trove_figure_add(ngx_http_trove_ctx_t *ctx, size_t figure);

/* Reads the body as one or lines of them; carries them out and answers. */
ngx_int_t ngx_http_trove_read_ops(ngx_http_request_t *r,
    const ngx_http_trove_op_t *kind, const trove_field_t *fields);

/* Carries out the one of a request and answers; see ngx_http_trove_write(). */
ngx_int_t ngx_http_trove_op_run(ngx_http_request_t *r,
    const ngx_http_trove_op_t *kind, trove_redis_op_t *op);


/* ngx_http_trove_write.c */

/*
 * The one write of a request: "written" gives the answer, when what has come
 * of it stands in ctx->write.  Returns what a handler returns, or NGX_BUSY: the
 * ledger is held, it is called again.
 */
ngx_int_t ngx_http_trove_write(ngx_http_request_t *r, trove_redis_op_t *op,
    ngx_http_handler_pt written);

/*
 * A line's, which the batch's "written" answers, now or when the batch is
 * flushed.  NGX_AGAIN: the same line comes again.
 */
ngx_int_t ngx_http_trove_write_line(ngx_http_request_t *r,
    trove_redis_op_t *op, uint64_t number, trove_writer_t *out);

/* Of an rc that is no answer to a write: what to say with a 503. */
const char *ngx_http_trove_unwritten(ngx_http_trove_ctx_t *ctx, trove_rc_t rc);


/* ngx_http_trove_overflow.c */

/* The queue of such an op. */
uint32_t ngx_http_trove_queue(trove_redis_type_t type, uint32_t board);

/*
 * Whether the op may be tried: TROVE_OK; TROVE_FULL: it has to wait behind
 * others, since what it is about may be among them; TROVE_BUSY.
 */
trove_rc_t ngx_http_trove_overtakes(ngx_http_trove_ctx_t *ctx,
    trove_redis_op_t *op);

/* An answer is about to be given to it. */
void ngx_http_trove_overflowed(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write);

/* Answers one that waits in a queue; and a line that does. */
ngx_int_t ngx_http_trove_queued(ngx_http_request_t *r);
void ngx_http_trove_queued_line(ngx_http_request_t *r, trove_writer_t *out);


/* ngx_http_trove_remote.c */

#define NGX_HTTP_TROVE_REMOTE_LINES  128    /* of a batch, put by            */

void ngx_http_trove_remote_start(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);

/* See ngx_http_trove_write(), of ctx->write, ctx->answer. */
ngx_int_t ngx_http_trove_remote(ngx_http_request_t *r, trove_redis_op_t *op);

/* Before the first line of a batch. */
ngx_int_t ngx_http_trove_remote_batch(ngx_http_request_t *r);

/* Puts a line by; NULL: it has to come again. */
ngx_http_trove_write_t *ngx_http_trove_remote_line(ngx_http_request_t *r,
    trove_redis_op_t *op, trove_writer_t *out);

/* Whether its lines may have to wait for Redis. */
ngx_uint_t ngx_http_trove_is_remote(ngx_http_request_t *r);

/* Before a line is carried out here: NGX_AGAIN: it has to come again. */
ngx_int_t ngx_http_trove_remote_room(ngx_http_request_t *r,
    trove_writer_t *out);

/* Puts a line by that was, if others are that come before it; or NULL. */
ngx_http_trove_write_t *ngx_http_trove_remote_put(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write);

/* Whether an op was asked for whose answer has not come. */
ngx_uint_t ngx_http_trove_remote_asks(ngx_http_trove_ctx_t *ctx);

/* The same of one about that target, see trove_mark.h. */
ngx_uint_t ngx_http_trove_remote_asks_of(ngx_http_trove_ctx_t *ctx,
    uint64_t target);

/* Answers the lines that were put by; NGX_AGAIN: ctx->again comes. */
ngx_int_t ngx_http_trove_remote_flush(ngx_http_request_t *r,
    trove_writer_t *out);
ngx_uint_t ngx_http_trove_remote_waits(ngx_http_trove_ctx_t *ctx);

/* Answers that are still to come have nobody go on. */
void ngx_http_trove_remote_end(ngx_http_trove_ctx_t *ctx);


/* ngx_http_trove_redis.c */

/* Who asks for ops, and has "places" in calls until they are answered. */

struct ngx_http_trove_asker_s {
    ngx_queue_t  places;

    /* "log" has it, decided at "now" us; the "last" of those it has asked */
    void       (*answered)(ngx_http_trove_asker_t *asker, uint32_t index,
                           trove_redis_result_t *result, uint64_t log,
                           uint64_t now, ngx_uint_t last);
};

ngx_int_t ngx_http_trove_redis_init(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
void ngx_http_trove_redis_exit(ngx_http_trove_worker_t *w);

/* Whether the breaker lets writes through. */
ngx_uint_t ngx_http_trove_redis_takes(ngx_http_trove_redis_t *rd);

/* How long an answer is waited for. */
ngx_msec_t ngx_http_trove_redis_timeout(ngx_http_trove_redis_t *rd);

/*
 * TROVE_OK: it will be answered, by TROVE_CANCELED if it was not carried out,
 * by TROVE_AGAIN if that is not known.  TROVE_CANCELED: it is not asked for.
 * One that is to be queued was found to have to wait "since" a mark, see
 * trove_mark_follow().
 */
trove_rc_t ngx_http_trove_redis_ask(ngx_http_trove_redis_t *rd,
    const trove_redis_op_t *op, uint64_t since, ngx_http_trove_asker_t *asker,
    uint32_t index);

/* Whether an op about that target, see trove_mark.h, is not answered yet. */
ngx_uint_t ngx_http_trove_redis_asks(ngx_http_trove_asker_t *asker,
    uint64_t target);

/* Has what is left of them answered now. */
void ngx_http_trove_redis_forget(ngx_http_trove_asker_t *asker);


/* ngx_http_trove_flush.c */

/* A worker begins, turns its epoch, ends; "left" troves with this one. */
ngx_int_t ngx_http_trove_flush_init(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
void ngx_http_trove_flush_turn(ngx_http_trove_worker_t *w);
void ngx_http_trove_flush_exit(ngx_http_trove_worker_t *w, ngx_uint_t left);

/* Whether it is the writer, and whether that has to turn its epoch again. */
ngx_uint_t ngx_http_trove_flush_writes(ngx_http_trove_worker_t *w);
ngx_uint_t ngx_http_trove_flush_pending(ngx_http_trove_worker_t *w);

/* Before a write: NULL, or why it is not to be carried out, with a 503. */
const char *ngx_http_trove_unstored(ngx_http_trove_ctx_t *ctx);

/*
 * What the request wrote is decided: "answer" gives the answer once it may be
 * given, and this returns what a handler returns.
 */
ngx_int_t ngx_http_trove_settle(ngx_http_request_t *r,
    ngx_http_handler_pt answer);

/*
 * The same of the lines so far of a batch, before their answers are sent.
 * NGX_AGAIN: ctx->again comes when they may be, or when they never will, which
 * is a 503, see ngx_http_trove_unsettled().
 */
ngx_int_t ngx_http_trove_settle_lines(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_unsettled(ngx_http_request_t *r);


/* ngx_http_trove_follow.c */

/* A worker begins, turns its epoch, ends. */
ngx_int_t ngx_http_trove_follow_init(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
void ngx_http_trove_follow_turn(ngx_http_trove_worker_t *w);
void ngx_http_trove_follow_exit(ngx_http_trove_worker_t *w);

/*
 * Of a trove that is in Redis: whether this machine has no copy of it that the
 * request could read, for it is not loaded yet, or is being loaded anew; and
 * whether what it has read since is not of one copy.
 */
ngx_uint_t ngx_http_trove_uncopied(ngx_http_trove_ctx_t *ctx);
ngx_uint_t ngx_http_trove_torn(ngx_http_trove_ctx_t *ctx);


/* ngx_http_trove_drain.c */

/* A worker begins, ends. */
ngx_int_t ngx_http_trove_drain_init(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
void ngx_http_trove_drain_exit(ngx_http_trove_worker_t *w);


/* ngx_http_trove_body.c */

/* application/x-ndjson and its other names. */
ngx_int_t ngx_http_trove_is_batch(ngx_http_request_t *r);

/* Has the body read; the time until it comes is not the module's. */
ngx_int_t ngx_http_trove_body_await(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler);

/*
 * nginx could not, or would not, read the body: says so as a problem, if an
 * answer can still be given.  What follows in the connection is not known.
 */
ngx_int_t ngx_http_trove_body_unread(ngx_http_request_t *r, ngx_int_t rc);

/* Takes "size" bytes from the front of a buffer that lies in a file. */
ngx_int_t ngx_http_trove_body_file(ngx_http_request_t *r, ngx_buf_t *b,
    u_char *p, size_t size);


/* ngx_http_trove_object.c */

typedef ngx_int_t (*ngx_http_trove_object_pt)(ngx_http_request_t *r,
    trove_slice_t *object);

/*
 * Reads the body as one object; "handler" gives the answer.  NGX_BUSY: the
 * ledger is held, the same object comes again.
 */
ngx_int_t ngx_http_trove_read_object(ngx_http_request_t *r,
    ngx_http_trove_object_pt handler);


/* ngx_http_trove_out.c */

/* The answers of a batch, of any number, in a few buffers. */

typedef struct {
    trove_writer_t     writer;              /* into "buf"                    */
    ngx_buf_t         *buf;                 /* the last of "ready", or NULL  */
    ngx_chain_t       *ready;
    ngx_chain_t       *free;
    ngx_chain_t       *busy;
    ngx_uint_t         nbufs;
    size_t             answer_max;          /* 0: there are none             */
    ngx_int_t        (*settle)(ngx_http_request_t *r);  /* before any goes   */
} ngx_http_trove_out_t;


/*
 * Sees to it that one answer more has room.  NGX_AGAIN: it has when the client
 * has taken others, and a write event comes.
 */
ngx_int_t ngx_http_trove_out_room(ngx_http_request_t *r,
    ngx_http_trove_out_t *out);

/* What is written so far is "ready". */
void ngx_http_trove_out_close(ngx_http_trove_out_t *out);

/*
 * Hands the answers so far to nginx's filters.  NGX_OK: all were sent;
 * NGX_AGAIN: the client is slow, the write event comes, or they may not be
 * sent yet.
 */
ngx_int_t ngx_http_trove_out_send(ngx_http_request_t *r,
    ngx_http_trove_out_t *out, ngx_uint_t last);

/* It is the client who is waited for: NGX_AGAIN, and a write event comes. */
ngx_int_t ngx_http_trove_out_wait(ngx_http_request_t *r);


/* ngx_http_trove_batch.c */

typedef struct {
    /*
     * One line; answers at most answer_max bytes into "out", with those that
     * were put by.  NGX_AGAIN: the same line comes again.
     */
    ngx_int_t        (*line)(ngx_http_request_t *r, trove_json_t *json,
                             trove_slice_t *line, uint64_t number,
                             trove_writer_t *out);

    /* A line that cannot even be parsed. */
    void             (*refuse)(ngx_http_request_t *r, uint64_t number,
                               const char *detail, trove_writer_t *out);

    /*
     * Lines may be put by, to be carried out together: those so far have to be
     * answered now.  NGX_AGAIN: it is called again.
     */
    ngx_int_t        (*flush)(ngx_http_request_t *r, trove_writer_t *out);

    /* Answers a line that was carried out, see ngx_http_trove_write_line(). */
    void             (*written)(ngx_http_request_t *r,
                                ngx_http_trove_write_t *write,
                                trove_writer_t *out);

    /* The end of a turn of the event loop in which lines came. */
    void             (*turned)(ngx_http_request_t *r);

    /* The end of the batch, if lines are not answered: answers it all. */
    ngx_int_t        (*done)(ngx_http_request_t *r);

    /* The answers so far are about to be sent; NGX_OK: they may be. */
    ngx_int_t        (*settle)(ngx_http_request_t *r);
} ngx_http_trove_batch_ops_t;


/*
 * Reads the body as lines of objects while answers flow; no line's answer is
 * longer than "answer_max", 0 if lines are not answered.
 */
ngx_int_t ngx_http_trove_read_batch(ngx_http_request_t *r,
    const ngx_http_trove_batch_ops_t *ops, size_t answer_max,
    const trove_field_t *fields, ngx_uint_t nfields);

/* The batch's "written". */
void ngx_http_trove_batch_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out);

/* Answers a line that is not carried out. */
void ngx_http_trove_refuse(ngx_http_request_t *r, uint64_t number,
    const char *detail, trove_writer_t *out);


/* ngx_http_trove_player.c */

char *ngx_http_trove_player(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Sets the player that trove_player says, if it does and it is one. */
ngx_int_t ngx_http_trove_identify(ngx_http_request_t *r);

/*
 * The player of a request, where "given" is that of its body or arguments, if
 * it has one.  200, or what to answer, with *detail.
 */
ngx_uint_t ngx_http_trove_player_of(ngx_http_request_t *r,
    trove_slice_t *given, const char **detail);


/* ngx_http_trove_board*.c */

#define NGX_HTTP_TROVE_BOARD_FIELDS  4      /* of a write                    */
#define NGX_HTTP_TROVE_BOARD_LINES   32     /* carried out together          */
#define NGX_HTTP_TROVE_BOARD_LIST    1000   /* rows in an answer, at most    */

#define NGX_HTTP_TROVE_BOARD_NOBODY                                           \
    "there is no such player on the board"

typedef struct ngx_http_trove_scores_s  ngx_http_trove_scores_t;


/* A write, as it is decoded. */

typedef struct {
    trove_slice_t             player;
    trove_slice_t             data;
    int64_t                   score;
    int64_t                   seq;
} ngx_http_trove_score_t;


/* A request's own. */

typedef struct {
    uint32_t                  board;
    const trove_board_conf_t  *conf;

    ngx_http_trove_scores_t  *scores;       /* of a batch, unless in Redis   */
} ngx_http_trove_board_ctx_t;


/* The board of that name, or TROVE_BOARD_NONE. */
uint32_t ngx_http_trove_board_find(ngx_http_trove_t *trove, u_char *name,
    size_t len);

/* Of all boards, in a period. */
uint64_t ngx_http_trove_board_rows(ngx_http_trove_t *trove);

/* Most bytes of an arena that a list takes. */
off_t ngx_http_trove_board_arena(ngx_http_trove_t *trove);

/*
 * The request is of the board of that name.  NGX_OK, or an answer already given
 * in *rc.
 */
ngx_int_t ngx_http_trove_board_choose(ngx_http_request_t *r, ngx_str_t *name,
    ngx_int_t *rc);

/* The name of the board that the URI is of. */
void ngx_http_trove_board_named(ngx_http_request_t *r, ngx_str_t *name);

/* Unix time in ms. */
uint64_t ngx_http_trove_board_now(void);

/* The only argument, "player": NGX_OK, or an answer already given in *rc. */
ngx_int_t ngx_http_trove_board_player(ngx_http_request_t *r,
    trove_slice_t *player, ngx_int_t *rc);

ngx_int_t ngx_http_trove_board_get(ngx_http_request_t *r);

/* Before the first line of a batch, if the trove is not in Redis. */
ngx_int_t ngx_http_trove_board_batch(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b);

/* See ngx_http_trove_op_t. */
ngx_int_t ngx_http_trove_board_line(ngx_http_request_t *r,
    trove_redis_op_t *op, uint64_t number, trove_writer_t *out);
ngx_int_t ngx_http_trove_board_flush(ngx_http_request_t *r,
    trove_writer_t *out);

/* As a member that follows others, unless that is never. */
void ngx_http_trove_board_write_ends(trove_writer_t *w, uint64_t ends);


/* the endpoints */

ngx_int_t ngx_http_trove_poll_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_rewards_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_export(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_claim_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_tap_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_board_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_trove_stats_handler(ngx_http_request_t *r);

char *ngx_http_trove_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_tap(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_coin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_trove_board(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

ngx_int_t ngx_http_trove_poll_init(ngx_conf_t *cf, ngx_http_trove_t *trove);
ngx_int_t ngx_http_trove_rewards_init(ngx_conf_t *cf, ngx_http_trove_t *trove);
ngx_int_t ngx_http_trove_claim_init(ngx_conf_t *cf, ngx_http_trove_t *trove);
ngx_int_t ngx_http_trove_tap_init(ngx_conf_t *cf, ngx_http_trove_t *trove);
ngx_int_t ngx_http_trove_board_init(ngx_conf_t *cf, ngx_http_trove_t *trove);

#define NGX_HTTP_TROVE_REWARD_TEXT   256   /* longest reward as JSON */

void ngx_http_trove_reward_write(trove_writer_t *w, const trove_reward_t *r);


/* ngx_http_trove_page.c */

/* Answers with the live page. */
ngx_int_t ngx_http_trove_page(ngx_http_request_t *r);


/* ngx_http_trove_variables.c */

ngx_int_t ngx_http_trove_add_variables(ngx_conf_t *cf);


#endif /* NGX_HTTP_TROVE_H_INCLUDED */
