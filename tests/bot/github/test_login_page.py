"""What answers instead of git's server, such as a login page: nothing is taken for gone, and it is asked again."""

import re
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.forge import APP, git
from tests.support.github.faults import Fault
from tests.support.serving import in_thread
from tests.support.stories.github import GitHubStory

PAGE = "<html><body>Please log in</body></html>"


@dataclass
class LaterFault(Fault):
    """A fault that lets the first calls that match through."""

    before: int = 0

    def takes(self, call: str) -> bool:
        if self.before and re.search(self.calls, call):
            self.before -= 1
            return False
        return super().takes(call)


def with_old_tags(story: GitHubStory) -> None:
    """Register an app that has two tags, at two commits."""
    for name in ("v1.0", "v2.0"):
        story.app.git.push({**APP, "file": name})
        story.app.git.tag(name)
    assert story.reconcile() == {}
    assert [deployment.environment for deployment in story.store.deployments.newest()] == ["staging"]


@pytest.mark.parametrize("page", [PAGE, "", PAGE.replace("><", ">\n<") + "\n", "0000"])
@pytest.mark.parametrize("repository", ["app", "ops"])
def test_a_login_page_is_no_list_of_refs(story: GitHubStory, page: str, repository: str) -> None:
    with_old_tags(story)
    story.github.fail(Fault(200, page), rf"^git /ann/{repository}.git/info/refs", times=1)
    message = story.reconcile()["ann/app"]
    assert message.startswith(f"ann/{repository}: git ls-remote: ")
    assert "login page" in message
    assert "\n" not in message
    for _ in range(2):
        assert story.reconcile() == {}
    assert len(story.store.deployments.newest()) == 1
    assert len(story.ops.git.log()) == 2


@pytest.mark.parametrize("page", [PAGE, ""])
def test_a_login_page_is_nothing_to_fetch(story: GitHubStory, page: str) -> None:
    with_old_tags(story)
    commit = story.app.git.push({"file": "new"})
    fetched = r"^git /ann/app.git/info/refs"
    story.github.fail(LaterFault(200, page, calls=fetched, before=1), fetched, times=1)
    message = story.reconcile()["ann/app"]
    assert message.startswith("ann/app: git fetch: ")
    assert "login page" in message
    folder = story.settings.state_dir / "apps" / "ann+app"
    assert len(git(folder, "for-each-ref").splitlines()) == 3
    assert story.reconcile() == {}
    assert story.last().commit == commit


def test_a_redirect_to_a_login_page_is_tried_again(story: GitHubStory) -> None:
    with_old_tags(story)
    story.github.fail(Fault(302, "", {"Location": "https://login.example.org/"}), r"^git ", times=1)
    assert "login page" in story.reconcile()["ann/app"]
    assert story.reconcile() == {}


def test_a_push_that_a_login_page_answers_is_tried_again(story: GitHubStory) -> None:
    with_old_tags(story)
    commit = story.app.git.push({"file": "new"})
    pages = LaterFault(200, PAGE, calls="^git /ann/ops.git/info/refs", times=1, before=1)
    story.github.fail(pages, "^git /ann/ops.git/info/refs", 1)
    assert story.reconcile() == {}, "git takes it for a branch that moved, so it is looked at and pushed again at once"
    assert story.github.faults[0].times == 0
    assert story.last().commit == commit


def test_files_that_a_web_server_has_are_no_git_server(story: GitHubStory) -> None:
    with_old_tags(story)
    for repository in (story.app.git, story.ops.git):
        git(repository.bare, "update-server-info")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(story.github.forge.folder / "forge"))
    )
    with in_thread(server):
        story.restart(GITHUB_URL=f"http://127.0.0.1:{server.server_port}")
        assert "login page" in story.reconcile()["ann/app"]
    story.restart(GITHUB_URL=story.github.url)
    assert story.reconcile() == {}
    assert len(story.store.deployments.newest()) == 1
