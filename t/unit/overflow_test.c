
/*
 * Queues in a Redis of the test's own: what is put there is carried out in
 * order, once each, whoever dies at whatever point.
 */

#include <math.h>

#include "queues.h"


#define TAPS     12
#define POINTS   2000


static void
overflow_new(trove_overflow_t *o, trove_ledger_t *l, char *error)
{
    memset(o, 0, sizeof(trove_overflow_t));
    o->ledger = l;
    o->trove = slice("hunt");
    o->instance = instance;
    assert_int_equal(trove_redo_open(l, &o->redo), TROVE_OK);
    trove_redis_init(&o->redis, &s->conf, error);
}


static trove_store_rc_t
drained(trove_overflow_t *o)
{
    uint32_t          n, queue;
    uint64_t          stays;
    trove_store_rc_t  rc;

    rc = trove_overflow_find(o);

    for (queue = 0; queue < trove_marks(o->ledger); queue++) {

        do {
            if (rc != TROVE_STORE_DONE) {
                return rc;
            }

            rc = trove_overflow_drain(o, queue, &n, &stays);
        } while (n != 0 && stays == 0);

        if (rc == TROVE_STORE_DONE) {
            rc = trove_overflow_trim(o, queue);
        }
    }

    return rc;
}


static void
a_full_queue_refuses_and_a_call_is_done_once(void **state)
{
    trove_ledger_t    *l;
    trove_redis_op_t   op;

    l = world_new(1, 1);
    redis_did(s, "FLUSHALL");

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_PUT;
    op.u.put.id = 7;
    op.u.put.stock = 1;

    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 2, 0), 1);
    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 2, 1), 1);
    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 2, 0), 2);
    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 2, 0), 0);
    assert_int_equal(enqueue(l, TROVE_MARK_BOARDS, &op, 2, 0), 1);

    ledger_free(l);
}


static void
what_waits_is_carried_out_when_there_is_room(void **state)
{
    char              error[TROVE_STORE_ERROR];
    uint64_t          version;
    trove_tap_t       t;
    redisReply       *reply;
    trove_ledger_t   *l;
    trove_redis_op_t  op;
    trove_overflow_t  o;

    l = world_new(1, 1);
    redis_did(s, "FLUSHALL");
    overflow_new(&o, l, error);
    reward_put(l, 1, 1, 1);

    /* what nobody has looked at yet may be there */

    assert_true(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_false(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_int_equal(tap(o.redo, "a", 0, 1, &t), TROVE_OK);

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_PUT;
    op.u.put.id = 7;
    op.u.put.stock = 1;
    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 9, 0), 1);
    op.u.put.value = 5;
    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 9, 0), 2);
    assert_int_equal(enqueue_tap(l, "b", 3), 1);
    assert_int_equal(enqueue_tap(l, "a", 3), 2);

    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 0);
    assert_int_equal(trove_mark_queued(l, TROVE_MARK_REWARDS), 2);
    assert_true(trove_mark_stays(l, TROVE_MARK_REWARDS) != 0);
    assert_true(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_false(trove_mark_pending(l, TROVE_MARK_BOARDS));
    assert_int_equal(balance_of(l, "a"), 1);

    assert_int_equal(trove_ledger_remove(l, 1, &version), TROVE_OK);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark_stays(l, TROVE_MARK_REWARDS), 0);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 2);
    assert_false(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 0);
    assert_true(trove_mark_pending(l, TROVE_MARK_PLAYERS));

    reply = redis_do(s, "XLEN trove:{hunt}:overflow:rewards");
    assert_int_equal(reply->integer, 0);
    freeReplyObject(reply);

    assert_int_equal(enqueue(l, TROVE_MARK_REWARDS, &op, 9, 0), 3);

    /* what is not an operation is put aside */

    redis_did(s, "XADD trove:{hunt}:overflow:rewards 4-0 at 1 op nonsense");
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 4);
    assert_int_equal(trove_stat_get(&o.stats.refused), 1);

    /* another ledger's are left alone */

    redis_did(s, "HSET trove:{hunt}:overflow ledger other");
    assert_int_equal(drained(&o), TROVE_STORE_FOREIGN);

    trove_redis_close(&o.redis);
    ledger_free(l);
}


