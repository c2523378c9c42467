"""The bot's loop on real repositories, told as stories: who pushes what, and what the ops repo then says."""

from pathlib import Path

import pytest

from bot.git.command import Git
from bot.limits import WAITING_RECHECKS
from bot.loop import Loop
from bot.model.decisions import Update
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.ops_repo import OpsRepo
from bot.settings import Settings
from bot.store.store import Store
from tests.support.forge import APP, CONFIG, Forge, Repository, git
from tests.support.receiver import PUSHED
from tests.support.stories.bot import Story, running
from tests.support.waiting import eventually
from tests.support.world import OPS, World

pytestmark = pytest.mark.slow


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


def test_an_ops_repo_that_is_away_is_tried_again(story: Story) -> None:
    commit = story.app.push(APP)
    away = story.ops.bare.with_suffix(".away")
    story.ops.bare.rename(away)
    story.reconcile()
    assert story.deployments() == []
    away.rename(story.ops.bare)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_what_a_force_push_took_out_of_the_ops_repo_is_done_again(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.ops.git("push", "--quiet", "--force", "origin", "HEAD:master")
    assert story.ops.log() == ["start"]
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


def test_it_looks_into_the_store_when_the_receiver_says_so(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.app.push(APP)
    with running(story.loop):
        eventually(lambda: len(story.deployments()) == 1, "the start looks")
        monkeypatch.setattr("bot.loop.POLL_SECONDS", 3600.0)
        story.loop.look()
        eventually(lambda: not story.store.deliveries.take(), "the next look by the clock is an hour away")
        story.app.tag("v1")
        story.store.deliveries.record("1", PUSHED)
        story.loop.look()
        eventually(lambda: story.store.deliveries.newest()[0].state == "processed", "the delivery is processed")


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


def test_a_delivery_that_failed_before_a_restart_is_processed_after_it(
    story: Story, settings: Settings, bot_git: Git
) -> None:
    story.app.push(APP)
    away = story.app.bare.with_suffix(".away")
    story.app.bare.rename(away)
    story.store.deliveries.record("1", PUSHED)
    story.loop.take()
    assert story.store.deliveries.newest()[0].state == "failed"
    away.rename(story.app.bare)
    with running(Loop(settings, story.targets, bot_git, story.store, lambda: None)):
        eventually(lambda: story.store.deliveries.newest()[0].state == "processed", "the next bot does it, and says so")


@pytest.mark.parametrize(("calls", "asked"), [("0", WAITING_RECHECKS), ("20", 8)])
def test_the_clock_asks_only_for_what_has_its_turn_soon_and_what_github_takes(
    world: World, calls: str, asked: int
) -> None:
    world.restart(GITHUB_CALLS_AN_HOUR=calls, GITHUB_URL="http://127.0.0.1:1")
    names = (RepoPath(f"ann/app{number}") for number in range(2 * WAITING_RECHECKS))
    targets = frozenset(Target(name, OPS, "staging") for name in names)
    loop = Loop(world.settings, targets, world.git, world.store, lambda: None)
    loop._ownership.renew(lambda _: True)
    for now in (0.0, 1e6, 2e6):  # nothing is asked in between
        loop._recheck(now)
    assert loop._rounds.number == asked
    loop.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
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


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_a_killed_bot_had_pushed_is_noted_by_the_one_that_pushes_next(
    story: Story, settings: Settings, bot_git: Git, tmp_path: Path, is_asked: bool
) -> None:
    other = Target(RepoPath("ann/other"), OPS, "other")
    loop = Loop(settings, story.targets | {other}, bot_git, story.store, lambda: None)
    story.app.push(APP)
    loop.reconcile({"ann/app"})
    killed = OpsRepo(bot_git, settings.github.repository_url("ann/ops"), tmp_path / "killed")
    source = Source(repository="ann/other", path="", ref="refs/heads/master", commit="a" * 40)
    values = Values(image=None, source=source, pipelines=(Pipeline(id="./one"),))
    killed.write([Update(other, values)])
    story.app.push({"file": "1"})
    loop.reconcile({"ann/app"}, is_asked=is_asked)
    assert story.deployments() == [("staging", "superseded"), ("other", "waiting"), ("staging", "waiting")]
    written = git(story.ops.bare, "rev-list", "-3", "master").split()
    assert [found.ops_commit for found in story.store.deployments.newest()] == written
    loop.close()


def test_another_stores_history_is_left_alone(story: Story, settings: Settings, bot_git: Git) -> None:
    story.app.push(APP)
    story.reconcile()
    other = Store(f"sqlite:///{settings.state_dir}/other.sqlite")
    Loop(settings, story.targets, bot_git, other, lambda: None).reconcile({"ann/app"})
    assert list(other.deployments.newest()) == []
    other.close()


def test_a_tag_of_a_tag_is_deployed(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.app.git("tag", "--annotate", "--message", "inner", "inner")
    story.app.git("tag", "--annotate", "--message", "outer", "v1", "inner")
    story.app.git("push", "--quiet", "origin", "v1")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1", commit)


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
