"""Somebody who runs `dppctl init`, with GitHub being the fake one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from click.testing import CliRunner, Result

from bot.settings import load_settings
from cli.init.command import init
from cli.servers.gunicorn import Receiver
from tests.support.forge import APP, git
from tests.support.github.fake import FakeGitHub

SPEC_ONLY = {name: text for name, text in APP.items() if name != ".dppctl.yaml"}
ANSWERS = "\n\n" + "its\n" + "robot\n" + "\n"  # ops repo, write it?, token, name, e-mail


class Person:
    """Somebody with a clone of ann/data, a machine user's token, and a folder for the servers."""

    def __init__(self, github: FakeGitHub, folder: Path) -> None:
        self.github = github
        github.user("ann", "hers")
        github.user("robot", "its")
        self.repo = github.repository("ann/data", robot="write")
        self.repo.git.push(SPEC_ONLY)
        self.app = self.repo.git.work
        git(self.app, "remote", "set-url", "origin", f"{github.url}/ann/data.git")
        self.config = folder / "servers"
        (self.config / "state").mkdir(parents=True)
        (self.config / "apps.yaml").write_text("apps: []\n")
        (self.config / ".env").write_text(
            f"DPPCTL_GITHUB_URL={github.url}\nDPPCTL_GITHUB_API_URL={github.api_url}\nDPPCTL_PORT=0\n"
        )
        self.address = "http://127.0.0.1:9"
        self.answers = ""

    def init(self, *arguments: str, answers: str = "", owner: bool = True, token: str | None = None) -> Result:
        """What it says, with the line of an error, and its exit code."""
        environment = {"DPPCTL_OWNER_TOKEN": "hers" if owner else None, "DPPCTL_GITHUB_TOKEN": token}
        with_config = ["--folder", str(self.app), "--config", str(self.config), "--env-file", *arguments]
        return CliRunner(env=environment).invoke(init, with_config, input=answers)

    @contextmanager
    def receiver(self) -> Iterator[None]:
        """dppctl's receiver runs, and GitHub reaches it at `address`."""
        running = Receiver(self.config, load_settings(self.config, {}))
        self.address = running.address
        try:
            requests.get(f"{running.address}/healthz", timeout=60)  # its start may take longer than GitHub waits
            yield
        finally:
            running.stop()
