/*
 * JSON and arguments: what they accept, what they refuse and with which words,
 * and that they take memory from nowhere but the arena.
 */

#include "input.h"

#include "trove_fields.h"
#include "trove_json.h"

#include "../fuzz/naive.h"


#define ARENA  (1 << 20)


typedef struct {
    const char  *text;
    const char  *detail;
} refused_t;


/* Of the sanitizer's runtime; NULL in a build without it. */

int __sanitizer_install_malloc_and_free_hooks(
    void (*allocated)(const volatile void *, size_t),
    void (*freed)(const volatile void *)) __attribute__((weak));


static unsigned char   memory[ARENA] trove_aligned(TROVE_BLOB_ALIGN);
static trove_arena_t   arena;
static trove_json_t   *json;
static trove_fields_t  f;
static naive_out_t     out;


static void
begin(size_t size)
{
    trove_arena_init(&arena, memory, size);
    memset(&out, 0, sizeof(naive_out_t));
    json = trove_json_open(&arena, naive_fields, NAIVE_FIELDS);
}


/* From memory that ends where the text does. */

static trove_rc_t
parse_len(const char *text, size_t len)
{
    trove_rc_t  rc;

    memset(&f, 'Z', sizeof(trove_fields_t));
    rc = trove_json_parse(json, guarded(text, len), len, &out, &f);

    assert_true(rc != TROVE_INVALID || naive_detail(&f));

    return rc;
}


static trove_rc_t
parse(const char *text)
{
    return parse_len(text, strlen(text));
}


static trove_rc_t
parse_args(const char *text)
{
    trove_rc_t  rc;

    memset(&f, 'Z', sizeof(trove_fields_t));
    rc = trove_args_parse(&arena, guarded(text, strlen(text)), strlen(text),
                          naive_fields, NAIVE_FIELDS, &out, &f);

    assert_true(rc != TROVE_INVALID || naive_detail(&f));

    return rc;
}


static void
assert_refused(trove_rc_t rc, const refused_t *r)
{
    if (rc != TROVE_INVALID || strcmp(f.detail, r->detail) != 0) {
        fail_msg("%s: %d \"%s\" instead of \"%s\"", r->text, rc, f.detail,
                 r->detail);
    }
}


static void
assert_player(const char *expected)
{
    assert_int_equal(out.player.len, strlen(expected));
    assert_memory_equal(out.player.data, expected, strlen(expected));
}


static void
test_values(void **state)
{
    begin(ARENA);

    assert_int_equal(parse("{\"x\":12.4924,\"r\":500,\"level\":-1e300,"
                           "\"limit\":3,\"value\":-7,\"detail\":true,"
                           "\"player\":\"p1\"}"), TROVE_OK);
    assert_int_equal(f.seen, 0x7f);
    assert_true(out.x == 12.4924 && out.r == 500 && out.level == -1e300);
    assert_int_equal(out.limit, 3);
    assert_int_equal(out.value, -7);
    assert_int_equal(out.detail, 1);
    assert_player("p1");

    /* what is not there stays as it was */

    assert_int_equal(parse(" \t\r\n{ \"limit\" : 64 } \n"), TROVE_OK);
    assert_int_equal(f.seen, 8);
    assert_int_equal(out.limit, 64);
    assert_true(out.x == 12.4924);

    assert_int_equal(parse("{}"), TROVE_OK);
    assert_int_equal(f.seen, 0);

    /* integers are values, not spellings */

    assert_int_equal(parse("{\"limit\":5.0,\"value\":-5e0}"), TROVE_OK);
    assert_int_equal(out.limit, 5);
    assert_int_equal(out.value, -5);
    assert_int_equal(parse("{\"limit\":0.6e1,\"value\":-0}"), TROVE_OK);
    assert_int_equal(out.limit, 6);
    assert_int_equal(out.value, 0);
    assert_int_equal(parse("{\"value\":-2147483648}"), TROVE_OK);
    assert_int_equal(out.value, INT32_MIN);
    assert_int_equal(parse("{\"value\":2147483647}"), TROVE_OK);
    assert_int_equal(out.value, INT32_MAX);
    assert_int_equal(parse("{\"seq\":9007199254740992}"), TROVE_OK);
    assert_true(out.seq == INT64_C(9007199254740992));
    assert_int_equal(parse("{\"seq\":-9007199254740992}"), TROVE_OK);
    assert_true(out.seq == INT64_C(-9007199254740992));
    assert_int_equal(parse("{\"seq\":9007199254740991.0}"), TROVE_OK);
    assert_true(out.seq == INT64_C(9007199254740991));
    assert_int_equal(parse("{\"seq\":17e3}"), TROVE_OK);
    assert_true(out.seq == 17000);

    assert_int_equal(parse("{\"detail\":0}"), TROVE_OK);
    assert_int_equal(out.detail, 0);
    assert_int_equal(parse("{\"detail\":1}"), TROVE_OK);
    assert_int_equal(out.detail, 1);
    assert_int_equal(parse("{\"detail\":false}"), TROVE_OK);
    assert_int_equal(out.detail, 0);

    assert_int_equal(parse("{\"x\":-0}"), TROVE_OK);
    assert_true(signbit(out.x));
}


