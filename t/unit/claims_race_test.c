
/*
 * Many processes claim, tap, put and remove at once, and some are killed.
 * All that they were answered is recorded, and a naive model looks whether it
 * can have been so:
 *
 *   - of each reward no more than its stock was granted, to as many players;
 *   - what a player was told, in the order of his balances, adds up, each
 *     grant being what it was told to be worth; gaps are what somebody was
 *     never told of, because he was killed;
 *   - a repeat is what was granted.
 */

#include "players.h"


#define PROCESSES  4
#define IDS        6          /* of rewards                                  */
#define PLAYERS    12
#define STOCK_MAX  4
#define RECORDS    400000
#define SERIALS    100000
#define UNTOLD     200


typedef enum {
    CLAIM,
    TAP,
    KINDS
} kind_t;


/* One request; its answer, if it came to that. */

typedef struct {
    _Atomic int        answered;
    kind_t             kind;
    trove_rc_t         rc;
    int                result;
    uint32_t           player;
    uint32_t           reward;
    uint64_t           seq;
    int32_t            value;           /* of a tap also before the answer   */
    int64_t            balance;
} record_t;


/*
 * A reward of an id, from its first put to its removal, has a serial, which is
 * its value, so that an answer says which it was.
 */

typedef struct {
    trove_ledger_t    *l;
    _Atomic uint32_t   records;
    _Atomic uint32_t   serials;
    _Atomic uint64_t   seqs[PLAYERS];
    _Atomic uint32_t   stock[SERIALS];  /* the greatest it ever had          */
    _Atomic uint32_t   busy;
    record_t           record[RECORDS];
} world_t;


static world_t  *w;


/* A request before it is made, for whoever is killed is not told. */

static record_t *
record_new(kind_t kind, uint32_t player)
{
    uint32_t   n;
    record_t  *rec;

    n = w->records++;

    if (n >= RECORDS) {
        _exit(0);
    }

    rec = &w->record[n];
    rec->kind = kind;
    rec->player = player;

    return rec;
}


static trove_claim_result_t
race_claim(trove_redo_t *r, uint32_t player, uint32_t reward)
{
    char           buf[16];
    record_t      *rec;
    trove_claim_t  c;

    (void) player_id(buf, player);

    rec = record_new(CLAIM, player);
    rec->reward = reward;

    do {
        rec->rc = claim(r, buf, reward, &c);
        w->busy += (rec->rc == TROVE_BUSY);
    } while (rec->rc == TROVE_BUSY);

    rec->result = c.result;
    rec->value = c.value;
    rec->balance = c.balance;
    rec->answered = 1;

    return c.result;
}


static void
race_tap(trove_redo_t *r, uint32_t player)
{
    char          buf[16];
    record_t     *rec;
    trove_tap_t   t;

    (void) player_id(buf, player);

    rec = record_new(TAP, player);
    rec->seq = ++w->seqs[player];
    rec->value = 1 + (int32_t) random_below(1 << 30);

    do {
        rec->rc = tap(r, buf, rec->seq, rec->value, &t);
        w->busy += (rec->rc == TROVE_BUSY);
    } while (rec->rc == TROVE_BUSY);

    rec->result = t.result;
    rec->balance = t.balance;
    rec->answered = 1;
}


/*
 * One process alone puts and removes an id: it belongs to it.  The stock is
 * noted before, for it may be granted before the put is answered.
 */

static void
race_put(uint32_t id)
{
    uint32_t        stock;
    trove_rc_t      rc;
    trove_reward_t  r;
    uint64_t        version;

    do {
        rc = trove_ledger_get(w->l, id, &r);
    } while (rc == TROVE_BUSY);

    stock = 1 + random_below(STOCK_MAX);

    if (rc == TROVE_OK && random_below(3) == 0) {

        do {
            rc = trove_ledger_remove(w->l, id, &version);
        } while (rc == TROVE_BUSY);

        return;
    }

    if (rc != TROVE_OK) {
        memset(&r, 0, sizeof(r));
        r.id = id;
        r.value = (int32_t) ++w->serials;
    }

    if ((uint32_t) r.value >= SERIALS) {
        return;
    }

    r.stock = stock;

    if (w->stock[r.value] < stock) {
        w->stock[r.value] = stock;
    }

    do {
        rc = trove_ledger_put(w->l, &r, &version);
    } while (rc == TROVE_BUSY);
}


