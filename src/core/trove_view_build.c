/*
 * Building a view: a sample of the rewards tells how to cut the axes, each
 * reward gets its place on the curve, the places are sorted, the rewards are
 * copied in that order, and the levels made bottom up.
 *
 * Others write to the ledger all the while.  A row is whole whenever it is
 * copied, and the log, followed from the version before the first look, tells
 * of whatever was changed since.
 */

#include <float.h>
#include <math.h>
#include <unistd.h>

#include "trove_fault.h"
#include "trove_replica.h"
#include "trove_sort.h"
#include "trove_view_data.h"


#define TROVE_BUILD_STRIDE  1024    /* rows between looks at "cancel"        */
#define TROVE_BUILD_LEAVES  8       /* the same of leaves                    */
#define TROVE_BUILD_AHEAD   24      /* rows that are fetched ahead           */
#define TROVE_BUILD_TRIES   100     /* ms that a row's writer is waited for  */


typedef struct {
    trove_view_t      *view;
    trove_cancel_pt    cancel;
    trove_pages_t      pages;
    trove_mapping_t    temp;
    uint64_t           gets;          /* of rows of the ledger               */
    uint32_t           used;          /* slots of it                         */
    uint32_t           n;             /* rows of the base                    */
    int64_t           *sample[3];
    uint64_t          *places;        /* on the curve << 32 | slot           */
} trove_build_t;


static trove_rc_t trove_build_once(trove_view_t **view,
    trove_ledger_t *ledger, uint64_t generation, const trove_simd_t *simd,
    trove_pages_t pages, trove_cancel_pt cancel);
static trove_rc_t trove_build_view(trove_build_t *b);
static trove_rc_t trove_build_temp(trove_build_t *b);
static trove_rc_t trove_build_sample(trove_build_t *b);
static trove_rc_t trove_build_places(trove_build_t *b);
static trove_rc_t trove_build_rows(trove_build_t *b);
static trove_rc_t trove_build_levels(trove_build_t *b);
static void trove_build_leaf(trove_view_t *v, uint32_t number,
    trove_reach_t *all);
static void trove_build_bounds(trove_bounds_t *b, const trove_reach_t *reach,
    uint32_t n, trove_reach_t *joint);
static void trove_build_frame(trove_frame_t *f, const trove_reach_t *reach);
static double trove_build_step(double width);
static void trove_build_sides(double origin, double step, double min,
    double max, uint8_t *at_min, uint8_t *at_max);
static void trove_build_block(trove_view_t *v, uint32_t block,
    trove_reach_t *reach);
static void trove_reach_none(trove_reach_t *reach);
static void trove_reach_join(trove_reach_t *reach, const trove_reach_t *other);
static trove_rc_t trove_build_get(trove_build_t *b, uint32_t slot,
    trove_row_t *row);


trove_rc_t
trove_view_build(trove_view_t **view, trove_ledger_t *ledger,
    const trove_simd_t *simd, trove_pages_t pages, trove_cancel_pt cancel)
{
    uint64_t    generation;
    trove_rc_t  rc;

    for ( ;; ) {
        generation = trove_replica_generation(ledger);

        TROVE_FAULT_MEET("view: begun");

        rc = trove_build_once(view, ledger, generation, simd, pages, cancel);

        /* of a copy that is being filled it has taken nothing */

        if (rc != TROVE_OK || (generation & 1)
            || trove_replica_whole(ledger, generation))
        {
            return rc;
        }

        trove_view_destroy(*view);
    }
}


