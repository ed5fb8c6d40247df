import assert from 'node:assert/strict';
import { test } from 'node:test';

import { amount, bytes, duration, harmless, whole } from '../src/text.js';


test('numbers', () => {
    assert.deepEqual([0, 1, 0.125, 7.25, 99.96, 12345, 1.5, 100.4, 999_999,
                      1_234_567, 5.5e9, 2e18].map(amount),
                     ['0', '1', '0.13', '7.25', '100', '12,345', '1.5', '100',
                      '999,999', '1.23M', '5.5G', '2.00e+18']);
    assert.equal(whole(1234567), '1,234,567');
});


test('durations', () => {
    assert.deepEqual([0, 8.5e-7, 1.25e-5, 0.0009999, 0.0032, 1.5, 59.94, 61,
                      12_000, 190_000].map(duration),
                     ['0', '850ns', '12.5us', '1ms', '3.2ms', '1.5s',
                      '59.9s', '1m 1s', '3h 20m', '2d 4h']);
});


test('bytes', () => {
    assert.deepEqual([0, 512, 1536, 134217728, 1048575, 2 ** 52].map(bytes),
                     ['0 B', '512 B', '1.5 kB', '128 MB', '1 MB', '4 PB']);
});


test('nothing of a text is obeyed', () => {
    assert.equal(harmless('\x1b[2J\x07\r\n\x9b31m\x7f'),
                 '\\u{1b}[2J\\u{7}\\u{d}\\u{a}\\u{9b}31m\\u{7f}');
    assert.equal(harmless('\u202egold\u200b\ud800'),
                 '\\u{202e}gold\\u{200b}\\u{d800}');
    assert.equal(harmless('gold.1_a-b <b>&'), 'gold.1_a-b <b>&');
});
