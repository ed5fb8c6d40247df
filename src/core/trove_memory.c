
/*
 * Mappings of private memory and what the kernel tells of memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trove_fault.h"
#include "trove_memory.h"


#define TROVE_LARGE          ((size_t) 2 << 20)

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB         (21 << 26)
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE  23
#endif


/* Where a control group's version keeps what bounds memory. */

typedef struct {
    const char  *mount;       /* below the root of the control groups        */
    const char  *max;
    const char  *current;
    const char  *inactive;    /* fields of memory.stat: cached files, which  */
    const char  *active;      /* the kernel gives up before it kills         */
} trove_memory_group_t;


static void *trove_memory_reserve(size_t size, size_t align, size_t guard);
static int trove_memory_map_hugetlb(trove_mapping_t *m, size_t size);
static trove_rc_t trove_memory_map_pages(trove_mapping_t *m, size_t size,
    size_t align, int advice);
static trove_rc_t trove_memory_touch(char *p, const char *end, size_t page);
static size_t trove_memory_page(void);
static size_t trove_memory_membership(const char *groups, char *line);
static size_t trove_memory_bound(const trove_memory_group_t *g,
    const char *root, char *path);
static size_t trove_memory_group(const trove_memory_group_t *g,
    const char *dir);
static int trove_memory_number(const char *dir, const char *file, size_t *n);
static int trove_memory_field(const char *path, const char *name, size_t *n);


static const trove_memory_group_t  trove_memory_v2 = {
    "", "memory.max", "memory.current", "inactive_file ", "active_file "
};


static const trove_memory_group_t  trove_memory_v1 = {
    "/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    "total_inactive_file ", "total_active_file "
};


trove_rc_t
trove_memory_map(trove_mapping_t *m, size_t size, size_t populate,
    trove_pages_t pages)
{
    int         advice;
    size_t      align;
    trove_rc_t  rc;

    memset(m, 0, sizeof(trove_mapping_t));

    if (size == 0) {
        return TROVE_OK;
    }

    if (size > SIZE_MAX / 4 || TROVE_FAULT_MEMORY()) {
        return TROVE_NOMEM;
    }

    if (pages == TROVE_PAGES_ON
        || (pages == TROVE_PAGES_AUTO && size >= TROVE_LARGE))
    {
        size = trove_align(size, TROVE_LARGE);

        if (trove_memory_map_hugetlb(m, size)) {
            return TROVE_OK;
        }

        advice = MADV_HUGEPAGE;

    } else {
        size = trove_align(size, trove_memory_page());
        advice = MADV_NOHUGEPAGE;
    }

    align = (size >= TROVE_LARGE) ? TROVE_LARGE : TROVE_BLOB_ALIGN;

    rc = trove_memory_map_pages(m, size, align, advice);

    if (rc != TROVE_OK) {
        return rc;
    }

    if (populate > size) {
        populate = size;
    }

    /* one large page at least, to see whether there are any */

    if (pages == TROVE_PAGES_ON && populate < TROVE_LARGE) {
        populate = TROVE_LARGE;
    }

    /* the control group's limit does not fail a fault, it kills */

    if (populate > trove_memory_available()
        || trove_memory_populate(m->base, populate) != TROVE_OK)
    {
        trove_memory_unmap(m);
        return TROVE_NOMEM;
    }

    if (pages == TROVE_PAGES_ON && trove_memory_large(m) == 0) {
        trove_memory_unmap(m);
        return TROVE_NOPAGES;
    }

    return TROVE_OK;
}


void
trove_memory_unmap(trove_mapping_t *m)
{
    if (m->base != NULL) {
        (void) munmap(m->base,
                      m->size + (m->hugetlb ? 0 : trove_memory_page()));
    }

    memset(m, 0, sizeof(trove_mapping_t));
}


/*
 * From the pool of reserved pages.  They are taken from it whole here, and
 * faulted in whole, for a later fault that finds none would be a SIGBUS.
 */

