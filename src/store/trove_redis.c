
/*
 * Redis: its address, its keys, its errors, and a connection that waits.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "trove_redis.h"
#include "trove_space.h"

/* made of trove_redis.lua when it is built */
#include "trove_redis_script.h"

#ifndef TROVE_REDIS_TLS
#define TROVE_REDIS_TLS        0
#endif


#define TROVE_REDIS_PORT       6379
#define TROVE_REDIS_DBS        65535
#define TROVE_REDIS_TIMEOUT    1000

/* Times that a command is sent elsewhere, in all. */
#define TROVE_REDIS_HOPS       5


typedef struct {
    const char          *text;          /* that the error begins with        */
    trove_store_rc_t     rc;
    trove_redis_then_t   then;
    const char          *why;
} trove_redis_kind_t;


static trove_rc_t trove_redis_invalid(char *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int trove_redis_starts(const char *p, const char *end,
    const char *text);
static const char *trove_redis_find(const char *p, const char *end, char c);
static trove_rc_t trove_redis_parse_user(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error);
static trove_rc_t trove_redis_decode(const char *p, const char *end,
    char *text, const char *what, char *error);
static int trove_redis_hex(char c);
static trove_rc_t trove_redis_parse_unix(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error);
static trove_rc_t trove_redis_parse_db(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error);
static int trove_redis_number(const char *p, const char *end, uint32_t max,
    uint32_t *n);
static trove_rc_t trove_redis_parse_nodes(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error);
static trove_rc_t trove_redis_parse_node(const char *p, const char *end,
    trove_redis_node_t *node, char *error);
static void trove_redis_where(const trove_slice_t *text,
    const trove_redis_node_t *from, trove_redis_error_t *e);
static trove_store_rc_t trove_redis_tell(trove_redis_t *r,
    trove_store_rc_t rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static const char *trove_redis_name(const trove_redis_t *r, char *buf);
static trove_store_rc_t trove_redis_open(trove_redis_t *r);
static trove_store_rc_t trove_redis_greet(trove_redis_t *r);
static trove_store_rc_t trove_redis_simple(trove_redis_t *r, int argc,
    const char **argv);
static trove_store_rc_t trove_redis_is_master(trove_redis_t *r);
static trove_store_rc_t trove_redis_role(trove_redis_t *r);
static trove_store_rc_t trove_redis_broken(trove_redis_t *r);
static trove_store_rc_t trove_redis_once(trove_redis_t *r,
    redisReply **reply, int asking, const char *cmd, size_t len,
    trove_redis_error_t *e);
static int trove_redis_next(trove_redis_t *r);
static trove_store_rc_t trove_redis_formatted(trove_redis_t *r,
    redisReply **reply, const char *cmd, size_t len);
static trove_store_rc_t trove_redis_meta_read(trove_redis_t *r,
    const redisReply *reply, const trove_slice_t *trove,
    trove_redis_meta_t *meta);
static int trove_redis_meta_number(const redisReply *reply, uint64_t max,
    uint64_t *n);


const size_t  trove_redis_script_len = sizeof(trove_redis_script) - 1;


/*
 * The first that fits counts.  Errors with the prefix TROVE are the script's.
 */

static const trove_redis_kind_t  trove_redis_kinds[] = {

    { "MOVED ", TROVE_STORE_AWAY, TROVE_REDIS_MOVED,
      "the trove is at another node" },

    { "ASK ", TROVE_STORE_AWAY, TROVE_REDIS_ASK,
      "the trove is moving to another node" },

    { "NOSCRIPT", TROVE_STORE_AWAY, TROVE_REDIS_SCRIPT,
      "it has not got the script" },

    { "TROVE NONE", TROVE_STORE_GONE, TROVE_REDIS_FAILED,
      "the trove is not there any more: Redis was flushed, or has lost it" },

    { "TROVE INSTANCE", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "another trove is there now" },

    { "TROVE FORMAT", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "its keys are of another version of trove, or of another program" },

    { "TROVE SPACE", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "the trove there is of another \"space\"" },

    { "TROVE FOREIGN", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "a row is damaged, or another program's" },

    { "TROVE SESSION", TROVE_STORE_LOST, TROVE_REDIS_LOST,
      "it has forgotten what became of the call" },

    { "TROVE LATE", TROVE_STORE_TIMEOUT, TROVE_REDIS_FAILED,
      "the call came too late to be carried out" },

    { "WRONGTYPE", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "a key is of another type, it must be another program's" },

    { "OOM", TROVE_STORE_FULL, TROVE_REDIS_LATER,
      "its memory is full, see its \"maxmemory\"" },

    { "READONLY", TROVE_STORE_READONLY, TROVE_REDIS_NEXT,
      "it is a replica, which takes no writes" },

    { "MASTERDOWN", TROVE_STORE_AWAY, TROVE_REDIS_NEXT,
      "it is a replica that has lost its master" },

    { "UNBLOCKED", TROVE_STORE_AWAY, TROVE_REDIS_NEXT,
      "it has become a replica" },

    { "LOADING", TROVE_STORE_AWAY, TROVE_REDIS_LATER,
      "it is loading its data" },

    { "CLUSTERDOWN", TROVE_STORE_AWAY, TROVE_REDIS_LATER,
      "its cluster is down" },

    { "TRYAGAIN", TROVE_STORE_AWAY, TROVE_REDIS_LATER,
      "the trove is moving to another node" },

    { "NOREPLICAS", TROVE_STORE_READONLY, TROVE_REDIS_LATER,
      "it has too few replicas, see its \"min-replicas-to-write\"" },

    { "MISCONF", TROVE_STORE_IO, TROVE_REDIS_LATER,
      "it cannot save to its disk, and takes no writes meanwhile" },

    { "BUSY", TROVE_STORE_BUSY, TROVE_REDIS_LATER,
      "it is busy with a script" },

    { "ERR max number of clients", TROVE_STORE_AWAY, TROVE_REDIS_LATER,
      "it has too many clients, see its \"maxclients\"" },

    { "NOAUTH", TROVE_STORE_DENIED, TROVE_REDIS_FAILED,
      "it demands a password, and none is given" },

    { "WRONGPASS", TROVE_STORE_DENIED, TROVE_REDIS_FAILED,
      "the user or the password is wrong" },

    { "ERR invalid password", TROVE_STORE_DENIED, TROVE_REDIS_FAILED,
      "the password is wrong" },

    { "ERR AUTH", TROVE_STORE_DENIED, TROVE_REDIS_FAILED,
      "a password is given, and it has none" },

    { "NOPERM", TROVE_STORE_DENIED, TROVE_REDIS_FAILED,
      "the user has not got the rights" },

    { "ERR The user executing the script", TROVE_STORE_DENIED,
      TROVE_REDIS_FAILED,
      "the user has not got all rights that trove needs" },

    { "DENIED", TROVE_STORE_DENIED, TROVE_REDIS_FAILED,
      "it is in protected mode" },

    { "CROSSSLOT", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "keys of one trove are not in one slot" },

    { "ERR DB index", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "it has not got the database of this number" },

    { "ERR SELECT is not allowed", TROVE_STORE_FOREIGN, TROVE_REDIS_FAILED,
      "a cluster has only the database 0" },

    { "", TROVE_STORE_IO, TROVE_REDIS_FAILED, "an error" }
};


trove_rc_t
trove_redis_parse(const trove_slice_t *value, trove_redis_conf_t *conf,
    char *error)
{
    const char  *p, *end, *user, *slash;

    memset(conf, 0, sizeof(trove_redis_conf_t));
    conf->timeout = TROVE_REDIS_TIMEOUT;

    p = (const char *) value->data;
    end = p + value->len;

    if (memchr(p, '\0', value->len) != NULL) {
        return trove_redis_invalid(error, "has a zero byte in it");
    }

    if (trove_redis_starts(p, end, "rediss://")) {
        conf->tls = 1;
        p += sizeof("rediss://") - 1;

    } else if (trove_redis_starts(p, end, "redis://")) {
        p += sizeof("redis://") - 1;

    } else {
        return trove_redis_invalid(error, "does not begin with \"redis://\" "
                                   "or \"rediss://\"");
    }

    if (conf->tls && !TROVE_REDIS_TLS) {
        return trove_redis_invalid(error, "\"rediss://\" needs a hiredis "
                                   "library with TLS, which this was not "
                                   "built with");
    }

    slash = trove_redis_find(p, end, '/');
    user = trove_redis_find(p, slash, '@');

    if (user != slash) {

        if (trove_redis_parse_user(p, user, conf, error) != TROVE_OK) {
            return TROVE_INVALID;
        }

        p = user + 1;
    }

    if (trove_redis_starts(p, end, "unix:")) {
        return trove_redis_parse_unix(p + sizeof("unix:") - 1, end, conf,
                                      error);
    }

    /* what follows is told, and may be a part of a password */

    if (trove_redis_find(p, end, '@') != end) {
        return trove_redis_invalid(error, "in a user or password a \":\", "
                                   "\"@\", \"/\" and \"%%\" are written "
                                   "%%3A, %%40, %%2F and %%25");
    }

    if (trove_redis_parse_nodes(p, slash, conf, error) != TROVE_OK) {
        return TROVE_INVALID;
    }

    return (slash == end) ? TROVE_OK
                          : trove_redis_parse_db(slash + 1, end, conf, error);
}


static trove_rc_t
trove_redis_invalid(char *error, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(error, TROVE_STORE_ERROR, format, args);
    va_end(args);

    return TROVE_INVALID;
}


/* In letters of any case, as the scheme of a URL is (RFC 3986, 3.1). */

static int
trove_redis_starts(const char *p, const char *end, const char *text)
{
    size_t  len;

    len = strlen(text);

    return (size_t) (end - p) >= len && strncasecmp(p, text, len) == 0;
}


/* Where it is, or the end. */

static const char *
trove_redis_find(const char *p, const char *end, char c)
{
    const char  *found;

    found = (p != end) ? memchr(p, c, (size_t) (end - p)) : NULL;

    return (found != NULL) ? found : end;
}


static trove_rc_t
trove_redis_parse_user(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error)
{
    const char  *colon;

    colon = trove_redis_find(p, end, ':');

    if (colon == end || colon + 1 == end) {
        return trove_redis_invalid(error, "has no password before the \"@\": "
                                   "it is user:password@ or :password@");
    }

    if (trove_redis_decode(p, colon, conf->user, "user", error) != TROVE_OK) {
        return TROVE_INVALID;
    }

    return trove_redis_decode(colon + 1, end, conf->password, "password",
                              error);
}


static trove_rc_t
trove_redis_decode(const char *p, const char *end, char *text,
    const char *what, char *error)
{
    int     high, low;
    char   *out;

    for (out = text; p != end; p++) {

        if (out == text + TROVE_REDIS_TEXT) {
            return trove_redis_invalid(error, "the %s has more than %d bytes",
                                       what, TROVE_REDIS_TEXT);
        }

        if (*p != '%') {
            *out++ = *p;
            continue;
        }

        high = (end - p > 2) ? trove_redis_hex(p[1]) : -1;
        low = (end - p > 2) ? trove_redis_hex(p[2]) : -1;

        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            return trove_redis_invalid(error, "in the %s two hexadecimal "
                                       "digits, not 00, must follow a \"%%\"; "
                                       "the sign itself is %%25", what);
        }

        *out++ = (char) (high << 4 | low);
        p += 2;
    }

    *out = '\0';

    return TROVE_OK;
}


static int
trove_redis_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* A path may have a colon in it, too: the database is behind the last. */

static trove_rc_t
trove_redis_parse_unix(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error)
{
    size_t       len;
    const char  *db;

    if (conf->tls) {
        return trove_redis_invalid(error, "a socket has no TLS");
    }

    for (db = end - 2; db > p; db--) {

        if (db[0] == ':' && db[1] == '/') {

            if (trove_redis_parse_db(db + 2, end, conf, error) != TROVE_OK) {
                return TROVE_INVALID;
            }

            end = db;
            break;
        }
    }

    len = (size_t) (end - p);

    if (len == 0 || *p != '/') {
        return trove_redis_invalid(error, "the path of a socket does not "
                                   "begin with \"/\"");
    }

    if (len > TROVE_REDIS_PATH) {
        return trove_redis_invalid(error, "the path of a socket has more than "
                                   "%d bytes", TROVE_REDIS_PATH);
    }

    memcpy(conf->path, p, len);

    return TROVE_OK;
}


static trove_rc_t
trove_redis_parse_db(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error)
{
    if (!trove_redis_number(p, end, TROVE_REDIS_DBS, &conf->db)) {
        return trove_redis_invalid(error, "the database \"%.*s\" is not a "
                                   "number from 0 to %d",
                                   (int) ((end - p < 32) ? end - p : 32), p,
                                   TROVE_REDIS_DBS);
    }

    return TROVE_OK;
}


static int
trove_redis_number(const char *p, const char *end, uint32_t max, uint32_t *n)
{
    *n = 0;

    if (p == end) {
        return 0;
    }

    for ( /* void */ ; p != end; p++) {

        if (*p < '0' || *p > '9') {
            return 0;
        }

        *n = *n * 10 + (uint32_t) (*p - '0');

        if (*n > max) {
            return 0;
        }
    }

    return 1;
}


static trove_rc_t
trove_redis_parse_nodes(const char *p, const char *end,
    trove_redis_conf_t *conf, char *error)
{
    const char  *comma;

    for ( ;; ) {
        comma = trove_redis_find(p, end, ',');

        if (conf->nnodes == TROVE_REDIS_NODES) {
            return trove_redis_invalid(error, "has more than %d hosts",
                                       TROVE_REDIS_NODES);
        }

        if (trove_redis_parse_node(p, comma, &conf->nodes[conf->nnodes],
                                   error)
            != TROVE_OK)
        {
            return TROVE_INVALID;
        }

        conf->nnodes++;

        if (comma == end) {
            return TROVE_OK;
        }

        p = comma + 1;
    }
}


static trove_rc_t
trove_redis_parse_node(const char *p, const char *end,
    trove_redis_node_t *node, char *error)
{
    size_t       len;
    const char  *host, *last;

    host = p;
    node->port = TROVE_REDIS_PORT;

    if (p != end && *p == '[') {
        host = p + 1;
        last = trove_redis_find(p, end, ']');

        if (last == end) {
            return trove_redis_invalid(error, "the bracket of an IPv6 address "
                                       "is not closed");
        }

        p = last + 1;

        if (p != end && *p != ':') {
            return trove_redis_invalid(error, "behind the bracket of an IPv6 "
                                       "address there is no colon");
        }

    } else {
        last = trove_redis_find(p, end, ':');
        p = last;
    }

    len = (size_t) (last - host);

    if (len == 0) {
        return trove_redis_invalid(error, "a host is missing");
    }

    if (len > TROVE_REDIS_HOST) {
        return trove_redis_invalid(error, "a host has more than %d bytes",
                                   TROVE_REDIS_HOST);
    }

    if (p != end
        && (!trove_redis_number(p + 1, end, 65535, &node->port)
            || node->port == 0))
    {
        return trove_redis_invalid(error, "the port of the host \"%.*s\" is "
                                   "not a number from 1 to 65535",
                                   (int) len, host);
    }

    memcpy(node->host, host, len);
    node->host[len] = '\0';

    return TROVE_OK;
}


const char *
trove_redis_node_name(const trove_redis_conf_t *conf, uint32_t node,
    char *buf)
{
    char                       db[sizeof(":/4294967295")];
    const trove_redis_node_t  *n;

    db[0] = '\0';

    if (conf->db != 0) {
        (void) snprintf(db, sizeof(db), ":/%u", conf->db);
    }

    if (conf->nnodes == 0) {
        (void) snprintf(buf, TROVE_REDIS_NODE, "unix:%s%s", conf->path, db);
        return buf;
    }

    n = &conf->nodes[node];

    (void) snprintf(buf, TROVE_REDIS_NODE,
                    (strchr(n->host, ':') != NULL) ? "[%s]:%u%s" : "%s:%u%s",
                    n->host, n->port, &db[conf->db != 0]);

    return buf;
}


unsigned
trove_redis_auth(const trove_redis_conf_t *conf, const char **words)
{
    unsigned  n;

    if (conf->password[0] == '\0') {
        return 0;
    }

    n = 0;
    words[n++] = "AUTH";

    if (conf->user[0] != '\0') {
        words[n++] = conf->user;
    }

    words[n++] = conf->password;

    return n;
}


unsigned
trove_redis_select(const trove_redis_conf_t *conf, const char **words,
    char *db)
{
    if (conf->db == 0) {
        return 0;
    }

    (void) snprintf(db, TROVE_REDIS_DB, "%u", conf->db);

    words[0] = "SELECT";
    words[1] = db;

    return 2;
}


size_t
trove_redis_key(char *buf, const trove_slice_t *trove, const char *part)
{
    return (size_t) sprintf(buf, "trove:{%.*s}%s", (int) trove->len,
                            (const char *) trove->data, part);
}


size_t
trove_redis_board_key(char *buf, const trove_slice_t *trove,
    const trove_board_conf_t *board, uint64_t period)
{
    return (size_t) sprintf(buf, "trove:{%.*s}:board:%s:%u:%u:%llu",
                            (int) trove->len, (const char *) trove->data,
                            board->name, board->reset, board->claims,
                            (unsigned long long) period);
}


void
trove_redis_error(const trove_slice_t *text, const trove_redis_node_t *from,
    trove_redis_error_t *e)
{
    const char                *p;
    const trove_redis_kind_t  *kind;

    p = (const char *) text->data;

    for (kind = trove_redis_kinds;
         !trove_redis_starts(p, p + text->len, kind->text);
         kind++)
    {
        /* void */
    }

    memset(&e->node, 0, sizeof(e->node));
    e->rc = kind->rc;
    e->then = kind->then;
    e->why = kind->why;

    if (e->then == TROVE_REDIS_MOVED || e->then == TROVE_REDIS_ASK) {
        trove_redis_where(text, from, e);
    }
}


/* MOVED 3999 127.0.0.1:6381 */

static void
trove_redis_where(const trove_slice_t *text, const trove_redis_node_t *from,
    trove_redis_error_t *e)
{
    size_t       len;
    const char  *p, *end, *colon;

    p = (const char *) text->data;
    end = p + text->len;
    p = trove_redis_find(p, end, ' ');
    p = (p != end) ? trove_redis_find(p + 1, end, ' ') : end;
    p += (p != end);

    for (colon = end; colon > p && *--colon != ':'; /* void */ ) {
        /* void */
    }

    len = (size_t) (colon - p);

    if (p == end || *colon != ':' || len > TROVE_REDIS_HOST
        || !trove_redis_number(colon + 1, end, 65535, &e->node.port)
        || e->node.port == 0)
    {
        e->then = TROVE_REDIS_FAILED;
        return;
    }

    if (len == 0 || (len == 1 && *p == '?')) {
        memcpy(e->node.host, from->host, sizeof(e->node.host));

    } else {
        memcpy(e->node.host, p, len);
    }
}


void
trove_redis_init(trove_redis_t *r, const trove_redis_conf_t *conf,
    char *error)
{
    memset(r, 0, sizeof(trove_redis_t));
    r->conf = conf;
    r->error = error;
    r->fd = -1;
}


/* What went wrong, and where; any password is in neither. */

static trove_store_rc_t
trove_redis_tell(trove_redis_t *r, trove_store_rc_t rc, const char *format,
    ...)
{
    int      n;
    char     name[TROVE_REDIS_NODE];
    va_list  args;

    n = snprintf(r->error, TROVE_STORE_ERROR, "redis %s: ",
                 trove_redis_name(r, name));

    va_start(args, format);
    (void) vsnprintf(r->error + n, (size_t) (TROVE_STORE_ERROR - n), format,
                     args);
    va_end(args);

    return rc;
}


static const char *
trove_redis_name(const trove_redis_t *r, char *buf)
{
    if (!r->moved) {
        return trove_redis_node_name(r->conf, r->at, buf);
    }

    (void) snprintf(buf, TROVE_REDIS_NODE, "%s:%u", r->node.host,
                    r->node.port);

    return buf;
}


trove_store_rc_t
trove_redis_connect(trove_redis_t *r)
{
    uint32_t          n;
    trove_store_rc_t  rc;

    if (r->c != NULL) {
        return TROVE_STORE_DONE;
    }

    /* a node that was not one of ours, first */

    for (n = r->conf->nnodes + (r->moved != 0); /* void */ ; n--) {
        rc = trove_redis_open(r);

        if (rc == TROVE_STORE_DONE) {
            return TROVE_STORE_DONE;
        }

        trove_redis_close(r);
        (void) trove_redis_next(r);

        if (n <= 1) {
            return rc;
        }
    }
}


void
trove_redis_close(trove_redis_t *r)
{
    r->fd = -1;

    if (r->c != NULL) {
        redisFree(r->c);
        r->c = NULL;
    }
}


trove_store_rc_t
trove_redis_master(trove_redis_t *r)
{
    trove_store_rc_t  rc;

    if (r->c == NULL) {
        return trove_redis_connect(r);
    }

    rc = trove_redis_is_master(r);

    if (rc != TROVE_STORE_DONE) {
        trove_redis_close(r);
    }

    return rc;
}


/* Whether that is another one. */

static int
trove_redis_next(trove_redis_t *r)
{
    if (r->moved) {
        r->moved = 0;
        return 1;
    }

    if (r->conf->nnodes < 2) {
        return 0;
    }

    r->at = (r->at + 1) % r->conf->nnodes;

    return 1;
}


static trove_store_rc_t
trove_redis_open(trove_redis_t *r)
{
    struct timeval             tv;
    const trove_redis_node_t  *node;

    r->opens++;

    tv.tv_sec = r->conf->timeout / 1000;
    tv.tv_usec = (r->conf->timeout % 1000) * 1000;

    node = r->moved ? &r->node : &r->conf->nodes[r->at];

    r->c = (r->conf->nnodes == 0 && !r->moved)
           ? redisConnectUnixWithTimeout(r->conf->path, tv)
           : redisConnectWithTimeout(node->host, (int) node->port, tv);

    if (r->c == NULL) {
        return trove_redis_tell(r, TROVE_STORE_NOMEM, "no memory");
    }

    if (r->c->err != 0) {
        return trove_redis_broken(r);
    }

    r->fd = r->c->fd;

    if (redisSetTimeout(r->c, tv) != REDIS_OK) {
        return trove_redis_broken(r);
    }

    if (r->conf->nnodes != 0 && redisEnableKeepAlive(r->c) != REDIS_OK) {
        return trove_redis_broken(r);
    }

    if (r->conf->tls
        && trove_redis_tls(r->c, r->conf, node->host, NULL) != TROVE_OK)
    {
        return trove_redis_tell(r, TROVE_STORE_AWAY, "TLS: %s", r->c->errstr);
    }

    return trove_redis_greet(r);
}


static trove_store_rc_t
trove_redis_greet(trove_redis_t *r)
{
    char               db[TROVE_REDIS_DB];
    unsigned           n;
    const char        *words[TROVE_REDIS_WORDS];
    trove_store_rc_t   rc;

    rc = TROVE_STORE_DONE;

    n = trove_redis_auth(r->conf, words);

    if (n != 0) {
        rc = trove_redis_simple(r, (int) n, words);
    }

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    n = trove_redis_select(r->conf, words, db);

    if (n != 0) {
        rc = trove_redis_simple(r, (int) n, words);
    }

    return (rc == TROVE_STORE_DONE) ? trove_redis_is_master(r) : rc;
}


static trove_store_rc_t
trove_redis_simple(trove_redis_t *r, int argc, const char **argv)
{
    redisReply           *reply;
    trove_slice_t         text;
    trove_redis_error_t   e;

    reply = redisCommandArgv(r->c, argc, argv, NULL);

    if (reply == NULL) {
        return trove_redis_broken(r);
    }

    e.rc = TROVE_STORE_DONE;

    if (reply->type == REDIS_REPLY_ERROR) {
        text.data = (const unsigned char *) reply->str;
        text.len = (size_t) reply->len;
        trove_redis_error(&text, &r->conf->nodes[r->at], &e);
        (void) trove_redis_tell(r, e.rc, "%s (%s)", e.why, reply->str);
    }

    freeReplyObject(reply);

    return e.rc;
}


/* What a replica has may be old; who may not ask finds out when he writes. */

static trove_store_rc_t
trove_redis_is_master(trove_redis_t *r)
{
    return (redisAppendCommand(r->c, "ROLE") == REDIS_OK)
           ? trove_redis_role(r) : trove_redis_broken(r);
}


/* What the answer to ROLE says, which comes next. */

static trove_store_rc_t
trove_redis_role(trove_redis_t *r)
{
    int          replica, demanded;
    void        *res;
    redisReply  *reply;

    if (redisGetReply(r->c, &res) != REDIS_OK) {
        return trove_redis_broken(r);
    }

    reply = res;

    replica = reply->type == REDIS_REPLY_ARRAY
              && reply->elements != 0
              && reply->element[0]->type == REDIS_REPLY_STRING
              && strcmp(reply->element[0]->str, "slave") == 0;

    demanded = reply->type == REDIS_REPLY_ERROR
               && strncmp(reply->str, "NOAUTH", 6) == 0;

    freeReplyObject(reply);

    if (demanded) {
        return trove_redis_tell(r, TROVE_STORE_DENIED, "it demands a "
                                "password, and none is given");
    }

    return replica ? trove_redis_tell(r, TROVE_STORE_READONLY, "it is a "
                                      "replica, which takes no writes")
                   : TROVE_STORE_DONE;
}


/* Of the connection; errno is of hiredis' last call. */

static trove_store_rc_t
trove_redis_broken(trove_redis_t *r)
{
    int  late;

    late = r->c->err == REDIS_ERR_IO
           && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT
               || errno == EINPROGRESS);

    return late ? trove_redis_tell(r, TROVE_STORE_TIMEOUT,
                                   "no answer within %u ms", r->conf->timeout)
                : trove_redis_tell(r, TROVE_STORE_AWAY, "%s", r->c->errstr);
}


