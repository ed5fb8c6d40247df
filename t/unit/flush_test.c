
/*
 * A ledger and its store: what was said to be durable is, whoever dies and
 * whatever fails; and a ledger that is filled from the store is the same.
 */

#include "players.h"
#include "disk.h"
#include "trove_board_data.h"
#include "trove_clock.h"
#include "trove_dirty.h"
#include "trove_flush.h"
#include "trove_mark.h"


#define REWARDS  30
#define PLAYERS  30
#define CLAIMS   600
#define STEPS    4
#define BOARDS   5
#define ROWS     20
#define DAY      86400000ULL            /* milliseconds                      */
#define QUEUES   77                     /* whose marks these are             */

/* Operations of a disk, or points of a flush: more than there are. */
#define TIMES    5000


static char  dir[64];
static char  path[80];
static char  copy[80];

/* The boards that a ledger gets, and their time. */

static trove_board_conf_t  boards[BOARDS];
static uint32_t            nboards;
static uint64_t            now;


static void
boards_new(void)
{
    memset(boards, 0, sizeof(boards));

    (void) strcpy(boards[0].name, "ever");
    boards[0].rows = ROWS;
    boards[0].row = 128;

    (void) strcpy(boards[1].name, "week");
    boards[1].rows = ROWS;
    boards[1].row = TROVE_BOARD_ROW_MIN + 8;
    boards[1].keep = TROVE_BOARD_LAST;
    boards[1].ties = TROVE_BOARD_SHARED;
    boards[1].reset = TROVE_BOARD_WEEKLY;

    (void) strcpy(boards[2].name, "day");
    boards[2].rows = ROWS / 2;
    boards[2].row = 256;
    boards[2].keep = TROVE_BOARD_SUM;
    boards[2].order = TROVE_BOARD_ASC;
    boards[2].reset = TROVE_BOARD_DAILY;

    (void) strcpy(boards[3].name, "claims");
    boards[3].rows = 2 * PLAYERS;
    boards[3].row = 128;
    boards[3].keep = TROVE_BOARD_SUM;
    boards[3].claims = 1;

    (void) strcpy(boards[4].name, "of a day");
    boards[4].rows = PLAYERS;
    boards[4].row = 136;
    boards[4].keep = TROVE_BOARD_SUM;
    boards[4].reset = TROVE_BOARD_DAILY;
    boards[4].claims = 1;

    nboards = BOARDS;
    now = NOW;
}


static void
remove_at(const char *suffix)
{
    char  name[128];

    (void) snprintf(name, sizeof(name), "%s%s", path, suffix);
    (void) unlink(name);
}


static void
store_none(void)
{
    remove_at("");
    remove_at("-wal");
    remove_at("-shm");
    remove_at("-journal");
    disk_reset();
}


static void
flush_at(trove_flush_t *f, trove_ledger_t *l, const char *at)
{
    trove_store_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.path = at;
    conf.busy = 1000;
    conf.log_size = 20000;
    conf.log_max = TROVE_STORE_LOG_MAX;
    conf.vfs = DISK;

    assert_int_equal(trove_flush_init(f, l, &trove_store_sqlite, &conf),
                     TROVE_OK);
}


static void
flush_new(trove_flush_t *f, trove_ledger_t *l)
{
    flush_at(f, l, path);
}


#define flushed(f)  assert_flushed(f, __LINE__)

static void
assert_flushed(trove_flush_t *f, int line)
{
    assert_true(trove_flush_elect(f));

    if (trove_flush_run(f) != TROVE_STORE_DONE) {
        fail_msg("line %d: %s", line, f->error);
    }
}


static trove_ledger_t *
ledger_of(uint32_t rewards, uint32_t players, uint32_t claims)
{
    trove_ledger_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = rewards;
    conf.players = players;
    conf.claims = claims;
    conf.boards = boards;
    conf.nboards = nboards;

    return trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
}


static trove_ledger_t *
ledger_small(void)
{
    boards_new();

    return ledger_of(REWARDS, PLAYERS, CLAIMS);
}


/* A ledger filled from the store, of such capacities. */

static trove_ledger_t *
loaded_at(const char *at, uint32_t rewards, uint32_t players, uint32_t claims)
{
    trove_flush_t    f;
    trove_ledger_t  *l;

    l = ledger_of(rewards, players, claims);
    flush_at(&f, l, at);

    if (trove_flush_load(&f) != TROVE_STORE_DONE) {
        fail_msg("%s", f.error);
    }

    trove_flush_close(&f);
    assert_true(trove_ledger_sane(l));

    return l;
}


static trove_ledger_t *
loaded_of(uint32_t rewards, uint32_t players, uint32_t claims)
{
    return loaded_at(path, rewards, players, claims);
}


static trove_ledger_t *
loaded(void)
{
    return loaded_of(REWARDS, PLAYERS, CLAIMS);
}


static void
copy_file(const char *suffix)
{
    int     ch;
    char    name[128];
    FILE   *from, *to;

    (void) snprintf(name, sizeof(name), "%s%s", copy, suffix);
    (void) unlink(name);

    to = fopen(name, "w");
    (void) snprintf(name, sizeof(name), "%s%s", path, suffix);
    from = fopen(name, "r");
    assert_non_null(to);

    while (from != NULL && (ch = getc(from)) != EOF) {
        (void) putc(ch, to);
    }

    (void) fclose(to);

    if (from != NULL) {
        (void) fclose(from);
    }
}


/* The same, of a store that goes on with the ledger that it has. */

static trove_ledger_t *
loaded_of_copy(void)
{
    disk_file_t     *f;
    trove_ledger_t  *l;

    copy_file("");
    copy_file("-wal");
    copy_file("-journal");

    l = loaded_at(copy, REWARDS, PLAYERS, CLAIMS);

    f = disk_find(copy, 0);

    if (f != NULL) {
        disk_forget(f);
    }

    return l;
}


static trove_ledger_t *
copied(const trove_ledger_t *l)
{
    trove_ledger_t  *copy;

    copy = shared_new(trove_ledger_bytes(l));
    memcpy((void *) copy, (const void *) l,
           trove_ledger_bytes(l));

    return copy;
}


static int
claim_order(const void *one, const void *two)
{
    const trove_claim_row_t  *a = *(const trove_claim_row_t *const *) one;
    const trove_claim_row_t  *b = *(const trove_claim_row_t *const *) two;

    if (a->reward != b->reward) {
        return (a->reward < b->reward) ? -1 : 1;
    }

    return (a->born > b->born) - (a->born < b->born);
}


static uint32_t
claims_of(trove_ledger_t *l, const trove_slice_t *id, const trove_player_t *p,
    trove_claim_row_t **claims)
{
    uint32_t  claim, n;

    n = 0;

    for (claim = p->claim; claim != 0; claim = claims[n++]->prev) {
        assert_true(n < CLAIMS);
        claims[n] = trove_ledger_claim(l, claim - 1);
    }

    qsort(claims, n, sizeof(claims[0]), claim_order);

    return n;
}


