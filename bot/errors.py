"""The one tree of errors. A message is for the user as it stands: one line that says what is wrong, where, what to do.

Loops ask the type: what is transient is tried again later, what is permanent waits for a person. Packages derive their
own errors from these; an error that is neither says nothing of whether another try helps.
"""

import errno
from collections.abc import Iterator

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_SHORTAGES = _NO_ROOM | {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # of disk, processes, files, memory


class DppctlError(Exception):
    """Something to tell the user in one clear line, with nothing to trace back."""


class TransientError(DppctlError):
    """Again later: the network, a registry, helm, an API or git's transport is away for a while."""


class PermanentError(DppctlError):
    """Never, as things are: a person must change something first."""


def may_pass(error: BaseException) -> bool:
    """Return whether another try may help with what was raised: it is transient, or the machine lacks something."""
    for cause in _chain(error):
        if isinstance(cause, PermanentError):
            return False
        if isinstance(cause, TransientError) or _is_full(cause):
            return True
        if isinstance(cause, OSError) and cause.errno in _SHORTAGES:
            return True
    return False


def reason_of(error: BaseException) -> str:
    """Return why something failed, for the person whose deployment it is: ours as it stands, a full disk with its cure.

    Of what nobody foresaw it says so, and of which kind it is.
    """
    if not isinstance(error, DppctlError | OSError):
        return f"dppctl itself failed: {error!r}; its log has more"
    text = str(error) or repr(error)
    return f"{text}; make room on that disk" if any(map(_is_full, _chain(error))) else text


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_full(error: BaseException) -> bool:
    if getattr(error, "sqlite_errorname", None) == "SQLITE_FULL":  # https://www.sqlite.org/rescode.html
        return True
    return isinstance(error, OSError) and error.errno in _NO_ROOM
