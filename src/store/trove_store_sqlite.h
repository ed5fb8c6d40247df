/*
 * What the files of the SQLite store share.
 *
 * The database, of which an operator may read at any time:
 *
 *   rewards   id, x, y, level, value, starts, expires, stock, taken
 *   players   number, player, balance, ...
 *   claims    player, reward, value, balance, at: a view of
 *   grants    number (of the player), reward, born, ordinal, value, balance,
 *             at: who was granted which reward, and when (ms of unix time)
 *   boards    board, reset, begins, rank, player, score, data, reached: a view
 *             of
 *   periods   number, board, reset, claims, period, ascending, shared
 *   scores    id (the period's number and the row's), player, score, reached,
 *             seq, data
 *   meta      key, value: instance, space, created; flush, version; of each
 *             queue that was carried out "overflow:" and its name, and
 *             "overflow", whose these are: see trove_mark.h
 *
 * A player is found by number, for then a flush, which goes by numbers, writes
 * its pages in their order, and "players" is no index but the rows alone.  To
 * look for many by name: CREATE INDEX ON players (player).  A grant's "born"
 * and a reward's tell apart the rewards that had the same id in turn; a reward
 * has the "slot" of the ledger that it lies in, so that a slot that turned
 * empty says which reward is gone.
 *
 * The rows of a board are found by number, too, those of a period side by
 * side: by that of the row in the ledger, or of the player if the scores come
 * from claims.  Of a board that is reset in another way than it was, or whose
 * scores come from elsewhere, the rows are others: periods are counted, and
 * rows numbered, in another way.
 *
 * PRAGMA application_id is TROVE_SQLITE_APPLICATION, PRAGMA user_version is
 * TROVE_SQLITE_SCHEMA.
 */

#ifndef TROVE_STORE_SQLITE_H_INCLUDED
#define TROVE_STORE_SQLITE_H_INCLUDED


#include <sqlite3.h>
#include <sys/stat.h>

#include "trove_store.h"


#define TROVE_SQLITE_APPLICATION  0x74726f76                  /* "trov" */
#define TROVE_SQLITE_SCHEMA       2

