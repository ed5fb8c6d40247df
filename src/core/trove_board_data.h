/*
 * What a board's memory holds, for the files that write and read it.
 *
 *   of the ledger:   | its header | confs | boards' headers | ... | boards |
 *
 *   a board:         | intent's row | a table, or two: |
 *                    +--------------+------------------+
 *                      | rows | cells | dirty | leaves | inner nodes |
 *                      +------+-------+-------+--------+-------------+
 *
 *   rows     conf->row bytes each, see trove_board_line_t: the authority
 *   cells    a player's hash -> row, see trove_board_cell_t
 *   leaves   of the tree, see trove_board_leaf_t; inner nodes in a pool of
 *            their own; both are found by number
 *
 * All but rows, "used" and the period is derived from these.
 */

#ifndef TROVE_BOARD_DATA_H_INCLUDED
#define TROVE_BOARD_DATA_H_INCLUDED


#include <string.h>

#include "trove_board.h"
#include "trove_ledger_data.h"


/* Entries of a node, multiples of four, so that no cache line has less. */
#define TROVE_BOARD_LEAF    36
#define TROVE_BOARD_INNER   64

/* Two neighbours become one node if both have as many entries or fewer. */
#define TROVE_BOARD_MERGE   28
#define TROVE_BOARD_JOIN    48

/* Of inner nodes: there are never so many that are not full on average. */
#define TROVE_BOARD_LEVELS  10

#define TROVE_BOARD_WORDS   5           /* of a row that stand before the id */

#define TROVE_BOARD_ROWS    ((uint32_t) INT32_MAX)

/* What somebody may be writing, read once. */
#define trove_board_peek(p) __atomic_load_n(p, __ATOMIC_RELAXED)


/*
 * A row.  Its state is odd while it is written.  "player" and "claim" are of
 * boards whose scores come from claims.  In a free row "len" is zero, and
 * "claim" the next free row plus one.
 */

typedef struct {
    int64_t        score;
    uint64_t       reached;
    uint64_t       seq;
    uint32_t       claim;     /* that was added last, its number plus one    */
    uint32_t       player;    /* its number plus one                         */
    uint32_t       tag;       /* of its cell                                 */
    uint16_t       len;       /* of the id                                   */
    uint16_t       data_len;
    unsigned char  id[TROVE_PLAYER_MAX];
    unsigned char  spare[8];
} trove_board_words_t;

typedef struct {
    _Atomic uint64_t  state;
    _Atomic uint64_t  words[];          /* trove_board_words_t, data         */
} trove_board_line_t;


/*
 * Of the index, which is open addressing: { tag, row + 1 }, 0 if it is empty,
 * and the key of the row, so that its leaf can be fetched together with it.
 */

typedef struct {
    _Atomic uint64_t   link;
    _Atomic int64_t    key;
} trove_board_cell_t;


/* By these a table is ordered; no two rows of it have the same "reached". */

typedef struct {
    int64_t        key;                 /* the score; if high ranks first, - */
    uint64_t       reached;
} trove_board_key_t;


/*
 * The leaves of a tree are a list, too, and number 0 is always its first: it
 * is split and joined only with those behind it.  Readers meet one that is
 * just being written, and take what is plain here by trove_board_peek().
 *
 * Of those with the same key the one that reached it first is in front, which
 * is not said here: the rows tell, in the seldom case that it is asked for.
 */

typedef struct {
    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t   seq;             /* odd while it or its rows change   */
    uint32_t           n;
    uint32_t           next;            /* plus one; of a free one as well   */
    uint32_t           row[TROVE_BOARD_LEAF];
    int64_t            key[TROVE_BOARD_LEAF];
} trove_board_leaf_t;


/*
 * "count" is of the rows below a child.  No key below a child is less than its
 * own here; the first has none.
 */

typedef struct {
    trove_aligned(TROVE_CACHE_LINE)
    uint32_t           n;
    uint32_t           next;            /* of a free one, plus one           */
    uint32_t           spare[2];
    int64_t            key[TROVE_BOARD_INNER];
    uint64_t           reached[TROVE_BOARD_INNER];
    uint32_t           count[TROVE_BOARD_INNER];
    uint32_t           child[TROVE_BOARD_INNER];
} trove_board_inner_t;


typedef struct {
    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t   period;
    _Atomic uint64_t   built;           /* odd while built anew, or emptied  */
    _Atomic uint32_t   shape;           /* odd while nodes come and go       */
    _Atomic uint32_t   used;            /* rows that ever were               */
    _Atomic uint32_t   live;
    uint32_t           free;            /* first free row plus one, or zero  */
    uint32_t           levels;          /* of inner nodes                    */
    uint32_t           root;            /* a leaf's number if there are none */
    uint32_t           leaves;          /* that ever were                    */
    uint32_t           leaf_free;       /* first free one plus one, or zero  */
    uint32_t           inners;
    uint32_t           inner_free;
} trove_board_table_t;


