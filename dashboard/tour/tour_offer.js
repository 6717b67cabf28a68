// Offers the tour once in this browser; afterwards it stands under Help alone.
const SEEN = "leader.tour.offered";

export default function (component) {
  const { data: [data], parentElement, setTriggerValue } = component;
  const [{ root }, unmount] = mountOnce(parentElement, () => ({ root: document.createElement("div") }));
  root.replaceChildren();
  const box = parentElement.host?.closest("[data-testid=stLayoutWrapper], .st-key-tour_offer");
  let seen = true;
  try { seen = Boolean(localStorage.getItem(SEEN)); } catch { seen = false; }
  if (box) box.style.display = seen ? "none" : "";
  if (seen) return unmount;
  const leave = () => {
    try { localStorage.setItem(SEEN, "1"); } catch { /* offered again next time */ }
    aside.remove();
    if (box) box.style.display = "none";
  };
  const aside = document.createElement("aside");
  aside.setAttribute("aria-label", data.label);
  const words = document.createElement("p");
  const strong = document.createElement("strong");
  strong.textContent = data.label;
  words.append(strong, " " + data.words);
  const start = document.createElement("button");
  start.type = "button";
  start.className = "primary";
  start.textContent = data.start;
  start.onclick = () => { leave(); setTriggerValue("tour", 1); };
  const later = document.createElement("button");
  later.type = "button";
  later.textContent = data.later;
  later.onclick = leave;
  aside.append(words, start, later);
  root.append(aside);
  return unmount;
}
