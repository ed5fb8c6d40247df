/*
 * Looks at the statistics once a second, and shows them.
 */

'use strict';

const EVERY = 1000;           /* ms between two looks */
const PATIENCE = 5000;        /* ms until a look is given up */
const SLOWEST = 4000;         /* ms between looks at a server that is away */
const TOPS = 5;               /* boards that are read at once */
const OTHERS = 5;             /* statements of troves that are not shown */

const LEVELS = { '2': [ 'bad', 'Broken' ], '1': [ 'warn', 'Look at' ],
                 '0': [ 'note', 'Note' ], '-1': [ 'good', 'Good' ] };

const $ = (id) => document.getElementById(id);

const histories = new Map();  /* of troves, by name */

const charts = {
    requests: new Chart($('requests'), inNumber),
    latency: new Chart($('latency'), inSeconds, 1e-6),
    loop: new Chart($('loop'), inSeconds, 1e-6),
    arena: new Chart($('arena'), inBytes),
    resident: new Chart($('resident'), inBytes),
};

const histogram = new Histogram($('histogram'));

let doc = null;               /* the latest answer */
let answered = 0;             /* when, ms */
let failure = '';
let failures = 0;
let paused = false;
let timer = 0;
let tops = '';                /* whose boards are shown */
let turn = 0;                 /* of the boards: which are read next */


async function look() {
    clearTimeout(timer);

    if (paused || document.hidden) {
        return;
    }

    const began = performance.now();
    const abort = new AbortController();
    const patience = setTimeout(() => abort.abort(), PATIENCE);

    try {
        const answer = await fetch('?format=json', {
            signal: abort.signal, cache: 'no-store',
            credentials: 'same-origin' });

        if (!answer.ok) {
            throw new Error('it answers ' + answer.status);
        }

        take(await read(answer));
        failure = '';
        failures = 0;

    } catch (e) {
        failures++;
        failure = abort.signal.aborted
                  ? 'it does not answer within ' + PATIENCE / 1000 + ' s'
                  : e instanceof TypeError ? 'there is no connection'
                  : e.message;
    }

    if (failures === 0) {
        await lookAtBoards(abort.signal);
    }

    clearTimeout(patience);

    if (histories.size > 0) {
        show();
    } else {
        tell([ failure ? statement(BAD, 'No statistics', failure)
                       : statement(NOTE, 'No trove', 'The configuration of '
                                   + 'nginx has none.') ]);
    }

    const wait = Math.min(SLOWEST, EVERY * 2 ** Math.min(failures, 5));

    clearTimeout(timer);
    timer = setTimeout(look, Math.max(0, wait - (performance.now() - began)));
}


async function read(answer) {
    let statistics = null;

    try {
        statistics = JSON.parse(await answer.text());

    } catch (e) {
        if (!(e instanceof SyntaxError)) {
            throw e;
        }
    }

    if (!statistics || typeof statistics.troves !== 'object') {
        throw new Error('what it answers are no statistics of trove');
    }

    return statistics;
}


/* The top of each board of the trove that is shown, of many in turns */

async function lookAtBoards(signal) {
    const trove = $('trove').value || [ ...histories.keys() ][0];
    const boards = Object.keys(histories.get(trove)?.last.trove.boards || {});

    const boxes = boxesOf(trove, boards);

    try {
        for (let i = 0; i < Math.min(TOPS, boards.length); i++) {
            const at = turn++ % boards.length;
            const answer = await fetch('?' + new URLSearchParams(
                { trove, board: boards[at], top: 5 }),
                { signal, cache: 'no-store' });

            if (answer.ok) {
                showBoard(boxes[at], await answer.json());
            }
        }

    } catch (e) {
        return;               /* the next look will tell */
    }
}


