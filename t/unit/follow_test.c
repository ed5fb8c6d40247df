
/*
 * Followers of one Redis, which is written by its script: whatever happens to
 * connections, to the log, and to Redis, their ledgers become what it has.
 */

#include "players.h"
#include "redis.h"
#include "trove_clock.h"
#include "trove_follow.h"


#define REWARDS    60
#define PLAYERS    40
#define CLAIMS     20000
#define BOARDS     3
#define OPS        16                   /* of a call                         */
#define LONG       20000000000ULL       /* ns: something is wrong by then    */


#define MACHINES   4                    /* at once                           */

typedef struct {
    trove_ledger_t     *ledger;         /* NULL: it is not there             */
    trove_follow_t      follow;
    pthread_t           thread;
    int                 goes;
    _Atomic uint64_t    moved;
} machine_t;


static redis_t             *redis;
static trove_redis_conf_t   redis_conf;     /* of the followers              */
static trove_board_conf_t   boards[BOARDS];
static const trove_slice_t  trove = { (const unsigned char *) "hunt", 4 };

static machine_t            machines[MACHINES];


static void
conf_of(trove_ledger_conf_t *conf, uint32_t rewards)
{
    memset(conf, 0, sizeof(trove_ledger_conf_t));

    conf->rewards = rewards;
    conf->players = PLAYERS;
    conf->claims = CLAIMS;
    conf->boards = boards;
    conf->nboards = BOARDS;
}


static int
setup(void **state)
{
    (void) random_setup(state);

    memset(boards, 0, sizeof(boards));

    (void) strcpy(boards[0].name, "top");
    boards[0].rows = 30;
    boards[0].row = 128;

    (void) strcpy(boards[1].name, "won");
    boards[1].rows = PLAYERS;
    boards[1].row = 128;
    boards[1].keep = TROVE_BOARD_SUM;
    boards[1].reset = TROVE_BOARD_WEEKLY;
    boards[1].claims = 1;

    (void) strcpy(boards[2].name, "day");
    boards[2].rows = PLAYERS;
    boards[2].row = 256;
    boards[2].keep = TROVE_BOARD_LAST;
    boards[2].reset = TROVE_BOARD_DAILY;

    redis = redis_start(0, NULL);

    redis_conf = redis->conf;
    redis_conf.timeout = 500;

    return 0;
}


static int
teardown(void **state)
{
    char  path[128];

    (void) snprintf(path, sizeof(path), "%s/kept.rdb", redis->dir);
    (void) unlink(path);

    redis_stop(redis);

    return 0;
}


/* What there is now can be brought back. */

static void
keep(void)
{
    char  from[128], to[128];

    redis_did(redis, "SAVE");

    (void) snprintf(from, sizeof(from), "%s/dump.rdb", redis->dir);
    (void) snprintf(to, sizeof(to), "%s/kept.rdb", redis->dir);

    assert_int_equal(rename(from, to), 0);
}


static void
bring_back(void)
{
    char  from[128], to[128];

    assert_int_equal(kill(redis->pid, SIGKILL), 0);
    assert_int_equal(waitpid(redis->pid, NULL, 0), redis->pid);

    trove_redis_close(&redis->redis);

    (void) snprintf(from, sizeof(from), "%s/kept.rdb", redis->dir);
    (void) snprintf(to, sizeof(to), "%s/dump.rdb", redis->dir);

    assert_int_equal(rename(from, to), 0);

    redis->pid = fork();
    assert_int_not_equal(redis->pid, -1);

    if (redis->pid == 0) {
        redis_child(redis, NULL);
    }

    while (trove_redis_connect(&redis->redis) != TROVE_STORE_DONE) {
        (void) usleep(10000);
    }
}


static void
moved(void *data)
{
    machine_t  *m = data;

    (void) atomic_fetch_add(&m->moved, 1);
}


static void *
follow(void *data)
{
    machine_t  *m = data;

    trove_follow_run(&m->follow);

    return NULL;
}


