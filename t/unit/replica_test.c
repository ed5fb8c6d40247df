
/*
 * A copy has what the ledger has that decides: after any snapshot, any change
 * that is carried out again, and beside those who read it.
 */

#include "replica.h"
#include "trove_view.h"


#define ROUNDS   40
#define ENTRIES  120


/* As a snapshot that does not fit is taken once more, when all is quiet. */

static void
load(world_t *w, trove_redo_t *r, uint32_t acts)
{
    trove_rc_t  rc;

    rc = snapshot(w, r, acts);

    if (rc == TROVE_FULL) {
        rc = snapshot(w, r, 0);
    }

    assert_int_equal(rc, TROVE_OK);
}


static void
a_copy_that_follows_is_the_same(void **state)
{
    uint64_t       i;
    world_t        w;
    trove_redo_t  *r;

    world_new(&w);
    assert_true(trove_replica_elect(w.copy));
    r = redo_new(w.copy);

    assert_int_equal(trove_replica_state(w.copy), TROVE_REPLICA_NEVER);
    assert_int_equal(snapshot(&w, r, 0), TROVE_OK);
    assert_int_equal(trove_replica_state(w.copy), TROVE_REPLICA_LIVE);
    assert_string_equal(trove_replica_instance(w.copy), "abc");

    for (i = 0; i < 20 * ENTRIES; i++) {
        master_acts(&w);

        while (trove_replica_log(w.copy) < w.log->log) {
            assert_int_equal(entry_apply(&w, r, trove_replica_log(w.copy) + 1),
                             TROVE_OK);
        }

        if (i % 16 == 0) {
            same(&w, r);
            assert_true(trove_ledger_sane(w.copy));
        }
    }

    world_free(&w);
}


static void
a_snapshot_in_any_order_is_the_same(void **state)
{
    uint32_t       i, round;
    world_t        w;
    trove_redo_t  *r;

    world_new(&w);
    assert_true(trove_replica_elect(w.copy));
    r = redo_new(w.copy);

    for (round = 0; round < ROUNDS; round++) {

        for (i = random_below(ENTRIES); i != 0; i--) {
            master_acts(&w);
        }

        load(&w, r, random_below(3) ? 1 + random_below(20) : 0);
        assert_int_equal(trove_replica_log(w.copy), w.log->log);
        assert_int_equal(trove_replica_generation(w.copy) % 2, 0);

        assert_true(trove_ledger_sane(w.copy));
        same(&w, r);

        for (i = random_below(ENTRIES); i != 0; i--) {
            master_acts(&w);
        }

        while (trove_replica_log(w.copy) < w.log->log) {
            assert_int_equal(entry_apply(&w, r, trove_replica_log(w.copy) + 1),
                             TROVE_OK);
        }

        assert_true(trove_ledger_sane(w.copy));
        same(&w, r);
    }

    world_free(&w);
}


/* As after a death: the changes of an entry again, in order, from the first. */

static void
a_change_that_is_made_again_is_one(void **state)
{
    uint32_t        i, n, done;
    uint64_t        number;
    world_t         w;
    entry_t        *e;
    trove_redo_t   *r;

    world_new(&w);
    assert_true(trove_replica_elect(w.copy));
    r = redo_new(w.copy);
    assert_int_equal(snapshot(&w, r, 0), TROVE_OK);

    for (i = 0; i < 10 * ENTRIES; i++) {
        master_acts(&w);
        number = trove_replica_log(w.copy) + 1;

        if (number > w.log->log) {
            continue;
        }

        e = &w.log->entry[number];

        for (done = random_below(e->n + 1), n = 0; n < done; n++) {
            assert_int_equal(change_apply(&w, r, &e->c[n]), TROVE_OK);
        }

        assert_int_equal(entry_apply(&w, r, number), TROVE_OK);
        same(&w, r);
    }

    assert_true(trove_ledger_sane(w.copy));
    world_free(&w);
}


