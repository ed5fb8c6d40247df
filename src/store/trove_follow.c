
/*
 * The follower: its thread, and what it reads of the log.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trove_follow_data.h"
#include "trove_siphash.h"


static trove_store_rc_t trove_follow_session(trove_follow_t *f);
static void trove_follow_end(trove_follow_t *f);
static void trove_follow_name(trove_follow_t *f);
static trove_store_rc_t trove_follow_open(trove_follow_t *f);
static trove_store_rc_t trove_follow_meet(trove_follow_t *f,
    trove_redis_meta_t *meta);
static trove_store_rc_t trove_follow_make(trove_follow_t *f,
    trove_redis_meta_t *meta);
static trove_store_rc_t trove_follow_nothing(trove_follow_t *f);
static trove_store_rc_t trove_follow_lineage(trove_follow_t *f,
    const trove_redis_meta_t *meta, int *lost);
static trove_store_rc_t trove_follow_turn(trove_follow_t *f, int waits,
    int *lost);
static trove_store_rc_t trove_follow_look(trove_follow_t *f, int *lost);
static trove_store_rc_t trove_follow_strange(trove_follow_t *f, uint64_t log,
    int *lost);
static trove_store_rc_t trove_follow_xread(trove_follow_t *f, uint64_t after,
    uint32_t block, trove_follow_entries_t *e);
static int trove_follow_entry(const redisReply *r, trove_follow_entry_t *e);
static void trove_follow_bad(trove_follow_t *f, trove_store_rc_t rc);


trove_rc_t
trove_follow_init(trove_follow_t *f, trove_ledger_t *l,
    const trove_redis_conf_t *conf, const trove_slice_t *trove,
    void (*moved)(void *data), void *data)
{
    memset(f, 0, sizeof(trove_follow_t));

    /* the name, and room for those of two keys that it is a part of */

    f->name = malloc(3 * trove->len + 2 * TROVE_REDIS_KEY);

    if (f->name == NULL) {
        return TROVE_NOMEM;
    }

    memcpy(f->name, trove->data, trove->len);

    f->trove.data = (unsigned char *) f->name;
    f->trove.len = trove->len;
    f->key = f->name + trove->len;
    f->rows = f->key + trove->len + TROVE_REDIS_KEY;

    f->ledger = l;
    f->conf = *conf;

    trove_redis_init(&f->redis, &f->conf, f->error);
    trove_client_init(&f->client, &f->redis, moved, data);

    return TROVE_OK;
}


void
trove_follow_done(trove_follow_t *f)
{
    if (f->elected) {
        f->elected = 0;
        trove_replica_resign(f->ledger);
    }

    trove_client_done(&f->client);

    free(f->name);
    f->name = NULL;
}


int
trove_follow_elect(trove_follow_t *f)
{
    if (!f->elected) {
        f->elected = trove_replica_elect(f->ledger);
    }

    return f->elected;
}


void
trove_follow_run(trove_follow_t *f)
{
    trove_store_rc_t  rc;

    while (!trove_client_stopped(&f->client)) {
        rc = trove_follow_session(f);

        trove_redis_close(&f->redis);

        if (!trove_client_stopped(&f->client)) {
            trove_follow_bad(f, rc);
            trove_client_pause(&f->client);
        }
    }

    trove_follow_end(f);
}


static void
trove_follow_end(trove_follow_t *f)
{
    trove_redis_close(&f->redis);

    if (f->redo) {
        trove_redo_close(f->redo);
        f->redo = NULL;
    }
}


void
trove_follow_stop(trove_follow_t *f)
{
    trove_client_stop(&f->client);
}


/* Until something fails, or it is stopped. */

static trove_store_rc_t
trove_follow_session(trove_follow_t *f)
{
    int                 lost, good;
    trove_store_rc_t    rc;
    trove_redis_meta_t  meta;

    lost = 0;
    rc = trove_follow_open(f);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_meet(f, &meta);
    }

    if (rc == TROVE_STORE_DONE) {
        f->moves = f->redis.moves;
        trove_follow_name(f);
        rc = trove_follow_lineage(f, &meta, &lost);
    }

    while (rc == TROVE_STORE_DONE) {

        if (lost) {
            rc = trove_follow_load(f);

            if (rc != TROVE_STORE_DONE) {
                break;
            }

            f->distrust = 0;
            trove_stat_add(&f->stats.snapshots, 1);
        }

        /* what comes next may be what there is no room or no right for */

        good = 0;

        do {
            rc = trove_follow_turn(f, good, &lost);

            if (rc == TROVE_STORE_DONE && !lost && !good) {
                good = 1;
                trove_client_tell(&f->client, TROVE_STORE_DONE);
            }

        } while (rc == TROVE_STORE_DONE && !lost);

        /* what is lost right after it was loaded may be so for long */

        if (lost) {
            trove_client_pause(&f->client);
        }
    }

    return rc;
}


