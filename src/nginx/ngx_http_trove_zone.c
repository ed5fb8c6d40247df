
#include "ngx_http_trove.h"

#include <sys/eventfd.h>


/*
 * The same for every load of the module, so that a reload after the file of
 * the module was replaced still finds its zones.
 */

#define NGX_HTTP_TROVE_TAG  ((void *) (uintptr_t) 0x74726f7665)

#define NGX_HTTP_TROVE_PAGES_TRIED  (16 * 1024 * 1024)


static ngx_int_t ngx_http_trove_zone_reserve(ngx_conf_t *cf,
    ngx_http_trove_t *trove, size_t size);
static ngx_int_t ngx_http_trove_zone_init(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_trove_zone_create(ngx_http_trove_t *trove,
    ngx_slab_pool_t *pool);
static ngx_int_t ngx_http_trove_zone_same(ngx_http_trove_t *trove,
    ngx_http_trove_t *old);
static ngx_int_t ngx_http_trove_zone_attach(ngx_http_trove_t *trove,
    ngx_http_trove_t *old, ngx_slab_pool_t *pool);
static ngx_int_t ngx_http_trove_zone_open(ngx_http_trove_t *trove,
    ngx_http_trove_t *old);
static void ngx_http_trove_zone_coins(ngx_http_trove_t *trove);
static ngx_int_t ngx_http_trove_zone_connections(ngx_http_trove_t *trove);
static ngx_int_t ngx_http_trove_zone_files(ngx_http_trove_t *trove,
    ngx_http_trove_t *old);
static ngx_int_t ngx_http_trove_zone_pages(ngx_http_trove_t *trove,
    ngx_http_trove_t *old);
static ngx_int_t ngx_http_trove_zone_afford(ngx_http_trove_t *trove,
    ngx_http_trove_t *old);
static ngx_shm_zone_t *ngx_http_trove_zone_old(ngx_shm_zone_t *zone);
static void ngx_http_trove_zone_cleanup(void *data);


void
ngx_http_trove_ledger_conf(ngx_http_trove_t *trove, trove_ledger_conf_t *conf)
{
    ngx_memzero(conf, sizeof(trove_ledger_conf_t));

    conf->rewards = trove->rewards;
    conf->players = trove->players;
    conf->claims = trove->claims;
    conf->space = trove->space;
    conf->boards = trove->boards.elts;
    conf->nboards = trove->boards.nelts;
}


static ngx_inline size_t
ngx_http_trove_ledger_size(ngx_http_trove_t *trove)
{
    trove_ledger_conf_t  conf;

    ngx_http_trove_ledger_conf(trove, &conf);

    return ngx_align(trove_ledger_size(&conf), ngx_pagesize);
}


/*
 * Of the block in the zone's memory, the ledger and then the statistics; with
 * a store the ledger is in a file.
 */

static ngx_inline size_t
ngx_http_trove_zone_ledger(ngx_http_trove_t *trove)
{
    return trove->store ? 0 : ngx_http_trove_ledger_size(trove);
}


ngx_int_t
ngx_http_trove_zone_add(ngx_conf_t *cf, ngx_http_trove_t *trove)
{
    size_t               size;
    u_char              *p;
    ngx_str_t            name;
    ngx_pool_cleanup_t  *cln;

    name.len = sizeof("trove:") - 1 + trove->name.len;
    name.data = ngx_pnalloc(cf->pool, name.len + 1);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, "trove:", sizeof("trove:") - 1);
    p = ngx_cpymem(p, trove->name.data, trove->name.len);
    *p = '\0';

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_trove_zone_cleanup;
    cln->data = trove;

    /* nginx's slab pool keeps a descriptor of each page at the front */

    size = ngx_http_trove_zone_ledger(trove) + trove_stats_size()
           + sizeof(trove_breaker_t);
    size = ngx_align(size, ngx_pagesize);
    size += size / ngx_pagesize * sizeof(ngx_slab_page_t) + 16 * ngx_pagesize;

    size = ngx_align(size, ngx_pagesize);

    trove->zone = ngx_shared_memory_add(cf, &name, size, NGX_HTTP_TROVE_TAG);
    if (trove->zone == NULL) {
        return NGX_ERROR;
    }

    trove->zone->init = ngx_http_trove_zone_init;
    trove->zone->data = trove;

    trove->cycle = cf->cycle;

    return ngx_http_trove_zone_reserve(cf, trove, size);
}


