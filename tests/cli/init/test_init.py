"""`dppctl init` as a person meets it: against the fake GitHub, with git over HTTP and the real receiver."""

import json
import os
import re
import secrets
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from structlog.typing import EventDict

from bot.model.app_config import parse_app_config
from bot.model.names import RepoPath
from bot.model.registration import read_registration
from bot.settings import load_settings
from cli.errors import InputError
from cli.init.command import init
from tests.support.environment import REPOSITORY, use_kubeconfig
from tests.support.forge import git
from tests.support.github.fake import FakeGitHub
from tests.support.helm import helm, kubectl
from tests.support.stories.person import ANSWERS, Person


@pytest.fixture
def ann(github: FakeGitHub, tmp_path: Path) -> Person:
    return Person(github, tmp_path)


def test_six_answers_set_up_all_and_a_second_run_changes_nothing(ann: Person, github: FakeGitHub) -> None:
    (ann.config / ".env").write_text((ann.config / ".env").read_text() + "DPPCTL_WEBHOOK_SECRETS=first\n")
    with ann.receiver():
        done = ann.init(answers=f"{ANSWERS}{ann.address}\n")
        assert done.exit_code == 0, done.output
        assert done.output.count("GitHub Auth Token") == 1
        assert f"{ann.config} is for dppctl's servers, which run where it is" in done.output
        assert "  on another machine: copy it there (scp -rp), with the secrets in its .env" in done.output
        assert "its\n" not in done.output.replace("commits", "")
        assert "GitHub's ping reached it: 202" in done.output
        assert done.output.endswith(
            "setting up continuous deployment of 'all' pipelines on commits to master branch of ann/data to staging "
            "environment of ops repo ann/data-ops\n"
            "setting up continuous deployment of 'all' pipelines on published tags of ann/data to production "
            "environment of ops repo ann/data-ops\n"
        )
        config = parse_app_config((ann.app / ".dppctl.yaml").read_text(), ".dppctl.yaml")
        assert len(list(config.actions(RepoPath("ann/data")))) == 2
        targets = {(str(one.app), str(one.ops), one.environment) for one in read_registration(ann.config / "apps.yaml")}
        assert targets == {("ann/data", "ann/data-ops", name) for name in ("staging", "production")}
        ops = github.repo("ann/data-ops").git.bare
        files = git(ops, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
        assert {"chart/Chart.yaml", "environments/staging/values.yaml", "README.md"} <= set(files)
        (hook,) = github.repo("ann/data").hooks.values()
        assert set(hook["events"]) == {"push", "create", "delete", "release"}
        assert github.repo("ann/data").secrets[hook["id"]] == "first"
        settings = load_settings(ann.config, {})
        assert (settings.github.token.get_secret_value(), settings.github.user) == ("its", "robot")
        assert (ann.config / ".env").stat().st_mode & 0o777 == 0o600

        github.calls.clear()
        head = git(ops, "rev-parse", "HEAD")
        again = ann.init()
        assert again.exit_code == 0, again.output
        assert github.writes == []
        assert git(ops, "rev-parse", "HEAD") == head
        assert "done" not in again.output
        assert "?" not in again.output.split("ok")[0]


def test_a_dry_run_tells_all_and_changes_nothing(ann: Person, github: FakeGitHub) -> None:
    before = (ann.config / ".env").read_text()
    answers = ["--yes", "--dry-run", "--ops-repo", "ann/ops", "--url", "https://dppctl.example.org"]
    done = CliRunner(env={"DPPCTL_OWNER_TOKEN": "hers", "DPPCTL_GITHUB_TOKEN": "its"}).invoke(
        init, ["--folder", str(ann.app), "--config", str(ann.config), "--env-file", *answers]
    )
    assert done.exit_code == 0, done.output
    would = [line.split("would")[1].strip() for line in done.output.splitlines() if line.startswith("  would")]
    assert [re.split(r"[ (]", line)[0] for line in would] == [
        "write",
        "create",
        "commit",
        "put",
        "put",
        "put",
        "write",
        "create",
    ]
    assert github.writes == []
    assert (ann.config / ".env").read_text() == before
    assert not (ann.app / ".dppctl.yaml").exists()


def test_the_machine_user_is_invited_with_the_owners_token_and_accepts(ann: Person, github: FakeGitHub) -> None:
    github.user("newbie", "new")
    done = ann.init("--yes", "--url", "https://d.example.org", "--user", "newbie", token="new")
    assert done.exit_code == 0, done.output
    assert "invite newbie to ann/data, ann/data-ops" in done.output
    for name in ("ann/data", "ann/data-ops"):
        assert github.repo(name).may("newbie", "write")


def test_without_the_owners_token_what_is_missing_is_said(ann: Person, github: FakeGitHub) -> None:
    done = ann.init("--yes", "--url", "https://d.example.org", owner=False, token="its")
    assert isinstance(done.exception, InputError)
    assert "the repository ann/data-ops cannot be made with this token" in said(done)
    github.repository("ann/data-ops", robot="write")
    done = ann.init("--yes", "--url", "https://d.example.org", owner=False, token="its")
    assert "the token may not manage the webhooks of ann/data; give the owner's (--owner-token-file)" in said(done)


def test_what_a_fine_grained_token_lacks_is_said_and_tried_only_once(ann: Person, github: FakeGitHub) -> None:
    github.repo("ann/data").private = True
    few = {"contents": "read", "deployments": "write", "metadata": "read"}
    github.user("robot", "fine", scopes=None, permissions=few)
    done = ann.init("--yes", "--url", "https://d.example.org", token="fine")
    assert (
        "the token of robot lacks permissions: ann/data: Commit statuses: read and write; ann/data-ops: Contents: "
        "read and write. Add them to it on GitHub"
    ) in said(done)
    assert load_settings(ann.config, {}, receives=False).github.token.get_secret_value() == ""
    few |= {"contents": "write", "statuses": "write"}
    done = ann.init("--yes", "--url", "https://d.example.org", token="fine")
    assert done.exit_code == 0, said(done)
    assert "done     try what the fine-grained token of robot may do\n           the token is robot's" in done.output
    assert (github.repo("ann/data").deployments, github.repo("ann/data").commit_statuses) == ({}, {})
    github.calls.clear()
    assert ann.init("--yes").exit_code == 0
    assert [call for call in github.writes if not call.endswith("/pings")] == []


def test_rotating_the_secret_refuses_no_delivery_on_the_way(ann: Person, github: FakeGitHub) -> None:
    first = ann.init("--yes", "--url", ann.address, token="its")
    assert first.exit_code == 0, first.output
    assert "GitHub's ping did not reach" in first.output
    repo = github.repo("ann/data")
    (old,) = repo.secrets.values()
    (hook,) = repo.hooks.values()
    with ann.receiver():
        hook["config"]["url"] = f"{ann.address}/webhooks/github"
        again = ann.init("--yes", "--url", ann.address)
        assert "GitHub's ping reached it: 202" in again.output
        rotated = ann.init("--yes", "--rotate-secret")
        assert "does not take the new secret yet (401), so GitHub keeps the old one; restart" in said(rotated)
        assert list(repo.secrets.values()) == [old]
        address = ann.address
    (ann.config / ".env").write_text(
        (ann.config / ".env").read_text().replace("PORT=0", f"PORT={address.split(':')[-1]}")
    )
    with ann.receiver():
        done = ann.init("--yes")
        assert done.exit_code == 0, done.output
        (new,) = repo.secrets.values()
        assert new != old
        assert [one.get_secret_value() for one in load_settings(ann.config, {}).receiver.webhook_secrets] == [new]
        assert "done" not in ann.init("--yes").output


def test_remove_takes_back_webhook_and_registration(ann: Person, github: FakeGitHub) -> None:
    ann.init("--yes", "--url", "https://d.example.org", token="its")
    assert github.repo("ann/data").hooks
    done = ann.init("--remove")
    assert done.exit_code == 0, done.output
    assert not github.repo("ann/data").hooks
    assert read_registration(ann.config / "apps.yaml") == frozenset()
    github.calls.clear()
    assert ann.init("--remove").exit_code == 0
    assert github.writes == []


def test_no_secret_is_ever_shown(
    ann: Person, github: FakeGitHub, caplog: pytest.LogCaptureFixture, warned: list[EventDict]
) -> None:
    said_all = [ann.init("--yes", "--url", "https://d.example.org", token="its-secret-value").output]
    github.user("robot", "its-secret-value")
    said_all.append(ann.init("--yes", "--url", "https://d.example.org", token="its-secret-value").output)
    said_all.append(ann.init("--yes", "--rotate-secret").output)
    kept = load_settings(ann.config, {}).receiver.webhook_secrets
    for secret in ("its-secret-value", "hers", *(one.get_secret_value() for one in kept)):
        assert secret not in "".join(said_all).replace("others", "")
        assert secret not in f"{caplog.text} {warned}"


@pytest.mark.needs("an API server", "helm")
def test_a_cluster_gets_namespaces_a_secret_and_values_for_the_chart(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    use_kubeconfig(monkeypatch, kubeconfig)
    name = f"init-{secrets.token_hex(4)}"
    config = ["--yes", "--namespace", name, "--url", "https://d.example.org", "--folder", str(ann.app)]
    done = CliRunner(env={"DPPCTL_OWNER_TOKEN": "hers", "DPPCTL_GITHUB_TOKEN": "its"}).invoke(
        init, ["kubeconfig", *config, "--config", str(ann.config)]
    )
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "kubeconfig cluster is ready" in done.output
    run = [str(kubectl()), "--kubeconfig", kubeconfig, "get", "-o", "json"]
    secret = json.loads(subprocess.check_output([*run, "-n", name, "secret", "dppctl"]))["data"]
    assert set(secret) == {"github-token", "webhook-secrets", "sync-token", "database-password"}
    assert b64decode(secret["github-token"]) == b"its"
    values = yaml.safe_load((ann.config / "dppctl-values.yaml").read_text())
    environments = {"staging": f"{name}-staging", "production": f"{name}-production"}
    assert values["sync"]["environments"] == environments
    for namespace in environments.values():
        subprocess.check_output([*run, "namespace", namespace])
    chart = str(REPOSITORY / "charts" / "dppctl")
    subprocess.check_output(
        [str(helm()), "template", "dppctl", chart, "--values", str(ann.config / "dppctl-values.yaml")]
    )
    assert "token" not in (ann.config / ".env").read_text().lower()
    again = CliRunner(env={"DPPCTL_OWNER_TOKEN": "hers"}).invoke(
        init, ["--yes", "--folder", str(ann.app), "--config", str(ann.config)]
    )
    done_again = [line for line in again.output.splitlines() if line.startswith("  done")]
    assert (again.exit_code, len(done_again), "with a ping" in done_again[0]) == (0, 1, True), again.output


@pytest.mark.parametrize(
    ("branch", "words"),
    [
        ("feat*", "branch feat* is a pattern, and an environment is for one branch; write its name"),
        ("refs/heads/main", "branch refs/heads/main is no branch's name; write main"),
        ("wip!", "branch 'wip!' can never be pushed: '!' is in its name"),
    ],
)
def test_a_branch_of_which_no_push_can_be_deployed_is_refused_at_once(ann: Person, branch: str, words: str) -> None:
    refused = ann.init("--yes", "--url", "https://d.example.org", "--branch", branch, token="its")
    assert words in said(refused)
    assert said(refused).endswith("name another with --branch NAME")
    assert not (ann.app / ".dppctl.yaml").exists()


def said(result: Result) -> str:
    """The one line of an error."""
    return f"{result.output}{result.exception}"


def test_without_an_address_dppctl_looks_by_itself_and_the_webhook_can_come_later(
    ann: Person, github: FakeGitHub
) -> None:
    done = ann.init("--yes", "--ops-repo", "ann/data-ops", token="hers", owner=False)
    assert done.exit_code == 0, done.output
    assert "dppctl looks every three minutes" in done.output
    assert github.repo("ann/data").hooks == {}
    settings = load_settings(ann.config, {})
    assert (settings.receiver.public_url, len(settings.receiver.webhook_secrets)) == ("", 1)
    github.calls.clear()
    again = ann.init()
    assert (again.exit_code, github.writes, "  done " in again.output) == (0, [], False), again.output
    with ann.receiver():
        later = ann.init("--url", ann.address)
    assert later.exit_code == 0, later.output
    assert len(github.repo("ann/data").hooks) == 1
    assert load_settings(ann.config, {}).receiver.public_url == ann.address
