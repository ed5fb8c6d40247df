/*
 * Queries, in four steps:
 *
 *   walk      the levels, from the top, for the blocks whose boxes meet that
 *             of the shape
 *   stage     the rows of those blocks that lie in the box
 *   measure   the staged rows: within, not within, or in doubt; what is in
 *             doubt is decided by trove_space.h
 *   settle    the nearest of those within, in their order
 *
 * Measures are approximate but with known errors, and all that they leave
 * open, a row at the edge or two that are about as near, is looked at again:
 * first with the lower halves of the coordinates, then exactly.
 */

#include <float.h>
#include <math.h>

#include "trove_sort.h"
#include "trove_view_data.h"


#define TROVE_NEAR        256     /* rows listed before the far are dropped  */
#define TROVE_NEAR_ROOM   (TROVE_NEAR + 2 * TROVE_LIMIT_MAX + TROVE_STAGE_ROOM)

#define TROVE_FAR_IDS     (1 << 18)  /* blocks whose ids no cache holds      */
#define TROVE_NEAREST     0.35    /* share of the reach that is prefetched   */

#define TROVE_LIMIT_FEW   6       /* limits that the lanes' minima bound well */

/* Above this share of the radius keys alone leave too much in doubt. */
#define TROVE_COARSE      0.05


typedef struct {
    const trove_view_t   *view;
    const trove_query_t  *q;
    trove_filter_t        filter;
    trove_target_t        target;
    const trove_part_t   *part;
    uint64_t              scanned;
    uint32_t              limit;
    uint32_t              nbest;
    int                   fine;       /* measured with both halves           */
    double                error;      /* of the root of any measure listed   */
    double                near;       /* nothing above it is listed          */
    double                last_x;     /* what trove_search_key() saw last    */
    double                last_y;
    double                last_key;

    trove_tally_t         tally;
    trove_near_t          list;       /* the nearest so far, and some more   */
    trove_picks_t         picks[2];   /* as the view's rows                  */
    trove_stage_t         stage;
    uint32_t              pass[TROVE_LIST_ROOM];
    uint32_t              place[TROVE_STAGE_ROOM];

    uint32_t              doubt_row[TROVE_STAGE_ROOM];
    double                doubt_measure[TROVE_STAGE_ROOM];
    uint32_t              list_row[TROVE_NEAR_ROOM];
    double                list_measure[TROVE_NEAR_ROOM];
    double                spare[TROVE_NEAR_ROOM];

    trove_entry_t         entry[TROVE_NEAR_ROOM];

    /* the best of all that was decided exactly, as a heap */

    trove_entry_t         best[TROVE_LIMIT_MAX];
} trove_search_t;


static void trove_search_init(trove_search_t *s, const trove_view_t *view,
    const trove_query_t *q);
static void trove_search_part(trove_search_t *s, const trove_part_t *part);
static void trove_search_walk(trove_search_t *s);
static void trove_search_descend(trove_search_t *s, uint32_t level,
    const uint32_t *nodes, uint32_t n);
static void trove_search_leaves(trove_search_t *s, const uint32_t *nodes,
    uint32_t n);
static void trove_search_prefetch(trove_search_t *s, uint32_t i);
static void trove_search_prefetch_ids(trove_search_t *s, const uint32_t *nodes,
    uint32_t n);
static void trove_search_chain(trove_search_t *s, uint32_t patch);
static void trove_search_pass(trove_search_t *s, int patch);
static void trove_search_flush(trove_search_t *s, int patch);
static void trove_search_measure(trove_search_t *s, int patch, uint32_t i,
    uint32_t end);
static void trove_search_measure_low(trove_search_t *s, int patch, uint32_t i,
    uint32_t end);
static void trove_search_stage(trove_search_t *s);
static void trove_search_bound(trove_search_t *s);
static void trove_search_shorten(trove_search_t *s);
static void trove_search_probe(trove_search_t *s, double error);
static void trove_search_doubt(trove_search_t *s);
static void trove_search_decide(trove_search_t *s);
static void trove_search_exact(trove_search_t *s, uint32_t row,
    double measure);
