"""Which devices are announced to Home Assistant and which are taken back; pure, time is handed in.

The instance that has a camera announces it. One that loses it waits whether another takes it over before it takes the
device back: Home Assistant forgets areas and automations of a device that is removed for a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nvr.control.home_assistant.announcement import Announcement, read_announcement
from nvr.control.home_assistant.discovery import (
    AnnouncedCamera,
    JsonObject,
    Site,
    camera_payload,
    config_topic,
    instance_payload,
    to_bytes,
    without,
)
from nvr.control.home_assistant.naming import camera_object_id, instance_object_id, source_id_of

GRACE_S = 15.0
"""A camera that moves to another instance is announced there within some seconds."""


@dataclass(frozen=True, slots=True)
class Message:
    """To be published retained, with QoS 1."""

    topic: str
    payload: bytes
    """Empty: what is retained there is to be forgotten."""


class Announcer:
    """The announcements of one instance. Called from one thread; what is returned must be published in its order."""

    def __init__(self, site: Site, discovery_prefix: str) -> None:
        """Begin without cameras."""
        self._site = site
        self._prefix = discovery_prefix
        self._own_status_topics = {site.topics.status(site.instance_id)}
        self._cameras: dict[int, AnnouncedCamera] = {}
        self._has_instance = False
        self._known: dict[int, Announcement] = {}
        self._losing: dict[int, float] = {}
        self._corrected: set[int] = set()
        """Cameras that lost entities of before; just once, or two instances with one camera would do so forever."""

    @property
    def source_ids(self) -> frozenset[int]:
        """The cameras that are announced."""
        return frozenset(self._cameras)

    @property
    def filter(self) -> str:
        """The subscription that `heard` wants to be fed from: the announcements of all devices."""
        return config_topic(self._prefix, "+")

    def set_cameras(self, cameras: Sequence[AnnouncedCamera], now_s: float) -> list[Message]:
        """Announce what is new or different; what is gone is taken back later, by `take_back`."""
        wanted = {camera.source_id: camera for camera in cameras}
        for source_id in self._cameras.keys() - wanted.keys():
            self._losing[source_id] = now_s + GRACE_S
        for source_id in wanted:
            self._losing.pop(source_id, None)
        changed = [camera for camera in wanted.values() if self._cameras.get(camera.source_id) != camera]
        self._corrected -= {camera.source_id for camera in changed}
        self._cameras = wanted
        messages = []
        if wanted and not self._has_instance:
            messages.append(self._instance_message())
            self._has_instance = True
        return messages + [message for camera in changed for message in self._messages(camera)]

    def announce_all(self) -> list[Message]:
        """Announce everything again, the instance first: cameras refer to it."""
        if not self._cameras:
            return []
        self._has_instance = True
        self._corrected.clear()
        cameras = [message for camera in self._cameras.values() for message in self._messages(camera)]
        return [self._instance_message(), *cameras]

    def change(self, site: Site) -> list[Message]:
        """Announce everything as another site says, and take away what it has not."""
        before = self._instance_topic()
        self._site = site
        self._own_status_topics.add(site.topics.status(site.instance_id))
        had_instance, self._has_instance = self._has_instance, False
        announced = self.announce_all()
        if not had_instance or before == self._instance_topic():
            return announced
        # the old device goes last, or its cameras would hang on nothing for a moment
        return [*announced, Message(before, b"")]

    def heard(self, topic: str, payload: bytes, now_s: float) -> list[Message]:
        """Take note of an announcement that the broker holds, our own as well as those of others."""
        source_id = self._source_id_of(topic)
        if source_id is None:
            return []
        read = read_announcement(payload)
        if read is None:
            self._known.pop(source_id, None)
            return []
        self._known[source_id] = read
        camera = self._cameras.get(source_id)
        if camera is not None:
            if source_id in self._corrected or not self._outdated(camera):
                return []
            self._corrected.add(source_id)
            return self._messages(camera)
        if self._is_own(read) and source_id not in self._losing:
            self._losing[source_id] = now_s + GRACE_S  # it went while we were not there
        return []

    def take_back(self, now_s: float) -> list[Message]:
        """Remove the devices of cameras that are gone and that nobody has taken over."""
        due = [source_id for source_id, time_s in self._losing.items() if now_s >= time_s]
        messages = []
        for source_id in due:
            del self._losing[source_id]
            announced = self._known.get(source_id)
            if announced is not None and self._is_own(announced):
                messages += self._removal(source_id)
        return messages

    def withdraw(self) -> list[Message]:
        """Remove all of our devices now, since nobody wants them any more; the announcer is not used again."""
        ours = {source_id for source_id, announced in self._known.items() if self._is_own(announced)}
        messages = [message for source_id in sorted(ours | self.source_ids) for message in self._removal(source_id)]
        return [*messages, Message(self._instance_topic(), b"")] if self._has_instance else messages

    def _messages(self, camera: AnnouncedCamera) -> list[Message]:
        topic = self._topic(camera.source_id)
        payload = camera_payload(camera, self._site)
        outdated = self._outdated(camera)
        removing = [Message(topic, to_bytes(without(payload, outdated)))] if outdated else []
        return [*removing, Message(topic, to_bytes(payload))]

    def _outdated(self, camera: AnnouncedCamera) -> dict[str, str]:
        """Return the entities that a camera's device has and is not to have, with their platforms."""
        known = self._known.get(camera.source_id)
        if known is None:
            return {}
        wanted = _components(camera_payload(camera, self._site))
        return {key: platform for key, platform in known.platforms.items() if key not in wanted}

    def _removal(self, source_id: int) -> list[Message]:
        self._known.pop(source_id, None)
        return [
            Message(self._topic(source_id), b""),
            Message(self._site.topics.home_assistant_state(source_id), b""),
        ]

    def _is_own(self, announced: Announcement) -> bool:
        return announced.status_topic in self._own_status_topics

    def _instance_message(self) -> Message:
        return Message(self._instance_topic(), to_bytes(instance_payload(self._site)))

    def _instance_topic(self) -> str:
        return config_topic(self._prefix, instance_object_id(self._site.topics.tenant, self._site.instance_id))

    def _topic(self, source_id: int) -> str:
        return config_topic(self._prefix, camera_object_id(self._site.topics.tenant, source_id))

    def _source_id_of(self, topic: str) -> int | None:
        head, tail = config_topic(self._prefix, "+").split("+")
        if not (topic.startswith(head) and topic.endswith(tail)):
            return None
        return source_id_of(self._site.topics.tenant, topic.removeprefix(head).removesuffix(tail))


def _components(payload: JsonObject) -> JsonObject:
    components = payload["components"]
    return components if isinstance(components, dict) else {}
