"""The output of `dppctl run`: plain lines in the words of dpp, or JSON lines for programs.

What it shows on a terminal is in cli/run/terminal_report.py.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from bot.output import for_terminal
from cli.output_options import note

if TYPE_CHECKING:
    from cluster.local.databases.database import RunDatabase

Event = dict[str, Any]
WORDS = {"succeeded": "SUCCESS", "failed": "FAILURE", "stopped": "STOPPED"}
SECONDS_BETWEEN_LINES = 5.0


RUNNERS = {"dpp": "by dpp itself", "lanes": "in lanes", "processes": "in processes"}


class RunReport:
    """Plain lines, for files and pipes."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._next_line: dict[str, float] = {}
        self._database = "DB and Web UI"  # what stays after the run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def pause(self) -> None:
        """Show nothing that moves until the next event, as a person is asked something."""

    def note(self, line: str) -> None:
        """Print a line about what takes time, to stderr; not where people want quiet."""
        note(line)

    def warn(self, line: str) -> None:
        """Print a line about what went wrong, to stderr."""
        click.echo(for_terminal(line), err=True)

    def using(self, *lines: str) -> None:
        """Print on which cluster the run is."""
        for line in lines:
            self.line(line)

    def waiting(self, place: int | None, why: str = "") -> None:
        """Print that no pods are there yet: at first, and then the place in the queue, or what else is missing."""
        if place is None:
            self.line("Waiting for available worker and DB pods")
        else:
            self.line(f"Number {place} in the queue" + (f": {why}" if why else ""))

    def assigned(self, worker: str, db: str | None, database: "RunDatabase | None") -> None:
        """Print the pods of the run: the worker's name, and the database's (None: the user's own, or none)."""
        self.line(f"Assigned Worker Pod: {worker}")
        if db:
            self.line(f"Assigned DB Pod: {db}")
        lines = database.describe() if database else ()
        for line in lines:
            self.line(line)
        if lines and not any("Web UI is available" in line for line in lines):
            self._database = "DB"

    def event(self, event: Event) -> None:
        """Print an event of the worker (worker/events.py), other than the last: that is for `ended`."""
        kind = event["event"]
        if kind == "queued":
            self.queued(event["pipeline"], event["runner"])
        elif kind == "started":
            self.started(event["pipeline"])
        elif kind == "progress":
            self.progress(event["pipeline"], event["rows"])
        elif kind == "finished":
            self.finished(event["result"])
        elif kind == "invalid":
            self.invalid(event["errors"])
        elif kind == "log" and self._verbose:
            self.line(f"[{event['pipeline']}] >>> {event['line']}")
        elif kind == "skipped_log" and self._verbose:
            self.line(f"({event['lines']} lines of the log left out)")

    def queued(self, pipeline: str, runner: str) -> None:
        """Print who runs a pipeline and why, where it is dpp itself, or with dpp's log for all."""
        by, _, reason = runner.partition(": ")
        if by == "dpp" or (reason and self._verbose):
            self.line(f"{pipeline}: run {RUNNERS[by]}: {reason}")

    def invalid(self, errors: list[dict[str, str]]) -> None:
        """Print what is wrong with pipelines that cannot run, or why nothing ran."""
        for error in errors:
            click.echo(for_terminal(f"dppctl: {error['where']}: {error['message']}"), err=True)

    def started(self, pipeline: str) -> None:
        """Print that a pipeline has started."""
        self._next_line[pipeline] = time.monotonic() + SECONDS_BETWEEN_LINES
        self.line(f"{pipeline}: WAITING FOR OUTPUT")

    def progress(self, pipeline: str, rows: int) -> None:
        """Print now and then how many rows went through a pipeline."""
        if rows and time.monotonic() >= self._next_line.get(pipeline, 0.0):
            self._next_line[pipeline] = time.monotonic() + SECONDS_BETWEEN_LINES
            self.line(f"{pipeline}: RUNNING, processed {rows} rows")

    def finished(self, result: dict[str, Any]) -> None:
        """Print how a pipeline has ended."""
        self.line(outcome(result))
        from cli.run import resource_table  # noqa: F401 (loaded before the end is due, and after the memory's peak)

    def ended(
        self, receipt: dict[str, Any], published: Sequence[tuple[str, str, str]], keep: str | None, where: str = "Local"
    ) -> None:
        """Print all results.

        published: kind, path in the workload, URL; keep: how long the pods stay; where: Local or Public storage.
        """
        self.line("INFO    :RESULTS:")
        for result in receipt["pipelines"]:
            self.line(f"INFO    :{WORDS[result['status']]}: {result['id']} {result['stats']!r}")
            if result["error"]:
                self.line("\n| ".join(["+--------", *result["error"].splitlines()]) + "\n+--------")
        self.published(published, where)
        self.line("Unassigned Worker Pod")
        if keep:
            self.line(f"Keeping the {self._database} running for {keep}")

    def resources(self, receipt: dict[str, Any], workload: Path | None) -> None:
        """Print a table of what the pipelines that succeeded made; workload: the folder with the specs, if it is here.

        It stands above all results.
        """
        from cli.run.resource_table import print_resources

        print_resources(receipt, workload)

    def published(self, published: Sequence[tuple[str, str, str]], where: str) -> None:
        """Print where what was written is to be seen: kind, path in the workload, URL of each."""
        for kind, title in (("data package", "Data Packages"), ("site", "Static Website")):
            urls = [(source, url) for published_kind, source, url in published if published_kind == kind]
            if urls:
                self.line(f"Syncing {title} to {where} Storage")
            for source, url in urls:
                self.line(f"{source} > {url}")

    def left_out(self, sources: Sequence[str]) -> None:
        """Print what is not published although it was written."""
        for source in sources:
            self.note(f"{source} is not published: a pipeline that did not succeed wrote it")

    def line(self, line: str) -> None:
        """Print a line of the results."""
        print(line, flush=True)  # a log may have a million lines: click.echo takes twice as long


