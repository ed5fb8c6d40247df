/*
 * How a board is changed.  With the lock,
 *
 *   1. the intent is filled with all of the row, then its "op" set;
 *   2. "seq" becomes odd, and so do the leaves that are going to change;
 *   3. the row is stored, then what is derived: index, free rows, tree;
 *   4. the leaves are even again, then "seq", and the intent is cleared.
 *
 * Whoever takes the lock from a dead owner stores the row of the intent once
 * more, and builds all that is derived anew from the rows, which he in turn
 * may leave half done: the intent stands until the end.
 */

#ifndef TROVE_BOARD_INTENT_H_INCLUDED
#define TROVE_BOARD_INTENT_H_INCLUDED


#include "trove_board_data.h"


static inline char *
trove_board_intent_row(const trove_ledger_t *l, uint32_t board)
{
    return (char *) l + trove_board_of(l, board)->at.intent_at;
}


/* The intent is filled: it stands. */

static inline void
trove_board_note(trove_board_t *b, trove_board_op_t op)
{
    TROVE_FAULT("board: decided");

    trove_release(&b->intent.op, op);

    /* no store of what is intended before the intent stands */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("board: noted");
}


/* Of a dead writer it is odd already. */

static inline void
trove_board_begin(trove_board_t *b)
{
    trove_set(&b->seq, trove_get(&b->seq) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("board: begun");
}


/* The intent is carried out. */

static inline void
trove_board_end(trove_board_t *b)
{
    trove_release(&b->seq, trove_get(&b->seq) + 1);
    TROVE_FAULT("board: ended");

    trove_release(&b->intent.op, TROVE_BOARD_IDLE);

    /* nor is the next intent begun before this one is gone */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("board: forgotten");
}


/* All of the intent that is not derived; may be done again. */
void trove_board_store(trove_ledger_t *l, uint32_t board, uint32_t op);

/*
 * All of it: the period's table is emptied for it.  The other one is that of
 * the period before only if it says so itself.
 */
void trove_board_turn(trove_ledger_t *l, uint32_t board, uint64_t period);


#endif /* TROVE_BOARD_INTENT_H_INCLUDED */