static int
same_player(trove_ledger_t *a, trove_ledger_t *b, uint32_t number)
{
    char                buf[16];
    uint32_t            i, n;
    trove_rc_t          rc;
    trove_slice_t       id;
    trove_player_t      p, q;
    trove_claim_row_t  *ours[CLAIMS], *theirs[CLAIMS];

    id = player_id(buf, number);
    memset(&p, 0, sizeof(p));
    memset(&q, 0, sizeof(q));

    rc = trove_player_get(a, &id, &p);

    if (rc != trove_player_get(b, &id, &q)) {
        return 0;
    }

    if (rc != TROVE_OK) {
        return 1;
    }

    n = claims_of(a, &id, &p, ours);

    if (n != claims_of(b, &id, &q, theirs)) {
        return 0;
    }

    for (i = 0; i < n; i++) {

        if (ours[i]->reward != theirs[i]->reward
            || ours[i]->born != theirs[i]->born
            || ours[i]->value != theirs[i]->value
            || ours[i]->balance != theirs[i]->balance
            || (ours[i]->at | TROVE_CLAIM_DECIDED)
               != (theirs[i]->at | TROVE_CLAIM_DECIDED))
        {
            return 0;
        }
    }

    p.claim = 0;
    q.claim = 0;

    return memcmp(&p, &q, sizeof(p)) == 0;
}


/* All rows of a period, in the order of the players' names. */

typedef struct {
    trove_board_row_t  row;
    char               text[256];
} board_row_t;


static int
row_order(const void *one, const void *two)
{
    int                 rc;
    const board_row_t  *a = one;
    const board_row_t  *b = two;

    rc = memcmp(a->text, b->text, (a->row.player.len < b->row.player.len)
                                  ? a->row.player.len : b->row.player.len);

    return rc ? rc : (int) a->row.player.len - (int) b->row.player.len;
}


static uint32_t
rows_of(trove_ledger_t *l, uint32_t board, int period, board_row_t *rows)
{
    uint32_t              i, n, table;
    uint64_t              wanted;
    trove_board_t        *b;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);
    t = trove_board_table(b, trove_board_conf(l, board)->reset, period, now,
                          &wanted);

    if (t == NULL) {
        return 0;
    }

    table = (uint32_t) (t - b->table);
    n = 0;

    for (i = 0; i < trove_board_conf(l, board)->rows; i++) {
        n += trove_board_row(l, board, table, i, rows[n].text, &rows[n].row)
             == TROVE_OK;
    }

    qsort(rows, n, sizeof(rows[0]), row_order);

    return n;
}


static int
same_rows(trove_ledger_t *a, trove_ledger_t *b, uint32_t board, int period)
{
    uint32_t      i, n;
    board_row_t   ours[2 * PLAYERS + 1], theirs[2 * PLAYERS + 1];

    n = rows_of(a, board, period, ours);

    if (rows_of(b, board, period, theirs) != n) {
        return 0;
    }

    for (i = 0; i < n; i++) {

        if (ours[i].row.player.len != theirs[i].row.player.len
            || ours[i].row.data.len != theirs[i].row.data.len
            || memcmp(ours[i].text, theirs[i].text,
                      ours[i].row.player.len + ours[i].row.data.len)
               != 0
            || ours[i].row.score != theirs[i].row.score
            || ours[i].row.seq != theirs[i].row.seq
            || ours[i].row.reached != theirs[i].row.reached)
        {
            return 0;
        }
    }

    return 1;
}


/* Whose they are is not stored before there are any. */

static int
same_marks(trove_ledger_t *a, trove_ledger_t *b)
{
    uint32_t  queue;

    for (queue = 0; queue < trove_marks(a); queue++) {

        if (trove_mark(a, queue) != trove_mark(b, queue)
            || (trove_mark(a, queue) != 0
                && trove_mark_whose(a) != trove_mark_whose(b)))
        {
            return 0;
        }
    }

    return 1;
}


/* Whether nobody could tell the two apart. */

static int
same(trove_ledger_t *a, trove_ledger_t *b)
{
    uint32_t        id, n;
    trove_rc_t      rc;
    trove_reward_t  r, s;

    if (trove_ledger_rewards(a) != trove_ledger_rewards(b)) {
        return 0;
    }

    for (id = 1; id <= 2 * REWARDS; id++) {
        rc = trove_ledger_get(a, id, &r);

        if (rc != trove_ledger_get(b, id, &s)
            || (rc == TROVE_OK && memcmp(&r, &s, sizeof(r)) != 0))
        {
            return 0;
        }
    }

    for (n = 0; n < 2 * PLAYERS; n++) {

        if (!same_player(a, b, n)) {
            return 0;
        }
    }

    for (n = 0; n < trove_ledger_boards(a); n++) {

        if (!same_rows(a, b, n, 0) || !same_rows(a, b, n, -1)) {
            return 0;
        }
    }

    return same_marks(a, b);
}


/* A score, or a removal, or some time that passes. */

static void
change_board(trove_ledger_t *l, const char *player)
{
    char                   data[32];
    uint32_t               board;
    trove_slice_t          id;
    trove_board_write_t    q;
    trove_board_written_t  written;

    if (trove_ledger_boards(l) == 0) {
        return;
    }

    board = random_below(BOARDS);
    id = slice(player);

    if (random_below(10) == 0) {
        now += (random_below(4) == 0) ? random_below(20) * DAY : DAY / 10;
    }

    if (random_below(5) == 0) {
        (void) trove_board_remove(l, board, &id, now);
        return;
    }

    memset(data, 'd', sizeof(data));
    memset(&q, 0, sizeof(q));

    q.player = id;
    q.data.data = (const unsigned char *) data;
    q.data.len = random_below(sizeof(data));
    q.has_data = (int) random_below(2);
    q.score = (int64_t) random_below(1000) - 300;
    q.seq = random_below(2) ? random_below(100) : 0;
    q.now = now;

    (void) trove_board_write(l, board, &q, &written);
}


/* What waited for room is carried out, should there be any by now. */

static void
change_marked(trove_ledger_t *l, trove_redo_t *redo, const char *player,
    uint32_t id)
{
    uint32_t               board;
    uint64_t               version;
    trove_tap_t            t;
    trove_reward_t         r;
    trove_tap_request_t    q;
    trove_board_write_t    w;
    trove_board_written_t  written;

    assert_int_equal(trove_mark_begin(l, QUEUES), TROVE_OK);

    switch (random_below(trove_ledger_boards(l) ? 3 : 2)) {

    case 0:
        memset(&r, 0, sizeof(r));
        r.id = id;
        r.stock = random_below(5);

        (void) trove_mark_put(l, trove_mark(l, TROVE_MARK_REWARDS) + 1, &r,
                              &version);
        break;

    case 1:
        memset(&q, 0, sizeof(q));
        q.player = slice(player);
        q.now = NOW * 1000;
        q.value = 3;

        (void) trove_mark_tap(redo, trove_mark(l, TROVE_MARK_PLAYERS) + 1, &q,
                              &t);
        break;

    default:
        board = random_below(3);

        memset(&w, 0, sizeof(w));
        w.player = slice(player);
        w.score = 7;
        w.now = now;

        (void) trove_mark_score(l, trove_mark(l, TROVE_MARK_BOARDS + board) + 1,
                                board, &w, &written);
        break;
    }
}


/* Anything that may happen to a ledger, some times. */

