// Makes src/stats.ts of stats.schema.json: an interface or an alias of each
// definition, and the names of a trove's figures by what they are, which the
// client goes by.  A keyword it does not know is an error: no schema says
// what the types do not.

import { readFileSync, writeFileSync } from 'node:fs';

const known = new Set(['$schema', '$defs', '$ref', 'title', 'description',
                       'type', 'const', 'properties', 'required', 'items',
                       'patternProperties', 'additionalProperties',
                       'minimum', 'minItems', 'maxItems']);

const schema = JSON.parse(readFileSync(new URL('stats.schema.json',
                                               import.meta.url), 'utf8'));

const title = (name) => name[0].toUpperCase() + name.slice(1);

const named = (ref) => ref.replace('#/$defs/', '');


function comment(text, indent) {
    if (text === undefined) {
        return '';
    }

    const lines = [''];

    for (const word of text.replaceAll('*/', '* /').split(' ')) {
        const line = lines.at(-1);

        if (line !== '' && indent.length + line.length + word.length > 75) {
            lines.push(word);
        } else {
            lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
        }
    }

    return lines.length === 1
           ? `${indent}/** ${lines[0]} */\n`
           : `${indent}/**\n` + lines.map((l) => `${indent} * ${l}\n`).join('')
             + `${indent} */\n`;
}


function object(of, indent) {
    const inner = indent + '    ';

    if (of.additionalProperties !== false) {
        throw new Error('additionalProperties must be false');
    }

    if (of.patternProperties) {
        const values = Object.values(of.patternProperties);

        if (of.properties || values.length !== 1) {
            throw new Error('names are either fixed or of one pattern');
        }

        return `{ [name: string]: ${type(values[0], indent)} }`;
    }

    const names = Object.keys(of.properties);
    const lacking = names.filter((name) => !of.required.includes(name));

    if (lacking.length) {
        throw new Error(`${lacking} must be required`);
    }

    return '{\n' + names.map((name) => {
        const member = of.properties[name];

        return `${comment(member.description, inner)}${inner}${name}: `
               + `${type(member, inner)};\n`;
    }).join('') + `${indent}}`;
}


function type(of, indent) {
    const odd = Object.keys(of).filter((keyword) => !known.has(keyword));

    if (odd.length) {
        throw new Error(`types.js does not know "${odd}"`);
    }

    if (of.$ref) {
        return title(named(of.$ref));
    }

    if ('const' in of) {
        return JSON.stringify(of.const);
    }

    switch (of.type) {
    case 'string':
        return 'string';
    case 'integer':
    case 'number':
        return 'number';
    case 'array':
        return `${type(of.items, indent)}[]`;
    case 'object':
        return object(of, indent);
    default:
        throw new Error(`types.js does not know the type "${of.type}"`);
    }
}


function declaration(name, of) {
    const text = type(of, '');

    return comment(of.description, '')
           + (text.startsWith('{\n') ? `export interface ${name} ${text}\n`
                                     : `export type ${name} = ${text};\n`);
}


// The members of a definition that are of another one

function list(constant, of, kind) {
    const names = Object.entries(schema.$defs[of].properties)
                  .filter(([, member]) => member.$ref === `#/$defs/${kind}`)
                  .map(([name]) => `    '${name}',\n`);

    return `export const ${constant} = [\n${names.join('')}] as const;\n`;
}


const { $defs, ...stats } = schema;

writeFileSync(new URL('src/stats.ts', import.meta.url), [
    '// Made of stats.schema.json by types.js\n',
    `export const SCHEMA = ${schema.properties.schema.const};\n`,
    declaration('Stats', stats),
    ...Object.entries($defs).map(([name, of]) => declaration(title(name), of)),
    list('COUNTERS', 'trove', 'counter'),
    list('GAUGES', 'trove', 'gauge'),
    list('SPANS', 'trove', 'seconds'),
    list('HISTOGRAMS', 'trove', 'histogram'),
].join('\n'));