function take(answer) {
    const at = Date.now() / 1000;

    doc = answer;
    answered = Date.now();

    for (const [ name, trove ] of Object.entries(doc.troves)) {
        let h = histories.get(name);

        if (!h) {
            h = new History();
            histories.set(name, h);
        }

        h.add(at, trove);

        if (h.looks.length > 1) {
            h.point(at, point(h));
        }
    }

    for (const name of histories.keys()) {
        if (!Object.hasOwn(doc.troves, name)) {
            histories.delete(name);
        }
    }
}


/* What is drawn, of this second. */

function point(h) {
    const t = h.last.trove;
    const values = {};

    for (const name of Object.keys(t.endpoints)) {
        values['rate ' + name] = h.rate((x) => sumOf(x.endpoints[name]
                                                       .requests), 1);
        for (const q of [ 0.5, 0.99, 0.999 ]) {
            values[q + ' ' + name] = h.quantile((x) => x.latency[name], q, 10);
        }
    }

    values.lag = h.quantile((x) => x.epoch_lag, 0.99, 10);
    values.turn = h.quantile((x) => x.epoch_turn, 0.99, 10);
    values.used = t.arena_used;
    values.peak = t.arena_peak;

    for (const w of t.workers) {
        values['worker ' + w.pid] = w.resident;
    }

    for (const [ name, used ] of capacities(t)) {
        values['used ' + name] = used;
    }

    return values;
}


function show() {
    const name = choose($('trove'), [ ...histories.keys() ]);
    const h = histories.get(name);
    const t = h.last.trove;
    const endpoints = Object.keys(t.endpoints);
    const endpoint = choose($('endpoint'), endpoints);

    $('trove-choice').hidden = histories.size < 2;

    for (const e of document.querySelectorAll('.endpoint')) {
        e.textContent = endpoint;
    }

    $('about').textContent = 'trove ' + doc.version + ' in nginx ' + doc.nginx
        + ', ' + t.simd + ', counting for '
        + inTime(Math.max(0, answered / 1000 - t.started));

    showHealth(name, h);

    charts.requests.draw(h, endpoints.map((e) => [ 'rate ' + e, e ]));
    charts.latency.draw(h, [ [ '0.5 ' + endpoint, 'p50' ],
                             [ '0.99 ' + endpoint, 'p99' ],
                             [ '0.999 ' + endpoint, 'p99.9' ] ]);
    charts.loop.draw(h, [ [ 'lag', 'epoch lag' ], [ 'turn', 'epoch turn' ] ]);
    charts.arena.draw(h, [ [ 'used', 'used in the last epoch' ],
                           [ 'peak', 'most in an epoch' ] ]);
    charts.resident.draw(h, t.workers.map((w) => [ 'worker ' + w.pid,
                                                   'worker ' + w.pid ]));
    histogram.draw(h.buckets((x) => x.latency[endpoint], 60));

    showCodes(h);
    showCapacity(t);
    showStore(h);
    showQueues(h);
    showMemory(t);
}


/* The chosen one of the options, which are kept if they are the same. */

function choose(select, names) {
    const chosen = names.includes(select.value) ? select.value : names[0];

    if (names.join('\n') !== [ ...select.options ].map((o) => o.value)
                                                  .join('\n'))
    {
        select.replaceChildren(...names.map((name) =>
            element('option', { value: name }, name)));
    }

    select.value = chosen;

    return chosen;
}


/* Of the trove that is shown, and what is bad of others */

function showHealth(name, h) {
    const away = failure ? [ statement(BAD, 'No answer for '
                                 + inTime((Date.now() - answered) / 1000)
                                 + ': ' + failure, 'What is below is what was '
                                 + 'known last.') ] : [];
    const said = [ ...away, ...health(h).filter(({ level }) => level >= NOTE
                                                               || !failure) ];
    const others = elsewhere(histories, name, said);
    const more = new Set(others.slice(OTHERS).map(({ trove }) => trove));

    if (more.size > 0) {
        others.splice(OTHERS, Infinity,
                      statement(others[OTHERS].level, 'And more of '
                                + [ ...more ].join(', ')));
    }

    const bad = [ ...said, ...others ].some(({ level }) => level === BAD);

    document.title = (bad ? '⚠ ' : '') + name + ' – trove';
    tell([ ...said, ...others ]);
}


