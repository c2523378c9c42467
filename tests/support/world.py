"""The world that stories stand on: repositories of ann's, the servers' settings, git and a store.

Each part is made when it is first asked for, and closed here: at the end of a `with`, or by `close`.
"""

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self

from bot.git.command import Git
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.settings import Settings, load_settings
from bot.store.store import Store
from tests.support.forge import Forge, Repository
from tests.support.stores import open_store
from tests.support.workloads import write_files

APP, OPS = RepoPath("ann/app"), RepoPath("ann/ops")
STAGING, PRODUCTION = (Target(APP, OPS, name) for name in ("staging", "production"))
REGISTRATION = """
    apps:
    - appRepoPath: ann/app
      opsRepoPath: ann/ops
      environments: [staging, production]
"""


# The registries of tests are on this machine, which has to be said.
_REGISTRIES = {"IMAGE_REGISTRIES": "127.0.0.1,docker.io"}


class World:
    """Holds what a story's servers read and write; `config` is the folder of their configuration."""

    def __init__(self, folder: Path, forge: Forge | None = None, *, receives: bool = True, **settings: str) -> None:
        """Take a folder of the test's own. settings: by their names without DPPCTL_, beside those that all have."""
        self.folder = folder
        self.forge = forge or Forge(folder)
        self.config = folder / "config"
        self._receives = receives
        self._given = {"GITHUB_URL": self.forge.url, "WEBHOOK_SECRETS": "hush", **_REGISTRIES, **settings}
        self._opened = ExitStack()

    @cached_property
    def app(self) -> Repository:
        """Make ann/app, empty."""
        return self.forge.repository("ann/app")

    @cached_property
    def ops(self) -> Repository:
        """Make ann/ops with a first commit."""
        ops = self.forge.repository("ann/ops")
        ops.push({"README.md": ""}, message="start")
        return ops

    @cached_property
    def settings(self) -> Settings:
        """Read the settings, and make the folder of the state."""
        self.config.mkdir(parents=True, exist_ok=True)
        given = {f"DPPCTL_{name}": value for name, value in self._given.items()}
        settings = load_settings(self.config, given, receives=self._receives)
        settings.state_dir.mkdir(exist_ok=True)
        return settings

    @cached_property
    def git(self) -> Git:
        """Open git, with the settings' credentials."""
        git = Git(self.settings)
        self._opened.callback(git.close)
        return git

    @cached_property
    def store(self) -> Store:
        """Open the servers' database."""
        store = open_store(self.settings.database_url)
        self._opened.callback(store.close)
        return store

    def restart(self, **settings: str) -> None:
        """Forget settings, git and store, as a crash does; what is asked for next is opened anew, on the same state."""
        self._given |= settings
        for name in ("settings", "git", "store"):
            vars(self).pop(name, None)

    def write_config(self, **settings: str) -> Path:
        """Write apps.yaml and .env for servers in a process of their own, on any free port; return the folder."""
        given = {"PORT": "0", **self._given, **settings}
        env = "".join(f"DPPCTL_{name}={value}\n" for name, value in given.items())
        return write_files(self.config, {"apps.yaml": REGISTRATION, ".env": env})

    def close(self) -> None:
        """Close what was opened, the last first."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
