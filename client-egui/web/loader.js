// Loads the viewer and starts it; says what is wrong if that is not possible.

const element = (id) => document.getElementById(id);

/** Covers the page: the viewer has stopped, or cannot start. Its code calls this when it panics. */
function fail(title, text, details) {
  element("splash")?.remove();
  element("failure-title").textContent = title;
  element("failure-text").textContent = text;
  element("failure-details").textContent = details ?? "";
  element("failure-details").hidden = !details;
  element("failure").hidden = false;
  element("failure-reload").focus();
}

window.rowcastFailed = (details) =>
  fail(
    "Rowcast has stopped",
    "Something went wrong in the viewer. What you saved is safe in the database; reload the page to go on.",
    details,
  );

element("failure-reload").addEventListener("click", () => location.reload());

// The viewer's own keys: the browser must not open its search (it finds nothing in a canvas).
addEventListener(
  "keydown",
  (event) => {
    const own = ["f", "g"].includes(event.key.toLowerCase());
    if (own && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      event.preventDefault();
    }
  },
  { capture: true },
);

function missing() {
  if (typeof WebAssembly !== "object") {
    return "This browser has no WebAssembly. Use a current version of Firefox, Chrome, Edge or Safari.";
  }
  const canvas = document.createElement("canvas");
  if (!canvas.getContext("webgl2") && !canvas.getContext("webgl")) {
    return "This browser has no WebGL, which draws the grid. Turn on hardware acceleration in its settings, then reload.";
  }
  return null;
}

async function start() {
  const reason = missing();
  if (reason) {
    fail("Rowcast cannot run in this browser", reason);
    return;
  }
  try {
    const { default: init, start_viewer } = await import("./client_egui.js");
    await init();
    await start_viewer(element("rowcast-canvas"));
    element("rowcast-canvas").focus();
    const splash = element("splash");
    splash?.addEventListener("transitionend", () => splash.remove(), { once: true });
    splash?.classList.add("done");
  } catch (error) {
    fail("Rowcast could not be loaded", "Check the connection to the server, then reload the page.", String(error));
  }
}

await start();
