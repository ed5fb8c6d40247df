
/*
 * A ledger in an SQLite database: opening, writing, closing.
 *
 * The database is in WAL mode with synchronous=FULL: a commit appends the
 * changed pages to the log and syncs it; what is in the log is put in its
 * place in the database later (a checkpoint).
 *
 * After a sync that failed the kernel takes what was not written for written.
 * Were it a part of the log then all that is appended behind it would be lost
 * with it.  Within one connection SQLite writes the pages of a failed commit
 * over; but a recovery, after this process died, would find them whole in the
 * kernel's memory and take them for stored.  Therefore the log is written and
 * synced anew whenever it was found at an open, before anything is appended.
 */

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "trove_alloc.h"
#include "trove_store_sqlite.h"


/*
 * Of pages, negative for KB: what SQLite has unless told otherwise, and before
 * it can be told it takes the first page.
 */
#define TROVE_SQLITE_CACHE   (-2000)

#define TROVE_SQLITE_FRAME   24         /* bytes before a page in the log    */
#define TROVE_SQLITE_CHUNK   65536
#define TROVE_SQLITE_NAME    4096        /* bytes of a path                   */


static void trove_sqlite_setup(void);
static trove_store_rc_t trove_sqlite_open(const trove_store_conf_t *conf,
    trove_store_t **store);
