
#include "ngx_http_trove.h"


#define NGX_HTTP_TROVE_SYNC_MAX        8192          /* changes in one go    */
#define NGX_HTTP_TROVE_WAKE_SYNC_MAX   65536
#define NGX_HTTP_TROVE_QUIET           32            /* turns               */
#define NGX_HTTP_TROVE_ALLOCATOR_NS    1000000000    /* between two readings */


static ngx_int_t ngx_http_trove_worker_start(ngx_cycle_t *cycle,
    ngx_http_trove_main_conf_t *tmcf, ngx_http_trove_worker_t *w);
static ngx_int_t ngx_http_trove_random_start(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
static ngx_int_t ngx_http_trove_arena_start(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
static ngx_int_t ngx_http_trove_view_start(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
static ngx_int_t ngx_http_trove_wake_start(ngx_cycle_t *cycle,
    ngx_http_trove_worker_t *w);
static void ngx_http_trove_wake_handler(ngx_event_t *ev);
static void ngx_http_trove_arm(ngx_http_trove_worker_t *w, ngx_msec_t ms);
static void ngx_http_trove_epoch_handler(ngx_event_t *ev);
static void ngx_http_trove_sync(ngx_http_trove_worker_t *w, uint32_t max);
static void ngx_http_trove_tidy(ngx_http_trove_worker_t *w);
static void ngx_http_trove_gauges(ngx_http_trove_worker_t *w, uint64_t now);
static void ngx_http_trove_build(ngx_http_trove_worker_t *w);
static void ngx_http_trove_build_thread(void *data);
static int ngx_http_trove_pause(void);
static void ngx_http_trove_build_done(void *data);
static void ngx_http_trove_swap(ngx_http_trove_worker_t *w);
static void ngx_http_trove_notify(ngx_http_trove_worker_t *w);


static ngx_http_trove_worker_t  *ngx_http_trove_workers;
static ngx_uint_t                ngx_http_trove_nworkers;
static trove_random_t            ngx_http_trove_random;


ngx_int_t
ngx_http_trove_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_http_trove_t            **troves;
    ngx_http_trove_worker_t      *w;
    ngx_http_trove_main_conf_t   *tmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_trove_module);

    if (tmcf == NULL || tmcf->troves.nelts == 0) {
        return NGX_OK;
    }

    w = ngx_pcalloc(cycle->pool,
                    tmcf->troves.nelts * sizeof(ngx_http_trove_worker_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    ngx_http_trove_workers = w;

    if (ngx_http_trove_jobs_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    troves = tmcf->troves.elts;

    for (i = 0; i < tmcf->troves.nelts; i++) {
        w[i].trove = troves[i];

        if (ngx_http_trove_worker_start(cycle, tmcf, &w[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_trove_nworkers++;
    }

    return NGX_OK;
}


void
ngx_http_trove_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                i;
    ngx_http_trove_worker_t  *w;

    if (ngx_http_trove_nworkers == 0) {
        return;
    }

    /* a store is still brought what was carried out */

    for (i = 0; i < ngx_http_trove_nworkers; i++) {
        ngx_http_trove_drain_exit(&ngx_http_trove_workers[i]);
        ngx_http_trove_flush_exit(&ngx_http_trove_workers[i],
                                  ngx_http_trove_nworkers - i);
        ngx_http_trove_follow_exit(&ngx_http_trove_workers[i]);
    }

    ngx_http_trove_jobs_end();

    for (i = 0; i < ngx_http_trove_nworkers; i++) {
        w = &ngx_http_trove_workers[i];

        ngx_http_trove_redis_exit(w);
        ngx_http_trove_waits_exit(&w->copied);

        /* the store may want another writer, or follower */

        if (w->wrote || w->trove->store || w->trove->redis) {
            ngx_http_trove_notify(w);
        }

        if (w->redo) {
            trove_redo_close(w->redo);
        }

        trove_stats_release(w->stats);
    }
}


static ngx_int_t
ngx_http_trove_worker_start(ngx_cycle_t *cycle,
    ngx_http_trove_main_conf_t *tmcf, ngx_http_trove_worker_t *w)
{
    ngx_core_conf_t  *ccf;

    w->stats = trove_stats_claim(w->trove->stats);

    /*
     * This also carries out what dead workers have left; if not now, later.  A
     * copy is written by its follower alone.
     */

    if (w->trove->players && w->trove->redis == NULL) {
        (void) ngx_http_trove_redo(w);
    }

    ngx_http_trove_remote_start(cycle, w);

    if (ngx_http_trove_random_start(cycle, w) != NGX_OK
        || ngx_http_trove_arena_start(cycle, w) != NGX_OK
        || ngx_http_trove_view_start(cycle, w) != NGX_OK
        || ngx_http_trove_wake_start(cycle, w) != NGX_OK
        || ngx_http_trove_flush_init(cycle, w) != NGX_OK
        || ngx_http_trove_redis_init(cycle, w) != NGX_OK
        || ngx_http_trove_follow_init(cycle, w) != NGX_OK
        || ngx_http_trove_drain_init(cycle, w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->build.data = w;
    w->build.run = ngx_http_trove_build_thread;
    w->build.done = ngx_http_trove_build_done;

    w->epoch.data = w;
    w->epoch.handler = ngx_http_trove_epoch_handler;
    w->epoch.log = cycle->log;
    w->epoch.cancelable = 1;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->timer_resolution > w->trove->epoch) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"timer_resolution\" of %M ms makes the epoch of trove "
                      "\"%V\", %M ms, as long",
                      ccf->timer_resolution, &w->trove->name, w->trove->epoch);
    }

    ngx_http_trove_gauges(w, trove_clock_ns());

    trove_stats_set(w->stats, large_pages,
                    w->arena_large + trove_view_large(w->view));

    if (w->behind) {
        ngx_http_trove_build(w);
    }

    if (w->flush) {
        ngx_http_trove_awake(w);       /* there may be no writer */
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_trove_random_start(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    if (w->trove->coins == NULL) {
        return NGX_OK;
    }

    w->random = &ngx_http_trove_random;

    if (ngx_http_trove_random.block
        || trove_random_init(&ngx_http_trove_random, NULL, NULL) == TROVE_OK)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "no random numbers are to be had for the coins of trove "
                  "\"%V\"", &w->trove->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_trove_arena_start(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    trove_rc_t         rc;
    ngx_http_trove_t  *trove;

    trove = w->trove;

    rc = trove_memory_map(&w->arena_pages, trove->arena, trove->arena,
                          trove->large_pages);

    if (rc != TROVE_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "the %O bytes of the arena of trove \"%V\" are not to "
                      "be had%s", trove->arena, &trove->name,
                      rc == TROVE_NOPAGES ? " from large pages" : "");
        return NGX_ERROR;
    }

    trove_arena_init(&w->arena, w->arena_pages.base, trove->arena);

    w->arena_large = trove_memory_large(&w->arena_pages);

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "trove \"%V\" has an arena of %O bytes, %uz of them in "
                  "large pages, and scans with %s",
                  &trove->name, trove->arena, w->arena_large,
                  trove_simd_name(trove->kernels));

    return NGX_OK;
}


/*
 * Who waits to be answered by this worker waits for as long as this takes: a
 * snapshot that another one has kept is loaded in a twentieth of the time that
 * building takes.
 */

static ngx_int_t
ngx_http_trove_view_start(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    uint64_t           version;
    trove_rc_t         rc;
    ngx_http_trove_t  *trove;

    trove = w->trove;

    rc = trove_view_load(&w->view, trove->snapshot, trove->ledger,
                         trove->kernels, trove->large_pages);

    if (rc == TROVE_OK) {
        version = trove_view_version(w->view);

        /* what does not fit is answered of when a new one is built */

        rc = trove_view_follow(w->view, NULL);
        w->behind = (rc == TROVE_FULL || rc == TROVE_BEHIND);

        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "the view of trove \"%V\" is the one kept at version "
                      "%uL, now at %uL", &trove->name, version,
                      trove_view_version(w->view));
        return NGX_OK;
    }

    rc = trove_view_build(&w->view, trove->ledger, trove->kernels,
                          trove->large_pages, NULL);

    if (rc != TROVE_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "the view of trove \"%V\" cannot be built, %uz bytes%s",
                      &trove->name,
                      trove_view_size(trove_ledger_rewards(trove->ledger)),
                      rc == TROVE_BUSY ? ", the ledger is locked" : "");
        return NGX_ERROR;
    }

    if (trove_view_version(w->view)) {
        (void) trove_view_save(w->view, trove->snapshot, NULL);

        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "the view of trove \"%V\" was built at start, at version "
                      "%uL", &trove->name, trove_view_version(w->view));
    }

    return NGX_OK;
}


/*
 * An idle worker has no timer; a change of the ledger by another one wakes
 * it through the eventfd, which nobody reads: with edge triggering each write
 * wakes all who watch.
 */

static ngx_int_t
ngx_http_trove_wake_start(ngx_cycle_t *cycle, ngx_http_trove_worker_t *w)
{
    if (!(ngx_event_flags & NGX_USE_EPOLL_EVENT)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "trove needs the event method \"epoll\"");
        return NGX_ERROR;
    }

    return ngx_http_trove_eventfd(cycle, w->trove->eventfd,
                                  ngx_http_trove_wake_handler, w, &w->wake);
}


static void
ngx_http_trove_wake_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_trove_worker_t  *w;

    c = ev->data;
    w = c->data;

    ngx_http_trove_waits_look(&w->copied);

    if (w->epoch.timer_set) {

        if (w->trove->ack == NGX_HTTP_TROVE_ACK_COMMIT) {
            ngx_http_trove_flush_turn(w);
        }

        return;
    }

    /* the epoch of who wrote is over: to wait for one more is too late */

    ngx_http_trove_turn(w);

    if (!trove_view_synced(w->view) || ngx_http_trove_flush_pending(w)) {
        ngx_http_trove_arm(w, w->trove->epoch);
    }
}


static void
ngx_http_trove_notify(ngx_http_trove_worker_t *w)
{
    uint64_t  one;

    one = 1;
    w->wrote = 0;

    /* a counter that is full has woken everybody already */

    if (write(w->trove->eventfd, &one, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "write() to the eventfd of trove \"%V\" failed",
                      &w->trove->name);
    }
}


ngx_http_trove_worker_t *
ngx_http_trove_worker(ngx_http_trove_t *trove)
{
    ngx_http_trove_worker_t  *w;

    w = &ngx_http_trove_workers[trove->index];

    w->active = 1;

    if (trove_unlikely(!w->epoch.timer_set)) {
        ngx_http_trove_sync(w, NGX_HTTP_TROVE_WAKE_SYNC_MAX);
        ngx_http_trove_arm(w, trove->epoch);
    }

    return w;
}


trove_rc_t
ngx_http_trove_redo(ngx_http_trove_worker_t *w)
{
    if (trove_likely(w->redo != NULL)) {
        return TROVE_OK;
    }

    return trove_redo_open(w->trove->ledger, &w->redo) == TROVE_OK
           ? TROVE_OK : TROVE_BUSY;
}


void
ngx_http_trove_changed(ngx_http_trove_worker_t *w)
{
    w->wrote = 1;

    ngx_http_trove_sync(w, NGX_HTTP_TROVE_SYNC_MAX);
}


void
ngx_http_trove_turn(ngx_http_trove_worker_t *w)
{
    size_t    used;
    uint64_t  start, end;

    start = trove_clock_ns();
    used = trove_arena_used(&w->arena);

    trove_stats_set(w->stats, arena_used, used);
    trove_arena_reset(&w->arena);

    if (w->wrote || (w->dirtied && !ngx_http_trove_flush_writes(w))) {
        ngx_http_trove_notify(w);
    }

    w->dirtied = 0;

    ngx_http_trove_sync(w, NGX_HTTP_TROVE_SYNC_MAX);
    ngx_http_trove_tidy(w);
    ngx_http_trove_flush_turn(w);
    ngx_http_trove_follow_turn(w);

    end = trove_clock_ns();

    trove_stats_add(w->stats, epoch_turns, 1);
    trove_stats_observe(w->stats, epoch_turn, end - start);

    TROVE_PROBE(epoch_turn, w->trove->name.data, w->trove->name.len,
                end - start, used);

    ngx_http_trove_gauges(w, end);
}


void
ngx_http_trove_awake(ngx_http_trove_worker_t *w)
{
    if (!w->epoch.timer_set) {
        ngx_http_trove_arm(w, w->trove->epoch);
    }
}


static void
ngx_http_trove_arm(ngx_http_trove_worker_t *w, ngx_msec_t ms)
{
    w->due = trove_clock_ns() + (uint64_t) ms * 1000000;

    ngx_add_timer(&w->epoch, ms);
}


static void
ngx_http_trove_epoch_handler(ngx_event_t *ev)
{
    uint64_t                  now, lag;
    ngx_uint_t                active;
    ngx_http_trove_worker_t  *w;

    w = ev->data;

    now = trove_clock_ns();
    lag = (now > w->due) ? now - w->due : 0;

    trove_stats_observe(w->stats, epoch_lag, lag);

    TROVE_PROBE(epoch_lag, w->trove->name.data, w->trove->name.len, lag);

    active = w->active || w->wrote;
    w->active = 0;

    ngx_http_trove_turn(w);

    if (active
        || w->behind
        || !trove_view_synced(w->view)
        || ngx_http_trove_flush_pending(w))
    {
        ngx_http_trove_arm(w, w->trove->epoch);
    }
}


/* Brings the view up to the ledger, or has a new one built. */

static void
ngx_http_trove_sync(ngx_http_trove_worker_t *w, uint32_t max)
{
    uint64_t    before;
    trove_rc_t  rc;

    if (trove_view_synced(w->view) && !w->behind) {
        return;
    }

    before = trove_view_version(w->view);
    rc = w->behind ? TROVE_BEHIND : trove_view_sync(w->view, max);

    trove_stats_add(w->stats, view_changes,
                    trove_view_version(w->view) - before);

    if (rc == TROVE_FULL || rc == TROVE_BEHIND) {
        w->behind = 1;
    }

    if (w->behind || trove_view_worn(w->view)) {
        ngx_http_trove_build(w);
    }
}


/*
 * What is left unsorted of the last changes makes every poll slower: sorts it
 * in once they have ceased.
 */

static void
ngx_http_trove_tidy(ngx_http_trove_worker_t *w)
{
    uint64_t  version;

    version = trove_view_version(w->view);

    if (version != w->tidied) {
        w->tidied = version;
        w->quiet = 0;
        return;
    }

    if (w->quiet < NGX_HTTP_TROVE_QUIET
        && ++w->quiet == NGX_HTTP_TROVE_QUIET
        && trove_view_ragged(w->view))
    {
        ngx_http_trove_build(w);
    }
}


static void
ngx_http_trove_gauges(ngx_http_trove_worker_t *w, uint64_t now)
{
    size_t  committed, reserved;

    trove_stats_set(w->stats, arena_size, trove_arena_size(&w->arena));
    trove_stats_set(w->stats, arena_peak, w->arena.peak);
    trove_stats_set(w->stats, view_bytes, trove_view_memory(w->view));
    trove_stats_set(w->stats, view_version, trove_view_version(w->view));

    if (now - w->allocator_read < NGX_HTTP_TROVE_ALLOCATOR_NS) {
        return;
    }

    w->allocator_read = now;

    trove_allocator_usage(&committed, &reserved);

    trove_stats_set(w->stats, allocator_committed, committed);
    trove_stats_set(w->stats, allocator_reserved, reserved);
}


static void
ngx_http_trove_build(ngx_http_trove_worker_t *w)
{
    if (w->building || ngx_exiting) {
        return;
    }

    /* a copy that is loaded: of what is there now there is nothing to see */

    if (w->worn == NULL
        && trove_replica_state(w->trove->ledger) == TROVE_REPLICA_LOADING)
    {
        return;
    }

    if (ngx_http_trove_job_start(&w->build) != NGX_OK) {
        trove_stats_add(w->stats, view_build_failures, 1);
        return;
    }

    w->building = 1;
}


/*
 * In a thread: touches nothing that the event loop uses meanwhile.
 * Gives a worn view back, which takes as long for a large one, has one follow
 * that was built and is not new enough, or builds.
 */

static void
ngx_http_trove_build_thread(void *data)
{
    uint64_t                  start;
    trove_rc_t                rc;
    ngx_http_trove_t         *trove;
    ngx_http_trove_worker_t  *w;

    w = data;
    trove = w->trove;

    if (w->worn) {
        trove_view_destroy(w->worn);
        w->worn = NULL;
        return;
    }

    if (w->built) {

        rc = trove_view_follow(w->built, ngx_http_trove_pause);

        if (rc != TROVE_FULL && rc != TROVE_BEHIND) {
            return;
        }

        trove_view_destroy(w->built);
        w->built = NULL;
    }

    start = trove_clock_ns();

    w->build_rc = trove_view_build(&w->built, trove->ledger, trove->kernels,
                                   trove->large_pages, ngx_http_trove_pause);

    w->build_ns = trove_clock_ns() - start;

    if (w->build_rc != TROVE_OK) {
        return;
    }

    (void) trove_view_save(w->built, trove->snapshot, ngx_http_trove_pause);

    (void) trove_view_follow(w->built, ngx_http_trove_pause);

    w->built_large = trove_view_large(w->built);
}


/*
 * An exit, which nothing else stands in the way of, waits for the threads.
 * And polls that wait for this processor shall not do so for a whole slice of
 * its time.
 */

static int
ngx_http_trove_pause(void)
{
    (void) sched_yield();

    return ngx_terminate || ngx_exiting;
}


/*
 * What was in the way of a new view may stay there, a stopped process that
 * holds the ledger or a lack of memory: the next attempt is the next epoch's.
 */

static void
ngx_http_trove_build_done(void *data)
{
    ngx_uint_t                failed;
    ngx_http_trove_worker_t  *w;

    w = data;
    w->building = 0;
    failed = 0;

    if (w->built) {
        (void) trove_view_sync(w->built, NGX_HTTP_TROVE_SYNC_MAX);

        if (trove_view_succeeds(w->built, w->view)) {
            ngx_http_trove_swap(w);

        } else {

            /* no poll may see less than one before: this view waits for it */

            w->behind = 1;
            failed = 1;
        }

    } else if (w->build_rc != TROVE_OK && w->build_rc != TROVE_CANCELED) {
        trove_stats_add(w->stats, view_build_failures, 1);
        failed = 1;

        if (!w->warned) {
            w->warned = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "a new view of trove \"%V\" could not be built, "
                          "the one of version %uL stays",
                          &w->trove->name, trove_view_version(w->view));
        }
    }

    if (!failed) {
        ngx_http_trove_sync(w, NGX_HTTP_TROVE_SYNC_MAX);
    }

    ngx_http_trove_awake(w);
}


static void
ngx_http_trove_swap(ngx_http_trove_worker_t *w)
{
    w->worn = w->view;
    w->view = w->built;
    w->built = NULL;
    w->behind = 0;
    w->warned = 0;

    trove_stats_add(w->stats, view_builds, 1);
    trove_stats_observe(w->stats, view_build, w->build_ns);
    trove_stats_set(w->stats, large_pages, w->arena_large + w->built_large);

    ngx_http_trove_build(w);           /* gives the worn one back */
}
