"""Cameras in Home Assistant: announced, told of, and switched, over the instance's own connection to the broker.

All work is done in one thread, which waits for nothing but its inbox; pictures have a thread of their own.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import nvr
from nvr.config.operations import HomeAssistantConfig
from nvr.control.audit import AuditEntry
from nvr.control.home_assistant.announcer import Announcer, Message
from nvr.control.home_assistant.discovery import AnnouncedCamera, Site
from nvr.control.home_assistant.inbox import Heard, Inbox, Work
from nvr.control.home_assistant.ports import BrokerConnection, SwitchedCameras
from nvr.control.home_assistant.snapshots import SnapshotWorker
from nvr.control.home_assistant.state import CameraState, to_bytes
from nvr.control.home_assistant.switches import Switches, SwitchOutcome
from nvr.control.refusal import command_error
from nvr.core.clock import Clock, SystemClock
from nvr.core.rate import RateGate
from nvr.core.throttle import ThrottledLog
from nvr.events.instance_status import CameraStatus
from nvr.events.protocol import SWITCH_KINDS, TopicKind, parse_topic
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""So soon a change of a camera is seen that nobody told of, and the end of a delay."""

REFUSED_PER_S = 2.0
"""Refused messages that are written down; the rest is counted."""

_OF_STRANGERS = frozenset({"invalid", "disabled", "unsupported"})
"""Outcomes of messages that Home Assistant does not send of itself."""

_BIRTH = b"online"


@dataclass(frozen=True, slots=True)
class BridgeReport:
    """What the bridge has done so far."""

    published: int
    """Announcements, states and pictures that the connection took."""
    refused: int
    """Those that it did not take."""
    dropped: int
    """Events and messages that gave way because more came than the thread could take."""
    ignored_commands: int
    """Messages that asked for nothing that can be switched."""
    failed_commands: int