trove_store_rc_t
trove_follow_once(trove_follow_t *f)
{
    trove_store_rc_t    rc;
    trove_redis_meta_t  meta;

    rc = trove_follow_open(f);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_follow_meta(f, &meta);
    }

    if (rc == TROVE_STORE_DONE) {
        f->moves = f->redis.moves;
        rc = trove_follow_load(f);
    }

    trove_follow_end(f);

    return rc;
}


static trove_store_rc_t
trove_follow_open(trove_follow_t *f)
{
    trove_rc_t        opened;
    trove_store_rc_t  rc;

    if (f->redo == NULL && trove_ledger_conf(f->ledger)->players) {
        opened = trove_redo_open(f->ledger, &f->redo);

        if (opened != TROVE_OK) {
            (void) snprintf(f->error, TROVE_STORE_ERROR,
                            "the ledger is held by %s",
                            opened == TROVE_FULL ? "too many processes"
                                                 : "another process");
            return TROVE_STORE_BUSY;
        }
    }

    rc = trove_redis_connect(&f->redis);

    if (rc == TROVE_STORE_DONE) {
        trove_stat_add(&f->stats.opens, 1);
    }

    return rc;
}


/* So that who looks who is connected sees it; a right for it is not needed. */

static void
trove_follow_name(trove_follow_t *f)
{
    redisReply  *reply;

    if (!trove_client_stopped(&f->client)
        && trove_redis_commandf(&f->redis, &reply,
                                "CLIENT SETNAME " TROVE_FOLLOW_NAME "%b",
                                f->trove.data, f->trove.len)
           == TROVE_STORE_DONE)
    {
        freeReplyObject(reply);
    }
}


/* What there is, and whether it is what this ledger is a copy of. */

static trove_store_rc_t
trove_follow_meet(trove_follow_t *f, trove_redis_meta_t *meta)
{
    trove_store_rc_t  rc;

    rc = trove_follow_meta(f, meta);

    if (rc == TROVE_STORE_GONE && !trove_replica_loaded(f->ledger)) {
        return trove_follow_make(f, meta);
    }

    return rc;
}


static trove_store_rc_t
trove_follow_make(trove_follow_t *f, trove_redis_meta_t *meta)
{
    trove_store_rc_t  rc;

    rc = trove_follow_nothing(f);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    memset(meta, 0, sizeof(trove_redis_meta_t));

    meta->space = trove_ledger_conf(f->ledger)->space;

    if (trove_store_instance(meta->instance) != TROVE_OK) {
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "no random numbers are to be had");
        return TROVE_STORE_IO;
    }

    rc = trove_redis_make(&f->redis, &f->trove, meta);

    return (rc == TROVE_STORE_DONE) ? trove_follow_meta(f, meta) : rc;
}


/* Rows of a trove that has lost its hash, or is just brought there, are not. */

static trove_store_rc_t
trove_follow_nothing(trove_follow_t *f)
{
    size_t             i;
    long long          there;
    redisReply        *reply;
    trove_store_rc_t   rc;

    static const char *const  parts[] = {
        ":rewards", ":players", ":claims", ":log"
    };

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        rc = trove_redis_commandf(&f->redis, &reply, "EXISTS %b", f->key,
                                  trove_redis_key(f->key, &f->trove,
                                                  parts[i]));

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }

        there = reply->integer;
        freeReplyObject(reply);

        if (there) {
            (void) snprintf(f->error, TROVE_STORE_ERROR,
                            "its key \"trove:{%.*s}\" is not there, but "
                            "\"trove:{%.*s}%s\" is: bring the former back, or "
                            "remove the latter",
                            (int) f->trove.len, f->trove.data,
                            (int) f->trove.len, f->trove.data, parts[i]);
            return TROVE_STORE_FOREIGN;
        }
    }

    return TROVE_STORE_DONE;
}


