
/*
 * A board's writes, and how they survive the death of who makes them.
 *
 * What a write will do is found out by reading alone: that may be done before
 * the lock is taken, and holds if the board's "seq" is still the same then.
 * With the lock,
 *
 *   1. the intent is filled with all of the row, then its "op" set;
 *   2. "seq" becomes odd, and so do the leaves that are going to change;
 *   3. the row is stored, then what is derived: index, free rows, tree;
 *   4. the leaves are even again, then "seq", and the intent is cleared.
 *
 * Whoever takes the lock from a dead owner stores the row of the intent once
 * more, and builds all that is derived anew from the rows, which he in turn
 * may leave half done: the intent stands until the end.
 */

#include "trove_alloc.h"
#include "trove_board_tree.h"
#include "trove_credits.h"
#include "trove_dirty.h"


typedef struct {
    trove_ledger_t             *l;
    trove_board_t              *b;
    const trove_board_conf_t   *conf;
    uint32_t                    board;
    const trove_board_write_t  *q;
    uint32_t                    tag;
    uint32_t                    claim;  /* that is added, plus one           */
    uint32_t                    player; /* its player's number, plus one     */

    /* what will be done, found out when the board's seq was this one */

    uint64_t                    seq;
    uint32_t                    table;
    trove_board_table_t        *t;
    trove_board_tree_t          tree;
    uint32_t                    row;    /* TROVE_LEDGER_NONE: a new one      */
    uint32_t                    cell;
    uint32_t                    free;   /* the table's, if it is a new one   */
    trove_board_words_t         head;   /* afterwards                        */
    trove_board_result_t        result;
    int                         moves;  /* in the order                      */
    int                         renews; /* data, or all of the row           */
    int                         stores;
    trove_board_key_t           was;
    trove_board_key_t           key;
    trove_board_path_t          from;
    trove_board_path_t          to;

    /* what most likely will be, by which memory is fetched */

    const trove_board_table_t  *fetched;
    int64_t                     was_guess;
    int64_t                     key_guess;
    int                         from_guessed;
    int                         to_guessed;
} trove_board_plan_t;


static void trove_board_plan_init(trove_board_plan_t *w, trove_ledger_t *l,
    uint32_t board, const trove_board_write_t *q);
static trove_rc_t trove_board_write_some(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written,
    trove_rc_t *rc, uint32_t n);
static trove_rc_t trove_board_valid(const trove_board_conf_t *conf,
    const trove_board_write_t *q);
static void trove_board_fetch_cell(trove_board_plan_t *w);
static void trove_board_fetch_row(trove_board_plan_t *w);
static void trove_board_fetch_to(trove_board_plan_t *w, int64_t score);
static trove_rc_t trove_board_plan_locked(trove_board_plan_t *w);
static trove_rc_t trove_board_plan(trove_board_plan_t *w);
static trove_rc_t trove_board_plan_table(trove_board_plan_t *w);
static int trove_board_reach(trove_board_plan_t *w,
    const trove_board_key_t *key, trove_board_path_t *path, int guessed);
static trove_board_table_t *trove_board_credit_table(trove_board_t *b,
    uint32_t reset, uint64_t at, uint64_t *period);
static void trove_board_judge(trove_board_plan_t *w,
    const trove_board_words_t *old);
static int trove_board_keeps(const trove_board_plan_t *w, int64_t was,
    int64_t *score);
static trove_rc_t trove_board_plan_row(trove_board_plan_t *w);
static uint32_t trove_board_rank(const trove_board_plan_t *w);
static void trove_board_apply(trove_board_plan_t *w,
    trove_board_written_t *written);
static void trove_board_intend(trove_board_plan_t *w);
static void trove_board_apply_index(trove_board_plan_t *w);
static void trove_board_apply_order(trove_board_plan_t *w);
static void trove_board_note(trove_board_t *b, trove_board_op_t op);
static void trove_board_begin(trove_board_t *b);
static void trove_board_end(trove_board_t *b);
static void trove_board_store(trove_ledger_t *l, uint32_t board, uint32_t op);
static void trove_board_turn(trove_ledger_t *l, uint32_t board,
    uint64_t period);
static void trove_board_empty(trove_ledger_t *l, uint32_t board,
    uint32_t table);