static trove_rc_t
trove_build_once(trove_view_t **view, trove_ledger_t *ledger,
    uint64_t generation, const trove_simd_t *simd, trove_pages_t pages,
    trove_cancel_pt cancel)
{
    trove_rc_t                  rc;
    trove_view_t               *v;
    trove_build_t               b;
    trove_mapping_t             self;
    const trove_ledger_conf_t  *conf;

    rc = trove_memory_map(&self, sizeof(trove_view_t), sizeof(trove_view_t),
                          TROVE_PAGES_OFF);
    if (rc != TROVE_OK) {
        return rc;
    }

    conf = trove_ledger_conf(ledger);

    v = self.base;
    v->self = self;
    v->simd = simd;
    v->ledger = ledger;
    v->space = conf->space;
    v->slots = conf->rewards;
    v->version = trove_ledger_version(ledger);

    memset(&b, 0, sizeof(trove_build_t));
    b.view = v;
    b.cancel = cancel;
    b.pages = pages;
    b.used = trove_ledger_slots(ledger);

    if (generation & 1) {
        v->version = 0;
        b.used = 0;

    } else {
        v->generation = generation;
    }

    rc = trove_build_view(&b);

    trove_memory_unmap(&b.temp);

    while (TROVE_FAULT_HELD("built") && rc == TROVE_OK) {
        (void) usleep(1000);
        rc = trove_canceled(cancel) ? TROVE_CANCELED : TROVE_OK;
    }

    if (rc != TROVE_OK) {
        trove_view_destroy(v);
        return rc;
    }

    *view = v;

    return TROVE_OK;
}


static trove_rc_t
trove_build_view(trove_build_t *b)
{
    trove_rc_t  rc;

    rc = trove_build_temp(b);

    if (rc == TROVE_OK) {
        rc = trove_build_sample(b);
    }

    if (rc == TROVE_OK) {
        rc = trove_build_places(b);
    }

    if (rc == TROVE_OK) {
        rc = trove_view_map(b->view, b->n, b->used, b->pages);
    }

    if (rc == TROVE_OK) {
        rc = trove_build_rows(b);
    }

    return rc;
}


static trove_rc_t
trove_build_temp(trove_build_t *b)
{
    size_t         size, sample;
    trove_rc_t     rc;
    trove_pages_t  pages;

    sample = TROVE_CURVE_SAMPLE * sizeof(int64_t);
    size = 3 * sample + b->used * sizeof(uint64_t);

    /* whether this gets large pages is not what a demand for them is about */

    pages = b->pages == TROVE_PAGES_OFF ? TROVE_PAGES_OFF : TROVE_PAGES_AUTO;

    rc = trove_memory_map(&b->temp, size, size, pages);

    if (rc != TROVE_OK) {
        return rc;
    }

    b->sample[0] = b->temp.base;
    b->sample[1] = b->sample[0] + TROVE_CURVE_SAMPLE;
    b->sample[2] = b->sample[1] + TROVE_CURVE_SAMPLE;
    b->places = (uint64_t *) b->sample[2] + TROVE_CURVE_SAMPLE;

    return TROVE_OK;
}


static trove_rc_t
trove_build_sample(trove_build_t *b)
{
    uint32_t       i, n, looks, slot;
    trove_rc_t     rc;
    trove_row_t    row;
    trove_curve_t  *curve;

    n = 0;
    looks = b->used < TROVE_CURVE_SAMPLE ? b->used : TROVE_CURVE_SAMPLE;

    for (i = 0; i < looks; i++) {
        slot = (uint32_t) ((uint64_t) b->used * i / looks);

        rc = trove_build_get(b, slot, &row);

        if (rc == TROVE_NOTFOUND) {
            continue;
        }

        if (rc != TROVE_OK) {
            return rc;
        }

        b->sample[0][n] = row.x;
        b->sample[1][n] = row.y;
        n++;
    }

    curve = &b->view->curve;

    trove_curve_axis(&curve->x, b->sample[0], b->sample[2], n);
    trove_curve_axis(&curve->y, b->sample[1], b->sample[2], n);

    return TROVE_OK;
}


static trove_rc_t
trove_build_places(trove_build_t *b)
{
    uint32_t     slot, place;
    trove_rc_t   rc;
    trove_row_t  row;

    for (slot = 0; slot < b->used; slot++) {

        rc = trove_build_get(b, slot, &row);

        if (rc == TROVE_NOTFOUND) {
            continue;
        }

        if (rc != TROVE_OK) {
            return rc;
        }

        place = trove_curve_place(&b->view->curve, row.x, row.y);
        b->places[b->n++] = (uint64_t) place << 32 | slot;
    }

    return TROVE_OK;
}


