/*
 * A disk for SQLite that fails when it is told to: a VFS before the system's.
 *
 * Of each file it knows what a power failure would leave: what was written is
 * there for sure only after a sync.  A sync that fails does as Linux does:
 * what it should have written may be lost, and counts as written; only to
 * write it again and to sync it saves it.
 */

#ifndef TROVE_TEST_DISK_H_INCLUDED
#define TROVE_TEST_DISK_H_INCLUDED


#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define DISK          "failing"
#define DISK_SECTOR   512
#define DISK_FILES    8


typedef enum {
    DISK_WORKS,
    DISK_FULL,                /* a write of which half is done               */
    DISK_BROKEN,              /* reads, writes, syncs ... fail               */
    DISK_UNSYNCED,            /* only syncs fail                             */
    DISK_KILLED,              /* the process dies: nothing more is done      */
    DISK_HANGS                /* until disk_release()                        */
} disk_fault_t;


/* A file, as it is on the medium. */

typedef struct {
    char            path[512];
    unsigned char  *data;
    unsigned char  *unsynced; /* by sector                                   */
    sqlite3_int64   size;
    sqlite3_int64   room;     /* of "data", in bytes                         */
    int             resized;
} disk_file_t;


typedef struct {
    sqlite3_file    base;
    disk_file_t    *file;     /* NULL: a temporary one                       */
    sqlite3_file   *real;
} disk_handle_t;


typedef struct {
    disk_fault_t     fault;
    uint64_t         ops;     /* so far                                      */
    uint64_t         at;      /* when it happens; 0: never                   */
    int              lasts;   /* and from then on                            */
    int              dead;
    uint64_t       (*random)(void);
    pthread_mutex_t  lock;
    pthread_cond_t   moved;
    int              hanging;
    disk_file_t      files[DISK_FILES];
    sqlite3_vfs      vfs;
    sqlite3_vfs     *real;
} disk_t;


static disk_t  disk = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .moved = PTHREAD_COND_INITIALIZER
};


/* What is to happen at the "at"th operation from now. */

static inline void
disk_arm(disk_fault_t fault, uint64_t at, int lasts)
{
    disk.fault = fault;
    disk.ops = 0;
    disk.at = at;
    disk.lasts = lasts;
    disk.dead = 0;
}


/* Whether it has happened; the disk works again. */

static inline int
disk_disarm(void)
{
    int  happened;

    happened = disk.at != 0 && disk.ops >= disk.at;
    disk_arm(DISK_WORKS, 0, 0);

    return happened;
}


static inline int
disk_now(void)
{
    disk.ops++;

    return disk.at != 0
           && (disk.ops == disk.at || (disk.lasts && disk.ops > disk.at));
}


static inline void
disk_hang(void)
{
    (void) pthread_mutex_lock(&disk.lock);

    disk.hanging = 1;
    (void) pthread_cond_broadcast(&disk.moved);

    while (disk.hanging) {
        (void) pthread_cond_wait(&disk.moved, &disk.lock);
    }

    (void) pthread_mutex_unlock(&disk.lock);
}


static inline void
disk_wait(void)
{
    (void) pthread_mutex_lock(&disk.lock);

    while (!disk.hanging) {
        (void) pthread_cond_wait(&disk.moved, &disk.lock);
    }

    (void) pthread_mutex_unlock(&disk.lock);
}


static inline void
disk_release(void)
{
    (void) pthread_mutex_lock(&disk.lock);
    disk.hanging = 0;
    (void) pthread_cond_broadcast(&disk.moved);
    (void) pthread_mutex_unlock(&disk.lock);
}


/* An operation that may fail with "error". */

static inline int
disk_op(int error)
{
    int  now;

    now = disk_now();

    if (now && disk.fault == DISK_KILLED) {
        disk.dead = 1;
    }

    if (now && disk.fault == DISK_HANGS) {
        disk_hang();
    }

    if (disk.dead || (now && disk.fault == DISK_BROKEN)) {
        return error;
    }

    return (now && disk.fault == DISK_UNSYNCED && error == SQLITE_IOERR_FSYNC)
           ? error : SQLITE_OK;
}


static inline void
disk_room(disk_file_t *f, sqlite3_int64 size)
{
    sqlite3_int64  room;

    if (size <= f->room) {
        return;
    }

    room = (size * 2 + 65535) / 65536 * 65536;

    f->data = realloc(f->data, room);
    f->unsynced = realloc(f->unsynced, room / DISK_SECTOR);

    memset(f->data + f->room, 0, room - f->room);
    memset(f->unsynced + f->room / DISK_SECTOR, 0,
           (room - f->room) / DISK_SECTOR);

    f->room = room;
}