trove_store_rc_t
trove_follow_meta(trove_follow_t *f, trove_redis_meta_t *meta)
{
    trove_store_rc_t  rc;

    if (trove_client_stopped(&f->client)) {
        return TROVE_STORE_BUSY;
    }

    rc = trove_redis_meta(&f->redis, &f->trove, meta);

    if (rc == TROVE_STORE_GONE && trove_replica_loaded(f->ledger)) {
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "it is no longer there: bring it back, or restart "
                        "nginx to begin with nothing");
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    if (trove_replica_loaded(f->ledger)
        && strcmp(meta->instance, trove_replica_instance(f->ledger)) != 0)
    {
        return trove_follow_foreign(f, "it is another one of the same name: "
                                       "restart nginx to have that");
    }

    if (meta->space != trove_ledger_conf(f->ledger)->space) {
        return trove_follow_foreign(f, "it is of another \"space\"");
    }

    return TROVE_STORE_DONE;
}


/*
 * Whether the log goes on from what the ledger has: from the entry that was
 * carried out last, or the one after it that was begun.  Redis may have been
 * brought back to an earlier state since, and have become another from there.
 */

static trove_store_rc_t
trove_follow_lineage(trove_follow_t *f, const trove_redis_meta_t *meta,
    int *lost)
{
    uint64_t          log, mark, is;
    trove_store_rc_t  rc;

    *lost = 1;

    if (f->distrust
        || trove_replica_state(f->ledger) != TROVE_REPLICA_LIVE)
    {
        return TROVE_STORE_DONE;
    }

    log = trove_replica_log(f->ledger);
    mark = trove_replica_mark(f->ledger);

    if (meta->log < log) {
        return TROVE_STORE_DONE;
    }

    rc = trove_follow_marks(f, log, &is);

    if (rc == TROVE_STORE_DONE && is != mark && meta->log > log) {
        rc = trove_follow_marks(f, log + 1, &is);
    }

    *lost = (is != mark);

    return rc;
}


trove_store_rc_t
trove_follow_marks(trove_follow_t *f, uint64_t log, uint64_t *mark)
{
    char                   id[24];
    redisReply            *r;
    const char            *argv[4];
    trove_store_rc_t       rc;
    trove_follow_entry_t   e;

    *mark = 0;

    (void) trove_redis_key(f->key, &f->trove, ":log");
    (void) snprintf(id, sizeof(id), "%lu-0", (unsigned long) log);

    argv[0] = "XRANGE";
    argv[1] = f->key;
    argv[2] = id;
    argv[3] = id;

    rc = trove_follow_ask(f, &r, 4, argv);

    if (rc != TROVE_STORE_DONE || r == NULL) {
        return rc;
    }

    if (r->elements && trove_follow_entry(r->element[0], &e)) {
        *mark = e.mark;
    }

    freeReplyObject(r);

    return TROVE_STORE_DONE;
}


/* What comes next, or a look at what there is if nothing does. */

static trove_store_rc_t
trove_follow_turn(trove_follow_t *f, int waits, int *lost)
{
    size_t            n;
    uint32_t          block;
    trove_store_rc_t  rc;

    block = f->conf.timeout / 2;
    block = (block < TROVE_FOLLOW_BLOCK) ? block : TROVE_FOLLOW_BLOCK;

    rc = trove_follow_entries(f, trove_replica_log(f->ledger),
                              waits ? block : 0, &n, lost);

    if (n) {
        trove_client_works(&f->client);
    }

    if (rc != TROVE_STORE_DONE || *lost) {
        return rc;
    }

    if (n && n < TROVE_FOLLOW_ENTRIES) {
        trove_replica_saw(f->ledger);
    }

    if (n == 0) {
        rc = trove_follow_look(f, lost);
    }

    if (n) {
        trove_client_moved(&f->client);
    }

    return rc;
}


/* Silence may mean that there is nothing new, or that there is nothing more. */

