
/*
 * Redis' addresses, errors and outages: what each is taken for, that it is
 * said, and that a call which failed has changed nothing.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "players.h"
#include "redis.h"


/* By which all that is stored is told from anything else. */
static const char *const  debug[] = { "--enable-debug-command", "yes", NULL };


typedef struct {
    redis_t              *s;
    trove_slice_t         trove;
    char                  instance[TROVE_REDIS_INSTANCE + 1];
    trove_redis_rules_t   rules;
    trove_board_conf_t    board[2];
} setup_t;


static void
is_refused(const char *value, const char *why)
{
    char                error[TROVE_STORE_ERROR];
    trove_slice_t       text;
    trove_redis_conf_t  conf;

    text = slice(value);

    if (trove_redis_parse(&text, &conf, error) != TROVE_INVALID) {
        fail_msg("%s is taken", value);
    }

    assert_null(strstr(error, "secret"));

    if (strstr(error, why) == NULL) {
        fail_msg("%s: %s", value, error);
    }
}


static void
parsed(const char *value, trove_redis_conf_t *conf)
{
    char           error[TROVE_STORE_ERROR];
    trove_slice_t  text;

    text = slice(value);

    if (trove_redis_parse(&text, conf, error) != TROVE_OK) {
        fail_msg("%s: %s", value, error);
    }
}


static void
an_address_is_read(void **state)
{
    char                name[TROVE_REDIS_NODE];
    trove_redis_conf_t  c;

    parsed("redis://127.0.0.1", &c);
    assert_int_equal(c.nnodes, 1);
    assert_string_equal(c.nodes[0].host, "127.0.0.1");
    assert_int_equal(c.nodes[0].port, 6379);
    assert_int_equal(c.db, 0);
    assert_int_equal(c.replicas, 0);
    assert_int_equal(c.timeout, 1000);
    assert_string_equal(c.user, "");
    assert_string_equal(c.password, "");
    assert_string_equal(trove_redis_node_name(&c, 0, name),
                        "127.0.0.1:6379");

    parsed("redis://me:se%3Acr%40et%25%2F@a.example:1,[::1]:65535,b/15", &c);
    assert_string_equal(c.user, "me");
    assert_string_equal(c.password, "se:cr@et%/");
    assert_int_equal(c.nnodes, 3);
    assert_int_equal(c.nodes[0].port, 1);
    assert_string_equal(c.nodes[1].host, "::1");
    assert_int_equal(c.nodes[1].port, 65535);
    assert_string_equal(trove_redis_node_name(&c, 1, name),
                        "[::1]:65535/15");
    assert_string_equal(c.nodes[2].host, "b");
    assert_int_equal(c.db, 15);

    parsed("redis://:secret@unix:/run/redis@1/s:/3", &c);
    assert_int_equal(c.nnodes, 0);
    assert_string_equal(c.path, "/run/redis@1/s");
    assert_string_equal(c.password, "secret");
    assert_int_equal(c.db, 3);
    assert_string_equal(trove_redis_node_name(&c, 0, name),
                        "unix:/run/redis@1/s:/3");

    parsed("REDIS://:Secret@A.example/1", &c);
    assert_string_equal(c.password, "Secret");
    assert_string_equal(c.nodes[0].host, "A.example");

    parsed("redis://unix:/s", &c);
    assert_string_equal(c.path, "/s");
    assert_int_equal(c.db, 0);
}


static void
an_address_that_is_none_is_refused(void **state)
{
    char                value[1200];
    trove_redis_conf_t  conf;

    is_refused("", "does not begin with");
    is_refused("redis:/127.0.0.1", "does not begin with");
    is_refused("http://a", "does not begin with");
    is_refused("redis://", "a host is missing");
    is_refused("redis://:6379", "a host is missing");
    is_refused("redis://a,", "a host is missing");
    is_refused("redis://a,,b", "a host is missing");
    is_refused("redis://a:0", "not a number from 1 to 65535");
    is_refused("redis://a:65536", "not a number from 1 to 65535");
    is_refused("redis://a:", "not a number from 1 to 65535");
    is_refused("redis://a:1b", "not a number from 1 to 65535");
    is_refused("redis://a/", "the database \"\" is not a number");
    is_refused("redis://a/b", "the database \"b\" is not a number");
    is_refused("redis://a/-1", "the database");
    is_refused("redis://a/99999999999", "the database");
    is_refused("redis://[::1", "not closed");
    is_refused("redis://[::1]6379", "no colon");
    is_refused("redis://secret@a", "has no password");
    is_refused("redis://secret:@a", "has no password");
    is_refused("redis://@a", "has no password");
    is_refused("redis://:secret%@a", "two hexadecimal digits");
    is_refused("redis://:secret%4@a", "two hexadecimal digits");
    is_refused("redis://:secret%4g@a", "two hexadecimal digits");
    is_refused("redis://:secret%00@a", "two hexadecimal digits");
    is_refused("redis://unix:", "does not begin with \"/\"");
    is_refused("redis://unix:s", "does not begin with \"/\"");
    is_refused("redis://unix:/s:/x", "the database \"x\"");
    is_refused("redis://me:a@secret@b", "\"@\", \"/\" and \"%\" are written");
    is_refused("redis://me:a/secret@b", "\"@\", \"/\" and \"%\" are written");
    is_refused("redis://me:1/secret@unix:/s", "are written %3A, %40");
    is_refused("redis://a,b,c,d,e,f,g,h,i", "more than 8 hosts");

    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    memcpy(value, "redis://", 8);
    is_refused(value, "more than 255 bytes");
    memcpy(value, "redis://unix:/", 14);
    is_refused(value, "more than 107 bytes");

    memset(value, 'x', sizeof(value));
    memcpy(value, "redis://:", 9);
    memcpy(value + 9 + TROVE_REDIS_TEXT + 1, "@a", 3);
    is_refused(value, "the password has more than 255 bytes");
    memcpy(value + 9 + TROVE_REDIS_TEXT, "@a", 3);
    parsed(value, &conf);
    assert_int_equal(strlen(conf.password), TROVE_REDIS_TEXT);
}


