
"use strict";

// Sends a photo to the server; returns its caption, or says in words what is wrong.

const TYPES = ["image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp"];
const MAX_BYTES = Number(document.body.dataset.maxBytes);
const ADDRESS = `caption?explain=${document.body.dataset.explains}`;
const FORM_BYTES = 2048;  // what multipart adds around a photo
const MAX_SIDE = 2048;  // pixels of a photo that is made smaller; a model sees fewer
const TRIES = 5;  // while the server is busy

// The reason why a photo has no caption.
class Refused extends Error {
  constructor(message, { retry = false, token = false } = {}) {
    super(message);
    this.retry = retry;  // the same photo may succeed later
    this.token = token;  // the server asks for a token, or for another one
  }
}

// Calls `say` with the progress, in words.
async function captionOf(file, token, signal, say) {
  const form = new FormData();
  form.append("photo", await sendable(file), file.name);
  for (let tried = 1; ; tried++) {
    const response = await post(form, token, signal);
    if (response.status !== 503 || tried === TRIES) return read(response);
    const seconds = tried * (Number(response.headers.get("Retry-After")) || 1);
    say(`The server is busy; trying again in ${seconds} s …`);
    await pause(seconds, signal);
  }
}

// Returns the file if the server reads it; else a JPEG of it, if this browser reads it.
async function sendable(file) {
  const isKnown = TYPES.includes(file.type);
  const fits = (content) => content.size + FORM_BYTES <= MAX_BYTES;
  if (isKnown && fits(file)) return file;
  const smaller = await asJpeg(file).catch(() => null);
  if (smaller && fits(smaller)) return smaller;
  if (!smaller && !isKnown) throw new Refused("this is not a photo that can be read");
  throw new Refused(`${mebibytes(file.size)} are too large; at most ${mebibytes(MAX_BYTES)} fit`);
}

async function asJpeg(file) {
  const photo = await createImageBitmap(file);  // upright, as its EXIF says
  const scale = Math.min(1, MAX_SIDE / Math.max(photo.width, photo.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(photo.width * scale);
  canvas.height = Math.ceil(photo.height * scale);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";  // behind what is transparent
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

async function post(body, token, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    return await fetch(ADDRESS, { method: "POST", body, headers, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused("the server cannot be reached; is it still running?", { retry: true });
  }
}

async function read(response) {
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) {
    const [row] = answer.captions;
    if (row.error) throw new Refused(row.error);
    return row;
  }
  const message = answer?.error ?? `the server answered ${response.status}`;
  throw new Refused(message, {
    retry: response.status >= 500 || response.status === 408,
    token: response.status === 401,
  });
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
