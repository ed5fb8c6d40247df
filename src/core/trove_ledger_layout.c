
/*
 * Where the parts of a ledger are in its memory: laid out by its configuration
 * alone, so that who attaches to it can tell whether it is that one.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "trove_board_data.h"
#include "trove_dirty.h"
#include "trove_index.h"
#include "trove_ledger_data.h"


static void trove_ledger_random(void *buf, size_t size);
static void trove_ledger_layout(const trove_ledger_conf_t *conf,
    trove_ledger_layout_t *at);
static int trove_ledger_boards_good(const trove_ledger_t *l,
    const trove_ledger_conf_t *conf, uint64_t size);


size_t
trove_ledger_size(const trove_ledger_conf_t *conf)
{
    uint32_t               i;
    trove_board_layout_t   board;
    trove_ledger_layout_t  at;

    trove_ledger_layout(conf, &at);

    board.size = at.size;

    for (i = 0; i < conf->nboards; i++) {
        trove_board_layout(&conf->boards[i], board.size, &board);
    }

    return board.size;
}


trove_ledger_t *
trove_ledger_init(void *mem, const trove_ledger_conf_t *conf)
{
    uint32_t               n;
    uint64_t               end;
    trove_redo_t          *r;
    trove_board_t         *b;
    trove_ledger_t        *l;
    trove_board_layout_t   at;

    l = mem;

    trove_ledger_layout(conf, &l->at);

    if (conf->players != 0 || conf->nboards != 0) {
        trove_ledger_random(l->key, sizeof(l->key));
    }

    end = l->at.size;

    for (n = 0; n < conf->nboards; n++) {
        trove_ledger_at(l, trove_board_conf_t, confs_at)[n] = conf->boards[n];

        b = trove_board_of(l, n);
        trove_board_layout(&conf->boards[n], end, &at);
        memcpy(&b->at, &at, sizeof(at));
        b->table[0].leaves = 1;
        b->table[1].leaves = 1;
        end = at.size;
    }

    l->size = end;

    for (n = 0; n < l->at.redos; n++) {
        r = trove_ledger_redop(l, n);
        r->at = (char *) r - (char *) l;
        r->number = n + 1;
    }

    trove_release(&l->magic, TROVE_LEDGER_MAGIC);

    return l;
}


/* There is no going on without: clients choose the ids that it keys. */

static void
trove_ledger_random(void *buf, size_t size)
{
    ssize_t  n;

    do {
        n = getrandom(buf, size, 0);
    } while (n == -1 && errno == EINTR);

    if (n != (ssize_t) size) {
        abort();
    }
}


static void
trove_ledger_layout(const trove_ledger_conf_t *conf,
    trove_ledger_layout_t *at)
{
    uint64_t  n, players, claims;

    memset(at, 0, sizeof(trove_ledger_layout_t));

    n = conf->rewards;
    players = conf->players;
    claims = (players != 0) ? conf->claims : 0;

    at->layout = TROVE_LEDGER_LAYOUT;
    at->conf = *conf;
    at->conf.boards = NULL;
    at->redos = (players != 0) ? TROVE_RECORD_OWNERS : 0;

    /* the log takes up to a fifth of an entry a reward, 1.6 bytes */

    at->log_size = TROVE_LEDGER_LOG_MIN;

    while (at->log_size <= n / 10) {
        at->log_size *= 2;
    }

    /* two in three are used at most, and one is empty, for a search to end */

    at->cells = (uint32_t) (n + n / 2 + 1);
    at->player_cells = trove_index_cells(players);
    at->claim_cells = trove_index_cells(claims);

    at->size = sizeof(trove_ledger_t);

    at->confs_at = trove_section(&at->size, (uint64_t) conf->nboards
                                            * sizeof(trove_board_conf_t));
    at->boards_at = trove_section(&at->size, (uint64_t) conf->nboards
                                             * sizeof(trove_board_t));

    at->rows_at = trove_section(&at->size, n * sizeof(trove_ledger_row_t));
    at->index_at = trove_section(&at->size, (uint64_t) at->cells * 4);
    at->log_at = trove_section(&at->size, (uint64_t) at->log_size * 8);
    at->dirty_at[0] = trove_section(&at->size, trove_dirty_size(n));
    at->dirty_at[1] = trove_section(&at->size, trove_dirty_size(players));

    at->redos_at = trove_section(&at->size, at->redos * sizeof(trove_redo_t));
    at->records_at = trove_section(&at->size,
                                   players * sizeof(trove_record_t));
    at->names_at = trove_section(&at->size, players * sizeof(trove_name_t));
    at->players_at = trove_section(&at->size,
                                   (uint64_t) at->player_cells * 8);
    at->claims_at = trove_section(&at->size,
                                  claims * sizeof(trove_claim_row_t));
    at->claimed_at = trove_section(&at->size, (uint64_t) at->claim_cells * 8);
}


