
/*
 * A board against a list that is sorted after each write: all keeps, orders
 * and ties, removal, full boards, periods under a clock that also goes back,
 * one by one and in batches.
 */

#include "boards.h"
#include "trove_board_tree.h"
#include "trove_restore.h"


#define PLAYERS  700
#define ROWS     500          /* fewer than players: boards become full      */
#define LIST     1000
#define DAY      86400000ULL


/* A player's row as it should be; of no player if len is zero. */

typedef struct {
    int       is;
    int64_t   score;
    uint64_t  order;          /* in which scores were reached                */
    uint64_t  seq;
    char      data[40];
} row_t;


typedef struct {
    uint64_t  period;
    uint32_t  n;
    row_t     row[PLAYERS];
} table_t;


typedef struct {
    trove_ledger_t            *l;
    const trove_board_conf_t  *conf;
    uint32_t                   board;
    uint64_t                   now;
    uint64_t                   orders;
    int                        scores;  /* how many different ones           */
    table_t                    now_on;
    table_t                    before;
    uint32_t                   sorted[PLAYERS];
    char                       text[LIST * 160];
    trove_board_entry_t        entries[LIST];
} world_t;


static world_t  w;


static int64_t
key_of(const row_t *r)
{
    return (w.conf->order == TROVE_BOARD_DESC) ? -r->score : r->score;
}


static const table_t  *sorting;


static int
by_rank(const void *a, const void *b)
{
    const row_t  *x, *y;

    x = &sorting->row[*(const uint32_t *) a];
    y = &sorting->row[*(const uint32_t *) b];

    if (key_of(x) != key_of(y)) {
        return (key_of(x) > key_of(y)) ? 1 : -1;
    }

    return (x->order > y->order) - (x->order < y->order);
}


static void
sort(const table_t *t)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < PLAYERS; i++) {

        if (t->row[i].is) {
            w.sorted[n++] = i;
        }
    }

    assert_int_equal(n, t->n);

    sorting = t;
    qsort(w.sorted, n, sizeof(uint32_t), by_rank);
}


static uint32_t
rank_at(const table_t *t, uint32_t i)
{
    while (w.conf->ties == TROVE_BOARD_SHARED
           && i != 0
           && t->row[w.sorted[i]].score == t->row[w.sorted[i - 1]].score)
    {
        i--;
    }

    return i + 1;
}


static uint32_t
rank_of(const table_t *t, uint32_t player)
{
    uint32_t  i;

    sort(t);

    for (i = 0; w.sorted[i] != player; i++) {
        /* void */
    }

    return rank_at(t, i);
}


/* The clock goes on, sometimes beyond a period's end, and sometimes back. */

static void
tick(void)
{
    switch (random_below(400)) {
    case 0:
        w.now += DAY * (1 + random_below(70));
        break;
    case 1:
        w.now += DAY;
        break;
    case 2:
        w.now -= DAY * random_below(9);
        break;
    default:
        w.now += random_below(3);
    }
}


/* A period begins with the first write in it, and then never ends early. */

static void
turn(void)
{
    uint64_t  p;

    p = trove_board_period(w.conf->reset, w.now);

    if (p <= w.now_on.period) {
        return;
    }

    if (p == w.now_on.period + 1) {
        w.before = w.now_on;

    } else {
        memset(&w.before, 0, sizeof(w.before));
    }

    memset(&w.now_on, 0, sizeof(w.now_on));
    w.now_on.period = p;
}


/* The number of the period that is meant, and its rows. */

static const table_t *
table(int period, uint64_t *number)
{
    static const table_t  none;

    *number = trove_board_period(w.conf->reset, w.now);

    if (*number < w.now_on.period) {
        *number = w.now_on.period;
    }

    *number += (uint64_t) period;

    if (*number == w.now_on.period) {
        return &w.now_on;
    }

    return (*number + 1 == w.now_on.period
            && w.before.period == *number) ? &w.before : &none;
}


