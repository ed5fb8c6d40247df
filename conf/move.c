
/*
 * Moves a trove from an SQLite database to Redis, or from there to one, while
 * no nginx has it: see conf/move.
 *
 *   move sqlite:PATH redis://... NAME
 *   move redis://... sqlite:PATH NAME
 *
 * What is left behind stays: the database has all that its ledger's file had,
 * which is removed; in Redis the trove has another id afterwards, so that no
 * machine goes on writing there unnoticed.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trove_board_data.h"
#include "trove_follow.h"
#include "trove_ledger_data.h"
#include "trove_space.h"
#include "trove_start.h"


#define MOVE_ROWS     256               /* of a command                      */
#define MOVE_TIMEOUT  10000             /* ms                                */
#define MOVE_BOARDS   1024


typedef struct {
    trove_redis_t         redis;
    trove_redis_conf_t    conf;
    trove_slice_t         trove;
    char                  error[TROVE_STORE_ERROR];

    /* rows on their way */

    char                  key[TROVE_REDIS_KEY + 256];
    char                 *rows[2 * MOVE_ROWS];
    size_t                lens[2 * MOVE_ROWS];
    uint32_t              n;
} move_redis_t;


typedef struct {
    uint64_t              rewards;
    uint64_t              players;
    uint64_t              claims;
    uint64_t              scores;
    uint64_t              version;
} move_count_t;


typedef struct {
    char                  player[TROVE_PLAYER_MAX];
    uint32_t              len;
} move_player_t;


typedef struct {
    char                  player[TROVE_PLAYER_MAX];
    uint32_t              len;
    char                 *data;
    size_t                data_len;
    int64_t               score;
    uint64_t              reached;
    uint64_t              seq;
} move_score_t;


/* What is loaded of the database, until it can be sent. */

typedef struct {
    move_redis_t         *to;
    move_count_t          count;

    trove_redis_reward_t *rewards;      /* by id, once claims come           */
    size_t                nrewards;
    size_t                room;
    int                   sorted;

    move_player_t        *players;      /* by number; len is 0: none         */
    size_t                nplayers;

    unsigned char        *claimed;      /* by number: of the reward at hand  */
    uint32_t             *numbers;
    size_t                nclaimed;
    uint32_t              reward;
    uint64_t              granted;
    uint32_t              born;         /* the latest                        */

    trove_board_conf_t    board;
    uint64_t              period;
    move_score_t         *scores;
    size_t                nscores;
    size_t                score_room;
    uint64_t              reached;      /* of any row, at most               */
    int                   in_period;
} move_load_t;


/* What has been done to Redis, for who fails. */

static move_redis_t   *done_to;
static char            was_instance[TROVE_STORE_INSTANCE + 1];
static char           *made[MOVE_BOARDS + 4];
static uint32_t        nmade;


static void move_undo(void);


static void
die(const char *format, ...)
{
    va_list  args;

    (void) fputs("move: ", stderr);

    va_start(args, format);
    (void) vfprintf(stderr, format, args);
    va_end(args);

    (void) fputc('\n', stderr);

    move_undo();

    exit(1);
}


static void *
room(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);

    if (p == NULL) {
        die("no memory");
    }

    return p;
}


/*
 * Redis
 */

static void
redis_open(move_redis_t *r, const char *url, const char *name)
{
    trove_slice_t  value;

    memset(r, 0, sizeof(move_redis_t));

    value.data = (const unsigned char *) url;
    value.len = strlen(url);

    if (trove_redis_parse(&value, &r->conf, r->error) != TROVE_OK) {
        die("%s", r->error);
    }

    r->conf.timeout = MOVE_TIMEOUT;
    r->trove.data = (const unsigned char *) name;
    r->trove.len = strlen(name);

    trove_redis_init(&r->redis, &r->conf, r->error);
}


static void
redis_key(move_redis_t *r, const char *part)
{
    (void) trove_redis_key(r->key, &r->trove, part);
}


static redisReply *
redis_ask(move_redis_t *r, int type, const char *format, ...)
{
    int                  n;
    char                *cmd;
    va_list              args;
    redisReply          *reply;

    va_start(args, format);
    n = vasprintf(&cmd, format, args);
    va_end(args);

    if (n == -1) {
        die("no memory");
    }

    /* no argument has a blank, or a sign of printf's */

    if (trove_redis_commandf(&r->redis, &reply, cmd) != TROVE_STORE_DONE) {
        die("%s", r->error);
    }

    free(cmd);

    if (reply->type != type) {
        die("Redis answers with something else");
    }

    return reply;
}


