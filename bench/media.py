"""The media engine against its targets: what cameras cost, what is lost, and whether a sleeping camera wakes in time.

Cameras are simulated (`nvr simulate`, a process of its own) and read over RTSP. What is compared runs side by side on
the same streams in the same seconds: our processor with and without recording, streamvision's pipeline with a model
that does nothing, and PyAV alone with the same decoder flags. Recall plays clips whose truth is known to the frame, as
fast as they can be decoded; what was missed is told on standard error. The first run draws and codes its pictures,
which takes minutes; they are kept in the user's cache.

Parts: quiet (and recording), busy, memory, many, recall.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import _media_cost as cost
from bench import _media_many as many
from bench._media_packets import measure_packets
from bench._media_peer import StreamvisionVenv
from bench._media_recall import measure_recall
from bench._programs import choose_model, default_assets, end_on_sigterm
from bench._rows import Row, exit_code, print_rows

from nvr.core.errors import NvrError

PARTS = ("quiet", "busy", "memory", "many", "recall")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; repeat it for more [all]")
    parser.add_argument("--quick", action="store_true", help="few cameras for a few seconds")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--peer-venv", type=Path, help="venv with streamvision; without: no figures of that peer")
    parser.add_argument(
        "--make-peer-venv", action="store_true", help="make that venv first, 0.7 GB from the usual index"
    )
    parser.add_argument("--logs", type=Path, help="keep what the programs write below this folder")
    parser.add_argument("--assets", type=Path, default=default_assets(), help="folder with models and videos")
    options = parser.parse_args()
    if options.make_peer_venv and options.peer_venv is None:
        parser.error("--make-peer-venv needs --peer-venv")
    end_on_sigterm()
    rows: list[Row] = []
    try:
        peer = StreamvisionVenv.ready(
            options.peer_venv, is_made=options.make_peer_venv, without="figures of streamvision"
        )
        parts = _parts(peer, options.assets, options.logs, is_quick=options.quick)
        for name in options.only or PARTS:
            _say(name)
            rows += parts[name]()
    except NvrError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("ended early")
        return 1
    finally:
        print_rows(rows, as_json=options.json)
    return exit_code(rows)


def _parts(
    peer: StreamvisionVenv | None, assets: Path, logs: Path | None, *, is_quick: bool
) -> dict[str, Callable[[], list[Row]]]:
    effort, plan = (cost.QUICK, many.QUICK) if is_quick else (cost.FULL, many.FULL)

    def folder(part: str) -> Path | None:
        return None if logs is None else logs / part

    return {
        "quiet": lambda: cost.measure_quiet(effort, peer, folder("quiet")),
        "busy": lambda: cost.measure_busy(effort, folder("busy")) + measure_packets(effort.rounds),
        "memory": lambda: cost.measure_memory(effort, folder("memory")),
        "many": lambda: many.measure_many(plan, choose_model(assets)[0], folder("many")),
        "recall": lambda: measure_recall(assets, is_quick=is_quick),
    }


def _say(text: str) -> None:
    print(f"media: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