static trove_rc_t
trove_build_rows(trove_build_t *b)
{
    uint32_t       i, slot;
    trove_rc_t     rc;
    trove_row_t    row;
    trove_view_t  *v;

    v = b->view;

    /* the memory of the rows, five times what is sorted, is still unused */

    rc = trove_sort_digits(b->places, (uint64_t *) v->rows[0].key, b->n, 4, 8,
                           b->cancel);

    if (rc != TROVE_OK) {
        return rc;
    }

    for (i = 0; i < trove_view_base(v); i++) {

        if (i >= b->n) {
            trove_rows_clear(&v->rows[0], i);
            continue;
        }

        if (i + TROVE_BUILD_AHEAD < b->n) {
            slot = (uint32_t) b->places[i + TROVE_BUILD_AHEAD];

            trove_ledger_prefetch(v->ledger, slot);
            __builtin_prefetch(&v->place[slot], 1);
        }

        slot = (uint32_t) b->places[i];

        if (i % TROVE_LEAF_ROWS == 0) {
            v->first[i / TROVE_LEAF_ROWS] = (uint32_t) (b->places[i] >> 32);
        }

        rc = trove_build_get(b, slot, &row);

        if (rc == TROVE_OK) {
            trove_rows_set(&v->rows[0], i, &row);
            v->place[slot] = i + 1;
            v->live++;

        } else if (rc == TROVE_NOTFOUND) {
            trove_rows_clear(&v->rows[0], i);
            v->tombs++;

        } else {
            return rc;
        }
    }

    return trove_build_levels(b);
}


static trove_rc_t
trove_build_levels(trove_build_t *b)
{
    uint32_t        level, i;
    trove_view_t   *v;
    trove_reach_t  *reach;

    v = b->view;

    /* where all of a level lies, in the memory of what is sorted by now */

    reach = (trove_reach_t *) b->sample[0];

    for (i = 0; i < v->nodes[0]; i++) {

        if (i % TROVE_BUILD_LEAVES == 0 && trove_canceled(b->cancel)) {
            return TROVE_CANCELED;
        }

        trove_build_leaf(v, i, &reach[i]);
    }

    for (level = 1; level < v->nlevels; level++) {
        for (i = 0; i < v->nodes[level]; i++) {
            trove_build_bounds(&v->levels[level][i],
                               &reach[i * TROVE_BOUNDS],
                               v->nodes[level - 1] - i * TROVE_BOUNDS,
                               &reach[i]);
        }
    }

    return TROVE_OK;
}


static void
trove_build_leaf(trove_view_t *v, uint32_t number, trove_reach_t *all)
{
    uint32_t       i, block;
    trove_leaf_t  *leaf;
    trove_reach_t  reach[TROVE_LEAF];

    leaf = &v->leaves[number];
    block = number * TROVE_LEAF;

    trove_gate_open(&leaf->gate);
    trove_reach_none(all);

    for (i = 0; i < TROVE_LEAF; i++) {
        trove_build_block(v, block + i, &reach[i]);
        trove_reach_join(all, &reach[i]);
        trove_gate_join(&leaf->gate, &v->gates[block + i]);
    }

    trove_build_frame(&leaf->frame, all);

    for (i = 0; i < TROVE_LEAF; i++) {
        trove_build_sides(leaf->frame.x, leaf->frame.step_x, reach[i].min_x,
                          reach[i].max_x, &leaf->min_x[i], &leaf->max_x[i]);
        trove_build_sides(leaf->frame.y, leaf->frame.step_y, reach[i].min_y,
                          reach[i].max_y, &leaf->min_y[i], &leaf->max_y[i]);
    }
}


/*
 * Of the first n of "reach", there may be more than fit.  The joint one may
 * be stored over the first of them.
 */

