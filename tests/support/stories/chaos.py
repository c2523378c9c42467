"""Pushes and tags during which `dppctl up` is killed again and again, and webhooks go astray.

What must be true at the end is the same as if nothing of that had happened: the ops repo is what git says, every
deployment ended, none is lost and none is done twice. That is seen in the rows: each deployment that succeeds adds
three to its environment's table.
"""

import contextlib
import hashlib
import hmac
import json
import random
import re
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from tests.support.environment import processes_with
from tests.support.forge import APPENDING, FLOW, git
from tests.support.up import Up
from tests.support.world import World

ROWS = 3  # of one deployment
BAD = FLOW.replace("def flow(*_):", 'def flow(*_):\n        raise ValueError("by mistake")')
SECONDS_TO_SETTLE = 120.0
ENDED = ("succeeded", "failed", "superseded", "refused", "skipped", "resolved")


class Story:
    """Has two steps: `play` it, then `check` it."""

    def __init__(self, folder: Path, seed: int, longest: float) -> None:
        """Make the repositories. longest: seconds between a start and the kill."""
        self.random = random.Random(seed)
        self.longest = longest
        self.counts: Counter[str] = Counter()
        world = World(folder)
        self.app, self.ops = world.app, world.ops
        self.app.push(APPENDING)
        self.config = world.write_config(RESYNC_SECONDS="10")
        self.state = self.config / "state"
        self.late: list[tuple[str, bytes]] = []  # deliveries that are held back
        self.last_tag: str | None = None
        self.heads = {"refs/heads/master": self.app.git("rev-parse", "HEAD")}

    def play(self, kills: int) -> None:
        """Start, push and kill, so many times."""
        with self._up() as up:  # for a tag that is there at the first look is not deployed
            self._wait_until(self._is_at_rest, up, "the first commit is deployed")
        for _ in range(kills):
            with self._up() as up:
                time.sleep(self.random.uniform(0, self.longest) / 2)
                for _ in range(self.random.choice((0, 0, 1, 1, 2))):
                    self._act(up)
                if self.random.random() < 0.4:
                    self._wait_for_an_end()
                else:
                    time.sleep(self.random.uniform(0, self.longest) / 2)
            self.counts["kills"] += 1

    def check(self) -> None:
        """Let it come to rest, then compare git, the store and the rows. Raises AssertionError."""
        with self._up() as up:
            self._wait_until(self._is_at_rest, up, "everything ended, and the ops repo is what git says")
        assert not processes_with(str(self.config)), "a process is left"
        deployments = self._rows('SELECT environment, state, ops_commit, error, "commit" FROM deployments ORDER BY id')
        trailer = "--format=%H %(trailers:key=Dppctl-Environment,valueonly,separator=)"
        log = git(self.ops.bare, "log", "--reverse", trailer, "--grep=^Dppctl-App", "master").splitlines()
        commits = [tuple(line.split()) for line in log]
        recorded = Counter(ops_commit for _, _, ops_commit, _, _ in deployments if ops_commit)
        differ = set(recorded) ^ {commit for commit, _ in commits}
        assert not differ, f"only one of the store and the ops repo knows {differ}: {deployments} {commits}"
        assert set(recorded.values()) <= {1}, "no deployment is there twice"
        for environment in ("staging", "production"):
            self._check_environment(environment, [commit for commit, name in commits if name == environment])
        self.counts.update(state for _, state, _, _, _ in deployments)
        self.counts["ops commits"] = len(commits)

    def _wait_for_an_end(self) -> None:
        """Wait until pipelines have just ended, if they do: then a kill could do most harm."""
        before, end = self._receipts(), time.monotonic() + 3 * self.longest
        while time.monotonic() < end:
            if self._receipts() - before:
                self.counts["kills within 0.3 s of the end of pipelines"] += 1
                time.sleep(self.random.uniform(0, 0.3))
                return
            time.sleep(0.005)

    def _receipts(self) -> set[Path]:
        return set((self.state / "environments").glob("*/*/releases/*/receipt.json"))

    def _check_environment(self, environment: str, commits: list[str]) -> None:
        sources = [self._source(commit, environment) for commit in commits]
        again = [source for source, before in zip(sources[1:], sources, strict=False) if source == before]
        assert not again, f"{environment}: committed twice in a row: {again}"
        succeeded = self._rows(
            "SELECT count(*) FROM deployments WHERE state = 'succeeded' AND environment = ?", environment
        )[0][0]
        database = self.state / "environments" / "ann+app" / environment / "current" / "data.sqlite"
        rows = 0
        if database.exists():
            with closing(sqlite3.connect(database)) as connection:
                rows = connection.execute("SELECT count(*) FROM numbers").fetchone()[0]
        assert rows == ROWS * succeeded, f"{environment}: {rows} rows of {succeeded} deployments that succeeded"

    def _is_at_rest(self) -> bool:
        states = self._rows("SELECT state FROM deployments")
        if any(state not in ENDED for (state,) in states):
            return False
        wanted = {"staging": self.app.git("rev-parse", "HEAD")}
        if self.last_tag:
            wanted["production"] = git(self.app.bare, "rev-parse", f"{self.last_tag}^{{commit}}")
        try:
            if any(self._source("master", name) != commit for name, commit in wanted.items()):
                return False
        except AssertionError:  # no such file yet
            return False
        query = """SELECT count(*) FROM deployments
                   WHERE environment = ? AND "commit" = ? AND state IN ('succeeded', 'failed')"""
        return all(self._rows(query, name, commit)[0][0] for name, commit in wanted.items())

    def _source(self, ops_commit: str, environment: str) -> str:
        """Return the app's commit that an environment is to run, as of a commit of the ops repo."""
        text = git(self.ops.bare, "show", f"{ops_commit}:environments/{environment}/values.auto-updated.yaml")
        found = re.search(r'commit"?: "?([0-9a-f]{40})', text)
        assert found, text
        return found[1]

    def _act(self, up: Up) -> None:
        """Push or tag; the webhook arrives, or it does not, or later, or twice."""
        if self.random.random() < 0.25 and self.heads["refs/heads/master"] not in ("", self._tagged()):
            self.last_tag = f"v0.0.{self.counts['tags'] + 1}"
            self.app.tag(self.last_tag)
            self.counts["tags"] += 1
            self._moved(f"refs/tags/{self.last_tag}", up)
        else:
            self.counts["pushes"] += 1
            flow = BAD if self.random.random() < 0.15 else FLOW
            self.app.push({"rows.py": flow, "pushes.txt": str(self.counts["pushes"])})
            self._moved("refs/heads/master", up)

    def _tagged(self) -> str:
        return git(self.app.bare, "rev-parse", f"{self.last_tag}^{{commit}}") if self.last_tag else ""

    def _moved(self, ref: str, up: Up) -> None:
        before, after = self.heads.get(ref, "0" * 40), self.app.git("rev-parse", "HEAD")
        self.heads[ref] = after
        payload = {"ref": ref, "before": before, "after": after, "repository": {"full_name": "ann/app"}}
        delivery = (str(uuid.uuid4()), json.dumps(payload).encode())
        fate = self.random.choice(("sent", "sent", "sent", "dropped", "doubled", "late"))
        self.counts[f"webhooks {fate}"] += 1
        if fate == "late":
            self.late.append(delivery)
        elif fate != "dropped":
            for _ in range(2 if fate == "doubled" else 1):
                self._deliver(delivery, up)
        if self.late and self.random.random() < 0.4:
            self.random.shuffle(self.late)
            self._deliver(self.late.pop(), up)

    def _deliver(self, delivery: tuple[str, bytes], up: Up) -> None:
        identity, body = delivery
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": identity,
            "X-Hub-Signature-256": "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest(),
        }
        try:
            answer = requests.post(f"{up.address(5.0)}/webhooks/github", body, headers=headers, timeout=5)
        except (requests.RequestException, TimeoutError):
            self.counts["webhooks that nobody took"] += 1
        else:
            assert answer.status_code < 500, answer.text

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        database = self.state / "dppctl.sqlite"
        if not database.exists():
            return []
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
            try:
                return connection.execute(query, values).fetchall()
            except sqlite3.OperationalError:  # killed before its tables were made
                return []

    def _wait_until(self, condition: Callable[[], bool], up: Up, what: str) -> None:
        end = time.monotonic() + SECONDS_TO_SETTLE
        while not condition():
            if time.monotonic() > end or not up.runs():
                states = Counter(self._rows("SELECT environment, state FROM deployments"))
                log = (self.config / "log").read_text()[-3000:]
                raise AssertionError(f"not within {SECONDS_TO_SETTLE:.0f} s: {what}; {states}\n{log}")
            time.sleep(0.1)

    @contextlib.contextmanager
    def _up(self) -> Iterator[Up]:
        up = Up(self.config)
        try:
            yield up
        finally:
            up.kill()
