/*
 * Decimal numbers: text to double, and what both directions need.  The same
 * in every locale, correctly rounded, without allocation.
 */

#ifndef TROVE_NUMBER_H_INCLUDED
#define TROVE_NUMBER_H_INCLUDED


#include "trove.h"


#define TROVE_NUMBER_POW5    27     /* 5^27 is the largest below 2^64        */
#define TROVE_NUMBER_POW10   22     /* 10^22 is the largest exact double     */
#define TROVE_NUMBER_QUICK   18     /* digits that fit 63 bits               */


extern const uint64_t  trove_number_pow5[TROVE_NUMBER_POW5 + 1];
extern const double    trove_number_pow10[TROVE_NUMBER_POW10 + 1];


/* The slow paths of both below: any number, not negative, and m > 0. */
trove_rc_t trove_number_general(const unsigned char *p,
    const unsigned char *last, double *d);
double trove_number_divide(uint64_t m, uint32_t k);


/*
 * m / 10^k rounded to nearest, k up to TROVE_NUMBER_POW5.  Where both sides
 * are exact doubles, so is the rounding of their division.
 */

static inline double
trove_number_decimal(uint64_t m, uint32_t k)
{
    if (trove_likely(m <= (uint64_t) 1 << 53 && k <= TROVE_NUMBER_POW10)) {
        return (double) (int64_t) m / trove_number_pow10[k];
    }

    return (m == 0) ? 0 : trove_number_divide(m, k);
}


/*
 * Reads all of "p" as a number of JSON's grammar.  TROVE_OK, where a number
 * too large is infinite and one too small zero; TROVE_INVALID: not a number.
 */

static inline trove_rc_t
trove_number_parse(const unsigned char *p, size_t len, double *d)
{
    double                value;
    size_t                fraction;
    uint64_t              m;
    unsigned              negative, ch;
    const unsigned char  *start, *point, *last;

    last = p + len;
    negative = (len && *p == '-');
    start = p + negative;

    m = 0;

    for (p = start; p < last && (ch = *p - '0') < 10; p++) {
        m = m * 10 + ch;
    }

    point = p;

    if (p < last && *p == '.') {
        for (p++; p < last && (ch = *p - '0') < 10; p++) {
            m = m * 10 + ch;
        }
    }

    fraction = p - point;               /* the point included                */

    if (trove_unlikely(p < last || point == start || fraction == 1
                       || p - start > TROVE_NUMBER_QUICK
                       || (*start == '0' && point - start > 1)))
    {
        /* an exponent, many digits, or a flaw: once more from the start */

        if (trove_number_general(start, last, &value) != TROVE_OK) {
            return TROVE_INVALID;
        }

    } else if (fraction) {
        value = trove_number_decimal(m, fraction - 1);

    } else {
        value = (double) (int64_t) m;
    }

    *d = negative ? -value : value;

    return TROVE_OK;
}


#endif /* TROVE_NUMBER_H_INCLUDED */