static void
test_players(void **state)
{
    trove_slice_t  first;

    begin(ARENA);

    assert_int_equal(parse("{\"player\":\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\"}"),
                     TROVE_OK);
    assert_player("\xc3\xa9\xf0\x9f\x98\x80\"\\/");

    /* two of them with escapes do not share their memory */

    first = out.player;

    assert_int_equal(parse("{\"player\":\"\\u0041\"}"), TROVE_OK);
    assert_player("A");
    assert_memory_equal(first.data, "\xc3\xa9", 2);

    assert_int_equal(parse("{\"player\":\"\xc3\xa4\xe2\x82\xac\xc2\xa0\"}"),
                     TROVE_OK);
    assert_player("\xc3\xa4\xe2\x82\xac\xc2\xa0");

    /* without them it is not copied */

    assert_true(out.player.data > guard - 20 && out.player.data < guard);

    assert_int_equal(parse("{\"player\":\"1234567890123456789012345678901234"
                           "567890\"}"), TROVE_OK);
    assert_int_equal(out.player.len, 40);
}


static void
assert_data(const char *text, size_t len)
{
    assert_int_equal(out.data.len, len);
    assert_memory_equal(out.data.data, text, len);
}


/* Any text, controls and zeros too, up to as many bytes as the field takes. */

static void
test_texts(void **state)
{
    begin(ARENA);

    assert_int_equal(parse("{\"data\":\"\"}"), TROVE_OK);
    assert_int_equal(out.data.len, 0);
    assert_int_equal(f.seen, 256);

    assert_int_equal(parse("{\"data\":\"a\\u0000\\n\\ud83d\\ude00\"}"),
                     TROVE_OK);
    assert_data("a\0\n\xf0\x9f\x98\x80", 7);

    assert_int_equal(parse("{\"data\":\"123456789012345678901234567890123456"
                           "\\u00e912345678901234567890\\u00e9\"}"), TROVE_OK);
    assert_data("123456789012345678901234567890123456\xc3\xa9"
                "12345678901234567890\xc3\xa9", 60);

    assert_int_equal(parse_args("data=%00%e2%82%ac+"), TROVE_OK);
    assert_data("\0\xe2\x82\xac+", 5);
    assert_int_equal(parse_args("data="), TROVE_OK);
    assert_int_equal(out.data.len, 0);
}


/* What is no UTF-8 is found wherever it stands between other characters. */

static void
test_utf8_places(void **state)
{
    size_t                len, at;
    unsigned char         s[80];
    const unsigned char  *p;

    for (len = 1; len < 40; len++) {
        memset(s, 'a', len);
        p = guarded(s, len);
        assert_ptr_equal(trove_fields_utf8(p, p + len), p + len);

        for (at = 0; at < len; at++) {
            memset(s, 'a', len);
            s[at] = 0x80;
            p = guarded(s, len);
            assert_ptr_equal(trove_fields_utf8(p, p + len), p + at);

            s[at] = 0xc3;
            p = guarded(s, len);
            assert_ptr_equal(trove_fields_utf8(p, p + len), p + at);

            if (at + 1 < len) {
                s[at + 1] = 0xa9;
                p = guarded(s, len);
                assert_ptr_equal(trove_fields_utf8(p, p + len), p + len);
            }
        }
    }
}


static void
test_unknown(void **state)
{
    begin(ARENA);

    assert_int_equal(parse("{\"a\":1e999,\"a\":null,\"xx\":\"\\u0000\","
                           "\"\":[{\"x\":\"no\",\"x\":[]}],\"x\\u0000\":2,"
                           "\"limi\":0,\"X\":{},\"x\":7}"), TROVE_OK);
    assert_int_equal(f.seen, 1);
    assert_true(out.x == 7);

    /* names that hold or end at a zero */

    assert_int_equal(parse("{\"x\\u0000\":1,\"\\u0000\":1,\"x\":8}"), TROVE_OK);
    assert_int_equal(f.seen, 1);
    assert_true(out.x == 8);
}


