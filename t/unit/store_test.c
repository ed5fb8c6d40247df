
/*
 * The SQLite store: against a model, on a disk that fails at every operation
 * in turn, under kills and power failures; and whose files it refuses.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "unit.h"

#include "disk.h"
#include "store_v1.h"
#include "trove_space.h"
#include "trove_store.h"


#define SLOTS    24
#define IDS      40
#define PLAYERS  24
#define CLAIMS   400

#define BOARDS   3
#define ROWS     8

/* Operations of a disk in the time of one test: more than there are. */
#define OPS      5000


/* What a store should hold. */

typedef struct {
    trove_store_reward_t  rewards[SLOTS];       /* by slot; id 0: none       */
    trove_store_player_t  players[PLAYERS];     /* by number; no id: none    */
    trove_store_claim_t   claims[CLAIMS];
    uint32_t              nclaims;
    uint32_t              born;
    trove_store_score_t   scores[BOARDS][2][ROWS];  /* no player: none     */
    uint64_t              period[BOARDS];       /* the latest                */
    uint64_t              version;
} model_t;


/* What a store gave back. */

typedef struct {
    trove_store_reward_t  rewards[SLOTS];
    trove_store_player_t  players[PLAYERS];
    trove_store_claim_t   claims[CLAIMS];
    uint32_t              nrewards;
    uint32_t              nplayers;
    uint32_t              nclaims;
    char                  names[PLAYERS][41];
    trove_store_score_t   scores[BOARDS][2][ROWS];
    uint32_t              board;                /* that comes now            */
    uint64_t              period;
    uint32_t              nperiods;             /* of it, and rows           */
    uint32_t              nscores;
} loaded_t;


static const trove_board_conf_t  boards[BOARDS] = {
    { .name = "all time", .rows = ROWS, .reset = TROVE_BOARD_NEVER },
    { .name = "the week's", .rows = ROWS, .reset = TROVE_BOARD_WEEKLY,
      .order = TROVE_BOARD_ASC },
    { .name = "claims", .rows = ROWS, .reset = TROVE_BOARD_DAILY,
      .ties = TROVE_BOARD_SHARED, .claims = 1 }
};

static const char *const  texts[] = { "", "a", "\"it's\"",
    "\xf0\x9f\x8f\x86 0123456789" };


static char                 dir[64];
static char                 path[80];
static char                 error[TROVE_STORE_ERROR];
static char                 names[PLAYERS][41];
static loaded_t             loaded;
static trove_store_stats_t  stats;


static void
conf_of(trove_store_conf_t *conf)
{
    memset(conf, 0, sizeof(trove_store_conf_t));

    conf->path = path;
    conf->space = TROVE_EARTH;
    conf->busy = 20;
    conf->log_size = TROVE_STORE_LOG_SIZE;
    conf->log_max = TROVE_STORE_LOG_MAX;
    conf->vfs = DISK;
    conf->stats = &stats;
    conf->error = error;
}


/* With a log that is put in its place after nearly every commit. */

static void
conf_tidy(trove_store_conf_t *conf)
{
    conf_of(conf);

    conf->log_size = 20000;
}


static trove_store_t *
opened(const trove_store_conf_t *conf)
{
    trove_store_t     *s;
    trove_store_rc_t   rc;

    rc = trove_store_open(&trove_store_sqlite, conf, &s);

    if (rc != TROVE_STORE_DONE) {
        fail_msg("%s", error);
    }

    assert_non_null(s);
    assert_string_equal(error, "");

    return s;
}


/* That it is refused, and with a word about why. */

static void
refused(const trove_store_conf_t *conf, trove_store_rc_t rc, const char *why)
{
    trove_store_t  *s;

    assert_int_equal(trove_store_open(&trove_store_sqlite, conf, &s), rc);
    assert_null(s);

    if (strstr(error, why) == NULL || strstr(error, conf->path) == NULL) {
        fail_msg("expected \"%s\" in: %s", why, error);
    }
}


#define done(call)  assert_done(call, __LINE__)

static void
assert_done(trove_store_rc_t rc, int line)
{
    if (rc != TROVE_STORE_DONE) {
        fail_msg("line %d: %s: %s", line, trove_store_failures[rc], error);
    }
}


static void
remove_at(const char *suffix)
{
    char  name[128];

    (void) snprintf(name, sizeof(name), "%s%s", path, suffix);
    (void) unlink(name);
}


static void
start_anew(void)
{
    remove_at("");
    remove_at("-wal");
    remove_at("-shm");
    remove_at("-journal");

    memset(&stats, 0, sizeof(stats));
    disk_reset();
}


static sqlite3 *
other_program(void)
{
    sqlite3  *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);

    return db;
}


static int64_t
asked(const char *sql)
{
    int64_t        n;
    sqlite3       *db;
    sqlite3_stmt  *st;

    db = other_program();

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);

    (void) sqlite3_finalize(st);
    (void) sqlite3_close(db);

    return n;
}


static void
told(const char *sql)
{
    sqlite3  *db;

    db = other_program();
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(db);
}


/* A model's changes. */

static void
model_new(model_t *m)
{
    memset(m, 0, sizeof(model_t));
}


/* The slot with a reward of that id, or -1. */

static int
model_slot(const model_t *m, uint32_t id)
{
    int  i;

    for (i = 0; i < SLOTS; i++) {
        if (id != 0 && m->rewards[i].reward.id == id) {
            return i;
        }
    }

    return -1;
}


static void
model_reward(model_t *m)
{
    int                    slot;
    uint32_t               id, n;
    trove_store_reward_t  *r;

    id = random_below(IDS) + 1;
    slot = model_slot(m, id);

    if (slot != -1 && random_below(2)) {
        m->rewards[slot].reward.id = 0;
        return;
    }

    if (slot == -1 || random_below(4) == 0) {

        /* a new one; where it was before, if it was, nothing is left */

        if (slot != -1) {
            m->rewards[slot].reward.id = 0;
        }

        slot = (int) random_below(SLOTS);
        m->rewards[slot].born = ++m->born;
    }

    n = random_below(UINT32_MAX);
    r = &m->rewards[slot];

    r->slot = (uint32_t) slot;
    r->reward.id = id;
    r->reward.x = n / 7.0;
    r->reward.y = -(n / 11.0);
    r->reward.level = n * 0.5;
    r->reward.value = (int32_t) n;
    r->reward.starts = n;
    r->reward.expires = UINT32_MAX - n;
    r->reward.stock = n ^ 0x5555;
    r->reward.taken = n >> 7;
}


