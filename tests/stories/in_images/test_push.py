"""From a push to rows, by way of an image: buildah builds it, a registry keeps it, podman runs it."""

from pathlib import Path

import pytest

from bot.model.values import Values
from bot.store.store import Store
from tests.support.command import Dppctl
from tests.support.forge import APP
from tests.support.images import Images
from tests.support.registry import running_registry
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.slow

SECONDS = 180.0


@pytest.mark.needs("docker-registry", "skopeo", "runc")
def test_a_push_is_built_and_run_and_a_tag_runs_the_same_image(dppctl: Dppctl, images: Images, tmp_path: Path) -> None:
    world = World(tmp_path)
    app, ops = world.app, world.ops
    with running_registry(tmp_path / "registry") as registry:
        base = f"{registry.host}/base/dpp:1"
        images.run("buildah", "push", "--quiet", "--tls-verify=false", "--disable-compression", images.dpp, base)
        config = world.write_config(RESYNC_SECONDS="1", REGISTRY=f"{registry.host}/apps", BUILDER="buildah")
        app.push({**APP, "Dockerfile": f"FROM {base}\nWORKDIR /app\nCOPY . .\nRUN echo built\n"})
        up = dppctl.start("up", "--config", str(config), PYTHONUNBUFFERED="1", **images.environment)
        try:
            database = config / "state" / "dppctl.sqlite"
            eventually(database.exists, "it is up")
            store = Store(f"sqlite:///{database}")
            _ended(store, 1)
            app.tag("v1")
            _ended(store, 2)
            staging, production = reversed(store.deployments.newest())
            assert [one.state for one in (staging, production)] == ["succeeded", "succeeded"], staging.error
            assert [one.rows for one in (staging, production)] == [3, 3]
            path = "environments/{}/values.auto-updated.yaml"
            values = [Values.from_yaml(ops.file(path.format(one)), one) for one in ("staging", "production")]
            assert values[0].image == values[1].image
            images.made.append(str(values[0].image))
            (tag,) = registry.tags("apps/ann/app")
            name = f"{registry.host}/apps/ann/app"
            assert values[0].image == f"{name}@{registry.digest(f'{name}:{tag}')}"
            for deployment in map(store.deployments.get, (staging.id, production.id)):
                assert deployment
                assert (deployment.receipt or {})["image"] == values[0].image
            assert "STEP" in store.deployments.log(staging.id)
            assert "STEP" not in store.deployments.log(production.id)
            store.close()
        finally:
            up.terminate()
            up.communicate(timeout=60)
    assert images.containers() == []


def _ended(store: Store, number: int) -> None:
    def ended() -> bool:
        found = store.deployments.newest()
        return len(found) == number and found[0].ended

    eventually(ended, f"deployment {number} ends", SECONDS)