static int64_t
random_score(void)
{
    switch (random_below(60)) {
    case 0:
        return TROVE_BOARD_SCORE_MAX;
    case 1:
        return -TROVE_BOARD_SCORE_MAX;
    default:
        return (int64_t) random_below(w.scores) - w.scores / 2;
    }
}


static int
keeps(int64_t was, int64_t *score)
{
    switch (w.conf->keep) {
    case TROVE_BOARD_MAX:
        *score = (*score > was) ? *score : was;
        return 1;
    case TROVE_BOARD_MIN:
        *score = (*score < was) ? *score : was;
        return 1;
    case TROVE_BOARD_SUM:
        *score += was;
        return *score <= TROVE_BOARD_SCORE_MAX
               && *score >= -TROVE_BOARD_SCORE_MAX;
    default:
        return 1;
    }
}


/* The player's row in the period before, if he has none in this one. */

static const row_t *
row_before(uint32_t player)
{
    static const row_t  none;

    return (!w.now_on.row[player].is
            && w.conf->reset != TROVE_BOARD_NEVER
            && w.before.period + 1 == w.now_on.period)
           ? &w.before.row[player] : &none;
}


static void
expect_at(const table_t *t, uint32_t player, trove_board_written_t *e)
{
    e->score = t->row[player].score;
    e->rank = rank_of(t, player);
    e->ends = trove_board_begins(w.conf->reset, t->period + 1);
}


/* What the write does to the model, and should be answered. */

static trove_rc_t
expect(uint32_t player, const trove_board_write_t *q,
    trove_board_written_t *e)
{
    int           takes;
    row_t        *r;
    int64_t       score;
    table_t      *t;
    const row_t  *before;

    t = &w.now_on;
    r = &t->row[player];
    before = row_before(player);
    score = q->score;
    takes = 1;

    if (q->seq != 0 && q->seq <= before->seq) {
        e->result = (q->seq == before->seq) ? TROVE_BOARD_REPEAT
                                            : TROVE_BOARD_STALE;
        expect_at(&w.before, player, e);

        return TROVE_OK;
    }

    if (!r->is) {

        if (t->n == w.conf->rows) {
            return TROVE_FULL;
        }

        r->is = 1;
        r->score = score;
        r->seq = before->seq;
        r->order = ++w.orders;
        t->n++;
        e->result = TROVE_BOARD_IMPROVED;

    } else if (q->seq != 0 && q->seq == r->seq) {
        e->result = TROVE_BOARD_REPEAT;
        takes = 0;

    } else if (q->seq != 0 && q->seq < r->seq) {
        e->result = TROVE_BOARD_STALE;
        takes = 0;

    } else if (!keeps(r->score, &score)) {
        e->result = TROVE_BOARD_OVERFLOW;
        takes = 0;

    } else if (score == r->score) {
        e->result = TROVE_BOARD_KEPT;
        r->seq = (q->seq != 0) ? q->seq : r->seq;
        takes = (w.conf->keep >= TROVE_BOARD_LAST);

    } else {
        r->score = score;
        r->order = ++w.orders;
        e->result = TROVE_BOARD_IMPROVED;
    }

    if (takes && q->has_data) {
        memcpy(r->data, q->data.data, q->data.len);
        r->data[q->data.len] = '\0';
    }

    if (takes && q->seq != 0) {
        r->seq = q->seq;
    }

    expect_at(t, player, e);

    return TROVE_OK;
}


static void
random_write(uint32_t player, trove_board_write_t *q, char *id, char *data)
{
    memset(q, 0, sizeof(trove_board_write_t));

    q->player = player_id(id, player);
    q->score = random_score();
    q->now = w.now;

    if (random_below(3) == 0) {
        (void) snprintf(data, 40, "%.*s%u", (int) random_below(25),
                        "abcdefghijklmnopqrstuvwxyz", random_below(1000000));
        q->data = slice(data);
        q->data.len = (random_below(9) == 0) ? 0 : q->data.len;
        q->has_data = 1;
    }

    if (random_below(3) == 0) {
        q->seq = 1 + w.now_on.row[player].seq + row_before(player)->seq
                 + random_below(4);
        q->seq -= (q->seq > 2) ? 2 : 0;
    }
}