static void
change(trove_ledger_t *l, trove_redo_t *redo, uint32_t times)
{
    char                    player[16];
    uint32_t                id;
    uint64_t                version;
    trove_tap_t             t;
    trove_claim_t           c;
    trove_reward_t          r;
    trove_claim_rules_t     rules;
    trove_claim_request_t   q;

    for ( /* void */ ; times > 0; times--) {
        id = random_below(2 * REWARDS) + 1;
        (void) player_id(player, random_below(2 * PLAYERS));

        switch (random_below(9)) {

        case 8:
            change_marked(l, redo, player, id);
            break;

        case 7:
        case 6:
            change_board(l, player);
            break;

        case 0:
            (void) trove_ledger_remove(l, id, &version);
            break;

        case 1:
        case 2:
            memset(&r, 0, sizeof(r));
            r.id = id;
            r.x = random_below(1000) / 7.0;
            r.y = -(random_below(1000) / 3.0);
            r.value = (int32_t) random_below(200) - 50;
            r.stock = random_below(5);
            r.expires = (random_below(5) == 0) ? UINT32_MAX : 0;

            (void) trove_ledger_put(l, &r, &version);
            break;

        case 3:
            (void) tap(redo, player, random_below(100), (int32_t) id, &t);
            break;

        default:
            memset(&rules, 0, sizeof(rules));
            memset(&q, 0, sizeof(q));
            q.player = slice(player);
            q.reward = id;
            q.now = now + random_below(100000);
            q.placed = (int) random_below(2);
            q.x = random_below(1000) / 9.0;
            q.y = 2;

            (void) trove_claim(redo, &rules, &q, &c);
        }
    }
}


static void
a_ledger_from_the_store_is_the_same(void **state)
{
    int              i, n;
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    for (n = 0; n < 20; n++) {
        store_none();

        l = ledger_small();
        redo = redo_new(l);
        flush_new(&f, l);

        for (i = 0; i < 12; i++) {
            change(l, redo, random_below(60) + 1);
            flushed(&f);

            if (random_below(3) == 0) {
                next = loaded();
                assert_true(same(l, next));
                assert_true(trove_ledger_version(next)
                            >= trove_ledger_version(l));
                assert_false(trove_dirty_any(next));

                /* and it goes on in its place */

                trove_flush_close(&f);
                ledger_free(l);

                l = next;
                redo = redo_new(l);
                flush_new(&f, l);
            }
        }

        assert_true(trove_ledger_sane(l));
        trove_flush_close(&f);
        ledger_free(l);
    }
}


static void
marks_are_stored_with_what_they_stand_for(void **state)
{
    uint64_t              ticket;
    trove_redo_t         *redo;
    trove_slice_t         id;
    trove_flush_t         f;
    trove_player_t        p;
    trove_ledger_t       *l, *next;
    trove_tap_t           t;
    trove_tap_request_t   q;

    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);

    assert_int_equal(trove_mark_begin(l, QUEUES), TROVE_OK);

    memset(&q, 0, sizeof(q));
    q.player = slice("p1");
    q.now = NOW * 1000;
    q.value = 3;
    assert_int_equal(trove_mark_tap(redo, 1, &q, &t), TROVE_OK);
    flushed(&f);
    assert_int_equal(trove_mark_stored(l, TROVE_MARK_PLAYERS), 1);
    assert_false(trove_dirty_any(l));

    /* one that changes nothing as well */

    assert_int_equal(trove_mark_pass(l, TROVE_MARK_REWARDS, 5), TROVE_OK);
    assert_true(trove_dirty_any(l));
    flushed(&f);
    assert_int_equal(trove_mark_stored(l, TROVE_MARK_REWARDS), 5);

    /* nothing while somebody is at an operation: neither without the other */

    id = slice("p1");
    assert_int_equal(trove_mark_tap(redo, 2, &q, &t), TROVE_OK);
    assert_int_equal(trove_mark_hold(l), TROVE_OK);
    ticket = trove_flush_ticket(l);
    flushed(&f);
    assert_false(trove_flush_durable(l, ticket));
    trove_mark_let_go(l);
    assert_int_equal(trove_mark_stored(l, TROVE_MARK_PLAYERS), 1);
    assert_true(trove_dirty_any(l));

    next = loaded();
    assert_int_equal(trove_player_get(next, &id, &p), TROVE_OK);
    assert_int_equal(p.balance, 3);
    assert_int_equal(trove_mark(next, TROVE_MARK_PLAYERS), 1);
    ledger_free(next);

    flushed(&f);
    assert_true(trove_flush_durable(l, ticket));
    assert_int_equal(trove_mark_stored(l, TROVE_MARK_PLAYERS), 2);

    next = loaded();
    assert_int_equal(trove_player_get(next, &id, &p), TROVE_OK);
    assert_int_equal(p.balance, 6);
    assert_true(same_marks(l, next));
    assert_true(trove_mark_whose(next) == QUEUES);
    assert_false(trove_dirty_any(next));
    ledger_free(next);

    /* a board that is none now keeps its mark, unless the queues are others */

    assert_int_equal(trove_mark_pass(l, TROVE_MARK_BOARDS, 9), TROVE_OK);
    flushed(&f);
    nboards = 0;
    next = loaded();
    assert_int_equal(trove_marks(next), 2);
    trove_flush_close(&f);
    ledger_free(l);

    flush_new(&f, next);
    assert_int_equal(trove_mark_pass(next, TROVE_MARK_REWARDS, 6), TROVE_OK);
    flushed(&f);
    nboards = BOARDS;
    l = loaded();
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 6);
    assert_int_equal(trove_mark(l, TROVE_MARK_BOARDS), 9);
    ledger_free(l);

    assert_int_equal(trove_mark_begin(next, QUEUES + 1), TROVE_OK);
    flushed(&f);
    l = loaded();
    assert_true(trove_mark_whose(l) == QUEUES + 1);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 0);
    assert_int_equal(trove_mark(l, TROVE_MARK_BOARDS), 0);
    ledger_free(l);

    trove_flush_close(&f);
    ledger_free(next);
}


/* Its figures, added to a worker's, once. */

static void
told(trove_flush_t *f, uint64_t rows)
{
    int             i;
    trove_stats_t  *s;

    s = calloc(2, sizeof(trove_stats_t));
    f->stats.failures[TROVE_STORE_GONE] = 3;

    for (i = 0; i < 2; i++) {
        trove_flush_tell(f, s);

        assert_int_equal(trove_stat_get(&s->figures.store_rewards), rows);
        assert_int_equal(trove_stat_get(&s->figures.store_players), rows);
        assert_int_equal(trove_stat_get(&s->figures.store_claims), 1);
        assert_int_equal(trove_stat_get(&s->figures.store_opens), 1);
        assert_int_equal(trove_stat_get(&s->figures.store_gone), 3);
        assert_int_equal(trove_stat_get(&s->figures.store_full), 0);
        assert_true(trove_stat_get(&s->figures.store_flush.sum) > 0);
        assert_int_equal(trove_stat_get(&s->figures.store_flush.sum),
                         trove_stat_get(&s->figures.store_flush.max));
    }

    free(s);
}


/* More than a transaction has room for. */

