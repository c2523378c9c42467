"""`apps.yaml`, edited."""

import pytest

from bot.errors import DppctlError
from bot.model.names import RepoPath
from bot.model.registration import parse_registration
from cli.init.registration import with_app, without_app

APP, OPS = RepoPath("ann/data", "pipelines"), RepoPath("ann/data-ops")
OTHERS = """\
# Ours
apps:
- appRepoPath: ann/other      # theirs
  opsRepoPath: ann/ops
  environments: [staging]
"""


def registered(text: str) -> set[tuple[str, str, str]]:
    return {(str(one.app), str(one.ops), one.environment) for one in parse_registration(text, "apps.yaml")}


def test_an_app_is_added_once_to_no_file_and_to_one_with_others() -> None:
    mine = {("ann/data/pipelines", "ann/data-ops", name) for name in ("staging", "production")}
    new = with_app(None, "apps.yaml", APP, OPS, ["staging", "production"])
    assert registered(new) == mine
    assert "environments: [staging, production]" in new
    both = with_app(OTHERS, "apps.yaml", APP, OPS, ["staging", "production"])
    assert both.startswith(OTHERS)
    assert registered(both) == {("ann/other", "ann/ops", "staging"), *mine}
    for text in (new, both):
        assert with_app(text, "apps.yaml", APP, OPS, ["staging", "production"]) == text


def test_a_missing_environment_joins_the_others() -> None:
    text = with_app(OTHERS, "apps.yaml", RepoPath("ann/other"), RepoPath("ann/ops"), ["staging", "production"])
    assert text == OTHERS.replace("[staging]", "[staging, production]")


def test_an_environment_of_another_app_is_refused() -> None:
    with pytest.raises(DppctlError, match=r"staging of ann/ops is already ann/other's"):
        with_app(OTHERS, "apps.yaml", APP, RepoPath("ann/ops"), ["staging"])


def test_what_was_added_can_be_removed_again() -> None:
    both = with_app(OTHERS, "apps.yaml", APP, OPS, ["staging"])
    assert without_app(both, "apps.yaml", APP) == OTHERS
    assert without_app(OTHERS, "apps.yaml", APP) == OTHERS
    nothing = without_app(OTHERS, "apps.yaml", RepoPath("ann/other"))
    assert registered(nothing) == set()
    assert registered(with_app(nothing, "apps.yaml", APP, OPS, ["staging"])) == {(str(APP), str(OPS), "staging")}
