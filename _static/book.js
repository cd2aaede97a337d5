// Boxes that scroll sideways can be reached with the keyboard; paper shows what is folded, but
// for the code of figures and tables.
"use strict";

function reachScrollers() {
  for (const box of document.querySelectorAll(".katex-display, pre"))
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
}

window.addEventListener("load", reachScrollers);
window.addEventListener("resize", reachScrollers);
document.addEventListener("toggle", reachScrollers, true);  // a <details> opened or closed
window.addEventListener("beforeprint", () => {
  for (const box of document.querySelectorAll("article details")) {
    box.open = !box.closest(".tag_hide-input");
  }
});