static void
a_flush_may_take_many_transactions(void **state)
{
    char             player[16];
    uint32_t         i, n;
    trove_tap_t      t;
    trove_redo_t    *redo;
    trove_claim_t    c;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    n = 2 * TROVE_FLUSH_ROWS + 1000;
    store_none();
    nboards = 0;

    l = ledger_of(n, n, n);
    redo = redo_new(l);
    flush_new(&f, l);

    for (i = 1; i <= n; i++) {
        reward_put(l, i, 1, 1);
    }

    for (i = 0; i < n; i++) {
        (void) player_id(player, i);
        assert_int_equal(tap(redo, player, 0, 5, &t), TROVE_OK);
    }

    assert_int_equal(claim(redo, player, n, &c), TROVE_OK);

    flushed(&f);
    assert_true(trove_stat_get(&f.stats.commits) > 4);
    assert_int_equal(trove_stat_get(&f.stats.rewards), n);
    assert_int_equal(trove_stat_get(&f.stats.players), n);
    assert_int_equal(trove_stat_get(&f.stats.claims), 1);
    assert_false(trove_dirty_any(l));
    told(&f, n);

    /* what did not change is not written again */

    assert_int_equal(tap(redo, player, 0, 5, &t), TROVE_OK);
    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.players), n + 1);
    assert_int_equal(trove_stat_get(&f.stats.claims), 1);

    trove_flush_close(&f);

    next = loaded_of(n, n, n);
    assert_int_equal(trove_ledger_rewards(next), n);
    assert_int_equal(trove_ledger_players(next), n);
    assert_true(same(l, next));

    ledger_free(next);
    ledger_free(l);
}


/* What came from queues and their marks are in one, or in none. */

static void
a_flush_with_marks_is_one_transaction(void **state)
{
    char                  player[16];
    uint32_t              i, n;
    uint64_t              is, commits;
    trove_tap_t           t;
    trove_redo_t         *redo;
    trove_slice_t         id;
    trove_flush_t         f;
    trove_player_t        p;
    trove_ledger_t       *l, *next;
    trove_ledger_row_t   *row;
    trove_tap_request_t   q;

    n = 2 * TROVE_FLUSH_ROWS + 1000;
    store_none();
    nboards = 0;

    l = ledger_of(n, n, n);
    redo = redo_new(l);
    flush_new(&f, l);
    assert_int_equal(trove_mark_begin(l, QUEUES), TROVE_OK);
    flushed(&f);
    commits = trove_stat_get(&f.stats.commits);

    for (i = 1; i <= n; i++) {
        reward_put(l, i, 1, 1);
    }

    for (i = 0; i < n - 1; i++) {
        (void) player_id(player, i);
        assert_int_equal(tap(redo, player, 0, 5, &t), TROVE_OK);
    }

    memset(&q, 0, sizeof(q));
    id = q.player = slice("queued");
    q.now = NOW * 1000;
    q.value = 3;
    assert_int_equal(trove_mark_tap(redo, 1, &q, &t), TROVE_OK);

    /* there is no memory for so many */

    trove_fault_memory_arm(1);
    assert_int_equal(trove_flush_run(&f), TROVE_STORE_NOMEM);
    trove_fault_memory_arm(0);
    assert_non_null(strstr(f.error, "players at once"));
    assert_int_equal(trove_stat_get(&f.stats.commits), commits);

    /* nor does somebody move who is in a row */

    row = trove_ledger_rowp(l, n - 1);
    is = trove_get(&row->state);
    assert_int_equal(trove_ledger_lock(l), TROVE_OK);
    trove_set(&row->state, is | (uint64_t) TROVE_ROW_WRITING << 32);
    assert_int_equal(trove_flush_run(&f), TROVE_STORE_BUSY);
    assert_non_null(strstr(f.error, "does not move"));
    assert_int_equal(trove_stat_get(&f.stats.failures[TROVE_STORE_BUSY]), 1);
    trove_set(&row->state, is);
    trove_ledger_unlock(l);
    assert_int_equal(trove_stat_get(&f.stats.commits), commits);
    assert_int_equal(trove_mark_stored(l, TROVE_MARK_PLAYERS), 0);

    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.commits), commits + 1);
    assert_int_equal(trove_stat_get(&f.stats.rewards), n);
    assert_int_equal(trove_stat_get(&f.stats.players), n);
    assert_int_equal(trove_mark_stored(l, TROVE_MARK_PLAYERS), 1);
    assert_false(trove_dirty_any(l));

    /* and what comes then is as ever */

    reward_put(l, 1, 2, 2);
    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.commits), commits + 2);
    trove_flush_close(&f);

    next = loaded_of(n, n, n);
    assert_int_equal(trove_player_get(next, &id, &p), TROVE_OK);
    assert_int_equal(p.balance, 3);
    assert_int_equal(trove_mark(next, TROVE_MARK_PLAYERS), 1);
    assert_true(same(l, next));

    ledger_free(next);
    ledger_free(l);
}


static void
a_ticket_is_good_after_a_flush_that_began_later(void **state)
{
    uint64_t         before, ticket;
    trove_tap_t      t;
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l;

    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);

    assert_true(trove_flush_elect(&f));
    assert_true(trove_flush_elect(&f));
    assert_true(trove_flush_needed(&f));
    assert_int_equal(trove_flush_lag(l), 0);
    flushed(&f);

    /* there is nothing to be stored: all that was written is */

    assert_false(trove_flush_wanted(l));
    before = trove_flush_ticket(l);
    assert_true(trove_flush_wanted(l));
    assert_false(trove_flush_wanted(l));

    assert_false(trove_flush_durable(l, before));
    assert_false(trove_flush_needed(&f));
    assert_true(trove_flush_durable(l, before));

    assert_int_equal(tap(redo, "p1", 0, 5, &t), TROVE_OK);
    ticket = trove_flush_ticket(l);

    assert_true(trove_flush_needed(&f));
    assert_false(trove_flush_durable(l, ticket));
    assert_true(trove_flush_lag(l) > 0);
    flushed(&f);
    assert_true(trove_flush_durable(l, ticket));
    assert_int_equal(trove_flush_lag(l), 0);

    /* a failure makes none good, nor does it once there is nothing new */

    assert_int_equal(tap(redo, "p1", 0, 5, &t), TROVE_OK);
    ticket = trove_flush_ticket(l);
    disk_arm(DISK_BROKEN, 1, 1);

    assert_int_equal(trove_flush_run(&f), TROVE_STORE_IO);
    assert_true(f.error[0] != '\0');
    assert_int_equal(trove_flush_state(l), TROVE_STORE_IO);
    assert_false(trove_flush_durable(l, ticket));
    assert_false(trove_flush_needed(&f));
    assert_int_equal(trove_flush_run(&f), TROVE_STORE_IO);
    assert_false(trove_flush_durable(l, ticket));

    assert_true(trove_flush_lag(l) > 0);
    (void) disk_disarm();
    f.again = 0;
    assert_true(trove_flush_needed(&f));
    flushed(&f);
    assert_true(trove_flush_durable(l, ticket));
    assert_string_equal(f.error, "");
    assert_int_equal(trove_flush_state(l), TROVE_STORE_DONE);

    /* who ends after a failure leaves what he had taken to the next one */

    assert_int_equal(tap(redo, "p1", 0, 5, &t), TROVE_OK);
    disk_arm(DISK_BROKEN, 1, 1);
    assert_int_equal(trove_flush_run(&f), TROVE_STORE_IO);
    (void) disk_disarm();

    trove_flush_close(&f);
    assert_true(trove_dirty_any(l));

    ledger_free(l);
}


/* Which of the steps' ledgers it is, from that one on; fails if none. */

