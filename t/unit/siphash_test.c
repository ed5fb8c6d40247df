
/*
 * SipHash: the vectors of its authors, any length, any alignment.
 */

#include "unit.h"

#include "trove_siphash.h"


static const uint64_t  key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };


/* The paper's appendix A, and the first of the reference implementation. */

static void
it_is_that_of_the_paper(void **state)
{
    unsigned char  data[15], i;

    for (i = 0; i < 15; i++) {
        data[i] = i;
    }

    assert_true(trove_siphash(key, data, 15) == 0xa129ca6149be45e5);
    assert_true(trove_siphash(key, data, 0) == 0x726fdb47dd0e0e31);
    assert_true(trove_siphash(key, data, 1) == 0x74f839c593dc67fd);
    assert_true(trove_siphash(key, data, 8) == 0x93f5f5799a932462);
}


static void
every_byte_and_the_length_count(void **state)
{
    int             i;
    size_t          len;
    uint64_t        hash;
    unsigned char  *data;

    for (len = 0; len <= 40; len++) {

        /* of this size exactly: nothing behind it is read */

        data = calloc(len + (len == 0), 1);
        assert_non_null(data);

        hash = trove_siphash(key, data, len);

        for (i = 0; i < (int) len * 8; i++) {
            data[i / 8] ^= 1 << i % 8;
            assert_true(trove_siphash(key, data, len) != hash);
            data[i / 8] ^= 1 << i % 8;
        }

        assert_true(len == 0 || trove_siphash(key, data, len - 1) != hash);

        free(data);
    }
}


static void
alignment_does_not_count(void **state)
{
    char    buf[64];
    size_t  i;

    for (i = 0; i < 16; i++) {
        memcpy(buf + i, "a player's id of thirty-six bytes..", 36);
        assert_true(trove_siphash(key, (unsigned char *) buf + i, 36)
                    == trove_siphash(key, (const unsigned char *)
                                     "a player's id of thirty-six bytes..",
                                     36));
    }
}


static void
the_key_counts(void **state)
{
    int       i;
    uint64_t  other[2];

    for (i = 0; i < 128; i++) {
        other[0] = key[0];
        other[1] = key[1];
        other[i / 64] ^= (uint64_t) 1 << i % 64;

        assert_true(trove_siphash(other, (const unsigned char *) "p1", 2)
                    != trove_siphash(key, (const unsigned char *) "p1", 2));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(it_is_that_of_the_paper),
        cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(alignment_does_not_count),
        cmocka_unit_test(the_key_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
