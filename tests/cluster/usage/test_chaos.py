"""The usage server and the proxy killed while runs come: nothing is missing in the log, and no place is left over."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.environment import use_kubeconfig
from tests.support.needs import needs
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.usage_story import UsageStory

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]


@needs("an API server")
def test_kills_lose_nothing_of_twenty_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
    use_kubeconfig(monkeypatch, kubeconfig)
    monkeypatch.setattr("worker.server.Run", NamedRun)
    with (
        closing(OperatorWorld(tmp_path, kubeconfig, free_port(), waiting=5, most=20)) as world,
        world.operator(),
        closing(UsageStory(world, kubeconfig, world.url, seed=5)) as story,
    ):
        story.play(runs=20, kills=2, seconds=1.0)
        story.check()
        assert story.kills == {"proxy": 1, "usage-server": 1}
