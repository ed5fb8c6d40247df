
/*
 * Players are found by a keyed hash of their ids, which clients choose.
 *
 * Who makes one takes a number, notes it in his redo, writes the name, and
 * fills the cell that leads to it: from then on there is that player.  Who
 * dies before leaves the number to the next one who has the redo, or if that
 * was before he noted it, to nobody.
 */

#include "trove_ledger_data.h"
#include "trove_siphash.h"


static int trove_player_is(const trove_ledger_t *l, uint32_t player,
    const trove_slice_t *id);
static trove_rc_t trove_player_number(trove_ledger_t *l, trove_redo_t *r);


uint64_t
trove_player_hash(const trove_ledger_t *l, const trove_slice_t *id)
{
    return trove_siphash(l->key, id->data, id->len);
}


static int
trove_player_is(const trove_ledger_t *l, uint32_t player,
    const trove_slice_t *id)
{
    const trove_name_t  *name;

    name = trove_ledger_name(l, player);

    return name->len == id->len && memcmp(name->id, id->data, id->len) == 0;
}


uint32_t
trove_player_find(const trove_ledger_t *l, const trove_slice_t *id,
    uint64_t hash)
{
    uint32_t       at, player;
    trove_index_t  index;

    index = trove_player_index(l);
    at = trove_index_first(&index, hash);

    for ( ;; ) {
        player = trove_index_next(&index, hash, &at);

        if (player == TROVE_INDEX_NONE) {
            return TROVE_LEDGER_NONE;
        }

        trove_player_fetch_number(l, player);

        if (trove_player_is(l, player, id)) {
            return player;
        }
    }
}


trove_rc_t
trove_player_make(trove_redo_t *r, const trove_slice_t *id, uint64_t hash,
    uint32_t *player)
{
    uint32_t         at;
    trove_index_t    index;
    trove_ledger_t  *l;

    l = trove_redo_ledger(r);
    index = trove_player_index(l);
    at = trove_index_first(&index, hash);

    for ( ;; ) {
        *player = trove_index_next(&index, hash, &at);

        if (*player != TROVE_INDEX_NONE) {

            if (trove_player_is(l, *player, id)) {
                return TROVE_OK;
            }

            continue;
        }

        if (r->spare == 0 && trove_player_number(l, r) != TROVE_OK) {
            return TROVE_FULL;
        }

        *player = r->spare - 1;

        trove_player_name(trove_ledger_name(l, *player), id);
        TROVE_FAULT("player: named");

        if (trove_index_fill(&index, hash, at, *player)) {
            TROVE_FAULT("player: indexed");
            break;
        }
    }

    trove_set(&r->spare, 0);
    TROVE_FAULT("player: spent");

    return TROVE_OK;
}


static trove_rc_t
trove_player_number(trove_ledger_t *l, trove_redo_t *r)
{
    uint32_t  n;

    n = trove_get(&l->players);

    do {
        if (n >= l->at.conf.players) {
            return TROVE_FULL;
        }

    } while (!trove_cas(&l->players, &n, n + 1));

    TROVE_FAULT("player: taken");

    trove_release(&r->spare, n + 1);
    TROVE_FAULT("player: noted");

    return TROVE_OK;
}


void
trove_player_name(trove_name_t *name, const trove_slice_t *id)
{
    memset(name, 0, sizeof(trove_name_t));
    memcpy(name->id, id->data, id->len);
    TROVE_FAULT("player: naming");

    name->len = (uint32_t) id->len;
}


void
trove_player_fetch_cell(const trove_ledger_t *l, uint64_t hash)
{
    trove_index_t  index;

    if (l->at.conf.players != 0) {
        index = trove_player_index(l);
        __builtin_prefetch(&index.cells[trove_index_first(&index, hash)]);
    }
}


void
trove_player_fetch(const trove_ledger_t *l, uint64_t hash)
{
    uint32_t  player;

    player = (l->at.conf.players != 0) ? trove_player_likely(l, hash)
                                       : TROVE_LEDGER_NONE;

    if (player != TROVE_LEDGER_NONE) {
        trove_player_fetch_number(l, player);
    }
}


trove_rc_t
trove_player_get(trove_ledger_t *l, const trove_slice_t *id,
    trove_player_t *p)
{
    uint32_t    player;
    uint64_t    generation;
    trove_rc_t  rc;

    if (l->at.conf.players == 0 || id->len == 0
        || id->len > TROVE_PLAYER_MAX)
    {
        return TROVE_NOTFOUND;
    }

    generation = trove_acquire(&l->generation);
    player = trove_player_find(l, id, trove_player_hash(l, id));

    rc = (player != TROVE_LEDGER_NONE) ? trove_player_read(l, player, p)
                                       : TROVE_NOTFOUND;

    /* of a copy that is filled anew the number may be another player's */

    return trove_ledger_whole(l, generation) ? rc : TROVE_BUSY;
}


trove_rc_t
trove_player_read(trove_ledger_t *l, uint32_t player, trove_player_t *p)
{
    uint64_t            state;
    trove_rc_t          rc;
    trove_record_t     *record;
    trove_redo_wait_t   wait;

    record = trove_ledger_record(l, player);

    memset(&wait, 0, sizeof(wait));

    while (!trove_player_copy(record, p, &state)) {
        rc = trove_redo_wait(l, state, &wait);

        if (rc != TROVE_AGAIN) {
            return rc;
        }
    }

    return TROVE_OK;
}


int
trove_player_copy(const trove_record_t *record, trove_player_t *p,
    uint64_t *state)
{
    int                  i;
    uint64_t             words[TROVE_RECORD_WORDS];
    trove_record_data_t  data;

    *state = trove_acquire(&record->state);

    for (i = 0; i < TROVE_RECORD_WORDS; i++) {
        words[i] = trove_get(&record->words[i]);
        TROVE_FAULT_MEET("player: copy");
    }

    atomic_thread_fence(memory_order_acquire);

    memcpy(&data, words, sizeof(words));

    p->balance = data.balance;
    p->seq = data.seq;
    p->paced = data.paced;
    p->x = data.x;
    p->y = data.y;
    p->moved = data.moved;
    p->coin = data.coin;
    p->coin_value = data.coin_value;
    p->claim = trove_record_claim(*state);

    return trove_record_owner(*state) == 0
           && trove_get(&record->state) == *state;
}


uint32_t
trove_ledger_players(const trove_ledger_t *l)
{
    return trove_get(&l->players);
}


uint32_t
trove_ledger_claims(const trove_ledger_t *l)
{
    return trove_get(&l->claims);
}
