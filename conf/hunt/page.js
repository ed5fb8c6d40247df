/*
 * The page of the demo: the hunt, its board, and what the server says of it.
 */

'use strict';

const BOARD = 'hunters';

/* Of the lines: what is written beside them, and at which part of the height */

const SCALE = [ [ '1 s', 0 ], [ '1 ms', 0.5 ], [ '1 µs', 1 ] ];

const $ = (id) => document.getElementById(id);

const events = [];
const hunt = new Hunt(happened);
const world = new WorldMap($('map'), (at) => hunt.place(at).catch(
                           (e) => happened('not placed, ' + words(e))));
const server = new History();

const troubles = new Map();   /* in words, by what has them */

let paused = false;


function element(name, properties, ...children) {
    const e = Object.assign(document.createElement(name), properties);

    e.append(...children);

    return e;
}


function rows(table, list) {
    table.replaceChildren(element('tbody', {}, ...list.map(
        ([ head, ...cells ]) => element('tr', {},
            element('th', { scope: 'row' }, head),
            ...cells.map((text) => element('td', {}, text))))));
}


function happened(text) {
    if (events[0] === text) {
        return;
    }

    events.unshift(text);
    events.length = Math.min(events.length, 6);

    $('events').replaceChildren(...events.map((line) => element('li', {},
                                                                line)));
}


function words(e) {
    return e instanceof TypeError ? 'nginx does not answer' : e.message;
}


/* What part of the page has trouble, or none any more. */

function trouble(who, e) {
    if (e) {
        troubles.set(who, words(e));
    } else {
        troubles.delete(who);
    }

    const text = [ ...new Set(troubles.values()) ].join('; ');

    $('trouble').hidden = text === '';

    if ($('trouble').textContent !== text) {
        $('trouble').textContent = text;
    }
}


/* Players begin in what is seen. */

function within(at) {
    const left = world.left(at.x), top = world.top(at.y);

    return left > 0 && left < world.width && top > 0 && top < world.height;
}


function controls() {
    hunt.people(Number($('players').value), within);
    hunt.speed = 2 ** ((Number($('speed').value) - 10) / 2);

    $('players-said').textContent = $('players').value;
    $('speed-said').textContent = '×' + short(hunt.speed, 2);
}


async function tick() {
    const began = performance.now();

    if (!paused && !document.hidden) {
        await hunt.tick().then(() => trouble('hunt'),
                               (e) => trouble('hunt', e));
    }

    setTimeout(tick, Math.max(0, TICK - (performance.now() - began)));
}


/* Once a second: what the server says, and the board */

async function read(path) {
    const answer = await fetch(path, { cache: 'no-store' });

    if (!answer.ok) {
        throw new Error(path.replace(/\?.*/, '') + ' answers '
                        + answer.status);
    }

    return answer.json();
}


async function look() {
    try {
        if (!document.hidden) {
            const stats = await read('stats?format=json');
            const began = performance.now();

            await read(`poll?x=${world.x}&y=48`);

            const one = (performance.now() - began) / 1000;

            server.add(Date.now() / 1000, stats.troves.hunt);
            tellServer(one);

            const board = await read(`board/${BOARD}?top=10`);

            rows($('board'), board.list.map((e) =>
                [ e.player, String(e.rank), String(e.score) ]));
        }

        trouble('look');

    } catch (e) {
        trouble('look', e);
    }

    setTimeout(look, 1000);
}


function tellServer(one) {
    const poll = (t) => t.latency.poll;
    const claim = (t) => t.latency.claim;

    if (server.looks.length > 1) {
        server.point(server.last.at, { one, all: hunt.wait,
            p99: server.quantile(poll, 0.99, 10) });
    }

    const names = [ [ 'one', 'first', 'a poll, seen from here' ],
                    [ 'all', 'third', 'everybody\'s at once, from here' ],
                    [ 'p99', 'second', 'of that in the module, p99' ] ];
    const last = (list) => list.length ? list[list.length - 1] : null;

    rows($('latency'), names.map(([ name, color, label ]) => {
        const swatch = element('span', { className: 'swatch' });

        swatch.style.background = `var(--${color})`;

        return [ element('span', {}, swatch, label),
                 inSeconds(last(server.of(name))) ];
    }));

    lines(names);

    rows($('rates'), [
        [ 'polls', inNumber(server.rate((t) => t.endpoints.poll.lines_ok,
                                        5)) ],
        [ 'claims granted', inNumber(server.rate((t) => t.claims_granted,
                                                 5)) ],
        [ 'taps granted', inNumber(server.rate((t) => t.taps_granted, 5)) ],
        [ 'claims, p99', inSeconds(server.quantile(claim, 0.99, 10)) ],
    ]);
}


/* The last minutes on a logarithmic scale, 1 us to 1 s */

function lines(names) {
    const canvas = $('lines');
    const c = canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);

    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    c.lineWidth = 1.5 * devicePixelRatio;

    c.font = 11 * devicePixelRatio + 'px system-ui, sans-serif';
    c.textBaseline = 'middle';
    c.fillStyle = style.getPropertyValue('--faint');
    c.strokeStyle = style.getPropertyValue('--line');

    const inset = 40 * devicePixelRatio;

    for (const [ text, part ] of SCALE) {
        const y = canvas.height * (0.08 + 0.84 * part);

        c.fillText(text, 0, y);
        c.beginPath();
        c.moveTo(inset, y);
        c.lineTo(canvas.width, y);
        c.stroke();
    }

    for (const [ name, color ] of names) {
        const list = server.of(name).slice(-180);

        c.strokeStyle = style.getPropertyValue('--' + color);
        c.beginPath();

        list.forEach((v, i) => {
            if (v !== null) {
                const part = -Math.log10(Math.min(1, Math.max(v, 1e-6))) / 6;

                c.lineTo(inset + (canvas.width - inset) * i
                                 / Math.max(1, list.length - 1),
                         canvas.height * (0.08 + 0.84 * part));
            }
        });

        c.stroke();
    }
}


function frame() {
    world.draw(hunt.players, hunt.placed);
    requestAnimationFrame(frame);
}


$('controls').addEventListener('input', controls);
$('in').addEventListener('click', () => world.zoomIn());
$('out').addEventListener('click', () => world.zoomOut());

$('pause').addEventListener('click', () => {
    paused = !paused;
    $('pause').textContent = paused ? 'Go on' : 'Pause';
    $('pause').setAttribute('aria-pressed', String(paused));
});

async function begin() {
    try {
        await hunt.load();

    } catch (e) {
        trouble('rewards', e);
        setTimeout(begin, 2000);
        return;
    }

    trouble('rewards');
    world.show(hunt.places);
    controls();
    tick();
    look();
    frame();
}


begin();
