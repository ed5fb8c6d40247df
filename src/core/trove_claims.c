
/*
 * A claim takes no lock.  Its player's record is owned meanwhile, so that the
 * claims of one player come one after the other; those of different players
 * meet only at the reward's row, where the one is decided whose
 * compare-and-swap of { seq, head } succeeds first:
 *
 *   row { seq, head } --> claim { ordinal 3 } --(its reward's one before)
 *                           | prev
 *                           v
 *                         the player's claim before
 *
 * A claim is written in whole before that, and everything else that it changes
 * is computed by then and noted in the redo; see trove_redo.c.  The number of
 * taken ones is the ordinal of the head, so it changes together with it.
 */

#include "trove_claims.h"
#include "trove_credits.h"
#include "trove_ledger_data.h"
#include "trove_space.h"


typedef struct {
    trove_ledger_t               *l;
    trove_redo_t                 *redo;
    const trove_claim_rules_t    *rules;
    const trove_claim_request_t  *q;
    trove_claim_t                *c;
    uint32_t                      player;
    uint32_t                      slot;
    trove_ledger_copy_t           row;
    trove_record_data_t           data;     /* of the player                 */
} trove_claiming_t;


static void trove_claim_fetch(trove_ledger_t *l,
    const trove_claim_request_t *q, uint64_t *hash, uint32_t n);
static trove_rc_t trove_claim_hashed(trove_redo_t *r,
    const trove_claim_rules_t *rules, const trove_claim_request_t *q,
    uint64_t hash, trove_claim_t *c);
static trove_rc_t trove_claim_newcomer(trove_claiming_t *w, uint64_t hash);
static trove_rc_t trove_claim_owned(trove_claiming_t *w);
static trove_rc_t trove_claim_row(trove_claiming_t *w);
static void trove_claim_unknown(trove_claiming_t *w);
static const trove_claim_row_t *trove_claim_find(const trove_claiming_t *w);
static const trove_claim_row_t *trove_claim_latest(const trove_claiming_t *w);
static void trove_claim_repeat(trove_claiming_t *w,
    const trove_claim_row_t *claim);
static uint64_t trove_claim_asked(const trove_claiming_t *w);
static trove_claim_result_t trove_claim_judge(trove_claiming_t *w);
static int trove_claim_far(const trove_claiming_t *w);
static int trove_claim_fast(const trove_claiming_t *w);
static trove_rc_t trove_claim_credits(trove_claiming_t *w);
static trove_rc_t trove_claim_room(trove_claiming_t *w);
static void trove_claim_fill(trove_claiming_t *w);
static int trove_claim_decided(trove_claiming_t *w);


trove_rc_t
trove_claim(trove_redo_t *r, const trove_claim_rules_t *rules,
    const trove_claim_request_t *q, trove_claim_t *c)
{
    trove_rc_t  rc;

    trove_claim_all(r, rules, q, c, &rc, 1);

    return rc;
}


void
trove_claim_all(trove_redo_t *r, const trove_claim_rules_t *rules,
    const trove_claim_request_t *q, trove_claim_t *c, trove_rc_t *rc,
    uint32_t n)
{
    uint32_t  i, some;
    uint64_t  hash[TROVE_FETCH];

    for ( /* void */ ; n != 0; n -= some) {
        some = (n < TROVE_FETCH) ? n : TROVE_FETCH;

        trove_claim_fetch(trove_redo_ledger(r), q, hash, some);

        for (i = 0; i < some; i++) {
            rc[i] = trove_claim_hashed(r, rules, &q[i], hash[i], &c[i]);
        }

        q += some;
        c += some;
        rc += some;
    }
}


static void
trove_claim_fetch(trove_ledger_t *l, const trove_claim_request_t *q,
    uint64_t *hash, uint32_t n)
{
    uint32_t       i, player, slot[TROVE_FETCH];
    trove_index_t  index;

    index = trove_claim_index(l);

    for (i = 0; i < n; i++) {
        hash[i] = trove_player_hash(l, &q[i].player);
        trove_player_fetch_cell(l, hash[i]);
        trove_ledger_fetch_cell(l, q[i].reward);
    }

    for (i = 0; i < n; i++) {
        slot[i] = trove_ledger_fetch_row(l, q[i].reward);
        player = trove_player_likely(l, hash[i]);

        if (player != TROVE_LEDGER_NONE && index.n != 0) {
            trove_player_fetch_number(l, player);
            __builtin_prefetch(&index.cells[trove_index_first(&index,
                                trove_claim_hash(l, player, q[i].reward))],
                               1);
        }
    }

    for (i = 0; i < n; i++) {

        if (slot[i] != TROVE_LEDGER_NONE) {
            trove_ledger_fetch_head(l, slot[i]);
        }
    }
}


