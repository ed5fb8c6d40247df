
/*
 * A ledger at a start: from its file alone, from its store alone, from both,
 * and from what is not its own.
 */

#include <sys/resource.h>
#include <sys/stat.h>

#include "players.h"
#include "store_v1.h"
#include <sqlite3.h>

#include "trove_board.h"
#include "trove_space.h"
#include "trove_start.h"


#define REWARDS  20
#define PLAYERS  20
#define CLAIMS   100


static char                 dir[64];
static char                 path[80];
static char                 store[80];
static char                 error[TROVE_STORE_ERROR];
static trove_ledger_conf_t  conf;
static trove_store_conf_t   store_conf;
static trove_board_conf_t   boards[2];


static void
remove_store(void)
{
    char  name[128];

    (void) unlink(store);
    (void) snprintf(name, sizeof(name), "%s-wal", store);
    (void) unlink(name);
    (void) snprintf(name, sizeof(name), "%s-shm", store);
    (void) unlink(name);
}


static void
start_anew(void)
{
    (void) unlink(path);
    remove_store();

    memset(&conf, 0, sizeof(conf));
    conf.rewards = REWARDS;
    conf.players = PLAYERS;
    conf.claims = CLAIMS;

    memset(&store_conf, 0, sizeof(store_conf));
    store_conf.path = store;
    store_conf.busy = 20;
    store_conf.log_size = TROVE_STORE_LOG_SIZE;
    store_conf.log_max = TROVE_STORE_LOG_MAX;
}


static trove_rc_t
start(trove_ledger_file_t *f)
{
    return trove_start(f, path, &conf, &trove_store_sqlite, &store_conf,
                       error);
}


static trove_ledger_t *
started(trove_ledger_file_t *f)
{
    if (start(f) != TROVE_OK) {
        fail_msg("%s", error);
    }

    assert_string_equal(error, "");
    assert_true(trove_ledger_sane(f->ledger));

    return f->ledger;
}


static void
refused(trove_rc_t rc, const char *why)
{
    trove_ledger_file_t  f;

    assert_int_equal(start(&f), rc);

    if (strstr(error, why) == NULL || strstr(error, dir) == NULL) {
        fail_msg("expected \"%s\" in: %s", why, error);
    }

    assert_null(f.base);
}


static void
flush(trove_ledger_t *l)
{
    trove_flush_t  f;

    assert_int_equal(trove_flush_init(&f, l, &trove_store_sqlite,
                                      &store_conf), TROVE_OK);
    assert_true(trove_flush_elect(&f));

    if (trove_flush_run(&f) != TROVE_STORE_DONE) {
        fail_msg("%s", f.error);
    }

    trove_flush_close(&f);
}


static int64_t
balance_of(trove_ledger_t *l, const char *player)
{
    trove_slice_t   id;
    trove_player_t  p;

    id = slice(player);

    return (trove_player_get(l, &id, &p) == TROVE_OK) ? p.balance : -1;
}


/* A claim, by a process that is killed right after it. */

static void
claim_and_die(trove_ledger_t *l, const char *player, uint32_t reward)
{
    pid_t           pid;
    trove_redo_t   *r;
    trove_claim_t   c;

    pid = child_new();

    if (pid == 0) {
        if (trove_redo_open(l, &r) == TROVE_OK) {
            (void) claim(r, player, reward, &c);
        }

        (void) raise(SIGKILL);
    }

    assert_int_equal(child_end(pid), -1);
}


/* As the machine had been started again. */

static void
boot(void)
{
    FILE  *f;

    f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 24, SEEK_SET), 0);
    assert_int_equal(fwrite("00000000-0000", 1, 13, f), 13);
    assert_int_equal(fclose(f), 0);
}


/* One reward of 50, claimed by p1, and that is in the store. */

static void
begin(trove_ledger_file_t *f)
{
    start_anew();
    (void) started(f);

    reward_put(f->ledger, 1, 50, 3);
    claim_and_die(f->ledger, "p1", 1);
    flush(f->ledger);
}


static void
nothing_is_lost_when_all_processes_die(void **state)
{
    trove_ledger_t       *l;
    trove_reward_t        r;
    trove_ledger_file_t   f;

    begin(&f);
    claim_and_die(f.ledger, "p2", 1);
    trove_ledger_file_close(&f);

    l = started(&f);
    assert_int_equal(balance_of(l, "p1"), 50);
    assert_int_equal(balance_of(l, "p2"), 50);
    assert_int_equal(trove_ledger_get(l, 1, &r), TROVE_OK);
    assert_int_equal(r.taken, 2);

    trove_ledger_file_close(&f);
}


