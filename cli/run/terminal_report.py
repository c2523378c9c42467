"""The output of `dppctl run` on a terminal: the plain lines, and below them what runs, with rows and their rate."""

from types import TracebackType
from typing import Any

import click
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.output_options import console
from cli.run.report import RunReport, outcome

COLORS = {"succeeded": "green", "failed": "red", "stopped": "yellow"}


class LiveReport(RunReport):
    """The display is there from the first pipeline's start to the last one's end."""

    def __init__(self, verbose: bool) -> None:
        super().__init__(verbose)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}: {task.fields[state]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
        )
        self._display = Progress(*columns, console=console(), refresh_per_second=5, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.stop()

    def pause(self) -> None:
        self._display.stop()

    def started(self, pipeline: str) -> None:
        self._display.start()
        self._tasks[pipeline] = self._display.add_task(pipeline, total=None, state="WAITING FOR OUTPUT", rate="")

    def progress(self, pipeline: str, rows: int) -> None:
        if not rows or pipeline not in self._tasks:
            return
        self._display.start()  # it may have been paused
        task = self._tasks[pipeline]
        speed = next(shown.speed for shown in self._display.tasks if shown.id == task)
        state = f"RUNNING, processed {rows} rows"
        self._display.update(task, completed=rows, state=state, rate=f"{speed:,.0f} rows/s" if speed else "")

    def finished(self, result: dict[str, Any]) -> None:
        if result["id"] in self._tasks:
            self._display.remove_task(self._tasks.pop(result["id"]))
        if not self._tasks:
            self._display.stop()
        # By rich, which knows NO_COLOR (https://no-color.org) and terminals without colors.
        self._display.console.print(Text(outcome(result), style=COLORS[result["status"]]), soft_wrap=True)

    def note(self, line: str) -> None:
        if self._display.live.is_started:
            self.line(line)
        else:
            super().note(line)

    def line(self, line: str) -> None:
        if self._display.live.is_started:
            self._display.console.print(Text.from_ansi(line), soft_wrap=True)
        else:
            click.echo(line)
