/*
 * The kernels: each does what the scalar one does, for every length and any
 * value; and what they measure is wrong by no more than is said.
 */

#include <float.h>
#include <math.h>

#include "unit.h"

#include "trove_view_data.h"


#define BLOCKS  70
#define ROWS    (BLOCKS * TROVE_BLOCK)
#define NODES   40


static const trove_simd_t  *scalar;
static const trove_simd_t  *kernels[2];
static int                  nkernels;

static trove_keys_t         key[BLOCKS] trove_aligned(64);
static trove_lows_t         low[BLOCKS] trove_aligned(64);
static int32_t              level[ROWS] trove_aligned(64);
static uint32_t             level_low[ROWS] trove_aligned(64);
static int32_t              starts[ROWS] trove_aligned(64);
static int32_t              ends[ROWS] trove_aligned(64);
static uint32_t             id[ROWS];
static int32_t              value[ROWS];
static trove_rows_t         rows;

static trove_bounds_t       bounds[NODES];
static trove_leaf_t         leaves[NODES];
static trove_picks_t        picks[2];
static uint32_t             pass[TROVE_LIST_ROOM];
static trove_stage_t        stage[2];
static trove_tally_t        tally[2];

static double               doubt_measure[2][TROVE_STAGE_ROOM];
static uint32_t             doubt_row[2][TROVE_STAGE_ROOM];
static double               near_measure[2][2 * TROVE_STAGE_ROOM];
static uint32_t             near_row[2][2 * TROVE_STAGE_ROOM];


/* Few different ones, so that they are often equal, and all the odd ones. */

static int32_t
random_key(void)
{
    static const int32_t  odd[] = {
        INT32_MIN, INT32_MAX, TROVE_KEY_MAX, TROVE_KEY_MIN, 0, -1, 1
    };

    switch (random_below(8)) {

    case 0:
        return odd[random_below(sizeof(odd) / sizeof(odd[0]))];

    case 1:
        return (int32_t) random_bits();

    default:
        return (int32_t) random_below(9) - 4;
    }
}


static trove_box_t
random_box(void)
{
    trove_box_t  box;

    box.min_x = random_key();
    box.max_x = random_key();
    box.min_y = random_key();
    box.max_y = random_key();

    if (random_below(4)) {
        box.max_x = box.max_x == INT32_MAX ? TROVE_KEY_MAX : box.max_x;
        box.min_x = random_below(2) ? box.min_x : INT32_MIN;
        box.min_y = random_below(2) ? box.min_y : INT32_MIN;
    }

    return box;
}


static void
random_rows(void)
{
    uint32_t  i, k;

    for (i = 0; i < BLOCKS; i++) {
        for (k = 0; k < TROVE_BLOCK; k++) {
            key[i].x[k] = random_key();
            key[i].y[k] = random_key();
            low[i].x[k] = (uint32_t) random_bits();
            low[i].y[k] = (uint32_t) random_bits();
        }
    }

    for (i = 0; i < ROWS; i++) {
        level[i] = random_key();
        level_low[i] = (uint32_t) random_key();
        starts[i] = random_key();
        ends[i] = random_key();
    }

    rows.key = key;
    rows.low = low;
    rows.level = level;
    rows.level_low = level_low;
    rows.starts = starts;
    rows.ends = ends;
    rows.id = id;
    rows.value = value;
}


static void
random_filter(trove_filter_t *f)
{
    f->level = random_key();
    f->level_low = (uint32_t) random_key();
    f->now = random_key();
}


static double
random_number(void)
{
    static const double  odd[] = {
        0, 1, -1, INFINITY, -INFINITY, DBL_MAX, -DBL_MAX, 4.9e-324, 1e-300
    };

    if (random_below(3) == 0) {
        return odd[random_below(sizeof(odd) / sizeof(odd[0]))];
    }

    return random_between(-3, 3);
}


static void
random_frame(trove_frame_t *f)
{
    f->x = random_number();
    f->y = random_number();
    f->step_x = random_below(4) ? random_between(0, 200) : 0;
    f->step_y = random_below(4) ? random_between(0, 200) : 0;
}