static trove_rc_t
trove_claim_hashed(trove_redo_t *r, const trove_claim_rules_t *rules,
    const trove_claim_request_t *q, uint64_t hash, trove_claim_t *c)
{
    trove_rc_t        rc;
    trove_claiming_t  w;

    memset(c, 0, sizeof(trove_claim_t));

    if (q->player.len == 0 || q->player.len > TROVE_PLAYER_MAX) {
        return TROVE_INVALID;
    }

    w.l = trove_redo_ledger(r);
    w.redo = r;
    w.rules = rules;
    w.q = q;
    w.c = c;

    if (w.l->at.conf.claims == 0) {
        return TROVE_FULL;
    }

    w.player = trove_player_find(w.l, &q->player, hash);

    if (w.player == TROVE_LEDGER_NONE) {
        rc = trove_claim_newcomer(&w, hash);

        if (rc != TROVE_AGAIN) {
            return rc;
        }
    }

    rc = trove_redo_own(r, w.player, &w.data);

    if (rc != TROVE_OK) {
        return rc;
    }

    rc = trove_claim_owned(&w);

    if (rc == TROVE_AGAIN) {
        return TROVE_OK;
    }

    trove_redo_let_go(r);
    c->version = trove_ledger_version(w.l);

    return rc;
}


/* TROVE_AGAIN: the claim would be granted, and the player there is now. */

static trove_rc_t
trove_claim_newcomer(trove_claiming_t *w, uint64_t hash)
{
    trove_rc_t  rc;

    memset(&w->data, 0, sizeof(w->data));

    rc = trove_claim_row(w);

    if (rc == TROVE_OK) {
        w->c->result = trove_claim_judge(w);

    } else if (rc == TROVE_NOTFOUND) {
        w->c->result = TROVE_CLAIM_UNKNOWN;

    } else {
        return rc;
    }

    if (w->c->result != TROVE_CLAIM_GRANTED) {
        w->c->version = trove_ledger_version(w->l);
        return TROVE_OK;
    }

    rc = trove_claim_number(w->redo);

    if (rc == TROVE_OK) {
        rc = trove_claim_room(w);
    }

    if (rc == TROVE_OK) {
        rc = trove_player_make(w->redo, &w->q->player, hash, &w->player);
    }

    return (rc == TROVE_OK) ? TROVE_AGAIN : rc;
}


/* TROVE_AGAIN: it was granted, and the player is let go. */

static trove_rc_t
trove_claim_owned(trove_claiming_t *w)
{
    trove_rc_t                rc;
    const trove_claim_row_t  *before;

    for ( ;; ) {
        rc = trove_claim_row(w);

        if (rc == TROVE_NOTFOUND) {
            trove_claim_unknown(w);
            return TROVE_OK;
        }

        if (rc != TROVE_OK) {
            return rc;
        }

        before = trove_claim_find(w);

        if (before != NULL) {
            trove_claim_repeat(w, before);
            return TROVE_OK;
        }

        w->c->result = trove_claim_judge(w);

        if (w->c->result != TROVE_CLAIM_GRANTED) {
            return TROVE_OK;
        }

        if (trove_claim_number(w->redo) != TROVE_OK) {
            return TROVE_FULL;
        }

        rc = trove_claim_credits(w);

        if (rc != TROVE_OK) {
            return rc;
        }

        trove_claim_fill(w);
        trove_redo_note(w->redo, TROVE_REDO_CLAIM);

        if (trove_claim_decided(w)) {
            break;
        }

        trove_redo_forget(w->redo);
        trove_credits_unlock(w->l);
    }

    trove_redo_finish(w->redo, TROVE_REDO_CLAIM);
    trove_credits_unlock(w->l);
    w->redo->claim = 0;

    w->c->value = w->row.reward.value;
    w->c->balance = w->redo->image.balance;
    w->c->last = w->redo->last;
    w->c->version = trove_ledger_version(w->l);

    return TROVE_AGAIN;
}


/* The reward as it is at this moment: TROVE_OK, TROVE_NOTFOUND, TROVE_BUSY. */

