"""Programs get the variables that they need, and no token of whoever started dppctl."""

import threading
from pathlib import Path

import pytest

from bot import process
from bot.git.environment import make_environment
from bot.program_environment import CLUSTER, listed_environment
from bot.settings import load_settings
from cluster.local.workers import dpp_environment, podman
from cluster.sync.helm.helm import _environment

SECRETS = ("DPPCTL_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "PGPASSWORD", "GIT_CONFIG_COUNT", "VIRTUAL_ENV")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "hush")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments of the programs that are run."""
    found: list[dict[str, str]] = []

    def note(*_: object, environment: dict[str, str], **__: object) -> process.Ended:
        found.append(environment)
        return process.Ended(0, [])

    monkeypatch.setattr(process, "run", note)
    return found


def test_what_is_not_listed_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "https://example.org")
    assert "hush" not in listed_environment().values()
    assert "UV_INDEX_URL" not in listed_environment()
    assert listed_environment("UV_*")["UV_INDEX_URL"] == "https://example.org"
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert listed_environment(*CLUSTER)["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"


def test_git_and_helm_see_none_of_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "hush"})
    assert "hush" not in make_environment(settings, "").values()
    assert "hush" not in _environment(tmp_path).values()


def test_uv_and_so_a_packages_setup_py_sees_none_of_it(given: list[dict[str, str]]) -> None:
    dpp_environment._uv(["pip", "install"], lambda _: None, threading.Event())
    assert given[0]["UV_NO_WRAP"] == "1"
    assert "hush" not in given[0].values()


def test_podman_sees_none_of_it(given: list[dict[str, str]]) -> None:
    podman.podman("info")
    assert "hush" not in given[0].values()
