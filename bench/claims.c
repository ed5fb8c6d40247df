/*
 * Claims, taps and players in process: how long they take, what memory they
 * take, and that they are right.
 *
 *   claims [players]    default: 5000000
 *
 * The ledger lies in memory that is shared, as nginx's zones are, on small
 * pages.  All players are made by their first tap, with ids of 36 bytes as
 * UUIDs have; then any of them is looked up, taps, and claims any of 100,000
 * rewards, so that nearly everything is fetched from memory each time: one by
 * one, as requests come, the memory is waited for each time; in a batch it is
 * fetched together.  "few" is with 100,000 of the players.
 *
 * Each answer is compared with what was added up beside, and the ledger with
 * itself at the end.  Any difference ends the run with 1.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"
#include "trove_claims.h"
#include "trove_clock.h"
#include "trove_taps.h"


#define PLAYERS   5000000
#define FEW       100000
#define REWARDS   100000
#define CLAIMS    4000000
#define SOME      16                    /* whose memory is fetched together */
#define VALUE     7                     /* of a reward */
#define NOW       1700000000000ULL      /* ms of unix time */


struct bench_s {
    trove_ledger_conf_t   conf;
    trove_ledger_t       *ledger;
    trove_redo_t         *redo;
    uint32_t              n;            /* players */
    int64_t              *balances;     /* as they should be, by number */
    uint32_t             *claimed;      /* of a reward, by its id */
    uint32_t              granted;
    int                   together;     /* as batches do */
    uint32_t              chunk[CHUNK]; /* the players of a chunk */
    char                  ids[CHUNK][37];
    uint32_t              rewards[CHUNK];
};


static void
setup(bench_t *b)
{
    uint32_t         i;
    uint64_t         version;
    trove_reward_t   r;

    b->conf.rewards = REWARDS;
    b->conf.players = b->n;
    b->conf.claims = CLAIMS;

    b->ledger = chunks_ledger(&b->conf);
    b->balances = calloc(b->n, sizeof(int64_t));
    b->claimed = calloc(REWARDS + 1, sizeof(uint32_t));

    if (b->balances == NULL || b->claimed == NULL
        || trove_redo_open(b->ledger, &b->redo) != TROVE_OK)
    {
        die("no memory");
    }

    memset(&r, 0, sizeof(r));
    r.value = VALUE;
    r.stock = UINT32_MAX;

    for (i = 1; i <= REWARDS; i++) {
        r.id = i;

        if (trove_ledger_put(b->ledger, &r, &version) != TROVE_OK) {
            die("the ledger takes no reward");
        }
    }
}


/* What a player takes: of the layout, without the claims and the redos. */

static void
memory(bench_t *b)
{
    size_t               with, without;
    trove_ledger_conf_t  conf;

    conf = b->conf;
    conf.claims = 0;
    with = trove_ledger_size(&conf);
    conf.players = 0;
    without = trove_ledger_size(&conf);

    printf("memory of %u players: %.1f bytes each\n", b->n,
           (double) (with - without) / b->n);

    with = trove_ledger_size(&b->conf);
    conf = b->conf;
    conf.claims = 0;

    printf("memory of %u claims: %.1f bytes each\n", CLAIMS,
           (double) (with - trove_ledger_size(&conf)) / CLAIMS);
}


static void
prepare(bench_t *b, uint32_t i, uint32_t player)
{
    b->chunk[i] = player;
    b->rewards[i] = 1 + random_below(REWARDS);
    random_id(b->ids[i], player);
}


static uint64_t
run_taps(bench_t *b)
{
    uint32_t  i;
    uint64_t  start;

    static trove_rc_t           rc[CHUNK];
    static trove_tap_t          t[CHUNK];
    static trove_tap_request_t  q[CHUNK];

    for (i = 0; i < CHUNK; i++) {
        q[i].player.data = (const unsigned char *) b->ids[i];
        q[i].player.len = 36;
        q[i].now = NOW * 1000;
        q[i].interval = 1;
        q[i].burst = UINT32_MAX;
        q[i].coin = 99;
        q[i].value = 5;
    }

    start = trove_clock_ns();

    if (b->together) {
        trove_tap_all(b->redo, q, t, rc, CHUNK);

    } else {
        for (i = 0; i < CHUNK; i++) {
            rc[i] = trove_tap(b->redo, &q[i], &t[i]);
        }
    }

    start = trove_clock_ns() - start;

    for (i = 0; i < CHUNK; i++) {
        b->balances[b->chunk[i]] += 5;

        if (rc[i] != TROVE_OK || t[i].result != TROVE_TAP_GRANTED
            || t[i].balance != b->balances[b->chunk[i]])
        {
            die("a tap was not granted, or tells another balance");
        }
    }

    return start;
}


static int64_t
lookup(bench_t *b, const trove_slice_t *id)
{
    trove_player_t  p;

    if (trove_player_get(b->ledger, id, &p) != TROVE_OK) {
        die("a player is not found");
    }

    return p.balance;
}


