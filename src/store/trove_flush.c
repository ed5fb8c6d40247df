
/*
 * What is dirty in a ledger is brought to its store.
 */

#include <stdio.h>
#include <string.h>

#include "trove_alloc.h"
#include "trove_board_data.h"
#include "trove_clock.h"
#include "trove_dirty.h"
#include "trove_flush.h"
#include "trove_mark.h"
#include "trove_probe.h"


/* How often a process looks whether the writer lives, nanoseconds. */
#define TROVE_FLUSH_LOOK   50000000

#define TROVE_FLUSH_BATCH  1024

/* Looks at a player's rows before he is left for the next flush. */
#define TROVE_FLUSH_TRIES  64

/* Of no board: nothing of its periods is known. */
#define TROVE_FLUSH_NEVER  UINT64_MAX


/* A flush that is under way. */

typedef struct {
    trove_flush_t   *f;
    uint32_t         room;              /* of the transaction                */
    uint32_t         nplayers;
    uint32_t         dropped;           /* rows of earlier periods           */
    int              skipped;           /* what could not be read            */
    int              held;              /* marks are                         */
    int              marked;            /* they are in the transaction       */
} trove_flushing_t;


typedef struct {
    trove_ledger_t  *ledger;
    uint32_t        *taken;             /* by slot, as it is stored          */
    uint32_t         board;             /* whose scores come                 */
} trove_flush_loading_t;


static trove_rc_t trove_flush_init_credits(trove_flush_t *f);
static void trove_flush_forget(trove_flush_t *f);
static trove_store_rc_t trove_flush_open(trove_flush_t *f);
static trove_store_rc_t trove_flush_match(trove_flush_t *f);
static void trove_flush_all(trove_ledger_t *l);
static void trove_flush_all_boards(trove_ledger_t *l);
static void trove_flush_give_back(trove_ledger_t *l);
static trove_store_rc_t trove_flush_failed(trove_flush_t *f,
    trove_store_rc_t rc);
static trove_store_rc_t trove_flush_dirty(trove_flush_t *f, int *whole);
static trove_store_rc_t trove_flush_some(trove_flushing_t *w);
static trove_store_rc_t trove_flush_rewards(trove_flushing_t *w);
static trove_store_rc_t trove_flush_reward(trove_flushing_t *w,
    uint32_t slot);
static trove_store_rc_t trove_flush_players(trove_flushing_t *w);
static trove_store_rc_t trove_flush_player(trove_flushing_t *w, uint32_t i);
static int trove_flush_read_player(trove_flush_t *f, uint32_t number,
    const trove_slice_t *id, trove_player_t *p);
static int trove_flush_read_credits(trove_flush_t *f,
    const trove_slice_t *id);
static trove_store_rc_t trove_flush_claims(trove_flush_t *f, uint32_t claim,
    uint32_t stored);
static trove_store_rc_t trove_flush_credits(trove_flush_t *f, uint32_t number,
    int fresh);
static void trove_flush_score(const trove_flush_t *f, uint32_t board,
    uint32_t number, const trove_board_row_t *row, trove_store_score_t *r);
static trove_store_rc_t trove_flush_boards(trove_flushing_t *w);
static trove_store_rc_t trove_flush_table(trove_flushing_t *w, uint32_t board,
    uint32_t table);
static trove_store_rc_t trove_flush_row(trove_flushing_t *w, uint32_t board,
    uint32_t table, uint32_t number);
static int trove_flush_freed(trove_ledger_t *l, uint32_t board);
static int trove_flush_passed(const trove_ledger_t *l, uint32_t board,
    uint64_t period);
static trove_store_rc_t trove_flush_drop(trove_flushing_t *w);
static trove_store_rc_t trove_flush_drop_of(trove_flushing_t *w,
    uint32_t board);
static trove_store_rc_t trove_flush_marks(trove_flushing_t *w);
static void trove_flush_landed(trove_flushing_t *w);
static trove_rc_t trove_flush_load_mark(void *data,
    const trove_slice_t *queue, uint64_t number);
static trove_rc_t trove_flush_load_reward(void *data,
    const trove_store_reward_t *r);
static trove_rc_t trove_flush_load_player(void *data,
    const trove_store_player_t *p);
static trove_rc_t trove_flush_load_claim(void *data,
    const trove_store_claim_t *c);
static trove_rc_t trove_flush_load_period(void *data,
    const trove_store_period_t *p);
static trove_rc_t trove_flush_load_score(void *data,
    const trove_store_score_t *r);
static void trove_flush_taken(trove_ledger_t *l, const uint32_t *taken);