static void
random_bytes(void *p, size_t size)
{
    uint8_t  *b;

    for (b = p; size; size--, b++) {
        *b = random_below(4) ? (uint8_t) random_below(256)
                             : (uint8_t) (255 * random_below(2));
    }
}


static void
test_descend(void **state)
{
    int            k, round;
    uint32_t       i[2], n[2], j, nodes[NODES], last;
    trove_reach_t  reach;

    static uint32_t  below[2][TROVE_LIST_ROOM];

    for (round = 0; round < 400; round++) {
        random_bytes(bounds, sizeof(bounds));

        for (j = 0; j < NODES; j++) {
            random_frame(&bounds[j].frame);
            nodes[j] = random_below(NODES);
        }

        reach.min_x = random_number();
        reach.max_x = random_number();
        reach.min_y = random_number();
        reach.max_y = random_number();

        last = random_below(NODES + 1);

        for (k = 0; k < nkernels; k++) {
            i[0] = i[1] = 0;

            do {
                n[0] = scalar->descend(bounds, nodes, &i[0], last, &reach,
                                       below[0]);
                n[1] = kernels[k]->descend(bounds, nodes, &i[1], last, &reach,
                                           below[1]);

                assert_int_equal(n[0], n[1]);
                assert_int_equal(i[0], i[1]);
                assert_memory_equal(below[0], below[1], n[0] * 4);
            } while (i[0] < last);
        }
    }
}


static void
test_leaves(void **state)
{
    int             k, round;
    uint32_t        i[2], j, nodes[NODES], last;
    trove_reach_t   reach;
    trove_filter_t  f;

    for (round = 0; round < 400; round++) {
        random_bytes(leaves, sizeof(leaves));

        for (j = 0; j < NODES; j++) {
            random_frame(&leaves[j].frame);
            leaves[j].gate.level = random_key();
            leaves[j].gate.starts = random_key();
            leaves[j].gate.ends = random_key();
            nodes[j] = random_below(NODES);
        }

        reach.min_x = random_number();
        reach.max_x = random_number();
        reach.min_y = random_number();
        reach.max_y = random_number();

        random_filter(&f);
        last = random_below(NODES + 1);

        for (k = 0; k < nkernels; k++) {
            i[0] = i[1] = 0;

            do {
                picks[0].n = picks[1].n = random_below(TROVE_LIST);
                picks[0].partial = picks[1].partial = 0;
                memset(picks[0].block, 0, sizeof(picks[0].block));
                memset(picks[1].block, 0, sizeof(picks[1].block));

                scalar->leaves(leaves, nodes, &i[0], last, &reach, &f,
                               &picks[0]);
                kernels[k]->leaves(leaves, nodes, &i[1], last, &reach, &f,
                                   &picks[1]);

                assert_int_equal(i[0], i[1]);
                assert_int_equal(picks[0].n, picks[1].n);
                assert_int_equal(!picks[0].partial, !picks[1].partial);
                assert_memory_equal(picks[0].block, picks[1].block,
                                    picks[0].n * 4);
            } while (i[0] < last);
        }
    }
}


static void
test_filter(void **state)
{
    int             k;
    uint32_t        b;
    trove_filter_t  f;

    for (b = 0; b < 40 * BLOCKS; b++) {

        if (b % BLOCKS == 0) {
            random_rows();
        }

        random_filter(&f);

        for (k = 0; k < nkernels; k++) {
            assert_int_equal(scalar->filter(&rows, b % BLOCKS, &f),
                             kernels[k]->filter(&rows, b % BLOCKS, &f));
        }
    }
}


static void
test_sweep(void **state)
{
    int          k;
    uint32_t     block[2], last;
    trove_box_t  box;

    for (last = 0; last <= BLOCKS; last++) {
        random_rows();
        box = random_box();

        for (k = 0; k < nkernels; k++) {
            block[0] = block[1] = random_below(last + 1);

            while (block[0] < last) {
                scalar->sweep(&rows, &block[0], last, &box, &picks[0]);
                kernels[k]->sweep(&rows, &block[1], last, &box, &picks[1]);

                assert_int_equal(block[0], block[1]);
                assert_int_equal(picks[0].n, picks[1].n);
                assert_memory_equal(picks[0].block, picks[1].block,
                                    picks[0].n * 4);
            }
        }
    }
}


