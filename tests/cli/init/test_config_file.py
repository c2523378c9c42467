"""The text of `.dppctl.yaml`, new and edited."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.model.app_config import parse_app_config
from bot.model.names import RepoPath, ref_problem
from cli.init.config_file import WantedConfig, difference, edited_file, new_file

APP, OPS = RepoPath("ann/data", "pipelines"), RepoPath("ann/data-ops")
WISH = WantedConfig(None, {}, APP, OPS, "main")
EXISTING = """\
# Ours
clusterProvider: local   # for now

build:
  arguments: {VERSION: "2"}   # keep in step with requirements.txt
"""


def test_a_new_file_says_what_happens_and_explains_itself() -> None:
    text = new_file(WISH, ["pipeline-spec.yaml"], True)
    config = parse_app_config(text, "f")
    (ops, staging), (_, production) = config.actions(APP)
    assert (ops, staging.branch, staging.environment, staging.pipeline) == (OPS, "main", "staging", "all")
    assert (production.tags, production.environment) == (True, "production")
    assert "all that are in pipeline-spec.yaml" in text
    assert max(map(len, text.splitlines())) <= 120


def test_what_is_there_stays_with_its_comments() -> None:
    text = edited_file(EXISTING, "f", WISH)
    assert text.startswith(EXISTING)
    assert [action.environment for _, action in parse_app_config(text, "f").actions(APP)] == ["staging", "production"]


def test_an_app_that_has_actions_keeps_them_and_the_file_its_bytes() -> None:
    text = new_file(WISH, [], False).replace("main", "live").replace("tags: true", 'tags:   "v*"')
    assert edited_file(text, "f", WISH) == text


def test_another_app_of_the_same_file_is_added_in_the_files_own_indent() -> None:
    text = """\
continuousDeployment:
  - appRepoPath: ann/other
    opsRepoPath: ann/ops
    actions:
      - branch: master
        environment: staging
"""
    edited = edited_file(text, "f", WISH)
    assert edited.startswith(text)
    assert edited.count("\n  - appRepoPath: ") == 2
    assert len(list(parse_app_config(edited, "f").actions(APP))) == 2


def test_another_provider_takes_the_place_of_the_old_one_and_of_its_settings() -> None:
    text = "# Top\nclusterProvider: gcloud  # now\ngcloudZone: us-central1-a\n"
    wish = WantedConfig("kubeconfig", {"kubeconfigContext": "mine"}, APP, OPS, "main")
    edited = edited_file(text, "f", wish)
    config = parse_app_config(edited, "f")
    assert (config.cluster_provider, config.provider_settings) == ("kubeconfig", {"kubeconfigContext": "mine"})
    assert edited.startswith("# Top\n")
    assert edited_file(edited, "f", wish) == edited


def test_a_file_that_is_wrong_is_refused_with_its_line() -> None:
    with pytest.raises(DppctlError, match="f:1: unknown key clusterprovider; did you mean clusterProvider"):
        edited_file("clusterprovider: local\n", "f", WISH)


def test_the_difference_is_that_of_diff_u() -> None:
    shown = difference("a\nb\n", "a\nc\n", ".dppctl.yaml")
    assert shown.splitlines() == ["--- .dppctl.yaml", "+++ .dppctl.yaml (new)", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert difference("a\n", "a\n", "x") == ""


@given(st.from_regex(r"[A-Za-z0-9_#@+=%-][A-Za-z0-9_./#@+=%,-]{0,30}", fullmatch=True))
def test_any_branch_is_read_as_it_was_meant(branch: str) -> None:
    assume(ref_problem(f"refs/heads/{branch}") is None and branch != "HEAD")
    wish = WantedConfig(None, {}, APP, OPS, branch)
    for text in (new_file(wish, [], False), edited_file("{}\n", "f", wish)):
        assert next(parse_app_config(text, "f").actions(APP))[1].branch == branch