static uint64_t
redis_number(move_redis_t *r, const char *command, const char *part)
{
    uint64_t     n;
    redisReply  *reply;

    if (part) {
        redis_key(r, part);
    }

    reply = redis_ask(r, REDIS_REPLY_INTEGER, "%s %s", command, r->key);
    n = (uint64_t) reply->integer;
    freeReplyObject(reply);

    return n;
}


static void
redis_none(move_redis_t *r, const char *part)
{
    if (redis_number(r, "EXISTS", part)) {
        die("there is a trove of this name in Redis already, or what is left "
            "of one: its key \"%s\"", r->key);
    }
}


/* It gets another id, so that calls of machines that know it are refused. */

static void
redis_rename(move_redis_t *r, const char *instance)
{
    redis_key(r, "");

    freeReplyObject(redis_ask(r, REDIS_REPLY_INTEGER, "HSET %s instance %s",
                              r->key, instance));
}


/* The key is new. */

static void
redis_makes(move_redis_t *r)
{
    uint32_t  i;

    for (i = 0; i < nmade; i++) {
        if (strcmp(made[i], r->key) == 0) {
            return;
        }
    }

    if (nmade == sizeof(made) / sizeof(made[0])) {
        die("there are more than %d periods of boards", MOVE_BOARDS);
    }

    made[nmade] = strdup(r->key);

    if (made[nmade++] == NULL) {
        die("no memory");
    }

    done_to = r;
}


static void
move_undo(void)
{
    move_redis_t  *r;

    r = done_to;
    done_to = NULL;

    if (r == NULL) {
        return;
    }

    if (was_instance[0]) {
        redis_rename(r, was_instance);
    }

    while (nmade) {
        freeReplyObject(redis_ask(r, REDIS_REPLY_INTEGER, "UNLINK %s",
                                  made[--nmade]));
    }
}


/* All rows so far are there. */

static void
redis_send(move_redis_t *r)
{
    uint32_t      i;
    size_t        lens[2 * MOVE_ROWS + 2];
    redisReply   *reply;
    const char   *argv[2 * MOVE_ROWS + 2];

    if (r->n == 0) {
        return;
    }

    redis_makes(r);

    argv[0] = "HSET";
    lens[0] = 4;
    argv[1] = r->key;
    lens[1] = strlen(r->key);

    for (i = 0; i < r->n; i++) {
        argv[2 + i] = r->rows[i];
        lens[2 + i] = r->lens[i];
    }

    if (trove_redis_command(&r->redis, &reply, (int) r->n + 2, argv, lens)
        != TROVE_STORE_DONE)
    {
        die("%s", r->error);
    }

    freeReplyObject(reply);

    for (i = 0; i < r->n; i++) {
        free(r->rows[i]);
    }

    r->n = 0;
}


static void
redis_row(move_redis_t *r, const char *field, size_t nfield,
    const char *value, size_t nvalue)
{
    if (r->n == 2 * MOVE_ROWS) {
        redis_send(r);
    }

    r->rows[r->n] = room(NULL, nfield);
    memcpy(r->rows[r->n], field, nfield);
    r->lens[r->n++] = nfield;

    r->rows[r->n] = room(NULL, nvalue);
    memcpy(r->rows[r->n], value, nvalue);
    r->lens[r->n++] = nvalue;
}


/* Whoever follows it, or has just written, has an nginx that runs. */

static void
redis_idle(move_redis_t *r)
{
    char         name[TROVE_REDIS_KEY + 256];
    redisReply  *reply;

    (void) snprintf(name, sizeof(name), " name=" TROVE_FOLLOW_NAME "%.*s ",
                    (int) r->trove.len, r->trove.data);

    reply = redis_ask(r, REDIS_REPLY_STRING, "CLIENT LIST");

    if (strstr(reply->str, name) != NULL) {
        die("the trove is in use: an nginx follows it, quit that first");
    }

    freeReplyObject(reply);
}


/*
 * From SQLite
 */

