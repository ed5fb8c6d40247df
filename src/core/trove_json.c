/*
 * JSON objects, by yajl, all of whose memory is the arena's.
 *
 * What yajl 2.1 lets pass or stumbles over is dealt with here:
 *
 *   - it tests no allocation: the allocator never returns NULL, it jumps out
 *     (nothing is lost by that, for nothing is owned but arena memory);
 *   - it takes vertical tabs and form feeds for white space, overlong forms
 *     and surrogates for UTF-8, makes "?" of half a surrogate pair or runs
 *     into an assertion: the text is looked through first;
 *   - it keeps an unfinished token after the object for the text that comes
 *     next: the object's end must be the text's end;
 *   - it knows no limit of depth: the callbacks count.
 */

#include <setjmp.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "trove_fields.h"
#include "trove_json.h"
#include "trove_writer.h"


#define TROVE_JSON_ONES      0x0101010101010101ull


/* In front of what yajl was given, to be found by when that is freed. */

typedef struct trove_json_block_s  trove_json_block_t;

struct trove_json_block_s {
    trove_json_block_t   *next;         /* of the free ones                  */
    size_t                size;
};


struct trove_json_s {
    yajl_handle           yajl;         /* NULL: to be made                  */
    trove_arena_t        *arena;
    const trove_field_t  *fields;
    uint32_t              nfields;

    /* of the object at hand */

    uint32_t              depth;
    uint32_t              next;         /* field that is likely to come next */
    const trove_field_t  *field;        /* whose value comes; NULL: unknown  */
    const unsigned char  *buf;
    size_t                len;
    void                 *out;
    trove_fields_t       *f;

    unsigned              reused:1;     /* yajl has parsed an object         */
    unsigned              failed:1;     /* yajl has met an error             */
    unsigned              done:1;       /* the object has ended              */

    trove_json_block_t   *free;
    yajl_alloc_funcs      alloc;
    jmp_buf               nomem;
};


typedef struct {
    const char           *error;
    size_t                at;           /* number of the byte, from 1        */
} trove_json_flaw_t;


static int trove_json_plain(const unsigned char *p, size_t len);
static inline uint64_t trove_json_odd(const unsigned char *p);
static int trove_json_flawed(const unsigned char *buf, size_t len,
    trove_json_flaw_t *flaw);
static size_t trove_json_escape(const unsigned char *p,
    const unsigned char *last);
static int trove_json_unicode(const unsigned char *p,
    const unsigned char *last);
static trove_rc_t trove_json_guarded(trove_json_t *json);
static trove_rc_t trove_json_run(trove_json_t *json);
static void trove_json_ready(trove_json_t *json);
static trove_rc_t trove_json_failure(trove_json_t *json, yajl_status status);
static trove_rc_t trove_json_error(trove_fields_t *f, const char *text,
    size_t len, size_t at);
static trove_rc_t trove_json_say(trove_fields_t *f, const char *subject,
    const char *text, size_t len, size_t at);

static int trove_json_null(void *ctx);
static int trove_json_boolean(void *ctx, int flag);
static int trove_json_number(void *ctx, const char *p, size_t len);
static int trove_json_string(void *ctx, const unsigned char *p, size_t len);
static int trove_json_start_map(void *ctx);
static int trove_json_map_key(void *ctx, const unsigned char *p, size_t len);
static int trove_json_end_map(void *ctx);
static int trove_json_start_array(void *ctx);
static int trove_json_end_array(void *ctx);
static int trove_json_nest(trove_json_t *json, const char *what);
static int trove_json_unwanted(trove_json_t *json, const char *what);
static const unsigned char *trove_json_keep(trove_json_t *json,
    const unsigned char *p, size_t len);

static void *trove_json_malloc(void *ctx, size_t size);
static void *trove_json_realloc(void *ctx, void *p, size_t size);
static void trove_json_free(void *ctx, void *p);
static trove_json_block_t *trove_json_freed(trove_json_t *json, size_t size);


static const yajl_callbacks  trove_json_callbacks = {
    trove_json_null,
    trove_json_boolean,
    NULL,
    NULL,
    trove_json_number,
    trove_json_string,
    trove_json_start_map,
    trove_json_map_key,
    trove_json_end_map,
    trove_json_start_array,
    trove_json_end_array
};


trove_json_t *
trove_json_open(trove_arena_t *arena, const trove_field_t *fields,
    uint32_t nfields)
{
    trove_json_t  *json;

    json = trove_arena_alloc(arena, sizeof(trove_json_t));

    if (json == NULL) {
        return NULL;
    }

    json->yajl = NULL;
    json->arena = arena;
    json->fields = fields;
    json->nfields = nfields;
    json->reused = 0;
    json->failed = 0;
    json->free = NULL;

    json->alloc.malloc = trove_json_malloc;
    json->alloc.realloc = trove_json_realloc;
    json->alloc.free = trove_json_free;
    json->alloc.ctx = json;

    return json;
}


