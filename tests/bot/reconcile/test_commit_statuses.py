"""Argo CD or Flux deploys instead of sync: commit statuses of the ops repo end the deployments."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.webhook_events import Status
from bot.reconcile.commit_statuses import targets_of
from tests.support.forge import APP
from tests.support.receiver import PUSHED
from tests.support.stories.bot import Story
from tests.support.world import World

pytestmark = pytest.mark.slow

OPS = RepoPath("ann/ops")
STAGING, PRODUCTION = (Target(RepoPath("ann/app"), OPS, name) for name in ("staging", "production"))
MAPS = Target(RepoPath("ann/data", "maps"), RepoPath("ann/ops", "maps"), "staging")


@pytest.fixture
def story(world: World) -> Iterator[Story]:
    world.restart(DEPLOYED_BY="commit-status")
    story = Story(world)
    yield story
    story.loop.close()


def status(
    story: Story, sha: str, state: str, context: str = "argocd/staging", text: str = "", repository: str = "ann/ops"
) -> str | None:
    """What became of it, for people."""
    number = f"status-{len(story.store.deliveries.newest())}"
    story.store.deliveries.record(number, Status("status", repository, sha, state, context, text))
    story.loop.take()
    record = next(one for one in story.store.deliveries.newest() if one.id == number)
    assert record.state != "received"
    return record.reason


def deployed(story: Story, **files: str) -> str:
    """Something new is pushed to the app; the ops commit of its deployment."""
    story.app.push({**APP, **files})
    story.reconcile()
    return story.last().ops_commit or ""


def events(story: Story) -> list[tuple[str, str]]:
    one = story.store.deployments.get(story.last().id)
    assert one
    return [(event.phase, event.message) for event in one.events][1:]


@pytest.mark.parametrize(
    ("context", "targets"),
    [
        ("argocd/staging", [STAGING]),
        ("staging", [STAGING]),
        ("kustomization/production/1f2e3d4c", [PRODUCTION]),
        ("argocd/app-staging", []),
        ("dppctl/staging", []),
        ("default", []),
        ("", []),
    ],
)
def test_one_part_of_the_context_is_the_environment(context: str, targets: list[Target]) -> None:
    assert targets_of(context, [STAGING, PRODUCTION]) == targets


def test_with_two_apps_in_one_ops_repo_the_context_names_the_app_too() -> None:
    assert targets_of("argocd/maps/staging", [STAGING, MAPS]) == [MAPS]
    assert targets_of("argocd/staging", [STAGING, MAPS]) == []
    assert targets_of("argocd/production", [STAGING, MAPS, PRODUCTION]) == [PRODUCTION]


def test_a_deployment_is_followed_to_its_end(story: Story) -> None:
    sha = deployed(story)
    assert status(story, sha, "pending", text="Syncing") is None
    assert story.deployments() == [("staging", "running")]
    assert status(story, sha, "success", text="Synced") is None
    assert story.deployments() == [("staging", "succeeded")]
    assert status(story, sha, "failure", text="Degraded, later") is None
    assert status(story, sha, "pending") is None
    assert events(story) == [
        ("progress", "deployed by argocd/staging: Syncing"),
        ("succeeded", "deployed by argocd/staging: Synced"),
    ]


@pytest.mark.parametrize("state", ["failure", "error"])
def test_a_failure_says_why_and_what_heals_succeeds(story: Story, state: str) -> None:
    sha = deployed(story)
    status(story, sha, state, text="ImagePullBackOff")
    assert (story.last().state, story.last().error) == ("failed", "deployed by argocd/staging: ImagePullBackOff")
    status(story, sha, "success")
    assert (story.last().state, story.last().error) == ("succeeded", None)


def test_a_later_commit_of_the_ops_repo_holds_the_deployment_too(story: Story) -> None:
    deployed(story)
    story.ops.pull()
    story.ops.push({"environments/staging/values.yaml": "a: 1"}, message="by a person")
    assert status(story, story.ops.git("rev-parse", "HEAD"), "success") is None
    assert story.deployments() == [("staging", "succeeded")]


def test_a_status_of_an_earlier_commit_ends_no_later_deployment(story: Story) -> None:
    first = deployed(story)
    deployed(story, file="new")
    status(story, first, "success")
    assert story.deployments() == [("staging", "succeeded"), ("staging", "waiting")]


def test_what_is_no_status_of_ours_is_ignored_with_the_reason(story: Story) -> None:
    sha = deployed(story)
    assert "does not name one environment" in (status(story, sha, "success", "ci/build") or "")
    assert "is no commit of the ops repo's branch" in (status(story, "f" * 40, "success") or "")
    start = story.ops.git("rev-list", "--max-parents=0", "HEAD").strip()
    assert status(story, start, "success") == f"no deployment is part of {start[:12]}"
    assert status(story, sha, "abandoned") == "it is not a status of a commit"
    assert status(story, "--all", "success") == "it is not a status of a commit"
    status(story, sha, "success", repository="ann/app")  # whose deployments are not told of there
    assert story.deployments() == [("staging", "waiting")]


def test_an_ops_repo_that_is_away_is_asked_again(story: Story) -> None:
    deployed(story)
    story.ops.pull()
    story.ops.push({"environments/staging/values.yaml": "a: 1"})
    sha = story.ops.git("rev-parse", "HEAD")
    away = story.ops.bare.with_suffix(".away")
    story.ops.bare.rename(away)
    story.store.deliveries.record("1", Status("status", "ann/ops", sha, "success", "argocd/staging", ""))
    story.loop.take()
    story.loop.take()
    assert [one.id for one in story.store.deliveries.take()] == ["1"]
    away.rename(story.ops.bare)
    story.loop._statuses._backoff._next.clear()
    story.loop.take()
    assert story.deployments() == [("staging", "succeeded")]


def test_without_the_setting_statuses_end_nothing(world: World) -> None:
    story = Story(world)
    sha = deployed(story)
    assert status(story, sha, "success") == "DPPCTL_DEPLOYED_BY is sync"
    assert story.deployments() == [("staging", "waiting")]


def test_a_push_to_the_ops_repo_wakes_sync(story: Story) -> None:
    deployed(story)
    before = story.changes
    story.store.deliveries.record("1", replace(PUSHED, repository="ann/ops"))
    story.loop.take()
    assert story.changes == before + 1
    assert [(one.state, one.reason) for one in story.store.deliveries.newest()] == [("processed", "sync looks at it")]