#define TROVE_SQLITE_STATEMENTS(X)                                           \
    X(BEGIN, "BEGIN IMMEDIATE")                                              \
    X(COMMIT, "COMMIT")                                                      \
    X(ROLLBACK, "ROLLBACK")                                                  \
    X(REWARD,                                                                \
      "INSERT OR REPLACE INTO rewards (id, x, y, level, value, starts,"      \
      " expires, stock, taken, born, slot)"                                  \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")              \
    X(REMOVE, "DELETE FROM rewards WHERE slot = ?1")                         \
    X(PLAYER,                                                                \
      "INSERT OR REPLACE INTO players (number, player, balance, seq, paced,"  \
      " x, y, moved, coin, coin_value)"                                       \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                    \
    X(CLAIM,                                                                 \
      "INSERT INTO grants (number, reward, born, ordinal, value, balance,"   \
      " at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"                             \
      " ON CONFLICT (number, reward, born) DO UPDATE SET ordinal = ?4,"      \
      " value = ?5, balance = ?6, at = ?7")                                  \
    X(PERIOD,                                                                \
      "SELECT number, ascending = ?5 AND shared = ?6 FROM periods"           \
      " WHERE board = ?1 AND reset = ?2 AND claims = ?3 AND period = ?4")    \
    X(BEGINS,                                                                \
      "INSERT INTO periods (board, reset, claims, period, ascending, shared)"\
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"                                     \
      " ON CONFLICT (board, reset, claims, period) DO UPDATE"                \
      " SET ascending = ?5, shared = ?6")                                    \
    X(SCORE,                                                                 \
      "INSERT OR REPLACE INTO scores (id, player, score, reached, seq, data)"\
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                    \
    X(UNSCORE, "DELETE FROM scores WHERE id = ?1")                           \
    X(EARLIER,                                                               \
      "SELECT number FROM periods"                                           \
      " WHERE board = ?1 AND reset = ?2 AND claims = ?3 AND period < ?4"     \
      " LIMIT 1")                                                            \
    X(DROP,                                                                  \
      "DELETE FROM scores WHERE id IN (SELECT id FROM scores"                \
      " WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)")                               \
    X(ENDED, "DELETE FROM periods WHERE number = ?1")                        \
    X(MARK,                                                                  \
      "INSERT OR REPLACE INTO meta (key, value)"                             \
      " VALUES ('overflow' || iif(?1 = '', '', ':') || ?1, ?2)")             \
    X(UNMARK,                                                                \
      "DELETE FROM meta WHERE key GLOB 'overflow:*' AND ?1 IS NOT"           \
      " (SELECT value FROM meta WHERE key = 'overflow')")                    \
    X(META, "UPDATE meta SET value = ?2 WHERE key = ?1")

#define TROVE_SQLITE_ENUM(NAME, sql)   TROVE_SQLITE_##NAME,

enum {
    TROVE_SQLITE_STATEMENTS(TROVE_SQLITE_ENUM)
    TROVE_SQLITE_PREPARED
};


/* A row of "scores": the number of its period and its own. */

#define TROVE_SQLITE_ROW_BITS     31
#define trove_sqlite_score_id(number, row)                                   \
    ((number) << TROVE_SQLITE_ROW_BITS | (int64_t) (row))

/* So many periods, of those last written, are known by number. */
#define TROVE_SQLITE_PERIODS      16


typedef struct {
    const trove_board_conf_t  *board;
    uint64_t                   period;
    int64_t                    number;
} trove_sqlite_period_t;


/* A file as it was when it was opened. */

typedef struct {
    dev_t                dev;
    ino_t                ino;
} trove_sqlite_file_t;


typedef struct {
    trove_store_t        store;
    trove_store_conf_t   conf;
    sqlite3             *db;
    sqlite3_stmt        *prepared[TROVE_SQLITE_PREPARED];

    trove_sqlite_file_t  wal;
    trove_sqlite_file_t  shm;           /* where its locks are               */
    uint64_t             wal_page;      /* bytes of a page in it             */
    uint64_t             wal_pages;     /* in use                            */

    trove_store_rc_t     failed;        /* what the store is not good for    */

    /* of the transaction */

    uint64_t             rewards;
    uint64_t             players;
    uint64_t             claims;
    uint64_t             scores;

    trove_sqlite_period_t  periods[TROVE_SQLITE_PERIODS];
    uint32_t             nperiods;      /* that were looked up               */
} trove_sqlite_t;


/* Says what SQLite has against it, counts it and gives it back as ours. */
trove_store_rc_t trove_sqlite_fail(trove_sqlite_t *s, const char *what);

/* The same for what SQLite knows nothing of. */
trove_store_rc_t trove_sqlite_refuse(trove_sqlite_t *s, trove_store_rc_t rc,
    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A statement that gives no rows, and whose failure ends the transaction. */
trove_store_rc_t trove_sqlite_step(trove_sqlite_t *s, int statement);

/* One that may give a row: then it is to be reset by who has read that. */
trove_store_rc_t trove_sqlite_step_row(trove_sqlite_t *s, int statement,
    int *row);

void trove_sqlite_rollback(trove_store_t *store);

trove_store_rc_t trove_sqlite_exec(trove_sqlite_t *s, const char *sql);

/* The first column of the first row; *n is left alone if there is none. */
trove_store_rc_t trove_sqlite_number(trove_sqlite_t *s, const char *sql,
    int64_t *n);
trove_store_rc_t trove_sqlite_text(trove_sqlite_t *s, const char *sql,
    char *buf, size_t size);

/* Makes the tables that there are not yet, and checks whose database it is. */
trove_store_rc_t trove_sqlite_schema(trove_sqlite_t *s);

trove_store_rc_t trove_sqlite_load(trove_store_t *store,
    trove_store_load_t *to);

trove_store_rc_t trove_sqlite_score(trove_store_t *store,
    const trove_store_score_t *r);
trove_store_rc_t trove_sqlite_unscore(trove_store_t *store,
    const trove_board_conf_t *board, uint64_t period, uint32_t row);
trove_store_rc_t trove_sqlite_drop(trove_store_t *store,
    const trove_board_conf_t *board, uint64_t before, uint32_t max,
    uint32_t *n);

/* What a "reset" is called in "periods". */
const char *trove_sqlite_reset(uint32_t reset);


#endif /* TROVE_STORE_SQLITE_H_INCLUDED */
