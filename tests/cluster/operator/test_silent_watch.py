"""A watch that says nothing any more, as behind a connection that died: the operator lists as well."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.environment import use_kubeconfig
from tests.support.faulty_api import HANGS, faulty_api
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld


@pytest.mark.needs("an API server")
def test_runs_are_made_and_stopped_while_the_watch_is_silent(
    tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.operator.OPERATOR_LIST_SECONDS", 0.5)  # 30 else
    with faulty_api(kubeconfig, tmp_path) as api, api.failing("GET", "watch=true", HANGS) as silent:
        use_kubeconfig(monkeypatch, api.kubeconfig)
        with closing(OperatorWorld(tmp_path, api.kubeconfig, free_port())) as world, world.operator():
            names = [world.ask("rows"), world.ask("wait")]
            world.until(names[0], "Succeeded")
            world.until(names[1], "Running")
            world.stop(names[1])
            assert world.until(names[1], "Stopped")["message"] == "it was stopped by ann"
            late = world.ask("rows")  # when workers were replaced, which is not watched either
            world.until(late, "Succeeded")
            api.released.set()
    assert silent.hits > 0
