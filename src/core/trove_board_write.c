
/*
 * A board's writes.
 *
 * What a write will do is found out by reading alone: that may be done before
 * the lock is taken, and holds if the board's "seq" is still the same then.
 * With the lock it is made as trove_board_intent.h says: the row is stored,
 * then what is derived of it, index, free rows, tree.
 */

#include "trove_board_intent.h"
#include "trove_board_tree.h"
#include "trove_credits.h"


typedef struct {
    trove_ledger_t             *l;
    trove_board_t              *b;
    const trove_board_conf_t   *conf;
    uint32_t                    board;
    const trove_board_write_t  *q;
    uint32_t                    tag;
    uint32_t                    claim;  /* that is added, plus one           */
    uint32_t                    player; /* its player's number, plus one     */
    uint64_t                    mark;   /* see trove_mark.h                  */
    const trove_board_row_t    *told;   /* what it is to be, if that is told */

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
static void trove_board_plan_before(trove_board_plan_t *w,
    trove_board_words_t *old);
static int trove_board_reach(trove_board_plan_t *w,
    const trove_board_key_t *key, trove_board_path_t *path, int guessed);
static int trove_board_plan_from(trove_board_plan_t *w);
static int trove_board_plan_to(trove_board_plan_t *w);
static int trove_board_place_to(trove_board_plan_t *w);
static trove_board_table_t *trove_board_credit_table(trove_board_t *b,
    uint32_t reset, uint64_t at, uint64_t *period);
static int trove_board_occupied(const trove_board_plan_t *w);
static void trove_board_judge(trove_board_plan_t *w,
    const trove_board_words_t *old);
static void trove_board_judge_told(trove_board_plan_t *w,
    const trove_board_words_t *old);
static void trove_board_name(trove_board_plan_t *w);
static int trove_board_keeps(const trove_board_plan_t *w, int64_t was,
    int64_t *score);
static trove_rc_t trove_board_plan_row(trove_board_plan_t *w);
static void trove_board_tell(const trove_board_plan_t *w,
    trove_board_written_t *written);
static uint32_t trove_board_rank(const trove_board_plan_t *w);
static void trove_board_apply(trove_board_plan_t *w);
static void trove_board_intend(trove_board_plan_t *w);
static void trove_board_apply_index(trove_board_plan_t *w);
static void trove_board_apply_order(trove_board_plan_t *w);
static void trove_board_apply_removal(trove_board_plan_t *w);


trove_rc_t
trove_board_write(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written)
{
    return trove_board_write_marked(l, board, q, 0, written);
}


trove_rc_t
trove_board_write_marked(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, uint64_t mark,
    trove_board_written_t *written)
{
    trove_rc_t          rc;
    trove_board_plan_t  w;

    rc = trove_board_valid(trove_board_conf(l, board), q);

    if (rc != TROVE_OK) {
        return rc;
    }

    trove_board_plan_init(&w, l, board, q);
    w.mark = mark;
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
        trove_board_tell(&w, written);
        trove_board_apply(&w);
    }

    trove_board_unlock(l, board);

    return rc;
}


void
trove_board_write_all(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written,
    trove_rc_t *rc, uint32_t n)
{
    uint32_t    some;
    trove_rc_t  done;

    done = TROVE_OK;

    for ( /* void */ ; n != 0 && done == TROVE_OK; n -= some) {
        some = (n < TROVE_FETCH) ? n : TROVE_FETCH;
        done = trove_board_write_some(l, board, q, written, rc, some);

        q += some;
        written += some;
        rc += some;
    }

    /* the lock may be had again, but these are behind others */

    for ( /* void */ ; n != 0; n--) {
        *rc++ = TROVE_BUSY;
    }
}


/* TROVE_OK, or TROVE_BUSY: not all was done. */