function tell(statements) {
    const items = statements.map(({ level, what, where, trove }) => {
        const [ tone, word ] = LEVELS[level];

        return element('li', { className: tone }, element('b', {}, word),
                       ...(trove === undefined ? [] : [ opener(trove) ]),
                       element('span', {}, what + '. ' + (where || '')));
    });

    /* who listens is told of what is new only */

    const now = items.map((item) => item.textContent).join('\n');

    if (now !== tell.said) {
        const held = document.activeElement?.closest('#statements button');

        tell.said = now;
        $('statements').replaceChildren(...items);

        /* a key's place is not lost to what is new */

        [ ...document.querySelectorAll('#statements button') ]
            .find((e) => e.textContent === held?.textContent)?.focus();
    }
}


function opener(trove) {
    const button = element('button', { type: 'button', title: 'Show it' },
                           trove);

    button.addEventListener('click', () => {
        $('trove').value = trove;
        redraw();
        $('health').focus();
    });

    return button;
}


function showCodes(h) {
    const rows = [];

    for (const [ name, endpoint ] of Object.entries(h.last.trove.endpoints)) {
        for (const [ code, n ] of Object.entries(endpoint.requests)) {
            const rate = h.rate((t) => t.endpoints[name].requests[code] || 0,
                                10);

            rows.push(row(name + ' ' + code, inNumber(rate), inNumber(n)));
        }
    }

    table($('codes'), '', [ '', 'a second', 'in all' ], rows);
}


function showCapacity(t) {
    const amounts = [
        [ 'arenas, most in an epoch', t.arena_peak, t.arena_size, inBytes ],
        ...capacities(t).map(([ name, used, room ]) =>
                                 [ name, used, room, inNumber ]),
    ];

    const rows = amounts.filter(([ , , room ]) => room > 0)
                        .map(([ name, used, room, say ]) => {
        const meter = element('meter', { min: 0, max: room,
                                         high: LIMITS.used * room,
                                         value: used });

        meter.setAttribute('aria-label', name);

        return row(name, meter, say(used), say(room),
                   short(100 * used / room) + ' %');
    });

    table($('capacity'), '', [ '', '', 'used', 'of', '' ], rows);
}


function showStore(h) {
    const t = h.last.trove;

    if (t.store_opens === 0 && t.store_failing === 0) {
        table($('store'), 'None, or nothing was written to it yet', [], []);
        return;
    }

    if (t.store_connected || t.store_position) {
        table($('store'), t.store_connected ? 'Shared with other machines'
                                            : 'It is not reached',
              [ '', 'now', 'a second', 'in all' ], [
            row('age of the copy', inSeconds(t.store_age), '', ''),
            row('requests waiting', inNumber(t.store_waiting), '', ''),
            breakerRow(h),
            row('calls', '', inNumber(h.rate((x) => x.store_calls, 10)),
                inNumber(t.store_calls)),
            row('call p99', inSeconds(h.quantile((x) => x.store_call, 0.99,
                                                 60)), '', ''),
            row('entries of its log', inNumber(t.store_position),
                inNumber(h.rate((x) => x.store_entries, 10)),
                inNumber(t.store_entries)),
            row('read anew', '', '', inNumber(t.store_snapshots)),
        ]);
        return;
    }

    table($('store'), t.store_failing ? 'It takes no writes' : '',
          [ '', 'now', 'a second', 'in all' ], [
        row('behind', inSeconds(t.store_lag), '', ''),
        row('log', inBytes(t.store_log), '', ''),
        row('requests waiting', inNumber(t.store_waiting), '', ''),
        ...[ 'commits', 'rewards', 'players', 'claims', 'scores' ]
            .filter((name) => 'store_' + name in t)
            .map((name) => row(name, '',
                               inNumber(h.rate((x) => x['store_' + name], 10)),
                               inNumber(t['store_' + name]))),
        row('flush p99', inSeconds(h.quantile((x) => x.store_flush, 0.99,
                                              60)), '', ''),
    ]);
}


