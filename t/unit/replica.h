/*
 * What the tests of copies have in common: a ledger that decides, the log of
 * what it did, and a copy that is filled from the former and follows the
 * latter.
 */

#ifndef REPLICA_H_INCLUDED
#define REPLICA_H_INCLUDED


#include "boards.h"
#include "trove_replica.h"


#define REWARDS   12          /* room for them                               */
#define IDS       16          /* of rewards: 1 .. IDS                        */
#define PLAYERS   10
#define CLAIMS    6000        /* of who decides; a copy has one a pair       */
#define PAIRS     (IDS * PLAYERS + 2)
#define ROWS      PLAYERS
#define BOARDS    3
#define DAY       86400000ULL

#define LOG_MAX   20000
#define CHANGES   12          /* of an entry, at most                        */

enum { DAILY, EVER, CLAIMED };          /* the boards                        */


typedef enum {
    PUT,
    REMOVED,
    LAST,
    CLAIM,
    PLAYER,
    SCORE,
    UNSCORE
} change_type_t;


typedef struct {
    change_type_t          type;
    uint32_t               id;          /* of a reward                       */
    uint32_t               born;
    trove_reward_t         reward;
    uint32_t               who;         /* number of a player                */
    trove_restore_claim_t  claim;
    trove_player_t         player;
    uint32_t               board;
    trove_board_row_t      row;
    char                   text[256];
} change_t;


typedef struct {
    uint64_t               before;      /* the version                       */
    uint32_t               n;
    change_t               c[CHANGES];
} entry_t;


/* Shared, so that children can follow. */

typedef struct {
    uint64_t               log;         /* entries that there are            */
    uint64_t               now;
    trove_restore_claim_t  claims[IDS + 1][PLAYERS];    /* ordinal 0: none   */
    entry_t                entry[LOG_MAX + 1];          /* from 1            */
} log_t;


typedef struct {
    trove_ledger_t        *master;
    trove_redo_t          *redo;
    trove_ledger_t        *copy;
    log_t                 *log;
} world_t;


static trove_board_conf_t  board_confs[BOARDS];


static inline void
world_new(world_t *w)
{
    trove_ledger_conf_t  conf;

    board_confs[DAILY] = board_conf("daily", ROWS);
    board_confs[DAILY].reset = TROVE_BOARD_DAILY;
    board_confs[EVER] = board_conf("ever", ROWS);
    board_confs[EVER].keep = TROVE_BOARD_SUM;
    board_confs[EVER].order = TROVE_BOARD_ASC;
    board_confs[EVER].ties = TROVE_BOARD_SHARED;
    board_confs[CLAIMED] = board_conf("claimed", ROWS);
    board_confs[CLAIMED].keep = TROVE_BOARD_SUM;
    board_confs[CLAIMED].reset = TROVE_BOARD_WEEKLY;
    board_confs[CLAIMED].claims = 1;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = REWARDS;
    conf.players = PLAYERS + 2;
    conf.claims = CLAIMS;
    conf.boards = board_confs;
    conf.nboards = BOARDS;

    w->master = trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);

    conf.claims = PAIRS;

    w->copy = trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
    w->log = shared_new(sizeof(log_t));
    w->log->now = NOW;
    w->redo = redo_new(w->master);
}


static inline void
world_free(world_t *w)
{
    ledger_free(w->master);
    ledger_free(w->copy);
    (void) munmap(w->log, sizeof(log_t));
}


/* The entry that is being made. */

static inline entry_t *
entry_of(world_t *w)
{
    assert_true(w->log->log < LOG_MAX);

    return &w->log->entry[w->log->log + 1];
}


static inline change_t *
change_new(world_t *w, change_type_t type)
{
    entry_t   *e;
    change_t  *c;

    e = entry_of(w);
    assert_true(e->n < CHANGES);

    c = &e->c[e->n++];
    memset(c, 0, sizeof(*c));
    c->type = type;

    return c;
}


/* Of a live reward. */

static inline uint32_t
born_of(trove_ledger_t *l, uint32_t id)
{
    trove_ledger_copy_t  copy;

    assert_int_equal(trove_ledger_read(l, trove_ledger_slot(l, id), &copy),
                     TROVE_OK);

    return copy.born;
}


static inline void
change_player(world_t *w, uint32_t who)
{
    char           id[16];
    change_t      *c;
    trove_slice_t  s;

    c = change_new(w, PLAYER);
    c->who = who;
    s = player_id(id, who);
    assert_int_equal(trove_player_get(w->master, &s, &c->player), TROVE_OK);
}


