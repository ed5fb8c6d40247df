
/*
 * The schema of the SQLite store, and whose database a file is.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trove_space.h"
#include "trove_store_sqlite.h"


/* What a database begins with, see "The Database Header" of its format. */

#define TROVE_SQLITE_HEADER            100
#define TROVE_SQLITE_MAGIC             "SQLite format 3"
#define TROVE_SQLITE_AT_SCHEMA         60
#define TROVE_SQLITE_AT_APPLICATION    68


static trove_store_rc_t trove_sqlite_create(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_create_tables(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_upgrade(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_upgrade_tables(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_in_place(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_whose(trove_sqlite_t *s, int *empty);
static trove_store_rc_t trove_sqlite_known(trove_sqlite_t *s,
    int64_t application, int64_t schema);
static trove_store_rc_t trove_sqlite_journal(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_info(trove_sqlite_t *s);
static const char *trove_sqlite_space(const trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_query(trove_sqlite_t *s, const char *sql,
    sqlite3_stmt **st);
static trove_store_rc_t trove_sqlite_check_header(const char *path,
    const unsigned char *header, ssize_t n, char *error);
static uint32_t trove_sqlite_word(const unsigned char *p);


static const char  trove_sqlite_tables[] =
    "CREATE TABLE meta ("
    " key TEXT PRIMARY KEY,"
    " value"
    ") WITHOUT ROWID;"

    "CREATE TABLE rewards ("
    " id INTEGER PRIMARY KEY,"
    " x REAL NOT NULL,"
    " y REAL NOT NULL,"
    " level REAL NOT NULL,"
    " value INTEGER NOT NULL,"
    " starts INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " stock INTEGER NOT NULL,"
    " taken INTEGER NOT NULL,"
    " born INTEGER NOT NULL,"
    " slot INTEGER NOT NULL UNIQUE"
    ");"

    "CREATE TABLE players ("
    " number INTEGER PRIMARY KEY,"
    " player TEXT NOT NULL,"
    " balance INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " paced INTEGER NOT NULL,"
    " x REAL NOT NULL,"
    " y REAL NOT NULL,"
    " moved INTEGER NOT NULL,"
    " coin INTEGER NOT NULL,"
    " coin_value INTEGER NOT NULL"
    ");"

    "CREATE TABLE grants ("
    " number INTEGER NOT NULL,"
    " reward INTEGER NOT NULL,"
    " born INTEGER NOT NULL,"
    " ordinal INTEGER NOT NULL,"
    " value INTEGER NOT NULL,"
    " balance INTEGER NOT NULL,"
    " at INTEGER NOT NULL,"
    " PRIMARY KEY (number, reward, born)"
    ") WITHOUT ROWID;"

    "CREATE VIEW claims AS"
    " SELECT player, reward, value, grants.balance AS balance,"
    " strftime('%Y-%m-%d %H:%M:%f', at / 1000.0, 'unixepoch') AS at"
    " FROM grants JOIN players USING (number);";


/*
 * What schema 2 has more.  A week begins on a Monday, and the first of them
 * before 1970 did.  What a query says of board, reset and begins limits what is
 * counted for the ranks.
 */

static const char  trove_sqlite_tables_2[] =
    "CREATE TABLE periods ("
    " number INTEGER PRIMARY KEY,"
    " board TEXT NOT NULL,"
    " reset TEXT NOT NULL,"
    " claims INTEGER NOT NULL,"
    " period INTEGER NOT NULL,"
    " ascending INTEGER NOT NULL,"
    " shared INTEGER NOT NULL,"
    " UNIQUE (board, reset, claims, period)"
    ");"

    "CREATE TABLE scores ("
    " id INTEGER PRIMARY KEY,"
    " player TEXT NOT NULL,"
    " score INTEGER NOT NULL,"
    " reached INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " data TEXT"
    ");"

    "CREATE VIEW boards AS"
    " SELECT board, reset, begins,"
    "  rank() OVER (PARTITION BY board, reset, claims, begins"
    "   ORDER BY iif(ascending, score, -score),"
    "   iif(shared, 0, scores.reached)) AS rank,"
    "  player, score, data,"
    "  strftime('%Y-%m-%d %H:%M:%f', (scores.reached >> 20) / 1000.0,"
    "   'unixepoch') AS reached"
    " FROM (SELECT *, CASE reset"
    "   WHEN 'daily' THEN date(period * 86400, 'unixepoch')"
    "   WHEN 'weekly' THEN date((period * 7 - 3) * 86400, 'unixepoch')"
    "   WHEN 'monthly' THEN date('1970-01-01', period || ' months')"
    "   END AS begins FROM periods)"
    " JOIN scores ON scores.id BETWEEN number << 31"
    "  AND (number << 31) + 2147483647;";


trove_store_rc_t
trove_sqlite_schema(trove_sqlite_t *s)
{
    int               empty;
    trove_store_rc_t  rc;

    /* nothing is written before it is known whose it is */

    rc = trove_sqlite_whose(s, &empty);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_journal(s);
    }

    if (rc == TROVE_STORE_DONE && empty) {
        rc = trove_sqlite_create(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_info(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_upgrade(s);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_whose(trove_sqlite_t *s, int *empty)
{
    int64_t           application, schema, objects;
    trove_store_rc_t  rc;

    application = 0;
    schema = 0;
    objects = 0;

    rc = trove_sqlite_number(s, "SELECT count(*) FROM sqlite_schema",
                             &objects);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_number(s, "PRAGMA application_id", &application);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_number(s, "PRAGMA user_version", &schema);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    *empty = (objects == 0 && application == 0 && schema == 0);

    return *empty ? TROVE_STORE_DONE
                  : trove_sqlite_known(s, application, schema);
}


static trove_store_rc_t
trove_sqlite_known(trove_sqlite_t *s, int64_t application, int64_t schema)
{
    if (application != TROVE_SQLITE_APPLICATION) {
        return trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                   "is a database of another program");
    }

    if (schema > TROVE_SQLITE_SCHEMA) {
        return trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                   "is of schema %lld, this version knows "
                                   "those up to %d", (long long) schema,
                                   TROVE_SQLITE_SCHEMA);
    }

    if (schema < 1) {
        return trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                   "is damaged: it has no schema");
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_sqlite_journal(trove_sqlite_t *s)
{
    char              mode[16];
    trove_store_rc_t  rc;

    mode[0] = '\0';

    rc = trove_sqlite_text(s, "PRAGMA journal_mode = WAL", mode,
                           sizeof(mode));

    if (rc == TROVE_STORE_DONE && strcmp(mode, "wal") != 0) {
        return trove_sqlite_refuse(s, TROVE_STORE_IO,
                                   "cannot have a write-ahead log here");
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_create(trove_sqlite_t *s)
{
    int               empty;
    trove_store_rc_t  rc;

    rc = trove_sqlite_exec(s, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE");

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    /* somebody else may have been faster */

    rc = trove_sqlite_whose(s, &empty);

    if (rc == TROVE_STORE_DONE && empty) {
        rc = trove_sqlite_create_tables(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_exec(s, "COMMIT");
    }

    return (rc == TROVE_STORE_DONE) ? trove_sqlite_in_place(s) : rc;
}


/* So that the header is right for who reads only that. */

static trove_store_rc_t
trove_sqlite_in_place(trove_sqlite_t *s)
{
    return trove_sqlite_exec(s, "PRAGMA wal_checkpoint(TRUNCATE)");
}


/* All of the tables that were there stay as they are. */

static trove_store_rc_t
trove_sqlite_upgrade(trove_sqlite_t *s)
{
    int64_t           schema;
    trove_store_rc_t  rc;

    schema = TROVE_SQLITE_SCHEMA;
    rc = trove_sqlite_number(s, "PRAGMA user_version", &schema);

    if (rc != TROVE_STORE_DONE || schema == TROVE_SQLITE_SCHEMA) {
        return rc;
    }

    rc = trove_sqlite_exec(s, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE");

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_upgrade_tables(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_exec(s, "COMMIT");
    }

    return (rc == TROVE_STORE_DONE) ? trove_sqlite_in_place(s) : rc;
}


/* Somebody else may have been faster. */

static trove_store_rc_t
trove_sqlite_upgrade_tables(trove_sqlite_t *s)
{
    char              sql[64];
    int64_t           schema;
    trove_store_rc_t  rc;

    schema = 0;
    rc = trove_sqlite_number(s, "PRAGMA user_version", &schema);

    if (rc != TROVE_STORE_DONE || schema == TROVE_SQLITE_SCHEMA) {
        return rc;
    }

    rc = trove_sqlite_exec(s, trove_sqlite_tables_2);

    if (rc == TROVE_STORE_DONE) {
        (void) snprintf(sql, sizeof(sql), "PRAGMA user_version = %d",
                        TROVE_SQLITE_SCHEMA);
        rc = trove_sqlite_exec(s, sql);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_create_tables(trove_sqlite_t *s)
{
    char              sql[512], instance[TROVE_STORE_INSTANCE + 1];
    trove_store_rc_t  rc;

    rc = trove_sqlite_exec(s, trove_sqlite_tables);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_exec(s, trove_sqlite_tables_2);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (s->conf.instance != NULL) {
        (void) snprintf(instance, sizeof(instance), "%s", s->conf.instance);

    } else if (trove_store_instance(instance) != TROVE_OK) {
        return trove_sqlite_refuse(s, TROVE_STORE_IO,
                                   "cannot be made without random numbers");
    }

    (void) snprintf(sql, sizeof(sql),
                    "INSERT INTO meta VALUES ('instance', '%s'),"
                    " ('space', '%s'), ('created', %lld), ('flush', 0),"
                    " ('version', 0);"
                    "PRAGMA application_id = %d;"
                    "PRAGMA user_version = %d",
                    instance, trove_sqlite_space(s), (long long) time(NULL),
                    TROVE_SQLITE_APPLICATION, TROVE_SQLITE_SCHEMA);

    s->store.info.created = 1;

    return trove_sqlite_exec(s, sql);
}


static trove_store_rc_t
trove_sqlite_info(trove_sqlite_t *s)
{
    char                 space[16];
    int64_t              flush, version;
    trove_store_rc_t     rc;
    trove_store_info_t  *info;

    info = &s->store.info;
    info->instance[0] = '\0';
    space[0] = '\0';
    flush = -1;
    version = 0;

    rc = trove_sqlite_text(s, "SELECT value FROM meta WHERE key = 'instance'",
                           info->instance, sizeof(info->instance));

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_text(s, "SELECT value FROM meta"
                                  " WHERE key = 'space'",
                               space, sizeof(space));
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_number(s, "SELECT value FROM meta"
                                    " WHERE key = 'flush'", &flush);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_number(s, "SELECT value FROM meta"
                                    " WHERE key = 'version'", &version);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    info->flush = (uint64_t) flush;
    info->version = (uint64_t) version;

    if (strlen(info->instance) != TROVE_STORE_INSTANCE || flush < 0) {
        return trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                   "is damaged: its table meta is not whole");
    }

    if (strcmp(space, trove_sqlite_space(s)) != 0) {
        return trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                   "is of a trove with \"space %.15s\", this "
                                   "one has \"space %s\"",
                                   space, trove_sqlite_space(s));
    }

    if (s->conf.instance != NULL
        && strcmp(info->instance, s->conf.instance) != 0)
    {
        return trove_sqlite_refuse(s, TROVE_STORE_FOREIGN,
                                   "is the store of another ledger: its "
                                   "instance is %s, the ledger's %s",
                                   info->instance, s->conf.instance);
    }

    return TROVE_STORE_DONE;
}


static const char *
trove_sqlite_space(const trove_sqlite_t *s)
{
    return (s->conf.space == TROVE_EARTH) ? "earth" : "plane";
}


trove_store_rc_t
trove_sqlite_number(trove_sqlite_t *s, const char *sql, int64_t *n)
{
    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    rc = trove_sqlite_query(s, sql, &st);

    if (rc == TROVE_STORE_DONE && sqlite3_data_count(st) > 0) {
        *n = sqlite3_column_int64(st, 0);
    }

    (void) sqlite3_finalize(st);

    return rc;
}


trove_store_rc_t
trove_sqlite_text(trove_sqlite_t *s, const char *sql, char *buf, size_t size)
{
    const char        *text;
    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    rc = trove_sqlite_query(s, sql, &st);

    if (rc == TROVE_STORE_DONE && sqlite3_data_count(st) > 0) {
        text = (const char *) sqlite3_column_text(st, 0);
        (void) snprintf(buf, size, "%s", text ? text : "");
    }

    (void) sqlite3_finalize(st);

    return rc;
}


/* With its first row, if it has one. */

static trove_store_rc_t
trove_sqlite_query(trove_sqlite_t *s, const char *sql, sqlite3_stmt **st)
{
    int  rc;

    *st = NULL;
    errno = 0;

    rc = sqlite3_prepare_v2(s->db, sql, -1, st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*st);
    }

    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return TROVE_STORE_DONE;
    }

    return trove_sqlite_fail(s, "cannot be read");
}


trove_store_rc_t
trove_store_sqlite_check(const char *path, char *error)
{
    int            fd;
    char           dir[4096], *slash;
    ssize_t        n;
    unsigned char  header[TROVE_SQLITE_HEADER];

    error[0] = '\0';

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK|O_NOFOLLOW);

    if (fd != -1) {
        n = pread(fd, header, sizeof(header), 0);
        (void) close(fd);

        return trove_sqlite_check_header(path, header, n, error);
    }

    if (errno == ELOOP) {
        (void) snprintf(error, TROVE_STORE_ERROR, "\"%s\" is a symbolic link",
                        path);
        return TROVE_STORE_IO;
    }

    if (errno != ENOENT) {
        (void) snprintf(error, TROVE_STORE_ERROR, "\"%s\" cannot be opened: "
                        "%s", path, strerror(errno));
        return TROVE_STORE_IO;
    }

    (void) snprintf(dir, sizeof(dir), "%s", path);
    slash = strrchr(dir, '/');
    (void) strcpy(slash ? slash + (slash == dir) : dir, slash ? "" : ".");

    if (access(dir, W_OK|X_OK) != 0) {
        (void) snprintf(error, TROVE_STORE_ERROR, "\"%s\" cannot be made: %s",
                        path, strerror(errno));
        return TROVE_STORE_IO;
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_sqlite_check_header(const char *path, const unsigned char *header,
    ssize_t n, char *error)
{
    uint32_t  schema;

    if (n == 0) {
        return TROVE_STORE_DONE;
    }

    if (n < TROVE_SQLITE_HEADER
        || memcmp(header, TROVE_SQLITE_MAGIC, sizeof(TROVE_SQLITE_MAGIC)) != 0)
    {
        (void) snprintf(error, TROVE_STORE_ERROR,
                        "\"%s\" is no SQLite database", path);
        return TROVE_STORE_FOREIGN;
    }

    schema = trove_sqlite_word(header + TROVE_SQLITE_AT_SCHEMA);

    /* one that nothing was ever put in is anybody's */

    if (trove_sqlite_word(header + TROVE_SQLITE_AT_APPLICATION)
        != TROVE_SQLITE_APPLICATION
        && (schema != 0
            || trove_sqlite_word(header + TROVE_SQLITE_AT_APPLICATION) != 0))
    {
        (void) snprintf(error, TROVE_STORE_ERROR,
                        "\"%s\" is a database of another program", path);
        return TROVE_STORE_FOREIGN;
    }

    if (schema > TROVE_SQLITE_SCHEMA) {
        (void) snprintf(error, TROVE_STORE_ERROR,
                        "\"%s\" is of schema %u, this version knows those up "
                        "to %d", path, schema, TROVE_SQLITE_SCHEMA);
        return TROVE_STORE_FOREIGN;
    }

    return TROVE_STORE_DONE;
}


static uint32_t
trove_sqlite_word(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}
