/*
 * The writer: never beyond its buffer, and numbers that are short, valid and
 * read back.
 */

#include <float.h>
#include <locale.h>
#include <math.h>

#include "input.h"

#include "trove_number.h"
#include "trove_writer.h"


#define TEXT  2048


/* What a call writes, terminated. */

static char            text[TEXT];
static trove_writer_t  w;


static void
begin(void)
{
    trove_writer_init(&w, text, sizeof(text) - 1);
}


static const char *
end(void)
{
    assert_false(w.truncated);
    *w.pos = '\0';

    return text;
}


static const char *
write_double(double d)
{
    begin();
    trove_write_double(&w, d);

    return end();
}


static const char *
write_fixed(double d, int decimals)
{
    begin();
    trove_write_fixed(&w, d, decimals);

    return end();
}


/* Significant digits of a number's text. */

static int
digits_of(const char *p)
{
    int  n, zeros;

    n = 0;
    zeros = 0;

    for ( /* void */ ; *p && *p != 'e'; p++) {

        if (*p < '0' || *p > '9' || (n == 0 && *p == '0')) {
            continue;
        }

        n++;
        zeros = (*p == '0') ? zeros + 1 : 0;
    }

    return n - zeros;
}


/*
 * The fewest digits that read back as "d".  For each number of them the two
 * nearest decimals are tried, for the nearest may be the one too far.
 */

static int
naive_digits(double d)
{
    int        digits, i;
    char       decimal[40], *e;
    long long  m, exp;

    for (digits = 1; digits < 17; digits++) {

        snprintf(decimal, sizeof(decimal), "%.*e", digits - 1, fabs(d));

        e = strchr(decimal, 'e');
        exp = strtoll(e + 1, NULL, 10) - (digits - 1);
        *e = '\0';

        if (decimal[1] == '.') {
            memmove(decimal + 1, decimal + 2, strlen(decimal + 1));
        }

        m = strtoll(decimal, NULL, 10);

        for (i = -1; i <= 1; i++) {
            snprintf(decimal, sizeof(decimal), "%llde%lld", m + i, exp);

            if (strtod(decimal, NULL) == fabs(d)) {
                return digits;
            }
        }
    }

    return 17;
}


static void
check_double(double d, int naive)
{
    double       back, read;
    const char  *p;

    p = write_double(d);

    if (trove_number_parse((unsigned char *) p, strlen(p), &read) != TROVE_OK)
    {
        fail_msg("%a: \"%s\" is no number of JSON", d, p);
    }

    back = strtod(p, NULL);

    if (memcmp(&back, &d, sizeof(double)) != 0
        || memcmp(&read, &d, sizeof(double)) != 0)
    {
        fail_msg("%a: \"%s\" does not read back", d, p);
    }

    assert_true(strlen(p) <= 25);

    if (naive && d && digits_of(p) != naive_digits(d)) {
        fail_msg("%a: \"%s\" is not the shortest", d, p);
    }
}


static void
test_integers(void **state)
{
    int       i;
    char      expected[32];
    uint64_t  n;

    static const uint64_t  edges[] = {
        0, 1, 9, 10, 99, 100, 999, 1000, INT64_MAX, (uint64_t) INT64_MAX + 1,
        UINT64_MAX
    };

    for (i = 0; i < 20000; i++) {

        n = random_bits() >> random_below(64);

        if (i < 11) {
            n = edges[i];
        }

        begin();
        trove_write_uint(&w, n);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long) n);
        assert_string_equal(end(), expected);

        begin();
        trove_write_int(&w, (int64_t) n);
        snprintf(expected, sizeof(expected), "%lld", (long long) n);
        assert_string_equal(end(), expected);

        begin();
        trove_write_int(&w, -(int64_t) (n >> 1));
        snprintf(expected, sizeof(expected), "%lld",
                 -(long long) (n >> 1));
        assert_string_equal(end(), expected);
    }
}


static void
test_known(void **state)
{
    size_t  i;

    static const struct {
        double       d;
        const char  *expected;
    } known[] = {
        { 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1, "-1" }, { 0.5, "0.5" },
        { 12.4924, "12.4924" }, { -41.8902, "-41.8902" }, { 0.1, "0.1" },
        { 180, "180" }, { 100000, "100000" }, { 1e15, "1000000000000000" },
        { 0.3, "0.3" }, { 0.1 + 0.2, "0.30000000000000004" },
        { 1e-5, "0.00001" }, { 1.25e-6, "0.00000125" }, { 1e-7, "1e-7" },
        { 123456.789, "123456.789" }, { 9007199254740991, "9007199254740991" },
        { 9007199254740992, "9007199254740992" },
        { 18014398509481984, "18014398509481984" },
        { 1e20, "100000000000000000000" }, { 1e21, "1e21" }, { 1e22, "1e22" },
        { 1e23, "1e23" }, { -1.5e300, "-1.5e300" }, { 5e-324, "5e-324" },
        { DBL_MIN, "2.2250738585072014e-308" },
        { DBL_MAX, "1.7976931348623157e308" },
        { 0x1p-44, "5.684341886080802e-14" },
        { 2251799813685249.5, "2251799813685249.5" },
        { 0.000012345678901234567, "0.000012345678901234568" },
        { INFINITY, "null" }, { -INFINITY, "null" }, { NAN, "null" }
    };

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_string_equal(write_double(known[i].d), known[i].expected);
    }
}


