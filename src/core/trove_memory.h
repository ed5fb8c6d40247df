/*
 * Whole mappings of private memory, faulted in when they are taken and backed
 * by large pages where the machine has them.  Arenas and views live in these;
 * everything smaller comes from the allocator (trove_alloc.h).
 */

#ifndef TROVE_MEMORY_H_INCLUDED
#define TROVE_MEMORY_H_INCLUDED


#include "trove.h"


typedef enum {
    TROVE_PAGES_AUTO,         /* hugetlb pages, else transparent, else small */
    TROVE_PAGES_ON,           /* hugetlb or transparent, else TROVE_NOPAGES  */
    TROVE_PAGES_OFF           /* small pages only                            */
} trove_pages_t;


typedef struct {
    void    *base;
    size_t   size;            /* bytes mapped: what was asked for, rounded up */
    int      hugetlb;         /* from the reserved pool, never swapped        */
} trove_mapping_t;


/*
 * Maps "size" bytes, zeroed and aligned to 2 MB when they are that many, and
 * faults the first "populate" of them in; a shortage shows here and not as a
 * signal later: what trove_memory_available() has not is not tried.  Returns
 * TROVE_OK, TROVE_NOMEM or TROVE_NOPAGES.
 */
trove_rc_t trove_memory_map(trove_mapping_t *m, size_t size, size_t populate,
    trove_pages_t pages);

/* An all-zero mapping is allowed and nothing. */
void trove_memory_unmap(trove_mapping_t *m);

/*
 * Faults "size" bytes at "p" in, for writing, shared mappings too.  Returns
 * TROVE_OK or TROVE_NOMEM.
 */
trove_rc_t trove_memory_populate(void *p, size_t size);

/*
 * Bytes of the mapping that large pages back at this moment, as the kernel
 * tells (/proc/self/smaps): slow, for reports.
 */
size_t trove_memory_large(const trove_mapping_t *m);

/*
 * Bytes that could still be had without swapping or the OOM killer: the
 * machine's, bounded by the control group's (v1 and v2).  SIZE_MAX if neither
 * can be read.
 */
size_t trove_memory_available(void);

/* The same with other places for /proc and /sys/fs/cgroup. */
size_t trove_memory_available_at(const char *proc, const char *groups);


#endif /* TROVE_MEMORY_H_INCLUDED */
