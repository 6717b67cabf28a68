// Scrolls once to the class that the link names. Draws nothing.
let last = "";

export default function (component) {
  const { data: [data] } = component;
  const wanted = data.case + " " + data.code;
  if (wanted === last) return;
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
