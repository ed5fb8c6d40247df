
/*
 * A snapshot: all rows that there are.  They are read step by step while
 * others write; what they write meanwhile is carried out between the steps, so
 * that the log need not hold it all, and once nothing is left of it that was
 * written before the last step the ledger is what Redis had then.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trove_board_data.h"
#include "trove_follow_data.h"


/* What the rows of a key are; of a board: which, and in what period. */

typedef struct trove_follow_rows_s  trove_follow_rows_t;

typedef trove_store_rc_t (*trove_follow_row_pt)(trove_follow_t *f,
    const trove_slice_t *field, const trove_slice_t *value,
    const trove_follow_rows_t *rows);

struct trove_follow_rows_s {
    trove_follow_row_pt        row;
    uint32_t                   board;
    uint64_t                   period;
};


static trove_store_rc_t trove_follow_begin(trove_follow_t *f, uint64_t *now);
static trove_store_rc_t trove_follow_clock(trove_follow_t *f, uint64_t *now);
static trove_store_rc_t trove_follow_part(trove_follow_t *f, const char *part,
    trove_follow_row_pt row);
static trove_store_rc_t trove_follow_boards(trove_follow_t *f, uint64_t now);
static trove_store_rc_t trove_follow_board(trove_follow_t *f, uint32_t board,
    uint64_t period);
static trove_store_rc_t trove_follow_scan(trove_follow_t *f,
    const trove_follow_rows_t *rows);
static trove_store_rc_t trove_follow_rows(trove_follow_t *f,
    const redisReply *r, const trove_follow_rows_t *rows);
static trove_store_rc_t trove_follow_row_reward(trove_follow_t *f,
    const trove_slice_t *field, const trove_slice_t *value,
    const trove_follow_rows_t *rows);
static trove_store_rc_t trove_follow_row_player(trove_follow_t *f,
    const trove_slice_t *field, const trove_slice_t *value,
    const trove_follow_rows_t *rows);
static trove_store_rc_t trove_follow_row_claim(trove_follow_t *f,
    const trove_slice_t *field, const trove_slice_t *value,
    const trove_follow_rows_t *rows);
static trove_store_rc_t trove_follow_row_score(trove_follow_t *f,
    const trove_slice_t *field, const trove_slice_t *value,
    const trove_follow_rows_t *rows);
static trove_store_rc_t trove_follow_damaged(trove_follow_t *f,
    const char *what);
static trove_store_rc_t trove_follow_catch_up(trove_follow_t *f);
static trove_store_rc_t trove_follow_live(trove_follow_t *f);


trove_store_rc_t
trove_follow_load(trove_follow_t *f)
{
    uint64_t          now;
    trove_store_rc_t  rc;

    f->loading = 1;

    rc = trove_follow_begin(f, &now);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_part(f, ":rewards", trove_follow_row_reward);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_part(f, ":players", trove_follow_row_player);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_part(f, ":claims", trove_follow_row_claim);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_boards(f, now);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_live(f);
    }

    f->loading = 0;

    return rc;
}


/* Where the log stands before the first row is read. */

static trove_store_rc_t
trove_follow_begin(trove_follow_t *f, uint64_t *now)
{
    uint32_t            n;
    uint64_t            mark;
    trove_rc_t          brc;
    trove_store_rc_t    rc;
    trove_redis_meta_t  meta;

    mark = 0;
    rc = trove_follow_clock(f, now);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_meta(f, &meta);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_marks(f, meta.log, &mark);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    n = 0;

    do {
        brc = trove_replica_begin(f->ledger, meta.instance);
    } while (trove_follow_again(f, brc, &n));

    f->log = meta.log;
    f->version = meta.version;

    trove_replica_begun(f->ledger, mark);

    return trove_follow_done_with(f, brc, "");
}


/* Redis' own, by which periods end: ms of unix time. */

