// The pictures of a clip: frames from their sheets, and the agent on the floor plan.
"use strict";

function stageOf(clip, room) {
  room.replaceChildren();
  const views = clip.views.map((view) => {
    const canvas = pane(room, "square", view.caption, view.about);
    if (view.ramp) {
      canvas.parentElement.append(rampBar(view.ramp));
      hoverRamp(canvas, view);
    }
    return { canvas, caption: view.caption, image: loaded(view.sheet) };
  });
  const plan = clip.map ? { canvas: pane(room, "map", "Floor plan", "path, heading, source"), image: clip.map.picture ? loaded(clip.map.picture) : null } : null;
  return { views, plan, images: [...views.map((view) => view.image), ...(plan && plan.image ? [plan.image] : [])] };
}

function pane(room, kind, caption, about) {
  const figure = document.createElement("figure"), frame = document.createElement("div");
  const canvas = document.createElement("canvas"), text = document.createElement("figcaption"), more = document.createElement("span");
  figure.className = kind; frame.className = "frame"; text.textContent = caption; more.textContent = about;
  canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", caption);
  text.append(more); frame.append(canvas); figure.append(frame, text); room.append(figure);
  return canvas;
}

// The value below the pointer, e.g. the depth.
function hoverRamp(canvas, { caption, ramp }) {
  canvas.addEventListener("pointermove", (event) => {
    const ratio = canvas.width / canvas.clientWidth;
    const { data } = canvas.getContext("2d").getImageData(Math.floor(event.offsetX * ratio), Math.floor(event.offsetY * ratio), 1, 1);
    const value = rampValue(ramp, data);
    showHover(event.clientX, event.clientY, caption, [[`rgb(${data.slice(0, 3).join()})`, "", value === null ? "missing" : `${plain(value, 1)} ${ramp.unit}`]]);
  });
  canvas.addEventListener("pointerleave", hideHover);
}

function loaded(source) {
  const image = new Image();
  image.src = source;
  return image;
}

// A canvas with the resolution of the screen. Drawing is in CSS pixels.
function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

// at: frames since the first one, a real number. Pictures show the nearest frame; the map interpolates.
function drawStage(stage, clip, at) {
  const frame = Math.max(0, Math.min(clip.frames - 1, Math.round(at)));
  for (const view of stage.views) {
    const { canvas, image } = view;
    if (!changed(view, frame)) continue;
    const { pen, width, height } = fitted(canvas);
    if (!image.complete || !image.naturalWidth) continue;
    const column = frame % clip.columns, row = Math.floor(frame / clip.columns), size = clip.size;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, column * size, row * size, size, size, 0, 0, width, height);
  }
  if (stage.plan && changed(stage.plan, at)) drawPlan(stage.plan, clip, at);
}

// Whether a picture would look different than when it was drawn last.
function changed(view, what) {
  const { canvas, image } = view, loaded = Boolean(image && image.complete && image.naturalWidth);
  const state = [what, canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio, loaded, dark()].join();
  const other = state !== view.drawn;
  view.drawn = state;
  return other;
}

// Whether the page has a dark version, and the reader prefers it.
function dark() {
  const schemes = getComputedStyle(document.documentElement).colorScheme;
  return schemes.includes("dark") && window.matchMedia("(prefers-color-scheme: dark)").matches;
}

function poseAt(path, at) {
  const s = Math.max(0, Math.min(path.length - 1, at)), k = Math.min(path.length - 2, Math.floor(s)), u = s - k;
  if (path.length < 2) return path[0];
  const [a, b] = [path[k], path[k + 1]], turn = ((b[2] - a[2] + 3 * Math.PI) % (2 * Math.PI)) - Math.PI;
  return [a[0] + u * (b[0] - a[0]), a[1] + u * (b[1] - a[1]), a[2] + u * turn];
}

