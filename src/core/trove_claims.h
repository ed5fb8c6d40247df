/*
 * Claims: a reward's stock is given out to as many players, each once.
 */

#ifndef TROVE_CLAIMS_H_INCLUDED
#define TROVE_CLAIMS_H_INCLUDED


#include "trove_players.h"
#include "trove_redo.h"


/* A claim without a place breaks every rule that is set. */

typedef struct {
    double    range;          /* the reward's greatest distance; 0: any      */
    double    max_speed;      /* of a player, a second; 0: any               */
    int       dry_run;        /* only tell, see trove_claim_t.flouts         */
} trove_claim_rules_t;


typedef struct {
    trove_slice_t  player;
    uint32_t       reward;
    double         level;
    double         x;
    double         y;
    int            placed;    /* x and y are given                           */
    uint64_t       now;       /* ms of unix time                             */
    uint64_t       asked;     /* the same, by which it is judged; 0: now     */
} trove_claim_request_t;


typedef enum {
    TROVE_CLAIM_GRANTED,
    TROVE_CLAIM_REPEAT,       /* granted before; nothing is added            */
    TROVE_CLAIM_GONE,         /* the stock is                                */
    TROVE_CLAIM_UNKNOWN,
    TROVE_CLAIM_EARLY,        /* it has not started                          */
    TROVE_CLAIM_EXPIRED,
    TROVE_CLAIM_LEVEL,        /* the player's is too low                     */
    TROVE_CLAIM_FAR,
    TROVE_CLAIM_FAST
} trove_claim_result_t;


typedef struct {
    trove_claim_result_t  result;
    trove_claim_result_t  flouts;   /* FAR or FAST in a dry run, or GRANTED  */
    int32_t               value;    /* as it was when granted                */
    int64_t               balance;  /* right after it was granted            */
    uint64_t              version;  /* of the ledger afterwards              */
    int                   last;     /* it took the last of the stock         */
} trove_claim_t;


/*
 * Claims a reward for a player: stock, claim, balance, and the boards that
 * claims are added to (trove_credits.h) change together.
 * TROVE_OK: *c says how it ended; a repeat is one whatever became of the
 * reward.  TROVE_FULL: no room for a new player, for a claim, or for the player
 * on a board that claims are added to; TROVE_INVALID: no player can have this
 * id; TROVE_BUSY.  Changes nothing unless granted.
 */
trove_rc_t trove_claim(trove_redo_t *redo, const trove_claim_rules_t *rules,
    const trove_claim_request_t *request, trove_claim_t *c);

/*
 * The same for "n" of them, one after the other; faster, for what they need is
 * fetched together.
 */
void trove_claim_all(trove_redo_t *redo, const trove_claim_rules_t *rules,
    const trove_claim_request_t *requests, trove_claim_t *claims,
    trove_rc_t *rcs, uint32_t n);


#endif /* TROVE_CLAIMS_H_INCLUDED */
