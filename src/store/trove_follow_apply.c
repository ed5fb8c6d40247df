
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
static trove_store_rc_t trove_follow_scored(trove_follow_t *f,
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


static trove_store_rc_t
trove_follow_change(trove_follow_t *f, const trove_redis_change_t *change)
{
    uint32_t    n;
    trove_rc_t  rc;

    n = 0;

    switch (change->type) {

    case TROVE_REDIS_HAS_REWARD:
        return trove_follow_reward(f, &change->u.reward);

    case TROVE_REDIS_NO_REWARD:

        do {
            rc = trove_replica_remove(f->ledger, change->u.id);
        } while (trove_follow_again(f, rc, &n));

        return trove_follow_done_with(f, rc, "a removal");

    case TROVE_REDIS_LAST:

        do {
            rc = trove_replica_last(f->ledger, change->u.id);
        } while (trove_follow_again(f, rc, &n));

        return trove_follow_done_with(f, rc, "the last of a stock");

    case TROVE_REDIS_HAS_CLAIM:
        return trove_follow_claim(f, &change->u.claim);

    case TROVE_REDIS_HAS_PLAYER:
        return trove_follow_player(f, &change->u.player);

    case TROVE_REDIS_HAS_SCORE:
    case TROVE_REDIS_NO_SCORE:
        return trove_follow_scored(f, change);
    }

    return TROVE_STORE_DONE;
}


trove_store_rc_t
trove_follow_reward(trove_follow_t *f, const trove_redis_reward_t *r)
{
    uint32_t    n;
    trove_rc_t  rc;

    n = 0;

    do {
        rc = trove_replica_put(f->ledger, &r->reward, r->born);
    } while (trove_follow_again(f, rc, &n));

    return trove_follow_done_with(f, rc, "a reward");
}


trove_store_rc_t
trove_follow_player(trove_follow_t *f, const trove_redis_player_t *p)
{
    uint32_t    n;
    trove_rc_t  rc;

    if (f->redo == NULL) {
        return trove_follow_done_with(f, TROVE_FULL, "a player");
    }

    n = 0;

    do {
        rc = trove_replica_player(f->redo, &p->player, &p->data);
    } while (trove_follow_again(f, rc, &n));

    return trove_follow_done_with(f, rc, "a player");
}


trove_store_rc_t
trove_follow_claim(trove_follow_t *f, const trove_redis_claim_t *c)
{
    uint32_t    n;
    trove_rc_t  rc;

    if (f->redo == NULL) {
        return trove_follow_done_with(f, TROVE_FULL, "a player");
    }

    n = 0;

    do {
        rc = trove_replica_claim(f->redo, &c->player, &c->claim);
    } while (trove_follow_again(f, rc, &n));

    return trove_follow_done_with(f, rc, "a claim");
}


trove_store_rc_t
trove_follow_score(trove_follow_t *f, uint32_t board,
    const trove_board_row_t *row)
{
    uint32_t    n;
    trove_rc_t  rc;

    n = 0;

    do {
        rc = trove_replica_score(f->ledger, board, row);
    } while (trove_follow_again(f, rc, &n));

    return trove_follow_done_with(f, rc, "a row of a board");
}


/* Of a board that other machines have and this one has not, nothing is kept. */

static trove_store_rc_t
trove_follow_scored(trove_follow_t *f, const trove_redis_change_t *change)
{
    uint32_t                    board, n;
    trove_rc_t                  rc;
    const trove_board_conf_t   *conf;
    const trove_redis_score_t  *s;

    s = &change->u.score;
    board = trove_board_find(f->ledger, &s->board);

    if (board == TROVE_BOARD_NONE) {
        return TROVE_STORE_DONE;
    }

    conf = trove_board_conf(f->ledger, board);

    if (conf->reset != s->reset || conf->claims != s->claims) {
        return TROVE_STORE_DONE;
    }

    if (change->type == TROVE_REDIS_HAS_SCORE) {
        return trove_follow_score(f, board, &s->row);
    }

    n = 0;

    do {
        rc = trove_replica_unscore(f->ledger, board, s->row.period,
                                   s->row.reached, &s->row.player);
    } while (trove_follow_again(f, rc, &n));

    return trove_follow_done_with(f, rc, "a row of a board");
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
                        "there is no room here for %s that others have: "
                        "the \"capacity\", or the \"board\", is to be theirs",
                        what);
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
