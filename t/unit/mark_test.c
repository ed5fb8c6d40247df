
/*
 * Operations of queues are carried out once each, at whatever point those die
 * who do so, and those who repair what they have left.
 */

#include "boards.h"
#include "trove_mark.h"


#define POINTS   4000         /* more than there are in all operations       */
#define VALUE    50
#define BOARD    0            /* of scores, which are added                  */
#define CLAIMED  1            /* of claims                                   */
#define QUEUES   4


typedef enum {
    PUT,
    REMOVE,
    CLAIM,
    TAP,
    SCORE,
    UNSCORE
} type_t;


typedef struct {
    type_t       type;
    const char  *player;
    uint32_t     reward;
    int64_t      value;
    uint64_t     seq;
} op_t;


/* Done twice, or not in this order, they leave something else. */

static const op_t  ops[] = {
    { PUT, NULL, 1, VALUE, 0 },
    { PUT, NULL, 2, 7, 0 },
    { TAP, "a", 0, 3, 0 },
    { CLAIM, "a", 1, 0, 0 },
    { CLAIM, "a", 1, 0, 0 },                    /* a repeat                  */
    { SCORE, "a", 0, 5, 0 },
    { SCORE, "a", 0, 5, 4 },
    { SCORE, "a", 0, 5, 4 },                    /* a repeat                  */
    { REMOVE, NULL, 2, 0, 0 },
    { REMOVE, NULL, 2, 0, 0 },                  /* there is none             */
    { PUT, NULL, 2, 9, 0 },
    { CLAIM, "b", 2, 0, 0 },
    { CLAIM, "b", 1, 0, 0 },                    /* takes the last            */
    { CLAIM, "c", 1, 0, 0 },                    /* too late                  */
    { TAP, "b", 0, 11, 6 },
    { TAP, "b", 0, 12, 5 },                     /* stale                     */
    { SCORE, "b", 0, 100, 0 },
    { UNSCORE, "a", 0, 0, 0 },
    { UNSCORE, "a", 0, 0, 0 },                  /* there is none             */
    { SCORE, "a", 0, 1, 0 },
    { PUT, NULL, 1, 8, 0 },
};

#define OPS  (sizeof(ops) / sizeof(ops[0]))


static const trove_claim_rules_t  rules;


static trove_ledger_t *
world_new(uint32_t rewards, uint32_t players, uint32_t rows)
{
    trove_board_conf_t   boards[2];
    trove_ledger_conf_t  conf;

    boards[BOARD] = board_conf("sums", rows);
    boards[BOARD].keep = TROVE_BOARD_SUM;
    boards[CLAIMED] = board_conf("found", rows);
    boards[CLAIMED].keep = TROVE_BOARD_SUM;
    boards[CLAIMED].claims = 1;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = rewards;
    conf.players = players;
    conf.claims = 20;
    conf.boards = boards;
    conf.nboards = 2;

    return trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
}


static uint32_t
queue_of(const op_t *op)
{
    switch (op->type) {
    case PUT:
    case REMOVE:
        return TROVE_MARK_REWARDS;
    case CLAIM:
    case TAP:
        return TROVE_MARK_PLAYERS;
    default:
        return TROVE_MARK_BOARDS + BOARD;
    }
}


/* By number 0 it is carried out as if it had never waited. */

