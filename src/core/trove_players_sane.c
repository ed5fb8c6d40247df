
/*
 * Whether players and claims are as they should be, when nobody is at them.
 */

#include <stdlib.h>

#include "trove_ledger_data.h"


/* Of each number, whether something leads to it; of each reward, see below. */

typedef struct {
    const trove_ledger_t  *l;
    unsigned char         *players;
    unsigned char         *claims;
    uint64_t              *first;       /* of a slot, in "given"             */
    unsigned char         *given;       /* of a reward's stock               */
    int                    copy;
} trove_players_sane_t;


static int trove_players_sane_index(trove_players_sane_t *s);
static int trove_players_sane_name(trove_players_sane_t *s, uint64_t cell);
static int trove_players_sane_records(trove_players_sane_t *s);
static int trove_players_sane_chain(trove_players_sane_t *s, uint32_t player,
    uint32_t *claims);
static int trove_players_sane_claims(trove_players_sane_t *s);
static int trove_players_sane_claim(trove_players_sane_t *s, uint32_t n);
static int trove_players_sane_stock(trove_players_sane_t *s);
static int trove_players_sane_heads(trove_players_sane_t *s);
static int trove_players_sane_redos(trove_players_sane_t *s);


int
trove_players_sane(trove_ledger_t *l)
{
    int                   sane;
    uint32_t              slot;
    uint64_t              given;
    trove_players_sane_t  s;

    s.l = l;
    s.players = calloc(l->at.conf.players + 1, 1);
    s.claims = calloc((size_t) l->at.conf.claims + 1, 1);
    s.first = calloc(l->at.conf.rewards, sizeof(uint64_t));
    s.given = NULL;

    given = 0;

    /* a copy may lack claims that are on their way */

    s.copy = (trove_get(&l->generation) != 0);

    for (slot = 0; s.first != NULL && slot < l->at.conf.rewards && !s.copy;
         slot++)
    {
        s.first[slot] = given;
        given += trove_ledger_taken(l, trove_row_head(trove_get(
                                    &trove_ledger_rowp(l, slot)->state)));
    }

    if (given <= l->at.conf.claims) {
        s.given = calloc(given + 1, 1);
    }

    sane = s.players != NULL && s.claims != NULL && s.given != NULL
           && trove_players_sane_index(&s)
           && trove_players_sane_claims(&s)
           && trove_players_sane_records(&s)
           && (s.copy ? trove_players_sane_heads(&s)
                      : trove_players_sane_stock(&s))
           && trove_players_sane_redos(&s);

    free(s.players);
    free(s.claims);
    free(s.first);
    free(s.given);

    return sane;
}


/* Every cell leads to another player, who is found by it. */

static int
trove_players_sane_index(trove_players_sane_t *s)
{
    uint32_t       at;
    uint64_t       cell;
    trove_index_t  index;

    index = trove_player_index(s->l);

    for (at = 0; at < index.n; at++) {
        cell = trove_get(&index.cells[at]);

        if (cell != 0 && !trove_players_sane_name(s, cell)) {
            return 0;
        }
    }

    return 1;
}


static int
trove_players_sane_name(trove_players_sane_t *s, uint64_t cell)
{
    uint32_t             player;
    uint64_t             hash;
    trove_slice_t        id;
    const trove_name_t  *name;

    player = (uint32_t) cell - 1;

    if (player >= trove_get(&s->l->players) || s->players[player]++) {
        return 0;
    }

    name = trove_ledger_name(s->l, player);

    if (name->len == 0 || name->len > TROVE_PLAYER_MAX) {
        return 0;
    }

    id.data = name->id;
    id.len = name->len;
    hash = trove_player_hash(s->l, &id);

    return (uint32_t) hash == cell >> 32
           && trove_player_find(s->l, &id, hash) == player;
}


/*
 * Nobody owns a record, one that is no player's is empty, and all decided
 * claims are in the chains of their players.
 */

static int
trove_players_sane_records(trove_players_sane_t *s)
{
    uint32_t         i, n, claims, decided;
    trove_record_t  *record;

    claims = 0;
    decided = 0;

    for (n = 0; n < trove_get(&s->l->claims); n++) {
        decided += s->claims[n];
    }

    for (n = 0; n < s->l->at.conf.players; n++) {
        record = trove_ledger_record(s->l, n);

        if (trove_record_owner(trove_get(&record->state)) != 0
            || !trove_players_sane_chain(s, n, &claims))
        {
            return 0;
        }

        for (i = 0; i < TROVE_RECORD_WORDS && !s->players[n]; i++) {

            if (trove_get(&record->words[i]) != 0
                || trove_get(&record->state) != 0)
            {
                return 0;
            }
        }
    }

    return claims == decided;
}