static trove_rc_t
trove_claim_row(trove_claiming_t *w)
{
    int         n;
    trove_rc_t  rc;

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {
        rc = trove_ledger_find(w->l, w->q->reward, &w->slot);

        if (rc != TROVE_OK) {
            return rc;
        }

        rc = trove_ledger_read(w->l, w->slot, &w->row);

        if (rc != TROVE_OK || w->row.reward.id == w->q->reward) {
            return rc;
        }
    }

    return TROVE_BUSY;
}


/* There is no such reward, but there may have been. */

static void
trove_claim_unknown(trove_claiming_t *w)
{
    const trove_claim_row_t  *before;

    before = trove_claim_latest(w);

    if (before == NULL) {
        w->c->result = TROVE_CLAIM_UNKNOWN;
        return;
    }

    trove_claim_repeat(w, before);
}


/* The player's claim of this very reward, or NULL. */

static const trove_claim_row_t *
trove_claim_find(const trove_claiming_t *w)
{
    uint32_t                  at, n;
    uint64_t                  hash;
    trove_index_t             index;
    const trove_claim_row_t  *c;

    index = trove_claim_index(w->l);
    hash = trove_claim_hash(w->l, w->player, w->q->reward);
    at = trove_index_first(&index, hash);

    for ( ;; ) {
        n = trove_index_next(&index, hash, &at);

        if (n == TROVE_INDEX_NONE) {
            return NULL;
        }

        c = trove_ledger_claim(w->l, n);

        if (c->player == w->player && c->reward == w->q->reward
            && c->born == w->row.born)
        {
            return c;
        }
    }
}


/* That of the latest reward of this id, or NULL. */

static const trove_claim_row_t *
trove_claim_latest(const trove_claiming_t *w)
{
    uint32_t                  at, n;
    uint64_t                  hash;
    trove_index_t             index;
    const trove_claim_row_t  *c, *latest;

    index = trove_claim_index(w->l);
    hash = trove_claim_hash(w->l, w->player, w->q->reward);
    at = trove_index_first(&index, hash);
    latest = NULL;

    for ( ;; ) {
        n = trove_index_next(&index, hash, &at);

        if (n == TROVE_INDEX_NONE) {
            return latest;
        }

        c = trove_ledger_claim(w->l, n);

        if (c->player == w->player && c->reward == w->q->reward
            && (latest == NULL || (int32_t) (c->born - latest->born) > 0))
        {
            latest = c;
        }
    }
}


static void
trove_claim_repeat(trove_claiming_t *w, const trove_claim_row_t *claim)
{
    w->c->result = TROVE_CLAIM_REPEAT;
    w->c->flouts = TROVE_CLAIM_GRANTED;
    w->c->value = claim->value;
    w->c->balance = claim->balance;
}


static uint64_t
trove_claim_asked(const trove_claiming_t *w)
{
    return w->q->asked ? w->q->asked : w->q->now;
}


static trove_claim_result_t
trove_claim_judge(trove_claiming_t *w)
{
    uint64_t               now;
    const trove_reward_t  *r;

    r = &w->row.reward;
    now = trove_claim_asked(w) / 1000;
    w->c->flouts = TROVE_CLAIM_GRANTED;

    if (r->starts > now) {
        return TROVE_CLAIM_EARLY;
    }

    if (r->expires != 0 && r->expires <= now) {
        return TROVE_CLAIM_EXPIRED;
    }

    if (r->level > w->q->level) {
        return TROVE_CLAIM_LEVEL;
    }

    if (trove_claim_far(w)) {
        w->c->flouts = TROVE_CLAIM_FAR;

    } else if (trove_claim_fast(w)) {
        w->c->flouts = TROVE_CLAIM_FAST;
    }

    if (w->c->flouts != TROVE_CLAIM_GRANTED && !w->rules->dry_run) {
        return w->c->flouts;
    }

    return (r->taken >= r->stock) ? TROVE_CLAIM_GONE : TROVE_CLAIM_GRANTED;
}


static int
trove_claim_far(const trove_claiming_t *w)
{
    double                 key;
    trove_space_kind_t     space;
    const trove_reward_t  *r;

    if (w->rules->range <= 0) {
        return 0;
    }

    if (!w->q->placed) {
        return 1;
    }

    r = &w->row.reward;
    space = (trove_space_kind_t) w->l->at.conf.space;
    key = trove_space_key(space, w->q->x, w->q->y, r->x, r->y);

    return !(key <= trove_space_radius_key(space, w->rules->range));
}


