
/*
 * All that an SQLite store holds, handed out to fill an empty ledger.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "trove_store_sqlite.h"


/*
 * A ledger that is filled in the order of the slots has no holes.  Of the two
 * steps neither makes a slot that another reward has at that moment.
 */

#define TROVE_SQLITE_SLOTS                                                   \
    "UPDATE rewards SET slot = -1 - dense.slot FROM (SELECT id,"             \
    " row_number() OVER (ORDER BY slot) - 1 AS slot FROM rewards) AS dense"  \
    " WHERE dense.id = rewards.id;"                                          \
    "UPDATE rewards SET slot = -1 - slot"

#define TROVE_SQLITE_HOLES                                                   \
    "SELECT count(*) <> ifnull(max(slot) + 1, 0) FROM rewards"

/* The same for the rows of a period; and of a player's only the latest. */

#define TROVE_SQLITE_RENUMBER                                                \
    "DELETE FROM scores WHERE id IN (SELECT id FROM (SELECT id,"             \
    " row_number() OVER (PARTITION BY player ORDER BY reached DESC) AS n"    \
    " FROM scores WHERE id BETWEEN %1$lld AND %2$lld) WHERE n > 1);"         \
    "UPDATE scores SET id = -1 - dense.id FROM (SELECT id AS was,"           \
    " %1$lld + row_number() OVER (ORDER BY id) - 1 AS id FROM scores"        \
    " WHERE id BETWEEN %1$lld AND %2$lld) AS dense"                          \
    " WHERE dense.was = scores.id AND dense.id <> dense.was;"                \
    "UPDATE scores SET id = -1 - id WHERE id < 0"

/* The ledger that they were of is not to meet them: it has been overtaken. */

#define TROVE_SQLITE_OVERTAKEN                                               \
    "UPDATE meta SET value = value + 2 WHERE key = 'flush'"

#define TROVE_SQLITE_MARKS                                                   \
    "SELECT ltrim(substr(key, 9), ':'), value FROM meta"                     \
    " WHERE key = 'overflow' OR key GLOB 'overflow:*'"

#define TROVE_SQLITE_REWARDS                                                 \
    "SELECT id, x, y, level, value, starts, expires, stock, taken, born,"    \
    " slot"                                                                  \
    " FROM rewards ORDER BY slot"

#define TROVE_SQLITE_PLAYERS                                                 \
    "SELECT number, player, balance, seq, paced, x, y, moved, coin,"         \
    " coin_value FROM players ORDER BY number"

#define TROVE_SQLITE_CLAIMS                                                  \
    "SELECT number, reward, born, ordinal, value, balance, at FROM grants"   \
    " ORDER BY reward, born, ordinal, number"

#define TROVE_SQLITE_PERIODS_OF                                              \
    "SELECT number, board, reset, claims, period FROM periods"               \
    " ORDER BY board, reset, claims, period DESC"

#define TROVE_SQLITE_LAST                                                    \
    "SELECT ifnull(max(id) - %1$lld + 1, 0) FROM scores"                     \
    " WHERE id BETWEEN %1$lld AND %2$lld"

#define TROVE_SQLITE_SCORES                                                  \
    "SELECT id, player, score, reached, seq, data FROM scores"               \
    " WHERE id BETWEEN %lld AND %lld ORDER BY id"


typedef struct {
    trove_sqlite_t      *s;
    trove_store_load_t  *to;
    uint64_t             period;        /* whose scores are read             */
    int                  moved;         /* something got another number      */
} trove_sqlite_loading_t;


typedef trove_rc_t (*trove_sqlite_row_t)(sqlite3_stmt *st,
    trove_sqlite_loading_t *w);


static trove_store_rc_t trove_sqlite_load_all(trove_sqlite_loading_t *w);
static trove_store_rc_t trove_sqlite_load_dense(trove_sqlite_loading_t *w);
static trove_store_rc_t trove_sqlite_rows(trove_sqlite_loading_t *w,
    const char *sql, const char *what, trove_sqlite_row_t row);
static trove_rc_t trove_sqlite_load_mark(sqlite3_stmt *st,
    trove_sqlite_loading_t *w);
static trove_rc_t trove_sqlite_load_reward(sqlite3_stmt *st,
    trove_sqlite_loading_t *w);
