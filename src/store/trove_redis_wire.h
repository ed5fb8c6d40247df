
/*
 * What is sent to trove_redis.lua and what comes back: pure encoding, without
 * a network.  All numbers are little-endian; those of 64 bits travel as
 * doubles, for the script has no others: they are exact up to 2^53.
 *
 *   EVALSHA sha 1 trove:{NAME}  call  rules  op op op ...
 *
 *   call     whose call this is, and its number
 *   rules    what holds for all ops, and is the same for all calls of a
 *            machine: capacities, rules of claims and taps, boards
 *   op       a claim, a tap, a score ...: one argument each
 *
 * The answer is one string: the log's number and the time that the ops were
 * decided at, then each op's result.  Changes are one string, too, an entry's
 * field "d".
 *
 * Decoders trust nothing: what they are given may be damaged or another's.
 */

#ifndef TROVE_REDIS_WIRE_H_INCLUDED
#define TROVE_REDIS_WIRE_H_INCLUDED


#include "trove.h"
#include "trove_board.h"
#include "trove_claims.h"
#include "trove_restore.h"
#include "trove_taps.h"


#define TROVE_REDIS_OPS       128       /* of one call, at most              */
#define TROVE_REDIS_INSTANCE  32        /* hexadecimal digits                */
#define TROVE_REDIS_SESSION   32

/*
 * A session's answers are kept for nine minutes at least, and of the last so
 * many numbers: no more may be without an answer.
 */
#define TROVE_REDIS_CALLS     16

/* Beyond it a double has no odd numbers; balances end there. */
#define TROVE_REDIS_NUMBER    ((uint64_t) 1 << 53)


typedef enum {
    TROVE_REDIS_CLAIM = 'c',
    TROVE_REDIS_TAP = 't',
    TROVE_REDIS_SCORE = 's',
    TROVE_REDIS_UNSCORE = 'u',
    TROVE_REDIS_PUT = 'p',
    TROVE_REDIS_REMOVE = 'r'
} trove_redis_type_t;


/*
 * Redis has a clock of its own and the rules: "now", "interval" and "burst" of
 * these requests are not sent, nor is "taken" of a reward.
 */

typedef struct {
    trove_redis_type_t            type;
    uint32_t                      board;    /* number of a score's, unscore's */
    union {
        trove_claim_request_t     claim;
        trove_tap_request_t       tap;
        trove_board_write_t       score;
        trove_slice_t             unscore;  /* the player                    */
        trove_reward_t            put;
        uint32_t                  remove;   /* the reward's id               */
    } u;
} trove_redis_op_t;


/* Of a rc that is not TROVE_OK there is nothing else. */

typedef struct {
    trove_rc_t                    rc;       /* OK, NOTFOUND, FULL, INVALID   */
    union {
        trove_claim_t             claim;
        trove_tap_t               tap;
        trove_board_written_t     score;    /* without its rank              */
        uint64_t                  version;  /* that a put, a removal made    */
    } u;
} trove_redis_result_t;


/*
 * A call is carried out once, however often it is sent, if "again" is set from
 * the second time on: then it is refused (TROVE_REDIS_LOST) rather than carried
 * out if the session is not known any more.  A session begins with its first
 * call.
 *
 * A call that changes nothing may be told what another one has changed.  Who
 * waits until replicas have that sets "waits": then it writes all the same, for
 * a connection waits for what was written by itself only.
 *
 * Whoever has given a call up does not want it carried out when the network
 * delivers it at last: after "deadline" it is refused, unless it was carried
 * out before.
 */

typedef struct {
    const char                   *instance; /* TROVE_REDIS_INSTANCE bytes    */
    const char                   *session;  /* TROVE_REDIS_SESSION, or NULL  */
    uint64_t                      number;   /* 1, 2, 3 ...                   */
    int                           again;    /* it was sent before            */
    int                           waits;    /* for replicas                  */
    uint64_t                      deadline; /* microseconds of unix time by  */
                                            /* Redis' clock; 0: none         */
} trove_redis_call_t;


typedef struct {
    trove_ledger_conf_t           ledger;
    trove_claim_rules_t           claims;
    uint64_t                      interval; /* see trove_tap_request_t       */
    uint32_t                      burst;
    uint32_t                      log_max;  /* entries that are kept, about  */
} trove_redis_rules_t;


typedef struct {
    uint64_t                      log;      /* its last entry by then        */
    uint64_t                      now;      /* microseconds of unix time     */
    trove_slice_t                 rest;     /* results to come               */
} trove_redis_answer_t;


/* Sizes suffice for what the function of the same name writes. */

#define TROVE_REDIS_CALL_SIZE                                                \
    (TROVE_REDIS_INSTANCE + 1 + TROVE_REDIS_SESSION + 8 + 1 + 8)

