// The list of entries at the left: filters, search, rows.
"use strict";
const MOST_ROWS = 1500;
const KINDS = { episode: "dataset", predicted: "imagined futures", played: "recorded policies" };
const FILTERS = [ // name, text for all, value of a row
  ["kind", "all entries", (row) => KINDS[row.kind]], ["policy", "all policies", (row) => row.policy], ["split", "all splits", (row) => row.split],
  ["mode", "all modes", (row) => row.mode], ["scene", "all scenes", (row) => row.scene], ["outcome", "all outcomes", outcome],
];

function outcome(row) { return row.kind === "predicted" ? "" : row.success ? "success" : "no success"; }

// A filter with fewer than two values is left out.
function buildFilters() {
  for (const [key, all, of] of FILTERS) {
    const values = [...new Set(library.entries.map(of))].filter(Boolean).sort();
    const select = document.createElement("select");
    select.id = `filter-${key}`; select.setAttribute("aria-label", key); select.hidden = values.length < 2;
    select.append(new Option(all, ""), ...values.map((value) => new Option(value, value)));
    select.addEventListener("change", buildList);
    $("filters").append(select);
  }
}

// The words of an entry that a search can find: whole values, and their parts between separators.
function wordsOf(row) {
  if (!row.words) {
    const number = row.episode ?? row.id;
    const values = [`#${row.id}`, `#${number}`, row.id, KINDS[row.kind], row.mode, row.policy, row.scene, row.split, row.sound, outcome(row)].filter(Boolean);
    row.words = new Set(values.flatMap((value) => [value, ...value.split(/[^\p{L}\p{N}#]+/u)]).map((word) => word.toLowerCase()));
  }
  return row.words;
}

// Whole words. The last one may still be typed: a beginning without digits is enough.
function matches(row, words, typing) {
  const known = wordsOf(row);
  return words.every((word, i) => known.has(word)
    || (typing && i === words.length - 1 && !/[\d#]/.test(word) && [...known].some((other) => other.startsWith(word))));
}

function buildList() {
  const text = $("search").value.toLowerCase(), words = text.split(/\s+/).filter(Boolean);
  now.rows = library.entries.filter((row) => matches(row, words, !text.endsWith(" "))
    && FILTERS.every(([key, , of]) => [of(row), ""].includes($(`filter-${key}`).value)));
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
  const scene = row.scene.split("/").pop();
  if (row.kind === "predicted") {
    number.textContent = "✦"; name.textContent = "Predicted";
    more.textContent = `#${row.episode} from step ${row.step}, ${scene}`;
  } else {
    number.textContent = `#${row.episode ?? row.id}`; name.textContent = row.policy || row.mode;
    won.textContent = row.success ? "success" : "";
    more.textContent = row.geodesic_start === undefined ? scene : `${scene}, ${row.geodesic_start.toFixed(1)} → ${row.geodesic_end.toFixed(1)} m`;
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

function titleOf(row) {
  if (row.kind === "predicted") return `Predicted from step ${row.step} of episode ${row.episode}`;
  return `Episode ${row.episode ?? row.id}: ${row.policy || row.mode}`;
}
