// Sends each form once, and shows that a button or a login is busy. On a second click the browser gives up the first one's
// answer, and with it the new session cookie that may come along: people who double-clicked "log out on all other devices"
// were out on this one too. Without this script everything works the same, but for the sign.
"use strict";

(() => {
  const PAUSE = 5000; // milliseconds: then it can be pressed again, as an answer may be a download
  const busy = new Map();

  const rest = (element) => {
    clearTimeout(busy.get(element));
    busy.delete(element);
    element.removeAttribute("aria-busy");
  };
  const work = (element, sign) => {
    sign?.setAttribute("aria-busy", "true");
    busy.set(element, setTimeout(() => { rest(element); sign?.removeAttribute("aria-busy"); }, PAUSE));
  };

  addEventListener("submit", (event) => {
    if (!(event.target instanceof HTMLFormElement) || event.target.method !== "post") return;
    if (busy.has(event.target)) event.preventDefault();
    else work(event.target, event.submitter);
  });
  addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a.login, a[data-once]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (busy.has(link)) event.preventDefault();
    else work(link, link);
  });
  // Shown again by the back button: as it was.
  addEventListener("pageshow", () => {
    for (const element of [...busy.keys()]) rest(element);
    for (const sign of document.querySelectorAll("[aria-busy=true]")) sign.removeAttribute("aria-busy");
  });
})();
