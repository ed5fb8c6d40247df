/*
 * The boards of a ledger: players in the order of their scores.
 *
 * The rows are the truth; the order over them is a counted B+ tree, derived.
 * Who writes holds the board's lock; readers take none unless writers leave
 * them no gap.  A period's rows are one table; a board that is reset has two
 * of them, the one that counts and the one before it.
 *
 * Time comes with each call, as milliseconds of unix time: who writes after a
 * period's end begins the next one; who reads then finds it empty.
 */

#ifndef TROVE_BOARD_H_INCLUDED
#define TROVE_BOARD_H_INCLUDED


#include "trove_ledger.h"
#include "trove_players.h"


#define TROVE_BOARD_NAME       64       /* bytes of a name, at most          */
#define TROVE_BOARD_ROW_MIN    128
#define TROVE_BOARD_ROW_MAX    4096     /* a multiple of 8                   */
#define TROVE_BOARD_HEAD       96       /* bytes of a row that are not data  */
#define TROVE_BOARD_SCORE_MAX  ((int64_t) 1 << 53)
#define TROVE_BOARD_NONE       UINT32_MAX


typedef enum {
    TROVE_BOARD_MAX,          /* the highest score counts                    */
    TROVE_BOARD_MIN,
    TROVE_BOARD_LAST,
    TROVE_BOARD_SUM
} trove_board_keep_t;


typedef enum {
    TROVE_BOARD_DESC,         /* the highest score is the first              */
    TROVE_BOARD_ASC
} trove_board_order_t;


typedef enum {
    TROVE_BOARD_FIRST,        /* who reached it first ranks higher           */
    TROVE_BOARD_SHARED        /* 1-2-2-4                                     */
} trove_board_ties_t;


/* Periods end at midnight UTC, weeks before a Monday. */

typedef enum {
    TROVE_BOARD_NEVER,
    TROVE_BOARD_DAILY,
    TROVE_BOARD_WEEKLY,
    TROVE_BOARD_MONTHLY
} trove_board_reset_t;


/* All of it is of the ledger's layout: trove_ledger_conf_t has an array. */

struct trove_board_conf_s {
    char      name[TROVE_BOARD_NAME + 1];
    uint32_t  rows;           /* capacity of a period, 1 .. 2^31 - 1         */
    uint32_t  row;            /* bytes                                       */
    uint32_t  keep;           /* trove_board_keep_t                          */
    uint32_t  order;          /* trove_board_order_t                         */
    uint32_t  ties;           /* trove_board_ties_t                          */
    uint32_t  reset;          /* trove_board_reset_t                         */
    uint32_t  claims;         /* the values of claims are added to it        */
};


typedef struct {
    trove_slice_t  player;
    trove_slice_t  data;
    int            has_data;  /* none given: the row keeps its own           */
    int64_t        score;     /* within TROVE_BOARD_SCORE_MAX                */
    uint64_t       seq;       /* 0: none given                               */
    uint64_t       now;       /* ms of unix time                             */
} trove_board_write_t;


typedef enum {
    TROVE_BOARD_IMPROVED,     /* the row is new or its score changed         */
    TROVE_BOARD_KEPT,         /* the score is what it was                    */
    TROVE_BOARD_REPEAT,       /* seq is that of the last: nothing is done    */
    TROVE_BOARD_STALE,        /* seq is lower than that of the last          */
    TROVE_BOARD_OVERFLOW      /* the sum would leave the scores' range       */
} trove_board_result_t;


typedef struct {
    trove_board_result_t  result;
    int64_t               score;      /* by now                              */
    uint64_t              ends;       /* its period: unix seconds; 0: never  */
    uint32_t              rank;       /* from 1, as "ties" says              */
} trove_board_written_t;


typedef struct {
    trove_slice_t  player;            /* both in the caller's "text"         */
    trove_slice_t  data;
    int64_t        score;
    uint32_t       rank;
} trove_board_entry_t;


/* Of a table: a period, at one moment. */

typedef struct {
    uint32_t  rows;
    uint64_t  ends;           /* unix seconds; 0: never                      */
} trove_board_state_t;


