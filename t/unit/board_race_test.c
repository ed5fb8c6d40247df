
/*
 * Many processes write to one board, remove from it and read it at once, and
 * some of the writers are killed.
 *
 * A player's score says which of his writes it is of, and is noted before the
 * write begins and after it is answered.  So whoever reads can tell whether a
 * row can have been what he is shown, between when he asked and when he was
 * answered; and of any list, that it is one: ranks without gaps, scores in
 * order, nobody twice.
 */

#include "boards.h"


#define PLAYERS  150
#define WRITERS  3
#define READERS  2
#define ROUNDS   8
#define WRITES   2500


/*
 * Of each player, who belongs to one writer: the last score that was begun,
 * and the last that was answered.  Scores of a player ascend.
 */

typedef struct {
    trove_ledger_t    *l;
    _Atomic int64_t    begun[PLAYERS];
    _Atomic int64_t    done[PLAYERS];
    _Atomic uint32_t   busy;
    _Atomic uint32_t   lists;
    _Atomic uint32_t   stop;
} world_t;


static world_t              *w;
static char                  text[PLAYERS * 128];
static trove_board_entry_t   entries[PLAYERS];


static uint32_t
player_of(const trove_board_entry_t *e)
{
    char  id[16];

    (void) snprintf(id, sizeof(id), "%.*s", (int) e->player.len,
                    (const char *) e->player.data);

    return (uint32_t) strtoul(id + 1, NULL, 10);
}


/* Whoever finds something wrong ends with it. */

static void
holds(int is, int what)
{
    if (!is) {
        _exit(what);
    }
}


static void
write_some(uint32_t who)
{
    char                   id[16][16], data[16][24];
    uint32_t               i, n, player[16];
    trove_rc_t             rc[16];
    trove_board_write_t    q[16];
    trove_board_written_t  written[16];

    n = (random_below(4) == 0) ? 1 + random_below(16) : 1;

    memset(q, 0, sizeof(q));

    for (i = 0; i < n; i++) {

        /* of one player no two in a batch */

        player[i] = (random_below(PLAYERS / WRITERS / 16) * 16 + i) * WRITERS
                    + who;

        q[i].player = player_id(id[i], player[i]);
        q[i].score = w->done[player[i]] + 1 + random_below(1000);
        q[i].now = NOW;

        (void) snprintf(data[i], sizeof(data[i]), "%lld",
                        (long long) q[i].score);
        q[i].data = slice(data[i]);
        q[i].has_data = 1;

        w->begun[player[i]] = q[i].score;
    }

    if (n == 1) {
        rc[0] = trove_board_write(w->l, 0, &q[0], &written[0]);

    } else {
        trove_board_write_all(w->l, 0, q, written, rc, n);
    }

    for (i = 0; i < n; i++) {

        if (rc[i] == TROVE_BUSY) {
            w->busy++;
            w->begun[player[i]] = w->done[player[i]];
            continue;
        }

        holds(rc[i] == TROVE_OK && written[i].score == q[i].score, 10);
        holds(written[i].rank >= 1 && written[i].rank <= PLAYERS, 11);

        w->done[player[i]] = q[i].score;
    }
}


/* His row is gone and is made again: his scores go on. */

static void
remove_one(uint32_t who)
{
    char           id[16];
    trove_slice_t  s;

    s = player_id(id, random_below(PLAYERS / WRITERS) * WRITERS + who);

    holds(trove_board_remove(w->l, 0, &s, NOW) != TROVE_INVALID, 12);
}


static void
writer(uint32_t who, uint64_t life)
{
    int  i;

    trove_fault_arm(NULL, life);

    for (i = 0; i < WRITES; i++) {

        if (random_below(20) == 0) {
            remove_one(who);

        } else {
            write_some(who);
        }
    }

    _exit(0);
}


/* What was begun before it was answered, and done before it was asked for. */

static void
entry_holds(const trove_board_entry_t *e, const int64_t *done)
{
    char      data[24];
    uint32_t  player;

    player = player_of(e);
    holds(player < PLAYERS, 20);
    holds(e->score <= w->begun[player], 21);
    holds(e->score >= done[player], 22);

    (void) snprintf(data, sizeof(data), "%lld", (long long) e->score);
    holds(e->data.len == strlen(data)
          && memcmp(e->data.data, data, e->data.len) == 0, 23);
}


static void
list_holds(uint32_t from, uint32_t n, const int64_t *done)
{
    uint32_t  i, player;
    char      seen[PLAYERS];

    memset(seen, 0, sizeof(seen));

    for (i = 0; i < n; i++) {
        entry_holds(&entries[i], done);

        player = player_of(&entries[i]);
        holds(!seen[player]++, 24);
        holds(entries[i].rank == from + i, 25);
        holds(i == 0 || entries[i - 1].score >= entries[i].score, 26);
    }

    w->lists++;
}


