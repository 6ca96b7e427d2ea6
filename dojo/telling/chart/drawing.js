// How a test is drawn, as SVG. This and page.js are one script in the page. Text goes into the
// page by textContent only: it may be anybody's.
const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  sent: "M-5,-5 L6,0 L-5,5 Z",
  received: "M-5,-4 H5 L0,5 Z",
  look: "M0,-4 L4,0 L0,4 L-4,0 Z",
  wait: "M0,-6 L5,0 L0,6 L-5,0 Z",
  update: "M-5,-3 H5 V3 H-5 Z",
  retried: "M4.5,-2.5 A5,5 0 1 0 5,1 M5,-6 V-2 H1",
  succeeded: "M-5,0 L-1.5,4 L5,-4",
  failed: "M-4,-4 L4,4 M4,-4 L-4,4",
  revoked: "M5,0 A5,5 0 1 1 -5,0 A5,5 0 1 1 5,0 M-3.5,3.5 L3.5,-3.5",
  rejected: "M-5,-5 H5 V5 H-5 Z M-3,0 H3",
  unknown: "M-3,-3 A3,3 0 1 1 0,1 V2 M0,5 V5.5",
  ready: "M-4,6 V-6 L5,-3 L-4,0",
  finished: "M-4,-4 H4 V4 H-4 Z",
  open: "M-5,0 H-4.5 M0,0 H.5 M5,0 H5.5",
};
const TOP = 24, LABEL = 20, MARK = 16, BAR = 24, GAP = 10, CHARACTER = 6.7;
const MOST_MARK_ROWS = 5, LEAST_BAR = 4, ZOOM = 1.5;

const data = JSON.parse(document.getElementById("data").textContent);
let test = null; // the chosen one, with its item that is chosen and the span of time in view

function add(parent, name, attributes = {}, text = null) {
  const inSvg = name === "svg" || parent.namespaceURI === SVG;
  const made = inSvg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

const word = (kind) => data.words[kind] ?? kind;
const ms = (value) => `${value.toFixed(1)} ms`;
const first = (item) => test.events[item.events[0]];
const endOf = (item) => (item.shape === "bar" ? item.end ?? test.span : first(item).at);
const outcome = (item) => (item.shape !== "bar" ? item.shape : item.end === null ? "open" : item.outcome);
const outcomeWord = (item) => (outcome(item) === "open" ? "did not end" : word(outcome(item)));
const laneName = ({ name, detail }) => (detail ? `${name} (${detail})` : name);

const title = (item) => [outcomeWord(item), first(item).call].filter(Boolean).join(": ");

function when(item) {
  const start = first(item).at;
  if (item.shape !== "bar") return ms(start);
  return item.end === null ? `from ${ms(start)}` : `from ${ms(start)} to ${ms(item.end)}, ${ms(item.end - start)} in all`;
}

// -- drawing ----------------------------------------------------------------------------

function draw() {
  const { svg, view } = test;
  const width = Math.max(svg.clientWidth, 200);
  const x = (at) => ((at - view[0]) / (view[1] - view[0])) * width;
  const lanes = layOut(x);
  const height = lanes.at(-1).bottom;
  svg.replaceChildren();
  svg.setAttribute("height", height + 2); // and the border
  add(svg, "title", { id: "chart-title" }, `Timeline of: ${test.requirement}`);
  add(svg, "desc", { id: "chart-desc" }, `Lanes: ${test.lanes.map(laneName).join(", ")}. Events: ${test.events.length}, in ${ms(test.span)}. Arrow keys go from one to the next. The table below has all of it.`);
  drawLanes(svg, lanes, width, height, x);
  const arrows = add(svg, "g", { "aria-hidden": "true" });
  for (const arrow of test.arrows) drawArrow(arrows, arrow, x);
  const stop = test.chosen >= 0 ? test.chosen : test.order[0];
  for (const number of test.order) {
    const item = test.items[number];
    if (number === stop || (x(endOf(item)) > -20 && x(first(item).at) < width + 20)) drawItem(svg, number, number === stop, x, width);
  }
}

// Gives each lane its place, and each item its `y`: marks that would touch go below each other.
function layOut(x) {
  const lanes = test.lanes.map(() => ({ marks: [], bars: 0 }));
  for (const number of test.order) {
    const item = test.items[number], lane = lanes[first(item).lane], at = x(first(item).at);
    if (item.shape === "bar") {
      lane.bars = Math.max(lane.bars, item.row + 1);
    } else {
      const row = lane.marks.findIndex((last) => at - last >= MARK - 2);
      item.markRow = row >= 0 ? row : Math.min(lane.marks.length, MOST_MARK_ROWS - 1);
      lane.marks[item.markRow] = at;
    }
  }
  let y = TOP;
  for (const lane of lanes) {
    lane.top = y;
    lane.barsTop = y + LABEL + lane.marks.length * MARK + 4;
    y = lane.bottom = lane.barsTop + lane.bars * BAR + GAP;
  }
  for (const item of test.items) {
    const lane = lanes[first(item).lane];
    item.y = item.shape === "bar" ? lane.barsTop + item.row * BAR : lane.top + LABEL + item.markRow * MARK + MARK / 2;
  }
  return lanes;
}

function drawLanes(svg, lanes, width, height, x) {
  lanes.forEach((lane, n) => {
    if (n % 2 === 0) add(svg, "rect", { class: "band", y: lane.top, width, height: lane.bottom - lane.top });
  });
  const step = niceStep((test.view[1] - test.view[0]) / Math.max(2, width / 90));
  for (let at = Math.ceil(Math.max(0, test.view[0]) / step) * step; at <= test.view[1]; at += step) {
    add(svg, "path", { class: "grid", d: `M${x(at)},${TOP} V${height}` });
    add(svg, "text", { class: "tick", x: x(at) + 3, y: TOP - 8 }, `${+at.toFixed(6)} ms`);
  }
  lanes.forEach((lane, n) => {
    const label = add(svg, "text", { class: "lane", x: 8, y: lane.top + 15 }, test.lanes[n].name);
    if (test.lanes[n].detail) add(label, "tspan", {}, `  ${test.lanes[n].detail}`);
  });
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least * 0.999);
}