static int
trove_memory_map_hugetlb(trove_mapping_t *m, size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE,
             MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|MAP_HUGE_2MB, -1, 0);

    if (p == MAP_FAILED) {
        return 0;
    }

    if (trove_memory_populate(p, size) != TROVE_OK) {
        (void) munmap(p, size);
        return 0;
    }

    m->base = p;
    m->size = size;
    m->hugetlb = 1;

    return 1;
}


static trove_rc_t
trove_memory_map_pages(trove_mapping_t *m, size_t size, size_t align,
    int advice)
{
    void  *p;

    p = trove_memory_reserve(size, align, trove_memory_page());

    if (p == NULL) {
        return TROVE_NOMEM;
    }

    m->base = p;
    m->size = size;

    if (mprotect(p, size, PROT_READ|PROT_WRITE) != 0) {
        trove_memory_unmap(m);
        return TROVE_NOMEM;
    }

    /* a kernel without transparent large pages refuses: nothing is lost */

    (void) madvise(p, size, advice);

    return TROVE_OK;
}


/*
 * Addresses without access: "size" bytes aligned to "align", and "guard" ones
 * behind them that stay so.  The guard also keeps the kernel from joining two
 * mappings of ours into one, which could not be told apart in smaps.
 */

static void *
trove_memory_reserve(size_t size, size_t align, size_t guard)
{
    char    *p, *base;
    size_t   all, head;

    all = size + align + guard;

    p = mmap(NULL, all, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return NULL;
    }

    base = (char *) trove_align((uintptr_t) p, align);
    head = base - p;

    if (head != 0) {
        (void) munmap(p, head);
    }

    if (head != align) {
        (void) munmap(base + size + guard, align - head);
    }

    return base;
}


trove_rc_t
trove_memory_populate(void *p, size_t size)
{
    int     rc;
    char   *start, *end;
    size_t  page;

    if (size == 0) {
        return TROVE_OK;
    }

    page = trove_memory_page();
    start = (char *) ((uintptr_t) p & ~((uintptr_t) page - 1));
    end = (char *) trove_align((uintptr_t) p + size, page);

    do {
        rc = madvise(start, end - start, MADV_POPULATE_WRITE);
    } while (rc == -1 && (errno == EAGAIN || errno == EINTR));

    if (rc == 0) {
        return TROVE_OK;
    }

    /* before Linux 5.14 */

    return (errno == EINVAL) ? trove_memory_touch(start, end, page)
                             : TROVE_NOMEM;
}


/* Others may be writing there: adding nothing is a write that changes none. */

static trove_rc_t
trove_memory_touch(char *p, const char *end, size_t page)
{
    for ( /* void */ ; p < end; p += page) {
        (void) atomic_fetch_add_explicit((_Atomic char *) p, 0,
                                         memory_order_relaxed);
    }

    return TROVE_OK;
}


static size_t
trove_memory_page(void)
{
    return (size_t) sysconf(_SC_PAGESIZE);
}


size_t
trove_memory_large(const trove_mapping_t *m)
{
    int             i, inside;
    FILE           *f;
    char            line[256];
    size_t          n;
    uint64_t        large;
    unsigned long   start, end;

    static const char  *names[] = {
        "AnonHugePages:", "ShmemPmdMapped:", "Private_Hugetlb:",
        "Shared_Hugetlb:"
    };

    if (m->base == NULL) {
        return 0;
    }

    f = fopen("/proc/self/smaps", "re");

    if (f == NULL) {
        return 0;
    }

    inside = 0;
    large = 0;

    while (fgets(line, sizeof(line), f) != NULL) {

        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            inside = start < (uintptr_t) m->base + m->size
                     && end > (uintptr_t) m->base;
            continue;
        }

        for (i = 0; inside && i < 4; i++) {
            n = strlen(names[i]);

            if (strncmp(line, names[i], n) == 0) {
                large += strtoull(line + n, NULL, 10) * 1024;
            }
        }
    }

    (void) fclose(f);

    return (large < m->size) ? large : m->size;
}


