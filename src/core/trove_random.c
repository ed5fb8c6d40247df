/*
 * Random words.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "trove_random.h"


static trove_rc_t trove_random_system(void *data, void *p, size_t size);
static trove_rc_t trove_random_fetch(trove_random_t *r);


trove_rc_t
trove_random_init(trove_random_t *r, trove_random_fill_t fill, void *data)
{
    r->fill = fill ? fill : trove_random_system;
    r->data = data;

    r->block = mmap(NULL, sizeof(trove_random_block_t), PROT_READ|PROT_WRITE,
                    MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (r->block == MAP_FAILED) {
        r->block = NULL;
        return TROVE_NOMEM;
    }

    r->owner = madvise(r->block, sizeof(trove_random_block_t), MADV_WIPEONFORK)
               ? getpid() : 0;

    if (trove_random_fetch(r) != TROVE_OK) {
        trove_random_done(r);
        return TROVE_NOMEM;
    }

    return TROVE_OK;
}


void
trove_random_done(trove_random_t *r)
{
    if (r->block) {
        (void) munmap(r->block, sizeof(trove_random_block_t));
        r->block = NULL;
    }
}


static trove_rc_t
trove_random_system(void *data, void *p, size_t size)
{
    ssize_t         n;
    unsigned char  *pos;

    for (pos = p; size; pos += n, size -= n) {
        n = getrandom(pos, size, 0);

        if (n == -1) {

            if (errno != EINTR) {
                return TROVE_NOMEM;
            }

            n = 0;
        }
    }

    return TROVE_OK;
}


static trove_rc_t
trove_random_fetch(trove_random_t *r)
{
    if (r->fill(r->data, r->block->words, sizeof(r->block->words)) != TROVE_OK)
    {
        return TROVE_NOMEM;
    }

    r->block->left = TROVE_RANDOM_WORDS;

    return TROVE_OK;
}


/*
 * The generator has worked for this process before.  Should it ever stop, no
 * word is better than one that can be foreseen.
 */

uint32_t
trove_random_more(trove_random_t *r)
{
    uint32_t  word;

    if (r->owner && r->owner != getpid()) {
        r->owner = getpid();
        r->block->left = 0;
    }

    if (r->block->left == 0 && trove_random_fetch(r) != TROVE_OK) {
        abort();
    }

    word = r->block->words[--r->block->left];
    r->block->words[r->block->left] = 0;

    return word;
}