static const refused_t  refused[] = {

    { "", "not a JSON object: it is empty" },
    { " \r\n\t ", "not a JSON object: it is empty" },
    { "[1]", "not a JSON object: an array" },
    { "12", "not a JSON object: it ends too early at byte 2" },
    { "12 ", "not a JSON object: it ends too early at byte 2" },
    { "\"x\"", "not a JSON object: a string" },
    { "true", "not a JSON object: a boolean" },
    { "null", "not a JSON object: null" },
    { "{", "not a JSON object: it ends too early at byte 1" },
    { "{\"x\":1", "not a JSON object: it ends too early at byte 6" },
    { "{\"x\":\"abc", "not a JSON object: it ends too early at byte 9" },
    { "{\"a\":tru", "not a JSON object: it ends too early at byte 8" },
    { "{\"x\":1}x", "not a JSON object: something follows it at byte 8" },
    { "{} {}", "not a JSON object: something follows it at byte 3" },
    { "{}\"abc", "not a JSON object: something follows it at byte 3" },
    { "{}1", "not a JSON object: something follows it at byte 3" },
    { "{}}", "not a JSON object: something follows it at byte 3" },
    { "{},", "not a JSON object: something follows it at byte 3" },
    { "{\"x\":1,}", "not a JSON object: invalid object key (must be a string)"
      " at byte 8" },
    { "{x:1}", "not a JSON object: invalid char in json text at byte 2" },
    { "{'x':1}", "not a JSON object: invalid char in json text at byte 2" },
    { "{\"x\" 1}", "x: object key and value must be separated "
      "by a colon (':') at byte 6" },
    { "{\"x\":1 \"r\":2}", "not a JSON object: after key and value, inside "
      "map, I expect ',' or '}' at byte 9" },
    { "{\"a\":[1 2]}", "not a JSON object: after array element, I expect ',' "
      "or ']' at byte 9" },
    { "{\"a\":[1,]}", "not a JSON object: unallowed token at this point in "
      "JSON text at byte 9" },
    { "{\"a\":[}", "not a JSON object: unallowed token at this point in "
      "JSON text at byte 7" },
    { "{\"x\":01}", "not a JSON object: after key and value, inside map, I "
      "expect ',' or '}' at byte 6" },
    { "{\"x\":-}", "x: malformed number, a digit is required "
      "after the minus sign at byte 6" },
    { "{\"x\":1.}", "x: malformed number, a digit is required "
      "after the decimal point at byte 7" },
    { "{\"x\":1e}", "x: malformed number, a digit is required "
      "after the exponent at byte 7" },
    { "{\"x\":+1}", "x: invalid char in json text at byte 6" },
    { "{\"x\":.5}", "x: invalid char in json text at byte 6" },
    { "{\"x\":NaN}", "x: invalid char in json text at byte 6" },
    { "{\"x\":Infinity}", "x: invalid char in json text at "
      "byte 6" },
    { "{\"x\":nan}", "x: invalid string in json text at byte "
      "6" },
    { "{\"a\":True}", "not a JSON object: invalid char in json text at byte "
      "6" },
    { "{/**/}", "not a JSON object: probable comment found in input text, "
      "comments are not enabled at byte 1" },
    { "\xef\xbb\xbf{}", "not a JSON object: invalid char in json text at byte "
      "1" },
    { "{\v}", "not a JSON object: control character at byte 2" },
    { "{}\f", "not a JSON object: control character at byte 3" },
    { "{\"a\":\"\n\"}", "not a JSON object: invalid character inside string "
      "at byte 6" },
    { "{\"a\":\"\\x\"}", "not a JSON object: inside a string, '\\' occurs "
      "before a character which it may not at byte 7" },
    { "{\"a\":\"\\u12g4\"}", "not a JSON object: invalid (non-hex) character "
      "occurs after '\\u' inside string at byte 10" },
    { "{\"a\":\"\xff\"}", "not a JSON object: invalid UTF-8 at byte 7" },
    { "{\"a\":\"\xc0\x80\"}", "not a JSON object: invalid UTF-8 at byte 7" },
    { "{\"a\":\"\xed\xa0\x80\"}", "not a JSON object: invalid UTF-8 at byte "
      "7" },
    { "{\"a\":\"\xf4\x90\x80\x80\"}", "not a JSON object: invalid UTF-8 at "
      "byte 7" },
    { "{\"a\":\"\xe2\x82\"}", "not a JSON object: invalid UTF-8 at byte 7" },
    { "{\"a\":\"\\ud800\"}", "not a JSON object: half a surrogate pair at "
      "byte 7" },
    { "{\"a\":\"\\ud800\\\\x\"}", "not a JSON object: half a surrogate pair "
      "at byte 7" },
    { "{\"a\":\"\\ud800\\\\u\"}", "not a JSON object: half a surrogate pair "
      "at byte 7" },
    { "{\"a\":\"\\ud800\\u0041\"}", "not a JSON object: half a surrogate pair "
      "at byte 7" },
    { "{\"a\":\"\\udc00\\ud800\"}", "not a JSON object: half a surrogate pair "
      "at byte 7" },
    { "{\"\\uDFFF\":1}", "not a JSON object: half a surrogate pair at byte "
      "3" },

    { "{\"x\":1,\"x\":1}", "x: given twice" },
    { "{\"x\":1,\"a\":2,\"\\u0078\":1}", "x: given twice" },
    { "{\"player\":\"a\",\"pl\\u0061yer\":\"a\"}", "player: given twice" },

    { "{\"x\":\"abc\"}", "x: must be a number from -180 to 180, not \"abc\"" },
    { "{\"x\":\"1\"}", "x: must be a number from -180 to 180, not \"1\"" },
    { "{\"x\":null}", "x: must be a number from -180 to 180, not null" },
    { "{\"x\":true}", "x: must be a number from -180 to 180, not true" },
    { "{\"x\":[1]}", "x: must be a number from -180 to 180, not an array" },
    { "{\"x\":{}}", "x: must be a number from -180 to 180, not an object" },
    { "{\"x\":181}", "x: must be a number from -180 to 180, not 181" },
    { "{\"x\":-180.00000000000003}", "x: must be a number from -180 to 180, "
      "not -180.00000000000003" },
    { "{\"x\":1e999}", "x: must be a number from -180 to 180, not 1e999" },
    { "{\"level\":-1e309}", "level: must be a finite number, not -1e309" },
    { "{\"level\":\"abc\"}", "level: must be a finite number, not \"abc\"" },
    { "{\"limit\":65}", "limit: must be an integer from 1 to 64, not 65" },
    { "{\"limit\":0}", "limit: must be an integer from 1 to 64, not 0" },
    { "{\"limit\":1.5}", "limit: must be an integer from 1 to 64, not 1.5" },
    { "{\"limit\":1e400}", "limit: must be an integer from 1 to 64, not "
      "1e400" },
    { "{\"limit\":false}", "limit: must be an integer from 1 to 64, not "
      "false" },
    { "{\"seq\":9007199254740993}", "seq: must be an integer from "
      "-9007199254740992 to 9007199254740992, not 9007199254740993" },
    { "{\"seq\":-9007199254740992.5}", "seq: must be an integer from "
      "-9007199254740992 to 9007199254740992, not -9007199254740992.5" },
    { "{\"seq\":90071992547409920e-1}", "seq: must be an integer from "
      "-9007199254740992 to 9007199254740992, not 90071992547409920e-1" },
    { "{\"seq\":1e300}", "seq: must be an integer from -9007199254740992 to "
      "9007199254740992, not 1e300" },
    { "{\"seq\":0.5}", "seq: must be an integer from -9007199254740992 to "
      "9007199254740992, not 0.5" },
    { "{\"value\":2147483648}", "value: must be an integer from -2147483648 "
      "to 2147483647, not 2147483648" },
    { "{\"detail\":2}", "detail: must be true, false, 1 or 0, not 2" },
    { "{\"detail\":\"true\"}", "detail: must be true, false, 1 or 0, not "
      "\"true\"" },
    { "{\"detail\":null}", "detail: must be true, false, 1 or 0, not null" },

    { "{\"player\":\"\"}", "player: must be 1 to 40 bytes of UTF-8 without "
      "control characters" },
    { "{\"player\":\"\\u0000\"}", "player: must be 1 to 40 bytes of UTF-8 "
      "without control characters" },
    { "{\"player\":\"a\x7f\"}", "player: must be 1 to 40 bytes of UTF-8 "
      "without control characters" },
    { "{\"player\":\"\xc2\x9f\"}", "player: must be 1 to 40 bytes of UTF-8 "
      "without control characters" },
    { "{\"player\":\"\\u0080\"}", "player: must be 1 to 40 bytes of UTF-8 "
      "without control characters" },
    { "{\"player\":\"12345678901234567890123456789012345678901\"}", "player: "
      "must be 1 to 40 bytes of UTF-8 without control characters" },
    { "{\"player\":7}", "player: must be 1 to 40 bytes of UTF-8 without "
      "control characters, not 7" },
    { "{\"data\":7}", "data: must be a string of at most 60 bytes, not 7" },
    { "{\"data\":true}", "data: must be a string of at most 60 bytes, not "
      "true" },
    { "{\"data\":\"1234567890123456789012345678901234567890123456789012345678"
      "\\u00e91\"}", "data: must be a string of at most 60 bytes, not 61" },
    { "{\"player\":null}", "player: must be 1 to 40 bytes of UTF-8 without "
      "control characters, not null" },

    /* hostile bytes are escaped, long texts cut */

    { "{\"limit\":\"\\u0000\\n\\\"\xc3\xa9\x7f\"}", "limit: must be an "
      "integer from 1 to 64, not \"\\x00\\x0a\\\"\\xc3\\xa9\\x7f\"" },
    { "{\"x\":\"1234567890123456789012345678901234567890+\"}", "x: must be a "
      "number from -180 to 180, not "
      "\"1234567890123456789012345678901234567890...\"" },
    { "{\"x\":12345678901234567890123456789012345678901}", "x: must be a "
      "number from -180 to 180, not "
      "1234567890123456789012345678901234567890..." }
};


