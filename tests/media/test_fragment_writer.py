"""Fragmented MP4 made of real packets: what it plays, what a crash leaves, and what a broken disk does to it."""

import errno
import gc
import io
import json
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import psutil
import pytest

from nvr.core.errors import InvalidInputError, UnsupportedError
from nvr.media.access_unit import split_annex_b, strip_parameter_sets
from nvr.media.fragment_writer import FragmentWriter, playable_audio
from nvr.media.mp4_boxes import boxes_in, read_fragment, read_header
from nvr.media.mp4_repair import check, repair
from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters
from tests.conftest import require_program
from tests.media.coded_media import START, Media, Recipe, make_video, read_media

ROOT = Path(__file__).parents[2]


def write_all(media: Media, *, fragment_s: float = 0.5) -> bytes:
    file = io.BytesIO()
    writer = FragmentWriter(file, media.video, media.audio, fragment_s=fragment_s)
    for packet in media.packets:
        writer.write(packet)
    writer.close()
    assert writer.bytes_written == len(file.getvalue())
    return file.getvalue()


def decoded(content: bytes, kind: str = "video") -> int:
    with av.open(io.BytesIO(content), "r") as container:
        return sum(1 for _ in (container.decode(video=0) if kind == "video" else container.decode(audio=0)))


def times(content: bytes, stream: int = 0) -> list[tuple[float, float]]:
    """Return presentation and decoding times in seconds as FFmpeg reads them."""
    with av.open(io.BytesIO(content), "r") as container:
        return [
            (float(packet.pts * packet.time_base), float(packet.dts * packet.time_base))
            for packet in container.demux(container.streams[stream])
            if packet.pts is not None and packet.dts is not None and packet.time_base is not None
        ]


def fragments(content: bytes, track_id: int = 1) -> list[tuple[float, float, int]]:
    """Return start, end and samples of a track in each fragment, in seconds by the standard."""
    boxes = list(boxes_in(content))
    moov = next((box for box in boxes if box.kind == b"moov"), None)
    if moov is None:
        return []
    header = read_header(content[moov.body : moov.end])
    timescale = header.tracks[track_id - 1].timescale
    return [
        (track.start / timescale, track.shown_until / timescale, track.samples)
        for box in boxes
        if box.kind == b"moof"
        for track in read_fragment(content[box.body : box.end], header)
        if track.track_id == track_id
    ]


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """Eight seconds of H.264 with a key frame every 4 s, and AAC."""
    path = tmp_path_factory.mktemp("writer") / "camera.mp4"
    return read_media(make_video(path, Recipe(seconds=8, gop=100, audio="aac")))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
def test_every_picture_of_the_camera_is_in_the_file(tmp_path: Path, codec: str, b_frames: int) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(codec=codec, b_frames=b_frames * (codec != "mjpeg"))))
    content = write_all(media)
    assert decoded(content) == len(media.packets)
    (tmp_path / "b.mp4").write_bytes(content)
    found = check(tmp_path / "b.mp4", deep=True)
    assert (found.problem, found.duration_ms, found.codec) == (None, 4000, codec)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_first_picture_is_at_time_0_and_sound_keeps_its_distance(tmp_path: Path, b_frames: int) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(b_frames=b_frames, audio="aac")))
    shifts = [round(70_000 / packet.time_base) for packet in media.packets]
    later = [
        replace(packet, pts=packet.pts + shift, dts=packet.dts + shift)
        for packet, shift in zip(media.packets, shifts, strict=True)
    ]
    first = next(packet for packet in later if packet.kind == "video")
    sound = [packet for packet in later if packet.kind == "audio" and packet.media_s >= first.media_s]
    content = write_all(replace(media, packets=[first, *(packet for packet in later if packet is not first)]))
    assert fragments(content, 1)[0][0] == 0
    assert fragments(content, 2)[0][0] == pytest.approx(sound[0].media_s - first.media_s, abs=1e-4)


