// The viewer's page: a list of episodes, and the player with its lanes for the one that is open.
"use strict";
const RATES = [0.25, 0.5, 1, 2];
const $ = (id) => document.getElementById(id);
const library = JSON.parse($("data").textContent);
const now = { rows: [], id: null, player: null, layout: null, hover: null, asked: 0, hidden: new Set(), part: null, space: null, spatial: false };

// ---- one clip

// seconds: where to open it
async function open(id, seconds = 0) {
  const row = library.entries.find((entry) => entry.id === id), ticket = ++now.asked;
  if (!row) return;
  if (now.player) now.player.pause();
  now.id = id;
  for (const item of $("list").children) item.setAttribute("aria-selected", item.id === `row-${id}`);
  const item = $(`row-${id}`);
  if (item) item.scrollIntoView({ block: "nearest" });
  const slow = setTimeout(() => say("Reading the episode and drawing the floor plan…"), 350);
  try {
    const clip = library.clips ? library.clips[id] : await fetched(id);
    if (ticket !== now.asked) return;
    show(row, clip);
    if (seconds) now.player.seek(seconds);
    updateLink();
    say("");
  } catch (error) {
    if (ticket === now.asked) say(error.message);
  } finally {
    clearTimeout(slow);
  }
}

async function fetched(id) {
  const answer = await fetch(`clip/${encodeURIComponent(id)}`).catch(() => { throw new Error("The viewer is not running any more: start avw view again."); });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function show(row, clip) {
  if (now.player) now.player.release();
  now.part = null; $("menu").open = false;
  const player = now.player = new Player(clip, $("stage"), draw);
  player.id = row.id; // now.id is that of the clip that is still being read
  for (const { picture } of player.sounds) picture.addEventListener("load", () => { if (now.player === player) redraw(); });
  player.set("volume", +$("volume").value);
  player.set("muted", document.body.classList.contains("muted"));
  player.set("playbackRate", +$("rate").value);
  $("lanes").setAttribute("aria-valuemax", player.total.toFixed(2));
  const where = [row.scene, row.split, row.shard ? `${row.shard}, demo ${row.demo}` : "", `sound +${clip.sounds[0].gain} dB for listening`.replace("+-", "−")];
  $("name").textContent = titleOf(row);
  $("where").textContent = where.filter(Boolean).join(" · ");
  $("sounds").replaceChildren(...(player.sounds.length > 1 ? player.sounds.map((sound, i) => {
    const button = document.createElement("button");
    button.textContent = sound.name; button.addEventListener("click", () => choose(i));
    return button;
  }) : []));
  buildSpace(player);
  choose(0);
}

// A second canvas over the floor plan, and the buttons that choose between them.
function buildSpace({ clip, stage }) {
  if (!clip.cloud) return;
  const { canvas } = stage.plan, space = document.createElement("canvas"), choice = document.createElement("span");
  space.id = "space"; space.setAttribute("role", "img"); space.setAttribute("aria-label", "3-D view"); space.tabIndex = 0;
  canvas.parentElement.append(space);
  now.space = new PointView(space, clip, () => { now.space.stale = true; draw(now.player); });
  choice.className = "choice";
  for (const [name, value] of [["Floor plan", false], ["3-D", true]]) {
    const button = document.createElement("button");
    button.textContent = name; button.dataset.value = value; button.addEventListener("click", () => look(value));
    choice.append(button);
  }
  canvas.closest("figure").querySelector("figcaption").replaceChildren(choice);
  look(now.spatial);
}

function look(spatial) {
  now.spatial = spatial;
  if (!now.player.clip.cloud) return;
  $("space").hidden = !spatial;
  for (const button of document.querySelectorAll(".choice button")) button.setAttribute("aria-pressed", button.dataset.value === String(spatial));
  now.space.stale = true;
  draw(now.player);
}

function layOut() {
  const { clip, sound } = now.player, { lanes, height } = now.layout = layoutOf(clip, sound, now.hidden);
  $("tracks").style.height = `${height + 12}px`;
  $("names").replaceChildren(...lanes.flatMap((lane) => [nameOf(lane), ...ticksOf(lane)]));
  const actions = lanes.find((lane) => lane.name === "Action");
  $("legend").replaceChildren(...(actions ? actions.series.map(chipOf) : []));
}

// The name of a lane, with its unit, its series and its colour bar.
function nameOf(lane) {
  const box = document.createElement("div"), unit = document.createElement("small");
  box.className = "name";
  box.style.top = `${lane.top}px`; box.style.height = `${lane.height}px`; box.textContent = lane.name;
  unit.textContent = lane.unit;
  if (lane.series.length > 1 && lane.name !== "Action") unit.append(...lane.series.map(chipOf));
  box.append(unit);
  if (lane.ramp && lane.height > 80) box.append(rampBar(lane.ramp));
  return box;
}

// Clicking a series in a legend hides or shows it.
function chipOf(series) {
  const chip = document.createElement("button"), dot = document.createElement("i");
  chip.className = "series"; chip.dataset.key = series.key; chip.title = "Hide or show";
  chip.setAttribute("aria-pressed", !now.hidden.has(series.key));
  dot.style.background = `var(${series.variable})`; chip.append(dot, series.name);
  chip.addEventListener("click", () => {
    if (!now.hidden.delete(series.key)) now.hidden.add(series.key);
    layOut(); redraw();
  });
  return chip;
}

// The axis of a lane.
function ticksOf(lane) {
  return partsOf(lane).flatMap(({ y, ear }, part, parts) => lane.marks.map((value, i) => {
    const tick = document.createElement("span");
    if (parts.length > 1 && lane.height / parts.length < 60 && (lane.name === "Waveform" ? value : i === lane.marks.length - 1 && part === 0)) return null;
    const unit = lane.markUnit && i === 0 && part === 0 ? ` ${lane.markUnit}` : "";
    tick.className = "tick"; tick.style.top = `${lane.top + Math.max(5, Math.min(lane.height - 5, y(value)))}px`;
    tick.textContent = `${lane.low < 0 && value > 0 && lane.name !== "Waveform" ? "+" : ""}${plain(value, Number.isInteger(value) ? 0 : 1)}${unit}`;
    return tick;
  })).filter(Boolean);
}

function choose(which) {
  now.player.choose(which);
  layOut();
  [...$("sounds").children].forEach((button, i) => button.setAttribute("aria-pressed", i === which));
  redraw();
}

function toggle() { now.player.toggle().catch((error) => say(error.message)); }

// ---- drawing

function redraw() {
  const { clip, sound } = now.player;
  drawTracks($("drawn"), clip, sound, now.layout);
  now.player.draw();
}

// Everything that follows the time; the pictures are drawn by the player.
function draw(player) {
  if (player !== now.player) return; // an image of an earlier clip arrived late
  const { seconds, total, frame } = player;
  drawCursor($("cursor"), seconds / total, now.hover, now.part && now.part.map((time) => time / total));
  updateLink();
  if (now.spatial && player.clip.cloud && (changed(now.space, player.position) || now.space.stale)) { now.space.stale = false; now.space.draw(player.position); }
  $("time").innerHTML = `<b>${seconds.toFixed(2)}</b> of ${total.toFixed(2)} s, step <b>${frame}</b>`;
  $("lanes").setAttribute("aria-valuenow", seconds.toFixed(2));
  $("lanes").setAttribute("aria-valuetext", `${seconds.toFixed(2)} seconds, step ${frame}`);
  $("play").parentElement.classList.toggle("playing", player.playing);
  $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  readout(player, frame, Math.floor(player.position + 1e-6));
}

// under: the action that is in progress
function readout(player, frame, under) {
  const { clip, sound, seconds } = player, values = [];
  if (clip.distance) values.push(["distance", `${clip.distance[frame].toFixed(2)} m`]);
  if (clip.actions) {
    const done = under >= 0 && under < clip.actions.length;
    values.push(["action", done ? ACTIONS[clip.actions[under]][0] + (clip.collided.includes(under) ? " ✕" : "") : "–"]);
    if (clip.rewards) values.push(["reward", done ? clip.rewards[under].toFixed(3).replace("-", "−") : "–"]);
  }
  const ild = sound.ild[Math.min(sound.ild.length - 1, Math.round(seconds / sound.ild_seconds))];
  values.push(["ILD", ild === null ? "silent" : `${ild.toFixed(1).replace("-", "−")} dB`]);
  const box = $("readout");
  if (box.children.length !== values.length) {
    box.replaceChildren(...values.map(() => { const pair = document.createElement("div"); pair.append(document.createElement("dt"), document.createElement("dd")); return pair; }));
  }
  values.forEach(([name, value], i) => { box.children[i].children[0].textContent = name; box.children[i].children[1].textContent = value; });
}

function say(text) { $("message").textContent = text; $("message").hidden = !text; }

// ---- input

function scrub(event) {
  if (!now.player) return;
  const box = $("lanes").getBoundingClientRect();
  now.hover = Math.max(0, Math.min(box.width, event.clientX - box.left));
  const seconds = (now.hover / box.width) * now.player.total;
  if (event.buttons & 1 && event.shiftKey) mark(seconds, event.type === "pointerdown");
  else if (event.buttons & 1) now.player.seek(seconds); else draw(now.player);
  hoverTracks(event.clientX, event.clientY, now.hover / box.width, event.clientY - box.top);
}

// Shift and dragging marks a part, which the downloads take.
let marked = 0;
function mark(seconds, begin) {
  if (begin) marked = seconds;
  now.part = Math.abs(seconds - marked) < 0.02 ? null : [Math.min(marked, seconds), Math.max(marked, seconds)];
  draw(now.player);
}

function unmark() { now.part = null; draw(now.player); }

// A file is made of what is shown at the click, which the keys may have changed since the menu was opened.
function buildDownloads() {
  const items = () => downloadsOf(now.player, now.part);
  now.player.pause();
  $("downloads").replaceChildren(...items().map(([label], i) => {
    const button = document.createElement("button");
    button.className = "item"; button.textContent = label;
    button.addEventListener("click", () => { $("menu").open = false; items()[i][1]().catch((error) => say(error.message)); });
    return button;
  }));
}

// The values of all shown series at the time below the pointer.
function hoverTracks(x, y, share, height) {
  const { clip, total } = now.player, seconds = share * total, rows = [];
  for (const lane of now.layout.lanes) {
    const inside = height >= lane.top && height <= lane.top + lane.height ? valueAt(lane, height - lane.top) : null;
    const kilohertz = lane.ramp && inside ? inside.value : undefined;
    for (const series of lane.series) {
      const text = lane.shown.has(series.name) ? valueText(series, series.at(seconds, kilohertz)) : "";
      const name = lane.series.length === 1 ? lane.name : lane.name === "Action" ? (series.name === text ? "Action" : "Collision") : `${lane.name}, ${series.name}`;
      if (text && !series.constant) rows.push([colour(series.variable), kilohertz === undefined ? name : `${name}, ${kilohertz.toFixed(1)} kHz`, text]);
    }
  }
  showHover(x, y, `${seconds.toFixed(2)} s, step ${frameAt(clip, seconds)}`, rows);
}
function leave() { now.hover = null; hideHover(); if (now.player) draw(now.player); }

$("lanes").addEventListener("pointerdown", (event) => { $("lanes").setPointerCapture(event.pointerId); scrub(event); });
$("lanes").addEventListener("pointermove", scrub);
$("lanes").addEventListener("pointerleave", leave);
$("play").addEventListener("click", () => now.player && toggle());
$("back").addEventListener("click", () => now.player && now.player.step(-1));
$("forth").addEventListener("click", () => now.player && now.player.step(1));
$("search").addEventListener("input", buildList);
$("menu").addEventListener("toggle", () => { if ($("menu").open && now.player) buildDownloads(); });
document.addEventListener("pointerdown", (event) => { if (!$("menu").contains(event.target)) $("menu").open = false; });
window.addEventListener("hashchange", () => { const { id, seconds } = readLink(); if (id) open(id, seconds); });
$("rate").addEventListener("change", () => now.player && now.player.set("playbackRate", +$("rate").value));
$("volume").addEventListener("input", () => now.player && now.player.set("volume", +$("volume").value));
$("mute").addEventListener("click", mute);
$("help-open").addEventListener("click", () => $("help").showModal());
document.addEventListener("visibilitychange", () => { if (now.player && !document.hidden) now.player.draw(); });
window.addEventListener("resize", () => { if (now.player) { layOut(); redraw(); } });
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => now.player && redraw());