static int trove_board_untie(trove_ledger_t *l, uint32_t board,
    uint32_t table, trove_board_item_t *items, uint32_t n);
static uint32_t trove_board_rebuild_rows(trove_ledger_t *l, uint32_t board,
    trove_board_tree_t *tree, trove_board_item_t *items);
static int trove_board_rebuild_row(trove_ledger_t *l, uint32_t board,
    trove_board_tree_t *tree, uint32_t row, trove_board_item_t *item);
static void trove_board_apply_removal(trove_board_plan_t *w);
static int trove_board_credible(const trove_ledger_t *l, uint32_t board);
static void trove_board_recover(trove_ledger_t *l, uint32_t board,
    uint32_t op);
static void trove_board_close_hole(trove_ledger_t *l, uint32_t board,
    uint32_t table, uint32_t hole);


static inline char *
trove_board_intent_row(const trove_ledger_t *l, uint32_t board)
{
    return (char *) l + trove_board_of(l, board)->at.intent_at;
}


trove_rc_t
trove_board_lock(trove_ledger_t *l, uint32_t board)
{
    uint32_t        op;
    trove_board_t  *b;

    b = trove_board_of(l, board);

    if (trove_lock_take(&b->lock) != TROVE_OK) {
        return TROVE_BUSY;
    }

    op = trove_acquire(&b->intent.op);

    if (trove_likely(op == TROVE_BOARD_IDLE)) {
        return TROVE_OK;
    }

    if (!trove_board_credible(l, board)) {
        trove_lock_release(&b->lock);
        return TROVE_BUSY;
    }

    trove_board_recover(l, board, op);

    return TROVE_OK;
}


void
trove_board_unlock(trove_ledger_t *l, uint32_t board)
{
    trove_lock_release(&trove_board_of(l, board)->lock);
}


/* An intent in memory that came from elsewhere must not lead out of it. */

static int
trove_board_credible(const trove_ledger_t *l, uint32_t board)
{
    const trove_board_t         *b;
    const trove_board_conf_t    *conf;
    const trove_board_intent_t  *in;

    b = trove_board_of(l, board);
    in = &b->intent;
    conf = trove_board_conf(l, board);

    return trove_get(&in->op) <= TROVE_BOARD_TURN
           && in->table < b->at.tables
           && in->row < conf->rows
           && in->used <= conf->rows
           && in->bytes <= conf->row - sizeof(uint64_t)
           && in->player <= l->at.conf.players;
}


static void
trove_board_recover(trove_ledger_t *l, uint32_t board, uint32_t op)
{
    trove_board_t  *b;

    b = trove_board_of(l, board);

    trove_board_begin(b);

    trove_board_store(l, board, op);
    trove_board_rebuild(l, board, b->intent.table);

    trove_board_end(b);
}


trove_rc_t
trove_board_write(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written)
{
    trove_rc_t          rc;
    trove_board_plan_t  w;

    rc = trove_board_valid(trove_board_conf(l, board), q);

    if (rc != TROVE_OK) {
        return rc;
    }

    trove_board_plan_init(&w, l, board, q);
    trove_board_fetch_cell(&w);
    trove_board_fetch_row(&w);

    w.seq = trove_acquire(&w.b->seq);
    rc = trove_board_plan(&w);

    TROVE_FAULT_MEET("board: planned");

    if (trove_board_lock(l, board) != TROVE_OK) {
        return TROVE_BUSY;
    }

    if ((w.seq & 1) != 0 || trove_get(&w.b->seq) != w.seq
        || rc == TROVE_AGAIN)
    {
        rc = trove_board_plan_locked(&w);
    }

    if (rc == TROVE_OK) {
        trove_board_apply(&w, written);
    }

    trove_board_unlock(l, board);

    return rc;
}


void
trove_board_write_all(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written,
    trove_rc_t *rc, uint32_t n)
{
    uint32_t  some;

    for ( /* void */ ; n != 0; n -= some) {
        some = (n < TROVE_FETCH) ? n : TROVE_FETCH;

        if (trove_board_write_some(l, board, q, written, rc, some)
            != TROVE_OK)
        {
            break;
        }

        q += some;
        written += some;
        rc += some;
    }

    /* the lock may be had again, but these are behind others */

    for ( /* void */ ; n != 0; n--) {
        *rc++ = TROVE_BUSY;
    }
}


