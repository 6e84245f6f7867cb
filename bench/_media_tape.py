"""When the packets of recordings were captured, by their files."""

from pathlib import Path, PurePosixPath

import av

from nvr.recording.segment import Segment


def packet_times_s(root: Path) -> dict[int, list[float]]:
    """Return the capture times of all video packets in finished segments by camera, rising, in wall seconds."""
    times: dict[int, list[float]] = {}
    for path in sorted(root.rglob("*.mp4")):
        segment = Segment.from_path(PurePosixPath(path.relative_to(root)), path.stat().st_size)
        start_s = segment.start.timestamp()
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    times.setdefault(segment.source_id, []).append(start_s + float(packet.pts * packet.time_base))
    return {camera: sorted(of_camera) for camera, of_camera in times.items()}
