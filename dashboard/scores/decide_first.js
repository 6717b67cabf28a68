// The viewer's own set: a search by class or drug, best match first, and every class to tick by therapeutic area.
// What is chosen here is the truth, not the echo.
const MOST_SHOWN = 8;

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// How well a name matches: 4 as a whole, 3 as its beginning, 2 at a word's beginning, 1 inside, 0 not at all.
function matched(name, typed) {
  const low = name.toLowerCase();
  if (low === typed || low === typed + "s" || low + "s" === typed) return 4;
  if (low.startsWith(typed)) return 3;
  const words = typed.split(/\s+/);
  const held = low.split(/[^a-z0-9]+/);
  if (words.every((word) => held.some((each) => each.startsWith(word)))) return 2;
  return words.every((word) => low.includes(word)) ? 1 : 0;
}

// The classes that match, best first: [class, the drug or other name that matched or "", rank, the drug or ""].
function ranked(memory, text) {
  const typed = text.trim().toLowerCase().replace(/\s+/g, " ");
  if (!typed) return [];
  const results = [];
  for (const one of memory.classes) {
    let best = Math.max(matched(one.title, typed), matched(one.code, typed) > 2 ? 4 : 0);
    let rank = best ? best + 0.5 : 0; // a class by its own name before one by a drug's
    let why = "";
    let drug = "";
    for (const [name, ...brands] of [...one.terms.map((term) => [term]), ...one.drugs]) {
      for (const each of [name, ...brands]) {
        const level = matched(each, typed);
        if (level <= rank || level < 2) continue;
        rank = level;
        why = each === name ? name : each + ": " + name;
        drug = one.terms.includes(name) ? "" : name;
      }
    }
    if (rank) results.push([one, why, rank, drug]);
  }
  return results.sort((a, b) => b[2] - a[2] || a[0].title.length - b[0].title.length);
}

function fieldset(entry, memory) {
  const box = make("fieldset");
  box.append(make("legend", entry.label));
  const list = make("div", null, "classes");
  for (const one of entry.classes) {
    const label = make("label");
    const tick = make("input");
    tick.type = "checkbox";
    tick.value = one.code;
    tick.onchange = () => memory.choose(one.code, tick.checked);
    const words = make("span");
    words.append(one.title);
    words.title = one.code;
    label.append(tick, words);
    list.append(label);
    memory.ticks.set(one.code, tick);
  }
  box.append(list);
  return box;
}

function suggest(memory) {
  const results = ranked(memory, memory.search.value).slice(0, MOST_SHOWN);
  const typed = memory.search.value.trim();
  memory.at = results.length ? Math.min(memory.at, results.length - 1) : 0;
  memory.results = results;
  memory.options.replaceChildren(...results.map(([one, why, , drug], i) => {
    const option = make("li");
    option.id = memory.id + "-" + i;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", String(i === memory.at));
    option.append(make("span", has(memory, one, drug) ? "✓ " : ""), make("span", one.title));
    if (why) option.append(make("span", why, "why"));
    option.title = one.code;
    option.onmousedown = (event) => event.preventDefault();
    option.onclick = () => take(memory, i);
    return option;
  }));
  memory.options.hidden = !results.length;
  memory.search.setAttribute("aria-expanded", String(Boolean(results.length)));
  if (results.length) memory.search.setAttribute("aria-activedescendant", memory.id + "-" + memory.at);
  else memory.search.removeAttribute("aria-activedescendant");
  memory.status.textContent = typed && !results.length ? "No class and no drug matches “" + typed + "”." : "";
}

// Whether a class is chosen; where it was found by a drug, whether it is for this drug.
function has(memory, one, drug) {
  return memory.chosen.has(one.code) && (!drug || (memory.drugs[one.code] || []).includes(drug));
}

// Puts a class on or takes it off; where it was found by a drug, the class goes with the last of its drugs.
function choose(memory, code, drug, yes) {
  if (!drug) return memory.choose(code, yes);
  const others = (memory.drugs[code] || []).filter((each) => each !== drug);
  memory.drugs[code] = yes ? [...others, drug] : others;
  memory.choose(code, yes || others.length > 0);
}

