// The page of `avw play`: keys to actions, moments to pictures, sound, map and curves.
// The sound is the clock: the next step is asked for when little sound is left, and its picture is shown with its sound.
"use strict";
const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("data").textContent);
const model = facts.run !== null;
const STOP = 0, FORWARD = 1, LEFT = 2, RIGHT = 3;
const KEYS = { ArrowUp: FORWARD, ArrowLeft: LEFT, ArrowRight: RIGHT, w: FORWARD, a: LEFT, d: RIGHT };
const MOST_LATENCIES = 200;
const HEARD = [["simulator", "Simulator"], ["imagination", "Imagination"], ["both", "Both"]];
const MIX = { simulator: { real: 1, dream: 0 }, imagination: { real: 0, dream: 1 }, both: { real: 0.5, dream: 0.5 } };
const SHOWN = [["camera", "Camera"], ["depth", "Depth"]];
const now = {
  walk: null, seed: facts.seed, running: false, asking: null, sounds: null, moment: null, queue: [], history: [], path: [], source: null,
  plan: null, planImage: null, dreamPose: null, heard: "simulator", shown: "camera", hidden: false, unseen: false, recording: false, muted: false,
  margin: 0.05, pace: 0.06, timer: 0, hoverX: null, off: new Set(),
};
const stats = { latencies: [], soundLatencies: [], seconds: [], steps: 0 };

// ---- the server

