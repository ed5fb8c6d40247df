
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_BOARD_ROWS  2147483647
#define NGX_HTTP_TROVE_BOARD_ROW   256
#define NGX_HTTP_TROVE_BOARD_NONE  UINT32_MAX    /* of an option: not given  */


static ngx_int_t ngx_http_trove_board_name(ngx_conf_t *cf,
    ngx_http_trove_t *trove, ngx_str_t *name);
static ngx_int_t ngx_http_trove_board_option(ngx_str_t *value,
    trove_board_conf_t *board);
static ngx_int_t ngx_http_trove_board_enum(ngx_str_t *value,
    ngx_conf_enum_t *e, uint32_t *option);
static ngx_int_t ngx_http_trove_board_row(ngx_str_t *value, uint32_t *row);
static char *ngx_http_trove_board_defaults(ngx_conf_t *cf,
    trove_board_conf_t *board);


static ngx_conf_enum_t  ngx_http_trove_board_keeps[] = {
    { ngx_string("max"), TROVE_BOARD_MAX },
    { ngx_string("min"), TROVE_BOARD_MIN },
    { ngx_string("last"), TROVE_BOARD_LAST },
    { ngx_string("sum"), TROVE_BOARD_SUM },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_trove_board_orders[] = {
    { ngx_string("desc"), TROVE_BOARD_DESC },
    { ngx_string("asc"), TROVE_BOARD_ASC },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_trove_board_ties[] = {
    { ngx_string("first"), TROVE_BOARD_FIRST },
    { ngx_string("shared"), TROVE_BOARD_SHARED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_trove_board_resets[] = {
    { ngx_string("never"), TROVE_BOARD_NEVER },
    { ngx_string("daily"), TROVE_BOARD_DAILY },
    { ngx_string("weekly"), TROVE_BOARD_WEEKLY },
    { ngx_string("monthly"), TROVE_BOARD_MONTHLY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_trove_board_froms[] = {
    { ngx_string("claims"), 1 },
    { ngx_null_string, 0 }
};


static const struct {
    const char       *prefix;
    size_t            offset;
    ngx_conf_enum_t  *values;
} ngx_http_trove_board_options[] = {

    { "keep=", offsetof(trove_board_conf_t, keep),
      ngx_http_trove_board_keeps },

    { "order=", offsetof(trove_board_conf_t, order),
      ngx_http_trove_board_orders },

    { "ties=", offsetof(trove_board_conf_t, ties),
      ngx_http_trove_board_ties },

    { "reset=", offsetof(trove_board_conf_t, reset),
      ngx_http_trove_board_resets },

    { "from=", offsetof(trove_board_conf_t, claims),
      ngx_http_trove_board_froms },

    { NULL, 0, NULL }
};


static const trove_field_t  ngx_http_trove_board_fields[] = {
    { "player", TROVE_FIELD_PLAYER,
      offsetof(ngx_http_trove_score_t, player), 0, 0 },
    { "score", TROVE_FIELD_INT64, offsetof(ngx_http_trove_score_t, score),
      -(double) TROVE_BOARD_SCORE_MAX, (double) TROVE_BOARD_SCORE_MAX },
    { "data", TROVE_FIELD_TEXT, offsetof(ngx_http_trove_score_t, data),
      0, 0 },
    { "seq", TROVE_FIELD_INT64, offsetof(ngx_http_trove_score_t, seq),
      1, NGX_HTTP_TROVE_SEQ_MAX }
};


char *
ngx_http_trove_board(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t    *trove = conf;

    ngx_str_t           *value;
    ngx_uint_t           i;
    trove_board_conf_t  *board;

    static const char    must[] = "rows=1 to 2147483647, row=128 to 4k by 8, "
                                  "keep=max, min, last or sum, order=desc or "
                                  "asc, ties=first or shared, reset=never, "
                                  "daily, weekly or monthly, or from=claims, "
                                  "each once";

    value = cf->args->elts;

    if (ngx_http_trove_board_name(cf, trove, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (trove->boards.elts == NULL
        && ngx_array_init(&trove->boards, cf->pool, 4,
                          sizeof(trove_board_conf_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    board = ngx_array_push(&trove->boards);
    if (board == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(board, sizeof(trove_board_conf_t));
    ngx_memcpy(board->name, value[1].data, value[1].len);

    board->keep = NGX_HTTP_TROVE_BOARD_NONE;
    board->order = NGX_HTTP_TROVE_BOARD_NONE;
    board->ties = NGX_HTTP_TROVE_BOARD_NONE;
    board->reset = NGX_HTTP_TROVE_BOARD_NONE;
    board->claims = NGX_HTTP_TROVE_BOARD_NONE;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_trove_board_option(&value[i], board) != NGX_OK) {
            return ngx_http_trove_invalid(cf, &value[i], must);
        }
    }

    return ngx_http_trove_board_defaults(cf, board);
}


/* It is a part of URIs, where dots may mean something. */

static ngx_int_t
ngx_http_trove_board_name(ngx_conf_t *cf, ngx_http_trove_t *trove,
    ngx_str_t *name)
{
    if (!ngx_http_trove_name_valid(name, TROVE_BOARD_NAME)
        || ngx_strlchr(name->data, name->data + name->len, '.'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid board name \"%V\", "
                           "must be 1 to %d letters, digits, \"_\" or \"-\"",
                           name, TROVE_BOARD_NAME);
        return NGX_ERROR;
    }

    if (ngx_http_trove_board_find(trove, name->data, name->len)
        != TROVE_BOARD_NONE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate board \"%V\"",
                           name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Each may be given once. */

static ngx_int_t
ngx_http_trove_board_option(ngx_str_t *value, trove_board_conf_t *board)
{
    uint32_t   *option;
    ngx_str_t   rest;
    ngx_uint_t  i, rows;

    for (i = 0; ngx_http_trove_board_options[i].prefix; i++) {

        if (ngx_http_trove_prefixed(value,
                                    ngx_http_trove_board_options[i].prefix,
                                    &rest)
            != NGX_OK)
        {
            continue;
        }

        option = (uint32_t *) ((char *) board
                               + ngx_http_trove_board_options[i].offset);

        return (*option == NGX_HTTP_TROVE_BOARD_NONE)
               ? ngx_http_trove_board_enum(&rest,
                                       ngx_http_trove_board_options[i].values,
                                       option)
               : NGX_ERROR;
    }

    if (ngx_http_trove_prefixed(value, "row=", &rest) == NGX_OK) {
        return board->row ? NGX_ERROR
                          : ngx_http_trove_board_row(&rest, &board->row);
    }

    if (ngx_http_trove_prefixed(value, "rows=", &rest) != NGX_OK
        || board->rows
        || ngx_http_trove_count(&rest, 1, NGX_HTTP_TROVE_BOARD_ROWS, &rows)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    board->rows = rows;

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_board_enum(ngx_str_t *value, ngx_conf_enum_t *e,
    uint32_t *option)
{
    for ( /* void */ ; e->name.len; e++) {

        if (e->name.len == value->len
            && ngx_strncmp(e->name.data, value->data, value->len) == 0)
        {
            *option = e->value;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_trove_board_row(ngx_str_t *value, uint32_t *row)
{
    ssize_t  size;

    size = ngx_parse_size(value);

    if (size < TROVE_BOARD_ROW_MIN || size > TROVE_BOARD_ROW_MAX
        || size % 8 != 0)
    {
        return NGX_ERROR;
    }

    *row = size;

    return NGX_OK;
}


static char *
ngx_http_trove_board_defaults(ngx_conf_t *cf, trove_board_conf_t *board)
{
    if (board->rows == 0) {
        return "has no \"rows\"";
    }

    if (board->row == 0) {
        board->row = NGX_HTTP_TROVE_BOARD_ROW;
    }

    if (board->claims == NGX_HTTP_TROVE_BOARD_NONE) {
        board->claims = 0;
    }

    if (board->keep == NGX_HTTP_TROVE_BOARD_NONE) {
        board->keep = board->claims ? TROVE_BOARD_SUM : TROVE_BOARD_MAX;
    }

    if (board->claims && board->keep != TROVE_BOARD_SUM) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "board \"%s\" adds up what "
                           "claims give, it can only keep=sum", board->name);
        return NGX_CONF_ERROR;
    }

    if (board->order == NGX_HTTP_TROVE_BOARD_NONE) {
        board->order = TROVE_BOARD_DESC;
    }

    if (board->ties == NGX_HTTP_TROVE_BOARD_NONE) {
        board->ties = TROVE_BOARD_FIRST;
    }

    if (board->reset == NGX_HTTP_TROVE_BOARD_NONE) {
        board->reset = TROVE_BOARD_NEVER;
    }

    return NGX_CONF_OK;
}


/* Sets the bounds that each board's row gives. */

ngx_int_t
ngx_http_trove_board_init(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_uint_t           i;
    trove_field_t       *f;
    trove_board_conf_t  *board;

    if (trove->boards.nelts == 0) {
        return NGX_OK;
    }

    board = trove->boards.elts;

    f = ngx_palloc(cf->pool, trove->boards.nelts
                             * sizeof(ngx_http_trove_board_fields));
    if (f == NULL) {
        return NGX_ERROR;
    }

    trove->board_fields = f;

    for (i = 0; i < trove->boards.nelts; i++) {
        ngx_memcpy(f, ngx_http_trove_board_fields,
                   sizeof(ngx_http_trove_board_fields));

        f[2].max = board[i].row - TROVE_BOARD_HEAD;
        f += NGX_HTTP_TROVE_BOARD_FIELDS;
    }

    return NGX_OK;
}


off_t
ngx_http_trove_board_arena(ngx_http_trove_t *trove)
{
    off_t                most, size;
    ngx_uint_t           i;
    trove_board_conf_t  *board;

    most = 0;
    board = trove->boards.elts;

    for (i = 0; i < trove->boards.nelts; i++) {
        size = ngx_min(board[i].rows, NGX_HTTP_TROVE_BOARD_LIST)
               * (board[i].row + sizeof(trove_board_entry_t));
        most = ngx_max(most, size);
    }

    return most;
}


uint64_t
ngx_http_trove_board_rows(ngx_http_trove_t *trove)
{
    uint64_t             rows;
    ngx_uint_t           i;
    trove_board_conf_t  *board;

    rows = 0;
    board = trove->boards.elts;

    for (i = 0; i < trove->boards.nelts; i++) {
        rows += board[i].rows;
    }

    return rows;
}


uint32_t
ngx_http_trove_board_find(ngx_http_trove_t *trove, u_char *name, size_t len)
{
    uint32_t             i;
    trove_board_conf_t  *board;

    board = trove->boards.elts;

    for (i = 0; i < trove->boards.nelts; i++) {

        if (ngx_strlen(board[i].name) == len
            && ngx_strncmp(board[i].name, name, len) == 0)
        {
            return i;
        }
    }

    return TROVE_BOARD_NONE;
}
