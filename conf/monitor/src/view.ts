// What the terminal shows of a sample: lines of spans, which know nothing of
// a terminal but its width and height.

import { breaker, byClass, health, LIMITS } from './health.js';
import { allWorkers } from './monitor.js';
import { own, type TroveRates } from './rates.js';
import type { BadSample, GoodSample, Sample } from './samples.js';
import { COUNTERS, HISTOGRAMS, type Trove } from './stats.js';
import { amount, bytes, duration, harmless, whole } from './text.js';


export type Style = 'bold' | 'dim' | 'bad' | 'warn' | 'good';

export interface Span {
    text: string;
    style?: Style | undefined;
}

export type Line = readonly Span[];


export interface ViewState {
    url: string;
    /** The last one that was good, and what came after it. */
    good?: GoodSample;
    bad?: BadSample;
    /** The trove that is shown; default the first. */
    trove?: string;
}


const BAR = 24;
const FINDINGS = 5;
const BOARDS = 4;            // the fullest


export function add(state: ViewState, sample: Sample): void {
    if (sample.ok) {
        state.good = sample;
        delete state.bad;
    } else {
        state.bad = sample;
    }
}


/** The name of the trove that is shown, or undefined if there is none. */
export function shown({ good, trove }: ViewState): string | undefined {
    const names = Object.keys(good?.stats.troves ?? {});

    return trove !== undefined && names.includes(trove) ? trove : names[0];
}


/** Shows another one: the next, or the one before. */
export function turn(state: ViewState, step: number): void {
    const names = Object.keys(state.good?.stats.troves ?? {});
    const at = names.indexOf(shown(state) ?? '');
    const name = names[(at + step + names.length) % names.length];

    if (name !== undefined) {
        state.trove = name;
    }
}


/** A screen of so many columns and at most so many rows. */
export function frame(state: ViewState, columns: number, rows: number): Line[] {
    const keys = { text: 'q quits', style: 'dim' } as const;
    const names = Object.keys(state.good?.stats.troves ?? {});
    const lines = [...screen(state, columns)].slice(0, Math.max(0, rows - 1));

    while (lines.length < rows - 1) {
        lines.push([]);
    }

    lines.push(names.length > 1
               ? [{ text: 'tab shows the next trove, ', style: 'dim' }, keys]
               : [keys]);

    return lines.map((line) => cut(line, columns));
}


function *screen(state: ViewState, columns: number): Generator<Line> {
    const { good, bad, url } = state;
    const name = shown(state);
    const trove = name === undefined ? undefined
                                     : own(good?.stats.troves, name);

    yield spread([{ text: 'trove ', style: 'bold' }, { text: url }],
                 [{ text: good ? clockOf(good.date) : '' }], columns);

    if (!good) {
        yield [];
        yield *(bad ? trouble(bad, columns)
                    : [[{ text: 'waiting for an answer' }]]);
        return;
    }

    yield about(state, good, name, trove);
    yield [];
    yield *findings(good, bad, columns);

    if (name === undefined || !trove) {
        yield [{ text: 'nginx has no trove' }];
        return;
    }

    const rates = own(good.rates, name) ?? null;

    yield [];
    yield *requests(trove, rates, good.elapsed ?? Infinity);
    yield [];
    yield *fill(trove);
    yield *store(trove, rates);
    yield *queues(trove);
    yield memory(good, trove);
    yield *moving(rates);
    yield [];
    yield *workers(good);
}


function about(state: ViewState, good: GoodSample, name: string | undefined,
               trove: Trove | undefined): Line
{
    const { stats } = good;
    const names = Object.keys(stats.troves);
    const what = [`module ${stats.version}`, `nginx ${stats.nginx}`];

    if (name === undefined || !trove) {
        return [{ text: what.join(', ') }];
    }

    const up = good.date.getTime() / 1000 - trove.started;

    what.push(trove.simd, `${trove.workers_alive} workers`,
              `counts for ${duration(Math.max(0, Math.round(up)))}`);

    return [
        { text: name, style: 'bold' },
        { text: names.length > 1
                ? ` (${names.indexOf(name) + 1} of ${names.length})` : '' },
        { text: state.bad ? '  as it was' : '', style: 'bad' },
        { text: `  ${what.join(', ')}` },
    ];
}


function *findings(good: GoodSample, bad: BadSample | undefined,
                   columns: number): Generator<Line>
{
    const all = health(good.stats, good.rates);

    if (bad) {
        yield *trouble(bad, columns);
    }

    if (!bad && !all.length) {
        yield [{ text: 'Nothing is wrong.', style: 'good' }];
    }

    for (const { level, trove, text } of all.slice(0, FINDINGS)) {
        yield *wrap(`${trove}: ${text}`, level === 'info' ? undefined : level,
                    columns);
    }

    if (all.length > FINDINGS) {
        yield [{ text: `and ${all.length - FINDINGS} more`, style: 'warn' }];
    }
}


