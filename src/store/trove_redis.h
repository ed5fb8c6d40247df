
/*
 * A trove in Redis: where it is, what its keys are called, a connection that
 * waits (for threads; workers have one of their own on the event loop), and
 * what went wrong.
 *
 *   trove:{NAME}                  hash: format, instance, space, log, version,
 *                                 born, claims
 *   trove:{NAME}:rewards          hash: id -> row
 *   trove:{NAME}:players          hash: player -> row
 *   trove:{NAME}:claims           hash: id:player -> row, of each the latest
 *   trove:{NAME}:board:B:R:C:P    hash: player -> row, of the board B with the
 *                                 reset R and of claims or not, in period P
 *   trove:{NAME}:log              stream: entry n has the id n-0, and fields
 *                                 v   the ledger's version before
 *                                 o   SESSION:NUMBER of the call
 *                                 d   changes, see trove_redis_wire.h
 *   trove:{NAME}:s:SESSION        hash: number modulo 16 -> an answer
 *
 * What all of it means is decided in trove_redis.lua.
 */

#ifndef TROVE_REDIS_H_INCLUDED
#define TROVE_REDIS_H_INCLUDED


#include <hiredis/hiredis.h>

#include "trove_redis_wire.h"
#include "trove_store.h"


#define TROVE_REDIS_NODES     8
#define TROVE_REDIS_HOST      255       /* bytes, at most                    */
#define TROVE_REDIS_TEXT      255       /* of a user or a password           */
#define TROVE_REDIS_PATH      107       /* of a socket                       */
#define TROVE_REDIS_FORMAT    1         /* of the keys                       */

/* "redis://" and all that may stand in an address as it is shown. */
#define TROVE_REDIS_NODE      (TROVE_REDIS_HOST + 16)


typedef struct {
    char                      host[TROVE_REDIS_HOST + 1];
    uint32_t                  port;
} trove_redis_node_t;


typedef struct {
    trove_redis_node_t        nodes[TROVE_REDIS_NODES];
    uint32_t                  nnodes;       /* 0: it is the socket           */
    char                      path[TROVE_REDIS_PATH + 1];
    char                      user[TROVE_REDIS_TEXT + 1];       /* or empty  */
    char                      password[TROVE_REDIS_TEXT + 1];   /* or empty  */
    uint32_t                  db;
    int                       tls;
    void                     *tls_context;  /* of all connections, OpenSSL's */
    uint32_t                  replicas;     /* that a write waits for        */
    uint32_t                  timeout;      /* ms                            */
} trove_redis_conf_t;


/*
 * Reads one of
 *
 *   redis://[[user]:password@]host[:port][,host[:port]]...[/db]
 *   rediss://...                               the same by TLS
 *   redis://[[user]:password@]unix:/path[:/db]
 *
 * A colon, an at sign, a slash or a percent sign of a user or a password is
 * written as %3A, %40, %2F, %25; the port is 6379, unless given, and an IPv6
 * address stands in brackets.  "replicas" and "timeout" become 0 and 1000.
 * TROVE_OK, or TROVE_INVALID: "error", of TROVE_STORE_ERROR bytes, tells what
 * is wrong, without the password.
 */
trove_rc_t trove_redis_parse(const trove_slice_t *value,
    trove_redis_conf_t *conf, char *error);

/*
 * "host:port" or "unix:/path" of the node of that number, and "/db" or ":/db"
 * if it is not 0, in a buffer of TROVE_REDIS_NODE bytes.
 */
const char *trove_redis_node_name(const trove_redis_conf_t *conf,
    uint32_t node, char *buf);

/*
 * The words of the commands that a connection begins with, and how many they
 * are; 0: it needs none.  They are the configuration's, and those of "db",
 * which has TROVE_REDIS_DB bytes.
 */
#define TROVE_REDIS_WORDS  3
#define TROVE_REDIS_DB     sizeof("4294967295")

unsigned trove_redis_auth(const trove_redis_conf_t *conf, const char **words);
unsigned trove_redis_select(const trove_redis_conf_t *conf,
    const char **words, char *db);


/*
 * Names of keys, in a buffer of TROVE_REDIS_KEY bytes more than the trove's
 * name has; the length is returned.  "part" is "", ":rewards", ":players",
 * ":claims", ":log" or ":s:" and a session.
 */
#define TROVE_REDIS_KEY       160

size_t trove_redis_key(char *buf, const trove_slice_t *trove,
    const char *part);
size_t trove_redis_board_key(char *buf, const trove_slice_t *trove,
    const trove_board_conf_t *board, uint64_t period);


/* The script, and the sum that EVALSHA knows it by. */

extern const char    trove_redis_script[];
extern const size_t  trove_redis_script_len;
extern const char    trove_redis_script_sha[41];


/*
 * What an error that Redis answered with stands for; how to go on:
 *
 *   TROVE_REDIS_FAILED    it is final: see rc
 *   TROVE_REDIS_SCRIPT    Redis has not got the script: load it, then again
 *   TROVE_REDIS_MOVED     again, there, and what follows as well
 *   TROVE_REDIS_ASK       again, there, after ASKING
 *   TROVE_REDIS_NEXT      this node takes no writes now: try the next one
 *   TROVE_REDIS_LATER     nothing was carried out: again after a while
 *   TROVE_REDIS_LOST      the session is not known: what became of the call
 *                         cannot be told any more; go on with a new session
 */