def test_times_of_each_picture_are_those_of_the_camera(camera: Media) -> None:
    jittery = [
        replace(packet, pts=packet.pts + shift, dts=packet.dts + shift, duration=0)
        for packet, shift in zip(camera.of_kind("video"), [0, 90, 20, 310, 150] * 40, strict=True)
    ]
    found = times(write_all(Media(camera.video, None, jittery)))
    expected = [packet.media_s - jittery[0].media_s for packet in jittery]
    assert [pts for pts, _ in found] == pytest.approx(expected, abs=1e-4)


def test_a_variable_frame_rate_and_a_pause_stay_as_they_are(camera: Media) -> None:
    video = [packet for index, packet in enumerate(camera.of_kind("video")) if index < 100 or index > 160]
    video = [packet for index, packet in enumerate(video) if index % 3 != 1]
    found = times(write_all(Media(camera.video, None, video)))
    assert [pts for pts, _ in found] == pytest.approx([packet.media_s for packet in video], abs=1e-4)


def test_a_fragment_is_short_even_when_the_gop_is_long(camera: Media) -> None:
    starts = [start for start, _, _ in fragments(write_all(camera))]
    assert max(later - earlier for earlier, later in pairwise(starts)) <= 0.6
    assert 4.0 in starts, "a GOP begins with a fragment"


def test_each_fragment_reaches_the_file_as_soon_as_it_is_whole(camera: Media) -> None:
    file = io.BytesIO()
    writer = FragmentWriter(file, camera.video, camera.audio)
    for packet in camera.packets:
        writer.write(packet)
        written = fragments(file.getvalue())
        in_file_s = written[-1][1] if written else 0.0
        assert writer.media_end_s - in_file_s <= 0.5 + 0.3
    writer.close()
    assert writer.media_end_s == pytest.approx(8)


def test_sound_that_stops_does_not_hold_up_the_pictures(camera: Media) -> None:
    file = io.BytesIO()
    writer = FragmentWriter(file, camera.video, camera.audio)
    for packet in camera.packets:
        if packet.kind == "video" or packet.media_s < 2:
            writer.write(packet)
            written = fragments(file.getvalue())
            assert writer.media_end_s - (written[-1][1] if written else 0.0) <= 0.5 + 0.3
    writer.close()
    assert decoded(file.getvalue()) == 200


def test_sound_that_starts_late_plays_at_its_time(camera: Media) -> None:
    late = [packet for packet in camera.packets if packet.kind == "video" or packet.media_s > 3]
    first = next(packet for packet in late if packet.kind == "audio")
    content = write_all(replace(camera, packets=late))
    assert fragments(content, 2)[0][0] == pytest.approx(first.media_s, abs=1e-4)
    assert decoded(content) == 200
    assert decoded(content, "audio") > 200


def test_sound_before_the_first_picture_is_left_out_and_counted(camera: Media) -> None:
    file = io.BytesIO()
    writer = FragmentWriter(file, camera.video, camera.audio)
    from_second_gop = [packet for packet in camera.packets if packet.kind == "audio" or packet.media_s >= 4]
    for packet in from_second_gop:
        writer.write(packet)
    writer.close()
    early = [packet for packet in from_second_gop if packet.media_s < 4]
    assert writer.left_out == len(early) > 0
    assert times(file.getvalue(), 1)[0][0] < 0.03


def test_a_header_can_be_of_sets_that_only_come_in_band(camera: Media) -> None:
    content = write_all(replace(camera, video=replace(camera.video, extradata=b"")))
    assert content == write_all(camera)


def test_sets_in_the_description_alone_are_enough(tmp_path: Path) -> None:
    for codec in ("h264", "hevc"):
        media = read_media(make_video(tmp_path / f"{codec}.mp4", Recipe(codec=codec)))
        bare = [
            replace(packet, coded=_annex_b(strip_parameter_sets(codec, split_annex_b(bytes(packet.coded)))))
            for packet in media.packets
        ]
        assert decoded(write_all(replace(media, packets=bare))) == len(media.packets)


