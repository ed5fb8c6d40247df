/*
 * What it costs to decode a typical poll: from JSON with one parser for many
 * objects, with a parser for each of them, and from query arguments.
 *
 *   json [rounds]
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "trove_json.h"


#define BENCH_PARSES         20000      /* a round                           */
#define BENCH_ROUNDS         101
#define BENCH_ARENA          (1 << 20)


typedef struct {
    double         x;
    double         y;
    double         r;
    double         w;
    double         h;
    double         level;
    uint32_t       limit;
    int            detail;
    trove_slice_t  player;
} bench_poll_t;


typedef struct {
    const char  *name;
    double     (*round)(trove_arena_t *arena);
} bench_case_t;


static double bench_reused(trove_arena_t *arena);
static double bench_opened(trove_arena_t *arena);
static double bench_args(trove_arena_t *arena);
static void bench_check(const bench_poll_t *poll, trove_rc_t rc,
    const trove_fields_t *f);
static void bench_run(const bench_case_t *bench, trove_arena_t *arena,
    size_t rounds);
static double bench_now(void);


static const trove_field_t  bench_fields[] = {
    { "x", TROVE_FIELD_NUMBER, offsetof(bench_poll_t, x), -180, 180 },
    { "y", TROVE_FIELD_NUMBER, offsetof(bench_poll_t, y), -90, 90 },
    { "r", TROVE_FIELD_NUMBER, offsetof(bench_poll_t, r), 0, 5000 },
    { "w", TROVE_FIELD_NUMBER, offsetof(bench_poll_t, w), 0, 10000 },
    { "h", TROVE_FIELD_NUMBER, offsetof(bench_poll_t, h), 0, 10000 },
    { "level", TROVE_FIELD_NUMBER, offsetof(bench_poll_t, level),
      -INFINITY, INFINITY },
    { "limit", TROVE_FIELD_UINT32, offsetof(bench_poll_t, limit), 1, 64 },
    { "detail", TROVE_FIELD_FLAG, offsetof(bench_poll_t, detail), 0, 1 },
    { "player", TROVE_FIELD_PLAYER, offsetof(bench_poll_t, player), 0, 0 }
};

#define BENCH_FIELDS  (sizeof(bench_fields) / sizeof(bench_fields[0]))


static const char  bench_json[] =
    "{\"x\":12.4924,\"y\":41.8902,\"r\":500,\"level\":5,\"limit\":3}";

static const char  bench_query[] = "x=12.4924&y=41.8902&r=500&level=5&limit=3";


static const bench_case_t  bench_cases[] = {
    { "json, one parser for all", bench_reused },
    { "json, a parser for each", bench_opened },
    { "query arguments", bench_args }
};


int
main(int argc, char **argv)
{
    void           *mem;
    size_t          i, rounds;
    trove_arena_t   arena;

    rounds = (argc > 1) ? strtoul(argv[1], NULL, 10) : BENCH_ROUNDS;
    mem = aligned_alloc(TROVE_BLOB_ALIGN, BENCH_ARENA);

    if (mem == NULL || rounds == 0) {
        fprintf(stderr, "usage: json [rounds]\n");
        return 1;
    }

    memset(mem, 0, BENCH_ARENA);
    trove_arena_init(&arena, mem, BENCH_ARENA);

    for (i = 0; i < sizeof(bench_cases) / sizeof(bench_cases[0]); i++) {
        bench_run(&bench_cases[i], &arena, rounds);
    }

    free(mem);

    return 0;
}


static void
bench_run(const bench_case_t *bench, trove_arena_t *arena, size_t rounds)
{
    double  *ns, start, bytes;
    size_t   i;

    ns = calloc(rounds, sizeof(double));

    if (ns == NULL) {
        exit(1);
    }

    bytes = bench->round(arena);

    for (i = 0; i < rounds; i++) {
        start = bench_now();
        bench->round(arena);
        ns[i] = (bench_now() - start) / BENCH_PARSES;
    }

    median_sort(ns, rounds);

    printf("%-26s best %6.1f  median %6.1f ns/parse  arena %6.1f bytes/parse"
           "\n", bench->name, ns[0], ns[rounds / 2], bytes);

    free(ns);
}


/* Each returns the bytes of the arena that a parse has taken. */

static double
bench_reused(trove_arena_t *arena)
{
    int              i;
    trove_rc_t       rc;
    bench_poll_t     poll;
    trove_json_t    *json;
    trove_fields_t   f;

    trove_arena_reset(arena);
    json = trove_json_open(arena, bench_fields, BENCH_FIELDS);

    for (i = 0; i < BENCH_PARSES; i++) {
        memset(&poll, 0, sizeof(bench_poll_t));
        rc = trove_json_parse(json, (unsigned char *) bench_json,
                              sizeof(bench_json) - 1, &poll, &f);
        bench_check(&poll, rc, &f);
    }

    return (double) trove_arena_used(arena) / BENCH_PARSES;
}


static double
bench_opened(trove_arena_t *arena)
{
    int              i;
    trove_rc_t       rc;
    bench_poll_t     poll;
    trove_json_t    *json;
    trove_fields_t   f;

    for (i = 0; i < BENCH_PARSES; i++) {
        trove_arena_reset(arena);
        memset(&poll, 0, sizeof(bench_poll_t));
        json = trove_json_open(arena, bench_fields, BENCH_FIELDS);
        rc = trove_json_parse(json, (unsigned char *) bench_json,
                              sizeof(bench_json) - 1, &poll, &f);
        bench_check(&poll, rc, &f);
    }

    return trove_arena_used(arena);
}


static double
bench_args(trove_arena_t *arena)
{
    int             i;
    trove_rc_t      rc;
    bench_poll_t    poll;
    trove_fields_t  f;

    trove_arena_reset(arena);

    for (i = 0; i < BENCH_PARSES; i++) {
        memset(&poll, 0, sizeof(bench_poll_t));
        rc = trove_args_parse(arena, (unsigned char *) bench_query,
                              sizeof(bench_query) - 1, bench_fields,
                              BENCH_FIELDS, &poll, &f);
        bench_check(&poll, rc, &f);
    }

    return (double) trove_arena_used(arena) / BENCH_PARSES;
}


static void
bench_check(const bench_poll_t *poll, trove_rc_t rc, const trove_fields_t *f)
{
    if (rc != TROVE_OK || poll->x != 12.4924 || poll->y != 41.8902
        || poll->r != 500 || poll->level != 5 || poll->limit != 3
        || f->seen != 0x67)
    {
        fprintf(stderr, "wrong: %s\n", f->detail);
        exit(1);
    }
}


static double
bench_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}
