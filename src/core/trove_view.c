/*
 * A view's memory, and what it tells of itself.
 */

#include "trove_view_data.h"


#define TROVE_PAGE  4096


static void trove_rows_carve(trove_rows_t *rows, trove_carve_t *c,
    size_t n);
static size_t trove_rows_touched(size_t n);
static int trove_view_changed(const trove_view_t *v, uint64_t least,
    uint32_t share);


/* Twice a cache line, which some machines fetch in pairs. */

static void *
trove_carve(trove_carve_t *c, size_t size)
{
    size_t  at;

    at = c->size;
    c->size += trove_align(size, 2 * TROVE_CACHE_LINE);

    return c->mem ? c->mem + at : NULL;
}


trove_rc_t
trove_view_map(trove_view_t *v, uint32_t rows, uint32_t seen,
    trove_pages_t pages)
{
    trove_rc_t     rc;
    trove_carve_t  base, spare;

    v->seen = seen;

    memset(&base, 0, sizeof(trove_carve_t));
    trove_view_carve_base(v, &base, rows);
    v->base_size = base.size;

    rc = trove_memory_map(&v->base, base.size, base.size, pages);

    if (rc != TROVE_OK) {
        return rc;
    }

    base.mem = v->base.base;
    base.size = 0;
    trove_view_carve_base(v, &base, rows);

    memset(&spare, 0, sizeof(trove_carve_t));
    trove_view_carve_spare(v, &spare);

    rc = trove_memory_map(&v->spare, spare.size, seen * sizeof(uint32_t),
                          TROVE_PAGES_OFF);
    if (rc != TROVE_OK) {
        return rc;
    }

    spare.mem = v->spare.base;
    spare.size = 0;
    trove_view_carve_spare(v, &spare);

    return TROVE_OK;
}


/* What is written once, when the view is built, and its levels. */

void
trove_view_carve_base(trove_view_t *v, trove_carve_t *c, uint32_t rows)
{
    uint32_t  n;

    n = rows ? (rows - 1) / TROVE_BLOCK + 1 : 0;

    v->blocks = n;
    v->nlevels = 0;

    n = n ? (n - 1) / TROVE_LEAF + 1 : 1;
    v->nodes[v->nlevels++] = n;

    while (n > 1) {
        n = (n - 1) / TROVE_BOUNDS + 1;
        v->nodes[v->nlevels++] = n;
    }

    n = v->nodes[0];

    v->leaves = trove_carve(c, n * sizeof(trove_leaf_t));
    v->gates = trove_carve(c, (size_t) n * TROVE_LEAF * sizeof(trove_gate_t));
    v->first = trove_carve(c, n * sizeof(uint32_t));

    for (n = 1; n < v->nlevels; n++) {
        v->levels[n] = trove_carve(c, v->nodes[n] * sizeof(trove_bounds_t));
    }

    trove_rows_carve(&v->rows[0], c, trove_view_base(v));
}


/* What is touched piece by piece as changes come. */

void
trove_view_carve_spare(trove_view_t *v, trove_carve_t *c)
{
    uint32_t  rows;

    rows = trove_view_base(v) / 2;
    rows = rows > TROVE_PATCH_ROWS ? rows : TROVE_PATCH_ROWS;

    v->max_patches = rows / TROVE_BLOCK;

    v->place = trove_carve(c, v->slots * sizeof(uint32_t));
    v->patch = trove_carve(c, v->max_patches * sizeof(trove_patch_t));

    trove_rows_carve(&v->rows[1], c, (size_t) v->max_patches * TROVE_BLOCK);
}


static void
trove_rows_carve(trove_rows_t *rows, trove_carve_t *c, size_t n)
{
    n *= sizeof(uint32_t);

    rows->key = trove_carve(c, 2 * n);
    rows->low = trove_carve(c, 2 * n);
    rows->level = trove_carve(c, n);
    rows->level_low = trove_carve(c, n);
    rows->starts = trove_carve(c, n);
    rows->ends = trove_carve(c, n);
    rows->id = trove_carve(c, n);
    rows->value = trove_carve(c, n);
}


void
trove_view_destroy(trove_view_t *v)
{
    trove_mapping_t  self;

    trove_memory_unmap(&v->base);
    trove_memory_unmap(&v->spare);

    self = v->self;
    trove_memory_unmap(&self);
}


int
trove_view_worn(const trove_view_t *v)
{
    return trove_view_changed(v, TROVE_WORN, 4);
}


int
trove_view_ragged(const trove_view_t *v)
{
    return trove_view_changed(v, TROVE_RAGGED, 64);
}


/* Whether more than "least" and a "share"th of the base was changed. */

static int
trove_view_changed(const trove_view_t *v, uint64_t least, uint32_t share)
{
    uint64_t  changed, allowed;

    changed = (uint64_t) v->patches * TROVE_BLOCK + v->tombs;
    allowed = trove_view_base(v) / share;

    return changed > (allowed > least ? allowed : least);
}


uint64_t
trove_view_version(const trove_view_t *v)
{
    return v->version;
}


uint64_t
trove_view_generation(const trove_view_t *v)
{
    return v->generation;
}


int
trove_view_succeeds(const trove_view_t *v, const trove_view_t *other)
{
    return v->generation > other->generation
           || (v->generation == other->generation
               && v->version >= other->version);
}


size_t
trove_view_memory(const trove_view_t *v)
{
    size_t  used;

    used = v->self.size + v->base.size;
    used += trove_align(v->seen * sizeof(uint32_t), TROVE_PAGE);
    used += trove_align(v->patches * sizeof(trove_patch_t), TROVE_PAGE);
    used += trove_rows_touched((size_t) v->patches * TROVE_BLOCK);

    return used;
}


/* Of parallel arrays, each beginning on some page of its own. */

static size_t
trove_rows_touched(size_t n)
{
    return 10 * trove_align(n * sizeof(uint32_t), TROVE_PAGE);
}


size_t
trove_view_large(const trove_view_t *v)
{
    return trove_memory_large(&v->base);
}


size_t
trove_view_size(uint32_t rewards)
{
    trove_view_t   v;
    trove_carve_t  c;

    c.mem = NULL;
    c.size = sizeof(trove_view_t) + (size_t) rewards * sizeof(uint32_t);

    trove_view_carve_base(&v, &c, rewards);

    return c.size;
}