/*
 * A mapping above what the system ever gives fails in nginx before the zone is
 * asked, in words that name no trove.
 */

static ngx_int_t
ngx_http_trove_zone_reserve(ngx_conf_t *cf, ngx_http_trove_t *trove,
    size_t size)
{
    void  *addr;

    if (ngx_http_trove_zone_old(trove->zone)) {
        return NGX_OK;
    }

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (addr == MAP_FAILED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "trove \"%V\" needs %uz bytes at start, and mmap() "
                           "of them failed", &trove->name, size);
        return NGX_ERROR;
    }

    (void) munmap(addr, size);

    return NGX_OK;
}


/* Runs under "nginx -t" too, and before it is known that a reload succeeds. */

static ngx_int_t
ngx_http_trove_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_trove_t  *old = data;

    ngx_int_t          rc;
    ngx_http_trove_t  *trove;

    trove = zone->data;

    if (ngx_http_trove_zone_same(trove, old) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_trove_zone_connections(trove) != NGX_OK
        || ngx_http_trove_zone_files(trove, old) != NGX_OK
        || ngx_http_trove_zone_afford(trove, old) != NGX_OK
        || ngx_http_trove_zone_pages(trove, old) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (old) {
        rc = ngx_http_trove_zone_attach(trove, old,
                                        (ngx_slab_pool_t *) zone->shm.addr);

    } else {
        rc = ngx_http_trove_zone_create(trove,
                                        (ngx_slab_pool_t *) zone->shm.addr);
    }

    if (rc == NGX_OK) {
        ngx_http_trove_zone_coins(trove);
    }

    return rc;
}


/* What a reload cannot change. */

static ngx_int_t
ngx_http_trove_zone_same(ngx_http_trove_t *trove, ngx_http_trove_t *old)
{
    const char           *what, *how;
    ngx_shm_zone_t       *zone;
    trove_ledger_conf_t   conf, is;

    if (old == NULL) {
        zone = ngx_http_trove_zone_old(trove->zone);

        if (zone == NULL) {
            return NGX_OK;
        }

        old = zone->data;
    }

    ngx_http_trove_ledger_conf(trove, &conf);
    ngx_http_trove_ledger_conf(old, &is);

    how = (trove->store || trove->redis)
          ? "restart"
          : "the rewards, players and boards would be lost: export the "
            "rewards and restart";

    if (!ngx_http_trove_store_kept(trove, old)) {
        what = "\"store\"";
        how = "restart";

    } else if (conf.space != is.space) {
        what = "\"space\"";

    } else if (trove_ledger_conf_same(&conf, &is)) {
        return NGX_OK;

    } else {
        is.boards = conf.boards;
        is.nboards = conf.nboards;

        what = trove_ledger_conf_same(&conf, &is) ? "\"board\""
                                                  : "\"capacity\"";
    }

    ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                  "%s of trove \"%V\" cannot be changed by a reload, %s",
                  what, &trove->name, how);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_trove_zone_create(ngx_http_trove_t *trove, ngx_slab_pool_t *pool)
{
    size_t                size, stats;
    u_char               *p;
    trove_ledger_conf_t   conf;

    size = ngx_http_trove_zone_ledger(trove);
    stats = trove_stats_size();

    p = ngx_slab_alloc(pool, size + stats + sizeof(trove_breaker_t));
    if (p == NULL) {
        ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                      "no room for the %uz bytes of trove \"%V\" in its zone",
                      size + stats, &trove->name);
        return NGX_ERROR;
    }

    pool->data = p;

    trove->stats = p + size;

    trove_stats_init(trove->stats);

    trove->breaker = (trove_breaker_t *) (p + size + stats);
    ngx_memzero(trove->breaker, sizeof(trove_breaker_t));

    if (trove->store) {
        return ngx_http_trove_zone_open(trove, NULL);
    }

    /* what is not used of the statistics stays untouched */

    if (!ngx_test_config && trove_memory_populate(p, size) != TROVE_OK) {
        ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                      "the %uz bytes of the ledger of trove \"%V\" are not "
                      "to be had", size, &trove->name);
        return NGX_ERROR;
    }

    ngx_http_trove_ledger_conf(trove, &conf);

    trove->ledger = trove_ledger_init(p, &conf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_zone_attach(ngx_http_trove_t *trove, ngx_http_trove_t *old,
    ngx_slab_pool_t *pool)
{
    size_t                size;
    u_char               *p;
    trove_ledger_conf_t   conf;

    p = pool->data;
    size = ngx_http_trove_zone_ledger(trove);

    ngx_http_trove_ledger_conf(trove, &conf);

    trove->ledger = NULL;

    if (trove->store) {

        if (ngx_http_trove_zone_open(trove, old) != NGX_OK) {
            return NGX_ERROR;
        }

        p = ngx_test_config ? NULL : (u_char *) trove->ledger;
    }

    if (p
        && trove_ledger_attach(p, &conf, &trove->ledger) != TROVE_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                      "the layout of trove \"%V\" cannot be changed by a "
                      "reload: restart", &trove->name);
        return NGX_ERROR;
    }

    p = pool->data;

    trove->stats = p + size;

    if (trove_stats_attach(trove->stats) != TROVE_OK) {
        ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                      "the statistics of trove \"%V\" are laid out by another "
                      "version of the module: export its rewards and restart",
                      &trove->name);
        return NGX_ERROR;
    }

    trove->breaker = (trove_breaker_t *) (p + size + trove_stats_size());

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_zone_open(ngx_http_trove_t *trove, ngx_http_trove_t *old)
{
    ngx_log_t  *log;

    log = trove->zone->shm.log;

    return ngx_test_config ? ngx_http_trove_store_check(trove, log)
                           : ngx_http_trove_store_open(trove, old, log);
}