typedef enum {
    TROVE_REDIS_FAILED,
    TROVE_REDIS_SCRIPT,
    TROVE_REDIS_MOVED,
    TROVE_REDIS_ASK,
    TROVE_REDIS_NEXT,
    TROVE_REDIS_LATER,
    TROVE_REDIS_LOST
} trove_redis_then_t;


typedef struct {
    trove_store_rc_t          rc;
    trove_redis_then_t        then;
    trove_redis_node_t        node;         /* of MOVED, ASK                 */
    const char               *why;          /* in words, of this kind        */
} trove_redis_error_t;

/* "from" answered: a MOVED may leave out its own host. */
void trove_redis_error(const trove_slice_t *text,
    const trove_redis_node_t *from, trove_redis_error_t *e);


/*
 * What connections by TLS share, with the certificates of whom the system
 * trusts: before the first connection, if "tls" is set.  TROVE_OK, TROVE_NOMEM,
 * or TROVE_INVALID: "error" tells.
 */
trove_rc_t trove_redis_tls_open(trove_redis_conf_t *conf, char *error);
void trove_redis_tls_close(trove_redis_conf_t *conf);

/*
 * Goes on by TLS, of a connection that was just made or is about to be, with
 * the host's certificate signed by whom the system trusts.  *tls is the
 * connection's from then on, and may be NULL here.  TROVE_INVALID: c->errstr
 * tells.
 */
trove_rc_t trove_redis_tls(redisContext *c, const trove_redis_conf_t *conf,
    const char *host, void **tls);

/* Whether what is to be written has to wait until something was read. */
int trove_redis_tls_reads(void *tls);

/* c->errstr tells why it has failed, if TLS knows. */
void trove_redis_tls_why(redisContext *c, void *tls);


/*
 * A connection for threads, which waits "timeout" at most for each step.  All
 * of it is the owner's alone, but "fd", which another thread may shutdown() to
 * end a wait; it is -1 while there is none.
 */

typedef struct {
    const trove_redis_conf_t *conf;
    char                     *error;        /* TROVE_STORE_ERROR bytes       */
    redisContext             *c;            /* NULL: not connected           */
    _Atomic int               fd;
    uint32_t                  at;           /* of conf's nodes, is next      */
    int                       moved;        /* "node" is not one of these    */
    trove_redis_node_t        node;
    uint64_t                  opens;        /* connections                   */
    uint64_t                  moves;        /* from one node to another      */
    int                       wary;         /* a replica answers no command  */
} trove_redis_t;


void trove_redis_init(trove_redis_t *r, const trove_redis_conf_t *conf,
    char *error);

/*
 * To the first node, from the one that is next on, that answers; with
 * authentication and the database.  TROVE_STORE_DONE, or "error" tells of the
 * last node why.
 */
trove_store_rc_t trove_redis_connect(trove_redis_t *r);
void trove_redis_close(trove_redis_t *r);

/*
 * Whether the node that it is connected with still is a master, as it was then;
 * else it is closed.  Who may not ask for a node's part takes it for one.
 */
trove_store_rc_t trove_redis_master(trove_redis_t *r);

/*
 * One command and its reply, which is never an error and to be freed by
 * freeReplyObject().  Connects if there is no connection; goes where the
 * cluster says.  Otherwise "error" tells, and if it was the connection, or a
 * node that is not the right one, it is closed.
 */
trove_store_rc_t trove_redis_command(trove_redis_t *r, redisReply **reply,
    int argc, const char **argv, const size_t *lens);

/* The same by printf's ways, see hiredis: %s, %b. */
trove_store_rc_t trove_redis_commandf(trove_redis_t *r, redisReply **reply,
    const char *format, ...);

/*
 * Whether the reply is a number, in decimal digits, and nothing but "end"
 * behind it.
 */
int trove_redis_reply_number(const redisReply *reply, const char *end,
    uint64_t *n);


/* What the hash of a trove tells of it. */

typedef struct {
    char                      instance[TROVE_REDIS_INSTANCE + 1];
    uint32_t                  space;
    uint64_t                  log;
    uint64_t                  version;
    uint32_t                  born;
    uint64_t                  claims;       /* that ever were granted        */
} trove_redis_meta_t;

/*
 * TROVE_STORE_DONE, TROVE_STORE_GONE: there is none; TROVE_STORE_FOREIGN: of a
 * format that is not ours.
 */
trove_store_rc_t trove_redis_meta(trove_redis_t *r,
    const trove_slice_t *trove, trove_redis_meta_t *meta);

/*
 * Makes the trove with these figures, unless there is one, and then reads what
 * there is.
 */
trove_store_rc_t trove_redis_make(trove_redis_t *r,
    const trove_slice_t *trove, trove_redis_meta_t *meta);


#endif /* TROVE_REDIS_H_INCLUDED */
