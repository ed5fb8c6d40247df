import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Durations } from '../src/histogram.js';
import { histogram } from './fixture.js';


const SEED = Number(process.env['TROVE_SEED'] ?? Date.now() % 2 ** 31);


function random(seed: number): () => number {
    let state = seed >>> 0;

    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;

        return state / 2 ** 32;
    };
}


test(`any quantile is that of the sorted list (TROVE_SEED=${SEED})`, () => {
    const next = random(SEED);

    for (let round = 0; round < 200; round++) {
        const of: Record<number, number> = {};

        for (let i = 0; i <= next() * 20; i++) {
            of[Math.floor(2 ** (next() * 35))] = 1 + Math.floor(next() * 9);
        }

        const all = Object.entries(of).flatMap(([ns, n]) =>
            Array<number>(n).fill(Number(ns))).sort((a, b) => a - b);
        const durations = Durations.of(histogram(of));

        for (let percent = 0; percent <= 100; percent++) {
            const rank = Math.max(1, Math.ceil(percent * all.length / 100));

            assert.equal(durations.quantile(percent / 100),
                         (all[rank - 1] as number) / 1e9,
                         `p${percent} of ${JSON.stringify(of)}`);
        }
    }
});


test('what is no part of a whole is refused', () => {
    for (const q of [-0.1, 1.1, 99, NaN, Infinity]) {
        assert.throws(() => Durations.of(histogram({ 5: 1 })).quantile(q),
                      RangeError);
    }
});


test('of none there is no quantile and no mean', () => {
    const none = Durations.of(histogram());

    assert.equal(none.count, 0);
    assert.equal(none.quantile(0.5), null);
    assert.equal(none.mean, null);
});


test('the longest one bounds its bucket', () => {
    assert.equal(Durations.of({ ...histogram({ 1055: 3 }), max: 1.04e-6 })
                 .quantile(0.99), 1.04e-6);
});


test('beyond the range the longest one is the answer', () => {
    const last = { ...histogram({ 1000: 1, 68719476735: 1 }), max: 100 };

    assert.equal(Durations.of(last).quantile(1), 100);
    assert.equal(Durations.of(last).quantile(0.5), 1e-6);
});


test('those of several together', () => {
    const both = Durations.of(histogram({ 10: 1, 30: 1 }),
                              histogram({ 10: 1, 20: 1 }));

    assert.equal(both.count, 4);
    assert.equal(both.quantile(0.5), 1e-8);
    assert.equal(both.quantile(0.75), 2e-8);
    assert.equal(both.quantile(1), 3e-8);
});


test('those between two readings', () => {
    const before = histogram({ 10: 5, 20: 1 });
    const after = histogram({ 10: 5, 20: 3, 30: 1 });

    assert.equal(Durations.between(before, after)?.count, 3);
    assert.equal(Durations.between(before, after)?.quantile(0), 2e-8);
    assert.equal(Durations.between(undefined, after)?.count, 9);
    assert.equal(Durations.between(after, after)?.count, 0);
    assert.equal(Durations.between(after, before), null);
});
