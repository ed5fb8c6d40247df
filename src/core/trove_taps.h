/*
 * Taps: each that is granted adds a coin's value to the player's balance.
 */

#ifndef TROVE_TAPS_H_INCLUDED
#define TROVE_TAPS_H_INCLUDED


#include "trove_players.h"
#include "trove_redo.h"


typedef struct {
    trove_slice_t  player;
    uint64_t       seq;       /* 0: none given                               */
    uint64_t       now;       /* microseconds of unix time                   */
    uint64_t       interval;  /* between two taps, microseconds; 0: no rate  */
    uint32_t       burst;     /* taps at once beyond the first               */
    uint32_t       coin;      /* that was drawn, should it be granted        */
    int32_t        value;     /* of that coin                                */
} trove_tap_request_t;


typedef enum {
    TROVE_TAP_GRANTED,
    TROVE_TAP_REPEAT,         /* seq is that of the last: its coin again     */
    TROVE_TAP_STALE,          /* seq is lower than that of the last          */
    TROVE_TAP_LIMITED
} trove_tap_result_t;


typedef struct {
    trove_tap_result_t  result;
    uint32_t            coin;
    int32_t             value;
    int64_t             balance;    /* by now                                */
    uint64_t            wait;       /* LIMITED: microseconds until the next  */
} trove_tap_t;


/*
 * TROVE_OK: see *t.  TROVE_FULL: no room for a new player; TROVE_INVALID: no
 * player can have this id; TROVE_BUSY.  Changes nothing unless granted.
 */
trove_rc_t trove_tap(trove_redo_t *redo, const trove_tap_request_t *request,
    trove_tap_t *t);

/*
 * The same for "n" of them, one after the other; faster, for what they need is
 * fetched together.
 */
void trove_tap_all(trove_redo_t *redo, const trove_tap_request_t *requests,
    trove_tap_t *taps, trove_rc_t *rcs, uint32_t n);


#endif /* TROVE_TAPS_H_INCLUDED */
