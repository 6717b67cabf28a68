// Keeps open what was opened in the cards when they are drawn again with their reasons, and scrolls once to the class that
// the link names. Draws nothing.
let last = "";
const states = new Map(); // name of a part -> whether it is open, as it was last left

function keepOpen(parent) {
  const place = (parent.getRootNode().host || parent).closest?.(".st-key-cards_classes");
  if (!place) return undefined;
  const note = (event) => {
    const name = event.target.dataset.keep;
    if (name) states.set(name, event.target.open);
  };
  const restore = () => {
    for (const part of place.querySelectorAll("details[data-keep]")) {
      const open = states.get(part.dataset.keep);
      if (open !== undefined && part.open !== open) part.open = open;
    }
  };
  place.addEventListener("toggle", note, true);
  const observer = new MutationObserver(restore);
  observer.observe(place, { childList: true, subtree: true });
  return () => {
    observer.disconnect();
    place.removeEventListener("toggle", note, true);
  };
}

function scrollOnce(data) {
  const wanted = data.case + " " + data.code;
  if (!data.code || wanted === last) return;
  const go = (left) => {
    const element = document.getElementById("class-" + data.code) || document.querySelector("tr.ld-focus");
    if (!element) {
      if (left) setTimeout(() => go(left - 1), 100);
      return;
    }
    last = wanted;
    element.scrollIntoView({ block: "center" });
  };
  go(30);
}

export default function (component) {
  const { data: [data], parentElement } = component;
  const [, unmount] = mountOnce(parentElement, () => ({ root: document.createElement("span"), leave: keepOpen(parentElement) }));
  followBanner();
  scrollOnce(data);
  return unmount;
}
