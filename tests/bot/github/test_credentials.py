"""A GitHub App in place of the machine user's token."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.github import credentials
from tests.support.github.app import PERMISSIONS, key_pair
from tests.support.github.fake import FakeGitHub
from tests.support.stories.github import GitHubStory, github_story


@pytest.fixture
def app_story(github: FakeGitHub, tmp_path: Path) -> Iterator[GitHubStory]:
    private, public = key_pair()
    file = tmp_path / "app.pem"
    file.write_text(private)
    github.app("7", public, "ann", **PERMISSIONS)
    settings = {"GITHUB_APP_ID": "7", "GITHUB_APP_KEY_FILE": str(file), "GITHUB_TOKEN": ""}
    with github_story(github, tmp_path, **settings) as story:
        yield story


def test_git_and_the_api_use_a_token_of_the_installation(app_story: GitHubStory) -> None:
    commit = app_story.push()
    app_story.succeed()
    app_story.tell()
    assert app_story.app.shown() == [("staging", commit, ["success"])]
    tokens = {token for path, token in app_story.github.git_calls if path.startswith("/ann/")}
    assert len(tokens) == 1
    assert str(tokens.pop()).startswith("ghs_")
    assert app_story.github.count("access_tokens") == 1


def test_the_token_is_renewed_before_it_ends(app_story: GitHubStory, monkeypatch: pytest.MonkeyPatch) -> None:
    app_story.push()
    first = app_story.git.credentials.token("ann/app")
    assert app_story.git.credentials.token("ann/ops") == first
    monkeypatch.setattr(credentials, "_EARLY", timedelta(hours=2))
    assert app_story.git.credentials.token("ann/app") != first
    app_story.push(**{"rows.py": "# other\n"})
    assert len(app_story.ops.git.log()) == 3


def test_a_token_that_github_takes_back_is_replaced(app_story: GitHubStory) -> None:
    commit = app_story.push()
    app_story.github.tokens.pop(app_story.git.credentials.token("ann/app"))
    assert app_story.reconcile() != {}
    assert app_story.reconcile() == {}
    app_story.github.tokens.pop(app_story.git.credentials.token("ann/app"))
    app_story.tell()
    app_story.restart()
    app_story.tell()
    assert app_story.app.shown() == [("staging", commit, ["queued"])]


def test_an_app_that_is_not_installed_is_told(app_story: GitHubStory) -> None:
    app_story.github.installations.clear()
    app_story.push()
    message = app_story.reconcile()["ann/app"]
    assert "the GitHub App 7 (DPPCTL_GITHUB_APP_ID) is not installed there" in message


def test_a_key_of_another_app_is_told(app_story: GitHubStory) -> None:
    app_story.github.apps["7"] = key_pair()[1]
    app_story.push()
    message = app_story.reconcile()["ann/app"]
    assert "its id and private key do not fit together" in message


def test_a_missing_permission_of_the_app_is_told(app_story: GitHubStory, warned: list[EventDict]) -> None:
    del app_story.github.installations[next(iter(app_story.github.installations))][2]["statuses"]
    app_story.push()
    app_story.tell()
    assert "the GitHub App 7 (DPPCTL_GITHUB_APP_ID) lacks a permission: statuses: write" in warned[-1]["error"]
