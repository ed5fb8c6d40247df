/*
 * Numbers: JSON's grammar and nothing else, and the same double that strtod
 * finds.
 */

#include <math.h>

#include "input.h"

#include "trove_number.h"


static double
parse(const char *text, size_t len)
{
    double  d;

    assert_int_equal(trove_number_parse(guarded(text, len), len, &d),
                     TROVE_OK);
    return d;
}


static void
check(const char *text)
{
    double  d, expected;

    d = parse(text, strlen(text));
    expected = strtod(text, NULL);

    if (memcmp(&d, &expected, sizeof(double)) != 0) {
        fail_msg("%s: %a is not %a", text, d, expected);
    }
}


static void
test_grammar(void **state)
{
    size_t  i;
    double  d;

    static const char  *good[] = {
        "0", "-0", "1", "-1", "10", "0.0", "-0.0", "0.5", "1.0", "1e5",
        "1E5", "1e+5", "1e-5", "0e0", "0E+0", "-0e-0", "1.5e3",
        "9007199254740993", "18446744073709551615", "18446744073709551616",
        "9999999999999999999", "99999999999999999999", "0.1", "1e22", "1e23",
        "123456789012345678e22", "4.9e-324", "2.2250738585072011e-308",
        "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e400",
        "2.4703282292062327e-324", "2.4703282292062328e-324", "1e-400",
        "1e99999999999999999999999", "1e-99999999999999999999999",
        "0e99999999999999999999999", "0.000000000000000000000000000001",
        "0.0000000000000000000000000000000000000000000000000000000000000001e64"
    };

    static const char  *bad[] = {
        "", "-", "+", ".", "e", "+1", "01", "-01", "00", "00.5", "1.", ".5",
        "-.5", "1.e5", "1e", "1e+", "1e-", "1.5e", "1e5.0", "1e5e5", "0x10",
        "0b1", "1f", "1L", "1_000", "1,000", "1 ", " 1", "--1", "-+1", "1-",
        "inf", "-inf", "Infinity", "nan", "NaN", "1.2.3", "1..2", "\0031",
        "1\n", "123456789012345678901.", "1234567890123456789012345x"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check(good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (trove_number_parse(guarded(bad[i], strlen(bad[i])),
                               strlen(bad[i]), &d) != TROVE_INVALID)
        {
            fail_msg("\"%s\" was taken for a number", bad[i]);
        }
    }

    assert_int_equal(trove_number_parse(guarded("1\0", 2), 2, &d),
                     TROVE_INVALID);
    assert_true(signbit(parse("-0", 2)));
    assert_true(isinf(parse("1e309", 5)));
}


/* Every prefix and single change of a number, against a naive grammar. */

static int
naive_number(const char *p)
{
    p += (*p == '-');

    if (*p == '0') {
        p++;

    } else if (*p >= '1' && *p <= '9') {
        p += strspn(p, "0123456789");

    } else {
        return 0;
    }

    if (*p == '.') {
        p++;

        if (strspn(p, "0123456789") == 0) {
            return 0;
        }

        p += strspn(p, "0123456789");
    }

    if (*p == 'e' || *p == 'E') {
        p++;
        p += (*p == '-' || *p == '+');

        if (strspn(p, "0123456789") == 0) {
            return 0;
        }

        p += strspn(p, "0123456789");
    }

    return *p == '\0';
}


static void
test_naive(void **state)
{
    int       i, len, good;
    char      text[32];
    double    d;
    uint32_t  round;

    static const char  letters[] = "0123456789001100--+..eE x";

    good = 0;

    for (round = 0; round < 200000; round++) {

        len = random_below(10);

        for (i = 0; i < len; i++) {
            text[i] = letters[random_below(sizeof(letters) - 1)];
        }

        text[len] = '\0';

        if (naive_number(text)) {
            good++;
            check(text);

        } else if (trove_number_parse(guarded(text, len), len, &d)
                   == TROVE_OK)
        {
            fail_msg("\"%s\" was taken for a number", text);
        }
    }

    assert_true(good > 1000);
}


static void
test_doubles(void **state)
{
    char      text[64];
    double    d;
    uint32_t  round;

    for (round = 0; round < 50000; round++) {
        d = random_double();

        snprintf(text, sizeof(text), "%.17g", d);
        check(text);
        assert_true(parse(text, strlen(text)) == d);

        snprintf(text, sizeof(text), "%.*g", 1 + random_below(25), d);
        check(text);
    }
}


/* Digits with the point and the exponent anywhere. */

static void
test_digits(void **state)
{
    int       i, len, point;
    char      text[128], *p;
    uint32_t  round;

    for (round = 0; round < 100000; round++) {

        p = text;
        len = 1 + random_below(random_below(2) ? 20 : 45);
        point = 1 + random_below(len);

        if (random_below(2)) {
            *p++ = '-';
        }

        for (i = 0; i < len; i++) {
            if (i == point) {
                *p++ = '.';
            }

            *p++ = '0' + random_below(10);

            if (i == 0 && p[-1] == '0' && point > 1) {
                p[-1] = '1';
            }
        }

        *p = '\0';

        if (random_below(2)) {
            sprintf(p, "e%d", (int) random_below(60) - 30);
        }

        check(text);
    }
}


/*
 * Halfway between two doubles, and just beside: there the last of hundreds of
 * digits decides.
 */

static void
test_halfway(void **state)
{
    char         text[3000];
    size_t       len;
    double       d;
    uint32_t     round;
    long double  half;

    for (round = 0; round < 3000; round++) {

        do {
            d = fabs(random_double());

        } while (d > 1e300 || (round % 2 && (d < 1e-12 || d > 1e18)));

        /* 64 bits of mantissa hold the middle exactly */

        half = ((long double) d + nextafter(d, INFINITY)) / 2;

        snprintf(text, sizeof(text), "%.1100Lf", half);
        check(text);

        len = strlen(text);
        strcpy(text + len, "1");
        check(text);

        memset(text + len, '0', 700);
        strcpy(text + len + 700, "1");
        check(text);

        snprintf(text, sizeof(text), "%.20Lg", half);
        check(text);
    }
}


static void
test_decimal(void **state)
{
    char      text[64];
    double    d;
    uint32_t  round, k;
    uint64_t  m;

    for (round = 0; round < 200000; round++) {

        m = random_bits() >> random_below(64);
        k = random_below(TROVE_NUMBER_POW5 + 1);

        snprintf(text, sizeof(text), "%llue-%u", (unsigned long long) m, k);
        d = strtod(text, NULL);

        if (trove_number_decimal(m, k) != d) {
            fail_msg("%s: %a is not %a", text, trove_number_decimal(m, k), d);
        }
    }

    /* ties: 2^53 + 1 and the like, times 10^k as far as that is exact */

    for (round = 0; round < 2000; round++) {
        m = ((random_bits() >> 11) | (uint64_t) 1 << 53) << 1 | 1;
        m <<= random_below(9);

        assert_true(trove_number_decimal(m, 0) == (double) m);
    }
}


/* Any number of digits, with exponents that make up for them. */

static void
test_long(void **state)
{
    char  *text;

    text = malloc(100001);
    memset(text, '0', 100000);
    text[100000] = '\0';

    memcpy(text, "0.", 2);
    check(text);

    text[99999] = '7';
    check(text);

    memcpy(text + 99992, "1e100000", 8);
    check(text);

    memcpy(text, "12", 2);
    memcpy(text + 99992, "0e-99990", 8);
    check(text);

    free(text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_naive),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_halfway),
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_long)
    };

    return cmocka_run_group_tests(tests, input_setup, NULL);
}
