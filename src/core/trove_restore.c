
/*
 * A ledger filled anew.
 */

#include "trove_board_data.h"
#include "trove_dirty.h"
#include "trove_restore.h"


#define TROVE_RESTORE_BATCH   1024


static void trove_restore_born(trove_ledger_t *l, uint32_t born);
static uint32_t trove_restore_ordinal(trove_ledger_t *l,
    const trove_restore_claim_t *c, uint32_t number);
static trove_rc_t trove_restore_period(trove_ledger_t *l, uint32_t board,
    uint64_t period);
static int trove_restore_latest(trove_ledger_t *l, uint32_t board,
    uint32_t table, uint32_t was, uint32_t number,
    const trove_board_row_t *row);
static void trove_restore_row(trove_ledger_t *l, uint32_t board,
    uint32_t number, const trove_board_row_t *row, uint32_t player);
static void trove_restore_boards(trove_ledger_t *l);
static void trove_restore_clean(trove_ledger_t *l, trove_dirty_t of);


/* The log is what it would be if all of them had changed the first slot. */

void
trove_restore_version(trove_ledger_t *l, uint64_t version)
{
    uint64_t  n, v;

    n = (version < l->at.log_size) ? version : l->at.log_size;

    for (v = version - n + 1; v <= version; v++) {
        trove_set(trove_ledger_log(l, v), v << 32);
    }

    trove_release(&l->version, version);
}


trove_rc_t
trove_restore_reward(trove_ledger_t *l, const trove_reward_t *r,
    uint32_t born)
{
    uint32_t             slot;
    uint64_t             version, word;
    trove_rc_t           rc;
    trove_reward_t       row;
    trove_ledger_row_t  *p;

    slot = trove_get(&l->used);

    rc = trove_ledger_put(l, r, &version);

    if (rc != TROVE_OK) {
        return rc;
    }

    /* one of this id was there already */

    if (trove_get(&l->used) == slot) {
        return TROVE_INVALID;
    }

    row = *r;
    row.taken = born;
    p = trove_ledger_rowp(l, slot);

    memcpy(&word, &row.stock, sizeof(word));
    trove_set(&p->words[TROVE_LEDGER_WORDS - 1], word);

    /* the put took one itself */

    trove_set(&l->born, trove_get(&l->born) - 1);
    trove_restore_born(l, born);

    return TROVE_OK;
}


/* That no reward to come gets one that was given out. */

static void
trove_restore_born(trove_ledger_t *l, uint32_t born)
{
    if (born > trove_get(&l->born)) {
        trove_set(&l->born, born);
    }
}


trove_rc_t
trove_restore_player(trove_ledger_t *l, uint32_t number,
    const trove_slice_t *id, const trove_player_t *p)
{
    int                  i;
    uint32_t             at;
    uint64_t             hash, words[TROVE_RECORD_WORDS];
    trove_index_t        index;
    trove_record_t      *record;
    trove_record_data_t  data;

    if (number >= l->at.conf.players) {
        return TROVE_FULL;
    }

    if (number < trove_get(&l->players)
        || id->len == 0 || id->len > TROVE_PLAYER_MAX)
    {
        return TROVE_INVALID;
    }

    hash = trove_player_hash(l, id);

    if (trove_player_find(l, id, hash) != TROVE_LEDGER_NONE) {
        return TROVE_INVALID;
    }

    trove_set(&l->players, number + 1);
    trove_player_name(trove_ledger_name(l, number), id);

    memset(&data, 0, sizeof(data));

    data.balance = p->balance;
    data.seq = p->seq;
    data.paced = p->paced;
    data.x = p->x;
    data.y = p->y;
    data.moved = p->moved;
    data.coin = p->coin;
    data.coin_value = p->coin_value;

    memcpy(words, &data, sizeof(words));
    record = trove_ledger_record(l, number);

    for (i = 0; i < TROVE_RECORD_WORDS; i++) {
        trove_set(&record->words[i], words[i]);
    }

    index = trove_player_index(l);
    at = trove_index_first(&index, hash);

    while (trove_index_next(&index, hash, &at) != TROVE_INDEX_NONE) {
        /* void */
    }

    (void) trove_index_fill(&index, hash, at, number);

    return TROVE_OK;
}


