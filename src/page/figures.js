/*
 * What several looks at the statistics of a trove say together: rates and
 * percentiles of a stretch of time, and ten minutes of them to be drawn.
 */

'use strict';

const KEPT = 600;             /* points of a series */
const LOOKS = 64;             /* samples, a second apart, that are compared */


class History {

    constructor() {
        this.looks = [];
        this.times = [];
        this.series = new Map();
    }

    /* Of one trove, as the JSON has it; "at" in seconds. */

    add(at, trove) {
        const last = this.last;

        /* counters never go back: another nginx answers */

        if (last && (trove.started !== last.trove.started
                     || trove.epoch_turns < last.trove.epoch_turns))
        {
            this.looks = [];
        }

        this.looks.push({ at, trove });

        if (this.looks.length > LOOKS) {
            this.looks.shift();
        }
    }

    get last() {
        return this.looks[this.looks.length - 1];
    }

    /* The look that is at least so many seconds old, or the oldest. */

    before(seconds) {
        const end = this.last.at - seconds + 0.25;

        for (let i = this.looks.length - 2; i >= 0; i--) {
            if (this.looks[i].at <= end) {
                return this.looks[i];
            }
        }

        return this.looks[0];
    }

    /* How much a counter grew in so many seconds; "read" finds it. */

    grown(read, seconds) {
        return read(this.last.trove) - read(this.before(seconds).trove);
    }

    /* And a second; null if there is nothing to compare with. */

    rate(read, seconds) {
        const span = this.last.at - this.before(seconds).at;

        return span > 0 ? this.grown(read, seconds) / span : null;
    }

    /* Pairs of a bucket's longest duration, in seconds, and how many came. */

    buckets(read, seconds) {
        const now = read(this.last.trove).buckets;
        const then = new Map();
        const old = read(this.before(seconds).trove).buckets;
        const pairs = [];

        for (let i = 0; i < old.length; i += 2) {
            then.set(old[i], old[i + 1]);
        }

        for (let i = 0; i < now.length; i += 2) {
            const n = now[i + 1] - (then.get(now[i]) || 0);

            if (n > 0) {
                pairs.push([ now[i] / 1e9, n ]);
            }
        }

        return pairs;
    }

    quantile(read, q, seconds) {
        const pairs = this.buckets(read, seconds);
        let left = q * pairs.reduce((sum, [ , n ]) => sum + n, 0);

        for (const [ longest, n ] of pairs) {
            left -= n;

            if (left <= 0) {
                return longest;
            }
        }

        return null;
    }

    /* The next point of all series; those that are not named have a gap. */

    point(at, values) {
        this.times.push(at);

        for (const name of Object.keys(values)) {
            if (!this.series.has(name)) {
                this.series.set(name, Array(this.times.length - 1).fill(null));
            }
        }

        for (const [ name, list ] of this.series) {
            list.push(values[name] === undefined ? null : values[name]);
        }

        if (this.times.length > KEPT) {
            this.times.shift();

            for (const [ name, list ] of this.series) {
                list.shift();

                if (list.every((value) => value === null)) {
                    this.series.delete(name);
                }
            }
        }
    }

    of(name) {
        return this.series.get(name) || Array(this.times.length).fill(null);
    }

    /* Whether it is more than so many seconds ago. */

    risen(name, seconds) {
        const list = this.of(name);
        const since = this.times[this.times.length - 1] - seconds;
        const then = list.findLastIndex((value, i) => value !== null
                                                  && this.times[i] <= since);

        return then >= 0 && list[list.length - 1] > list[then];
    }

    /* How fast a series climbs, a second, by the means of its two halves. */

    slope(name, least) {
        const points = [];

        this.of(name).forEach((value, i) => {
            if (value !== null) {
                points.push([ this.times[i], value ]);
            }
        });

        if (points.length < 2
            || points[points.length - 1][0] - points[0][0] < least)
        {
            return null;
        }

        const mean = (part, i) => part.reduce((sum, p) => sum + p[i], 0)
                                  / part.length;
        const half = points.length >> 1;
        const first = points.slice(0, half);
        const second = points.slice(half);

        return (mean(second, 1) - mean(first, 1))
               / (mean(second, 0) - mean(first, 0));
    }
}


/* Words for figures. */

function short(value, digits) {
    return String(Number(value.toPrecision(digits || 3)));
}


function inSeconds(s) {
    if (s === null) {
        return '–';
    }

    return s === 0 ? '0' : s < 1e-3 ? short(s * 1e6) + ' µs'
                         : s < 1 ? short(s * 1e3) + ' ms' : short(s) + ' s';
}


function inBytes(n) {
    if (n === null) {
        return '–';
    }

    for (const unit of [ 'B', 'KB', 'MB', 'GB' ]) {
        if (Math.abs(n) < 1024) {
            return short(n, n < 100 ? 3 : 4) + ' ' + unit;
        }

        n /= 1024;
    }

    return short(n, 4) + ' TB';
}


function inNumber(n) {
    if (n === null) {
        return '–';
    }

    for (const [ least, of, unit ] of [ [ 1e10, 1e9, ' G' ], [ 1e7, 1e6, ' M' ],
                                        [ 1e5, 1e3, ' k' ] ])
    {
        if (n >= least) {
            return short(n / of) + unit;
        }
    }

    return n >= 100 || Number.isInteger(n) ? String(Math.round(n))
                                           : short(n, 2);
}


function inTime(s) {
    return s < 120 ? Math.round(s) + ' s' : s < 7200 ? Math.round(s / 60)
           + ' min' : s < 172800 ? short(s / 3600, 2) + ' h'
           : Math.round(s / 86400) + ' days';
}
