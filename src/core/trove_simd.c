/*
 * Scalar, AVX2 and AVX-512 beside each other.  The scalar kernels are the
 * truth: the others give the same masks, rows and orders of rows, while their
 * measures may differ in the last bits, which no answer depends on.
 */

#include <math.h>

#include "trove_simd.h"

#if defined(__x86_64__)

#define TROVE_SIMD_X86  1
#include <immintrin.h>

#define TROVE_AVX2      __attribute__((target("avx2,fma,bmi,popcnt")))
#define TROVE_AVX512                                                         \
    __attribute__((target("avx2,fma,bmi,popcnt,avx512f,avx512bw,"            \
                          "avx512dq,avx512vl")))

#else

#define TROVE_SIMD_X86  0

#endif

/* The key of the least float, and what moves a key's exponent to a float's
 * and sets its lower half to the middle. */

#define TROVE_FLOAT_LEAST  ((1023 - 126) << 20)
#define TROVE_FLOAT_MOVE   ((int32_t) (4u - ((1023u - 127u) << 23)))

#define TROVE_RADIAN    (M_PI / 180.0)

#define TROVE_LAST_BIT  ((uint64_t) 1 << 63)

#define TROVE_INLINE    static inline __attribute__((always_inline))


const uint32_t  trove_simd_all[TROVE_LIST_ROOM] = {
    [0 ... TROVE_LIST_ROOM - 1] = 0xffffffff
};


const double  trove_simd_half[TROVE_TERMS_MAX] = {
    1 / 4.0, -1 / 48.0, 1 / 1440.0, -1 / 80640.0, 1 / 7257600.0,
    -1 / 958003200.0, 1 / 174356582400.0, -1 / 41845579776000.0,
    1 / 12804747411456000.0, -1 / 4865804016353280000.0,
    1 / 2248001455555215360000.0
};


const double  trove_simd_sine[TROVE_TERMS_MAX] = {
    1, -1 / 6.0, 1 / 120.0, -1 / 5040.0, 1 / 362880.0, -1 / 39916800.0,
    1 / 6227020800.0, -1 / 1307674368000.0, 1 / 355687428096000.0,
    -1 / 121645100408832000.0, 1 / 51090942171709440000.0
};


/* Scalar */


TROVE_INLINE uint32_t
trove_gate_pass(const trove_gate_t *gate, const trove_filter_t *f)
{
    return (gate->level <= f->level) & (gate->starts <= f->now)
           & (gate->ends >= f->now);
}


/*
 * Lists the numbers from "first" on of the bits of a mask; returns how many.
 * Some are listed in any case, so that there is mostly no jump to be foreseen.
 */

TROVE_INLINE uint32_t
trove_number(uint32_t *list, uint32_t first, uint64_t mask)
{
    uint32_t  i, n;

    n = (uint32_t) __builtin_popcountll(mask);

    for (i = 0; i < 8; i++) {
        list[i] = first + (uint32_t) __builtin_ctzll(mask | TROVE_LAST_BIT);
        mask &= mask - 1;
    }

    for ( /* void */ ; trove_unlikely(i < n); i++) {
        list[i] = first + (uint32_t) __builtin_ctzll(mask);
        mask &= mask - 1;
    }

    return n;
}


/* The shares of a reach, of which the least can be above all there are. */

typedef struct {
    uint32_t  min_x;
    uint32_t  max_x;
    uint32_t  min_y;
    uint32_t  max_y;
} trove_shares_t;


TROVE_INLINE trove_shares_t
trove_shares_scalar(const trove_frame_t *f, const trove_reach_t *reach)
{
    trove_shares_t  s;

    s.min_x = trove_share(reach->min_x, f->x, f->step_x);
    s.max_x = trove_share(reach->max_x, f->x, f->step_x);
    s.min_y = trove_share(reach->min_y, f->y, f->step_y);
    s.max_y = trove_share(reach->max_y, f->y, f->step_y);

    s.max_x -= s.max_x == TROVE_SHARE_NONE;
    s.max_y -= s.max_y == TROVE_SHARE_NONE;

    return s;
}


/* Which of 64 boxes meet the shares. */

TROVE_INLINE uint64_t
trove_meet_scalar(const uint8_t *min_x, const uint8_t *max_x,
    const uint8_t *min_y, const uint8_t *max_y, const trove_shares_t *s)
{
    uint32_t  i;
    uint64_t  bit, mask;

    mask = 0;

    for (i = 0; i < 64; i++) {
        bit = (min_x[i] <= s->max_x) & (max_x[i] >= s->min_x)
              & (min_y[i] <= s->max_y) & (max_y[i] >= s->min_y);
        mask |= bit << i;
    }

    return mask;
}


static uint32_t
trove_descend_scalar(const trove_bounds_t *bounds, const uint32_t *nodes,
    uint32_t *i, uint32_t last, const trove_reach_t *reach, uint32_t *below)
{
    uint32_t               k, n, at;
    uint64_t               mask;
    trove_shares_t         s;
    const trove_bounds_t  *b;

    n = 0;

    for (at = *i; at < last && n <= TROVE_LIST; at++) {
        b = &bounds[nodes[at]];
        s = trove_shares_scalar(&b->frame, reach);

        for (k = 0; k < TROVE_BOUNDS; k += 64) {
            mask = trove_meet_scalar(&b->min_x[k], &b->max_x[k], &b->min_y[k],
                                     &b->max_y[k], &s);
            n += trove_number(&below[n], nodes[at] * TROVE_BOUNDS + k, mask);
        }
    }

    *i = at;

    return n;
}


static void
trove_leaves_scalar(const trove_leaf_t *leaves, const uint32_t *nodes,
    uint32_t *i, uint32_t last, const trove_reach_t *reach,
    const trove_filter_t *f, trove_picks_t *picks)
{
    uint32_t             n, at;
    uint64_t             mask;
    trove_shares_t       s;
    const trove_leaf_t  *leaf;

    n = picks->n;

    for (at = *i; at < last && n <= TROVE_LIST; at++) {
        leaf = &leaves[nodes[at]];
        s = trove_shares_scalar(&leaf->frame, reach);

        mask = trove_meet_scalar(leaf->min_x, leaf->max_x, leaf->min_y,
                                 leaf->max_y, &s);
        n += trove_number(&picks->block[n], nodes[at] * TROVE_LEAF, mask);

        picks->partial |= !trove_gate_pass(&leaf->gate, f);
    }

    *i = at;
    picks->n = n;
}


static uint32_t
trove_filter_scalar(const trove_rows_t *rows, uint32_t block,
    const trove_filter_t *f)
{
    size_t    row;
    uint32_t  i, bit, mask;

    mask = 0;
    row = (size_t) block * TROVE_BLOCK;

    for (i = 0; i < TROVE_BLOCK; i++, row++) {
        bit = (rows->level[row] < f->level)
              | ((rows->level[row] == f->level)
                 & (rows->level_low[row] <= f->level_low));

        bit &= (rows->starts[row] <= f->now) & (rows->ends[row] >= f->now);

        mask |= bit << i;
    }

    return mask;
}


TROVE_INLINE uint32_t
trove_inside_scalar(const trove_box_t *box, int32_t x, int32_t y)
{
    return (x >= box->min_x) & (x <= box->max_x) & (y >= box->min_y)
           & (y <= box->max_y);
}


static void
trove_stage_scalar(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    trove_stage_t *stage)
{
    uint32_t             k, n;
    const trove_keys_t  *key;

    n = 0;

    for ( /* void */ ; i < last; i++) {
        key = &rows->key[picks->block[i]];

        for (k = 0; k < TROVE_BLOCK; k++) {
            stage->x[n] = key->x[k];
            stage->y[n] = key->y[k];
            stage->row[n] = base + picks->block[i] * TROVE_BLOCK + k;

            n += (picks->pass[i] >> k)
                 & trove_inside_scalar(box, key->x[k], key->y[k]);
        }
    }

    stage->n = n;
}


static uint32_t
trove_hits_scalar(const trove_keys_t *key, uint32_t n, const trove_box_t *box)
{
    uint32_t  k, hit;

    hit = 0;

    for ( /* void */ ; n; n--, key++) {
        for (k = 0; k < TROVE_BLOCK; k++) {
            hit |= trove_inside_scalar(box, key->x[k], key->y[k]);
        }
    }

    return hit;
}


/*
 * The walk that all sweeps have in common; "hits" is inlined.  A few blocks at
 * a time, then the rest one by one.
 */

TROVE_INLINE void
trove_sweep(const trove_rows_t *rows, uint32_t *block, uint32_t last,
    const trove_box_t *box, trove_picks_t *picks,
    uint32_t (*hits)(const trove_keys_t *key, uint32_t n,
                     const trove_box_t *box))
{
    uint32_t  k, n, b, step;

    n = 0;

    for (b = *block; b < last && n < TROVE_LIST; b += step) {
        step = last - b < TROVE_SWEEP ? 1 : TROVE_SWEEP;

        if (hits(&rows->key[b], step, box)) {
            for (k = 0; k < step; k++) {
                picks->block[n++] = b + k;
            }
        }
    }

    picks->n = n;
    *block = b;
}


