
/*
 * What trove_redis.lua reads and writes by its struct.pack(): little-endian,
 * nothing aligned.
 */

#include <math.h>
#include <string.h>

#include "trove_redis_wire.h"
#include "trove_space.h"


#define TROVE_REDIS_RULES     51        /* bytes without the boards          */
#define TROVE_REDIS_BOARD     12        /* of a board without its name       */

#define TROVE_REDIS_IDS       10        /* digits of a reward's id           */


/* Text that is read: once it ends too early, "bad" stays set. */

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    int                   bad;
} trove_redis_reader_t;


static char *trove_redis_u8(char *p, uint32_t n);
static char *trove_redis_u32(char *p, uint32_t n);
static char *trove_redis_f64(char *p, double d);
static char *trove_redis_bytes(char *p, const void *bytes, size_t n);
static char *trove_redis_op_claim(char *p, const trove_claim_request_t *q);
static char *trove_redis_op_tap(char *p, const trove_tap_request_t *q);
static char *trove_redis_op_score(char *p, const trove_redis_op_t *op);
static char *trove_redis_put_reward(char *p, const trove_reward_t *r);
static void trove_redis_reader(trove_redis_reader_t *in,
    const trove_slice_t *text);
static uint64_t trove_redis_get(trove_redis_reader_t *in, uint32_t bytes);
static uint32_t trove_redis_get_upto(trove_redis_reader_t *in,
    uint32_t bytes, uint32_t max);
static double trove_redis_get_f64(trove_redis_reader_t *in);
static double trove_redis_get_finite(trove_redis_reader_t *in);
static uint64_t trove_redis_get_u53(trove_redis_reader_t *in);
static int64_t trove_redis_get_i53(trove_redis_reader_t *in);
static void trove_redis_get_text(trove_redis_reader_t *in, uint32_t len,
    trove_slice_t *text);
static void trove_redis_get_name(trove_redis_reader_t *in, uint32_t bytes,
    uint32_t min, uint32_t max, trove_slice_t *text);
static void trove_redis_get_player_rest(trove_redis_reader_t *in,
    trove_slice_t *player);
static void trove_redis_get_reward(trove_redis_reader_t *in,
    trove_reward_t *r);
static void trove_redis_get_op_score(trove_redis_reader_t *in,
    trove_redis_op_t *op);
static void trove_redis_get_claim(trove_redis_reader_t *in, trove_claim_t *c);
static void trove_redis_get_tap(trove_redis_reader_t *in, trove_tap_t *t);
static void trove_redis_get_written(trove_redis_reader_t *in,
    trove_board_written_t *w);
static void trove_redis_change_reward(trove_redis_reader_t *in,
    trove_redis_reward_t *r);
static void trove_redis_change_claim(trove_redis_reader_t *in,
    trove_redis_claim_t *c);
static void trove_redis_get_claimed(trove_redis_reader_t *in,
    trove_restore_claim_t *c);
static void trove_redis_change_player(trove_redis_reader_t *in,
    trove_redis_player_t *p);
static void trove_redis_change_score(trove_redis_reader_t *in,
    trove_redis_change_type_t type, trove_redis_score_t *s);
static void trove_redis_get_player(trove_redis_reader_t *in,
    trove_player_t *p);
static uint32_t trove_redis_get_id(trove_redis_reader_t *in);
static size_t trove_redis_put_id(char *p, uint32_t id);


static char *
trove_redis_u8(char *p, uint32_t n)
{
    *p++ = (char) n;

    return p;
}


static char *
trove_redis_u32(char *p, uint32_t n)
{
    int  i;

    for (i = 0; i < 4; i++) {
        *p++ = (char) (n >> 8 * i);
    }

    return p;
}


static char *
trove_redis_f64(char *p, double d)
{
    int       i;
    uint64_t  n;

    memcpy(&n, &d, sizeof(n));

    for (i = 0; i < 8; i++) {
        *p++ = (char) (n >> 8 * i);
    }

    return p;
}


