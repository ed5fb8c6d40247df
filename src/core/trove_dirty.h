/*
 * Which rewards, players and rows of boards a store has not got yet: a bit for
 * each, and one for each 64 of those.  A bit is set after what it stands for
 * is marked as being written and before it is seen written, or after a claim;
 * so whoever takes the bit and then reads, waiting for what is being written,
 * misses nothing.  The rows of a board whose scores come from claims have
 * none: they are written with their players.
 *
 * What the one writer of the store has taken and not yet brought there is
 * "flying".  It is known to the ledger, so that the next one can give it back
 * if that one dies.
 */

#ifndef TROVE_DIRTY_H_INCLUDED
#define TROVE_DIRTY_H_INCLUDED


#include "trove_ledger.h"


typedef uint32_t  trove_dirty_t;

#define TROVE_DIRTY_REWARDS  0          /* slots of trove_ledger_row()       */
#define TROVE_DIRTY_PLAYERS  1          /* below trove_ledger_players()      */
#define TROVE_DIRTY_BOARDS   2

/* Numbers of trove_board_row(), of table 0 or 1. */
#define trove_dirty_board(board, table)                                       \
    (TROVE_DIRTY_BOARDS + 2 * (board) + (table))

/* How many kinds there are: 0, 1 ... */
uint32_t trove_dirty_kinds(const trove_ledger_t *l);


/*
 * Takes numbers that are dirty, ascending from *from (0 for the first call of
 * a flush), which it moves on; makes them flying.  Returns how many, at most
 * "max", which is 64 at least; 0: it is through.
 */
uint32_t trove_dirty_take(trove_ledger_t *l, trove_dirty_t of, uint32_t *from,
    uint32_t *numbers, uint32_t max);

/*
 * Whether there is anything to take, or a mark to be stored: what was dirty
 * before is seen.
 */
int trove_dirty_any(const trove_ledger_t *l);

/* One that was taken could not be read: it is dirty as well. */
void trove_dirty_set(trove_ledger_t *l, trove_dirty_t of, uint32_t number);

/* All that was taken is in the store. */
void trove_dirty_landed(trove_ledger_t *l, trove_dirty_t of);

/* It is not, or he died who knew: what is flying is dirty again. */
void trove_dirty_give_back(trove_ledger_t *l, trove_dirty_t of);

/* Bytes for so many bits; of the ledger's layout. */
uint64_t trove_dirty_size(uint64_t bits);


#endif /* TROVE_DIRTY_H_INCLUDED */