static int
step_of(trove_ledger_t *l, trove_ledger_t **steps, int from, int to)
{
    int  i;

    for (i = from; i <= to; i++) {

        if (same(l, steps[i])) {
            return i;
        }
    }

    fail_msg("it is none of the steps %d to %d", from, to);

    return -1;
}


/*
 * The disk fails at its "n"th operation during four flushes.  What a ticket
 * said to be stored is then, if the writer's process dies or the power fails;
 * and the ledger, if it lives, has all of it stored in the end.
 */

static int
goes_wrong(disk_fault_t fault, uint64_t n, int power)
{
    int              durable, happened, i;
    uint64_t         tickets[STEPS + 1];
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l, *next, *steps[STEPS + 1];

    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);
    assert_true(trove_flush_elect(&f));

    steps[0] = copied(l);
    tickets[0] = 0;
    durable = 0;
    disk_arm(fault, n, 0);

    for (i = 1; i <= STEPS; i++) {
        change(l, redo, random_below(30) + 1);
        tickets[i] = trove_flush_ticket(l);
        steps[i] = copied(l);

        (void) trove_flush_run(&f);

        while (durable < i && trove_flush_durable(l, tickets[durable + 1])) {
            durable++;
        }
    }

    happened = disk_disarm();
    disk.dead = (fault == DISK_KILLED || power);

    if (disk.dead && f.store != NULL
        && trove_store_begin(f.store) == TROVE_STORE_DONE)
    {
        (void) trove_store_commit(f.store, 0);
    }

    trove_flush_close(&f);
    (void) disk_disarm();

    if (power) {
        disk_power();
    }

    next = loaded_of_copy();
    (void) step_of(next, steps, durable, STEPS);
    ledger_free(next);

    /* another process takes over */

    flush_new(&f, l);
    flushed(&f);
    assert_true(trove_flush_durable(l, tickets[STEPS]));
    trove_flush_close(&f);

    if (power) {
        disk_power();
    }

    next = loaded();
    assert_true(same(next, l));
    ledger_free(next);

    for (i = 0; i <= STEPS; i++) {
        ledger_free(steps[i]);
    }

    ledger_free(l);

    return happened;
}


static void
at_each(disk_fault_t fault, int power)
{
    uint64_t  n;

    for (n = 1; goes_wrong(fault, n, power); n++) {
        assert_true(n < TIMES);
    }

    print_message("# fault %d: at each of %llu operations\n", fault,
                  (unsigned long long) n - 1);
}


static void
what_is_durable_survives_errors(void **state)
{
    at_each(DISK_FULL, 0);
    at_each(DISK_BROKEN, 0);
}


static void
what_is_durable_survives_kills(void **state)
{
    at_each(DISK_KILLED, 0);
}


static void
what_is_durable_survives_power_failures(void **state)
{
    at_each(DISK_KILLED, 1);
    at_each(DISK_UNSYNCED, 1);
}


/* At every store into the ledger that a flush makes. */

static void
a_writer_that_is_killed_is_replaced(void **state)
{
    int              n;
    pid_t            pid;
    uint64_t         ticket, *then;
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    then = shared_new(sizeof(uint64_t));

    for (n = 1; n < TIMES; n++) {
        store_none();
        l = ledger_small();
        redo = redo_new(l);
        change(l, redo, 40);

        pid = child_new();

        if (pid == 0) {
            flush_new(&f, l);

            if (!trove_flush_elect(&f)
                || trove_flush_run(&f) != TROVE_STORE_DONE)
            {
                _exit(1);
            }

            change(l, redo, 40);
            *then = now;
            trove_fault_arm(NULL, (uint64_t) n);

            _exit(trove_flush_run(&f) != TROVE_STORE_DONE);
        }

        n = (child_end(pid) == -1) ? n : TIMES;

        /* a period that has begun is no earlier one again */

        now = *then;

        flush_new(&f, l);
        ticket = trove_flush_ticket(l);
        flushed(&f);
        assert_true(trove_flush_durable(l, ticket));
        assert_false(trove_dirty_any(l));
        trove_flush_close(&f);

        next = loaded();
        assert_true(same(next, l));

        ledger_free(next);
        ledger_free(l);
    }

    (void) munmap(then, sizeof(uint64_t));
}


static void
there_is_one_writer(void **state)
{
    pid_t            pid;
    trove_flush_t    f, g;
    trove_ledger_t  *l;

    store_none();
    l = ledger_small();
    flush_new(&f, l);
    assert_true(trove_flush_elect(&f));

    pid = child_new();

    if (pid == 0) {
        flush_new(&g, l);
        _exit(trove_flush_elect(&g));
    }

    assert_int_equal(child_end(pid), 0);

    trove_flush_close(&f);
    pid = child_new();

    if (pid == 0) {
        flush_new(&g, l);
        _exit(trove_flush_elect(&g));
    }

    /* it died without a word */

    assert_int_equal(child_end(pid), 1);
    flush_new(&f, l);
    assert_true(trove_flush_elect(&f));

    trove_flush_close(&f);
    ledger_free(l);
}


/* What the store has of a player: his balance, and whether it adds up. */

static int64_t
asked(sqlite3 *db, const char *sql)
{
    int64_t        n;
    sqlite3_stmt  *st;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK
        || sqlite3_step(st) != SQLITE_ROW)
    {
        return -1;
    }

    n = sqlite3_column_int64(st, 0);
    (void) sqlite3_finalize(st);

    return n;
}


/* Claims one reward after the other; each is in the store when it says so. */

static void
claimer(trove_ledger_t *l, uint32_t number)
{
    char            player[16], sql[128];
    int64_t         balance;
    uint32_t        id;
    uint64_t        ticket;
    sqlite3        *db;
    trove_redo_t   *redo;
    trove_claim_t   c;

    (void) player_id(player, number);
    (void) snprintf(sql, sizeof(sql),
                    "SELECT balance FROM players WHERE player = '%s'",
                    player);

    if (trove_redo_open(l, &redo) != TROVE_OK
        || sqlite3_open(path, &db) != SQLITE_OK)
    {
        _exit(1);
    }

    (void) sqlite3_busy_timeout(db, 1000);
    balance = 0;

    for (id = 1; id <= 60; id++) {

        while (claim(redo, player, id, &c) != TROVE_OK) { /* void */ }

        balance = c.balance;
        ticket = trove_flush_ticket(l);

        while (!trove_flush_durable(l, ticket)) {
            (void) usleep(100);
        }

        if (asked(db, sql) != balance) {
            _exit(2);
        }
    }

    _exit((balance == 60 * 7) ? 0 : 3);
}


static void
acknowledged_claims_are_in_the_store(void **state)
{
    int              running, status;
    pid_t            pid[3];
    sqlite3         *db;
    uint32_t         i, id;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    store_none();
    boards_new();
    boards[0] = boards[3];
    nboards = 1;
    l = ledger_of(60, 10, 1000);
    flush_new(&f, l);

    for (id = 1; id <= 60; id++) {
        reward_put(l, id, 7, 10);
    }

    flushed(&f);
    trove_flush_close(&f);

    for (i = 0; i < 3; i++) {
        pid[i] = child_new();

        if (pid[i] == 0) {
            claimer(l, i);
        }
    }

    flush_new(&f, l);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    running = 3;

    while (running > 0) {

        if (trove_flush_elect(&f) && trove_flush_needed(&f)) {
            flushed(&f);
        }

        /* stored together at any time */

        assert_int_equal(asked(db, "SELECT count(*) FROM players WHERE balance"
                                   " <> (SELECT ifnull(sum(value), 0)"
                                   " FROM grants WHERE grants.number"
                                   " = players.number)"), 0);

        assert_int_equal(asked(db, "SELECT count(*) FROM players LEFT JOIN"
                                   " scores ON scores.player = players.player"
                                   " WHERE balance <> ifnull(score, 0)"), 0);

        for (i = 0; i < 3; i++) {

            if (pid[i] != 0 && waitpid(pid[i], &status, WNOHANG) == pid[i]) {
                assert_int_equal(status, 0);
                pid[i] = 0;
                running--;
            }
        }
    }

    (void) sqlite3_close(db);
    trove_flush_close(&f);

    next = loaded_of(60, 10, 1000);
    assert_true(same(l, next));

    ledger_free(next);
    ledger_free(l);
}


