"""What the publisher raises: each message is for the run's user as it stands."""

from bot.errors import PermanentError, TransientError


class PublicationRefusedError(PermanentError):
    """What was given cannot be published, and no other try would help."""


class PublicationTooLargeError(PublicationRefusedError):
    """It has more bytes or files than it may have."""


class StorageAwayError(TransientError):
    """The storage, or rclone before it, does not take it now."""


class SourceSilentError(TransientError):
    """Who sends the files, a worker or an upload, is away or silent."""