static int64_t
score_of(trove_ledger_t *l, uint32_t board, int period, uint64_t now,
    const char *player)
{
    char                 text[128];
    uint32_t             n;
    trove_slice_t        id;
    trove_board_state_t  state;
    trove_board_entry_t  e;

    id = slice(player);

    return (trove_board_around(l, board, period, now, &id, 0, text, &e, &n,
                               &state) == TROVE_OK) ? e.score : 0;
}


/*
 * Two boards of one row, "day" and one that is made of claims, were full the
 * day before yesterday, when these were queued.
 */

static trove_ledger_t *
world_of_days(uint64_t then)
{
    uint64_t               version;
    trove_tap_t            t;
    trove_redo_t          *redo;
    trove_claim_t          c;
    trove_ledger_t        *l;
    trove_reward_t         r;
    trove_board_conf_t     boards[2];
    trove_ledger_conf_t    conf;
    trove_board_write_t    q;
    trove_claim_rules_t    rules;
    trove_claim_request_t  claim;
    trove_board_written_t  written;

    boards[0] = board_conf("day", 1);
    boards[1] = board_conf("hunters", 1);
    boards[0].reset = boards[1].reset = TROVE_BOARD_DAILY;
    boards[1].claims = 1;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 1;
    conf.players = 2;
    conf.claims = 20;
    conf.boards = boards;
    conf.nboards = 2;

    l = trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
    assert_int_equal(trove_redo_open(l, &redo), TROVE_OK);

    memset(&r, 0, sizeof(r));
    r.id = 1;
    r.value = 5;
    r.stock = 9;
    r.expires = then / 1000 + 60;
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);

    memset(&q, 0, sizeof(q));
    q.player = slice("a");
    q.score = 7;
    q.now = then;
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_OK);

    memset(&rules, 0, sizeof(rules));
    memset(&claim, 0, sizeof(claim));
    claim.player = slice("a");
    claim.reward = 1;
    claim.now = then;
    assert_int_equal(trove_claim(redo, &rules, &claim, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_GRANTED);

    claim.player = slice("b");
    assert_int_equal(tap(redo, "b", then * 1000, 1, &t), TROVE_OK);
    assert_int_equal(trove_claim(redo, &rules, &claim, &c), TROVE_FULL);

    q.player = slice("b");
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_FULL);

    trove_redo_close(redo);

    return l;
}


/* Nobody writes to them meanwhile, who would begin a period. */

static void
the_end_of_a_period_makes_room(void **state)
{
    char              error[TROVE_STORE_ERROR];
    redis_t          *other;
    uint64_t          now, then;
    trove_ledger_t   *l;
    trove_redis_op_t  op;
    trove_overflow_t  o;

    now = (uint64_t) time(NULL) * 1000;
    then = now - 2 * 86400 * (uint64_t) 1000;
    l = world_of_days(then);
    other = s;
    s = redis_start(then * 1000, NULL);
    overflow_new(&o, l, error);

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_SCORE;
    op.u.score.player = slice("b");
    op.u.score.score = 3;
    assert_int_equal(enqueue(l, TROVE_MARK_BOARDS, &op, 9, 0), 1);

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_CLAIM;
    op.u.claim.player = slice("b");
    op.u.claim.reward = 1;
    assert_int_equal(enqueue(l, TROVE_MARK_PLAYERS, &op, 9, 0), 1);

    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_BOARDS), 1);
    assert_int_equal(score_of(l, 0, 0, now, "b"), 3);

    /* the claim was in time, and is of today's hunters */

    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 1);
    assert_int_equal(balance_of(l, "b"), 6);
    assert_int_equal(score_of(l, 1, 0, now, "b"), 5);

    trove_redis_close(&o.redis);
    redis_stop(s);
    s = other;
    ledger_free(l);
}


