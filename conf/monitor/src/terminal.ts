// A terminal: its other screen, its keys, its size; and all as it was
// afterwards, whatever ends the program.

import type { Line, Style } from './view.js';


export interface Terminal {
    readonly columns: number;
    readonly rows: number;
    draw(lines: readonly Line[]): void;
    close(): void;
}


export interface TerminalEvents {
    key(key: string): void;
    resize(): void;
}


const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J';
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';

const COLORS: Record<Style, string> = {
    bold: '\x1b[1m', dim: '\x1b[2m', bad: '\x1b[1;31m', warn: '\x1b[33m',
    good: '\x1b[32m',
};


export function open({ key, resize }: TerminalEvents,
                     input = process.stdin, output = process.stdout,
                     color = !process.env['NO_COLOR']): Terminal
{
    let entered = false;

    const enter = () => {
        entered = true;
        output.write(ENTER);

        if (input.isTTY) {
            input.setRawMode(true);
            input.resume();
        }
    };

    const leave = () => {
        if (!entered) {
            return;
        }

        entered = false;

        if (input.isTTY) {
            input.setRawMode(false);
            input.pause();
        }

        output.write(LEAVE);
    };

    const keys = (text: string) => {
        for (const [one] of text.matchAll(/\x1b\[[0-9;]*[A-Za-z~]|[^]/gu)) {
            if (one === '\x1a') {
                leave();
                process.kill(process.pid, 'SIGTSTP');
            } else {
                key(one);
            }
        }
    };

    const again = () => {
        enter();
        resize();
    };

    // in raw mode ctrl-c and ctrl-z are keys like all others

    if (input.isTTY) {
        input.setEncoding('utf8');
        input.on('data', keys);
    }

    output.on('resize', resize);
    process.on('SIGCONT', again);
    process.on('exit', leave);

    enter();

    return {
        get columns() { return output.columns || 80; },
        get rows() { return output.rows || 24; },

        draw(lines) {

            // a terminal that does not keep up gets the next one

            if (entered && !output.writableLength) {
                output.write('\x1b[H' + lines.map((line) =>
                    '\x1b[K' + paint(line, color)).join('\r\n'));
            }
        },

        close() {
            input.off('data', keys);
            output.off('resize', resize);
            process.off('SIGCONT', again);
            process.off('exit', leave);
            leave();
        },
    };
}


export function paint(line: Line, color: boolean): string {
    return line.map(({ text, style }) =>
        color && style ? `${COLORS[style]}${text}\x1b[0m` : text).join('');
}
