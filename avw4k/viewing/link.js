// The address of a moment: #episode=12&t=3.40. Older addresses have the name of the episode alone.
"use strict";

function readLink() {
  const values = new URLSearchParams(location.hash.slice(1)), id = values.get("episode") ?? [...values.keys()][0];
  const seconds = Number(values.get("t"));
  return { id: library.entries.some((row) => row.id === id) ? id : null, seconds: seconds > 0 ? seconds : 0 };
}

function linkTo(id, seconds) {
  return `#episode=${encodeURIComponent(id)}${seconds > 0 ? `&t=${seconds.toFixed(2)}` : ""}`;
}

// Browsers limit how often the address may change, so it follows a moment after the time has stopped changing.
let linkTimer = 0;
function updateLink() {
  if (!now.player || now.player.playing) return;
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    if (now.player.playing) return;
    const link = linkTo(now.player.id, now.player.seconds);
    if (location.hash !== link) history.replaceState(null, "", link);
  }, 200);
}
