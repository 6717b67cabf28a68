// The list of pairs: groups by severity, a search that stays in the browser, a row that opens its card.
const instances = new WeakMap();

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function icon(shape, className) {
  const element = make("span", shape, className);
  element.setAttribute("aria-hidden", "true");
  return element;
}

function row(item, data, open) {
  const line = make("li");
  const button = make("button", null, "row");
  button.type = "button";
  button.dataset.id = item.id;
  const chosen = item.id === data.chosen;
  button.setAttribute("aria-current", String(chosen));
  const head = make("span", null, "head");
  head.append(make("span", item.names[0], "name"), icon(" + ", "plus"), make("span", item.names[1], "name"));
  head.append(" ", make("span", item.codes.join(" · "), "code"));
  button.append(head);
  if (item.only) button.append(make("span", item.only, "only"));
  if (item.ordered) {
    const ordered = make("span", null, "ordered is-" + item.order_status.replace(" ", "-"));
    const shape = { ordered: "●", open: "◐", "not ordered": "○" }[item.order_status];
    ordered.append(icon(shape + " "), make("span", "Ordered here: ", "label"), item.ordered);
    button.append(ordered);
  }
  if (item.effect) {
    const effect = make("span", item.effect, "effect");
    if (item.more) effect.append(make("span", " + " + item.more, "more"));
    button.append(effect);
  }
  button.onclick = () => open(item.id);
  line.append(button);
  return line;
}

function group(entry, data, memory, needle, open) {
  const shown = needle ? entry.rows.filter((r) => text(r).includes(needle)) : entry.rows;
  if (!shown.length) return null;
  const section = make("section", null, entry.severity);
  let folded = needle ? false : memory.folded.has(entry.key) ? memory.folded.get(entry.key) : entry.folded;
  const heading = make("h3");
  const button = make("button", null, "heading");
  button.type = "button";
  const arrow = icon("", "twist");
  const badge = make("span", null, "badge " + entry.severity);
  badge.append(icon(entry.icon + " "), entry.label);
  button.append(arrow, badge, make("span", String(shown.length), "count"), make("span", entry.hint, "hint"));
  heading.append(button);
  const list = make("ul");
  list.append(...shown.map((item) => row(item, data, open)));
  const draw = () => {
    button.setAttribute("aria-expanded", String(!folded));
    arrow.textContent = folded ? "▸" : "▾";
    list.hidden = folded;
  };
  button.onclick = () => { folded = !folded; memory.folded.set(entry.key, folded); draw(); };
  draw();
  section.append(heading, list);
  return section;
}

function text(item) {
  return [...item.names, ...item.codes, item.only, item.effect, item.ordered, item.search].join(" ").toLowerCase();
}

function step(root, event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || event.target.tagName === "INPUT") return;
  const rows = [...root.querySelectorAll("ul:not([hidden]) button.row")];
  const next = rows[rows.indexOf(event.target) + by];
  if (next) { event.preventDefault(); next.focus(); }
}

export default function (component) {
  const { data: [data], parentElement, setTriggerValue } = component;
  let memory = instances.get(parentElement);
  if (!memory) {
    const root = make("div", null, "pairs");
    const tools = make("div", null, "tools");
    const search = make("input");
    search.type = "search";
    search.setAttribute("aria-label", "Find a drug, class or consequence");
    search.placeholder = "Find a drug, class or consequence";
    const note = make("span", null, "note");
    note.setAttribute("role", "status");
    tools.append(search, note);
    const body = make("div");
    root.append(tools, body);
    parentElement.append(root);
    memory = { search, note, tools, body, folded: new Map(), subject: null };
    root.onkeydown = (event) => step(root, event);
    instances.set(parentElement, memory);
  }
  if (memory.subject !== data.subject) { memory.subject = data.subject; memory.folded.clear(); memory.search.value = ""; }
  memory.tools.hidden = !data.search;
  const open = (id) => {
    setTriggerValue("opened", id);
    if (matchMedia("(max-width: 640px)").matches) {
      setTimeout(() => document.querySelector(".st-key-pair_card")?.scrollIntoView({ block: "start" }), 350);
    }
  };
  const draw = () => {
    const needle = memory.search.value.trim().toLowerCase();
    const sections = data.groups.map((entry) => group(entry, data, memory, needle, open)).filter(Boolean);
    memory.body.replaceChildren(...sections);
    const matches = memory.body.querySelectorAll("button.row").length;
    memory.note.textContent = needle ? matches + (matches === 1 ? " pair" : " pairs") : "";
    if (!sections.length) memory.body.append(make("p", needle ? "No pair shown here has these words." : data.nothing, "nothing"));
  };
  memory.search.oninput = draw;
  const at = parentElement.getRootNode().activeElement?.dataset?.id;
  draw();
  if (at) memory.body.querySelector('[data-id="' + CSS.escape(at) + '"]')?.focus({ preventScroll: true });
  return () => instances.delete(parentElement);
}
