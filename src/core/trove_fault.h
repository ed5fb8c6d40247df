/*
 * Points at which a test may have a process die, others act, or memory be
 * refused.  They are nothing unless built with TROVE_FAULT_POINTS.
 */

#ifndef TROVE_FAULT_H_INCLUDED
#define TROVE_FAULT_H_INCLUDED


#include "trove.h"


#ifdef TROVE_FAULT_POINTS

/* Each point's name also stands in a section, which is the list of them. */

#define TROVE_FAULT(name)                                                     \
    do {                                                                      \
        static const char *const  trove_fault_point                           \
            __attribute__((section("trove_faults"), used)) = name;            \
                                                                              \
        trove_fault(&trove_fault_point);                                      \
    } while (0)

#define TROVE_FAULT_MEET(name)  trove_fault_meet(name)
#define TROVE_FAULT_MEMORY()    trove_fault_memory()
#define TROVE_FAULT_HELD(name)  trove_fault_held(name)

/*
 * What TROVE_FAULT_FILE in the environment names, and all processes map: the
 * list of all points, in the order of the section.  A test writes into it.
 */

typedef struct {
    char              name[64];
    _Atomic uint64_t  met;          /* how often, by anybody                 */
    _Atomic uint64_t  left;         /* who makes it 0 acts; 0: not armed     */
    _Atomic uint64_t  signal;       /* that he sends to himself              */
    _Atomic uint64_t  pid;          /* who did                               */
} trove_fault_point_t;

typedef struct {
    _Atomic uint64_t     n;         /* points, 0: not ready                  */
    _Atomic uint64_t     spared;    /* a process that nothing happens to     */
    trove_fault_point_t  points[];
} trove_fault_shared_t;

/*
 * Kills this process (SIGKILL) if it was armed for this point; armed by the
 * environment if it was not by a call, or by a file that processes share.
 */
void trove_fault(const char *const *point);

/* The names of all points that there are, some of them several times. */
const char *const *trove_fault_points(size_t *n);

/* At the "nth" point from now (1 is the next) of that name, NULL: of any. */
void trove_fault_arm(const char *name, uint64_t nth);
void trove_fault_disarm(void);

/* As the environment's TROVE_FAULT says, "name:nth" or "nth". */
void trove_fault_environment(void);

/* Calls what was armed for this point, once. */
void trove_fault_meet(const char *name);

/* Has "act" called at the "nth" point from now that is met by that name. */
void trove_fault_meet_arm(const char *name, uint64_t nth,
    void (*act)(void *data), void *data);

/*
 * Whether to wait at this point, as the environment's TROVE_FAULT_HOLD says,
 * "name:file": for as long as there is that file.
 */
int trove_fault_held(const char *name);

/* Whether this allocation or mapping is to fail. */
int trove_fault_memory(void);

/* Refuses the "nth" allocation from now (1 is the next), 0: none. */
void trove_fault_memory_arm(uint64_t nth);

#else

#define TROVE_FAULT(name)
#define TROVE_FAULT_MEET(name)
#define TROVE_FAULT_MEMORY()    0
#define TROVE_FAULT_HELD(name)  0

#endif


#endif /* TROVE_FAULT_H_INCLUDED */
