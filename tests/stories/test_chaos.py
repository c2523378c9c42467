"""The story of tests/support/stories/chaos.py, short. `python -m benchmarks --only chaos` tells the long one."""

from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.stories.chaos import Story

pytestmark = pytest.mark.slow


def test_whenever_it_is_killed_the_end_is_what_git_says(tmp_path: Path, runtime: DppEnvironment) -> None:
    assert runtime.bin.is_dir()
    story = Story(tmp_path, seed=1, longest=5.0)
    story.play(kills=5)
    story.check()
