import threading
from pathlib import Path

import pytest

from bot.git.command import Git
from bot.git.errors import GitError
from bot.settings import Settings, load_settings
from tests.support.environment import processes_with
from tests.support.forge import Forge
from tests.support.waiting import eventually


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder without a repository."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_last_words_of_git_are_the_message_without_secrets(bot_git: Git, empty: Path) -> None:
    with pytest.raises(GitError, match=r"git ls-remote: .*\*\*\*") as failed:
        bot_git.run(empty, "ls-remote", "t0ken")
    assert "t0ken" not in str(failed.value)


def test_only_the_configured_protocol_is_allowed(bot_git: Git, empty: Path, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="transport 'https' not allowed"):
        bot_git.run(empty, "ls-remote", "https://127.0.0.1:1/a/b.git")
    with pytest.raises(GitError, match="transport 'ext' not allowed"):
        bot_git.run(empty, "ls-remote", f"ext::touch {tmp_path}/owned")
    assert not (tmp_path / "owned").exists()


def test_the_token_is_in_no_argument_and_no_file(bot_git: Git, forge: Forge, tmp_path: Path) -> None:
    repository = forge.repository("ann/app")
    repository.push({"a": "b"})
    bot_git.run(tmp_path, "clone", "--quiet", str(repository.bare), "copy")
    assert "t0ken" not in (tmp_path / "copy" / ".git" / "config").read_text()
    assert "extraHeader" not in (tmp_path / "copy" / ".git" / "config").read_text()


def wait_for_end(git: Git, folder: Path, marker: str) -> list[str]:
    """Start a git that waits for more input than it gets, through an alias that starts a process of its own."""
    messages: list[str] = []

    def run() -> None:
        try:
            git.run(folder, "-c", f"alias.wait=!sleep 300 && echo {marker}", "wait")
        except GitError as error:
            messages.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: processes_with(marker), "git runs")
    git.close()
    thread.join(5)
    assert not thread.is_alive()
    return messages


def test_closing_ends_what_runs_with_all_its_processes(bot_git: Git, tmp_path: Path) -> None:
    marker = f"marker-{tmp_path.name}"
    assert wait_for_end(bot_git, tmp_path, marker)
    eventually(lambda: not processes_with(marker), "its processes end")
    with pytest.raises(GitError, match="stopped"):
        bot_git.run(tmp_path, "version")


def test_a_git_that_hangs_is_ended_in_time(bot_git: Git, tmp_path: Path) -> None:
    marker = f"marker-{tmp_path.name}"
    with pytest.raises(GitError, match=r"no answer within 0.2 seconds"):
        bot_git.run(tmp_path, "-c", f"alias.wait=!sleep 300 && echo {marker}", "wait", seconds=0.2)
    eventually(lambda: not processes_with(marker), "its processes end")


def test_the_machines_git_configuration_is_left_out(
    settings: Settings, tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as inside a hook
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[user]\nname = somebody\n")
    git = Git(load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "x", "DPPCTL_GITHUB_USER": "bot"}))
    assert git.run(empty, "var", "GIT_AUTHOR_IDENT").startswith(b"bot <")
    assert Git(settings).run(empty, "config", "--list").count(b"user.name") == 0
