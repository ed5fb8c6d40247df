
/*
 * The ledger: against a model, under death at every instruction that matters,
 * with several processes and threads at once.
 */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_ledger_data.h"

#ifndef TROVE_FAULT_POINTS
#error "the core has to be built with TROVE_FAULT_POINTS for its tests"
#endif


#define IDS       400         /* a model knows the ids 1 .. IDS - 1          */
#define VERSIONS  20000       /* and remembers so many changes               */
#define QUEUES    1048576     /* bytes, of who waits in two queues           */
#define LOG       4096        /* size of the log of a small ledger           */

/* Points between the stores of one write: more than there are. */
#define POINTS    1000


/* What a ledger should hold. */

typedef struct {
    uint32_t        capacity;
    uint32_t        live;
    uint64_t        version;
    trove_reward_t  rows[IDS];          /* by id; id 0: there is none        */
    uint32_t        changed[VERSIONS];  /* the slot, by version              */
} model_t;


static model_t         model;
static trove_process_t  *said;          /* shared: who a child is            */


static void
row_of(trove_reward_t *r, uint32_t id, uint32_t n)
{
    r->x = n;
    r->y = -(double) n - 1;
    r->level = n * 0.5;
    r->id = id;
    r->value = (int32_t) (n ^ 0x5555);
    r->starts = n + 1;
    r->expires = n + 2;
    r->stock = n * 3;
    r->taken = 0;
}


static int
row_is_of(const trove_reward_t *r, uint32_t id)
{
    trove_reward_t  whole;

    row_of(&whole, id, (uint32_t) r->x);

    return memcmp(r, &whole, sizeof(whole)) == 0;
}


static size_t
ledger_bytes(uint32_t capacity)
{
    trove_ledger_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = capacity;

    return trove_ledger_size(&conf);
}


