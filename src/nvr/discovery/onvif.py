"""Ask ONVIF devices who they are and where their streams are."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import CredentialsError, MessageError, NvrError, StreamError, UnsupportedError
from nvr.core.masking import mask_credentials
from nvr.discovery.onvif_messages import (
    GET_CAPABILITIES,
    GET_INFORMATION,
    GET_PROFILES,
    GET_SERVICES,
    GET_TIME,
    Information,
    MediaVersion,
    get_stream_uri,
    parse_information,
    parse_media_services,
    parse_profiles,
    parse_stream_uri,
    parse_time,
)
from nvr.discovery.profiles import Channel, Profile, channels_of, stream_uri
from nvr.discovery.soap import NONCE_BYTES, Credentials, envelope, fault_of, security_header
from nvr.discovery.xml_tree import Element, parse_xml

MAX_RESPONSE_BYTES = 2 << 20
"""A recorder of 64 channels describes its profiles in one."""
MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class OnvifOptions:
    """How patient to be."""

    request_timeout_s: float = 5.0
    """For an answer to begin, and for each piece of it to come."""
    device_timeout_s: float = 20.0
    """For all that is asked of one device."""
    n_parallel: int = 16
    """Devices that are asked at once."""


@dataclass(frozen=True, slots=True)
class OnvifDevice:
    """What a device says of itself."""

    host: str
    manufacturer: str
    model: str
    channels: tuple[Channel, ...]
    clock_error_s: float | None
    """How far its clock is ahead of this machine's; None where it does not tell."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A device to ask."""

    address: str
    """Of its device service, http or https."""
    credentials: Credentials | None = None


def ask_devices(
    contacts: Sequence[Contact], options: OnvifOptions = OnvifOptions(), clock: Clock | None = None
) -> tuple[OnvifDevice | NvrError, ...]:
    """Ask devices for their streams, several at once; returns one outcome each, in their order.

    The outcome is CredentialsError where a device refuses user and password or wants some, StreamError where it is
    unreachable, slow or broken, MessageError where it sends what is no answer, UnsupportedError where it has no stream.
    A device that refused is not asked again: cameras lock a user after a few wrong passwords.
    """
    return asyncio.run(_ask_all(contacts, options, clock or SystemClock()))


async def _ask_all(
    contacts: Sequence[Contact], options: OnvifOptions, clock: Clock
) -> tuple[OnvifDevice | NvrError, ...]:
    room = asyncio.Semaphore(max(1, options.n_parallel))

    async def ask(contact: Contact) -> OnvifDevice | NvrError:
        async with room:
            try:
                return await _ask(contact, options, clock)
            except NvrError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(contact), name=f"onvif-{contact.address}") for contact in contacts]
    return tuple(task.result() for task in tasks)


async def _ask(contact: Contact, options: OnvifOptions, clock: Clock) -> OnvifDevice:
    host = urlsplit(contact.address).hostname or ""
    # Cameras sign their own certificates, so that none could be verified; nothing that is sent tells the password.
    # The environment's proxies are for the world, not for this network.
    async with httpx.AsyncClient(
        verify=False,  # noqa: S501 - see above
        trust_env=False,
        timeout=options.request_timeout_s,
        headers={"Accept-Encoding": "identity", "Content-Type": "application/soap+xml; charset=utf-8"},
    ) as client:
        conversation = _Conversation(client, host, contact, clock)
        try:
            async with asyncio.timeout(options.device_timeout_s):
                return await _describe(conversation, contact, host)
        except TimeoutError as error:
            raise StreamError(f"{host} does not answer in time: {options.device_timeout_s:g} s are over") from error


async def _describe(conversation: "_Conversation", contact: Contact, host: str) -> OnvifDevice:
    await conversation.compare_clocks(contact.address)
    services = await _media_services(conversation, contact.address)
    try:
        information = parse_information(await conversation.call(contact.address, GET_INFORMATION))
    except UnsupportedError:
        information = Information("", "")
    reason: NvrError = UnsupportedError(f"{host} tells no address of a stream")
    for version in sorted(services, reverse=True):
        # A device that reports another host for its services means its own: it may stand behind a router.
        try:
            profiles = await _profiles(conversation, version, _at(services[version], contact.address))
        except (UnsupportedError, MessageError, StreamError) as error:  # the older service may do better
            reason = error
            continue
        if channels := channels_of(profiles):
            return OnvifDevice(host, *information, channels, conversation.clock_error_s)
    raise reason


async def _media_services(conversation: "_Conversation", address: str) -> dict[MediaVersion, str]:
    try:
        services = parse_media_services(await conversation.call(address, GET_SERVICES))
    except (UnsupportedError, MessageError):  # older than `GetServices`
        services = {}
    return services or parse_media_services(await conversation.call(address, GET_CAPABILITIES))


