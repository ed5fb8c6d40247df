/*
 * Players that are simulated: they poll, walk to what they found, claim it, and
 * tap now and then, all through the module's own locations.
 */

'use strict';

const TICK = 250;             /* ms: four polls a second */
const SEEN = 50000;           /* metres that a poll looks */
const REACH = 1800;           /* and that a claim is made from */
const WALK = 1000;            /* metres a second at speed 1 */
const TAPS = 0.1;             /* of the players tap in a tick */
const NDJSON = 'application/x-ndjson';
const GONE = "the reward's stock is gone";


/* What the players of this tab are called by, the same when it is reloaded */

function names() {
    const kept = sessionStorage.getItem('hunters');

    if (kept) {
        return kept;
    }

    const run = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);

    sessionStorage.setItem('hunters', run);

    return run;
}


class Hunt {

    /* "tell" is called with what happens, in words. */

    constructor(tell) {
        this.tell = tell;
        this.players = [];
        this.placed = [];
        this.places = { x: [], y: [], n: 0 };
        this.speed = 1;
        this.wait = null;               /* seconds, for the last polls */
        this.run = names();
        this.busy = false;
    }

    /* All rewards there are; they come in lines. */

    async load() {
        const answer = await fetch('rewards', { cache: 'no-store' });

        if (!answer.ok) {
            throw new Error('rewards answers ' + answer.status);
        }

        const lines = (await answer.text()).trim().split('\n');
        const x = new Float64Array(lines.length);
        const y = new Float64Array(lines.length);
        let n = 0;

        for (const line of lines) {
            if (line) {
                const reward = JSON.parse(line);

                x[n] = reward.x;
                y[n++] = reward.y;
            }
        }

        this.places = { x, y, n };
    }

    /* So many players; new ones begin at some place of that part of the map. */

    people(count, within) {
        while (this.players.length < count) {
            const n = this.players.length;
            const at = this.somewhere(within) || { x: 12.49, y: 41.89 };

            this.players.push({ id: `hunter-${this.run}-${n}`, x: at.x,
                                y: at.y, goal: null, done: new Set() });
        }

        this.players.length = count;
    }

    somewhere(within) {
        for (let i = 0; i < 500 && this.places.n > 0; i++) {
            const n = Math.floor(Math.random() * this.places.n);
            const at = { x: this.places.x[n], y: this.places.y[n] };

            if (!within || within(at)) {
                return at;
            }
        }

        return null;
    }

    /* Sends objects as lines, returns the lines of the answer. */

    async batch(path, objects) {
        const answer = await fetch(path, {
            method: 'POST', cache: 'no-store',
            headers: { 'Content-Type': NDJSON },
            body: objects.map((o) => JSON.stringify(o) + '\n').join('') });

        if (!answer.ok) {
            throw new Error(path + ' answers ' + answer.status);
        }

        return (await answer.text()).trim().split('\n')
                                    .map((line) => JSON.parse(line));
    }

    /* A quarter of a second of everybody's life */

    async tick() {
        const players = [ ...this.players ];

        if (this.busy || players.length === 0) {
            return;
        }

        this.busy = true;

        try {
            await this.poll(players);
            await this.claim(players);
            await this.tap(players.filter(() => Math.random() < TAPS));

        } finally {
            this.busy = false;
        }
    }

    async poll(players) {
        const began = performance.now();
        const answers = await this.batch('poll', players.map((p) => ({
            player: p.id, x: p.x, y: p.y, r: SEEN, limit: 8, detail: true })));

        this.wait = (performance.now() - began) / 1000;

        players.forEach((p, i) => {
            const found = (answers[i].rewards || [])
                          .filter(({ id }) => !p.done.has(id));

            for (const { id } of found) {
                this.noticed(p, id);
            }

            p.prey = found[0] || null;
            p.goal = p.sent || p.prey || p.goal || this.somewhere((at) =>
                         distance(p, at) < 10 * SEEN) || this.somewhere();

            this.walk(p);
        });
    }

    walk(p) {
        const far = distance(p, p.goal);
        const step = this.speed * WALK * TICK / 1000;

        if (far <= step || far < 1) {
            p.x = p.goal.x;
            p.y = p.goal.y;

            if (p.goal !== p.prey) {
                p.goal = null;
                p.sent = null;
            }

            return;
        }

        const dx = ((p.goal.x - p.x + 540) % 360) - 180;

        p.x = ((p.x + dx * step / far + 540) % 360) - 180;
        p.y += (p.goal.y - p.y) * step / far;
    }

    async claim(players) {
        const near = players.filter((p) => p.prey
                                           && distance(p, p.prey) < REACH);

        if (near.length === 0) {
            return;
        }

        const answers = await this.batch('claim', near.map((p) => ({
            player: p.id, reward: p.prey.id, x: p.x, y: p.y })));

        near.forEach((p, i) => {
            p.done.add(p.prey.id);
            this.claimed(p, p.prey.id, answers[i]);
            p.prey = null;
            p.goal = null;

            if (p.sent && distance(p, p.sent) < REACH) {
                p.sent = null;
            }
        });
    }

    async tap(players) {
        if (players.length === 0) {
            return;
        }

        await this.batch('tap', players.map((p) => ({ player: p.id })));
    }

    /* A reward of one's own; the players that are nearest are sent there. */

    async place(at) {
        const reward = { id: 4000000000 + Math.floor(Math.random() * 2e8),
                         x: at.x, y: at.y, value: 100, stock: 1 };
        const answer = await fetch('rewards', {
            method: 'POST', headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(reward) });

        if (!answer.ok) {
            this.tell('the reward is refused: ' + answer.status);
            return;
        }

        const { version } = await answer.json();

        this.placed.push({ ...reward, since: performance.now(), found: false,
                           gone: false });
        this.tell(`you placed ${reward.id}, version ${version}`);

        [ ...this.players ].sort((a, b) => distance(a, at) - distance(b, at))
                           .slice(0, 5).forEach((p) => {
            p.sent = { x: at.x, y: at.y };
            p.goal = p.sent;
        });
    }

    noticed(p, id) {
        const mine = this.placed.find((r) => r.id === id && !r.found);

        if (mine) {
            mine.found = true;
            this.tell(`${p.id} found ${id} after `
                      + inSeconds((performance.now() - mine.since) / 1000));
        }
    }

    claimed(p, id, answer) {
        const mine = this.placed.find((r) => r.id === id);

        if (answer.error && answer.error !== GONE) {
            this.tell('a claim is refused: ' + answer.error);
        }

        if (mine && !mine.gone && !answer.error) {
            mine.gone = true;
            this.tell(`${p.id} claimed ${id}, and now has ${answer.balance}`);
        }
    }
}
