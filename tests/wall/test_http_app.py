import httpx

from nvr.config.wall import WallCamera
from nvr.wall.http_server import WallServer
from tests.wall.conftest import MakeWall

TIMEOUT_S = 30.0


def test_a_camera_that_came_is_served_and_one_that_went_is_not(make_wall: MakeWall) -> None:
    wall, sources = make_wall(3)
    sources[2].show()
    listed = [WallCamera(source_id=i, uri=f"rtsp://camera.example/{i}") for i in range(3)]
    wall.change_cameras(wall.config.model_copy(update={"stream_uris": (), "cameras": tuple(listed[:2])}))
    server = WallServer(wall)
    server.start()
    try:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=TIMEOUT_S) as client:
            assert client.get("/tile/2").status_code == 404
            wall.change_cameras(wall.config.model_copy(update={"stream_uris": (), "cameras": tuple(listed)}))
            assert client.get("/tile/2.jpg").headers["content-type"] == "image/jpeg"
            assert 'href="/tile/2"' in client.get("/").text
            wall.change_cameras(wall.config.model_copy(update={"stream_uris": (), "cameras": tuple(listed[:2])}))
            assert client.get("/tile/2.jpg").status_code == 404
            assert [camera["source_id"] for camera in client.get("/api/state.json").json()["cameras"]] == [0, 1]
    finally:
        server.stop()
