
/*
 * The script against the core: random calls are answered as a ledger answers
 * them at the same time, and leave the same rows; the log's entries tell of
 * them.  And what it refuses.
 */

#include "players.h"
#include "redis.h"
#include "trove_board.h"
#include "trove_board_data.h"
#include "trove_space.h"


#define BOARDS    8
#define PLAYERS   10        /* names; there is room for fewer                */
#define REWARDS   9         /* ids; likewise                                 */
#define OPS       48
#define DAY       86400
#define ROW       160


typedef struct {
    uint64_t              calls;
    uint64_t              ops;
    uint64_t              granted[256];   /* by type                         */
    uint64_t              full;
    uint64_t              limited;
} figures_t;


typedef struct {
    redis_t              *s;
    trove_slice_t         trove;
    char                  instance[TROVE_REDIS_INSTANCE + 1];
    char                  session[TROVE_REDIS_SESSION + 1];
    uint64_t              number;
    trove_redis_rules_t   rules;
    trove_board_conf_t    boards[BOARDS];
    char                 *rules_text;
    size_t                nrules;
    trove_ledger_t       *l;
    trove_redo_t         *redo;
    uint64_t              log;
    uint64_t              version;
    uint64_t              seqs;
    char                  names[PLAYERS][48];
    figures_t             did;
} world_t;


/* A call's answer; its text is freed with it. */

typedef struct {
    redisReply           *reply;
    trove_redis_answer_t  a;
} said_t;


static world_t *
world_new(uint64_t now, const char *const *args)
{
    uint32_t             i;
    world_t             *w;
    trove_redis_meta_t   meta;

    w = calloc(1, sizeof(world_t));
    assert_non_null(w);

    w->s = redis_start(now, args);
    w->trove = slice("hunt");

    assert_int_equal(trove_store_instance(w->instance), TROVE_OK);
    assert_int_equal(trove_store_instance(w->session), TROVE_OK);

    w->rules.ledger.rewards = REWARDS - 2;
    w->rules.ledger.space = random_below(2);
    w->rules.ledger.players = PLAYERS - 2;
    w->rules.ledger.claims = 20 + random_below(60);
    w->rules.ledger.nboards = BOARDS;
    w->rules.ledger.boards = w->boards;
    w->rules.log_max = 100000;
    w->seqs = 10;

    for (i = 0; i < BOARDS; i++) {
        (void) snprintf(w->boards[i].name, sizeof(w->boards[i].name),
                        "board%u", i);
        w->boards[i].rows = 4 + random_below(PLAYERS);
        w->boards[i].row = ROW;
        w->boards[i].keep = i % 4;
        w->boards[i].order = random_below(2);
        w->boards[i].reset = (i < 4) ? i : random_below(4);
        w->boards[i].claims = (i == 3 || i == 7);

        if (w->boards[i].claims) {
            w->boards[i].keep = TROVE_BOARD_SUM;
            w->boards[i].rows += 2;
        }
    }

    if (random_below(2)) {
        w->rules.claims.range = (w->rules.ledger.space == TROVE_EARTH) ? 4e6
                                                                       : 60;
    }

    if (random_below(2)) {
        w->rules.claims.max_speed = (w->rules.ledger.space == TROVE_EARTH)
                                    ? 3e6 : 30;
    }

    w->rules.claims.dry_run = (int) random_below(2);

    if (random_below(4)) {
        w->rules.interval = 1 + random_below(3000000);
        w->rules.burst = random_below(6);
    }

    w->nrules = trove_redis_rules_size(&w->rules);
    w->rules_text = malloc(w->nrules);
    assert_int_equal(trove_redis_rules(w->rules_text, &w->rules), w->nrules);

    w->l = trove_ledger_init(shared_new(trove_ledger_size(&w->rules.ledger)),
                             &w->rules.ledger);
    w->redo = redo_new(w->l);

    for (i = 0; i < PLAYERS; i++) {
        (void) snprintf(w->names[i], sizeof(w->names[i]), "p%u%.*s", i,
                        (int) (i * 4 + (i == 9)),
                        ":::\xc3\xa4-----------------------------------");
    }

    memset(&meta, 0, sizeof(meta));
    memcpy(meta.instance, w->instance, sizeof(meta.instance));
    meta.space = w->rules.ledger.space;

    if (trove_redis_make(&w->s->redis, &w->trove, &meta) != TROVE_STORE_DONE) {
        fail_msg("%s", w->s->error);
    }

    assert_string_equal(meta.instance, w->instance);
    assert_int_equal(meta.space, w->rules.ledger.space);

    return w;
}


