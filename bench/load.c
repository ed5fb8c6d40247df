/*
 * The load: polls, batches and rewards over many connections from one thread,
 * every answer compared with what it must be, and the CPU that the server
 * took meanwhile.  Any wrong answer ends the run with 1.
 *
 *   load check STREAM ...             each request once
 *   load rounds N SECONDS STREAM ...  one stream after the other, N times
 *   load together SECONDS STREAM ...  all at once
 *   load soak SECONDS EVERY STREAM... the same, telling every EVERY seconds
 *                                     what there was since; wrong answers are
 *                                     counted
 *   load loading SECONDS STREAM POST  the stream by itself, then while the
 *                                     POST is carried out and until polls show
 *                                     it, then by itself again
 *
 * A stream is a list of settings, "kind=get,to=127.0.0.1:8080,...":
 *
 *   name         for the output
 *   kind         get      polls, of a file that bench/polls has written
 *                batch    the same in batches of "lines"
 *                redis    the same as GEOSEARCH of the key "places"
 *                post     batches of "lines" rewards of an NDJSON file, all of
 *                         it if lines=0
 *                any      GETs of the paths that a file lists
 *                claim    claims: of the first reward by each player in turn,
 *                         then of the next one, and again
 *                tap      taps by each player in turn
 *                redistap the same as a script that Redis has
 *                score    scores for a board, of players at random
 *                zadd     the same for the key "board" of Redis
 *                rank     GETs of the rows of players at random
 *                zrevrank   their ranks of that key
 *                zrevrange  the first hundred of it
 *   same         1: answered by something of no meaning
 *   status       of all answers, which mean nothing else; default 200
 *   to           ADDRESS:PORT or the path of a Unix socket
 *   path         of a POST, default /poll
 *   file         of all but claims and taps
 *   lines        of a batch, and of claims, taps or commands that are sent
 *                together; 1: one object
 *   players      who claim, tap or score, of those that this letter begins:
 *   letter       default p
 *   rewards      that they claim, with ids from 2000001 on; all lie at
 *                x=0, y=-85, and the nth is worth n
 *   fresh        1: no player has claimed or tapped before
 *   gone         1: claims of a batch may find the stock gone; how many did is
 *                in "other"
 *   sha          of the script
 *   connections  default 1; with a rate, they take turns
 *   sources      so many addresses of 127.0.0.0/8 that they come from; 0 is
 *                the system's choice
 *   rate         requests a second, sent when they are due whether others are
 *                answered or not, as far as there are connections; durations
 *                begin when they are due.  Default 0: each connection sends
 *                the next request as soon as it has an answer.
 *   pid          whose CPU time is of interest
 *
 * Times in the output are in ns.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "trove_histogram.h"


#define LOAD_STREAMS      8
#define LOAD_EVENTS       256
#define LOAD_SEND         32768         /* bytes sent in one go              */
#define LOAD_BUFFER       2048          /* for an answer, at first           */
#define LOAD_PHASES       4
#define LOAD_WARM         1000000000    /* that does not count               */
#define LOAD_LINE         128           /* longest poll as JSON              */
#define LOAD_REDIS_LATITUDE  85
#define LOAD_STUCK        20000000000   /* nothing happens for so long       */
#define LOAD_SETTLE       30000000000   /* longest until polls show a load   */
#define LOAD_SHOWN        5             /* wrong answers                     */
#define LOAD_PLAYER       8             /* digits of a player's number       */
#define LOAD_REWARD       7             /* and of a reward's id              */
#define LOAD_FIRST        2000001       /* reward that is claimed            */
#define LOAD_COINS        3
#define LOAD_STRIDE       7368787       /* prime: players as if at random    */
#define LOAD_SCORE        7             /* digits of a score                 */
#define LOAD_SCORES       9000000       /* from the lowest of so many digits */
#define LOAD_DATA         160           /* bytes beside a score              */
#define LOAD_TOP          100           /* members of a ZREVRANGE            */


typedef enum {
    LOAD_GET,
    LOAD_BATCH,
    LOAD_REDIS,
    LOAD_POST,
    LOAD_ANY,
    LOAD_CLAIM,
    LOAD_TAP,
    LOAD_REDISTAP,
    LOAD_SCORE_POST,
    LOAD_ZADD,
    LOAD_RANK,
    LOAD_ZREVRANK,
    LOAD_ZREVRANGE
} load_kind_t;


typedef struct {
    const char      *name;
    int              value;
    uint32_t         weight;            /* in percent                        */
} load_coin_t;


typedef struct {
    char            *text;              /* of an answer, behind the version  */
    size_t           len;
    uint64_t         found;
} load_answer_t;


typedef struct {
    char            *x;
    char            *y;
    char            *r;
    char            *ids[2];
    load_answer_t    answer[2];         /* before and after the load         */
} load_poll_t;


typedef struct {
    char            *text;
    size_t           len;
    load_poll_t     *polls;             /* that it asks for                  */
    uint32_t         lines;
} load_request_t;


/* What claims and taps are made of: this many times the line. */

typedef struct {
    char            *head;
    char            *line;
    size_t           len;               /* of the line                       */
    size_t           player;            /* where the number stands in it     */
    size_t           reward;            /* 0: nowhere, as the two below      */
    size_t           random;
    size_t           score;
} load_form_t;


typedef struct {
    uint64_t         main;              /* the event loop                    */
    uint64_t         threads;           /* all others                        */
} load_cpu_t;


typedef struct {
    uint64_t         start;
    uint64_t         end;
    uint64_t         requests;
    uint64_t         lines;
    uint64_t         bytes;             /* of the answers                    */
    uint64_t         other;             /* answers that may differ, and do   */
    uint64_t         wrong;
    uint64_t         repeats;           /* claims that were granted before   */
    uint64_t         coins[LOAD_COINS];
    load_cpu_t       cpu;               /* of "pid", from start to end       */
    load_cpu_t       cpu_start;
    uint64_t         own;               /* CPU of this process               */
    uint64_t         own_start;
} load_count_t;


typedef struct load_stream_s  load_stream_t;
typedef struct load_conn_s    load_conn_t;


struct load_conn_s {
    int              fd;
    load_stream_t   *stream;
    load_conn_t     *next;              /* idle, or with more to send        */
    load_request_t  *request;           /* NULL: idle                        */
    uint32_t         answers;           /* since the start                   */
    load_request_t   own;               /* of claims or taps                 */
    uint64_t         serial;            /* of its first line                 */
    uint8_t         *random;            /* of each line                      */
    uint64_t         due;
    int              phase;
    int              pending;
    size_t           sent;

    char            *buf;
    size_t           size;
    size_t           len;
    size_t           head;              /* 0: not whole yet                  */
    size_t           length;            /* of the body                       */
    int              chunked;
    size_t           at;                /* the next chunk, or reply          */
};


struct load_stream_s {
    char            *name;
    char            *path;
    char            *to;
    char            *file;
    char            *sha;
    char            *letter;
    load_kind_t      kind;
    int              same;
    int              status;            /* 0: 200, and answers are checked   */
    int              fresh;
    int              gone;
    uint32_t         lines;
    uint32_t         nconns;
    uint32_t         sources;
    uint32_t         players;
    uint32_t         rewards;
    double           rate;
    int              pid;

    load_request_t  *requests;
    size_t           nrequests;
    size_t           next;

    load_form_t      form;
    uint64_t         serial;            /* of the next claim or tap          */
    int64_t         *balances;          /* of those who tap                  */

    load_conn_t     *conns;
    load_conn_t     *idle;              /* longest at the head               */
    load_conn_t    **idle_tail;
    uint32_t         active;            /* connections that are not          */
    int              running;
    int              once;              /* each request once, then no more   */

    double           interval;          /* between requests, in ns           */
    uint64_t         due;               /* requests that were, of this run   */
    load_count_t     count;

