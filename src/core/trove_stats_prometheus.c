/*
 * Statistics as the text that Prometheus reads, and as the README's table.
 */

#include <string.h>

#include "trove_stats.h"


#define TROVE_STATS_SIMD          "trove_simd_info"
#define TROVE_STATS_SIMD_HELP     "The kernels that the trove's polls use."
#define TROVE_STATS_BUILD         "trove_build_info"
#define TROVE_STATS_BUILD_HELP    "What is running."
#define TROVE_STATS_ALLOC         "trove_allocator_info"
#define TROVE_STATS_ALLOC_HELP    "The allocator it was built with."

#define TROVE_STATS_HELP          256     /* bytes of a line of two, most    */
#define TROVE_STATS_LINE          160     /* of another, names of troves not */
#define TROVE_STATS_BOARD_NAME    64
#define TROVE_STATS_QUEUE_NAME    70
#define TROVE_STATS_ESCAPED       6       /* bytes of an escaped one, most   */
#define TROVE_STATS_BUCKET        33      /* bytes of a bucket in the JSON   */


typedef struct {
    trove_writer_t             *w;
    const trove_stats_trove_t  *troves;
    uint32_t                    n;
    int                         openmetrics;
    int                         labels;       /* the series has some already */
} trove_stats_text_t;


/* A family of figures of boards. */

typedef struct {
    const char                 *name;
    const char                 *type;
    const char                 *help;
    size_t                      offset;       /* of trove_stats_board_t       */
} trove_stats_family_t;


static void trove_stats_text_info(trove_stats_text_t *t,
    const trove_stats_info_t *info);
static void trove_stats_text_simd(trove_stats_text_t *t);
static void trove_stats_text_requests(trove_stats_text_t *t);
static void trove_stats_text_endpoints(trove_stats_text_t *t,
    const trove_stats_entry_t *first, uint32_t n);
static void trove_stats_text_durations(trove_stats_text_t *t);
static void trove_stats_text_figures(trove_stats_text_t *t,
    const trove_stats_entry_t *first, uint32_t n);
static void trove_stats_text_coins(trove_stats_text_t *t);
static void trove_stats_text_boards(trove_stats_text_t *t,
    const trove_stats_family_t *family);
static void trove_stats_text_queues(trove_stats_text_t *t);
static void trove_stats_text_workers(trove_stats_text_t *t,
    const trove_stats_entry_t *entry);
static int trove_stats_text_shown(trove_stats_text_t *t, uint32_t trove,
    trove_process_t process);
static void trove_stats_text_histogram(trove_stats_text_t *t, uint32_t trove,
    const char *family, const char *endpoint, const trove_histogram_t *h,
    const trove_stats_exemplars_t *exemplars);
static uint32_t trove_stats_text_group(const trove_stats_entry_t *first,
    const trove_stats_entry_t *end);
static void trove_stats_text_family(trove_stats_text_t *t, const char *family,
    const char *type, const char *help);
static void trove_stats_text_unit(trove_stats_text_t *t, const char *family,
    size_t len);
static size_t trove_stats_text_base(const char *family, const char *type);
static void trove_stats_text_open(trove_stats_text_t *t, uint32_t trove,
    const char *family, const char *suffix);
static void trove_stats_text_series(trove_stats_text_t *t,
    const char *family, const char *suffix);
static void trove_stats_text_label(trove_stats_text_t *t, const char *name,
    const char *value);
static void trove_stats_text_raw(trove_stats_text_t *t, const char *labels);
static void trove_stats_text_comma(trove_stats_text_t *t);
static void trove_stats_text_value(trove_stats_text_t *t, uint64_t value);
static void trove_stats_text_span(trove_stats_text_t *t, uint64_t ns);
static const char *trove_stats_text_type(const trove_stats_entry_t *entry);
static void trove_stats_table_row(trove_writer_t *w, const char *family,
    const char *type, const char *labels, const char *help);
static void trove_stats_table_figures(trove_writer_t *w,
    const trove_stats_entry_t *entry, const trove_stats_entry_t *end,
    const char *labels);


