// The tour's card: says one step at a time, frames the panel it speaks of, and keeps the step in the link.
const reached = new Map(); // run -> step, or 0 once it was left: the server's idea of the link may be older
const FRAME = "ld-tour-panel";

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function write(step) {
  const query = new URLSearchParams(location.search);
  if (step) query.set("tour", String(step)); else query.delete("tour");
  const text = query.toString();
  history.replaceState(history.state, "", location.pathname + (text ? "?" + text : "") + location.hash);
  if (step) sessionStorage.setItem("leader.tour", String(step));
}

function unframe() {
  for (const element of document.querySelectorAll("." + FRAME)) element.classList.remove(FRAME);
}

export default function (component) {
  const { data: [data], parentElement } = component;
  const [place, unmount] = mountOnce(parentElement, () => ({ root: make("div") }));
  place.leave?.();
  place.leave = null;
  const control = new AbortController();
  const linked = Number(new URLSearchParams(location.search).get("tour"));
  let at = reached.has(data.run) ? reached.get(data.run) : linked;
  if (!(at >= 1 && at <= data.stops.length)) {
    if (linked) write(0);
    return unmount;
  }
  let over = false;

  const card = make("section");
  card.setAttribute("role", "dialog");
  card.setAttribute("aria-labelledby", "tour-heading");
  card.setAttribute("aria-describedby", "tour-text");
  const count = make("p", null, "count");
  const heading = make("h2");
  heading.id = "tour-heading";
  heading.tabIndex = -1;
  const text = make("p", null, "text");
  text.id = "tour-text";
  const actions = make("div", null, "actions");
  const skip = make("button", "Skip the tour", "quiet");
  const back = make("button", "Back");
  const next = make("button", "Next", "primary");
  for (const button of [skip, back, next]) button.type = "button";
  actions.append(skip, back, next);
  card.append(count, heading, text, actions);
  place.root.append(card);

  const frame = (move) => {
    unframe();
    const panel = document.querySelector(".st-key-" + data.stops[at - 1].panel);
    if (!panel) return;
    panel.classList.add(FRAME);
    card.classList.toggle("left", panel.getBoundingClientRect().left > innerWidth * 0.6);
    if (!move) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const high = panel.getBoundingClientRect().height > innerHeight * 0.5;
    panel.scrollIntoView({ block: high ? "start" : "center", behavior: calm ? "auto" : "smooth" });
  };
  const end = () => {
    over = true;
    reached.set(data.run, 0);
    watch.disconnect();
    control.abort();
    unframe();
    write(0);
    card.remove();
    document.querySelector("[data-testid=stMain]")?.focus({ preventScroll: true });
  };
  const show = (focus) => {
    const stop = data.stops[at - 1];
    count.textContent = "Step " + at + " of " + data.stops.length;
    heading.textContent = stop.heading;
    text.textContent = stop.text;
    back.disabled = at === 1;
    skip.hidden = at === data.stops.length;
    next.textContent = at === data.stops.length ? "Done" : "Next";
    reached.set(data.run, at);
    write(at);
    frame(true);
    if (focus) heading.focus({ preventScroll: true });
  };
  // Panels are drawn again while scores arrive: frame them again.
  const watch = new MutationObserver(() => {
    if (over) return;
    const panel = document.querySelector(".st-key-" + data.stops[at - 1].panel);
    if (panel && !panel.classList.contains(FRAME)) frame(!document.querySelector("." + FRAME));
  });
  watch.observe(document.querySelector("[data-testid=stMain]") || document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
  const go = (number) => { at = number; show(true); };
  back.onclick = () => go(at - 1);
  next.onclick = () => (at === data.stops.length ? (sessionStorage.removeItem("leader.tour"), end()) : go(at + 1));
  skip.onclick = end;
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || /^(INPUT|TEXTAREA|SELECT)$/.test(event.composedPath()[0].tagName || "")) return;
    if ([...document.querySelectorAll("*")].some((e) => e.shadowRoot?.querySelector("dialog[open]"))) return;
    end();
  }, { signal: control.signal });
  place.leave = () => { over = true; watch.disconnect(); control.abort(); unframe(); card.remove(); };
  show(true);
  return unmount;
}