static void
world_free(world_t *w)
{
    redis_stop(w->s);
    ledger_free(w->l);
    free(w->rules_text);
    free(w);
}


static trove_store_rc_t
world_call(world_t *w, const trove_redis_call_t *call,
    const trove_redis_op_t *ops, uint32_t n, said_t *said)
{
    uint32_t           i;
    size_t             len, lens[OPS + 2];
    char               head[TROVE_REDIS_CALL_SIZE];
    char              *argv[OPS + 2];
    trove_slice_t      text;
    trove_store_rc_t   rc;

    argv[0] = head;
    lens[0] = trove_redis_call(head, call);
    argv[1] = w->rules_text;
    lens[1] = w->nrules;

    for (i = 0; i < n; i++) {
        len = trove_redis_op_size(&ops[i]);
        argv[i + 2] = malloc(len);
        lens[i + 2] = trove_redis_op(argv[i + 2], &ops[i]);
        assert_int_equal(lens[i + 2], len);
    }

    rc = redis_eval(w->s, &w->trove, &said->reply, (int) n + 2,
                    (const char **) argv, lens);

    for (i = 0; i < n; i++) {
        free(argv[i + 2]);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    assert_int_equal(said->reply->type, REDIS_REPLY_STRING);
    text.data = (const unsigned char *) said->reply->str;
    text.len = (size_t) said->reply->len;
    assert_int_equal(trove_redis_answer(&text, &said->a), TROVE_OK);

    return TROVE_STORE_DONE;
}


static void
world_send(world_t *w, const trove_redis_op_t *ops, uint32_t n, said_t *said)
{
    trove_redis_call_t  call;

    call.instance = w->instance;
    call.session = w->session;
    call.number = ++w->number;
    call.again = 0;
    call.waits = 0;
    call.deadline = 0;

    if (world_call(w, &call, ops, n, said) != TROVE_STORE_DONE) {
        fail_msg("%s", w->s->error);
    }
}


static double
random_place(uint32_t space, int y)
{
    static const double  odd[] = { -180, 180, 0, -0.0, 179.9 };

    if (random_below(8) == 0) {
        return odd[random_below(5)] / ((space == TROVE_EARTH && y) ? 2 : 1);
    }

    return ((double) random_below(2000001) / 1e6 - 1)
           * ((space == TROVE_EARTH) ? (y ? 90 : 180) : 100);
}


static void
random_reward(world_t *w, uint32_t id, uint64_t seconds, trove_reward_t *r)
{
    static const uint32_t  stocks[] = { 0, 1, 2, 3, 100, UINT32_MAX };

    memset(r, 0, sizeof(trove_reward_t));
    r->id = id;
    r->x = random_place(w->rules.ledger.space, 0);
    r->y = random_place(w->rules.ledger.space, 1);
    r->level = (double) random_below(4) - 1;
    r->value = (random_below(6) == 0) ? INT32_MIN + (int32_t) random_below(2)
                                      : (int32_t) random_below(1000) - 200;
    r->stock = stocks[random_below(6)];

    if (random_below(4) == 0) {
        r->starts = (uint32_t) (seconds - 2 + random_below(5));
    }

    if (random_below(4) == 0) {
        r->expires = (uint32_t) (seconds - 2 + random_below(5));
    }
}


static trove_slice_t
random_player(world_t *w)
{
    trove_slice_t  player;

    static const unsigned char  text[] =
        "12345678901234567890123456789012345678901";

    if (random_below(40) == 0) {
        player.data = text;
        player.len = random_below(2) ? 41 : 0;
        return player;
    }

    return slice(w->names[random_below(PLAYERS)]);
}


static uint64_t
random_seq(world_t *w)
{
    if (random_below(3) == 0) {
        return 0;
    }

    return (random_below(3) == 0) ? w->seqs - random_below(3) : ++w->seqs;
}


static void
random_score(world_t *w, trove_redis_op_t *op)
{
    trove_board_write_t  *q;

    static const int64_t  scores[] = {
        TROVE_BOARD_SCORE_MAX, -TROVE_BOARD_SCORE_MAX,
        TROVE_BOARD_SCORE_MAX + 2, -TROVE_BOARD_SCORE_MAX - 2
    };

    static const unsigned char  data[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef!";

    q = &op->u.score;
    q->player = random_player(w);
    q->seq = random_seq(w);
    q->score = (random_below(20) == 0) ? scores[random_below(4)]
                                       : (int64_t) random_below(12) - 6;
    q->has_data = (int) random_below(2);
    q->data.data = data + random_below(8);
    q->data.len = random_below(ROW - TROVE_BOARD_HEAD - 7)
                  + ((random_below(20) == 0) ? 9 : 0);
    q->data.len = (q->data.len > 57) ? 65 : q->data.len;
    q->data.data = (q->data.len == 65) ? data : q->data.data;
}


static void
random_op(world_t *w, uint64_t seconds, trove_redis_op_t *op)
{
    uint32_t  id;

    static const char  types[] = "cccccctttttsssssssuppppr";

    memset(op, 0, sizeof(trove_redis_op_t));
    op->type = (trove_redis_type_t) types[random_below(sizeof(types) - 1)];
    op->board = random_below(BOARDS);
    id = random_below(REWARDS) + (random_below(40) != 0);

    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        op->u.claim.player = random_player(w);
        op->u.claim.reward = id;
        op->u.claim.level = random_below(4);
        op->u.claim.placed = random_below(8) != 0;
        op->u.claim.x = random_place(w->rules.ledger.space, 0);
        op->u.claim.y = random_place(w->rules.ledger.space, 1);
        break;

    case TROVE_REDIS_TAP:
        op->u.tap.player = random_player(w);
        op->u.tap.seq = random_seq(w);
        op->u.tap.coin = (uint32_t) random_bits();
        op->u.tap.value = (int32_t) random_below(100) - 50;
        op->u.tap.interval = w->rules.interval;
        op->u.tap.burst = w->rules.burst;
        break;

    case TROVE_REDIS_SCORE:
        random_score(w, op);
        break;

    case TROVE_REDIS_UNSCORE:
        op->u.unscore = random_player(w);
        break;

    case TROVE_REDIS_PUT:
        random_reward(w, id, seconds, &op->u.put);
        break;

    case TROVE_REDIS_REMOVE:
        op->u.remove = id;
        break;
    }
}


/* What the ledger makes of it. */

static void
local(world_t *w, trove_redis_op_t *op, uint64_t now, trove_redis_result_t *r)
{
    memset(r, 0, sizeof(trove_redis_result_t));

    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        op->u.claim.now = now / 1000;
        r->rc = trove_claim(w->redo, &w->rules.claims, &op->u.claim,
                            &r->u.claim);
        break;

    case TROVE_REDIS_TAP:
        op->u.tap.now = now;
        r->rc = trove_tap(w->redo, &op->u.tap, &r->u.tap);
        break;

    case TROVE_REDIS_SCORE:
        op->u.score.now = now / 1000;
        r->rc = trove_board_write(w->l, op->board, &op->u.score,
                                  &r->u.score);
        break;

    case TROVE_REDIS_UNSCORE:
        r->rc = trove_board_remove(w->l, op->board, &op->u.unscore,
                                   now / 1000);
        break;

    case TROVE_REDIS_PUT:
        r->rc = trove_ledger_put(w->l, &op->u.put, &r->u.version);
        break;

    case TROVE_REDIS_REMOVE:
        r->rc = trove_ledger_remove(w->l, op->u.remove, &r->u.version);
        break;
    }
}


