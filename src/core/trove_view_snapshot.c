/*
 * Snapshots of views.
 *
 *   0            1 TB                  2 TB
 *   +------+-----+---------------------+---------------------+
 *   | head | ... | part 0              | part 1              |
 *   +------+-----+---------------------+---------------------+
 *
 *   head    which part is the snapshot, and its version
 *   part    the view itself, its base, its places; the other part is a hole,
 *           or being written
 *
 * A snapshot is written beside the one that others copy, and then becomes it:
 * nobody waits for longer than a head is written.  What is locked are single
 * bytes of the file, and of a process that dies the kernel lets them go:
 *
 *   saving    by the one that saves
 *   part      for reading while it is copied, for writing while it is written
 *             or given back
 *   head      to read it, until the part is locked as well; to write it
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trove_fault.h"
#include "trove_replica.h"
#include "trove_view_data.h"


#define TROVE_SNAPSHOT_MAGIC   0x3230747061736e76ULL     /* "vnsapt02" */
#define TROVE_SNAPSHOT_PART    ((off_t) 1 << 40)
#define TROVE_SNAPSHOT_CHUNK   ((size_t) 256 << 10)      /* between cancels */

/* One is new enough while it lacks less than a change in so many rewards. */
#define TROVE_SNAPSHOT_SHARE   8

#define TROVE_SNAPSHOT_TRIES   2000                      /* milliseconds    */

#define TROVE_SNAPSHOT_HEAD    0
#define TROVE_SNAPSHOT_PARTS   1
#define TROVE_SNAPSHOT_SAVING  3


typedef struct {
    uint64_t  magic;          /* 0: there is none yet                        */
    uint64_t  version;
    uint64_t  generation;
    uint32_t  view_size;      /* of trove_view_t                             */
    uint32_t  part;
} trove_snapshot_head_t;


static trove_rc_t trove_snapshot_save(const trove_view_t *v, int fd,
    trove_cancel_pt cancel);
static trove_rc_t trove_snapshot_write(const trove_view_t *v, int fd,
    uint32_t part, trove_cancel_pt cancel);
static trove_rc_t trove_snapshot_publish(const trove_view_t *v, int fd,
    uint32_t part);
static int trove_snapshot_fits(const trove_view_t *v, uint32_t part);
static void trove_snapshot_free(int fd, uint32_t part);
static trove_rc_t trove_snapshot_find(int fd, uint32_t *part);
static trove_rc_t trove_snapshot_read(trove_view_t *v, int fd, uint32_t part,
    trove_pages_t pages);
static trove_rc_t trove_snapshot_head(int fd, trove_snapshot_head_t *head);
static trove_rc_t trove_snapshot_put(int fd, off_t *at, const void *p,
    size_t size, trove_cancel_pt cancel);
static trove_rc_t trove_snapshot_get(int fd, off_t *at, void *p, size_t size);
static trove_rc_t trove_snapshot_wait(int fd, off_t byte,
    trove_cancel_pt cancel);
static int trove_snapshot_lock(int fd, off_t byte, short type, int command);


static inline off_t
trove_snapshot_at(uint32_t part)
{
    return (part + 1) * TROVE_SNAPSHOT_PART;
}


static inline void
trove_snapshot_unlock(int fd, off_t byte)
{
    (void) trove_snapshot_lock(fd, byte, F_UNLCK, F_SETLK);
}


int
trove_snapshot_open(void)
{
    return memfd_create("trove", MFD_CLOEXEC);
}


size_t
trove_snapshot_size(int fd)
{
    struct stat  st;

    return fstat(fd, &st) == 0 ? (size_t) st.st_blocks * 512 : 0;
}


trove_rc_t
trove_view_save(const trove_view_t *v, int fd,
    trove_cancel_pt cancel)
{
    trove_rc_t  rc;

    if (v->patches) {
        return TROVE_INVALID;
    }

    /* of a copy that was not whole */

    if (v->generation == 0 && trove_replica_generation(v->ledger) != 0) {
        return TROVE_OK;
    }

    rc = trove_snapshot_wait(fd, TROVE_SNAPSHOT_SAVING, cancel);

    if (rc != TROVE_OK) {
        return rc;
    }

    rc = trove_snapshot_save(v, fd, cancel);

    trove_snapshot_unlock(fd, TROVE_SNAPSHOT_SAVING);

    return rc;
}


