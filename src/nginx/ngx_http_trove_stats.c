
#include "ngx_http_trove.h"


static ngx_http_trove_t *ngx_http_trove_stats_named(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf, const char *arg);
static ngx_int_t ngx_http_trove_stats_board(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_int_t ngx_http_trove_stats_get(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf);
static ngx_int_t ngx_http_trove_stats_cycle(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf);
static ngx_int_t ngx_http_trove_stats_format(ngx_http_request_t *r,
    trove_stats_format_t *format);
static trove_stats_format_t ngx_http_trove_stats_accept(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_stats_collect(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf, trove_stats_trove_t *troves);
static ngx_int_t ngx_http_trove_stats_boards(ngx_http_request_t *r,
    ngx_http_trove_t *trove, trove_stats_trove_t *stats);
static ngx_int_t ngx_http_trove_stats_queues(ngx_http_request_t *r,
    ngx_http_trove_t *trove, trove_stats_trove_t *stats);
static void ngx_http_trove_stats_ledger(ngx_http_trove_t *trove,
    trove_stats_total_t *total);
static void ngx_http_trove_stats_copy(ngx_http_trove_t *trove,
    trove_stats_total_t *total);


/* What "Accept" chooses from; what it likes as well is the last of them. */

static const trove_accept_t  ngx_http_trove_stats_types[] = {
    [TROVE_STATS_JSON] = { "application/json", NULL, 0 },
    [TROVE_STATS_PROMETHEUS] = { "text/plain", "0.0.4", 1 },
    [TROVE_STATS_OPENMETRICS] = { "application/openmetrics-text", "1.0.0", 0 },
    [TROVE_STATS_HTML] = { "text/html", NULL, 0 }
};

#define NGX_HTTP_TROVE_STATS_TYPES                                            \
    (sizeof(ngx_http_trove_stats_types) / sizeof(trove_accept_t))


ngx_int_t
ngx_http_trove_stats_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    board;
    ngx_http_trove_t           **troves, *trove;
    ngx_http_trove_loc_conf_t   *tlcf;
    ngx_http_trove_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_trove_module);

    trove = ngx_http_trove_stats_named(r, tmcf, (r->method == NGX_HTTP_POST)
                                                ? "cycle" : "trove");

    if (trove == NULL && tmcf->troves.nelts) {

        /* a request for all troves is on the record of the first */

        troves = tmcf->troves.elts;
        trove = troves[0];
    }

    if (ngx_http_trove_begin(r, trove, TROVE_ENDPOINT_STATS) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_check(r, NGX_HTTP_GET
                                 | (tlcf->stats_write ? NGX_HTTP_POST : 0));

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_trove_stats_cycle(r, tmcf);
    }

    if (trove && ngx_http_arg(r, (u_char *) "board", 5, &board) == NGX_OK) {
        return ngx_http_trove_stats_board(r, &board);
    }

    return ngx_http_trove_stats_get(r, tmcf);
}


/*
 * A board's list, by the same arguments as at its own location, which the live
 * page does not know.
 */

static ngx_int_t
ngx_http_trove_stats_board(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_int_t              rc;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ngx_http_trove_uncopied(ctx)) {
        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      NGX_HTTP_TROVE_UNCOPIED_TEXT);
    }

    if (ngx_http_trove_board_choose(r, name, &rc) != NGX_OK) {
        return rc;
    }

    return ngx_http_trove_try(r, ngx_http_trove_board_get);
}


/* The trove that the argument names, NULL if it names none. */

