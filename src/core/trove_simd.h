/*
 * The kernels that rewards and the bounds of their blocks are scanned with,
 * written three times beside each other (trove_simd.c) and chosen once.
 *
 * A coordinate is kept as its order: the bits of the double, made to sort as
 * a signed 64-bit integer, split into an upper half, the key, and a lower.
 *
 *      double   ->   [ key: int32 | low: uint32 ]
 *
 * A key is the order rounded down, therefore what holds for doubles, a <= b,
 * holds for their keys, and a scan of the keys alone selects all that the
 * doubles would and a little more.
 *
 *   block    16 rows, neighbours in space
 *   leaf     the boxes of 64 blocks, in 255ths of the box that holds them all:
 *            5 cache lines, few enough for those of millions of rows to stay
 *            cached
 *   bounds   the boxes of 128 leaves, or of 128 bounds, in the same way
 *   gate     what a query must reach so that all rows pass it by their level
 *            and time
 *
 * Kernels that go through a list of nodes and make one of what lies below do
 * so without a branch that depends on what they find: a query is short, and
 * what a branch predictor cannot foresee is most of its time.
 */

#ifndef TROVE_SIMD_H_INCLUDED
#define TROVE_SIMD_H_INCLUDED


#include <string.h>

#include "trove.h"


#define TROVE_BLOCK          16     /* rows                                  */
#define TROVE_LEAF           64     /* blocks                                */
#define TROVE_LEAF_ROWS      (TROVE_LEAF * TROVE_BLOCK)
#define TROVE_BOUNDS         128    /* leaves, or bounds                     */
#define TROVE_SWEEP          4      /* blocks that are swept at a time       */
#define TROVE_LANES          16     /* running minima, see trove_tally_t     */

/* A list is added to while it is not longer than this. */
#define TROVE_LIST           64
#define TROVE_LIST_ROOM      (TROVE_LIST + 2 * TROVE_BOUNDS)

#define TROVE_STAGE_BLOCKS   32
#define TROVE_STAGE          (TROVE_STAGE_BLOCKS * TROVE_BLOCK)
#define TROVE_STAGE_ROOM     (TROVE_STAGE + 16)

/* The key of a row that is none; those of finite numbers are below. */
#define TROVE_KEY_NONE       INT32_MAX
#define TROVE_KEY_MAX        0x7fefffff
#define TROVE_KEY_MIN        (-TROVE_KEY_MAX - 1)

/* In leaves and bounds: above all that a query asks for. */
#define TROVE_SHARE_NONE     255
#define TROVE_SHARE_MAX      254

#define TROVE_TERMS_MAX      11     /* of the series below                   */


typedef enum {
    TROVE_SIMD_AUTO,
    TROVE_SIMD_AVX512,
    TROVE_SIMD_AVX2,
    TROVE_SIMD_SCALAR
} trove_simd_kind_t;


typedef struct trove_simd_s  trove_simd_t;


/*
 * The coordinates of a block: side by side, for they are fetched together, in
 * a pair of cache lines.
 */

typedef struct {
    int32_t        x[TROVE_BLOCK];
    int32_t        y[TROVE_BLOCK];
} trove_keys_t;


typedef struct {
    uint32_t       x[TROVE_BLOCK];
    uint32_t       y[TROVE_BLOCK];
} trove_lows_t;


/* Rows as parallel arrays, each aligned to a pair of cache lines. */

typedef struct {
    trove_keys_t  *key;             /* of a block                            */
    trove_lows_t  *low;
    int32_t       *level;           /* key and low as a coordinate's         */
    uint32_t      *level_low;
    int32_t       *starts;          /* first and last second, less 2^31      */
    int32_t       *ends;
    uint32_t      *id;
    int32_t       *value;
} trove_rows_t;


/* Closed, in keys; empty if a minimum is above its maximum. */

typedef struct {
    int32_t    min_x;
    int32_t    max_x;
    int32_t    min_y;
    int32_t    max_y;
} trove_box_t;


/* The same in numbers that hold all that the keys do. */

typedef struct {
    double     min_x;
    double     max_x;
    double     min_y;
    double     max_y;
} trove_reach_t;


