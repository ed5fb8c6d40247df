
/*
 * Whether boards are as they should be, when nobody is at them.
 */

#include "trove_board_tree.h"


typedef struct {
    const trove_board_tree_t  *tree;
    trove_board_key_t          last;
    uint32_t                   rows;    /* that were met                     */
    uint32_t                   leaf;    /* that is to be next, plus one      */
    uint32_t                   leaves;
    uint32_t                   inners;
} trove_board_walk_t;


static int trove_board_sane_node(trove_board_walk_t *w, uint32_t level,
    uint32_t node, const trove_board_key_t *from, uint32_t count);
static int trove_board_sane_leaf(trove_board_walk_t *w, uint32_t leaf,
    const trove_board_key_t *from, uint32_t count);
static int trove_board_sane_table(trove_ledger_t *l, uint32_t board,
    uint32_t table);
static int trove_board_sane_row(trove_ledger_t *l, uint32_t board,
    uint32_t table, uint32_t row);
static int trove_board_sane_cells(trove_ledger_t *l, uint32_t board,
    uint32_t table);
static int trove_board_sane_free(trove_ledger_t *l, uint32_t board,
    uint32_t table);


int
trove_board_tree_sane(const trove_board_tree_t *tree, uint32_t rows)
{
    uint32_t                    free;
    trove_board_walk_t          w;
    const trove_board_table_t  *t;

    t = tree->t;

    memset(&w, 0, sizeof(w));
    w.tree = tree;
    w.last.key = INT64_MIN;
    w.leaf = 1;

    if (t->levels > TROVE_BOARD_LEVELS
        || t->leaves > tree->leaves
        || t->inners > tree->inners
        || !trove_board_sane_node(&w, 0, t->root, &w.last, rows)
        || w.leaf != 0)
    {
        return 0;
    }

    /* no node is lost */

    for (free = t->leaf_free; free != 0 && w.leaves <= t->leaves; w.leaves++) {
        free = tree->leaf[free - 1].next;
    }

    for (free = t->inner_free; free != 0 && w.inners <= t->inners;
         w.inners++)
    {
        free = tree->inner[free - 1].next;
    }

    return w.rows == rows && w.leaves == t->leaves && w.inners == t->inners;
}


static int
trove_board_sane_node(trove_board_walk_t *w, uint32_t level, uint32_t node,
    const trove_board_key_t *from, uint32_t count)
{
    uint32_t                    i, sum;
    trove_board_key_t           key;
    const trove_board_tree_t   *tree;
    const trove_board_inner_t  *inner;

    tree = w->tree;

    if (level == tree->t->levels) {
        return trove_board_sane_leaf(w, node, from, count);
    }

    if (node >= tree->t->inners) {
        return 0;
    }

    w->inners++;

    inner = &tree->inner[node];

    if (inner->n == 0 || inner->n > TROVE_BOARD_INNER
        || (level == 0 && inner->n < 2))
    {
        return 0;
    }

    sum = 0;

    for (i = 0; i < inner->n; i++) {
        sum += inner->count[i];

        if (i != 0) {
            key.key = inner->key[i];
            key.reached = inner->reached[i];

            /* all that was met is before it */

            if (trove_board_less(&key, from)
                || (w->rows != 0 && !trove_board_less(&w->last, &key)))
            {
                return 0;
            }

            from = &key;
        }

        if (!trove_board_sane_node(w, level + 1, inner->child[i], from,
                                   inner->count[i]))
        {
            return 0;
        }
    }

    return sum == count;
}


static int
trove_board_sane_leaf(trove_board_walk_t *w, uint32_t number,
    const trove_board_key_t *from, uint32_t count)
{
    uint32_t                   i;
    trove_board_key_t          key;
    const trove_board_leaf_t  *leaf;

    if (number >= w->tree->t->leaves || w->leaf != number + 1) {
        return 0;
    }

    w->leaves++;

    leaf = &w->tree->leaf[number];

    if (leaf->n != count || leaf->n > TROVE_BOARD_LEAF
        || (trove_get(&leaf->seq) & 1) != 0)
    {
        return 0;
    }

    for (i = 0; i < leaf->n; i++) {

        key.key = leaf->key[i];
        key.reached = trove_board_reached(w->tree, leaf->row[i]);

        if (trove_board_less(&key, from)
            || (w->rows != 0 && !trove_board_less(&w->last, &key)))
        {
            return 0;
        }

        w->last = key;
        w->rows++;
    }

    w->leaf = leaf->next;

    return 1;
}