static void
lookup_together(bench_t *b, const trove_slice_t *id, int64_t *sum)
{
    uint32_t  i;
    uint64_t  hash[SOME];

    for (i = 0; i < SOME; i++) {
        hash[i] = trove_player_hash(b->ledger, &id[i]);
        trove_player_fetch_cell(b->ledger, hash[i]);
    }

    for (i = 0; i < SOME; i++) {
        trove_player_fetch(b->ledger, hash[i]);
    }

    for (i = 0; i < SOME; i++) {
        *sum += lookup(b, &id[i]);
    }
}


static uint64_t
run_lookups(bench_t *b)
{
    uint32_t       i;
    int64_t        sum;
    uint64_t       start;
    trove_slice_t  id[CHUNK];

    for (i = 0; i < CHUNK; i++) {
        id[i].data = (const unsigned char *) b->ids[i];
        id[i].len = 36;
    }

    sum = 0;
    start = trove_clock_ns();

    for (i = 0; i < CHUNK; /* void */ ) {

        if (b->together && i + SOME <= CHUNK) {
            lookup_together(b, &id[i], &sum);
            i += SOME;

        } else {
            sum += lookup(b, &id[i++]);
        }
    }

    start = trove_clock_ns() - start;

    for (i = 0; i < CHUNK; i++) {
        sum -= b->balances[b->chunk[i]];
    }

    if (sum != 0) {
        die("a player has another balance");
    }

    return start;
}


static uint64_t
run_claims(bench_t *b)
{
    uint32_t             i;
    uint64_t             start;
    trove_claim_rules_t  rules;

    static trove_rc_t             rc[CHUNK];
    static trove_claim_t          c[CHUNK];
    static trove_claim_request_t  q[CHUNK];

    memset(&rules, 0, sizeof(rules));

    rules.range = 50;
    rules.max_speed = 40;

    for (i = 0; i < CHUNK; i++) {
        q[i].player.data = (const unsigned char *) b->ids[i];
        q[i].player.len = 36;
        q[i].reward = b->rewards[i];
        q[i].placed = 1;
        q[i].now = NOW;
    }

    start = trove_clock_ns();

    if (b->together) {
        trove_claim_all(b->redo, &rules, q, c, rc, CHUNK);

    } else {
        for (i = 0; i < CHUNK; i++) {
            rc[i] = trove_claim(b->redo, &rules, &q[i], &c[i]);
        }
    }

    start = trove_clock_ns() - start;

    for (i = 0; i < CHUNK; i++) {

        if (rc[i] == TROVE_OK && c[i].result == TROVE_CLAIM_REPEAT) {
            continue;
        }

        b->balances[b->chunk[i]] += VALUE;
        b->claimed[q[i].reward]++;
        b->granted++;

        if (rc[i] != TROVE_OK || c[i].result != TROVE_CLAIM_GRANTED
            || c[i].balance != b->balances[b->chunk[i]])
        {
            die("a claim was not granted, or tells another balance");
        }
    }

    return start;
}


static void
check(bench_t *b)
{
    uint32_t        i;
    trove_reward_t  r;

    for (i = 1; i <= REWARDS; i++) {

        if (trove_ledger_get(b->ledger, i, &r) != TROVE_OK
            || r.taken != b->claimed[i])
        {
            die("another number is taken of a reward");
        }
    }

    if (trove_ledger_claims(b->ledger) != b->granted
        || !trove_ledger_sane(b->ledger))
    {
        die("the ledger is not as it should be");
    }
}


int
main(int argc, char **argv)
{
    static bench_t  b;

    b.n = (argc > 1) ? (uint32_t) strtoul(argv[1], NULL, 10) : PLAYERS;
    b.n -= b.n % CHUNK;

    if (b.n < FEW || b.n % 2654435761u == 0) {
        die("usage: claims [players], 100000 at least");
    }

    setup(&b);
    memory(&b);

    chunks_each(&b, "new players", prepare, b.n, run_taps);

    if (trove_ledger_players(b.ledger) != b.n) {
        die("there are more players, or fewer");
    }

    chunks_any(&b, "lookups one by one", prepare, b.n, run_lookups);
    chunks_any(&b, "taps one by one", prepare, b.n, run_taps);
    chunks_any(&b, "claims one by one", prepare, b.n, run_claims);

    chunks_any(&b, "few: lookups one by one", prepare, FEW, run_lookups);
    chunks_any(&b, "few: taps one by one", prepare, FEW, run_taps);
    chunks_any(&b, "few: claims one by one", prepare, FEW, run_claims);

    b.together = 1;
    chunks_any(&b, "lookups", prepare, b.n, run_lookups);
    chunks_any(&b, "taps", prepare, b.n, run_taps);
    chunks_any(&b, "claims", prepare, b.n, run_claims);

    check(&b);

    return 0;
}
