
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_TAP_TEXT      256                    /* longest answer */

#define NGX_HTTP_TROVE_RATE_MAX      1000000                /* a second */
#define NGX_HTTP_TROVE_BURST_MAX     1000000000


/* of the tap, or of a GET */

typedef struct {
    trove_slice_t  player;
    int64_t        seq;
} ngx_http_trove_tap_fields_t;


static ngx_int_t ngx_http_trove_tap_rate(ngx_str_t *value,
    ngx_uint_t *interval);
static ngx_int_t ngx_http_trove_coin_value(ngx_str_t *value, int32_t *coin);
static ngx_int_t ngx_http_trove_coin_add(ngx_conf_t *cf,
    ngx_http_trove_t *trove, trove_coin_t *coin);
static ngx_int_t ngx_http_trove_tap_get(ngx_http_request_t *r);
static ngx_uint_t ngx_http_trove_tap_parse(ngx_http_request_t *r,
    trove_json_t *json, trove_slice_t *object, trove_redis_op_t *op,
    trove_fields_t *f, const char **detail);
static ngx_uint_t ngx_http_trove_tap_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail);
static void ngx_http_trove_tap_coin(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write);
static void ngx_http_trove_tap_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w);


static const trove_field_t  ngx_http_trove_tap_fields[] = {
    { "player", TROVE_FIELD_PLAYER,
      offsetof(ngx_http_trove_tap_fields_t, player), 0, 0 },
    { "seq", TROVE_FIELD_INT64, offsetof(ngx_http_trove_tap_fields_t, seq),
      1, NGX_HTTP_TROVE_SEQ_MAX }
};


#define NGX_HTTP_TROVE_TAP_FIELDS                                             \
    (sizeof(ngx_http_trove_tap_fields) / sizeof(trove_field_t))


static const ngx_http_trove_op_t  ngx_http_trove_tap_op = {
    .nfields = NGX_HTTP_TROVE_TAP_FIELDS,
    .text = NGX_HTTP_TROVE_TAP_TEXT,
    .forbidden = ngx_http_trove_figure(taps_forbidden),
    .parse = ngx_http_trove_tap_parse,
    .line = ngx_http_trove_write_line,
    .flush = ngx_http_trove_remote_flush,
    .result = ngx_http_trove_tap_result,
    .answer = ngx_http_trove_tap_answer
};


char *
ngx_http_trove_tap(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, number;
    ngx_uint_t         i;

    static const char  must[] = "\"rate=\" and 1r/s to 1000000r/s or 1r/m to "
                                "60000000r/m, or \"burst=\" and a count, 0 to "
                                "1000000000, each once";

    if (trove->tap_interval != NGX_CONF_UNSET_UINT
        || trove->tap_burst != NGX_CONF_UNSET_UINT)
    {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_trove_prefixed(&value[i], "rate=", &number) == NGX_OK
            && trove->tap_interval == NGX_CONF_UNSET_UINT
            && ngx_http_trove_tap_rate(&number, &trove->tap_interval)
               == NGX_OK)
        {
            continue;
        }

        if (ngx_http_trove_prefixed(&value[i], "burst=", &number) == NGX_OK
            && trove->tap_burst == NGX_CONF_UNSET_UINT
            && ngx_http_trove_count(&number, 0, NGX_HTTP_TROVE_BURST_MAX,
                                    &trove->tap_burst)
               == NGX_OK)
        {
            continue;
        }

        return ngx_http_trove_invalid(cf, &value[i], must);
    }

    if (trove->tap_interval == NGX_CONF_UNSET_UINT) {
        return "has no \"rate\"";
    }

    return NGX_CONF_OK;
}


/* "10r/s" or "600r/m" as microseconds from one to the next */