trove_rc_t
trove_json_parse(trove_json_t *json, const unsigned char *buf, size_t len,
    void *out, trove_fields_t *f)
{
    trove_json_flaw_t  flaw;

    f->seen = 0;
    f->detail[0] = '\0';

    while (len && (buf[len - 1] == ' ' || buf[len - 1] == '\n'
                   || buf[len - 1] == '\r' || buf[len - 1] == '\t'))
    {
        len--;
    }

    if (len == 0) {
        return trove_json_error(f, "it is empty", 11, 0);
    }

    if (!trove_json_plain(buf, len) && trove_json_flawed(buf, len, &flaw)) {
        return trove_json_error(f, flaw.error, strlen(flaw.error), flaw.at);
    }

    json->depth = 0;
    json->next = 0;
    json->field = NULL;
    json->buf = buf;
    json->len = len;
    json->out = out;
    json->f = f;
    json->done = 0;

    return trove_json_guarded(json);
}


/*
 * Whether there is no control character, no backslash and nothing but ASCII,
 * looked at eight bytes at a time: then yajl can be trusted.  Shorter texts
 * are left to the full check.
 */

static int
trove_json_plain(const unsigned char *p, size_t len)
{
    uint64_t              odd;
    const unsigned char  *last;

    odd = 0;

    if (len < 8) {
        return 0;
    }

    for (last = p + len - 8; p < last; p += 8) {
        odd |= trove_json_odd(p);
    }

    odd |= trove_json_odd(last);

    return (odd & (TROVE_JSON_ONES * 0x80)) == 0;
}


/* The highest bit of some byte is set if any of the eight is not plain. */

static inline uint64_t
trove_json_odd(const unsigned char *p)
{
    uint64_t  word, back;

    memcpy(&word, p, 8);
    back = word ^ (TROVE_JSON_ONES * '\\');

    return word
           | ((word - TROVE_JSON_ONES * ' ') & ~word)
           | ((back - TROVE_JSON_ONES) & ~back);
}


static int
trove_json_flawed(const unsigned char *buf, size_t len,
    trove_json_flaw_t *flaw)
{
    size_t                n;
    const unsigned char  *p, *last;

    last = buf + len;
    p = trove_fields_utf8(buf, last);

    if (p != last) {
        flaw->error = "invalid UTF-8";
        flaw->at = p - buf + 1;
        return 1;
    }

    for (p = buf; p < last; p += n) {

        n = 1;

        if (*p == '\v' || *p == '\f') {
            flaw->error = "control character";
            flaw->at = p - buf + 1;
            return 1;
        }

        if (*p == '\\') {
            n = trove_json_escape(p, last);

            if (n == 0) {
                flaw->error = "half a surrogate pair";
                flaw->at = p - buf + 1;
                return 1;
            }
        }
    }

    return 0;
}


/*
 * Bytes of the escape at "p", 0 if it is one half of a surrogate pair.  Any
 * other flaw of it is left to yajl.
 */

static size_t
trove_json_escape(const unsigned char *p, const unsigned char *last)
{
    int  code;

    code = trove_json_unicode(p, last);

    if (code < 0) {
        return (last - p > 1) ? 2 : 1;
    }

    if ((code & 0xf800) != 0xd800) {
        return 6;
    }

    if (code >= 0xdc00) {
        return 0;
    }

    code = trove_json_unicode(p + 6, last);

    return (code >= 0xdc00 && code <= 0xdfff) ? 12 : 0;
}


/* The code of "\uXXXX", -1 if that is not what stands at "p". */

static int
trove_json_unicode(const unsigned char *p, const unsigned char *last)
{
    int            code, i;
    unsigned char  ch;

    if (last - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }

    code = 0;

    for (i = 2; i < 6; i++) {
        ch = p[i] | 0x20;

        if (p[i] >= '0' && p[i] <= '9') {
            code = code << 4 | (p[i] - '0');

        } else if (ch >= 'a' && ch <= 'f') {
            code = code << 4 | (ch - 'a' + 10);

        } else {
            return -1;
        }
    }

    return code;
}


/* Where the allocator jumps to; the handle is half made then, and lost. */

static trove_rc_t
trove_json_guarded(trove_json_t *json)
{
    if (setjmp(json->nomem)) {
        json->yajl = NULL;
        json->failed = 0;
        return TROVE_NOMEM;
    }

    return trove_json_run(json);
}


