// What the lanes show of a clip: each has series, and each series says what its value is at a time. Drawing, hover,
// legend and the CSV file use the same series. Time is in seconds from the first sample (see player.js).
// Action k leads from frame k to frame k + 1.
"use strict";
const REWARD = 0.2, HIGHEST = 8; // kHz
const ACTIONS = [["stop", "--stop"], ["forward", "--walk"], ["turn left", "--left"], ["turn right", "--right"]];

// lane: { name, unit, low, high, marks: values on its axis, series, draw, height, ramp }
// series: { key, name, variable: its colour, unit, digits, at: (seconds, frequency in kHz) => number, text or null }
function lanesOf(clip, sound) {
  const lanes = [waveformLane(clip, sound), spectrumLane(clip, sound), ildLane(sound)];
  if (clip.distance) lanes.push(distanceLane(clip));
  if (clip.progress) lanes.push(progressLane(clip));
  if (clip.rewards) lanes.push(rewardLane(clip));
  if (clip.actions) lanes.push(actionLane(clip));
  for (const lane of lanes) for (const series of lane.series) series.key = `${lane.name}/${series.name}`;
  return lanes;
}

// The value of a series as text, "" if there is none.
function valueText(series, value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : `${plain(value, series.digits)} ${series.unit}`;
}

const EARS = [["left", "--left"], ["right", "--right"]];

function waveformLane(clip, sound) {
  const [low] = sound.outline, total = clip.frames * clip.step;
  const series = EARS.map(([name, variable], ear) => ({
    name, variable, unit: "dBFS", digits: 1,
    at: (seconds) => {
      const i = Math.min(low.length - 1, Math.floor((seconds / total) * low.length));
      const peak = Math.max(-sound.outline[2 * ear][i], sound.outline[2 * ear + 1][i]);
      return peak > 0 ? 20 * Math.log10(peak) : "silent";
    },
  }));
  return { name: "Waveform", unit: "", low: -1, high: 1, marks: [1, 0, -1], stacked: true, series, draw: drawOutline, height: 58 };
}

function spectrumLane(clip, sound) {
  const total = clip.frames * clip.step;
  const series = EARS.map(([name, variable], ear) => ({
    name, variable, unit: "dB", digits: 0,
    at: (seconds, kilohertz) => {
      const pixels = kilohertz === undefined ? null : pixelsOf(sound);
      if (!pixels) return null;
      const half = pixels.height / 2, row = Math.min(half - 1, Math.floor((1 - kilohertz / HIGHEST) * half));
      const column = Math.min(pixels.width - 1, Math.floor((seconds / total) * pixels.width));
      const start = 4 * ((ear * half + row) * pixels.width + column);
      return rampValue(sound.ramp, pixels.data.slice(start, start + 3));
    },
  }));
  return { name: "Spectrogram", unit: "", ramp: sound.ramp, low: 0, high: HIGHEST, marks: [8, 4, 0], markUnit: "kHz", stacked: true, series, draw: drawSpectrum, height: 100 };
}

// The pixels of a spectrogram, read once.
function pixelsOf(sound) {
  const { picture } = sound;
  if (!sound.pixels && picture && picture.complete && picture.naturalWidth) {
    const canvas = document.createElement("canvas");
    canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    sound.pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  }
  return sound.pixels || null;
}

function ildLane(sound) {
  const heard = sound.ild.filter((value) => value !== null).map(Math.abs), most = Math.max(6, Math.ceil(Math.max(0, ...heard) / 3) * 3);
  const at = (seconds) => sound.ild[Math.min(sound.ild.length - 1, Math.round(seconds / sound.ild_seconds))] ?? "silent";
  const series = [{ name: "ILD", variable: "--left", unit: "dB", digits: 1, at }];
  return { name: "ILD", unit: "left − right", low: -most, high: most, marks: [most, 0, -most], markUnit: "dB", series, draw: drawIld, height: 54 };
}

// The frame that is shown at a time, and the action in progress: -1 before the first frame.
const frameAt = (clip, seconds) => Math.max(0, Math.min(clip.frames - 1, Math.round(seconds / clip.step - 1)));
const actionAt = (clip, seconds) => Math.floor(seconds / clip.step - 1 + 1e-6);

function distanceLane(clip) {
  const high = Math.max(1, ...clip.distance) * 1.06;
  const series = [
    { name: "geodesic", variable: "--path", unit: "m", digits: 2, at: (seconds) => clip.distance[frameAt(clip, seconds)] },
    { name: "success", variable: "--source", unit: "m", digits: 2, constant: true, at: () => clip.success_distance },
  ];
  return { name: "Distance", unit: "", low: 0, high, marks: [Math.floor(high * 2) / 2, 0], markUnit: "m", series, draw: drawDistance, height: 54 };
}

function progressLane(clip) {
  const all = clip.progress.flat(), low = Math.min(0, ...all), high = Math.max(0.1, ...all);
  const series = [["true", "--left"], ["predicted", "--right"]].map(([name, variable], which) => ({
    name, variable, unit: "m", digits: 2, at: (seconds) => clip.progress[which][frameAt(clip, seconds)] ?? null,
  }));
  return { name: "Progress", unit: "", low, high, marks: [+high.toFixed(1), 0], markUnit: "m", series, draw: drawProgress, height: 64 };
}

function rewardLane(clip) {
  const series = [{ name: "reward", variable: "--good", unit: "", digits: 3, at: (seconds) => clip.rewards[actionAt(clip, seconds)] ?? null }];
  return { name: "Reward", unit: "per step", low: -REWARD, high: REWARD, marks: [REWARD, -REWARD], series, draw: drawReward, height: 36 };
}

function actionLane(clip) {
  const bumped = new Set(clip.collided);
  const series = [...ACTIONS.slice(1), ACTIONS[0]].map(([name, variable]) => ({
    name, variable, at: (seconds) => (clip.actions[actionAt(clip, seconds)] === ACTIONS.findIndex((action) => action[0] === name) ? name : null),
  }));
  series.push({ name: "collision", variable: "--bad", at: (seconds) => (bumped.has(actionAt(clip, seconds)) ? "yes" : null) });
  return { name: "Action", unit: "", low: 0, high: 1, marks: [], series, draw: drawActions, height: 20 };
}
