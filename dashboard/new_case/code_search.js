// Type-ahead for codes: search by words or code, add with Enter or a click, remove with the cross. Text only enters as text.
let serial = 0;

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function build() {
  const id = "codes-" + ++serial;
  const root = make("div", null, "root");
  const label = make("label", "", "label");
  label.htmlFor = id;
  const chosen = make("ul", null, "chosen");
  const box = make("div", null, "box");
  const input = make("input");
  input.id = id;
  input.type = "text";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-controls", id + "-list");
  const list = make("ul", null, "list");
  list.id = id + "-list";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  const message = make("p", "", "message");
  message.setAttribute("role", "status");
  box.append(input, list);
  root.append(label, chosen, box, message);
  return { root, id, label, chosen, input, list, message, active: -1, timer: 0, sent: "", results: [] };
}

export default function (component) {
  const { data: [data], parentElement, setTriggerValue } = component;
  const [ui, unmount] = mountOnce(parentElement, build);
  ui.leave = () => clearTimeout(ui.timer);
  ui.label.textContent = data.label;
  ui.input.placeholder = data.placeholder;
  ui.list.setAttribute("aria-label", data.label + ": matches");

  const close = () => {
    ui.list.hidden = true;
    ui.input.setAttribute("aria-expanded", "false");
    ui.input.removeAttribute("aria-activedescendant");
    ui.active = -1;
  };
  const add = (result) => {
    clearTimeout(ui.timer);
    ui.input.value = "";
    ui.sent = "";
    ui.results = [];
    close();
    ui.message.textContent = "";
    setTriggerValue("added", result.code);
    ui.input.focus();
  };
  const mark = (position) => {
    const options = [...ui.list.querySelectorAll("[role=option]")];
    if (!options.length) return;
    ui.active = (position + options.length) % options.length;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === ui.active)));
    ui.input.setAttribute("aria-activedescendant", options[ui.active].id);
    options[ui.active].scrollIntoView({ block: "nearest" });
  };
  const draw = () => {
    ui.list.replaceChildren();
    const have = new Set(data.chosen.map((one) => one.code));
    ui.results.forEach((result, i) => {
      const option = make("li", null, have.has(result.code) ? "have" : "");
      option.id = ui.id + "-" + i;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.append(make("span", result.title, "title"), make("span", result.code, "code"));
      if (have.has(result.code)) option.append(make("span", "already there", "hint"));
      else if (result.hint) option.append(make("span", result.hint, "hint"));
      option.onmousedown = (event) => event.preventDefault();
      option.onclick = () => add(result);
      ui.list.append(option);
    });
    const open = ui.results.length > 0 && ui.input.value.trim().length > 0;
    ui.list.hidden = !open;
    ui.input.setAttribute("aria-expanded", String(open));
    ui.active = -1;
    if (open) mark(0);
  };

  ui.chosen.replaceChildren();
  for (const one of data.chosen) {
    const item = make("li");
    const text = make("span", null, "what");
    text.append(make("span", one.title, "title"), " ", make("span", one.code, "code"));
    const cross = make("button", "✕");
    cross.type = "button";
    cross.setAttribute("aria-label", "Remove " + one.title);
    cross.onclick = () => setTriggerValue("removed", one.code);
    item.append(text, cross);
    ui.chosen.append(item);
  }
  ui.chosen.hidden = data.chosen.length === 0;

  if (data.query && data.query === ui.input.value.trim()) {
    ui.results = data.results;
    ui.message.textContent = data.results.length ? "" : "No code or title matches “" + data.query + "”. Try fewer words, or the code itself.";
    // Another field's search draws this one again too: only the list of the field in use opens.
    if (ui.input.getRootNode().activeElement === ui.input) draw();
    else close();
  }

  ui.input.oninput = () => {
    clearTimeout(ui.timer);
    const text = ui.input.value.trim();
    if (text.length < 2) {
      close();
      ui.message.textContent = "";
      return;
    }
    ui.timer = setTimeout(() => {
      if (text === ui.sent) return;
      ui.sent = text;
      setTriggerValue("searched", text);
    }, 140);
  };
  ui.input.onkeydown = (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); if (ui.list.hidden) draw(); else mark(ui.active + 1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); mark(ui.active - 1); }
    else if (event.key === "Enter" && !ui.list.hidden && ui.active >= 0) { event.preventDefault(); add(ui.results[ui.active]); }
    else if (event.key === "Escape") close();
  };
  ui.input.onblur = () => close();
  ui.input.onfocus = () => { if (ui.results.length && ui.input.value.trim()) draw(); };
  return unmount;
}