static void trove_search_prune(trove_search_t *s);
static double trove_search_lanes(trove_search_t *s);
static double trove_search_select(double *a, uint32_t n, uint32_t k);
static void trove_search_best(trove_search_t *s);
static void trove_search_settle(trove_search_t *s, trove_answer_t *a);
static uint32_t trove_search_entries(trove_search_t *s);
static void trove_search_entries_few(trove_search_t *s);
static int trove_search_certain(trove_search_t *s, uint32_t n);
static void trove_search_refine(trove_search_t *s, uint32_t n);
static void trove_search_restage(trove_search_t *s, const trove_box_t *box,
    uint32_t from, uint32_t to);
static void trove_search_ties(trove_search_t *s, uint32_t n);
static double trove_search_key(trove_search_t *s, uint32_t row, uint32_t *id);
static void trove_search_hits(trove_search_t *s, const trove_entry_t *e,
    uint32_t n, trove_answer_t *a);


static inline void
trove_swap_floats(float *a, float *b)
{
    float  lesser;

    lesser = *a < *b ? *a : *b;
    *b = *a > *b ? *a : *b;
    *a = lesser;
}


static inline void
trove_swap_bits(uint64_t *a, uint64_t *b)
{
    uint64_t  lesser;

    lesser = *a < *b ? *a : *b;
    *b = *a > *b ? *a : *b;
    *a = lesser;
}


void
trove_view_query(const trove_view_t *view, const trove_query_t *q,
    trove_answer_t *a)
{
    uint32_t        i;
    trove_search_t  s;

    trove_search_init(&s, view, q);

    for (i = 0; i < s.target.nparts; i++) {
        trove_search_part(&s, &s.target.part[i]);
        trove_search_walk(&s);
    }

    trove_search_settle(&s, a);
}


void
trove_view_scan(const trove_view_t *view, const trove_query_t *q,
    trove_answer_t *a)
{
    uint32_t        i, block, last;
    trove_picks_t  *picks;
    trove_search_t  s;

    trove_search_init(&s, view, q);

    for (i = 0; i < 2 * s.target.nparts; i++) {
        trove_search_part(&s, &s.target.part[i / 2]);

        block = 0;
        last = i % 2 ? view->patches : view->blocks;
        picks = &s.picks[i % 2];

        while (block < last) {
            view->simd->sweep(&view->rows[i % 2], &block, last, &s.part->box,
                              picks);

            picks->partial = 1;

            trove_search_flush(&s, i % 2);
        }
    }

    trove_search_settle(&s, a);

    a->scanned = (uint64_t) (view->blocks + view->patches) * TROVE_BLOCK
                 * s.target.nparts;
}


static void
trove_search_init(trove_search_t *s, const trove_view_t *view,
    const trove_query_t *q)
{
    int64_t   level;
    uint32_t  i;

    s->view = view;
    s->q = q;
    s->limit = q->limit < TROVE_LIMIT_MAX ? q->limit : TROVE_LIMIT_MAX;
    s->scanned = 0;
    s->nbest = 0;
    s->last_x = NAN;

    level = trove_order(q->level);
    s->filter.level = trove_order_key(level);
    s->filter.level_low = (uint32_t) level;
    s->filter.now = trove_second(q->now);

    trove_target_init(&s->target, view->space, q);

    s->fine = !(s->target.coarse < TROVE_COARSE * s->target.unit);
    s->error = s->fine ? s->target.fine : s->target.coarse;

    s->near = s->limit ? DBL_MAX : -1;
    s->list.measure = s->list_measure;
    s->list.row = s->list_row;
    s->list.n = 0;
    s->tally.found = 0;
    s->tally.doubt.measure = s->doubt_measure;
    s->tally.doubt.row = s->doubt_row;

    for (i = 0; i < TROVE_LANES; i++) {
        s->tally.lane[i] = INFINITY;
    }

    for (i = 0; i < 2; i++) {
        s->picks[i].n = 0;
        s->picks[i].partial = 0;
    }
}


static void
trove_search_part(trove_search_t *s, const trove_part_t *part)
{
    s->part = part;
    s->target.probe.x = part->x;
    s->target.probe.inner = part->inner;

    trove_search_probe(s, s->error);
}


static void
trove_search_probe(trove_search_t *s, double error)
{
    trove_probe_t  *p;

    p = &s->target.probe;

    if (s->target.exact) {
        p->lo = -1;
        p->hi = INFINITY;

    } else if (s->q->shape == TROVE_BOX) {
        p->lo = INFINITY;
        p->hi = INFINITY;

    } else {
        p->lo = (s->target.unit - error) * (s->target.unit - error);
        p->hi = (s->target.unit + error) * (s->target.unit + error);
    }
}


