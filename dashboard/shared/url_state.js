// Keeps the address bar in step with the page, in place: no entry in the history, so that Back leaves the page.
export default function (component) {
  const { data: [data] } = component;
  const here = location.pathname.replace(/\/+$/, "").split("/").pop();
  if (here !== data.page && !(data.home && !(here in data.pages))) return;
  const now = new URLSearchParams(location.search);
  const published = new URLSearchParams(data.query);
  const elsewhere = (key) => now.has(key) && published.has(key) && now.get(key) !== published.get(key);
  if (["patient", "visit", "case"].some(elsewhere)) return; // drawn late, for a case that was left with Back
  const tour = data.page === "case" ? now.get("tour") : null; // its card keeps it
  const query = [data.query, tour ? "tour=" + encodeURIComponent(tour) : ""].filter(Boolean).join("&");
  const wanted = query ? "?" + query : "";
  if (location.search !== wanted) history.replaceState(history.state, "", location.pathname + wanted + location.hash);
}
