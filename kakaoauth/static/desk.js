// Conveniences of the desk; everything works without them. "/" goes to the search, "j" and "k" walk the list, Enter opens.
"use strict";

(() => {
  // The current tab may be beyond the edge of a phone, whose last 2rem fade. The page itself stays where it is.
  const tab = document.querySelector(".desk-nav [aria-current]");
  if (tab) {
    const bar = tab.parentElement;
    bar.scrollLeft = tab.offsetLeft - bar.offsetLeft + tab.offsetWidth + 32 - bar.clientWidth;
  }

  const TYPED_INTO = "input, select, textarea, [contenteditable]";
  const names = [...document.querySelectorAll(".people .name")];

  function step(by) {
    const at = names.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : names.length - 1) : Math.min(Math.max(at + by, 0), names.length - 1);
    names[next]?.focus();
    names[next]?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.target.closest?.(TYPED_INTO)) return;
    if (event.key === "/") {
      const search = document.querySelector('[data-key="/"]');
      if (!search) return;
      search.focus();
      search.select();
    } else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else if (event.key === "x" && names.includes(document.activeElement)) document.activeElement.closest("tr").querySelector(".pick input").click();
    else return;
    event.preventDefault();
  });

  const all = document.querySelector("[data-all]");
  const boxes = [...document.querySelectorAll(".pick input[name=user]")];
  const count = document.querySelector("[data-count]");
  function tally() {
    const chosen = boxes.filter((box) => box.checked).length;
    if (count) count.textContent = chosen;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      tally();
    });
    for (const box of boxes) box.addEventListener("change", tally);
    addEventListener("pageshow", tally);
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    const label = button.textContent;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.done;
      setTimeout(() => (button.textContent = label), 1500);
    });
  }
})();