static int
behind(trove_ledger_t *l, uint32_t id)
{
    return trove_mark_behind(l, TROVE_MARK_REWARDS, trove_mark_reward(id));
}


/* As who fills the queues does, who saw the mark at that. */

static uint64_t
enqueue_put(trove_ledger_t *l, uint32_t id)
{
    uint64_t          since, number;
    trove_redis_op_t  op;

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_PUT;
    op.u.put.id = id;
    op.u.put.stock = 1;

    since = trove_mark(l, TROVE_MARK_REWARDS);
    number = enqueue(l, TROVE_MARK_REWARDS, &op, 9, 0);
    trove_mark_tell(l, 123, TROVE_MARK_REWARDS, number);
    trove_mark_follow(l, TROVE_MARK_REWARDS, trove_mark_reward(id), since,
                      number);

    return number;
}


static void
what_comes_out_of_a_queue_overtakes_nothing_in_it(void **state)
{
    char              error[TROVE_STORE_ERROR];
    uint64_t          version;
    trove_ledger_t   *l;
    trove_overflow_t  o;

    if (s == NULL) {
        return;
    }

    l = world_new(1, 1);
    redis_did(s, "FLUSHALL");
    overflow_new(&o, l, error);
    reward_put(l, 1, 1, 1);

    assert_int_equal(enqueue_put(l, 7), 1);
    assert_int_equal(enqueue_put(l, 8), 2);
    assert_int_equal(enqueue_put(l, 7), 3);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_false(behind(l, 7));

    /* what does not wait any more, but has others there */

    assert_int_equal(trove_ledger_remove(l, 1, &version), TROVE_OK);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 1);
    assert_true(behind(l, 7));
    assert_false(behind(l, 1));

    /* one more of it, which was seen to have to wait; and of another */

    assert_int_equal(enqueue_put(l, 7), 4);
    assert_int_equal(enqueue_put(l, 9), 5);
    assert_false(behind(l, 9));

    /* what was seen to wait before another was carried out may be there */

    trove_mark_follow(l, TROVE_MARK_REWARDS, trove_mark_reward(10), 0, 5);
    assert_true(behind(l, 10));

    /* what came out and has no other there does not wait */

    assert_int_equal(trove_ledger_remove(l, 7, &version), TROVE_OK);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 2);
    assert_false(behind(l, 8));

    assert_int_equal(trove_ledger_remove(l, 8, &version), TROVE_OK);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 4);
    assert_false(behind(l, 7));

    assert_int_equal(trove_ledger_remove(l, 7, &version), TROVE_OK);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 5);
    assert_false(behind(l, 7) || behind(l, 8) || behind(l, 9));

    trove_redis_close(&o.redis);
    ledger_free(l);
}


/* A ledger that was filled from a store, which knows marks. */

static void
what_came_out_before_the_ledger_was_there_is_found(void **state)
{
    char              error[TROVE_STORE_ERROR];
    uint32_t          i;
    trove_tap_t       t;
    trove_ledger_t   *l;
    trove_overflow_t  o;

    if (s == NULL) {
        return;
    }

    l = world_new(2, 1);
    redis_did(s, "FLUSHALL");

    for (i = 0; i < 2; i++) {
        assert_int_equal(enqueue_put(l, 7), 3 * i + 1);
        assert_int_equal(enqueue_put(l, 8), 3 * i + 2);
        assert_int_equal(enqueue_put(l, 9), 3 * i + 3);
    }

    assert_int_equal(enqueue_tap(l, "a", 1), 1);
    assert_int_equal(enqueue_tap(l, "a", 1), 2);
    assert_int_equal(enqueue_tap(l, "b", 1), 3);

    overflow_new(&o, l, error);
    reward_put(l, 7, 1, 1);
    reward_put(l, 1, 1, 1);
    assert_int_equal(tap(o.redo, "a", 0, 1, &t), TROVE_OK);
    trove_mark_restore(l, TROVE_MARK_REWARDS, 1);
    trove_mark_restore(l, TROVE_MARK_PLAYERS, 1);
    trove_mark_restore_whose(l, 123);

    assert_true(trove_mark_elect(l));
    assert_true(behind(l, 1));
    assert_int_equal(trove_overflow_find(&o), TROVE_STORE_DONE);
    assert_true(behind(l, 7));
    assert_false(behind(l, 8) || behind(l, 1));
    assert_true(trove_mark_behind(l, TROVE_MARK_PLAYERS,
                                  trove_mark_player(l, &(trove_slice_t) {
                                      (const unsigned char *) "a", 1 })));
    assert_false(trove_mark_behind(l, TROVE_MARK_PLAYERS,
                                   trove_mark_player(l, &(trove_slice_t) {
                                       (const unsigned char *) "b", 1 })));

    trove_redis_close(&o.redis);
    ledger_free(l);
}