static void
machine_go(machine_t *m)
{
    assert_int_equal(trove_follow_init(&m->follow, m->ledger, &redis_conf,
                                       &trove, moved, m),
                     TROVE_OK);
    assert_true(trove_follow_elect(&m->follow));
    assert_int_equal(pthread_create(&m->thread, NULL, follow, m), 0);

    m->goes = 1;
}


static void
machine_halt(machine_t *m)
{
    m->goes = 0;

    trove_follow_stop(&m->follow);
    assert_int_equal(pthread_join(m->thread, NULL), 0);
    trove_follow_done(&m->follow);
}


static machine_t *
machine_new(uint32_t rewards)
{
    machine_t            *m;
    trove_ledger_conf_t   conf;

    for (m = machines; m->ledger != NULL; m++) {
        assert_true(m < &machines[MACHINES - 1]);
    }

    conf_of(&conf, rewards);

    memset(m, 0, sizeof(machine_t));

    m->ledger = trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);

    machine_go(m);

    return m;
}


static void
machine_end(machine_t *m)
{
    machine_halt(m);

    assert_true(trove_ledger_sane(m->ledger));

    ledger_free(m->ledger);
    m->ledger = NULL;
}


/* What a test that failed has left. */

static int
left(void **state)
{
    machine_t  *m;

    for (m = machines; m < &machines[MACHINES]; m++) {

        if (m->goes) {
            machine_halt(m);
        }

        if (m->ledger != NULL) {
            ledger_free(m->ledger);
            m->ledger = NULL;
        }
    }

    return 0;
}


/* Whether the machine's report is that, by now or soon. */

static trove_client_report_t
reported(machine_t *m, trove_store_rc_t rc)
{
    uint64_t               end;
    trove_client_report_t  report;

    end = trove_clock_ns() + LONG;

    do {
        trove_follow_report(&m->follow, &report);

        if (report.n && report.rc == rc) {
            return report;
        }

        (void) usleep(1000);

    } while (trove_clock_ns() < end);

    fail_msg("not %d but %d: %s", rc, report.rc, report.error);

    return report;
}


static void
meta_now(trove_redis_meta_t *meta)
{
    assert_int_equal(trove_redis_meta(&redis->redis, &trove, meta),
                     TROVE_STORE_DONE);
}


/* It has all that was written before. */

static void
caught_up(machine_t *m)
{
    uint64_t            end;
    trove_redis_meta_t  meta;

    meta_now(&meta);
    end = trove_clock_ns() + LONG;

    while (trove_replica_state(m->ledger) != TROVE_REPLICA_LIVE
           || trove_replica_log(m->ledger) != meta.log
           || strcmp(trove_replica_instance(m->ledger), meta.instance) != 0)
    {
        if (trove_clock_ns() > end) {
            fail_msg("log %lu, not %lu: %s",
                     (unsigned long) trove_replica_log(m->ledger),
                     (unsigned long) meta.log, m->follow.client.report.error);
        }

        (void) usleep(1000);
    }

    assert_int_equal(trove_ledger_version(m->ledger), meta.version);
}


static void
name_of(uint32_t n, char *name, trove_slice_t *slice)
{
    slice->data = (unsigned char *) name;
    slice->len = (size_t) sprintf(name, "p%u", n);
}


static void
op_random(trove_redis_op_t *op, char *name)
{
    trove_slice_t    player;
    trove_reward_t  *r;

    memset(op, 0, sizeof(trove_redis_op_t));
    name_of(random_below(PLAYERS), name, &player);

    switch (random_below(12)) {

    case 0:
    case 1:
        r = &op->u.put;
        op->type = TROVE_REDIS_PUT;
        r->id = 1 + random_below(REWARDS);
        r->x = random_below(1000);
        r->y = random_below(1000);
        r->value = 1 + (int32_t) random_below(100);
        r->stock = 1 + random_below(5);
        break;

    case 2:
        op->type = TROVE_REDIS_REMOVE;
        op->u.remove = 1 + random_below(REWARDS);
        break;

    case 3:
    case 4:
    case 5:
    case 6:
        op->type = TROVE_REDIS_CLAIM;
        op->u.claim.player = player;
        op->u.claim.reward = 1 + random_below(REWARDS);
        op->u.claim.placed = random_below(2);
        op->u.claim.x = random_below(1000);
        break;

    case 7:
        op->type = TROVE_REDIS_TAP;
        op->u.tap.player = player;
        op->u.tap.seq = random_below(2) ? 0 : 1 + random_below(50);
        op->u.tap.coin = 1 + random_below(3);
        op->u.tap.value = (int32_t) random_below(50);
        break;

    case 8:
        op->type = TROVE_REDIS_UNSCORE;
        op->board = 2 * random_below(2);
        op->u.unscore = player;
        break;

    default:
        op->type = TROVE_REDIS_SCORE;
        op->board = 2 * random_below(2);
        op->u.score.player = player;
        op->u.score.score = random_below(1000);
        op->u.score.data.data = (const unsigned char *) "some data of a row";
        op->u.score.data.len = random_below(18);
        op->u.score.has_data = random_below(2);
        break;
    }
}


