// Shortcuts for every page, and the help that lists them. Never acts while somebody is typing. Where people sign in: a page
// whose session has ended leaves the screen.
const FIELDS = new Set(["text", "search", "number", "email", "password", "tel", "url", "date", "time"]);
const RECOLOURED = 300; // ms until the page around us has changed its colours
let current = null; // the one that keys are for

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// Everything that matches the selector, in this tree and in the components' own trees.
function all(selector, root = document) {
  const matches = [...root.querySelectorAll(selector)];
  for (const host of root.querySelectorAll("*")) if (host.shadowRoot) matches.push(...all(selector, host.shadowRoot));
  return matches.filter((element) => element.getClientRects().length);
}

function focused() {
  let element = document.activeElement;
  while (element && element.shadowRoot && element.shadowRoot.activeElement) element = element.shadowRoot.activeElement;
  return element;
}

function typing(event) {
  const element = event.composedPath()[0];
  if (!(element instanceof Element)) return false;
  if (element.isContentEditable || /^(TEXTAREA|SELECT)$/.test(element.tagName)) return true;
  if (element.tagName === "INPUT") return FIELDS.has(element.type);
  return Boolean(element.closest("[role=listbox], [role=menu], [role=textbox]"));
}

function search() {
  const main = document.querySelector("[data-testid=stMain]") || document;
  const field = all(".st-key-search input", main)[0] || all("input[type=search]", main)[0] || all("input[role=combobox]", main)[0];
  if (!field) return false;
  field.focus();
  field.select();
  field.scrollIntoView({ block: "nearest" });
  return true;
}

function step(forward) {
  const button = document.querySelector(".st-key-" + (forward ? "step_next" : "step_previous") + " button");
  if (button) {
    button.click();
    return true;
  }
  const rows = all("table.worklist tbody th a");
  if (!rows.length) return false;
  const at = rows.indexOf(focused());
  const row = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (forward ? 0 : rows.length - 1) : at + (forward ? 1 : -1)))];
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

function help(data, begin) {
  const dialog = make("dialog");
  dialog.setAttribute("aria-labelledby", "help-title");
  const head = make("div", null, "head");
  const title = make("h2", data.title);
  title.id = "help-title";
  const close = make("button", "Close");
  close.type = "button";
  close.onclick = () => dialog.close();
  head.append(title, close);
  dialog.append(head, make("h3", "Keyboard"));
  const list = make("dl");
  for (const [keys, words] of data.shortcuts) {
    const term = make("dt");
    keys.forEach((key, i) => term.append(i ? " or " : "", make("kbd", key)));
    list.append(term, make("dd", words));
  }
  dialog.append(list, make("h3", data.tour.title), make("p", data.tour.words));
  const start = make("button", data.tour.start, "primary");
  start.type = "button";
  start.onclick = () => { dialog.close(); begin(1); };
  const row = make("div", null, "actions");
  const reached = Number(sessionStorage.getItem("leader.tour") || 0);
  if (reached > 1 && reached <= data.tour.steps) {
    const resume = make("button", data.tour.resume.replace("{step}", String(reached)), "primary");
    resume.type = "button";
    resume.onclick = () => { dialog.close(); begin(reached); };
    row.append(resume);
    start.className = "";
  }
  row.append(start);
  dialog.append(row, make("h3", "What this is"));
  for (const line of data.about) dialog.append(make("p", line));
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  return dialog;
}