static void
model_player(model_t *m)
{
    int                    len;
    uint32_t               i;
    uint64_t               n;
    trove_store_player_t  *p;

    i = random_below(PLAYERS);
    n = random_bits() >> 11;
    p = &m->players[i];

    if (p->id.len == 0) {
        len = snprintf(names[i], sizeof(names[i]),
                       "it's \"\xc3\xa4\" %0*u", (int) i + 5, i);
        p->id.data = (unsigned char *) names[i];
        p->id.len = (size_t) len;
    }

    p->number = i;
    p->data.balance = (int64_t) (n << 11);
    p->data.seq = n << 11;
    p->data.paced = ~n;
    p->data.x = n / 3.0;
    p->data.y = -1 / (n + 1.0);
    p->data.moved = n >> 3;
    p->data.coin = (uint32_t) n;
    p->data.coin_value = (int32_t) (n >> 5);
}


static void
model_claim(model_t *m)
{
    uint32_t              i, player, slot, ordinal;
    trove_store_claim_t  *c;

    player = random_below(PLAYERS);
    slot = random_below(SLOTS);
    ordinal = 1;

    if (m->nclaims == CLAIMS
        || m->players[player].id.len == 0
        || m->rewards[slot].reward.id == 0)
    {
        return;
    }

    for (i = 0; i < m->nclaims; i++) {
        c = &m->claims[i];

        if (c->reward != m->rewards[slot].reward.id
            || c->born != m->rewards[slot].born)
        {
            continue;
        }

        if (c->player == player) {
            return;
        }

        if (c->ordinal >= ordinal) {
            ordinal = c->ordinal + 1;
        }
    }

    c = &m->claims[m->nclaims++];

    c->player = player;
    c->reward = m->rewards[slot].reward.id;
    c->born = m->rewards[slot].born;

    /* now and then the one before it was lost */

    c->ordinal = ordinal + (random_below(5) == 0);
    c->value = (int32_t) random_bits();
    c->balance = (int64_t) (random_bits() >> 11);
    c->at = random_bits() >> 11;
}


/* A row of a period, or a period that begins. */

static void
model_score(model_t *m)
{
    uint32_t              b, player, row;
    trove_store_score_t  *r;

    b = random_below(BOARDS);

    if (boards[b].reset != TROVE_BOARD_NEVER && random_below(12) == 0) {
        m->period[b] += random_below(2) + 1;
        memset(m->scores[b][m->period[b] % 2], 0, sizeof(m->scores[b][0]));
    }

    row = random_below(ROWS);
    r = &m->scores[b][m->period[b] % 2][row];

    if (r->player.len != 0 && random_below(3) == 0) {
        memset(r, 0, sizeof(*r));
        return;
    }

    player = random_below(PLAYERS);

    if (m->players[player].id.len == 0) {
        return;
    }

    r->player = m->players[player].id;
    r->data.data = (const unsigned char *) texts[random_below(4)];
    r->data.len = strlen((const char *) r->data.data);
    r->board = &boards[b];
    r->period = m->period[b];
    r->row = row;
    r->score = (int64_t) (random_bits() >> 21);
    r->score = random_below(2) ? r->score : -r->score;
    r->seq = ~(random_bits() >> 11);
    r->reached = random_bits() >> 11 << 10 | row;
}


static void
model_change(model_t *m)
{
    int  n;

    for (n = (int) random_below(12) + 1; n > 0; n--) {
        model_reward(m);
        model_player(m);
        model_claim(m);
        model_score(m);
    }

    m->version += random_below(1000);
}


static trove_store_rc_t
stored_score(trove_store_t *s, const model_t *m, uint32_t b, uint32_t table,
    uint32_t row)
{
    uint64_t                    period;
    const trove_store_score_t  *r;

    r = &m->scores[b][table][row];
    period = m->period[b] - (m->period[b] % 2 != table);

    return (r->player.len != 0)
           ? trove_store_put_score(s, r)
           : trove_store_remove_score(s, &boards[b], period, row);
}


static trove_store_rc_t
stored_scores(trove_store_t *s, const model_t *from, const model_t *to)
{
    uint32_t          b, i, n;
    trove_store_rc_t  rc;

    rc = TROVE_STORE_DONE;

    for (b = 0; b < BOARDS; b++) {

        for (i = 0; rc == TROVE_STORE_DONE && i < 2 * ROWS; i++) {

            if (memcmp(&from->scores[b][i / ROWS][i % ROWS],
                       &to->scores[b][i / ROWS][i % ROWS],
                       sizeof(trove_store_score_t))
                != 0)
            {
                rc = stored_score(s, to, b, i / ROWS, i % ROWS);
            }
        }

        while (rc == TROVE_STORE_DONE && to->period[b] != 0) {
            rc = trove_store_drop_scores(s, &boards[b], to->period[b] - 1, 3,
                                         &n);
            assert_in_range(n, 0, 3);

            if (n < 3) {
                break;
            }
        }
    }

    return rc;
}


/* One transaction: all in which "to" differs from "from". */

static trove_store_rc_t
stored(trove_store_t *s, const model_t *from, const model_t *to)
{
    uint32_t          i;
    trove_store_rc_t  rc;

    rc = trove_store_begin(s);

    for (i = 0; rc == TROVE_STORE_DONE && i < SLOTS; i++) {

        if (memcmp(&from->rewards[i], &to->rewards[i],
                   sizeof(to->rewards[i]))
            == 0)
        {
            continue;
        }

        rc = to->rewards[i].reward.id
             ? trove_store_put_reward(s, &to->rewards[i])
             : trove_store_remove_reward(s, i);
    }

    for (i = 0; rc == TROVE_STORE_DONE && i < PLAYERS; i++) {

        if (memcmp(&from->players[i], &to->players[i],
                   sizeof(to->players[i]))
            != 0)
        {
            rc = trove_store_put_player(s, &to->players[i]);
        }
    }

    for (i = from->nclaims; rc == TROVE_STORE_DONE && i < to->nclaims; i++) {
        rc = trove_store_put_claim(s, &to->claims[i]);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = stored_scores(s, from, to);
    }

    return (rc == TROVE_STORE_DONE) ? trove_store_commit(s, to->version) : rc;
}


/* Taking what is loaded. */

static trove_rc_t
load_reward(void *data, const trove_store_reward_t *r)
{
    assert_int_equal(r->slot, loaded.nrewards);
    assert_true(loaded.nrewards < SLOTS && loaded.nplayers == 0);

    loaded.rewards[loaded.nrewards++] = *r;

    return TROVE_OK;
}


static trove_rc_t
load_player(void *data, const trove_store_player_t *p)
{
    assert_true(loaded.nplayers < PLAYERS && loaded.nclaims == 0);
    assert_true(p->id.len > 0 && p->id.len <= 40);

    memcpy(loaded.names[loaded.nplayers], p->id.data, p->id.len);
    loaded.players[loaded.nplayers++] = *p;

    return TROVE_OK;
}


static trove_rc_t
load_claim(void *data, const trove_store_claim_t *c)
{
    assert_true(loaded.nclaims < CLAIMS);
    loaded.claims[loaded.nclaims++] = *c;

    return TROVE_OK;
}


/* The two latest of each board, in the order of the boards' names. */

