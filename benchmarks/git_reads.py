"""Looks at repositories: one git that stays beside a git for each question, on a small and on a long history."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.report import Result, Row, spread, table
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.limits import MAX_CONFIG_BYTES, MAX_SPEC_BYTES
from bot.model.spec_files import is_spec
from bot.settings import load_settings
from tests.support.forge import git

SPEC = "pipeline-spec.yaml"
LOOKS = 1000


def git_reads(bench: Bench) -> Result:
    """Measure pairs of looks at the same copy, then what many looks leave behind."""
    folder = bench.new_folder()
    environment = {"DPPCTL_GITHUB_URL": (folder / "forge").as_uri(), "DPPCTL_WEBHOOK_SECRETS": "x"}
    runner = Git(load_settings(folder, environment))
    rows, lines = [], []
    for name, commits, folders in (("small", 3, 1), ("long", 2_000 if bench.quick else 50_000, 200)):
        _make(folder / "forge" / "ann" / f"{name}.git", commits, folders)
        mirror = Mirror(runner, f"{environment['DPPCTL_GITHUB_URL']}/ann/{name}.git", folder / name)
        started = time.perf_counter()
        mirror.refresh()
        fetched = time.perf_counter() - started
        ours, apart = _pairs(bench, name, lambda mirror=mirror: _look(mirror), lambda mirror=mirror: _by_gits(mirror))
        ratio = statistics.median(ours) / statistics.median(apart)
        what = f"a look at {commits} commits and {folders} folders: ours / a git for each question"
        rows.append(Row(what, "under 1 x", f"{ratio:.2f} x", ratio < 1))
        lines.append((f"{commits} commits", f"{fetched:.1f} s", spread(ours, " ms"), spread(apart, " ms")))
    rows += _leftovers(runner, mirror, 50 if bench.quick else LOOKS)
    runner.close()
    details = (
        "A look reads the refs, `.dppctl.yaml`, all pipelines' specs, the folder's id and the commit's message. Ours: "
        "`Mirror.open`, one `git cat-file --batch`. Beside it: for-each-ref, cat-file twice, ls-tree, cat-file twice, "
        "show, each a git of its own.\n\n"
        + table(("repository", "first fetch", "ours", "a git for each question"), lines)
    )
    return Result("Looks at repositories", rows, details)


def _pairs(
    bench: Bench, name: str, ours: Callable[[], None], apart: Callable[[], None]
) -> tuple[list[float], list[float]]:
    """Return milliseconds of both, each first in half of the pairs."""
    found: tuple[list[float], list[float]] = ([], [])
    ours()
    apart()
    for pair in numbered(3 if bench.quick else 20, f"{name} repository, pair"):
        turns = [(found[0], ours), (found[1], apart)]
        for times, work in turns if pair % 2 else reversed(turns):
            started = time.perf_counter()
            work()
            times.append((time.perf_counter() - started) * 1000)
    return found


def _look(mirror: Mirror) -> None:
    head = mirror.head() or ""
    with mirror.open() as reader:
        reader.refs()
        reader.read([(head, ".dppctl.yaml")], MAX_CONFIG_BYTES)
        reader.read_below(head, "", is_spec, MAX_SPEC_BYTES)
        reader.trees([head], "")
        reader.message(head)


def _by_gits(mirror: Mirror) -> None:
    def run(*arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=mirror.folder, input=stdin.encode(), capture_output=True, check=True
        )
        return done.stdout.decode()

    head = mirror.head() or ""
    run("for-each-ref", "--format=%(refname) %(objecttype) %(objectname) %(creatordate:unix)")
    for option in ("--batch-check", "--batch"):
        run("cat-file", option, stdin=f"{head}:.dppctl.yaml\n")
    entries = (line.split("\t") for line in run("ls-tree", "-r", head).splitlines())
    specs = "".join(f"{meta.split()[2]}\n" for meta, name in entries if is_spec(name))
    for option in ("--batch-check", "--batch"):
        run("cat-file", option, stdin=specs)
    run("cat-file", "--batch-check", stdin=f"{head}:\n")
    run("show", "--no-patch", "--format=%B", head)


def _leftovers(runner: Git, mirror: Mirror, looks: int) -> list[Row]:
    """Return what is left open after many looks, and how many gits they started."""
    files, calls = len(os.listdir("/proc/self/fd")), runner.calls
    for _ in range(looks):
        _look(mirror)
    more = len(os.listdir("/proc/self/fd")) - files
    children = len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return [
        Row(f"open files and processes left after {looks} looks", "none", f"{more + children}", more + children == 0),
        Row("… gits that a look starts", "1", f"{(runner.calls - calls) / looks:g}", runner.calls - calls == looks),
    ]


def _make(bare: Path, commits: int, folders: int) -> None:
    """Make a repository whose commits change one file after the other, below folders with a spec in some of them."""
    bare.mkdir(parents=True)
    git(bare, "init", "--quiet", "--bare", "--initial-branch=master", "--template=")
    config = "continuousDeployment: []\n"
    files = {".dppctl.yaml": config, **{f"d{number}/{SPEC}": "{}\n" for number in range(0, folders, 10)}}
    stream = []
    for number in range(commits):
        stream.append(f"commit refs/heads/master\ncommitter a <a@b.org> {1_600_000_000 + number} +0000\ndata 4\nnext\n")
        changed = files if number == 0 else {f"d{number % folders}/data.csv": f"{number}\n"}
        stream += [f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in changed.items()]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, input="".join(stream).encode(), check=True)
