// The curves of `avw play`: the last half minute of distance, ILD and predicted success.
"use strict";
const SHOWN_SECONDS = 30, LANE_NAME = 118, LANE_GAP = 10;
const CURVES = [["simulator", "--path"], ["imagination", "--dream"]];
const shortNumber = (value) => String(Math.abs(value) >= 10 ? Math.round(value) : +value.toFixed(1)).replace("-", "−");

// curves: [field of a moment or null, which of CURVES]
function curveLanes(history) {
  const farthest = Math.max(2, ...history.map((place) => Math.max(now.hidden ? 0 : place.distance, place.predicted || 0)));
  const levels = history.flatMap((place) => [place.ild, place.dreamIld]).filter((value) => value !== null).map(Math.abs);
  const most = Math.ceil(Math.max(6, ...levels) / 3) * 3;
  return [
    { name: "Distance", note: "geodesic", unit: "m", digits: 2, low: 0, high: farthest * 1.08, curves: [[now.hidden ? null : "distance", 0], ["predicted", 1]], mark: facts.success_distance },
    { name: "ILD", note: "left − right", unit: "dB", digits: 1, low: -most, high: most, curves: [["ild", 0], ["dreamIld", 1]], mark: 0 },
    ...(model ? [{ name: "P(success)", note: "", unit: "", digits: 2, low: 0, high: 1, curves: [["success", 1]], mark: null }] : []),
  ];
}

const curveX = (k, count, width) => width - 8 - (count - 1 - k) * ((width - 8 - LANE_NAME) / (SHOWN_SECONDS / facts.step));

function drawCurves() {
  const { pen, width, height } = fitted($("curves")), lanes = curveLanes(now.history);
  const high = (height - LANE_GAP * (lanes.length - 1)) / lanes.length;
  lanes.forEach((lane, number) => {
    pen.save();
    pen.translate(0, number * (high + LANE_GAP));
    drawCurveLane(pen, lane, width, high);
    if (!number) now.history.forEach((place, k) => { // anchors
      if (place.anchored) { pen.fillStyle = colour("--dream"); pen.globalAlpha = 0.55; pen.fillRect(curveX(k, now.history.length, width) - 0.75, high - 7, 1.5, 7); pen.globalAlpha = 1; }
    });
    pen.restore();
  });
  if (now.hoverX !== null) { pen.fillStyle = colour("--soft"); pen.globalAlpha = 0.5; pen.fillRect(now.hoverX, 0, 1, height); pen.globalAlpha = 1; }
}

function drawCurveLane(pen, lane, width, high) {
  const y = (value) => high - 2 - ((value - lane.low) / (lane.high - lane.low)) * (high - 4);
  pen.fillStyle = colour("--ink"); pen.font = "600 12.5px system-ui, sans-serif"; pen.textAlign = "left"; pen.textBaseline = "middle";
  pen.fillText(lane.name, 0, high / 2 - (lane.note ? 8 : 0));
  pen.fillStyle = colour("--soft"); pen.font = "11.5px system-ui, sans-serif"; pen.fillText(lane.note, 0, high / 2 + 8);
  for (const value of [lane.low, lane.high]) rule(pen, width, y(value));
  pen.fillStyle = colour("--soft"); pen.textAlign = "right"; pen.font = "11px system-ui, sans-serif";
  pen.fillText(`${shortNumber(lane.high)} ${lane.unit}`, LANE_NAME - 6, 8); pen.fillText(shortNumber(lane.low), LANE_NAME - 6, high - 7);
  if (lane.mark !== null) curve(pen, [[LANE_NAME, y(lane.mark)], [width, y(lane.mark)]], colour(lane.mark ? "--source" : "--faint"), 1, lane.mark ? [4, 4] : []);
  for (const [field, which] of lane.curves) {
    if (!field || now.off.has(which)) continue;
    let run = [];
    const close = () => { if (run.length) curve(pen, run, colour(CURVES[which][1]), 1.8); run = []; };
    now.history.forEach((place, k) => {
      if (place[field] === null || place[field] === undefined) close(); else run.push([curveX(k, now.history.length, width), y(place[field])]);
    });
    close();
  }
}

function hoverCurves(event) {
  const { history } = now, width = $("curves").clientWidth, step = (width - 8 - LANE_NAME) / (SHOWN_SECONDS / facts.step);
  const place = history[history.length - 1 - Math.round((width - 8 - event.offsetX) / step)];
  now.hoverX = place && event.offsetX >= LANE_NAME ? event.offsetX : null;
  redraw();
  if (now.hoverX === null) { hideHover(); return; }
  const rows = curveLanes(history).flatMap((lane) => lane.curves
    .filter(([field, which]) => field && !now.off.has(which) && typeof place[field] === "number")
    .map(([field, which]) => [colour(CURVES[which][1]), model ? `${lane.name}, ${CURVES[which][0]}` : lane.name, `${plain(place[field], lane.digits)} ${lane.unit}`]));
  showHover(event.clientX, event.clientY, `${(place.number * facts.step).toFixed(2)} s, step ${place.number}`, rows);
}

// Simulator and imagination; a click hides or shows the curves.
function buildCurveLegend() {
  $("curve-legend").replaceChildren(...CURVES.map(([name, variable], which) => {
    const chip = document.createElement("button"), dot = document.createElement("i");
    dot.style.background = `var(${variable})`; chip.className = "series"; chip.title = "Hide or show";
    chip.setAttribute("aria-pressed", true); chip.append(dot, name);
    chip.addEventListener("click", () => {
      if (!now.off.delete(which)) now.off.add(which);
      chip.setAttribute("aria-pressed", !now.off.has(which)); chip.blur(); redraw();
    });
    return chip;
  }));
}
