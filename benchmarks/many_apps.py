"""Very many registered apps in bare repositories, bots as processes of their own before them, and a git server.

The repositories take their first objects from one that all of them name (`objects/info/alternates`), which is made by
one git: ten thousand are there within seconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.recheck import SPEC
from benchmarks.report import ROOT
from bot.parent_death import bound_to_parent
from tests.support.git_server import serve

LATENCY = 0.2  # seconds, before each answer of the git server, once `slow` is there
START = "commit refs/heads/{branch}\nmark :1\ncommitter ann <a@example.org> {when} +0000\ndata 5\nstart\n"
CONFIG = """\
continuousDeployment:
- appRepoPath: {app}
  opsRepoPath: {ops}
  actions: [{{branch: master, environment: {environment}}}]
"""
END_SECONDS = 10.0


@dataclass(frozen=True)
class App:
    """A registered app. deploys: it has a pipeline and a `.dppctl.yaml`; without these nothing is deployed."""

    name: str
    ops: str
    environment: str
    deploys: bool = True


def apps_of(ops: int, apps: int, deploying: int | None = None) -> list[App]:
    """Return so many apps of each of so many ops repos; `deploying`: how many of all deploy something (None: all)."""
    pairs = [(app, number) for app in range(apps) for number in range(ops)]
    return [
        App(f"ann/app{app}-{number}", f"ann/ops{number}", f"e{app}", deploying is None or index < deploying)
        for index, (app, number) in enumerate(pairs)
    ]


def make(folder: Path, apps: Sequence[App]) -> None:
    """Make bare repositories below `forge`, and apps.yaml."""
    shared = folder / "shared.git"
    shared.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--template="], cwd=shared, check=True)
    files: dict[str, dict[str, str]] = {app.ops: {"README.md": "ops\n"} for app in apps}
    for app in apps:
        config = CONFIG.format(app=app.name, ops=app.ops, environment=app.environment)
        files[app.name] = {"pipeline-spec.yaml": SPEC} | ({".dppctl.yaml": config} if app.deploys else {})
    stream = "".join(
        f"reset refs/heads/all\n\n{_stream('all', each, 1_800_000_000)}get-mark :1\n" for each in files.values()
    )
    for name, commit in zip(files, _import(shared, stream).split(), strict=True):
        bare = folder / "forge" / f"{name}.git"
        (bare / "refs" / "heads").mkdir(parents=True)
        (bare / "objects" / "info").mkdir(parents=True)
        (bare / "HEAD").write_text("ref: refs/heads/master\n")
        (bare / "config").write_bytes((shared / "config").read_bytes())
        (bare / "objects" / "info" / "alternates").write_text(f"{shared / 'objects'}\n")
        (bare / "refs" / "heads" / "master").write_text(f"{commit}\n")
    lines = (
        f"- {{appRepoPath: {app.name}, opsRepoPath: {app.ops}, environments: [{app.environment}]}}\n" for app in apps
    )
    (folder / "apps.yaml").write_text("apps:\n" + "".join(lines))


def push(folder: Path, name: str, note: str) -> str:
    """Push a commit to a repository, past its server; return the commit."""
    bare = folder / "forge" / f"{name}.git"
    _import(bare, _stream("master", {"note": note}, 1_900_000_000, "from refs/heads/master^0\n"))
    return (bare / "refs" / "heads" / "master").read_text().strip()


def ops_commits(folder: Path, apps: Sequence[App]) -> int:
    """Return how many commits of the bots the ops repos have."""
    return sum(
        int(_git(folder / "forge" / f"{name}.git", "rev-list", "--count", "master")) - 1
        for name in sorted({app.ops for app in apps})
    )


def configure(folder: Path, name: str, database: str, url: str, **settings: str) -> Path:
    """Make a bot's folder, with these settings, and return it."""
    config = folder / name
    config.mkdir()
    (config / "apps.yaml").write_text((folder / "apps.yaml").read_text())
    given = {"GITHUB_URL": url, "DATABASE_URL": database, "PORT": "0", "WEBHOOK_SECRETS": "x", **settings}
    env = config / ".env"
    env.touch(0o600)
    env.write_text("".join(f"DPPCTL_{key}={value}\n" for key, value in given.items()))
    return config


@contextmanager
def bot(config: Path, checkout: Path = ROOT) -> Iterator[int]:
    """Run a bot, of this checkout or another one; give its process id."""
    python = sys.executable if checkout.resolve() == ROOT.resolve() else str(checkout / ".venv" / "bin" / "python")
    with (config / "log").open("a") as log, _program(python, checkout, "cli.main", "bot", "--config", config) as start:
        process = start(stdout=subprocess.DEVNULL, stderr=log, cwd=config)
        yield process.pid


@contextmanager
def git_server(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Serve the repositories from a process of its own: URL, the file with which its latency begins, its process id."""
    with _program(sys.executable, ROOT, "benchmarks.many_apps", folder) as start:
        process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip(), folder / "slow", process.pid


def wait_for(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for a condition. Raises RuntimeError when it is not true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


@contextmanager
def _program(python: str, checkout: Path, *arguments: str | Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Give what starts a module of a checkout; it is ended afterwards."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(checkout)}
    started: list[subprocess.Popen[bytes]] = []

    def start(**options: object) -> "subprocess.Popen[bytes]":
        command = bound_to_parent([python, "-P", "-m", *map(str, arguments)], signal.SIGTERM)
        process: subprocess.Popen[bytes] = subprocess.Popen(command, env=environment, **options)  # type: ignore[call-overload]
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _stream(branch: str, files: dict[str, str], when: int, parent: str = "") -> str:
    stream = START.format(branch=branch, when=when) + parent
    return stream + "".join(
        f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n" for path, text in files.items()
    )


def _import(bare: Path, stream: str) -> str:
    command = ["git", "fast-import", "--quiet", "--force"]
    return subprocess.run(command, cwd=bare, input=stream, stdout=subprocess.PIPE, text=True, check=True).stdout


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _main(folder: Path) -> None:
    slow, calls = folder / "slow", folder / "calls"

    def before(path: str) -> None:
        if path.endswith("/info/refs"):  # with which each git begins
            with calls.open("a") as file:
                file.write(f"{path}\n")
        if slow.exists():
            time.sleep(LATENCY)

    with serve(folder / "forge", before=before) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
