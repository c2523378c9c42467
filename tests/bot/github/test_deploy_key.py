"""git over ssh with a repository's deploy key, in place of the machine user's token."""

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.git.command import Git
from bot.git.errors import GitError
from bot.settings import load_settings
from tests.support.forge import APP, git
from tests.support.github.fake import FakeGitHub
from tests.support.github.git_ssh import git_ssh, new_host_key, write_authorized_keys
from tests.support.needs import needs
from tests.support.stories.github import GitHubStory, github_story


def key_pair(folder: Path) -> tuple[str, str]:
    """Private, as DPPCTL_DEPLOY_KEYS has it, and public."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    return b64encode((folder / "key").read_bytes()).decode(), (folder / "key.pub").read_text()


@pytest.fixture
@needs("ssh", "sshd")
def key_story(github: FakeGitHub, tmp_path: Path) -> Iterator[GitHubStory]:
    private, public = key_pair(tmp_path)
    with git_ssh(github, tmp_path / "ssh") as url:
        settings = {"DEPLOY_KEYS": f"Ann/ops={private}", "GITHUB_SSH_URL": url, "GITHUB_HOST_KEYS": github.ssh_keys[0]}
        with github_story(github, tmp_path, **settings) as story:
            give(story, public)
            yield story


def give(story: GitHubStory, public: str, *, read_only: bool = False) -> None:
    story.ops.keys[1] = {"key": " ".join(public.split()[:2]), "read_only": read_only}
    write_authorized_keys(story.github)


def test_the_ops_repo_is_written_with_its_key_and_never_with_a_token(key_story: GitHubStory) -> None:
    commit = key_story.push()
    assert key_story.reconcile() == {}
    assert f"Dppctl-Source-Commit: {commit}" in git(key_story.ops.git.bare, "log", "-1", "--format=%B")
    asked = {path for path, _ in key_story.github.git_calls}
    assert any(path.startswith("/ann/app.git") for path in asked)
    assert not any(path.startswith("/ann/ops.git") for path in asked)


def test_no_key_stays_behind(key_story: GitHubStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    bot_git = Git(key_story.settings)
    bot_git.run(key_story.settings.state_dir, "ls-remote", "--", key_story.settings.github.repository_url("ann/ops"))
    (folder,) = (tmp_path / "tmp").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "ann+ops").stat().st_mode & 0o777 == 0o600
    bot_git.close()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_is_wrong_with_a_key_is_told(key_story: GitHubStory, tmp_path: Path) -> None:
    public = key_story.ops.keys[1]["key"]
    key_story.ops.keys.clear()
    write_authorized_keys(key_story.github)
    assert "GitHub does not know the deploy key of ann/ops in DPPCTL_DEPLOY_KEYS: it was deleted" in refusal(key_story)
    give(key_story, public, read_only=True)
    key_story.app.git.push(APP)
    (message,) = key_story.reconcile().values()
    assert "the deploy key of ann/ops in DPPCTL_DEPLOY_KEYS may only read; add it again with write access" in message
    new_host_key(key_story.github, tmp_path / "ssh")
    assert "the host's key is not in DPPCTL_GITHUB_HOST_KEYS; run dppctl init again" in refusal(key_story)


def test_a_machine_without_ssh_is_told(key_story: GitHubStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("git", "sh"):
        found = subprocess.run(["which", program], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / "bin" / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    bot_git = Git(key_story.settings)
    with pytest.raises(GitError, match="the deploy key of ann/ops in DPPCTL_DEPLOY_KEYS needs the program ssh"):
        bot_git.run(
            key_story.settings.state_dir, "ls-remote", "--", key_story.settings.github.repository_url("ann/ops")
        )
    bot_git.close()


@pytest.mark.parametrize("value", ["ann/ops", "ann/ops=***", "ops=a2V5", "ann/ops=a2V5"])
def test_a_wrong_setting_is_told_without_the_key(value: str, tmp_path: Path) -> None:
    from bot.errors import DppctlError

    given = {"DPPCTL_DEPLOY_KEYS": value, "DPPCTL_WEBHOOK_SECRETS": "hush"}
    with pytest.raises(DppctlError, match="DPPCTL_DEPLOY_KEYS: expected OWNER/REPO=KEY, KEY being base64") as error:
        load_settings(tmp_path, given)
    assert "a2V5" not in str(error.value)


def refusal(story: GitHubStory) -> str:
    with pytest.raises(GitError) as error:
        story.git.run(story.settings.state_dir, "ls-remote", "--", story.settings.github.repository_url("ann/ops"))
    return str(error.value)