static trove_store_rc_t
trove_follow_look(trove_follow_t *f, int *lost)
{
    size_t              n;
    uint64_t            log;
    trove_store_rc_t    rc;
    trove_redis_meta_t  meta;

    rc = trove_follow_meta(f, &meta);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    log = trove_replica_log(f->ledger);

    if (meta.log == log) {
        trove_client_works(&f->client);
        trove_replica_saw(f->ledger);
        return TROVE_STORE_DONE;
    }

    if (meta.log < log) {
        *lost = 1;
        return TROVE_STORE_DONE;
    }

    /* what was written in between is there by now, or is missing */

    rc = trove_follow_entries(f, log, 0, &n, lost);

    if (rc == TROVE_STORE_DONE && n == 0) {
        *lost = 1;
    }

    return rc;
}


trove_store_rc_t
trove_follow_entries(trove_follow_t *f, uint64_t log, uint32_t block,
    size_t *n, int *lost)
{
    size_t                  i;
    trove_store_rc_t        rc;
    trove_follow_entry_t    e;
    trove_follow_entries_t  entries;

    *n = 0;
    *lost = 0;

    rc = trove_follow_xread(f, log, block, &entries);

    for (i = 0; rc == TROVE_STORE_DONE && i < entries.n && !*lost; i++) {

        if (trove_client_stopped(&f->client)) {
            rc = TROVE_STORE_BUSY;
            break;
        }

        if (!trove_follow_entry(entries.entries[i], &e)
            || e.log != log + 1)
        {
            rc = trove_follow_strange(f, log + 1, lost);
            break;
        }

        rc = trove_follow_apply(f, &e, lost);

        if (rc == TROVE_STORE_DONE && !*lost) {
            log = e.log;
            *n += 1;
        }
    }

    if (entries.reply) {
        freeReplyObject(entries.reply);
    }

    return rc;
}


/*
 * An entry that is not the next one.  If there was a next one the log was cut
 * or damaged, and all that it has led to is in the rows; else somebody else
 * writes there, and trove no longer can.
 */

static trove_store_rc_t
trove_follow_strange(trove_follow_t *f, uint64_t next, int *lost)
{
    trove_store_rc_t    rc;
    trove_redis_meta_t  meta;

    rc = trove_follow_meta(f, &meta);

    if (rc == TROVE_STORE_DONE && meta.log >= next) {
        *lost = 1;
        return TROVE_STORE_DONE;
    }

    return (rc == TROVE_STORE_DONE)
           ? trove_follow_foreign(f, "its log has an entry that is not "
                                     "trove's: remove the log's key")
           : rc;
}


static trove_store_rc_t
trove_follow_xread(trove_follow_t *f, uint64_t after, uint32_t block,
    trove_follow_entries_t *e)
{
    int                argc;
    char               id[24], ms[12], count[12];
    redisReply        *r;
    const char        *argv[8];
    trove_store_rc_t   rc;

    e->reply = NULL;
    e->entries = NULL;
    e->n = 0;

    (void) trove_redis_key(f->key, &f->trove, ":log");
    (void) snprintf(id, sizeof(id), "%lu-0", (unsigned long) after);
    (void) snprintf(ms, sizeof(ms), "%u", block);
    (void) snprintf(count, sizeof(count), "%u", TROVE_FOLLOW_ENTRIES);

    argc = 0;
    argv[argc++] = "XREAD";
    argv[argc++] = "COUNT";
    argv[argc++] = count;

    if (block) {
        argv[argc++] = "BLOCK";
        argv[argc++] = ms;
    }

    argv[argc++] = "STREAMS";
    argv[argc++] = f->key;
    argv[argc++] = id;

    /*
     * One that has become a replica may have another log by now.  Who waits
     * when that happens is told, who is about to has to ask.
     */

    f->redis.wary = 1;
    rc = trove_follow_ask(f, &r, argc, argv);
    f->redis.wary = 0;

    if (rc != TROVE_STORE_DONE || r == NULL) {
        return rc;
    }

    /* of one stream, its name and its entries */

    if (r->elements != 1
        || r->element[0]->type != REDIS_REPLY_ARRAY
        || r->element[0]->elements != 2
        || r->element[0]->element[1]->type != REDIS_REPLY_ARRAY)
    {
        freeReplyObject(r);
        return trove_follow_foreign(f, "its log is not to be read");
    }

    e->reply = r;
    e->entries = r->element[0]->element[1]->element;
    e->n = r->element[0]->element[1]->elements;

    return TROVE_STORE_DONE;
}


