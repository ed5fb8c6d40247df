
#include "ngx_http_trove.h"

#include "trove_fields.h"


#define NGX_HTTP_TROVE_BOARD_LINES   32      /* carried out together         */

/* the longest answers: to a write, and that something is wrong with it */

#define NGX_HTTP_TROVE_BOARD_TEXT    384
#define NGX_HTTP_TROVE_BOARD_WRONG   (64 + 6 * TROVE_JSON_DETAIL)


/* the order of the fields, see ngx_http_trove_board_conf.c */

#define NGX_HTTP_TROVE_BOARD_SCORE   0x02
#define NGX_HTTP_TROVE_BOARD_DATA    0x04


/* Lines of a batch: those from "done" on have still to be carried out. */

struct ngx_http_trove_scores_s {
    ngx_uint_t              n;
    ngx_uint_t              done;
    size_t                  room;           /* of "text" for each line       */
    u_char                 *text;
    uint64_t                numbers[NGX_HTTP_TROVE_BOARD_LINES];
    trove_board_write_t     writes[NGX_HTTP_TROVE_BOARD_LINES];
    trove_board_written_t   written[NGX_HTTP_TROVE_BOARD_LINES];
    trove_rc_t              rcs[NGX_HTTP_TROVE_BOARD_LINES];
};


static ngx_int_t ngx_http_trove_board_post(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b);
static ngx_int_t ngx_http_trove_board_delete(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_board_deleted(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_board_removed(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_board_object(ngx_http_request_t *r,
    trove_slice_t *object);
static ngx_int_t ngx_http_trove_board_written(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_board_answer(ngx_http_request_t *r);
static ngx_uint_t ngx_http_trove_board_parse(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *object, trove_redis_op_t *op,
    trove_fields_t *f, const char **detail);
static ngx_uint_t ngx_http_trove_board_result(ngx_http_trove_ctx_t *ctx,
    trove_rc_t rc, trove_board_written_t *written, const char **detail);
static void ngx_http_trove_board_write(trove_writer_t *w,
    trove_slice_t *player, trove_board_written_t *written);

static ngx_int_t ngx_http_trove_board_batch(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b);
static ngx_int_t ngx_http_trove_board_line(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *line, uint64_t number,
    trove_writer_t *out);
static void ngx_http_trove_board_line_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out);
static void ngx_http_trove_board_line_result(ngx_http_request_t *r,
    uint64_t number, trove_slice_t *player, trove_rc_t rc,
    trove_board_written_t *written, trove_writer_t *out);
static void ngx_http_trove_board_add(ngx_http_trove_scores_t *s,
    trove_board_write_t *write, uint64_t number);
static ngx_int_t ngx_http_trove_board_flush(ngx_http_request_t *r,
    trove_writer_t *out);
static ngx_int_t ngx_http_trove_board_answers(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b, trove_writer_t *out);


static const ngx_http_trove_batch_ops_t  ngx_http_trove_board_ops = {
    TROVE_ENDPOINT_BOARD,
    ngx_http_trove_board_line,
    ngx_http_trove_refuse,
    ngx_http_trove_board_flush,
    ngx_http_trove_board_line_written,
    NGX_HTTP_TROVE_BOARD_TEXT,
    NULL,
    NULL,
    ngx_http_trove_settle_lines
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
        *rc = ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                     trove->boards.nelts
                                     ? "there is no such board"
                                     : "the trove has no board");
        return NGX_DONE;
    }

    b->conf = (trove_board_conf_t *) trove->boards.elts + b->board;

    ctx->data = b;

    return NGX_OK;
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

    b->fields = ctx->worker->trove->board_fields
                + b->board * NGX_HTTP_TROVE_BOARD_FIELDS;

    return ngx_http_trove_is_batch(r)
           ? ngx_http_trove_board_batch(r, b)
           : ngx_http_trove_read_object(r, ngx_http_trove_board_object);
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

    return ngx_http_trove_write(r, &op, ngx_http_trove_board_deleted);
}


static ngx_int_t
ngx_http_trove_board_deleted(ngx_http_request_t *r)
{
    trove_rc_t             rc;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    rc = ctx->write->result.rc;

    if (rc == TROVE_NOTFOUND) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_TROVE_BOARD_NOBODY);
    }

    if (rc != TROVE_OK) {
        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      ngx_http_trove_unwritten(ctx, rc));
    }

    trove_stats_add(ctx->worker->stats, board_removed, 1);

    ctx->status = NGX_HTTP_TROVE_REMOVED;

    return ngx_http_trove_settle(r, ngx_http_trove_board_removed);
}