trove_store_rc_t
trove_redis_command(trove_redis_t *r, redisReply **reply, int argc,
    const char **argv, const size_t *lens)
{
    int                n;
    char              *cmd;
    trove_store_rc_t   rc;

    *reply = NULL;
    n = redisFormatCommandArgv(&cmd, argc, argv, lens);

    if (n == -1) {
        return trove_redis_tell(r, TROVE_STORE_NOMEM, "no memory");
    }

    rc = trove_redis_formatted(r, reply, cmd, (size_t) n);
    redisFreeCommand(cmd);

    return rc;
}


trove_store_rc_t
trove_redis_commandf(trove_redis_t *r, redisReply **reply,
    const char *format, ...)
{
    int                n;
    char              *cmd;
    va_list            args;
    trove_store_rc_t   rc;

    *reply = NULL;

    va_start(args, format);
    n = redisvFormatCommand(&cmd, format, args);
    va_end(args);

    if (n == -1) {
        return trove_redis_tell(r, TROVE_STORE_NOMEM, "no memory");
    }

    rc = trove_redis_formatted(r, reply, cmd, (size_t) n);
    redisFreeCommand(cmd);

    return rc;
}


/*
 * Wherever the trove is.  Who is asked instead of a node is asked once: the
 * next command begins where this one began.
 */

