
/*
 * The file that a ledger lies in.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trove_ledger_file.h"
#include "trove_memory.h"


#define TROVE_LEDGER_FILE_MAGIC   0x656c69666c767274ULL  /* "trvlfile" */
#define TROVE_LEDGER_FILE_LAYOUT  1
#define TROVE_LEDGER_FILE_HEADER  4096

#define TROVE_LEDGER_FILE_BOOT    "/proc/sys/kernel/random/boot_id"
#define TROVE_LEDGER_FILE_BOOTLEN 36

/* Another process may just be laying it out: how long that is waited for. */
#define TROVE_LEDGER_FILE_TRIES   500
#define TROVE_LEDGER_FILE_PAUSE   10000000               /* nanoseconds */


typedef struct {
    uint64_t          magic;
    uint32_t          layout;
    _Atomic uint32_t  ready;
    uint64_t          size;             /* of the file                       */
    char              boot[TROVE_LEDGER_FILE_BOOTLEN + 1];
    _Atomic uint32_t  whole;            /* in the store, too                 */
} trove_ledger_header_t;


/* Versions of other layouts read these of each other. */

_Static_assert(offsetof(trove_ledger_header_t, boot) == 24
               && offsetof(trove_ledger_header_t, whole) == 64,
               "the same in all layouts");


static trove_rc_t trove_ledger_file_lock(trove_ledger_file_t *f,
    const char *path, char *error);
static trove_rc_t trove_ledger_file_look(trove_ledger_file_t *f,
    const char *path, const trove_ledger_conf_t *conf, char *error);
static trove_rc_t trove_ledger_file_header(int fd, const char *path,
    trove_ledger_header_t *h, trove_ledger_file_state_t *state, char *error);
static trove_rc_t trove_ledger_file_past(const trove_ledger_header_t *h,
    const char *path, trove_ledger_file_state_t *state, char *error);
static trove_rc_t trove_ledger_file_attach(trove_ledger_file_t *f,
    const char *path, const trove_ledger_conf_t *conf, char *error);
static trove_rc_t trove_ledger_file_size(trove_ledger_file_t *f, size_t size,
    const char *path, char *error);
static trove_rc_t trove_ledger_file_map(trove_ledger_file_t *f, size_t size,
    const char *path, char *error);
static void trove_ledger_file_unmap(trove_ledger_file_t *f);
static void trove_ledger_file_boot(char boot[TROVE_LEDGER_FILE_BOOTLEN + 1]);
static trove_rc_t trove_ledger_file_unopened(char *error, const char *path);
static trove_rc_t trove_ledger_file_error(char *error, trove_rc_t rc,
    const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));


trove_rc_t
trove_ledger_file_open(trove_ledger_file_t *f, const char *path,
    const trove_ledger_conf_t *conf, char *error)
{
    trove_rc_t  rc;

    memset(f, 0, sizeof(trove_ledger_file_t));
    error[0] = '\0';

    f->store = -1;
    f->fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (f->fd == -1) {
        return trove_ledger_file_unopened(error, path);
    }

    rc = trove_ledger_file_lock(f, path, error);

    if (rc == TROVE_OK) {
        rc = trove_ledger_file_look(f, path, conf, error);
    }

    if (rc != TROVE_OK) {
        trove_ledger_file_close(f);
    }

    return rc;
}


static trove_rc_t
trove_ledger_file_lock(trove_ledger_file_t *f, const char *path, char *error)
{
    int              n;
    struct timespec  pause;

    pause.tv_sec = 0;
    pause.tv_nsec = TROVE_LEDGER_FILE_PAUSE;

    for (n = 0; n < TROVE_LEDGER_FILE_TRIES; n++) {

        if (flock(f->fd, LOCK_EX|LOCK_NB) == 0) {
            f->exclusive = 1;
            return TROVE_OK;
        }

        if (flock(f->fd, LOCK_SH|LOCK_NB) == 0) {
            return TROVE_OK;
        }

        if (errno != EWOULDBLOCK && errno != EINTR) {
            return trove_ledger_file_error(error, TROVE_NOTFOUND, path,
                                           "cannot be locked: %s",
                                           strerror(errno));
        }

        (void) nanosleep(&pause, NULL);
    }

    return trove_ledger_file_error(error, TROVE_BUSY, path,
                                   "is being laid out by another process");
}