static char *
trove_redis_bytes(char *p, const void *bytes, size_t n)
{
    if (n != 0) {
        memcpy(p, bytes, n);
    }

    return p + n;
}


size_t
trove_redis_call(char *buf, const trove_redis_call_t *call)
{
    char    *p;
    size_t   len;

    len = (call->session != NULL) ? TROVE_REDIS_SESSION : 0;

    p = trove_redis_bytes(buf, call->instance, TROVE_REDIS_INSTANCE);
    p = trove_redis_u8(p, (uint32_t) len);
    p = trove_redis_bytes(p, call->session, len);
    p = trove_redis_f64(p, (double) call->number);
    p = trove_redis_u8(p, (call->again != 0) | (call->waits != 0) << 1);
    p = trove_redis_f64(p, (double) call->deadline);

    return (size_t) (p - buf);
}


size_t
trove_redis_rules_size(const trove_redis_rules_t *rules)
{
    size_t  i, size;

    size = TROVE_REDIS_RULES;

    for (i = 0; i < rules->ledger.nboards; i++) {
        size += TROVE_REDIS_BOARD + strlen(rules->ledger.boards[i].name);
    }

    return size;
}


/* A range that is none is below zero, which no key is. */

size_t
trove_redis_rules(char *buf, const trove_redis_rules_t *rules)
{
    char                       *p;
    size_t                      i, len;
    double                      range;
    const trove_board_conf_t   *b;
    const trove_ledger_conf_t  *l;

    l = &rules->ledger;
    range = (rules->claims.range > 0)
            ? trove_space_radius_key((trove_space_kind_t) l->space,
                                     rules->claims.range)
            : -1;

    p = trove_redis_u8(buf, l->space);
    p = trove_redis_f64(p, range);
    p = trove_redis_f64(p, rules->claims.max_speed);
    p = trove_redis_u8(p, rules->claims.dry_run != 0);
    p = trove_redis_f64(p, (double) rules->interval);
    p = trove_redis_f64(p, rules->burst);
    p = trove_redis_u32(p, l->rewards);
    p = trove_redis_u32(p, l->players);
    p = trove_redis_u32(p, l->claims);
    p = trove_redis_u32(p, rules->log_max);
    p = trove_redis_u8(p, (uint32_t) l->nboards);

    for (i = 0; i < l->nboards; i++) {
        b = &l->boards[i];
        len = strlen(b->name);

        p = trove_redis_u8(p, b->keep);
        p = trove_redis_u8(p, b->reset);
        p = trove_redis_u8(p, b->claims);
        p = trove_redis_u32(p, b->rows);
        p = trove_redis_u32(p, b->row - TROVE_BOARD_HEAD);
        p = trove_redis_u8(p, (uint32_t) len);
        p = trove_redis_bytes(p, b->name, len);
    }

    return (size_t) (p - buf);
}


const trove_slice_t *
trove_redis_op_player(const trove_redis_op_t *op)
{
    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        return &op->u.claim.player;

    case TROVE_REDIS_TAP:
        return &op->u.tap.player;

    case TROVE_REDIS_SCORE:
        return &op->u.score.player;

    case TROVE_REDIS_UNSCORE:
        return &op->u.unscore;

    default:
        return NULL;
    }
}


uint32_t
trove_redis_op_reward(const trove_redis_op_t *op)
{
    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        return op->u.claim.reward;

    case TROVE_REDIS_PUT:
        return op->u.put.id;

    case TROVE_REDIS_REMOVE:
        return op->u.remove;

    default:
        return 0;
    }
}


