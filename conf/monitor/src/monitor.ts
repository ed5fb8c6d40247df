// The client.

import { check } from './check.js';
import { SchemaError, UnknownNameError } from './errors.js';
import { Durations } from './histogram.js';
import { own, type Reading } from './rates.js';
import { Reader, type ReadOptions } from './read.js';
import {
    clock, samples, type Sample, type SamplesOptions,
} from './samples.js';
import type { Histogram, Stats, Trove, Worker } from './stats.js';


export type MonitorOptions = Partial<ReadOptions>;


export interface CallOptions {
    signal?: AbortSignal;
}


export interface LatencyOptions extends CallOptions {
    /** Of this one; default: of all troves together. */
    trove?: string;
}


/** Memory in bytes, as the workers count it and the kernel does. */
export interface AllocatorDump {
    name: string;
    version: string;
    committed: number;
    reserved: number;
    resident: number;
    /** Each once, however many troves it has. */
    workers: Worker[];
    troves: Record<string, TroveMemory>;
}


export type TroveMemory = Pick<Trove,
    'arena_size' | 'arena_used' | 'arena_peak' | 'view_bytes'
    | 'large_pages' | 'ledger_bytes' | 'snapshot_bytes'>;


/** The answer to a turn of the epoch: of which trove, and which worker. */
export interface Cycled {
    cycled: string;
    worker: number;
}


export class TroveMonitor {
    readonly #reader: Reader;

    /** Where the statistics are, without user and password. */
    readonly url: string;

    /**
     * The URL is that of a `trove_stats` location; without a path, `/stats`.
     * User and password in it are sent as Basic authentication.
     */
    constructor(url: string | URL, options: MonitorOptions = {}) {
        const at = new URL(url);
        const headers: Record<string, string> = { ...options.headers };

        if (at.protocol !== 'http:' && at.protocol !== 'https:') {
            throw new TypeError(`the URL is of ${at.protocol}, not http: or `
                                + 'https:');
        }

        if (at.pathname === '/') {
            at.pathname = '/stats';
        }

        if (at.username || at.password) {
            const user = decodeURIComponent(at.username);
            const password = decodeURIComponent(at.password);

            headers['authorization'] = 'Basic '
                + Buffer.from(`${user}:${password}`).toString('base64');

            at.username = at.password = '';
        }

        at.hash = '';

        this.url = at.href;
        this.#reader = new Reader(at, {
            timeout: options.timeout ?? 5000,
            maxBytes: options.maxBytes ?? 16 * 1024 * 1024,
            headers,
        });
    }

    /** Lets go of the connections that are kept. */
    close(): void {
        this.#reader.close();
    }

    async stats({ signal }: CallOptions = {}): Promise<Stats> {
        return (await this.#read(signal)).stats;
    }

    /**
     * The 99th percentile of the requests since the start, in seconds, by
     * trove and endpoint; null where there were none.
     */
    async reportP99({ signal }: CallOptions = {}):
        Promise<Record<string, Record<string, number | null>>>
    {
        const { troves } = await this.stats({ ...(signal && { signal }) });

        return map(troves, ({ latency }) =>
            map(latency, ({ count, p99 }) => count ? p99 : null));
    }

    /**
     * What the part q (0 to 1) of the endpoint's requests since the start did
     * not exceed, in seconds: at most 1/32 too high.  Null if there were none.
     */
    async latency(endpoint: string, q: number,
                  { trove, signal }: LatencyOptions = {}):
        Promise<number | null>
    {
        if (!(q >= 0 && q <= 1)) {
            throw new RangeError(`a quantile is from 0 to 1, not ${q}`);
        }

        const { troves } = await this.stats({ ...(signal && { signal }) });
        const of = trove === undefined ? Object.values(troves)
                                       : [pick(troves, 'trove', trove)];
        const found = of.map(({ latency }) => own(latency, endpoint))
                        .filter((h): h is Histogram => h !== undefined);

        if (!found.length) {
            throw new UnknownNameError('endpoint', endpoint, [
                ...new Set(of.flatMap(({ latency }) => Object.keys(latency))),
            ]);
        }

        return Durations.of(...found).quantile(q);
    }

    /** What is allocated, by whom. */
    async dumpAllocator({ signal }: CallOptions = {}): Promise<AllocatorDump> {
        const { allocator, troves } = await this.stats({
            ...(signal && { signal }),
        });
        const workers = allWorkers(troves);
        const sum = (of: (worker: Worker) => number) =>
            workers.reduce((total, worker) => total + of(worker), 0);

        return {
            ...allocator,
            committed: sum((worker) => worker.allocator_committed),
            reserved: sum((worker) => worker.allocator_reserved),
            resident: sum((worker) => worker.resident),
            workers,
            troves: map(troves, (trove) => ({
                arena_size: trove.arena_size,
                arena_used: trove.arena_used,
                arena_peak: trove.arena_peak,
                view_bytes: trove.view_bytes,
                large_pages: trove.large_pages,
                ledger_bytes: trove.ledger_bytes,
                snapshot_bytes: trove.snapshot_bytes,
            })),
        };
    }

    /**
     * Turns the epoch of a trove now, in the worker that answers: its arena
     * is empty again.  The location must have `write=on`.
     */
    async cycleArena(trove: string, { signal }: CallOptions = {}):
        Promise<Cycled>
    {
        const { json } = await this.#reader.post({ cycle: trove }, signal);
        const { cycled, worker } = (json ?? {}) as Record<string, unknown>;

        if (typeof cycled !== 'string' || typeof worker !== 'number') {
            throw new SchemaError('the answer does not say what was turned');
        }

        return { cycled, worker };
    }

    /**
     * Samples at an interval, until the signal is aborted or the loop over
     * them is left.  While the server is away there are bad ones, at
     * intervals that grow.
     */
    samples(options: SamplesOptions = {}): AsyncGenerator<Sample, void, void> {
        return samples((signal) => this.#read(signal), options);
    }

    async #read(signal?: AbortSignal): Promise<Reading> {
        const sent = clock.now();
        const { json, date } = await this.#reader.get({ format: 'json' },
                                                      signal);

        return {
            stats: check(json),
            at: (sent + clock.now()) / 2,
            date,
        };
    }
}


/** The workers of all troves, each once. */
export function allWorkers(troves: Record<string, Trove>): Worker[] {
    const all = Object.values(troves).flatMap(({ workers }) => workers);

    return [...new Map(all.map((worker) => [worker.pid, worker])).values()]
           .sort((a, b) => a.pid - b.pid);
}


function pick<T>(of: Record<string, T>, what: string, name: string): T {
    const found = own(of, name);

    if (found === undefined) {
        throw new UnknownNameError(what, name, Object.keys(of));
    }

    return found;
}


function map<T, U>(of: Record<string, T>,
                   change: (value: T) => U): Record<string, U>
{
    return Object.fromEntries(Object.entries(of).map(([name, value]) =>
        [name, change(value)]));
}