static trove_rc_t
trove_ledger_file_look(trove_ledger_file_t *f, const char *path,
    const trove_ledger_conf_t *conf, char *error)
{
    char                   boot[TROVE_LEDGER_FILE_BOOTLEN + 1];
    trove_rc_t             rc;
    trove_ledger_header_t  h;

    rc = trove_ledger_file_header(f->fd, path, &h, &f->state, error);

    if (rc != TROVE_OK) {
        return rc;
    }

    trove_ledger_file_boot(boot);

    if (f->state != TROVE_LEDGER_FILE_READY) {
        /* nothing more is to be known of it */

    } else if (boot[0] == '\0' || strcmp(h.boot, boot) != 0) {
        f->state = TROVE_LEDGER_FILE_STALE;

    } else {
        f->size = h.size;
        rc = trove_ledger_file_attach(f, path, conf, error);

        if (rc == TROVE_MISMATCH) {
            rc = trove_ledger_file_past(&h, path, &f->state, error);
        }
    }

    if (rc == TROVE_OK
        && f->state != TROVE_LEDGER_FILE_READY
        && !f->exclusive)
    {
        return trove_ledger_file_error(error, TROVE_BUSY, path,
                                       "is in use by another nginx, with "
                                       "another capacity or space");
    }

    return rc;
}


/* *state is READY as far as this tells; EMPTY: it never was a ledger. */

static trove_rc_t
trove_ledger_file_header(int fd, const char *path, trove_ledger_header_t *h,
    trove_ledger_file_state_t *state, char *error)
{
    ssize_t      n;
    struct stat  st;

    *state = TROVE_LEDGER_FILE_READY;

    if (fstat(fd, &st) != 0
        || (n = pread(fd, h, sizeof(trove_ledger_header_t), 0)) == -1)
    {
        return trove_ledger_file_error(error, TROVE_NOTFOUND, path,
                                       "cannot be read: %s", strerror(errno));
    }

    if (!S_ISREG(st.st_mode)) {
        return trove_ledger_file_error(error, TROVE_MISMATCH, path,
                                       "is no file");
    }

    if (st.st_size == 0) {
        *state = TROVE_LEDGER_FILE_EMPTY;
        return TROVE_OK;
    }

    if (n != sizeof(trove_ledger_header_t)
        || h->magic != TROVE_LEDGER_FILE_MAGIC)
    {
        return trove_ledger_file_error(error, TROVE_MISMATCH, path,
                                       "is no ledger");
    }

    if (h->layout != TROVE_LEDGER_FILE_LAYOUT) {
        return trove_ledger_file_past(h, path, state, error);
    }

    h->boot[TROVE_LEDGER_FILE_BOOTLEN] = '\0';

    if (!h->ready || h->size != (uint64_t) st.st_size) {
        *state = TROVE_LEDGER_FILE_EMPTY;
    }

    return TROVE_OK;
}


/* It cannot be read: good only if it need not be. */

static trove_rc_t
trove_ledger_file_past(const trove_ledger_header_t *h, const char *path,
    trove_ledger_file_state_t *state, char *error)
{
    if (h->whole) {
        *state = TROVE_LEDGER_FILE_PAST;
        return TROVE_OK;
    }

    return trove_ledger_file_error(error, TROVE_MISMATCH, path,
                                   "is of another version of the module, or "
                                   "damaged, and may hold what its store has "
                                   "not: quit that version, or if it was "
                                   "killed, start it once more and quit it");
}


static trove_rc_t
trove_ledger_file_attach(trove_ledger_file_t *f, const char *path,
    const trove_ledger_conf_t *conf, char *error)
{
    char        *p;
    trove_rc_t   rc;

    rc = trove_ledger_file_map(f, f->size, path, error);

    if (rc != TROVE_OK) {
        return rc;
    }

    p = (char *) f->base + TROVE_LEDGER_FILE_HEADER;

    if (trove_ledger_bytes(p) <= f->size - TROVE_LEDGER_FILE_HEADER) {
        rc = trove_ledger_attach(p, conf, &f->ledger);
    }

    if (f->ledger == NULL) {
        f->ledger = NULL;
        return TROVE_MISMATCH;
    }

    f->state = (rc == TROVE_OK) ? TROVE_LEDGER_FILE_READY
                                : TROVE_LEDGER_FILE_OTHER;

    return TROVE_OK;
}


trove_rc_t
trove_ledger_file_renew(trove_ledger_file_t *f, const char *path,
    const trove_ledger_conf_t *conf, char *error)
{
    size_t                  size;
    trove_rc_t              rc;
    trove_ledger_header_t  *h;

    trove_ledger_file_unmap(f);

    size = TROVE_LEDGER_FILE_HEADER + trove_ledger_size(conf);

    rc = trove_ledger_file_size(f, size, path, error);

    if (rc == TROVE_OK) {
        rc = trove_ledger_file_map(f, size, path, error);
    }

    if (rc != TROVE_OK) {
        return rc;
    }

    h = f->base;

    h->magic = TROVE_LEDGER_FILE_MAGIC;
    h->layout = TROVE_LEDGER_FILE_LAYOUT;
    h->size = size;
    trove_ledger_file_boot(h->boot);

    f->ledger = trove_ledger_init((char *) f->base + TROVE_LEDGER_FILE_HEADER,
                                  conf);
    f->state = TROVE_LEDGER_FILE_EMPTY;
    f->renewed = 1;

    return TROVE_OK;
}


