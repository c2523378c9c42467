"""What is built anew though no file changed: base images, secrets, and what somebody asks for; and what is not."""

import json
import re
from pathlib import Path

import pytest

from bot.images import base_images
from tests.support.forge import CONFIG
from tests.support.registry import LocalRegistry, running_registry
from tests.support.stories.images import ImageStory
from tests.support.world import World

pytestmark = pytest.mark.slow

SECRET_CONFIG = "build: {secrets: [password]}\n" + re.sub("(?m)^    ", "", CONFIG)


def on_base(registry: LocalRegistry, run: str = "echo built > /built") -> str:
    copied = "COPY busybox /bin/busybox\nCOPY busybox /bin/sh"
    return f"FROM {registry.host}/base/tools:1\n{copied}\nRUN busybox {run}\nCOPY . ."


def label(registry: LocalRegistry, image: str, name: str) -> str:
    return str(json.loads(registry.config(image))["config"]["Labels"][name])


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry is asked for a base image whenever it matters."""
    monkeypatch.setattr(base_images, "BASE_IMAGE_SECONDS", 0.0)


@pytest.mark.usefixtures("often")
def test_a_new_base_image_is_used_by_who_deploys_by_hand_and_by_the_next_push(
    images: ImageStory, registry: LocalRegistry
) -> None:
    registry.push("base/tools:1", labels={"base": "old"}, layers=1)
    images.push_app(on_base(registry))
    images.settle()
    first = images.image("staging")
    assert label(registry, first, "base") == "old"
    registry.push("base/tools:1", labels={"base": "new"}, layers=1)
    images.app.push({}, message="the same files")
    images.settle()
    assert images.image("staging") == first
    assert len(images.deployments()) == 1
    assert images.deploy("staging").state == "done"
    second = images.image("staging")
    assert label(registry, second, "base") == "new"
    assert images.phases(images.last().id) == ["requested", "building", "committed"]
    assert images.deploy("staging").state == "done"  # with nothing changed nothing is built
    assert (images.image("staging"), images.phases(images.last().id)) == (second, ["requested", "committed"])
    registry.push("base/tools:1", labels={"base": "newer"}, layers=1)
    images.push_app(on_base(registry), **{"note.txt": "changed"})
    images.settle()
    assert label(registry, images.image("staging"), "base") == "newer"


@pytest.mark.usefixtures("often")
def test_what_staging_ran_ships_though_the_base_image_is_another_one_now(
    images: ImageStory, registry: LocalRegistry
) -> None:
    registry.push("base/tools:1", labels={"base": "old"}, layers=1)
    images.push_app(on_base(registry))
    images.settle()
    registry.push("base/tools:1", labels={"base": "new"}, layers=1)
    images.app.tag("v1")
    images.settle()
    assert images.image("production") == images.image("staging")
    assert images.phases(images.last().id) == ["committed"]


@pytest.mark.usefixtures("often")
def test_a_base_images_registry_that_is_away_makes_nothing_new(
    images: ImageStory, registry: LocalRegistry, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "other") as other:
        other.push("base/tools:1", labels={"base": "old"}, layers=1)
        images.push_app(on_base(other))
        images.settle()
    assert len(registry.tags("apps/ann/app")) == 1
    first = images.image("staging")
    assert images.deploy("staging").state == "done"
    assert images.image("staging") == first
    assert images.phases(images.last().id) == ["requested", "committed"]


def test_a_changed_secret_is_built_in_and_is_not_to_be_guessed(
    images: ImageStory, registry: LocalRegistry, world: World
) -> None:
    secret = world.folder / "secrets" / "ann+app" / "password"
    secret.parent.mkdir(parents=True)
    secret.write_text("one")
    run = "RUN --mount=type=secret,id=password busybox cp /run/secrets/password /seen"
    images.push_app(
        on_base(registry).replace("RUN busybox echo built > /built", run), **{".dppctl.yaml": SECRET_CONFIG}
    )
    registry.push("base/tools:1")
    images.settle()
    first = images.image("staging")
    assert images.deploy("staging").state == "done"
    assert images.image("staging") == first
    secret.write_text("two")
    assert images.deploy("staging").state == "done"
    second = images.image("staging")
    assert first != second
    assert len(registry.tags("apps/ann/app")) == 2
    key = world.settings.state_dir / "builds" / "secrets.key"
    assert (key.stat().st_mode & 0o777, len(key.read_bytes())) == (0o600, 32)


def test_who_asks_for_it_gets_each_step_anew(images: ImageStory, registry: LocalRegistry) -> None:
    registry.push("base/tools:1")
    images.push_app(on_base(registry, "cat /proc/sys/kernel/random/uuid > /built"))
    images.settle()
    first = images.image("staging")
    assert images.deploy("staging", rebuild=True).state == "done"
    second = images.image("staging")
    assert first != second
    assert images.phases(images.last().id) == ["requested", "building", "committed"]
    assert images.deploy("staging").state == "done"
    assert images.image("staging") == second  # the newest of the same


def test_without_an_image_of_ours_there_is_nothing_to_build_anew(images: ImageStory, registry: LocalRegistry) -> None:
    registry.push("tools/dpp:2")
    image = f"image: {registry.host}/tools/dpp:2\n"
    images.push_app(**{".dppctl.yaml": image + re.sub("(?m)^    ", "", CONFIG)})
    found = images.deploy("staging", rebuild=True)
    assert (found.state, found.message) == (
        "refused",
        "ann/app has no image that is built here; deploy it without --rebuild",
    )
