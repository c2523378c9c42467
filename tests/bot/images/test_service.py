"""Which ready images (`image:`) an app gets with the bot's login."""

from pathlib import Path

import pytest

from bot.errors import PermanentError
from bot.images.service import make_image_service
from bot.model.image_reference import Reference
from bot.model.names import RepoPath
from bot.model.registration import Target
from tests.support.registry import running_registry
from tests.support.world import OPS, World

ANN, BOB, EVE = (RepoPath.parse(f"{name}/app") for name in ("ann", "bob", "eve"))


@pytest.mark.needs("docker-registry")
def test_a_private_image_is_its_apps_own_and_of_those_that_are_registered_for_it(world: World, tmp_path: Path) -> None:
    with running_registry(tmp_path / "private", password=True) as registry:
        digest = registry.push("apps/ann/app:1")
        image = Reference.parse(f"{registry.host}/apps/ann/app:1")
        auth_file = str(registry.auth_file)
        world.restart(REGISTRY=f"{registry.host}/apps", BUILDER="none", REGISTRY_AUTH_FILE=auth_file)
        targets = [Target(ANN, OPS, "a"), Target(BOB, OPS, "b", images=frozenset({image.name})), Target(EVE, OPS, "e")]
        service = make_image_service(world.settings, targets)
        assert service.ready(ANN, image) == service.ready(BOB, image) == f"{image.name}@{digest}"
        refused = rf"eve/app may not take it .*`images:` in apps.yaml name {image.name}"
        with pytest.raises(PermanentError, match=refused):
            service.ready(EVE, image)