/* Without TLS in hiredis it is refused, and said why. */

static void
tls_is_there_or_refused(void **state)
{
    char                error[TROVE_STORE_ERROR];
    trove_slice_t       text;
    trove_redis_conf_t  conf;

    text = slice("rediss://a");

    if (trove_redis_parse(&text, &conf, error) == TROVE_OK) {
        assert_int_equal(conf.tls, 1);
        is_refused("rediss://unix:/s", "has no TLS");
        return;
    }

    assert_non_null(strstr(error, "hiredis"));
}


static void
stands_for(const char *text, trove_store_rc_t rc, trove_redis_then_t then)
{
    trove_slice_t        error;
    trove_redis_node_t   from;
    trove_redis_error_t  e;

    memset(&from, 0, sizeof(from));
    memcpy(from.host, "here", 5);
    error = slice(text);

    trove_redis_error(&error, &from, &e);
    assert_int_equal(e.rc, rc);
    assert_int_equal(e.then, then);
    assert_non_null(e.why);
}


static void
leads_to(const char *text, trove_redis_then_t then, const char *host,
    uint32_t port)
{
    trove_slice_t        error;
    trove_redis_node_t   from;
    trove_redis_error_t  e;

    memset(&from, 0, sizeof(from));
    memcpy(from.host, "here", 5);
    error = slice(text);

    trove_redis_error(&error, &from, &e);
    assert_int_equal(e.then, then);
    assert_string_equal(e.node.host, host);
    assert_int_equal(e.node.port, port);
}


static void
an_error_says_how_to_go_on(void **state)
{
    stands_for("NOSCRIPT No matching script.", TROVE_STORE_AWAY,
               TROVE_REDIS_SCRIPT);
    stands_for("LOADING Redis is loading", TROVE_STORE_AWAY,
               TROVE_REDIS_LATER);
    stands_for("CLUSTERDOWN The cluster is down", TROVE_STORE_AWAY,
               TROVE_REDIS_LATER);
    stands_for("TRYAGAIN Multiple keys", TROVE_STORE_AWAY,
               TROVE_REDIS_LATER);
    stands_for("MISCONF Redis is configured to save", TROVE_STORE_IO,
               TROVE_REDIS_LATER);
    stands_for("NOREPLICAS Not enough", TROVE_STORE_READONLY,
               TROVE_REDIS_LATER);
    stands_for("BUSY Redis is busy", TROVE_STORE_BUSY, TROVE_REDIS_LATER);
    stands_for("MASTERDOWN Link", TROVE_STORE_AWAY, TROVE_REDIS_NEXT);
    stands_for("UNBLOCKED force", TROVE_STORE_AWAY, TROVE_REDIS_NEXT);
    stands_for("NOPERM this user", TROVE_STORE_DENIED, TROVE_REDIS_FAILED);
    stands_for("ERR The user executing the script can't run this command",
               TROVE_STORE_DENIED, TROVE_REDIS_FAILED);
    stands_for("TROVE SESSION (k)", TROVE_STORE_LOST, TROVE_REDIS_LOST);
    stands_for("TROVE LATE (k)", TROVE_STORE_TIMEOUT, TROVE_REDIS_FAILED);
    stands_for("ERR unknown", TROVE_STORE_IO, TROVE_REDIS_FAILED);
    stands_for("", TROVE_STORE_IO, TROVE_REDIS_FAILED);

    leads_to("MOVED 3999 127.0.0.1:6381", TROVE_REDIS_MOVED, "127.0.0.1",
             6381);
    leads_to("ASK 3999 ::1:6381", TROVE_REDIS_ASK, "::1", 6381);
    leads_to("MOVED 3999 :6381", TROVE_REDIS_MOVED, "here", 6381);
    leads_to("MOVED 3999 ?:6381", TROVE_REDIS_MOVED, "here", 6381);

    stands_for("MOVED 3999 a:0", TROVE_STORE_AWAY, TROVE_REDIS_FAILED);
    stands_for("MOVED 3999 a:x", TROVE_STORE_AWAY, TROVE_REDIS_FAILED);
    stands_for("MOVED 3999 a", TROVE_STORE_AWAY, TROVE_REDIS_FAILED);
    stands_for("MOVED 3999", TROVE_STORE_AWAY, TROVE_REDIS_FAILED);
    stands_for("MOVED ", TROVE_STORE_AWAY, TROVE_REDIS_FAILED);
}