/* Largest level, rounded up to a key; latest start and earliest end. */

typedef struct {
    int32_t    level;
    int32_t    starts;
    int32_t    ends;
} trove_gate_t;


/*
 * What shares are shares of.  A box is rounded down to shares on all four
 * sides by one function that never falls, trove_share(), and so is what it is
 * compared with: what meets in numbers meets in shares.  What lies beyond the
 * frame has the first share or, as a maximum, TROVE_SHARE_NONE.
 */

typedef struct {
    double         x;         /* where the shares begin                      */
    double         y;
    double         step_x;    /* shares per unit; 0: all is the first share  */
    double         step_y;
} trove_frame_t;


typedef struct {
    uint8_t        min_x[TROVE_BOUNDS];
    uint8_t        max_x[TROVE_BOUNDS];
    uint8_t        min_y[TROVE_BOUNDS];
    uint8_t        max_y[TROVE_BOUNDS];
    trove_frame_t  frame;
} trove_aligned(TROVE_CACHE_LINE) trove_bounds_t;


typedef struct {
    uint8_t        min_x[TROVE_LEAF];
    uint8_t        max_x[TROVE_LEAF];
    uint8_t        min_y[TROVE_LEAF];
    uint8_t        max_y[TROVE_LEAF];
    trove_frame_t  frame;
    trove_gate_t   gate;      /* of all the rows below                       */
    uint32_t       chain;     /* the view's, see trove_view_data.h           */
} trove_aligned(TROVE_CACHE_LINE) trove_leaf_t;


/* Rows pass with a level up to this and a time that this lies within. */

typedef struct {
    int32_t    level;
    uint32_t   level_low;
    int32_t    now;
} trove_filter_t;


/*
 * Blocks whose rows are to be looked at.  Bit i of a block's "pass": row i may
 * be found; it points to trove_simd_all if all may, as far as is known, and
 * "partial" says that this is to be found out.
 */

typedef struct {
    uint32_t         block[TROVE_LIST_ROOM];
    const uint32_t  *pass;
    uint32_t         n;
    uint32_t         partial;
} trove_picks_t;


/*
 * Rows put side by side, with both halves of their coordinates, and what they
 * measure.
 */

typedef struct {
    int32_t    x[TROVE_STAGE_ROOM];
    int32_t    y[TROVE_STAGE_ROOM];
    uint32_t   x_low[TROVE_STAGE_ROOM];
    uint32_t   y_low[TROVE_STAGE_ROOM];
    uint32_t   row[TROVE_STAGE_ROOM];
    double     measure[TROVE_STAGE_ROOM];
    uint32_t   n;
} trove_stage_t;


/*
 * What rows are measured by.  A measure is what trove_space_key() would say,
 * approximately.  Up to "lo" and inside of "inner" a row is certainly within
 * the shape, above "hi" certainly not; what lies between is in doubt.
 */

typedef struct {
    double       x;
    double       y;
    double       lo;
    double       hi;
    double       sin_y;       /* on the earth                                */
    double       cos_y;
    uint32_t     terms[2];    /* of the series, that suffice for floats and  */
                              /* for doubles, 1 at least                     */
    uint32_t     boxed;       /* there is an inner box                       */
    trove_box_t  inner;
} trove_probe_t;


/* With room for TROVE_STAGE_ROOM rows more than "n" says. */

typedef struct {
    double    *measure;
    uint32_t  *row;
    uint32_t   n;
} trove_near_t;


/*
 * "lane" is the least measures of as many disjoint parts of the rows that are
 * certainly within: the third of them in order, say, bounds the third of all.
 */

typedef struct {
    float          lane[TROVE_LANES];
    uint64_t       found;     /* rows that are certainly within              */
    trove_near_t   doubt;

    /* of the rows of the blocks measured last; infinity: not within */

    float          measure[TROVE_STAGE];
} trove_tally_t;


struct trove_simd_s {
    const char  *name;

    /*
     * From nodes[*i] on, lists the numbers of all below whose boxes meet the
     * reach, until "last" or until there are more than TROVE_LIST; moves *i
     * and returns how many.
     */
    uint32_t   (*descend)(const trove_bounds_t *bounds, const uint32_t *nodes,
                          uint32_t *i, uint32_t last,
                          const trove_reach_t *reach, uint32_t *below);

