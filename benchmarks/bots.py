"""Pushes to many repositories behind a git server with latency, before one bot and before three; and memory.

Each bot is `dppctl bot` in a process of its own, on one PostgreSQL; the git server is another process, so that no two
of them share an interpreter.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.recheck import CONFIG, SPEC
from benchmarks.report import ROOT, Result, Row
from bot.model.webhook_events import Push
from bot.store.store import Store
from tests.support.forge import git
from tests.support.git_server import serve
from tests.support.postgres import new_database

LATENCY, SECONDS, PUSHING_SECONDS = 0.2, 30.0, 10.0
MANY, MEGABYTES = 10_000, 400.0
START = "commit refs/heads/master\ncommitter ann <a@example.org> {when} +0000\ndata 5\nstart\n"


@dataclass(frozen=True)
class Size:
    """How many ops repos, apps of each, and pushes."""

    ops: int
    apps: int
    pushes: int


def bots(bench: Bench) -> Result:
    """Measure one bot, three, and one of another checkout (`--against`)."""
    size = Size(2, 3, 4) if bench.quick else Size(20, 50, 200)
    one = _pushes(bench, ROOT, size, 1)
    three = _pushes(bench, ROOT, size, 3)
    what = f"{size.pushes} pushes to {size.ops} ops repos x {size.apps} apps, git server with {LATENCY * 1000:.0f} ms"
    rows = [
        Row(f"{what}: all ops commits, one bot", f"within {SECONDS:.0f} s", f"{one:.1f} s", one <= SECONDS),
        Row("… three bots", "at least 2 x as fast", f"{three:.1f} s, {one / three:.1f} x", one / three >= 2),
    ]
    if bench.against:
        before = _pushes(bench, bench.against.resolve(), size, 1)
        rows.append(Row("… one bot of the other checkout", "", f"{before:.1f} s", None))
    details = (
        f"The pushes are made within {PUSHING_SECONDS:.0f} s, each with its delivery; the time is from the "
        "first push to the last ops commit. All apps were deployed before. Bots, git server and PostgreSQL share the "
        "machine's processors."
    )
    return Result("Pushes to many repositories", rows, details)


def memory(bench: Bench) -> Result:
    """Measure a bot with very many apps, after all of them were looked at twice."""
    apps = 30 if bench.quick else MANY
    folder = bench.new_folder()
    names = _make(folder, Size(1, apps, 0), lambda _: "")
    with new_database(folder) as database:
        config = _config(folder, database, (folder / "forge").as_uri(), 0, RESYNC_SECONDS="600")
        store = Store(database)
        with _bot(ROOT, config) as process:
            _wait(lambda: len(store.settled.all()) >= len(names), 3600)
            time.sleep(5 if bench.quick else 900)  # all are looked at once more
            peak = _peak(process)
        store.close()
    row = Row(
        f"memory of a bot with {apps} apps, peak", f"under {MEGABYTES:.0f} MB", f"{peak:.0f} MB", peak < MEGABYTES
    )
    return Result(
        f"{apps} apps", [row], "Repositories without a `.dppctl.yaml`, file://, one ops repo; its gits apart."
    )


def _pushes(bench: Bench, checkout: Path, size: Size, number: int) -> float:
    """Return the seconds from the first push to the last ops commit."""
    folder = bench.new_folder()

    def config_of(name: str) -> str:
        return CONFIG.format(app=name, environment=_environment(name)).replace("ann/ops", _ops(name))

    names = _make(folder, size, config_of)
    with ExitStack() as opened:
        database = opened.enter_context(new_database(folder))
        url, slow = opened.enter_context(_server(folder))
        store = Store(database)
        opened.callback(store.close)
        for index in range(number):
            config = _config(folder, database, url, index, GITHUB_CALLS_AN_HOUR="0", RESYNC_SECONDS="3600")
            opened.enter_context(_bot(checkout, config))
        _wait(lambda: _commits(folder, size) >= len(names), 3600)
        time.sleep(5)  # they come to rest, and share
        slow.touch()
        started, before = time.monotonic(), _commits(folder, size)
        for index, name in enumerate(names[:: max(1, len(names) // size.pushes)][: size.pushes]):
            time.sleep(max(0.0, started + index * PUSHING_SECONDS / size.pushes - time.monotonic()))
            commit = _push(folder / "forge" / f"{name}.git", {"note": str(index)}, 1_900_000_000)
            store.deliveries.record(f"push-{index}", Push("push", name, "refs/heads/master", "0" * 40, commit))
        _wait(lambda: _commits(folder, size) >= before + size.pushes, 900)
        return time.monotonic() - started


def _ops(app: str) -> str:
    return f"ann/ops{app.rpartition('-')[2]}"


def _environment(app: str) -> str:
    return app.partition("/")[2].partition("-")[0]


def _make(folder: Path, size: Size, config: Callable[[str], str]) -> list[str]:
    """Make bare repositories and apps.yaml; return the apps' names."""
    ops = [f"ann/ops{number}" for number in range(size.ops)]
    names = [f"ann/app{app}-{number}" for app in range(size.apps) for number in range(size.ops)]
    template = folder / "template"
    template.mkdir()
    git(template, "init", "--quiet", "--bare", "--initial-branch=master", "--template=")
    entries = "apps:\n"
    for name in (*ops, *names):
        bare = folder / "forge" / f"{name}.git"
        bare.mkdir(parents=True)
        for file in ("HEAD", "config"):
            (bare / file).write_bytes((template / file).read_bytes())
        for below in ("objects", "refs"):
            (bare / below).mkdir()
        files = {"pipeline-spec.yaml": SPEC, ".dppctl.yaml": config(name) if name in names else ""}
        _push(bare, {path: text for path, text in files.items() if text}, 1_800_000_000)
    for name in names:
        entries += f"- {{appRepoPath: {name}, opsRepoPath: {_ops(name)}, environments: [{_environment(name)}]}}\n"
    (folder / "apps.yaml").write_text(entries)
    return names