static trove_store_rc_t
trove_follow_clock(trove_follow_t *f, uint64_t *now)
{
    redisReply        *r;
    const char        *argv[1];
    trove_store_rc_t   rc;

    argv[0] = "TIME";

    rc = trove_follow_ask(f, &r, 1, argv);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    *now = 0;

    if (r && r->elements && r->element[0]->type == REDIS_REPLY_STRING) {
        *now = strtoull(r->element[0]->str, NULL, 10) * 1000;
    }

    if (r) {
        freeReplyObject(r);
    }

    return (*now) ? TROVE_STORE_DONE : trove_follow_damaged(f, "a clock");
}


static trove_store_rc_t
trove_follow_part(trove_follow_t *f, const char *part, trove_follow_row_pt row)
{
    trove_follow_rows_t  rows;

    rows.row = row;

    (void) trove_redis_key(f->rows, &f->trove, part);

    return trove_follow_scan(f, &rows);
}


/* The period that is under way, and if there is an end to it the one before. */

static trove_store_rc_t
trove_follow_boards(trove_follow_t *f, uint64_t now)
{
    uint32_t           board, reset;
    uint64_t           period;
    trove_store_rc_t   rc;

    rc = TROVE_STORE_DONE;

    for (board = 0;
         rc == TROVE_STORE_DONE && board < trove_ledger_boards(f->ledger);
         board++)
    {
        reset = trove_board_conf(f->ledger, board)->reset;
        period = trove_board_period(reset, now);

        if (period) {
            rc = trove_follow_board(f, board, period - 1);
        }

        if (rc == TROVE_STORE_DONE) {
            rc = trove_follow_board(f, board, period);
        }
    }

    return rc;
}


static trove_store_rc_t
trove_follow_board(trove_follow_t *f, uint32_t board, uint64_t period)
{
    trove_follow_rows_t  rows;

    rows.row = trove_follow_row_score;
    rows.board = board;
    rows.period = period;

    (void) trove_redis_board_key(f->rows, &f->trove,
                                 trove_board_conf(f->ledger, board), period);

    return trove_follow_scan(f, &rows);
}


static trove_store_rc_t
trove_follow_scan(trove_follow_t *f, const trove_follow_rows_t *rows)
{
    char               cursor[24], count[12];
    uint64_t           opens;
    redisReply        *r;
    const char        *argv[5];
    trove_store_rc_t   rc;

    opens = 0;
    (void) strcpy(cursor, "0");
    (void) snprintf(count, sizeof(count), "%u", TROVE_FOLLOW_SCAN);

    argv[0] = "HSCAN";
    argv[1] = f->rows;
    argv[2] = cursor;
    argv[3] = "COUNT";
    argv[4] = count;

    do {
        rc = trove_follow_ask(f, &r, 5, argv);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }

        if (r == NULL
            || r->elements != 2
            || r->element[0]->type != REDIS_REPLY_STRING
            || (size_t) r->element[0]->len >= sizeof(cursor)
            || r->element[1]->type != REDIS_REPLY_ARRAY)
        {
            rc = trove_follow_damaged(f, "a hash");

        } else if (strcmp(cursor, "0") != 0 && f->redis.opens != opens) {

            /* a cursor is of the process that has given it out */

            (void) snprintf(f->error, TROVE_STORE_ERROR,
                            "it has moved while it was loaded");
            rc = TROVE_STORE_BUSY;

        } else {
            opens = f->redis.opens;
            (void) strcpy(cursor, r->element[0]->str);
            rc = trove_follow_rows(f, r->element[1], rows);
        }

        if (r) {
            freeReplyObject(r);
        }

        if (rc == TROVE_STORE_DONE) {
            rc = trove_follow_catch_up(f);
        }

    } while (rc == TROVE_STORE_DONE && strcmp(cursor, "0") != 0);

    return rc;
}


static trove_store_rc_t
trove_follow_rows(trove_follow_t *f, const redisReply *r,
    const trove_follow_rows_t *rows)
{
    size_t             i;
    trove_slice_t      field, value;
    trove_store_rc_t   rc;

    rc = TROVE_STORE_DONE;

    for (i = 0; rc == TROVE_STORE_DONE && i + 1 < r->elements; i += 2) {

        if (r->element[i]->type != REDIS_REPLY_STRING
            || r->element[i + 1]->type != REDIS_REPLY_STRING)
        {
            return trove_follow_damaged(f, "a hash");
        }

        field.data = (unsigned char *) r->element[i]->str;
        field.len = r->element[i]->len;
        value.data = (unsigned char *) r->element[i + 1]->str;
        value.len = r->element[i + 1]->len;

        rc = rows->row(f, &field, &value, rows);
    }

    return rc;
}