static trove_ledger_t *
ledger_new(uint32_t capacity)
{
    void                 *mem;
    trove_ledger_t       *l;
    trove_ledger_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = capacity;

    mem = mmap(NULL, trove_ledger_size(&conf), PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(mem, MAP_FAILED);

    assert_ptr_equal(trove_ledger_init(mem, &conf), mem);
    assert_int_equal(trove_ledger_attach(mem, &conf, &l), TROVE_OK);
    assert_ptr_equal(l, mem);

    return l;
}


static void
ledger_free(trove_ledger_t *l)
{
    (void) munmap(l, ledger_bytes(trove_ledger_conf(l)->rewards));
}


static void
model_new(uint32_t capacity)
{
    memset(&model, 0, sizeof(model));
    model.capacity = capacity;
}


/* One write to the ledger and the model, which must agree on its outcome. */

static void
model_put(trove_ledger_t *l, const trove_reward_t *r)
{
    uint64_t     version;
    trove_rc_t   rc;

    version = 0;
    rc = trove_ledger_put(l, r, &version);

    if (model.rows[r->id].id == 0) {

        if (model.live == model.capacity) {
            assert_int_equal(rc, TROVE_FULL);
            return;
        }

        model.live++;
    }

    assert_int_equal(rc, TROVE_OK);
    assert_int_equal(version, ++model.version);

    model.rows[r->id] = *r;
    model.rows[r->id].taken = 0;
    model.changed[version] = trove_ledger_slot(l, r->id);
}


static void
model_remove(trove_ledger_t *l, uint32_t id)
{
    uint32_t    slot;
    uint64_t    version;
    trove_rc_t  rc;

    version = 0;
    slot = trove_ledger_slot(l, id);
    rc = trove_ledger_remove(l, id, &version);

    if (model.rows[id].id == 0) {
        assert_int_equal(rc, TROVE_NOTFOUND);
        return;
    }

    assert_int_equal(rc, TROVE_OK);
    assert_int_equal(version, ++model.version);

    memset(&model.rows[id], 0, sizeof(trove_reward_t));
    model.live--;
    model.changed[version] = slot;
}


static void
model_step(trove_ledger_t *l, uint32_t ids)
{
    uint32_t        id;
    trove_reward_t  r;

    id = 1 + random_below(ids);

    if (random_below(5) < 2) {
        model_remove(l, id);
        return;
    }

    row_of(&r, id, random_below(1000000));
    r.taken = 99;
    model_put(l, &r);
}


/* All that can be asked of the ledger is what the model says. */

static void
model_agrees(trove_ledger_t *l)
{
    uint32_t        id, slot, n, slots[100];
    uint64_t        after;
    trove_reward_t  r;

    assert_int_equal(trove_ledger_version(l), model.version);
    assert_int_equal(trove_ledger_rewards(l), model.live);
    assert_true(trove_ledger_sane(l));

    for (id = 1; id < IDS; id++) {
        slot = trove_ledger_slot(l, id);

        if (model.rows[id].id == 0) {
            assert_int_equal(trove_ledger_get(l, id, &r), TROVE_NOTFOUND);
            assert_int_equal(slot, UINT32_MAX);
            continue;
        }

        assert_int_equal(trove_ledger_get(l, id, &r), TROVE_OK);
        assert_memory_equal(&r, &model.rows[id], sizeof(r));

        assert_true(slot < trove_ledger_slots(l));
        assert_int_equal(trove_ledger_row(l, slot, &r), TROVE_OK);
        assert_memory_equal(&r, &model.rows[id], sizeof(r));
    }

    n = 0;

    for (slot = 0; slot < trove_ledger_slots(l); slot++) {
        n += (trove_ledger_row(l, slot, &r) == TROVE_OK);
    }

    assert_int_equal(n, model.live);

    after = (model.version > 100) ? model.version - 100 : 0;

    assert_int_equal(trove_ledger_changes(l, after, slots, 100, &n), TROVE_OK);
    assert_int_equal(n, model.version - after);
    assert_memory_equal(slots, &model.changed[after + 1], n * sizeof(uint32_t));
}


static void
an_empty_ledger_is_empty(void **state)
{
    uint32_t         n, slot;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(10);

    assert_int_equal(trove_ledger_conf(l)->rewards, 10);
    assert_int_equal(trove_ledger_version(l), 0);
    assert_int_equal(trove_ledger_rewards(l), 0);
    assert_int_equal(trove_ledger_slots(l), 0);
    assert_int_equal(trove_ledger_slot(l, 1), UINT32_MAX);
    assert_int_equal(trove_ledger_get(l, 1, &r), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_remove(l, 1, &version), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_changes(l, 0, &slot, 1, &n), TROVE_OK);
    assert_int_equal(n, 0);

    for (slot = 0; slot < 12; slot++) {
        assert_int_equal(trove_ledger_row(l, slot, &r), TROVE_NOTFOUND);
    }

    assert_int_equal(trove_ledger_row(l, UINT32_MAX, &r), TROVE_NOTFOUND);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
id_zero_is_no_reward(void **state)
{
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(10);

    row_of(&r, 1, 1);
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    assert_int_equal(trove_ledger_remove(l, 1, &version), TROVE_OK);

    r.id = 0;
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_INVALID);
    assert_int_equal(trove_ledger_get(l, 0, &r), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_remove(l, 0, &version), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_slot(l, 0), UINT32_MAX);
    assert_int_equal(trove_ledger_version(l), 2);

    r.id = UINT32_MAX;
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    assert_int_equal(trove_ledger_get(l, UINT32_MAX, &r), TROVE_OK);

    ledger_free(l);
}


static void
zeros_have_no_sign(void **state)
{
    double           zero;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(1);
    zero = 0.0;

    row_of(&r, 1, 1);
    r.x = -0.0;
    r.y = -0.0;
    r.level = -0.0;
    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    assert_int_equal(trove_ledger_get(l, 1, &r), TROVE_OK);

    assert_memory_equal(&r.x, &zero, sizeof(zero));
    assert_memory_equal(&r.y, &zero, sizeof(zero));
    assert_memory_equal(&r.level, &zero, sizeof(zero));

    ledger_free(l);
}


static void
a_reward_takes_64_bytes_at_most(void **state)
{
    uint32_t  n;

    for (n = 65536; n < 2000000000; n += n / 7) {
        assert_true(ledger_bytes(n) <= (size_t) 64 * n + QUEUES);
    }

    assert_true(ledger_bytes(INT32_MAX) <= (size_t) 64 * INT32_MAX);
    assert_true(ledger_bytes(1) < 40960 + QUEUES);
}


static void
what_is_no_ledger_of_this_layout_is_refused(void **state)
{
    size_t               i, bytes, header;
    unsigned char       *mem;
    trove_ledger_t      *l, *other;
    trove_ledger_conf_t  conf;

    bytes = ledger_bytes(100);
    l = ledger_new(100);
    mem = (unsigned char *) l;
    conf = *trove_ledger_conf(l);

    conf.rewards = 101;
    assert_int_equal(trove_ledger_attach(l, &conf, &other), TROVE_MISMATCH);
    assert_ptr_equal(other, l);
    assert_int_equal(trove_ledger_conf(other)->rewards, 100);

    conf.rewards = 100;
    conf.space = 1;
    assert_int_equal(trove_ledger_attach(l, &conf, &other), TROVE_MISMATCH);
    assert_ptr_equal(other, l);

    conf.space = 0;

    conf.players = 1;
    assert_int_equal(trove_ledger_attach(l, &conf, &other), TROVE_MISMATCH);
    conf.players = 0;

    /* any bit of what it is laid out by */

    header = sizeof(l->magic) + sizeof(l->at);

    for (i = 0; i < header * 8; i++) {
        mem[i / 8] ^= 1 << i % 8;
        assert_int_equal(trove_ledger_attach(l, &conf, &other),
                         TROVE_MISMATCH);
        mem[i / 8] ^= 1 << i % 8;
    }

    assert_int_equal(trove_ledger_attach(l, &conf, &other), TROVE_OK);

    for (i = 0; i < 200; i++) {
        mem[random_below(header)] = (unsigned char) random_bits();
        (void) trove_ledger_attach(l, &conf, &other);
    }

    memset(mem, 0, bytes);
    assert_int_equal(trove_ledger_attach(l, &conf, &other), TROVE_MISMATCH);
    assert_null(other);

    (void) munmap(mem, bytes);
}


static void
it_agrees_with_a_model(void **state)
{
    uint32_t         i, n, steps, ids;
    trove_ledger_t  *l;

    static const uint32_t  capacities[] = { 1, 2, 3, 8, 21, 300 };

    for (i = 0; i < 6; i++) {
        l = ledger_new(capacities[i]);
        model_new(capacities[i]);

        /* full now and then */

        ids = capacities[i] + capacities[i] / 4 + 1;
        steps = (capacities[i] < 100) ? 600 : 3000;

        for (n = 0; n < steps; n++) {
            model_step(l, ids);

            if (capacities[i] < 100 || n % 100 == 0) {
                model_agrees(l);
            }
        }

        while (model.live != 0) {
            model_remove(l, 1 + random_below(ids));
        }

        model_agrees(l);

        for (n = 1; n <= ids; n++) {
            model_put(l, &(trove_reward_t) { .id = n, .stock = n });
        }

        assert_int_equal(trove_ledger_rewards(l), capacities[i]);
        assert_int_equal(trove_ledger_slots(l), capacities[i]);
        model_agrees(l);

        ledger_free(l);
    }
}


static void
any_ids_find_their_rows(void **state)
{
    uint32_t         i, n, *ids;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    static const uint32_t  strides[] = { 1, 2, 4096, 65536, 0x9e3779b1 };

    n = 20000;
    l = ledger_new(n);
    ids = malloc(n * sizeof(uint32_t));
    assert_non_null(ids);

    for (i = 0; i < n; i++) {
        ids[i] = (i / 5 + 1) * strides[i % 5] + i % 5;
        row_of(&r, ids[i], i);
        assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    }

    assert_true(trove_ledger_sane(l));

    for (i = 0; i < n; i += 2) {
        (void) trove_ledger_remove(l, ids[i], &version);
    }

    assert_true(trove_ledger_sane(l));

    free(ids);
    ledger_free(l);
}


static void
the_log_reaches_back_so_far(void **state)
{
    uint32_t         i, n, slots[LOG];
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(7);

    for (i = 1; i <= 3 * LOG + 5; i++) {
        row_of(&r, 1 + i % 7, i);
        assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
        assert_int_equal(version, i);
    }

    assert_int_equal(trove_ledger_changes(l, 0, slots, 1, &n), TROVE_BEHIND);
    assert_int_equal(n, 0);
    assert_int_equal(trove_ledger_changes(l, version - LOG, slots, 1, &n),
                     TROVE_BEHIND);
    assert_int_equal(trove_ledger_changes(l, version + 1, slots, 1, &n),
                     TROVE_BEHIND);

    assert_int_equal(trove_ledger_changes(l, version - LOG + 1, slots, LOG,
                                          &n),
                     TROVE_OK);
    assert_int_equal(n, LOG - 1);

    for (i = 0; i < n; i++) {
        assert_int_equal(slots[i], trove_ledger_slot(l,
                                   1 + (version - LOG + 2 + i) % 7));
    }

    assert_int_equal(trove_ledger_changes(l, version - 20, slots, 3, &n),
                     TROVE_OK);
    assert_int_equal(n, 3);

    assert_int_equal(trove_ledger_changes(l, version, slots, LOG, &n),
                     TROVE_OK);
    assert_int_equal(n, 0);

    assert_int_equal(trove_ledger_changes(l, version - 1, slots, 0, &n),
                     TROVE_OK);
    assert_int_equal(n, 0);

    ledger_free(l);
}


/* Death. */


/* A child that does not outlive a test that fails. */

static pid_t
fork_child(void)
{
    pid_t  pid;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    }

    return pid;
}