/* Nobody waits for it any more; what was queued in time is. */

/* A connection begins with one, whose number is that of the call to come. */

static void
a_call_without_operations_is_not_kept(void **state)
{
    int                 ops;
    char                call[TROVE_REDIS_CALL_SIZE];
    size_t              n;
    redisReply         *reply;
    trove_ledger_t     *l;
    trove_redis_call_t  c;

    l = world_new(1, 1);
    redis_did(s, "FLUSHALL");

    for (ops = 0; ops < 2; ops++) {
        c.instance = instance;
        c.session = session;
        c.number = ++calls - ops;
        c.again = ops;
        c.waits = 0;
        c.deadline = 0;
        n = trove_redis_call(call, &c);

        reply = redisCommand(s->redis.c, ops
                             ? "EVAL %b 1 trove:{hunt}:overflow %b 9 123 "
                               "players 0 x"
                             : "EVAL %b 1 trove:{hunt}:overflow %b 9 123",
                             trove_overflow_script, trove_overflow_script_len,
                             call, n);
        assert_non_null(reply);
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_int_equal(reply->len, 16 + 9 * ops);
        freeReplyObject(reply);
    }

    reply = redis_do(s, "XLEN trove:{hunt}:overflow:players");
    assert_int_equal(reply->integer, 1);
    freeReplyObject(reply);
    ledger_free(l);
}


static void
a_call_that_is_late_is_not_queued(void **state)
{
    int                 again;
    char                call[TROVE_REDIS_CALL_SIZE];
    size_t              n;
    uint64_t            writes;
    redisReply         *reply;
    trove_ledger_t     *l;
    trove_redis_call_t  c;

    l = world_new(1, 1);
    redis_did(s, "FLUSHALL");
    assert_int_equal(enqueue_tap(l, "a", 1), 1);
    writes = redis_writes(s);

    for (again = 0; again < 2; again++) {
        c.instance = instance;
        c.session = session;
        c.number = again ? calls : calls + 1;
        c.again = again;
        c.waits = again;
        c.deadline = 1;
        n = trove_redis_call(call, &c);

        reply = redisCommand(s->redis.c, "EVAL %b 1 trove:{hunt}:overflow %b "
                             "9 123 players 0 x", trove_overflow_script,
                             trove_overflow_script_len, call, n);
        assert_non_null(reply);
        assert_int_equal(reply->type, again ? REDIS_REPLY_STRING
                                            : REDIS_REPLY_ERROR);

        if (!again) {
            assert_non_null(strstr(reply->str, "TROVE LATE"));
        }

        freeReplyObject(reply);
    }

    /* so that replicas can be waited for */

    assert_int_equal(redis_writes(s), writes + 1);

    reply = redis_do(s, "XLEN trove:{hunt}:overflow:players");
    assert_int_equal(reply->integer, 1);
    freeReplyObject(reply);
    ledger_free(l);
}


/* What is lost between two, and at the end, does not hold up what comes. */

