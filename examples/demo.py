"""The story of `make demo`: a push deploys to staging, a mistake changes nothing, a tag deploys to production.

Everything is real and everything is local: an app repository and an ops repository (bare, in a temporary folder),
signed webhooks from a git hook, `dppctl up`, dpp, a database for each environment. With ONCE=1 it ends by itself,
with exit code 0 when all went well; otherwise it keeps serving until Ctrl-C. Nothing stays behind.
"""

import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

HERE = Path(__file__).parent
APP, OPS = "demo/tz-data", "demo/ops"
SECONDS = 180  # for a deployment; it takes a few, and more on a machine that does other work

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
"""

MOST_ZONES = """\
SELECT name, count(*) FROM zone_countries JOIN countries ON country = code GROUP BY name ORDER BY 2 DESC LIMIT 3
"""


# It expects a column that not every line of the table has.
MISTAKE = ("for _, coordinates, name, *comments in", "for _, coordinates, name, comments, _ in")

DEPLOYMENT = 'SELECT id, state, error, receipt FROM deployments WHERE environment = ? AND "commit" = ? ORDER BY id DESC'


@dataclass(frozen=True)
class Ended:
    """A deployment, as the bot remembers it."""

    number: int
    environment: str
    state: str
    error: str | None
    receipt: dict[str, Any]


class DemoError(Exception):
    """The story went wrong; the message says where."""


def main() -> int:
    """Tell the story; return 0 when it went well."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="dppctl-demo-") as folder:
        demo = Demo(Path(folder))
        code = 130
        try:
            demo.tell()
            code = 0
            if not os.environ.get("ONCE"):
                say("Ctrl-C ends it and removes all of it.")
                demo.server.wait()
        except DemoError as error:
            print(f"demo: {error}\n{demo.log()}", file=sys.stderr)
            code = 1
        except KeyboardInterrupt:
            print()
        finally:
            demo.end()
    return code


class Demo:
    """One telling, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app, self.config = folder / "app", folder / "config"
        self.app_repo, self.ops_repo = (folder / "git" / f"{name}.git" for name in (APP, OPS))
        self.server: subprocess.Popen[str]

    def tell(self) -> None:
        """Tell the story from the first push to the mistake, and print each step."""
        say(f"An app repository ({APP}: examples/tz-data with a .dppctl.yaml) and an ops repository ({OPS})")
        self.make_repositories()
        say("dppctl up: webhook receiver, bot and local sync in one process")
        address = self.start_server()
        self.install_hook(address)

        say("git push origin master")
        self.show(*self.deploy("master", "staging"))

        say("A mistake: git commit, git push origin master")
        (self.app / "zones.py").write_text((self.app / "zones.py").read_text().replace(*MISTAKE))
        git(self.app, "commit", "--quiet", "--all", "--message", "Simpler columns")
        self.show_failure(*self.deploy("master", "staging"))

        say("Back: git revert HEAD, git push origin master")
        git(self.app, "revert", "--no-edit", "HEAD")
        self.show(*self.deploy("master", "staging"))

        say("git tag v1.0.0; git push origin v1.0.0")
        git(self.app, "tag", "v1.0.0")
        self.show(*self.deploy("v1.0.0", "production"))

        say("What the ops repository remembers of it:")
        print(indent(git(self.ops_repo, "log", "--format=%h %s"), "   "))
        say(f"All deployments, what came out and their logs: {address}/")

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
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DPPCTL_", "GIT_"))}
        kept = {name: os.environ[name] for name in ("DPPCTL_CACHE_DIR", "DPPCTL_DATA_DIR") if name in os.environ}
        with (self.config / "log").open("w") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up", "--config", str(self.config)],
                cwd=HERE.parent,
                env={**clean, **kept, "PYTHONUNBUFFERED": "1"},
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

    def deploy(self, ref: str, environment: str) -> tuple[Ended, float]:
        """Push it, wait until the environment's deployment of that commit has ended, and return it with the seconds."""
        pushed = time.monotonic()
        commit = self.push(ref)
        while time.monotonic() < pushed + SECONDS and self.server.poll() is None:
            found = rows(self.config / "state" / "dppctl.sqlite", DEPLOYMENT, environment, commit)
            if found and found[0][1] in ("succeeded", "failed", "refused"):
                number, state, error, receipt = found[0]
                return Ended(number, environment, state, error, json.loads(receipt or "{}")), time.monotonic() - pushed
            time.sleep(0.05)
        raise DemoError(f"no end of the deployment to {environment} in {SECONDS} seconds, or dppctl up ended")

    def show(self, ended: Ended, seconds: float) -> None:
        """Show the receipt, and that the rows are in the database."""
        if ended.state != "succeeded":
            raise DemoError(f"the deployment to {ended.environment} {ended.state}: {ended.error}")
        print(f"   deployed to {ended.environment}: {seconds:.1f} s from the push to the receipt")
        for pipeline in ended.receipt["pipelines"]:
            done = f"{pipeline['rows']} rows in {pipeline['seconds']:.1f} s, hash {pipeline['hash']}"
            print(f"   {pipeline['id']}: {pipeline['status']}, {done}")
            for resource in pipeline["resources"]:
                fields = ", ".join(f"{field['name']} {field['type']}" for field in resource["fields"])
                print(f"     {resource['name']}: {resource['rows']} rows ({fields})")
        self.show_rows(ended.environment)

    def show_failure(self, ended: Ended, seconds: float) -> None:
        """Show where the mistake is, and that the environment goes on with what it had."""
        if ended.state != "failed":
            raise DemoError(f"the mistake was not noticed: the deployment {ended.state}")
        print(f"   deployment {ended.number} failed, {seconds:.1f} s after the push:")
        print(indent("\n".join((ended.error or "").splitlines()[:2]), "   | "))
        self.show_rows(ended.environment)

    def show_rows(self, environment: str) -> None:
        """Show something that only the tables together tell."""
        folder = self.config / "state" / "environments" / APP.replace("/", "+") / environment
        most = ", ".join(
            f"{country} {zones}" for country, zones in rows(folder / "current" / "data.sqlite", MOST_ZONES)
        )
        print(f"   in {environment}'s database, the countries with the most time zones: {most}")

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


def say(text: str) -> None:
    """Print a step of the story."""
    print(f"\n== {text}", flush=True)


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


if __name__ == "__main__":
    sys.exit(main())
