"""Streams written by hand, with the syntax that encoders at hand leave out; FFmpeg's `trace_headers` reads them alike.

Each is parameter sets and slices; the QP of each slice is known. Names in comments are those of the standards.
"""

from dataclasses import dataclass

from nvr.media.access_unit import VideoCodec
from tests.media.bit_writer import BitWriter


@dataclass(frozen=True)
class RareStream:
    """What is read, and what is to be found."""

    name: str
    codec: VideoCodec
    parameter_sets: bytes
    slices: tuple[bytes, ...]
    qps: tuple[int, ...]


def h264_weights_and_markings() -> RareStream:
    """Order counts of type 1, slice groups, changed reference lists, weights, markings, two picture parameter sets."""
    sps = BitWriter().u(8, 88).u(8, 0).u(8, 30).ue(3)  # Extended profile: slice groups and B slices
    sps.ue(5)  # frame numbers of 9 bits
    sps.ue(1).u(1, 0).se(-1, 2).ue(2).se(3, -4)  # pic_order_cnt_type 1 with two offsets
    sps.ue(4).u(1, 0).ue(11, 8).u(1, 1).u(1, 1).u(1, 0).u(1, 0)  # 192x144 in frames
    first = BitWriter().ue(0, 3).u(1, 0).u(1, 1)  # CAVLC, bottom_field_pic_order_in_frame_present_flag
    first.ue(2).ue(0).ue(3, 4, 5)  # three slice groups, interleaved
    first.ue(2, 1).u(1, 1).u(2, 1).se(-6).se(0, 0).u(1, 0).u(1, 0).u(1, 1)  # init QP 20, redundant_pic_cnt_present
    second = BitWriter().ue(9, 3).u(1, 0).u(1, 0).ue(0).ue(0, 0).u(1, 0).u(2, 0).se(9).se(0, 0).u(1, 0).u(1, 0).u(1, 0)
    inter = BitWriter().ue(0, 5, 0).u(9, 77).se(4, -4).ue(0)  # P, delta_pic_order_cnt 0 and 1, redundant_pic_cnt
    inter.u(1, 1).ue(1)  # two references
    inter.u(1, 1).ue(0, 3, 1, 2, 3)  # modification_of_pic_nums_idc 0, 1 and the end
    inter.ue(5, 4).u(1, 1).se(-7, 3).u(1, 0).u(1, 0).u(1, 1).se(1, -2, 3, -4)  # weights
    inter.u(1, 1).ue(1, 5, 4, 2, 3, 0, 1, 5, 6, 2, 0)  # memory_management_control_operation
    inter.se(8)
    both = BitWriter().ue(0, 6, 0).u(9, 78).se(0, 0).ue(0).u(1, 1)  # B, direct_spatial_mv_pred_flag
    both.u(1, 0).u(1, 1).ue(1, 0, 3).u(1, 1).ue(0, 0, 3)
    both.ue(0, 0)
    for _ in range(5):  # three references of list 0, two of list 1
        both.u(1, 1).se(2, 2).u(1, 1).se(-1, -1, -1, -1)
    both.se(-3)
    other = BitWriter().ue(0, 2, 9).u(9, 0).ue(1).se(0).u(2, 0).se(-1)  # I of an IDR picture
    return RareStream(
        "h264 weights and markings",
        "h264",
        sps.nal(b"\x67") + first.nal(b"\x68") + second.nal(b"\x68"),
        (other.nal(b"\x65"), inter.nal(b"\x61"), both.nal(b"\x01")),
        (34, 28, 17),
    )