size_t
trove_redis_op_size(const trove_redis_op_t *op)
{
    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        return 30 + op->u.claim.player.len;

    case TROVE_REDIS_TAP:
        return 17 + op->u.tap.player.len;

    case TROVE_REDIS_SCORE:
        return 20 + op->u.score.player.len
               + (op->u.score.has_data ? op->u.score.data.len : 0);

    case TROVE_REDIS_UNSCORE:
        return 2 + op->u.unscore.len;

    case TROVE_REDIS_PUT:
        return 45;

    default:
        return 5;
    }
}


size_t
trove_redis_op(char *buf, const trove_redis_op_t *op)
{
    char  *p;

    p = trove_redis_u8(buf, op->type);

    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        p = trove_redis_op_claim(p, &op->u.claim);
        break;

    case TROVE_REDIS_TAP:
        p = trove_redis_op_tap(p, &op->u.tap);
        break;

    case TROVE_REDIS_SCORE:
        p = trove_redis_op_score(p, op);
        break;

    case TROVE_REDIS_UNSCORE:
        p = trove_redis_u8(p, op->board);
        p = trove_redis_bytes(p, op->u.unscore.data, op->u.unscore.len);
        break;

    case TROVE_REDIS_PUT:
        p = trove_redis_u32(p, op->u.put.id);
        p = trove_redis_put_reward(p, &op->u.put);
        break;

    case TROVE_REDIS_REMOVE:
        p = trove_redis_u32(p, op->u.remove);
        break;
    }

    return (size_t) (p - buf);
}


static char *
trove_redis_op_claim(char *p, const trove_claim_request_t *q)
{
    p = trove_redis_u32(p, q->reward);
    p = trove_redis_f64(p, q->level);
    p = trove_redis_f64(p, q->placed ? q->x : 0);
    p = trove_redis_f64(p, q->placed ? q->y : 0);
    p = trove_redis_u8(p, q->placed != 0);

    return trove_redis_bytes(p, q->player.data, q->player.len);
}


static char *
trove_redis_op_tap(char *p, const trove_tap_request_t *q)
{
    p = trove_redis_f64(p, (double) q->seq);
    p = trove_redis_u32(p, q->coin);
    p = trove_redis_u32(p, (uint32_t) q->value);

    return trove_redis_bytes(p, q->player.data, q->player.len);
}


static char *
trove_redis_op_score(char *p, const trove_redis_op_t *op)
{
    const trove_board_write_t  *q;

    q = &op->u.score;

    p = trove_redis_u8(p, op->board);
    p = trove_redis_f64(p, (double) q->score);
    p = trove_redis_f64(p, (double) q->seq);
    p = trove_redis_u8(p, q->has_data != 0);
    p = trove_redis_u8(p, (uint32_t) q->player.len);
    p = trove_redis_bytes(p, q->player.data, q->player.len);

    return q->has_data ? trove_redis_bytes(p, q->data.data, q->data.len) : p;
}


/* What is given of a reward, but for its id. */

static char *
trove_redis_put_reward(char *p, const trove_reward_t *r)
{
    p = trove_redis_f64(p, r->x);
    p = trove_redis_f64(p, r->y);
    p = trove_redis_f64(p, r->level);
    p = trove_redis_u32(p, (uint32_t) r->value);
    p = trove_redis_u32(p, r->starts);
    p = trove_redis_u32(p, r->expires);

    return trove_redis_u32(p, r->stock);
}


static void
trove_redis_reader(trove_redis_reader_t *in, const trove_slice_t *text)
{
    in->p = text->data;
    in->end = text->data + text->len;
    in->bad = 0;
}


static uint64_t
trove_redis_get(trove_redis_reader_t *in, uint32_t bytes)
{
    uint32_t  i;
    uint64_t  n;

    if ((size_t) (in->end - in->p) < bytes) {
        in->bad = 1;
        return 0;
    }

    for (n = 0, i = 0; i < bytes; i++) {
        n |= (uint64_t) in->p[i] << 8 * i;
    }

    in->p += bytes;

    return n;
}