static void
an_empty_one_is_as_it_was_laid_out(void **state)
{
    uint32_t             i, board;
    world_t              w;
    trove_redo_t        *r;
    trove_board_state_t  s;

    world_new(&w);
    assert_true(trove_replica_elect(w.copy));
    r = redo_new(w.copy);

    for (i = 0; i < 5 * ENTRIES; i++) {
        master_acts(&w);
    }

    for (i = 0; i < 3; i++) {
        load(&w, r, 0);
        assert_int_equal(trove_replica_generation(w.copy), 4 * i + 2);

        assert_int_equal(trove_replica_begin(w.copy, "other"), TROVE_OK);
        assert_int_equal(trove_replica_state(w.copy), TROVE_REPLICA_LOADING);
        assert_true(trove_replica_loaded(w.copy));
        assert_string_equal(trove_replica_instance(w.copy), "other");

        assert_int_equal(trove_ledger_rewards(w.copy), 0);
        assert_int_equal(trove_ledger_players(w.copy), 0);
        assert_int_equal(trove_ledger_claims(w.copy), 0);

        for (board = 0; board < BOARDS; board++) {
            trove_board_state(w.copy, board, 0, w.log->now, &s);
            assert_int_equal(s.rows, 0);
        }

        assert_true(trove_ledger_sane(w.copy));
        assert_int_equal(trove_replica_live(w.copy, 7, 3), TROVE_OK);
        assert_int_equal(trove_replica_log(w.copy), 7);
        assert_int_equal(trove_ledger_version(w.copy), 3);
        assert_true(trove_ledger_sane(w.copy));
        assert_int_equal(trove_replica_live(w.copy, 7, 3), TROVE_INVALID);
        assert_int_equal(trove_replica_begin(w.copy, "abc"), TROVE_OK);
    }

    world_free(&w);
}


static void
what_no_ledger_can_have_is_refused(void **state)
{
    char                   id[16], big[64];
    uint32_t               i;
    world_t                w;
    trove_redo_t          *r;
    trove_slice_t          s, none;
    trove_reward_t         reward;
    trove_player_t         p;
    trove_board_row_t      row;
    trove_restore_claim_t  c;

    world_new(&w);
    assert_true(trove_replica_elect(w.copy));
    r = redo_new(w.copy);
    assert_int_equal(trove_replica_begin(w.copy, "abc"), TROVE_OK);

    memset(&none, 0, sizeof(none));
    memset(&p, 0, sizeof(p));
    memset(&row, 0, sizeof(row));
    memset(&reward, 0, sizeof(reward));
    memset(big, 'x', sizeof(big));
    s = player_id(id, 1);

    assert_int_equal(trove_replica_put(w.copy, &reward, 1), TROVE_INVALID);
    reward.id = 1;
    assert_int_equal(trove_replica_put(w.copy, &reward, 0), TROVE_INVALID);

    for (i = 1; i <= REWARDS; i++) {
        reward.id = i;
        assert_int_equal(trove_replica_put(w.copy, &reward, i), TROVE_OK);
    }

    reward.id = i;
    assert_int_equal(trove_replica_put(w.copy, &reward, i), TROVE_FULL);

    memset(&c, 0, sizeof(c));
    assert_int_equal(trove_replica_claim(r, &s, &c), TROVE_INVALID);
    c.reward = 1;
    c.born = 1;
    c.ordinal = 1;
    assert_int_equal(trove_replica_claim(r, &none, &c), TROVE_INVALID);
    assert_int_equal(trove_replica_claim(r, &s, &c), TROVE_OK);

    assert_int_equal(trove_replica_player(r, &none, &p), TROVE_INVALID);

    for (i = 1; i <= PLAYERS + 2; i++) {
        s = player_id(id, i);
        assert_int_equal(trove_replica_player(r, &s, &p), TROVE_OK);
    }

    s = player_id(id, i);
    assert_int_equal(trove_replica_player(r, &s, &p), TROVE_FULL);
    assert_int_equal(trove_replica_claim(r, &s, &c), TROVE_FULL);

    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_INVALID);
    row.player = s;
    row.period = 1;
    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_INVALID);
    row.period = 0;
    row.score = TROVE_BOARD_SCORE_MAX + 1;
    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_INVALID);
    row.score = 0;
    row.data.data = (unsigned char *) big;
    row.data.len = 33;
    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_INVALID);
    row.data.len = 32;
    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_OK);

    /* there are no two that were reached at the same time */

    row.player = player_id(id, 77);
    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_INVALID);

    for (i = 1; i < ROWS; i++) {
        row.player = player_id(id, i);
        row.reached = i;
        assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_OK);
    }

    row.player = player_id(id, 78);
    row.reached = i;
    assert_int_equal(trove_replica_score(w.copy, EVER, &row), TROVE_FULL);

    assert_true(trove_ledger_sane(w.copy));
    world_free(&w);
}