    trove_histogram_t  *took;           /* one a phase                       */
};


static void load_check(void);
static void load_rounds(int n, double seconds);
static void load_together(double seconds);
static void load_soak(double seconds, double every);
static void load_loading(double seconds);

static void load_start(load_stream_t *s);
static void load_stop(load_stream_t *s);
static void load_run(uint64_t until);
static void load_turn(uint64_t timeout);
static uint64_t load_due(load_stream_t *s, uint64_t now);
static void load_idle(load_conn_t *c);
static load_conn_t *load_next_idle(load_stream_t *s);
static void load_send_next(load_conn_t *c, uint64_t due);
static void load_make(load_conn_t *c);
static uint32_t load_player(load_stream_t *s, uint64_t serial);
static uint32_t load_score(uint64_t serial);
static void load_digits(char *p, uint32_t n, int digits);
static void load_push(load_conn_t *c);
static void load_read(load_conn_t *c);
static void load_answered(load_conn_t *c);
static void load_waited(uint64_t now);

static int load_whole_http(load_conn_t *c);
static int load_whole_chunks(load_conn_t *c);
static int load_whole_redis(load_conn_t *c);
static int load_whole_replies(load_conn_t *c, uint32_t lines);
static void load_check_answer(load_conn_t *c);
static void load_wrong(load_conn_t *c);
static int load_check_poll(load_poll_t *poll, const char *p, const char *end);
static int load_check_batch(load_request_t *r, const char *p,
    const char *end);
static int load_check_redis(load_poll_t *poll, const char *p,
    const char *end);
static int load_check_post(load_request_t *r, const char *p);
static int load_check_claims(load_conn_t *c, const char *p, const char *end);
static int load_check_claim(load_conn_t *c, uint64_t serial, const char *p,
    size_t len);
static int load_check_taps(load_conn_t *c, const char *p, const char *end);
static int load_check_tap(load_conn_t *c, uint32_t line, const char *p,
    const char *end);
static int load_check_redistap(load_conn_t *c, uint32_t line, char **p);
static int load_check_scores(load_conn_t *c, const char *p, const char *end);
static int load_check_rank(load_conn_t *c, const char *p, const char *end);
static int load_check_zadds(load_conn_t *c);
static int load_check_zrevranks(load_conn_t *c);
static int load_check_zrevranges(load_conn_t *c);
static int load_drawn(load_conn_t *c, uint32_t line, uint32_t coin, int value,
    int64_t balance);

static void load_stream(char *text);
static void load_setting(load_stream_t *s, char *name, char *value);
static void load_polls(load_stream_t *s);
static void load_answer(load_answer_t *a, char *found, char *ids);
static void load_poll_requests(load_stream_t *s, load_poll_t *polls,
    size_t n);
static void load_batch_requests(load_stream_t *s, load_poll_t *polls,
    size_t n);
static void load_post_requests(load_stream_t *s);
static void load_any_requests(load_stream_t *s);
static void load_form(load_stream_t *s);
static void load_form_line(load_stream_t *s);
static void load_post(load_stream_t *s, load_request_t *r, const char *body,
    size_t len);
static load_request_t *load_request(load_stream_t *s);
static char *load_file(const char *name, size_t *size);
static void load_connect(load_stream_t *s);
static int load_socket(load_stream_t *s, uint32_t i);
static void load_bind(int fd, uint32_t source);

static load_cpu_t load_cpu(int pid);
static uint64_t load_schedstat(const char *name);
static void load_print(const char *what, load_stream_t *s);
static void load_print_took(load_stream_t *s, int phase, const char *name);
static void load_print_sample(load_stream_t *s, double at);
static uint64_t load_took(load_stream_t *s, int phase, uint32_t thousandths);
static uint64_t load_now(void);
static uint64_t load_own(void);
static uint64_t load_clock(clockid_t id);
static int load_format(char **text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void *load_alloc(void *p, size_t n, size_t size);
static void load_die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));


static load_stream_t  load_streams[LOAD_STREAMS];
static uint32_t       load_nstreams;
static int            load_epoll;
static int            load_spin;        /* do not sleep: be on time          */
static load_conn_t   *load_pending;
static uint64_t       load_progress;    /* when something came last          */
static uint64_t       load_answer_at;   /* when an answer did                */
static uint64_t       load_gap;         /* longest time without one          */
static int            load_soaking;

/* what a load in progress means for the answers */

static int            load_phase;
static uint64_t       load_seen;        /* highest version in an answer      */
static uint64_t       load_before = UINT64_MAX;
static uint64_t       load_after = UINT64_MAX;

static const char  *load_kinds[] = {
    "get", "batch", "redis", "post", "any", "claim", "tap", "redistap",
    "score", "zadd", "rank", "zrevrank", "zrevrange", NULL
};

/* as bench/lib/Bench/Servers.pm configures them */

static const load_coin_t  load_coins[LOAD_COINS] = {
    { "bronze", 1, 80 }, { "silver", 5, 15 }, { "gold", 25, 5 }
};

static const char  *load_phases[] = { "warm", "idle", "meanwhile", "after" };


int
main(int argc, char **argv)
{
    int     i, first;
    double  seconds;

    first = 2;

    if (argc > 2 && strcmp(argv[1], "check") != 0) {
        first = (argv[1][0] == 'r' || argv[1][0] == 's') ? 4 : 3;
    }

    if (argc <= first) {
        load_die("usage: load check|rounds|together|soak|loading ..."
                 " STREAM ...");
    }

    load_epoll = epoll_create1(EPOLL_CLOEXEC);
    (void) prctl(PR_SET_TIMERSLACK, 1);

    for (i = first; i < argc; i++) {
        load_stream(argv[i]);
    }

    for (i = 0; i < (int) load_nstreams; i++) {
        load_connect(&load_streams[i]);
    }

    seconds = strtod(argv[first - 1], NULL);
    load_progress = load_now();

    switch (argv[1][0]) {

    case 'c':
        load_check();
        break;

    case 'r':
        load_rounds(atoi(argv[2]), seconds);
        break;

    case 't':
        load_together(seconds);
        break;

    case 's':
        load_soak(strtod(argv[2], NULL), seconds);
        break;

    default:
        load_loading(seconds);
    }

    return 0;
}


static void
load_check(void)
{
    uint32_t        i;
    load_stream_t  *s;

    for (i = 0; i < load_nstreams; i++) {
        s = &load_streams[i];

        s->once = 1;
        load_start(s);

        while (s->running) {
            load_turn(1000000);
        }

        load_stop(s);
        load_print("check", s);
    }
}


static void
load_rounds(int n, double seconds)
{
    int       k;
    uint32_t  i;

    for (k = 0; k < n; k++) {

        for (i = 0; i < load_nstreams; i++) {
            load_start(&load_streams[i]);
            load_run(load_now() + (uint64_t) (seconds * 1e9));
            load_stop(&load_streams[i]);

            load_print("round", &load_streams[i]);
        }
    }
}


static void
load_together(double seconds)
{
    uint32_t  i;

    for (i = 0; i < load_nstreams; i++) {
        load_start(&load_streams[i]);
    }

    load_run(load_now() + (uint64_t) (seconds * 1e9));

    for (i = 0; i < load_nstreams; i++) {
        load_streams[i].running = 0;
    }

    for (i = 0; i < load_nstreams; i++) {
        load_stop(&load_streams[i]);
        load_print("all", &load_streams[i]);
        load_print_took(&load_streams[i], 0, "all");
    }
}


