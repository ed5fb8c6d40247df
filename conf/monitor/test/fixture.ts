// Statistics as a server would send them, all zero but for what a test says.

import {
    COUNTERS, GAUGES, HISTOGRAMS, SCHEMA, SPANS, type Histogram, type Stats,
    type Trove,
} from '../src/stats.js';


export const NOW = 1_800_000_000;          // unix time of the server


export function histogram(of: Record<number, number> = {}): Histogram {
    const durations = Object.entries(of)
                      .flatMap(([ns, n]) => Array<number>(n).fill(Number(ns)))
                      .sort((a, b) => a - b);
    const at = (q: number) =>
        (durations[Math.max(0, Math.ceil(q * durations.length) - 1)] ?? 0)
        / 1e9;
    const sum = durations.reduce((a, b) => a + b, 0) / 1e9;

    return {
        count: durations.length,
        p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999),
        max: at(1), mean: durations.length ? sum / durations.length : 0, sum,
        buckets: Object.entries(of).flatMap(([ns, n]) => [Number(ns), n]),
    };
}


export function trove(of: Partial<Trove> = {}): Trove {
    const zero = (names: readonly string[]) =>
        Object.fromEntries(names.map((name) => [name, 0]));

    return {
        simd: 'avx2',
        ...zero(COUNTERS), ...zero(GAUGES), ...zero(SPANS),
        coins: {},
        boards: {},
        overflow: {},
        ...Object.fromEntries(HISTOGRAMS.map((name) => [name, histogram()])),
        endpoints: {
            poll: { requests: {}, lines_ok: 0, lines_error: 0 },
        },
        latency: { poll: histogram() },
        workers: [{ pid: 7, allocator_committed: 1, allocator_reserved: 2,
                    resident: 4 }],
        started: NOW - 1000,
        ...of,
    } as Trove;
}


export function stats(troves: Record<string, Trove> = {}): Stats {
    return {
        schema: SCHEMA, version: '0.1.0', nginx: '1.22.1', simd: 'avx2',
        allocator: { name: 'mimalloc', version: '2.0.9' },
        troves,
    };
}


// A name that JSON, but no object literal, makes a member of

export function named<T>(...members: [string, T][]): Record<string, T> {
    return Object.fromEntries(members);
}