static trove_rc_t
load_period(void *data, const trove_store_period_t *p)
{
    uint32_t  b;

    static const uint32_t  order[BOARDS] = { 0, 2, 1 };

    for (b = 0; b < BOARDS; b++) {

        if (p->board.len == strlen(boards[b].name)
            && memcmp(p->board.data, boards[b].name, p->board.len) == 0)
        {
            break;
        }
    }

    assert_true(b < BOARDS);
    assert_int_equal(p->reset, boards[b].reset);
    assert_int_equal(p->claims, boards[b].claims);
    assert_true(p->rows <= ROWS);
    assert_true(loaded.nperiods == 0 || order[b] >= order[loaded.board]);

    if (loaded.nperiods == 0 || b != loaded.board) {
        loaded.nperiods = 0;

    } else {
        assert_true(p->period < loaded.period);
    }

    loaded.board = b;
    loaded.period = p->period;
    loaded.nscores = 0;

    /* nothing is left of earlier ones */

    assert_true(loaded.nperiods++ < 2);

    return TROVE_OK;
}


static trove_rc_t
load_score(void *data, const trove_store_score_t *r)
{
    uint32_t              i;
    trove_store_score_t  *to;

    assert_null(r->board);
    assert_int_equal(r->period, loaded.period);
    assert_true(r->row < ROWS);
    assert_true(loaded.nscores == 0 || r->row >= loaded.nscores);
    loaded.nscores = r->row + 1;

    to = &loaded.scores[loaded.board][r->period % 2][r->row];
    *to = *r;

    for (i = 0; i < PLAYERS; i++) {

        if (strlen(names[i]) == r->player.len
            && memcmp(names[i], r->player.data, r->player.len) == 0)
        {
            to->player.data = (const unsigned char *) names[i];
        }
    }

    for (i = 0; i < 4; i++) {

        if (strlen(texts[i]) == r->data.len
            && memcmp(texts[i], r->data.data ? r->data.data
                                             : (const unsigned char *) "",
                      r->data.len) == 0)
        {
            to->data.data = (const unsigned char *) texts[i];
        }
    }

    to->board = &boards[loaded.board];

    return TROVE_OK;
}


static trove_store_rc_t
load(trove_store_t *s)
{
    trove_store_load_t  to;

    memset(&loaded, 0, sizeof(loaded));
    memset(&to, 0, sizeof(to));

    to.reward = load_reward;
    to.player = load_player;
    to.claim = load_claim;
    to.period = load_period;
    to.score = load_score;

    return trove_store_load(s, &to);
}


/* In the order of loading. */

static int
claim_order(const void *one, const void *two)
{
    const trove_store_claim_t  *a = one;
    const trove_store_claim_t  *b = two;

    if (a->reward != b->reward) {
        return (a->reward < b->reward) ? -1 : 1;
    }

    if (a->born != b->born) {
        return (a->born < b->born) ? -1 : 1;
    }

    return (a->ordinal < b->ordinal) ? -1 : 1;
}


static int
same_player(const model_t *m, uint32_t i, uint32_t n)
{
    trove_store_player_t  p;

    p = m->players[i];

    if (memcmp(p.id.data, loaded.names[n], p.id.len) != 0
        || p.id.len != loaded.players[n].id.len)
    {
        return 0;
    }

    p.id = loaded.players[n].id;

    return memcmp(&p, &loaded.players[n], sizeof(p)) == 0;
}


static int
same_scores(const model_t *m)
{
    uint32_t                    b, i;
    uint64_t                    period;
    const trove_store_score_t  *r;

    for (b = 0; b < BOARDS; b++) {

        for (i = 0; i < 2 * ROWS; i++) {
            r = &m->scores[b][i / ROWS][i % ROWS];
            period = m->period[b] - (m->period[b] % 2 != i / ROWS);

            /* of two periods that passed, one is empty and still there */

            if (r->player.len != 0 && r->period != period) {
                continue;
            }

            if (memcmp(r, &loaded.scores[b][i / ROWS][i % ROWS], sizeof(*r))
                != 0)
            {
                return 0;
            }
        }
    }

    return 1;
}


/* Whether what was loaded is the model. */

static int
same(const model_t *m)
{
    uint32_t              i, n;
    trove_store_claim_t   claims[CLAIMS];
    trove_store_reward_t  r;

    n = 0;

    for (i = 0; i < SLOTS; i++) {

        if (m->rewards[i].reward.id == 0) {
            continue;
        }

        r = m->rewards[i];
        r.slot = n;

        if (memcmp(&r, &loaded.rewards[n++], sizeof(r)) != 0) {
            return 0;
        }
    }

    if (n != loaded.nrewards) {
        return 0;
    }

    n = 0;

    for (i = 0; i < PLAYERS; i++) {

        if (m->players[i].id.len && !same_player(m, i, n++)) {
            return 0;
        }
    }

    if (n != loaded.nplayers) {
        return 0;
    }

    if (m->nclaims != loaded.nclaims) {
        return 0;
    }

    memcpy(claims, m->claims, sizeof(claims));
    qsort(claims, m->nclaims, sizeof(claims[0]), claim_order);

    return memcmp(claims, loaded.claims, m->nclaims * sizeof(claims[0])) == 0
           && same_scores(m);
}


/* As a load leaves the slots: without holes. */

static void
model_dense(model_t *m)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < SLOTS; i++) {

        if (m->rewards[i].reward.id) {
            m->rewards[n] = m->rewards[i];
            m->rewards[n].slot = n;
            n++;
        }
    }

    for ( /* void */ ; n < SLOTS; n++) {
        memset(&m->rewards[n], 0, sizeof(m->rewards[n]));
    }
}


static void
what_is_committed_is_loaded(void **state)
{
    int                  i, n;
    uint64_t             flush;
    model_t             *m, *next;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    m = malloc(sizeof(model_t));
    next = malloc(sizeof(model_t));

    for (n = 0; n < 10; n++) {
        start_anew();
        conf_of(&conf);
        conf.log_size = 100000;
        model_new(m);

        s = opened(&conf);
        assert_true(s->info.created);
        assert_int_equal(s->info.flush, 0);

        for (i = 0; i < 40; i++) {
            *next = *m;
            model_change(next);

            done(stored(s, m, next));
            assert_int_equal(s->info.version, next->version);
            *m = *next;

            if (random_below(2)) {
                trove_store_tidy(s);
            }

            if (random_below(8) == 0) {
                flush = s->info.flush;
                trove_store_close(s);
                s = opened(&conf);

                assert_false(s->info.created);
                assert_int_equal(s->info.flush, flush);
                assert_int_equal(s->info.version, m->version);
                done(load(s));
                assert_true(same(m));
                model_dense(m);
            }
        }

        done(load(s));
        assert_true(same(m));

        trove_store_close(s);

        assert_int_equal(stats.commits, 40);
        assert_int_equal(asked("SELECT count(*) FROM rewards"),
                         loaded.nrewards);
        assert_int_equal(asked("SELECT count(*) FROM players"),
                         loaded.nplayers);
        assert_int_equal(asked("SELECT count(*) FROM claims"), m->nclaims);
    }

    free(m);
    free(next);
}


