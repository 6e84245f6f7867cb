"""Settings as frozen models: a unit and a reason on each field, unknown keys refused."""

from nvr.config.broker import BrokerConfig
from nvr.config.file import FileConfig, load_config
from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.config.wall import VideoWallConfig

__all__ = ["BrokerConfig", "FileConfig", "RecordingConfig", "StreamProcessorConfig", "VideoWallConfig", "load_config"]
