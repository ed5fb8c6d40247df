/*
 * Lines: any division of a body into pieces gives the lines of the whole.  The
 * first byte is the longest line allowed, the next eight say where to divide.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trove_lines.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* All that was handed out, one behind the other. */

typedef struct {
    unsigned char  *data;
    size_t          len;
    size_t          size;
} record_t;


static void
record(record_t *r, const void *p, size_t len)
{
    if (r->size - r->len < len) {
        r->size = (r->len + len) * 2;
        r->data = realloc(r->data, r->size);
    }

    if (len) {
        memcpy(r->data + r->len, p, len);
        r->len += len;
    }
}


static void
feed(trove_lines_t *l, const unsigned char *p, size_t len, int final,
    record_t *r)
{
    trove_rc_t            rc;
    trove_slice_t         line;
    unsigned char        *piece;
    const unsigned char  *pos;

    piece = malloc(len + (len == 0));

    if (len) {
        memcpy(piece, p, len);
    }

    for (pos = piece; ; ) {

        rc = trove_lines_next(l, &pos, piece + len, final, &line);

        if (rc == TROVE_AGAIN) {
            break;
        }

        record(r, &l->line, sizeof(l->line));
        record(r, &rc, sizeof(rc));

        if (rc == TROVE_INVALID) {
            continue;
        }

        if (rc != TROVE_OK || line.len == 0 || line.len > l->size
            || memchr(line.data, '\n', line.len))
        {
            abort();
        }

        record(r, &line.len, sizeof(line.len));
        record(r, line.data, line.len);
    }

    if (pos != piece + len) {
        abort();
    }

    free(piece);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          limit, n, max;
    uint64_t        cut;
    record_t        whole, pieces;
    trove_lines_t   l;
    unsigned char  *carry;

    if (size < 9) {
        return -1;
    }

    limit = data[0];
    memcpy(&cut, data + 1, 8);
    max = 1 + data[1] % 32;
    data += 9;
    size -= 9;

    memset(&whole, 0, sizeof(record_t));
    memset(&pieces, 0, sizeof(record_t));

    carry = malloc(limit + (limit == 0));

    trove_lines_init(&l, carry, limit);
    feed(&l, data, size, 1, &whole);

    trove_lines_init(&l, carry, limit);

    while (size) {
        cut = cut * 6364136223846793005u + 1442695040888963407u;
        n = (cut >> 33) % (max + 1);
        n = (n < size) ? n : size;

        /* the end is sometimes told with the last piece, sometimes alone */

        feed(&l, data, n, n == size && (cut >> 63), &pieces);
        data += n;
        size -= n;
    }

    if (!(cut >> 63)) {
        feed(&l, data, 0, 1, &pieces);
    }

    if (whole.len != pieces.len
        || (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0))
    {
        fprintf(stderr, "pieces do not give the lines of the whole\n");
        abort();
    }

    free(whole.data);
    free(pieces.data);
    free(carry);

    return 0;
}