/* As the row is by now. */

static inline int
row_of(world_t *w, change_t *c, uint32_t board, uint64_t period, uint32_t who)
{
    char           id[16];
    uint32_t       table;
    trove_rc_t     rc;
    trove_slice_t  s;

    c->type = SCORE;
    c->board = board;
    c->who = who;
    s = player_id(id, who);

    for (table = 0; table < trove_board_tables(w->master, board); table++) {
        rc = trove_board_row_of(w->master, board, table, &s, c->text, &c->row);

        if (rc == TROVE_OK && c->row.period == period) {
            return 1;
        }
    }

    return 0;
}


static inline uint64_t
period_at(uint32_t board, uint64_t now)
{
    return trove_board_period(board_confs[board].reset, now);
}


static inline uint64_t
period_of(world_t *w, uint32_t board)
{
    return period_at(board, w->log->now);
}


static inline void
change_score(world_t *w, uint32_t board, uint32_t who)
{
    assert_true(row_of(w, change_new(w, SCORE), board, period_of(w, board),
                       who));
}


static inline void
do_put(world_t *w)
{
    uint64_t         version;
    change_t        *c;
    trove_reward_t   r;

    memset(&r, 0, sizeof(r));
    r.id = 1 + random_below(IDS);
    r.x = random_below(100);
    r.y = random_below(100);
    r.value = (int32_t) random_below(90) - 20;
    r.stock = random_below(PLAYERS + 2);

    if (trove_ledger_put(w->master, &r, &version) != TROVE_OK) {
        return;
    }

    c = change_new(w, PUT);
    c->id = r.id;
    c->reward = r;
    c->born = born_of(w->master, r.id);
}


static inline void
do_remove(world_t *w)
{
    uint32_t  id;
    uint64_t  version;

    id = 1 + random_below(IDS);

    if (trove_ledger_remove(w->master, id, &version) == TROVE_OK) {
        change_new(w, REMOVED)->id = id;
    }
}


static inline void
do_claim(world_t *w)
{
    char                    id[16];
    uint32_t                reward, who;
    change_t               *c;
    trove_claim_t           got;
    trove_reward_t          r;
    trove_claim_rules_t     rules;
    trove_restore_claim_t  *kept;
    trove_claim_request_t   q;

    reward = 1 + random_below(IDS);
    who = random_below(PLAYERS);

    memset(&rules, 0, sizeof(rules));
    memset(&q, 0, sizeof(q));
    q.player = player_id(id, who);
    q.reward = reward;
    q.placed = 1;
    q.x = random_below(50);
    q.now = w->log->now;

    assert_int_equal(trove_claim(w->redo, &rules, &q, &got), TROVE_OK);

    if (got.result != TROVE_CLAIM_GRANTED) {
        return;
    }

    assert_int_equal(trove_ledger_get(w->master, reward, &r), TROVE_OK);

    kept = &w->log->claims[reward][who];
    kept->reward = reward;
    kept->born = born_of(w->master, reward);
    kept->ordinal = r.taken;
    kept->value = got.value;
    kept->balance = got.balance;
    kept->at = q.now;

    c = change_new(w, CLAIM);
    c->who = who;
    c->claim = *kept;

    change_player(w, who);
    change_score(w, CLAIMED, who);

    if (got.last) {
        change_new(w, LAST)->id = reward;
    }
}


static inline void
do_tap(world_t *w)
{
    char                 id[16];
    uint32_t             who;
    trove_tap_t          got;
    trove_tap_request_t  q;

    who = random_below(PLAYERS);

    memset(&q, 0, sizeof(q));
    q.player = player_id(id, who);
    q.seq = random_below(5);
    q.now = w->log->now * 1000;
    q.coin = 1 + random_below(5);
    q.value = (int32_t) random_below(9);

    assert_int_equal(trove_tap(w->redo, &q, &got), TROVE_OK);

    if (got.result == TROVE_TAP_GRANTED) {
        change_player(w, who);
    }
}


static inline void
do_score(world_t *w)
{
    char                    id[16], data[16];
    uint32_t                who, board;
    trove_board_write_t     q;
    trove_board_written_t   got;

    board = random_below(2);
    who = random_below(PLAYERS);

    memset(&q, 0, sizeof(q));
    q.player = player_id(id, who);
    q.score = (int64_t) random_below(9) - 4;
    q.seq = random_below(4) ? 0 : 1 + random_below(50);
    q.now = w->log->now;

    if (random_below(2)) {
        (void) snprintf(data, sizeof(data), "d%u", random_below(1000));
        q.data = slice(data);
        q.has_data = 1;
    }

    assert_int_equal(trove_board_write(w->master, board, &q, &got), TROVE_OK);

    if (got.result <= TROVE_BOARD_KEPT) {
        change_score(w, board, who);
    }
}


