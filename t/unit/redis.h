
/*
 * A redis-server of a test's own, on a socket in a folder of its own, with a
 * clock that the test may set.  It ends with the test.
 */

#ifndef REDIS_H_INCLUDED
#define REDIS_H_INCLUDED


#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "trove_redis.h"


#define REDIS_ARGS  16


typedef struct {
    pid_t                pid;
    char                 dir[64];
    char                 clock[80];     /* its file, or empty                */
    volatile uint64_t   *now;           /* microseconds, where it stands     */
    char                 error[TROVE_STORE_ERROR];
    trove_redis_conf_t   conf;
    trove_redis_t        redis;
} redis_t;


/* Without one there is nothing to be tested, which is said. */

static inline int
redis_is_there(void)
{
    if (access("/usr/bin/redis-server", X_OK) == 0) {
        return 1;
    }

    print_message("# skipped: there is no redis-server\n");

    return 0;
}


/*
 * The server's clock is a number in a file, microseconds, if the function that
 * it asks is replaced: where the number stands, it stands still.
 */

static const char  redis_clock_source[] =
    "#include <fcntl.h>\n"
    "#include <stdlib.h>\n"
    "#include <sys/mman.h>\n"
    "#include <sys/time.h>\n"
    "int gettimeofday(struct timeval *restrict tv, void *restrict tz)\n"
    "{\n"
    "    static volatile unsigned long long  *us;\n"
    "    if (us == NULL) {\n"
    "        us = mmap(NULL, 8, PROT_READ, MAP_SHARED,\n"
    "                  open(getenv(\"TROVE_CLOCK\"), O_RDONLY), 0);\n"
    "    }\n"
    "    tv->tv_sec = *us / 1000000;\n"
    "    tv->tv_usec = *us % 1000000;\n"
    "    return 0;\n"
    "}\n";