static trove_store_rc_t trove_sqlite_connect(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_configure(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_secure(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_rewrite(trove_sqlite_t *s,
    sqlite3_file *log);
static trove_store_rc_t trove_sqlite_prepare(trove_sqlite_t *s);
static int trove_sqlite_logged(void *data, sqlite3 *db, const char *name,
    int pages);
static trove_store_rc_t trove_sqlite_begin(trove_store_t *store);
static trove_store_rc_t trove_sqlite_room(trove_sqlite_t *s);
static trove_store_rc_t trove_sqlite_reward(trove_store_t *store,
    const trove_store_reward_t *r);
static trove_store_rc_t trove_sqlite_remove(trove_store_t *store,
    uint32_t slot);
static trove_store_rc_t trove_sqlite_player(trove_store_t *store,
    const trove_store_player_t *p);
static trove_store_rc_t trove_sqlite_claim(trove_store_t *store,
    const trove_store_claim_t *c);
static trove_store_rc_t trove_sqlite_mark(trove_store_t *store,
    const trove_slice_t *queue, uint64_t number);
static trove_store_rc_t trove_sqlite_commit(trove_store_t *store,
    uint64_t version);
static trove_store_rc_t trove_sqlite_meta(trove_sqlite_t *s, const char *key,
    uint64_t value);
static void trove_sqlite_committed(trove_sqlite_t *s, uint64_t version);
static void trove_sqlite_tidy(trove_store_t *store);
static void trove_sqlite_checkpoint(trove_sqlite_t *s, int mode);
static void trove_sqlite_close(trove_store_t *store);
static trove_store_rc_t trove_sqlite_there(trove_sqlite_t *s);
static int trove_sqlite_identify(const trove_sqlite_t *s,
    const char *suffix, trove_sqlite_file_t *f);
static int trove_sqlite_same(const trove_sqlite_t *s, const char *suffix,
    const trove_sqlite_file_t *was);
static trove_store_rc_t trove_sqlite_rc(sqlite3 *db);
static int trove_sqlite_errno(sqlite3 *db);


const trove_store_kind_t  trove_store_sqlite = {
    "sqlite",
    trove_sqlite_open,
    trove_sqlite_load,
    trove_sqlite_begin,
    trove_sqlite_reward,
    trove_sqlite_remove,
    trove_sqlite_player,
    trove_sqlite_claim,
    trove_sqlite_score,
    trove_sqlite_unscore,
    trove_sqlite_drop,
    trove_sqlite_mark,
    trove_sqlite_commit,
    trove_sqlite_tidy,
    trove_sqlite_rollback,
    trove_sqlite_close
};


static const char *const  trove_sqlite_statements[TROVE_SQLITE_PREPARED] = {
#define TROVE_SQLITE_SQL(NAME, sql)   sql,
    TROVE_SQLITE_STATEMENTS(TROVE_SQLITE_SQL)
};


static pthread_once_t  trove_sqlite_once = PTHREAD_ONCE_INIT;


/*
 * Of all of SQLite in this process, unless another part of it was faster.  A
 * cache takes its memory at once, so that a process does not grow while its
 * database does; what is allocated is not counted, under a lock.
 */

static void
trove_sqlite_setup(void)
{
    (void) sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0,
                          TROVE_SQLITE_CACHE);
    (void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}


static trove_store_rc_t
trove_sqlite_open(const trove_store_conf_t *conf, trove_store_t **store)
{
    trove_sqlite_t    *s;
    trove_store_rc_t   rc;

    *store = NULL;
    conf->error[0] = '\0';

    (void) pthread_once(&trove_sqlite_once, trove_sqlite_setup);

    s = trove_alloc(sizeof(trove_sqlite_t));

    if (s == NULL) {
        (void) snprintf(conf->error, TROVE_STORE_ERROR, "no memory");
        trove_stat_add(&conf->stats->failures[TROVE_STORE_NOMEM], 1);
        return TROVE_STORE_NOMEM;
    }

    memset(s, 0, sizeof(trove_sqlite_t));

    s->store.kind = &trove_store_sqlite;
    s->conf = *conf;

    rc = trove_sqlite_connect(s);

    if (rc != TROVE_STORE_DONE) {
        s->failed = rc;
        trove_sqlite_close(&s->store);
        return rc;
    }

    trove_stat_add(&conf->stats->opens, 1);
    *store = &s->store;

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_sqlite_connect(trove_sqlite_t *s)
{
    int               flags;
    trove_store_rc_t  rc;

    flags = SQLITE_OPEN_READWRITE|SQLITE_OPEN_CREATE|SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2(s->conf.path, &s->db, flags, s->conf.vfs)
        != SQLITE_OK)
    {
        return trove_sqlite_fail(s, "cannot be opened");
    }

    (void) sqlite3_extended_result_codes(s->db, 1);
    (void) sqlite3_busy_timeout(s->db, (int) s->conf.busy);

    rc = trove_sqlite_schema(s);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_configure(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_prepare(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_secure(s);
    }

    return rc;
}


/* What is set anew in every connection. */

static trove_store_rc_t
trove_sqlite_configure(trove_sqlite_t *s)
{
    int64_t           page;
    char              sql[64];
    trove_store_rc_t  rc;

    page = 0;

    rc = trove_sqlite_exec(s, "PRAGMA synchronous = FULL");

    if (rc == TROVE_STORE_DONE) {
        (void) snprintf(sql, sizeof(sql), "PRAGMA cache_size = %d",
                        TROVE_SQLITE_CACHE);
        rc = trove_sqlite_exec(s, sql);
    }

    if (rc == TROVE_STORE_DONE) {
        (void) snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %lld",
                        (long long) s->conf.log_size);
        rc = trove_sqlite_exec(s, sql);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_number(s, "PRAGMA page_size", &page);
    }

    s->wal_page = (uint64_t) page + TROVE_SQLITE_FRAME;

    /* and no checkpoint is made but ours */

    (void) sqlite3_wal_hook(s->db, trove_sqlite_logged, s);

    return rc;
}


/* Tells how many pages of the log a commit has left in use. */

static int
trove_sqlite_logged(void *data, sqlite3 *db, const char *name, int pages)
{
    trove_sqlite_t  *s = data;

    s->wal_pages = (uint64_t) pages;

    return SQLITE_OK;
}


static trove_store_rc_t
trove_sqlite_prepare(trove_sqlite_t *s)
{
    int  i, rc;

    for (i = 0; i < TROVE_SQLITE_PREPARED; i++) {
        rc = sqlite3_prepare_v3(s->db, trove_sqlite_statements[i], -1,
                                SQLITE_PREPARE_PERSISTENT, &s->prepared[i],
                                NULL);

        if (rc != SQLITE_OK) {
            return trove_sqlite_fail(s, "cannot be written");
        }
    }

    return TROVE_STORE_DONE;
}


/*
 * Within a transaction nobody else appends to the log or starts it over; what
 * others read of it meanwhile stays the same.
 */

static trove_store_rc_t
trove_sqlite_secure(trove_sqlite_t *s)
{
    sqlite3_file      *log;
    trove_store_rc_t   rc;

    rc = trove_sqlite_step(s, TROVE_SQLITE_BEGIN);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    log = NULL;

    (void) sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
                                &log);

    if (log == NULL || log->pMethods == NULL
        || trove_sqlite_identify(s, "-wal", &s->wal) != 0
        || trove_sqlite_identify(s, "-shm", &s->shm) != 0)
    {
        rc = trove_sqlite_refuse(s, TROVE_STORE_IO, "has no log");

    } else {
        rc = trove_sqlite_rewrite(s, log);
    }

    trove_sqlite_rollback(&s->store);

    return rc;
}


static trove_store_rc_t
trove_sqlite_rewrite(trove_sqlite_t *s, sqlite3_file *log)
{
    int             n, rc;
    char           *buf;
    sqlite3_int64   at, size;

    rc = log->pMethods->xFileSize(log, &size);

    if (rc == SQLITE_OK && size == 0) {
        return TROVE_STORE_DONE;
    }

    buf = trove_alloc(TROVE_SQLITE_CHUNK);

    if (buf == NULL) {
        return trove_sqlite_refuse(s, TROVE_STORE_NOMEM, "needs memory");
    }

    for (at = 0; rc == SQLITE_OK && at < size; at += n) {
        n = (size - at < TROVE_SQLITE_CHUNK) ? (int) (size - at)
                                             : TROVE_SQLITE_CHUNK;

        rc = log->pMethods->xRead(log, buf, n, at);

        if (rc == SQLITE_OK) {
            rc = log->pMethods->xWrite(log, buf, n, at);
        }
    }

    trove_free(buf);

    if (rc == SQLITE_OK) {
        rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    }

    s->wal_pages = (uint64_t) size / s->wal_page;

    if (rc != SQLITE_OK) {
        return trove_sqlite_refuse(s, (rc == SQLITE_FULL) ? TROVE_STORE_FULL
                                                          : TROVE_STORE_IO,
                                   "has a log that cannot be written: %s",
                                   sqlite3_errstr(rc));
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_sqlite_begin(trove_store_t *store)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    trove_store_rc_t  rc;

    if (s->failed) {
        return s->failed;
    }

    s->rewards = 0;
    s->players = 0;
    s->claims = 0;
    s->scores = 0;
    s->nperiods = 0;

    rc = trove_sqlite_there(s);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_room(s);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_step(s, TROVE_SQLITE_BEGIN);
    }

    return rc;
}


/* Somebody who reads for long keeps the log from being started over. */

static trove_store_rc_t
trove_sqlite_room(trove_sqlite_t *s)
{
    if (s->wal_pages * s->wal_page < s->conf.log_max) {
        return TROVE_STORE_DONE;
    }

    trove_sqlite_checkpoint(s, SQLITE_CHECKPOINT_RESTART);

    if (s->failed) {
        return s->failed;
    }

    if (s->wal_pages * s->wal_page < s->conf.log_max) {
        return TROVE_STORE_DONE;
    }

    return trove_sqlite_refuse(s, TROVE_STORE_BUSY, "has a log of %llu bytes "
                               "that a reader, or the disk, keeps from being "
                               "put in its place",
                               (unsigned long long)
                                   (s->wal_pages * s->wal_page));
}


static trove_store_rc_t
trove_sqlite_reward(trove_store_t *store, const trove_store_reward_t *r)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    sqlite3_stmt  *st;

    st = s->prepared[TROVE_SQLITE_REWARD];
    s->rewards++;

    (void) sqlite3_bind_int64(st, 1, r->reward.id);
    (void) sqlite3_bind_double(st, 2, r->reward.x);
    (void) sqlite3_bind_double(st, 3, r->reward.y);
    (void) sqlite3_bind_double(st, 4, r->reward.level);
    (void) sqlite3_bind_int64(st, 5, r->reward.value);
    (void) sqlite3_bind_int64(st, 6, r->reward.starts);
    (void) sqlite3_bind_int64(st, 7, r->reward.expires);
    (void) sqlite3_bind_int64(st, 8, r->reward.stock);
    (void) sqlite3_bind_int64(st, 9, r->reward.taken);
    (void) sqlite3_bind_int64(st, 10, r->born);
    (void) sqlite3_bind_int64(st, 11, r->slot);

    return trove_sqlite_step(s, TROVE_SQLITE_REWARD);
}


static trove_store_rc_t
trove_sqlite_remove(trove_store_t *store, uint32_t slot)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    s->rewards++;

    (void) sqlite3_bind_int64(s->prepared[TROVE_SQLITE_REMOVE], 1, slot);

    return trove_sqlite_step(s, TROVE_SQLITE_REMOVE);
}