class JsonReport(RunReport):
    """Events as JSON lines, then the receipt as the last line."""

    def using(self, *lines: str) -> None:
        pass

    def waiting(self, place: int | None, why: str = "") -> None:
        self.event({"event": "waiting", "place": place, "reason": why})

    def assigned(self, worker: str, db: str | None, database: "RunDatabase | None") -> None:
        about = database and {
            "kind": database.kind,
            "web_ui": database.web_ui,
            "file": database.file and str(database.file),
        }
        self.event({"event": "assigned", "worker": worker, "db": db, "database": about})

    def resources(self, receipt: dict[str, Any], workload: Path | None) -> None:
        pass

    def event(self, event: Event) -> None:
        if event["event"] == "invalid":
            self.invalid(event["errors"])
        self.line(json.dumps(event))

    def ended(
        self, receipt: dict[str, Any], published: Sequence[tuple[str, str, str]], keep: str | None, where: str = "Local"
    ) -> None:
        stays = keep if where == "Local" else None  # so long; None: as long as whoever runs the storage says
        for kind, source, url in published:
            self.event({"event": "published", "kind": kind, "source": source, "url": url, "keep": stays})
        self.line(json.dumps(receipt))


class QuietReport(RunReport):
    """Prints the results that other programs need: where the database is, and the addresses of what was published."""

    def assigned(self, worker: str, db: str | None, database: "RunDatabase | None") -> None:  # noqa: ARG002
        if place := (database and database.file) or db:
            click.echo(place)

    def finished(self, result: dict[str, Any]) -> None:
        if result["error"]:
            self.warn(f"dppctl: {result['id']}: {result['error'].splitlines()[0]}")

    def resources(self, receipt: dict[str, Any], workload: Path | None) -> None:
        pass

    def published(self, published: Sequence[tuple[str, str, str]], where: str) -> None:  # noqa: ARG002
        for _, _, url in published:
            click.echo(url)

    def line(self, line: str) -> None:
        pass


def outcome(result: dict[str, Any]) -> str:
    """Return a line such as `./dump-to-db: SUCCESS, processed 90088 rows`."""
    return f"{result['id']}: {WORDS[result['status']]}, processed {result['rows']} rows"
