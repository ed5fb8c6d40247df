/*
 * Exemplars of histograms.
 */

#include "trove_exemplar.h"


#define TROVE_EXEMPLAR_TRIES  4       /* until it is left out                */


static trove_rc_t trove_exemplar_parse(uint64_t *id, const unsigned char *text,
    size_t len);


trove_rc_t
trove_exemplar_put(trove_exemplar_t *e, uint64_t now, uint64_t ns,
    const unsigned char *text, size_t len)
{
    uint64_t    id[2], sequence;
    trove_rc_t  rc;

    trove_stat_set(&e->asked, now);

    rc = trove_exemplar_parse(id, text, len);

    if (rc != TROVE_OK) {
        return rc;
    }

    sequence = atomic_load_explicit(&e->sequence, memory_order_relaxed) | 1;

    atomic_store_explicit(&e->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);

    trove_stat_set(&e->time, now);
    trove_stat_set(&e->ns, ns);
    trove_stat_set(&e->id[0], id[0]);
    trove_stat_set(&e->id[1], id[1]);

    atomic_store_explicit(&e->sequence, sequence + 1, memory_order_release);

    return TROVE_OK;
}


static trove_rc_t
trove_exemplar_parse(uint64_t *id, const unsigned char *text, size_t len)
{
    size_t    i;
    uint64_t  digit;

    if (len != TROVE_EXEMPLAR_ID) {
        return TROVE_INVALID;
    }

    id[0] = 0;
    id[1] = 0;

    for (i = 0; i < len; i++) {

        if (text[i] >= '0' && text[i] <= '9') {
            digit = text[i] - '0';

        } else if (text[i] >= 'a' && text[i] <= 'f') {
            digit = text[i] - 'a' + 10;

        } else {
            return TROVE_INVALID;
        }

        id[i / 16] = id[i / 16] << 4 | digit;
    }

    return TROVE_OK;
}


void
trove_exemplar_newest(trove_exemplar_t *newest, const trove_exemplar_t *e)
{
    uint32_t  i;
    uint64_t  sequence, time, ns, id[2];

    for (i = 0; i < TROVE_EXEMPLAR_TRIES; i++) {
        sequence = atomic_load_explicit(&e->sequence, memory_order_acquire);

        time = trove_stat_get(&e->time);
        ns = trove_stat_get(&e->ns);
        id[0] = trove_stat_get(&e->id[0]);
        id[1] = trove_stat_get(&e->id[1]);

        atomic_thread_fence(memory_order_acquire);

        if (sequence % 2
            || sequence != atomic_load_explicit(&e->sequence,
                                                memory_order_relaxed))
        {
            continue;
        }

        if (time > trove_stat_get(&newest->time)) {
            trove_stat_set(&newest->time, time);
            trove_stat_set(&newest->ns, ns);
            trove_stat_set(&newest->id[0], id[0]);
            trove_stat_set(&newest->id[1], id[1]);
        }

        return;
    }
}


void
trove_exemplar_write(trove_writer_t *w, const trove_exemplar_t *e)
{
    uint32_t       i;
    uint64_t       time;
    unsigned char  id[TROVE_EXEMPLAR_ID];

    static const char  hex[] = "0123456789abcdef";

    time = trove_stat_get(&e->time);

    if (time == 0) {
        return;
    }

    for (i = 0; i < TROVE_EXEMPLAR_ID; i++) {
        id[i] = hex[trove_stat_get(&e->id[i / 16]) >> (60 - i % 16 * 4) & 15];
    }

    trove_write_lit(w, " # {request_id=\"");
    trove_write(w, id, sizeof(id));
    trove_write_lit(w, "\"} ");
    trove_write_fixed(w, (double) trove_stat_get(&e->ns) / 1e9, 9);
    trove_write_lit(w, " ");
    trove_write_fixed(w, (double) time / 1e3, 3);
}