static void
write_some(uint32_t n)
{
    char                   id[40][16], data[40][40];
    uint32_t               i, player[40];
    trove_rc_t             rc[40];
    trove_board_write_t    q[40];
    trove_board_written_t  is[40], e;

    turn();

    for (i = 0; i < n; i++) {
        player[i] = random_below(PLAYERS);
        random_write(player[i], &q[i], id[i], data[i]);
    }

    if (n == 1) {
        rc[0] = trove_board_write(w.l, w.board, &q[0], &is[0]);

    } else {
        trove_board_write_all(w.l, w.board, q, is, rc, n);
    }

    for (i = 0; i < n; i++) {
        assert_int_equal(rc[i], expect(player[i], &q[i], &e));

        if (rc[i] == TROVE_OK) {
            assert_int_equal(is[i].result, e.result);
            assert_true(is[i].score == e.score);
            assert_int_equal(is[i].rank, e.rank);
            assert_true(is[i].ends == e.ends);
        }
    }
}


static void
remove_one(void)
{
    char           id[16];
    uint32_t       player;
    uint64_t       number;
    trove_rc_t     rc;
    trove_slice_t  s;

    player = random_below(PLAYERS);
    s = player_id(id, player);

    rc = trove_board_remove(w.l, w.board, &s, w.now);

    assert_int_equal(rc, table(0, &number)->row[player].is ? TROVE_OK
                                                           : TROVE_NOTFOUND);

    if (rc == TROVE_OK) {
        memset(&w.now_on.row[player], 0, sizeof(row_t));
        w.now_on.n--;
    }
}


static void
entries_are(const table_t *t, uint32_t from, uint32_t n)
{
    char                        id[16];
    uint32_t                    i;
    const row_t                *r;
    trove_slice_t               s;
    const trove_board_entry_t  *e;

    for (i = 0; i < n; i++) {
        e = &w.entries[i];
        r = &t->row[w.sorted[from + i]];
        s = player_id(id, w.sorted[from + i]);

        assert_int_equal(e->player.len, s.len);
        assert_memory_equal(e->player.data, s.data, s.len);
        assert_int_equal(e->data.len, strlen(r->data));
        assert_memory_equal(e->data.data, r->data, e->data.len);
        assert_true(e->score == r->score);
        assert_int_equal(e->rank, rank_at(t, from + i));
    }
}


static void
state_is(const trove_board_state_t *s, uint64_t number, const table_t *t)
{
    assert_int_equal(s->rows, t->n);
    assert_int_equal(s->ends, trove_board_begins(w.conf->reset, number + 1));
}


static void
read_list(void)
{
    int                   period;
    uint32_t              from, max, n;
    uint64_t              number;
    const table_t        *t;
    trove_board_state_t   s;

    period = (w.conf->reset == TROVE_BOARD_NEVER) ? 0
                                                  : -(int) random_below(2);
    t = table(period, &number);
    from = (random_below(2) == 0) ? 1 : 1 + random_below(ROWS + 5);
    max = (random_below(3) == 0) ? random_below(LIST) : random_below(20);

    assert_int_equal(trove_board_list(w.l, w.board, period, w.now, from, max,
                                      w.text, w.entries, &n, &s), TROVE_OK);
    state_is(&s, number, t);

    sort(t);

    assert_int_equal(n, (from > t->n) ? 0
                        : (t->n - from + 1 < max) ? t->n - from + 1 : max);
    entries_are(t, from - 1, n);

    trove_board_state(w.l, w.board, period, w.now, &s);
    state_is(&s, number, t);
}


