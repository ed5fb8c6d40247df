
/*
 * A counted B+ tree.  Its changes are no sequence that could be carried on
 * after a death: whoever finds one builds the tree anew.
 */

#include "trove_board_tree.h"


/* Items that are sorted by insertion. */
#define TROVE_BOARD_RUN         8

/* Entries of a node that is built anew: there is room for some more. */
#define TROVE_BOARD_FILL        (TROVE_BOARD_LEAF * 3 / 4)
#define TROVE_BOARD_INNER_FILL  (TROVE_BOARD_INNER * 3 / 4)

/* Where the search in a leaf begins: a power of two, of which twice is more. */
#define TROVE_BOARD_LEAF_HALF   32


typedef int32_t  trove_board_four_t
    __attribute__((vector_size(16), may_alias));


static void trove_board_merge(const trove_board_item_t *a, uint32_t na,
    const trove_board_item_t *b, uint32_t nb, trove_board_item_t *to);
static void trove_board_insertion(trove_board_item_t *items, uint32_t n);
static void trove_board_tree_append(trove_board_tree_t *tree,
    uint32_t level, uint32_t *last, uint32_t child,
    const trove_board_key_t *key, uint32_t count);
static void trove_board_tree_reshape(trove_board_tree_t *tree);
static void trove_board_tree_shaped(trove_board_tree_t *tree);
static uint32_t trove_board_tree_leaf(trove_board_tree_t *tree);
static uint32_t trove_board_tree_inner(trove_board_tree_t *tree);
static void trove_board_tree_free_leaf(trove_board_tree_t *tree,
    uint32_t leaf);
static void trove_board_tree_free_inner(trove_board_tree_t *tree,
    uint32_t inner);
static void trove_board_tree_count(trove_board_tree_t *tree,
    const trove_board_path_t *path, int by);
static void trove_board_leaf_put(trove_board_leaf_t *leaf, uint32_t at,
    const trove_board_key_t *key, uint32_t row);
static void trove_board_tree_split(trove_board_tree_t *tree,
    const trove_board_path_t *path, const trove_board_key_t *key,
    uint32_t row);
static void trove_board_tree_insert(trove_board_tree_t *tree,
    const trove_board_path_t *path, uint32_t child,
    const trove_board_key_t *key, uint32_t count);
static void trove_board_inner_put(trove_board_inner_t *inner, uint32_t at,
    uint32_t child, const trove_board_key_t *key, uint32_t count);
static uint32_t trove_board_inner_split(trove_board_tree_t *tree,
    trove_board_inner_t *left, trove_board_key_t *key);
static void trove_board_tree_grow(trove_board_tree_t *tree, uint32_t right,
    const trove_board_key_t *key, uint32_t count);
static int trove_board_tree_merge(trove_board_tree_t *tree,
    const trove_board_path_t *path);
static void trove_board_tree_join(trove_board_tree_t *tree, uint32_t left,
    uint32_t right);
static void trove_board_tree_drop(trove_board_tree_t *tree,
    const trove_board_path_t *path, uint32_t level, uint32_t child);
static int trove_board_tree_join_inner(trove_board_tree_t *tree,
    const trove_board_path_t *path, uint32_t level);
static void trove_board_inner_join(trove_board_inner_t *left,
    const trove_board_inner_t *right);
static void trove_board_tree_shrink(trove_board_tree_t *tree);


void
trove_board_tree(const trove_ledger_t *l, uint32_t board, uint32_t table,
    trove_board_tree_t *tree)
{
    trove_board_t              *b;
    const trove_board_place_t  *at;

    b = trove_board_of(l, board);
    at = &b->at.table[table];

    tree->t = &b->table[table];
    tree->leaf = (trove_board_leaf_t *) ((char *) l + at->leaves_at);
    tree->inner = (trove_board_inner_t *) ((char *) l + at->inners_at);
    tree->lines = (const char *) l + at->rows_at;
    tree->line = trove_board_confs(l)[board].row;
    tree->rows = trove_board_confs(l)[board].rows;
    tree->leaves = b->at.leaves;
    tree->inners = b->at.inners;
    tree->ntouched = 0;
}