static void
test_doubles(void **state)
{
    int     exp;
    double  d;

    uint32_t  round;

    for (exp = -1074; exp <= 1023; exp++) {
        check_double(ldexp(1, exp), 1);
        check_double(nextafter(ldexp(1, exp), 0), 0);
        check_double(nextafter(ldexp(-1, exp), -INFINITY), 0);
    }

    for (round = 0; round < 1500; round++) {
        check_double(random_double(), 1);
    }

    /* the size of coordinates and distances, in every bit */

    for (round = 0; round < 20000; round++) {
        d = ldexp((double) (random_bits() >> 11),
                  -53 - 20 + (int) random_below(75));
        check_double(random_below(2) ? d : -d, round % 8 == 0);
    }
}


/* A decimal of up to 15 digits comes back as it was. */

static void
test_decimals(void **state)
{
    int       k, len;
    char      expected[64];
    double    d;
    uint32_t  round;
    uint64_t  m, unit;

    for (round = 0; round < 100000; round++) {

        unit = 1;

        for (len = 1 + random_below(15); len; len--) {
            unit *= 10;
        }

        m = random_bits() % unit;
        k = random_below(15);

        for (unit = 1, len = k; len; len--) {
            unit *= 10;
        }

        len = snprintf(expected, sizeof(expected), "%llu.%0*llu",
                       (unsigned long long) (m / unit), k ? k : 1,
                       (unsigned long long) (m % unit));

        while (expected[len - 1] == '0') {
            expected[--len] = '\0';
        }

        if (expected[len - 1] == '.') {
            expected[--len] = '\0';
        }

        d = strtod(expected, NULL);

        if (d == 0 || d >= 1e-6) {
            assert_string_equal(write_double(d), expected);
        }
    }
}


/*
 * The model of trove_write_fixed(): the exact decimal expansion of the double,
 * rounded by hand.
 */

static const char *
naive_fixed(double d, int decimals)
{
    static char  exact[1500];

    char    *p, *point;
    size_t   len;

    /* room for a carry and for the sign */

    memcpy(exact, "00", 2);
    snprintf(exact + 2, sizeof(exact) - 2, "%.1080f", fabs(d));

    point = strchr(exact, '.');
    p = point + decimals + 1;

    if (*p >= '5') {
        while (*--p == '9' || *p == '.') {
            if (*p == '9') {
                *p = '0';
            }
        }

        ++*p;
    }

    point[decimals + 1] = '\0';
    len = strlen(exact);

    while (exact[len - 1] == '0') {
        exact[--len] = '\0';
    }

    if (exact[len - 1] == '.') {
        exact[--len] = '\0';
    }

    for (p = exact; *p == '0' && p[1] >= '0'; p++) {
        /* void */
    }

    if (*p == '\0') {
        return "0";
    }

    if (d < 0 && strcmp(p, "0") != 0) {
        *--p = '-';
    }

    return p;
}


static void
test_fixed(void **state)
{
    int       decimals;
    double    d;
    uint32_t  round;

    assert_string_equal(write_fixed(0, 3), "0");
    assert_string_equal(write_fixed(-0.0, 3), "0");
    assert_string_equal(write_fixed(-0.0001, 3), "0");
    assert_string_equal(write_fixed(1.5, 0), "2");
    assert_string_equal(write_fixed(2.5, 0), "3");
    assert_string_equal(write_fixed(-2.5, 0), "-3");
    assert_string_equal(write_fixed(0.125, 2), "0.13");
    assert_string_equal(write_fixed(9.9996, 3), "10");
    assert_string_equal(write_fixed(12.3456, 1), "12.3");
    assert_string_equal(write_fixed(1.005, 2), "1");
    assert_string_equal(write_fixed(1e300, 2), "1e300");
    assert_string_equal(write_fixed(5e-324, 9), "0");
    assert_string_equal(write_fixed(9007199254740991, 9), "9007199254740991");
    assert_string_equal(write_fixed(NAN, 2), "null");

    for (round = 0; round < 30000; round++) {

        decimals = random_below(10);
        d = ldexp((double) (random_bits() >> 11), -53 + 52
                  - (int) random_below(random_below(2) ? 60 : 120));

        if (random_below(4) == 0) {
            d = (random_bits() >> 44) / 64.0;
        }

        if (random_below(2)) {
            d = -d;
        }

        assert_string_equal(write_fixed(d, decimals),
                            naive_fixed(d, decimals));
    }
}