static void
race(uint32_t who, uint32_t rounds, uint64_t life)
{
    uint32_t       i;
    trove_rc_t     rc;
    trove_redo_t  *r;

    do {
        rc = trove_redo_open(w->l, &r);
    } while (rc == TROVE_BUSY);

    if (rc != TROVE_OK) {
        _exit(1);
    }

    trove_fault_arm(NULL, life);

    for (i = 0; i < rounds; i++) {

        switch (random_below(8)) {

        case 0:
            if (who < IDS) {
                race_put(1 + who + PROCESSES * random_below(
                                                    (IDS - who - 1) / PROCESSES
                                                    + 1));
            }

            break;

        case 1:
        case 2:
            race_tap(r, random_below(PLAYERS));
            break;

        default:
            (void) race_claim(r, random_below(PLAYERS),
                              1 + random_below(IDS));
            break;
        }
    }

    trove_redo_close(r);
    _exit(0);
}


static pid_t
race_start(uint32_t who, uint32_t rounds, uint64_t life)
{
    pid_t  pid;

    (void) random_bits();

    pid = child_new();

    if (pid == 0) {
        random_seed ^= (uint64_t) (who + 1) << 40;
        race(who, rounds, life);
    }

    return pid;
}


static void
world_new(void)
{
    w = shared_new(sizeof(world_t));
    w->l = ledger_new(IDS, PLAYERS, 200000);
}


static void
world_free(void)
{
    ledger_free(w->l);
    (void) munmap(w, sizeof(world_t));
}


/* The model. */


typedef struct {
    int64_t   balance;
    int32_t   value;
} grant_t;


static int
by_balance(const void *a, const void *b)
{
    int64_t  x, y;

    x = ((const grant_t *) a)->balance;
    y = ((const grant_t *) b)->balance;

    return (x > y) - (x < y);
}


static int
is_grant(const record_t *rec)
{
    if (!rec->answered || rec->rc != TROVE_OK) {
        return 0;
    }

    return (rec->kind == CLAIM) ? rec->result == TROVE_CLAIM_GRANTED
                                : rec->result == TROVE_TAP_GRANTED;
}


/* The player's latest claim, plus one. */

static uint32_t
claim_of(uint32_t player)
{
    char            buf[16];
    trove_slice_t   id;
    trove_player_t  p;

    id = player_id(buf, player);

    return (trove_player_get(w->l, &id, &p) == TROVE_OK) ? p.claim : 0;
}


/* Taps that were asked for, and perhaps granted, by who was not told. */

static uint32_t
untold_taps(uint32_t player, int32_t *values)
{
    uint32_t   i, n;
    record_t  *rec;

    n = 0;

    for (i = 0; i < w->records; i++) {
        rec = &w->record[i];

        if (rec->player == player && rec->kind == TAP && !rec->answered) {
            assert_true(n < UNTOLD);
            values[n++] = rec->value;
        }
    }

    return n;
}


/*
 * Adds the claims that the ledger has and nobody was told of.  Each is of
 * another serial, and all that were told are there.
 */

static uint32_t
untold_claims(uint32_t player, grant_t *grants)
{
    char                     *told;
    uint32_t                  i, n, k;
    record_t                 *rec;
    const trove_claim_row_t  *c;

    told = calloc(SERIALS, 1);
    assert_non_null(told);
    n = 0;

    for (i = 0; i < w->records; i++) {
        rec = &w->record[i];

        if (rec->player == player && rec->kind == CLAIM && is_grant(rec)) {
            assert_int_equal(told[rec->value], 0);
            told[rec->value] = 1;
        }
    }

    for (k = claim_of(player); k != 0; k = c->prev) {
        c = trove_ledger_claim(w->l, k - 1);

        assert_true(told[c->value] < 2);

        if (!told[c->value]) {
            assert_true(n < UNTOLD);
            grants[n].balance = c->balance;
            grants[n++].value = c->value;
        }

        told[c->value] = 2;
    }

    for (i = 0; i < SERIALS; i++) {
        assert_int_not_equal(told[i], 1);
    }

    free(told);

    return n;
}