static void
read_around(void)
{
    int                   period;
    char                  id[16];
    uint32_t              player, around, from, end, n, i;
    uint64_t              number;
    trove_rc_t            rc;
    const table_t        *t;
    trove_slice_t         slice;
    trove_board_state_t   s;

    period = (w.conf->reset == TROVE_BOARD_NEVER) ? 0
                                                  : -(int) random_below(2);
    t = table(period, &number);
    player = random_below(PLAYERS);
    around = (random_below(2) == 0) ? 0 : random_below(40);
    slice = player_id(id, player);

    rc = trove_board_around(w.l, w.board, period, w.now, &slice, around,
                            w.text, w.entries, &n, &s);

    assert_int_equal(rc, t->row[player].is ? TROVE_OK : TROVE_NOTFOUND);
    state_is(&s, number, t);

    if (rc != TROVE_OK) {
        assert_int_equal(n, 0);
        return;
    }

    sort(t);

    for (i = 0; w.sorted[i] != player; i++) {
        /* void */
    }

    from = (i > around) ? i - around : 0;
    end = (i + around + 1 < t->n) ? i + around + 1 : t->n;

    assert_int_equal(n, end - from);
    entries_are(t, from, n);
}


/* What a store reads is the same as well, of each row that it is to read. */

static void
read_rows(void)
{
    char                id[16], text[160];
    uint32_t            i, k, n, player, from, used, numbers[64];
    const row_t        *r;
    const table_t      *t;
    trove_dirty_t       of;
    trove_board_row_t   row;

    for (k = 0; k < trove_board_tables(w.l, w.board); k++) {
        of = trove_dirty_board(w.board, k);
        from = 0;

        while ((n = trove_dirty_take(w.l, of, &from, numbers, 64)) != 0) {

            for (i = 0; i < n; i++) {
                (void) trove_board_row(w.l, w.board, k, numbers[i], text,
                                       &row);
            }
        }

        trove_dirty_landed(w.l, of);

        used = 0;

        for (i = 0; i < w.conf->rows; i++) {

            if (trove_board_row(w.l, w.board, k, i, text, &row) != TROVE_OK) {
                continue;
            }

            used++;
            t = (row.period == w.now_on.period) ? &w.now_on : &w.before;
            (void) snprintf(id, sizeof(id), "%.*s", (int) row.player.len,
                            (const char *) row.player.data);
            player = (uint32_t) strtoul(id + 1, NULL, 10);

            if (row.period != t->period) {
                continue;
            }

            r = &t->row[player];
            assert_true(r->is && row.score == r->score && row.seq == r->seq);
            assert_int_equal(row.data.len, strlen(r->data));
        }

        if (k == w.now_on.period % trove_board_tables(w.l, w.board)
            && w.now_on.n != 0)
        {
            assert_int_equal(used, w.now_on.n);
        }
    }
}


static void
play_on(int rounds)
{
    int  i;

    for (i = 0; i < rounds; i++) {
        tick();

        switch (random_below(16)) {
        case 0:
        case 1:
            read_list();
            break;
        case 2:
        case 3:
            read_around();
            break;
        case 4:
        case 5:
            remove_one();
            break;
        case 6:
            write_some(1 + random_below(40));
            break;
        default:
            write_some(1);
        }

        if (i % 400 == 0) {
            assert_true(trove_ledger_sane(w.l));
            read_rows();
        }
    }
}


static void
play(const trove_board_conf_t *conf, int scores, int rounds)
{
    trove_board_conf_t  boards[2];

    boards[0] = board_conf("other", 3);
    boards[1] = *conf;

    memset(&w, 0, sizeof(w));
    w.l = boards_new(boards, 2);
    w.board = 1;
    w.conf = trove_board_conf(w.l, 1);
    w.scores = scores;
    w.now = NOW;

    play_on(rounds);

    assert_int_equal(trove_board_rebuilds(w.l, 1), 0);
    ledger_free(w.l);
}