/* What is above this is farther than what was measured to be "measure". */

static double
trove_search_beyond(trove_search_t *s, double measure)
{
    double  root;

    root = sqrt(measure) + 2 * s->error;

    return root * root;
}


static void
trove_search_walk(trove_search_t *s)
{
    static const uint32_t  root = 0;

    trove_search_descend(s, s->view->nlevels - 1, &root, 1);

    trove_search_flush(s, 0);
    trove_search_flush(s, 1);
}


static void
trove_search_descend(trove_search_t *s, uint32_t level, const uint32_t *nodes,
    uint32_t n)
{
    uint32_t             i, k, below[TROVE_LIST_ROOM];
    const trove_view_t  *v;

    if (level == 0) {
        trove_search_leaves(s, nodes, n);
        return;
    }

    v = s->view;
    i = 0;

    while (i < n) {
        k = v->simd->descend(v->levels[level], nodes, &i, n,
                             &s->part->reach, below);

        trove_search_descend(s, level - 1, below, k);
    }
}


static void
trove_search_leaves(trove_search_t *s, const uint32_t *nodes, uint32_t n)
{
    uint32_t             i, k;
    trove_picks_t       *picks;
    const trove_view_t  *v;

    v = s->view;
    picks = &s->picks[0];
    i = 0;

    while (i < n) {
        k = picks->n;

        v->simd->leaves(v->leaves, nodes, &i, n, &s->part->reach, &s->filter,
                        picks);

        trove_search_prefetch(s, k);

        if (v->blocks > TROVE_FAR_IDS) {
            trove_search_prefetch_ids(s, nodes, n);
        }

        if (picks->n > TROVE_LIST) {
            trove_search_flush(s, 0);
        }
    }

    if (v->patches == 0) {
        return;
    }

    for (i = 0; i < n; i++) {
        trove_search_chain(s, v->leaves[nodes[i]].chain);
    }
}


/* Fetches what will be read of the blocks picked from "i" on. */

static void
trove_search_prefetch(trove_search_t *s, uint32_t i)
{
    uint32_t             n;
    const uint32_t      *block;
    const trove_rows_t  *rows;

    n = s->picks[0].n;
    block = s->picks[0].block;
    rows = &s->view->rows[0];

    for ( /* void */ ; i < n; i++) {
        __builtin_prefetch(rows->key[block[i]].x);
        __builtin_prefetch(rows->key[block[i]].y);

        if (s->fine) {
            __builtin_prefetch(rows->low[block[i]].x);
            __builtin_prefetch(rows->low[block[i]].y);
        }
    }
}


/*
 * The ids are the last that is needed, and in large views as far as the rows:
 * fetches those about the centre, where the nearest are if there are many.
 */

static void
trove_search_prefetch_ids(trove_search_t *s, const uint32_t *nodes, uint32_t n)
{
    double               dx, dy;
    uint32_t             i;
    trove_reach_t        reach;
    trove_picks_t        picks;
    const trove_view_t  *v;

    v = s->view;
    reach = s->part->reach;

    dx = (reach.max_x - reach.min_x) * TROVE_NEAREST / 2;
    dy = (reach.max_y - reach.min_y) * TROVE_NEAREST / 2;

    reach.min_x = s->part->x - dx;
    reach.max_x = s->part->x + dx;
    reach.min_y = s->q->y - dy;
    reach.max_y = s->q->y + dy;

    i = 0;
    picks.n = 0;
    picks.partial = 0;

    v->simd->leaves(v->leaves, nodes, &i, n, &reach, &s->filter, &picks);

    for (i = 0; i < picks.n; i++) {
        __builtin_prefetch(&v->rows[0].id[picks.block[i] * TROVE_BLOCK]);
    }
}


static void
trove_search_chain(trove_search_t *s, uint32_t patch)
{
    trove_picks_t        *picks;
    const trove_box_t    *box;
    const trove_patch_t  *p;

    box = &s->part->box;
    picks = &s->picks[1];

    for ( /* void */ ; patch; patch = p->next) {
        p = &s->view->patch[patch - 1];

        if (p->box.min_x > box->max_x || p->box.max_x < box->min_x
            || p->box.min_y > box->max_y || p->box.max_y < box->min_y)
        {
            continue;
        }

        picks->block[picks->n++] = patch - 1;
        picks->partial |= !trove_gate_passes(&p->gate, &s->filter);

        if (picks->n > TROVE_LIST) {
            trove_search_flush(s, 1);
        }
    }
}