static trove_rc_t
trove_snapshot_save(const trove_view_t *v, int fd,
    trove_cancel_pt cancel)
{
    uint32_t               part;
    trove_rc_t             rc;
    trove_snapshot_head_t  head;

    part = 0;

    if (trove_snapshot_head(fd, &head) == TROVE_OK) {

        if (v->generation < head.generation
            || (v->generation == head.generation
                && v->version <= head.version
                                 + v->live / TROVE_SNAPSHOT_SHARE))
        {
            return TROVE_OK;
        }

        part = !head.part;
    }

    rc = trove_snapshot_wait(fd, TROVE_SNAPSHOT_PARTS + part, cancel);

    if (rc != TROVE_OK) {
        return rc;
    }

    rc = trove_snapshot_write(v, fd, part, cancel);

    trove_snapshot_unlock(fd, TROVE_SNAPSHOT_PARTS + part);

    if (rc == TROVE_OK) {
        rc = trove_snapshot_publish(v, fd, part);
        part = !part;
    }

    /* what is no snapshot; if somebody copies it still, it stays for now */

    if (trove_snapshot_lock(fd, TROVE_SNAPSHOT_PARTS + part, F_WRLCK, F_SETLK)
        == 0)
    {
        trove_snapshot_free(fd, part);
        trove_snapshot_unlock(fd, TROVE_SNAPSHOT_PARTS + part);
    }

    return rc;
}


static trove_rc_t
trove_snapshot_write(const trove_view_t *v, int fd, uint32_t part,
    trove_cancel_pt cancel)
{
    off_t       at;
    trove_rc_t  rc;

    trove_snapshot_free(fd, part);

    if (!trove_snapshot_fits(v, part)) {
        return TROVE_NOMEM;
    }

    at = trove_snapshot_at(part);

    rc = trove_snapshot_put(fd, &at, v, sizeof(trove_view_t), cancel);

    if (rc == TROVE_OK) {
        rc = trove_snapshot_put(fd, &at, v->base.base, v->base_size, cancel);
    }

    TROVE_FAULT("snapshot");

    if (rc == TROVE_OK) {
        rc = trove_snapshot_put(fd, &at, v->place, v->seen * sizeof(uint32_t),
                                cancel);
    }

    return rc;
}


static trove_rc_t
trove_snapshot_publish(const trove_view_t *v, int fd, uint32_t part)
{
    off_t                  at;
    trove_rc_t             rc;
    trove_snapshot_head_t  head;

    head.magic = TROVE_SNAPSHOT_MAGIC;
    head.version = v->version;
    head.generation = v->generation;
    head.view_size = sizeof(trove_view_t);
    head.part = part;

    if (trove_snapshot_lock(fd, TROVE_SNAPSHOT_HEAD, F_WRLCK, F_SETLKW) != 0) {
        return TROVE_BUSY;
    }

    at = 0;
    rc = trove_snapshot_put(fd, &at, &head, sizeof(head), NULL);

    trove_snapshot_unlock(fd, TROVE_SNAPSHOT_HEAD);

    return rc;
}


/* To grow beyond RLIMIT_FSIZE is a signal, beyond the memory there is death. */

static int
trove_snapshot_fits(const trove_view_t *v, uint32_t part)
{
    size_t         size;
    struct rlimit  limit;

    size = sizeof(trove_view_t) + v->base_size + v->seen * sizeof(uint32_t);

    return !TROVE_FAULT_MEMORY()
           && size <= trove_memory_available()
           && getrlimit(RLIMIT_FSIZE, &limit) == 0
           && limit.rlim_cur >= (rlim_t) trove_snapshot_at(part) + size;
}


static void
trove_snapshot_free(int fd, uint32_t part)
{
    (void) fallocate(fd, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE,
                     trove_snapshot_at(part), TROVE_SNAPSHOT_PART);
}


trove_rc_t
trove_view_load(trove_view_t **view, int fd, trove_ledger_t *ledger,
    const trove_simd_t *simd, trove_pages_t pages)
{
    uint32_t          part;
    trove_rc_t        rc;
    trove_view_t     *v;
    trove_mapping_t   self;

    rc = trove_memory_map(&self, sizeof(trove_view_t), sizeof(trove_view_t),
                          TROVE_PAGES_OFF);
    if (rc != TROVE_OK) {
        return rc;
    }

    v = self.base;
    v->self = self;

    rc = trove_snapshot_find(fd, &part);

    if (rc == TROVE_OK) {
        rc = trove_snapshot_read(v, fd, part, pages);
        trove_snapshot_unlock(fd, TROVE_SNAPSHOT_PARTS + part);
    }

    if (rc != TROVE_OK) {
        trove_view_destroy(v);
        return rc;
    }

    v->ledger = ledger;
    v->simd = simd;

    *view = v;

    return TROVE_OK;
}


