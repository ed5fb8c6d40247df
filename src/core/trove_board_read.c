
/*
 * Lists of a board, without its lock.
 *
 * Where a list begins is found while the board's seq does not change; so are
 * the leaves that it goes through, each with its own seq.  From then on only
 * these must stay as they are while their rows are copied, and all is as it
 * was at one moment.  The first leaf needs no search: a list from the first
 * position does not look at the board's seq at all, and is not thrown back by
 * what is written elsewhere.
 *
 * Who tries in vain for long takes the lock, for the writer may be dead.
 */

#include "trove_board_tree.h"


#define TROVE_BOARD_TRIES   256
#define TROVE_BOARD_VISITS  64

/* Rows that are fetched ahead of the one that is copied. */
#define TROVE_BOARD_AHEAD   4


/* Of a row's text, in front of its data. */
#define TROVE_BOARD_TEXT                                                      \
    (sizeof(trove_board_words_t) - offsetof(trove_board_words_t, id))


typedef struct {
    uint32_t                   leaf;
    uint32_t                   at;
    uint32_t                   n;       /* entries from there                */
    uint64_t                   seq;
} trove_board_visit_t;


typedef struct {
    trove_ledger_t            *l;
    trove_board_t             *b;
    const trove_board_conf_t  *conf;
    uint32_t                   board;
    int                        period;
    uint64_t                   now;
    const trove_slice_t       *player;  /* NULL: a list from "from"          */
    uint32_t                   tag;
    uint32_t                   around;
    uint32_t                   from;    /* position, from 0                  */
    uint32_t                   max;
    char                      *text;
    size_t                     used;    /* bytes of the text                 */
    trove_board_entry_t       *entries;
    uint32_t                   n;
    trove_board_state_t       *state;

    int                        locked;
    trove_board_table_t       *t;
    uint32_t                   table;
    const char                *rows;
    size_t                     row;     /* bytes                             */
    uint64_t                   built;
    trove_board_tree_t         tree;
    trove_board_path_t         start;
    uint32_t                   leaf;    /* that is next                      */
    uint32_t                   at;
    uint32_t                   left;
    int                        ends;    /* with the last row there is        */
    uint32_t                   rank;    /* of the last entry, 0: none        */
    int64_t                    score;   /* and its score                     */
    uint32_t                   nvisits;
    trove_board_visit_t        visit[TROVE_BOARD_VISITS];
} trove_board_read_t;


static trove_rc_t trove_board_read(trove_board_read_t *r);
static trove_rc_t trove_board_try(trove_board_read_t *r);
static trove_rc_t trove_board_start(trove_board_read_t *r);
static uint32_t trove_board_fetch_player(trove_board_read_t *r, int64_t *key,
    int *guessed);
static trove_rc_t trove_board_start_player(trove_board_read_t *r);
static int trove_board_start_rank(trove_board_read_t *r);
static trove_rc_t trove_board_walk(trove_board_read_t *r);
static int trove_board_copy_leaves(trove_board_read_t *r);
static int trove_board_copy_leaf(trove_board_read_t *r,
    const trove_board_visit_t *v);
static int trove_board_copy_row(trove_board_read_t *r, uint32_t row);
static int trove_board_same(const trove_board_read_t *r);


static inline void
trove_board_fetch(const trove_board_read_t *r, uint32_t row)
{
    size_t       i;
    const char  *p;

    if (row < r->conf->rows) {
        p = r->rows + row * r->row;

        for (i = 0; i < r->row && i < 4 * TROVE_CACHE_LINE;
             i += TROVE_CACHE_LINE)
        {
            __builtin_prefetch(p + i);
        }
    }
}


trove_rc_t
trove_board_list(trove_ledger_t *l, uint32_t board, int period, uint64_t now,
    uint32_t from, uint32_t max, char *text, trove_board_entry_t *entries,
    uint32_t *n, trove_board_state_t *state)
{
    trove_rc_t          rc;
    trove_board_read_t  r;

    r.l = l;
    r.board = board;
    r.period = period;
    r.now = now;
    r.player = NULL;
    r.from = (from != 0) ? from - 1 : 0;
    r.max = max;
    r.text = text;
    r.entries = entries;
    r.state = state;

    rc = trove_board_read(&r);
    *n = r.n;

    return rc;
}


