"""`dppctl init --app-id`: a GitHub App in place of the machine user."""

from pathlib import Path

import pytest

from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.settings import load_settings
from cli.init.secret_stores import EnvFile
from cli.init.steps.github_app import missing
from tests.support.github.app import PERMISSIONS, key_pair
from tests.support.github.fake import FakeGitHub
from tests.support.stories.person import Person


@pytest.fixture
def ann(github: FakeGitHub, tmp_path: Path) -> Person:
    return Person(github, tmp_path)


@pytest.fixture
def flags(github: FakeGitHub, tmp_path: Path) -> list[str]:
    private, public = key_pair()
    (tmp_path / "app.pem").write_text(private)
    github.app("7", public, "ann", **PERMISSIONS)
    about = ["--app-id", "7", "--app-key-file", str(tmp_path / "app.pem")]
    return [*about, "--yes", "--ops-repo", "ann/ops", "--url", "https://d.example.org"]


def test_the_app_is_checked_and_kept_and_the_bot_works_with_it(
    ann: Person, github: FakeGitHub, flags: list[str], tmp_path: Path
) -> None:
    done = ann.init(*flags)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "the GitHub App 7 (app-7) is installed for ann/data and ann/ops with the permissions it needs" in done.output
    key = (tmp_path / "app.pem").read_text().strip()
    assert key.splitlines()[1] not in done.output
    (tmp_path / "app.pem").unlink()
    settings = load_settings(ann.config, {})
    assert (settings.github.app_id, settings.github.app_private_key) == ("7", key)
    assert settings.github.user == "app-7[bot]"
    assert settings.github.email.endswith("+app-7[bot]@users.noreply.github.com")
    bot_git = Git(settings)
    mirror = Mirror(bot_git, settings.github.repository_url("ann/ops"), tmp_path / "mirror")
    mirror.refresh()
    assert mirror.head()
    bot_git.close()

    github.calls.clear()
    again = ann.init("--yes", owner=False)
    assert again.exit_code == 0, f"{again.output}{again.exception}"
    assert [call for call in github.writes if not call.endswith(("/pings", "/access_tokens"))] == []
    EnvFile(ann.config / ".env").write({"DPPCTL_GITHUB_TOKEN": "of-before"})  # which the app has replaced
    removed = ann.init("--remove", owner=False)
    assert removed.exit_code == 0, f"{removed.output}{removed.exception}"
    assert github.repo("ann/data").hooks == {}


def test_an_app_that_is_not_installed_is_told(ann: Person, github: FakeGitHub, flags: list[str]) -> None:
    github.installations.clear()
    where = f"{github.url}/apps/app-7/installations/new"
    assert f"the GitHub App 7 is not installed for ann/data and ann/ops; do it at {where}, and run again" in str(
        ann.init(*flags).exception
    )
    assert f"is not installed for ann/data; do it at {where}" in str(ann.init(*flags, owner=False).exception)


def test_missing_permissions_are_told(ann: Person, github: FakeGitHub, flags: list[str]) -> None:
    (installation,) = github.installations.values()
    installation[2]["contents"] = "read"
    del installation[2]["statuses"]
    assert "the GitHub App 7 lacks permissions on ann/data: statuses: write; add them" in str(
        ann.init(*flags).exception
    )
    installation[2]["statuses"] = "write"
    assert "the GitHub App 7 lacks permissions on ann/ops: contents: write" in str(ann.init(*flags).exception)


def test_a_key_of_another_app_is_told(ann: Person, github: FakeGitHub, flags: list[str]) -> None:
    github.apps["7"] = key_pair()[1]
    expected = "GitHub does not accept the GitHub App 7: its id and private key do not fit together"
    assert expected in str(ann.init(*flags).exception)
    Path(flags[3]).write_text("no key")
    assert expected in str(ann.init(*flags).exception)
    without = ann.init("--yes", "--app-id", "8", *flags[5:])
    assert "the private key of the GitHub App 8 is kept nowhere; give --app-key-file" in str(without.exception)
    both = ann.init(*flags, "--deploy-key")
    assert "--deploy-key and --app-id: give one of them" in str(both.exception)


def test_permissions_are_compared_by_level() -> None:
    assert missing({"contents": "write"}, {"contents": "read", "statuses": "write"}) == ["statuses: write"]
    assert missing({"contents": "read"}, {"contents": "write"}) == ["contents: write"]
    assert missing({"contents": "admin"}, {"contents": "write"}) == []