static inline void
do_unscore(world_t *w)
{
    char           id[16];
    uint32_t       who, board;
    change_t      *c;
    trove_slice_t  s;

    board = random_below(BOARDS);
    who = random_below(PLAYERS);
    s = player_id(id, who);

    if (trove_board_remove(w->master, board, &s, w->log->now) == TROVE_OK) {
        c = change_new(w, UNSCORE);
        c->board = board;
        c->who = who;
        c->row.period = period_of(w, board);
        c->row.reached = trove_get(&trove_board_of(w->master, board)->reached)
                         + 1;
    }
}


/* One entry more, if anything changes. */

static inline void
master_acts(world_t *w)
{
    uint32_t  n;
    entry_t  *e;

    e = entry_of(w);
    e->n = 0;
    e->before = trove_ledger_version(w->master);

    if (random_below(60) == 0) {
        w->log->now += DAY / 2 + random_below(DAY);
    }

    for (n = 1 + random_below(3); n != 0; n--) {

        switch (random_below(12)) {

        case 0:
        case 1:
            do_put(w);
            break;

        case 2:
            do_remove(w);
            break;

        case 3:
            do_tap(w);
            break;

        case 4:
            do_unscore(w);
            break;

        case 5:
        case 6:
        case 7:
            do_score(w);
            break;

        default:
            do_claim(w);
            break;
        }

        if (e->n > CHANGES - 4) {
            break;
        }
    }

    w->log->log += (e->n != 0);
}


static inline int
makes_version(const change_t *c)
{
    return c->type <= LAST;
}


static inline trove_rc_t
change_apply(world_t *w, trove_redo_t *r, const change_t *c)
{
    char                id[16];
    trove_slice_t       s;
    trove_board_row_t   row;

    s = player_id(id, c->who);

    switch (c->type) {

    case PUT:
        return trove_replica_put(w->copy, &c->reward, c->born);

    case REMOVED:
        return trove_replica_remove(w->copy, c->id);

    case LAST:
        return trove_replica_last(w->copy, c->id);

    case CLAIM:
        return trove_replica_claim(r, &s, &c->claim);

    case PLAYER:
        return trove_replica_player(r, &s, &c->player);

    case SCORE:
        row = c->row;
        row.player = s;
        row.data.data = (const unsigned char *) c->text + s.len;

        return trove_replica_score(w->copy, c->board, &row);

    default:
        return trove_replica_unscore(w->copy, c->board, c->row.period,
                                     c->row.reached, &s);
    }
}


/* Those whose version there is already are left out. */

static inline trove_rc_t
entry_apply(world_t *w, trove_redo_t *r, uint64_t number)
{
    uint32_t        i;
    uint64_t        skip;
    trove_rc_t      rc;
    const entry_t  *e;

    e = &w->log->entry[number];
    skip = 0;

    if (trove_replica_state(w->copy) == TROVE_REPLICA_LIVE) {
        skip = trove_ledger_version(w->copy) - e->before;
        assert_true(skip <= e->n);
    }

    for (i = 0; i < e->n; i++) {

        if (makes_version(&e->c[i]) && skip != 0) {
            skip--;
            continue;
        }

        rc = change_apply(w, r, &e->c[i]);

        if (rc != TROVE_OK) {
            return rc;
        }
    }

    trove_replica_applied(w->copy, number);

    return TROVE_OK;
}


/*
 * Puts what there is at this moment of what the number stands for: rewards
 * before claims, all else in any order.  Boards are those of the two periods
 * that count when the snapshot is begun.
 */

#define SCANNED  (PLAYERS + IDS * PLAYERS + (2 + 1 + 2) * PLAYERS)