/* Numbers of 64 bits without sign are stored as the same bits with one. */

static trove_store_rc_t
trove_sqlite_player(trove_store_t *store, const trove_store_player_t *p)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    sqlite3_stmt  *st;

    st = s->prepared[TROVE_SQLITE_PLAYER];
    s->players++;

    (void) sqlite3_bind_int64(st, 1, p->number);
    (void) sqlite3_bind_text(st, 2, (const char *) p->id.data,
                             (int) p->id.len, SQLITE_STATIC);
    (void) sqlite3_bind_int64(st, 3, p->data.balance);
    (void) sqlite3_bind_int64(st, 4, (sqlite3_int64) p->data.seq);
    (void) sqlite3_bind_int64(st, 5, (sqlite3_int64) p->data.paced);
    (void) sqlite3_bind_double(st, 6, p->data.x);
    (void) sqlite3_bind_double(st, 7, p->data.y);
    (void) sqlite3_bind_int64(st, 8, (sqlite3_int64) p->data.moved);
    (void) sqlite3_bind_int64(st, 9, p->data.coin);
    (void) sqlite3_bind_int64(st, 10, p->data.coin_value);

    return trove_sqlite_step(s, TROVE_SQLITE_PLAYER);
}


static trove_store_rc_t
trove_sqlite_claim(trove_store_t *store, const trove_store_claim_t *c)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    sqlite3_stmt  *st;

    st = s->prepared[TROVE_SQLITE_CLAIM];
    s->claims++;

    (void) sqlite3_bind_int64(st, 1, c->player);
    (void) sqlite3_bind_int64(st, 2, c->reward);
    (void) sqlite3_bind_int64(st, 3, c->born);
    (void) sqlite3_bind_int64(st, 4, c->ordinal);
    (void) sqlite3_bind_int64(st, 5, c->value);
    (void) sqlite3_bind_int64(st, 6, c->balance);
    (void) sqlite3_bind_int64(st, 7, (sqlite3_int64) c->at);

    return trove_sqlite_step(s, TROVE_SQLITE_CLAIM);
}