static trove_rc_t
trove_json_run(trove_json_t *json)
{
    yajl_status  status;

    trove_json_ready(json);

    status = yajl_parse(json->yajl, json->buf, json->len);

    if (trove_likely(status == yajl_status_ok && json->done)) {
        json->reused = 1;
        return TROVE_OK;
    }

    json->failed = 1;

    return trove_json_failure(json, status);
}


/*
 * yajl does not recover from an error, then a new handle takes the memory of
 * the old one.  A handle that has parsed an object takes another only if it
 * may take any number; trove_json_start_map() ends that permission.
 */

static void
trove_json_ready(trove_json_t *json)
{
    if (json->failed) {
        yajl_free(json->yajl);
        json->yajl = NULL;
        json->failed = 0;
    }

    if (json->yajl == NULL) {
        json->yajl = yajl_alloc(&trove_json_callbacks, &json->alloc, json);
        json->reused = 0;
    }

    if (json->reused) {
        yajl_config(json->yajl, yajl_allow_multiple_values, 1);
    }
}


/* A callback that canceled has left its reason. */

static trove_rc_t
trove_json_failure(trove_json_t *json, yajl_status status)
{
    char        *text, *p;
    size_t       at, len;
    const char  *subject;

    if (status == yajl_status_client_canceled) {
        return TROVE_INVALID;
    }

    at = yajl_get_bytes_consumed(json->yajl);

    if (status == yajl_status_ok) {
        return trove_json_error(json->f, "it ends too early", 17, at);
    }

    /* what cannot be read may be the value of a field: NaN, say */

    subject = json->field ? json->field->name : "not a JSON object";

    /* "lexical error: invalid char in json text.\n" */

    text = (char *) yajl_get_error(json->yajl, 0, json->buf, json->len);

    p = strstr(text, ": ");
    p = p ? p + 2 : text;
    len = strcspn(p, "\n");

    if (len && p[len - 1] == '.') {
        len--;
    }

    trove_json_say(json->f, subject, p, len, at);

    yajl_free_error(json->yajl, (unsigned char *) text);

    return TROVE_INVALID;
}


/* at: the byte's number, from 1; 0: none */

static trove_rc_t
trove_json_error(trove_fields_t *f, const char *text, size_t len, size_t at)
{
    return trove_json_say(f, "not a JSON object", text, len, at);
}


static trove_rc_t
trove_json_say(trove_fields_t *f, const char *subject, const char *text,
    size_t len, size_t at)
{
    trove_writer_t  w;

    trove_writer_init(&w, f->detail, sizeof(f->detail) - 1);

    trove_write_text(&w, subject);
    trove_write_lit(&w, ": ");
    trove_write(&w, text, len);

    if (at) {
        trove_write_lit(&w, " at byte ");
        trove_write_uint(&w, at);
    }

    *w.pos = '\0';

    return TROVE_INVALID;
}


static int
trove_json_null(void *ctx)
{
    return trove_json_unwanted(ctx, "null");
}


static int
trove_json_boolean(void *ctx, int flag)
{
    trove_rc_t     rc;
    trove_json_t  *json;

    json = ctx;

    if (json->field == NULL) {
        return trove_json_unwanted(json, "a boolean");
    }

    rc = trove_field_flag(json->field, flag, json->out, json->f);
    json->field = NULL;

    return rc == TROVE_OK;
}


static int
trove_json_number(void *ctx, const char *p, size_t len)
{
    trove_rc_t     rc;
    trove_json_t  *json;

    json = ctx;

    if (json->field == NULL) {
        return trove_json_unwanted(json, "a number");
    }

    rc = trove_field_number(json->field, (const unsigned char *) p, len,
                            json->out, json->f);
    json->field = NULL;

    return rc == TROVE_OK;
}


static int
trove_json_string(void *ctx, const unsigned char *p, size_t len)
{
    trove_rc_t            rc;
    trove_json_t         *json;
    const trove_field_t  *field;

    json = ctx;
    field = json->field;

    if (field == NULL) {
        return trove_json_unwanted(json, "a string");
    }

    if (field->type == TROVE_FIELD_PLAYER) {
        p = trove_json_keep(json, p, len);
        rc = trove_field_player(field, p, len, json->out, json->f);

    } else if (field->type == TROVE_FIELD_TEXT) {
        p = trove_json_keep(json, p, len);
        rc = trove_field_text(field, p, len, json->out, json->f);

    } else {
        rc = trove_field_refuse_string(field, p, len, json->f);
    }

    json->field = NULL;

    return rc == TROVE_OK;
}


