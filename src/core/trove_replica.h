/*
 * A ledger that is a copy: what another place has decided, a log of changes
 * and the rows that they leave, is carried out on it by one process, the
 * follower, while any number of others read it.
 *
 *   NEVER --begin--> LOADING --live--> LIVE --begin--> LOADING ...
 *
 *   NEVER     as it was laid out: empty, and nothing is known
 *   LOADING   it was emptied and is being filled: nobody but the follower has
 *             any use for it; views of before go on answering, unchanged
 *   LIVE      all changes up to the log's position are in it, and perhaps
 *             some of the next one; views are built anew after each loading
 *
 * Rows are absolute: to put one again is harmless, and so is to put an older
 * state as long as the newer one follows.  Each call survives the death of who
 * makes it: the next follower finds it done or not done, and makes it again.
 * A death within LOADING is one after which loading begins anew.
 *
 * In LIVE a reward that is put or removed and the last of a stock that is taken
 * make one version each, so that versions are the same in all copies: who
 * carries a change out again skips those of the version that the ledger has
 * already.  In LOADING nothing makes a version; changes of the log may be
 * carried out in it as well, before it is told that it is live.
 *
 * Here and below: TROVE_OK; TROVE_FULL: there is no room for it, which while
 * changes that a snapshot has already are carried out may only mean that it was
 * removed later; TROVE_INVALID: no ledger of this configuration can have it;
 * TROVE_BUSY: somebody who lives holds a lock, nothing is done, call again.
 */

#ifndef TROVE_REPLICA_H_INCLUDED
#define TROVE_REPLICA_H_INCLUDED


#include "trove_board.h"
#include "trove_ledger.h"
#include "trove_players.h"
#include "trove_redo.h"
#include "trove_restore.h"


typedef enum {
    TROVE_REPLICA_NEVER,
    TROVE_REPLICA_LOADING,
    TROVE_REPLICA_LIVE
} trove_replica_state_t;


/*
 * For everybody.  "generation" is 0 in NEVER, odd while LOADING, and another
 * even number in each LIVE.
 */
uint64_t trove_replica_generation(const trove_ledger_t *l);
trove_replica_state_t trove_replica_state(const trove_ledger_t *l);

/*
 * Whether what was read since that generation was asked for is of one ledger
 * that is whole: neither was it LOADING then, nor is it another one by now.
 */
int trove_replica_whole(const trove_ledger_t *l, uint64_t generation);

/* Whether it was LIVE once, be it LOADING now. */
int trove_replica_loaded(const trove_ledger_t *l);

/* All changes up to this one are carried out. */
uint64_t trove_replica_log(const trove_ledger_t *l);

/*
 * What tells the change after that one, if it was begun, or else that one from
 * others of the same number; 0: nothing does.
 */
uint64_t trove_replica_mark(const trove_ledger_t *l);

/*
 * When it was last known to be what the other place has: trove_clock_ns(); 0:
 * never.
 */
uint64_t trove_replica_seen(const trove_ledger_t *l);

/* Of which it is a copy; empty in NEVER. */
const char *trove_replica_instance(const trove_ledger_t *l);


/*
 * Whether this process is the follower, be it by now because there was none or
 * a dead one; one thread of it is.  All that follows is the follower's.
 */
int trove_replica_elect(trove_ledger_t *l);
void trove_replica_resign(trove_ledger_t *l);

/*
 * Empties the ledger in place and is LOADING from before that on, of this
 * instance: up to 39 bytes.  TROVE_OK; TROVE_BUSY: it may be LOADING by now,
 * and is not empty.
 */
trove_rc_t trove_replica_begin(trove_ledger_t *l, const char *instance);

/*
 * It is whole: all changes up to that one are in it, and this is the version
 * that they have made.  TROVE_OK, TROVE_BUSY; TROVE_INVALID: it is not LOADING.
 */
trove_rc_t trove_replica_live(trove_ledger_t *l, uint64_t log,
    uint64_t version);

/* The change of this mark is going to be carried out, or in LOADING was. */
void trove_replica_begun(trove_ledger_t *l, uint64_t mark);

/* All of this change is carried out; or nothing is missing at this moment. */
void trove_replica_applied(trove_ledger_t *l, uint64_t log);
void trove_replica_saw(trove_ledger_t *l);


/*
 * "taken" is not taken from "r": it follows from the claims, and if "born" is
 * another one than there was before begins at 0.  A reward's removal makes its
 * version also if there is no such reward, as does the last of a stock, which
 * comes after the claim that took it.
 */
trove_rc_t trove_replica_put(trove_ledger_t *l, const trove_reward_t *r,
    uint32_t born);
trove_rc_t trove_replica_remove(trove_ledger_t *l, uint32_t id);
trove_rc_t trove_replica_last(trove_ledger_t *l, uint32_t id);

/*
 * A claim that was granted: in any order, rewards before their claims.  That of
 * the highest ordinal says how many are taken.  Of a player's claims of rewards
 * that had the same id one after the other the latest is kept.  The player is
 * made if need be; balance and boards come as rows of their own.
 */
trove_rc_t trove_replica_claim(trove_redo_t *redo,
    const trove_slice_t *player, const trove_restore_claim_t *c);

/* "p->claim" is not used. */
trove_rc_t trove_replica_player(trove_redo_t *redo, const trove_slice_t *id,
    const trove_player_t *p);

/*
 * A row of a board, its data included, of this or an earlier period: what is
 * over that long that its table has a later one is TROVE_OK and nothing.  A row
 * is removed if it was reached before that; "claim" is not used.
 */
trove_rc_t trove_replica_score(trove_ledger_t *l, uint32_t board,
    const trove_board_row_t *row);
trove_rc_t trove_replica_unscore(trove_ledger_t *l, uint32_t board,
    uint64_t period, uint64_t reached, const trove_slice_t *player);


#endif /* TROVE_REPLICA_H_INCLUDED */
