// The command, where the output is no terminal.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { stats, trove } from './fixture.js';


const command = fileURLToPath(new URL('../src/command.js', import.meta.url));


test('how it is used', () => {
    const run = (...args: string[]) =>
        spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });

    assert.match(run('--help').stdout, /^usage: trove-monitor/);
    assert.equal(run('--help').status, 0);

    for (const args of [[], ['a', 'b'], ['--nosuch', 'a'], ['-i', '0', 'a'],
                        ['-i', 'x', 'a'], ['-n', '-1', 'a'], ['-H', 'a', 'b'],
                        ['ftp://a/'], ['http://'], ['--timeout=', 'a']])
    {
        const { status, stdout, stderr } = run(...args);

        assert.equal(status, 2, args.join(' '));
        assert.equal(stdout, '');
        assert.match(stderr, /^trove-monitor: .+\nusage: /);
    }
});


test('a line for each trove and sample, until that is enough', async (t) => {
    const server = http.createServer((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(stats({ hunt: trove(), b: trove() })));
    });

    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());

    const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;

    const run = async (args: string[], stop?: NodeJS.Signals) => {
        const child = spawn(process.execPath, [command, '-i', '0.02', ...args,
                                               at]);
        let out = '';

        child.stdout.on('data', (data) => { out += String(data); });

        if (stop) {
            child.stdout.once('data', () => child.kill(stop));
        }

        const [status] = await once(child, 'close') as [number];

        return { out, status };
    };

    const both = await run(['-n', '3']);

    assert.equal(both.status, 0);
    assert.match(both.out, /^(\S+Z hunt\n\S+Z b\n){3}$/);

    const one = await run(['-n', '2', '-t', 'b']);

    assert.match(one.out, /^(\S+Z b\n){2}$/);

    assert.equal((await run([], 'SIGTERM')).status, 143);
    assert.equal((await run([], 'SIGINT')).status, 130);

    // "trove-monitor URL | head -1" ends

    const child = spawn(process.execPath, [command, '-i', '0.01', at]);

    child.stdout.once('data', () => child.stdout.destroy());

    const [status] = await once(child, 'exit') as [number];

    assert.equal(status, 0);
});
