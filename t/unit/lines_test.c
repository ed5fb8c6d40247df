/*
 * Lines: any division of a body into pieces gives the lines of the whole.
 */

#include "input.h"

#include "trove_lines.h"


#define BODY   200              /* longest body of the random tests          */
#define TEXT   (BODY * 8)


static void lines_print(char *text, uint64_t number, const char *kind,
    const unsigned char *p, size_t len);


/*
 * The model: what a body of which all is known looks like, a "number=line;"
 * for each line and a "number!;" for one that is too long.
 */

static void
model_run(const unsigned char *body, size_t len, size_t size, char *text)
{
    size_t    start, end, n;
    uint64_t  number;

    text[0] = '\0';
    number = 0;

    for (start = 0; start < len; start = end + 1) {

        for (end = start; end < len && body[end] != '\n'; end++) {
            /* void */
        }

        number++;
        n = end - start;

        if (n && body[end - 1] == '\r') {
            n--;
        }

        if (n > size) {
            lines_print(text, number, "!", NULL, 0);

        } else if (n) {
            lines_print(text, number, "=", body + start, n);
        }
    }
}


static void
lines_print(char *text, uint64_t number, const char *kind,
    const unsigned char *p, size_t len)
{
    size_t  used;

    used = strlen(text);

    used += snprintf(text + used, TEXT - used, "%d%s", (int) number, kind);
    assert_true(used + len + 2 < TEXT);

    if (len) {
        memcpy(text + used, p, len);
    }

    strcpy(text + used + len, ";");
}


static void
lines_feed(trove_lines_t *l, const unsigned char *p, size_t len, int final,
    char *text)
{
    trove_rc_t            rc;
    trove_slice_t         line;
    const unsigned char  *pos, *last;

    /* each piece is in memory of its own, and gone after it */

    p = pos = guarded(p, len);
    last = p + len;

    for ( ;; ) {
        rc = trove_lines_next(l, &pos, last, final, &line);

        if (rc == TROVE_AGAIN) {
            break;
        }

        if (rc == TROVE_OK) {
            lines_print(text, l->line, "=", line.data, line.len);

        } else {
            assert_int_equal(rc, TROVE_INVALID);
            lines_print(text, l->line, "!", NULL, 0);
        }
    }

    assert_ptr_equal(pos, last);
    assert_int_equal(trove_lines_next(l, &pos, last, final, &line),
                     TROVE_AGAIN);

    memset(guard - len, 'Z', len);
}


/* "cuts" are offsets in rising order, the pieces end there. */

static void
check_cut(const unsigned char *body, size_t len, size_t size,
    const size_t *cuts, size_t ncuts, const char *expected)
{
    char            text[TEXT];
    size_t          i, from;
    unsigned char  *carry;
    trove_lines_t   l;

    carry = malloc(size ? size : 1);
    trove_lines_init(&l, carry, size);

    text[0] = '\0';
    from = 0;

    for (i = 0; i < ncuts; i++) {
        lines_feed(&l, body + from, cuts[i] - from, 0, text);
        from = cuts[i];
    }

    lines_feed(&l, body + from, len - from, 1, text);

    assert_string_equal(text, expected);
    free(carry);
}


static void
check_every_cut(const char *body, size_t size)
{
    char    expected[TEXT];
    size_t  cuts[BODY], len, i, j;

    len = strlen(body);
    model_run((const unsigned char *) body, len, size, expected);

    for (i = 0; i <= len; i++) {
        for (j = i; j <= len; j++) {
            cuts[0] = i;
            cuts[1] = j;
            check_cut((const unsigned char *) body, len, size, cuts, 2,
                      expected);
        }
    }

    for (i = 0; i < len; i++) {
        cuts[i] = i;
    }

    check_cut((const unsigned char *) body, len, size, cuts, len, expected);
}


static void
test_model(void **state)
{
    char  text[TEXT];

    model_run((unsigned char *) "ab\r\n\n\r\nabcd\na\rb\r\r\nx", 19, 3, text);
    assert_string_equal(text, "1=ab;4!;5!;6=x;");
}


static void
test_split(void **state)
{
    size_t  i, size;

    static const char  *bodies[] = {
        "", "\n", "\r\n", "\r", "\r\r", "\n\n\n", "a", "a\n", "a\r\n", "a\r",
        "ab\ncd\nef", "ab\r\ncd\r\nef\r\n", "\na\n\nb\n\n", "\r\n\r\na\r\n",
        "abcdefgh\nab\nabcdefgh\n", "abcdefgh", "abc\r\rd\n\r\n\rab\n",
        "{\"x\":1}\n{\"x\":2}\r\n\r\n{\"x\":3}"
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        for (size = 0; size < 10; size++) {
            check_every_cut(bodies[i], size);
        }
    }
}


static void
test_random(void **state)
{
    char           expected[TEXT];
    size_t         cuts[BODY], len, size, ncuts, i;
    uint32_t       round;
    unsigned char  body[BODY];

    static const char  letters[] = "\n\n\r\rabc";

    for (round = 0; round < 20000; round++) {

        len = random_below(60);
        size = random_below(12);

        for (i = 0; i < len; i++) {
            body[i] = letters[random_below(7)];
        }

        model_run(body, len, size, expected);

        ncuts = 0;

        for (i = 0; i < len; i++) {
            if (random_below(4) == 0) {
                cuts[ncuts++] = i;
            }
        }

        check_cut(body, len, size, cuts, ncuts, expected);
    }
}


/* Lines that lie in a piece are not copied, whatever the carry. */

static void
test_in_place(void **state)
{
    unsigned char         carry[4];
    trove_lines_t         l;
    trove_slice_t         line;
    const unsigned char  *pos, *body;

    body = (const unsigned char *) "abcd\r\nef";
    pos = body;

    trove_lines_init(&l, carry, sizeof(carry));

    assert_int_equal(trove_lines_next(&l, &pos, body + 8, 1, &line), TROVE_OK);
    assert_ptr_equal(line.data, body);
    assert_int_equal(line.len, 4);

    assert_int_equal(trove_lines_next(&l, &pos, body + 8, 1, &line), TROVE_OK);
    assert_ptr_equal(line.data, body + 6);
    assert_int_equal(line.len, 2);
}


/* A line without end takes no more memory than the carry. */

static void
test_endless(void **state)
{
    int             i, invalid;
    unsigned char   carry[1], piece[100];
    trove_lines_t   l;
    trove_slice_t   line;
    const unsigned char  *pos;

    memset(piece, 'a', sizeof(piece));
    trove_lines_init(&l, carry, sizeof(carry));
    invalid = 0;

    for (i = 0; i < 1000; i++) {
        pos = piece;
        invalid += trove_lines_next(&l, &pos, piece + sizeof(piece), 0, &line)
                   == TROVE_INVALID;
    }

    pos = (const unsigned char *) "\nb";
    assert_int_equal(trove_lines_next(&l, &pos, pos + 2, 1, &line), TROVE_OK);
    assert_int_equal(line.len, 1);
    assert_int_equal(l.line, 2);
    assert_int_equal(invalid, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_endless)
    };

    return cmocka_run_group_tests(tests, input_setup, NULL);
}