typedef struct {
    int             remove;
    trove_reward_t  row;
} write_t;


static int
write_apply(trove_ledger_t *l, const write_t *w)
{
    uint64_t  version;

    if (w->remove) {
        return trove_ledger_remove(l, w->row.id, &version);
    }

    return trove_ledger_put(l, &w->row, &version);
}


/*
 * A child that makes the write and is killed at that point; 0 if it ended
 * alive.  Without a write it recovers.
 */

static int
killed_at(trove_ledger_t *l, const write_t *w, const char *name, uint64_t nth)
{
    int    status;
    pid_t  pid;

    pid = fork_child();

    if (pid == 0) {
        *said = trove_process_self();
        trove_fault_arm(name, nth);

        _exit((w != NULL) ? write_apply(l, w) : (int) trove_ledger_recover(l));
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), TROVE_OK);
        return 0;
    }

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    return 1;
}


/* Whoever comes next finds a ledger without the dead, whatever he does. */

static void
next_comer(trove_ledger_t *l, const write_t *w)
{
    uint32_t        slot;
    uint64_t        version;
    trove_rc_t      rc;
    trove_reward_t  r;

    switch (random_below(5)) {

    case 0:
        assert_int_equal(trove_ledger_recover(l), TROVE_OK);
        break;

    case 1:
        rc = trove_ledger_get(l, w->row.id, &r);
        assert_true(rc == TROVE_NOTFOUND
                    || (rc == TROVE_OK && row_is_of(&r, w->row.id)));
        break;

    case 2:
        for (slot = 0; slot < trove_ledger_conf(l)->rewards; slot++) {
            rc = trove_ledger_row(l, slot, &r);
            assert_true(rc == TROVE_NOTFOUND
                        || (rc == TROVE_OK && row_is_of(&r, r.id)));
        }

        break;

    case 3:
        assert_int_equal(trove_ledger_remove(l, IDS + 1, &version),
                         TROVE_NOTFOUND);
        break;

    default:
        slot = trove_ledger_slot(l, w->row.id);
        assert_true(slot == UINT32_MAX || slot < trove_ledger_slots(l));
    }
}