static trove_store_rc_t
trove_follow_row_reward(trove_follow_t *f, const trove_slice_t *field,
    const trove_slice_t *value, const trove_follow_rows_t *rows)
{
    trove_redis_change_t  change;

    change.type = TROVE_REDIS_HAS_REWARD;

    return (trove_redis_reward_read(field, value, &change.u.reward) == TROVE_OK)
           ? trove_follow_row(f, &change, TROVE_BOARD_NONE)
           : trove_follow_damaged(f, "a reward");
}


static trove_store_rc_t
trove_follow_row_player(trove_follow_t *f, const trove_slice_t *field,
    const trove_slice_t *value, const trove_follow_rows_t *rows)
{
    trove_redis_change_t  change;

    change.type = TROVE_REDIS_HAS_PLAYER;

    return (trove_redis_player_read(field, value, &change.u.player) == TROVE_OK)
           ? trove_follow_row(f, &change, TROVE_BOARD_NONE)
           : trove_follow_damaged(f, "a player");
}


static trove_store_rc_t
trove_follow_row_claim(trove_follow_t *f, const trove_slice_t *field,
    const trove_slice_t *value, const trove_follow_rows_t *rows)
{
    trove_redis_change_t  change;

    change.type = TROVE_REDIS_HAS_CLAIM;

    return (trove_redis_claim_read(field, value, &change.u.claim) == TROVE_OK)
           ? trove_follow_row(f, &change, TROVE_BOARD_NONE)
           : trove_follow_damaged(f, "a claim");
}


static trove_store_rc_t
trove_follow_row_score(trove_follow_t *f, const trove_slice_t *field,
    const trove_slice_t *value, const trove_follow_rows_t *rows)
{
    trove_redis_change_t  change;

    memset(&change, 0, sizeof(change));
    change.type = TROVE_REDIS_HAS_SCORE;

    if (trove_redis_score_read(field, value, &change.u.score) != TROVE_OK) {
        return trove_follow_damaged(f, "a row of a board");
    }

    change.u.score.row.period = rows->period;

    return trove_follow_row(f, &change, rows->board);
}


static trove_store_rc_t
trove_follow_damaged(trove_follow_t *f, const char *what)
{
    (void) snprintf(f->error, TROVE_STORE_ERROR, "%s of it is damaged", what);

    return TROVE_STORE_FOREIGN;
}


/* All entries that there are. */

static trove_store_rc_t
trove_follow_catch_up(trove_follow_t *f)
{
    int               lost;
    size_t            n;
    trove_store_rc_t  rc;

    do {
        rc = trove_follow_entries(f, f->log, 0, &n, &lost);

        if (rc == TROVE_STORE_DONE && lost) {
            (void) snprintf(f->error, TROVE_STORE_ERROR,
                            "more was written while it was loaded than its "
                            "log holds");
            return TROVE_STORE_BUSY;
        }

    } while (rc == TROVE_STORE_DONE && n == TROVE_FOLLOW_ENTRIES);

    return rc;
}


static trove_store_rc_t
trove_follow_live(trove_follow_t *f)
{
    uint32_t            n;
    trove_rc_t          lrc;
    trove_store_rc_t    rc;
    trove_redis_meta_t  meta;

    rc = trove_follow_meta(f, &meta);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_catch_up(f);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (strcmp(meta.instance, trove_replica_instance(f->ledger)) != 0
        || f->log < meta.log)
    {
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "it has become another while it was loaded");
        return TROVE_STORE_BUSY;
    }

    n = 0;

    do {
        lrc = trove_replica_live(f->ledger, f->log, f->version);
    } while (trove_follow_again(f, lrc, &n));

    return trove_follow_done_with(f, lrc, "");
}