/* Any blocks, with any rows of them passing. */

static void
random_picks(uint32_t n)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        picks[0].block[i] = random_below(BLOCKS);
        pass[i] = random_below(2) ? UINT32_MAX : (uint32_t) random_bits();
    }

    picks[0].n = n;
    picks[0].pass = random_below(2) ? pass : trove_simd_all;
}


static void
test_stage(void **state)
{
    int          k;
    uint32_t     n, first, base;
    trove_box_t  box;

    for (n = 0; n <= TROVE_STAGE_BLOCKS; n++) {
        random_rows();
        random_picks(40);
        box = random_box();
        base = random_below(1000000);
        first = random_below(40 - n + 1);

        scalar->stage(&rows, &picks[0], first, first + n, base, &box,
                      &stage[0]);

        for (k = 0; k < nkernels; k++) {
            kernels[k]->stage(&rows, &picks[0], first, first + n, base, &box,
                              &stage[1]);

            assert_int_equal(stage[0].n, stage[1].n);
            assert_memory_equal(stage[0].x, stage[1].x, stage[0].n * 4);
            assert_memory_equal(stage[0].y, stage[1].y, stage[0].n * 4);
            assert_memory_equal(stage[0].row, stage[1].row, stage[0].n * 4);
        }
    }
}


static void
test_list(void **state)
{
    int       k;
    float     near;
    uint32_t  n, i, count;

    static uint32_t  places[2][TROVE_STAGE_ROOM];

    for (n = 0; n <= TROVE_STAGE_BLOCKS; n++) {

        for (i = 0; i < n * TROVE_BLOCK; i++) {
            tally[0].measure[i] = random_below(3) ? (float) random_below(9)
                                                  : INFINITY;
        }

        near = random_below(4) ? (float) random_below(9) : FLT_MAX;
        count = scalar->list(&tally[0], n, near, places[0]);

        for (k = 0; k < nkernels; k++) {
            assert_int_equal(count, kernels[k]->list(&tally[0], n, near,
                                                     places[1]));
            assert_memory_equal(places[0], places[1], count * 4);
        }
    }
}


static void
test_list_low(void **state)
{
    int           k, i;
    uint32_t      n, j, held;
    double        near;
    trove_near_t  list[2];

    for (n = 0; n <= TROVE_STAGE; n += 1 + n / 70) {
        stage[0].n = n;

        for (j = 0; j < n; j++) {
            stage[0].row[j] = (uint32_t) random_bits();
            stage[0].measure[j] = random_below(3) ? random_below(9) : INFINITY;
        }

        near = random_below(4) ? random_below(9) : DBL_MAX;
        held = random_below(TROVE_STAGE);

        for (k = 0; k < nkernels; k++) {
            for (i = 0; i < 2; i++) {
                list[i].measure = near_measure[i];
                list[i].row = near_row[i];
                list[i].n = held;
            }

            scalar->list_low(&stage[0], near, &list[0]);
            kernels[k]->list_low(&stage[0], near, &list[1]);

            assert_int_equal(list[0].n, list[1].n);
            assert_memory_equal(&near_measure[0][held], &near_measure[1][held],
                                (list[0].n - held) * 8);
            assert_memory_equal(&near_row[0][held], &near_row[1][held],
                                (list[0].n - held) * 4);
        }
    }
}


/* Points about a centre, as near as a radius and much nearer. */

