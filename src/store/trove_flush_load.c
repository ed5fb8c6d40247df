
/*
 * A store and a ledger are brought together: the ledger is filled from it, or
 * what the store lacks is dirty again.
 */

#include <stdio.h>
#include <string.h>

#include "trove_alloc.h"
#include "trove_board_data.h"
#include "trove_clock.h"
#include "trove_dirty.h"
#include "trove_flush_data.h"
#include "trove_mark.h"


typedef struct {
    trove_ledger_t  *ledger;
    uint32_t        *taken;             /* by slot, as it is stored          */
    uint32_t         board;             /* whose scores come                 */
} trove_flush_loading_t;


static trove_store_rc_t trove_flush_match(trove_flush_t *f);
static void trove_flush_all(trove_ledger_t *l);
static void trove_flush_all_boards(trove_ledger_t *l);
static trove_rc_t trove_flush_load_mark(void *data,
    const trove_slice_t *queue, uint64_t number);
static trove_rc_t trove_flush_load_reward(void *data,
    const trove_store_reward_t *r);
static trove_rc_t trove_flush_load_player(void *data,
    const trove_store_player_t *p);
static trove_rc_t trove_flush_load_claim(void *data,
    const trove_store_claim_t *c);
static trove_rc_t trove_flush_load_period(void *data,
    const trove_store_period_t *p);
static trove_rc_t trove_flush_load_score(void *data,
    const trove_store_score_t *r);
static void trove_flush_taken(trove_ledger_t *l, const uint32_t *taken);


trove_store_rc_t
trove_flush_open(trove_flush_t *f)
{
    trove_store_rc_t   rc;
    trove_ledger_t    *l;

    l = f->ledger;
    f->conf.instance = l->store[0] ? l->store : NULL;

    rc = trove_store_open(f->kind, &f->conf, &f->store);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (l->store[0] == '\0') {
        (void) snprintf(l->store, sizeof(l->store), "%s",
                        f->store->info.instance);
    }

    return trove_flush_match(f);
}


/*
 * The store may be one commit ahead, if who made it died before he noted it
 * or was told that it failed.  One that is behind goes on with the numbers
 * where the ledger is, so that none of a ledger's life comes twice.
 */

static trove_store_rc_t
trove_flush_match(trove_flush_t *f)
{
    uint64_t         known, stored;
    trove_ledger_t  *l;

    l = f->ledger;
    known = trove_get(&l->store_flush);
    stored = f->store->info.flush;

    if (stored > known + 1) {
        (void) snprintf(f->error, sizeof(f->error),
                        "\"%s\" is ahead of its ledger: it has %llu commits, "
                        "the ledger knows of %llu",
                        f->conf.path, (unsigned long long) stored,
                        (unsigned long long) known);

        trove_stat_add(&f->stats.failures[TROVE_STORE_FOREIGN], 1);
        return TROVE_STORE_FOREIGN;
    }

    if (stored < known) {
        trove_flush_all(l);
        f->store->info.flush = known;
        return TROVE_STORE_DONE;
    }

    trove_release(&l->store_flush, stored);

    return TROVE_STORE_DONE;
}


/* The store has lost what it had, or never had it: all is dirty. */

static void
trove_flush_all(trove_ledger_t *l)
{
    uint32_t              n, used;
    trove_slice_t         id;
    const trove_name_t   *name;

    used = trove_ledger_slots(l);

    for (n = 0; n < used; n++) {
        trove_dirty_set(l, TROVE_DIRTY_REWARDS, n);
    }

    for (n = 0; n < trove_get(&l->players); n++) {
        name = trove_ledger_name(l, n);

        id.data = name->id;
        id.len = name->len;

        /* a number may be nobody's yet, whatever its name */

        if (id.len != 0
            && id.len <= TROVE_PLAYER_MAX
            && trove_player_find(l, &id, trove_player_hash(l, &id)) == n)
        {
            trove_set(&trove_ledger_name(l, n)->stored, 0);
            trove_dirty_set(l, TROVE_DIRTY_PLAYERS, n);
        }
    }

    trove_flush_all_boards(l);
    trove_mark_lost(l);
}


static void
trove_flush_all_boards(trove_ledger_t *l)
{
    uint32_t  board, n, table, used;

    for (board = 0; board < trove_ledger_boards(l); board++) {

        if (trove_board_conf(l, board)->claims) {
            continue;
        }

        for (table = 0; table < trove_board_tables(l, board); table++) {
            used = trove_get(&trove_board_of(l, board)->table[table].used);

            for (n = 0; n < used; n++) {
                trove_dirty_set(l, trove_dirty_board(board, table), n);
            }
        }
    }
}


trove_store_rc_t
trove_flush_meet(trove_flush_t *f)
{
    trove_store_rc_t  rc;

    rc = trove_flush_open(f);

    trove_store_close(f->store);
    f->store = NULL;

    return rc;
}