static void
trove_build_bounds(trove_bounds_t *b, const trove_reach_t *reach, uint32_t n,
    trove_reach_t *joint)
{
    uint32_t       i;
    trove_reach_t  all, at;

    trove_reach_none(&all);

    for (i = 0; i < n && i < TROVE_BOUNDS; i++) {
        trove_reach_join(&all, &reach[i]);
    }

    trove_build_frame(&b->frame, &all);

    for (i = 0; i < TROVE_BOUNDS; i++) {
        trove_reach_none(&at);
        at = i < n ? reach[i] : at;

        trove_build_sides(b->frame.x, b->frame.step_x, at.min_x, at.max_x,
                          &b->min_x[i], &b->max_x[i]);
        trove_build_sides(b->frame.y, b->frame.step_y, at.min_y, at.max_y,
                          &b->min_y[i], &b->max_y[i]);
    }

    *joint = all;
}


static void
trove_build_frame(trove_frame_t *f, const trove_reach_t *reach)
{
    f->x = reach->min_x;
    f->y = reach->min_y;
    f->step_x = trove_build_step(reach->max_x - reach->min_x);
    f->step_y = trove_build_step(reach->max_y - reach->min_y);
}


/* No steps if a width is nothing, or more or less than can be divided by. */

static double
trove_build_step(double width)
{
    double  step;

    step = TROVE_SHARE_MAX / width;

    return width > 0 && step <= DBL_MAX ? step : 0;
}


static void
trove_build_sides(double origin, double step, double min, double max,
    uint8_t *at_min, uint8_t *at_max)
{
    uint32_t  share;

    if (min > max) {
        *at_min = TROVE_SHARE_NONE;
        *at_max = 0;
        return;
    }

    *at_min = (uint8_t) trove_share(min, origin, step);

    share = trove_share(max, origin, step);
    *at_max = (uint8_t) (share < TROVE_SHARE_MAX ? share : TROVE_SHARE_MAX);
}


/* Where the rows of a block lie, and its gate; a block may have none. */

static void
trove_build_block(trove_view_t *v, uint32_t block, trove_reach_t *reach)
{
    uint32_t        i, end;
    trove_row_t     row;
    trove_gate_t    gate;
    trove_reach_t   at;

    trove_reach_none(reach);
    trove_gate_open(&v->gates[block]);

    i = block * TROVE_BLOCK;
    end = block < v->blocks ? i + TROVE_BLOCK : i;

    for ( /* void */ ; i < end; i++) {

        if (v->rows[0].id[i] == 0) {
            continue;
        }

        trove_rows_get(&v->rows[0], i, &row);

        at.min_x = at.max_x = trove_unorder(row.x);
        at.min_y = at.max_y = trove_unorder(row.y);
        trove_reach_join(reach, &at);

        gate = trove_row_gate(&row);
        trove_gate_join(&v->gates[block], &gate);
    }
}


static void
trove_reach_none(trove_reach_t *reach)
{
    reach->min_x = INFINITY;
    reach->max_x = -INFINITY;
    reach->min_y = INFINITY;
    reach->max_y = -INFINITY;
}


static void
trove_reach_join(trove_reach_t *reach, const trove_reach_t *other)
{
    reach->min_x = fmin(reach->min_x, other->min_x);
    reach->max_x = fmax(reach->max_x, other->max_x);
    reach->min_y = fmin(reach->min_y, other->min_y);
    reach->max_y = fmax(reach->max_y, other->max_y);
}


/* TROVE_NOTFOUND if the slot has no reward that can be had. */

static trove_rc_t
trove_build_get(trove_build_t *b, uint32_t slot, trove_row_t *row)
{
    int             n;
    trove_rc_t      rc;
    trove_reward_t  reward;

    if (b->gets++ % TROVE_BUILD_STRIDE == 0 && trove_canceled(b->cancel)) {
        return TROVE_CANCELED;
    }

    rc = trove_ledger_row(b->view->ledger, slot, &reward);

    /* of the time that an event loop has not got there is enough here */

    for (n = 0; rc == TROVE_BUSY && n < TROVE_BUILD_TRIES; n++) {
        (void) usleep(1000);
        rc = trove_ledger_row(b->view->ledger, slot, &reward);
    }

    if (rc != TROVE_OK) {
        return rc;
    }

    return trove_view_row(&reward, row) ? TROVE_OK : TROVE_NOTFOUND;
}
