
/*
 * The drainer: its thread.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trove_board.h"
#include "trove_clock.h"
#include "trove_drain.h"


static trove_store_rc_t trove_drain_session(trove_drain_t *d);
static trove_store_rc_t trove_drain_open(trove_drain_t *d);
static trove_store_rc_t trove_drain_look(trove_drain_t *d);
static trove_store_rc_t trove_drain_find(trove_drain_t *d);
static trove_store_rc_t trove_drain_turn(trove_drain_t *d, uint64_t *pause);
static trove_store_rc_t trove_drain_queue(trove_drain_t *d, uint32_t queue,
    int changed, uint64_t *pause);
static int trove_drain_held(trove_drain_t *d, trove_store_rc_t rc,
    uint32_t *n);
static uint64_t trove_drain_room(const trove_ledger_t *l);
static void trove_drain_moved(trove_drain_t *d, uint64_t ns);


#define TROVE_DRAIN_PRIME  UINT64_C(0x100000001b3)


trove_rc_t
trove_drain_init(trove_drain_t *d, const trove_overflow_t *o,
    const trove_redis_conf_t *conf, void (*moved)(void *data), void *data)
{
    memset(d, 0, sizeof(trove_drain_t));

    d->trimmed = calloc(trove_marks(o->ledger), sizeof(uint64_t));
    d->name = malloc(o->trove.len);

    if (d->trimmed == NULL || d->name == NULL) {
        free(d->trimmed);
        free(d->name);
        return TROVE_NOMEM;
    }

    memcpy(d->name, o->trove.data, o->trove.len);

    d->conf = *conf;
    d->overflow = *o;
    d->overflow.trove.data = (unsigned char *) d->name;
    d->overflow.instance = trove_overflow_instance(o->ledger, o->durable);

    trove_redis_init(&d->overflow.redis, &d->conf, d->error);
    trove_client_init(&d->client, &d->overflow.redis, moved, data);

    return TROVE_OK;
}


void
trove_drain_done(trove_drain_t *d)
{
    trove_drain_resign(d);
    trove_client_done(&d->client);

    free(d->trimmed);
    free(d->name);
}


int
trove_drain_elect(trove_drain_t *d)
{
    if (!d->elected) {
        d->elected = trove_mark_elect(d->overflow.ledger);
    }

    return d->elected;
}


void
trove_drain_resign(trove_drain_t *d)
{
    if (d->elected) {
        d->elected = 0;
        trove_mark_resign(d->overflow.ledger);
    }
}


void
trove_drain_run(trove_drain_t *d)
{
    trove_store_rc_t  rc;

    while (!trove_client_stopped(&d->client)) {
        rc = trove_drain_session(d);

        trove_redis_close(&d->overflow.redis);

        if (!trove_client_stopped(&d->client)) {
            trove_client_tell(&d->client, rc);
            trove_client_pause(&d->client);
        }
    }

    if (d->overflow.redo) {
        trove_redo_close(d->overflow.redo);
        d->overflow.redo = NULL;
    }
}


void
trove_drain_stop(trove_drain_t *d)
{
    trove_client_stop(&d->client);
}


void
trove_drain_report(trove_drain_t *d, trove_client_report_t *report)
{
    trove_client_report(&d->client, report);
}


/* Until something fails, or it is stopped. */

static trove_store_rc_t
trove_drain_session(trove_drain_t *d)
{
    uint64_t          pause;
    trove_store_rc_t  rc;

    rc = trove_drain_open(d);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_drain_find(d);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    trove_stat_set(&d->found, trove_drain_pending(d->overflow.ledger));

    trove_client_works(&d->client);
    trove_client_tell(&d->client, TROVE_STORE_DONE);

    while (rc == TROVE_STORE_DONE && !trove_client_stopped(&d->client)) {
        pause = TROVE_DRAIN_IDLE;
        rc = trove_drain_look(d);

        if (rc == TROVE_STORE_DONE) {
            rc = trove_drain_turn(d, &pause);
        }

        trove_drain_moved(d, pause ? 0 : TROVE_DRAIN_EPOCH);

        if (rc == TROVE_STORE_DONE && pause) {
            trove_client_sleep(&d->client, pause);
        }
    }

    return rc;
}


static trove_store_rc_t
trove_drain_open(trove_drain_t *d)
{
    trove_rc_t         rc;
    trove_overflow_t  *o;

    o = &d->overflow;

    if (o->instance[0] == '\0') {
        (void) snprintf(d->error, TROVE_STORE_ERROR,
                        "the ledger's own store was not opened yet");
        return TROVE_STORE_BUSY;
    }

    if (o->redo == NULL && trove_ledger_conf(o->ledger)->players) {
        rc = trove_redo_open(o->ledger, &o->redo);

        if (rc != TROVE_OK) {
            (void) snprintf(d->error, TROVE_STORE_ERROR,
                            "the ledger is held by %s",
                            rc == TROVE_FULL ? "too many processes"
                                             : "another process");
            return TROVE_STORE_BUSY;
        }
    }

    return trove_redis_connect(&o->redis);
}


/*
 * Who has put something into a queue may have died before he could tell, and
 * what this is connected with may have become something else.
 */

static trove_store_rc_t
trove_drain_look(trove_drain_t *d)
{
    trove_store_rc_t  rc;

    if (trove_mark_sure(d->overflow.ledger)
        && trove_clock_ns() - d->looked < TROVE_DRAIN_LOOK)
    {
        return TROVE_STORE_DONE;
    }

    rc = trove_redis_master(&d->overflow.redis);

    return (rc == TROVE_STORE_DONE) ? trove_drain_find(d) : rc;
}


