
/*
 * A copy is written by the same steps as any ledger: a reward by an intent, a
 * player by a redo, a board's row by the board's intent.  What differs is that
 * versions and what a row says are known beforehand, so that who carries out a
 * dead one's step again leaves what this one would have left.
 *
 * "generation" is odd from before the first store that empties the ledger
 * until after the last that fills it: who reads looks at it before and after.
 */

#include <stdio.h>

#include "trove_board_data.h"
#include "trove_clock.h"
#include "trove_dirty.h"
#include "trove_elect.h"
#include "trove_replica.h"


static void trove_replica_stamp(trove_ledger_t *l, uint64_t version);
static trove_claim_row_t *trove_replica_find_claim(trove_ledger_t *l,
    uint32_t player, uint32_t reward, uint32_t *number);
static trove_rc_t trove_replica_give(trove_redo_t *r, uint32_t player,
    const trove_restore_claim_t *c, uint32_t number);
static trove_rc_t trove_replica_score_good(const trove_ledger_t *l,
    uint32_t board, const trove_board_row_t *row);


uint64_t
trove_replica_generation(const trove_ledger_t *l)
{
    return trove_acquire(&l->generation);
}


trove_replica_state_t
trove_replica_state(const trove_ledger_t *l)
{
    uint64_t  generation;

    generation = trove_acquire(&l->generation);

    if (generation == 0) {
        return TROVE_REPLICA_NEVER;
    }

    return (generation & 1) ? TROVE_REPLICA_LOADING : TROVE_REPLICA_LIVE;
}


int
trove_replica_whole(const trove_ledger_t *l, uint64_t generation)
{
    return trove_ledger_whole(l, generation);
}


int
trove_replica_loaded(const trove_ledger_t *l)
{
    return trove_acquire(&l->generation) >= 2;
}


uint64_t
trove_replica_log(const trove_ledger_t *l)
{
    return trove_acquire(&l->replica_log);
}


uint64_t
trove_replica_mark(const trove_ledger_t *l)
{
    return trove_acquire(&l->replica_mark);
}


uint64_t
trove_replica_seen(const trove_ledger_t *l)
{
    return trove_get(&l->replica_seen);
}


const char *
trove_replica_instance(const trove_ledger_t *l)
{
    return l->store;
}


int
trove_replica_elect(trove_ledger_t *l)
{
    return trove_take_over(l, &l->store_writer) != TROVE_ELECT_OTHER;
}


void
trove_replica_resign(trove_ledger_t *l)
{
    trove_resign(&l->store_writer);
}