static void
results_same(world_t *w, trove_redis_type_t type,
    const trove_redis_result_t *a, const trove_redis_result_t *b)
{
    w->did.ops++;
    w->did.full += (a->rc == TROVE_FULL);

    assert_int_equal(a->rc, b->rc);

    if (a->rc != TROVE_OK) {
        return;
    }

    switch (type) {

    case TROVE_REDIS_CLAIM:
        w->did.granted[type] += (a->u.claim.result == TROVE_CLAIM_GRANTED);
        assert_int_equal(a->u.claim.result, b->u.claim.result);
        assert_int_equal(a->u.claim.flouts, b->u.claim.flouts);
        assert_int_equal(a->u.claim.value, b->u.claim.value);
        assert_int_equal(a->u.claim.balance, b->u.claim.balance);
        assert_int_equal(a->u.claim.version, b->u.claim.version);
        assert_int_equal(a->u.claim.last, b->u.claim.last);
        break;

    case TROVE_REDIS_TAP:
        w->did.granted[type] += (a->u.tap.result == TROVE_TAP_GRANTED);
        w->did.limited += (a->u.tap.result == TROVE_TAP_LIMITED);
        assert_int_equal(a->u.tap.result, b->u.tap.result);
        assert_int_equal(a->u.tap.coin, b->u.tap.coin);
        assert_int_equal(a->u.tap.value, b->u.tap.value);
        assert_int_equal(a->u.tap.balance, b->u.tap.balance);
        assert_int_equal(a->u.tap.wait, b->u.tap.wait);
        break;

    case TROVE_REDIS_SCORE:
        w->did.granted[type] += (a->u.score.result == TROVE_BOARD_IMPROVED);
        assert_int_equal(a->u.score.result, b->u.score.result);
        assert_int_equal(a->u.score.score, b->u.score.score);
        assert_int_equal(a->u.score.ends, b->u.score.ends);
        break;

    case TROVE_REDIS_PUT:
    case TROVE_REDIS_REMOVE:
        w->did.granted[type]++;
        assert_int_equal(a->u.version, b->u.version);
        break;

    case TROVE_REDIS_UNSCORE:
        w->did.granted[type]++;
        break;
    }
}