static void
trove_sweep_scalar(const trove_rows_t *rows, uint32_t *block, uint32_t last,
    const trove_box_t *box, trove_picks_t *picks)
{
    trove_sweep(rows, block, last, box, picks, trove_hits_scalar);
}


TROVE_INLINE double
trove_plane_scalar(const trove_probe_t *p, double x, double y)
{
    double  dx, dy;

    dx = x - p->x;
    dy = y - p->y;

    return dx * dx + dy * dy;
}


TROVE_INLINE double
trove_earth_scalar(const trove_probe_t *p, double x, double y, uint32_t terms)
{
    double    dx, dy, u, v, hu, hv, s, c;
    uint32_t  k;

    dx = (x - p->x) * TROVE_RADIAN;
    dy = (y - p->y) * TROVE_RADIAN;
    u = dy * dy;
    v = dx * dx;

    k = terms - 1;
    hu = trove_simd_half[k];
    hv = hu;
    s = trove_simd_sine[k];

    while (k--) {
        hu = hu * u + trove_simd_half[k];
        hv = hv * v + trove_simd_half[k];
        s = s * u + trove_simd_sine[k];
    }

    /* the cosine of the other latitude from the difference of the two */

    hu = hu * u;
    c = p->cos_y * (1 - 2 * hu) - p->sin_y * (s * dy);

    return hu + p->cos_y * c * (hv * v);
}


/* Tells a row by its measure; returns that, or infinity. */

TROVE_INLINE double
trove_tally_scalar(const trove_probe_t *p, trove_tally_t *t, uint32_t may,
    int32_t x, int32_t y, uint32_t row, uint32_t i, double m)
{
    float     least;
    uint32_t  within, maybe;

    maybe = may & !(m > p->hi);
    within = maybe & (m <= p->lo) & trove_inside_scalar(&p->inner, x, y);

    t->found += within;

    t->doubt.measure[t->doubt.n] = m;
    t->doubt.row[t->doubt.n] = row;
    t->doubt.n += maybe & !within;

    m = within ? m : INFINITY;

    least = t->lane[i % TROVE_LANES];
    t->lane[i % TROVE_LANES] = (float) m < least ? (float) m : least;

    return m;
}


TROVE_INLINE void
trove_measure_scalar(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    const trove_probe_t *p, trove_tally_t *t, int earth)
{
    float               *out;
    double               x, y, m;
    uint32_t             k, row, may;
    const trove_keys_t  *key;

    out = t->measure;

    for ( /* void */ ; i < last; i++) {
        key = &rows->key[picks->block[i]];
        row = base + picks->block[i] * TROVE_BLOCK;

        for (k = 0; k < TROVE_BLOCK; k++, row++) {
            may = (picks->pass[i] >> k)
                  & trove_inside_scalar(box, key->x[k], key->y[k]);

            x = trove_unorder(trove_order_join(key->x[k], 0x80000000));
            y = trove_unorder(trove_order_join(key->y[k], 0x80000000));

            m = earth ? trove_earth_scalar(p, x, y, p->terms[0])
                      : trove_plane_scalar(p, x, y);

            *out++ = (float) trove_tally_scalar(p, t, may, key->x[k],
                                                key->y[k], row, k, m);
        }
    }
}


static void
trove_plane_measure_scalar(const trove_rows_t *rows,
    const trove_picks_t *picks, uint32_t i, uint32_t last, uint32_t base,
    const trove_box_t *box, const trove_probe_t *probe, trove_tally_t *t)
{
    trove_measure_scalar(rows, picks, i, last, base, box, probe, t, 0);
}


static void
trove_earth_measure_scalar(const trove_rows_t *rows,
    const trove_picks_t *picks, uint32_t i, uint32_t last, uint32_t base,
    const trove_box_t *box, const trove_probe_t *probe, trove_tally_t *t)
{
    trove_measure_scalar(rows, picks, i, last, base, box, probe, t, 1);
}


static uint32_t
trove_list_scalar(const trove_tally_t *t, uint32_t n, float near,
    uint32_t *places)
{
    uint32_t  i, listed;

    listed = 0;

    for (i = 0; i < n * TROVE_BLOCK; i++) {
        places[listed] = i;
        listed += t->measure[i] <= near;
    }

    return listed;
}


TROVE_INLINE void
trove_low_scalar(trove_stage_t *stage, const trove_probe_t *p,
    trove_tally_t *t, int earth)
{
    double    x, y, m;
    uint32_t  i;

    for (i = 0; i < stage->n; i++) {
        x = trove_unorder(trove_order_join(stage->x[i], stage->x_low[i]));
        y = trove_unorder(trove_order_join(stage->y[i], stage->y_low[i]));

        m = earth ? trove_earth_scalar(p, x, y, p->terms[1])
                  : trove_plane_scalar(p, x, y);

        stage->measure[i] = trove_tally_scalar(p, t, 1, stage->x[i],
                                               stage->y[i], stage->row[i], i,
                                               m);
    }
}


static void
trove_plane_low_scalar(trove_stage_t *stage, const trove_probe_t *probe,
    trove_tally_t *t)
{
    trove_low_scalar(stage, probe, t, 0);
}


static void
trove_earth_low_scalar(trove_stage_t *stage, const trove_probe_t *probe,
    trove_tally_t *t)
{
    trove_low_scalar(stage, probe, t, 1);
}


static void
trove_list_low_scalar(const trove_stage_t *stage, double near,
    trove_near_t *list)
{
    uint32_t  i, n;

    n = list->n;

    for (i = 0; i < stage->n; i++) {
        list->measure[n] = stage->measure[i];
        list->row[n] = stage->row[i];
        n += stage->measure[i] <= near;
    }

    list->n = n;
}


static const trove_simd_t  trove_simd_scalar = {
    .name = "scalar",
    .descend = trove_descend_scalar,
    .leaves = trove_leaves_scalar,
    .sweep = trove_sweep_scalar,
    .filter = trove_filter_scalar,
    .measure = { trove_plane_measure_scalar, trove_earth_measure_scalar },
    .list = trove_list_scalar,
    .stage = trove_stage_scalar,
    .measure_low = { trove_plane_low_scalar, trove_earth_low_scalar },
    .list_low = trove_list_low_scalar
};


#if (TROVE_SIMD_X86)


/* The series in floats, of which no more terms are of use. */

#define TROVE_TERMS_FLOAT  7

static const float  trove_half[TROVE_TERMS_FLOAT] = {
    1 / 4.0, -1 / 48.0, 1 / 1440.0, -1 / 80640.0, 1 / 7257600.0,
    -1 / 958003200.0, 1 / 174356582400.0
};


static const float  trove_sine[TROVE_TERMS_FLOAT] = {
    1, -1 / 6.0, 1 / 120.0, -1 / 5040.0, 1 / 362880.0, -1 / 39916800.0,
    1 / 6227020800.0
};


/* AVX2 */


/*
 * Where the lanes of a mask are: byte k of entry m is the place of the bit k
 * that is set in m, counted from 0.
 */

#define TROVE_BIT(m, i)     (((uint64_t) (m) >> (i)) & 1)
#define TROVE_POP2(m)       (TROVE_BIT(m, 0) + TROVE_BIT(m, 1))
#define TROVE_POP4(m)       (TROVE_POP2(m) + TROVE_POP2((m) >> 2))
#define TROVE_POP8(m)       (TROVE_POP4(m) + TROVE_POP4((m) >> 4))
#define TROVE_PLACE(m, i)                                                    \
    (TROVE_BIT(m, i) * (uint64_t) (i) << 8 * TROVE_POP8((m) & ((1 << (i)) - 1)))
#define TROVE_PLACES(m)                                                      \
    (TROVE_PLACE(m, 1) | TROVE_PLACE(m, 2) | TROVE_PLACE(m, 3)               \
     | TROVE_PLACE(m, 4) | TROVE_PLACE(m, 5) | TROVE_PLACE(m, 6)             \
     | TROVE_PLACE(m, 7))
#define TROVE_PLACES4(m)                                                     \
    TROVE_PLACES(m), TROVE_PLACES((m) + 1), TROVE_PLACES((m) + 2),           \
    TROVE_PLACES((m) + 3)
#define TROVE_PLACES16(m)                                                    \
    TROVE_PLACES4(m), TROVE_PLACES4((m) + 4), TROVE_PLACES4((m) + 8),        \
    TROVE_PLACES4((m) + 12)
#define TROVE_PLACES64(m)                                                    \
    TROVE_PLACES16(m), TROVE_PLACES16((m) + 16), TROVE_PLACES16((m) + 32),   \
    TROVE_PLACES16((m) + 48)