/* A write that will not fail. */

static void
random_write(write_t *w, uint32_t ids)
{
    do {
        row_of(&w->row, 1 + random_below(ids), random_below(1000000));
        w->remove = random_below(2);

    } while (model.rows[w->row.id].id == 0
             && (w->remove || model.live == model.capacity));
}


/* The slot that the reward is in, or was before it was removed. */

static uint32_t
slot_of(trove_ledger_t *l, uint32_t id, uint64_t after)
{
    uint32_t  slot, n;

    slot = trove_ledger_slot(l, id);

    if (slot == UINT32_MAX) {
        assert_int_equal(trove_ledger_changes(l, after, &slot, 1, &n),
                         TROVE_OK);
        assert_int_equal(n, 1);
    }

    return slot;
}


static void
death_at_any_point_is_before_or_after(void **state)
{
    int              done;
    char            *before;
    size_t           bytes;
    uint32_t         i, n, capacity;
    uint64_t         nth, version;
    write_t          w;
    trove_ledger_t  *l;

    static model_t   was;

    for (i = 0; i < 36; i++) {
        capacity = 1 + random_below(24);
        bytes = ledger_bytes(capacity);
        l = ledger_new(capacity);
        before = malloc(bytes);
        assert_non_null(before);
        model_new(capacity);

        for (n = 3 * capacity; n != 0; n--) {
            model_step(l, capacity + 1);
        }

        random_write(&w, capacity + 1);

        memcpy(before, l, bytes);
        memcpy(&was, &model, sizeof(model));

        for (nth = 1; nth < POINTS; nth++) {
            done = !killed_at(l, &w, NULL, nth);

            if (!done && random_below(2)) {

                /* and who repairs it dies as well */

                (void) killed_at(l, NULL, NULL, 1 + random_below(20));
            }

            next_comer(l, &w);
            assert_int_equal(trove_ledger_recover(l), TROVE_OK);

            /* before the intent stands nothing has happened, then all has */

            version = trove_ledger_version(l);
            assert_int_equal(version > was.version, nth > 1);

            if (version > was.version) {
                model.live += (was.rows[w.row.id].id == 0);
                model.live -= w.remove;
                model.rows[w.row.id] = w.row;

                if (w.remove) {
                    memset(&model.rows[w.row.id], 0, sizeof(trove_reward_t));
                }

                /* as often as somebody died after he had entered it */

                assert_true(version <= was.version + 4);

                while (model.version != version) {
                    model.changed[++model.version] = slot_of(l, w.row.id,
                                                             was.version);
                }
            }

            model_agrees(l);

            /* and life goes on */

            for (n = 0; n < 5; n++) {
                model_step(l, capacity + 1);
            }

            model_agrees(l);

            memcpy(l, before, bytes);
            memcpy(&model, &was, sizeof(model));

            if (done) {
                break;
            }
        }

        assert_true(nth > 10 && nth < POINTS);

        free(before);
        ledger_free(l);
    }
}