/* A field's value, of this type of key. */

static int
row(world_t *w, const char *key, size_t nkey, const trove_slice_t *field,
    redisReply **reply, trove_slice_t *value)
{
    *reply = redis_do(w->s, "HGET %b %b", key, nkey, field->data, field->len);

    value->data = (const unsigned char *) (*reply)->str;
    value->len = (size_t) (*reply)->len;

    return (*reply)->type == REDIS_REPLY_STRING;
}


static void
rows_are(world_t *w, const char *key, size_t nkey, uint32_t n)
{
    redisReply  *reply;

    reply = redis_do(w->s, "HLEN %b", key, nkey);
    assert_int_equal(reply->integer, n);
    freeReplyObject(reply);
}


/* What is read and written again is the same. */

#define written_again(what, row, field, value)                               \
    do {                                                                     \
        char    field_[TROVE_REDIS_FIELD];                                   \
        char    value_[TROVE_REDIS_VALUE + ROW];                             \
        size_t  nfield_, nvalue_;                                            \
                                                                             \
        trove_redis_##what##_write(row, field_, &nfield_, value_, &nvalue_); \
        assert_int_equal(nfield_, (field)->len);                             \
        assert_int_equal(nvalue_, (value)->len);                             \
        assert_memory_equal(field_, (field)->data, nfield_);                 \
        assert_memory_equal(value_, (value)->data, nvalue_);                 \
    } while (0)


static void
rewards_same(world_t *w)
{
    int                    there;
    char                   key[TROVE_REDIS_KEY + 4], text[16];
    size_t                 nkey;
    uint32_t               id, slot;
    redisReply            *reply;
    trove_rc_t             rc;
    trove_slice_t          field, value;
    trove_reward_t         r;
    trove_ledger_copy_t    copy;
    trove_redis_reward_t   is;

    nkey = trove_redis_key(key, &w->trove, ":rewards");
    rows_are(w, key, nkey, trove_ledger_rewards(w->l));

    for (id = 1; id <= REWARDS; id++) {
        (void) snprintf(text, sizeof(text), "%u", id);
        field = slice(text);

        rc = trove_ledger_get(w->l, id, &r);
        there = row(w, key, nkey, &field, &reply, &value);
        assert_int_equal(there, rc == TROVE_OK);

        if (there) {
            assert_int_equal(trove_redis_reward_read(&field, &value, &is),
                             TROVE_OK);
            assert_memory_equal(&is.reward, &r, sizeof(r));

            slot = trove_ledger_slot(w->l, id);
            assert_int_equal(trove_ledger_read(w->l, slot, &copy), TROVE_OK);
            assert_int_equal(is.born, copy.born);

            written_again(reward, &is, &field, &value);
        }

        freeReplyObject(reply);
    }
}


