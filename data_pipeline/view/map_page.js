// The page: unpacks the data, and joins the drawing with legend, search and rows. No text is ever read as HTML.

const $ = (id) => document.getElementById(id);
const NUMERAL = new Intl.NumberFormat("en-US");
const count = (n) => NUMERAL.format(n);
const TYPES = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
// A sentence in both languages; the style shows one.
function say(tag, en, zh, className) {
  const made = element(tag, undefined, className);
  for (const [name, language, text] of [["en", "en", en], ["zh", "zh-Hans", zh]]) {
    const part = element("span", text, name);
    part.lang = language;
    made.append(part);
  }
  return made;
}
function number(value) {
  if (Number.isNaN(value)) return meta.none;
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
}
async function unpack(id) {
  const text = $(id).textContent;
  const packed = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  $(id).remove();
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
}
const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

let meta, map, columns, colouring, lines = {}, folded = "", starts = null;
let wanted = new Set(), hits = null, hovered = -1, selected = -1;

async function main() {
  meta = JSON.parse($("meta").textContent);
  const block = await unpack("point-block");
  const array = (place) => new TYPES[place.type](block, place.at, place.length);
  columns = meta.columns.map((column) => prepared(column, array));
  const kept = meta.after === null ? null : columns[meta.after].codes.map((code) => (columns[meta.after].names[code] === "true" ? 1 : 0));
  map = new PointCanvas($("points"), $("marks"), array(meta.x), array(meta.y), kept && Uint8Array.from(kept));
  map.paint = paintMarks;
  for (const column of columns) if (column.kind !== "text") $("colour").append(new Option(column.name, column.name));
  $("colour").value = meta.colour;
  panes();
  listen();
  colourBy(meta.colour);
  map.draw();
  $("message").hidden = true;
  window.posttrainMap = { map, meta, columns, drawnAt: performance.now(), get hits() { return hits; }, get selected() { return selected; }, line: (i) => lines.text?.[i] };
  await unpackTexts();
  document.documentElement.dataset.ready = "yes";
}

function prepared(column, array) {
  if (column.kind === "text") return column;
  const values = array(column.values);
  if (column.kind === "number") return { ...column, numbers: values };
  if (column.kind === "category") return { ...column, codes: values };
  const counts = array(column.counts), begin = new Uint32Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) begin[i + 1] = begin[i] + counts[i];
  return { ...column, tags: values, begin };
}

async function unpackTexts() {
  const whole = new TextDecoder().decode(await unpack("text-block")).split("\0");
  meta.texts.forEach((name, place) => (lines[name] = whole[place].split("\n")));
  // One folded text of all rows: a search is one pass over it. İ is the one letter that grows when it is lowered.
  folded = whole[0].replaceAll("İ", "I").toLowerCase();
  starts = new Uint32Array(meta.rows + 1);
  for (let i = 0; i < meta.rows; i++) starts[i + 1] = starts[i] + lines.text[i].length + 1;
  $("search").disabled = false;
  if ($("search").value) search();
}

// ---- colours and legend

function codesOf(column, i) {
  return column.kind === "category" ? [column.codes[i]] : Array.from(column.tags.subarray(column.begin[i], column.begin[i + 1]));
}
function valueOf(column, i) {
  if (column.kind === "text") return lines[column.name]?.[i] ?? "";
  if (column.kind === "number") return number(column.numbers[i]);
  return codesOf(column, i).map((code) => column.names[code]).join(" · ") || meta.none;
}
const paletteOf = (code) => meta.palette[code % meta.palette.length];