/* TROVE_OK, or TROVE_BUSY: nothing was done. */

static trove_rc_t
trove_board_write_some(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written,
    trove_rc_t *rc, uint32_t n)
{
    uint32_t            i;
    trove_rc_t          lock;
    trove_board_plan_t  w[TROVE_FETCH];

    for (i = 0; i < n; i++) {
        rc[i] = trove_board_valid(trove_board_conf(l, board), &q[i]);

        if (rc[i] == TROVE_OK) {
            trove_board_plan_init(&w[i], l, board, &q[i]);
            trove_board_fetch_cell(&w[i]);
        }
    }

    for (i = 0; i < n; i++) {

        if (rc[i] == TROVE_OK) {
            trove_board_fetch_row(&w[i]);
        }
    }

    lock = trove_board_lock(l, board);

    for (i = 0; i < n; i++) {

        if (rc[i] == TROVE_OK) {
            rc[i] = (lock == TROVE_OK) ? trove_board_plan_locked(&w[i])
                                       : TROVE_BUSY;
        }

        if (rc[i] == TROVE_OK) {
            trove_board_apply(&w[i], &written[i]);
        }
    }

    if (lock == TROVE_OK) {
        trove_board_unlock(l, board);
    }

    return lock;
}


static trove_rc_t
trove_board_valid(const trove_board_conf_t *conf,
    const trove_board_write_t *q)
{
    return (conf->claims
            || q->player.len == 0
            || q->player.len > TROVE_PLAYER_MAX
            || q->score > TROVE_BOARD_SCORE_MAX
            || q->score < -TROVE_BOARD_SCORE_MAX
            || (q->has_data && q->data.len > conf->row - TROVE_BOARD_HEAD))
           ? TROVE_INVALID : TROVE_OK;
}


static void
trove_board_plan_init(trove_board_plan_t *w, trove_ledger_t *l,
    uint32_t board, const trove_board_write_t *q)
{
    w->l = l;
    w->b = trove_board_of(l, board);
    w->conf = trove_board_conf(l, board);
    w->board = board;
    w->q = q;
    w->tag = (uint32_t) (trove_player_hash(l, &q->player) >> 32);
    w->table = trove_get(&w->b->period) % w->b->at.tables;
    w->claim = 0;
    w->player = 0;
    w->fetched = NULL;
    w->from_guessed = 0;
    w->to_guessed = 0;
}


/* Of what a score is added to, the new one is not known yet. */

static void
trove_board_fetch_cell(trove_board_plan_t *w)
{
    w->fetched = &w->b->table[w->table];

    __builtin_prefetch(&trove_board_cells(w->l, w->board, w->table)
                            [trove_board_home(w->b, w->tag)], 1);

    trove_board_tree(w->l, w->board, w->table, &w->tree);

    if (w->conf->keep != TROVE_BOARD_SUM) {
        trove_board_fetch_to(w, w->q->score);
    }
}


static void
trove_board_fetch_row(trove_board_plan_t *w)
{
    size_t                     i;
    uint32_t                   row;
    int64_t                    score;
    const char                *line;
    trove_board_key_t          key;
    const trove_board_cell_t  *cell;

    score = w->q->score;
    cell = trove_board_likely(w->l, w->board, w->table, w->tag);

    if (cell != NULL) {
        row = (uint32_t) trove_get(&cell->link) - 1;
        w->was_guess = trove_get(&cell->key);

        if (row < w->conf->rows) {
            line = (const char *) trove_board_line(w->l, w->board, w->table,
                                                   row);

            for (i = 0; i < w->conf->row && i < 4 * TROVE_CACHE_LINE;
                 i += TROVE_CACHE_LINE)
            {
                __builtin_prefetch(line + i, 1);
            }
        }

        key.key = w->was_guess;
        key.reached = 0;
        w->from_guessed = trove_board_tree_descend(&w->tree, &key, &w->from);

        if (w->from_guessed) {
            trove_board_tree_fetch(&w->tree, &w->from);
        }

        score += (w->conf->order == TROVE_BOARD_DESC) ? -w->was_guess
                                                      : w->was_guess;
    }

    if (w->conf->keep == TROVE_BOARD_SUM) {
        trove_board_fetch_to(w, score);
    }
}


