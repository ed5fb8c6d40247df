/*
 * Of all processes that have a ledger one does something for all of them: who
 * it is stands in a word of the ledger.  Another one takes over when it dies,
 * and sees to it first that what the dead had under way is done.
 */

#ifndef TROVE_ELECT_H_INCLUDED
#define TROVE_ELECT_H_INCLUDED


#include "trove_atomic.h"
#include "trove_ledger.h"


typedef enum {
    TROVE_ELECT_OTHER,        /* it is another process that lives, or nobody */
    TROVE_ELECT_SAME,         /* it is this one, as before                   */
    TROVE_ELECT_NEW           /* it is this one from now on                  */
} trove_elect_t;


trove_elect_t trove_elect(_Atomic uint64_t *word);

/* The same; one that is new has seen to what the dead had under way. */
trove_elect_t trove_take_over(trove_ledger_t *l, _Atomic uint64_t *word);

void trove_resign(_Atomic uint64_t *word);

/*
 * What dead processes had under way is carried to its end, of the ledger's
 * rewards and players and of its boards.  TROVE_OK or TROVE_BUSY.
 */
trove_rc_t trove_succeed(trove_ledger_t *l);


#endif /* TROVE_ELECT_H_INCLUDED */
