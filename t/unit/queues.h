/*
 * Queues in a Redis of the test's own, of a ledger that may be full.
 */

#ifndef QUEUES_H_INCLUDED
#define QUEUES_H_INCLUDED


#include "boards.h"
#include "redis.h"
#include "trove_overflow.h"


static redis_t  *s;
static char      session[TROVE_REDIS_SESSION + 1];
static uint64_t  calls;
static char      instance[TROVE_REDIS_INSTANCE + 1]
                 = "00000000000000000000000000000000";


static inline trove_ledger_t *
world_new(uint32_t rewards, uint32_t players)
{
    trove_board_conf_t   board;
    trove_ledger_conf_t  conf;

    board = board_conf("sums", players);
    board.keep = TROVE_BOARD_SUM;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = rewards;
    conf.players = players;
    conf.claims = 20;
    conf.boards = &board;
    conf.nboards = 1;

    return trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
}


/* The answer to one operation: its number, or 0: the queue is full. */

static inline uint64_t
enqueue(trove_ledger_t *l, uint32_t queue, const trove_redis_op_t *op,
    uint32_t max, int again)
{
    int                 queued;
    char                call[TROVE_REDIS_CALL_SIZE], buf[256], name[80];
    char                text[128];
    size_t              ncall, n;
    uint64_t            whose, number, now;
    redisReply         *reply;
    trove_slice_t       answer, rest;
    trove_redis_call_t  c;

    c.instance = instance;
    c.session = session;
    c.number = again ? calls : ++calls;
    c.again = again;
    c.waits = 0;
    c.deadline = 0;

    ncall = trove_redis_call(call, &c);
    n = trove_redis_op(buf, op);

    (void) snprintf(text, sizeof(text), "%llu",
                    (unsigned long long) trove_mark(l, queue));

    reply = redis_do(s, "EVAL %b 1 trove:{hunt}:overflow %b %u 123 %s %s %b",
                     trove_overflow_script, trove_overflow_script_len, call,
                     ncall, max, trove_mark_name(l, queue, name), text, buf,
                     n);

    answer.data = (const unsigned char *) reply->str;
    answer.len = reply->len;
    assert_int_equal(trove_overflow_answer(&answer, &whose, &now, &rest),
                     TROVE_OK);
    assert_true(s->now || now / 1000000 + 60 > (uint64_t) time(NULL));
    assert_int_equal(trove_overflow_queued(&rest, &queued, &number), TROVE_OK);
    assert_int_equal(rest.len, 0);
    assert_true(!queued || whose != 0);
    freeReplyObject(reply);

    return queued ? number : 0;
}


static inline uint64_t
enqueue_tap(trove_ledger_t *l, const char *player, int32_t value)
{
    trove_redis_op_t  op;

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_TAP;
    op.u.tap.player = slice(player);
    op.u.tap.value = value;

    return enqueue(l, TROVE_MARK_PLAYERS, &op, 1000, 0);
}


static inline int64_t
balance_of(trove_ledger_t *l, const char *player)
{
    trove_slice_t   id;
    trove_player_t  p;

    id = slice(player);

    return (trove_player_get(l, &id, &p) == TROVE_OK) ? p.balance : -1;
}


/* The server, of a group of tests that redis_tests() runs. */

static inline int
queues_setup(void **state)
{
    assert_int_equal(trove_store_instance(session), TROVE_OK);

    if (redis_is_there()) {
        s = redis_start(0, NULL);
    }

    return random_setup(state);
}


static inline int
queues_teardown(void **state)
{
    if (s != NULL) {
        redis_stop(s);
    }

    return 0;
}


#endif /* QUEUES_H_INCLUDED */