static void
what_is_rolled_back_is_not(void **state)
{
    model_t             *m, *next;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    m = calloc(2, sizeof(model_t));
    next = m + 1;

    start_anew();
    conf_of(&conf);

    s = opened(&conf);
    model_change(next);

    done(trove_store_begin(s));
    done(trove_store_remove_reward(s, 0));
    trove_store_rollback(s);

    done(stored(s, m, next));
    assert_int_equal(s->info.flush, 1);

    done(trove_store_begin(s));
    done(trove_store_remove_reward(s, 0));
    trove_store_rollback(s);
    trove_store_rollback(s);

    done(load(s));
    assert_true(same(next));

    trove_store_close(s);
    trove_store_close(NULL);
    free(m);
}


/* The process is, and the kernel lets go of what it held. */

static void
killed(trove_store_t *s)
{
    disk.dead = 1;

    if (trove_store_begin(s) == TROVE_STORE_DONE) {
        (void) trove_store_commit(s, 0);
    }

    trove_store_close(s);
    (void) disk_disarm();
}


/*
 * One operation of the disk fails, the "n"th of opening and three commits:
 * what was said to be stored is, the rest as a whole or not at all; and it
 * goes on when the disk does.
 */

static int
go_on_after(disk_fault_t fault, uint64_t n, int power)
{
    int                  i, happened, kept, tried;
    model_t             *m;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    m = calloc(5, sizeof(model_t));

    start_anew();
    conf_tidy(&conf);

    for (i = 1; i < 5; i++) {
        m[i] = m[i - 1];
        model_change(&m[i]);
    }

    s = opened(&conf);
    done(stored(s, &m[0], &m[1]));
    trove_store_close(s);

    kept = 1;
    tried = 1;
    disk_arm(fault, n, 0);

    if (trove_store_open(&trove_store_sqlite, &conf, &s)
        == TROVE_STORE_DONE)
    {
        while (kept < 4) {
            tried = kept + 1;

            if (stored(s, &m[kept], &m[tried]) != TROVE_STORE_DONE) {
                break;
            }

            kept = tried;
            trove_store_tidy(s);
        }

        assert_true(kept == 4 || error[0] != '\0');
        assert_int_equal(s->info.flush, kept);

        happened = disk_disarm();

        /* where it is killed nothing is closed in good order */

        (fault == DISK_KILLED) ? killed(s) : trove_store_close(s);

    } else {
        happened = disk_disarm();
    }

    if (power) {
        disk_power();
    }

    s = opened(&conf);
    i = (int) s->info.flush;
    assert_true(i == kept || i == tried);

    done(load(s));

    if (!same(&m[i])) {
        fail_msg("fault %d at %llu: commit %d is not what it was", fault,
                 (unsigned long long) n, i);
    }

    /* what is not known to be stored is stored again */

    model_dense(&m[i]);
    done(stored(s, &m[i], &m[4]));
    trove_store_close(s);

    if (power) {
        disk_power();
    }

    s = opened(&conf);
    done(load(s));
    assert_true(same(&m[4]));
    trove_store_close(s);

    free(m);

    return happened;
}


static void
each_in_turn(disk_fault_t fault, int power)
{
    uint64_t  n;

    for (n = 1; go_on_after(fault, n, power); n++) {
        assert_true(n < OPS);
    }

    print_message("# fault %d: at each of %llu operations\n", fault,
                  (unsigned long long) n - 1);
}


static void
a_full_disk_loses_nothing(void **state)
{
    each_in_turn(DISK_FULL, 0);
}


static void
an_error_of_the_disk_loses_nothing(void **state)
{
    each_in_turn(DISK_BROKEN, 0);
}


static void
a_kill_loses_nothing(void **state)
{
    each_in_turn(DISK_KILLED, 0);
}


static void
a_power_failure_loses_nothing(void **state)
{
    each_in_turn(DISK_KILLED, 1);
}


static void
a_failed_sync_and_a_power_failure_lose_nothing(void **state)
{
    each_in_turn(DISK_UNSYNCED, 1);
}


/*
 * A sync fails, and the process is killed before it does anything about it.
 * The one that starts next finds in the kernel's memory what never got to the
 * medium; what it commits on top of that must not be lost with it.
 */

static void
a_failed_sync_and_a_kill_lose_nothing_later(void **state)
{
    int                  i, n;
    model_t             *m;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    m = calloc(4, sizeof(model_t));

    for (n = 0; n < 200; n++) {
        start_anew();
        conf_tidy(&conf);

        memset(m, 0, sizeof(model_t));
        m[1] = m[0];
        model_change(&m[1]);
        m[2] = m[1];
        model_change(&m[2]);

        s = opened(&conf);
        done(stored(s, &m[0], &m[1]));

        disk_arm(DISK_UNSYNCED, 1, 1);
        assert_int_equal(stored(s, &m[1], &m[2]), TROVE_STORE_IO);

        killed(s);

        s = opened(&conf);
        assert_in_range(s->info.flush, 1, 2);
        i = (int) s->info.flush;
        done(load(s));
        assert_true(same(&m[i]));

        model_dense(&m[i]);
        m[3] = m[i];
        model_change(&m[3]);

        done(stored(s, &m[i], &m[3]));

        killed(s);
        disk_power();

        s = opened(&conf);
        done(load(s));
        assert_true(same(&m[3]));
        trove_store_close(s);
    }

    free(m);
}


/* That the disk can lose it: the same with SQLite as it is. */

static void
sqlite_alone_loses_it(void **state)
{
    int       lost, n, on;
    sqlite3  *db;

    lost = 0;

    for (n = 0; n < 300; n++) {
        start_anew();
        told("PRAGMA journal_mode = WAL; CREATE TABLE t (n)");

        for (on = 0; on < 2; on++) {
            assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE,
                                             DISK), SQLITE_OK);
            (void) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                     NULL);
            assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = FULL",
                                          NULL, NULL, NULL), SQLITE_OK);

            disk_arm(on ? DISK_WORKS : DISK_UNSYNCED, n % 10 + 1, 0);
            (void) sqlite3_exec(db, "INSERT INTO t VALUES (1)", NULL, NULL,
                                NULL);
            disk.dead = 1;
            (void) sqlite3_close(db);
            (void) disk_disarm();
        }

        disk_power();
        lost += (asked("SELECT count(*) FROM t") == 0);
    }

    assert_true(lost > 0);
}


/* What lasts is told each time, and is over when it is over. */

