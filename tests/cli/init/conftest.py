"""A cluster on which `dppctl init` installs runs."""

import os
from pathlib import Path

import pytest

from tests.support.helm import helm
from tests.support.runs_cluster import RunsCluster


@pytest.fixture
def runs_cluster(kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunsCluster:
    assert kubeconfig
    monkeypatch.setattr("cli.config_option.home_folder", lambda: tmp_path)
    for module in ("clusters", "tokens"):
        monkeypatch.setattr(f"cli.remote.{module}.home_folder", lambda: tmp_path)
    monkeypatch.setenv("PATH", f"{helm().parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return RunsCluster()