def test_sets_in_band_count_where_the_description_says_something_else(tmp_path: Path) -> None:
    for codec in ("h264", "hevc"):
        media = read_media(make_video(tmp_path / f"{codec}.mp4", Recipe(codec=codec)))
        other = read_media(make_video(tmp_path / f"{codec}-other.mp4", Recipe(codec=codec, size=(320, 192)))).video
        (tmp_path / "b.mp4").write_bytes(write_all(replace(media, video=other)))
        found = check(tmp_path / "b.mp4", deep=True)
        assert (found.problem, found.width_px, found.height_px) == (None, 160, 96)


def test_hevc_is_tagged_so_that_apple_plays_it(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(codec="hevc", seconds=1)))
    with av.open(io.BytesIO(write_all(media)), "r") as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_mjpeg_has_not_a_fragment_for_each_picture(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(codec="mjpeg")))
    assert len(fragments(write_all(media))) <= 9


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", "mp4"), ("aac", "ts"), ("mp3", "mkv"), ("opus", "mkv"), ("flac", "mkv")]
)
def test_sound_that_mp4_can_hold_is_played(tmp_path: Path, codec: str, suffix: str) -> None:
    media = read_media(make_video(tmp_path / f"a.{suffix}", Recipe(audio=codec)))
    assert media.audio is not None
    assert playable_audio(media.audio)
    content = write_all(media)
    assert decoded(content) == 100
    with av.open(io.BytesIO(content), "r") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
        assert container.streams.audio[0].codec_context.codec.canonical_name == codec
    assert samples == pytest.approx(4 * 48000, rel=0.03)


def test_opus_without_a_header_of_its_own_is_played(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mkv", Recipe(audio="opus")))
    assert media.audio is not None
    assert decoded(write_all(replace(media, audio=replace(media.audio, extradata=b""))), "audio") > 150


@pytest.mark.parametrize(
    "parameters",
    [
        StreamParameters("audio", "pcm_mulaw", sample_rate_hz=8000, channels=1),
        StreamParameters("audio", "adpcm_g726", sample_rate_hz=8000, channels=1),
        StreamParameters("audio", "aac", sample_rate_hz=44100, channels=2),
        StreamParameters("audio", "aac", b"\x12\x10", sample_rate_hz=0, channels=2),
        StreamParameters("audio", "opus", sample_rate_hz=48000, channels=6),
        StreamParameters("video", "aac", b"\x12\x10", sample_rate_hz=44100, channels=2),
    ],
)
def test_sound_that_players_do_not_play_is_refused(parameters: StreamParameters) -> None:
    assert not playable_audio(parameters)
    with pytest.raises(UnsupportedError, match=f"got {parameters.codec}"):
        FragmentWriter(io.BytesIO(), StreamParameters("video", "h264"), parameters)


def test_video_that_mp4_does_not_hold_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="expected video as one of h264, hevc, mjpeg, got vp8"):
        FragmentWriter(io.BytesIO(), StreamParameters("video", "vp8"))


def test_the_shared_packet_is_not_changed(camera: Media) -> None:
    def state(packet: MediaPacket) -> tuple[object, ...]:
        coded = packet.coded
        return (
            coded.pts,
            coded.dts,
            coded.duration,
            coded.time_base,
            coded.stream_index,
            coded.is_keyframe,
            bytes(coded),
        )

    before = [state(packet) for packet in camera.packets]
    write_all(camera)
    assert [state(packet) for packet in camera.packets] == before


