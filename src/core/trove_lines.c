/*
 * Lines of a body that arrives in pieces.
 */

#include <string.h>

#include "trove_lines.h"


static trove_rc_t trove_lines_end(trove_lines_t *l, const unsigned char *p,
    const unsigned char *end, trove_slice_t *line);
static trove_rc_t trove_lines_carry(trove_lines_t *l, const unsigned char *p,
    const unsigned char *end);


void
trove_lines_init(trove_lines_t *l, unsigned char *carry, size_t size)
{
    memset(l, 0, sizeof(trove_lines_t));

    l->carry = carry;
    l->size = size;
}


trove_rc_t
trove_lines_next(trove_lines_t *l, const unsigned char **pos,
    const unsigned char *last, int final, trove_slice_t *line)
{
    trove_rc_t            rc;
    const unsigned char  *p, *lf;

    if (l->flush) {
        l->flush = 0;
        l->len = 0;
    }

    while (*pos < last) {
        p = *pos;
        lf = memchr(p, '\n', last - p);
        *pos = lf ? lf + 1 : last;

        if (l->skip) {
            l->skip = (lf == NULL);
            continue;
        }

        if (lf == NULL && !final) {
            if (trove_lines_carry(l, p, last) == TROVE_OK) {
                return TROVE_AGAIN;
            }

            l->line++;
            l->skip = 1;

            return TROVE_INVALID;
        }

        rc = trove_lines_end(l, p, lf ? lf : last, line);

        if (rc != TROVE_AGAIN) {
            return rc;
        }
    }

    if (final && (l->len || l->cr)) {
        return trove_lines_end(l, last, last, line);
    }

    return TROVE_AGAIN;
}


/* p .. end is the rest of a line.  TROVE_AGAIN: it is blank. */

static trove_rc_t
trove_lines_end(trove_lines_t *l, const unsigned char *p,
    const unsigned char *end, trove_slice_t *line)
{
    l->line++;

    if (l->len || l->cr) {
        if (trove_lines_carry(l, p, end) != TROVE_OK) {
            return TROVE_INVALID;
        }

        line->data = l->carry;
        line->len = l->len;
        l->flush = (l->len > 0);
        l->cr = 0;

    } else {
        line->data = p;
        line->len = end - p;

        if (p < end && end[-1] == '\r') {
            line->len--;
        }
    }

    if (line->len == 0) {
        return TROVE_AGAIN;
    }

    return (line->len <= l->size) ? TROVE_OK : TROVE_INVALID;
}


/*
 * A carriage return at the end is held back in "cr", for it may turn out to
 * belong to the line's end and then takes no room.
 */

static trove_rc_t
trove_lines_carry(trove_lines_t *l, const unsigned char *p,
    const unsigned char *end)
{
    size_t    n;
    unsigned  cr;

    if (p == end) {
        return TROVE_OK;
    }

    cr = (end[-1] == '\r');
    n = end - p - cr;

    if (n + l->cr > l->size - l->len) {
        l->len = 0;
        l->cr = 0;
        return TROVE_INVALID;
    }

    if (l->cr) {
        l->carry[l->len++] = '\r';
    }

    if (n) {
        memcpy(l->carry + l->len, p, n);
        l->len += n;
    }

    l->cr = cr;

    return TROVE_OK;
}
