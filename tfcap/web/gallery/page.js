
"use strict";

const PAGE = 100;  // photos shown at first, and with each "next hundred"
const one = selector => document.querySelector(selector);
const all = selector => [...document.querySelectorAll(selector)];

const list = one(".cards");
const form = one(".toolbar");
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

// A stable order: ties stay as they came, by photo id.
const orders = {
  best: () => [...cards].sort((a, b) => cider(b) - cider(a)),
  worst: () => [...cards].sort((a, b) => cider(a) - cider(b)),
  random: () => shuffle([...cards]),
};

// The two fields of a range; empty ones leave it open.
function range(name) {
  const [from, to] = form.querySelectorAll(`[data-of=${name}] input`);
  return { from, to, low: from.value === "" ? -Infinity : Number(from.value),
    high: to.value === "" ? Infinity : Number(to.value) };
}

// A bar's CIDEr ends below its upper edge; lengths are whole numbers, both ends counted.
function isIn(name, value, { low, high }) {
  return value >= low && (name === "cider" ? value < high : value <= high);
}

// In quotes a whole caption, as scorers read it; else a part of caption, reference or id.
function isMeant(card) {
  const wanted = words(form.text.value);
  if (/^".*"$/.test(wanted)) return card.dataset.normalized === wanted.slice(1, -1);
  return texts.get(card).includes(wanted);
}

function filter() {
  const ranges = ["cider", "words"].map(name => [name, range(name)]);
  const fits = card => isMeant(card)
    && ranges.every(([name, limits]) => isIn(name, Number(card.dataset[name]), limits));
  const found = [...list.children].filter(fits);
  const shown = new Set(found.slice(0, limit));
  for (const card of cards) card.hidden = !shown.has(card);
  for (const [name, limits] of ranges) mark(name, limits);
  one(".shown").textContent = found.length < cards.length
    ? `${shown.size} shown; ${found.length} of ${cards.length} fit`
    : `${shown.size} of ${cards.length} shown`;
  one(".nothing").hidden = found.length > 0;
  one(".more").hidden = found.length <= limit;
}

// Bars outside the range step back.
function mark(name, limits) {
  for (const bar of all(`.histogram[data-of=${name}] rect`))
    bar.classList.toggle("out", !isIn(name, Number(bar.dataset.from), limits));
}

function filterAnew() {
  limit = PAGE;
  filter();
}

for (const button of all("[data-sort]")) {
  button.addEventListener("click", () => {
    for (const other of all("[data-sort]")) other.setAttribute("aria-pressed", other === button);
    list.append(...orders[button.dataset.sort]());
    filterAnew();
  });
}
for (const bar of all(".histogram rect")) {
  bar.addEventListener("click", () => {
    const { from, to } = range(bar.parentElement.dataset.of);
    const again = from.value === bar.dataset.from && to.value === bar.dataset.to;
    from.value = again ? "" : bar.dataset.from;
    to.value = again ? "" : bar.dataset.to;
    filterAnew();
  });
}
for (const button of all(".frequent button")) {
  button.addEventListener("click", () => {
    form.text.value = `"${button.dataset.normalized}"`;
    filterAnew();
    form.scrollIntoView();
  });
}
one(".toggle").addEventListener("click", event => {
  const hide = list.classList.toggle("without-references");
  event.currentTarget.setAttribute("aria-pressed", !hide);
});
one(".more button").addEventListener("click", () => {
  const next = cards.findLast(card => !card.hidden);
  limit += PAGE;
  filter();
  next.scrollIntoView({ block: "nearest" });
});
form.addEventListener("input", filterAnew);
form.addEventListener("reset", event => {
  event.preventDefault();  // it would empty the fields after this
  for (const field of form.querySelectorAll("input")) field.value = "";
  filterAnew();
});
form.addEventListener("submit", event => event.preventDefault());
form.hidden = false;
filter();