static const uint64_t  trove_lanes[256] = {
    TROVE_PLACES64(0), TROVE_PLACES64(64), TROVE_PLACES64(128),
    TROVE_PLACES64(192)
};


TROVE_AVX2 TROVE_INLINE __m256i
trove_load_avx2(const void *p)
{
    return _mm256_loadu_si256(p);
}


TROVE_AVX2 TROVE_INLINE __m256i
trove_lanes_avx2(uint32_t mask)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)
                                                &trove_lanes[mask]));
}


TROVE_AVX2 TROVE_INLINE void
trove_pack_avx2(void *p, __m256i v, __m256i lanes)
{
    _mm256_storeu_si256(p, _mm256_permutevar8x32_epi32(v, lanes));
}


TROVE_AVX2 TROVE_INLINE uint32_t
trove_mask_avx2(__m256i v)
{
    return (uint32_t) _mm256_movemask_ps(_mm256_castsi256_ps(v));
}


/* Lanes of x and y that lie outside the box. */

TROVE_AVX2 TROVE_INLINE __m256i
trove_outside_avx2(const trove_box_t *box, __m256i x, __m256i y)
{
    __m256i  a, b;

    a = _mm256_or_si256(
            _mm256_cmpgt_epi32(_mm256_set1_epi32(box->min_x), x),
            _mm256_cmpgt_epi32(x, _mm256_set1_epi32(box->max_x)));

    b = _mm256_or_si256(
            _mm256_cmpgt_epi32(_mm256_set1_epi32(box->min_y), y),
            _mm256_cmpgt_epi32(y, _mm256_set1_epi32(box->max_y)));

    return _mm256_or_si256(a, b);
}


/*
 * The shares of a reach: min_x, max_x, min_y and max_y as bytes 0, 4, 8 and
 * 12.  As trove_share() does it: the maximum of nothing and 0 is 0.
 */

TROVE_AVX2 TROVE_INLINE __m128i
trove_shares_avx2(const trove_frame_t *f, __m256d reach)
{
    __m256d  v, most;

    most = _mm256_setr_pd(TROVE_SHARE_NONE, TROVE_SHARE_MAX, TROVE_SHARE_NONE,
                          TROVE_SHARE_MAX);

    v = _mm256_loadu_pd(&f->x);
    v = _mm256_mul_pd(_mm256_sub_pd(reach, _mm256_permute4x64_pd(v, 0x50)),
                      _mm256_permute4x64_pd(v, 0xfa));
    v = _mm256_min_pd(_mm256_max_pd(v, _mm256_setzero_pd()), most);

    return _mm256_cvttpd_epi32(v);
}


/* All bytes that of a side, 0 .. 3. */

#define trove_side_avx2(shares, side)                                        \
    _mm256_broadcastb_epi8(_mm_srli_si128(shares, 4 * (side)))


/* Bytes of a that are at most those of b. */

TROVE_AVX2 TROVE_INLINE __m256i
trove_most_avx2(__m256i a, __m256i b)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(a, b), a);
}


/* Which of 32 boxes meet the shares. */

TROVE_AVX2 TROVE_INLINE uint32_t
trove_meet_avx2(const uint8_t *min_x, const uint8_t *max_x,
    const uint8_t *min_y, const uint8_t *max_y, __m128i s)
{
    __m256i  a, b;

    a = _mm256_and_si256(
            trove_most_avx2(trove_load_avx2(min_x), trove_side_avx2(s, 1)),
            trove_most_avx2(trove_side_avx2(s, 0), trove_load_avx2(max_x)));

    b = _mm256_and_si256(
            trove_most_avx2(trove_load_avx2(min_y), trove_side_avx2(s, 3)),
            trove_most_avx2(trove_side_avx2(s, 2), trove_load_avx2(max_y)));

    return (uint32_t) _mm256_movemask_epi8(_mm256_and_si256(a, b));
}


TROVE_AVX2 TROVE_INLINE uint64_t
trove_meet64_avx2(const uint8_t *min_x, const uint8_t *max_x,
    const uint8_t *min_y, const uint8_t *max_y, __m128i s)
{
    return trove_meet_avx2(min_x, max_x, min_y, max_y, s)
           | (uint64_t) trove_meet_avx2(min_x + 32, max_x + 32, min_y + 32,
                                        max_y + 32, s) << 32;
}


TROVE_AVX2 static uint32_t
trove_descend_avx2(const trove_bounds_t *bounds, const uint32_t *nodes,
    uint32_t *i, uint32_t last, const trove_reach_t *reach, uint32_t *below)
{
    __m128i                s;
    __m256d                r;
    uint32_t               k, n, at;
    uint64_t               mask;
    const trove_bounds_t  *b;

    n = 0;
    r = _mm256_loadu_pd(&reach->min_x);

    for (at = *i; at < last && n <= TROVE_LIST; at++) {
        b = &bounds[nodes[at]];
        s = trove_shares_avx2(&b->frame, r);

        for (k = 0; k < TROVE_BOUNDS; k += 64) {
            mask = trove_meet64_avx2(&b->min_x[k], &b->max_x[k], &b->min_y[k],
                                     &b->max_y[k], s);
            n += trove_number(&below[n], nodes[at] * TROVE_BOUNDS + k, mask);
        }
    }

    *i = at;

    return n;
}


TROVE_AVX2 static void
trove_leaves_avx2(const trove_leaf_t *leaves, const uint32_t *nodes,
    uint32_t *i, uint32_t last, const trove_reach_t *reach,
    const trove_filter_t *f, trove_picks_t *picks)
{
    __m128i              s;
    __m256d              r;
    uint32_t             n, at, partial;
    uint64_t             mask;
    const trove_leaf_t  *leaf;

    n = picks->n;
    partial = 0;
    r = _mm256_loadu_pd(&reach->min_x);

    for (at = *i; at < last && n <= TROVE_LIST; at++) {
        leaf = &leaves[nodes[at]];
        s = trove_shares_avx2(&leaf->frame, r);

        mask = trove_meet64_avx2(leaf->min_x, leaf->max_x, leaf->min_y,
                                 leaf->max_y, s);
        n += trove_number(&picks->block[n], nodes[at] * TROVE_LEAF, mask);

        partial |= !trove_gate_pass(&leaf->gate, f);
    }

    *i = at;
    picks->n = n;
    picks->partial |= partial;
}


TROVE_AVX2 static uint32_t
trove_filter_avx2(const trove_rows_t *rows, uint32_t block,
    const trove_filter_t *f)
{
    size_t    row;
    __m256i   a, key, low, level, level_low, flip, now;
    uint32_t  i, mask;

    mask = 0;
    row = (size_t) block * TROVE_BLOCK;
    flip = _mm256_set1_epi32(INT32_MIN);
    level = _mm256_set1_epi32(f->level);
    level_low = _mm256_set1_epi32((int32_t) (f->level_low ^ 0x80000000));
    now = _mm256_set1_epi32(f->now);

    for (i = 0; i < TROVE_BLOCK; i += 8, row += 8) {
        key = trove_load_avx2(&rows->level[row]);
        low = _mm256_xor_si256(trove_load_avx2(&rows->level_low[row]), flip);

        a = _mm256_and_si256(_mm256_cmpeq_epi32(key, level),
                             _mm256_cmpgt_epi32(low, level_low));

        a = _mm256_or_si256(a, _mm256_cmpgt_epi32(key, level));

        a = _mm256_or_si256(a,
                _mm256_cmpgt_epi32(trove_load_avx2(&rows->starts[row]), now));

        a = _mm256_or_si256(a,
                _mm256_cmpgt_epi32(now, trove_load_avx2(&rows->ends[row])));

        mask |= trove_mask_avx2(a) << i;
    }

    return ~mask & 0xffff;
}


TROVE_AVX2 static void
trove_stage_avx2(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    trove_stage_t *stage)
{
    __m256i              x, y, r, lanes;
    uint32_t             k, n, mask, row;
    const trove_keys_t  *key;

    n = 0;

    for ( /* void */ ; i < last; i++) {
        key = &rows->key[picks->block[i]];
        row = base + picks->block[i] * TROVE_BLOCK;

        for (k = 0; k < TROVE_BLOCK; k += 8) {
            x = trove_load_avx2(&key->x[k]);
            y = trove_load_avx2(&key->y[k]);
            r = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                 _mm256_set1_epi32((int32_t) (row + k)));

            mask = ~trove_mask_avx2(trove_outside_avx2(box, x, y))
                   & (picks->pass[i] >> k) & 0xff;

            lanes = trove_lanes_avx2(mask);

            trove_pack_avx2(&stage->x[n], x, lanes);
            trove_pack_avx2(&stage->y[n], y, lanes);
            trove_pack_avx2(&stage->row[n], r, lanes);

            n += (uint32_t) __builtin_popcount(mask);
        }
    }

    stage->n = n;
}


