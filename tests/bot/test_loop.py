"""The bot's loop on real repositories, told as stories: who pushes what, and what the ops repo then says."""

import pytest

from bot.git.command import Git
from bot.loop import Loop
from bot.model.values import Values
from bot.model.webhook_events import Deleted, Push, RefEvent, Tag
from bot.settings import Settings
from bot.store.store import Store
from tests.support.forge import APP, CONFIG, Forge, Repository, git
from tests.support.receiver import PUSHED
from tests.support.stories.bot import Story, running
from tests.support.waiting import eventually
from tests.support.world import World


def test_a_push_goes_to_staging_and_a_tag_to_production(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert story.runs("production") is None
    story.app.tag("v1.0.0")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1.0.0", commit)
    assert story.deployments() == [("staging", "waiting"), ("production", "waiting")]
    assert story.changes == 2


def test_many_wakes_for_one_push_are_one_commit(story: Story) -> None:
    story.app.push(APP)
    for _ in range(3):
        story.reconcile()
    assert len(story.ops.log()) == 2
    assert len(story.deployments()) == 1


def test_many_pushes_before_one_wake_deploy_the_last(story: Story) -> None:
    for number in range(3):
        commit = story.app.push({**APP, "file": str(number)})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert len(story.ops.log()) == 2


def test_a_newer_push_supersedes_what_waits(story: Story) -> None:
    for number in range(2):
        story.app.push({**APP, "file": str(number)})
        story.reconcile()
    assert story.deployments() == [("staging", "superseded"), ("staging", "waiting")]


def test_two_environments_go_out_in_one_push(story: Story) -> None:
    story.reconcile()
    story.app.push(APP)
    story.app.tag("v1")
    story.reconcile()
    assert len(story.ops.log()) == 3
    assert story.changes == 1


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


def test_an_ops_repo_that_is_away_is_tried_again(story: Story) -> None:
    commit = story.app.push(APP)
    away = story.ops.bare.with_suffix(".away")
    story.ops.bare.rename(away)
    story.reconcile()
    assert story.deployments() == []
    away.rename(story.ops.bare)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_what_somebody_undid_in_the_ops_repo_is_done_again(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.ops.pull()
    story.ops.git("rm", "--quiet", "-r", "environments")
    story.ops.push_all(message="oops")
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_the_thread_looks_at_all_at_the_start_and_when_a_delivery_waits(story: Story) -> None:
    story.app.push(APP)
    with running(story.loop):
        eventually(lambda: len(story.deployments()) == 1, "the start looks")
        story.app.tag("v1")
        story.store.deliveries.record("1", PUSHED)
        eventually(lambda: len(story.deployments()) == 2, "the delivery is taken")
        eventually(lambda: story.store.deliveries.newest()[0].state == "processed", "the delivery is processed")
    assert story.store.counts().totals["ops_commits"] == 2


def test_a_second_bot_waits_and_takes_over(story: Story, settings: Settings, bot_git: Git) -> None:
    other = Loop(settings, story.targets, bot_git, story.store, lambda: None)
    with running(other):
        with running(story.loop):
            story.app.push(APP)
            story.store.deliveries.record("1", PUSHED)
            eventually(lambda: story.deployments(), "one of them deploys")
        story.app.push({"file": "new"})
        story.store.deliveries.record("2", PUSHED)
        eventually(lambda: len(story.deployments()) == 2, "the other one goes on")
    assert len(story.ops.log()) == 3


def test_a_delivery_that_cannot_be_processed_fails_and_is_tried_again_by_itself(story: Story) -> None:
    story.app.push(APP)
    away = story.app.bare.with_suffix(".away")
    story.app.bare.rename(away)
    with running(story.loop):
        story.store.deliveries.record("1", PUSHED)
        eventually(lambda: story.store.deliveries.newest()[0].state == "failed", "the delivery fails")
        assert "ann/app: git ls-remote: " in (story.store.deliveries.newest()[0].reason or "")
        away.rename(story.app.bare)
        eventually(lambda: story.deployments() == [("staging", "waiting")], "it is tried again")
        eventually(lambda: story.store.deliveries.newest()[0].state == "processed", "the delivery says so")


def test_what_a_crash_kept_from_being_noted_is_noted_at_the_next_look(
    story: Story, settings: Settings, bot_git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.app.push(APP)
    story.reconcile()

    class Killed(BaseException):
        """Nobody catches it."""

    def crash(*_: object) -> int:
        raise Killed

    story.app.push({"file": "1"})
    with monkeypatch.context() as patch:
        patch.setattr(story.store.deployments, "record", crash)
        with pytest.raises(Killed):
            story.reconcile()
    assert len(story.ops.log()) == 3
    story.app.push({"file": "2"})
    Loop(settings, story.targets, bot_git, story.store, lambda: None).reconcile({"ann/app"})
    assert story.deployments() == [("staging", "superseded"), ("staging", "superseded"), ("staging", "waiting")]
    assert [one.ops_commit for one in story.store.deployments.newest()] == git(
        story.ops.bare, "rev-list", "-3", "master"
    ).split()


def test_another_stores_history_is_left_alone(story: Story, settings: Settings, bot_git: Git) -> None:
    story.app.push(APP)
    story.reconcile()
    other = Store(f"sqlite:///{settings.state_dir}/other.sqlite")
    Loop(settings, story.targets, bot_git, other, lambda: None).reconcile({"ann/app"})
    assert list(other.deployments.newest()) == []
    other.close()


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


def test_a_tag_of_a_tag_is_deployed(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.app.git("tag", "--annotate", "--message", "inner", "inner")
    story.app.git("tag", "--annotate", "--message", "outer", "v1", "inner")
    story.app.git("push", "--quiet", "origin", "v1")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1", commit)


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


@pytest.mark.parametrize("words", ["[skip deploy]", "[Skip Deploy]", "--no-deploy"])
def test_a_commit_that_asks_for_it_is_not_deployed_and_the_next_one_is(story: Story, words: str) -> None:
    good = story.app.push(APP)
    story.reconcile()
    story.app.push({"file": "1"}, message=f"tidy up\n\n{words}")
    for _ in range(2):
        story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", good)
    assert story.deployments() == [("staging", "waiting"), ("staging", "skipped")]
    assert words in (story.last().error or "")
    commit = story.app.push({"file": "2"}, message="see --no-deployments")
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_generated_pipelines_are_deployed_as_all(story: Story) -> None:
    story.app.push({".dppctl.yaml": CONFIG, "knesset.source-spec.yaml": "x: 1"})
    story.reconcile()
    path = "environments/staging/values.auto-updated.yaml"
    assert [one.id for one in Values.from_yaml(story.ops.file(path), path).pipelines] == ["all"]


def test_a_config_that_is_too_large_is_refused_and_holds_up_no_other_branch(story: Story) -> None:
    story.app.push({".dppctl.yaml": "#" * 70_000}, branch="x")
    commit = story.app.push(APP)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert ("", "refused") in story.deployments()


def test_nothing_new_costs_two_git_calls_for_an_app(story: Story, bot_git: Git) -> None:
    story.app.push(APP)
    for _ in range(2):
        story.reconcile()
    before = bot_git.calls
    story.reconcile()
    assert bot_git.calls - before <= 5  # ls-remote of both repositories, and what the ops repo holds


def test_a_repository_of_that_name_elsewhere_is_never_asked(story: Story, forge: Forge) -> None:
    stranger: Repository = forge.repository("eve/app")
    stranger.push(APP)
    story.loop.reconcile({"eve/app", "../../etc"})
    assert story.deployments() == []
