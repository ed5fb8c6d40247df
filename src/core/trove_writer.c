/*
 * Text into a bounded buffer.
 */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trove_number.h"
#include "trove_writer.h"


#define TROVE_WRITER_2_53    9007199254740992.0
#define TROVE_WRITER_NUMBER  48     /* room for the longest text of a double */
#define TROVE_WRITER_PLAIN   21     /* longest integer without an exponent   */


/* mantissa * 10^exp */

typedef struct {
    uint64_t  mantissa;
    int       exp;
} trove_decimal_t;


typedef unsigned char  trove_writer_bytes_t __attribute__((vector_size(16)));
typedef uint64_t       trove_writer_words_t __attribute__((vector_size(16)));


static unsigned char *trove_writer_digits(unsigned char *end, uint64_t n);
static int trove_writer_short(double d, trove_decimal_t *dec);
static int trove_writer_exact(double d, int k, trove_decimal_t *dec);
static void trove_writer_any(double d, trove_decimal_t *dec);
static int trove_writer_reads_back(double d, const trove_decimal_t *dec);
static uint64_t trove_writer_scale(double d, int k, int *up);
static void trove_writer_decimal(trove_writer_t *w, int negative,
    const trove_decimal_t *dec);
static unsigned char *trove_writer_place(unsigned char *p,
    const unsigned char *digits, int len, int point);
static unsigned char *trove_writer_exponent(unsigned char *p,
    const unsigned char *digits, int len, int point);
static const unsigned char *trove_writer_plain(const unsigned char *p,
    const unsigned char *last);
static char trove_writer_letter(unsigned char ch);
static void trove_writer_escape(trove_writer_t *w, unsigned char ch);


static const char  trove_writer_pairs[] =
    "00010203040506070809" "10111213141516171819"
    "20212223242526272829" "30313233343536373839"
    "40414243444546474849" "50515253545556575859"
    "60616263646566676869" "70717273747576777879"
    "80818283848586878889" "90919293949596979899";


static const uint32_t  trove_writer_units[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};


void
trove_writer_init(trove_writer_t *w, void *buf, size_t size)
{
    w->start = buf;
    w->pos = w->start;
    w->end = w->start + size;
    w->truncated = 0;
}


void
trove_write_text(trove_writer_t *w, const char *s)
{
    trove_write(w, s, strlen(s));
}


void
trove_write_uint(trove_writer_t *w, uint64_t n)
{
    unsigned char   buf[20], *p;

    p = trove_writer_digits(buf + sizeof(buf), n);
    trove_write(w, p, buf + sizeof(buf) - p);
}


void
trove_write_int(trove_writer_t *w, int64_t n)
{
    unsigned char   buf[20], *p;

    p = trove_writer_digits(buf + sizeof(buf),
                            (n < 0) ? -(uint64_t) n : (uint64_t) n);
    if (n < 0) {
        *--p = '-';
    }

    trove_write(w, p, buf + sizeof(buf) - p);
}


/* Writes backwards from "end", at most 20 bytes. */

static unsigned char *
trove_writer_digits(unsigned char *end, uint64_t n)
{
    unsigned char  *p;

    p = end;

    while (n >= 100) {
        p -= 2;
        memcpy(p, trove_writer_pairs + (n % 100) * 2, 2);
        n /= 100;
    }

    if (n >= 10) {
        p -= 2;
        memcpy(p, trove_writer_pairs + n * 2, 2);
        return p;
    }

    *--p = '0' + n;

    return p;
}


void
trove_write_double(trove_writer_t *w, double d)
{
    double           a;
    trove_decimal_t  dec;

    if (!isfinite(d)) {
        trove_write_lit(w, "null");
        return;
    }

    a = fabs(d);

    if (a < TROVE_WRITER_2_53 && a == (double) (uint64_t) a) {
        dec.mantissa = (uint64_t) a;
        dec.exp = 0;

    } else if (!trove_writer_short(a, &dec)) {
        trove_writer_any(a, &dec);
    }

    trove_writer_decimal(w, signbit(d), &dec);
}


/*
 * The ordinary case: a fraction of up to 17 digits.  With up to 15 of them
 * d * 10^k is off by less than half, therefore if any integer gives d when
 * divided by 10^k, it is the nearest one.
 */

