// SPDX-License-Identifier: MIT
// On a phone the rows of a wide table are blocks, and each cell names its column.
"use strict";
for (const table of document.querySelectorAll("article table.docutils")) {
  const heads = [...table.querySelectorAll("thead th")];
  if (heads.length < 3) continue;
  table.classList.add("stacks");
  for (const row of table.querySelectorAll("tbody tr"))
    [...row.cells].forEach((cell, at) => (cell.dataset.column = heads[at].innerText));
}
