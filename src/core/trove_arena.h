/*
 * An arena: memory that is given out by moving a pointer and taken back, all
 * of it at once, by moving it back.
 *
 *      start            pos                                  end
 *        v               v                                    v
 *        +---------------+------------------------------------+
 *        | given out     | free                               |
 *        +---------------+------------------------------------+
 *
 * Nothing in it outlives the turn of the event loop that took it, therefore a
 * reset is always safe, and it costs the same for any size: no byte is
 * cleared and no page given back.  The arena does not own its memory.
 */

#ifndef TROVE_ARENA_H_INCLUDED
#define TROVE_ARENA_H_INCLUDED


#include "trove.h"


typedef struct {
    unsigned char  *pos;
    unsigned char  *end;
    unsigned char  *start;
    size_t          peak;         /* most bytes that any epoch has used      */
    uint64_t        exhausted;    /* allocations refused since the start     */
    uint64_t        resets;
} trove_arena_t;


/* "mem" is aligned to TROVE_BLOB_ALIGN and stays the caller's. */

static inline void
trove_arena_init(trove_arena_t *a, void *mem, size_t size)
{
    a->start = mem;
    a->pos = a->start;
    a->end = a->start + size;
    a->peak = 0;
    a->exhausted = 0;
    a->resets = 0;
}


/* The slow path of both below: counts the refusal, returns NULL. */
void *trove_arena_refuse(trove_arena_t *a) __attribute__((cold, noinline));


static inline void *
trove_arena_take(trove_arena_t *a, size_t size, size_t align)
{
    unsigned char  *p;

    p = (unsigned char *) trove_align((uintptr_t) a->pos, align);

    /* "p" may lie past the end, and p + size may wrap: compare sizes only */

    if (trove_unlikely(p > a->end || size > (size_t) (a->end - p))) {
        return trove_arena_refuse(a);
    }

    a->pos = p + size;

    return p;
}


/* "size" bytes aligned to a cache line, or NULL when the arena is used up. */

static inline void *
trove_arena_alloc(trove_arena_t *a, size_t size)
{
    return trove_arena_take(a, size, TROVE_CACHE_LINE);
}


/* The same aligned to 8 KB, for whole buffers. */

static inline void *
trove_arena_blob(trove_arena_t *a, size_t size)
{
    return trove_arena_take(a, size, TROVE_BLOB_ALIGN);
}


static inline size_t
trove_arena_used(const trove_arena_t *a)
{
    return a->pos - a->start;
}


static inline size_t
trove_arena_size(const trove_arena_t *a)
{
    return a->end - a->start;
}


/* Takes back what was given out since a->pos was "pos". */

static inline void
trove_arena_rewind(trove_arena_t *a, unsigned char *pos)
{
    size_t  used;

    used = trove_arena_used(a);

    if (used > a->peak) {
        a->peak = used;
    }

    a->pos = pos;
}


static inline void
trove_arena_reset(trove_arena_t *a)
{
    trove_arena_rewind(a, a->start);

    a->resets++;
}


#endif /* TROVE_ARENA_H_INCLUDED */
