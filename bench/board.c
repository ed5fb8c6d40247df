/*
 * Boards in process: how long writes, ranks and lists take, what memory they
 * take, and that they are right.
 *
 *   board [rows]        default: 400000
 *
 * The ledger lies in memory that is shared, as nginx's zones are, on small
 * pages.  Its one board is full of rows of 256 bytes, with ids of 36 bytes as
 * UUIDs have and data that fill the row; then any of the players gets any
 * score and new data (an update), is asked for the rank he has, and lists are
 * read.  One by one, as requests come, the memory is waited for each time; in
 * a batch it is fetched together.
 *
 * Ranks and lists are compared with the scores that are kept beside, and the
 * ledger with itself at the end.  Any difference ends the run with 1.
 */

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chunks.h"
#include "trove_board_data.h"
#include "trove_clock.h"


#define ROWS      400000
#define ROW       256
#define DATA      (ROW - TROVE_BOARD_HEAD)
#define TOP       100
#define REBUILDS  5
#define WRITING   400000000ULL          /* nanoseconds that are written */
#define ROUNDS    5
#define NOW       1700000000000ULL      /* ms of unix time */


struct bench_s {
    trove_ledger_t        *ledger;
    uint32_t               n;           /* players, as many as rows */
    int64_t               *scores;      /* as they should be, by number */
    int                    together;    /* as batches do */
    uint64_t               now;
    uint32_t               chunk[CHUNK];
    char                   ids[CHUNK][37];
    char                   data[CHUNK][DATA];
    trove_board_write_t    q[CHUNK];
    trove_board_written_t  written[CHUNK];
    trove_rc_t             rc[CHUNK];
    char                   text[TOP * ROW];
    trove_board_entry_t    entries[TOP];
};


static void
setup(bench_t *b)
{
    trove_board_conf_t    board;
    trove_ledger_conf_t   conf;

    memset(&board, 0, sizeof(board));
    memset(&conf, 0, sizeof(conf));

    (void) strcpy(board.name, "board");
    board.rows = b->n;
    board.row = ROW;
    board.keep = TROVE_BOARD_LAST;
    conf.rewards = 1;
    conf.nboards = 1;
    conf.boards = &board;

    b->ledger = chunks_ledger(&conf);
    b->scores = malloc(b->n * sizeof(int64_t));
    b->now = NOW;

    if (b->scores == NULL) {
        die("no memory");
    }

    printf("memory of %u rows: %.1f MB\n", b->n,
           (double) trove_ledger_size(&conf) / 1e6);
}


static void
prepare(bench_t *b, uint32_t i, uint32_t player)
{
    trove_board_write_t  *q;

    q = &b->q[i];
    b->chunk[i] = player;
    random_id(b->ids[i], player);
    memset(b->data[i], 'a' + player % 26, DATA);

    q->player.data = (const unsigned char *) b->ids[i];
    q->player.len = 36;
    q->data.data = (const unsigned char *) b->data[i];
    q->data.len = DATA;
    q->has_data = 1;
    q->score = (int64_t) (random_bits() >> 20);
    q->now = b->now++;
}


static uint32_t
better(bench_t *b, int64_t score)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < b->n; i++) {
        n += b->scores[i] > score;
    }

    return n;
}


static uint64_t
run_updates(bench_t *b)
{
    uint32_t  i;
    uint64_t  start;

    start = trove_clock_ns();

    if (b->together) {
        trove_board_write_all(b->ledger, 0, b->q, b->written, b->rc, CHUNK);

    } else {
        for (i = 0; i < CHUNK; i++) {
            b->rc[i] = trove_board_write(b->ledger, 0, &b->q[i],
                                         &b->written[i]);
        }
    }

    start = trove_clock_ns() - start;

    for (i = 0; i < CHUNK; i++) {
        b->scores[b->chunk[i]] = b->q[i].score;

        if (b->rc[i] != TROVE_OK
            || b->written[i].result != TROVE_BOARD_IMPROVED
            || b->written[i].score != b->q[i].score)
        {
            die("an update was not taken");
        }
    }

    return start;
}


static uint64_t
run_ranks(bench_t *b)
{
    uint32_t             i, n;
    uint64_t             start;
    trove_rc_t           rc;
    trove_board_state_t  state;

    static int64_t   score[CHUNK];
    static uint32_t  rank[CHUNK];

    start = trove_clock_ns();

    for (i = 0; i < CHUNK; i++) {
        rc = trove_board_around(b->ledger, 0, 0, b->now, &b->q[i].player, 0,
                                b->text, b->entries, &n, &state);

        if (rc != TROVE_OK || n != 1) {
            die("a player is not found");
        }

        score[i] = b->entries[0].score;
        rank[i] = b->entries[0].rank;
    }

    start = trove_clock_ns() - start;

    for (i = 0; i < CHUNK; i++) {

        if (score[i] != b->scores[b->chunk[i]]) {
            die("a player has another score");
        }
    }

    /* a few of them: scores are different */

    for (i = 0; i < CHUNK; i += CHUNK / 2) {

        if (rank[i] != better(b, b->scores[b->chunk[i]]) + 1) {
            die("a rank is wrong");
        }
    }

    return start;
}


static void
list(bench_t *b, uint32_t from)
{
    uint32_t             n;
    trove_board_state_t  state;

    if (trove_board_list(b->ledger, 0, 0, b->now, from, TOP, b->text,
                         b->entries, &n, &state) != TROVE_OK
        || n != TOP || state.rows != b->n || b->entries[0].rank != from
        || b->entries[0].score < b->entries[TOP - 1].score)
    {
        die("a list is wrong");
    }
}


