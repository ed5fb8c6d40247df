/*
 * The exact geometry, against long double and against what is known.
 */

#include <float.h>
#include <math.h>

#include "unit.h"

#include "trove_space.h"


/* The angle between two points, well-conditioned everywhere. */

static long double
angle(double x1, double y1, double x2, double y2)
{
    long double  rad, p1, p2, l, a, b, c;

    rad = 3.14159265358979323846264338327950288L / 180;
    p1 = y1 * rad;
    p2 = y2 * rad;
    l = ((long double) x2 - x1) * rad;

    a = cosl(p2) * sinl(l);
    b = cosl(p1) * sinl(p2) - sinl(p1) * cosl(p2) * cosl(l);
    c = sinl(p1) * sinl(p2) + cosl(p1) * cosl(p2) * cosl(l);

    return atan2l(sqrtl(a * a + b * b), c);
}


static double
earth(double x1, double y1, double x2, double y2)
{
    return trove_space_distance(TROVE_EARTH,
                                trove_space_key(TROVE_EARTH, x1, y1, x2, y2));
}


static void
near_angle(double x1, double y1, double x2, double y2)
{
    double  right, got;

    right = (double) (angle(x1, y1, x2, y2) * TROVE_EARTH_RADIUS);
    got = earth(x1, y1, x2, y2);

    if (fabs(right - got) > 0.1) {
        print_message("%.17g,%.17g - %.17g,%.17g: %.9f instead of %.9f\n", x1,
                      y1, x2, y2, got, right);
        fail();
    }
}


static void
test_known(void **state)
{
    double  half;

    half = M_PI * TROVE_EARTH_RADIUS;

    assert_true(earth(12.5, 41.9, 12.5, 41.9) == 0);
    assert_true(fabs(earth(0, 0, 0, 90) - half / 2) < 0.1);
    assert_true(fabs(earth(0, 0, 180, 0) - half) < 0.1);
    assert_true(fabs(earth(-180, 10, 180, 10)) < 1e-6);
    assert_true(fabs(earth(17, 90, -103, 90)) < 1e-6);
    assert_true(fabs(earth(0, -90, 77, 90) - half) < 0.1);
    assert_true(fabs(earth(179.9, 0, -179.9, 0) - half * 0.2 / 180) < 0.1);

    /* Paris to Tokyo on this sphere */

    assert_true(fabs(earth(2.3522, 48.8566, 139.6917, 35.6895) - 9712079)
                < 500);
}


static void
test_angles(void **state)
{
    int     i;
    double  x, y, d;

    for (i = 0; i < 20000; i++) {
        x = random_between(-180, 180);
        y = random_between(-90, 90);
        d = exp(random_between(-25, 5));

        near_angle(x, y, random_between(-180, 180), random_between(-90, 90));
        near_angle(x, y, x, fmin(90, y + d));
        near_angle(x, y, fmin(180, x + d), y);
        near_angle(180 - d, y, -180 + d, fmin(90, y + d));
        near_angle(x, fmin(90, 90 - d / 10), -x, fmax(-90, 90 - d));

        /* about the antipode */

        near_angle(x, y, x + (x > 0 ? -180 : 180) + random_between(-1, 1) * d,
                   fmax(-90, fmin(90, -y + random_between(-1, 1) * d)));
    }
}


/* A point at some distance is within a circle of a little more, only. */

static void
test_radius(void **state)
{
    int     i;
    double  x, y, key, d;

    for (i = 0; i < 20000; i++) {
        x = random_between(-180, 180);
        y = random_between(-90, 90);
        key = trove_space_key(TROVE_EARTH, x, y, random_between(-180, 180),
                              random_between(-90, 90));
        d = trove_space_distance(TROVE_EARTH, key);

        assert_true(key <= trove_space_radius_key(TROVE_EARTH, d + 0.2));
        assert_true(key > trove_space_radius_key(TROVE_EARTH, d - 0.2));
    }

    assert_true(trove_space_radius_key(TROVE_EARTH, 0) == 0);
    assert_true(trove_space_radius_key(TROVE_EARTH, 3e7) == 1);
    assert_true(trove_space_radius_key(TROVE_EARTH, DBL_MAX) == 1);
    assert_true(trove_space_key(TROVE_EARTH, 0, 0, 180, 0) <= 1);
}


static void
test_plane(void **state)
{
    assert_true(trove_space_key(TROVE_PLANE, 1, 2, 4, 6) == 25);
    assert_true(trove_space_distance(TROVE_PLANE, 25) == 5);
    assert_true(trove_space_radius_key(TROVE_PLANE, 5) == 25);

    /* what overflows is far, and never no number */

    assert_true(trove_space_key(TROVE_PLANE, -1e308, 0, 1e308, 0)
                == INFINITY);
    assert_true(trove_space_key(TROVE_PLANE, -1e308, 1e308, 1e308, -1e308)
                == INFINITY);
    assert_true(trove_space_radius_key(TROVE_PLANE, 1e200) == INFINITY);
    assert_true(trove_space_key(TROVE_PLANE, 0, 0, 4.9e-324, 0) == 0);
}


static void
test_boxes(void **state)
{
    double  degree;

    assert_true(trove_space_in_box(TROVE_PLANE, 1, 1, 2, 4, 2, 3));
    assert_false(trove_space_in_box(TROVE_PLANE, 1, 1, 2, 4, 2.5, 1));
    assert_false(trove_space_in_box(TROVE_PLANE, 1, 1, 2, 4, 1, -1.5));
    assert_true(trove_space_in_box(TROVE_PLANE, 1, 1, 0, 0, 1, 1));

    degree = M_PI * TROVE_EARTH_RADIUS / 180;

    /* north-south along the meridian, east-west along the reward's parallel */

    assert_true(trove_space_in_box(TROVE_EARTH, 0, 59, degree * 1.01,
                                   degree * 2.01, 1, 60));
    assert_false(trove_space_in_box(TROVE_EARTH, 0, 60, degree * 1.01,
                                    degree * 2.01, 1, 59));
    assert_false(trove_space_in_box(TROVE_EARTH, 0, 59, degree, degree * 1.99,
                                    0, 60));
    assert_true(trove_space_in_box(TROVE_EARTH, 179.5, 0, degree * 2.01, 1,
                                   -179.5, 0));
    assert_true(trove_space_in_box(TROVE_EARTH, 10, 89, 1, degree * 2.01,
                                   -120, 90));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_angles),
        cmocka_unit_test(test_radius),
        cmocka_unit_test(test_plane),
        cmocka_unit_test(test_boxes),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