/*
 * Data are the score's: of a score that "keep" refuses they are not taken.  As
 * long as a player has no row in a period, the last seq is that of the period
 * before: what repeats it is of that one, as are the score and the rank.
 *
 * TROVE_OK: *written.  TROVE_FULL: no room for a new row; TROVE_INVALID: no
 * player can have this id, the score is out of range, the data do not fit, or
 * the board's scores come from claims; TROVE_BUSY.
 */
trove_rc_t trove_board_write(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *write, trove_board_written_t *written);

/*
 * The same for "n" of them, one after the other, in one hold of the lock for
 * several; faster, for what they need is fetched together.  Behind one that is
 * TROVE_BUSY all are.
 */
void trove_board_write_all(trove_ledger_t *l, uint32_t board,
    const trove_board_write_t *writes, trove_board_written_t *written,
    trove_rc_t *rcs, uint32_t n);

/* Of the current period.  TROVE_OK, TROVE_NOTFOUND, TROVE_BUSY. */
trove_rc_t trove_board_remove(trove_ledger_t *l, uint32_t board,
    const trove_slice_t *player, uint64_t now);


/*
 * Copies the rows at the positions from, from + 1 .. (1 is the first) of the
 * period (0: the current one, -1: the one before), all as they were at one
 * moment; at most "max", returned through *n.  "text" has room for max rows of
 * conf->row bytes.  TROVE_OK or TROVE_BUSY.
 */
trove_rc_t trove_board_list(trove_ledger_t *l, uint32_t board, int period,
    uint64_t now, uint32_t from, uint32_t max, char *text,
    trove_board_entry_t *entries, uint32_t *n, trove_board_state_t *state);

/*
 * The player's row and up to "around" on either side of it.
 * TROVE_NOTFOUND: the player has none, only *state is set.
 */
trove_rc_t trove_board_around(trove_ledger_t *l, uint32_t board, int period,
    uint64_t now, const trove_slice_t *player, uint32_t around, char *text,
    trove_board_entry_t *entries, uint32_t *n, trove_board_state_t *state);


/* The board of that name, or TROVE_BOARD_NONE. */
uint32_t trove_board_find(const trove_ledger_t *l, const trove_slice_t *name);

const trove_board_conf_t *trove_board_conf(const trove_ledger_t *l,
    uint32_t board);
uint32_t trove_ledger_boards(const trove_ledger_t *l);

/* Whether a ledger can have it: its numbers are within their bounds. */
int trove_board_conf_good(const trove_board_conf_t *conf);
int trove_board_conf_same(const trove_board_conf_t *a,
    const trove_board_conf_t *b);

/* The period (0: the current one, -1: the one before) at this time. */
void trove_board_state(const trove_ledger_t *l, uint32_t board, int period,
    uint64_t now, trove_board_state_t *state);

/* Times that its order was built anew since the ledger was laid out. */
uint64_t trove_board_rebuilds(const trove_ledger_t *l, uint32_t board);


/*
 * For a store.  A board has one table, or two if it is reset, of which a
 * period has the one of its number's lowest bit; days, weeks and months are
 * numbered since 1970.  A row's number is below conf->rows, and stays the same
 * as long as there is that row.
 */

typedef struct {
    trove_slice_t  player;
    trove_slice_t  data;
    int64_t        score;
    uint64_t       seq;       /* the client's last; 0: none                  */
    uint64_t       reached;   /* when, in an order without ties              */
    uint64_t       period;
    uint32_t       claim;     /* that was added last, its number plus one    */
} trove_board_row_t;

uint32_t trove_board_tables(const trove_ledger_t *l, uint32_t board);

/*
 * Copies the row of that number, its texts to "text", which has room for
 * conf->row bytes.  TROVE_NOTFOUND: there is none, only row->period is set;
 * TROVE_BUSY.
 */
trove_rc_t trove_board_row(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t number, char *text, trove_board_row_t *row);

/* The same of a player. */
trove_rc_t trove_board_row_of(trove_ledger_t *l, uint32_t board,
    uint32_t table, const trove_slice_t *player, char *text,
    trove_board_row_t *row);


#endif /* TROVE_BOARD_H_INCLUDED */
