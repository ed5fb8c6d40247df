/*
 * What a thread has in common with others that works with a Redis for as long
 * as its process is the one to do so: it is stopped by another thread, promptly
 * whatever it waits for; it tells how it stands; and it leaves a Redis that has
 * failed alone for a time that doubles, with jitter, for all machines do it at
 * once.
 */

#ifndef TROVE_CLIENT_H_INCLUDED
#define TROVE_CLIENT_H_INCLUDED


#include <pthread.h>
#include <stdint.h>

#include "trove_redis.h"


/* How long Redis is left alone after a failure, nanoseconds, at most. */
#define TROVE_CLIENT_AGAIN       50000000
#define TROVE_CLIENT_AGAIN_MAX   2000000000


/* How it stands. */

typedef struct {
    uint64_t                   n;           /* reports so far                */
    trove_store_rc_t           rc;          /* TROVE_STORE_DONE: well        */
    char                       error[TROVE_STORE_ERROR];
} trove_client_report_t;


typedef struct {
    trove_redis_t             *redis;       /* and its "error"               */
    void                     (*moved)(void *data);
    void                      *data;

    uint64_t                   random;
    uint64_t                   wait;        /* after the next failure, ns    */

    _Atomic int                stopped;
    pthread_mutex_t            mutex;       /* of the report                 */
    pthread_cond_t             cond;        /* it was stopped                */
    trove_client_report_t      report;
} trove_client_t;


/*
 * "moved" is called in the thread when there is a report, or the thread says
 * that there is something; it may be NULL.
 */
void trove_client_init(trove_client_t *c, trove_redis_t *redis,
    void (*moved)(void *data), void *data);

/* The thread has ended. */
void trove_client_done(trove_client_t *c);

/* Of any thread. */
void trove_client_stop(trove_client_t *c);
void trove_client_report(trove_client_t *c, trove_client_report_t *report);

/* Of its own. */
int trove_client_stopped(trove_client_t *c);
void trove_client_moved(trove_client_t *c);

/* It is well, or has failed, as redis->error tells. */
void trove_client_tell(trove_client_t *c, trove_store_rc_t rc);

/* The next failure is as the first. */
void trove_client_works(trove_client_t *c);

/* After a failure; and for so many ns; or until it is stopped. */
void trove_client_pause(trove_client_t *c);
void trove_client_sleep(trove_client_t *c, uint64_t ns);


#endif /* TROVE_CLIENT_H_INCLUDED */
