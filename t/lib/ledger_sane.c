
/*
 * ledger_sane FILE: whether the ledger that nginx has left in this file is
 * sane, once what the dead have begun is carried out.
 */

#include <stdio.h>

#include "trove_claims.h"
#include "trove_ledger_file.h"


int
main(int argc, char *const *argv)
{
    char                 error[TROVE_LEDGER_FILE_ERROR];
    trove_rc_t           rc;
    trove_ledger_conf_t  conf = { 0 };
    trove_ledger_file_t  f;

    if (argc != 2) {
        return 2;
    }

    rc = trove_ledger_file_open(&f, argv[1], &conf, error);

    if (rc != TROVE_OK || f.ledger == NULL) {
        printf("%s\n", (rc != TROVE_OK) ? error : "there is no ledger");
        return 1;
    }

    if (trove_ledger_players(f.ledger) != 0
        && trove_redo_recover(f.ledger) != TROVE_OK)
    {
        printf("what the dead have begun cannot be carried out\n");
        return 1;
    }

    if (!trove_ledger_sane(f.ledger)) {
        printf("the ledger is not sane\n");
        return 1;
    }

    printf("sane, %u rewards, %u players, %u claims\n",
           trove_ledger_rewards(f.ledger), trove_ledger_players(f.ledger),
           trove_ledger_claims(f.ledger));

    return 0;
}
