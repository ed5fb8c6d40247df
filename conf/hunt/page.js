/*
 * The page of the demo: the hunt, its board, and what the server says of it.
 */

'use strict';

const BOARD = 'hunters';

const $ = (id) => document.getElementById(id);

const events = [];
const hunt = new Hunt(happened);
const world = new WorldMap($('map'), (at) => hunt.place(at).catch(failed));
const server = new History();

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
    events.unshift(text);
    events.length = Math.min(events.length, 6);

    $('events').replaceChildren(...events.map((line) => element('li', {},
                                                                line)));
}


function failed(e) {
    const text = 'no answer: ' + e.message;

    if (events[0] !== text) {
        happened(text);
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
        await hunt.tick().catch(failed);
    }

    setTimeout(tick, Math.max(0, TICK - (performance.now() - began)));
}


/* Once a second: what the server says, and the board */

async function look() {
    try {
        const answer = await fetch('stats?format=json', { cache: 'no-store' });
        const stats = await answer.json();

        const began = performance.now();

        await fetch(`poll?x=${world.x}&y=48`, { cache: 'no-store' });

        server.add(Date.now() / 1000, stats.troves.hunt);
        tellServer((performance.now() - began) / 1000);

        const board = await fetch('board/' + BOARD + '?top=10',
                                  { cache: 'no-store' });

        if (board.ok) {
            rows($('board'), (await board.json()).list.map((e) =>
                [ e.player, String(e.rank), String(e.score) ]));
        }

    } catch (e) {
        failed(e);
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

    for (const [ name, color ] of names) {
        const list = server.of(name).slice(-180);

        c.strokeStyle = style.getPropertyValue('--' + color);
        c.beginPath();

        list.forEach((v, i) => {
            if (v !== null) {
                c.lineTo(canvas.width * i / Math.max(1, list.length - 1),
                         -canvas.height * Math.log10(Math.max(v, 1e-6)) / 6);
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

hunt.load().then(() => {
    world.show(hunt.places);
    controls();
    tick();
    look();
    frame();
}).catch(failed);