static void
it_recovers_when_the_disk_does(void **state)
{
    int                  n;
    model_t             *m;
    disk_fault_t         fault;
    trove_store_t       *s;
    trove_store_rc_t     rc;
    trove_store_conf_t   conf;

    m = calloc(2, sizeof(model_t));
    model_change(&m[1]);

    for (fault = DISK_FULL; fault <= DISK_UNSYNCED; fault++) {
        start_anew();
        conf_tidy(&conf);

        s = opened(&conf);
        disk_arm(fault, 1, 1);

        rc = (fault == DISK_FULL) ? TROVE_STORE_FULL : TROVE_STORE_IO;

        assert_int_equal(stored(s, &m[0], &m[1]), rc);
        assert_int_equal(trove_store_begin(s), rc);
        assert_int_equal(trove_store_commit(s, 1), rc);
        assert_true(stats.failures[rc] > 0);
        trove_store_close(s);

        for (n = 0; n < 3; n++) {
            if (trove_store_open(&trove_store_sqlite, &conf, &s)
                == TROVE_STORE_DONE)
            {
                assert_int_equal(stored(s, &m[0], &m[1]), rc);
                trove_store_close(s);
            }

            assert_true(error[0] != '\0');
        }

        (void) disk_disarm();

        s = opened(&conf);
        done(stored(s, &m[0], &m[1]));
        done(load(s));
        assert_true(same(&m[1]));
        trove_store_close(s);
    }

    free(m);
}


/* The system's own limit of a file's size, which is a disk that is full. */

static void
a_file_that_may_not_grow_is_a_full_disk(void **state)
{
    int                  i, rc;
    model_t             *m;
    struct rlimit        was, now;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    m = calloc(2, sizeof(model_t));

    start_anew();
    conf_of(&conf);
    conf.vfs = NULL;
    (void) signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);

    s = opened(&conf);

    now = was;
    now.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);

    rc = TROVE_STORE_DONE;

    for (i = 0; i < 1000 && rc == TROVE_STORE_DONE; i++) {
        m[1] = m[0];
        model_change(&m[1]);
        rc = stored(s, &m[0], &m[1]);

        if (rc == TROVE_STORE_DONE) {
            m[0] = m[1];
        }
    }

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, TROVE_STORE_FULL);

    trove_store_close(s);
    s = opened(&conf);
    done(stored(s, &m[0], &m[1]));
    done(load(s));
    assert_true(same(&m[1]));

    trove_store_close(s);
    free(m);
}


static void *
store_one(void *data)
{
    model_t        *m;
    trove_store_t  *s = data;

    m = calloc(2, sizeof(model_t));
    model_change(&m[1]);

    done(stored(s, &m[0], &m[1]));
    free(m);

    return NULL;
}


static void
a_disk_that_hangs_holds_only_its_thread(void **state)
{
    pthread_t            thread;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    start_anew();
    conf_tidy(&conf);

    s = opened(&conf);
    disk_arm(DISK_HANGS, 2, 0);

    assert_int_equal(pthread_create(&thread, NULL, store_one, s), 0);
    disk_wait();
    assert_int_equal(trove_stat_get(&stats.commits), 0);

    disk_release();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(trove_stat_get(&stats.commits), 1);

    (void) disk_disarm();
    trove_store_close(s);
}


static void
another_programs_transaction_is_waited_for_and_not_for_long(void **state)
{
    model_t             *m;
    sqlite3             *db;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    m = calloc(2, sizeof(model_t));
    model_change(&m[1]);

    start_anew();
    conf_of(&conf);

    s = opened(&conf);
    db = other_program();
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);

    assert_int_equal(stored(s, &m[0], &m[1]), TROVE_STORE_BUSY);
    assert_true(strstr(error, "locked") != NULL);
    assert_int_equal(stats.failures[TROVE_STORE_BUSY], 1);

    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);

    /* and then the same store is good again */

    done(stored(s, &m[0], &m[1]));

    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    trove_store_close(s);
    refused(&conf, TROVE_STORE_BUSY, "locked");

    (void) sqlite3_close(db);
    free(m);
}


/* Readers of all ages read on, and the log stays within its bounds. */

static void
a_log_is_put_in_its_place(void **state)
{
    int                  i;
    char                 wal[128];
    model_t             *m;
    sqlite3             *db;
    struct stat          st;
    trove_store_t       *s;
    trove_store_rc_t     rc;
    trove_store_conf_t   conf;

    m = calloc(2, sizeof(model_t));

    start_anew();
    conf_of(&conf);
    conf.log_size = 100000;
    conf.log_max = 1000000;

    (void) snprintf(wal, sizeof(wal), "%s-wal", path);
    s = opened(&conf);

    for (i = 0; i < 300; i++) {
        m[1] = m[0];
        model_change(&m[1]);
        done(stored(s, &m[0], &m[1]));
        trove_store_tidy(s);
        m[0] = m[1];

        assert_int_equal(stat(wal, &st), 0);
        assert_true(st.st_size < 300000);
    }

    assert_int_equal(stats.log_failures, 0);

    /* a reader that does not end keeps all that came after it in the log */

    db = other_program();
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM rewards",
                                  NULL, NULL, NULL), SQLITE_OK);

    rc = TROVE_STORE_DONE;

    for (i = 0; i < 1000 && rc == TROVE_STORE_DONE; i++) {
        m[1] = m[0];
        model_change(&m[1]);
        rc = stored(s, &m[0], &m[1]);
        trove_store_tidy(s);

        if (rc == TROVE_STORE_DONE) {
            m[0] = m[1];
        }
    }

    assert_int_equal(rc, TROVE_STORE_BUSY);
    assert_true(strstr(error, "reader") != NULL);
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < 1300000);

    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(db);

    done(stored(s, &m[0], &m[1]));
    trove_store_tidy(s);
    assert_true(stats.log_bytes < 300000);

    done(load(s));
    assert_true(same(&m[1]));
    trove_store_close(s);
    assert_int_equal(stat(wal, &st), -1);

    free(m);
}


/* Nothing is said to be stored in a file that nobody finds again. */

static void
a_database_that_was_taken_away_is_missed(void **state)
{
    int                  i;
    char                 away[128];
    model_t             *m;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    static const char *const  files[] = { "", "-wal", "-shm" };

    m = calloc(2, sizeof(model_t));
    model_change(&m[1]);
    (void) snprintf(away, sizeof(away), "%s.away", path);

    for (i = 0; i < 3; i++) {
        start_anew();
        conf_of(&conf);

        s = opened(&conf);
        done(stored(s, &m[0], &m[1]));
        remove_at(files[i]);

        assert_int_equal(stored(s, &m[0], &m[1]), TROVE_STORE_GONE);
        assert_true(strstr(error, "deleted") != NULL);
        assert_int_equal(s->info.flush, 1);
        trove_store_close(s);

        /* only what other programs' locks are in */

        if (i == 2) {
            s = opened(&conf);
            assert_int_equal(s->info.flush, 1);
            done(load(s));
            assert_true(same(&m[1]));
            trove_store_close(s);
        }

        start_anew();
        s = opened(&conf);
        conf.instance = strdup(s->info.instance);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(trove_store_begin(s), TROVE_STORE_GONE);
        trove_store_close(s);

        /* in its place another one is not taken, and an empty one is */

        remove_at("-wal");
        remove_at("-shm");
        told("CREATE TABLE t (n)");
        refused(&conf, TROVE_STORE_FOREIGN, "another program");

        start_anew();
        s = opened(&conf);
        assert_true(s->info.created);
        assert_string_equal(s->info.instance, conf.instance);
        assert_int_equal(s->info.flush, 0);
        trove_store_close(s);

        free((char *) conf.instance);
        (void) unlink(away);
    }

    free(m);
}