    /* The same of leaves; notes if one's gate does not let all pass. */
    void       (*leaves)(const trove_leaf_t *leaves, const uint32_t *nodes,
                         uint32_t *i, uint32_t last,
                         const trove_reach_t *reach, const trove_filter_t *f,
                         trove_picks_t *picks);

    /* Bit i: row i of the block passes. */
    uint32_t   (*filter)(const trove_rows_t *rows, uint32_t block,
                         const trove_filter_t *f);

    /*
     * Measures the rows that lie in the box, of the blocks picked from "i" up
     * to "last", TROVE_STAGE_BLOCKS at most, by their keys alone; by
     * trove_space_kind_t.  "base" is added to the numbers of rows.
     */
    void       (*measure[2])(const trove_rows_t *rows,
                             const trove_picks_t *picks, uint32_t i,
                             uint32_t last, uint32_t base,
                             const trove_box_t *box,
                             const trove_probe_t *probe, trove_tally_t *t);

    /*
     * Lists the places in t->measure of those that measured at most "near", of
     * n blocks; returns how many.
     */
    uint32_t   (*list)(const trove_tally_t *t, uint32_t n, float near,
                       uint32_t *places);

    /* Stages the rows that lie in the box, of blocks as above; no lows yet. */
    void       (*stage)(const trove_rows_t *rows, const trove_picks_t *picks,
                        uint32_t i, uint32_t last, uint32_t base,
                        const trove_box_t *box, trove_stage_t *stage);

    /* The two above for staged rows, by both halves of their coordinates. */
    void       (*measure_low[2])(trove_stage_t *stage,
                                 const trove_probe_t *probe, trove_tally_t *t);
    void       (*list_low)(const trove_stage_t *stage, double near,
                           trove_near_t *list);

    /*
     * Picks the blocks from *block on, and before "last", of which a row, or
     * one of a neighbour, lies in the box, until there are TROVE_LIST; moves
     * *block.
     */
    void       (*sweep)(const trove_rows_t *rows, uint32_t *block,
                        uint32_t last, const trove_box_t *box,
                        trove_picks_t *picks);
};


extern const uint32_t  trove_simd_all[TROVE_LIST_ROOM];

/*
 * The series, in powers of the angle's square: that of sin(t/2)^2 / t^2, and
 * that of sin(t) / t.
 */
extern const double    trove_simd_half[TROVE_TERMS_MAX];
extern const double    trove_simd_sine[TROVE_TERMS_MAX];


/* NULL if this machine cannot run the kernels asked for; auto always can. */
const trove_simd_t *trove_simd_select(trove_simd_kind_t kind);

/* "avx512", "avx2", "scalar" */
const char *trove_simd_name(const trove_simd_t *simd);


/* The order of a number; that of -0 is that of 0. */

static inline int64_t
trove_order(double d)
{
    int64_t  bits;

    d += 0.0;
    memcpy(&bits, &d, sizeof(double));

    return bits ^ (int64_t) ((uint64_t) (bits >> 63) >> 1);
}


static inline double
trove_unorder(int64_t order)
{
    double  d;

    order ^= (int64_t) ((uint64_t) (order >> 63) >> 1);
    memcpy(&d, &order, sizeof(double));

    return d;
}


static inline int32_t
trove_order_key(int64_t order)
{
    return (int32_t) (order >> 32);
}


static inline int64_t
trove_order_join(int32_t key, uint32_t low)
{
    return (int64_t) ((uint64_t) (uint32_t) key << 32 | low);
}


/* The share that a number falls in, TROVE_SHARE_NONE if it is above all. */

static inline uint32_t
trove_share(double v, double origin, double step)
{
    v = (v - origin) * step;

    /* in this form what is not a number becomes 0 */

    v = v > 0 ? v : 0;

    return (uint32_t) (v < TROVE_SHARE_NONE ? v : TROVE_SHARE_NONE);
}


#endif /* TROVE_SIMD_H_INCLUDED */