static trove_store_rc_t
trove_sqlite_mark(trove_store_t *store, const trove_slice_t *queue,
    uint64_t number)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    sqlite3_stmt      *st;
    trove_store_rc_t   rc;

    /* what there is of other queues would be taken for these ones' */

    if (queue->len == 0) {
        (void) sqlite3_bind_int64(s->prepared[TROVE_SQLITE_UNMARK], 1,
                                  (sqlite3_int64) number);

        rc = trove_sqlite_step(s, TROVE_SQLITE_UNMARK);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    st = s->prepared[TROVE_SQLITE_MARK];

    (void) sqlite3_bind_text(st, 1, (const char *) queue->data,
                             (int) queue->len, SQLITE_STATIC);
    (void) sqlite3_bind_int64(st, 2, (sqlite3_int64) number);

    return trove_sqlite_step(s, TROVE_SQLITE_MARK);
}


static trove_store_rc_t
trove_sqlite_commit(trove_store_t *store, uint64_t version)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    trove_store_rc_t  rc;

    if (s->failed) {
        return s->failed;
    }

    rc = trove_sqlite_meta(s, "flush", s->store.info.flush + 1);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_meta(s, "version", version);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_step(s, TROVE_SQLITE_COMMIT);
    }

    /* into a file that nobody will find again? */

    if (rc == TROVE_STORE_DONE) {
        rc = trove_sqlite_there(s);
    }

    if (rc == TROVE_STORE_DONE) {
        trove_sqlite_committed(s, version);
    }

    return rc;
}


static trove_store_rc_t
trove_sqlite_meta(trove_sqlite_t *s, const char *key, uint64_t value)
{
    sqlite3_stmt  *st;

    st = s->prepared[TROVE_SQLITE_META];

    (void) sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
    (void) sqlite3_bind_int64(st, 2, (sqlite3_int64) value);

    return trove_sqlite_step(s, TROVE_SQLITE_META);
}


