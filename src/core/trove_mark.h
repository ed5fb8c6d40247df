/*
 * Marks: how far the operations that wait in queues elsewhere, for there was
 * no room for them, have been carried out on a ledger.
 *
 * The operations of a queue are numbered 1, 2, 3 ...  That one is carried out,
 * and what it changes, is one store to everybody else: the number is a part of
 * what is noted before a write, and whoever carries a dead writer's note to
 * its end moves the mark on as well.  So each is carried out once, if it
 * is always the one behind the mark that comes next.
 *
 * What an operation is about, a reward, a player or a row, is its target.  One
 * that is not there waits behind others of the same queue.  Once it is there,
 * for the first of its operations was carried out, there may be more of them:
 * until these are carried out, others of it have to wait as well.
 *
 * A ledger has a queue for its rewards, one for its players, their claims and
 * taps, and one for each of its boards.  One process at a time, the drainer,
 * carries them out, by one thread.
 */

#ifndef TROVE_MARK_H_INCLUDED
#define TROVE_MARK_H_INCLUDED


#include "trove_board.h"
#include "trove_claims.h"
#include "trove_ledger.h"
#include "trove_redo.h"
#include "trove_taps.h"


/* Queues are numbers: the board of number 0 has the third. */

#define TROVE_MARK_REWARDS  0
#define TROVE_MARK_PLAYERS  1
#define TROVE_MARK_BOARDS   2

#define TROVE_MARK_NONE     UINT32_MAX

/* Bytes of a queue's name, "rewards", "players" or "board:NAME", and a zero. */
#define TROVE_MARK_NAME     (TROVE_BOARD_NAME + 7)


uint32_t trove_marks(const trove_ledger_t *l);

const char *trove_mark_name(const trove_ledger_t *l, uint32_t queue,
    char *buf);
uint32_t trove_mark_find(const trove_ledger_t *l, const trove_slice_t *name);

/*
 * For everybody.  The number of the operation that was carried out last; of
 * that which a store has got; and of the last one that is known to wait.
 */
uint64_t trove_mark(const trove_ledger_t *l, uint32_t queue);
uint64_t trove_mark_stored(const trove_ledger_t *l, uint32_t queue);
uint64_t trove_mark_queued(const trove_ledger_t *l, uint32_t queue);

/* It is known that there is this one. */
void trove_mark_queue(trove_ledger_t *l, uint32_t queue, uint64_t number);

/*
 * The same, who has heard of the number with whose it is: if they are others
 * than are known, which were made by now, then they have to be looked for.
 */
void trove_mark_tell(trove_ledger_t *l, uint64_t whose, uint32_t queue,
    uint64_t number);

/*
 * Whether any waits, for all that is known: nothing is, in a new ledger, until
 * the drainer has seen the queues for the first time, nor of other ones.
 */
int trove_mark_pending(const trove_ledger_t *l, uint32_t queue);

/*
 * Targets as numbers that are not 0.  Some that have nothing to do with each
 * other are taken for the same.
 */
uint64_t trove_mark_reward(uint32_t id);
uint64_t trove_mark_player(const trove_ledger_t *l,
    const trove_slice_t *player);

/* Whether there may be operations of the target, which is there, that wait. */
int trove_mark_behind(const trove_ledger_t *l, uint32_t queue,
    uint64_t target);

/*
 * An operation of the target has that number, which was told: it was found to
 * have to wait when the mark was "since", or when nothing waited, so that the
 * target may have come since without a queue.
 */
#define TROVE_MARK_UNKNOWN  UINT64_MAX

void trove_mark_follow(trove_ledger_t *l, uint32_t queue, uint64_t target,
    uint64_t since, uint64_t number);

/* When the next was queued if there is no room for it, us of unix time; 0. */
uint64_t trove_mark_stays(const trove_ledger_t *l, uint32_t queue);

/* Whose the numbers are; 0: of no queues yet. */
uint64_t trove_mark_whose(const trove_ledger_t *l);