function colourBy(name) {
  colouring = columns.find((column) => column.name === name);
  wanted = new Set();
  const colours = new Uint8Array(4 * meta.rows).fill(255);
  if (colouring.kind === "number") colourNumbers(colours);
  else colourNames(colours);
  $("labels").parentElement.classList.toggle("off", colouring.kind === "number");
  map.setColours(colours);
  legend();
  filter();
}
const GREY = [138, 138, 138];
function colourNames(colours) {
  const table = meta.palette.map(rgb);
  const size = new Uint32Array(colouring.names.length);
  for (let i = 0; i < meta.rows; i++) {
    const codes = codesOf(colouring, i);
    for (const code of codes) size[code]++;
    const one = codes.find((code) => wanted.has(code)) ?? codes[0];
    colours.set(one === undefined || colouring.names[one] === meta.none ? GREY : table[one % table.length], 4 * i);
  }
  colouring.size = size;
  colouring.spots ??= spots(colouring);
}
function colourNumbers(colours) {
  const known = Float32Array.from(colouring.numbers.filter((value) => !Number.isNaN(value))).sort();
  const at = (share) => known[Math.min(known.length - 1, Math.floor(share * known.length))];
  const [low, high] = (colouring.ends = known.length ? [at(0.01), at(0.99)] : [0, 1]);
  colouring.least = known[0]; colouring.most = known.at(-1); colouring.known = known.length;
  const table = meta.ramp.map(rgb);
  for (let i = 0; i < meta.rows; i++) {
    const value = colouring.numbers[i];
    if (Number.isNaN(value)) { colours.set(GREY, 4 * i); continue; }
    const place = Math.max(0, Math.min(1, high > low ? (value - low) / (high - low) : 0.5)) * (table.length - 1);
    const step = Math.min(table.length - 2, Math.floor(place)), part = place - step;
    colours.set(table[step].map((channel, k) => Math.round(channel + part * (table[step + 1][k] - channel))), 4 * i);
  }
}

function legend() {
  const box = $("legend");
  box.replaceChildren();
  if (colouring.kind === "number") return box.append(...ramp());
  const head = element("p", undefined, "head");
  const total = colouring.names.length;
  head.append(say("span", `${count(total)} value${total === 1 ? "" : "s"}; click to filter`, `${count(total)} 个取值，点击筛选`));
  const all = say("button", "show all", "全部显示");
  all.type = "button"; all.id = "all"; all.hidden = true;
  all.addEventListener("click", () => { wanted.clear(); filter(); });
  head.append(all);
  const list = element("ul");
  colouring.names.forEach((name, code) => {
    const button = element("button"), dot = element("i");
    button.type = "button";
    button.dataset.code = code;
    dot.style.backgroundColor = name === meta.none ? `rgb(${GREY})` : paletteOf(code);
    button.append(dot, element("span", name, "name"), element("span", count(colouring.size[code]), "many"));
    button.addEventListener("click", () => { wanted.delete(code) || wanted.add(code); filter(); });
    const item = element("li");
    item.append(button);
    list.append(item);
  });
  box.append(head, list);
}
function ramp() {
  if (!colouring.known) return [say("p", "no values", "没有值")];
  const [low, high] = colouring.ends, bar = element("canvas", undefined, "ramp"), ticks = element("div", undefined, "ticks");
  bar.width = 256; bar.height = 1;
  const ink = bar.getContext("2d"), fill = ink.createLinearGradient(0, 0, 256, 0);
  meta.ramp.forEach((colour, at) => fill.addColorStop(at / (meta.ramp.length - 1), colour));
  ink.fillStyle = fill;
  ink.fillRect(0, 0, 256, 1);
  const lowText = (colouring.least < low ? "≤ " : "") + number(low), highText = (colouring.most > high ? "≥ " : "") + number(high);
  ticks.append(element("span", lowText), element("span", number(Number(((low + high) / 2).toPrecision(3)))), element("span", highText));
  const missing = meta.rows - colouring.known;
  const note = say("p", `from ${number(colouring.least)} to ${number(colouring.most)}; the colours span 98 % of the rows`, `范围 ${number(colouring.least)} 至 ${number(colouring.most)}；颜色覆盖其中 98 % 的行`);
  if (missing) note.append(say("span", `; grey: ${count(missing)} rows without a value`, `；灰色：${count(missing)} 行无此值`));
  return [bar, ticks, note];
}

