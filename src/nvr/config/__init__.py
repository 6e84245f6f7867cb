"""Settings as frozen models: a unit and a reason on each field, unknown keys refused."""

from nvr.config.broker import BrokerConfig
from nvr.config.file import load_config
from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.config.site import NvrConfig
from nvr.config.wall import VideoWallConfig

__all__ = ["BrokerConfig", "NvrConfig", "RecordingConfig", "StreamProcessorConfig", "VideoWallConfig", "load_config"]