static const trove_stats_family_t  trove_stats_board_families[] = {

    { TROVE_STATS_BOARD_ROWS, "gauge", TROVE_STATS_BOARD_ROWS_HELP,
      offsetof(trove_stats_board_t, rows) },

    { TROVE_STATS_BOARD_ROOM, "gauge", TROVE_STATS_BOARD_ROOM_HELP,
      offsetof(trove_stats_board_t, capacity) },

    { TROVE_STATS_REBUILDS, "counter", TROVE_STATS_REBUILDS_HELP,
      offsetof(trove_stats_board_t, rebuilds) }
};


#define TROVE_STATS_BOARD_FAMILIES                                           \
    (sizeof(trove_stats_board_families) / sizeof(trove_stats_family_t))


/* "# HELP", "# TYPE" and "# UNIT"; "trove", "endpoint", "le" and a number */

#define TROVE_STATS_FITS(family, labels, help)                               \
    _Static_assert(sizeof(family) * 3 + sizeof(help)                         \
                   < 2 * TROVE_STATS_HELP - 60, "TROVE_STATS_HELP");         \
    _Static_assert(sizeof(family) + sizeof(labels) < TROVE_STATS_LINE - 90,  \
                   "TROVE_STATS_LINE");

#define TROVE_STATS_FIGURE_FITS(KIND, field, family, labels, help)           \
    TROVE_STATS_FITS(family, labels, help)
#define TROVE_STATS_STAT_FITS(field, family, labels, help)                   \
    TROVE_STATS_FITS(family, labels, help)
#define TROVE_STATS_HIST_FITS(field, family, help)                           \
    TROVE_STATS_FITS(family, "", help)

TROVE_STATS_LIST(TROVE_STATS_FIGURE_FITS)
TROVE_STATS_ENDPOINT_LIST(TROVE_STATS_STAT_FITS)
TROVE_STATS_HISTOGRAM_LIST(TROVE_STATS_HIST_FITS)
TROVE_STATS_FITS(TROVE_STATS_BOARD_ROOM, "", TROVE_STATS_BOARD_ROOM_HELP)
TROVE_STATS_FITS(TROVE_STATS_REBUILDS, "", TROVE_STATS_REBUILDS_HELP)
TROVE_STATS_FITS(TROVE_STATS_OLDEST, "", TROVE_STATS_OLDEST_HELP)


size_t
trove_stats_text_max(const trove_stats_info_t *info,
    const trove_stats_trove_t *troves, uint32_t n)
{
    size_t    size, series, processes;
    uint32_t  i;

    processes = 0;

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        processes += (trove_stats_list[i].kind == TROVE_STATS_PROCESS);
    }

    /* of each family some lines about it */

    size = strlen(info->version) + strlen(info->nginx) + strlen(info->simd)
           + strlen(info->allocator) + strlen(info->allocator_version);

    size = size * TROVE_STATS_ESCAPED
           + 2 * TROVE_STATS_HELP
             * (TROVE_STATS_FIGURES + TROVE_STATS_ENDPOINT_FIGURES
                + TROVE_STATS_HISTOGRAMS + TROVE_STATS_BOARD_FAMILIES + 8)
           + 3 * TROVE_STATS_LINE;

    /* a histogram has its bounds, infinity, sum and count */

    series = TROVE_STATS_FIGURES + 1 + TROVE_STATS_COINS + 1
             + TROVE_ENDPOINTS * (TROVE_CODES + TROVE_STATS_ENDPOINT_FIGURES)
             + (TROVE_ENDPOINTS + TROVE_STATS_HISTOGRAMS)
               * (TROVE_HISTOGRAM_NBOUNDS + 3);

    for (i = 0; i < n; i++) {
        size += series * (TROVE_STATS_LINE
                          + troves[i].name.len * TROVE_STATS_ESCAPED)
                + strlen(troves[i].simd) * TROVE_STATS_ESCAPED
                + TROVE_ENDPOINTS * (TROVE_HISTOGRAM_NBOUNDS + 1)
                  * TROVE_EXEMPLAR_TEXT
                + (TROVE_ENDPOINTS + TROVE_STATS_HISTOGRAMS)
                  * TROVE_HISTOGRAM_BUCKETS * TROVE_STATS_BUCKET;

        size += troves[i].nboards * TROVE_STATS_BOARD_FAMILIES
                * (TROVE_STATS_LINE + TROVE_STATS_BOARD_NAME
                   + troves[i].name.len * TROVE_STATS_ESCAPED);

        size += troves[i].nqueues * 2
                * (TROVE_STATS_LINE + TROVE_STATS_QUEUE_NAME
                   + troves[i].name.len * TROVE_STATS_ESCAPED);

        size += troves[i].total->nworkers * processes * TROVE_STATS_LINE
                + troves[i].total->ncoins * TROVE_COIN_NAME_MAX
                  * TROVE_STATS_ESCAPED;
    }

    return size;
}