class HomeAssistantBridge:
    """Any thread may call any method; none waits, except `stop`."""

    def __init__(
        self,
        config: HomeAssistantConfig,
        connection: BrokerConnection,
        cameras: SwitchedCameras,
        *,
        write_down: Callable[[AuditEntry], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is subscribed or published before `start`.

        Args:
            config: Its settings. Where they do not enable it, what was announced before is taken back, and no more.
                Switches are there only where it says so itself: see `with_decided_switches`.
            connection: The instance's own, whose last will is `offline` on the status topic.
            cameras: What is announced, told of, and switched.
            write_down: Takes each switch and its outcome; called in the bridge's thread, never waits.
            clock: For intervals, and when a switch was done.
        """
        self._config = config
        self._connection = connection
        self._cameras = cameras
        self._clock = clock or SystemClock()
        self._inbox = Inbox(self._clock)
        self._published = 0
        self._refused = ThrottledLog(logger, clock=self._clock)
        self._trouble = ThrottledLog(logger, logging.ERROR, clock=self._clock)
        self._switches = Switches(cameras, self._note_switch, are_taken=_takes_switches(config), clock=self._clock)
        self._write_down = write_down
        self._refused_gate = RateGate(REFUSED_PER_S)
        self._states: dict[int, CameraState] = {}
        self._filters: set[str] = set()
        self._instance_id = connection.instance_id
        self._announcer = Announcer(self._site(), config.discovery_prefix)
        self._snapshots = self._make_snapshots()
        self._looked_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="home-assistant", daemon=True)

    @property
    def report(self) -> BridgeReport:
        """The counters of this moment."""
        return BridgeReport(
            published=self._published,
            refused=self._refused.total,
            dropped=self._inbox.dropped,
            ignored_commands=self._switches.ignored,
            failed_commands=self._switches.failed,
        )

    def start(self) -> None:
        """Begin, in the background; the connection may come later."""
        self._subscribe()
        self._connection.on_connect(self._inbox.ask_for_renewal)
        self._thread.start()
        if self._snapshots is not None:
            self._snapshots.start()

    def on_event(self, event: DetectionEvent | TrackEvent) -> None:
        """Take what was seen, or how a track does."""
        self._inbox.put_event(event)

    def cameras_changed(self) -> None:
        """Look at once what cameras there are and how they do; without it that is seen within half a second."""
        self._inbox.ask_for_look()

    def reconfigure(self, config: HomeAssistantConfig) -> None:
        """Go on with other settings; what they do not announce any more is taken back at once."""
        self._inbox.put_config(config)

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the threads; devices stay, and go unavailable with the instance. False where one takes longer."""
        self._inbox.close()
        deadline_s = self._clock.monotonic() + timeout_s
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        snapshots = self._snapshots
        has_ended = snapshots is None or snapshots.stop(max(0.0, deadline_s - self._clock.monotonic()))
        return has_ended and not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._inbox.take(LOOK_S)) is not None:
            try:
                self._do(work)
            except Exception as error:  # noqa: BLE001 - the supervisor loop: the next look may go well
                self._trouble.report(f"the bridge to Home Assistant failed: {error!r}", error)
        self._switches.give_up()

    def _do(self, work: Work) -> None:
        if work.config is not None:
            self._apply(work.config)
        if self._connection.instance_id != self._instance_id:
            self._instance_id = self._connection.instance_id
            self._publish_all(self._announcer.change(self._site()))
        if work.wants_renewal:
            self._renew()
        if work.heard:
            self._switches.note(self._cameras.statuses())
        has_switched = [self._take(heard) for heard in work.heard]
        now_s = self._clock.monotonic()
        is_due = self._looked_s is None or now_s - self._looked_s >= LOOK_S
        has_looked = is_due or work.wants_look or any(has_switched) or work.config is not None
        has_looked = has_looked or self._switches.has_held
        if has_looked:
            self._looked_s = now_s
            self._look(now_s)
        for event in work.events:
            self._note(event, now_s)
        self._tell(self._states if has_looked else {event.source_id for event in work.events}, now_s)

    def _look(self, now_s: float) -> None:
        """Look what cameras there are and how they do."""
        statuses = self._cameras.statuses()
        self._switches.note(statuses)
        if self._switches.catch_up():
            statuses = self._cameras.statuses()
        if statuses is None:
            return
        shown = {status.source_id: status for status in statuses} if self._config.enabled else {}
        self._publish_all(self._announcer.set_cameras([_announced(status) for status in shown.values()], now_s))
        self._publish_all(self._announcer.take_back(now_s))
        self._states = {key: self._states.get(key) or self._make_state() for key in shown}
        for key, status in shown.items():
            self._states[key].note_status(status)
        if self._snapshots is not None:
            # what nobody may look at is not shown either
            self._snapshots.set_cameras([key for key, status in shown.items() if status.is_detecting])

    def _note(self, event: DetectionEvent | TrackEvent, now_s: float) -> None:
        state = self._states.get(event.source_id)
        if state is None:
            return
        if isinstance(event, DetectionEvent):
            state.note_event(event, now_s)
        else:
            state.note_track(event)

    def _tell(self, source_ids: Iterable[int], now_s: float) -> None:
        if not self._connection.is_connected:
            return  # nothing is kept for a broker that is away: all is told when it is back
        kind = TopicKind.HOME_ASSISTANT_STATE
        for source_id in source_ids:
            state = self._states.get(source_id)
            due = None if state is None else state.take_due(now_s)
            if due is not None:
                topic = self._connection.topics.home_assistant_state(source_id)
                self._publish(topic, to_bytes(due), kind.qos, retain=kind.is_retained)

    def _take(self, heard: Heard) -> bool:
        """Take a message of the broker; True where it has switched something."""
        if heard.topic == self._birth_topic():
            if heard.payload == _BIRTH:
                self._inbox.ask_for_renewal()
            return False
        parsed = parse_topic(heard.topic)
        if parsed is None or parsed.kind not in SWITCH_KINDS.values():
            self._publish_all(self._announcer.heard(heard.topic, heard.payload, self._clock.monotonic()))
            return False
        return self._switches.switch(parsed, heard.payload)

    def _note_switch(self, outcome: SwitchOutcome) -> None:
        """Write down what became of a switch; one that failed shows what is so."""
        told = None if outcome.error is None else command_error(outcome.error)
        if told is not None and told.type in _OF_STRANGERS and not self._refused_gate.admits(self._clock.monotonic()):
            return
        if told is not None and outcome.source_id in self._states:
            self._states[outcome.source_id].forget_published()
        self._write_down(
            AuditEntry(
                time=self._clock.now(),
                instance_id=self._connection.instance_id,
                outcome="completed" if told is None else told.type,
                command="switch",
                issuer="home_assistant",
                source_ids=(outcome.source_id,),
                params={
                    "topic": self._connection.topics.home_assistant_set(outcome.source_id, outcome.switch),
                    "payload": outcome.payload,
                },
                reason=None if told is None else told.reason,
            )
        )

    def _renew(self) -> None:
        """Announce and tell everything again: the broker or Home Assistant may have lost it."""
        self._publish_all(self._announcer.announce_all())
        for state in self._states.values():
            state.forget_published()

    def _birth_topic(self) -> str:
        return f"{self._config.discovery_prefix}/status"

    def _subscribe(self) -> None:
        """Hear of Home Assistant's start and of what is announced, once for each prefix that there ever was.

        Switches are heard of once they are taken.
        """
        for topic_filter in (self._birth_topic(), self._announcer.filter):
            if topic_filter not in self._filters:
                self._filters.add(topic_filter)
                self._connection.subscribe(topic_filter, self._inbox.put_heard, qos=1)
        for kind in SWITCH_KINDS.values() if _takes_switches(self._config) else ():
            topic_filter = self._connection.topics.filter(kind)
            if topic_filter not in self._filters:
                self._filters.add(topic_filter)
                # who switched something while we were away meant then, not now
                self._connection.subscribe(topic_filter, self._inbox.put_heard, qos=kind.qos, wants_retained=False)

    def _apply(self, config: HomeAssistantConfig) -> None:
        before, self._config = self._config, config
        self._switches.set_taken(_takes_switches(config))
        if config.enabled and before.enabled and config.discovery_prefix == before.discovery_prefix:
            self._subscribe()  # before a switch is announced: it may be used at once
            self._publish_all(self._announcer.change(self._site()))
        else:
            self._publish_all(self._announcer.withdraw())
            self._announcer = Announcer(self._site(), config.discovery_prefix)
            self._subscribe()
        self._states.clear()
        replaced, self._snapshots = self._snapshots, self._make_snapshots()
        if replaced is not None:
            replaced.request_stop()
        if self._snapshots is not None:
            self._snapshots.start()

    def _site(self) -> Site:
        return Site(
            self._connection.topics,
            self._instance_id,
            self._config.classes,
            has_switches=_takes_switches(self._config),
            has_snapshots=self._config.snapshots,
            version=nvr.__version__,
        )

    def _make_state(self) -> CameraState:
        return CameraState(self._config.classes, self._config.off_delay_s)

    def _make_snapshots(self) -> SnapshotWorker | None:
        config = self._config
        if not (config.enabled and config.snapshots):
            return None
        return SnapshotWorker(
            lambda source_id: self._cameras.picture(source_id, config.snapshot_width),
            self._show,
            interval_s=config.snapshot_interval_s,
            clock=self._clock,
        )

    def _show(self, source_id: int, picture: bytes) -> None:
        if self._connection.is_connected:
            topic = self._connection.topics.home_assistant_snapshot(source_id)
            self._publish(topic, picture, TopicKind.HOME_ASSISTANT_SNAPSHOT.qos, retain=False)

    def _publish_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._publish(message.topic, message.payload, 1, retain=True)

    def _publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        if self._connection.publish(topic, payload, qos, retain):
            self._published += 1
        else:
            self._refused.report(f"{topic} was not taken: the broker is away, or too much waits for it")


def _takes_switches(config: HomeAssistantConfig) -> bool:
    return config.enabled and config.switches is True


def _announced(status: CameraStatus) -> AnnouncedCamera:
    return AnnouncedCamera(status.source_id, status.name, has_recorder=status.record_mode is not None)