static uint32_t
trove_redis_get_upto(trove_redis_reader_t *in, uint32_t bytes, uint32_t max)
{
    uint32_t  n;

    n = (uint32_t) trove_redis_get(in, bytes);

    if (n > max) {
        in->bad = 1;
        return 0;
    }

    return n;
}


static double
trove_redis_get_f64(trove_redis_reader_t *in)
{
    double    d;
    uint64_t  n;

    n = trove_redis_get(in, 8);
    memcpy(&d, &n, sizeof(d));

    return d;
}


static double
trove_redis_get_finite(trove_redis_reader_t *in)
{
    double  d;

    d = trove_redis_get_f64(in);

    if (!isfinite(d)) {
        in->bad = 1;
        return 0;
    }

    return d;
}


static int64_t
trove_redis_get_i53(trove_redis_reader_t *in)
{
    double  d;

    d = trove_redis_get_finite(in);

    if (fabs(d) > (double) TROVE_REDIS_NUMBER || d != trunc(d)) {
        in->bad = 1;
        return 0;
    }

    return (int64_t) d;
}


static uint64_t
trove_redis_get_u53(trove_redis_reader_t *in)
{
    int64_t  n;

    n = trove_redis_get_i53(in);

    if (n < 0) {
        in->bad = 1;
        return 0;
    }

    return (uint64_t) n;
}


static void
trove_redis_get_text(trove_redis_reader_t *in, uint32_t len,
    trove_slice_t *text)
{
    text->data = in->p;
    text->len = 0;

    if (in->bad || (size_t) (in->end - in->p) < len) {
        in->bad = 1;
        return;
    }

    text->len = len;
    in->p += len;
}


/* A text behind its length. */

static void
trove_redis_get_name(trove_redis_reader_t *in, uint32_t bytes, uint32_t min,
    uint32_t max, trove_slice_t *text)
{
    uint32_t  len;

    len = trove_redis_get_upto(in, bytes, max);
    in->bad |= (len < min);

    trove_redis_get_text(in, len, text);
}


/* A player whose id ends where all does. */

static void
trove_redis_get_player_rest(trove_redis_reader_t *in, trove_slice_t *player)
{
    size_t  len;

    len = (size_t) (in->end - in->p);

    if (len == 0 || len > TROVE_PLAYER_MAX) {
        in->bad = 1;
        return;
    }

    trove_redis_get_text(in, (uint32_t) len, player);
}


static void
trove_redis_get_reward(trove_redis_reader_t *in, trove_reward_t *r)
{
    r->x = trove_redis_get_finite(in);
    r->y = trove_redis_get_finite(in);
    r->level = trove_redis_get_finite(in);
    r->value = (int32_t) trove_redis_get(in, 4);
    r->starts = (uint32_t) trove_redis_get(in, 4);
    r->expires = (uint32_t) trove_redis_get(in, 4);
    r->stock = (uint32_t) trove_redis_get(in, 4);
}


static void
trove_redis_get_op_score(trove_redis_reader_t *in, trove_redis_op_t *op)
{
    size_t                len;
    trove_board_write_t  *q;

    q = &op->u.score;

    op->board = (uint32_t) trove_redis_get(in, 1);
    q->score = trove_redis_get_i53(in);
    q->seq = trove_redis_get_u53(in);
    q->has_data = (int) trove_redis_get_upto(in, 1, 1);
    trove_redis_get_name(in, 1, 1, TROVE_PLAYER_MAX, &q->player);

    if (q->has_data) {
        len = (size_t) (in->end - in->p);
        in->bad |= (len > TROVE_BOARD_ROW_MAX);
        trove_redis_get_text(in, (uint32_t) len, &q->data);
    }
}


