/*
 * Whether a view is what it should be.
 */

#include "trove_view_data.h"


static const char *trove_sane_rows(const trove_view_t *v, int patch,
    uint32_t blocks, uint32_t *live);
static const char *trove_sane_places(const trove_view_t *v);
static const char *trove_sane_leaf(const trove_view_t *v, uint32_t number);
static const char *trove_sane_chain(const trove_view_t *v, uint32_t leaf,
    uint32_t *patches);
static int trove_sane_above(const trove_view_t *v, uint32_t leaf,
    const trove_row_t *row);
static int trove_sane_gate(const trove_gate_t *gate, const trove_row_t *row);


const char *
trove_view_sane(const trove_view_t *v)
{
    uint32_t     i, live, patches;
    const char  *wrong;

    live = 0;
    patches = 0;

    wrong = trove_sane_rows(v, 0, v->blocks, &live);

    if (wrong == NULL) {
        wrong = trove_sane_rows(v, 1, v->patches, &live);
    }

    if (wrong == NULL && live != v->live) {
        wrong = "the rows are not as many as are counted";
    }

    if (wrong == NULL) {
        wrong = trove_sane_places(v);
    }

    for (i = 0; wrong == NULL && i < v->nodes[0]; i++) {
        wrong = trove_sane_leaf(v, i);

        if (wrong == NULL) {
            wrong = trove_sane_chain(v, i, &patches);
        }
    }

    if (wrong == NULL && patches != v->patches) {
        wrong = "a patch is in no chain";
    }

    return wrong;
}


static const char *
trove_sane_rows(const trove_view_t *v, int patch, uint32_t blocks,
    uint32_t *live)
{
    uint32_t             i;
    const trove_rows_t  *rows;

    rows = &v->rows[patch];

    for (i = 0; i < blocks * TROVE_BLOCK; i++) {

        if ((trove_rows_key_x(rows, i) == TROVE_KEY_NONE)
            != (rows->id[i] == 0))
        {
            return "a row is half a tomb";
        }

        *live += rows->id[i] != 0;
    }

    return NULL;
}


/* As many places as rows, each of a row: with that no two are of one. */

static const char *
trove_sane_places(const trove_view_t *v)
{
    uint32_t             slot, i, n, place, end;
    uint64_t             rows_sum, ids_sum;
    const trove_rows_t  *rows;

    n = 0;
    rows_sum = 0;
    ids_sum = 0;
    end = trove_view_base(v) + v->patches * TROVE_BLOCK;

    for (slot = 0; slot < v->seen; slot++) {
        place = v->place[slot];

        if (place == 0) {
            continue;
        }

        if (place > end) {
            return "a place lies beyond the rows";
        }

        rows = trove_view_rows(v, place - 1, &i);

        if (rows->id[i] == 0) {
            return "a place is that of a tomb";
        }

        n++;
        rows_sum += place - 1;
    }

    for (place = 0; place < end; place++) {
        rows = trove_view_rows(v, place, &i);
        ids_sum += rows->id[i] ? place : 0;
    }

    if (n != v->live || rows_sum != ids_sum) {
        return "a row has no place";
    }

    return NULL;
}


static const char *
trove_sane_leaf(const trove_view_t *v, uint32_t number)
{
    uint32_t             i, lane, end;
    trove_row_t          row;
    const trove_leaf_t  *leaf;

    leaf = &v->leaves[number];
    i = number * TROVE_LEAF_ROWS;
    end = i + TROVE_LEAF_ROWS;
    end = end < trove_view_base(v) ? end : trove_view_base(v);

    for ( /* void */ ; i < end; i++) {

        if (v->rows[0].id[i] == 0) {
            continue;
        }

        trove_rows_get(&v->rows[0], i, &row);
        lane = i / TROVE_BLOCK % TROVE_LEAF;

        if (!trove_leaf_holds(leaf, lane, trove_unorder(row.x),
                              trove_unorder(row.y))
            || !trove_sane_above(v, number, &row))
        {
            return "a leaf does not hold its rows";
        }

        if (!trove_sane_gate(&v->gates[i / TROVE_BLOCK], &row)
            || !trove_sane_gate(&leaf->gate, &row))
        {
            return "a gate lets too much pass";
        }
    }

    return NULL;
}


static const char *
trove_sane_chain(const trove_view_t *v, uint32_t leaf, uint32_t *patches)
{
    uint32_t              i, patch;
    trove_box_t           box;
    trove_row_t           row;
    const trove_patch_t  *p;

    for (patch = v->leaves[leaf].chain; patch; patch = p->next) {

        if (patch > v->patches || ++*patches > v->patches) {
            return "a chain has no end";
        }

        p = &v->patch[patch - 1];

        if (p->leaf != leaf || p->n > TROVE_BLOCK) {
            return "a patch is in the wrong chain";
        }

        for (i = 0; i < TROVE_BLOCK; i++) {
            trove_rows_get(&v->rows[1], (patch - 1) * TROVE_BLOCK + i, &row);

            if (row.id == 0) {
                continue;
            }

            box = trove_row_box(&row);

            if (!trove_box_holds(&p->box, &box)
                || !trove_sane_gate(&p->gate, &row)
                || !trove_sane_above(v, leaf, &row)
                || i >= p->n)
            {
                return "a patch does not hold its rows";
            }
        }
    }

    return NULL;
}


/* Whether all that lies above a leaf holds the row. */

static int
trove_sane_above(const trove_view_t *v, uint32_t leaf,
    const trove_row_t *row)
{
    uint32_t  level, node;

    node = leaf;

    for (level = 1; level < v->nlevels; level++) {

        if (!trove_bounds_hold(&v->levels[level][node / TROVE_BOUNDS],
                               node % TROVE_BOUNDS, trove_unorder(row->x),
                               trove_unorder(row->y)))
        {
            return 0;
        }

        node = node / TROVE_BOUNDS;
    }

    return 1;
}


static int
trove_sane_gate(const trove_gate_t *gate, const trove_row_t *row)
{
    return gate->level >= trove_level_gate(row->level)
           && gate->starts >= row->starts && gate->ends <= row->ends;
}