static trove_rc_t
carry_out(trove_ledger_t *l, trove_redo_t *r, const op_t *op, uint64_t number)
{
    uint64_t               version;
    trove_tap_t            t;
    trove_claim_t          c;
    trove_slice_t          player;
    trove_reward_t         reward;
    trove_tap_request_t    tq;
    trove_board_write_t    w;
    trove_board_written_t  written;
    trove_claim_request_t  cq;

    player = slice(op->player ? op->player : "");

    switch (op->type) {

    case PUT:
        memset(&reward, 0, sizeof(reward));
        reward.id = op->reward;
        reward.value = (int32_t) op->value;
        reward.stock = 2;

        return number ? trove_mark_put(l, number, &reward, &version)
                      : trove_ledger_put(l, &reward, &version);

    case REMOVE:
        return number ? trove_mark_remove(l, number, op->reward, &version)
                      : trove_ledger_remove(l, op->reward, &version);

    case CLAIM:
        memset(&cq, 0, sizeof(cq));
        cq.player = player;
        cq.reward = op->reward;
        cq.now = NOW;

        return number ? trove_mark_claim(r, number, &rules, &cq, &c)
                      : trove_claim(r, &rules, &cq, &c);

    case TAP:
        memset(&tq, 0, sizeof(tq));
        tq.player = player;
        tq.seq = op->seq;
        tq.now = NOW * 1000;
        tq.value = (int32_t) op->value;

        return number ? trove_mark_tap(r, number, &tq, &t)
                      : trove_tap(r, &tq, &t);

    case SCORE:
        memset(&w, 0, sizeof(w));
        w.player = player;
        w.score = op->value;
        w.seq = op->seq;
        w.now = NOW;

        return number ? trove_mark_score(l, number, BOARD, &w, &written)
                      : trove_board_write(l, BOARD, &w, &written);

    default:
        return number ? trove_mark_unscore(l, number, BOARD, &player, NOW)
                      : trove_board_remove(l, BOARD, &player, NOW);
    }
}


/* From where the marks are, in order. */

static void
drain(trove_ledger_t *l, trove_redo_t *r)
{
    size_t      i;
    uint32_t    queue;
    uint64_t    numbers[QUEUES];
    trove_rc_t  rc;

    memset(numbers, 0, sizeof(numbers));

    for (i = 0; i < OPS; i++) {
        queue = queue_of(&ops[i]);
        numbers[queue]++;

        if (trove_mark(l, queue) >= numbers[queue]) {
            continue;
        }

        rc = carry_out(l, r, &ops[i], numbers[queue]);

        assert_true(rc == TROVE_OK || rc == TROVE_NOTFOUND);
        assert_int_equal(trove_mark(l, queue), numbers[queue]);
    }
}


/* Whether the child was killed before all was done. */

static int
drained_by_child(trove_ledger_t *l, uint64_t nth)
{
    pid_t          pid;
    int            status;
    trove_redo_t  *r;

    pid = child_new();

    if (pid == 0) {
        trove_fault_arm(NULL, nth);

        if (!trove_mark_elect(l) || trove_redo_open(l, &r) != TROVE_OK) {
            _exit(100);
        }

        drain(l, r);
        _exit(0);
    }

    status = child_end(pid);
    assert_true(status == -1 || status == 0);

    return status == -1;
}


static void
same_rewards(trove_ledger_t *a, trove_ledger_t *b)
{
    uint32_t        id;
    trove_rc_t      rc;
    trove_reward_t  ra, rb;

    assert_int_equal(trove_ledger_rewards(a), trove_ledger_rewards(b));

    for (id = 1; id < 5; id++) {
        rc = trove_ledger_get(a, id, &ra);
        assert_int_equal(trove_ledger_get(b, id, &rb), rc);

        if (rc == TROVE_OK) {
            assert_memory_equal(&ra, &rb, sizeof(ra));
        }
    }
}


static void
same_players(trove_ledger_t *a, trove_ledger_t *b)
{
    size_t          i;
    trove_rc_t      rc;
    trove_slice_t   id;
    trove_player_t  pa, pb;

    static const char *const  names[] = { "a", "b", "c" };

    for (i = 0; i < 3; i++) {
        id = slice(names[i]);
        rc = trove_player_get(a, &id, &pa);
        assert_int_equal(trove_player_get(b, &id, &pb), rc);

        if (rc == TROVE_OK) {
            assert_true(pa.balance == pb.balance && pa.seq == pb.seq);
        }
    }
}


