"""Ports are chosen so that two programs that start at the same moment choose different ones."""

import socket
import subprocess
import sys

import pytest

from nvr.app.ports import PortClaims, free_port, is_free
from nvr.app.site.private_broker import choose_broker
from nvr.core.errors import ConfigurationError

HOST = "127.0.0.1"
HOLDER = """
import sys
from nvr.app.ports import PortClaims
with PortClaims() as claims:
    print(claims.take(int(sys.argv[1])), flush=True)
    sys.stdin.read()
"""


def test_a_port_that_somebody_listens_on_is_not_chosen() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(HOST, port)
        assert free_port(HOST, port) != port


def test_nothing_can_listen_on_an_address_of_somebody_else() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192.0.2.1"):
        free_port("192.0.2.1", 8080, n_tries=1)


def test_what_one_has_claimed_another_does_not_choose_though_nobody_listens_yet() -> None:
    port = free_port(HOST, 0)
    with PortClaims() as first, PortClaims() as second:
        assert free_port(HOST, port, may_take=first.take) == port
        assert free_port(HOST, port, may_take=first.take) == port, "it is ours already"
        assert free_port(HOST, port, may_take=second.take) != port
        first.release()
        assert second.take(port)


def test_two_that_choose_a_broker_at_the_same_moment_choose_two_ports() -> None:
    port = free_port(HOST, 0)
    with PortClaims() as first, PortClaims() as second:
        brokers = [choose_broker(claims, port) for claims in (first, second)]
    assert brokers[0].port == port
    assert brokers[1].port != port


def test_a_claim_ends_with_its_process() -> None:
    port = free_port(HOST, 0)
    with (
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
        PortClaims() as claims,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not claims.take(port)
        holder.kill()
        holder.wait()
        assert claims.take(port)
