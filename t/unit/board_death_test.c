
/*
 * Death at every store of a board's write, removal and turn, and of who
 * repairs them: it has happened or it has not, ranks are right, and nobody
 * waits for the dead.
 */

#include "boards.h"
#include "trove_alloc.h"


#define POINTS   3000         /* more than there are in one act              */
#define PLAYERS  160
#define BIG      5000         /* for nodes on two levels                    */
#define DAY      86400000ULL


typedef enum {
    FIRST,                    /* of an empty board                           */
    NEWCOMER,
    REFILL,                   /* of a row that was freed                     */
    MOVES,                    /* within a leaf                               */
    SPLITS,                   /* a leaf, and one of another level            */
    MERGES,
    DATA,                     /* only                                        */
    SEQ,                      /* only                                        */
    REMOVES,
    TURNS,                    /* a period later                              */
    ACTS
} act_t;


typedef enum {
    WRITES,                   /* somebody else                               */
    RETRIES,                  /* the same again                              */
    REMOVALS,
    LISTS,
    LOOKS,                    /* for a player                                */
    NEXT
} next_t;


typedef struct {
    int       is;
    int64_t   score;
    uint64_t  order;
} row_t;


typedef struct {
    trove_ledger_t  *l;
    act_t            act;
    char             id[16];  /* of who acts                                 */
    uint64_t         now;
} world_t;


static char                 text[2 * PLAYERS * 160];
static trove_board_entry_t  entries[2 * PLAYERS];


static trove_rc_t
score(trove_ledger_t *l, const char *id, int64_t score, uint64_t seq,
    const char *data, uint64_t now, trove_board_written_t *written)
{
    trove_board_write_t  q;

    memset(&q, 0, sizeof(q));
    q.player = slice(id);
    q.score = score;
    q.seq = seq;
    q.now = now;

    if (data != NULL) {
        q.data = slice(data);
        q.has_data = 1;
    }

    return trove_board_write(l, 0, &q, written);
}


static void
world_new(world_t *w, act_t act)
{
    char                   id[16];
    uint32_t               i, n;
    trove_slice_t          s;
    trove_board_conf_t     conf;
    trove_board_written_t  written;

    conf = board_conf("board", PLAYERS + 10);
    conf.keep = TROVE_BOARD_LAST;
    conf.reset = TROVE_BOARD_DAILY;

    w->l = boards_new(&conf, 1);
    w->act = act;
    w->now = NOW;
    (void) strcpy(w->id, "dies");

    /* in order they leave half of each leaf, and the last one full */

    n = (act == FIRST) ? 0 : (act == SPLITS) ? 2 * TROVE_BOARD_LEAF : PLAYERS;

    for (i = 0; i < n; i++) {
        (void) player_id(id, i);
        assert_int_equal(score(w->l, id, -(int64_t) i * 10, 1, NULL, w->now,
                               &written), TROVE_OK);
    }

    if (act == REFILL) {
        s = slice("p7");
        assert_int_equal(trove_board_remove(w->l, 0, &s, w->now), TROVE_OK);
    }

    if (act == SPLITS) {

        while (trove_board_of(w->l, 0)->table[NOW / DAY % 2].leaves < 4) {
            (void) player_id(id, i);
            assert_int_equal(score(w->l, id, -(int64_t) i++ * 10, 1, NULL,
                                   w->now, &written), TROVE_OK);
        }

        /* the next one of them is one too many */

        for (n = 0; n < TROVE_BOARD_LEAF / 2 - 1; n++) {
            (void) player_id(id, i);
            assert_int_equal(score(w->l, id, -(int64_t) i++ * 10, 1, NULL,
                                   w->now, &written), TROVE_OK);
        }
    }

    if (act == MERGES) {

        for (i = 0; i < TROVE_BOARD_LEAF - TROVE_BOARD_MERGE; i++) {
            s = player_id(id, i);
            assert_int_equal(trove_board_remove(w->l, 0, &s, w->now),
                             TROVE_OK);
        }
    }

    switch (act) {
    case MOVES:
    case DATA:
    case SEQ:
    case MERGES:
    case REMOVES:
        (void) strcpy(w->id, "p40");
        break;
    default:
        break;
    }

    assert_true(trove_ledger_sane(w->l));
}


