
#include "ngx_http_trove.h"

#include "trove_fields.h"


#define NGX_HTTP_TROVE_BOARD_TEXT    384     /* longest answer to a write    */


/* the order of the fields, see ngx_http_trove_board_conf.c */

#define NGX_HTTP_TROVE_BOARD_SCORE   0x02
#define NGX_HTTP_TROVE_BOARD_DATA    0x04


static ngx_int_t ngx_http_trove_board_none(ngx_http_request_t *r,
    ngx_http_trove_t *trove, ngx_str_t *name);
static ngx_int_t ngx_http_trove_board_post(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b);
static ngx_uint_t ngx_http_trove_board_parse(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *object, trove_redis_op_t *op,
    trove_fields_t *f, const char **detail);
static ngx_uint_t ngx_http_trove_board_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail);
static void ngx_http_trove_board_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w);
static ngx_int_t ngx_http_trove_board_delete(ngx_http_request_t *r);
static ngx_uint_t ngx_http_trove_board_deleted(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail);
static void ngx_http_trove_board_removed(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w);


static const ngx_http_trove_op_t  ngx_http_trove_board_op = {
    .nfields = NGX_HTTP_TROVE_BOARD_FIELDS,
    .lines = NGX_HTTP_TROVE_BOARD_LINES,
    .text = NGX_HTTP_TROVE_BOARD_TEXT,
    .forbidden = ngx_http_trove_figure(board_forbidden),
    .parse = ngx_http_trove_board_parse,
    .line = ngx_http_trove_board_line,
    .flush = ngx_http_trove_board_flush,
    .result = ngx_http_trove_board_result,
    .answer = ngx_http_trove_board_answer
};


static const ngx_http_trove_op_t  ngx_http_trove_board_removal = {
    .text = NGX_HTTP_TROVE_BOARD_TEXT,
    .result = ngx_http_trove_board_deleted,
    .answer = ngx_http_trove_board_removed
};


ngx_int_t
ngx_http_trove_board_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   name;
    ngx_http_trove_ctx_t       *ctx;
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);

    ctx = ngx_http_trove_begin(r, tlcf->trove, TROVE_ENDPOINT_BOARD);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_check(r, NGX_HTTP_GET|NGX_HTTP_POST|NGX_HTTP_DELETE);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    ngx_http_trove_board_named(r, &name);

    if (ngx_http_trove_board_choose(r, &name, &rc) != NGX_OK) {
        return rc;
    }

    if (ngx_http_trove_identify(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_trove_board_post(r, ctx->data);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_trove_try(r, (r->method == NGX_HTTP_DELETE)
                                 ? ngx_http_trove_board_delete
                                 : ngx_http_trove_board_get);
}


ngx_int_t
ngx_http_trove_board_choose(ngx_http_request_t *r, ngx_str_t *name,
    ngx_int_t *rc)
{
    ngx_http_trove_t            *trove;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    trove = ctx->worker->trove;

    b = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_board_ctx_t));
    if (b == NULL) {
        *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NGX_DONE;
    }

    b->board = ngx_http_trove_board_find(trove, name->data, name->len);

    if (b->board == TROVE_BOARD_NONE) {
        *rc = ngx_http_trove_board_none(r, trove, name);
        return NGX_DONE;
    }

    b->conf = (trove_board_conf_t *) trove->boards.elts + b->board;

    ctx->data = b;

    return NGX_OK;
}


/* What no board could be called is not repeated. */

static ngx_int_t
ngx_http_trove_board_none(ngx_http_request_t *r, ngx_http_trove_t *trove,
    ngx_str_t *name)
{
    u_char  detail[TROVE_BOARD_NAME + sizeof("there is no board \"\"")];

    if (trove->boards.nelts == 0) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      "the trove has no board");
    }

    if (!ngx_http_trove_name_valid(name, TROVE_BOARD_NAME)) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      "there is no such board");
    }

    (void) ngx_sprintf(detail, "there is no board \"%V\"%Z", name);

    return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND, (char *) detail);
}