static int
trove_json_start_map(void *ctx)
{
    trove_json_t  *json;

    json = ctx;

    if (json->depth) {
        return trove_json_nest(json, "an object");
    }

    json->depth = 1;

    if (json->reused) {
        yajl_config(json->yajl, yajl_allow_multiple_values, 0);
    }

    return 1;
}


static int
trove_json_map_key(void *ctx, const unsigned char *p, size_t len)
{
    uint32_t       i, bit;
    trove_json_t  *json;

    json = ctx;

    if (json->depth > 1) {
        return 1;
    }

    i = trove_fields_find(json->fields, json->nfields, json->next, p, len);

    if (i == json->nfields) {
        return 1;
    }

    json->next = i + 1;
    json->field = &json->fields[i];

    bit = (uint32_t) 1 << i;

    if (json->f->seen & bit) {
        trove_field_error(json->field, "given twice", json->f);
        return 0;
    }

    json->f->seen |= bit;

    return 1;
}


static int
trove_json_end_map(void *ctx)
{
    size_t         at;
    trove_json_t  *json;

    json = ctx;
    json->depth--;

    if (json->depth) {
        return 1;
    }

    at = yajl_get_bytes_consumed(json->yajl);

    if (at != json->len) {
        trove_json_error(json->f, "something follows it", 20, at + 1);
        return 0;
    }

    json->done = 1;

    return 1;
}


static int
trove_json_start_array(void *ctx)
{
    return trove_json_nest(ctx, "an array");
}


static int
trove_json_end_array(void *ctx)
{
    trove_json_t  *json;

    json = ctx;
    json->depth--;

    return 1;
}


static int
trove_json_nest(trove_json_t *json, const char *what)
{
    if (!trove_json_unwanted(json, what)) {
        return 0;
    }

    if (json->depth > TROVE_JSON_DEPTH) {
        trove_json_error(json->f, "nested too deep", 15,
                         yajl_get_bytes_consumed(json->yajl));
        return 0;
    }

    json->depth++;

    return 1;
}


/* A value that no field takes: passed over where no field is meant. */

static int
trove_json_unwanted(trove_json_t *json, const char *what)
{
    if (json->field) {
        trove_field_refuse(json->field, what, json->f);
        return 0;
    }

    if (json->depth == 0) {
        trove_json_error(json->f, what, strlen(what), 0);
        return 0;
    }

    return 1;
}


/* What does not lie in the caller's text lies in memory that yajl reuses. */

static const unsigned char *
trove_json_keep(trove_json_t *json, const unsigned char *p, size_t len)
{
    unsigned char  *copy;

    if (len == 0 || len > trove_field_room(json->field)
        || ((uintptr_t) p >= (uintptr_t) json->buf
            && (uintptr_t) p < (uintptr_t) (json->buf + json->len)))
    {
        return p;
    }

    copy = trove_arena_take(json->arena, len, 1);

    if (copy == NULL) {
        longjmp(json->nomem, 1);
    }

    memcpy(copy, p, len);

    return copy;
}


static void *
trove_json_malloc(void *ctx, size_t size)
{
    trove_json_t        *json;
    trove_json_block_t  *block;

    json = ctx;
    block = trove_json_freed(json, size);

    if (block == NULL) {
        block = trove_arena_take(json->arena,
                                 sizeof(trove_json_block_t) + size,
                                 _Alignof(max_align_t));
        if (block == NULL) {
            longjmp(json->nomem, 1);
        }

        block->size = size;
    }

    return block + 1;
}


static void *
trove_json_realloc(void *ctx, void *p, size_t size)
{
    void                *new;
    trove_json_block_t  *block;

    new = trove_json_malloc(ctx, size);

    if (p) {
        block = (trove_json_block_t *) p - 1;
        memcpy(new, p, (block->size < size) ? block->size : size);
        trove_json_free(ctx, p);
    }

    return new;
}


static void
trove_json_free(void *ctx, void *p)
{
    trove_json_t        *json;
    trove_json_block_t  *block;

    if (p == NULL) {
        return;
    }

    json = ctx;
    block = (trove_json_block_t *) p - 1;

    block->next = json->free;
    json->free = block;
}


/*
 * The freed block that fits best.  Each handle asks for the same sizes, so
 * that any number of bad objects takes the memory of the largest of them.
 */

static trove_json_block_t *
trove_json_freed(trove_json_t *json, size_t size)
{
    trove_json_block_t  *block, **link, **best;

    best = NULL;

    for (link = &json->free; *link; link = &(*link)->next) {
        if ((*link)->size >= size
            && (best == NULL || (*link)->size < (*best)->size))
        {
            best = link;
        }
    }

    if (best == NULL) {
        return NULL;
    }

    block = *best;
    *best = block->next;

    return block;
}
