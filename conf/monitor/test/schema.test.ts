// The schema, the types that are made of it, and what the client checks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { check } from '../src/check.js';
import { SchemaError } from '../src/errors.js';
import { histogram, named, stats, trove } from './fixture.js';
import { complaints } from './validate.js';


type Any = Record<string, any>;


function full() {
    return stats({
        hunt: trove({
            coins: { 'gold': 3, 'a.b-c_9': 0, '(other)': 0 },
            boards: { weekly: { rows: 1, rows_capacity: 2, rebuilds: 0 } },
            endpoints: { poll: { requests: { 200: 1, other: 2 },
                                 lines_ok: 0, lines_error: 0 } },
            latency: { poll: histogram({ 1055: 3 }) },
        }),
    });
}


test('what the types say is what the schema says', () => {
    assert.deepEqual(complaints(full()), []);
    assert.deepEqual(complaints(stats()), []);
    assert.deepEqual(complaints(stats(named(['__proto__', trove()]))), []);
});


test('a member that the schema does not have is named', () => {
    const more = full() as Any;

    more['troves'].hunt.stars = {};
    more['troves'].hunt.latency.poll.p75 = 1;

    assert.deepEqual(complaints(more), [
        '/troves/hunt/latency/poll: "p75" is not in stats.schema.json',
        '/troves/hunt: "stars" is not in stats.schema.json',
    ]);
});


test('so is one that is not there, and one of another kind', () => {
    const less = full() as Any;

    delete less['troves'].hunt.rewards;
    less['troves'].hunt.coins.gold = -1;
    less['troves'].hunt.epoch_lag.p50 = 'long';

    assert.deepEqual(complaints(less), [
        '/troves/hunt/coins/gold: must be >= 0',
        '/troves/hunt/epoch_lag/p50: must be number',
        '/troves/hunt: "rewards" is required by stats.schema.json',
    ]);
});


test('and a name that is none', () => {
    assert.deepEqual(complaints(stats({ 'a b': trove() })),
                     ['/troves: "a b" is not in stats.schema.json']);
});


// Every member of JSON, with a way to take it away

function *members(of: Any, path = ''): Generator<[string, () => void]> {
    for (const name of Object.keys(of)) {
        if (!Array.isArray(of)) {
            yield [`${path}/${name}`, () => { delete of[name]; }];
        }

        if (typeof of[name] === 'object') {
            yield *members(of[name], `${path}/${name}`);
        }
    }
}


test('the client refuses what the schema refuses', () => {
    const all = [...members(full())].map(([path]) => path);

    assert.ok(all.length > 100);

    for (const path of all) {
        const less = full();
        const [, remove] = [...members(less)].find(([at]) => at === path)
                           ?? assert.fail();

        remove();

        if (complaints(less).length) {
            assert.throws(() => check(less), SchemaError, path);
        } else {
            assert.doesNotThrow(() => check(less), path);
        }
    }
});


test('and lets pass what a newer server may say', () => {
    const more = full() as Any;

    more['troves'].hunt.stars = {};
    assert.equal(check(more), more);
});


test('another version is told', () => {
    for (const schema of [0, 2, '1', null, undefined]) {
        assert.throws(() => check({ ...full(), schema }),
                      (error) => error instanceof SchemaError
                                 && error.schema === schema);
    }
});


test('what is no statistics at all is refused', () => {
    for (const json of [null, 1, 'a', [], {}, { schema: 1 },
                        { ...full(), troves: [] },
                        { ...full(), troves: { a: null } },
                        { ...full(), allocator: 'libc' }])
    {
        assert.throws(() => check(json), SchemaError);
    }
});
