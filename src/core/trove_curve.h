/*
 * The order that a view's rows are sorted in: along a Hilbert curve over the
 * ranks of their coordinates.  Ranks make clusters, outliers and units alike:
 * each axis is cut where a sample of the rows says that equal shares lie.
 */

#ifndef TROVE_CURVE_H_INCLUDED
#define TROVE_CURVE_H_INCLUDED


#include "trove.h"


#define TROVE_CURVE_CUTS    1024
#define TROVE_CURVE_SAMPLE  32768   /* numbers that suffice for the cuts     */


typedef struct {
    int64_t   cut[TROVE_CURVE_CUTS + 1];    /* orders, see trove_simd.h      */
    double    step[TROVE_CURVE_CUTS];       /* ranks per unit behind a cut   */
} trove_axis_t;


typedef struct {
    trove_axis_t  x;
    trove_axis_t  y;
} trove_curve_t;


/* Cuts an axis by n orders, which are sorted; "spare" has room for as many. */
void trove_curve_axis(trove_axis_t *axis, int64_t *orders, int64_t *spare,
    uint32_t n);

/* Place of a point on the curve. */
uint32_t trove_curve_place(const trove_curve_t *curve, int64_t x, int64_t y);


#endif /* TROVE_CURVE_H_INCLUDED */
