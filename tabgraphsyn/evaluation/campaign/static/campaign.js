"use strict";
// Sorts a table by the column whose heading is pressed; a second press turns the order round.
(() => {
  const said = document.getElementById("said");
  const number = (cell) => (cell.dataset.number === undefined ? null : Number(cell.dataset.number));
  const compare = (a, b, sign) => {
    const [left, right] = [number(a), number(b)];
    if (left === null && right === null) return sign * a.textContent.trim().localeCompare(b.textContent.trim(), "en", { numeric: true });
    if (left === null || right === null) return left === null ? 1 : -1;
    return sign * (left - right);
  };
  for (const button of document.querySelectorAll("th button.sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const table = head.closest("table");
      const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      table.querySelectorAll("th[aria-sort]").forEach((each) => each.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", way);
      const body = table.tBodies[0];
      const at = head.cellIndex;
      const rows = [...body.rows].sort((a, b) => compare(a.cells[at], b.cells[at], way === "ascending" ? 1 : -1));
      body.append(...rows);
      said.textContent = `Sorted by ${button.textContent.trim()}, ${way}`;
    });
  }
})();
