/*
 * Views against a naive model in float64: each SIMD path, both spaces, every
 * shape, the edges of the world, changes that come meanwhile, and snapshots.
 */

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_fault.h"
#include "trove_view.h"


#define CAPACITY  6000
#define QUERIES   60
#define NOW       1700000000u
#define VIEWS     3             /* a view for each SIMD path, at most        */


typedef enum {
    UNIFORM,
    GRID,                       /* small integers: ties, points on the edge  */
    CLUSTERS,
    EXTREMES,                   /* huge, tiny, denormal, all at once         */
    POINT,                      /* all on one                                */
    POLES,
    MERIDIANS,                  /* around 0 and 180                          */
    STYLES
} style_t;


typedef struct {
    trove_ledger_conf_t   conf;
    trove_ledger_t       *ledger;
    void                 *mem;          /* shared with forks             */
    size_t                size;
    style_t               style;
    uint32_t              ids;          /* rewards have the ids 1 .. ids     */
    trove_reward_t       *rewards;      /* by id; id 0: there is none        */
    trove_view_t         *views[VIEWS];
    int                   nviews;
} world_t;


typedef struct {
    double    key;
    uint32_t  id;
} model_hit_t;


static int             cancel_left;     /* looks until it is to end, or 0    */
static trove_hit_t     hits[2][TROVE_LIMIT_MAX];
static model_hit_t     model_hits[1 << 20];
static trove_query_t   query;


static double
random_extreme(void)
{
    static const double  some[] = {
        0, -0.0, DBL_MAX, -DBL_MAX, DBL_MIN, -DBL_MIN, 4.9e-324, -4.9e-324,
        1e300, -1e300, 1e154, 1e-154, -1e-160, 1e-200, 1, -1, 1e39, -1e39,
        1e-39, 2e-38
    };

    if (random_below(3) == 0) {
        return some[random_below(sizeof(some) / sizeof(some[0]))];
    }

    return (random_below(2) ? 1 : -1)
           * exp(random_between(-740, 709)) * (1 + random_unit());
}


static double
random_level(void)
{
    static const double  some[] = { 0, 1, 2, 2.5, 0.1, -3, 1e300, 4.9e-324 };

    return some[random_below(sizeof(some) / sizeof(some[0]))];
}


static void
random_earth(style_t style, double *x, double *y)
{
    *x = random_between(-180, 180);
    *y = asin(random_between(-1, 1)) * 180 / M_PI;

    switch (style) {

    case GRID:
        *x = (double) random_below(9) * 45 - 180;
        *y = (double) random_below(9) * 22.5 - 90;
        break;

    case CLUSTERS:
        *x = 12.5 + 100 * random_below(2) + random_between(-0.01, 0.01);
        *y = 41.9 - 60 * random_below(2) + random_between(-0.01, 0.01);
        break;

    case POINT:
        *x = 12.5;
        *y = -41.9;
        break;

    case POLES:
        *y = (90 - exp(random_between(-20, 3))) * (random_below(2) ? 1 : -1);
        *y = random_below(20) ? *y : copysign(90, *y);
        break;

    case MERIDIANS:
        *x = random_between(-1, 1) * (random_below(4) ? 0.001 : 1);
        *x = random_below(2) ? *x : copysign(180, *x) - *x;
        *x = random_below(20) ? *x : copysign(180, *x);
        *y = random_between(-1, 1) * (random_below(4) ? 0.001 : 80);
        break;

    case EXTREMES:
        *x = fmod(random_extreme(), 180);
        *y = fmod(random_extreme(), 90);
        break;

    default:
        break;
    }
}


static void
random_plane(style_t style, double *x, double *y)
{
    *x = random_between(-1000, 1000);
    *y = random_between(-1000, 1000);

    switch (style) {

    case GRID:
        *x = (double) random_below(12) - 3;
        *y = (double) random_below(12) - 3;
        break;

    case CLUSTERS:
        *x = 1e6 * random_below(3) + random_between(-1, 1);
        *y = -1e-3 * random_below(3) + random_between(-1e-4, 1e-4);
        break;

    case EXTREMES:
        *x = random_extreme();
        *y = random_extreme();
        break;

    case POINT:
        *x = 3.25;
        *y = -0.1;
        break;

    case POLES:
        *x = exp(random_between(-30, 30));
        *y = -exp(random_between(-30, 30));
        break;

    default:
        break;
    }
}


