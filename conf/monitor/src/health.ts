// What is wrong, in words.

import { amount, duration } from './text.js';
import { own, type Rates, type TroveRates } from './rates.js';
import type { Stats, Trove } from './stats.js';


export interface Finding {
    /** `bad`: requests or durability suffer; `warn`: they are going to. */
    level: 'bad' | 'warn' | 'info';
    trove: string;
    text: string;
}


/** The limits of the alerts in conf/rules. */
export const LIMITS = {
    lag: 0.02,               // seconds
    behind: 10,              // seconds
    log: 2.5e8,              // bytes
    used: 0.95,              // of a capacity
    filled: 0.5,             // of what a queue may have
    waits: 600,              // seconds
};


/** What the breaker is, in a word. */
export function breaker({ breaker_state: state }: Trove): string {
    return state === 0 ? 'closed' : state === 1 ? 'half-open' : 'open';
}


/** All there is to say of a sample, the worst first. */
export function health(stats: Stats, rates: Rates): Finding[] {
    const order = { bad: 0, warn: 1, info: 2 };

    return Object.entries(stats.troves)
        .flatMap(([name, trove]) =>
            [...of(trove, own(rates, name) ?? null)].map(([level, text]) =>
                ({ level, trove: name, text })))
        .sort((a, b) => order[a.level] - order[b.level]);
}


function *of(trove: Trove, rates: TroveRates | null):
    Generator<[Finding['level'], string]>
{
    yield *store(trove);
    yield *queues(trove);

    if (rates) {
        yield *events(rates);
    }

    yield *capacity('rewards', trove.rewards, trove.rewards_capacity);
    yield *capacity('players', trove.players, trove.players_capacity);
    yield *capacity('claims', trove.claims, trove.claims_capacity);

    for (const [name, board] of Object.entries(trove.boards)) {
        yield *capacity(`rows of the board ${name}`, board.rows,
                        board.rows_capacity);
    }
}


function *store(trove: Trove): Generator<[Finding['level'], string]> {
    if (trove.store_failing) {
        yield ['bad', 'the store takes no writes: the disk, its permissions, '
                      + 'another program, or Redis; the error log tells'];
    }

    if (trove.store_lag > LIMITS.behind) {
        yield ['bad', `the store is ${duration(trove.store_lag)} behind`];
    }

    if (trove.store_age > LIMITS.behind) {
        yield ['bad', `what is read is ${duration(trove.store_age)} old: the `
                      + 'store is not reached, or more is written than is '
                      + 'followed'];
    }

    if (trove.breaker_state > 0) {
        const which = trove.overflow_max > 0 ? 'those that would have to wait'
                                             : 'which';

        yield ['bad', `the breaker is ${breaker(trove)}: Redis takes no `
                      + `writes, ${which} are answered 503; the error log `
                      + 'tells'];
    }

    if (trove.store_log > LIMITS.log) {
        yield ['warn', 'the log of the store grows: a program reads the store '
                       + 'for long'];
    }
}


function *queues(trove: Trove): Generator<[Finding['level'], string]> {
    if (trove.overflow_max > 0 && trove.overflow_up === 0) {
        yield ['bad', 'nobody looks after the queues: Redis, or they are '
                      + 'another ledger\'s; the error log tells'];
    }

    for (const [name, { pending, oldest }] of Object.entries(trove.overflow)) {
        if (pending > trove.overflow_max * LIMITS.filled) {
            yield ['bad', `the queue ${name} has `
                          + `${Math.floor(pending / trove.overflow_max * 100)} `
                          + '% of what it may have'];
        }

        if (oldest > LIMITS.waits) {
            yield ['warn', `writes wait for ${duration(oldest)} in the queue `
                           + `${name}: there is no room`];
        }
    }
}


function *events({ counters, durations, endpoints, restarted }: TroveRates):
    Generator<[Finding['level'], string]>
{
    if (counters.arena_exhausted > 0) {
        yield ['bad', 'the arena is used up, '
                      + `${amount(counters.arena_exhausted)} requests/s are `
                      + 'refused: a larger arena'];
    }

    const refused = counters.overflow_full + counters.overflow_away;

    if (refused > 0) {
        yield ['bad', `${amount(refused)} writes/s find no room, and no queue: `
                      + 'it is full, or Redis is away'];
    }

    if (counters.overflow_invalid > 0) {
        yield ['warn', 'entries of queues are put aside: another program has '
                       + 'written there'];
    }

    if (counters.overflow_lost > 0) {
        yield ['bad', 'what waited in queues is lost: Redis was flushed, or '
                      + 'came back with less than it had'];
    }

    if (counters.ledger_busy > 0) {
        yield ['bad', 'writes are given up: a worker is stopped or starved '
                      + 'while it writes'];
    }

    if (counters.worker_deaths > 0) {
        yield ['bad', 'a worker has died, and another has taken its place: '
                      + 'the error log tells'];
    }

    if (counters.view_build_failures > 0) {
        yield ['bad', 'views cannot be built, polls do not show what is '
                      + 'written: memory'];
    }

    for (const [name, { requests }] of Object.entries(endpoints)) {
        const failed = byClass(requests, '5');

        if (failed > 0) {
            yield ['bad', `${name}: ${amount(failed)} answers/s are errors `
                          + 'of the server'];
        }
    }

    const lag = durations.epoch_lag.quantile(0.99);

    if (lag !== null && lag > LIMITS.lag) {
        yield ['warn', `epochs are ${duration(lag)} late (p99): a disk, `
                       + 'another module, or no CPU keeps the event loop'];
    }

    if (restarted) {
        yield ['info', 'has begun to count: it was started, or came by a '
                       + 'reload'];
    }
}


function *capacity(name: string, n: number, of: number):
    Generator<[Finding['level'], string]>
{
    if (of > 0 && n >= of * LIMITS.used) {
        yield [n >= of ? 'bad' : 'warn',
               `the ${name} take ${Math.floor(n / of * 100)} % of their `
               + 'capacity'];
    }
}


/** The sum of those codes that begin with a digit. */
export function byClass(requests: Record<string, number>,
                        digit: string): number
{
    return Object.entries(requests)
           .filter(([code]) => code.startsWith(digit))
           .reduce((sum, [, n]) => sum + n, 0);
}
