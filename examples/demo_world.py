"""The world of the demo's story: an app's folder, what `dppctl init --local` makes beside it, and `dppctl up`."""

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
APP, OPS = "demo/tz-data", "demo/ops"
DPPCTL_YAML = f"""\
clusterProvider: local
continuousDeployment:
- appRepoPath: {APP}
  opsRepoPath: {OPS}
  actions:
  - branch: master
    environment: staging
    pipeline: all
  - tags: true
    environment: production
    pipeline: all
    after: staging
    expect:
    - maxDropPercent: 20
      columns: keep
"""


class DemoError(Exception):
    """The story went wrong; the message says where."""


class World:
    """All that is real in it, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app, self.config = folder / "app", folder / "config"
        self.ops_repo = self.config / "git" / f"{OPS}.git"
        self.server: subprocess.Popen[str]

    def set_up(self) -> str:
        """Make an app's folder, have dppctl set it up, commit it, and return what dppctl did."""
        ignored = shutil.ignore_patterns("__pycache__", ".*", "data")
        shutil.copytree(HERE / "tz-data", self.app, ignore=ignored)
        (self.app / ".dppctl.yaml").write_text(DPPCTL_YAML)
        self.config.mkdir()
        (self.config / ".env").touch(mode=0o600)
        # Not dppctl's own ports, which another one may have.
        (self.config / ".env").write_text(f"DPPCTL_PORT={free_port()}\nDPPCTL_STORAGE_PORT=0\n")
        code, told = self.dppctl("init", "--local", str(self.app), "--repo", APP, "--ops-repo", OPS)
        if code:
            raise DemoError(f"dppctl init ended with exit code {code}:\n{told}")
        git(self.app, "add", "--all")
        git(self.app, "commit", "--quiet", "--message", "Time zones into SQL")
        return "\n".join(
            line.replace(f"{self.folder}/", "") for line in told.splitlines() if line.startswith("  done ")
        )

    def start_server(self) -> str:
        """Start `dppctl up`, as a user would, and return its address."""
        with (self.config / "log").open("w") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up", "--config", str(self.config)],
                cwd=HERE.parent,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the server
            )
        for line in self.server.stdout or ():
            print(f"   {line.rstrip()}")
            if found := re.search(r"is up: (\S+?)/? ", line):
                return found[1]
        raise DemoError("dppctl up did not start")

    def push(self, ref: str) -> str:
        """Push it, show what the hook said, and return the commit."""
        answer = git(self.app, "push", "origin", ref, both=True)
        for line in re.findall(r"dppctl: .*\S", answer):
            print(f"   {line}")
        return git(self.app, "rev-parse", f"{ref}^{{commit}}")

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DPPCTL_", "GIT_"))}
        kept = {name: os.environ[name] for name in ("DPPCTL_CACHE_DIR", "DPPCTL_DATA_DIR") if name in os.environ}
        return {**clean, **kept, "PYTHONUNBUFFERED": "1"}

    def dppctl(self, *arguments: str) -> tuple[int, str]:
        """Run a command of dppctl's, as somebody at this machine, and return its exit code and what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments, "--config", str(self.config)],
            cwd=HERE.parent,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    def rows(self, environment: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows with which an environment's database answers."""
        folder = self.config / "state" / "environments" / APP.replace("/", "+") / environment
        return rows(folder / "current" / "data.sqlite", query)

    def deployments(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Return the rows with which the bot's store answers."""
        return rows(self.config / "state" / "dppctl.sqlite", query, *values)

    def change(self, file: str, before: str, after: str, message: str) -> None:
        """Commit a change of a file of the app."""
        text = (self.app / file).read_text()
        if before not in text:
            raise DemoError(f"{file} has no {before!r} any more")
        (self.app / file).write_text(text.replace(before, after))
        git(self.app, "commit", "--quiet", "--all", "--message", message)

    def log(self) -> str:
        """Return the last lines that the server logged."""
        log = self.config / "log"
        return "".join(log.read_text().splitlines(keepends=True)[-20:]) if log.exists() else ""

    def end(self) -> None:
        """End the server, so that no process stays."""
        if hasattr(self, "server"):
            self.server.terminate()
            try:
                self.server.wait(10)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()


def free_port() -> int:
    """Return a port of this machine that nobody has."""
    with socket.socket() as trying:
        trying.bind(("127.0.0.1", 0))
        port: int = trying.getsockname()[1]
        return port


def rows(database: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Return the rows with which an SQLite database answers."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def git(folder: Path, *arguments: str, both: bool = False) -> str:
    """Return what git prints (`both`: on stderr too), whatever this machine's git is configured to do."""
    ours = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "Demo" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "demo@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**clean, **ours},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"git {arguments[0]} failed {done.stdout}")
    return done.stdout.strip()