static void
random_point(const world_t *w, double *x, double *y)
{
    if (w->conf.space == TROVE_EARTH) {
        random_earth(w->style, x, y);

    } else {
        random_plane(w->style, x, y);
    }
}


static void
random_reward(const world_t *w, trove_reward_t *r, uint32_t id)
{
    memset(r, 0, sizeof(trove_reward_t));

    random_point(w, &r->x, &r->y);
    r->id = id;
    r->value = (int32_t) random_bits();
    r->stock = random_below(8) ? 1 + random_below(3) : 0;
    r->level = random_below(3) ? 0 : random_level();

    if (random_below(4) == 0) {
        r->starts = NOW - 2 + random_below(4);
    }

    if (random_below(4) == 0) {
        r->expires = NOW - 2 + random_below(4);
    }
}


/* Says that it is to end, once it was asked as often as "cancel_left". */

static int
canceled(void)
{
    return cancel_left == 0 || --cancel_left == 0;
}


static void
world_put(world_t *w, const trove_reward_t *r)
{
    uint64_t    version;
    trove_rc_t  rc;

    do {
        rc = trove_ledger_put(w->ledger, r, &version);
    } while (rc == TROVE_BUSY);

    assert_int_equal(rc, TROVE_OK);
    w->rewards[r->id] = *r;
}


static void
world_remove(world_t *w, uint32_t id)
{
    uint64_t    version;
    trove_rc_t  rc;

    do {
        rc = trove_ledger_remove(w->ledger, id, &version);
    } while (rc == TROVE_BUSY);

    assert_int_equal(rc, w->rewards[id].id ? TROVE_OK : TROVE_NOTFOUND);
    w->rewards[id].id = 0;
}


static void
world_sane(const trove_view_t *v)
{
    const char  *wrong;

    wrong = trove_view_sane(v);

    if (wrong != NULL) {
        print_message("%s\n", wrong);
        fail();
    }
}


static int
all_kernels(const trove_simd_t **simd)
{
    int  i, n;

    static const trove_simd_kind_t  kinds[VIEWS] = {
        TROVE_SIMD_SCALAR, TROVE_SIMD_AVX2, TROVE_SIMD_AVX512
    };

    n = 0;

    for (i = 0; i < VIEWS; i++) {
        simd[n] = trove_simd_select(kinds[i]);
        n += simd[n] != NULL;
    }

    return n;
}


static void
world_build(world_t *w)
{
    int                  i;
    trove_view_t        *v;
    const trove_simd_t  *simd[VIEWS + 1];

    w->nviews = all_kernels(simd);

    for (i = 0; i < w->nviews; i++) {
        assert_int_equal(trove_view_build(&v, w->ledger, simd[i],
                                          TROVE_PAGES_OFF, NULL), TROVE_OK);
        world_sane(v);
        assert_int_equal(trove_view_version(v),
                         trove_ledger_version(w->ledger));

        w->views[i] = v;
    }
}


/* The same out of a snapshot. */

static void
world_load(world_t *w, int fd)
{
    int                  i;
    trove_view_t        *v;
    const trove_simd_t  *simd[VIEWS + 1];

    w->nviews = all_kernels(simd);

    for (i = 0; i < w->nviews; i++) {
        assert_int_equal(trove_view_load(&v, fd, w->ledger, simd[i],
                                         i ? TROVE_PAGES_AUTO
                                           : TROVE_PAGES_OFF), TROVE_OK);
        world_sane(v);
        w->views[i] = v;
    }
}


static void
world_unbuild(world_t *w)
{
    while (w->nviews) {
        trove_view_destroy(w->views[--w->nviews]);
    }
}


