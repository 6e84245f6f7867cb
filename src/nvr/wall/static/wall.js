// Keeps the words beside the picture current; without it they are as old as the page.
const picture = document.querySelector(".wall img");
picture.addEventListener("error", () => {
  setTimeout(() => { picture.src = `${picture.src.split("?")[0]}?again=${Date.now()}`; }, 2000);
});

async function refresh() {
  const status = document.getElementById("status");
  try {
    const answer = await fetch("/api/state.json", { cache: "no-store" });
    const state = await answer.json();
    status.textContent = state.summary;
    for (const camera of state.cameras) {
      const entry = document.getElementById(`camera-${camera.source_id}`);
      if (!entry) continue;
      const badge = entry.querySelector(".state");
      badge.textContent = camera.state;
      badge.dataset.state = camera.state;
      entry.querySelector(".detail").textContent = camera.detail;
    }
  } catch {
    status.textContent = "the wall does not answer";
  }
}

setInterval(refresh, 2000);
