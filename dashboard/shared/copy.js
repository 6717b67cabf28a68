// A button that copies the text it was given.
export default function (component) {
  const { data: [data], parentElement } = component;
  let button = parentElement.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    parentElement.append(button);
  }
  button.textContent = data.label;
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(data.text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser did not allow copying: select the text instead";
    }
    setTimeout(() => { button.textContent = data.label; }, 1800);
  };
}