/* Only masters come here: there is one, or one that waits for the other. */

static void
ngx_http_trove_zone_coins(ngx_http_trove_t *trove)
{
    ngx_uint_t  i;

    for (i = 0; trove->coins && i < trove->coins->n; i++) {
        trove->coin_stats[i] = trove_stats_coin(trove->stats,
                                                &trove->coins->coins[i].name);
    }
}


/*
 * A worker that cannot watch all its troves does not start, and the master
 * stays alone.  nginx has seen to the listening sockets and its channel.
 */

static ngx_int_t
ngx_http_trove_zone_connections(ngx_http_trove_t *trove)
{
    ngx_uint_t                   i, listening, need;
    ngx_cycle_t                 *cycle;
    ngx_listening_t             *ls;
    ngx_http_trove_t           **troves;
    ngx_http_trove_main_conf_t  *tmcf;

    if (trove->index != 0) {
        return NGX_OK;
    }

    cycle = trove->cycle;
    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_trove_module);

    listening = 0;
    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        /* the others' are other workers' */

        listening += (ls[i].worker == 0);
    }

    /* the channel, the threads, and a client */

    need = listening + tmcf->troves.nelts + 3;

    troves = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {
        need += (troves[i]->ack == NGX_HTTP_TROVE_ACK_COMMIT)
                + (troves[i]->redis || troves[i]->overflow);
    }

    if (cycle->connection_n >= need) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                  "%ui worker_connections are not enough for %ui listening "
                  "sockets and %ui troves, which need one each: there must be "
                  "%ui", cycle->connection_n, listening, tmcf->troves.nelts,
                  need);

    return NGX_ERROR;
}


/*
 * All generations of workers write and watch one eventfd, and keep one
 * snapshot; each configuration holds descriptors of its own for them.
 */

