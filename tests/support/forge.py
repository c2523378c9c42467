"""A GitHub of one folder: bare repositories that tests push to, the way a person would."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

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
        for folder, options in ((bare, ["--bare"]), (work, [])):
            folder.mkdir(parents=True)
            git(folder, "init", "--quiet", "--initial-branch=master", *options)
        git(work, "remote", "add", "origin", str(bare))
        return Repository(name, bare, work, self)

    def next_minute(self) -> str:
        """A date for git: each commit and tag is a minute after the one before."""
        self._minutes += 1
        return f"{1_800_000_000 + 60 * self._minutes} +0000"


@dataclass
class Repository:
    """A person's clone of a bare repository; each method tells what the person does."""

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
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, *options: str) -> None:
        """Tag the last commit and push the tag."""
        self.git("tag", *options, name)
        self.git("push", "--quiet", "origin", name)

    def pull(self) -> None:
        """Get what others pushed to master."""
        self.git("fetch", "--quiet", "origin", "master")
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")

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