/* Some calls of random ops. */

static void
write_some(uint32_t calls)
{
    char                  names[OPS][8], *text;
    size_t                lens[OPS + 2], size;
    uint32_t              i, n;
    redisReply           *reply;
    const char           *argv[OPS + 2];
    trove_store_rc_t      rc;
    trove_redis_op_t      op;
    trove_redis_meta_t    meta;
    trove_redis_call_t    call;
    trove_redis_rules_t   rules;

    meta_now(&meta);

    memset(&call, 0, sizeof(call));
    call.instance = meta.instance;

    memset(&rules, 0, sizeof(rules));
    conf_of(&rules.ledger, REWARDS);
    rules.log_max = 65536;

    text = malloc(65536);
    assert_non_null(text);

    while (calls--) {
        n = 1 + random_below(OPS);
        size = 0;

        argv[0] = text;
        lens[0] = trove_redis_call(text, &call);
        size += lens[0];

        argv[1] = text + size;
        lens[1] = trove_redis_rules(text + size, &rules);
        size += lens[1];

        for (i = 0; i < n; i++) {
            op_random(&op, names[i]);

            argv[2 + i] = text + size;
            lens[2 + i] = trove_redis_op(text + size, &op);
            size += lens[2 + i];
        }

        assert_true(size <= 65536);

        do {
            rc = redis_eval(redis, &trove, &reply, (int) n + 2, argv, lens);
        } while (rc == TROVE_STORE_AWAY);

        if (rc != TROVE_STORE_DONE) {
            fail_msg("%d: %s", rc, redis->error);
        }

        freeReplyObject(reply);
    }

    free(text);
}


/* What a claim is repeated with: that of the latest reward of the id. */

static const trove_claim_row_t *
claim_of(const trove_ledger_t *l, uint32_t player, uint32_t reward)
{
    uint32_t                  i;
    const trove_claim_row_t  *c, *best;

    best = NULL;

    for (i = 0; i < trove_ledger_claims(l); i++) {
        c = trove_ledger_claim(l, i);

        if (c->player == player && c->reward == reward
            && c->ordinal && (best == NULL || c->born > best->born))
        {
            best = c;
        }
    }

    return best;
}


static void
same_player(trove_ledger_t *a, trove_ledger_t *b, uint32_t n)
{
    char                      name[8];
    uint32_t                  i, pa, pb;
    trove_rc_t                rc;
    trove_slice_t             id;
    trove_player_t            p, q;
    const trove_claim_row_t  *c, *d;

    name_of(n, name, &id);
    memset(&p, 0, sizeof(p));
    memset(&q, 0, sizeof(q));

    rc = trove_player_get(a, &id, &p);
    assert_int_equal(trove_player_get(b, &id, &q), rc);

    p.claim = q.claim = 0;
    assert_memory_equal(&p, &q, sizeof(p));

    if (rc != TROVE_OK) {
        return;
    }

    pa = trove_player_find(a, &id, trove_player_hash(a, &id));
    pb = trove_player_find(b, &id, trove_player_hash(b, &id));

    for (i = 1; i <= REWARDS; i++) {
        c = claim_of(a, pa, i);
        d = claim_of(b, pb, i);

        assert_true((c == NULL) == (d == NULL));

        if (c != NULL) {
            assert_int_equal(c->born, d->born);
            assert_int_equal(c->ordinal, d->ordinal);
            assert_int_equal(c->value, d->value);
            assert_int_equal(c->balance, d->balance);
            assert_int_equal(trove_get(&c->at), trove_get(&d->at));
        }
    }
}


