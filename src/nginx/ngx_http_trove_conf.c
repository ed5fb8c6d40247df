
#include "ngx_http_trove.h"

#include "trove_number.h"


#define NGX_HTTP_TROVE_NAME_MAX      64
#define NGX_HTTP_TROVE_RADIUS_MAX    1e150      /* its square is finite */
#define NGX_HTTP_TROVE_REWARDS_MAX   2147483647
#define NGX_HTTP_TROVE_PLAYERS_MAX   2147483647
#define NGX_HTTP_TROVE_CLAIMS_MAX    2147483647

#define NGX_HTTP_TROVE_CLAIMS        4          /* of a player, by default */
#define NGX_HTTP_TROVE_POLL_ARENA    4096       /* of a poll, but its hits */

#define NGX_HTTP_TROVE_DOUBLE        32         /* bytes of a number as text */


static ngx_http_trove_t *ngx_http_trove_get(ngx_conf_t *cf, ngx_str_t *name);
static void ngx_http_trove_set_unset(ngx_http_trove_t *trove);
static char *ngx_http_trove_radius_above(ngx_conf_t *cf,
    ngx_http_trove_t *trove);
static char *ngx_http_trove_set_defaults(ngx_conf_t *cf,
    ngx_http_trove_t *trove);
static char *ngx_http_trove_set_arena(ngx_conf_t *cf,
    ngx_http_trove_t *trove);
static char *ngx_http_trove_set_capacities(ngx_conf_t *cf,
    ngx_http_trove_t *trove);


void *
ngx_http_trove_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_trove_main_conf_t  *tmcf;

    tmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_trove_main_conf_t));
    if (tmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&tmcf->troves, cf->pool, 4, sizeof(ngx_http_trove_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return tmcf;
}


void *
ngx_http_trove_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_trove_loc_conf_t  *tlcf;

    tlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_trove_loc_conf_t));
    if (tlcf == NULL) {
        return NULL;
    }

    tlcf->stats_write = NGX_CONF_UNSET;
    tlcf->player = NGX_CONF_UNSET_PTR;

    return tlcf;
}