static void
same_board(trove_ledger_t *a, trove_ledger_t *b, uint32_t board)
{
    char                 ta[8 * 128], tb[8 * 128];
    uint32_t             i, na, nb;
    trove_board_entry_t  ea[8], eb[8];
    trove_board_state_t  state;

    assert_int_equal(trove_board_list(a, board, 0, NOW, 1, 8, ta, ea, &na,
                                      &state), TROVE_OK);
    assert_int_equal(trove_board_list(b, board, 0, NOW, 1, 8, tb, eb, &nb,
                                      &state), TROVE_OK);
    assert_int_equal(na, nb);

    for (i = 0; i < na; i++) {
        assert_int_equal(ea[i].player.len, eb[i].player.len);
        assert_memory_equal(ea[i].player.data, eb[i].player.data,
                            ea[i].player.len);
        assert_true(ea[i].score == eb[i].score);
    }
}


static void
same(trove_ledger_t *a, trove_ledger_t *b)
{
    same_rewards(a, b);
    same_players(a, b);
    same_board(a, b, BOARD);
    same_board(a, b, CLAIMED);

    assert_true(trove_ledger_sane(a));
}


static void
deaths_at_any_point_leave_each_operation_done_once(void **state)
{
    int              killed;
    char            *empty;
    size_t           i, size;
    uint64_t         nth;
    trove_redo_t    *r;
    trove_ledger_t  *l, *model;

    model = world_new(4, 5, 5);
    r = redo_new(model);

    for (i = 0; i < OPS; i++) {
        (void) carry_out(model, r, &ops[i], 0);
    }

    l = world_new(4, 5, 5);
    size = trove_ledger_bytes(l);
    empty = malloc(size);
    assert_non_null(empty);
    memcpy(empty, l, size);

    killed = 1;

    for (nth = 1; killed; nth++) {
        assert_true(nth < POINTS);
        memcpy(l, empty, size);

        killed = drained_by_child(l, nth);

        for (i = random_below(3); killed && i != 0; i--) {
            (void) drained_by_child(l, 1 + random_below(120));
        }

        assert_true(trove_mark_elect(l));
        r = redo_new(l);
        drain(l, r);
        trove_redo_close(r);
        trove_mark_resign(l);

        same(l, model);
    }

    assert_true(nth > OPS * 8);

    free(empty);
    ledger_free(l);
    ledger_free(model);
}


/* Others go on meanwhile, and carry to its end what is left. */

static void
others_who_repair_move_the_mark_on(void **state)
{
    pid_t            pid;
    trove_tap_t      t;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = world_new(4, 5, 5);
    r = redo_new(l);

    pid = child_new();

    if (pid == 0) {
        assert_true(trove_mark_elect(l));
        trove_fault_arm("redo: noted", 1);
        (void) carry_out(l, redo_new(l), &ops[2], 1);
        _exit(0);
    }

    assert_int_equal(child_end(pid), -1);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 0);

    assert_int_equal(tap(r, "a", 0, 1, &t), TROVE_OK);
    assert_int_equal(t.balance, 4);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 1);

    /* what is not of the queue moves nothing */

    assert_int_equal(tap(r, "a", 0, 1, &t), TROVE_OK);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 1);

    ledger_free(l);
}


static void
what_there_is_no_room_for_stays_the_next(void **state)
{
    uint64_t         version;
    trove_redo_t    *r;
    trove_slice_t    a;
    trove_ledger_t  *l;

    static const op_t  put = { PUT, NULL, 2, 1, 0 };
    static const op_t  tapped = { TAP, "b", 0, 1, 0 };
    static const op_t  scored = { SCORE, "b", 0, 1, 0 };

    l = world_new(1, 1, 1);
    r = redo_new(l);

    reward_put(l, 1, 1, 1);
    assert_int_equal(carry_out(l, r, &ops[2], 0), TROVE_OK);
    assert_int_equal(carry_out(l, r, &ops[5], 0), TROVE_OK);

    assert_int_equal(carry_out(l, r, &put, 1), TROVE_FULL);
    assert_int_equal(carry_out(l, r, &tapped, 1), TROVE_FULL);
    assert_int_equal(carry_out(l, r, &scored, 1), TROVE_FULL);

    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 0);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 0);
    assert_int_equal(trove_mark(l, TROVE_MARK_BOARDS + BOARD), 0);

    assert_int_equal(trove_ledger_remove(l, 1, &version), TROVE_OK);
    a = slice("a");
    assert_int_equal(trove_board_remove(l, BOARD, &a, NOW), TROVE_OK);

    assert_int_equal(carry_out(l, r, &put, 1), TROVE_OK);
    assert_int_equal(carry_out(l, r, &scored, 1), TROVE_OK);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 1);
    assert_int_equal(trove_mark(l, TROVE_MARK_BOARDS + BOARD), 1);

    /* what can never be is put aside */

    assert_int_equal(trove_mark_pass(l, TROVE_MARK_PLAYERS, 1), TROVE_OK);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 1);

    ledger_free(l);
}


