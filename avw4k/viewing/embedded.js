// Players inside other pages (see embedded.py): pictures, a strip with the level of each ear, and the browser's own
// audio controls.
"use strict";
const INK = "#1f2937", EARS = [["left ear", "#0f766e"], ["right ear", "#c2410c"]], REST = "#d3dbe6";

// levels: per ear, 0 to 1 · share: of the clip that has been played
function drawLevels(canvas, levels, share) {
  const { pen, width, height } = fitted(canvas), half = height / 2, bar = width / levels[0].length;
  levels.forEach((ear, side) => {
    ear.forEach((level, i) => {
      const high = Math.max(1, level * (half - 3));
      pen.fillStyle = i / ear.length <= share ? EARS[side][1] : REST;
      pen.fillRect(i * bar, side ? half + 1 : half - 1 - high, Math.max(0.5, bar - 0.7), high);
    });
  });
  pen.fillStyle = INK; pen.fillRect(share * width - 1, 0, 2, height);
  pen.font = "600 12px system-ui, sans-serif";
  EARS.forEach(([name], side) => pen.fillText(name, 4, side ? height - 4 : 13));
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
  window.addEventListener("resize", () => player.draw());
  player.draw();
}