def test_two_writers_may_take_the_same_packets_and_may_outlive_them(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", Recipe(audio="aac"))
    expected = write_all(read_media(path))
    media = read_media(path)
    files = [io.BytesIO(), io.BytesIO()]
    writers = [FragmentWriter(file, media.video, media.audio, fragment_s=0.5) for file in files]
    while media.packets:
        packet = media.packets.pop(0)
        for writer in writers:
            writer.write(packet)
    del packet
    gc.collect()
    for writer, file in zip(writers, files, strict=True):
        writer.close()
        assert file.getvalue() == expected


def test_a_packet_at_an_impossible_time_is_refused_and_the_next_is_written(camera: Media) -> None:
    file = io.BytesIO()
    writer = FragmentWriter(file, camera.video)
    video = camera.of_kind("video")
    for packet in video[:50]:
        writer.write(packet)
    far = 1 << 31
    for wrong in (
        replace(video[50], dts=video[49].dts),
        replace(video[50], time_base=Fraction(1, 1000)),
        replace(video[50], pts=video[50].pts + far, dts=video[50].dts + far),
        replace(video[50], pts=video[50].pts + far),
    ):
        with pytest.raises(InvalidInputError, match=f"expected a decoding time after {video[49].dts}"):
            writer.write(wrong)
    for packet in video[50:]:
        writer.write(packet)
    writer.close()
    assert decoded(file.getvalue()) == 200


def test_times_finer_than_any_player_counts_are_kept_as_far_as_it_matters(camera: Media) -> None:
    nano = Fraction(1, 1_000_000_000)
    video = [
        replace(packet, pts=round(packet.media_s / nano), dts=round(packet.media_s / nano), duration=0, time_base=nano)
        for packet in camera.of_kind("video")
        if not 1 < packet.media_s < 4  # 2^31 of these units are 2.1 s
    ]
    found = times(write_all(Media(camera.video, None, video)))
    assert [pts for pts, _ in found] == pytest.approx([packet.media_s for packet in video], abs=1e-4)


def test_a_picture_shown_before_it_is_decoded_is_shown_when_it_is(camera: Media) -> None:
    video = camera.of_kind("video")
    video[30] = replace(video[30], pts=video[30].dts - 500)
    found = times(write_all(Media(camera.video, None, video)))
    assert found[30][0] == pytest.approx(30 / 25, abs=1e-4)


def test_a_file_begins_with_a_key_frame(camera: Media) -> None:
    file = io.BytesIO()
    writer = FragmentWriter(file, camera.video, camera.audio)
    video = camera.of_kind("video")
    with pytest.raises(InvalidInputError, match=f"expected a key frame first, got packet {video[1].sequence}"):
        writer.write(video[1])
    writer.write(video[0])
    writer.close()
    assert decoded(file.getvalue()) == 1


def test_pictures_without_parameter_sets_anywhere_are_refused(camera: Media) -> None:
    key = camera.of_kind("video")[0]
    bare = replace(key, coded=_annex_b(strip_parameter_sets("h264", split_annex_b(bytes(key.coded)))))
    with pytest.raises(InvalidInputError, match="h264: expected parameter sets, got 0"):
        FragmentWriter(io.BytesIO(), replace(camera.video, extradata=b"")).write(bare)


def test_parameter_sets_that_cannot_be_are_refused_and_nothing_is_written(camera: Media) -> None:
    key = camera.of_kind("video")[0]
    for extradata, content in ((b"", b"\0\0\1\x67\0\0\1\x68\0\0\1\x65"), (b"\0\0\1\x67", b"\0\0\1\x65picture")):
        file = io.BytesIO()
        writer = FragmentWriter(file, replace(camera.video, extradata=extradata))
        with pytest.raises(InvalidInputError, match=f"packet {key.sequence}, h264: expected parameter sets"):
            writer.write(replace(key, coded=_packet(content)))
        writer.close()
        assert file.getvalue() == b""


@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
def test_a_size_that_is_not_known_comes_from_the_first_picture(tmp_path: Path, codec: str) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(codec=codec, seconds=1)))
    (tmp_path / "b.mp4").write_bytes(write_all(replace(media, video=replace(media.video, width_px=0, height_px=0))))
    found = check(tmp_path / "b.mp4", deep=True)
    assert (found.problem, found.width_px, found.height_px) == (None, 160, 96)


def test_a_first_picture_that_tells_no_size_is_refused(camera: Media) -> None:
    key = camera.of_kind("video")[0]
    writer = FragmentWriter(io.BytesIO(), replace(camera.video, width_px=0))
    with pytest.raises(InvalidInputError, match=f"no MP4 can begin with packet {key.sequence}"):
        writer.write(replace(key, coded=_packet(b"\0\0\1\x65garbage")))
    writer.write(key)
    writer.close()


def test_nothing_is_written_where_nothing_came(camera: Media) -> None:
    file = io.BytesIO()
    writer = FragmentWriter(file, camera.video, camera.audio)
    writer.close()
    writer.close()
    assert file.getvalue() == b""
    with pytest.raises(ValueError, match="the writer is closed"):
        writer.write(camera.packets[0])