async function ask(what, values) {
  let answer;
  try {
    answer = await fetch(what, { method: "POST", body: JSON.stringify(values) });
  } catch {
    throw new Error("avw play is not running any more: start it again, and reload this page.");
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function askMoment(what, values) {
  return unpacked(await (await ask(what, values)).arrayBuffer());
}

const TYPES = { uint8: Uint8Array, float32: Float32Array };
// See packing.py: the length of the header, the header, and arrays.
function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const moment = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  for (const [name, { type, shape, at }] of Object.entries(moment.arrays)) {
    const count = shape.reduce((a, b) => a * b, 1);
    moment.arrays[name] = Object.assign(new TYPES[type](buffer, 4 + length + at, count), { side: shape[0] });
  }
  return moment;
}

// ---- what the player does

const held = new Set(), taps = [], pressedAt = new Map();
let turn = 0;

function press(action) {
  if (held.has(action)) return;
  held.add(action);
  if (taps.length < 2) taps.push(action);
  if (!pressedAt.has(action)) pressedAt.set(action, performance.now());
  mark();
  if (!now.running) start();
}

function release(action) { held.delete(action); mark(); }

function mark() {
  for (const [id, action] of [["ahead", FORWARD], ["left", LEFT], ["right", RIGHT]]) $(id).classList.toggle("held", held.has(action));
}

// A short press is one step. Keys that are held together take turns, which walks a curve.
function chosenAction() {
  if (taps.length) return taps.shift();
  const wanted = [...held];
  return wanted.length ? wanted[turn++ % wanted.length] : STOP;
}

// ---- time

async function open(seed, again) {
  await pause();
  if (now.recording) await record();  // of the walk that ends
  now.seed = seed; now.history = []; now.path = []; now.queue = []; now.dreamPose = null;
  const moment = await askMoment("open", again ? { seed, walk: now.walk } : { seed });
  now.walk = moment.walk; now.source = moment.source; now.recording = false;
  showRecording(null);
  show(moment);
}

function start() {
  if (now.running || !now.walk) return;
  $("start").hidden = true;
  if (!now.sounds) {
    now.sounds = new Sounds(model ? ["real", "dream"] : ["real"]);
    setVolume();
    hear(now.heard);
  }
  now.running = true;
  document.body.classList.add("running");
  $("play").setAttribute("aria-label", "Pause");
  say("");
  now.sounds.restart();
  now.sounds.resume().then(pump);
  requestAnimationFrame(drawDue);
}

async function pause() {
  clearTimeout(now.timer);
  const was = now.running;
  now.running = false;
  document.body.classList.remove("running");
  $("play").setAttribute("aria-label", "Start");
  if (now.asking) await now.asking.catch(() => {});
  for (const moment of now.queue.splice(0)) show(moment);
  if (was && now.sounds) {
    await new Promise((done) => setTimeout(done, 1000 * Math.min(0.5, Math.max(0, now.sounds.ahead + 0.03))));
    if (!now.running) await now.sounds.suspend();
  }
}

const toggle = () => (now.running ? pause() : start());

// Ask for the next step when the sound that is left lasts only as long as the answer takes, and a margin.
function pump() {
  clearTimeout(now.timer);
  if (!now.running || now.asking) return;
  const wait = now.sounds.ahead - now.pace - now.margin;
  if (wait > 0.002) { now.timer = setTimeout(pump, 1000 * wait); return; }
  now.asking = step().finally(() => { now.asking = null; });
  now.asking.then(pump, stopWith);
}

async function step() {
  const action = chosenAction(), pressed = pressedAt.get(action), asked = performance.now(), late = now.sounds.late;
  pressedAt.delete(action);
  const moment = await askMoment("step", { walk: now.walk, action, anchor_every: now.every, heard: now.heard });
  const took = (performance.now() - asked) / 1000;
  now.pace += 0.2 * (took - now.pace);
  const parts = { real: moment.arrays.audio };
  if (model) parts.dream = moment.arrays.dream_audio;
  const start = now.sounds.add(parts);
  // More margin after a gap, and slowly less while all goes well.
  now.margin = now.sounds.late > late ? Math.min(0.3, now.margin + 0.04) : Math.max(0.03, now.margin - 0.0005);
  stats.steps++;
  stats.seconds.push(took);
  if (stats.seconds.length > MOST_LATENCIES) stats.seconds.shift();
  if (pressed) stats.soundLatencies.push((performance.now() - pressed) / 1000 + start - now.sounds.now);
  Object.assign(moment, { at: start + facts.step / 2, pressed, action });
  now.queue.push(moment);
  $("pace").textContent = `${(1000 * now.pace).toFixed(0)} ms`;
  $("pace").parentElement.classList.toggle("slow", now.pace > facts.step);
}

function drawDue() {
  const { sounds, queue } = now;
  while (queue.length && sounds.now >= queue[0].at) {
    const moment = queue.shift();
    show(moment);
    if (moment.pressed) {
      stats.latencies.push((performance.now() - moment.pressed) / 1000);
      if (stats.latencies.length > MOST_LATENCIES) stats.latencies.shift();
    }
  }
  if (now.running) requestAnimationFrame(drawDue);
}

function stopWith(error) {
  pause();
  say(error.message);
}

// ---- one moment on the page

function show(moment) {
  now.moment = moment;
  const { dreamed, arrays } = moment;
  const place = { number: moment.number, distance: moment.distance, ild: levelDifference(arrays.audio), predicted: null, success: null, reward: null, trueReward: moment.reward, dreamIld: null, anchored: false };
  if (dreamed) {
    Object.assign(place, { predicted: dreamed.distance, success: dreamed.success, reward: dreamed.reward, dreamIld: levelDifference(arrays.dream_audio), anchored: dreamed.steps === 1 });
    now.dreamPose = dreamed.pose;
  }
  now.path.push(moment.pose);
  now.history.push(place);
  if (now.history.length > SHOWN_SECONDS / facts.step) now.history.shift();
  $("bump").classList.toggle("on", moment.collided && moment.action === FORWARD);
  if (moment.recorded !== null && moment.recorded !== undefined) showRecording(moment.recorded * facts.step);
  if (moment.recording_full && now.recording) record();
  redraw();
}

// Left minus right, dB; null where either ear is silent.
function levelDifference(samples) {
  const half = samples.length / 2, power = [0, 0];
  for (let n = 0; n < samples.length; n++) power[n < half ? 0 : 1] += samples[n] * samples[n];
  return Math.min(...power) / half > 1e-8 ? 10 * Math.log10(power[0] / power[1]) : null;
}

const small = document.createElement("canvas");
function drawView(canvas, rgb, depth, seen) {
  const { pen, width, height } = fitted(canvas), side = rgb.side;
  const pixels = new ImageData(side, side), out = pixels.data, deep = now.shown === "depth" && depth;
  for (let n = 0; n < side * side; n++) {
    const [r, g, b] = deep ? (depth[n] ? facts.depth_colours[depth[n] - 1] : [0, 0, 0]) : [rgb[3 * n], rgb[3 * n + 1], rgb[3 * n + 2]];
    let share = 0;
    if (seen && now.unseen) {
      const scale = side / seen.side, y = Math.floor(Math.floor(n / side) / scale), x = Math.floor((n % side) / scale);
      share = seen[y * seen.side + x] ? 0 : 0.45;
    }
    out[4 * n] = r + share * (245 - r); out[4 * n + 1] = g + share * (158 - g); out[4 * n + 2] = b + share * (11 - b); out[4 * n + 3] = 255;
  }
  small.width = small.height = side;
  small.getContext("2d").putImageData(pixels, 0, 0);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, 0, 0, width, height);
}