static trove_rc_t
trove_board_write_some(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, trove_board_written_t *written,
    trove_rc_t *rc, uint32_t n)
{
    uint32_t            i;
    trove_rc_t          lock, done;
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
    done = lock;

    for (i = 0; i < n; i++) {

        if (rc[i] == TROVE_OK) {
            rc[i] = (done == TROVE_OK) ? trove_board_plan_locked(&w[i])
                                       : TROVE_BUSY;
        }

        if (rc[i] == TROVE_OK) {
            trove_board_tell(&w[i], &written[i]);
            trove_board_apply(&w[i]);

        } else if (rc[i] == TROVE_BUSY) {
            done = TROVE_BUSY;
        }
    }

    if (lock == TROVE_OK) {
        trove_board_unlock(l, board);
    }

    return done;
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
    w->mark = 0;
    w->told = NULL;
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


/* Which leaf the key is in, by a guess if that is still good. */

static int
trove_board_reach(trove_board_plan_t *w, const trove_board_key_t *key,
    trove_board_path_t *path, int guessed)
{
    return (guessed && w->fetched == w->t
            && trove_board_tree_leads(&w->tree, path))
           || trove_board_tree_descend(&w->tree, key, path);
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

        if (w->b->at.tables == 2 && w->claim == 0 && w->told == NULL) {
            trove_board_plan_before(w, &old);
        }

    } else {
        trove_board_head(trove_board_line(w->l, w->board, w->table, w->row),
                         &old);
    }

    trove_board_judge(w, &old);

    w->was = trove_board_key(w->conf, &old);
    w->key = trove_board_key(w->conf, &w->head);

    return trove_board_plan_row(w);
}


/*
 * What was sent in the period before and is sent again must not count in both:
 * it is of that one, and of what is new its seq is the last.
 */

static void
trove_board_plan_before(trove_board_plan_t *w, trove_board_words_t *old)
{
    uint32_t              row, cell, table;
    trove_board_words_t   before;
    trove_board_table_t  *t;

    table = 1 - w->table;
    t = &w->b->table[table];

    if (trove_get(&t->period) + 1 != trove_get(&w->t->period)) {
        return;
    }

    row = trove_board_probe(w->l, w->board, table, &w->q->player, w->tag,
                            &cell);

    if (row == TROVE_LEDGER_NONE) {
        return;
    }

    trove_board_head(trove_board_line(w->l, w->board, table, row), &before);

    if (w->q->seq == 0 || w->q->seq > before.seq) {
        old->seq = before.seq;
        return;
    }

    *old = before;
    w->table = table;
    w->t = t;
    w->row = row;
    w->cell = cell;
    trove_board_tree(w->l, w->board, table, &w->tree);
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
    uint64_t              period;
    trove_board_plan_t    w;
    trove_board_write_t   q;
    const trove_name_t   *name;
    trove_claim_row_t    *c;

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
        trove_board_apply(&w);
    }
}


trove_rc_t
trove_board_place(trove_ledger_t *l, uint32_t board,
    const trove_board_row_t *row, uint32_t player)
{
    uint64_t             period;
    trove_rc_t           rc;
    trove_board_plan_t   w;
    trove_board_write_t  q;

    memset(&q, 0, sizeof(q));
    q.player = row->player;
    q.data = row->data;
    q.has_data = (row->data.len != 0);

    trove_board_plan_init(&w, l, board, &q);
    w.player = player;
    w.told = row;
    w.t = &w.b->table[row->period % w.b->at.tables];

    period = trove_get(&w.t->period);

    if (period > row->period) {
        return TROVE_OK;
    }

    if (period < row->period) {
        trove_board_turn(l, board, row->period);
    }

    rc = trove_board_plan_table(&w);

    if (rc != TROVE_OK) {
        return rc;
    }

    if (w.moves && trove_board_occupied(&w)) {
        return TROVE_INVALID;
    }

    trove_board_apply(&w);

    return TROVE_OK;
}


/* By another row: no two have the same place in the order. */

static int
trove_board_occupied(const trove_board_plan_t *w)
{
    const trove_board_leaf_t  *leaf;

    leaf = &w->tree.leaf[w->to.leaf];

    return w->to.at < leaf->n
           && leaf->key[w->to.at] == w->key.key
           && trove_board_reached(&w->tree, leaf->row[w->to.at])
              == w->key.reached;
}


trove_rc_t
trove_board_displace(trove_ledger_t *l, uint32_t board, uint64_t period,
    uint64_t reached, const trove_slice_t *player)
{
    trove_rc_t           rc;
    trove_board_plan_t   w;
    trove_board_write_t  q;

    memset(&q, 0, sizeof(q));
    q.player = *player;

    trove_board_plan_init(&w, l, board, &q);
    w.t = &w.b->table[period % w.b->at.tables];

    if (trove_get(&w.t->period) != period) {
        return TROVE_OK;
    }

    rc = trove_board_plan_table(&w);

    if (rc == TROVE_BUSY) {
        return rc;
    }

    if (w.row != TROVE_LEDGER_NONE && w.was.reached < reached) {
        trove_board_apply_removal(&w);
    }

    return TROVE_OK;
}


/* The tables get the earliest periods that they can have. */

