// The memory: asks for a guess, then lets rules learn eight keys and shows the error of each.
// RULES, KEYS and the formulas are generated from adamlib, above; before them stand matrices.js and
// stage.js.

const HIGHEST = 1.25;  // the top of a panel; every error begins at 1

const ranks = (keys) => KEYS[keys][0].map((_, i) => [i + 1]);

// The errors of all keys at each step, as a rule learns them from W = 0.
function recall(name, keys, exponent, steps, lr) {
  const [rule, hyper] = RULES[name], pair = KEYS[keys], shares = zipf(ranks(keys), exponent);
  let w = $.Mult(pair[0], 0), state = [];
  const found = [memory_errors(w, ...pair)[0]];
  for (let t = 1; t <= steps; t++) {
    const g = memory_gradient(w, ...pair, shares);
    [w, ...state] = rule(w, g, t, { ...hyper, lr }, ...state);
    found.push(memory_errors(w, ...pair)[0]);
  }
  return found;
}

const said = (error) => (error < DIVERGED ? error.toFixed(2) : "diverged");

class Memory extends Stage {
  constructor(box) {
    super(box);
    this.names = this.rows.map((row) => row.dataset.rule);
    this.bars = [...box.querySelectorAll(".memory-bars")].map((panel) => [...panel.children]);
    this.table = [...box.querySelectorAll(".memory-table tbody tr")];
    const form = box.querySelector("form"), run = box.querySelector(".memory-run");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.guess = form.elements.guess.value;
      form.firstElementChild.disabled = true;
      run.disabled = false;
      run.querySelector("button").focus({ preventScroll: true });
      this.race();
    });
    this.reset();
    const ends = this.rarest(this.steps);
    this.best = this.names[ends.indexOf(Math.min(...ends))];
  }

  choose(keys) {
    this.set({ keys });
  }

  update() {
    const { keys, exponent, steps, rates } = this;
    this.shares = zipf(ranks(keys), exponent);
    this.errors = this.names.map((name) => recall(name, keys, exponent, steps, rates[name]));
  }

  reset() {
    this.halt();
    this.shown = 0;
    const { rates, steps, keys, exponent } = this.preset;
    this.set({ rates, steps, keys, exponent });
    this.tell();
  }

  sync() {
    super.sync();
    this.select.value = this.keys;
  }

  // The error of the rarest key after a whole number of steps, under each rule; a rule that
  // diverges on any key knows none.
  rarest(step) {
    const whole = (errors) => errors.every((error) => error < DIVERGED);
    return this.errors.map((path) => (whole(path[step]) ? path[step].at(-1) : Infinity));
  }

  draw() {
    const whole = Math.floor(this.shown), part = this.shown - whole;
    this.errors.forEach((path, k) => path[whole].forEach((error, i) => {
      const height = error + (part && part * (path[whole + 1][i] - error));
      this.bars[k][i].style.height = `${100 * (height < HIGHEST ? height / HIGHEST : 1)}%`;
      this.table[i].cells[k + 1].textContent = said(error);
    }));
    this.shares.forEach(([share], i) => {
      this.table[i].cells[0].textContent = `${i + 1} (${(100 * share).toFixed()}%)`;
    });
    this.rarest(whole).forEach((error, k) => {
      this.rows[k].lastElementChild.textContent = said(error);
    });
    this.box.querySelector("[data-shown]").textContent = whole;
  }

  tell() {
    const steps = Math.floor(this.shown), ends = this.rarest(steps);
    const results = this.names.map((name, k) => `${name} ${said(ends[k])}`).join(", ");
    const after = `After ${steps} ${steps === 1 ? "step" : "steps"}`;
    this.status.textContent = `${after}, error of the rarest key: ${results}.`;
    if (!this.guess || steps < this.steps) return;
    const right = this.guess === this.best;
    const verdict = right ? `Right: ${this.best}.` : `No: not ${this.guess}, but ${this.best}.`;
    this.box.querySelector(".memory-verdict").textContent = `${verdict} ${this.preset.because}`;
    this.guess = null;  // said once
  }
}

for (const box of document.querySelectorAll("[data-stage=memory]")) new Memory(box);