static void
a_board_is_a_sorted_list(void **state)
{
    trove_board_conf_t  conf;

    conf = board_conf("board", ROWS);

    for (conf.keep = 0; conf.keep <= TROVE_BOARD_SUM; conf.keep++) {

        for (conf.order = 0; conf.order <= TROVE_BOARD_ASC; conf.order++) {

            for (conf.ties = 0; conf.ties <= TROVE_BOARD_SHARED; conf.ties++) {
                conf.row = TROVE_BOARD_ROW_MIN + 8 * random_below(5);
                conf.rows = (random_below(3) == 0) ? 1 + random_below(9)
                                                   : ROWS;

                play(&conf, 1 + (int) random_below(30), 2000);
                play(&conf, 100000, 2000);
            }
        }
    }
}


static void
periods_follow_each_other(void **state)
{
    trove_board_conf_t  conf;

    conf = board_conf("board", ROWS);

    for (conf.reset = TROVE_BOARD_DAILY;
         conf.reset <= TROVE_BOARD_MONTHLY;
         conf.reset++)
    {
        conf.keep = random_below(4);
        conf.ties = random_below(2);

        play(&conf, 1000, 4000);
    }
}


/* A board that is large, for a tree of several levels; checked by itself. */

static void
a_tree_grows_and_shrinks(void **state)
{
    enum { N = 40000 };

    char                   id[16];
    uint32_t               i, k, n, first;
    uint64_t               now;
    trove_slice_t          s;
    trove_ledger_t        *l;
    trove_board_conf_t     conf;
    trove_board_write_t    q;
    trove_board_written_t  written;

    conf = board_conf("board", N);
    conf.keep = TROVE_BOARD_LAST;
    l = boards_new(&conf, 1);
    now = NOW;

    for (k = 0; k < 4; k++) {

        for (i = 0; i < N; i++) {
            memset(&q, 0, sizeof(q));
            q.player = player_id(id, i);
            q.now = now++;

            /* at the end, at the front, anywhere, in few places */

            q.score = (k == 0) ? -(int64_t) i : (k == 1) ? (int64_t) i
                      : (k == 2) ? random_below(1 << 30) : random_below(3);

            assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_OK);

            if (k == 0) {
                assert_int_equal(written.rank, i + 1);
            }
        }

        assert_true(trove_ledger_sane(l));
        assert_true(trove_board_of(l, 0)->table[0].levels >= 2);

        /* from one end, from the other, anywhere; and not all of them */

        first = random_below(N);

        for (i = 0; i < N - 10; i++) {
            n = (k == 0) ? i : (k == 1) ? N - 1 - i : (first + i * 7) % N;
            s = player_id(id, n);
            assert_int_equal(trove_board_remove(l, 0, &s, now), TROVE_OK);

            if (i % 8192 == 0) {
                assert_true(trove_ledger_sane(l));
            }
        }

        assert_true(trove_ledger_sane(l));
        assert_int_equal(trove_board_of(l, 0)->table[0].levels, 0);
    }

    assert_int_equal(trove_board_rebuilds(l, 0), 0);
    ledger_free(l);
}


/* One write may join the leaf that a row leaves and split another. */

static void
rows_move_from_half_to_half(void **state)
{
    enum { N = 300, ROUNDS = 400 };

    char                   id[16];
    int64_t                half;
    uint32_t               i, k, first;
    trove_ledger_t        *l;
    trove_board_conf_t     conf;
    trove_board_write_t    q;
    trove_board_written_t  written;

    conf = board_conf("board", N);
    conf.keep = TROVE_BOARD_LAST;
    l = boards_new(&conf, 1);

    for (k = 0; k < ROUNDS; k++) {
        half = (k % 2) ? 1 << 30 : 0;
        first = random_below(N);

        for (i = 0; i < N; i++) {
            memset(&q, 0, sizeof(q));
            q.player = player_id(id, (first + (uint64_t) i * 7919) % N);
            q.now = NOW + k * N + i;
            q.score = half + random_below(1 << 30);

            assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_OK);
        }

        assert_true(trove_ledger_sane(l));
    }

    assert_int_equal(trove_board_rebuilds(l, 0), 0);
    ledger_free(l);
}