function build() {
  const own = { root: make("div", null, "root"), data: null, begin: null, dialog: null };
  const skip = make("button", "Skip to the page", "skip");
  skip.type = "button";
  skip.onclick = () => {
    const heading = all("[data-testid=stMain] h1")[0];
    if (!heading) return;
    heading.tabIndex = -1;
    heading.focus();
  };
  const button = make("button", null, "help");
  button.type = "button";
  button.setAttribute("aria-haspopup", "dialog");
  button.title = "Help and keyboard shortcuts (?)";
  const sign = make("span", "?", "sign");
  sign.setAttribute("aria-hidden", "true");
  button.append(sign, make("span", "Help", "word"));
  own.toggle = () => {
    if (own.dialog && own.dialog.open) { own.dialog.close(); return; }
    own.dialog?.remove();
    own.dialog = help(own.data, (number) => own.begin(number));
    own.root.append(own.dialog);
    own.dialog.showModal();
  };
  button.onclick = own.toggle;
  own.root.append(skip, button);
  own.leave = () => { if (current === own) current = null; };
  return own;
}

// One listener for as long as the browser stays: a redraw of the page never takes it away, nor the open help.
document.addEventListener("keydown", (event) => {
  if (!current || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  const modal = (current.dialog && current.dialog.open) || document.querySelector("[data-testid=stDialog]");
  let done = false;
  if (event.key === "?") { current.toggle(); done = true; }
  else if (modal) return;
  else if (event.key === "/") done = search();
  else if (event.key === "j") done = step(true);
  else if (event.key === "k") done = step(false);
  if (done) event.preventDefault();
});

// On a telephone the pages are in a drawer, which has done its work when one is chosen.
document.addEventListener("click", (event) => {
  if (innerWidth > 768 || !(event.target instanceof Element) || !event.target.closest("[data-testid=stSidebarNavLink]")) return;
  setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
});

// Light becomes dark, or dark light, while the page is open: charts are drawn again once the page has its new colours.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
  const scheme = event.matches ? "dark" : "light";
  setTimeout(() => current?.recolour(scheme), RECOLOURED);
});

// The server closes a page's channel when its session ends; one that was lost otherwise may come back. Text that was typed
// and not sent stays, folded up.
let following = null; // the element that says whether there is a channel
let lost = 0; // until when a page may stay without one
let left = false;
function leave() {
  if (left) return;
  left = true;
  const typed = [...document.querySelectorAll("[data-testid=stForm] textarea")].map((field) => field.value).filter((text) => text.trim());
  document.body.replaceChildren();
  if (!typed.length) {
    location.replace("/sign-out"); // a provider's cookies go too; where one is on the way there, it stays so
    return;
  }
  const page = make("main"), link = make("a", "Sign in again"), folded = make("details");
  page.style.cssText = "max-width: 40rem; margin: 4rem auto; font-family: sans-serif; white-space: pre-wrap";
  link.href = "/sign-out";
  folded.append(make("summary", "Show what was typed and not saved: copy it before you sign in"), ...typed.map((text) => make("p", text)));
  page.append(make("h1", "Your session has ended"), folded, make("p"));
  page.lastChild.append(link);
  document.body.append(page);
}
async function channelChanged(seconds) {
  clearTimeout(lost);
  if (following.dataset.testConnectionState === "CONNECTED") return;
  lost = setTimeout(leave, 1000 * seconds);
  const answer = await fetch("/signed-in").catch(() => null); // nothing where the server is away
  if (answer && answer.status === 401) leave();
}
function followChannel(seconds) {
  const app = document.querySelector("[data-testid=stApp]");
  if (!seconds || app === following) return;
  following = app;
  new MutationObserver(() => channelChanged(seconds)).observe(app, { attributeFilter: ["data-test-connection-state"] });
}

export default function (component) {
  const { data: [data], parentElement, setTriggerValue } = component;
  const [own, unmount] = mountOnce(parentElement, build);
  own.data = data;
  own.begin = (number) => setTriggerValue("tour", number);
  own.recolour = (scheme) => setTriggerValue("scheme", scheme);
  current = own;
  followChannel(data.leaves);
  const main = document.querySelector("[data-testid=stMain]");
  if (main) {
    main.setAttribute("role", "main");
    if (!main.hasAttribute("tabindex")) main.tabIndex = -1;
  }
  return unmount;
}