function redraw() {
  if (!now.moment) return;
  const { arrays, dreamed } = now.moment;
  drawView($("real"), arrays.rgb, arrays.depth);
  if (model) {
    // Before the first step, there is nothing to imagine: the model has just seen this.
    if (dreamed) drawView($("dream"), arrays.dream_rgb, arrays.dream_depth, arrays.dream_seen);
    else drawView($("dream"), arrays.rgb, arrays.depth);
    $("age").textContent = dreamed ? `${dreamed.steps} step${dreamed.steps === 1 ? "" : "s"} on its own` : "as seen";
  }
  drawMap();
  drawCompass();
  drawCurves();
  readout();
}

function readout() {
  const place = now.history[now.history.length - 1];
  $("distance").textContent = now.hidden ? "hidden" : `${place.distance.toFixed(2)} m`;
  $("predicted").textContent = place.predicted === null ? "–" : `${place.predicted.toFixed(2)} m`;
  $("success").textContent = place.success === null ? "–" : `${(100 * place.success).toFixed(0)} %`;
  $("reward").textContent = place.reward === null ? "–" : `${signed(place.reward, 2)} (${signed(place.trueReward, 2)})`;
  $("ild").textContent = place.ild === null ? "silent" : `${signed(place.ild)} dB`;
  $("distance").parentElement.classList.toggle("near", !now.hidden && place.distance < facts.success_distance);
}

const signed = (value, digits = 1) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

// ---- map

function drawMap() {
  const { plan } = now;
  if (!plan) return;
  const toPlan = ([x, z, yaw]) => [(x - plan.origin[0]) * plan.metre, (z - plan.origin[1]) * plan.metre, yaw || 0];
  const path = now.path.map(toPlan), source = now.hidden ? null : toPlan(now.source);
  const map = { width: plan.width, height: plan.height, metre: plan.metre, rooms: plan.rooms, path, source };
  drawPlan({ canvas: $("map"), image: now.planImage }, { hfov: facts.hfov, success_distance: facts.success_distance, map }, path.length - 1);
  if (now.dreamPose && model) {
    const pen = $("map").getContext("2d"), scale = Math.min($("map").clientWidth / plan.width, $("map").clientHeight / plan.height);
    pen.globalAlpha = 0.85;
    drawAgent(pen, toPlan(now.dreamPose), 0.8 / scale, "#7c3aed");
    pen.globalAlpha = 1;
  }
}

// Straight up is where the agent looks.
function drawCompass() {
  $("compass").hidden = now.hidden;
  if (now.hidden) return;
  const { pen, width } = fitted($("compass")), middle = width / 2, radius = middle - 5;
  pen.translate(middle, middle);
  pen.beginPath(); pen.arc(0, 0, radius, 0, 7); pen.fillStyle = colour("--paper"); pen.globalAlpha = 0.9; pen.fill(); pen.globalAlpha = 1;
  pen.strokeStyle = colour("--faint"); pen.lineWidth = 1; pen.stroke();
  pen.beginPath(); pen.moveTo(0, -radius + 2); pen.lineTo(0, -radius + 8); pen.strokeStyle = colour("--soft"); pen.lineWidth = 2; pen.stroke();
  pen.rotate(-now.moment.bearing);
  pen.beginPath(); pen.moveTo(0, -radius + 5); pen.lineTo(7, 8); pen.lineTo(0, 3); pen.lineTo(-7, 8); pen.closePath();
  pen.fillStyle = colour("--source"); pen.fill();
}

