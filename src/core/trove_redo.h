/*
 * What a process has under way with a player: all of the write that it is at,
 * kept in the ledger, so that another one can carry it out if this one dies.
 * One process has one of them, and one thread of it uses it at a time.
 */

#ifndef TROVE_REDO_H_INCLUDED
#define TROVE_REDO_H_INCLUDED


#include "trove_ledger.h"


typedef struct trove_redo_s  trove_redo_t;


/*
 * Takes a redo record for this process's claims and taps, first carrying out
 * what dead processes left.  TROVE_FULL: as many processes as there is room
 * for are at it, or the ledger is to have no players; TROVE_BUSY.
 */
trove_rc_t trove_redo_open(trove_ledger_t *l, trove_redo_t **redo);
void trove_redo_close(trove_redo_t *redo);

/*
 * Carries out what dead processes left.  TROVE_OK or TROVE_BUSY.  Who meets
 * a player of theirs does so; nobody needs to call this.
 */
trove_rc_t trove_redo_recover(trove_ledger_t *l);


#endif /* TROVE_REDO_H_INCLUDED */