/*
 * Whether a few of the values are the sum, and takes them out.  They are large
 * and random: it is not by chance.
 */

static int
sum_of(int64_t sum, uint32_t few, int32_t *values, uint32_t *n)
{
    uint32_t  i, last;
    int32_t   value;

    if (sum == 0) {
        return 1;
    }

    if (sum < 0 || few == 0) {
        return 0;
    }

    last = *n;

    for (i = 0; i < last; i++) {
        value = values[i];
        values[i] = values[last - 1];
        *n = last - 1;

        if (sum_of(sum - value, few - 1, values, n)) {
            return 1;
        }

        *n = last;
        values[last - 1] = values[i];
        values[i] = value;
    }

    return 0;
}


static void
balances_add_up(uint32_t player)
{
    char            buf[16];
    int64_t         balance;
    int32_t         values[UNTOLD];
    uint32_t        i, n, gaps;
    grant_t        *grants;
    trove_slice_t   id;
    trove_player_t  p;

    grants = calloc(w->records + UNTOLD, sizeof(grant_t));
    assert_non_null(grants);

    gaps = untold_taps(player, values);
    n = untold_claims(player, grants);

    for (i = 0; i < w->records; i++) {

        if (w->record[i].player == player && is_grant(&w->record[i])) {
            grants[n].balance = w->record[i].balance;
            grants[n].value = w->record[i].value;
            n++;
        }
    }

    qsort(grants, n, sizeof(grant_t), by_balance);
    balance = 0;

    for (i = 0; i < n; i++) {
        assert_true(sum_of(grants[i].balance - grants[i].value - balance, 4,
                           values, &gaps));
        balance = grants[i].balance;
    }

    id = player_id(buf, player);

    if (trove_player_get(w->l, &id, &p) == TROVE_OK) {
        assert_true(sum_of(p.balance - balance, 4, values, &gaps));
    }

    free(grants);
}


/* A repeat is somebody's grant, with the same balance. */

static void
repeats_are_grants(void)
{
    uint32_t                  i, k;
    record_t                 *rec;
    const trove_claim_row_t  *c;

    for (i = 0; i < w->records; i++) {
        rec = &w->record[i];

        if (rec->kind != CLAIM || !rec->answered
            || rec->result != TROVE_CLAIM_REPEAT)
        {
            continue;
        }

        for (k = claim_of(rec->player); k != 0; k = c->prev) {
            c = trove_ledger_claim(w->l, k - 1);

            if (c->value == rec->value && c->balance == rec->balance
                && c->reward == rec->reward)
            {
                break;
            }
        }

        assert_int_not_equal(k, 0);
    }
}


/* By the ledger's claims, which were compared with what was told. */

static void
stocks_are_kept(void)
{
    uint32_t                  n, *given;
    const trove_claim_row_t  *c;

    given = calloc(SERIALS, sizeof(uint32_t));
    assert_non_null(given);

    for (n = 0; n < trove_ledger_claims(w->l); n++) {
        c = trove_ledger_claim(w->l, n);

        if (c->at & TROVE_CLAIM_DECIDED) {
            assert_true((uint32_t) c->value < SERIALS);
            given[c->value]++;
        }
    }

    for (n = 0; n < SERIALS; n++) {
        assert_true(given[n] <= w->stock[n]);
    }

    free(given);
}


static void
history_has_no_contradiction(void)
{
    uint32_t  i;

    assert_int_equal(trove_ledger_recover(w->l), TROVE_OK);
    assert_int_equal(trove_redo_recover(w->l), TROVE_OK);
    assert_true(trove_ledger_sane(w->l));

    for (i = 0; i < w->records; i++) {
        assert_true(!w->record[i].answered || w->record[i].rc == TROVE_OK);
    }

    for (i = 0; i < PLAYERS; i++) {
        balances_add_up(i);
    }

    repeats_are_grants();
    stocks_are_kept();
}


/* What is left of every stock goes to exactly as many. */