/* A ledger filled from the rows of another one, in any order. */

static void
restored(trove_ledger_t *l, trove_ledger_t *from)
{
    char                text[160];
    uint32_t            k, i, n;
    trove_rc_t          rc;
    trove_board_row_t   row;

    for (k = 0; k < trove_board_tables(from, 1); k++) {

        for (i = 0; i < w.conf->rows; i++) {
            n = (i * 7 + 3) % w.conf->rows;

            if (trove_board_row(from, 1, k, n, text, &row) == TROVE_OK) {
                rc = trove_restore_score(l, 1, n, &row);
                assert_int_equal(rc, TROVE_OK);
            }
        }
    }

    trove_restore_end(l);

    assert_true(trove_ledger_sane(l));
    assert_int_equal(trove_board_rebuilds(l, 1), 0);
    assert_false(trove_dirty_any(l));
}


static void
a_ledger_is_filled_from_what_was_stored(void **state)
{
    int                  i;
    trove_ledger_t      *l;
    trove_board_conf_t   boards[2];

    boards[0] = board_conf("other", 3);
    boards[1] = board_conf("board", 500);

    for (i = 0; i < 8; i++) {
        boards[1].reset = i % 4;
        boards[1].keep = random_below(4);
        boards[1].order = random_below(2);
        boards[1].ties = random_below(2);

        memset(&w, 0, sizeof(w));
        l = boards_new(boards, 2);
        w.l = l;
        w.board = 1;
        w.conf = &boards[1];
        w.scores = 50;
        w.now = NOW;

        play_on(1000);

        w.l = boards_new(boards, 2);
        restored(w.l, l);
        ledger_free(l);

        play_on(1000);
        ledger_free(w.l);
    }
}


static void
what_no_ledger_has_had_is_not_restored(void **state)
{
    char                 data[100];
    trove_ledger_t      *l;
    trove_board_row_t    row;
    trove_board_conf_t   conf[2];

    conf[0] = board_conf("a", 10);
    conf[1] = board_conf("b", 10);
    conf[1].reset = TROVE_BOARD_DAILY;
    l = boards_new(conf, 2);

    memset(data, 'x', sizeof(data));
    memset(&row, 0, sizeof(row));
    row.player = slice("p1");
    row.data.data = (unsigned char *) data;
    row.data.len = 32;
    row.reached = 7;

    assert_int_equal(trove_restore_score(l, 0, 10, &row), TROVE_FULL);
    row.data.len++;
    assert_int_equal(trove_restore_score(l, 0, 3, &row), TROVE_FULL);
    row.data.len--;
    row.period = 1;
    assert_int_equal(trove_restore_score(l, 0, 3, &row), TROVE_INVALID);
    row.period = 0;
    row.score = TROVE_BOARD_SCORE_MAX + 1;
    assert_int_equal(trove_restore_score(l, 0, 3, &row), TROVE_INVALID);
    row.score = 5;
    row.player.len = 0;
    assert_int_equal(trove_restore_score(l, 0, 3, &row), TROVE_INVALID);

    row.player = slice("p1");
    assert_int_equal(trove_restore_score(l, 0, 3, &row), TROVE_OK);
    row.reached = 6;
    assert_int_equal(trove_restore_score(l, 0, 4, &row), TROVE_OK);
    row.reached = 7;
    row.player = slice("p2");
    assert_int_equal(trove_restore_score(l, 0, 3, &row), TROVE_INVALID);

    /* one that was reached at the same time comes behind it */

    assert_int_equal(trove_restore_score(l, 0, 1, &row), TROVE_OK);

    row.period = 100;
    assert_int_equal(trove_restore_score(l, 1, 9, &row), TROVE_OK);
    row.period = 99;
    assert_int_equal(trove_restore_score(l, 1, 9, &row), TROVE_OK);
    row.period = 98;
    assert_int_equal(trove_restore_score(l, 1, 8, &row), TROVE_NOTFOUND);
    row.period = 102;
    assert_int_equal(trove_restore_score(l, 1, 5, &row), TROVE_OK);

    trove_restore_end(l);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
what_no_board_can_have_is_invalid(void **state)
{
    char                    id[41], data[200];
    trove_slice_t           s;
    trove_ledger_t         *l;
    trove_board_conf_t      conf[2];
    trove_board_write_t     q;
    trove_board_written_t   written;

    conf[0] = board_conf("a", 10);
    conf[1] = board_conf("b", 10);
    conf[1].claims = 1;
    conf[1].keep = TROVE_BOARD_SUM;
    l = boards_new(conf, 2);

    memset(id, 'x', sizeof(id));
    memset(data, 'y', sizeof(data));
    memset(&q, 0, sizeof(q));
    q.player.data = (unsigned char *) id;
    q.data.data = (unsigned char *) data;
    q.now = NOW;

    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_INVALID);

    q.player.len = 41;
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_INVALID);
    assert_int_equal(trove_board_remove(l, 0, &q.player, NOW),
                     TROVE_NOTFOUND);

    q.player.len = 40;
    q.has_data = 1;
    q.data.len = 128 - TROVE_BOARD_HEAD + 1;
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_INVALID);

    q.data.len--;
    q.score = TROVE_BOARD_SCORE_MAX + 1;
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_INVALID);
    q.score = -TROVE_BOARD_SCORE_MAX - 1;
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_INVALID);
    q.score++;
    assert_int_equal(trove_board_write(l, 1, &q, &written), TROVE_INVALID);
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_OK);
    assert_int_equal(written.rank, 1);

    s = slice("x");
    assert_int_equal(trove_board_remove(l, 0, &s, NOW), TROVE_NOTFOUND);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