static trove_store_rc_t
trove_redis_formatted(trove_redis_t *r, redisReply **reply, const char *cmd,
    size_t len)
{
    int                  hops, asking, moved;
    trove_store_rc_t     rc;
    trove_redis_node_t   node;
    trove_redis_error_t  e;

    asking = 0;
    moved = 0;
    node = r->node;

    for (hops = 0; /* void */ ; hops++) {
        rc = trove_redis_connect(r);

        if (rc != TROVE_STORE_DONE) {
            return rc;
        }

        rc = trove_redis_once(r, reply, asking, cmd, len, &e);

        if (asking) {
            trove_redis_close(r);
            asking = 0;
            r->moved = moved;
            r->node = node;
        }

        if (rc == TROVE_STORE_DONE || hops == TROVE_REDIS_HOPS) {
            return rc;
        }

        switch (e.then) {

        case TROVE_REDIS_ASK:
            asking = 1;
            moved = r->moved;
            node = r->node;

            /* fall through */

        case TROVE_REDIS_MOVED:
            trove_redis_close(r);
            r->moved = 1;
            r->node = e.node;
            r->moves += !asking;
            break;

        case TROVE_REDIS_NEXT:
            trove_redis_close(r);

            if (trove_redis_next(r)) {
                r->moves++;
                break;
            }

            /* fall through */

        default:
            return rc;
        }
    }
}