static ngx_int_t
ngx_http_trove_board_removed(ngx_http_request_t *r)
{
    trove_writer_t         w;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ngx_http_trove_writer(r, &w, NGX_HTTP_TROVE_BOARD_TEXT) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    trove_write_lit(&w, "{\"removed\":");
    trove_write_string(&w, ctx->write->player, ctx->write->len);
    trove_write_lit(&w, "}");

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


static ngx_int_t
ngx_http_trove_board_object(ngx_http_request_t *r, trove_slice_t *object)
{
    ngx_uint_t                   status;
    const char                  *detail;
    trove_json_t                *json;
    trove_fields_t               f;
    trove_redis_op_t             op;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;

    json = trove_json_open(&ctx->worker->arena, b->fields,
                           NGX_HTTP_TROVE_BOARD_FIELDS);

    status = ngx_http_trove_board_parse(r, json, object, &op, &f, &detail);

    if (status == NGX_HTTP_OK) {
        return ngx_http_trove_write(r, &op, ngx_http_trove_board_written);
    }

    if (status == NGX_HTTP_FORBIDDEN) {
        trove_stats_add(ctx->worker->stats, board_forbidden, 1);
    }

    return ngx_http_trove_problem(r, status, detail);
}


static ngx_int_t
ngx_http_trove_board_written(ngx_http_request_t *r)
{
    ngx_uint_t             status;
    const char            *detail;
    trove_redis_result_t  *result;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    result = &ctx->write->result;

    status = ngx_http_trove_board_result(ctx, result->rc, &result->u.score,
                                         &detail);

    if (status != NGX_HTTP_OK) {
        return ngx_http_trove_problem(r, status, detail);
    }

    return ngx_http_trove_settle(r, ngx_http_trove_board_answer);
}


static ngx_int_t
ngx_http_trove_board_answer(ngx_http_request_t *r)
{
    trove_slice_t            player;
    trove_writer_t           w;
    ngx_http_trove_ctx_t    *ctx;
    ngx_http_trove_write_t  *write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    write = ctx->write;

    if (ngx_http_trove_writer(r, &w, NGX_HTTP_TROVE_BOARD_TEXT) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    player.data = write->player;
    player.len = write->len;

    ngx_http_trove_board_write(&w, &player, &write->result.u.score);

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


/* 200, or the status of what is wrong with it, and *detail. */

static ngx_uint_t
ngx_http_trove_board_parse(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *object, trove_redis_op_t *op, trove_fields_t *f,
    const char **detail)
{
    trove_rc_t                   rc;
    ngx_uint_t                   status;
    trove_board_write_t         *write;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_score_t       score;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;

    ngx_memzero(&score, sizeof(ngx_http_trove_score_t));
    score.data.data = (u_char *) "";

    rc = TROVE_NOMEM;

    if (json) {
        rc = trove_json_parse(json, object->data, object->len, &score, f);
    }

    if (rc == TROVE_NOMEM) {
        *detail = ngx_http_trove_exhausted(ctx);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (rc != TROVE_OK) {
        *detail = f->detail;
        return NGX_HTTP_BAD_REQUEST;
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
ngx_http_trove_board_result(ngx_http_trove_ctx_t *ctx, trove_rc_t rc,
    trove_board_written_t *written, const char **detail)
{
    trove_stats_t  *stats;

    stats = ctx->worker->stats;

    switch (rc) {

    case TROVE_OK:
        break;

    case TROVE_FULL:
        trove_stats_add(stats, board_full, 1);
        *detail = "the board has no room for another player";
        return NGX_HTTP_INSUFFICIENT_STORAGE;

    case TROVE_INVALID:
        *detail = "the board does not take it";
        return NGX_HTTP_BAD_REQUEST;

    default:
        *detail = ngx_http_trove_unwritten(ctx, rc);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    switch (written->result) {

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
ngx_http_trove_board_write(trove_writer_t *w, trove_slice_t *player,
    trove_board_written_t *written)
{
    trove_write_lit(w, "{\"player\":");
    trove_write_string(w, player->data, player->len);
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
ngx_http_trove_board_batch(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b)
{
    ngx_http_trove_scores_t  *s;

    if (ngx_http_trove_is_remote(r)) {
        return ngx_http_trove_read_batch(r, &ngx_http_trove_board_ops,
                                         NGX_HTTP_TROVE_BOARD_WRONG, b->fields,
                                         NGX_HTTP_TROVE_BOARD_FIELDS);
    }

    s = ngx_palloc(r->pool, sizeof(ngx_http_trove_scores_t));
    if (s == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s->n = 0;
    s->done = 0;
    s->room = TROVE_PLAYER_MAX + b->conf->row - TROVE_BOARD_HEAD;

    s->text = ngx_pnalloc(r->pool, s->room * NGX_HTTP_TROVE_BOARD_LINES);
    if (s->text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->scores = s;

    return ngx_http_trove_read_batch(r, &ngx_http_trove_board_ops,
                                     NGX_HTTP_TROVE_BOARD_WRONG
                                     + NGX_HTTP_TROVE_BOARD_LINES
                                       * NGX_HTTP_TROVE_BOARD_TEXT,
                                     b->fields, NGX_HTTP_TROVE_BOARD_FIELDS);
}


/* What is good is put by, to be carried out with those behind it. */

static ngx_int_t
ngx_http_trove_board_line(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *line, uint64_t number, trove_writer_t *out)
{
    ngx_uint_t                   status;
    const char                  *detail;
    trove_fields_t               f;
    trove_redis_op_t             op;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_scores_t     *s;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;
    s = b->scores;

    status = ngx_http_trove_board_parse(r, json, line, &op, &f, &detail);

    if (status == NGX_HTTP_OK && s == NULL) {
        return ngx_http_trove_write_line(r, &op, number, out);
    }

    if ((status != NGX_HTTP_OK || s->n == NGX_HTTP_TROVE_BOARD_LINES)
        && ngx_http_trove_board_flush(r, out) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    if (status == NGX_HTTP_OK) {
        ngx_http_trove_board_add(s, &op.u.score, number);
        return NGX_OK;
    }

    if (status == NGX_HTTP_FORBIDDEN) {
        trove_stats_add(ctx->worker->stats, board_forbidden, 1);
    }

    ngx_http_trove_refuse(r, number, detail, out);

    return NGX_OK;
}


static void
ngx_http_trove_board_line_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out)
{
    trove_slice_t  player;

    player.data = write->player;
    player.len = write->len;

    ngx_http_trove_board_line_result(r, write->number, &player,
                                     write->result.rc, &write->result.u.score,
                                     out);
}


static void
ngx_http_trove_board_line_result(ngx_http_request_t *r, uint64_t number,
    trove_slice_t *player, trove_rc_t rc, trove_board_written_t *written,
    trove_writer_t *out)
{
    ngx_uint_t             status;
    const char            *detail;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    status = ngx_http_trove_board_result(ctx, rc, written, &detail);

    if (status != NGX_HTTP_OK) {
        ngx_http_trove_refuse(r, number, detail, out);
        return;
    }

    ctx->status = NGX_HTTP_TROVE_BATCH;

    ngx_http_trove_board_write(out, player, written);
    trove_write_lit(out, "\n");

    trove_stats_endpoint_add(ctx->worker->stats, TROVE_ENDPOINT_BOARD, lines_ok,
                             1);
}


/* It may have to wait for longer than an epoch, and its line's memory. */

static void
ngx_http_trove_board_add(ngx_http_trove_scores_t *s,
    trove_board_write_t *write, uint64_t number)
{
    u_char               *p;
    trove_board_write_t  *own;

    p = s->text + s->n * s->room;

    s->numbers[s->n] = number;
    own = &s->writes[s->n++];

    *own = *write;

    own->player.data = p;
    p = ngx_cpymem(p, write->player.data, write->player.len);

    own->data.data = p;
    ngx_memcpy(p, write->data.data, write->data.len);
}


/* NGX_AGAIN: the board is held. */

static ngx_int_t
ngx_http_trove_board_flush(ngx_http_request_t *r, trove_writer_t *out)
{
    uint64_t                     now;
    ngx_uint_t                   i;
    const char                  *detail;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_scores_t     *s;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;
    s = b->scores;

    if (s == NULL) {
        return ngx_http_trove_remote_flush(r, out);
    }

    if (s->done == s->n) {
        return NGX_OK;
    }

    detail = ngx_http_trove_unstored(ctx);

    if (detail) {

        for ( /* void */ ; s->done < s->n; s->done++) {
            ngx_http_trove_refuse(r, s->numbers[s->done], detail, out);
        }

    } else {
        now = ngx_http_trove_board_now();

        for (i = s->done; i < s->n; i++) {
            s->writes[i].now = now;
        }

        trove_board_write_all(ctx->worker->trove->ledger, b->board,
                              &s->writes[s->done], &s->written[s->done],
                              &s->rcs[s->done], s->n - s->done);

        if (ngx_http_trove_board_answers(r, b, out) == NGX_AGAIN) {
            return NGX_AGAIN;
        }
    }

    s->n = 0;
    s->done = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_board_answers(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b, trove_writer_t *out)
{
    ngx_uint_t                i;
    ngx_http_trove_ctx_t     *ctx;
    ngx_http_trove_scores_t  *s;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    s = b->scores;

    for ( /* void */ ; s->done < s->n; s->done++) {
        i = s->done;

        if (s->rcs[i] == TROVE_BUSY && ngx_http_trove_patient(ctx)) {
            return NGX_AGAIN;
        }

        if (s->rcs[i] != TROVE_BUSY) {
            ctx->held = 0;
        }

        ngx_http_trove_board_line_result(r, s->numbers[i], &s->writes[i].player,
                                         s->rcs[i], &s->written[i], out);
    }

    return NGX_OK;
}
