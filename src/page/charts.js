/*
 * A chart and the table beneath it, of the same series; without uPlot only the
 * table.  All text goes into text nodes.
 */

'use strict';


function element(name, properties, ...children) {
    const e = Object.assign(document.createElement(name), properties);

    e.append(...children);

    return e;
}


function row(head, ...cells) {
    return element('tr', {}, element('th', { scope: 'row' }, head),
                   ...cells.map((text) => element('td', {}, text)));
}


/* Fills the element's table, made at first, and keeps where it is scrolled. */

function table(card, caption, heads, rows) {
    let box = card.querySelector('.scroll');

    if (!box) {
        box = element('div', { className: 'scroll' }, element('table'));
        card.append(box);
    }

    box.firstChild.replaceChildren(
        ...(caption ? [ element('caption', {}, caption) ] : []),
        element('thead', {}, element('tr', {}, ...heads.map(
            (text) => element('th', { scope: 'col' }, text)))),
        element('tbody', {}, ...rows));
}


function color(i) {
    return getComputedStyle(document.documentElement)
               .getPropertyValue('--' + i).trim();
}


function swatch(i) {
    const e = element('span', { className: 'swatch' });

    e.style.background = 'var(--series-' + i % 8 + ')';

    return e;
}


function axisOptions() {
    return { stroke: color('faint'), grid: { stroke: color('grid') },
             ticks: { stroke: color('grid') } };
}


/* Lines of a logarithmic axis at the powers of ten only */

function decades(u, splits) {
    return splits.map((v) => Number.isInteger(
        Number(Math.log10(v).toFixed(6))) ? v : null);
}


/* And of one of bytes at those of two */

const POWERS = Array.from({ length: 50 }, (v, i) => 2 ** i);


class Chart {

    /*
     * "say" writes a value in words; "least" is the lowest value of a
     * logarithmic axis.
     */

    constructor(card, say, least) {
        this.card = card;
        this.say = say;
        this.least = least;
        this.plot = null;
        this.names = [];
        this.at = null;                 /* the point under the cursor */

        if (typeof uPlot !== 'undefined') {
            this.box = element('div', { className: 'plot' });
            card.append(this.box);

            new ResizeObserver(() => this.fit()).observe(this.box);
        }
    }

    fit() {
        if (this.plot) {
            this.plot.setSize({ width: this.box.clientWidth,
                                height: this.box.clientHeight });
        }
    }

    /* [ name, label ] of each series. */

    draw(history, series) {
        this.history = history;
        this.series = series;

        if (this.box) {
            const names = series.map(([ name ]) => name);
            const data = [ history.times,
                           ...names.map((name) => this.values(name)) ];

            if (this.plot && names.join('\n') === this.names.join('\n')) {
                this.plot.setData(data);

            } else {
                this.clear();
                this.names = names;
                this.plot = new uPlot(this.options(series), data, this.box);
            }
        }

        this.tell();
    }

    /* A logarithmic axis has no zero. */

    values(name) {
        const list = this.history.of(name);

        return this.least ? list.map((v) => v === null ? v
                                                : Math.max(v, this.least))
                          : list;
    }

    clear() {
        if (this.plot) {
            this.plot.destroy();
            this.plot = null;
        }

        this.at = null;
    }

    options(series) {
        const axis = axisOptions();

        return {
            width: this.box.clientWidth,
            height: this.box.clientHeight,
            legend: { show: false },
            cursor: { sync: { key: 'trove' }, y: false },
            scales: {
                y: this.least ? { distr: 3 }
                              : { range: (u, min, max) =>
                                      [ 0, max > 0 ? 1.1 * max : 1 ] },
            },
            axes: [ { ...axis, space: 80, values: (u, splits) =>
                        splits.map((s) => new Date(1000 * s)
                                              .toLocaleTimeString()) },
                    { ...axis, size: 70, values: (u, splits) =>
                        splits.map((v) => v === null ? '' : this.say(v)),
                      ...(this.say === inBytes ? { incrs: POWERS } : {}),
                      ...(this.least ? { filter: decades,
                                         grid: { ...axis.grid,
                                                 filter: decades } } : {}) } ],
            series: [ {}, ...series.map((s, i) => ({
                stroke: color('series-' + i % 8), width: 1.5,
                points: { show: false } })) ],
            hooks: { setCursor: [ (u) => {
                const at = u.cursor.left >= 0 ? u.cursor.idx : null;

                if (at !== this.at) {
                    this.at = at;
                    this.tell();
                }
            } ] },
        };
    }

