// What the playground and the memory share: sliders, buttons, and the race that they start.

const RACE = 4000;  // milliseconds

// Where a value stands on its slider, and back: even in powers of ten; a β in the nines of 1 - β.
const rate = { at: Math.log10, value: (p) => Number((10 ** p).toPrecision(3)) };
const beta = {
  at: (b) => -Math.log10(1 - b),
  value: (p) => Number((1 - (10 ** -p).toPrecision(3)).toFixed(7)),
};
const steps = { at: Number, value: (p) => Math.round(p) };
const exponent = { at: Number, value: (p) => Number(Number(p).toFixed(2)) };
const SCALES = { rate, beta1: beta, beta2: beta, steps, exponent };

// A short number: 0.0123, 1.2e-7, and 0 below 1e-12.
function short(value, digits = 3) {
  if (Math.abs(value) < 1e-12) return "0";
  const small = Math.abs(value) < 1e-4;
  const text = small ? value.toExponential(1) : String(Number(value.toPrecision(digits)));
  return text.replace(/^-/, "−");
}

// A box of controls. Its class says what is chosen (`choose`), computed (`update`), drawn and told.
class Stage {
  constructor(box) {
    this.box = box;
    box.classList.add("live");
    this.preset = JSON.parse(box.dataset.preset);
    this.rows = [...box.querySelectorAll("tr[data-rule]")];
    this.sliders = [...box.querySelectorAll("[data-slider]")];
    this.select = box.querySelector("select");
    this.status = box.querySelector(".playground-status");
    for (const button of box.querySelectorAll("[data-do]"))
      button.addEventListener("click", () => this[button.dataset.do]());
    this.select.addEventListener("change", () => this.choose(this.select.value));
    for (const slider of this.sliders) this.listen(slider, slider.nextElementSibling);
    box.addEventListener("change", () => this.tell());
  }

  listen(slider, number) {
    const scale = SCALES[slider.dataset.slider];
    slider.addEventListener("input", () => this.turn(slider, scale.value(slider.value)));
    number.addEventListener("change", () => {
      const typed = parseFloat(number.value.replace(",", "."));
      const [low, high] = [slider.min, slider.max].map(scale.value);
      const value = Math.min(high, Math.max(low, scale === steps ? Math.round(typed) : typed));
      if (value >= low) this.turn(slider, value);
      else this.sync();  // what was typed is no number
    });
  }

  // What a slider is about: its value, and a change of it.
  value({ dataset: { slider: kind, rule } }) {
    return kind === "rate" ? this.rates[rule] : this[kind];
  }

  turn({ dataset: { slider: kind, rule } }, value) {
    this.set(kind === "rate" ? { rates: { ...this.rates, [rule]: value } } : { [kind]: value });
  }

  // Takes up changes; a race that had ended shows its new end.
  set(changes) {
    const ended = this.shown === this.steps;
    Object.assign(this, changes);
    this.shown = ended ? this.steps : Math.min(this.shown, this.steps);
    this.update();
    this.sync();
    this.draw();
  }

  sync() {
    for (const slider of this.sliders) {
      const text = short(this.value(slider), 7);
      slider.value = SCALES[slider.dataset.slider].at(this.value(slider));
      slider.setAttribute("aria-valuetext", text);
      slider.nextElementSibling.value = text;
    }
  }

  // The buttons.

  finish() {
    this.halt();
    this.shown = this.steps;
    this.draw();
    this.tell();
  }

  step() {
    this.halt();
    this.shown = Math.min(Math.floor(this.shown) + 1, this.steps);
    this.draw();
    this.tell();
  }

  race() {
    this.halt();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.finish();
    const began = performance.now();
    const frame = (now) => {
      this.shown = Math.min(1, Math.max(0, (now - began) / RACE)) * this.steps;
      if (this.shown >= this.steps) return this.finish();
      this.draw();
      this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  halt() {
    cancelAnimationFrame(this.frame);
  }
}