static void
players_same(world_t *w)
{
    int                    there;
    char                   key[TROVE_REDIS_KEY + 4];
    size_t                 nkey;
    uint32_t               i;
    redisReply            *reply;
    trove_rc_t             rc;
    trove_slice_t          field, value;
    trove_player_t         p;
    trove_redis_player_t   is;

    nkey = trove_redis_key(key, &w->trove, ":players");
    rows_are(w, key, nkey, trove_ledger_players(w->l));

    for (i = 0; i < PLAYERS; i++) {
        field = slice(w->names[i]);
        rc = trove_player_get(w->l, &field, &p);
        there = row(w, key, nkey, &field, &reply, &value);
        assert_int_equal(there, rc == TROVE_OK);

        if (there) {
            assert_int_equal(trove_redis_player_read(&field, &value, &is),
                             TROVE_OK);
            assert_int_equal(is.data.balance, p.balance);
            assert_int_equal(is.data.seq, p.seq);
            assert_int_equal(is.data.paced, p.paced);
            assert_true(is.data.x == p.x && is.data.y == p.y);
            assert_int_equal(is.data.moved, p.moved);
            assert_int_equal(is.data.coin, p.coin);
            assert_int_equal(is.data.coin_value, p.coin_value);
            written_again(player, &is, &field, &value);
        }

        freeReplyObject(reply);
    }
}


/* The claim of the latest reward of that id, or NULL. */

static const trove_claim_row_t *
claim_of(world_t *w, uint32_t player, uint32_t reward)
{
    uint32_t                  i;
    const trove_name_t       *name;
    const trove_claim_row_t  *c, *latest;

    latest = NULL;

    for (i = 0; i < trove_ledger_claims(w->l); i++) {
        c = trove_ledger_claim(w->l, i);

        if (c->reward != reward || c->ordinal == 0) {
            continue;
        }

        name = trove_ledger_name(w->l, c->player);

        if (name->len == strlen(w->names[player])
            && memcmp(name->id, w->names[player], name->len) == 0
            && (latest == NULL || c->born > latest->born))
        {
            latest = c;
        }
    }

    return latest;
}


static void
claims_same(world_t *w)
{
    int                       there;
    char                      key[TROVE_REDIS_KEY + 4], text[64];
    size_t                    nkey;
    uint32_t                  i, id, n;
    redisReply               *reply;
    trove_slice_t             field, value;
    trove_redis_claim_t       is;
    const trove_claim_row_t  *c;

    nkey = trove_redis_key(key, &w->trove, ":claims");

    for (n = 0, i = 0; i < PLAYERS; i++) {

        for (id = 1; id <= REWARDS; id++) {
            (void) snprintf(text, sizeof(text), "%u:%s", id, w->names[i]);
            field = slice(text);

            c = claim_of(w, i, id);
            there = row(w, key, nkey, &field, &reply, &value);
            assert_int_equal(there, c != NULL);

            if (there) {
                n++;
                assert_int_equal(trove_redis_claim_read(&field, &value, &is),
                                 TROVE_OK);
                assert_int_equal(is.claim.reward, id);
                assert_int_equal(is.claim.born, c->born);
                assert_int_equal(is.claim.ordinal, c->ordinal);
                assert_int_equal(is.claim.value, c->value);
                assert_int_equal(is.claim.balance, c->balance);
                assert_int_equal(is.claim.at, trove_get(&c->at) >> 1);
                written_again(claim, &is, &field, &value);
            }

            freeReplyObject(reply);
        }
    }

    rows_are(w, key, nkey, n);
}


/* Who of those with the same score was first is the same. */

static void
orders_same(const trove_board_row_t *a, const trove_redis_score_t *b,
    uint32_t n)
{
    uint32_t  i, k;

    for (i = 0; i < n; i++) {

        for (k = 0; k < i; k++) {

            if (a[i].score == a[k].score) {
                assert_int_equal(a[i].reached < a[k].reached,
                                 b[i].row.reached < b[k].row.reached);
                assert_int_not_equal(b[i].row.reached, b[k].row.reached);
            }
        }
    }
}


