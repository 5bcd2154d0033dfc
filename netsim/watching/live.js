// Keeps a report as its folder is. Only what has changed is replaced, so that what somebody reads stays where it is, what
// is selected stays selected, and the focus stays on what it is on.
(() => {
  "use strict";
  const status = document.createElement("p");
  document.querySelector("footer").append(status);
  document.documentElement.style.overflowAnchor = "none"; // the place is kept below, and must not be kept twice

  const key = (node) => node.id || (node.getAttribute && node.getAttribute("aria-labelledby")) || "";

  function become(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    const same = old.nodeType === Node.ELEMENT_NODE && old.nodeName === fresh.nodeName;
    if (!same || old instanceof SVGElement) {
      old.replaceWith(fresh);
      return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const known = new Map([...old.children].filter(key).map((child) => [key(child), child]));
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const there = place && !key(place) && place.nodeName === child.nodeName ? place : undefined;
      const match = key(child) ? known.get(key(child)) : there;
      if (!match) {
        old.insertBefore(child, place);
        continue;
      }
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      become(match, child);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  function inPlace(change) {
    const seen = [...document.querySelectorAll("main [id]")].find((part) => part.getBoundingClientRect().bottom > 0);
    const before = seen && seen.getBoundingClientRect().top;
    const scrolled = window.scrollY > 0;
    change();
    const again = seen && document.getElementById(seen.id);
    if (scrolled && again) {
      window.scrollBy({ top: again.getBoundingClientRect().top - before, behavior: "instant" });
    }
  }

  async function renew() {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    inPlace(() => {
      for (const part of ["header", "main"]) {
        become(document.querySelector(`body > ${part}`), fresh.querySelector(`body > ${part}`));
      }
    });
    document.title = fresh.title;
    status.textContent = `Live: as it was at ${new Date().toLocaleTimeString()}.`;
  }

  let renewing = Promise.resolve();
  const lost = () => {
    status.textContent = "Not live any more: netsim watch has ended, or cannot be reached. It is tried again.";
  };
  const events = new EventSource("/events");
  events.addEventListener("page", () => {
    renewing = renewing.then(renew).catch(lost);
  });
  events.addEventListener("error", lost);
})();