void
trove_stats_prometheus(trove_writer_t *w, const trove_stats_info_t *info,
    const trove_stats_trove_t *troves, uint32_t n,
    trove_stats_format_t format)
{
    uint32_t                    i, group;
    trove_stats_text_t          t;
    const trove_stats_entry_t  *entry, *end;

    t.w = w;
    t.troves = troves;
    t.n = n;
    t.openmetrics = (format == TROVE_STATS_OPENMETRICS);
    t.labels = 0;

    trove_stats_text_info(&t, info);
    trove_stats_text_simd(&t);
    trove_stats_text_requests(&t);

    end = trove_stats_endpoint_list + TROVE_STATS_ENDPOINT_FIGURES;

    for (entry = trove_stats_endpoint_list; entry < end; entry += group) {
        group = trove_stats_text_group(entry, end);
        trove_stats_text_endpoints(&t, entry, group);
    }

    trove_stats_text_durations(&t);

    end = trove_stats_list + TROVE_STATS_FIGURES;

    for (entry = trove_stats_list; entry < end; entry += group) {
        group = trove_stats_text_group(entry, end);

        if (entry->kind == TROVE_STATS_PROCESS) {
            trove_stats_text_workers(&t, entry);

        } else {
            trove_stats_text_figures(&t, entry, group);
        }
    }

    trove_stats_text_coins(&t);

    for (i = 0; i < TROVE_STATS_BOARD_FAMILIES; i++) {
        trove_stats_text_boards(&t, &trove_stats_board_families[i]);
    }

    trove_stats_text_queues(&t);

    if (t.openmetrics) {
        trove_write_lit(w, "# EOF\n");
    }
}


static void
trove_stats_text_info(trove_stats_text_t *t, const trove_stats_info_t *info)
{
    trove_stats_text_family(t, TROVE_STATS_BUILD, "info",
                            TROVE_STATS_BUILD_HELP);
    trove_stats_text_series(t, TROVE_STATS_BUILD, "");
    trove_stats_text_label(t, "version", info->version);
    trove_stats_text_label(t, "nginx", info->nginx);
    trove_stats_text_label(t, "simd", info->simd);
    trove_stats_text_value(t, 1);

    trove_stats_text_family(t, TROVE_STATS_ALLOC, "info",
                            TROVE_STATS_ALLOC_HELP);
    trove_stats_text_series(t, TROVE_STATS_ALLOC, "");
    trove_stats_text_label(t, "name", info->allocator);
    trove_stats_text_label(t, "version", info->allocator_version);
    trove_stats_text_value(t, 1);
}


static void
trove_stats_text_simd(trove_stats_text_t *t)
{
    uint32_t  i;

    trove_stats_text_family(t, TROVE_STATS_SIMD, "info",
                            TROVE_STATS_SIMD_HELP);

    for (i = 0; i < t->n; i++) {
        trove_stats_text_open(t, i, TROVE_STATS_SIMD, "");
        trove_stats_text_label(t, "simd", t->troves[i].simd);
        trove_stats_text_value(t, 1);
    }
}


static void
trove_stats_text_requests(trove_stats_text_t *t)
{
    uint32_t                       i, e, code;
    const trove_stats_endpoint_t  *endpoint;

    trove_stats_text_family(t, TROVE_STATS_REQUESTS, "counter",
                            TROVE_STATS_REQUESTS_HELP);

    for (i = 0; i < t->n; i++) {
        for (e = 0; e < TROVE_ENDPOINTS; e++) {
            endpoint = &t->troves[i].total->sum.endpoints[e];

            for (code = 0; code < TROVE_CODES; code++) {
                trove_stats_text_open(t, i, TROVE_STATS_REQUESTS, "");
                trove_stats_text_label(t, "endpoint",
                                       trove_stats_endpoints[e]);
                trove_stats_text_label(t, "code",
                                       trove_stats_code_names[code]);
                trove_stats_text_value(t,
                                     trove_stat_get(&endpoint->requests[code]));
            }
        }
    }
}


