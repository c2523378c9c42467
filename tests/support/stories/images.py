"""Apps with images: real buildah, a real registry, and what the ops repo then says."""

import shutil

from bot.store.tables import DeployRequest
from tests.support.builders import DOCKERFILE
from tests.support.forge import APP
from tests.support.stories.bot import Story
from tests.support.waiting import eventually

SECONDS = 120.0


class ImageStory(Story):
    """Whose bot builds images."""

    def push_app(self, dockerfile: str = DOCKERFILE, **files: str) -> str:
        """Push an app with a Dockerfile; return its commit."""
        shutil.copy(shutil.which("busybox") or "", self.app.work / "busybox")
        return self.app.push({**APP, "Dockerfile": dockerfile, **files})

    def settle(self) -> None:
        """Look until nothing is being built."""
        self.reconcile()
        eventually(lambda: self.loop.take() or self.last().state != "building", "the build ends", SECONDS)

    def deploy(self, environment: str, ref: str | None = None, *, rebuild: bool = False) -> DeployRequest:
        """Deploy by hand, and wait until the request is answered."""
        number = self.store.requests.add("ann/app", environment, ref=ref, rebuild=rebuild, by="local:ann")

        def answered() -> DeployRequest | None:
            self.loop.take()
            found = self.store.requests.get(number)
            return found if found and found.state != "waiting" else None

        found = eventually(answered, "the request is answered", SECONDS)
        assert found
        return found

    def image(self, environment: str) -> str:
        """Return the image that the ops repo holds."""
        found = self.values(environment).image
        assert found
        return found

    def phases(self, number: int) -> list[str]:
        """Return the phases of a deployment."""
        found = self.store.deployments.get(number)
        assert found
        return [event.phase for event in found.events]