int
trove_board_sane(trove_ledger_t *l)
{
    int             sane;
    uint32_t        i, table;
    trove_board_t  *b;

    for (i = 0; i < l->at.conf.nboards; i++) {

        if (trove_board_lock(l, i) != TROVE_OK) {
            return 0;
        }

        b = trove_board_of(l, i);

        sane = trove_get(&b->intent.op) == TROVE_BOARD_IDLE
               && (trove_get(&b->seq) & 1) == 0;

        for (table = 0; sane && table < b->at.tables; table++) {
            sane = trove_board_sane_table(l, i, table);
        }

        trove_board_unlock(l, i);

        if (!sane) {
            return 0;
        }
    }

    return 1;
}


/* Each row that is used is found by its player, and in the order. */

static int
trove_board_sane_table(trove_ledger_t *l, uint32_t board, uint32_t table)
{
    uint32_t              row, live;
    trove_board_table_t  *t;
    trove_board_words_t   head;
    trove_board_tree_t    tree;

    t = &trove_board_of(l, board)->table[table];
    live = 0;

    if (trove_get(&t->used) > trove_board_conf(l, board)->rows
        || (trove_get(&t->built) & 1) != 0
        || (trove_get(&t->shape) & 1) != 0)
    {
        return 0;
    }

    for (row = 0; row < trove_get(&t->used); row++) {
        trove_board_head(trove_board_line(l, board, table, row), &head);

        if (head.len == 0) {
            continue;
        }

        live++;

        if (!trove_board_sane_row(l, board, table, row)) {
            return 0;
        }
    }

    trove_board_tree(l, board, table, &tree);

    return live == trove_get(&t->live)
           && trove_board_tree_sane(&tree, live)
           && trove_board_sane_cells(l, board, table)
           && trove_board_sane_free(l, board, table);
}


static int
trove_board_sane_row(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t row)
{
    uint32_t              cell;
    trove_slice_t         id;
    trove_board_t        *b;
    trove_board_key_t     key;
    trove_board_path_t    path;
    trove_board_tree_t    tree;
    trove_board_words_t   head;
    trove_board_line_t   *line;

    b = trove_board_of(l, board);
    line = trove_board_line(l, board, table, row);
    trove_board_head(line, &head);

    if (head.len > TROVE_PLAYER_MAX || (trove_get(&line->state) & 1) != 0
        || head.reached > trove_get(&b->reached))
    {
        return 0;
    }

    id.data = head.id;
    id.len = head.len;

    /* in a copy the row may come before its player */

    if (trove_board_conf(l, board)->claims
        && (head.player != 0 || trove_get(&l->generation) == 0)
        && (head.player == 0
            || head.player > trove_get(&l->players)
            || trove_player_find(l, &id, trove_player_hash(l, &id))
               != head.player - 1))
    {
        return 0;
    }

    if (head.tag != (uint32_t) (trove_player_hash(l, &id) >> 32)
        || trove_board_probe(l, board, table, &id, head.tag, &cell) != row)
    {
        return 0;
    }

    key = trove_board_key(trove_board_conf(l, board), &head);
    trove_board_tree(l, board, table, &tree);

    return trove_get(&trove_board_cells(l, board, table)[cell].key) == key.key
           && trove_board_tree_find(&tree, &key, &path)
           && path.at < tree.leaf[path.leaf].n
           && tree.leaf[path.leaf].row[path.at] == row;
}


/* There are as many cells as rows. */

static int
trove_board_sane_cells(trove_ledger_t *l, uint32_t board, uint32_t table)
{
    uint32_t        cell, n;
    trove_board_t  *b;

    b = trove_board_of(l, board);
    n = 0;

    for (cell = 0; cell < b->at.cells; cell++) {
        n += trove_get(&trove_board_cells(l, board, table)[cell].link) != 0;
    }

    return n == trove_get(&b->table[table].live);
}


/* The list of free rows is as long as there are used ones without a player. */

static int
trove_board_sane_free(trove_ledger_t *l, uint32_t board, uint32_t table)
{
    uint32_t              free, n;
    trove_board_table_t  *t;
    trove_board_words_t   head;

    t = &trove_board_of(l, board)->table[table];
    n = trove_get(&t->used) - trove_get(&t->live);

    for (free = t->free; free != 0 && n != 0; n--) {

        if (free > trove_get(&t->used)) {
            return 0;
        }

        trove_board_head(trove_board_line(l, board, table, free - 1), &head);

        if (head.len != 0) {
            return 0;
        }

        free = head.claim;
    }

    return free == 0 && n == 0;
}
