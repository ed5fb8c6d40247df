
/*
 * How a ledger comes up.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "trove_board_data.h"
#include "trove_start.h"


typedef struct {
    trove_ledger_file_t        *file;
    const char                 *path;
    const trove_ledger_conf_t  *conf;
    const trove_store_kind_t   *kind;
    const trove_store_conf_t   *store;
    char                       *error;
} trove_starting_t;


static trove_rc_t trove_start_hold(trove_starting_t *s, int how);
static trove_rc_t trove_start_by_state(trove_starting_t *s);
static trove_rc_t trove_start_ready(trove_starting_t *s);
static void trove_start_recover(trove_ledger_t *l);
static trove_rc_t trove_start_flushed(trove_starting_t *s);
static trove_rc_t trove_start_loaded(trove_starting_t *s);
static trove_rc_t trove_start_flush(trove_starting_t *s, trove_flush_t *f);
static trove_rc_t trove_start_failed(trove_starting_t *s, trove_flush_t *f);


_Static_assert(TROVE_STORE_ERROR >= TROVE_LEDGER_FILE_ERROR,
               "an error of either fits");


trove_rc_t
trove_start(trove_ledger_file_t *file, const char *path,
    const trove_ledger_conf_t *conf, const trove_store_kind_t *kind,
    const trove_store_conf_t *store, char *error)
{
    trove_rc_t          rc;
    trove_starting_t    s;
    trove_store_conf_t  store_conf;

    store_conf = *store;
    store_conf.space = conf->space;

    s.file = file;
    s.path = path;
    s.conf = conf;
    s.kind = kind;
    s.store = &store_conf;
    s.error = error;

    rc = trove_ledger_file_open(file, path, conf, error);

    if (rc != TROVE_OK) {
        return rc;
    }

    rc = trove_start_hold(&s, file->exclusive ? LOCK_EX : LOCK_SH);

    if (rc == TROVE_OK) {
        rc = trove_start_by_state(&s);
    }

    if (rc == TROVE_OK) {
        rc = trove_start_hold(&s, LOCK_SH);
    }

    if (rc != TROVE_OK) {
        trove_ledger_file_close(file);
        return rc;
    }

    trove_ledger_file_ready(file);

    return TROVE_OK;
}


/*
 * The descriptor stays open, for SQLite's own locks on the file would end with
 * it.  A store that is not there yet is nobody's.
 */