function take(memory, at) {
  const entry = memory.results[at];
  if (!entry) return;
  const [one, , , drug] = entry;
  const already = has(memory, one, drug);
  if (!already) choose(memory, one.code, drug, true);
  memory.search.value = "";
  suggest(memory);
  memory.status.textContent = (drug || one.title) + (already ? " is chosen already." : " chosen.");
  memory.search.focus();
}

function drawChosen(memory) {
  for (const [code, tick] of memory.ticks) tick.checked = memory.chosen.has(code);
  const chosen = memory.classes.filter((one) => memory.chosen.has(one.code));
  memory.chips.hidden = !chosen.length;
  const chips = chosen.flatMap((one) => (memory.drugs[one.code] || [""]).map((drug) => [one, drug]));
  memory.chips.replaceChildren(...chips.map(([one, drug]) => {
    const item = make("li");
    const chip = make("button", drug || one.title, "chip");
    chip.type = "button";
    chip.title = one.title;
    chip.setAttribute("aria-label", "Take off " + (drug ? drug + ", " : "") + one.title);
    const cross = make("span", "×", "cross");
    cross.setAttribute("aria-hidden", "true");
    chip.append(cross);
    chip.onclick = () => { choose(memory, one.code, drug, false); memory.search.focus(); };
    item.append(chip);
    return item;
  }));
}

function searchBox(memory, data) {
  const box = make("input");
  box.type = "search";
  box.placeholder = data.placeholder;
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-label", data.searchLabel);
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", memory.id);
  box.autocomplete = "off";
  box.oninput = () => { memory.at = 0; suggest(memory); };
  box.onkeydown = (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves && memory.results.length) {
      memory.at = (memory.at + moves[event.key] + memory.results.length) % memory.results.length;
      suggest(memory);
    } else if (event.key === "Enter") take(memory, memory.at);
    else if (event.key === "Escape" && box.value) { box.value = ""; suggest(memory); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return box;
}

export default function (component) {
  const { data: [data], parentElement, setStateValue } = component;
  const [memory, unmount] = mountOnce(parentElement, () => ({ root: make("div", null, "root") }));
  if (memory.subject !== data.subject) fill(memory, data);
  memory.send = (codes) => setStateValue("chosen", { subject: data.subject, codes, drugs: memory.drugs });
  return unmount;
}

function fill(memory, data) {
  Object.assign(memory, { subject: data.subject, chosen: new Set(data.chosen), drugs: { ...data.drugs }, id: "decide-options", at: 0, results: [], ticks: new Map() });
  memory.classes = data.areas.flatMap((entry) => entry.classes);
  memory.choose = (code, yes) => {
    if (yes) memory.chosen.add(code); else { memory.chosen.delete(code); delete memory.drugs[code]; }
    drawChosen(memory);
    memory.send(memory.classes.map((one) => one.code).filter((each) => memory.chosen.has(each)));
  };
  memory.search = searchBox(memory, data);
  memory.options = make("ul", null, "options");
  memory.options.id = memory.id;
  memory.options.setAttribute("role", "listbox");
  memory.options.setAttribute("aria-label", data.searchLabel);
  memory.status = make("p", "", "status");
  memory.status.setAttribute("role", "status");
  memory.chips = make("ul", null, "chips");
  memory.chips.setAttribute("aria-label", data.chosenLabel);
  const scroll = make("div", null, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", data.label);
  const areas = make("div", null, "areas");
  areas.append(...data.areas.map((entry) => fieldset(entry, memory)));
  scroll.append(areas);
  const field = make("div", null, "field");
  field.append(memory.search, make("span", data.hint, "hint"), memory.options);
  memory.root.replaceChildren(memory.chips, field, memory.status, scroll);
  drawChosen(memory);
  suggest(memory);
}