static void
reader(uint32_t who)
{
    char                  id[16];
    int64_t               done[PLAYERS];
    uint32_t              i, n, from, max;
    trove_rc_t            rc;
    trove_slice_t         s;
    trove_board_state_t   state;

    while (!w->stop) {

        for (i = 0; i < PLAYERS; i++) {
            done[i] = w->done[i];
        }

        from = (random_below(2) == 0) ? 1 : 1 + random_below(PLAYERS);
        max = 1 + random_below(PLAYERS);

        if (random_below(2) == 0) {
            rc = trove_board_list(w->l, 0, 0, NOW, from, max, text, entries,
                                  &n, &state);

            if (rc == TROVE_OK) {
                holds(n <= max && (n == max || from + n > state.rows), 27);
                list_holds(from, n, done);
            }

        } else {
            s = player_id(id, random_below(PLAYERS));
            rc = trove_board_around(w->l, 0, 0, NOW, &s, random_below(10),
                                    text, entries, &n, &state);

            if (rc == TROVE_OK) {
                holds(n >= 1 && entries[n - 1].rank <= state.rows, 28);
                list_holds(entries[0].rank, n, done);
            }
        }

        w->busy += (rc == TROVE_BUSY);
    }

    _exit(0);
}


static void
readers_see_whole_lists_while_others_write(void **state)
{
    pid_t               pid[WRITERS + READERS];
    uint32_t            i, k, lists;
    trove_board_conf_t  conf;

    w = shared_new(sizeof(world_t));
    conf = board_conf("board", PLAYERS);
    conf.keep = TROVE_BOARD_LAST;
    lists = 0;

    for (k = 0; k < ROUNDS; k++) {
        memset(w, 0, sizeof(world_t));
        w->l = boards_new(&conf, 1);

        for (i = 0; i < WRITERS + READERS; i++) {
            pid[i] = child_new();

            if (pid[i] != 0) {
                continue;
            }

            random_seed += (uint64_t) (i + 1) * 7919;
            alarm(120);

            if (i >= WRITERS) {
                reader(i);
            }

            writer(i, (i == 0) ? 0 : 1 + random_below(60000));
        }

        for (i = 0; i < WRITERS; i++) {
            assert_true(child_end(pid[i]) <= 0);
        }

        w->stop = 1;

        for ( /* void */ ; i < WRITERS + READERS; i++) {
            assert_int_equal(child_end(pid[i]), 0);
        }

        assert_true(trove_ledger_sane(w->l));

        lists += w->lists;
        (void) random_bits();
        ledger_free(w->l);
    }

    print_message("# %u lists\n", lists);
    assert_true(lists > 0);
    (void) munmap(w, sizeof(world_t));
}


/* What somebody does just between two steps of a reader. */

static void
meanwhile(void *data)
{
    char                   id[16];
    trove_slice_t          s;
    trove_board_write_t    q;
    trove_board_written_t  written;

    memset(&q, 0, sizeof(q));
    q.player = player_id(id, random_below(PLAYERS));
    q.score = random_below(3000);
    q.now = NOW;

    if (random_below(3) == 0) {
        s = q.player;
        (void) trove_board_remove(data, 0, &s, NOW);

    } else {
        assert_int_equal(trove_board_write(data, 0, &q, &written), TROVE_OK);
    }
}


static void
what_changes_between_two_steps_is_looked_at_again(void **state)
{
    int                   i;
    char                  id[16];
    uint32_t              k, n, from, max;
    trove_slice_t         s;
    trove_ledger_t       *l;
    trove_board_conf_t    conf;
    trove_board_state_t   st;

    static const char *const  points[] = {
        "board: counted rows", "board: found", "board: row copied",
        "board: planned"
    };

    conf = board_conf("board", PLAYERS);
    conf.keep = TROVE_BOARD_LAST;
    l = boards_new(&conf, 1);

    n = 0;

    for (i = 0; i < 300; i++) {
        meanwhile(l);
    }

    for (i = 0; i < 20000; i++) {
        trove_fault_meet_arm(points[random_below(4)], 1 + random_below(30),
                             meanwhile, l);

        from = (random_below(2) == 0) ? 1 : 1 + random_below(50);

        switch (random_below(3)) {

        case 0:
            meanwhile(l);
            break;

        case 1:
            s = player_id(id, random_below(PLAYERS));
            n = 0;
            (void) trove_board_around(l, 0, 0, NOW, &s, 5, text, entries, &n,
                                      &st);
            break;

        default:
            max = (random_below(2) == 0) ? PLAYERS : 1 + random_below(PLAYERS);
            assert_int_equal(trove_board_list(l, 0, 0, NOW, from, max, text,
                                              entries, &n, &st),
                             TROVE_OK);
            assert_true((n == max) ? from + n - 1 <= st.rows
                                   : n == 0 || from + n - 1 == st.rows);
        }

        for (k = 1; k < n; k++) {
            assert_true(entries[k - 1].score >= entries[k].score);
            assert_int_equal(entries[k - 1].rank + 1, entries[k].rank);
        }

        n = 0;
    }

    assert_true(trove_ledger_sane(l));
    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(readers_see_whole_lists_while_others_write),
        cmocka_unit_test(what_changes_between_two_steps_is_looked_at_again),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
