
/*
 * The writer of a store: who it is, when it flushes, and what is durable.
 */

#include <string.h>

#include "trove_alloc.h"
#include "trove_clock.h"
#include "trove_dirty.h"
#include "trove_elect.h"
#include "trove_flush_data.h"
#include "trove_ledger_data.h"
#include "trove_mark.h"


/* How often a process looks whether the writer lives, nanoseconds. */
#define TROVE_FLUSH_LOOK   50000000

/* Of no board: nothing of its periods is known. */
#define TROVE_FLUSH_NEVER  UINT64_MAX


static trove_rc_t trove_flush_init_credits(trove_flush_t *f);
static void trove_flush_forget(trove_flush_t *f);
static void trove_flush_give_back(trove_ledger_t *l);
static trove_store_rc_t trove_flush_failed(trove_flush_t *f,
    trove_store_rc_t rc);


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

    f->nplayers = TROVE_FLUSH_ROWS;
    f->numbers = trove_alloc(f->nplayers * sizeof(uint32_t));
    f->claims = trove_alloc(f->nplayers * sizeof(uint32_t));
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

        trove_resign(&f->ledger->store_writer);
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
    uint64_t  now;

    if (f->elected) {
        return 1;
    }

    if (trove_flush_writer(f->ledger) != 0) {
        now = trove_clock_ns();

        if (now - f->looked < TROVE_FLUSH_LOOK) {
            return 0;
        }

        f->looked = now;
    }

    f->elected = trove_elect(&f->ledger->store_writer) == TROVE_ELECT_NEW;
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