static int
by_id(const void *a, const void *b)
{
    uint32_t  x, y;

    x = ((const trove_redis_reward_t *) a)->reward.id;
    y = ((const trove_redis_reward_t *) b)->reward.id;

    return (x > y) - (x < y);
}


static int
by_reached(const void *a, const void *b)
{
    uint64_t  x, y;

    x = ((const move_score_t *) a)->reached;
    y = ((const move_score_t *) b)->reached;

    return (x > y) - (x < y);
}


static void
fits(const char *what, const trove_slice_t *player, double n)
{
    if (n > (double) TROVE_REDIS_NUMBER || n < -(double) TROVE_REDIS_NUMBER) {
        die("the %s of player \"%.*s\" is beyond 2^53, which is all that "
            "Redis can hold", what, (int) player->len, player->data);
    }
}


static trove_rc_t
load_reward(void *data, const trove_store_reward_t *r)
{
    move_load_t           *l = data;

    trove_redis_reward_t  *reward;

    if (l->nrewards == l->room) {
        l->room = 2 * l->room + 1024;
        l->rewards = room(l->rewards, l->room * sizeof(trove_redis_reward_t));
    }

    reward = &l->rewards[l->nrewards++];
    reward->reward = r->reward;
    reward->reward.taken = 0;
    reward->born = r->born;

    if (r->born > l->born) {
        l->born = r->born;
    }

    return TROVE_OK;
}


static trove_rc_t
load_player(void *data, const trove_store_player_t *p)
{
    move_load_t           *l = data;

    char                   field[TROVE_REDIS_FIELD], value[TROVE_REDIS_VALUE];
    size_t                 nfield, nvalue, n;
    trove_redis_player_t   player;

    if (p->number >= l->nplayers) {
        n = l->nplayers;
        l->nplayers = 2 * (size_t) p->number + 1024;
        l->players = room(l->players, l->nplayers * sizeof(move_player_t));
        memset(l->players + n, 0, (l->nplayers - n) * sizeof(move_player_t));
    }

    memcpy(l->players[p->number].player, p->id.data, p->id.len);
    l->players[p->number].len = p->id.len;

    fits("balance", &p->id, (double) p->data.balance);
    fits("seq", &p->id, (double) p->data.seq);

    player.player = p->id;
    player.data = p->data;

    trove_redis_player_write(&player, field, &nfield, value, &nvalue);
    redis_row(l->to, field, nfield, value, nvalue);

    l->count.players++;

    return TROVE_OK;
}


/* The players are there: begins with the claims. */

static void
load_players_end(move_load_t *l)
{
    redis_send(l->to);
    redis_key(l->to, ":claims");

    qsort(l->rewards, l->nrewards, sizeof(trove_redis_reward_t), by_id);
    l->sorted = 1;

    l->claimed = room(NULL, l->nplayers);
    memset(l->claimed, 0, l->nplayers);
    l->numbers = room(NULL, l->nplayers * sizeof(uint32_t));
}


/*
 * By their rewards, of which each has as many taken as there are claims; of a
 * player's claims of rewards that had the same id the later overwrites.
 */

static trove_rc_t
load_claim(void *data, const trove_store_claim_t *c)
{
    move_load_t           *l = data;

    char                   field[TROVE_REDIS_FIELD], value[TROVE_REDIS_VALUE];
    size_t                 nfield, nvalue;
    trove_redis_claim_t    claim;
    trove_redis_reward_t  *r, key;

    if (!l->sorted) {
        load_players_end(l);
    }

    if (c->player >= l->nplayers || l->players[c->player].len == 0) {
        return TROVE_INVALID;
    }

    if (c->reward != l->reward) {
        l->reward = c->reward;

        while (l->nclaimed) {
            l->claimed[l->numbers[--l->nclaimed]] = 0;
        }
    }

    if (!l->claimed[c->player]) {
        l->claimed[c->player] = 1;
        l->numbers[l->nclaimed++] = c->player;
        l->count.claims++;
    }

    claim.player.data = (unsigned char *) l->players[c->player].player;
    claim.player.len = l->players[c->player].len;
    claim.claim = *c;

    fits("balance", &claim.player, (double) c->balance);

    key.reward.id = c->reward;
    r = bsearch(&key, l->rewards, l->nrewards, sizeof(key), by_id);

    if (r != NULL && r->born == c->born) {
        claim.claim.ordinal = ++r->reward.taken;
    }

    if (c->born > l->born) {
        l->born = c->born;
    }

    l->granted++;

    trove_redis_claim_write(&claim, field, &nfield, value, &nvalue);
    redis_row(l->to, field, nfield, value, nvalue);

    return TROVE_OK;
}