static int
trove_writer_short(double d, trove_decimal_t *dec)
{
    int     k;
    double  m, n;

    if (d < 1e-5 || d >= TROVE_WRITER_2_53) {
        return 0;
    }

    for (k = 1; k <= TROVE_NUMBER_POW10; k++) {
        m = d * trove_number_pow10[k];

        if (m >= 1e15) {
            break;
        }

        n = (m + TROVE_WRITER_2_53 / 2) - TROVE_WRITER_2_53 / 2;

        if (fabs(m - n) <= m * (4 * DBL_EPSILON)
            && n / trove_number_pow10[k] == d)
        {
            dec->mantissa = (uint64_t) n;
            dec->exp = -k;
            return 1;
        }
    }

    for ( /* void */ ; k <= TROVE_NUMBER_POW10; k++) {
        if (trove_writer_exact(d, k, dec)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether k decimals are enough.  Both neighbours are tried: below a power of
 * two doubles lie closer than above it, so the nearer one may be too far and
 * the other one not.
 */

static int
trove_writer_exact(double d, int k, trove_decimal_t *dec)
{
    int       up;
    uint64_t  n;

    n = trove_writer_scale(d, k, &up);

    if (trove_number_decimal(n + up, k) == d) {
        n += up;

    } else if (trove_number_decimal(n + !up, k) == d) {
        n += !up;

    } else {
        return 0;
    }

    dec->mantissa = n;
    dec->exp = -k;

    return 1;
}


/*
 * The rest of all doubles, slowly.  17 digits are always enough; a decimal of
 * fewer than 15 shows among those of 15, with zeros at its end, unless the
 * double is subnormal and less precise than that.
 */

static void
trove_writer_any(double d, trove_decimal_t *dec)
{
    int             digits, i;
    char            text[32], *p;
    uint64_t        n;

    for (digits = (d < DBL_MIN) ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, d);

        /* between the digits there is a point, or what the locale has there */

        n = 0;

        for (p = text; *p != 'e'; p++) {
            if (*p >= '0' && *p <= '9') {
                n = n * 10 + (*p - '0');
            }
        }

        dec->exp = (int) strtol(p + 1, NULL, 10) - (digits - 1);

        for (i = 0; i < 3; i++) {
            dec->mantissa = (i < 2) ? n + i : n - 1;

            if (trove_writer_reads_back(d, dec)) {
                return;
            }
        }
    }
}


static int
trove_writer_reads_back(double d, const trove_decimal_t *dec)
{
    char    text[TROVE_WRITER_NUMBER];
    int     len;
    double  back;

    len = snprintf(text, sizeof(text), "%llue%d",
                   (unsigned long long) dec->mantissa, dec->exp);

    return trove_number_parse((unsigned char *) text, len, &back) == TROVE_OK
           && back == d;
}


/*
 * The integer part of d * 10^k, exactly, for 0 <= d < 2^53 and k <= 22 and a
 * result below 2^64; *up says whether the rest is a half or more.
 */

static uint64_t
trove_writer_scale(double d, int k, int *up)
{
    int                exp, shift;
    uint64_t           bits;
    unsigned __int128  n;

    memcpy(&bits, &d, sizeof(double));

    exp = (int) (bits >> 52);
    bits &= ((uint64_t) 1 << 52) - 1;

    if (exp) {
        bits |= (uint64_t) 1 << 52;
        exp--;
    }

    /* d is bits * 2^(exp - 1074), and 10^k is 5^k * 2^k */

    n = (unsigned __int128) bits * trove_number_pow5[k];
    shift = 1074 - exp - k;
    *up = 0;

    if (shift <= 0) {
        return (uint64_t) (n << -shift);
    }

    if (shift >= 128) {
        return 0;
    }

    *up = (int) (n >> (shift - 1)) & 1;

    return (uint64_t) (n >> shift);
}


void
trove_write_fixed(trove_writer_t *w, double d, int decimals)
{
    int             up, i;
    double          a;
    uint64_t        n, fraction;
    unsigned char   buf[TROVE_WRITER_NUMBER], *p;

    a = fabs(d);

    if (!(a < TROVE_WRITER_2_53)) {
        trove_write_double(w, d);
        return;
    }

    n = (uint64_t) a;
    fraction = trove_writer_scale(a - (double) n, decimals, &up);
    fraction += up;

    if (fraction == trove_writer_units[decimals]) {
        fraction = 0;
        n++;
    }

    p = buf + sizeof(buf);

    if (fraction) {
        for (i = decimals; fraction % 10 == 0; i--) {
            fraction /= 10;
        }

        for ( /* void */ ; i; i--) {
            *--p = '0' + fraction % 10;
            fraction /= 10;
        }

        *--p = '.';

    } else if (n == 0) {
        d = 0;
    }

    p = trove_writer_digits(p, n);

    if (d < 0) {
        *--p = '-';
    }

    trove_write(w, p, buf + sizeof(buf) - p);
}


static void
trove_writer_decimal(trove_writer_t *w, int negative,
    const trove_decimal_t *dec)
{
    int             len, exp, point;
    uint64_t        n;
    unsigned char   digits[20], buf[TROVE_WRITER_NUMBER], *d, *p;

    n = dec->mantissa;
    exp = dec->exp;

    while (exp && n % 10 == 0) {
        n /= 10;
        exp++;
    }

    d = trove_writer_digits(digits + sizeof(digits), n);
    len = digits + sizeof(digits) - d;
    point = len + exp;

    p = buf;

    if (negative) {
        *p++ = '-';
    }

    if (point > TROVE_WRITER_PLAIN || point < -5) {
        p = trove_writer_exponent(p, d, len, point);

    } else {
        p = trove_writer_place(p, d, len, point);
    }

    trove_write(w, buf, p - buf);
}


/* The digits with a point behind the first "point" of them. */

static unsigned char *
trove_writer_place(unsigned char *p, const unsigned char *digits, int len,
    int point)
{
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', -point);
        p += -point;
        memcpy(p, digits, len);

        return p + len;
    }

    if (point >= len) {
        memcpy(p, digits, len);
        memset(p + len, '0', point - len);

        return p + point;
    }

    memcpy(p, digits, point);
    p[point] = '.';
    memcpy(p + point + 1, digits + point, len - point);

    return p + len + 1;
}


static unsigned char *
trove_writer_exponent(unsigned char *p, const unsigned char *digits, int len,
    int point)
{
    unsigned char  buf[20], *e;

    p = trove_writer_place(p, digits, len, 1);
    point--;

    *p++ = 'e';

    if (point < 0) {
        *p++ = '-';
        point = -point;
    }

    e = trove_writer_digits(buf + sizeof(buf), point);
    memcpy(p, e, buf + sizeof(buf) - e);

    return p + (buf + sizeof(buf) - e);
}


void
trove_write_string(trove_writer_t *w, const unsigned char *s, size_t len)
{
    unsigned char        *start;
    const unsigned char  *p, *last;

    start = w->pos;
    last = s + len;

    trove_write_lit(w, "\"");

    for ( ;; ) {
        p = trove_writer_plain(s, last);
        trove_write(w, s, p - s);

        if (p == last) {
            break;
        }

        trove_writer_escape(w, *p);
        s = p + 1;
    }

    trove_write_lit(w, "\"");

    if (w->truncated) {
        w->pos = start;
    }
}


size_t
trove_string_size(const unsigned char *s, size_t len)
{
    size_t                size;
    const unsigned char  *p, *last;

    size = len + 2;
    last = s + len;

    for (p = trove_writer_plain(s, last);
         p != last;
         p = trove_writer_plain(p + 1, last))
    {
        size += trove_writer_letter(*p) ? 1 : 5;
    }

    return size;
}


/* Whether none of the sixteen is to be escaped. */

static inline int
trove_writer_plain_bytes(const unsigned char *p)
{
    trove_writer_bytes_t  bytes;
    trove_writer_words_t  words;

    memcpy(&bytes, p, sizeof(bytes));

    words = (trove_writer_words_t) ((bytes < 0x20) | (bytes == '"')
                                    | (bytes == '\\'));

    return (words[0] | words[1]) == 0;
}


/* The first byte that is to be escaped, or "last". */

static const unsigned char *
trove_writer_plain(const unsigned char *p, const unsigned char *last)
{
    size_t  n;

    n = sizeof(trove_writer_bytes_t);

    if ((size_t) (last - p) >= n) {

        for ( /* void */ ; (size_t) (last - p) >= n; p += n) {

            if (!trove_writer_plain_bytes(p)) {
                break;
            }
        }

        /* what is left, with some of what was looked at before it */

        if ((size_t) (last - p) < n && trove_writer_plain_bytes(last - n)) {
            return last;
        }
    }

    while (p < last && *p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* What stands behind the backslash instead of a code, 0: nothing does. */

static char
trove_writer_letter(unsigned char ch)
{
    static const char  names[] = "btn\0fr";      /* of 0x08 .. 0x0d */

    if (ch == '"' || ch == '\\') {
        return ch;
    }

    return (ch >= 0x08 && ch <= 0x0d) ? names[ch - 0x08] : 0;
}


static void
trove_writer_escape(trove_writer_t *w, unsigned char ch)
{
    static const char  hex[] = "0123456789abcdef";

    char  buf[6] = "\\u00";

    if (trove_writer_letter(ch)) {
        buf[1] = trove_writer_letter(ch);
        trove_write(w, buf, 2);
        return;
    }

    buf[4] = hex[ch >> 4];
    buf[5] = hex[ch & 0xf];

    trove_write(w, buf, 6);
}
