"""Local sync on real repositories with real pipelines: what the ops repo says is what runs."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from bot.events import SyncEvent
from bot.git import Git
from bot.mirror import Mirror
from bot.names import RepoPath
from bot.ops_repo import OpsRepo
from bot.reconcile import Update
from bot.registration import Target
from bot.settings import load_settings
from bot.values import Pipeline, Source, Values
from cluster.local.runtime import Runtime
from cluster.sync.local import LocalSync, environment_folder
from tests.conftest import eventually, processes_with
from tests.forge import APP, FLOW, Forge
from worker.build import build

STAGING = Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging")


class Machine:
    """An app, an ops repo with a hand that writes values, and sync beside them."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.forge = Forge(folder)
        self.app, self.ops = self.forge.repository("ann/app"), self.forge.repository("ann/ops")
        self.settings = load_settings(
            folder, {"DPPCTL_GITHUB_URL": self.forge.url, "DPPCTL_WEBHOOK_SECRETS": "x", "DPPCTL_SYNC_TOKEN": "s3cret"}
        )
        self.git = Git(self.settings)
        self.runtime = runtime
        self.events: list[SyncEvent] = []
        self._writer = OpsRepo(self.git, self.settings.repository_url("ann/ops"), folder / "writer")
        build(folder / "worker.pyz")
        self.folder = folder
        self.sync = self.start()

    def start(self) -> LocalSync:
        """Sync as after a start of the program."""
        urls = {name: self.settings.repository_url(name) for name in ("ann/app", "ann/ops")}
        return LocalSync(
            targets=frozenset({STAGING}),
            repositories={name: Mirror(self.git, url, self.folder / "sync" / name) for name, url in urls.items()},
            environments=self.folder / "environments",
            zipapp=self.folder / "worker.pyz",
            runtime=lambda _requirements: self.runtime,
            report=self.events.append,
            stopping=threading.Event(),
        )

    def say(self, files: dict[str, str], *pipelines: str, repository: str = "ann/app") -> str:
        """Push the app and say in the ops repo that this is what staging runs; the app's commit."""
        commit = self.app.push(files)
        source = Source(repository=repository, path="", ref="refs/heads/master", commit=commit)
        chosen = tuple(Pipeline(id=name) for name in pipelines or ["./one"])
        self._writer.write([Update(STAGING, Values(image=None, source=source, pipelines=chosen))])
        return commit

    def numbers(self) -> list[int]:
        """What the pipeline wrote into the environment's database."""
        database = environment_folder(self.folder / "environments", STAGING) / "data.sqlite"
        connection = sqlite3.connect(database)
        found = connection.execute("SELECT number FROM numbers ORDER BY 1").fetchall()
        connection.close()
        return [number for (number,) in found]

    def phases(self) -> list[str]:
        return [event.phase for event in self.events]


@pytest.fixture
def machine(tmp_path: Path, runtime: Runtime) -> Iterator[Machine]:
    machine = Machine(tmp_path, runtime)
    yield machine
    machine.git.close()


def test_what_the_ops_repo_says_runs_and_its_receipt_is_reported(machine: Machine) -> None:
    commit = machine.say(APP)
    machine.sync.sync()
    assert machine.numbers() == [0, 1, 2]
    assert machine.phases() == ["started", "progress", "succeeded"]
    end = machine.events[-1]
    assert (end.app, end.environment, end.commit, end.message) == ("ann/app", "staging", commit, "3 rows")
    machine.ops.pull()
    assert end.ops_commit == machine.ops.git("rev-parse", "HEAD")
    assert end.receipt
    assert end.receipt.source
    assert end.receipt.source.commit == commit
    assert [field["name"] for field in end.receipt.pipelines[0].resources[0]["fields"]] == ["number"]


def test_what_ran_already_does_not_run_again_not_even_after_a_start(machine: Machine) -> None:
    machine.say(APP)
    machine.sync.sync()
    machine.ops.pull()
    machine.ops.push({"README.md": "a person writes something else"})
    machine.sync.sync()
    machine.start().sync()
    assert machine.phases() == ["started", "progress", "succeeded"]


def test_a_failed_pipeline_is_a_failed_deployment_with_its_last_lines_until_the_next_commit(machine: Machine) -> None:
    machine.say({**APP, "rows.py": 'def flow(*_):\n    raise ValueError("the reason")\n'})
    machine.sync.sync()
    machine.sync.sync()
    assert machine.phases() == ["started", "progress", "failed"]
    assert "./one failed" in machine.events[-1].message
    assert "the reason" in machine.events[-1].message
    machine.say({**APP, "rows.py": FLOW.replace("range(3)", "range(2)")})
    machine.sync.sync()
    assert machine.phases()[3:] == ["started", "progress", "succeeded"]
    assert machine.numbers() == [0, 1]


@pytest.mark.parametrize(
    ("files", "pipeline", "said"),
    [
        ({"pipeline-spec.yaml": "one:\n  pipline: []\n"}, "./one", "pipline"),
        (APP, "./two", "./two"),
    ],
)
def test_what_cannot_be_run_at_all_is_failed_with_the_reason(
    machine: Machine, files: dict[str, str], pipeline: str, said: str
) -> None:
    machine.say(files, pipeline)
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert said in machine.events[-1].message


def test_a_commit_that_is_not_there_is_failed(machine: Machine) -> None:
    machine.say(APP)
    machine.ops.pull()
    path = STAGING.values_file
    machine.ops.push({path: dedent(machine.ops.file(path)).replace(machine.app.git("rev-parse", "HEAD"), "d" * 40)})
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]


def test_values_for_another_app_are_not_run(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.say(APP, repository="bob/app")
    machine.sync.sync()
    assert machine.events == []
    assert "is for another app than ann/app" in caplog.text


def test_pipelines_do_not_see_our_settings(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPPCTL_WEBHOOK_SECRETS", "hush")
    check = FLOW.replace(
        "def flow(*_):", 'def flow(*_):\n        import os\n        assert "hush" not in str(os.environ)'
    )
    machine.say({**APP, "rows.py": check})
    machine.sync.sync()
    assert machine.phases()[-1] == "succeeded"


def test_a_stop_ends_the_pipelines_and_the_next_start_runs_them_again(
    machine: Machine, request: pytest.FixtureRequest
) -> None:
    sleepy = FLOW.replace("def flow(*_):", "def flow(*_):\n        import time; time.sleep(300)")
    machine.say({**APP, "rows.py": sleepy})
    thread = threading.Thread(target=machine.sync.run)
    thread.start()
    request.addfinalizer(machine.sync.stop)
    running: Callable[[], list[int]] = lambda: processes_with(str(machine.folder / "environments"))  # noqa: E731
    eventually(lambda: len(running()) > 2, "dpp runs the pipeline")
    machine.sync.stop()
    thread.join(4)
    assert not thread.is_alive()
    eventually(lambda: not running(), "all its processes end")
    assert machine.phases() == ["started"]
    machine.say(APP)
    machine.start().sync()
    assert machine.phases()[-1] == "succeeded"
