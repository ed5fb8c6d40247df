/*
 * Polls and what they must be answered, worked out the naive way: for each
 * poll the distance of every place that is not certainly too far, with nothing
 * of trove.
 *
 *   polls COUNT RADIUS PLACES [MORE]
 *
 * PLACES and MORE are NDJSON of rewards.  A poll's position is a random place,
 * moved by up to some km.  A line of the output is a poll:
 *
 *   x y r  found id,id,id  found id,id,id
 *
 * first among PLACES, then among PLACES and MORE ("-": no ids).
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"


#define POLLS_LIMIT     3
#define POLLS_MOVED     0.05                /* degrees                       */
#define POLLS_RADIUS    6371008.8L
#define POLLS_RADIAN    (3.14159265358979323846264338327950288L / 180)
#define POLLS_MARGIN    1e-12               /* of the square of a chord      */
#define POLLS_TEXT      32                  /* longest coordinate            */


typedef struct {
    double         x;
    double         y;
    double         v[3];                    /* on a sphere of radius 1       */
    uint32_t       id;
    int            more;
} polls_place_t;


typedef struct {
    uint64_t       found;
    uint32_t       n;
    uint32_t       ids[POLLS_LIMIT];
    long double    keys[POLLS_LIMIT];
} polls_answer_t;


typedef struct {
    char           x[POLLS_TEXT];
    char           y[POLLS_TEXT];
} polls_poll_t;


static void polls_read(const char *name, int more);
static double polls_number(const char *line, const char *name);
static void polls_draw(polls_poll_t *poll);
static void polls_answer(const polls_poll_t *poll, double r);
static void polls_found(polls_answer_t *a, uint32_t id, long double key);
static void polls_print(const polls_answer_t *a);
static void polls_vector(polls_place_t *p);
static double polls_chord(const polls_place_t *p, const polls_place_t *q);
static long double polls_key(const polls_place_t *p, const polls_place_t *q);
static size_t polls_first(double y);
static int polls_by_latitude(const void *a, const void *b);
static double polls_random(void);
static void *polls_alloc(void *p, size_t n, size_t size);


static polls_place_t  *polls_places;
static size_t          polls_n;
static uint64_t        polls_seed = 42;


int
main(int argc, char **argv)
{
    double         r;
    size_t         i, n;
    polls_poll_t  *polls;

    if (argc < 4 || argc > 5) {
        die("usage: polls COUNT RADIUS PLACES [MORE]");
    }

    n = strtoul(argv[1], NULL, 10);
    r = strtod(argv[2], NULL);
    polls = polls_alloc(NULL, n, sizeof(polls_poll_t));

    polls_read(argv[3], 0);

    if (n == 0 || polls_n == 0) {
        die("there are none");
    }

    for (i = 0; i < n; i++) {
        polls_draw(&polls[i]);
    }

    if (argc == 5) {
        polls_read(argv[4], 1);
    }

    qsort(polls_places, polls_n, sizeof(polls_place_t), polls_by_latitude);

    for (i = 0; i < n; i++) {
        polls_answer(&polls[i], r);
    }

    return 0;
}


static void
polls_read(const char *name, int more)
{
    FILE           *f;
    char           *line;
    size_t          size;
    polls_place_t  *p;

    f = fopen(name, "r");

    if (f == NULL) {
        die(name);
    }

    line = NULL;
    size = 0;

    while (getline(&line, &size, f) != -1) {

        if ((polls_n & (polls_n - 1)) == 0) {
            polls_places = polls_alloc(polls_places, 2 * polls_n + 1,
                                       sizeof(polls_place_t));
        }

        p = &polls_places[polls_n++];

        p->id = (uint32_t) polls_number(line, "\"id\":");
        p->x = polls_number(line, "\"x\":");
        p->y = polls_number(line, "\"y\":");
        p->more = more;

        polls_vector(p);
    }

    free(line);
    fclose(f);
}


static double
polls_number(const char *line, const char *name)
{
    const char  *p;

    p = strstr(line, name);

    if (p == NULL) {
        die(line);
    }

    return strtod(p + strlen(name), NULL);
}


static void
polls_draw(polls_poll_t *poll)
{
    double          x, y;
    polls_place_t  *p;

    p = &polls_places[(size_t) (polls_random() * polls_n)];

    x = p->x + (2 * polls_random() - 1) * POLLS_MOVED;
    y = p->y + (2 * polls_random() - 1) * POLLS_MOVED;

    snprintf(poll->x, POLLS_TEXT, "%.5f", fmin(fmax(x, -180), 180));
    snprintf(poll->y, POLLS_TEXT, "%.5f", fmin(fmax(y, -90), 90));
}


