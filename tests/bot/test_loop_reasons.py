"""What the bot says of a push that deploys nothing: on its delivery, and as a refused deployment."""

import pytest

from bot.model.webhook_events import Deleted, Push, RefEvent, Tag
from tests.support.forge import APP, CONFIG, Forge, git
from tests.support.receiver import PUSHED
from tests.support.stories.bot import Story, running
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.slow


def test_a_broken_config_is_refused_once_and_the_environment_stays(story: Story) -> None:
    good = story.app.push(APP)
    story.reconcile()
    story.app.push({".dppctl.yaml": CONFIG.replace("environment: staging", "enviroment: staging")})
    for _ in range(2):
        story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", good)
    assert story.deployments() == [("staging", "waiting"), ("staging", "refused")]
    assert story.last().error == ".dppctl.yaml:6: unknown key enviroment; did you mean environment?"


def test_another_apps_ops_repo_cannot_be_reached(story: Story, forge: Forge) -> None:
    other = forge.repository("bob/ops")
    other.push({"README.md": ""}, message="bob's")
    story.app.push({**APP, ".dppctl.yaml": CONFIG.replace("ann/ops", "bob/ops")})
    story.reconcile()
    assert other.log() == ["bob's"]
    assert "ann/app is not registered for staging of bob/ops" in (story.last().error or "")


def test_a_spec_that_does_not_parse_is_refused_with_its_line(story: Story) -> None:
    story.app.push({**APP, "pipeline-spec.yaml": "one:\n  pipeline: ["})
    story.reconcile()
    assert story.deployments() == [("staging", "refused")]
    assert (story.last().error or "").startswith("pipeline-spec.yaml:3: not valid YAML")


def test_a_push_elsewhere_in_the_repository_deploys_nothing_and_says_so(world: World) -> None:
    story = Story(world, path="apps/one")
    config = CONFIG.replace("ann/app", "ann/app/apps/one")
    commit = story.app.push({f"apps/one/{name}": text for name, text in {**APP, ".dppctl.yaml": config}.items()})
    story.store.deliveries.record("1", PUSHED)
    story.loop.take()
    story.app.push({"apps/two/file": "new"})
    story.store.deliveries.record("2", PUSHED)
    story.loop.take()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert len(story.deployments()) == 1
    said = story.store.deliveries.newest()[0]
    assert (said.id, said.state) == ("2", "processed")
    assert said.reason == f"staging: nothing changed below apps/one since master ({commit[:12]})"
    commit = story.app.push({"apps/one/file": "new"})
    story.loop.take()
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def told(story: Story, ref: str, kind: type[RefEvent] = Push) -> str | None:
    """Take a delivery about a ref; return what it says then."""
    number = str(len(story.store.deliveries.newest()) + 1)
    story.store.deliveries.record(number, kind("push", "ann/app", ref, "0" * 40, "f" * 40))
    story.loop.take()
    found = next(delivery for delivery in story.store.deliveries.newest() if delivery.id == number)
    assert found.state == "processed"
    return found.reason


def test_a_push_that_triggers_nothing_says_why(story: Story) -> None:
    story.app.push(APP)
    assert told(story, "refs/heads/master") is None
    story.app.push({}, branch="feature")
    said = "no action of .dppctl.yaml fits branch feature: branch master to staging, any tag to production"
    for _ in range(2):  # also when nothing has changed since
        assert told(story, "refs/heads/feature") == said
    story.app.git("push", "--quiet", "origin", "HEAD:refs/tags/release(1)", "HEAD:refs/tags/🚀")
    assert (told(story, "refs/tags/release(1)", Tag) or "").startswith("tag release(1) cannot be deployed: '(' is in")
    assert (told(story, "refs/tags/🚀", Tag) or "").startswith("tag 🚀 cannot be deployed: '🚀' is in its name")
    assert told(story, "refs/tags/gone", Tag) == "tag gone is not there any more"