/* Each with a parser of its own, and all by one with good objects between. */

static void
test_refused(void **state)
{
    size_t  i;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        begin(ARENA);
        assert_refused(parse(refused[i].text), &refused[i]);
    }

    begin(ARENA);

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_refused(parse(refused[i].text), &refused[i]);
        assert_refused(parse(refused[i].text), &refused[i]);
        assert_int_equal(parse("{\"x\":5,\"\\u0061\":\"\\n\"}"), TROVE_OK);
        assert_int_equal(f.seen, 1);
        assert_refused(parse(refused[i].text), &refused[i]);
        assert_int_equal(parse("{\"r\":5}"), TROVE_OK);
        assert_int_equal(f.seen, 2);
    }
}


/* A zero byte is refused anywhere, even where white space may be. */

static void
test_zeros(void **state)
{
    size_t  i;
    char    text[16];

    begin(ARENA);

    for (i = 0; i <= 10; i++) {
        memcpy(text, "{\"x\":\"ab\"}", 10);
        memmove(text + i + 1, text + i, 10 - i);
        text[i] = '\0';

        assert_int_equal(parse_len(text, 11), TROVE_INVALID);
    }
}


static const char *
nested(const char *open, const char *close, int depth)
{
    int  i;

    static char  text[400];

    strcpy(text, "{\"a\":");

    for (i = 0; i < depth; i++) {
        strcat(text, open);
    }

    strcat(text, "1");

    for (i = 0; i < depth; i++) {
        strcat(text, close);
    }

    return strcat(text, ",\"x\":1}");
}


