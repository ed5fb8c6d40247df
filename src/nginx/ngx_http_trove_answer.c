
#include "ngx_http_trove.h"


/* The text of a problem whose every part is known. */

#define NGX_HTTP_TROVE_PROBLEM(status, title, detail)                         \
    "{\"title\":\"" title "\",\"status\":" #status ",\"detail\":\""          \
    detail "\"}"


_Static_assert(TROVE_ENDPOINT_POLL == 0, "conf/trace/poll.bt");


static ngx_uint_t ngx_http_trove_refused(ngx_http_request_t *r);
static ngx_int_t ngx_http_trove_refuse_unread(ngx_http_request_t *r);
static void ngx_http_trove_exemplar(ngx_http_request_t *r,
    trove_exemplar_t *e, uint64_t now, uint64_t ns);
static void ngx_http_trove_cleanup(void *data);
static ngx_int_t ngx_http_trove_push_header(ngx_http_request_t *r,
    const ngx_table_elt_t *header);
static ngx_int_t ngx_http_trove_retry_after(ngx_http_request_t *r);
static const char *ngx_http_trove_title(ngx_uint_t status);
static const char *ngx_http_trove_methods(ngx_uint_t methods);


static const ngx_table_elt_t  ngx_http_trove_no_store = {
    .hash = 1,
    .key = ngx_string("Cache-Control"),
    .value = ngx_string("no-store")
};


/* After a 503, in seconds. */

static const ngx_table_elt_t  ngx_http_trove_soon = {
    .hash = 1,
    .key = ngx_string("Retry-After"),
    .value = ngx_string("1")
};


static const char  ngx_http_trove_unstored_problem[] =
    NGX_HTTP_TROVE_PROBLEM(503, "Service Unavailable",
                           NGX_HTTP_TROVE_UNSTORED_TEXT);


ngx_http_trove_ctx_t *
ngx_http_trove_begin(ngx_http_request_t *r, ngx_http_trove_t *trove,
    trove_endpoint_t endpoint)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_trove_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->endpoint = endpoint;
    ctx->started = trove_clock_ns();

    if (trove) {
        ctx->worker = ngx_http_trove_worker(trove);
    }

    ngx_http_set_ctx(r, ctx, ngx_http_trove_module);

    return ctx;
}


ngx_int_t
ngx_http_trove_check(ngx_http_request_t *r, ngx_uint_t methods)
{
    ngx_uint_t             i;
    ngx_list_part_t       *part;
    ngx_table_elt_t       *h;
    ngx_http_trove_ctx_t  *ctx;

    if (methods & NGX_HTTP_GET) {
        methods |= NGX_HTTP_HEAD;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (!(r->method & methods)) {

        if (ngx_http_trove_add_header(r, "Allow",
                                      ngx_http_trove_methods(methods))
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_trove_problem(r, NGX_HTTP_NOT_ALLOWED,
                                      (ctx->endpoint == TROVE_ENDPOINT_STATS
                                       && r->method == NGX_HTTP_POST)
                                      ? "the method is not allowed here, where "
                                        "\"trove_stats\" has no \"write=on\""
                                      : "the method is not allowed here");
    }

    if (ctx->endpoint != TROVE_ENDPOINT_STATS && ngx_http_trove_uncopied(ctx))
    {
        ctx->status = NGX_HTTP_TROVE_UNSTORED;

        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      NGX_HTTP_TROVE_UNCOPIED_TEXT);
    }

    if (ngx_http_trove_refused(r)) {
        return ngx_http_trove_refuse_unread(r);
    }

    if (r->method != NGX_HTTP_POST) {
        return NGX_OK;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;

            if (part->nelts == 0) {
                break;
            }
        }

        if (h[i].key.len == sizeof("Content-Encoding") - 1
            && ngx_strncmp(h[i].lowcase_key, "content-encoding",
                           sizeof("Content-Encoding") - 1)
               == 0
            && !(h[i].value.len == sizeof("identity") - 1
                 && ngx_strncasecmp(h[i].value.data, (u_char *) "identity",
                                    sizeof("identity") - 1)
                    == 0))
        {
            return ngx_http_trove_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                          "Content-Encoding: only identity is "
                                          "read");
        }
    }

    return NGX_OK;
}


/* It is a write, and Redis takes none: its body need not be read for that. */

