"""The end of a run on a cluster: whether its data is as expected, and then the switch to its database.

`python -m cluster.next_database.finish` runs in dppctl's image when all pipelines succeeded. With `--to` it publishes
what they staged too, so that database and files become current together. Without a database of the chart's own (no
`DPP_DB_ENGINE` here) it only checks.
"""

import argparse
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.data.compared import compared_of, merge
from bot.data.expectations import check
from bot.errors import reason_of
from bot.model.expectations import Expectation
from bot.model.receipt import Receipt
from bot.model.values import Compared
from cluster.errors import ClusterError
from cluster.limits import MAX_VIOLATION_BYTES
from cluster.next_database.databases import (
    DatabaseError,
    DatabaseNames,
    DataNote,
    FoundDatabases,
    drop,
    locked,
    observe,
    release,
    server,
)
from cluster.next_database.publication import staged_publication
from cluster.next_database.switch import check_turn, switch, switch_back
from cluster.publisher.staged import NOWHERE, StagedTargets, add_options, staged_targets
from cluster.sync.helm.pod_status import AS_EXPECTED, UNEXPECTED

TERMINATION_LOG = Path("/dev/termination-log")


class ExpectationsFile(BaseModel):
    """What the chart's ConfigMap says: the values' expectations, and what is compared with.

    before: what the environment had, where sync alone knows that, as there is no database to ask; deployment: the
    number of the one that runs, as far as sync knows it.
    """

    model_config = ConfigDict(frozen=True)

    expect: tuple[Expectation, ...] = ()
    accept: bool = False
    compared: tuple[Compared, ...] = ()
    before: Compared | None = None
    deployment: int | None = None


@dataclass(frozen=True)
class FinishedRun:
    """A run whose pipelines succeeded: its pod's uid, its Job, its receipt, and whether it ran by the clock."""

    run: str
    job: str
    receipt: Receipt
    is_scheduled: bool


class UnexpectedDataError(ClusterError):
    """The data is not as expected; the message has a line for each expectation that is violated."""


def finish(url: str, ended: FinishedRun, expected: ExpectationsFile, places: StagedTargets = NOWHERE) -> list[str]:
    """Check the data and make it current, with what is published; return what `check_expected` does.

    Raises UnexpectedDataError, and DatabaseError when it is not its turn, or when it cannot be published.
    """
    # A session as long as it takes, by which others see that the run is alive.
    with staged_publication(places) as published, server(url, ended.run) as (cursor, names):
        try:
            with locked(cursor):
                note, unmet = _decide(observe(cursor, names), names, ended, expected)
            published.place()
            with server(url, ended.run) as (switching, _), locked(switching):
                keeps, last = ended.is_scheduled, published.make_current
                switch(switching, names, note, keeps_previous=keeps, before_commit=last)
        except ClusterError:
            with suppress(DatabaseError), server(url, ended.run) as (releasing, _), locked(releasing):
                current = observe(releasing, names).by_name.get(names.current)
                if not (current and current.made and current.made.run == ended.run):  # it is not, whatever broke
                    published.take_back()
                release(releasing, names, ended.run)
            raise
        for line in published.settle():
            print(line, flush=True)
        return unmet


def _decide(
    found: FoundDatabases, names: DatabaseNames, ended: FinishedRun, expected: ExpectationsFile
) -> tuple[DataNote, list[str]]:
    """Return the note for the run's database, and what `check_expected` does. Raises what `finish` does. Pure."""
    check_turn(found, names, ended.run)
    current = found.by_name.get(names.current)
    made = current.made if current else None
    before = made.receipt if made else None
    after = merge(before, ended.receipt) if before and ended.is_scheduled else ended.receipt
    known = compared_of(made.receipt, _HERE, made.deployment) if made else None
    unmet = check_expected(ended, expected, after, known)
    job, number = ended.job, expected.deployment
    if made and ended.is_scheduled:  # it is no deployment of its own
        job, number = made.job, made.deployment
    return DataNote(run=ended.run, job=job, receipt=after, deployment=number), unmet