static void
trove_board_fetch_to(trove_board_plan_t *w, int64_t score)
{
    trove_board_key_t  key;

    key.key = (w->conf->order == TROVE_BOARD_DESC) ? -score : score;
    key.reached = UINT64_MAX;
    w->key_guess = key.key;
    w->to_guessed = trove_board_tree_descend(&w->tree, &key, &w->to);

    if (w->to_guessed) {
        trove_board_tree_fetch(&w->tree, &w->to);
    }
}


/* Where the key is, by a guess if that is still good. */

static int
trove_board_reach(trove_board_plan_t *w, const trove_board_key_t *key,
    trove_board_path_t *path, int guessed)
{
    if (guessed && !path->tied && w->fetched == w->t
        && trove_board_tree_leads(&w->tree, path))
    {
        return trove_board_tree_place(&w->tree, key, path);
    }

    return trove_board_tree_find(&w->tree, key, path);
}


static trove_rc_t
trove_board_plan_locked(trove_board_plan_t *w)
{
    trove_rc_t  rc;

    w->seq = trove_get(&w->b->seq);
    rc = trove_board_plan(w);

    if (rc == TROVE_AGAIN) {
        trove_board_turn(w->l, w->board,
                         trove_board_period(w->conf->reset, w->q->now));
        w->seq = trove_get(&w->b->seq);
        rc = trove_board_plan(w);
    }

    return rc;
}


/* TROVE_OK; TROVE_FULL; TROVE_AGAIN: its period has not begun yet. */

static trove_rc_t
trove_board_plan(trove_board_plan_t *w)
{
    uint64_t  period;

    w->t = trove_board_table(w->b, w->conf->reset, 0, w->q->now, &period);

    return (w->t == NULL) ? TROVE_AGAIN : trove_board_plan_table(w);
}


static trove_rc_t
trove_board_plan_table(trove_board_plan_t *w)
{
    trove_board_words_t  old;

    w->table = (uint32_t) (w->t - w->b->table);
    trove_board_tree(w->l, w->board, w->table, &w->tree);

    w->row = trove_board_probe(w->l, w->board, w->table, &w->q->player,
                               w->tag, &w->cell);

    if (w->row == TROVE_LEDGER_NONE) {
        memset(&old, 0, sizeof(old));

    } else {
        trove_board_head(trove_board_line(w->l, w->board, w->table, w->row),
                         &old);
    }

    trove_board_judge(w, &old);

    w->was = trove_board_key(w->conf, &old);
    w->key = trove_board_key(w->conf, &w->head);

    return trove_board_plan_row(w);
}


/* As with a claim: its period may have become the one before. */

static trove_board_table_t *
trove_board_credit_table(trove_board_t *b, uint32_t reset, uint64_t at,
    uint64_t *period)
{
    uint64_t  begun;

    *period = trove_board_period(reset, at);
    begun = trove_get(&b->period);

    return (*period + 1 >= begun) ? &b->table[*period % b->at.tables] : NULL;
}


int
trove_board_room(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now)
{
    uint32_t                    tag, cell;
    uint64_t                    period;
    trove_board_t              *b;
    trove_board_table_t        *t;
    const trove_board_conf_t   *conf;

    b = trove_board_of(l, board);
    conf = trove_board_conf(l, board);
    t = trove_board_credit_table(b, conf->reset, now, &period);

    if (t == NULL || trove_get(&t->period) != period) {
        return 1;
    }

    tag = (uint32_t) (trove_player_hash(l, player) >> 32);

    return t->free != 0
           || trove_get(&t->used) < conf->rows
           || trove_board_probe(l, board, (uint32_t) (t - b->table), player,
                                tag, &cell) != TROVE_LEDGER_NONE;
}


void
trove_board_credit(trove_ledger_t *l, uint32_t board, uint32_t claim)
{
    uint64_t                 period;
    trove_board_plan_t       w;
    trove_board_write_t      q;
    const trove_name_t      *name;
    trove_claim_row_t       *c;
    trove_board_written_t    written;

    c = trove_ledger_claim(l, claim);
    name = trove_ledger_name(l, c->player);

    memset(&q, 0, sizeof(q));
    q.player.data = name->id;
    q.player.len = name->len;
    q.score = c->value;
    q.now = trove_get(&c->at) >> 1;

    trove_board_plan_init(&w, l, board, &q);
    w.claim = claim + 1;
    w.player = c->player + 1;
    w.t = trove_board_credit_table(w.b, w.conf->reset, q.now, &period);

    if (w.t == NULL) {
        return;
    }

    if (trove_get(&w.t->period) != period) {
        trove_board_turn(l, board, period);
    }

    if (trove_board_plan_table(&w) == TROVE_OK) {
        trove_board_apply(&w, &written);
    }
}