static ngx_uint_t
ngx_http_trove_refused(ngx_http_request_t *r)
{
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    return ctx->worker
           && ctx->worker->trove->redis
           && ctx->endpoint != TROVE_ENDPOINT_POLL
           && (r->method & (NGX_HTTP_POST|NGX_HTTP_DELETE))
           && ngx_http_trove_unstored(ctx);
}


/* All clients write on while Redis is away: this shall cost next to nothing. */

static ngx_int_t
ngx_http_trove_refuse_unread(ngx_http_request_t *r)
{
    ngx_int_t       rc;
    trove_writer_t  w;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    w.start = (u_char *) ngx_http_trove_unstored_problem;
    w.pos = w.start + sizeof(ngx_http_trove_unstored_problem) - 1;

    return ngx_http_trove_answer(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "application/problem+json", &w);
}


ngx_int_t
ngx_http_trove_writer(ngx_http_request_t *r, trove_writer_t *w, size_t size)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    trove_writer_init(w, p, size);

    return NGX_OK;
}


ngx_int_t
ngx_http_trove_header(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, off_t length)
{
    r->headers_out.status = status;
    r->headers_out.content_length_n = length;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_trove_push_header(r, &ngx_http_trove_no_store) != NGX_OK) {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_trove_push_header(r, &ngx_http_trove_soon) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_TOO_MANY_REQUESTS
        && ngx_http_trove_retry_after(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_trove_answer(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const trove_writer_t *w)
{
    ngx_int_t              rc;
    ngx_buf_t             *b;
    ngx_chain_t            out;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if ((r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && ctx && ngx_http_trove_torn(ctx))
    {
        ctx->generation = 0;
        ctx->status = NGX_HTTP_TROVE_UNSTORED;

        return ngx_http_trove_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      NGX_HTTP_TROVE_UNCOPIED_TEXT);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = w->start;
    b->last = w->pos;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    /* what follows is nginx's time, and the client's */

    ngx_http_trove_record(r, status);

    rc = ngx_http_trove_header(r, status, type, w->pos - w->start);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_trove_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_int_t              rc;
    trove_writer_t         w;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx && ctx->status == NGX_HTTP_TROVE_NONE) {

        switch (status) {

        case NGX_HTTP_NOT_FOUND:
            ctx->status = NGX_HTTP_TROVE_UNKNOWN;
            break;

        case NGX_HTTP_FORBIDDEN:
            ctx->status = NGX_HTTP_TROVE_FORBIDDEN;
            break;

        case NGX_HTTP_SERVICE_UNAVAILABLE:
            ctx->status = NGX_HTTP_TROVE_EXHAUSTED;
            break;

        case NGX_HTTP_INSUFFICIENT_STORAGE:
            ctx->status = NGX_HTTP_TROVE_FULL;
            break;

        case NGX_HTTP_INTERNAL_SERVER_ERROR:
            ctx->status = NGX_HTTP_TROVE_FAILED;
            break;

        default:
            ctx->status = NGX_HTTP_TROVE_INVALID;
        }
    }

    /* what was not read of a body must not be taken for the next request */

    if (!r->request_body) {
        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_trove_writer(r, &w, 128 + TROVE_JSON_DETAIL * 6) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    trove_write_lit(&w, "{\"title\":\"");
    trove_write_text(&w, ngx_http_trove_title(status));
    trove_write_lit(&w, "\",\"status\":");
    trove_write_uint(&w, status);
    trove_write_lit(&w, ",\"detail\":");
    trove_write_string(&w, (u_char *) detail, ngx_strlen(detail));
    trove_write_lit(&w, "}");

    return ngx_http_trove_answer(r, status, "application/problem+json", &w);
}


const char *
ngx_http_trove_exhausted(ngx_http_trove_ctx_t *ctx)
{
    ngx_http_trove_worker_t  *w;

    w = ctx->worker;

    trove_stats_add(w->stats, arena_exhausted, 1);

    TROVE_PROBE(arena_exhausted, w->trove->name.data, w->trove->name.len,
                trove_arena_used(&w->arena), trove_arena_size(&w->arena));

    return "the arena of this epoch is used up";
}


void
ngx_http_trove_record(ngx_http_request_t *r, ngx_uint_t status)
{
    uint64_t               now;
    ngx_time_t            *tp;
    trove_exemplar_t      *e;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx == NULL || ctx->recorded) {
        return;
    }

    ctx->recorded = 1;
    ctx->spent += trove_clock_ns() - ctx->started;

    if (ctx->worker == NULL) {
        return;
    }

    trove_stats_request(ctx->worker->stats, ctx->endpoint, status, ctx->spent);

    TROVE_PROBE(request, ctx->worker->trove->name.data,
                ctx->worker->trove->name.len, ctx->endpoint, status,
                ctx->spent);

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    e = trove_stats_exemplar(ctx->worker->stats, ctx->endpoint, ctx->spent,
                             now);

    if (trove_unlikely(e != NULL)) {
        ngx_http_trove_exemplar(r, e, now, ctx->spent);
    }
}


/* Only here is $request_id made, unless something else wants it, too. */

static void
ngx_http_trove_exemplar(ngx_http_request_t *r, trove_exemplar_t *e,
    uint64_t now, uint64_t ns)
{
    ngx_http_variable_value_t   *id;
    ngx_http_trove_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_trove_module);

    id = ngx_http_get_indexed_variable(r, tmcf->request_id);

    if (id == NULL || id->not_found) {
        (void) trove_exemplar_put(e, now, ns, NULL, 0);
        return;
    }

    (void) trove_exemplar_put(e, now, ns, id->data, id->len);
}


ngx_int_t
ngx_http_trove_watch(ngx_http_request_t *r)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_trove_cleanup;
    cln->data = r;

    return NGX_OK;
}


