// The lanes below the pictures (series.js), drawn on one time axis.
"use strict";
const GAP = 9, RULER = 20;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Where each lane stands. hidden: keys of series that are not shown
function layoutOf(clip, sound, hidden) {
  const lanes = lanesOf(clip, sound), dense = window.innerHeight < 840 ? 0.74 : 1;
  let top = 4;
  for (const lane of lanes) {
    if (lane.height > 40) lane.height = Math.round(lane.height * dense);
    lane.top = top;
    lane.shown = new Set(lane.series.filter((series) => !hidden.has(series.key)).map((series) => series.name));
    top += lane.height + GAP;
  }
  return { lanes, height: top + RULER - GAP + 4 };
}

// The parts of a lane: one, or one per shown ear. y: from a value to pixels of the lane
function partsOf(lane) {
  const ears = lane.stacked ? EARS.map(([name], ear) => ({ name, ear })).filter(({ name }) => lane.shown.has(name)) : [{ ear: 0 }];
  const high = (lane.height - 2 * (ears.length - 1)) / Math.max(1, ears.length);
  return ears.map((part, i) => {
    const top = i * (high + 2), y = (value) => top + 1 + (1 - (value - lane.low) / (lane.high - lane.low)) * (high - 2);
    return { ...part, top, high, y };
  });
}

// The value at a height of a lane, and the ear it belongs to. y: pixels from the top of the lane
function valueAt(lane, y) {
  const part = partsOf(lane).find(({ top, high }) => y >= top && y <= top + high + 2);
  if (!part) return null;
  const share = Math.max(0, Math.min(1, (y - part.top - 1) / (part.high - 2)));
  return { ear: part.name, value: lane.high - share * (lane.high - lane.low) };
}

function drawTracks(canvas, clip, sound, layout) {
  const { pen, width } = fitted(canvas);
  const total = clip.frames * clip.step;
  for (const lane of layout.lanes) {
    pen.save();
    pen.translate(0, lane.top);
    lane.draw({ pen, width, lane, clip, sound, at: (seconds) => (seconds / total) * width });
    pen.restore();
  }
  drawRuler(pen, width, layout.height - RULER, total);
}

function rule(pen, width, y, dashed) {
  pen.strokeStyle = colour("--line"); pen.lineWidth = 1; pen.setLineDash(dashed ? [3, 3] : []);
  pen.beginPath(); pen.moveTo(0, Math.round(y) + 0.5); pen.lineTo(width, Math.round(y) + 0.5); pen.stroke();
  pen.setLineDash([]);
}

// A note with a background, for places where it may overlap a curve.
function tag(pen, text, x, y) {
  pen.font = "11px system-ui, sans-serif"; pen.textAlign = "right"; pen.textBaseline = "middle";
  const wide = pen.measureText(text).width;
  pen.fillStyle = colour("--paper"); pen.fillRect(x - wide - 5, y - 8, wide + 7, 16);
  pen.fillStyle = colour("--soft"); pen.fillText(text, x, y);
}

function curve(pen, points, stroke, wide, dash = []) {
  pen.beginPath();
  points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.strokeStyle = stroke; pen.lineWidth = wide; pen.lineJoin = "round"; pen.setLineDash(dash); pen.stroke();
  pen.setLineDash([]);
}

function drawOutline({ pen, width, lane, sound }) {
  for (const { ear, y } of partsOf(lane)) {
    const low = sound.outline[2 * ear], high = sound.outline[2 * ear + 1], x = (i) => (i / low.length) * width;
    rule(pen, width, y(0));
    pen.fillStyle = colour(EARS[ear][1]);
    pen.beginPath();
    high.forEach((value, i) => pen.lineTo(x(i), y(0) - Math.max(y(0) - y(value), 0.4)));
    for (let i = low.length - 1; i >= 0; i--) pen.lineTo(x(i), y(0) + Math.max(y(low[i]) - y(0), 0.4));
    pen.closePath(); pen.fill();
  }
}

function drawSpectrum({ pen, width, lane, sound: { picture } }) {
  if (!picture || !picture.complete || !picture.naturalWidth) return;
  const half = picture.naturalHeight / 2;
  pen.imageSmoothingQuality = "high";
  for (const { ear, top, high } of partsOf(lane)) {
    pen.drawImage(picture, 0, ear * half, picture.naturalWidth, half, 0, top, width, high);
  }
}

// A curve, filled to the zero line with one colour above it and another below.
function drawIld({ pen, width, lane, sound, at }) {
  const [{ y }] = partsOf(lane), middle = y(0);
  rule(pen, width, middle);
  if (!lane.shown.has("ILD")) return;
  [["--left", 0], ["--right", middle]].forEach(([name, top]) => {
    pen.save(); pen.beginPath(); pen.rect(0, top, width, lane.height / 2 + 1); pen.clip();
    let run = [];
    const close = () => {
      if (run.length) {
        pen.beginPath(); pen.moveTo(run[0][0], middle);
        run.forEach(([px, py]) => pen.lineTo(px, py));
        pen.lineTo(run[run.length - 1][0], middle);
        pen.fillStyle = colour(name); pen.globalAlpha = 0.22; pen.fill(); pen.globalAlpha = 1;
        curve(pen, run, colour(name), 1.6);
      }
      run = [];
    };
    sound.ild.forEach((value, i) => {
      if (value === null) close(); else run.push([at(i * sound.ild_seconds), y(value)]);
    });
    close(); pen.restore();
  });
}