TROVE_AVX2 TROVE_INLINE uint32_t
trove_hits_avx2(const trove_keys_t *key, uint32_t n, const trove_box_t *box)
{
    __m256i   a, b;
    uint32_t  k;

    a = _mm256_set1_epi32(-1);

    for ( /* void */ ; n; n--, key++) {
        for (k = 0; k < TROVE_BLOCK; k += 8) {
            b = trove_outside_avx2(box, trove_load_avx2(&key->x[k]),
                                   trove_load_avx2(&key->y[k]));
            a = _mm256_and_si256(a, b);
        }
    }

    return trove_mask_avx2(a) ^ 0xff;
}


TROVE_AVX2 static void
trove_sweep_avx2(const trove_rows_t *rows, uint32_t *block, uint32_t last,
    const trove_box_t *box, trove_picks_t *picks)
{
    trove_sweep(rows, block, last, box, picks, trove_hits_avx2);
}


/*
 * Eight floats of eight keys: the exponent is moved, the lower half taken for
 * its middle.  What is nearer to 0 than floats go becomes the least of them,
 * what is too large does not get here.
 */

TROVE_AVX2 TROVE_INLINE __m256
trove_float_avx2(__m256i k)
{
    __m256i  v;

    v = _mm256_xor_si256(k, _mm256_srai_epi32(k, 31));
    v = _mm256_max_epi32(v, _mm256_set1_epi32(TROVE_FLOAT_LEAST));
    v = _mm256_add_epi32(_mm256_slli_epi32(v, 3),
                         _mm256_set1_epi32(TROVE_FLOAT_MOVE));
    k = _mm256_and_si256(k, _mm256_set1_epi32(INT32_MIN));

    return _mm256_castsi256_ps(_mm256_or_si256(v, k));
}


/* The centre in floats, and the cosine and sine of its latitude. */

typedef struct {
    __m256  x;
    __m256  y;
    __m256  cos2;             /* cos_y^2                                     */
    __m256  sin_cos;
} trove_centre8_t;


TROVE_AVX2 TROVE_INLINE trove_centre8_t
trove_centre_avx2(const trove_probe_t *p)
{
    trove_centre8_t  c;

    c.x = _mm256_set1_ps((float) p->x);
    c.y = _mm256_set1_ps((float) p->y);
    c.cos2 = _mm256_set1_ps((float) (p->cos_y * p->cos_y));
    c.sin_cos = _mm256_set1_ps((float) (p->sin_y * p->cos_y));

    return c;
}


TROVE_AVX2 TROVE_INLINE __m256
trove_plane_float_avx2(__m256 dx, __m256 dy)
{
    return _mm256_fmadd_ps(dx, dx, _mm256_mul_ps(dy, dy));
}


/* The first terms of a series in powers of u. */

TROVE_AVX2 TROVE_INLINE __m256
trove_series_avx2(const float *series, uint32_t terms, __m256 u)
{
    __m256  v;

    for (v = _mm256_set1_ps(series[--terms]); terms > 1; /* void */ ) {
        v = _mm256_fmadd_ps(v, u, _mm256_set1_ps(series[--terms]));
    }

    if (terms == 0) {
        return v;
    }

    return _mm256_fmadd_ps(v, u, _mm256_set1_ps(series[0]));
}


TROVE_AVX2 TROVE_INLINE __m256
trove_earth_float_avx2(const trove_centre8_t *c, uint32_t terms, __m256 dx,
    __m256 dy)
{
    __m256  u, v, hu, hv, s, cos;

    dx = _mm256_mul_ps(dx, _mm256_set1_ps((float) TROVE_RADIAN));
    dy = _mm256_mul_ps(dy, _mm256_set1_ps((float) TROVE_RADIAN));
    u = _mm256_mul_ps(dy, dy);
    v = _mm256_mul_ps(dx, dx);

    hu = trove_series_avx2(trove_half, terms, u);
    hv = trove_series_avx2(trove_half, terms, v);
    s = trove_series_avx2(trove_sine, terms, u);

    hu = _mm256_mul_ps(hu, u);
    hv = _mm256_mul_ps(hv, v);
    s = _mm256_mul_ps(s, dy);

    cos = _mm256_fnmadd_ps(_mm256_add_ps(hu, hu), c->cos2, c->cos2);
    cos = _mm256_fnmadd_ps(s, c->sin_cos, cos);

    return _mm256_fmadd_ps(cos, hv, hu);
}


/* Measures eight rows; the mask is of those that may be within. */

TROVE_AVX2 TROVE_INLINE __m256
trove_measure8_avx2(const trove_centre8_t *c, uint32_t terms,
    __m256i x, __m256i y)
{
    __m256  dx, dy;

    dx = _mm256_sub_ps(trove_float_avx2(x), c->x);
    dy = _mm256_sub_ps(trove_float_avx2(y), c->y);

    return terms ? trove_earth_float_avx2(c, terms, dx, dy)
                 : trove_plane_float_avx2(dx, dy);
}


/* Bits of a mask as lanes of ones. */

TROVE_AVX2 TROVE_INLINE __m256i
trove_spread_avx2(uint32_t mask)
{
    __m256i  bit;

    bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);

    return _mm256_cmpeq_epi32(_mm256_and_si256(bit,
                                  _mm256_set1_epi32((int32_t) mask)), bit);
}


/* Adds the lanes of a mask at place n of the list; returns how many. */

