/*
 * Changes to a view.
 */

#include <unistd.h>

#include "trove_replica.h"
#include "trove_view_data.h"


#define TROVE_SYNC_SLOTS     256
#define TROVE_FOLLOW_SYNC    4096
#define TROVE_FOLLOW_LEFT    1000     /* changes that are left to the syncs  */

/* To look at so many rows in order takes as long as to apply a change. */
#define TROVE_FOLLOW_ROWS    16

#define TROVE_FOLLOW_STRIDE  16384    /* rows between looks at "cancel",     */
#define TROVE_FOLLOW_APPLY   256      /* and those that were written         */
#define TROVE_FOLLOW_TRIES   100      /* ms that writers of rows have        */


static trove_rc_t trove_view_stale(const trove_view_t *v);
static trove_rc_t trove_view_catch_up(trove_view_t *v, trove_cancel_pt cancel);
static trove_rc_t trove_view_look(trove_view_t *v, trove_cancel_pt cancel);
static trove_rc_t trove_view_apply(trove_view_t *v, uint32_t slot);
static int trove_view_renew(trove_view_t *v, uint32_t number,
    const trove_row_t *row, uint32_t leaf);
static int trove_view_stays(const trove_view_t *v, uint32_t number,
    const trove_row_t *row);
static void trove_view_renew_patch(trove_view_t *v, uint32_t i,
    const trove_row_t *row);
static void trove_view_widen(trove_view_t *v, uint32_t leaf,
    const trove_row_t *row);
static int trove_view_append(trove_view_t *v, uint32_t leaf,
    const trove_row_t *row, uint32_t *number);
static trove_patch_t *trove_view_patch(trove_view_t *v, uint32_t leaf);
static void trove_view_erase(trove_view_t *v, uint32_t number);
static uint32_t trove_view_leaf(const trove_view_t *v,
    const trove_row_t *row);


trove_rc_t
trove_view_sync(trove_view_t *v, uint32_t max)
{
    uint32_t    i, n, slots[TROVE_SYNC_SLOTS];
    trove_rc_t  rc;

    if (trove_replica_generation(v->ledger) != v->generation) {
        return trove_view_stale(v);
    }

    while (max) {
        n = max < TROVE_SYNC_SLOTS ? max : TROVE_SYNC_SLOTS;

        rc = trove_ledger_changes(v->ledger, v->version, slots, n, &n);

        if (rc != TROVE_OK) {
            return rc;
        }

        if (n == 0) {
            return TROVE_OK;
        }

        for (i = 0; i < n; i++) {
            rc = trove_view_apply(v, slots[i]);

            if (rc != TROVE_OK) {
                return rc;
            }

            v->version++;
        }

        max -= n;
    }

    return v->version < trove_ledger_version(v->ledger) ? TROVE_AGAIN
                                                        : TROVE_OK;
}


/*
 * Of a copy that is being filled nothing is taken over, and then everything.
 */

static trove_rc_t
trove_view_stale(const trove_view_t *v)
{
    return (trove_replica_state(v->ledger) == TROVE_REPLICA_LOADING)
           ? TROVE_OK : TROVE_BEHIND;
}


int
trove_view_synced(const trove_view_t *v)
{
    uint64_t  generation;

    generation = trove_replica_generation(v->ledger);

    return (generation & 1) != 0
           || (generation == v->generation
               && trove_ledger_version(v->ledger) == v->version);
}


trove_rc_t
trove_view_follow(trove_view_t *v, trove_cancel_pt cancel)
{
    int         tries;
    uint64_t    lacks;
    trove_rc_t  rc;

    tries = TROVE_FOLLOW_TRIES;

    for ( ;; ) {

        if (trove_replica_generation(v->ledger) != v->generation) {
            return trove_view_stale(v);
        }

        lacks = trove_ledger_version(v->ledger) - v->version;
        rc = TROVE_BEHIND;

        if (lacks <= trove_ledger_slots(v->ledger) / TROVE_FOLLOW_ROWS
                     + TROVE_FOLLOW_LEFT)
        {
            rc = trove_view_catch_up(v, cancel);
        }

        if (rc == TROVE_BEHIND) {
            rc = trove_view_look(v, cancel);
        }

        if (rc == TROVE_BUSY && tries-- != 0) {
            (void) usleep(1000);

        } else if (rc != TROVE_AGAIN) {
            return rc;

        } else if (trove_ledger_version(v->ledger) - v->version
                   < TROVE_FOLLOW_LEFT)
        {
            return TROVE_OK;
        }

        if (trove_canceled(cancel)) {
            return TROVE_CANCELED;
        }
    }
}


static trove_rc_t
trove_view_catch_up(trove_view_t *v, trove_cancel_pt cancel)
{
    uint32_t    n;
    trove_rc_t  rc;

    for (n = 0; n < TROVE_FOLLOW_SYNC; n += TROVE_FOLLOW_APPLY) {
        rc = trove_view_sync(v, TROVE_FOLLOW_APPLY);

        if (rc != TROVE_AGAIN) {
            return rc;
        }

        if (trove_canceled(cancel)) {
            return TROVE_CANCELED;
        }
    }

    return TROVE_AGAIN;
}


