// The playground: draws a map, walks the rules over it, and answers the controls that the page has.
// RULES and MAPS are generated from adamlib, above; before them stands stage.js.

const GRID = 64;  // cells of the grid on which level lines are found
const LEVELS = 14;
const SNAP = 0.05;  // the start lies on a grid, so that the floor of a valley can be hit
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
// matplotlib's markers: how many corners, turned by how many half turns, how far in between
const MARKERS = {
  o: [20, 0, 1], s: [4, 0.25, 1], D: [4, 0, 1], "^": [3, 0, 1], v: [3, 1, 1], "*": [5, 0, 0.4],
};

// The path of a rule: each coordinate is a number with a state of its own.
function walk(name, map, start, steps, hyper) {
  const states = [[], []], path = [start];
  for (let t = 1; t <= steps; t++) {
    const w = path[t - 1], g = MAPS[map].grad(...w);
    path.push(w.map((value, i) => {
      const [next, ...state] = RULES[name].rule(value, g[i], t, hyper, ...states[i]);
      states[i] = state;
      return next;
    }));
  }
  return path;
}

// The pieces of the lines on which f is a level: [x, y, x, y], one per triangle that a line cuts.
function levelLines({ f, x, y, minimum }) {
  const at = ([low, high], i) => low + (high - low) * i / GRID;
  const points = [];
  for (let j = 0; j <= GRID; j++)
    for (let i = 0; i <= GRID; i++) {
      const w = [at(x, i), at(y, j)];
      points.push([...w, f(...w) - f(...minimum)]);
    }
  const highest = points.reduce((most, point) => Math.max(most, point[2]), 0);
  const levels = Array.from({ length: LEVELS }, (_, k) => highest * ((k + 1) / LEVELS) ** 2);
  const lines = [];
  const cut = (corners) => {
    const heights = corners.map((point) => point[2]);
    const low = Math.min(...heights), high = Math.max(...heights);
    for (const level of levels) {
      if (level < low || level >= high) continue;
      const line = [];
      corners.forEach((a, k) => {
        const b = corners[(k + 1) % 3];
        if ((a[2] <= level) === (b[2] <= level)) return;
        const share = (level - a[2]) / (b[2] - a[2]);
        line.push(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]));
      });
      lines.push(line);
    }
  };
  for (let j = 0; j < GRID; j++)
    for (let i = 0; i < GRID; i++) {
      const k = j * (GRID + 1) + i, up = k + GRID + 1;
      cut([points[k], points[k + 1], points[up]]);
      cut([points[k + 1], points[up], points[up + 1]]);
    }
  return lines;
}

const place = (start) => `(${start.map((value) => short(value)).join(", ")})`;

