"""gh, GitHub's command line, in a stand-in that answers as its manual says: its token sets up what is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import load_settings
from tests.support.github.fake import FakeGitHub
from tests.support.github.git_ssh import git_ssh
from tests.support.needs import needs
from tests.support.stories.person import Person

# https://cli.github.com/manual/gh_auth_token, gh_auth_status; exit code 4 is "authentication required".
GH = """\
#!/bin/sh
echo "$@" >> "$0.calls"
test "$1 $3 $4" = "auth --hostname 127.0.0.1" || exit 1
test -e "$0.out" && { echo "You are not logged into any GitHub hosts." >&2; exit 4; }
case $2 in
status) echo "Logged in to 127.0.0.1 account ann" ;;
token) echo ghs-own-token ;;
esac
"""


@pytest.fixture
@needs("ssh", "sshd")
def ann(github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with git_ssh(github, tmp_path / "ssh") as url:
        ann = Person(github, tmp_path)
        github.user("ann", "ghs-own-token")
        with (ann.config / ".env").open("a") as file:
            file.write(f"DPPCTL_GITHUB_SSH_URL={url}\n")
        yield ann


def test_who_says_yes_needs_no_token_and_gh_s_is_kept_nowhere(ann: Person, github: FakeGitHub, tmp_path: Path) -> None:
    done = ann.init(answers="\n\ny\n\n\n\nnone\n", owner=False)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "gh is logged in to 127.0.0.1. Use its token now, to make what is missing there? [Y/n]: y" in done.output
    assert "add a deploy key with write access to ann/data-ops" in done.output
    assert github.repo("ann/data-ops").keys
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "bin"]
    assert [path for path in kept if b"ghs-own-token" in path.read_bytes()] == []
    assert "ghs-own-token" not in done.output
    assert load_settings(ann.config, {}).github.token.get_secret_value() == ""


def test_it_is_not_asked_for_its_token_by_itself(ann: Person, tmp_path: Path) -> None:
    calls = tmp_path / "bin" / "gh.calls"
    assert "nobody is asked with --yes" in str(ann.init("--yes", owner=False).exception)
    assert not calls.exists()
    said_no = ann.init(answers="\n\nn\n", owner=False)
    assert "Contents          to read the app, and to commit" in said_no.output
    assert "/settings/personal-access-tokens/new" in said_no.output
    assert calls.read_text() == "auth status --hostname 127.0.0.1\n"


def test_a_script_asks_for_it_by_a_flag(ann: Person, github: FakeGitHub, tmp_path: Path) -> None:
    (tmp_path / "bin" / "gh.out").touch()
    refused = str(ann.init("--gh", "--deploy-key", "--yes", owner=False).exception)
    assert "--gh: gh is not on PATH, or not logged in to 127.0.0.1" in refused
    assert github.writes == []
    (tmp_path / "bin" / "gh.out").unlink()
    done = ann.init("--gh", "--deploy-key", "--yes", owner=False)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert github.repo("ann/data-ops").keys
