/*
 * What the tests of boards have in common.
 */

#ifndef BOARDS_H_INCLUDED
#define BOARDS_H_INCLUDED


#include "players.h"
#include "trove_board_data.h"
#include "trove_dirty.h"


static inline trove_board_conf_t
board_conf(const char *name, uint32_t rows)
{
    trove_board_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    (void) snprintf(conf.name, sizeof(conf.name), "%s", name);
    conf.rows = rows;
    conf.row = 128;

    return conf;
}


static inline trove_ledger_t *
boards_new(const trove_board_conf_t *boards, uint32_t n)
{
    trove_ledger_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.rewards = 1;
    conf.boards = boards;
    conf.nboards = n;

    return trove_ledger_init(shared_new(trove_ledger_size(&conf)), &conf);
}


#endif /* BOARDS_H_INCLUDED */
