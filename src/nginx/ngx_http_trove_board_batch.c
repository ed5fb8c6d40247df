
#include "ngx_http_trove.h"

#include "trove_fields.h"


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


static void ngx_http_trove_board_add(ngx_http_trove_scores_t *s,
    trove_board_write_t *write, uint64_t number);
static ngx_int_t ngx_http_trove_board_answers(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b, trove_writer_t *out);


ngx_int_t
ngx_http_trove_board_batch(ngx_http_request_t *r,
    ngx_http_trove_board_ctx_t *b)
{
    ngx_http_trove_scores_t  *s;

    s = ngx_palloc(r->pool, sizeof(ngx_http_trove_scores_t));
    if (s == NULL) {
        return NGX_ERROR;
    }

    s->n = 0;
    s->done = 0;
    s->room = TROVE_PLAYER_MAX + b->conf->row - TROVE_BOARD_HEAD;

    s->text = ngx_pnalloc(r->pool, s->room * NGX_HTTP_TROVE_BOARD_LINES);
    if (s->text == NULL) {
        return NGX_ERROR;
    }

    b->scores = s;

    return NGX_OK;
}


/* It is put by, to be carried out with those behind it. */

ngx_int_t
ngx_http_trove_board_line(ngx_http_request_t *r, trove_redis_op_t *op,
    uint64_t number, trove_writer_t *out)
{
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_scores_t     *s;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;
    s = b->scores;

    if (s == NULL) {
        return ngx_http_trove_write_line(r, op, number, out);
    }

    if (s->n == NGX_HTTP_TROVE_BOARD_LINES
        && ngx_http_trove_board_flush(r, out) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    ngx_http_trove_board_add(s, &op->u.score, number);

    return NGX_OK;
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


ngx_int_t
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
    ngx_http_trove_write_t    write;
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

        write.number = s->numbers[i];
        write.overflows = 0;
        write.result.rc = s->rcs[i];
        write.result.u.score = s->written[i];
        write.len = s->writes[i].player.len;

        ngx_memcpy(write.player, s->writes[i].player.data, write.len);

        ngx_http_trove_batch_written(r, &write, out);
    }

    return NGX_OK;
}
