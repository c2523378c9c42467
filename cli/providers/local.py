"""The machine that dppctl runs on: pipelines are its processes, or run in containers of podman."""

import shutil
from pathlib import Path

from cli.errors import InputError
from cli.init.chart_values import Installation
from cli.init.secret_stores import EnvFile, Keyring, SecretStore, has_keyring
from cli.init.steps.step import Step
from cli.providers.provider import Provider


class Local(Provider):
    """Needs Python, which runs this, and git."""

    kind = "local"
    # The ops repo's manifests name it: what is tried here is deployed to a cluster later.
    namespace = "dppctl"
    needs_address = False

    def settings(self) -> dict[str, str]:
        """Return none: it has no settings of its own."""
        return {}

    def start(self, *, dry_run: bool) -> str | None:  # noqa: ARG002 (nothing is to be made)
        """Make nothing: processes start when they are needed."""
        return None

    def ready(self) -> str:
        """Look for git; `dppctl doctor` looks for more."""
        if shutil.which("git") is None:
            raise InputError("git is not on the PATH; install it (`dppctl doctor` says what else there is)")
        return "local cluster is ready"

    def secret_store(self, config: Path) -> SecretStore:
        """Return the system's keyring, under a name that the folder makes unique; without one the servers' `.env`."""
        if not has_keyring():
            return EnvFile(config / ".env")
        return Keyring(f"dppctl:{config.absolute()}")

    def steps(self, installation: Installation, config: Path, secrets: SecretStore) -> list[Step]:  # noqa: ARG002
        """Return none: `dppctl up` makes what it needs."""
        return []

    def next_step(self, config: Path) -> str:
        """Name `dppctl up`."""
        return f"start dppctl's servers, if they do not run (dppctl up --config {config})"
