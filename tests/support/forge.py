"""A GitHub of one folder: bare repositories that tests push to, the way a person would."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.workloads import write_files

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": str(Path(__file__).with_name("gitconfig")),
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}

# A step is a process, and most of the time of a small run is its start. So rows and their table are one step here;
# `run: dump_to_sql`, as people write it, has tests of its own and is in the examples.
SPEC = """
    one:
      pipeline:
      - flow: table
"""

TABLE = """
    from dataflows import Flow, dump_to_sql
    from rows import flow as rows

    def flow(*arguments):
        table = {"resource-name": "numbers", "mode": "rewrite"}
        return Flow(rows(*arguments), dump_to_sql({"numbers": table}, engine="env://DPP_DB_ENGINE"))
"""

FLOW = """
    from dataflows import Flow, update_resource

    def flow(*_):
        numbers = [{"number": n} for n in range(3)]
        return Flow(numbers, update_resource(-1, name="numbers", path="n.csv", **{"dpp:streaming": True}))
"""

CONFIG = """
    continuousDeployment:
    - appRepoPath: ann/app
      opsRepoPath: ann/ops
      actions:
      - branch: master
        environment: staging
      - tags: true
        environment: production
"""

APP = {"pipeline-spec.yaml": SPEC, "table.py": TABLE, "rows.py": FLOW, ".dppctl.yaml": CONFIG}
# Each run adds its rows to those before: so a run too many, or too few, is seen.
APPENDING = {**APP, "table.py": TABLE.replace("rewrite", "append")}


@dataclass
class Forge:
    """Repositories by OWNER/REPO, under one URL."""

    folder: Path
    _minutes: int = field(default=0)

    @property
    def url(self) -> str:
        """For DPPCTL_GITHUB_URL."""
        return (self.folder / "forge").as_uri()

    def repository(self, name: str) -> "Repository":
        """A new one, empty."""
        bare, work = self.folder / "forge" / f"{name}.git", self.folder / "work" / name
        shutil.copytree(Path(_empty().name, "bare"), bare)
        shutil.copytree(Path(_empty().name, "work", ".git"), work / ".git", ignore=shutil.ignore_patterns("objects"))
        (work / ".git" / "objects").symlink_to(bare / "objects")
        with (work / ".git" / "config").open("a") as config:
            config.write(f'[remote "origin"]\n\turl = {bare}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n')
        return Repository(name, bare, work, self)

    def next_minute(self) -> str:
        """A date for git: each commit and tag is a minute after the one before."""
        self._minutes += 1
        return f"{1_800_000_000 + 60 * self._minutes} +0000"


@dataclass
class Repository:
    """A person's clone of a bare repository; each method tells what the person does.

    Both keep their objects in one folder. So what is pushed is there already and a ref is all that is to be written,
    by one git, where a push starts six; unless there is a hook, which a push alone runs.
    """

    name: str
    bare: Path
    work: Path
    forge: Forge

    def push(self, files: dict[str, str], branch: str = "master", message: str = "change") -> str:
        """Write files, commit and push; the commit."""
        write_files(self.work, files)
        return self.push_all(branch, message)

    def push_all(self, branch: str = "master", message: str = "change") -> str:
        """Commit and push what the work tree holds; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        commit = self.git("rev-parse", "HEAD")
        if self._has_hooks():
            self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        else:
            git(self.bare, "update-ref", f"refs/heads/{branch}", commit)
        return commit

    def tag(self, name: str, *options: str) -> None:
        """Tag the last commit and push the tag."""
        self.git("tag", *options, name)
        if self._has_hooks():
            self.git("push", "--quiet", "origin", name)
        else:
            git(self.bare, "update-ref", f"refs/tags/{name}", self.git("rev-parse", f"refs/tags/{name}"))

    def pull(self) -> None:
        """Get what others pushed to master."""
        self.git("reset", "--quiet", "--hard", git(self.bare, "rev-parse", "refs/heads/master"))

    def git(self, *arguments: str) -> str:
        """What git answers in the clone."""
        date = self.forge.next_minute()
        return git(self.work, *arguments, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)

    def log(self) -> list[str]:
        """The subjects of master, the newest first."""
        return git(self.bare, "log", "--format=%s", "master").splitlines()

    def file(self, path: str) -> str:
        """A file of master."""
        return git(self.bare, "show", f"master:{path}")

    def _has_hooks(self) -> bool:
        return any(any((folder / "hooks").iterdir()) for folder in (self.bare, self.work / ".git"))


@cache
def _empty() -> TemporaryDirectory[str]:
    """Make a bare repository and a clone's, without commits and without the examples of hooks."""
    folder = TemporaryDirectory(prefix="dppctl-repository-")  # it goes with this process
    for data, options in (("bare", ["--bare", "bare"]), ("work/.git", ["work"])):
        git(Path(folder.name), "init", "--quiet", "--initial-branch=master", "--template=", *options)
        for below in ("hooks", "info"):
            Path(folder.name, data, below).mkdir()
    return folder


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """What git answers in a folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**clean, **ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout.strip()
