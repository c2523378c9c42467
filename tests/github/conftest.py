"""GitHub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forge import Forge
from tests.github.fake import FakeGitHub, fake_github


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


@pytest.fixture
def github(forge: Forge) -> Iterator[FakeGitHub]:
    with fake_github(forge) as github:
        yield github
        assert github.wrong == []
