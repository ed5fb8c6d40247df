// Figures as few characters, and text that a terminal does not obey.

const LARGE = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M']] as const;
const UNITS = [[1, 's'], [1e-3, 'ms'], [1e-6, 'us']] as const;


/**
 * Text with all shown that is no printable ASCII: control characters and
 * escape sequences do nothing, and every character is one column wide.
 */
export function harmless(text: string): string {
    return text.replace(/[^\x20-\x7e]/gu, (c) =>
        `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}


/** A number or a rate: 0.25, 7.5, 120, 12,345, 1.23M. */
export function amount(n: number): string {
    if (n >= 1e15) {
        return n.toExponential(2);
    }

    for (const [unit, suffix] of LARGE) {
        if (n >= unit) {
            return significant(n / unit) + suffix;
        }
    }

    if (n >= 100 || Number.isInteger(n)) {
        return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
    }

    return significant(n);
}


/** All digits. */
export function whole(n: number): string {
    return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}


/** Seconds: 850ns, 12.5us, 3.2ms, 1.5s, 5m, 3h 20m, 2d 4h. */
export function duration(seconds: number): string {
    if (seconds >= 86400) {
        const hours = Math.floor(seconds / 3600);

        return `${Math.floor(hours / 24)}d ${hours % 24}h`;
    }

    if (seconds >= 3600) {
        const minutes = Math.floor(seconds / 60);

        return `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
    }

    if (seconds >= 60) {
        return `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`;
    }

    for (const [unit, suffix] of UNITS) {
        if (seconds >= unit * 0.9995) {
            return significant(seconds / unit) + suffix;
        }
    }

    return seconds > 0 ? `${Math.round(seconds * 1e9)}ns` : '0';
}


/** Bytes: 512 B, 1.5 kB, 128 MB, as nginx's sizes of 1024. */
export function bytes(n: number): string {
    let unit = 0;

    while (n >= 1023.5 && unit < 5) {
        n /= 1024;
        unit++;
    }

    return `${significant(n)} ${['B', 'kB', 'MB', 'GB', 'TB', 'PB'][unit]}`;
}


function significant(n: number): string {
    if (n >= 99.95) {
        return String(Math.round(n));
    }

    return String(Number(n.toFixed(n >= 9.995 ? 1 : 2)));
}
