"""Which bot works at which ops repo, of several that share a store.

With SQLite, whose users are on one machine, one bot has all, by a locked file beside the database. With PostgreSQL the
bots share them: each says now and then that it is alive, and takes its part of what nobody who is alive has. Time is
the database's, so that clocks which differ do no harm; a bot that could not say so in time stops writing by itself.
"""

import fcntl
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import IO

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from bot.database import Database
from bot.limits import LEASE_RENEW_SECONDS, LEASE_SECONDS
from bot.store.tables import Bot, OpsLease

LEADER = ""  # what one bot does for all, such as telling GitHub: a lease too, which no ops repo is called like
_LEASING = 0x6470706D  # any number that is ours, for PostgreSQL's advisory locks


class Leases:
    """The ops repos that this bot works at. One thread calls `renew`; `holds` may be called in any."""

    def __init__(self, database: Database, groups: Iterable[Set[str]]) -> None:
        """Take the ops repos by groups that must have the same bot."""
        self._database = database
        self._groups = sorted(tuple(sorted(group)) for group in groups)
        self._me = uuid.uuid4().hex
        self._file: IO[str] | None = None
        self._held: frozenset[str] = frozenset()
        self._bots: frozenset[str] = frozenset()
        self._until = self._next = 0.0
        self._is_settled = False

    @property
    def bots(self) -> int:
        """Return how many bots are alive, this one included."""
        return max(1, len(self._bots))

    @property
    def held(self) -> frozenset[str]:
        """Return what this bot has; nothing when it could not say in time that it is alive."""
        return self._held if self._database.is_sqlite or time.monotonic() < self._until else frozenset()

    def holds(self, name: str) -> bool:
        """Return whether an ops repo, or LEADER, is this bot's."""
        return name in self.held

    def renew(self, is_idle: Callable[[Iterable[str]], bool]) -> None:
        """Say that this bot is alive, take what it is to have, and give away what others are to; when it is time.

        `is_idle` tells whether nothing is done for ops repos, so that they can be given away.
        """
        if self._database.is_sqlite:
            return self._lock_file()
        started = time.monotonic()
        if started >= self._next:
            with self._database.write() as session:
                session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LEASING})
                held = self._renew(session, is_idle)
            self._held, self._until, self._next = held, started + LEASE_SECONDS, started + LEASE_RENEW_SECONDS
        return None

    def release(self) -> None:
        """Let other bots take over at once. Raises SQLAlchemyError when the store is away."""
        self._held = frozenset()
        if self._file:
            self._file.close()
            self._file = None
        if not self._database.is_sqlite:
            with self._database.write() as session:
                session.execute(delete(OpsLease).where(OpsLease.bot == self._me))
                session.execute(delete(Bot).where(Bot.id == self._me))

    def _lock_file(self) -> None:
        """Lock the file beside SQLite's, or keep it locked."""
        if self._file:
            return
        file = open(f"{self._database.file}.leader", "w")  # noqa: SIM115 (it is kept)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return
        self._file = file
        self._held = frozenset(name for group in self._groups for name in group) | {LEADER}

    def _renew(self, session: Session, is_idle: Callable[[Iterable[str]], bool]) -> frozenset[str]:
        """Do it, and return what this bot has from now on."""
        now = func.extract("epoch", func.clock_timestamp())
        mine = (Bot.id == self._me) & (Bot.until > now)
        is_alive = session.scalar(update(Bot).where(mine).values(until=now + LEASE_SECONDS).returning(Bot.id))
        session.execute(delete(Bot).where(Bot.until <= now))
        if not is_alive:  # at the first call, or others may have taken all meanwhile
            session.execute(insert(Bot).values(id=self._me, until=now + LEASE_SECONDS))
            self._is_settled = False
        bots = frozenset(session.scalars(select(Bot.id)))
        if bots == self._bots and self._is_settled:
            return self._held
        session.execute(delete(OpsLease).where(OpsLease.bot.not_in(select(Bot.id))))
        owners = dict(iter(session.execute(select(OpsLease.name, OpsLease.bot))))
        take, give = share(self._groups, owners, self._me, bots, is_idle)
        if give:
            session.execute(delete(OpsLease).where(OpsLease.name.in_(give)))
        if take:
            session.execute(insert(OpsLease), [{"name": name, "bot": self._me} for name in take])
        held = ({name for name, bot in owners.items() if bot == self._me} | set(take)) - set(give)
        self._bots = bots
        self._is_settled = sum(held.issuperset(group) for group in self._groups) == part_of(
            self._me, bots, self._groups
        )
        return frozenset(held)


def share(
    groups: Sequence[tuple[str, ...]],
    owners: Mapping[str, str],
    me: str,
    bots: Set[str],
    is_idle: Callable[[Iterable[str]], bool],
) -> tuple[list[str], list[str]]:
    """Decide what a bot takes and what it gives away: names of ops repos, whole groups only.

    `owners`: by name, who has it now; `bots`: those that are alive, `me` among them. LEADER is for whoever comes first.
    """
    part = part_of(me, bots, groups)
    of_me = {group: [name for name in group if owners.get(name) == me] for group in groups}
    mine = [group for group, names in of_me.items() if len(names) == len(group)]
    free = [
        group for group in groups if of_me[group] != list(group) and not {owners.get(name, me) for name in group} - {me}
    ]
    taken = free[: max(0, part - len(mine))]
    surplus = [group for group in reversed(mine) if is_idle(group)][: max(0, len(mine) - part)]
    # By another registration a part of what is one group here may be another bot's. Only one may have all of it.
    broken = of_me.keys() - {*mine, *taken}
    give = [name for group in (*surplus, *broken) for name in of_me[group]]
    take = [name for group in taken for name in group if name not in owners]
    return [*take, *([LEADER] if LEADER not in owners else [])], give


def part_of(me: str, bots: Set[str], groups: Sequence[tuple[str, ...]]) -> int:
    """Return how many of the groups are a bot's part; some bots have one more than others."""
    part, rest = divmod(len(groups), len(bots))
    return part + (sorted(bots).index(me) < rest)
