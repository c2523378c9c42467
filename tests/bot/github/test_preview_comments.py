"""One comment on a branch's pull request, about what its preview has."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.typing import EventDict

from bot import limits
from tests.support.github import faults
from tests.support.github.fake import FakeGitHub
from tests.support.github.state import Token
from tests.support.stories.github import PAGES, GitHubStory, receipt
from tests.support.stories.previews import WITH_PREVIEWS
from tests.support.world import PRODUCTION, STAGING

PATTERN = replace(STAGING, environment="preview-*")
NAME = "preview-new-chart"


@pytest.fixture
def previews(github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubStory]:
    monkeypatch.setattr(limits, "PULL_REQUESTS_SECONDS", 0.0)
    story = GitHubStory(github, tmp_path, frozenset({STAGING, PRODUCTION, PATTERN}))
    story.push(**{".dppctl.yaml": WITH_PREVIEWS})
    story.sync("succeeded", receipt=tables(committees=(90_088, ["id", "email"]), members=(5, ["id"])))
    yield story
    story.close()


def tables(**resources: tuple[int, list[str]]) -> dict[str, Any]:
    found = receipt(sum(rows for rows, _ in resources.values()), 41)
    found["pipelines"][0]["resources"] = [
        {"name": name, "rows": rows, "fields": [{"name": column, "type": "string", "nulls": 0} for column in columns]}
        for name, (rows, columns) in resources.items()
    ]
    return found


def code(text: str) -> str:
    return f'<code dir="auto">{text}</code>'


def branch(story: GitHubStory, **files: str) -> str:
    commit = story.app.git.push({".dppctl.yaml": WITH_PREVIEWS, **files}, "new-chart")
    story.reconcile()
    return commit


def test_it_shows_what_differs_from_the_other_environment(previews: GitHubStory) -> None:
    commit = branch(previews)
    number = previews.app.pull_request("new-chart")
    previews.tell()
    assert previews.app.told(number) == []  # nothing has come out yet
    previews.sync("succeeded", NAME, receipt=tables(committees=(90_225, ["id", "chair"]), members=(5, ["id"])))
    previews.tell()
    (text,) = previews.app.told(number)
    row = f"| {code('committees')} | 90,088 | 90,225 | +137; new column {code('chair')}"
    assert text.splitlines() == [
        "<!-- dppctl preview ann/app preview-new-chart -->",
        f'**90,230 rows** (+137) (branch <code dir="auto">new&#45;chart</code> at {commit[:12]})',
        "",
        '| resource | <code dir="auto">staging</code> | this branch | |',
        "|---|---:|---:|---|",
        f"{row}; column gone: {code('email')} |",
        '| <code dir="auto">members</code> | 5 | 5 |  |',
        "",
        f"{code('ann&#47;app')} in {code('preview&#45;new&#45;chart')}, [deployment 2]({PAGES}/deployments/2)",
    ]


def test_it_is_edited_only_when_its_text_changes_and_never_made_twice(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    previews.sync("succeeded", NAME, receipt=tables(committees=(90_225, ["id"])))
    previews.tell()
    writes = previews.github.count("comments")
    previews.tell()
    assert previews.github.count("^(POST|PATCH) .*comments") == 1
    branch(previews, file="2")
    previews.sync("started", NAME)
    previews.tell()
    assert previews.github.count("^(POST|PATCH) .*comments") == 1  # it is about what ended
    previews.sync("failed", NAME, message="zones.py:33 in zones: not enough values\nTraceback")
    previews.restart()
    previews.tell()
    (text,) = previews.app.told(number)
    assert "**Failed**" in text
    assert "```text\nzones.py:33 in zones: not enough values\nTraceback\n```" in text
    assert previews.github.count("comments") > writes


def test_a_mistake_is_shown_by_the_user_s_own_line(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    failed = receipt(0, 1)
    error = "zones.py:33: ValueError: not enough values\nzones:\nTraceback (most recent call last):\n```"
    lines = ["def flow(rows):", "    for row in rows:", "\ta, b = row\u202e", "    ```", ""]
    place = {"file": "zones.py", "line": 33, "processor": "zones", "source": {"first": 31, "lines": lines}}
    failed["status"], failed["pipelines"][0] = "failed", {"id": "./one", "status": "failed", "error": error}
    failed["pipelines"][0]["place"] = place
    message = f"1 pipeline failed\n./one:\n{error}"
    previews.sync("failed", NAME, message=message, receipt=failed)
    previews.tell()
    (text,) = previews.app.told(number)
    assert text.splitlines()[3:-2] == [
        "````text",
        "zones.py:33 in zones: not enough values",
        "    31  def flow(rows):",
        "    32      for row in rows:",
        ">   33      a, b = row",
        "    34      ```",
        "    35",
        "````",
    ]


def test_one_that_goes_while_its_pull_request_is_open_says_so_once(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    previews.tell()
    branch(previews, **{".dppctl.yaml": WITH_PREVIEWS.replace('"*"', '"other-*"')})
    previews.github.fail(faults.BROKEN, "^PATCH .*comments", times=1)
    previews.tell()
    assert "This preview is gone" not in previews.app.told(number)[0]
    previews.restart()
    previews.tell()
    reason = "branch new&#45;chart&#58; it asks for no preview any more"
    (text,) = previews.app.told(number)
    assert text.splitlines() == [
        "<!-- dppctl preview ann/app preview-new-chart -->",
        f"**This preview is gone**, with its data: {code(reason)}",
        "",
        f"{code('ann&#47;app')} in {code('preview&#45;new&#45;chart')}, [deployment 2]({PAGES}/deployments/2)",
    ]
    asked = previews.github.count("pulls|comments")
    previews.tell()
    previews.restart()
    previews.tell()
    assert previews.github.count("pulls|comments") == asked
    branch(previews)
    previews.sync("succeeded", NAME, receipt=tables(committees=(2, ["id"])))
    previews.tell()
    (text,) = previews.app.told(number)
    assert "**2 rows**" in text


def test_a_pull_request_that_was_closed_with_the_branch_stays_as_it_is(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    previews.tell()
    before = previews.app.told(number)
    previews.app.git.git("push", "--quiet", "origin", "--delete", "refs/heads/new-chart")
    previews.app.pulls[number]["state"] = "closed"
    previews.app.pull_request("another")
    previews.reconcile()
    previews.tell()
    assert previews.app.told(number) == before
    assert previews.github.count("^PATCH .*comments") == 0
    assert previews.store.previews.to_tell_gone() == []


def test_a_bot_that_ended_before_it_wrote_the_comment_down_finds_it_again(
    previews: GitHubStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(previews.store.previews, "record_comment", killed)
        previews.tell()
    assert len(previews.app.told(number)) == 1
    previews.restart()
    previews.tell()
    assert len(previews.app.told(number)) == 1
    found = previews.store.previews.find("ann/app", NAME)
    assert found
    assert found.pull_request == number
    assert previews.github.count("^(POST|PATCH) .*comments") == 1


def test_a_fork_s_pull_request_of_the_same_name_is_not_meant(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart", fork=99)
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    previews.tell()
    assert previews.app.told(number) == []


def test_a_pull_request_that_is_opened_later_and_a_second_one_are_told_too(previews: GitHubStory) -> None:
    branch(previews)
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    previews.tell()
    first = previews.app.pull_request("new-chart")
    previews.tell()
    assert len(previews.app.told(first)) == 1
    previews.app.pulls[first]["state"] = "closed"
    second = previews.app.pull_request("new-chart")
    previews.tell()
    previews.tell()
    assert (len(previews.app.told(first)), len(previews.app.told(second))) == (1, 1)


def test_names_mention_nobody_and_break_no_table(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    odd = {"@ann|*x*`": (1, ["</code>@bob"]), "ועדות\u202e": (2, ["#12"])}
    previews.sync("succeeded", NAME, receipt=tables(**odd))
    previews.tell()
    (text,) = previews.app.told(number)
    assert "@" not in text
    assert "\u202e" not in text
    assert '| <code dir="auto">&#64;ann&#124;&#42;x&#42;&#96;</code> |' in text
    assert '<code dir="auto">ועדות' in text


def test_without_the_right_it_is_said_once_and_nothing_else_is_held_up(
    previews: GitHubStory, warned: list[EventDict]
) -> None:
    rights = {"contents": "write", "deployments": "write", "statuses": "write"}
    previews.github.tokens["robots-token"] = Token("robots-token", "robot", None, rights)
    commit = branch(previews)
    previews.app.pull_request("new-chart")
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    for _ in range(3):
        previews.tell()
    assert previews.app.statuses(commit)["dppctl/preview-new-chart"][0] == "success"
    (event,) = (event for event in warned if event["what"].startswith("comments"))
    assert "pull requests are not told of previews" in event["error"]
    assert "pull_requests" in event["error"] or "Pull requests" in event["error"]
    assert previews.github.count("GET .*/pulls") == 1


def test_github_shows_that_a_preview_is_gone(previews: GitHubStory) -> None:
    commit = branch(previews)
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    previews.tell()
    previews.app.git.git("push", "--quiet", "origin", "--delete", "refs/heads/new-chart")
    previews.reconcile()
    previews.tell()
    assert (NAME, commit, ["success", "inactive"]) in previews.app.shown()
    assert ("staging", ["success"]) in [(name, states) for name, _, states in previews.app.shown()]


def test_what_github_did_not_take_is_told_later(previews: GitHubStory) -> None:
    branch(previews)
    number = previews.app.pull_request("new-chart")
    previews.sync("succeeded", NAME, receipt=tables(committees=(1, ["id"])))
    previews.github.fail(faults.BROKEN, "^POST .*comments", times=1)
    previews.tell()
    assert previews.app.told(number) == []
    previews.restart()
    previews.tell()
    assert len(previews.app.told(number)) == 1
