/*
 * Decimal numbers: text to double, and what both directions need.  The same
 * in every locale, correctly rounded, without allocation.
 */

#ifndef TROVE_NUMBER_H_INCLUDED
#define TROVE_NUMBER_H_INCLUDED


#include "trove.h"


#define TROVE_NUMBER_POW5    27     /* 5^27 is the largest below 2^64        */
#define TROVE_NUMBER_POW10   22     /* 10^22 is the largest exact double     */


extern const uint64_t  trove_number_pow5[TROVE_NUMBER_POW5 + 1];
extern const double    trove_number_pow10[TROVE_NUMBER_POW10 + 1];


/*
 * Reads all of "p" as a number of JSON's grammar.  TROVE_OK, where a number
 * too large is infinite and one too small zero; TROVE_INVALID: not a number.
 */
trove_rc_t trove_number_parse(const unsigned char *p, size_t len, double *d);

/* m / 10^k rounded to nearest, k up to TROVE_NUMBER_POW5. */
double trove_number_decimal(uint64_t m, uint32_t k);


#endif /* TROVE_NUMBER_H_INCLUDED */
