/*
 * A lock in memory that processes share, which says who holds it: whoever
 * finds a dead owner succeeds him, and what that one had under way is to be
 * carried out first.  It is zeros at first.  A process holds it, not a thread.
 */

#ifndef TROVE_LOCK_H_INCLUDED
#define TROVE_LOCK_H_INCLUDED


#include "trove.h"
#include "trove_atomic.h"
#include "trove_process.h"


/* By those who wait for the lock. */

typedef enum {
    TROVE_LOCK_UNWANTED,
    TROVE_LOCK_WANTED,        /* somebody waits for long                     */
    TROVE_LOCK_STUCK          /* or has done so in vain                      */
} trove_lock_wanted_t;


typedef struct {
    _Atomic uint64_t  owner;            /* trove_process_t                   */
    _Atomic uint32_t  wanted;           /* trove_lock_wanted_t               */
    _Atomic uint32_t  successions;      /* times it was taken from the dead  */
} trove_lock_t;


/*
 * TROVE_OK; TROVE_BUSY: its owner lives, and this one, or another before it,
 * has waited a millisecond in vain.
 */
trove_rc_t trove_lock_take(trove_lock_t *lock);
void trove_lock_release(trove_lock_t *lock);


#endif /* TROVE_LOCK_H_INCLUDED */
