"""`dppctl init` as a person meets it: against the fake GitHub, with git over HTTP and the real receiver."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.app_config import parse_app_config
from bot.names import RepoPath
from bot.registration import read_registration
from bot.settings import load_settings
from cli.init.command import init
from cli.receiver import Receiver
from tests.forge import APP, Forge, Repository, git
from tests.github.conftest import forge, github  # noqa: F401 (fixtures)
from tests.github.fake import FakeGitHub

SPEC_ONLY = {name: text for name, text in APP.items() if name != ".dppctl.yaml"}


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
        self.config.mkdir()
        (self.config / ".env").write_text(
            f"DPPCTL_GITHUB_URL={github.url}\nDPPCTL_GITHUB_API_URL={github.api_url}\nDPPCTL_PORT=0\n"
        )
        self.address = "http://127.0.0.1:9"
        self.answers = ""

    def init(self, *arguments: str, answers: str = "", owner: bool = True) -> Result:
        """What it says, and the exception if it failed."""
        owners = {"DPPCTL_OWNER_TOKEN": "hers"} if owner else {}
        with_config = ["--folder", str(self.app), "--config", str(self.config), "--env-file", *arguments]
        return CliRunner(env=owners).invoke(init, with_config, input=answers)

    @contextmanager
    def receiver(self) -> Iterator[None]:
        """dppctl's receiver runs, and GitHub reaches it at `address`."""
        running = Receiver(self.config, load_settings(self.config, {}))
        self.address = running.address
        try:
            yield
        finally:
            running.stop()


@pytest.fixture
def ann(github: FakeGitHub, tmp_path: Path) -> Person:  # noqa: F811
    return Person(github, tmp_path)
