/*
 * The header Accept: what it likes best, and that no bytes are read behind it.
 */

#include "unit.h"

#include "trove_accept.h"


#define TYPES  3


static const trove_accept_t  types[TYPES] = {
    { "application/json", NULL, 0 },
    { "application/openmetrics-text", "1.0.0", 0 },
    { "text/plain", "0.0.4", 1 }
};


/* In memory of just that size, of which ASan knows. */

static void
read_line(const char *s, size_t len, uint32_t *q)
{
    unsigned char  *copy;

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, s, len);

    trove_accept(copy, len, types, TYPES, q);

    free(copy);
}


static void
headers_are_understood(void **state)
{
    size_t    i;
    uint32_t  q[TYPES];

    static const struct {
        const char  *header;
        uint32_t     q[TYPES];
    } cases[] = {
        { "", { 0, 0, 0 } },
        { "*/*", { 0, 0, 0 } },
        { "application/*;q=0.9", { 0, 0, 0 } },
        { "application/json", { 1000, 0, 0 } },
        { "Application/JSON ; Q=0.25", { 250, 0, 0 } },
        { "application/json;q=0", { 0, 0, 0 } },
        { "application/json;q=1.000", { 1000, 0, 0 } },
        { "application/json;q=1.001", { 0, 0, 0 } },
        { "application/json;q=.5", { 0, 0, 0 } },
        { "application/json;q=0.5555", { 0, 0, 0 } },
        { "application/json;q=2", { 0, 0, 0 } },
        { "application/json;q=", { 0, 0, 0 } },
        { "application/json;q", { 0, 0, 0 } },
        { "application/json;", { 1000, 0, 0 } },
        { "application/jsonp, xapplication/json", { 0, 0, 0 } },
        { "application/json x, text/plain;version=0.0.4", { 0, 0, 1000 } },
        { "application/json;q=0.1,application/json;q=0.7", { 700, 0, 0 } },
        { ",, ,application/json;q=0.3,,", { 300, 0, 0 } },
        { "text/plain", { 0, 0, 0 } },
        { "text/plain;version=0.0.3", { 0, 0, 0 } },
        { "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", { 0, 0, 500 } },
        { "text/plain; charset=\"a,b;c\\\"\"; version=\"0.0.4\"",
          { 0, 0, 1000 } },
        { "text/plain;version=\"0.0.4", { 0, 0, 1000 } },
        { "application/openmetrics-text", { 0, 1000, 0 } },
        { "application/openmetrics-text;version=2.0.0", { 0, 0, 0 } },
        { "application/openmetrics-text;version=1.0.0,"
          "application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", { 0, 1000, 500 } },
        { "a\"application/json", { 0, 0, 0 } },
        { "\"application/json", { 0, 0, 0 } },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(q, 0, sizeof(q));
        read_line(cases[i].header, strlen(cases[i].header), q);

        if (memcmp(q, cases[i].q, sizeof(q)) != 0) {
            fail_msg("%s: %u %u %u", cases[i].header, q[0], q[1], q[2]);
        }
    }
}


static void
lines_add_up(void **state)
{
    uint32_t  q[TYPES] = { 0 };

    read_line("application/json;q=0.4", 22, q);
    read_line("text/plain;version=0.0.4, application/json;q=0.2", 48, q);

    assert_int_equal(q[0], 400);
    assert_int_equal(q[1], 0);
    assert_int_equal(q[2], 1000);
}


/* Any bytes: it comes to an end, and within them. */

static void
anything_is_survived(void **state)
{
    char      line[64];
    size_t    len, i, k;
    uint32_t  q[TYPES];

    static const char  bytes[] = "aq=01.;,\"\\ \t*/\x00\xff\r\n";

    for (i = 0; i < 200000; i++) {
        len = random_below(sizeof(line));

        for (k = 0; k < len; k++) {
            line[k] = bytes[random_below(sizeof(bytes) - 1)];
        }

        memset(q, 0, sizeof(q));
        read_line(line, len, q);

        assert_int_equal(q[0] + q[1] + q[2], 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(headers_are_understood),
        cmocka_unit_test(lines_add_up),
        cmocka_unit_test(anything_is_survived)
    };

    return cmocka_run_group_tests(tests, random_setup, NULL);
}
