
#include "ngx_http_trove.h"


/* the longest line that says what is wrong */

#define NGX_HTTP_TROVE_OP_WRONG      (64 + 6 * TROVE_JSON_DETAIL)


static ngx_int_t ngx_http_trove_op_object(ngx_http_request_t *r,
    trove_slice_t *object);
static ngx_int_t ngx_http_trove_op_written(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_op_answer(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_op_line(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *line, uint64_t number,
    trove_writer_t *out);
static ngx_int_t ngx_http_trove_op_flush(ngx_http_request_t *r,
    trove_writer_t *out);
static void ngx_http_trove_op_line_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out);
static void ngx_http_trove_op_refused(ngx_http_trove_ctx_t *ctx,
    ngx_uint_t status);


static const ngx_http_trove_batch_ops_t  ngx_http_trove_op_lines = {
    .line = ngx_http_trove_op_line,
    .refuse = ngx_http_trove_refuse,
    .flush = ngx_http_trove_op_flush,
    .written = ngx_http_trove_op_line_written,
    .settle = ngx_http_trove_settle_lines
};


ngx_int_t
ngx_http_trove_read_ops(ngx_http_request_t *r, const ngx_http_trove_op_t *kind,
    const trove_field_t *fields)
{
    ngx_uint_t             lines;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ctx->op = kind;
    ctx->fields = fields;

    if (!ngx_http_trove_is_batch(r)) {
        return ngx_http_trove_read_object(r, ngx_http_trove_op_object);
    }

    lines = ngx_http_trove_is_remote(r) ? NGX_HTTP_TROVE_REMOTE_LINES
                                        : kind->lines;

    return ngx_http_trove_read_batch(r, &ngx_http_trove_op_lines,
                                     NGX_HTTP_TROVE_OP_WRONG
                                     + lines * kind->text,
                                     fields, kind->nfields);
}


static ngx_int_t
ngx_http_trove_op_object(ngx_http_request_t *r, trove_slice_t *object)
{
    ngx_uint_t             status;
    const char            *detail;
    trove_json_t          *json;
    trove_fields_t         f;
    trove_redis_op_t       op;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    json = trove_json_open(&ctx->worker->arena, ctx->fields, ctx->op->nfields);

    status = ctx->op->parse(r, json, object, &op, &f, &detail);

    if (status == NGX_HTTP_OK) {
        return ngx_http_trove_op_run(r, ctx->op, &op);
    }

    ngx_http_trove_op_refused(ctx, status);

    return ngx_http_trove_problem(r, status, detail);
}


ngx_int_t
ngx_http_trove_op_run(ngx_http_request_t *r, const ngx_http_trove_op_t *kind,
    trove_redis_op_t *op)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->op = kind;

    return ngx_http_trove_write(r, op, ngx_http_trove_op_written);
}


static ngx_int_t
ngx_http_trove_op_written(ngx_http_request_t *r)
{
    ngx_uint_t             status;
    const char            *detail;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    status = ctx->op->result(ctx, ctx->write, &detail);

    if (status != NGX_HTTP_OK) {
        return ngx_http_trove_problem(r, status, detail);
    }

    return ngx_http_trove_settle(r, ngx_http_trove_op_answer);
}


static ngx_int_t
ngx_http_trove_op_answer(ngx_http_request_t *r)
{
    trove_writer_t         w;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ngx_http_trove_writer(r, &w, ctx->op->text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->op->answer(ctx, ctx->write, &w);

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


static ngx_int_t
ngx_http_trove_op_line(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *line, uint64_t number, trove_writer_t *out)
{
    ngx_uint_t             status;
    const char            *detail;
    trove_fields_t         f;
    trove_redis_op_t       op;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    status = ctx->op->parse(r, json, line, &op, &f, &detail);

    if (status == NGX_HTTP_OK) {
        return ctx->op->line(r, &op, number, out);
    }

    if (ctx->op->flush(r, out) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_http_trove_op_refused(ctx, status);
    ngx_http_trove_refuse(r, number, detail, out);

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_op_flush(ngx_http_request_t *r, trove_writer_t *out)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    return ctx->op->flush(r, out);
}


static void
ngx_http_trove_op_line_written(ngx_http_request_t *r,
    ngx_http_trove_write_t *write, trove_writer_t *out)
{
    ngx_uint_t             status;
    const char            *detail;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    status = ctx->op->result(ctx, write, &detail);

    if (status != NGX_HTTP_OK) {
        ngx_http_trove_refuse(r, write->number, detail, out);
        return;
    }

    ctx->status = NGX_HTTP_TROVE_BATCH;

    ctx->op->answer(ctx, write, out);
    trove_write_lit(out, "\n");

    trove_stats_endpoint_add(ctx->worker->stats, ctx->endpoint, lines_ok, 1);
}


static void
ngx_http_trove_op_refused(ngx_http_trove_ctx_t *ctx, ngx_uint_t status)
{
    if (status == NGX_HTTP_FORBIDDEN) {
        ngx_http_trove_figure_add(ctx, ctx->op->forbidden);

    } else if (ctx->op->rejected) {
        ngx_http_trove_figure_add(ctx, ctx->op->rejected);
    }
}


void
ngx_http_trove_figure_add(ngx_http_trove_ctx_t *ctx, size_t figure)
{
    trove_stats_t  *stats;

    stats = ctx->worker->stats;

    trove_stats_count(stats, (trove_stat_t *) ((char *) &stats->figures
                                               + figure), 1);
}
