
/*
 * The draining of queues.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "trove_clock.h"
#include "trove_fault.h"
#include "trove_overflow.h"
#include "trove_overflow_script.h"
#include "trove_replica.h"


/* Entries that are read at once to know what they are about. */
#define TROVE_OVERFLOW_BEHIND  1024


typedef struct {
    uint64_t       number;
    uint64_t       at;                  /* us of unix time                   */
    trove_slice_t  op;
} trove_overflow_entry_t;


static size_t trove_overflow_key(const trove_overflow_t *o, const char *part,
    char *buf);
static trove_store_rc_t trove_overflow_eval(trove_overflow_t *o,
    redisReply **reply, const char *script, uint32_t queue, uint64_t from,
    uint64_t n);
static trove_store_rc_t trove_overflow_unexpected(trove_overflow_t *o);
static trove_store_rc_t trove_overflow_busy(trove_overflow_t *o);
static uint64_t trove_overflow_new(void);
static trove_store_rc_t trove_overflow_behind(trove_overflow_t *o);
static uint64_t trove_overflow_entries_behind(trove_overflow_t *o,
    uint32_t queue, const redisReply *reply, size_t n, uint64_t from);
static trove_store_rc_t trove_overflow_found(trove_overflow_t *o,
    const redisReply *reply, uint32_t doubts);
static int trove_overflow_read(const redisReply *reply,
    trove_overflow_entry_t *e);
static uint64_t trove_overflow_number(const redisReply *reply);
static trove_store_rc_t trove_overflow_entries(trove_overflow_t *o,
    uint32_t queue, const redisReply *reply, uint32_t *n, uint64_t *stays);
static trove_store_rc_t trove_overflow_missing(trove_overflow_t *o,
    uint32_t queue, uint64_t mark, uint64_t queued);
static trove_rc_t trove_overflow_apply(trove_overflow_t *o, uint32_t queue,
    const trove_overflow_entry_t *e);
static trove_rc_t trove_overflow_op(trove_overflow_t *o, uint32_t queue,
    uint64_t number, uint64_t at, const trove_redis_op_t *op);
static uint64_t trove_overflow_now(uint64_t least);
static trove_store_rc_t trove_overflow_refuse(trove_overflow_t *o,
    uint32_t queue, const trove_overflow_entry_t *e, trove_rc_t rc);
static int trove_overflow_get(const unsigned char *text, uint64_t *n);


const size_t  trove_overflow_script_len = sizeof(trove_overflow_script) - 1;


/*
 * Queues may be lost, and be made anew, at any time: what is read of, or done
 * to those whose hash is KEYS[1], one of which is KEYS[2], is so of the ones of
 * ARGV[1] alone.
 */

static const char  trove_overflow_next[] =
    "if redis.call('HGET', KEYS[1], 'whose') ~= ARGV[1] then return {} end "
    "return redis.call('XRANGE', KEYS[2], ARGV[2] .. '-0', '+', "
    "'COUNT', ARGV[3])";

static const char  trove_overflow_forget[] =
    "if redis.call('HGET', KEYS[1], 'whose') ~= ARGV[1] then return 0 end "
    "return redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2] .. '-0')";


/* What there is, which is made if there is nothing. */

static const char  trove_overflow_make[] =
    "local r = redis.call "
    "if r('EXISTS', KEYS[1]) == 0 then "
    "r('HSET', KEYS[1], 'format', '1', 'whose', ARGV[1], "
    "'ledger', ARGV[2]) end "
    "return r('HGETALL', KEYS[1])";


/*
 * If a queue has nothing from ARGV[2] on, it goes on behind ARGV[3] at least;
 * 0 if it has something, or there are no queues.
 */

static const char  trove_overflow_go_on[] =
    "local r = redis.call "
    "if r('HGET', KEYS[1], 'whose') ~= ARGV[1] "
    "or #r('XRANGE', KEYS[2], ARGV[2] .. '-0', '+', 'COUNT', 1) ~= 0 then "
    "return 0 end "
    "local last = tonumber(r('HGET', KEYS[1], ARGV[4]) or '0') "
    "if last < tonumber(ARGV[3]) then "
    "r('HSET', KEYS[1], ARGV[4], ARGV[3]) end "
    "return 1";