trove_rc_t
trove_flush_init(trove_flush_t *f, trove_ledger_t *l,
    const trove_store_kind_t *kind, const trove_store_conf_t *conf)
{
    uint32_t  nboards;

    memset(f, 0, sizeof(trove_flush_t));

    f->ledger = l;
    f->kind = kind;
    f->conf = *conf;
    f->conf.stats = &f->stats;
    f->conf.error = f->error;
    f->unsure = 1;

    nboards = trove_ledger_boards(l);

    f->numbers = trove_alloc(TROVE_FLUSH_ROWS * sizeof(uint32_t));
    f->claims = trove_alloc(TROVE_FLUSH_ROWS * sizeof(uint32_t));
    f->from = trove_alloc(trove_dirty_kinds(l) * sizeof(uint32_t));
    f->periods = trove_alloc((nboards + 1) * sizeof(uint64_t));
    f->marks = trove_alloc(trove_marks(l) * sizeof(uint64_t));
    f->text = trove_alloc(TROVE_BOARD_ROW_MAX);

    if (f->numbers == NULL || f->claims == NULL || f->from == NULL
        || f->periods == NULL || f->marks == NULL || f->text == NULL
        || trove_flush_init_credits(f) != TROVE_OK)
    {
        trove_flush_close(f);
        return TROVE_NOMEM;
    }

    trove_flush_forget(f);

    return TROVE_OK;
}


/* Room for all rows that a player may have got by a claim, and their texts. */

static trove_rc_t
trove_flush_init_credits(trove_flush_t *f)
{
    char                       *text;
    size_t                      size;
    uint32_t                    board, n, table;
    trove_flush_credit_t       *c;
    const trove_board_conf_t   *conf;

    n = 0;
    size = 0;

    for (board = 0; board < trove_ledger_boards(f->ledger); board++) {

        conf = trove_board_conf(f->ledger, board);

        if (conf->claims) {
            n += trove_board_tables(f->ledger, board);
            size += trove_board_tables(f->ledger, board) * conf->row;
        }
    }

    if (n == 0) {
        return TROVE_OK;
    }

    f->credits = trove_alloc(n * sizeof(trove_flush_credit_t) + size);

    if (f->credits == NULL) {
        return TROVE_NOMEM;
    }

    c = f->credits;
    text = (char *) (c + n);
    f->ncredits = n;

    for (board = 0; board < trove_ledger_boards(f->ledger); board++) {
        conf = trove_board_conf(f->ledger, board);
        table = conf->claims ? 0 : trove_board_tables(f->ledger, board);

        for ( /* void */ ; table < trove_board_tables(f->ledger, board);
             table++)
        {
            c->board = board;
            c->table = table;
            c->text = text;

            text += conf->row;
            c++;
        }
    }

    return TROVE_OK;
}


/* What the store has may be what it had before. */

static void
trove_flush_forget(trove_flush_t *f)
{
    uint32_t  i;

    for (i = 0; i < trove_ledger_boards(f->ledger); i++) {
        f->periods[i] = TROVE_FLUSH_NEVER;
    }
}


void
trove_flush_close(trove_flush_t *f)
{
    uint64_t  self;

    trove_store_close(f->store);
    f->store = NULL;

    trove_free(f->numbers);
    trove_free(f->claims);
    trove_free(f->from);
    trove_free(f->periods);
    trove_free(f->marks);
    trove_free(f->text);
    trove_free(f->credits);
    f->numbers = NULL;
    f->claims = NULL;
    f->from = NULL;
    f->periods = NULL;
    f->marks = NULL;
    f->text = NULL;
    f->credits = NULL;

    if (f->elected) {

        if (f->unsure) {
            trove_flush_give_back(f->ledger);
        }

        self = trove_process_self();
        (void) trove_cas(&f->ledger->store_writer, &self, 0);
        f->elected = 0;
    }
}


static void
trove_flush_give_back(trove_ledger_t *l)
{
    trove_dirty_t  of;

    for (of = 0; of < trove_dirty_kinds(l); of++) {
        trove_dirty_give_back(l, of);
    }
}


int
trove_flush_elect(trove_flush_t *f)
{
    uint64_t          now;
    trove_process_t   self, writer;
    _Atomic uint64_t *word;

    if (f->elected) {
        return 1;
    }

    word = &f->ledger->store_writer;
    writer = trove_get(word);

    if (writer != 0) {
        now = trove_clock_ns();

        if (now - f->looked < TROVE_FLUSH_LOOK) {
            return 0;
        }

        f->looked = now;

        if (trove_process_alive(writer)) {
            return 0;
        }
    }

    self = trove_process_self();

    f->elected = trove_cas(word, &writer, self);
    f->unsure = 1;

    return f->elected;
}


/*
 * The number is taken first.  Whoever finds it in "begun" had set his bits
 * before, and they would be seen here.
 */

int
trove_flush_needed(trove_flush_t *f)
{
    uint64_t         begun, now;
    trove_ledger_t  *l;

    l = f->ledger;
    now = trove_clock_ns();

    if (!f->unsure && f->rc == TROVE_STORE_DONE && !f->dropping) {
        begun = atomic_fetch_add(&l->flush_begun, 1) + 1;

        if (!trove_dirty_any(l)) {
            trove_set(&l->flush_from, now);
            atomic_store(&l->flush_done, begun);
            trove_set(&l->store_rc, TROVE_STORE_DONE);
            return 0;
        }
    }

    return now >= f->again;
}