/* What the row is to be like. */

static void
trove_board_judge(trove_board_plan_t *w, const trove_board_words_t *old)
{
    int                         found;
    uint64_t                    reached;
    const trove_board_write_t  *q;

    q = w->q;
    w->head = *old;
    w->moves = 0;
    w->renews = 0;
    w->stores = 0;

    found = (w->row != TROVE_LEDGER_NONE);

    if (found && q->seq != 0 && q->seq <= old->seq) {
        w->result = (q->seq == old->seq) ? TROVE_BOARD_REPEAT
                                         : TROVE_BOARD_STALE;
        return;
    }

    if (found && w->claim != 0 && w->claim == old->claim) {
        w->result = TROVE_BOARD_REPEAT;
        return;
    }

    w->head.score = q->score;

    if (w->claim != 0) {
        w->head.claim = w->claim;
        w->head.player = w->player;
    }

    if (found && !trove_board_keeps(w, old->score, &w->head.score)) {
        w->result = TROVE_BOARD_OVERFLOW;
        return;
    }

    w->moves = !found || w->head.score != old->score;
    w->result = w->moves ? TROVE_BOARD_IMPROVED : TROVE_BOARD_KEPT;

    w->renews = !found || (q->has_data
                           && (w->moves || w->conf->keep >= TROVE_BOARD_LAST));
    w->stores = w->moves || w->renews || q->seq != 0 || w->claim != 0;

    if (q->seq != 0) {
        w->head.seq = q->seq;
    }

    if (q->has_data && w->renews) {
        w->head.data_len = (uint16_t) q->data.len;
    }

    if (w->moves) {
        reached = trove_get(&w->b->reached) + 1;
        w->head.reached = (q->now << 20 > reached) ? q->now << 20 : reached;
    }

    if (!found) {
        w->head.tag = w->tag;
        w->head.len = (uint16_t) q->player.len;
        memcpy(w->head.id, q->player.data, q->player.len);
    }
}


/* The score that comes of both; not if the sum is out of range. */

static int
trove_board_keeps(const trove_board_plan_t *w, int64_t was, int64_t *score)
{
    switch (w->conf->keep) {

    case TROVE_BOARD_MAX:
        *score = (*score > was) ? *score : was;
        return 1;

    case TROVE_BOARD_MIN:
        *score = (*score < was) ? *score : was;
        return 1;

    case TROVE_BOARD_SUM:
        *score += was;

        if (*score <= TROVE_BOARD_SCORE_MAX
            && *score >= -TROVE_BOARD_SCORE_MAX)
        {
            return 1;
        }

        /* a claim is granted all the same, as far as there are scores */

        if (w->claim != 0) {
            *score = (*score > 0) ? TROVE_BOARD_SCORE_MAX
                                  : -TROVE_BOARD_SCORE_MAX;
            return 1;
        }

        *score = was;
        return 0;

    default:
        return 1;
    }
}


/* Where the row is in the order, and will be. */

static trove_rc_t
trove_board_plan_row(trove_board_plan_t *w)
{
    if (w->row == TROVE_LEDGER_NONE
        && w->t->free == 0 && trove_get(&w->t->used) >= w->conf->rows)
    {
        return TROVE_FULL;
    }

    if (w->row != TROVE_LEDGER_NONE
        && (!trove_board_reach(w, &w->was, &w->from,
                               w->from_guessed
                               && w->was_guess == w->was.key)
            || w->from.at >= TROVE_BOARD_LEAF
            || w->tree.leaf[w->from.leaf].row[w->from.at] != w->row))
    {
        return TROVE_BUSY;
    }

    if (w->moves
        && !trove_board_reach(w, &w->key, &w->to,
                              w->to_guessed && w->key_guess == w->key.key))
    {
        return TROVE_BUSY;
    }

    return TROVE_OK;
}


/* Before it is applied. */

