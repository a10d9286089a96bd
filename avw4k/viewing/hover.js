// One box beside the pointer with the values below it. All pages use it.
"use strict";
const Hover = { box: null };

// x, y: of the pointer, in CSS pixels of the window · rows: [colour or null, name, value]
function showHover(x, y, title, rows) {
  if (!Hover.box) {
    Hover.box = document.createElement("div");
    Hover.box.className = "hover"; Hover.box.setAttribute("role", "tooltip");
    document.body.append(Hover.box);
  }
  const head = document.createElement("b");
  head.textContent = title;
  Hover.box.replaceChildren(head, ...rows.map(([colour, name, value]) => {
    const row = document.createElement("div"), dot = document.createElement("i"), what = document.createElement("span"), shown = document.createElement("output");
    if (colour) dot.style.background = colour;
    what.textContent = name; shown.textContent = value;
    row.append(dot, what, shown);
    return row;
  }));
  Hover.box.hidden = false;
  const { width, height } = Hover.box.getBoundingClientRect(), right = document.documentElement.clientWidth;
  const left = x + 16 + width <= right ? x + 16 : x - 16 - width;
  Hover.box.style.left = `${Math.max(4, Math.min(right - width - 4, left))}px`;
  Hover.box.style.top = `${Math.max(4, Math.min(window.innerHeight - height - 4, y + 14))}px`;
}

function hideHover() { if (Hover.box) Hover.box.hidden = true; }

// A number with its sign if it is negative, in typographic form.
function plain(value, digits) { return value.toFixed(digits).replace("-", "−"); }
