
#include "ngx_http_trove.h"

#include <float.h>


/* the order of ngx_http_trove_claim_fields */

#define NGX_HTTP_TROVE_CLAIM_REWARD  0x02
#define NGX_HTTP_TROVE_CLAIM_X       0x04
#define NGX_HTTP_TROVE_CLAIM_Y       0x08


static ngx_uint_t ngx_http_trove_claim_parse(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *object, trove_redis_op_t *op,
    trove_fields_t *f, const char **detail);
static const char *ngx_http_trove_claim_missing(ngx_http_trove_t *trove,
    uint32_t seen);
static ngx_uint_t ngx_http_trove_claim_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail);
static void ngx_http_trove_claim_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w);


static const trove_field_t  ngx_http_trove_claim_fields[] = {
    { "player", TROVE_FIELD_PLAYER, offsetof(trove_claim_request_t, player),
      0, 0 },
    { "reward", TROVE_FIELD_UINT32, offsetof(trove_claim_request_t, reward),
      1, UINT32_MAX },
    { "x", TROVE_FIELD_NUMBER, offsetof(trove_claim_request_t, x),
      -DBL_MAX, DBL_MAX },
    { "y", TROVE_FIELD_NUMBER, offsetof(trove_claim_request_t, y),
      -DBL_MAX, DBL_MAX },
    { "level", TROVE_FIELD_NUMBER, offsetof(trove_claim_request_t, level),
      -DBL_MAX, DBL_MAX }
};


#define NGX_HTTP_TROVE_CLAIM_FIELDS                                           \
    (sizeof(ngx_http_trove_claim_fields) / sizeof(trove_field_t))


/* What each result is answered with, and counted by. */

static const struct {
    ngx_uint_t                status;
    ngx_http_trove_status_t   trove_status;
    size_t                    figure;
    const char               *detail;
} ngx_http_trove_claim_results[] = {

    [TROVE_CLAIM_GRANTED] =
    { NGX_HTTP_OK, NGX_HTTP_TROVE_CLAIMED,
      ngx_http_trove_figure(claims_granted), NULL },

    [TROVE_CLAIM_REPEAT] =
    { NGX_HTTP_OK, NGX_HTTP_TROVE_REPEAT,
      ngx_http_trove_figure(claims_repeat), NULL },

    [TROVE_CLAIM_GONE] =
    { NGX_HTTP_CONFLICT, NGX_HTTP_TROVE_CONFLICT,
      ngx_http_trove_figure(claims_gone), "the reward's stock is gone" },

    /* one that is not there yet is not to be told from none */

    [TROVE_CLAIM_UNKNOWN] =
    { NGX_HTTP_NOT_FOUND, NGX_HTTP_TROVE_UNKNOWN,
      ngx_http_trove_figure(claims_unknown), "there is no such reward" },

    [TROVE_CLAIM_EARLY] =
    { NGX_HTTP_NOT_FOUND, NGX_HTTP_TROVE_UNKNOWN,
      ngx_http_trove_figure(claims_early), "there is no such reward" },

    [TROVE_CLAIM_EXPIRED] =
    { NGX_HTTP_TROVE_GONE, NGX_HTTP_TROVE_EXPIRED,
      ngx_http_trove_figure(claims_expired), "the reward has expired" },

    [TROVE_CLAIM_LEVEL] =
    { NGX_HTTP_FORBIDDEN, NGX_HTTP_TROVE_FORBIDDEN,
      ngx_http_trove_figure(claims_level),
      "level: is too low for the reward" },

    [TROVE_CLAIM_FAR] =
    { NGX_HTTP_FORBIDDEN, NGX_HTTP_TROVE_FORBIDDEN,
      ngx_http_trove_figure(claims_far), "the reward is out of range" },

    [TROVE_CLAIM_FAST] =
    { NGX_HTTP_FORBIDDEN, NGX_HTTP_TROVE_FORBIDDEN,
      ngx_http_trove_figure(claims_fast),
      "the player has come too far since the last claim" }
};


static const ngx_http_trove_op_t  ngx_http_trove_claim_op = {
    .nfields = NGX_HTTP_TROVE_CLAIM_FIELDS,
    .text = 160,
    .forbidden = ngx_http_trove_figure(claims_forbidden),
    .parse = ngx_http_trove_claim_parse,
    .line = ngx_http_trove_write_line,
    .flush = ngx_http_trove_remote_flush,
    .result = ngx_http_trove_claim_result,
    .answer = ngx_http_trove_claim_answer
};


char *
ngx_http_trove_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    double            *rule;
    ngx_str_t         *value, number;
    ngx_uint_t         i;

    static const char  must[] = "\"range=\" or \"max_speed=\" and a number "
                                "above 0, up to 1e150, each once, or "
                                "\"dry_run\"";

    if (trove->rules.dry_run != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    trove->rules.dry_run = 0;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "dry_run") == 0) {
            trove->rules.dry_run = 1;
            continue;
        }

        if (ngx_http_trove_prefixed(&value[i], "range=", &number) == NGX_OK) {
            rule = &trove->rules.range;

        } else if (ngx_http_trove_prefixed(&value[i], "max_speed=", &number)
                   == NGX_OK)
        {
            rule = &trove->rules.max_speed;

        } else {
            return ngx_http_trove_invalid(cf, &value[i], must);
        }

        if (*rule != NGX_CONF_UNSET
            || ngx_http_trove_distance(&number, rule) != NGX_OK)
        {
            return ngx_http_trove_invalid(cf, &value[i], must);
        }
    }

    if (trove->rules.range == NGX_CONF_UNSET
        && trove->rules.max_speed == NGX_CONF_UNSET)
    {
        return "has neither \"range\" nor \"max_speed\"";
    }

    return NGX_CONF_OK;
}