static void
table_same(world_t *w, uint32_t board, uint32_t table, uint64_t period)
{
    int                   there;
    char                  key[TROVE_REDIS_KEY + 4], text[ROW];
    size_t                nkey;
    uint32_t              i, n;
    redisReply           *reply;
    trove_rc_t            rc;
    trove_slice_t         field, value;
    trove_board_row_t     rows[PLAYERS];
    trove_redis_score_t   is[PLAYERS];

    nkey = trove_redis_board_key(key, &w->trove, &w->boards[board], period);
    memset(is, 0, sizeof(is));

    for (n = 0, i = 0; i < PLAYERS; i++) {
        field = slice(w->names[i]);
        rc = trove_board_row_of(w->l, board, table, &field, text, &rows[n]);
        there = row(w, key, nkey, &field, &reply, &value);
        assert_int_equal(there, rc == TROVE_OK);

        if (there) {
            assert_int_equal(trove_redis_score_read(&field, &value, &is[n]),
                             TROVE_OK);
            assert_int_equal(is[n].row.score, rows[n].score);
            assert_int_equal(is[n].row.seq, rows[n].seq);
            assert_int_equal(is[n].row.data.len, rows[n].data.len);
            assert_memory_equal(is[n].row.data.data, rows[n].data.data,
                                rows[n].data.len);
            written_again(score, &is[n], &field, &value);
            n++;
        }

        freeReplyObject(reply);
    }

    rows_are(w, key, nkey, n);
    orders_same(rows, is, n);

    if (n != 0) {
        reply = redis_do(w->s, "PEXPIRETIME %b", key, nkey);
        assert_int_equal(reply->integer,
                         w->boards[board].reset == TROVE_BOARD_NEVER ? -1
                         : (long long) (trove_board_begins(
                                            w->boards[board].reset,
                                            period + 2) + DAY) * 1000);
        freeReplyObject(reply);
    }
}


static void
boards_same(world_t *w, uint64_t now)
{
    uint32_t              i, t;
    uint64_t              period;
    trove_board_t        *b;
    trove_board_table_t  *table;

    for (i = 0; i < BOARDS; i++) {
        b = trove_board_of(w->l, i);
        period = trove_board_period(w->boards[i].reset, now / 1000);

        for (t = 0; t < b->at.tables; t++) {
            table = &b->table[t];

            if (trove_get(&table->period) + 1 >= period) {
                table_same(w, i, t, trove_get(&table->period));
            }
        }
    }
}


static void
rows_same(world_t *w, uint64_t now)
{
    trove_redis_meta_t  meta;

    rewards_same(w);
    players_same(w);
    claims_same(w);
    boards_same(w, now);

    assert_int_equal(trove_redis_meta(&w->s->redis, &w->trove, &meta),
                     TROVE_STORE_DONE);
    assert_int_equal(meta.version, trove_ledger_version(w->l));
    assert_int_equal(meta.claims, trove_ledger_claims(w->l)
                                  - (w->redo->claim != 0));
    assert_int_equal(meta.born, trove_get(&w->l->born));
    assert_int_equal(meta.log, w->log);
    assert_true(trove_ledger_sane(w->l));
}


static void
world_turn(world_t *w, uint64_t seconds)
{
    uint32_t               i, n;
    said_t                 said;
    trove_redis_op_t       ops[OPS];
    trove_redis_result_t   is, ought;

    n = random_below(4) ? 1 + random_below(4) : random_below(OPS + 1);

    for (i = 0; i < n; i++) {
        random_op(w, seconds, &ops[i]);
    }

    world_send(w, ops, n, &said);

    for (i = 0; i < n; i++) {
        assert_int_equal(trove_redis_result(&said.a, ops[i].type, &is),
                         TROVE_OK);
        local(w, &ops[i], said.a.now, &ought);
        results_same(w, ops[i].type, &is, &ought);
    }

    assert_int_equal(said.a.rest.len, 0);
    assert_in_range(said.a.log, w->log, w->log + 1);

    w->log = said.a.log;
    w->did.calls++;

    if (random_below(10) == 0) {
        rows_same(w, said.a.now);
    }

    freeReplyObject(said.reply);
}


static void
world_tell(world_t *w)
{
    print_message("# %llu calls, %llu ops: %llu claims, %llu taps, %llu scores"
                  " granted, %llu full, %llu limited\n",
                  (unsigned long long) w->did.calls,
                  (unsigned long long) w->did.ops,
                  (unsigned long long) w->did.granted['c'],
                  (unsigned long long) w->did.granted['t'],
                  (unsigned long long) w->did.granted['s'],
                  (unsigned long long) w->did.full,
                  (unsigned long long) w->did.limited);
}


/* The entries one by one: whatever they say is so in the end. */

typedef struct {
    char      key[TROVE_REDIS_KEY];
    char      field[TROVE_REDIS_FIELD];
    size_t    nkey;
    size_t    nfield;
    char      value[TROVE_REDIS_VALUE + ROW];
    size_t    nvalue;
    uint32_t  taken;
    int       is;
} shadow_t;

