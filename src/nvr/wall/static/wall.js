// Keeps picture and words current; without it the words are as old as the page.
const picture = document.querySelector(".wall img");
let missed = 0;

// A browser does not say that a stream of pictures has ended: it keeps the last one. So each stream has an id, and the
// wall tells which ones it is sending.
function reload() {
  missed = 0;
  picture.src = `${picture.src.split("?")[0]}?id=${Math.random().toString(36).slice(2)}`;
}

function check(streams) {
  const id = new URL(picture.src).searchParams.get("id");
  missed = streams.includes(id) ? 0 : missed + 1;
  document.body.classList.toggle("lost", missed > 0);
  if (missed > 1) reload();
}

// Cameras come and go while the wall runs: the page is then built anew, or left if its camera is gone.
function hasOtherCameras(cameras) {
  const listed = [...document.querySelectorAll(".cameras > li")].map((entry) => entry.id).join();
  if (listed === cameras.map((camera) => `camera-${camera.source_id}`).join()) return false;
  const own = /^\/tile\/(\d+)$/.exec(location.pathname);
  const isThere = !own || cameras.some((camera) => String(camera.source_id) === own[1]);
  if (isThere) location.reload();
  else location.assign("/");
  return true;
}

async function refresh() {
  const status = document.getElementById("status");
  try {
    const answer = await fetch("/api/state.json", { cache: "no-store" });
    const state = await answer.json();
    status.textContent = state.summary;
    if (hasOtherCameras(state.cameras)) return;
    for (const camera of state.cameras) {
      const entry = document.getElementById(`camera-${camera.source_id}`);
      if (!entry) continue;
      const badge = entry.querySelector(".state");
      badge.textContent = camera.state;
      badge.dataset.state = camera.state;
      entry.querySelector(".detail").textContent = camera.detail;
    }
    check(state.streams);
  } catch {
    status.textContent = "the wall does not answer";
    document.body.classList.add("lost");
  }
}

setInterval(refresh, 2000);