/* There is one follower, and the next one when it is dead or has resigned. */

static void
there_is_one_follower(void **state)
{
    int      i;
    pid_t    pid;
    world_t  w;

    world_new(&w);
    assert_true(trove_replica_elect(w.copy));
    assert_true(trove_replica_elect(w.copy));

    for (i = 0; i < 2; i++) {
        pid = child_new();

        if (pid == 0) {
            _exit(trove_replica_elect(w.copy));
        }

        assert_int_equal(child_end(pid), i);

        trove_replica_resign(w.copy);
    }

    /* that one is dead */

    assert_true(trove_replica_elect(w.copy));

    world_free(&w);
}


/*
 * Views: as they were while the copy is filled, and then new ones.
 */

static const trove_simd_t *
kernels(void)
{
    return trove_simd_select(TROVE_SIMD_AUTO);
}


static uint64_t
found_by(trove_view_t *v)
{
    trove_query_t   q;
    trove_answer_t  a;

    memset(&q, 0, sizeof(q));
    memset(&a, 0, sizeof(a));
    q.shape = TROVE_BOX;
    q.w = 1000;
    q.h = 1000;
    q.now = NOW / 1000;

    trove_view_query(v, &q, &a);

    return a.found;
}


static trove_view_t *
view_of(trove_ledger_t *l)
{
    trove_view_t  *v;

    assert_int_equal(trove_view_build(&v, l, kernels(),
                                      TROVE_PAGES_OFF, NULL), TROVE_OK);

    return v;
}


static void
fill(trove_ledger_t *l, uint32_t from, uint32_t n)
{
    trove_reward_t  r;

    memset(&r, 0, sizeof(r));
    r.stock = 1;

    for ( /* void */ ; n != 0; n--) {
        r.id = from++;
        r.x = n;
        assert_int_equal(trove_replica_put(l, &r, r.id), TROVE_OK);
    }
}