static trove_rc_t trove_sqlite_load_player(sqlite3_stmt *st,
    trove_sqlite_loading_t *w);
static trove_rc_t trove_sqlite_load_claim(sqlite3_stmt *st,
    trove_sqlite_loading_t *w);
static trove_store_rc_t trove_sqlite_load_periods(trove_sqlite_loading_t *w);
static trove_store_rc_t trove_sqlite_load_period(trove_sqlite_loading_t *w,
    int64_t number, trove_store_period_t *p);
static trove_store_rc_t trove_sqlite_offer(trove_sqlite_loading_t *w,
    int64_t first, int64_t last, trove_store_period_t *p);
static trove_store_rc_t trove_sqlite_renumber(trove_sqlite_loading_t *w,
    int64_t first, int64_t last);
static trove_store_rc_t trove_sqlite_load_scores(trove_sqlite_loading_t *w,
    const trove_store_period_t *p, int64_t first, int64_t last);
static int trove_sqlite_reset_of(sqlite3_stmt *st, int column,
    uint32_t *reset);
static trove_rc_t trove_sqlite_load_score(sqlite3_stmt *st,
    trove_sqlite_loading_t *w);


trove_store_rc_t
trove_sqlite_load(trove_store_t *store, trove_store_load_t *to)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    trove_store_rc_t        rc;
    trove_sqlite_loading_t  w;

    memset(&w, 0, sizeof(w));
    w.s = s;
    w.to = to;
    to->rc = TROVE_OK;

    rc = trove_sqlite_exec(s, "BEGIN IMMEDIATE");

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_load_all(&w);
    }

    if (rc == TROVE_STORE_DONE && w.moved) {
        rc = trove_sqlite_exec(s, TROVE_SQLITE_OVERTAKEN);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_exec(s, "COMMIT");
    }

    if (rc != TROVE_STORE_DONE) {
        trove_store_rollback(store);
        return rc;
    }

    store->info.flush += w.moved ? 2 : 0;

    return rc;
}


