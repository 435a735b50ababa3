
// Draws attention weights, [rows][columns] over an area of the photo, as shade.

const SHADE_SIDE = 96;  // pixels; the browser stretches them over the photo
const DARKEST = 0.8;  // opacity where the attention is 0

// Returns the part of a photo that cells cover: left, top, width and height, as fractions.
// It is larger than the photo where the encoder pads it.
function area(fit, { naturalWidth, naturalHeight }) {
  if (fit === "squash") return [0, 0, 1, 1];
  const side = (fit === "crop" ? Math.min : Math.max)(naturalWidth, naturalHeight);
  const [width, height] = [side / naturalWidth, side / naturalHeight];
  return [(1 - width) / 2, (1 - height) / 2, width, height];
}

// Returns a canvas to lay over the photo: clear at the maximum, dark elsewhere.
function shade(cells, covered) {
  const canvas = square();
  const pen = canvas.getContext("2d");
  const place = covered.map((part) => part * SHADE_SIDE);
  pen.fillStyle = `rgba(8, 12, 16, ${DARKEST})`;
  pen.fillRect(0, 0, SHADE_SIDE, SHADE_SIDE);
  pen.clearRect(...place);
  pen.drawImage(shadeOfCells(cells), ...place);
  return canvas;
}

function square() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SHADE_SIDE;
  return canvas;
}

function shadeOfCells(cells) {
  const levels = smooth(cells);
  const most = Math.max(...levels);
  const canvas = square();
  const pen = canvas.getContext("2d");
  const pixels = pen.createImageData(SHADE_SIDE, SHADE_SIDE);
  levels.forEach((level, i) => {
    pixels.data.set([8, 12, 16, 255 * DARKEST * (1 - level / most)], 4 * i);
  });
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

// Blurs cells as in Xu et al. 2015: [rows][columns] to SHADE_SIDE squared, row by row.
function smooth(cells) {
  const down = weights(cells.length);
  const across = weights(cells[0].length);
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const wide = cells.map((row) => across.map((weight) => dot(weight, row)));
  return down.flatMap((weight) =>
    across.map((_, x) => weight.reduce((sum, w, row) => sum + w * wide[row][x], 0)));
}

// Returns the weight of each of `count` cells at each of SHADE_SIDE points along them.
function weights(count) {
  return Array.from({ length: SHADE_SIDE }, (_, i) => {
    const at = ((i + 0.5) / SHADE_SIDE) * count - 0.5;
    const near = Array.from({ length: count }, (_, cell) => Math.exp(-2 * (cell - at) ** 2));
    const sum = near.reduce((a, b) => a + b);
    return near.map((value) => value / sum);
  });
}

// Names the centre of the strongest cells, for readers who do not see the picture.
function place(cells, [left, top, width, height]) {
  const flat = cells.flat();
  const most = Math.max(...flat);
  if (most < 2 / flat.length) return "all over the photo";
  let [mass, x, y] = [0, 0, 0];
  cells.forEach((row, i) => row.forEach((value, j) => {
    if (value < most / 2) return;
    mass += value;
    y += value * (i + 0.5) / cells.length;
    x += value * (j + 0.5) / row.length;
  }));
  const third = (at) => Math.floor(2.999 * Math.min(Math.max(at, 0), 1));
  const down = ["top", "middle", "bottom"][third(top + (height * y) / mass)];
  const across = ["left", "", "right"][third(left + (width * x) / mass)];
  return `the ${`${down} ${across}`.trim()}`;
}
