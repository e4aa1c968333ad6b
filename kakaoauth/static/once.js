// Sends each form of one's own page once. On a second click the browser gives up the first one's answer, and with it the
// new session cookie that may come along: people who double-clicked "log out on all other devices" were out on this one too.
"use strict";

(() => {
  const PAUSE = 5000; // milliseconds
  let sent = new WeakMap();

  addEventListener("submit", (event) => {
    if (event.timeStamp - (sent.get(event.target) ?? -PAUSE) < PAUSE) event.preventDefault();
    else sent.set(event.target, event.timeStamp);
  });
  // Shown again by the back button: as it was.
  addEventListener("pageshow", () => {
    sent = new WeakMap();
  });
})();
