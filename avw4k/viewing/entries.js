// The list of entries at the left: filters, search, rows.
"use strict";
const MOST_ROWS = 1500;

const FILTERS = [
  ["split", "all splits"], ["mode", "all modes"], ["scene", "all scenes"],
  ["outcome", "all outcomes"],
];
const outcome = (row) => (row.kind === "predicted" ? "predicted" : row.success ? "success" : "no success");

function buildFilters() {
  for (const [key, all] of FILTERS) {
    const values = [...new Set(library.entries.map((row) => (key === "outcome" ? outcome(row) : row[key])))].filter(Boolean).sort();
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
    const text = `${row.id} #${row.id} ${row.kind} ${row.mode} ${row.scene} ${row.split} ${row.sound || ""} ${outcome(row)}`.toLowerCase();
    return words.every((word) => text.includes(word)) && FILTERS.every(([key]) => {
      const wanted = $(`filter-${key}`).value;
      return !wanted || (key === "outcome" ? outcome(row) : row[key]) === wanted;
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
  if (row.kind === "predicted") {
    number.textContent = "✦"; name.textContent = "Predicted";
    more.textContent = `#${row.episode} from step ${row.step}, ${row.scene.split("/").pop()}`;
  } else {
    number.textContent = `#${row.id}`; name.textContent = row.mode;
    won.textContent = row.success ? "found" : "";
    const distance = row.geodesic_start === undefined ? "" : `, ${row.geodesic_start.toFixed(1)} → ${row.geodesic_end.toFixed(1)} m`;
    more.textContent = `${row.scene.split("/").pop()}${distance}`;
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
