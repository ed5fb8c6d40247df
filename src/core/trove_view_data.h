/*
 * What a view is made of; for the files of the view only.
 *
 *   levels[2]             [ bounds ]                       128 of levels[1]
 *                        /          \
 *   levels[1]      [ bounds ] ...  [ bounds ]              128 leaves each
 *                 /          \
 *   leaves       [ leaf ] ... [ leaf ]                     64 blocks each
 *              /    |    \
 *   rows[0]   |block|block|block| ...                      16 rows each
 *
 *   patch     chained to a leaf:   [ patch ] -> [ patch ]
 *   rows[1]                        |block|      |block|
 *
 *   base      the rows that were there when the view was built, sorted along
 *             the curve; they and all above them lie in one mapping, which is
 *             faulted in
 *   patch     a block of rows that came later, unsorted, with a box and a gate
 *             of its own; it belongs to the leaf whose stretch of the curve
 *             its rows fall in, and widens what lies above that
 *   place     slot of the ledger -> number of the row, plus 1; 0: no row
 *   tomb      a row that is no more: its key of x is TROVE_KEY_NONE, which no
 *             box holds
 *
 * Rows are numbered through: those of the base from 0, then the patches'.
 */

#ifndef TROVE_VIEW_DATA_H_INCLUDED
#define TROVE_VIEW_DATA_H_INCLUDED


#include "trove_curve.h"
#include "trove_view.h"


/* 16 * 64 * 128^4 rows are more than 32 bits can number. */
#define TROVE_LEVELS         5

#define TROVE_PATCH_ROWS     16384    /* room in patches, at least           */
#define TROVE_WORN           4096     /* changes that wear no view out       */
#define TROVE_RAGGED         256      /* and that none is ragged by          */


typedef struct {
    trove_box_t        box;
    trove_gate_t       gate;
    uint32_t           next;          /* in the chain, plus 1; 0: the last   */
    uint32_t           leaf;
    uint32_t           n;             /* rows used                           */
} trove_patch_t;


struct trove_view_s {
    const trove_simd_t  *simd;
    trove_ledger_t      *ledger;
    uint64_t             version;
    uint64_t             generation;  /* of the ledger, if that is a copy    */
    trove_space_kind_t   space;

    uint32_t             slots;       /* that "place" has room for           */
    uint32_t             seen;        /* slots that were ever looked at      */
    uint32_t             blocks;      /* of the base                         */
    uint32_t             patches;     /* used                                */
    uint32_t             max_patches;
    uint32_t             tombs;
    uint32_t             live;
    uint32_t             nlevels;     /* 1: there is but one leaf            */
    uint32_t             nodes[TROVE_LEVELS];

    trove_rows_t         rows[2];
    trove_bounds_t      *levels[TROVE_LEVELS];    /* from 1 on               */
    trove_leaf_t        *leaves;      /* nodes[0] of them; "chain" is the    */
                                      /* number of the first patch, plus 1   */
    trove_gate_t        *gates;       /* of the blocks of the leaves         */
    uint32_t            *first;       /* of a leaf: where on the curve       */
    trove_patch_t       *patch;
    uint32_t            *place;

    trove_mapping_t      self;        /* what you are reading                */
    trove_mapping_t      base;        /* levels and the base's rows          */
    size_t               base_size;   /* bytes of it that are used           */
    trove_mapping_t      spare;       /* place and patches                   */
    trove_curve_t        curve;
};


/* What a reward is in a view. */

typedef struct {
    int64_t              x;           /* orders                              */
    int64_t              y;
    int64_t              level;
    int32_t              starts;
    int32_t              ends;
    uint32_t             id;
    int32_t              value;
} trove_row_t;


/* Part of a query's shape: on the earth it may lie at both ends of the map. */

typedef struct {
    trove_box_t          box;         /* nothing outside of it is within     */
    trove_reach_t        reach;       /* of the box                          */
    trove_box_t          inner;
    double               x;           /* the centre as this part sees it     */
} trove_part_t;