static void *
flush_it(void *data)
{
    (void) trove_flush_run(data);

    return NULL;
}


/* Its thread is stuck; everything else goes on, and sees it. */

static void
a_store_that_hangs_holds_nobody(void **state)
{
    uint64_t         lag, ticket;
    pthread_t        thread;
    trove_tap_t      t;
    trove_redo_t    *redo;
    trove_flush_t    f, other;
    trove_ledger_t  *l;

    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);
    flush_new(&other, l);
    flushed(&f);

    /* for as long as one likes if there is nothing to be written */

    assert_false(trove_flush_hangs(&other, 0));
    assert_false(trove_flush_needed(&f));
    assert_false(trove_flush_hangs(&other, 1));

    change(l, redo, 50);
    ticket = trove_flush_ticket(l);
    disk_arm(DISK_HANGS, 1, 0);
    assert_int_equal(pthread_create(&thread, NULL, flush_it, &f), 0);
    disk_wait();

    /* all that was dirty is under way, and not there */

    assert_int_equal(trove_dirty_any(l), trove_mark_any(l));
    lag = trove_flush_lag(l);
    assert_true(lag > 0);
    assert_int_equal(tap(redo, "p1", 0, 5, &t), TROVE_OK);
    assert_false(trove_flush_durable(l, ticket));
    assert_true(trove_flush_lag(l) > lag);

    assert_false(trove_flush_hangs(&other, UINT64_MAX));
    assert_int_equal(trove_flush_state(l), TROVE_STORE_DONE);
    assert_true(trove_flush_hangs(&other, 1));
    assert_int_equal(trove_flush_state(l), TROVE_STORE_HANGS);
    assert_false(trove_flush_hangs(&other, 1));
    assert_int_equal(trove_flush_writer(l), trove_process_self());
    assert_false(trove_flush_elect(&other));

    disk_release();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(trove_flush_state(l), TROVE_STORE_DONE);
    assert_true(trove_flush_durable(l, ticket));
    assert_false(trove_flush_durable(l, trove_flush_ticket(l)));

    (void) disk_disarm();
    flushed(&f);

    /* found out when it had just gone on: it is told when it is seen */

    trove_set(&l->store_rc, TROVE_STORE_HANGS);
    assert_false(trove_flush_needed(&f));
    assert_int_equal(trove_flush_state(l), TROVE_STORE_DONE);

    trove_flush_close(&other);
    trove_flush_close(&f);
    ledger_free(l);
}


/* A ledger that lived gives all that it has to a store that has less. */

static void
a_store_that_was_lost_is_made_anew(void **state)
{
    char             old[128];
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    (void) snprintf(old, sizeof(old), "%s.old", path);
    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);

    change(l, redo, 100);
    flushed(&f);
    trove_flush_close(&f);

    copy_file("");
    assert_int_equal(rename(copy, old), 0);
    flush_new(&f, l);
    change(l, redo, 100);
    flushed(&f);

    /* while it is open */

    store_none();
    change(l, redo, 1);
    assert_true(trove_flush_elect(&f));
    assert_int_equal(trove_flush_run(&f), TROVE_STORE_GONE);
    flushed(&f);
    trove_flush_close(&f);

    next = loaded_of_copy();
    assert_true(same(l, next));
    ledger_free(next);

    /* when it is not: nothing changed, and still all is stored */

    store_none();
    flush_new(&f, l);
    assert_int_equal(trove_flush_meet(&f), TROVE_STORE_DONE);
    flushed(&f);
    trove_flush_close(&f);

    next = loaded_of_copy();
    assert_true(same(l, next));
    ledger_free(next);

    /* and one of yesterday in its place */

    store_none();
    assert_int_equal(rename(old, path), 0);
    flush_new(&f, l);
    flushed(&f);
    trove_flush_close(&f);

    next = loaded_of_copy();
    assert_true(same(l, next));

    ledger_free(next);
    ledger_free(l);
}


static void
what_does_not_belong_together_is_refused(void **state)
{
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l, *other, *old;

    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);
    change(l, redo, 100);
    flushed(&f);
    trove_flush_close(&f);

    /* an earlier state of the ledger */

    old = copied(l);
    flush_new(&f, l);
    change(l, redo, 100);
    flushed(&f);
    change(l, redo, 100);
    flushed(&f);
    trove_flush_close(&f);

    flush_new(&f, old);
    assert_int_equal(trove_flush_meet(&f), TROVE_STORE_FOREIGN);
    assert_true(strstr(f.error, "ahead of its ledger") != NULL);
    trove_flush_close(&f);

    /* another ledger */

    store_none();
    other = ledger_small();
    flush_new(&f, other);
    flushed(&f);
    trove_flush_close(&f);

    flush_new(&f, l);
    assert_int_equal(trove_flush_meet(&f), TROVE_STORE_FOREIGN);
    assert_true(strstr(f.error, "another ledger") != NULL);
    assert_true(strstr(f.error, l->store) != NULL);
    assert_true(strstr(f.error, other->store) != NULL);
    trove_flush_close(&f);

    ledger_free(l);
    ledger_free(other);
    ledger_free(old);
}


static void
a_ledger_that_is_too_small_is_not_filled(void **state)
{
    uint32_t         i;
    trove_redo_t    *redo;
    trove_flush_t    f;
    trove_ledger_t  *l;

    static const uint32_t  small[][3] = {
        { REWARDS / 2, PLAYERS, CLAIMS },
        { REWARDS, PLAYERS / 2, CLAIMS },
        { REWARDS, PLAYERS, 3 }
    };

    store_none();
    l = ledger_small();
    redo = redo_new(l);
    flush_new(&f, l);
    change(l, redo, 2000);
    flushed(&f);
    trove_flush_close(&f);
    ledger_free(l);

    for (i = 0; i < 3; i++) {
        l = ledger_of(small[i][0], small[i][1], small[i][2]);
        flush_new(&f, l);
        assert_int_equal(trove_flush_load(&f), TROVE_STORE_FOREIGN);
        assert_true(strstr(f.error, "no room") != NULL);
        trove_flush_close(&f);
        ledger_free(l);
    }

    l = loaded_of(REWARDS * 2, PLAYERS * 2, CLAIMS * 2);
    ledger_free(l);
}


static void
board_put(trove_ledger_t *l, uint32_t board, const char *player,
    int64_t score)
{
    trove_board_write_t    q;
    trove_board_written_t  written;

    memset(&q, 0, sizeof(q));
    q.player = slice(player);
    q.score = score;
    q.now = now;

    assert_int_equal(trove_board_write(l, board, &q, &written), TROVE_OK);
}