void
trove_board_tree_clear(trove_board_tree_t *tree)
{
    trove_board_table_t  *t;

    t = tree->t;

    trove_board_tree_reshape(tree);
    trove_board_tree_touch(tree, 0);

    t->leaves = 1;
    t->leaf_free = 0;
    t->inners = 0;
    t->inner_free = 0;
    TROVE_FAULT("tree: emptied");

    t->levels = 0;
    t->root = 0;

    tree->leaf[0].n = 0;
    tree->leaf[0].next = 0;

    trove_board_tree_let_go(tree);
    trove_board_tree_shaped(tree);
}


/*
 * How many of the n numbers, which ascend, are less; n is below twice "half".
 * Whatever they are, the same is done, for nothing of it could be foreseen.
 */

static inline uint32_t
trove_board_keys_less(const int64_t *keys, uint32_t n, uint32_t half,
    int64_t key)
{
    uint32_t  base, next;

    base = 0;

    if (n == 0) {
        return 0;
    }

    for ( /* void */ ; half != 0; half /= 2) {
        next = base + half;
        next = (next < n) ? next : n;
        base = (trove_board_peek(&keys[next - 1]) < key) ? next : base;
    }

    return base;
}


/* Of the first "n" of a node; all are looked at, and some count. */

static inline uint32_t
trove_board_sum(const uint32_t *counts, uint32_t n)
{
    int32_t             i, end;
    trove_board_four_t  sum, at;

    end = (int32_t) n;
    sum = (trove_board_four_t) { 0, 0, 0, 0 };
    at = (trove_board_four_t) { 0, 1, 2, 3 };

    for (i = 0; i < TROVE_BOARD_INNER; i += 4) {
        sum += *(const trove_board_four_t *) &counts[i] & (at < end);
        at += 4;
    }

    return (uint32_t) (sum[0] + sum[1] + sum[2] + sum[3]);
}


/*
 * How many separators are not behind the key: of those that are the same, from
 * "at" on, the ones that were not reached later.
 */

static uint32_t
trove_board_inner_ties(const trove_board_inner_t *inner, uint32_t n,
    uint32_t at, const trove_board_key_t *key)
{
    uint32_t  end, mid;

    end = at + trove_board_keys_less(&inner->key[at], n - at,
                                     TROVE_BOARD_INNER / 2, key->key + 1);

    while (at < end) {
        mid = (at + end) / 2;

        if (trove_board_peek(&inner->reached[mid]) <= key->reached) {
            at = mid + 1;

        } else {
            end = mid;
        }
    }

    return at;
}


int
trove_board_tree_descend(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path)
{
    uint32_t                    i, k, n, c, node;
    const trove_board_inner_t  *inner;

    path->tied = 0;
    path->shape = trove_acquire(&tree->t->shape);
    path->levels = trove_board_peek(&tree->t->levels);
    node = trove_board_peek(&tree->t->root);

    if (path->levels > TROVE_BOARD_LEVELS) {
        return 0;
    }

    for (i = 0; i < path->levels; i++) {

        if (node >= tree->inners) {
            return 0;
        }

        inner = &tree->inner[node];

        for (k = 0; k < TROVE_BOARD_INNER; k += 8) {
            __builtin_prefetch(&inner->key[k]);
        }

        n = trove_board_peek(&inner->n);

        if (n == 0 || n > TROVE_BOARD_INNER) {
            return 0;
        }

        c = 1 + trove_board_keys_less(&inner->key[1], n - 1,
                                      TROVE_BOARD_INNER / 2, key->key);

        if (c < n && trove_board_peek(&inner->key[c]) == key->key) {
            path->tied = 1;
            c = trove_board_inner_ties(inner, n, c, key);
        }

        c--;

        path->node[i] = node;
        path->child[i] = c;

        node = trove_board_peek(&inner->child[c]);
    }

    path->leaf = node;

    atomic_thread_fence(memory_order_acquire);

    return node < tree->leaves;
}


