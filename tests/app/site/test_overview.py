from pathlib import Path

from nvr.app.site.overview import overview
from nvr.app.site.plan import plan_site
from nvr.config.numbering import number_cameras
from nvr.config.site import BrokerSection, NvrConfig


def test_a_person_learns_where_everything_is_and_no_password(tmp_path: Path) -> None:
    cameras = [{"name": "Front door", "uri": "rtsp://me:secret@host/0"}, {"uri": "rtsp://me:secret@host/1"}]
    content = {"cameras": cameras, "storage": {"root": str(tmp_path)}, "processors": {"count": 2}}
    site, _ = number_cameras(NvrConfig.model_validate(content))
    plan = plan_site(site, broker=BrokerSection(host="127.0.0.1"), n_cores=1)
    text = "\n".join(
        overview(
            site, plan, broker="127.0.0.1:1884", wall_urls={"wall": "http://127.0.0.1:8080/"}, config_path="n.yaml"
        )
    )
    assert "Wall     http://127.0.0.1:8080/" in text
    assert "mosquitto_sub -h 127.0.0.1 -p 1884 -t 'nvr/#'" in text
    assert "Cameras  2, in 2 processors" in text
    assert "0: Front door (processor-1)" in text
    assert "1: rtsp://***@host/1 (processor-2)" in text
    assert str(tmp_path) in text
    assert "n.yaml" in text
    assert "secret" not in text


def test_many_cameras_are_counted_and_none_is_said() -> None:
    cameras = [{"uri": f"rtsp://host/{i}"} for i in range(40)]
    site, _ = number_cameras(NvrConfig.model_validate({"cameras": cameras}))
    plan = plan_site(site, broker=BrokerSection(), n_cores=1)
    assert "           and 24 more" in overview(site, plan, broker="", wall_urls={}, config_path=None)
    empty = NvrConfig()
    lines = overview(
        empty, plan_site(empty, broker=BrokerSection(), n_cores=1), broker="", wall_urls={}, config_path=None
    )
    assert "  Cameras  none yet" in lines


def test_tenants_are_told_apart() -> None:
    cameras = [{"uri": "rtsp://host/0"}, {"uri": "rtsp://host/1", "tenant": "acme"}]
    site, _ = number_cameras(NvrConfig.model_validate({"cameras": cameras, "tenants": [{"name": "acme"}]}))
    plan = plan_site(site, broker=BrokerSection(), n_cores=1)
    urls = {"wall": "http://127.0.0.1:8080/", "acme/wall": "http://127.0.0.1:8081/"}
    lines = overview(site, plan, broker="", wall_urls=urls, config_path=None)
    assert "  Wall     default: http://127.0.0.1:8080/" in lines
    assert "  Wall     acme: http://127.0.0.1:8081/" in lines
    assert "           1: rtsp://host/1 (acme/processor-1)" in lines
