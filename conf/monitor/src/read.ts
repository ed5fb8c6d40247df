// One request: within a time, and of bounded size.

import * as http from 'node:http';
import * as https from 'node:https';

import {
    ConnectionError, JsonError, type Problem, StatusError, TimeoutError,
    TooLargeError,
} from './errors.js';


export interface ReadOptions {
    /** Milliseconds for a request and its answer. */
    timeout: number;
    /** Bytes that an answer may have. */
    maxBytes: number;
    headers: Readonly<Record<string, string>>;
}


export interface Answer {
    json: unknown;
    /** The server's clock in ms, by its Date; else this machine's. */
    date: number;
}


interface Text {
    status: number;
    type: string;
    date: number;
    body: string;
}


/** Connections of its own, which are kept for the next request. */
export class Reader {
    readonly #url: URL;
    readonly #options: ReadOptions;
    readonly #agent: http.Agent;

    constructor(url: URL, options: ReadOptions) {
        const settings = { keepAlive: true, maxSockets: 4 };

        this.#url = url;
        this.#options = options;
        this.#agent = url.protocol === 'https:' ? new https.Agent(settings)
                                                : new http.Agent(settings);
    }

    close(): void {
        this.#agent.destroy();
    }

    async get(args: Readonly<Record<string, string>>,
              signal?: AbortSignal): Promise<Answer>
    {
        try {
            return parse(await this.#request('GET', args, signal));

        } catch (error) {

            // a connection that was kept may be closed just when it is used

            if (error instanceof Stale) {
                return parse(await this.#request('GET', args, signal, false));
            }

            throw error;
        }
    }

    async post(args: Readonly<Record<string, string>>,
               signal?: AbortSignal): Promise<Answer>
    {
        return parse(await this.#request('POST', args, signal, false));
    }

    #request(method: string, args: Readonly<Record<string, string>>,
             signal?: AbortSignal, keep = true): Promise<Text>
    {
        const url = new URL(this.#url);

        for (const [name, value] of Object.entries(args)) {
            url.searchParams.set(name, value);
        }

        return new Promise((resolve, reject) => {
            const { timeout, maxBytes, headers } = this.#options;

            signal?.throwIfAborted();

            const request = (url.protocol === 'https:' ? https : http)
                .request(url, {
                    method,
                    agent: keep ? this.#agent : false,
                    headers: { accept: 'application/json', ...headers },
                });

            const fail = (error: unknown) => {
                done();
                reject(error);
                request.destroy();
            };

            const abort = () => fail(signal?.reason);

            const timer = setTimeout(() => fail(new TimeoutError(timeout)),
                                     timeout);

            const done = () => {
                clearTimeout(timer);
                signal?.removeEventListener('abort', abort);
            };

            const broken = (error: NodeJS.ErrnoException) => {
                fail(new (request.reusedSocket ? Stale : ConnectionError)(
                    `no answer from ${url.host}: ${error.message}`,
                    error.code, error));
            };

            signal?.addEventListener('abort', abort);

            request.on('error', broken);

            request.on('response', (response) => {
                const chunks: Buffer[] = [];
                let bytes = 0;

                response.on('data', (chunk: Buffer) => {
                    bytes += chunk.length;

                    if (bytes > maxBytes) {
                        fail(new TooLargeError(maxBytes));
                    } else {
                        chunks.push(chunk);
                    }
                });

                response.on('error', broken);

                response.on('end', () => {
                    done();
                    resolve({
                        status: response.statusCode ?? 0,
                        type: response.headers['content-type'] ?? '',
                        date: Date.parse(response.headers.date ?? '')
                              || Date.now(),
                        body: Buffer.concat(chunks).toString('utf8'),
                    });
                });
            });

            request.end();
        });
    }
}


class Stale extends ConnectionError {}


function parse({ status, type, body, date }: Text): Answer {
    if (status !== 200) {
        throw new StatusError(status, problem(type, body));
    }

    if (!/^application\/json\b/i.test(type)) {
        throw new JsonError(`the answer is ${type || 'of no type'}, not JSON`);
    }

    try {
        return { json: JSON.parse(body) as unknown, date };

    } catch (error) {
        throw new JsonError(`the answer is not JSON: ${String(error)}`,
                            { cause: error });
    }
}


function problem(type: string, body: string): Problem | undefined {
    if (!/^application\/problem\+json\b/i.test(type)) {
        return undefined;
    }

    try {
        const said = JSON.parse(body) as Record<string, unknown> | null;
        const of: Problem = {};

        if (typeof said?.['title'] === 'string') {
            of.title = said['title'];
        }

        if (typeof said?.['status'] === 'number') {
            of.status = said['status'];
        }

        if (typeof said?.['detail'] === 'string') {
            of.detail = said['detail'];
        }

        return of;

    } catch {
        return undefined;
    }
}
