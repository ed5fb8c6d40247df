
#include "ngx_http_trove.h"

#include <float.h>


/* of an answer: what stands around the list, an id in it, an object in it */

#define NGX_HTTP_TROVE_POLL_TEXT    128
#define NGX_HTTP_TROVE_ID_TEXT      12
#define NGX_HTTP_TROVE_HIT_TEXT     160


typedef struct {
    double         x;
    double         y;
    double         r;
    double         w;
    double         h;
    double         level;
    uint32_t       limit;
    int            detail;
    trove_slice_t  player;
} ngx_http_trove_poll_t;


/* the order of ngx_http_trove_poll_fields */

#define NGX_HTTP_TROVE_X   0x01
#define NGX_HTTP_TROVE_Y   0x02
#define NGX_HTTP_TROVE_R   0x04
#define NGX_HTTP_TROVE_W   0x08
#define NGX_HTTP_TROVE_H   0x10


static ngx_int_t ngx_http_trove_poll_object(ngx_http_request_t *r,
    trove_slice_t *object);
static ngx_int_t ngx_http_trove_poll_answer(ngx_http_request_t *r,
    ngx_http_trove_poll_t *poll, uint32_t seen);
static const char *ngx_http_trove_poll_query(ngx_http_trove_t *trove,
    ngx_http_trove_poll_t *poll, uint32_t seen, trove_query_t *q);
static ngx_int_t ngx_http_trove_poll_run(ngx_http_trove_ctx_t *ctx,
    trove_query_t *q, trove_answer_t *a);
static void ngx_http_trove_poll_write(trove_writer_t *w, uint64_t version,
    trove_answer_t *a, int detail);
static ngx_int_t ngx_http_trove_poll_line(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *line, uint64_t number,
    trove_writer_t *out);


static const trove_field_t  ngx_http_trove_poll_fields[] = {
    { "x", TROVE_FIELD_NUMBER, offsetof(ngx_http_trove_poll_t, x),
      -DBL_MAX, DBL_MAX },
    { "y", TROVE_FIELD_NUMBER, offsetof(ngx_http_trove_poll_t, y),
      -DBL_MAX, DBL_MAX },
    { "r", TROVE_FIELD_NUMBER, offsetof(ngx_http_trove_poll_t, r), 0, 0 },
    { "w", TROVE_FIELD_NUMBER, offsetof(ngx_http_trove_poll_t, w), 0, 0 },
    { "h", TROVE_FIELD_NUMBER, offsetof(ngx_http_trove_poll_t, h), 0, 0 },
    { "level", TROVE_FIELD_NUMBER, offsetof(ngx_http_trove_poll_t, level),
      -DBL_MAX, DBL_MAX },
    { "limit", TROVE_FIELD_UINT32, offsetof(ngx_http_trove_poll_t, limit),
      1, 0 },
    { "detail", TROVE_FIELD_FLAG, offsetof(ngx_http_trove_poll_t, detail),
      0, 1 },
    { "player", TROVE_FIELD_PLAYER, offsetof(ngx_http_trove_poll_t, player),
      0, 0 }
};


#define NGX_HTTP_TROVE_POLL_FIELDS                                            \
    (sizeof(ngx_http_trove_poll_fields) / sizeof(trove_field_t))


static const ngx_http_trove_batch_ops_t  ngx_http_trove_poll_ops = {
    .line = ngx_http_trove_poll_line,
    .refuse = ngx_http_trove_refuse
};


/* Sets the bounds that the trove's own configuration gives. */

