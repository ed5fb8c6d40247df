/*
 * A query's shape in the terms of the kernels: boxes in keys to select by,
 * and how to measure what was selected.  All rounding is outwards, for boxes
 * that select, or inwards, for those that decide.
 */

#include <float.h>
#include <math.h>

#include "trove_view_data.h"


#define TROVE_DEGREES      (180.0 / M_PI)

/*
 * A key is the order cut to its upper half: 2^-21 of the number, at most; the
 * centre as a float is 2^-24 of it off.
 */
#define TROVE_KEY_ERROR    5.5e-7

/* A square below the least double is 0: what such a difference may be. */
#define TROVE_PLANE_LEAST  4e-162

/* Errors of a measure's root, several times what they come to, per unit. */
#define TROVE_PLANE_ERROR  2e-12
#define TROVE_EARTH_ERROR  4e-11

/* The same of what is measured in floats, and where those still serve. */
#define TROVE_FLOAT_ERROR  4e-6
#define TROVE_FLOAT_EARTH  1e-4
#define TROVE_FLOAT_MOST   1e15
#define TROVE_FLOAT_LEAST  1e-15

/* Of an angle: 6e-14 degrees from turning a longitude by 360, in radians. */
#define TROVE_TURN_ERROR   2e-15

/*
 * Degrees and shares of them that boxes are widened by: about 1 mm; and on the
 * far half of the earth, where the last bit of a key stands for more, 1 m.
 */
#define TROVE_SLACK        1e-8
#define TROVE_SLACK_SHARE  1e-9
#define TROVE_SLACK_FAR    1e-5


static void trove_target_reach(trove_part_t *part);
static void trove_target_plane(trove_target_t *t, const trove_query_t *q);
static void trove_target_earth(trove_target_t *t, const trove_query_t *q);
static void trove_target_bands(trove_target_t *t, const trove_query_t *q,
    double dx, double dy, double in_x, double in_y);
static double trove_target_turn(trove_target_t *t, const trove_query_t *q,
    double dy);
static double trove_target_stretch(const trove_query_t *q, double width,
    double dy, double *inner);
static void trove_target_part(trove_target_t *t, const trove_box_t *rows,
    double x, double dx, double in_x);
static void trove_target_part_edges(trove_target_t *t);
static void trove_target_unit(trove_target_t *t, const trove_query_t *q);
static uint32_t trove_target_terms(const double *reach, double angle);


/*
 * Up to which angle 1, 2, ... terms of the series make them precise to 1e-5,
 * and to 1e-12: the first that is left out of n is 2 angle^2n / (2n + 2)! of
 * the sum.  To be more precise in floats would cost each row more than it
 * costs the few that it leaves in doubt.
 */

static const double  trove_target_float[TROVE_TERMS_MAX] = {
    0.0109, 0.244, 0.76, 1.43, 2.17, 2.94, INFINITY
};


static const double  trove_target_double[TROVE_TERMS_MAX] = {
    0.0000034, 0.0043, 0.052, 0.19, 0.43, 0.77, 1.17, 1.65, 2.14, 2.72,
    INFINITY
};


void
trove_target_init(trove_target_t *t, trove_space_kind_t space,
    const trove_query_t *q)
{
    uint32_t  i;

    t->probe.y = q->y;

    if (space == TROVE_EARTH) {
        trove_target_earth(t, q);

    } else {
        trove_target_plane(t, q);
    }

    if (!(t->fine < 0.25)) {
        t->exact = 1;
    }

    if (!(t->unit > TROVE_FLOAT_LEAST && t->unit < TROVE_FLOAT_MOST
          && fabs(q->x) < TROVE_FLOAT_MOST && fabs(q->y) < TROVE_FLOAT_MOST))
    {
        t->coarse = INFINITY;
    }

    t->coarse *= t->unit;
    t->fine = t->exact ? 0 : t->fine * t->unit;
    t->probe.boxed = q->shape == TROVE_BOX;

    for (i = 0; i < t->nparts; i++) {
        trove_target_reach(&t->part[i]);
    }
}


/* From the lowest number of the least key to the highest of the largest. */

static void
trove_target_reach(trove_part_t *part)
{
    trove_box_t    *box;
    trove_reach_t  *reach;

    box = &part->box;
    reach = &part->reach;

    reach->min_x = trove_unorder(trove_order_join(box->min_x, 0));
    reach->max_x = trove_unorder(trove_order_join(box->max_x, UINT32_MAX));
    reach->min_y = trove_unorder(trove_order_join(box->min_y, 0));
    reach->max_y = trove_unorder(trove_order_join(box->max_y, UINT32_MAX));
}