/* Where the lock is: the only word that holds its dead owner. */

static _Atomic uint64_t *
find_lock(trove_ledger_t *l)
{
    size_t             i, n;
    write_t            w;
    _Atomic uint64_t  *words, *lock;

    w.remove = 0;
    row_of(&w.row, 1, 1);

    assert_true(killed_at(l, &w, "word", 2));

    n = 0;
    lock = NULL;
    words = (_Atomic uint64_t *) l;

    for (i = 0; i < 64; i++) {

        if (words[i] == *said) {
            lock = &words[i];
            n++;
        }
    }

    assert_int_equal(n, 1);

    return lock;
}


static void
a_live_owner_is_waited_for_and_not_robbed(void **state)
{
    int                i;
    pid_t              pid;
    time_t             started;
    uint64_t           version;
    trove_ledger_t    *l;
    trove_reward_t     r, got;
    _Atomic uint64_t  *lock;

    l = ledger_new(5);
    lock = find_lock(l);

    /* the dead owner's half-written row in the hands of a living one */

    pid = fork_child();

    if (pid == 0) {
        *lock = trove_process_self();

        for ( ;; ) {
            (void) pause();
        }
    }

    while (*lock >> 32 != (uint64_t) pid) {
        (void) usleep(1000);
    }

    row_of(&r, 2, 1);

    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_BUSY);
    assert_int_equal(trove_ledger_remove(l, 2, &version), TROVE_BUSY);
    assert_int_equal(trove_ledger_row(l, 0, &got), TROVE_BUSY);
    assert_int_equal(trove_ledger_recover(l), TROVE_BUSY);
    assert_false(trove_ledger_sane(l));
    assert_int_equal(*lock >> 32, pid);

    /* once: 100000 times a millisecond would be minutes */

    started = time(NULL);

    for (i = 0; i < 100000; i++) {
        assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_BUSY);
    }

    assert_true(time(NULL) - started < 60);

    /* nobody waits for what is not being written */

    assert_int_equal(trove_ledger_get(l, 2, &got), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_version(l), 0);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);

    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    assert_int_equal(version, 2);
    assert_int_equal(trove_ledger_rewards(l), 2);
    assert_int_equal(*lock, 0);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static void
an_intent_that_leads_astray_is_not_followed(void **state)
{
    uint64_t           version;
    trove_ledger_t    *l;
    trove_reward_t     r;
    _Atomic uint64_t  *lock;

    l = ledger_new(5);
    lock = find_lock(l);

    memset((char *) lock + TROVE_CACHE_LINE, 0xff, TROVE_CACHE_LINE);

    row_of(&r, 2, 1);

    assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_BUSY);
    assert_int_equal(trove_ledger_row(l, 0, &r), TROVE_BUSY);

    ledger_free(l);
}


static void
faults_are_read_from_the_environment(void **state)
{
    int              i, status;
    pid_t            pid;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    static const char  *values[] = { "published:2", "1", "nowhere:1", "0" };

    l = ledger_new(5);

    for (i = 0; i < 4; i++) {
        pid = fork_child();

        if (pid == 0) {
            (void) setenv("TROVE_FAULT", values[i], 1);
            trove_fault_environment();

            row_of(&r, 1, 1);
            (void) trove_ledger_put(l, &r, &version);
            (void) trove_ledger_put(l, &r, &version);

            _exit(0);
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WIFSIGNALED(status), i < 2);
        assert_int_equal(trove_ledger_recover(l), TROVE_OK);
    }

    /* the second death was of one who had entered it */

    assert_int_equal(trove_ledger_version(l), 7);

    ledger_free(l);
}


/* Readers that others get in the way of, at a given point. */


typedef struct {
    trove_ledger_t  *ledger;
    uint32_t         remove;    /* id, or 0                                  */
    uint32_t         put;       /* id, or 0                                  */
    uint32_t         times;
} other_t;


static void
other_acts(void *data)
{
    uint32_t         i;
    uint64_t         version;
    other_t         *o;
    trove_reward_t   r;

    o = data;

    for (i = 0; i < o->times; i++) {

        if (o->remove != 0) {
            assert_int_equal(trove_ledger_remove(o->ledger, o->remove,
                                                 &version),
                             TROVE_OK);
        }

        if (o->put != 0) {
            row_of(&r, o->put, 1000 + i);
            assert_int_equal(trove_ledger_put(o->ledger, &r, &version),
                             TROVE_OK);
        }
    }
}


