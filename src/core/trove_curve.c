/*
 * Ranks and the Hilbert curve.
 */

#include "trove_curve.h"
#include "trove_sort.h"


#define TROVE_CURVE_BITS  16
#define TROVE_CURVE_STEP  ((1 << TROVE_CURVE_BITS) / TROVE_CURVE_CUTS)


static uint32_t trove_curve_rank(const trove_axis_t *axis, int64_t v);
static uint32_t trove_curve_hilbert(uint32_t x, uint32_t y);
static uint32_t trove_curve_spread(uint32_t v);


void
trove_curve_axis(trove_axis_t *axis, int64_t *orders, int64_t *spare,
    uint32_t n)
{
    double    gap;
    uint32_t  i;

    for (i = 0; i < n; i++) {
        orders[i] ^= INT64_MIN;
    }

    (void) trove_sort_digits((uint64_t *) orders, (uint64_t *) spare, n, 0, 8,
                             NULL);

    for (i = 0; i <= TROVE_CURVE_CUTS; i++) {
        axis->cut[i] = n ? orders[(uint64_t) (n - 1) * i / TROVE_CURVE_CUTS]
                           ^ INT64_MIN
                         : 0;
    }

    for (i = 0; i < TROVE_CURVE_CUTS; i++) {
        gap = (double) ((uint64_t) axis->cut[i + 1] - (uint64_t) axis->cut[i]);
        axis->step[i] = gap > 0 ? TROVE_CURVE_STEP / gap : 0;
    }
}


uint32_t
trove_curve_place(const trove_curve_t *curve, int64_t x, int64_t y)
{
    return trove_curve_hilbert(trove_curve_rank(&curve->x, x),
                               trove_curve_rank(&curve->y, y));
}


static uint32_t
trove_curve_rank(const trove_axis_t *axis, int64_t v)
{
    double    within;
    uint32_t  i, half;

    if (v <= axis->cut[0]) {
        return 0;
    }

    if (v >= axis->cut[TROVE_CURVE_CUTS]) {
        return (1 << TROVE_CURVE_BITS) - 1;
    }

    /* the last cut that is not above v: selections, no branches */

    i = 0;

    for (half = TROVE_CURVE_CUTS / 2; half; half /= 2) {
        i += axis->cut[i + half] <= v ? half : 0;
    }

    within = (double) ((uint64_t) v - (uint64_t) axis->cut[i]) * axis->step[i];

    if (within > TROVE_CURVE_STEP - 1) {
        within = TROVE_CURVE_STEP - 1;
    }

    return i * TROVE_CURVE_STEP + (uint32_t) within;
}


/*
 * All levels of the curve at once: for each bit the four orientations that
 * the square may have are carried as bits of a .. d and composed by doubling,
 * as in a parallel prefix sum.
 */

static uint32_t
trove_curve_hilbert(uint32_t x, uint32_t y)
{
    uint32_t  a, b, c, d, p, q, r, s, i, i0, i1, shift;

    i = x ^ y;
    a = i;
    b = 0xffff ^ i;
    c = 0xffff ^ (x | y);
    d = x & (y ^ 0xffff);

    p = a | (b >> 1);
    q = (a >> 1) ^ a;
    r = ((c >> 1) ^ (b & (d >> 1))) ^ c;
    s = ((a & (c >> 1)) ^ (d >> 1)) ^ d;

    for (shift = 2; shift < 8; shift *= 2) {
        a = p;
        b = q;
        c = r;
        d = s;

        p = (a & (a >> shift)) ^ (b & (b >> shift));
        q = (a & (b >> shift)) ^ (b & ((a ^ b) >> shift));
        r ^= (a & (c >> shift)) ^ (b & (d >> shift));
        s ^= (b & (c >> shift)) ^ ((a ^ b) & (d >> shift));
    }

    a = p;
    b = q;
    c = r;
    d = s;

    r ^= (a & (c >> 8)) ^ (b & (d >> 8));
    s ^= (b & (c >> 8)) ^ ((a ^ b) & (d >> 8));

    a = r ^ (r >> 1);
    b = s ^ (s >> 1);

    i0 = i;
    i1 = b | (0xffff ^ (i0 | a));

    return (trove_curve_spread(i1) << 1) | trove_curve_spread(i0);
}


/* Bit k of a 16-bit number to bit 2k. */

static uint32_t
trove_curve_spread(uint32_t v)
{
    v = (v | (v << 8)) & 0x00ff00ff;
    v = (v | (v << 4)) & 0x0f0f0f0f;
    v = (v | (v << 2)) & 0x33333333;

    return (v | (v << 1)) & 0x55555555;
}