static ngx_int_t
ngx_http_trove_board_post(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (b->conf->claims) {
        trove_stats_add(ctx->worker->stats, board_forbidden, 1);

        return ngx_http_trove_problem(r, NGX_HTTP_FORBIDDEN,
                                      "the scores of this board come from "
                                      "claims");
    }

    if (ngx_http_trove_is_batch(r) && !ngx_http_trove_is_remote(r)
        && ngx_http_trove_board_batch(r, b) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_trove_read_ops(r, &ngx_http_trove_board_op,
                                   ctx->worker->trove->board_fields
                                   + b->board * NGX_HTTP_TROVE_BOARD_FIELDS);
}


static ngx_uint_t
ngx_http_trove_board_parse(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *object, trove_redis_op_t *op, trove_fields_t *f,
    const char **detail)
{
    ngx_uint_t                   status;
    trove_board_write_t         *write;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_score_t       score;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;

    ngx_memzero(&score, sizeof(ngx_http_trove_score_t));
    score.data.data = (u_char *) "";

    status = ngx_http_trove_decode(ctx, json, object, &score, f, detail);

    if (status != NGX_HTTP_OK) {
        return status;
    }

    status = ngx_http_trove_player_of(r, &score.player, detail);

    if (status != NGX_HTTP_OK) {
        return status;
    }

    if (!(f->seen & NGX_HTTP_TROVE_BOARD_SCORE)) {
        *detail = "score: is missing";
        return NGX_HTTP_BAD_REQUEST;
    }

    op->type = TROVE_REDIS_SCORE;
    op->board = b->board;
    write = &op->u.score;

    write->player = score.player;
    write->data = score.data;
    write->has_data = (f->seen & NGX_HTTP_TROVE_BOARD_DATA) != 0;
    write->score = score.score;
    write->seq = score.seq;

    return NGX_HTTP_OK;
}


static ngx_uint_t
ngx_http_trove_board_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail)
{
    trove_stats_t  *stats;

    stats = ctx->worker->stats;

    switch (write->result.rc) {

    case TROVE_OK:
        break;

    case TROVE_FULL:
        trove_stats_add(stats, board_full, 1);
        *detail = write->overflows
                  ? "the board has no room for another player, "
                    NGX_HTTP_TROVE_UNQUEUED_TEXT
                  : "the board has no room for another player";
        return NGX_HTTP_INSUFFICIENT_STORAGE;

    case TROVE_INVALID:
        *detail = "the board does not take it";
        return NGX_HTTP_BAD_REQUEST;

    default:
        *detail = ngx_http_trove_unwritten(ctx, write->result.rc);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    switch (write->result.u.score.result) {

    case TROVE_BOARD_IMPROVED:
        trove_stats_add(stats, board_improved, 1);
        ctx->status = NGX_HTTP_TROVE_IMPROVED;
        ctx->found++;
        return NGX_HTTP_OK;

    case TROVE_BOARD_KEPT:
        trove_stats_add(stats, board_kept, 1);
        ctx->status = NGX_HTTP_TROVE_KEPT;
        return NGX_HTTP_OK;

    case TROVE_BOARD_REPEAT:
        trove_stats_add(stats, board_repeat, 1);
        ctx->status = NGX_HTTP_TROVE_REPEAT;
        return NGX_HTTP_OK;

    case TROVE_BOARD_STALE:
        trove_stats_add(stats, board_stale, 1);
        ctx->status = NGX_HTTP_TROVE_CONFLICT;
        *detail = "seq: is lower than that of the last write";
        return NGX_HTTP_CONFLICT;

    default: /* TROVE_BOARD_OVERFLOW */
        trove_stats_add(stats, board_overflow, 1);
        ctx->status = NGX_HTTP_TROVE_CONFLICT;
        *detail = "score: the sum would leave the range of scores";
        return NGX_HTTP_CONFLICT;
    }
}


static void
ngx_http_trove_board_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w)
{
    trove_board_written_t  *written;

    written = &write->result.u.score;

    trove_write_lit(w, "{\"player\":");
    trove_write_string(w, write->player, write->len);
    trove_write_lit(w, ",\"score\":");
    trove_write_int(w, written->score);
    trove_write_lit(w, ",\"rank\":");
    trove_write_uint(w, written->rank);

    if (written->result == TROVE_BOARD_IMPROVED) {
        trove_write_lit(w, ",\"improved\":true");

    } else {
        trove_write_lit(w, ",\"improved\":false");
    }

    if (written->result == TROVE_BOARD_REPEAT) {
        trove_write_lit(w, ",\"repeat\":true");
    }

    ngx_http_trove_board_write_ends(w, written->ends);

    trove_write_lit(w, "}");
}


static ngx_int_t
ngx_http_trove_board_delete(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_uint_t                   status;
    const char                  *detail;
    trove_slice_t                player;
    trove_redis_op_t             op;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;

    if (ngx_http_trove_board_player(r, &player, &rc) != NGX_OK) {
        return rc;
    }

    status = ngx_http_trove_player_of(r, &player, &detail);

    if (status != NGX_HTTP_OK) {
        return ngx_http_trove_problem(r, status, detail);
    }

    op.type = TROVE_REDIS_UNSCORE;
    op.board = b->board;
    op.u.unscore = player;

    return ngx_http_trove_op_run(r, &ngx_http_trove_board_removal, &op);
}


static ngx_uint_t
ngx_http_trove_board_deleted(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail)
{
    switch (write->result.rc) {

    case TROVE_OK:
        trove_stats_add(ctx->worker->stats, board_removed, 1);
        ctx->status = NGX_HTTP_TROVE_REMOVED;
        return NGX_HTTP_OK;

    case TROVE_NOTFOUND:
        *detail = NGX_HTTP_TROVE_BOARD_NOBODY;
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
ngx_http_trove_board_removed(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w)
{
    trove_write_lit(w, "{\"removed\":");
    trove_write_string(w, write->player, write->len);
    trove_write_lit(w, "}");
}
