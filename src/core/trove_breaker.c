
#include "trove_breaker.h"


#define TROVE_BREAKER_OPENINGS  0x3f
#define TROVE_BREAKER_N         0x00ffffffffffffffULL
#define TROVE_BREAKER_AT        56          /* bit of the openings           */

#define trove_breaker_of(word)                                               \
    ((trove_breaker_state_t) ((word) >> TROVE_BREAKER_SHIFT))
#define trove_breaker_openings(word)                                         \
    ((uint32_t) ((word) >> TROVE_BREAKER_AT) & TROVE_BREAKER_OPENINGS)
#define trove_breaker_n(word)     ((word) & TROVE_BREAKER_N)


static uint64_t trove_breaker_word(trove_breaker_state_t state,
    uint32_t openings, uint64_t n);
static uint64_t trove_breaker_opened(const trove_breaker_conf_t *conf,
    uint64_t word, uint64_t now, uint32_t random);


trove_breaker_probe_t
trove_breaker_ask(trove_breaker_t *b, const trove_breaker_conf_t *conf,
    uint64_t now)
{
    uint64_t  word, probe;

    word = trove_get(&b->word);

    if (trove_breaker_of(word) == TROVE_BREAKER_CLOSED
        || trove_breaker_n(word) > now / 1000)
    {
        return 0;
    }

    /* later than the time that is over, so it is another word */

    probe = trove_breaker_word(TROVE_BREAKER_HALF_OPEN,
                               trove_breaker_openings(word),
                               (now + conf->probe) / 1000 + 1);

    return trove_cas(&b->word, &word, probe) ? probe : 0;
}


uint64_t
trove_breaker_wait(trove_breaker_t *b, uint64_t now)
{
    uint64_t  word;

    word = trove_get(&b->word);

    if (trove_breaker_of(word) == TROVE_BREAKER_CLOSED
        || trove_breaker_n(word) <= now / 1000)
    {
        return 0;
    }

    return trove_breaker_n(word) * 1000 - now;
}


int
trove_breaker_success(trove_breaker_t *b, trove_breaker_probe_t probe)
{
    uint64_t  word;

    word = trove_get(&b->word);

    if (trove_likely(word == 0)) {
        return 0;
    }

    if (probe) {
        return word == probe
               && trove_cas(&b->word, &word,
                            trove_breaker_word(TROVE_BREAKER_CLOSED,
                                               trove_breaker_openings(word),
                                               0));
    }

    /* what comes late from before it opened tells nothing of now */

    if (trove_breaker_of(word) == TROVE_BREAKER_CLOSED) {
        (void) trove_cas(&b->word, &word, 0);
    }

    return 0;
}


int
trove_breaker_failure(trove_breaker_t *b, const trove_breaker_conf_t *conf,
    trove_breaker_probe_t probe, uint32_t count, uint64_t now, uint32_t random)
{
    uint64_t  word, next, failures;

    word = trove_get(&b->word);

    for ( ;; ) {

        if (probe) {

            if (word != probe) {
                return 0;
            }

            next = trove_breaker_opened(conf, word, now, random);

        } else {

            if (trove_breaker_of(word) != TROVE_BREAKER_CLOSED) {
                return 0;
            }

            failures = trove_breaker_n(word) + count;

            next = (failures >= conf->failures)
                   ? trove_breaker_opened(conf, word, now, random)
                   : trove_breaker_word(TROVE_BREAKER_CLOSED,
                                        trove_breaker_openings(word),
                                        failures);
        }

        if (trove_cas(&b->word, &word, next)) {
            return trove_breaker_of(next) == TROVE_BREAKER_OPEN;
        }
    }
}


static uint64_t
trove_breaker_word(trove_breaker_state_t state, uint32_t openings, uint64_t n)
{
    return (uint64_t) state << TROVE_BREAKER_SHIFT
           | (uint64_t) openings << TROVE_BREAKER_AT
           | (n & TROVE_BREAKER_N);
}


static uint64_t
trove_breaker_opened(const trove_breaker_conf_t *conf, uint64_t word,
    uint64_t now, uint32_t random)
{
    uint32_t  openings;
    uint64_t  time;

    openings = trove_breaker_openings(word);

    time = (openings < 32 && conf->least << openings < conf->most)
           ? conf->least << openings : conf->most;

    time = time / 2 + (uint64_t) ((double) (time / 2) * random / UINT32_MAX);

    if (openings < TROVE_BREAKER_OPENINGS) {
        openings++;
    }

    return trove_breaker_word(TROVE_BREAKER_OPEN, openings,
                              (now + time) / 1000 + 1);
}
