import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rates, type Reading } from '../src/rates.js';
import type { Trove } from '../src/stats.js';
import { histogram, named, NOW, stats, trove } from './fixture.js';


function reading(seconds: number, troves: Record<string, Trove>): Reading {
    return { stats: stats(troves), at: seconds * 1000,
             date: (NOW + seconds) * 1000 };
}


function polls(n: number, more: Partial<Trove> = {}): Trove {
    return trove({
        poll_found: 3 * n,
        coins: { gold: n },
        endpoints: { poll: { requests: n ? { 200: n } : {}, lines_ok: n,
                             lines_error: 0 } },
        latency: { poll: histogram(n ? { 1000: n } : {}) },
        ...more,
    });
}


test('the first reading says nothing of rates', () => {
    assert.deepEqual(rates(null, reading(0, { hunt: polls(5) })),
                     { hunt: null });
});


test('differences are by the time between', () => {
    const hunt = rates(reading(10, { hunt: polls(100) }),
                       reading(14, { hunt: polls(120) }))['hunt'];

    assert.equal(hunt?.restarted, false);
    assert.equal(hunt?.counters.poll_found, 15);
    assert.equal(hunt?.counters.claims_granted, 0);
    assert.deepEqual(hunt?.coins, { gold: 5 });
    assert.equal(hunt?.endpoints['poll']?.total, 5);
    assert.deepEqual(hunt?.endpoints['poll']?.requests, { 200: 5 });
    assert.equal(hunt?.endpoints['poll']?.lines_ok, 5);
    assert.equal(hunt?.endpoints['poll']?.latency.count, 20);
});


test('what was not there before was zero', () => {
    const before = polls(0, { coins: {}, endpoints: {}, latency: {} });
    const hunt = rates(reading(0, { hunt: before }),
                       reading(2, { hunt: polls(4) }))['hunt'];

    assert.deepEqual(hunt?.coins, { gold: 2 });
    assert.deepEqual(hunt?.endpoints['poll']?.requests, { 200: 2 });
});


test('a server that was started again has counted since', () => {
    const hunt = rates(reading(0, { hunt: polls(1000) }),
                       reading(10, { hunt: polls(20, { started: NOW + 6 }) }))
                 ['hunt'];

    assert.equal(hunt?.restarted, true);
    assert.equal(hunt?.endpoints['poll']?.total, 2);
});


test('even if it shows more than before', () => {
    const hunt = rates(reading(0, { hunt: polls(10) }),
                       reading(10, { hunt: polls(90, { started: NOW + 6 }) }))
                 ['hunt'];

    assert.equal(hunt?.counters.poll_found, 27);
});


test('so has a trove that came by a reload', () => {
    const { hunt, more } = rates(
        reading(0, { hunt: polls(1) }),
        reading(2, { hunt: polls(1), more: polls(6, { started: NOW + 1 }) }));

    assert.equal(hunt?.restarted, false);
    assert.equal(more?.restarted, true);
    assert.equal(more?.endpoints['poll']?.total, 3);
});


test('of another server that counts for long nothing is known', () => {
    assert.deepEqual(
        rates(reading(0, { hunt: polls(1) }),
              reading(1, { hunt: polls(9000, { started: NOW - 500 }) })),
        { hunt: null });
});


test('nor of one that shows less', () => {
    assert.deepEqual(rates(reading(0, { hunt: polls(9) }),
                           reading(1, { hunt: polls(8) })),
                     { hunt: null });

    const before = polls(9, { latency: { poll: histogram({ 7: 9 }) } });
    const after = polls(9, { latency: { poll: histogram({ 8: 9 }) } });

    assert.deepEqual(rates(reading(0, { hunt: before }),
                           reading(1, { hunt: after })),
                     { hunt: null });
});


test('nor if no time has passed', () => {
    assert.deepEqual(rates(reading(1, { hunt: polls(1) }),
                           reading(1, { hunt: polls(2) })),
                     { hunt: null });
});


test('names are names, whatever they mean to JavaScript', () => {
    const of = (n: number, more: Partial<Trove>) =>
        named(['__proto__', polls(n, more)], ['constructor', polls(n, more)],
              ['hasOwnProperty', polls(n, more)]);
    const coins = (n: number) => named(['__proto__', n], ['toString', n]);
    const all = rates(reading(0, of(2, { coins: coins(1) })),
                      reading(1, of(4, { coins: coins(7) })));

    assert.deepEqual(Object.keys(all),
                     ['__proto__', 'constructor', 'hasOwnProperty']);

    for (const [name, rate] of Object.entries(all)) {
        assert.equal(rate?.endpoints['poll']?.total, 2, name);
        assert.deepEqual(Object.entries(rate?.coins ?? {}),
                         [['__proto__', 6], ['toString', 6]]);
    }
});
