/*
 * Random words that nobody can predict: those of the system's generator,
 * fetched a block at a time.
 *
 * A word of 32 bits is given out once.  A process that was forked starts with
 * an empty block: its memory is wiped by the kernel (MADV_WIPEONFORK), or,
 * where the kernel cannot, the block's owner is looked at for each word.
 */

#ifndef TROVE_RANDOM_H_INCLUDED
#define TROVE_RANDOM_H_INCLUDED


#include <sys/types.h>

#include "trove.h"


#define TROVE_RANDOM_WORDS   1022   /* a page, with their count              */


/* Fills "size" bytes at "p"; TROVE_OK, or they are not to be had. */
typedef trove_rc_t (*trove_random_fill_t)(void *data, void *p, size_t size);


typedef struct {
    uint64_t               left;
    uint32_t               words[TROVE_RANDOM_WORDS];
} trove_random_block_t;


typedef struct {
    trove_random_block_t  *block;   /* in pages of its own                   */
    trove_random_fill_t    fill;
    void                  *data;
    pid_t                  owner;   /* to be looked at; 0: the kernel wipes  */
} trove_random_t;


/*
 * A "fill" of NULL is the system's generator.  TROVE_NOMEM: no memory, or no
 * random bytes.  Of one process, and one thread at a time.
 */
trove_rc_t trove_random_init(trove_random_t *r, trove_random_fill_t fill,
    void *data);
void trove_random_done(trove_random_t *r);

/* The next word of a block that may be empty. */
uint32_t trove_random_more(trove_random_t *r);


static inline uint32_t
trove_random32(trove_random_t *r)
{
    uint32_t               word;
    trove_random_block_t  *block;

    block = r->block;

    if (trove_unlikely(block->left == 0 || r->owner)) {
        return trove_random_more(r);
    }

    word = block->words[--block->left];
    block->words[block->left] = 0;

    return word;
}


static inline uint64_t
trove_random64(trove_random_t *r)
{
    uint64_t  high;

    high = trove_random32(r);

    return high << 32 | trove_random32(r);
}


#endif /* TROVE_RANDOM_H_INCLUDED */
