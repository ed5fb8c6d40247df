/*
 * Statistics: the lists as tables, the region and its slots, the sum.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trove_fault.h"
#include "trove_fields.h"
#include "trove_memory.h"
#include "trove_stats.h"


#define TROVE_STATS_FNV_BASIS  0xcbf29ce484222325
#define TROVE_STATS_FNV_PRIME  0x100000001b3

#define TROVE_STATS_OTHER      "(other)"  /* the name of no coin              */


typedef struct {
    uint32_t                  len;
    unsigned char             data[TROVE_COIN_NAME_MAX];
} trove_stats_name_t;


typedef struct {
    _Atomic uint64_t          layout;     /* stored last, 0: none yet         */
    uint64_t                  started;    /* unix seconds                     */
    _Atomic uint32_t          used;
    _Atomic trove_process_t   owners[TROVE_STATS_SLOTS];
    _Atomic uint32_t          ncoins;     /* names below it are there         */
    trove_stats_name_t        coins[TROVE_STATS_COINS + 1];
    trove_stats_t             slots[TROVE_STATS_SLOTS + 1];
} trove_stats_region_t;


static uint64_t trove_stats_layout(void);
static trove_stats_t *trove_stats_slot(trove_stats_region_t *region,
    uint64_t *deaths);
static uint64_t trove_stats_bury(trove_stats_region_t *region);
static trove_stats_t *trove_stats_take(trove_stats_region_t *region,
    uint32_t index);
static void trove_stats_use(trove_stats_region_t *region, uint32_t index);
static void trove_stats_reset_gauges(trove_stats_t *s);
static void trove_stats_sum_counters(trove_stats_figures_t *sum,
    const trove_stats_figures_t *figures);
static void trove_stats_sum_endpoint(trove_stats_endpoint_t *sum,
    const trove_stats_endpoint_t *endpoint);
static void trove_stats_sum_exemplars(trove_stats_total_t *total,
    const trove_stats_exemplars_t *exemplars);
static void trove_stats_sum_gauges(trove_stats_total_t *total,
    const trove_stats_figures_t *figures);
static void trove_stats_worker(trove_stats_total_t *total,
    const trove_stats_figures_t *figures, const trove_stats_process_t *p);
static void trove_stats_look(trove_stats_seen_t *seen,
    trove_process_t process, trove_stats_process_t *p);
static uint64_t trove_stats_resident(trove_process_t process);