static void
the_rest_is_granted_exactly(void)
{
    char             buf[16];
    uint32_t         id, n, granted;
    trove_redo_t    *r;
    trove_claim_t    c;
    trove_reward_t   reward;

    r = redo_new(w->l);

    for (id = 1; id <= IDS; id++) {

        if (trove_ledger_get(w->l, id, &reward) != TROVE_OK) {
            continue;
        }

        granted = 0;

        for (n = 0; n < PLAYERS; n++) {
            (void) player_id(buf, n);
            assert_int_equal(claim(r, buf, id, &c), TROVE_OK);
            granted += (c.result == TROVE_CLAIM_GRANTED);
        }

        assert_int_equal(granted, (reward.stock > reward.taken)
                                  ? reward.stock - reward.taken : 0);
    }

    trove_redo_close(r);
}


static void
no_answer_contradicts_another(void **state)
{
    uint32_t  i;
    pid_t     pids[PROCESSES];

    world_new();

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = race_start(i, 30000, 0);
    }

    for (i = 0; i < PROCESSES; i++) {
        assert_int_equal(child_end(pids[i]), 0);
    }

    history_has_no_contradiction();
    the_rest_is_granted_exactly();

    world_free();
}


static void
nor_if_processes_are_killed(void **state)
{
    enum { DEATHS = 400 };

    int       status, deaths;
    pid_t     pid, pids[PROCESSES];
    uint32_t  i;

    world_new();

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = race_start(i, 3000, 1 + random_below(4000));
    }

    for (deaths = 0; deaths < DEATHS; /* void */ ) {

        /* by the hand of another, at a point that is no store's */

        if (random_below(3) == 0) {
            (void) usleep(random_below(3000));
            (void) kill(pids[random_below(PROCESSES)], SIGKILL);
        }

        pid = wait(&status);
        assert_true(pid > 0);
        assert_true(!WIFEXITED(status) || WEXITSTATUS(status) == 0);

        for (i = 0; pids[i] != pid; i++) {
            assert_true(i < PROCESSES - 1);
        }

        deaths++;
        pids[i] = race_start(i, 3000, 1 + random_below(20000));
    }

    for (i = 0; i < PROCESSES; i++) {
        assert_true(child_end(pids[i]) <= 0);
    }

    history_has_no_contradiction();
    the_rest_is_granted_exactly();

    world_free();
}


/* All want the same, which is there for a few: each stock goes to its end. */

static void
a_small_stock_goes_to_as_many(void **state)
{
    enum { N = 4, ROUNDS = 200, OF = 7 };

    int              status;
    char             buf[16];
    pid_t            pids[N];
    uint32_t         i, k, n;
    trove_redo_t    *r;
    trove_claim_t    c;
    _Atomic uint32_t  *granted;
    trove_ledger_t  *l;

    l = ledger_new(ROUNDS, N * ROUNDS, ROUNDS * OF + 2 * N);
    granted = shared_new((ROUNDS + 1) * sizeof(uint32_t));

    for (i = 1; i <= ROUNDS; i++) {
        reward_put(l, i, 1, OF);
    }

    for (i = 0; i < N; i++) {
        pids[i] = child_new();

        if (pids[i] == 0) {
            status = trove_redo_open(l, &r);

            for (k = 1; k <= ROUNDS && status == TROVE_OK; k++) {

                for (n = 0; n < OF && status == TROVE_OK; n++) {
                    (void) player_id(buf, i * ROUNDS + (k + n) % ROUNDS);

                    do {
                        status = claim(r, buf, k, &c);
                    } while (status == TROVE_BUSY);

                    granted[k] += (c.result == TROVE_CLAIM_GRANTED);
                }
            }

            trove_redo_close(r);
            _exit(status);
        }
    }

    for (i = 0; i < N; i++) {
        assert_int_equal(child_end(pids[i]), TROVE_OK);
    }

    for (k = 1; k <= ROUNDS; k++) {
        assert_int_equal(granted[k], OF);
    }

    assert_true(trove_ledger_sane(l));

    (void) munmap((void *) granted, (ROUNDS + 1) * sizeof(uint32_t));
    ledger_free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_small_stock_goes_to_as_many),
        cmocka_unit_test(no_answer_contradicts_another),
        cmocka_unit_test(nor_if_processes_are_killed),
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