// ---- settings

function hear(which) {
  now.heard = which;
  if (now.sounds) now.sounds.mix(model ? MIX[which] : { real: 1 });
  press_state("heard", which);
}

function look(which) {
  now.shown = which;
  document.body.classList.toggle("depth", which === "depth");
  press_state("shown", which);
  redraw();
}

function press_state(id, which) {
  for (const button of $(id).children) button.setAttribute("aria-pressed", button.dataset.value === which);
}

function setVolume() { if (now.sounds) now.sounds.volume(now.muted ? 0 : 10 ** (+$("volume").value / 20)); }

function mute() {
  now.muted = !now.muted;
  document.body.classList.toggle("muted", now.muted);
  setVolume();
}

function hide() { now.hidden = !now.hidden; document.body.classList.toggle("source-hidden", now.hidden); redraw(); }
function unseen() { now.unseen = !now.unseen; redraw(); }

async function anchor() {
  if (!model || !now.walk) return;
  try { await ask("anchor", { walk: now.walk }); } catch (error) { stopWith(error); }
}

async function newWalk() {
  const going = now.running;
  say("A new walk…");
  try {
    await open(now.seed + 1, true);
    say("");
    if (going) start();
  } catch (error) { stopWith(error); }
}

function found() {
  const { moment } = now;
  if (!moment) return;
  const near = moment.distance < facts.success_distance, metres = `${moment.distance.toFixed(2)} m`;
  say(near ? `Found it: ${metres} from the source, after ${moment.number} steps. N begins a new walk.`
    : now.hidden ? "Not yet." : `Not yet: ${metres} of walking to the source.`, 3500);
}

async function record() {
  if (!now.walk) return;
  try {
    now.recording = !now.recording;
    if (now.recording) {
      await ask("record", { walk: now.walk, on: true });
      showRecording(0);
      if (!now.running) start();
      return;
    }
    showRecording(null);
    say("Writing the recording…");
    const { files, folder } = await (await ask("record", { walk: now.walk, on: false })).json();
    if (!files.length) { say("Nothing was recorded.", 3000); return; }
    say(`Written to ${folder}: `, 12000, files.map((name) => {
      const link = document.createElement("a");
      link.href = `recording/${encodeURIComponent(name)}`; link.textContent = name; link.download = name;
      return link;
    }));
  } catch (error) { stopWith(error); }
}

function showRecording(seconds) {
  document.body.classList.toggle("recording", seconds !== null);
  $("record-text").textContent = seconds === null ? "Record" : `Stop ${seconds.toFixed(1)} s`;
}

let sayTimer = 0;
function say(text, milliseconds = 0, more = []) {
  clearTimeout(sayTimer);
  const parts = more.flatMap((part, i) => (i ? [", ", part] : [part]));
  $("message").replaceChildren(text, ...parts);
  $("message").hidden = !text;
  if (milliseconds) sayTimer = setTimeout(() => { $("message").hidden = true; }, milliseconds);
}

// ---- input

const COMMANDS = { " ": toggle, Enter: found, n: newWalk, h: hide, v: () => look(now.shown === "camera" ? "depth" : "camera"), m: mute, r: record, "?": () => $("help").showModal() };
if (model) Object.assign(COMMANDS, { s: () => hear(HEARD[(HEARD.findIndex(([value]) => value === now.heard) + 1) % HEARD.length][0]), x: anchor, u: unseen });