function trouble({ error, failures, retryIn }: BadSample, columns: number):
    Iterable<Line>
{
    return wrap((failures > 1 ? `${failures} times: ` : '') + error.message
                + `; again in ${duration(retryIn / 1000)}`, 'bad', columns);
}


/* Words in lines, of which all but the first are indented. */

function *wrap(text: string, style: Style | undefined, columns: number):
    Generator<Line>
{
    let line = '';

    for (const word of harmless(text).split(' ')) {
        if (line !== '' && line.length + 1 + word.length > columns) {
            yield [{ text: line, style }];
            line = `  ${word}`;
        } else {
            line = line === '' ? word : `${line} ${word}`;
        }
    }

    yield [{ text: line, style }];
}


const WIDTHS = [11, 9, 9, 8, 8, 8, 8, 8, 8];

const QUANTILES = [0.5, 0.9, 0.99, 0.999];


function *requests(trove: Trove, rates: TroveRates | null,
                   elapsed: number): Generator<Line>
{
    yield row(['per second', 'all', '2xx', '4xx', '5xx', 'p50', 'p90', 'p99',
               'p99.9'], 'dim');

    // what this trove has never had is not worth a line

    for (const [name, endpoint] of Object.entries(trove.endpoints)) {
        const of = own(rates?.endpoints, name);

        if (!Object.keys(endpoint.requests).length) {
            continue;
        }

        const rate = (digit: string) =>
            of ? amount(byClass(of.requests, digit)) : '-';

        yield row([name, of ? amount(of.total) : '-', rate('2'), rate('4'),
                   rate('5'), ...quantiles(of?.latency)]);
    }

    for (const name of HISTOGRAMS) {
        const of = rates?.durations[name];

        if (trove[name].count) {
            yield row([name.replace('_', ' '),
                       of ? amount(of.count / elapsed) : '-', '', '', '',
                       ...quantiles(of)]);
        }
    }
}


function quantiles(of: { quantile(q: number): number | null } | undefined):
    string[]
{
    return QUANTILES.map((q) => {
        const at = of?.quantile(q) ?? null;

        return at === null ? '-' : duration(at);
    });
}


function *fill(trove: Trove): Generator<Line> {
    yield *bar('rewards', trove.rewards, trove.rewards_capacity, whole);
    yield *bar('players', trove.players, trove.players_capacity, whole);
    yield *bar('claims', trove.claims, trove.claims_capacity, whole);

    yield *bar('arena', trove.arena_used, trove.arena_size, bytes,
               `, at most ${bytes(trove.arena_peak)}`);

    const boards = Object.entries(trove.boards).sort(([, a], [, b]) =>
        b.rows / b.rows_capacity - a.rows / a.rows_capacity);

    for (const [name, { rows, rows_capacity }] of boards.slice(0, BOARDS)) {
        yield *bar('board', rows, rows_capacity, whole, `, ${name}`);
    }

    if (boards.length > BOARDS) {
        yield [{ text: `           and ${boards.length - BOARDS} boards that `
                       + 'are less full', style: 'dim' }];
    }
}


function *bar(name: string, n: number, of: number,
              show: (n: number) => string, more = ''): Generator<Line>
{
    if (!(of > 0)) {
        return;
    }

    const part = Math.min(1, n / of);
    const full = Math.round(part * BAR);

    yield [
        { text: name.padEnd(11) },
        { text: '[' + '#'.repeat(full) + '.'.repeat(BAR - full) + ']',
          style: part >= 1 ? 'bad' : part >= LIMITS.used ? 'warn' : undefined },
        { text: ` ${String(Math.floor(part * 100)).padStart(3)}%  `
                + `${show(n)} of ${show(of)}${more}` },
    ];
}


function *store(trove: Trove, rates: TroveRates | null): Generator<Line> {
    if (!trove.store_opens) {
        return;
    }

    if (trove.store_connected || trove.store_position) {
        yield shared(trove, rates);
        return;
    }

    const rate = rates ? amount(rates.counters.store_commits) : '-';

    yield [
        { text: 'store'.padEnd(11) },
        { text: trove.store_failing ? 'takes no writes' : 'good',
          style: trove.store_failing ? 'bad' : 'good' },
        { text: `, ${rate} commits/s, ${duration(trove.store_lag)} behind, `
                + `log ${bytes(trove.store_log)}, ${trove.store_waiting} `
                + 'requests wait' },
    ];
}


function shared(trove: Trove, rates: TroveRates | null): Line {
    const rate = rates ? amount(rates.counters.store_entries) : '-';

    return [
        { text: 'store'.padEnd(11) },
        { text: trove.store_connected ? 'good' : 'not reached',
          style: trove.store_connected ? 'good' : 'bad' },
        { text: `, entry ${amount(trove.store_position)}, ${rate} entries/s, `
                + `${duration(trove.store_age)} old, ${trove.store_waiting} `
                + 'requests wait, breaker ' },
        { text: breaker(trove), style: trove.breaker_state ? 'bad' : 'good' },
    ];
}


/* Those in which something waits. */