#define TROVE_STATS_ROW(KIND, field, family, labels, help)                   \
    { TROVE_STATS_##KIND, #field, family, labels, help,                      \
      offsetof(trove_stats_figures_t, field),                                \
      TROVE_STATS_WORKER_##KIND(field) },

#define TROVE_STATS_WORKER_COUNTER(field)  0
#define TROVE_STATS_WORKER_SUM(field)      0
#define TROVE_STATS_WORKER_LEAST(field)    0
#define TROVE_STATS_WORKER_TROVE(field)    0
#define TROVE_STATS_WORKER_SPAN(field)     0
#define TROVE_STATS_WORKER_PROCESS(field)                                    \
    offsetof(trove_stats_worker_t, field)

#define TROVE_STATS_ENDPOINT_ROW(field, family, labels, help)                \
    { TROVE_STATS_COUNTER, #field, family, labels, help,                     \
      offsetof(trove_stats_endpoint_t, field), 0 },

#define TROVE_STATS_HISTOGRAM_ROW(field, family, help)                       \
    { TROVE_STATS_COUNTER, #field, family, "", help,                         \
      offsetof(trove_stats_figures_t, field), 0 },

#define TROVE_STATS_ENDPOINT_NAME(NAME, name)  #name,
#define TROVE_STATS_CODE_NAME(code)            #code,

#define TROVE_STATS_CODE_INDEX(code)           [code] = TROVE_CODE_##code,

#define TROVE_STATS_KEY(KIND, field, family, labels, help)  #KIND #field " "
#define TROVE_STATS_ENDPOINT_KEY(field, family, labels, help)  #field " "
#define TROVE_STATS_HISTOGRAM_KEY(field, family, help)      #field " "
#define TROVE_STATS_CODE_KEY(code)                          #code " "
#define TROVE_STATS_NAME_KEY(NAME, name)                    #name " "


const trove_stats_entry_t  trove_stats_list[TROVE_STATS_FIGURES] = {
    TROVE_STATS_LIST(TROVE_STATS_ROW)
};


const trove_stats_entry_t
trove_stats_endpoint_list[TROVE_STATS_ENDPOINT_FIGURES] = {
    TROVE_STATS_ENDPOINT_LIST(TROVE_STATS_ENDPOINT_ROW)
};


const trove_stats_entry_t
trove_stats_histogram_list[TROVE_STATS_HISTOGRAMS] = {
    TROVE_STATS_HISTOGRAM_LIST(TROVE_STATS_HISTOGRAM_ROW)
};


const char *const  trove_stats_endpoints[TROVE_ENDPOINTS] = {
    TROVE_STATS_ENDPOINTS(TROVE_STATS_ENDPOINT_NAME)
};


const char *const  trove_stats_code_names[TROVE_CODES] = {
    "other",
    TROVE_STATS_CODES(TROVE_STATS_CODE_NAME)
};


const uint8_t  trove_stats_codes[600] = {
    TROVE_STATS_CODES(TROVE_STATS_CODE_INDEX)
};


/* What the layout depends on: a new line in a list makes another one. */

static const char  trove_stats_key[] =
    TROVE_STATS_LIST(TROVE_STATS_KEY) "/ "
    TROVE_STATS_ENDPOINT_LIST(TROVE_STATS_ENDPOINT_KEY) "/ "
    TROVE_STATS_HISTOGRAM_LIST(TROVE_STATS_HISTOGRAM_KEY) "/ "
    TROVE_STATS_CODES(TROVE_STATS_CODE_KEY) "/ "
    TROVE_STATS_ENDPOINTS(TROVE_STATS_NAME_KEY);


size_t
trove_stats_size(void)
{
    return sizeof(trove_stats_region_t);
}


void
trove_stats_init(void *mem)
{
    trove_stats_region_t  *region = mem;

    region->started = time(NULL);

    region->slots[TROVE_STATS_SLOTS].index = TROVE_STATS_SLOTS;
    region->slots[TROVE_STATS_SLOTS].shared = 1;

    atomic_store_explicit(&region->layout, trove_stats_layout(),
                          memory_order_release);
}


trove_rc_t
trove_stats_attach(const void *mem)
{
    const trove_stats_region_t  *region = mem;

    if (atomic_load_explicit(&region->layout, memory_order_acquire)
        != trove_stats_layout())
    {
        return TROVE_MISMATCH;
    }

    return TROVE_OK;
}


static uint64_t
trove_stats_layout(void)
{
    size_t    i;
    uint64_t  hash;

    hash = TROVE_STATS_FNV_BASIS ^ sizeof(trove_stats_region_t);

    for (i = 0; i < sizeof(trove_stats_key); i++) {
        hash = (hash ^ (unsigned char) trove_stats_key[i])
               * TROVE_STATS_FNV_PRIME;
    }

    return hash | 1;
}


uint32_t
trove_stats_coin(void *mem, const trove_slice_t *name)
{
    uint32_t               i, n;
    trove_slice_t          other;
    trove_stats_region_t  *region = mem;

    n = atomic_load_explicit(&region->ncoins, memory_order_relaxed);

    for (i = 0; i < n && i < TROVE_STATS_COINS; i++) {
        if (region->coins[i].len == name->len
            && memcmp(region->coins[i].data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    if (i == TROVE_STATS_COINS) {
        other.data = (const unsigned char *) TROVE_STATS_OTHER;
        other.len = sizeof(TROVE_STATS_OTHER) - 1;
        name = &other;
    }

    region->coins[i].len = name->len;
    memcpy(region->coins[i].data, name->data, name->len);

    atomic_store_explicit(&region->ncoins, i + 1, memory_order_release);

    return i;
}


trove_stats_t *
trove_stats_claim(void *mem)
{
    uint64_t               deaths;
    trove_stats_t         *s;
    trove_stats_region_t  *region = mem;

    deaths = 0;

    s = trove_stats_slot(region, &deaths);

    if (s == NULL) {
        s = &region->slots[TROVE_STATS_SLOTS];

        trove_stats_use(region, TROVE_STATS_SLOTS);
        trove_stats_add(s, slots_exhausted, 1);
    }

    trove_stats_add(s, worker_deaths, deaths + trove_stats_bury(region));

    return s;
}


/* The first one that is to be had, or NULL. */

static trove_stats_t *
trove_stats_slot(trove_stats_region_t *region, uint64_t *deaths)
{
    uint32_t         i;
    trove_process_t  owner;

    for (i = 0; i < TROVE_STATS_SLOTS; i++) {
        owner = atomic_load_explicit(&region->owners[i], memory_order_acquire);

        while (owner == 0 || !trove_process_alive(owner)) {

            if (atomic_compare_exchange_weak(&region->owners[i], &owner,
                                             trove_process_self()))
            {
                *deaths += (owner != 0);
                return trove_stats_take(region, i);
            }
        }
    }

    return NULL;
}


/* Frees the slots of those who died, and returns how many there were. */

static uint64_t
trove_stats_bury(trove_stats_region_t *region)
{
    uint32_t         i;
    uint64_t         deaths;
    trove_process_t  owner;

    deaths = 0;

    for (i = 0; i < TROVE_STATS_SLOTS; i++) {
        owner = atomic_load_explicit(&region->owners[i], memory_order_acquire);

        if (owner && !trove_process_alive(owner)) {
            deaths += atomic_compare_exchange_strong(&region->owners[i],
                                                     &owner, 0);
        }
    }

    return deaths;
}


static trove_stats_t *
trove_stats_take(trove_stats_region_t *region, uint32_t index)
{
    trove_stats_t  *s;

    s = &region->slots[index];

    /* if there is no memory for it now, it is got page by page later */

    (void) trove_memory_populate(s, sizeof(trove_stats_t));

    s->index = index;

    TROVE_FAULT("stats claim");

    trove_stats_reset_gauges(s);

    TROVE_FAULT("stats claim");

    trove_stats_use(region, index);

    TROVE_FAULT("stats claim");

    return s;
}


/* Sums read the slot from now on. */

static void
trove_stats_use(trove_stats_region_t *region, uint32_t index)
{
    uint32_t  used;

    used = atomic_load(&region->used);

    while (used <= index
           && !atomic_compare_exchange_weak(&region->used, &used, index + 1))
    {
        /* void */
    }
}


void
trove_stats_release(trove_stats_t *s)
{
    trove_stats_region_t  *region;

    if (s->shared) {
        return;
    }

    TROVE_FAULT("stats release");

    trove_stats_reset_gauges(s);

    TROVE_FAULT("stats release");

    region = (trove_stats_region_t *)
                 ((char *) (s - s->index)
                  - offsetof(trove_stats_region_t, slots));

    atomic_store_explicit(&region->owners[s->index], 0, memory_order_release);
}


static void
trove_stats_reset_gauges(trove_stats_t *s)
{
    uint32_t                    i;
    const trove_stats_entry_t  *entry;

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];

        if (entry->kind != TROVE_STATS_COUNTER) {
            trove_stat_set(trove_stats_at(&s->figures, entry), 0);
        }
    }
}


void
trove_stats_sum(const void *mem, trove_stats_seen_t *seen,
    trove_stats_total_t *total)
{
    uint32_t                     i, used;
    trove_process_t              owner;
    trove_stats_process_t        p;
    const trove_stats_figures_t *figures;
    const trove_stats_region_t  *region = mem;

    memset(total, 0, sizeof(trove_stats_total_t));

    used = atomic_load_explicit(&region->used, memory_order_acquire);

    for (i = 0; i < used; i++) {
        figures = &region->slots[i].figures;

        trove_stats_sum_counters(&total->sum, figures);
        trove_stats_sum_exemplars(total, region->slots[i].exemplars);

        if (i == TROVE_STATS_SLOTS) {
            break;
        }

        owner = atomic_load_explicit(&region->owners[i], memory_order_acquire);

        if (owner == 0) {
            continue;
        }

        trove_stats_look(seen, owner, &p);

        if (p.alive) {
            trove_stats_sum_gauges(total, figures);
            trove_stats_worker(total, figures, &p);
        }
    }

    total->ncoins = atomic_load_explicit(&region->ncoins,
                                         memory_order_acquire);

    for (i = 0; i < total->ncoins; i++) {
        total->coins[i].data = region->coins[i].data;
        total->coins[i].len = region->coins[i].len;
    }

    trove_stat_set(&total->sum.workers_alive, total->nworkers);
    trove_stat_set(&total->sum.started, region->started);
}


static void
trove_stats_sum_counters(trove_stats_figures_t *sum,
    const trove_stats_figures_t *figures)
{
    uint32_t                    i;
    const trove_stats_entry_t  *entry;

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];

        if (entry->kind == TROVE_STATS_COUNTER) {
            trove_stat_add(trove_stats_at(sum, entry),
                           trove_stats_value(figures, entry));
        }
    }

    for (i = 0; i < TROVE_ENDPOINTS; i++) {
        trove_stats_sum_endpoint(&sum->endpoints[i], &figures->endpoints[i]);
    }

    for (i = 0; i < TROVE_STATS_HISTOGRAMS; i++) {
        entry = &trove_stats_histogram_list[i];

        trove_histogram_add((void *) trove_stats_at(sum, entry),
                            trove_stats_histogram(figures, entry));
    }

    for (i = 0; i <= TROVE_STATS_COINS; i++) {
        trove_stat_add(&sum->coins[i], trove_stat_get(&figures->coins[i]));
    }
}