/* Locks the part for reading. */

static trove_rc_t
trove_snapshot_find(int fd, uint32_t *part)
{
    trove_rc_t             rc;
    trove_snapshot_head_t  head;

    if (trove_snapshot_lock(fd, TROVE_SNAPSHOT_HEAD, F_RDLCK, F_SETLKW) != 0) {
        return TROVE_BUSY;
    }

    rc = trove_snapshot_head(fd, &head);

    if (rc == TROVE_OK) {
        *part = head.part;

        if (trove_snapshot_lock(fd, TROVE_SNAPSHOT_PARTS + head.part, F_RDLCK,
                                F_SETLK)
            != 0)
        {
            rc = TROVE_BUSY;
        }
    }

    trove_snapshot_unlock(fd, TROVE_SNAPSHOT_HEAD);

    return rc;
}


static trove_rc_t
trove_snapshot_read(trove_view_t *v, int fd, uint32_t part,
    trove_pages_t pages)
{
    off_t            at;
    trove_rc_t       rc;
    trove_mapping_t  self;

    at = trove_snapshot_at(part);
    self = v->self;

    rc = trove_snapshot_get(fd, &at, v, sizeof(trove_view_t));

    v->self = self;
    memset(&v->base, 0, sizeof(trove_mapping_t));
    memset(&v->spare, 0, sizeof(trove_mapping_t));

    if (rc == TROVE_OK) {
        rc = trove_view_map(v, trove_view_base(v), v->seen, pages);
    }

    if (rc == TROVE_OK) {
        rc = trove_snapshot_get(fd, &at, v->base.base, v->base_size);
    }

    if (rc == TROVE_OK) {
        rc = trove_snapshot_get(fd, &at, v->place,
                                v->seen * sizeof(uint32_t));
    }

    return rc;
}


/* TROVE_NOTFOUND if there is none, or one of another build of trove. */

static trove_rc_t
trove_snapshot_head(int fd, trove_snapshot_head_t *head)
{
    off_t  at;

    at = 0;

    if (trove_snapshot_get(fd, &at, head, sizeof(trove_snapshot_head_t))
        != TROVE_OK
        || head->magic != TROVE_SNAPSHOT_MAGIC
        || head->view_size != sizeof(trove_view_t)
        || head->part > 1)
    {
        return TROVE_NOTFOUND;
    }

    return TROVE_OK;
}


static trove_rc_t
trove_snapshot_put(int fd, off_t *at, const void *p, size_t size,
    trove_cancel_pt cancel)
{
    size_t       n;
    ssize_t      done;
    const char  *from;

    for (from = p; size; /* void */) {

        if (trove_canceled(cancel)) {
            return TROVE_CANCELED;
        }

        n = size < TROVE_SNAPSHOT_CHUNK ? size : TROVE_SNAPSHOT_CHUNK;
        done = pwrite(fd, from, n, *at);

        if (done == -1 && errno == EINTR) {
            continue;
        }

        if (done <= 0) {
            return TROVE_NOMEM;
        }

        from += done;
        *at += done;
        size -= done;
    }

    return TROVE_OK;
}


static trove_rc_t
trove_snapshot_get(int fd, off_t *at, void *p, size_t size)
{
    char     *to;
    ssize_t   done;

    for (to = p; size; /* void */) {
        done = pread(fd, to, size, *at);

        if (done == -1 && errno == EINTR) {
            continue;
        }

        if (done <= 0) {
            return TROVE_NOTFOUND;
        }

        to += done;
        *at += done;
        size -= done;
    }

    return TROVE_OK;
}


/* Locks for writing, unless somebody who does not move holds the lock. */

static trove_rc_t
trove_snapshot_wait(int fd, off_t byte, trove_cancel_pt cancel)
{
    int  n;

    for (n = 0; n < TROVE_SNAPSHOT_TRIES; n++) {

        if (trove_snapshot_lock(fd, byte, F_WRLCK, F_SETLK) == 0) {
            return TROVE_OK;
        }

        if (trove_canceled(cancel)) {
            return TROVE_CANCELED;
        }

        (void) usleep(1000);
    }

    return TROVE_BUSY;
}


static int
trove_snapshot_lock(int fd, off_t byte, short type, int command)
{
    int           rc;
    struct flock  lock;

    memset(&lock, 0, sizeof(struct flock));

    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;

    do {
        rc = fcntl(fd, command, &lock);
    } while (rc == -1 && errno == EINTR);

    return rc;
}