static void
test_depth(void **state)
{
    begin(ARENA);

    assert_int_equal(parse(nested("[", "]", TROVE_JSON_DEPTH)), TROVE_OK);
    assert_int_equal(f.seen, 1);
    assert_int_equal(parse(nested("{\"x\":", "}", TROVE_JSON_DEPTH)),
                     TROVE_OK);
    assert_int_equal(f.seen, 1);

    assert_int_equal(parse(nested("[", "]", TROVE_JSON_DEPTH + 1)),
                     TROVE_INVALID);
    assert_string_equal(f.detail,
                        "not a JSON object: nested too deep at byte 38");
    assert_int_equal(parse(nested("{\"x\":", "}", TROVE_JSON_DEPTH + 1)),
                     TROVE_INVALID);
    assert_string_equal(f.detail,
                        "not a JSON object: nested too deep at byte 166");
}


static void
test_arguments(void **state)
{
    begin(ARENA);

    assert_int_equal(parse_args("x=12.4924&r=500&level=5e0&limit=3&value=-7"
                                "&detail=true&player=p1"), TROVE_OK);
    assert_int_equal(f.seen, 0x7f);
    assert_true(out.x == 12.4924 && out.r == 500 && out.level == 5);
    assert_int_equal(out.limit, 3);
    assert_int_equal(out.value, -7);
    assert_int_equal(out.detail, 1);
    assert_player("p1");

    assert_int_equal(parse_args(""), TROVE_OK);
    assert_int_equal(f.seen, 0);
    assert_int_equal(parse_args("&&=&=x&utm=100%&%zz=1&%78%=4&y&X=1&xx=2&"),
                     TROVE_OK);
    assert_int_equal(f.seen, 0);

    assert_int_equal(parse_args("%78=%31%2e5&l%69mit=%33"), TROVE_OK);
    assert_int_equal(f.seen, 9);
    assert_true(out.x == 1.5);
    assert_int_equal(out.limit, 3);

    assert_int_equal(parse_args("detail=0"), TROVE_OK);
    assert_int_equal(out.detail, 0);
    assert_int_equal(parse_args("detail=1"), TROVE_OK);
    assert_int_equal(out.detail, 1);
    assert_int_equal(parse_args("detail=false"), TROVE_OK);
    assert_int_equal(out.detail, 0);

    assert_int_equal(parse_args("player=%C3%a9%20a+b%26=c"), TROVE_OK);
    assert_player("\xc3\xa9 a+b&=c");
    assert_int_equal(parse_args("player=\xc3\xa9"), TROVE_OK);
    assert_player("\xc3\xa9");
}