uint64_t
trove_flush_ticket(trove_ledger_t *l)
{
    uint64_t  ticket;

    /* behind all that was written, as whoever takes the bits sees it */

    atomic_thread_fence(memory_order_seq_cst);

    ticket = atomic_load(&l->flush_begun);
    atomic_store(&l->flush_wanted, 1);

    return ticket;
}


int
trove_flush_wanted(trove_ledger_t *l)
{
    return trove_get(&l->flush_wanted)
           && atomic_exchange(&l->flush_wanted, 0);
}


trove_store_rc_t
trove_flush_state(const trove_ledger_t *l)
{
    return (trove_store_rc_t)
               trove_get(&((trove_ledger_t *) l)->store_rc);
}


int
trove_flush_durable(const trove_ledger_t *l, uint64_t ticket)
{
    return atomic_load(&((trove_ledger_t *) l)->flush_done) > ticket;
}


int
trove_flush_hangs(trove_flush_t *f, uint64_t ns)
{
    uint32_t         done, hangs;
    uint64_t         commits, now;
    trove_ledger_t  *l;

    l = f->ledger;
    now = trove_clock_ns();
    commits = trove_get(&l->store_flush);

    if (commits != f->commits || f->since == 0) {
        f->commits = commits;
        f->since = now;
        return 0;
    }

    if (now - f->since < ns || trove_flush_lag(l) < ns) {
        return 0;
    }

    done = TROVE_STORE_DONE;
    hangs = TROVE_STORE_HANGS;

    if (!trove_cas(&l->store_rc, &done, TROVE_STORE_HANGS)) {
        return 0;
    }

    /* it may just have gone on, and said so before */

    if (trove_flush_lag(l) < ns) {
        (void) trove_cas(&l->store_rc, &hangs, TROVE_STORE_DONE);
        return 0;
    }

    return 1;
}


int
trove_flush_whole(trove_ledger_t *l)
{
    trove_flush_give_back(l);

    return trove_flush_state(l) == TROVE_STORE_DONE
           && trove_get(&l->flush_begun) == trove_get(&l->flush_done)
           && !trove_dirty_any(l);
}


trove_process_t
trove_flush_writer(const trove_ledger_t *l)
{
    return trove_get(&((trove_ledger_t *) l)->store_writer);
}


uint64_t
trove_flush_lag(const trove_ledger_t *l)
{
    uint64_t         from, now;
    trove_ledger_t  *of;

    of = (trove_ledger_t *) l;

    /* while a flush is under way nothing may be dirty */

    if (trove_get(&of->flush_begun) == trove_get(&of->flush_done)
        && !trove_dirty_any(l))
    {
        return 0;
    }

    from = trove_get(&of->flush_from);
    now = trove_clock_ns();

    return (from != 0 && now > from) ? now - from : 0;
}


trove_store_rc_t
trove_flush_run(trove_flush_t *f)
{
    int                whole;
    uint64_t           begun, start;
    trove_ledger_t    *l;
    trove_store_rc_t   rc;

    l = f->ledger;
    start = trove_clock_ns();

    if (f->store == NULL) {
        rc = trove_flush_open(f);

        if (rc != TROVE_STORE_DONE) {
            return trove_flush_failed(f, rc);
        }
    }

    if (f->unsure) {
        trove_flush_give_back(l);
        f->unsure = 0;
    }

    begun = atomic_fetch_add(&l->flush_begun, 1) + 1;

    rc = trove_flush_dirty(f, &whole);

    if (rc != TROVE_STORE_DONE) {
        return trove_flush_failed(f, rc);
    }

    if (whole) {
        trove_set(&l->flush_from, start);
        atomic_store(&l->flush_done, begun);
    }

    f->rc = TROVE_STORE_DONE;
    f->wait = 0;
    f->error[0] = '\0';

    f->ns = trove_clock_ns() - start;

    trove_set(&l->store_rc, TROVE_STORE_DONE);

    trove_store_tidy(f->store);

    return TROVE_STORE_DONE;
}


/*
 * Nothing of the failed transaction is taken for stored.  A store that was
 * only busy is as good as before.
 */

static trove_store_rc_t
trove_flush_failed(trove_flush_t *f, trove_store_rc_t rc)
{
    if (f->store != NULL) {
        trove_store_rollback(f->store);
    }

    trove_flush_forget(f);

    if (rc != TROVE_STORE_BUSY) {
        trove_store_close(f->store);
        f->store = NULL;
    }

    f->wait = (f->wait == 0) ? TROVE_FLUSH_AGAIN : f->wait * 2;

    if (f->wait > TROVE_FLUSH_AGAIN_MAX) {
        f->wait = TROVE_FLUSH_AGAIN_MAX;
    }

    f->again = trove_clock_ns() + f->wait;
    f->unsure = 1;
    f->rc = rc;

    trove_set(&f->ledger->store_rc, (uint32_t) rc);

    return rc;
}


