/*
 * What is wrong, in words, the worst first: what was seen, what it means, and
 * where to look.  Each rule looks at one history and returns what it has to
 * say, or nothing.
 */

'use strict';

const BAD = 2, WARN = 1, NOTE = 0;


function sumOf(object) {
    return Object.values(object).reduce((sum, n) => sum + n, 0);
}


function codesOf(trove, matches) {
    let sum = 0;

    for (const { requests } of Object.values(trove.endpoints)) {
        for (const [ code, n ] of Object.entries(requests)) {
            if (matches.test(code)) {
                sum += n;
            }
        }
    }

    return sum;
}


function statement(level, what, where) {
    return { level, what, where };
}


const RULES = [

    function eventLoop(h) {
        const lag = h.quantile((t) => t.epoch_lag, 0.99, 10);
        const turn = h.quantile((t) => t.epoch_turn, 0.99, 10);

        if (lag === null || lag < 2e-3) {
            return null;
        }

        const lines = h.rate((t) => t.endpoints.rewards.lines_ok, 10);
        const why = turn > lag / 3
                  ? 'turning the epoch itself takes ' + inSeconds(turn)
                    + ', for ' + inNumber(h.rate((t) => t.view_changes, 10))
                    + ' changes a second are brought into the views.'
                  : lines > 1000
                  ? 'a bulk load of ' + inNumber(lines)
                    + ' rewards a second; it passes.'
                  : 'another module, a slow disk (logs, temporary files), or '
                    + 'a machine without a CPU to spare. Compare with top.';

        return statement(lag > 20e-3 ? BAD : WARN,
                         'Epoch lag p99 ' + inSeconds(lag)
                         + ': the event loop is stuck that long', 'Behind '
                         + why);
    },

    function exhausted(h) {
        const n = h.grown((t) => t.arena_exhausted, 60);

        return n > 0 && statement(BAD, inNumber(n) + ' requests of the last '
                                  + 'minute found the arena used up',
                                  'They were answered 503. Raise "arena", or '
                                  + 'lower "limit" or "epoch".');
    },

    function store(h) {
        const t = h.last.trove;

        if (t.store_failing) {
            const names = [ 'full', 'busy', 'io', 'gone', 'foreign', 'nomem',
                            'away', 'timeout', 'denied', 'readonly', 'lost' ];
            const why = names.filter((name) =>
                            h.grown((x) => x['store_' + name], 60) > 0);

            return statement(BAD, 'The store takes no writes'
                             + (why.length ? ' (' + why.join(', ') + ')' : ''),
                             'It is tried again by itself; what is granted '
                             + 'meanwhile is not durable. See the error log '
                             + 'and the disk.');
        }

        return t.store_lag > 2
               && statement(t.store_lag > 10 ? BAD : WARN,
                            'The store is ' + inTime(t.store_lag) + ' behind',
                            'Its disk is too slow for the writes, or it '
                            + 'hangs; see iostat.');
    },

    function waiting(h) {
        const n = h.grown((t) => t.store_ack_timeouts, 60);

        return n > 0 && statement(BAD, inNumber(n) + ' writes of the last '
                                  + 'minute waited for the store in vain',
                                  'They were answered 503, see "ack" and the '
                                  + 'store.');
    },

    function full(h) {
        const n = h.grown((t) => codesOf(t, /^507$/) + t.rewards_full
                                 + t.claims_full + t.taps_full, 60);

        return n > 0 && statement(BAD, inNumber(n) + ' writes of the last '
                                  + 'minute found the ledger full',
                                  'Raise "capacity" and restart.');
    },

    function failing(h) {
        const n = h.grown((t) => codesOf(t, /^5/), 60);
        const all = h.grown((t) => codesOf(t, /./), 60);

        return n > 0 && statement(n > all / 100 ? BAD : WARN,
                                  inNumber(n) + ' of ' + inNumber(all)
                                  + ' requests of the last minute failed',
                                  'Codes 500 to 599; the table of codes says '
                                  + 'where.');
    },

    function held(h) {
        const n = h.grown((t) => t.ledger_busy, 60);

        return n > 0 && statement(WARN, 'The ledger was held too long '
                                  + inNumber(n) + ' times in the last minute',
                                  'A worker or another process that has it '
                                  + 'was stopped; see ps for state T or D.');
    },

    function capacity(h) {
        const said = [];

        for (const [ name, used, room ] of capacities(h.last.trove)) {
            const slope = h.slope('used ' + name, 60);
            const left = slope > 0 ? (room - used) / slope : Infinity;

            if (room === 0 || (used < 0.9 * room && left > 86400)) {
                continue;
            }

            said.push(statement(used > 0.98 * room || left < 3600 ? BAD : WARN,
                                'Of ' + name + ' '
                                + short(100 * used / room) + ' % are used'
                                + (left < 86400 ? ', all in ' + inTime(left)
                                                  + ' at this rate' : ''),
                                'Beyond it writes are answered 507. Raise '
                                + '"capacity" and restart.'));
        }

        return said;
    },

    function behind(h) {
        const old = h.before(5).trove;
        const t = h.last.trove;

        return h.last.at - h.before(5).at > 3
               && t.view_version < old.ledger_version
               && statement(WARN, 'Polls do not see what was written five '
                            + 'seconds ago',
                            'A view is being built, or a worker is stuck. '
                            + 'Version ' + t.view_version + ' of '
                            + t.ledger_version + '.');
    },

    function builds(h) {
        const n = h.grown((t) => t.view_build_failures, 60);

        return n > 0 && statement(BAD, 'A view could not be built',
                                  'There is too little memory; see the error '
                                  + 'log.');
    },

    function workers(h) {
        const pids = (t) => t.workers.map((w) => w.pid);
        const now = new Set(pids(h.last.trove));
        const gone = pids(h.before(60).trove).filter((pid) => !now.has(pid));

        return gone.length > 0
               && statement(NOTE, 'Worker ' + gone.join(', ')
                            + ' ended in the last minute',
                            'A reload, or a death: the error log says which.');
    },

    function climbing(h) {
        const slopes = h.last.trove.workers.map(
                           (w) => h.slope('worker ' + w.pid, 300) || 0);
        const most = Math.max(0, ...slopes) * 3600;

        return most > 8 * 1048576
               && statement(WARN, 'A worker\'s memory climbs by '
                            + inBytes(most) + ' an hour',
                            'More rewards make larger views; else it is '
                            + 'another module.');
    },

    function refused(h) {
        const n = h.grown((t) => codesOf(t, /^4(?!29|99)/), 60);
        const all = h.grown((t) => codesOf(t, /./), 60);

        return n > all / 4 && n > 20
               && statement(NOTE, short(100 * n / all) + ' % of the requests '
                            + 'of the last minute were refused (400 to 499)',
                            'Clients send what they should not; the answers '
                            + 'say what.');
    },

    function uncounted(h) {
        const n = h.last.trove.slots_exhausted;

        return n > 0 && statement(NOTE, inNumber(n) + ' workers have no slot '
                                  + 'of their own in the statistics',
                                  'Their gauges are not counted.');
    },
];


/* What there is a capacity of: its name, what is used, and the room. */

function capacities(t) {
    const list = [
        [ 'rewards', t.rewards, t.rewards_capacity ],
        [ 'players', t.players, t.players_capacity ],
        [ 'claims', t.claims, t.claims_capacity ],
    ];

    for (const [ name, board ] of Object.entries(t.boards || {})) {
        list.push([ 'rows of board ' + name, board.rows, board.rows_capacity ]);
    }

    return list;
}


/* All there is to be said of a trove, the worst first. */

function health(h) {
    const said = RULES.flatMap((rule) => rule(h) || [])
                      .sort((a, b) => b.level - a.level);

    if (said.some(({ level }) => level > NOTE)) {
        return said;
    }

    const p99 = h.quantile((t) => t.latency.poll, 0.99, 10);
    const rate = h.rate((t) => sumOf(t.endpoints.poll.requests), 10);

    return [ statement(-1, 'All is well', rate > 0
                       ? inNumber(rate) + ' polls a second, p99 '
                         + inSeconds(p99) : 'No polls at this moment.'),
             ...said ];
}
