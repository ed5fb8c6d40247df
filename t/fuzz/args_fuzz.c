/*
 * Arguments: what is accepted is what a plain decoder accepts, with the same
 * values, in any arena that is large enough.
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


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             accepted;
    size_t          room;
    uint32_t        seen;
    trove_rc_t      rc;
    naive_out_t     out, model;
    trove_arena_t   arena;
    unsigned char  *text, keep[NAIVE_KEEP];
    trove_fields_t  f;

    if (size > ARENA / 2) {
        return -1;
    }

    text = malloc(size + (size == 0));
    memcpy(text, data, size);

    accepted = naive_args(text, size, &model, &seen, keep);

    /* what is decoded is never longer than what it is decoded from */

    for (room = size; ; room /= 2) {

        trove_arena_init(&arena, memory, room);
        memset(&f, 'Z', sizeof(trove_fields_t));

        rc = trove_args_parse(&arena, text, size, naive_fields, NAIVE_FIELDS,
                              &out, &f);

        ensure(rc == (accepted ? TROVE_OK : TROVE_INVALID)
               || (rc == TROVE_NOMEM && room < size), "accepted", &f);
        ensure(rc != TROVE_INVALID || naive_detail(&f), "detail", &f);

        if (rc == TROVE_OK) {
            ensure(f.seen == seen, "fields", &f);
            ensure(naive_same(&out, &model, seen), "values", &f);
        }

        if (room == 0) {
            break;
        }
    }

    free(text);

    return 0;
}