trove_rc_t
trove_board_around(trove_ledger_t *l, uint32_t board, int period,
    uint64_t now, const trove_slice_t *player, uint32_t around, char *text,
    trove_board_entry_t *entries, uint32_t *n, trove_board_state_t *state)
{
    trove_rc_t          rc;
    trove_board_read_t  r;

    *n = 0;

    if (player->len == 0 || player->len > TROVE_PLAYER_MAX) {
        trove_board_state(l, board, period, now, state);
        return TROVE_NOTFOUND;
    }

    r.l = l;
    r.board = board;
    r.period = period;
    r.now = now;
    r.player = player;
    r.tag = (uint32_t) (trove_player_hash(l, player) >> 32);
    r.around = around;
    r.from = 0;
    r.max = 0;
    r.text = text;
    r.entries = entries;
    r.state = state;

    rc = trove_board_read(&r);
    *n = r.n;

    return rc;
}


static trove_rc_t
trove_board_read(trove_board_read_t *r)
{
    int         n;
    trove_rc_t  rc;

    r->b = trove_board_of(r->l, r->board);
    r->conf = trove_board_conf(r->l, r->board);
    r->locked = 0;

    for (n = 0; n < TROVE_BOARD_TRIES; n++) {
        rc = trove_board_try(r);

        if (rc == TROVE_FULL) {
            break;
        }

        if (rc != TROVE_AGAIN) {
            return rc;
        }

        trove_pause();
    }

    r->n = 0;

    if (trove_board_lock(r->l, r->board) != TROVE_OK) {
        return TROVE_BUSY;
    }

    r->locked = 1;
    rc = trove_board_try(r);

    trove_board_unlock(r->l, r->board);

    return (rc == TROVE_AGAIN) ? TROVE_BUSY : rc;
}


/*
 * TROVE_OK; TROVE_NOTFOUND; TROVE_AGAIN: somebody was writing; TROVE_FULL:
 * there are too many leaves to look after all of them.
 */

static trove_rc_t
trove_board_try(trove_board_read_t *r)
{
    int         sure;
    uint64_t    seq;
    trove_rc_t  rc;

    r->n = 0;
    r->used = 0;

    sure = r->locked || (r->player == NULL && r->from == 0);
    seq = trove_acquire(&r->b->seq);

    if (!sure && (seq & 1) != 0) {
        return TROVE_AGAIN;
    }

    rc = trove_board_start(r);

    TROVE_FAULT_MEET("board: found");

    atomic_thread_fence(memory_order_acquire);

    if (!sure && trove_get(&r->b->seq) != seq) {
        return TROVE_AGAIN;
    }

    if (r->t == NULL || (rc != TROVE_OK && (rc != TROVE_FULL || !r->locked))) {
        return rc;
    }

    while (trove_board_copy_leaves(r)) {

        if (rc == TROVE_FULL) {
            rc = trove_board_walk(r);
            continue;
        }

        /* they were counted before the leaves were looked at */

        if (r->ends || (r->n != 0 && r->state->rows < r->from + r->n)) {
            r->state->rows = r->from + r->n;
        }

        return trove_board_same(r) ? TROVE_OK : TROVE_AGAIN;
    }

    return TROVE_AGAIN;
}


/* What the list begins with, and the leaves that it goes through. */

static trove_rc_t
trove_board_start(trove_board_read_t *r)
{
    uint32_t    live;
    uint64_t    wanted;
    trove_rc_t  rc;

    r->t = trove_board_table(r->b, r->conf->reset, r->period, r->now,
                             &wanted);
    r->state->ends = trove_board_begins(r->conf->reset, wanted + 1);
    r->state->rows = 0;

    if (r->t == NULL) {
        return (r->player != NULL) ? TROVE_NOTFOUND : TROVE_OK;
    }

    r->built = trove_acquire(&r->t->built);

    if ((r->built & 1) != 0 || trove_get(&r->t->period) != wanted) {
        return TROVE_AGAIN;
    }

    r->table = (uint32_t) (r->t - r->b->table);
    r->rows = (const char *) trove_board_line(r->l, r->board, r->table, 0);
    r->row = r->conf->row;
    trove_board_tree(r->l, r->board, r->table, &r->tree);

    live = trove_get(&r->t->live);
    r->state->rows = live;
    r->rank = 0;
    r->left = r->max;
    r->leaf = 0;
    r->at = 0;

    if (r->player != NULL) {
        rc = trove_board_start_player(r);

        if (rc != TROVE_OK) {
            return rc;
        }
    }

    if (r->from != 0) {

        if (r->from >= live) {
            r->left = 0;

        } else if (!trove_board_start_rank(r)) {
            return TROVE_AGAIN;
        }
    }

    r->nvisits = 0;
    r->ends = 0;

    TROVE_FAULT_MEET("board: counted rows");

    return trove_board_walk(r);
}