static inline trove_rc_t
scan_put(world_t *w, trove_redo_t *r, uint64_t begun, uint32_t n)
{
    char            id[16];
    change_t        c;
    trove_slice_t   s;

    memset(&c, 0, sizeof(c));

    if (n < PLAYERS) {
        c.type = PLAYER;
        c.who = n;
        s = player_id(id, n);

        return trove_player_get(w->master, &s, &c.player) == TROVE_OK
               ? change_apply(w, r, &c) : TROVE_OK;
    }

    n -= PLAYERS;

    if (n < IDS * PLAYERS) {
        c.type = CLAIM;
        c.who = n % PLAYERS;
        c.claim = w->log->claims[1 + n / PLAYERS][c.who];

        return c.claim.ordinal != 0 ? change_apply(w, r, &c) : TROVE_OK;
    }

    n -= IDS * PLAYERS;
    c.who = n % PLAYERS;
    n /= PLAYERS;

    if (n == 4) {
        return row_of(w, &c, EVER, 0, c.who) ? change_apply(w, r, &c)
                                             : TROVE_OK;
    }

    c.board = (n < 2) ? DAILY : CLAIMED;

    return row_of(w, &c, c.board, period_at(c.board, begun) - n % 2, c.who)
           ? change_apply(w, r, &c) : TROVE_OK;
}


static inline trove_rc_t
scan_reward(world_t *w, uint32_t id)
{
    change_t  c;

    c.type = PUT;

    if (trove_ledger_get(w->master, id, &c.reward) != TROVE_OK) {
        return TROVE_OK;
    }

    c.born = born_of(w->master, id);

    return change_apply(w, NULL, &c);
}


static inline void
shuffle(uint32_t *numbers, uint32_t n)
{
    uint32_t  i, k, t;

    for (i = 0; i < n; i++) {
        numbers[i] = i;
    }

    for (i = n; i > 1; i--) {
        k = random_below(i);
        t = numbers[i - 1];
        numbers[i - 1] = numbers[k];
        numbers[k] = t;
    }
}


/*
 * Fills the copy, in an order that nobody promised, with some put twice, while
 * the master acts now and then; then it is LIVE, before or after it has caught
 * up.
 */

static inline trove_rc_t
snapshot(world_t *w, trove_redo_t *r, uint32_t acts)
{
    int         early;
    uint32_t    i, numbers[SCANNED];
    uint64_t    log, version, begun;
    trove_rc_t  rc;

    rc = trove_replica_begin(w->copy, "abc");
    assert_int_equal(rc, TROVE_OK);

    log = w->log->log;
    begun = w->log->now;
    version = trove_ledger_version(w->master);
    early = random_below(2);

    shuffle(numbers, IDS);

    for (i = 0; i < IDS && rc == TROVE_OK; i++) {
        rc = scan_reward(w, 1 + numbers[i]);

        if (acts && random_below(acts) == 0) {
            master_acts(w);
        }
    }

    shuffle(numbers, SCANNED);

    for (i = 0; i < SCANNED && rc == TROVE_OK; i++) {
        rc = scan_put(w, r, begun, numbers[i]);

        if (rc == TROVE_OK && random_below(8) == 0) {
            rc = scan_put(w, r, begun, numbers[random_below(i + 1)]);
        }

        if (acts && random_below(4 * acts) == 0) {
            master_acts(w);
        }
    }

    if (early && rc == TROVE_OK) {
        rc = trove_replica_live(w->copy, log, version);
    }

    while (rc == TROVE_OK && log < w->log->log) {
        rc = entry_apply(w, r, ++log);
    }

    if (!early && rc == TROVE_OK) {
        rc = trove_replica_live(w->copy, log, trove_ledger_version(w->master));
    }

    return rc;
}


static inline const trove_claim_row_t *
latest_claim(trove_ledger_t *l, uint32_t reward, uint32_t who, uint32_t *found)
{
    char                      id[16];
    uint32_t                  n, player;
    trove_slice_t             s;
    const trove_claim_row_t  *c, *latest;

    s = player_id(id, who);
    player = trove_player_find(l, &s, trove_player_hash(l, &s));
    latest = NULL;
    *found = 0;

    for (n = 0; n < trove_get(&l->claims); n++) {
        c = trove_ledger_claim(l, n);

        if (c->player == player && c->reward == reward
            && (trove_get(&((trove_claim_row_t *) c)->at)
                & TROVE_CLAIM_DECIDED) != 0)
        {
            (*found)++;
            latest = (latest == NULL || c->born > latest->born) ? c : latest;
        }
    }

    return latest;
}


static inline void
same_rewards(world_t *w)
{
    uint32_t        id;
    trove_rc_t      rc;
    trove_reward_t  a, b;

    for (id = 1; id <= IDS; id++) {
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        rc = trove_ledger_get(w->master, id, &a);
        assert_int_equal(trove_ledger_get(w->copy, id, &b), rc);
        assert_memory_equal(&a, &b, sizeof(a));

        if (rc == TROVE_OK) {
            assert_int_equal(born_of(w->master, id), born_of(w->copy, id));
        }
    }

    assert_int_equal(trove_ledger_rewards(w->master),
                     trove_ledger_rewards(w->copy));
    assert_int_equal(trove_ledger_version(w->master),
                     trove_ledger_version(w->copy));
}