static inline void
redis_clock_make(redis_t *s, uint64_t now)
{
    int    fd;
    FILE  *f;
    char   command[256];

    (void) snprintf(s->clock, sizeof(s->clock), "%s/clock", s->dir);
    fd = open(s->clock, O_RDWR|O_CREAT|O_EXCL, 0600);
    assert_int_not_equal(fd, -1);
    assert_int_equal(ftruncate(fd, 8), 0);

    s->now = mmap(NULL, 8, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(s->now, MAP_FAILED);
    assert_int_equal(close(fd), 0);
    *s->now = now;

    (void) snprintf(command, sizeof(command),
                    "cc -O2 -shared -fPIC -x c -o %s.so -", s->clock);
    f = popen(command, "w");
    assert_non_null(f);
    assert_int_equal(fputs(redis_clock_source, f) < 0, 0);
    assert_int_equal(pclose(f), 0);
}


static inline void
redis_child(redis_t *s, const char *const *args)
{
    int          n;
    char         preload[96];
    const char  *argv[REDIS_ARGS + 16];

    n = 0;
    argv[n++] = "redis-server";
    argv[n++] = "--port";
    argv[n++] = "0";
    argv[n++] = "--unixsocket";
    argv[n++] = s->conf.path;
    argv[n++] = "--dir";
    argv[n++] = s->dir;
    argv[n++] = "--save";
    argv[n++] = "";
    argv[n++] = "--logfile";
    argv[n++] = "log";

    while (args != NULL && *args != NULL) {
        argv[n++] = *args++;
    }

    argv[n] = NULL;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

    if (s->clock[0] != '\0') {
        (void) snprintf(preload, sizeof(preload), "%s.so", s->clock);
        (void) setenv("LD_PRELOAD", preload, 1);
        (void) setenv("TROVE_CLOCK", s->clock, 1);
    }

    (void) execv("/usr/bin/redis-server", (char *const *) argv);
    _exit(127);
}


/*
 * "now" is 0, or where its clock stands, in microseconds; args end with NULL,
 * which "args" may be, too.
 */

static inline redis_t *
redis_start(uint64_t now, const char *const *args)
{
    int               i;
    redis_t          *s;
    trove_store_rc_t  rc;

    (void) signal(SIGPIPE, SIG_IGN);

    s = calloc(1, sizeof(redis_t));
    assert_non_null(s);

    (void) snprintf(s->dir, sizeof(s->dir), "/tmp/trove-redis-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    (void) snprintf(s->conf.path, sizeof(s->conf.path), "%s/socket", s->dir);
    s->conf.timeout = 10000;

    if (now != 0) {
        redis_clock_make(s, now);
    }

    s->pid = fork();
    assert_int_not_equal(s->pid, -1);

    if (s->pid == 0) {
        redis_child(s, args);
    }

    trove_redis_init(&s->redis, &s->conf, s->error);

    for (i = 0; i < 1000; i++) {
        rc = trove_redis_connect(&s->redis);

        if (rc == TROVE_STORE_DONE || rc == TROVE_STORE_DENIED
            || rc == TROVE_STORE_READONLY)
        {
            return s;
        }

        (void) usleep(10000);
    }

    fail_msg("redis-server does not start: %s", s->error);

    return NULL;
}


static inline void
redis_stop(redis_t *s)
{
    int     status;
    char    name[128];
    size_t  i;

    static const char *const  files[] = {
        "log", "socket", "clock", "clock.so", "dump.rdb"
    };

    trove_redis_close(&s->redis);

    assert_int_equal(kill(s->pid, SIGKILL), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void) snprintf(name, sizeof(name), "%s/%s", s->dir, files[i]);
        (void) unlink(name);
    }

    if (s->now != NULL) {
        (void) munmap((void *) s->now, 8);
    }

    (void) rmdir(s->dir);
    free(s);
}


/* One command, by printf's ways, that must not fail. */

static inline redisReply *
redis_do(redis_t *s, const char *format, ...)
{
    char        *cmd;
    int          n;
    void        *reply;
    va_list      args;

    va_start(args, format);
    n = redisvFormatCommand(&cmd, format, args);
    va_end(args);

    assert_int_not_equal(n, -1);
    assert_int_equal(trove_redis_connect(&s->redis), TROVE_STORE_DONE);
    assert_int_equal(redisAppendFormattedCommand(s->redis.c, cmd, (size_t) n),
                     REDIS_OK);
    assert_int_equal(redisGetReply(s->redis.c, &reply), REDIS_OK);
    redisFreeCommand(cmd);

    if (((redisReply *) reply)->type == REDIS_REPLY_ERROR) {
        fail_msg("%s: %s", format, ((redisReply *) reply)->str);
    }

    return reply;
}


static inline void
redis_did(redis_t *s, const char *command)
{
    freeReplyObject(redis_do(s, command));
}


/* Changes to its keys, so far. */

static inline uint64_t
redis_writes(redis_t *s)
{
    uint64_t     n;
    redisReply  *reply;
    const char  *field;

    reply = redis_do(s, "INFO persistence");
    field = strstr(reply->str, "rdb_changes_since_last_save:");
    assert_non_null(field);
    n = strtoull(strchr(field, ':') + 1, NULL, 10);
    freeReplyObject(reply);

    return n;
}


/* Calls the trove's script: argv are the call, the rules and the ops. */

static inline trove_store_rc_t
redis_eval(redis_t *s, const trove_slice_t *trove, redisReply **reply,
    int argc, const char **argv, const size_t *lens)
{
    char               key[TROVE_REDIS_KEY + 64];
    size_t             len[TROVE_REDIS_OPS + 6];
    const char        *arg[TROVE_REDIS_OPS + 6];
    trove_store_rc_t   rc;

    assert_true(trove->len <= 64);
    assert_true(argc <= TROVE_REDIS_OPS + 2);

    arg[0] = "EVALSHA";
    len[0] = 7;
    arg[1] = trove_redis_script_sha;
    len[1] = sizeof(trove_redis_script_sha) - 1;
    arg[2] = "1";
    len[2] = 1;
    arg[3] = key;
    len[3] = trove_redis_key(key, trove, "");
    memcpy(arg + 4, argv, (size_t) argc * sizeof(char *));
    memcpy(len + 4, lens, (size_t) argc * sizeof(size_t));

    rc = trove_redis_command(&s->redis, reply, argc + 4, arg, len);

    if (rc == TROVE_STORE_DONE || strstr(s->error, "NOSCRIPT") == NULL) {
        return rc;
    }

    arg[0] = "EVAL";
    len[0] = 4;
    arg[1] = trove_redis_script;
    len[1] = trove_redis_script_len;

    return trove_redis_command(&s->redis, reply, argc + 4, arg, len);
}


/*
 * Runs tests of which the first, "without", need no server, and these alone if
 * there is none.
 */

static inline int
redis_tests(const char *name, const struct CMUnitTest *tests, size_t n,
    size_t without, CMFixtureFunction setup, CMFixtureFunction teardown)
{
    return _cmocka_run_group_tests(name, tests,
                                   redis_is_there() ? n : without, setup,
                                   teardown);
}


#endif /* REDIS_H_INCLUDED */
