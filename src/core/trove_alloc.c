
/*
 * What the allocators tell of themselves.
 */

#include <stdio.h>
#include <string.h>

#include "trove_alloc.h"


#if defined(TROVE_ALLOC_MIMALLOC)

#define TROVE_ALLOC_REPORT  4096


/* The allocator's report as it is written, a piece at a time. */

typedef struct {
    size_t  len;
    char    text[TROVE_ALLOC_REPORT];
} trove_alloc_report_t;


static void trove_alloc_collect(const char *text, void *data);
static int trove_alloc_column(const char *line, const char *name);
static int trove_alloc_value(const char *line, int column, size_t *n);


const char *
trove_allocator_name(void)
{
    return "mimalloc";
}


void
trove_allocator_version(char *buf, size_t size)
{
    int  v;

    v = mi_version();

    /* 209 is 2.0.9; the later 20312 is 2.3.12 */

    if (v < 1000) {
        (void) snprintf(buf, size, "%d.%d.%d", v / 100, v / 10 % 10, v % 10);

    } else {
        (void) snprintf(buf, size, "%d.%d.%d", v / 10000, v / 100 % 100,
                        v % 100);
    }
}


/*
 * What is reserved stands nowhere but in the report that is meant for people:
 * a line of names of columns, and below it "reserved:" and its figures.
 */

void
trove_allocator_usage(size_t *committed, size_t *reserved)
{
    int                    column;
    size_t                 ignore;
    const char            *line;
    trove_alloc_report_t   report;

    mi_process_info(&ignore, &ignore, &ignore, &ignore, &ignore, committed,
                    &ignore, &ignore);

    *reserved = *committed;

    report.len = 0;
    report.text[0] = '\0';

    mi_stats_print_out(trove_alloc_collect, &report);

    line = strstr(report.text, "stats:");
    column = (line != NULL) ? trove_alloc_column(line + 6, "current") : -1;
    line = strstr(report.text, "reserved:");

    if (line == NULL
        || column == -1
        || trove_alloc_value(line + 9, column, reserved) != 0
        || *reserved < *committed)
    {
        *reserved = *committed;
    }
}


static void
trove_alloc_collect(const char *text, void *data)
{
    size_t                 n;
    trove_alloc_report_t  *report;

    report = data;

    n = strlen(text);

    if (n > sizeof(report->text) - 1 - report->len) {
        n = sizeof(report->text) - 1 - report->len;
    }

    memcpy(report->text + report->len, text, n);
    report->len += n;
    report->text[report->len] = '\0';
}


/* Which word of the line "name" is, from 0, or -1. */

static int
trove_alloc_column(const char *line, const char *name)
{
    int     column;
    size_t  len;

    for (column = 0; /* void */ ; column++) {
        line += strspn(line, " \t");
        len = strcspn(line, " \t\r\n");

        if (len == 0) {
            return -1;
        }

        if (len == strlen(name) && memcmp(line, name, len) == 0) {
            return column;
        }

        line += len;
    }
}


/* The figure in that column: "0", or a number and its unit. */

static int
trove_alloc_value(const char *line, int column, size_t *n)
{
    char    *end;
    double   value;

    for ( ;; ) {
        value = strtod(line, &end);

        if (end == line || value < 0) {
            return -1;
        }

        line = end + strspn(end, " ");

        switch (*line) {
        case 'K':
            value *= 1024.0;
            break;
        case 'M':
            value *= 1024.0 * 1024;
            break;
        case 'G':
            value *= 1024.0 * 1024 * 1024;
            break;
        case 'T':
            value *= 1024.0 * 1024 * 1024 * 1024;
            break;
        }

        /* a unit is all letters, also of plain bytes */

        line += strspn(line, "KMGTiBb");

        if (column-- == 0) {
            *n = (size_t) value;
            return 0;
        }
    }
}

#elif defined(TROVE_ALLOC_JEMALLOC)

const char *
trove_allocator_name(void)
{
    return "jemalloc";
}


void
trove_allocator_version(char *buf, size_t size)
{
    size_t       len;
    const char  *version;

    len = sizeof(version);

    if (mallctl("version", &version, &len, NULL, 0) != 0) {
        version = JEMALLOC_VERSION;
    }

    /* "5.3.0-0-gd1b8b4c..." */

    (void) snprintf(buf, size, "%.*s", (int) strcspn(version, "-"), version);
}


void
trove_allocator_usage(size_t *committed, size_t *reserved)
{
    size_t    len;
    uint64_t  epoch;

    *committed = 0;
    *reserved = 0;

    epoch = 1;
    len = sizeof(epoch);

    (void) mallctl("epoch", &epoch, &len, &epoch, len);

    len = sizeof(size_t);

    (void) mallctl("stats.resident", committed, &len, NULL, 0);
    (void) mallctl("stats.mapped", reserved, &len, NULL, 0);
}

#elif defined(TROVE_ALLOC_TCMALLOC)

#include <gperftools/malloc_extension_c.h>


const char *
trove_allocator_name(void)
{
    return "tcmalloc";
}


void
trove_allocator_version(char *buf, size_t size)
{
    int          major, minor;
    const char  *patch;

    (void) tc_version(&major, &minor, &patch);
    (void) snprintf(buf, size, "%d.%d%s", major, minor, patch);
}


void
trove_allocator_usage(size_t *committed, size_t *reserved)
{
    size_t  unmapped;

    *reserved = 0;
    unmapped = 0;

    (void) MallocExtension_GetNumericProperty("generic.heap_size", reserved);
    (void) MallocExtension_GetNumericProperty(
                                 "tcmalloc.pageheap_unmapped_bytes",
                                 &unmapped);

    *committed = *reserved - unmapped;
}

#else

#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#include <malloc.h>
#endif


const char *
trove_allocator_name(void)
{
    return "libc";
}


void
trove_allocator_version(char *buf, size_t size)
{
#if defined(__GLIBC__)
    (void) snprintf(buf, size, "%s", gnu_get_libc_version());
#else
    (void) snprintf(buf, size, "%s", "unknown");
#endif
}


void
trove_allocator_usage(size_t *committed, size_t *reserved)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2  info;

    info = mallinfo2();

    *reserved = info.arena + info.hblkhd;
    *committed = *reserved;
#else
    *reserved = 0;
    *committed = 0;
#endif
}

#endif
