
/*
 * Who does what one process at a time does for all.
 */

#include "trove_board_data.h"
#include "trove_elect.h"


trove_elect_t
trove_elect(_Atomic uint64_t *word)
{
    trove_process_t  self, is;

    self = trove_process_self();
    is = trove_get(word);

    if (is == self) {
        return TROVE_ELECT_SAME;
    }

    if ((is != 0 && trove_process_alive(is)) || !trove_cas(word, &is, self)) {
        return TROVE_ELECT_OTHER;
    }

    return TROVE_ELECT_NEW;
}


trove_elect_t
trove_take_over(trove_ledger_t *l, _Atomic uint64_t *word)
{
    trove_elect_t  elected;

    elected = trove_elect(word);

    if (elected != TROVE_ELECT_NEW) {
        return elected;
    }

    TROVE_FAULT("elect: new");

    if (trove_succeed(l) != TROVE_OK) {
        trove_resign(word);
        return TROVE_ELECT_OTHER;
    }

    return TROVE_ELECT_NEW;
}


void
trove_resign(_Atomic uint64_t *word)
{
    trove_process_t  self;

    self = trove_process_self();

    (void) trove_cas(word, &self, 0);
}


trove_rc_t
trove_succeed(trove_ledger_t *l)
{
    uint32_t  i;

    /* with the ledger's lock, thus of what is under way with that as well */

    if (trove_redo_recover(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    for (i = 0; i < trove_ledger_boards(l); i++) {

        if (trove_board_lock(l, i) != TROVE_OK) {
            return TROVE_BUSY;
        }

        trove_board_unlock(l, i);
    }

    return TROVE_OK;
}
