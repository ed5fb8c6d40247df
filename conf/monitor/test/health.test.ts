import assert from 'node:assert/strict';
import { test } from 'node:test';

import { health } from '../src/health.js';
import { rates, type Reading } from '../src/rates.js';
import type { Trove } from '../src/stats.js';
import { histogram, NOW, stats, trove } from './fixture.js';


function found(of: Partial<Trove>): [string, string][] {
    const at = (seconds: number, hunt: Trove): Reading =>
        ({ stats: stats({ hunt }), at: seconds * 1000,
           date: (NOW + seconds) * 1000 });
    const after = at(1, trove(of));

    return health(after.stats, rates(at(0, trove()), after))
           .map(({ level, trove: name, text }) => {
               assert.equal(name, 'hunt');
               return [level, text];
           });
}


test('nothing', () => {
    assert.deepEqual(found({}), []);
});


test('what is near a limit is not beyond it', () => {
    assert.deepEqual(found({
        overflow_max: 100, overflow_up: 1,
        overflow: { rewards: { pending: 50, oldest: 599 } },
        store_lag: 9.5, store_log: 2.4e8, rewards: 94, rewards_capacity: 100,
        players: 0, players_capacity: 0,
        epoch_lag: histogram({ 1000: 99, 19000000: 1 }),
        endpoints: { tap: { requests: { 200: 1, 404: 4 }, lines_ok: 0,
                            lines_error: 3 } },
        boards: { weekly: { rows: 94, rows_capacity: 100, rebuilds: 9 } },
    }), []);
});


const cases: [Partial<Trove>, string, RegExp][] = [
    [{ store_failing: 1 }, 'bad', /takes no writes/],
    [{ store_lag: 11.5 }, 'bad', /11.5s behind/],
    [{ store_age: 11.5 }, 'bad', /what is read is 11.5s old/],
    [{ breaker_state: 2 }, 'bad', /breaker is open: Redis takes no writes/],
    [{ breaker_state: 1 }, 'bad', /half-open: .* writes, which are answered/],
    [{ breaker_state: 1, overflow_max: 10, overflow_up: 1 }, 'bad',
     /half-open: .* writes, those that would have to wait are answered 503/],
    [{ overflow_max: 10 }, 'bad', /nobody looks after the queues/],
    [{ overflow_max: 10, overflow_up: 1,
       overflow: { rewards: { pending: 6, oldest: 9 } } },
     'bad', /queue rewards has 60 % of what it may have/],
    [{ overflow_max: 10, overflow_up: 1,
       overflow: { 'board:b': { pending: 1, oldest: 700 } } },
     'warn', /wait for 11m 40s in the queue board:b/],
    [{ overflow_full: 3, overflow_away: 1 }, 'bad', /4 writes\/s find no room/],
    [{ overflow_invalid: 1 }, 'warn', /put aside/],
    [{ overflow_lost: 1 }, 'bad', /waited in queues is lost/],
    [{ store_log: 3e8 }, 'warn', /log of the store/],
    [{ arena_exhausted: 12 }, 'bad', /arena is used up, 12 requests/],
    [{ ledger_busy: 1 }, 'bad', /writes are given up/],
    [{ worker_deaths: 1 }, 'bad', /a worker has died/],
    [{ view_build_failures: 1 }, 'bad', /views cannot be built/],
    [{ endpoints: { tap: { requests: { 200: 1, 503: 4, 507: 1 },
                           lines_ok: 0, lines_error: 0 } } },
     'bad', /^tap: 5 answers\/s are errors/],
    [{ epoch_lag: histogram({ 1000: 1, 50000000: 1 }) }, 'warn',
     /epochs are 50ms late/],
    [{ rewards: 96, rewards_capacity: 100 }, 'warn', /rewards take 96 %/],
    [{ players: 10, players_capacity: 10 }, 'bad', /players take 100 %/],
    [{ claims: 95, claims_capacity: 100 }, 'warn', /claims take 95 %/],
    [{ boards: { weekly: { rows: 9, rows_capacity: 9, rebuilds: 0 } } },
     'bad', /rows of the board weekly take 100 %/],
    [{ started: NOW }, 'info', /has begun to count/],
];

for (const [of, level, text] of cases) {
    test(`${level}: ${text.source}`, () => {
        const all = found(of);

        assert.equal(all.length, 1);
        assert.equal(all[0]?.[0], level);
        assert.match(all[0]?.[1] ?? '', text);
    });
}


test('the worst comes first', () => {
    assert.deepEqual(found({ started: NOW, rewards: 19, rewards_capacity: 20,
                             arena_exhausted: 1 }).map(([level]) => level),
                     ['bad', 'warn', 'info']);
});
