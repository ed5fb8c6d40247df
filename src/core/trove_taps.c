
/*
 * Taps, and their rate: by the generic cell rate algorithm.  A record's
 * "paced" is when the next tap would be due if they came evenly; one may come
 * before by as much as "burst" intervals.
 */

#include "trove_ledger_data.h"
#include "trove_taps.h"


/* So far ahead of time, in microseconds, is as good as no rate. */
#define TROVE_TAP_EARLY  ((uint64_t) 1 << 62)

/* So much may the clocks of two workers differ. */
#define TROVE_TAP_SLACK  1000000


static trove_rc_t trove_tap_hashed(trove_redo_t *r,
    const trove_tap_request_t *q, uint64_t hash, trove_tap_t *t);
static trove_tap_result_t trove_tap_judge(const trove_tap_request_t *q,
    trove_record_data_t *data, trove_tap_t *t);
static int trove_tap_pace(const trove_tap_request_t *q,
    trove_record_data_t *data, trove_tap_t *t);


trove_rc_t
trove_tap(trove_redo_t *r, const trove_tap_request_t *q, trove_tap_t *t)
{
    trove_rc_t  rc;

    trove_tap_all(r, q, t, &rc, 1);

    return rc;
}


void
trove_tap_all(trove_redo_t *r, const trove_tap_request_t *q, trove_tap_t *t,
    trove_rc_t *rc, uint32_t n)
{
    uint32_t         i, some;
    uint64_t         hash[TROVE_FETCH];
    trove_ledger_t  *l;

    l = trove_redo_ledger(r);

    for ( /* void */ ; n != 0; n -= some) {
        some = (n < TROVE_FETCH) ? n : TROVE_FETCH;

        for (i = 0; i < some; i++) {
            hash[i] = trove_player_hash(l, &q[i].player);
            trove_player_fetch_cell(l, hash[i]);
        }

        for (i = 0; i < some; i++) {
            trove_player_fetch(l, hash[i]);
        }

        for (i = 0; i < some; i++) {
            rc[i] = trove_tap_hashed(r, &q[i], hash[i], &t[i]);
        }

        q += some;
        t += some;
        rc += some;
    }
}


static trove_rc_t
trove_tap_hashed(trove_redo_t *r, const trove_tap_request_t *q, uint64_t hash,
    trove_tap_t *t)
{
    uint32_t             player;
    trove_rc_t           rc;
    trove_record_t      *record;
    trove_ledger_t      *l;
    trove_record_data_t  data;

    memset(t, 0, sizeof(trove_tap_t));

    if (q->player.len == 0 || q->player.len > TROVE_PLAYER_MAX) {
        return TROVE_INVALID;
    }

    l = trove_redo_ledger(r);

    rc = trove_player_make(r, &q->player, hash, &player);

    if (rc != TROVE_OK) {
        return rc;
    }

    rc = trove_redo_own(r, player, &data);

    if (rc != TROVE_OK) {
        return rc;
    }

    t->result = trove_tap_judge(q, &data, t);
    t->balance = data.balance;

    if (t->result != TROVE_TAP_GRANTED) {
        trove_redo_let_go(r);
        return TROVE_OK;
    }

    record = trove_ledger_record(l, player);

    r->image = data;
    r->latest = trove_record_claim(trove_get(&record->state));

    trove_redo_note(r, TROVE_REDO_TAP);
    trove_redo_finish(r, TROVE_REDO_TAP);

    return TROVE_OK;
}


/* Of a tap that is granted, "data" is what it makes of the record. */

static trove_tap_result_t
trove_tap_judge(const trove_tap_request_t *q, trove_record_data_t *data,
    trove_tap_t *t)
{
    if (q->seq != 0 && q->seq == data->seq) {
        t->coin = data->coin;
        t->value = data->coin_value;
        return TROVE_TAP_REPEAT;
    }

    if (q->seq != 0 && q->seq < data->seq) {
        return TROVE_TAP_STALE;
    }

    if (!trove_tap_pace(q, data, t)) {
        return TROVE_TAP_LIMITED;
    }

    data->balance = trove_balance(data->balance, q->value);

    /* one without a seq cannot be asked for again, the one before it can */

    if (q->seq != 0) {
        data->seq = q->seq;
        data->coin = q->coin;
        data->coin_value = q->value;
    }

    t->coin = q->coin;
    t->value = q->value;

    return TROVE_TAP_GRANTED;
}


static int
trove_tap_pace(const trove_tap_request_t *q, trove_record_data_t *data,
    trove_tap_t *t)
{
    uint64_t  due, early;

    if (q->interval == 0) {
        return 1;
    }

    if (__builtin_mul_overflow(q->interval, (uint64_t) q->burst, &early)
        || early > TROVE_TAP_EARLY)
    {
        early = TROVE_TAP_EARLY;
    }

    due = (data->paced > q->now) ? data->paced : q->now;

    /* no tap leads that far: the clock, or the rate, was another one */

    if (due - q->now > early + q->interval + TROVE_TAP_SLACK) {
        due = q->now + early;
    }

    if (due - q->now > early) {
        t->wait = due - q->now - early;
        return 0;
    }

    data->paced = due + q->interval;

    return 1;
}
