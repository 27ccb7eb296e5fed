// Two small things that HTML cannot do by itself; every page works without them.
"use strict";

// Links into Airflow: inside its frame they lead Airflow itself there, not the frame.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
  let outer;
  try { outer = window.parent.document; } catch { return; }
  event.preventDefault();
  const twin = outer.createElement("a");
  twin.href = link.href;
  outer.body.append(twin);
  twin.click();
  twin.remove();
});

// A page that is looked at all day keeps up: its content is fetched again, unless somebody is at work in it.
const main = document.querySelector("main[data-refresh]");
if (main) {
  const at_work = () => document.hidden || main.querySelector("details[open], dialog[open]") !== null
    || (main.contains(document.activeElement) && document.activeElement !== main) || String(window.getSelection()) !== "";
  window.setInterval(async () => {
    if (at_work()) return;
    try {
      const answer = await fetch(window.location.href, { headers: { "x-refresh": "1" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (fresh && !at_work()) main.replaceChildren(...fresh.childNodes);
      main.classList.remove("stale");
    } catch { main.classList.add("stale"); }
  }, 1000 * Number(main.dataset.refresh));
}
