"""What a wall tells of itself."""

from nvr.telemetry.points import wall_points
from nvr.wall.metrics import wall_figures
from tests.wall.conftest import MakeWall


def test_a_wall_is_told_as_it_is(make_wall: MakeWall) -> None:
    wall, sources = make_wall(3, stale_after_seconds=600)
    for source in sources[:2]:
        source.show(luma=100)
    figures = wall_figures(wall.state(), streams=4)
    assert figures.cameras_by_state == {"connecting": 1, "live": 2, "stale": 0, "offline": 0, "ended": 0}
    assert (figures.streams, figures.events, figures.pictures) == (4, 0, 0)
    assert figures.topic == "nvr/detections/{source_id}"
    assert {point.spec.name for point in wall_points(figures, threads=7)} >= {"nvr_wall_cameras", "nvr_wall_streams"}
