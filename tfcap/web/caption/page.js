
// The page: takes photos, sends a few at a time to the server, and shows its progress.

const LANES = 4;  // photos on their way at a time: the server captions them together
const at = (id) => document.getElementById(id);

let token = "";
let round = newRound();  // clearing the page starts another: late answers are dropped

function newRound() {
  return {
    added: 0, captioned: 0, failed: 0, running: 0, latest: "",
    queue: [], withoutToken: [], stop: new AbortController(),
  };
}

function add(files) {
  const cards = files.map((file) => new Card(file));
  for (const card of cards) card.say("Waiting …");
  round.added += cards.length;
  round.queue.push(...cards);
  at("photos").prepend(...cards.map((card) => card.element));
  work();
}

function work() {
  while (round.queue.length && round.running < LANES) caption(round.queue.shift());
  showProgress();
}

// A photo that fails does not stop the others.
async function caption(card) {
  const mine = round;
  mine.running += 1;
  card.say("Looking …");
  try {
    const row = await captionOf(card.file, token, mine.stop.signal, (text) => card.say(text));
    await card.show(row);
    mine.captioned += 1;
    mine.latest = row.caption;
  } catch (problem) {
    if (!mine.stop.signal.aborted) fail(card, problem);
  }
  mine.running -= 1;
  if (mine === round) work();
}

function fail(card, problem) {
  if (!(problem instanceof Refused)) console.error(problem);
  if (problem.token) return askForToken(card);
  round.failed += 1;
  const retry = () => {
    round.failed -= 1;
    tryAgain([card]);
    at("choose").focus();  // the button that had the focus is gone
  };
  const message = problem instanceof Refused ? problem.message : "the answer cannot be shown";
  card.fail(message, problem.retry && retry);
}

function tryAgain(cards) {
  for (const card of cards) card.say("Waiting …");
  round.queue.push(...cards);
  work();
}

// Shows the field, for this photo and all others that need the token.
function askForToken(card) {
  card.say("Waiting for the token …");
  round.withoutToken.push(card);
  if (!at("token-form").hidden) return;  // others have asked
  at("token").value = "";
  at("token-form").querySelector("label").textContent =
    token ? "This is not the token that the server asks for" : "This server asks for a token";
  at("token-form").hidden = false;
  at("token").focus();
}

function showProgress() {
  const { added, captioned, failed, withoutToken, latest } = round;
  at("clear").hidden = added === 0;
  const without = failed ? `, ${failed} without a caption` : "";
  const done = `${captioned} of ${added} captioned${without}`;
  at("progress").textContent =
    added === 0 ? ""
    : withoutToken.length ? `${done}; the server asks for a token.`
    : captioned + failed < added ? `${done} …`
    : latest ? `${done}. ${added > 1 ? "The latest" : "It says"}: ${latest}` : `${done}.`;
}

function clear() {
  round.stop.abort();
  round = newRound();
  at("photos").replaceChildren();
  showProgress();
  at("choose").focus();
}

async function addSample(button) {
  const content = await (await fetch(button.querySelector("img").src)).blob();
  add([new File([content], `${button.title}.jpg`, { type: content.type })]);
}

// Adds the files of a paste or a drop, which may also be a text or a link.
function addFiles(transfer, otherwise) {
  const files = [...transfer.files];
  if (files.length) add(files);
  else at("progress").textContent = otherwise;
}

async function warnOfStart() {
  const response = await fetch("readyz").catch(() => null);
  if (response?.status !== 503 || round.added) return;
  at("progress").textContent = "The model is starting; the first caption takes a little longer.";
}

at("choose").onclick = () => at("files").click();
at("files").onchange = (event) => {
  add([...event.target.files]);
  event.target.value = "";  // choosing the same photo again is a change, too
};
at("clear").onclick = clear;
at("token-form").onsubmit = (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  at("token-form").hidden = true;
  at("choose").focus();
  tryAgain(round.withoutToken.splice(0));
};
for (const button of document.querySelectorAll(".sample")) button.onclick = () => addSample(button);
document.addEventListener("paste", (event) => {
  if (event.target.id === "token") return;
  addFiles(event.clipboardData, "There is no photo on the clipboard.");
});
// On the whole page: a photo dropped beside the field must not replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  addFiles(event.dataTransfer, "This is not a file; save the photo first.");
});
warnOfStart();