/* The rows of a period, in the order in which they were reached. */

static void
load_period_end(move_load_t *l)
{
    char                 *value, field[TROVE_REDIS_FIELD], key[24];
    size_t                i, nfield, nvalue;
    uint64_t              ends, rows;
    trove_redis_score_t   s;

    if (!l->in_period) {
        return;
    }

    l->in_period = 0;

    redis_send(l->to);
    (void) trove_redis_board_key(l->to->key, &l->to->trove, &l->board,
                                 l->period);
    redis_none(l->to, NULL);

    qsort(l->scores, l->nscores, sizeof(move_score_t), by_reached);

    for (i = 0; i < l->nscores; i++) {
        memset(&s, 0, sizeof(s));

        s.row.player.data = (unsigned char *) l->scores[i].player;
        s.row.player.len = l->scores[i].len;
        s.row.data.data = (unsigned char *) l->scores[i].data;
        s.row.data.len = l->scores[i].data_len;
        s.row.score = l->scores[i].score;
        s.row.seq = l->scores[i].seq;
        s.row.reached = i + 1;

        fits("seq", &s.row.player, (double) s.row.seq);

        value = room(NULL, TROVE_REDIS_VALUE + s.row.data.len);

        trove_redis_score_write(&s, field, &nfield, value, &nvalue);
        redis_row(l->to, field, nfield, value, nvalue);

        free(value);
        free(l->scores[i].data);
    }

    redis_send(l->to);

    if (l->nscores && l->board.reset != TROVE_BOARD_NEVER) {
        ends = (trove_board_begins(l->board.reset, l->period + 2) + 86400)
               * 1000;
        (void) snprintf(key, sizeof(key), "%lu", (unsigned long) ends);

        freeReplyObject(redis_ask(l->to, REDIS_REPLY_INTEGER,
                                  "PEXPIREAT %s %s", l->to->key, key));
    }

    rows = redis_number(l->to, "HLEN", NULL);

    if (rows > l->nscores) {
        die("\"%s\" has %lu rows instead of %zu", l->to->key,
            (unsigned long) rows, l->nscores);
    }

    l->count.scores += rows;
    l->reached = (l->nscores > l->reached) ? l->nscores : l->reached;
    l->nscores = 0;
}


/* What nobody can see any more is left behind. */

static trove_rc_t
load_period(void *data, const trove_store_period_t *p)
{
    move_load_t  *l = data;

    uint64_t      now;

    if (!l->sorted) {
        load_players_end(l);
    }

    load_period_end(l);

    now = trove_board_period(p->reset, (uint64_t) time(NULL) * 1000);

    if (p->board.len > TROVE_BOARD_NAME || p->period + 1 < now) {
        return TROVE_NOTFOUND;
    }

    memset(&l->board, 0, sizeof(l->board));
    memcpy(l->board.name, p->board.data, p->board.len);
    l->board.reset = p->reset;
    l->board.claims = p->claims;
    l->period = p->period;
    l->in_period = 1;

    return TROVE_OK;
}


static trove_rc_t
load_score(void *data, const trove_store_score_t *r)
{
    move_load_t   *l = data;

    move_score_t  *s;

    if (l->nscores == l->score_room) {
        l->score_room = 2 * l->score_room + 1024;
        l->scores = room(l->scores, l->score_room * sizeof(move_score_t));
    }

    if (r->player.len > TROVE_PLAYER_MAX) {
        return TROVE_INVALID;
    }

    s = &l->scores[l->nscores++];

    memcpy(s->player, r->player.data, r->player.len);
    s->len = r->player.len;
    s->data = room(NULL, r->data.len);
    s->data_len = r->data.len;

    if (r->data.len) {
        memcpy(s->data, r->data.data, r->data.len);
    }

    s->score = r->score;
    s->reached = r->reached;
    s->seq = r->seq;

    return TROVE_OK;
}


