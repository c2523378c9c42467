"""The story of tests/support/stories/chaos_bots.py, short; `python -m benchmarks --only chaos-bots` is the long one."""

from pathlib import Path

import pytest

from tests.support.postgres import new_database
from tests.support.stories.chaos_bots import BotsStory


@pytest.mark.needs("PostgreSQL")
def test_whichever_bot_is_killed_no_ops_repo_is_written_twice(tmp_path: Path) -> None:
    with new_database(tmp_path) as url:
        story = BotsStory(tmp_path, url, seed=1, bots=2, ops=2, apps=1)
        story.play(kills=2, gits=3, harms=3, longest=0.5)
        story.check()
        story.close()
