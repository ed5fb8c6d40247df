/*
 * JSON: what is accepted is what a plain decoder accepts, with the same
 * values; a parser that has refused anything takes the next object as if
 * nothing had been; too small an arena is noticed and no more.
 */

#include <stdio.h>

#include "naive.h"


#define ARENA   (1 << 20)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static unsigned char  memory[ARENA] trove_aligned(TROVE_BLOB_ALIGN);


static void
ensure(int ok, const char *what, const trove_fields_t *f)
{
    if (!ok) {
        fprintf(stderr, "%s: %s\n", what, f->detail);
        abort();
    }
}


static trove_rc_t
fuzz_parse(trove_json_t *json, const unsigned char *text, size_t len,
    naive_out_t *out, trove_fields_t *f)
{
    trove_rc_t  rc;

    memset(f, 'Z', sizeof(trove_fields_t));
    rc = trove_json_parse(json, text, len, out, f);

    ensure(rc == TROVE_OK || rc == TROVE_INVALID || rc == TROVE_NOMEM,
           "result", f);
    ensure(rc != TROVE_INVALID || naive_detail(f), "detail", f);

    return rc;
}


/* With no more memory than "size", nothing else comes of it or TROVE_NOMEM. */

static void
fuzz_small(const unsigned char *text, size_t len, size_t size,
    trove_rc_t expected)
{
    trove_rc_t       rc;
    naive_out_t      out;
    trove_json_t    *json;
    trove_arena_t    arena;
    trove_fields_t   f;

    trove_arena_init(&arena, memory, size);
    json = trove_json_open(&arena, naive_fields, NAIVE_FIELDS);

    if (json == NULL) {
        return;
    }

    rc = fuzz_parse(json, text, len, &out, &f);
    ensure(rc == expected || rc == TROVE_NOMEM, "small arena", &f);

    rc = fuzz_parse(json, text, len, &out, &f);
    ensure(rc == expected || rc == TROVE_NOMEM, "small arena again", &f);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              accepted, i;
    size_t           used;
    uint32_t         seen, hash;
    trove_rc_t       rc, expected;
    naive_out_t      out, model;
    trove_json_t    *json;
    trove_arena_t    arena;
    unsigned char   *text, keep[NAIVE_KEEP];
    trove_fields_t   f;

    static const char  poll[] = "{\"x\":1.5,\"limit\":3}";

    if (size > ARENA / 16) {
        return -1;
    }

    /* memory of its own, so that a byte too far is seen */

    text = malloc(size + (size == 0));
    memcpy(text, data, size);

    accepted = naive_json(text, size, &model, &seen, keep);
    expected = accepted ? TROVE_OK : TROVE_INVALID;

    trove_arena_init(&arena, memory, ARENA);
    json = trove_json_open(&arena, naive_fields, NAIVE_FIELDS);

    used = 0;

    for (i = 0; i < 3; i++) {
        rc = fuzz_parse(json, text, size, &out, &f);
        ensure(rc == expected, "accepted", &f);

        if (accepted) {
            ensure(f.seen == seen, "fields", &f);
            ensure(naive_same(&out, &model, seen), "values", &f);
        }

        rc = fuzz_parse(json, (unsigned char *) poll, sizeof(poll) - 1, &out,
                        &f);
        ensure(rc == TROVE_OK && f.seen == 9 && out.x == 1.5
               && out.limit == 3, "the object after it", &f);

        /* all memory but a player's is taken once */

        ensure(i < 2 || trove_arena_used(&arena) <= used + NAIVE_KEEP, "memory",
               &f);
        used = trove_arena_used(&arena);
    }

    hash = 2166136261u;

    for (used = 0; used < size; used++) {
        hash = (hash ^ text[used]) * 16777619;
    }

    for (i = 0; i < 4; i++) {
        fuzz_small(text, size, hash % 8192, expected);
        hash = (hash ^ i) * 16777619 ^ hash >> 15;
    }

    free(text);

    return 0;
}