char *
ngx_http_trove_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_trove_loc_conf_t  *prev = parent;
    ngx_http_trove_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t   *clcf;

    /*
     * An endpoint is its own location's, as any content handler is; "if" and
     * "limit_except" are blocks of the location that they stand in.
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->handler == NULL) {
        conf->trove = prev->trove;
        conf->stats_write = prev->stats_write;
        conf->handler = prev->handler;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = conf->handler;
        }
    }

    if (conf->stats_write == NGX_CONF_UNSET) {
        conf->stats_write = 0;
    }

    ngx_conf_merge_ptr_value(conf->player, prev->player, NULL);

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_trove_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_trove_t            **troves;
    ngx_http_trove_main_conf_t   *tmcf;

    static ngx_str_t  request_id = ngx_string("request_id");

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_trove_module);

    troves = tmcf->troves.elts;

    if (tmcf->troves.nelts) {

        /* by its index, a request has the same id in a log */

        tmcf->request_id = ngx_http_get_variable_index(cf, &request_id);
        if (tmcf->request_id == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < tmcf->troves.nelts; i++) {

        if (!troves[i]->defined) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown trove \"%V\" in %s:%ui",
                          &troves[i]->name, troves[i]->file, troves[i]->line);
            return NGX_ERROR;
        }

        if (ngx_http_trove_zone_add(cf, troves[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_http_trove_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                 *rv;
    ngx_str_t            *value;
    ngx_conf_t            save;
    ngx_http_trove_t     *trove;
    ngx_http_conf_ctx_t  *ctx, *http_ctx;

    value = cf->args->elts;

    if (!ngx_http_trove_name_valid(&value[1], NGX_HTTP_TROVE_NAME_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid trove name \"%V\", "
                           "must be 1 to %d letters, digits, \"_\", \"-\" or "
                           "\".\"", &value[1], NGX_HTTP_TROVE_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    trove = ngx_http_trove_get(cf, &value[1]);
    if (trove == NULL) {
        return NGX_CONF_ERROR;
    }

    if (trove->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate trove \"%V\"",
                           &trove->name);
        return NGX_CONF_ERROR;
    }

    trove->defined = 1;

    /* the block's directives find the trove where the main conf is */

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_http_conf_ctx_t));
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx->main_conf = ngx_pcalloc(cf->pool,
                                 sizeof(void *) * ngx_http_max_module);
    if (ctx->main_conf == NULL) {
        return NGX_CONF_ERROR;
    }

    http_ctx = cf->ctx;

    ngx_memcpy(ctx->main_conf, http_ctx->main_conf,
               sizeof(void *) * ngx_http_max_module);

    ctx->main_conf[ngx_http_trove_module.ctx_index] = trove;
    ctx->srv_conf = http_ctx->srv_conf;
    ctx->loc_conf = http_ctx->loc_conf;

    save = *cf;
    cf->ctx = ctx;
    cf->cmd_type = NGX_HTTP_TROVE_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_trove_set_defaults(cf, trove);
}


char *
ngx_http_trove_capacity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, number;
    ngx_uint_t         i, min, max, *count;

    static const char  must[] = "\"rewards=\", \"players=\" or \"claims=\" and "
                                "a count, of rewards 1 to 2147483647, of the "
                                "others 0 to 2147483647";

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        min = 0;

        if (ngx_http_trove_prefixed(&value[i], "rewards=", &number) == NGX_OK)
        {
            count = &trove->rewards;
            min = 1;
            max = NGX_HTTP_TROVE_REWARDS_MAX;

        } else if (ngx_http_trove_prefixed(&value[i], "players=", &number)
                   == NGX_OK)
        {
            count = &trove->players;
            max = NGX_HTTP_TROVE_PLAYERS_MAX;

        } else if (ngx_http_trove_prefixed(&value[i], "claims=", &number)
                   == NGX_OK)
        {
            count = &trove->claims;
            max = NGX_HTTP_TROVE_CLAIMS_MAX;

        } else {
            return ngx_http_trove_invalid(cf, &value[i], must);
        }

        if (*count != NGX_CONF_UNSET_UINT) {
            return "is duplicate";
        }

        if (ngx_http_trove_count(&number, min, max, count) != NGX_OK) {
            return ngx_http_trove_invalid(cf, &value[i], must);
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_trove_radius(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, number;

    if (trove->radius != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_trove_distance(&value[1], &trove->radius) != NGX_OK) {
        return ngx_http_trove_invalid(cf, &value[1],
                                      "a number above 0, up to 1e150");
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_http_trove_prefixed(&value[2], "max=", &number) != NGX_OK
        || ngx_http_trove_distance(&number, &trove->radius_max) != NGX_OK)
    {
        return ngx_http_trove_invalid(cf, &value[2],
                                      "\"max=\" and a number above 0, up to "
                                      "1e150");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_trove_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, number;

    if (trove->limit != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_trove_count(&value[1], 1, TROVE_LIMIT_MAX, &trove->limit)
        != NGX_OK)
    {
        return ngx_http_trove_invalid(cf, &value[1], "1 to 1024");
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_http_trove_prefixed(&value[2], "max=", &number) != NGX_OK
        || ngx_http_trove_count(&number, 1, TROVE_LIMIT_MAX,
                                &trove->limit_max)
           != NGX_OK)
    {
        return ngx_http_trove_invalid(cf, &value[2], "\"max=\" and 1 to 1024");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_trove_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_loc_conf_t  *tlcf = conf;

    ngx_str_t                  *value;
    ngx_http_core_loc_conf_t   *clcf;

    if (tlcf->handler) {
        return "is one endpoint too many in this location";
    }

    value = cf->args->elts;

    tlcf->handler = (ngx_http_handler_pt) cmd->post;
    tlcf->trove = ngx_http_trove_get(cf, &value[1]);
    if (tlcf->trove == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = tlcf->handler;

    return NGX_CONF_OK;
}


char *
ngx_http_trove_stats(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_loc_conf_t  *tlcf = conf;

    ngx_str_t                  *value;
    ngx_http_core_loc_conf_t   *clcf;

    if (tlcf->handler) {
        return "is one endpoint too many in this location";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "write=on") == 0) {
            tlcf->stats_write = 1;

        } else if (ngx_strcmp(value[1].data, "write=off") == 0) {
            tlcf->stats_write = 0;

        } else {
            return ngx_http_trove_invalid(cf, &value[1],
                                          "\"write=on\" or \"write=off\"");
        }
    }

    tlcf->handler = ngx_http_trove_stats_handler;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = tlcf->handler;

    return NGX_CONF_OK;
}


/* A location may name a trove that is defined further down. */

static ngx_http_trove_t *
ngx_http_trove_get(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_http_trove_t             *trove, **troves;
    ngx_http_trove_main_conf_t   *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_trove_module);

    troves = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {

        if (troves[i]->name.len == name->len
            && ngx_strncmp(troves[i]->name.data, name->data, name->len) == 0)
        {
            return troves[i];
        }
    }

    trove = ngx_pcalloc(cf->pool, sizeof(ngx_http_trove_t));
    if (trove == NULL) {
        return NULL;
    }

    troves = ngx_array_push(&tmcf->troves);
    if (troves == NULL) {
        return NULL;
    }

    *troves = trove;

    trove->name = *name;
    trove->index = i;
    trove->file = cf->conf_file->file.name.data;
    trove->line = cf->conf_file->line;

    ngx_http_trove_set_unset(trove);

    return trove;
}


static void
ngx_http_trove_set_unset(ngx_http_trove_t *trove)
{
    trove->rewards = NGX_CONF_UNSET_UINT;
    trove->players = NGX_CONF_UNSET_UINT;
    trove->claims = NGX_CONF_UNSET_UINT;
    trove->rules.range = NGX_CONF_UNSET;
    trove->rules.max_speed = NGX_CONF_UNSET;
    trove->rules.dry_run = NGX_CONF_UNSET;
    trove->tap_interval = NGX_CONF_UNSET_UINT;
    trove->tap_burst = NGX_CONF_UNSET_UINT;
    trove->arena = NGX_CONF_UNSET;
    trove->epoch = NGX_CONF_UNSET_MSEC;
    trove->space = NGX_CONF_UNSET_UINT;
    trove->simd = NGX_CONF_UNSET_UINT;
    trove->large_pages = NGX_CONF_UNSET_UINT;
    trove->radius = NGX_CONF_UNSET;
    trove->radius_max = NGX_CONF_UNSET;
    trove->limit = NGX_CONF_UNSET_UINT;
    trove->limit_max = NGX_CONF_UNSET_UINT;
    trove->ack = NGX_CONF_UNSET_UINT;
    trove->ack_timeout = NGX_CONF_UNSET_MSEC;
    trove->eventfd = -1;
    trove->ackfd = -1;
    trove->snapshot = -1;
}


/* nginx prints no double as it was given. */

static char *
ngx_http_trove_radius_above(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    size_t          len;
    u_char          text[2 * NGX_HTTP_TROVE_DOUBLE];
    trove_writer_t  w;

    trove_writer_init(&w, text, sizeof(text));

    trove_write_double(&w, trove->radius);
    len = w.pos - w.start;
    trove_write_double(&w, trove->radius_max);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"radius\" of trove \"%V\", "
                       "%*s, is above its \"max\", %*s", &trove->name,
                       len, text, (size_t) (w.pos - text) - len, text + len);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_trove_set_defaults(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_conf_init_uint_value(trove->rewards, 100000);
    ngx_conf_init_value(trove->arena, 16 * 1024 * 1024);
    ngx_conf_init_msec_value(trove->epoch, 16);
    ngx_conf_init_uint_value(trove->space, TROVE_PLANE);
    ngx_conf_init_uint_value(trove->simd, TROVE_SIMD_AUTO);
    ngx_conf_init_uint_value(trove->large_pages, TROVE_PAGES_AUTO);
    ngx_conf_init_value(trove->radius, 100);
    ngx_conf_init_value(trove->radius_max, ngx_max(trove->radius, 5000));
    ngx_conf_init_uint_value(trove->limit, 3);
    ngx_conf_init_uint_value(trove->limit_max, ngx_max(trove->limit, 64));

    if (trove->radius > trove->radius_max) {
        return ngx_http_trove_radius_above(cf, trove);
    }

    if (trove->limit > trove->limit_max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"limit\" of trove \"%V\", "
                           "%ui, is above its \"max\", %ui",
                           &trove->name, trove->limit, trove->limit_max);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_trove_set_arena(cf, trove) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (trove->epoch == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"epoch\" of trove \"%V\" "
                           "must not be 0", &trove->name);
        return NGX_CONF_ERROR;
    }

    trove->kernels = trove_simd_select(trove->simd);

    if (trove->kernels == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"simd\" of trove \"%V\" "
                           "names instructions that this processor does not "
                           "have", &trove->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_trove_poll_init(cf, trove) != NGX_OK
        || ngx_http_trove_rewards_init(cf, trove) != NGX_OK
        || ngx_http_trove_claim_init(cf, trove) != NGX_OK
        || ngx_http_trove_tap_init(cf, trove) != NGX_OK
        || ngx_http_trove_board_init(cf, trove) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_trove_store_defaults(cf, trove) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_trove_set_capacities(cf, trove);
}


/* Any one request must fit. */

static char *
ngx_http_trove_set_arena(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    off_t        least, list;
    const char  *what;

    what = "a poll of its \"limit\"";
    least = trove->limit_max * sizeof(trove_hit_t);

    list = ngx_http_trove_board_arena(trove);

    if (list > least) {
        what = "a list of its \"board\"";
        least = list;
    }

    least = ngx_max(least + NGX_HTTP_TROVE_POLL_ARENA, TROVE_BLOB_ALIGN);

    if (trove->arena < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"arena\" of trove \"%V\", "
                           "%O bytes, is below the %O that %s may take",
                           &trove->name, trove->arena, least, what);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_trove_set_capacities(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_uint_t           i;
    trove_board_conf_t  *board;

    ngx_conf_init_uint_value(trove->players, 0);

    if (trove->claims == NGX_CONF_UNSET_UINT) {
        trove->claims = ngx_min(trove->players * NGX_HTTP_TROVE_CLAIMS,
                                NGX_HTTP_TROVE_CLAIMS_MAX);
    }

    if (trove->claims && trove->players == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"capacity\" of trove "
                           "\"%V\" has claims=%ui, but no players",
                           &trove->name, trove->claims);
        return NGX_CONF_ERROR;
    }

    board = trove->boards.elts;

    for (i = 0; i < trove->boards.nelts; i++) {

        if (board[i].claims && trove->players == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "board \"%s\" of trove "
                               "\"%V\" is from=claims, but there are no "
                               "players", board[i].name, &trove->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Names become labels of metrics and names of zones. */

ngx_int_t
ngx_http_trove_name_valid(ngx_str_t *name, size_t max)
{
    u_char      ch;
    ngx_uint_t  i;

    if (name->len == 0 || name->len > max) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '_' || ch == '-' || ch == '.'))
        {
            return 0;
        }
    }

    return 1;
}


/* min .. max, with "k" for thousands and "m" for millions */

ngx_int_t
ngx_http_trove_count(ngx_str_t *value, ngx_uint_t min, ngx_uint_t max,
    ngx_uint_t *count)
{
    size_t      len;
    ngx_int_t   n;
    ngx_uint_t  scale;

    if (value->len == 0) {
        return NGX_ERROR;
    }

    len = value->len;
    scale = 1;

    switch (value->data[len - 1]) {

    case 'k':
    case 'K':
        scale = 1000;
        len--;
        break;

    case 'm':
    case 'M':
        scale = 1000000;
        len--;
        break;
    }

    n = ngx_atoi(value->data, len);

    if (n == NGX_ERROR
        || (ngx_uint_t) n < min || (ngx_uint_t) n > max / scale)
    {
        return NGX_ERROR;
    }

    *count = n * scale;

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_distance(ngx_str_t *value, double *distance)
{
    double  d;

    if (trove_number_parse(value->data, value->len, &d) != TROVE_OK
        || !(d > 0 && d <= NGX_HTTP_TROVE_RADIUS_MAX))
    {
        return NGX_ERROR;
    }

    *distance = d;

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_prefixed(ngx_str_t *value, const char *prefix, ngx_str_t *rest)
{
    size_t  len;

    len = ngx_strlen(prefix);

    if (value->len < len || ngx_strncmp(value->data, prefix, len) != 0) {
        return NGX_ERROR;
    }

    rest->data = value->data + len;
    rest->len = value->len - len;

    return NGX_OK;
}


char *
ngx_http_trove_invalid(ngx_conf_t *cf, ngx_str_t *value, const char *must)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\", "
                       "must be %s", value, must);

    return NGX_CONF_ERROR;
}