/* What waits, and what has become of what did */

function showQueues(h) {
    const t = h.last.trove;

    $('overflow').hidden = t.overflow_max === 0;

    table($('queues'), t.overflow_up ? '' : 'Nobody looks after them',
          [ '', '', 'waiting', 'of', 'for' ],
          Object.entries(t.overflow).map(([ name, { pending, oldest } ]) => {
        const meter = element('meter', { min: 0, max: t.overflow_max,
                                         high: LIMITS.filled * t.overflow_max,
                                         value: pending });

        meter.setAttribute('aria-label', name);

        return row(name, meter, inNumber(pending), inNumber(t.overflow_max),
                   oldest > 0 ? inTime(oldest) : '');
    }));

    table($('queued'), '', [ '', 'a second', 'in all' ], [
        ...[ [ 'queued' ], [ 'carried out', 'drained' ],
             [ 'queue full', 'full' ], [ 'no queue', 'away' ],
             [ 'put aside', 'invalid' ], [ 'lost' ] ]
            .map(([ what, name = what ]) =>
                row(what, inNumber(h.rate((x) => x['overflow_' + name], 10)),
                    inNumber(t['overflow_' + name]))),
        row('breaker', '', BREAKER[t.breaker_state]),
        row('call p99', '', inSeconds(h.quantile((x) => x.overflow_call, 0.99,
                                                 60))),
    ]);
}


/* What it is, and how often it has come to be open */

function breakerRow(h) {
    const t = h.last.trove;

    return row('breaker', BREAKER[t.breaker_state],
               inNumber(h.rate((x) => x.breaker_opened, 10)),
               inNumber(t.breaker_opened));
}


function showMemory(t) {
    table($('memory'), doc.allocator.name + ' ' + doc.allocator.version,
          [ '', 'resident', 'committed', 'reserved' ], [
        ...t.workers.map((w) => row('worker ' + w.pid, inBytes(w.resident),
                                    inBytes(w.allocator_committed),
                                    inBytes(w.allocator_reserved))),
        row('ledger, shared', inBytes(t.ledger_bytes), '', ''),
        row('views', inBytes(t.view_bytes), '', ''),
        row('arenas', inBytes(t.arena_size), '', ''),
        row('of it in large pages', inBytes(t.large_pages), '', ''),
    ]);
}


/* Where the boards are shown, made anew when they are others */

function boxesOf(trove, boards) {
    const key = [ trove, ...boards ].join('\n');

    $('boards').hidden = boards.length === 0;

    if (key !== tops) {
        tops = key;
        turn = 0;
        $('tops').replaceChildren(...boards.map(() => element('div')));
    }

    return [ ...$('tops').children ];
}


function showBoard(box, { board, rows, ends, list }) {
    const until = ends === null ? '' : ', ends '
                  + new Date(ends * 1000).toLocaleString();

    table(box, board + ', ' + inNumber(rows) + ' rows' + until,
          list.length > 0 ? [ 'player', 'rank', 'score' ] : [],
          list.map((e) => row(e.player, String(e.rank), String(e.score))));
}


function redraw() {
    for (const chart of [ ...Object.values(charts), histogram ]) {
        chart.clear();
    }

    if (histories.size > 0) {
        show();
    }
}


$('pause').addEventListener('click', () => {
    paused = !paused;
    $('pause').textContent = paused ? 'Go on' : 'Pause';
    $('pause').setAttribute('aria-pressed', String(paused));
    look();
});

$('trove').addEventListener('change', redraw);
$('endpoint').addEventListener('change', redraw);
document.addEventListener('visibilitychange', look);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

for (const part of [ 'header', 'page' ]) {
    $(part).hidden = false;
}

look();
