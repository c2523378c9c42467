"""Which cluster `dppctl init` alone comes back to."""

from pathlib import Path

import pytest

from bot.model.app_config import AppConfig
from cli.errors import InputError
from cli.init.clusters.choose import begun_cluster
from cli.remote.clusters import InitializedCluster, NamedCluster, add_cluster, keep_initialized, use_cluster

pytestmark = pytest.mark.usefixtures("settings_folder")
APP = AppConfig.model_validate({"clusterProvider": "local"})


def know(name: str, state: str) -> None:
    keep_initialized(name, InitializedCluster("lab", {}, {}, state))


def test_what_was_begun_is_gone_on_with_wherever_one_is(tmp_path: Path) -> None:
    assert begun_cluster(AppConfig(), None, tmp_path) == (None, None)
    know("lab", "initializing")
    (tmp_path / ".git").mkdir()
    assert begun_cluster(AppConfig(), None, tmp_path) == ("lab", "lab")
    assert begun_cluster(APP, None, tmp_path) == (None, None), "the app's file says which it is"
    know("other", "initializing")
    with pytest.raises(InputError, match="several clusters are being initialized"):
        begun_cluster(AppConfig(), None, tmp_path)
    assert begun_cluster(AppConfig(), "other", tmp_path) == ("lab", "other")


def test_one_that_is_ready_tells_its_state_where_there_is_no_app(tmp_path: Path) -> None:
    know("lab", "ready")
    add_cluster(NamedCluster("lab", url="https://lab.example.org"))
    assert begun_cluster(AppConfig(), None, tmp_path) == (None, None), "another one is used"
    use_cluster("lab")
    (tmp_path / "app" / ".git").mkdir(parents=True)
    assert begun_cluster(AppConfig(), None, tmp_path / "app") == (None, None)
    assert begun_cluster(AppConfig(), None, tmp_path) == ("lab", "lab")