async def _profiles(conversation: "_Conversation", version: MediaVersion, address: str) -> list[Profile]:
    found = []
    for profile in parse_profiles(await conversation.call(address, GET_PROFILES[version])):
        try:
            reported = parse_stream_uri(await conversation.call(address, get_stream_uri(version, profile.token)))
        except UnsupportedError:  # this one has none, such as a profile of metadata
            continue
        found.append(replace(profile, uri=stream_uri(reported, conversation.host, conversation.credentials)))
    return found


class _Conversation:
    """Requests to one device: proves who we are the way that the device wants, and reads no more than it must."""

    def __init__(self, client: httpx.AsyncClient, host: str, contact: Contact, clock: Clock) -> None:
        self.host = host
        self.credentials = contact.credentials
        self.clock_error_s: float | None = None
        self._client = client
        self._clock = clock
        self._digest: httpx.DigestAuth | None = None

    async def compare_clocks(self, address: str) -> None:
        """Learn how far the device's clock is off: it refuses what seems to come from the past or the future."""
        try:
            device_time = parse_time(self._read(await self._post(address, envelope(GET_TIME))))
        except (CredentialsError, UnsupportedError, MessageError):  # it may not tell a stranger
            return
        if device_time is not None:
            self.clock_error_s = (device_time - self._clock.now()).total_seconds()

    async def call(self, address: str, body: str) -> Element:
        """Send a request as the user, and return the response.

        Raises:
            CredentialsError: The device refuses user and password, or wants some.
            UnsupportedError: It cannot do that.
            StreamError: It is unreachable or broken.
            MessageError: It answers with what is no SOAP.
        """
        response = await self._post(address, envelope(body, self._header()), self._digest)
        wants_digest = response.status == httpx.codes.UNAUTHORIZED and "digest" in response.challenge
        if wants_digest and self.credentials is not None and self._digest is None:
            self._digest = httpx.DigestAuth(self.credentials.user, self.credentials.password)
            response = await self._post(address, envelope(body), self._digest)
        return self._read(response)

    def _header(self) -> str:
        if self.credentials is None or self._digest is not None:
            return ""
        created = self._clock.now() + timedelta(seconds=self.clock_error_s or 0.0)
        return security_header(self.credentials, secrets.token_bytes(NONCE_BYTES), created)

    def _read(self, response: "_Response") -> Element:
        if response.status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise self._refusal()
        is_success = response.status == httpx.codes.OK
        if not is_success and not response.body.lstrip().startswith(b"<"):
            raise StreamError(f"{self.host} answers ONVIF with HTTP {response.status}")
        try:
            root = parse_xml(response.body, self.host)
        except MessageError as error:
            if is_success:
                raise
            raise StreamError(f"{self.host} answers ONVIF with HTTP {response.status}") from error
        fault = fault_of(root)
        if fault is not None:
            raise self._refusal() if fault.is_refusal else UnsupportedError(f"{self.host} cannot: {fault.reason}")
        if not is_success:
            raise StreamError(f"{self.host} answers ONVIF with HTTP {response.status}")
        if root.name != "Envelope":
            raise MessageError(f"{self.host} sent XML that is no answer of ONVIF")
        return root

    def _refusal(self) -> CredentialsError:
        if self.credentials is None:
            return CredentialsError(f"{self.host} asks for a user name and a password")
        return CredentialsError(f"{self.host} refused the user name and password")

    async def _post(self, address: str, content: bytes, digest: httpx.DigestAuth | None = None) -> "_Response":
        try:
            async with self._client.stream("POST", address, content=content, auth=digest) as response:
                body = bytearray()
                async for piece in response.aiter_raw():  # as it came: what is packed small may be huge
                    body += piece
                    if len(body) > MAX_RESPONSE_BYTES:
                        raise MessageError(f"{self.host} sent more than {MAX_RESPONSE_BYTES} bytes")
                challenges = response.headers.get_list("WWW-Authenticate")
                return _Response(response.status_code, " ".join(challenges).lower(), bytes(body))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise StreamError(f"{self.host} cannot be reached at {_shown(address)}") from error
        except httpx.TimeoutException as error:
            raise StreamError(f"{self.host} does not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StreamError(f"{self.host} sent what is no HTTP, or hung up") from error
        except (NotImplementedError, KeyError) as error:  # httpx's way of saying that it does not know this digest
            raise UnsupportedError(f"{self.host} asks for a kind of digest that is not known here") from error


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    challenge: str
    """What it wants to know of a user, in lower case; empty for nothing."""
    body: bytes


def _at(reported: str, asked: str) -> str:
    """Return the address of a service at the host that was asked; its port counts where it is the same host's."""
    there = urlsplit(asked)
    try:
        parts = urlsplit(reported)
        is_same_host = parts.scheme in {"http", "https"} and parts.hostname == there.hostname and parts.port != 0
    except ValueError:
        return asked
    if is_same_host:
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    return parts._replace(scheme=there.scheme, netloc=there.netloc, fragment="").geturl()


def _shown(address: str) -> str:
    return mask_credentials(address)[:MAX_SHOWN]