static trove_store_rc_t
trove_drain_find(trove_drain_t *d)
{
    uint32_t          n;
    uint64_t          before, whose, waited;
    trove_ledger_t   *l;
    trove_store_rc_t  rc;

    n = 0;
    l = d->overflow.ledger;
    d->looked = trove_clock_ns();

    before = trove_mark_whose(l);
    waited = trove_drain_pending(l);

    do {
        rc = trove_overflow_find(&d->overflow);
    } while (trove_drain_held(d, rc, &n));

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    whose = trove_mark_whose(l);

    if (before != 0 && whose != before) {
        trove_stat_add(&d->others, 1);
        trove_stat_add(&d->overflow.stats.lost, waited);
    }

    /* Redis may have what it was to forget, and there may be room by now */

    memset(d->trimmed, 0, trove_marks(l) * sizeof(uint64_t));
    d->room = 0;

    return TROVE_STORE_DONE;
}


/* What can be done of each queue's turn; how long to pause then. */

static trove_store_rc_t
trove_drain_turn(trove_drain_t *d, uint64_t *pause)
{
    int                changed;
    uint32_t           queue;
    uint64_t           room, done;
    trove_overflow_t  *o;
    trove_store_rc_t   rc;

    o = &d->overflow;
    rc = TROVE_STORE_DONE;
    room = trove_drain_room(o->ledger);
    changed = (room != d->room);
    d->room = room;

    for (queue = 0; queue < trove_marks(o->ledger); queue++) {

        if (trove_mark_queued(o->ledger, queue) > trove_mark(o->ledger, queue))
        {
            rc = trove_drain_queue(d, queue, changed, pause);
        }

        done = trove_overflow_done(o, queue);

        if (rc == TROVE_STORE_DONE && done > d->trimmed[queue]) {
            rc = trove_overflow_trim(o, queue);
            d->trimmed[queue] = done;
        }

        if (rc != TROVE_STORE_DONE || trove_client_stopped(&d->client)) {
            break;
        }
    }

    return rc;
}


/* A pause that is shorter than *pause: there is more to be tried. */

static trove_store_rc_t
trove_drain_queue(trove_drain_t *d, uint32_t queue, int changed,
    uint64_t *pause)
{
    uint32_t          i, n, busy;
    uint64_t          stays;
    trove_store_rc_t  rc;

    n = 0;
    busy = 0;
    stays = trove_mark_stays(d->overflow.ledger, queue);

    if (changed || stays == 0) {

        for (i = 0; i < TROVE_DRAIN_TURN; i++) {

            do {
                rc = trove_overflow_drain(&d->overflow, queue, &n, &stays);
            } while (trove_drain_held(d, rc, &busy));

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }

            if (n == 0 || stays || trove_client_stopped(&d->client)) {
                break;
            }
        }
    }

    if (stays) {
        *pause = (*pause < TROVE_DRAIN_EPOCH) ? *pause : TROVE_DRAIN_EPOCH;

    } else if (n) {
        *pause = 0;
    }

    return TROVE_STORE_DONE;
}


/* Who flushes holds the marks for a time, and who writes holds the ledger. */

static int
trove_drain_held(trove_drain_t *d, trove_store_rc_t rc, uint32_t *n)
{
    if (rc != TROVE_STORE_BUSY
        || trove_client_stopped(&d->client)
        || ++*n > TROVE_DRAIN_BUSY)
    {
        return 0;
    }

    trove_client_sleep(&d->client, 1000000);

    return !trove_client_stopped(&d->client);
}


/*
 * What is another one when there may be room where there was none: something
 * was removed, or a board's period has ended.  Never 0.
 */

static uint64_t
trove_drain_room(const trove_ledger_t *l)
{
    uint32_t             i;
    uint64_t             room, now;
    struct timespec      ts;
    trove_board_state_t  state;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;

    room = trove_ledger_version(l);

    for (i = 0; i < trove_ledger_boards(l); i++) {
        trove_board_state(l, i, 0, now, &state);

        room = (room ^ state.ends) * TROVE_DRAIN_PRIME;
        room = (room ^ state.rows) * TROVE_DRAIN_PRIME;
    }

    return room | (uint64_t) 1 << 63;
}


/* Tells of what was carried out, if that was last done so long ago. */

static void
trove_drain_moved(trove_drain_t *d, uint64_t ns)
{
    uint64_t  n, now;

    n = trove_stat_get(&d->overflow.stats.drained);
    now = trove_clock_ns();

    if (n != d->seen && now - d->moved >= ns) {
        d->seen = n;
        d->moved = now;
        trove_client_moved(&d->client);
    }
}


void
trove_drain_tell(trove_drain_t *d, trove_stats_t *s)
{
    uint64_t  n;

#define TROVE_DRAIN_TELL(figure, field)                                      \
    n = trove_stat_get(&d->overflow.stats.field);                            \
    trove_stats_add(s, figure, n - d->told.field);                           \
    d->told.field = n

    TROVE_DRAIN_TELL(overflow_drained, drained);
    TROVE_DRAIN_TELL(overflow_invalid, refused);
    TROVE_DRAIN_TELL(overflow_lost, lost);
}


uint64_t
trove_drain_pending(const trove_ledger_t *l)
{
    uint32_t  queue;
    uint64_t  n, mark, queued;

    n = 0;

    for (queue = 0; queue < trove_marks(l); queue++) {
        mark = trove_mark(l, queue);
        queued = trove_mark_queued(l, queue);
        n += (queued > mark) ? queued - mark : 0;
    }

    return n;
}
