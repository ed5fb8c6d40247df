/*
 * Statistics as JSON.
 */

#include <string.h>

#include "trove_stats.h"


static void trove_stats_json_trove(trove_writer_t *w,
    const trove_stats_trove_t *trove);
static void trove_stats_json_coins(trove_writer_t *w,
    const trove_stats_total_t *total);
static void trove_stats_json_boards(trove_writer_t *w,
    const trove_stats_trove_t *trove);
static void trove_stats_json_queues(trove_writer_t *w,
    const trove_stats_trove_t *trove);
static void trove_stats_json_endpoint(trove_writer_t *w,
    const trove_stats_endpoint_t *endpoint);
static void trove_stats_json_histogram(trove_writer_t *w,
    const trove_histogram_t *h);
static void trove_stats_json_buckets(trove_writer_t *w,
    const trove_histogram_t *h);
static void trove_stats_json_worker(trove_writer_t *w,
    const trove_stats_worker_t *worker);
static void trove_stats_json_key(trove_writer_t *w, const char *key);
static void trove_stats_json_comma(trove_writer_t *w);
static void trove_stats_json_text(trove_writer_t *w, const char *key,
    const char *value);
static void trove_stats_json_uint(trove_writer_t *w, const char *key,
    uint64_t value);
static void trove_stats_json_seconds(trove_writer_t *w, const char *key,
    uint64_t ns);


static const struct {
    const char  *name;
    uint32_t     thousandths;
} trove_stats_json_quantiles[] = {
    { "p50", 500 }, { "p90", 900 }, { "p99", 990 }, { "p999", 999 }
};


void
trove_stats_json(trove_writer_t *w, const trove_stats_info_t *info,
    const trove_stats_trove_t *troves, uint32_t n)
{
    uint32_t  i;

    trove_write_lit(w, "{");
    trove_stats_json_uint(w, "schema", TROVE_STATS_SCHEMA);
    trove_stats_json_text(w, "version", info->version);
    trove_stats_json_text(w, "nginx", info->nginx);
    trove_stats_json_text(w, "simd", info->simd);

    trove_stats_json_key(w, "allocator");
    trove_write_lit(w, "{");
    trove_stats_json_text(w, "name", info->allocator);
    trove_stats_json_text(w, "version", info->allocator_version);
    trove_write_lit(w, "}");

    trove_stats_json_key(w, "troves");
    trove_write_lit(w, "{");

    for (i = 0; i < n; i++) {
        trove_stats_json_trove(w, &troves[i]);
    }

    trove_write_lit(w, "}}\n");
}


static void
trove_stats_json_trove(trove_writer_t *w, const trove_stats_trove_t *trove)
{
    uint32_t                     i;
    const trove_stats_entry_t   *entry;
    const trove_stats_total_t   *total;

    total = trove->total;

    trove_stats_json_comma(w);
    trove_write_lit(w, "\"");
    trove_stats_escape(w, trove->name.data, trove->name.len, 1);
    trove_write_lit(w, "\":{");

    trove_stats_json_text(w, "simd", trove->simd);

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];

        if (entry->kind == TROVE_STATS_SPAN) {
            trove_stats_json_seconds(w, entry->field,
                                     trove_stats_value(&total->sum, entry));

        } else if (entry->kind != TROVE_STATS_PROCESS) {
            trove_stats_json_uint(w, entry->field,
                                  trove_stats_value(&total->sum, entry));
        }
    }

    trove_stats_json_coins(w, total);
    trove_stats_json_boards(w, trove);
    trove_stats_json_queues(w, trove);

    for (i = 0; i < TROVE_STATS_HISTOGRAMS; i++) {
        entry = &trove_stats_histogram_list[i];

        trove_stats_json_key(w, entry->field);
        trove_stats_json_histogram(w, trove_stats_histogram(&total->sum,
                                                            entry));
    }

    trove_stats_json_key(w, "endpoints");
    trove_write_lit(w, "{");

    for (i = 0; i < TROVE_ENDPOINTS; i++) {
        trove_stats_json_key(w, trove_stats_endpoints[i]);
        trove_stats_json_endpoint(w, &total->sum.endpoints[i]);
    }

    trove_write_lit(w, "}");

    trove_stats_json_key(w, "latency");
    trove_write_lit(w, "{");

    for (i = 0; i < TROVE_ENDPOINTS; i++) {
        trove_stats_json_key(w, trove_stats_endpoints[i]);
        trove_stats_json_histogram(w, &total->sum.endpoints[i].duration);
    }

    trove_write_lit(w, "}");

    trove_stats_json_key(w, "workers");
    trove_write_lit(w, "[");

    for (i = 0; i < total->nworkers; i++) {
        trove_stats_json_worker(w, &total->workers[i]);
    }

    trove_write_lit(w, "]}");
}


static void
trove_stats_json_coins(trove_writer_t *w, const trove_stats_total_t *total)
{
    uint32_t  i;

    trove_stats_json_key(w, "coins");
    trove_write_lit(w, "{");

    for (i = 0; i < total->ncoins; i++) {
        trove_stats_json_comma(w);
        trove_write_lit(w, "\"");
        trove_stats_escape(w, total->coins[i].data, total->coins[i].len, 1);
        trove_write_lit(w, "\":");
        trove_write_uint(w, trove_stat_get(&total->sum.coins[i]));
    }

    trove_write_lit(w, "}");
}


