
#include "ngx_http_trove.h"


static void ngx_http_trove_waits_settle(ngx_event_t *ev);
static void ngx_http_trove_waits_timeout(ngx_event_t *ev);
static void ngx_http_trove_waits_arm(ngx_http_trove_waits_t *waits);
static void ngx_http_trove_wait_cleanup(void *data);


void
ngx_http_trove_waits_init(ngx_http_trove_waits_t *waits, ngx_log_t *log)
{
    waits->settle.data = waits;
    waits->settle.handler = ngx_http_trove_waits_settle;
    waits->settle.log = log;

    /* who waits is waited for: not to be canceled */

    waits->timeout.data = waits;
    waits->timeout.handler = ngx_http_trove_waits_timeout;
    waits->timeout.log = log;

    ngx_queue_init(&waits->queue);
}


void
ngx_http_trove_waits_look(ngx_http_trove_waits_t *waits)
{
    if (!ngx_queue_empty(&waits->queue)) {
        ngx_post_event(&waits->settle, &ngx_posted_events);
    }
}


void
ngx_http_trove_waits_exit(ngx_http_trove_waits_t *waits)
{
    if (waits->settle.posted) {
        ngx_delete_posted_event(&waits->settle);
    }

    if (waits->timeout.timer_set) {
        ngx_del_timer(&waits->timeout);
    }
}


static void
ngx_http_trove_waits_settle(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_http_trove_wait_t   *wait;
    ngx_http_trove_waits_t  *waits;

    waits = ev->data;

    while (!ngx_queue_empty(&waits->queue)) {
        q = ngx_queue_head(&waits->queue);
        wait = ngx_queue_data(q, ngx_http_trove_wait_t, queue);

        if (!waits->good(waits, wait->ticket)) {
            return;
        }

        wait->unsettled = 0;

        ngx_http_trove_wait_end(wait);
        ngx_http_trove_again(wait->again);
    }
}


static void
ngx_http_trove_waits_timeout(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_http_trove_wait_t   *wait;
    ngx_http_trove_waits_t  *waits;

    waits = ev->data;

    waits->look(waits);
    ngx_http_trove_waits_settle(&waits->settle);

    while (!ngx_queue_empty(&waits->queue)) {
        q = ngx_queue_head(&waits->queue);
        wait = ngx_queue_data(q, ngx_http_trove_wait_t, queue);

        if ((ngx_msec_int_t) (wait->deadline - ngx_current_msec) > 0) {
            ngx_http_trove_waits_arm(waits);
            return;
        }

        wait->failed = 1;
        waits->vain(waits, wait->ticket);

        ngx_http_trove_wait_end(wait);
        ngx_http_trove_again(wait->again);
    }
}


static void
ngx_http_trove_waits_arm(ngx_http_trove_waits_t *waits)
{
    ngx_msec_int_t          ms;
    ngx_http_trove_wait_t  *wait;

    if (ngx_queue_empty(&waits->queue)) {
        return;
    }

    wait = ngx_queue_data(ngx_queue_head(&waits->queue), ngx_http_trove_wait_t,
                          queue);

    ms = wait->deadline - ngx_current_msec;
    ms = ngx_min(ms, (ngx_msec_int_t) waits->worker->trove->epoch);

    ngx_add_timer(&waits->timeout, ngx_max(ms, 1));
}


void
ngx_http_trove_waits_count(ngx_http_trove_waits_t *waits, ngx_int_t n)
{
    waits->before += n;

    trove_stats_set(waits->worker->stats, store_waiting,
                    waits->n + waits->before);
}


ngx_int_t
ngx_http_trove_wait_init(ngx_http_request_t *r, ngx_http_trove_wait_t *wait,
    ngx_http_trove_waits_t *waits, ngx_http_trove_again_t *again,
    ngx_http_event_handler_pt handler)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_trove_wait_cleanup;
    cln->data = wait;

    wait->waits = waits;
    wait->again = again;

    if (again) {
        return NGX_OK;
    }

    wait->again = &wait->own;

    if (ngx_http_trove_again_init(r, &wait->own, handler) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_trove_watch(r);
}


static void
ngx_http_trove_wait_cleanup(void *data)
{
    ngx_http_trove_wait_end(data);
}


void
ngx_http_trove_wait_begin(ngx_http_trove_wait_t *wait, uint64_t ticket,
    ngx_msec_t deadline)
{
    ngx_http_trove_waits_t  *waits;

    waits = wait->waits;

    ngx_http_trove_wait_end(wait);

    wait->ticket = ticket;
    wait->deadline = deadline;
    wait->unsettled = 1;
    wait->queued = 1;

    ngx_queue_insert_tail(&waits->queue, &wait->queue);
    waits->n++;

    ngx_http_trove_waits_count(waits, 0);

    if (!waits->timeout.timer_set) {
        waits->look(waits);
        ngx_http_trove_waits_arm(waits);
    }

    /* it may have been made good before it was told that one was given out */

    if (waits->good(waits, ticket)) {
        ngx_post_event(&waits->settle, &ngx_posted_events);
    }
}


void
ngx_http_trove_wait_end(ngx_http_trove_wait_t *wait)
{
    ngx_http_trove_waits_t  *waits;

    if (!wait->queued) {
        return;
    }

    waits = wait->waits;

    wait->queued = 0;
    ngx_queue_remove(&wait->queue);
    waits->n--;

    ngx_http_trove_waits_count(waits, 0);

    if (ngx_queue_empty(&waits->queue) && waits->timeout.timer_set) {
        ngx_del_timer(&waits->timeout);
    }
}


ngx_int_t
ngx_http_trove_wait_detach(ngx_http_request_t *r)
{
    r->main->count++;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_DONE;
}