static uint32_t
trove_board_rank(const trove_board_plan_t *w)
{
    uint32_t                   rank;
    trove_board_key_t          best;
    trove_board_path_t         path;
    const trove_board_path_t  *p;

    p = w->moves ? &w->to : &w->from;
    best = w->moves ? w->key : w->was;
    rank = p->before + p->at + 1;

    if (w->conf->ties == TROVE_BOARD_SHARED
        && rank > 1
        && (p->at == 0
            || w->tree.leaf[p->leaf].key[p->at - 1] == best.key))
    {
        best.reached = 0;

        if (trove_board_tree_find(&w->tree, &best, &path)) {
            rank = path.before + path.at + 1;
        }
    }

    /* its own old place is no longer before it */

    if (w->moves && w->row != TROVE_LEDGER_NONE
        && trove_board_less(&w->was, &best))
    {
        rank--;
    }

    return rank;
}


static void
trove_board_apply(trove_board_plan_t *w, trove_board_written_t *written)
{
    trove_board_t  *b;

    written->result = w->result;
    written->score = w->head.score;
    written->rank = trove_board_rank(w);

    if (!w->stores) {
        return;
    }

    b = w->b;

    trove_board_intend(w);
    trove_board_note(b, TROVE_BOARD_PUT);
    trove_board_begin(b);

    if (w->row != TROVE_LEDGER_NONE && (w->moves || w->renews)) {
        trove_board_tree_touch(&w->tree, w->from.leaf);
    }

    if (w->moves) {
        trove_board_tree_touch(&w->tree, w->to.leaf);
    }

    trove_board_store(w->l, w->board, TROVE_BOARD_PUT);

    if (w->row == TROVE_LEDGER_NONE) {
        trove_board_apply_index(w);
    }

    if (w->moves) {
        trove_board_apply_order(w);
    }

    trove_board_tree_let_go(&w->tree);
    trove_board_end(b);
}


static void
trove_board_intend(trove_board_plan_t *w)
{
    char                  *row;
    uint32_t               free;
    trove_board_words_t    head;
    trove_board_intent_t  *in;

    in = &w->b->intent;
    free = w->t->free;

    in->table = w->table;
    in->row = w->row;
    in->used = trove_get(&w->t->used);
    in->reached = w->head.reached;
    in->player = w->player;

    if (w->row != TROVE_LEDGER_NONE) {
        /* void */

    } else if (free != 0) {
        in->row = free - 1;
        trove_board_head(trove_board_line(w->l, w->board, w->table, in->row),
                         &head);
        w->free = head.claim;

    } else {
        in->row = in->used++;
        w->free = 0;
    }

    row = trove_board_intent_row(w->l, w->board);

    if (!w->renews) {
        in->bytes = TROVE_BOARD_WORDS * 8;
        memcpy(row, &w->head, TROVE_BOARD_WORDS * 8);
        return;
    }

    in->bytes = (uint32_t) sizeof(w->head) + w->head.data_len;
    memcpy(row, &w->head, sizeof(w->head));

    if (w->q->has_data) {
        memcpy(row + sizeof(w->head), w->q->data.data, w->q->data.len);
    }
}


/* Of a row that is new. */

static void
trove_board_apply_index(trove_board_plan_t *w)
{
    trove_board_table_t  *t;

    t = w->t;

    t->free = w->free;
    trove_set(&t->live, trove_get(&t->live) + 1);
    TROVE_FAULT("board: counted");

    trove_release(&trove_board_cells(w->l, w->board, w->table)[w->cell].link,
                  (uint64_t) w->tag << 32 | (w->b->intent.row + 1));
    TROVE_FAULT("board: indexed");
}


/* The new place may be another one once the old one is left. */

static void
trove_board_apply_order(trove_board_plan_t *w)
{
    if (!trove_board_tree_room(&w->tree, &w->to)) {
        trove_board_rebuild(w->l, w->board, w->table);
        return;
    }

    if (w->row != TROVE_LEDGER_NONE) {

        if (!trove_board_tree_remove(&w->tree, &w->from)) {
            (void) trove_board_tree_find(&w->tree, &w->key, &w->to);

        } else if (w->from.leaf == w->to.leaf && w->from.at < w->to.at) {
            w->to.at--;
        }
    }

    trove_board_tree_add(&w->tree, &w->to, &w->key, w->b->intent.row);

    trove_set(&trove_board_cells(w->l, w->board, w->table)[w->cell].key,
              w->key.key);
    TROVE_FAULT("board: key");
}


