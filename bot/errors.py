"""The one tree of errors. A message is for the user as it stands: one line that says what is wrong, where, what to do.

Loops ask the type: what is transient is tried again later, what is permanent waits for a person. Packages derive their
own errors from these; an error that is neither says nothing of whether another try helps.
"""


class DppctlError(Exception):
    """Something to tell the user in one clear line, with nothing to trace back."""


class TransientError(DppctlError):
    """Again later: the network, a registry, helm, an API or git's transport is away for a while."""


class PermanentError(DppctlError):
    """Never, as things are: a person must change something first."""
