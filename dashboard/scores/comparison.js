// Teacher and student against each other: one row per class, aligned bars with a cut-off line. Text only enters as text.

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function icon(shape) {
  const element = make("span", shape);
  element.setAttribute("aria-hidden", "true");
  return element;
}

function bar(side, value, text, selected, model) {
  const cell = make("td", null, "score " + side + (selected ? " on" : ""));
  cell.dataset.label = model.label;
  const box = make("div", null, "box");
  if (value === null) {
    box.append(make("span", model.ready ? "not scored" : "–", "none"));
    cell.append(box);
    return cell;
  }
  const track = make("div", null, "track");
  const fill = make("div", null, "fill");
  fill.style.width = (value * 100).toFixed(1) + "%";
  const cut = make("div", null, "cut");
  cut.style.left = (model.cut * 100).toFixed(1) + "%";
  track.append(fill, cut);
  const number = make("span", text, "number");
  if (selected) {
    const mark = icon(model.icon);
    mark.className = "mark";
    number.prepend(mark);
  }
  box.append(track, number);
  const spoken = model.label + " " + text + (selected ? ", above its cut-off" : ", below its cut-off");
  box.append(make("span", spoken, "spoken"));
  track.setAttribute("aria-hidden", "true");
  number.setAttribute("aria-hidden", "true");
  cell.append(box);
  return cell;
}

function width(data) {
  return 3 + Number(data.prescribed) + Number(Boolean(data.own));
}

function show(place, block = "start") {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const element = typeof place === "function" ? place() : document.querySelector(place);
  element?.scrollIntoView({ block, behavior: calm ? "auto" : "smooth" });
}