static trove_ledger_t *
ledger_filled(uint32_t n)
{
    uint32_t         id;
    uint64_t         version;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(n);

    for (id = 1; id <= n; id++) {
        row_of(&r, id, id);
        assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    }

    return l;
}


/* While any id is looked for, any other is removed, at any cell passed. */

static void
a_search_misses_nothing_that_moves(void **state)
{
    uint32_t         id, nth;
    other_t          o;
    trove_ledger_t  *l;
    trove_reward_t   r;

    enum { N = 12 };

    for (id = 1; id <= N; id++) {

        for (o.remove = 1; o.remove <= N; o.remove++) {

            for (nth = 1; nth <= 6 && o.remove != id; nth++) {
                l = ledger_filled(N);

                o.ledger = l;
                o.put = 0;
                o.times = 1;

                trove_fault_meet_arm("probe", nth, other_acts, &o);
                assert_int_equal(trove_ledger_get(l, id, &r), TROVE_OK);
                assert_true(row_is_of(&r, id));

                trove_fault_meet_arm(NULL, 0, NULL, NULL);
                ledger_free(l);
            }
        }
    }
}


static void
a_row_is_copied_whole(void **state)
{
    uint32_t         nth;
    other_t          o;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_filled(3);

    o.ledger = l;
    o.remove = 0;
    o.put = 2;
    o.times = 1;

    for (nth = 1; nth <= 6; nth++) {
        trove_fault_meet_arm("copy", nth, other_acts, &o);
        assert_int_equal(trove_ledger_row(l, 1, &r), TROVE_OK);
        assert_true(row_is_of(&r, 2));
        assert_true(r.x == 1000);

        row_of(&r, 2, 2);
        assert_int_equal(trove_ledger_put(l, &r, &(uint64_t) { 0 }), TROVE_OK);
    }

    ledger_free(l);
}


static void
a_row_that_changes_hands_is_not_another_s(void **state)
{
    other_t          o;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_filled(3);

    o.ledger = l;
    o.remove = 2;
    o.put = 7;
    o.times = 1;

    trove_fault_meet_arm("get", 1, other_acts, &o);
    assert_int_equal(trove_ledger_get(l, 2, &r), TROVE_NOTFOUND);
    assert_int_equal(trove_ledger_slot(l, 7), 1);

    o.remove = 7;

    trove_fault_meet_arm("get", 1, other_acts, &o);
    assert_int_equal(trove_ledger_get(l, 7, &r), TROVE_OK);
    assert_true(row_is_of(&r, 7));

    ledger_free(l);
}


static void
changes_overwritten_meanwhile_are_behind(void **state)
{
    uint32_t         n, slots[8];
    other_t          o;
    trove_ledger_t  *l;

    for (o.times = LOG - 6; o.times < LOG + 1; o.times++) {
        l = ledger_filled(6);

        o.ledger = l;
        o.remove = 0;
        o.put = 1;

        trove_fault_meet_arm("changes", 1, other_acts, &o);

        /* the write after these may overwrite before it is published */

        if (6 + o.times < LOG) {
            assert_int_equal(trove_ledger_changes(l, 0, slots, 8, &n),
                             TROVE_OK);
            assert_int_equal(n, 6);
            assert_int_equal(slots[0], 0);

        } else {
            assert_int_equal(trove_ledger_changes(l, 0, slots, 8, &n),
                             TROVE_BEHIND);
            assert_int_equal(n, 0);
        }

        ledger_free(l);
    }
}


/* A row knows the last 31 bits of its version: half of them can be after. */

static void
rows_written_long_after_are_told(void **state)
{
    trove_ledger_t  *l;

    l = ledger_filled(2);

    assert_false(trove_ledger_written(l, 0, 1));
    assert_true(trove_ledger_written(l, 1, 1));
    assert_true(trove_ledger_written(l, 1, 0));
    assert_false(trove_ledger_written(l, 1, 2));

    l->version = (uint64_t) 1 << 30;
    assert_false(trove_ledger_written(l, 1, 2));

    l->version = ((uint64_t) 1 << 30) + 2;
    assert_true(trove_ledger_written(l, 1, 2));

    ledger_free(l);
}


/* Many at once. */


#define WRITERS    4
#define PER        12         /* ids that belong to each of them             */
#define DEATHS     80
#define ROUNDS     3000       /* writes of a writer that is not killed       */


/*
 * What each writer last meant to store for an id of its own, and what it last
 * knew to be stored: the row's number, 0 for none.  Of the two it is one.
 */

typedef struct {
    _Atomic uint32_t  meant;
    _Atomic uint32_t  known;
} promise_t;


