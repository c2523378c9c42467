"""Which apps need no look, as nothing has changed since there was nothing to do for them.

A look at an app costs some ten times what asking its repository for news does. What an app looked like when it was
settled is kept over a restart as a fingerprint; what was said of it is not, and is found again by a look when somebody
asks.
"""

import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from importlib.metadata import version
from operator import attrgetter

from bot.images.decide import ImagePolicy
from bot.limits import MAX_KEPT_LOOKS
from bot.model.app_state import AppState
from bot.model.decisions import Choice, Refusal
from bot.model.registration import Target
from bot.store.settled_apps import SettledApps
from bot.store.tables import Hold

_VERSION = version("dppctl")  # another one may decide otherwise


@dataclass(frozen=True)
class Note:
    """A line for the person who pushed a ref."""

    ref: str
    text: str


@dataclass(frozen=True)
class LastObservation:
    """What an app looked like, without what only decisions need, and what was said of it; None after a restart."""

    state: tuple[AppState, Sequence[Choice | Refusal]] | None = None
    notes: Sequence[Note] = ()


class Settled:
    """The apps that need no look, by a name for each app and ops repo. Safe to use from several threads."""

    def __init__(self, store: SettledApps) -> None:
        """Keep fingerprints in `store`."""
        self._store = store
        self._lock = threading.Lock()
        self._kept: dict[str, str] | None = None  # what the store holds, read when it is first asked for
        self._looks: dict[str, LastObservation] = {}  # the newest MAX_KEPT_LOOKS
        self._new: dict[str, str] = {}  # not in the store yet

    def find(self, place: str, fingerprint: str, *, asked: bool) -> LastObservation | None:
        """Return what was said of an app that still has this fingerprint; None: it is to be looked at.

        `asked`: somebody wants to know what is said of it.
        """
        with self._lock:
            if self._kept is None:
                self._kept = self._store.all()
            look = self._looks.get(place)
            known = self._new.get(place) or self._kept.get(place)
        if known != fingerprint or (asked and look is None):
            return None
        return look or LastObservation()

    def forget(self, place: str) -> None:
        """Have an app looked at, until it is settled again."""
        with self._lock:
            self._looks.pop(place, None)
            self._new.pop(place, None)
            was_kept = self._kept and self._kept.pop(place, None)
        if was_kept:
            self._store.forget(place)

    def add(self, place: str, fingerprint: str, look: LastObservation) -> None:
        """Note that there is nothing to do for an app."""
        with self._lock:
            self._looks[place] = look
            if len(self._looks) > MAX_KEPT_LOOKS:
                self._looks.pop(next(iter(self._looks)))
            self._new[place] = fingerprint

    def keep(self) -> None:
        """Record those that were added since the last call, in one transaction."""
        with self._lock:
            new, self._new = self._new, {}
            self._kept = {**(self._kept or {}), **new} if new else self._kept
        if new:
            self._store.keep(new)


def fingerprint_of(
    listing: str,
    texts: Mapping[Target, str | None],
    holds: Iterable[Hold],
    failed: Set[tuple[str, str]],
    targets: Collection[Target],
    policy: ImagePolicy,
    signers: Sequence[str] | None = None,
    previews: tuple[int, Sequence[str]] | None = None,
) -> str:
    """Return a fingerprint (hex) of all that a look at an app goes by, and of who looks.

    `listing`: its repository's branches and tags; `texts`: its environments' values files; `failed`: environments and
    commits whose deployment failed; `targets`: its registration; `signers`: whose signatures count; `previews`: how
    many there may be, and which branches are idle.
    """
    held = [
        (hold.environment, hold.until_ref, hold.until_tree, hold.ops_commit)
        for hold in sorted(holds, key=attrgetter("environment"))
    ]
    known = (_VERSION, listing, sorted(texts.items()), held, sorted(failed), sorted(targets), policy, signers, previews)
    return hashlib.sha256(repr(known).encode(errors="surrogateescape")).hexdigest()