static void
load_soak(double seconds, double every)
{
    double    at;
    uint32_t  i;
    uint64_t  start;

    load_soaking = 1;

    for (i = 0; i < load_nstreams; i++) {
        load_start(&load_streams[i]);
    }

    start = load_now();
    load_answer_at = start;

    for (at = every; at <= seconds; at += every) {
        load_run(start + (uint64_t) (at * 1e9));

        for (i = 0; i < load_nstreams; i++) {
            load_print_sample(&load_streams[i], at);
        }

        load_waited(load_now());

        printf("sample at=%.1f gap=%llu\n", at,
               (unsigned long long) load_gap);
        fflush(stdout);

        load_gap = 0;
    }

    for (i = 0; i < load_nstreams; i++) {
        load_streams[i].running = 0;
    }

    for (i = 0; i < load_nstreams; i++) {
        load_stop(&load_streams[i]);
    }
}


static void
load_loading(double seconds)
{
    uint32_t        i;
    uint64_t        end;
    load_stream_t  *polls, *post;

    if (load_nstreams != 2 || load_streams[1].kind != LOAD_POST) {
        load_die("loading is of a stream and a POST");
    }

    polls = &load_streams[0];
    post = &load_streams[1];
    post->once = 1;
    load_spin = 1;

    load_start(polls);
    load_run(load_now() + LOAD_WARM);

    load_phase = 1;
    load_run(load_now() + (uint64_t) (seconds * 1e9));

    load_phase = 2;
    load_before = load_seen;
    load_start(post);

    while (post->running) {
        load_turn(0);
    }

    load_stop(post);
    load_print("loaded", post);

    end = load_now() + LOAD_SETTLE;

    while (load_seen < load_after) {

        if (load_now() > end) {
            load_die("polls do not show what was loaded");
        }

        load_turn(0);
    }

    load_stop(post);
    load_print("settled", post);

    load_phase = 3;
    load_run(load_now() + (uint64_t) (seconds * 1e9));
    load_stop(polls);

    for (i = 1; i < LOAD_PHASES; i++) {
        load_print_took(polls, i, load_phases[i]);
    }
}


static void
load_start(load_stream_t *s)
{
    uint32_t      i;
    uint64_t      now;
    load_conn_t  *c;

    memset(&s->count, 0, sizeof(load_count_t));

    for (i = 0; i < s->nconns; i++) {
        s->conns[i].answers = 0;
    }

    s->running = 1;
    s->due = 0;
    s->count.own_start = load_own();
    s->count.cpu_start = load_cpu(s->pid);

    now = load_now();
    s->count.start = now;

    if (s->rate != 0) {
        return;
    }

    while (s->running && (c = load_next_idle(s)) != NULL) {
        load_send_next(c, now);
    }
}


/* Waits for the answers that are still to come, and counts up to here. */

static void
load_stop(load_stream_t *s)
{
    load_cpu_t  cpu;

    if (!s->once) {
        s->running = 0;
    }

    while (s->active) {
        load_turn(1000000);
    }

    cpu = load_cpu(s->pid);

    s->count.end = load_now();
    s->count.cpu.main = cpu.main - s->count.cpu_start.main;
    s->count.cpu.threads = cpu.threads - s->count.cpu_start.threads;
    s->count.own = load_own() - s->count.own_start;
}


static void
load_run(uint64_t until)
{
    uint64_t  now;

    for ( ;; ) {
        now = load_now();

        if (now >= until) {
            return;
        }

        load_turn(until - now);
    }
}


/* Waits for "timeout" at most, and not at all if there is more to do. */

static void
load_turn(uint64_t timeout)
{
    int                  i, n;
    uint32_t             k;
    uint64_t             now, due;
    load_conn_t         *c, *pending;
    load_stream_t       *s;
    struct timespec      ts;
    struct epoll_event   events[LOAD_EVENTS];

    now = load_now();

    for (k = 0; k < load_nstreams; k++) {
        s = &load_streams[k];

        if (s->running && s->rate != 0) {
            due = load_due(s, now);
            timeout = due < timeout ? due : timeout;
        }
    }

    if (load_pending || load_spin) {
        timeout = 0;
    }

    ts.tv_sec = timeout / 1000000000;
    ts.tv_nsec = timeout % 1000000000;

    n = epoll_pwait2(load_epoll, events, LOAD_EVENTS, &ts, NULL);

    for (i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (events[i].events & ~EPOLLOUT) {
            load_read(c);
        }

        if ((events[i].events & EPOLLOUT) && !c->pending) {
            load_push(c);
        }
    }

    pending = load_pending;
    load_pending = NULL;

    while (pending) {
        c = pending;
        pending = c->next;
        c->pending = 0;

        load_push(c);
    }

    if (n > 0) {
        load_progress = now;

    } else if (now - load_progress > LOAD_STUCK) {
        load_die("there is no answer");
    }
}


/* Sends what is due; returns the time until something will be. */

static uint64_t
load_due(load_stream_t *s, uint64_t now)
{
    uint64_t      at;
    load_conn_t  *c;

    for ( ;; ) {
        at = s->count.start + (uint64_t) (s->due * s->interval);

        if (at > now) {
            return at - now;
        }

        c = load_next_idle(s);

        if (c == NULL) {
            return UINT64_MAX;
        }

        s->due++;

        load_send_next(c, at);
    }
}


static void
load_idle(load_conn_t *c)
{
    load_stream_t  *s;

    s = c->stream;

    c->next = NULL;
    *s->idle_tail = c;
    s->idle_tail = &c->next;
}


static load_conn_t *
load_next_idle(load_stream_t *s)
{
    load_conn_t  *c;

    c = s->idle;

    if (c) {
        s->idle = c->next;

        if (s->idle == NULL) {
            s->idle_tail = &s->idle;
        }
    }

    return c;
}


static void
load_send_next(load_conn_t *c, uint64_t due)
{
    load_stream_t  *s;

    s = c->stream;

    if (s->players) {
        load_make(c);
        c->request = &c->own;

    } else {
        c->request = &s->requests[s->next];
    }

    s->next++;
    c->due = due;
    c->phase = load_phase;
    c->sent = 0;
    c->len = 0;
    c->head = 0;
    c->at = 0;
    c->length = 0;

    s->active++;

    if (s->next == s->nrequests) {
        s->next = 0;

        if (s->once) {
            s->running = 0;
        }
    }

    load_push(c);
}


/* Writes the next players, and what else changes, into the request. */

static void
load_make(load_conn_t *c)
{
    char            *p;
    uint32_t         i;
    load_form_t     *form;
    load_stream_t   *s;
    load_request_t  *r;

    static uint32_t  random = 1;

    s = c->stream;
    form = &s->form;
    r = &c->own;

    if (r->text == NULL) {
        r->len = strlen(form->head) + s->lines * form->len;
        r->lines = s->lines;
        r->text = load_alloc(NULL, r->len + 1, 1);
        c->random = load_alloc(NULL, s->lines, 1);

        p = stpcpy(r->text, form->head);

        for (i = 0; i < s->lines; i++) {
            p = stpcpy(p, form->line);
        }
    }

    p = r->text + strlen(form->head);
    c->serial = s->serial;

    for (i = 0; i < s->lines; i++) {
        if (form->player) {
            load_digits(p + form->player, load_player(s, s->serial),
                        LOAD_PLAYER);
        }

        if (form->reward) {
            load_digits(p + form->reward,
                        LOAD_FIRST + s->serial / s->players % s->rewards,
                        LOAD_REWARD);
        }

        if (form->random) {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;

            c->random[i] = random % 100;
            load_digits(p + form->random, c->random[i], 2);
        }

        if (form->score) {
            load_digits(p + form->score, load_score(s->serial), LOAD_SCORE);
        }

        s->serial++;
        p += form->len;
    }
}


static uint32_t
load_player(load_stream_t *s, uint64_t serial)
{
    if (s->kind < LOAD_SCORE_POST) {
        return serial % s->players;
    }

    return serial % s->players * LOAD_STRIDE % s->players;
}


