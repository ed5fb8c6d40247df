import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConnectionError } from '../src/errors.js';
import type { Reading } from '../src/rates.js';
import {
    samples, type Clock, type Sample, type SamplesOptions,
} from '../src/samples.js';
import { NOW, stats, trove } from './fixture.js';


// Time that passes only as a test says: while one sleeps, and while one reads

class Time implements Clock {
    at = 0;
    readonly reads: number[] = [];

    now(): number { return this.at; }
    random(): number { return 0; }

    async sleep(ms: number): Promise<void> {
        this.at += ms;
        await Promise.resolve();
    }
}


// Samples of a server where each read takes what "takes" says, and fails
// where it says an error

async function take(n: number, takes: (i: number) => number | Error,
                    options: SamplesOptions = {}):
    Promise<{ time: Time, all: Sample[] }>
{
    const time = new Time();
    const all: Sample[] = [];
    let i = 0;

    const read = async (): Promise<Reading> => {
        const took = takes(i++);

        time.reads.push(time.at);
        await Promise.resolve();

        if (took instanceof Error) {
            throw took;
        }

        time.at += took;

        return {
            stats: stats({ hunt: trove({ poll_found: time.at }) }),
            at: time.at,
            date: NOW * 1000 + time.at,
        };
    };

    for await (const sample of samples(read, options, time)) {
        all.push(sample);

        if (all.length === n) {
            break;
        }
    }

    return { time, all };
}


const away = new ConnectionError('away', 'ECONNREFUSED');


test('they keep to the beat, whatever each takes', async () => {
    const { time } = await take(6, (i) => 30 * i, { interval: 200 });

    assert.deepEqual(time.reads, [0, 200, 400, 600, 800, 1000]);
});


test('a beat that has passed is left out', async () => {
    const { time } = await take(5, (i) => i === 1 ? 730 : 0,
                                { interval: 200 });

    assert.deepEqual(time.reads, [0, 200, 1000, 1200, 1400]);
});


test('rates are by the time that has really passed', async () => {
    const { all } = await take(3, (i) => i === 1 ? 730 : 0,
                               { interval: 200 });
    const rate = (i: number) => {
        const sample = all[i];

        return sample?.ok
               ? Math.round(sample.rates['hunt']?.counters.poll_found ?? NaN)
               : undefined;
    };

    assert.deepEqual(all.map((sample) => sample.ok && sample.elapsed),
                     [null, 0.93, 0.07]);
    assert.ok(Number.isNaN(rate(0)));
    assert.equal(rate(1), 1000);
    assert.equal(rate(2), 1000);
});


test('a server that is away is asked less and less often', async () => {
    const { time, all } = await take(8, (i) => i >= 1 && i <= 5 ? away : 0,
                                     { interval: 100, maxBackoff: 1000 });

    assert.deepEqual(all.map(({ ok }) => ok),
                     [true, false, false, false, false, false, true, true]);
    assert.deepEqual(all.flatMap((sample) => sample.ok ? []
                                             : [sample.retryIn]),
                     [100, 200, 400, 800, 1000]);
    assert.deepEqual(all.flatMap((sample) => sample.ok ? []
                                             : [sample.failures]),
                     [1, 2, 3, 4, 5]);
    assert.deepEqual(time.reads,
                     [0, 100, 200, 400, 800, 1600, 2600, 2700]);

    const back = all[6];

    assert.ok(back?.ok);
    assert.equal(back.elapsed, 2.6, 'rates bridge the gap');
    assert.equal(back.rates['hunt']?.counters.poll_found, 1000);
});


test('and with some chance', async () => {
    class Chance extends Time {
        override random(): number { return 0.5; }
    }

    const time = new Chance();

    for await (const sample of samples(() => Promise.reject(away),
                                       { interval: 100 }, time))
    {
        assert.ok(!sample.ok);
        assert.equal(sample.retryIn, 112.5);
        assert.equal(sample.error, away);
        break;
    }
});


test('an abort ends them: before, between, while it reads', async () => {
    const none = new AbortController();

    none.abort();

    assert.equal((await take(9, () => 0, { signal: none.signal })).all.length,
                 0);

    const between = new AbortController();
    const { all } = await take(9, (i) => {
        if (i === 3) {
            between.abort();
        }

        return i === 3 ? away : 0;
    }, { signal: between.signal });

    assert.equal(all.length, 3, 'without a bad sample');

    const asleep = new AbortController();
    const of = samples(() => Promise.reject(away),
                       { interval: 1e6, signal: asleep.signal });

    await of.next();
    setTimeout(() => asleep.abort(), 1);
    assert.equal((await of.next()).done, true, 'it does not sleep on');
});


test('intervals are more than nothing', async () => {
    for (const interval of [0, -1, NaN]) {
        await assert.rejects(take(1, () => 0, { interval }), RangeError);
    }
});
