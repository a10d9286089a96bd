// The page: a list to choose from, one clip on the stage, and one clock, which is the sound's.
"use strict";
const MOST_ROWS = 1500, RATES = [0.25, 0.5, 1, 2];
const $ = (id) => document.getElementById(id);
const library = JSON.parse($("data").textContent);
const now = { rows: [], id: null, clip: null, stage: null, layout: null, which: 0, sounds: [], hover: null, asked: 0 };

// ---- the list

const FILTERS = [
  ["split", "every split"], ["mode", "every mode"], ["scene", "every scene"],
  ["ending", "every ending"],
];
const ending = (row) => (row.kind === "imagined" ? "imagined" : row.success ? "success" : "no success");

function buildFilters() {
  for (const [key, all] of FILTERS) {
    const values = [...new Set(library.entries.map((row) => (key === "ending" ? ending(row) : row[key])))].filter(Boolean).sort();
    const select = document.createElement("select");
    select.id = `filter-${key}`; select.setAttribute("aria-label", key);
    select.append(new Option(all, ""), ...values.map((value) => new Option(value, value)));
    select.addEventListener("change", buildList);
    if (values.length < 2) select.disabled = true;
    $("filters").append(select);
  }
}

function buildList() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  now.rows = library.entries.filter((row) => {
    const text = `${row.id} #${row.id} ${row.kind} ${row.mode} ${row.scene} ${row.split} ${row.sound || ""} ${ending(row)}`.toLowerCase();
    return words.every((word) => text.includes(word)) && FILTERS.every(([key]) => {
      const wanted = $(`filter-${key}`).value;
      return !wanted || (key === "ending" ? ending(row) : row[key]) === wanted;
    });
  });
  const list = $("list");
  list.replaceChildren(...now.rows.slice(0, MOST_ROWS).map(rowElement));
  if (!now.rows.length) list.innerHTML = '<li class="none">Nothing matches.</li>';
  const shown = Math.min(MOST_ROWS, now.rows.length);
  $("count").textContent = `${shown < now.rows.length ? `${shown} of ` : ""}${now.rows.length} of ${library.entries.length}`.replace(/^(\d+) of \1$/, "$1 in all");
}

function rowElement(row) {
  const item = document.createElement("li"), number = document.createElement("span"), name = document.createElement("b");
  const won = document.createElement("span"), more = document.createElement("small");
  item.id = `row-${row.id}`; item.role = "option"; item.setAttribute("aria-selected", row.id === now.id);
  number.className = "n"; won.className = "won";
  if (row.kind === "imagined") {
    number.textContent = "✦"; name.textContent = "Imagined";
    more.textContent = `#${row.episode} from step ${row.step}, ${row.scene.split("/").pop()}`;
  } else {
    number.textContent = `#${row.id}`; name.textContent = row.mode;
    won.textContent = row.success ? "found" : "";
    const way = row.geodesic_start === undefined ? "" : `, ${row.geodesic_start.toFixed(1)} → ${row.geodesic_end.toFixed(1)} m`;
    more.textContent = `${row.scene.split("/").pop()}${way}`;
  }
  item.append(number, name, won, more);
  item.addEventListener("click", () => open(row.id));
  return item;
}

function neighbour(by) {
  const place = now.rows.findIndex((row) => row.id === now.id);
  const next = now.rows[Math.max(0, Math.min(now.rows.length - 1, place < 0 ? 0 : place + by))];
  if (next && next.id !== now.id) open(next.id);
}

// ---- one clip

async function open(id) {
  const row = library.entries.find((entry) => entry.id === id), ticket = ++now.asked;
  if (!row) return;
  pause();
  now.id = id;
  for (const item of $("list").children) item.setAttribute("aria-selected", item.id === `row-${id}`);
  const item = $(`row-${id}`);
  if (item) item.scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", `#${id}`);
  const slow = setTimeout(() => say("Reading the episode and drawing its house…"), 350);
  try {
    const clip = library.clips ? library.clips[id] : await fetched(id);
    if (ticket !== now.asked) return;
    show(row, clip);
    say("");
  } catch (error) {
    if (ticket === now.asked) say(error.message);
  } finally {
    clearTimeout(slow);
  }
}