static int
trove_players_sane_chain(trove_players_sane_t *s, uint32_t player,
    uint32_t *claims)
{
    uint32_t                  n;
    const trove_claim_row_t  *c;

    n = trove_record_claim(trove_get(&trove_ledger_record(s->l,
                                                          player)->state));

    for ( /* void */ ; n != 0; n = c->prev) {

        if (n > trove_get(&s->l->claims) || s->claims[n - 1] != 1) {
            return 0;
        }

        /* met once */

        s->claims[n - 1]++;
        (*claims)++;

        c = trove_ledger_claim(s->l, n - 1);

        if (c->player != player) {
            return 0;
        }
    }

    return 1;
}


/* The index leads to each claim that is decided, once, and to no other. */

static int
trove_players_sane_claims(trove_players_sane_t *s)
{
    uint32_t                  at, n;
    uint64_t                  cell;
    trove_index_t             index;
    const trove_claim_row_t  *c;

    index = trove_claim_index(s->l);

    for (at = 0; at < index.n; at++) {
        cell = trove_get(&index.cells[at]);

        if (cell == 0) {
            continue;
        }

        n = (uint32_t) cell - 1;

        if (n >= trove_get(&s->l->claims) || s->claims[n]++) {
            return 0;
        }

        c = trove_ledger_claim(s->l, n);

        if ((uint32_t) trove_claim_hash(s->l, c->player, c->reward)
            != cell >> 32)
        {
            return 0;
        }
    }

    for (n = 0; n < s->l->at.conf.claims; n++) {

        if (!trove_players_sane_claim(s, n)) {
            return 0;
        }
    }

    return 1;
}


/* Of a reward that still is, it is one of as many as are taken. */

static int
trove_players_sane_claim(trove_players_sane_t *s, uint32_t n)
{
    uint32_t                  slot, head;
    trove_ledger_copy_t       row;
    const trove_claim_row_t  *c;

    c = trove_ledger_claim(s->l, n);

    if ((trove_get(&c->at) & TROVE_CLAIM_DECIDED) != s->claims[n]) {
        return 0;
    }

    if (!s->claims[n]) {
        return 1;
    }

    if (c->player >= s->l->at.conf.players || !s->players[c->player]) {
        return 0;
    }

    if (s->copy) {
        return c->ordinal != 0;
    }

    slot = trove_ledger_slot((trove_ledger_t *) s->l, c->reward);

    if (slot == TROVE_LEDGER_NONE
        || trove_ledger_read((trove_ledger_t *) s->l, slot, &row) != TROVE_OK
        || row.born != c->born)
    {
        return 1;
    }

    head = trove_row_head(row.state);

    return head != 0 && c->ordinal != 0 && c->ordinal <= row.reward.taken
           && s->given[s->first[slot] + c->ordinal - 1]++ == 0;
}


/* As many are taken as there are claims. */

static int
trove_players_sane_stock(trove_players_sane_t *s)
{
    uint32_t  slot, i, taken;

    for (slot = 0; slot < s->l->at.conf.rewards; slot++) {
        taken = trove_ledger_taken(s->l, trove_row_head(trove_get(
                                   &trove_ledger_rowp(s->l, slot)->state)));

        for (i = 0; i < taken; i++) {

            if (!s->given[s->first[slot] + i]) {
                return 0;
            }
        }
    }

    return 1;
}


/* Each head is a claim of that very reward. */

static int
trove_players_sane_heads(trove_players_sane_t *s)
{
    uint32_t                  slot, head;
    trove_ledger_copy_t       row;
    const trove_claim_row_t  *c;

    for (slot = 0; slot < s->l->at.conf.rewards; slot++) {

        if (trove_ledger_read((trove_ledger_t *) s->l, slot, &row)
            != TROVE_OK)
        {
            return 0;
        }

        head = trove_row_head(row.state);

        if (head == 0) {
            continue;
        }

        c = trove_ledger_claim(s->l, head - 1);

        if (head > trove_get(&s->l->claims)
            || s->claims[head - 1] == 0
            || c->reward != row.reward.id
            || c->born != row.born)
        {
            return 0;
        }
    }

    return 1;
}


/* No spare number is in use, or another's as well. */

static int
trove_players_sane_redos(trove_players_sane_t *s)
{
    uint32_t             n, spare;
    const trove_redo_t  *r;

    for (n = 0; n < s->l->at.redos; n++) {
        r = trove_ledger_redop(s->l, n);
        spare = trove_get(&r->spare);

        if (spare > trove_get(&s->l->players)
            || r->claim > trove_get(&s->l->claims)
            || (spare != 0 && s->players[spare - 1]++)
            || (r->claim != 0 && s->claims[r->claim - 1]++))
        {
            return 0;
        }
    }

    return 1;
}