size_t trove_redis_call(char *buf, const trove_redis_call_t *call);

size_t trove_redis_rules_size(const trove_redis_rules_t *rules);
size_t trove_redis_rules(char *buf, const trove_redis_rules_t *rules);

/* What an operation is about: NULL: no player; 0: no reward. */
const trove_slice_t *trove_redis_op_player(const trove_redis_op_t *op);
uint32_t trove_redis_op_reward(const trove_redis_op_t *op);

size_t trove_redis_op_size(const trove_redis_op_t *op);
size_t trove_redis_op(char *buf, const trove_redis_op_t *op);

/* The other way; its texts point into "text".  TROVE_OK or TROVE_INVALID. */
trove_rc_t trove_redis_op_read(const trove_slice_t *text,
    trove_redis_op_t *op);

/*
 * TROVE_OK or TROVE_INVALID.  Results come in the order of the ops; behind the
 * last one a->rest is empty, or the answer is not that of these ops.
 */
trove_rc_t trove_redis_answer(const trove_slice_t *text,
    trove_redis_answer_t *a);
trove_rc_t trove_redis_result(trove_redis_answer_t *a,
    trove_redis_type_t type, trove_redis_result_t *result);


/*
 * Changes, all absolute but for the version that the first three make, one
 * each.
 */

typedef enum {
    TROVE_REDIS_HAS_REWARD = 'P',       /* put                               */
    TROVE_REDIS_NO_REWARD = 'D',        /* removed                           */
    TROVE_REDIS_LAST = 'L',             /* the last of its stock was taken   */
    TROVE_REDIS_HAS_CLAIM = 'c',
    TROVE_REDIS_HAS_PLAYER = 'p',
    TROVE_REDIS_HAS_SCORE = 's',
    TROVE_REDIS_NO_SCORE = 'u'
} trove_redis_change_type_t;


typedef struct {
    trove_reward_t                reward;   /* "taken" of a row only         */
    uint32_t                      born;
} trove_redis_reward_t;


typedef struct {
    trove_slice_t                 player;
    trove_restore_claim_t         claim;    /* its "player" is 0             */
} trove_redis_claim_t;


typedef struct {
    trove_slice_t                 player;
    trove_player_t                data;     /* its "claim" is 0              */
} trove_redis_player_t;


typedef struct {
    trove_slice_t                 board;    /* its name                      */
    uint32_t                      reset;    /* trove_board_reset_t           */
    uint32_t                      claims;
    trove_board_row_t             row;      /* its "claim" is 0              */
} trove_redis_score_t;


typedef struct {
    trove_redis_change_type_t     type;
    union {
        trove_redis_reward_t      reward;
        uint32_t                  id;       /* of NO_REWARD, LAST            */
        trove_redis_claim_t       claim;
        trove_redis_player_t      player;
        trove_redis_score_t       score;    /* of NO_SCORE too: its player,  */
                                            /* its period, and "reached"     */
    } u;
} trove_redis_change_t;


/*
 * Takes the next change from the text, which its slices point into.  TROVE_OK;
 * TROVE_NOTFOUND: there is none; TROVE_INVALID.
 */
trove_rc_t trove_redis_change(trove_slice_t *text,
    trove_redis_change_t *change);


/*
 * Rows, as they lie in Redis' hashes: a field and a value.  TROVE_OK or
 * TROVE_INVALID; slices point into the texts.  Of a score its board and period
 * are known by its key, and left alone.
 */
trove_rc_t trove_redis_reward_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_reward_t *r);
trove_rc_t trove_redis_player_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_player_t *p);
trove_rc_t trove_redis_claim_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_claim_t *c);
trove_rc_t trove_redis_score_read(const trove_slice_t *field,
    const trove_slice_t *value, trove_redis_score_t *s);

/*
 * The other way, for who moves a trove to Redis.  The field and the value have
 * room for so many bytes, a score's value for its data more; the lengths are
 * returned.
 */
#define TROVE_REDIS_FIELD     64
#define TROVE_REDIS_VALUE     64

void trove_redis_reward_write(const trove_redis_reward_t *r, char *field,
    size_t *nfield, char *value, size_t *nvalue);
void trove_redis_player_write(const trove_redis_player_t *p, char *field,
    size_t *nfield, char *value, size_t *nvalue);
void trove_redis_claim_write(const trove_redis_claim_t *c, char *field,
    size_t *nfield, char *value, size_t *nvalue);
void trove_redis_score_write(const trove_redis_score_t *s, char *field,
    size_t *nfield, char *value, size_t *nvalue);


#endif /* TROVE_REDIS_WIRE_H_INCLUDED */