/* Others in each run: what a board has already is no improvement. */

static uint32_t
load_score(uint64_t serial)
{
    static uint64_t  salt;

    if (salt == 0) {
        salt = load_now();
    }

    serial = (serial + salt) * 0x9e3779b97f4a7c15;

    return LOAD_SCORES / 9 + (serial >> 32) % LOAD_SCORES;
}


static void
load_digits(char *p, uint32_t n, int digits)
{
    while (digits--) {
        p[digits] = '0' + n % 10;
        n /= 10;
    }
}


static void
load_push(load_conn_t *c)
{
    size_t   rest;
    ssize_t  n;

    if (c->request == NULL || c->sent == c->request->len) {
        return;
    }

    rest = c->request->len - c->sent;

    n = send(c->fd, c->request->text + c->sent,
             rest < LOAD_SEND ? rest : LOAD_SEND, MSG_NOSIGNAL);

    if (n == -1) {
        if (errno != EAGAIN) {
            load_die("send() to %s: %s", c->stream->to, strerror(errno));
        }

        return;
    }

    c->sent += n;

    if ((size_t) n < rest) {
        c->pending = 1;
        c->next = load_pending;
        load_pending = c;
    }
}


static void
load_read(load_conn_t *c)
{
    int      whole;
    size_t   room;
    ssize_t  n;

    for ( ;; ) {
        if (c->size - c->len < LOAD_BUFFER) {
            c->size = 2 * c->size + LOAD_BUFFER;
            c->buf = load_alloc(c->buf, c->size, 1);
        }

        room = c->size - c->len - 1;
        n = recv(c->fd, c->buf + c->len, room, 0);

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        if (n <= 0) {
            load_die("%s has closed a connection%s%s", c->stream->to,
                     n ? ": " : "", n ? strerror(errno) : "");
        }

        if (c->request == NULL) {
            load_die("%s answers what was not asked", c->stream->to);
        }

        c->len += n;
        c->buf[c->len] = '\0';

        switch (c->stream->kind) {

        case LOAD_REDIS:
            whole = load_whole_redis(c);
            break;

        case LOAD_REDISTAP:
            whole = load_whole_replies(c, 4);
            break;

        case LOAD_ZADD:
        case LOAD_ZREVRANK:
            whole = load_whole_replies(c, 1);
            break;

        case LOAD_ZREVRANGE:
            whole = load_whole_replies(c, 1 + 2 * LOAD_TOP);
            break;

        default:
            whole = load_whole_http(c);
        }

        if (whole) {
            load_answered(c);
            return;
        }

        if ((size_t) n < room) {
            return;
        }
    }
}


static void
load_answered(load_conn_t *c)
{
    uint64_t        now;
    load_stream_t  *s;

    s = c->stream;

    if (c->sent != c->request->len) {
        load_die("%s answers before it has the request: %s", s->to, c->buf);
    }

    load_check_answer(c);

    c->answers++;
    s->count.requests++;
    s->count.lines += c->request->lines;
    s->count.bytes += c->len;

    if (s->rate != 0) {
        now = load_now();
        trove_histogram_record(&s->took[c->phase], now - c->due);

        load_waited(now);
        load_answer_at = now;
    }

    c->request = NULL;
    s->active--;

    if (s->running && s->rate == 0) {
        load_send_next(c, 0);
        return;
    }

    load_idle(c);
}


/* No answer has come until now. */

static void
load_waited(uint64_t now)
{
    if (now - load_answer_at > load_gap) {
        load_gap = now - load_answer_at;
    }
}


/* Whether the answer has come to its end. */

static int
load_whole_http(load_conn_t *c)
{
    char  *p;

    if (c->head == 0) {
        p = strstr(c->buf, "\r\n\r\n");

        if (p == NULL) {
            return 0;
        }

        c->head = p + 4 - c->buf;
        c->at = c->head;
        c->length = 0;

        p = memmem(c->buf, c->head, "Content-Length: ", 16);
        c->chunked = (p == NULL);

        if (p) {
            c->length = strtoul(p + 16, NULL, 10);
        }
    }

    return c->chunked ? load_whole_chunks(c)
                      : c->len >= c->head + c->length;
}


/* Moves the chunks that are there together, behind the header. */

static int
load_whole_chunks(load_conn_t *c)
{
    char    *p;
    size_t   size;

    for ( ;; ) {
        p = memmem(c->buf + c->at, c->len - c->at, "\r\n", 2);

        if (p == NULL) {
            return 0;
        }

        p += 2;
        size = strtoul(c->buf + c->at, NULL, 16);

        if (p + size + 2 > c->buf + c->len) {
            return 0;
        }

        memmove(c->buf + c->head + c->length, p, size);

        c->length += size;
        c->at = p + size + 2 - c->buf;

        if (size == 0) {
            return 1;
        }
    }
}


static int
load_whole_redis(load_conn_t *c)
{
    long   n, size;
    char  *p, *end;

    end = c->buf + c->len;
    p = memmem(c->buf, c->len, "\r\n", 2);

    if (p == NULL) {
        return 0;
    }

    p += 2;
    n = c->buf[0] == '*' ? strtol(c->buf + 1, NULL, 10) : 0;

    while (n-- > 0) {
        size = strtol(p + (p < end), &p, 10);

        if (p + 2 + size + 2 > end) {
            return 0;
        }

        p += 2 + size + 2;
    }

    return 1;
}


/* Each is of so many lines; an array of three integers has four. */

static int
load_whole_replies(load_conn_t *c, uint32_t lines)
{
    char  *p;

    while ((p = memchr(c->buf + c->at, '\n', c->len - c->at)) != NULL) {

        if (c->buf[c->at] == '-') {
            load_die("%s answers: %s", c->stream->to, c->buf + c->at);
        }

        c->at = p + 1 - c->buf;
        c->length++;
    }

    return c->length == (size_t) lines * c->request->lines;
}


static void
load_check_answer(load_conn_t *c)
{
    int              ok;
    char            *p, *end;
    load_kind_t      kind;
    load_request_t  *r;

    r = c->request;
    kind = c->stream->kind;

    if (kind == LOAD_REDIS) {
        c->stream->count.other += !load_check_redis(r->polls, c->buf,
                                                    c->buf + c->len);
        return;
    }

    p = c->buf + c->head;
    end = p + c->length;

    ok = c->len > 12 && memcmp(c->buf + 8, " 200", 4) == 0;

    if (c->stream->status) {
        ok = c->len > 12 && atoi(c->buf + 9) == c->stream->status;

    } else if (c->stream->same) {
        /* void */

    } else if (kind == LOAD_ANY) {
        ok = c->len > 12 && c->buf[9] != '5';

    } else if (kind == LOAD_GET) {
        ok = ok && load_check_poll(r->polls, p, end);

    } else if (kind == LOAD_BATCH) {
        ok = ok && load_check_batch(r, p, end);

    } else if (kind == LOAD_POST) {
        ok = ok && load_check_post(r, p);

    } else if (kind == LOAD_CLAIM) {
        ok = ok && load_check_claims(c, p, end);

    } else if (kind == LOAD_TAP) {
        ok = ok && load_check_taps(c, p, end);

    } else if (kind == LOAD_SCORE_POST) {
        ok = ok && load_check_scores(c, p, end);

    } else if (kind == LOAD_RANK) {
        ok = ok && load_check_rank(c, p, end);

    } else if (kind == LOAD_ZADD) {
        ok = load_check_zadds(c);

    } else if (kind == LOAD_ZREVRANK) {
        ok = load_check_zrevranks(c);

    } else if (kind == LOAD_ZREVRANGE) {
        ok = load_check_zrevranges(c);

    } else {
        ok = load_check_taps(c, c->buf, c->buf + c->len);
    }

    if (!ok) {
        load_wrong(c);
    }
}