static uint64_t
run_top(bench_t *b)
{
    uint32_t  i;
    uint64_t  start;

    start = trove_clock_ns();

    for (i = 0; i < CHUNK; i++) {
        list(b, 1);
    }

    start = trove_clock_ns() - start;

    if (better(b, b->entries[TOP - 1].score) != TOP - 1
        || b->entries[7].data.len != DATA)
    {
        die("the top is wrong");
    }

    return start;
}


static uint64_t
run_pages(bench_t *b)
{
    uint32_t  i;
    uint64_t  start;

    start = trove_clock_ns();

    for (i = 0; i < CHUNK; i++) {
        list(b, 1 + b->chunk[i] % (b->n - TOP));
    }

    start = trove_clock_ns() - start;

    if (better(b, b->entries[0].score)
        != b->chunk[CHUNK - 1] % (b->n - TOP))
    {
        die("a page is wrong");
    }

    return start;
}


/* As who finds a dead writer's intent does. */

static void
rebuild(bench_t *b)
{
    double    ms[REBUILDS];
    uint32_t  i;
    uint64_t  start;

    for (i = 0; i < REBUILDS; i++) {
        trove_board_of(b->ledger, 0)->intent.op = TROVE_BOARD_PUT;

        start = trove_clock_ns();

        if (trove_board_lock(b->ledger, 0) != TROVE_OK) {
            die("a dead writer's lock is not had");
        }

        ms[i] = (double) (trove_clock_ns() - start) / 1e6;

        trove_board_unlock(b->ledger, 0);
    }

    median_sort(ms, REBUILDS);

    printf("%-24s best %7.1f  median %7.1f ms\n", "rebuild", ms[0],
           ms[REBUILDS / 2]);
}


/* A process that writes any players' scores, on a CPU of its own if it can. */

static pid_t
writer(bench_t *b, int cpu, _Atomic int *go, uint64_t *done)
{
    pid_t      pid;
    uint32_t   i;
    uint64_t   end;
    cpu_set_t  set;

    pid = fork();

    if (pid != 0) {
        return pid;
    }

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void) sched_setaffinity(0, sizeof(set), &set);

    random_seed += (uint64_t) cpu * 0x123456789;
    chunk_any(b, prepare, b->n);

    while (!*go) {
        sched_yield();
    }

    end = trove_clock_ns() + WRITING;

    do {
        for (i = 0; i < CHUNK; i++) {
            b->q[i].score = (int64_t) (random_bits() >> 20);
            b->chunk[i] = random_below(b->n);
            random_id(b->ids[i], b->chunk[i]);

            if (!b->together) {
                b->rc[i] = trove_board_write(b->ledger, 0, &b->q[i],
                                             &b->written[i]);
            }
        }

        if (b->together) {
            trove_board_write_all(b->ledger, 0, b->q, b->written, b->rc,
                                  CHUNK);
        }

        for (i = 0; i < CHUNK; i++) {
            *done += b->rc[i] == TROVE_OK;
        }

    } while (trove_clock_ns() < end);

    _exit(0);
}


static double
write_by(bench_t *b, int writers)
{
    int        i, status;
    pid_t      pid[2];
    double     sum;

    static struct {
        _Atomic int  go;
        uint64_t     done[2][8];
    }  *shared;

    if (shared == NULL) {
        shared = mmap(NULL, sizeof(*shared), PROT_READ|PROT_WRITE,
                      MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    }

    memset(shared, 0, sizeof(*shared));

    for (i = 0; i < writers; i++) {
        pid[i] = writer(b, i, &shared->go, &shared->done[i][0]);
    }

    (void) usleep(50000);
    shared->go = 1;
    sum = 0;

    for (i = 0; i < writers; i++) {
        (void) waitpid(pid[i], &status, 0);
        sum += (double) shared->done[i][0];

        if (status != 0) {
            die("a writer failed");
        }
    }

    return sum / (double) WRITING * 1000;
}


static void
two_writers(bench_t *b, const char *name)
{
    int     i;
    double  one[ROUNDS], two[ROUNDS], ratio[ROUNDS];

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        return;
    }

    for (i = 0; i < ROUNDS; i++) {
        one[i] = write_by(b, 1);
        two[i] = write_by(b, 2);
        ratio[i] = two[i] / one[i];
    }

    median_sort(one, ROUNDS);
    median_sort(two, ROUNDS);
    median_sort(ratio, ROUNDS);

    printf("%-24s best %7.2f  median %7.2f of one (%.2f and %.2f M/s)\n",
           name, ratio[ROUNDS - 1], ratio[ROUNDS / 2], two[ROUNDS / 2],
           one[ROUNDS / 2]);
}


int
main(int argc, char **argv)
{
    static bench_t  b;

    b.n = (argc > 1) ? (uint32_t) strtoul(argv[1], NULL, 10) : ROWS;
    b.n -= b.n % CHUNK;

    if (b.n < CHUNK || b.n % 2654435761u == 0) {
        die("usage: board [rows], 1000 at least");
    }

    setup(&b);
    chunks_each(&b, "new rows", prepare, b.n, run_updates);

    chunks_any(&b, "updates one by one", prepare, b.n, run_updates);
    chunks_any(&b, "ranks one by one", prepare, b.n, run_ranks);
    chunks_any(&b, "top 100", prepare, b.n, run_top);
    chunks_any(&b, "pages of 100", prepare, b.n, run_pages);

    b.together = 1;
    chunks_any(&b, "updates", prepare, b.n, run_updates);

    rebuild(&b);

    if (!trove_ledger_sane(b.ledger)) {
        die("the ledger is not as it should be");
    }

    b.together = 0;
    two_writers(&b, "two writers one by one");
    b.together = 1;
    two_writers(&b, "two writers");

    if (!trove_ledger_sane(b.ledger)) {
        die("the ledger is not as it should be");
    }

    return 0;
}
