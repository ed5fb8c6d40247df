
/*
 * Claims that are added to boards.
 */

#include "trove_board_data.h"
#include "trove_credits.h"


static trove_rc_t trove_credits_take(trove_ledger_t *l, uint32_t first,
    uint32_t end);
static void trove_credits_let_go(trove_ledger_t *l, uint32_t first,
    uint32_t end);
static trove_rc_t trove_credits_take_settled(trove_ledger_t *l,
    uint32_t first, uint32_t end);
static uint32_t trove_credits_owed(trove_ledger_t *l, uint32_t first,
    uint32_t end);


trove_rc_t
trove_credits_lock(trove_ledger_t *l)
{
    return trove_credits_take_settled(l, 0, trove_ledger_boards(l));
}


trove_rc_t
trove_credits_lock_one(trove_ledger_t *l, uint32_t board)
{
    return trove_credits_take_settled(l, board, board + 1);
}


trove_rc_t
trove_credits_succeed(trove_ledger_t *l)
{
    return trove_credits_take(l, 0, trove_ledger_boards(l));
}


void
trove_credits_unlock(trove_ledger_t *l)
{
    trove_credits_let_go(l, 0, trove_ledger_boards(l));
}


static trove_rc_t
trove_credits_take(trove_ledger_t *l, uint32_t first, uint32_t end)
{
    uint32_t  i;

    for (i = first; i < end; i++) {

        if (trove_board_conf(l, i)->claims
            && trove_board_lock(l, i) != TROVE_OK)
        {
            trove_credits_let_go(l, first, i);
            return TROVE_BUSY;
        }
    }

    return TROVE_OK;
}


static void
trove_credits_let_go(trove_ledger_t *l, uint32_t first, uint32_t end)
{
    uint32_t  i;

    for (i = first; i < end; i++) {

        if (trove_board_conf(l, i)->claims) {
            trove_board_unlock(l, i);
        }
    }
}


static trove_rc_t
trove_credits_take_settled(trove_ledger_t *l, uint32_t first, uint32_t end)
{
    uint32_t        n, owed, successions;
    trove_board_t  *b;

    for (n = 0; n <= end - first; n++) {

        if (trove_credits_take(l, first, end) != TROVE_OK) {
            return TROVE_BUSY;
        }

        owed = trove_credits_owed(l, first, end);

        if (owed == TROVE_BOARD_NONE) {
            return TROVE_OK;
        }

        b = trove_board_of(l, owed);
        successions = trove_get(&b->lock.successions);

        trove_credits_let_go(l, first, end);

        if (trove_redo_recover(l) != TROVE_OK) {
            return TROVE_BUSY;
        }

        trove_set(&b->settled, successions);
    }

    return TROVE_BUSY;
}


/* A board whose lock was taken from the dead since these were seen to. */

static uint32_t
trove_credits_owed(trove_ledger_t *l, uint32_t first, uint32_t end)
{
    uint32_t        i;
    trove_board_t  *b;

    for (i = first; i < end; i++) {
        b = trove_board_of(l, i);

        if (trove_board_conf(l, i)->claims
            && trove_get(&b->lock.successions) != trove_get(&b->settled))
        {
            return i;
        }
    }

    return TROVE_BOARD_NONE;
}


trove_rc_t
trove_credits_room(trove_ledger_t *l, const trove_slice_t *player,
    uint64_t now)
{
    uint32_t  i;

    for (i = 0; i < trove_ledger_boards(l); i++) {

        if (trove_board_conf(l, i)->claims
            && !trove_board_room(l, i, player, now))
        {
            return TROVE_FULL;
        }
    }

    return TROVE_OK;
}


void
trove_credits_add(trove_ledger_t *l, uint32_t claim)
{
    uint32_t  i;

    for (i = 0; i < trove_ledger_boards(l); i++) {

        if (trove_board_conf(l, i)->claims) {
            trove_board_credit(l, i, claim);
        }
    }
}
