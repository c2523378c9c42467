"""The messages of the bot's commits to ops repos: written for people and tools, and read when a crash forgot them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.limits import MAX_ACT_REASON
from bot.model.decisions import Removal, Written
from bot.model.names import short
from bot.model.trailers import write_trailers
from bot.output import one_line

WHO = ("%an <%ae>", "%cn <%ce>")  # they are the same in a commit as the bot makes it
_SUBJECTS = {
    "rollback": "Roll {where} back to {what}",
    "promote": "Promote {what} to {where}",
    "cancel": "Cancel a deployment to {where}: {what} stays",
    "retry": "Try {what} again in {where}",
}


@dataclass(frozen=True)
class WrittenCommit:
    """A commit that the bot made, as its trailers tell."""

    ops_commit: str
    app: str
    environment: str
    ref: str
    commit: str
    request: int | None = None  # of a person
    origin: str = ""  # the ops commit that it goes back to


def trailer_form(key: str) -> str:
    """Return the form in which `git log` gives one of our trailers: https://git-scm.com/docs/git-log#_pretty_formats."""
    return f"%(trailers:key=Dppctl-{key},valueonly,separator=%x20)"


_WRITTEN = ("App", "Environment", "Source-Ref", "Source-Commit", "Request", "Rollback-To", "Removed")  # trailers
WRITTEN_FORM = "%x1f".join(["%H", *map(trailer_form, _WRITTEN), *WHO])


def read_written(lines: Iterable[str]) -> list[WrittenCommit]:
    """Return the bot's own commits that deploy, of lines in WRITTEN_FORM; what a person amended is none of them."""
    found = (line.split("\x1f") for line in lines)
    return [_read_written(fields) for fields in found if len(fields) == 10 and fields[8] == fields[9] and not fields[7]]


def write_message(update: Written, links: Sequence[str]) -> str:
    """Write the commit's message; trailers say what it is for, so that tools need not read the file."""
    if isinstance(update, Removal):
        subject = f"Remove {update.target.environment} of {update.target.app}"
        return f"{subject}\n\n{one_line(update.reason, MAX_ACT_REASON)}\n\n{write_trailers(update)}"
    target, source = update.target, update.values.source
    looks = "\n".join(links) + "\n\n" if links else ""
    what, where = f"{target.app} {short(source.ref)} ({source.commit[:12]})", target.environment
    act = update.asked.act if update.asked else "deploy"
    subject = _SUBJECTS.get(act, "Deploy {what} to {where}").format(what=what, where=where)
    return f"{subject}\n\n{looks}{write_trailers(update)}"


def _read_written(line: Sequence[str]) -> WrittenCommit:
    ops_commit, app, environment, ref, commit, request, origin = line[:7]
    number = int(request) if request.isascii() and request.isdigit() and len(request) < 10 else None
    return WrittenCommit(ops_commit, app, environment, ref, commit, number, origin)