def _push(bare: Path, files: dict[str, str], when: int) -> str:
    stream = START.format(when=when)
    stream += "from refs/heads/master^0\n" if (bare / "refs" / "heads" / "master").exists() else ""
    for path, content in files.items():
        stream += f"M 100644 inline {path}\ndata {len(content)}\n{content}\n"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, input=stream.encode(), check=True)
    return (bare / "refs" / "heads" / "master").read_text().strip()


def _config(folder: Path, database: str, url: str, number: int, **settings: str) -> Path:
    config = folder / f"bot{number}"
    config.mkdir()
    (config / "apps.yaml").write_text((folder / "apps.yaml").read_text())
    given = {"GITHUB_URL": url, "DATABASE_URL": database, "PORT": "0", "WEBHOOK_SECRETS": "x", **settings}
    (config / ".env").write_text("".join(f"DPPCTL_{name}={value}\n" for name, value in given.items()))
    return config


@contextmanager
def _bot(checkout: Path, config: Path) -> Iterator[int]:
    python = sys.executable if checkout == ROOT.resolve() else str(checkout / ".venv" / "bin" / "python")
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(checkout)}
    command = [python, "-P", "-m", "cli.main", "bot", "--config", str(config)]
    with (config / "log").open("w") as log, subprocess.Popen(command, cwd=config, env=environment, stderr=log) as bot:
        try:
            yield bot.pid
        finally:
            bot.terminate()


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, Path]]:
    """Serve the repositories from a process of its own; give the URL, and the file with which the latency begins."""
    command = [sys.executable, "-P", "-m", "benchmarks.bots", str(folder)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), folder / "slow"
        finally:
            server.terminate()


def _commits(folder: Path, size: Size) -> int:
    """Return how many commits of the bots the ops repos have."""
    return sum(
        int(git(folder / "forge" / "ann" / f"ops{number}.git", "rev-list", "--count", "master")) - 1
        for number in range(size.ops)
    )


def _peak(process: int) -> float:
    """Return the most memory that a process had so far, in MB: by the kernel's own record."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds:.0f} s")
        time.sleep(0.25)


def _main(folder: Path) -> None:
    slow = folder / "slow"
    with serve(folder / "forge", before=lambda _: time.sleep(LATENCY) if slow.exists() else None) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
