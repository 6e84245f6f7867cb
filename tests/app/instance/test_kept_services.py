"""What other settings mean to that which runs beside a processor; how it follows them is in test_program.py."""

import socket

import pytest

from nvr.app.instance.kept_services import KeptServices, check_endpoint, need_other_connection, services_differ
from nvr.app.instance.services import ProcessorServices
from nvr.config.derive import ProcessorSettings, processor_settings
from nvr.config.site import NvrConfig
from nvr.core.errors import ConfigurationError, TransientError


def settings(**sections: object) -> ProcessorSettings:
    return processor_settings(NvrConfig.model_validate(sections))


@pytest.mark.parametrize(
    ("sections", "do_differ", "needs_connection"),
    [
        ({}, False, False),
        ({"streams": {"max_fps": 3}}, False, False),
        ({"control": {"heartbeat_s": 7}}, True, False),
        ({"metrics": {"http_port": 9109}}, True, False),
        ({"broker": {"port": 1884}}, True, False),
        ({"broker": {"enabled": False}}, True, True),
    ],
)
def test_only_another_kind_of_connection_is_made_anew(
    sections: dict[str, object], do_differ: bool, needs_connection: bool
) -> None:
    old, new = settings(), settings(**sections)
    assert services_differ(old, new) is do_differ
    assert need_other_connection(old, new) is needs_connection


def test_a_taken_port_is_refused_before_anything_is_changed_and_the_own_one_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        new = settings(metrics={"http_host": "127.0.0.1", "http_port": port})
        with pytest.raises(ConfigurationError, match=f"127.0.0.1 port {port}"):
            check_endpoint(settings(), new)
        check_endpoint(new, new)


def test_there_are_none_before_the_first_ones_are_open() -> None:
    def make(_: ProcessorSettings) -> ProcessorServices:
        raise AssertionError("nothing is to be made yet")

    kept = KeptServices(make, settings())
    assert kept.current is None
    kept.look()
    kept.close("nobody hears this")
    with pytest.raises(TransientError, match="not begun"):
        kept.require()