def h264_fields_and_planes() -> RareStream:
    """4:4:4 in separate planes, scaling lists, field pictures, CABAC."""
    sps = BitWriter().u(8, 244).u(8, 0).u(8, 40).ue(31).ue(3).u(1, 1).ue(2, 2).u(1, 0)  # three planes of 10 bit
    sps.u(1, 1)  # twelve scaling lists: one by the default, one that ends early, one in full, nine as before
    sps.u(1, 1).se(-8)
    sps.u(1, 1).se(4, -12)
    sps.u(1, 1).se(*[1] * 16)
    sps.u(9, 0)
    sps.ue(0, 0, 2).ue(2).u(1, 0).ue(11, 4).u(1, 0).u(1, 0).u(1, 1).u(1, 0).u(1, 0)  # order counts of 6 bits, fields
    pps = BitWriter().ue(255, 31).u(1, 1).u(1, 1).ue(0).ue(0, 0).u(1, 1).u(2, 2).se(-20).se(0, 0).u(3, 0)
    top = BitWriter().ue(0, 7, 255).u(2, 2).u(4, 9).u(1, 1).u(1, 0).ue(3).u(6, 33).u(2, 0).se(12)
    bottom = BitWriter().ue(0, 0, 255).u(2, 0).u(4, 9).u(1, 1).u(1, 1).u(6, 34).u(1, 0).u(1, 0)
    bottom.ue(2).u(1, 1).se(3, 3)  # weights of luma alone: each plane is one
    bottom.u(1, 0).ue(2).se(-15)
    frame = (
        BitWriter().ue(0, 1, 255).u(2, 0).u(4, 10).u(1, 0).u(6, 35).se(-1).u(1, 0).u(1, 0).u(1, 0).u(1, 0).ue(0).se(7)
    )
    return RareStream(
        "h264 fields and planes",
        "h264",
        sps.nal(b"\x67") + pps.nal(b"\x68"),
        (top.nal(b"\x65"), bottom.nal(b"\x61"), frame.nal(b"\x01")),
        (18, -9, 13),
    )


