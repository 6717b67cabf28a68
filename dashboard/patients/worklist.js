// The worklist: one row per patient. Columns sort, a row opens. Text only ever enters as text.

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function heading(column, data, sort) {
  const cell = make("th", null, column.numeric ? "num" : "");
  cell.scope = "col";
  const model = { teacher_jaccard: "teacher", student_jaccard: "student" }[column.sort];
  if (model) cell.classList.add(model);
  if (!column.sort) {
    cell.textContent = column.label;
    return cell;
  }
  const active = data.sort === column.sort;
  if (active) cell.setAttribute("aria-sort", data.descending ? "descending" : "ascending");
  const button = make("button", column.label);
  button.type = "button";
  button.title = (column.help ? column.help + ". " : "") + "Sort by " + column.label.toLowerCase();
  const arrow = make("span", active ? (data.descending ? "↓" : "↑") : "↕", active ? "arrow on" : "arrow");
  arrow.setAttribute("aria-hidden", "true");
  button.append(arrow);
  button.onclick = () => sort(column.sort, active ? !data.descending : Boolean(column.numeric || column.descending));
  cell.append(button);
  return cell;
}

// Why a row matches the search: a title or an order, with the words of the search marked.
function why(reason) {
  const line = make("p", null, "why");
  line.append(make("span", "Matches ", "muted"));
  for (const [text, marked] of reason.pieces) line.append(make(marked ? "mark" : "span", text));
  if (reason.more) line.append(make("span", " and " + reason.more + " more", "muted"));
  return line;
}

function body(data) {
  const tbody = make("tbody");
  for (const row of data.rows) {
    const tr = make("tr");
    row.cells.forEach((text, i) => {
      const column = data.columns[i];
      const cell = make(i === 0 ? "th" : "td", null, column.numeric ? "num" : column.wide ? "wide" : "");
      if (i === 0) cell.scope = "row";
      cell.dataset.label = column.label;
      if (i === 0) {
        const link = make("a", text);
        link.href = row.href;
        link.onclick = (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          event.stopPropagation();
          open(row);
        };
        cell.append(link);
      } else {
        cell.append(make("span", text));
        if (column.wide) {
          cell.title = text;
          for (const reason of row.why) cell.append(why(reason));
        } else if (!text || text === "–" || text === "none") {
          cell.classList.add("bare");
        }
      }
      tr.append(cell);
    });
    tr.onclick = () => { if (!String(getSelection())) open(row); };
    tbody.append(tr);
  }
  return tbody;
}

export default function (component) {
  const { data: [data], parentElement, setTriggerValue } = component;
  const [list, unmount] = mountOnce(parentElement, () => ({ root: make("div", null, "scroll") }));
  list.sort = (key, descending) => setTriggerValue("sorted", { key, descending });
  // Drawn again only where it differs: a redraw of the same list must not take away the row in focus or a click half done.
  const said = JSON.stringify(data);
  if (list.said !== said) {
    list.said = said;
    list.root.replaceChildren(drawn(data, (key, descending) => list.sort(key, descending)));
  }
  return unmount;
}

function drawn(data, sort) {
  const table = make("table", null, "worklist");
  const caption = make("caption", data.caption);
  const head = make("thead");
  const line = make("tr");
  data.columns.forEach((column) => line.append(heading(column, data, sort)));
  head.append(line);
  table.append(caption, head, body(data));
  return table;
}

// As a link would: one entry in the history. Streamlit's own switch of pages leaves a second one, of this page.
function open(row) {
  history.pushState({}, "", row.href);
  dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}