static void
board_remove(trove_ledger_t *l, uint32_t board, const char *player)
{
    trove_slice_t  id;

    id = slice(player);
    assert_int_equal(trove_board_remove(l, board, &id, now), TROVE_OK);
}


static int64_t
stored(const char *sql)
{
    int64_t   n;
    sqlite3  *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    n = asked(db, sql);
    (void) sqlite3_close(db);

    return n;
}


static void
told_store(const char *sql)
{
    sqlite3  *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(db);
}


/* "n" rows in the present period of a board that has just this many. */

static trove_ledger_t *
ledger_of_rows(uint32_t n)
{
    char             player[16];
    uint32_t         i;
    trove_ledger_t  *l;

    boards_new();
    boards[1].rows = n;
    l = ledger_of(1, 1, 1);

    for (i = 0; i < n; i++) {
        (void) player_id(player, i);
        board_put(l, 1, player, i);
    }

    return l;
}


/* In pieces, for which no other reason to flush is needed. */

static void
earlier_periods_are_dropped(void **state)
{
    int              pieces;
    uint32_t         n;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    n = 2 * TROVE_FLUSH_DROP + 10;
    store_none();
    l = ledger_of_rows(n);

    flush_new(&f, l);
    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.scores), n);

    now += 7 * DAY;
    board_put(l, 1, "p1", 7);
    flushed(&f);
    assert_false(trove_flush_needed(&f));
    assert_int_equal(stored("SELECT count(*) FROM scores"), n + 1);

    now += 7 * DAY;
    board_put(l, 1, "p2", 7);

    for (pieces = 0; trove_flush_needed(&f); pieces++) {
        flushed(&f);
    }

    assert_int_equal(pieces, 3);
    assert_int_equal(stored("SELECT count(*) FROM scores"), 2);
    assert_int_equal(stored("SELECT count(*) FROM periods"), 2);
    trove_flush_close(&f);

    /* what passed while nobody looked is dropped by the next who looks */

    ledger_free(l);
    l = loaded_of(1, 1, 1);
    now += 21 * DAY;
    board_put(l, 1, "p3", 7);
    flush_new(&f, l);
    flushed(&f);
    trove_flush_close(&f);
    assert_int_equal(stored("SELECT count(*) FROM boards WHERE player = 'p3'"),
                     1);
    assert_int_equal(stored("SELECT count(*) FROM scores"), 1);

    next = loaded_of(1, 1, 1);
    assert_true(same(l, next));
    ledger_free(next);
    ledger_free(l);
}


static void
a_period_that_has_ended_is_the_one_before(void **state)
{
    trove_flush_t         f;
    trove_ledger_t       *l;
    trove_board_state_t   current, before;

    store_none();
    l = ledger_of_rows(5);
    flush_new(&f, l);
    flushed(&f);
    trove_flush_close(&f);
    ledger_free(l);

    l = loaded_of(1, 1, 1);
    trove_board_state(l, 1, 0, now, &current);
    assert_int_equal(current.rows, 5);

    trove_board_state(l, 1, 0, now + 7 * DAY, &current);
    trove_board_state(l, 1, -1, now + 7 * DAY, &before);
    assert_int_equal(current.rows, 0);
    assert_int_equal(before.rows, 5);

    trove_board_state(l, 1, -1, now + 14 * DAY, &before);
    assert_int_equal(before.rows, 0);

    ledger_free(l);
}


/* A removal that was not stored when the player came back in another row. */

static void
two_rows_of_a_player_are_one(void **state)
{
    uint32_t         i;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    static const char *const  doubles[] = {
        "INSERT INTO scores SELECT id + 7, player, 99, reached + 1, seq, data"
        " FROM scores WHERE player = 'p2'",
        "INSERT INTO scores SELECT id + 7, player, 99, reached - 10, seq, data"
        " FROM scores WHERE player = 'p2'"
    };

    for (i = 0; i < 2; i++) {
        store_none();
        l = ledger_of_rows(5);
        boards[1].rows = 10;

        flush_new(&f, l);
        flushed(&f);
        trove_flush_close(&f);
        told_store(doubles[i]);

        next = loaded_of(1, 1, 1);
        assert_true(trove_dirty_any(next));
        assert_int_equal(trove_board_of(next, 1)->table[0].live
                         + trove_board_of(next, 1)->table[1].live, 5);
        assert_int_equal(trove_board_rebuilds(next, 1), 0);

        flush_new(&f, next);
        flushed(&f);
        trove_flush_close(&f);

        assert_int_equal(stored("SELECT count(*) FROM scores"), 5);
        assert_int_equal(stored("SELECT score FROM scores"
                                " WHERE player = 'p2'"), i ? 2 : 99);

        ledger_free(next);
        ledger_free(l);
    }
}


static void
refused_load(const char *why)
{
    trove_flush_t    f;
    trove_ledger_t  *l;

    l = ledger_of(10, 100, 100);
    flush_new(&f, l);
    assert_int_equal(trove_flush_load(&f), TROVE_STORE_FOREIGN);

    if (strstr(f.error, why) == NULL) {
        fail_msg("expected \"%s\" in: %s", why, f.error);
    }

    trove_flush_close(&f);
    ledger_free(l);
}


static void
a_board_that_is_too_small_is_not_filled(void **state)
{
    trove_flush_t         f;
    trove_ledger_t       *l, *next;
    trove_board_write_t   q;

    store_none();
    l = ledger_of_rows(8);
    board_remove(l, 1, "p2");
    board_remove(l, 1, "p5");

    memset(&q, 0, sizeof(q));
    q.player = slice("p1");
    q.data = slice("0123456789abcdefghijklmnopqrstuvwxyz0123");
    q.has_data = 1;
    q.score = 1;
    q.now = now;
    assert_int_equal(trove_board_write(l, 1, &q, &(trove_board_written_t) {0}),
                     TROVE_OK);

    flush_new(&f, l);
    flushed(&f);
    trove_flush_close(&f);

    boards[1].rows = 5;
    refused_load("6 rows of board \"week\", which has no room");

    /* data need room as well */

    boards[1].rows = 8;
    boards[1].row = TROVE_BOARD_ROW_MIN;
    refused_load("row of board \"week\", number 2, that the ledger has no "
                 "room for");

    /* as many as there are will do, whatever their numbers were */

    boards[1].rows = 6;
    boards[1].row = 256;
    next = loaded_of(1, 1, 1);
    assert_true(same(l, next));
    flush_new(&f, next);
    board_put(next, 1, "p7", 1000);
    flushed(&f);
    trove_flush_close(&f);
    ledger_free(next);

    boards[1].rows = 100;
    next = loaded_of(1, 1, 1);
    board_put(l, 1, "p7", 1000);
    assert_int_equal(stored("SELECT score FROM scores WHERE player = 'p7'"),
                     1000);
    assert_int_equal(stored("SELECT count(*) FROM scores"), 6);

    ledger_free(next);
    ledger_free(l);
}


/* Boards come and go; what one of them was is nobody else's. */

