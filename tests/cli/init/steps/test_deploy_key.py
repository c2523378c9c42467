"""`dppctl init --deploy-key`: no machine user, git over ssh with the ops repo's own key."""

import json
import os
import secrets
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.model.deploy_keys import parse_deploy_keys
from bot.model.registration import read_registration
from bot.settings import load_settings
from cli.errors import InputError
from cli.init.command import init
from cli.init.secret_stores import EnvFile
from cli.init.steps.deploy_key import VARIABLE, public_half
from tests.support.environment import REPOSITORY, use_kubeconfig
from tests.support.forge import git
from tests.support.github.fake import FakeGitHub
from tests.support.github.git_ssh import git_ssh, new_host_key
from tests.support.helm import helm, kubectl
from tests.support.needs import needs
from tests.support.stories.person import Person

FLAGS = ("--deploy-key", "--yes", "--ops-repo", "ann/ops", "--url", "https://d.example.org", "--user", "dppctl",
         "--email", "dppctl@example.org")  # fmt: skip


@pytest.fixture
@needs("ssh", "sshd")
def ann(github: FakeGitHub, tmp_path: Path) -> Iterator[Person]:
    with git_ssh(github, tmp_path / "ssh") as url:
        ann = Person(github, tmp_path)
        with (ann.config / ".env").open("a") as file:
            file.write(f"DPPCTL_GITHUB_SSH_URL={url}\n")
        yield ann


