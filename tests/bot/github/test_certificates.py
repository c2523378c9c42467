"""A GitHub whose certificate is of an authority of one's own: git and the API know it by a setting or the machine's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.errors import DppctlError
from bot.settings import load_settings
from bot.settings.certificates import _BUNDLES
from tests.support.certificates import Authority, make_authority
from tests.support.forge import Forge
from tests.support.github.fake import FakeGitHub, fake_github
from tests.support.needs import needs
from tests.support.stories.github import GitHubStory
from tests.support.stories.person import Person


@pytest.fixture(autouse=True)
def _no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _BUNDLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
@needs("openssl")
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "authority")


@pytest.fixture
@needs("npm")
def enterprise(forge: Forge, authority: Authority) -> Iterator[FakeGitHub]:
    """GitHub with a certificate of that authority."""
    with fake_github(forge, authority.server) as github:
        yield github
        assert github.wrong == []


def works(story: GitHubStory) -> None:
    commit = story.push()
    assert story.store.deployments.newest()[0].commit == commit
    story.succeed()
    story.tell()
    assert len(story.github.repo("ann/app").deployments) == 1


def test_git_and_the_api_know_it_by_the_setting(enterprise: FakeGitHub, authority: Authority, tmp_path: Path) -> None:
    story = GitHubStory(enterprise, tmp_path, GITHUB_CA=str(authority.ca))
    works(story)
    story.close()


@pytest.mark.parametrize("variable", _BUNDLES)
def test_the_machines_own_bundle_is_respected(
    enterprise: FakeGitHub, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.ca))
    story = GitHubStory(enterprise, tmp_path)
    works(story)
    story.close()


def test_a_certificate_that_is_not_believed_is_told_with_the_setting(
    enterprise: FakeGitHub, authority: Authority, tmp_path: Path, warned: list[EventDict]
) -> None:
    story = GitHubStory(enterprise, tmp_path, GITHUB_CA=str(authority.ca))
    story.push()
    story.restart(GITHUB_CA="")
    message = story.reconcile()["ann/app"]
    assert "certificate is not believed" in message
    assert "DPPCTL_GITHUB_CA" in message
    assert "\n" not in message
    story.tell()
    assert "DPPCTL_GITHUB_CA" in str(warned[-1])
    story.close()


def test_init_knows_it(enterprise: FakeGitHub, authority: Authority, tmp_path: Path) -> None:
    ann = Person(enterprise, tmp_path)
    arguments = ("--yes", "--dry-run", "--ops-repo", "ann/ops", "--url", "https://dppctl.example.org")
    failed = ann.init(*arguments, token="its")
    assert isinstance(failed.exception, DppctlError)
    assert "DPPCTL_GITHUB_CA" in str(failed.exception)
    with (ann.config / ".env").open("a") as env:
        env.write(f"DPPCTL_GITHUB_CA={authority.ca}\n")
    done = ann.init(*arguments, token="its")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file or directory"), ("text", "holds no certificate in PEM form")]
)
def test_a_file_that_is_none_is_told_at_the_start(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "ca.crt"
    if content:
        file.write_text(content)
    with pytest.raises(DppctlError, match=rf"^DPPCTL_GITHUB_CA: {file}:? {said} \(set it in the environment or in "):
        load_settings(tmp_path, {"DPPCTL_GITHUB_CA": str(file)}, receives=False)
