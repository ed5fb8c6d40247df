
#include "ngx_http_trove.h"


static ngx_conf_enum_t  ngx_http_trove_spaces[] = {
    { ngx_string("plane"), TROVE_PLANE },
    { ngx_string("earth"), TROVE_EARTH },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_trove_simds[] = {
    { ngx_string("auto"), TROVE_SIMD_AUTO },
    { ngx_string("avx512"), TROVE_SIMD_AVX512 },
    { ngx_string("avx2"), TROVE_SIMD_AVX2 },
    { ngx_string("scalar"), TROVE_SIMD_SCALAR },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_trove_pages[] = {
    { ngx_string("auto"), TROVE_PAGES_AUTO },
    { ngx_string("on"), TROVE_PAGES_ON },
    { ngx_string("off"), TROVE_PAGES_OFF },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_trove_commands[] = {

    { ngx_string("trove"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_trove_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /* inside of the block, where the offset leads to its ngx_http_trove_t */

    { ngx_string("include"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE1,
      ngx_conf_include,
      0,
      0,
      NULL },

    { ngx_string("capacity"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_1MORE,
      ngx_http_trove_capacity,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("arena"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_trove_t, arena),
      NULL },

    { ngx_string("epoch"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_trove_t, epoch),
      NULL },

    { ngx_string("space"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_trove_t, space),
      &ngx_http_trove_spaces },

    { ngx_string("radius"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE12,
      ngx_http_trove_radius,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("limit"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE12,
      ngx_http_trove_limit,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("store"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE123,
      ngx_http_trove_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ack"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE12,
      ngx_http_trove_ack,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("overflow"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_1MORE,
      ngx_http_trove_overflow,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("claim"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_1MORE,
      ngx_http_trove_claim,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tap"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE12,
      ngx_http_trove_tap,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("coin"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE3,
      ngx_http_trove_coin,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("board"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_2MORE,
      ngx_http_trove_board,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("simd"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_trove_t, simd),
      &ngx_http_trove_simds },

    { ngx_string("large_pages"),
      NGX_HTTP_TROVE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_trove_t, large_pages),
      &ngx_http_trove_pages },

    /* locations */

    { ngx_string("trove_poll"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_http_trove_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_trove_poll_handler },

    { ngx_string("trove_rewards"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_http_trove_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_trove_rewards_handler },

    { ngx_string("trove_claim"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_http_trove_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_trove_claim_handler },

    { ngx_string("trove_tap"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_http_trove_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_trove_tap_handler },

    { ngx_string("trove_board"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_http_trove_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_http_trove_board_handler },

    { ngx_string("trove_player"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_trove_player,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("trove_stats"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_trove_stats,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_trove_module_ctx = {
    ngx_http_trove_add_variables,          /* preconfiguration */
    ngx_http_trove_postconfiguration,      /* postconfiguration */

    ngx_http_trove_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_trove_create_loc_conf,        /* create location configuration */
    ngx_http_trove_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_trove_module = {
    NGX_MODULE_V1,
    &ngx_http_trove_module_ctx,            /* module context */
    ngx_http_trove_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_trove_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_trove_exit_process,           /* exit process */
    ngx_http_trove_exit_master,            /* exit master */
    NGX_MODULE_V1_PADDING
};
