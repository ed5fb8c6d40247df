/*
 * The allocator seam: where memory comes from that is neither an arena's nor
 * a mapping's.  Which allocator it is, is chosen when building by one of
 *
 *   TROVE_ALLOC_MIMALLOC     the default
 *   TROVE_ALLOC_JEMALLOC
 *   TROVE_ALLOC_TCMALLOC
 *   TROVE_ALLOC_LIBC         the default under a sanitizer, which has to see
 *                            each allocation
 *
 * Always by the allocator's own names: that "malloc" is it too, when it is
 * loaded into somebody else's program, is not certain.  What one allocator
 * gave out, only trove_free() takes back.
 */

#ifndef TROVE_ALLOC_H_INCLUDED
#define TROVE_ALLOC_H_INCLUDED


#include <stdlib.h>

#include "trove.h"
#include "trove_fault.h"


#if !defined(TROVE_ALLOC_MIMALLOC) && !defined(TROVE_ALLOC_JEMALLOC)          \
    && !defined(TROVE_ALLOC_TCMALLOC) && !defined(TROVE_ALLOC_LIBC)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TROVE_ALLOC_LIBC  1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)       \
    || __has_feature(thread_sanitizer)
#define TROVE_ALLOC_LIBC  1
#endif
#endif

#ifndef TROVE_ALLOC_LIBC
#define TROVE_ALLOC_MIMALLOC  1
#endif

#endif


#if defined(TROVE_ALLOC_MIMALLOC)

#include <mimalloc.h>

#define trove_alloc_raw(n)  mi_malloc(n)
#define trove_free_raw(p)   mi_free(p)

#elif defined(TROVE_ALLOC_JEMALLOC)

#include <jemalloc/jemalloc.h>

#define trove_alloc_raw(n)  mallocx(n, 0)
#define trove_free_raw(p)   dallocx(p, 0)

#elif defined(TROVE_ALLOC_TCMALLOC)

#include <gperftools/tcmalloc.h>

#define trove_alloc_raw(n)  tc_malloc(n)
#define trove_free_raw(p)   tc_free(p)

#else

#define trove_alloc_raw(n)  malloc(n)
#define trove_free_raw(p)   free(p)

#endif


/* Uninitialized; NULL if there is none.  A size of 0 is one byte. */

static inline void *
trove_alloc(size_t n)
{
    return TROVE_FAULT_MEMORY() ? NULL : trove_alloc_raw(n + (n == 0));
}


/* NULL is allowed and nothing. */

static inline void
trove_free(void *p)
{
    if (p != NULL) {
        trove_free_raw(p);
    }
}


/* "mimalloc", "jemalloc", "tcmalloc" or "libc" */
const char *trove_allocator_name(void);

/* The version that runs, which may be newer than that of the build. */
void trove_allocator_version(char *buf, size_t size);

/*
 * Bytes that the allocator has from the system in this process: "committed"
 * are those that memory stands for, "reserved" is address space.
 */
void trove_allocator_usage(size_t *committed, size_t *reserved);


#endif /* TROVE_ALLOC_H_INCLUDED */