static void
write_file(const void *data, size_t size)
{
    FILE  *f;

    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}


/* Also by a check that opens nothing, as far as the header tells. */

static void
foreign_files_are_refused_and_left_alone(void **state)
{
    char                 wrong[TROVE_STORE_INSTANCE + 1];
    trove_store_t       *s;
    trove_store_conf_t   conf;

    conf_of(&conf);

    start_anew();
    write_file("this is no database at all, but a text that is as long as "
               "the header of one, and even somewhat longer than that", 110);
    refused(&conf, TROVE_STORE_FOREIGN, "not a database");
    assert_int_equal(trove_store_sqlite_check(path, error),
                     TROVE_STORE_FOREIGN);

    start_anew();
    told("CREATE TABLE t (n)");
    refused(&conf, TROVE_STORE_FOREIGN, "another program");
    assert_int_equal(asked("SELECT count(*) FROM sqlite_schema"), 1);

    start_anew();
    told("PRAGMA application_id = 1; CREATE TABLE t (n)");
    refused(&conf, TROVE_STORE_FOREIGN, "another program");
    assert_int_equal(trove_store_sqlite_check(path, error),
                     TROVE_STORE_FOREIGN);
    assert_true(strstr(error, "another program") != NULL);

    start_anew();
    s = opened(&conf);
    trove_store_close(s);
    assert_int_equal(trove_store_sqlite_check(path, error), TROVE_STORE_DONE);

    conf.space = TROVE_PLANE;
    refused(&conf, TROVE_STORE_FOREIGN, "\"space earth\"");
    conf.space = TROVE_EARTH;

    memset(wrong, 'f', TROVE_STORE_INSTANCE);
    wrong[TROVE_STORE_INSTANCE] = '\0';
    conf.instance = wrong;
    refused(&conf, TROVE_STORE_FOREIGN, "another ledger");
    conf.instance = NULL;

    told("PRAGMA user_version = 3");
    refused(&conf, TROVE_STORE_FOREIGN, "schema 3");
    assert_int_equal(trove_store_sqlite_check(path, error),
                     TROVE_STORE_FOREIGN);
    assert_true(strstr(error, "schema 3") != NULL);

    told("PRAGMA user_version = 0");
    refused(&conf, TROVE_STORE_FOREIGN, "damaged");

    told("PRAGMA user_version = 2; DELETE FROM meta");
    refused(&conf, TROVE_STORE_FOREIGN, "damaged");

    told("DROP TABLE meta");
    refused(&conf, TROVE_STORE_FOREIGN, "no such table");
}


static void
what_cannot_be_opened_is_told(void **state)
{
    trove_store_t       *s;
    trove_store_conf_t   conf;

    start_anew();
    conf_of(&conf);
    conf.path = "/nonexistent/hunt.db";

    refused(&conf, TROVE_STORE_IO, "cannot be");
    assert_true(stats.failures[TROVE_STORE_IO] > 0);
    assert_int_equal(trove_store_sqlite_check(conf.path, error),
                     TROVE_STORE_IO);
    assert_true(strstr(error, conf.path) != NULL);

    /* an empty file is nothing yet, and nothing can be one */

    conf.path = path;
    assert_int_equal(trove_store_sqlite_check(path, error), TROVE_STORE_DONE);
    write_file("", 0);
    assert_int_equal(trove_store_sqlite_check(path, error), TROVE_STORE_DONE);

    s = opened(&conf);
    assert_true(s->info.created);
    trove_store_close(s);
}


/* Who is to take what is loaded may have no room for it. */

static trove_rc_t
load_nothing(void *data, const trove_store_player_t *p)
{
    return TROVE_FULL;
}


static void
a_load_ends_when_nothing_more_fits(void **state)
{
    model_t             *m;
    trove_store_t       *s;
    trove_store_load_t   to;
    trove_store_conf_t   conf;

    m = calloc(2, sizeof(model_t));
    model_change(&m[1]);

    start_anew();
    conf_of(&conf);
    s = opened(&conf);
    done(stored(s, &m[0], &m[1]));

    memset(&loaded, 0, sizeof(loaded));
    memset(&to, 0, sizeof(to));
    to.reward = load_reward;
    to.player = load_nothing;
    to.claim = load_claim;

    assert_int_equal(trove_store_load(s, &to), TROVE_STORE_FOREIGN);
    assert_int_equal(to.rc, TROVE_FULL);
    assert_true(strstr(error, "no room") != NULL);

    trove_store_close(s);
    free(m);
}


/* What the comment of the schema says to who asks by hand. */

static void
an_operator_can_ask(void **state)
{
    trove_store_t         *s;
    trove_store_claim_t    c;
    trove_store_player_t   p;
    trove_store_reward_t   r;
    trove_store_conf_t     conf;

    start_anew();
    conf_of(&conf);
    s = opened(&conf);

    memset(&r, 0, sizeof(r));
    memset(&p, 0, sizeof(p));
    memset(&c, 0, sizeof(c));

    r.reward.id = 7;
    r.reward.value = 50;
    r.reward.stock = 2;
    r.reward.taken = 1;
    p.id.data = (const unsigned char *) "p1";
    p.id.len = 2;
    p.number = 3;
    p.data.balance = 70;
    c.player = 3;
    c.reward = 7;
    c.ordinal = 1;
    c.value = 50;
    c.balance = 70;
    c.at = 1763710892123;

    done(trove_store_begin(s));
    done(trove_store_put_reward(s, &r));
    done(trove_store_put_player(s, &p));
    done(trove_store_put_claim(s, &c));
    done(trove_store_commit(s, 9));

    /* while it is open */

    assert_int_equal(asked("SELECT stock - taken FROM rewards WHERE id = 7"),
                     1);
    assert_int_equal(asked("SELECT balance FROM players"
                           " WHERE player = 'p1'"), 70);
    assert_int_equal(asked("SELECT count(*) FROM claims WHERE player = 'p1'"
                           " AND reward = 7 AND value = 50 AND balance = 70"
                           " AND at = '2025-11-21 07:41:32.123'"), 1);
    assert_int_equal(asked("SELECT value FROM meta WHERE key = 'version'"),
                     9);
    assert_int_equal(asked("PRAGMA application_id"), 0x74726f76);
    assert_int_equal(asked("PRAGMA user_version"), 2);

    trove_store_close(s);
}


static void
score_put(trove_store_t *s, const trove_board_conf_t *board, uint64_t period,
    uint32_t row, const char *player, int64_t score)
{
    trove_store_score_t  r;

    memset(&r, 0, sizeof(r));

    r.board = board;
    r.period = period;
    r.row = row;
    r.player.data = (const unsigned char *) player;
    r.player.len = strlen(player);
    r.score = score;
    r.reached = 1763710892123 << 20 | row;

    done(trove_store_put_score(s, &r));
}