static void
trove_board_note(trove_board_t *b, trove_board_op_t op)
{
    TROVE_FAULT("board: decided");

    trove_release(&b->intent.op, op);

    /* no store of what is intended before the intent stands */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("board: noted");
}


/* Of a dead writer it is odd already. */

static void
trove_board_begin(trove_board_t *b)
{
    trove_set(&b->seq, trove_get(&b->seq) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("board: begun");
}


static void
trove_board_end(trove_board_t *b)
{
    trove_release(&b->seq, trove_get(&b->seq) + 1);
    TROVE_FAULT("board: ended");

    trove_release(&b->intent.op, TROVE_BOARD_IDLE);

    /* nor is the next intent begun before this one is gone */

    atomic_thread_fence(memory_order_acq_rel);

    TROVE_FAULT("board: forgotten");
}


/* All of the intent that is not derived; may be done again. */

static void
trove_board_store(trove_ledger_t *l, uint32_t board, uint32_t op)
{
    trove_board_t         *b;
    trove_board_line_t    *line;
    trove_board_table_t   *t;
    trove_board_intent_t  *in;

    b = trove_board_of(l, board);
    in = &b->intent;
    t = &b->table[in->table];

    if (op == TROVE_BOARD_TURN) {
        trove_set(&t->built, trove_get(&t->built) | 1);
        atomic_thread_fence(memory_order_release);
        TROVE_FAULT("board: turning");

        trove_set(&t->used, 0);
        TROVE_FAULT("board: rows gone");

        trove_release(&t->period, in->period);
        TROVE_FAULT("board: table turned");

        if (in->period > trove_get(&b->period)) {
            trove_release(&b->period, in->period);
            TROVE_FAULT("board: turned");
        }

        return;
    }

    line = trove_board_line(l, board, in->table, in->row);

    trove_set(&line->state, trove_get(&line->state) | 1);
    atomic_thread_fence(memory_order_release);
    TROVE_FAULT("board: row marked");

    memcpy((void *) line->words, trove_board_intent_row(l, board), in->bytes);
    TROVE_FAULT("board: row stored");

    if (in->player != 0) {
        trove_dirty_set(l, TROVE_DIRTY_PLAYERS, in->player - 1);

    } else if (!trove_board_conf(l, board)->claims) {
        trove_dirty_set(l, trove_dirty_board(board, in->table), in->row);
    }

    trove_release(&line->state, trove_get(&line->state) + 1);
    TROVE_FAULT("board: row written");

    trove_release(&t->used, in->used);
    TROVE_FAULT("board: used");

    if (in->reached > trove_get(&b->reached)) {
        trove_set(&b->reached, in->reached);
        TROVE_FAULT("board: reached");
    }
}


/*
 * The other table is that of the period before only if it says so itself.
 */

static void
trove_board_turn(trove_ledger_t *l, uint32_t board, uint64_t period)
{
    trove_board_t         *b;
    trove_board_intent_t  *in;

    b = trove_board_of(l, board);
    in = &b->intent;

    in->table = (uint32_t) (period % b->at.tables);
    in->row = 0;
    in->used = 0;
    in->bytes = 0;
    in->player = 0;
    in->period = period;
    in->reached = 0;

    trove_board_note(b, TROVE_BOARD_TURN);
    trove_board_begin(b);

    trove_board_store(l, board, TROVE_BOARD_TURN);
    trove_board_empty(l, board, in->table);

    trove_board_end(b);
}


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


static void
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


const trove_board_cell_t *
trove_board_likely(const trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t tag)
{
    uint32_t                   at, n;
    uint64_t                   link;
    const trove_board_t       *b;
    const trove_board_cell_t  *cells;

    b = trove_board_of(l, board);
    cells = trove_board_cells(l, board, table);
    at = trove_board_home(b, tag);

    for (n = 0; n < b->at.cells; n++) {
        link = trove_get(&cells[at].link);

        if (link == 0) {
            break;
        }

        if (link >> 32 == tag) {
            return &cells[at];
        }

        at = trove_board_next(b, at);
    }

    return NULL;
}


uint32_t
trove_board_probe(const trove_ledger_t *l, uint32_t board, uint32_t table,
    const trove_slice_t *id, uint32_t tag, uint32_t *cell)
{
    uint32_t               at, n, row;
    uint64_t               found;
    const trove_board_t   *b;
    trove_board_cell_t    *cells;
    trove_board_words_t    head;

    b = trove_board_of(l, board);
    cells = trove_board_cells(l, board, table);
    at = trove_board_home(b, tag);

    for (n = 0; n < b->at.cells; n++) {
        found = trove_acquire(&cells[at].link);

        if (found == 0) {
            break;
        }

        row = (uint32_t) found - 1;

        if (found >> 32 == tag && row < trove_board_conf(l, board)->rows) {
            trove_board_head(trove_board_line(l, board, table, row), &head);

            if (head.len == id->len
                && memcmp(head.id, id->data, id->len) == 0)
            {
                *cell = at;
                return row;
            }
        }

        at = trove_board_next(b, at);
    }

    *cell = at;

    return TROVE_LEDGER_NONE;
}


trove_rc_t
trove_board_remove(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now)
{
    trove_rc_t           rc;
    trove_board_plan_t   w;
    trove_board_write_t  q;

    if (player->len == 0 || player->len > TROVE_PLAYER_MAX) {
        return TROVE_NOTFOUND;
    }

    memset(&q, 0, sizeof(q));
    q.player = *player;
    q.now = now;

    trove_board_plan_init(&w, l, board, &q);

    rc = w.conf->claims ? trove_credits_lock_one(l, board)
                        : trove_board_lock(l, board);

    if (rc != TROVE_OK) {
        return TROVE_BUSY;
    }

    rc = trove_board_plan(&w);

    if (rc == TROVE_AGAIN || rc == TROVE_FULL
        || (rc == TROVE_OK && w.row == TROVE_LEDGER_NONE))
    {
        rc = TROVE_NOTFOUND;
    }

    if (rc == TROVE_OK) {
        trove_board_apply_removal(&w);
    }

    trove_board_unlock(l, board);

    return rc;
}


static void
trove_board_apply_removal(trove_board_plan_t *w)
{
    trove_board_words_t    head;
    trove_board_intent_t  *in;

    in = &w->b->intent;

    in->table = w->table;
    in->row = w->row;
    in->used = trove_get(&w->t->used);
    in->bytes = sizeof(head);
    in->reached = 0;
    in->player = w->conf->claims ? w->head.player : 0;

    memset(&head, 0, sizeof(head));
    head.claim = w->t->free;
    memcpy(trove_board_intent_row(w->l, w->board), &head, sizeof(head));

    trove_board_note(w->b, TROVE_BOARD_REMOVE);
    trove_board_begin(w->b);
    trove_board_tree_touch(&w->tree, w->from.leaf);

    trove_board_store(w->l, w->board, TROVE_BOARD_REMOVE);

    w->t->free = w->row + 1;
    trove_set(&w->t->live, trove_get(&w->t->live) - 1);
    TROVE_FAULT("board: row freed");

    trove_board_close_hole(w->l, w->board, w->table, w->cell);

    (void) trove_board_tree_remove(&w->tree, &w->from);

    trove_board_tree_let_go(&w->tree);
    trove_board_end(w->b);
}


/*
 * Empties the hole by moving into it the next cell that may stand there, which
 * leaves another hole, until none may: that is one whose home does not lie
 * behind the hole, cyclically in hole + 1 .. at.
 */

static void
trove_board_close_hole(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t hole)
{
    uint32_t              at, home;
    uint64_t              link;
    const trove_board_t  *b;
    trove_board_cell_t   *cells;

    b = trove_board_of(l, board);
    cells = trove_board_cells(l, board, table);
    at = hole;

    for ( ;; ) {
        at = trove_board_next(b, at);
        link = trove_get(&cells[at].link);

        if (link == 0) {
            break;
        }

        home = trove_board_home(b, (uint32_t) (link >> 32));

        if ((hole < at) ? (home > hole && home <= at)
                        : (home > hole || home <= at))
        {
            continue;
        }

        trove_set(&cells[hole].key, trove_get(&cells[at].key));
        trove_set(&cells[hole].link, link);
        TROVE_FAULT("board: cell moved");

        hole = at;
    }

    trove_set(&cells[hole].link, 0);
    TROVE_FAULT("board: hole closed");
}
