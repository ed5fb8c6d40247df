import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rates, type Reading } from '../src/rates.js';
import type { GoodSample } from '../src/samples.js';
import { paint } from '../src/terminal.js';
import { add, frame, log, shown, turn, type ViewState } from '../src/view.js';
import { histogram, named, NOW, stats, trove } from './fixture.js';


const HOSTILE = '\x1b[2J\x1b]0;owned\x07\r\n\x9b31m\u202e\u200bname';


function sample(before: Reading, after: Reading): GoodSample {
    return {
        ok: true,
        stats: after.stats,
        rates: rates(before, after),
        elapsed: (after.at - before.at) / 1000,
        date: new Date(after.date),
    };
}


function hunt(n: number, name = 'gold') {
    return trove({
        rewards: 960, rewards_capacity: 1000,
        players: n, players_capacity: 400,
        arena_size: 1 << 24, arena_used: 1 << 20, arena_peak: 1 << 21,
        store_opens: 1, store_commits: n,
        overflow_max: 100, overflow_up: 1, overflow_queued: 300,
        overflow: { rewards: { pending: 40, oldest: 61 },
                    players: { pending: 0, oldest: 0 } },
        claims_granted: n * 3,
        coins: named([name, n]),
        boards: named([name, { rows: 5, rows_capacity: 10, rebuilds: 0 }]),
        endpoints: named(['poll', { requests: { 200: n, 503: n },
                                    lines_ok: 0, lines_error: 0 }],
                         [name, { requests: { 404: n }, lines_ok: 0,
                                  lines_error: 0 }]),
        latency: named(['poll', histogram({ 1023: n })],
                       [name, histogram({ 99999: n })]),
        epoch_lag: histogram({ 30000000: n }),
        workers: [{ pid: 4711, resident: 3 << 20, allocator_committed: 0,
                    allocator_reserved: 0 }],
    });
}


function state(name = 'hunt', url = 'http://127.0.0.1/stats'): ViewState {
    const at = (seconds: number, n: number): Reading => ({
        stats: stats(named([name, hunt(n, name)], ['other', trove()])),
        at: seconds * 1000,
        date: (NOW + seconds) * 1000,
    });
    const view: ViewState = { url };

    add(view, sample(at(0, 100), at(2, 300)));

    return view;
}


function text(view: ViewState, columns = 80, rows = 50): string[] {
    return frame(view, columns, rows).map((line) => paint(line, false));
}


test('80 columns show what there is', () => {
    const all = text(state()).join('\n');

    assert.match(all, /^poll +200 +100 +0 +100 +1.02us/m);
    assert.match(all, /^rewards +\[#{23}\.\] +96% +960 of 1,000$/m);
    assert.match(all, /^players +.* 75% +300 of 400$/m);
    assert.match(all, /^board +\[.* 50% +5 of 10, hunt$/m);
    assert.match(all, /^arena .*1 MB of 16 MB, at most 2 MB$/m);
    assert.match(all, /^store +good, 100 commits\/s/m);
    assert.match(all, /^overflow +good, breaker closed, 300 queued/m);
    assert.match(all, /^queue +\[.* 40% +40 of 100, rewards for /m);
    assert.doesNotMatch(all, /^queue .*players/m);
    assert.match(all, /^coins +hunt 100\/s$/m);
    assert.match(all, /claims_granted 300\/s/);
    assert.match(all, /^4711 +3 MB/m);
    assert.match(all, /rewards take 96 % of their capacity/);
    assert.match(all, /poll: 100 answers\/s are errors of the server/);
    assert.match(all, /epochs are 30ms late/);
});


test('no line is longer than the terminal, no screen higher', () => {
    for (const view of [state(), state(HOSTILE, HOSTILE), { url: 'a' }]) {
        for (let columns = 1; columns < 130; columns += 3) {
            for (let rows = 1; rows < 60; rows += 7) {
                const lines = text(view, columns, rows);

                assert.equal(lines.length, rows);
                assert.ok(lines.every((line) => line.length <= columns));
            }
        }
    }
});


test('thirty boards leave room for the rest', () => {
    const boards = Object.fromEntries(Array.from({ length: 30 }, (_, i) =>
        [`b${i}`, { rows: i, rows_capacity: 40, rebuilds: 0 }]));
    const at = (seconds: number): Reading => ({
        stats: stats({ hunt: { ...hunt(100), boards } }),
        at: seconds * 1000, date: (NOW + seconds) * 1000,
    });
    const view: ViewState = { url: 'a' };

    add(view, sample(at(0), at(1)));

    const all = text(view, 80, 24).join('\n');

    assert.deepEqual([...all.matchAll(/^board .*, (b\d+)$/gm)]
                     .map(([, name]) => name), ['b29', 'b28', 'b27', 'b26']);
    assert.match(all, /and 26 boards that are less full/);
    assert.match(all, /^arena /m);
    assert.match(all, /^store /m);
    assert.match(all, /^memory /m);
});


test('hostile names are shown, and do nothing', () => {
    const view = state(HOSTILE, `http://${HOSTILE}/`);

    view.bad = { ok: false, error: new Error(HOSTILE), failures: 2,
                 retryIn: 1000 };

    const lines = [...text(view, 300, 80),
                   ...log(view.bad), ...(view.good ? log(view.good) : [])];

    for (const line of lines) {
        assert.match(line, /^[\x20-\x7e]*$/);
    }

    assert.ok(lines.filter((line) => line.includes('\\u{1b}[2J')).length > 4);
});


test('another trove is a key away', () => {
    const view = state();

    assert.equal(shown(view), 'hunt');
    turn(view, 1);
    assert.equal(shown(view), 'other');
    assert.match(text(view).join('\n'), /^other \(2 of 2\)/m);
    turn(view, 1);
    assert.equal(shown(view), 'hunt');
    turn(view, -1);
    assert.equal(shown(view), 'other');

    view.trove = 'gone';
    assert.equal(shown(view), 'hunt');
});


test('while the server is away the last figures stay, and it is said', () => {
    const view = state();

    add(view, { ok: false, error: new Error('no answer'), failures: 3,
                retryIn: 4000 });

    const all = text(view).join('\n');

    assert.match(all, /3 times: no answer; again in 4s/);
    assert.match(all, /^hunt \(1 of 2\)  as it was/m);
    assert.match(all, /960 of 1,000/);
});


test('nothing is wrong where nothing is', () => {
    const view: ViewState = { url: 'a' };
    const at = (seconds: number): Reading =>
        ({ stats: stats({ calm: trove() }), at: seconds * 1000,
           date: (NOW + seconds) * 1000 });

    assert.match(text(view).join('\n'), /waiting for an answer/);
    add(view, sample(at(0), at(1)));
    assert.match(text(view).join('\n'), /Nothing is wrong/);

    const none: ViewState = { url: 'a' };

    add(none, { ...sample(at(0), at(1)), stats: stats(), rates: {} });
    assert.match(text(none).join('\n'), /nginx has no trove/);
});


test('lines of a log', () => {
    const { good } = state();

    assert.ok(good);

    const lines = log(good);

    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', new RegExp(
        '^2027-01-15T08:00:02Z hunt; poll 200/s p50 1.02us p99 1.02us; '
        + 'hunt 100/s .*; ! poll: 100 answers/s are errors'));
    assert.match(lines[1] ?? '', /Z other$/);
    assert.equal(log(good, 'other').length, 1);
});
