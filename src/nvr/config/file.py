"""Read settings from a YAML file."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.config.wall import VideoWallConfig
from nvr.core.errors import ConfigurationError
from nvr.core.validation import first_problem

MAX_FILE_BYTES = 1_000_000


class FileConfig(BaseModel):
    """The sections of a configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    processor: StreamProcessorConfig = Field(default=StreamProcessorConfig(), description="For `nvr processor`.")
    recording: RecordingConfig = Field(
        default=RecordingConfig(), description="For `nvr processor` and `nvr recordings`."
    )
    wall: VideoWallConfig = Field(default=VideoWallConfig(), description="For `nvr wall`.")


def load_config(path: Path) -> FileConfig:
    """Read a configuration file; an empty one gives the defaults.

    Raises:
        ConfigurationError: The file is absent, too large, no YAML, or a setting is unknown or wrong.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path} has {path.stat().st_size} bytes, at most {MAX_FILE_BYTES} are read")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return parse_config({} if content is None else content, str(path))


def parse_config(content: object, origin: str) -> FileConfig:
    """Validate the content of a configuration file; pure.

    Raises:
        ConfigurationError: A setting is unknown or wrong; names `origin`, the setting and the value.
    """
    try:
        return FileConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{origin}: {first_problem(error)}") from error
