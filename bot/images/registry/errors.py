"""How a registry says no. A missing image is no error: it is an answer."""

from bot.errors import DppctlError, PermanentError, TransientError


class RegistryError(DppctlError):
    """The registry answers what we cannot use; the message is for the user, without secrets."""


class RegistryAwayError(RegistryError, TransientError):
    """No answer now, such as for a refused connection, a time-out, 429 or 5xx: the same may work later."""


class RegistryDeniedError(RegistryError, PermanentError):
    """Without credentials, or with those we have, the registry says no: until they or the settings change."""


class BrokenImageError(RegistryError, PermanentError):
    """The name is there, and the image is not, or not all of it: until somebody pushes it again."""