static void
trove_sqlite_committed(trove_sqlite_t *s, uint64_t version)
{
    trove_store_stats_t  *stats;

    stats = s->conf.stats;

    s->store.info.flush++;
    s->store.info.version = version;

    trove_stat_add(&stats->commits, 1);
    trove_stat_add(&stats->rewards, s->rewards);
    trove_stat_add(&stats->players, s->players);
    trove_stat_add(&stats->claims, s->claims);
    trove_stat_add(&stats->scores, s->scores);
    trove_stat_set(&stats->log_bytes, s->wal_pages * s->wal_page);
}


static void
trove_sqlite_tidy(trove_store_t *store)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    uint64_t  size;

    size = s->wal_pages * s->wal_page;

    if (s->failed == TROVE_STORE_DONE && size >= s->conf.log_size) {

        /* the latter waits for who still reads what is to be written over */

        trove_sqlite_checkpoint(s, (size < s->conf.log_max / 2)
                                   ? SQLITE_CHECKPOINT_PASSIVE
                                   : SQLITE_CHECKPOINT_RESTART);
    }
}


/*
 * A failed one loses nothing: it is only taken for done when the database is
 * synced, and else all of it is written again.  But it syncs the log first,
 * of which a commit may leave the padding behind it unsynced.  If that fails,
 * nothing can be appended until the log is written anew.
 */

static void
trove_sqlite_checkpoint(trove_sqlite_t *s, int mode)
{
    int  all, done, rc;

    all = -1;
    done = -1;
    errno = 0;

    rc = sqlite3_wal_checkpoint_v2(s->db, "main", mode, &all, &done);

    if (rc != SQLITE_OK) {
        trove_stat_add(&s->conf.stats->log_failures, 1);
    }

    if ((rc & 0xff) == SQLITE_IOERR) {
        (void) trove_sqlite_fail(s, "cannot have its log put in its place");
    }

    /* the next commit starts it over, or tells that it could not */

    if (all == done && all != -1) {
        s->wal_pages = 0;
    }

    trove_stat_set(&s->conf.stats->log_bytes, s->wal_pages * s->wal_page);
}


void
trove_sqlite_rollback(trove_store_t *store)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    sqlite3_stmt  *st;

    st = s->prepared[TROVE_SQLITE_ROLLBACK];

    /* many failures have done so already */

    if (st != NULL && !sqlite3_get_autocommit(s->db)) {
        (void) sqlite3_step(st);
        (void) sqlite3_reset(st);
    }
}


static void
trove_sqlite_close(trove_store_t *store)
{
    trove_sqlite_t  *s = (trove_sqlite_t *) store;

    int  i;

    trove_sqlite_rollback(store);

    for (i = 0; i < TROVE_SQLITE_PREPARED; i++) {
        (void) sqlite3_finalize(s->prepared[i]);
    }

    /* from a log that may not be whole nothing is put in its place */

    if (s->failed && s->db != NULL) {
        (void) sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                 NULL);
    }

    (void) sqlite3_close(s->db);

    trove_free(s);
}


trove_store_rc_t
trove_sqlite_step(trove_sqlite_t *s, int statement)
{
    int  row;

    return trove_sqlite_step_row(s, statement, &row);
}


trove_store_rc_t
trove_sqlite_step_row(trove_sqlite_t *s, int statement, int *row)
{
    int                rc;
    sqlite3_stmt      *st;
    trove_store_rc_t   failed;

    *row = 0;

    if (s->failed) {
        return s->failed;
    }

    st = s->prepared[statement];
    errno = 0;
    rc = sqlite3_step(st);

    if (trove_likely(rc == SQLITE_DONE)) {
        (void) sqlite3_reset(st);
        return TROVE_STORE_DONE;
    }

    if (rc == SQLITE_ROW) {
        *row = 1;
        return TROVE_STORE_DONE;
    }

    failed = trove_sqlite_fail(s, "cannot be written");

    (void) sqlite3_reset(st);
    trove_sqlite_rollback(&s->store);

    return failed;
}


/*
 * Whether what is written goes where it will be looked for, and by who waits
 * for the same locks.
 */