static void
two_masters_share_it(void **state)
{
    trove_ledger_file_t  f, g;

    begin(&f);
    (void) started(&g);
    assert_ptr_not_equal(f.ledger, g.ledger);

    claim_and_die(g.ledger, "p2", 1);
    assert_int_equal(balance_of(f.ledger, "p2"), 50);

    /* who wants another one has to wait for their end */

    conf.rewards *= 2;
    refused(TROVE_BUSY, "in use");

    trove_ledger_file_close(&f);
    refused(TROVE_BUSY, "in use");
    trove_ledger_file_close(&g);

    (void) started(&f);
    trove_ledger_file_close(&f);
}


/* Who goes on with a ledger that was removed has the store for himself. */

static void
a_store_has_one_ledger_at_a_time(void **state)
{
    char                  other[128];
    trove_ledger_file_t   f, g;

    (void) snprintf(other, sizeof(other), "%s.other", path);

    begin(&f);
    assert_int_equal(rename(path, other), 0);

    refused(TROVE_BUSY, "whose ledger was moved or removed");
    assert_int_equal(balance_of(f.ledger, "p1"), 50);
    flush(f.ledger);

    /* one that shares it goes on when the first one is gone */

    assert_int_equal(rename(other, path), 0);
    (void) started(&g);
    trove_ledger_file_close(&f);
    (void) unlink(path);
    refused(TROVE_BUSY, "in use");

    trove_ledger_file_close(&g);
    (void) started(&f);
    assert_int_equal(balance_of(f.ledger, "p1"), 50);
    trove_ledger_file_close(&f);
}


static void
a_store_that_is_lost_gets_all_of_the_file(void **state)
{
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin(&f);
    claim_and_die(f.ledger, "p2", 1);
    trove_ledger_file_close(&f);

    remove_store();
    l = started(&f);
    assert_int_equal(balance_of(l, "p2"), 50);
    flush(l);
    trove_ledger_file_close(&f);

    (void) unlink(path);
    l = started(&f);
    assert_int_equal(balance_of(l, "p1"), 50);
    assert_int_equal(balance_of(l, "p2"), 50);
    trove_ledger_file_close(&f);
}


static void
a_file_that_is_lost_is_made_from_the_store(void **state)
{
    uint64_t              version;
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin(&f);
    version = trove_ledger_version(f.ledger);
    trove_ledger_file_close(&f);
    (void) unlink(path);

    l = started(&f);
    assert_true(trove_ledger_version(l) >= version);
    assert_int_equal(balance_of(l, "p1"), 50);
    trove_ledger_file_close(&f);
}


static void
a_file_of_an_earlier_boot_is_not_relied_on(void **state)
{
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin(&f);
    claim_and_die(f.ledger, "p2", 1);
    trove_ledger_file_close(&f);

    boot();
    l = started(&f);
    assert_int_equal(balance_of(l, "p1"), 50);
    assert_int_equal(balance_of(l, "p2"), -1);
    trove_ledger_file_close(&f);

    /* nor is it thrown away for nothing */

    boot();
    remove_store();
    refused(TROVE_NOTFOUND, "earlier boot");
    assert_int_equal(access(store, F_OK), -1);

    (void) unlink(path);
    l = started(&f);
    assert_int_equal(balance_of(l, "p1"), -1);
    trove_ledger_file_close(&f);
}


/* As another version had laid it out: its header, or what follows it. */

static void
other_version(long at)
{
    FILE      *f;
    uint32_t   layout;

    f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fread(&layout, sizeof(layout), 1, f), 1);
    layout += 100;
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&layout, sizeof(layout), 1, f), 1);
    assert_int_equal(fclose(f), 0);
}


