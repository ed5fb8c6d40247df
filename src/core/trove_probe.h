/*
 * Static probes for tracers, "trove" is their provider: each is one nop and a
 * note of where its arguments are, in registers or memory, until a tracer puts
 * a breakpoint there.  They are nothing without sys/sdt.h, see config.
 *
 *   request         a request was answered: trove, its length, the endpoint's
 *                   number (trove_endpoint_t), the code, nanoseconds
 *   epoch_lag       an epoch turns: trove, its length, nanoseconds too late
 *   epoch_turn      it has turned: trove, its length, nanoseconds that it took,
 *                   bytes of the arena that were used
 *   arena_exhausted a request is refused: trove, its length, bytes used, size
 *   claim_decided   trove, its length, player, its length, reward, result
 *                   (trove_claim_result_t)
 *   store_commit    path of the store, rows without claims, nanoseconds, how
 *                   it ended (trove_store_rc_t), by the thread that did it
 *
 * Names are bytes without a zero at their end.  A player's id may be any UTF-8.
 */

#ifndef TROVE_PROBE_H_INCLUDED
#define TROVE_PROBE_H_INCLUDED


#ifdef TROVE_PROBES

#define SDT_USE_VARIADIC  1
#include <sys/sdt.h>

#define TROVE_PROBE(name, ...)  STAP_PROBEV(trove, name, __VA_ARGS__)

#else

static inline void
trove_probe_none(int n, ...)
{
    (void) n;
}

/* The arguments count as used, and are not evaluated. */

#define TROVE_PROBE(name, ...)                                               \
    do {                                                                     \
        if (0) {                                                             \
            trove_probe_none(0, __VA_ARGS__);                                \
        }                                                                    \
    } while (0)

#endif


#endif /* TROVE_PROBE_H_INCLUDED */
