"""Ask the whole network which ONVIF devices there are, and collect the answers for a moment."""

import fcntl
import logging
import selectors
import socket
import struct
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError, MessageError, StreamError
from nvr.discovery.probe_match import (
    MAX_ANSWER_BYTES,
    DeviceType,
    DiscoveredDevice,
    parse_probe_matches,
    probe_message,
)

logger = logging.getLogger(__name__)

GROUP, PORT = "239.255.255.250", 3702
"""Where devices listen (WS-Discovery, 2.4)."""

MAX_DEVICES = 512
MAX_ANSWERS = 4096
"""That are read in one search: strangers may send more."""

REPEAT_AFTER_S = 0.5
"""A datagram may be lost: each question is asked twice."""

_TYPES: tuple[DeviceType, ...] = ("NetworkVideoTransmitter", "Device")
_SIOCGIFADDR = 0x8915
_IFREQ = struct.Struct("16s24x")


@dataclass(frozen=True, slots=True)
class DiscoveryOptions:
    """Whom to ask, and how long to listen."""

    interfaces: tuple[str, ...] | None = None
    """IPv4 addresses of this machine from which to ask; none: all that it has."""
    target: tuple[str, int] = (GROUP, PORT)
    """Address and port that are asked: the group of all devices, or one that multicast does not reach."""
    wait_s: float = 3.0
    """A device may answer up to half a second late, and busy ones do so later."""
    n_expected: int | None = None
    """Return as soon as so many devices have answered."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Who answered."""

    devices: tuple[DiscoveredDevice, ...]
    """By host and endpoint, each once."""
    n_refused: int
    """Answers that were no answers."""


def discover(options: DiscoveryOptions = DiscoveryOptions(), clock: Clock | None = None) -> Discovery:
    """Ask, listen for `wait_s`, and return who answered.

    Raises:
        ConfigurationError: An interface is none of this machine's.
        StreamError: No interface can ask the network.
    """
    clock = clock or SystemClock()
    found: dict[tuple[str, str], DiscoveredDevice] = {}
    n_refused = 0
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in _sockets(options)]
        for answer, host in _answers(sockets, options, clock):
            try:
                devices = parse_probe_matches(answer, host)
            except MessageError as error:
                n_refused += 1
                logger.debug("an answer was refused: %s", error)
                continue
            for device in devices[: MAX_DEVICES - len(found)]:
                # an endpoint alone would let a stranger take the place of another device by its name
                found.setdefault((device.host, device.endpoint), device)
            if len(found) >= MAX_DEVICES or (options.n_expected is not None and len(found) >= options.n_expected):
                break
    return Discovery(tuple(sorted(found.values(), key=_place)), n_refused)


def local_addresses() -> tuple[str, ...]:
    """Return the IPv4 address of each network interface that has one."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, _IFREQ.pack(name.encode()[:15]))
            except OSError:  # no IPv4 there
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return tuple(dict.fromkeys(found))


def _sockets(options: DiscoveryOptions) -> Iterator[socket.socket]:
    if options.interfaces is not None:
        for interface in options.interfaces:
            try:
                yield _open(interface)
            except OSError as error:
                raise ConfigurationError(
                    f"cannot ask from {interface}: it is none of this machine's IPv4 addresses, "
                    f"which are {', '.join(local_addresses())}"
                ) from error
        return
    for interface in local_addresses():
        try:
            yield _open(interface)
        except OSError as error:
            logger.debug("cannot ask from %s: %s", interface, error)


def _open(interface: str) -> socket.socket:
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        asking.settimeout(0)
        asking.bind((interface, 0))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    except OSError:
        asking.close()
        raise
    return asking


def _answers(sockets: list[socket.socket], options: DiscoveryOptions, clock: Clock) -> Iterator[tuple[bytes, str]]:
    """Ask, ask once more, and yield each datagram that comes with the host that sent it, until `wait_s` is over."""
    questions = [probe_message(uuid.uuid4().urn, device_type) for device_type in _TYPES]
    if not _ask(sockets, questions, options.target):
        raise StreamError("no network interface of this machine can ask for cameras: is it connected?")
    began_s, n_answers, is_repeated = clock.monotonic(), 0, False
    with selectors.DefaultSelector() as selector:
        for asking in sockets:
            selector.register(asking, selectors.EVENT_READ, asking)
        while (elapsed_s := clock.monotonic() - began_s) < options.wait_s:
            if not is_repeated and elapsed_s >= REPEAT_AFTER_S:
                is_repeated = True
                _ask(sockets, questions, options.target)
            until_s = options.wait_s if is_repeated else min(options.wait_s, REPEAT_AFTER_S)
            for key, _ in selector.select(until_s - elapsed_s):
                answer = _receive(key.data)
                n_answers += 1
                if n_answers > MAX_ANSWERS:
                    return
                if answer is not None:
                    yield answer


def _ask(sockets: list[socket.socket], questions: list[bytes], target: tuple[str, int]) -> bool:
    """Send the questions from each socket; tell whether any could be sent."""
    n_sent = 0
    for asking in sockets:
        try:
            n_sent += sum(asking.sendto(question, target) > 0 for question in questions)
        except OSError as error:  # an interface that is down, or has no multicast
            logger.debug("cannot ask from %s: %s", asking.getsockname()[0], error)
    return n_sent > 0


def _receive(asking: socket.socket) -> tuple[bytes, str] | None:
    try:
        answer, (host, _port) = asking.recvfrom(MAX_ANSWER_BYTES + 1)
    except OSError:  # nothing there after all
        return None
    return answer, host


def _place(device: DiscoveredDevice) -> tuple[bytes, str]:
    return socket.inet_aton(device.host), device.endpoint