#define RANK(board, player)                                                  \
    "SELECT ifnull(max(rank), 0) FROM boards WHERE board = '" board "'"      \
    " AND player = '" player "'"

static void
an_operator_sees_the_boards(void **state)
{
    trove_store_t       *s;
    trove_store_conf_t   conf;
    trove_board_conf_t   board;

    static const trove_board_conf_t  monthly = {
        .name = "m", .reset = TROVE_BOARD_MONTHLY
    };

    start_anew();
    conf_of(&conf);
    s = opened(&conf);

    done(trove_store_begin(s));
    score_put(s, &boards[0], 0, 0, "low", -5);
    score_put(s, &boards[0], 0, 1, "high", 7);
    score_put(s, &boards[0], 0, 2, "late", 7);
    score_put(s, &boards[1], 2916, 0, "low", -5);
    score_put(s, &boards[1], 2916, 1, "high", 7);
    score_put(s, &boards[1], 2917, 1, "high", 7);
    score_put(s, &boards[2], 20413, 9, "a", 7);
    score_put(s, &boards[2], 20413, 8, "b", 7);
    score_put(s, &boards[2], 20413, 7, "c", 6);
    score_put(s, &monthly, 670, 0, "a", 1);
    done(trove_store_commit(s, 1));

    assert_int_equal(asked(RANK("all time", "high")), 1);
    assert_int_equal(asked(RANK("all time", "late")), 2);
    assert_int_equal(asked(RANK("all time", "low")), 3);
    assert_int_equal(asked(RANK("the week''s", "low")), 1);
    assert_int_equal(asked(RANK("the week''s", "high")), 2);
    assert_int_equal(asked(RANK("claims", "a")), 1);
    assert_int_equal(asked(RANK("claims", "b")), 1);
    assert_int_equal(asked(RANK("claims", "c")), 3);

    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE board = 'all time' AND begins IS NULL"
                           " AND reset = 'never' AND data IS NULL"
                           " AND reached = '2025-11-21 07:41:32.123'"), 3);
    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE begins = '2025-11-17'"), 2);
    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE begins = '2025-11-24'"
                           " AND reset = 'weekly' AND rank = 1"), 1);
    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE board = 'claims'"
                           " AND begins = '2025-11-21'"), 3);
    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE board = 'm' AND begins = '2025-11-01'"), 1);

    /* another order is seen as soon as anything is written in it */

    board = boards[0];
    board.order = TROVE_BOARD_ASC;

    done(trove_store_begin(s));
    done(trove_store_remove_score(s, &board, 0, 2));
    done(trove_store_commit(s, 2));

    assert_int_equal(asked(RANK("all time", "low")), 1);
    assert_int_equal(asked(RANK("all time", "high")), 2);
    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE board = 'all time'"), 2);

    trove_store_close(s);
}


static void
boards_of_one_name_are_several(void **state)
{
    uint32_t             n;
    trove_store_t       *s;
    trove_store_conf_t   conf;
    trove_board_conf_t   other;

    start_anew();
    conf_of(&conf);
    s = opened(&conf);

    done(trove_store_begin(s));
    score_put(s, &boards[0], 0, 0, "a", 1);

    other = boards[0];
    other.claims = 1;
    score_put(s, &other, 0, 0, "b", 2);

    other.reset = TROVE_BOARD_MONTHLY;
    score_put(s, &other, 671, 0, "c", 3);

    /* where nothing was nothing is made, and the others are left alone */

    other.reset = TROVE_BOARD_DAILY;
    done(trove_store_remove_score(s, &other, 20413, 0));
    done(trove_store_drop_scores(s, &other, 20413, 10, &n));
    assert_int_equal(n, 0);
    done(trove_store_commit(s, 1));

    assert_int_equal(trove_stat_get(&stats.scores), 3);
    assert_int_equal(asked("SELECT count(*) FROM periods"), 3);
    assert_int_equal(asked("SELECT count(*) FROM boards"
                           " WHERE board = 'all time' AND rank = 1"), 3);

    trove_store_close(s);
}


/* In pieces, and what is not earlier stays. */

static void
earlier_periods_are_dropped(void **state)
{
    uint32_t             i, n, pieces;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    start_anew();
    conf_of(&conf);
    s = opened(&conf);

    done(trove_store_begin(s));

    for (i = 0; i < 100; i++) {
        score_put(s, &boards[1], i / 25, i, "a", 1);
        score_put(s, &boards[2], i / 25, i, "a", 1);
    }

    done(trove_store_commit(s, 1));

    pieces = 0;

    do {
        done(trove_store_begin(s));
        done(trove_store_drop_scores(s, &boards[1], 2, 7, &n));
        done(trove_store_commit(s, 1));
        pieces++;
    } while (n == 7);

    assert_int_equal(n, 1);
    assert_int_equal(pieces, 8);
    assert_int_equal(trove_stat_get(&stats.scores), 250);

    assert_int_equal(asked("SELECT count(*) FROM boards WHERE reset ="
                           " 'weekly'"), 50);
    assert_int_equal(asked("SELECT min(period) FROM periods WHERE reset ="
                           " 'weekly'"), 2);
    assert_int_equal(asked("SELECT count(*) FROM boards WHERE reset ="
                           " 'daily'"), 100);

    /* a number that is free again is nobody's */

    done(trove_store_begin(s));
    score_put(s, &boards[1], 4, 3, "b", 1);
    done(trove_store_commit(s, 1));

    assert_int_equal(asked("SELECT count(*) FROM boards WHERE begins ="
                           " '1970-01-26'"), 1);

    trove_store_close(s);
}


/* One that takes so many numbers, and one of nobody. */

static uint32_t  room, offers;

static trove_rc_t
load_into_room(void *data, const trove_store_period_t *p)
{
    if (p->reset == TROVE_BOARD_WEEKLY) {
        return TROVE_NOTFOUND;
    }

    offers++;

    return (p->rows <= room) ? TROVE_OK : TROVE_FULL;
}


static trove_rc_t
load_counted(void *data, const trove_store_score_t *r)
{
    assert_int_equal(r->row, loaded.nscores);
    loaded.nscores++;

    return (r->player.data[0] == 'x') ? TROVE_INVALID : TROVE_OK;
}


