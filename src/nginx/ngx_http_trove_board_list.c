
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_BOARD_TOP     10      /* rows, without a number       */
#define NGX_HTTP_TROVE_BOARD_AROUND  499     /* on either side, at most      */

/* bytes of an answer and of each of its rows, besides their strings */

#define NGX_HTTP_TROVE_BOARD_FRAME   160
#define NGX_HTTP_TROVE_BOARD_ENTRY   80


/* of a GET; the order of the fields, and their bits */

typedef struct {
    trove_slice_t  player;
    uint32_t       top;
    uint32_t       from;
    uint32_t       count;
    uint32_t       around;
    int32_t        period;
} ngx_http_trove_list_t;


#define NGX_HTTP_TROVE_LIST_PLAYER   0x01
#define NGX_HTTP_TROVE_LIST_TOP      0x02
#define NGX_HTTP_TROVE_LIST_FROM     0x04
#define NGX_HTTP_TROVE_LIST_COUNT    0x08
#define NGX_HTTP_TROVE_LIST_AROUND   0x10


static const char *ngx_http_trove_board_mixed(const trove_board_conf_t *conf,
    ngx_http_trove_list_t *list, uint32_t seen);
static ngx_uint_t ngx_http_trove_board_asked(ngx_http_request_t *r,
    ngx_http_trove_list_t *list, uint32_t seen, const char **detail);
static ngx_int_t ngx_http_trove_board_read(ngx_http_request_t *r,
    ngx_http_trove_list_t *list, ngx_uint_t around);
static ngx_int_t ngx_http_trove_board_look(ngx_http_request_t *r,
    ngx_http_trove_list_t *list, ngx_uint_t around);
static ngx_int_t ngx_http_trove_board_list(ngx_http_request_t *r,
    trove_board_entry_t *entries, uint32_t n, trove_board_state_t *state);
static void ngx_http_trove_board_entry(trove_writer_t *w,
    trove_board_entry_t *entry);


static const trove_field_t  ngx_http_trove_list_fields[] = {
    { "player", TROVE_FIELD_PLAYER,
      offsetof(ngx_http_trove_list_t, player), 0, 0 },
    { "top", TROVE_FIELD_UINT32, offsetof(ngx_http_trove_list_t, top),
      1, NGX_HTTP_TROVE_BOARD_LIST },
    { "from", TROVE_FIELD_UINT32, offsetof(ngx_http_trove_list_t, from),
      1, UINT32_MAX },
    { "count", TROVE_FIELD_UINT32, offsetof(ngx_http_trove_list_t, count),
      1, NGX_HTTP_TROVE_BOARD_LIST },
    { "around", TROVE_FIELD_UINT32, offsetof(ngx_http_trove_list_t, around),
      0, NGX_HTTP_TROVE_BOARD_AROUND },
    { "period", TROVE_FIELD_INT32, offsetof(ngx_http_trove_list_t, period),
      -1, 0 }
};


#define NGX_HTTP_TROVE_LIST_FIELDS                                            \
    (sizeof(ngx_http_trove_list_fields) / sizeof(trove_field_t))


uint64_t
ngx_http_trove_board_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/*
 * What follows the prefix of the location, or the last segment of the URI
 * where that is no prefix of it, or all of it.
 */

void
ngx_http_trove_board_named(ngx_http_request_t *r, ngx_str_t *name)
{
    u_char                    *p, *last;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    last = r->uri.data + r->uri.len;

    if (r->uri.len > clcf->name.len
        && ngx_strncmp(r->uri.data, clcf->name.data, clcf->name.len) == 0)
    {
        p = r->uri.data + clcf->name.len;

        /* "location /board" has /board/weekly, and not /boardweekly */

        p += (*p == '/');
        p = (p[-1] == '/') ? p : last;

    } else {
        for (p = last; p > r->uri.data && p[-1] != '/'; p--) { /* void */ }
    }

    name->data = p;
    name->len = last - p;
}