static void
same_board(trove_ledger_t *a, trove_ledger_t *b, uint32_t board, int period)
{
    char                 *text[2];
    uint32_t              i, n[2];
    uint64_t              now;
    trove_board_state_t   state[2];
    trove_board_entry_t   e[2][PLAYERS];

    now = (uint64_t) time(NULL) * 1000;

    text[0] = malloc(2 * PLAYERS * boards[board].row);
    assert_non_null(text[0]);
    text[1] = text[0] + PLAYERS * boards[board].row;

    assert_int_equal(trove_board_list(a, board, period, now, 1, PLAYERS,
                                      text[0], e[0], &n[0], &state[0]),
                     TROVE_OK);
    assert_int_equal(trove_board_list(b, board, period, now, 1, PLAYERS,
                                      text[1], e[1], &n[1], &state[1]),
                     TROVE_OK);

    assert_int_equal(n[0], n[1]);
    assert_int_equal(state[0].rows, state[1].rows);

    for (i = 0; i < n[0]; i++) {
        assert_int_equal(e[0][i].score, e[1][i].score);
        assert_int_equal(e[0][i].rank, e[1][i].rank);
        assert_int_equal(e[0][i].player.len, e[1][i].player.len);
        assert_memory_equal(e[0][i].player.data, e[1][i].player.data,
                            e[0][i].player.len);
        assert_int_equal(e[0][i].data.len, e[1][i].data.len);
        assert_memory_equal(e[0][i].data.data, e[1][i].data.data,
                            e[0][i].data.len);
    }

    free(text[0]);
}


static void
same(trove_ledger_t *a, trove_ledger_t *b)
{
    uint32_t        i;
    trove_rc_t      rc;
    trove_reward_t  r, s;

    assert_int_equal(trove_ledger_version(a), trove_ledger_version(b));
    assert_int_equal(trove_ledger_rewards(a), trove_ledger_rewards(b));

    for (i = 1; i <= REWARDS; i++) {
        memset(&r, 0, sizeof(r));
        memset(&s, 0, sizeof(s));

        rc = trove_ledger_get(a, i, &r);
        assert_int_equal(trove_ledger_get(b, i, &s), rc);
        assert_memory_equal(&r, &s, sizeof(r));
    }

    for (i = 0; i < PLAYERS; i++) {
        same_player(a, b, i);
    }

    for (i = 0; i < BOARDS; i++) {
        same_board(a, b, i, 0);
        same_board(a, b, i, -1);
    }
}


/* Both have all, and it is what one that knows nothing reads. */

static void
all_same(machine_t **m, uint32_t n)
{
    uint32_t    i;
    machine_t  *fresh;

    fresh = machine_new(REWARDS);
    caught_up(fresh);

    for (i = 0; i < n; i++) {
        caught_up(m[i]);
        same(fresh->ledger, m[i]->ledger);
    }

    machine_end(fresh);
}


static void
empty(void)
{
    redis_did(redis, "FLUSHALL");
}


static uint64_t
snapshots(machine_t *m)
{
    return trove_stat_get(&m->follow.stats.snapshots);
}


static void
followers_have_what_is_written(void **state)
{
    uint32_t   i;
    machine_t  *m[2];

    empty();

    /* both find nothing, and one makes it */

    m[0] = machine_new(REWARDS);
    m[1] = machine_new(REWARDS);

    (void) reported(m[0], TROVE_STORE_DONE);
    (void) reported(m[1], TROVE_STORE_DONE);

    for (i = 0; i < 10; i++) {
        write_some(1 + random_below(40));
        all_same(m, 2);
    }

    assert_int_equal(snapshots(m[0]), 1);
    assert_int_equal(snapshots(m[1]), 1);
    assert_true(atomic_load(&m[0]->moved) > 0);

    machine_end(m[0]);
    machine_end(m[1]);
}