trove_rc_t
trove_redis_op_read(const trove_slice_t *text, trove_redis_op_t *op)
{
    trove_redis_reader_t  in;

    memset(op, 0, sizeof(trove_redis_op_t));
    trove_redis_reader(&in, text);

    op->type = (trove_redis_type_t) trove_redis_get(&in, 1);

    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        op->u.claim.reward = (uint32_t) trove_redis_get(&in, 4);
        op->u.claim.level = trove_redis_get_finite(&in);
        op->u.claim.x = trove_redis_get_finite(&in);
        op->u.claim.y = trove_redis_get_finite(&in);
        op->u.claim.placed = (int) trove_redis_get_upto(&in, 1, 1);
        trove_redis_get_player_rest(&in, &op->u.claim.player);
        break;

    case TROVE_REDIS_TAP:
        op->u.tap.seq = trove_redis_get_u53(&in);
        op->u.tap.coin = (uint32_t) trove_redis_get(&in, 4);
        op->u.tap.value = (int32_t) trove_redis_get(&in, 4);
        trove_redis_get_player_rest(&in, &op->u.tap.player);
        break;

    case TROVE_REDIS_SCORE:
        trove_redis_get_op_score(&in, op);
        break;

    case TROVE_REDIS_UNSCORE:
        op->board = (uint32_t) trove_redis_get(&in, 1);
        trove_redis_get_player_rest(&in, &op->u.unscore);
        break;

    case TROVE_REDIS_PUT:
        op->u.put.id = (uint32_t) trove_redis_get(&in, 4);
        trove_redis_get_reward(&in, &op->u.put);
        break;

    case TROVE_REDIS_REMOVE:
        op->u.remove = (uint32_t) trove_redis_get(&in, 4);
        break;

    default:
        return TROVE_INVALID;
    }

    return (in.bad || in.p != in.end) ? TROVE_INVALID : TROVE_OK;
}


trove_rc_t
trove_redis_answer(const trove_slice_t *text, trove_redis_answer_t *a)
{
    trove_redis_reader_t  in;

    trove_redis_reader(&in, text);

    a->log = trove_redis_get_u53(&in);
    a->now = trove_redis_get_u53(&in);
    a->rest.data = in.p;
    a->rest.len = (size_t) (in.end - in.p);

    return in.bad ? TROVE_INVALID : TROVE_OK;
}


trove_rc_t
trove_redis_result(trove_redis_answer_t *a, trove_redis_type_t type,
    trove_redis_result_t *result)
{
    trove_redis_reader_t  in;

    static const trove_rc_t  rcs[] = {
        TROVE_OK, TROVE_NOTFOUND, TROVE_FULL, TROVE_INVALID
    };

    memset(result, 0, sizeof(trove_redis_result_t));
    trove_redis_reader(&in, &a->rest);

    result->rc = rcs[trove_redis_get_upto(&in, 1, 3)];

    switch (type) {

    case TROVE_REDIS_CLAIM:
        trove_redis_get_claim(&in, &result->u.claim);
        break;

    case TROVE_REDIS_TAP:
        trove_redis_get_tap(&in, &result->u.tap);
        break;

    case TROVE_REDIS_SCORE:
        trove_redis_get_written(&in, &result->u.score);
        break;

    case TROVE_REDIS_PUT:
    case TROVE_REDIS_REMOVE:
        result->u.version = trove_redis_get_u53(&in);
        break;

    case TROVE_REDIS_UNSCORE:
        break;
    }

    a->rest.data = in.p;
    a->rest.len = (size_t) (in.end - in.p);

    return in.bad ? TROVE_INVALID : TROVE_OK;
}


static void
trove_redis_get_claim(trove_redis_reader_t *in, trove_claim_t *c)
{
    c->result = (trove_claim_result_t)
                trove_redis_get_upto(in, 1, TROVE_CLAIM_FAST);
    c->flouts = (trove_claim_result_t)
                trove_redis_get_upto(in, 1, TROVE_CLAIM_FAST);
    c->value = (int32_t) trove_redis_get(in, 4);
    c->balance = trove_redis_get_i53(in);
    c->version = trove_redis_get_u53(in);
    c->last = (int) trove_redis_get_upto(in, 1, 1);
}


