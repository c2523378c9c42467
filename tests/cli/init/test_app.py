"""What `dppctl init` finds in a folder."""

from pathlib import Path

import pytest

from bot.git.command import Git
from bot.model.names import RepoPath
from bot.settings import load_settings
from cli.errors import InputError
from cli.init.app import find_app, repository_of
from tests.support.forge import APP, Forge, git


@pytest.fixture
def bot_git(tmp_path: Path) -> Git:
    return Git(load_settings(tmp_path, {}, receives=False), searches=True)


def test_a_clones_folder_is_known_by_its_remote_branch_and_files(tmp_path: Path, bot_git: Git) -> None:
    app = Forge(tmp_path).repository("ann/data")
    app.push({**{f"sub/{name}": text for name, text in APP.items()}, "sub/Dockerfile": "FROM scratch\n"})
    (app.work / ".gitignore").write_text("ignored\n")
    (app.work / "sub" / "ignored").mkdir()
    (app.work / "sub" / "ignored" / "pipeline-spec.yaml").write_text("")
    found = find_app(bot_git, app.work / "sub")
    assert (found.path, found.branch) == (RepoPath("ann/data", "sub"), "master")
    assert (found.specs, found.has_dockerfile) == (("pipeline-spec.yaml",), True)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/ann/data.git",
        "https://ann:token@github.com/ann/data",
        "git@github.com:ann/data.git",
        "ssh://git@github.com/ann/data.git",
        "https://git.example.org:8443/ann/data/",
        "file:///srv/git/ann/data.git",
        "/srv/git/ann/data.git",
    ],
)
def test_a_remotes_url_names_the_repository(url: str) -> None:
    assert repository_of(url) == "ann/data"


@pytest.mark.parametrize("url", ["", "data", "https://github.com/data", "../data"])
def test_another_url_does_not(url: str) -> None:
    assert repository_of(url) is None


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path, bot_git: Git) -> None:
    with pytest.raises(InputError, match="is in no git repository; clone the app's, or run git init first"):
        find_app(bot_git, tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    with pytest.raises(InputError, match=r"no remote `origin`; add it .* or name it with --repo OWNER/REPO"):
        find_app(bot_git, tmp_path)
    assert find_app(bot_git, tmp_path, "ann/data").branch == "main"
    with pytest.raises(InputError, match=r"'data' is not of the form OWNER/REPO.*; name the repository with --repo"):
        find_app(bot_git, tmp_path, "data")
