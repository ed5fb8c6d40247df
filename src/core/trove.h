/*
 * trove: what every part of the core shares: return codes, byte slices and
 * the sizes that memory is laid out by.
 */

#ifndef TROVE_H_INCLUDED
#define TROVE_H_INCLUDED


#include <stddef.h>
#include <stdint.h>


#define TROVE_VERSION        "0.1.0"

#define TROVE_CACHE_LINE     64
#define TROVE_BLOB_ALIGN     8192


/*
 * What a call may return.  TROVE_OK is zero, everything else is a reason; a
 * function's header comment names the ones it can give.
 */

typedef enum {
    TROVE_OK = 0,
    TROVE_AGAIN,              /* nothing yet: call again later               */
    TROVE_NOMEM,              /* memory that was asked for is not to be had  */
    TROVE_NOPAGES,            /* large pages were demanded, and are not had  */
    TROVE_FULL,               /* the capacity is used up                     */
    TROVE_BUSY,               /* a lock was not got within its bound         */
    TROVE_NOTFOUND,
    TROVE_BEHIND,             /* the changes asked for are no longer logged  */
    TROVE_MISMATCH,           /* memory was laid out by another configuration */
    TROVE_CANCELED,
    TROVE_QUEUED,             /* it waits elsewhere until there is room      */
    TROVE_INVALID             /* the input is bad, the error says where      */
} trove_rc_t;


/*
 * Called every hundred microseconds or so: it may let others have the
 * processor.  Once it returns non-zero, what it was given to ends soon.  May be
 * NULL.
 */
typedef int                (*trove_cancel_pt)(void);


/* Bytes that somebody else owns, not terminated. */

typedef struct {
    const unsigned char  *data;
    size_t                len;
} trove_slice_t;


#define trove_align(n, a)    (((n) + ((a) - 1)) & ~((size_t) (a) - 1))
#define trove_aligned(a)     __attribute__((aligned(a)))
#define trove_likely(x)      __builtin_expect(!!(x), 1)
#define trove_unlikely(x)    __builtin_expect(!!(x), 0)


#endif /* TROVE_H_INCLUDED */