static trove_store_rc_t
trove_redis_once(trove_redis_t *r, redisReply **reply, int asking,
    const char *cmd, size_t len, trove_redis_error_t *e)
{
    void                      *res;
    trove_slice_t              text;
    trove_store_rc_t           rc;
    const trove_redis_node_t  *from;

    e->then = TROVE_REDIS_FAILED;
    res = NULL;

    if (asking
        && (redisAppendCommand(r->c, "ASKING") != REDIS_OK
            || redisGetReply(r->c, &res) != REDIS_OK))
    {
        rc = trove_redis_broken(r);
        trove_redis_close(r);
        return rc;
    }

    if (res != NULL) {
        freeReplyObject(res);
        res = NULL;
    }

    /* both are sent at once, lest it becomes a replica in between */

    if ((r->wary && redisAppendCommand(r->c, "ROLE") != REDIS_OK)
        || redisAppendFormattedCommand(r->c, cmd, len) != REDIS_OK)
    {
        rc = trove_redis_broken(r);
        trove_redis_close(r);
        return rc;
    }

    rc = r->wary ? trove_redis_role(r) : TROVE_STORE_DONE;

    if (rc == TROVE_STORE_READONLY) {
        e->then = TROVE_REDIS_NEXT;
        return rc;
    }

    if (rc != TROVE_STORE_DONE) {
        trove_redis_close(r);
        return rc;
    }

    if (redisGetReply(r->c, &res) != REDIS_OK) {
        rc = trove_redis_broken(r);
        trove_redis_close(r);
        return rc;
    }

    *reply = res;

    if ((*reply)->type != REDIS_REPLY_ERROR) {
        return TROVE_STORE_DONE;
    }

    from = r->moved ? &r->node : &r->conf->nodes[r->at];
    text.data = (const unsigned char *) (*reply)->str;
    text.len = (size_t) (*reply)->len;

    trove_redis_error(&text, from, e);
    (void) trove_redis_tell(r, e->rc, "%s (%s)", e->why, (*reply)->str);

    freeReplyObject(*reply);
    *reply = NULL;

    return e->rc;
}


