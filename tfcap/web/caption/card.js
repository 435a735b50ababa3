
// A card: a photo, and its caption or an error.

const STEP = 800;  // milliseconds a word, when they are played
const SHOWN = 5;  // captions, until all are asked for

class Card {
  constructor(file) {
    this.file = file;
    const template = document.getElementById("card").content.firstElementChild;
    this.element = document.importNode(template, true);  // a clone would load no photo
    this.maps = null;  // a shade for each word, if the model has attention
    this.pinned = null;
    this.find(".name").textContent = file.name;
    this.loaded = this.showPhoto();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  async showPhoto() {
    const photo = this.find("img");
    photo.src = URL.createObjectURL(this.file);
    try {
      await photo.decode();
      this.find(".frame").style.setProperty("--shape", photo.naturalWidth / photo.naturalHeight);
      return photo;
    } catch {
      this.find(".photo").hidden = true;  // no photo, or none that this browser shows
      return null;
    } finally {
      URL.revokeObjectURL(photo.src);
    }
  }

  say(text) {
    const caption = this.find(".caption");
    caption.className = "caption waiting";
    caption.textContent = text;
    this.find(".retry").hidden = true;
  }

  fail(message, retry) {
    const caption = this.find(".caption");
    caption.className = "caption bad";
    caption.textContent = `No caption: ${message}.`;
    const button = this.find(".retry");
    button.hidden = !retry;
    button.onclick = retry;
  }

  async show({ caption, score, words = [], beams = [], attention = null, fit = "squash" }) {
    const title = this.find(".caption");
    title.className = "caption";
    title.textContent = caption || "(an empty caption)";
    const photo = await this.loaded;
    if (photo) photo.alt = `Photo ${this.file.name}`;
    this.find(".name").textContent = `${this.file.name} · score ${decimal(score)}`;
    this.showWords(words, looks(attention) && photo ? attention : null, photo, fit);
    this.showBeams(beams);
  }

  showBeams(beams) {
    this.find(".by-beam").hidden = beams.length < 2;
    this.find(".beams").replaceChildren(...beams.map(({ caption, score }) => {
      const line = document.createElement("li");
      const text = caption || "(an empty caption)";
      line.append(span("text", text), span("score", decimal(score)), meter(Math.exp(score)));
      return line;
    }));
    this.find(".unsorted").hidden = !beams.some(({ score }, i) => i && score > beams[i - 1].score);
    this.fold();
  }

  // Hides the captions after the first few behind a button.
  fold() {
    const rest = [...this.find(".beams").children].slice(SHOWN);
    const button = this.find(".all");
    const show = (all) => rest.forEach((line) => { line.hidden = !all; });
    button.hidden = rest.length === 0;
    button.textContent = `Show all ${SHOWN + rest.length}`;
    button.onclick = () => { show(true); button.hidden = true; };
    show(false);
  }

  showWords(words, attention, photo, fit) {
    const covered = attention && area(fit, photo);
    this.maps = attention && attention.map((cells) => shade(cells, covered));
    this.places = attention && attention.map((cells) => place(cells, covered));
    this.words = words;
    this.tiles = words.map((word, i) => this.tile(word, i, photo));
    this.find(".words").replaceChildren(...this.tiles);
    this.find(".by-word").hidden = words.length === 0;
    this.find(".by-word .hint").textContent = attention
      ? "Where it looked for each word, and how probable the word was. Choose one to see it large."
      : "How probable each word was, after the photo and the words before it.";
    this.find(".play").hidden = !attention;
    if (attention) this.listen();
  }

  tile({ word, probability }, i, photo) {
    const isEnd = i === this.words.length - 1 && word === ".";
    const tile = document.createElement(this.maps ? "button" : "span");
    tile.className = "word";
    if (this.maps) tile.append(this.small(photo, this.maps[i]));
    const chance = span("chance", "");
    chance.append(meter(probability), span("", percent(probability)));
    tile.append(span(isEnd ? "text end" : "text", isEnd ? "end" : word), chance);
    if (this.maps) tile.setAttribute("aria-label", this.inWords(i, isEnd ? "end of the caption" : word));
    return tile;
  }

  // With attention, words are buttons of a toolbar, at which Tab stops once.
  listen() {
    this.find(".words").setAttribute("role", "toolbar");
    this.find(".words").setAttribute("aria-label", "Words; arrow keys move");
    this.find(".words").onkeydown = (event) => this.move(event);
    this.find(".play").onclick = () => (this.timer ? this.stop() : this.play(0));
    this.tiles.forEach((tile, i) => {
      tile.type = "button";
      tile.tabIndex = i ? -1 : 0;
      tile.setAttribute("aria-pressed", "false");
      tile.onmouseenter = tile.onfocus = () => this.look(i);
      tile.onmouseleave = tile.onblur = () => this.look(this.pinned);
      tile.onclick = () => this.pin(this.pinned === i ? null : i);
    });
  }

  inWords(i, word) {
    const where = this.places ? `, looking at ${this.places[i]}` : "";
    return `${word}: ${percent(this.words[i].probability)}${where}`;
  }

  // Returns the photo under its shade, as wide as a word.
  small(photo, map) {
    const canvas = document.createElement("canvas");
    canvas.width = 160;
    canvas.height = Math.ceil((160 * photo.naturalHeight) / photo.naturalWidth);
    const pen = canvas.getContext("2d");
    pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
    pen.drawImage(map, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  // Lays a word's shade over the photo; null removes it.
  look(i) {
    const over = this.find(".look");
    over.classList.toggle("on", i !== null);
    this.tiles.forEach((tile, j) => tile.classList.toggle("now", i === j));
    this.find("figcaption").textContent = i === null ? "" : this.tiles[i].getAttribute("aria-label");
    if (i === null) return;
    over.width = over.height = SHADE_SIDE;
    over.getContext("2d").drawImage(this.maps[i], 0, 0);
  }

  pin(i) {
    this.stop();
    this.pinned = i;
    this.tiles.forEach((tile, j) => tile.setAttribute("aria-pressed", i === j));
    this.look(i);
  }

  play(i) {
    if (i >= this.words.length) return this.stop();
    if (i === 0) this.pin(null);
    this.find(".play").textContent = "Stop";
    this.look(i);
    this.timer = setTimeout(() => this.play(i + 1), STEP);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.find(".play").textContent = "Play";
    this.look(this.pinned);
  }

  move(event) {
    const last = this.tiles.length - 1;
    const now = this.tiles.indexOf(document.activeElement);
    const to = {
      ArrowRight: Math.min(now + 1, last), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: last,
    }[event.key];
    if (event.key === "Escape") this.pin(null);
    if (to === undefined) return;
    event.preventDefault();
    this.tiles.forEach((tile, i) => { tile.tabIndex = i === to ? 0 : -1; });
    this.tiles[to].focus();
  }
}

// A single cell is the whole photo, which shows nothing.
const looks = (attention) => attention && attention[0] && attention[0].flat().length > 1;
const decimal = (score) => score.toFixed(2).replace("-", "−");
const percent = (part) => (part < 0.01 ? "under 1 %" : `${Math.round(100 * part)} %`);

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

function meter(part) {
  const element = span("meter", "");
  element.append(span("", ""));
  element.style.setProperty("--part", Math.min(1, part));
  return element;
}
