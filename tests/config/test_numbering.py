"""A camera keeps its number as long as it is known, and no other camera ever gets it."""

from hypothesis import given
from hypothesis import strategies as st

from nvr.config.numbering import number_cameras
from nvr.config.site import NvrConfig, SiteCamera


def site(*cameras: tuple[str, int | None]) -> NvrConfig:
    return NvrConfig(cameras=tuple(SiteCamera(name=name, uri="u", source_id=number) for name, number in cameras))


def numbers(config: NvrConfig) -> list[int | None]:
    return [camera.source_id for camera in config.cameras]


def test_cameras_without_a_number_get_the_next_free_ones_in_order() -> None:
    numbered, known = number_cameras(site(("a", None), ("b", 0), ("c", None), ("d", 2), ("e", None)))
    assert numbers(numbered) == [1, 0, 3, 2, 4]
    assert known == {"a": 1, "b": 0, "c": 3, "d": 2, "e": 4}


def test_taking_the_first_camera_out_renumbers_no_other_and_it_gets_its_number_back() -> None:
    _, known = number_cameras(site(("a", None), ("b", None)))
    without, known = number_cameras(site(("b", None), ("c", None)), known)
    assert numbers(without) == [1, 2]
    again, _ = number_cameras(site(("c", None), ("a", None), ("b", None)), known)
    assert numbers(again) == [2, 0, 1]


def test_a_number_that_is_written_down_holds_against_a_known_one() -> None:
    _, known = number_cameras(site(("a", None), ("b", None)))
    numbered, known = number_cameras(site(("a", None), ("x", 0)), known)
    assert numbers(numbered) == [2, 0]
    assert (known["a"], known["x"], known["b"]) == (2, 0, 1)


def test_a_camera_without_a_name_is_known_by_its_address_whatever_its_password() -> None:
    def unnamed(*uris: str) -> NvrConfig:
        return NvrConfig(cameras=tuple(SiteCamera(uri=uri) for uri in uris))

    _, known = number_cameras(unnamed("rtsp://u:old@h/1", "rtsp://h/2", "rtsp://h/2"))
    assert not any("old" in identity for identity in known)
    numbered, _ = number_cameras(unnamed("rtsp://h/2", "rtsp://u:new@h/1", "rtsp://h/2"), known)
    assert numbers(numbered) == [1, 0, 2]


def test_numbers_of_cameras_that_are_not_in_the_file_are_left_to_them() -> None:
    numbered, known = number_cameras(site(("a", None), ("b", None)), {"a": 1}, elsewhere={0, 1})
    assert numbers(numbered) == [2, 3]
    assert known == {"a": 2, "b": 3}
    written, _ = number_cameras(site(("a", 1)), {}, elsewhere={1})
    assert numbers(written) == [1], "who gave it out answers for it"


def test_numbering_may_begin_higher() -> None:
    assert numbers(number_cameras(site(("a", None), ("b", 6), ("c", None)), first=5)[0]) == [5, 6, 7]


cameras = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.none() | st.integers(0, 6)), max_size=6, unique_by=lambda c: c[0]
).filter(lambda each: len({n for _, n in each if n is not None}) == sum(n is not None for _, n in each))


@given(st.lists(cameras, max_size=5))
def test_numbers_are_unique_and_kept_where_nothing_is_written_down(steps: list[list[tuple[str, int | None]]]) -> None:
    known: dict[str, int] = {}
    for step in steps:
        before = known
        numbered, known = number_cameras(site(*step), before)
        given_now = numbers(numbered)
        assert len(set(given_now)) == len(given_now)
        written = {number for _, number in step if number is not None}
        for (name, number), now in zip(step, given_now, strict=True):
            if number is None and name in before and before[name] not in written:
                assert now == before[name]
            elif number is None:
                assert now not in before.values()
            else:
                assert number in (None, now)