/* Finds out which rows pass, where not all may. */

static void
trove_search_pass(trove_search_t *s, int patch)
{
    uint32_t             i, block;
    trove_picks_t       *picks;
    const trove_gate_t  *gate;
    const trove_view_t  *v;

    v = s->view;
    picks = &s->picks[patch];

    for (i = 0; i < picks->n; i++) {
        block = picks->block[i];
        gate = patch ? &v->patch[block].gate : &v->gates[block];

        s->pass[i] = trove_gate_passes(gate, &s->filter)
                     ? UINT32_MAX
                     : v->simd->filter(&v->rows[patch], block, &s->filter);
    }

    picks->pass = s->pass;
}


static void
trove_search_flush(trove_search_t *s, int patch)
{
    uint32_t        i, n, end;
    trove_picks_t  *picks;

    picks = &s->picks[patch];
    picks->pass = trove_simd_all;
    n = picks->n;

    if (picks->partial) {
        trove_search_pass(s, patch);
    }

    for (i = 0; i < n; i = end) {
        end = n - i < TROVE_STAGE_BLOCKS ? n : i + TROVE_STAGE_BLOCKS;

        if (s->fine) {
            trove_search_measure_low(s, patch, i, end);

        } else {
            trove_search_measure(s, patch, i, end);
        }

        trove_search_shorten(s);
    }

    s->scanned += (uint64_t) n * TROVE_BLOCK;
    picks->partial = 0;
    picks->n = 0;
}


static void
trove_search_measure(trove_search_t *s, int patch, uint32_t i, uint32_t end)
{
    uint32_t             base, k, n, place, row;
    const trove_view_t  *v;

    v = s->view;
    base = patch ? trove_view_base(v) : 0;
    s->tally.doubt.n = 0;

    v->simd->measure[v->space](&v->rows[patch], &s->picks[patch], i, end, base,
                               &s->part->box, &s->target.probe, &s->tally);

    trove_search_bound(s);

    n = v->simd->list(&s->tally, end - i,
                      s->near < FLT_MAX ? (float) s->near : FLT_MAX,
                      s->place);

    for (k = 0; k < n; k++) {
        place = s->place[k];
        row = s->picks[patch].block[i + place / TROVE_BLOCK] * TROVE_BLOCK
              + place % TROVE_BLOCK;

        __builtin_prefetch(&v->rows[patch].id[row]);

        s->list_measure[s->list.n] = s->tally.measure[place];
        s->list_row[s->list.n++] = base + row;
    }

    if (s->tally.doubt.n) {
        trove_search_doubt(s);
    }
}


/* The same with both halves of the coordinates. */

static void
trove_search_measure_low(trove_search_t *s, int patch, uint32_t i,
    uint32_t end)
{
    const trove_view_t  *v;

    v = s->view;

    v->simd->stage(&v->rows[patch], &s->picks[patch], i, end,
                   patch ? trove_view_base(v) : 0, &s->part->box, &s->stage);

    trove_search_stage(s);
    trove_search_decide(s);
}


/* Measures and lists what is staged. */

static void
trove_search_stage(trove_search_t *s)
{
    uint32_t             i, k, n;
    trove_stage_t       *stage;
    const trove_rows_t  *rows;

    stage = &s->stage;

    for (i = 0; i < stage->n; i++) {
        rows = trove_view_rows(s->view, stage->row[i], &k);
        stage->x_low[i] = rows->low[k / TROVE_BLOCK].x[k % TROVE_BLOCK];
        stage->y_low[i] = rows->low[k / TROVE_BLOCK].y[k % TROVE_BLOCK];
    }

    s->tally.doubt.n = 0;
    s->view->simd->measure_low[s->view->space](stage, &s->target.probe,
                                               &s->tally);

    trove_search_bound(s);

    n = s->list.n;
    s->view->simd->list_low(stage, s->near, &s->list);

    for ( /* void */ ; n < s->list.n; n++) {
        rows = trove_view_rows(s->view, s->list.row[n], &k);
        __builtin_prefetch(&rows->id[k]);
    }
}


