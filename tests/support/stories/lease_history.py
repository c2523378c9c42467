"""Which bot had which ops repo when, as the database saw it; and who pushed to the ops repos when, as git saw it.

A trigger notes each lease that is taken or given up, and by whom: bots have names of their own in their database URL.
A hook in each ops repo notes each push, with the name by which the bot commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from bot.database import Database

_NOW = "extract(epoch FROM clock_timestamp())"
_TABLE = """
CREATE TABLE lease_history (at double precision, taken boolean, name text, bot text, who text);
CREATE FUNCTION note_lease() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO lease_history VALUES (NOW, true, NEW.name, NEW.bot, current_setting('application_name'));
    ELSE
        INSERT INTO lease_history VALUES (NOW, false, OLD.name, OLD.bot, current_setting('application_name'));
    END IF;
    RETURN NULL;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER note_lease AFTER INSERT OR DELETE ON leases FOR EACH ROW EXECUTE FUNCTION note_lease();
"""
# https://git-scm.com/docs/githooks#_reference_transaction
_HOOK = """\
#!/bin/sh
test "$1" = committed || exit 0
while read old new ref; do
    test "$ref" = refs/heads/master && echo "$(date +%s.%N) $GIT_COMMITTER_NAME $old $new" >> "{file}"
done
exit 0
"""


@dataclass(frozen=True)
class Lease:
    """A bot's process had an ops repo. `who`: the bot's name; `bot`: its process' own; times in seconds."""

    name: str
    who: str
    bot: str
    since: float
    until: float


@dataclass(frozen=True)
class OpsPush:
    """Somebody moved an ops repo's branch from a commit to another one."""

    at: float
    who: str
    old: str
    new: str


def note_leases(database: Database) -> None:
    """Have the database note each lease from now on."""
    with database.write_connection() as connection:
        connection.execute(text(_TABLE.replace("NOW", _NOW)))


def note_pushes(bare: Path) -> None:
    """Have a bare repository note each push from now on."""
    hook = bare / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK.format(file=bare / "pushes"))
    hook.chmod(0o755)


def read_leases(database: Database) -> list[Lease]:
    """Return all leases so far, in the order in which they were taken."""
    with database.connect() as connection:
        rows = connection.execute(text("SELECT at, taken, name, bot, who FROM lease_history ORDER BY at")).all()
    found: list[Lease] = []
    open_leases: dict[str, tuple[float, str, str]] = {}
    for at, taken, name, bot, who in rows:
        if taken:
            assert name not in open_leases, f"{name} was taken twice"
            open_leases[name] = at, bot, who
        else:
            since, bot, who = open_leases.pop(name)
            found.append(Lease(name, who, bot, since, at))
    found += [Lease(name, who, bot, at, float("inf")) for name, (at, bot, who) in open_leases.items()]
    return sorted(found, key=lambda lease: lease.since)


def read_pushes(bare: Path) -> list[OpsPush]:
    """Return the pushes to a repository so far."""
    lines = (bare / "pushes").read_text().splitlines()
    return [OpsPush(float(at), who, old, new) for at, who, old, new in map(str.split, lines)]


def check_writers(pushes: Iterable[OpsPush], leases: Iterable[Lease]) -> None:
    """Check that each push began where the one before ended, and was made by who had the ops repo then."""
    last = None
    for push in pushes:
        assert last is None or push.old == last.new, f"{push} wrote over {last}"
        owners = [lease.who for lease in leases if lease.since <= push.at <= lease.until]
        assert owners == [push.who], f"{push} was made while {owners} had the ops repo"
        last = push


def takeovers(leases: Sequence[Lease], kills: Sequence[tuple[str, float]], seconds: float) -> list[float]:
    """Return, for each ops repo that a killed bot had, after how many seconds another process had it.

    kills: which bot, and when. Those are left out after which, for so many seconds, no other bot lived on that had its
    part: then there was nobody to take over.
    """
    found = []
    for who, at in kills:
        held = [lease for lease in leases if lease.since <= at < lease.until]
        others = {lease.who for lease in held if lease.who != who}
        if others - {name for name, when in kills if at < when <= at + seconds}:
            for lost in (lease for lease in held if lease.who == who):
                later = [lease.since for lease in leases if lease.name == lost.name and lease.since >= lost.until]
                found.append(min(later, default=float("inf")) - at)
    return found