static void
world_open(world_t *w, trove_space_kind_t space, style_t style,
    uint32_t capacity)
{
    size_t  size;

    memset(w, 0, sizeof(world_t));

    w->conf.rewards = capacity;
    w->conf.space = space;
    w->style = style;
    w->ids = capacity;

    size = trove_ledger_size(&w->conf);

    w->mem = mmap(NULL, size, PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    w->size = size;
    w->rewards = calloc(capacity + 1, sizeof(trove_reward_t));
    assert_true(w->mem != MAP_FAILED);
    assert_non_null(w->rewards);

    w->ledger = trove_ledger_init(w->mem, &w->conf);
}


static void
world_close(world_t *w)
{
    world_unbuild(w);
    (void) munmap(w->mem, w->size);
    free(w->rewards);
}


static void
world_fill(world_t *w, uint32_t n)
{
    uint32_t        id;
    trove_reward_t  r;

    for (id = 1; id <= n; id++) {
        random_reward(w, &r, id);
        world_put(w, &r);
    }
}


/* A radius that is apt to be interesting: often just the distance to one. */

static double
random_radius(const world_t *w, const trove_query_t *q)
{
    double                key;
    const trove_reward_t  *r;

    r = &w->rewards[1 + random_below(w->ids)];
    key = trove_space_key(w->conf.space, q->x, q->y, r->x, r->y);

    switch (random_below(8)) {

    case 0:
        return 0;

    case 1:
        return (w->conf.space == TROVE_EARTH) ? 1e9 * random_unit()
                                              : DBL_MAX * random_unit();
    case 2:
        return fabs(random_extreme());

    case 3:
        return exp(random_between(-10, 17));

    case 4:
        key *= 1 + random_between(-1e-15, 1e-15);
        break;

    case 5:
        key *= random_unit();
        break;

    default:
        break;
    }

    key = fmin(trove_space_distance(w->conf.space, key), DBL_MAX);

    return isnan(key) ? 1 : key;
}


static void
random_query(const world_t *w, trove_query_t *q)
{
    uint32_t              t;
    const trove_reward_t  *r;

    memset(q, 0, sizeof(trove_query_t));
    random_point(w, &q->x, &q->y);

    r = &w->rewards[1 + random_below(w->ids)];

    if (r->id && random_below(2)) {
        q->x = r->x;
        q->y = r->y;
    }

    q->shape = random_below(3) ? TROVE_CIRCLE : TROVE_BOX;
    q->r = random_radius(w, q);
    q->w = random_radius(w, q);
    q->h = random_below(4) ? random_radius(w, q) : q->w;

    t = random_below(8);
    q->limit = t == 0 ? 0
                      : t == 1 ? TROVE_LIMIT_MAX
                               : t == 2 ? random_below(100) : 1 + t;

    q->level = random_below(4) ? INFINITY : random_level();
    q->now = random_below(16) ? NOW - 2 + random_below(4)
                              : UINT32_MAX * random_below(2);
    q->detail = 1;
}


static int
model_seen(const trove_reward_t *r, const trove_query_t *q)
{
    return r->id != 0 && r->stock > 0 && r->level <= q->level
           && r->starts <= q->now && (r->expires == 0 || q->now < r->expires);
}


static int
model_order(const void *a, const void *b)
{
    const model_hit_t  *x, *y;

    x = a;
    y = b;

    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }

    return x->id < y->id ? -1 : 1;
}


static void
model_answer(const world_t *w, const trove_query_t *q, trove_answer_t *a)
{
    double                 key;
    uint32_t               i, id;
    const trove_reward_t  *r;

    a->found = 0;

    for (id = 1; id <= w->ids; id++) {
        r = &w->rewards[id];

        if (!model_seen(r, q)) {
            continue;
        }

        key = trove_space_key(w->conf.space, q->x, q->y, r->x, r->y);

        if (q->shape == TROVE_BOX) {
            if (!trove_space_in_box(w->conf.space, q->x, q->y, q->w, q->h,
                                    r->x, r->y))
            {
                continue;
            }

        } else if (!(key <= trove_space_radius_key(w->conf.space, q->r))) {
            continue;
        }

        model_hits[a->found].key = key;
        model_hits[a->found].id = id;
        a->found++;
    }

    qsort(model_hits, a->found, sizeof(model_hit_t), model_order);

    a->n = a->found < q->limit ? (uint32_t) a->found : q->limit;

    for (i = 0; i < a->n; i++) {
        r = &w->rewards[model_hits[i].id];

        memset(&a->hits[i], 0, sizeof(trove_hit_t));
        a->hits[i].x = r->x + 0.0;
        a->hits[i].y = r->y + 0.0;
        a->hits[i].id = r->id;
        a->hits[i].value = r->value;
        a->hits[i].distance = trove_space_distance(w->conf.space,
                                                   model_hits[i].key);
    }
}