trove_rc_t
trove_restore_claim(trove_ledger_t *l, const trove_restore_claim_t *c)
{
    uint32_t            n;
    trove_record_t     *record;
    trove_claim_row_t  *row;

    if (c->player >= trove_get(&l->players)
        || trove_ledger_name(l, c->player)->len == 0)
    {
        return TROVE_INVALID;
    }

    n = trove_get(&l->claims);

    if (n >= l->at.conf.claims) {
        return TROVE_FULL;
    }

    trove_set(&l->claims, n + 1);

    row = trove_ledger_claim(l, n);
    record = trove_ledger_record(l, c->player);

    row->player = c->player;
    row->reward = c->reward;
    row->born = c->born;
    row->ordinal = trove_restore_ordinal(l, c, n);
    row->prev = trove_record_claim(trove_get(&record->state));
    row->value = c->value;
    row->balance = c->balance;
    trove_set(&row->at, c->at << 1 | TROVE_CLAIM_DECIDED);

    trove_claim_lead(l, row, n);
    trove_set(&record->state, trove_record_state(n + 1, 1, 0));
    trove_restore_born(l, c->born);

    return TROVE_OK;
}


/* If the reward is there, it becomes its latest claim. */

static uint32_t
trove_restore_ordinal(trove_ledger_t *l, const trove_restore_claim_t *c,
    uint32_t number)
{
    uint32_t              slot;
    uint64_t              state;
    trove_ledger_row_t   *row;
    trove_ledger_copy_t   copy;

    if (trove_ledger_find(l, c->reward, &slot) != TROVE_OK
        || trove_ledger_read(l, slot, &copy) != TROVE_OK
        || copy.born != c->born)
    {
        return c->ordinal;
    }

    row = trove_ledger_rowp(l, slot);
    state = trove_get(&row->state);

    trove_release(&row->state,
                  trove_row_state(trove_row_seq(state), number + 1));

    return copy.reward.taken + 1;
}


trove_rc_t
trove_restore_score(trove_ledger_t *l, uint32_t board, uint32_t number,
    const trove_board_row_t *row)
{
    uint32_t                    cell, table, player, was;
    uint64_t                    hash;
    trove_rc_t                  rc;
    trove_board_t              *b;
    const trove_board_conf_t   *conf;

    b = trove_board_of(l, board);
    conf = trove_board_conf(l, board);

    if ((number >= conf->rows && !conf->claims)
        || row->data.len > conf->row - TROVE_BOARD_HEAD)
    {
        return TROVE_FULL;
    }

    if (row->player.len == 0
        || row->player.len > TROVE_PLAYER_MAX
        || row->score > TROVE_BOARD_SCORE_MAX
        || row->score < -TROVE_BOARD_SCORE_MAX
        || (conf->reset == TROVE_BOARD_NEVER && row->period != 0))
    {
        return TROVE_INVALID;
    }

    hash = trove_player_hash(l, &row->player);
    player = 0;

    if (conf->claims) {
        player = trove_player_find(l, &row->player, hash) + 1;

        if (player == 0 || player != number + 1) {
            return TROVE_INVALID;
        }
    }

    rc = trove_restore_period(l, board, row->period);

    if (rc != TROVE_OK) {
        return rc;
    }

    table = (uint32_t) (row->period % b->at.tables);

    if (conf->claims) {
        number = trove_get(&b->table[table].used);

        if (number == conf->rows) {
            return TROVE_FULL;
        }
    }

    if (number < trove_get(&b->table[table].used)
        && trove_board_taken(l, board, table, number))
    {
        return TROVE_INVALID;
    }

    was = trove_board_probe(l, board, table, &row->player,
                            (uint32_t) (hash >> 32), &cell);

    if (was != TROVE_LEDGER_NONE) {

        if (conf->claims) {
            return TROVE_INVALID;
        }

        if (!trove_restore_latest(l, board, table, was, number, row)) {
            return TROVE_OK;
        }
    }

    trove_restore_row(l, board, number, row, player);

    trove_set(&trove_board_cells(l, board, table)[cell].link,
              hash >> 32 << 32 | (number + 1));

    return TROVE_OK;
}


