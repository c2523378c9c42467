"""This machine: pipelines run as its processes, or in containers of podman."""

import shutil
from collections.abc import Mapping

from cli.errors import InputError


class Local:
    """Needs Python, which is there, and git."""

    name = "local"
    is_kubernetes = False

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = dict(settings)

    def settings(self) -> dict[str, str]:
        """None of its own."""
        return {}

    def state(self) -> str:
        """`dppctl doctor` says more."""
        if shutil.which("git") is None:
            raise InputError("git is not on the PATH; install it (`dppctl doctor` says what else there is)")
        return "local cluster is ready"

    def start(self, *, dry_run: bool) -> str | None:  # noqa: ARG002 (nothing is to be made)
        """Nothing: processes start when they are needed."""
        return None
