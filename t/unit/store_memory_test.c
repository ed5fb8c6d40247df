
/*
 * The SQLite store takes its memory when it is opened, and no more while its
 * database grows.  A program of its own, for what it tells SQLite must come
 * before anything else that uses SQLite.
 */

#include <sys/stat.h>

#include "unit.h"
#include <sqlite3.h>

#include "trove_store.h"


#define COMMITS  100
#define PLAYERS  2000         /* of each commit                              */
#define GROWTH   131072       /* bytes of a few pages and their table        */


static void
write_players(trove_store_t *s, uint32_t from, uint64_t version)
{
    char                  id[16];
    uint32_t              n;
    trove_store_player_t  p;

    assert_int_equal(trove_store_begin(s), TROVE_STORE_DONE);

    memset(&p, 0, sizeof(p));

    for (n = from; n < from + PLAYERS; n++) {
        p.number = n;
        p.id.data = (unsigned char *) id;
        p.id.len = (size_t) snprintf(id, sizeof(id), "player %u", n);
        p.data.balance = n;

        assert_int_equal(trove_store_put_player(s, &p), TROVE_STORE_DONE);
    }

    assert_int_equal(trove_store_commit(s, version), TROVE_STORE_DONE);
    trove_store_tidy(s);
}


/* Bytes of pages that were not a part of what a cache has taken at once. */

static int64_t
cached_beside(void)
{
    sqlite3_int64  now, most;

    assert_int_equal(sqlite3_status64(SQLITE_STATUS_PAGECACHE_OVERFLOW, &now,
                                      &most, 0), SQLITE_OK);

    return now;
}


static void
a_store_does_not_grow_with_its_database(void **state)
{
    char                  dir[] = "/tmp/trove-XXXXXX", path[64], command[64];
    char                  error[TROVE_STORE_ERROR];
    int64_t               before;
    uint32_t              i;
    struct stat           st;
    trove_store_t        *s;
    trove_store_conf_t    conf;
    trove_store_stats_t   stats;

    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/x.db", dir);

    memset(&stats, 0, sizeof(stats));
    memset(&conf, 0, sizeof(conf));

    conf.path = path;
    conf.log_size = 1 << 20;
    conf.log_max = TROVE_STORE_LOG_MAX;
    conf.stats = &stats;
    conf.error = error;

    assert_int_equal(trove_store_open(&trove_store_sqlite, &conf, &s),
                     TROVE_STORE_DONE);

    write_players(s, 0, 1);
    before = cached_beside();

    for (i = 1; i < COMMITS; i++) {
        write_players(s, i * PLAYERS, i + 1);
    }

    /* more than fits */

    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 3 << 20);

    assert_true(cached_beside() - before < GROWTH);

    trove_store_close(s);

    (void) snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_store_does_not_grow_with_its_database)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