static void
a_store_sees_no_half_of_an_operation(void **state)
{
    pid_t            pid;
    trove_redo_t    *r;
    trove_ledger_t  *l;

    l = world_new(4, 5, 5);
    r = redo_new(l);

    assert_int_equal(trove_mark_hold(l), TROVE_OK);
    assert_int_equal(carry_out(l, r, &ops[2], 1), TROVE_BUSY);
    assert_int_equal(carry_out(l, r, &ops[0], 1), TROVE_BUSY);
    assert_int_equal(carry_out(l, r, &ops[5], 1), TROVE_BUSY);
    assert_int_equal(trove_mark_pass(l, TROVE_MARK_PLAYERS, 1), TROVE_BUSY);
    assert_int_equal(trove_mark_begin(l, 5), TROVE_BUSY);
    trove_mark_let_go(l);

    /* nor of one whose drainer is dead */

    pid = child_new();

    if (pid == 0) {
        trove_fault_arm("redo: noted", 1);
        (void) carry_out(l, redo_new(l), &ops[2], 1);
        _exit(0);
    }

    assert_int_equal(child_end(pid), -1);
    assert_int_equal(trove_mark_hold(l), TROVE_OK);
    assert_int_equal(trove_mark(l, TROVE_MARK_PLAYERS), 1);
    trove_mark_let_go(l);

    ledger_free(l);
}


static void
other_queues_begin_anew(void **state)
{
    pid_t            pid;
    uint64_t         nth;
    trove_ledger_t  *l;

    l = world_new(4, 5, 5);

    assert_int_equal(trove_mark_whose(l), 0);
    assert_int_equal(trove_mark_begin(l, 5), TROVE_OK);
    assert_int_equal(trove_mark_whose(l), 5);

    assert_int_equal(trove_mark_pass(l, TROVE_MARK_REWARDS, 3), TROVE_OK);
    trove_mark_queue(l, TROVE_MARK_REWARDS, 8);
    trove_mark_queue(l, TROVE_MARK_REWARDS, 7);
    assert_int_equal(trove_mark_queued(l, TROVE_MARK_REWARDS), 8);

    assert_int_equal(trove_mark_begin(l, 5), TROVE_OK);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 3);

    for (nth = 1; nth < 20; nth++) {
        pid = child_new();

        if (pid == 0) {
            trove_fault_arm(NULL, nth);
            _exit(trove_mark_begin(l, 5 + nth));
        }

        if (child_end(pid) == 0) {
            break;
        }

        assert_int_equal(trove_mark_begin(l, 5 + nth), TROVE_OK);
        assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 0);
        assert_int_equal(trove_mark_queued(l, TROVE_MARK_REWARDS), 0);
        assert_int_equal(trove_mark_pass(l, TROVE_MARK_REWARDS, 3), TROVE_OK);
    }

    assert_in_range(nth, 6, 19);
    assert_int_equal(trove_mark(l, TROVE_MARK_REWARDS), 0);

    ledger_free(l);
}