/* Sets the bounds that the trove's own configuration gives. */

ngx_int_t
ngx_http_trove_claim_init(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    trove_field_t  *f;

    ngx_conf_init_value(trove->rules.range, 0);
    ngx_conf_init_value(trove->rules.max_speed, 0);
    ngx_conf_init_value(trove->rules.dry_run, 0);

    f = ngx_http_trove_fields(cf, ngx_http_trove_claim_fields,
                              NGX_HTTP_TROVE_CLAIM_FIELDS, trove, 2);
    if (f == NULL) {
        return NGX_ERROR;
    }

    trove->claim_fields = f;

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_claim_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_trove_t           *trove;
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);
    trove = tlcf->trove;

    if (ngx_http_trove_begin(r, trove, TROVE_ENDPOINT_CLAIM) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_check(r, NGX_HTTP_POST);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (trove->players == 0) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      "the trove has no capacity for players");
    }

    if (ngx_http_trove_identify(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_trove_read_ops(r, &ngx_http_trove_claim_op,
                                   trove->claim_fields);
}


static ngx_uint_t
ngx_http_trove_claim_parse(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *object, trove_redis_op_t *op, trove_fields_t *f,
    const char **detail)
{
    ngx_uint_t              status;
    ngx_http_trove_ctx_t   *ctx;
    trove_claim_request_t  *request;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    op->type = TROVE_REDIS_CLAIM;
    request = &op->u.claim;

    ngx_memzero(request, sizeof(trove_claim_request_t));

    status = ngx_http_trove_decode(ctx, json, object, request, f, detail);

    if (status != NGX_HTTP_OK) {
        return status;
    }

    *detail = ngx_http_trove_claim_missing(ctx->worker->trove, f->seen);

    if (*detail) {
        return NGX_HTTP_BAD_REQUEST;
    }

    request->placed = (f->seen & NGX_HTTP_TROVE_CLAIM_X) ? 1 : 0;

    return ngx_http_trove_player_of(r, &request->player, detail);
}


/* A rule that is only tried refuses nobody. */

static const char *
ngx_http_trove_claim_missing(ngx_http_trove_t *trove, uint32_t seen)
{
    ngx_uint_t  needed;

    if (!(seen & NGX_HTTP_TROVE_CLAIM_REWARD)) {
        return "reward: is missing";
    }

    needed = (trove->rules.range || trove->rules.max_speed)
             && !trove->rules.dry_run;

    if (!(seen & NGX_HTTP_TROVE_CLAIM_X)
        && (needed || (seen & NGX_HTTP_TROVE_CLAIM_Y)))
    {
        return "x: is missing";
    }

    if (!(seen & NGX_HTTP_TROVE_CLAIM_Y)
        && (needed || (seen & NGX_HTTP_TROVE_CLAIM_X)))
    {
        return "y: is missing";
    }

    return NULL;
}


static ngx_uint_t
ngx_http_trove_claim_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail)
{
    size_t                    figure;
    trove_claim_t            *claim;
    trove_stats_t            *stats;
    ngx_http_trove_worker_t  *w;

    w = ctx->worker;
    stats = w->stats;
    claim = &write->result.u.claim;

    if (write->result.rc == TROVE_FULL) {
        trove_stats_add(stats, claims_full, 1);
        *detail = write->overflows
                  ? "the trove has no room for another player or claim, "
                    NGX_HTTP_TROVE_UNQUEUED_TEXT
                  : "the trove has no room for another player or claim";
        return NGX_HTTP_INSUFFICIENT_STORAGE;
    }

    if (write->result.rc != TROVE_OK) {
        *detail = ngx_http_trove_unwritten(ctx, write->result.rc);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    figure = ngx_http_trove_claim_results[claim->result].figure;

    ngx_http_trove_figure_add(ctx, figure);

    TROVE_PROBE(claim_decided, w->trove->name.data, w->trove->name.len,
                write->player, write->len, write->id, claim->result);

    if (claim->result == TROVE_CLAIM_GRANTED
        && claim->flouts != TROVE_CLAIM_GRANTED)
    {
        if (claim->flouts == TROVE_CLAIM_FAR) {
            trove_stats_add(stats, claims_let_far, 1);

        } else {
            trove_stats_add(stats, claims_let_fast, 1);
        }
    }

    ctx->status = ngx_http_trove_claim_results[claim->result].trove_status;
    ctx->found += (claim->result == TROVE_CLAIM_GRANTED);
    ctx->version = claim->version;
    ctx->changed |= (claim->last != 0);

    *detail = ngx_http_trove_claim_results[claim->result].detail;

    return ngx_http_trove_claim_results[claim->result].status;
}


static void
ngx_http_trove_claim_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w)
{
    trove_claim_t  *claim;

    claim = &write->result.u.claim;

    trove_write_lit(w, "{\"reward\":");
    trove_write_uint(w, write->id);
    trove_write_lit(w, ",\"value\":");
    trove_write_int(w, claim->value);
    trove_write_lit(w, ",\"balance\":");
    trove_write_int(w, claim->balance);

    if (claim->result == TROVE_CLAIM_REPEAT) {
        trove_write_lit(w, ",\"repeat\":true");
    }

    trove_write_lit(w, "}");
}
