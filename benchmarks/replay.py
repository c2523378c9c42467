"""Measures 2,800 updates of 13 values files, in bursts, while a person pushes too: none is lost, none doubled."""

import random
import re
import threading
import time
from collections import Counter
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.ops_repo import update
from benchmarks.report import Result, Row
from bot.git.command import Git
from bot.git.errors import GitError
from bot.limits import PUSH_TRIES
from bot.model.decisions import Update
from bot.model.registration import Target
from bot.model.values import Values
from bot.reconcile.ops_repo import OpsRepo
from bot.settings import load_settings
from tests.support.forge import Forge, Repository, git

ENVIRONMENTS = 13
SECONDS_BETWEEN = 0.06  # an hour of the real thing is some seconds here; what counts is what overlaps
PERSON_SECONDS = 0.2  # between two pushes of a person
BURST = 0.05  # this part of the updates comes at once after the one before


class Waiting:
    """What the bot would find when it looks: for each environment the newest, as with git's refs."""

    def __init__(self) -> None:
        self._newest: dict[Target, Update] = {}
        self._change = threading.Condition()
        self._ended = False

    def put(self, new: Update) -> None:
        with self._change:
            self._newest[new.target] = new
            self._change.notify()

    def put_back(self, old: list[Update]) -> None:
        with self._change:
            self._newest = {one.target: one for one in old} | self._newest

    def end(self) -> None:
        with self._change:
            self._ended = True
            self._change.notify()

    def take(self) -> list[Update]:
        """Return all that wait; [] when it is over."""
        with self._change:
            self._change.wait_for(lambda: self._newest or self._ended)
            taken, self._newest = list(self._newest.values()), {}
            return taken


def replay(bench: Bench) -> Result:
    """Measure three at work: who pushes to the app repos, the bot's writer, a person."""
    updates = 60 if bench.quick else 2800
    forge = Forge(bench.new_folder())
    ops = forge.repository("ann/ops")
    ops.push({"README.md": ""}, message="start")
    settings = load_settings(forge.folder, {"DPPCTL_GITHUB_URL": forge.url, "DPPCTL_WEBHOOK_SECRETS": "x"})
    writer = OpsRepo(Git(settings), settings.github.repository_url("ann/ops"), forge.folder / "ours")
    waiting, over = Waiting(), threading.Event()
    last: dict[Target, Update] = {}
    pushed: list[int] = []

    def push_apps() -> None:
        chance = random.Random(2800)
        for number in range(1, updates + 1):
            new = update(chance.randrange(ENVIRONMENTS), number)
            last[new.target] = new
            waiting.put(new)
            if chance.random() > BURST:
                time.sleep(chance.expovariate(1 / SECONDS_BETWEEN))
        waiting.end()

    def person() -> None:
        clone = forge.folder / "person"
        git(forge.folder, "clone", "--quiet", str(ops.bare), str(clone))
        while not over.is_set():
            pushed.append(_person(clone, len(pushed)))
            over.wait(PERSON_SECONDS)

    threads = [threading.Thread(target=work) for work in (push_apps, person)]
    for thread in threads:
        thread.start()
    started, failed, put_off = time.perf_counter(), 0, 0
    while batch := waiting.take():
        try:
            failed += sum(not isinstance(result, str) for result in writer.write(batch).values())
        except GitError:  # the bot's loop looks again a little later, too
            put_off += 1
            waiting.put_back(batch)
    seconds = time.perf_counter() - started
    over.set()
    for thread in threads:
        thread.join()
    lost = sum(_text(ops, target) != newest.values for target, newest in last.items())
    commits = re.findall(
        r"Dppctl-Environment: (\S+)\n.*\nDppctl-Source-Commit: (\w+)", git(ops.bare, "log", "--format=%B", "master")
    )
    doubled = sum(times - 1 for times in Counter(commits).values())
    persons = sum(subject.startswith("person ") for subject in ops.log())
    backwards = sum(
        mine != sorted(mine, reverse=True)
        for mine in ([commit for where, commit in commits if where == place] for place, _ in set(commits))
    )
    rows = [
        Row(f"replay of {updates} updates: lost", "0", str(lost + failed), lost + failed == 0),
        Row("… doubled, or in the wrong order", "0", str(doubled + backwards), doubled + backwards == 0),
        Row("… the person's pushes that are there", "all", f"{persons} of {len(pushed)}", persons == len(pushed)),
        Row("… conflicts solved", "none: reported", str(writer.conflicts), None),
        Row("… commits for each update", "none: reported", f"{len(commits) / updates:.2f}", None),
    ]
    details = (
        f"{updates} updates of {ENVIRONMENTS} environments, some {SECONDS_BETWEEN * 1000:.0f} ms apart and {BURST:.0%} "
        f"of them at once, in {seconds:.0f} s; {writer.pushes} pushes of ours with {len(commits)} commits, "
        f"{len(pushed)} of a person's. Batches put off after {PUSH_TRIES} refused tries: "
        f"{put_off}. An update that a newer one overtakes while it waits is not committed, as with pushes to a branch."
    )
    return Result("Replay: bursts, and a person who pushes too", rows, details)


def _person(clone: Path, number: int) -> int:
    """Push until it is taken."""
    while True:
        git(clone, "fetch", "--quiet")
        git(clone, "reset", "--quiet", "--hard", "origin/master")
        (clone / "README.md").write_text(f"{number}\n")
        git(clone, "commit", "--quiet", "--all", "--message", f"person {number}")
        try:
            git(clone, "push", "--quiet", "origin", "HEAD:master")
        except AssertionError:
            continue
        return number


def _text(ops: Repository, target: Target) -> Values:
    return Values.from_yaml(ops.file(target.values_file), target.values_file)