trove_store_rc_t
trove_flush_load(trove_flush_t *f)
{
    trove_ledger_t        *l;
    trove_store_rc_t       rc;
    trove_store_load_t     to;
    trove_flush_loading_t  loading;

    l = f->ledger;
    l->store[0] = '\0';
    f->conf.instance = NULL;

    loading.ledger = l;
    loading.taken = trove_alloc(l->at.conf.rewards * sizeof(uint32_t));

    if (loading.taken == NULL) {
        (void) snprintf(f->error, sizeof(f->error), "no memory");
        return TROVE_STORE_NOMEM;
    }

    memset(&to, 0, sizeof(to));
    to.data = &loading;
    to.reward = trove_flush_load_reward;
    to.player = trove_flush_load_player;
    to.claim = trove_flush_load_claim;
    to.period = trove_flush_load_period;
    to.score = trove_flush_load_score;
    to.mark = trove_flush_load_mark;

    rc = trove_store_open(f->kind, &f->conf, &f->store);

    if (rc == TROVE_STORE_DONE) {
        trove_restore_version(l, f->store->info.version);
        rc = trove_store_load(f->store, &to);
    }

    if (rc == TROVE_STORE_DONE) {
        trove_restore_end(l);
        trove_flush_taken(l, loading.taken);

        (void) snprintf(l->store, sizeof(l->store), "%s",
                        f->store->info.instance);
        trove_set(&l->store_flush, f->store->info.flush);
        trove_set(&l->flush_from, trove_clock_ns());
    }

    trove_store_close(f->store);
    trove_free(loading.taken);
    f->store = NULL;

    return rc;
}


/* That of a board which is none now stays as it is, for it may come back. */

static trove_rc_t
trove_flush_load_mark(void *data, const trove_slice_t *queue, uint64_t number)
{
    trove_flush_loading_t  *loading = data;

    uint32_t  n;

    if (queue->len == 0) {
        trove_mark_restore_whose(loading->ledger, number);
        return TROVE_OK;
    }

    n = trove_mark_find(loading->ledger, queue);

    if (n != TROVE_MARK_NONE) {
        trove_mark_restore(loading->ledger, n, number);
    }

    return TROVE_OK;
}


static trove_rc_t
trove_flush_load_reward(void *data, const trove_store_reward_t *r)
{
    trove_flush_loading_t  *loading = data;

    if (r->slot != trove_ledger_slots(loading->ledger)) {
        return TROVE_INVALID;
    }

    if (r->slot >= loading->ledger->at.conf.rewards) {
        return TROVE_FULL;
    }

    loading->taken[r->slot] = r->reward.taken;

    return trove_restore_reward(loading->ledger, &r->reward, r->born);
}


static trove_rc_t
trove_flush_load_player(void *data, const trove_store_player_t *p)
{
    trove_flush_loading_t  *loading = data;

    return trove_restore_player(loading->ledger, p->number, &p->id, &p->data);
}


static trove_rc_t
trove_flush_load_claim(void *data, const trove_store_claim_t *c)
{
    trove_flush_loading_t  *loading = data;

    return trove_restore_claim(loading->ledger, c);
}


/*
 * What no board of this name and kind is there for stays in the store, and
 * what is over that long that nobody can see it.
 */

static trove_rc_t
trove_flush_load_period(void *data, const trove_store_period_t *p)
{
    trove_flush_loading_t  *loading = data;

    trove_ledger_t            *l;
    const trove_board_conf_t  *conf;

    l = loading->ledger;
    loading->board = trove_board_find(l, &p->board);

    if (loading->board == TROVE_BOARD_NONE) {
        return TROVE_NOTFOUND;
    }

    conf = trove_board_conf(l, loading->board);

    if (conf->reset != p->reset || conf->claims != p->claims
        || trove_flush_passed(l, loading->board, p->period))
    {
        return TROVE_NOTFOUND;
    }

    return (p->rows > conf->rows && !conf->claims) ? TROVE_FULL : TROVE_OK;
}


static trove_rc_t
trove_flush_load_score(void *data, const trove_store_score_t *r)
{
    trove_flush_loading_t  *loading = data;

    trove_board_row_t  row;

    memset(&row, 0, sizeof(row));

    row.player = r->player;
    row.data = r->data;
    row.score = r->score;
    row.seq = r->seq;
    row.reached = r->reached;
    row.period = r->period;

    return trove_restore_score(loading->ledger, loading->board, r->row, &row);
}


/* Claims that were lost are taken back; the store is to show it. */

static void
trove_flush_taken(trove_ledger_t *l, const uint32_t *taken)
{
    uint32_t        slot;
    trove_reward_t  r;

    for (slot = 0; slot < trove_ledger_slots(l); slot++) {

        if (trove_ledger_row(l, slot, &r) == TROVE_OK
            && r.taken != taken[slot])
        {
            trove_dirty_set(l, TROVE_DIRTY_REWARDS, slot);
        }
    }
}