void
trove_flush_tell(trove_flush_t *f, trove_stats_t *s)
{
#define TROVE_FLUSH_TELL(figure, field)                                      \
    trove_stats_add(s, figure, trove_stat_get(&f->stats.field)               \
                               - trove_stat_get(&f->told.field));            \
    trove_stat_set(&f->told.field, trove_stat_get(&f->stats.field))

#define TROVE_FLUSH_TELL_FAILURE(NAME, name)                                 \
    TROVE_FLUSH_TELL(store_##name, failures[TROVE_STORE_##NAME]);

    TROVE_FLUSH_TELL(store_commits, commits);
    TROVE_FLUSH_TELL(store_rewards, rewards);
    TROVE_FLUSH_TELL(store_players, players);
    TROVE_FLUSH_TELL(store_claims, claims);
    TROVE_FLUSH_TELL(store_scores, scores);
    TROVE_FLUSH_TELL(store_opens, opens);
    TROVE_FLUSH_TELL(store_log_failures, log_failures);
    TROVE_STORE_FAILURES(TROVE_FLUSH_TELL_FAILURE)

    trove_stats_set(s, store_log, trove_stat_get(&f->stats.log_bytes));

    if (f->ns != 0) {
        trove_stats_observe(s, store_flush, f->ns);
        f->ns = 0;
    }
}


static trove_store_rc_t
trove_flush_open(trove_flush_t *f)
{
    trove_store_rc_t   rc;
    trove_ledger_t    *l;

    l = f->ledger;
    f->conf.instance = l->store[0] ? l->store : NULL;

    rc = trove_store_open(f->kind, &f->conf, &f->store);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (l->store[0] == '\0') {
        (void) snprintf(l->store, sizeof(l->store), "%s",
                        f->store->info.instance);
    }

    return trove_flush_match(f);
}


/*
 * The store may be one commit ahead, if who made it died before he noted it
 * or was told that it failed.  One that is behind goes on with the numbers
 * where the ledger is, so that none of a ledger's life comes twice.
 */

static trove_store_rc_t
trove_flush_match(trove_flush_t *f)
{
    uint64_t         known, stored;
    trove_ledger_t  *l;

    l = f->ledger;
    known = trove_get(&l->store_flush);
    stored = f->store->info.flush;

    if (stored > known + 1) {
        (void) snprintf(f->error, sizeof(f->error),
                        "\"%s\" is ahead of its ledger: it has %llu commits, "
                        "the ledger knows of %llu",
                        f->conf.path, (unsigned long long) stored,
                        (unsigned long long) known);

        trove_stat_add(&f->stats.failures[TROVE_STORE_FOREIGN], 1);
        return TROVE_STORE_FOREIGN;
    }

    if (stored < known) {
        trove_flush_all(l);
        f->store->info.flush = known;
        return TROVE_STORE_DONE;
    }

    trove_release(&l->store_flush, stored);

    return TROVE_STORE_DONE;
}


/* The store has lost what it had, or never had it: all is dirty. */

static void
trove_flush_all(trove_ledger_t *l)
{
    uint32_t              n, used;
    trove_slice_t         id;
    const trove_name_t   *name;

    used = trove_ledger_slots(l);

    for (n = 0; n < used; n++) {
        trove_dirty_set(l, TROVE_DIRTY_REWARDS, n);
    }

    for (n = 0; n < trove_get(&l->players); n++) {
        name = trove_ledger_name(l, n);

        id.data = name->id;
        id.len = name->len;

        /* a number may be nobody's yet, whatever its name */

        if (id.len != 0
            && id.len <= TROVE_PLAYER_MAX
            && trove_player_find(l, &id, trove_player_hash(l, &id)) == n)
        {
            trove_set(&trove_ledger_name(l, n)->stored, 0);
            trove_dirty_set(l, TROVE_DIRTY_PLAYERS, n);
        }
    }

    trove_flush_all_boards(l);
    trove_mark_lost(l);
}


static void
trove_flush_all_boards(trove_ledger_t *l)
{
    uint32_t  board, n, table, used;

    for (board = 0; board < trove_ledger_boards(l); board++) {

        if (trove_board_conf(l, board)->claims) {
            continue;
        }

        for (table = 0; table < trove_board_tables(l, board); table++) {
            used = trove_get(&trove_board_of(l, board)->table[table].used);

            for (n = 0; n < used; n++) {
                trove_dirty_set(l, trove_dirty_board(board, table), n);
            }
        }
    }
}


/* *whole: nothing that was dirty at the beginning had to be left out. */

static trove_store_rc_t
trove_flush_dirty(trove_flush_t *f, int *whole)
{
    trove_flushing_t  w;
    trove_store_rc_t  rc;

    memset(&w, 0, sizeof(w));
    w.f = f;

    memset(f->from, 0, trove_dirty_kinds(f->ledger) * sizeof(uint32_t));

    w.held = trove_mark_whose(f->ledger) != 0
             && trove_mark_hold(f->ledger) == TROVE_OK;

    do {
        rc = trove_flush_some(&w);
    } while (rc == TROVE_STORE_DONE && w.room < TROVE_FLUSH_BATCH);

    if (w.held) {
        trove_mark_let_go(f->ledger);
    }

    *whole = !w.skipped;

    return rc;
}


/* One transaction, or nothing if nothing is left. */

static trove_store_rc_t
trove_flush_some(trove_flushing_t *w)
{
    uint64_t            start;
    trove_flush_t      *f;
    trove_ledger_t     *l;
    trove_store_rc_t    rc;

    f = w->f;
    l = f->ledger;

    w->room = TROVE_FLUSH_ROWS;
    w->nplayers = 0;
    w->marked = 0;

    rc = trove_store_begin(f->store);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_rewards(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_players(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_boards(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_drop(w);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_marks(w);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (w->room == TROVE_FLUSH_ROWS && w->dropped == 0 && !w->marked) {
        trove_store_rollback(f->store);
        return TROVE_STORE_DONE;
    }

    start = trove_clock_ns();

    rc = trove_store_commit(f->store, trove_ledger_version(l));

    TROVE_PROBE(store_commit, f->conf.path, TROVE_FLUSH_ROWS - w->room,
                trove_clock_ns() - start, rc);

    if (rc == TROVE_STORE_DONE) {
        trove_flush_landed(w);
    }

    return rc;
}


static trove_store_rc_t
trove_flush_rewards(trove_flushing_t *w)
{
    uint32_t           i, n, slots[TROVE_FLUSH_BATCH];
    trove_store_rc_t   rc;

    while (w->room >= TROVE_FLUSH_BATCH) {
        n = trove_dirty_take(w->f->ledger, TROVE_DIRTY_REWARDS,
                             &w->f->from[TROVE_DIRTY_REWARDS], slots,
                             TROVE_FLUSH_BATCH);

        if (n == 0) {
            break;
        }

        w->room -= n;

        for (i = 0; i < n; i++) {
            rc = trove_flush_reward(w, slots[i]);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_reward(trove_flushing_t *w, uint32_t slot)
{
    trove_flush_t         *f;
    trove_ledger_copy_t    copy;
    trove_store_reward_t   r;

    f = w->f;

    if (trove_ledger_read(f->ledger, slot, &copy) != TROVE_OK) {
        trove_dirty_set(f->ledger, TROVE_DIRTY_REWARDS, slot);
        w->skipped = 1;

        return TROVE_STORE_DONE;
    }

    if (copy.reward.id == 0) {
        return trove_store_remove_reward(f->store, slot);
    }

    r.reward = copy.reward;
    r.slot = slot;
    r.born = copy.born;

    return trove_store_put_reward(f->store, &r);
}


static trove_store_rc_t
trove_flush_players(trove_flushing_t *w)
{
    uint32_t           n;
    trove_flush_t     *f;
    trove_store_rc_t   rc;

    f = w->f;

    while (w->room >= TROVE_FLUSH_BATCH) {
        n = trove_dirty_take(f->ledger, TROVE_DIRTY_PLAYERS,
                             &f->from[TROVE_DIRTY_PLAYERS],
                             f->numbers + w->nplayers, TROVE_FLUSH_BATCH);

        if (n == 0) {
            break;
        }

        w->room -= n;

        for ( /* void */ ; n > 0; n--) {
            rc = trove_flush_player(w, w->nplayers++);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_player(trove_flushing_t *w, uint32_t i)
{
    trove_flush_t         *f;
    trove_name_t          *name;
    trove_store_rc_t       rc;
    trove_store_player_t   p;

    f = w->f;
    name = trove_ledger_name(f->ledger, f->numbers[i]);
    f->claims[i] = trove_get(&name->stored);

    p.id.data = name->id;
    p.id.len = name->len;
    p.number = f->numbers[i];

    if (!trove_flush_read_player(f, p.number, &p.id, &p.data)) {
        trove_dirty_set(f->ledger, TROVE_DIRTY_PLAYERS, p.number);
        w->skipped = 1;

        return TROVE_STORE_DONE;
    }

    rc = trove_store_put_player(f->store, &p);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_claims(f, p.data.claim, f->claims[i]);
    }

    if (rc == TROVE_STORE_DONE) {
        rc = trove_flush_credits(f, p.number, p.data.claim != f->claims[i]);
    }

    f->claims[i] = p.data.claim;

    return rc;
}


/*
 * With his rows as they were when this was his latest claim: he cannot be read
 * while one is under way that has been added to some of them only.
 */

static int
trove_flush_read_player(trove_flush_t *f, uint32_t number,
    const trove_slice_t *id, trove_player_t *p)
{
    int       n;
    uint32_t  claim;

    if (trove_player_read(f->ledger, number, p) != TROVE_OK) {
        return 0;
    }

    if (f->ncredits == 0) {
        return 1;
    }

    for (n = 0; n < TROVE_FLUSH_TRIES; n++) {
        claim = p->claim;

        if (!trove_flush_read_credits(f, id)
            || trove_player_read(f->ledger, number, p) != TROVE_OK)
        {
            return 0;
        }

        if (p->claim == claim) {
            return 1;
        }
    }

    return 0;
}


static int
trove_flush_read_credits(trove_flush_t *f, const trove_slice_t *id)
{
    uint32_t               i;
    trove_flush_credit_t  *c;

    for (i = 0; i < f->ncredits; i++) {
        c = &f->credits[i];

        c->rc = trove_board_row_of(f->ledger, c->board, c->table, id, c->text,
                                   &c->row);

        if (c->rc == TROVE_BUSY && trove_flush_freed(f->ledger, c->board)) {
            c->rc = trove_board_row_of(f->ledger, c->board, c->table, id,
                                       c->text, &c->row);
        }

        if (c->rc == TROVE_BUSY) {
            return 0;
        }
    }

    return 1;
}


/* His rows change with his claims only, or are removed. */

static trove_store_rc_t
trove_flush_credits(trove_flush_t *f, uint32_t number, int fresh)
{
    uint32_t                     i;
    trove_store_rc_t             rc;
    trove_store_score_t          r;
    const trove_board_conf_t    *conf;
    const trove_flush_credit_t  *c;

    for (i = 0; i < f->ncredits; i++) {
        c = &f->credits[i];
        conf = trove_board_conf(f->ledger, c->board);
        rc = TROVE_STORE_DONE;

        if (trove_flush_passed(f->ledger, c->board, c->row.period)) {
            continue;
        }

        if (c->rc != TROVE_OK) {
            rc = trove_store_remove_score(f->store, conf, c->row.period,
                                          number);

        } else if (fresh) {
            trove_flush_score(f, c->board, number, &c->row, &r);
            rc = trove_store_put_score(f->store, &r);
        }

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    return TROVE_STORE_DONE;
}


/* The player's claims from the latest back to the one that is stored. */

static trove_store_rc_t
trove_flush_claims(trove_flush_t *f, uint32_t claim, uint32_t stored)
{
    uint32_t                  n;
    trove_ledger_t           *l;
    trove_store_rc_t          rc;
    const trove_claim_row_t  *row;
    trove_store_claim_t       c;

    l = f->ledger;

    for (n = 0; claim != stored && n < l->at.conf.claims; n++) {

        if (claim == 0 || claim > l->at.conf.claims) {
            break;
        }

        row = trove_ledger_claim(l, claim - 1);

        c.player = row->player;
        c.reward = row->reward;
        c.born = row->born;
        c.ordinal = row->ordinal;
        c.value = row->value;
        c.balance = row->balance;
        c.at = trove_get(&((trove_claim_row_t *) row)->at) >> 1;

        rc = trove_store_put_claim(f->store, &c);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }

        claim = row->prev;
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_boards(trove_flushing_t *w)
{
    uint32_t           board, table;
    trove_ledger_t    *l;
    trove_store_rc_t   rc;

    l = w->f->ledger;

    for (board = 0; board < trove_ledger_boards(l); board++) {

        for (table = 0; table < trove_board_tables(l, board); table++) {
            rc = trove_flush_table(w, board, table);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_table(trove_flushing_t *w, uint32_t board, uint32_t table)
{
    uint32_t           i, n, rows[TROVE_FLUSH_BATCH];
    trove_dirty_t      of;
    trove_store_rc_t   rc;

    of = trove_dirty_board(board, table);

    while (w->room >= TROVE_FLUSH_BATCH) {
        n = trove_dirty_take(w->f->ledger, of, &w->f->from[of], rows,
                             TROVE_FLUSH_BATCH);

        if (n == 0) {
            break;
        }

        w->room -= n;

        for (i = 0; i < n; i++) {
            rc = trove_flush_row(w, board, table, rows[i]);

            if (rc != TROVE_STORE_DONE) {
                return rc;
            }
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_row(trove_flushing_t *w, uint32_t board, uint32_t table,
    uint32_t number)
{
    trove_rc_t                  rc;
    trove_flush_t              *f;
    trove_board_row_t           row;
    trove_store_score_t         r;
    const trove_board_conf_t   *conf;

    f = w->f;
    conf = trove_board_conf(f->ledger, board);
    rc = trove_board_row(f->ledger, board, table, number, f->text, &row);

    if (rc == TROVE_BUSY && trove_flush_freed(f->ledger, board)) {
        rc = trove_board_row(f->ledger, board, table, number, f->text, &row);
    }

    if (rc == TROVE_BUSY) {
        trove_dirty_set(f->ledger, trove_dirty_board(board, table), number);
        w->skipped = 1;

        return TROVE_STORE_DONE;
    }

    if (trove_flush_passed(f->ledger, board, row.period)) {
        return TROVE_STORE_DONE;
    }

    if (rc != TROVE_OK) {
        return trove_store_remove_score(f->store, conf, row.period, number);
    }

    trove_flush_score(f, board, number, &row, &r);

    return trove_store_put_score(f->store, &r);
}


static void
trove_flush_score(const trove_flush_t *f, uint32_t board, uint32_t number,
    const trove_board_row_t *row, trove_store_score_t *r)
{
    r->board = trove_board_conf(f->ledger, board);
    r->period = row->period;
    r->row = number;
    r->player = row->player;
    r->data = row->data;
    r->score = row->score;
    r->reached = row->reached;
    r->seq = row->seq;
}


/* What a dead writer has left is carried to its end with the lock. */

static int
trove_flush_freed(trove_ledger_t *l, uint32_t board)
{
    if (trove_board_lock(l, board) != TROVE_OK) {
        return 0;
    }

    trove_board_unlock(l, board);

    return 1;
}


/* Whether nobody can see the period any more. */

static int
trove_flush_passed(const trove_ledger_t *l, uint32_t board, uint64_t period)
{
    return trove_acquire(&trove_board_of(l, board)->period) > period + 1;
}


/* In the flush's last transaction, for which the others make way. */

static trove_store_rc_t
trove_flush_drop(trove_flushing_t *w)
{
    uint32_t           board;
    trove_store_rc_t   rc;

    w->dropped = 0;

    if (w->room < TROVE_FLUSH_BATCH) {
        return TROVE_STORE_DONE;
    }

    w->f->dropping = 0;

    for (board = 0; board < trove_ledger_boards(w->f->ledger); board++) {
        rc = trove_flush_drop_of(w, board);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }
    }

    return TROVE_STORE_DONE;
}


static trove_store_rc_t
trove_flush_drop_of(trove_flushing_t *w, uint32_t board)
{
    uint32_t                    n;
    uint64_t                    period;
    trove_flush_t              *f;
    trove_store_rc_t            rc;
    const trove_board_conf_t   *conf;

    f = w->f;
    conf = trove_board_conf(f->ledger, board);
    period = trove_acquire(&trove_board_of(f->ledger, board)->period);

    if (conf->reset == TROVE_BOARD_NEVER || period == 0
        || f->periods[board] == period)
    {
        return TROVE_STORE_DONE;
    }

    rc = trove_store_drop_scores(f->store, conf, period - 1, TROVE_FLUSH_DROP,
                                 &n);

    if (rc == TROVE_STORE_DONE) {
        w->dropped += n;

        if (n < TROVE_FLUSH_DROP) {
            f->periods[board] = period;

        } else {
            f->dropping = 1;
        }
    }

    return rc;
}


/* In the last transaction: all that they stand for is stored by then. */

static trove_store_rc_t
trove_flush_marks(trove_flushing_t *w)
{
    char               buf[TROVE_MARK_NAME];
    uint32_t           queue;
    trove_slice_t      name;
    trove_flush_t     *f;
    trove_ledger_t    *l;
    trove_store_rc_t   rc;

    f = w->f;
    l = f->ledger;

    if (!w->held || w->skipped || w->room < TROVE_FLUSH_BATCH
        || !trove_mark_any(l))
    {
        return TROVE_STORE_DONE;
    }

    name.data = (const unsigned char *) "";
    name.len = 0;

    rc = trove_store_put_mark(f->store, &name, trove_mark_whose(l));

    for (queue = 0; queue < trove_marks(l) && rc == TROVE_STORE_DONE; queue++)
    {
        f->marks[queue] = trove_mark(l, queue);

        name.data = (const unsigned char *) trove_mark_name(l, queue, buf);
        name.len = strlen((const char *) name.data);

        rc = trove_store_put_mark(f->store, &name, f->marks[queue]);
    }

    w->marked = (rc == TROVE_STORE_DONE);

    return rc;
}


/* Who dies here has stored what the next one stores again. */

static void
trove_flush_landed(trove_flushing_t *w)
{
    uint32_t         i;
    trove_dirty_t    of;
    trove_flush_t   *f;
    trove_ledger_t  *l;

    f = w->f;
    l = f->ledger;

    TROVE_FAULT("flush: committed");

    for (i = 0; i < w->nplayers; i++) {
        trove_set(&trove_ledger_name(l, f->numbers[i])->stored, f->claims[i]);
        TROVE_FAULT("flush: claims");
    }

    for (i = 0; w->marked && i < trove_marks(l); i++) {
        trove_mark_landed(l, i, f->marks[i]);
        TROVE_FAULT("flush: marks");
    }

    trove_release(&l->store_flush, f->store->info.flush);
    TROVE_FAULT("flush: noted");

    for (of = 0; of < trove_dirty_kinds(l); of++) {
        trove_dirty_landed(l, of);
    }

    TROVE_FAULT("flush: landed");
}


trove_store_rc_t
trove_flush_meet(trove_flush_t *f)
{
    trove_store_rc_t  rc;

    rc = trove_flush_open(f);

    trove_store_close(f->store);
    f->store = NULL;

    return rc;
}


trove_store_rc_t
trove_flush_load(trove_flush_t *f)
{
    trove_ledger_t        *l;
    trove_store_rc_t       rc;
    trove_store_load_t     to;
    trove_flush_loading_t  loading;

    l = f->ledger;
    l->store[0] = '\0';
    f->conf.instance = NULL;

    loading.ledger = l;
    loading.taken = trove_alloc(l->at.conf.rewards * sizeof(uint32_t));

    if (loading.taken == NULL) {
        (void) snprintf(f->error, sizeof(f->error), "no memory");
        return TROVE_STORE_NOMEM;
    }

    memset(&to, 0, sizeof(to));
    to.data = &loading;
    to.reward = trove_flush_load_reward;
    to.player = trove_flush_load_player;
    to.claim = trove_flush_load_claim;
    to.period = trove_flush_load_period;
    to.score = trove_flush_load_score;
    to.mark = trove_flush_load_mark;

    rc = trove_store_open(f->kind, &f->conf, &f->store);

    if (rc == TROVE_STORE_DONE) {
        trove_restore_version(l, f->store->info.version);
        rc = trove_store_load(f->store, &to);
    }

    if (rc == TROVE_STORE_DONE) {
        trove_restore_end(l);
        trove_flush_taken(l, loading.taken);

        (void) snprintf(l->store, sizeof(l->store), "%s",
                        f->store->info.instance);
        trove_set(&l->store_flush, f->store->info.flush);
        trove_set(&l->flush_from, trove_clock_ns());
    }

    trove_store_close(f->store);
    trove_free(loading.taken);
    f->store = NULL;

    return rc;
}


/* That of a board which is none now stays as it is, for it may come back. */

static trove_rc_t
trove_flush_load_mark(void *data, const trove_slice_t *queue, uint64_t number)
{
    trove_flush_loading_t  *loading = data;

    uint32_t  n;

    if (queue->len == 0) {
        trove_mark_restore_whose(loading->ledger, number);
        return TROVE_OK;
    }

    n = trove_mark_find(loading->ledger, queue);

    if (n != TROVE_MARK_NONE) {
        trove_mark_restore(loading->ledger, n, number);
    }

    return TROVE_OK;
}


static trove_rc_t
trove_flush_load_reward(void *data, const trove_store_reward_t *r)
{
    trove_flush_loading_t  *loading = data;

    if (r->slot != trove_ledger_slots(loading->ledger)) {
        return TROVE_INVALID;
    }

    if (r->slot >= loading->ledger->at.conf.rewards) {
        return TROVE_FULL;
    }

    loading->taken[r->slot] = r->reward.taken;

    return trove_restore_reward(loading->ledger, &r->reward, r->born);
}


static trove_rc_t
trove_flush_load_player(void *data, const trove_store_player_t *p)
{
    trove_flush_loading_t  *loading = data;

    return trove_restore_player(loading->ledger, p->number, &p->id, &p->data);
}


static trove_rc_t
trove_flush_load_claim(void *data, const trove_store_claim_t *c)
{
    trove_flush_loading_t  *loading = data;

    return trove_restore_claim(loading->ledger, c);
}


/*
 * What no board of this name and kind is there for stays in the store, and
 * what is over that long that nobody can see it.
 */

static trove_rc_t
trove_flush_load_period(void *data, const trove_store_period_t *p)
{
    trove_flush_loading_t  *loading = data;

    trove_ledger_t            *l;
    const trove_board_conf_t  *conf;

    l = loading->ledger;
    loading->board = trove_board_find(l, &p->board);

    if (loading->board == TROVE_BOARD_NONE) {
        return TROVE_NOTFOUND;
    }

    conf = trove_board_conf(l, loading->board);

    if (conf->reset != p->reset || conf->claims != p->claims
        || trove_flush_passed(l, loading->board, p->period))
    {
        return TROVE_NOTFOUND;
    }

    return (p->rows > conf->rows && !conf->claims) ? TROVE_FULL : TROVE_OK;
}


static trove_rc_t
trove_flush_load_score(void *data, const trove_store_score_t *r)
{
    trove_flush_loading_t  *loading = data;

    trove_board_row_t  row;

    memset(&row, 0, sizeof(row));

    row.player = r->player;
    row.data = r->data;
    row.score = r->score;
    row.seq = r->seq;
    row.reached = r->reached;
    row.period = r->period;

    return trove_restore_score(loading->ledger, loading->board, r->row, &row);
}


/* Claims that were lost are taken back; the store is to show it. */

static void
trove_flush_taken(trove_ledger_t *l, const uint32_t *taken)
{
    uint32_t        slot;
    trove_reward_t  r;

    for (slot = 0; slot < trove_ledger_slots(l); slot++) {

        if (trove_ledger_row(l, slot, &r) == TROVE_OK
            && r.taken != taken[slot])
        {
            trove_dirty_set(l, TROVE_DIRTY_REWARDS, slot);
        }
    }
}