static void
connections_may_break(void **state)
{
    uint32_t   i;
    machine_t  *m[2];

    empty();

    m[0] = machine_new(REWARDS);
    m[1] = machine_new(REWARDS);
    (void) reported(m[0], TROVE_STORE_DONE);

    for (i = 0; i < 30; i++) {
        write_some(1 + random_below(20));
        redis_did(redis, "CLIENT KILL TYPE normal SKIPME yes");
    }

    all_same(m, 2);

    /* it goes on from where it was */

    assert_int_equal(snapshots(m[0]), 1);
    assert_true(trove_stat_get(&m[0]->follow.stats.opens) > 1);

    machine_end(m[0]);
    machine_end(m[1]);
}


/* A snapshot of what is written meanwhile, at random moments. */

static void
a_snapshot_is_of_one_moment(void **state)
{
    uint32_t   i;
    machine_t  *m;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(100);
    machine_end(m);

    for (i = 0; i < 20; i++) {
        m = machine_new(REWARDS);
        write_some(1 + random_below(60));
        all_same(&m, 1);
        machine_end(m);
    }
}


static void
another_process_goes_on(void **state)
{
    uint32_t   i;
    machine_t  *m;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);

    for (i = 0; i < 10; i++) {
        write_some(1 + random_below(20));
        machine_halt(m);
        write_some(1 + random_below(20));
        machine_go(m);
        caught_up(m);
        assert_int_equal(snapshots(m), 0);
    }

    all_same(&m, 1);
    machine_end(m);
}


static void
a_log_that_was_cut(void **state)
{
    machine_t  *m;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(50);
    caught_up(m);
    machine_halt(m);

    write_some(50);
    redis_did(redis, "XTRIM trove:{hunt}:log MAXLEN 10");

    machine_go(m);
    all_same(&m, 1);
    assert_int_equal(snapshots(m), 1);

    /* while it is followed, and all of it */

    write_some(5);
    caught_up(m);
    redis_did(redis, "DEL trove:{hunt}:log");
    write_some(5);
    all_same(&m, 1);

    machine_end(m);
}


static void
what_is_gone_is_not_taken_over(void **state)
{
    uint64_t                version;
    machine_t               *m;
    trove_client_report_t   report;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(50);
    caught_up(m);
    keep();

    version = trove_ledger_version(m->ledger);

    empty();

    report = reported(m, TROVE_STORE_GONE);
    assert_non_null(strstr(report.error, "no longer there"));

    assert_int_equal(trove_replica_state(m->ledger), TROVE_REPLICA_LIVE);
    assert_int_equal(trove_ledger_version(m->ledger), version);

    bring_back();

    (void) reported(m, TROVE_STORE_DONE);
    write_some(20);
    all_same(&m, 1);

    machine_end(m);
}


static void
what_is_left_of_one_is_not_taken_over(void **state)
{
    machine_t              *m;
    trove_client_report_t   report;

    empty();
    redis_did(redis, "HSET trove:{hunt}:claims 1:ann row");

    m = machine_new(REWARDS);

    report = reported(m, TROVE_STORE_FOREIGN);
    assert_non_null(strstr(report.error, "but \"trove:{hunt}:claims\" is"));
    assert_int_equal(trove_replica_state(m->ledger), TROVE_REPLICA_NEVER);

    redis_did(redis, "DEL trove:{hunt}:claims");
    (void) reported(m, TROVE_STORE_DONE);
    write_some(5);
    all_same(&m, 1);

    machine_end(m);
}


static void
another_trove_is_not_taken_for_it(void **state)
{
    uint64_t               version;
    machine_t              *m, *other;
    trove_client_report_t  report;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(50);
    caught_up(m);
    version = trove_ledger_version(m->ledger);

    empty();

    other = machine_new(REWARDS);
    (void) reported(other, TROVE_STORE_DONE);
    write_some(10);
    caught_up(other);

    report = reported(m, TROVE_STORE_FOREIGN);
    assert_non_null(strstr(report.error, "another one of the same name"));
    assert_int_equal(trove_ledger_version(m->ledger), version);

    machine_end(m);
    machine_end(other);
}


/* Redis is brought back to an earlier state, and becomes another from there. */