function mute() {
  const muted = document.body.classList.toggle("muted");
  if (now.player) now.player.set("muted", muted);
}

function faster(by) {
  const place = RATES.indexOf(+$("rate").value) + by;
  if (RATES[place]) { $("rate").value = RATES[place]; $("rate").dispatchEvent(new Event("change")); }
}

// The frame of the next or the previous decision of a planner.
function decide(by) {
  const { player } = now, frames = player.clip.decisions || [], here = player.frame;
  const next = by > 0 ? frames.find((frame) => frame > here) : [...frames].reverse().find((frame) => frame < here);
  if (next !== undefined) player.step(next - here);
}

const KEYS = {
  d: (e) => decide(e.shiftKey ? -1 : 1),
  " ": toggle, ArrowLeft: (e) => now.player.step(e.shiftKey ? -10 : -1), ArrowRight: (e) => now.player.step(e.shiftKey ? 10 : 1),
  Home: () => { now.player.pause(); now.player.seek(0); }, End: () => { now.player.pause(); now.player.seek(now.player.total); },
  ArrowUp: () => neighbour(-1), ArrowDown: () => neighbour(1), k: () => neighbour(-1), j: () => neighbour(1),
  "/": () => $("search").focus(), "[": () => faster(-1), "]": () => faster(1), m: mute,
  v: () => look(!now.spatial),
  s: () => now.player.sounds.length > 1 && choose(1 - now.player.which), "?": () => $("help").showModal(),
  Escape: () => { $("menu").open = false; unmark(); },
};
document.addEventListener("keydown", (event) => {
  if (event.target === $("search")) {
    if (event.key === "Enter" && now.rows.length) open(now.rows[0].id);
    if (event.key === "Enter" || event.key === "Escape") $("search").blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || $("help").open) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || (event.key === " " && event.target.tagName === "BUTTON")) return;
  event.preventDefault();
  if (now.player || event.key === "/" || event.key === "?") action(event);
});

$("title").textContent = library.facts.title;
$("about").textContent = library.facts.about || "";
buildFilters();
buildList();
const link = readLink();
open(link.id ?? library.entries[0].id, link.id ? link.seconds : 0);