/* A family of n entries, of each endpoint. */

static void
trove_stats_text_endpoints(trove_stats_text_t *t,
    const trove_stats_entry_t *first, uint32_t n)
{
    uint32_t                       i, e, k;
    const trove_stats_endpoint_t  *endpoint;

    trove_stats_text_family(t, first->family, trove_stats_text_type(first),
                            first->help);

    for (i = 0; i < t->n; i++) {
        for (e = 0; e < TROVE_ENDPOINTS; e++) {
            endpoint = &t->troves[i].total->sum.endpoints[e];

            for (k = 0; k < n; k++) {
                trove_stats_text_open(t, i, first->family, "");
                trove_stats_text_label(t, "endpoint",
                                       trove_stats_endpoints[e]);
                trove_stats_text_raw(t, first[k].labels);
                trove_stats_text_value(t,
                                       trove_stats_value(endpoint, &first[k]));
            }
        }
    }
}


static void
trove_stats_text_durations(trove_stats_text_t *t)
{
    uint32_t                      i, e, k;
    const trove_stats_entry_t    *entry;
    const trove_stats_total_t    *total;
    const trove_stats_figures_t  *sum;

    trove_stats_text_family(t, TROVE_STATS_DURATION, "histogram",
                            TROVE_STATS_DURATION_HELP);

    for (i = 0; i < t->n; i++) {
        total = t->troves[i].total;

        for (e = 0; e < TROVE_ENDPOINTS; e++) {
            trove_stats_text_histogram(t, i, TROVE_STATS_DURATION,
                                       trove_stats_endpoints[e],
                                       &total->sum.endpoints[e].duration,
                                       &total->exemplars[e]);
        }
    }

    for (k = 0; k < TROVE_STATS_HISTOGRAMS; k++) {
        entry = &trove_stats_histogram_list[k];

        trove_stats_text_family(t, entry->family, "histogram", entry->help);

        for (i = 0; i < t->n; i++) {
            sum = &t->troves[i].total->sum;
            trove_stats_text_histogram(t, i, entry->family, NULL,
                                       trove_stats_histogram(sum, entry),
                                       NULL);
        }
    }
}


static void
trove_stats_text_figures(trove_stats_text_t *t,
    const trove_stats_entry_t *first, uint32_t n)
{
    uint32_t                      i, k;
    const trove_stats_figures_t  *sum;

    trove_stats_text_family(t, first->family, trove_stats_text_type(first),
                            first->help);

    for (i = 0; i < t->n; i++) {
        sum = &t->troves[i].total->sum;

        for (k = 0; k < n; k++) {
            trove_stats_text_open(t, i, first->family, "");
            trove_stats_text_raw(t, first[k].labels);

            if (first[k].kind == TROVE_STATS_SPAN) {
                trove_stats_text_span(t, trove_stats_value(sum, &first[k]));

            } else {
                trove_stats_text_value(t, trove_stats_value(sum, &first[k]));
            }
        }
    }
}


static void
trove_stats_text_coins(trove_stats_text_t *t)
{
    uint32_t                    i, k;
    const trove_stats_total_t  *total;

    trove_stats_text_family(t, TROVE_STATS_COIN, "counter",
                            TROVE_STATS_COIN_HELP);

    for (i = 0; i < t->n; i++) {
        total = t->troves[i].total;

        for (k = 0; k < total->ncoins; k++) {
            trove_stats_text_open(t, i, TROVE_STATS_COIN, "");
            trove_write_lit(t->w, ",coin=\"");
            trove_stats_escape(t->w, total->coins[k].data,
                               total->coins[k].len, 0);
            trove_write_lit(t->w, "\"");
            trove_stats_text_value(t, trove_stat_get(&total->sum.coins[k]));
        }
    }
}