async function fetched(id) {
  const answer = await fetch(`clip/${encodeURIComponent(id)}`).catch(() => { throw new Error("The viewer has ended: start avw view again."); });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function show(row, clip) {
  for (const sound of now.sounds) { sound.player.pause(); URL.revokeObjectURL(sound.player.src); }
  now.clip = clip; now.which = 0;
  now.sounds = clip.sounds.map((sound) => ({ ...sound, player: player(sound.audio), picture: loaded(sound.spectrogram) }));
  now.stage = stageOf(clip, $("stage"));
  layOut();
  $("lanes").setAttribute("aria-valuemax", (clip.frames * clip.step).toFixed(2));
  const where = [row.scene, row.split, row.shard ? `${row.shard}, demo ${row.demo}` : "", `sound +${clip.sounds[0].gain} dB for listening`.replace("+-", "−")];
  $("name").textContent = row.kind === "imagined" ? `Imagined from step ${row.step} of episode ${row.episode}` : `Episode ${row.id}: ${row.mode}`;
  $("where").textContent = where.filter(Boolean).join(" · ");
  const legend = clip.actions ? [...ACTIONS.slice(1), ACTIONS[0], ["collision", "--bad"]] : [];
  $("legend").replaceChildren(...legend.map(([name, variable]) => {
    const chip = document.createElement("span"), dot = document.createElement("i");
    dot.style.background = `var(${variable})`; chip.append(dot, name);
    return chip;
  }));
  $("sounds").replaceChildren(...(now.sounds.length > 1 ? now.sounds.map((sound, i) => {
    const button = document.createElement("button");
    button.textContent = sound.name; button.addEventListener("click", () => choose(i));
    return button;
  }) : []));
  choose(0);
  for (const image of [...now.stage.images, ...now.sounds.map((sound) => sound.picture)]) image.addEventListener("load", () => { if (now.clip === clip) redraw(); });
  redraw();
}

function layOut() {
  now.layout = lanesOf(now.clip, now.sounds[0]);
  $("tracks").style.height = `${now.layout.height + 12}px`;
  $("names").replaceChildren(...now.layout.lanes.map((lane) => {
    const box = document.createElement("div"), unit = document.createElement("small");
    box.style.top = `${lane.top + Math.max(0, lane.height / 2 - (lane.unit ? 18 : 11))}px`; box.textContent = lane.name; unit.textContent = lane.unit;
    box.append(unit);
    return box;
  }));
}

// From base64 to a blob, in which every browser can seek.
function player(uri) {
  const [head, body] = uri.split(","), bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  const audio = new Audio(URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] })));
  audio.preload = "auto";
  audio.addEventListener("ended", () => { $("play").parentElement.classList.remove("playing"); draw(); });
  audio.addEventListener("seeked", draw);
  return audio;
}

function choose(which) {
  const before = now.sounds[now.which].player, after = now.sounds[which].player, running = !before.paused;
  if (which !== now.which) { after.currentTime = before.currentTime; before.pause(); }
  now.which = which;
  after.volume = +$("volume").value; after.muted = document.body.classList.contains("muted"); after.playbackRate = +$("rate").value;
  [...$("sounds").children].forEach((button, i) => button.setAttribute("aria-pressed", i === which));
  if (running && after.paused) after.play();
  redraw();
}

// ---- the clock

const audio = () => now.sounds[now.which] && now.sounds[now.which].player;
const total = () => now.clip.frames * now.clip.step;
const seconds = () => Math.min(total(), now.wanted ?? (audio().currentTime || 0));
const frameAt = () => seconds() / now.clip.step - 1;

function seek(time) {
  if (!now.clip) return;
  // Until the browser has moved, the page is already there.
  now.wanted = Math.max(0, Math.min(total(), time));
  audio().currentTime = Math.min(now.wanted, total() - 1e-3);
  draw();
}

function toggle() {
  if (!now.clip) return;
  if (!audio().paused) return pause();
  if (seconds() >= total() - 0.01) seek(0);
  now.wanted = null;
  audio().play().then(() => { $("play").parentElement.classList.add("playing"); $("play").setAttribute("aria-label", "Pause"); run(); }, (error) => say(error.message));
}

function pause() {
  if (audio()) audio().pause();
  $("play").parentElement.classList.remove("playing"); $("play").setAttribute("aria-label", "Play");
}

function run() {
  if (!audio().paused) { now.wanted = null; draw(); requestAnimationFrame(run); }
}

function step(by) {
  pause();
  const frame = Math.max(0, Math.min(now.clip.frames - 1, Math.max(0, Math.round(frameAt())) + by));
  seek((frame + 1) * now.clip.step);
}

// ---- drawing

function redraw() {
  if (!now.clip) return;
  drawTracks($("drawn"), now.clip, now.sounds[now.which], now.sounds[now.which].picture, now.layout);
  draw();
}

