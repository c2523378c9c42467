"""What GitHub shows of deployments."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from structlog.typing import EventDict

from bot import limits
from bot.model.webhook_events import Push
from tests.support.forge import APP, git
from tests.support.github import faults
from tests.support.github.fake import FakeGitHub
from tests.support.github.faults import Fault
from tests.support.stories.github import PAGES, GitHubStory, receipt
from tests.support.waiting import eventually


def test_a_deployment_is_shown_from_the_queue_to_its_rows(story: GitHubStory) -> None:
    commit = story.push()
    story.tell()
    assert story.app.shown() == [("staging", commit, ["queued"])]
    assert story.app.statuses(commit) == {"dppctl/staging": ("pending", "it is being deployed")}
    story.sync("started")
    story.tell()
    story.sync("succeeded", receipt=receipt(90_088, 41))
    story.tell()
    assert story.app.shown() == [("staging", commit, ["queued", "in_progress", "success"])]
    assert story.app.statuses(commit) == {"dppctl/staging": ("success", "90,088 rows in 41 s")}
    page = f"{PAGES}/deployments/{story.last().id}"
    (statuses,) = story.app.deployment_statuses.values()
    assert {one["log_url"] for one in statuses} == {page}
    assert {one["target_url"] for one in story.app.commit_statuses[commit]} == {page}
    assert len(story.github.writes) == 6
    story.tell()
    assert len(story.github.writes) == 6  # nothing changed, nothing told


def test_what_ran_before_becomes_inactive_also_in_production(story: GitHubStory) -> None:
    first = story.push()
    story.app.git.tag("v1")
    story.reconcile()
    for environment in ("staging", "production"):
        story.succeed(environment)
    story.tell()
    second = story.push(**{"rows.py": "# other\n"})
    story.app.git.tag("v2")
    story.reconcile()
    story.tell()
    for environment in ("staging", "production"):
        story.succeed(environment)
    story.tell()
    assert sorted(story.app.shown()) == sorted([
        ("staging", first, ["success", "inactive"]),
        ("production", first, ["success", "inactive"]),
        ("staging", second, ["queued", "success"]),
        ("production", second, ["queued", "success"]),
    ])  # fmt: skip
    assert {one["environment"]: one["production_environment"] for one in story.app.deployments.values()} == {
        "staging": False,
        "production": True,
    }


def test_a_failure_says_why_in_one_line(story: GitHubStory) -> None:
    commit = story.push()
    story.sync("failed", message=f"./one: {'no such column ' * 20}\nTraceback")
    story.tell()
    ((state, description),) = story.app.statuses(commit).values()
    assert (state, len(description)) == ("failure", 140)
    assert description.startswith("./one: no such column")
    assert story.app.shown() == [("staging", commit, ["failure"])]


def test_a_refusal_is_a_status_of_the_commit_and_no_deployment(story: GitHubStory) -> None:
    commit = story.push(**{".dppctl.yaml": "continuousDeployment: 7\n"})
    story.tell()
    ((context, (state, description)),) = story.app.statuses(commit).items()
    assert (context, state) == ("dppctl", "error")
    assert description.startswith("not deployed: .dppctl.yaml:1: ")
    assert story.app.shown() == []


def test_a_superseded_deployment_does_not_stay_pending(story: GitHubStory) -> None:
    first = story.push()
    story.tell()
    second = story.push(**{"rows.py": "# other\n"})
    story.succeed()
    story.tell()
    assert story.app.shown() == [("staging", first, ["queued", "inactive"]), ("staging", second, ["success"])]
    assert story.app.statuses(first)["dppctl/staging"] == ("error", "a newer commit came before it was deployed")


def test_what_could_not_be_told_is_told_later_by_another_bot(story: GitHubStory, warned: list[EventDict]) -> None:
    story.github.fail(faults.BROKEN, "^(GET|POST) ")
    commit = story.push()
    story.tell()
    story.succeed()
    story.tell()
    assert story.app.shown() == []
    (event,) = warned
    assert (event["event"], event["what"]) == ("not told", "GitHub")
    assert event["error"] == "GitHub has a problem of its own (502 Server Error); see https://www.githubstatus.com"
    story.github.heal()
    story.restart()
    story.tell()
    assert story.app.shown() == [("staging", commit, ["success"])]  # the states between are nobody's news any more


def test_a_crash_between_call_and_note_makes_no_second_deployment(story: GitHubStory) -> None:
    commit = story.push()
    story.github.fail(faults.BROKEN, "POST .*/deployments/", times=1)
    story.tell()
    story.store.notices.record(story.last().id, github_id=None)
    story.restart()
    story.tell()
    assert story.app.shown() == [("staging", commit, ["queued"])]


def test_an_answer_that_nobody_foresaw_holds_up_no_other_deployment(
    story: GitHubStory, warned: list[EventDict]
) -> None:
    commit = story.push()
    story.store.deliveries.record("d-1", Push("push", "ann/app", "refs/heads/master", "0" * 40, commit))
    story.app.git.tag("v1")
    story.reconcile()
    story.github.fail(Fault(201, "odd"), "POST .*/deployments$", times=1)
    story.tell()
    ((environment, told, _),) = story.app.shown()
    assert told == commit
    assert [(event["what"], event["delivery"]) for event in warned if "exc_info" in event] == [("deployment 1", "d-1")]
    story.restart()
    story.tell()
    assert {shown[0] for shown in story.app.shown()} == {environment, "staging", "production"}


@pytest.mark.parametrize("limit", [faults.SECONDARY, faults.TOO_MANY])
def test_retry_after_is_respected(story: GitHubStory, limit: Fault) -> None:
    commit = story.push()
    story.github.fail(limit, "POST ", times=1)
    story.tell()
    calls, start = len(story.github.calls), time.monotonic()
    story.tell()
    assert len(story.github.calls) == calls  # not even asked

    def told() -> bool:
        story.tell()
        return bool(story.app.statuses(commit))

    eventually(told, "GitHub is told when it takes calls again")
    assert time.monotonic() - start > 0.4


def test_below_the_limit_of_an_hour_the_rest_waits(story: GitHubStory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GITHUB_WRITES_AN_HOUR", 3)
    story.restart()
    story.push()
    story.tell()
    story.succeed()
    story.tell()
    assert len(story.github.writes) == 3


def test_nobody_is_told_after_days(story: GitHubStory) -> None:
    commit = story.push()
    story.sync("started", time=datetime.now(UTC) - timedelta(days=limits.TELL_DAYS, minutes=1))
    story.tell()
    assert story.app.shown() == []
    assert story.app.statuses(commit) == {}


def test_a_slow_github_holds_up_no_deployment(story: GitHubStory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GITHUB_SECONDS", 1)
    story.github.fail(faults.SLOW, "^(GET|POST) ")
    thread = threading.Thread(target=story.loop.run)
    thread.start()
    commit = story.app.git.push(APP)
    story.loop.wake("ann/app")
    eventually(lambda: len(story.ops.git.log()) == 2, "it is in the ops repo", 3.0)
    story.loop.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert story.app.statuses(commit) == {}


def test_the_bots_own_thread_tells(story: GitHubStory) -> None:
    thread = threading.Thread(target=story.loop.run)
    thread.start()
    try:
        commit = story.app.git.push(APP)
        story.loop.wake("ann/app")
        eventually(lambda: story.app.statuses(commit), "GitHub shows it")
        eventually(lambda: story.store.counts().totals.get("github_calls", 0) >= 4, "it is counted")
    finally:
        story.loop.stop()
        thread.join(10)


def test_it_can_be_switched_off(github: FakeGitHub, story: GitHubStory) -> None:
    story.restart(GITHUB_STATUSES="false", GITHUB_REDELIVER_SECONDS="0")
    story.push()
    story.tell()
    assert github.calls == []


def test_the_ops_commit_links_back(story: GitHubStory) -> None:
    commit = story.push()
    message = git(story.ops.git.bare, "show", "--no-patch", "--format=%B", "master")
    assert message.splitlines()[2:5] == [
        f"Commit: {story.github.url}/ann/app/commit/{commit}",
        f"Deployment: {PAGES}/apps/ann/app/staging/{commit}",
        "",
    ]
    trailers = git(story.ops.git.bare, "show", "--no-patch", "--format=%(trailers)", "master")
    assert trailers.splitlines()[0] == "Dppctl-App: ann/app"


def test_a_renamed_repository_is_told_by_its_new_name_and_that_once(
    story: GitHubStory, warned: list[EventDict]
) -> None:
    commit = story.push()
    story.restart(GITHUB_REDELIVER_SECONDS="0")
    story.github.rename("ann/app", "ann/budget")
    story.tell()
    story.succeed()
    story.tell()
    assert story.app.statuses(commit) == {"dppctl/staging": ("success", "90,088 rows in 41 s")}
    (event,) = warned
    assert event["event"] == "renamed: correct apps.yaml and .dppctl.yaml"
    assert (event["repository"], event["now"]) == ("ann/app", "ann/budget")
    assert story.github.count("^GET /repos/ann/app$") == 1


def test_an_environments_url_and_the_page_of_its_deployment(story: GitHubStory) -> None:
    story.restart(ENVIRONMENT_URLS="staging=https://staging.example.org/{app},production=https://example.org")
    story.push()
    story.succeed()
    story.tell()
    ((status,),) = story.app.deployment_statuses.values()
    assert status["environment_url"] == "https://staging.example.org/"
