/*
 * The exact geometry.  On the earth all is done with differences of degrees,
 * which keep their precision where the coordinates themselves are large.
 */

#include <math.h>

#include "trove_space.h"


#define TROVE_RADIAN  (M_PI / 180.0)


static double trove_space_turn(double x1, double x2);
static double trove_space_haversine(double x1, double y1, double x2,
    double y2);
static double trove_space_antipodal(double turn, double y1, double y2);


double
trove_space_key(trove_space_kind_t space, double x1, double y1, double x2,
    double y2)
{
    double  dx, dy;

    if (space == TROVE_EARTH) {
        return trove_space_haversine(x1, y1, x2, y2);
    }

    dx = x2 - x1;
    dy = y2 - y1;

    return dx * dx + dy * dy;
}


double
trove_space_distance(trove_space_kind_t space, double key)
{
    if (space == TROVE_PLANE) {
        return sqrt(key);
    }

    /* 1 - key is exact here, while the root of a key near 1 is not */

    if (key > 0.5) {
        return TROVE_EARTH_RADIUS * (M_PI - 2 * asin(sqrt(1 - key)));
    }

    return TROVE_EARTH_RADIUS * 2 * asin(sqrt(key));
}


double
trove_space_radius_key(trove_space_kind_t space, double radius)
{
    double  half, s;

    if (space == TROVE_PLANE) {
        return radius * radius;
    }

    half = radius / (2 * TROVE_EARTH_RADIUS);

    if (half >= M_PI / 2) {
        return 1;
    }

    if (half > M_PI / 4) {
        s = cos(half);
        return 1 - s * s;
    }

    s = sin(half);

    return s * s;
}


int
trove_space_in_box(trove_space_kind_t space, double x1, double y1, double w,
    double h, double x2, double y2)
{
    double  dx, dy;

    dy = fabs(y2 - y1);

    if (space == TROVE_PLANE) {
        return fabs(x2 - x1) <= w / 2 && dy <= h / 2;
    }

    if (!(dy * TROVE_RADIAN * TROVE_EARTH_RADIUS <= h / 2)) {
        return 0;
    }

    dx = fabs(trove_space_turn(x1, x2)) * TROVE_RADIAN;

    return dx * TROVE_EARTH_RADIUS * cos(y2 * TROVE_RADIAN) <= w / 2;
}


/* Degrees of longitude from x1 to x2, the shorter way round. */

static double
trove_space_turn(double x1, double x2)
{
    double  dx;

    dx = x2 - x1;

    if (dx > 180) {
        return dx - 360;
    }

    if (dx < -180) {
        return dx + 360;
    }

    return dx;
}


static double
trove_space_haversine(double x1, double y1, double x2, double y2)
{
    double  turn, s1, s2, key;

    turn = trove_space_turn(x1, x2) * TROVE_RADIAN;

    s1 = sin((y2 - y1) * TROVE_RADIAN / 2);
    s2 = sin(turn / 2);

    key = s1 * s1
          + cos(y1 * TROVE_RADIAN) * cos(y2 * TROVE_RADIAN) * (s2 * s2);

    if (key > 0.5) {
        return trove_space_antipodal(turn, y1, y2);
    }

    return key;
}


/*
 * Near 1 the haversine stands for metres with its last bits: it is computed
 * from that of the point opposite, which is small and therefore precise.
 */

static double
trove_space_antipodal(double turn, double y1, double y2)
{
    double  s1, s2;

    s1 = sin((y1 + y2) * TROVE_RADIAN / 2);
    s2 = cos(turn / 2);

    return 1 - (s1 * s1 + cos(y1 * TROVE_RADIAN) * cos(y2 * TROVE_RADIAN)
                          * (s2 * s2));
}
