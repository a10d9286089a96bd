// The lanes below the pictures. They share one time axis, in seconds from the first sample (see player.js).
// Action k leads from frame k to frame k + 1.
"use strict";
const GAP = 9, RULER = 20, REWARD = 0.2;
const ACTIONS = [["stop", "--stop"], ["forward", "--walk"], ["turn left", "--left"], ["turn right", "--right"]];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const farthest = (clip) => Math.max(1, ...clip.distance) * 1.06;
const ildRange = (sound) => Math.max(6, Math.ceil(Math.max(0, ...sound.ild.filter((value) => value !== null).map(Math.abs)) / 3) * 3);

function lanesOf(clip, sound) {
  const lanes = [
    { name: "Waveform", unit: "left, right", height: 58, draw: drawOutline },
    { name: "Spectrum", unit: "left, right, 8 kHz", height: 100, draw: drawSpectrum },
    { name: "ILD", unit: `left − right, ± ${ildRange(sound)} dB`, height: 54, draw: drawIld },
  ];
  if (clip.distance) lanes.push({ name: "Distance", unit: `geodesic, 0 to ${farthest(clip).toFixed(1)} m`, height: 54, draw: drawDistance });
  if (clip.progress) lanes.push({ name: "Progress", unit: `true, predicted, ${Math.max(...clip.progress.flat()).toFixed(1)} m`, height: 64, draw: drawProgress });
  if (clip.rewards) lanes.push({ name: "Reward", unit: `± ${REWARD} per step`, height: 36, draw: drawReward });
  if (clip.actions) lanes.push({ name: "Action", unit: "", height: 20, draw: drawActions });
  let top = 4;
  const dense = window.innerHeight < 840 ? 0.74 : 1;
  for (const lane of lanes) {
    if (lane.height > 40) lane.height = Math.round(lane.height * dense);
    lane.top = top;
    top += lane.height + GAP;
  }
  return { lanes, height: top + RULER - GAP + 4 };
}

function drawTracks(canvas, clip, sound, picture, layout) {
  const { pen, width } = fitted(canvas);
  const total = clip.frames * clip.step;
  for (const lane of layout.lanes) {
    pen.save();
    pen.translate(0, lane.top);
    lane.draw(pen, width, lane.height, clip, sound, picture, (seconds) => (seconds / total) * width);
    pen.restore();
  }
  drawRuler(pen, width, layout.height - RULER, total);
}

function rule(pen, width, y, dashed) {
  pen.strokeStyle = colour("--line"); pen.lineWidth = 1; pen.setLineDash(dashed ? [3, 3] : []);
  pen.beginPath(); pen.moveTo(0, Math.round(y) + 0.5); pen.lineTo(width, Math.round(y) + 0.5); pen.stroke();
  pen.setLineDash([]);
}

function note(pen, text, x, y, align) {
  pen.font = "11px system-ui, sans-serif"; pen.textAlign = align || "right"; pen.textBaseline = "middle";
  pen.lineWidth = 3; pen.lineJoin = "round"; pen.strokeStyle = colour("--paper"); pen.strokeText(text, x, y);
  pen.fillStyle = colour("--soft"); pen.fillText(text, x, y);
}

// A note with a background, for places where it may overlap a curve.
function tag(pen, text, x, y) {
  pen.font = "11px system-ui, sans-serif";
  const wide = pen.measureText(text).width;
  pen.fillStyle = colour("--paper"); pen.fillRect(x - wide - 5, y - 8, wide + 7, 16);
  note(pen, text, x, y);
}

function drawOutline(pen, width, height, clip, sound) {
  const half = height / 2;
  sound.outline.length && [0, 1].forEach((ear) => {
    const low = sound.outline[2 * ear], high = sound.outline[2 * ear + 1], middle = half * (ear + 0.5);
    rule(pen, width, middle);
    pen.fillStyle = colour(ear ? "--right" : "--left");
    pen.beginPath();
    const x = (i) => (i / low.length) * width, size = half / 2 - 1;
    high.forEach((value, i) => pen.lineTo(x(i), middle - Math.max(value * size, 0.4)));
    for (let i = low.length - 1; i >= 0; i--) pen.lineTo(x(i), middle - Math.min(low[i] * size, -0.4));
    pen.closePath(); pen.fill();
  });
}

function drawSpectrum(pen, width, height, clip, sound, picture) {
  if (!picture || !picture.complete || !picture.naturalWidth) return;
  const half = picture.naturalHeight / 2, high = height / 2 - 1;
  pen.imageSmoothingQuality = "high";
  [0, 1].forEach((ear) => {
    const top = ear * (high + 2);
    pen.drawImage(picture, 0, ear * half, picture.naturalWidth, half, 0, top, width, high);
  });
}