def test_the_bot_reads_and_writes_the_ops_repo_with_the_key(ann: Person, github: FakeGitHub, tmp_path: Path) -> None:
    done = ann.init(*FLAGS)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "add a deploy key with write access to ann/ops\n           git reaches it by ssh" in done.output
    assert "GitHub is not told of deployments" in done.output
    (key,) = github.repo("ann/ops").keys.values()
    assert (key["key"].split()[0], key["read_only"]) == ("ssh-ed25519", False)
    assert github.repo("ann/data").keys == {}
    settings = load_settings(ann.config, {})
    assert (settings.github.token.get_secret_value(), settings.github.has_api) == ("", False)
    private = settings.github.deploy_key("ann/ops")
    assert private
    for line in private.splitlines():
        assert line not in done.output
    bot_git = Git(settings)
    mirror = Mirror(bot_git, settings.github.repository_url("ann/ops"), tmp_path / "mirror")
    mirror.refresh()
    files = git(mirror.folder, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert "environments/staging/values.yaml" in files
    bot_git.run(
        mirror.folder, "push", "--quiet", "--", settings.github.repository_url("ann/ops"), "HEAD:refs/heads/other"
    )
    bot_git.close()

    github.calls.clear()
    again = ann.init("--yes")
    assert again.exit_code == 0, again.output
    assert "the deploy key of ann/ops (write access) is there, and git reaches it by ssh" in again.output
    assert [call for call in github.writes if not call.endswith("/pings")] == []


def test_asked_it_takes_the_owners_token_and_keeps_it_nowhere(ann: Person, github: FakeGitHub) -> None:
    done = ann.init("--deploy-key", answers=f"\n\nhers\n\n\n{ann.address}\n", owner=False)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "GitHub Auth Token of somebody who administers the repositories" in done.output
    assert "hers" not in (ann.config / ".env").read_text()
    assert github.repo("ann/data-ops").keys
    assert load_settings(ann.config, {}).github.user == "dppctl"


def test_a_private_app_gets_a_key_that_reads(ann: Person, github: FakeGitHub, tmp_path: Path) -> None:
    github.repo("ann/data").private = True
    assert ann.init(*FLAGS).exit_code == 0
    (key,) = github.repo("ann/data").keys.values()
    assert key["read_only"]
    settings = load_settings(ann.config, {})
    bot_git = Git(settings)
    Mirror(bot_git, settings.github.repository_url("ann/data"), tmp_path / "mirror").refresh()
    bot_git.close()


def test_what_is_not_as_it_should_be_is_mended(ann: Person, github: FakeGitHub) -> None:
    ann.init(*FLAGS)
    repo = github.repo("ann/ops")
    (key,) = repo.keys.values()
    public = key["key"]
    key["read_only"] = True
    assert "done     add a deploy key with write access to ann/ops" in ann.init("--yes").output
    assert [(one["key"], one["read_only"]) for one in repo.keys.values()] == [(public, False)]
    repo.keys.clear()
    assert "done     add a deploy key with write access to ann/ops" in ann.init("--yes").output
    assert [one["key"] for one in repo.keys.values()] == [public]


def test_a_dry_run_makes_no_key(ann: Person, github: FakeGitHub) -> None:
    done = ann.init(*FLAGS, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "would    add a deploy key with write access to ann/ops" in done.output
    assert (EnvFile(ann.config / ".env").read(VARIABLE), github.writes) == (None, [])


def test_remove_deletes_key_and_webhook(ann: Person, github: FakeGitHub) -> None:
    ann.init(*FLAGS)
    without = ann.init("--remove", owner=False, token="its")
    assert "to delete the deploy key it takes a token of the owner's" in f"{without.exception}"
    assert github.repo("ann/ops").keys
    done = ann.init("--remove")
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert (github.repo("ann/ops").keys, github.repo("ann/data").hooks) == ({}, {})
    assert EnvFile(ann.config / ".env").read(VARIABLE) == ""
    assert read_registration(ann.config / "apps.yaml") == frozenset()


def test_what_other_apps_need_is_not_removed(ann: Person, github: FakeGitHub) -> None:
    ann.init(*FLAGS)
    with (ann.config / "apps.yaml").open("a") as file:
        file.write("- appRepoPath: ann/data/other\n  opsRepoPath: ann/ops\n  environments: [other]\n")
    done = ann.init("--remove")
    assert "the webhook of ann/data stays: other apps in it are deployed" in done.output
    assert github.repo("ann/ops").keys
    assert github.repo("ann/data").hooks
    assert [str(one.app) for one in read_registration(ann.config / "apps.yaml")] == ["ann/data/other"]


def test_who_may_not_manage_keys_is_told(ann: Person, github: FakeGitHub) -> None:
    github.repository("ann/ops", robot="write")
    github.user("robot", "its")
    done = ann.init(*FLAGS, owner=False, token=None, answers="")
    assert isinstance(done.exception, InputError)
    assert "nobody is asked with --yes; give --owner-token-file" in str(done.exception)
    github.repo("ann/ops").roles["ann"] = "write"
    github.repo("ann/ops").full_name = "acme/ops"
    github.user("acme")
    github.repos["acme/ops"] = github.repos.pop("ann/ops")
    done = ann.init("--deploy-key", "--yes", "--ops-repo", "acme/ops", "--url", "https://d.example.org")
    assert "the token may not manage the deploy keys of acme/ops; give one of somebody who administers it" in str(
        done.exception
    )


@pytest.mark.needs("ssh")
def test_a_key_of_somebodys_own_must_have_no_passphrase(tmp_path: Path) -> None:
    new = ["ssh-keygen", "-q", "-t", "ed25519", "-f", str(tmp_path / "key"), "-N"]
    subprocess.run([*new, "a passphrase"], check=True)
    with pytest.raises(InputError, match=r"DPPCTL_DEPLOY_KEYS: a key there cannot be used: .*; it must have no"):
        public_half((tmp_path / "key").read_text())
    with pytest.raises(InputError, match="cannot be used"):
        public_half("-----BEGIN OPENSSH PRIVATE KEY-----\n")


def test_a_host_with_another_key_is_told(ann: Person, github: FakeGitHub, tmp_path: Path) -> None:
    ann.init(*FLAGS)
    right = github.ssh_keys
    new_host_key(github, tmp_path / "ssh")
    github.ssh_keys = right
    done = ann.init("--yes")
    assert "the deploy key of ann/ops: git ls-remote: the host's key is not in DPPCTL_GITHUB_HOST_KEYS" in str(
        done.exception
    )


@pytest.mark.needs("an API server", "helm")
def test_on_a_cluster_the_key_is_in_the_secret_and_the_chart_gets_the_host_keys(
    ann: Person, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    use_kubeconfig(monkeypatch, kubeconfig)
    name = f"init-{secrets.token_hex(4)}"
    config = ["--folder", str(ann.app), "--config", str(ann.config), "--namespace", name, *FLAGS]
    done = CliRunner(env={"DPPCTL_OWNER_TOKEN": "hers", "DPPCTL_GITHUB_TOKEN": None}).invoke(
        init, ["kubeconfig", *config]
    )
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    get = [str(kubectl()), "--kubeconfig", kubeconfig, "get", "-o", "json", "-n", name, "secret", "dppctl"]
    secret = json.loads(subprocess.check_output(get))["data"]
    assert set(secret) == {"deploy-keys", "webhook-secrets", "sync-token", "database-password"}
    (kept,) = parse_deploy_keys(b64decode(secret["deploy-keys"]).decode()).values()
    assert [one["key"] for one in github.repo("ann/ops").keys.values()] == [public_half(kept)]
    file = ann.config / "dppctl-values.yaml"
    values = yaml.safe_load(file.read_text())["github"]
    assert (values["hostKeys"], values["user"]) == (github.ssh_keys, "dppctl")
    chart = str(REPOSITORY / "charts" / "dppctl")
    subprocess.check_output([str(helm()), "template", "dppctl", chart, "--values", str(file)])