static void
trove_redis_get_tap(trove_redis_reader_t *in, trove_tap_t *t)
{
    t->result = (trove_tap_result_t)
                trove_redis_get_upto(in, 1, TROVE_TAP_LIMITED);
    t->coin = (uint32_t) trove_redis_get(in, 4);
    t->value = (int32_t) trove_redis_get(in, 4);
    t->balance = trove_redis_get_i53(in);
    t->wait = trove_redis_get_u53(in);
}


static void
trove_redis_get_written(trove_redis_reader_t *in, trove_board_written_t *w)
{
    w->result = (trove_board_result_t)
                trove_redis_get_upto(in, 1, TROVE_BOARD_OVERFLOW);
    w->score = trove_redis_get_i53(in);
    w->ends = trove_redis_get_u53(in);
}


trove_rc_t
trove_redis_change(trove_slice_t *text, trove_redis_change_t *change)
{
    trove_redis_reader_t  in;

    if (text->len == 0) {
        return TROVE_NOTFOUND;
    }

    memset(change, 0, sizeof(trove_redis_change_t));
    trove_redis_reader(&in, text);

    change->type = (trove_redis_change_type_t) trove_redis_get(&in, 1);

    switch (change->type) {

    case TROVE_REDIS_HAS_REWARD:
        trove_redis_change_reward(&in, &change->u.reward);
        break;

    case TROVE_REDIS_NO_REWARD:
    case TROVE_REDIS_LAST:
        change->u.id = (uint32_t) trove_redis_get(&in, 4);
        in.bad |= (change->u.id == 0);
        break;

    case TROVE_REDIS_HAS_CLAIM:
        trove_redis_change_claim(&in, &change->u.claim);
        break;

    case TROVE_REDIS_HAS_PLAYER:
        trove_redis_change_player(&in, &change->u.player);
        break;

    case TROVE_REDIS_HAS_SCORE:
    case TROVE_REDIS_NO_SCORE:
        trove_redis_change_score(&in, change->type, &change->u.score);
        break;

    default:
        return TROVE_INVALID;
    }

    if (in.bad) {
        return TROVE_INVALID;
    }

    text->data = in.p;
    text->len = (size_t) (in.end - in.p);

    return TROVE_OK;
}


static void
trove_redis_change_reward(trove_redis_reader_t *in, trove_redis_reward_t *r)
{
    r->reward.id = (uint32_t) trove_redis_get(in, 4);
    trove_redis_get_reward(in, &r->reward);
    r->born = (uint32_t) trove_redis_get(in, 4);
    in->bad |= (r->reward.id == 0);
}


static void
trove_redis_change_claim(trove_redis_reader_t *in, trove_redis_claim_t *c)
{
    c->claim.reward = (uint32_t) trove_redis_get(in, 4);
    in->bad |= (c->claim.reward == 0);

    trove_redis_get_claimed(in, &c->claim);
    trove_redis_get_name(in, 1, 1, TROVE_PLAYER_MAX, &c->player);
}


/* What a claim was, but for its reward and its player. */

static void
trove_redis_get_claimed(trove_redis_reader_t *in, trove_restore_claim_t *c)
{
    c->born = (uint32_t) trove_redis_get(in, 4);
    c->ordinal = (uint32_t) trove_redis_get(in, 4);
    c->value = (int32_t) trove_redis_get(in, 4);
    c->balance = trove_redis_get_i53(in);
    c->at = trove_redis_get_u53(in);
    in->bad |= (c->ordinal == 0);
}


static void
trove_redis_change_player(trove_redis_reader_t *in, trove_redis_player_t *p)
{
    trove_redis_get_player(in, &p->data);
    trove_redis_get_name(in, 1, 1, TROVE_PLAYER_MAX, &p->player);
}