static void
rows_that_have_no_room_are_numbered_anew(void **state)
{
    uint64_t             flush;
    trove_store_t       *s;
    trove_store_load_t   to;
    trove_store_conf_t   conf;

    start_anew();
    conf_of(&conf);
    s = opened(&conf);

    done(trove_store_begin(s));
    score_put(s, &boards[0], 0, 3, "a", 1);
    score_put(s, &boards[0], 0, 4, "b", 2);
    score_put(s, &boards[0], 0, 7, "c", 3);
    score_put(s, &boards[0], 0, 8, "b", 2);
    score_put(s, &boards[1], 5, 8, "b", 2);
    done(trove_store_commit(s, 1));
    flush = s->info.flush;

    memset(&to, 0, sizeof(to));
    to.reward = load_reward;
    to.player = load_player;
    to.claim = load_claim;
    to.period = load_into_room;
    to.score = load_counted;

    /* two rows of one player are one, the latest */

    room = 3;
    offers = 0;
    memset(&loaded, 0, sizeof(loaded));
    done(trove_store_load(s, &to));
    assert_int_equal(to.rc, TROVE_OK);
    assert_int_equal(loaded.nscores, 3);
    assert_int_equal(offers, 2);
    assert_int_equal(s->info.flush, flush + 2);
    assert_int_equal(asked(RANK("all time", "c")), 1);
    assert_int_equal(asked("SELECT max(id % 100) FROM scores, periods"
                           " WHERE id >> 31 = number AND reset = 'never'"),
                     asked("SELECT (number << 31) % 100 + 2 FROM periods"
                           " WHERE reset = 'never'"));
    assert_int_equal(asked("SELECT count(*) FROM boards WHERE player = 'b'"
                           " AND rank = 2"), 1);

    memset(&loaded, 0, sizeof(loaded));
    offers = 0;
    done(trove_store_load(s, &to));
    assert_int_equal(offers, 1);
    assert_int_equal(s->info.flush, flush + 2);

    /* what has no room all the same is told, and nothing is changed */

    room = 2;
    memset(&loaded, 0, sizeof(loaded));
    assert_int_equal(trove_store_load(s, &to), TROVE_STORE_FOREIGN);
    assert_int_equal(to.rc, TROVE_FULL);
    assert_true(strstr(error, "3 rows of board \"all time\"") != NULL);
    assert_true(strstr(error, "no room") != NULL);
    trove_store_close(s);

    s = opened(&conf);
    assert_int_equal(s->info.flush, flush + 2);
    done(trove_store_begin(s));
    score_put(s, &boards[0], 0, 1, "x", 2);
    done(trove_store_commit(s, 2));

    room = 3;
    memset(&loaded, 0, sizeof(loaded));
    assert_int_equal(trove_store_load(s, &to), TROVE_STORE_FOREIGN);
    assert_int_equal(to.rc, TROVE_INVALID);
    assert_true(strstr(error, "does not fit") != NULL);
    trove_store_close(s);
}


/* Of schema 1, opened on a disk that fails at its "n"th operation. */

static int
upgraded_despite(disk_fault_t fault, uint64_t n, int power)
{
    int                  happened;
    sqlite3             *db;
    trove_store_t       *s;
    trove_store_conf_t   conf;

    start_anew();
    conf_of(&conf);
    conf.space = TROVE_PLANE;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE
                                                |SQLITE_OPEN_CREATE, DISK),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, store_v1, NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(db);

    disk_arm(fault, n, 0);

    if (trove_store_open(&trove_store_sqlite, &conf, &s) == TROVE_STORE_DONE)
    {
        happened = disk_disarm();
        (fault == DISK_KILLED) ? killed(s) : trove_store_close(s);

    } else {
        happened = disk_disarm();
    }

    if (power) {
        disk_power();
    }

    s = opened(&conf);
    assert_int_equal(s->info.flush, 2);
    assert_int_equal(s->info.version, 4);
    assert_string_equal(s->info.instance, "8bec30477698b2b3fe8a2254d2446bee");

    done(load(s));
    assert_int_equal(loaded.nrewards, 2);
    assert_int_equal(loaded.nplayers, 2);
    assert_int_equal(loaded.nclaims, 2);
    assert_int_equal(loaded.rewards[1].reward.id, 9);
    assert_int_equal(loaded.players[0].data.balance, 57);
    assert_string_equal(loaded.names[1], "bob's \xc3\xa4");

    done(trove_store_begin(s));
    score_put(s, &boards[0], 0, 0, "ann", 1);
    done(trove_store_commit(s, 5));
    trove_store_close(s);

    assert_int_equal(asked("PRAGMA user_version"), 2);
    assert_int_equal(asked(RANK("all time", "ann")), 1);
    assert_int_equal(asked("SELECT count(*) FROM claims"), 2);

    return happened;
}


static void
a_database_of_an_earlier_schema_is_upgraded(void **state)
{
    uint64_t  n;

    assert_false(upgraded_despite(DISK_WORKS, OPS, 0));
    assert_int_equal(trove_store_sqlite_check(path, error), TROVE_STORE_DONE);

    for (n = 1; upgraded_despite(DISK_FULL, n, 0); n++) { /* void */ }
    for (n = 1; upgraded_despite(DISK_BROKEN, n, 0); n++) { /* void */ }
    for (n = 1; upgraded_despite(DISK_KILLED, n, 0); n++) { /* void */ }
    for (n = 1; upgraded_despite(DISK_KILLED, n, 1); n++) { /* void */ }
    for (n = 1; upgraded_despite(DISK_UNSYNCED, n, 1); n++) { /* void */ }
}


static int
setup(void **state)
{
    (void) random_setup(state);

    (void) snprintf(dir, sizeof(dir), "/tmp/trove-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/hunt.db", dir);

    disk_register(random_bits);

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
        cmocka_unit_test(what_is_committed_is_loaded),
        cmocka_unit_test(what_is_rolled_back_is_not),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(an_error_of_the_disk_loses_nothing),
        cmocka_unit_test(a_kill_loses_nothing),
        cmocka_unit_test(a_power_failure_loses_nothing),
        cmocka_unit_test(a_failed_sync_and_a_power_failure_lose_nothing),
        cmocka_unit_test(a_failed_sync_and_a_kill_lose_nothing_later),
        cmocka_unit_test(sqlite_alone_loses_it),
        cmocka_unit_test(it_recovers_when_the_disk_does),
        cmocka_unit_test(a_file_that_may_not_grow_is_a_full_disk),
        cmocka_unit_test(a_disk_that_hangs_holds_only_its_thread),
        cmocka_unit_test(
            another_programs_transaction_is_waited_for_and_not_for_long),
        cmocka_unit_test(a_log_is_put_in_its_place),
        cmocka_unit_test(a_database_that_was_taken_away_is_missed),
        cmocka_unit_test(foreign_files_are_refused_and_left_alone),
        cmocka_unit_test(what_cannot_be_opened_is_told),
        cmocka_unit_test(a_load_ends_when_nothing_more_fits),
        cmocka_unit_test(an_operator_can_ask),
        cmocka_unit_test(an_operator_sees_the_boards),
        cmocka_unit_test(boards_of_one_name_are_several),
        cmocka_unit_test(earlier_periods_are_dropped),
        cmocka_unit_test(rows_that_have_no_room_are_numbered_anew),
        cmocka_unit_test(a_database_of_an_earlier_schema_is_upgraded),
    };

    return cmocka_run_group_tests_name("store", tests, setup, teardown);
}
