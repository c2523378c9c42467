"""Where an environment's pipelines come from and run: the app's repository and dpp's own environment, or its image."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.errors import PermanentError, TransientError
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.local.workers.container import Container, clear_leftovers, copy_workload
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.local.workers.podman import is_rootless
from cluster.local.workers.podman_images import Image, ensure_image, is_by_digest
from cluster.local.workers.process import WorkerHost
from cluster.sync.local.environment import LocalEnvironment, Release
from cluster.sync.repositories import Repositories

_WORK = "/dppctl/work"  # where a container has a release's database


@dataclass(frozen=True)
class Sources:
    """What jobs get sources and worker hosts from."""

    repositories: Repositories
    # Makes dpp's environment, with the requirements of a workload or without any.
    runtime: Callable[[Path | None, threading.Event], DppEnvironment]
    auth_file: Path | None = None  # for registries that ask for a password
    shares_network: bool = False  # containers see what listens on this machine's 127.0.0.1

    def refresh(self, values: Values, stop: threading.Event) -> None:
        """Have at hand what is to be deployed. Raises DppctlError, ImageAwayError among them, for another try later.

        That it can never work is for `fill` to say.
        """
        if values.image is None:
            with self.repositories.use(values.source.repository) as app:
                app.refresh()
                with suppress(PermanentError):
                    app.files(values.source.commit, values.source.path).fetch()
            return
        try:
            self._image(values.image, stop)
        except ClusterError as error:
            if isinstance(error, TransientError):
                raise

    def fill(self, release: Release, environment: LocalEnvironment, values: Values, stop: threading.Event) -> None:
        """Put the app's files into the release. Raises DppctlError and ClusterError."""
        if values.image:
            copy_workload(self._image(values.image, stop), _owner(environment), release.source, stop)
            return
        with self.repositories.use(values.source.repository) as app:
            app.files(values.source.commit, values.source.path).export(release.source)

    def worker_host(
        self, release: Release, environment: LocalEnvironment, values: Values, stop: threading.Event
    ) -> WorkerHost:
        """Return where to run what the release holds. Raises ClusterError."""
        if values.image:
            image = self._image(values.image, stop)
            clear_leftovers(_owner(environment))
            folders = {release.source: image.workdir, release.work: _WORK}
            return Container(image, _owner(environment), folders, as_its_user=True, shares_network=self.shares_network)
        return self.runtime(release.source, stop)

    def _image(self, reference: str, stop: threading.Event) -> Image:
        if not is_by_digest(reference):
            raise ClusterError(f"the image {reference} is not named by its digest; write HOST/NAME@sha256:…")
        try:
            is_rootless()
        except ClusterError as error:
            raise ClusterError(f"this deployment has an image ({reference}); {error}") from error
        return ensure_image(reference, auth_file=self.auth_file, stop=stop)


def _owner(environment: LocalEnvironment) -> str:
    return str(environment.folder)
