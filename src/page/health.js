/*
 * What is wrong, in words, the worst first: what was seen, what it means, and
 * where to look.  Each rule looks at one history and returns what it has to
 * say, or nothing.
 */

'use strict';

const BAD = 2, WARN = 1, NOTE = 0;

/* From when on it is bad: the limits of the alerts in conf/rules. */

const LIMITS = {
    lag: 0.02,                /* seconds */
    errors: 0.01,             /* of the requests */
    behind: 10,               /* seconds */
    log: 2.5e8,               /* bytes */
    used: 0.95,               /* of a capacity */
    growth: 16e6,             /* bytes an hour */
    filled: 0.5,              /* of what a queue may have */
    waits: 600,               /* seconds */
};

/* By the figure "breaker_state". */

const BREAKER = [ 'closed', 'half-open', 'open' ];


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

        return statement(lag > LIMITS.lag ? BAD : WARN,
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
                            'hangs', 'away', 'timeout', 'denied', 'readonly',
                            'lost' ];
            const why = names.filter((name) =>
                            h.grown((x) => x['store_' + name], 60) > 0);

            return statement(BAD, 'The store takes no writes'
                             + (why.length ? ' (' + why.join(', ') + ')' : ''),
                             'It is tried again by itself; what is granted '
                             + 'meanwhile is not durable. See the error log '
                             + 'and the disk, or Redis.');
        }

        if (t.store_age > 2) {
            return statement(t.store_age > 10 ? BAD : WARN,
                             'What is read of the store is '
                             + inTime(t.store_age) + ' old',
                             'Its log is not followed fast enough; see the '
                             + 'error log, and Redis.');
        }

        return t.store_lag > 2
               && statement(t.store_lag > LIMITS.behind ? BAD : WARN,
                            'The store is ' + inTime(t.store_lag) + ' behind',
                            'Its disk is too slow for the writes, or it '
                            + 'hangs; see iostat.');
    },

    function breaker(h) {
        const t = h.last.trove;
        const n = h.grown((x) => x.breaker_opened, 60);

        if (t.breaker_state) {
            return statement(BAD, 'The breaker is '
                             + BREAKER[t.breaker_state]
                             + ': Redis takes no writes',
                             (t.overflow_max > 0
                              ? 'Those that would have to wait in a queue'
                              : 'They')
                             + ' are answered 503 at once, and go on by '
                             + 'themselves when it does. See the error log.');
        }

        return n > 0 && statement(WARN, 'The breaker was open '
                                  + (n > 1 ? inNumber(n) + ' times' : 'once')
                                  + ' in the last minute',
                                  'Writes were answered 503 meanwhile. See '
                                  + 'the error log, and Redis.');
    },

    function queues(h) {
        const t = h.last.trove;
        const said = [];

        for (const [ name, { pending, oldest } ] of Object.entries(t.overflow))
        {
            if (pending === 0) {
                continue;
            }

            const filled = pending > LIMITS.filled * t.overflow_max;

            said.push(statement(filled ? BAD : oldest > LIMITS.waits ? WARN
                                             : NOTE,
                                inNumber(pending) + ' writes wait in the queue '
                                + name + (oldest > 0 ? ', there is no room for '
                                          + inTime(oldest) : '')
                                + (filled ? ', '
                                   + short(100 * pending / t.overflow_max)
                                   + ' % of what it may have' : ''),
                                'They are carried out when there is room: '
                                + 'a larger capacity, or fewer rewards or '
                                + 'rows.'));
        }

        return said;
    },

    function drainer(h) {
        const down = (look) => look.trove.overflow_max > 0
                               && look.trove.overflow_up === 0;

        return down(h.last) && down(h.before(3))
               && statement(BAD, 'Nobody looks after the queues',
                            'What waits is not carried out: Redis is not '
                            + 'reached, or the queues are not this trove\'s. '
                            + 'See the error log.');
    },

    function unqueued(h) {
        const full = h.grown((t) => t.overflow_full, 60);
        const away = h.grown((t) => t.overflow_away, 60);
        const invalid = h.grown((t) => t.overflow_invalid, 60);
        const lost = h.grown((t) => t.overflow_lost, 60);
        const said = [];

        if (full > 0) {
            said.push(statement(BAD, inNumber(full) + ' writes of the last '
                                + 'minute found their queue full',
                                'They were answered 507. Make room, or raise '
                                + '"max" of "overflow".'));
        }

        if (away > 0) {
            said.push(statement(BAD, inNumber(away) + ' writes of the last '
                                + 'minute found no room, and no queue',
                                'They were answered 503, for Redis is not '
                                + 'reached. See the error log.'));
        }

        if (invalid > 0) {
            said.push(statement(WARN, inNumber(invalid) + ' entries of queues '
                                + 'were put aside in the last minute',
                                'Another program has written there. See the '
                                + 'error log.'));
        }

        if (lost > 0) {
            said.push(statement(BAD, inNumber(lost) + ' writes that waited '
                                + 'were lost in the last minute',
                                'Redis was flushed, or came back with less '
                                + 'than it had: it has to keep what it is '
                                + 'told.'));
        }

        return said;
    },

    function log(h) {
        const n = h.last.trove.store_log;

        return n > LIMITS.log
               && statement(WARN, 'The log of the store has ' + inBytes(n),
                            'A program reads the database for long, so that '
                            + 'what is new cannot be put in its place.');
    },

    function waiting(h) {
        const n = h.grown((t) => t.store_ack_timeouts, 60);

        return n > 0 && statement(BAD, inNumber(n) + ' writes of the last '
                                  + 'minute waited for the store in vain',
                                  'They were answered 503, see "ack" and the '
                                  + 'store.');
    },

    function full(h) {
        const n = h.grown((t) => t.rewards_full + t.claims_full + t.taps_full
                                 + t.board_full, 60);

        return n > 0 && statement(BAD, inNumber(n) + ' writes of the last '
                                  + 'minute found the ledger full',
                                  'They were refused; the table of '
                                  + 'capacities says which it was.');
    },

    function failing(h) {
        const n = h.grown((t) => codesOf(t, /^5/), 60);
        const all = h.grown((t) => codesOf(t, /./), 60);

        return n > 0 && statement(n > all * LIMITS.errors ? BAD : WARN,
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

        for (const [ name, used, room, how ] of capacities(h.last.trove)) {
            const slope = h.slope('used ' + name, 60);

            /* what a load brought that is over says nothing of tomorrow */

            const left = slope > 0 && h.risen('used ' + name, 30)
                         ? (room - used) / slope : Infinity;

            if (room === 0 || (used < LIMITS.used * room && left > 86400)) {
                continue;
            }

            said.push(statement(used >= room || left < 3600 ? BAD : WARN,
                                'Of ' + name + ' '
                                + short(100 * used / room) + ' % are used'
                                + (used < room && left < 86400
                                   ? ', all in ' + inTime(left)
                                     + ' at this rate' : ''),
                                'Beyond it writes '
                                + (h.last.trove.overflow_max > 0
                                   ? 'wait in a queue' : 'are answered 507')
                                + '. Raise ' + how + ' and restart.'));
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
        const died = h.grown((t) => t.worker_deaths, 60);
        const pids = (t) => t.workers.map((w) => w.pid);
        const now = new Set(pids(h.last.trove));
        const gone = pids(h.before(60).trove).filter((pid) => !now.has(pid));

        if (died > 0) {
            return statement(BAD, (gone.length === died
                                   ? 'Worker ' + gone.join(', ')
                                   : died > 1 ? died + ' workers' : 'A worker')
                             + ' died in the last minute',
                             'Others have taken their place, and nothing that '
                             + 'was acknowledged is lost. The error log has '
                             + 'the signal; a 9 is the kernel for want of '
                             + 'memory (dmesg), or somebody.');
        }

        if (gone.length > 0) {
            return statement(NOTE, 'Worker ' + gone.join(', ')
                             + ' ended in the last minute', 'By a reload.');
        }

        const ever = h.last.trove.worker_deaths;

        return ever > 0
               && statement(NOTE, (ever > 1 ? ever + ' workers' : 'A worker')
                            + ' died since counting began',
                            'The error log has the signals.');
    },

    function restarted(h) {
        const since = h.last.at - h.last.trove.started;

        return since >= 0 && since < 300
               && statement(NOTE, 'Counting began ' + inTime(since) + ' ago',
                            'nginx was started, or this trove is new. Without '
                            + 'a store its rewards have to be posted again.');
    },

    function climbing(h) {
        const slopes = h.last.trove.workers.map(
                           (w) => h.slope('worker ' + w.pid, 300) || 0);
        const most = Math.max(0, ...slopes) * 3600;

        return most > LIMITS.growth
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


/*
 * What there is a capacity of: its name, what is used, the room, and how to
 * make it larger.
 */

function capacities(t) {
    const list = [
        [ 'rewards', t.rewards, t.rewards_capacity, '"capacity rewards="' ],
        [ 'players', t.players, t.players_capacity, '"capacity players="' ],
        [ 'claims', t.claims, t.claims_capacity, '"capacity claims="' ],
    ];

    for (const [ name, board ] of Object.entries(t.boards || {})) {
        list.push([ 'rows of board ' + name, board.rows, board.rows_capacity,
                    '"rows=" of the board' ]);
    }

    return list;
}


/* Rules that say the same of each trove, for its workers serve them all */

const OF_WORKERS = [ 'eventLoop', 'workers', 'climbing' ];


/* What the rules say, the worst first. */

function troubles(h) {
    return RULES.flatMap((rule) => [ rule(h) || [] ].flat().map((said) =>
                         ({ ...said, rule: rule.name })))
                .sort((a, b) => b.level - a.level);
}


/* And that all is well, if nothing else is. */

function health(h) {
    const said = troubles(h);

    if (said.some(({ level }) => level > NOTE)) {
        return said;
    }

    const p99 = h.quantile((t) => t.latency.poll, 0.99, 10);
    const rate = h.rate((t) => sumOf(t.endpoints.poll.requests), 10);
    const lines = h.rate((t) => t.endpoints.poll.lines_ok
                                + t.endpoints.poll.lines_error, 10);

    return [ statement(-1, 'All is well', rate > 0
                       ? inNumber(rate) + ' requests to poll a second'
                         + (lines > 0 ? ', with ' + inNumber(lines)
                                        + ' polls in batches' : '')
                         + ', p99 ' + inSeconds(p99)
                       : 'No polls at this moment.'),
             ...said ];
}


/*
 * What is bad of the troves that are not shown, and not said already: each
 * with the name of its trove.
 */

function elsewhere(histories, shown, said) {
    const known = new Set(said.map(({ rule }) => rule));
    const list = [];

    for (const [ trove, h ] of histories) {
        for (const s of trove === shown ? [] : troubles(h)) {
            if (s.level > NOTE
                && !(OF_WORKERS.includes(s.rule) && known.has(s.rule)))
            {
                known.add(s.rule);
                list.push({ ...s, trove });
            }
        }
    }

    return list.sort((a, b) => b.level - a.level);
}
