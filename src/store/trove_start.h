/*
 * A ledger at a start: from its file, else from its store.
 *
 *   the file is         and then
 *
 *   ready               goes on; the store, if it has less, is given all
 *   of another          is flushed to the store, laid out anew and filled
 *     configuration       from there: this is how a capacity is changed
 *   of an earlier boot  is laid out anew and filled from the store, which
 *     or version          must be there; of another version only if the store
 *                         had it all when the last process ended
 *   new, never ready    the same, and the store may be made
 *
 * A ledger and a store that do not belong together are refused.  So is a store
 * that another ledger than this one is of: those who have that hold a lock on
 * the store's file, too, for the ledger's may be gone from its place.
 */

#ifndef TROVE_START_H_INCLUDED
#define TROVE_START_H_INCLUDED


#include "trove_flush.h"
#include "trove_ledger_file.h"


/*
 * "path" is the ledger's file, "store" as for trove_flush_init(), but that its
 * "space" is taken from "conf".  With TROVE_OK the file is ready, and the text
 * in "error", TROVE_STORE_ERROR bytes, if there is one, is a warning: the
 * ledger is good and the store is not to be had at this moment.  Else it says
 * why not, and the file is closed.
 *
 * Nothing of SQLite is left open: processes may be forked.
 */
trove_rc_t trove_start(trove_ledger_file_t *file, const char *path,
    const trove_ledger_conf_t *conf, const trove_store_kind_t *kind,
    const trove_store_conf_t *store, char *error);


/*
 * The last process but for this one, a master, has ended: notes whether the
 * store has it all, so that another version may take it from there.
 */
void trove_start_end(trove_ledger_file_t *file);


/*
 * For who takes all that the store has somewhere else, while no nginx uses it:
 * brings to the store what only the ledger's file has, if there is one.  Until
 * the file is closed nobody else can have them.  TROVE_OK; else "error" tells.
 */
trove_rc_t trove_start_settle(trove_ledger_file_t *file, const char *path,
    const trove_store_kind_t *kind, const trove_store_conf_t *store,
    char *error);


#endif /* TROVE_START_H_INCLUDED */