static const refused_t  refused_args[] = {

    { "x=1&x=1", "x: given twice" },
    { "x=1&y=2&%78=1", "x: given twice" },
    { "x=abc", "x: must be a number from -180 to 180, not \"abc\"" },
    { "x=", "x: must be a number from -180 to 180, not \"\"" },
    { "x", "x: must be a number from -180 to 180, not \"\"" },
    { "r=1&x", "x: must be a number from -180 to 180, not \"\"" },
    { "x=+1", "x: must be a number from -180 to 180, not \"+1\"" },
    { "x=%2B1", "x: must be a number from -180 to 180, not \"+1\"" },
    { "x=1%20", "x: must be a number from -180 to 180, not \"1 \"" },
    { "x=1%00", "x: must be a number from -180 to 180, not \"1\\x00\"" },
    { "x=1=", "x: must be a number from -180 to 180, not \"1=\"" },
    { "x=0x10", "x: must be a number from -180 to 180, not \"0x10\"" },
    { "x=01", "x: must be a number from -180 to 180, not \"01\"" },
    { "x=nan", "x: must be a number from -180 to 180, not \"nan\"" },
    { "x=181", "x: must be a number from -180 to 180, not 181" },
    { "level=1e999", "level: must be a finite number, not 1e999" },
    { "limit=65", "limit: must be an integer from 1 to 64, not 65" },
    { "limit=2.5", "limit: must be an integer from 1 to 64, not 2.5" },
    { "limit=true", "limit: must be an integer from 1 to 64, not \"true\"" },
    { "detail=yes", "detail: must be true, false, 1 or 0, not \"yes\"" },
    { "detail=2", "detail: must be true, false, 1 or 0, not 2" },
    { "detail", "detail: must be true, false, 1 or 0, not \"\"" },
    { "x=%4", "x: bad percent-encoding" },
    { "x=%", "x: bad percent-encoding" },
    { "x=1%g0", "x: bad percent-encoding" },
    { "player=", "player: must be 1 to 40 bytes of UTF-8 without control "
      "characters" },
    { "player=%00", "player: must be 1 to 40 bytes of UTF-8 without control "
      "characters" },
    { "player=%ff", "player: must be 1 to 40 bytes of UTF-8 without control "
      "characters" },
    { "player=%c0%80", "player: must be 1 to 40 bytes of UTF-8 without "
      "control characters" },
    { "player=%ed%a0%80", "player: must be 1 to 40 bytes of UTF-8 without "
      "control characters" },
    { "player=%c2", "player: must be 1 to 40 bytes of UTF-8 without control "
      "characters" },
    { "player=%c2%85", "player: must be 1 to 40 bytes of UTF-8 without "
      "control characters" },
    { "player=12345678901234567890123456789012345678901", "player: must be 1 "
      "to 40 bytes of UTF-8 without control characters" },
    { "data=%ff", "data: must be UTF-8" },
    { "data=1234567890123456789012345678901234567890123456789012345678901",
      "data: must be a string of at most 60 bytes, not 61" }
};


static void
test_refused_arguments(void **state)
{
    size_t  i;

    begin(ARENA);

    for (i = 0; i < sizeof(refused_args) / sizeof(refused_args[0]); i++) {
        assert_refused(parse_args(refused_args[i].text), &refused_args[i]);
    }
}


/* Names and bounds of any length end a detail early, not the memory. */