// Where a name stands: the middle of its points in and around its densest square.
function spots(column) {
  const side = 28, bins = column.names.map(() => null), most = Math.min(column.names.length, 40);
  for (let i = 0; i < meta.rows; i++) {
    for (const code of codesOf(column, i)) {
      if (code >= most) continue;
      const bin = (bins[code] ??= { n: new Uint32Array(side * side), x: new Float64Array(side * side), y: new Float64Array(side * side) });
      const at = Math.min(side - 1, Math.floor(((map.x[i] - map.left) / map.wide) * side)) + side * Math.min(side - 1, Math.floor(((map.y[i] - map.low) / map.tall) * side));
      bin.n[at]++; bin.x[at] += map.x[i]; bin.y[at] += map.y[i];
    }
  }
  return bins.map((bin) => {
    if (!bin) return null;
    const at = bin.n.indexOf(bin.n.reduce((a, b) => Math.max(a, b))), sum = [0, 0, 0];
    for (let line = Math.max(0, Math.floor(at / side) - 1); line <= Math.min(side - 1, Math.floor(at / side) + 1); line++) {
      for (let column = Math.max(0, (at % side) - 1); column <= Math.min(side - 1, (at % side) + 1); column++) {
        const near = column + side * line;
        sum[0] += bin.n[near]; sum[1] += bin.x[near]; sum[2] += bin.y[near];
      }
    }
    return [sum[1] / sum[0], sum[2] / sum[0]];
  });
}

// ---- filter, search, rows

function filter() {
  const state = new Uint8Array(meta.rows), found = hits && new Set(hits);
  const names = colouring.kind === "number" ? null : wanted;
  let shown = 0, left = 0, matched = 0;
  for (let i = 0; i < meta.rows; i++) {
    const inside = !names || !names.size || codesOf(colouring, i).some((code) => names.has(code));
    if (!inside) continue;
    shown++;
    if (map.kept?.[i]) left++;
    state[i] = found ? (found.has(i) ? FOUND : DIM) : SHOWN;
    if (state[i] === FOUND) matched++;
  }
  map.setState(state);
  $("shown").replaceChildren(say("span", `${count(shown)} of ${count(meta.rows)} rows`, `${count(meta.rows)} 行中的 ${count(shown)} 行`));
  $("count-before").textContent = count(shown);
  $("count-after").textContent = count(left);
  const list = $("legend").querySelector("ul");
  list?.classList.toggle("chosen", Boolean(wanted.size));
  for (const button of list?.querySelectorAll("button") ?? []) button.setAttribute("aria-pressed", String(wanted.has(Number(button.dataset.code))));
  if ($("all")) $("all").hidden = !wanted.size;
  if (found) tellHits(hits.filter((i) => state[i] === FOUND), matched);
  hover(-1);
}
function search() {
  const text = $("search").value.trim().replace(/\s+/g, " ").replaceAll("İ", "I").toLowerCase();
  hits = text ? rowsWith(text) : null;
  if (!hits) { $("found").replaceChildren(); $("hits").replaceChildren(); }
  filter();
}
function rowsWith(text) {
  const rows = [];
  let row = 0, at = folded.indexOf(text);
  while (at >= 0) {
    let high = meta.rows;
    while (high - row > 1) { const middle = (row + high) >> 1; if (starts[middle] <= at) row = middle; else high = middle; }
    rows.push(row);
    at = folded.indexOf(text, starts[row + 1]);
  }
  return rows;
}
function tellHits(rows, matched) {
  $("found").replaceChildren(say("span", `${count(matched)} row${matched === 1 ? "" : "s"} found`, `找到 ${count(matched)} 行`));
  $("hits").replaceChildren(...rows.slice(0, 50).map((i) => {
    const button = element("button"), item = element("li"), text = lines.text[i];
    const needle = $("search").value.trim().replace(/\s+/g, " "), at = text.replaceAll("İ", "I").toLowerCase().indexOf(needle.replaceAll("İ", "I").toLowerCase());
    const from = Math.max(0, at - 24);
    button.type = "button";
    button.append((from ? "…" : "") + text.slice(from, at), element("mark", text.slice(at, at + needle.length)), text.slice(at + needle.length));
    button.addEventListener("click", () => { select(i); map.goTo(i); });
    item.append(button);
    return item;
  }));
}
function hover(i, px, py) {
  const tip = $("tip");
  if (i === hovered && i < 0) return;
  hovered = i;
  $("marks").classList.toggle("over", i >= 0);
  tip.hidden = i < 0;
  if (i >= 0) {
    const text = lines.text?.[i] ?? "…";
    tip.replaceChildren(text.length > 130 ? text.slice(0, 130) + "…" : text || meta.none, element("b", `${colouring.name}: ${valueOf(colouring, i)}`));
    tip.style.left = `${Math.max(8, Math.min(px + 14, map.width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${py + 18 + tip.offsetHeight > map.height ? Math.max(8, py - tip.offsetHeight - 14) : py + 18}px`;
  }
  map.redraw();
}
function select(i) {
  selected = i;
  const box = $("row");
  box.hidden = i < 0;
  map.redraw();
  if (i < 0) return;
  const head = element("div", undefined, "head"), close = element("button", "×"), list = element("dl");
  close.type = "button";
  close.setAttribute("aria-label", "close · 关闭");
  close.addEventListener("click", () => select(-1));
  head.append(say("span", "Row", "行"), close);
  for (const [name, value] of [["id", lines.id?.[i] ?? "…"], ...columns.map((column) => [column.name, valueOf(column, i)])]) list.append(element("dt", name), element("dd", value));
  box.replaceChildren(head, element("p", lines.text?.[i] ?? "…", "text"), list);
  box.scrollTop = 0;
}