static void
what_redis_has_lost_is_counted_and_passed(void **state)
{
    char              error[TROVE_STORE_ERROR];
    uint64_t          i, n;
    redisReply       *reply;
    trove_ledger_t   *l;
    trove_overflow_t  o;

    l = world_new(1, 4);
    redis_did(s, "FLUSHALL");
    overflow_new(&o, l, error);

    for (i = 1; i <= 4; i++) {
        assert_true(enqueue_tap(l, "a", 1) == i);
    }

    redis_did(s, "XDEL trove:{hunt}:overflow:players 2-0");
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(balance_of(l, "a"), 3);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 4);
    assert_int_equal(trove_stat_get(&o.stats.drained), 3);
    assert_int_equal(trove_stat_get(&o.stats.lost), 1);

    /* it forgets two, and that it had them; one more comes meanwhile */

    assert_int_equal(enqueue_tap(l, "a", 1), 5);
    trove_mark_queue(l, TROVE_MARK_PLAYERS, 6);
    redis_did(s, "DEL trove:{hunt}:overflow:players");
    redis_did(s, "HSET trove:{hunt}:overflow players 4");
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 6);
    assert_int_equal(trove_stat_get(&o.stats.lost), 3);
    assert_int_equal(enqueue_tap(l, "a", 8), 7);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(balance_of(l, "a"), 11);
    ledger_free(l);
    trove_redis_close(&o.redis);

    /* an empty ledger goes on where the queue is, and misses nothing */

    l = world_new(1, 4);
    overflow_new(&o, l, error);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    n = trove_mark(l, TROVE_MARK_PLAYERS);
    assert_int_equal(n, 7);
    assert_int_equal(n, trove_mark_queued(l, TROVE_MARK_PLAYERS));
    assert_int_equal(trove_stat_get(&o.stats.lost), 0);
    assert_int_equal(enqueue_tap(l, "a", 1), 8);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(balance_of(l, "a"), 1);

    /* a number twice is of somebody else, and is put aside */

    redis_did(s, "XADD trove:{hunt}:overflow:players 9-0 at 1 op nonsense");
    redis_did(s, "XADD trove:{hunt}:overflow:players 9-1 at 1 op nonsense");
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 9);
    assert_int_equal(trove_stat_get(&o.stats.refused), 2);

    reply = redis_do(s, "XLEN trove:{hunt}:overflow:refused");
    assert_int_equal(reply->integer, 2);
    freeReplyObject(reply);

    /* what is not a queue at all */

    redis_did(s, "DEL trove:{hunt}:overflow:players");
    redis_did(s, "SET trove:{hunt}:overflow:players x");
    assert_int_not_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 9);

    trove_redis_close(&o.redis);
    ledger_free(l);
}


/* Made anew since they were found: nothing is done before they are again. */

static void
other_queues_are_found_first(void **state)
{
    char              error[TROVE_STORE_ERROR];
    uint32_t          n;
    uint64_t          stays;
    trove_ledger_t   *l;
    trove_overflow_t  o;

    l = world_new(1, 4);
    redis_did(s, "FLUSHALL");
    overflow_new(&o, l, error);
    assert_int_equal(enqueue_tap(l, "a", 1), 1);
    assert_int_equal(enqueue_tap(l, "a", 1), 2);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);

    /* one that was lost, and one of others, which has the same number */

    trove_mark_queue(l, TROVE_MARK_PLAYERS, 3);
    redis_did(s, "FLUSHALL");
    assert_int_equal(enqueue_tap(l, "a", 8), 3);
    redis_did(s, "HSET trove:{hunt}:overflow whose 124");

    assert_int_equal(trove_overflow_drain(&o, TROVE_MARK_PLAYERS, &n, &stays),
                     TROVE_STORE_DONE);
    assert_int_equal(n, 0);
    trove_mark_queue(l, TROVE_MARK_PLAYERS, 4);
    assert_int_equal(trove_mark_pass(l, TROVE_MARK_PLAYERS, 4), TROVE_OK);
    assert_int_equal(trove_overflow_trim(&o, TROVE_MARK_PLAYERS),
                     TROVE_STORE_DONE);
    assert_int_equal(balance_of(l, "a"), 2);

    assert_int_equal(trove_overflow_find(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark_whose(l), 124);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 3);
    assert_int_equal(balance_of(l, "a"), 10);

    trove_redis_close(&o.redis);
    ledger_free(l);
}


