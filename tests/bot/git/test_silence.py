"""A large repository on a slow line is fetched however long that takes; what says nothing any more is given up."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.git.errors import TransientGitError
from bot.git.mirror import Mirror
from tests.support.github.fake import FakeGitHub
from tests.support.slow_link import slow_link
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
