/*
 * A ledger in a file that all processes map: it outlives them all, and those
 * of two masters share it.
 *
 *   +------------------------------+----------------------------------+
 *   | a page: whose it is, of what | the ledger                       |
 *   | boot, ready or not, and      |                                  |
 *   | whether its store has it all |                                  |
 *   +------------------------------+----------------------------------+
 *
 * The file is locked (flock) by all who have it, shared, and exclusively by
 * who lays it out.  It is as long as it will ever be, and all of its blocks
 * are taken when it is laid out: a disk that is full is found out then, and
 * not by a signal.  What was not written back when the machine went down is
 * lost, so that one of an earlier boot is not to be relied on.
 */

#ifndef TROVE_LEDGER_FILE_H_INCLUDED
#define TROVE_LEDGER_FILE_H_INCLUDED


#include "trove_ledger.h"


#define TROVE_LEDGER_FILE_ERROR   512


typedef enum {
    TROVE_LEDGER_FILE_EMPTY,  /* to be laid out: new, or it never was ready  */
    TROVE_LEDGER_FILE_STALE,  /* of an earlier boot                          */
    TROVE_LEDGER_FILE_PAST,   /* of another version; its store has it all    */
    TROVE_LEDGER_FILE_OTHER,  /* good, and of another configuration          */
    TROVE_LEDGER_FILE_READY   /* good                                        */
} trove_ledger_file_state_t;


typedef struct {
    int                         fd;
    void                       *base;
    size_t                      size;
    int                         exclusive;  /* nobody else has it            */
    int                         renewed;    /* laid out by this open         */
    int                         store;      /* fd, locked likewise, or -1    */
    trove_ledger_file_state_t   state;
    trove_ledger_t             *ledger;     /* of the last two states        */
} trove_ledger_file_t;


/*
 * Opens the file, or makes it, and says in which state it is.  Of any state
 * but READY it is had exclusively: TROVE_BUSY if others have it.  All of these
 * leave a text in "error", of TROVE_LEDGER_FILE_ERROR bytes, if it is not
 * TROVE_OK.  TROVE_MISMATCH: it is no ledger that this version knows;
 * TROVE_NOTFOUND: it cannot be opened, or read; TROVE_NOMEM.
 */
trove_rc_t trove_ledger_file_open(trove_ledger_file_t *f, const char *path,
    const trove_ledger_conf_t *conf, char *error);

/*
 * Throws away what there is, and lays an empty ledger out, which nobody takes
 * for one until it is said to be ready.  TROVE_FULL: the disk; TROVE_NOMEM.
 */
trove_rc_t trove_ledger_file_renew(trove_ledger_file_t *f, const char *path,
    const trove_ledger_conf_t *conf, char *error);

/* The ledger is filled, or was; from here on it is shared. */
void trove_ledger_file_ready(trove_ledger_file_t *f);

/* Nobody else has it, and its store has it all: until it is ready again. */
void trove_ledger_file_whole(trove_ledger_file_t *f);

/* The mapping and the lock end with the last process that has them. */
void trove_ledger_file_close(trove_ledger_file_t *f);

/*
 * Whether the file could be opened, as far as can be said without changing
 * anything: for a test of the configuration.
 */
trove_rc_t trove_ledger_file_check(const char *path, char *error);


#endif /* TROVE_LEDGER_FILE_H_INCLUDED */