// ---- marks above the points

function paintMarks(ink) {
  const style = getComputedStyle(document.body);
  const [paper, text, rule] = ["--paper", "--ink", "--rule"].map((name) => style.getPropertyValue(name));
  for (const pane of map.panes) {
    ink.save();
    ink.beginPath();
    ink.rect(pane.left, 0, pane.width, map.height);
    ink.clip();
    if ($("labels").checked && colouring.kind !== "number" && !hits) paintNames(ink, pane, paper, text, style.fontFamily);
    for (const [i, reach] of [[hovered, 3], [selected, 5]]) {
      if (i < 0 || (pane.onlyKept && !map.kept[i])) continue;
      const [px, py] = map.toScreen(i, pane);
      for (const [colour, width] of [[paper, 5], [text, 2]]) {
        ink.beginPath();
        ink.arc(px, py, map.size() / 2 + reach, 0, 7);
        ink.strokeStyle = colour; ink.lineWidth = width;
        ink.stroke();
      }
    }
    ink.restore();
  }
  if (map.kept) { ink.fillStyle = rule; ink.fillRect(map.width / 2 - 0.5, 0, 1, map.height); }
}
function paintNames(ink, pane, paper, text, family) {
  const taken = [];
  ink.font = `600 13px ${family}`;
  ink.textAlign = "center"; ink.textBaseline = "middle"; ink.lineJoin = "round";
  colouring.spots.forEach((spot, code) => {
    if (!spot || colouring.names[code] === meta.none || (wanted.size && !wanted.has(code))) return;
    const px = pane.left + pane.width / 2 + (spot[0] - map.camera.x) * map.camera.scale, py = map.height / 2 - (spot[1] - map.camera.y) * map.camera.scale;
    const name = colouring.names[code], shown = name.length > 28 ? name.slice(0, 27) + "…" : name, half = ink.measureText(shown).width / 2 + 4;
    const box = [px - half, py - 10, px + half, py + 10];
    if (box[0] < pane.left || box[2] > pane.left + pane.width || box[1] < 0 || box[3] > map.height) return;
    if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) return;
    taken.push(box);
    ink.strokeStyle = paper; ink.lineWidth = 4; ink.strokeText(shown, px, py);
    ink.fillStyle = text; ink.fillText(shown, px, py);
  });
}