static int32_t
trove_key_min(double d)
{
    int32_t  key;

    key = trove_order_key(trove_order(d));

    return key < TROVE_KEY_MIN ? TROVE_KEY_MIN : key;
}


static int32_t
trove_key_max(double d)
{
    int32_t  key;

    key = trove_order_key(trove_order(d));

    return key > TROVE_KEY_MAX ? TROVE_KEY_MAX : key;
}


static void
trove_target_plane(trove_target_t *t, const trove_query_t *q)
{
    double        dx, dy, mx, my, ex, ey;
    trove_part_t  *part;

    t->key = trove_space_radius_key(TROVE_PLANE, q->r);

    /* what has no finite key has none that is larger than any other's */

    dx = t->key <= DBL_MAX ? q->r : INFINITY;
    dy = dx;
    mx = TROVE_PLANE_LEAST;

    if (q->shape == TROVE_BOX) {
        dx = q->w / 2;
        dy = q->h / 2;
        mx = 0;
    }

    my = mx + (fabs(q->y) + dy) * 0x1p-50;
    mx = mx + (fabs(q->x) + dx) * 0x1p-50;

    part = &t->part[0];
    t->nparts = 1;

    part->x = q->x;
    part->box.min_x = trove_key_min(q->x - dx - mx);
    part->box.max_x = trove_key_max(q->x + dx + mx);
    part->box.min_y = trove_key_min(q->y - dy - my);
    part->box.max_y = trove_key_max(q->y + dy + my);

    trove_box_all(&part->inner);

    if (q->shape == TROVE_BOX) {
        part->inner.min_x = trove_key_min(q->x - dx + mx) + 1;
        part->inner.max_x = trove_key_max(q->x + dx - mx) - 1;
        part->inner.min_y = trove_key_min(q->y - dy + my) + 1;
        part->inner.max_y = trove_key_max(q->y + dy - my) - 1;
    }

    t->unit = dx > dy ? dx : dy;
    t->exact = !(t->unit > 1e-140 && t->unit < 1e140);

    ex = (fabs(q->x) + dx) * TROVE_KEY_ERROR;
    ey = (fabs(q->y) + dy) * TROVE_KEY_ERROR;

    t->coarse = (ex + ey) / t->unit + TROVE_FLOAT_ERROR;
    t->fine = TROVE_PLANE_ERROR;
}


static void
trove_target_earth(trove_target_t *t, const trove_query_t *q)
{
    double  dx, dy, in_x, inverse, ex, ey, cosine;

    t->key = trove_space_radius_key(TROVE_EARTH, q->r);

    t->probe.sin_y = sin(q->y / TROVE_DEGREES);
    t->probe.cos_y = cos(q->y / TROVE_DEGREES);

    trove_target_unit(t, q);

    in_x = INFINITY;

    if (q->shape == TROVE_BOX) {
        dy = q->h / (2 * TROVE_EARTH_RADIUS);
        dx = trove_target_stretch(q, q->w / (2 * TROVE_EARTH_RADIUS), dy,
                                  &in_x);
    } else {
        dy = q->r / TROVE_EARTH_RADIUS;
        dx = trove_target_turn(t, q, dy);
    }

    trove_target_bands(t, q, dx, dy, in_x, dy);

    t->probe.terms[0] = trove_target_terms(trove_target_float,
                                           dx > dy ? dx : dy);
    t->probe.terms[1] = trove_target_terms(trove_target_double,
                                           dx > dy ? dx : dy);

    inverse = 1 / t->unit;

    /* an angle that is wrong by e is wrong by e / 2 in the root */

    cosine = t->probe.cos_y + dy;
    cosine = cosine > 1 ? 1 : cosine;

    ex = (t->nparts == 2 || dx >= M_PI) ? 180
                                        : fabs(q->x) + dx * TROVE_DEGREES;
    ey = fabs(q->y) + dy * TROVE_DEGREES;

    t->coarse = (ex * cosine + ey) * (TROVE_KEY_ERROR / TROVE_DEGREES / 2)
                * inverse + TROVE_FLOAT_EARTH;
    t->fine = TROVE_TURN_ERROR * inverse + TROVE_EARTH_ERROR;
    t->exact = 0;
}


/* Radians of longitude that a circle reaches to either side. */

static double
trove_target_turn(trove_target_t *t, const trove_query_t *q, double dy)
{
    double  sine;

    if (fabs(q->y) + dy * TROVE_DEGREES > 90 - 1e-6) {
        return M_PI;
    }

    /* twice the sine of half the radius is a little above that of all */

    sine = 2 * t->unit / t->probe.cos_y;

    if (sine < 0.1) {

        /* asin(s) = atan(s / sqrt(1 - s^2)), which is below its argument */

        return sine * (1 + 0.51 * sine * sine);
    }

    sine *= sqrt(1 - t->key);

    return sine < 0.99 ? asin(sine) : M_PI;
}