static void
views_stay_and_then_are_new(void **state)
{
    int             fd;
    trove_view_t   *v, *other, *kept;
    trove_ledger_t *l;

    l = ledger_new(100, 0, 0);
    fd = trove_snapshot_open();

    v = view_of(l);
    assert_int_equal(trove_view_generation(v), 0);
    assert_int_equal(trove_view_sync(v, 100), TROVE_OK);

    assert_int_equal(trove_replica_begin(l, "a"), TROVE_OK);
    fill(l, 1, 50);
    assert_int_equal(trove_ledger_version(l), 0);

    /* before it is whole, nothing is seen */

    assert_true(trove_view_synced(v));
    assert_int_equal(trove_view_sync(v, 100), TROVE_OK);
    assert_int_equal(trove_view_follow(v, NULL), TROVE_OK);
    assert_int_equal(found_by(v), 0);

    assert_int_equal(trove_replica_live(l, 9, 500), TROVE_OK);
    assert_false(trove_view_synced(v));
    assert_int_equal(trove_view_sync(v, 100), TROVE_BEHIND);
    assert_int_equal(trove_view_follow(v, NULL), TROVE_BEHIND);

    other = view_of(l);
    assert_true(trove_view_succeeds(other, v));
    trove_view_destroy(v);
    v = other;

    assert_int_equal(trove_view_generation(v), 2);
    assert_int_equal(trove_view_version(v), 500);
    assert_int_equal(found_by(v), 50);
    assert_int_equal(trove_view_save(v, fd, NULL), TROVE_OK);

    /* it goes on as any other does */

    fill(l, 51, 1);
    assert_int_equal(trove_replica_remove(l, 1), TROVE_OK);
    assert_int_equal(trove_replica_remove(l, 1), TROVE_OK);
    assert_int_equal(trove_replica_last(l, 99), TROVE_OK);
    assert_false(trove_view_synced(v));
    assert_int_equal(trove_view_sync(v, 100), TROVE_OK);
    assert_true(trove_view_synced(v));
    assert_int_equal(trove_view_version(v), 504);
    assert_int_equal(found_by(v), 50);

    /* while it is filled anew, with less and at an earlier version */

    fill(l, 60, 1);
    assert_int_equal(trove_replica_begin(l, "b"), TROVE_OK);
    assert_int_equal(trove_view_sync(v, 100), TROVE_OK);
    assert_int_equal(trove_view_follow(v, NULL), TROVE_OK);
    assert_int_equal(found_by(v), 50);

    other = view_of(l);
    assert_int_equal(trove_view_generation(other), 0);
    assert_int_equal(found_by(other), 0);
    assert_false(trove_view_succeeds(other, v));
    assert_int_equal(trove_view_save(other, fd, NULL), TROVE_OK);

    fill(l, 1, 20);
    assert_int_equal(found_by(v), 50);

    assert_int_equal(trove_view_load(&kept, fd, l, kernels(),
                                     TROVE_PAGES_OFF), TROVE_OK);
    assert_int_equal(found_by(kept), 50);
    trove_view_destroy(kept);

    assert_int_equal(trove_replica_live(l, 3, 10), TROVE_OK);
    assert_int_equal(trove_view_sync(v, 100), TROVE_BEHIND);
    assert_int_equal(trove_view_sync(other, 100), TROVE_BEHIND);
    trove_view_destroy(other);

    other = view_of(l);
    assert_true(trove_view_succeeds(other, v));
    assert_false(trove_view_succeeds(v, other));
    assert_int_equal(found_by(other), 20);
    assert_int_equal(trove_view_save(other, fd, NULL), TROVE_OK);
    assert_int_equal(trove_view_save(v, fd, NULL), TROVE_INVALID);

    assert_int_equal(trove_view_load(&kept, fd, l, kernels(),
                                     TROVE_PAGES_OFF), TROVE_OK);
    assert_int_equal(found_by(kept), 20);
    assert_int_equal(trove_view_follow(kept, NULL), TROVE_OK);
    assert_null(trove_view_sane(kept));

    trove_view_destroy(kept);
    trove_view_destroy(other);
    trove_view_destroy(v);
    (void) close(fd);
    assert_true(trove_ledger_sane(l));
    ledger_free(l);
}


/* While a view is built of a copy that was never filled, it is. */

static void
fill_meanwhile(void *data)
{
    trove_ledger_t  *l = data;

    assert_int_equal(trove_replica_begin(l, "a"), TROVE_OK);
    fill(l, 1, 30);
}


static void
fill_all_meanwhile(void *data)
{
    trove_ledger_t  *l = data;

    fill_meanwhile(l);
    assert_int_equal(trove_replica_live(l, 3, 30), TROVE_OK);
}


static void
a_view_has_nothing_of_a_copy_that_begins(void **state)
{
    trove_view_t    *v;
    trove_ledger_t  *l;

    l = ledger_new(100, 0, 0);
    trove_fault_meet_arm("view: begun", 1, fill_meanwhile, l);

    v = view_of(l);
    assert_int_equal(trove_replica_state(l), TROVE_REPLICA_LOADING);
    assert_int_equal(trove_view_generation(v), 0);
    assert_int_equal(found_by(v), 0);

    trove_view_destroy(v);
    ledger_free(l);

    l = ledger_new(100, 0, 0);
    trove_fault_meet_arm("view: begun", 1, fill_all_meanwhile, l);

    v = view_of(l);
    assert_int_equal(trove_view_generation(v), 2);
    assert_int_equal(trove_view_version(v), 30);
    assert_int_equal(found_by(v), 30);

    trove_view_destroy(v);
    ledger_free(l);
}


/*
 * Readers in other processes.  In load number n reward id has the value
 * n * 1000 + id, player i the balance n * 1000 + i, and his row that score, at
 * the place i.
 */

#define READ_LOADS    60
#define READ_REWARDS  64

typedef struct {
    _Atomic int       stop;
    _Atomic int       failed;           /* what a reader has seen            */
    _Atomic uint64_t  reads;
} reading_t;