static promise_t  *promises;


static uint32_t
number_of(trove_ledger_t *l, uint32_t id)
{
    trove_reward_t  r;
    trove_rc_t      rc;

    do {
        rc = trove_ledger_get(l, id, &r);
    } while (rc == TROVE_BUSY);

    if (rc == TROVE_NOTFOUND) {
        return 0;
    }

    return row_is_of(&r, id) ? (uint32_t) r.x : UINT32_MAX;
}


/* Whether all that this writer was told is still true; settles the rest. */

static int
promises_kept(trove_ledger_t *l, uint32_t writer)
{
    uint32_t    i, id, n;
    promise_t  *p;

    for (i = 0; i < PER; i++) {
        id = 1 + writer + i * WRITERS;
        p = &promises[id];
        n = number_of(l, id);

        if (n != p->known && n != p->meant) {
            return 0;
        }

        p->known = n;
    }

    return 1;
}


static void
writer(trove_ledger_t *l, uint32_t who, uint64_t life)
{
    uint32_t        i, id, n;
    uint64_t        version;
    promise_t      *p;
    trove_rc_t      rc;
    trove_reward_t  r;

    if (trove_ledger_recover(l) != TROVE_OK) {
        _exit(0);
    }

    if (!promises_kept(l, who)) {
        _exit(1);
    }

    trove_fault_arm(NULL, life);

    for (i = 0; i < ROUNDS; i++) {
        id = 1 + who + random_below(PER) * WRITERS;
        p = &promises[id];
        n = (p->known != 0 && random_below(3) == 0)
            ? 0 : 1 + random_below(1000000);

        p->meant = n;

        if (n == 0) {
            rc = trove_ledger_remove(l, id, &version);

        } else {
            row_of(&r, id, n);
            rc = trove_ledger_put(l, &r, &version);
        }

        if (rc == TROVE_OK) {
            p->known = n;

        } else if (rc == TROVE_BUSY) {
            p->meant = p->known;

        } else {
            _exit(2);
        }

        if (number_of(l, id) != p->known) {
            _exit(3);
        }
    }

    _exit(0);
}


static pid_t
writer_start(trove_ledger_t *l, uint32_t who, uint64_t life)
{
    pid_t  pid;

    (void) random_bits();

    pid = fork_child();

    if (pid == 0) {
        random_seed ^= (uint64_t) (who + 1) << 40;
        writer(l, who, life);
    }

    return pid;
}


static void
processes_that_die_break_no_promise(void **state)
{
    int              status, deaths;
    pid_t            pid, pids[WRITERS];
    uint32_t         i, left;
    trove_ledger_t  *l;

    l = ledger_new(WRITERS * PER);

    promises = mmap(NULL, (WRITERS * PER + 1) * sizeof(promise_t),
                    PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(promises, MAP_FAILED);

    for (i = 0; i < WRITERS; i++) {
        pids[i] = writer_start(l, i, 1 + random_below(5000));
    }

    left = WRITERS;

    for (deaths = 0; left != 0; /* void */ ) {

        /* by the hand of another, at a point that is no store's */

        if (deaths < DEATHS && random_below(3) == 0) {
            (void) usleep(random_below(2000));
            pid = pids[random_below(WRITERS)];

            if (pid != 0) {
                (void) kill(pid, SIGKILL);
            }
        }

        pid = wait(&status);
        assert_true(pid > 0);

        for (i = 0; pids[i] != pid; i++) {
            assert_true(i < WRITERS - 1);
        }

        pids[i] = 0;
        left--;

        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
        }

        if (deaths < DEATHS) {
            deaths++;
            left++;
            pids[i] = writer_start(l, i, (deaths < DEATHS - WRITERS)
                                         ? 1 + random_below(5000) : 0);
        }
    }

    assert_int_equal(trove_ledger_recover(l), TROVE_OK);
    assert_true(trove_ledger_sane(l));

    for (i = 0; i < WRITERS; i++) {
        assert_true(promises_kept(l, i));
    }

    (void) munmap(promises, (WRITERS * PER + 1) * sizeof(promise_t));
    ledger_free(l);
}


/*
 * Threads: some ids stay for ever, others come and go around them, and every
 * row that is read is of one number.  The main thread alone may assert.
 */


#define STAY     20
#define COME     28
#define WRITES   20000


typedef struct {
    trove_ledger_t   *ledger;
    uint32_t          who;
    uint64_t          seed;
    _Atomic int      *writing;
    _Atomic int      *errors;
} thread_t;


static uint32_t
thread_random(thread_t *t, uint32_t n)
{
    t->seed = t->seed * 6364136223846793005ULL + 1442695040888963407ULL;

    return (uint32_t) ((t->seed >> 33) % n);
}


