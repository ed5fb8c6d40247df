
/*
 * Claims that are added to boards: one by one, by many processes at once of
 * which some are killed, and death at every store.
 */

#include "boards.h"
#include "trove_restore.h"


#define DAY        86400000ULL
#define POINTS     3000       /* more than there are in one act              */
#define PLAYERS    12
#define PROCESSES  4


/* The boards: one for ever and one of days, and between them of POSTs. */

static trove_ledger_t *
credits_new(uint32_t rows)
{
    uint32_t              i;
    trove_ledger_t       *l;
    trove_board_conf_t    boards[3];
    trove_ledger_conf_t   conf;

    boards[0] = board_conf("ever", rows);
    boards[1] = board_conf("posts", 5);
    boards[2] = board_conf("daily", rows);
    boards[2].reset = TROVE_BOARD_DAILY;

    for (i = 0; i < 3; i += 2) {
        boards[i].keep = TROVE_BOARD_SUM;
        boards[i].claims = 1;
    }

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 200;
    conf.players = 100;
    conf.claims = 20000;
    conf.boards = boards;
    conf.nboards = 3;

    l = trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);

    for (i = 1; i <= 200; i++) {
        reward_put(l, i, (int32_t) i, 1000);
    }

    return l;
}


static trove_rc_t
claim_at(trove_redo_t *r, const char *player, uint32_t reward, uint64_t now,
    trove_claim_t *c)
{
    trove_claim_rules_t    rules;
    trove_claim_request_t  q;

    memset(&rules, 0, sizeof(rules));
    memset(&q, 0, sizeof(q));
    q.player = slice(player);
    q.reward = reward;
    q.now = now;

    return trove_claim(r, &rules, &q, c);
}


/* The player's score; 0, also if there is none. */

static int64_t
score_of(trove_ledger_t *l, uint32_t board, int period, uint64_t now,
    const char *player)
{
    char                  text[128];
    uint32_t              n;
    trove_rc_t            rc;
    trove_slice_t         s;
    trove_board_state_t   state;
    trove_board_entry_t   e;

    s = slice(player);
    rc = trove_board_around(l, board, period, now, &s, 0, text, &e, &n,
                            &state);
    assert_true(rc == TROVE_OK || rc == TROVE_NOTFOUND);

    return (rc == TROVE_OK) ? e.score : 0;
}


static int64_t
balance_of(trove_ledger_t *l, const char *player)
{
    trove_rc_t      rc;
    trove_slice_t   s;
    trove_player_t  p;

    s = slice(player);
    rc = trove_player_get(l, &s, &p);
    assert_true(rc == TROVE_OK || rc == TROVE_NOTFOUND);

    return (rc == TROVE_OK) ? p.balance : 0;
}