def test_a_branch_that_was_renamed_says_so_in_both_deliveries(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.app.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    git(story.app.bare, "symbolic-ref", "HEAD", "refs/heads/main")
    story.app.git("push", "--quiet", "origin", "--delete", "master")
    assert told(story, "refs/heads/master", Deleted) == (
        "branch master is not there any more; staging still runs what it brought"
    )
    assert "branch master to staging (there is no such branch)" in (told(story, "refs/heads/main") or "")
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_a_second_tag_on_the_commit_that_runs_deploys_nothing_and_says_so(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.app.tag("v1")
    story.reconcile()
    story.app.tag("v2")
    assert told(story, "refs/tags/v2", Tag) == f"production: nothing changed in the files since v1 ({commit[:12]})"
    assert story.runs("production") == ("refs/tags/v1", commit)
    assert len(story.ops.log()) == 3


def test_two_branches_for_one_environment_are_refused_until_one_gives_way(story: Story) -> None:
    good = story.app.push(APP)
    story.reconcile()
    other = story.app.push({".dppctl.yaml": CONFIG.replace("branch: master", "branch: feature")}, branch="feature")
    said = "2 branches are for staging, each by its own .dppctl.yaml: feature, master; leave it to one of them"
    for ref in ("refs/heads/feature", "refs/heads/master"):
        assert told(story, ref) == f"staging: refused, {said}"
    assert story.deployments() == [("staging", "waiting"), ("staging", "refused"), ("staging", "refused")]
    assert story.runs("staging") == ("refs/heads/master", good)
    (state,) = story.store.deployments.environments()
    assert state.newest
    assert state.newest.state == "refused"
    assert {deployment.commit for deployment in story.store.deployments.newest()} == {good, other}
    story.app.git("push", "--quiet", "origin", "--delete", "feature")
    story.reconcile()
    (state,) = story.store.deployments.environments()
    assert state.newest
    assert (state.newest.state, state.newest.commit) == ("waiting", good)


def test_what_was_refused_is_over_when_the_environment_runs_what_it_should(story: Story) -> None:
    good = story.app.push(APP)
    story.reconcile()
    bad = story.app.push({".dppctl.yaml": "continuousDeployments: []"})
    for _ in range(2):  # the second time after it was mended
        story.app.git("reset", "--quiet", "--hard", bad)
        story.app.git("push", "--quiet", "--force", "origin", "HEAD:master")
        story.reconcile()
        (state,) = story.store.deployments.environments()
        assert state.newest
        assert (state.newest.state, state.newest.commit) == ("refused", bad)
        story.app.git("reset", "--quiet", "--hard", good)
        story.app.git("push", "--quiet", "--force", "origin", "HEAD:master")
        story.reconcile()
        (state,) = story.store.deployments.environments()
        assert state.newest
        assert (state.newest.state, state.newest.commit) == ("waiting", good)
    assert story.deployments() == [("staging", "waiting"), ("staging", "resolved"), ("staging", "resolved")]


def test_what_was_refused_before_another_deployment_is_refused_again(story: Story) -> None:
    story.app.push(APP)
    story.reconcile()
    bad = story.app.push({".dppctl.yaml": "continuousDeployments: []"})
    story.reconcile()
    story.app.push(APP | {"file": "new"})
    story.reconcile()
    story.app.git("push", "--quiet", "--force", "origin", f"{bad}:refs/heads/master")
    for _ in range(2):
        story.reconcile()
    states = [state for _, state in story.deployments()]
    assert states == ["superseded", "refused", "waiting", "refused"]


def test_a_delivery_that_failed_says_at_a_later_try_why_it_deploys_nothing(story: Story) -> None:
    story.app.push(APP)
    story.app.push({}, branch="feature")
    away = story.app.bare.with_suffix(".away")
    story.app.bare.rename(away)
    with running(story.loop):
        story.store.deliveries.record("1", Push("push", "ann/app", "refs/heads/feature"))
        eventually(lambda: story.store.deliveries.newest()[0].state == "failed", "the delivery fails")
        away.rename(story.app.bare)
        eventually(lambda: story.store.deliveries.newest()[0].state == "processed", "the delivery says so")
    assert (story.store.deliveries.newest()[0].reason or "").startswith("at a later try: no action of .dppctl.yaml")


def test_a_config_that_is_too_large_is_refused_and_holds_up_no_other_branch(story: Story) -> None:
    story.app.push({".dppctl.yaml": "#" * 70_000}, branch="x")
    commit = story.app.push(APP)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert ("", "refused") in story.deployments()