static setup_t *
setup_new(const char *const *args)
{
    setup_t              *u;
    trove_redis_meta_t   meta;

    u = calloc(1, sizeof(setup_t));
    assert_non_null(u);

    u->s = redis_start(0, args);
    u->trove = slice("hunt");
    assert_int_equal(trove_store_instance(u->instance), TROVE_OK);

    u->rules.ledger.rewards = 10;
    u->rules.ledger.players = 10;
    u->rules.ledger.claims = 10;
    u->rules.ledger.nboards = 2;
    u->rules.ledger.boards = u->board;
    u->rules.log_max = 1000;

    memcpy(u->board[0].name, "won", 4);
    u->board[0].rows = 10;
    u->board[0].row = TROVE_BOARD_ROW_MIN;
    u->board[0].keep = TROVE_BOARD_SUM;
    u->board[0].claims = 1;
    u->board[1] = u->board[0];
    memcpy(u->board[1].name, "day", 4);
    u->board[1].reset = TROVE_BOARD_DAILY;
    u->board[1].claims = 0;

    memset(&meta, 0, sizeof(meta));
    memcpy(meta.instance, u->instance, sizeof(meta.instance));

    if (trove_redis_make(&u->s->redis, &u->trove, &meta) != TROVE_STORE_DONE) {
        fail_msg("%s", u->s->error);
    }

    return u;
}


static void
setup_free(setup_t *u)
{
    redis_stop(u->s);
    free(u);
}


static trove_store_rc_t
call_of(setup_t *u, const trove_redis_call_t *call,
    const trove_redis_op_t *ops, uint32_t n, redisReply **reply)
{
    uint32_t     i;
    char         head[TROVE_REDIS_CALL_SIZE], text[8][128], rules[256];
    size_t       lens[10];
    const char  *argv[10];

    argv[0] = head;
    lens[0] = trove_redis_call(head, call);
    argv[1] = rules;
    lens[1] = trove_redis_rules(rules, &u->rules);
    assert_int_equal(lens[1], trove_redis_rules_size(&u->rules));

    for (i = 0; i < n; i++) {
        argv[i + 2] = text[i];
        lens[i + 2] = trove_redis_op(text[i], &ops[i]);
    }

    return redis_eval(u->s, &u->trove, reply, (int) n + 2, argv, lens);
}


/* One op of each kind: they touch all keys there are. */

static trove_store_rc_t
call_until(setup_t *u, const char *session, uint64_t number, int again,
    uint64_t deadline, redisReply **reply)
{
    trove_redis_op_t    ops[5];
    trove_redis_call_t  call;

    call.instance = u->instance;
    call.session = session;
    call.number = number;
    call.again = again;
    call.waits = 0;
    call.deadline = deadline;

    memset(ops, 0, sizeof(ops));

    ops[0].type = TROVE_REDIS_PUT;
    ops[0].u.put.id = 1;
    ops[0].u.put.value = 5;
    ops[0].u.put.stock = 100;
    ops[1].type = TROVE_REDIS_CLAIM;
    ops[1].u.claim.player = slice("ann");
    ops[1].u.claim.reward = 1;
    ops[2].type = TROVE_REDIS_TAP;
    ops[2].u.tap.player = slice("bob");
    ops[2].u.tap.value = 1;
    ops[3].type = TROVE_REDIS_SCORE;
    ops[3].board = 1;
    ops[3].u.score.player = slice("ann");
    ops[3].u.score.score = 3;
    ops[4].type = TROVE_REDIS_UNSCORE;
    ops[4].board = 1;
    ops[4].u.unscore = slice("bob");

    return call_of(u, &call, ops, 5, reply);
}


static trove_store_rc_t
call_all(setup_t *u, const char *session, uint64_t number, int again,
    redisReply **reply)
{
    return call_until(u, session, number, again, 0, reply);
}


static void
called(setup_t *u, const char *session, uint64_t number)
{
    redisReply  *reply;

    if (call_all(u, session, number, 0, &reply) != TROVE_STORE_DONE) {
        fail_msg("%s", u->s->error);
    }

    freeReplyObject(reply);
}


/* A sum of all that is in it. */

static void
digest(setup_t *u, char sum[41])
{
    redisReply  *reply;

    reply = redis_do(u->s, "DEBUG DIGEST");
    assert_int_equal(reply->len, 40);
    memcpy(sum, reply->str, 41);
    freeReplyObject(reply);
}