static void
same_answer(const trove_query_t *q, const trove_answer_t *a,
    const trove_answer_t *b, const char *what)
{
    if (a->found == b->found && a->n == b->n
        && memcmp(a->hits, b->hits, a->n * sizeof(trove_hit_t)) == 0)
    {
        return;
    }

    print_message("%s: %s x=%a y=%a r=%a w=%a h=%a level=%g now=%u limit=%u:"
                  " found %llu, n %u instead of %llu, %u\n",
                  what, q->shape == TROVE_BOX ? "box" : "circle", q->x, q->y,
                  q->r, q->w, q->h, q->level, q->now, q->limit,
                  (unsigned long long) a->found, a->n,
                  (unsigned long long) b->found, b->n);

    fail();
}


static void
world_ask(world_t *w, const trove_query_t *q)
{
    int             i;
    trove_answer_t  model, view;

    model.hits = hits[0];
    view.hits = hits[1];

    model_answer(w, q, &model);

    for (i = 0; i < w->nviews; i++) {
        trove_view_query(w->views[i], q, &view);
        same_answer(q, &view, &model, "query");

        trove_view_scan(w->views[i], q, &view);
        same_answer(q, &view, &model, "scan");
    }
}


static void
world_ask_some(world_t *w, int n)
{
    while (n--) {
        random_query(w, &query);
        world_ask(w, &query);
    }
}


/* Changes some rewards: new, moved far or a little, sold out, removed. */

static void
world_change(world_t *w, uint32_t n)
{
    double          x, y;
    uint32_t        id;
    trove_reward_t  r;

    while (n--) {
        id = 1 + random_below(w->ids);
        random_reward(w, &r, id);

        if (w->rewards[id].id && random_below(3) == 0) {
            x = w->rewards[id].x;
            y = w->rewards[id].y;

            r.x = random_below(2) ? x : nextafter(x, 0);
            r.y = random_below(2) ? y : nextafter(y, 0);
        }

        if (random_below(4) == 0) {
            world_remove(w, id);

        } else {
            world_put(w, &r);
        }
    }
}


/* Every length around the sizes of vectors, blocks and leaves. */

static void
lengths(trove_space_kind_t space)
{
    uint32_t  n;
    world_t   w;

    for (n = 0; n <= 70; n++) {
        world_open(&w, space, (style_t) (n % STYLES), n ? n : 1);
        world_fill(&w, n);
        world_build(&w);
        world_ask_some(&w, 12);
        world_close(&w);
    }
}


static void
test_lengths(void **state)
{
    lengths(TROVE_PLANE);
    lengths(TROVE_EARTH);
}


static void
styles(trove_space_kind_t space)
{
    int      style;
    world_t  w;

    static const uint32_t  sizes[] = { 255, 1023, 1025, 2500, CAPACITY };

    for (style = 0; style < STYLES; style++) {
        world_open(&w, space, (style_t) style,
                   sizes[random_below(sizeof(sizes) / sizeof(sizes[0]))]);
        world_fill(&w, w.ids);
        world_build(&w);
        world_ask_some(&w, QUERIES);
        world_close(&w);
    }
}


static void
test_plane(void **state)
{
    styles(TROVE_PLANE);
}


static void
test_earth(void **state)
{
    styles(TROVE_EARTH);
}


/* Several views follow the ledger, each at its own pace, and are renewed. */

static void
changes(trove_space_kind_t space, style_t style)
{
    int         i, round;
    world_t     w;
    trove_rc_t  rc;

    world_open(&w, space, style, 1 + random_below(CAPACITY / 2));
    world_fill(&w, random_below(w.ids));
    world_build(&w);

    for (round = 0; round < 12; round++) {
        world_change(&w, random_below(w.ids / 3 + 3));

        for (i = 0; i < w.nviews; i++) {
            do {
                rc = trove_view_sync(w.views[i], 1 + random_below(500));
                assert_true(rc == TROVE_OK || rc == TROVE_AGAIN);
                world_sane(w.views[i]);
            } while (rc == TROVE_AGAIN);

            assert_int_equal(trove_view_version(w.views[i]),
                             trove_ledger_version(w.ledger));
        }

        world_ask_some(&w, 6);

        if (trove_view_worn(w.views[0]) || random_below(6) == 0) {
            world_unbuild(&w);
            world_build(&w);
            world_ask_some(&w, 3);
        }
    }

    world_close(&w);
}


static void
test_changes(void **state)
{
    int  style;

    for (style = 0; style < STYLES; style++) {
        changes(TROVE_PLANE, (style_t) style);
        changes(TROVE_EARTH, (style_t) style);
    }
}


/* A view answers as of its version until it is synced, whatever is written. */

