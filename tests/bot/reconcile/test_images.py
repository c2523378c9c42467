"""Apps with images: real buildah, a real registry, and what the ops repo then says."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from bot.store.tables import DeployRequest
from tests.support.builders import DOCKERFILE
from tests.support.forge import APP, CONFIG
from tests.support.registry import LocalRegistry
from tests.support.serving import Reply, serving
from tests.support.small_disk import fill, small_disk
from tests.support.stories.bot import Story, running
from tests.support.stories.images import SECONDS, ImageStory
from tests.support.waiting import eventually


def test_what_staging_ran_goes_to_production_without_a_build_though_its_tag_names_something_else_now(
    images: ImageStory, registry: LocalRegistry
) -> None:
    commit = images.push_app()
    images.settle()
    name = f"{registry.host}/apps/ann/app"
    (tag,) = registry.tags("apps/ann/app")
    assert tag.startswith(images.app.git("rev-parse", f"{commit}^{{tree}}") + "-")
    assert images.image("staging") == f"{name}@{registry.digest(f'{name}:{tag}')}"
    labels = json.loads(registry.config(f"{name}:{tag}"))["config"]["Labels"]
    assert {key.rpartition("opencontainers.image.")[2]: value for key, value in labels.items()}.items() >= {
        ("revision", commit),
        ("ref.name", "refs/heads/master"),
        ("source", "ann/app"),
    }
    (deployment,) = images.store.deployments.newest()
    assert images.phases(deployment.id) == ["building", "committed"]
    assert "busybox echo built" in images.store.deployments.log(deployment.id)
    registry.push(f"apps/ann/app:{tag}", labels={"made": "by somebody else"})
    images.app.push({}, message="another commit of the same files")
    images.app.tag("v1")
    images.reconcile()
    assert images.image("production") == images.image("staging")
    assert images.phases(images.last().id) == ["committed"]
    assert images.store.deployments.log(images.last().id) == ""


def test_a_failing_build_fails_the_deployment_once_and_the_next_commit_repairs_it(images: ImageStory) -> None:
    images.push_app(DOCKERFILE.replace("echo built > /built", "false"))
    images.settle()
    assert images.deployments() == [("staging", "failed")]
    assert "busybox false" in (images.last().error or "")
    images.settle()
    assert images.phases(images.last().id) == ["building", "failed"]
    assert len(images.ops.log()) == 1
    commit = images.push_app()
    images.settle()
    assert images.deployments() == [("staging", "failed"), ("staging", "waiting")]
    assert images.values("staging").source.commit == commit


def test_a_registry_that_is_away_is_waited_for(images: ImageStory, registry: LocalRegistry) -> None:
    images.push_app()
    registry.stop()
    failure = images.reconcile().failure
    assert images.deployments() == [("staging", "building")]
    assert failure is not None
    assert "is away" in failure
    registry.start()
    images.settle()
    found = images.store.deployments.get(images.last().id)
    assert found
    assert [event.message.partition(" ")[0] for event in found.events] == ["waiting:", "building", "ops"]


def test_a_full_disk_is_told_on_the_deployment_and_waited_for(
    images: ImageStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images.push_app()
    with small_disk(tmp_path / "small", 8192) as disk, monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(disk))
        filler = fill(disk)
        assert "No space left on device" in (images.reconcile().failure or "")
        assert images.deployments() == [("staging", "building")]
        found = images.store.deployments.get(images.last().id)
        assert found
        assert found.events[-1].message.startswith("waiting: ")
        assert found.events[-1].message.endswith("No space left on device; make room on that disk")
        filler.unlink()
        images.settle()
    assert images.deployments() == [("staging", "waiting")]


def test_what_waits_for_an_image_ends_when_it_is_refused(images: ImageStory, registry: LocalRegistry) -> None:
    config = f"image: {registry.host}/tools/dpp:2\n" + CONFIG.replace("    continuous", "continuous")
    images.app.push({**APP, ".dppctl.yaml": config.replace("\n    ", "\n")})
    registry.stop()
    images.reconcile()
    assert images.deployments() == [("staging", "building")]
    registry.start()
    images.reconcile()
    assert images.deployments() == [("staging", "superseded"), ("staging", "refused")]


def test_a_newer_push_stops_the_build_of_the_older_one(images: ImageStory) -> None:
    images.push_app(DOCKERFILE.replace("echo built > /built", "sleep 600"))
    with running(images.loop):
        eventually(
            lambda: "sleep 600" in images.store.deployments.log(images.last().id) if images.deployments() else False,
            "RUN",
        )
        images.push_app()
        images.loop.wake("ann/app")
        eventually(lambda: images.deployments()[-1] == ("staging", "waiting"), "the newer one is built", SECONDS)
    assert images.deployments() == [("staging", "superseded"), ("staging", "waiting")]


def test_a_push_that_is_taken_back_stops_its_build(images: ImageStory) -> None:
    images.push_app()
    images.settle()
    settled = images.app.git("rev-parse", "HEAD")
    images.reconcile()
    images.push_app(DOCKERFILE.replace("echo built > /built", "sleep 600"))
    with running(images.loop):
        eventually(
            lambda: "sleep 600" in images.store.deployments.log(images.last().id),
            "RUN",
        )
        images.app.git("push", "--quiet", "--force", "origin", f"{settled}:master")
        images.loop.wake("ann/app")
        eventually(lambda: images.deployments()[-1] == ("staging", "superseded"), "nobody waits for it", SECONDS)


def test_a_build_that_is_cancelled_is_stopped_and_does_not_start_again_by_itself(images: ImageStory) -> None:
    images.push_app()
    images.settle()
    before = images.runs("staging")
    commit = images.push_app(DOCKERFILE.replace("echo built > /built", "sleep 600"))
    images.reconcile()
    eventually(lambda: "sleep 600" in images.store.deployments.log(2), "RUN")
    request = images.ask("cancel", deployment=2, reason="too slow")
    assert (request.state, request.message.startswith("cancelled; it stays until master is something new")) == (
        "done",
        True,
    ), request.message
    eventually(lambda: images.loop.take() or not images.loop._images.builds._running, "the build ends", SECONDS)
    images.reconcile()
    assert images.deployments() == [("staging", "superseded"), ("staging", "cancelled")]
    assert images.runs("staging") == before
    number = images.store.requests.add("ann/app", "staging", "retry", by="local:ann", deployment=2)
    images.loop.take()
    assert images.last().commit == commit
    assert (images.last().id, images.last().state) == (3, "building")
    assert images.ask("cancel", deployment=3).state == "done"
    retried = images.store.requests.get(number)
    assert retried
    assert (retried.state, retried.message) == ("failed", "cancelled by ann")


def test_two_environments_that_want_the_same_files_wait_for_one_build(images: ImageStory) -> None:
    images.reconcile()
    images.push_app()
    images.app.tag("v1")
    images.settle()
    eventually(lambda: images.loop.take() or len(images.ops.log()) == 3, "both are deployed")
    logs = [images.store.deployments.log(one.id) for one in images.store.deployments.newest()]
    assert logs[0] == logs[1] != ""
    assert images.image("staging") == images.image("production")


def test_by_hand_an_image_is_built_too_and_a_look_meanwhile_does_not_stop_it(images: ImageStory) -> None:
    images.push_app()
    images.settle()
    images.app.push({"Dockerfile": DOCKERFILE.replace("built", "tried")}, branch="trial")
    number = images.store.requests.add("ann/app", "staging", ref="trial", by="local:ann")
    images.loop.take()
    images.reconcile()

    def done() -> DeployRequest | None:
        images.loop.take()
        found = images.store.requests.get(number)
        return found if found and found.state == "done" else None

    assert eventually(done, "it is deployed", SECONDS).deployment_id == images.last().id
    assert images.phases(images.last().id) == ["requested", "building", "committed"]
    assert images.values("staging").source.ref == "refs/heads/trial"


def test_a_ready_image_is_pinned_by_its_digest(images: ImageStory, registry: LocalRegistry) -> None:
    digest = registry.push("tools/dpp:2")
    config = f"image: {registry.host}/tools/dpp:2\n" + CONFIG.replace("    continuous", "continuous")
    images.app.push({**APP, ".dppctl.yaml": config.replace("\n    ", "\n")})
    images.reconcile()
    assert images.image("staging") == f"{registry.host}/tools/dpp@{digest}"


def ready(images: ImageStory, image: str) -> None:
    config = f"image: {image}\n" + CONFIG.replace("    continuous", "continuous")
    images.app.push({**APP, ".dppctl.yaml": config.replace("\n    ", "\n")})
    images.reconcile()


def test_a_ready_image_that_is_not_all_there_is_told_before_anything_is_committed(
    images: ImageStory, registry: LocalRegistry
) -> None:
    digest = registry.push("tools/dpp:2", layers=1)
    ready(images, f"{registry.host}/tools/dpp@sha256:{'0' * 64}")
    assert images.last().error == (
        f"image: {registry.host}/tools/dpp@sha256:{'0' * 64} is not there; push it first, or correct .dppctl.yaml"
    )
    registry.lose("tools/dpp", registry.blobs("tools/dpp:2")[0])
    for name in ("tools/dpp:2", f"tools/dpp@{digest}"):
        ready(images, f"{registry.host}/{name}")
        assert images.last().state == "refused"
        assert "has lost the layer" in (images.last().error or "")
    assert len(images.ops.log()) == 1


def test_a_login_page_is_no_image_and_is_waited_for(images: ImageStory) -> None:
    page = Reply(200, {"Content-Type": "text/html"}, b"<html>log in</html>")
    with serving(lambda _: page) as host:
        ready(images, f"{host}/tools/dpp:2")
    assert images.deployments() == [("staging", "building")]
    assert len(images.ops.log()) == 1
    found = images.store.deployments.get(images.last().id)
    assert found
    assert "login page" in found.events[-1].message


def test_an_image_whose_layers_the_registry_has_lost_is_built_anew(images: ImageStory, registry: LocalRegistry) -> None:
    images.push_app()
    images.settle()
    first = images.image("staging").partition("@")[2]
    for blob in registry.blobs_of("apps/ann/app", first):
        registry.lose("apps/ann/app", blob)
    images.app.tag("v1")
    images.settle()
    assert images.phases(images.last().id) == ["building", "committed"]
    anew = images.image("production").partition("@")[2]
    assert all(registry.has("apps/ann/app", blob) for blob in registry.blobs_of("apps/ann/app", anew))


def test_every_user_can_read_the_app_whatever_umask_the_bot_has(images: ImageStory) -> None:
    as_somebody = "USER 1000\nRUN busybox cat deep/folder/file && cd deep && busybox ls folder\n"
    before = os.umask(0o077)
    try:
        images.push_app(DOCKERFILE + as_somebody, **{"deep/folder/file": "seen"})
        images.settle()
    finally:
        os.umask(before)
    assert images.last().state == "waiting", images.last().error


def test_a_ready_image_that_comes_later_is_deployed_without_another_push(
    images: ImageStory, registry: LocalRegistry
) -> None:
    ready(images, f"{registry.host}/tools/later:1")
    assert images.last().state == "refused"
    images.reconcile()
    digest = registry.push("tools/later:1")
    images.reconcile()
    assert images.image("staging") == f"{registry.host}/tools/later@{digest}"


def test_without_a_registry_an_app_with_a_dockerfile_is_refused(story: Story) -> None:
    story.app.push({**APP, "Dockerfile": DOCKERFILE})
    story.reconcile()
    assert story.deployments() == [("staging", "refused")]
    assert story.last().error == (
        "ann/app has a Dockerfile, and there is no registry for its image: set DPPCTL_REGISTRY"
    )
