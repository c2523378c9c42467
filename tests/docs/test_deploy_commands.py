"""From `dppctl init` to a tag on production, as the README tells it; and the commands of docs/operations.md."""

import json
import sqlite3
from pathlib import Path

from tests.cli.init.person import Person
from tests.conftest import REPOSITORY, eventually, needs, write_files
from tests.docs.pages import said_after
from tests.docs.shell import Shell, is_like
from tests.forge import git
from tests.github.fake import FakeGitHub
from tests.github.story import free_port

UP = r"is up: http"


def test_from_init_to_production(shell: Shell, github: FakeGitHub, tmp_path: Path) -> None:
    needs("sqlite3")
    ann = Person(github, tmp_path)
    port = free_port()
    address, config = f"http://127.0.0.1:{port}", shell.home / ".config" / "dppctl"
    # The fake GitHub in place of GitHub's own address.
    settings = f"DPPCTL_GITHUB_URL={github.url}\nDPPCTL_GITHUB_API_URL={github.api_url}\nDPPCTL_PORT={port}\n"
    write_files(config, {".env": f"{settings}DPPCTL_STORAGE_PORT=0\n"})
    shell.environment |= {"PYTHON_KEYRING_BACKEND": "tests.docs.file_keyring.FileKeyring"}
    shell.environment |= {"PYTHONPATH": str(REPOSITORY)}
    mine, folder = {"FILE": str(tmp_path / "mine")}, {"FOLDER": str(config)}
    (tmp_path / "mine").write_text("hers\n")

    shell.folder = ann.app
    answers = [
        ("-ops]: ", ""),
        ("[Y/n]: ", ""),
        ("Token: ", "its"),
        ("name [robot]: ", ""),
        ("]: ", ""),
        (": ", address),
    ]
    said = shell.converses("dppctl init --owner-token-file FILE", answers, mine)
    is_like(
        said_after("README.md", "dppctl init --owner-token-file FILE"),
        said.replace(address, "https://dppctl.example.org").replace(str(config), "FOLDER"),
    )
    shell.starts("dppctl up --config FOLDER", folder, until=UP)
    assert "GitHub's ping reached it: 202" in shell.types("dppctl init --owner-token-file FILE", mine)
    shell.environment["DPPCTL_OWNER_TOKEN"] = "hers"
    assert "done" not in shell.types("dppctl init")

    # A push, and what is seen of it on the command line. The pages' 12 is the deployment's number here.
    commit = push(ann, "master")
    shell.folder = config
    deployed = eventually(lambda: json.loads(shell.types("dppctl list deployments")), "the push is deployed")
    assert [(one["environment"], one["commit"]) for one in deployed] == [("staging", commit)]
    number = str(deployed[0]["id"])
    assert "'count_of_rows': 3" in shell.types("dppctl logs 12 --follow", {"12": number})
    assert "'count_of_rows': 3" in shell.types("dppctl logs ID", {"ID": number})

    # By hand.
    ann.repo.git.git("tag", "v1.2.0")
    push(ann, "v1.2.0", told=False)
    app = {"APP": "ann/data"}
    assert "ann/data v1.2.0" in shell.types("dppctl deploy APP production", app)
    shell.types("dppctl deploy OWNER/REPO production --ref v1.2.0", {"OWNER/REPO": "ann/data"})
    branch = {"ENVIRONMENT": "staging", "[--ref BRANCH|TAG|COMMIT]": "--ref master"}
    shell.types("dppctl deploy APP ENVIRONMENT [--ref BRANCH|TAG|COMMIT]", app | branch)

    # Backups, while it runs.
    shell.types('sqlite3 state/dppctl.sqlite ".backup dppctl-backup.sqlite"')
    assert count(config / "dppctl-backup.sqlite", "deployments") == 4
    shell.types(
        'sqlite3 state/environments/APP/ENVIRONMENT/current/data.sqlite ".backup data.sqlite"',
        {"APP": "ann+data", "ENVIRONMENT": "production"},
    )
    assert count(config / "data.sqlite", "numbers") == 3

    # Another secret, and another token.
    shell.folder = ann.app
    (before,) = github.repo("ann/data").secrets.values()
    shell.types("dppctl init --rotate-secret", code=2)
    assert "does not take the new secret yet (401)" in shell.complaints
    shell.end()
    shell.starts("dppctl up --config FOLDER", folder, until=UP)
    assert "forget the old one" in shell.types("dppctl init")
    assert list(github.repo("ann/data").secrets.values()) != [before]
    github.user("robot", "new")
    (tmp_path / "new").write_text("new\n")
    assert "done     put the machine user's token" in shell.types(
        "dppctl init --token-file FILE", {"FILE": str(tmp_path / "new")}
    )


def push(ann: Person, ref: str, *, told: bool = True) -> str:
    """Ann commits and pushes; GitHub sends its webhook, or it is lost. The commit."""
    if git(ann.app, "status", "--porcelain"):
        ann.repo.git.git("add", "--all")
        ann.repo.git.git("commit", "--quiet", "--message", "Deploy")
    git(ann.app, "push", "--quiet", str(ann.repo.git.bare), ref)
    commit = git(ann.app, "rev-parse", "HEAD")
    if told:
        about = {"repository": {"full_name": "ann/data"}, "before": "0" * 40, "after": commit}
        ann.github.deliver("ann/data", "push", {"ref": f"refs/heads/{ref}", **about})
    return commit


def count(database: Path, table: str) -> int:
    connection = sqlite3.connect(database)
    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(found)
