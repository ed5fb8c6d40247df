
/*
 * What entries of the log and rows of a snapshot become in the ledger.
 */

#include <stdio.h>
#include <string.h>

#include "trove_follow_data.h"


static int trove_follow_versions(const trove_follow_entry_t *e,
    uint64_t *versions);
static int trove_follow_makes(const trove_redis_change_t *change);
static trove_store_rc_t trove_follow_change(trove_follow_t *f,
    const trove_redis_change_t *change);
static trove_rc_t trove_follow_attempt(trove_follow_t *f,
    const trove_redis_change_t *change, uint32_t board);
static trove_store_rc_t trove_follow_full(trove_follow_t *f,
    const trove_redis_change_t *change, uint32_t board);
static const char *trove_follow_what(trove_follow_t *f,
    const trove_redis_change_t *change);


/*
 * Who died within the entry has left some of its versions, which are not made
 * twice; rows are simply put again.
 */

trove_store_rc_t
trove_follow_apply(trove_follow_t *f, const trove_follow_entry_t *e,
    int *lost)
{
    uint64_t              version, versions, skip;
    trove_slice_t         text;
    trove_store_rc_t      rc;
    trove_redis_change_t  change;

    *lost = 0;

    if (!trove_follow_versions(e, &versions)) {
        f->distrust = 1;
        return trove_follow_foreign(f, "its log has an entry that is damaged");
    }

    version = f->loading ? f->version : trove_ledger_version(f->ledger);

    if (version < e->version || version - e->version > versions) {
        *lost = 1;
        return TROVE_STORE_DONE;
    }

    trove_replica_begun(f->ledger, e->mark);

    skip = version - e->version;
    text = e->changes;

    while (trove_redis_change(&text, &change) == TROVE_OK) {

        if (skip && trove_follow_makes(&change)) {
            skip--;
            continue;
        }

        rc = trove_follow_change(f, &change);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    if (f->loading) {
        f->version = e->version + versions;
        f->log = e->log;

    } else {
        trove_replica_applied(f->ledger, e->log);
    }

    trove_stat_add(&f->stats.entries, 1);

    return TROVE_STORE_DONE;
}


/* How many versions it makes; 0 is returned if it cannot be read. */

static int
trove_follow_versions(const trove_follow_entry_t *e, uint64_t *versions)
{
    trove_rc_t            rc;
    trove_slice_t         text;
    trove_redis_change_t  change;

    *versions = 0;
    text = e->changes;

    for ( ;; ) {
        rc = trove_redis_change(&text, &change);

        if (rc != TROVE_OK) {
            return rc == TROVE_NOTFOUND;
        }

        *versions += trove_follow_makes(&change);
    }
}


static int
trove_follow_makes(const trove_redis_change_t *change)
{
    return change->type == TROVE_REDIS_HAS_REWARD
           || change->type == TROVE_REDIS_NO_REWARD
           || change->type == TROVE_REDIS_LAST;
}


/* Of a board that other machines have and this one has not, nothing is kept. */

static trove_store_rc_t
trove_follow_change(trove_follow_t *f, const trove_redis_change_t *change)
{
    uint32_t                    board;
    const trove_board_conf_t   *conf;
    const trove_redis_score_t  *s;

    if (change->type != TROVE_REDIS_HAS_SCORE
        && change->type != TROVE_REDIS_NO_SCORE)
    {
        return trove_follow_row(f, change, TROVE_BOARD_NONE);
    }

    s = &change->u.score;
    board = trove_board_find(f->ledger, &s->board);

    if (board == TROVE_BOARD_NONE) {
        return TROVE_STORE_DONE;
    }

    conf = trove_board_conf(f->ledger, board);

    if (conf->reset != s->reset || conf->claims != s->claims) {
        return TROVE_STORE_DONE;
    }

    return trove_follow_row(f, change, board);
}


trove_store_rc_t
trove_follow_row(trove_follow_t *f, const trove_redis_change_t *change,
    uint32_t board)
{
    uint32_t    n;
    trove_rc_t  rc;

    n = 0;

    do {
        rc = trove_follow_attempt(f, change, board);
    } while (trove_follow_again(f, rc, &n));

    return (rc == TROVE_FULL)
           ? trove_follow_full(f, change, board)
           : trove_follow_done_with(f, rc, trove_follow_what(f, change));
}


/* Until nginx is started with more. */

static trove_store_rc_t
trove_follow_full(trove_follow_t *f, const trove_redis_change_t *change,
    uint32_t board)
{
    int                         n;
    const trove_board_conf_t   *b;
    const trove_ledger_conf_t  *conf;

    conf = trove_ledger_conf(f->ledger);

    n = snprintf(f->error, TROVE_STORE_ERROR,
                 "there is no room here for %s that others have: nginx is to "
                 "be started with more than \"",
                 trove_follow_what(f, change));

    if (board != TROVE_BOARD_NONE) {
        b = trove_board_conf(f->ledger, board);
        (void) snprintf(f->error + n, (size_t) (TROVE_STORE_ERROR - n),
                        "board %s rows=%u row=%u\"", b->name, b->rows,
                        b->row);

    } else if (change->type == TROVE_REDIS_HAS_REWARD) {
        (void) snprintf(f->error + n, (size_t) (TROVE_STORE_ERROR - n),
                        "capacity rewards=%u\"", conf->rewards);

    } else {
        (void) snprintf(f->error + n, (size_t) (TROVE_STORE_ERROR - n),
                        "capacity players=%u claims=%u\"", conf->players,
                        conf->claims);
    }

    return TROVE_STORE_FULL;
}


static trove_rc_t
trove_follow_attempt(trove_follow_t *f, const trove_redis_change_t *change,
    uint32_t board)
{
    trove_ledger_t           *l;
    const trove_board_row_t  *row;

    l = f->ledger;
    row = &change->u.score.row;

    switch (change->type) {

    case TROVE_REDIS_HAS_REWARD:
        return trove_replica_put(l, &change->u.reward.reward,
                                 change->u.reward.born);

    case TROVE_REDIS_NO_REWARD:
        return trove_replica_remove(l, change->u.id);

    case TROVE_REDIS_LAST:
        return trove_replica_last(l, change->u.id);

    case TROVE_REDIS_HAS_CLAIM:
        return f->redo ? trove_replica_claim(f->redo, &change->u.claim.player,
                                             &change->u.claim.claim)
                       : TROVE_FULL;

    case TROVE_REDIS_HAS_PLAYER:
        return f->redo ? trove_replica_player(f->redo,
                                              &change->u.player.player,
                                              &change->u.player.data)
                       : TROVE_FULL;

    case TROVE_REDIS_HAS_SCORE:
        return trove_replica_score(l, board, row);

    case TROVE_REDIS_NO_SCORE:
        return trove_replica_unscore(l, board, row->period, row->reached,
                                     &row->player);
    }

    return TROVE_OK;
}


static const char *
trove_follow_what(trove_follow_t *f, const trove_redis_change_t *change)
{
    switch (change->type) {

    case TROVE_REDIS_HAS_REWARD:
        return "a reward";

    case TROVE_REDIS_NO_REWARD:
        return "a removal";

    case TROVE_REDIS_LAST:
        return "the last of a stock";

    case TROVE_REDIS_HAS_CLAIM:
        return f->redo ? "a claim" : "a player";

    case TROVE_REDIS_HAS_PLAYER:
        return "a player";

    case TROVE_REDIS_HAS_SCORE:
    case TROVE_REDIS_NO_SCORE:
        return "a row of a board";
    }

    return "";
}


/* Each call has waited a millisecond in vain. */

int
trove_follow_again(trove_follow_t *f, trove_rc_t rc, uint32_t *n)
{
    return rc == TROVE_BUSY
           && ++*n < TROVE_FOLLOW_BUSY
           && !trove_client_stopped(&f->client);
}


trove_store_rc_t
trove_follow_done_with(trove_follow_t *f, trove_rc_t rc, const char *what)
{
    switch (rc) {

    case TROVE_OK:
        return TROVE_STORE_DONE;

    case TROVE_FULL:
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "there is no room here for what others have");
        return TROVE_STORE_FULL;

    case TROVE_BUSY:
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "the ledger is held by another process");
        return TROVE_STORE_BUSY;

    default:
        f->distrust = 1;
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "it has %s that no trove of this configuration can "
                        "have", what);
        return TROVE_STORE_FOREIGN;
    }
}