int
trove_board_tree_place(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path)
{
    uint32_t                   n;
    const trove_board_leaf_t  *leaf;

    leaf = &tree->leaf[path->leaf];
    n = trove_board_peek(&leaf->n);

    if (n > TROVE_BOARD_LEAF) {
        return 0;
    }

    path->at = trove_board_keys_less(leaf->key, n, TROVE_BOARD_LEAF_HALF,
                                     key->key);

    if (key->reached == 0) {
        return 1;
    }

    while (path->at < n
           && trove_board_peek(&leaf->key[path->at]) == key->key
           && trove_board_reached(tree,
                                  trove_board_peek(&leaf->row[path->at]))
              < key->reached)
    {
        path->at++;
    }

    return 1;
}


int
trove_board_tree_place_last(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path)
{
    trove_board_key_t  next;

    next.key = key->key + 1;
    next.reached = 0;

    return trove_board_tree_place(tree, &next, path);
}


int
trove_board_tree_place_row(const trove_board_tree_t *tree, uint32_t row,
    trove_board_path_t *path)
{
    uint32_t                   i, n;
    const trove_board_leaf_t  *leaf;

    leaf = &tree->leaf[path->leaf];
    n = trove_board_peek(&leaf->n);

    if (n > TROVE_BOARD_LEAF) {
        return 0;
    }

    for (i = 0; i < n && trove_board_peek(&leaf->row[i]) != row; i++) {
        /* void */
    }

    path->at = i;

    return i < n;
}


int
trove_board_tree_find(const trove_board_tree_t *tree,
    const trove_board_key_t *key, trove_board_path_t *path)
{
    return trove_board_tree_descend(tree, key, path)
           && trove_board_tree_place(tree, key, path);
}


uint32_t
trove_board_tree_position(const trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    uint32_t  i, position;

    position = path->at;

    for (i = 0; i < path->levels; i++) {
        position += trove_board_sum(tree->inner[path->node[i]].count,
                                    path->child[i]);
    }

    return position;
}


int
trove_board_tree_select(const trove_board_tree_t *tree, uint32_t position,
    trove_board_path_t *path)
{
    uint32_t                    i, n, c, count, left, node;
    const trove_board_inner_t  *inner;

    left = position;
    path->levels = trove_board_peek(&tree->t->levels);
    node = trove_board_peek(&tree->t->root);

    if (path->levels > TROVE_BOARD_LEVELS) {
        return 0;
    }

    for (i = 0; i < path->levels; i++) {

        if (node >= tree->inners) {
            return 0;
        }

        inner = &tree->inner[node];
        n = trove_board_peek(&inner->n);

        if (n == 0 || n > TROVE_BOARD_INNER) {
            return 0;
        }

        for (c = 0; c < n - 1; c++) {
            count = trove_board_peek(&inner->count[c]);

            if (left < count) {
                break;
            }

            left -= count;
        }

        path->node[i] = node;
        path->child[i] = c;

        node = trove_board_peek(&inner->child[c]);
    }

    if (node >= tree->leaves) {
        return 0;
    }

    path->leaf = node;
    path->at = left;

    return left < trove_board_peek(&tree->leaf[node].n);
}


void
trove_board_tree_touch(trove_board_tree_t *tree, uint32_t leaf)
{
    uint32_t             i;
    uint64_t             seq;
    trove_board_leaf_t  *p;

    p = &tree->leaf[leaf];
    seq = trove_get(&p->seq);

    /* one that a dead writer has touched is odd already */

    if ((seq & 1) == 0) {
        trove_set(&p->seq, seq + 1);
        atomic_thread_fence(memory_order_release);
        TROVE_FAULT("tree: touched");
    }

    for (i = 0; i < tree->ntouched; i++) {

        if (tree->touched[i] == leaf) {
            return;
        }
    }

    tree->touched[tree->ntouched++] = leaf;
}


