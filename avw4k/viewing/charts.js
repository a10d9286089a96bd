// Charts and maps inside pages (charts.py, maps.py): values below the pointer, and series that a click in the legend
// hides. Events are handled for the whole document, so that parts of the page can be replaced.
"use strict";
const REACH = 14; // CSS pixels: a series without a point that near has no value here
const Series = { hidden: new Set() }; // of legends that are for the whole page, also after it has been updated

function pointsOf(line) {
  if (!line.points_) {
    const numbers = (text) => (text ? text.split(" ").map(Number) : []);
    const pairs = line.getAttribute("points").split(" ").filter(Boolean).map((pair) => pair.split(",").map(Number));
    line.points_ = { pairs, x: numbers(line.dataset.x), y: numbers(line.dataset.y) };
  }
  return line.points_;
}

// The nearest point of each series to a place, as rows of the hover box.
function chartRows(chart, x, scale) {
  let title = null, nearest = Infinity;
  const rows = [];
  for (const line of chart.querySelectorAll("polyline[data-y]:not(.off)")) {
    const { pairs, x: xs, y: ys } = pointsOf(line);
    let best = -1, away = REACH / scale;
    pairs.forEach(([px], i) => { if (Math.abs(px - x) < away) { away = Math.abs(px - x); best = i; } });
    if (best < 0) continue;
    if (away < nearest) { nearest = away; title = `${xs[best]}`; }
    rows.push([line.getAttribute("stroke"), line.querySelector("title").textContent, String(ys[best]).replace("-", "−")]);
  }
  return { title, rows };
}

function guide(chart, x) {
  document.querySelectorAll("svg.chart .guide").forEach((line) => { if (line.parentElement !== chart || x === null) line.remove(); });
  if (x === null) return;
  let line = chart.querySelector(".guide");
  if (!line) {
    line = document.createElementNS(chart.namespaceURI, "line");
    line.classList.add("guide"); line.setAttribute("y1", 24); line.setAttribute("y2", chart.viewBox.baseVal.height - 34);
    chart.append(line);
  }
  line.setAttribute("x1", x); line.setAttribute("x2", x);
}

document.addEventListener("pointermove", (event) => {
  const chart = event.target.closest ? event.target.closest("svg.chart") : null;
  if (!chart || !chart.dataset.x) { if (document.querySelector(".guide")) { guide(null, null); hideHover(); } return; }
  const box = chart.getBoundingClientRect(), scale = box.width / chart.viewBox.baseVal.width, x = (event.clientX - box.left) / scale;
  const { title, rows } = chartRows(chart, x, scale);
  guide(chart, rows.length ? x : null);
  if (rows.length) showHover(event.clientX, event.clientY, `${chart.dataset.x} ${title}`, rows); else hideHover();
});
document.documentElement.addEventListener("pointerleave", () => { if (document.querySelector(".guide")) { guide(null, null); hideHover(); } });

function showSeries(chip, shown) {
  const scope = chip.parentElement.classList.contains("everywhere") ? document : chip.parentElement.parentElement;
  chip.setAttribute("aria-pressed", shown);
  for (const part of scope.querySelectorAll("svg [data-series]")) {
    if (part.dataset.series === chip.dataset.series) part.classList.toggle("off", !shown);
  }
}

document.addEventListener("click", (event) => {
  const chip = event.target.closest("button.chip");
  if (!chip) return;
  const shown = chip.getAttribute("aria-pressed") !== "true";
  if (chip.parentElement.classList.contains("everywhere")) Series.hidden[shown ? "delete" : "add"](chip.dataset.series);
  showSeries(chip, shown);
});

// After a part of the page has been replaced.
function restoreSeries() {
  for (const chip of document.querySelectorAll(".everywhere button.chip")) if (Series.hidden.has(chip.dataset.series)) showSeries(chip, false);
}
