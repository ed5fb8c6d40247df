/*
 * A view: one worker's own read copy of a ledger's rewards, sorted in space
 * and scanned with SIMD.  A query touches nothing that is shared.
 */

#ifndef TROVE_VIEW_H_INCLUDED
#define TROVE_VIEW_H_INCLUDED


#include "trove.h"
#include "trove_ledger.h"
#include "trove_memory.h"
#include "trove_simd.h"
#include "trove_space.h"


#define TROVE_LIMIT_MAX      1024   /* most rewards in one answer            */


typedef struct trove_view_s  trove_view_t;

typedef enum {
    TROVE_CIRCLE,
    TROVE_BOX
} trove_shape_t;


typedef struct {
    double         x;
    double         y;
    double         r;               /* of a circle                           */
    double         w;               /* of a box, full width and height       */
    double         h;
    double         level;           /* rewards above it are not seen         */
    uint32_t       now;             /* unix seconds                          */
    uint32_t       limit;           /* 0 .. TROVE_LIMIT_MAX                  */
    trove_shape_t  shape;
    unsigned       detail:1;        /* all of a hit is wanted, not only "id" */
} trove_query_t;


typedef struct {
    double         x;
    double         y;
    double         distance;        /* exact, from trove_space_distance()    */
    uint32_t       id;              /* without "detail" the others are 0     */
    int32_t        value;
} trove_hit_t;


typedef struct {
    uint64_t       found;           /* all live matches                      */
    uint64_t       scanned;         /* rows that the kernels looked at       */
    uint32_t       n;               /* of hits, at most the limit            */
    trove_hit_t   *hits;            /* the caller's, room for the limit      */
} trove_answer_t;


/*
 * Builds a view of all that the ledger held when it was begun; sorts,
 * therefore takes some 150 ns a reward, and may run in any thread.  Of a copy
 * that is being filled it is empty.  Returns TROVE_OK, TROVE_NOMEM,
 * TROVE_NOPAGES, TROVE_BUSY or TROVE_CANCELED.
 */
trove_rc_t trove_view_build(trove_view_t **view, trove_ledger_t *ledger,
    const trove_simd_t *simd, trove_pages_t pages, trove_cancel_pt cancel);

void trove_view_destroy(trove_view_t *view);

/*
 * Applies at most "max" of the ledger's later changes.  TROVE_OK: the view
 * is up to date; TROVE_AGAIN: there are more; TROVE_FULL or TROVE_BEHIND: a
 * new view must be built, this one stays as it is and goes on answering;
 * TROVE_BUSY: a row is being written, by somebody who does not move.  A view
 * of a copy stays as it is while that is filled anew, and then is behind.
 */
trove_rc_t trove_view_sync(trove_view_t *view, uint32_t max);

/* Whether there is nothing to sync. */
int trove_view_synced(const trove_view_t *view);

/*
 * Brings a view that lacks any number of changes up to the ledger, but for
 * those that come meanwhile; looks at every row if that takes less time than
 * the changes do, or they are not logged any more.  TROVE_OK, TROVE_CANCELED,
 * TROVE_FULL or TROVE_BUSY as above: the view is one for all that.
 * TROVE_BEHIND: it is of a copy that was filled anew.
 */
trove_rc_t trove_view_follow(trove_view_t *view, trove_cancel_pt cancel);

/* So much was changed since it was built that a new one would be faster. */
int trove_view_worn(const trove_view_t *view);

/*
 * So much was changed that queries notice: worth a new view as soon as the
 * changes have ceased for a while.
 */
int trove_view_ragged(const trove_view_t *view);

/* The version of the ledger that its answers reflect. */
uint64_t trove_view_version(const trove_view_t *view);

/*
 * trove_replica_generation() of the ledger when it was built; 0: of no copy, or
 * of one that was not whole, and the view is empty.
 */
uint64_t trove_view_generation(const trove_view_t *view);

/* Whether it is no older than the other one. */
int trove_view_succeeds(const trove_view_t *view, const trove_view_t *other);

size_t trove_view_memory(const trove_view_t *view);
size_t trove_view_large(const trove_view_t *view);

/*
 * Estimate for the notice at start: bytes of a view just built of so many
 * rewards.  Changes can add half as much before a new one must be built, and
 * the old one lives until that is done.
 */
size_t trove_view_size(uint32_t rewards);

/*
 * A snapshot: a view as it was built, kept in a file in memory, which belongs
 * to no process, for those that start later.  They load it, which takes some
 * 25 ns a reward, and let it follow.  Any number of processes may share the
 * file; in each, one thread at a time uses it.
 */

/* A new file without a snapshot, or -1 and errno. */
int trove_snapshot_open(void);

/* Bytes of memory that it takes. */
size_t trove_snapshot_size(int fd);

/*
 * Keeps the view, which was built and not changed since, unless what is kept
 * is nearly as new.  TROVE_OK, TROVE_NOMEM, TROVE_CANCELED, TROVE_INVALID: it
 * was changed, or TROVE_BUSY: another process holds the file for seconds.
 */
trove_rc_t trove_view_save(const trove_view_t *view, int fd,
    trove_cancel_pt cancel);

/*
 * The view of this ledger that is kept in the file.  TROVE_OK, TROVE_NOTFOUND,
 * TROVE_NOMEM, TROVE_NOPAGES or TROVE_BUSY.
 */
trove_rc_t trove_view_load(trove_view_t **view, int fd,
    trove_ledger_t *ledger, const trove_simd_t *simd, trove_pages_t pages);


/*
 * Looks through the whole view.  NULL, or what is wrong with it: for tests.
 */
const char *trove_view_sane(const trove_view_t *view);


/*
 * Answers the query: the nearest first, ties by id, the same on every SIMD
 * path.  No allocation, no lock.
 */
void trove_view_query(const trove_view_t *view, const trove_query_t *q,
    trove_answer_t *a);

/* The same by scanning every row, without the levels above: for comparison. */
void trove_view_scan(const trove_view_t *view, const trove_query_t *q,
    trove_answer_t *a);


#endif /* TROVE_VIEW_H_INCLUDED */