static void
trove_stats_text_boards(trove_stats_text_t *t,
    const trove_stats_family_t *family)
{
    uint32_t                    i, k;
    const trove_stats_board_t  *board;

    trove_stats_text_family(t, family->name, family->type, family->help);

    for (i = 0; i < t->n; i++) {
        for (k = 0; k < t->troves[i].nboards; k++) {
            board = &t->troves[i].boards[k];

            trove_stats_text_open(t, i, family->name, "");
            trove_stats_text_label(t, "board", board->name);
            trove_stats_text_value(t, *(const uint64_t *)
                                      ((const char *) board
                                       + family->offset));
        }
    }
}


static void
trove_stats_text_queues(trove_stats_text_t *t)
{
    uint32_t                    i, k;
    const trove_stats_trove_t  *trove;

    trove_stats_text_family(t, TROVE_STATS_QUEUED, "gauge",
                            TROVE_STATS_QUEUED_HELP);

    for (i = 0; i < t->n; i++) {
        trove = &t->troves[i];

        for (k = 0; k < trove->nqueues; k++) {
            trove_stats_text_open(t, i, TROVE_STATS_QUEUED, "");
            trove_stats_text_label(t, "queue", trove->queues[k].name);
            trove_stats_text_value(t, trove->queues[k].pending);
        }
    }

    trove_stats_text_family(t, TROVE_STATS_OLDEST, "gauge",
                            TROVE_STATS_OLDEST_HELP);

    for (i = 0; i < t->n; i++) {
        trove = &t->troves[i];

        for (k = 0; k < trove->nqueues; k++) {
            trove_stats_text_open(t, i, TROVE_STATS_OLDEST, "");
            trove_stats_text_label(t, "queue", trove->queues[k].name);
            trove_stats_text_span(t, trove->queues[k].oldest);
        }
    }
}


static void
trove_stats_text_workers(trove_stats_text_t *t,
    const trove_stats_entry_t *entry)
{
    uint32_t                     i, k;
    const trove_stats_total_t   *total;
    const trove_stats_worker_t  *worker;

    trove_stats_text_family(t, entry->family, trove_stats_text_type(entry),
                            entry->help);

    for (i = 0; i < t->n; i++) {
        total = t->troves[i].total;

        for (k = 0; k < total->nworkers; k++) {
            worker = &total->workers[k];

            if (trove_stats_text_shown(t, i, worker->process)) {
                continue;
            }

            trove_stats_text_series(t, entry->family, "");
            trove_write_lit(t->w, "worker=\"");
            trove_write_uint(t->w, worker->process >> 32);
            trove_write_lit(t->w, "\"");
            trove_stats_text_value(t, trove_stats_process(worker, entry));
        }
    }
}


/* A worker has a slot in each trove. */

static int
trove_stats_text_shown(trove_stats_text_t *t, uint32_t trove,
    trove_process_t process)
{
    uint32_t                    i, k;
    const trove_stats_total_t  *total;

    for (i = 0; i < trove; i++) {
        total = t->troves[i].total;

        for (k = 0; k < total->nworkers; k++) {
            if (total->workers[k].process == process) {
                return 1;
            }
        }
    }

    return 0;
}


static void
trove_stats_text_histogram(trove_stats_text_t *t, uint32_t trove,
    const char *family, const char *endpoint, const trove_histogram_t *h,
    const trove_stats_exemplars_t *exemplars)
{
    uint32_t  i;
    uint64_t  count;

    count = 0;

    for (i = 0; i <= TROVE_HISTOGRAM_NBOUNDS; i++) {
        count += trove_stat_get(&h->bounds[i]);

        trove_stats_text_open(t, trove, family, "_bucket");
        trove_stats_text_label(t, "endpoint", endpoint);
        trove_stats_text_label(t, "le", (i < TROVE_HISTOGRAM_NBOUNDS)
                                        ? trove_histogram_bounds[i] : "+Inf");
        trove_write_lit(t->w, "} ");
        trove_write_uint(t->w, count);

        if (t->openmetrics && exemplars) {
            trove_exemplar_write(t->w, &exemplars->of[i]);
        }

        trove_write_lit(t->w, "\n");
    }

    trove_stats_text_open(t, trove, family, "_sum");
    trove_stats_text_label(t, "endpoint", endpoint);
    trove_stats_text_span(t, trove_stat_get(&h->sum));

    trove_stats_text_open(t, trove, family, "_count");
    trove_stats_text_label(t, "endpoint", endpoint);
    trove_stats_text_value(t, count);
}