static ngx_http_trove_t *
ngx_http_trove_stats_named(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf, const char *arg)
{
    ngx_str_t           name;
    ngx_uint_t          i;
    ngx_http_trove_t  **troves;

    if (ngx_http_arg(r, (u_char *) arg, ngx_strlen(arg), &name) != NGX_OK) {
        return NULL;
    }

    troves = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {

        if (troves[i]->name.len == name.len
            && ngx_strncmp(troves[i]->name.data, name.data, name.len) == 0)
        {
            return troves[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_trove_stats_get(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf)
{
    size_t                 size;
    char                   version[32];
    ngx_uint_t             n;
    trove_writer_t         w;
    trove_stats_info_t     info;
    trove_stats_trove_t   *troves;
    trove_stats_format_t   format;
    ngx_http_trove_ctx_t  *ctx;

    if (ngx_http_trove_stats_format(r, &format) != NGX_OK) {
        return ngx_http_trove_problem(r, NGX_HTTP_BAD_REQUEST,
                                      "format: must be html, json or "
                                      "prometheus");
    }

    if (format == TROVE_STATS_HTML) {
        return ngx_http_trove_page(r);
    }

    n = tmcf->troves.nelts;

    troves = ngx_pcalloc(r->pool, (n + 1) * sizeof(trove_stats_trove_t));
    if (troves == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_trove_stats_collect(r, tmcf, troves) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    trove_allocator_version(version, sizeof(version));

    info.version = TROVE_VERSION;
    info.nginx = NGINX_VERSION;
    info.simd = trove_simd_name(trove_simd_select(TROVE_SIMD_AUTO));
    info.allocator = trove_allocator_name();
    info.allocator_version = version;

    size = trove_stats_text_max(&info, troves, n);

    if (ngx_http_trove_writer(r, &w, size) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->status = NGX_HTTP_TROVE_HIT;

    if (format == TROVE_STATS_JSON) {
        trove_stats_json(&w, &info, troves, n);

        return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
    }

    trove_stats_prometheus(&w, &info, troves, n, format);

    return ngx_http_trove_answer(r, NGX_HTTP_OK,
                                 format == TROVE_STATS_OPENMETRICS
                                 ? "application/openmetrics-text; "
                                   "version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4; charset=utf-8",
                                 &w);
}


/* "format" decides, else what a scraper says in Accept, else JSON. */

static ngx_int_t
ngx_http_trove_stats_format(ngx_http_request_t *r, trove_stats_format_t *format)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK) {

        if (value.len == 4 && ngx_strncmp(value.data, "json", 4) == 0) {
            *format = TROVE_STATS_JSON;
            return NGX_OK;
        }

        if (value.len == 10 && ngx_strncmp(value.data, "prometheus", 10) == 0)
        {
            *format = TROVE_STATS_PROMETHEUS;
            return NGX_OK;
        }

        if (value.len == 4 && ngx_strncmp(value.data, "html", 4) == 0) {
            *format = TROVE_STATS_HTML;
            return NGX_OK;
        }

        return NGX_ERROR;
    }

    *format = ngx_http_trove_stats_accept(r);

    return NGX_OK;
}


static trove_stats_format_t
ngx_http_trove_stats_accept(ngx_http_request_t *r)
{
    uint32_t          q[NGX_HTTP_TROVE_STATS_TYPES];
    ngx_uint_t        i, best;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(q, sizeof(q));

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == 6
                && ngx_strncmp(h[i].lowcase_key, "accept", 6) == 0)
            {
                trove_accept(h[i].value.data, h[i].value.len,
                             ngx_http_trove_stats_types,
                             NGX_HTTP_TROVE_STATS_TYPES, q);
            }
        }
    }

    best = TROVE_STATS_JSON;

    for (i = 0; i < NGX_HTTP_TROVE_STATS_TYPES; i++) {
        if (q[i] && q[i] >= q[best]) {
            best = i;
        }
    }

    return best;
}


static ngx_int_t
ngx_http_trove_stats_collect(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf, trove_stats_trove_t *troves)
{
    ngx_uint_t             i;
    ngx_http_trove_t     **trove;
    trove_stats_seen_t    *seen;
    trove_stats_total_t   *total;

    seen = ngx_pcalloc(r->pool, sizeof(trove_stats_seen_t));
    if (seen == NULL) {
        return NGX_ERROR;
    }

    trove = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {

        total = ngx_palloc(r->pool, sizeof(trove_stats_total_t));
        if (total == NULL) {
            return NGX_ERROR;
        }

        trove_stats_sum(trove[i]->stats, seen, total);
        ngx_http_trove_stats_ledger(trove[i], total);

        if (ngx_http_trove_stats_boards(r, trove[i], &troves[i]) != NGX_OK
            || ngx_http_trove_stats_queues(r, trove[i], &troves[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        troves[i].name.data = trove[i]->name.data;
        troves[i].name.len = trove[i]->name.len;
        troves[i].simd = trove_simd_name(trove[i]->kernels);
        troves[i].total = total;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_stats_boards(ngx_http_request_t *r, ngx_http_trove_t *trove,
    trove_stats_trove_t *stats)
{
    uint32_t              i, n;
    uint64_t              now;
    trove_board_conf_t   *conf;
    trove_board_state_t   state;
    trove_stats_board_t  *boards;

    n = trove->boards.nelts;
    conf = trove->boards.elts;
    now = ngx_http_trove_board_now();

    boards = ngx_palloc(r->pool, (n + 1) * sizeof(trove_stats_board_t));
    if (boards == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        trove_board_state(trove->ledger, i, 0, now, &state);

        boards[i].name = conf[i].name;
        boards[i].rows = state.rows;
        boards[i].capacity = conf[i].rows;
        boards[i].rebuilds = trove_board_rebuilds(trove->ledger, i);
    }

    stats->boards = boards;
    stats->nboards = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_stats_queues(ngx_http_request_t *r, ngx_http_trove_t *trove,
    trove_stats_trove_t *stats)
{
    char                 *name;
    uint32_t              i, n;
    uint64_t              now, mark, queued, stays;
    trove_stats_queue_t  *queues;

    if (trove->overflow == NULL) {
        return NGX_OK;
    }

    n = trove_marks(trove->ledger);
    now = ngx_http_trove_board_now() * 1000;

    queues = ngx_palloc(r->pool,
                        n * (sizeof(trove_stats_queue_t) + TROVE_MARK_NAME));
    if (queues == NULL) {
        return NGX_ERROR;
    }

    name = (char *) &queues[n];

    for (i = 0; i < n; i++, name += TROVE_MARK_NAME) {
        mark = trove_mark(trove->ledger, i);
        queued = trove_mark_queued(trove->ledger, i);
        stays = trove_mark_stays(trove->ledger, i);

        queues[i].name = trove_mark_name(trove->ledger, i, name);
        queues[i].pending = (queued > mark) ? queued - mark : 0;
        queues[i].oldest = (stays && stays < now) ? (now - stays) * 1000 : 0;
    }

    stats->queues = queues;
    stats->nqueues = n;

    return NGX_OK;
}


static void
ngx_http_trove_stats_ledger(ngx_http_trove_t *trove, trove_stats_total_t *total)
{
    trove_stat_set(&total->sum.rewards, trove_ledger_rewards(trove->ledger));
    trove_stat_set(&total->sum.rewards_capacity, trove->rewards);
    trove_stat_set(&total->sum.players, trove_ledger_players(trove->ledger));
    trove_stat_set(&total->sum.players_capacity, trove->players);
    trove_stat_set(&total->sum.claims, trove_ledger_claims(trove->ledger));
    trove_stat_set(&total->sum.claims_capacity, trove->claims);
    trove_stat_set(&total->sum.ledger_version,
                   trove_ledger_version(trove->ledger));
    trove_stat_set(&total->sum.ledger_bytes,
                   trove_ledger_bytes(trove->ledger));

    if (trove->store) {
        trove_stat_set(&total->sum.store_failing,
                       trove_flush_state(trove->ledger) != TROVE_STORE_DONE);
        trove_stat_set(&total->sum.store_lag, trove_flush_lag(trove->ledger));
    }

    if (trove->redis || trove->overflow) {
        trove_stat_set(&total->sum.breaker_state,
                       trove_breaker_state(trove->breaker));
    }

    if (trove->redis) {
        ngx_http_trove_stats_copy(trove, total);
    }

    if (trove->overflow) {
        trove_stat_set(&total->sum.overflow_max, trove->overflow_max);
    }

    trove_stat_set(&total->sum.snapshot_bytes,
                   trove_snapshot_size(trove->snapshot));
}


/* Of a copy that was never loaded there is no age. */

static void
ngx_http_trove_stats_copy(ngx_http_trove_t *trove, trove_stats_total_t *total)
{
    uint64_t  now, seen;

    now = trove_clock_ns();
    seen = trove_replica_seen(trove->ledger);

    trove_stat_set(&total->sum.store_failing,
                   trove_stat_get(&total->sum.store_connected) == 0
                   || !trove_breaker_closed(trove->breaker));
    trove_stat_set(&total->sum.store_position,
                   trove_replica_log(trove->ledger));
    trove_stat_set(&total->sum.store_age,
                   (seen && seen < now) ? now - seen : 0);
}


/* Turns this worker's epoch of the trove that is named. */

static ngx_int_t
ngx_http_trove_stats_cycle(ngx_http_request_t *r,
    ngx_http_trove_main_conf_t *tmcf)
{
    ngx_str_t              name;
    trove_writer_t         w;
    ngx_http_trove_t      *trove;
    ngx_http_trove_ctx_t  *ctx;

    if (ngx_http_arg(r, (u_char *) "cycle", 5, &name) != NGX_OK) {
        return ngx_http_trove_problem(r, NGX_HTTP_BAD_REQUEST,
                                      "cycle: is missing");
    }

    trove = ngx_http_trove_stats_named(r, tmcf, "cycle");

    if (trove == NULL) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      "cycle: there is no such trove");
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    ctx->status = NGX_HTTP_TROVE_HIT;

    ngx_http_trove_turn(ngx_http_trove_worker(trove));

    if (ngx_http_trove_writer(r, &w, 256) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    trove_write_lit(&w, "{\"cycled\":");
    trove_write_string(&w, trove->name.data, trove->name.len);
    trove_write_lit(&w, ",\"worker\":");
    trove_write_uint(&w, ngx_pid);
    trove_write_lit(&w, "}");

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}
