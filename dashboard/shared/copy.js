// A button that copies the text it was given.
export default function (component) {
  const { data: [data], parentElement } = component;
  const [{ root: button }, unmount] = mountOnce(parentElement, () => ({ root: document.createElement("button") }));
  button.type = "button";
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
  return unmount;
}
