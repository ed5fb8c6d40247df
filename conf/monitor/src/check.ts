// Whether JSON is statistics as this client understands them.  What it does
// not know is let pass: a newer server may say more.

import { SchemaError } from './errors.js';
import {
    COUNTERS, GAUGES, HISTOGRAMS, SCHEMA, SPANS, type Stats,
} from './stats.js';


type Members = Record<string, unknown>;


export function check(json: unknown): Stats {
    const stats = members(json, 'the answer');

    if (stats['schema'] !== SCHEMA) {
        throw new SchemaError(`the statistics are of schema `
                              + `${JSON.stringify(stats['schema']) ?? 'none'}`
                              + `, and this understands ${SCHEMA}`,
                              stats['schema']);
    }

    texts(stats, ['version', 'nginx', 'simd'], '');
    texts(members(stats['allocator'], 'allocator'), ['name', 'version'],
          'allocator.');

    for (const [name, trove] of each(stats['troves'], 'troves')) {
        checkTrove(members(trove, `troves.${name}`), `troves.${name}.`);
    }

    return stats as unknown as Stats;
}


function checkTrove(trove: Members, path: string): void {
    texts(trove, ['simd'], path);
    numbers(trove, [...COUNTERS, ...GAUGES, ...SPANS], path);
    numbers(members(trove['coins'], `${path}coins`),
            Object.keys(trove['coins'] as Members), `${path}coins.`);

    for (const [name, board] of each(trove['boards'], `${path}boards`)) {
        numbers(members(board, `${path}boards.${name}`),
                ['rows', 'rows_capacity', 'rebuilds'],
                `${path}boards.${name}.`);
    }

    for (const [name, queue] of each(trove['overflow'], `${path}overflow`)) {
        numbers(members(queue, `${path}overflow.${name}`),
                ['pending', 'oldest'], `${path}overflow.${name}.`);
    }

    for (const name of HISTOGRAMS) {
        checkHistogram(trove[name], path + name);
    }

    for (const [name, of] of each(trove['endpoints'], `${path}endpoints`)) {
        const at = `${path}endpoints.${name}.`;
        const endpoint = members(of, at);
        const requests = members(endpoint['requests'], `${at}requests`);

        numbers(requests, Object.keys(requests), `${at}requests.`);
        numbers(endpoint, ['lines_ok', 'lines_error'], at);
    }

    for (const [name, of] of each(trove['latency'], `${path}latency`)) {
        checkHistogram(of, `${path}latency.${name}`);
    }

    const workers = trove['workers'];

    if (!Array.isArray(workers)) {
        throw wrong(`${path}workers`, 'a list');
    }

    workers.forEach((worker, i) => {
        numbers(members(worker, `${path}workers.${i}`),
                ['pid', 'allocator_committed', 'allocator_reserved',
                 'resident'], `${path}workers.${i}.`);
    });
}


function checkHistogram(of: unknown, path: string): void {
    const histogram = members(of, path);
    const buckets = histogram['buckets'];

    numbers(histogram, ['count', 'p50', 'p90', 'p99', 'p999', 'max', 'mean',
                        'sum'], `${path}.`);

    if (!Array.isArray(buckets) || !buckets.every(isNumber)) {
        throw wrong(`${path}.buckets`, 'a list of numbers');
    }
}


function members(of: unknown, path: string): Members {
    if (typeof of !== 'object' || of === null || Array.isArray(of)) {
        throw wrong(path, 'an object');
    }

    return of as Members;
}


function each(of: unknown, path: string): [string, unknown][] {
    return Object.entries(members(of, path));
}


function numbers(of: Members, names: readonly string[], path: string): void {
    for (const name of names) {
        if (!Object.hasOwn(of, name) || !isNumber(of[name])) {
            throw wrong(path + name, 'a number');
        }
    }
}


function texts(of: Members, names: readonly string[], path: string): void {
    for (const name of names) {
        if (!Object.hasOwn(of, name) || typeof of[name] !== 'string') {
            throw wrong(path + name, 'a string');
        }
    }
}


function isNumber(value: unknown): value is number {
    return typeof value === 'number' && Number.isFinite(value);
}


function wrong(path: string, what: string): SchemaError {
    return new SchemaError(`${path} is not ${what}`, SCHEMA);
}