static void
send_rewards(move_load_t *l)
{
    char    field[TROVE_REDIS_FIELD], value[TROVE_REDIS_VALUE];
    size_t  i, nfield, nvalue;

    redis_send(l->to);
    redis_key(l->to, ":rewards");

    for (i = 0; i < l->nrewards; i++) {
        trove_redis_reward_write(&l->rewards[i], field, &nfield, value,
                                 &nvalue);
        redis_row(l->to, field, nfield, value, nvalue);
    }

    redis_send(l->to);
    l->count.rewards = l->nrewards;
}


static void
is_there(const char *what, uint64_t is, uint64_t was)
{
    if (is != was) {
        die("%lu %s were moved, but %lu are there", (unsigned long) was, what,
            (unsigned long) is);
    }
}


/* One that changes nothing, from which the log goes on. */

static void
send_entry(move_redis_t *r, uint64_t log, uint64_t version,
    const char *instance)
{
    redisReply  *reply;

    redis_key(r, ":log");
    redis_makes(r);

    if (trove_redis_commandf(&r->redis, &reply,
                             "XADD %s %lu-0 v %lu o moved:%s d %s", r->key,
                             (unsigned long) log, (unsigned long) version,
                             instance, "")
        != TROVE_STORE_DONE)
    {
        die("%s", r->error);
    }

    freeReplyObject(reply);
}


/* The trove itself, after all of it: until then there is none. */

static void
send_meta(move_load_t *l, uint32_t space, uint64_t version)
{
    char                 instance[TROVE_STORE_INSTANCE + 1];
    uint64_t             log;
    move_redis_t        *r;
    trove_redis_meta_t   meta;

    r = l->to;

    if (trove_store_instance(instance) != TROVE_OK) {
        die("no random numbers are to be had");
    }

    /* what will be reached is later than all that was */

    log = l->reached / 256 + 1;

    send_entry(r, log, version, instance);

    memset(&meta, 0, sizeof(meta));
    memcpy(meta.instance, instance, sizeof(instance));
    meta.space = space;
    meta.log = log;
    meta.version = version;
    meta.born = l->born;
    meta.claims = l->granted;

    if (trove_redis_make(&r->redis, &r->trove, &meta) != TROVE_STORE_DONE) {
        die("%s", r->error);
    }

    if (strcmp(meta.instance, instance) != 0) {
        die("another trove of this name was made in Redis meanwhile");
    }
}


static void
store_conf(trove_store_conf_t *conf, const char *path, char *error)
{
    static trove_store_stats_t  stats;

    memset(conf, 0, sizeof(trove_store_conf_t));

    conf->path = path;
    conf->busy = 1000;
    conf->log_size = TROVE_STORE_LOG_SIZE;
    conf->log_max = TROVE_STORE_LOG_MAX;
    conf->stats = &stats;
    conf->error = error;
}


/* It says itself of which space it is. */

static trove_store_t *
store_open(trove_store_conf_t *conf)
{
    trove_store_t     *store;
    trove_store_rc_t   rc;

    for (conf->space = TROVE_PLANE; /* void */ ; conf->space = TROVE_EARTH) {
        rc = trove_store_open(&trove_store_sqlite, conf, &store);

        if (rc == TROVE_STORE_DONE) {
            return store;
        }

        if (rc != TROVE_STORE_FOREIGN || conf->space == TROVE_EARTH) {
            die("%s", conf->error);
        }
    }
}


static void
store_load(trove_store_t *store, trove_store_load_t *to, const char *error)
{
    if (trove_store_load(store, to) != TROVE_STORE_DONE) {
        die("%s", to->rc == TROVE_OK ? error
                                     : "its rows do not belong together");
    }
}


/*
 * And the ledger beside it, which has nothing more by then: to read the
 * database may number its rows anew, and the two would not belong together.
 */

static void
sqlite_hold(const char *path, trove_ledger_file_t *file)
{
    char                error[TROVE_STORE_ERROR], *ledger;
    struct stat         st;
    trove_store_conf_t  conf;

    if (stat(path, &st) != 0 || st.st_size == 0) {
        die("there is no database \"%s\"", path);
    }

    if (asprintf(&ledger, "%s-ledger", path) == -1) {
        die("no memory");
    }

    store_conf(&conf, path, error);

    if (trove_start_settle(file, ledger, &trove_store_sqlite, &conf, error)
        != TROVE_OK)
    {
        die("%s", error);
    }

    if (file->fd != -1 && unlink(ledger) != 0) {
        die("\"%s\" cannot be removed", ledger);
    }

    free(ledger);
}


