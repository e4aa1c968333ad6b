// Tries an operation on /api/docs/. It asks nobody but this site, which the Content-Security-Policy enforces.
"use strict";

(() => {
  const root = document.querySelector("[data-root]").dataset.root;
  const token = document.getElementById("token");

  function requestOf(form) {
    const query = new URLSearchParams();
    let path = form.dataset.path;
    for (const field of form.querySelectorAll("[data-in]")) {
      const value = field.value.trim();
      if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
      else if (value) query.set(field.name, value);
    }
    const method = form.dataset.method;
    const headers = { Accept: "application/json" };
    const bearer = token.value.trim().replace(/^Bearer\s+/i, "");
    if (bearer) headers.Authorization = `Bearer ${bearer}`;
    else if (method !== "GET") headers["X-CSRF-Token"] = "1"; // with the cookie: any value
    const body = form.querySelector("[data-body]")?.value;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const address = root + path + (query.size ? `?${query}` : "");
    return [address, { method, headers, body }];
  }

  async function textOf(answer) {
    const text = await answer.text();
    try {
      // Ids have more digits than a script's numbers: only what comes back the same is set out.
      const value = JSON.parse(text);
      const plain = (written) => written.replace(/\s/g, "");
      const written = JSON.stringify(value, null, 2);
      return plain(written) === plain(text) ? written : text;
    } catch {
      return text;
    }
  }

  function show(place, status, text) {
    const line = document.createElement("strong");
    line.textContent = status;
    const shown = document.createElement("pre");
    shown.tabIndex = 0;
    shown.textContent = text;
    place.replaceChildren(line, ...(text ? [shown] : []));
    place.hidden = false;
  }

  for (const form of document.querySelectorAll("form.try")) {
    const place = form.querySelector(".answer");
    form.hidden = false;
    form.querySelector("[data-kind]")?.addEventListener("change", (event) => {
      form.querySelector("[data-body]").value = event.target.value;
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(...requestOf(form));
        show(place, `${answer.status} ${answer.statusText}`.trim(), await textOf(answer));
      } catch {
        show(place, place.dataset.failed, "");
      }
      button.removeAttribute("aria-busy");
    });
  }

  // A link to an operation or a model opens it.
  const open = () => {
    const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (found instanceof HTMLDetailsElement) found.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
