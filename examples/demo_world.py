"""The world of the demo's story: the app's and the ops repository, `dppctl up`, and a git hook in GitHub's place."""

import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
APP, OPS = "demo/tz-data", "demo/ops"
APPS_YAML = f"""\
apps:
- appRepoPath: {APP}
  opsRepoPath: {OPS}
  environments: [staging, production]
"""

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
        self.app_repo, self.ops_repo = (folder / "git" / f"{name}.git" for name in (APP, OPS))
        self.server: subprocess.Popen[str]

    def make_repositories(self) -> None:
        """Make the app's repository with all but a push, and an ops repo with an empty first commit."""
        for repository in (self.app_repo, self.ops_repo):
            git(self.folder, "init", "--quiet", "--bare", "--initial-branch=master", str(repository))
        ops = self.folder / "ops"
        for work, remote in ((self.app, self.app_repo), (ops, self.ops_repo)):
            git(self.folder, "init", "--quiet", "--initial-branch=master", str(work))
            git(work, "remote", "add", "origin", str(remote))
        shutil.copytree(
            HERE / "tz-data", self.app, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
        (self.app / ".dppctl.yaml").write_text(DPPCTL_YAML)
        (ops / "README.md").write_text("What each environment runs.\n")
        for work, message in ((self.app, "Time zones into SQL"), (ops, "Start")):
            git(work, "add", "--all")
            git(work, "commit", "--quiet", "--message", message)
        git(ops, "push", "--quiet", "origin", "master")

    def start_server(self) -> str:
        """Start `dppctl up`, as a user would configure it, and return its address."""
        self.config.mkdir()
        secret = secrets.token_hex(16)
        (self.config / "apps.yaml").write_text(APPS_YAML)
        private(self.config / "webhook-secret", secret)
        private(
            self.config / ".env",
            f"DPPCTL_GITHUB_URL={(self.folder / 'git').as_uri()}\nDPPCTL_WEBHOOK_SECRETS={secret}\nDPPCTL_PORT=0\n",
        )
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

    def install_hook(self, address: str) -> None:
        """Have each push to the app repository sent to the receiver, signed, as GitHub does it."""
        for key, value in (
            ("url", f"{address}/webhooks/github"),
            ("repository", APP),
            ("secretFile", str(self.config / "webhook-secret")),
        ):
            git(self.app_repo, "config", f"dppctl.{key}", value)
        hook = self.app_repo / "hooks" / "post-receive"
        shutil.copyfile(HERE.parent / "cli" / "init" / "local" / "post_receive.py", hook)
        hook.chmod(0o755)

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


def private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.touch(mode=0o600)
    file.write_text(text)


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