static trove_rc_t
act(world_t *w)
{
    trove_slice_t          s;
    trove_board_written_t  written;

    switch (w->act) {

    case MOVES:
        return score(w->l, w->id, -385, 2, NULL, w->now, &written);

    case MERGES:
        return score(w->l, w->id, 5, 2, NULL, w->now, &written);

    case DATA:
        return score(w->l, w->id, -400, 2, "new data", w->now, &written);

    case SEQ:
        return score(w->l, w->id, -400, 2, NULL, w->now, &written);

    case REMOVES:
        s = slice(w->id);
        return trove_board_remove(w->l, 0, &s, w->now);

    case TURNS:
        return score(w->l, w->id, 5, 2, "data", w->now + DAY, &written);

    case SPLITS:
        return score(w->l, w->id, -1000000, 2, "data", w->now, &written);

    default:
        return score(w->l, w->id, -55, 2, "data", w->now, &written);
    }
}


/* Whether the child was killed; it is one that only looks and so repairs. */

static int
killed_at(world_t *w, int acts, uint64_t nth)
{
    int                   status;
    pid_t                 pid;
    uint32_t              n;
    trove_slice_t         s;
    trove_board_state_t   state;

    pid = child_new();

    if (pid == 0) {
        trove_fault_arm(NULL, nth);

        if (acts) {
            _exit(act(w));
        }

        /* with and without memory to sort in */

        trove_fault_memory_arm(nth % 2);
        s = slice("p1");
        _exit(trove_board_around(w->l, 0, 0, w->now, &s, 0, text, entries, &n,
                                 &state) == TROVE_BUSY);
    }

    status = child_end(pid);
    assert_true(status == -1 || status == TROVE_OK);

    return status == -1;
}


/* The order by a list of all of them; whether the one who acts is in it. */

static uint32_t
listed(world_t *w, uint64_t now, int period, const char *id, int64_t *is,
    uint32_t *data)
{
    uint32_t              i, n, rank;
    trove_slice_t         s;
    trove_board_state_t   state;

    assert_int_equal(trove_board_list(w->l, 0, period, now, 1, 2 * PLAYERS,
                                      text, entries, &n, &state), TROVE_OK);
    assert_int_equal(n, state.rows);

    s = slice(id);
    rank = 0;

    for (i = 0; i < n; i++) {
        assert_int_equal(entries[i].rank, i + 1);
        assert_true(i == 0 || entries[i - 1].score >= entries[i].score);

        if (entries[i].player.len == s.len
            && memcmp(entries[i].player.data, s.data, s.len) == 0)
        {
            rank = i + 1;
            *is = entries[i].score;
            *data = (uint32_t) entries[i].data.len;
        }
    }

    return rank;
}


static void
next(world_t *w, next_t what)
{
    int64_t                is;
    uint32_t               n, data;
    uint64_t               now;
    trove_slice_t          s;
    trove_board_state_t    state;
    trove_board_written_t  written;

    now = w->now + ((w->act == TURNS) ? DAY : 0);

    switch (what) {

    case WRITES:
        assert_int_equal(score(w->l, "next", -77, 0, NULL, now, &written),
                         TROVE_OK);
        (void) listed(w, now, 0, "next", &is, &data);
        assert_int_equal(is, -77);
        break;

    case RETRIES:
        n = act(w);
        assert_true(n == TROVE_OK
                    || (w->act == REMOVES && n == TROVE_NOTFOUND));
        break;

    case REMOVALS:
        s = slice("p30");
        n = trove_board_remove(w->l, 0, &s, w->now);
        assert_true(n == TROVE_OK || n == TROVE_NOTFOUND);
        break;

    case LISTS:
        (void) listed(w, now, 0, "p1", &is, &data);
        break;

    default:
        s = slice("p1");
        n = trove_board_around(w->l, 0, 0, now, &s, 3, text, entries, &n,
                               &state);
        assert_true(n == TROVE_OK || n == TROVE_NOTFOUND);
    }
}


/* Whether the act has happened, which is seen by who acted. */

static int
happened(world_t *w)
{
    int64_t   is;
    uint32_t  rank, data;
    uint64_t  now;

    is = 0;
    data = 0;
    now = w->now + ((w->act == TURNS) ? DAY : 0);
    rank = listed(w, now, 0, w->id, &is, &data);

    switch (w->act) {

    case MOVES:
        assert_true(is == -400 || is == -385);
        return is == -385;

    case MERGES:
        assert_true(is == -400 || is == 5);
        return is == 5;

    case DATA:
        assert_true(is == -400);
        return data == 8;

    case SEQ:
        assert_true(is == -400);
        return 0;

    case REMOVES:
        return rank == 0;

    case TURNS:
        (void) listed(w, now, -1, w->id, &is, &data);
        assert_true(rank <= 1);
        return rank == 1;

    default:
        assert_true(rank == 0 || data == 4);
        return rank != 0;
    }
}


