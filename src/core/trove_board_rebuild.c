
/*
 * All that is derived of a board's rows, built anew.
 */

#include "trove_alloc.h"
#include "trove_board_tree.h"


static int trove_board_untie(trove_ledger_t *l, uint32_t board,
    uint32_t table, trove_board_item_t *items, uint32_t n);
static uint32_t trove_board_rebuild_rows(trove_ledger_t *l, uint32_t board,
    trove_board_tree_t *tree, trove_board_item_t *items);
static int trove_board_rebuild_row(trove_ledger_t *l, uint32_t board,
    trove_board_tree_t *tree, uint32_t row, trove_board_item_t *item);


/*
 * Readers of the first rows do not look at the board's seq, but at "built".
 * Without memory to sort them in, rows are added one by one: that is slow.
 */

void
trove_board_rebuild(trove_ledger_t *l, uint32_t board, uint32_t table)
{
    uint32_t               n, used;
    trove_board_t         *b;
    trove_board_tree_t     tree;
    trove_board_item_t    *items, *sorted;
    trove_board_table_t   *t;

    b = trove_board_of(l, board);
    t = &b->table[table];
    used = trove_get(&t->used);

    trove_set(&b->rebuilds, trove_get(&b->rebuilds) + 1);
    TROVE_FAULT("board: rebuild");

    trove_board_clear(l, board, table);
    trove_board_tree(l, board, table, &tree);

    items = trove_alloc((size_t) used * 2 * sizeof(trove_board_item_t));

    n = trove_board_rebuild_rows(l, board, &tree, items);

    if (items != NULL) {
        sorted = trove_board_sort(items, items + used, n);

        if (trove_board_untie(l, board, table, sorted, n)) {
            sorted = trove_board_sort(sorted, (sorted == items) ? items + used
                                                                : items, n);
        }

        trove_board_tree_build(&tree, sorted, n);
        trove_free(items);
    }

    trove_release(&t->built, trove_get(&t->built) + 1);
    TROVE_FAULT("board: rebuilt");
}


void
trove_board_empty(trove_ledger_t *l, uint32_t board, uint32_t table)
{
    trove_board_table_t  *t;

    t = &trove_board_of(l, board)->table[table];

    trove_board_clear(l, board, table);

    trove_release(&t->built, trove_get(&t->built) + 1);
    TROVE_FAULT("board: empty");
}


/* All that is derived, from here on until it is built. */

void
trove_board_clear(trove_ledger_t *l, uint32_t board, uint32_t table)
{
    trove_board_t        *b;
    trove_board_tree_t    tree;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);
    t = &b->table[table];

    trove_set(&t->built, trove_get(&t->built) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("board: clearing");

    memset((void *) trove_board_cells(l, board, table), 0,
           (size_t) b->at.cells * sizeof(trove_board_cell_t));
    TROVE_FAULT("board: no cells");

    t->free = 0;
    trove_set(&t->live, 0);

    trove_board_tree(l, board, table, &tree);
    trove_board_tree_clear(&tree);
}


/*
 * Two that were reached at the same moment: no ledger has them, but a store
 * that was changed by hand may.  Whether there were any.
 */

static int
trove_board_untie(trove_ledger_t *l, uint32_t board, uint32_t table,
    trove_board_item_t *items, uint32_t n)
{
    int                   found;
    uint32_t              i;
    trove_board_t        *b;
    trove_board_words_t   head;
    trove_board_line_t   *line;

    b = trove_board_of(l, board);
    found = 0;

    for (i = n; i > 1; i--) {

        if (trove_board_less(&items[i - 2].key, &items[i - 1].key)) {
            continue;
        }

        found = 1;
        line = trove_board_line(l, board, table, items[i - 1].row);
        trove_board_head(line, &head);

        head.reached = trove_get(&b->reached) + 1;
        items[i - 1].key.reached = head.reached;
        trove_set(&b->reached, head.reached);
        memcpy((void *) line->words, &head, sizeof(head));
    }

    return found;
}


/* Returns how many items there are, if there is memory for them. */

static uint32_t
trove_board_rebuild_rows(trove_ledger_t *l, uint32_t board,
    trove_board_tree_t *tree, trove_board_item_t *items)
{
    uint32_t              n, row, used, tag, table;
    trove_board_t        *b;
    trove_board_cell_t   *cells;
    trove_board_line_t   *line;

    b = trove_board_of(l, board);
    table = (uint32_t) (tree->t - b->table);
    cells = trove_board_cells(l, board, table);
    used = trove_get(&tree->t->used);
    n = 0;

    for (row = 0; row < used; row++) {

        if (row + TROVE_FETCH < used) {
            line = trove_board_line(l, board, table, row + TROVE_FETCH);
            tag = (uint32_t) trove_get(&line->words[TROVE_BOARD_WORDS - 1]);
            __builtin_prefetch(&cells[trove_board_home(b, tag)], 1);
        }

        if (trove_board_rebuild_row(l, board, tree, row,
                                    (items != NULL) ? &items[n] : NULL))
        {
            n++;
        }
    }

    return n;
}


/* Whether it is a player's row. */

static int
trove_board_rebuild_row(trove_ledger_t *l, uint32_t board,
    trove_board_tree_t *tree, uint32_t row, trove_board_item_t *item)
{
    uint32_t              at, table;
    trove_board_t        *b;
    trove_board_key_t     key;
    trove_board_path_t    path;
    trove_board_cell_t   *cells;
    trove_board_line_t   *line;
    trove_board_words_t   head;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);
    t = tree->t;
    table = (uint32_t) (t - b->table);
    line = trove_board_line(l, board, table, row);
    trove_board_head(line, &head);

    if (head.len == 0 || head.len > TROVE_PLAYER_MAX) {
        memset(&head, 0, sizeof(head));
        head.claim = t->free;
        memcpy((void *) line->words, &head, sizeof(head));
        t->free = row + 1;
        TROVE_FAULT("board: row free");
        return 0;
    }

    key = trove_board_key(trove_board_conf(l, board), &head);
    cells = trove_board_cells(l, board, table);
    at = trove_board_home(b, head.tag);

    while (trove_get(&cells[at].link) != 0) {
        at = trove_board_next(b, at);
    }

    trove_set(&cells[at].link, (uint64_t) head.tag << 32 | (row + 1));
    trove_set(&cells[at].key, key.key);
    trove_set(&t->live, trove_get(&t->live) + 1);
    TROVE_FAULT("board: row indexed");

    if (item != NULL) {
        item->key = key;
        item->row = row;

    } else if (trove_board_tree_find(tree, &key, &path)
               && trove_board_tree_room(tree, &path))
    {
        trove_board_tree_add(tree, &path, &key, row);
        trove_board_tree_let_go(tree);
    }

    return 1;
}
