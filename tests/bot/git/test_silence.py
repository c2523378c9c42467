"""A large repository on a slow line is fetched however long that takes; what says nothing any more is given up."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.git.errors import TransientGitError
from bot.git.mirror import Mirror
from tests.support.environment import REPOSITORY, processes_with
from tests.support.github.fake import FakeGitHub
from tests.support.slow_link import slow_link
from tests.support.waiting import eventually
from tests.support.world import World

SILENCE = 3.0
LARGE = 40 * 2**10


@pytest.fixture
def large(github: FakeGitHub) -> FakeGitHub:
    """GitHub with a repository of some size."""
    github.user("robot", "robots-token")
    repository = github.repository("ann/app", robot="write")
    for number in range(8):
        (repository.git.work / f"large{number}").write_bytes(os.urandom(LARGE))
    repository.git.push_all()
    return github


@contextmanager
def mirror_by(url: str, folder: Path) -> Iterator[Mirror]:
    given = {"GITHUB_URL": url, "GITHUB_TOKEN": "robots-token", "GIT_SILENCE_SECONDS": str(SILENCE)}
    with World(folder, **given) as world:
        yield Mirror(world.git, world.settings.github.repository_url("ann/app"), folder / "mirror")


def remains(mirror: Mirror) -> list[str]:
    return [file.name for file in mirror.folder.rglob("*") if file.name.startswith("tmp_") or file.suffix == ".lock"]


def test_a_slow_line_is_no_failure(large: FakeGitHub, tmp_path: Path) -> None:
    with slow_link(large.url, 8 * LARGE // 9) as url, mirror_by(url, tmp_path) as mirror:
        mirror.refresh()
        assert mirror.head()


def test_a_silent_line_is_given_up_and_leaves_nothing(large: FakeGitHub, tmp_path: Path) -> None:
    with slow_link(large.url, 10 * LARGE, stops_after=4 * LARGE) as url, mirror_by(url, tmp_path) as mirror:
        for _ in range(2):
            with pytest.raises(TransientGitError, match="DPPCTL_GIT_SILENCE_SECONDS"):
                mirror.refresh()
            assert remains(mirror) == []


FETCH = """
import sys
from pathlib import Path
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.settings import load_settings

folder, url = Path(sys.argv[1]), sys.argv[2]
settings = load_settings(folder, {"DPPCTL_GITHUB_URL": url, "DPPCTL_GITHUB_TOKEN": "robots-token"}, receives=False)
Mirror(Git(settings), settings.github.repository_url("ann/app"), folder / "mirror").refresh()
"""


@pytest.mark.needs("setpriv")
def test_a_kill_ends_the_fetch_and_the_next_start_cleans_up(large: FakeGitHub, tmp_path: Path) -> None:
    with slow_link(large.url, LARGE, stops_after=4 * LARGE) as url:
        killed = subprocess.Popen([sys.executable, "-c", FETCH, str(tmp_path), url], cwd=REPOSITORY)
        eventually(lambda: list(tmp_path.glob("mirror/objects/pack/tmp_pack_*")), "something is received")
        killed.kill()
        killed.wait()
        eventually(lambda: not processes_with(str(tmp_path / "mirror")), "git ends")
    (tmp_path / "mirror/refs/heads/master.lock").touch()
    with mirror_by(large.url, tmp_path) as mirror:
        mirror.refresh()
        assert mirror.head()
        assert remains(mirror) == []