static void
fails_and_changes_nothing(setup_t *u, const char *session,
    trove_store_rc_t rc, const char *why, const char *where)
{
    char         before[41], after[41];
    redisReply  *reply;

    digest(u, before);
    u->s->error[0] = '\0';

    assert_int_equal(call_all(u, session, 77, 0, &reply), rc);
    assert_null(reply);

    if (strstr(u->s->error, why) == NULL
        || strstr(u->s->error, where) == NULL)
    {
        fail_msg("%s", u->s->error);
    }

    digest(u, after);
    assert_string_equal(before, after);
}


#define SESSION  "0123456789abcdef0123456789abcdef"


/* Each in turn is another program's. */

static void
a_key_of_another_type_is_named(void **state)
{
    int                n;
    char               key[TROVE_REDIS_KEY + 8];
    size_t             i;
    setup_t           *u;
    uint64_t           now;
    redisReply        *reply;
    static const char *const  parts[] = {
        "", ":rewards", ":players", ":claims", ":log", ":board:won:0:1:0",
        NULL, ":s:" SESSION
    };

    u = setup_new(debug);

    for (n = 0; n < 2; n++) {

        for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            now = (uint64_t) time(NULL);
            (void) snprintf(key, sizeof(key), "trove:{hunt}:board:day:1:0:%u",
                            (unsigned) (now / 86400));

            if (parts[i] != NULL) {
                (void) trove_redis_key(key, &u->trove, parts[i]);
            }

            reply = redis_do(u->s, "EXISTS %s", key);

            if (reply->integer) {
                freeReplyObject(redis_do(u->s, "RENAME %s kept", key));
            }

            freeReplyObject(redis_do(u->s, "SET %s mine", key));

            fails_and_changes_nothing(u, SESSION, TROVE_STORE_FOREIGN,
                                      "a key is of another type", key);

            freeReplyObject(redis_do(u->s, "DEL %s", key));

            if (reply->integer) {
                freeReplyObject(redis_do(u->s, "RENAME kept %s", key));
            }

            freeReplyObject(reply);
        }

        /* once with nothing there, once with everything */

        called(u, SESSION, 1);
    }

    setup_free(u);
}


static void
a_row_that_is_damaged_is_named(void **state)
{
    setup_t  *u;

    u = setup_new(debug);

    redis_did(u->s, "HSET trove:{hunt}:rewards 1 mine");
    fails_and_changes_nothing(u, NULL, TROVE_STORE_FOREIGN, "damaged",
                              "1 (trove:{hunt}:rewards)");
    redis_did(u->s, "DEL trove:{hunt}:rewards");

    redis_did(u->s, "HSET trove:{hunt}:players bob mine");
    fails_and_changes_nothing(u, NULL, TROVE_STORE_FOREIGN, "damaged",
                              "bob (trove:{hunt}:players)");
    redis_did(u->s, "DEL trove:{hunt}:players");

    redis_did(u->s, "HSET trove:{hunt}:claims 1:ann mine");
    fails_and_changes_nothing(u, NULL, TROVE_STORE_FOREIGN, "damaged",
                              "1:ann (trove:{hunt}:claims)");
    redis_did(u->s, "DEL trove:{hunt}:claims");

    redis_did(u->s, "HSET trove:{hunt}:board:won:0:1:0 ann mine");
    fails_and_changes_nothing(u, NULL, TROVE_STORE_FOREIGN, "damaged",
                              "ann (trove:{hunt}:board:won:0:1:0)");
    redis_did(u->s, "DEL trove:{hunt}:board:won:0:1:0");

    called(u, NULL, 1);

    /* its log is ahead of what the hash says: nothing is stored behind it */

    redis_did(u->s, "XADD trove:{hunt}:log 1000-0 a b");
    fails_and_changes_nothing(u, NULL, TROVE_STORE_IO, "equal or smaller",
                              "trove:{hunt}:log");

    setup_free(u);
}


static void
another_trove_is_refused(void **state)
{
    setup_t             *u;
    trove_redis_meta_t   meta;

    u = setup_new(debug);

    called(u, SESSION, 1);

    u->rules.ledger.space = 1;
    fails_and_changes_nothing(u, SESSION, TROVE_STORE_FOREIGN,
                              "another \"space\"", "plane");
    u->rules.ledger.space = 0;

    u->instance[0] ^= 1;
    fails_and_changes_nothing(u, SESSION, TROVE_STORE_FOREIGN,
                              "another trove", "trove:{hunt}");
    u->instance[0] ^= 1;

    /* what is there is not made again */

    memset(&meta, 0, sizeof(meta));
    memset(meta.instance, 'x', TROVE_REDIS_INSTANCE);
    assert_int_equal(trove_redis_make(&u->s->redis, &u->trove, &meta),
                     TROVE_STORE_DONE);
    assert_string_equal(meta.instance, u->instance);
    assert_int_equal(meta.log, 1);
    assert_int_equal(meta.version, 1);
    assert_int_equal(meta.born, 1);
    assert_int_equal(meta.claims, 1);

    redis_did(u->s, "HSET trove:{hunt} format 2");
    fails_and_changes_nothing(u, SESSION, TROVE_STORE_FOREIGN,
                              "another version", "trove:{hunt}");
    assert_int_equal(trove_redis_meta(&u->s->redis, &u->trove, &meta),
                     TROVE_STORE_FOREIGN);

    redis_did(u->s, "FLUSHALL");
    fails_and_changes_nothing(u, SESSION, TROVE_STORE_GONE, "flushed",
                              "trove:{hunt}");
    assert_int_equal(trove_redis_meta(&u->s->redis, &u->trove, &meta),
                     TROVE_STORE_GONE);

    setup_free(u);
}


