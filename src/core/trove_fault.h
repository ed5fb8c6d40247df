/*
 * Points at which a test may have a process die, or memory be refused.  They
 * are nothing unless built with TROVE_FAULT_POINTS.
 */

#ifndef TROVE_FAULT_H_INCLUDED
#define TROVE_FAULT_H_INCLUDED


#include "trove.h"


#ifdef TROVE_FAULT_POINTS

#define TROVE_FAULT(name)       trove_fault(name)
#define TROVE_FAULT_MEMORY()    trove_fault_memory()

/*
 * Kills this process (SIGKILL) if it was armed for this point.  Before the
 * first call of trove_fault_arm() the environment's TROVE_FAULT counts, as
 * "name:nth" or "nth".
 */
void trove_fault(const char *name);

/* At the "nth" point from now (1 is the next) of that name, NULL: of any. */
void trove_fault_arm(const char *name, uint64_t nth);
void trove_fault_disarm(void);

/* Whether this allocation or mapping is to fail. */
int trove_fault_memory(void);

/* Refuses the "nth" allocation from now (1 is the next), 0: none. */
void trove_fault_memory_arm(uint64_t nth);

#else

#define TROVE_FAULT(name)
#define TROVE_FAULT_MEMORY()    0

#endif


#endif /* TROVE_FAULT_H_INCLUDED */