static void
another_lineage(void **state)
{
    uint32_t    i;
    uint64_t    before;
    machine_t  *m;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);

    for (i = 0; i < 4; i++) {
        write_some(20);
        keep();
        write_some(10);
        caught_up(m);

        if (i & 1) {
            machine_halt(m);
        }

        before = snapshots(m);
        bring_back();

        /* less than there was, or as much */

        write_some((i & 2) ? 10 : 5);

        if (i & 1) {
            machine_go(m);
            before = 0;
        }

        while (snapshots(m) == before) {
            (void) usleep(1000);
        }

        all_same(&m, 1);
    }

    machine_end(m);
}


/* All rows are read again, but not as fast as they can be. */

static void
a_trove_that_is_behind_its_log(void **state)
{
    uint64_t    before;
    machine_t  *m;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(20);
    caught_up(m);

    before = snapshots(m);
    redis_did(redis, "HINCRBY trove:{hunt} log -1");

    while (snapshots(m) < before + 3) {
        (void) usleep(1000);
    }

    machine_halt(m);
    assert_true(m->follow.client.wait > TROVE_CLIENT_AGAIN);

    redis_did(redis, "HINCRBY trove:{hunt} log 1");
    machine_go(m);
    write_some(20);
    all_same(&m, 1);

    machine_end(m);
}


static void
garbage_in_the_log(void **state)
{
    char                   command[128];
    uint64_t               version;
    machine_t              *m;
    trove_redis_meta_t     meta;
    trove_client_report_t  report;

    empty();

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(20);
    caught_up(m);
    version = trove_ledger_version(m->ledger);

    redis_did(redis, "XADD trove:{hunt}:log * what ever");

    report = reported(m, TROVE_STORE_FOREIGN);
    assert_non_null(strstr(report.error, "is not trove's"));
    assert_int_equal(trove_replica_state(m->ledger), TROVE_REPLICA_LIVE);
    assert_int_equal(trove_ledger_version(m->ledger), version);

    redis_did(redis, "DEL trove:{hunt}:log");
    (void) reported(m, TROVE_STORE_DONE);
    write_some(20);
    all_same(&m, 1);

    /* one that is damaged */

    machine_halt(m);
    meta_now(&meta);

    (void) snprintf(command, sizeof(command),
                    "XADD trove:{hunt}:log %lu-0 v %lu o x:1 d Px",
                    (unsigned long) meta.log + 1,
                    (unsigned long) meta.version);
    redis_did(redis, command);
    redis_did(redis, "HINCRBY trove:{hunt} log 1");

    machine_go(m);
    write_some(20);
    all_same(&m, 1);
    assert_true(trove_stat_get(&m->follow.stats.failures[TROVE_STORE_FOREIGN])
                >= 1);

    /* a row that is damaged, and one of another type */

    redis_did(redis, "HSET trove:{hunt}:players xx yy");
    redis_did(redis, "XTRIM trove:{hunt}:log MAXLEN 0");
    machine_halt(m);
    machine_go(m);
    report = reported(m, TROVE_STORE_FOREIGN);
    assert_non_null(strstr(report.error, "a player of it is damaged"));
    assert_int_equal(trove_replica_state(m->ledger), TROVE_REPLICA_LOADING);

    redis_did(redis, "HDEL trove:{hunt}:players xx");
    (void) reported(m, TROVE_STORE_DONE);
    all_same(&m, 1);

    machine_end(m);
}


static uint64_t
failures(machine_t *m)
{
    return trove_stat_get(&m->follow.stats.failures[TROVE_STORE_FULL]);
}


