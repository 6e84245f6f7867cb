"""The session description of one camera, pure.

Sources: RFC 8866 (SDP), RFC 6184 section 8.2 (H.264), RFC 7798 section 7.2 (H.265).
"""

import base64

from nvr.demo.rtsp.rtp import PAYLOAD_TYPE
from nvr.media.access_unit import RTP_CLOCK_HZ, EncodedLoop

TRACK = "trackID=0"


def describe_session(loop: EncodedLoop, name: str, session_id: int) -> bytes:
    """Return the SDP of a loop, as the body of the answer to DESCRIBE."""
    encoding = "H264" if loop.codec == "h264" else "H265"
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN IP4 127.0.0.1",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=tool:nvr simulate",
        "a=range:npt=now-",
        "a=control:*",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"b=AS:{max(1, loop.bitrate_bps // 1000)}",
        f"a=rtpmap:{PAYLOAD_TYPE} {encoding}/{RTP_CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} {_format_parameters(loop)}",
        f"a=framerate:{loop.fps:g}",
        f"a=x-dimensions:{loop.width_px},{loop.height_px}",
        f"a=control:{TRACK}",
    ]
    return "\r\n".join([*lines, ""]).encode()


def _format_parameters(loop: EncodedLoop) -> str:
    sets = loop.parameter_sets
    if loop.codec == "h264":
        profile_level_id = sets.sps[0][1:4].hex().upper()
        sprop = _base64_list(sets.sps + sets.pps)
        return f"packetization-mode=1;profile-level-id={profile_level_id};sprop-parameter-sets={sprop}"
    return f"sprop-vps={_base64_list(sets.vps)};sprop-sps={_base64_list(sets.sps)};sprop-pps={_base64_list(sets.pps)}"


def _base64_list(nals: tuple[bytes, ...]) -> str:
    return ",".join(base64.b64encode(nal).decode() for nal in nals)