trove_rc_t
trove_ledger_attach(void *mem, const trove_ledger_conf_t *conf,
    trove_ledger_t **ledger)
{
    trove_ledger_t         *l;
    trove_ledger_conf_t     is;
    trove_ledger_layout_t   at;

    *ledger = NULL;
    l = mem;

    if (trove_acquire(&l->magic) != TROVE_LEDGER_MAGIC
        || l->at.layout != TROVE_LEDGER_LAYOUT
        || l->at.conf.rewards == 0
        || l->at.conf.rewards > TROVE_LEDGER_MAX
        || l->at.conf.players > TROVE_LEDGER_MAX
        || l->at.conf.claims > TROVE_LEDGER_MAX
        || l->at.conf.nboards > l->size / sizeof(trove_board_t))
    {
        return TROVE_MISMATCH;
    }

    trove_ledger_layout(&l->at.conf, &at);

    if (memcmp(&l->at, &at, sizeof(at)) != 0
        || trove_get(&l->used) > at.conf.rewards
        || trove_get(&l->live) > at.conf.rewards
        || trove_get(&l->free) > at.conf.rewards
        || trove_get(&l->players) > at.conf.players
        || trove_get(&l->claims) > at.conf.claims)
    {
        return TROVE_MISMATCH;
    }

    is = at.conf;
    is.boards = trove_board_confs(l);

    if (!trove_ledger_boards_good(l, &is, at.size)) {
        return TROVE_MISMATCH;
    }

    *ledger = l;

    return trove_ledger_conf_same(&is, conf) ? TROVE_OK : TROVE_MISMATCH;
}


/* The boards are laid out one behind the other, and that is all. */

static int
trove_ledger_boards_good(const trove_ledger_t *l,
    const trove_ledger_conf_t *conf, uint64_t size)
{
    uint32_t               i;
    trove_board_layout_t   at;
    const trove_board_t   *b;

    for (i = 0; i < conf->nboards; i++) {

        if (!trove_board_conf_good(&conf->boards[i])) {
            return 0;
        }

        trove_board_layout(&conf->boards[i], size, &at);
        b = trove_board_of(l, i);

        if (memcmp(&b->at, &at, sizeof(at)) != 0
            || trove_get(&b->table[0].used) > conf->boards[i].rows
            || trove_get(&b->table[1].used) > conf->boards[i].rows)
        {
            return 0;
        }

        size = at.size;
    }

    return size == l->size;
}


int
trove_ledger_conf_same(const trove_ledger_conf_t *a,
    const trove_ledger_conf_t *b)
{
    uint32_t  i;

    if (a->rewards != b->rewards
        || a->space != b->space
        || a->players != b->players
        || a->claims != b->claims
        || a->nboards != b->nboards)
    {
        return 0;
    }

    for (i = 0; i < a->nboards; i++) {

        if (!trove_board_conf_same(&a->boards[i], &b->boards[i])) {
            return 0;
        }
    }

    return 1;
}


const trove_ledger_conf_t *
trove_ledger_conf(const trove_ledger_t *l)
{
    return &l->at.conf;
}


size_t
trove_ledger_bytes(const void *mem)
{
    const trove_ledger_t  *l;

    l = mem;

    return (trove_acquire(&l->magic) == TROVE_LEDGER_MAGIC) ? l->size : 0;
}