static void
test_version(void **state)
{
    world_t         w;
    trove_reward_t  r;
    trove_answer_t  a;
    trove_query_t   q;

    world_open(&w, TROVE_PLANE, UNIFORM, 10);
    world_build(&w);

    memset(&r, 0, sizeof(trove_reward_t));
    r.id = 7;
    r.stock = 1;
    world_put(&w, &r);

    memset(&q, 0, sizeof(trove_query_t));
    q.limit = 1;
    a.hits = hits[0];

    trove_view_query(w.views[0], &q, &a);
    assert_int_equal(a.found, 0);
    assert_int_equal(trove_view_version(w.views[0]), 0);

    assert_int_equal(trove_view_sync(w.views[0], 100), TROVE_OK);
    trove_view_query(w.views[0], &q, &a);
    assert_int_equal(a.found, 1);
    assert_int_equal(hits[0][0].id, 7);
    assert_int_equal(trove_view_version(w.views[0]), 1);

    world_close(&w);
}


/* An empty view takes some thousands, is worn, then full; a new one is not. */

static void
test_full(void **state)
{
    uint32_t        id;
    world_t         w;
    trove_rc_t      rc;
    trove_query_t   q;
    trove_answer_t  a, b;
    trove_reward_t  r;

    world_open(&w, TROVE_PLANE, UNIFORM, 40000);
    world_build(&w);
    assert_false(trove_view_worn(w.views[0]));

    rc = TROVE_OK;

    for (id = 1; id <= w.ids && rc == TROVE_OK; id++) {
        random_point(&w, &r.x, &r.y);
        memset(&r.level, 0, sizeof(r) - offsetof(trove_reward_t, level));
        r.id = id;
        r.stock = 1;
        world_put(&w, &r);

        if (id % 64 == 0) {
            rc = trove_view_sync(w.views[0], UINT32_MAX);
        }
    }

    assert_int_equal(rc, TROVE_FULL);
    assert_true(trove_view_worn(w.views[0]));
    world_sane(w.views[0]);
    assert_true(trove_view_version(w.views[0]) >= 16384);

    memset(&q, 0, sizeof(trove_query_t));
    q.r = 1e9;
    q.limit = 3;
    q.detail = 1;
    a.hits = hits[0];
    b.hits = hits[1];

    trove_view_query(w.views[0], &q, &a);
    assert_int_equal(a.found, trove_view_version(w.views[0]));

    /* the log holds fewer changes than were made meanwhile */

    for (id = 1; id <= 39000; id++) {
        world_put(&w, &w.rewards[1 + id % 10]);
    }

    assert_int_equal(trove_view_sync(w.views[0], 1), TROVE_BEHIND);
    trove_view_query(w.views[0], &q, &b);
    same_answer(&q, &b, &a, "behind");

    world_unbuild(&w);
    world_build(&w);
    assert_false(trove_view_worn(w.views[0]));
    world_ask(&w, &q);

    world_close(&w);
}


/* A million on one point: all as near, the lowest ids win. */

static void
test_million(void **state)
{
    int             i;
    uint32_t        k, id, n;
    world_t         w;
    trove_query_t   q;
    trove_answer_t  a;
    trove_reward_t  r;

    n = 1000000;
    world_open(&w, TROVE_EARTH, POINT, n);

    memset(&r, 0, sizeof(trove_reward_t));
    random_point(&w, &r.x, &r.y);
    r.stock = 1;

    for (id = 0; id < n; id++) {
        r.id = 1 + (uint32_t) ((uint64_t) id * 999983 % n);
        world_put(&w, &r);
    }

    world_build(&w);

    memset(&q, 0, sizeof(trove_query_t));
    q.x = r.x + 0.001;
    q.y = r.y;
    q.r = 1000;
    q.limit = 3;
    a.hits = hits[0];

    for (i = 0; i < w.nviews; i++) {
        trove_view_query(w.views[i], &q, &a);
        assert_int_equal(a.found, n);
        assert_int_equal(a.n, q.limit);

        for (k = 0; k < a.n; k++) {
            assert_int_equal(hits[0][k].id, k + 1);
        }

        q.limit = i ? 100 : 1024;
        q.r = i ? 0 : q.r;
        q.x = i ? r.x : q.x;
    }

    world_close(&w);
}


static void
world_follow(world_t *w)
{
    int  i;

    for (i = 0; i < w->nviews; i++) {
        assert_int_equal(trove_view_follow(w->views[i], NULL), TROVE_OK);
        assert_int_equal(trove_view_version(w->views[i]),
                         trove_ledger_version(w->ledger));
        world_sane(w->views[i]);
    }
}


