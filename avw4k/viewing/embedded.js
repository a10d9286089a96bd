// Players inside other pages (see embedded.py): pictures, a strip with the level of each ear, and the browser's own
// audio controls.
"use strict";
const EARS = [["left ear", "#0f766e"], ["right ear", "#c2410c"]], LOUDNESS = 40; // dB that the strip spans (media.levels)

// levels: per ear, 0 to 1 · share: of the clip that has been played
function drawLevels(canvas, levels, share) {
  const { pen, width, height } = fitted(canvas), half = height / 2, bar = width / levels[0].length, style = getComputedStyle(canvas);
  levels.forEach((ear, side) => {
    ear.forEach((level, i) => {
      const high = Math.max(1, level * (half - 3));
      pen.fillStyle = i / ear.length <= share ? EARS[side][1] : style.getPropertyValue("--rest");
      pen.fillRect(i * bar, side ? half + 1 : half - 1 - high, Math.max(0.5, bar - 0.7), high);
    });
  });
  pen.fillStyle = style.getPropertyValue("--ink"); pen.fillRect(share * width - 1, 0, 2, height);
  pen.font = "600 12px system-ui, sans-serif";
  EARS.forEach(([name], side) => pen.fillText(name, 4, side ? height - 4 : 13));
}

// The levels below the pointer, relative to the loudest.
function hoverLevels(event, { clip, total }) {
  const share = Math.max(0, Math.min(1, event.offsetX / event.target.clientWidth)), seconds = share * total;
  const rows = clip.levels.map((ear, side) => {
    const level = ear[Math.min(ear.length - 1, Math.floor(share * ear.length))];
    return [EARS[side][1], EARS[side][0], level > 0 ? `${plain((level - 1) * LOUDNESS, 0)} dB` : `below ${plain(-LOUDNESS, 0)} dB`];
  });
  showHover(event.clientX, event.clientY, `${seconds.toFixed(2)} s`, rows);
}

for (const box of document.querySelectorAll(".player")) {
  const clip = JSON.parse(box.querySelector("script").textContent);
  const room = document.createElement("div"), strip = document.createElement("canvas");
  room.className = "views"; strip.className = "levels";
  box.append(room, strip);
  const player = new Player(clip, room, () => drawLevels(strip, clip.levels, player.seconds / player.total));
  box.player = player;
  if (clip.map) player.stage.plan.canvas.parentElement.style.aspectRatio = `${clip.map.width} / ${clip.map.height}`;
  player.audio.controls = true;
  box.append(player.audio);
  strip.addEventListener("click", (event) => player.seek((event.offsetX / strip.clientWidth) * player.total));
  strip.addEventListener("pointermove", (event) => hoverLevels(event, player));
  strip.addEventListener("pointerleave", hideHover);
  window.addEventListener("resize", () => player.draw());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => player.draw());
  player.draw();
}
