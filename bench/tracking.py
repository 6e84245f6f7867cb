"""Does an object keep its number? MOTA, IDF1, HOTA and id switches, beside `trackers`' ByteTrack.

Both get the same detections of YOLOX-Nano at the processor's confidence threshold, once of all frames and once of 5 a
second, and both have their defaults on every video. TrackEval counts. `told` is the share of the rightly found persons
that carry an id; `cpu` the median time of an update. TUD-Campus was not looked at while the rules were chosen: it has
no target. Also how many persons are seen where there is none.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._datasets import PERSON
from bench._programs import default_assets
from bench._rows import Row, exit_code, print_rows
from bench._tracking_peer import TrackersVenv
from bench._tracking_run import compare, count_false, track_ours
from bench._tracking_videos import BOTTLE, CAMPUS, PETS, STADTMITTE, Seen, Video, read_truth, sampled, see

from nvr.core.errors import NvrError

FPS = 5.0
"""The processor's default."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without PETS09-S2L1 and TUD-Campus; under 60 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument(
        "--peer-venv", type=Path, help="venv with trackers and TrackEval; without: CPU time and false tracks only"
    )
    parser.add_argument(
        "--make-peer-venv", action="store_true", help="make that venv first, 0.6 GB from the usual index"
    )
    parser.add_argument("--assets", type=Path, default=default_assets(), help="folder with models and videos")
    options = parser.parse_args()
    if options.make_peer_venv and options.peer_venv is None:
        parser.error("--make-peer-venv needs --peer-venv")
    try:
        peer = TrackersVenv.ready(options.peer_venv, is_made=options.make_peer_venv, without="MOTA, IDF1 and HOTA")
        rows = _measure(options.assets, peer, is_quick=options.quick)
    except NvrError as error:
        _say(str(error))
        return 1
    print_rows(rows, as_json=options.json)
    return exit_code(rows)


def _measure(assets: Path, peer: TrackersVenv | None, *, is_quick: bool) -> list[Row]:
    rows = []
    for video in (STADTMITTE,) if is_quick else (PETS, STADTMITTE, CAMPUS):
        _say(video.name)
        rows += _measure_truth(video, assets, peer)
    _say(BOTTLE.name)
    return rows + _measure_false(assets, is_quick=is_quick)


def _measure_truth(video: Video, assets: Path, peer: TrackersVenv | None) -> list[Row]:
    seen, truth = see(video, assets, ["person"]), read_truth(video, assets)
    n_frames = len(seen.detections)
    rows = []
    for rate, frames in (("all", list(range(n_frames))), ("5fps", sampled(n_frames, video.fps, FPS))):
        name = f"{video.name}.{rate}"
        if peer is None:
            ms = sorted(track_ours(seen.at(frames)).ms)
            rows.append(Row(f"tracking.{name}.cpu", round(ms[len(ms) // 2], 3), "ms"))
            continue
        with TemporaryDirectory(prefix="tracking-") as folder:
            is_promised = video is not CAMPUS
            rows += compare(name, seen.at(frames), truth.at(frames), peer, Path(folder), is_promised=is_promised)
    return rows


def _measure_false(assets: Path, *, is_quick: bool) -> list[Row]:
    """Count persons on a video of bottles and a hand, however the sampler's first frame falls."""
    seen = see(BOTTLE, assets, None)
    n_frames = len(seen.detections)
    step = round(BOTTLE.fps / FPS)
    counts = [count_false(_sampled(seen, n_frames, first), PERSON) for first in range(1 if is_quick else step)]
    rows = [Row("tracking.bottle.5fps.false_persons", max(counts), "", "0", None, max(counts) == 0)]
    n_all = count_false(seen, PERSON)
    return [*rows, Row("tracking.bottle.all.false_persons", n_all, "", "0", None, n_all == 0)]


def _sampled(seen: Seen, n_frames: int, first: int) -> Seen:
    return seen.at(sampled(n_frames, BOTTLE.fps, FPS, first))


def _say(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
