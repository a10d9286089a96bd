// Colour ramps (colour_ramp.py): the colour bar, and the value that a colour stands for.
"use strict";

function rampBar(ramp) {
  const bar = document.createElement("span"), colours = document.createElement("i");
  bar.className = "ramp";
  colours.style.background = `linear-gradient(90deg, ${ramp.stops.map((rgb) => `rgb(${rgb.join()})`).join()})`;
  bar.append(plain(ramp.low, 0), colours, `${plain(ramp.high, 0)} ${ramp.unit}`);
  return bar;
}

// The value at the nearest point of the line through the colours of the ramp; null for a colour far from it, e.g. black.
function rampValue({ stops, low, high }, [r, g, b]) {
  let best = Infinity, share = 0;
  for (let i = 0; i + 1 < stops.length; i++) {
    const from = stops[i], along = stops[i + 1].map((value, c) => value - from[c]), to = [r - from[0], g - from[1], b - from[2]];
    const dot = (one, other) => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
    const u = Math.max(0, Math.min(1, dot(to, along) / dot(along, along)));
    const away = dot(to, to) - 2 * u * dot(to, along) + u * u * dot(along, along);
    if (away < best) { best = away; share = (i + u) / (stops.length - 1); }
  }
  return best > 60 * 60 ? null : low + share * (high - low);
}