typedef enum {
    TROVE_BOARD_IDLE,
    TROVE_BOARD_PUT,          /* a row is filled, or written anew            */
    TROVE_BOARD_REMOVE,
    TROVE_BOARD_TURN          /* a table is emptied for a later period       */
} trove_board_op_t;


/* All that a write will have changed of what is not derived. */

typedef struct {
    _Atomic uint32_t   op;
    uint32_t           table;
    uint32_t           row;
    uint32_t           used;            /* of the table, afterwards          */
    uint32_t           bytes;           /* of the row, from its score on     */
    uint32_t           player;          /* to be marked as dirty, plus one   */
    uint64_t           period;          /* of the board, afterwards          */
    uint64_t           reached;
    uint64_t           mark;            /* of trove_mark.h, 0: none          */
} trove_board_intent_t;


/* Offsets are from the ledger. */

typedef struct {
    uint64_t           rows_at;
    uint64_t           cells_at;
    uint64_t           dirty_at;
    uint64_t           leaves_at;
    uint64_t           inners_at;
} trove_board_place_t;

typedef struct {
    uint32_t           tables;
    uint32_t           cells;
    uint32_t           leaves;
    uint32_t           inners;
    uint64_t           intent_at;       /* of the intent's row               */
    trove_board_place_t  table[2];
    uint64_t           size;
} trove_board_layout_t;


typedef struct {
    trove_board_layout_t  at;

    trove_aligned(TROVE_CACHE_LINE)
    trove_lock_t          lock;

    trove_aligned(TROVE_CACHE_LINE)
    _Atomic uint64_t      seq;          /* odd while anything is changed     */
    _Atomic uint64_t      period;       /* never goes back                   */
    _Atomic uint64_t      reached;      /* of the latest                     */
    _Atomic uint64_t      rebuilds;
    _Atomic uint32_t      settled;      /* of the lock's successions, those  */
                                        /* whose claims are carried out      */

    trove_marks_t         marks;        /* see trove_mark.h                  */

    trove_board_table_t   table[2];

    trove_aligned(TROVE_CACHE_LINE)
    trove_board_intent_t  intent;
} trove_board_t;


_Static_assert(sizeof(trove_board_words_t) + 8 == TROVE_BOARD_HEAD,
               "what of a row is no data");
_Static_assert(offsetof(trove_board_words_t, score) == 0,
               "the word that is the score");
_Static_assert(offsetof(trove_board_words_t, tag)
               == 8 * (TROVE_BOARD_WORDS - 1),
               "the word whose lower half is the tag, whose upper the lengths");
_Static_assert(offsetof(trove_board_words_t, id) == 8 * TROVE_BOARD_WORDS,
               "what stands before the id");
_Static_assert(sizeof(trove_board_t) % TROVE_CACHE_LINE == 0,
               "what follows is aligned");
_Static_assert(sizeof(trove_board_leaf_t)
               == 16 + TROVE_BOARD_LEAF * (sizeof(int64_t)
                                           + sizeof(uint32_t)),
               "a leaf's lines are full");


static inline const trove_board_conf_t *
trove_board_confs(const trove_ledger_t *l)
{
    return trove_ledger_at(l, const trove_board_conf_t, confs_at);
}


static inline trove_board_t *
trove_board_of(const trove_ledger_t *l, uint32_t board)
{
    return trove_ledger_at(l, trove_board_t, boards_at) + board;
}


static inline trove_board_line_t *
trove_board_line(const trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t row)
{
    return (trove_board_line_t *)
           ((char *) l + trove_board_of(l, board)->at.table[table].rows_at
            + (uint64_t) row * trove_board_confs(l)[board].row);
}


static inline trove_board_cell_t *
trove_board_cells(const trove_ledger_t *l, uint32_t board, uint32_t table)
{
    return (trove_board_cell_t *)
           ((char *) l + trove_board_of(l, board)->at.table[table].cells_at);
}


/* What of the row stands before its data, if need be torn. */

static inline void
trove_board_head(const trove_board_line_t *line, trove_board_words_t *head)
{
    int       i;
    uint64_t  words[sizeof(trove_board_words_t) / 8];

    for (i = 0; i < (int) (sizeof(trove_board_words_t) / 8); i++) {
        words[i] = trove_get(&line->words[i]);
    }

    memcpy(head, words, sizeof(words));
}