/*
 * A few that are wanted are bounded by the lanes' minima, which are floats and
 * may have been rounded down.
 */

static void
trove_search_bound(trove_search_t *s)
{
    double  bound, near;

    if (s->limit && s->limit <= TROVE_LIMIT_FEW) {
        bound = trove_search_lanes(s) * (1 + 3e-7) + FLT_MIN;
        near = trove_search_beyond(s, bound);
        s->near = near < s->near ? near : s->near;
    }
}


/* Keeps the list from growing beyond its room. */

static void
trove_search_shorten(trove_search_t *s)
{
    uint32_t  most;

    most = TROVE_NEAR + 2 * s->limit;

    if (s->list.n > most) {
        trove_search_prune(s);

        if (s->list.n > most / 2) {
            trove_search_best(s);
        }
    }
}


/*
 * Rows in doubt.  To measure them with both halves settles nearly all of a
 * circle's; what a box's sides leave open is open for any measure.
 */

static void
trove_search_doubt(trove_search_t *s)
{
    uint32_t             i, k, n;
    trove_stage_t       *stage;
    const trove_rows_t  *rows;

    if (s->q->shape == TROVE_CIRCLE) {
        stage = &s->stage;
        n = s->tally.doubt.n;

        for (i = 0; i < n; i++) {
            rows = trove_view_rows(s->view, s->doubt_row[i], &k);
            stage->x[i] = trove_rows_key_x(rows, k);
            stage->y[i] = trove_rows_key_y(rows, k);
            stage->row[i] = s->doubt_row[i];
        }

        stage->n = n;

        trove_search_probe(s, s->target.fine);
        trove_search_stage(s);
        trove_search_probe(s, s->error);
    }

    trove_search_decide(s);
}


/* Decides what is still in doubt. */

static void
trove_search_decide(trove_search_t *s)
{
    uint32_t  i;

    for (i = 0; i < s->tally.doubt.n; i++) {
        trove_search_exact(s, s->doubt_row[i], s->doubt_measure[i]);
    }
}


static void
trove_search_exact(trove_search_t *s, uint32_t row, double measure)
{
    int                   within;
    uint32_t              i, id;
    trove_near_t         *list;
    const trove_rows_t   *rows;
    const trove_query_t  *q;

    q = s->q;

    if (q->shape == TROVE_BOX) {
        rows = trove_view_rows(s->view, row, &i);
        within = trove_space_in_box(s->view->space, q->x, q->y, q->w, q->h,
                                    trove_rows_x(rows, i),
                                    trove_rows_y(rows, i));
    } else {
        within = trove_search_key(s, row, &id) <= s->target.key;
    }

    if (!within) {
        return;
    }

    s->tally.found++;

    /* where nothing can be measured, all are as near until they are sorted */

    if (s->target.exact) {
        measure = 0;
    }

    if (measure <= s->near) {
        list = &s->list;
        list->measure[list->n] = measure;
        list->row[list->n] = row;
        list->n++;
    }
}


/* Drops from the list what is farther than as many others as are wanted. */

static void
trove_search_prune(trove_search_t *s)
{
    double         near;
    uint32_t       i, n;
    trove_near_t  *list;

    list = &s->list;

    memcpy(s->spare, list->measure, list->n * sizeof(double));

    near = trove_search_beyond(s, trove_search_select(s->spare, list->n,
                                                      s->limit - 1));
    s->near = near < s->near ? near : s->near;

    n = 0;

    for (i = 0; i < list->n; i++) {
        list->measure[n] = list->measure[i];
        list->row[n] = list->row[i];
        n += list->measure[n] <= s->near;
    }

    list->n = n;
}


/*
 * A measure that at least "limit" of the rows within do not exceed: of the
 * lanes' minima, two by two, the one that is as many in order.
 */

static double
trove_search_lanes(trove_search_t *s)
{
    float     v[TROVE_SORT_FEW], a, b;
    uint32_t  i;

    for (i = 0; i < TROVE_SORT_FEW; i++) {
        a = s->tally.lane[i];
        b = s->tally.lane[i + TROVE_SORT_FEW];
        v[i] = a < b ? a : b;
    }

    trove_sort_few(trove_swap_floats, v);

    return v[s->limit - 1];
}


/*
 * Element "k" of a[] in order, or a later one: any will do as a bound, so the
 * search ends after so many steps whatever the numbers are.
 */

