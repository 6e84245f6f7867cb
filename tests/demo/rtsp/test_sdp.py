import base64

from nvr.demo.rtsp.sdp import describe_session
from tests.demo.rtsp.loops import H264_SETS, H265_SETS, make_loop


def test_h264_is_described_with_profile_and_parameter_sets() -> None:
    lines = describe_session(make_loop(), "camera 0", 1).decode().split("\r\n")
    sets = ",".join(base64.b64encode(nal).decode() for nal in H264_SETS.in_order())
    assert "a=rtpmap:96 H264/90000" in lines
    assert f"a=fmtp:96 packetization-mode=1;profile-level-id=42C01F;sprop-parameter-sets={sets}" in lines
    assert {"a=framerate:25", "a=control:*", "a=control:trackID=0", "a=range:npt=now-"} <= set(lines)
    assert lines[0] == "v=0"
    assert lines[-1] == ""


def test_h265_is_described_with_its_three_kinds_of_parameter_sets() -> None:
    text = describe_session(make_loop(codec="hevc"), "camera 0", 1).decode()
    assert "a=rtpmap:96 H265/90000" in text
    for name, nals in (("vps", H265_SETS.vps), ("sps", H265_SETS.sps), ("pps", H265_SETS.pps)):
        assert f"sprop-{name}={base64.b64encode(nals[0]).decode()}" in text
