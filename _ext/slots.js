// The slots: composes a rule from four choices, shows its text and lets it walk in the playground.
// PIECES, WORDS, NAMES and WHY are generated from compose.py, above.

MARKERS["+"] = [4, 0, 0.25];
RULES[YOURS].marker = "+";

// A composed rule: its text, as the book would write it, and the function.
function composed([memory, direction, magnitude, decay]) {
  const word = WORDS[`${memory} ${direction}`][MAGNITUDES.indexOf(magnitude)];
  const decays = [0, decay === "l2" && 1, decay === "decoupled" && 2, decay !== "none" && 3];
  const parts = word.split(" ").map((letters) => [...letters.matchAll(/(\D)(\d?)/g)]
    .map(([, letter, hole]) => [...PIECES[letter.charCodeAt(0) - FIRST_LETTER], HOLES[hole]])
    .filter(([, , kind]) => decays.includes(kind)));
  const [buffers, hyper, lines] =
    parts.map((part) => part.map(([python, , , name]) => python.replaceAll("@", name)));
  const [states, settings, body] = parts.map((part) =>
    part.map(([python, script, , name]) => (script || python).replaceAll("@", name)));
  const [rule, how] = NAMES[[memory, direction, magnitude, decay].join(" ")] || [];
  let head = `def ${how === "" ? rule : "yours"}(${["w, g, t", ...buffers, "*", ...hyper].join(", ")}):`;
  if (head.length > 100)
    head = head.replace("(", "(\n    ").replace(" *,", "\n    *,").replace(/..$/, "\n):");
  const results = ["w", ...buffers.map((buffer) => buffer.split("=")[0])];
  lines.push(buffers.length ? `return ${results.join(", ")}` : "return (w,)");
  body.push(`return [${results}]`);
  const run = new Function("w", "g", "t", `{${settings}} = {}`, ...states, body.join("\n"));
  const usual = JSON.parse(settings.find((text) => text.startsWith("betas"))?.slice(8) || "[]");
  const text = [head, ...lines].join("\n    ").replace("\n     /", " /");
  return { text: `${text}\n`, run, usual };
}

// What a composition is called: the rule of the book, if it is one, and how they differ.
function named([...choice]) {
  const [rule, how] = NAMES[choice.join(" ")] || [];
  if (rule) return [rule, how];
  const decay = choice.pop(), [plain, but] = NAMES[`${choice.join(" ")} none`] || [];
  if (!plain || (decay !== "l2" && but.startsWith("lr"))) return [];  // lr is in such a decay, too
  return [plain, [but, decay === "l2" ? "L2 in the gradient" : "a decoupled decay"]
    .filter(Boolean).join(", and ")];
}

class Slots {
  constructor(box) {
    this.form = box.querySelector("form");
    this.said = box.querySelector(".slots-name");
    this.text = box.querySelector(".slots-text code");
    this.rival = box.querySelector(".slots-beside select");
    this.decay = box.querySelector(".slots-beside input");
    this.playground = playgrounds.find((playground) => box.contains(playground.box));
    this.playground.reset = () => {  // it would show all rows
      Playground.prototype.reset.call(this.playground);
      this.beside();
    };
    this.form.addEventListener("change", () => this.compose());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.rival.addEventListener("change", () => this.beside());
    this.decay.addEventListener("input", () => this.walk());
    this.beside();
    this.compose();
  }

  get choice() {
    return ["memory", "direction", "magnitude", "decay"].map((slot) => this.form.elements[slot].value);
  }

  compose() {
    let gone = "";
    for (const input of this.form.elements.direction) {
      const why = WHY[`${this.choice[0]} ${input.value}`] || "";
      const words = input.nextElementSibling;
      input.disabled = Boolean(why);
      words.querySelector("small").textContent = why;
      if (!why || !input.checked) continue;
      gone = `${words.firstChild.data.trim()} ${why}. `;
      this.form.elements.direction.value = "plain";
    }
    this.rule = composed(this.choice);
    this.text.textContent = this.rule.text;
    const [rule, how] = named(this.choice), link = document.createElement("a");
    link.href = `reference.html#adamlib.rules.${rule}`;
    link.append(document.createElement("code"));
    link.firstChild.textContent = rule;
    this.said.replaceChildren(gone[0]?.toUpperCase() || "", gone.slice(1));
    if (rule) this.said.append(how ? "This walks as " : "This is ", link, how && `, with ${how}`, ".");
    else this.said.append("No name in this book: it is yours.");
    this.walk();
  }

  // The walk of the rule as it is composed, at once as far as it goes.
  walk() {
    const { run, usual } = this.rule, weight_decay = Number((10 ** this.decay.value).toPrecision(2));
    this.decay.disabled = this.choice[3] === "none";
    this.decay.nextElementSibling.value = weight_decay;
    this.decay.setAttribute("aria-valuetext", weight_decay);
    RULES[YOURS].rule = (w, g, t, hyper, ...state) => {
      const betas = [...hyper.betas, ...usual.slice(2)];
      return run(w, g, t, { ...hyper, betas, weight_decay }, ...state);
    };
    this.playground.set({});
    this.playground.finish();
  }

  beside() {
    for (const row of this.playground.rows)
      row.hidden = ![YOURS, this.rival.value].includes(row.dataset.rule);
    const on = this.playground.rows.map((row) => [row.dataset.rule, !row.hidden]);
    this.playground.set({ on: Object.fromEntries(on) });
    this.playground.tell();
  }
}

for (const box of document.querySelectorAll(".slots")) new Slots(box);