static void
trove_stats_sum_endpoint(trove_stats_endpoint_t *sum,
    const trove_stats_endpoint_t *endpoint)
{
    uint32_t                    i;
    const trove_stats_entry_t  *entry;

    for (i = 0; i < TROVE_CODES; i++) {
        trove_stat_add(&sum->requests[i],
                       trove_stat_get(&endpoint->requests[i]));
    }

    for (i = 0; i < TROVE_STATS_ENDPOINT_FIGURES; i++) {
        entry = &trove_stats_endpoint_list[i];

        trove_stat_add(trove_stats_at(sum, entry),
                       trove_stats_value(endpoint, entry));
    }

    trove_histogram_add(&sum->duration, &endpoint->duration);
}


static void
trove_stats_sum_exemplars(trove_stats_total_t *total,
    const trove_stats_exemplars_t *exemplars)
{
    uint32_t  i, k;

    for (i = 0; i < TROVE_ENDPOINTS; i++) {
        for (k = 0; k <= TROVE_HISTOGRAM_NBOUNDS; k++) {
            trove_exemplar_newest(&total->exemplars[i].of[k],
                                  &exemplars[i].of[k]);
        }
    }
}


static void
trove_stats_sum_gauges(trove_stats_total_t *total,
    const trove_stats_figures_t *figures)
{
    uint32_t                    i;
    uint64_t                    value;
    trove_stat_t               *sum;
    const trove_stats_entry_t  *entry;

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];
        value = trove_stats_value(figures, entry);
        sum = trove_stats_at(&total->sum, entry);

        if (entry->kind == TROVE_STATS_SUM) {
            trove_stat_add(sum, value);
        }

        if (entry->kind == TROVE_STATS_LEAST
            && (total->nworkers == 0 || value < trove_stat_get(sum)))
        {
            trove_stat_set(sum, value);
        }
    }
}