const char *
trove_overflow_instance(const trove_ledger_t *l, int durable)
{
    return durable ? trove_replica_instance(l)
                   : "00000000000000000000000000000000";
}


static size_t
trove_overflow_key(const trove_overflow_t *o, const char *part, char *buf)
{
    return (size_t) snprintf(buf, TROVE_OVERFLOW_KEY,
                             "trove:{%.*s}:overflow%s%s", (int) o->trove.len,
                             (const char *) o->trove.data,
                             part[0] ? ":" : "", part);
}


static trove_store_rc_t
trove_overflow_unexpected(trove_overflow_t *o)
{
    (void) snprintf(o->redis.error, TROVE_STORE_ERROR,
                    "the queues of \"%.*s\" in Redis: an unexpected answer",
                    (int) o->trove.len, (const char *) o->trove.data);

    return TROVE_STORE_IO;
}


static trove_store_rc_t
trove_overflow_busy(trove_overflow_t *o)
{
    (void) snprintf(o->redis.error, TROVE_STORE_ERROR,
                    "the queues of \"%.*s\": a lock of the ledger is held",
                    (int) o->trove.len, (const char *) o->trove.data);

    return TROVE_STORE_BUSY;
}


/* One of the scripts above, of this queue. */

static trove_store_rc_t
trove_overflow_eval(trove_overflow_t *o, redisReply **reply,
    const char *script, uint32_t queue, uint64_t from, uint64_t n)
{
    char         hash[TROVE_OVERFLOW_KEY], key[TROVE_OVERFLOW_KEY];
    char         buf[TROVE_MARK_NAME];
    const char  *name;

    name = trove_mark_name(o->ledger, queue, buf);

    return trove_redis_commandf(&o->redis, reply,
                                "EVAL %s 2 %b %b %llu %llu %llu %s", script,
                                hash, trove_overflow_key(o, "", hash),
                                key, trove_overflow_key(o, name, key),
                                (unsigned long long)
                                    trove_mark_whose(o->ledger),
                                (unsigned long long) from,
                                (unsigned long long) n, name);
}


trove_store_rc_t
trove_overflow_find(trove_overflow_t *o)
{
    char              key[TROVE_OVERFLOW_KEY];
    uint32_t          doubts;
    redisReply       *reply;
    trove_store_rc_t  rc;

    doubts = trove_mark_doubts(o->ledger);

    if (o->trove.len > TROVE_OVERFLOW_TROVE) {
        (void) snprintf(o->redis.error, TROVE_STORE_ERROR,
                        "a name of more than %d bytes", TROVE_OVERFLOW_TROVE);
        return TROVE_STORE_FOREIGN;
    }

    /* for queues that were never seen it is known from now on whose they are */

    if (trove_mark_whose(o->ledger) == 0) {
        rc = trove_redis_commandf(&o->redis, &reply, "EVAL %s 1 %b %llu %b",
                                  trove_overflow_make,
                                  key, trove_overflow_key(o, "", key),
                                  (unsigned long long) trove_overflow_new(),
                                  o->instance, (size_t) TROVE_REDIS_INSTANCE);

    } else {
        rc = trove_redis_commandf(&o->redis, &reply, "HGETALL %b", key,
                                  trove_overflow_key(o, "", key));
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_overflow_found(o, reply, doubts);
        freeReplyObject(reply);
    }

    return rc;
}


/* What tells queues from others. */

static uint64_t
trove_overflow_new(void)
{
    uint64_t  whose;

    if (getrandom(&whose, sizeof(whose), 0) != sizeof(whose)) {
        whose = trove_clock_ns();
    }

    return 1 + whose % (TROVE_REDIS_NUMBER - 1);
}