/* Of who was killed, and whose write is not in doubt: the store is told. */

static int
is_dirty(trove_ledger_t *l)
{
    uint32_t       from, n, numbers[64];
    trove_dirty_t  of;

    n = 0;

    for (of = trove_dirty_board(0, 0); of < trove_dirty_kinds(l); of++) {
        from = 0;
        n += trove_dirty_take(l, of, &from, numbers, 64);
        trove_dirty_give_back(l, of);
    }

    return n != 0;
}


static void
clean(trove_ledger_t *l)
{
    uint32_t       from, numbers[64];
    trove_dirty_t  of;

    for (of = 0; of < trove_dirty_kinds(l); of++) {
        from = 0;

        while (trove_dirty_take(l, of, &from, numbers, 64)) {
            /* void */
        }

        trove_dirty_landed(l, of);
    }
}


static void
death_at_any_point_is_before_or_after(void **state)
{
    int       did, now, killed;
    char     *before;
    size_t    size;
    uint64_t  nth;
    act_t     a;
    next_t    what;
    world_t   w;

    for (a = 0; a < ACTS; a++) {
        world_new(&w, a);
        clean(w.l);

        size = trove_ledger_bytes(w.l);
        before = malloc(size);
        assert_non_null(before);
        memcpy(before, w.l, size);

        for (what = 0; what < NEXT; what++) {
            did = 0;
            killed = 1;

            for (nth = 1; killed; nth++) {
                assert_true(nth < POINTS);
                killed = killed_at(&w, 1, nth);

                while (killed && random_below(3) == 0) {
                    (void) killed_at(&w, 0, 1 + random_below(500));
                }

                alarm(20);
                next(&w, what);
                alarm(0);

                assert_true(trove_ledger_sane(w.l));

                now = happened(&w);
                assert_true(now >= did);
                assert_true(!now || is_dirty(w.l));
                did = (what == RETRIES) ? 0 : now;

                memcpy(w.l, before, size);
            }

            assert_true(nth > 8);
            assert_true(did || what == RETRIES || a == SEQ);
        }

        free(before);
        ledger_free(w.l);
    }
}


/* A living owner is waited for, not for long; who only looks, not at all. */

static void
a_live_owner_is_not_robbed(void **state)
{
    pid_t                  pid;
    int64_t                is;
    uint32_t               data;
    world_t                w;
    trove_slice_t          s;
    _Atomic int           *ready;
    trove_board_written_t  written;

    world_new(&w, NEWCOMER);
    ready = shared_new(sizeof(int));

    pid = child_new();

    if (pid == 0) {
        *ready = 1 + trove_board_lock(w.l, 0);

        for ( ;; ) {
            (void) pause();
        }
    }

    while (!*ready) {
        (void) usleep(1000);
    }

    s = slice("p1");
    assert_int_equal(*ready, 1);
    assert_int_equal(act(&w), TROVE_BUSY);
    assert_int_equal(trove_board_remove(w.l, 0, &s, w.now), TROVE_BUSY);
    assert_int_equal(listed(&w, w.now, 0, "p1", &is, &data), 2);
    assert_false(trove_ledger_sane(w.l));

    assert_int_equal(kill(pid, SIGKILL), 0);
    (void) child_end(pid);

    assert_int_equal(score(w.l, "p1", 9, 9, NULL, w.now, &written), TROVE_OK);
    assert_int_equal(written.rank, 1);
    assert_true(trove_ledger_sane(w.l));

    (void) munmap((void *) ready, sizeof(int));
    ledger_free(w.l);
}


/* What leads out of memory is not followed. */