trove_rc_t
trove_replica_begin(trove_ledger_t *l, const char *instance)
{
    uint32_t  i;

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    trove_release(&l->generation, trove_get(&l->generation) | 1);

    /* nothing is seen to be gone before */

    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("replica: begun");

    (void) snprintf(l->store, sizeof(l->store), "%s", instance);
    trove_set(&l->replica_log, 0);
    TROVE_FAULT("replica: named");

    trove_ledger_unlock(l);

    /* rows of boards have players, thus before these */

    for (i = 0; i < trove_ledger_boards(l); i++) {

        if (trove_board_lock(l, i) != TROVE_OK) {
            return TROVE_BUSY;
        }

        trove_board_reset(l, i);
        trove_board_unlock(l, i);
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    trove_ledger_clear(l);
    trove_ledger_unlock(l);

    return TROVE_OK;
}


trove_rc_t
trove_replica_live(trove_ledger_t *l, uint64_t log, uint64_t version)
{
    uint64_t  generation;

    generation = trove_get(&l->generation);

    if ((generation & 1) == 0) {
        return TROVE_INVALID;
    }

    if (trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    trove_replica_stamp(l, version);
    TROVE_FAULT("replica: stamped");

    trove_set(&l->loaded, version);
    trove_restore_version(l, version);
    TROVE_FAULT("replica: version");

    trove_set(&l->replica_log, log);
    trove_replica_saw(l);

    trove_release(&l->generation, generation + 1);
    TROVE_FAULT("replica: live");

    trove_ledger_unlock(l);

    return TROVE_OK;
}


/* All rows are of this version. */

static void
trove_replica_stamp(trove_ledger_t *l, uint64_t version)
{
    uint32_t             slot, used;
    trove_ledger_row_t  *row;

    used = trove_get(&l->used);

    for (slot = 0; slot < used; slot++) {
        row = trove_ledger_rowp(l, slot);

        trove_release(&row->state,
                      trove_row_state(version & TROVE_ROW_VERSION,
                                      trove_row_head(trove_get(&row->state))));
    }
}


void
trove_replica_begun(trove_ledger_t *l, uint64_t mark)
{
    trove_set(&l->replica_mark, mark);

    /* nothing of it is seen before */

    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("replica: marked");
}


void
trove_replica_applied(trove_ledger_t *l, uint64_t log)
{
    trove_release(&l->replica_log, log);
}


void
trove_replica_saw(trove_ledger_t *l)
{
    trove_set(&l->replica_seen, trove_clock_ns());
}


trove_rc_t
trove_replica_put(trove_ledger_t *l, const trove_reward_t *r, uint32_t born)
{
    return trove_ledger_put_born(l, r, born);
}


trove_rc_t
trove_replica_remove(trove_ledger_t *l, uint32_t id)
{
    uint64_t    version;
    trove_rc_t  rc;

    rc = trove_ledger_remove(l, id, &version);

    return (rc == TROVE_NOTFOUND) ? trove_replica_last(l, id) : rc;
}


trove_rc_t
trove_replica_last(trove_ledger_t *l, uint32_t id)
{
    uint32_t    slot;
    trove_rc_t  rc;

    rc = trove_ledger_find(l, id, &slot);

    if (rc == TROVE_BUSY || trove_ledger_lock(l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    trove_ledger_tick(l, (rc == TROVE_OK) ? slot : 0);
    trove_ledger_unlock(l);

    return TROVE_OK;
}


trove_rc_t
trove_replica_claim(trove_redo_t *r, const trove_slice_t *id,
    const trove_restore_claim_t *c)
{
    uint32_t            player, number, slot;
    uint64_t            hash;
    trove_rc_t          rc;
    trove_ledger_t     *l;
    trove_claim_row_t  *was;

    l = trove_redo_ledger(r);

    if (id->len == 0 || id->len > TROVE_PLAYER_MAX
        || c->reward == 0 || c->born == 0 || c->ordinal == 0)
    {
        return TROVE_INVALID;
    }

    if (l->at.conf.claims == 0) {
        return TROVE_FULL;
    }

    rc = trove_ledger_find(l, c->reward, &slot);

    if (rc == TROVE_BUSY) {
        return rc;
    }

    r->slot = (rc == TROVE_OK) ? slot : TROVE_LEDGER_NONE;

    hash = trove_player_hash(l, id);
    rc = trove_player_make(r, id, hash, &player);

    if (rc != TROVE_OK) {
        return rc;
    }

    was = trove_replica_find_claim(l, player, c->reward, &number);

    if (was == NULL || (int32_t) (c->born - was->born) > 0) {
        return trove_replica_give(r, player, c, number);
    }

    if (was->born == c->born) {
        trove_claim_top(l, r->slot, number);
    }

    return TROVE_OK;
}


/* The one claim that the player has of a reward of this id, or NULL. */

static trove_claim_row_t *
trove_replica_find_claim(trove_ledger_t *l, uint32_t player, uint32_t reward,
    uint32_t *number)
{
    uint32_t            at;
    uint64_t            hash;
    trove_index_t       index;
    trove_claim_row_t  *c;

    index = trove_claim_index(l);
    hash = trove_claim_hash(l, player, reward);
    at = trove_index_first(&index, hash);

    for ( ;; ) {
        *number = trove_index_next(&index, hash, &at);

        if (*number == TROVE_INDEX_NONE) {
            return NULL;
        }

        c = trove_ledger_claim(l, *number);

        if (c->player == player && c->reward == reward) {
            return c;
        }
    }
}


/* As a claim of that number, or as a new one. */

static trove_rc_t
trove_replica_give(trove_redo_t *r, uint32_t player,
    const trove_restore_claim_t *c, uint32_t number)
{
    uint32_t         latest;
    trove_rc_t       rc;
    trove_ledger_t  *l;

    l = trove_redo_ledger(r);

    if (number == TROVE_INDEX_NONE && trove_claim_number(r) != TROVE_OK) {
        return TROVE_FULL;
    }

    rc = trove_redo_own(r, player, &r->image);

    if (rc != TROVE_OK) {
        return rc;
    }

    latest = trove_record_claim(trove_get(&trove_ledger_record(l,
                                                             player)->state));

    r->gives = (number == TROVE_INDEX_NONE) ? r->claim : number + 1;
    r->latest = (number == TROVE_INDEX_NONE) ? r->claim : latest;

    r->given.player = player;
    r->given.reward = c->reward;
    r->given.born = c->born;
    r->given.ordinal = c->ordinal;
    r->given.prev = (number == TROVE_INDEX_NONE)
                    ? latest : trove_ledger_claim(l, number)->prev;
    r->given.value = c->value;
    r->given.balance = c->balance;
    trove_set(&r->given.at, c->at << 1);

    trove_redo_note(r, TROVE_REDO_GIVEN);
    trove_redo_finish(r, TROVE_REDO_GIVEN);

    if (number == TROVE_INDEX_NONE) {
        r->claim = 0;
        TROVE_FAULT("replica: given spent");
    }

    return TROVE_OK;
}


trove_rc_t
trove_replica_player(trove_redo_t *r, const trove_slice_t *id,
    const trove_player_t *p)
{
    uint32_t              player;
    trove_rc_t            rc;
    trove_ledger_t       *l;
    trove_record_data_t  *image;

    l = trove_redo_ledger(r);

    if (id->len == 0 || id->len > TROVE_PLAYER_MAX) {
        return TROVE_INVALID;
    }

    rc = trove_player_make(r, id, trove_player_hash(l, id), &player);

    if (rc == TROVE_OK) {
        rc = trove_redo_own(r, player, &r->image);
    }

    if (rc != TROVE_OK) {
        return rc;
    }

    image = &r->image;

    image->balance = p->balance;
    image->seq = p->seq;
    image->paced = p->paced;
    image->x = p->x;
    image->y = p->y;
    image->moved = p->moved;
    image->coin = p->coin;
    image->coin_value = p->coin_value;

    r->latest = trove_record_claim(trove_get(&trove_ledger_record(l,
                                                             player)->state));

    trove_redo_note(r, TROVE_REDO_TAP);
    trove_redo_finish(r, TROVE_REDO_TAP);

    return TROVE_OK;
}


trove_rc_t
trove_replica_score(trove_ledger_t *l, uint32_t board,
    const trove_board_row_t *row)
{
    uint32_t    player;
    trove_rc_t  rc;

    rc = trove_replica_score_good(l, board, row);

    if (rc != TROVE_OK) {
        return rc;
    }

    player = 0;

    if (trove_board_conf(l, board)->claims && l->at.conf.players != 0) {
        player = trove_player_find(l, &row->player,
                                   trove_player_hash(l, &row->player)) + 1;
    }

    if (trove_board_lock(l, board) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_board_place(l, board, row, player);

    trove_board_unlock(l, board);

    return rc;
}


static trove_rc_t
trove_replica_score_good(const trove_ledger_t *l, uint32_t board,
    const trove_board_row_t *row)
{
    const trove_board_conf_t  *conf;

    conf = trove_board_conf(l, board);

    return (row->player.len == 0
            || row->player.len > TROVE_PLAYER_MAX
            || row->score > TROVE_BOARD_SCORE_MAX
            || row->score < -TROVE_BOARD_SCORE_MAX
            || row->data.len > conf->row - TROVE_BOARD_HEAD
            || (conf->reset == TROVE_BOARD_NEVER && row->period != 0))
           ? TROVE_INVALID : TROVE_OK;
}


trove_rc_t
trove_replica_unscore(trove_ledger_t *l, uint32_t board, uint64_t period,
    uint64_t reached, const trove_slice_t *player)
{
    trove_rc_t  rc;

    if (player->len == 0 || player->len > TROVE_PLAYER_MAX) {
        return TROVE_INVALID;
    }

    if (trove_board_lock(l, board) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_board_displace(l, board, period, reached, player);

    trove_board_unlock(l, board);

    return rc;
}
