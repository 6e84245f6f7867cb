"""A device that speaks ONVIF as cameras do: answers probes on the loopback interface, checks who asks, tells streams.

Written from the specifications and independent of the code under test: what it reads of a request, it reads with the
standard library. Its streams are elsewhere, such as the simulator's.
"""

import base64
import contextlib
import hashlib
import re
import secrets
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from nvr.demo.rtsp.digest import Credentials, challenge, is_authorized

GROUP = "239.255.255.250"
MAX_AGE_S = 5
"""How old a request may be by this device's clock, as in the ONVIF test tool."""

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "w": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "u": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "d": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
}
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA_2 = "http://www.onvif.org/ver20/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"


@dataclass(frozen=True)
class Stream:
    """A profile and where its stream is."""

    uri: str
    width_px: int = 320
    height_px: int = 180
    codec: str = "H264"
    fps: int = 12
    source: str = "source-1"


@dataclass(frozen=True)
class Camera:
    """What a device is like."""

    streams: Sequence[Stream] = ()
    user: str = "viewer"
    password: str = field(default="", repr=False)
    """Empty lets everybody in."""
    proof: Literal["token", "digest"] = "token"
    clock_error_s: float = 0.0
    has_services: bool = True
    """False knows `GetCapabilities` only, as devices before 2011."""
    has_media_2: bool = False
    reported_host: str = ""
    """Named in the addresses of its services instead of its own."""
    probed_host: str = ""
    """Named in its answer to a probe instead of its own."""
    answers_from: str = "127.0.0.1"
    """Address of this machine from which it answers probes."""
    endpoint: str = ""
    """Another device's, to be taken for it."""
    name: str = "Front Door"
    overrides: Mapping[str, bytes | Callable[[], bytes]] = field(default_factory=dict)
    """What to send instead of the answer to an operation, and to a probe as `Probe`."""


