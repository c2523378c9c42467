"""Which repositories are this bot's to look at: those that belong with the ops repos that it has a lease for."""

from collections.abc import Callable, Iterable

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import TransientError
from bot.logs import get_logger
from bot.model.registration import Target
from bot.reconcile.groups import groups_of
from bot.store.leases import LEADER, Leases
from bot.store.store import Store

_log = get_logger("dppctl.bot")


class Ownership:
    """What is this bot's: everything until `start`, from then on what it has leases for."""

    def __init__(self, store: Store, targets: frozenset[Target]) -> None:
        """Take all that is registered, whichever bot works at it."""
        self._groups = groups_of(targets)
        self._leases = Leases(store.database, set(self._groups.values()))
        self._has_started = False
        self._known: tuple[frozenset[str], frozenset[str]] = (
            frozenset(),
            frozenset(),
        )  # leases, and repositories by them

    @property
    def registered(self) -> Iterable[str]:
        """Return all repositories, those of other bots too."""
        return self._groups.keys()

    @property
    def leads(self) -> bool:
        """Return whether this bot does what one does for all. Any thread may ask."""
        return self._leases.holds(LEADER)

    @property
    def bots(self) -> int:
        """Return how many bots are alive."""
        return self._leases.bots

    def renew(self, is_idle: Callable[[Iterable[str]], bool]) -> None:
        """Keep the leases, and share the ops repos with other bots; as `Leases.renew`."""
        self._has_started = True
        self._leases.renew(is_idle)

    def repositories(self) -> frozenset[str]:
        """Return the repositories, of apps and ops repos, that are this bot's."""
        held = self._leases.held
        if held != self._known[0]:
            self._known = held, frozenset(name for name, group in self._groups.items() if group <= held)
            _log.info("ops repos are shared", number=len(held - {LEADER}), bots=self.bots)
        return self._known[1]

    def owns(self, repository: str) -> bool:
        """Return whether a repository is this bot's; one that is not registered is the leader's."""
        group = self._groups.get(repository, frozenset({LEADER}))
        return not self._has_started or group <= self._leases.held

    def check(self, ops: str) -> None:
        """Raise TransientError when another bot may be writing an ops repo by now. Any thread may ask."""
        if self._has_started and not self._leases.holds(ops):
            raise TransientError("another bot may be writing it by now, and will look at this")

    def release(self) -> None:
        """Let other bots take over at once, if the store is there; otherwise they do a moment later."""
        try:
            self._leases.release()
        except SQLAlchemyError as error:
            _log.warning("store does not answer", error=" ".join(str(error).split())[:300])
