"""One repository that is odd, or broken on the disk, and the others, which have nothing to do with it."""

from collections.abc import Iterator

import pytest
from structlog.typing import EventDict

from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.reconcile.observe import observe
from tests.support.forge import APP, CONFIG, SPEC, Repository
from tests.support.stories.bot import Story
from tests.support.world import OPS, World

pytestmark = pytest.mark.slow


@pytest.fixture
def bob(world: World) -> Repository:
    return world.forge.repository("bob/app")


@pytest.fixture
def loop(world: World) -> Iterator[Loop]:
    apps = (RepoPath("ann/app"), RepoPath("bob/app"))
    targets = frozenset(Target(app, OPS, f"{app.repository[:3]}-staging") for app in apps)
    assert world.ops.log() == ["start"]
    loop = Loop(world.settings, targets, world.git, world.store, lambda: None)
    yield loop
    loop.close()


def push(repository: Repository) -> None:
    config = CONFIG.replace("ann/app", repository.name).replace("staging", f"{repository.name[:3]}-staging")
    repository.push({**APP, ".dppctl.yaml": config.replace("production", f"{repository.name[:3]}-staging-2")})


def deployed(world: World) -> set[str]:
    return {deployment.app for deployment in world.store.deployments.newest() if deployment.ops_commit}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"half a li"])
def test_a_kept_answer_that_cannot_be_read_is_asked_for_anew(
    world: World, loop: Loop, bob: Repository, content: bytes
) -> None:
    push(bob)
    loop.reconcile({"bob/app"})
    file = world.settings.state_dir / "apps" / RepoPath("bob/app").slug / "dppctl-seen"
    file.write_bytes(content)
    bob.push({"file": "new"})
    loop.close()
    targets = frozenset({Target(RepoPath("bob/app"), OPS, "bob-staging")})
    loop = Loop(world.settings, targets, world.git, world.store, lambda: None)  # as after a start of the program
    assert [result.failure for result in loop.reconcile({"bob/app"}).values()] == [None]
    assert len(world.store.deployments.newest(app="bob/app", environment="bob-staging")) == 2
    loop.close()


def test_what_nobody_foresaw_fails_the_repository_where_it_happens_only(
    world: World, loop: Loop, bob: Repository, monkeypatch: pytest.MonkeyPatch, warned: list[EventDict]
) -> None:
    push(world.app)
    push(bob)

    def break_for_ann(app: RepoPath, *rest: object) -> object:
        if app.repository == "ann/app":
            raise ZeroDivisionError("odd")
        return observe(app, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("bot.reconcile.reconciler.observe", break_for_ann)
        results = loop.reconcile({"ann/app", "bob/app"})
    assert results["ann/app"].failure == "dppctl itself failed: ZeroDivisionError('odd'); its log has more"
    assert results["bob/app"].failure is None
    assert deployed(world) == {"bob/app"}
    assert any("exc_info" in event or "exception" in event for event in warned)
    assert loop.reconcile({"ann/app"})["ann/app"].failure is None
    assert deployed(world) == {"ann/app", "bob/app"}


@pytest.mark.parametrize("target", ["real/.dppctl.yaml", "/etc/passwd", "nowhere"])
def test_a_configuration_that_is_a_link_is_named_as_such(story: Story, target: str) -> None:
    story.app.push({**APP, "real/.dppctl.yaml": CONFIG})
    (story.app.work / ".dppctl.yaml").unlink()
    (story.app.work / ".dppctl.yaml").symlink_to(target)
    story.app.push_all()
    story.reconcile()
    assert story.deployments() == [("", "refused")]
    assert story.last().error == ".dppctl.yaml is a symbolic link, which is not followed; put the file itself there"


@pytest.mark.parametrize("target", ["../specs/one.yaml", "/etc/passwd", "nowhere"])
def test_a_spec_that_is_a_link_is_named_as_such(story: Story, target: str) -> None:
    (story.app.work / "below").mkdir()
    (story.app.work / "below" / "pipeline-spec.yaml").symlink_to(target)
    story.app.push({**APP, "specs/one.yaml": SPEC})
    story.reconcile()
    assert story.deployments() == [("staging", "refused")]
    assert (story.last().error or "").startswith("below/pipeline-spec.yaml is a symbolic link, which is not followed")


def test_an_app_below_a_folder_that_is_a_link_is_told_so(world: World) -> None:
    story = Story(world, "apps/one")
    config = CONFIG.replace("appRepoPath: ann/app", "appRepoPath: ann/app/apps/one")
    (story.app.work / "apps").symlink_to("real")
    commit = story.app.push({f"real/one/{name}": text for name, text in {**APP, ".dppctl.yaml": config}.items()})
    story.reconcile()
    assert story.last().error == (
        "apps/one/.dppctl.yaml: apps is a symbolic link, which is not followed; appRepoPath is to name the folder it "
        "leads to"
    )
    assert story.last().commit == commit
    story.loop.close()