static trove_store_rc_t
trove_sqlite_load_all(trove_sqlite_loading_t *w)
{
    trove_store_rc_t  rc;

    rc = trove_sqlite_load_dense(w);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_rows(w, TROVE_SQLITE_MARKS, "mark",
                               trove_sqlite_load_mark);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_rows(w, TROVE_SQLITE_REWARDS, "reward",
                               trove_sqlite_load_reward);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_rows(w, TROVE_SQLITE_PLAYERS, "player",
                               trove_sqlite_load_player);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_rows(w, TROVE_SQLITE_CLAIMS, "claim",
                               trove_sqlite_load_claim);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_load_periods(w);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_load_dense(trove_sqlite_loading_t *w)
{
    int64_t           holes;
    trove_store_rc_t  rc;

    holes = 0;
    rc = trove_sqlite_number(w->s, TROVE_SQLITE_HOLES, &holes);

    if (rc == TROVE_STORE_DONE && holes) {
        w->moved = 1;
        rc = trove_sqlite_exec(w->s, TROVE_SQLITE_SLOTS);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_rows(trove_sqlite_loading_t *w, const char *sql,
    const char *what, trove_sqlite_row_t row)
{
    int                  rc;
    uint64_t             n;
    sqlite3_stmt        *st;
    trove_store_rc_t     failed;
    trove_store_load_t  *to;

    to = w->to;
    failed = TROVE_STORE_DONE;
    n = 0;
    errno = 0;

    rc = sqlite3_prepare_v2(w->s->db, sql, -1, &st, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);

        if (rc != SQLITE_ROW) {
            break;
        }

        n++;
        to->rc = row(st, w);

        if (to->rc != TROVE_OK) {
            failed = trove_sqlite_refuse(w->s, TROVE_STORE_FOREIGN,
                                         "has a %s, number %llu, that %s",
                                         what, (unsigned long long) n,
                                         (to->rc == TROVE_FULL)
                                         ? "the ledger has no room for"
                                         : "does not fit the others");
            break;
        }
    }

    if (rc != SQLITE_DONE && failed == TROVE_STORE_DONE) {
        failed = trove_sqlite_fail(w->s, "cannot be read");
    }

    (void) sqlite3_finalize(st);

    return failed;
}


static trove_rc_t
trove_sqlite_load_mark(sqlite3_stmt *st, trove_sqlite_loading_t *w)
{
    trove_slice_t  queue;

    queue.data = sqlite3_column_text(st, 0);
    queue.len = (size_t) sqlite3_column_bytes(st, 0);

    return w->to->mark(w->to->data, &queue,
                       (uint64_t) sqlite3_column_int64(st, 1));
}


static trove_rc_t
trove_sqlite_load_reward(sqlite3_stmt *st, trove_sqlite_loading_t *w)
{
    trove_store_reward_t  r;

    memset(&r, 0, sizeof(r));

    r.reward.id = (uint32_t) sqlite3_column_int64(st, 0);
    r.reward.x = sqlite3_column_double(st, 1);
    r.reward.y = sqlite3_column_double(st, 2);
    r.reward.level = sqlite3_column_double(st, 3);
    r.reward.value = (int32_t) sqlite3_column_int64(st, 4);
    r.reward.starts = (uint32_t) sqlite3_column_int64(st, 5);
    r.reward.expires = (uint32_t) sqlite3_column_int64(st, 6);
    r.reward.stock = (uint32_t) sqlite3_column_int64(st, 7);
    r.reward.taken = (uint32_t) sqlite3_column_int64(st, 8);
    r.born = (uint32_t) sqlite3_column_int64(st, 9);
    r.slot = (uint32_t) sqlite3_column_int64(st, 10);

    return w->to->reward(w->to->data, &r);
}


static trove_rc_t
trove_sqlite_load_player(sqlite3_stmt *st, trove_sqlite_loading_t *w)
{
    trove_store_player_t  p;

    memset(&p, 0, sizeof(p));

    p.number = (uint32_t) sqlite3_column_int64(st, 0);
    p.id.data = sqlite3_column_text(st, 1);
    p.id.len = (size_t) sqlite3_column_bytes(st, 1);
    p.data.balance = sqlite3_column_int64(st, 2);
    p.data.seq = (uint64_t) sqlite3_column_int64(st, 3);
    p.data.paced = (uint64_t) sqlite3_column_int64(st, 4);
    p.data.x = sqlite3_column_double(st, 5);
    p.data.y = sqlite3_column_double(st, 6);
    p.data.moved = (uint64_t) sqlite3_column_int64(st, 7);
    p.data.coin = (uint32_t) sqlite3_column_int64(st, 8);
    p.data.coin_value = (int32_t) sqlite3_column_int64(st, 9);

    return w->to->player(w->to->data, &p);
}


static trove_rc_t
trove_sqlite_load_claim(sqlite3_stmt *st, trove_sqlite_loading_t *w)
{
    trove_store_claim_t  c;

    memset(&c, 0, sizeof(c));

    c.player = (uint32_t) sqlite3_column_int64(st, 0);
    c.reward = (uint32_t) sqlite3_column_int64(st, 1);
    c.born = (uint32_t) sqlite3_column_int64(st, 2);
    c.ordinal = (uint32_t) sqlite3_column_int64(st, 3);
    c.value = (int32_t) sqlite3_column_int64(st, 4);
    c.balance = sqlite3_column_int64(st, 5);
    c.at = (uint64_t) sqlite3_column_int64(st, 6);

    return w->to->claim(w->to->data, &c);
}


static trove_store_rc_t
trove_sqlite_load_periods(trove_sqlite_loading_t *w)
{
    int                    rc;
    sqlite3_stmt          *st;
    trove_store_rc_t       loaded;
    trove_store_period_t   p;

    loaded = TROVE_STORE_DONE;
    errno = 0;

    rc = sqlite3_prepare_v2(w->s->db, TROVE_SQLITE_PERIODS_OF, -1, &st, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);

        if (rc != SQLITE_ROW) {
            break;
        }

        p.board.data = sqlite3_column_text(st, 1);
        p.board.len = (size_t) sqlite3_column_bytes(st, 1);
        p.claims = (uint32_t) sqlite3_column_int64(st, 3);
        p.period = (uint64_t) sqlite3_column_int64(st, 4);

        if (!trove_sqlite_reset_of(st, 2, &p.reset)) {
            continue;
        }

        loaded = trove_sqlite_load_period(w, sqlite3_column_int64(st, 0), &p);

        if (loaded != TROVE_STORE_DONE) {
            break;
        }
    }

    if (rc != SQLITE_DONE && loaded == TROVE_STORE_DONE) {
        loaded = trove_sqlite_fail(w->s, "cannot be read");
    }

    (void) sqlite3_finalize(st);

    return loaded;
}


static trove_store_rc_t
trove_sqlite_load_period(trove_sqlite_loading_t *w, int64_t number,
    trove_store_period_t *p)
{
    int64_t              first, last;
    trove_store_rc_t     rc;
    trove_store_load_t  *to;

    to = w->to;
    first = trove_sqlite_score_id(number, 0);
    last = trove_sqlite_score_id(number, INT32_MAX);

    rc = trove_sqlite_offer(w, first, last, p);

    if (rc == TROVE_STORE_DONE && to->rc == TROVE_FULL) {
        rc = trove_sqlite_renumber(w, first, last);

        if (rc == TROVE_STORE_DONE) {
            rc = trove_sqlite_offer(w, first, last, p);
        }
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (to->rc == TROVE_NOTFOUND) {
        to->rc = TROVE_OK;
        return TROVE_STORE_DONE;
    }

    if (to->rc != TROVE_OK) {
        return trove_sqlite_refuse(w->s, TROVE_STORE_FOREIGN,
                                   "has %llu rows of board \"%.*s\", which "
                                   "has no room for them",
                                   (unsigned long long) p->rows,
                                   (int) p->board.len, p->board.data);
    }

    w->period = p->period;

    return trove_sqlite_load_scores(w, p, first, last);
}


static trove_store_rc_t
trove_sqlite_offer(trove_sqlite_loading_t *w, int64_t first, int64_t last,
    trove_store_period_t *p)
{
    char              sql[256];
    int64_t           rows;
    trove_store_rc_t  rc;

    rows = 0;

    (void) snprintf(sql, sizeof(sql), TROVE_SQLITE_LAST, (long long) first,
                    (long long) last);
    rc = trove_sqlite_number(w->s, sql, &rows);

    if (rc == TROVE_STORE_DONE) {
        p->rows = (uint64_t) rows;
        w->to->rc = w->to->period(w->to->data, p);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_renumber(trove_sqlite_loading_t *w, int64_t first, int64_t last)
{
    char  sql[1024];

    w->moved = 1;

    (void) snprintf(sql, sizeof(sql), TROVE_SQLITE_RENUMBER,
                    (long long) first, (long long) last);

    return trove_sqlite_exec(w->s, sql);
}


static trove_store_rc_t
trove_sqlite_load_scores(trove_sqlite_loading_t *w,
    const trove_store_period_t *p, int64_t first, int64_t last)
{
    char  sql[256], what[128];

    (void) snprintf(sql, sizeof(sql), TROVE_SQLITE_SCORES, (long long) first,
                    (long long) last);
    (void) snprintf(what, sizeof(what), "row of board \"%.*s\"",
                    (int) p->board.len, p->board.data);

    return trove_sqlite_rows(w, sql, what, trove_sqlite_load_score);
}


/* Whether it is one that this version knows. */

static int
trove_sqlite_reset_of(sqlite3_stmt *st, int column, uint32_t *reset)
{
    const char  *name;

    name = (const char *) sqlite3_column_text(st, column);

    for (*reset = TROVE_BOARD_NEVER; *reset <= TROVE_BOARD_MONTHLY; ++*reset)
    {
        if (name != NULL && strcmp(name, trove_sqlite_reset(*reset)) == 0) {
            return 1;
        }
    }

    return 0;
}


static trove_rc_t
trove_sqlite_load_score(sqlite3_stmt *st, trove_sqlite_loading_t *w)
{
    trove_store_score_t  r;

    memset(&r, 0, sizeof(r));

    r.period = w->period;
    r.row = (uint32_t) sqlite3_column_int64(st, 0) & INT32_MAX;
    r.player.data = sqlite3_column_text(st, 1);
    r.player.len = (size_t) sqlite3_column_bytes(st, 1);
    r.score = sqlite3_column_int64(st, 2);
    r.reached = (uint64_t) sqlite3_column_int64(st, 3);
    r.seq = (uint64_t) sqlite3_column_int64(st, 4);
    r.data.data = sqlite3_column_text(st, 5);
    r.data.len = (size_t) sqlite3_column_bytes(st, 5);

    return w->to->score(w->to->data, &r);
}