function *queues(trove: Trove): Generator<Line> {
    if (!trove.overflow_max) {
        return;
    }

    yield [
        { text: 'overflow'.padEnd(11) },
        { text: trove.overflow_up ? 'good' : 'not reached',
          style: trove.overflow_up ? 'good' : 'bad' },
        { text: ', breaker ' },
        { text: breaker(trove), style: trove.breaker_state ? 'bad' : 'good' },
        { text: `, ${amount(trove.overflow_queued)} queued, `
                + `${amount(trove.overflow_drained)} carried out` },
    ];

    for (const [name, { pending, oldest }] of Object.entries(trove.overflow)) {
        if (pending) {
            yield *bar('queue', pending, trove.overflow_max, whole, `, ${name}`
                       + (oldest ? ` for ${duration(oldest)}` : ''));
        }
    }
}


function memory({ stats }: GoodSample, trove: Trove): Line {
    const all = allWorkers(stats.troves);
    const resident = all.reduce((sum, worker) => sum + worker.resident, 0);

    return [{ text: `${'memory'.padEnd(11)}${bytes(resident)} resident in `
                    + `${all.length} workers; ledger `
                    + `${bytes(trove.ledger_bytes)}, views `
                    + bytes(trove.view_bytes) }];
}


/* What else counts: the coins, and every counter that has moved. */

function *moving(rates: TroveRates | null): Generator<Line> {
    if (!rates) {
        return;
    }

    const list = (name: string, of: [string, number][]): Line => [
        { text: name.padEnd(11) },
        { text: of.map(([what, n]) => `${what} ${amount(n)}/s`).join(', ') },
    ];

    const coins = Object.entries(rates.coins).filter(([, n]) => n > 0);
    const counters = COUNTERS.filter((name) => rates.counters[name] > 0
                                               && name !== 'epoch_turns');

    if (coins.length) {
        yield list('coins', coins);
    }

    // a line of some eighty columns has room for two or three

    for (let i = 0; i < counters.length; i += 2) {
        yield list(i ? '' : 'counted', counters.slice(i, i + 2).map((name) =>
            [name, rates.counters[name]]));
    }
}


function *workers({ stats }: GoodSample): Generator<Line> {
    const at = (...cells: [string, string, string, string]) =>
        cells.map((cell, i) => i ? cell.padStart(13) : cell.padEnd(11))
             .join('');

    yield [{ text: at('worker', 'resident', 'committed', 'reserved'),
             style: 'dim' }];

    for (const worker of allWorkers(stats.troves)) {
        yield [{ text: at(String(worker.pid), bytes(worker.resident),
                          bytes(worker.allocator_committed),
                          bytes(worker.allocator_reserved)) }];
    }
}


function row(cells: readonly string[], style?: Style): Line {
    return [{
        text: cells.map((cell, i) => {
            const width = WIDTHS[i] ?? 8;

            return i ? cell.padStart(width)
                     : harmless(cell).padEnd(width).slice(0, width);
        }).join(''),
        style,
    }];
}


function clockOf(date: Date): string {
    return date.toTimeString().slice(0, 8);
}


/* Left and right at the ends of a line, where both have room. */

function spread(left: Line, right: Line, columns: number): Line {
    const length = (of: Line) =>
        of.reduce((n, { text }) => n + harmless(text).length, 0);
    const gap = columns - length(left) - length(right);

    return gap > 0 ? [...left, { text: ' '.repeat(gap) }, ...right] : left;
}


/* Everything that is shown goes through here, and is harmless afterwards. */

function cut(of: Line, columns: number): Line {
    const spans: Span[] = [];
    let left = columns;

    for (const { text, style } of of) {
        const part = harmless(text).slice(0, left);

        left -= part.length;

        if (part !== '') {
            spans.push({ text: part, style });
        }
    }

    return spans;
}


/** A sample as lines of a log: one of each trove. */
export function log(sample: Sample, only?: string): string[] {
    const now = (date: Date) => date.toISOString().replace(/\.\d+/, '');

    if (!sample.ok) {
        return [harmless(`${now(new Date())} ! ${sample.error.message}; again `
                         + `in ${duration(sample.retryIn / 1000)}`)];
    }

    const { stats, rates, date } = sample;
    const found = health(stats, rates);

    return Object.keys(stats.troves)
        .filter((name) => only === undefined || name === only)
        .map((name) => {
            const words = found.filter(({ trove }) => trove === name)
                          .map(({ level, text }) =>
                              (level === 'info' ? '' : '! ') + text);

            return harmless([`${now(date)} ${name}`,
                             ...figures(own(rates, name) ?? null),
                             ...words].join('; '));
        });
}


function figures(rates: TroveRates | null): string[] {
    return Object.entries(rates?.endpoints ?? {})
        .filter(([, { total }]) => total > 0)
        .map(([name, { total, latency }]) => {
            const [p50, , p99] = quantiles(latency);

            return `${name} ${amount(total)}/s p50 ${p50} p99 ${p99}`;
        });
}
