
/*
 * The boards that a ledger has, how they are laid out, and their periods.
 */

#include "trove_board_data.h"
#include "trove_dirty.h"


#define TROVE_BOARD_DAY  86400                           /* seconds */

/* 1970 began with a Thursday, so week 0 three days before. */
#define TROVE_BOARD_MONDAY  3


static int trove_board_copy(const trove_board_line_t *line, size_t size,
    char *text, trove_board_row_t *row);
static uint64_t trove_board_month(uint64_t day);
static uint64_t trove_board_month_begins(uint64_t month);


uint32_t
trove_ledger_boards(const trove_ledger_t *l)
{
    return (uint32_t) l->at.conf.nboards;
}


const trove_board_conf_t *
trove_board_conf(const trove_ledger_t *l, uint32_t board)
{
    return &trove_board_confs(l)[board];
}


uint32_t
trove_board_find(const trove_ledger_t *l, const trove_slice_t *name)
{
    uint32_t                   i;
    const trove_board_conf_t  *confs;

    confs = trove_board_confs(l);

    for (i = 0; i < l->at.conf.nboards; i++) {

        if (strlen(confs[i].name) == name->len
            && memcmp(confs[i].name, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return TROVE_BOARD_NONE;
}


int
trove_board_conf_good(const trove_board_conf_t *conf)
{
    return memchr(conf->name, '\0', sizeof(conf->name)) != NULL
           && conf->rows != 0
           && conf->rows <= TROVE_BOARD_ROWS
           && conf->row >= TROVE_BOARD_ROW_MIN
           && conf->row <= TROVE_BOARD_ROW_MAX
           && conf->row % 8 == 0
           && conf->keep <= TROVE_BOARD_SUM
           && conf->order <= TROVE_BOARD_ASC
           && conf->ties <= TROVE_BOARD_SHARED
           && conf->reset <= TROVE_BOARD_MONTHLY
           && conf->claims <= 1;
}


int
trove_board_conf_same(const trove_board_conf_t *a,
    const trove_board_conf_t *b)
{
    return strncmp(a->name, b->name, sizeof(a->name)) == 0
           && a->rows == b->rows
           && a->row == b->row
           && a->keep == b->keep
           && a->order == b->order
           && a->ties == b->ties
           && a->reset == b->reset
           && a->claims == b->claims;
}


/*
 * Of two neighbours under one node there are more than TROVE_BOARD_MERGE, or
 * TROVE_BOARD_JOIN, entries; what is spare is for those that are not under
 * one.  Rows that come from claims are stored with their players, and never
 * dirty by themselves.
 */

void
trove_board_layout(const trove_board_conf_t *conf, uint64_t begins,
    trove_board_layout_t *at)
{
    uint32_t              i;
    uint64_t              rows;
    trove_board_place_t  *t;

    memset(at, 0, sizeof(trove_board_layout_t));

    rows = conf->rows;

    at->size = begins;
    at->tables = (conf->reset == TROVE_BOARD_NEVER) ? 1 : 2;
    at->cells = trove_index_cells(rows);
    at->leaves = (uint32_t) (rows * 2 / TROVE_BOARD_MERGE);
    at->leaves += at->leaves / 16 + TROVE_BOARD_LEVELS;
    at->inners = at->leaves * 2 / TROVE_BOARD_JOIN;
    at->inners += at->inners / 8 + TROVE_BOARD_LEVELS;
    at->intent_at = trove_section(&at->size, conf->row);

    for (i = 0; i < at->tables; i++) {
        t = &at->table[i];

        t->rows_at = trove_section(&at->size, rows * conf->row);
        t->cells_at = trove_section(&at->size, (uint64_t) at->cells
                                               * sizeof(trove_board_cell_t));
        t->dirty_at = trove_section(&at->size, trove_dirty_size(conf->claims
                                                                ? 0 : rows));
        t->leaves_at = trove_section(&at->size, (uint64_t) at->leaves
                                                * sizeof(trove_board_leaf_t));
        t->inners_at = trove_section(&at->size, (uint64_t) at->inners
                                                * sizeof(trove_board_inner_t));
    }
}


uint32_t
trove_board_tables(const trove_ledger_t *l, uint32_t board)
{
    return trove_board_of(l, board)->at.tables;
}


uint64_t
trove_board_rebuilds(const trove_ledger_t *l, uint32_t board)
{
    return trove_get(&trove_board_of(l, board)->rebuilds);
}


uint64_t
trove_board_period(uint32_t reset, uint64_t now)
{
    uint64_t  day;

    day = now / 1000 / TROVE_BOARD_DAY;

    switch (reset) {

    case TROVE_BOARD_DAILY:
        return day;

    case TROVE_BOARD_WEEKLY:
        return (day + TROVE_BOARD_MONDAY) / 7;

    case TROVE_BOARD_MONTHLY:
        return trove_board_month(day);

    default:
        return 0;
    }
}


uint64_t
trove_board_begins(uint32_t reset, uint64_t period)
{
    uint64_t  day;

    switch (reset) {

    case TROVE_BOARD_DAILY:
        day = period;
        break;

    case TROVE_BOARD_WEEKLY:
        day = (period != 0) ? period * 7 - TROVE_BOARD_MONDAY : 0;
        break;

    case TROVE_BOARD_MONTHLY:
        day = trove_board_month_begins(period);
        break;

    default:
        return 0;
    }

    return day * TROVE_BOARD_DAY;
}


/*
 * The Gregorian calendar, counted from March of the year 0, so that the day
 * that may be missing is a year's last; 719468 days before 1970.
 */

static uint64_t
trove_board_month(uint64_t day)
{
    uint64_t  era, of_era, year, of_year, month;

    day += 719468;
    era = day / 146097;
    of_era = day % 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;

    return (era * 400 + year) * 12 + month + 2 - 1970 * 12;
}


static uint64_t
trove_board_month_begins(uint64_t month)
{
    uint64_t  era, year, of_era;

    month += 1970 * 12 - 2;
    year = month / 12;
    era = year / 400;
    year %= 400;
    of_era = 365 * year + year / 4 - year / 100
             + (153 * (month % 12) + 2) / 5;

    return era * 146097 + of_era - 719468;
}


trove_board_table_t *
trove_board_table(trove_board_t *b, uint32_t reset, int period, uint64_t now,
    uint64_t *wanted)
{
    uint64_t              begun;
    trove_board_table_t  *t;

    *wanted = trove_board_period(reset, now);
    begun = trove_acquire(&b->period);

    if (*wanted < begun) {
        *wanted = begun;
    }

    if (period < 0) {

        if (reset == TROVE_BOARD_NEVER) {
            return NULL;
        }

        (*wanted)--;
    }

    t = &b->table[*wanted % b->at.tables];

    return (trove_acquire(&t->period) == *wanted) ? t : NULL;
}


void
trove_board_state(const trove_ledger_t *l, uint32_t board, int period,
    uint64_t now, trove_board_state_t *state)
{
    uint32_t                    reset;
    uint64_t                    wanted;
    const trove_board_table_t  *t;

    reset = trove_board_conf(l, board)->reset;
    t = trove_board_table(trove_board_of(l, board), reset, period, now,
                          &wanted);

    state->rows = (t != NULL) ? trove_acquire(&t->live) : 0;
    state->ends = trove_board_begins(reset, wanted + 1);
}


trove_rc_t
trove_board_row(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t number, char *text, trove_board_row_t *row)
{
    int                         n;
    int                         used;
    uint64_t                    period;
    const trove_board_t        *b;
    const trove_board_line_t   *line;
    const trove_board_conf_t   *conf;
    const trove_board_table_t  *t;

    b = trove_board_of(l, board);
    t = &b->table[table];
    conf = trove_board_conf(l, board);
    line = trove_board_line(l, board, table, number);

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {
        period = trove_acquire(&t->period);
        used = number < trove_acquire(&t->used);

        if (trove_board_copy(line, conf->row, text, row)
            && (number < trove_get(&t->used)) == used
            && trove_get(&t->period) == period)
        {
            row->period = period;

            return (used && row->player.len != 0) ? TROVE_OK : TROVE_NOTFOUND;
        }

        trove_pause();
    }

    return TROVE_BUSY;
}


trove_rc_t
trove_board_row_of(trove_ledger_t *l, uint32_t board, uint32_t table,
    const trove_slice_t *player, char *text, trove_board_row_t *row)
{
    int                   n;
    uint32_t              cell, number, tag;
    uint64_t              seq;
    trove_rc_t            rc;
    trove_board_t        *b;
    trove_board_table_t  *t;

    b = trove_board_of(l, board);
    t = &b->table[table];
    tag = (uint32_t) (trove_player_hash(l, player) >> 32);

    for (n = 0; n < TROVE_LEDGER_TRIES; n++) {
        seq = trove_acquire(&b->seq);
        row->period = trove_acquire(&t->period);
        number = trove_board_probe(l, board, table, player, tag, &cell);

        TROVE_FAULT_MEET("board: probed");
        atomic_thread_fence(memory_order_acquire);

        if ((seq & 1) != 0 || trove_get(&b->seq) != seq) {
            trove_pause();
            continue;
        }

        if (number == TROVE_LEDGER_NONE) {
            return TROVE_NOTFOUND;
        }

        /* the number may be another player's by now */

        rc = trove_board_row(l, board, table, number, text, row);

        if (rc == TROVE_BUSY
            || (rc == TROVE_OK && row->player.len == player->len
                && memcmp(row->player.data, player->data, player->len) == 0))
        {
            return rc;
        }
    }

    return TROVE_BUSY;
}


/* One attempt to copy a row: whether it was whole. */

static int
trove_board_copy(const trove_board_line_t *line, size_t size, char *text,
    trove_board_row_t *row)
{
    size_t               i;
    uint64_t             state, words[TROVE_BOARD_ROW_MAX / 8];
    trove_board_words_t  head;

    state = trove_acquire(&line->state);

    for (i = 0; i < size / 8 - 1; i++) {
        words[i] = trove_get(&line->words[i]);
        TROVE_FAULT_MEET("board: copy");
    }

    atomic_thread_fence(memory_order_acquire);

    if ((state & 1) != 0 || trove_get(&line->state) != state) {
        return 0;
    }

    memcpy(&head, words, sizeof(head));

    if (head.len > TROVE_PLAYER_MAX
        || head.data_len > size - TROVE_BOARD_HEAD)
    {
        return 0;
    }

    memcpy(text, head.id, head.len);
    memcpy(text + head.len, (char *) words + sizeof(head), head.data_len);

    row->player.data = (const unsigned char *) text;
    row->player.len = head.len;
    row->data.data = (const unsigned char *) text + head.len;
    row->data.len = head.data_len;
    row->score = head.score;
    row->seq = head.seq;
    row->reached = head.reached;
    row->claim = head.claim;

    return 1;
}