/* Of zeros, and with all of its blocks. */

static trove_rc_t
trove_ledger_file_size(trove_ledger_file_t *f, size_t size, const char *path,
    char *error)
{
    int  err;

    if (ftruncate(f->fd, 0) != 0) {
        return trove_ledger_file_error(error, TROVE_NOTFOUND, path,
                                       "cannot be written: %s",
                                       strerror(errno));
    }

    do {
        err = posix_fallocate(f->fd, 0, (off_t) size);
    } while (err == EINTR);

    if (err != 0) {
        (void) (ftruncate(f->fd, 0) + 1);

        return trove_ledger_file_error(error, TROVE_FULL, path,
                                       "does not get its %zu bytes: %s",
                                       size, strerror(err));
    }

    return TROVE_OK;
}


static trove_rc_t
trove_ledger_file_map(trove_ledger_file_t *f, size_t size, const char *path,
    char *error)
{
    if (size < TROVE_LEDGER_FILE_HEADER + TROVE_CACHE_LINE) {
        return trove_ledger_file_error(error, TROVE_MISMATCH, path,
                                       "is no whole ledger");
    }

    f->base = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, f->fd, 0);

    if (f->base == MAP_FAILED) {
        f->base = NULL;

        return trove_ledger_file_error(error, TROVE_NOMEM, path,
                                       "cannot be mapped: %s",
                                       strerror(errno));
    }

    f->size = size;

    if (trove_memory_populate(f->base, size) != TROVE_OK) {
        return trove_ledger_file_error(error, TROVE_NOMEM, path,
                                       "does not get memory for its %zu "
                                       "bytes", size);
    }

    return TROVE_OK;
}


static void
trove_ledger_file_unmap(trove_ledger_file_t *f)
{
    if (f->base != NULL) {
        (void) munmap(f->base, f->size);
        f->base = NULL;
    }

    f->ledger = NULL;
}


/* Whoever gets the exclusive lock in between finds a ledger that is ready. */

void
trove_ledger_file_ready(trove_ledger_file_t *f)
{
    trove_ledger_header_t  *h;

    h = f->base;
    atomic_store(&h->whole, 0);
    atomic_store(&h->ready, 1);

    f->state = TROVE_LEDGER_FILE_READY;

    if (f->exclusive) {
        (void) flock(f->fd, LOCK_SH);
        f->exclusive = 0;
    }
}


void
trove_ledger_file_whole(trove_ledger_file_t *f)
{
    trove_ledger_header_t  *h;

    h = f->base;
    atomic_store(&h->whole, 1);
}


void
trove_ledger_file_close(trove_ledger_file_t *f)
{
    trove_ledger_file_unmap(f);

    if (f->store != -1) {
        (void) close(f->store);
        f->store = -1;
    }

    if (f->fd != -1) {
        (void) close(f->fd);
        f->fd = -1;
    }
}


trove_rc_t
trove_ledger_file_check(const char *path, char *error)
{
    int                         fd;
    trove_rc_t                  rc;
    trove_ledger_header_t       h;
    trove_ledger_file_state_t   state;

    error[0] = '\0';
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK|O_NOFOLLOW);

    if (fd == -1) {
        return (errno == ENOENT) ? TROVE_OK
                                 : trove_ledger_file_unopened(error, path);
    }

    rc = trove_ledger_file_header(fd, path, &h, &state, error);

    (void) close(fd);

    return rc;
}


/* "" where there is none to be read: then no file is of this boot. */

static void
trove_ledger_file_boot(char boot[TROVE_LEDGER_FILE_BOOTLEN + 1])
{
    int      fd;
    ssize_t  n;

    n = -1;
    fd = open(TROVE_LEDGER_FILE_BOOT, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        n = read(fd, boot, TROVE_LEDGER_FILE_BOOTLEN);
        (void) close(fd);
    }

    boot[(n == TROVE_LEDGER_FILE_BOOTLEN) ? n : 0] = '\0';
}


static trove_rc_t
trove_ledger_file_unopened(char *error, const char *path)
{
    if (errno == ELOOP) {
        return trove_ledger_file_error(error, TROVE_NOTFOUND, path,
                                       "is a symbolic link");
    }

    return trove_ledger_file_error(error, TROVE_NOTFOUND, path,
                                   "cannot be opened: %s", strerror(errno));
}


static trove_rc_t
trove_ledger_file_error(char *error, trove_rc_t rc, const char *path,
    const char *fmt, ...)
{
    int      n;
    va_list  args;

    n = snprintf(error, TROVE_LEDGER_FILE_ERROR, "\"%s\" ", path);

    if (n < TROVE_LEDGER_FILE_ERROR) {
        va_start(args, fmt);
        (void) vsnprintf(error + n, TROVE_LEDGER_FILE_ERROR - n, fmt, args);
        va_end(args);
    }

    return rc;
}