static trove_store_rc_t
trove_overflow_found(trove_overflow_t *o, const redisReply *reply,
    uint32_t doubts)
{
    size_t             i;
    uint32_t           queue;
    uint64_t           whose;
    trove_slice_t      name;
    trove_store_rc_t   rc;
    const redisReply  *value;

    whose = 0;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return trove_overflow_unexpected(o);
    }

    for (i = 0; i < reply->elements; i++) {

        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return trove_overflow_unexpected(o);
        }
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        name.data = (const unsigned char *) reply->element[i]->str;
        name.len = reply->element[i]->len;
        value = reply->element[i + 1];

        if (name.len == 5 && memcmp(name.data, "whose", 5) == 0) {
            whose = trove_overflow_number(value);
        }

        if (name.len == 6
            && ((memcmp(name.data, "ledger", 6) == 0
                 && (value->len != TROVE_REDIS_INSTANCE
                     || memcmp(value->str, o->instance,
                               TROVE_REDIS_INSTANCE) != 0))
                || (memcmp(name.data, "format", 6) == 0
                    && strcmp(value->str, "1") != 0)))
        {
            (void) snprintf(o->redis.error, TROVE_STORE_ERROR,
                            "the queues of \"%.*s\" in Redis are %s: %s \"%s\"",
                            (int) o->trove.len, (const char *) o->trove.data,
                            (name.data[0] == 'l') ? "another ledger's"
                                                  : "not known",
                            reply->element[i]->str, value->str);
            return TROVE_STORE_FOREIGN;
        }
    }

    if (whose == 0) {
        trove_mark_known(o->ledger, doubts);
        return TROVE_STORE_DONE;
    }

    if (trove_mark_begin(o->ledger, whose) != TROVE_OK) {
        return trove_overflow_busy(o);
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        name.data = (const unsigned char *) reply->element[i]->str;
        name.len = reply->element[i]->len;
        queue = trove_mark_find(o->ledger, &name);

        if (queue != TROVE_MARK_NONE) {
            trove_mark_queue(o->ledger, queue,
                             trove_overflow_number(reply->element[i + 1]));
        }
    }

    if (trove_mark_fresh(o->ledger)) {
        rc = trove_overflow_behind(o);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    trove_mark_known(o->ledger, doubts);

    return TROVE_STORE_DONE;
}


/*
 * What the queues are about, of a ledger that does not know it: it was filled
 * from its store, or they are other ones.
 */

static trove_store_rc_t
trove_overflow_behind(trove_overflow_t *o)
{
    char               key[TROVE_OVERFLOW_KEY], buf[TROVE_MARK_NAME];
    size_t             n;
    uint32_t           queue;
    uint64_t           from;
    redisReply        *reply;
    trove_store_rc_t   rc;

    for (queue = 0; queue < trove_marks(o->ledger); queue++) {
        from = trove_mark(o->ledger, queue);

        do {
            rc = trove_redis_commandf(&o->redis, &reply,
                                      "XRANGE %b %llu-0 + COUNT %d", key,
                                      trove_overflow_key(o,
                                          trove_mark_name(o->ledger, queue,
                                                          buf), key),
                                      (unsigned long long) from + 1,
                                      TROVE_OVERFLOW_BEHIND);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }

            n = (reply->type == REDIS_REPLY_ARRAY) ? reply->elements : 0;
            from = trove_overflow_entries_behind(o, queue, reply, n, from);
            freeReplyObject(reply);

        } while (n == TROVE_OVERFLOW_BEHIND);
    }

    return TROVE_STORE_DONE;
}


/* The last number of them. */

static uint64_t
trove_overflow_entries_behind(trove_overflow_t *o, uint32_t queue,
    const redisReply *reply, size_t n, uint64_t from)
{
    size_t                  i;
    trove_redis_op_t        op;
    trove_overflow_entry_t  e;

    for (i = 0; i < n; i++) {
        memset(&e, 0, sizeof(e));

        if (trove_overflow_read(reply->element[i], &e)
            && trove_redis_op_read(&e.op, &op) == TROVE_OK)
        {
            trove_mark_waits(o->ledger, queue,
                             trove_overflow_target(o->ledger, &op), e.number,
                             trove_overflow_has_target(o->ledger, queue, &op,
                                                       trove_overflow_now(0))
                             != TROVE_NOTFOUND);
        }

        from = (e.number > from) ? e.number : from;
    }

    return from;
}