/*
 * The same of a box whose half width is "width" in radians, along a parallel:
 * most at the latitude nearest to a pole.  *inner is the least.
 */

static double
trove_target_stretch(const trove_query_t *q, double width, double dy,
    double *inner)
{
    double  near, far, cosine;

    near = fabs(q->y) - dy * TROVE_DEGREES;
    far = fabs(q->y) + dy * TROVE_DEGREES;

    *inner = near > 0 ? width / cos(near / TROVE_DEGREES) : width;

    if (far > 90 - 1e-6) {
        return M_PI;
    }

    cosine = cos(far / TROVE_DEGREES);

    return width < M_PI * cosine ? width / cosine : M_PI;
}


/*
 * The unit is the circle's radius, and the box's larger side halved; but no
 * unit is above that of half the earth's circumference.
 */

static void
trove_target_unit(trove_target_t *t, const trove_query_t *q)
{
    double  side;

    if (q->shape == TROVE_BOX) {
        side = q->w > q->h ? q->w : q->h;
        t->unit = sqrt(trove_space_radius_key(TROVE_EARTH, side / 2));

    } else {
        t->unit = sqrt(t->key);
    }
}


/* Turns half widths in radians into parts in keys. */

static void
trove_target_bands(trove_target_t *t, const trove_query_t *q, double dx,
    double dy, double in_x, double in_y)
{
    double       slack;
    trove_box_t  box;

    dx = dx * TROVE_DEGREES * (1 + TROVE_SLACK_SHARE) + TROVE_SLACK;
    dy = dy * TROVE_DEGREES;
    in_x = in_x * TROVE_DEGREES * (1 - TROVE_SLACK_SHARE) - TROVE_SLACK;
    slack = dy * TROVE_SLACK_SHARE + (dy > 90 ? TROVE_SLACK_FAR : TROVE_SLACK);

    box.min_y = trove_key_min(q->y - dy - slack);
    box.max_y = trove_key_max(q->y + dy + slack);

    t->nparts = 0;
    trove_target_part(t, &box, q->x, dx, in_x);

    /* "dx" may reach over both ends: the other part lies behind the nearer */

    if (q->x > 0 && q->x + dx > 180) {
        trove_target_part(t, &box, q->x - 360, dx, in_x);

    } else if (q->x < 0 && q->x - dx < -180) {
        trove_target_part(t, &box, q->x + 360, dx, in_x);
    }

    trove_target_part_edges(t);

    if (q->shape == TROVE_BOX) {
        dy = in_y * TROVE_DEGREES;

        box.min_y = trove_key_min(q->y - dy + slack) + 1;
        box.max_y = trove_key_max(q->y + dy - slack) - 1;

        t->part[0].inner.min_y = t->part[1].inner.min_y = box.min_y;
        t->part[0].inner.max_y = t->part[1].inner.max_y = box.max_y;
    }
}


static void
trove_target_part(trove_target_t *t, const trove_box_t *rows, double x,
    double dx, double in_x)
{
    double        min, max;
    trove_part_t  *part;

    part = &t->part[t->nparts++];
    dx = dx > 180 ? 180 : dx;

    min = x - dx < -180 ? -180 : x - dx;
    max = x + dx > 180 ? 180 : x + dx;

    part->x = x;
    part->box = *rows;
    part->box.min_x = trove_key_min(min);
    part->box.max_x = trove_key_max(max);

    trove_box_all(&part->inner);

    if (in_x < 180) {
        part->inner.min_x = trove_key_min(x - in_x) + 1;
        part->inner.max_x = trove_key_max(x + in_x) - 1;
    }
}


/* Where two parts meet opposite to the centre, one has the key of the edge. */

static void
trove_target_part_edges(trove_target_t *t)
{
    trove_box_t  *a, *b;

    if (t->nparts < 2) {
        return;
    }

    a = &t->part[0].box;
    b = &t->part[1].box;

    if (t->part[1].x < t->part[0].x) {
        b->max_x = b->max_x < a->min_x ? b->max_x : a->min_x - 1;

    } else {
        b->min_x = b->min_x > a->max_x ? b->min_x : a->max_x + 1;
    }
}


static uint32_t
trove_target_terms(const double *reach, double angle)
{
    uint32_t  n;

    for (n = 1; angle > reach[n - 1]; n++) { /* void */ }

    return n;
}