#define SHADOWS  4096

static shadow_t  shadows[SHADOWS];
static uint32_t  nshadows;


static shadow_t *
shadow(const char *key, size_t nkey, const char *field, size_t nfield)
{
    uint32_t   i;
    shadow_t  *s;

    for (i = 0; i < nshadows; i++) {
        s = &shadows[i];

        if (s->nkey == nkey && s->nfield == nfield
            && memcmp(s->key, key, nkey) == 0
            && memcmp(s->field, field, nfield) == 0)
        {
            return s;
        }
    }

    assert_int_not_equal(nshadows, SHADOWS);
    s = &shadows[nshadows++];
    memset(s, 0, sizeof(shadow_t));
    memcpy(s->key, key, nkey);
    memcpy(s->field, field, nfield);
    s->nkey = nkey;
    s->nfield = nfield;

    return s;
}


static void
shadow_reward(world_t *w, trove_redis_change_t *c)
{
    char                   key[TROVE_REDIS_KEY + 4], field[16];
    shadow_t              *s;
    trove_slice_t          text, value;
    trove_redis_reward_t   was;

    (void) snprintf(field, sizeof(field), "%u",
                    (c->type == TROVE_REDIS_HAS_REWARD)
                    ? c->u.reward.reward.id
                    : (c->type == TROVE_REDIS_HAS_CLAIM)
                      ? c->u.claim.claim.reward : c->u.id);

    s = shadow(key, trove_redis_key(key, &w->trove, ":rewards"), field,
               strlen(field));
    text = slice(field);
    value.data = (unsigned char *) s->value;
    value.len = s->nvalue;

    if (c->type == TROVE_REDIS_NO_REWARD) {
        assert_true(s->is);
        s->is = 0;
        return;
    }

    if (c->type == TROVE_REDIS_HAS_CLAIM) {
        assert_int_equal(trove_redis_reward_read(&text, &value, &was),
                         TROVE_OK);
        assert_int_equal(was.born, c->u.claim.claim.born);
        was.reward.taken = c->u.claim.claim.ordinal;

    } else {
        if (s->is) {
            assert_int_equal(trove_redis_reward_read(&text, &value, &was),
                             TROVE_OK);
            assert_int_equal(was.born, c->u.reward.born);
            c->u.reward.reward.taken = was.reward.taken;
        }

        was = c->u.reward;
    }

    s->is = 1;
    trove_redis_reward_write(&was, field, &s->nfield, s->value, &s->nvalue);
}


static void
shadow_change(world_t *w, trove_redis_change_t *c)
{
    char                 key[TROVE_REDIS_KEY + 4];
    char                 field[TROVE_REDIS_FIELD];
    char                 value[TROVE_REDIS_VALUE + ROW];
    size_t               nkey, nfield, nvalue;
    shadow_t            *s;
    trove_board_conf_t   board;

    memset(&board, 0, sizeof(board));
    nkey = 0;
    nvalue = 0;

    switch (c->type) {

    case TROVE_REDIS_HAS_REWARD:
    case TROVE_REDIS_NO_REWARD:
        w->version++;
        shadow_reward(w, c);
        return;

    case TROVE_REDIS_LAST:
        w->version++;
        return;

    case TROVE_REDIS_HAS_CLAIM:
        shadow_reward(w, c);
        nkey = trove_redis_key(key, &w->trove, ":claims");
        trove_redis_claim_write(&c->u.claim, field, &nfield, value, &nvalue);
        break;

    case TROVE_REDIS_HAS_PLAYER:
        nkey = trove_redis_key(key, &w->trove, ":players");
        trove_redis_player_write(&c->u.player, field, &nfield, value,
                                 &nvalue);
        break;

    case TROVE_REDIS_HAS_SCORE:
    case TROVE_REDIS_NO_SCORE:
        memcpy(board.name, c->u.score.board.data, c->u.score.board.len);
        board.reset = c->u.score.reset;
        board.claims = c->u.score.claims;
        nkey = trove_redis_board_key(key, &w->trove, &board,
                                     c->u.score.row.period);
        trove_redis_score_write(&c->u.score, field, &nfield, value, &nvalue);
        break;
    }

    s = shadow(key, nkey, field, nfield);
    s->is = (c->type != TROVE_REDIS_NO_SCORE);
    memcpy(s->value, value, nvalue);
    s->nvalue = nvalue;
}


