// Shows the test that the address names (#test=…&event=…), or else the first one that failed,
// or else the first one in which Celery did something.
const sections = [...document.querySelectorAll("section")];
const links = [...document.querySelectorAll("nav a")];
// Without a script a link to an event leads to its row. With one it leads to the chart.
document.querySelectorAll("tbody tr").forEach((row) => row.removeAttribute("id"));

// -- which test and which event ---------------------------------------------------------

function follow() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  let place = data.tests.findIndex((one) => one.id === wanted.get("test"));
  if (place < 0) place = sections.findIndex((section) => section.querySelector(".badge.failed"));
  if (place < 0) place = Math.max(0, data.tests.findIndex((one) => one.events.length));
  sections.forEach((section, n) => { section.hidden = n !== place; });
  links.forEach((link, n) => {
    if (n === place) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  if (test?.place !== place) openTest(place);
  const number = wanted.has("event") ? Number(wanted.get("event")) : -1;
  choose(test.items.findIndex((item) => item.events.includes(number)));
  const nav = links[place].closest("nav"); // scroll the list, and not the page
  nav.scrollTop = links[place].offsetTop - nav.offsetTop - nav.clientHeight / 2;
  if (location.hash) sections[place].scrollIntoView();
}

function openTest(place) {
  test = { ...data.tests[place], place, chosen: -1 };
  document.querySelectorAll(".chart").forEach((box) => box.replaceChildren());
  const box = sections[place].querySelector(".chart");
  if (!test.items.length) return;
  test.order = test.items.map((_, n) => n).sort((a, b) => first(test.items[a]).at - first(test.items[b]).at || a - b);
  test.full = [-0.02 * (test.span || 1), 1.04 * (test.span || 1)];
  test.view = [...test.full];
  addTools(box);
  test.svg = add(box, "svg", { class: "lanes", role: "group", "aria-labelledby": "chart-title chart-desc" });
  addLegend(box);
  test.panel = add(box, "div", { class: "panel", role: "region", "aria-label": "Details" });
  listen(test.svg);
}

function choose(number) {
  test.chosen = number;
  if (!test.svg) return;
  if (number >= 0) bringIntoView(test.items[number]);
  const events = test.items[number]?.events ?? [];
  sections[test.place].querySelectorAll("tbody tr").forEach((row, n) => row.classList.toggle("chosen", events.includes(n)));
  draw();
  tell(number);
}

function chooseAndNote(number) {
  if (number !== test.chosen) choose(number);
  const hash = `#test=${encodeURIComponent(test.id)}&event=${test.items[number].events[0]}`;
  history.replaceState(null, "", hash);
  test.svg.querySelector('[aria-pressed="true"]')?.focus();
}

// -- details ----------------------------------------------------------------------------

function tell(number) {
  test.panel.replaceChildren();
  if (number < 0) {
    add(test.panel, "p", { class: "hint" }, "Point at a bar or a mark, or choose one, to see its details here.");
    return;
  }
  const item = test.items[number];
  add(test.panel, "h3", {}, title(item));
  const list = add(test.panel, "dl");
  const message = test.arrows.find((arrow) => arrow.kind === "message" && arrow.target === number);
  const events = [...item.events, ...(message ? test.items[message.source].events : [])];
  const pairs = new Map([["where", laneName(test.lanes[first(item).lane])], ["when", when(item)]]);
  for (const [name, text] of events.flatMap((n) => test.events[n].details)) {
    if (!pairs.has(name)) pairs.set(name, text);
  }
  for (const [name, text] of pairs) {
    add(list, "dt", {}, name);
    add(list, "dd", {}, text);
  }
}

// -- moving about -----------------------------------------------------------------------

function look(from, to) {
  const [least, most] = test.full;
  const size = Math.min(Math.max(to - from, (most - least) / 5000), most - least);
  const start = Math.min(Math.max(from, least), most - size);
  test.view = [start, start + size];
  const hadFocus = test.svg.contains(document.activeElement);
  draw();
  if (hadFocus) test.svg.querySelector('[tabindex="0"]').focus();
}

// Around `at`, or else around the chosen event, or else around the middle.
function zoom(factor, at = null) {
  const [from, to] = test.view;
  const chosen = test.chosen >= 0 ? first(test.items[test.chosen]).at : from;
  const middle = at ?? (chosen > from && chosen < to ? chosen : (from + to) / 2);
  look(middle - (middle - from) / factor, middle + (to - middle) / factor);
}

function pan(share) {
  const by = (test.view[1] - test.view[0]) * share;
  look(test.view[0] + by, test.view[1] + by);
}

function bringIntoView(item) {
  const [from, to] = test.view, at = first(item).at;
  if (at < from || at > to) test.view = [at - (to - from) / 2, at + (to - from) / 2];
}

const TOOLS = [
  ["+", "Zoom in (+)", () => zoom(ZOOM)], ["−", "Zoom out (−)", () => zoom(1 / ZOOM)],
  ["←", "Earlier", () => pan(-0.3)], ["→", "Later", () => pan(0.3)],
  ["All", "Show all (0)", () => look(...test.full)],
];

function addTools(box) {
  const tools = add(box, "div", { class: "tools", role: "group", "aria-label": "Zoom" });
  for (const [text, label, act] of TOOLS) {
    add(tools, "button", { type: "button", title: label, "aria-label": label }, text).addEventListener("click", act);
  }
  add(tools, "span", { class: "hint" }, "Wheel or + and − to zoom, drag to move, arrow keys for the next event.");
}

function addLegend(box) {
  const legend = add(box, "ul", { class: "legend", "aria-label": "What the shapes mean" });
  for (const how of new Set(test.items.map(outcome))) {
    const entry = add(legend, "li");
    const icon = add(entry, "svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" });
    addShape(add(icon, "g", { class: `item ${how}` }), how, 0, 0);
    add(entry, "span", {}, how === "open" ? "did not end" : word(how));
  }
  const lines = { message: "from the message to where it ran", child: "from a task to what it sent" };
  for (const kind of new Set(test.arrows.map((arrow) => arrow.kind))) {
    const entry = add(legend, "li");
    const icon = add(entry, "svg", { width: 28, height: 10, "aria-hidden": "true" });
    add(icon, "path", { class: `arrow ${kind}`, d: "M0,5 H22" });
    add(icon, "path", { class: "tip", d: "M28,5 l-6,-3 v6 z" });
    add(entry, "span", {}, lines[kind]);
  }
}