static inline void
same_players(world_t *w)
{
    char            id[16];
    uint32_t        who;
    trove_slice_t   s;
    trove_player_t  a, b;

    for (who = 0; who < PLAYERS; who++) {
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        s = player_id(id, who);
        assert_int_equal(trove_player_get(w->master, &s, &a),
                         trove_player_get(w->copy, &s, &b));
        a.claim = b.claim;
        assert_memory_equal(&a, &b, sizeof(a));
    }
}


/* And whoever claimed is told so again, also of rewards that are gone. */

static inline void
same_claims(world_t *w, trove_redo_t *r)
{
    char                      id[16];
    uint32_t                  reward, who, found;
    trove_claim_t             x, y;
    const trove_claim_row_t  *a, *b;

    for (reward = 1; reward <= IDS; reward++) {

        for (who = 0; who < PLAYERS; who++) {
            a = latest_claim(w->master, reward, who, &found);
            b = latest_claim(w->copy, reward, who, &found);
            assert_true((a == NULL) == (b == NULL));

            if (a == NULL) {
                continue;
            }

            assert_int_equal(found, 1);
            assert_int_equal(a->born, b->born);
            assert_int_equal(a->ordinal, b->ordinal);
            assert_int_equal(a->value, b->value);
            assert_true(a->balance == b->balance);
            assert_true(trove_get(&((trove_claim_row_t *) a)->at)
                        == trove_get(&((trove_claim_row_t *) b)->at));

            if (trove_ledger_slot(w->master, reward) != TROVE_LEDGER_NONE
                && born_of(w->master, reward) != a->born)
            {
                continue;
            }

            (void) player_id(id, who);
            assert_int_equal(claim(w->redo, id, reward, &x), TROVE_OK);
            assert_int_equal(claim(r, id, reward, &y), TROVE_OK);
            assert_int_equal(x.result, TROVE_CLAIM_REPEAT);
            assert_int_equal(y.result, TROVE_CLAIM_REPEAT);
            assert_true(x.balance == y.balance && x.value == y.value);
        }
    }
}


static inline void
same_entries(const trove_board_entry_t *a, const trove_board_entry_t *b,
    uint32_t n)
{
    for ( /* void */ ; n != 0; n--, a++, b++) {
        assert_int_equal(a->rank, b->rank);
        assert_true(a->score == b->score);
        assert_int_equal(a->player.len, b->player.len);
        assert_memory_equal(a->player.data, b->player.data, a->player.len);
        assert_int_equal(a->data.len, b->data.len);
        assert_memory_equal(a->data.data, b->data.data, a->data.len);
    }
}


static inline void
same_board(world_t *w, uint32_t board, int period)
{
    uint32_t                    n, m;
    trove_board_state_t         sa, sb;
    static trove_board_entry_t  a[ROWS], b[ROWS];
    static char                 ta[ROWS * 160], tb[ROWS * 160];

    assert_int_equal(trove_board_list(w->master, board, period, w->log->now, 1,
                                      ROWS, ta, a, &n, &sa), TROVE_OK);
    assert_int_equal(trove_board_list(w->copy, board, period, w->log->now, 1,
                                      ROWS, tb, b, &m, &sb), TROVE_OK);
    assert_int_equal(n, m);
    assert_int_equal(sa.rows, sb.rows);
    assert_true(sa.ends == sb.ends);
    same_entries(a, b, n);
}


static inline void
same_boards(world_t *w)
{
    char           id[16], ta[256], tb[256];
    uint32_t       board, n, m, who;
    trove_slice_t  s;

    trove_board_state_t  state;
    trove_board_entry_t  a, b;

    for (board = 0; board < BOARDS; board++) {
        same_board(w, board, 0);
        same_board(w, board, -1);

        for (who = 0; who < PLAYERS; who++) {
            s = player_id(id, who);
            assert_int_equal(trove_board_around(w->master, board, 0,
                                                w->log->now, &s, 0, ta, &a,
                                                &n, &state),
                             trove_board_around(w->copy, board, 0,
                                                w->log->now, &s, 0, tb, &b,
                                                &m, &state));
            assert_int_equal(n, m);
            same_entries(&a, &b, n);
        }
    }
}


static inline void
same(world_t *w, trove_redo_t *r)
{
    same_rewards(w);
    same_players(w);
    same_claims(w, r);
    same_boards(w);
}


#endif /* REPLICA_H_INCLUDED */