/* Whether it is a player's row, of those below "used". */

static inline int
trove_board_taken(const trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t row)
{
    trove_board_words_t  head;

    trove_board_head(trove_board_line(l, board, table, row), &head);

    return head.len != 0;
}


static inline trove_board_key_t
trove_board_key(const trove_board_conf_t *conf,
    const trove_board_words_t *head)
{
    trove_board_key_t  key;

    key.key = (conf->order == TROVE_BOARD_DESC) ? -head->score : head->score;
    key.reached = head->reached;

    return key;
}


/* The cell that the search for a tag starts from; the one behind another. */

static inline uint32_t
trove_board_home(const trove_board_t *b, uint32_t tag)
{
    return (uint32_t) ((uint64_t) tag * b->at.cells >> 32);
}


static inline uint32_t
trove_board_next(const trove_board_t *b, uint32_t cell)
{
    return (cell + 1 == b->at.cells) ? 0 : cell + 1;
}


/* Whether the row is that player's. */

static inline int
trove_board_is(const trove_board_words_t *head, const trove_slice_t *id)
{
    return head->len == id->len && memcmp(head->id, id->data, id->len) == 0;
}


/*
 * The player's row and the cell that leads to it, or TROVE_LEDGER_NONE and the
 * cell for it.  Without the lock it is to be looked at whether the board is
 * the same afterwards.
 */
uint32_t trove_board_probe(const trove_ledger_t *l, uint32_t board,
    uint32_t table, const trove_slice_t *id, uint32_t tag, uint32_t *cell);

/* The first cell of the tag, or NULL: a guess, to be fetched. */
const trove_board_cell_t *trove_board_likely(const trove_ledger_t *l,
    uint32_t board, uint32_t table, uint32_t tag);

/*
 * Empties the cell that led to a row that is removed, by moving into it the
 * next one that may stand there, and so on.
 */
void trove_board_close_hole(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t hole);

/* TROVE_OK or TROVE_BUSY; with the lock comes a board without half a write. */
trove_rc_t trove_board_lock(trove_ledger_t *l, uint32_t board);
void trove_board_unlock(trove_ledger_t *l, uint32_t board);

/* As those of that name, and with it the board's mark is this one. */
trove_rc_t trove_board_write_marked(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *q, uint64_t mark,
    trove_board_written_t *written);
trove_rc_t trove_board_remove_marked(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now, uint64_t mark);

/*
 * With the lock of a board whose scores come from claims: whether there is
 * room for the player's row at this time; and adds the claim of this number.
 */
int trove_board_room(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now);
void trove_board_credit(trove_ledger_t *l, uint32_t board, uint32_t claim);

/*
 * Of a copy, with the lock: the row is as it is told, its player's number plus
 * one given if there is that player; TROVE_OK, TROVE_FULL, TROVE_INVALID,
 * TROVE_BUSY.  A row is gone if it was reached before that; what was there is
 * gone.
 */
trove_rc_t trove_board_place(trove_ledger_t *l, uint32_t board,
    const trove_board_row_t *row, uint32_t player);
trove_rc_t trove_board_displace(trove_ledger_t *l, uint32_t board,
    uint64_t period, uint64_t reached, const trove_slice_t *player);
void trove_board_reset(trove_ledger_t *l, uint32_t board);

/*
 * Builds all that is derived from the table's rows, with the lock, while an
 * intent stands; has it be gone from before that on; and for a table that has
 * no rows yet.
 */
void trove_board_clear(trove_ledger_t *l, uint32_t board, uint32_t table);
void trove_board_empty(trove_ledger_t *l, uint32_t board, uint32_t table);
void trove_board_rebuild(trove_ledger_t *l, uint32_t board, uint32_t table);

/* The part of trove_ledger_sane() that is about boards. */
int trove_board_sane(trove_ledger_t *l);


/*
 * The table that has the period (0: the current one, -1: the one before), or
 * NULL: nothing was written in it.  *wanted is its number.
 */
trove_board_table_t *trove_board_table(trove_board_t *b, uint32_t reset,
    int period, uint64_t now, uint64_t *wanted);

/*
 * The number of the period that the time is in, and the unix time in seconds
 * at which one begins; 0 of what is never reset.
 */
uint64_t trove_board_period(uint32_t reset, uint64_t now);
uint64_t trove_board_begins(uint32_t reset, uint64_t period);

/* Of a board whose memory begins at "at"; where it ends is at->size. */
void trove_board_layout(const trove_board_conf_t *conf, uint64_t begins,
    trove_board_layout_t *at);


#endif /* TROVE_BOARD_DATA_H_INCLUDED */
