"""From `dppctl init` to a tag on production, as docs/github.md tells it; and the commands of docs/operations.md."""

import json
import re
import sqlite3
from pathlib import Path

import pytest
import requests

from tests.support.docs.pages import said_after
from tests.support.docs.shell import Shell, is_like
from tests.support.environment import REPOSITORY
from tests.support.forge import git
from tests.support.github.app import PERMISSIONS, key_pair
from tests.support.github.fake import FakeGitHub
from tests.support.github.git_ssh import git_ssh
from tests.support.stories.github import free_port
from tests.support.stories.person import Person
from tests.support.waiting import eventually
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow

UP = r"is up: http"
ADDRESS = "https://dppctl.example.org"


@pytest.mark.needs("sqlite3")
def test_from_init_to_production(shell: Shell, github: FakeGitHub, tmp_path: Path) -> None:
    port = free_port()
    github.user("robot", "robots-token")
    ann, config = person(shell, github, f"DPPCTL_PORT={port}\nDPPCTL_STORAGE_PORT=0\n")
    address = f"http://127.0.0.1:{port}"
    mine, folder = {"FILE": str(tmp_path / "mine")}, {"FOLDER": str(config)}
    (tmp_path / "mine").write_text("hers\n")
    answers = [
        ("-ops]: ", ""),
        ("[Y/n]: ", ""),
        ("Token: ", "robots-token"),
        ("name [robot]: ", ""),
        ("]: ", ""),
        (": ", address),
    ]
    said = shell.converses("dppctl init --owner-token-file FILE", answers, mine)
    is_like(
        said_after("docs/github.md", "dppctl init --owner-token-file FILE"),
        said.replace(address, ADDRESS).replace(str(config), "FOLDER"),
    )
    shell.starts("dppctl up --config FOLDER", folder, until=UP)
    requests.get(f"{address}/healthz", timeout=60)  # its start may take longer than GitHub waits
    assert "GitHub's ping reached it: 202" in shell.types("dppctl init --owner-token-file FILE", mine)
    shell.environment["DPPCTL_OWNER_TOKEN"] = "hers"
    assert "done" not in shell.types("dppctl init")

    # A push, and what is seen of it on the command line. The pages' 12 is the deployment's number here.
    commit = push(ann, "master")
    shell.folder = config
    eventually(lambda: count(config / "state" / "dppctl.sqlite", "deployments"), "the push is deployed")
    deployed = json.loads(shell.types("dppctl list deployments"))
    assert [(one["environment"], one["commit"]) for one in deployed] == [("staging", commit)]
    number = str(deployed[0]["id"])
    (delivery, *_) = json.loads(shell.types("dppctl list deliveries"))
    assert (delivery["ref"], delivery["state"], delivery["reason"]) == ("refs/heads/master", "processed", None)
    assert "'count_of_rows': 3" in shell.types("dppctl logs 12 --follow", {"12": number})
    assert "'count_of_rows': 3" in shell.types("dppctl logs ID", {"ID": number})

    # What GitHub shows of it.
    data = github.repo("ann/data")
    eventually(lambda: "success" in str(data.statuses(commit)), "GitHub shows the rows")
    ((state, description),) = data.statuses(commit).values()
    assert re.fullmatch(r"success 3 rows in 1 table, the first; (\d+ min )?\d+ s", f"{state} {description}")
    eventually(lambda: data.shown()[0][2][-1] == "success", "GitHub shows the deployment")
    taken = [one["status_code"] for every in data.deliveries.values() for one in every if one["event"] == "push"]
    assert taken == [202]
    assert "robots-token" not in (shell.home / "stderr").read_text()

    # By hand.
    ann.repo.git.git("tag", "v1.2.0")
    push(ann, "v1.2.0", told=False)
    app = {"APP": "ann/data"}
    assert "ann/data v1.2.0" in shell.types("dppctl deploy APP production", app)
    shell.types("dppctl deploy OWNER/REPO production --ref v1.2.0", {"OWNER/REPO": "ann/data"})
    branch = {"ENVIRONMENT": "staging", "[--ref BRANCH|TAG|COMMIT]": "--ref master", "[--rebuild]": ""}
    said = shell.types("dppctl deploy APP ENVIRONMENT [--ref BRANCH|TAG|COMMIT] [--rebuild]", app | branch)
    assert re.match(rf"Deployment \d+: ann/data \S+ {commit[:10]} to staging\n", said)

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
    requests.get(f"{address}/healthz", timeout=60)
    assert "forget the old one" in shell.types("dppctl init")
    assert list(github.repo("ann/data").secrets.values()) != [before]
    github.user("robot", "new")
    (tmp_path / "new").write_text("new\n")
    assert "done     put the machine user's token" in shell.types(
        "dppctl init --token-file FILE", {"FILE": str(tmp_path / "new")}
    )


@pytest.mark.needs("ssh", "sshd")
def test_a_github_app_or_a_deploy_key_stands_in_for_the_machine_user(
    shell: Shell, github: FakeGitHub, tmp_path: Path
) -> None:
    private, public = key_pair()
    (tmp_path / "app.pem").write_text(private)
    github.app("7", public, "ann", **PERMISSIONS)
    with git_ssh(github, tmp_path / "ssh") as url:
        ann, config = person(shell, github, f"DPPCTL_GITHUB_SSH_URL={url}\n")
        (tmp_path / "mine").write_text("hers\n")
        answers = [("-ops]: ", ""), ("[Y/n]: ", ""), ("name [app-7[bot]]: ", ""), ("]: ", ""), (": ", ADDRESS)]
        shell.environment["DPPCTL_OWNER_TOKEN"] = "hers"
        app = {"ID": "7", "FILE": str(tmp_path / "app.pem")}
        said = shell.converses("dppctl init --app-id ID --app-key-file FILE", answers, app)
        assert "put the private key of the GitHub App 7 into the system's keyring" in said
        assert "delete the webhook" in shell.types("dppctl init --remove")

        (config / ".env").unlink()
        ann, _ = person(shell, github, f"DPPCTL_GITHUB_SSH_URL={url}\n", ann)
        answers = [("name [dppctl]: ", ""), ("]: ", ""), (": ", ADDRESS)]
        said = shell.converses("dppctl init --deploy-key", answers)
        assert "add a deploy key with write access to ann/data-ops" in said
        assert "GitHub is not told of deployments" in said
        assert github.repo("ann/data-ops").keys
        shell.types("dppctl init --remove")
        assert not github.repo("ann/data-ops").keys


def person(shell: Shell, github: FakeGitHub, settings: str, ann: Person | None = None) -> tuple[Person, Path]:
    """Ann in her clone, and the servers' folder in her home, with the fake GitHub in place of GitHub's own address."""
    config = shell.home / ".config" / "dppctl"
    where = f"DPPCTL_GITHUB_URL={github.url}\nDPPCTL_GITHUB_API_URL={github.api_url}\n"
    write_files(config, {".env": where + settings})
    shell.environment |= {"PYTHON_KEYRING_BACKEND": "tests.support.docs.file_keyring.FileKeyring"}
    shell.environment |= {"PYTHONPATH": str(REPOSITORY)}
    ann = ann or Person(github, shell.home / "ann")
    shell.folder = ann.app
    return ann, config


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
