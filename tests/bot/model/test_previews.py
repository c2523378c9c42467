"""Names of previews, and what `.dppctl.yaml` and `apps.yaml` may say of them."""

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.names import RepoPath, is_environment
from bot.model.previews import is_among, is_preview, preview_of
from bot.model.registration import parse_registration, registered_for
from tests.support.stories.previews import WITH_PREVIEWS

_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(_NAMES)
def test_every_branch_has_a_name_that_is_a_dns_label(branch: str) -> None:
    name = preview_of(branch)
    assert is_environment(name)
    assert is_preview(name)
    assert len(name) <= 50


@given(st.lists(_NAMES, unique=True, max_size=30))
def test_no_two_branches_share_one(branches: list[str]) -> None:
    assert len({preview_of(branch) for branch in branches}) == len(branches)


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        ("new-chart", "preview-new-chart"),
        ("Feature/One", r"preview-feature-one-[0-9a-f]{8}"),
        ("feature/one", r"preview-feature-one-[0-9a-f]{8}"),
        ("תצוגה", r"preview-[0-9a-f]{8}"),
        ("x" * 42, f"preview-{'x' * 42}"),
        ("x" * 43, rf"preview-{'x' * 33}-[0-9a-f]{{8}}"),
    ],
)
def test_a_name_that_had_to_be_changed_ends_with_a_hash(branch: str, name: str) -> None:
    assert re.fullmatch(name, preview_of(branch))


def parse(text: str) -> AppConfig:
    return parse_app_config(dedent(text), ".dppctl.yaml")


def environments(config: AppConfig, branch: str) -> list[str]:
    ref = f"refs/heads/{branch}"
    return [action.environment_for(ref) for _, action in config.triggered_by(RepoPath("ann/app"), ref)]


def test_a_glob_means_the_branches_that_no_other_action_names() -> None:
    config = parse(WITH_PREVIEWS)
    assert environments(config, "master") == ["staging"]
    assert environments(config, "a-b") == ["preview-a-b"]
    more = parse(WITH_PREVIEWS + '      - branches: "a*"\n        preview: production\n        pipeline: ./one\n')
    assert environments(more, "a-b") == ["preview-a-b"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'branches: "*"',
            'branches: "*"\n        branch: other',
            ":10: ….actions: an action has eit",
        ),
        (
            "preview: staging",
            "preview: stagin",
            ":11: preview: no action deploys to stagin; did you mean staging? known: production, stag",
        ),
        ("preview: staging", "pipeline: all", ":10: ….actions: preview: ENVIRONMENT is missing"),
        (
            "preview: staging",
            "preview: staging\n        environment: x",
            ":10: ….actions: with branc",
        ),
        (
            "preview: staging",
            "preview: staging\n        after: staging",
            ":10: ….actions: a preview wa",
        ),
        ('branches: "*"', 'branches: "refs/heads/x"', ":10: ….actions.branches: refs/heads/x is no"),
        ('branches: "*"', 'branches: "fix me*"', ":10: ….actions.branches: 'fix me*' can match no"),
        (
            'branches: "*"',
            "branch: other\n        environment: preview-x",
            ":10: ….actions: preview:",
        ),
        ("environment: production", "environment: preview-x", ":3: continuousDeployment: preview-x may be the preview"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in WITH_PREVIEWS
    with pytest.raises(DppctlError) as refused:
        parse(WITH_PREVIEWS.replace(old, new))
    assert str(refused.value).startswith(f".dppctl.yaml{said.replace('…', 'continuousDeployment')}")


def test_the_same_glob_twice_is_refused() -> None:
    with pytest.raises(DppctlError, match=r"two actions are for branches: \*"):
        parse(WITH_PREVIEWS + '      - branches: "*"\n        preview: production\n')


def test_apps_yaml_registers_all_previews_at_once() -> None:
    text = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging, preview-*]}\n"
    targets = parse_registration(text, "apps.yaml")
    (found,) = registered_for("ann/app", "preview-x", targets)
    assert found.values_file == "environments/preview-x/values.auto-updated.yaml"
    assert registered_for("ann/app", "production", targets) == []
    assert registered_for("ann/other", "preview-x", targets) == []
    assert is_among("preview-x", {"preview-*"})
    assert not is_among("live", {"preview-*"})
    with pytest.raises(DppctlError, match=r"preview-x of ann/ops may be a preview of ann/app"):
        parse_registration(text.replace("staging", "preview-x"), "apps.yaml")
    twice = text + "- {appRepoPath: ann/app, opsRepoPath: ann/ops2, environments: [preview-*]}\n"
    with pytest.raises(DppctlError, match=r"ann/app has preview-\* in ann/ops and in ann/ops2; keep one"):
        parse_registration(twice, "apps.yaml")
