/*
 * Who holds a lock or a slot in shared memory: a process, told apart from a
 * later one of the same number by the time it started at.
 */

#ifndef TROVE_PROCESS_H_INCLUDED
#define TROVE_PROCESS_H_INCLUDED


#include "trove.h"


/* pid << 32 | start time folded to 32 bits; 0 is nobody. */
typedef uint64_t  trove_process_t;


/* This process; read from /proc once, and again after a fork. */
trove_process_t trove_process_self(void);

/*
 * Whether that process still runs.  A zombie does not; one that cannot be
 * looked at does, for taking a live owner's lock is worse than waiting.
 */
int trove_process_alive(trove_process_t p);


#endif /* TROVE_PROCESS_H_INCLUDED */
