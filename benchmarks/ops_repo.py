"""What an update of the ops repo costs, beside a person's fetch, commit and push with plain git; and a batch of 50."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.report import Result, Row, spread, table
from bot.git.command import Git
from bot.model.decisions import Update
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.ops_repo import OpsRepo
from bot.settings import load_settings
from tests.support.forge import Forge, Repository, git
from tests.support.git_server import serve

BAR = 1.5


def ops_repo(bench: Bench) -> Result:
    """Measure pairs of an update each, in turns, on the same repository."""
    pairs, sizes = (2, (1, 100)) if bench.quick else (20, (1, 100, 1000))
    rows, lines = [], []
    for transport in ("file://", "smart HTTP"):
        for size in sizes:
            with _forge(bench, transport) as (forge, url):
                by_hand, ours = _pairs(forge, url, size, pairs)
            ratio = statistics.median(ours) / statistics.median(by_hand)
            what = f"ops repo update, {size} environments, {transport}: ours / git by hand"
            rows.append(Row(what, f"at most {BAR} x", f"{ratio:.2f} x", ratio <= BAR))
            lines.append((transport, size, spread(by_hand), spread(ours), f"{ratio:.2f}"))
    with _forge(bench, "file://") as (forge, url):
        seconds, pushes = _batch(forge, url)
    rows.append(Row("50 waiting updates", "in one push", f"{pushes} push, {seconds:.2f} s", pushes == 1))
    details = (
        "Both sides keep their clone, and each finds the other's last push when it starts. By hand: `git fetch`, "
        "`reset`, write the file, `add`, `commit`, `push`. Ours: `OpsRepo.write` of one update.\n\n"
        + table(("transport", "environments", "by hand", "ours", "ratio"), lines)
    )
    return Result("An update of the ops repo", rows, details)


def _pairs(forge: Forge, url: str, size: int, pairs: int) -> tuple[list[float], list[float]]:
    ops, writer, made = _filled(forge, url, size)
    by_hand, ours = [], []
    person = forge.folder / "person"
    git(forge.folder, "clone", "--quiet", f"{url}/ann/ops.git", str(person))
    for number in numbered(pairs, f"{size} environments, pair"):

        def hand(number: int = number) -> None:
            git(person, "fetch", "--quiet")
            git(person, "reset", "--quiet", "--hard", "origin/master")
            change = update(0, 2 * number)
            (person / change.target.values_file).write_text(change.values.to_yaml())
            git(person, "add", change.target.values_file)
            git(person, "commit", "--quiet", "--message", "Deploy")
            git(person, "push", "--quiet", "origin", "master")

        def bot(number: int = number) -> None:
            writer.write([update(0, 2 * number + 1)])

        turns: list[tuple[list[float], Callable[[], None]]] = [(by_hand, hand), (ours, bot)]
        for times, work in turns if number % 2 else reversed(turns):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    if len(ops.log()) != made + 2 * pairs:
        raise RuntimeError("an update was lost, or written twice")
    return by_hand, ours


def _batch(forge: Forge, url: str) -> tuple[float, int]:
    ops, writer, _ = _filled(forge, url, 50)
    git(ops.bare, "config", "core.logAllRefUpdates", "always")
    started = time.perf_counter()
    writer.write([update(number, 2) for number in range(50)])
    seconds = time.perf_counter() - started
    return seconds, len((ops.bare / "logs/refs/heads/master").read_text().splitlines())


def _filled(forge: Forge, url: str, size: int) -> tuple[Repository, OpsRepo, int]:
    """Return an ops repo with that many environments, its writer with a kept copy, and the number of its commits."""
    ops = forge.repository("ann/ops")
    ops.push({update(number, 1).target.values_file: update(number, 1).values.to_yaml() for number in range(size)})
    settings = load_settings(forge.folder, {"DPPCTL_GITHUB_URL": url, "DPPCTL_WEBHOOK_SECRETS": "x"})
    writer = OpsRepo(Git(settings), settings.github.repository_url("ann/ops"), forge.folder / "ours")
    writer.refresh()
    return ops, writer, 1


def update(environment: int, commit: int) -> Update:
    """Return an update to a commit, for the environment with this number."""
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=f"{commit:040x}")
    values = Values(image=None, source=source, pipelines=(Pipeline(id="./one"),))
    return Update(Target(RepoPath("ann/app"), RepoPath("ann/ops"), f"e{environment}"), values)


@contextmanager
def _forge(bench: Bench, transport: str) -> Iterator[tuple[Forge, str]]:
    folder: Path = bench.new_folder()
    forge = Forge(folder)
    if transport == "file://":
        yield forge, forge.url
        return
    (folder / "forge").mkdir()
    with serve(folder / "forge") as url:
        yield forge, url