static void
random_points(trove_space_kind_t space, const trove_query_t *q)
{
    double    x, y, d, scale;
    uint32_t  i;

    scale = space == TROVE_EARTH ? 180 / (M_PI * TROVE_EARTH_RADIUS) : 1;

    for (i = 0; i < ROWS; i++) {
        d = q->r * scale * (random_below(3) ? 1.1 : exp(random_between(-9, 0)));
        x = q->x + random_between(-d, d);
        y = q->y + random_between(-d, d);

        if (space == TROVE_EARTH) {
            x = random_below(3) ? x : q->x + random_between(-360, 360);
            x = remainder(x, 360);
            y = fmax(-90, fmin(90, y));
        }

        key[i / TROVE_BLOCK].x[i % TROVE_BLOCK] =
                                            trove_order_key(trove_order(x));
        key[i / TROVE_BLOCK].y[i % TROVE_BLOCK] =
                                            trove_order_key(trove_order(y));
        low[i / TROVE_BLOCK].x[i % TROVE_BLOCK] = (uint32_t) trove_order(x);
        low[i / TROVE_BLOCK].y[i % TROVE_BLOCK] = (uint32_t) trove_order(y);
    }
}


static void
random_circle(trove_space_kind_t space, trove_query_t *q)
{
    memset(q, 0, sizeof(trove_query_t));

    if (space == TROVE_PLANE) {
        q->x = random_between(-1, 1) * exp(random_between(-20, 20));
        q->y = random_between(-1, 1) * exp(random_between(-20, 20));
        q->r = exp(random_between(-10, 20));
        return;
    }

    q->x = random_between(-180, 180);
    q->y = random_below(4) ? random_between(-90, 90)
                           : 90 - exp(random_between(-15, 2));
    q->r = exp(random_between(-3, 17));
}


static void
tally_init(trove_tally_t *t, int i)
{
    uint32_t  k;

    memset(t, 0, sizeof(trove_tally_t));

    t->doubt.measure = doubt_measure[i];
    t->doubt.row = doubt_row[i];

    for (k = 0; k < TROVE_LANES; k++) {
        t->lane[k] = INFINITY;
    }
}


static void
measured(trove_space_kind_t space, const trove_query_t *q, double error,
    uint32_t row, double m)
{
    double       exact;
    trove_row_t  at;

    trove_rows_get(&rows, row, &at);

    exact = trove_space_key(space, q->x, q->y, trove_unorder(at.x),
                            trove_unorder(at.y));

    if (fabs(sqrt(m) - sqrt(exact)) > error) {
        print_message("space %d, %.17g,%.17g - %.17g,%.17g: %.17g instead of "
                      "%.17g, error %g above %g\n", (int) space, q->x, q->y,
                      trove_unorder(at.x), trove_unorder(at.y), m, exact,
                      fabs(sqrt(m) - sqrt(exact)), error);
        fail();
    }
}


/*
 * The least of the lanes is that of all; a row in doubt is not measured, one
 * that is neither is not within.
 */

static void
tallied(trove_tally_t *t, const double *m, uint32_t n)
{
    float     least, lane;
    uint32_t  i, found;

    least = INFINITY;
    lane = INFINITY;
    found = 0;

    for (i = 0; i < n; i++) {
        found += m[i] < INFINITY;
        least = fminf(least, (float) m[i]);
    }

    for (i = 0; i < TROVE_LANES; i++) {
        lane = fminf(lane, t->lane[i]);
    }

    assert_int_equal(t->found, found);
    assert_true(least == lane);
}


static void
measure_keys(const trove_simd_t *simd, trove_space_kind_t space,
    const trove_query_t *q, trove_target_t *t, uint32_t n)
{
    double    m[TROVE_STAGE];
    uint32_t  i, row;

    tally_init(&tally[0], 0);

    simd->measure[space](&rows, &picks[0], 0, n, 0, &t->part[0].box,
                         &t->probe, &tally[0]);

    for (i = 0; i < n * TROVE_BLOCK; i++) {
        row = picks[0].block[i / TROVE_BLOCK] * TROVE_BLOCK + i % TROVE_BLOCK;
        m[i] = tally[0].measure[i];

        if (m[i] < INFINITY) {
            assert_true((picks[0].pass[i / TROVE_BLOCK] >> (i % TROVE_BLOCK))
                        & 1);
            measured(space, q, t->coarse, row, m[i]);
        }
    }

    tallied(&tally[0], m, n * TROVE_BLOCK);

    for (i = 0; i < tally[0].doubt.n; i++) {
        measured(space, q, t->coarse, doubt_row[0][i], doubt_measure[0][i]);
    }
}