/*
 * What they have seen that cannot be, or 0.  TROVE_BUSY is an answer: who
 * writes may be interrupted for long.
 */

static int
read_player(trove_ledger_t *l, uint32_t i)
{
    char             id[16];
    uint64_t         generation;
    trove_rc_t       rc;
    trove_slice_t    s;
    trove_player_t   p;

    s = player_id(id, i);
    generation = trove_replica_generation(l);
    rc = trove_player_get(l, &s, &p);

    /* what it gives is never another's, whoever looks at the generation */

    if (rc == TROVE_OK && (uint32_t) (p.balance % 1000) != i) {
        return 1;
    }

    if (!trove_replica_whole(l, generation) || generation == 0) {
        return 0;
    }

    if (rc == TROVE_OK) {
        return ((uint64_t) p.balance == generation / 2 * 1000 + i) ? 0 : 2;
    }

    return (rc == TROVE_BUSY) ? 0 : 3;
}


static int
read_reward(trove_ledger_t *l, uint32_t id)
{
    uint64_t        generation;
    trove_rc_t      rc;
    trove_reward_t  r;

    generation = trove_replica_generation(l);
    rc = trove_ledger_get(l, id, &r);

    if (rc == TROVE_OK && (r.id != id || (uint32_t) r.value % 1000 != id)) {
        return 4;
    }

    if (!trove_replica_whole(l, generation) || generation == 0) {
        return 0;
    }

    if (rc == TROVE_OK) {
        return ((uint64_t) r.value == generation / 2 * 1000 + id) ? 0 : 5;
    }

    return (rc == TROVE_BUSY) ? 0 : 6;
}


static int
read_board(trove_ledger_t *l)
{
    char                   id[16], text[ROWS * 160];
    uint32_t               i, n;
    uint64_t               generation;
    trove_rc_t             rc;
    trove_slice_t          s;
    trove_board_state_t    state;
    trove_board_entry_t    e[ROWS];

    generation = trove_replica_generation(l);
    rc = trove_board_list(l, 0, 0, NOW, 1, ROWS, text, e, &n, &state);

    if (!trove_replica_whole(l, generation) || generation == 0
        || rc == TROVE_BUSY)
    {
        return 0;
    }

    if (rc != TROVE_OK || n != ROWS || state.rows != ROWS) {
        return 7;
    }

    for (i = 0; i < n; i++) {
        s = player_id(id, i);

        if (e[i].score != (int64_t) (generation / 2 * 1000 + i)
            || e[i].player.len != s.len
            || memcmp(e[i].player.data, s.data, s.len) != 0)
        {
            return 8;
        }
    }

    return 0;
}


static trove_view_t *
read_view(trove_ledger_t *l, trove_view_t *v)
{
    trove_rc_t     rc;
    trove_view_t  *new;

    rc = (v != NULL) ? trove_view_sync(v, 1000) : TROVE_BEHIND;

    if ((rc != TROVE_BEHIND && rc != TROVE_FULL)
        || trove_view_build(&new, l, kernels(), TROVE_PAGES_OFF, NULL)
           != TROVE_OK)
    {
        return v;
    }

    if (v == NULL) {
        return new;
    }

    if (!trove_view_succeeds(new, v)) {
        trove_view_destroy(new);
        return v;
    }

    trove_view_destroy(v);

    return new;
}


static void
reader(trove_ledger_t *l, reading_t *reading, int views)
{
    int            failed;
    uint32_t       i;
    trove_view_t  *v;

    v = NULL;

    while (!reading->stop) {
        i = random_below(ROWS);

        if (views) {
            v = read_view(l, v);
            failed = (v != NULL
                      && found_by(v) != (trove_view_generation(v)
                                         ? READ_REWARDS : 0)) ? 9 : 0;

        } else {
            failed = read_player(l, i);
            failed = failed ? failed : read_reward(l, 1 + i);
            failed = failed ? failed : read_board(l);
        }

        if (failed) {
            reading->failed = failed;
        }

        reading->reads++;
    }

    _exit(0);
}