TROVE_AVX2 TROVE_INLINE uint32_t
trove_near_avx2(const trove_near_t *list, uint32_t n, __m256 m, __m256i row,
    uint32_t mask)
{
    __m256   v;
    __m256i  lanes;

    lanes = trove_lanes_avx2(mask);
    v = _mm256_permutevar8x32_ps(m, lanes);

    _mm256_storeu_pd(&list->measure[n],
                     _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    _mm256_storeu_pd(&list->measure[n + 4],
                     _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
    trove_pack_avx2(&list->row[n], row, lanes);

    return (uint32_t) __builtin_popcount(mask);
}


TROVE_AVX2 TROVE_INLINE __m256i
trove_row_avx2(uint32_t row)
{
    return _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                            _mm256_set1_epi32((int32_t) row));
}


TROVE_AVX2 TROVE_INLINE void
trove_measure_avx2(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    const trove_probe_t *p, trove_tally_t *t, uint32_t terms)
{
    float               *out;
    __m256               m, hi, lo, lane[2];
    __m256i              x, y;
    uint32_t             k, may, maybe, within, found, row;
    trove_centre8_t      c;
    const trove_keys_t  *key;

    found = 0;
    out = t->measure;
    c = trove_centre_avx2(p);
    hi = _mm256_set1_ps((float) p->hi);
    lo = _mm256_set1_ps((float) p->lo);
    lane[0] = _mm256_loadu_ps(&t->lane[0]);
    lane[1] = _mm256_loadu_ps(&t->lane[8]);

    for ( /* void */ ; i < last; i++) {
        key = &rows->key[picks->block[i]];
        row = base + picks->block[i] * TROVE_BLOCK;

        for (k = 0; k < TROVE_BLOCK; k += 8, out += 8) {
            x = trove_load_avx2(&key->x[k]);
            y = trove_load_avx2(&key->y[k]);
            m = trove_measure8_avx2(&c, terms, x, y);

            may = ~trove_mask_avx2(trove_outside_avx2(box, x, y))
                  & (picks->pass[i] >> k) & 0xff;

            maybe = may & (uint32_t) _mm256_movemask_ps(
                                         _mm256_cmp_ps(m, hi, _CMP_NGT_UQ));
            within = may & (uint32_t) _mm256_movemask_ps(
                                          _mm256_cmp_ps(m, lo, _CMP_LE_OQ));

            if (p->boxed) {
                within &= ~trove_mask_avx2(trove_outside_avx2(&p->inner, x,
                                                              y));
            }

            found += (uint32_t) __builtin_popcount(within);
            maybe &= ~within;

            if (maybe) {
                t->doubt.n += trove_near_avx2(&t->doubt, t->doubt.n, m,
                                              trove_row_avx2(row + k), maybe);
            }

            m = _mm256_blendv_ps(_mm256_set1_ps(INFINITY), m,
                     _mm256_castsi256_ps(trove_spread_avx2(within)));

            lane[k / 8] = _mm256_min_ps(lane[k / 8], m);
            _mm256_storeu_ps(out, m);
        }
    }

    t->found += found;

    _mm256_storeu_ps(&t->lane[0], lane[0]);
    _mm256_storeu_ps(&t->lane[8], lane[1]);
}


TROVE_AVX2 static void
trove_plane_measure_avx2(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    const trove_probe_t *probe, trove_tally_t *t)
{
    trove_measure_avx2(rows, picks, i, last, base, box, probe, t, 0);
}


/* A number of terms that is known when this is compiled needs no loop. */

TROVE_AVX2 static void
trove_earth_measure_avx2(const trove_rows_t *rows,
    const trove_picks_t *picks, uint32_t i, uint32_t last, uint32_t base,
    const trove_box_t *box, const trove_probe_t *p, trove_tally_t *t)
{
    switch (p->terms[0]) {

    case 1:
        trove_measure_avx2(rows, picks, i, last, base, box, p, t, 1);
        break;

    case 2:
        trove_measure_avx2(rows, picks, i, last, base, box, p, t, 2);
        break;

    default:
        trove_measure_avx2(rows, picks, i, last, base, box, p, t,
                             p->terms[0]);
    }
}


TROVE_AVX2 static uint32_t
trove_list_avx2(const trove_tally_t *t, uint32_t n, float near,
    uint32_t *places)
{
    __m256    bound;
    uint32_t  i, listed, mask;

    listed = 0;
    bound = _mm256_set1_ps(near);

    for (i = 0; i < n * TROVE_BLOCK; i += 8) {
        mask = (uint32_t) _mm256_movemask_ps(
                   _mm256_cmp_ps(_mm256_loadu_ps(&t->measure[i]), bound,
                                 _CMP_LE_OQ));

        trove_pack_avx2(&places[listed], trove_row_avx2(i),
                        trove_lanes_avx2(mask));
        listed += (uint32_t) __builtin_popcount(mask);
    }

    return listed;
}


/* Four doubles of four keys and their lower halves. */

TROVE_AVX2 TROVE_INLINE __m256d
trove_number_avx2(const int32_t *key, const uint32_t *low)
{
    __m128i  k, l, sign;
    __m256i  bits;

    k = _mm_loadu_si128((const __m128i *) key);
    l = _mm_loadu_si128((const __m128i *) low);

    sign = _mm_srai_epi32(k, 31);
    k = _mm_xor_si128(k, _mm_srli_epi32(sign, 1));
    l = _mm_xor_si128(l, sign);

    bits = _mm256_or_si256(_mm256_slli_epi64(_mm256_cvtepu32_epi64(k), 32),
                           _mm256_cvtepu32_epi64(l));

    return _mm256_castsi256_pd(bits);
}


TROVE_AVX2 TROVE_INLINE __m256d
trove_plane_avx2(__m256d dx, __m256d dy)
{
    return _mm256_fmadd_pd(dx, dx, _mm256_mul_pd(dy, dy));
}


TROVE_AVX2 TROVE_INLINE __m256d
trove_earth_avx2(const trove_probe_t *p, __m256d dx, __m256d dy)
{
    __m256d   u, v, hu, hv, s, c, h, cos_y;
    uint32_t  k;

    dx = _mm256_mul_pd(dx, _mm256_set1_pd(TROVE_RADIAN));
    dy = _mm256_mul_pd(dy, _mm256_set1_pd(TROVE_RADIAN));
    u = _mm256_mul_pd(dy, dy);
    v = _mm256_mul_pd(dx, dx);

    k = p->terms[1] - 1;
    hu = _mm256_set1_pd(trove_simd_half[k]);
    hv = hu;
    s = _mm256_set1_pd(trove_simd_sine[k]);

    while (k--) {
        h = _mm256_set1_pd(trove_simd_half[k]);
        hu = _mm256_fmadd_pd(hu, u, h);
        hv = _mm256_fmadd_pd(hv, v, h);
        s = _mm256_fmadd_pd(s, u, _mm256_set1_pd(trove_simd_sine[k]));
    }

    cos_y = _mm256_set1_pd(p->cos_y);
    hu = _mm256_mul_pd(hu, u);
    hv = _mm256_mul_pd(_mm256_mul_pd(hv, v), cos_y);

    c = _mm256_fnmadd_pd(_mm256_add_pd(hu, hu), cos_y, cos_y);
    c = _mm256_fnmadd_pd(_mm256_mul_pd(s, dy), _mm256_set1_pd(p->sin_y), c);

    return _mm256_fmadd_pd(c, hv, hu);
}


/* Adds the lanes of a mask at place n of the list; returns how many. */

TROVE_AVX2 TROVE_INLINE uint32_t
trove_near4_avx2(const trove_near_t *list, uint32_t n, __m256d m, __m128i row,
    uint32_t mask)
{
    __m128i  lanes;
    __m256i  pairs;

    lanes = _mm_cvtepu8_epi32(_mm_cvtsi32_si128((int32_t) trove_lanes[mask]));

    _mm_storeu_si128((__m128i *) &list->row[n],
                     _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(row),
                                                        lanes)));

    /* lane k of doubles is the lanes 2k and 2k + 1 of halves */

    pairs = _mm256_slli_epi64(_mm256_cvtepu32_epi64(lanes), 1);
    pairs = _mm256_or_si256(pairs, _mm256_slli_epi64(pairs, 32));
    pairs = _mm256_add_epi64(pairs, _mm256_set1_epi64x((int64_t) 1 << 32));

    trove_pack_avx2(&list->measure[n], _mm256_castpd_si256(m), pairs);

    return (uint32_t) __builtin_popcount(mask);
}


/* Takes the measures of the staged rows i .. i + 3, of which "n" are. */

TROVE_AVX2 TROVE_INLINE void
trove_tally_avx2(trove_stage_t *stage, const trove_probe_t *p,
    trove_tally_t *t, uint32_t i, uint32_t n, __m256d m)
{
    float    *lane;
    __m128i   x, y, out, row;
    uint32_t  lanes, maybe, within;

    lanes = n < 4 ? (1u << n) - 1 : 15;
    x = _mm_loadu_si128((const __m128i *) &stage->x[i]);
    y = _mm_loadu_si128((const __m128i *) &stage->y[i]);
    row = _mm_loadu_si128((const __m128i *) &stage->row[i]);

    maybe = lanes & (uint32_t) _mm256_movemask_pd(
                      _mm256_cmp_pd(m, _mm256_set1_pd(p->hi), _CMP_NGT_UQ));
    within = maybe & (uint32_t) _mm256_movemask_pd(
                      _mm256_cmp_pd(m, _mm256_set1_pd(p->lo), _CMP_LE_OQ));

    out = _mm256_castsi256_si128(trove_outside_avx2(&p->inner,
                                     _mm256_castsi128_si256(x),
                                     _mm256_castsi128_si256(y)));
    within &= (uint32_t) ~_mm_movemask_ps(_mm_castsi128_ps(out));

    t->found += (uint32_t) __builtin_popcount(within);
    maybe &= ~within;

    if (maybe) {
        t->doubt.n += trove_near4_avx2(&t->doubt, t->doubt.n, m, row, maybe);
    }

    m = _mm256_blendv_pd(_mm256_set1_pd(INFINITY), m,
                         _mm256_castsi256_pd(_mm256_cvtepi32_epi64(
                             _mm256_castsi256_si128(
                                 trove_spread_avx2(within)))));

    _mm256_storeu_pd(&stage->measure[i], m);

    lane = &t->lane[i % TROVE_LANES];
    _mm_storeu_ps(lane, _mm_min_ps(_mm_loadu_ps(lane), _mm256_cvtpd_ps(m)));
}


TROVE_AVX2 TROVE_INLINE void
trove_low_avx2(trove_stage_t *stage, const trove_probe_t *p,
    trove_tally_t *t, int earth)
{
    __m256d   dx, dy, m;
    uint32_t  i;

    for (i = 0; i < stage->n; i += 4) {
        dx = trove_number_avx2(&stage->x[i], &stage->x_low[i]);
        dy = trove_number_avx2(&stage->y[i], &stage->y_low[i]);
        dx = _mm256_sub_pd(dx, _mm256_set1_pd(p->x));
        dy = _mm256_sub_pd(dy, _mm256_set1_pd(p->y));

        m = earth ? trove_earth_avx2(p, dx, dy) : trove_plane_avx2(dx, dy);

        trove_tally_avx2(stage, p, t, i, stage->n - i, m);
    }
}


TROVE_AVX2 static void
trove_plane_low_avx2(trove_stage_t *stage, const trove_probe_t *probe,
    trove_tally_t *t)
{
    trove_low_avx2(stage, probe, t, 0);
}


TROVE_AVX2 static void
trove_earth_low_avx2(trove_stage_t *stage, const trove_probe_t *probe,
    trove_tally_t *t)
{
    trove_low_avx2(stage, probe, t, 1);
}


TROVE_AVX2 static void
trove_list_low_avx2(const trove_stage_t *stage, double near,
    trove_near_t *list)
{
    __m128i   row;
    __m256d   m, v;
    uint32_t  i, n, lanes, mask;

    n = list->n;
    v = _mm256_set1_pd(near);

    for (i = 0; i < stage->n; i += 4) {
        m = _mm256_loadu_pd(&stage->measure[i]);
        row = _mm_loadu_si128((const __m128i *) &stage->row[i]);

        lanes = stage->n - i < 4 ? (1u << (stage->n - i)) - 1 : 15;
        mask = lanes & (uint32_t) _mm256_movemask_pd(
                                      _mm256_cmp_pd(m, v, _CMP_LE_OQ));

        n += trove_near4_avx2(list, n, m, row, mask);
    }

    list->n = n;
}


