
/*
 * All that an SQLite store holds, handed out to fill an empty ledger.
 */

#include <errno.h>
#include <string.h>

#include "trove_store_sqlite.h"


/*
 * A ledger that is filled in the order of the slots has no holes.  Of the two
 * steps neither makes a slot that another reward has at that moment.  And the
 * ledger that these slots were of is not to meet them: it has been overtaken.
 */

#define TROVE_SQLITE_SLOTS                                                   \
    "UPDATE rewards SET slot = -1 - dense.slot FROM (SELECT id,"             \
    " row_number() OVER (ORDER BY slot) - 1 AS slot FROM rewards) AS dense"  \
    " WHERE dense.id = rewards.id;"                                          \
    "UPDATE rewards SET slot = -1 - slot;"                                   \
    "UPDATE meta SET value = value + 2 WHERE key = 'flush'"

#define TROVE_SQLITE_HOLES                                                   \
    "SELECT count(*) <> ifnull(max(slot) + 1, 0) FROM rewards"

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


typedef trove_rc_t (*trove_sqlite_row_t)(sqlite3_stmt *st,
    trove_store_load_t *to);


static trove_store_rc_t trove_sqlite_load_all(trove_sqlite_t *s,
    trove_store_load_t *to);
static trove_store_rc_t trove_sqlite_rows(trove_sqlite_t *s, const char *sql,
    const char *what, trove_sqlite_row_t row, trove_store_load_t *to);
static trove_rc_t trove_sqlite_load_reward(sqlite3_stmt *st,
    trove_store_load_t *to);
static trove_rc_t trove_sqlite_load_player(sqlite3_stmt *st,
    trove_store_load_t *to);
static trove_rc_t trove_sqlite_load_claim(sqlite3_stmt *st,
    trove_store_load_t *to);


trove_store_rc_t
trove_sqlite_load(trove_store_t *store, trove_store_load_t *to)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    int64_t           holes;
    trove_store_rc_t  rc;

    to->rc = TROVE_OK;
    holes = 0;

    rc = trove_sqlite_exec(s, "BEGIN IMMEDIATE");

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_number(s, TROVE_SQLITE_HOLES, &holes);
    }

    if (rc == TROVE_STORE_DONE && holes) {
        rc = trove_sqlite_exec(s, TROVE_SQLITE_SLOTS);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_load_all(s, to);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_exec(s, "COMMIT");
    }

    if (rc != TROVE_STORE_DONE) {
        trove_store_rollback(store);
        return rc;
    }

    store->info.flush += holes ? 2 : 0;

    return rc;
}


static trove_store_rc_t
trove_sqlite_load_all(trove_sqlite_t *s, trove_store_load_t *to)
{
    trove_store_rc_t  rc;

    rc = trove_sqlite_rows(s, TROVE_SQLITE_REWARDS, "reward",
                           trove_sqlite_load_reward, to);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_rows(s, TROVE_SQLITE_PLAYERS, "player",
                               trove_sqlite_load_player, to);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_rows(s, TROVE_SQLITE_CLAIMS, "claim",
                               trove_sqlite_load_claim, to);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_rows(trove_sqlite_t *s, const char *sql, const char *what,
    trove_sqlite_row_t row, trove_store_load_t *to)
{
    int                rc;
    uint64_t           n;
    sqlite3_stmt      *st;
    trove_store_rc_t   failed;

    failed = TROVE_STORE_DONE;
    n = 0;
    errno = 0;

    rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);

        if (rc != SQLITE_ROW) {
            break;
        }

        n++;
        to->rc = row(st, to);

        if (to->rc != TROVE_OK) {
            failed = trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                         "has a %s, the %lluth, that %s",
                                         what, (unsigned long long) n,
                                         (to->rc == TROVE_FULL)
                                         ? "the ledger has no room for"
                                         : "does not fit the others");
            break;
        }
    }

    if (rc != SQLITE_DONE && failed == TROVE_STORE_DONE) {
        failed = trove_sqlite_fail(s, "cannot be read");
    }

    (void) sqlite3_finalize(st);

    return failed;
}


static trove_rc_t
trove_sqlite_load_reward(sqlite3_stmt *st, trove_store_load_t *to)
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

    return to->reward(to->data, &r);
}


static trove_rc_t
trove_sqlite_load_player(sqlite3_stmt *st, trove_store_load_t *to)
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

    return to->player(to->data, &p);
}


static trove_rc_t
trove_sqlite_load_claim(sqlite3_stmt *st, trove_store_load_t *to)
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

    return to->claim(to->data, &c);
}