static void
load_wrong(load_conn_t *c)
{
    load_request_t  *r;

    static int  shown;

    r = c->request;
    c->stream->count.wrong++;

    if (shown++ < LOAD_SHOWN) {
        fflush(stdout);
        fprintf(stderr, "load: wrong answer of %s to:\n%.300s\nwhich is:\n"
                "%.600s\nand should be: %s\n", c->stream->to, r->text,
                c->buf, r->polls ? r->polls->answer[0].text : "a success");
    }

    if (!load_soaking) {
        exit(1);
    }
}


/*
 * A version from before the load must show what was before it, one from after
 * it all of it, one between as much as is between.
 */

static int
load_check_poll(load_poll_t *poll, const char *p, const char *end)
{
    char           *text;
    uint64_t        version, found;
    load_answer_t  *a;

    static const char  begin[] = "{\"version\":";

    if ((size_t) (end - p) < sizeof(begin)
        || memcmp(p, begin, sizeof(begin) - 1) != 0)
    {
        return 0;
    }

    version = strtoull(p + sizeof(begin) - 1, &text, 10);

    if (version > load_seen) {
        load_seen = version;
    }

    if (version > load_before && version < load_after) {
        found = strtoull(text + strcspn(text, "0123456789"), NULL, 10);

        return found >= poll->answer[0].found
               && found <= poll->answer[1].found;
    }

    a = &poll->answer[version > load_before];

    return (size_t) (end - text) == a->len
           && memcmp(text, a->text, a->len) == 0;
}


static int
load_check_batch(load_request_t *r, const char *p, const char *end)
{
    uint32_t     i;
    const char  *next;

    for (i = 0; i < r->lines; i++) {
        next = memchr(p, '\n', end - p);

        if (next == NULL || !load_check_poll(&r->polls[i], p, next)) {
            return 0;
        }

        p = next + 1;
    }

    return p == end;
}


static int
load_check_redis(load_poll_t *poll, const char *p, const char *end)
{
    size_t       len;
    const char  *id;

    id = poll->ids[0];

    if (id[0] == '-') {
        id = "";
    }

    p = memchr(p, '\n', end - p);

    while (p + 1 < end && *id) {
        p = memchr(p + 1, '\n', end - p - 1);
        len = strcspn(id, ",");

        if (strncmp(p + 1, id, len) != 0 || p[1 + len] != '\r') {
            return 0;
        }

        id += len + (id[len] == ',');
        p += 1 + len + 1;
    }

    return p + 1 == end && *id == '\0';
}


static int
load_check_post(load_request_t *r, const char *p)
{
    int                 n;
    unsigned            accepted;
    unsigned long long  version;

    n = sscanf(p, "{\"accepted\":%u,\"rejected\":0,\"version\":%llu",
               &accepted, &version);

    if (n == 1) {
        n = sscanf(p, "{\"accepted\":%u,\"queued\":0,\"rejected\":0,"
                   "\"version\":%llu", &accepted, &version);
    }

    if (n != 2 || accepted != r->lines) {
        return 0;
    }

    load_after = version;

    return 1;
}


static int
load_check_claims(load_conn_t *c, const char *p, const char *end)
{
    uint32_t     i;
    const char  *next;

    for (i = 0; i < c->request->lines; i++) {
        next = memchr(p, '\n', end - p);
        next = next ? next : end;

        if (!load_check_claim(c, c->serial + i, p, next - p)) {
            return 0;
        }

        p = next + (next < end);
    }

    return p == end;
}


/*
 * The nth reward is worth n, and is the player's nth: whether it was granted
 * now or before, the balance is that after n of them.
 */

static int
load_check_claim(load_conn_t *c, uint64_t serial, const char *p, size_t len)
{
    int             n, repeat;
    char            text[LOAD_LINE];
    uint64_t        turn, nth;
    load_stream_t  *s;

    static const char  again[] = ",\"repeat\":true}";
    static const char  gone[] = "{\"error\":\"the reward's stock is gone\",";

    s = c->stream;

    if (s->gone && len > sizeof(gone) && memcmp(p, gone, sizeof(gone) - 1) == 0)
    {
        s->count.other++;
        return 1;
    }

    turn = serial / s->players;
    nth = turn % s->rewards + 1;

    n = snprintf(text, sizeof(text), "{\"reward\":%llu,\"value\":%llu,"
                 "\"balance\":%llu",
                 (unsigned long long) (LOAD_FIRST + nth - 1),
                 (unsigned long long) nth,
                 (unsigned long long) (nth * (nth + 1) / 2));

    if (len < (size_t) n || memcmp(p, text, n) != 0) {
        return 0;
    }

    p += n;
    len -= n;

    repeat = (len == sizeof(again) - 1 && memcmp(p, again, len) == 0);

    if (!repeat && (len != 1 || *p != '}')) {
        return 0;
    }

    s->count.repeats += repeat;

    return !s->fresh || repeat == (turn >= s->rewards);
}


static int
load_check_taps(load_conn_t *c, const char *p, const char *end)
{
    char        *reply;
    uint32_t     i;
    const char  *next;

    reply = c->buf;

    for (i = 0; i < c->request->lines; i++) {

        if (c->stream->kind == LOAD_REDISTAP) {
            if (!load_check_redistap(c, i, &reply)) {
                return 0;
            }

            p = reply;
            continue;
        }

        next = memchr(p, '\n', end - p);
        next = next ? next : end;

        if (!load_check_tap(c, i, p, next)) {
            return 0;
        }

        p = next + (next < end);
    }

    return p == end;
}


static int
load_check_tap(load_conn_t *c, uint32_t line, const char *p, const char *end)
{
    int       value;
    char     *text;
    size_t    len;
    int64_t   balance;
    uint32_t  i;

    static const char  first[] = "{\"coin\":\"", second[] = "\",\"value\":",
                       third[] = ",\"balance\":";

    if (strncmp(p, first, sizeof(first) - 1) != 0) {
        return 0;
    }

    p += sizeof(first) - 1;

    for (i = 0; i < LOAD_COINS; i++) {
        len = strlen(load_coins[i].name);

        if (strncmp(p, load_coins[i].name, len) == 0) {
            break;
        }
    }

    if (i == LOAD_COINS || strncmp(p + len, second, sizeof(second) - 1) != 0) {
        return 0;
    }

    value = strtol(p + len + sizeof(second) - 1, &text, 10);

    if (strncmp(text, third, sizeof(third) - 1) != 0) {
        return 0;
    }

    balance = strtoll(text + sizeof(third) - 1, &text, 10);

    return text + 1 == end && *text == '}'
           && load_drawn(c, line, i, value, balance);
}


/* The coin that the random number stands for, counted from 1. */

static int
load_check_redistap(load_conn_t *c, uint32_t line, char **p)
{
    int      coin, value, n;
    int64_t  balance;
    uint32_t i, sum;

    if (strncmp(*p, "*3\r\n:", 5) != 0) {
        return 0;
    }

    coin = strtol(*p + 5, p, 10);
    value = strtol(*p + 3, p, 10);
    balance = strtoll(*p + 3, p, 10);
    *p += 2;

    sum = 0;
    n = -1;

    for (i = 0; i < LOAD_COINS && n == -1; i++) {
        sum += load_coins[i].weight;
        n = c->random[line] < sum ? (int) i : -1;
    }

    return coin == n + 1 && load_drawn(c, line, n, value, balance);
}


/* The balance of who tapped must be what it was and the coin's value. */

static int
load_drawn(load_conn_t *c, uint32_t line, uint32_t coin, int value,
    int64_t balance)
{
    int64_t  *known, before;

    known = &c->stream->balances[(c->serial + line) % c->stream->players];
    before = *known;

    *known = balance;
    c->stream->count.coins[coin]++;

    return value == load_coins[coin].value
           && (before == INT64_MIN || balance == before + value);
}


