/*
 * The clock that durations are measured by: monotonic, in nanoseconds.  The
 * one nginx keeps stands still within a turn of the event loop.
 */

#ifndef TROVE_CLOCK_H_INCLUDED
#define TROVE_CLOCK_H_INCLUDED


#include <stdint.h>
#include <time.h>


static inline uint64_t
trove_clock_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


#endif /* TROVE_CLOCK_H_INCLUDED */