function listen(svg) {
  const itemAt = (event) => event.target.closest?.("[data-item]")?.dataset.item;
  const timeAt = (event) => test.view[0] + ((event.clientX - svg.getBoundingClientRect().left) / svg.clientWidth) * (test.view[1] - test.view[0]);
  const keys = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  let grabbed = null;
  svg.addEventListener("pointerover", (event) => tell(Number(itemAt(event) ?? test.chosen)));
  svg.addEventListener("pointerleave", () => { grabbed = null; tell(test.chosen); });
  svg.addEventListener("click", (event) => itemAt(event) && chooseAndNote(Number(itemAt(event))));
  svg.addEventListener("focusin", (event) => {
    const number = Number(itemAt(event));
    if (number !== test.chosen) chooseAndNote(number);
  });
  svg.addEventListener("pointerdown", (event) => {
    if (itemAt(event)) return;
    grabbed = timeAt(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", () => { grabbed = null; });
  svg.addEventListener("pointermove", (event) => {
    if (grabbed === null) return;
    const by = grabbed - timeAt(event);
    look(test.view[0] + by, test.view[1] + by);
  });
  svg.addEventListener("wheel", (event) => {
    if (event.deltaX) pan(Math.sign(event.deltaX) * 0.1);
    else if (event.deltaY < 0 || test.view[1] - test.view[0] < test.full[1] - test.full[0]) zoom(event.deltaY < 0 ? ZOOM : 1 / ZOOM, timeAt(event));
    else return; // all is in view: let the page scroll
    event.preventDefault();
  }, { passive: false });
  svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { "+": 0, "=": 0, "-": 1, 0: 4 }[event.key];
    if (act !== undefined) TOOLS[act][2]();
    else if (event.key in keys) {
      const place = test.order.indexOf(Number(itemAt(event))) + keys[event.key];
      chooseAndNote(test.order[Math.min(Math.max(place, 0), test.order.length - 1)]);
    } else if (event.key === "Enter" || event.key === " ") chooseAndNote(Number(itemAt(event)));
    else return;
    event.preventDefault();
  });
}

new ResizeObserver(() => test?.svg && draw()).observe(document.querySelector("main"));
addEventListener("hashchange", follow);
follow();
