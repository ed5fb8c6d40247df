
#include "ngx_http_trove.h"

#include <grp.h>
#include <pwd.h>


#define NGX_HTTP_TROVE_STORE_BUSY    1000    /* ms to wait for other programs */
#define NGX_HTTP_TROVE_ACK_TIMEOUT   5000    /* ms                            */


/* The mapping of a ledger's file, which configurations in turn share. */

struct ngx_http_trove_file_s {
    trove_ledger_file_t   file;
    ngx_uint_t            refs;
};


static char *ngx_http_trove_store_sqlite(ngx_conf_t *cf,
    ngx_http_trove_t *trove, ngx_str_t *path);
static ngx_int_t ngx_http_trove_store_taken(ngx_conf_t *cf,
    ngx_http_trove_t *trove);
static ngx_uint_t ngx_http_trove_store_same(const char *one, const char *two);
static ngx_int_t ngx_http_trove_store_start(ngx_http_trove_t *trove,
    ngx_log_t *log);
static void ngx_http_trove_store_told(ngx_http_trove_t *trove,
    trove_ledger_file_t *file, ngx_msec_t ms, ngx_log_t *log);
static uint64_t ngx_http_trove_store_rows(const trove_ledger_t *ledger);
static ngx_int_t ngx_http_trove_store_failed(ngx_http_trove_t *trove,
    ngx_log_t *log, const char *error);
static ngx_int_t ngx_http_trove_store_files(ngx_http_trove_t *trove,
    ngx_log_t *log);
static ngx_int_t ngx_http_trove_store_own(ngx_http_trove_t *trove,
    ngx_log_t *log);
static ngx_int_t ngx_http_trove_store_folder(ngx_http_trove_t *trove,
    ngx_log_t *log);
static ngx_core_conf_t *ngx_http_trove_store_other_user(
    ngx_http_trove_t *trove);
static ngx_int_t ngx_http_trove_store_chown(ngx_str_t *path, const char *more,
    ngx_uid_t user, ngx_log_t *log);
static ngx_uint_t ngx_http_trove_store_writable(const char *dir,
    ngx_uid_t user);


