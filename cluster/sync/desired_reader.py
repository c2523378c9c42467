"""Reads what the ops repos say of environments, for both syncs."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.errors import DppctlError
from bot.logs import get_logger
from bot.model.registration import Target
from cluster.sync.previews import expanded
from cluster.sync.repositories import Reader, Repositories

_log = get_logger("dppctl.sync")

DesiredT = TypeVar("DesiredT")

# Returns what an ops repo says of the environments at a commit, or why that cannot be used; None: nothing.
Read = Callable[[Reader, str, Sequence[Target]], Mapping[Target, DesiredT | DppctlError | None]]


@dataclass(frozen=True)
class AllDesired(Generic[DesiredT]):
    """What the ops repos say, and what could not be read."""

    by_target: Mapping[Target, DesiredT | None]  # without those that are not known
    problems: Mapping[Target, str]  # why an environment is not known, though its ops repo could be read
    unread: int  # ops repos that could not be read; what they said last holds
    patterns: Collection[Target] = ()  # `preview-*` of ops repos that were read: all previews of theirs are known


class DesiredReader(Generic[DesiredT]):
    """Reads what the ops repos say; where nothing was committed, what was read last holds."""

    def __init__(self, targets: Iterable[Target], repositories: Repositories, read: Read[DesiredT]) -> None:
        """Take how an ops repo is read, once it is open."""
        self._targets: dict[str, list[Target]] = {}
        for target in sorted(targets):
            self._targets.setdefault(target.ops.repository, []).append(target)
        self._repositories = repositories
        self._read_at = read
        self._heads: dict[str, str] = {}  # of the ops repos, as they were read last
        self._desired: dict[Target, DesiredT | None] = {}
        self._problems: dict[Target, str] = {}

    def read(self) -> AllDesired[DesiredT]:
        """Return what they say. An ops repo that cannot be read is logged, and holds up no other."""
        unread = 0
        for name, targets in self._targets.items():
            try:
                self._read(name, targets)
            except DppctlError as error:
                unread += 1
                _log.error("ops repo not read", ops=name, error=error)
            except Exception:  # noqa: BLE001 (whatever it is, the others have nothing to do with it)
                unread += 1
                _log.exception("ops repo not read", ops=name)
        of_read = (target for name in self._heads for target in self._targets[name] if target.is_pattern)
        return AllDesired(dict(self._desired), dict(self._problems), unread, frozenset(of_read))

    def _read(self, name: str, targets: Sequence[Target]) -> None:
        with self._repositories.use(name) as ops:
            ops.refresh()
            head = ops.head()
            if head is None or head == self._heads.get(name):
                return
            with ops.open() as reader:
                found = self._read_at(reader, head, expanded(reader, head, targets))
        for known in [*self._desired, *self._problems]:
            if known.is_preview and known.ops.repository == name and known not in found:
                self._desired.pop(known, None)
                self._problems.pop(known, None)
        for target, desired in found.items():
            self._desired.pop(target, None)
            self._problems.pop(target, None)
            if isinstance(desired, DppctlError):
                self._problems[target] = str(desired)
            else:
                self._desired[target] = desired
        self._heads[name] = head
