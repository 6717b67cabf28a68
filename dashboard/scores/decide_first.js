// The viewer's own set: every class to tick, by therapeutic area, with a search. Ticks here are the truth, not the echo.

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function area(entry, memory, change) {
  const box = make("fieldset");
  box.append(make("legend", entry.label));
  const list = make("div", null, "classes");
  for (const one of entry.classes) {
    const label = make("label");
    const tick = make("input");
    tick.type = "checkbox";
    tick.value = one.code;
    tick.checked = memory.chosen.has(one.code);
    tick.onchange = () => {
      if (tick.checked) memory.chosen.add(one.code); else memory.chosen.delete(one.code);
      change();
    };
    const words = make("span");
    words.append(one.title + " ", make("span", one.code, "code"));
    label.append(tick, words);
    label.dataset.search = (one.title + " " + one.code + " " + entry.label).toLowerCase();
    list.append(label);
  }
  box.append(list);
  return box;
}

function narrow(memory) {
  const words = memory.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const box of memory.list.querySelectorAll("fieldset")) {
    let any = false;
    for (const label of box.querySelectorAll("label")) {
      const matches = words.every((word) => label.dataset.search.includes(word));
      label.hidden = !matches;
      any = any || matches;
      left += Number(matches);
    }
    box.hidden = !any;
  }
  memory.nothing.hidden = left > 0;
  memory.nothing.textContent = left ? "" : "No class matches “" + memory.search.value + "”.";
}

export default function (component) {
  const { data: [data], parentElement, setStateValue } = component;
  const [memory, unmount] = mountOnce(parentElement, () => ({ root: make("div", null, "root") }));
  if (memory.subject === data.subject) return unmount;
  Object.assign(memory, { subject: data.subject, chosen: new Set(data.chosen) });
  memory.search = make("input");
  memory.search.type = "search";
  memory.search.placeholder = "Find a class";
  memory.search.setAttribute("aria-label", "Find a class to tick");
  memory.search.oninput = () => narrow(memory);
  memory.search.onkeydown = (event) => {
    if (event.key !== "Enter") return;
    const left = [...memory.list.querySelectorAll("label:not([hidden]) input")];
    if (left.length) left[0].click();
    memory.search.select();
  };
  memory.nothing = make("p", "", "nothing");
  memory.nothing.setAttribute("role", "status");
  memory.list = make("div", null, "areas");
  const scroll = make("div", null, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", data.label);
  const order = data.areas.flatMap((entry) => entry.classes.map((one) => one.code));
  const change = () => setStateValue("chosen", { subject: data.subject, codes: order.filter((code) => memory.chosen.has(code)) });
  memory.list.append(...data.areas.map((entry) => area(entry, memory, change)));
  memory.root.replaceChildren(memory.search, make("span", data.hint, "hint"), memory.nothing, scroll);
  scroll.append(memory.list);
  narrow(memory);
  return unmount;
}