size_t
trove_memory_available(void)
{
    return trove_memory_available_at("/proc", "/sys/fs/cgroup");
}


size_t
trove_memory_available_at(const char *proc, const char *groups)
{
    FILE    *f;
    char     line[4096];
    size_t   least, n;

    (void) snprintf(line, sizeof(line), "%s/meminfo", proc);

    least = SIZE_MAX;

    if (trove_memory_field(line, "MemAvailable:", &n) == 0) {
        least = n * 1024;
    }

    (void) snprintf(line, sizeof(line), "%s/self/cgroup", proc);

    f = fopen(line, "re");

    if (f == NULL) {
        return least;
    }

    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        n = trove_memory_membership(groups, line);

        if (n < least) {
            least = n;
        }
    }

    (void) fclose(f);

    return least;
}


/* A line is "number:controllers:path"; version 2 names no controllers. */

static size_t
trove_memory_membership(const char *groups, char *line)
{
    char                        *names, *path, root[4096];
    const trove_memory_group_t  *g;

    names = strchr(line, ':');
    path = (names != NULL) ? strchr(names + 1, ':') : NULL;

    if (path == NULL) {
        return SIZE_MAX;
    }

    names++;
    *path++ = '\0';

    if (*names == '\0') {
        g = &trove_memory_v2;

    } else if (strcmp(names, "memory") == 0) {
        g = &trove_memory_v1;

    } else {
        return SIZE_MAX;
    }

    (void) snprintf(root, sizeof(root), "%s%s", groups, g->mount);

    return trove_memory_bound(g, root, path);
}


/*
 * The narrowest of the group "path" and all above it.  Inside a container the
 * path may be the host's and lead nowhere: the root is then the container's
 * own group.
 */

static size_t
trove_memory_bound(const trove_memory_group_t *g, const char *root, char *path)
{
    char    dir[8192], *slash;
    size_t  least, n;

    least = SIZE_MAX;

    for ( ;; ) {
        (void) snprintf(dir, sizeof(dir), "%s%s", root, path);

        n = trove_memory_group(g, dir);

        if (n < least) {
            least = n;
        }

        slash = strrchr(path, '/');

        if (slash == NULL) {
            return least;
        }

        *slash = '\0';
    }
}


/* What a group may still take, SIZE_MAX if it is not bounded. */

static size_t
trove_memory_group(const trove_memory_group_t *g, const char *dir)
{
    char    path[8448];
    size_t  max, used, cached, n;

    if (trove_memory_number(dir, g->max, &max) != 0
        || trove_memory_number(dir, g->current, &used) != 0)
    {
        return SIZE_MAX;
    }

    (void) snprintf(path, sizeof(path), "%s/memory.stat", dir);

    cached = 0;

    if (trove_memory_field(path, g->inactive, &n) == 0) {
        cached += n;
    }

    if (trove_memory_field(path, g->active, &n) == 0) {
        cached += n;
    }

    used -= (cached < used) ? cached : used;

    return (used < max) ? max - used : 0;
}


/* Reads a file that is one number; "max", which is none, is not read. */

static int
trove_memory_number(const char *dir, const char *file, size_t *n)
{
    char  path[8448];

    (void) snprintf(path, sizeof(path), "%s/%s", dir, file);

    return trove_memory_field(path, "", n);
}


/* The number behind "name" at the start of a line. */

static int
trove_memory_field(const char *path, const char *name, size_t *n)
{
    int      rc;
    FILE    *f;
    char     line[256], *end;
    size_t   len;

    f = fopen(path, "re");

    if (f == NULL) {
        return -1;
    }

    rc = -1;
    len = strlen(name);

    while (rc != 0 && fgets(line, sizeof(line), f) != NULL) {

        if (strncmp(line, name, len) == 0) {
            *n = (size_t) strtoull(line + len, &end, 10);
            rc = (end == line + len) ? -1 : 0;
        }
    }

    (void) fclose(f);

    return rc;
}
