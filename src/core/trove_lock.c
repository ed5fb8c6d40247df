
/*
 * A lock that survives its owner.
 */

#include <sched.h>

#include "trove_clock.h"
#include "trove_lock.h"


/* How long a lock is waited for, and in what rhythm its owner is looked at. */
#define TROVE_LOCK_WAIT     1000000                      /* nanoseconds */
#define TROVE_LOCK_SPINS    256
#define TROVE_LOCK_YIELDS   16


static trove_rc_t trove_lock_wait(trove_lock_t *l, trove_process_t self);
static int trove_lock_succeed(trove_lock_t *l, trove_process_t self);
static int trove_lock_spin(trove_lock_t *l, trove_process_t self);
static int trove_lock_attempt(trove_lock_t *l, trove_process_t from,
    trove_process_t self);


trove_rc_t
trove_lock_take(trove_lock_t *l)
{
    trove_process_t  self;

    self = trove_process_self();

    if (trove_likely(trove_lock_attempt(l, 0, self))) {
        return TROVE_OK;
    }

    return trove_lock_wait(l, self);
}


/*
 * Who has waited in vain leaves word of it: until the lock is let go nobody
 * else waits for an owner that was stopped, thus an event loop is held up
 * once, and not by every line of a batch.
 */

static trove_rc_t
trove_lock_wait(trove_lock_t *l, trove_process_t self)
{
    uint32_t  n;
    uint64_t  end;

    if (trove_get(&l->wanted) == TROVE_LOCK_STUCK) {
        return trove_lock_succeed(l, self) ? TROVE_OK : TROVE_BUSY;
    }

    if (trove_lock_spin(l, self)) {
        return TROVE_OK;
    }

    end = trove_clock_ns() + TROVE_LOCK_WAIT;

    for (n = 0; /* void */ ; n++) {

        trove_set(&l->wanted, TROVE_LOCK_WANTED);

        if (trove_lock_spin(l, self)) {
            return TROVE_OK;
        }

        if (n % TROVE_LOCK_YIELDS == 0 && trove_lock_succeed(l, self)) {
            return TROVE_OK;
        }

        if (trove_clock_ns() > end) {
            break;
        }

        (void) sched_yield();
    }

    trove_set(&l->wanted, TROVE_LOCK_STUCK);

    /* the owner may have let go before it was said */

    return trove_lock_attempt(l, 0, self) ? TROVE_OK : TROVE_BUSY;
}


/*
 * Takes the lock from a dead owner, or if it has none by now.  Another thread
 * of this process may be the owner: that one is alive.  Of those that find an
 * owner dead one succeeds it.
 */

static int
trove_lock_succeed(trove_lock_t *l, trove_process_t self)
{
    trove_process_t  owner;

    owner = trove_get(&l->owner);

    if (owner != 0 && trove_process_alive(owner)) {
        return 0;
    }

    if (!trove_lock_attempt(l, owner, self)) {
        return 0;
    }

    if (owner != 0) {
        trove_set(&l->successions, trove_get(&l->successions) + 1);
    }

    return 1;
}


static int
trove_lock_spin(trove_lock_t *l, trove_process_t self)
{
    int  n;

    for (n = 0; n < TROVE_LOCK_SPINS; n++) {

        if (trove_lock_attempt(l, 0, self)) {
            return 1;
        }

        trove_pause();
    }

    return 0;
}


static int
trove_lock_attempt(trove_lock_t *l, trove_process_t from,
    trove_process_t self)
{
    if (trove_get(&l->owner) != from) {
        return 0;
    }

    return atomic_compare_exchange_strong_explicit(&l->owner, &from, self,
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}


/*
 * Who writes in a row takes the lock again before anybody else sees it free:
 * for one that has waited for long a pause is made.
 */

void
trove_lock_release(trove_lock_t *l)
{
    trove_release(&l->owner, 0);

    if (trove_unlikely(trove_get(&l->wanted) != TROVE_LOCK_UNWANTED)) {
        trove_set(&l->wanted, TROVE_LOCK_UNWANTED);
        (void) sched_yield();
    }
}
