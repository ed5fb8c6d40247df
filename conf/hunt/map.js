/*
 * A map by Mercator's projection, drawn from nothing but the rewards; it is
 * moved and zoomed by pointer and keys.
 */

'use strict';

const RADIUS = 6371008.8;     /* of the earth, metres */
const DEGREE = RADIUS * Math.PI / 180;
const NORTH = 85;             /* degrees that the map ends at */


function north(lat) {
    return Math.log(Math.tan(Math.PI / 4 + lat * Math.PI / 360))
           * 180 / Math.PI;
}


function southOf(y) {
    return Math.atan(Math.exp(y * Math.PI / 180)) * 360 / Math.PI - 90;
}


/* Metres between two places, well enough for walking. */

function distance(a, b) {
    const dx = (((b.x - a.x + 540) % 360) - 180)
               * Math.cos((a.y + b.y) * Math.PI / 360);

    return DEGREE * Math.hypot(dx, b.y - a.y);
}


class WorldMap {

    /* "place" is called with what was clicked. */

    constructor(canvas, place) {
        this.canvas = canvas;
        this.context = canvas.getContext('2d');
        this.base = document.createElement('canvas');
        this.place = place;
        this.places = { x: [], y: [], n: 0 };
        this.pointers = new Map();
        this.colors = {};

        this.x = 10;                    /* in the middle, degrees */
        this.y = north(48);
        this.scale = 0;                 /* pixels a degree */

        new ResizeObserver(() => this.fit()).observe(canvas);
        matchMedia('(prefers-color-scheme: dark)')
            .addEventListener('change', () => this.paint());

        this.listen();
        this.fit();
    }

    fit() {
        const ratio = devicePixelRatio;

        this.width = this.canvas.clientWidth;
        this.height = this.canvas.clientHeight;

        for (const canvas of [ this.canvas, this.base ]) {
            canvas.width = this.width * ratio;
            canvas.height = this.height * ratio;
            canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0);
        }

        if (this.scale === 0) {
            this.scale = Math.max(4, Math.min(this.width / 45,
                                              this.height / 40));
        }

        this.paint();
    }

    /* Longitudes and latitudes of so many places. */

    show(places) {
        this.places = places;
        this.paint();
    }

    left(lon) {
        return this.width / 2 + (lon - this.x) * this.scale;
    }

    top(lat) {
        return this.height / 2 - (north(lat) - this.y) * this.scale;
    }

    at(left, top) {
        const x = this.x + (left - this.width / 2) / this.scale;

        return { x: Math.min(180, Math.max(-180, x)),
                 y: southOf(this.y - (top - this.height / 2) / this.scale) };
    }

    move(dx, dy) {
        const edge = north(NORTH);

        this.x = Math.min(180, Math.max(-180, this.x - dx / this.scale));
        this.y = Math.min(edge, Math.max(-edge, this.y + dy / this.scale));
        this.paint();
    }

    /* What is under the pointer stays there. */

    zoom(by, left, top) {
        const scale = Math.min(20000, Math.max(this.width / 400,
                                               this.scale * by));
        const dx = left - this.width / 2, dy = top - this.height / 2;

        this.x += dx / this.scale - dx / scale;
        this.y -= dy / this.scale - dy / scale;
        this.scale = scale;
        this.move(0, 0);
    }

    /* The places, which change seldom, in a picture of their own */

    paint() {
        const style = getComputedStyle(document.documentElement);

        for (const name of [ 'place', 'player', 'placed', 'text' ]) {
            this.colors[name] = style.getPropertyValue('--' + name);
        }

        const c = this.base.getContext('2d');
        const size = Math.min(4, 0.8 + Math.log10(Math.max(1, this.scale / 5)));

        c.clearRect(0, 0, this.width, this.height);
        c.fillStyle = this.colors.place;

        for (let i = 0; i < this.places.n; i++) {
            const left = this.left(this.places.x[i]);

            if (left < 0 || left > this.width) {
                continue;
            }

            const top = this.top(this.places.y[i]);

            if (top >= 0 && top <= this.height) {
                c.fillRect(left - size / 2, top - size / 2, size, size);
            }
        }
    }

    /* Players, and what was placed: { x, y, gone } */

    draw(players, placed) {
        const c = this.context;

        c.clearRect(0, 0, this.width, this.height);

        if (this.width > 0 && this.height > 0) {
            c.drawImage(this.base, 0, 0, this.width, this.height);
        }

        c.fillStyle = this.colors.player;

        for (const p of players) {
            c.beginPath();
            c.arc(this.left(p.x), this.top(p.y), 2.5, 0, 2 * Math.PI);
            c.fill();
        }

        c.lineWidth = 2;
        c.strokeStyle = this.colors.placed;

        for (const r of placed) {
            c.globalAlpha = r.gone ? 0.35 : 1;
            c.beginPath();
            c.arc(this.left(r.x), this.top(r.y), 7, 0, 2 * Math.PI);
            c.stroke();
        }

        c.globalAlpha = 1;
    }

    listen() {
        const canvas = this.canvas;
        let moved = 0;

        canvas.addEventListener('pointerdown', (e) => {
            canvas.setPointerCapture(e.pointerId);
            this.pointers.set(e.pointerId, e);
            moved = this.pointers.size > 1 ? Infinity : 0;
        });

        canvas.addEventListener('pointermove', (e) => {
            const before = this.pointers.get(e.pointerId);

            if (!before) {
                return;
            }

            const other = [ ...this.pointers.values() ].find(
                              (p) => p.pointerId !== e.pointerId);

            if (other) {
                const gap = (p) => Math.hypot(p.offsetX - other.offsetX,
                                              p.offsetY - other.offsetY);

                this.zoom(gap(e) / Math.max(1, gap(before)), other.offsetX,
                          other.offsetY);

            } else {
                moved += Math.hypot(e.offsetX - before.offsetX,
                                    e.offsetY - before.offsetY);

                if (moved > 5) {
                    this.move(e.offsetX - before.offsetX,
                              e.offsetY - before.offsetY);
                }
            }

            this.pointers.set(e.pointerId, e);
        });

        canvas.addEventListener('pointerup', (e) => {
            this.pointers.delete(e.pointerId);

            if (moved <= 5) {
                this.place(this.at(e.offsetX, e.offsetY));
            }
        });

        canvas.addEventListener('pointercancel',
                                (e) => this.pointers.delete(e.pointerId));

        canvas.addEventListener('wheel', (e) => {
            e.preventDefault();
            this.zoom(Math.exp(-e.deltaY / 400), e.offsetX, e.offsetY);
        }, { passive: false });

        canvas.addEventListener('keydown', (e) => {
            const step = 60;
            const keys = {
                ArrowLeft: () => this.move(step, 0),
                ArrowRight: () => this.move(-step, 0),
                ArrowUp: () => this.move(0, step),
                ArrowDown: () => this.move(0, -step),
                '+': () => this.zoomIn(),
                '=': () => this.zoomIn(),
                '-': () => this.zoomOut(),
                Enter: () => this.place(this.at(this.width / 2,
                                                this.height / 2)),
            };

            if (keys[e.key]) {
                e.preventDefault();
                keys[e.key]();
            }
        });
    }

    zoomIn() {
        this.zoom(1.5, this.width / 2, this.height / 2);
    }

    zoomOut() {
        this.zoom(1 / 1.5, this.width / 2, this.height / 2);
    }
}