static ngx_int_t
ngx_http_trove_zone_files(ngx_http_trove_t *trove, ngx_http_trove_t *old)
{
    if (ngx_test_config) {
        return NGX_OK;
    }

    if (old) {
        trove->eventfd = fcntl(old->eventfd, F_DUPFD_CLOEXEC, 0);
        trove->snapshot = fcntl(old->snapshot, F_DUPFD_CLOEXEC, 0);
        trove->ackfd = trove->store ? fcntl(old->ackfd, F_DUPFD_CLOEXEC, 0)
                                    : -1;

    } else {
        trove->eventfd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
        trove->snapshot = trove_snapshot_open();
        trove->ackfd = trove->store ? eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC)
                                    : -1;
    }

    if (trove->eventfd == -1 || trove->snapshot == -1
        || (trove->store && trove->ackfd == -1))
    {
        ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, ngx_errno,
                      "%s() of trove \"%V\" failed",
                      trove->snapshot == -1 ? "memfd_create" : "eventfd",
                      &trove->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Tries whether there are large pages if there must be: a worker that cannot
 * start leaves a server that does not serve.
 */

static ngx_int_t
ngx_http_trove_zone_pages(ngx_http_trove_t *trove, ngx_http_trove_t *old)
{
    size_t           size;
    trove_rc_t       rc;
    trove_mapping_t  pages;

    if (ngx_test_config
        || trove->large_pages != TROVE_PAGES_ON
        || (old && old->large_pages == TROVE_PAGES_ON
            && old->arena == trove->arena))
    {
        return NGX_OK;
    }

    /* some of them, for to take and clear them all takes long */

    size = ngx_min(trove->arena, NGX_HTTP_TROVE_PAGES_TRIED);

    rc = trove_memory_map(&pages, size, size, TROVE_PAGES_ON);

    if (rc == TROVE_OK) {
        trove_memory_unmap(&pages);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, trove->zone->shm.log, 0,
                  "the %O bytes of the arena of trove \"%V\" are not to be "
                  "had from large pages", trove->arena, &trove->name);

    return NGX_ERROR;
}


/*
 * Says what the trove takes, and refuses a start that would end with the OOM
 * killer, or a reload with workers that cannot start.  The workers' part is
 * counted for as many as the configuration has; the views' at a reload, when
 * there are rewards to be seen.
 */

static ngx_int_t
ngx_http_trove_zone_afford(ngx_http_trove_t *trove, ngx_http_trove_t *old)
{
    size_t                       ledger, arena, view, snapshot, available;
    ngx_log_t                   *log;
    ngx_uint_t                   workers;
    ngx_core_conf_t             *ccf;
    ngx_http_trove_main_conf_t  *tmcf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    log = trove->zone->shm.log;

    ccf = (ngx_core_conf_t *) ngx_get_conf(trove->cycle->conf_ctx,
                                           ngx_core_module);
    tmcf = ngx_http_cycle_get_module_main_conf(trove->cycle,
                                               ngx_http_trove_module);

    workers = ngx_max(ccf->worker_processes, 1);

    ledger = ngx_http_trove_ledger_size(trove);
    arena = ngx_min((size_t) trove->arena, SIZE_MAX / 4 / workers) * workers;
    snapshot = trove_view_size(trove->rewards);
    view = snapshot * workers;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "trove \"%V\" takes %uz bytes: ledger %uz, arenas of %ui "
                  "workers %uz, their views up to %uz when full, one kept for "
                  "those that start %uz, and again as much while one is "
                  "rebuilt; the ledger has room for %ui rewards, %ui players "
                  "and %ui claims, and the boards for %uL rows",
                  &trove->name, ledger + arena + view + snapshot, ledger,
                  workers, arena, view, snapshot,
                  trove->rewards, trove->players, trove->claims,
                  ngx_http_trove_board_rows(trove));

    available = trove_memory_available();

    if (old) {
        ledger = 0;
        view = trove_view_size(trove_ledger_rewards(old->ledger)) * workers;
        tmcf->taken += view;
    }

    tmcf->taken += arena;

    if (ledger + tmcf->taken > available) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "trove \"%V\" needs %uz bytes at start, with the "
                      "workers' of those before it, and only %uz are to be had",
                      &trove->name, ledger + tmcf->taken, available);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The running configuration's zone of that name, whatever its size. */

static ngx_shm_zone_t *
ngx_http_trove_zone_old(ngx_shm_zone_t *zone)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *old;

    if (ngx_cycle == NULL) {
        return NULL;
    }

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        old = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (&old[i] != zone
                && old[i].shm.addr
                && old[i].shm.name.len == zone->shm.name.len
                && ngx_strncmp(old[i].shm.name.data, zone->shm.name.data,
                               zone->shm.name.len)
                   == 0)
            {
                return &old[i];
            }
        }
    }

    return NULL;
}


static void
ngx_http_trove_zone_cleanup(void *data)
{
    ngx_http_trove_t  *trove = data;

    ngx_http_trove_store_close(trove);

    if (trove->eventfd != -1) {
        (void) close(trove->eventfd);
        trove->eventfd = -1;
    }

    if (trove->ackfd != -1) {
        (void) close(trove->ackfd);
        trove->ackfd = -1;
    }

    if (trove->snapshot != -1) {
        (void) close(trove->snapshot);
        trove->snapshot = -1;
    }
}