static void
measure_lows(const trove_simd_t *simd, trove_space_kind_t space,
    const trove_query_t *q, trove_target_t *t, uint32_t n)
{
    uint32_t  i, row;

    tally_init(&tally[0], 0);

    scalar->stage(&rows, &picks[0], 0, n, 0, &t->part[0].box, &stage[0]);

    for (i = 0; i < stage[0].n; i++) {
        row = stage[0].row[i];
        stage[0].x_low[i] = low[row / TROVE_BLOCK].x[row % TROVE_BLOCK];
        stage[0].y_low[i] = low[row / TROVE_BLOCK].y[row % TROVE_BLOCK];
    }

    /* lengths that are no multiple of a vector's */

    stage[0].n -= stage[0].n ? random_below(stage[0].n) : 0;

    simd->measure_low[space](&stage[0], &t->probe, &tally[0]);

    for (i = 0; i < stage[0].n; i++) {
        if (stage[0].measure[i] < INFINITY) {
            measured(space, q, t->fine, stage[0].row[i], stage[0].measure[i]);
        }
    }

    tallied(&tally[0], stage[0].measure, stage[0].n);

    for (i = 0; i < tally[0].doubt.n; i++) {
        measured(space, q, t->fine, doubt_row[0][i], doubt_measure[0][i]);
    }
}


static void
test_measure(void **state)
{
    int                  k, round;
    uint32_t             n;
    trove_query_t        q;
    trove_target_t       t;
    trove_space_kind_t   space;

    for (round = 0; round < 600; round++) {
        space = (trove_space_kind_t) (round % 2);
        n = (uint32_t) round / 2 % (TROVE_STAGE_BLOCKS + 1);

        random_circle(space, &q);
        random_points(space, &q);
        random_picks(n);

        trove_target_init(&t, space, &q);
        assert_false(t.exact);

        t.probe.x = t.part[0].x;
        t.probe.inner = t.part[0].inner;

        for (k = -1; k < nkernels; k++) {

            if (t.coarse < 0.1 * t.unit) {
                t.probe.lo = (t.unit - t.coarse) * (t.unit - t.coarse);
                t.probe.hi = (t.unit + t.coarse) * (t.unit + t.coarse);
                measure_keys(k < 0 ? scalar : kernels[k], space, &q, &t, n);
            }

            t.probe.lo = (t.unit - t.fine) * (t.unit - t.fine);
            t.probe.hi = (t.unit + t.fine) * (t.unit + t.fine);
            measure_lows(k < 0 ? scalar : kernels[k], space, &q, &t, n);
        }
    }
}


static void
test_order(void **state)
{
    int     i;
    double  a, b;

    for (i = 0; i < 100000; i++) {
        a = random_below(2) ? random_number() : random_between(-1, 1);
        b = random_below(2) ? random_number() : random_between(-1, 1);

        assert_int_equal(a < b, trove_order(a) < trove_order(b));
        assert_int_equal(a == b, trove_order(a) == trove_order(b));
        assert_true(trove_unorder(trove_order(a)) == a);
    }

    assert_int_equal(trove_order(-0.0), trove_order(0.0));
}


static void
test_select(void **state)
{
    assert_string_equal(trove_simd_name(scalar), "scalar");
    assert_non_null(trove_simd_select(TROVE_SIMD_AUTO));
    assert_ptr_equal(trove_simd_select(TROVE_SIMD_AUTO),
                     nkernels ? kernels[nkernels - 1] : scalar);
}


int
main(void)
{
    int                  i;
    const trove_simd_t  *simd;

    static const trove_simd_kind_t  kinds[] = {
        TROVE_SIMD_AVX2, TROVE_SIMD_AVX512
    };

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_descend),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_stage),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_low),
        cmocka_unit_test(test_measure),
    };

    (void) random_setup(NULL);

    scalar = trove_simd_select(TROVE_SIMD_SCALAR);

    for (i = 0; i < 2; i++) {
        simd = trove_simd_select(kinds[i]);

        if (simd != NULL) {
            kernels[nkernels++] = simd;
        }
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