static void
full_memory_is_said(void **state)
{
    setup_t  *u;

    u = setup_new(debug);

    called(u, SESSION, 1);

    redis_did(u->s, "CONFIG SET maxmemory 1");
    fails_and_changes_nothing(u, SESSION, TROVE_STORE_FULL, "maxmemory",
                              "OOM");

    redis_did(u->s, "CONFIG SET maxmemory 0");
    called(u, SESSION, 2);

    redis_did(u->s, "CONFIG SET min-replicas-to-write 1");
    fails_and_changes_nothing(u, SESSION, TROVE_STORE_READONLY,
                              "min-replicas-to-write", "NOREPLICAS");

    setup_free(u);
}


/* Nobody waits any more for what comes too late. */

static void
a_call_that_is_late_is_refused(void **state)
{
    char                   before[41], after[41];
    setup_t               *u;
    redisReply            *reply;
    trove_slice_t          text;
    trove_redis_answer_t   a;

    u = setup_new(debug);

    assert_int_equal(call_until(u, SESSION, 1, 0, UINT64_MAX / 4, &reply),
                     TROVE_STORE_DONE);

    text.data = (unsigned char *) reply->str;
    text.len = reply->len;
    assert_int_equal(trove_redis_answer(&text, &a), TROVE_OK);
    freeReplyObject(reply);

    digest(u, before);
    assert_int_equal(call_until(u, SESSION, 2, 0, a.now, &reply),
                     TROVE_STORE_TIMEOUT);
    digest(u, after);
    assert_string_equal(before, after);

    /* but not what was carried out in time */

    assert_int_equal(call_until(u, SESSION, 1, 1, a.now, &reply),
                     TROVE_STORE_DONE);
    freeReplyObject(reply);

    setup_free(u);
}


/* How often it is sent does not matter. */

static void
a_call_is_carried_out_once(void **state)
{
    int          i;
    char         before[41], after[41];
    setup_t     *u;
    redisReply  *first, *again;

    u = setup_new(debug);

    /* a session that is not known may have been, and have ended */

    digest(u, before);
    assert_int_equal(call_all(u, SESSION, 1, 1, &again), TROVE_STORE_LOST);
    digest(u, after);
    assert_string_equal(before, after);

    assert_int_equal(call_all(u, SESSION, 1, 0, &first), TROVE_STORE_DONE);
    digest(u, before);

    for (i = 0; i < 2; i++) {
        assert_int_equal(call_all(u, SESSION, 1, i, &again),
                         TROVE_STORE_DONE);
        assert_int_equal(again->len, first->len);
        assert_memory_equal(again->str, first->str, (size_t) first->len);
        freeReplyObject(again);
    }

    digest(u, after);
    assert_string_equal(before, after);
    freeReplyObject(first);

    /* whose predecessor was answered and which itself has not arrived */

    assert_int_equal(call_all(u, SESSION, 2, 1, &first), TROVE_STORE_DONE);
    assert_int_equal(call_all(u, SESSION, 2, 1, &again), TROVE_STORE_DONE);
    assert_memory_equal(again->str, first->str, (size_t) first->len);
    freeReplyObject(first);
    freeReplyObject(again);

    /* as many as are kept, and no more */

    for (i = 3; i < 2 + TROVE_REDIS_CALLS; i++) {
        called(u, SESSION, (uint64_t) i);
    }

    assert_int_equal(call_all(u, SESSION, 2, 1, &again), TROVE_STORE_DONE);
    freeReplyObject(again);

    called(u, SESSION, 2 + TROVE_REDIS_CALLS);
    assert_int_equal(call_all(u, SESSION, 2, 1, &again), TROVE_STORE_LOST);

    again = redis_do(u->s, "TTL trove:{hunt}:s:" SESSION);
    assert_in_range(again->integer, 500, 600);
    freeReplyObject(again);

    setup_free(u);
}


static void
the_script_is_loaded_if_it_is_not(void **state)
{
    setup_t     *u;
    redisReply  *reply;

    u = setup_new(NULL);

    called(u, NULL, 1);
    redis_did(u->s, "SCRIPT FLUSH");
    called(u, NULL, 1);

    /* the sum is right: it is found by it now */

    redis_did(u->s, "CONFIG RESETSTAT");
    called(u, NULL, 1);

    reply = redis_do(u->s, "INFO commandstats");
    assert_non_null(strstr(reply->str, "cmdstat_evalsha:"));
    assert_null(strstr(reply->str, "cmdstat_eval:"));
    freeReplyObject(reply);

    setup_free(u);
}