static inline disk_file_t *
disk_find(const char *path, int make)
{
    int           i;
    disk_file_t  *spare;

    spare = NULL;

    for (i = 0; i < DISK_FILES; i++) {

        if (strcmp(disk.files[i].path, path) == 0) {
            return &disk.files[i];
        }

        if (disk.files[i].path[0] == '\0' && spare == NULL) {
            spare = &disk.files[i];
        }
    }

    if (!make || spare == NULL) {
        return NULL;
    }

    (void) snprintf(spare->path, sizeof(spare->path), "%s", path);

    return spare;
}


static inline void
disk_forget(disk_file_t *f)
{
    free(f->data);
    free(f->unsynced);
    memset(f, 0, sizeof(disk_file_t));
}


/* One sector, as it was written, gets to the medium. */

static inline void
disk_settle(disk_file_t *f, FILE *now, sqlite3_int64 sector)
{
    unsigned char  *p;

    p = f->data + sector * DISK_SECTOR;

    memset(p, 0, DISK_SECTOR);
    (void) fseek(now, (long) (sector * DISK_SECTOR), SEEK_SET);
    (void) (fread(p, 1, DISK_SECTOR, now) + 1);
    f->unsynced[sector] = 0;
}


/* All that was written does, or each by chance. */

static inline void
disk_write_out(disk_file_t *f, int all)
{
    FILE           *now;
    struct stat     st;
    sqlite3_int64   i;

    now = fopen(f->path, "r");

    if (now == NULL || fstat(fileno(now), &st) != 0) {
        return;
    }

    disk_room(f, st.st_size);

    for (i = 0; i < f->room / DISK_SECTOR; i++) {

        if (f->unsynced[i] && (all || disk.random() % 2)) {
            disk_settle(f, now, i);
        }
    }

    if (f->resized && (all || disk.random() % 2)) {
        f->size = st.st_size;
        f->resized = 0;
    }

    (void) fclose(now);
}


/*
 * The power fails, and comes back: the files are as they are on the medium,
 * and nobody has them open.
 */

static inline void
disk_power(void)
{
    int           i;
    FILE         *file;
    disk_file_t  *f;

    for (i = 0; i < DISK_FILES; i++) {
        f = &disk.files[i];

        if (f->path[0] == '\0') {
            continue;
        }

        disk_write_out(f, 0);
        disk_room(f, f->size);

        file = fopen(f->path, "r+");

        if (file != NULL) {
            (void) (ftruncate(fileno(file), 0) + 1);

            if (f->size) {
                (void) fwrite(f->data, 1, (size_t) f->size, file);
            }

            (void) fclose(file);
        }

        disk_forget(f);
    }
}


static int
disk_close(sqlite3_file *file)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods ? h->real->pMethods->xClose(h->real) : SQLITE_OK;
}


static int
disk_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 at)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    int  rc;

    rc = h->file ? disk_op(SQLITE_IOERR_READ) : SQLITE_OK;

    return rc ? rc : h->real->pMethods->xRead(h->real, buf, n, at);
}


static int
disk_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 at)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    int             rc;
    sqlite3_int64   i, size;

    if (h->file == NULL) {
        return h->real->pMethods->xWrite(h->real, buf, n, at);
    }

    rc = disk_op(SQLITE_IOERR_WRITE);

    if (rc) {
        return rc;
    }

    if (disk.fault == DISK_FULL && disk.at
        && (disk.ops == disk.at || (disk.lasts && disk.ops > disk.at)))
    {
        rc = SQLITE_FULL;
        n /= 2;
    }

    disk_room(h->file, at + n);
    (void) h->real->pMethods->xFileSize(h->real, &size);
    h->file->resized |= (at + n > size);

    for (i = at / DISK_SECTOR; i * DISK_SECTOR < at + n; i++) {
        h->file->unsynced[i] = 1;
    }

    if (n != 0 && h->real->pMethods->xWrite(h->real, buf, n, at)) {
        return SQLITE_IOERR_WRITE;
    }

    return rc;
}


static int
disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    int  rc;

    if (h->file) {
        rc = disk_op(SQLITE_IOERR_TRUNCATE);

        if (rc) {
            return rc;
        }

        h->file->resized = 1;
    }

    return h->real->pMethods->xTruncate(h->real, size);
}


static int
disk_sync(sqlite3_file *file, int flags)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    int  rc;

    if (h->file == NULL) {
        return SQLITE_OK;
    }

    rc = disk_op(SQLITE_IOERR_FSYNC);

    if (disk.dead) {
        return rc;
    }

    disk_write_out(h->file, rc == SQLITE_OK);

    /* a size is no page: it is still known to be unsynced */

    if (rc != SQLITE_OK) {
        memset(h->file->unsynced, 0, h->file->room / DISK_SECTOR);
    }

    return rc;
}