static void
trove_stats_json_boards(trove_writer_t *w, const trove_stats_trove_t *trove)
{
    uint32_t  i;

    trove_stats_json_key(w, "boards");
    trove_write_lit(w, "{");

    for (i = 0; i < trove->nboards; i++) {
        trove_stats_json_key(w, trove->boards[i].name);
        trove_write_lit(w, "{");
        trove_stats_json_uint(w, "rows", trove->boards[i].rows);
        trove_stats_json_uint(w, "rows_capacity", trove->boards[i].capacity);
        trove_stats_json_uint(w, "rebuilds", trove->boards[i].rebuilds);
        trove_write_lit(w, "}");
    }

    trove_write_lit(w, "}");
}


static void
trove_stats_json_queues(trove_writer_t *w, const trove_stats_trove_t *trove)
{
    uint32_t  i;

    trove_stats_json_key(w, "overflow");
    trove_write_lit(w, "{");

    for (i = 0; i < trove->nqueues; i++) {
        trove_stats_json_key(w, trove->queues[i].name);
        trove_write_lit(w, "{");
        trove_stats_json_uint(w, "pending", trove->queues[i].pending);
        trove_stats_json_seconds(w, "oldest", trove->queues[i].oldest);
        trove_write_lit(w, "}");
    }

    trove_write_lit(w, "}");
}


/* Codes that no request was answered with are left out. */

static void
trove_stats_json_endpoint(trove_writer_t *w,
    const trove_stats_endpoint_t *endpoint)
{
    uint32_t                    i;
    uint64_t                    n;
    const trove_stats_entry_t  *entry;

    trove_write_lit(w, "{");
    trove_stats_json_key(w, "requests");
    trove_write_lit(w, "{");

    for (i = 0; i < TROVE_CODES; i++) {
        n = trove_stat_get(&endpoint->requests[i]);

        if (n) {
            trove_stats_json_uint(w, trove_stats_code_names[i], n);
        }
    }

    trove_write_lit(w, "}");

    for (i = 0; i < TROVE_STATS_ENDPOINT_FIGURES; i++) {
        entry = &trove_stats_endpoint_list[i];

        trove_stats_json_uint(w, entry->field,
                              trove_stats_value(endpoint, entry));
    }

    trove_write_lit(w, "}");
}


static void
trove_stats_json_histogram(trove_writer_t *w, const trove_histogram_t *h)
{
    size_t    i, n;
    uint64_t  count, sum;

    count = trove_histogram_count(h);
    sum = trove_stat_get(&h->sum);

    trove_write_lit(w, "{");
    trove_stats_json_uint(w, "count", count);

    n = sizeof(trove_stats_json_quantiles)
        / sizeof(trove_stats_json_quantiles[0]);

    for (i = 0; i < n; i++) {
        trove_stats_json_seconds(w, trove_stats_json_quantiles[i].name,
              trove_histogram_quantile(h,
                                 trove_stats_json_quantiles[i].thousandths));
    }

    trove_stats_json_seconds(w, "max", trove_stat_get(&h->max));
    trove_stats_json_seconds(w, "mean", count ? sum / count : 0);
    trove_stats_json_seconds(w, "sum", sum);
    trove_stats_json_buckets(w, h);
    trove_write_lit(w, "}");
}


/* Of each that is not empty, its longest duration in ns, and how many. */

static void
trove_stats_json_buckets(trove_writer_t *w, const trove_histogram_t *h)
{
    uint32_t  i;
    uint64_t  n;

    trove_stats_json_key(w, "buckets");
    trove_write_lit(w, "[");

    for (i = 0; i < TROVE_HISTOGRAM_BUCKETS; i++) {
        n = trove_stat_get(&h->buckets[i]);

        if (n == 0) {
            continue;
        }

        /* the last one has all that is longer, too: its name is the range */

        trove_stats_json_comma(w);
        trove_write_uint(w, (i < TROVE_HISTOGRAM_BUCKETS - 1)
                            ? trove_histogram_last(i)
                            : ((uint64_t) 1 << TROVE_HISTOGRAM_RANGE) - 1);
        trove_write_lit(w, ",");
        trove_write_uint(w, n);
    }

    trove_write_lit(w, "]");
}


static void
trove_stats_json_worker(trove_writer_t *w, const trove_stats_worker_t *worker)
{
    uint32_t                    i;
    const trove_stats_entry_t  *entry;

    trove_stats_json_comma(w);
    trove_write_lit(w, "{");
    trove_stats_json_uint(w, "pid", worker->process >> 32);

    for (i = 0; i < TROVE_STATS_FIGURES; i++) {
        entry = &trove_stats_list[i];

        if (entry->kind == TROVE_STATS_PROCESS) {
            trove_stats_json_uint(w, entry->field,
                                  trove_stats_process(worker, entry));
        }
    }

    trove_write_lit(w, "}");
}


static void
trove_stats_json_key(trove_writer_t *w, const char *key)
{
    trove_stats_json_comma(w);
    trove_write_lit(w, "\"");
    trove_write_text(w, key);
    trove_write_lit(w, "\":");
}


/* What was written last tells whether this is the first of its kind. */

static void
trove_stats_json_comma(trove_writer_t *w)
{
    if (!w->truncated && w->pos[-1] != '{' && w->pos[-1] != '[') {
        trove_write_lit(w, ",");
    }
}


static void
trove_stats_json_text(trove_writer_t *w, const char *key, const char *value)
{
    trove_stats_json_key(w, key);
    trove_write_lit(w, "\"");
    trove_stats_escape(w, (const unsigned char *) value, strlen(value), 1);
    trove_write_lit(w, "\"");
}


static void
trove_stats_json_uint(trove_writer_t *w, const char *key, uint64_t value)
{
    trove_stats_json_key(w, key);
    trove_write_uint(w, value);
}


static void
trove_stats_json_seconds(trove_writer_t *w, const char *key, uint64_t ns)
{
    trove_stats_json_key(w, key);
    trove_stats_seconds(w, ns);
}
