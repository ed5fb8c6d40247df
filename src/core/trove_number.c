/*
 * Decimal numbers.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trove_number.h"


/*
 * No double, nor the middle between two, has more significant digits than
 * 767; what follows them counts only as zero or not.
 */

#define TROVE_NUMBER_DIGITS  768
#define TROVE_NUMBER_EXP     1000000000000


typedef struct {
    const unsigned char  *p;
    const unsigned char  *last;
    const unsigned char  *digits;       /* first digit, the point may follow */
    const unsigned char  *end;          /* behind the last one               */
    uint64_t              mantissa;     /* valid up to 19 digits             */
    size_t                ndigits;      /* leading zeros included            */
    int64_t               exp;          /* of ten, for the last digit        */
} trove_number_t;


static trove_rc_t trove_number_integer(trove_number_t *n);
static trove_rc_t trove_number_fraction(trove_number_t *n);
static trove_rc_t trove_number_exponent(trove_number_t *n);
static size_t trove_number_run(trove_number_t *n);
static double trove_number_value(const trove_number_t *n);
static double trove_number_slow(const trove_number_t *n);


const uint64_t  trove_number_pow5[TROVE_NUMBER_POW5 + 1] = {
    1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625,
    48828125, 244140625, 1220703125, 6103515625, 30517578125, 152587890625,
    762939453125, 3814697265625, 19073486328125, 95367431640625,
    476837158203125, 2384185791015625, 11920928955078125, 59604644775390625,
    298023223876953125, 1490116119384765625, 7450580596923828125
};


const double  trove_number_pow10[TROVE_NUMBER_POW10 + 1] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};


trove_rc_t
trove_number_general(const unsigned char *p, const unsigned char *last,
    double *d)
{
    trove_number_t  n;

    n.p = p;
    n.last = last;
    n.mantissa = 0;
    n.exp = 0;

    if (trove_number_integer(&n) != TROVE_OK
        || trove_number_fraction(&n) != TROVE_OK
        || trove_number_exponent(&n) != TROVE_OK
        || n.p != n.last)
    {
        return TROVE_INVALID;
    }

    *d = trove_number_value(&n);

    return TROVE_OK;
}


static trove_rc_t
trove_number_integer(trove_number_t *n)
{
    n->digits = n->p;
    n->ndigits = trove_number_run(n);
    n->end = n->p;

    if (n->ndigits == 0 || (n->ndigits > 1 && *n->digits == '0')) {
        return TROVE_INVALID;
    }

    return TROVE_OK;
}


static trove_rc_t
trove_number_fraction(trove_number_t *n)
{
    size_t  run;

    if (n->p == n->last || *n->p != '.') {
        return TROVE_OK;
    }

    n->p++;
    run = trove_number_run(n);

    n->ndigits += run;
    n->exp = -(int64_t) run;
    n->end = n->p;

    return run ? TROVE_OK : TROVE_INVALID;
}


static trove_rc_t
trove_number_exponent(trove_number_t *n)
{
    int64_t               e;
    unsigned              negative;
    const unsigned char  *start;

    if (n->p == n->last || (*n->p | 0x20) != 'e') {
        return TROVE_OK;
    }

    n->p++;
    negative = 0;

    if (n->p < n->last && (*n->p == '-' || *n->p == '+')) {
        negative = (*n->p++ == '-');
    }

    start = n->p;

    for (e = 0; n->p < n->last && *n->p >= '0' && *n->p <= '9'; n->p++) {
        if (e < TROVE_NUMBER_EXP) {
            e = e * 10 + (*n->p - '0');
        }
    }

    n->exp += negative ? -e : e;

    return (n->p > start) ? TROVE_OK : TROVE_INVALID;
}


static size_t
trove_number_run(trove_number_t *n)
{
    uint64_t              m;
    const unsigned char  *p;

    m = n->mantissa;

    for (p = n->p; p < n->last && *p >= '0' && *p <= '9'; p++) {
        m = m * 10 + (*p - '0');
    }

    n->mantissa = m;
    m = p - n->p;
    n->p = p;

    return m;
}


/*
 * Up to 2^53 and 10^22 both sides are exact, thus one division or product of
 * doubles is rounded correctly.
 */

static double
trove_number_value(const trove_number_t *n)
{
    if (trove_unlikely(n->ndigits > 19)) {
        return trove_number_slow(n);
    }

    if (n->exp <= 0 && n->exp >= -TROVE_NUMBER_POW5) {
        return trove_number_decimal(n->mantissa, -n->exp);
    }

    if (n->exp > 0 && n->exp <= TROVE_NUMBER_POW10
        && n->mantissa <= (uint64_t) 1 << 53)
    {
        return (double) n->mantissa * trove_number_pow10[n->exp];
    }

    return trove_number_slow(n);
}


/*
 * m / 10^k = (m << z << 64) / 5^k * 2^-(z + 64 + k), where the left side is
 * at least 2^127 and the divisor below 2^63: the quotient has 65 bits or
 * more, rounded to 53 by hand.  10^-27 is far from a subnormal number.
 */

double
trove_number_divide(uint64_t m, uint32_t k)
{
    int                z, bits, shift;
    double             scale;
    uint64_t           mantissa, biased;
    unsigned __int128  num, q, rest, half;

    z = __builtin_clzll(m);
    num = (unsigned __int128) (m << z) << 64;
    q = num / trove_number_pow5[k];

    bits = 128 - ((q >> 64) ? __builtin_clzll((uint64_t) (q >> 64)) : 64);
    shift = bits - 53;

    mantissa = (uint64_t) (q >> shift);
    half = (unsigned __int128) 1 << (shift - 1);
    rest = q & ((half << 1) - 1);

    if (rest == half && q * trove_number_pow5[k] == num) {
        mantissa += mantissa & 1;

    } else if (rest >= half) {
        mantissa++;
    }

    biased = 1023 + shift - z - 64 - (int) k;
    biased <<= 52;
    memcpy(&scale, &biased, sizeof(double));

    return (double) mantissa * scale;
}


/*
 * All other numbers, by strtod.  It is given digits and an exponent but no
 * point, so that no locale has a say in it.
 */

static double
trove_number_slow(const trove_number_t *n)
{
    char                  text[TROVE_NUMBER_DIGITS + 32];
    size_t                len;
    int64_t               exp;
    unsigned              rest;
    const unsigned char  *p;

    exp = n->exp;
    rest = 0;
    len = 0;

    for (p = n->digits; p < n->end; p++) {

        if (*p == '.' || (len == 0 && *p == '0')) {
            continue;
        }

        if (len < TROVE_NUMBER_DIGITS) {
            text[len++] = *p;
            continue;
        }

        rest |= (*p != '0');
        exp++;
    }

    if (len == 0) {
        return 0;
    }

    if (rest) {
        text[len++] = '1';
        exp--;
    }

    exp = (exp > 9999) ? 9999 : exp;
    exp = (exp < -9999) ? -9999 : exp;

    snprintf(text + len, sizeof(text) - len, "e%d", (int) exp);

    return strtod(text, NULL);
}