trove_rc_t
trove_overflow_has_target(trove_ledger_t *l, uint32_t queue,
    const trove_redis_op_t *op, uint64_t now)
{
    char                  text[TROVE_BOARD_ROW_MAX];
    uint32_t              n;
    trove_player_t        p;
    trove_reward_t        r;
    trove_board_entry_t   e;
    trove_board_state_t   state;
    const trove_slice_t  *player;

    player = trove_redis_op_player(op);

    if (player == NULL) {
        return trove_ledger_get(l, trove_redis_op_reward(op), &r);
    }

    if (queue <= TROVE_MARK_PLAYERS) {
        return trove_player_get(l, player, &p);
    }

    return trove_board_around(l, queue - TROVE_MARK_BOARDS, 0, now, player, 0,
                              text, &e, &n, &state);
}


static uint64_t
trove_overflow_number(const redisReply *reply)
{
    return (reply->type == REDIS_REPLY_STRING)
           ? strtoull(reply->str, NULL, 10) : 0;
}


trove_store_rc_t
trove_overflow_drain(trove_overflow_t *o, uint32_t queue, uint32_t *n,
    uint64_t *stays)
{
    uint64_t           mark, queued;
    redisReply        *reply;
    trove_store_rc_t   rc;

    *n = 0;
    *stays = 0;
    mark = trove_mark(o->ledger, queue);

    /* what is known to wait by now is among the entries, if any is */

    queued = trove_mark_queued(o->ledger, queue);

    /* there may still be no room for the next one */

    rc = trove_overflow_eval(o, &reply, trove_overflow_next, queue, mark + 1,
                             trove_mark_stays(o->ledger, queue)
                             ? 1 : TROVE_OVERFLOW_ENTRIES);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        rc = trove_overflow_unexpected(o);

    } else if (reply->elements != 0) {
        rc = trove_overflow_entries(o, queue, reply, n, stays);

    } else if (queued > mark) {
        rc = trove_overflow_missing(o, queue, mark, queued);
    }

    freeReplyObject(reply);

    if (rc == TROVE_STORE_DONE) {
        trove_mark_stay(o->ledger, queue, *stays);
    }

    return rc;
}


static trove_store_rc_t
trove_overflow_entries(trove_overflow_t *o, uint32_t queue,
    const redisReply *reply, uint32_t *n, uint64_t *stays)
{
    int                     is;
    size_t                  i;
    uint64_t                mark;
    trove_rc_t              done;
    trove_store_rc_t        rc;
    trove_overflow_entry_t  e;

    mark = trove_mark(o->ledger, queue);

    for (i = 0; i < reply->elements; i++) {
        memset(&e, 0, sizeof(e));
        is = trove_overflow_read(reply->element[i], &e);

        if (e.number < mark || e.number == 0
            || e.number > TROVE_REDIS_NUMBER)
        {
            return trove_overflow_unexpected(o);
        }

        /* there are none before the first one that a ledger has of a queue */

        if (mark == 0 && e.number > 1
            && trove_mark_pass(o->ledger, queue, e.number - 1) != TROVE_OK)
        {
            return trove_overflow_busy(o);
        }

        /* a number twice is not of the script that fills queues */

        done = (is && e.number > mark) ? trove_overflow_apply(o, queue, &e)
                                       : TROVE_INVALID;

        if (done == TROVE_FULL) {
            *stays = e.at ? e.at : 1;
            return TROVE_STORE_DONE;
        }

        if (done == TROVE_OK || done == TROVE_NOTFOUND) {
            trove_stat_add(&o->stats.drained, 1);

        } else if (done == TROVE_INVALID) {
            rc = trove_overflow_refuse(o, queue, &e, done);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }

        } else {
            return trove_overflow_busy(o);
        }

        TROVE_FAULT("overflow: carried out");

        if (mark != 0 && e.number > mark) {
            trove_stat_add(&o->stats.lost, e.number - mark - 1);
        }

        mark = e.number;
        ++*n;
    }

    return TROVE_STORE_DONE;
}


/*
 * Redis has lost them, or they have been deleted.  Numbers up to "queued" are
 * not given again from then on, for what has them would be passed.
 */

static trove_store_rc_t
trove_overflow_missing(trove_overflow_t *o, uint32_t queue, uint64_t mark,
    uint64_t queued)
{
    int                passed;
    redisReply        *reply;
    trove_store_rc_t   rc;

    rc = trove_overflow_eval(o, &reply, trove_overflow_go_on, queue, mark + 1,
                             queued);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    passed = (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1);
    freeReplyObject(reply);

    if (!passed) {
        return TROVE_STORE_DONE;
    }

    TROVE_FAULT("overflow: missing");

    if (trove_mark_pass(o->ledger, queue, queued) != TROVE_OK) {
        return trove_overflow_busy(o);
    }

    if (mark != 0) {
        trove_stat_add(&o->stats.lost, queued - mark);
    }

    return TROVE_STORE_DONE;
}