/* As the header says: or what is asked for again would be done twice. */

static void
behind_one_that_is_busy_all_are(void **state)
{
    char                    id[3][16];
    uint32_t                i, n;
    trove_rc_t              rc[3];
    trove_ledger_t         *l;
    trove_board_tree_t      tree;
    trove_board_conf_t      conf;
    trove_board_state_t     s;
    trove_board_write_t     q[3];
    trove_board_written_t   written[3];

    conf = board_conf("board", 10);
    conf.keep = TROVE_BOARD_SUM;
    l = boards_new(&conf, 1);
    memset(q, 0, sizeof(q));

    for (i = 0; i < 3; i++) {
        q[i].player = player_id(id[i], i);
        q[i].score = 10 - i;
        q[i].now = NOW;
    }

    trove_board_write_all(l, 0, q, written, rc, 3);

    /* the second one's place is another's */

    trove_board_tree(l, 0, 0, &tree);
    tree.leaf[0].row[1] = 9;

    trove_board_write_all(l, 0, q, written, rc, 3);

    assert_int_equal(rc[0], TROVE_OK);
    assert_int_equal(rc[1], TROVE_BUSY);
    assert_int_equal(rc[2], TROVE_BUSY);

    assert_int_equal(trove_board_list(l, 0, 0, NOW, 3, 1, w.text, w.entries,
                                      &n, &s), TROVE_OK);
    assert_true(w.entries[0].score == 8);

    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_board_is_a_sorted_list),
        cmocka_unit_test(periods_follow_each_other),
        cmocka_unit_test(a_tree_grows_and_shrinks),
        cmocka_unit_test(rows_move_from_half_to_half),
        cmocka_unit_test(a_ledger_is_filled_from_what_was_stored),
        cmocka_unit_test(what_no_ledger_has_had_is_not_restored),
        cmocka_unit_test(what_no_board_can_have_is_invalid),
        cmocka_unit_test(behind_one_that_is_busy_all_are),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
