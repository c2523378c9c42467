"""The runtime image has another name when something else goes into it, and the same when a registry is away."""

import pytest

from bot.images import base_images
from bot.images.base_images import BaseImages
from bot.images.decide import Default
from bot.images.service import make_image_service
from bot.model.names import RepoPath
from tests.support.registry import LocalRegistry
from tests.support.world import World


@pytest.mark.needs("docker-registry", "skopeo")
def test_a_new_base_image_makes_another_runtime_and_other_images_of_apps(
    world: World, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_images, "BASE_IMAGE_SECONDS", 0.0)
    base = f"{registry.host}/base/python:3"
    world.restart(REGISTRY=f"{registry.host}/apps", BUILDER="none", BASE_IMAGE=base)
    service = make_image_service(world.settings)

    def names() -> tuple[str, str]:
        return str(service.runtime.reference()), service.tag(RepoPath.parse("ann/app"), "tree", Default(), "")

    registry.push("base/python:3", labels={"base": "old"})
    old = names()
    assert names() == old
    registry.push("base/python:3", labels={"base": "new"})
    new = names()
    assert (old[0] != new[0], old[1] != new[1]) == (True, True)
    registry.stop()
    assert names() == new
    again = make_image_service(world.settings)  # as after a start
    assert str(again.runtime.reference()) == new[0]


def test_a_file_of_base_images_that_is_broken_is_as_good_as_none(world: World) -> None:
    file = world.settings.state_dir / "base-images.json"
    for text in ("", "[]", "{"):
        file.write_text(text)
        assert BaseImages(make_image_service(world.settings).registry, file).digests(["no image"]) == {"no image": ""}
