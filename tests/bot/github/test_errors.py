"""Each cause is one line that says what to do, from the API and from git alike."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot import limits
from bot.git.failures import explain
from tests.support.github import faults
from tests.support.github.faults import SSO_URL, Fault
from tests.support.stories.github import GitHubStory

TOKEN = "the token in DPPCTL_GITHUB_TOKEN"


@pytest.fixture
def told(story: GitHubStory, warned: list[EventDict]) -> Callable[[], list[str]]:
    """What is said when GitHub is told of a deployment, three times."""

    def tell() -> list[str]:
        story.restart(GITHUB_REDELIVER_SECONDS="0")
        story.push()
        warned.clear()
        for _ in range(3):
            story.tell()
            story.sync("progress")
        return [event.get("error", "") for event in warned]

    return tell


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            faults.UNAUTHORIZED,
            f"GitHub does not accept {TOKEN} (Bad credentials): it is wrong, expired or revoked; put a new one there",
        ),
        (faults.FORBIDDEN, f"ann/app: {TOKEN} lacks a permission: deployments: write"),
        (faults.SSO, f"ann/app: ann wants {TOKEN} to be authorized for its single sign-on: open {SSO_URL}"),
        (
            faults.SECONDARY,
            f"GitHub takes no more calls for 1 seconds ({faults.SECONDARY.message})",
        ),
        (faults.PRIMARY, f"GitHub takes no more calls for 60 seconds ({faults.PRIMARY.message})"),
        (faults.NOT_FOUND, f"ann/app: GitHub knows no such repository, or {TOKEN} does not reach it"),
        (
            faults.ARCHIVED,
            "ann/app is archived, so nothing can be shown there; unarchive it or take it out of apps.yaml",
        ),
        (faults.BROKEN, "GitHub has a problem of its own (502 Server Error); see https://www.githubstatus.com"),
        (Fault(422, "Validation Failed"), "ann/app: GitHub refuses it (422): Validation Failed"),
    ],
)
def test_each_refusal_of_the_api_is_one_clear_line_said_once(
    story: GitHubStory, told: Callable[[], list[str]], fault: Fault, line: str
) -> None:
    story.github.fail(fault, "^(GET|POST) ")
    assert told() == [line]
    assert story.last().state == "running"


def test_no_answer_is_told(story: GitHubStory, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GITHUB_SECONDS", 1)
    story.github.fail(faults.SLOW, "^(GET|POST) ")
    assert told() == ["GitHub did not answer within 15 seconds"]


def test_no_network_is_told(story: GitHubStory, told: Callable[[], list[str]]) -> None:
    story.restart(GITHUB_API_URL="http://127.0.0.1:9/api/v3")
    assert told() == ["127.0.0.1:9 cannot be reached (ConnectionError); is there a network?"]


def test_an_archived_app_gets_no_writing_call(story: GitHubStory, told: Callable[[], list[str]]) -> None:
    story.app.archived = True
    assert told()[0].startswith("ann/app is archived")
    assert story.github.writes == []


def test_an_expired_token_is_told_with_its_end(story: GitHubStory, warned: list[EventDict]) -> None:
    now = datetime.now(UTC)
    story.github.user("robot", "robots-token", expires=now + timedelta(hours=1))
    story.push()
    story.tell()
    end = now - timedelta(hours=1)
    story.notifier._client._expires = end.strftime("%Y-%m-%d %H:%M:%S UTC")
    story.github.user("robot", "robots-token", expires=end)
    story.sync("started")
    story.tell()
    assert f"it expired on {end:%Y-%m-%d %H:%M} UTC; put a new one there" in warned[-1]["error"]


def test_a_classic_token_without_the_scope_is_told_which(story: GitHubStory, told: Callable[[], list[str]]) -> None:
    story.github.user("robot", "robots-token", scopes=("repo", "read:org"))
    story.github.fail(
        Fault(404, "Not Found", {"X-Accepted-OAuth-Scopes": "repo, repo_deployment"}), "POST .*/deployments"
    )
    assert told() == [f"ann/app: {TOKEN} lacks a scope, one of: repo, repo_deployment"]


def test_a_fine_grained_token_needs_few_permissions(story: GitHubStory) -> None:
    few = {"contents": "write", "deployments": "write", "statuses": "write"}
    story.github.user("robot", "robots-token", scopes=None, permissions=few)
    commit = story.push()
    story.succeed()
    story.tell()
    assert story.app.shown() == [("staging", commit, ["success"])]


def _protect(story: GitHubStory) -> None:
    story.ops.protected = {"master"}


def _archive(story: GitHubStory) -> None:
    story.ops.archived = True


def _take_access(story: GitHubStory) -> None:
    story.ops.roles["robot"] = "read"


def _revoke(story: GitHubStory) -> None:
    del story.github.tokens["robots-token"]


def _rename(story: GitHubStory) -> None:
    story.github.rename("ann/ops", "ann/operations")


def _break(story: GitHubStory) -> None:
    story.github.fail(Fault(503, "unavailable"), "^git ")


def _hide(story: GitHubStory) -> None:
    del story.github.repos["ann/ops"]


def _enforce_sso(story: GitHubStory) -> None:
    story.github.user("no-sso", "robots-token")
    story.ops.roles["no-sso"] = "write"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_protect, "git push: GitHub protects master: let the bot's user bypass that"),
        (_archive, "git push: the repository is archived; unarchive it or take it out of apps.yaml"),
        (_take_access, f"git push: robot may not push to ann/ops; give it write access, and {TOKEN} contents: write"),
        (_revoke, f"git ls-remote: GitHub does not accept {TOKEN}: it is wrong, expired or revoked"),
        (_rename, "git ls-remote: the repository was renamed or moved; correct its name in apps.yaml"),
        (_break, "git ls-remote: GitHub has a problem of its own (503)"),
        (_hide, f"git ls-remote: there is no such repository, or {TOKEN} does not reach it"),
        (_enforce_sso, f"{TOKEN} to be authorized for its single sign-on: open {SSO_URL}"),
    ],
)  # fmt: skip
def test_each_refusal_of_git_is_one_clear_line(
    story: GitHubStory, change: Callable[[GitHubStory], None], line: str
) -> None:
    change(story)
    story.push()
    message = story.reconcile()["ann/app"]
    assert line in message
    assert "\n" not in message
    assert "robots-token" not in message


def test_a_deployment_that_was_refused_goes_out_when_it_is_allowed(story: GitHubStory) -> None:
    _protect(story)
    story.push()
    story.ops.protected.clear()
    assert story.reconcile() == {}
    assert len(story.ops.git.log()) == 2


def test_git_without_a_network_says_so(story: GitHubStory) -> None:
    story.push()
    story.restart(GITHUB_URL="http://127.0.0.1:9")
    assert "GitHub cannot be reached; is there a network?" in story.reconcile()["ann/app"]


def test_rules_that_protect_are_known_too() -> None:
    words = (
        "remote: error: GH013: Repository rule violations found for refs/heads/main.\n"
        "remote: - Changes must be made through a pull request."
    )
    found = explain(words, TOKEN)
    assert found
    assert found[0].startswith("GitHub protects main: ")
    assert explain("fatal: bad object HEAD", TOKEN) is None


def test_a_key_file_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    from bot.errors import DppctlError
    from bot.settings import load_settings

    given = {"DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_GITHUB_APP_ID": "7"}
    with pytest.raises(DppctlError, match="DPPCTL_GITHUB_APP_KEY: is not set, nor DPPCTL_GITHUB_APP_KEY_FILE"):
        load_settings(tmp_path, given)
    (tmp_path / "key").write_text("no key")
    with pytest.raises(DppctlError, match="is no private key in PEM form"):
        load_settings(tmp_path, {**given, "DPPCTL_GITHUB_APP_KEY_FILE": str(tmp_path / "key")})