static void
trove_redis_get_player(trove_redis_reader_t *in, trove_player_t *p)
{
    p->balance = trove_redis_get_i53(in);
    p->seq = trove_redis_get_u53(in);
    p->paced = trove_redis_get_u53(in);
    p->x = trove_redis_get_finite(in);
    p->y = trove_redis_get_finite(in);
    p->moved = trove_redis_get_u53(in);
    p->coin = (uint32_t) trove_redis_get(in, 4);
    p->coin_value = (int32_t) trove_redis_get(in, 4);
}


static void
trove_redis_change_score(trove_redis_reader_t *in,
    trove_redis_change_type_t type, trove_redis_score_t *s)
{
    trove_redis_get_name(in, 1, 1, TROVE_BOARD_NAME, &s->board);
    s->reset = trove_redis_get_upto(in, 1, TROVE_BOARD_MONTHLY);
    s->claims = trove_redis_get_upto(in, 1, 1);
    s->row.period = trove_redis_get_u53(in);

    if (type == TROVE_REDIS_HAS_SCORE) {
        s->row.score = trove_redis_get_i53(in);
    }

    s->row.reached = trove_redis_get_u53(in);

    if (type == TROVE_REDIS_HAS_SCORE) {
        s->row.seq = trove_redis_get_u53(in);
    }

    trove_redis_get_name(in, 1, 1, TROVE_PLAYER_MAX, &s->row.player);

    if (type == TROVE_REDIS_HAS_SCORE) {
        trove_redis_get_name(in, 2, 0,
                             TROVE_BOARD_ROW_MAX - TROVE_BOARD_HEAD,
                             &s->row.data);
    }
}


/* A number as redis writes it, up to the end or a colon: 1, and not 01. */

static uint32_t
trove_redis_get_id(trove_redis_reader_t *in)
{
    uint64_t  n;

    n = 0;

    if (in->p == in->end || *in->p == '0') {
        in->bad = 1;
    }

    while (in->p != in->end && *in->p >= '0' && *in->p <= '9') {
        n = n * 10 + *in->p++ - '0';

        if (n > UINT32_MAX) {
            in->bad = 1;
            return 0;
        }
    }

    in->bad |= (n == 0);

    return (uint32_t) n;
}


static size_t
trove_redis_put_id(char *p, uint32_t id)
{
    char    digits[TROVE_REDIS_IDS];
    size_t  n, i;

    n = 0;

    do {
        digits[n++] = (char) ('0' + id % 10);
        id /= 10;
    } while (id != 0);

    for (i = 0; i < n; i++) {
        p[i] = digits[n - 1 - i];
    }

    return n;
}


trove_rc_t
trove_redis_reward_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_reward_t *r)
{
    trove_redis_reader_t  id, in;

    memset(r, 0, sizeof(trove_redis_reward_t));
    trove_redis_reader(&id, field);
    trove_redis_reader(&in, value);

    r->reward.id = trove_redis_get_id(&id);
    trove_redis_get_reward(&in, &r->reward);
    r->reward.taken = (uint32_t) trove_redis_get(&in, 4);
    r->born = (uint32_t) trove_redis_get(&in, 4);

    return (id.bad || id.p != id.end || in.bad || in.p != in.end)
           ? TROVE_INVALID : TROVE_OK;
}


trove_rc_t
trove_redis_player_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_player_t *p)
{
    trove_redis_reader_t  in;

    memset(p, 0, sizeof(trove_redis_player_t));
    trove_redis_reader(&in, value);

    p->player = *field;
    trove_redis_get_player(&in, &p->data);

    return (field->len == 0 || field->len > TROVE_PLAYER_MAX || in.bad
            || in.p != in.end)
           ? TROVE_INVALID : TROVE_OK;
}


