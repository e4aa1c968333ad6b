// "Agree to all" on the sign-up step. Without this script the box is not shown, and nobody needs it.
"use strict";

(() => {
  const place = document.querySelector("[data-agree-all]");
  if (!place) return;
  const all = place.querySelector("input");
  const single = [...place.closest("fieldset").querySelectorAll("li input[type=checkbox]")];
  const update = () => {
    all.checked = single.every((box) => box.checked);
  };

  all.addEventListener("change", () => {
    for (const box of single) box.checked = all.checked;
  });
  for (const box of single) box.addEventListener("change", update);
  update();
  place.hidden = single.length < 2;
})();