static void
from_sqlite(const char *path, const char *url, const char *name)
{
    size_t               i;
    char                 error[TROVE_STORE_ERROR];
    uint64_t             version;
    move_load_t          l;
    move_redis_t         to;
    trove_store_t       *store;
    trove_store_conf_t   conf;
    trove_store_load_t   load;
    trove_ledger_file_t  file;

    static const char *const  parts[] = {
        "", ":rewards", ":players", ":claims", ":log"
    };

    redis_open(&to, url, name);

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        redis_none(&to, parts[i]);
    }

    sqlite_hold(path, &file);

    store_conf(&conf, path, error);
    store = store_open(&conf);
    version = store->info.version;

    memset(&l, 0, sizeof(l));
    l.to = &to;

    memset(&load, 0, sizeof(load));
    load.data = &l;
    load.reward = load_reward;
    load.player = load_player;
    load.claim = load_claim;
    load.period = load_period;
    load.score = load_score;

    redis_key(&to, ":players");
    store_load(store, &load, error);

    if (!l.sorted) {
        load_players_end(&l);
    }

    load_period_end(&l);
    send_rewards(&l);

    is_there("rewards", redis_number(&to, "HLEN", ":rewards"),
             l.count.rewards);
    is_there("players", redis_number(&to, "HLEN", ":players"),
             l.count.players);
    is_there("claims", redis_number(&to, "HLEN", ":claims"), l.count.claims);

    send_meta(&l, conf.space, version);

    trove_store_close(store);
    trove_ledger_file_close(&file);
    trove_redis_close(&to.redis);

    (void) printf("%lu rewards, %lu players, %lu claims and %lu rows of "
                  "boards, version %lu\n", (unsigned long) l.count.rewards,
                  (unsigned long) l.count.players,
                  (unsigned long) l.count.claims,
                  (unsigned long) l.count.scores, (unsigned long) version);
}


/*
 * From Redis
 */


/* The longest data of a row, and how many rows there are. */

static void
board_size(move_redis_t *r, const char *key, trove_board_conf_t *board)
{
    char                  cursor[24];
    size_t                i, size;
    uint64_t              rows;
    redisReply           *reply;
    trove_slice_t         field, value;
    trove_redis_score_t   score;

    rows = 0;
    size = 0;
    (void) strcpy(cursor, "0");

    do {
        reply = redis_ask(r, REDIS_REPLY_ARRAY, "HSCAN %s %s COUNT 1000", key,
                          cursor);

        for (i = 0; i + 1 < reply->element[1]->elements; i += 2) {
            field.data = (unsigned char *) reply->element[1]->element[i]->str;
            field.len = reply->element[1]->element[i]->len;
            value.data
                = (unsigned char *) reply->element[1]->element[i + 1]->str;
            value.len = reply->element[1]->element[i + 1]->len;

            if (trove_redis_score_read(&field, &value, &score) != TROVE_OK) {
                die("\"%s\" has a row that is damaged", key);
            }

            size = (score.row.data.len > size) ? score.row.data.len : size;
            rows++;
        }

        (void) snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        freeReplyObject(reply);

    } while (strcmp(cursor, "0") != 0);

    size = trove_align(size + TROVE_BOARD_HEAD, 8);
    size = (size < TROVE_BOARD_ROW_MIN) ? TROVE_BOARD_ROW_MIN : size;

    board->row = (size > board->row) ? size : board->row;
    board->rows = (rows > board->rows) ? rows : board->rows;
}


/* Of trove:{NAME}:board:B:R:C:P: whether it is one. */

static int
board_of(const char *key, const char *prefix, trove_board_conf_t *board)
{
    int          n;
    const char  *p, *end;

    p = key + strlen(prefix);
    end = strchr(p, ':');

    memset(board, 0, sizeof(trove_board_conf_t));

    if (end == NULL || end == p || end - p > TROVE_BOARD_NAME) {
        return 0;
    }

    memcpy(board->name, p, end - p);

    return sscanf(end, ":%u:%u:%*u%n", &board->reset, &board->claims, &n) == 2
           && board->reset <= TROVE_BOARD_MONTHLY
           && board->claims <= 1;
}


/* The boards that it has, by their keys. */