trove_store_rc_t
trove_redis_meta(trove_redis_t *r, const trove_slice_t *trove,
    trove_redis_meta_t *meta)
{
    char              *key;
    redisReply        *reply;
    trove_store_rc_t   rc;

    key = malloc(trove->len + TROVE_REDIS_KEY);

    if (key == NULL) {
        return trove_redis_tell(r, TROVE_STORE_NOMEM, "no memory");
    }

    rc = trove_redis_commandf(r, &reply, "HMGET %b format instance space log "
                              "version born claims",
                              key, trove_redis_key(key, trove, ""));
    free(key);

    if (rc == TROVE_STORE_DONE) {
        rc = trove_redis_meta_read(r, reply, trove, meta);
        freeReplyObject(reply);
    }

    return rc;
}


static trove_store_rc_t
trove_redis_meta_read(trove_redis_t *r, const redisReply *reply,
    const trove_slice_t *trove, trove_redis_meta_t *meta)
{
    uint64_t            format, born;
    redisReply *const  *e;

    memset(meta, 0, sizeof(trove_redis_meta_t));

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 7) {
        return trove_redis_tell(r, TROVE_STORE_IO, "an unexpected answer");
    }

    e = reply->element;

    if (e[1]->type == REDIS_REPLY_NIL) {
        return trove_redis_tell(r, TROVE_STORE_GONE,
                                "there is no trove \"%.*s\"",
                                (int) trove->len, (const char *) trove->data);
    }

    if (!trove_redis_meta_number(e[0], UINT64_MAX, &format)
        || format != TROVE_REDIS_FORMAT
        || e[1]->type != REDIS_REPLY_STRING
        || (size_t) e[1]->len != TROVE_REDIS_INSTANCE
        || e[2]->type != REDIS_REPLY_STRING
        || (strcmp(e[2]->str, "plane") != 0 && strcmp(e[2]->str, "earth") != 0)
        || !trove_redis_meta_number(e[3], TROVE_REDIS_NUMBER, &meta->log)
        || !trove_redis_meta_number(e[4], TROVE_REDIS_NUMBER, &meta->version)
        || !trove_redis_meta_number(e[5], UINT32_MAX, &born)
        || !trove_redis_meta_number(e[6], TROVE_REDIS_NUMBER, &meta->claims))
    {
        return trove_redis_tell(r, TROVE_STORE_FOREIGN, "its keys are of "
                                "another version of trove, or of another "
                                "program");
    }

    memcpy(meta->instance, e[1]->str, TROVE_REDIS_INSTANCE);
    meta->space = (e[2]->str[0] == 'e') ? TROVE_EARTH : TROVE_PLANE;
    meta->born = (uint32_t) born;

    return TROVE_STORE_DONE;
}


