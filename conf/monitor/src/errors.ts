// What can go wrong.  Each is a TroveError; AbortSignals that the caller gave
// are not errors of these, and throw their own reason.

/** What a server says of a request that it refused (RFC 9457). */
export interface Problem {
    title?: string;
    status?: number;
    detail?: string;
}


export abstract class TroveError extends Error {
    override get name(): string {
        return this.constructor.name;
    }
}


/** No connection, or one that broke off. `code` is the system's. */
export class ConnectionError extends TroveError {
    readonly code: string | undefined;

    constructor(message: string, code?: string, cause?: unknown) {
        super(message, { cause });
        this.code = code;
    }
}


/** There was no whole answer within so many milliseconds. */
export class TimeoutError extends TroveError {
    readonly timeout: number;

    constructor(timeout: number) {
        super(`no answer within ${timeout} ms`);
        this.timeout = timeout;
    }
}


/** The server answered, and refused. */
export class StatusError extends TroveError {
    readonly status: number;
    readonly problem: Problem | undefined;

    constructor(status: number, problem?: Problem) {
        const words = problem?.detail ?? problem?.title;

        super(`the server answers ${status}` + (words ? `: ${words}` : ''));
        this.status = status;
        this.problem = problem;
    }
}


/** The answer is longer than so many bytes. */
export class TooLargeError extends TroveError {
    readonly limit: number;

    constructor(limit: number) {
        super(`the answer has more than ${limit} bytes`);
        this.limit = limit;
    }
}


/** The answer is not JSON. */
export class JsonError extends TroveError {}


/**
 * The answer is JSON, but not what this version of the client understands.
 * `schema` is the version that it says it is of.
 */
export class SchemaError extends TroveError {
    readonly schema: unknown;

    constructor(message: string, schema?: unknown) {
        super(message);
        this.schema = schema;
    }
}


/** There is no trove, or no endpoint, of that name; `known` are all. */
export class UnknownNameError extends TroveError {
    readonly known: readonly string[];

    constructor(what: string, name: string, known: readonly string[]) {
        super(`there is no ${what} "${name}", only `
              + (known.length ? known.join(', ') : 'none at all'));
        this.known = known;
    }
}