/*
 * A query's shape, prepared.  "unit" is the root of the key of its radius, or
 * of half its larger side.  The root of a measure is wrong by at most "coarse"
 * if it is of the keys alone, and by "fine" if it is of both halves.  Where
 * "exact" is set, nothing can be measured and all is in doubt.
 */

typedef struct {
    trove_part_t         part[2];
    uint32_t             nparts;
    int                  exact;
    double               key;
    double               unit;
    double               coarse;
    double               fine;
    trove_probe_t        probe;       /* x, lo, hi and inner still to be set */
} trove_target_t;


/* Memory that is divided: without "mem" only the size is summed up. */

typedef struct {
    unsigned char       *mem;
    size_t               size;
} trove_carve_t;


void trove_target_init(trove_target_t *t, trove_space_kind_t space,
    const trove_query_t *q);

void trove_view_carve_base(trove_view_t *v, trove_carve_t *c, uint32_t rows);
void trove_view_carve_spare(trove_view_t *v, trove_carve_t *c);

/*
 * Maps the memory of a base of so many rows, and faults it in, with the places
 * of so many slots.  TROVE_OK, TROVE_NOMEM or TROVE_NOPAGES.
 */
trove_rc_t trove_view_map(trove_view_t *v, uint32_t rows, uint32_t seen,
    trove_pages_t pages);

/* 0 if nobody can have it, or can no longer. */
int trove_view_row(const trove_reward_t *r, trove_row_t *row);

/* Makes the slot's row what "row" says; NULL: none.  TROVE_OK, TROVE_FULL. */
trove_rc_t trove_view_put(trove_view_t *v, uint32_t slot,
    const trove_row_t *row);

/* Whether a point lies in a box of a leaf or bounds, as far as they tell. */
int trove_leaf_holds(const trove_leaf_t *leaf, uint32_t i, double x, double y);
int trove_bounds_hold(const trove_bounds_t *b, uint32_t i, double x, double y);


static inline uint32_t
trove_view_base(const trove_view_t *v)
{
    return v->blocks * TROVE_BLOCK;
}


static inline int
trove_canceled(trove_cancel_pt cancel)
{
    return cancel && cancel();
}


/* The arrays that a row is in; *i is its index there. */

static inline const trove_rows_t *
trove_view_rows(const trove_view_t *v, uint32_t row, uint32_t *i)
{
    uint32_t  base;

    base = trove_view_base(v);

    if (row < base) {
        *i = row;
        return &v->rows[0];
    }

    *i = row - base;

    return &v->rows[1];
}


static inline int32_t
trove_rows_key_x(const trove_rows_t *rows, uint32_t i)
{
    return rows->key[i / TROVE_BLOCK].x[i % TROVE_BLOCK];
}


static inline int32_t
trove_rows_key_y(const trove_rows_t *rows, uint32_t i)
{
    return rows->key[i / TROVE_BLOCK].y[i % TROVE_BLOCK];
}


static inline void
trove_rows_set(const trove_rows_t *rows, uint32_t i, const trove_row_t *row)
{
    rows->key[i / TROVE_BLOCK].x[i % TROVE_BLOCK] = trove_order_key(row->x);
    rows->key[i / TROVE_BLOCK].y[i % TROVE_BLOCK] = trove_order_key(row->y);
    rows->low[i / TROVE_BLOCK].x[i % TROVE_BLOCK] = (uint32_t) row->x;
    rows->low[i / TROVE_BLOCK].y[i % TROVE_BLOCK] = (uint32_t) row->y;
    rows->level[i] = trove_order_key(row->level);
    rows->level_low[i] = (uint32_t) row->level;
    rows->starts[i] = row->starts;
    rows->ends[i] = row->ends;
    rows->id[i] = row->id;
    rows->value[i] = row->value;
}


static inline void
trove_rows_get(const trove_rows_t *rows, uint32_t i, trove_row_t *row)
{
    const trove_keys_t  *key;
    const trove_lows_t  *low;

    key = &rows->key[i / TROVE_BLOCK];
    low = &rows->low[i / TROVE_BLOCK];

    row->x = trove_order_join(key->x[i % TROVE_BLOCK],
                              low->x[i % TROVE_BLOCK]);
    row->y = trove_order_join(key->y[i % TROVE_BLOCK],
                              low->y[i % TROVE_BLOCK]);
    row->level = trove_order_join(rows->level[i], rows->level_low[i]);
    row->starts = rows->starts[i];
    row->ends = rows->ends[i];
    row->id = rows->id[i];
    row->value = rows->value[i];
}