static void
a_file_of_another_version_is_made_anew_if_the_store_has_it_all(void **state)
{
    int                   i;
    trove_ledger_file_t   f, g;

    static const long  at[] = { 8, 4096 + 8 };

    for (i = 0; i < 2; i++) {

        /* nobody has said that it is whole */

        begin(&f);
        trove_ledger_file_close(&f);
        other_version(at[i]);
        refused(TROVE_MISMATCH, "quit that version");

        /* it is */

        begin(&f);
        trove_start_end(&f);
        trove_ledger_file_close(&f);
        other_version(at[i]);
        assert_int_equal(trove_ledger_file_check(path, error), TROVE_OK);
        assert_int_equal(balance_of(started(&f), "p1"), 50);
        assert_true(f.renewed);

        /* and no longer: it was said of the time before */

        trove_ledger_file_close(&f);
        other_version(at[i]);
        refused(TROVE_MISMATCH, "quit that version");

        /* the store lacks what one has left who was killed */

        begin(&f);
        claim_and_die(f.ledger, "p2", 1);
        trove_start_end(&f);
        trove_ledger_file_close(&f);
        other_version(at[i]);
        refused(TROVE_MISMATCH, "quit that version");

        /* another one goes on with it */

        begin(&f);
        (void) started(&g);
        trove_start_end(&f);
        trove_ledger_file_close(&f);
        claim_and_die(g.ledger, "p2", 1);
        trove_ledger_file_close(&g);
        other_version(at[i]);
        refused(TROVE_MISMATCH, "quit that version");

        /* and there is no store any more */

        begin(&f);
        trove_start_end(&f);
        trove_ledger_file_close(&f);
        other_version(at[i]);
        remove_store();
        refused(TROVE_NOTFOUND, "another version of the module, and its store");
    }
}


static void
a_file_that_was_never_ready_is_none(void **state)
{
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin(&f);
    trove_ledger_file_close(&f);

    conf.rewards++;
    assert_int_equal(trove_ledger_file_open(&f, path, &conf, error),
                     TROVE_OK);
    assert_int_equal(f.state, TROVE_LEDGER_FILE_OTHER);
    assert_int_equal(trove_ledger_file_renew(&f, path, &conf, error),
                     TROVE_OK);
    reward_put(f.ledger, 9, 1, 1);
    trove_ledger_file_close(&f);

    l = started(&f);
    assert_int_equal(balance_of(l, "p1"), 50);
    assert_int_equal(trove_ledger_rewards(l), 1);
    trove_ledger_file_close(&f);
}


static void
a_capacity_is_changed_by_a_restart(void **state)
{
    char                  player[16];
    uint32_t              i;
    trove_tap_t           t;
    trove_redo_t         *redo;
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin(&f);
    claim_and_die(f.ledger, "p2", 1);
    trove_ledger_file_close(&f);

    conf.players *= 3;
    l = started(&f);
    assert_int_equal(balance_of(l, "p1"), 50);
    assert_int_equal(balance_of(l, "p2"), 50);

    redo = redo_new(l);

    for (i = 0; i < 2 * PLAYERS; i++) {
        (void) player_id(player, i);
        assert_int_equal(tap(redo, player, 0, 1, &t), TROVE_OK);
    }

    trove_redo_close(redo);
    trove_ledger_file_close(&f);

    /* not below what there is; then nothing is lost either */

    conf.players = PLAYERS;
    refused(TROVE_MISMATCH, "no room");

    conf.players = 2 * PLAYERS + 5;
    l = started(&f);
    assert_int_equal(balance_of(l, "p2"), 51);
    assert_int_equal(trove_ledger_players(l), 2 * PLAYERS);
    trove_ledger_file_close(&f);

    conf.space = TROVE_EARTH;
    refused(TROVE_MISMATCH, "space");
}


static void
what_belongs_to_another_is_refused(void **state)
{
    char                  other[128];
    trove_ledger_file_t   f;

    (void) snprintf(other, sizeof(other), "%s.other", store);

    begin(&f);
    trove_ledger_file_close(&f);
    assert_int_equal(rename(store, other), 0);
    (void) unlink(path);
    (void) started(&f);
    flush(f.ledger);
    trove_ledger_file_close(&f);

    assert_int_equal(rename(other, store), 0);
    refused(TROVE_MISMATCH, "another ledger");
}


static void
write_file(const char *name, const char *text)
{
    FILE  *f;

    f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}


static void
what_is_no_ledger_is_left_alone(void **state)
{
    struct stat          st;
    trove_ledger_file_t  f;

    start_anew();
    write_file(path, "precious");
    refused(TROVE_MISMATCH, "no ledger");
    assert_int_equal(trove_ledger_file_check(path, error), TROVE_MISMATCH);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8);

    (void) unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    refused(TROVE_NOTFOUND, "is a symbolic link");
    (void) unlink(path);

    assert_int_equal(trove_ledger_file_check(path, error), TROVE_OK);
    assert_int_equal(access(path, F_OK), -1);

    begin(&f);
    assert_int_equal(trove_ledger_file_check(path, error), TROVE_OK);
    trove_ledger_file_close(&f);
    assert_int_equal(truncate(path, 5000), 0);
    (void) started(&f);
    assert_int_equal(balance_of(f.ledger, "p1"), 50);
    trove_ledger_file_close(&f);
}


