// How much per second: the difference of two readings, by the time between
// them.
//
// A trove that has begun to count between them (nginx was started again, or a
// reload brought it) has counted all that it shows since.  One that shows
// less than before, or has counted for longer than the readings are apart
// although it was not there, is that of another server, as in an upgrade with
// two masters: then nothing is known.

import { Durations } from './histogram.js';
import {
    COUNTERS, HISTOGRAMS, type Endpoint, type Stats, type Trove,
} from './stats.js';


export type CounterName = typeof COUNTERS[number];
export type HistogramName = typeof HISTOGRAMS[number];


export interface Reading {
    stats: Stats;
    /** ms of a clock that never goes back. */
    at: number;
    /** ms of the server's clock. */
    date: number;
}


/** Per second, over the time between two samples. */
export interface EndpointRates {
    /** All requests, and those by their codes. */
    total: number;
    requests: Record<string, number>;
    lines_ok: number;
    lines_error: number;
    /** How long those took. */
    latency: Durations;
}


export interface TroveRates {
    counters: Record<CounterName, number>;
    coins: Record<string, number>;
    endpoints: Record<string, EndpointRates>;
    durations: Record<HistogramName, Durations>;
    /** Whether it has begun to count since the sample before. */
    restarted: boolean;
}


/** By trove; null: it is not known. */
export type Rates = Record<string, TroveRates | null>;


// ms that the server's Date, of whole seconds, may be off, and its start

const SLACK = 2000;


export function rates(before: Reading | null, after: Reading): Rates {
    return Object.fromEntries(
        Object.entries(after.stats.troves).map(([name, trove]) =>
            [name, before && troveRates(own(before.stats.troves, name), trove,
                                        before, after)]));
}


function troveRates(was: Trove | undefined, trove: Trove, before: Reading,
                    after: Reading): TroveRates | null
{
    const elapsed = after.at - before.at;
    const restarted = was === undefined || was.started !== trove.started;

    if (!(elapsed > 0)) {
        return null;
    }

    if (restarted) {
        if (after.date - trove.started * 1000 > elapsed + SLACK) {
            return null;
        }

        was = undefined;
    }

    try {
        return difference(was, trove, elapsed / 1000, restarted);

    } catch (error) {
        if (error === less) {
            return null;
        }

        throw error;
    }
}


const less = Symbol('less than before');


function difference(was: Trove | undefined, trove: Trove, seconds: number,
                    restarted: boolean): TroveRates
{
    const per = (n: number, before: number | undefined): number => {
        if (n < (before ?? 0)) {
            throw less;
        }

        return (n - (before ?? 0)) / seconds;
    };

    const all = (of: Record<string, number>,
                 before: Record<string, number> | undefined) =>
        Object.fromEntries(Object.entries(of).map(([name, n]) =>
            [name, per(n, own(before, name))]));

    const endpoint = (of: Endpoint, name: string): EndpointRates => {
        const before = own(was?.endpoints, name);
        const requests = all(of.requests, before?.requests);
        const latency = own(trove.latency, name);

        return {
            total: Object.values(requests).reduce((sum, n) => sum + n, 0),
            requests,
            lines_ok: per(of.lines_ok, before?.lines_ok),
            lines_error: per(of.lines_error, before?.lines_error),
            latency: latency ? between(own(was?.latency, name), latency)
                             : new Durations(new Map(), 0),
        };
    };

    return {
        counters: Object.fromEntries(COUNTERS.map((name) =>
            [name, per(trove[name], was?.[name])])
        ) as Record<CounterName, number>,

        coins: all(trove.coins, was?.coins),

        endpoints: Object.fromEntries(
            Object.entries(trove.endpoints).map(([name, of]) =>
                [name, endpoint(of, name)])),

        durations: Object.fromEntries(HISTOGRAMS.map((name) =>
            [name, between(was?.[name], trove[name])])
        ) as Record<HistogramName, Durations>,

        restarted,
    };
}


function between(...readings: Parameters<typeof Durations.between>): Durations {
    const durations = Durations.between(...readings);

    if (!durations) {
        throw less;
    }

    return durations;
}


/** A member by a name that somebody else chose. */
export function own<T>(of: Record<string, T> | undefined,
                       name: string): T | undefined
{
    return of && Object.hasOwn(of, name) ? of[name] : undefined;
}
