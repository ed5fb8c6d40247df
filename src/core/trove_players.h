/*
 * The players of a ledger.
 *
 * A record is owned by one process at a time, by a compare-and-swap of its
 * first word; the next one who finds a dead owner there carries out what that
 * one had under way.  Readers take a record if its first word is unowned and
 * the same before and after.  No player is ever removed, and none is made but
 * by a claim or a tap that is granted.
 */

#ifndef TROVE_PLAYERS_H_INCLUDED
#define TROVE_PLAYERS_H_INCLUDED


#include "trove_ledger.h"


#define TROVE_PLAYER_MAX  40            /* bytes of an id, at least one      */


typedef struct {
    int64_t   balance;
    uint64_t  seq;            /* of the last tap that had one; 0: none       */
    uint64_t  paced;          /* of the rate, microseconds of unix time      */
    double    x;              /* where the last claim was accepted           */
    double    y;
    uint64_t  moved;          /* and when, ms of unix time; 0: never         */
    uint32_t  coin;           /* of the tap of that seq: its key; 0: none    */
    int32_t   coin_value;
    uint32_t  claim;          /* number of the last claim, plus 1; 0: none   */
} trove_player_t;


/*
 * TROVE_NOTFOUND, also for an id that none can have; TROVE_BUSY: its owner
 * lives and does not move, or the ledger is a copy that is being filled.
 */
trove_rc_t trove_player_get(trove_ledger_t *l, const trove_slice_t *id,
    trove_player_t *p);

/*
 * Who has several players to go to, which lie anywhere in memory, fetches
 * first what leads to each, then each, and then goes there: one of these waits
 * costs more than everything else that is done with a player.
 */
uint64_t trove_player_hash(const trove_ledger_t *l, const trove_slice_t *id);
void trove_player_fetch_cell(const trove_ledger_t *l, uint64_t hash);
void trove_player_fetch(const trove_ledger_t *l, uint64_t hash);

/* Numbers that were given out; a death may have lost some of them. */
uint32_t trove_ledger_players(const trove_ledger_t *l);
uint32_t trove_ledger_claims(const trove_ledger_t *l);


#endif /* TROVE_PLAYERS_H_INCLUDED */