ngx_int_t
ngx_http_trove_board_player(ngx_http_request_t *r, trove_slice_t *player,
    ngx_int_t *rc)
{
    trove_fields_t         f;
    ngx_http_trove_list_t  list;

    ngx_memzero(&list, sizeof(ngx_http_trove_list_t));

    if (ngx_http_trove_args(r, ngx_http_trove_list_fields,
                            NGX_HTTP_TROVE_LIST_FIELDS, &list, &f, rc)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    if (f.seen & ~NGX_HTTP_TROVE_LIST_PLAYER) {
        *rc = ngx_http_trove_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "player: is all that says what to remove");
        return NGX_DONE;
    }

    *player = list.player;

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_board_get(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_uint_t                   status;
    const char                  *detail;
    trove_fields_t               f;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_list_t        list;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;

    ngx_memzero(&list, sizeof(ngx_http_trove_list_t));

    if (ngx_http_trove_args(r, ngx_http_trove_list_fields,
                            NGX_HTTP_TROVE_LIST_FIELDS, &list, &f, &rc)
        != NGX_OK)
    {
        return rc;
    }

    detail = ngx_http_trove_board_mixed(b->conf, &list, f.seen);
    status = NGX_HTTP_BAD_REQUEST;

    if (detail == NULL) {
        status = ngx_http_trove_board_asked(r, &list, f.seen, &detail);
    }

    if (status != NGX_HTTP_OK) {
        return ngx_http_trove_problem(r, status, detail);
    }

    return ngx_http_trove_board_read(r, &list,
                                     f.seen & (NGX_HTTP_TROVE_LIST_PLAYER
                                               |NGX_HTTP_TROVE_LIST_AROUND));
}


/* What does not go together; NULL: all does. */

static const char *
ngx_http_trove_board_mixed(const trove_board_conf_t *conf,
    ngx_http_trove_list_t *list, uint32_t seen)
{
    uint32_t  player;

    player = seen & (NGX_HTTP_TROVE_LIST_PLAYER|NGX_HTTP_TROVE_LIST_AROUND);

    if ((seen & NGX_HTTP_TROVE_LIST_TOP) && player) {
        return "top: does not go with player and around";
    }

    if ((seen & NGX_HTTP_TROVE_LIST_FROM) && player) {
        return "from: does not go with player and around";
    }

    if ((seen & NGX_HTTP_TROVE_LIST_FROM) && (seen & NGX_HTTP_TROVE_LIST_TOP))
    {
        return "from: does not go with top";
    }

    if ((seen & NGX_HTTP_TROVE_LIST_COUNT)
        && !(seen & NGX_HTTP_TROVE_LIST_FROM))
    {
        return "count: goes with from only";
    }

    if (list->period != 0 && conf->reset == TROVE_BOARD_NEVER) {
        return "period: the board is never reset";
    }

    return NULL;
}


/* Sets what was not said. */

static ngx_uint_t
ngx_http_trove_board_asked(ngx_http_request_t *r, ngx_http_trove_list_t *list,
    uint32_t seen, const char **detail)
{
    if (seen & (NGX_HTTP_TROVE_LIST_PLAYER|NGX_HTTP_TROVE_LIST_AROUND)) {
        return ngx_http_trove_player_of(r, &list->player, detail);
    }

    if (seen & NGX_HTTP_TROVE_LIST_FROM) {
        list->count = list->count ? list->count : NGX_HTTP_TROVE_BOARD_TOP;

    } else {
        list->from = 1;
        list->count = list->top ? list->top : NGX_HTTP_TROVE_BOARD_TOP;
    }

    return NGX_HTTP_OK;
}


/* The rows are in the arena until they are written: a list may take most. */

static ngx_int_t
ngx_http_trove_board_read(ngx_http_request_t *r, ngx_http_trove_list_t *list,
    ngx_uint_t around)
{
    u_char                *mark;
    ngx_int_t              rc;
    trove_arena_t         *arena;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    arena = &ctx->worker->arena;
    mark = arena->pos;

    rc = ngx_http_trove_board_look(r, list, around);

    trove_arena_rewind(arena, mark);

    return rc;
}


static ngx_int_t
ngx_http_trove_board_look(ngx_http_request_t *r, ngx_http_trove_list_t *list,
    ngx_uint_t around)
{
    char                        *text;
    uint32_t                     n, max;
    uint64_t                     now;
    trove_rc_t                   rc;
    trove_arena_t               *arena;
    trove_ledger_t              *ledger;
    trove_board_entry_t         *entries;
    trove_board_state_t          state;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;
    arena = &ctx->worker->arena;
    ledger = ctx->worker->trove->ledger;

    max = around ? 2 * list->around + 1 : list->count;
    max = ngx_min(max, b->conf->rows);

    entries = trove_arena_alloc(arena, max * sizeof(trove_board_entry_t));
    text = trove_arena_alloc(arena, (size_t) max * b->conf->row);

    if (entries == NULL || text == NULL) {
        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      ngx_http_trove_exhausted(ctx));
    }

    now = ngx_http_trove_board_now();

    rc = around
         ? trove_board_around(ledger, b->board, list->period, now,
                              &list->player, list->around, text, entries, &n,
                              &state)
         : trove_board_list(ledger, b->board, list->period, now, list->from,
                            max, text, entries, &n, &state);

    if (rc == TROVE_OK) {
        return ngx_http_trove_board_list(r, entries, n, &state);
    }

    if (rc == TROVE_NOTFOUND) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_TROVE_BOARD_NOBODY);
    }

    if (ngx_http_trove_patient(ctx)) {
        return NGX_BUSY;
    }

    return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  ngx_http_trove_busy(ctx));
}