static void
a_password_is_given(void **state)
{
    redis_t  *s;

    static const char *const  args[] = { "--requirepass", "secret", NULL };

    s = redis_start(0, args);

    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_DENIED);
    assert_non_null(strstr(s->error, "demands a password"));

    (void) snprintf(s->conf.password, sizeof(s->conf.password), "wrong");
    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_DENIED);
    assert_non_null(strstr(s->error, "is wrong"));

    (void) snprintf(s->conf.password, sizeof(s->conf.password), "secret");
    (void) snprintf(s->conf.user, sizeof(s->conf.user), "nobody");
    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_DENIED);
    assert_non_null(strstr(s->error, "is wrong"));
    assert_null(strstr(s->error, "secret"));

    s->conf.user[0] = '\0';
    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_DONE);
    trove_redis_close(&s->redis);

    s->conf.db = 16;
    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_FOREIGN);
    assert_non_null(strstr(s->error, "/16: it has not got the database of "));

    s->conf.db = 15;
    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_DONE);

    redis_stop(s);
}


static void
a_server_that_is_away_or_stopped_is_told_apart(void **state)
{
    redis_t     *s;
    redisReply  *reply;

    s = redis_start(0, NULL);
    trove_redis_close(&s->redis);
    s->conf.timeout = 100;

    assert_int_equal(trove_redis_commandf(&s->redis, &reply, "PING"),
                     TROVE_STORE_DONE);
    freeReplyObject(reply);

    assert_int_equal(kill(s->pid, SIGSTOP), 0);
    assert_int_equal(trove_redis_commandf(&s->redis, &reply, "PING"),
                     TROVE_STORE_TIMEOUT);
    assert_null(reply);
    assert_int_equal(s->redis.fd, -1);
    assert_non_null(strstr(s->error, "no answer within 100 ms"));

    /* the system takes the connection, and nobody answers */

    assert_int_equal(trove_redis_commandf(&s->redis, &reply, "PING"),
                     TROVE_STORE_TIMEOUT);
    assert_int_equal(kill(s->pid, SIGCONT), 0);

    s->conf.timeout = 10000;
    assert_int_equal(trove_redis_commandf(&s->redis, &reply, "PING"),
                     TROVE_STORE_DONE);
    freeReplyObject(reply);

    /* a wait that another thread ends */

    assert_int_equal(shutdown(s->redis.fd, SHUT_RDWR), 0);
    assert_int_equal(trove_redis_commandf(&s->redis, &reply, "PING"),
                     TROVE_STORE_AWAY);

    assert_int_equal(unlink(s->conf.path), 0);
    assert_int_equal(trove_redis_commandf(&s->redis, &reply, "PING"),
                     TROVE_STORE_AWAY);
    assert_non_null(strstr(s->error, "No such file"));

    redis_stop(s);
}


/* A port that was free a moment ago. */

static uint32_t
free_port(int *fd)
{
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    *fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_not_equal(*fd, -1);
    assert_int_equal(bind(*fd, (struct sockaddr *) &sin, len), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *) &sin, &len), 0);

    return ntohs(sin.sin_port);
}


static redis_t *
start_on_port(uint32_t *port)
{
    int          fd;
    char         text[16];
    const char  *args[] = { "--port", text, "--bind", "127.0.0.1", NULL };

    *port = free_port(&fd);
    assert_int_equal(close(fd), 0);
    (void) snprintf(text, sizeof(text), "%u", *port);

    return redis_start(0, args);
}


/*
 * Says that it is a master, and to everything else "answer", in which is the
 * port "to", or its own if that is 0.
 */

static pid_t start_liar(uint32_t *port, const char *answer, uint32_t to)
    __attribute__((format(printf, 2, 0)));

static pid_t
start_liar(uint32_t *port, const char *answer, uint32_t to)
{
    int          listening, fd;
    pid_t        pid;
    char         buf[65536], said[64];
    ssize_t      n;
    const char  *text;

    *port = free_port(&listening);
    assert_int_equal(listen(listening, 8), 0);
    (void) snprintf(said, sizeof(said), answer, (to != 0) ? to : *port);

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid != 0) {
        assert_int_equal(close(listening), 0);
        return pid;
    }

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

    for ( ;; ) {
        fd = accept(listening, NULL, NULL);

        while ((n = read(fd, buf, sizeof(buf) - 1)) > 0) {
            buf[n] = '\0';
            text = (strstr(buf, "ROLE") != NULL) ? "*1\r\n$6\r\nmaster\r\n"
                                                 : said;
            (void) !write(fd, text, strlen(text));
        }

        (void) close(fd);
    }
}


static void
end_liar(pid_t pid)
{
    int  status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}