static void
test_long_detail(void **state)
{
    char           name[300], args[310];
    double         d;
    trove_field_t  field;

    memset(name, 'n', 299);
    name[299] = '\0';

    memset(&field, 0, sizeof(trove_field_t));
    field.name = name;
    field.type = TROVE_FIELD_NUMBER;

    begin(ARENA);

    for ( /* void */ ; strlen(field.name); field.name++) {

        sprintf(args, "%s=\xff\xff\xff\xff\xff\xff", field.name);

        memset(&f, 'Z', sizeof(trove_fields_t));
        assert_int_equal(trove_args_parse(&arena, (unsigned char *) args,
                                          strlen(args), &field, 1, &d, &f),
                         TROVE_INVALID);

        if (strlen(field.name) < TROVE_JSON_DETAIL) {
            assert_true(naive_detail(&f));

        } else {
            assert_string_equal(f.detail, "");
        }
    }
}


/* Any number of bad objects takes the memory of one. */

static void
test_bounded(void **state)
{
    int     i;
    char    text[6000];
    size_t  used;

    begin(ARENA);

    strcpy(text, "{\"a\":\"");

    while (strlen(text) < 5000) {
        strcat(text, "\\n");
    }

    strcat(text, "\",\"x\":true}");
    used = 0;

    for (i = 0; i < 5000; i++) {

        assert_int_equal(parse(text), TROVE_INVALID);
        assert_int_equal(parse("{\"x\":tru"), TROVE_INVALID);
        assert_int_equal(parse("{\"x\":[]}"), TROVE_INVALID);

        if (i == 0) {
            used = trove_arena_used(&arena);
        }
    }

    assert_int_equal(trove_arena_used(&arena), used);
    assert_true(used < 16384 + 2048);
}


/* In an arena of every size: the same result, or that it was too small. */

static void
test_small(void **state)
{
    int          i, nomem;
    size_t       size;
    trove_rc_t   rc;

    static const char  *texts[] = {
        "{\"x\":1,\"player\":\"\\u0041\"}",
        "{\"a\":[[[[{\"b\":\"\\n\\n\\n\\n\"}]]]]}",
        "{\"x\":tru",
        "{\"x\":1} \"x",
        "{\"x\":null}",
        "{\"a\":\"\\q\"}"
    };

    for (i = 0; i < 6; i++) {

        nomem = 0;

        for (size = 0; size < 8000; size += 8) {

            begin(size);

            if (json == NULL) {
                nomem++;
                continue;
            }

            rc = parse(texts[i]);

            if (rc == TROVE_NOMEM) {
                nomem++;
                assert_true(arena.exhausted > 0);

            } else {
                assert_int_equal(rc, (i < 2) ? TROVE_OK : TROVE_INVALID);
            }

            assert_true(arena.pos <= memory + size);

            /* an epoch later it goes on */

            trove_arena_init(&arena, memory, ARENA);
            json = trove_json_open(&arena, naive_fields, NAIVE_FIELDS);
            assert_int_equal(parse("{\"x\":1}"), TROVE_OK);
        }

        assert_true(nomem > 0 && nomem < 999);
    }
}


/* The arena is filled up by others between the objects of a batch. */

static void
test_exhausted(void **state)
{
    int         i, ok;
    size_t      size;
    trove_rc_t  rc;

    for (i = 0; i < 2000; i++) {

        size = 512 + random_below(8192);
        begin(size);

        if (json == NULL) {
            continue;
        }

        ok = 0;

        for ( ;; ) {
            switch (random_below(4)) {

            case 0:
                rc = parse("{\"x\":}");
                break;

            case 1:
                rc = parse("{\"player\":\"\\u0041\\u0041\\u0041\"}");
                break;

            case 2:
                rc = parse("{\"a\":\"\\n\",\"x\":tru");
                break;

            default:
                rc = parse("{\"x\":1}");
            }

            if (rc == TROVE_NOMEM) {
                break;
            }

            ok++;

            if (random_below(4) == 0) {
                (void) trove_arena_alloc(&arena, random_below(200));
            }
        }

        /* it stays usable, as far as memory goes */

        rc = parse("{\"x\":1}");
        assert_true(rc == TROVE_NOMEM || rc == TROVE_OK);
    }
}


/* Random texts that are nearly right, against the plain decoder. */

static const char  *pieces[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", " ", "\n", "\v", "x", "\"x\":",
    "\"r\":", "\"limit\":", "\"player\":", "\"detail\":", "\"a\":", "1",
    "-0.5", "1e5", "1e999", "0", "64", "true", "false", "null", "\"p\"",
    "\\u0041", "\\ud83d\\ude00", "\\ud800", "\\udc00", "\\n", "\xc3\xa9",
    "\xff", "\xed\xa0\x80", "{\"x\":1}", ",\"x\":2", "\"\\u0078\":3", "\x1f"
};