static void
a_board_that_is_gone_comes_back(void **state)
{
    int                  i;
    trove_flush_t        f;
    trove_ledger_t      *l, *next;
    trove_board_conf_t   week;

    store_none();
    l = ledger_of_rows(5);
    board_put(l, 0, "p1", 5);
    flush_new(&f, l);
    flushed(&f);
    trove_flush_close(&f);
    week = boards[1];

    for (i = 0; i < 3; i++) {

        switch (i) {

        case 0:
            (void) strcpy(boards[1].name, "other");
            break;

        case 1:
            boards[1].reset = TROVE_BOARD_DAILY;
            break;

        default:
            boards[1] = boards[2];
            nboards = 1;
        }

        next = loaded_of(1, 1, 1);

        if (nboards > 1) {
            assert_int_equal(trove_board_of(next, 1)->table[0].live
                             + trove_board_of(next, 1)->table[1].live, 0);
            now += 1000 * DAY;
            board_put(next, 1, "p9", 9);
        }

        board_put(next, 0, "p1", 6 + i);
        flush_new(&f, next);
        flushed(&f);
        trove_flush_close(&f);
        ledger_free(next);

        boards[1] = week;
        nboards = BOARDS;
        now = NOW;

        next = loaded_of(1, 1, 1);
        board_put(l, 0, "p1", 6 + i);
        assert_int_equal(trove_board_of(next, 1)->table[0].live
                         + trove_board_of(next, 1)->table[1].live, 5);
        assert_true(same_rows(l, next, 1, 0));
        ledger_free(next);
    }

    ledger_free(l);
}


static void
rows_from_claims_are_stored_with_their_players(void **state)
{
    char             player[16];
    uint32_t         i;
    trove_tap_t      t;
    trove_redo_t    *redo;
    trove_claim_t    c;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    store_none();
    boards_new();
    boards[1].claims = 1;
    boards[2].claims = 1;
    nboards = 3;
    l = ledger_of(10, 100, 100);
    redo = redo_new(l);
    reward_put(l, 1, 50, 10);

    for (i = 0; i < 50; i++) {
        (void) player_id(player, i);
        assert_int_equal(tap(redo, player, 0, 5, &t), TROVE_OK);
    }

    flush_new(&f, l);
    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.scores), 0);

    /* with a claim, and not with a tap */

    assert_int_equal(claim(redo, "p30", 1, &c), TROVE_OK);
    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.scores), 2);
    assert_int_equal(stored("SELECT count(*) FROM boards"
                            " WHERE player = 'p30' AND score = 50"), 2);
    assert_int_equal(stored("SELECT count(*) FROM scores"), 2);

    assert_int_equal(tap(redo, "p30", 0, 5, &t), TROVE_OK);
    flushed(&f);
    assert_int_equal(trove_stat_get(&f.stats.scores), 2);

    assert_int_equal(claim(redo, "p40", 1, &c), TROVE_OK);
    flushed(&f);
    next = loaded_of(10, 100, 100);
    assert_true(same_rows(l, next, 1, 0));
    assert_true(same_rows(l, next, 2, 0));
    ledger_free(next);

    /* a removal is stored, and the row is somebody else's */

    board_remove(l, 1, "p30");
    flushed(&f);
    assert_int_equal(stored("SELECT count(*) FROM boards"
                            " WHERE player = 'p30'"), 1);
    next = loaded_of(10, 100, 100);
    assert_true(same_rows(l, next, 1, 0));
    ledger_free(next);
    trove_flush_close(&f);

    /* a store that was lost is given them, too */

    store_none();
    flush_new(&f, l);
    flushed(&f);
    trove_flush_close(&f);
    next = loaded_of(10, 100, 100);
    assert_true(same_rows(l, next, 1, 0));
    assert_true(same_rows(l, next, 2, 0));
    ledger_free(next);

    /* their numbers need no room, they do */

    boards[1].rows = 1;
    next = loaded_of(10, 100, 100);
    assert_true(same_rows(l, next, 1, 0));
    ledger_free(next);

    told_store("INSERT INTO scores SELECT id - id % 2147483648 + 49, 'p49', 1,"
               " reached, 0, NULL FROM scores WHERE player = 'p40' AND"
               " id >> 31 = (SELECT number FROM periods WHERE board ="
               " 'week')");
    refused_load("row of board \"week\", number 2, that the ledger has no "
                 "room");
    told_store("UPDATE scores SET player = 'p48' WHERE player = 'p49'");
    boards[1].rows = 2;
    refused_load("row of board \"week\", number 2, that does not fit");

    ledger_free(l);
}


/* What a dead writer left in a board's row is found by who stores it. */

static void
a_write_that_was_killed_does_not_hold_up_the_store(void **state)
{
    int              n;
    pid_t            pid;
    uint64_t         ticket;
    trove_flush_t    f;
    trove_ledger_t  *l, *next;

    for (n = 1; n < TIMES; n++) {
        store_none();
        l = ledger_of_rows(5);
        boards[1].rows = 10;

        now += (n % 2) ? 0 : 7 * DAY;
        pid = child_new();

        if (pid == 0) {
            trove_fault_arm(NULL, (uint64_t) n);
            board_put(l, 1, "p1", 1000);
            _exit(0);
        }

        n = (child_end(pid) == -1) ? n : TIMES;

        flush_new(&f, l);
        ticket = trove_flush_ticket(l);
        flushed(&f);
        assert_true(trove_flush_durable(l, ticket));
        trove_flush_close(&f);

        next = loaded_of(1, 1, 1);
        assert_true(same(next, l));

        ledger_free(next);
        ledger_free(l);
    }
}


static int
setup(void **state)
{
    (void) random_setup(state);
    (void) snprintf(dir, sizeof(dir), "/tmp/trove-flush-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/hunt.db", dir);
    (void) snprintf(copy, sizeof(copy), "%s/copy.db", dir);

    disk_register(random_bits);

    return 0;
}


static int
teardown(void **state)
{
    store_none();
    (void) snprintf(path, sizeof(path), "%s", copy);
    store_none();
    (void) rmdir(dir);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_ledger_from_the_store_is_the_same),
        cmocka_unit_test(marks_are_stored_with_what_they_stand_for),
        cmocka_unit_test(a_flush_may_take_many_transactions),
        cmocka_unit_test(a_flush_with_marks_is_one_transaction),
        cmocka_unit_test(a_ticket_is_good_after_a_flush_that_began_later),
        cmocka_unit_test(what_is_durable_survives_errors),
        cmocka_unit_test(what_is_durable_survives_kills),
        cmocka_unit_test(what_is_durable_survives_power_failures),
        cmocka_unit_test(a_writer_that_is_killed_is_replaced),
        cmocka_unit_test(there_is_one_writer),
        cmocka_unit_test(acknowledged_claims_are_in_the_store),
        cmocka_unit_test(a_store_that_hangs_holds_nobody),
        cmocka_unit_test(a_store_that_was_lost_is_made_anew),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(a_ledger_that_is_too_small_is_not_filled),
        cmocka_unit_test(earlier_periods_are_dropped),
        cmocka_unit_test(a_period_that_has_ended_is_the_one_before),
        cmocka_unit_test(two_rows_of_a_player_are_one),
        cmocka_unit_test(a_board_that_is_too_small_is_not_filled),
        cmocka_unit_test(a_board_that_is_gone_comes_back),
        cmocka_unit_test(rows_from_claims_are_stored_with_their_players),
        cmocka_unit_test(a_write_that_was_killed_does_not_hold_up_the_store),
    };

    return cmocka_run_group_tests_name("flush", tests, setup, teardown);
}
