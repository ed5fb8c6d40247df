/*
 * The order of a table's rows: a counted B+ tree, in pools of nodes that are
 * found by number, so that nothing is allocated.
 *
 *                    inner  [ count | key ] [ count | key ] ...
 *                              |               |
 *                    leaf   [ key > row ... ] [ key > row ... ] -> next
 *
 * Keys ascend in rank order; a row's position is the number of those before
 * it: of the counts left of the path to it, and within its leaf.  Two
 * neighbours below one node have more than TROVE_BOARD_MERGE entries, so that
 * the pools suffice; should they not, the tree is built anew.  Nodes come and
 * go seldom: as long as the table's "shape" is the same, a path leads where it
 * did, only the counts are others.
 *
 * Who changes it holds the board's lock.  Descents may be made by anybody: in
 * a tree that somebody changes they lead nowhere, or to what has to be looked
 * at again afterwards, yet never out of its memory.
 */

#ifndef TROVE_BOARD_TREE_H_INCLUDED
#define TROVE_BOARD_TREE_H_INCLUDED


#include "trove_board_data.h"


/*
 * Leaves that one change of a row may change: the one it leaves and that it is
 * joined with, the one it goes to and that it is split into.
 */
#define TROVE_BOARD_TOUCHED  4


typedef struct {
    trove_board_table_t  *t;
    trove_board_leaf_t   *leaf;
    trove_board_inner_t  *inner;
    const char           *lines;        /* the table's rows                  */
    uint32_t              line;         /* bytes of one                      */
    uint32_t              rows;
    uint32_t              leaves;       /* in the pools                      */
    uint32_t              inners;
    uint32_t              ntouched;
    uint32_t              touched[TROVE_BOARD_TOUCHED];
} trove_board_tree_t;


/* A place: the entries of a leaf from "at" on do not stand before it. */

typedef struct {
    uint32_t  leaf;
    uint32_t  at;
    uint32_t  shape;                    /* that it was found in              */
    uint32_t  tied;                     /* a node's key was the same         */
    uint32_t  levels;
    uint32_t  node[TROVE_BOARD_LEVELS]; /* from the root                     */
    uint32_t  child[TROVE_BOARD_LEVELS];
} trove_board_path_t;


typedef struct {
    trove_board_key_t  key;
    uint32_t           row;
} trove_board_item_t;


void trove_board_tree(const trove_ledger_t *l, uint32_t board, uint32_t table,
    trove_board_tree_t *tree);

/* Empties it. */
void trove_board_tree_clear(trove_board_tree_t *tree);

/* The leaf for a key; not if something impossible was met. */
int trove_board_tree_descend(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path);

/*
 * The place in this leaf, as long as the path still leads to it: of a key; of
 * one that was reached later than all others; of a row, if it is there.
 */
int trove_board_tree_place(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path);
int trove_board_tree_place_last(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path);
int trove_board_tree_place_row(const trove_board_tree_t *tree, uint32_t row,
    trove_board_path_t *path);

/* The leaf and the place of a key. */
int trove_board_tree_find(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path);

/* Entries before the path's place. */
uint32_t trove_board_tree_position(const trove_board_tree_t *tree,
    const trove_board_path_t *path);

/* The entry at the position, from 0, if there are so many; as above. */
int trove_board_tree_select(const trove_board_tree_t *tree, uint32_t position,
    trove_board_path_t *path);

/*
 * Readers of a leaf are kept off from its first touch on, until everything
 * that was touched is let go.
 */
void trove_board_tree_touch(trove_board_tree_t *tree, uint32_t leaf);
void trove_board_tree_let_go(trove_board_tree_t *tree);

/* Whether the pools have the nodes that an entry at this path may need. */
int trove_board_tree_room(const trove_board_tree_t *tree,
    const trove_board_path_t *path);

void trove_board_tree_add(trove_board_tree_t *tree,
    const trove_board_path_t *path, const trove_board_key_t *key,
    uint32_t row);

/* Whether other paths are still good, but for their positions. */
int trove_board_tree_remove(trove_board_tree_t *tree,
    const trove_board_path_t *path);

/*
 * Sorts n items, with as many to spare; returns the one or the other, in which
 * they are in order.
 */
trove_board_item_t *trove_board_sort(trove_board_item_t *items,
    trove_board_item_t *spare, uint32_t n);

/* Of an empty tree one with these items, which ascend. */
void trove_board_tree_build(trove_board_tree_t *tree,
    const trove_board_item_t *items, uint32_t n);

/* Whether it holds, and counts, each of the table's rows in order. */
int trove_board_tree_sane(const trove_board_tree_t *tree, uint32_t rows);


/* When a row's score was reached. */

static inline uint64_t
trove_board_reached(const trove_board_tree_t *tree, uint32_t row)
{
    const trove_board_line_t  *line;

    if (row >= tree->rows) {
        return 0;
    }

    line = (const trove_board_line_t *) (tree->lines
                                         + (size_t) row * tree->line);

    return trove_get(&line->words[offsetof(trove_board_words_t, reached)
                                  / 8]);
}


/* All of its lines; for who asks for a row's place, those up to the keys. */

static inline void
trove_board_tree_fetch(const trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    size_t       i;
    const char  *leaf;

    leaf = (const char *) &tree->leaf[path->leaf];

    for (i = 0; i < sizeof(trove_board_leaf_t); i += TROVE_CACHE_LINE) {
        __builtin_prefetch(leaf + i, 1);
    }
}


static inline void
trove_board_tree_fetch_rows(const trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    size_t       i;
    const char  *leaf;

    leaf = (const char *) &tree->leaf[path->leaf];

    for (i = 0; i < offsetof(trove_board_leaf_t, key); i += TROVE_CACHE_LINE) {
        __builtin_prefetch(leaf + i);
    }
}


/* Whether it leads to where it led when it was found. */

static inline int
trove_board_tree_leads(const trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    return (path->shape & 1) == 0
           && trove_acquire(&tree->t->shape) == path->shape;
}


static inline int
trove_board_less(const trove_board_key_t *a, const trove_board_key_t *b)
{
    return (a->key < b->key)
           | ((a->key == b->key) & (a->reached < b->reached));
}


#endif /* TROVE_BOARD_TREE_H_INCLUDED */
