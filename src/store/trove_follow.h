/*
 * Keeping a ledger a copy of the trove that is in Redis.
 *
 * One process of a machine at a time is the follower; another one takes over
 * when it dies.  Its thread
 *
 *   connects <-----------------------------------------------+
 *     |  the trove's hash: format, instance, log, version     |
 *     |    none, and no trove was known: it is made           |
 *     |    another's, or it is gone: nothing is done         -+  back-off
 *     v                                                       |
 *   is the entry of the log that was applied last still there?|
 *     |  no: LOADING, all rows by HSCAN, LIVE                 |
 *     v                                                       |
 *   XREAD, applies what came, tells, XREAD ..  --- an error --+
 *
 * Redis is waited for by that thread alone, and never without bound.  Rows are
 * absolute: what a snapshot has already is put again by the entries after it.
 */

#ifndef TROVE_FOLLOW_H_INCLUDED
#define TROVE_FOLLOW_H_INCLUDED


#include <stdint.h>

#include "trove_client.h"
#include "trove_redis.h"
#include "trove_redo.h"
#include "trove_replica.h"
#include "trove_stats.h"
#include "trove_store.h"


/* How long Redis may say nothing, ms, and entries that are asked for. */
#define TROVE_FOLLOW_BLOCK       200
#define TROVE_FOLLOW_ENTRIES     256

/* What its connection is called, before the trove's name. */
#define TROVE_FOLLOW_NAME        "trove:"

/* Rows that a step of a snapshot asks for. */
#define TROVE_FOLLOW_SCAN        2048


/* Written by the thread, read by any: trove_stat_get(). */

typedef struct {
    trove_stat_t               opens;       /* connections                   */
    trove_stat_t               entries;     /* of the log, applied           */
    trove_stat_t               snapshots;   /* loaded                        */
    trove_stat_t               failures[TROVE_STORE_RCS];
} trove_follow_stats_t;


/* Nobody else's memory: one of a process, for one ledger. */

typedef struct {
    trove_ledger_t            *ledger;
    trove_redis_conf_t         conf;
    trove_slice_t              trove;       /* its name                      */
    trove_client_t             client;

    /* of the thread */

    trove_redis_t              redis;
    trove_redo_t              *redo;        /* NULL: there are no players    */
    char                      *name;        /* and room for two keys'        */
    char                      *key;
    char                      *rows;
    char                       error[TROVE_STORE_ERROR];
    uint64_t                   moves;       /* to the node that it follows   */
    int                        distrust;    /* load all, whatever the log    */

    int                        loading;
    uint64_t                   log;         /* while loading: of the ledger  */
    uint64_t                   version;

    trove_follow_stats_t       stats;
    trove_follow_stats_t       told;        /* of these, to trove_stats.h    */
    int                        elected;
} trove_follow_t;


/*
 * "conf" and the name are copied.  "moved" is called in the thread when the
 * ledger or what is reported has changed; it may be NULL.  TROVE_OK or
 * TROVE_NOMEM.
 */
trove_rc_t trove_follow_init(trove_follow_t *f, trove_ledger_t *l,
    const trove_redis_conf_t *conf, const trove_slice_t *trove,
    void (*moved)(void *data), void *data);

/* Nor is it the follower any more; the thread has ended. */
void trove_follow_done(trove_follow_t *f);

/* Whether this process is the follower, or becomes it now. */
int trove_follow_elect(trove_follow_t *f);

/* In a thread, of the follower: until it is stopped, by any thread. */
void trove_follow_run(trove_follow_t *f);
void trove_follow_stop(trove_follow_t *f);

/* In this thread, for whoever has the ledger for himself: reads all, once. */
trove_store_rc_t trove_follow_once(trove_follow_t *f);

/* Of any thread; TROVE_STORE_DONE: it follows. */
void trove_follow_report(trove_follow_t *f, trove_client_report_t *report);

/* Adds what has happened since the last call to the worker's figures. */
void trove_follow_tell(trove_follow_t *f, trove_stats_t *s);


#endif /* TROVE_FOLLOW_H_INCLUDED */