static void
test_string(void **state)
{
    int            i;
    char           expected[16];
    unsigned char  byte;

    begin();
    trove_write_string(&w, (unsigned char *) "", 0);
    assert_string_equal(end(), "\"\"");
    assert_int_equal(trove_string_size((unsigned char *) "", 0), 2);

    begin();
    trove_write_string(&w, (unsigned char *) "a\"b\\c/\b\f\n\r\t\v\0d\x7f"
                       "\xc3\xa9", 17);
    assert_string_equal(end(), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u000b\\u0000d"
                        "\x7f\xc3\xa9\"");

    for (i = 0; i < 0x20; i++) {
        byte = i;
        begin();
        trove_write_string(&w, &byte, 1);
        end();
        assert_int_equal(trove_string_size(&byte, 1), strlen(text));

        snprintf(expected, sizeof(expected), "\"\\u%04x\"", i);

        if (strchr("\b\f\n\r\t", i) == NULL || i == 0) {
            assert_string_equal(text, expected);

        } else {
            assert_int_equal(strlen(text), 4);
        }
    }
}


/* Each kind of output, into a buffer of each size that is too small or not. */

/* One byte that is escaped, or two, at each place of strings of each length. */

static void
test_places(void **state)
{
    size_t         len, at, also, size;
    char           expected[TEXT];
    unsigned char  s[80];

    for (len = 1; len < 70; len++) {

        for (at = 0; at < len; at++) {
            also = (at * 7 + len) % len;

            memset(s, 'a' + (int) len % 26, len);
            s[also] = '\\';
            s[at] = (at % 2 != 0) ? '"' : 0x1f;

            size = 0;
            expected[size++] = '"';

            for (also = 0; also < len; also++) {
                size += (size_t) sprintf(expected + size,
                                         s[also] == 0x1f ? "\\u001f"
                                         : s[also] < 'a' ? "\\%c" : "%c",
                                         s[also]);
            }

            (void) strcpy(expected + size, "\"");

            begin();
            trove_write_string(&w, guarded(s, len), len);
            assert_string_equal(end(), expected);
            assert_int_equal(trove_string_size(guarded(s, len), len),
                             size + 1);
        }

        memset(s, 0xc3, len);

        assert_int_equal(trove_string_size(guarded(s, len), len), len + 2);
    }
}


static void
write_kind(trove_writer_t *out, int kind)
{
    switch (kind) {

    case 0:
        trove_write_uint(out, UINT64_MAX);
        break;

    case 1:
        trove_write_int(out, INT64_MIN);
        break;

    case 2:
        trove_write_double(out, -0x1.fffffffffffffp-1021);
        break;

    case 3:
        trove_write_double(out, -0.000012345678901234567);
        break;

    case 4:
        trove_write_fixed(out, -4503599627370495.123, 9);
        break;

    case 5:
        trove_write_string(out, guarded("\"pl\x01yer\"\n", 9), 9);
        break;

    case 6:
        trove_write_text(out, "some text");
        break;

    case 7:
        trove_write(out, guarded("abc", 3), 3);
        break;

    default:
        trove_write_lit(out, "");
    }
}


static void
test_bounds(void **state)
{
    int              kind;
    size_t           size, len, page;
    unsigned char   *buf;
    trove_writer_t   out;

    /* the output has a guard page of its own: guarded() is used for input */

    page = getpagesize();
    buf = mmap(NULL, 2 * page, PROT_READ|PROT_WRITE,
               MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(buf, MAP_FAILED);
    assert_int_equal(mprotect(buf + page, page, PROT_NONE), 0);

    for (kind = 0; kind < 9; kind++) {

        begin();
        write_kind(&w, kind);
        len = strlen(end());

        for (size = 0; size <= len + 2; size++) {

            memset(buf, 'Z', page);
            trove_writer_init(&out, buf + page - size, size);
            write_kind(&out, kind);

            assert_int_equal(out.truncated, size < len);
            assert_int_equal(out.pos - out.start, size < len ? 0 : len);
            assert_memory_equal(out.start, text, out.pos - out.start);
            assert_int_equal(buf[page - size - 1], 'Z');

            /* what would fit comes too late */

            if (out.truncated) {
                trove_write(&out, "", 0);
                trove_write_lit(&out, "a");
                assert_int_equal(out.pos - out.start, 0);
            }
        }
    }

    munmap(buf, 2 * page);
}


/* Wherever a locale with a decimal comma is installed, it changes nothing. */

static void
test_locale(void **state)
{
    size_t  i;

    static const char  *names[] = {
        "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fa_IR.UTF-8"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (setlocale(LC_ALL, names[i])) {
            break;
        }
    }

    if (i == sizeof(names) / sizeof(names[0])) {
        print_message("# no locale with a decimal comma here\n");
        return;
    }

    begin();
    trove_write_double(&w, 1.2345e-10);
    trove_write_lit(&w, " ");
    trove_write_double(&w, 0.25);
    trove_write_lit(&w, " ");
    trove_write_fixed(&w, 12.345, 2);
    end();

    setlocale(LC_ALL, "C");

    assert_string_equal(text, "1.2345e-10 0.25 12.35");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_string),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_locale)
    };

    return cmocka_run_group_tests(tests, input_setup, NULL);
}
