
/*
 * What comes from Redis: decoders end within what they are given, whatever it
 * is, and what they take is the same when it is written and read again.  The
 * first byte chooses one of them; of a row the second is its field's length.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trove_overflow.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
is_within(const trove_slice_t *text, const trove_slice_t *all)
{
    if (text->data < all->data
        || text->data + text->len > all->data + all->len)
    {
        abort();
    }
}


static void
changes(const trove_slice_t *all)
{
    size_t                 before;
    trove_slice_t          text;
    trove_redis_change_t   c;

    text = *all;

    for ( ;; ) {
        before = text.len;

        if (trove_redis_change(&text, &c) != TROVE_OK) {

            if (text.len != before) {
                abort();
            }

            return;
        }

        is_within(&text, all);

        if (text.len >= before) {
            abort();
        }

        switch (c.type) {

        case TROVE_REDIS_HAS_CLAIM:
            is_within(&c.u.claim.player, all);
            break;

        case TROVE_REDIS_HAS_PLAYER:
            is_within(&c.u.player.player, all);
            break;

        case TROVE_REDIS_HAS_SCORE:
            is_within(&c.u.score.row.data, all);

            /* fall through */

        case TROVE_REDIS_NO_SCORE:
            is_within(&c.u.score.board, all);
            is_within(&c.u.score.row.player, all);
            break;

        default:
            break;
        }
    }
}


/* The first bytes of the results say what they are of. */

static void
answer(const trove_slice_t *all)
{
    size_t                 i, n;
    trove_slice_t          text;
    trove_redis_answer_t   a;
    trove_redis_result_t   r;

    static const char  types[] = "ctsupr";

    n = (all->len > 8) ? 8 : all->len;
    text.data = all->data + n;
    text.len = all->len - n;

    if (trove_redis_answer(&text, &a) != TROVE_OK) {
        return;
    }

    for (i = 0; i < n; i++) {

        if (trove_redis_result(&a,
                               (trove_redis_type_t) types[all->data[i] % 6],
                               &r)
            != TROVE_OK)
        {
            return;
        }

        is_within(&a.rest, all);
    }
}


/* Behind -0, and numbers that are not sent, it is the same from then on. */

static void
op(const trove_slice_t *all)
{
    char              *p[2];
    size_t             i, n[2];
    trove_slice_t      text;
    trove_redis_op_t   o;

    text = *all;

    for (i = 0; i < 2; i++) {

        if (trove_redis_op_read(&text, &o) != TROVE_OK) {

            if (i != 0) {
                abort();
            }

            return;
        }

        p[i] = malloc(trove_redis_op_size(&o));
        n[i] = trove_redis_op(p[i], &o);

        if (n[i] != trove_redis_op_size(&o) || n[i] != all->len) {
            abort();
        }

        text.data = (unsigned char *) p[i];
        text.len = n[i];
    }

    if (memcmp(p[0], p[1], n[0]) != 0) {
        abort();
    }

    free(p[0]);
    free(p[1]);
}


static void
queued(const trove_slice_t *all)
{
    int            is;
    uint64_t       n, now;
    trove_slice_t  rest;

    if (trove_overflow_answer(all, &n, &now, &rest) != TROVE_OK) {
        return;
    }

    while (n <= TROVE_REDIS_NUMBER && rest.len != 0) {
        is_within(&rest, all);

        if (trove_overflow_queued(&rest, &is, &n) != TROVE_OK) {
            return;
        }
    }

    if (n > TROVE_REDIS_NUMBER) {
        abort();
    }
}


#define READ(what, type)                                                     \
    do {                                                                     \
        type           a_, b_;                                               \
        char           f_[TROVE_REDIS_FIELD];                                \
        char           v_[TROVE_REDIS_VALUE + TROVE_BOARD_ROW_MAX];          \
        char           g_[TROVE_REDIS_FIELD];                                \
        char           w_[TROVE_REDIS_VALUE + TROVE_BOARD_ROW_MAX];          \
        size_t         nf_, nv_, ng_, nw_;                                   \
        trove_slice_t  field_, value_;                                       \
                                                                             \
        if (trove_redis_##what##_read(field, value, &a_) != TROVE_OK) {      \
            return;                                                          \
        }                                                                    \
                                                                             \
        trove_redis_##what##_write(&a_, f_, &nf_, v_, &nv_);                 \
        field_.data = (unsigned char *) f_;                                  \
        field_.len = nf_;                                                    \
        value_.data = (unsigned char *) v_;                                  \
        value_.len = nv_;                                                    \
                                                                             \
        if (nf_ != field->len || memcmp(f_, field->data, nf_) != 0           \
            || nv_ != value->len                                             \
            || trove_redis_##what##_read(&field_, &value_, &b_) != TROVE_OK) \
        {                                                                    \
            abort();                                                         \
        }                                                                    \
                                                                             \
        trove_redis_##what##_write(&b_, g_, &ng_, w_, &nw_);                 \
                                                                             \
        if (ng_ != nf_ || memcmp(g_, f_, nf_) != 0                           \
            || nw_ != nv_ || memcmp(w_, v_, nv_) != 0)                       \
        {                                                                    \
            abort();                                                         \
        }                                                                    \
    } while (0)


static void
row(int kind, const trove_slice_t *field, const trove_slice_t *value)
{
    switch (kind) {

    case 0:
        READ(reward, trove_redis_reward_t);
        break;

    case 1:
        READ(player, trove_redis_player_t);
        break;

    case 2:
        READ(claim, trove_redis_claim_t);
        break;

    default:
        READ(score, trove_redis_score_t);
        break;
    }
}


static void
address(const trove_slice_t *text)
{
    char                 error[TROVE_STORE_ERROR];
    trove_redis_conf_t   conf;
    trove_redis_node_t   from;
    trove_redis_error_t  e;

    if (trove_redis_parse(text, &conf, error) == TROVE_OK) {

        if ((conf.nnodes == 0) != (conf.path[0] != '\0')
            || conf.nnodes > TROVE_REDIS_NODES)
        {
            abort();
        }

    } else if (memchr(error, '\0', sizeof(error)) == NULL) {
        abort();
    }

    memset(&from, 0, sizeof(from));
    trove_redis_error(text, &from, &e);

    if (memchr(e.node.host, '\0', sizeof(e.node.host)) == NULL) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          n;
    unsigned char  *copy;
    trove_slice_t   text, field;

    if (size < 2) {
        return 0;
    }

    /* memory that ends where the text does */

    n = size - 2;
    copy = malloc(n + (n == 0));
    memcpy(copy, data + 2, n);
    text.data = copy;
    text.len = n;

    switch (data[0] % 9) {

    case 0:
        changes(&text);
        break;

    case 1:
        answer(&text);
        break;

    case 2:
        address(&text);
        break;

    case 7:
        op(&text);
        break;

    case 8:
        queued(&text);
        break;

    default:
        field.data = copy;
        field.len = (data[1] < n) ? data[1] : n;
        text.data += field.len;
        text.len -= field.len;
        row(data[0] % 9 - 3, &field, &text);
        break;
    }

    free(copy);

    return 0;
}