// A curve, filled to the zero line with one colour above it and another below.
function drawIld(pen, width, height, clip, sound, picture, at) {
  const most = ildRange(sound), middle = height / 2;
  const y = (value) => middle - (value / most) * (middle - 2);
  rule(pen, width, y(0));
  [["--left", 0, middle], ["--right", middle, middle]].forEach(([name, top, high]) => {
    pen.save(); pen.beginPath(); pen.rect(0, top, width, high); pen.clip();
    let run = [];
    const close = () => {
      if (run.length) {
        pen.beginPath(); pen.moveTo(run[0][0], middle);
        run.forEach(([px, py]) => pen.lineTo(px, py));
        pen.lineTo(run[run.length - 1][0], middle);
        pen.fillStyle = colour(name); pen.globalAlpha = 0.22; pen.fill();
        pen.globalAlpha = 1; pen.beginPath();
        run.forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py)));
        pen.strokeStyle = colour(name); pen.lineWidth = 1.6; pen.lineJoin = "round"; pen.stroke();
      }
      run = [];
    };
    sound.ild.forEach((value, i) => {
      if (value === null) close(); else run.push([at(i * sound.ild_seconds), y(value)]);
    });
    close(); pen.restore();
  });
}

function drawDistance(pen, width, height, clip, sound, picture, at) {
  const most = farthest(clip), y = (metres) => height - 2 - (metres / most) * (height - 6);
  const x = (k) => at((k + 1) * clip.step);
  rule(pen, width, height - 2);
  pen.beginPath(); pen.moveTo(x(0), height - 2);
  clip.distance.forEach((metres, k) => pen.lineTo(x(k), y(metres)));
  pen.lineTo(x(clip.distance.length - 1), height - 2); pen.closePath();
  pen.fillStyle = colour("--path"); pen.globalAlpha = 0.13; pen.fill(); pen.globalAlpha = 1;
  pen.beginPath();
  clip.distance.forEach((metres, k) => (k ? pen.lineTo(x(k), y(metres)) : pen.moveTo(x(k), y(metres))));
  pen.strokeStyle = colour("--path"); pen.lineWidth = 1.8; pen.lineJoin = "round"; pen.stroke();
  pen.strokeStyle = colour("--source"); pen.setLineDash([4, 4]); pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(0, y(clip.success_distance)); pen.lineTo(width, y(clip.success_distance)); pen.stroke();
  pen.setLineDash([]);
}

function drawProgress(pen, width, height, clip, sound, picture, at) {
  const all = clip.progress.flat(), low = Math.min(0, ...all), high = Math.max(0.1, ...all);
  const y = (value) => 4 + (1 - (value - low) / (high - low)) * (height - 8);
  rule(pen, width, y(0));
  clip.progress.forEach((values, which) => {
    pen.beginPath();
    values.forEach((value, k) => { const x = at((k + 1) * clip.step); k ? pen.lineTo(x, y(value)) : pen.moveTo(x, y(value)); });
    pen.strokeStyle = colour(which ? "--right" : "--left"); pen.lineWidth = 2; pen.setLineDash(which ? [6, 4] : []); pen.stroke();
  });
  pen.setLineDash([]);
}

function drawReward(pen, width, height, clip, sound, picture, at) {
  const middle = height / 2, bar = at(clip.step);
  rule(pen, width, middle);
  clip.rewards.forEach((reward, k) => {
    const x = at((k + 1) * clip.step), won = reward > 1;
    const share = Math.max(-1, Math.min(1, reward / REWARD)), high = Math.max(1, Math.abs(share) * (middle - 1));
    pen.fillStyle = colour(reward >= 0 ? "--good" : "--bad"); pen.globalAlpha = won ? 1 : 0.75;
    pen.fillRect(x + 0.3, share >= 0 ? middle - high : middle, Math.max(1, bar - 0.6), high);
    pen.globalAlpha = 1;
    if (won) tag(pen, `success +${reward.toFixed(0)}`, x - 4, 8);
  });
}

function drawActions(pen, width, height, clip, sound, picture, at) {
  const bar = at(clip.step), bumped = new Set(clip.collided);
  clip.actions.forEach((action, k) => {
    const x = at((k + 1) * clip.step);
    pen.fillStyle = colour(ACTIONS[action][1]);
    pen.fillRect(x + 0.4, action === 1 ? 4 : 0, Math.max(1, bar - 0.8), action === 1 ? 8 : 12);
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

function drawCursor(canvas, share, hover) {
  const { pen, width, height } = fitted(canvas);
  if (hover !== null) { pen.fillStyle = colour("--soft"); pen.globalAlpha = 0.5; pen.fillRect(hover, 0, 1, height - RULER); pen.globalAlpha = 1; }
  const x = Math.round(share * width);
  pen.fillStyle = colour("--ink"); pen.fillRect(Math.min(width - 2, Math.max(0, x - 1)), 0, 2, height - RULER);
  pen.beginPath(); pen.moveTo(x - 6, height - RULER); pen.lineTo(x + 6, height - RULER); pen.lineTo(x, height - RULER - 8); pen.closePath(); pen.fill();
}