static trove_store_rc_t
trove_sqlite_there(trove_sqlite_t *s)
{
    int  moved;

    moved = 0;

    (void) sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED,
                                &moved);

    if (!moved
        && trove_sqlite_same(s, "-wal", &s->wal)
        && trove_sqlite_same(s, "-shm", &s->shm))
    {
        return TROVE_STORE_DONE;
    }

    trove_sqlite_rollback(&s->store);

    return trove_sqlite_refuse(s, TROVE_STORE_GONE, "or a file beside it was "
                               "moved, replaced or deleted while it was open");
}


static int
trove_sqlite_same(const trove_sqlite_t *s, const char *suffix,
    const trove_sqlite_file_t *was)
{
    trove_sqlite_file_t  is;

    return trove_sqlite_identify(s, suffix, &is) == 0
           && is.dev == was->dev
           && is.ino == was->ino;
}


static int
trove_sqlite_identify(const trove_sqlite_t *s, const char *suffix,
    trove_sqlite_file_t *f)
{
    char         name[TROVE_SQLITE_NAME];
    struct stat  st;

    (void) snprintf(name, sizeof(name), "%s%s",
                    sqlite3_db_filename(s->db, "main"), suffix);

    if (stat(name, &st) != 0) {
        return -1;
    }

    f->dev = st.st_dev;
    f->ino = st.st_ino;

    return 0;
}


trove_store_rc_t
trove_sqlite_fail(trove_sqlite_t *s, const char *what)
{
    int               error;
    trove_store_rc_t  rc;

    if (s->db == NULL) {
        return trove_sqlite_refuse(s, TROVE_STORE_NOMEM, "%s: no memory",
                                   what);
    }

    rc = trove_sqlite_rc(s->db);

    /* "No such file", says errno, of a file that was only looked for */

    if (sqlite3_extended_errcode(s->db) == SQLITE_READONLY_DIRECTORY) {
        return trove_sqlite_refuse(s, rc, "%s: no files can be made beside it",
                                   what);
    }

    error = (rc == TROVE_STORE_BUSY) ? 0 : trove_sqlite_errno(s->db);

    return trove_sqlite_refuse(s, rc, "%s: %s (%d%s%s)", what,
                               sqlite3_errmsg(s->db),
                               sqlite3_extended_errcode(s->db),
                               error ? ": " : "",
                               error ? strerror(error) : "");
}


trove_store_rc_t
trove_sqlite_refuse(trove_sqlite_t *s, trove_store_rc_t rc, const char *fmt,
    ...)
{
    int      n;
    va_list  args;

    n = snprintf(s->conf.error, TROVE_STORE_ERROR, "\"%s\" ", s->conf.path);

    if (n < TROVE_STORE_ERROR) {
        va_start(args, fmt);
        (void) vsnprintf(s->conf.error + n, TROVE_STORE_ERROR - n, fmt, args);
        va_end(args);
    }

    trove_stat_add(&s->conf.stats->failures[rc], 1);

    if (rc != TROVE_STORE_BUSY) {
        s->failed = rc;
    }

    return rc;
}


/* What came last, as one of ours. */

static trove_store_rc_t
trove_sqlite_rc(sqlite3 *db)
{
    int  rc, error;

    rc = sqlite3_extended_errcode(db);
    error = trove_sqlite_errno(db);

    if (rc == SQLITE_IOERR_NOMEM) {
        return TROVE_STORE_NOMEM;
    }

    switch (rc & 0xff) {

    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return TROVE_STORE_BUSY;

    case SQLITE_FULL:
        return TROVE_STORE_FULL;

    case SQLITE_IOERR:
        return (error == ENOSPC || error == EDQUOT || error == EFBIG)
               ? TROVE_STORE_FULL : TROVE_STORE_IO;

    case SQLITE_NOMEM:
        return TROVE_STORE_NOMEM;

    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
        return TROVE_STORE_FOREIGN;

    default:
        return TROVE_STORE_IO;
    }
}


/* SQLite does not note it in every case; success does not change it. */

static int
trove_sqlite_errno(sqlite3 *db)
{
    int  error;

    error = sqlite3_system_errno(db);

    return error ? error : errno;
}


trove_store_rc_t
trove_sqlite_exec(trove_sqlite_t *s, const char *sql)
{
    errno = 0;

    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return trove_sqlite_fail(s, "cannot be used");
    }

    return TROVE_STORE_DONE;
}