void
trove_board_tree_let_go(trove_board_tree_t *tree)
{
    uint32_t             i;
    trove_board_leaf_t  *p;

    for (i = 0; i < tree->ntouched; i++) {
        p = &tree->leaf[tree->touched[i]];
        trove_release(&p->seq, (trove_get(&p->seq) | 1) + 1);
        TROVE_FAULT("tree: let go");
    }

    tree->ntouched = 0;
}


/* From here on paths lead somewhere else. */

static void
trove_board_tree_reshape(trove_board_tree_t *tree)
{
    trove_set(&tree->t->shape, trove_get(&tree->t->shape) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("tree: reshaped");
}


static void
trove_board_tree_shaped(trove_board_tree_t *tree)
{
    trove_release(&tree->t->shape, trove_get(&tree->t->shape) + 1);
    TROVE_FAULT("tree: shaped");
}


static uint32_t
trove_board_tree_leaf(trove_board_tree_t *tree)
{
    uint32_t  leaf;

    leaf = tree->t->leaf_free;

    if (leaf != 0) {
        leaf--;
        tree->t->leaf_free = tree->leaf[leaf].next;

    } else {
        leaf = tree->t->leaves++;
    }

    trove_board_tree_touch(tree, leaf);

    return leaf;
}


static uint32_t
trove_board_tree_inner(trove_board_tree_t *tree)
{
    uint32_t  inner;

    inner = tree->t->inner_free;

    if (inner != 0) {
        inner--;
        tree->t->inner_free = tree->inner[inner].next;
        return inner;
    }

    return tree->t->inners++;
}


static void
trove_board_tree_free_leaf(trove_board_tree_t *tree, uint32_t leaf)
{
    tree->leaf[leaf].n = 0;
    tree->leaf[leaf].next = tree->t->leaf_free;
    tree->t->leaf_free = leaf + 1;
}


static void
trove_board_tree_free_inner(trove_board_tree_t *tree, uint32_t inner)
{
    tree->inner[inner].next = tree->t->inner_free;
    tree->t->inner_free = inner + 1;
}


/* A leaf if that is full, and one of each level that is, and a new root. */

int
trove_board_tree_room(const trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    uint32_t                    i, need, free;
    const trove_board_table_t  *t;

    t = tree->t;

    if (tree->leaf[path->leaf].n < TROVE_BOARD_LEAF) {
        return 1;
    }

    if (t->leaf_free == 0 && t->leaves >= tree->leaves) {
        return 0;
    }

    need = 0;
    i = path->levels;

    while (i != 0 && tree->inner[path->node[i - 1]].n == TROVE_BOARD_INNER) {
        need++;
        i--;
    }

    if (i == 0) {
        need++;

        if (path->levels == TROVE_BOARD_LEVELS) {
            return 0;
        }
    }

    if (tree->inners - t->inners >= need) {
        return 1;
    }

    need -= tree->inners - t->inners;

    for (free = t->inner_free; free != 0 && need != 0; need--) {
        free = tree->inner[free - 1].next;
    }

    return need == 0;
}


void
trove_board_tree_add(trove_board_tree_t *tree, const trove_board_path_t *path,
    const trove_board_key_t *key, uint32_t row)
{
    trove_board_leaf_t  *leaf;

    leaf = &tree->leaf[path->leaf];

    trove_board_tree_touch(tree, path->leaf);
    trove_board_tree_count(tree, path, 1);

    if (trove_likely(leaf->n < TROVE_BOARD_LEAF)) {
        trove_board_leaf_put(leaf, path->at, key, row);
        TROVE_FAULT("tree: added");
        return;
    }

    trove_board_tree_split(tree, path, key, row);
}


static void
trove_board_tree_count(trove_board_tree_t *tree,
    const trove_board_path_t *path, int by)
{
    uint32_t  i;

    for (i = 0; i < path->levels; i++) {
        tree->inner[path->node[i]].count[path->child[i]] += (uint32_t) by;
        TROVE_FAULT("tree: counted");
    }
}


static void
trove_board_leaf_put(trove_board_leaf_t *leaf, uint32_t at,
    const trove_board_key_t *key, uint32_t row)
{
    uint32_t  n;

    n = leaf->n - at;

    memmove(&leaf->key[at + 1], &leaf->key[at], n * sizeof(leaf->key[0]));
    memmove(&leaf->row[at + 1], &leaf->row[at], n * sizeof(leaf->row[0]));

    leaf->key[at] = key->key;
    leaf->row[at] = row;
    leaf->n++;
}


/* The leaf's upper half moves to a new one behind it. */

static void
trove_board_tree_split(trove_board_tree_t *tree,
    const trove_board_path_t *path, const trove_board_key_t *key,
    uint32_t row)
{
    uint32_t             half, n, number;
    trove_board_key_t    first;
    trove_board_leaf_t  *left, *right;

    trove_board_tree_reshape(tree);

    number = trove_board_tree_leaf(tree);
    TROVE_FAULT("tree: leaf taken");

    left = &tree->leaf[path->leaf];
    right = &tree->leaf[number];
    half = TROVE_BOARD_LEAF / 2;
    n = TROVE_BOARD_LEAF - half;

    memcpy(right->key, &left->key[half], n * sizeof(left->key[0]));
    memcpy(right->row, &left->row[half], n * sizeof(left->row[0]));

    right->n = n;
    right->next = left->next;
    left->n = half;
    left->next = number + 1;
    TROVE_FAULT("tree: leaf split");

    if (path->at <= half) {
        trove_board_leaf_put(left, path->at, key, row);

    } else {
        trove_board_leaf_put(right, path->at - half, key, row);
    }

    first.key = right->key[0];
    first.reached = (right->row[0] == row) ? key->reached
                    : trove_board_reached(tree, right->row[0]);

    trove_board_tree_insert(tree, path, number, &first, right->n);
    trove_board_tree_shaped(tree);
}


/* A child behind the path's, from which "count" rows come. */

static void
trove_board_tree_insert(trove_board_tree_t *tree,
    const trove_board_path_t *path, uint32_t child,
    const trove_board_key_t *key, uint32_t count)
{
    uint32_t              i, at, right;
    trove_board_key_t     sep, up;
    trove_board_inner_t  *inner, *to;

    sep = *key;

    for (i = path->levels; i != 0; i--) {
        inner = &tree->inner[path->node[i - 1]];
        at = path->child[i - 1] + 1;

        inner->count[at - 1] -= count;
        TROVE_FAULT("tree: count parted");

        if (inner->n < TROVE_BOARD_INNER) {
            trove_board_inner_put(inner, at, child, &sep, count);
            TROVE_FAULT("tree: child added");
            return;
        }

        to = inner;
        right = trove_board_inner_split(tree, inner, &up);

        if (at > inner->n) {
            to = &tree->inner[right];
            at -= inner->n;
        }

        trove_board_inner_put(to, at, child, &sep, count);

        sep = up;
        child = right;
        count = trove_board_sum(tree->inner[right].count,
                                tree->inner[right].n);
        TROVE_FAULT("tree: inner split");
    }

    trove_board_tree_grow(tree, child, &sep, count);
}


static void
trove_board_inner_put(trove_board_inner_t *inner, uint32_t at, uint32_t child,
    const trove_board_key_t *key, uint32_t count)
{
    uint32_t  n;

    n = inner->n - at;

    memmove(&inner->key[at + 1], &inner->key[at], n * sizeof(inner->key[0]));
    memmove(&inner->reached[at + 1], &inner->reached[at],
            n * sizeof(inner->reached[0]));
    memmove(&inner->count[at + 1], &inner->count[at],
            n * sizeof(inner->count[0]));
    memmove(&inner->child[at + 1], &inner->child[at],
            n * sizeof(inner->child[0]));

    inner->key[at] = key->key;
    inner->reached[at] = key->reached;
    inner->count[at] = count;
    inner->child[at] = child;
    inner->n++;
}


/* Returns the new one, which begins with *key. */

static uint32_t
trove_board_inner_split(trove_board_tree_t *tree, trove_board_inner_t *left,
    trove_board_key_t *key)
{
    uint32_t              half, n, number;
    trove_board_inner_t  *right;

    number = trove_board_tree_inner(tree);
    TROVE_FAULT("tree: inner taken");

    right = &tree->inner[number];
    half = TROVE_BOARD_INNER / 2;
    n = TROVE_BOARD_INNER - half;

    memcpy(right->key, &left->key[half], n * sizeof(left->key[0]));
    memcpy(right->reached, &left->reached[half],
           n * sizeof(left->reached[0]));
    memcpy(right->count, &left->count[half], n * sizeof(left->count[0]));
    memcpy(right->child, &left->child[half], n * sizeof(left->child[0]));

    right->n = n;
    left->n = half;
    key->key = right->key[0];
    key->reached = right->reached[0];

    return number;
}


/* A new root over the old one and what was split from it. */

static void
trove_board_tree_grow(trove_board_tree_t *tree, uint32_t right,
    const trove_board_key_t *key, uint32_t count)
{
    uint32_t              number;
    trove_board_table_t  *t;
    trove_board_inner_t  *root, *old;

    t = tree->t;
    number = trove_board_tree_inner(tree);
    root = &tree->inner[number];
    old = &tree->inner[t->root];

    root->n = 2;
    root->child[0] = t->root;
    root->child[1] = right;
    root->count[0] = (t->levels == 0) ? tree->leaf[t->root].n
                                      : trove_board_sum(old->count, old->n);
    root->count[1] = count;
    root->key[1] = key->key;
    root->reached[1] = key->reached;
    TROVE_FAULT("tree: new root");

    t->root = number;
    t->levels++;
    TROVE_FAULT("tree: grown");
}


int
trove_board_tree_remove(trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    uint32_t             n;
    trove_board_leaf_t  *leaf;

    leaf = &tree->leaf[path->leaf];

    trove_board_tree_touch(tree, path->leaf);
    trove_board_tree_count(tree, path, -1);

    n = leaf->n - path->at - 1;

    memmove(&leaf->key[path->at], &leaf->key[path->at + 1],
            n * sizeof(leaf->key[0]));
    memmove(&leaf->row[path->at], &leaf->row[path->at + 1],
            n * sizeof(leaf->row[0]));

    leaf->n--;
    TROVE_FAULT("tree: removed");

    return path->levels == 0 || !trove_board_tree_merge(tree, path);
}


/* Whether the leaf was merged with a neighbour. */

static int
trove_board_tree_merge(trove_board_tree_t *tree,
    const trove_board_path_t *path)
{
    uint32_t              c, level;
    trove_board_inner_t  *inner;

    level = path->levels - 1;
    inner = &tree->inner[path->node[level]];
    c = path->child[level];

    if (c + 1 < inner->n
        && inner->count[c] + inner->count[c + 1] <= TROVE_BOARD_MERGE)
    {
        c++;

    } else if (c == 0
               || inner->count[c - 1] + inner->count[c] > TROVE_BOARD_MERGE)
    {
        return 0;
    }

    trove_board_tree_reshape(tree);
    trove_board_tree_join(tree, inner->child[c - 1], inner->child[c]);

    inner->count[c - 1] += inner->count[c];
    TROVE_FAULT("tree: count joined");

    trove_board_tree_drop(tree, path, level, c);
    trove_board_tree_shaped(tree);

    return 1;
}


/* The entries of a leaf move to the one before it. */

static void
trove_board_tree_join(trove_board_tree_t *tree, uint32_t left, uint32_t right)
{
    trove_board_leaf_t  *to, *from;

    trove_board_tree_touch(tree, left);
    trove_board_tree_touch(tree, right);

    to = &tree->leaf[left];
    from = &tree->leaf[right];

    memcpy(&to->key[to->n], from->key, from->n * sizeof(from->key[0]));
    memcpy(&to->row[to->n], from->row, from->n * sizeof(from->row[0]));

    to->n += from->n;
    to->next = from->next;
    TROVE_FAULT("tree: joined");

    trove_board_tree_free_leaf(tree, right);
    TROVE_FAULT("tree: leaf freed");
}


/*
 * A child that has nothing left, with which a node may have become small
 * enough for a neighbour, and the node above that likewise.
 */

static void
trove_board_tree_drop(trove_board_tree_t *tree,
    const trove_board_path_t *path, uint32_t level, uint32_t child)
{
    uint32_t              n;
    trove_board_inner_t  *inner;

    for ( ;; ) {
        inner = &tree->inner[path->node[level]];
        n = inner->n - child - 1;

        memmove(&inner->key[child], &inner->key[child + 1],
                n * sizeof(inner->key[0]));
        memmove(&inner->reached[child], &inner->reached[child + 1],
                n * sizeof(inner->reached[0]));
        memmove(&inner->count[child], &inner->count[child + 1],
                n * sizeof(inner->count[0]));
        memmove(&inner->child[child], &inner->child[child + 1],
                n * sizeof(inner->child[0]));

        inner->n--;
        TROVE_FAULT("tree: child dropped");

        if (level == 0) {
            break;
        }

        level--;
        child = (uint32_t) trove_board_tree_join_inner(tree, path, level);

        if (child == 0) {
            return;
        }
    }

    trove_board_tree_shrink(tree);
}


/* The path's child at this level joins a neighbour: the place to be dropped. */

static int
trove_board_tree_join_inner(trove_board_tree_t *tree,
    const trove_board_path_t *path, uint32_t level)
{
    uint32_t              c, n;
    trove_board_inner_t  *inner, *left, *right;

    inner = &tree->inner[path->node[level]];
    c = path->child[level];
    n = tree->inner[inner->child[c]].n;

    if (c + 1 < inner->n
        && n + tree->inner[inner->child[c + 1]].n <= TROVE_BOARD_JOIN)
    {
        c++;

    } else if (c == 0
               || n + tree->inner[inner->child[c - 1]].n > TROVE_BOARD_JOIN)
    {
        return 0;
    }

    left = &tree->inner[inner->child[c - 1]];
    right = &tree->inner[inner->child[c]];

    trove_board_inner_join(left, right);

    left->key[left->n - right->n] = inner->key[c];
    left->reached[left->n - right->n] = inner->reached[c];
    TROVE_FAULT("tree: inner joined");

    inner->count[c - 1] += inner->count[c];

    trove_board_tree_free_inner(tree, inner->child[c]);
    TROVE_FAULT("tree: inner freed");

    return (int) c;
}


/* What the right one's first child has no key for is the right one's own. */

static void
trove_board_inner_join(trove_board_inner_t *left,
    const trove_board_inner_t *right)
{
    uint32_t  n;

    n = left->n;

    memcpy(&left->key[n], right->key, right->n * sizeof(right->key[0]));
    memcpy(&left->reached[n], right->reached,
           right->n * sizeof(right->reached[0]));
    memcpy(&left->count[n], right->count, right->n * sizeof(right->count[0]));
    memcpy(&left->child[n], right->child, right->n * sizeof(right->child[0]));

    left->n += right->n;
}


static void
trove_board_tree_shrink(trove_board_tree_t *tree)
{
    uint32_t              root;
    trove_board_table_t  *t;

    t = tree->t;

    while (t->levels != 0 && tree->inner[t->root].n == 1) {
        root = t->root;

        t->root = tree->inner[root].child[0];
        t->levels--;
        TROVE_FAULT("tree: shrunk");

        trove_board_tree_free_inner(tree, root);
    }
}


/* By merging, from runs of TROVE_BOARD_RUN on. */

trove_board_item_t *
trove_board_sort(trove_board_item_t *items, trove_board_item_t *spare,
    uint32_t n)
{
    uint64_t             i, run, na, nb;
    trove_board_item_t  *swap;

    for (i = 0; i < n; i += TROVE_BOARD_RUN) {
        trove_board_insertion(&items[i], (n - i < TROVE_BOARD_RUN)
                                         ? (uint32_t) (n - i)
                                         : TROVE_BOARD_RUN);
    }

    for (run = TROVE_BOARD_RUN; run < n; run *= 2) {

        for (i = 0; i < n; i += 2 * run) {
            na = (n - i < run) ? n - i : run;
            nb = (n - i - na < run) ? n - i - na : run;

            trove_board_merge(&items[i], (uint32_t) na, &items[i + na],
                              (uint32_t) nb, &spare[i]);
        }

        swap = items;
        items = spare;
        spare = swap;
    }

    return items;
}


static void
trove_board_insertion(trove_board_item_t *items, uint32_t n)
{
    uint32_t            i, k;
    trove_board_item_t  item;

    for (i = 1; i < n; i++) {
        item = items[i];

        for (k = i; k != 0 && trove_board_less(&item.key, &items[k - 1].key);
             k--)
        {
            items[k] = items[k - 1];
        }

        items[k] = item;
    }
}


static void
trove_board_merge(const trove_board_item_t *a, uint32_t na,
    const trove_board_item_t *b, uint32_t nb, trove_board_item_t *to)
{
    uint32_t                   second;
    const trove_board_item_t  *end_a, *end_b;

    end_a = a + na;
    end_b = b + nb;

    while (a != end_a && b != end_b) {
        second = (uint32_t) trove_board_less(&b->key, &a->key);

        *to++ = second ? *b : *a;
        a += !second;
        b += second;
    }

    while (a != end_a) {
        *to++ = *a++;
    }

    while (b != end_b) {
        *to++ = *b++;
    }
}


/*
 * Leaves are filled in the order of the list, and each as it is full is put at
 * the end of the node above, which if that is full gets a successor likewise.
 */

void
trove_board_tree_build(trove_board_tree_t *tree,
    const trove_board_item_t *items, uint32_t n)
{
    uint32_t             i, k, some, number, last[TROVE_BOARD_LEVELS];
    trove_board_leaf_t  *leaf;

    trove_board_tree_reshape(tree);

    for (i = 0; i < n; i += some) {
        some = (n - i < TROVE_BOARD_FILL) ? n - i : TROVE_BOARD_FILL;
        number = (i == 0) ? 0 : tree->t->leaves++;
        leaf = &tree->leaf[number];

        trove_board_tree_touch(tree, number);

        for (k = 0; k < some; k++) {
            leaf->key[k] = items[i + k].key.key;
            leaf->row[k] = items[i + k].row;
        }

        leaf->n = some;
        leaf->next = (i + some < n) ? tree->t->leaves + 1 : 0;
        TROVE_FAULT("tree: leaf built");

        if (i != 0) {
            trove_board_tree_append(tree, 0, last, number, &items[i].key,
                                    some);
        }

        trove_board_tree_let_go(tree);
    }

    trove_board_tree_shaped(tree);
}


/*
 * A child for the last node "level" levels above the leaves; if there is no
 * such level, a root is put over all there is.
 */

static void
trove_board_tree_append(trove_board_tree_t *tree, uint32_t level,
    uint32_t *last, uint32_t child, const trove_board_key_t *key,
    uint32_t count)
{
    uint32_t              i;
    trove_board_inner_t  *inner;

    if (level == tree->t->levels) {
        trove_board_tree_grow(tree, child, key, count);
        last[level] = tree->t->root;
        return;
    }

    /* what comes below it is counted above it */

    inner = &tree->inner[last[level]];

    if (inner->n < TROVE_BOARD_INNER_FILL) {
        trove_board_inner_put(inner, inner->n, child, key, count);
        TROVE_FAULT("tree: child built");

        for (i = level + 1; i < tree->t->levels; i++) {
            inner = &tree->inner[last[i]];
            inner->count[inner->n - 1] += count;
        }

        return;
    }

    last[level] = trove_board_tree_inner(tree);
    inner = &tree->inner[last[level]];

    inner->n = 0;
    trove_board_inner_put(inner, 0, child, key, count);
    TROVE_FAULT("tree: inner built");

    trove_board_tree_append(tree, level + 1, last, last[level], key, count);
}
