"""Deliveries that were lost are asked for again; the store knows which arrived."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from structlog.typing import EventDict
from werkzeug.serving import make_server

from bot.github.redeliveries import Attempt, lost, to_ask_for
from bot.model.names import RepoPath
from bot.model.registration import Target
from tests.support.serving import in_thread
from tests.support.stories.github import PAGES, GitHubStory
from webhooks.app import create_app

NOW = datetime(2026, 1, 2, tzinfo=UTC)
numbers = count(1)


def attempt(guid: str, ok: bool = False, again: bool = False, hours: float = 1, event: str = "push") -> Attempt:
    return Attempt(next(numbers), guid, event, NOW - timedelta(hours=hours), again, ok)


def test_only_what_was_lost_lately_and_not_asked_for_often_is_asked_for() -> None:
    attempts = [
        attempt("lost"),
        attempt("arrived", ok=True),
        attempt("arrived later"), attempt("arrived later", ok=True, again=True, hours=0.5),
        attempt("old", hours=25),
        attempt("asked once"), attempt("asked once", again=True, hours=0.5),
        attempt("asked twice"), attempt("asked twice", again=True), attempt("asked twice", again=True),
        attempt("greeting", event="ping"),
        attempt("in the store"),
    ]  # fmt: skip
    asked = to_ask_for(attempts, {"in the store"}, NOW)
    assert [one.guid for one in asked] == ["lost", "asked once"]
    assert asked[1].is_again  # its last attempt


@given(st.lists(st.builds(attempt, st.sampled_from("abc"), st.booleans(), st.booleans(), st.floats(0, 48))))
def test_each_is_asked_for_once_a_look_and_what_arrived_never(attempts: list[Attempt]) -> None:
    asked = [one.guid for one in lost(attempts, NOW)]
    assert len(asked) == len(set(asked))
    assert not {one.guid for one in attempts if one.is_ok} & set(asked)


@contextmanager
def receiving(story: GitHubStory) -> Iterator[str]:
    """The receiver, as a server with the story's store."""
    targets = {Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging")}
    server = make_server("127.0.0.1", 0, create_app(story.settings, targets, story.store), threaded=True)
    with in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


def hook(story: GitHubStory, url: str, secret: str = "hush") -> int:
    """Made by the owner, who lets the machine user see it; the hook's number."""
    from github import Auth, Github

    story.github.user("ann", "anns-token")
    client = Github(base_url=story.github.api_url, auth=Auth.Token("anns-token"), seconds_between_writes=None)
    config = {"url": f"{url}/webhooks/github", "content_type": "json", "secret": secret}
    made = client.get_repo("ann/app").create_hook("web", config, ["push"])
    story.app.roles["robot"] = "admin"
    story.github.calls.clear()
    return int(made.id)


def push_event(story: GitHubStory) -> None:
    event = {"ref": "refs/heads/master", "before": "0" * 40, "after": "a" * 40}
    story.github.deliver("ann/app", "push", event | {"repository": {"full_name": "ann/app"}})


def test_a_delivery_that_the_receiver_missed_arrives_after_all(story: GitHubStory) -> None:
    with receiving(story) as url:
        number = hook(story, url)
        story.app.hooks[number]["config"]["url"] = "http://127.0.0.1:9/webhooks/github"  # it is away
        push_event(story)
        assert story.store.deliveries.newest()[0].event == "ping"
        story.app.hooks[number]["config"]["url"] = f"{url}/webhooks/github"
        story.restart(PUBLIC_URL=url)
        story.tell()
        arrived = story.store.deliveries.newest()[0]
        assert (arrived.event, arrived.state) == ("push", "received")
        assert [one["redelivery"] for one in story.app.deliveries[number]] == [False, False, True]
        story.restart()
        story.tell()
        assert story.github.count("/attempts$") == 1


def test_a_delivery_whose_answer_was_lost_is_not_asked_for(story: GitHubStory) -> None:
    with receiving(story) as url:
        number = hook(story, url)
        push_event(story)
        story.app.deliveries[number][-1] |= {"status": "timed out", "status_code": 0}
        story.restart(PUBLIC_URL=url)
        story.tell()
        assert story.github.count("/deliveries$") == 1
        assert story.github.writes == []


def test_what_never_arrives_is_asked_for_twice_and_other_hooks_not_at_all(story: GitHubStory) -> None:
    mine, other = hook(story, "http://127.0.0.1:9"), hook(story, PAGES.replace("https", "http"))
    push_event(story)
    for _ in range(4):
        story.restart(PUBLIC_URL="http://127.0.0.1:9")
        story.tell()
    assert story.github.count(f"hooks/{mine}/deliveries/.*/attempts$") == 2
    assert story.github.count(f"hooks/{other}") == 0


def test_without_the_permission_it_is_said_once_and_deployments_are_told(
    story: GitHubStory, warned: list[EventDict]
) -> None:
    few = {"contents": "write", "deployments": "write", "statuses": "write"}
    story.github.user("robot", "robots-token", scopes=None, permissions=few)
    commit = story.push()
    story.restart(GITHUB_REDELIVER_SECONDS="0.001")
    for _ in range(3):
        story.tell()
        story.sync("progress")
    assert story.app.shown() == [("staging", commit, ["queued", "in_progress"])]
    (line,) = (event["error"] for event in warned)
    assert "lacks a permission: webhooks: read" in line
    assert "lost deliveries are not asked for" in line