def go_back(url: str, run: str, job: str) -> None:
    """Make what the Job left before current again; nothing is checked, as it was then. Raises DatabaseError."""
    with server(url, run) as (cursor, names), locked(cursor):
        check_turn(observe(cursor, names), names, run)
        switch_back(cursor, names, job)
        drop(cursor, names.next)


def check_expected(
    ended: FinishedRun, expected: ExpectationsFile, after: Receipt, before: Compared | None
) -> list[str]:
    """Return what of the data is not as expected, a line each, where somebody takes it as it is.

    That somebody does is for the deployment's own run: not for those by the clock that come after it. Raises
    UnexpectedDataError when nobody does.
    """
    ran: Collection[str] | None = [found.id for found in ended.receipt.pipelines] if ended.is_scheduled else None
    unmet = [str(found) for found in check(expected.expect, after, before, expected.compared, ran)]
    if unmet and not _accepts(ended, expected):
        raise UnexpectedDataError("\n".join(unmet))
    return unmet


def _accepts(ended: FinishedRun, expected: ExpectationsFile) -> bool:
    return expected.accept and not ended.is_scheduled


_HERE = "this"  # what was before is said without the environment's name, which the run does not know


def main() -> None:
    """Do it as the chart's container does.

    What is not as expected is its termination message; its exit code says whether that is taken.
    """
    parser = argparse.ArgumentParser(prog="cluster.next_database.finish", description="Takes what a run made.")
    parser.add_argument("--run", required=True, help="the uid of this pod")
    parser.add_argument("--job", required=True, help="the name of its Job")
    parser.add_argument("--receipt", type=Path, required=True, help="what the worker wrote")
    parser.add_argument("--expectations", type=Path, required=True, help="what the chart's ConfigMap holds")
    parser.add_argument("--scheduled", action="store_true", help="it ran by the clock")
    parser.add_argument("--kept", type=Path, help="there when the Job is gone back to")
    add_options(parser, is_required=False)
    options = parser.parse_args()
    try:
        if options.kept and options.kept.exists():
            return go_back(os.environ["DPP_DB_ENGINE"], options.run, options.job)
        expected = ExpectationsFile.model_validate_json(_read(options.expectations))
        receipt = Receipt.model_validate_json(_read(options.receipt))
        ended = FinishedRun(options.run, options.job, receipt, options.scheduled)
        if url := os.environ.get("DPP_DB_ENGINE"):
            unmet = finish(url, ended, expected, staged_targets(options))
        else:
            # What is there after runs by the clock, nobody wrote down.
            unmet = check_expected(ended, expected, receipt, None if options.scheduled else expected.before)
        if _accepts(ended, expected):
            _leave("\n".join(unmet) or AS_EXPECTED)
    except UnexpectedDataError as error:
        _leave(str(error))
        sys.exit(UNEXPECTED)
    except ValidationError as error:
        sys.exit(f"what a run left, or what is expected of it, cannot be read: {error}")
    except (ClusterError, OSError) as error:
        sys.exit(reason_of(error))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise DatabaseError(f"{file}: {error.strerror}") from error


def _leave(text: str) -> None:
    """Print the lines, and leave as many as fit as the container's termination message."""
    print(text, flush=True)
    if not TERMINATION_LOG.is_file():
        return
    lines = text.splitlines()
    shown = list(lines)
    while len(_shortened(shown, lines).encode()) > MAX_VIOLATION_BYTES and len(shown) > 1:
        shown.pop()
    message = _shortened(shown, lines).encode()[:MAX_VIOLATION_BYTES]
    TERMINATION_LOG.write_bytes(message.decode(errors="ignore").encode())


def _shortened(shown: list[str], lines: list[str]) -> str:
    left = len(lines) - len(shown)
    return "\n".join([*shown, *([f"and {left} more; the log of this container has all"] if left else [])])


if __name__ == "__main__":
    main()
