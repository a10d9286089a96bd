// The 3-D view: points from the depth images along the path (point_cloud.py), the path, the agent and the source.
// A canvas with a depth buffer of its own, so it needs no GPU. Drag to turn, wheel or pinch to zoom, double-click resets.
"use strict";
const EYE = { turn: 0.4, tilt: 0.9, zoom: 1 }, TALL = 1.5, UNSEEN = 0.72; // radians · metres · mix of unseen points with the background

class PointView {
  constructor(canvas, { map, cloud }, onChange) {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
    this.canvas = canvas; this.onChange = onChange; this.eye = { ...EYE };
    this.points = new Int16Array(bytes(cloud.points)); this.colours = new Uint8Array(bytes(cloud.colours)); this.frames = new Uint16Array(bytes(cloud.frames));
    const metres = ([x, y, yaw]) => [map.origin[0] + x / map.metre, map.origin[1] + y / map.metre, yaw || 0];
    this.path = map.path.map(metres); this.source = map.source ? metres(map.source) : null; this.floor = cloud.floor;
    const placed = [...this.path, ...(this.source ? [this.source] : [])], span = (axis) => [Math.min(...placed.map((p) => p[axis])), Math.max(...placed.map((p) => p[axis]))];
    const [[x0, x1], [z0, z1]] = [span(0), span(1)];
    this.middle = [(x0 + x1) / 2, this.floor + TALL / 2, (z0 + z1) / 2]; this.reach = Math.hypot(x1 - x0, z1 - z0) / 2 + 1.5;
    this.listen();
  }

  listen() {
    const { canvas, eye } = this, down = new Map();
    const spread = () => { const [a, b] = [...down.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
    canvas.style.touchAction = "none";
    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); down.set(e.pointerId, { x: e.clientX, y: e.clientY }); });
    canvas.addEventListener("pointermove", (e) => {
      const last = down.get(e.pointerId);
      if (!last) return;
      const before = down.size === 2 ? spread() : 0;
      if (down.size === 1) { eye.turn -= (e.clientX - last.x) * 0.008; eye.tilt = Math.max(0.05, Math.min(1.57, eye.tilt + (e.clientY - last.y) * 0.008)); }
      last.x = e.clientX; last.y = e.clientY;
      if (before) this.magnify(spread() / before);
      this.onChange();
    });
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (e) => down.delete(e.pointerId));
    canvas.addEventListener("wheel", (e) => { e.preventDefault(); this.magnify(Math.exp(-e.deltaY * 0.0015)); this.onChange(); }, { passive: false });
    canvas.addEventListener("dblclick", () => { Object.assign(eye, EYE); this.onChange(); });
  }

  magnify(factor) { this.eye.zoom = Math.max(0.3, Math.min(12, this.eye.zoom * factor)); }

  // A function from metres to pixels of the canvas: x, y, the distance, and pixels per metre there. One array for all calls.
  projection(width, height) {
    const { turn, tilt, zoom } = this.eye, [mx, my, mz] = this.middle, away = 3 * this.reach, out = new Float64Array(4);
    const [st, ct, si, ci] = [Math.sin(turn), Math.cos(turn), Math.sin(tilt), Math.cos(tilt)], focal = 1.5 * Math.min(width, height) * zoom;
    return (x, y, z) => {
      const px = (x - mx) * ct - (z - mz) * st, ahead = (x - mx) * st + (z - mz) * ct;
      const depth = away - (ahead * ci + (y - my) * si), up = (y - my) * ci - ahead * si;
      out[0] = width / 2 + (focal * px) / depth; out[1] = height / 2 - (focal * up) / depth; out[2] = depth; out[3] = focal / depth;
      return out;
    };
  }

  draw(at) {
    const { pen, width, height } = fitted(this.canvas), ratio = this.canvas.width / width;
    const project = this.projection(this.canvas.width, this.canvas.height);
    this.drawPoints(pen, project, at);
    const place = ([x, z], y = 0.05) => Array.from(project(x, this.floor + y, z).slice(0, 2), (value) => value / ratio);
    const here = poseAt(this.path, at), walked = [...this.path.slice(0, Math.max(0, Math.floor(at)) + 1), here].map((p) => place(p));
    curve(pen, this.path.map((p) => place(p)), colour("--soft"), 1.6);
    curve(pen, walked, colour("--path"), 3.2);
    if (this.source) this.drawPole(pen, place(this.source), place(this.source, TALL), colour("--source"));
    this.drawHeading(pen, here, place);
  }

  // Later points are pale until the agent has seen them.
  drawPoints(pen, project, at) {
    const { width, height } = this.canvas, image = pen.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
    const nearest = new Float32Array(width * height).fill(Infinity), back = colour("--well").match(/\w\w/g).map((hex) => parseInt(hex, 16));
    const { points, colours, frames } = this;
    for (let n = 0; n < frames.length; n++) {
      const [x, y, depth, metre] = project(points[3 * n] / 100, points[3 * n + 1] / 100, points[3 * n + 2] / 100);
      if (depth < 0.2) continue;
      const own = frames[n] <= at + 0.5 ? 1 : 1 - UNSEEN, half = Math.max(1, Math.min(8, Math.round(metre * 0.06)));
      const mixed = (c) => colours[3 * n + c] * own + back[c] * (1 - own), packed = (255 << 24) | (mixed(2) << 16) | (mixed(1) << 8) | mixed(0);
      const left = Math.max(0, Math.round(x) - half), right = Math.min(width, Math.round(x) + half), bottom = Math.min(height, Math.round(y) + half);
      for (let row = Math.max(0, Math.round(y) - half); row < bottom; row++) {
        for (let place = row * width + left; place < row * width + right; place++) {
          if (depth < nearest[place]) { nearest[place] = depth; pixels[place] = packed; }
        }
      }
    }
    pen.putImageData(image, 0, 0);
  }

  drawPole(pen, low, high, stroke) {
    curve(pen, [low, high], stroke, 2);
    pen.beginPath(); pen.arc(high[0], high[1], 6, 0, 7); pen.fillStyle = stroke; pen.fill(); pen.strokeStyle = "#fff"; pen.lineWidth = 1.5; pen.stroke();
  }

  drawHeading(pen, [x, z, yaw], place) {
    const at = (forward, side) => place([x - forward * Math.sin(yaw) + side * Math.cos(yaw), z - forward * Math.cos(yaw) - side * Math.sin(yaw)]);
    const corners = [at(0.35, 0), at(-0.25, 0.22), at(-0.12, 0), at(-0.25, -0.22)];
    this.drawPole(pen, place([x, z]), place([x, z], TALL), colour("--path"));
    pen.beginPath(); corners.forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py))); pen.closePath();
    pen.fillStyle = colour("--path"); pen.fill(); pen.strokeStyle = "#fff"; pen.lineWidth = 1.5; pen.stroke();
  }
}
