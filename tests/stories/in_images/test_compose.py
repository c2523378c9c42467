"""compose.yaml, started as it says: a push to a repository of a folder, and the rows that the container makes of it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.builders import free_port
from tests.support.environment import REPOSITORY
from tests.support.forge import APP, FLOW
from tests.support.images import Images, index_answers
from tests.support.needs import require
from tests.support.own_image import one_machine_image
from tests.support.receiver import Receiver
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.needs("podman-compose", "catatonit")

USER = 1000
SITE = FLOW.replace(
    "def flow(*_):",
    "def flow(*_):\n        import os; os.makedirs('data', exist_ok=True); open('data/index.html', 'w').write('site')",
)


class Composed:
    """The service of compose.yaml, with an image of the tests, on free ports, beside repositories in a folder."""

    def __init__(self, images: Images, world: World) -> None:
        self.images, self.world = images, world
        self.pages, self.published = free_port(), free_port()
        self._project = f"dppctl-test-{self.pages}"
        self._container = f"{self._project}_dppctl_1"
        text = (REPOSITORY / "compose.yaml").read_text()
        forge = world.forge.folder / "forge"
        for there, here in {
            "target: one-machine": "target: one-machine",
            "image: localhost/dppctl-one-machine": f"image: {one_machine_image(images)}",
            "127.0.0.1:8080:": f"127.0.0.1:{self.pages}:",
            "127.0.0.1:8081:": f"127.0.0.1:{self.published}:",
            "- state:/var/lib/dppctl": f"- state:/var/lib/dppctl\n      - {forge}:{forge}",
        }.items():
            assert there in text
            text = text.replace(there, here)
        self._file = world.folder / "compose.yaml"
        self._file.write_text(text)

    def do(self, *words: str) -> str:
        """Have podman-compose do it."""
        return self.images.run("podman-compose", "--project-name", self._project, "--file", str(self._file), *words)

    def is_up(self) -> bool:
        try:
            return self.get("/readyz").ok
        except requests.RequestException:
            return False

    def get(self, path: str, port: int = 0) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{port or self.pages}{path}", timeout=60)

    def running(self) -> dict[str, Any]:
        """What runs in staging."""
        listed = self.get("/api/environments").json()["environments"]
        found: dict[str, Any] = next(one["running"] or {} for one in listed if one["environment"] == "staging")
        return found

    def inspect(self) -> dict[str, Any]:
        (found,) = json.loads(self.images.run("podman", "container", "inspect", self._container))
        return dict(found)

    def healthy(self) -> bool:
        """What its own check says."""
        self.images.run("podman", "healthcheck", "run", self._container)
        return True

    def remove(self) -> None:
        """Remove container, volume and network."""
        self.do("down", "--volumes")
        self.images.run("podman", "network", "rm", "--force", f"{self._project}_default")


@pytest.fixture
def composed(images: Images, tmp_path: Path) -> Iterator[Composed]:
    require(index_answers(images), "a package index that the build can ask")
    with World(tmp_path) as world:
        assert world.app
        assert world.ops.log() == ["start"]
        config = world.write_config()
        (config / ".env").chmod(0o600)
        for path in (config, *config.rglob("*"), *(world.forge.folder / "forge").rglob("*")):
            os.chown(path, USER, USER)
        composed = Composed(images, world)
        composed.do("up", "--detach", "--no-build")
        try:
            yield composed
        finally:
            composed.remove()


def test_a_push_is_deployed_by_what_compose_starts(composed: Composed) -> None:
    eventually(composed.is_up, "the receiver answers")
    commit = composed.world.app.push({**APP, "rows.py": SITE})
    receiver = Receiver(f"http://127.0.0.1:{composed.pages}", composed.world.store)
    assert receiver.deliver(secret="hush").status_code == 202
    running = eventually(composed.running, "the push is deployed")
    assert (running["commit"], running["rows"]) == (commit, 3)
    assert composed.get("/ann+app/staging/", composed.published).text == "site"
    assert composed.healthy()
    found = composed.inspect()
    host = found["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapAdd"], host["Init"]) == (True, [], True)
    assert found["EffectiveCaps"] in (None, [])
    assert (found["Config"]["User"], host["RestartPolicy"]["Name"]) == ("1000:1000", "unless-stopped")
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert "hush" not in json.dumps(found)

    assert '"rows": 3,' in composed.do("exec", "-T", "dppctl", "dppctl", "status")
    composed.do("stop")
    assert composed.inspect()["State"]["ExitCode"] == 0
    log = composed.do("logs")
    assert ("dppctl is up: http://127.0.0.1:8080/ " in log, "Traceback" in log) == (True, False)