/* An entry; its number is known also of one that is not as it should be. */

static int
trove_overflow_read(const redisReply *reply, trove_overflow_entry_t *e)
{
    size_t             i;
    const redisReply  *fields;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return 0;
    }

    e->number = trove_overflow_number(reply->element[0]);
    fields = reply->element[1];

    if (fields->type != REDIS_REPLY_ARRAY) {
        return 0;
    }

    for (i = 0; i + 1 < fields->elements; i += 2) {

        if (fields->element[i]->type != REDIS_REPLY_STRING
            || fields->element[i + 1]->type != REDIS_REPLY_STRING)
        {
            return 0;
        }

        if (strcmp(fields->element[i]->str, "at") == 0) {
            e->at = trove_overflow_number(fields->element[i + 1]);

        } else if (strcmp(fields->element[i]->str, "op") == 0) {
            e->op.data = (const unsigned char *) fields->element[i + 1]->str;
            e->op.len = fields->element[i + 1]->len;
        }
    }

    return e->op.len != 0;
}


static trove_rc_t
trove_overflow_apply(trove_overflow_t *o, uint32_t queue,
    const trove_overflow_entry_t *e)
{
    uint64_t          target;
    trove_rc_t        rc;
    trove_redis_op_t  op;

    if (trove_redis_op_read(&e->op, &op) != TROVE_OK) {
        return TROVE_INVALID;
    }

    target = trove_overflow_target(o->ledger, &op);

    trove_mark_try(o->ledger, queue, target);
    rc = trove_overflow_op(o, queue, e->number, e->at, &op);
    TROVE_FAULT("overflow: tried");
    trove_mark_tried(o->ledger, queue, target, rc == TROVE_OK);

    return rc;
}


uint64_t
trove_overflow_target(const trove_ledger_t *l, const trove_redis_op_t *op)
{
    const trove_slice_t  *player;

    player = trove_redis_op_player(op);

    return player ? trove_mark_player(l, player)
                  : trove_mark_reward(trove_redis_op_reward(op));
}


/*
 * By the time that it was queued at.  Where there was no room then, there may
 * be some now, for a board's period has ended: it is of the new one.
 */

static trove_rc_t
trove_overflow_op(trove_overflow_t *o, uint32_t queue, uint64_t number,
    uint64_t at, const trove_redis_op_t *op)
{
    uint32_t               board;
    uint64_t               version;
    trove_rc_t             rc;
    trove_tap_t            t;
    trove_claim_t          c;
    trove_tap_request_t    tap;
    trove_board_write_t    score;
    trove_board_written_t  written;
    trove_claim_request_t  claim;

    board = queue - TROVE_MARK_BOARDS;

    if (queue == TROVE_MARK_REWARDS) {

        switch (op->type) {
        case TROVE_REDIS_PUT:
            return trove_mark_put(o->ledger, number, &op->u.put, &version);
        case TROVE_REDIS_REMOVE:
            return trove_mark_remove(o->ledger, number, op->u.remove,
                                     &version);
        default:
            return TROVE_INVALID;
        }
    }

    if (queue == TROVE_MARK_PLAYERS) {

        switch (o->redo ? op->type : TROVE_REDIS_PUT) {

        case TROVE_REDIS_CLAIM:
            claim = op->u.claim;
            claim.now = at / 1000;
            claim.asked = claim.now;
            rc = trove_mark_claim(o->redo, number, &o->rules, &claim, &c);

            if (rc == TROVE_FULL) {
                claim.now = trove_overflow_now(claim.now);
                rc = trove_mark_claim(o->redo, number, &o->rules, &claim, &c);
            }

            return rc;

        case TROVE_REDIS_TAP:
            tap = op->u.tap;
            tap.now = at;
            tap.interval = o->interval;
            tap.burst = o->burst;
            return trove_mark_tap(o->redo, number, &tap, &t);

        default:
            return TROVE_INVALID;
        }
    }

    switch (op->type) {

    case TROVE_REDIS_SCORE:
        score = op->u.score;
        score.now = at / 1000;
        rc = trove_mark_score(o->ledger, number, board, &score, &written);

        if (rc == TROVE_FULL) {
            score.now = trove_overflow_now(score.now);
            rc = trove_mark_score(o->ledger, number, board, &score, &written);
        }

        return rc;

    case TROVE_REDIS_UNSCORE:
        return trove_mark_unscore(o->ledger, number, board, &op->u.unscore,
                                  at / 1000);

    default:
        return TROVE_INVALID;
    }
}


