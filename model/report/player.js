// Frames follow the clock of their sound: what is shown is always the frame that belongs to what is heard.
"use strict";
const INK = "#1f2937", TEAL = "#0f766e", RUST = "#c2410c", FAINT = "#d3dbe6";

function drawPlan(canvas, floor, map, frame) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(floor, 0, 0, canvas.width, canvas.height);
  const trace = (last, colour, width) => {
    pen.beginPath();
    map.path.slice(0, last + 1).forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.strokeStyle = colour; pen.lineWidth = width; pen.lineJoin = "round"; pen.lineCap = "round"; pen.stroke();
  };
  trace(map.path.length - 1, "rgba(255,255,255,0.85)", 6);
  trace(map.path.length - 1, "rgba(31,41,55,0.30)", 2.5);
  trace(frame, TEAL, 4);
  const [sx, sy] = map.source;
  for (const radius of [7, 13, 19]) {
    pen.beginPath(); pen.arc(sx, sy, radius, 0, 7);
    pen.strokeStyle = RUST; pen.lineWidth = 2; pen.globalAlpha = 1.15 - radius / 20; pen.stroke();
  }
  pen.globalAlpha = 1;
  pen.beginPath(); pen.arc(sx, sy, 4.5, 0, 7); pen.fillStyle = RUST; pen.fill();
  const [x, y, yaw] = map.path[Math.min(frame, map.path.length - 1)];
  pen.save(); pen.translate(x, y); pen.rotate(-yaw);
  pen.beginPath(); pen.moveTo(0, -13); pen.lineTo(9, 9); pen.lineTo(0, 4); pen.lineTo(-9, 9); pen.closePath();
  pen.fillStyle = TEAL; pen.fill(); pen.strokeStyle = "#fff"; pen.lineWidth = 2; pen.stroke();
  pen.restore();
}

function drawLevels(canvas, levels, share) {
  const pen = canvas.getContext("2d"), width = canvas.clientWidth, full = canvas.clientHeight, half = full / 2;
  if (canvas.width !== 2 * width) { canvas.width = 2 * width; canvas.height = 2 * full; }
  pen.setTransform(2, 0, 0, 2, 0, 0);
  pen.clearRect(0, 0, width, full);
  const bar = width / levels[0].length;
  levels.forEach((ear, side) => {
    ear.forEach((level, i) => {
      const height = Math.max(1, level * (half - 3));
      pen.fillStyle = i / ear.length <= share ? (side ? RUST : TEAL) : FAINT;
      if (side) pen.fillRect(i * bar, half + 1, Math.max(0.5, bar - 0.7), height);
      else pen.fillRect(i * bar, half - 1 - height, Math.max(0.5, bar - 0.7), height);
    });
  });
  pen.fillStyle = INK; pen.fillRect(share * width - 1, 0, 2, full);
  pen.font = "600 12px system-ui, sans-serif"; pen.fillStyle = INK;
  pen.fillText("left ear", 4, 13); pen.fillText("right ear", 4, full - 4);
}

for (const player of document.querySelectorAll(".player")) {
  const data = JSON.parse(player.querySelector("script").textContent);
  const audio = player.querySelector("audio"), views = [...player.querySelectorAll(".view")];
  const sheets = [...player.querySelectorAll(".sheet")];
  const plan = player.querySelector(".plan"), floor = player.querySelector(".floor");
  const strip = player.querySelector(".levels");
  const draw = () => {
    const time = audio.currentTime || 0, length = data.frames * data.step;
    const frame = Math.min(data.frames - 1, Math.floor(time / data.step + 1e-6));
    const column = frame % data.columns, row = Math.floor(frame / data.columns), size = data.size;
    views.forEach((view, i) => view.getContext("2d")
      .drawImage(sheets[i], column * size, row * size, size, size, 0, 0, view.width, view.height));
    if (plan) drawPlan(plan, floor, data.map, frame);
    if (strip) drawLevels(strip, data.levels, Math.min(1, time / length));
  };
  const run = () => { draw(); if (!audio.paused && !audio.ended) requestAnimationFrame(run); };
  for (const event of ["play", "seeked", "timeupdate"]) audio.addEventListener(event, run);
  // One sound at a time.
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
  if (strip) strip.addEventListener("click", (event) => {
    audio.currentTime = (event.offsetX / strip.clientWidth) * data.frames * data.step;
  });
  draw();
  for (const image of [...sheets, ...(floor ? [floor] : [])]) image.addEventListener("load", draw);
}