/* So that the first who fills them tells of queues that are known. */

static void
queues_are_made_by_who_looks_first(void **state)
{
    char              error[TROVE_STORE_ERROR];
    uint64_t          whose;
    redisReply       *reply;
    trove_ledger_t   *l;
    trove_overflow_t  o;

    l = world_new(1, 4);
    redis_did(s, "FLUSHALL");
    overflow_new(&o, l, error);

    assert_int_equal(trove_overflow_find(&o), TROVE_STORE_DONE);
    whose = trove_mark_whose(l);
    assert_in_range(whose, 1, TROVE_REDIS_NUMBER);
    assert_true(trove_mark_sure(l));

    assert_int_equal(enqueue_tap(l, "a", 1), 1);
    reply = redis_do(s, "HGET trove:{hunt}:overflow whose");
    assert_int_equal(strtoull(reply->str, NULL, 10), whose);
    freeReplyObject(reply);

    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(balance_of(l, "a"), 1);

    /* what was there and is not any more is not made, for it may come back */

    redis_did(s, "FLUSHALL");
    assert_int_equal(trove_overflow_find(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark_whose(l), whose);
    reply = redis_do(s, "EXISTS trove:{hunt}:overflow");
    assert_int_equal(reply->integer, 0);
    freeReplyObject(reply);

    trove_redis_close(&o.redis);
    ledger_free(l);
}


static void
op_random(trove_redis_op_t *op, unsigned char *bytes)
{
    trove_slice_t  player;

    static const char  types[] = "ctsupr";

    memset(op, 0, sizeof(trove_redis_op_t));
    player.data = bytes;
    player.len = 1 + random_below(TROVE_PLAYER_MAX);
    op->type = (trove_redis_type_t) types[random_below(6)];

    switch (op->type) {

    case TROVE_REDIS_CLAIM:
        op->u.claim.player = player;
        op->u.claim.reward = (uint32_t) random_below(UINT32_MAX);
        op->u.claim.level = (double) random_below(100) / 7;
        op->u.claim.placed = (int) random_below(2);
        op->u.claim.x = op->u.claim.placed * 0.1;
        op->u.claim.y = op->u.claim.placed * -1e300;
        break;

    case TROVE_REDIS_TAP:
        op->u.tap.player = player;
        op->u.tap.seq = TROVE_REDIS_NUMBER - random_below(UINT32_MAX);
        op->u.tap.coin = (uint32_t) random_below(UINT32_MAX);
        op->u.tap.value = (int32_t) random_below(UINT32_MAX);
        break;

    case TROVE_REDIS_SCORE:
        op->board = (uint32_t) random_below(256);
        op->u.score.player = player;
        op->u.score.score = 77 - (int64_t) random_below(UINT32_MAX);
        op->u.score.seq = TROVE_REDIS_NUMBER - random_below(UINT32_MAX);
        op->u.score.has_data = (int) random_below(2);

        if (op->u.score.has_data) {
            op->u.score.data.data = bytes;
            op->u.score.data.len = random_below(TROVE_BOARD_ROW_MAX + 1);
        }

        break;

    case TROVE_REDIS_UNSCORE:
        op->board = (uint32_t) random_below(256);
        op->u.unscore = player;
        break;

    case TROVE_REDIS_PUT:
        op->u.put.id = (uint32_t) random_below(UINT32_MAX);
        op->u.put.x = -0.3;
        op->u.put.y = (double) random_below(1000) / 3;
        op->u.put.level = 1e-300;
        op->u.put.value = (int32_t) random_below(UINT32_MAX);
        op->u.put.starts = (uint32_t) random_below(UINT32_MAX);
        op->u.put.expires = (uint32_t) random_below(UINT32_MAX);
        op->u.put.stock = (uint32_t) random_below(UINT32_MAX);
        break;

    case TROVE_REDIS_REMOVE:
        op->u.remove = (uint32_t) random_below(UINT32_MAX);
        break;
    }
}


/* And what is cut, or has more of it than an id may, is refused. */

static void
an_operation_is_read_as_it_was_written(void **state)
{
    int                i;
    char              *a, *b;
    size_t             n;
    trove_slice_t      text;
    unsigned char      bytes[TROVE_BOARD_ROW_MAX];
    trove_redis_op_t   op, is;

    memset(bytes, 'x', sizeof(bytes));

    for (i = 0; i < 20000; i++) {
        op_random(&op, bytes);
        n = trove_redis_op_size(&op);
        a = malloc(n);
        assert_int_equal(trove_redis_op(a, &op), n);
        text.data = (unsigned char *) a;
        text.len = n;
        assert_int_equal(trove_redis_op_read(&text, &is), TROVE_OK);
        assert_int_equal(is.type, op.type);
        assert_int_equal(trove_redis_op_size(&is), n);

        b = malloc(n);
        assert_int_equal(trove_redis_op(b, &is), n);
        assert_memory_equal(a, b, n);
        free(b);
        text.len = random_below(n);

        if (trove_redis_op_read(&text, &is) == TROVE_OK) {
            assert_true(trove_redis_op_size(&is) == text.len);
            assert_true(op.type != TROVE_REDIS_PUT
                        && op.type != TROVE_REDIS_REMOVE);
        }

        free(a);
    }
}


static void
an_operation_that_is_none_is_refused(void **state)
{
    char              buf[8 + TROVE_BOARD_ROW_MAX + 64];
    double            bad;
    size_t            i, n;
    trove_slice_t     text;
    unsigned char     bytes[TROVE_BOARD_ROW_MAX + 1];
    trove_redis_op_t  op, is;

    memset(bytes, 'x', sizeof(bytes));
    text.data = (unsigned char *) buf;

    for (i = 0; i < 9; i++) {
        memset(&op, 0, sizeof(op));
        bad = (i % 2) ? NAN : INFINITY;

        switch (i) {

        case 0:
        case 1:
            op.type = TROVE_REDIS_PUT;
            op.u.put.y = bad;
            break;

        case 2:
        case 3:
            op.type = TROVE_REDIS_CLAIM;
            op.u.claim.player = slice("a");
            op.u.claim.level = bad;
            break;

        case 4:
            op.type = TROVE_REDIS_TAP;
            break;

        case 5:
            op.type = TROVE_REDIS_UNSCORE;
            op.u.unscore.data = bytes;
            op.u.unscore.len = TROVE_PLAYER_MAX + 1;
            break;

        case 6:
            op.type = TROVE_REDIS_SCORE;
            op.u.score.player.data = bytes;
            op.u.score.player.len = TROVE_PLAYER_MAX + 1;
            break;

        case 7:
            op.type = TROVE_REDIS_SCORE;
            op.u.score.player = slice("a");
            op.u.score.has_data = 1;
            op.u.score.data.data = bytes;
            op.u.score.data.len = TROVE_BOARD_ROW_MAX + 1;
            break;

        default:
            op.type = TROVE_REDIS_REMOVE;
            break;
        }

        n = trove_redis_op(buf, &op);
        buf[n] = '\0';
        text.len = n + (i == 8);
        assert_int_equal(trove_redis_op_read(&text, &is), TROVE_INVALID);
    }

    buf[0] = 'x';
    assert_int_equal(trove_redis_op_read(&text, &is), TROVE_INVALID);
}


/* Whether it was killed before it was through. */

static int
killed_at(trove_ledger_t *l, const char *point, uint64_t nth)
{
    char              error[TROVE_STORE_ERROR];
    pid_t             pid;
    int               status;
    trove_overflow_t  o;

    pid = child_new();

    if (pid == 0) {

        if (!trove_mark_elect(l)) {
            _exit(100);
        }

        overflow_new(&o, l, error);
        trove_fault_arm(point, nth);
        _exit(drained(&o) != TROVE_STORE_DONE);
    }

    status = child_end(pid);
    assert_true(status == 0 || status == -1);

    return status == -1;
}


/*
 * Taps of two, what is no operation, and two that Redis does not have any more:
 * the sum of the taps.
 */

static int64_t
filled(trove_ledger_t *l)
{
    int      i;
    int64_t  sum;

    redis_did(s, "FLUSHALL");
    sum = 0;

    for (i = 0; i < TAPS; i++) {
        assert_int_equal(enqueue_tap(l, (i % 2) ? "a" : "b", 1 << i), i + 1);
        sum += 1 << i;
    }

    redis_did(s, "XADD trove:{hunt}:overflow:players 13-0 at 1 op nonsense");
    redis_did(s, "HSET trove:{hunt}:overflow players 15");

    return sum;
}


static void
is_drained(trove_ledger_t *l, int64_t sum)
{
    char              error[TROVE_STORE_ERROR];
    trove_overflow_t  o;

    assert_true(trove_mark_elect(l));
    overflow_new(&o, l, error);
    assert_int_equal(drained(&o), TROVE_STORE_DONE);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 15);
    assert_true(balance_of(l, "a") + balance_of(l, "b") == sum);
    assert_true(trove_ledger_sane(l));
    assert_int_equal(enqueue_tap(l, "a", 1), 16);

    trove_redis_close(&o.redis);
}


