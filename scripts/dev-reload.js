// Added to the page by dev.sh: reloads it when the web viewer was rebuilt.
let shown;
setInterval(async () => {
  const answer = await fetch("build-id.txt", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const built = await answer.text();
  if (shown && built !== shown) location.reload();
  shown = built;
}, 1000);