class OnvifCamera:
    """Serves one device on 127.0.0.1, and answers probes that come to the group on the loopback interface."""

    def __init__(self, camera: Camera, probe_port: int) -> None:
        self.camera = camera
        self.operations: list[str] = []
        """What was asked, in order."""
        self.refusals = 0
        self.endpoint = camera.endpoint or uuid.uuid4().urn
        self._nonces: set[bytes] = set()
        self._is_stopping = threading.Event()
        self._digest_nonce = secrets.token_hex(8)
        device = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                device.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._udp.settimeout(0.05)
        self._udp.bind((GROUP, probe_port))
        joined = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        self._udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.02,), name="onvif-http", daemon=True),
            threading.Thread(target=self._answer_probes, name="onvif-probes", daemon=True),
        ]

    @property
    def address(self) -> str:
        """Of its device service."""
        return f"http://127.0.0.1:{self.port}/onvif/device_service"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._is_stopping.set()
        for thread in self._threads:
            thread.join()
        self._udp.close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request of SOAP."""
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        root = ET.fromstring(body)  # noqa: S314 - sent by the code under test
        operation_element = root.find("s:Body", NAMESPACES)
        assert operation_element is not None
        asked = operation_element[0]
        namespace, _, operation = asked.tag[1:].partition("}")
        self.operations.append(operation)
        if operation != "GetSystemDateAndTime" and not self._is_allowed(request, root):
            self.refusals += 1
            self._refuse(request)
            return
        override = self.camera.overrides.get(operation)
        if override is not None:
            _send(request, 200, override() if callable(override) else override)
            return
        content = self._content(operation, namespace, asked)
        if content is None:
            _send(request, 500, _envelope(_fault("s:Receiver", "ter:ActionNotSupported", "Action not implemented")))
            return
        answer = f'<x:{operation}Response xmlns:x="{namespace}" xmlns:tt="{SCHEMA}">{content}</x:{operation}Response>'
        _send(request, 200, _envelope(answer))

    def _is_allowed(self, request: BaseHTTPRequestHandler, root: ET.Element) -> bool:
        if not self.camera.password:
            return True
        if self.camera.proof == "digest":
            return is_authorized(
                request.headers.get("Authorization", ""),
                method="POST",
                uri=request.path,
                nonce=self._digest_nonce,
                credentials=Credentials(self.camera.user, self.camera.password),
            )
        token = root.find("s:Header/w:Security/w:UsernameToken", NAMESPACES)
        if token is None:
            return False
        nonce = base64.b64decode(token.findtext("w:Nonce", "", NAMESPACES))
        created = token.findtext("u:Created", "", NAMESPACES)
        expected = hashlib.sha1(
            nonce + created.encode() + self.camera.password.encode(), usedforsecurity=False
        ).digest()
        age_s = abs((self._now() - datetime.fromisoformat(created)).total_seconds())
        is_new = nonce not in self._nonces
        self._nonces.add(nonce)
        return (
            is_new
            and age_s <= MAX_AGE_S
            and token.findtext("w:Username", "", NAMESPACES) == self.camera.user
            and token.findtext("w:Password", "", NAMESPACES) == base64.b64encode(expected).decode()
        )

    def _refuse(self, request: BaseHTTPRequestHandler) -> None:
        if self.camera.proof == "digest":
            _send(request, 401, b"", {"WWW-Authenticate": challenge(self._digest_nonce, "MD5")})
            return
        _send(request, 400, _envelope(_fault("s:Sender", "ter:NotAuthorized", "Sender not Authorized")))

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.camera.clock_error_s)

    def _content(self, operation: str, namespace: str, asked: ET.Element) -> str | None:
        write_profile = _profile_2 if namespace == MEDIA_2 else _profile
        answers: dict[str, Callable[[], str | None]] = {
            "GetSystemDateAndTime": lambda: _time(self._now()),
            "GetServices": lambda: self._services() if self.camera.has_services else None,
            "GetCapabilities": lambda: (
                f"<x:Capabilities><tt:Media><tt:XAddr>{self._media_address}</tt:XAddr></tt:Media></x:Capabilities>"
            ),
            "GetDeviceInformation": lambda: (
                "<x:Manufacturer>Acme &amp; Sons</x:Manufacturer><x:Model>Dome 4K</x:Model>"
                "<x:FirmwareVersion>1.0</x:FirmwareVersion><x:SerialNumber>1</x:SerialNumber>"
            ),
            "GetProfiles": lambda: "".join(write_profile(*each) for each in enumerate(self.camera.streams)),
            "GetStreamUri": lambda: self._stream_uri(namespace, asked.findtext(f"{{{namespace}}}ProfileToken", "")),
        }
        return answers.get(operation, lambda: None)()

    @property
    def _media_address(self) -> str:
        host = self.camera.reported_host or "127.0.0.1"
        return f"http://{host}:{self.port}/onvif/media_service"

    def _services(self) -> str:
        services = {DEVICE: self.address, MEDIA: self._media_address}
        if self.camera.has_media_2:
            services[MEDIA_2] = self._media_address
        return "".join(
            f"<x:Service><x:Namespace>{namespace}</x:Namespace><x:XAddr>{address}</x:XAddr></x:Service>"
            for namespace, address in services.items()
        )

    def _stream_uri(self, namespace: str, token: str) -> str | None:
        number = re.fullmatch(r"profile&(\d+)", token)
        if number is None or int(number[1]) >= len(self.camera.streams):
            return None
        uri = self.camera.streams[int(number[1])].uri
        if self.camera.reported_host:
            uri = uri.replace("127.0.0.1", self.camera.reported_host)
        if namespace == MEDIA_2:
            return f"<x:Uri>{escape(uri)}</x:Uri>"
        return f"<x:MediaUri><tt:Uri>{escape(uri)}</tt:Uri><tt:Timeout>PT0S</tt:Timeout></x:MediaUri>"

    def _answer_probes(self) -> None:
        while not self._is_stopping.is_set():
            try:
                question, asker = self._udp.recvfrom(65_536)
            except TimeoutError:
                continue
            root = ET.fromstring(question)  # noqa: S314 - as above
            if "NetworkVideoTransmitter" not in root.findtext("s:Body/d:Probe/d:Types", "", NAMESPACES):
                continue
            override = self.camera.overrides.get("Probe")
            if override is None:
                answer = self._probe_match(root.findtext("s:Header/a:MessageID", "", NAMESPACES))
            else:
                answer = override() if callable(override) else override
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answering:
                answering.bind((self.camera.answers_from, 0))
                answering.sendto(answer, asker)

    def _probe_match(self, message_id: str) -> bytes:
        address = self.address.replace("127.0.0.1", self.camera.probed_host or "127.0.0.1")
        name = self.camera.name.replace(" ", "%20")
        return (
            f'<s:Envelope xmlns:s="{NAMESPACES["s"]}" xmlns:a="{NAMESPACES["a"]}" xmlns:d="{NAMESPACES["d"]}" '
            'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
            "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action>"
            f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
            f"<a:EndpointReference><a:Address>{self.endpoint}</a:Address></a:EndpointReference>"
            "<d:Types>dn:NetworkVideoTransmitter</d:Types>"
            f"<d:Scopes>onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/name/{name} "
            "onvif://www.onvif.org/hardware/Dome4K</d:Scopes>"
            f"<d:XAddrs>{address} http://[fe80::1]/onvif/device_service</d:XAddrs>"
            "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
        ).encode()


def free_probe_port() -> int:
    """Return a UDP port of the group that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_port:
        any_port.bind((GROUP, 0))
        port: int = any_port.getsockname()[1]
        return port


def _envelope(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{NAMESPACES["s"]}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def _fault(code: str, subcode: str, reason: str) -> str:
    return (
        f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    )


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Type", "application/soap+xml; charset=utf-8")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    with contextlib.suppress(OSError):  # who had enough hung up
        request.wfile.write(body)


def _time(now: datetime) -> str:
    return (
        "<x:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:UTCDateTime>"
        f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
        f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
        f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        "</tt:UTCDateTime></x:SystemDateAndTime>"
    )


def _profile(number: int, stream: Stream) -> str:
    return (
        f'<x:Profiles token="profile&amp;{number}" fixed="true"><tt:Name>stream {number}</tt:Name>'
        f'<tt:VideoSourceConfiguration token="v"><tt:SourceToken>{stream.source}</tt:SourceToken>'
        f'</tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="e">{_encoder(stream)}'
        "</tt:VideoEncoderConfiguration></x:Profiles>"
    )


def _profile_2(number: int, stream: Stream) -> str:
    return (
        f'<x:Profiles token="profile&amp;{number}"><x:Name>stream {number}</x:Name><x:Configurations>'
        f'<x:VideoSource token="v"><tt:SourceToken>{stream.source}</tt:SourceToken></x:VideoSource>'
        f'<x:VideoEncoder token="e">{_encoder(stream)}</x:VideoEncoder></x:Configurations></x:Profiles>'
    )


def _encoder(stream: Stream) -> str:
    return (
        f"<tt:Encoding>{stream.codec}</tt:Encoding><tt:Resolution><tt:Width>{stream.width_px}</tt:Width>"
        f"<tt:Height>{stream.height_px}</tt:Height></tt:Resolution>"
        f"<tt:RateControl><tt:FrameRateLimit>{stream.fps}</tt:FrameRateLimit></tt:RateControl>"
    )