/* How many entries from "first" on are of its family. */

static uint32_t
trove_stats_text_group(const trove_stats_entry_t *first,
    const trove_stats_entry_t *end)
{
    const trove_stats_entry_t  *entry;

    for (entry = first + 1; entry < end; entry++) {
        if (strcmp(entry->family, first->family) != 0) {
            break;
        }
    }

    return entry - first;
}


static void
trove_stats_text_family(trove_stats_text_t *t, const char *family,
    const char *type, const char *help)
{
    size_t  len;

    len = strlen(family);

    if (t->openmetrics) {
        len = trove_stats_text_base(family, type);

    } else if (strcmp(type, "info") == 0) {
        type = "gauge";
    }

    trove_write_lit(t->w, "# HELP ");
    trove_write(t->w, family, len);
    trove_write_lit(t->w, " ");
    trove_write_text(t->w, help);

    trove_write_lit(t->w, "\n# TYPE ");
    trove_write(t->w, family, len);
    trove_write_lit(t->w, " ");
    trove_write_text(t->w, type);
    trove_write_lit(t->w, "\n");

    if (t->openmetrics) {
        trove_stats_text_unit(t, family, len);
    }
}


/* That in which a family's name ends. */

static void
trove_stats_text_unit(trove_stats_text_t *t, const char *family, size_t len)
{
    size_t    n;
    uint32_t  i;

    static const char *const  units[] = { "seconds", "bytes" };

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        n = strlen(units[i]);

        if (len <= n || family[len - n - 1] != '_'
            || memcmp(family + len - n, units[i], n) != 0)
        {
            continue;
        }

        trove_write_lit(t->w, "# UNIT ");
        trove_write(t->w, family, len);
        trove_write_lit(t->w, " ");
        trove_write_text(t->w, units[i]);
        trove_write_lit(t->w, "\n");
    }
}


/* To OpenMetrics "_total" and "_info" belong to the series, not the family. */

static size_t
trove_stats_text_base(const char *family, const char *type)
{
    size_t  len;

    len = strlen(family);

    if (strcmp(type, "counter") == 0) {
        return len - (sizeof("_total") - 1);
    }

    if (strcmp(type, "info") == 0) {
        return len - (sizeof("_info") - 1);
    }

    return len;
}


static void
trove_stats_text_open(trove_stats_text_t *t, uint32_t trove,
    const char *family, const char *suffix)
{
    const trove_slice_t  *name;

    name = &t->troves[trove].name;

    trove_stats_text_series(t, family, suffix);

    trove_write_lit(t->w, "trove=\"");
    trove_stats_escape(t->w, name->data, name->len, 0);
    trove_write_lit(t->w, "\"");

    t->labels = 1;
}


static void
trove_stats_text_series(trove_stats_text_t *t, const char *family,
    const char *suffix)
{
    trove_write_text(t->w, family);
    trove_write_text(t->w, suffix);
    trove_write_lit(t->w, "{");

    t->labels = 0;
}


/* A label of value NULL is none. */

static void
trove_stats_text_label(trove_stats_text_t *t, const char *name,
    const char *value)
{
    if (value == NULL) {
        return;
    }

    trove_stats_text_comma(t);

    trove_write_text(t->w, name);
    trove_write_lit(t->w, "=\"");
    trove_stats_escape(t->w, (const unsigned char *) value, strlen(value), 0);
    trove_write_lit(t->w, "\"");
}


/* Labels as the list has them. */

static void
trove_stats_text_raw(trove_stats_text_t *t, const char *labels)
{
    if (*labels) {
        trove_stats_text_comma(t);
        trove_write_text(t->w, labels);
    }
}


static void
trove_stats_text_comma(trove_stats_text_t *t)
{
    if (t->labels) {
        trove_write_lit(t->w, ",");
    }

    t->labels = 1;
}


static void
trove_stats_text_value(trove_stats_text_t *t, uint64_t value)
{
    trove_write_lit(t->w, "} ");
    trove_write_uint(t->w, value);
    trove_write_lit(t->w, "\n");
}


static void
trove_stats_text_span(trove_stats_text_t *t, uint64_t ns)
{
    trove_write_lit(t->w, "} ");
    trove_stats_seconds(t->w, ns);
    trove_write_lit(t->w, "\n");
}