char *
ngx_http_trove_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, path;

    if (trove->store_value.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    trove->store_value = value[1];

    if (ngx_http_trove_is_redis(&value[1])) {
        return ngx_http_trove_redis_conf(cf, trove);
    }

    if (cf->args->nelts > 2) {
        return ngx_http_trove_invalid(cf, &value[2],
                                      "behind \"redis://\", if at all");
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_http_trove_prefixed(&value[1], "sqlite:", &path) != NGX_OK
        || path.len == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid store \"%V\", must "
                           "be \"sqlite:PATH\", \"redis://HOST\" or \"off\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_trove_store_sqlite(cf, trove, &path);
}


static char *
ngx_http_trove_store_sqlite(ngx_conf_t *cf, ngx_http_trove_t *trove,
    ngx_str_t *path)
{
    u_char  *p;

    if (path->data[path->len - 1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid store \"%V\", it is "
                           "a folder", &trove->store_value);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    trove->store = &trove_store_sqlite;
    trove->store_path = *path;

    p = ngx_pnalloc(cf->pool, path->len + sizeof("-ledger"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    trove->ledger_path.data = p;
    trove->ledger_path.len = path->len + sizeof("-ledger") - 1;

    p = ngx_cpymem(p, path->data, path->len);
    ngx_memcpy(p, "-ledger", sizeof("-ledger"));

    return (ngx_http_trove_store_taken(cf, trove) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/*
 * Whether a reload leaves the store where it is.  Of Redis only the kind: by
 * its own name the trove is known when the next connection is made, so that
 * nodes, passwords and times may become others, and another trove is not taken
 * for this one.
 */

ngx_uint_t
ngx_http_trove_store_kept(ngx_http_trove_t *trove, ngx_http_trove_t *old)
{
    if ((trove->store == NULL) != (old->store == NULL)
        || (trove->redis == NULL) != (old->redis == NULL))
    {
        return 0;
    }

    return trove->store == NULL
           || ngx_strcmp(trove->store_path.data, old->store_path.data) == 0;
}


static ngx_int_t
ngx_http_trove_store_taken(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_uint_t                    i;
    ngx_http_trove_t            **troves;
    ngx_http_conf_ctx_t          *ctx;
    ngx_http_trove_main_conf_t   *tmcf;

    ctx = (ngx_http_conf_ctx_t *)
              ngx_get_conf(cf->cycle->conf_ctx, ngx_http_module);

    tmcf = ctx->main_conf[ngx_http_trove_module.ctx_index];
    troves = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {

        if (troves[i] == trove || troves[i]->store == NULL) {
            continue;
        }

        if (ngx_http_trove_store_same((char *) troves[i]->store_path.data,
                                      (char *) trove->store_path.data))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "store \"%V\" is that of "
                               "trove \"%V\" already",
                               &trove->store_value, &troves[i]->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Two names may be one file's; of one that is not there yet, if it will be in
 * the same folder.
 */

static ngx_uint_t
ngx_http_trove_store_same(const char *one, const char *two)
{
    char         folder[2][NGX_MAX_PATH], *name[2];
    ngx_uint_t   i;
    struct stat  st[2];

    if (stat(one, &st[0]) == 0 && stat(two, &st[1]) == 0) {
        return st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino;
    }

    ngx_cpystrn((u_char *) folder[0], (u_char *) one, NGX_MAX_PATH);
    ngx_cpystrn((u_char *) folder[1], (u_char *) two, NGX_MAX_PATH);

    for (i = 0; i < 2; i++) {
        name[i] = strrchr(folder[i], '/');

        if (name[i] == NULL) {
            return 0;
        }

        *name[i]++ = '\0';

        if (stat(folder[i][0] ? folder[i] : "/", &st[i]) != 0) {
            return ngx_strcmp(one, two) == 0;
        }
    }

    return st[0].st_dev == st[1].st_dev
           && st[0].st_ino == st[1].st_ino
           && ngx_strcmp(name[0], name[1]) == 0;
}


char *
ngx_http_trove_ack(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_trove_t  *trove = conf;

    ngx_str_t         *value, time;

    static const char  must[] = "\"timeout=\" and a time above 0, behind "
                                "\"commit\"";

    if (trove->ack != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "memory") == 0) {
        trove->ack = NGX_HTTP_TROVE_ACK_MEMORY;

    } else if (ngx_strcmp(value[1].data, "commit") == 0) {
        trove->ack = NGX_HTTP_TROVE_ACK_COMMIT;

    } else {
        return ngx_http_trove_invalid(cf, &value[1],
                                      "\"memory\" or \"commit\"");
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (trove->ack != NGX_HTTP_TROVE_ACK_COMMIT
        || ngx_http_trove_prefixed(&value[2], "timeout=", &time) != NGX_OK)
    {
        return ngx_http_trove_invalid(cf, &value[2], must);
    }

    trove->ack_timeout = ngx_parse_time(&time, 0);

    if (trove->ack_timeout == (ngx_msec_t) NGX_ERROR
        || trove->ack_timeout == 0)
    {
        return ngx_http_trove_invalid(cf, &value[2], must);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_trove_store_defaults(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    ngx_conf_init_uint_value(trove->ack, NGX_HTTP_TROVE_ACK_MEMORY);
    ngx_conf_init_msec_value(trove->ack_timeout, NGX_HTTP_TROVE_ACK_TIMEOUT);

    if (trove->ack == NGX_HTTP_TROVE_ACK_COMMIT && trove->redis) {
        trove->ack = NGX_HTTP_TROVE_ACK_MEMORY;    /* answers wait anyhow */
    }

    if (trove->ack == NGX_HTTP_TROVE_ACK_COMMIT && trove->store == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"ack commit\" of trove "
                           "\"%V\" needs a \"store\"", &trove->name);
        return NGX_CONF_ERROR;
    }

    if (trove->overflow && trove->redis) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"overflow\" of trove "
                           "\"%V\" is for a ledger of this machine: what is "
                           "in Redis has no queues", &trove->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_http_trove_store_conf(ngx_http_trove_t *trove, trove_store_conf_t *conf)
{
    ngx_memzero(conf, sizeof(trove_store_conf_t));

    conf->path = (char *) trove->store_path.data;
    conf->space = trove->space;
    conf->busy = NGX_HTTP_TROVE_STORE_BUSY;
    conf->log_size = TROVE_STORE_LOG_SIZE;
    conf->log_max = TROVE_STORE_LOG_MAX;
}


/* What "nginx -t" can tell. */

ngx_int_t
ngx_http_trove_store_check(ngx_http_trove_t *trove, ngx_log_t *log)
{
    if (ngx_http_trove_store_files(trove, log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_trove_store_folder(trove, log);
}


static ngx_int_t
ngx_http_trove_store_files(ngx_http_trove_t *trove, ngx_log_t *log)
{
    char  error[ngx_max(TROVE_STORE_ERROR, TROVE_LEDGER_FILE_ERROR)];

    if (trove_store_sqlite_check((char *) trove->store_path.data, error)
        != TROVE_STORE_DONE
        || trove_ledger_file_check((char *) trove->ledger_path.data, error)
           != TROVE_OK)
    {
        return ngx_http_trove_store_failed(trove, log, error);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_store_open(ngx_http_trove_t *trove, ngx_http_trove_t *old,
    ngx_log_t *log)
{
    if (old) {
        trove->shared = old->shared;
        trove->shared->refs++;

    } else if (ngx_http_trove_store_files(trove, log) != NGX_OK
               || ngx_http_trove_store_start(trove, log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    trove->ledger = trove->shared->file.ledger;

    return ngx_http_trove_store_own(trove, log);
}


static ngx_int_t
ngx_http_trove_store_start(ngx_http_trove_t *trove, ngx_log_t *log)
{
    char                    error[TROVE_STORE_ERROR];
    uint64_t                start;
    trove_store_conf_t      store;
    trove_ledger_conf_t     conf;
    ngx_http_trove_file_t  *shared;

    shared = ngx_calloc(sizeof(ngx_http_trove_file_t), log);
    if (shared == NULL) {
        return NGX_ERROR;
    }

    start = trove_clock_ns();
    error[0] = '\0';

    ngx_http_trove_ledger_conf(trove, &conf);
    ngx_http_trove_store_conf(trove, &store);

    if (trove_start(&shared->file, (char *) trove->ledger_path.data, &conf,
                    trove->store, &store, error)
        != TROVE_OK)
    {
        ngx_free(shared);
        return ngx_http_trove_store_failed(trove, log, error);
    }

    shared->refs = 1;
    trove->shared = shared;

    if (error[0]) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "the store of trove \"%V\" fails at start: %s",
                      &trove->name, error);
    }

    ngx_http_trove_store_told(trove, &shared->file,
                              (trove_clock_ns() - start) / 1000000, log);

    return NGX_OK;
}


static void
ngx_http_trove_store_told(ngx_http_trove_t *trove, trove_ledger_file_t *file,
    ngx_msec_t ms, ngx_log_t *log)
{
    u_char  boards[64];

    boards[0] = '\0';

    if (trove_ledger_boards(file->ledger) != 0) {
        (void) ngx_sprintf(boards, " and %uL rows of boards%Z",
                           ngx_http_trove_store_rows(file->ledger));
    }

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "trove \"%V\" has %uD rewards, %uD players and %uD claims%s, "
                  "%s \"%V\" in %M ms",
                  &trove->name, trove_ledger_rewards(file->ledger),
                  trove_ledger_players(file->ledger),
                  trove_ledger_claims(file->ledger), boards,
                  file->renewed ? "loaded from" : "kept in",
                  file->renewed ? &trove->store_path : &trove->ledger_path,
                  ms);
}


/* Of the periods that are under way. */

static uint64_t
ngx_http_trove_store_rows(const trove_ledger_t *ledger)
{
    uint32_t             board;
    uint64_t             now, rows;
    trove_board_state_t  state;

    now = ngx_http_trove_board_now();
    rows = 0;

    for (board = 0; board < trove_ledger_boards(ledger); board++) {
        trove_board_state(ledger, board, 0, now, &state);
        rows += state.rows;
    }

    return rows;
}


/* The core's text names one of the files, this names both. */

static ngx_int_t
ngx_http_trove_store_failed(ngx_http_trove_t *trove, ngx_log_t *log,
    const char *error)
{
    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "trove \"%V\" cannot have the store \"%V\" and the ledger "
                  "\"%V\": %s",
                  &trove->name, &trove->store_path, &trove->ledger_path,
                  error);

    return NGX_ERROR;
}


/* Workers open the store, and make files beside it. */

static ngx_int_t
ngx_http_trove_store_own(ngx_http_trove_t *trove, ngx_log_t *log)
{
    ngx_core_conf_t  *ccf;

    ccf = ngx_http_trove_store_other_user(trove);

    if (ccf == NULL) {
        return NGX_OK;
    }

    if (ngx_http_trove_store_chown(&trove->store_path, "", ccf->user, log)
        != NGX_OK
        || ngx_http_trove_store_chown(&trove->store_path, "-wal", ccf->user,
                                      log)
           != NGX_OK
        || ngx_http_trove_store_chown(&trove->store_path, "-shm", ccf->user,
                                      log)
           != NGX_OK
        || ngx_http_trove_store_chown(&trove->ledger_path, "", ccf->user, log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_trove_store_folder(trove, log);
}


/* Warns of a folder that is not the workers'. */

static ngx_int_t
ngx_http_trove_store_folder(ngx_http_trove_t *trove, ngx_log_t *log)
{
    char             *dir, *slash;
    ngx_core_conf_t  *ccf;

    ccf = ngx_http_trove_store_other_user(trove);

    if (ccf == NULL) {
        return NGX_OK;
    }

    dir = (char *) ngx_pstrdup(trove->cycle->pool, &trove->ledger_path);
    if (dir == NULL) {
        return NGX_ERROR;
    }

    slash = memrchr(dir, '/', trove->ledger_path.len);

    if (slash == NULL) {
        return NGX_OK;
    }

    slash[slash == dir] = '\0';

    if (!ngx_http_trove_store_writable(dir, ccf->user)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "workers of user \"%s\" cannot make files in \"%s\", "
                      "which the store of trove \"%V\" needs",
                      ccf->username, dir, &trove->name);
    }

    return NGX_OK;
}


/* The workers' user if it is not that of the master, who is root. */

static ngx_core_conf_t *
ngx_http_trove_store_other_user(ngx_http_trove_t *trove)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(trove->cycle->conf_ctx,
                                           ngx_core_module);

    if (geteuid() != 0 || ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT
        || ccf->user == 0)
    {
        return NULL;
    }

    return ccf;
}


/* The folder may be the workers': where a link leads to is none of theirs. */

static ngx_int_t
ngx_http_trove_store_chown(ngx_str_t *path, const char *more, ngx_uid_t user,
    ngx_log_t *log)
{
    u_char           name[NGX_MAX_PATH];
    ngx_file_info_t  fi;

    (void) ngx_snprintf(name, NGX_MAX_PATH, "%V%s%Z", path, more);
    name[NGX_MAX_PATH - 1] = '\0';

    if (ngx_link_info(name, &fi) == NGX_FILE_ERROR) {

        if (ngx_errno == NGX_ENOENT) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_link_info_n " \"%s\" failed", name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "\"%s\" is no file", name);
        return NGX_ERROR;
    }

    if (fi.st_uid != user && lchown((char *) name, user, -1) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "lchown(\"%s\", %d) failed", name, user);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* By its mode, as far as that tells. */

static ngx_uint_t
ngx_http_trove_store_writable(const char *dir, ngx_uid_t user)
{
    int              i, n;
    gid_t            groups[64];
    struct passwd   *pwd;
    ngx_file_info_t  fi;

    if (ngx_file_info((u_char *) dir, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    if (fi.st_uid == user) {
        return (fi.st_mode & 0300) == 0300;
    }

    pwd = getpwuid(user);
    n = 64;

    if (pwd && getgrouplist(pwd->pw_name, pwd->pw_gid, groups, &n) != -1) {

        for (i = 0; i < n; i++) {

            if (groups[i] == fi.st_gid) {
                return (fi.st_mode & 0030) == 0030;
            }
        }
    }

    return (fi.st_mode & 0003) == 0003;
}


void
ngx_http_trove_exit_master(ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_http_trove_t            **troves;
    ngx_http_trove_main_conf_t   *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_trove_module);

    if (tmcf == NULL) {
        return;
    }

    troves = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {

        if (troves[i]->shared) {
            trove_start_end(&troves[i]->shared->file);
        }
    }
}


/* Of a configuration that ends, or of a process. */

void
ngx_http_trove_store_close(ngx_http_trove_t *trove)
{
    ngx_http_trove_file_t  *shared;

    shared = trove->shared;
    trove->shared = NULL;

    if (shared == NULL || --shared->refs) {
        return;
    }

    trove_ledger_file_close(&shared->file);
    ngx_free(shared);
}


/* A thread that is left behind may still use the ledger. */

void
ngx_http_trove_store_pin(ngx_http_trove_t *trove)
{
    trove->shared->refs++;
}