static size_t
boards_of(move_redis_t *r, trove_board_conf_t *boards)
{
    char                 cursor[24], prefix[TROVE_REDIS_KEY + 256];
    size_t               i, j, n;
    redisReply          *reply;
    trove_board_conf_t   board;

    n = 0;
    (void) trove_redis_key(prefix, &r->trove, ":board:");
    (void) strcpy(cursor, "0");

    do {
        reply = redis_ask(r, REDIS_REPLY_ARRAY,
                          "SCAN %s MATCH %s* COUNT 1000", cursor, prefix);

        for (i = 0; i < reply->element[1]->elements; i++) {

            if (!board_of(reply->element[1]->element[i]->str, prefix, &board))
            {
                die("\"%s\" is no board of trove's",
                    reply->element[1]->element[i]->str);
            }

            for (j = 0; j < n; j++) {
                if (strcmp(boards[j].name, board.name) == 0
                    && boards[j].reset == board.reset
                    && boards[j].claims == board.claims)
                {
                    break;
                }
            }

            if (j == n) {

                if (n == MOVE_BOARDS) {
                    die("there are more than %d boards", MOVE_BOARDS);
                }

                boards[n++] = board;
            }

            board_size(r, reply->element[1]->element[i]->str, &boards[j]);
        }

        (void) snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        freeReplyObject(reply);

    } while (strcmp(cursor, "0") != 0);

    for (j = 0; j < n; j++) {
        boards[j].rows += (boards[j].rows == 0);
    }

    return n;
}


static trove_ledger_t *
ledger_for(move_redis_t *r, const trove_redis_meta_t *meta,
    trove_board_conf_t *boards)
{
    void                 *mem;
    size_t                size;
    trove_ledger_conf_t   conf;

    memset(&conf, 0, sizeof(conf));

    conf.space = meta->space;
    conf.rewards = redis_number(r, "HLEN", ":rewards") + 1;
    conf.players = redis_number(r, "HLEN", ":players") + 1;
    conf.claims = redis_number(r, "HLEN", ":claims") + 1;
    conf.nboards = boards_of(r, boards);
    conf.boards = boards;

    size = trove_ledger_size(&conf);
    mem = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS,
               -1, 0);

    if (mem == MAP_FAILED) {
        die("no memory: %zu bytes", size);
    }

    return trove_ledger_init(mem, &conf);
}


static trove_rc_t
count_reward(void *data, const trove_store_reward_t *r)
{
    ((move_count_t *) data)->rewards++;

    return TROVE_OK;
}


static trove_rc_t
count_player(void *data, const trove_store_player_t *p)
{
    ((move_count_t *) data)->players++;

    return TROVE_OK;
}


static trove_rc_t
count_claim(void *data, const trove_store_claim_t *c)
{
    ((move_count_t *) data)->claims++;

    return TROVE_OK;
}


static trove_rc_t
count_period(void *data, const trove_store_period_t *p)
{
    return TROVE_OK;
}


static trove_rc_t
count_score(void *data, const trove_store_score_t *r)
{
    ((move_count_t *) data)->scores++;

    return TROVE_OK;
}


static void
count_store(const char *path, move_count_t *count)
{
    char                 error[TROVE_STORE_ERROR];
    trove_store_t       *store;
    trove_store_conf_t   conf;
    trove_store_load_t   load;

    memset(&load, 0, sizeof(load));
    memset(count, 0, sizeof(move_count_t));

    load.data = count;
    load.reward = count_reward;
    load.player = count_player;
    load.claim = count_claim;
    load.period = count_period;
    load.score = count_score;

    store_conf(&conf, path, error);
    store = store_open(&conf);
    count->version = store->info.version;

    store_load(store, &load, error);
    trove_store_close(store);
}


/* All of the ledger, to a database that it makes. */

static void
flush_to(trove_ledger_t *l, const char *path)
{
    char                 error[TROVE_STORE_ERROR];
    trove_flush_t        f;
    trove_store_conf_t   conf;

    store_conf(&conf, path, error);
    conf.space = trove_ledger_conf(l)->space;

    /* a database that has less gets everything */

    trove_set(&l->store_flush, 1);

    if (trove_flush_init(&f, l, &trove_store_sqlite, &conf) != TROVE_OK) {
        die("no memory");
    }

    if (!trove_flush_elect(&f) || trove_flush_run(&f) != TROVE_STORE_DONE
        || !trove_flush_whole(l))
    {
        die("%s", f.error);
    }

    trove_flush_close(&f);
}