function drawDistance({ pen, width, lane, clip, at }) {
  const [{ y }] = partsOf(lane), points = clip.distance.map((metres, k) => [at((k + 1) * clip.step), y(metres)]);
  rule(pen, width, y(0));
  if (lane.shown.has("geodesic")) {
    pen.beginPath(); pen.moveTo(points[0][0], y(0));
    points.forEach(([px, py]) => pen.lineTo(px, py));
    pen.lineTo(points[points.length - 1][0], y(0)); pen.closePath();
    pen.fillStyle = colour("--path"); pen.globalAlpha = 0.13; pen.fill(); pen.globalAlpha = 1;
    curve(pen, points, colour("--path"), 1.8);
  }
  if (lane.shown.has("success")) curve(pen, [[0, y(clip.success_distance)], [width, y(clip.success_distance)]], colour("--source"), 1, [4, 4]);
}

function drawProgress({ pen, width, lane, clip, at }) {
  const [{ y }] = partsOf(lane);
  rule(pen, width, y(0));
  lane.series.forEach(({ name, variable }, which) => {
    if (!lane.shown.has(name)) return;
    curve(pen, clip.progress[which].map((value, k) => [at((k + 1) * clip.step), y(value)]), colour(variable), 2, which ? [6, 4] : []);
  });
}

function drawReward({ pen, width, lane, clip, at }) {
  const [{ y }] = partsOf(lane), middle = y(0), bar = at(clip.step);
  rule(pen, width, middle);
  if (!lane.shown.has("reward")) return;
  clip.rewards.forEach((reward, k) => {
    const x = at((k + 1) * clip.step), won = reward > 1, end = y(Math.max(-REWARD, Math.min(REWARD, reward)));
    pen.fillStyle = colour(reward >= 0 ? "--good" : "--bad"); pen.globalAlpha = won ? 1 : 0.75;
    pen.fillRect(x + 0.3, Math.min(middle - (reward >= 0 ? 1 : 0), end), Math.max(1, bar - 0.6), Math.max(1, Math.abs(end - middle)));
    pen.globalAlpha = 1;
    if (won) tag(pen, `success +${reward.toFixed(0)}`, x - 4, 8);
  });
}

function drawActions({ pen, lane, clip, at }) {
  const bar = at(clip.step), bumped = new Set(lane.shown.has("collision") ? clip.collided : []);
  clip.actions.forEach((action, k) => {
    const x = at((k + 1) * clip.step), [name, variable] = ACTIONS[action];
    pen.fillStyle = colour(variable);
    if (lane.shown.has(name)) pen.fillRect(x + 0.4, action === 1 ? 4 : 0, Math.max(1, bar - 0.8), action === 1 ? 8 : 12);
    if (bumped.has(k)) { pen.fillStyle = colour("--bad"); pen.fillRect(x + 0.4, 15, Math.max(1.5, bar - 0.8), 4); }
  });
}

function drawRuler(pen, width, top, total) {
  rule(pen, width, top);
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (s / total) * width > 56) || 30;
  pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "top"; pen.fillStyle = colour("--soft");
  for (let i = 0; i * step <= total + 1e-9; i++) {
    const x = (i * step / total) * width;
    pen.textAlign = i ? (x > width - 20 ? "right" : "center") : "left";
    pen.fillRect(Math.min(width - 1, Math.round(x)), top, 1, 4);
    pen.fillText(`${+(i * step).toFixed(1)} s`, x, top + 6);
  }
}

// share, part: of the whole time, 0 to 1 · hover: CSS pixels or null
function drawCursor(canvas, share, hover, part) {
  const { pen, width, height } = fitted(canvas);
  if (part) { pen.fillStyle = colour("--left"); pen.globalAlpha = 0.16; pen.fillRect(part[0] * width, 0, (part[1] - part[0]) * width, height - RULER); pen.globalAlpha = 1; }
  if (hover !== null) { pen.fillStyle = colour("--soft"); pen.globalAlpha = 0.5; pen.fillRect(hover, 0, 1, height - RULER); pen.globalAlpha = 1; }
  const x = Math.round(share * width);
  pen.fillStyle = colour("--ink"); pen.fillRect(Math.min(width - 2, Math.max(0, x - 1)), 0, 2, height - RULER);
  pen.beginPath(); pen.moveTo(x - 6, height - RULER); pen.lineTo(x + 6, height - RULER); pen.lineTo(x, height - RULER - 8); pen.closePath(); pen.fill();
}