/* The score as it was sent, and a rank that there is. */

static int
load_check_scores(load_conn_t *c, const char *p, const char *end)
{
    int             n;
    char           *text, line[LOAD_LINE];
    uint32_t        i;
    uint64_t        rank;
    load_stream_t  *s;

    s = c->stream;

    for (i = 0; i < c->request->lines; i++) {
        n = snprintf(line, sizeof(line), "{\"player\":\"%.1s%08u\","
                     "\"score\":%u,\"rank\":", s->letter,
                     load_player(s, c->serial + i), load_score(c->serial + i));

        if (strncmp(p, line, n) != 0) {
            return 0;
        }

        rank = strtoull(p + n, &text, 10);

        if (rank == 0 || rank > s->players
            || strncmp(text, ",\"improved\":true", 16) != 0)
        {
            return 0;
        }

        p = memchr(text, '}', end - text);

        if (p == NULL) {
            return 0;
        }

        p++;
        p += (p < end && *p == '\n');
    }

    return p == end;
}


static int
load_check_rank(load_conn_t *c, const char *p, const char *end)
{
    char            line[LOAD_LINE];
    const char     *at;
    load_stream_t  *s;

    s = c->stream;

    (void) snprintf(line, sizeof(line), "\"player\":\"%.1s%08u\",\"score\":",
                    s->letter, load_player(s, c->serial));

    at = memmem(p, end - p, "\"list\":[{\"rank\":", 16);

    return at != NULL
           && strtoull(at + 16, NULL, 10) - 1 < s->players
           && memmem(at, end - at, line, strlen(line)) != NULL;
}


/* 1 of a member that is new, else 0 */

static int
load_check_zadds(load_conn_t *c)
{
    uint32_t  i;

    for (i = 0; i < c->request->lines; i++) {

        if (c->buf[4 * i] != ':' || (c->buf[4 * i + 1] & ~1) != '0') {
            return 0;
        }
    }

    return c->len == 4 * (size_t) c->request->lines;
}


/* Of each a rank that there is. */

static int
load_check_zrevranks(load_conn_t *c)
{
    char      *p;
    uint32_t   i;

    p = c->buf;

    for (i = 0; i < c->request->lines; i++) {

        if (*p != ':' || strtoull(p + 1, &p, 10) >= c->stream->players) {
            return 0;
        }

        p += 2;
    }

    return p == c->buf + c->len;
}


/* Each has as many members as are asked for, of nine bytes. */

static int
load_check_zrevranges(load_conn_t *c)
{
    char      head[LOAD_LINE];
    size_t    len, size;
    uint32_t  i;

    len = snprintf(head, sizeof(head), "*%u\r\n$9\r\n%.1s", LOAD_TOP,
                   c->stream->letter);
    size = len - 5 + LOAD_TOP * 15;

    for (i = 0; i < c->request->lines; i++) {

        if (memcmp(c->buf + i * size, head, len) != 0) {
            return 0;
        }
    }

    return c->len == size * c->request->lines;
}


static void
load_stream(char *text)
{
    char           *name, *value;
    load_stream_t  *s;

    if (load_nstreams == LOAD_STREAMS) {
        load_die("too many streams");
    }

    s = &load_streams[load_nstreams++];

    s->name = "-";
    s->path = "/poll";
    s->letter = "p";
    s->nconns = 1;

    while ((name = strsep(&text, ",")) != NULL) {
        value = strchr(name, '=');

        if (value == NULL) {
            load_die("what is \"%s\"?", name);
        }

        *value++ = '\0';
        load_setting(s, name, value);
    }

    if (s->to == NULL || (s->file == NULL && s->players == 0)) {
        load_die("a stream needs to=, and file= or players=");
    }

    s->took = calloc(LOAD_PHASES, sizeof(trove_histogram_t));

    if (s->took == NULL) {
        load_die("no memory");
    }

    switch (s->kind) {

    case LOAD_POST:
        load_post_requests(s);
        break;

    case LOAD_ANY:
        load_any_requests(s);
        break;

    case LOAD_CLAIM:
    case LOAD_TAP:
    case LOAD_REDISTAP:
    case LOAD_SCORE_POST:
    case LOAD_ZADD:
    case LOAD_RANK:
    case LOAD_ZREVRANK:
    case LOAD_ZREVRANGE:
        load_form(s);
        break;

    default:
        load_polls(s);
    }

    if (s->nrequests == 0) {
        load_die("%s holds no request", s->name);
    }
}


static void
load_setting(load_stream_t *s, char *name, char *value)
{
    int  i;

    if (strcmp(name, "name") == 0) {
        s->name = value;

    } else if (strcmp(name, "to") == 0) {
        s->to = value;

    } else if (strcmp(name, "path") == 0) {
        s->path = value;

    } else if (strcmp(name, "file") == 0) {
        s->file = value;

    } else if (strcmp(name, "sha") == 0) {
        s->sha = value;

    } else if (strcmp(name, "letter") == 0) {
        s->letter = value;

    } else if (strcmp(name, "same") == 0) {
        s->same = atoi(value);

    } else if (strcmp(name, "status") == 0) {
        s->status = atoi(value);

    } else if (strcmp(name, "gone") == 0) {
        s->gone = atoi(value);

    } else if (strcmp(name, "fresh") == 0) {
        s->fresh = atoi(value);

    } else if (strcmp(name, "players") == 0) {
        s->players = atoi(value);

    } else if (strcmp(name, "rewards") == 0) {
        s->rewards = atoi(value);

    } else if (strcmp(name, "lines") == 0) {
        s->lines = atoi(value);

    } else if (strcmp(name, "connections") == 0) {
        s->nconns = atoi(value);

    } else if (strcmp(name, "sources") == 0) {
        s->sources = atoi(value);

    } else if (strcmp(name, "rate") == 0) {
        s->rate = strtod(value, NULL);
        s->interval = 1e9 / s->rate;

    } else if (strcmp(name, "pid") == 0) {
        s->pid = atoi(value);

    } else if (strcmp(name, "kind") == 0) {

        for (i = 0; strcmp(load_kinds[i], value) != 0; i++) {
            if (load_kinds[i + 1] == NULL) {
                load_die("what kind is \"%s\"?", value);
            }
        }

        s->kind = i;

    } else {
        load_die("what is \"%s\"?", name);
    }
}


static void
load_polls(load_stream_t *s)
{
    int           i;
    char         *p, *line, *found;
    size_t        n, size;
    load_poll_t  *polls, *poll;

    p = load_file(s->file, &size);
    polls = NULL;
    n = 0;

    while ((line = strsep(&p, "\n")) != NULL && *line) {

        if ((n & (n - 1)) == 0) {
            polls = load_alloc(polls, 2 * n + 1, sizeof(load_poll_t));
        }

        poll = &polls[n++];

        poll->x = strsep(&line, " ");
        poll->y = strsep(&line, " ");
        poll->r = strsep(&line, " ");

        for (i = 0; i < 2; i++) {
            found = strsep(&line, " ");
            poll->ids[i] = strsep(&line, " ");

            if (poll->ids[i] == NULL) {
                load_die("%s: line %zu is short", s->file, n);
            }

            load_answer(&poll->answer[i], found, poll->ids[i]);
        }
    }

    if (s->kind == LOAD_BATCH) {
        load_batch_requests(s, polls, n);
        return;
    }

    load_poll_requests(s, polls, n);
}


static void
load_answer(load_answer_t *a, char *found, char *ids)
{
    a->found = strtoull(found, NULL, 10);
    a->len = load_format(&a->text, ",\"found\":%s,\"rewards\":[%s]}", found,
                         ids[0] == '-' ? "" : ids);
}