static void
trove_stats_worker(trove_stats_total_t *total,
    const trove_stats_figures_t *figures, const trove_stats_process_t *p)
{
    uint32_t                    i;
    trove_stats_worker_t       *worker;
    const trove_stats_entry_t  *entry;

    worker = &total->workers[total->nworkers++];
    worker->process = p->process;

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];

        if (entry->kind == TROVE_STATS_PROCESS) {
            trove_stat_set((trove_stat_t *) ((char *) worker + entry->worker),
                           trove_stats_value(figures, entry));
        }
    }

    trove_stat_set(&worker->resident, p->resident);
}


static void
trove_stats_look(trove_stats_seen_t *seen, trove_process_t process,
    trove_stats_process_t *p)
{
    uint32_t  i;

    for (i = 0; seen && i < seen->n; i++) {
        if (seen->of[i].process == process) {
            *p = seen->of[i];
            return;
        }
    }

    p->process = process;
    p->alive = trove_process_alive(process);
    p->resident = p->alive ? trove_stats_resident(process) : 0;

    if (seen && seen->n < TROVE_STATS_SLOTS) {
        seen->of[seen->n++] = *p;
    }
}


/* In bytes, from /proc/PID/statm; 0 if it cannot be read. */

static uint64_t
trove_stats_resident(trove_process_t process)
{
    int                 fd;
    char                path[32], buf[128];
    ssize_t             n;
    unsigned long long  pages;

    (void) snprintf(path, sizeof(path), "/proc/%u/statm",
                    (unsigned) (process >> 32));

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    do {
        n = read(fd, buf, sizeof(buf) - 1);
    } while (n == -1 && errno == EINTR);

    (void) close(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';

    if (sscanf(buf, "%*s %llu", &pages) != 1) {
        return 0;
    }

    return (uint64_t) pages * (uint64_t) sysconf(_SC_PAGESIZE);
}


/*
 * JSON and Prometheus have the same escapes for a quote, a backslash and the
 * end of a line; other control characters Prometheus takes as they are.
 */

void
trove_stats_escape(trove_writer_t *w, const unsigned char *s, size_t len,
    int json)
{
    const unsigned char  *p, *bad, *last;

    static const char  hex[] = "0123456789abcdef";

    last = s + len;
    bad = trove_fields_utf8(s, last);

    for (p = s; p < last; p++) {

        if (p == bad) {
            trove_write_lit(w, "\\\\x");
            trove_write(w, &hex[*p >> 4], 1);
            trove_write(w, &hex[*p & 15], 1);

            bad = trove_fields_utf8(p + 1, last);

        } else if (*p == '"' || *p == '\\') {
            trove_write_lit(w, "\\");
            trove_write(w, p, 1);

        } else if (*p == '\n') {
            trove_write_lit(w, "\\n");

        } else if (*p < 0x20 && json) {
            trove_write_lit(w, "\\u00");
            trove_write(w, &hex[*p >> 4], 1);
            trove_write(w, &hex[*p & 15], 1);

        } else {
            trove_write(w, p, 1);
        }
    }
}


void
trove_stats_seconds(trove_writer_t *w, uint64_t ns)
{
    trove_write_fixed(w, (double) ns / 1e9, 9);
}
