"""What `dppctl deploy` and the acts print of a deployment: lines and, on a terminal, how far it is at the moment."""

import re
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from bot.output import for_terminal, one_line
from cli.limits import PROGRESS_LINE_SECONDS
from cli.open_store import describe
from cli.output_options import console, is_quiet

if TYPE_CHECKING:
    from bot.store.tables import Deployment, DeploymentEvent

# As sync says it: cluster/sync/progress.py, and `running ./a, ./b` when it starts.
_ROWS = re.compile(r"(?P<pipeline>.+): (?:(?P<end>[a-z]+), )?(?P<rows>\d+) rows")
_PIPELINES = re.compile(r"running (?P<names>\S.*)")


@dataclass
class PipelineProgress:
    """How far a deployment's pipelines are; total: how many there are, as far as it is known."""

    total: int = 0
    running: dict[str, int] = field(default_factory=dict)  # rows, by the pipeline's id, the newest last
    ended: dict[str, str] = field(default_factory=dict)  # `succeeded, 1,234 rows`

    def take(self, event: "DeploymentEvent") -> list[str]:
        """Take an event; return a line for each pipeline that it says has ended."""
        if event.phase == "started":
            found = _PIPELINES.fullmatch(event.message)
            names = found["names"].split(", ") if found else []
            self.total, self.running, self.ended = len([name for name in names if name != "all"]), {}, {}
        if event.phase != "progress":
            return []
        ended = []
        for line in map(_ROWS.fullmatch, event.message.splitlines()):
            if line and line["end"]:
                self.running.pop(line["pipeline"], None)
                self.ended[line["pipeline"]] = f"{line['end']}, {int(line['rows']):,} rows"
                ended.append(f"{line['pipeline']}: {self.ended[line['pipeline']]}")
            elif line:
                self.running[line["pipeline"]] = int(line["rows"])
        return ended

    def __str__(self) -> str:
        """Return `pipeline 2 of 5: ./dump-to-db, 1,234 rows`."""
        number = len(self.ended) + bool(self.running)
        total = f" of {self.total}" if self.total >= max(number, 1) else ""
        if not self.running:
            return f"{len(self.ended)}{total} pipelines have ended" if self.ended else "its pipelines start"
        pipeline, rows = next(reversed(self.running.items()))
        beside = f" and {len(self.running) - 1} beside it" if len(self.running) > 1 else ""
        return f"pipeline {number}{total}: {pipeline}, {rows:,} rows{beside}"


class DeploymentReport:
    """Plain lines, for files and pipes; nothing where people want quiet."""

    def __init__(self) -> None:
        self._progress = PipelineProgress()
        self._seen = 0  # the number of the last event that was printed
        self._next_line = 0.0  # when it may be said again how many rows there are
        self._is_described = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Show nothing more that moves."""

    def waiting(self) -> None:
        """Say that the bot has not answered yet; plain lines say so only when it takes long."""

    def see(self, deployment: "Deployment") -> None:
        """Print what is new of a deployment."""
        if not self._is_described:
            self.line(describe(deployment))
            self._is_described = True
        for event in (each for each in deployment.events if each.id > self._seen):  # old ones go
            ended = self._progress.take(event)
            for line in ended:
                self.line(line)
            if event.phase != "progress":
                self.line(f"{event.phase}: {event.message}" if event.message else event.phase)
            elif not ended:
                self.goes_on(event.message)
        self._seen = max((event.id for event in deployment.events), default=0)

    def goes_on(self, message: str) -> None:
        """Print now and then how far it is; what is no count of rows always."""
        lines = message.splitlines()
        if any(not _ROWS.fullmatch(line) for line in lines):
            self.line(message)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PROGRESS_LINE_SECONDS
            self.line(str(self._progress))

    def line(self, text: str) -> None:
        """Print a line for people."""
        click.echo(for_terminal(text))


class LiveDeploymentReport(DeploymentReport):
    """Shows the lines on a terminal, and below them what goes on and for how long already."""

    def __init__(self) -> None:
        super().__init__()
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self._display = Progress(*columns, console=console(), refresh_per_second=5, transient=True)
        self._task = self._display.add_task("", total=None)

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def close(self) -> None:
        self._display.stop()

    def waiting(self) -> None:
        self._show("waiting for the bot")

    def see(self, deployment: "Deployment") -> None:
        super().see(deployment)
        self._show(_now(deployment, self._progress))

    def goes_on(self, message: str) -> None:
        if any(not _ROWS.fullmatch(line) for line in message.splitlines()):
            self.line(message)

    def line(self, text: str) -> None:
        from rich.text import Text

        self._display.console.print(Text(for_terminal(text)), soft_wrap=True)

    def _show(self, text: str) -> None:
        width = max(20, self._display.console.width - 12)  # beside it the time
        self._display.update(self._task, description=one_line(text, width))


class QuietDeploymentReport(DeploymentReport):
    """Nothing."""

    def line(self, text: str) -> None:
        pass


def make_deployment_report() -> DeploymentReport:
    """Return the report that fits where it goes."""
    if is_quiet():
        return QuietDeploymentReport()
    return LiveDeploymentReport() if sys.stdout.isatty() else DeploymentReport()


def _now(deployment: "Deployment", progress: PipelineProgress) -> str:
    """Return what goes on with a deployment."""
    match deployment.state:
        case "building":
            return "building its image"
        case "waiting" if deployment.gate:
            return f"waits for {deployment.gate}"
        case "waiting":
            return "waits for its turn"
        case "running":
            return str(progress)
    return deployment.state
