/*
 * Points at which a test may have a process die.  They are nothing unless
 * built with TROVE_FAULT_POINTS.
 */

#ifndef TROVE_FAULT_H_INCLUDED
#define TROVE_FAULT_H_INCLUDED


#include "trove.h"


#ifdef TROVE_FAULT_POINTS

#define TROVE_FAULT(name)    trove_fault(name)

/*
 * Kills this process (SIGKILL) if it was armed for this point.  Before the
 * first call of trove_fault_arm() the environment's TROVE_FAULT counts, as
 * "name:nth" or "nth".
 */
void trove_fault(const char *name);

/* At the "nth" point from now (1 is the next) of that name, NULL: of any. */
void trove_fault_arm(const char *name, uint64_t nth);
void trove_fault_disarm(void);

#else

#define TROVE_FAULT(name)

#endif


#endif /* TROVE_FAULT_H_INCLUDED */
