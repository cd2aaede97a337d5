// Finds and sorts in the list of the census; without it the list is there, in its own order.
"use strict";

for (const census of document.querySelectorAll("[data-census]")) {
  const form = census.querySelector("form");
  const head = census.querySelector(".census-head");
  const list = census.querySelector("ul");
  const rows = [...list.children];
  const texts = rows.map(row => row.textContent.toLowerCase());
  const word = (row, key) => row.querySelector(`summary [data-key="${key}"]`).textContent.replace(/^[^:]*: |\*$|^steps like /g, "").trim();

  function find() {
    const wanted = form.querySelector("input").value.toLowerCase().split(/\s+/);
    const show = form.querySelector("select").value;
    let count = 0;
    rows.forEach((row, k) => {
      const faults = word(row, "faults") !== "0";
      const kept = wanted.every(part => texts[k].includes(part)) &&
        (!show || (show === "faults") === faults);
      row.hidden = !kept;
      count += kept;
    });
    form.querySelector("output").textContent = `${count} of ${rows.length}`;
  }

  function sort(button) {
    const key = button.dataset.key;
    const down = button.getAttribute("aria-pressed") === "true" && !button.dataset.down;
    for (const other of head.children) {
      other.setAttribute("aria-pressed", other === button);
      delete other.dataset.down;
    }
    if (down) button.dataset.down = "yes";
    const order = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
    const sorted = [...rows].sort((a, b) => order.compare(word(a, key), word(b, key)));
    list.append(...(down ? sorted.reverse() : sorted));
  }

  form.addEventListener("input", find);
  form.addEventListener("submit", event => event.preventDefault());
  head.addEventListener("click", event => event.target.dataset.key && sort(event.target));
  form.hidden = head.hidden = false;
  find();
}
