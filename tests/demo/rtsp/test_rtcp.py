import struct
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.rtcp import ntp_time, sender_report

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_ntp_counts_from_1900() -> None:
    assert ntp_time(UNIX_EPOCH) == (2_208_988_800, 0)
    assert ntp_time(UNIX_EPOCH + timedelta(milliseconds=500)) == (2_208_988_800, 1 << 31)


@given(microseconds=st.integers(0, 60 * 365 * 86_400 * 1_000_000))
def test_ntp_keeps_microseconds(microseconds: int) -> None:
    seconds, fraction = ntp_time(UNIX_EPOCH + timedelta(microseconds=microseconds))
    whole, part = divmod(microseconds, 1_000_000)
    assert seconds == (whole + 2_208_988_800) % (1 << 32)
    assert 0 <= part - fraction * 1_000_000 / (1 << 32) < 0.01


@given(cname=st.text("abc@.", max_size=40))
def test_a_report_is_a_compound_of_whole_words(cname: str) -> None:
    report = sender_report(
        ssrc=0xDEADBEEF,
        captured_at=UNIX_EPOCH,
        rtp_timestamp=(1 << 32) + 5,
        packets_sent=6,
        payload_bytes_sent=7,
        cname=cname,
    )
    version, kind, words, ssrc, seconds, _, rtp_timestamp, packets, size = struct.unpack("!BBHIIIIII", report[:28])
    assert (version, kind, ssrc, seconds) == (0x80, 200, 0xDEADBEEF, 2_208_988_800)
    assert (rtp_timestamp, packets, size) == (5, 6, 7)
    description = report[(words + 1) * 4 :]
    version, kind, words = struct.unpack("!BBH", description[:4])
    assert (version, kind, len(description)) == (0x81, 202, (words + 1) * 4)
    assert description[8] == 1
    assert description[10 : 10 + description[9]].decode() == cname
    assert description[-1] == 0
