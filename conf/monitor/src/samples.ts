// Readings at an interval, with what happened between them.

import { rates, type Rates, type Reading } from './rates.js';
import type { Stats } from './stats.js';


/** The server answered. */
export interface GoodSample {
    ok: true;
    stats: Stats;
    /** Since the sample before that was good; all null in the first one. */
    rates: Rates;
    /** Seconds since that one, or null if there was none. */
    elapsed: number | null;
    /** When it was, by the server's clock. */
    date: Date;
}


/** The server did not answer, or not with statistics. It is asked again. */
export interface BadSample {
    ok: false;
    error: Error;
    /** How many there have been without a good one between them. */
    failures: number;
    /** Milliseconds until it is asked again. */
    retryIn: number;
}


export type Sample = GoodSample | BadSample;


export interface SamplesOptions {
    /** Milliseconds from one sample to the next; default 1000. */
    interval?: number;
    /** Milliseconds between two attempts while the server is away, at most. */
    maxBackoff?: number;
    /** Ends the samples, without an error. */
    signal?: AbortSignal;
}


/** Time, as tests make it pass. */
export interface Clock {
    now(): number;
    /** Resolves after so many ms, or when the signal is aborted. */
    sleep(ms: number, signal?: AbortSignal): Promise<void>;
    random(): number;
}


export const clock: Clock = {
    now: () => performance.now(),
    random: () => Math.random(),

    sleep: (ms, signal) => new Promise((resolve) => {
        const end = () => {
            clearTimeout(timer);
            signal?.removeEventListener('abort', end);
            resolve();
        };

        const timer = setTimeout(end, ms);

        signal?.addEventListener('abort', end);

        if (signal?.aborted) {
            end();
        }
    }),
};


export async function *samples(
    read: (signal?: AbortSignal) => Promise<Reading>,
    { interval = 1000, maxBackoff = 30_000, signal }: SamplesOptions = {},
    time: Clock = clock): AsyncGenerator<Sample, void, void>
{
    if (!(interval > 0) || !(maxBackoff > 0)) {
        throw new RangeError('intervals are more than 0 ms');
    }

    let before: Reading | null = null;
    let failures = 0;
    let next = time.now();

    while (!signal?.aborted) {
        let sample: Sample;

        try {
            const reading = await read(signal);

            failures = 0;

            sample = {
                ok: true,
                stats: reading.stats,
                rates: rates(before, reading),
                elapsed: before && (reading.at - before.at) / 1000,
                date: new Date(reading.date),
            };

            before = reading;

        } catch (error) {
            if (signal?.aborted) {
                return;
            }

            failures++;

            sample = {
                ok: false,
                error: error instanceof Error ? error
                                              : new Error(String(error)),
                failures,
                retryIn: backoff(interval, maxBackoff, failures, time.random()),
            };

            next = time.now() + sample.retryIn - interval;
        }

        yield sample;

        // samples keep to the beat of the first one, whatever each takes; a
        // beat that has passed is left out

        next += interval;

        const late = time.now() - next;

        if (late > 0) {
            next += Math.ceil(late / interval) * interval;
        }

        await time.sleep(Math.max(0, next - time.now()), signal);
    }
}


/* Twice as long each time, and up to a quarter of that longer by chance, so
 * that many monitors do not come back at once.
 */

function backoff(interval: number, max: number, failures: number,
                 random: number): number
{
    const base = Math.min(Math.max(max, interval),
                          interval * 2 ** Math.min(failures - 1, 30));

    return base * (1 + random / 4);
}