/* A view that lacks more than is logged, or than patches have room for. */

static void
test_follow(void **state)
{
    int      i, style;
    world_t  w;

    for (style = 0; style < STYLES; style++) {
        world_open(&w, (trove_space_kind_t) (style % 2), (style_t) style,
                   CAPACITY);
        world_fill(&w, random_below(w.ids));
        world_build(&w);
        world_change(&w, 9000);

        for (i = 0; i < w.nviews; i++) {
            assert_int_equal(trove_view_sync(w.views[i], 1), TROVE_BEHIND);
        }

        world_follow(&w);
        world_ask_some(&w, QUERIES / 4);
        world_close(&w);
    }

    world_open(&w, TROVE_PLANE, UNIFORM, 40000);
    world_build(&w);
    world_fill(&w, w.ids);

    assert_int_equal(trove_view_follow(w.views[0], NULL), TROVE_FULL);
    assert_int_equal(trove_view_version(w.views[0]), 0);
    world_sane(w.views[0]);

    world_close(&w);
}


/* What is loaded is what was saved, and follows as that would. */

static void
test_snapshot(void **state)
{
    int      fd, style, round;
    size_t   size;
    world_t  w;

    for (style = 0; style < STYLES; style++) {
        world_open(&w, (trove_space_kind_t) (style % 2), (style_t) style,
                   1 + random_below(CAPACITY));

        fd = trove_snapshot_open();
        assert_true(fd != -1);
        size = 0;

        for (round = 0; round < 3; round++) {
            world_unbuild(&w);
            world_fill(&w, w.ids);
            world_change(&w, random_below(w.ids));
            world_build(&w);

            assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_OK);

            /* the one before it is given back */

            assert_true(size == 0 || trove_snapshot_size(fd) < size * 3 / 2);
            size = trove_snapshot_size(fd);

            world_unbuild(&w);
            world_load(&w, fd);
            assert_int_equal(trove_view_version(w.views[0]),
                             trove_ledger_version(w.ledger));
            world_ask_some(&w, 3);

            world_change(&w, random_below(random_below(2) ? 30 : 9000));
            world_follow(&w);
            world_ask_some(&w, 3);
        }

        world_close(&w);
        (void) close(fd);
    }
}


/* Whether the snapshot is the one of that version. */

static void
assert_kept(const world_t *w, int fd, uint64_t version)
{
    trove_view_t  *v;

    assert_int_equal(trove_view_load(&v, fd, w->ledger,
                                     trove_simd_select(TROVE_SIMD_AUTO),
                                     TROVE_PAGES_OFF), TROVE_OK);
    world_sane(v);
    assert_int_equal(trove_view_version(v), version);
    trove_view_destroy(v);
}


/* Saves in a process that dies meanwhile. */

static void
save_and_die(const trove_view_t *v, int fd)
{
    int    status;
    pid_t  pid;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        trove_fault_arm("snapshot", 1);
        (void) trove_view_save(v, fd, NULL);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}


/* A process that holds all of the file locked until it is killed. */

static pid_t
lock_file(int fd)
{
    int           ends[2];
    char          c;
    pid_t         pid;
    struct flock  lock;

    assert_int_equal(pipe(ends), 0);

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        memset(&lock, 0, sizeof(lock));
        lock.l_type = F_RDLCK;
        (void) fcntl(fd, F_SETLKW, &lock);

        if (write(ends[1], "", 1) != 1) {
            _exit(1);
        }

        for ( ;; ) {
            (void) pause();
        }
    }

    assert_int_equal(read(ends[0], &c, 1), 1);
    (void) close(ends[0]);
    (void) close(ends[1]);

    return pid;
}


/* Whatever stops a save, the snapshot before it stays. */