// ---- input

function panes() {
  for (const id of ["pane-before", "pane-after"]) $(id).hidden = !map.kept;
}
function listen() {
  const marks = $("marks"), fingers = new Map();
  let moved = 0, apart = 0, timer = 0;
  const at = (event) => { const box = marks.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const distance = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  marks.addEventListener("pointerdown", (event) => {
    marks.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) moved = 0;
    if (fingers.size === 2) apart = distance();
  });
  marks.addEventListener("pointermove", (event) => {
    const here = at(event), before = fingers.get(event.pointerId);
    if (!before) { if (event.pointerType !== "touch") hover(map.pick(...here, 8), ...here); return; }
    fingers.set(event.pointerId, here);
    moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (fingers.size === 2) {
      const now = distance(), [a, b] = [...fingers.values()];
      map.zoomAt((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, now / Math.max(apart, 1));
      apart = now;
      map.pan((here[0] - before[0]) / 2, (here[1] - before[1]) / 2);
    } else if (moved > 4) { marks.classList.add("dragged"); hover(-1); map.pan(here[0] - before[0], here[1] - before[1]); }
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    marks.classList.remove("dragged");
    if (event.type === "pointerup" && !fingers.size && moved <= 4) select(map.pick(...at(event), event.pointerType === "touch" ? 18 : 8));
  };
  marks.addEventListener("pointerup", lift);
  marks.addEventListener("pointercancel", lift);
  marks.addEventListener("pointerleave", () => hover(-1));
  marks.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    map.zoomAt(...at(event), Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * (event.ctrlKey ? 0.01 : 0.0022)));
    hover(-1);
  }, { passive: false });
  marks.addEventListener("dblclick", (event) => map.zoomAt(...at(event), 2));
  const middle = () => [map.panes[0].width / 2, map.height / 2];
  const keys = { "+": () => map.zoomAt(...middle(), 1.5), "=": () => map.zoomAt(...middle(), 1.5), "-": () => map.zoomAt(...middle(), 1 / 1.5), 0: () => map.fit(), ArrowLeft: () => map.pan(60, 0), ArrowRight: () => map.pan(-60, 0), ArrowUp: () => map.pan(0, 60), ArrowDown: () => map.pan(0, -60), Escape: () => select(-1) };
  marks.addEventListener("keydown", (event) => { if (keys[event.key]) { event.preventDefault(); keys[event.key](); } });
  $("closer").addEventListener("click", () => map.zoomAt(...middle(), 1.6));
  $("farther").addEventListener("click", () => map.zoomAt(...middle(), 1 / 1.6));
  $("reset").addEventListener("click", () => map.fit());
  $("colour").addEventListener("change", () => colourBy($("colour").value));
  $("labels").addEventListener("change", () => map.redraw());
  $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 150); });
  for (const radio of document.querySelectorAll(".switch")) radio.addEventListener("change", () => (document.documentElement.lang = $("language-zh").checked ? "zh-Hans" : "en"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.redraw());
  new ResizeObserver(() => { const whole = map.whole; map.resize(); map.camera.scale *= map.whole / whole; map.redraw(); }).observe($("stage"));
}

main().catch((error) => {
  const plain = error.message === "no WebGL";
  $("message").hidden = false;
  $("message").replaceChildren(plain ? say("span", "This browser has no WebGL. The picture beside this page shows the same points.", "此浏览器不支持 WebGL；同目录下的图片显示相同的数据点。") : say("span", `The map could not be drawn: ${error.message}`, `无法绘制地图：${error.message}`));
});