/*
 * The row and the leaf that most likely are the player's, at once.  Returns
 * the row, or TROVE_LEDGER_NONE; *guessed says whether r->start was found by
 * the key that its cell has.
 */

static uint32_t
trove_board_fetch_player(trove_board_read_t *r, int64_t *key, int *guessed)
{
    uint32_t                   row;
    trove_board_key_t          best;
    const trove_board_cell_t  *cell;

    *guessed = 0;
    cell = trove_board_likely(r->l, r->board, r->table, r->tag);

    if (cell == NULL) {
        return TROVE_LEDGER_NONE;
    }

    row = (uint32_t) trove_get(&cell->link) - 1;
    trove_board_fetch(r, row);

    best.key = trove_get(&cell->key);
    best.reached = 0;
    *key = best.key;

    if (trove_board_tree_descend(&r->tree, &best, &r->start)) {
        trove_board_tree_fetch_rows(&r->tree, &r->start);
        *guessed = !r->start.tied;
    }

    return (row < r->conf->rows) ? row : TROVE_LEDGER_NONE;
}


static trove_rc_t
trove_board_start_player(trove_board_read_t *r)
{
    int                  guessed;
    int64_t              likely;
    uint32_t             row, cell, rank;
    trove_board_key_t    key;
    trove_board_words_t  head;

    row = trove_board_fetch_player(r, &likely, &guessed);

    if (row == TROVE_LEDGER_NONE) {
        return TROVE_NOTFOUND;
    }

    trove_board_head(trove_board_line(r->l, r->board, r->table, row), &head);

    if (trove_unlikely(!trove_board_is(&head, r->player))) {

        /* of another one with the same tag */

        row = trove_board_probe(r->l, r->board, r->table, r->player, r->tag,
                                &cell);
        guessed = 0;

        if (row == TROVE_LEDGER_NONE) {
            return TROVE_NOTFOUND;
        }

        trove_board_head(trove_board_line(r->l, r->board, r->table, row),
                         &head);
    }

    key = trove_board_key(r->conf, &head);

    if ((!(guessed && key.key == likely)
         && !trove_board_tree_descend(&r->tree, &key, &r->start))
        || !trove_board_tree_place_row(&r->tree, row, &r->start))
    {
        return TROVE_AGAIN;
    }

    rank = trove_board_tree_position(&r->tree, &r->start);

    r->from = (rank > r->around) ? rank - r->around : 0;
    r->left = (r->around < UINT32_MAX - (rank - r->from))
              ? rank - r->from + 1 + r->around : UINT32_MAX;

    if (r->around == 0) {
        r->leaf = r->start.leaf;
        r->at = r->start.at;
    }

    return TROVE_OK;
}


/* Of the entry at "from", and if ties share it the rank that it has. */

static int
trove_board_start_rank(trove_board_read_t *r)
{
    trove_board_key_t  key;

    if (r->player == NULL || r->around != 0) {

        if (!trove_board_tree_select(&r->tree, r->from, &r->start)) {
            return 0;
        }

        r->leaf = r->start.leaf;
        r->at = r->start.at;
    }

    if (r->conf->ties == TROVE_BOARD_FIRST) {
        return 1;
    }

    if (r->at >= TROVE_BOARD_LEAF) {
        return 0;
    }

    key.key = r->tree.leaf[r->leaf].key[r->at];
    key.reached = 0;

    if (!trove_board_tree_find(&r->tree, &key, &r->start)) {
        return 0;
    }

    r->score = (r->conf->order == TROVE_BOARD_DESC) ? -key.key : key.key;
    r->rank = trove_board_tree_position(&r->tree, &r->start) + 1;

    return 1;
}


/* TROVE_OK, TROVE_AGAIN, or TROVE_FULL: there are more of them. */