static void
test_snapshot_fails(void **state)
{
    int                    fd;
    size_t                 size;
    world_t                w;
    uint64_t               version, nth;
    trove_rc_t             rc;
    trove_view_t          *v;
    pid_t                  pid;

    fd = trove_snapshot_open();
    world_open(&w, TROVE_PLANE, UNIFORM, CAPACITY);
    world_fill(&w, w.ids);
    world_build(&w);

    save_and_die(w.views[0], fd);
    assert_int_equal(trove_view_save(w.views[0], fd, canceled), TROVE_CANCELED);
    assert_int_equal(trove_view_load(&v, fd, w.ledger,
                                     trove_simd_select(TROVE_SIMD_AUTO),
                                     TROVE_PAGES_OFF), TROVE_NOTFOUND);

    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_OK);
    version = trove_view_version(w.views[0]);
    size = trove_snapshot_size(fd);

    /* one that is hardly newer is not worth it */

    world_change(&w, 10);
    world_unbuild(&w);
    world_build(&w);
    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_OK);
    assert_kept(&w, fd, version);

    world_change(&w, CAPACITY);
    world_follow(&w);
    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_INVALID);

    world_unbuild(&w);
    world_build(&w);

    assert_int_equal(trove_view_save(w.views[0], fd, canceled), TROVE_CANCELED);
    assert_kept(&w, fd, version);
    assert_int_equal(trove_snapshot_size(fd), size);

    trove_fault_memory_arm(1);
    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_NOMEM);
    trove_fault_memory_arm(0);
    assert_kept(&w, fd, version);

    save_and_die(w.views[0], fd);
    assert_kept(&w, fd, version);

    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_OK);
    version = trove_view_version(w.views[0]);
    assert_kept(&w, fd, version);
    assert_true(trove_snapshot_size(fd) < size * 3 / 2);

    /* another process is saving one */

    pid = lock_file(fd);
    world_change(&w, CAPACITY);
    world_unbuild(&w);
    world_build(&w);
    assert_int_equal(trove_view_save(w.views[0], fd, canceled), TROVE_CANCELED);
    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_BUSY);
    assert_kept(&w, fd, version);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_OK);
    assert_kept(&w, fd, trove_view_version(w.views[0]));

    for (nth = 1; nth < 100; nth++) {
        trove_fault_memory_arm(nth);
        rc = trove_view_load(&v, fd, w.ledger,
                             trove_simd_select(TROVE_SIMD_AUTO),
                             TROVE_PAGES_OFF);
        if (rc == TROVE_OK) {
            break;
        }

        assert_int_equal(rc, TROVE_NOMEM);
    }

    trove_fault_memory_arm(0);
    assert_int_equal(nth, 4);
    trove_view_destroy(v);

    world_close(&w);
    (void) close(fd);
}


/*
 * A process that loads, follows and saves all the while.  What it is to follow
 * changes faster than it is let to, now and then, and who changes it may be
 * stopped for long in the midst of a row.
 */

static void
use_snapshot(world_t *w, int fd)
{
    int            i;
    trove_rc_t     rc;
    trove_view_t  *v;

    for (i = 0; i < 40; i++) {
        assert_int_equal(trove_view_load(&v, fd, w->ledger,
                                         trove_simd_select(TROVE_SIMD_AUTO),
                                         TROVE_PAGES_OFF), TROVE_OK);
        world_sane(v);
        rc = trove_view_follow(v, NULL);
        assert_true(rc == TROVE_OK || rc == TROVE_FULL || rc == TROVE_BUSY);
        world_sane(v);
        trove_view_destroy(v);

        rc = trove_view_build(&v, w->ledger,
                              trove_simd_select(TROVE_SIMD_AUTO),
                              TROVE_PAGES_OFF, NULL);
        if (rc == TROVE_BUSY) {
            continue;
        }

        assert_int_equal(rc, TROVE_OK);
        rc = trove_view_save(v, fd, NULL);
        assert_true(rc == TROVE_OK || rc == TROVE_BUSY);
        trove_view_destroy(v);
    }
}


static void
test_snapshot_shared(void **state)
{
    int      fd, i, status;
    pid_t    pids[3];
    world_t  w;

    fd = trove_snapshot_open();

    world_open(&w, TROVE_EARTH, UNIFORM, CAPACITY);
    world_fill(&w, CAPACITY / 2);
    world_build(&w);
    assert_int_equal(trove_view_save(w.views[0], fd, NULL), TROVE_OK);

    for (i = 0; i < 3; i++) {
        pids[i] = fork();
        assert_true(pids[i] != -1);

        if (pids[i] == 0) {
            use_snapshot(&w, fd);
            _exit(0);
        }
    }

    for (i = 0; i < 3; /* void */) {
        world_change(&w, 50);

        if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            i++;
        }
    }

    world_unbuild(&w);
    world_load(&w, fd);
    world_follow(&w);
    world_ask_some(&w, QUERIES);
    world_close(&w);
    (void) close(fd);
}