static const trove_simd_t  trove_simd_avx2 = {
    .name = "avx2",
    .descend = trove_descend_avx2,
    .leaves = trove_leaves_avx2,
    .sweep = trove_sweep_avx2,
    .filter = trove_filter_avx2,
    .measure = { trove_plane_measure_avx2, trove_earth_measure_avx2 },
    .list = trove_list_avx2,
    .stage = trove_stage_avx2,
    .measure_low = { trove_plane_low_avx2, trove_earth_low_avx2 },
    .list_low = trove_list_low_avx2
};


/* AVX-512 */


TROVE_AVX512 TROVE_INLINE __m512i
trove_load_avx512(const void *p)
{
    return _mm512_loadu_si512(p);
}


/* The box's sides in all lanes. */

typedef struct {
    __m512i  min_x;
    __m512i  max_x;
    __m512i  min_y;
    __m512i  max_y;
} trove_sides_t;


TROVE_AVX512 TROVE_INLINE trove_sides_t
trove_sides_avx512(const trove_box_t *box)
{
    trove_sides_t  s;

    s.min_x = _mm512_set1_epi32(box->min_x);
    s.max_x = _mm512_set1_epi32(box->max_x);
    s.min_y = _mm512_set1_epi32(box->min_y);
    s.max_y = _mm512_set1_epi32(box->max_y);

    return s;
}


TROVE_AVX512 TROVE_INLINE uint32_t
trove_inside_avx512(const trove_sides_t *s, __mmask16 m, __m512i x, __m512i y)
{
    m = _mm512_mask_cmp_epi32_mask(m, x, s->min_x, _MM_CMPINT_NLT);
    m = _mm512_mask_cmp_epi32_mask(m, x, s->max_x, _MM_CMPINT_LE);
    m = _mm512_mask_cmp_epi32_mask(m, y, s->min_y, _MM_CMPINT_NLT);

    return _mm512_mask_cmp_epi32_mask(m, y, s->max_y, _MM_CMPINT_LE);
}


TROVE_AVX512 TROVE_INLINE __m512i
trove_count_avx512(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                             15);
}


/* All bytes that of a side, 0 .. 3. */

#define trove_side_avx512(shares, side)                                      \
    _mm512_broadcastb_epi8(_mm_srli_si128(shares, 4 * (side)))


/* Which of 64 boxes meet the shares. */

TROVE_AVX512 TROVE_INLINE uint64_t
trove_meet_avx512(const uint8_t *min_x, const uint8_t *max_x,
    const uint8_t *min_y, const uint8_t *max_y, __m128i s)
{
    __mmask64  a, b;

    a = _mm512_cmp_epu8_mask(trove_load_avx512(min_x),
                             trove_side_avx512(s, 1), _MM_CMPINT_LE);
    b = _mm512_cmp_epu8_mask(trove_load_avx512(max_x),
                             trove_side_avx512(s, 0), _MM_CMPINT_NLT);
    a = _mm512_mask_cmp_epu8_mask(a, trove_load_avx512(min_y),
                                  trove_side_avx512(s, 3), _MM_CMPINT_LE);
    b = _mm512_mask_cmp_epu8_mask(b, trove_load_avx512(max_y),
                                  trove_side_avx512(s, 2), _MM_CMPINT_NLT);
    return a & b;
}


TROVE_AVX512 static uint32_t
trove_descend_avx512(const trove_bounds_t *bounds, const uint32_t *nodes,
    uint32_t *i, uint32_t last, const trove_reach_t *reach, uint32_t *below)
{
    __m128i                s;
    __m256d                r;
    uint32_t               n, at, first;
    uint64_t               mask[2];
    const trove_bounds_t  *b;

    n = 0;
    r = _mm256_loadu_pd(&reach->min_x);

    for (at = *i; at < last && n <= TROVE_LIST; at++) {
        b = &bounds[nodes[at]];
        first = nodes[at] * TROVE_BOUNDS;
        s = trove_shares_avx2(&b->frame, r);

        mask[0] = trove_meet_avx512(b->min_x, b->max_x, b->min_y, b->max_y, s);
        mask[1] = trove_meet_avx512(&b->min_x[64], &b->max_x[64],
                                    &b->min_y[64], &b->max_y[64], s);

        n += trove_number(&below[n], first, mask[0]);
        n += trove_number(&below[n], first + 64, mask[1]);
    }

    *i = at;

    return n;
}


TROVE_AVX512 static void
trove_leaves_avx512(const trove_leaf_t *leaves, const uint32_t *nodes,
    uint32_t *i, uint32_t last, const trove_reach_t *reach,
    const trove_filter_t *f, trove_picks_t *picks)
{
    __m128i              s;
    __m256d              r;
    uint32_t             n, at, partial;
    uint64_t             mask;
    const trove_leaf_t  *leaf;

    n = picks->n;
    partial = 0;
    r = _mm256_loadu_pd(&reach->min_x);

    for (at = *i; at < last && n <= TROVE_LIST; at++) {
        leaf = &leaves[nodes[at]];
        s = trove_shares_avx2(&leaf->frame, r);

        mask = trove_meet_avx512(leaf->min_x, leaf->max_x, leaf->min_y,
                                 leaf->max_y, s);
        n += trove_number(&picks->block[n], nodes[at] * TROVE_LEAF, mask);

        partial |= !trove_gate_pass(&leaf->gate, f);
    }

    *i = at;
    picks->n = n;
    picks->partial |= partial;
}


TROVE_AVX512 static uint32_t
trove_filter_avx512(const trove_rows_t *rows, uint32_t block,
    const trove_filter_t *f)
{
    size_t     row;
    __m512i    level, level_low, key, now;
    uint32_t   i, mask;
    __mmask16  m;

    mask = 0;
    row = (size_t) block * TROVE_BLOCK;
    level = _mm512_set1_epi32(f->level);
    level_low = _mm512_set1_epi32((int32_t) f->level_low);
    now = _mm512_set1_epi32(f->now);

    for (i = 0; i < TROVE_BLOCK; i += 16, row += 16) {
        key = trove_load_avx512(&rows->level[row]);

        m = _mm512_cmp_epi32_mask(key, level, _MM_CMPINT_EQ);
        m = _mm512_mask_cmp_epu32_mask(m,
                                  trove_load_avx512(&rows->level_low[row]),
                                  level_low, _MM_CMPINT_LE);
        m |= _mm512_cmp_epi32_mask(key, level, _MM_CMPINT_LT);

        m = _mm512_mask_cmp_epi32_mask(m, trove_load_avx512(&rows->starts[row]),
                                       now, _MM_CMPINT_LE);
        m = _mm512_mask_cmp_epi32_mask(m, trove_load_avx512(&rows->ends[row]),
                                       now, _MM_CMPINT_NLT);
        mask |= (uint32_t) m << i;
    }

    return mask;
}


TROVE_AVX512 static void
trove_stage_avx512(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    trove_stage_t *stage)
{
    __m512i              x, y, r;
    uint32_t             n, row;
    __mmask16            m;
    trove_sides_t        s;
    const trove_keys_t  *key;

    n = 0;
    s = trove_sides_avx512(box);

    for ( /* void */ ; i < last; i++) {
        key = &rows->key[picks->block[i]];
        row = base + picks->block[i] * TROVE_BLOCK;

        x = trove_load_avx512(key->x);
        y = trove_load_avx512(key->y);
        r = _mm512_add_epi32(trove_count_avx512(),
                             _mm512_set1_epi32((int32_t) row));

        m = (__mmask16) trove_inside_avx512(&s, (__mmask16) picks->pass[i],
                                            x, y);

        _mm512_storeu_si512(&stage->x[n], _mm512_maskz_compress_epi32(m, x));
        _mm512_storeu_si512(&stage->y[n], _mm512_maskz_compress_epi32(m, y));
        _mm512_storeu_si512(&stage->row[n], _mm512_maskz_compress_epi32(m, r));

        n += (uint32_t) __builtin_popcount(m);
    }

    stage->n = n;
}


TROVE_AVX512 TROVE_INLINE uint32_t
trove_hits_avx512(const trove_keys_t *key, uint32_t n, const trove_box_t *box)
{
    uint32_t       hit;
    trove_sides_t  s;

    hit = 0;
    s = trove_sides_avx512(box);

    for ( /* void */ ; n; n--, key++) {
        hit |= trove_inside_avx512(&s, 0xffff, trove_load_avx512(key->x),
                                   trove_load_avx512(key->y));
    }

    return hit;
}


