/*
 * SipHash-2-4 of Aumasson and Bernstein, "SipHash: a fast short-input PRF"
 * (2012): who does not know the key cannot choose inputs whose hashes clash.
 */

#ifndef TROVE_SIPHASH_H_INCLUDED
#define TROVE_SIPHASH_H_INCLUDED


#include "trove.h"


uint64_t trove_siphash(const uint64_t key[2], const unsigned char *data,
    size_t len);


#endif /* TROVE_SIPHASH_H_INCLUDED */