static uint64_t
rows_of(trove_ledger_t *l)
{
    uint32_t             i, rows;
    uint64_t             now;
    trove_board_state_t  state;

    now = (uint64_t) time(NULL) * 1000;
    rows = 0;

    for (i = 0; i < trove_ledger_boards(l); i++) {
        trove_board_state(l, i, 0, now, &state);
        rows += state.rows;

        if (trove_board_conf(l, i)->reset != TROVE_BOARD_NEVER) {
            trove_board_state(l, i, -1, now, &state);
            rows += state.rows;
        }
    }

    return rows;
}


static void
from_redis(const char *url, const char *path, const char *name)
{
    char                 instance[TROVE_STORE_INSTANCE + 1];
    uint64_t             rewards, players, claims;
    move_count_t         count;
    move_redis_t         from;
    trove_follow_t       follow;
    trove_ledger_t      *l;
    trove_redis_meta_t   meta, after;

    static trove_board_conf_t  boards[MOVE_BOARDS];

    redis_open(&from, url, name);
    redis_idle(&from);

    if (trove_redis_meta(&from.redis, &from.trove, &meta) != TROVE_STORE_DONE
        || trove_store_instance(instance) != TROVE_OK)
    {
        die("%s", from.error);
    }

    memcpy(was_instance, meta.instance, sizeof(was_instance));
    done_to = &from;

    redis_rename(&from, instance);

    l = ledger_for(&from, &meta, boards);

    if (trove_follow_init(&follow, l, &from.conf, &from.trove, NULL, NULL)
        != TROVE_OK)
    {
        die("no memory");
    }

    if (trove_follow_once(&follow) != TROVE_STORE_DONE) {
        die("%s", follow.error);
    }

    trove_follow_done(&follow);

    rewards = redis_number(&from, "HLEN", ":rewards");
    players = redis_number(&from, "HLEN", ":players");
    claims = redis_number(&from, "HLEN", ":claims");

    if (trove_redis_meta(&from.redis, &from.trove, &after)
        != TROVE_STORE_DONE)
    {
        die("%s", from.error);
    }

    if (after.log != meta.log || strcmp(after.instance, instance) != 0) {
        die("the trove is in use: it was written to meanwhile");
    }

    flush_to(l, path);
    count_store(path, &count);

    is_there("rewards", count.rewards, rewards);
    is_there("players", count.players, players);
    is_there("claims", count.claims, claims);
    is_there("rows of boards", count.scores, rows_of(l));

    if (count.version != meta.version) {
        die("version %lu became %lu", (unsigned long) meta.version,
            (unsigned long) count.version);
    }

    trove_redis_close(&from.redis);

    (void) printf("%lu rewards, %lu players, %lu claims and %lu rows of "
                  "boards, version %lu\n", (unsigned long) rewards,
                  (unsigned long) players, (unsigned long) claims,
                  (unsigned long) count.scores, (unsigned long) meta.version);
}


/* What is to be made must not be there. */

static void
nothing_at(const char *path, const char *more)
{
    char         *name;
    struct stat   st;

    if (asprintf(&name, "%s%s", path, more) == -1) {
        die("no memory");
    }

    if (lstat(name, &st) == 0) {
        die("\"%s\" is there already", name);
    }

    free(name);
}


static const char *
sqlite_path(const char *value)
{
    return strncmp(value, "sqlite:", 7) == 0 ? value + 7 : NULL;
}


int
main(int argc, char **argv)
{
    const char  *from, *to;

    if (argc != 4
        || argv[3][0] == '\0'
        || strspn(argv[3], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
                           "YZ0123456789_.-")
           != strlen(argv[3])
        || strlen(argv[3]) > 128)
    {
        die("usage: move FROM TO NAME, one sqlite:PATH, one redis://...");
    }

    from = sqlite_path(argv[1]);
    to = sqlite_path(argv[2]);

    if ((from == NULL) == (to == NULL)) {
        die("one of the two has to be sqlite:PATH, the other redis://...");
    }

    if (from) {
        from_sqlite(from, argv[2], argv[3]);
        return 0;
    }

    nothing_at(to, "");
    nothing_at(to, "-wal");
    nothing_at(to, "-ledger");

    from_redis(argv[1], to, argv[3]);

    return 0;
}
