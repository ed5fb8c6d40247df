// The client and a server that is not always one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';

import {
    ConnectionError, JsonError, SchemaError, StatusError, TimeoutError,
    TooLargeError, TroveError, TroveMonitor, UnknownNameError,
} from '../src/index.js';
import { histogram, named, stats, trove } from './fixture.js';


type Handler = (request: http.IncomingMessage,
                response: http.ServerResponse) => void;

const sockets = new Set<Socket>();
const server = http.createServer((request, response) => {
    seen.push(request);
    handler(request, response);
});

let handler: Handler;
let seen: http.IncomingMessage[] = [];
let url: string;


before(async () => {
    server.keepAliveTimeout = 0;
    server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});


after(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
});


const json = (body: unknown, headers: http.OutgoingHttpHeaders = {}): Handler =>
    (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json',
                                  ...headers });
        response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };


async function using<T>(answer: Handler,
                        call: (monitor: TroveMonitor) => Promise<T>,
                        options = {}, at = url): Promise<T>
{
    const monitor = new TroveMonitor(at, options);

    handler = answer;
    seen = [];

    try {
        return await call(monitor);
    } finally {
        monitor.close();
    }
}


const fails = (answer: Handler, check: (error: any) => boolean, options = {}) =>
    assert.rejects(using(answer, (monitor) => monitor.stats(), options),
                   (error) => error instanceof TroveError && check(error));


const two = stats({
    hunt: trove({ latency: { poll: histogram({ 1000: 98, 5000: 2 }),
                             tap: histogram() },
                  arena_size: 5 }),
    other: trove({ latency: { poll: histogram({ 9000: 100 }) },
                   workers: [
                       { pid: 7, resident: 4, allocator_committed: 1,
                         allocator_reserved: 2 },
                       { pid: 8, resident: 40, allocator_committed: 10,
                         allocator_reserved: 20 },
                   ] }),
});


test('statistics', async () => {
    assert.deepEqual(await using(json(two), (monitor) => monitor.stats()),
                     two);
    assert.equal(seen[0]?.method, 'GET');
    assert.equal(seen[0]?.url, '/stats?format=json');
    assert.equal(seen[0]?.headers.accept, 'application/json');
});


test('the URL is taken as it is, but for user and password', async () => {
    await using(json(two), (monitor) => {
        assert.equal(monitor.url, `${url}/a/b?c=d`);
        return monitor.stats();
    }, { headers: { 'x-a': 'b' } },
       `${url.replace('//', '//me%40a:s3%3acret@')}/a/b?c=d#e`);

    assert.equal(seen[0]?.url, '/a/b?c=d&format=json');
    assert.equal(seen[0]?.headers['x-a'], 'b');
    assert.equal(seen[0]?.headers.authorization, 'Basic '
                 + Buffer.from('me@a:s3:cret').toString('base64'));

    assert.throws(() => new TroveMonitor('file:///etc/passwd'), TypeError);
    assert.throws(() => new TroveMonitor('nonsense'), TypeError);
});


test('reportP99', async () => {
    assert.deepEqual(await using(json(two), (monitor) => monitor.reportP99()),
                     { hunt: { poll: 0.000005, tap: null },
                       other: { poll: 0.000009 } });
});


test('latency', async () => {
    const at = (endpoint: string, q: number, trove?: string) =>
        using(json(two), (monitor) =>
            monitor.latency(endpoint, q, trove === undefined ? {}
                                                             : { trove }));

    assert.equal(await at('poll', 0.98, 'hunt'), 0.000001);
    assert.equal(await at('poll', 0.981, 'hunt'), 0.000005);
    assert.equal(await at('poll', 0.75), 0.000009, 'of both together');
    assert.equal(await at('poll', 0.25), 0.000001);
    assert.equal(await at('tap', 0.5), null);

    await assert.rejects(at('poll', 99), RangeError);
    await assert.rejects(at('nosuch', 0.5), (error) =>
        error instanceof UnknownNameError
        && error.known.join() === 'poll,tap');
    await assert.rejects(at('poll', 0.5, 'nosuch'), (error) =>
        error instanceof UnknownNameError
        && error.known.join() === 'hunt,other');
    await assert.rejects(at('constructor', 0.5), UnknownNameError);
    await assert.rejects(at('poll', 0.5, '__proto__'), UnknownNameError);
});


test('dumpAllocator has each worker once', async () => {
    const dump = await using(json(two), (monitor) => monitor.dumpAllocator());

    assert.equal(dump.name, 'mimalloc');
    assert.equal(dump.version, '2.0.9');
    assert.deepEqual(dump.workers.map(({ pid }) => pid), [7, 8]);
    assert.equal(dump.resident, 44);
    assert.equal(dump.committed, 11);
    assert.equal(dump.reserved, 22);
    assert.equal(dump.troves['hunt']?.arena_size, 5);
});