/* ms of unix time; never before what is given. */

static uint64_t
trove_overflow_now(uint64_t least)
{
    uint64_t         now;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;

    return (now > least) ? now : least;
}


/* Twice at worst: who dies in between has put it aside already. */

static trove_store_rc_t
trove_overflow_refuse(trove_overflow_t *o, uint32_t queue,
    const trove_overflow_entry_t *e, trove_rc_t rc)
{
    char               key[TROVE_OVERFLOW_KEY], buf[TROVE_MARK_NAME];
    redisReply        *reply;
    trove_store_rc_t   failed;

    failed = trove_redis_commandf(&o->redis, &reply,
                                  "XADD %b * queue %s number %llu why %d "
                                  "op %b", key,
                                  trove_overflow_key(o, "refused", key),
                                  trove_mark_name(o->ledger, queue, buf),
                                  (unsigned long long) e->number, (int) rc,
                                  e->op.data ? (const char *) e->op.data : "",
                                  e->op.len);

    if (failed != TROVE_STORE_DONE) {
        return failed;
    }

    freeReplyObject(reply);
    TROVE_FAULT("overflow: refused");
    trove_stat_add(&o->stats.refused, 1);

    return (trove_mark_pass(o->ledger, queue, e->number) == TROVE_OK)
           ? TROVE_STORE_DONE : trove_overflow_busy(o);
}


uint64_t
trove_overflow_done(const trove_overflow_t *o, uint32_t queue)
{
    uint64_t  done, stored;

    done = trove_mark(o->ledger, queue);
    stored = o->durable ? trove_mark_stored(o->ledger, queue) : done;

    return (stored < done) ? stored : done;
}


trove_store_rc_t
trove_overflow_trim(trove_overflow_t *o, uint32_t queue)
{
    redisReply        *reply;
    trove_store_rc_t   rc;

    rc = trove_overflow_eval(o, &reply, trove_overflow_forget, queue,
                             trove_overflow_done(o, queue) + 1, 0);

    if (rc == TROVE_STORE_DONE) {
        freeReplyObject(reply);
    }

    return rc;
}


trove_rc_t
trove_overflow_answer(const trove_slice_t *text, uint64_t *whose,
    uint64_t *now, trove_slice_t *rest)
{
    if (text->len < 16 || (text->len - 16) % 9 != 0
        || !trove_overflow_get(text->data, whose)
        || !trove_overflow_get(text->data + 8, now))
    {
        return TROVE_INVALID;
    }

    rest->data = text->data + 16;
    rest->len = text->len - 16;

    return TROVE_OK;
}


trove_rc_t
trove_overflow_queued(trove_slice_t *rest, int *queued, uint64_t *number)
{
    if (rest->len < 9 || rest->data[0] > 1
        || !trove_overflow_get(rest->data + 1, number)
        || (rest->data[0] != 0) != (*number != 0))
    {
        return TROVE_INVALID;
    }

    *queued = rest->data[0];
    rest->data += 9;
    rest->len -= 9;

    return TROVE_OK;
}


/* A whole number as Redis has them, in the order of its bytes. */

static int
trove_overflow_get(const unsigned char *text, uint64_t *n)
{
    int       i;
    double    d;
    uint64_t  bits;

    for (bits = 0, i = 0; i < 8; i++) {
        bits |= (uint64_t) text[i] << 8 * i;
    }

    memcpy(&d, &bits, sizeof(d));

    if (!(d >= 0 && d <= (double) TROVE_REDIS_NUMBER)
        || d != (double) (uint64_t) d)
    {
        return 0;
    }

    *n = (uint64_t) d;

    return 1;
}
