// A tag for one row of the comparison table: "t" opens the chooser, a digit answers. Read in front of comparison.js.

const ANNOTATOR = "leader.annotator";

function choice(name, label, checked, change) {
  const field = make("label", null, "choice");
  const radio = make("input");
  radio.type = "radio";
  radio.name = name;
  radio.checked = checked;
  radio.onchange = change;
  field.append(radio, " " + label);
  return field;
}

// The models whose tag is meant: those that are wrong in this row; where none is, all that scored it.
function modelsOf(row, data) {
  const ready = ["teacher", "student"].filter((side) => data[side]?.ready && row[side] !== null);
  const wrong = ready.filter((side) => row[side + "_selected"] !== row.prescribed);
  return { ready, meant: wrong.length ? wrong : ready };
}

function ownTag(row, meant) {
  return (row.tags || []).find((tag) => meant.includes(tag.model));
}

function chooseTag(row, data, root, send) {
  root.querySelector("dialog.tagging")?.remove();
  const { kinds, author, asks } = data.tagging;
  const { ready, meant } = modelsOf(row, data);
  let models = meant;
  const dialog = make("dialog", null, "tagging");
  const title = make("h2", "Tag " + row.title + " (" + row.code + ")");
  title.id = "tagging-title";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(title);

  if (ready.length > 1) {
    const group = make("fieldset");
    group.append(make("legend", "Answer of"));
    for (const set of [...ready.map((side) => [side]), ready]) {
      const label = set.length > 1 ? "Both" : data[set[0]].label;
      group.append(choice("model", label, String(set) === String(models), () => { models = set; }));
    }
    dialog.append(group);
  }

  let name = null;
  const warning = make("p", "Write your initials first: tags of two annotators are compared.", "warning");
  warning.setAttribute("role", "alert");
  warning.hidden = true;
  if (asks) {
    const label = make("label", "Your initials", "line");
    name = make("input");
    name.value = author || sessionStorage.getItem(ANNOTATOR) || ""; // a reload asks nobody again
    name.maxLength = 80;
    label.append(name);
    dialog.append(label, warning);
  }
  const noteLabel = make("label", "Note (optional)", "line");
  const note = make("input");
  note.maxLength = 400;
  note.value = ownTag(row, meant)?.note || "";
  noteLabel.append(note);
  dialog.append(noteLabel);

  const answer = (kind) => {
    if (name && !name.value.trim()) {
      warning.hidden = false;
      name.setAttribute("aria-invalid", "true");
      name.focus();
      return;
    }
    if (name) sessionStorage.setItem(ANNOTATOR, name.value);
    send({ code: row.code, models, kind, note: note.value, author: name ? name.value : "" });
    dialog.close();
  };
  const list = make("div", null, "kinds");
  kinds.forEach((kind, i) => {
    const button = make("button", null, "kind");
    button.type = "button";
    if (kind.key) button.append(make("kbd", kind.key));
    button.append(make("span", kind.name, "title"), make("span", kind.meaning, "meaning"));
    if (ownTag(row, meant)?.kind === kind.id) button.setAttribute("aria-current", "true");
    button.onclick = () => answer(kind.id);
    list.append(button);
  });
  dialog.append(list);
  const actions = make("div", null, "actions");
  if (ownTag(row, meant)) {
    const remove = make("button", "Remove my tag", "why");
    remove.type = "button";
    remove.onclick = () => answer("");
    actions.append(remove);
  }
  const close = make("button", "Cancel", "why");
  close.type = "button";
  close.onclick = () => dialog.close();
  actions.append(close, make("span", name && !name.value ? "Initials and Enter first; then a digit chooses, n writes a note." : "A digit chooses, n writes a note, Esc leaves.", "hint"));
  dialog.append(actions);

  dialog.onkeydown = (event) => {
    event.stopPropagation(); // the page's own shortcuts wait
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === note || event.target === name;
    if (typing) {
      if (event.key === "Enter") {
        event.preventDefault();
        list.firstChild.focus();
      }
      return;
    }
    const kind = kinds.find((one) => one.key === event.key);
    if (kind) answer(kind.id);
    else if (event.key === "n") note.focus();
    else return;
    event.preventDefault();
  };
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.onclose = () => {
    dialog.remove();
    root.querySelector('tr.row[data-code="' + row.code + '"] .name')?.focus();
  };
  root.append(dialog);
  dialog.showModal();
  (name && !name.value ? name : list.firstChild).focus();
}

// What this annotator has said of a row: others' tags are not shown, so that annotators stay independent.
function tagMarks(row, data) {
  return (row.tags || []).map((tag) => {
    const mark = make("span", null, "tagged");
    mark.append(icon("⚑ "), make("b", tag.name), " · " + data[tag.model].label + (tag.note ? " · " + tag.note : ""));
    return mark;
  });
}

// "t" on a row, and the arrows from row to row.
function rowKeys(event, table, tag) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const line = event.target.closest("tr.row, tr.details");
  if (!line || event.target.matches("input")) return;
  const row = line.matches(".row") ? line : line.previousElementSibling;
  if (event.key === "t" && tag) tag(row.dataset.code);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const rows = [...table.querySelectorAll("tr.row")];
    rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)]?.querySelector(".name").focus();
  } else return;
  event.preventDefault();
}