class SmallDisk(io.BytesIO):
    """A file that takes only some bytes at a time, and then no more."""

    def __init__(self, capacity: int, at_once: int = 1 << 30) -> None:
        super().__init__()
        self.capacity = capacity
        self.at_once = at_once

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # only bytes come here
        room = min(self.capacity - self.tell(), self.at_once)
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:room])


def write_until_it_fails(writer: FragmentWriter, packets: list[MediaPacket]) -> None:
    for packet in packets:
        writer.write(packet)


def test_a_file_that_takes_less_at_a_time_gets_all(camera: Media) -> None:
    file = SmallDisk(1 << 30, at_once=1000)
    writer = FragmentWriter(file, camera.video, camera.audio)
    for packet in camera.packets:
        writer.write(packet)
    writer.close()
    assert file.getvalue() == write_all(camera)


def test_a_full_disk_is_told_as_it_is_and_what_was_written_plays(camera: Media, tmp_path: Path) -> None:
    file = SmallDisk(40_000)
    writer = FragmentWriter(file, camera.video, camera.audio)
    with pytest.raises(OSError, match="No space left") as caught:
        write_until_it_fails(writer, camera.packets)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        writer.write(camera.packets[-1])
    writer.close()
    assert len(file.getvalue()) == 40_000, "nothing is written behind a hole"
    path = tmp_path / "a.recording"
    path.write_bytes(file.getvalue()[: writer.bytes_written])
    found = check(path, deep=True)
    assert found.problem is None
    assert found.duration_ms >= 2000


def test_a_really_full_disk_is_told_at_the_last_fragment_too(camera: Media) -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        writer = FragmentWriter(file, camera.video)
        with pytest.raises(OSError, match="No space left"):
            writer.write(camera.of_kind("video")[0])
    last = SmallDisk(1200)
    writer = FragmentWriter(last, camera.video)
    writer.write(camera.of_kind("video")[0])
    with pytest.raises(OSError, match="No space left"):
        writer.close()


def test_a_killed_writer_leaves_all_but_the_last_second(tmp_path: Path) -> None:
    source = make_video(tmp_path / "source.mp4", Recipe(seconds=8, gop=100, audio="aac", is_noise=True))
    for packets in (40, 230, 500):
        path = tmp_path / f"{packets}.recording"
        command = [sys.executable, "-m", "tests.media.writer_child", str(source), str(path), str(packets)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            told = json.loads(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        repaired = repair(path)
        assert repaired is not None
        assert told["media_end_s"] - repaired.duration_ms / 1000 <= 1
        found = check(path, deep=True)
        assert (found.problem, found.video_frames) == (None, repaired.video_frames)


def test_many_files_leave_nothing_in_memory(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(seconds=1, audio="aac", is_noise=True)))
    process = psutil.Process()
    sizes = []
    for _ in range(6):
        for _ in range(100):
            write_all(media)
        gc.collect()
        sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[1] < 3 << 20


@pytest.mark.ffmpeg
def test_another_ffmpeg_plays_it(camera: Media, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(write_all(camera))
    ffprobe = require_program("ffprobe")
    fields = "stream=codec_name,codec_tag_string,nb_read_frames:format=duration:format_tags=creation_time"
    command = [ffprobe, "-v", "error", "-count_frames", "-show_entries", fields, "-of", "json", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert [stream["codec_tag_string"] for stream in told["streams"]] == ["avc1", "mp4a"]
    assert told["streams"][0]["nb_read_frames"] == "200"
    assert float(told["format"]["duration"]) == pytest.approx(8, abs=0.1)
    assert told["format"]["tags"]["creation_time"] == START.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _annex_b(nals: tuple[bytes, ...]) -> "av.Packet[av.VideoStream]":
    return _packet(b"".join(b"\0\0\0\1" + nal for nal in nals))


def _packet(content: bytes) -> "av.Packet[av.VideoStream]":
    return av.Packet(content)  # type: ignore[return-value]  # of no stream yet