static void *
thread_write(void *data)
{
    uint32_t        i, id;
    uint64_t        version, last;
    thread_t       *t;
    trove_rc_t      rc;
    trove_reward_t  r;

    t = data;
    last = 0;

    for (i = 0; i < WRITES; i++) {
        id = 1 + thread_random(t, STAY + COME);

        if (id > STAY && thread_random(t, 2)) {
            rc = trove_ledger_remove(t->ledger, id, &version);

        } else {
            row_of(&r, id, thread_random(t, 1000000));
            rc = trove_ledger_put(t->ledger, &r, &version);
        }

        if (rc == TROVE_OK) {
            *t->errors += (version <= last);
            last = version;

        } else {
            *t->errors += (rc != TROVE_NOTFOUND && rc != TROVE_BUSY);
        }
    }

    (*t->writing)--;

    return NULL;
}


static void *
thread_read(void *data)
{
    uint32_t        id, n, slots[64];
    uint64_t        version, last;
    thread_t       *t;
    trove_rc_t      rc;
    trove_reward_t  r;

    t = data;
    last = 0;

    while (*t->writing != 0) {
        id = 1 + thread_random(t, STAY + COME);

        rc = trove_ledger_get(t->ledger, id, &r);

        *t->errors += (id <= STAY && rc != TROVE_OK && rc != TROVE_BUSY);
        *t->errors += (rc == TROVE_OK && !row_is_of(&r, id));

        rc = trove_ledger_row(t->ledger, id - 1, &r);

        *t->errors += (rc == TROVE_OK && !row_is_of(&r, r.id));

        version = trove_ledger_version(t->ledger);
        *t->errors += (version < last);

        rc = trove_ledger_changes(t->ledger, last, slots, 64, &n);

        if (rc != TROVE_OK) {
            version = trove_ledger_version(t->ledger);
            *t->errors += (rc != TROVE_BEHIND || version - last < LOG);
            last = version;
            continue;
        }

        last += n;

        while (n != 0) {
            *t->errors += (slots[--n] >= trove_ledger_slots(t->ledger));
        }
    }

    return NULL;
}


static void
threads_read_whole_rows_while_others_write(void **state)
{
    uint32_t         i;
    uint64_t         version;
    thread_t         t[4];
    pthread_t        ids[4];
    _Atomic int      writing, errors;
    trove_ledger_t  *l;
    trove_reward_t   r;

    l = ledger_new(STAY + COME);

    for (i = 1; i <= STAY; i++) {
        row_of(&r, i, i);
        assert_int_equal(trove_ledger_put(l, &r, &version), TROVE_OK);
    }

    errors = 0;
    writing = 2;

    for (i = 0; i < 4; i++) {
        t[i].ledger = l;
        t[i].who = i;
        t[i].seed = random_bits();
        t[i].writing = &writing;
        t[i].errors = &errors;

        assert_int_equal(pthread_create(&ids[i], NULL,
                                        (i < 2) ? thread_write : thread_read,
                                        &t[i]),
                         0);
    }

    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    }

    assert_int_equal(errors, 0);
    assert_true(trove_ledger_sane(l));

    ledger_free(l);
}


static int
setup(void **state)
{
    (void) random_setup(state);

    said = mmap(NULL, sizeof(trove_process_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return (said == MAP_FAILED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(faults_are_read_from_the_environment),
        cmocka_unit_test(an_empty_ledger_is_empty),
        cmocka_unit_test(id_zero_is_no_reward),
        cmocka_unit_test(zeros_have_no_sign),
        cmocka_unit_test(a_reward_takes_64_bytes_at_most),
        cmocka_unit_test(what_is_no_ledger_of_this_layout_is_refused),
        cmocka_unit_test(it_agrees_with_a_model),
        cmocka_unit_test(any_ids_find_their_rows),
        cmocka_unit_test(the_log_reaches_back_so_far),
        cmocka_unit_test(death_at_any_point_is_before_or_after),
        cmocka_unit_test(a_live_owner_is_waited_for_and_not_robbed),
        cmocka_unit_test(an_intent_that_leads_astray_is_not_followed),
        cmocka_unit_test(a_search_misses_nothing_that_moves),
        cmocka_unit_test(a_row_is_copied_whole),
        cmocka_unit_test(a_row_that_changes_hands_is_not_another_s),
        cmocka_unit_test(changes_overwritten_meanwhile_are_behind),
        cmocka_unit_test(rows_written_long_after_are_told),
        cmocka_unit_test(processes_that_die_break_no_promise),
        cmocka_unit_test(threads_read_whole_rows_while_others_write),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