static void
load_poll_requests(load_stream_t *s, load_poll_t *polls, size_t n)
{
    size_t           i;
    load_request_t  *r;

    for (i = 0; i < n; i++) {

        if (s->kind == LOAD_REDIS) {

            /* it knows no places nearer to the poles */

            if (fabs(strtod(polls[i].y, NULL)) > LOAD_REDIS_LATITUDE) {
                continue;
            }

            r = load_request(s);
            r->len = load_format(&r->text, "*11\r\n$9\r\nGEOSEARCH\r\n"
                                 "$6\r\nplaces\r\n$10\r\nFROMLONLAT\r\n"
                                 "$%zu\r\n%s\r\n$%zu\r\n%s\r\n"
                                 "$8\r\nBYRADIUS\r\n$%zu\r\n%s\r\n$1\r\nm\r\n"
                                 "$3\r\nASC\r\n$5\r\nCOUNT\r\n$1\r\n3\r\n",
                                 strlen(polls[i].x), polls[i].x,
                                 strlen(polls[i].y), polls[i].y,
                                 strlen(polls[i].r), polls[i].r);

        } else {
            r = load_request(s);
            r->len = load_format(&r->text, "GET %s?x=%s&y=%s&r=%s HTTP/1.1\r\n"
                                 "Host: localhost\r\n\r\n", s->path,
                                 polls[i].x, polls[i].y, polls[i].r);
        }

        r->polls = &polls[i];
        r->lines = 1;
    }
}


static void
load_batch_requests(load_stream_t *s, load_poll_t *polls, size_t n)
{
    char            *body;
    size_t           i, k, len;
    load_request_t  *r;

    body = load_alloc(NULL, s->lines, LOAD_LINE);

    for (i = 0; i + s->lines <= n; i += s->lines) {
        len = 0;

        for (k = i; k < i + s->lines; k++) {
            len += snprintf(body + len, LOAD_LINE,
                            "{\"x\":%s,\"y\":%s,\"r\":%s}\n",
                            polls[k].x, polls[k].y, polls[k].r);
        }

        r = load_request(s);
        load_post(s, r, body, len);
        r->polls = &polls[i];
        r->lines = s->lines;
    }

    free(body);
}


static void
load_post_requests(load_stream_t *s)
{
    char            *p, *end, *next;
    size_t           size;
    uint32_t         lines;
    load_request_t  *r;

    p = load_file(s->file, &size);
    end = p + size;

    while (p < end) {
        lines = 0;

        for (next = p; next < end && (s->lines == 0 || lines < s->lines);
             lines++)
        {
            next = memchr(next, '\n', end - next);
            next = next ? next + 1 : end;
        }

        r = load_request(s);
        load_post(s, r, p, next - p);
        r->lines = lines;

        p = next;
    }
}


static void
load_any_requests(load_stream_t *s)
{
    char            *p, *line;
    size_t           size;
    load_request_t  *r;

    p = load_file(s->file, &size);

    while ((line = strsep(&p, "\n")) != NULL && *line) {
        r = load_request(s);
        r->len = load_format(&r->text, "GET %s HTTP/1.1\r\n"
                             "Host: localhost\r\n\r\n", line);
        r->lines = 1;
    }
}


/* Nothing in flight may be of a player twice: there are far more of them. */

static void
load_form(load_stream_t *s)
{
    uint32_t      i;
    load_form_t  *form;

    form = &s->form;

    s->lines = s->lines ? s->lines : 1;
    s->rewards = s->rewards ? s->rewards : 1;

    if (s->players % s->lines != 0
        || s->players / s->lines < 2 * (uint64_t) s->nconns)
    {
        load_die("%s: %u players for %u lines on %u connections", s->name,
                 s->players, s->lines, s->nconns);
    }

    s->nrequests = (size_t) s->players / s->lines * s->rewards;
    s->balances = load_alloc(NULL, s->players, sizeof(int64_t));

    for (i = 0; i < s->players; i++) {
        s->balances[i] = s->fresh ? 0 : INT64_MIN;
    }

    load_form_line(s);

    form->len = strlen(form->line);

    /* all from there on are no POSTs */

    if (s->kind == LOAD_REDISTAP || s->kind >= LOAD_ZADD) {
        form->head = "";
        return;
    }

    load_format(&form->head, "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/%s\r\n"
                "Content-Length: %zu\r\n\r\n", s->path,
                s->lines > 1 ? "x-ndjson" : "json", form->len * s->lines);
}


static void
load_form_line(load_stream_t *s)
{
    const char   *end;
    load_form_t  *form;

    form = &s->form;
    end = s->lines > 1 ? "\n" : "";

    switch (s->kind) {

    case LOAD_CLAIM:
        load_format(&form->line, "{\"player\":\"%.1s%08u\","
                    "\"reward\":%07u,\"x\":0,\"y\":-85}%s", s->letter, 0, 0,
                    end);
        form->player = strcspn(form->line, "0");
        form->reward = strstr(form->line, "d\":") + 3 - form->line;
        break;

    case LOAD_TAP:
        load_format(&form->line, "{\"player\":\"%.1s%08u\"}%s", s->letter,
                    0, end);
        form->player = strcspn(form->line, "0");
        break;

    case LOAD_SCORE_POST:
        load_format(&form->line, "{\"player\":\"%.1s%08u\",\"score\":%07u,"
                    "\"data\":\"%0*u\"}%s", s->letter, 0, 0, LOAD_DATA, 0,
                    end);
        form->player = strcspn(form->line, "0");
        form->score = strstr(form->line, "e\":") + 3 - form->line;
        break;

    case LOAD_ZADD:
        load_format(&form->line, "*4\r\n$4\r\nZADD\r\n$5\r\nboard\r\n"
                    "$7\r\n%07u\r\n$9\r\n%.1s%08u\r\n", 0, s->letter, 0);
        form->score = strstr(form->line, "$7\r\n") + 4 - form->line;
        form->player = strstr(form->line, "$9\r\n") + 5 - form->line;
        break;

    case LOAD_RANK:
        load_format(&form->line, "GET %s?player=%.1s%08u HTTP/1.1\r\n"
                    "Host: localhost\r\n\r\n", s->path, s->letter, 0);
        form->player = strstr(form->line, "player=") + 8 - form->line;
        break;

    case LOAD_ZREVRANK:
        load_format(&form->line, "*3\r\n$8\r\nZREVRANK\r\n$5\r\nboard\r\n"
                    "$9\r\n%.1s%08u\r\n", s->letter, 0);
        form->player = strstr(form->line, "$9\r\n") + 5 - form->line;
        break;

    case LOAD_ZREVRANGE:
        load_format(&form->line, "*4\r\n$9\r\nZREVRANGE\r\n$5\r\nboard\r\n"
                    "$1\r\n0\r\n$2\r\n%02u\r\n", LOAD_TOP - 1);
        break;

    default:
        load_format(&form->line, "*5\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n"
                    "$1\r\n1\r\n$9\r\n%.1s%08u\r\n$2\r\n00\r\n", s->sha,
                    s->letter, 0);
        form->player = strstr(form->line, "$9\r\n") + 5 - form->line;
        form->random = strlen(form->line) - 4;
    }
}


static void
load_post(load_stream_t *s, load_request_t *r, const char *body, size_t len)
{
    int    head;
    char  *text;

    head = load_format(&text, "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                       "Content-Type: application/x-ndjson\r\n"
                       "Content-Length: %zu\r\n\r\n", s->path, len);

    r->text = load_alloc(text, head + len + 1, 1);
    r->len = head + len;

    memcpy(r->text + head, body, len);
    r->text[r->len] = '\0';
}