/* Takes over all rows that were written after the view's version. */

static trove_rc_t
trove_view_look(trove_view_t *v, trove_cancel_pt cancel)
{
    uint32_t    n, slot, slots;
    uint64_t    version;
    trove_rc_t  rc;

    n = 0;

    /* in this order: all that this version has is in these slots */

    version = trove_ledger_version(v->ledger);
    slots = trove_ledger_slots(v->ledger);

    for (slot = 0; slot < slots; slot++) {

        if (slot % TROVE_FOLLOW_STRIDE == 0 && trove_canceled(cancel)) {
            return TROVE_CANCELED;
        }

        if (!trove_ledger_written(v->ledger, slot, v->version)) {
            continue;
        }

        if (++n % TROVE_FOLLOW_APPLY == 0 && trove_canceled(cancel)) {
            return TROVE_CANCELED;
        }

        rc = trove_view_apply(v, slot);

        if (rc != TROVE_OK) {
            return rc;
        }
    }

    v->version = version;

    return TROVE_OK;
}


/* Takes over what the slot holds by now. */

static trove_rc_t
trove_view_apply(trove_view_t *v, uint32_t slot)
{
    trove_rc_t      rc;
    trove_row_t     row;
    trove_reward_t  reward;

    rc = trove_ledger_row(v->ledger, slot, &reward);

    if (!trove_replica_whole(v->ledger, v->generation)) {
        return TROVE_BUSY;
    }

    if (rc == TROVE_OK && trove_view_row(&reward, &row)) {
        return trove_view_put(v, slot, &row);
    }

    if (rc == TROVE_BUSY) {
        return rc;
    }

    return trove_view_put(v, slot, NULL);
}


int
trove_view_row(const trove_reward_t *r, trove_row_t *row)
{
    row->x = trove_order(r->x);
    row->y = trove_order(r->y);
    row->level = trove_order(r->level);
    row->starts = trove_second(r->starts);

    /* the last second; 0, which is no end, becomes the last of all */

    row->ends = trove_second(r->expires - 1);

    row->id = r->id;
    row->value = r->value;

    return r->id != 0 && r->stock > r->taken;
}


trove_rc_t
trove_view_put(trove_view_t *v, uint32_t slot, const trove_row_t *row)
{
    uint32_t  place, number, leaf;

    if (slot >= v->slots) {
        return TROVE_OK;
    }

    v->seen = v->seen > slot ? v->seen : slot + 1;
    place = v->place[slot];

    if (row == NULL) {

        if (place) {
            trove_view_erase(v, place - 1);
            v->place[slot] = 0;
        }

        return TROVE_OK;
    }

    leaf = trove_view_leaf(v, row);

    if (place && trove_view_renew(v, place - 1, row, leaf)) {
        return TROVE_OK;
    }

    if (!trove_view_append(v, leaf, row, &number)) {
        return TROVE_FULL;
    }

    if (place) {
        trove_view_erase(v, place - 1);
    }

    v->place[slot] = number + 1;

    return TROVE_OK;
}


/* Writes over a row if it lies where it can stay. */

static int
trove_view_renew(trove_view_t *v, uint32_t number, const trove_row_t *row,
    uint32_t leaf)
{
    uint32_t      i, block;
    trove_gate_t  gate;

    if (number >= trove_view_base(v)) {
        i = number - trove_view_base(v);

        if (v->patch[i / TROVE_BLOCK].leaf != leaf) {
            return 0;
        }

        trove_view_renew_patch(v, i, row);

        return 1;
    }

    block = number / TROVE_BLOCK;
    leaf = block / TROVE_LEAF;

    if (!trove_view_stays(v, number, row)) {
        return 0;
    }

    trove_rows_set(&v->rows[0], number, row);

    gate = trove_row_gate(row);

    trove_gate_join(&v->gates[block], &gate);
    trove_gate_join(&v->leaves[leaf].gate, &gate);
    trove_view_widen(v, leaf, row);

    return 1;
}


/*
 * Whether a row of the base is still one of its block: it has not moved, or
 * not out of it.  Beyond its frame a leaf tells little, and without steps
 * nothing.
 */

static int
trove_view_stays(const trove_view_t *v, uint32_t number,
    const trove_row_t *row)
{
    double                x, y;
    uint32_t              block;
    trove_row_t           old;
    const trove_leaf_t   *leaf;
    const trove_frame_t  *f;

    trove_rows_get(&v->rows[0], number, &old);

    if (row->x == old.x && row->y == old.y) {
        return 1;
    }

    block = number / TROVE_BLOCK;
    leaf = &v->leaves[block / TROVE_LEAF];
    f = &leaf->frame;
    x = trove_unorder(row->x);
    y = trove_unorder(row->y);

    return f->step_x > 0 && f->step_y > 0 && x >= f->x && y >= f->y
           && trove_leaf_holds(leaf, block % TROVE_LEAF, x, y);
}