/*
 * From where the player's last claim was accepted, in the time since then,
 * which is one second at least.  If that is yet to come, the clock was set
 * back, and nothing is known.
 */

static int
trove_claim_fast(const trove_claiming_t *w)
{
    double              key, seconds;
    uint64_t            now;
    trove_space_kind_t  space;

    if (w->rules->max_speed <= 0) {
        return 0;
    }

    if (!w->q->placed) {
        return 1;
    }

    now = trove_claim_asked(w);

    if (w->data.moved == 0 || w->data.moved > now) {
        return 0;
    }

    seconds = (double) (now - w->data.moved) / 1000;
    seconds = (seconds < 1) ? 1 : seconds;

    space = (trove_space_kind_t) w->l->at.conf.space;
    key = trove_space_key(space, w->data.x, w->data.y, w->q->x, w->q->y);

    return !(trove_space_distance(space, key)
             <= w->rules->max_speed * seconds);
}


trove_rc_t
trove_claim_number(trove_redo_t *r)
{
    uint32_t         n;
    trove_ledger_t  *l;

    if (r->claim != 0) {
        return TROVE_OK;
    }

    l = trove_redo_ledger(r);
    n = trove_get(&l->claims);

    do {
        if (n >= l->at.conf.claims) {
            return TROVE_FULL;
        }

    } while (!trove_cas(&l->claims, &n, n + 1));

    TROVE_FAULT("claim: taken");

    r->claim = n + 1;
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("claim: noted");

    return TROVE_OK;
}


/* With the boards that it will be added to: none of them gets full. */

static trove_rc_t
trove_claim_credits(trove_claiming_t *w)
{
    trove_rc_t  rc;

    if (trove_credits_lock(w->l) != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_credits_room(w->l, &w->q->player, w->q->now);

    if (rc != TROVE_OK) {
        trove_credits_unlock(w->l);
    }

    return rc;
}


/* Whether there is any now, of a player who is none yet. */

static trove_rc_t
trove_claim_room(trove_claiming_t *w)
{
    trove_rc_t  rc;

    rc = trove_claim_credits(w);

    if (rc == TROVE_OK) {
        trove_credits_unlock(w->l);
    }

    return rc;
}


/* The claim, and in the redo all that will have changed with it. */

static void
trove_claim_fill(trove_claiming_t *w)
{
    trove_redo_t                 *r;
    trove_claim_row_t            *c;
    const trove_reward_t         *reward;
    const trove_claim_request_t  *q;

    r = w->redo;
    q = w->q;
    reward = &w->row.reward;
    c = trove_ledger_claim(w->l, r->claim - 1);

    r->image = w->data;
    r->image.balance = trove_balance(w->data.balance, reward->value);

    if (q->placed) {
        r->image.x = q->x;
        r->image.y = q->y;
        r->image.moved = trove_claim_asked(w);
    }

    c->player = w->player;
    c->reward = reward->id;
    c->born = w->row.born;
    c->ordinal = reward->taken + 1;
    c->prev = trove_record_claim(trove_get(&trove_ledger_record(w->l,
                                                       w->player)->state));
    c->value = reward->value;
    c->balance = r->image.balance;
    trove_set(&c->at, q->now << 1);
    TROVE_FAULT("claim: filled");

    r->slot = w->slot;
    r->last = (c->ordinal == reward->stock);
    r->latest = r->claim;
}


/*
 * Whether the row is still the same, and the claim its head by now.  The one
 * before must be known to be decided, for the head no longer says so.
 */

static int
trove_claim_decided(trove_claiming_t *w)
{
    uint32_t             head;
    uint64_t             state;
    trove_ledger_row_t  *row;

    TROVE_FAULT_MEET("claim: decide");

    state = w->row.state;
    head = trove_row_head(state);
    row = trove_ledger_rowp(w->l, w->slot);

    if (head != 0) {
        trove_claim_decide(trove_ledger_claim(w->l, head - 1));
        TROVE_FAULT("claim: helped");
    }

    if (!trove_cas(&row->state, &state,
                   trove_row_state(trove_row_seq(state), w->redo->claim)))
    {
        return 0;
    }

    TROVE_FAULT("claim: decided");

    return 1;
}
