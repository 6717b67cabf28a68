// Keeps the address bar in step with the page, in place: no entry in the history, so that Back leaves the page.
export default function (component) {
  const { data } = component;
  const here = location.pathname.replace(/\/+$/, "").split("/").pop();
  if (here !== data.page && !(data.home && !(here in data.pages))) return;
  const tour = data.page === "case" ? new URLSearchParams(location.search).get("tour") : null; // its card keeps it
  const query = [data.query, tour ? "tour=" + encodeURIComponent(tour) : ""].filter(Boolean).join("&");
  const wanted = query ? "?" + query : "";
  if (location.search !== wanted) history.replaceState(history.state, "", location.pathname + wanted + location.hash);
}