static int
disk_size(sqlite3_file *file, sqlite3_int64 *size)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xFileSize(h->real, size);
}


static int
disk_lock_to(sqlite3_file *file, int level)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xLock(h->real, level);
}


static int
disk_unlock_to(sqlite3_file *file, int level)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xUnlock(h->real, level);
}


static int
disk_reserved(sqlite3_file *file, int *out)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xCheckReservedLock(h->real, out);
}


static int
disk_control(sqlite3_file *file, int op, void *arg)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xFileControl(h->real, op, arg);
}


static int
disk_sector(sqlite3_file *file)
{
    return DISK_SECTOR;
}


static int
disk_characteristics(sqlite3_file *file)
{
    return 0;
}


static int
disk_shm_map(sqlite3_file *file, int page, int size, int extend,
    void volatile **p)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    int  rc;

    rc = disk_op(SQLITE_IOERR_SHMMAP);

    return rc ? rc : h->real->pMethods->xShmMap(h->real, page, size, extend,
                                                p);
}


static int
disk_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xShmLock(h->real, at, n, flags);
}


static void
disk_shm_barrier(sqlite3_file *file)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    h->real->pMethods->xShmBarrier(h->real);
}


static int
disk_shm_unmap(sqlite3_file *file, int delete)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    return h->real->pMethods->xShmUnmap(h->real, delete);
}


static const sqlite3_io_methods  disk_methods = {
    2, disk_close, disk_read, disk_write, disk_truncate, disk_sync, disk_size,
    disk_lock_to, disk_unlock_to, disk_reserved, disk_control, disk_sector,
    disk_characteristics, disk_shm_map, disk_shm_lock, disk_shm_barrier,
    disk_shm_unmap, NULL, NULL
};


/* A file that the disk has not known is taken for one that is whole. */

static int
disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
    int *out)
{
    disk_handle_t  *h = (disk_handle_t *) file;

    int            rc, known;
    struct stat    st;
    sqlite3_int64  i;

    h->base.pMethods = NULL;
    h->real = (sqlite3_file *) (h + 1);
    h->file = NULL;

    rc = path ? disk_op(SQLITE_CANTOPEN) : SQLITE_OK;

    if (rc == SQLITE_OK) {
        rc = disk.real->xOpen(disk.real, path, h->real, flags, out);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    h->base.pMethods = &disk_methods;

    if (path == NULL
        || !(flags & (SQLITE_OPEN_MAIN_DB|SQLITE_OPEN_WAL
                      |SQLITE_OPEN_MAIN_JOURNAL)))
    {
        return SQLITE_OK;
    }

    known = disk_find(path, 0) != NULL;
    h->file = disk_find(path, 1);

    if (h->file == NULL) {
        abort();
    }

    if (!known && stat(path, &st) == 0) {
        disk_room(h->file, st.st_size);

        for (i = 0; i * DISK_SECTOR < st.st_size; i++) {
            h->file->unsynced[i] = 1;
        }

        h->file->resized = 1;
        disk_write_out(h->file, 1);
    }

    return SQLITE_OK;
}


static int
disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    int           rc;
    disk_file_t  *f;

    rc = disk_op(SQLITE_IOERR_DELETE);

    if (rc) {
        return rc;
    }

    f = disk_find(path, 0);

    if (f) {
        disk_forget(f);
    }

    return disk.real->xDelete(disk.real, path, 0);
}


static int
disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    int  rc;

    rc = disk_op(SQLITE_IOERR_ACCESS);

    return rc ? rc : disk.real->xAccess(disk.real, path, flags, out);
}


static int
disk_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    return disk.real->xFullPathname(disk.real, path, n, out);
}


static inline void
disk_register(uint64_t (*random)(void))
{
    disk.random = random;

    if (disk.real != NULL) {
        return;
    }

    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = DISK;
    disk.vfs.pNext = NULL;
    disk.vfs.szOsFile = (int) sizeof(disk_handle_t) + disk.real->szOsFile;
    disk.vfs.xOpen = disk_open;
    disk.vfs.xDelete = disk_delete;
    disk.vfs.xAccess = disk_access;
    disk.vfs.xFullPathname = disk_full_path;

    (void) sqlite3_vfs_register(&disk.vfs, 0);
}


/* Nothing is known of any file. */

static inline void
disk_reset(void)
{
    int  i;

    for (i = 0; i < DISK_FILES; i++) {
        disk_forget(&disk.files[i]);
    }

    disk_arm(DISK_WORKS, 0, 0);
}


#endif /* TROVE_TEST_DISK_H_INCLUDED */