static void
polls_answer(const polls_poll_t *poll, double r)
{
    int             more;
    double          dy, far;
    size_t          i;
    long double     key, half, edge;
    polls_place_t   q, *p;
    polls_answer_t  a[2];

    memset(a, 0, sizeof(a));

    q.x = strtod(poll->x, NULL);
    q.y = strtod(poll->y, NULL);
    polls_vector(&q);

    dy = (double) (r / POLLS_RADIUS / POLLS_RADIAN) + 1e-6;

    half = sinl(r / (2 * POLLS_RADIUS));
    edge = half * half;
    far = (double) (4 * edge) + POLLS_MARGIN;

    for (i = polls_first(q.y - dy); i < polls_n; i++) {
        p = &polls_places[i];

        if (p->y > q.y + dy) {
            break;
        }

        if (polls_chord(p, &q) > far) {
            continue;
        }

        key = polls_key(p, &q);

        if (key > edge) {
            continue;
        }

        for (more = p->more; more < 2; more++) {
            polls_found(&a[more], p->id, key);
        }
    }

    printf("%s %s %.17g", poll->x, poll->y, r);

    polls_print(&a[0]);
    polls_print(&a[1]);

    printf("\n");
}


/* Sorted into the answer: the nearest first, then by id. */

static void
polls_found(polls_answer_t *a, uint32_t id, long double key)
{
    uint32_t  i;

    a->found++;

    for (i = a->n; i > 0; i--) {

        if (a->keys[i - 1] < key
            || (a->keys[i - 1] == key && a->ids[i - 1] < id))
        {
            break;
        }

        if (i < POLLS_LIMIT) {
            a->keys[i] = a->keys[i - 1];
            a->ids[i] = a->ids[i - 1];
        }
    }

    if (i == POLLS_LIMIT) {
        return;
    }

    a->keys[i] = key;
    a->ids[i] = id;
    a->n += (a->n < POLLS_LIMIT);
}


static void
polls_print(const polls_answer_t *a)
{
    uint32_t  i;

    printf(" %llu ", (unsigned long long) a->found);

    for (i = 0; i < a->n; i++) {
        printf("%s%u", i ? "," : "", a->ids[i]);
    }

    if (a->n == 0) {
        printf("-");
    }
}


static void
polls_vector(polls_place_t *p)
{
    long double  x, y;

    x = p->x * POLLS_RADIAN;
    y = p->y * POLLS_RADIAN;

    p->v[0] = cosl(y) * cosl(x);
    p->v[1] = cosl(y) * sinl(x);
    p->v[2] = sinl(y);
}


/* The square of the chord: four times the haversine, but rougher. */

static double
polls_chord(const polls_place_t *p, const polls_place_t *q)
{
    double  x, y, z;

    x = p->v[0] - q->v[0];
    y = p->v[1] - q->v[1];
    z = p->v[2] - q->v[2];

    return x * x + y * y + z * z;
}


/* The haversine of the angle between the two. */

static long double
polls_key(const polls_place_t *p, const polls_place_t *q)
{
    long double  s1, s2;

    s1 = sinl(((long double) p->y - q->y) * POLLS_RADIAN / 2);
    s2 = sinl(((long double) p->x - q->x) * POLLS_RADIAN / 2);

    return s1 * s1 + cosl(q->y * POLLS_RADIAN) * cosl(p->y * POLLS_RADIAN)
                     * (s2 * s2);
}


/* The first of the sorted places that is not south of "y". */

static size_t
polls_first(double y)
{
    size_t  low, high, middle;

    low = 0;
    high = polls_n;

    while (low < high) {
        middle = (low + high) / 2;

        if (polls_places[middle].y < y) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


static int
polls_by_latitude(const void *a, const void *b)
{
    double  x, y;

    x = ((const polls_place_t *) a)->y;
    y = ((const polls_place_t *) b)->y;

    return (x > y) - (x < y);
}


/* splitmix64, as a number of 0 .. 1, without 1 */

static double
polls_random(void)
{
    uint64_t  z;

    z = (polls_seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;

    return (z >> 11) * 0x1p-53;
}


static void *
polls_alloc(void *p, size_t n, size_t size)
{
    p = realloc(p, (n ? n : 1) * size);

    if (p == NULL) {
        die("no memory");
    }

    return p;
}
