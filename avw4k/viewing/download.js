// Files from the page: a frame as PNG, the sound as WAV, the series as CSV. Of a part, if one is marked.
"use strict";

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob); link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A picture of the stage at the current frame, in its own resolution.
function frameBlob({ clip, stage, frame }, which) {
  const canvas = document.createElement("canvas"), { size, columns } = clip;
  canvas.width = canvas.height = size;
  canvas.getContext("2d").drawImage(stage.views[which].image, (frame % columns) * size, Math.floor(frame / columns) * size, size, size, 0, 0, size, size);
  return canvasBlob(canvas);
}

function canvasBlob(canvas) { return new Promise((done) => canvas.toBlob(done, "image/png")); }

// 16-bit WAV of the sound as it is played. from, to: seconds
async function soundBlob({ clip, sound }, from, to) {
  const bytes = Uint8Array.from(atob(sound.audio.split(",")[1]), (c) => c.charCodeAt(0));
  const heard = await new OfflineAudioContext(2, 1, clip.rate).decodeAudioData(bytes.buffer);
  const first = Math.round(from * clip.rate), count = Math.min(heard.length, Math.round(to * clip.rate)) - first;
  const file = new DataView(new ArrayBuffer(44 + 4 * count)), text = (at, word) => [...word].forEach((c, i) => file.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF"); file.setUint32(4, 36 + 4 * count, true); text(8, "WAVEfmt "); file.setUint32(16, 16, true);
  file.setUint16(20, 1, true); file.setUint16(22, 2, true); file.setUint32(24, clip.rate, true); file.setUint32(28, 4 * clip.rate, true);
  file.setUint16(32, 4, true); file.setUint16(34, 16, true); text(36, "data"); file.setUint32(40, 4 * count, true);
  for (const ear of [0, 1]) {
    const samples = heard.getChannelData(ear);
    for (let n = 0; n < count; n++) file.setInt16(44 + 4 * n + 2 * ear, Math.max(-32768, Math.min(32767, Math.round(32768 * samples[first + n]))), true);
  }
  return new Blob([file.buffer], { type: "audio/wav" });
}

// One line per frame: all series at that time, and the pose.
function seriesText({ clip, sound }, from, to) {
  const columns = lanesOf(clip, sound).flatMap((lane) => (lane.name === "Action" ? actionColumns(clip) : lane.series.filter((series) => !series.constant)
    .map((series) => [columnName(lane, series), (seconds) => series.at(seconds)]))).filter(([name]) => !name.startsWith("spectrogram"));
  if (clip.map) columns.push(...poseColumns(clip));
  const lines = [["time_s", "step", ...columns.map(([name]) => name)]];
  for (let k = 0; k < clip.frames; k++) {
    const seconds = (k + 1) * clip.step;
    if (seconds < from - 1e-6 || seconds > to + 1e-6) continue;
    const values = columns.map(([, at]) => at(seconds)).map((value) => (value === null || value === "silent" ? "" : typeof value === "number" ? +value.toFixed(4) : value));
    lines.push([+seconds.toFixed(4), k, ...values]);
  }
  return lines.map((line) => line.join(",")).join("\n") + "\n";
}

function columnName(lane, series) {
  const words = [lane.name, lane.series.length > 1 ? series.name : "", series.unit].filter(Boolean);
  return words.join("_").toLowerCase().replace(/[^a-z0-9]+/g, "_");
}

function actionColumns(clip) {
  const bumped = new Set(clip.collided);
  return [["action", (seconds) => (ACTIONS[clip.actions[actionAt(clip, seconds)]] || [null])[0]],
    ["collision", (seconds) => (actionAt(clip, seconds) < clip.actions.length ? +bumped.has(actionAt(clip, seconds)) : null)]];
}

function poseColumns({ map, step }) {
  const pose = (seconds) => map.path[Math.max(0, Math.min(map.path.length - 1, Math.round(seconds / step - 1)))];
  return [["x_m", (seconds) => map.origin[0] + pose(seconds)[0] / map.metre], ["z_m", (seconds) => map.origin[1] + pose(seconds)[1] / map.metre],
    ["yaw_deg", (seconds) => (pose(seconds)[2] * 180) / Math.PI]];
}

// The entries of the menu: [label, function that saves the file].
function downloadsOf(player, part) {
  const [from, to] = part || [0, player.total], name = `episode-${player.id}`, span = part ? `-${from.toFixed(2)}-${to.toFixed(2)}s` : "";
  const step = `step-${player.frame}`, gain = `${player.sound.gain < 0 ? "" : "+"}${player.sound.gain}dB`, file = (caption) => caption.toLowerCase().replace(/\W+/g, "-");
  const which = player.sounds.length > 1 ? `-${file(player.sound.name)}` : "", shown = part ? `${from.toFixed(2)} to ${to.toFixed(2)} s` : "whole";
  return [
    ...player.stage.views.map((view, i) => [`${view.caption}, step ${player.frame} (PNG)`, async () => save(await frameBlob(player, i), `${name}-${step}-${file(view.caption)}.png`)]),
    ...(player.stage.plan ? [[`Floor plan, step ${player.frame} (PNG)`, async () => save(await canvasBlob(player.stage.plan.canvas), `${name}-${step}-plan.png`)]] : []),
    [`Sound, ${shown} (WAV)`, async () => save(await soundBlob(player, from, to), `${name}${which}${span}${gain}.wav`)],
    [`Series, ${shown} (CSV)`, async () => save(new Blob([seriesText(player, from, to)], { type: "text/csv" }), `${name}${span}.csv`)],
  ];
}