void
trove_board_reset(trove_ledger_t *l, uint32_t board)
{
    uint32_t              table;
    trove_board_t        *b;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);

    trove_release(&b->period, 0);
    TROVE_FAULT("replica: board reset");

    for (table = 0; table < b->at.tables; table++) {
        t = &b->table[table];

        if (trove_get(&t->used) != 0 || trove_get(&t->period) > table) {
            trove_board_turn(l, board, table);
        }
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

    if (w->told != NULL) {
        trove_board_judge_told(w, old);
        return;
    }

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
        trove_board_name(w);
    }
}


static void
trove_board_judge_told(trove_board_plan_t *w, const trove_board_words_t *old)
{
    const trove_board_row_t  *told;

    told = w->told;

    w->head.score = told->score;
    w->head.reached = told->reached;
    w->head.seq = told->seq;
    w->head.claim = 0;
    w->head.player = w->player;
    w->head.data_len = (uint16_t) told->data.len;

    w->moves = w->row == TROVE_LEDGER_NONE
               || told->score != old->score || told->reached != old->reached;
    w->renews = 1;
    w->stores = 1;
    w->result = TROVE_BOARD_IMPROVED;

    trove_board_name(w);
}


static void
trove_board_name(trove_board_plan_t *w)
{
    w->head.tag = w->tag;
    w->head.len = (uint16_t) w->q->player.len;
    memcpy(w->head.id, w->q->player.data, w->q->player.len);
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

    if ((w->row != TROVE_LEDGER_NONE && !trove_board_plan_from(w))
        || (w->moves && !trove_board_plan_to(w)))
    {
        return TROVE_BUSY;
    }

    return TROVE_OK;
}


/* The guess was made without knowing when the score was reached. */

static int
trove_board_plan_from(trove_board_plan_t *w)
{
    return trove_board_reach(w, &w->was, &w->from,
                             w->from_guessed && !w->from.tied
                             && w->was_guess == w->was.key)
           && trove_board_tree_place_row(&w->tree, w->row, &w->from);
}


static int
trove_board_plan_to(trove_board_plan_t *w)
{
    return trove_board_reach(w, &w->key, &w->to,
                             w->to_guessed && w->key_guess == w->key.key)
           && trove_board_place_to(w);
}


/* What is told may have been reached before others. */

static int
trove_board_place_to(trove_board_plan_t *w)
{
    return (w->told != NULL)
           ? trove_board_tree_place(&w->tree, &w->key, &w->to)
           : trove_board_tree_place_last(&w->tree, &w->key, &w->to);
}


/* Before it is applied. */

static void
trove_board_tell(const trove_board_plan_t *w, trove_board_written_t *written)
{
    written->result = w->result;
    written->score = w->head.score;
    written->ends = trove_board_begins(w->conf->reset,
                                       trove_get(&w->t->period) + 1);
    written->rank = trove_board_rank(w);
}


static uint32_t
trove_board_rank(const trove_board_plan_t *w)
{
    uint32_t                   rank;
    trove_board_key_t          best;
    trove_board_path_t         path;
    const trove_board_path_t  *p;

    p = w->moves ? &w->to : &w->from;
    best = w->moves ? w->key : w->was;
    rank = trove_board_tree_position(&w->tree, p) + 1;

    if (w->conf->ties == TROVE_BOARD_SHARED
        && rank > 1
        && (p->at == 0
            || w->tree.leaf[p->leaf].key[p->at - 1] == best.key))
    {
        best.reached = 0;

        if (trove_board_tree_find(&w->tree, &best, &path)) {
            rank = trove_board_tree_position(&w->tree, &path) + 1;
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
trove_board_apply(trove_board_plan_t *w)
{
    trove_board_t  *b;

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
    in->mark = w->mark;

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
            (void) (trove_board_tree_descend(&w->tree, &w->key, &w->to)
                    && trove_board_place_to(w));

        } else if (w->from.leaf == w->to.leaf && w->from.at < w->to.at) {
            w->to.at--;
        }
    }

    trove_board_tree_add(&w->tree, &w->to, &w->key, w->b->intent.row);

    trove_set(&trove_board_cells(w->l, w->board, w->table)[w->cell].key,
              w->key.key);
    TROVE_FAULT("board: key");
}


trove_rc_t
trove_board_remove(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now)
{
    return trove_board_remove_marked(l, board, player, now, 0);
}


trove_rc_t
trove_board_remove_marked(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now, uint64_t mark)
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
    w.mark = mark;

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
    in->mark = w->mark;

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
