
/*
 * An arena's only part that is not inline: what happens when it is used up.
 */

#include "trove_arena.h"


void *
trove_arena_refuse(trove_arena_t *a)
{
    a->exhausted++;

    return NULL;
}