/* Not by a signal, and the store keeps what it has. */

static void
a_disk_that_is_full_is_found_out_at_the_start(void **state)
{
    struct rlimit        was, now;
    trove_ledger_file_t  f;

    begin(&f);
    trove_ledger_file_close(&f);
    (void) unlink(path);

    (void) signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    now = was;
    now.rlim_cur = 30000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);

    refused(TROVE_FULL, "does not get its");

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    (void) started(&f);
    assert_int_equal(balance_of(f.ledger, "p1"), 50);
    trove_ledger_file_close(&f);
}


/* What the file has is worth more than to stand still. */

static void
a_store_that_is_not_to_be_had_is_a_warning(void **state)
{
    sqlite3              *db;
    trove_ledger_file_t   f;

    begin(&f);
    trove_ledger_file_close(&f);

    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);

    assert_int_equal(start(&f), TROVE_OK);
    assert_true(strstr(error, "locked") != NULL);
    assert_int_equal(balance_of(f.ledger, "p1"), 50);
    trove_ledger_file_close(&f);

    (void) unlink(path);
    refused(TROVE_MISMATCH, "locked");

    (void) sqlite3_close(db);
    (void) started(&f);
    assert_int_equal(balance_of(f.ledger, "p1"), 50);
    trove_ledger_file_close(&f);
}


static void
score(trove_ledger_t *l, const char *board, const char *player, int64_t value)
{
    trove_slice_t          name;
    trove_board_write_t    q;
    trove_board_written_t  written;

    name = slice(board);
    memset(&q, 0, sizeof(q));
    q.player = slice(player);
    q.score = value;
    q.now = NOW;

    assert_int_equal(trove_board_write(l, trove_board_find(l, &name), &q,
                                       &written), TROVE_OK);
}


/* Of a player who has a row; INT64_MIN: has none. */

static int64_t
score_of(trove_ledger_t *l, const char *board, const char *player)
{
    char                 text[TROVE_BOARD_ROW_MAX];
    uint32_t             n;
    trove_slice_t        name;
    trove_board_entry_t  entry;
    trove_board_state_t  s;

    name = slice(board);
    n = trove_board_find(l, &name);
    assert_int_not_equal(n, TROVE_BOARD_NONE);
    name = slice(player);

    return (trove_board_around(l, n, 0, NOW, &name, 0, text, &entry, &n, &s)
            == TROVE_OK) ? entry.score : INT64_MIN;
}


/* Two boards with rows, one of them not yet in the store. */

static void
begin_boards(trove_ledger_file_t *f)
{
    char      player[16];
    uint32_t  i;

    start_anew();

    memset(boards, 0, sizeof(boards));
    (void) strcpy(boards[0].name, "ever");
    boards[0].rows = 10;
    boards[0].row = 128;
    (void) strcpy(boards[1].name, "day");
    boards[1].rows = 10;
    boards[1].row = 128;
    boards[1].reset = TROVE_BOARD_DAILY;

    conf.boards = boards;
    conf.nboards = 2;

    (void) started(f);

    for (i = 0; i < 8; i++) {
        (void) player_id(player, i);
        score(f->ledger, "ever", player, i);
        score(f->ledger, "day", player, 100 + i);
    }

    flush(f->ledger);
    score(f->ledger, "ever", "p1", 50);
}


static void
boards_are_kept(void **state)
{
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin_boards(&f);
    trove_ledger_file_close(&f);

    l = started(&f);
    assert_int_equal(score_of(l, "ever", "p1"), 50);
    assert_int_equal(score_of(l, "day", "p1"), 101);
    trove_ledger_file_close(&f);

    /* from the file alone */

    remove_store();
    l = started(&f);
    assert_int_equal(score_of(l, "ever", "p1"), 50);
    flush(l);
    trove_ledger_file_close(&f);

    /* and from the store alone */

    (void) unlink(path);
    l = started(&f);
    assert_int_equal(score_of(l, "ever", "p1"), 50);
    assert_int_equal(score_of(l, "ever", "p7"), 7);
    assert_int_equal(score_of(l, "day", "p7"), 107);
    assert_int_equal(score_of(l, "day", "p8"), INT64_MIN);
    trove_ledger_file_close(&f);
}