static void
a_claim_is_added_to_its_boards(void **state)
{
    uint32_t               k, from, numbers[64];
    trove_slice_t          s;
    trove_redo_t          *r;
    trove_claim_t          c;
    trove_ledger_t        *l;
    trove_board_write_t    q;
    trove_board_written_t  written;

    l = credits_new(10);
    r = redo_new(l);

    assert_int_equal(claim_at(r, "p1", 50, NOW, &c), TROVE_OK);
    assert_int_equal(claim_at(r, "p1", 7, NOW, &c), TROVE_OK);
    assert_int_equal(claim_at(r, "p2", 99, NOW, &c), TROVE_OK);

    /* a repeat adds nothing, nor does what is not granted */

    assert_int_equal(claim_at(r, "p1", 7, NOW, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_REPEAT);
    assert_int_equal(claim_at(r, "p1", 777, NOW, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_UNKNOWN);

    for (k = 0; k < 3; k += 2) {
        assert_true(score_of(l, k, 0, NOW, "p1") == 57);
        assert_true(score_of(l, k, 0, NOW, "p2") == 99);
    }

    /* the next day */

    assert_int_equal(claim_at(r, "p1", 3, NOW + DAY, &c), TROVE_OK);
    assert_true(score_of(l, 0, 0, NOW + DAY, "p1") == 60);
    assert_true(score_of(l, 2, 0, NOW + DAY, "p1") == 3);
    assert_true(score_of(l, 2, -1, NOW + DAY, "p1") == 57);

    /* one of the day before, by a clock that is behind, and an older one */

    assert_int_equal(claim_at(r, "p2", 4, NOW, &c), TROVE_OK);
    assert_true(score_of(l, 2, -1, NOW + DAY, "p2") == 103);
    assert_true(score_of(l, 2, 0, NOW + DAY, "p2") == 0);
    assert_int_equal(claim_at(r, "p2", 5, NOW - DAY, &c), TROVE_OK);
    assert_true(score_of(l, 2, -1, NOW + DAY, "p2") == 103);
    assert_true(score_of(l, 0, 0, NOW, "p2") == 108);

    /* of a day that nobody has claimed in yet, after a later one began */

    assert_int_equal(claim_at(r, "p1", 20, NOW + 5 * DAY, &c), TROVE_OK);
    assert_int_equal(claim_at(r, "p2", 20, NOW + 4 * DAY, &c), TROVE_OK);
    assert_true(score_of(l, 2, -1, NOW + 5 * DAY, "p2") == 20);
    assert_true(score_of(l, 2, 0, NOW + 4 * DAY, "p1") == 20);

    /* a row that was removed begins anew */

    s = slice("p1");
    from = 0;
    assert_int_equal(trove_dirty_take(l, TROVE_DIRTY_PLAYERS, &from, numbers,
                                      64), 2);
    assert_int_equal(trove_board_remove(l, 0, &s, NOW), TROVE_OK);
    from = 0;
    assert_int_equal(trove_dirty_take(l, TROVE_DIRTY_PLAYERS, &from, numbers,
                                      64), 1);
    assert_int_equal(numbers[0], 0);
    assert_true(score_of(l, 0, 0, NOW, "p1") == 0);
    assert_int_equal(claim_at(r, "p1", 1, NOW, &c), TROVE_OK);
    assert_true(score_of(l, 0, 0, NOW, "p1") == 1);

    memset(&q, 0, sizeof(q));
    q.player = s;
    assert_int_equal(trove_board_write(l, 0, &q, &written), TROVE_INVALID);
    assert_int_equal(trove_board_write(l, 1, &q, &written), TROVE_OK);

    assert_true(trove_ledger_sane(l));
    ledger_free(l);
}


static void
a_full_board_refuses_the_claim(void **state)
{
    char             id[16];
    uint32_t         i;
    trove_slice_t    s;
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;
    trove_reward_t   reward;

    l = credits_new(3);
    r = redo_new(l);

    for (i = 0; i < 3; i++) {
        (void) player_id(id, i);
        assert_int_equal(claim_at(r, id, 5, NOW, &c), TROVE_OK);
    }

    assert_int_equal(claim_at(r, "more", 5, NOW, &c), TROVE_FULL);
    assert_int_equal(trove_ledger_get(l, 5, &reward), TROVE_OK);
    assert_int_equal(reward.taken, 3);
    assert_int_equal(trove_ledger_players(l), 3);

    /* who has a row goes on */

    assert_int_equal(claim_at(r, "p1", 6, NOW, &c), TROVE_OK);
    assert_int_equal(c.result, TROVE_CLAIM_GRANTED);

    s = slice("p1");
    assert_int_equal(trove_board_remove(l, 0, &s, NOW), TROVE_OK);
    assert_int_equal(claim_at(r, "more", 5, NOW, &c), TROVE_FULL);
    assert_int_equal(trove_board_remove(l, 2, &s, NOW), TROVE_OK);
    assert_int_equal(claim_at(r, "more", 5, NOW, &c), TROVE_OK);
    assert_true(score_of(l, 2, 0, NOW, "more") == 5);
    assert_int_equal(claim_at(r, "p1", 8, NOW, &c), TROVE_FULL);
    assert_int_equal(balance_of(l, "p1"), 11);

    assert_true(trove_ledger_sane(l));
    ledger_free(l);
}


/* A score stops at what it can hold, as a balance does. */

static void
a_score_stays_within_its_range(void **state)
{
    int64_t             is;
    trove_redo_t       *r;
    trove_claim_t       c;
    trove_ledger_t     *l;
    trove_board_row_t   row;

    l = credits_new(5);
    r = redo_new(l);

    assert_int_equal(claim_at(r, "p1", 5, NOW, &c), TROVE_OK);
    ledger_free(l);

    l = credits_new(5);
    is = TROVE_BOARD_SCORE_MAX - 3;

    memset(&row, 0, sizeof(row));
    row.player = slice("p1");
    row.score = is;
    row.reached = 1;

    r = redo_new(l);
    assert_int_equal(trove_restore_player(l, 0, &row.player,
                                          &(trove_player_t) { 0 }), TROVE_OK);
    assert_int_equal(trove_restore_score(l, 0, 0, &row), TROVE_OK);
    trove_restore_end(l);

    assert_int_equal(claim_at(r, "p1", 5, NOW, &c), TROVE_OK);
    assert_true(score_of(l, 0, 0, NOW, "p1") == TROVE_BOARD_SCORE_MAX);
    assert_true(score_of(l, 2, 0, NOW, "p1") == 5);

    assert_true(trove_ledger_sane(l));
    ledger_free(l);
}


/* All that a claim changes, or nothing of it. */

static void
all_add_up(trove_ledger_t *l, const char *player)
{
    int64_t  balance;

    balance = balance_of(l, player);

    assert_true(score_of(l, 0, 0, NOW, player) == balance);
    assert_true(score_of(l, 2, 0, NOW, player) == balance);
}


static int
killed_at(trove_ledger_t *l, const char *player, uint64_t nth)
{
    int            status;
    pid_t          pid;
    trove_redo_t  *r;
    trove_claim_t  c;

    pid = child_new();

    if (pid == 0) {

        if (player == NULL) {
            trove_fault_arm(NULL, nth);
            _exit(trove_redo_recover(l));
        }

        if (trove_redo_open(l, &r) != TROVE_OK) {
            _exit(100);
        }

        trove_fault_arm(NULL, nth);
        _exit(claim_at(r, player, 9, NOW, &c));
    }

    status = child_end(pid);
    assert_true(status == -1 || status == TROVE_OK);

    return status == -1;
}


typedef enum {
    CLAIMS,                   /* of another player                           */
    LAST,                     /* who takes the last row that there is        */
    RETRIES,
    RECOVERS,
    LOOKS,
    REMOVES,
    NEXT
} next_t;


static void
next(trove_ledger_t *l, trove_redo_t *r, const char *player, next_t what)
{
    trove_rc_t     rc;
    trove_slice_t  s;
    trove_claim_t  c;

    switch (what) {

    case CLAIMS:
        assert_int_equal(claim_at(r, "p1", 8, NOW, &c), TROVE_OK);
        break;

    case LAST:
        rc = claim_at(r, "last", 8, NOW, &c);
        assert_true(rc == TROVE_OK || rc == TROVE_FULL);
        break;

    case RETRIES:
        assert_int_equal(claim_at(r, player, 9, NOW, &c), TROVE_OK);
        break;

    case LOOKS:
        (void) score_of(l, 0, 0, NOW, player);
        (void) score_of(l, 2, 0, NOW, "p1");
        break;

    case REMOVES:
        s = slice(player);
        rc = trove_board_remove(l, 0, &s, NOW);
        assert_true(rc == TROVE_OK || rc == TROVE_NOTFOUND);
        break;

    default:
        break;
    }

    assert_int_equal(trove_redo_recover(l), TROVE_OK);
}


static void
death_at_any_point_is_before_or_after(void **state)
{
    int              did, now, killed, newcomer;
    char            *before;
    size_t           size;
    int64_t          was;
    uint64_t         nth;
    next_t           what;
    const char      *player;
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;

    for (newcomer = 0; newcomer < 2; newcomer++) {

        /* there is room for one more */

        l = credits_new(4 - !newcomer);
        r = redo_new(l);
        player = newcomer ? "dies" : "p2";

        assert_int_equal(claim_at(r, "p1", 1, NOW, &c), TROVE_OK);
        assert_int_equal(claim_at(r, "p2", 2, NOW, &c), TROVE_OK);
        assert_int_equal(claim_at(r, "p3", 3, NOW - newcomer * DAY, &c),
                         TROVE_OK);
        assert_int_equal(claim_at(r, "p3", 4, NOW, &c), TROVE_OK);

        size = trove_ledger_bytes(l);
        before = malloc(size);
        assert_non_null(before);
        memcpy(before, l, size);

        for (what = 0; what < NEXT; what++) {
            did = 0;
            killed = 1;

            for (nth = 1; killed; nth++) {
                assert_true(nth < POINTS);

                was = balance_of(l, player);
                killed = killed_at(l, player, nth);

                while (killed && random_below(3) == 0) {
                    (void) killed_at(l, NULL, 1 + random_below(150));
                }

                alarm(20);
                next(l, r, player, what);
                alarm(0);

                assert_true(trove_ledger_sane(l));

                now = balance_of(l, player) != was;
                assert_true(now >= did);
                did = now;

                if (what == REMOVES) {
                    assert_true(score_of(l, 0, 0, NOW, player) == 0
                                || score_of(l, 0, 0, NOW, player) == 9);
                    assert_true(score_of(l, 2, 0, NOW, player)
                                == balance_of(l, player));

                } else {
                    all_add_up(l, player);
                    all_add_up(l, "last");
                }

                assert_int_equal(claim_at(r, player, 9, NOW, &c),
                                 (what == LAST && newcomer && !did)
                                 ? TROVE_FULL : TROVE_OK);

                memcpy(l, before, size);
            }

            assert_true(did && nth > 20);
        }

        free(before);
        ledger_free(l);
    }
}


/* Claims of any players, and rows that are taken away. */

static void
race(trove_ledger_t *l, uint64_t life)
{
    int              i;
    char             id[16];
    trove_rc_t       rc;
    trove_slice_t    s;
    trove_redo_t    *r;
    trove_claim_t    c;

    do {
        rc = trove_redo_open(l, &r);
    } while (rc == TROVE_BUSY);

    trove_fault_arm(NULL, life);

    for (i = 0; i < 400; i++) {
        (void) player_id(id, random_below(PLAYERS));
        (void) claim_at(r, id, 1 + random_below(200), NOW, &c);

        if (random_below(50) == 0) {
            s = slice("nobody");
            (void) trove_board_remove(l, 0, &s, NOW);
        }
    }

    trove_redo_close(r);
    _exit(0);
}


static void
many_processes_add_what_was_granted(void **state)
{
    char             id[16];
    pid_t            pid[PROCESSES];
    uint32_t         i, k;
    trove_ledger_t  *l;

    for (k = 0; k < 12; k++) {
        l = credits_new(PLAYERS);

        for (i = 0; i < PROCESSES; i++) {
            pid[i] = child_new();

            if (pid[i] == 0) {
                random_seed += (uint64_t) (i + 1) * 7919;
                race(l, (i % 2 != 0) ? 1 + random_below(20000) : 0);
            }
        }

        for (i = 0; i < PROCESSES; i++) {
            (void) child_end(pid[i]);
        }

        assert_int_equal(trove_redo_recover(l), TROVE_OK);
        assert_true(trove_ledger_sane(l));

        for (i = 0; i < PLAYERS; i++) {
            (void) player_id(id, i);
            all_add_up(l, id);
        }

        ledger_free(l);
        (void) random_bits();
    }
}


/* Who holds a board's lock and lives keeps what the dead left waiting. */

static void
a_live_owner_is_not_robbed(void **state)
{
    pid_t            pid;
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_ledger_t  *l;
    _Atomic int     *ready;

    l = credits_new(10);
    r = redo_new(l);
    ready = shared_new(sizeof(int));

    assert_int_equal(claim_at(r, "p1", 1, NOW, &c), TROVE_OK);

    pid = child_new();

    if (pid == 0) {
        *ready = 1 + trove_board_lock(l, 2);

        for ( ;; ) {
            (void) pause();
        }
    }

    while (!*ready) {
        (void) usleep(1000);
    }

    assert_int_equal(claim_at(r, "p1", 2, NOW, &c), TROVE_BUSY);
    assert_int_equal(claim_at(r, "p2", 2, NOW, &c), TROVE_BUSY);
    assert_int_equal(balance_of(l, "p1"), 1);

    assert_int_equal(kill(pid, SIGKILL), 0);
    (void) child_end(pid);

    assert_int_equal(claim_at(r, "p1", 2, NOW, &c), TROVE_OK);
    all_add_up(l, "p1");
    assert_true(trove_ledger_sane(l));

    (void) munmap((void *) ready, sizeof(int));
    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_claim_is_added_to_its_boards),
        cmocka_unit_test(a_full_board_refuses_the_claim),
        cmocka_unit_test(a_score_stays_within_its_range),
        cmocka_unit_test(death_at_any_point_is_before_or_after),
        cmocka_unit_test(many_processes_add_what_was_granted),
        cmocka_unit_test(a_live_owner_is_not_robbed),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