// The canvas's context, cleared, in CSS pixels, and its width and height.
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return [pen, width, height];
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--pst-color-${name}`).trim();
}

// A rule's color; the figures' were made for white, so the dark theme mixes them with white.
function paint({ color }) {
  if (document.documentElement.dataset.theme !== "dark") return color;
  const parts = color.match(/[^#]./g).map((part) => (parseInt(part, 16) + 255) >> 1);
  return `rgb(${parts.join()})`;
}

function drawMarker(pen, [x, y], kind, size) {
  const [corners, turn, inner] = MARKERS[kind], count = inner < 1 ? 2 * corners : corners;
  pen.beginPath();
  for (let k = 0; k < count; k++) {
    const angle = Math.PI * (2 * k / count - 0.5 + turn);
    const length = size * (inner === 1 ? 1 : k % 2 ? 1.5 * inner : 1.5);
    pen.lineTo(x + length * Math.cos(angle), y + length * Math.sin(angle));
  }
  pen.closePath();
  pen.fill();
}

function drawLine(pen, points, rule, every) {
  const width = 1.6;
  pen.strokeStyle = pen.fillStyle = paint(rule);
  pen.lineWidth = width;
  pen.setLineDash(rule.dash.map((length) => length * width));
  pen.beginPath();
  for (const point of points) pen.lineTo(...point);
  pen.stroke();
  pen.setLineDash([]);
  for (let k = 0; k < points.length; k += every) drawMarker(pen, points[k], rule.marker, 2.8);
}

class Playground extends Stage {
  constructor(box) {
    super(box);
    this.canvas = box.querySelector(".playground-canvas");
    this.handle = box.querySelector(".playground-start");
    for (const row of this.rows) {
      const { rule } = row.dataset, box = row.querySelector("input");
      box.addEventListener("change", () => this.set({ on: { ...this.on, [rule]: box.checked } }));
    }
    this.listenToMap();
    this.reset();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    new IntersectionObserver(([{ isIntersecting }], observer) => {
      if (!isIntersecting) return;
      observer.disconnect();
      this.near = true;  // the first picture waits until its reader comes near
      this.draw();
    }, { rootMargin: "50%" }).observe(this.canvas);
    const themes = { attributes: true, attributeFilter: ["data-theme"] };
    new MutationObserver(() => this.draw()).observe(document.documentElement, themes);
  }

  // The controls.

  // A finger scrolls the page from the map and drags the start by its handle; a mouse drags it
  // from everywhere.
  listenToMap() {
    const map = this.canvas.parentElement;
    let dragged = null;
    map.addEventListener("pointerdown", (event) => {
      if (event.button || (event.pointerType === "touch" && event.target !== this.handle)) return;
      dragged = event.pointerId;
      map.setPointerCapture(dragged);
      event.preventDefault();
      this.canvas.focus({ preventScroll: true });
      if (event.target === this.canvas) this.point(event);
    });
    map.addEventListener("pointermove", (event) => {
      if (event.pointerId === dragged) this.point(event);
    });
    const drop = (event) => {
      if (event.pointerId !== dragged) return;
      dragged = null;
      this.tell();
    };
    map.addEventListener("pointerup", drop);
    map.addEventListener("pointercancel", drop);
    this.canvas.addEventListener("click", (event) => {
      this.point(event);
      this.tell();
    });
    this.canvas.addEventListener("keydown", (event) => {
      const step = ARROWS[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      const far = SNAP * (event.shiftKey ? 5 : 1);
      this.move(this.start.map((value, i) => value + far * step[i]));
      this.tell();
    });
  }

  point(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const { x, y } = MAPS[this.surface];
    this.move([
      x[0] + (x[1] - x[0]) * (event.clientX - left) / width,
      y[1] - (y[1] - y[0]) * (event.clientY - top) / height,
    ]);
  }

  move(start) {
    const { x, y } = MAPS[this.surface];
    const snapped = start.map((value) => Number((Math.round(value / SNAP) * SNAP).toFixed(9)));
    this.set({ start: [x, y].map(([low, high], i) => Math.min(high, Math.max(low, snapped[i]))) });
  }

  // Another surface, with the start at the same place of the frame.
  choose(surface) {
    const { x, y } = MAPS[this.surface], { x: left, y: low } = MAPS[surface];
    const moved = (value, [a, b], [c, d]) => c + (d - c) * (value - a) / (b - a);
    const start = [moved(this.start[0], x, left), moved(this.start[1], y, low)];
    this.surface = surface;
    this.move(start);
  }

  value(slider) {
    const [beta1, beta2] = this.betas;
    return { beta1, beta2 }[slider.dataset.slider] ?? super.value(slider);
  }

  turn(slider, value) {
    const [beta1, beta2] = this.betas, { slider: kind } = slider.dataset;
    if (kind === "beta1") this.set({ betas: [value, beta2] });
    else if (kind === "beta2") this.set({ betas: [beta1, value] });
    else super.turn(slider, value);
  }

  update() {
    const { surface, start, steps, betas } = this;
    this.paths = this.rows.map(({ dataset: { rule } }) => {
      const hyper = { lr: this.rates[rule], momentum: betas[0], alpha: betas[1], betas };
      return walk(rule, surface, start, steps, hyper);
    });
  }

  // Back to the preset.
  reset() {
    this.halt();
    this.shown = 0;
    const { surface, start, steps, betas, rates } = this.preset;
    const on = Object.fromEntries(Object.keys(rates).map((name) => [name, true]));
    this.set({ surface, start, steps, betas, rates, on });
    this.tell();
  }

  // What is seen and said.

  sync() {
    super.sync();
    this.select.value = this.surface;
    for (const row of this.rows) row.querySelector("input").checked = this.on[row.dataset.rule];
  }

  result(path) {
    const height = MAPS[this.surface].f(...path[Math.floor(this.shown)]);
    return height < DIVERGED ? short(height) : "diverged";
  }

  tell() {
    const steps = Math.floor(this.shown), f = short(MAPS[this.surface].f(...this.start));
    const ends = this.rows.map(({ dataset: { rule } }, k) => {
      const result = this.result(this.paths[k]);
      return this.on[rule] && `${rule} ${result === "diverged" ? "" : "at "}${result}`;
    });
    const after = `, after ${steps} ${steps === 1 ? "step" : "steps"}: `;
    const said = steps ? after + ends.filter(Boolean).join(", ") : "";
    this.status.textContent = `From ${place(this.start)}, where f is ${f}${said}.`;
  }

  draw() {
    if (!this.near) return;
    const [pen, width, height] = prepare(this.canvas), map = MAPS[this.surface], { x, y } = map;
    if (!width) return;
    const share = (value, [low, high]) => (value - low) / (high - low);
    const spot = (w) => [width * share(w[0], x), height * (1 - share(w[1], y))];
    this.drawGround(pen, map, spot, height);
    this.rows.forEach((row, k) => {
      const on = this.on[row.dataset.rule], rule = RULES[row.dataset.rule];
      this.drawSample(row, rule);
      row.lastElementChild.textContent = on ? this.result(this.paths[k]) : "";
      if (!on) return;
      const points = this.seen(this.paths[k], map).map(spot);
      drawLine(pen, points, rule, Math.ceil(this.steps / 100));
      if (this.shown) drawMarker(pen, points[points.length - 1], rule.marker, 5.5);
    });
    const [left, top] = spot(this.start);
    this.handle.style.transform = `translate(${left}px, ${top}px)`;  // `left` is a layout shift
    this.box.querySelector("[data-shown]").textContent = Math.floor(this.shown);
    const where = `Map of the ${this.surface}, start at ${place(this.start)}.`;
    const how = "Arrow keys move the start, with Shift farther.";
    this.canvas.setAttribute("aria-label", `${where} ${how}`);
  }

  // The part of a path that is walked, up to the frame where it leaves for good.
  seen(path, { x, y }) {
    const whole = Math.floor(this.shown), part = this.shown - whole;
    const walked = path.slice(0, whole + 1);
    if (part)
      walked.push(path[whole].map((value, i) => value + part * (path[whole + 1][i] - value)));
    const inside = walked.map(([a, b]) => a >= x[0] && a <= x[1] && b >= y[0] && b <= y[1]);
    return walked.slice(0, inside.lastIndexOf(true) + 2).filter((w) => w.every(Number.isFinite));
  }

  drawGround(pen, map, spot, height) {
    if (this.lines?.map !== map) this.lines = { map, pieces: levelLines(map) };
    pen.strokeStyle = pen.fillStyle = color("text-muted");
    pen.globalAlpha = 0.5;
    pen.lineWidth = 0.8;
    pen.beginPath();
    for (const [a, b, c, d] of this.lines.pieces) {
      pen.moveTo(...spot([a, b]));
      pen.lineTo(...spot([c, d]));
    }
    pen.stroke();
    pen.globalAlpha = 1;
    pen.font = "11px system-ui, sans-serif";
    const [[left, right], [low, high]] = [map.x, map.y];
    for (let v = left + 1; v < right; v++) pen.fillText(short(v), spot([v, 0])[0] - 3, height - 5);
    for (let v = low + 1; v < high; v++) pen.fillText(short(v), 5, spot([0, v])[1] + 4);
    pen.fillText("w₁", spot([right, 0])[0] - 18, height - 5);
    pen.fillText("w₂", 5, 14);
    const [across, down] = spot(map.minimum);
    pen.strokeStyle = color("text-base");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(across - 6, down);
    pen.lineTo(across + 6, down);
    pen.moveTo(across, down - 6);
    pen.lineTo(across, down + 6);
    pen.stroke();
  }

  drawSample(row, rule) {
    const [pen, width, height] = prepare(row.querySelector("canvas"));
    drawLine(pen, [4, width / 2, width - 4].map((left) => [left, height / 2]), rule, 1);
  }
}

const playgrounds = Array.from(document.querySelectorAll("[data-stage=map]"), (box) => new Playground(box));
