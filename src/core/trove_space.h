/*
 * The two spaces that rewards lie in, and what is true in them.  The functions
 * here are the exact ones, in float64, that every answer is decided by; the
 * SIMD kernels (trove_simd.h) only pre-select and leave to these what they
 * cannot decide with certainty.
 */

#ifndef TROVE_SPACE_H_INCLUDED
#define TROVE_SPACE_H_INCLUDED


#include "trove.h"


#define TROVE_EARTH_RADIUS   6371008.8      /* metres, of the sphere */


typedef enum {
    TROVE_PLANE,
    TROVE_EARTH               /* x is longitude, y latitude, in degrees      */
} trove_space_kind_t;


/*
 * Orders points by their distance and is cheaper than it: on the plane
 * dx * dx + dy * dy, on the earth the haversine of the central angle.
 */
double trove_space_key(trove_space_kind_t space, double x1, double y1,
    double x2, double y2);

/* The distance that a key stands for: units of the plane, or metres. */
double trove_space_distance(trove_space_kind_t space, double key);

/* The key of a circle of that radius: within is key <= it. */
double trove_space_radius_key(trove_space_kind_t space, double radius);

/*
 * Whether (x2, y2) is within the box of full width "w" and height "h" around
 * (x1, y1); on the earth in metres, north-south along the meridian, east-west
 * along the parallel of (x2, y2).
 */
int trove_space_in_box(trove_space_kind_t space, double x1, double y1,
    double w, double h, double x2, double y2);


#endif /* TROVE_SPACE_H_INCLUDED */
