"""The error tree, split by what the caller can do.

    NvrError
    ├── TransientError        try again later, with backoff
    │   ├── StreamError       a camera is unreachable, silent or broken
    │   ├── BrokerError       the MQTT broker is unreachable or refuses for now
    │   ├── DownloadError     a file could not be fetched
    │   └── StorageError      the disk of recordings is full, read-only, busy, broken or gone
    ├── ConfigurationError    a person must change a setting, a file or a password
    │   ├── CredentialsError  the other side refused user and password
    │   ├── OfflineError      a file is not here, and the network must not be used
    │   └── ModelError        a model is unknown, unreadable or not what its name says
    ├── UnsupportedError      give up: this build or machine cannot do it (a missing extra, codec, program)
    ├── CancelledError        nothing: the caller itself asked for the end
    └── InvalidInputError     refuse this one input and go on
        ├── FrameError        an image is not of the promised shape or type
        └── MessageError      a message breaks the event protocol

Messages start in lower case, name the camera or file and both values, and hide credentials.
"""


class NvrError(Exception):
    """Base of all errors that this package raises on purpose."""


class TransientError(NvrError):
    """It may work later: retry with backoff."""


class StreamError(TransientError):
    """A camera is unreachable, silent or sends what cannot be read."""


class BrokerError(TransientError):
    """The MQTT broker is unreachable or refuses for now."""


class DownloadError(TransientError):
    """A file could not be fetched; nothing of it was kept that could be mistaken for the whole."""


class StorageError(TransientError):
    """The disk of recordings is full, read-only, busy, broken or gone; a person or the cleaner may mend it."""


class ConfigurationError(NvrError):
    """A setting, a file or an option is wrong: a person must change it."""


class CredentialsError(ConfigurationError):
    """The other side refused the user name and password."""


class OfflineError(ConfigurationError):
    """A file is not on this machine, and the settings forbid to fetch it."""


class ModelError(ConfigurationError):
    """A model is unknown, unreadable or not what its name or checksum says."""


class UnsupportedError(NvrError):
    """This build or machine cannot do it: an extra, a codec or a program is missing."""


class CancelledError(NvrError):
    """The work was given up because its owner asked for the end."""


class InvalidInputError(NvrError):
    """This one input is refused; the next may be good."""


class FrameError(InvalidInputError):
    """An image is not of the promised shape or type."""


class MessageError(InvalidInputError):
    """A message breaks the event protocol."""