TROVE_AVX512 static void
trove_sweep_avx512(const trove_rows_t *rows, uint32_t *block, uint32_t last,
    const trove_box_t *box, trove_picks_t *picks)
{
    trove_sweep(rows, block, last, box, picks, trove_hits_avx512);
}


/* Sixteen floats of sixteen keys, as trove_float_avx2() makes them. */

TROVE_AVX512 TROVE_INLINE __m512
trove_float_avx512(__m512i k)
{
    __m512i  v;

    v = _mm512_xor_si512(k, _mm512_srai_epi32(k, 31));
    v = _mm512_max_epi32(v, _mm512_set1_epi32(TROVE_FLOAT_LEAST));
    v = _mm512_add_epi32(_mm512_slli_epi32(v, 3),
                         _mm512_set1_epi32(TROVE_FLOAT_MOVE));

    /* v, and of k the sign */

    v = _mm512_ternarylogic_epi32(v, k, _mm512_set1_epi32(INT32_MIN), 0xf8);

    return _mm512_castsi512_ps(v);
}


/* The centre in floats, and the cosine and sine of its latitude. */

typedef struct {
    __m512  x;
    __m512  y;
    __m512  cos2;             /* cos_y^2                                     */
    __m512  sin_cos;
} trove_centre16_t;


TROVE_AVX512 TROVE_INLINE trove_centre16_t
trove_centre_avx512(const trove_probe_t *p)
{
    trove_centre16_t  c;

    c.x = _mm512_set1_ps((float) p->x);
    c.y = _mm512_set1_ps((float) p->y);
    c.cos2 = _mm512_set1_ps((float) (p->cos_y * p->cos_y));
    c.sin_cos = _mm512_set1_ps((float) (p->sin_y * p->cos_y));

    return c;
}


TROVE_AVX512 TROVE_INLINE __m512
trove_plane_float_avx512(__m512 dx, __m512 dy)
{
    return _mm512_fmadd_ps(dx, dx, _mm512_mul_ps(dy, dy));
}


/* The first terms of a series in powers of u. */

TROVE_AVX512 TROVE_INLINE __m512
trove_series_avx512(const float *series, uint32_t terms, __m512 u)
{
    __m512  v;

    for (v = _mm512_set1_ps(series[--terms]); terms > 1; /* void */ ) {
        v = _mm512_fmadd_ps(v, u, _mm512_set1_ps(series[--terms]));
    }

    if (terms == 0) {
        return v;
    }

    return _mm512_fmadd_ps(v, u, _mm512_set1_ps(series[0]));
}


TROVE_AVX512 TROVE_INLINE __m512
trove_earth_float_avx512(const trove_centre16_t *c, uint32_t terms, __m512 dx,
    __m512 dy)
{
    __m512  u, v, hu, hv, s, cos;

    dx = _mm512_mul_ps(dx, _mm512_set1_ps((float) TROVE_RADIAN));
    dy = _mm512_mul_ps(dy, _mm512_set1_ps((float) TROVE_RADIAN));
    u = _mm512_mul_ps(dy, dy);
    v = _mm512_mul_ps(dx, dx);

    hu = trove_series_avx512(trove_half, terms, u);
    hv = trove_series_avx512(trove_half, terms, v);
    s = trove_series_avx512(trove_sine, terms, u);

    hu = _mm512_mul_ps(hu, u);
    hv = _mm512_mul_ps(hv, v);
    s = _mm512_mul_ps(s, dy);

    cos = _mm512_fnmadd_ps(_mm512_add_ps(hu, hu), c->cos2, c->cos2);
    cos = _mm512_fnmadd_ps(s, c->sin_cos, cos);

    return _mm512_fmadd_ps(cos, hv, hu);
}


TROVE_AVX512 TROVE_INLINE __m512
trove_measure16_avx512(const trove_centre16_t *c, uint32_t terms,
    __m512i x, __m512i y)
{
    __m512  dx, dy;

    dx = _mm512_sub_ps(trove_float_avx512(x), c->x);
    dy = _mm512_sub_ps(trove_float_avx512(y), c->y);

    return terms ? trove_earth_float_avx512(c, terms, dx, dy)
                 : trove_plane_float_avx512(dx, dy);
}


/* Adds the lanes of a mask at place n of the list; returns how many. */

TROVE_AVX512 TROVE_INLINE uint32_t
trove_near_avx512(const trove_near_t *list, uint32_t n, __m512 m, __m512i row,
    __mmask16 mask)
{
    __m512  v;

    v = _mm512_maskz_compress_ps(mask, m);

    _mm512_storeu_pd(&list->measure[n],
                     _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
    _mm512_storeu_pd(&list->measure[n + 8],
                     _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
    _mm512_storeu_si512(&list->row[n], _mm512_maskz_compress_epi32(mask, row));

    return (uint32_t) __builtin_popcount(mask);
}


TROVE_AVX512 TROVE_INLINE __m512i
trove_row_avx512(uint32_t row)
{
    return _mm512_add_epi32(trove_count_avx512(),
                            _mm512_set1_epi32((int32_t) row));
}


TROVE_AVX512 TROVE_INLINE void
trove_measure_avx512(const trove_rows_t *rows, const trove_picks_t *picks,
    uint32_t i, uint32_t last, uint32_t base, const trove_box_t *box,
    const trove_probe_t *p, trove_tally_t *t, uint32_t terms)
{
    float               *out;
    __m512               m, hi, lo, lane;
    __m512i              x, y;
    uint32_t             found, row;
    __mmask16            may, maybe, within;
    trove_sides_t        sides, inner;
    trove_centre16_t     c;
    const trove_keys_t  *key;

    found = 0;
    out = t->measure;
    c = trove_centre_avx512(p);
    sides = trove_sides_avx512(box);
    inner = trove_sides_avx512(&p->inner);
    hi = _mm512_set1_ps((float) p->hi);
    lo = _mm512_set1_ps((float) p->lo);
    lane = _mm512_loadu_ps(t->lane);

    for ( /* void */ ; i < last; i++, out += TROVE_BLOCK) {
        key = &rows->key[picks->block[i]];

        x = trove_load_avx512(key->x);
        y = trove_load_avx512(key->y);
        m = trove_measure16_avx512(&c, terms, x, y);

        may = (__mmask16) trove_inside_avx512(&sides,
                                          (__mmask16) picks->pass[i], x, y);

        maybe = _mm512_mask_cmp_ps_mask(may, m, hi, _CMP_NGT_UQ);
        within = _mm512_mask_cmp_ps_mask(may, m, lo, _CMP_LE_OQ);

        if (p->boxed) {
            within = (__mmask16) trove_inside_avx512(&inner, within, x, y);
        }

        found += (uint32_t) __builtin_popcount(within);
        maybe &= (__mmask16) ~within;

        if (maybe) {
            row = base + picks->block[i] * TROVE_BLOCK;
            t->doubt.n += trove_near_avx512(&t->doubt, t->doubt.n, m,
                                            trove_row_avx512(row), maybe);
        }

        m = _mm512_mask_blend_ps(within, _mm512_set1_ps(INFINITY), m);
        lane = _mm512_min_ps(lane, m);
        _mm512_storeu_ps(out, m);
    }

    t->found += found;

    _mm512_storeu_ps(t->lane, lane);
}


TROVE_AVX512 static void
trove_plane_measure_avx512(const trove_rows_t *rows,
    const trove_picks_t *picks, uint32_t i, uint32_t last, uint32_t base,
    const trove_box_t *box, const trove_probe_t *probe, trove_tally_t *t)
{
    trove_measure_avx512(rows, picks, i, last, base, box, probe, t, 0);
}


/* A number of terms that is known when this is compiled needs no loop. */

TROVE_AVX512 static void
trove_earth_measure_avx512(const trove_rows_t *rows,
    const trove_picks_t *picks, uint32_t i, uint32_t last, uint32_t base,
    const trove_box_t *box, const trove_probe_t *p, trove_tally_t *t)
{
    switch (p->terms[0]) {

    case 1:
        trove_measure_avx512(rows, picks, i, last, base, box, p, t, 1);
        break;

    case 2:
        trove_measure_avx512(rows, picks, i, last, base, box, p, t, 2);
        break;

    default:
        trove_measure_avx512(rows, picks, i, last, base, box, p, t,
                               p->terms[0]);
    }
}


TROVE_AVX512 static uint32_t
trove_list_avx512(const trove_tally_t *t, uint32_t n, float near,
    uint32_t *places)
{
    __m512     bound;
    __m512i    place;
    uint32_t   i, listed;
    __mmask16  m;

    listed = 0;
    bound = _mm512_set1_ps(near);
    place = trove_count_avx512();

    for (i = 0; i < n; i++) {
        m = _mm512_cmp_ps_mask(_mm512_loadu_ps(&t->measure[i * TROVE_BLOCK]),
                               bound, _CMP_LE_OQ);

        _mm512_storeu_si512(&places[listed],
                            _mm512_maskz_compress_epi32(m, place));

        place = _mm512_add_epi32(place, _mm512_set1_epi32(TROVE_BLOCK));
        listed += (uint32_t) __builtin_popcount(m);
    }

    return listed;
}


/* Eight doubles of eight keys and their lower halves. */

TROVE_AVX512 TROVE_INLINE __m512d
trove_number_avx512(const int32_t *key, const uint32_t *low)
{
    __m256i  k, l, sign;
    __m512i  bits;

    k = _mm256_loadu_si256((const __m256i *) key);
    l = _mm256_loadu_si256((const __m256i *) low);

    sign = _mm256_srai_epi32(k, 31);
    k = _mm256_xor_si256(k, _mm256_srli_epi32(sign, 1));
    l = _mm256_xor_si256(l, sign);

    bits = _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(k), 32),
                           _mm512_cvtepu32_epi64(l));

    return _mm512_castsi512_pd(bits);
}