    tell() {
        const { times } = this.history;
        const at = this.at !== null && this.at < times.length ? this.at
                                                      : times.length - 1;
        const when = this.at === null ? 'now'
                     : new Date(times[at] * 1000).toLocaleTimeString();

        const rows = this.series.map(([ name, label ], i) => {
            const list = this.history.of(name);
            const values = list.filter((v) => v !== null);
            const head = element('span', {}, swatch(i), label);
            const tell = (v) => v === undefined || v === null ? '–'
                                                              : this.say(v);

            return row(head, tell(list[at]),
                       tell(values.length ? Math.min(...values) : null),
                       tell(values.length ? Math.max(...values) : null));
        });

        table(this.card, '', [ '', when, 'least', 'most' ], rows);
    }
}


/* Columns of a histogram whose steps are 1, 2, 5, 10 ... */

const STEPS = [];

for (let decade = 1e-6; decade < 100; decade *= 10) {
    STEPS.push(decade, 2 * decade, 5 * decade);
}


class Histogram {

    constructor(card) {
        this.card = card;
        this.plot = null;

        if (typeof uPlot !== 'undefined') {
            this.box = element('div', { className: 'plot' });
            card.append(this.box);

            new ResizeObserver(() => this.plot && this.plot.setSize({
                width: this.box.clientWidth,
                height: this.box.clientHeight })).observe(this.box);
        }
    }

    clear() {
        if (this.plot) {
            this.plot.destroy();
            this.plot = null;
        }
    }

    /* Pairs as History.buckets() has them. */

    draw(pairs) {
        const columns = STEPS.map(() => 0);
        let all = 0;

        for (const [ longest, n ] of pairs) {
            const i = STEPS.findIndex((step) => longest <= step * 1.0001);

            columns[i < 0 ? STEPS.length - 1 : i] += n;
            all += n;
        }

        const first = columns.findIndex((n) => n > 0);
        const last = columns.length - 1
                     - [ ...columns ].reverse().findIndex((n) => n > 0);
        const shown = first < 0 ? [] : STEPS.map((step, i) => i)
                      .slice(Math.max(0, first - 1), last + 2);

        if (this.box) {
            this.bars(shown.map((i) => STEPS[i]),
                      shown.map((i) => columns[i]));
        }

        table(this.card, '', [ 'up to', 'requests', 'share' ],
              shown.filter((i) => columns[i] > 0).map((i) =>
                  row(inSeconds(STEPS[i]), inNumber(columns[i]),
                      short(100 * columns[i] / all, 3) + ' %')));
    }

    bars(steps, counts) {
        const data = [ steps.map((step, i) => i), counts ];

        this.steps = steps;

        if (this.plot) {
            this.plot.setData(data);
            return;
        }

        const axis = axisOptions();

        this.plot = new uPlot({
            width: this.box.clientWidth,
            height: this.box.clientHeight,
            legend: { show: false },
            cursor: { show: false },
            scales: {
                x: { time: false, range: (u, min, max) =>
                         [ min - 0.7, max + 0.7 ] },
                y: { range: (u, min, max) => [ 0, max > 0 ? 1.1 * max : 1 ] },
            },
            axes: [
                { ...axis, grid: { show: false },
                  splits: () => this.steps.map((s, i) => i),
                  values: (u, splits) => splits.map((i) => {
                      const every = Math.ceil(this.steps.length
                                              / (u.width / 70));

                      return i % every === 0 ? inSeconds(this.steps[i]) : '';
                  }) },
                { ...axis, size: 70,
                  values: (u, splits) => splits.map(inNumber) },
            ],
            series: [ {}, { paths: uPlot.paths.bars({ size: [ 0.9 ] }),
                            fill: color('series-0'),
                            stroke: color('series-0'),
                            points: { show: false } } ],
        }, data, this.box);
    }
}
