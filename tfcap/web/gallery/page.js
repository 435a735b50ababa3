
"use strict";

const PAGE = 100;  // photos shown at first, and with each "next hundred"
const first = selector => document.querySelector(selector);
const all = selector => [...document.querySelectorAll(selector)];

const list = first(".cards");
const form = first(".toolbar");
const cards = [...list.children];
const words = text => text.toLowerCase().replace(/\s+/g, " ").trim();
const texts = new Map(cards.map(card => [card,
  [...card.querySelectorAll(".caption, .references li, .id")].map(part => words(part.textContent)).join("\n")]));
const cider = card => Number(card.dataset.cider);

let limit = PAGE;

function shuffle(items) {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}

// Sorting is stable: ties stay in the order of photo ids.
const orders = {
  best: () => [...cards].sort((a, b) => cider(b) - cider(a)),
  worst: () => [...cards].sort((a, b) => cider(a) - cider(b)),
  random: () => shuffle([...cards]),
};

// Reads the two fields of a range; an empty one leaves its end open.
function range(name) {
  const [from, to] = form.querySelectorAll(`[data-of=${name}] input`);
  return { from, to, low: from.value === "" ? -Infinity : Number(from.value),
    high: to.value === "" ? Infinity : Number(to.value) };
}

// A range of CIDEr excludes its upper end; a range of lengths includes both.
function isIn(name, value, { low, high }) {
  return value >= low && (name === "cider" ? value < high : value <= high);
}

// A text in quotes is a whole caption, as scorers read it; another text is a part of a
// caption, a reference or an id.
function matchesText(card) {
  const wanted = words(form.text.value);
  if (/^".*"$/.test(wanted)) return card.dataset.normalized === wanted.slice(1, -1);
  return texts.get(card).includes(wanted);
}

function filter() {
  const ranges = ["cider", "words"].map(name => [name, range(name)]);
  const fits = card => matchesText(card)
    && ranges.every(([name, limits]) => isIn(name, Number(card.dataset[name]), limits));
  const fitting = [...list.children].filter(fits);
  const shown = new Set(fitting.slice(0, limit));
  for (const card of cards) card.hidden = !shown.has(card);
  for (const [name, limits] of ranges) mark(name, limits);
  first(".shown").textContent = fitting.length < cards.length
    ? `${shown.size} shown; ${fitting.length} of ${cards.length} fit`
    : `${shown.size} of ${cards.length} shown`;
  first(".nothing").hidden = fitting.length > 0;
  first(".more").hidden = fitting.length <= limit;
}

// Fades the bars outside the range.
function mark(name, limits) {
  for (const bar of all(`.histogram[data-of=${name}] rect`))
    bar.classList.toggle("out", !isIn(name, Number(bar.dataset.from), limits));
}

function refilter() {
  limit = PAGE;
  filter();
}

for (const button of all("[data-sort]")) {
  button.addEventListener("click", () => {
    for (const other of all("[data-sort]")) other.setAttribute("aria-pressed", other === button);
    list.append(...orders[button.dataset.sort]());
    refilter();
  });
}
for (const bar of all(".histogram rect")) {
  bar.addEventListener("click", () => {
    const { from, to } = range(bar.parentElement.dataset.of);
    const isChosen = from.value === bar.dataset.from && to.value === bar.dataset.to;
    from.value = isChosen ? "" : bar.dataset.from;
    to.value = isChosen ? "" : bar.dataset.to;
    refilter();
  });
}
for (const button of all(".frequent button")) {
  button.addEventListener("click", () => {
    form.text.value = `"${button.dataset.normalized}"`;
    refilter();
    form.scrollIntoView();
  });
}
first(".toggle").addEventListener("click", event => {
  const hide = list.classList.toggle("without-references");
  event.currentTarget.setAttribute("aria-pressed", !hide);
});
first(".more button").addEventListener("click", () => {
  const next = cards.findLast(card => !card.hidden);
  limit += PAGE;
  filter();
  next.scrollIntoView({ block: "nearest" });
});
form.addEventListener("input", refilter);
form.addEventListener("reset", event => {
  event.preventDefault();  // it would empty the fields after this
  for (const field of form.querySelectorAll("input")) field.value = "";
  refilter();
});
form.addEventListener("submit", event => event.preventDefault());
form.hidden = false;
filter();
