// Stands before every component's script: one root in each place, which leaves with the component.
const mounted = new WeakMap(); // place -> what `build` gave there

// Gives what `build` made for this place, at the first call or now, and the clean-up to return from the component.
// `build` gives an object with its element as `root`; where it has a `leave`, that is called when the root goes.
// Streamlit ends a call that a later one overtook only after the later one has drawn: the last call alone ends the root.
function mountOnce(place, build) {
  let ui = mounted.get(place);
  if (!ui) {
    ui = build();
    place.append(ui.root);
    mounted.set(place, ui);
  }
  const call = (ui.call = {});
  const unmount = () => {
    if (ui.call !== call) return;
    mounted.delete(place);
    ui.root.remove();
    ui.leave?.();
  };
  return [ui, unmount];
}

// Keeps the height of the case's banner as a property of the document, for heads of columns that stay in sight below it.
// The observer reports it once the page is laid out: to ask for it here would lay out a page that is still being drawn.
const bannerHeight = new ResizeObserver(([banner]) => setBannerHeight(banner.target.offsetHeight));
function setBannerHeight(height) {
  document.documentElement.style.setProperty("--banner-height", height + "px");
}
function followBanner() {
  const banner = document.querySelector(".st-key-banner")?.parentElement;
  bannerHeight.disconnect();
  if (banner) bannerHeight.observe(banner);
  else setBannerHeight(0);
}
