"""One repository that is made to be too much, beside a good app: when the good one is deployed, in how much memory."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.hostile_repositories import HOSTILE, Importer, write_app
from benchmarks.measured import descendants
from benchmarks.report import ROOT, Result, Row, table
from tests.support.forge import git

SECONDS, MEGABYTES = 10.0, 400.0
WAIT_SECONDS = 60.0  # for what is said of the app that is too much
WATCH_SECONDS = 0.02


class Found(NamedTuple):
    """Seconds to the good app's ops commit, the peak of all processes in MB, and what was said of the other app."""

    seconds: float
    memory: float
    said: str


def hostile(bench: Bench) -> Result:
    """Measure `dppctl bot` anew for each repository: the start with nothing on the disk, until both are looked at."""
    names = list(HOSTILE)[6:7] if bench.quick else list(HOSTILE)
    found = {name: _run(bench.new_folder(), name) for name in names}
    slowest, largest = (max(names, key=lambda name, of=of: found[name][of]) for of in (0, 1))
    unsaid = [name for name in names if not found[name].said]
    rows = [
        Row(
            f"{len(names)} repositories that are too much, each beside a good app, which is deployed after",
            f"under {SECONDS:.0f} s",
            f"{found[slowest].seconds:.1f} s at most ({slowest})",
            found[slowest].seconds < SECONDS,
        ),
        Row(
            "… memory of all processes together, peak",
            f"under {MEGABYTES:.0f} MB",
            f"{found[largest].memory:.0f} MB at most ({largest})",
            found[largest].memory < MEGABYTES,
        ),
        Row("… of which nothing is said", "0", ", ".join(unsaid) or "0", not unsaid),
    ]
    lines = [(name, f"{one.seconds:.1f} s", f"{one.memory:.0f} MB", one.said) for name, one in found.items()]
    head = ("repository", "good app deployed", "memory, peak", "what is said of it")
    details = (
        "From the start of `dppctl bot`, with no copy of any repository on its disk, to the good app's commit in the "
        "ops repo. Memory is the sum of what each process has in memory (VmRSS), fetching included, git's server "
        f"not. Both apps are in one ops repo.\n\n{table(head, lines)}"
    )
    return Result("Repositories that are too much", rows, details)


def _run(folder: Path, name: str) -> Found:
    print(f"  {name}", flush=True)
    forge = folder / "forge" / "ann"
    for repository in ("bad", "good", "ops"):
        importer = Importer(forge / f"{repository}.git")
        if repository == "bad":
            HOSTILE[name](importer)
        else:
            importer.commit("refs/heads/master", write_app(importer, repository))
        importer.close()
    apps = [f"{{appRepoPath: ann/{app}, opsRepoPath: ann/ops, environments: [{app}]}}" for app in ("bad", "good")]
    (folder / "apps.yaml").write_text(f"apps: [{', '.join(apps)}]\n")
    settings = {"GITHUB_URL": (folder / "forge").as_uri(), "WEBHOOK_SECRETS": "x", "PORT": "0"}
    (folder / ".env").write_text("".join(f"DPPCTL_{key}={value}\n" for key, value in settings.items()))
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "cli.main", "bot", "--config", str(folder)]
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        return _watch(process.pid, folder, started)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _watch(pid: int, folder: Path, started: float) -> Found:
    seconds, memory, said = 0.0, 0.0, ""
    while (now := time.monotonic() - started) < WAIT_SECONDS and not (seconds and said):
        memory = max(memory, sum(map(_memory, _of_the_bot(pid))))
        ops = folder / "forge" / "ann" / "ops.git"
        if not seconds and "Deploy ann/good " in git(ops, "log", "--format=%s", "master"):
            seconds = now
        said = said or _said(folder)
        time.sleep(WATCH_SECONDS)
    return Found(seconds or WAIT_SECONDS, memory, said)


def _of_the_bot(pid: int) -> list[int]:
    """Return its process and those below it, without git's server, which is GitHub's otherwise."""
    below = descendants(pid)
    servers = [each for each in below if b"upload-pack" in _command(each)]
    theirs = {*servers, *(each for server in servers for each in descendants(server))}
    return [pid, *(each for each in below if each not in theirs)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _memory(pid: int) -> float:
    """Return the megabytes that a process has in memory now."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def _said(folder: Path) -> str:
    """Return what the bot recorded of the app that is too much, or logged."""
    for line in (folder / "log").read_text().splitlines():
        if "ann/bad" in line and "not deployed" in line:
            return line
    if (database := folder / "state" / "dppctl.sqlite").exists():
        query = "SELECT state, error FROM deployments WHERE app = 'ann/bad'"
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
            try:
                row = connection.execute(query).fetchone()
            except sqlite3.OperationalError:  # its tables are being made
                return ""
        return f"{row[0]}: {row[1] or ''}" if row else ""
    return ""