static void
conf_of(trove_redis_conf_t *conf, uint32_t a, uint32_t b)
{
    char  value[64];

    (void) snprintf(value, sizeof(value), "redis://127.0.0.1:%u,127.0.0.1:%u",
                    a, b);
    parsed(value, conf);
}


static void
ping(trove_redis_t *r, trove_store_rc_t rc)
{
    redisReply        *reply;
    trove_store_rc_t   got;

    got = trove_redis_commandf(r, &reply, "ECHO hello");

    if (got != rc) {
        fail_msg("%d: %s", got, r->error);
    }

    if (rc == TROVE_STORE_DONE) {
        assert_string_equal(reply->str, "hello");
        freeReplyObject(reply);
    }
}


static void
the_next_node_is_tried(void **state)
{
    int                  fd;
    char                 error[TROVE_STORE_ERROR];
    redis_t             *one, *two;
    uint32_t             a, b, none;
    redisReply          *reply;
    trove_redis_t        r;
    trove_redis_conf_t   conf;

    one = start_on_port(&a);
    two = start_on_port(&b);
    none = free_port(&fd);

    /* one where nobody listens */

    conf_of(&conf, none, b);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.at, 1);
    trove_redis_close(&r);

    conf_of(&conf, none, none);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_AWAY);
    assert_non_null(strstr(error, "refused"));

    /* one that becomes a replica while it is used, and comes as one later */

    conf_of(&conf, a, b);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.at, 0);
    freeReplyObject(redis_do(one, "REPLICAOF 127.0.0.1 %u", none));

    assert_int_equal(trove_redis_commandf(&r, &reply, "SET k v"),
                     TROVE_STORE_DONE);
    freeReplyObject(reply);
    assert_int_equal(r.at, 1);
    trove_redis_close(&r);

    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.at, 1);
    trove_redis_close(&r);

    /* nor is it asked what a replica answers by somebody who is wary */

    freeReplyObject(redis_do(one, "REPLICAOF NO ONE"));
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_DONE);
    r.wary = 1;
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.at, 0);
    freeReplyObject(redis_do(one, "REPLICAOF 127.0.0.1 %u", none));
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.at, 1);
    assert_int_equal(r.moves, 1);

    /* there are only replicas */

    freeReplyObject(redis_do(two, "REPLICAOF 127.0.0.1 %u", none));
    ping(&r, TROVE_STORE_READONLY);
    r.wary = 0;
    assert_int_equal(trove_redis_commandf(&r, &reply, "SET k v"),
                     TROVE_STORE_READONLY);
    assert_non_null(strstr(error, "is a replica"));
    trove_redis_close(&r);

    assert_int_equal(close(fd), 0);
    trove_redis_close(&two->redis);
    trove_redis_close(&one->redis);
    redis_stop(one);
    redis_stop(two);
}


static void
who_is_sent_elsewhere_goes_there(void **state)
{
    pid_t                liar;
    char                 error[TROVE_STORE_ERROR];
    redis_t             *s;
    uint32_t             a, b;
    trove_redis_t        r;
    trove_redis_conf_t   conf;

    s = start_on_port(&b);

    liar = start_liar(&a, "-MOVED 1 127.0.0.1:%u\r\n", b);
    conf_of(&conf, a, a);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.moved, 1);
    assert_int_equal(r.node.port, b);
    ping(&r, TROVE_STORE_DONE);
    trove_redis_close(&r);
    end_liar(liar);

    /* once, and then it is asked where it is again */

    liar = start_liar(&a, "-ASK 1 127.0.0.1:%u\r\n", b);
    conf_of(&conf, a, a);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_DONE);
    assert_int_equal(r.moved, 0);
    assert_null(r.c);
    ping(&r, TROVE_STORE_DONE);
    trove_redis_close(&r);
    end_liar(liar);

    /* not for ever */

    liar = start_liar(&a, "-MOVED 1 :%u\r\n", 0);
    conf_of(&conf, a, a);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_AWAY);
    assert_non_null(strstr(error, "at another node"));
    trove_redis_close(&r);
    end_liar(liar);

    liar = start_liar(&a, "-CLUSTERDOWN Hash slot not served (%u)\r\n", 0);
    conf_of(&conf, a, a);
    trove_redis_init(&r, &conf, error);
    ping(&r, TROVE_STORE_AWAY);
    assert_non_null(strstr(error, "its cluster is down"));
    trove_redis_close(&r);
    end_liar(liar);

    redis_stop(s);
}


/* Signed by itself, for the name and not for the address. */