test('cycleArena', async () => {
    assert.deepEqual(
        await using(json({ cycled: 'a&b=c', worker: 9 }),
                    (monitor) => monitor.cycleArena('a&b=c')),
        { cycled: 'a&b=c', worker: 9 });
    assert.equal(seen[0]?.method, 'POST');
    assert.equal(seen[0]?.url, '/stats?cycle=a%26b%3Dc');

    for (const odd of [{}, null, [], { cycled: 1, worker: 'a' }]) {
        await assert.rejects(using(json(odd), (monitor) =>
            monitor.cycleArena('a')), SchemaError);
    }
});


test('an answer that refuses says why', async () => {
    await fails((_, response) => {
        response.writeHead(404, { 'content-type': 'application/problem+json' });
        response.end('{"title":"Not Found","status":404,"detail":"no"}');
    }, (error) => error instanceof StatusError && error.status === 404
                  && error.problem?.detail === 'no'
                  && error.problem.title === 'Not Found'
                  && /404: no$/.test(error.message));

    for (const body of ['', '<html>', '[1]', 'null', '{"title":7}']) {
        await fails((_, response) => {
            response.writeHead(502,
                               { 'content-type': 'application/problem+json' });
            response.end(body);
        }, (error) => error instanceof StatusError && error.status === 502);
    }

    await fails((_, response) => {
        response.writeHead(302, { location: '/elsewhere' });
        response.end();
    }, (error) => error instanceof StatusError && error.status === 302);
});


test('what is no JSON', async () => {
    await fails(json('{"a":'), (error) => error instanceof JsonError);
    await fails(json(''), (error) => error instanceof JsonError);
    await fails(json(two, { 'content-type': 'text/html' }),
                (error) => error instanceof JsonError
                           && error.message.includes('text/html'));
});


test('what is of another version', async () => {
    await fails(json({ ...two, schema: 9 }),
                (error) => error instanceof SchemaError && error.schema === 9);
});


test('an answer that has no end', async () => {
    await fails((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });

        const more = () => {
            while (!response.destroyed && response.write('z'.repeat(10000))) {
                /* goes on */
            }
        };

        response.on('drain', more);
        more();
    }, (error) => error instanceof TooLargeError && error.limit === 1e6,
       { maxBytes: 1e6 });
});


test('an answer that does not come, or not all of it', async () => {
    await fails(() => { /* says nothing */ },
                (error) => error instanceof TimeoutError
                           && error.timeout === 50, { timeout: 50 });
    await fails((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{');
    }, (error) => error instanceof TimeoutError, { timeout: 50 });
});


test('a connection that breaks off', async () => {
    await fails((request) => request.socket.destroy(),
                (error) => error instanceof ConnectionError
                           && error.code === 'ECONNRESET');
    await fails((request, response) => {
        response.writeHead(200, { 'content-type': 'application/json',
                                  'content-length': 100 });
        response.write('{', () => request.socket.destroy());
    }, (error) => error instanceof ConnectionError);
});


test('no server', async () => {
    await assert.rejects(
        using(json(two), (monitor) => monitor.stats(), {},
              'http://127.0.0.1:1/'),
        (error) => error instanceof ConnectionError
                   && error.code === 'ECONNREFUSED'
                   && error.name === 'ConnectionError');
});


test('a kept connection that was closed meanwhile is no error', async () => {
    await using(json(two), async (monitor) => {
        await monitor.stats();

        let first = true;

        handler = (request, response) => {
            if (first) {
                first = false;
                request.socket.destroy();
            } else {
                json(two)(request, response);
            }
        };

        assert.deepEqual(await monitor.stats(), two);
        assert.equal(seen.length, 3);
    });
});


test('connections are kept', async () => {
    await using(json(two), async (monitor) => {
        await monitor.stats();
        await monitor.stats();
        await monitor.stats();
    });

    assert.equal(new Set(seen.map(({ socket }) => socket)).size, 1);
});


test('an abort is its own reason', async () => {
    const reason = new Error('enough');
    const abort = new AbortController();

    await assert.rejects(using(() => abort.abort(reason), (monitor) =>
        monitor.stats({ signal: abort.signal })), reason);
    await assert.rejects(using(json(two), (monitor) =>
        monitor.stats({ signal: abort.signal })), reason);
});


test('names are no more than names', async () => {
    const odd = stats(named(['__proto__', two.troves['hunt'] ?? trove()]));

    assert.deepEqual(
        Object.entries(await using(json(odd),
                                   (monitor) => monitor.reportP99())),
        [['__proto__', { poll: 0.000005, tap: null }]]);
});


test('samples of a server', async () => {
    await using(json(two), async (monitor) => {
        const all = [];

        for await (const sample of monitor.samples({ interval: 1 })) {
            all.push(sample.ok);

            handler = all.length === 2
                      ? (request) => request.socket.destroy() : json(two);

            if (all.length === 5) {
                break;
            }
        }

        assert.deepEqual(all, [true, true, false, true, true]);
    });
});
