
#include "ngx_http_trove.h"

#include <float.h>


#define NGX_HTTP_TROVE_ERRORS_MAX   20      /* told in the answer to a batch */
#define NGX_HTTP_TROVE_REWARDS_TEXT 512     /* longest one without them      */


/* the order of ngx_http_trove_reward_fields */

#define NGX_HTTP_TROVE_REWARD_ID    0x01
#define NGX_HTTP_TROVE_REWARD_X     0x02
#define NGX_HTTP_TROVE_REWARD_Y     0x04


/* A batch of rewards so far. */

typedef struct {
    uint64_t    accepted;
    uint64_t    rejected;
    uint64_t    queued;
    uint64_t    full;
    uint64_t    busy;
    uint64_t    version;
    ngx_uint_t  nerrors;

    struct {
        uint64_t  line;
        u_char   *detail;
    } errors[NGX_HTTP_TROVE_ERRORS_MAX];
} ngx_http_trove_load_t;


static ngx_int_t ngx_http_trove_rewards_get(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_rewards_delete(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_rewards_id(ngx_http_request_t *r, uint32_t *id,
    ngx_int_t *rc);
static ngx_uint_t ngx_http_trove_rewards_deleted(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail);
static void ngx_http_trove_rewards_removed(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w);
static ngx_uint_t ngx_http_trove_reward_parse(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *object, trove_redis_op_t *op,
    trove_fields_t *f, const char **detail);
static const char *ngx_http_trove_reward_wrong(trove_reward_t *reward,
    uint32_t seen);
static ngx_uint_t ngx_http_trove_reward_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail);
static void ngx_http_trove_reward_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w);
static ngx_int_t ngx_http_trove_rewards_line(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *line, uint64_t number,
    trove_writer_t *out);
static void ngx_http_trove_rewards_line_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out);
static void ngx_http_trove_rewards_left(ngx_http_request_t *r,
    uint64_t number, ngx_uint_t status, const char *detail);
static void ngx_http_trove_rewards_refuse(ngx_http_request_t *r,
    uint64_t number, const char *detail, trove_writer_t *out);
static void ngx_http_trove_rewards_turned(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_rewards_done(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_rewards_summary(ngx_http_request_t *r,
    ngx_http_trove_load_t *load);
static void ngx_http_trove_rewards_write(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_load_t *load, trove_writer_t *w);


static const trove_field_t  ngx_http_trove_reward_fields[] = {
    { "id", TROVE_FIELD_UINT32, offsetof(trove_reward_t, id), 1, UINT32_MAX },
    { "x", TROVE_FIELD_NUMBER, offsetof(trove_reward_t, x),
      -DBL_MAX, DBL_MAX },
    { "y", TROVE_FIELD_NUMBER, offsetof(trove_reward_t, y),
      -DBL_MAX, DBL_MAX },
    { "value", TROVE_FIELD_INT32, offsetof(trove_reward_t, value),
      INT32_MIN, INT32_MAX },
    { "level", TROVE_FIELD_NUMBER, offsetof(trove_reward_t, level),
      -DBL_MAX, DBL_MAX },
    { "stock", TROVE_FIELD_UINT32, offsetof(trove_reward_t, stock),
      0, UINT32_MAX },
    { "starts", TROVE_FIELD_UINT32, offsetof(trove_reward_t, starts),
      0, UINT32_MAX },
    { "expires", TROVE_FIELD_UINT32, offsetof(trove_reward_t, expires),
      0, UINT32_MAX }
};


#define NGX_HTTP_TROVE_REWARD_FIELDS                                          \
    (sizeof(ngx_http_trove_reward_fields) / sizeof(trove_field_t))


static const ngx_http_trove_op_t  ngx_http_trove_reward_op = {
    .nfields = NGX_HTTP_TROVE_REWARD_FIELDS,
    .text = NGX_HTTP_TROVE_REWARDS_TEXT,
    .rejected = ngx_http_trove_figure(rewards_rejected),
    .parse = ngx_http_trove_reward_parse,
    .result = ngx_http_trove_reward_result,
    .answer = ngx_http_trove_reward_answer
};


static const ngx_http_trove_op_t  ngx_http_trove_reward_removal = {
    .text = NGX_HTTP_TROVE_REWARDS_TEXT,
    .result = ngx_http_trove_rewards_deleted,
    .answer = ngx_http_trove_rewards_removed
};


static const ngx_http_trove_batch_ops_t  ngx_http_trove_rewards_ops = {
    .line = ngx_http_trove_rewards_line,
    .refuse = ngx_http_trove_rewards_refuse,
    .flush = ngx_http_trove_remote_flush,
    .written = ngx_http_trove_rewards_line_written,
    .turned = ngx_http_trove_rewards_turned,
    .done = ngx_http_trove_rewards_done,
    .settle = ngx_http_trove_settle_lines
};


ngx_int_t
ngx_http_trove_rewards_init(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    trove_field_t  *f;

    f = ngx_http_trove_fields(cf, ngx_http_trove_reward_fields,
                              NGX_HTTP_TROVE_REWARD_FIELDS, trove, 1);
    if (f == NULL) {
        return NGX_ERROR;
    }

    trove->reward_fields = f;

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_rewards_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_trove_t           *trove;
    ngx_http_trove_ctx_t       *ctx;
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);
    trove = tlcf->trove;

    ctx = ngx_http_trove_begin(r, trove, TROVE_ENDPOINT_REWARDS);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_check(r, NGX_HTTP_GET|NGX_HTTP_POST|NGX_HTTP_DELETE);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (r->method != NGX_HTTP_POST) {
        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            return rc;
        }

        return ngx_http_trove_try(r, (r->method == NGX_HTTP_DELETE)
                                     ? ngx_http_trove_rewards_delete
                                     : ngx_http_trove_rewards_get);
    }

    if (!ngx_http_trove_is_batch(r)) {
        return ngx_http_trove_read_ops(r, &ngx_http_trove_reward_op,
                                       trove->reward_fields);
    }

    ctx->data = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_load_t));
    if (ctx->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_trove_read_batch(r, &ngx_http_trove_rewards_ops, 0,
                                     trove->reward_fields,
                                     NGX_HTTP_TROVE_REWARD_FIELDS);
}