static load_request_t *
load_request(load_stream_t *s)
{
    size_t           n;
    load_request_t  *r;

    n = s->nrequests;

    if ((n & (n - 1)) == 0) {
        s->requests = load_alloc(s->requests, 2 * n + 1,
                                 sizeof(load_request_t));
    }

    s->nrequests++;

    r = &s->requests[n];
    r->polls = NULL;

    return r;
}


static char *
load_file(const char *name, size_t *size)
{
    FILE  *f;
    char  *text;

    f = fopen(name, "r");

    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        load_die("%s: %s", name, strerror(errno));
    }

    *size = ftell(f);
    rewind(f);

    text = load_alloc(NULL, *size + 1, 1);

    if (fread(text, 1, *size, f) != *size) {
        load_die("%s: cannot be read", name);
    }

    text[*size] = '\0';
    fclose(f);

    return text;
}


static void
load_connect(load_stream_t *s)
{
    uint32_t             i;
    load_conn_t         *c;
    struct epoll_event   event;

    s->idle_tail = &s->idle;
    s->conns = calloc(s->nconns, sizeof(load_conn_t));

    if (s->conns == NULL) {
        load_die("no memory");
    }

    for (i = 0; i < s->nconns; i++) {
        c = &s->conns[i];

        c->fd = load_socket(s, i);
        c->stream = s;
        load_idle(c);

        event.events = EPOLLIN|EPOLLOUT|EPOLLRDHUP|EPOLLET;
        event.data.ptr = c;

        if (epoll_ctl(load_epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
            load_die("epoll_ctl(): %s", strerror(errno));
        }
    }
}


/* A port is chosen by connect(), for there may be one for each address. */

static void
load_bind(int fd, uint32_t source)
{
    int                 one;
    struct sockaddr_in  in;

    memset(&in, 0, sizeof(in));
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + source);
    one = 1;

    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one))
        == -1
        || bind(fd, (struct sockaddr *) &in, sizeof(in)) == -1)
    {
        load_die("bind(): %s", strerror(errno));
    }
}


static int
load_socket(load_stream_t *s, uint32_t i)
{
    int                  fd, one, rc;
    char                *port;
    struct sockaddr_in   in;
    struct sockaddr_un   un;

    memset(&in, 0, sizeof(in));
    memset(&un, 0, sizeof(un));

    if (s->to[0] == '/') {
        un.sun_family = AF_UNIX;
        strncpy(un.sun_path, s->to, sizeof(un.sun_path) - 1);

        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        rc = connect(fd, (struct sockaddr *) &un, sizeof(un));

    } else {
        port = strchr(s->to, ':');

        if (port == NULL) {
            load_die("%s is no address", s->to);
        }

        in.sin_family = AF_INET;
        in.sin_port = htons(atoi(port + 1));
        *port = '\0';
        rc = inet_pton(AF_INET, s->to, &in.sin_addr);
        *port = ':';

        if (rc != 1) {
            load_die("%s is no address", s->to);
        }

        one = 1;
        fd = socket(AF_INET, SOCK_STREAM, 0);

        if (s->sources) {
            load_bind(fd, i % s->sources);
        }

        rc = connect(fd, (struct sockaddr *) &in, sizeof(in));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }

    if (rc == -1 || fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
        load_die("cannot connect to %s: %s", s->to, strerror(errno));
    }

    return fd;
}


/* Of all threads that there are or were, what is not the first one's. */

static load_cpu_t
load_cpu(int pid)
{
    char        name[64];
    clockid_t   clock;
    load_cpu_t  cpu;

    cpu.main = 0;
    cpu.threads = 0;

    if (pid == 0) {
        return cpu;
    }

    if (clock_getcpuclockid(pid, &clock) != 0) {
        load_die("process %d is gone", pid);
    }

    snprintf(name, sizeof(name), "/proc/%d/task/%d/schedstat", pid, pid);

    cpu.main = load_schedstat(name);
    cpu.threads = load_clock(clock) - cpu.main;

    return cpu;
}


static uint64_t
load_schedstat(const char *name)
{
    FILE                *f;
    unsigned long long   ns;

    f = fopen(name, "r");

    if (f == NULL) {
        return 0;
    }

    if (fscanf(f, "%llu", &ns) != 1) {
        ns = 0;
    }

    fclose(f);

    return ns;
}


static void
load_print(const char *what, load_stream_t *s)
{
    uint32_t       i, least;
    load_count_t  *n;

    n = &s->count;
    least = UINT32_MAX;

    for (i = 0; i < s->nconns; i++) {
        least = s->conns[i].answers < least ? s->conns[i].answers : least;
    }

    printf("%s name=%s requests=%llu lines=%llu bytes=%llu other=%llu"
           " repeats=%llu least=%u", what, s->name,
           (unsigned long long) n->requests, (unsigned long long) n->lines,
           (unsigned long long) n->bytes, (unsigned long long) n->other,
           (unsigned long long) n->repeats, least);

    for (i = 0; i < LOAD_COINS; i++) {
        printf(" %s=%llu", load_coins[i].name,
               (unsigned long long) n->coins[i]);
    }

    printf(" start=%llu ns=%llu cpu=%llu threads=%llu own=%llu\n",
           (unsigned long long) n->start,
           (unsigned long long) (n->end - n->start),
           (unsigned long long) n->cpu.main,
           (unsigned long long) n->cpu.threads,
           (unsigned long long) n->own);

    fflush(stdout);
}


static void
load_print_took(load_stream_t *s, int phase, const char *name)
{
    uint64_t  n;

    n = trove_histogram_count(&s->took[phase]);

    if (n == 0) {
        return;
    }

    printf("took name=%s phase=%s n=%llu p50=%llu p99=%llu p999=%llu"
           " max=%llu\n", s->name, name, (unsigned long long) n,
           (unsigned long long) load_took(s, phase, 500),
           (unsigned long long) load_took(s, phase, 990),
           (unsigned long long) load_took(s, phase, 999),
           (unsigned long long) load_took(s, phase, 1000));

    fflush(stdout);
}


/* What there was since the last time. */

static void
load_print_sample(load_stream_t *s, double at)
{
    printf("sample at=%.1f name=%s requests=%llu lines=%llu wrong=%llu"
           " p50=%llu p99=%llu p999=%llu max=%llu\n", at, s->name,
           (unsigned long long) s->count.requests,
           (unsigned long long) s->count.lines,
           (unsigned long long) s->count.wrong,
           (unsigned long long) load_took(s, 0, 500),
           (unsigned long long) load_took(s, 0, 990),
           (unsigned long long) load_took(s, 0, 999),
           (unsigned long long) load_took(s, 0, 1000));

    s->count.requests = 0;
    s->count.lines = 0;
    s->count.wrong = 0;

    memset(s->took, 0, sizeof(trove_histogram_t));
}


static uint64_t
load_took(load_stream_t *s, int phase, uint32_t thousandths)
{
    return trove_histogram_quantile(&s->took[phase], thousandths);
}


static uint64_t
load_now(void)
{
    return load_clock(CLOCK_MONOTONIC);
}


static uint64_t
load_own(void)
{
    return load_clock(CLOCK_PROCESS_CPUTIME_ID);
}


static uint64_t
load_clock(clockid_t id)
{
    struct timespec  ts;

    (void) clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* Text in memory of its own; its length. */

static int
load_format(char **text, const char *format, ...)
{
    int      n;
    va_list  args;

    va_start(args, format);
    n = vasprintf(text, format, args);
    va_end(args);

    if (n == -1) {
        load_die("no memory");
    }

    return n;
}


static void *
load_alloc(void *p, size_t n, size_t size)
{
    p = realloc(p, n * size + 1);

    if (p == NULL) {
        load_die("no memory");
    }

    return p;
}


static void
load_die(const char *format, ...)
{
    va_list  args;

    fflush(stdout);
    fprintf(stderr, "load: ");

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fprintf(stderr, "\n");
    exit(1);
}