// Goes there, and stays with it while the page fills, until the reader scrolls.
function follow(place, block) {
  show(place, block);
  const growing = new ResizeObserver(() => show(place, block));
  const panel = typeof place === "function" ? document.querySelector("[data-testid=stMainBlockContainer]") : document.querySelector(place);
  if (panel) growing.observe(panel);
  const stop = () => growing.disconnect();
  for (const move of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(move, stop, { once: true, passive: true });
  setTimeout(stop, 5000);
}

// On a telephone everything stands under this table: a way past it.
function jumps() {
  const nav = make("nav", null, "jump");
  nav.setAttribute("aria-label", "Further down this page");
  for (const [label, place] of [
    ["What changed a score", ".st-key-why"],
    ["Alerts and more", ".st-key-pairs"],
    ["Profile and visits", ".st-key-person"],
  ]) {
    if (place === ".st-key-person" && location.pathname.endsWith("/new")) continue;
    const button = make("button", label);
    button.type = "button";
    button.onclick = () => show(place);
    nav.append(button);
  }
  return nav;
}

function details(row, columns, ask, tag) {
  const tr = make("tr", null, "details");
  const cell = make("td");
  cell.colSpan = columns;
  for (const line of row.details) {
    const p = make("p");
    p.append(make("span", line.label, "label"), make("span", line.text));
    cell.append(p);
  }
  const why = make("button", "What changed this score", "why");
  why.type = "button";
  why.onclick = () => ask(row.code);
  cell.append(why);
  if (tag) {
    const button = make("button", "Tag (t)", "tag");
    button.type = "button";
    button.onclick = () => tag(row.code);
    cell.append(button);
  }
  tr.append(cell);
  return tr;
}

function line(row, data, memory) {
  const tr = make("tr", null, row.code === data.focus ? "row focus" : "row");
  tr.dataset.code = row.code;
  const name = make("th");
  name.scope = "row";
  const button = make("button", null, "name");
  button.type = "button";
  const open = memory.open.has(row.code);
  button.setAttribute("aria-expanded", String(open));
  const arrow = icon(open ? "▾" : "▸");
  arrow.className = "twist";
  const words = make("span", null, "words");
  words.append(make("span", row.title, "title"), " ", make("span", row.code, "code"));
  if (row.shares) words.title = row.shares;
  button.append(arrow, words);
  name.append(button);
  if (row.against) {
    const against = make("span", null, "against " + row.against.severity);
    against.append(icon(row.against.icon + " "), make("b", row.against.label + ": "), row.against.text);
    name.append(against);
  }
  name.append(...tagMarks(row, data));
  tr.append(name);
  if (data.prescribed) {
    const given = make("td", null, "given");
    given.dataset.label = "Ordered";
    const mark = make("span", row.prescribed ? "✓ ordered" : "not ordered", row.prescribed ? "yes" : "no");
    given.append(mark);
    tr.append(given);
  }
  if (data.own) {
    const own = make("td", null, "own");
    own.dataset.label = "You";
    own.append(make("span", row.own ? "✓ chosen" : "not chosen", row.own ? "yes" : "no"));
    tr.append(own);
  }
  for (const side of ["teacher", "student"]) {
    tr.append(bar(side, row[side], row[side + "_text"], row[side + "_selected"], data[side]));
  }
  const extra = () => details(row, width(data), memory.ask, memory.tag);
  button.onclick = () => {
    const now = !memory.open.has(row.code);
    button.setAttribute("aria-expanded", String(now));
    arrow.textContent = now ? "▾" : "▸";
    if (now) {
      memory.open.add(row.code);
      tr.after(extra());
    } else {
      memory.open.delete(row.code);
      tr.nextSibling.remove();
    }
  };
  return open ? [tr, extra()] : [tr];
}

function columns(data) {
  const head = make("thead");
  const tr = make("tr");
  const first = make("th", data.heading);
  first.scope = "col";
  tr.append(first);
  if (data.prescribed) {
    const given = make("th", "Ordered", "given");
    given.scope = "col";
    tr.append(given);
  }
  if (data.own) {
    const own = make("th", "You", "own");
    own.scope = "col";
    tr.append(own);
  }
  for (const side of ["teacher", "student"]) {
    const model = data[side];
    const cell = make("th", null, "score " + side);
    cell.scope = "col";
    const label = make("span", null, "who");
    label.append(icon(model.icon), " " + model.label);
    cell.append(label, make("span", model.note, "cutnote"));
    tr.append(cell);
  }
  head.append(tr);
  return head;
}

function group(entry, data, memory, needle) {
  const tbody = make("tbody", null, "group " + entry.key);
  const rows = needle ? entry.rows.filter((r) => (r.title + " " + r.code + " " + r.search).toLowerCase().includes(needle)) : entry.rows;
  if (needle && !rows.length) return null;
  const folded = !needle && (memory.folded.has(entry.key) ? memory.folded.get(entry.key) : entry.folded);
  const tr = make("tr", null, "heading");
  const cell = make("th");
  cell.colSpan = width(data);
  cell.scope = "rowgroup";
  const button = make("button");
  button.type = "button";
  button.setAttribute("aria-expanded", String(!folded));
  const arrow = icon(folded ? "▸" : "▾");
  arrow.className = "twist";
  button.append(arrow, make("span", entry.label, "label"), make("span", String(rows.length), "count"));
  if (entry.hint) button.append(make("span", entry.hint, "hint"));
  cell.append(button);
  tr.append(cell);
  // Lines are made when they are shown: two thirds of the classes are folded, and no details are open at first.
  const show = (on) => tbody.replaceChildren(tr, ...(on ? rows.flatMap((row) => line(row, data, memory)) : []));
  show(!folded);
  let isFolded = folded;
  button.onclick = () => {
    isFolded = !isFolded;
    memory.folded.set(entry.key, isFolded);
    button.setAttribute("aria-expanded", String(!isFolded));
    arrow.textContent = isFolded ? "▸" : "▾";
    show(!isFolded);
  };
  if (!rows.length) {
    button.disabled = true;
    arrow.textContent = "·";
  }
  return tbody;
}

// The row of the class that the link is about takes the keyboard's focus, so that "t" tags it.
function goToLinked(memory) {
  const row = () => memory.scroll.querySelector("tr.focus");
  row()?.querySelector(".name").focus({ preventScroll: true });
  follow(row, "center");
}

function build(data) {
  const root = make("div", null, "root");
  const tools = make("div", null, "tools");
  const search = make("input");
  search.type = "search";
  search.placeholder = data.find;
  search.setAttribute("aria-label", data.find + " in this table");
  const note = make("span", "", "note");
  tools.append(search, note, jumps());
  const scroll = make("div", null, "scroll");
  root.append(tools, scroll);
  return { root, search, note, scroll, open: new Set(), folded: new Map(), subject: data.subject };
}

export default function (component) {
  const { data: [data], parentElement, setTriggerValue } = component;
  const [memory, unmount] = mountOnce(parentElement, () => build(data));
  if (memory.subject !== data.subject) {
    memory.open.clear();
    memory.subject = data.subject;
  }
  memory.ask = (code) => {
    setTriggerValue("explained", code);
    follow(".st-key-why");
  };
  memory.note.textContent = data.note;
  memory.tag = data.tagging && ((code) => {
    const row = data.groups.flatMap((entry) => entry.rows).find((one) => one.code === code);
    chooseTag(row, data, memory.scroll.parentElement, (tag) => setTriggerValue("tagged", tag));
  });
  const initials = sessionStorage.getItem(ANNOTATOR);
  if (initials && data.tagging?.asks && !data.tagging.author && !memory.introduced) {
    memory.introduced = true; // a reload forgets whose tags stand at the rows
    setTriggerValue("tagged", { author: initials, models: [] });
  }
  memory.scroll.onkeydown = (event) => rowKeys(event, memory.scroll, memory.tag);
  const draw = () => {
    const focus = memory.scroll.getRootNode().activeElement?.closest?.("tr.row")?.dataset.code;
    const table = make("table", null, data.prescribed ? "" : "bare");
    table.append(make("caption", data.caption), columns(data));
    const needle = memory.search.value.trim().toLowerCase();
    const bodies = data.groups.map((entry) => group(entry, data, memory, needle)).filter(Boolean);
    table.append(...bodies);
    memory.scroll.replaceChildren(table);
    if (focus) memory.scroll.querySelector('tr.row[data-code="' + focus + '"] .name')?.focus({ preventScroll: true });
    if (!bodies.length) memory.scroll.append(make("p", "Nothing in this case matches “" + memory.search.value + "”.", "nothing"));
  };
  memory.search.oninput = draw;
  const holder = data.focus && data.groups.find((entry) => entry.rows.some((row) => row.code === data.focus));
  const fresh = holder && memory.focused !== data.subject + data.focus;
  if (fresh) {
    memory.focused = data.subject + data.focus;
    memory.open.add(data.focus);
    memory.folded.set(holder.key, false);
  }
  draw();
  followBanner();
  if (fresh) goToLinked(memory);
  return unmount;
}