static void *
change_thread(void *data)
{
    int       i;
    world_t  *w;

    w = data;

    for (i = 0; i < 200; i++) {
        world_change(w, 50);
    }

    return NULL;
}


/* Another thread writes all the while that views are built and follow. */

static void
test_concurrent(void **state)
{
    int         i;
    world_t     w;
    pthread_t   thread;
    trove_rc_t  rc;

    world_open(&w, TROVE_EARTH, UNIFORM, CAPACITY);
    world_fill(&w, CAPACITY / 2);
    world_build(&w);

    assert_int_equal(pthread_create(&thread, NULL, change_thread, &w), 0);

    for (i = 0; i < 10; i++) {
        trove_view_destroy(w.views[i % w.nviews]);

        assert_int_equal(trove_view_build(&w.views[i % w.nviews], w.ledger,
                                          trove_simd_select(TROVE_SIMD_AUTO),
                                          TROVE_PAGES_AUTO, NULL), TROVE_OK);
        world_sane(w.views[i % w.nviews]);

        rc = trove_view_sync(w.views[0], 1000);
        assert_true(rc == TROVE_OK || rc == TROVE_AGAIN || rc == TROVE_BEHIND);
        world_sane(w.views[0]);
    }

    assert_int_equal(pthread_join(thread, NULL), 0);

    for (i = 0; i < w.nviews; i++) {
        rc = trove_view_sync(w.views[i], UINT32_MAX);

        if (rc != TROVE_OK) {
            assert_int_equal(rc, TROVE_BEHIND);
            trove_view_destroy(w.views[i]);
            assert_int_equal(trove_view_build(&w.views[i], w.ledger,
                                           trove_simd_select(TROVE_SIMD_AUTO),
                                           TROVE_PAGES_AUTO, NULL), TROVE_OK);
        }

        world_sane(w.views[i]);
    }

    world_ask_some(&w, QUERIES);
    world_close(&w);
}


/* A build ends at each of its looks, and is whole after the last. */

static void
test_cancel(void **state)
{
    int            n;
    world_t        w;
    trove_rc_t     rc;
    trove_view_t  *v;

    world_open(&w, TROVE_PLANE, UNIFORM, 200000);
    world_fill(&w, w.ids);

    rc = TROVE_CANCELED;

    for (n = 1; rc == TROVE_CANCELED; n++) {
        cancel_left = n;
        rc = trove_view_build(&v, w.ledger, trove_simd_select(TROVE_SIMD_AUTO),
                              TROVE_PAGES_OFF, canceled);
    }

    assert_int_equal(rc, TROVE_OK);
    assert_true(n > 6);
    world_sane(v);

    cancel_left = 1;
    world_fill(&w, w.ids);
    assert_int_equal(trove_view_follow(v, canceled), TROVE_CANCELED);
    world_sane(v);

    trove_view_destroy(v);
    world_close(&w);
}


/* Each mapping that a build asks for is refused once. */

static void
test_memory(void **state)
{
    uint64_t       nth;
    world_t        w;
    trove_rc_t     rc;
    trove_view_t  *v;

    world_open(&w, TROVE_PLANE, UNIFORM, 100);
    world_fill(&w, 100);

    for (nth = 1; nth < 100; nth++) {
        trove_fault_memory_arm(nth);

        rc = trove_view_build(&v, w.ledger, trove_simd_select(TROVE_SIMD_AUTO),
                              TROVE_PAGES_OFF, NULL);
        if (rc == TROVE_OK) {
            break;
        }

        assert_int_equal(rc, TROVE_NOMEM);
    }

    trove_fault_memory_arm(0);

    assert_int_equal(rc, TROVE_OK);
    assert_int_equal(nth, 5);

    trove_view_destroy(v);
    world_close(&w);
}


static void
test_size(void **state)
{
    double    each;
    uint32_t  n;
    world_t   w;

    n = 100000;
    world_open(&w, TROVE_PLANE, UNIFORM, n);
    world_fill(&w, n);
    world_build(&w);

    each = (double) trove_view_size(10000000) / 10000000;
    assert_true(each < 48);

    /* the estimate is of as many rewards as can be had */

    assert_true(trove_view_memory(w.views[0]) < trove_view_size(n) + 65536);

    world_close(&w);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_plane),
        cmocka_unit_test(test_earth),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_snapshot_fails),
        cmocka_unit_test(test_snapshot_shared),
        cmocka_unit_test(test_concurrent),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_size),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
