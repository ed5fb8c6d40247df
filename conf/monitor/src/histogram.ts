// Durations in buckets, as the statistics have them: a flat list of the
// longest duration of a bucket in nanoseconds, and how many there were.

import type { Histogram } from './stats.js';

// the last bucket, which has all that is longer, too

const LAST = 2 ** 36 - 1;


/** Durations of some time, or of some endpoints together. */
export class Durations {
    readonly #buckets: ReadonlyMap<number, number>;
    readonly #max: number;

    readonly count: number;

    /** Their sum, in seconds. */
    readonly sum: number;

    /** `max`: the longest one in seconds, where it is known. */
    constructor(buckets: ReadonlyMap<number, number>, sum: number,
                max = Infinity)
    {
        let count = 0;

        for (const n of buckets.values()) {
            count += n;
        }

        this.#buckets = new Map([...buckets].sort((a, b) => a[0] - b[0]));
        this.#max = max;
        this.count = count;
        this.sum = sum;
    }

    static of(...histograms: readonly Histogram[]): Durations {
        const all = new Map<number, number>();
        let sum = 0, max = 0;

        for (const h of histograms) {
            for (const [ns, n] of pairs(h)) {
                all.set(ns, (all.get(ns) ?? 0) + n);
            }

            sum += h.sum;
            max = Math.max(max, h.max);
        }

        return new Durations(all, sum, max);
    }

    /**
     * Those that were added to `before`; null if some are less, which then
     * is not of the same server.
     */
    static between(before: Histogram | undefined, after: Histogram):
        Durations | null
    {
        const added = new Map(pairs(after));

        for (const [ns, n] of before ? pairs(before) : []) {
            const left = (added.get(ns) ?? 0) - n;

            if (left < 0) {
                return null;
            }

            if (left === 0) {
                added.delete(ns);
            } else {
                added.set(ns, left);
            }
        }

        // "max" is of all, and bounds these

        return new Durations(added, Math.max(0, after.sum
                                                - (before?.sum ?? 0)),
                             after.max);
    }

    /** Their mean in seconds, or null if there are none. */
    get mean(): number | null {
        return this.count ? this.sum / this.count : null;
    }

    /**
     * What the part q (0 to 1) of them does not exceed, in seconds: never
     * below the exact one, and at most 1/32 above it.  Null if there are none.
     */
    quantile(q: number): number | null {
        if (!(q >= 0 && q <= 1)) {
            throw new RangeError(`a quantile is from 0 to 1, not ${q}`);
        }

        // 0.07 * 100 is a little more than 7, and the rank is 7

        const rank = Math.max(1, Math.ceil(Number((q * this.count)
                                                  .toPrecision(15))));
        let seen = 0;

        for (const [ns, n] of this.#buckets) {
            seen += n;

            if (seen >= rank) {
                return this.#seconds(ns);
            }
        }

        return null;
    }

    #seconds(ns: number): number {
        if (ns >= LAST && this.#max !== Infinity) {
            return Math.max(this.#max, LAST / 1e9);
        }

        return Math.min(ns / 1e9, this.#max);
    }
}


function *pairs(h: Histogram): Generator<[number, number]> {
    for (let i = 0; i + 1 < h.buckets.length; i += 2) {
        yield [h.buckets[i] as number, h.buckets[i + 1] as number];
    }
}