static double
trove_search_select(double *a, uint32_t n, uint32_t k)
{
    double    pivot, t;
    uint32_t  steps, lo, hi, i, j;

    lo = 0;
    hi = n - 1;

    for (steps = 0; lo < hi && steps < 32; steps++) {
        pivot = a[lo + (hi - lo) / 2];
        i = lo;
        j = hi;

        for ( ;; ) {
            while (a[i] < pivot) {
                i++;
            }

            while (a[j] > pivot) {
                j--;
            }

            if (i >= j) {
                break;
            }

            t = a[i];
            a[i++] = a[j];
            a[j--] = t;
        }

        /* a[lo .. j] <= pivot <= a[j + 1 .. hi] */

        if (k <= j) {
            hi = j;

        } else {
            lo = j + 1;
        }
    }

    t = a[lo];

    for (i = lo + 1; i <= hi; i++) {
        t = a[i] > t ? a[i] : t;
    }

    return t;
}


/*
 * Too many are about equally near: decides them exactly, keeps the best, and
 * empties the list.
 */

static void
trove_search_best(trove_search_t *s)
{
    double          root;
    uint32_t        i;
    trove_near_t   *list;
    trove_entry_t   e;

    list = &s->list;

    for (i = 0; i < list->n; i++) {
        e.row = list->row[i];
        e.key = trove_search_key(s, e.row, &e.id);

        if (s->nbest == s->limit) {
            if (trove_entry_before(&e, &s->best[0])) {
                trove_sort_sift(s->best, s->limit, e);
            }

            continue;
        }

        s->best[s->nbest++] = e;

        if (s->nbest == s->limit) {
            trove_sort_heap(s->best, s->limit);
        }
    }

    list->n = 0;

    if (s->nbest == s->limit && !s->target.exact) {
        root = sqrt(s->best[0].key) + s->error;

        if (root * root < s->near) {
            s->near = root * root;
        }
    }
}


/* Rewards on one point are frequent: the last key is kept. */

static double
trove_search_key(trove_search_t *s, uint32_t row, uint32_t *id)
{
    double               x, y;
    uint32_t             i;
    const trove_rows_t  *rows;

    rows = trove_view_rows(s->view, row, &i);
    x = trove_rows_x(rows, i);
    y = trove_rows_y(rows, i);

    *id = rows->id[i];

    if (x != s->last_x || y != s->last_y) {
        s->last_key = trove_space_key(s->view->space, s->q->x, s->q->y, x, y);
        s->last_x = x;
        s->last_y = y;
    }

    return s->last_key;
}


static void
trove_search_settle(trove_search_t *s, trove_answer_t *a)
{
    uint32_t  n;

    a->found = s->tally.found;
    a->scanned = s->scanned;

    if (s->nbest) {
        trove_search_best(s);
        trove_sort_entries(s->best, s->nbest);
        trove_search_hits(s, s->best, s->nbest, a);
        return;
    }

    n = trove_search_entries(s);

    if (!trove_search_certain(s, n)) {

        if (!s->fine && !s->target.exact) {
            trove_search_refine(s, n);
            n = trove_search_entries(s);
        }

        trove_search_ties(s, n);
    }

    trove_search_hits(s, s->entry, n < s->limit ? n : s->limit, a);
}


/*
 * Makes sorted entries of the list, the far ones left out; the key of such an
 * entry is its measure.
 */

static uint32_t
trove_search_entries(trove_search_t *s)
{
    uint32_t       i, n;
    trove_near_t  *list;

    list = &s->list;

    if (list->n > s->limit && s->limit > TROVE_LIMIT_FEW) {
        trove_search_prune(s);
    }

    n = list->n;

    if (n <= TROVE_SORT_FEW) {
        trove_search_entries_few(s);
        return n;
    }

    for (i = 0; i < n; i++) {
        s->entry[i].key = list->measure[i];
        s->entry[i].row = list->row[i];
        s->entry[i].id = 0;
    }

    trove_sort_entries(s->entry, n);

    return n;
}


/*
 * The same of so few that a network sorts them.  A measure is not negative,
 * its bits therefore sort as it does, and its last ones, which no error leaves
 * as they are, say which it was.
 */

