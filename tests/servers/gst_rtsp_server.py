"""An RTSP server that nobody here wrote: GStreamer's, with a moving ball, run by the system's Python (it has `gi`).

Usage: gst_rtsp_server.py N_STREAMS. Prints the port once it listens; serves /live/{i}.stream until it is ended.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions are required before the import

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball background-color=0xff304050"
    " ! video/x-raw,width=640,height=360,framerate=25/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=1000 key-int-max=25"
    " ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def main() -> None:
    """Serve until the process is ended."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for i in range(int(sys.argv[1])):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(PIPELINE)
        factory.set_shared(True)
        server.get_mount_points().add_factory(f"/live/{i}.stream", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - the port is this program's answer
    GLib.MainLoop().run()


main()
