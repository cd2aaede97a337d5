// Boxes that scroll sideways can be reached with the keyboard; paper shows what is folded, but
// for the code of figures and tables.
"use strict";

const BOXES = "pre, .katex-display, .cell_output > .output, .pst-scrollable-table-container";
const widths = new ResizeObserver((boxes) => {  // told when a box is seen, folded or turned
  for (const { target: box } of boxes) if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
});
for (const box of document.querySelectorAll(BOXES)) widths.observe(box);
window.addEventListener("beforeprint", () => {
  for (const box of document.querySelectorAll("article details")) {
    box.open = !box.closest(".tag_hide-input");
  }
});