static trove_rc_t
trove_start_hold(trove_starting_t *s, int how)
{
    int  *fd;

    fd = &s->file->store;

    if (*fd == -1) {
        *fd = open(s->store->path, O_RDONLY|O_CLOEXEC|O_NONBLOCK|O_NOFOLLOW);
    }

    if (*fd == -1 || flock(*fd, how|LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        return TROVE_OK;
    }

    (void) snprintf(s->error, TROVE_STORE_ERROR,
                    "\"%s\" is in use by another nginx, whose ledger was "
                    "moved or removed: quit that one first", s->store->path);

    return TROVE_BUSY;
}


void
trove_start_end(trove_ledger_file_t *file)
{
    if (flock(file->fd, LOCK_EX|LOCK_NB) != 0) {
        return;
    }

    if (trove_ledger_recover(file->ledger) == TROVE_OK
        && trove_redo_recover(file->ledger) == TROVE_OK
        && trove_flush_whole(file->ledger))
    {
        trove_ledger_file_whole(file);
    }
}


trove_rc_t
trove_start_settle(trove_ledger_file_t *file, const char *path,
    const trove_store_kind_t *kind, const trove_store_conf_t *store,
    char *error)
{
    trove_rc_t           rc;
    struct stat          st;
    trove_starting_t     s;
    trove_store_conf_t   store_conf;
    trove_ledger_conf_t  conf;

    store_conf = *store;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 1;

    s.file = file;
    s.path = path;
    s.conf = &conf;
    s.kind = kind;
    s.store = &store_conf;
    s.error = error;

    if (lstat(path, &st) != 0) {
        memset(file, 0, sizeof(trove_ledger_file_t));
        file->fd = -1;
        file->store = -1;
        file->exclusive = 1;
        file->state = TROVE_LEDGER_FILE_EMPTY;

        return trove_start_hold(&s, LOCK_EX);
    }

    rc = trove_ledger_file_open(file, path, &conf, error);

    if (rc == TROVE_BUSY || (rc == TROVE_OK && !file->exclusive)) {
        (void) snprintf(error, TROVE_STORE_ERROR,
                        "\"%s\" is in use by an nginx: quit that first", path);
    }

    if (rc != TROVE_OK) {
        return rc;
    }

    rc = file->exclusive ? trove_start_hold(&s, LOCK_EX) : TROVE_BUSY;

    if (rc == TROVE_OK && file->ledger != NULL) {
        store_conf.space = trove_ledger_conf(file->ledger)->space;
        rc = trove_start_flushed(&s);
    }

    if (rc != TROVE_OK) {
        trove_ledger_file_close(file);
    }

    return rc;
}


static trove_rc_t
trove_start_by_state(trove_starting_t *s)
{
    trove_rc_t   rc;
    struct stat  st;

    switch (s->file->state) {

    case TROVE_LEDGER_FILE_READY:
        return trove_start_ready(s);

    case TROVE_LEDGER_FILE_OTHER:
        rc = trove_start_flushed(s);
        return (rc == TROVE_OK) ? trove_start_loaded(s) : rc;

    case TROVE_LEDGER_FILE_STALE:
    case TROVE_LEDGER_FILE_PAST:

        if (stat(s->store->path, &st) != 0 || st.st_size == 0) {
            (void) snprintf(s->error, TROVE_STORE_ERROR,
                            "\"%s\" is of %s, and its store \"%s\" is gone: "
                            "bring that back, or remove the former to start "
                            "with nothing", s->path,
                            (s->file->state == TROVE_LEDGER_FILE_PAST)
                            ? "another version of the module"
                            : "an earlier boot of the machine",
                            s->store->path);
            return TROVE_NOTFOUND;
        }

        break;

    case TROVE_LEDGER_FILE_EMPTY:
        break;
    }

    return trove_start_loaded(s);
}


static trove_rc_t
trove_start_ready(trove_starting_t *s)
{
    trove_rc_t         rc;
    trove_flush_t      f;
    trove_store_rc_t   met;

    /* others who have it have met the store, and one of them is writing it */

    if (!s->file->exclusive) {
        return TROVE_OK;
    }

    rc = trove_start_flush(s, &f);

    if (rc != TROVE_OK) {
        return rc;
    }

    trove_start_recover(f.ledger);

    met = trove_flush_meet(&f);
    rc = trove_start_failed(s, &f);

    return (met == TROVE_STORE_FOREIGN) ? rc : TROVE_OK;
}


/* What the dead have left would else wait for who needs it. */

static void
trove_start_recover(trove_ledger_t *l)
{
    uint32_t  board;

    (void) trove_ledger_recover(l);
    (void) trove_redo_recover(l);

    for (board = 0; board < trove_ledger_boards(l); board++) {

        if (trove_board_lock(l, board) == TROVE_OK) {
            trove_board_unlock(l, board);
        }
    }
}


/* All that the file has is in the store before it is thrown away. */

static trove_rc_t
trove_start_flushed(trove_starting_t *s)
{
    trove_rc_t         rc;
    trove_flush_t      f;
    trove_store_rc_t   flushed;

    rc = trove_start_flush(s, &f);

    if (rc != TROVE_OK) {
        return rc;
    }

    trove_start_recover(f.ledger);

    flushed = trove_flush_elect(&f) ? trove_flush_run(&f) : TROVE_STORE_BUSY;

    rc = trove_start_failed(s, &f);

    return (flushed == TROVE_STORE_DONE) ? TROVE_OK : rc;
}


static trove_rc_t
trove_start_loaded(trove_starting_t *s)
{
    trove_rc_t         rc;
    trove_flush_t      f;
    trove_store_rc_t   loaded;

    rc = trove_ledger_file_renew(s->file, s->path, s->conf, s->error);

    if (rc == TROVE_OK) {
        rc = trove_start_flush(s, &f);
    }

    if (rc != TROVE_OK) {
        return rc;
    }

    loaded = trove_flush_load(&f);
    rc = trove_start_failed(s, &f);

    return (loaded == TROVE_STORE_DONE) ? TROVE_OK : rc;
}


static trove_rc_t
trove_start_flush(trove_starting_t *s, trove_flush_t *f)
{
    if (trove_flush_init(f, s->file->ledger, s->kind, s->store) != TROVE_OK) {
        (void) snprintf(s->error, TROVE_STORE_ERROR, "\"%s\" needs memory",
                        s->store->path);
        return TROVE_NOMEM;
    }

    return TROVE_OK;
}


/* Hands the text on, if there is one. */

static trove_rc_t
trove_start_failed(trove_starting_t *s, trove_flush_t *f)
{
    (void) snprintf(s->error, TROVE_STORE_ERROR, "%s", f->error);
    trove_flush_close(f);

    return TROVE_MISMATCH;
}