TROVE_AVX512 TROVE_INLINE __m512d
trove_plane_avx512(__m512d dx, __m512d dy)
{
    return _mm512_fmadd_pd(dx, dx, _mm512_mul_pd(dy, dy));
}


TROVE_AVX512 TROVE_INLINE __m512d
trove_earth_avx512(const trove_probe_t *p, __m512d dx, __m512d dy)
{
    __m512d   u, v, hu, hv, s, c, h, cos_y;
    uint32_t  k;

    dx = _mm512_mul_pd(dx, _mm512_set1_pd(TROVE_RADIAN));
    dy = _mm512_mul_pd(dy, _mm512_set1_pd(TROVE_RADIAN));
    u = _mm512_mul_pd(dy, dy);
    v = _mm512_mul_pd(dx, dx);

    k = p->terms[1] - 1;
    hu = _mm512_set1_pd(trove_simd_half[k]);
    hv = hu;
    s = _mm512_set1_pd(trove_simd_sine[k]);

    while (k--) {
        h = _mm512_set1_pd(trove_simd_half[k]);
        hu = _mm512_fmadd_pd(hu, u, h);
        hv = _mm512_fmadd_pd(hv, v, h);
        s = _mm512_fmadd_pd(s, u, _mm512_set1_pd(trove_simd_sine[k]));
    }

    cos_y = _mm512_set1_pd(p->cos_y);
    hu = _mm512_mul_pd(hu, u);
    hv = _mm512_mul_pd(_mm512_mul_pd(hv, v), cos_y);

    c = _mm512_fnmadd_pd(_mm512_add_pd(hu, hu), cos_y, cos_y);
    c = _mm512_fnmadd_pd(_mm512_mul_pd(s, dy), _mm512_set1_pd(p->sin_y), c);

    return _mm512_fmadd_pd(c, hv, hu);
}


/* Adds the lanes of a mask at place n of the list; returns how many. */

TROVE_AVX512 TROVE_INLINE uint32_t
trove_near8_avx512(const trove_near_t *list, uint32_t n, __m512d m,
    __m256i row, __mmask8 mask)
{
    _mm512_storeu_pd(&list->measure[n], _mm512_maskz_compress_pd(mask, m));
    _mm256_storeu_si256((__m256i *) &list->row[n],
                        _mm256_maskz_compress_epi32(mask, row));

    return (uint32_t) __builtin_popcount(mask);
}


/* Takes the measures of the staged rows i .. i + 7, of which "n" are. */

TROVE_AVX512 TROVE_INLINE void
trove_tally_avx512(trove_stage_t *stage, const trove_probe_t *p,
    trove_tally_t *t, uint32_t i, uint32_t n, __m512d m)
{
    float    *lane;
    __m256i   x, y, row;
    __mmask8  maybe, within;

    maybe = n < 8 ? (__mmask8) ((1u << n) - 1) : 0xff;
    x = _mm256_loadu_si256((const __m256i *) &stage->x[i]);
    y = _mm256_loadu_si256((const __m256i *) &stage->y[i]);
    row = _mm256_loadu_si256((const __m256i *) &stage->row[i]);

    maybe = _mm512_mask_cmp_pd_mask(maybe, m, _mm512_set1_pd(p->hi),
                                    _CMP_NGT_UQ);
    within = _mm512_mask_cmp_pd_mask(maybe, m, _mm512_set1_pd(p->lo),
                                     _CMP_LE_OQ);
    within &= (__mmask8) ~trove_mask_avx2(trove_outside_avx2(&p->inner, x, y));

    t->found += (uint32_t) __builtin_popcount(within);
    maybe &= (__mmask8) ~within;

    if (maybe) {
        t->doubt.n += trove_near8_avx512(&t->doubt, t->doubt.n, m, row, maybe);
    }

    m = _mm512_mask_blend_pd(within, _mm512_set1_pd(INFINITY), m);

    _mm512_storeu_pd(&stage->measure[i], m);

    lane = &t->lane[i % TROVE_LANES];
    _mm256_storeu_ps(lane, _mm256_min_ps(_mm256_loadu_ps(lane),
                                         _mm512_cvtpd_ps(m)));
}


TROVE_AVX512 TROVE_INLINE void
trove_low_avx512(trove_stage_t *stage, const trove_probe_t *p,
    trove_tally_t *t, int earth)
{
    __m512d   dx, dy, m;
    uint32_t  i;

    for (i = 0; i < stage->n; i += 8) {
        dx = trove_number_avx512(&stage->x[i], &stage->x_low[i]);
        dy = trove_number_avx512(&stage->y[i], &stage->y_low[i]);
        dx = _mm512_sub_pd(dx, _mm512_set1_pd(p->x));
        dy = _mm512_sub_pd(dy, _mm512_set1_pd(p->y));

        m = earth ? trove_earth_avx512(p, dx, dy) : trove_plane_avx512(dx, dy);

        trove_tally_avx512(stage, p, t, i, stage->n - i, m);
    }
}


TROVE_AVX512 static void
trove_plane_low_avx512(trove_stage_t *stage, const trove_probe_t *probe,
    trove_tally_t *t)
{
    trove_low_avx512(stage, probe, t, 0);
}


TROVE_AVX512 static void
trove_earth_low_avx512(trove_stage_t *stage, const trove_probe_t *probe,
    trove_tally_t *t)
{
    trove_low_avx512(stage, probe, t, 1);
}


TROVE_AVX512 static void
trove_list_low_avx512(const trove_stage_t *stage, double near,
    trove_near_t *list)
{
    __m256i   row;
    __m512d   m, v;
    uint32_t  i, n, left;
    __mmask8  lanes;

    n = list->n;
    v = _mm512_set1_pd(near);

    for (i = 0; i < stage->n; i += 8) {
        m = _mm512_loadu_pd(&stage->measure[i]);
        row = _mm256_loadu_si256((const __m256i *) &stage->row[i]);

        left = stage->n - i < 8 ? stage->n - i : 8;
        lanes = (__mmask8) ((1u << left) - 1);

        n += trove_near8_avx512(list, n, m, row,
                                _mm512_mask_cmp_pd_mask(lanes, m, v,
                                                        _CMP_LE_OQ));
    }

    list->n = n;
}


static const trove_simd_t  trove_simd_avx512 = {
    .name = "avx512",
    .descend = trove_descend_avx512,
    .leaves = trove_leaves_avx512,
    .sweep = trove_sweep_avx512,
    .filter = trove_filter_avx512,
    .measure = { trove_plane_measure_avx512, trove_earth_measure_avx512 },
    .list = trove_list_avx512,
    .stage = trove_stage_avx512,
    .measure_low = { trove_plane_low_avx512, trove_earth_low_avx512 },
    .list_low = trove_list_low_avx512
};


static int
trove_simd_runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
           && __builtin_cpu_supports("bmi");
}


static int
trove_simd_runs_avx512(void)
{
    return trove_simd_runs_avx2() && __builtin_cpu_supports("avx512f")
           && __builtin_cpu_supports("avx512bw")
           && __builtin_cpu_supports("avx512dq")
           && __builtin_cpu_supports("avx512vl");
}


#endif


const trove_simd_t *
trove_simd_select(trove_simd_kind_t kind)
{
#if (TROVE_SIMD_X86)

    if ((kind == TROVE_SIMD_AUTO || kind == TROVE_SIMD_AVX512)
        && trove_simd_runs_avx512())
    {
        return &trove_simd_avx512;
    }

    if ((kind == TROVE_SIMD_AUTO || kind == TROVE_SIMD_AVX2)
        && trove_simd_runs_avx2())
    {
        return &trove_simd_avx2;
    }

#endif

    if (kind == TROVE_SIMD_AUTO || kind == TROVE_SIMD_SCALAR) {
        return &trove_simd_scalar;
    }

    return NULL;
}


const char *
trove_simd_name(const trove_simd_t *simd)
{
    return simd->name;
}
