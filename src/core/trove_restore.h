/*
 * Filling a ledger that was just laid out with what a store has kept of an
 * earlier one: its version, then its rewards, players, claims and scores, and
 * then all of it counts as stored.  Nobody else uses the ledger meanwhile.
 */

#ifndef TROVE_RESTORE_H_INCLUDED
#define TROVE_RESTORE_H_INCLUDED


#include "trove_board.h"
#include "trove_ledger.h"
#include "trove_players.h"


typedef struct {
    uint32_t  player;         /* number                                      */
    uint32_t  reward;         /* id                                          */
    uint32_t  born;           /* tells the rewards of one id apart           */
    uint32_t  ordinal;        /* among the claims of the reward, from 1      */
    int32_t   value;
    int64_t   balance;        /* right after it                              */
    uint64_t  at;             /* ms of unix time                             */
} trove_restore_claim_t;


/* The versions to come are later than this one. */
void trove_restore_version(trove_ledger_t *l, uint64_t version);

/*
 * In the order of their slots, which are 0, 1, 2 ...  Here and below, TROVE_OK;
 * TROVE_FULL: there is no room for it; TROVE_INVALID: no ledger could have
 * held this together with the others.
 */
trove_rc_t trove_restore_reward(trove_ledger_t *l, const trove_reward_t *r,
    uint32_t born);

/* In the order of their numbers, which may leave some out. */
trove_rc_t trove_restore_player(trove_ledger_t *l, uint32_t number,
    const trove_slice_t *id, const trove_player_t *p);

/*
 * By rewards, and there in the order of the ordinals; those of a reward that
 * is there become 1, 2, 3 ..., for some of them may be lost.
 */
trove_rc_t trove_restore_claim(trove_ledger_t *l,
    const trove_restore_claim_t *c);

/*
 * Of the board's row of that number, in any order; if the board's scores come
 * from claims the number is the player's, who has been restored, and the row
 * gets one of its own.  A later period than those before it leaves of them the
 * one right before, if that.  TROVE_NOTFOUND: its own is over that long; what
 * claim was added last no longer matters.
 *
 * If a player has two rows then one of them was removed, and a store has not
 * got that: the one that was reached later counts, the other is dirty.
 */
trove_rc_t trove_restore_score(trove_ledger_t *l, uint32_t board,
    uint32_t number, const trove_board_row_t *row);

/* Boards get their order; nothing but such rows is dirty. */
void trove_restore_end(trove_ledger_t *l);


#endif /* TROVE_RESTORE_H_INCLUDED */