static size_t
random_text(char *text, size_t size)
{
    char        *p;
    size_t       len, n, from;
    const char  *piece;

    static const char  *starts[] = {
        "{\"x\":12.4924,\"r\":500,\"level\":5,\"limit\":3}",
        "{\"player\":\"p\\u00e91\",\"a\":{\"b\":[1,\"\\n\",null]},\"x\":-1}",
        "{ \"detail\" : true , \"value\" : -5.0 }",
        "{\"a\":\"\xc3\xa9\\ud83d\\ude00\"}", "",
        "{\"seq\":9007199254740992,\"data\":\"\\u0000\xc3\xa9\"}"
    };

    strcpy(text, starts[random_below(6)]);

    for (n = random_below(4); n; n--) {

        piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
        len = strlen(text);
        from = random_below(len + 1);
        p = text + from;

        if (len + strlen(piece) + 1 > size) {
            break;
        }

        switch (random_below(3)) {

        case 0:
            memmove(p + strlen(piece), p, len - from + 1);
            memcpy(p, piece, strlen(piece));
            break;

        case 1:
            if (from < len) {
                memmove(p, p + 1, len - from);
            }

            break;

        default:
            *p = '\0';
        }
    }

    return strlen(text);
}


static void
test_naive(void **state)
{
    int             i, accepted, expected;
    char            text[300];
    size_t          len;
    uint32_t        seen;
    trove_rc_t      rc;
    naive_out_t     model;
    unsigned char   keep[NAIVE_KEEP];

    accepted = 0;

    for (i = 0; i < 100000; i++) {

        if (i % 100 == 0) {
            begin(ARENA);
        }

        len = random_text(text, sizeof(text));
        expected = naive_json((unsigned char *) text, len, &model, &seen,
                              keep);
        rc = parse_len(text, len);

        if (rc != (expected ? TROVE_OK : TROVE_INVALID)) {
            fail_msg("%s: %d, \"%s\"", text, rc, f.detail);
        }

        if (expected) {
            accepted++;
            assert_int_equal(f.seen, seen);
            assert_true(naive_same(&out, &model, seen));
        }
    }

    assert_true(accepted > 10000 && accepted < 90000);
}


/* Every beginning of every text ends at the guard page. */

static void
test_beginnings(void **state)
{
    size_t  i, len;

    begin(ARENA);

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        for (len = 0; len < strlen(refused[i].text); len++) {
            (void) parse_len(refused[i].text, len);
        }
    }

    begin(ARENA);

    for (i = 0; i < sizeof(refused_args) / sizeof(refused_args[0]); i++) {
        for (len = 0; len < strlen(refused_args[i].text); len++) {
            (void) trove_args_parse(&arena,
                                    guarded(refused_args[i].text, len), len,
                                    naive_fields, NAIVE_FIELDS, &out, &f);
        }
    }
}


/* volatile, for a compiler knows that malloc() looks at neither */

static volatile int    counting;
static volatile int    allocations;


static void
allocated(const volatile void *p, size_t size)
{
    allocations += counting;
}


static void
freed(const volatile void *p)
{
    allocations += counting;
}


/* No memory but the arena's, for good input or bad. */

static void
test_allocations(void **state)
{
    size_t  i;
    void   *volatile p;

    if (__sanitizer_install_malloc_and_free_hooks == NULL) {
        print_message("# allocations are counted under ASan only\n");
        return;
    }

    assert_true(__sanitizer_install_malloc_and_free_hooks(allocated, freed));

    /* the count itself works */

    counting = 1;
    p = malloc(1);
    counting = 0;
    free(p);
    assert_int_equal(allocations, 1);

    allocations = 0;
    counting = 1;

    begin(ARENA);

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        (void) trove_json_parse(json, (unsigned char *) refused[i].text,
                                strlen(refused[i].text), &out, &f);
    }

    (void) parse("{\"x\":12.4924,\"player\":\"\\u0041\",\"a\":{\"b\":[1]},"
                 "\"r\":123456789012345678901234567890e-28}");

    for (i = 0; i < sizeof(refused_args) / sizeof(refused_args[0]); i++) {
        (void) parse_args(refused_args[i].text);
    }

    begin(1024);
    (void) parse("{\"a\":\"\\n\"}");

    counting = 0;
    assert_int_equal(allocations, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_players),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_utf8_places),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_long_detail),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_exhausted),
        cmocka_unit_test(test_naive),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_allocations)
    };

    return cmocka_run_group_tests(tests, input_setup, NULL);
}