static void
what_waits_is_not_known_of_other_queues(void **state)
{
    uint32_t         doubts;
    trove_ledger_t  *l;

    l = world_new(4, 5, 5);

    assert_true(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_false(trove_mark_sure(l));

    trove_mark_known(l, trove_mark_doubts(l));
    assert_true(trove_mark_sure(l));
    assert_false(trove_mark_pending(l, TROVE_MARK_REWARDS));

    /* who tells of what was made after the drainer has looked is believed */

    doubts = trove_mark_doubts(l);
    trove_mark_tell(l, 7, TROVE_MARK_PLAYERS, 1);
    trove_mark_known(l, doubts);
    assert_false(trove_mark_sure(l));
    assert_true(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_int_equal(trove_mark_queued(l, TROVE_MARK_PLAYERS), 0);

    assert_int_equal(trove_mark_begin(l, 7), TROVE_OK);
    assert_false(trove_mark_sure(l));
    trove_mark_known(l, trove_mark_doubts(l));
    assert_false(trove_mark_pending(l, TROVE_MARK_PLAYERS));

    trove_mark_tell(l, 7, TROVE_MARK_PLAYERS, 1);
    assert_true(trove_mark_sure(l));
    assert_true(trove_mark_pending(l, TROVE_MARK_PLAYERS));
    assert_false(trove_mark_pending(l, TROVE_MARK_REWARDS));
    assert_int_equal(trove_mark_pass(l, TROVE_MARK_PLAYERS, 1), TROVE_OK);
    assert_false(trove_mark_pending(l, TROVE_MARK_PLAYERS));

    ledger_free(l);
}


static void
one_process_is_the_drainer(void **state)
{
    pid_t            pid;
    trove_ledger_t  *l;

    l = world_new(4, 5, 5);

    assert_true(trove_mark_elect(l));
    assert_true(trove_mark_elect(l));

    pid = child_new();

    if (pid == 0) {
        _exit(trove_mark_elect(l));
    }

    assert_int_equal(child_end(pid), 0);
    trove_mark_resign(l);

    pid = child_new();

    if (pid == 0) {
        _exit(trove_mark_elect(l));
    }

    assert_int_equal(child_end(pid), 1);
    assert_true(trove_mark_elect(l));

    ledger_free(l);
}


/* Who succeeds a dead holder is at all of them. */

static void
every_point_that_there_is_is_met(void **state)
{
    pid_t               pid;
    size_t              i, n, met;
    trove_ledger_t     *l;
    const char *const  *points;

    met = 0;
    points = trove_fault_points(&n);

    for (i = 0; i < n; i++) {

        if (strncmp(points[i], "mark", 4) != 0
            && strncmp(points[i], "elect", 5) != 0)
        {
            continue;
        }

        l = world_new(4, 5, 5);
        pid = child_new();

        if (pid == 0) {
            _exit(trove_mark_hold(l));
        }

        assert_int_equal(child_end(pid), 0);
        pid = child_new();

        if (pid == 0) {
            trove_fault_arm(points[i], 1);
            (void) (trove_mark_elect(l) && trove_mark_begin(l, 5));
            drain(l, redo_new(l));
            _exit(0);
        }

        if (child_end(pid) != -1) {
            fail_msg("%s", points[i]);
        }

        ledger_free(l);
        met++;
    }

    assert_true(met > 5);
}


static void
queues_have_names(void **state)
{
    char             buf[TROVE_MARK_NAME];
    uint32_t         queue;
    trove_slice_t    name;
    trove_ledger_t  *l;

    l = world_new(4, 5, 5);

    assert_int_equal(trove_marks(l), QUEUES);
    assert_string_equal(trove_mark_name(l, 0, buf), "rewards");
    assert_string_equal(trove_mark_name(l, 3, buf), "board:found");

    for (queue = 0; queue < QUEUES; queue++) {
        name = slice(trove_mark_name(l, queue, buf));
        assert_int_equal(trove_mark_find(l, &name), queue);
    }

    name = slice("board:foun");
    assert_int_equal(trove_mark_find(l, &name), TROVE_MARK_NONE);

    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(deaths_at_any_point_leave_each_operation_done_once),
        cmocka_unit_test(others_who_repair_move_the_mark_on),
        cmocka_unit_test(what_there_is_no_room_for_stays_the_next),
        cmocka_unit_test(a_store_sees_no_half_of_an_operation),
        cmocka_unit_test(other_queues_begin_anew),
        cmocka_unit_test(what_waits_is_not_known_of_other_queues),
        cmocka_unit_test(one_process_is_the_drainer),
        cmocka_unit_test(every_point_that_there_is_is_met),
        cmocka_unit_test(queues_have_names),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
