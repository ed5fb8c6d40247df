/*
 * What the tests of players, claims and taps have in common: ledgers in
 * memory that children share, and rewards.
 */

#ifndef PLAYERS_H_INCLUDED
#define PLAYERS_H_INCLUDED


#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_claims.h"
#include "trove_ledger_data.h"
#include "trove_taps.h"

#ifndef TROVE_FAULT_POINTS
#error "the core has to be built with TROVE_FAULT_POINTS for its tests"
#endif


#define NOW  1700000000000ULL           /* milliseconds of unix time */


static inline void *
shared_new(size_t size)
{
    void  *mem;

    mem = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
               0);
    assert_ptr_not_equal(mem, MAP_FAILED);

    return mem;
}


static inline trove_ledger_t *
ledger_new(uint32_t rewards, uint32_t players, uint32_t claims)
{
    trove_ledger_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = rewards;
    conf.players = players;
    conf.claims = claims;

    return trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
}


static inline void
ledger_free(trove_ledger_t *l)
{
    (void) munmap(l, trove_ledger_bytes(l));
}


static inline trove_redo_t *
redo_new(trove_ledger_t *l)
{
    trove_redo_t  *r;

    assert_int_equal(trove_redo_open(l, &r), TROVE_OK);

    return r;
}


static inline void
reward_put(trove_ledger_t *l, uint32_t id, int32_t value, uint32_t stock)
{
    uint64_t        version;
    trove_reward_t  r;

    memset(&r, 0, sizeof(r));
    r.id = id;
    r.value = value;
    r.stock = stock;

    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
}


static inline void
reward_remove(trove_ledger_t *l, uint32_t id)
{
    uint64_t  version;

    assert_int_equal(trove_ledger_remove(l, id, &version), TROVE_OK);
}


static inline trove_slice_t
slice(const char *id)
{
    trove_slice_t  s;

    s.data = (const unsigned char *) id;
    s.len = strlen(id);

    return s;
}


/* Of a number; "buf" has 16 bytes. */

static inline trove_slice_t
player_id(char *buf, uint32_t n)
{
    (void) snprintf(buf, 16, "p%u", n);

    return slice(buf);
}


/* A claim without rules, of a player of any level, nowhere. */

static inline trove_rc_t
claim(trove_redo_t *r, const char *player, uint32_t reward, trove_claim_t *c)
{
    trove_claim_rules_t    rules;
    trove_claim_request_t  q;

    memset(&rules, 0, sizeof(rules));
    memset(&q, 0, sizeof(q));
    q.player = slice(player);
    q.reward = reward;
    q.now = NOW;

    return trove_claim(r, &rules, &q, c);
}


static inline trove_rc_t
tap(trove_redo_t *r, const char *player, uint64_t seq, int32_t value,
    trove_tap_t *t)
{
    trove_tap_request_t  q;

    memset(&q, 0, sizeof(q));
    q.player = slice(player);
    q.seq = seq;
    q.now = NOW * 1000;
    q.coin = (uint32_t) value * 7 + 1;
    q.value = value;

    return trove_tap(r, &q, t);
}


/* A child that does not outlive a test that fails. */

static inline pid_t
child_new(void)
{
    pid_t  pid;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    }

    return pid;
}


/* Its status; -1: it was killed. */

static inline int
child_end(pid_t pid)
{
    int  status;

    assert_int_equal(waitpid(pid, &status, 0), pid);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}


#endif /* PLAYERS_H_INCLUDED */