function drawArrow(parent, { kind, source, target }, x) {
  const from = test.items[source], to = test.items[target];
  const on = source === test.chosen || target === test.chosen ? " on" : "";
  const x2 = x(first(to).at);
  const x1 = from.shape === "bar" ? Math.min(x2, x(endOf(from))) : x(first(from).at);
  const down = to.y > from.y;
  const y1 = from.shape === "bar" ? from.y + (down ? BAR - 4 : 0) : from.y + (down ? 6 : -6);
  const y2 = to.shape === "bar" ? to.y + (down ? 0 : BAR - 4) : to.y + (down ? -7 : 7);
  const bend = (y2 - y1) / 2, tip = down ? -5 : 5;
  add(parent, "path", { class: `arrow ${kind}${on}`, d: `M${x1},${y1} C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}` });
  add(parent, "path", { class: `tip${on}`, d: `M${x2},${y2} l-3,${tip} h6 z` });
}

function drawItem(svg, number, isStop, x, width) {
  const item = test.items[number], at = x(first(item).at), how = outcome(item);
  const group = add(svg, "g", {
    class: `item ${how}`, role: "button", tabindex: isStop ? 0 : -1, "data-item": number,
    "aria-pressed": number === test.chosen,
  });
  add(group, "title", {}, `${title(item)}, ${when(item)}, ${laneName(test.lanes[first(item).lane])}`);
  if (item.shape !== "bar") {
    add(group, "circle", { class: "target ring", cx: at, cy: item.y, r: 9 });
    addShape(group, how, at, item.y);
    return;
  }
  const size = { x: at, y: item.y, width: Math.max(x(endOf(item)) - at, LEAST_BAR), height: BAR - 4, rx: 3 };
  add(group, "rect", { class: "bar", ...size });
  add(group, "rect", { class: "ring", ...size, x: at - 3, y: item.y - 3, width: size.width + 6, height: BAR + 2 });
  const left = size.width < 20 ? at + size.width + 8 : Math.max(at, 0) + 11;
  const room = Math.min(width, nextStart(item, x)) - left;
  if (room < 8) return;
  addShape(group, how, left, item.y + BAR / 2 - 2);
  const most = Math.floor((room - 14) / CHARACTER), call = first(item).call.replace(/^tasks\./, "");
  if (most > 5) add(group, "text", { x: left + 10, y: item.y + BAR / 2 + 2 }, call.length > most ? `${call.slice(0, most - 1)}…` : call);
}

function nextStart(item, x) {
  const after = test.items.filter((other) => other.shape === "bar" && other.row === item.row
    && first(other).lane === first(item).lane && first(other).at > first(item).at);
  return Math.min(...after.map((other) => x(first(other).at) - 6), Infinity);
}

function addShape(parent, shape, x, y) {
  const d = SHAPES[shape] ?? SHAPES.finished;
  add(parent, "path", { class: `shape ${shape}`, d, transform: `translate(${x} ${y})` });
}
