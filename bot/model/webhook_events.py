"""What a webhook delivery of GitHub's says, as plain data: the receiver reads it, the store records it.

Repository and ref are for the record and the wake-up, never for git.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """What all events have: GitHub's name for it, and the repository (OWNER/REPO) if it is about one."""

    name: str
    repository: str | None


@dataclass(frozen=True)
class RefEvent(Event):
    """A ref (refs/heads/… or refs/tags/…) changed; `before` and `after` are commits, where the event tells them."""

    ref: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Push(RefEvent):
    """A branch was created, moved or forced."""


@dataclass(frozen=True)
class Tag(RefEvent):
    """A tag was created or moved, or released."""


@dataclass(frozen=True)
class Deleted(RefEvent):
    """A branch or a tag was deleted."""


@dataclass(frozen=True)
class Status(Event):
    """Somebody set a commit's status. State, context and description are that person's or tool's own text."""

    commit: str
    state: str
    context: str
    description: str


@dataclass(frozen=True)
class Ping(Event):
    """GitHub tries the webhook."""


@dataclass(frozen=True)
class Ignored(Event):
    """Any other event; it changes nothing here."""