ngx_int_t
ngx_http_trove_poll_init(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    trove_field_t  *f;

    f = ngx_http_trove_fields(cf, ngx_http_trove_poll_fields,
                              NGX_HTTP_TROVE_POLL_FIELDS, trove, 0);
    if (f == NULL) {
        return NGX_ERROR;
    }

    f[2].max = trove->radius_max;
    f[3].max = 2 * trove->radius_max;
    f[4].max = 2 * trove->radius_max;
    f[6].max = trove->limit_max;

    trove->poll_fields = f;
    trove->poll_text = NGX_HTTP_TROVE_POLL_TEXT
                       + ngx_max(trove->limit_max * NGX_HTTP_TROVE_HIT_TEXT,
                                 2 * TROVE_JSON_DETAIL);

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_poll_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    trove_fields_t              f;
    ngx_http_trove_t           *trove;
    ngx_http_trove_poll_t       poll;
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);
    trove = tlcf->trove;

    if (ngx_http_trove_begin(r, trove, TROVE_ENDPOINT_POLL) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_check(r, NGX_HTTP_GET|NGX_HTTP_POST);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (ngx_http_trove_identify(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_POST) {

        if (!ngx_http_trove_is_batch(r)) {
            return ngx_http_trove_read_object(r, ngx_http_trove_poll_object);
        }

        return ngx_http_trove_read_batch(r, &ngx_http_trove_poll_ops,
                                         trove->poll_text, trove->poll_fields,
                                         NGX_HTTP_TROVE_POLL_FIELDS);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&poll, sizeof(ngx_http_trove_poll_t));

    if (ngx_http_trove_args(r, trove->poll_fields, NGX_HTTP_TROVE_POLL_FIELDS,
                            &poll, &f, &rc)
        != NGX_OK)
    {
        return rc;
    }

    return ngx_http_trove_poll_answer(r, &poll, f.seen);
}


static ngx_int_t
ngx_http_trove_poll_object(ngx_http_request_t *r, trove_slice_t *object)
{
    ngx_uint_t              status;
    const char             *detail;
    trove_json_t           *json;
    trove_fields_t          f;
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_poll_t   poll;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_memzero(&poll, sizeof(ngx_http_trove_poll_t));

    json = trove_json_open(&ctx->worker->arena,
                           ctx->worker->trove->poll_fields,
                           NGX_HTTP_TROVE_POLL_FIELDS);

    status = ngx_http_trove_decode(ctx, json, object, &poll, &f, &detail);

    if (status != NGX_HTTP_OK) {
        return ngx_http_trove_problem(r, status, detail);
    }

    return ngx_http_trove_poll_answer(r, &poll, f.seen);
}


static ngx_int_t
ngx_http_trove_poll_answer(ngx_http_request_t *r, ngx_http_trove_poll_t *poll,
    uint32_t seen)
{
    size_t                 size;
    ngx_uint_t             status;
    const char            *error;
    trove_query_t          q;
    trove_writer_t         w;
    trove_answer_t         a;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    error = ngx_http_trove_poll_query(ctx->worker->trove, poll, seen, &q);

    if (error) {
        return ngx_http_trove_problem(r, NGX_HTTP_BAD_REQUEST, error);
    }

    if (poll->player.len) {
        status = ngx_http_trove_player_of(r, &poll->player, &error);

        if (status != NGX_HTTP_OK) {
            return ngx_http_trove_problem(r, status, error);
        }
    }

    if (ngx_http_trove_poll_run(ctx, &q, &a) != NGX_OK) {
        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      ngx_http_trove_exhausted(ctx));
    }

    ctx->found = a.found;
    ctx->version = trove_view_version(ctx->worker->view);
    ctx->status = a.found ? NGX_HTTP_TROVE_HIT : NGX_HTTP_TROVE_MISS;

    size = NGX_HTTP_TROVE_POLL_TEXT
           + a.n * (poll->detail ? NGX_HTTP_TROVE_HIT_TEXT
                                 : NGX_HTTP_TROVE_ID_TEXT);

    if (ngx_http_trove_writer(r, &w, size) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_trove_poll_write(&w, ctx->version, &a, poll->detail);

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


/* What the fields ask for; returns what is wrong with them together. */

static const char *
ngx_http_trove_poll_query(ngx_http_trove_t *trove, ngx_http_trove_poll_t *poll,
    uint32_t seen, trove_query_t *q)
{
    if (!(seen & NGX_HTTP_TROVE_X)) {
        return "x: is missing";
    }

    if (!(seen & NGX_HTTP_TROVE_Y)) {
        return "y: is missing";
    }

    q->x = poll->x;
    q->y = poll->y;
    q->r = (seen & NGX_HTTP_TROVE_R) ? poll->r : trove->radius;
    q->w = poll->w;
    q->h = poll->h;
    q->level = poll->level;
    q->now = ngx_time();
    q->limit = poll->limit ? poll->limit : trove->limit;
    q->detail = poll->detail;
    q->shape = TROVE_CIRCLE;

    if (seen & (NGX_HTTP_TROVE_W|NGX_HTTP_TROVE_H)) {

        if (!(seen & NGX_HTTP_TROVE_W)) {
            return "w: is missing, a box has w and h";
        }

        if (!(seen & NGX_HTTP_TROVE_H)) {
            return "h: is missing, a box has w and h";
        }

        if (seen & NGX_HTTP_TROVE_R) {
            return "r: a poll has r or w and h, not both";
        }

        q->shape = TROVE_BOX;
    }

    return NULL;
}


static ngx_int_t
ngx_http_trove_poll_run(ngx_http_trove_ctx_t *ctx, trove_query_t *q,
    trove_answer_t *a)
{
    ngx_http_trove_worker_t  *w;

    w = ctx->worker;

    a->hits = trove_arena_alloc(&w->arena, q->limit * sizeof(trove_hit_t));
    if (a->hits == NULL) {
        return NGX_ERROR;
    }

    trove_view_query(w->view, q, a);

    ctx->scanned += a->scanned;

    trove_stats_add(w->stats, poll_scanned, a->scanned);
    trove_stats_add(w->stats, poll_found, a->found);

    return NGX_OK;
}


static void
ngx_http_trove_poll_write(trove_writer_t *w, uint64_t version,
    trove_answer_t *a, int detail)
{
    ngx_uint_t    i;
    trove_hit_t  *hit;

    trove_write_lit(w, "{\"version\":");
    trove_write_uint(w, version);
    trove_write_lit(w, ",\"found\":");
    trove_write_uint(w, a->found);
    trove_write_lit(w, ",\"rewards\":[");

    for (i = 0; i < a->n; i++) {
        hit = &a->hits[i];

        if (i) {
            trove_write_lit(w, ",");
        }

        if (!detail) {
            trove_write_uint(w, hit->id);
            continue;
        }

        trove_write_lit(w, "{\"id\":");
        trove_write_uint(w, hit->id);
        trove_write_lit(w, ",\"x\":");
        trove_write_double(w, hit->x);
        trove_write_lit(w, ",\"y\":");
        trove_write_double(w, hit->y);
        trove_write_lit(w, ",\"value\":");
        trove_write_int(w, hit->value);
        trove_write_lit(w, ",\"distance\":");
        trove_write_double(w, hit->distance);
        trove_write_lit(w, "}");
    }

    trove_write_lit(w, "]}");
}


static ngx_int_t
ngx_http_trove_poll_line(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *line, uint64_t number, trove_writer_t *out)
{
    u_char                 *mark;
    trove_rc_t              rc;
    const char             *error;
    trove_query_t           q;
    trove_answer_t          a;
    trove_fields_t          f;
    ngx_http_trove_ctx_t   *ctx;
    ngx_http_trove_poll_t   poll;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_memzero(&poll, sizeof(ngx_http_trove_poll_t));

    error = f.detail;

    rc = trove_json_parse(json, line->data, line->len, &poll, &f);

    if (rc == TROVE_OK) {
        error = ngx_http_trove_poll_query(ctx->worker->trove, &poll, f.seen,
                                          &q);
    }

    if (error == NULL && poll.player.len) {
        (void) ngx_http_trove_player_of(r, &poll.player, &error);
    }

    mark = ctx->worker->arena.pos;

    if (rc == TROVE_NOMEM
        || (error == NULL
            && ngx_http_trove_poll_run(ctx, &q, &a) != NGX_OK))
    {
        error = ngx_http_trove_exhausted(ctx);
    }

    if (error) {
        ngx_http_trove_refuse(r, number, error, out);
        return NGX_OK;
    }

    ctx->status = NGX_HTTP_TROVE_BATCH;
    ctx->found += a.found;
    ctx->version = trove_view_version(ctx->worker->view);

    ngx_http_trove_poll_write(out, ctx->version, &a, poll.detail);
    trove_write_lit(out, "\n");

    /* the next line's hits take the place of this one's */

    trove_arena_rewind(&ctx->worker->arena, mark);

    trove_stats_endpoint_add(ctx->worker->stats, TROVE_ENDPOINT_POLL, lines_ok,
                             1);

    return NGX_OK;
}
