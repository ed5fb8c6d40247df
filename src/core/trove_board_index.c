
/*
 * The index of a board's table, from a player to the row.
 */

#include "trove_board_data.h"


const trove_board_cell_t *
trove_board_likely(const trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t tag)
{
    uint32_t                   at, n;
    uint64_t                   link;
    const trove_board_t       *b;
    const trove_board_cell_t  *cells;

    b = trove_board_of(l, board);
    cells = trove_board_cells(l, board, table);
    at = trove_board_home(b, tag);

    for (n = 0; n < b->at.cells; n++) {
        link = trove_get(&cells[at].link);

        if (link == 0) {
            break;
        }

        if (link >> 32 == tag) {
            return &cells[at];
        }

        at = trove_board_next(b, at);
    }

    return NULL;
}


uint32_t
trove_board_probe(const trove_ledger_t *l, uint32_t board, uint32_t table,
    const trove_slice_t *id, uint32_t tag, uint32_t *cell)
{
    uint32_t               at, n, row;
    uint64_t               found;
    const trove_board_t   *b;
    trove_board_cell_t    *cells;
    trove_board_words_t    head;

    b = trove_board_of(l, board);
    cells = trove_board_cells(l, board, table);
    at = trove_board_home(b, tag);

    for (n = 0; n < b->at.cells; n++) {
        found = trove_acquire(&cells[at].link);

        if (found == 0) {
            break;
        }

        row = (uint32_t) found - 1;

        if (found >> 32 == tag && row < trove_board_conf(l, board)->rows) {
            trove_board_head(trove_board_line(l, board, table, row), &head);

            if (trove_board_is(&head, id)) {
                *cell = at;
                return row;
            }
        }

        at = trove_board_next(b, at);
    }

    *cell = at;

    return TROVE_LEDGER_NONE;
}


/*
 * A cell may be moved into the hole, and leaves another one, if its home does
 * not lie behind it, cyclically in hole + 1 .. at.
 */

void
trove_board_close_hole(trove_ledger_t *l, uint32_t board, uint32_t table,
    uint32_t hole)
{
    uint32_t              at, home;
    uint64_t              link;
    const trove_board_t  *b;
    trove_board_cell_t   *cells;

    b = trove_board_of(l, board);
    cells = trove_board_cells(l, board, table);
    at = hole;

    for ( ;; ) {
        at = trove_board_next(b, at);
        link = trove_get(&cells[at].link);

        if (link == 0) {
            break;
        }

        home = trove_board_home(b, (uint32_t) (link >> 32));

        if ((hole < at) ? (home > hole && home <= at)
                        : (home > hole || home <= at))
        {
            continue;
        }

        trove_set(&cells[hole].key, trove_get(&cells[at].key));
        trove_set(&cells[hole].link, link);
        TROVE_FAULT("board: cell moved");

        hole = at;
    }

    trove_set(&cells[hole].link, 0);
    TROVE_FAULT("board: hole closed");
}