static const char *
trove_stats_text_type(const trove_stats_entry_t *entry)
{
    return (entry->kind == TROVE_STATS_COUNTER) ? "counter" : "gauge";
}


void
trove_stats_table(trove_writer_t *w)
{
    uint32_t                    i;
    const trove_stats_entry_t  *entry;

    trove_write_lit(w, "| Metric | Type | Labels | Meaning |\n"
                       "|---|---|---|---|\n");

    trove_stats_table_row(w, TROVE_STATS_REQUESTS, "counter",
                          "`trove`, `endpoint`, `code`",
                          TROVE_STATS_REQUESTS_HELP);
    trove_stats_table_row(w, TROVE_STATS_DURATION, "histogram",
                          "`trove`, `endpoint`", TROVE_STATS_DURATION_HELP);

    trove_stats_table_figures(w, trove_stats_endpoint_list,
                              trove_stats_endpoint_list
                              + TROVE_STATS_ENDPOINT_FIGURES,
                              "`trove`, `endpoint`");

    for (i = 0; i < TROVE_STATS_HISTOGRAMS; i++) {
        entry = &trove_stats_histogram_list[i];
        trove_stats_table_row(w, entry->family, "histogram", "`trove`",
                              entry->help);
    }

    trove_stats_table_figures(w, trove_stats_list,
                              trove_stats_list + TROVE_STATS_FIGURES,
                              "`trove`");

    trove_stats_table_row(w, TROVE_STATS_COIN, "counter", "`trove`, `coin`",
                          TROVE_STATS_COIN_HELP);
    for (i = 0; i < TROVE_STATS_BOARD_FAMILIES; i++) {
        trove_stats_table_row(w, trove_stats_board_families[i].name,
                              trove_stats_board_families[i].type,
                              "`trove`, `board`",
                              trove_stats_board_families[i].help);
    }

    trove_stats_table_row(w, TROVE_STATS_QUEUED, "gauge", "`trove`, `queue`",
                          TROVE_STATS_QUEUED_HELP);
    trove_stats_table_row(w, TROVE_STATS_OLDEST, "gauge", "`trove`, `queue`",
                          TROVE_STATS_OLDEST_HELP);

    trove_stats_table_row(w, TROVE_STATS_SIMD, "info", "`trove`, `simd`",
                          TROVE_STATS_SIMD_HELP);
    trove_stats_table_row(w, TROVE_STATS_BUILD, "info",
                          "`version`, `nginx`, `simd`",
                          TROVE_STATS_BUILD_HELP);
    trove_stats_table_row(w, TROVE_STATS_ALLOC, "info", "`name`, `version`",
                          TROVE_STATS_ALLOC_HELP);
}


static void
trove_stats_table_figures(trove_writer_t *w, const trove_stats_entry_t *entry,
    const trove_stats_entry_t *end, const char *labels)
{
    uint32_t                    i, group;
    const char                 *of;

    for ( /* void */ ; entry < end; entry += group) {
        group = trove_stats_text_group(entry, end);
        of = (entry->kind == TROVE_STATS_PROCESS) ? "`worker`" : labels;

        trove_write_lit(w, "| `");
        trove_write_text(w, entry->family);
        trove_write_lit(w, "` | ");
        trove_write_text(w, trove_stats_text_type(entry));
        trove_write_lit(w, " | ");
        trove_write_text(w, of);

        for (i = 0; i < group && *entry[i].labels; i++) {
            trove_write_lit(w, ", `");
            trove_write_text(w, entry[i].labels);
            trove_write_lit(w, "`");
        }

        trove_write_lit(w, " | ");
        trove_write_text(w, entry->help);
        trove_write_lit(w, " |\n");
    }
}


static void
trove_stats_table_row(trove_writer_t *w, const char *family, const char *type,
    const char *labels, const char *help)
{
    trove_write_lit(w, "| `");
    trove_write_text(w, family);
    trove_write_lit(w, "` | ");
    trove_write_text(w, type);
    trove_write_lit(w, " | ");
    trove_write_text(w, labels);
    trove_write_lit(w, " | ");
    trove_write_text(w, help);
    trove_write_lit(w, " |\n");
}