const keyOf = (event) => (event.key.length === 1 ? event.key.toLowerCase() : event.key);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const key = keyOf(event), starting = !$("start").hidden;
  if (key in KEYS) { event.preventDefault(); if (document.activeElement instanceof HTMLElement) document.activeElement.blur(); press(KEYS[key]); return; }
  if (event.repeat || /^(SELECT|TEXTAREA)$/.test(event.target.tagName) || ((key === " " || key === "Enter") && event.target.tagName === "BUTTON" && !starting)) return;
  if (starting && (key === " " || key === "Enter")) { event.preventDefault(); if (!$("begin").disabled) start(); return; }
  if (COMMANDS[key] && !starting) { event.preventDefault(); COMMANDS[key](); }
});
document.addEventListener("keyup", (event) => { const key = keyOf(event); if (key in KEYS) release(KEYS[key]); });
window.addEventListener("blur", () => { for (const action of [...held]) release(action); });

for (const [id, action] of [["ahead", FORWARD], ["left", LEFT], ["right", RIGHT]]) {
  $(id).addEventListener("pointerdown", (event) => { event.preventDefault(); $(id).setPointerCapture(event.pointerId); press(action); });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) $(id).addEventListener(kind, () => release(action));
  $(id).addEventListener("contextmenu", (event) => event.preventDefault());
}
for (const [id, act] of [["begin", start], ["play", toggle], ["found", found], ["again", newWalk], ["record", record], ["mute", mute]]) {
  $(id).addEventListener("click", () => { act(); $(id).blur(); });
}
$("help-open").addEventListener("click", () => $("help").showModal());
$("volume").addEventListener("input", setVolume);
$("every").addEventListener("change", () => { now.every = +$("every").value; $("every").blur(); });
$("curves").addEventListener("pointermove", hoverCurves);
$("curves").addEventListener("pointerleave", () => { now.hoverX = null; hideHover(); redraw(); });
window.addEventListener("resize", redraw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
document.addEventListener("visibilitychange", () => { if (document.hidden && now.running) { pause(); say("Paused while this tab was hidden. An arrow key continues.", 0); } });
window.addEventListener("pagehide", () => { if (now.walk) navigator.sendBeacon("close", JSON.stringify({ walk: now.walk })); });
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // its walk was closed

function buildChoice(id, choices, act) {
  $(id).replaceChildren(...choices.map(([value, label]) => {
    const button = document.createElement("button");
    button.textContent = label; button.dataset.value = value; button.addEventListener("click", () => { act(value); button.blur(); });
    return button;
  }));
}

function build() {
  document.body.classList.toggle("no-model", !model);
  $("scene").textContent = facts.scene;
  $("about").textContent = model ? `imagined by ${facts.run}` : "simulator";
  buildChoice("heard", HEARD, hear);
  buildChoice("shown", SHOWN, look);
  hear("simulator"); look("camera");
  const choices = [...new Set([0, 4, 8, 16, 32, 64, facts.anchor_every])].sort((a, b) => a - b);
  $("every").replaceChildren(...choices.map((steps) => new Option(steps ? `every ${steps} steps` : "never", steps)));
  $("every").value = now.every = facts.anchor_every;
  $("start-title").textContent = facts.sound === "ring" ? "Find the telephone" : "Find the sound";
  $("start-text").textContent = model ? "Left, the simulator. Right, what the model imagines of your steps." : "Walk through the house, and listen where it comes from.";
  const stops = facts.depth_colours.filter((_, n) => n % 32 === 0).map((rgb) => `rgb(${rgb.join()})`);
  document.documentElement.style.setProperty("--depth", `linear-gradient(90deg, ${stops.join()})`);
  for (const scale of document.querySelectorAll(".scale b")) scale.textContent = `${facts.farthest} m`;
  buildCurveLegend();
  $("map-note").textContent = model ? "simulator, imagination, source" : "path, heading, source";
}

async function begin() {
  build();
  try {
    await open(facts.seed, false);
    $("begin").disabled = false; $("begin").textContent = "Start";
    if (window.matchMedia("(pointer: fine)").matches) $("begin").focus();
    const plan = await fetch("plan");
    if (!plan.ok) throw new Error(await plan.text());
    now.plan = await plan.json();
    if (now.plan.picture) { now.planImage = loaded(now.plan.picture); now.planImage.addEventListener("load", redraw); }
    redraw();
  } catch (error) { $("begin").textContent = "Cannot start"; say(error.message); }
}
begin();