function drawPlan({ canvas, image }, clip, at) {
  const { pen, width, height } = fitted(canvas), map = clip.map;
  pen.fillStyle = "#fafaf8"; pen.fillRect(0, 0, width, height);
  const scale = Math.min(width / map.width, height / map.height), dot = 1 / scale;
  pen.translate((width - map.width * scale) / 2, (height - map.height * scale) / 2);
  pen.scale(scale, scale);
  if (image && image.complete && image.naturalWidth) {
    pen.globalAlpha = 0.86; pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, map.width, map.height); pen.globalAlpha = 1;
  }
  if (dark()) {
    pen.fillStyle = "rgba(16,21,26,0.3)"; pen.fillRect(-width * dot, -height * dot, 3 * width * dot, 3 * height * dot);
  }
  for (const [name, x, y, wide] of map.rooms || []) drawRoom(pen, name, x, y, wide, dot);
  const walked = Math.max(0, Math.floor(at)), here = poseAt(map.path, at), [x, y, yaw] = here;
  const trace = (points, stroke, wide) => {
    pen.beginPath(); points.forEach((p, i) => (i ? pen.lineTo(p[0], p[1]) : pen.moveTo(p[0], p[1])));
    pen.strokeStyle = stroke; pen.lineWidth = wide * dot; pen.lineJoin = "round"; pen.lineCap = "round"; pen.stroke();
  };
  trace(map.path, "rgba(255,255,255,0.72)", 4.2);
  trace(map.path, "rgba(40,52,66,0.62)", 1.4);
  trace([...map.path.slice(0, walked + 1), here], "rgba(255,255,255,0.9)", 6);
  trace([...map.path.slice(0, walked + 1), here], "#0f766e", 3.4);
  if (map.source) drawSource(pen, map.source, clip.success_distance * map.metre, dot);
  const [bx, by] = map.path[0];
  pen.beginPath(); pen.arc(bx, by, 4 * dot, 0, 7); pen.fillStyle = "#fff"; pen.fill();
  pen.strokeStyle = "#28343f"; pen.lineWidth = 2 * dot; pen.stroke();
  const reach = 1.6 * map.metre, half = (clip.hfov / 2) * (Math.PI / 180), ahead = -yaw - Math.PI / 2;
  const cone = pen.createRadialGradient(x, y, 0, x, y, reach);
  cone.addColorStop(0, "rgba(15,118,110,0.42)"); cone.addColorStop(1, "rgba(15,118,110,0)");
  pen.beginPath(); pen.moveTo(x, y); pen.arc(x, y, reach, ahead - half, ahead + half); pen.closePath();
  pen.fillStyle = cone; pen.fill();
  drawAgent(pen, here, dot, "#0f766e");
  pen.save();
  pen.setTransform(window.devicePixelRatio || 1, 0, 0, window.devicePixelRatio || 1, 0, 0);
  drawScaleBar(pen, map.metre * scale, height);
  pen.restore(); // play.js draws more on the plan
}

// The name of a room, if it fits in there.
function drawRoom(pen, name, x, y, wide, dot) {
  pen.font = `600 ${11 * dot}px system-ui, sans-serif`; pen.textAlign = "center"; pen.textBaseline = "middle";
  if (pen.measureText(name).width > wide) return;
  pen.lineWidth = 3 * dot; pen.lineJoin = "round"; pen.strokeStyle = "rgba(255,255,255,0.8)"; pen.strokeText(name, x, y);
  pen.fillStyle = "#28343f"; pen.fillText(name, x, y);
}

// A round number of metres at the lower left. metre: CSS pixels of one
function drawScaleBar(pen, metre, height) {
  const length = [0.5, 1, 2, 5, 10, 20, 50].find((metres) => metres * metre >= 44) || 100, wide = length * metre;
  pen.fillStyle = "rgba(255,255,255,0.78)"; pen.fillRect(6, height - 28, wide + 12, 22);
  pen.strokeStyle = pen.fillStyle = "#28343f"; pen.lineWidth = 1.5;
  pen.beginPath(); pen.moveTo(12, height - 15); pen.lineTo(12, height - 10); pen.lineTo(12 + wide, height - 10); pen.lineTo(12 + wide, height - 15); pen.stroke();
  pen.font = "11px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "bottom";
  pen.fillText(`${length} m`, 12 + wide / 2, height - 12);
}

// radius: of the success distance, in pixels of the plan · dot: size of a pixel of the screen
function drawSource(pen, [x, y], radius, dot) {
  pen.strokeStyle = "#c2410c"; pen.lineWidth = 1.2 * dot; pen.setLineDash([4 * dot, 4 * dot]);
  pen.beginPath(); pen.arc(x, y, radius, 0, 7); pen.stroke(); pen.setLineDash([]);
  [[6, 1], [10.5, 0.65], [15, 0.35]].forEach(([ring, alpha]) => {
    pen.globalAlpha = alpha; pen.lineWidth = 1.8 * dot;
    pen.beginPath(); pen.arc(x, y, ring * dot, 0, 7); pen.stroke();
  });
  pen.globalAlpha = 1; pen.beginPath(); pen.arc(x, y, 3.6 * dot, 0, 7); pen.fillStyle = "#c2410c"; pen.fill();
}

function drawAgent(pen, [x, y, yaw], dot, fill) {
  pen.save(); pen.translate(x, y); pen.rotate(-yaw); pen.scale(dot, dot);
  pen.beginPath(); pen.moveTo(0, -11); pen.lineTo(7.5, 8); pen.lineTo(0, 4); pen.lineTo(-7.5, 8); pen.closePath();
  pen.fillStyle = fill; pen.fill(); pen.strokeStyle = "#fff"; pen.lineWidth = 1.8; pen.stroke();
  pen.restore();
}