static void
a_capacity_that_is_too_small(void **state)
{
    uint64_t               failed, n;
    machine_t              *m, *small;
    trove_client_report_t  report;

    empty();

    m = machine_new(REWARDS);
    small = machine_new(3);
    (void) reported(m, TROVE_STORE_DONE);
    (void) reported(small, TROVE_STORE_DONE);

    write_some(60);
    caught_up(m);

    report = reported(small, TROVE_STORE_FULL);
    assert_non_null(strstr(report.error, "no room here for a reward"));
    assert_non_null(strstr(report.error, "more than \"capacity rewards=3\""));
    assert_int_equal(trove_replica_state(small->ledger), TROVE_REPLICA_LIVE);
    assert_int_equal(trove_ledger_rewards(small->ledger), 3);

    /* it is not said to be well in between */

    failed = failures(small);
    n = report.n;

    while (failures(small) < failed + 3) {
        (void) usleep(1000);
    }

    machine_halt(small);
    assert_in_range(small->follow.client.report.n - n, 1,
                    failures(small) - failed + 1);

    machine_go(small);
    machine_end(small);
    all_same(&m, 1);
    machine_end(m);
}


/* To have a name and to ask for its part is not needed, to read the log is. */

static void
a_right_may_be_missing(void **state)
{
    machine_t              *m;
    trove_client_report_t   report;

    empty();
    redis_did(redis, "ACL SETUSER default -client -role");

    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(5);
    caught_up(m);
    write_some(5);
    caught_up(m);

    assert_int_equal(trove_stat_get(&m->follow.stats.failures
                                        [TROVE_STORE_DENIED]), 0);

    redis_did(redis, "ACL SETUSER default -xread");
    report = reported(m, TROVE_STORE_DENIED);
    assert_non_null(strstr(report.error, "xread"));

    redis_did(redis, "ACL SETUSER default +client +role +xread");
    (void) reported(m, TROVE_STORE_DONE);
    all_same(&m, 1);

    machine_end(m);
}


/* Neither one that is a replica nor that becomes one: what it has is old. */

static void
a_replica_is_not_followed(void **state)
{
    machine_t              *m;
    trove_client_report_t   report;

    empty();
    m = machine_new(REWARDS);
    (void) reported(m, TROVE_STORE_DONE);
    write_some(5);
    caught_up(m);

    redis_did(redis, "REPLICAOF 127.0.0.1 1");
    report = reported(m, TROVE_STORE_READONLY);
    assert_non_null(strstr(report.error, "replica"));

    machine_halt(m);
    machine_go(m);
    (void) reported(m, TROVE_STORE_READONLY);

    redis_did(redis, "REPLICAOF NO ONE");
    (void) reported(m, TROVE_STORE_DONE);
    write_some(5);
    all_same(&m, 1);

    machine_end(m);
}


/* Redis does not answer; who has to stop does not wait for it. */

static void
redis_may_be_stopped(void **state)
{
    machine_t  *m[2];

    empty();

    m[0] = machine_new(REWARDS);
    m[1] = machine_new(REWARDS);
    (void) reported(m[0], TROVE_STORE_DONE);
    write_some(10);
    caught_up(m[0]);
    caught_up(m[1]);

    assert_int_equal(kill(redis->pid, SIGSTOP), 0);

    (void) reported(m[0], TROVE_STORE_TIMEOUT);
    machine_halt(m[0]);

    assert_int_equal(kill(redis->pid, SIGCONT), 0);

    machine_go(m[0]);
    write_some(10);
    all_same(m, 2);

    machine_end(m[0]);
    machine_end(m[1]);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(followers_have_what_is_written, left),
        cmocka_unit_test_teardown(connections_may_break, left),
        cmocka_unit_test_teardown(a_snapshot_is_of_one_moment, left),
        cmocka_unit_test_teardown(another_process_goes_on, left),
        cmocka_unit_test_teardown(a_log_that_was_cut, left),
        cmocka_unit_test_teardown(what_is_gone_is_not_taken_over, left),
        cmocka_unit_test_teardown(what_is_left_of_one_is_not_taken_over, left),
        cmocka_unit_test_teardown(another_trove_is_not_taken_for_it, left),
        cmocka_unit_test_teardown(another_lineage, left),
        cmocka_unit_test_teardown(a_trove_that_is_behind_its_log, left),
        cmocka_unit_test_teardown(garbage_in_the_log, left),
        cmocka_unit_test_teardown(a_capacity_that_is_too_small, left),
        cmocka_unit_test_teardown(a_right_may_be_missing, left),
        cmocka_unit_test_teardown(a_replica_is_not_followed, left),
        cmocka_unit_test_teardown(redis_may_be_stopped, left)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