static trove_rc_t
trove_board_walk(trove_board_read_t *r)
{
    uint32_t              n, next;
    trove_board_leaf_t   *leaf;
    trove_board_visit_t  *v;

    for (r->nvisits = 0; r->left != 0; r->nvisits++) {

        if (r->nvisits == TROVE_BOARD_VISITS) {
            return TROVE_FULL;
        }

        leaf = &r->tree.leaf[r->leaf];
        v = &r->visit[r->nvisits];

        v->leaf = r->leaf;
        v->seq = trove_acquire(&leaf->seq);
        v->at = r->at;

        n = trove_board_peek(&leaf->n);
        next = trove_board_peek(&leaf->next);

        if ((v->seq & 1) != 0 || n > TROVE_BOARD_LEAF || v->at > n
            || next > r->tree.leaves)
        {
            return TROVE_AGAIN;
        }

        v->n = (n - v->at < r->left) ? n - v->at : r->left;
        r->ends = (next == 0 && v->n == n - v->at);
        r->left -= v->n;
        r->leaf = next - 1;
        r->at = 0;

        if (next == 0) {
            r->left = 0;
        }
    }

    return TROVE_OK;
}


static int
trove_board_copy_leaves(trove_board_read_t *r)
{
    uint32_t  i;

    for (i = 0; i < r->nvisits; i++) {

        if (!trove_board_copy_leaf(r, &r->visit[i])) {
            return 0;
        }
    }

    return 1;
}


static int
trove_board_copy_leaf(trove_board_read_t *r, const trove_board_visit_t *v)
{
    uint32_t                   i, row, end;
    const trove_board_leaf_t  *leaf;

    leaf = &r->tree.leaf[v->leaf];
    end = v->at + v->n;

    for (i = v->at; i < end && i < v->at + TROVE_BOARD_AHEAD; i++) {
        trove_board_fetch(r, trove_board_peek(&leaf->row[i]));
    }

    for (i = v->at; i < end; i++) {

        if (i + TROVE_BOARD_AHEAD < end) {
            trove_board_fetch(r, trove_board_peek(&leaf->row[i
                                                   + TROVE_BOARD_AHEAD]));
        }

        row = trove_board_peek(&leaf->row[i]);

        if (row >= r->conf->rows || !trove_board_copy_row(r, row)) {
            return 0;
        }

        TROVE_FAULT_MEET("board: row copied");
    }

    return 1;
}


/*
 * In pieces of 32 bytes, of which the last may be more than is asked for: what
 * it takes from behind the row is the ledger's, and in the text there is room
 * for it, for a row's head is not copied.
 */

static inline void
trove_board_copy_text(char *to, const char *from, uint32_t n)
{
    uint32_t  i;

    for (i = 0; i < n; i += 32) {
        memcpy(to + i, from + i, 32);
    }
}


static int
trove_board_copy_row(trove_board_read_t *r, uint32_t row)
{
    char                       *text;
    uint64_t                    word;
    trove_board_words_t         head;
    trove_board_entry_t        *e;
    const trove_board_line_t   *line;

    line = (const trove_board_line_t *) (r->rows + row * r->row);
    text = r->text + r->used;
    e = &r->entries[r->n];

    word = trove_get(&line->words[TROVE_BOARD_WORDS - 1]);
    memcpy(&head.tag, &word, sizeof(word));

    if (head.len > TROVE_PLAYER_MAX
        || head.data_len > r->conf->row - TROVE_BOARD_HEAD)
    {
        return 0;
    }

    trove_board_copy_text(text, (const char *) line->words
                                + offsetof(trove_board_words_t, id),
                          TROVE_BOARD_TEXT + head.data_len);

    e->player.data = (const unsigned char *) text;
    e->player.len = head.len;
    e->data.data = (const unsigned char *) text + TROVE_BOARD_TEXT;
    e->data.len = head.data_len;
    e->score = (int64_t) trove_get(&line->words[0]);

    if (r->rank == 0 || r->conf->ties == TROVE_BOARD_FIRST
        || e->score != r->score)
    {
        r->rank = r->from + r->n + 1;
        r->score = e->score;
    }

    e->rank = r->rank;
    r->used += trove_align(TROVE_BOARD_TEXT + head.data_len, 16);
    r->n++;

    return 1;
}


/* Whether all of the leaves are what they were when the list was begun. */

static int
trove_board_same(const trove_board_read_t *r)
{
    uint32_t  i;

    if (r->locked) {
        return 1;
    }

    atomic_thread_fence(memory_order_acquire);

    for (i = 0; i < r->nvisits; i++) {

        if (trove_get(&r->tree.leaf[r->visit[i].leaf].seq) != r->visit[i].seq)
        {
            return 0;
        }
    }

    return trove_get(&r->t->built) == r->built;
}