/* Whether this one is; then the one there was before is free. */

static int
trove_restore_latest(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t was, uint32_t number, const trove_board_row_t *row)
{
    trove_board_line_t   *line;
    trove_board_words_t   head;

    line = trove_board_line(l, board, table, was);
    trove_board_head(line, &head);

    if (head.reached > row->reached) {
        trove_dirty_set(l, trove_dirty_board(board, table), number);
        return 0;
    }

    trove_dirty_set(l, trove_dirty_board(board, table), was);

    memset(&head, 0, sizeof(head));
    memcpy((void *) line->words, &head, sizeof(head));

    return 1;
}


/* What the table holds of an earlier one is gone. */

static trove_rc_t
trove_restore_period(trove_ledger_t *l, uint32_t board, uint64_t period)
{
    uint32_t              table;
    trove_board_t        *b;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);
    table = (uint32_t) (period % b->at.tables);
    t = &b->table[table];

    if (period < trove_get(&t->period)) {
        return TROVE_NOTFOUND;
    }

    if (period > trove_get(&t->period)) {
        trove_set(&t->period, period);
        trove_set(&t->used, 0);
        trove_board_clear(l, board, table);
    }

    if (period > trove_get(&b->period)) {
        trove_set(&b->period, period);
    }

    return TROVE_OK;
}


static void
trove_restore_row(trove_ledger_t *l, uint32_t board, uint32_t number,
    const trove_board_row_t *row, uint32_t player)
{
    uint32_t              n, table;
    trove_board_t        *b;
    trove_board_line_t   *line;
    trove_board_words_t   head;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);
    table = (uint32_t) (row->period % b->at.tables);
    t = &b->table[table];

    memset(&head, 0, sizeof(head));

    /* those that are left out are free */

    for (n = trove_get(&t->used); n < number; n++) {
        line = trove_board_line(l, board, table, n);
        memcpy((void *) line->words, &head, sizeof(head));
    }

    if (number >= trove_get(&t->used)) {
        trove_set(&t->used, number + 1);
    }

    head.score = row->score;
    head.reached = row->reached;
    head.seq = row->seq;
    head.player = player;
    head.tag = (uint32_t) (trove_player_hash(l, &row->player) >> 32);
    head.len = (uint16_t) row->player.len;
    head.data_len = (uint16_t) row->data.len;
    memcpy(head.id, row->player.data, row->player.len);

    line = trove_board_line(l, board, table, number);

    memcpy((void *) line->words, &head, sizeof(head));

    if (row->data.len != 0) {
        memcpy((char *) line->words + sizeof(head), row->data.data,
               row->data.len);
    }

    if (row->reached > trove_get(&b->reached)) {
        trove_set(&b->reached, row->reached);
    }
}


void
trove_restore_end(trove_ledger_t *l)
{
    uint32_t  n;

    for (n = 0; n < trove_get(&l->players); n++) {
        trove_set(&trove_ledger_name(l, n)->stored,
              trove_record_claim(trove_get(&trove_ledger_record(l, n)->state)));
    }

    trove_restore_boards(l);

    trove_restore_clean(l, TROVE_DIRTY_REWARDS);
    trove_restore_clean(l, TROVE_DIRTY_PLAYERS);
}


static void
trove_restore_boards(trove_ledger_t *l)
{
    uint32_t        i, table;
    trove_board_t  *b;

    for (i = 0; i < l->at.conf.nboards; i++) {
        b = trove_board_of(l, i);

        for (table = 0; table < b->at.tables; table++) {
            trove_board_rebuild(l, i, table);
        }

        trove_set(&b->rebuilds, 0);
    }
}


static void
trove_restore_clean(trove_ledger_t *l, trove_dirty_t of)
{
    uint32_t  from, numbers[TROVE_RESTORE_BATCH];

    from = 0;

    while (trove_dirty_take(l, of, &from, numbers, TROVE_RESTORE_BATCH)) {
        /* void */
    }

    trove_dirty_landed(l, of);
}