static int
trove_redis_meta_number(const redisReply *reply, uint64_t max, uint64_t *n)
{
    return trove_redis_reply_number(reply, "", n) && *n <= max;
}


int
trove_redis_reply_number(const redisReply *reply, const char *end,
    uint64_t *n)
{
    char  *rest;

    if (reply->type != REDIS_REPLY_STRING
        || reply->str[0] < '0' || reply->str[0] > '9')
    {
        return 0;
    }

    errno = 0;
    *n = strtoull(reply->str, &rest, 10);

    return errno == 0 && strcmp(rest, end) == 0;
}


trove_store_rc_t
trove_redis_make(trove_redis_t *r, const trove_slice_t *trove,
    trove_redis_meta_t *meta)
{
    char              *key;
    redisReply        *reply;
    trove_store_rc_t   rc;

    static const char  script[] =
        "#!lua\n"
        "if redis.call('EXISTS', KEYS[1]) == 0 then"
        " redis.call('HSET', KEYS[1], unpack(ARGV))"
        " end";

    key = malloc(trove->len + TROVE_REDIS_KEY);

    if (key == NULL) {
        return trove_redis_tell(r, TROVE_STORE_NOMEM, "no memory");
    }

    rc = trove_redis_commandf(r, &reply, "EVAL %s 1 %b format %u instance %b "
                              "space %s log %llu version %llu born %u "
                              "claims %llu", script,
                              key, trove_redis_key(key, trove, ""),
                              TROVE_REDIS_FORMAT, meta->instance,
                              (size_t) TROVE_REDIS_INSTANCE,
                              (meta->space == TROVE_EARTH) ? "earth" : "plane",
                              (unsigned long long) meta->log,
                              (unsigned long long) meta->version, meta->born,
                              (unsigned long long) meta->claims);
    free(key);

    if (rc != TROVE_STORE_DONE) {
        return rc;
    }

    freeReplyObject(reply);

    return trove_redis_meta(r, trove, meta);
}