static void
entry(world_t *w, const redisReply *e, uint64_t number)
{
    char                   id[32];
    trove_rc_t             rc;
    trove_slice_t          text;
    const redisReply      *f;
    trove_redis_change_t   c;

    (void) snprintf(id, sizeof(id), "%llu-0", (unsigned long long) number);
    assert_string_equal(e->element[0]->str, id);

    f = e->element[1];
    assert_int_equal(f->elements, 6);
    assert_string_equal(f->element[0]->str, "v");
    assert_int_equal(strtoull(f->element[1]->str, NULL, 10), w->version);
    assert_string_equal(f->element[2]->str, "o");
    assert_memory_equal(f->element[3]->str, w->session, TROVE_REDIS_SESSION);
    assert_string_equal(f->element[4]->str, "d");

    text.data = (const unsigned char *) f->element[5]->str;
    text.len = (size_t) f->element[5]->len;
    assert_int_not_equal(text.len, 0);

    for ( ;; ) {
        rc = trove_redis_change(&text, &c);

        if (rc == TROVE_NOTFOUND) {
            return;
        }

        assert_int_equal(rc, TROVE_OK);
        shadow_change(w, &c);
    }
}


static void
the_log_tells_all(world_t *w)
{
    char           key[TROVE_REDIS_KEY + 4];
    size_t         i, n;
    shadow_t      *s;
    redisReply    *reply, *kind;
    trove_slice_t  field, value;

    nshadows = 0;
    w->version = 0;

    reply = redis_do(w->s, "XRANGE %b - +", key,
                     trove_redis_key(key, &w->trove, ":log"));
    assert_int_equal(reply->elements, w->log);

    for (i = 0; i < reply->elements; i++) {
        entry(w, reply->element[i], i + 1);
    }

    freeReplyObject(reply);
    assert_int_equal(w->version, trove_ledger_version(w->l));

    for (n = 0, i = 0; i < nshadows; i++) {
        s = &shadows[i];
        kind = redis_do(w->s, "EXISTS %b", s->key, s->nkey);

        /* all of a period may have ended by now */

        if (kind->integer == 0 && strstr(s->key, ":board:") != NULL) {
            freeReplyObject(kind);
            continue;
        }

        freeReplyObject(kind);

        field.data = (const unsigned char *) s->field;
        field.len = s->nfield;
        assert_int_equal(row(w, s->key, s->nkey, &field, &reply, &value),
                         s->is);

        if (s->is) {
            n++;
            assert_int_equal(value.len, s->nvalue);
            assert_memory_equal(value.data, s->value, s->nvalue);
        }

        freeReplyObject(reply);
    }

    assert_int_not_equal(n, 0);
}


static void
answers_and_rows_are_those_of_a_ledger(void **state)
{
    int       i, round;
    world_t  *w;

    for (round = 0; round < 4; round++) {
        w = world_new(0, NULL);

        for (i = 0; i < 150; i++) {
            world_turn(w, (uint64_t) time(NULL));
        }

        the_log_tells_all(w);
        world_tell(w);
        world_free(w);
    }
}


/* Days, weeks and months go by, some of them at once. */

static void
periods_are_those_of_a_ledger(void **state)
{
    int       i, round;
    world_t  *w;
    uint64_t  now;

    static const uint32_t  steps[] = { 0, 0, 0, 1, 1, 5, 3600, 50000, 90000,
                                       700000, 3000000 };

    for (round = 0; round < 4; round++) {
        now = (1700000000ULL + random_below(400000000)) * 1000000;
        w = world_new(now, NULL);

        for (i = 0; i < 150; i++) {
            world_turn(w, now / 1000000);

            now += random_below(1000000) * (uint64_t) random_below(2)
                   + steps[random_below(sizeof(steps) / sizeof(steps[0]))]
                     * 1000000ULL;
            *w->s->now = now;
        }

        the_log_tells_all(w);
        world_tell(w);
        world_free(w);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(answers_and_rows_are_those_of_a_ledger),
        cmocka_unit_test(periods_are_those_of_a_ledger),
    };

    return redis_tests("redis script", tests,
                       sizeof(tests) / sizeof(tests[0]), 0, random_setup,
                       NULL);
}