static void
ngx_http_trove_cleanup(void *data)
{
    ngx_http_request_t    *r = data;

    ngx_uint_t             status;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    if (ctx == NULL || ctx->recorded) {
        return;
    }

    if (r->headers_out.status >= NGX_HTTP_BAD_REQUEST
        && !r->connection->error)
    {

        /* nginx could not, or would not, read the body, and has said so */

        status = r->headers_out.status;

        ctx->status = (status < NGX_HTTP_INTERNAL_SERVER_ERROR)
                      ? NGX_HTTP_TROVE_INVALID : NGX_HTTP_TROVE_FAILED;

    } else {
        status = r->connection->timedout ? NGX_HTTP_REQUEST_TIME_OUT
                                         : NGX_HTTP_CLIENT_CLOSED_REQUEST;
    }

    ctx->started = trove_clock_ns();

    ngx_http_trove_record(r, status);
}


static ngx_int_t
ngx_http_trove_retry_after(ngx_http_request_t *r)
{
    u_char                *p;
    ngx_http_trove_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_trove_module);

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *ngx_sprintf(p, "%ui", ctx->retry_after) = '\0';

    return ngx_http_trove_add_header(r, "Retry-After", (char *) p);
}


/* Both texts stay as long as the request. */

ngx_int_t
ngx_http_trove_add_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  header;

    ngx_memzero(&header, sizeof(ngx_table_elt_t));

    header.hash = 1;
    header.key.data = (u_char *) name;
    header.key.len = ngx_strlen(name);
    header.value.data = (u_char *) value;
    header.value.len = ngx_strlen(value);

    return ngx_http_trove_push_header(r, &header);
}


static ngx_int_t
ngx_http_trove_push_header(ngx_http_request_t *r,
    const ngx_table_elt_t *header)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = *header;

    return NGX_OK;
}


static const char *
ngx_http_trove_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        return "Bad Request";

    case NGX_HTTP_FORBIDDEN:
        return "Forbidden";

    case NGX_HTTP_NOT_FOUND:
        return "Not Found";

    case NGX_HTTP_NOT_ALLOWED:
        return "Method Not Allowed";

    case NGX_HTTP_CONFLICT:
        return "Conflict";

    case NGX_HTTP_TROVE_GONE:
        return "Gone";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large";

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "Unsupported Media Type";

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return "Too Many Requests";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "Service Unavailable";

    case NGX_HTTP_INSUFFICIENT_STORAGE:
        return "Insufficient Storage";

    default:
        return "Internal Server Error";
    }
}


static const char *
ngx_http_trove_methods(ngx_uint_t methods)
{
    if (methods & NGX_HTTP_DELETE) {
        return "GET, HEAD, POST, DELETE";
    }

    if (methods == NGX_HTTP_POST) {
        return "POST";
    }

    return (methods & NGX_HTTP_POST) ? "GET, HEAD, POST" : "GET, HEAD";
}