trove_rc_t
trove_redis_claim_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_claim_t *c)
{
    trove_redis_reader_t  id, in;

    memset(c, 0, sizeof(trove_redis_claim_t));
    trove_redis_reader(&id, field);
    trove_redis_reader(&in, value);

    c->claim.reward = trove_redis_get_id(&id);
    id.bad |= (trove_redis_get(&id, 1) != ':');
    c->player.data = id.p;
    c->player.len = (size_t) (id.end - id.p);

    trove_redis_get_claimed(&in, &c->claim);

    return (id.bad || c->player.len == 0 || c->player.len > TROVE_PLAYER_MAX
            || in.bad || in.p != in.end)
           ? TROVE_INVALID : TROVE_OK;
}


trove_rc_t
trove_redis_score_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_score_t *s)
{
    trove_redis_reader_t  in;

    trove_redis_reader(&in, value);

    s->row.player = *field;
    s->row.claim = 0;
    s->row.score = trove_redis_get_i53(&in);
    s->row.reached = trove_redis_get_u53(&in);
    s->row.seq = trove_redis_get_u53(&in);
    s->row.data.data = in.p;
    s->row.data.len = (size_t) (in.end - in.p);

    return (field->len == 0 || field->len > TROVE_PLAYER_MAX || in.bad
            || s->row.data.len > TROVE_BOARD_ROW_MAX - TROVE_BOARD_HEAD)
           ? TROVE_INVALID : TROVE_OK;
}


void
trove_redis_reward_write(const trove_redis_reward_t *r, char *field,
    size_t *nfield, char *value, size_t *nvalue)
{
    char  *p;

    *nfield = trove_redis_put_id(field, r->reward.id);

    p = trove_redis_put_reward(value, &r->reward);
    p = trove_redis_u32(p, r->reward.taken);
    p = trove_redis_u32(p, r->born);

    *nvalue = (size_t) (p - value);
}


void
trove_redis_player_write(const trove_redis_player_t *player, char *field,
    size_t *nfield, char *value, size_t *nvalue)
{
    char                  *p;
    const trove_player_t  *data;

    data = &player->data;
    p = trove_redis_bytes(field, player->player.data, player->player.len);
    *nfield = (size_t) (p - field);

    p = trove_redis_f64(value, (double) data->balance);
    p = trove_redis_f64(p, (double) data->seq);
    p = trove_redis_f64(p, (double) data->paced);
    p = trove_redis_f64(p, data->x);
    p = trove_redis_f64(p, data->y);
    p = trove_redis_f64(p, (double) data->moved);
    p = trove_redis_u32(p, data->coin);
    p = trove_redis_u32(p, (uint32_t) data->coin_value);

    *nvalue = (size_t) (p - value);
}


void
trove_redis_claim_write(const trove_redis_claim_t *c, char *field,
    size_t *nfield, char *value, size_t *nvalue)
{
    char  *p;

    p = field + trove_redis_put_id(field, c->claim.reward);
    p = trove_redis_u8(p, ':');
    p = trove_redis_bytes(p, c->player.data, c->player.len);
    *nfield = (size_t) (p - field);

    p = trove_redis_u32(value, c->claim.born);
    p = trove_redis_u32(p, c->claim.ordinal);
    p = trove_redis_u32(p, (uint32_t) c->claim.value);
    p = trove_redis_f64(p, (double) c->claim.balance);
    p = trove_redis_f64(p, (double) c->claim.at);

    *nvalue = (size_t) (p - value);
}


void
trove_redis_score_write(const trove_redis_score_t *s, char *field,
    size_t *nfield, char *value, size_t *nvalue)
{
    char  *p;

    p = trove_redis_bytes(field, s->row.player.data, s->row.player.len);
    *nfield = (size_t) (p - field);

    p = trove_redis_f64(value, (double) s->row.score);
    p = trove_redis_f64(p, (double) s->row.reached);
    p = trove_redis_f64(p, (double) s->row.seq);
    p = trove_redis_bytes(p, s->row.data.data, s->row.data.len);

    *nvalue = (size_t) (p - value);
}