static void
trove_view_renew_patch(trove_view_t *v, uint32_t i, const trove_row_t *row)
{
    trove_box_t     box;
    trove_gate_t    gate;
    trove_patch_t  *p;

    trove_rows_set(&v->rows[1], i, row);

    p = &v->patch[i / TROVE_BLOCK];
    box = trove_row_box(row);
    gate = trove_row_gate(row);

    trove_box_join(&p->box, &box);
    trove_gate_join(&p->gate, &gate);
    trove_view_widen(v, p->leaf, row);
}


static int
trove_view_append(trove_view_t *v, uint32_t leaf, const trove_row_t *row,
    uint32_t *number)
{
    uint32_t        i;
    trove_patch_t  *p;

    p = trove_view_patch(v, leaf);

    if (p == NULL) {
        return 0;
    }

    i = (uint32_t) (p - v->patch) * TROVE_BLOCK + p->n++;

    trove_view_renew_patch(v, i, row);

    v->live++;
    *number = trove_view_base(v) + i;

    return 1;
}


/* A patch of the leaf that has room, NULL if there is none to be had. */

static trove_patch_t *
trove_view_patch(trove_view_t *v, uint32_t leaf)
{
    uint32_t        i, *chain;
    trove_patch_t  *p;

    chain = &v->leaves[leaf].chain;

    if (*chain) {
        p = &v->patch[*chain - 1];

        if (p->n < TROVE_BLOCK) {
            return p;
        }
    }

    if (v->patches == v->max_patches) {
        return NULL;
    }

    p = &v->patch[v->patches];

    for (i = 0; i < TROVE_BLOCK; i++) {
        trove_rows_clear(&v->rows[1], v->patches * TROVE_BLOCK + i);
    }

    trove_box_none(&p->box);
    trove_gate_open(&p->gate);
    p->next = *chain;
    p->leaf = leaf;
    p->n = 0;

    *chain = ++v->patches;

    return p;
}


static void
trove_view_erase(trove_view_t *v, uint32_t number)
{
    uint32_t             i;
    const trove_rows_t  *rows;

    rows = trove_view_rows(v, number, &i);
    trove_rows_clear(rows, i);

    v->tombs++;
    v->live--;
}


/* Makes all that lies above a leaf hold the row. */

static void
trove_view_widen(trove_view_t *v, uint32_t leaf, const trove_row_t *row)
{
    double           x, y;
    uint32_t         level, node, i, at_x, at_y;
    trove_bounds_t  *b;

    node = leaf;
    x = trove_unorder(row->x);
    y = trove_unorder(row->y);

    for (level = 1; level < v->nlevels; level++) {
        i = node % TROVE_BOUNDS;
        node = node / TROVE_BOUNDS;
        b = &v->levels[level][node];

        at_x = trove_share(x, b->frame.x, b->frame.step_x);
        at_y = trove_share(y, b->frame.y, b->frame.step_y);

        b->max_x[i] = b->max_x[i] > at_x ? b->max_x[i] : at_x;
        b->max_y[i] = b->max_y[i] > at_y ? b->max_y[i] : at_y;

        /* a minimum of TROVE_SHARE_NONE is none */

        at_x = at_x < TROVE_SHARE_MAX ? at_x : TROVE_SHARE_MAX;
        at_y = at_y < TROVE_SHARE_MAX ? at_y : TROVE_SHARE_MAX;

        b->min_x[i] = b->min_x[i] < at_x ? b->min_x[i] : at_x;
        b->min_y[i] = b->min_y[i] < at_y ? b->min_y[i] : at_y;
    }
}


int
trove_leaf_holds(const trove_leaf_t *leaf, uint32_t i, double x, double y)
{
    uint32_t              at_x, at_y;
    const trove_frame_t  *f;

    f = &leaf->frame;
    at_x = trove_share(x, f->x, f->step_x);
    at_y = trove_share(y, f->y, f->step_y);

    return at_x >= leaf->min_x[i] && at_x <= leaf->max_x[i]
           && at_y >= leaf->min_y[i] && at_y <= leaf->max_y[i];
}


int
trove_bounds_hold(const trove_bounds_t *b, uint32_t i, double x, double y)
{
    uint32_t  at_x, at_y;

    at_x = trove_share(x, b->frame.x, b->frame.step_x);
    at_y = trove_share(y, b->frame.y, b->frame.step_y);

    return at_x >= b->min_x[i] && at_x <= b->max_x[i]
           && at_y >= b->min_y[i] && at_y <= b->max_y[i];
}


/* The leaf whose stretch of the curve the row falls in. */

static uint32_t
trove_view_leaf(const trove_view_t *v, const trove_row_t *row)
{
    uint32_t  place, lo, n, half;

    place = trove_curve_place(&v->curve, row->x, row->y);

    lo = 0;

    for (n = v->nodes[0]; n > 1; n -= half) {
        half = n / 2;
        lo += v->first[lo + half] <= place ? half : 0;
    }

    return lo;
}