static void
a_certificate_is_looked_at(void **state)
{
    int                  fd;
    char                 error[TROVE_STORE_ERROR], command[512], value[64];
    char                 dir[64], cert[96], key[96], port[16];
    redis_t             *s;
    uint32_t             n;
    void                *context;
    const char          *args[] = {
        "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", cert,
        "--tls-key-file", key, "--tls-auth-clients", "no", NULL
    };
    trove_redis_t        r;
    trove_slice_t        text;
    trove_redis_conf_t   conf;

    text = slice("rediss://a");

    if (trove_redis_parse(&text, &conf, error) != TROVE_OK) {
        print_message("# skipped: hiredis has no TLS\n");
        return;
    }

    (void) snprintf(dir, sizeof(dir), "/tmp/trove-redis-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void) snprintf(cert, sizeof(cert), "%s/cert", dir);
    (void) snprintf(key, sizeof(key), "%s/key", dir);
    (void) snprintf(command, sizeof(command), "openssl req -x509 -newkey ec "
                    "-pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                    "-subj /CN=localhost -addext subjectAltName=DNS:localhost "
                    "-keyout %s -out %s 2>/dev/null", key, cert);
    assert_int_equal(system(command), 0);

    n = free_port(&fd);
    assert_int_equal(close(fd), 0);
    (void) snprintf(port, sizeof(port), "%u", n);
    s = redis_start(0, args);

    (void) snprintf(value, sizeof(value), "rediss://localhost:%u", n);
    parsed(value, &conf);
    trove_redis_init(&r, &conf, error);
    assert_int_equal(trove_redis_tls_open(&conf, error), TROVE_OK);
    ping(&r, TROVE_STORE_AWAY);
    assert_non_null(strstr(error, "self-signed"));
    trove_redis_tls_close(&conf);

    /* it is read once */

    assert_int_equal(setenv("SSL_CERT_FILE", cert, 1), 0);
    assert_int_equal(trove_redis_tls_open(&conf, error), TROVE_OK);
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
    ping(&r, TROVE_STORE_DONE);
    trove_redis_close(&r);
    context = conf.tls_context;

    (void) snprintf(value, sizeof(value), "rediss://127.0.0.1:%u", n);
    parsed(value, &conf);
    conf.tls_context = context;
    ping(&r, TROVE_STORE_AWAY);
    assert_non_null(strstr(error, "IP address mismatch"));
    trove_redis_tls_close(&conf);

    assert_int_equal(setenv("SSL_CERT_FILE", "/none", 1), 0);
    assert_int_equal(setenv("SSL_CERT_DIR", "/nor/there", 1), 0);
    assert_int_equal(trove_redis_tls_open(&conf, error), TROVE_INVALID);
    assert_non_null(strstr(error, "neither /none nor /nor/there"));
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
    assert_int_equal(unsetenv("SSL_CERT_DIR"), 0);

    redis_stop(s);
    (void) unlink(cert);
    (void) unlink(key);
    (void) rmdir(dir);
}


/*
 * A connection waits for what it has written, and some answers tell of what
 * another one has.
 */

static void
a_call_that_waits_writes(void **state)
{
    int                  waits;
    setup_t             *u;
    uint64_t             writes;
    redisReply          *reply;
    trove_redis_op_t     op;
    trove_redis_call_t   call;

    u = setup_new(NULL);
    called(u, SESSION, 1);

    memset(&op, 0, sizeof(op));
    op.type = TROVE_REDIS_CLAIM;
    op.u.claim.player = slice("ann");
    op.u.claim.reward = 1;

    memset(&call, 0, sizeof(call));
    call.instance = u->instance;
    call.session = SESSION;

    for (waits = 0; waits < 2; waits++) {
        call.waits = waits;
        writes = redis_writes(u->s);

        /* what was answered, and what changes nothing */

        call.number = 1;
        call.again = 1;
        assert_int_equal(call_of(u, &call, &op, 1, &reply), TROVE_STORE_DONE);
        freeReplyObject(reply);
        assert_int_equal(redis_writes(u->s), writes + waits);

        call.number = 2;
        call.again = 0;
        assert_int_equal(call_of(u, &call, &op, 1, &reply), TROVE_STORE_DONE);
        freeReplyObject(reply);
        assert_int_equal(redis_writes(u->s), writes + 2 * waits);
    }

    setup_free(u);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(an_address_is_read),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        cmocka_unit_test(tls_is_there_or_refused),
        cmocka_unit_test(an_error_says_how_to_go_on),
        cmocka_unit_test(a_key_of_another_type_is_named),
        cmocka_unit_test(a_row_that_is_damaged_is_named),
        cmocka_unit_test(another_trove_is_refused),
        cmocka_unit_test(full_memory_is_said),
        cmocka_unit_test(a_call_is_carried_out_once),
        cmocka_unit_test(a_call_that_is_late_is_refused),
        cmocka_unit_test(the_script_is_loaded_if_it_is_not),
        cmocka_unit_test(a_password_is_given),
        cmocka_unit_test(a_server_that_is_away_or_stopped_is_told_apart),
        cmocka_unit_test(the_next_node_is_tried),
        cmocka_unit_test(who_is_sent_elsewhere_goes_there),
        cmocka_unit_test(a_call_that_waits_writes),
        cmocka_unit_test(a_certificate_is_looked_at),
    };

    return redis_tests("redis", tests, sizeof(tests) / sizeof(tests[0]), 4,
                       NULL, NULL);
}