static void
an_intent_from_elsewhere_is_refused(void **state)
{
    world_t                w;
    trove_board_t         *b;
    trove_board_intent_t   intent;

    world_new(&w, NEWCOMER);
    b = trove_board_of(w.l, 0);
    intent = b->intent;

#define refused(field, value)                                                 \
    b->intent = intent;                                                       \
    b->intent.op = TROVE_BOARD_PUT;                                           \
    b->intent.field = value;                                                  \
    assert_int_equal(act(&w), TROVE_BUSY)

    refused(op, TROVE_BOARD_TURN + 1);
    refused(table, 2);
    refused(row, PLAYERS + 10);
    refused(used, PLAYERS + 11);
    refused(bytes, 128);
    refused(player, 1);

    b->intent = intent;
    assert_int_equal(act(&w), TROVE_OK);

    ledger_free(w.l);
}


/* Should a tree's pools be used up, it is built anew with less of them. */

static void
a_tree_without_nodes_is_built_anew(void **state)
{
    char                   id[16];
    uint32_t               i;
    trove_board_t         *b;
    trove_ledger_t        *l;
    trove_board_conf_t     conf;
    trove_board_written_t  written;

    conf = board_conf("board", 5000);
    conf.keep = TROVE_BOARD_LAST;
    l = boards_new(&conf, 1);
    b = trove_board_of(l, 0);

    for (i = 0; i < 5000; i++) {
        (void) player_id(id, i);

        /* as if many were lost */

        if (i == 2000) {
            b->at.leaves = b->table[0].leaves + 1;
        }

        assert_int_equal(score(l, id, -(int64_t) i, 0, NULL, NOW, &written),
                         TROVE_OK);
        assert_int_equal(written.rank, i + 1);

        if (trove_board_rebuilds(l, 0) != 0) {
            break;
        }
    }

    assert_true(i < 5000);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


/* All that a board's points stand in, in one child. */

static void
everything(trove_ledger_t *l, const char *point)
{
    char                   id[16];
    uint32_t               i, n;
    trove_slice_t          s;
    trove_board_state_t    state;
    trove_board_written_t  written;

    trove_fault_arm(point, 1);

    /* what a dead one left */

    s = slice("p1");
    (void) trove_board_around(l, 0, 0, NOW, &s, 0, text, entries, &n, &state);

    for (i = 0; i < BIG; i++) {
        (void) player_id(id, i);
        (void) score(l, id, random_below(100000), 0, NULL, NOW + 2 * DAY,
                     &written);
    }

    for (i = 0; i < BIG; i++) {
        s = player_id(id, i);
        (void) trove_board_remove(l, 0, &s, NOW + 2 * DAY);
    }

    _exit(0);
}


static trove_ledger_t *
left_by_the_dead(void)
{
    char                   id[16];
    pid_t                  pid;
    uint32_t               i;
    trove_slice_t          s;
    trove_ledger_t        *l;
    trove_board_conf_t     conf;
    trove_board_written_t  written;

    conf = board_conf("board", BIG);
    conf.keep = TROVE_BOARD_LAST;
    conf.reset = TROVE_BOARD_DAILY;
    l = boards_new(&conf, 1);

    for (i = 0; i < BIG; i++) {
        (void) player_id(id, i);
        (void) score(l, id, random_below(100000), 0, NULL, NOW, &written);
    }

    s = slice("p17");
    assert_int_equal(trove_board_remove(l, 0, &s, NOW), TROVE_OK);

    pid = child_new();

    if (pid == 0) {
        trove_fault_arm("board: row stored", 1);
        _exit(score(l, "p1", 1, 0, NULL, NOW, &written));
    }

    assert_int_equal(child_end(pid), -1);

    return l;
}


static void
every_point_that_there_is_is_met(void **state)
{
    int                 met;
    pid_t               pid;
    size_t              i, n;
    trove_ledger_t     *l;
    const char *const  *points;

    points = trove_fault_points(&n);

    for (i = 0; i < n; i++) {

        if (strncmp(points[i], "board", 5) != 0
            && strncmp(points[i], "tree", 4) != 0)
        {
            continue;
        }

        l = left_by_the_dead();
        pid = child_new();

        if (pid == 0) {
            everything(l, points[i]);
        }

        met = (child_end(pid) == -1);

        if (!met) {
            print_error("%s\n", points[i]);
        }

        assert_true(met);
        assert_true(trove_ledger_sane(l));
        ledger_free(l);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(death_at_any_point_is_before_or_after),
        cmocka_unit_test(every_point_that_there_is_is_met),
        cmocka_unit_test(a_live_owner_is_not_robbed),
        cmocka_unit_test(an_intent_from_elsewhere_is_refused),
        cmocka_unit_test(a_tree_without_nodes_is_built_anew),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
