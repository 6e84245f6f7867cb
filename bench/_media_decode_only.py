"""The peer of decoding: PyAV alone decodes every frame of every camera with the same flags, and does nothing with it.

Started by `media.py`. Prints `ready` once every camera gave a picture.
"""

import argparse
import os
import signal
import threading

import av


def decode(uri: str, is_seen: threading.Event) -> None:
    """Decode a camera for ever: one thread, no loop filter, no conversion, opened as ours are."""
    options = {"rtsp_transport": "tcp", "fpsprobesize": "0", "analyzeduration": "500000"}
    with av.open(uri, options=options, timeout=(5.0, 2.5)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"skip_loop_filter": "all"}
        for _ in container.decode(stream):
            is_seen.set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uris", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    events = [threading.Event() for _ in options.uris]
    for uri, event in zip(options.uris, events, strict=True):
        threading.Thread(target=decode, args=(uri, event), name=f"decode-{uri}", daemon=True).start()
    for event in events:
        event.wait()
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