/* { id, { "v", version, "o", call, "d", changes } }: whether it is. */

static int
trove_follow_entry(const redisReply *r, trove_follow_entry_t *e)
{
    int                has;
    size_t             i;
    uint64_t           key[2];
    const redisReply  *name, *value;

    if (r->type != REDIS_REPLY_ARRAY
        || r->elements != 2
        || !trove_redis_reply_number(r->element[0], "-0", &e->log)
        || r->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return 0;
    }

    r = r->element[1];
    has = 0;

    key[0] = 0;
    key[1] = e->log;

    for (i = 0; i + 1 < r->elements; i += 2) {
        name = r->element[i];
        value = r->element[i + 1];

        if (name->type != REDIS_REPLY_STRING
            || value->type != REDIS_REPLY_STRING
            || name->len != 1)
        {
            continue;
        }

        switch (name->str[0]) {

        case 'v':
            has |= trove_redis_reply_number(value, "", &e->version) ? 1 : 0;
            break;

        case 'o':
            key[0] = trove_siphash(key, (unsigned char *) value->str,
                                   value->len);
            has |= 2;
            break;

        case 'd':
            e->changes.data = (unsigned char *) value->str;
            e->changes.len = value->len;
            has |= 4;
            break;
        }
    }

    if (has != 7) {
        return 0;
    }

    /* whose it is, and for who has no session all that it says */

    key[1] ^= e->version;
    e->mark = trove_siphash(key, e->changes.data, e->changes.len) | 1;

    return 1;
}


trove_store_rc_t
trove_follow_ask(trove_follow_t *f, redisReply **reply, int argc,
    const char **argv)
{
    int                i;
    size_t             lens[TROVE_FOLLOW_ARGS];
    trove_store_rc_t   rc;

    *reply = NULL;

    if (trove_client_stopped(&f->client)) {
        return TROVE_STORE_BUSY;
    }

    for (i = 0; i < argc; i++) {
        lens[i] = strlen(argv[i]);
    }

    rc = trove_redis_command(&f->redis, reply, argc, argv, lens);

    if (rc != TROVE_STORE_DONE) {
        *reply = NULL;
        return rc;
    }

    /* another node may have another log, and what it has was not compared */

    if (f->redis.moves != f->moves) {
        freeReplyObject(*reply);
        *reply = NULL;
        (void) snprintf(f->error, TROVE_STORE_ERROR,
                        "it is at another node now");
        return TROVE_STORE_AWAY;
    }

    if ((*reply)->type == REDIS_REPLY_NIL) {
        freeReplyObject(*reply);
        *reply = NULL;
        return TROVE_STORE_DONE;
    }

    if ((*reply)->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(*reply);
        *reply = NULL;
        return trove_follow_foreign(f, "it answers with something else");
    }

    return TROVE_STORE_DONE;
}


trove_store_rc_t
trove_follow_foreign(trove_follow_t *f, const char *text)
{
    (void) snprintf(f->error, TROVE_STORE_ERROR, "%s", text);

    return TROVE_STORE_FOREIGN;
}


static void
trove_follow_bad(trove_follow_t *f, trove_store_rc_t rc)
{
    trove_stat_add(&f->stats.failures[rc], 1);

    trove_client_tell(&f->client, rc);
}


void
trove_follow_report(trove_follow_t *f, trove_client_report_t *report)
{
    trove_client_report(&f->client, report);
}


void
trove_follow_tell(trove_follow_t *f, trove_stats_t *s)
{
    uint64_t  n;

#define TROVE_FOLLOW_TELL(figure, field)                                     \
    n = trove_stat_get(&f->stats.field);                                     \
    trove_stats_add(s, figure, n - f->told.field);                           \
    f->told.field = n

#define TROVE_FOLLOW_TELL_FAILURE(NAME, name)                                \
    TROVE_FOLLOW_TELL(store_##name, failures[TROVE_STORE_##NAME]);

    TROVE_FOLLOW_TELL(store_opens, opens);
    TROVE_FOLLOW_TELL(store_entries, entries);
    TROVE_FOLLOW_TELL(store_snapshots, snapshots);
    TROVE_STORE_FAILURES(TROVE_FOLLOW_TELL_FAILURE)
}