/*
 * Whether this process is the drainer, be it by now because there was none or
 * a dead one, whose last operation is then carried out or not.  All that
 * follows is the drainer's.
 */
int trove_mark_elect(trove_ledger_t *l);
void trove_mark_resign(trove_ledger_t *l);

/*
 * The queues are these, which are told apart by a number that is not 0.  If
 * they are others than before then nothing of them has been carried out.
 * TROVE_OK or TROVE_BUSY.
 */
trove_rc_t trove_mark_begin(trove_ledger_t *l, uint64_t whose);

/*
 * Around carrying out an operation of a target; "done": it was.  An operation
 * of that number is known to wait; "there": though its target is there.
 */
void trove_mark_try(trove_ledger_t *l, uint32_t queue, uint64_t target);
void trove_mark_tried(trove_ledger_t *l, uint32_t queue, uint64_t target,
    int done);
void trove_mark_waits(trove_ledger_t *l, uint32_t queue, uint64_t target,
    uint64_t number, int there);

/* Whether nobody has looked at the queues since the ledger was laid out. */
int trove_mark_fresh(const trove_ledger_t *l);

/* There is no room for the next one, see trove_mark_stays(), or there is: 0. */
void trove_mark_stay(trove_ledger_t *l, uint32_t queue, uint64_t at);

/*
 * What waits in them has been seen: all of it that was told before "doubts"
 * were asked for.  It is not sure again when somebody tells of other queues.
 */
uint32_t trove_mark_doubts(const trove_ledger_t *l);
void trove_mark_known(trove_ledger_t *l, uint32_t doubts);
int trove_mark_sure(const trove_ledger_t *l);

/*
 * The operation of that number, which is the one behind the mark, by the
 * functions of the same names.  It is carried out, and the mark is its number,
 * after TROVE_OK and TROVE_NOTFOUND; else neither, and it is still the next.
 */
trove_rc_t trove_mark_put(trove_ledger_t *l, uint64_t number,
    const trove_reward_t *r, uint64_t *version);
trove_rc_t trove_mark_remove(trove_ledger_t *l, uint64_t number, uint32_t id,
    uint64_t *version);
trove_rc_t trove_mark_claim(trove_redo_t *redo, uint64_t number,
    const trove_claim_rules_t *rules, const trove_claim_request_t *request,
    trove_claim_t *c);
trove_rc_t trove_mark_tap(trove_redo_t *redo, uint64_t number,
    const trove_tap_request_t *request, trove_tap_t *t);
trove_rc_t trove_mark_score(trove_ledger_t *l, uint64_t number,
    uint32_t board, const trove_board_write_t *write,
    trove_board_written_t *written);
trove_rc_t trove_mark_unscore(trove_ledger_t *l, uint64_t number,
    uint32_t board, const trove_slice_t *player, uint64_t now);

/* The same of one that cannot be carried out, and was put aside. */
trove_rc_t trove_mark_pass(trove_ledger_t *l, uint32_t queue,
    uint64_t number);


/*
 * For a store: between these two calls no operation is carried out, thus marks
 * and rows that are read belong together.  TROVE_OK or TROVE_BUSY.
 */
trove_rc_t trove_mark_hold(trove_ledger_t *l);
void trove_mark_let_go(trove_ledger_t *l);

/* It has this one; or has given it, and whose it is, to an empty ledger. */
void trove_mark_landed(trove_ledger_t *l, uint32_t queue, uint64_t number);
void trove_mark_restore(trove_ledger_t *l, uint32_t queue, uint64_t number);
void trove_mark_restore_whose(trove_ledger_t *l, uint64_t whose);

/* It has none of them. */
void trove_mark_lost(trove_ledger_t *l);

/* Whether there is any that it has not. */
int trove_mark_any(const trove_ledger_t *l);


#endif /* TROVE_MARK_H_INCLUDED */