function draw() {
  if (!now.clip) return;
  const time = seconds(), frame = Math.max(0, Math.min(now.clip.frames - 1, Math.round(frameAt())));
  drawStage(now.stage, now.clip, frameAt());
  drawCursor($("cursor"), time / total(), now.hover);
  $("time").innerHTML = `<b>${time.toFixed(2)}</b> of ${total().toFixed(2)} s, step <b>${frame}</b>`;
  $("lanes").setAttribute("aria-valuenow", time.toFixed(2));
  $("lanes").setAttribute("aria-valuetext", `${time.toFixed(2)} seconds, step ${frame}`);
  readout(frame, Math.floor(frameAt() + 1e-6));
}

function readout(frame, under) {
  const { clip } = now, sound = now.sounds[now.which], values = [];
  if (clip.distance) values.push(["to the source", `${clip.distance[frame].toFixed(2)} m`]);
  if (clip.actions) {
    const done = under >= 0 && under < clip.actions.length;
    values.push(["action", done ? ACTIONS[clip.actions[under]][0] + (clip.collided.includes(under) ? " ✕" : "") : "–"]);
    values.push(["reward", done ? clip.rewards[under].toFixed(3).replace("-", "−") : "–"]);
  }
  const ild = sound.ild[Math.min(sound.ild.length - 1, Math.round(seconds() / sound.ild_seconds))];
  values.push(["left − right", ild === null ? "silent" : `${ild.toFixed(1).replace("-", "−")} dB`]);
  const box = $("readout");
  if (box.children.length !== values.length) {
    box.replaceChildren(...values.map(() => { const pair = document.createElement("div"); pair.append(document.createElement("dt"), document.createElement("dd")); return pair; }));
  }
  values.forEach(([name, value], i) => { box.children[i].children[0].textContent = name; box.children[i].children[1].textContent = value; });
}

function say(text) { $("message").textContent = text; $("message").hidden = !text; }

// ---- hands

function scrub(event) {
  const box = $("lanes").getBoundingClientRect();
  now.hover = Math.max(0, Math.min(box.width, event.clientX - box.left));
  if (event.buttons & 1) seek((now.hover / box.width) * total()); else if (now.clip) drawCursor($("cursor"), seconds() / total(), now.hover);
}
$("lanes").addEventListener("pointerdown", (event) => { $("lanes").setPointerCapture(event.pointerId); scrub(event); });
$("lanes").addEventListener("pointermove", scrub);
$("lanes").addEventListener("pointerleave", () => { now.hover = null; draw(); });
$("play").addEventListener("click", toggle);
$("back").addEventListener("click", () => step(-1));
$("forth").addEventListener("click", () => step(1));
$("search").addEventListener("input", buildList);
$("rate").addEventListener("change", () => { for (const sound of now.sounds) sound.player.playbackRate = +$("rate").value; });
$("volume").addEventListener("input", () => { for (const sound of now.sounds) sound.player.volume = +$("volume").value; });
$("mute").addEventListener("click", mute);
$("help-open").addEventListener("click", () => $("help").showModal());
window.addEventListener("resize", () => { if (now.clip) { layOut(); redraw(); } });
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

function mute() {
  const muted = document.body.classList.toggle("muted");
  for (const sound of now.sounds) sound.player.muted = muted;
}

function faster(by) {
  const place = RATES.indexOf(+$("rate").value) + by;
  if (RATES[place]) { $("rate").value = RATES[place]; $("rate").dispatchEvent(new Event("change")); }
}

const KEYS = {
  " ": toggle, ArrowLeft: (e) => step(e.shiftKey ? -10 : -1), ArrowRight: (e) => step(e.shiftKey ? 10 : 1),
  Home: () => { pause(); seek(0); }, End: () => { pause(); seek(total()); },
  ArrowUp: () => neighbour(-1), ArrowDown: () => neighbour(1), k: () => neighbour(-1), j: () => neighbour(1),
  "/": () => $("search").focus(), "[": () => faster(-1), "]": () => faster(1), m: mute,
  s: () => now.sounds.length > 1 && choose(1 - now.which), "?": () => $("help").showModal(),
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === $("search")) { $("search").blur(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || $("help").open) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || (event.key === " " && event.target.tagName === "BUTTON")) return;
  event.preventDefault();
  if (now.clip || event.key === "/" || event.key === "?") action(event);
});

$("title").textContent = library.facts.title;
$("about").textContent = library.facts.about || "";
buildFilters();
buildList();
const asked = decodeURIComponent(location.hash.slice(1));
open(library.entries.some((row) => row.id === asked) ? asked : library.entries[0].id);
