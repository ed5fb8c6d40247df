/*
 * What the files of trove_flush.h share.
 */

#ifndef TROVE_FLUSH_DATA_H_INCLUDED
#define TROVE_FLUSH_DATA_H_INCLUDED


#include "trove_flush.h"


/* Rows that are taken at once: so much room a transaction has to have. */
#define TROVE_FLUSH_BATCH  1024


/* A flush that is under way. */

typedef struct {
    trove_flush_t   *f;
    uint32_t         rows;              /* that a transaction may have       */
    uint32_t         room;              /* what is left of them              */
    uint32_t         nplayers;
    uint32_t         dropped;           /* rows of earlier periods           */
    int              skipped;           /* what could not be read            */
    int              held;              /* marks are                         */
    int              moved;             /* and not where the store has them  */
    int              marked;            /* they are in the transaction       */
} trove_flushing_t;


/* trove_flush_load.c */

/* Opens the store, and sees to it that it and the ledger belong together. */
trove_store_rc_t trove_flush_open(trove_flush_t *f);


/* trove_flush_rows.c */

/* *whole: nothing that was dirty at the beginning had to be left out. */
trove_store_rc_t trove_flush_dirty(trove_flush_t *f, int *whole);


/* trove_flush_boards.c */

trove_store_rc_t trove_flush_boards(trove_flushing_t *w);

/* In the flush's last transaction, for which the others make way. */
trove_store_rc_t trove_flush_drop(trove_flushing_t *w);

/* A player's rows of boards whose scores come from claims: 0 if held. */
int trove_flush_read_credits(trove_flush_t *f, const trove_slice_t *id);

/* His rows change with his claims only, or are removed. */
trove_store_rc_t trove_flush_credits(trove_flush_t *f, uint32_t number,
    int fresh);

/* Whether nobody can see the period any more. */
int trove_flush_passed(const trove_ledger_t *l, uint32_t board,
    uint64_t period);


#endif /* TROVE_FLUSH_DATA_H_INCLUDED */
