#!/usr/bin/env node

import { constants } from 'node:os';
import { parseArgs } from 'node:util';

import { TroveMonitor } from './monitor.js';
import type { Sample } from './samples.js';
import { open } from './terminal.js';
import { harmless } from './text.js';
import { add, frame, log, turn, type ViewState } from './view.js';


const USAGE = `usage: trove-monitor [OPTION...] URL

Shows what the troves of an nginx do, from the URL of its trove_stats location
(default path: /stats). Where the output is no terminal, a line for each sample.

  -i, --interval SECONDS   between two samples (1)
  -n, --count N            ends after so many
  -t, --trove NAME         the trove to show
  -l, --lines              lines, on a terminal, too
      --timeout SECONDS    for an answer (5)
  -H, --header "NAME: VALUE"
                           goes with each request; again for more
  -h, --help
`;


class UsageError extends Error {}


function options(args: string[]) {
    const { values, positionals } = parse(args);
    const [url, ...more] = positionals;

    if (values.help) {
        return null;
    }

    if (url === undefined || more.length) {
        throw new UsageError('one URL is needed');
    }

    return {
        url: /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`,
        interval: 1000 * positive('interval', values.interval ?? '1'),
        count: positive('count', values.count ?? 'Infinity'),
        timeout: 1000 * positive('timeout', values.timeout ?? '5'),
        trove: values.trove,
        lines: values.lines ?? false,
        headers: Object.fromEntries((values.header ?? []).map(header)),
    };
}


function parse(args: string[]) {
    try {
        return parseArgs({
            args,
            allowPositionals: true,
            options: {
                interval: { type: 'string', short: 'i' },
                count: { type: 'string', short: 'n' },
                trove: { type: 'string', short: 't' },
                lines: { type: 'boolean', short: 'l' },
                timeout: { type: 'string' },
                header: { type: 'string', short: 'H', multiple: true },
                help: { type: 'boolean', short: 'h' },
            },
        });

    } catch (error) {
        throw new UsageError((error as Error).message);
    }
}


function positive(name: string, text: string): number {
    const n = Number(text);

    if (text.trim() === '' || !(n > 0)) {
        throw new UsageError(`--${name} must be more than 0, not "${text}"`);
    }

    return n;
}


function header(text: string): [string, string] {
    const at = text.indexOf(':');

    if (at < 1) {
        throw new UsageError(`--header must be "NAME: VALUE", not "${text}"`);
    }

    return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}


type Options = NonNullable<ReturnType<typeof options>>;


async function main(args: string[]): Promise<void> {
    const given = options(args);

    if (!given) {
        process.stdout.write(USAGE);
        return;
    }

    const monitor = connect(given);
    const ended = new AbortController();

    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => {
            process.exitCode = 128 + constants.signals[signal];
            ended.abort();
        });
    }

    // whoever reads this has enough, or the terminal is gone

    process.stdout.on('error', () => ended.abort());

    const samples = monitor.samples({
        interval: given.interval,
        signal: ended.signal,
    });

    try {
        await (process.stdout.isTTY && !given.lines ? live : plain)(
            limited(samples, given.count), given, monitor.url, ended);

    } finally {
        monitor.close();
    }
}


function connect({ url, timeout, headers }: Options): TroveMonitor {
    try {
        return new TroveMonitor(url, { timeout, headers });

    } catch (error) {
        throw new UsageError(`${(error as Error).message}: ${url}`);
    }
}


async function *limited(samples: AsyncGenerator<Sample>, count: number):
    AsyncGenerator<Sample>
{
    for await (const sample of samples) {
        yield sample;

        if (--count <= 0) {
            return;
        }
    }
}


async function plain(samples: AsyncGenerator<Sample>, { trove }: Options):
    Promise<void>
{
    for await (const sample of samples) {
        for (const line of log(sample, trove)) {
            process.stdout.write(`${line}\n`);
        }
    }
}


async function live(samples: AsyncGenerator<Sample>, { trove }: Options,
                    url: string, ended: AbortController): Promise<void>
{
    const state: ViewState = { url };

    if (trove !== undefined) {
        state.trove = trove;
    }

    const show = () => {
        terminal.draw(frame(state, terminal.columns, terminal.rows));
    };

    const terminal = open({
        resize: show,

        key(key) {
            if (key === 'q' || key === 'Q' || key === '\x03') {
                ended.abort();
            } else if (key === '\t' || key === '\x1b[C') {
                turn(state, 1);
            } else if (key === '\x1b[Z' || key === '\x1b[D') {
                turn(state, -1);
            }

            show();
        },
    });

    try {
        show();

        for await (const sample of samples) {
            add(state, sample);
            show();
        }

    } finally {
        terminal.close();
    }
}


main(process.argv.slice(2)).catch((error: unknown) => {
    if (error instanceof UsageError) {
        process.stderr.write(`trove-monitor: ${harmless(error.message)}\n`
                             + USAGE);
        process.exitCode = 2;
        return;
    }

    process.stderr.write(`trove-monitor: ${harmless(String(error))}\n`);
    process.exitCode = 1;
});