static void
trove_search_entries_few(trove_search_t *s)
{
    uint32_t       i, k;
    uint64_t       v[TROVE_SORT_FEW];
    trove_near_t  *list;

    list = &s->list;

    memcpy(v, list->measure, sizeof(v));

    for (i = 0; i < TROVE_SORT_FEW; i++) {
        v[i] = i < list->n ? (v[i] & ~(uint64_t) (TROVE_SORT_FEW - 1)) | i
                           : UINT64_MAX;
    }

    trove_sort_few(trove_swap_bits, v);

    for (i = 0; i < list->n; i++) {
        k = v[i] % TROVE_SORT_FEW;

        s->entry[i].key = list->measure[k];
        s->entry[i].row = list->row[k];
        s->entry[i].id = 0;
    }
}


/* Whether the order of the entries that are wanted is beyond doubt. */

static int
trove_search_certain(trove_search_t *s, uint32_t n)
{
    uint32_t        i;
    trove_entry_t  *e;

    e = s->entry;

    for (i = 0; i < s->limit && i + 1 < n; i++) {
        if (!(e[i + 1].key > trove_search_beyond(s, e[i].key))) {
            return 0;
        }
    }

    return 1;
}


/* Lists the entries anew, measured with both halves of their coordinates. */

static void
trove_search_refine(trove_search_t *s, uint32_t n)
{
    uint32_t              i, from, to;
    trove_probe_t        *probe;
    const trove_part_t   *part;

    probe = &s->target.probe;
    s->fine = 1;
    s->error = s->target.fine;
    s->near = DBL_MAX;
    s->list.n = 0;

    for (i = 0; i < TROVE_LANES; i++) {
        s->tally.lane[i] = INFINITY;
    }

    for (i = 0; i < s->target.nparts; i++) {
        part = &s->target.part[i];

        probe->x = part->x;
        probe->lo = INFINITY;
        probe->hi = INFINITY;
        trove_box_all(&probe->inner);

        for (from = 0; from < n; from = to) {
            to = n - from < TROVE_STAGE ? n : from + TROVE_STAGE;

            trove_search_restage(s, &part->box, from, to);
            trove_search_stage(s);
        }
    }
}


/* Stages those of the entries "from" .. "to" - 1 that lie in the box. */

static void
trove_search_restage(trove_search_t *s, const trove_box_t *box, uint32_t from,
    uint32_t to)
{
    uint32_t             k, n;
    const trove_rows_t  *rows;

    n = 0;

    for ( /* void */ ; from < to; from++) {
        rows = trove_view_rows(s->view, s->entry[from].row, &k);

        s->stage.x[n] = trove_rows_key_x(rows, k);
        s->stage.y[n] = trove_rows_key_y(rows, k);
        s->stage.row[n] = s->entry[from].row;

        n += s->stage.x[n] >= box->min_x && s->stage.x[n] <= box->max_x;
    }

    s->stage.n = n;
}


/* Sorts stretches of entries that are about equally near by what is exact. */

static void
trove_search_ties(trove_search_t *s, uint32_t n)
{
    uint32_t        i, k, end;
    trove_entry_t  *e;

    e = s->entry;

    for (i = 0; i < n && i < s->limit; i = end) {

        for (end = i + 1; end < n; end++) {
            if (e[end].key > trove_search_beyond(s, e[end - 1].key)) {
                break;
            }
        }

        if (end - i == 1) {
            continue;
        }

        for (k = i; k < end; k++) {
            e[k].key = trove_search_key(s, e[k].row, &e[k].id);
        }

        trove_sort_entries(&e[i], end - i);
    }
}


static void
trove_search_hits(trove_search_t *s, const trove_entry_t *e, uint32_t n,
    trove_answer_t *a)
{
    double               key;
    uint32_t             i, k;
    trove_hit_t         *hit;
    const trove_rows_t  *rows;

    a->n = n;

    for (i = 0; i < n; i++) {
        hit = &a->hits[i];
        rows = trove_view_rows(s->view, e[i].row, &k);

        hit->id = rows->id[k];

        if (!s->q->detail) {
            hit->x = 0;
            hit->y = 0;
            hit->distance = 0;
            hit->value = 0;
            continue;
        }

        hit->x = trove_rows_x(rows, k);
        hit->y = trove_rows_y(rows, k);
        hit->value = rows->value[k];

        key = trove_space_key(s->view->space, s->q->x, s->q->y, hit->x,
                              hit->y);
        hit->distance = trove_space_distance(s->view->space, key);
    }
}
