"""What is printed of a deployment as it goes on, in a pipe and on a terminal."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from bot.store.tables import Deployment, DeploymentEvent
from cli.deployment_report import DeploymentReport, LiveDeploymentReport, PipelineProgress

EVENTS = (
    ("committed", "ops repo commit 1a2b"),
    ("started", "running all, ./a, ./ועדות"),
    ("progress", "./a: 100 rows"),
    ("progress", "./a: 1500 rows\n./ועדות: 7 rows"),
    ("progress", "./a: succeeded, 2000 rows"),
    ("progress", "helm\x1b[31m waits"),
    ("progress", "./ועדות: 9000 rows"),
)


def deployment(events: Sequence[tuple[str, str]], state: str = "running") -> Deployment:
    now = datetime.now(UTC)
    found = [
        DeploymentEvent(id=number, time=now, phase=phase, message=message)
        for number, (phase, message) in enumerate(events, 1)
    ]
    about = {"app": "ann/data", "environment": "staging", "ref": "refs/heads/master", "commit": "1a2b3c4d5e6f"}
    return Deployment(id=12, **about, state=state, events=found)


def test_progress_says_which_pipeline_of_how_many_it_is() -> None:
    progress, said = PipelineProgress(), []
    for event in deployment(EVENTS).events:
        progress.take(event)
        said.append(str(progress))
    assert said[1:] == [
        "its pipelines start",
        "pipeline 1 of 2: ./a, 100 rows",
        "pipeline 1 of 2: ./ועדות, 7 rows and 1 beside it",
        "pipeline 2 of 2: ./ועדות, 7 rows",
        "pipeline 2 of 2: ./ועדות, 7 rows",
        "pipeline 2 of 2: ./ועדות, 9,000 rows",
    ]
    for event in deployment([("started", "helm upgrade of a"), ("progress", "./a: failed, 3 rows")]).events:
        progress.take(event)
    assert str(progress) == "1 pipelines have ended", "how many there are is not known"


def test_in_a_pipe_rows_are_said_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with DeploymentReport() as report:
        for number in range(len(EVENTS)):
            report.see(deployment(EVENTS[: number + 1]))
    assert capsys.readouterr().out.splitlines() == [
        "Deployment 12: ann/data master 1a2b3c4d5e to staging",
        "committed: ops repo commit 1a2b",
        "started: running all, ./a, ./ועדות",
        "pipeline 1 of 2: ./a, 100 rows",
        "./a: succeeded, 2,000 rows",
        "helm waits",
    ]


def test_on_a_terminal_the_last_line_says_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = StringIO()
    terminal = Console(file=shown, force_terminal=True, width=60, no_color=True)
    monkeypatch.setattr("cli.deployment_report.console", lambda: terminal)
    with LiveDeploymentReport() as report:
        for state in ("building", "waiting"):
            report.see(deployment(EVENTS[:1], state))
            report._display.refresh()
        for number in range(len(EVENTS)):
            report.see(deployment(EVENTS[: number + 1]))
            report._display.refresh()
        report.line("https://dppctl.example.org/" + "a" * 100)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    for now in ("building its image", "waits for its turn", "pipeline 1 of 2: ./a, 100 rows", "./ועדות, 9,000 rows"):
        assert re.search(rf"\S {re.escape(now)} .*0:00:00", text) or now in text, now
    lines = [line.strip() for line in text.splitlines()]
    assert lines.count("./a: succeeded, 2,000 rows") == 1
    assert "https://dppctl.example.org/" + "a" * 100 in text, "an address is not broken"
