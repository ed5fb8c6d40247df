// What is wrong with statistics, by the schema.  As a program: of the files
// that it is called with.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';


// compiled, this is in .test/test

const file = new URL('../../stats.schema.json', import.meta.url);

const validate = new Ajv2020({ allErrors: true, strict: true })
                 .compile(JSON.parse(readFileSync(file, 'utf8')) as object);


export function complaints(json: unknown): string[] {
    return validate(json) ? [] : (validate.errors ?? []).map(words).sort();
}


function words({ instancePath, keyword, params, message }: ErrorObject): string
{
    const at = instancePath || '/';

    switch (keyword) {
    case 'additionalProperties':
        return `${at}: "${String(params['additionalProperty'])}" is not in `
               + 'stats.schema.json';
    case 'required':
        return `${at}: "${String(params['missingProperty'])}" is required by `
               + 'stats.schema.json';
    default:
        return `${at}: ${message ?? keyword}`;
    }
}


if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
    for (const name of process.argv.slice(2)) {
        const json: unknown = JSON.parse(readFileSync(name, 'utf8'));

        for (const complaint of complaints(json)) {
            console.log(complaint);
            process.exitCode = 1;
        }
    }
}