static ngx_int_t
ngx_http_trove_board_list(ngx_http_request_t *r, trove_board_entry_t *entries,
    uint32_t n, trove_board_state_t *state)
{
    size_t                       size;
    uint32_t                     i;
    trove_writer_t               w;
    ngx_http_trove_ctx_t        *ctx;
    ngx_http_trove_board_ctx_t  *b;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    b = ctx->data;

    size = NGX_HTTP_TROVE_BOARD_FRAME;

    for (i = 0; i < n; i++) {
        size += NGX_HTTP_TROVE_BOARD_ENTRY
                + trove_string_size(entries[i].player.data,
                                    entries[i].player.len)
                + trove_string_size(entries[i].data.data,
                                    entries[i].data.len);
    }

    if (ngx_http_trove_writer(r, &w, size) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->found = n;
    ctx->status = NGX_HTTP_TROVE_HIT;

    trove_write_lit(&w, "{\"board\":\"");
    trove_write_text(&w, b->conf->name);
    trove_write_lit(&w, "\",\"rows\":");
    trove_write_uint(&w, state->rows);

    if (state->ends) {
        ngx_http_trove_board_write_ends(&w, state->ends);

    } else {
        trove_write_lit(&w, ",\"ends\":null");
    }

    trove_write_lit(&w, ",\"list\":[");

    for (i = 0; i < n; i++) {

        if (i) {
            trove_write_lit(&w, ",");
        }

        ngx_http_trove_board_entry(&w, &entries[i]);
    }

    trove_write_lit(&w, "]}");

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


static void
ngx_http_trove_board_entry(trove_writer_t *w, trove_board_entry_t *entry)
{
    trove_write_lit(w, "{\"rank\":");
    trove_write_uint(w, entry->rank);
    trove_write_lit(w, ",\"player\":");
    trove_write_string(w, entry->player.data, entry->player.len);
    trove_write_lit(w, ",\"score\":");
    trove_write_int(w, entry->score);

    if (entry->data.len) {
        trove_write_lit(w, ",\"data\":");
        trove_write_string(w, entry->data.data, entry->data.len);
    }

    trove_write_lit(w, "}");
}


void
ngx_http_trove_board_write_ends(trove_writer_t *w, uint64_t ends)
{
    if (ends) {
        trove_write_lit(w, ",\"ends\":");
        trove_write_uint(w, ends);
    }
}