static ngx_int_t
ngx_http_trove_tap_rate(ngx_str_t *value, ngx_uint_t *interval)
{
    ngx_str_t   number;
    ngx_uint_t  rate, seconds;

    if (value->len < 3) {
        return NGX_ERROR;
    }

    number.data = value->data;
    number.len = value->len - 3;

    if (ngx_strncmp(value->data + number.len, "r/s", 3) == 0) {
        seconds = 1;

    } else if (ngx_strncmp(value->data + number.len, "r/m", 3) == 0) {
        seconds = 60;

    } else {
        return NGX_ERROR;
    }

    if (ngx_http_trove_count(&number, 1, NGX_HTTP_TROVE_RATE_MAX * seconds,
                             &rate)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *interval = seconds * 1000000 / rate;

    return NGX_OK;
}


char *
ngx_http_trove_coin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, number;
    ngx_uint_t         i, weight;
    trove_coin_t       coin;
    unsigned           valued, weighted;

    static const char  must[] = "\"value=\" and an integer, -2147483648 to "
                                "2147483647, or \"weight=\" and a count, 0 to "
                                "4294967295, each once";

    value = cf->args->elts;

    if (!ngx_http_trove_name_valid(&value[1], TROVE_COIN_NAME_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid coin name \"%V\", "
                           "must be 1 to %d letters, digits, \"_\", \"-\" or "
                           "\".\"", &value[1], TROVE_COIN_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    coin.name.data = value[1].data;
    coin.name.len = value[1].len;
    coin.key = trove_coin_key(&coin.name);

    valued = 0;
    weighted = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_trove_prefixed(&value[i], "value=", &number) == NGX_OK
            && !valued
            && ngx_http_trove_coin_value(&number, &coin.value) == NGX_OK)
        {
            valued = 1;
            continue;
        }

        if (ngx_http_trove_prefixed(&value[i], "weight=", &number) == NGX_OK
            && !weighted
            && ngx_http_trove_count(&number, 0, UINT32_MAX, &weight) == NGX_OK)
        {
            weighted = 1;
            coin.weight = weight;
            continue;
        }

        return ngx_http_trove_invalid(cf, &value[i], must);
    }

    return (ngx_http_trove_coin_add(cf, trove, &coin) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* An int32_t; below zero it takes from the balance. */

static ngx_int_t
ngx_http_trove_coin_value(ngx_str_t *value, int32_t *coin)
{
    ngx_str_t   number;
    ngx_uint_t  n, negative;

    number = *value;
    negative = (number.len && number.data[0] == '-');

    if (negative) {
        number.data++;
        number.len--;
    }

    if (ngx_http_trove_count(&number, 0, (ngx_uint_t) INT32_MAX + negative, &n)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *coin = negative ? -(int64_t) n : (int64_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_coin_add(ngx_conf_t *cf, ngx_http_trove_t *trove,
    trove_coin_t *coin)
{
    ngx_str_t      name, other;
    ngx_uint_t     i;
    trove_coin_t  *list;

    name.data = (u_char *) coin->name.data;
    name.len = coin->name.len;

    list = trove->coin_list.elts;

    for (i = 0; i < trove->coin_list.nelts; i++) {

        if (list[i].key != coin->key) {
            continue;
        }

        other.data = (u_char *) list[i].name.data;
        other.len = list[i].name.len;

        if (name.len == other.len
            && ngx_strncmp(name.data, other.data, name.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate coin \"%V\"",
                               &name);
            return NGX_ERROR;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the coins \"%V\" and \"%V\" "
                           "have the same hash, rename one of them",
                           &other, &name);
        return NGX_ERROR;
    }

    if (trove->coin_list.nelts == TROVE_COINS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "coin \"%V\" is one too many, "
                           "a trove has at most %d", &name, TROVE_COINS_MAX);
        return NGX_ERROR;
    }

    if (trove->coin_list.elts == NULL
        && ngx_array_init(&trove->coin_list, cf->pool, 4, sizeof(trove_coin_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    list = ngx_array_push(&trove->coin_list);
    if (list == NULL) {
        return NGX_ERROR;
    }

    *list = *coin;

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_tap_init(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_conf_init_uint_value(trove->tap_interval, 0);
    ngx_conf_init_uint_value(trove->tap_burst, 0);

    if (trove->coin_list.nelts == 0) {
        return NGX_OK;
    }

    trove->coins = ngx_palloc(cf->pool, sizeof(trove_coins_t));
    if (trove->coins == NULL) {
        return NGX_ERROR;
    }

    if (trove_coins_init(trove->coins, trove->coin_list.elts,
                         trove->coin_list.nelts)
        != TROVE_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no coin of trove \"%V\" has "
                           "a weight", &trove->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_tap_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_trove_t           *trove;
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_trove_module);
    trove = tlcf->trove;

    if (ngx_http_trove_begin(r, trove, TROVE_ENDPOINT_TAP) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_trove_check(r, NGX_HTTP_GET|NGX_HTTP_POST);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (trove->coins == NULL || trove->players == 0) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      trove->coins
                                      ? "the trove has no capacity for players"
                                      : "the trove has no coin");
    }

    if (ngx_http_trove_identify(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_POST) {
        rc = ngx_http_discard_request_body(r);

        return (rc == NGX_OK) ? ngx_http_trove_try(r, ngx_http_trove_tap_get)
                              : rc;
    }

    return ngx_http_trove_read_ops(r, &ngx_http_trove_tap_op,
                                   ngx_http_trove_tap_fields);
}


/* Reads the balance, and the last seq for a client that has lost it. */

static ngx_int_t
ngx_http_trove_tap_get(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    status;
    trove_rc_t                    trc;
    const char                   *detail;
    trove_fields_t                f;
    trove_player_t                player;
    trove_writer_t                w;
    ngx_http_trove_ctx_t         *ctx;
    ngx_http_trove_tap_fields_t   fields;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    ngx_memzero(&fields, sizeof(ngx_http_trove_tap_fields_t));

    if (ngx_http_trove_args(r, ngx_http_trove_tap_fields, 1, &fields, &f, &rc)
        != NGX_OK)
    {
        return rc;
    }

    status = ngx_http_trove_player_of(r, &fields.player, &detail);

    if (status != NGX_HTTP_OK) {
        return ngx_http_trove_problem(r, status, detail);
    }

    trc = trove_player_get(ctx->worker->trove->ledger, &fields.player,
                           &player);

    if (trc == TROVE_NOTFOUND) {
        return ngx_http_trove_problem(r, NGX_HTTP_NOT_FOUND,
                                      "there is no such player");
    }

    if (trc != TROVE_OK) {

        if (ngx_http_trove_patient(ctx)) {
            return NGX_BUSY;
        }

        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      ngx_http_trove_busy(ctx));
    }

    if (ngx_http_trove_writer(r, &w, NGX_HTTP_TROVE_TAP_TEXT) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->found = 1;
    ctx->status = NGX_HTTP_TROVE_HIT;

    trove_write_lit(&w, "{\"balance\":");
    trove_write_int(&w, player.balance);
    trove_write_lit(&w, ",\"seq\":");
    trove_write_uint(&w, player.seq);
    trove_write_lit(&w, "}");

    return ngx_http_trove_answer(r, NGX_HTTP_OK, "application/json", &w);
}


/* The coin is drawn for the case that it is granted. */

static ngx_uint_t
ngx_http_trove_tap_parse(ngx_http_request_t *r, trove_json_t *json,
    trove_slice_t *object, trove_redis_op_t *op, trove_fields_t *f,
    const char **detail)
{
    ngx_uint_t                    status;
    trove_coin_t                 *coin;
    ngx_http_trove_t             *trove;
    ngx_http_trove_ctx_t         *ctx;
    ngx_http_trove_tap_fields_t   fields;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);
    trove = ctx->worker->trove;

    ngx_memzero(&fields, sizeof(ngx_http_trove_tap_fields_t));

    status = ngx_http_trove_decode(ctx, json, object, &fields, f, detail);

    if (status != NGX_HTTP_OK) {
        return status;
    }

    status = ngx_http_trove_player_of(r, &fields.player, detail);

    if (status != NGX_HTTP_OK) {
        return status;
    }

    coin = &trove->coins->coins[trove_coins_draw(trove->coins,
                                                 ctx->worker->random)];

    op->type = TROVE_REDIS_TAP;
    op->u.tap.player = fields.player;
    op->u.tap.seq = fields.seq;
    op->u.tap.coin = coin->key;
    op->u.tap.value = coin->value;

    return NGX_HTTP_OK;
}


static ngx_uint_t
ngx_http_trove_tap_result(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, const char **detail)
{
    trove_tap_t    *tap;
    trove_stats_t  *stats;

    stats = ctx->worker->stats;
    tap = &write->result.u.tap;

    if (write->result.rc == TROVE_FULL) {
        trove_stats_add(stats, taps_full, 1);
        *detail = write->overflows
                  ? "the trove has no room for another player, "
                    NGX_HTTP_TROVE_UNQUEUED_TEXT
                  : "the trove has no room for another player";
        return NGX_HTTP_INSUFFICIENT_STORAGE;
    }

    if (write->result.rc != TROVE_OK) {
        *detail = ngx_http_trove_unwritten(ctx, write->result.rc);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    switch (tap->result) {

    case TROVE_TAP_GRANTED:
        ngx_http_trove_tap_coin(ctx, write);
        trove_stats_add(stats, taps_granted, 1);
        ctx->status = NGX_HTTP_TROVE_COIN;
        ctx->found++;
        return NGX_HTTP_OK;

    case TROVE_TAP_REPEAT:
        ngx_http_trove_tap_coin(ctx, write);
        trove_stats_add(stats, taps_repeat, 1);
        ctx->status = NGX_HTTP_TROVE_REPEAT;
        return NGX_HTTP_OK;

    case TROVE_TAP_STALE:
        trove_stats_add(stats, taps_stale, 1);
        ctx->status = NGX_HTTP_TROVE_CONFLICT;
        *detail = "seq: is lower than that of the last tap";
        return NGX_HTTP_CONFLICT;

    default: /* TROVE_TAP_LIMITED */
        trove_stats_add(stats, taps_limited, 1);
        ctx->status = NGX_HTTP_TROVE_LIMITED;
        ctx->retry_after = (tap->wait + 999999) / 1000000;
        *detail = "the player taps too fast";
        return NGX_HTTP_TOO_MANY_REQUESTS;
    }
}


/* A coin that is repeated may not be configured any more: it has no name. */

static void
ngx_http_trove_tap_coin(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write)
{
    uint32_t           coin;
    trove_tap_t       *tap;
    ngx_http_trove_t  *trove;

    tap = &write->result.u.tap;
    trove = ctx->worker->trove;

    write->coin = NULL;

    if (trove_coins_find(trove->coins, tap->coin, &coin) != TROVE_OK) {
        return;
    }

    write->coin = &trove->coins->coins[coin];

    if (tap->result == TROVE_TAP_GRANTED) {
        trove_stats_add(ctx->worker->stats, coins[trove->coin_stats[coin]], 1);
    }
}


static void
ngx_http_trove_tap_answer(ngx_http_trove_ctx_t *ctx,
    ngx_http_trove_write_t *write, trove_writer_t *w)
{
    trove_tap_t          *tap;
    const trove_slice_t  *name;

    tap = &write->result.u.tap;

    trove_write_lit(w, "{\"coin\":");

    if (write->coin) {
        name = &write->coin->name;
        trove_write_string(w, name->data, name->len);

    } else {
        trove_write_lit(w, "null");
    }

    trove_write_lit(w, ",\"value\":");
    trove_write_int(w, tap->value);
    trove_write_lit(w, ",\"balance\":");
    trove_write_int(w, tap->balance);

    if (tap->result == TROVE_TAP_REPEAT) {
        trove_write_lit(w, ",\"repeat\":true");
    }

    trove_write_lit(w, "}");
}