static void
drainers_that_die_leave_each_done_once(void **state)
{
    int              killed;
    int64_t          sum;
    uint64_t         nth;
    trove_ledger_t  *l;

    killed = 1;

    for (nth = 1; killed; nth++) {
        assert_true(nth < POINTS);

        l = world_new(4, 4);
        sum = filled(l);
        killed = killed_at(l, NULL, nth);

        if (killed) {
            (void) killed_at(l, NULL, 1 + random_below(100));
        }

        is_drained(l, sum);
        ledger_free(l);
    }

    assert_true(nth > TAPS * 8);
}


static void
every_point_that_there_is_is_met(void **state)
{
    size_t              i, n, met;
    int64_t             sum;
    trove_ledger_t     *l;
    const char *const  *points;

    met = 0;
    points = trove_fault_points(&n);

    for (i = 0; i < n; i++) {

        if (strncmp(points[i], "overflow", 8) != 0) {
            continue;
        }

        l = world_new(4, 4);
        sum = filled(l);

        if (!killed_at(l, points[i], 1)) {
            fail_msg("%s", points[i]);
        }

        is_drained(l, sum);
        ledger_free(l);
        met++;
    }

    assert_int_equal(met, 4);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(an_operation_is_read_as_it_was_written),
        cmocka_unit_test(an_operation_that_is_none_is_refused),
        cmocka_unit_test(queues_are_made_by_who_looks_first),
        cmocka_unit_test(a_full_queue_refuses_and_a_call_is_done_once),
        cmocka_unit_test(what_waits_is_carried_out_when_there_is_room),
        cmocka_unit_test(the_end_of_a_period_makes_room),
        cmocka_unit_test(what_comes_out_of_a_queue_overtakes_nothing_in_it),
        cmocka_unit_test(what_came_out_before_the_ledger_was_there_is_found),
        cmocka_unit_test(a_call_without_operations_is_not_kept),
        cmocka_unit_test(a_call_that_is_late_is_not_queued),
        cmocka_unit_test(what_redis_has_lost_is_counted_and_passed),
        cmocka_unit_test(other_queues_are_found_first),
        cmocka_unit_test(drainers_that_die_leave_each_done_once),
        cmocka_unit_test(every_point_that_there_is_is_met),
    };

    return redis_tests("overflow", tests, sizeof(tests) / sizeof(tests[0]), 2,
                       queues_setup, queues_teardown);
}