static void
fill_load(trove_ledger_t *l, trove_redo_t *r, uint64_t n)
{
    char               id[16];
    uint32_t           i, k, numbers[READ_REWARDS];
    trove_reward_t     reward;
    trove_player_t     p;
    trove_board_row_t  row;
    trove_slice_t      s;

    memset(&reward, 0, sizeof(reward));
    memset(&p, 0, sizeof(p));
    memset(&row, 0, sizeof(row));
    reward.stock = 1;

    shuffle(numbers, READ_REWARDS);

    for (i = 0; i < READ_REWARDS; i++) {
        reward.id = 1 + numbers[i];
        reward.x = reward.id;
        reward.value = (int32_t) (n * 1000 + reward.id);
        assert_int_equal(trove_replica_put(l, &reward, reward.id), TROVE_OK);
    }

    shuffle(numbers, ROWS);

    for (i = 0; i < ROWS; i++) {
        k = numbers[i];
        s = player_id(id, k);
        p.balance = (int64_t) (n * 1000 + k);
        assert_int_equal(trove_replica_player(r, &s, &p), TROVE_OK);

        row.player = s;
        row.score = p.balance;
        row.reached = n * 1000 + k;
        assert_int_equal(trove_replica_score(l, 0, &row), TROVE_OK);
    }
}


/* Begins a load, or goes on from the death of who did; whether it died. */

static int
load_by_child(trove_ledger_t *l, uint64_t nth)
{
    pid_t          pid;
    uint64_t       n;
    trove_redo_t  *r;

    pid = child_new();

    if (pid == 0) {
        trove_fault_arm(NULL, nth);

        if (!trove_replica_elect(l)
            || trove_redo_open(l, &r) != TROVE_OK
            || trove_replica_begin(l, "a") != TROVE_OK)
        {
            _exit(1);
        }

        n = (trove_replica_generation(l) + 1) / 2;
        fill_load(l, r, n);

        if (trove_replica_live(l, n, n * 7 % 50) != TROVE_OK) {
            _exit(1);
        }

        /* and the same rows again */

        fill_load(l, r, n);
        _exit(0);
    }

    n = (uint64_t) child_end(pid);
    assert_true((int) n <= 0);

    return n != 0;
}


static void
readers_see_whole_loads(void **state)
{
    int                  i;
    pid_t                pid[3];
    uint64_t             n, before;
    reading_t           *reading;
    trove_ledger_t      *l;
    trove_ledger_conf_t  conf;
    trove_board_conf_t   board;

    board = board_conf("b", ROWS);
    board.order = TROVE_BOARD_ASC;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = READ_REWARDS;
    conf.players = ROWS;
    conf.claims = 1;
    conf.boards = &board;
    conf.nboards = 1;

    l = trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
    reading = shared_new(sizeof(reading_t));

    for (i = 0; i < 3; i++) {
        pid[i] = child_new();

        if (pid[i] == 0) {
            random_seed += (uint64_t) i + 1;
            reader(l, reading, i == 0);
        }
    }

    for (n = 0; n < READ_LOADS; n++) {

        while (random_below(2)
               && load_by_child(l, 1 + random_below(3000)))
        {
            /* void */
        }

        assert_false(load_by_child(l, UINT64_MAX));

        before = reading->reads;

        while (reading->reads < before + 3 && !reading->failed) {
            (void) usleep(100);
        }
    }

    reading->stop = 1;
    assert_int_equal(reading->failed, 0);

    for (i = 0; i < 3; i++) {
        assert_int_equal(child_end(pid[i]), 0);
    }

    assert_true(trove_ledger_sane(l));
    ledger_free(l);
    (void) munmap(reading, sizeof(reading_t));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_copy_that_follows_is_the_same),
        cmocka_unit_test(a_snapshot_in_any_order_is_the_same),
        cmocka_unit_test(a_change_that_is_made_again_is_one),
        cmocka_unit_test(an_empty_one_is_as_it_was_laid_out),
        cmocka_unit_test(what_no_ledger_can_have_is_refused),
        cmocka_unit_test(there_is_one_follower),
        cmocka_unit_test(views_stay_and_then_are_new),
        cmocka_unit_test(a_view_has_nothing_of_a_copy_that_begins),
        cmocka_unit_test(readers_see_whole_loads),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
