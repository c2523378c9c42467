"""The bot's loop on real repositories, told as stories: who pushes what, and what the ops repo then says."""

import threading
from collections.abc import Iterator

import pytest

from bot.git import Git
from bot.loop import Loop
from bot.names import RepoPath
from bot.registration import Target
from bot.settings import Settings
from bot.store import Deployment, Store
from bot.values import Values
from tests.conftest import eventually
from tests.forge import APP, CONFIG, Forge, Repository


class Story:
    """An app, an ops repo, and a bot between them."""

    def __init__(self, forge: Forge, settings: Settings, git: Git) -> None:
        self.app, self.ops = forge.repository("ann/app"), forge.repository("ann/ops")
        self.ops.push({"README.md": ""}, message="start")
        targets = {Target(RepoPath("ann/app"), RepoPath("ann/ops"), name) for name in ("staging", "production")}
        settings.state_dir.mkdir()
        self.store = Store(settings.database)
        self.changes = 0
        self.loop = Loop(settings, frozenset(targets), git, self.store, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def reconcile(self) -> None:
        """What a webhook, the clock or a start leads to."""
        self.loop.reconcile(["ann/app"])

    def runs(self, environment: str) -> tuple[str, str] | None:
        """The ref and commit that the ops repo holds for an environment."""
        path = f"environments/{environment}/values.auto-updated.yaml"
        if environment not in self.ops.git("ls-remote", "origin") + " ".join(self._files()):
            return None
        source = Values.from_yaml(self.ops.file(path), path).source
        return source.ref, source.commit

    def _files(self) -> list[str]:
        self.ops.pull()
        return self.ops.git("ls-files").splitlines()

    def deployments(self) -> list[tuple[str, str]]:
        """Environment and state of each, the oldest first."""
        return [(one.environment, one.state) for one in reversed(self.store.deployments())]

    def last(self) -> Deployment:
        return self.store.deployments()[0]


@pytest.fixture
def story(forge: Forge, settings: Settings, bot_git: Git) -> Iterator[Story]:
    story = Story(forge, settings, bot_git)
    yield story
    story.store.close()


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
    assert story.deployments() == [("staging", "waiting"), ("", "refused")]
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


def test_the_thread_looks_at_all_at_the_start_and_when_woken(story: Story) -> None:
    story.app.push(APP)
    thread = threading.Thread(target=story.loop.run)
    thread.start()
    try:
        eventually(lambda: len(story.deployments()) == 1, "the start looks")
        story.app.tag("v1")
        story.loop.wake("ann/app")
        eventually(lambda: len(story.deployments()) == 2, "the wake looks")
    finally:
        story.loop.stop()
        thread.join(10)
    assert not thread.is_alive()


def test_a_repository_of_that_name_elsewhere_is_never_asked(story: Story, forge: Forge) -> None:
    stranger: Repository = forge.repository("eve/app")
    stranger.push(APP)
    story.loop.reconcile(["eve/app", "../../etc"])
    assert story.deployments() == []