static ngx_int_t
ngx_http_trove_rewards_get(ngx_http_request_t *r)
{
    uint32_t               id;
    ngx_int_t              rc;
    trove_rc_t             trc;
    trove_reward_t         reward;
    trove_writer_t         w;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->version = trove_ledger_version(ctx->worker->trove->ledger);

    if (ngx_http_trove_rewards_id(r, &id, &rc) != NGX_OK) {
        return rc;
    }

    if (id == 0) {
        ctx->status = NGX_HTTP_TROVE_EXPORT;
        return ngx_http_trove_export(r);
    }

    trc = trove_ledger_get(ctx->worker->trove->ledger, id, &reward);

    if (trc == TROVE_NOTFOUND) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      "there is no such reward");
    }

    if (trc != TROVE_OK) {

        if (ngx_http_trove_patient(ctx)) {
            return NGX_BUSY;
        }

        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      ngx_http_trove_busy(ctx));
    }

    if (ngx_http_trove_writer(r, &w, NGX_HTTP_TROVE_REWARD_TEXT) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->found = 1;
    ctx->status = NGX_HTTP_TROVE_HIT;

    ngx_http_trove_reward_write(&w, &reward);

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


static ngx_int_t
ngx_http_trove_rewards_delete(ngx_http_request_t *r)
{
    uint32_t          id;
    ngx_int_t         rc;
    trove_redis_op_t  op;

    if (ngx_http_trove_rewards_id(r, &id, &rc) != NGX_OK) {
        return rc;
    }

    if (id == 0) {
        return ngx_http_trove_problem(r, NGX_HTTP_BAD_REQUEST,
                                      "id: is missing, rewards are removed one "
                                      "by one");
    }

    op.type = TROVE_REDIS_REMOVE;
    op.u.remove = id;

    return ngx_http_trove_op_run(r, &ngx_http_trove_reward_removal, &op);
}


static ngx_uint_t
ngx_http_trove_rewards_deleted(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail)
{
    switch (write->result.rc) {

    case TROVE_OK:
        trove_stats_add(ctx->worker->stats, rewards_removed, 1);
        ctx->status = NGX_HTTP_TROVE_REMOVED;
        ctx->version = write->result.u.version;
        ctx->changed = 1;
        return NGX_HTTP_OK;

    case TROVE_NOTFOUND:
        *detail = "there is no such reward";
        return NGX_HTTP_NOT_FOUND;

    case TROVE_FULL:
        *detail = NGX_HTTP_TROVE_UNREMOVED_TEXT;
        return NGX_HTTP_INSUFFICIENT_STORAGE;

    default:
        *detail = ngx_http_trove_unwritten(ctx, write->result.rc);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
}


static void
ngx_http_trove_rewards_removed(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w)
{
    trove_write_lit(w, "{\"removed\":");
    trove_write_uint(w, write->id);
    trove_write_lit(w, ",\"version\":");
    trove_write_uint(w, ctx->version);
    trove_write_lit(w, "}");
}


/* The argument "id", 0 if it is not there. */

static ngx_int_t
ngx_http_trove_rewards_id(ngx_http_request_t *r, uint32_t *id, ngx_int_t *rc)
{
    trove_fields_t         f;
    trove_reward_t         reward;

    reward.id = 0;

    if (ngx_http_trove_args(r, ngx_http_trove_reward_fields, 1, &reward, &f,
                            rc)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    *id = reward.id;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_trove_reward_parse(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *object, trove_redis_op_t *op, trove_fields_t *f,
    const char **detail)
{
    ngx_uint_t             status;
    trove_reward_t        *reward;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    op->type = TROVE_REDIS_PUT;
    reward = &op->u.put;

    ngx_memzero(reward, sizeof(trove_reward_t));

    reward->stock = 1;

    status = ngx_http_trove_decode(ctx, json, object, reward, f, detail);

    if (status == NGX_HTTP_OK) {
        *detail = ngx_http_trove_reward_wrong(reward, f->seen);
        status = *detail ? NGX_HTTP_BAD_REQUEST : NGX_HTTP_OK;
    }

    return status;
}


static const char *
ngx_http_trove_reward_wrong(trove_reward_t *reward, uint32_t seen)
{
    if (!(seen & NGX_HTTP_TROVE_REWARD_ID)) {
        return "id: is missing";
    }

    if (!(seen & NGX_HTTP_TROVE_REWARD_X)) {
        return "x: is missing";
    }

    if (!(seen & NGX_HTTP_TROVE_REWARD_Y)) {
        return "y: is missing";
    }

    if (reward->expires && reward->expires <= reward->starts) {
        return "expires: must be after starts";
    }

    return NULL;
}


static ngx_uint_t
ngx_http_trove_reward_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail)
{
    trove_stats_t  *stats;

    stats = ctx->worker->stats;

    switch (write->result.rc) {

    case TROVE_OK:
        trove_stats_add(stats, rewards_accepted, 1);
        ctx->version = write->result.u.version;
        ctx->changed = 1;
        return NGX_HTTP_OK;

    case TROVE_FULL:
        trove_stats_add(stats, rewards_full, 1);
        *detail = write->overflows
                  ? "the trove has no room for another reward, "
                    NGX_HTTP_TROVE_UNQUEUED_TEXT
                  : "the trove has no room for another reward";
        return NGX_HTTP_INSUFFICIENT_STORAGE;

    case TROVE_INVALID:
        trove_stats_add(stats, rewards_rejected, 1);
        *detail = "the trove does not take it";
        return NGX_HTTP_BAD_REQUEST;

    default:
        trove_stats_add(stats, rewards_rejected, 1);
        *detail = ngx_http_trove_unwritten(ctx, write->result.rc);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
}


static void
ngx_http_trove_reward_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w)
{
    ngx_http_trove_load_t  load;

    load.accepted = 1;
    load.queued = 0;
    load.rejected = 0;
    load.version = ctx->version;
    load.nerrors = 0;

    ctx->found = 1;
    ctx->status = NGX_HTTP_TROVE_STORED;

    trove_write_lit(w, "{");
    ngx_http_trove_rewards_write(ctx, &load, w);
}


static ngx_int_t
ngx_http_trove_rewards_line(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *line, uint64_t number, trove_writer_t *out)
{
    ngx_uint_t             status;
    const char            *detail;
    trove_fields_t         f;
    trove_redis_op_t       op;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    status = ngx_http_trove_reward_parse(r, json, line, &op, &f, &detail);

    if (status == NGX_HTTP_OK) {
        return ngx_http_trove_write_line(r, &op, number, out);
    }

    if (ngx_http_trove_remote_flush(r, out) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    trove_stats_add(ctx->worker->stats, rewards_rejected, 1);

    ngx_http_trove_rewards_left(r, number, status, detail);

    return NGX_OK;
}


static void
ngx_http_trove_rewards_line_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out)
{
    ngx_uint_t              status;
    const char             *detail;
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_load_t  *load;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    load = ctx->data;

    if (write->result.rc == TROVE_QUEUED) {
        load->queued++;
        trove_stats_endpoint_add(ctx->worker->stats, TROVE_ENDPOINT_REWARDS,
                                 lines_ok, 1);
        return;
    }

    status = ngx_http_trove_reward_result(ctx, write, &detail);

    if (status != NGX_HTTP_OK) {
        ngx_http_trove_rewards_left(r, write->number, status, detail);
        return;
    }

    load->accepted++;
    load->version = ctx->version;

    trove_stats_endpoint_add(ctx->worker->stats, TROVE_ENDPOINT_REWARDS,
                             lines_ok, 1);
}


/* A line was not stored. */

static void
ngx_http_trove_rewards_left(ngx_http_request_t *r, uint64_t number,
    ngx_uint_t status, const char *detail)
{
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_load_t  *load;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    load = ctx->data;

    load->full += (status == NGX_HTTP_INSUFFICIENT_STORAGE);
    load->busy += (status == NGX_HTTP_SERVICE_UNAVAILABLE);

    ngx_http_trove_rewards_refuse(r, number, detail, NULL);
}


static void
ngx_http_trove_rewards_refuse(ngx_http_request_t *r, uint64_t number,
    const char *detail, trove_writer_t *out)
{
    u_char                 *p;
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_load_t  *load;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    load = ctx->data;

    load->rejected++;

    trove_stats_endpoint_add(ctx->worker->stats, TROVE_ENDPOINT_REWARDS,
                             lines_error, 1);

    if (load->nerrors == NGX_HTTP_TROVE_ERRORS_MAX) {
        return;
    }

    p = ngx_pnalloc(r->pool, ngx_strlen(detail) + 1);
    if (p == NULL) {
        return;
    }

    ngx_memcpy(p, detail, ngx_strlen(detail) + 1);

    load->errors[load->nerrors].line = number;
    load->errors[load->nerrors].detail = p;
    load->nerrors++;
}


static void
ngx_http_trove_rewards_turned(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx->changed) {
        ctx->changed = 0;
        ngx_http_trove_changed(ctx->worker);
    }
}


static ngx_int_t
ngx_http_trove_rewards_done(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_load_t  *load;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    load = ctx->data;

    if (load->accepted == 0) {
        load->version = trove_ledger_version(ctx->worker->trove->ledger);
    }

    return ngx_http_trove_rewards_summary(r, load);
}


/*
 * What a batch came to: 200, or 202 if some of it waits in a queue, or a
 * problem that says as much if the ledger could not take all that was good.
 */

static ngx_int_t
ngx_http_trove_rewards_summary(ngx_http_request_t *r,
    ngx_http_trove_load_t *load)
{
    ngx_uint_t             status;
    const char            *type;
    trove_writer_t         w;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->version = load->version;
    ctx->found = load->accepted;

    if (ngx_http_trove_writer(r, &w, NGX_HTTP_TROVE_REWARDS_TEXT
                                     + load->nerrors
                                       * (64 + 2 * TROVE_JSON_DETAIL))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = NGX_HTTP_OK;
    type = "application/json";
    ctx->status = NGX_HTTP_TROVE_STORED;

    trove_write_lit(&w, "{");

    if (load->full) {
        status = NGX_HTTP_INSUFFICIENT_STORAGE;
        ctx->status = NGX_HTTP_TROVE_FULL;
        trove_write_lit(&w, "\"title\":\"Insufficient Storage\",\"status\":507,"
                        "\"detail\":\"the trove has no room for ");
        trove_write_uint(&w, load->full);
        trove_write_lit(&w, " of the rewards\",");

    } else if (load->busy) {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        ctx->status = NGX_HTTP_TROVE_BUSY;
        trove_write_lit(&w, "\"title\":\"Service Unavailable\",\"status\":503,"
                        "\"detail\":\"");
        trove_write_uint(&w, load->busy);
        trove_write_lit(&w, " of the rewards could not be taken now\",");

    } else if (load->queued) {
        status = NGX_HTTP_ACCEPTED;
        ctx->status = NGX_HTTP_TROVE_QUEUED;
    }

    if (status >= NGX_HTTP_BAD_REQUEST) {
        type = "application/problem+json";
    }

    ngx_http_trove_rewards_write(ctx, load, &w);

    return ngx_http_trove_answer(r, status, type, &w);
}


/* The rest of an object. */

static void
ngx_http_trove_rewards_write(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_load_t *load, trove_writer_t *w)
{
    ngx_uint_t  i;

    trove_write_lit(w, "\"accepted\":");
    trove_write_uint(w, load->accepted);

    if (ctx->worker->trove->overflow) {
        trove_write_lit(w, ",\"queued\":");
        trove_write_uint(w, load->queued);
    }

    trove_write_lit(w, ",\"rejected\":");
    trove_write_uint(w, load->rejected);
    trove_write_lit(w, ",\"version\":");
    trove_write_uint(w, load->version);
    trove_write_lit(w, ",\"errors\":[");

    for (i = 0; i < load->nerrors; i++) {

        if (i) {
            trove_write_lit(w, ",");
        }

        trove_write_lit(w, "{\"line\":");
        trove_write_uint(w, load->errors[i].line);
        trove_write_lit(w, ",\"error\":");
        trove_write_string(w, load->errors[i].detail,
                           ngx_strlen(load->errors[i].detail));
        trove_write_lit(w, "}");
    }

    trove_write_lit(w, "]}");
}
