"""A copy that is harmed at random, and whose gits are killed at random, is right again by itself.

`HARMS` in the environment says how often, as for a long try before a release.
"""

import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.settings import Settings
from tests.support.broken_copies import harm_at_random
from tests.support.forge import Repository

pytestmark = pytest.mark.slow


HARMS = int(os.environ.get("HARMS", "12"))
TRIES = 4


@contextlib.contextmanager
def killing(git: Git, chance: random.Random) -> Iterator[None]:
    """Kill what git runs, at a random moment."""

    def kill() -> None:
        for process in list(git._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(chance.uniform(0, 0.05), kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def look(mirror: Mirror) -> tuple[str | None, bytes | None, int]:
    """The head, the file `a` there, and how many branches and tags there are."""
    mirror.refresh()
    head = mirror.head()
    with mirror.open() as reader:
        return head, reader.read([(head or "", "a")], 100)[head or "", "a"], len(reader.refs())


def test_whatever_happens_to_a_copy_it_is_right_again_soon(
    settings: Settings, bot_git: Git, repository: Repository, tmp_path: Path
) -> None:
    chance = random.Random(2_026)
    folder = tmp_path / "copy"
    mirror = Mirror(bot_git, settings.github.repository_url("ann/app"), folder)
    for number in range(HARMS):
        commit = repository.push({"a": str(number), f"other{number % 5}": "x" * 1_000 * number})
        if number % 5 == 0:
            repository.tag(f"v{number}", "--annotate", "--message", "one")
        if chance.random() < 0.5:
            mirror = Mirror(bot_git, settings.github.repository_url("ann/app"), folder)  # as after a start
        what = harm_at_random(folder, chance) if number else "nothing"
        if chance.random() < 0.5:
            what += ", gits killed"
            with killing(bot_git, chance), contextlib.suppress(DppctlError):
                look(mirror)
        errors: list[str] = []
        for _ in range(TRIES):
            try:
                found = look(mirror)
                break
            except DppctlError as error:
                errors.append(str(error))
        else:
            raise AssertionError(f"{number}: {what}: {errors}")
        assert found == (commit, str(number).encode(), 1 + number // 5 + 1), f"{number}: {what}"
