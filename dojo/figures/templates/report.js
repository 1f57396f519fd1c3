// The interactive attention map: choose a layer and a head, then point at a cell or walk through the cells with the
// arrow keys to read which token looks at which, and with what weight.
"use strict";

const data = JSON.parse(document.getElementById("attention-data").textContent);
const table = document.getElementById("map");
if (data && table) start();

// What is wider than the window scrolls; by keyboard only where it can take the focus.
for (const box of document.querySelectorAll(".wide")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}

function start() {
  const layer = document.getElementById("layer");
  const head = document.getElementById("head");
  data.weights.forEach((_, number) => layer.add(new Option(number + 1, number)));
  data.weights[0].forEach((_, number) => head.add(new Option(number + 1, number)));
  build();
  for (const choice of [layer, head]) choice.addEventListener("change", paint);
  table.addEventListener("pointerover", (event) => read(event.target.closest("td[tabindex]")));
  table.addEventListener("focusin", (event) => read(event.target.closest("td[tabindex]")));
  table.addEventListener("keydown", walk);
  paint();
}

// A token as it can be seen: a space and a line break have signs of their own.
function sign(token) {
  return { " ": "␣", "\n": "⏎", "\t": "⇥" }[token] ?? token;
}

function make(tag, parent, text = "") {
  const element = parent.appendChild(document.createElement(tag));
  element.textContent = text; // never as HTML: tokens are anybody's text
  return element;
}

// One row for each token that looks, one column for each that is looked at; what comes later is not there to see.
function build() {
  table.style.setProperty("--tokens", data.tokens.length);
  const top = make("tr", make("thead", table));
  make("th", top);
  data.tokens.forEach((token, column) => {
    const name = make("th", top);
    name.scope = "col";
    if (data.marked.includes(column)) make("span", name, "▼").className = "mark";
    make("span", name, sign(token));
  });
  const body = make("tbody", table);
  data.tokens.forEach((token, row) => {
    const line = make("tr", body);
    make("th", line, sign(token)).scope = "row";
    data.tokens.forEach((_, column) => {
      const cell = make("td", line);
      if (column > row) return;
      cell.dataset.row = row;
      cell.dataset.column = column;
      cell.tabIndex = row + column === 0 ? 0 : -1; // Tab comes to one cell; the arrows do the rest
    });
  });
}

function weight(row, column) {
  const [layer, head] = ["layer", "head"].map((name) => document.getElementById(name).value);
  return data.weights[layer][head][row][column] / 1000;
}

// Weak weights would not be seen on an even scale, so the shade is the root of the weight.
function paint() {
  for (const cell of table.querySelectorAll("td[tabindex]")) {
    const { row, column } = cell.dataset;
    cell.style.setProperty("--shade", Math.sqrt(weight(row, column)));
    cell.setAttribute("aria-label", sentence(row, column));
  }
  read(table.querySelector("td[tabindex='0']"));
}

function sentence(row, column) {
  const [looking, seen] = [row, column].map((at) => `“${sign(data.tokens[at])}” (token ${Number(at) + 1})`);
  return `${looking} looks at ${seen}: ${weight(row, column).toFixed(3)}`;
}

function read(cell) {
  if (!cell) return;
  const { row, column } = cell.dataset;
  document.getElementById("reading").textContent = sentence(row, column);
  for (const name of table.querySelectorAll("th.here")) name.classList.remove("here");
  table.tHead.rows[0].cells[Number(column) + 1].classList.add("here");
  table.tBodies[0].rows[row].cells[0].classList.add("here");
}

const STEPS = {
  ArrowUp: (row, column) => [row - 1, Math.min(column, row - 1)],
  ArrowDown: (row, column) => [row + 1, column],
  ArrowLeft: (row, column) => [row, column - 1],
  ArrowRight: (row, column) => [row, Math.min(column + 1, row)],
  Home: (row) => [row, 0],
  End: (row) => [row, row],
};

function walk(event) {
  const cell = event.target.closest("td[tabindex]");
  if (!cell || !(event.key in STEPS) || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault(); // else the page would scroll
  const [row, column] = STEPS[event.key](Number(cell.dataset.row), Number(cell.dataset.column));
  const next = table.querySelector(`td[data-row="${row}"][data-column="${column}"]`);
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
