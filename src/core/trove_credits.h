/*
 * Boards whose scores come from claims: the value of each claim is added to
 * its player's score, in the same act.
 *
 * Their locks are held from before a claim is noted until it is carried out,
 * so that a row that there was room for then has room.  Who takes such a lock
 * from a dead process first carries out the claim that this one may have had
 * under way, before he looks whether there is room himself.
 */

#ifndef TROVE_CREDITS_H_INCLUDED
#define TROVE_CREDITS_H_INCLUDED


#include "trove_ledger_data.h"


/* All of them: TROVE_OK or TROVE_BUSY; nothing, if there are no such boards. */
trove_rc_t trove_credits_lock(trove_ledger_t *l);
void trove_credits_unlock(trove_ledger_t *l);

/* The same of one, for who takes rows away. */
trove_rc_t trove_credits_lock_one(trove_ledger_t *l, uint32_t board);

/* For who carries out the claim of a dead process. */
trove_rc_t trove_credits_succeed(trove_ledger_t *l);

/* With the locks: TROVE_OK; TROVE_FULL: a board has no room for the player. */
trove_rc_t trove_credits_room(trove_ledger_t *l, const trove_slice_t *player,
    uint64_t now);

/* With the locks, adds the claim of this number; once, if it is done again. */
void trove_credits_add(trove_ledger_t *l, uint32_t claim);


#endif /* TROVE_CREDITS_H_INCLUDED */
