
/*
 * What all kinds of stores have in common.
 */

#include <sys/random.h>

#include "trove_store.h"


#define TROVE_STORE_NAME(NAME, name)   #name,


const char *const  trove_store_failures[TROVE_STORE_RCS] = {
    "",
    TROVE_STORE_FAILURES(TROVE_STORE_NAME)
};


trove_rc_t
trove_store_instance(char instance[TROVE_STORE_INSTANCE + 1])
{
    int            i;
    unsigned char  bytes[TROVE_STORE_INSTANCE / 2];

    static const char  hex[] = "0123456789abcdef";

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t) sizeof(bytes)) {
        return TROVE_NOTFOUND;
    }

    for (i = 0; i < TROVE_STORE_INSTANCE / 2; i++) {
        instance[2 * i] = hex[bytes[i] >> 4];
        instance[2 * i + 1] = hex[bytes[i] & 15];
    }

    instance[TROVE_STORE_INSTANCE] = '\0';

    return TROVE_OK;
}
