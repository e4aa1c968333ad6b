// Draws the charts of the staff's overview with Chart.js, from the numbers that the page brings along, and closes the
// tables that show the same without a script. Colours are the style sheet's, light or dark.
"use strict";

(() => {
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const places = [...document.querySelectorAll("[data-chart]")];
  const charts = [];
  const phone = matchMedia("(max-width: 40rem)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const LINE = 15; // pixels
  let waiting;

  // Series differ by more than their colour.
  const LOOKS = [
    { colour: "--accent", pointStyle: "circle" },
    { colour: "--faint", pointStyle: "rect" },  // told from every accent an owner may choose
  ];

  // As the page shows it: the variable alone may still be a choice between light and dark.
  const sample = document.createElement("span");
  function colour(name) {
    sample.style.color = `var(${name})`;
    return getComputedStyle(sample).color;
  }

  // Reasons are sentences: they are broken into lines that leave half of a phone's width to the bars. Hangul is twice as
  // wide as Latin letters.
  function broken(text) {
    const most = (phone.matches ? 20 : 48) / (/[\uac00-\ud7a3]/.test(text) ? 1.6 : 1);
    const lines = [""];
    for (const word of text.split(" ")) {
      const line = lines[lines.length - 1];
      if (line && line.length + word.length >= most) lines.push(word);
      else lines[lines.length - 1] = line ? `${line} ${word}` : word;
    }
    return lines;
  }

  // The last day is today, which is not over: its stretch of a line is dashed, its point or bar is hollow.
  function datasets(drawn) {
    return drawn.series.map(({ name, values }, at) => {
      const look = LOOKS[at];
      const last = values.length - 1;
      const filled = colour(look.colour);
      const days = drawn.kind === "days";
      const hollow = (context) => (days && context.dataIndex === last ? colour("--card") : filled);
      const panel = days && at > 0;
      return {
        type: days && !panel ? "line" : "bar",
        label: name,
        data: values,
        yAxisID: panel ? "panel" : undefined,
        borderColor: filled,
        backgroundColor: hollow,
        pointBackgroundColor: hollow,
        borderWidth: !days ? 0 : panel ? ({ dataIndex }) => (dataIndex === last ? 1.5 : 0) : 2,
        segment: { borderDash: ({ p1DataIndex }) => (p1DataIndex === last ? [4, 4] : undefined) },
        pointStyle: look.pointStyle,
        pointRadius: ({ dataIndex }) => (dataIndex === last ? 4 : values.length > 31 ? 0 : 3),
        pointHitRadius: 12,
        maxBarThickness: 28,
        borderRadius: 3,
      };
    });
  }

  function options(drawn) {
    const counts = {
      beginAtZero: true,
      ticks: { color: colour("--faint"), precision: 0, maxTicksLimit: 6, callback: (value) => numbers.format(value) },
      grid: { color: colour("--line") },
      border: { display: false },
    };
    const names = { ticks: { color: colour("--faint"), maxRotation: 0, autoSkipPadding: 12 }, grid: { display: false } };
    const scales = drawn.kind === "bars" ? { x: counts, y: names } : { x: names, y: counts };
    if (drawn.series.length > 1) {
      // Sign-ups are few beside logins, so they have a panel of their own, with the same days.
      Object.assign(scales.y, { stack: "panels", stackWeight: 3 });
      scales.panel = { ...counts, stack: "panels", stackWeight: 2, offset: true, ticks: { ...counts.ticks, maxTicksLimit: 4 } };
    }
    if (drawn.kind === "bars") {
      names.ticks.autoSkip = false;
      names.ticks.callback = (at) => broken(drawn.labels[at]);
    }
    return {
      animation: false,
      maintainAspectRatio: false,
      indexAxis: drawn.kind === "bars" ? "y" : "x",
      interaction: { mode: "index", axis: drawn.kind === "bars" ? "y" : "x", intersect: false },
      scales,
      plugins: {
        legend: {
          display: drawn.series.length > 1,
          labels: { color: colour("--text"), usePointStyle: true, boxHeight: 7, padding: 16 },
        },
        tooltip: {
          callbacks: { label: (item) => `${item.dataset.label}: ${numbers.format(item.raw)}` },
        },
      },
    };
  }

  // Every place has its height before the first chart is drawn: nothing moves.
  function makeRoom(place) {
    const drawn = JSON.parse(place.dataset.chart);
    place.hidden = false;
    place.classList.toggle("tall", drawn.series.length > 1);
    if (drawn.kind === "bars") {
      const lines = Math.max(...drawn.labels.map((label) => broken(label).length));
      place.style.height = `${drawn.labels.length * Math.max(lines * LINE + 6, 2.5 * LINE) + 2 * LINE}px`;
    }
  }

  function draw(place) {
    const drawn = JSON.parse(place.dataset.chart);
    charts.push(
      new Chart(place.firstElementChild, {
        type: drawn.kind === "bars" ? "bar" : "line",
        data: { labels: drawn.labels, datasets: datasets(drawn) },
        options: options(drawn),
      }),
    );
  }

  function drawAll() {
    charts.splice(0).forEach((chart) => chart.destroy());
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    places.forEach(makeRoom);
    // One after the other, so that the page can be scrolled and pressed between two.
    clearTimeout(waiting);
    const next = (at) => {
      draw(places[at]);
      if (at + 1 < places.length) waiting = setTimeout(next, 0, at + 1);
    };
    next(0);
  }

  if (window.Chart === undefined || places.length === 0) return;
  places[0].parentElement.append(sample);
  for (const place of places) place.parentElement.querySelector("details").open = false;
  drawAll();
  for (const query of [phone, dark]) query.addEventListener("change", drawAll);
})();