static void
boards_are_changed_by_a_restart(void **state)
{
    trove_ledger_t       *l;
    trove_ledger_file_t   f;

    begin_boards(&f);
    trove_ledger_file_close(&f);

    boards[0].rows = 20;
    boards[0].order = TROVE_BOARD_ASC;
    l = started(&f);
    assert_int_equal(score_of(l, "ever", "p1"), 50);
    score(l, "ever", "p9", 9);
    trove_ledger_file_close(&f);

    boards[0].rows = 7;
    refused(TROVE_MISMATCH, "rows of board \"ever\", which has no room");
    boards[0].rows = 9;
    l = started(&f);
    assert_int_equal(score_of(l, "ever", "p9"), 9);
    trove_ledger_file_close(&f);

    /* one goes, and is the same when it comes back */

    conf.boards = &boards[1];
    conf.nboards = 1;
    l = started(&f);
    score(l, "day", "p2", 200);
    trove_ledger_file_close(&f);

    conf.nboards = 0;
    (void) started(&f);
    trove_ledger_file_close(&f);

    conf.boards = boards;
    conf.nboards = 2;
    l = started(&f);
    assert_int_equal(score_of(l, "ever", "p1"), 50);
    assert_int_equal(score_of(l, "ever", "p9"), 9);
    assert_int_equal(score_of(l, "day", "p2"), 200);
    assert_int_equal(score_of(l, "day", "p3"), 103);
    trove_ledger_file_close(&f);

    conf.boards = NULL;
    conf.nboards = 0;
}


static void
a_store_of_an_earlier_version_is_taken_over(void **state)
{
    sqlite3              *db;
    trove_ledger_t       *l;
    trove_reward_t        r;
    trove_ledger_file_t   f;

    start_anew();
    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, store_v1, NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(db);

    l = started(&f);
    assert_int_equal(balance_of(l, "ann"), 57);
    assert_int_equal(trove_ledger_rewards(l), 2);
    assert_int_equal(trove_ledger_claims(l), 2);
    assert_int_equal(trove_ledger_get(l, 1, &r), TROVE_OK);
    assert_int_equal(r.taken, 1);
    assert_int_equal(r.stock, 2);

    claim_and_die(l, "bob", 1);
    flush(l);
    trove_ledger_file_close(&f);
    (void) unlink(path);

    l = started(&f);
    assert_int_equal(balance_of(l, "bob"), 50);
    trove_ledger_file_close(&f);
}


static int
setup(void **state)
{
    (void) random_setup(state);
    (void) snprintf(dir, sizeof(dir), "/tmp/trove-start-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/hunt.db-ledger", dir);
    (void) snprintf(store, sizeof(store), "%s/hunt.db", dir);

    return 0;
}


static int
teardown(void **state)
{
    start_anew();
    (void) rmdir(dir);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(nothing_is_lost_when_all_processes_die),
        cmocka_unit_test(two_masters_share_it),
        cmocka_unit_test(a_store_has_one_ledger_at_a_time),
        cmocka_unit_test(a_store_that_is_lost_gets_all_of_the_file),
        cmocka_unit_test(a_file_that_is_lost_is_made_from_the_store),
        cmocka_unit_test(a_file_of_an_earlier_boot_is_not_relied_on),
        cmocka_unit_test(
            a_file_of_another_version_is_made_anew_if_the_store_has_it_all),
        cmocka_unit_test(a_file_that_was_never_ready_is_none),
        cmocka_unit_test(a_capacity_is_changed_by_a_restart),
        cmocka_unit_test(boards_are_kept),
        cmocka_unit_test(boards_are_changed_by_a_restart),
        cmocka_unit_test(a_store_of_an_earlier_version_is_taken_over),
        cmocka_unit_test(what_belongs_to_another_is_refused),
        cmocka_unit_test(what_is_no_ledger_is_left_alone),
        cmocka_unit_test(a_disk_that_is_full_is_found_out_at_the_start),
        cmocka_unit_test(a_store_that_is_not_to_be_had_is_a_warning),
    };

    return cmocka_run_group_tests_name("start", tests, setup, teardown);
}