def hevc_references() -> RareStream:
    """Predicted reference sets, long-term references, changed lists, weights, tiles, spare bits, temporal layers."""
    sps = BitWriter().u(4, 0).u(3, 2).u(1, 1)  # three temporal layers
    _profile(sps)
    sps.u(2, 0b11).u(2, 0b01).u(12, 0)  # the first with profile and level, the second with its level
    sps.u(8, 1).u(32, 0).u(32, 0).u(16, 0).u(8, 30).u(8, 60)
    sps.ue(2).ue(1).ue(416, 240).u(1, 1).ue(0, 1, 0, 2).ue(0, 0).ue(3)  # order counts of 7 bits
    sps.u(1, 1).ue(4, 2, 0, 4, 2, 0, 4, 2, 0)
    sps.ue(0, 2, 0, 2, 1, 1)
    sps.u(1, 1).u(1, 1)  # scaling lists
    for size in range(4):
        for matrix in range(2 if size == 3 else 6):
            if matrix == 0:
                sps.u(1, 1).se(*([5] if size > 1 else []), *[1, -1] * (8 if size == 0 else 32))
            else:
                sps.u(1, 0).ue(0)
    sps.u(1, 1).u(1, 1).u(1, 1).u(4, 7).u(4, 7).ue(0, 1).u(1, 0)  # amp, sao, pcm
    sps.ue(3)  # sets: -1 -3 | +2, then two predicted ones
    sps.ue(2, 1).ue(0).u(1, 1).ue(1).u(1, 1).ue(1).u(1, 0)
    sps.u(1, 1).u(1, 1).ue(0).u(1, 1).u(1, 0).u(1, 0).u(1, 1).u(1, 1)  # by -1: -2, +1 and -1 used, -4 left out
    sps.u(1, 1).u(1, 0).ue(0).u(1, 0).u(1, 1).u(1, 1).u(1, 1).u(1, 1)  # by +1: 0 falls away, -1, +2 and +1 used
    sps.u(1, 1).ue(3).u(7, 5).u(1, 1).u(7, 6).u(1, 0).u(7, 9).u(1, 1)  # long-term candidates
    sps.u(1, 1).u(1, 1).u(1, 0).u(1, 0)
    pps = BitWriter().ue(7, 2).u(1, 1).u(1, 1).u(3, 2).u(1, 0).u(1, 1).ue(1, 1).se(-3).u(1, 0).u(1, 0)  # init QP 23
    pps.u(1, 1).ue(1).se(2, -2).u(1, 1).u(1, 1).u(1, 1).u(1, 0)
    pps.u(1, 1).u(1, 0).ue(1, 2).u(1, 0).ue(2).ue(0, 1).u(1, 1)  # tiles 2x3 of given sizes
    pps.u(1, 1).u(1, 1).u(1, 1).u(1, 0).se(1, -1).u(1, 0).u(1, 1).ue(0).u(1, 0).u(1, 0)  # lists_modification_present

    def begin(slice_type: int, order: int) -> BitWriter:
        return BitWriter().u(1, 1).ue(7).u(2, 0).ue(slice_type).u(1, 1).u(7, order)

    def end(writer: BitWriter, qp_delta: int) -> BitWriter:
        return writer.ue(2).se(qp_delta).se(0, 0).u(1, 0).u(1, 0).ue(0)  # merge candidates, QP, offsets, filter, tiles

    key = BitWriter().u(1, 1).u(1, 0).ue(7).u(2, 3).ue(2).u(1, 1).u(2, 3).se(-4).se(0, 0).u(1, 0).u(1, 0).ue(0)
    inter = begin(1, 4).u(1, 1).u(2, 2)  # the third set, of which three are used
    inter.ue(1, 1).u(2, 2).u(1, 1).ue(3).u(7, 9).u(1, 0).u(1, 0)  # a listed long-term reference, and one more, unused
    inter.u(1, 1).u(2, 1)  # temporal motion vectors, adaptive offset
    inter.u(1, 1).ue(2).u(1, 1).u(2, 0).u(2, 1).u(2, 2)  # three of four references, in an order of their own
    inter.u(1, 1).ue(1)  # cabac_init, collocated_ref_idx
    inter.ue(4).se(-1).u(3, 0b101).u(3, 0b010).se(3, -4).se(1, 2, 3, 4).se(5, 6)
    end(inter, 9)
    both = begin(0, 2).u(1, 0).u(1, 1).ue(1).u(1, 0).ue(0)  # a set predicted from the second one of the SPS, by +1
    both.u(1, 1).u(1, 1).u(1, 1).u(1, 0).u(1, 0)
    both.ue(0, 0).u(1, 1).u(2, 0).u(1, 0)  # no long-term references; default counts: two and two
    both.u(1, 0).u(1, 1).u(1, 1).u(1, 0)  # the second list is changed; two references are used
    both.u(1, 1).u(1, 0).u(1, 0).ue(0)  # mvd_l1_zero, cabac_init, collocated in list 1
    both.ue(0).se(0).u(2, 0).u(2, 0).u(2, 0b11).u(2, 0b11).se(1, 1, 2, 2, 2, 2).se(3, 3, 4, 4, 4, 4)
    end(both, -11)
    return RareStream(
        "hevc references",
        "hevc",
        _vps() + sps.nal(b"\x42\x01") + pps.nal(b"\x44\x01"),
        (key.nal(b"\x26\x01"), inter.nal(b"\x02\x01"), both.nal(b"\x00\x02")),
        (19, 32, 12),
    )


def _profile(writer: BitWriter) -> BitWriter:
    return writer.u(8, 1).u(32, 1 << 30).u(48, 0).u(8, 93)


def _vps() -> bytes:
    vps = BitWriter().u(4, 0).u(2, 3).u(6, 0).u(3, 2).u(1, 1).u(16, 0xFFFF)
    _profile(vps)
    return vps.u(16, 0).u(1, 0).ue(4, 2, 0).u(6, 0).ue(0).u(1, 0).u(1, 0).nal(b"\x40\x01")


RARE_STREAMS = (h264_weights_and_markings(), h264_fields_and_planes(), hevc_references())