static inline void
trove_rows_clear(const trove_rows_t *rows, uint32_t i)
{
    rows->key[i / TROVE_BLOCK].x[i % TROVE_BLOCK] = TROVE_KEY_NONE;
    rows->key[i / TROVE_BLOCK].y[i % TROVE_BLOCK] = TROVE_KEY_NONE;
    rows->id[i] = 0;
}


static inline double
trove_rows_x(const trove_rows_t *rows, uint32_t i)
{
    return trove_unorder(trove_order_join(trove_rows_key_x(rows, i),
                         rows->low[i / TROVE_BLOCK].x[i % TROVE_BLOCK]));
}


static inline double
trove_rows_y(const trove_rows_t *rows, uint32_t i)
{
    return trove_unorder(trove_order_join(trove_rows_key_y(rows, i),
                         rows->low[i / TROVE_BLOCK].y[i % TROVE_BLOCK]));
}


/* The key of a level's order, rounded up. */

static inline int32_t
trove_level_gate(int64_t level)
{
    return trove_order_key(level) + ((uint32_t) level != 0);
}


/* Makes a gate let no more pass than it does and "other" does. */

static inline void
trove_gate_join(trove_gate_t *gate, const trove_gate_t *other)
{
    gate->level = other->level > gate->level ? other->level : gate->level;
    gate->starts = other->starts > gate->starts ? other->starts
                                                : gate->starts;
    gate->ends = other->ends < gate->ends ? other->ends : gate->ends;
}


static inline void
trove_gate_open(trove_gate_t *gate)
{
    gate->level = INT32_MIN;
    gate->starts = INT32_MIN;
    gate->ends = INT32_MAX;
}


static inline trove_gate_t
trove_row_gate(const trove_row_t *row)
{
    trove_gate_t  gate;

    gate.level = trove_level_gate(row->level);
    gate.starts = row->starts;
    gate.ends = row->ends;

    return gate;
}


static inline int
trove_gate_passes(const trove_gate_t *gate, const trove_filter_t *f)
{
    return gate->level <= f->level && gate->starts <= f->now
           && gate->ends >= f->now;
}


static inline int32_t
trove_second(uint32_t second)
{
    return (int32_t) (second ^ 0x80000000);
}


static inline trove_box_t
trove_row_box(const trove_row_t *row)
{
    trove_box_t  box;

    box.min_x = trove_order_key(row->x);
    box.max_x = box.min_x;
    box.min_y = trove_order_key(row->y);
    box.max_y = box.min_y;

    return box;
}


static inline void
trove_box_none(trove_box_t *box)
{
    box->min_x = INT32_MAX;
    box->max_x = INT32_MIN;
    box->min_y = INT32_MAX;
    box->max_y = INT32_MIN;
}


static inline void
trove_box_all(trove_box_t *box)
{
    box->min_x = INT32_MIN;
    box->max_x = INT32_MAX;
    box->min_y = INT32_MIN;
    box->max_y = INT32_MAX;
}


static inline void
trove_box_join(trove_box_t *box, const trove_box_t *other)
{
    box->min_x = other->min_x < box->min_x ? other->min_x : box->min_x;
    box->max_x = other->max_x > box->max_x ? other->max_x : box->max_x;
    box->min_y = other->min_y < box->min_y ? other->min_y : box->min_y;
    box->max_y = other->max_y > box->max_y ? other->max_y : box->max_y;
}


static inline int
trove_box_holds(const trove_box_t *box, const trove_box_t *other)
{
    return other->min_x >= box->min_x && other->max_x <= box->max_x
           && other->min_y >= box->min_y && other->max_y <= box->max_y;
}


#endif /* TROVE_VIEW_DATA_H_INCLUDED */
