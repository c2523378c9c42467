"""What cannot be deployed as the commit holds it is refused: the ops repo never names it."""

import pytest

from tests.support.forge import APP
from tests.support.stories.bot import Story

pytestmark = pytest.mark.slow


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1' * 64}\nsize 12\n"


def test_a_file_that_git_lfs_keeps_is_refused_with_its_path_where_there_is_no_git_lfs(story: Story) -> None:
    good = story.app.push(APP)
    story.reconcile()
    assert story.values("staging").source.commit == good
    story.app.push({"data/a.csv": POINTER})
    story.reconcile()
    last = story.last()
    assert last.state == "refused"
    assert (last.error or "").startswith(
        "data/a.csv: Git LFS keeps this file, and the program git-lfs is not installed"
    )
    assert story.values("staging").source.commit == good
    fixed = story.app.push({"data/a.csv": "a,b\n1,2\n"})
    story.reconcile()
    assert story.values("staging").source.commit == fixed


@pytest.mark.parametrize("url", ["https://elsewhere.example.org/x/y.git", "../missing.git"])
def test_a_submodule_that_cannot_be_had_is_refused_with_its_path(story: Story, url: str) -> None:
    story.app.push({**APP, ".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n'})
    story.app.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    story.app.git("commit", "--quiet", "--message", "a submodule")
    story.app.git("push", "--quiet", "origin", "HEAD:master")
    story.reconcile()
    last = story.last()
    assert last.state == "refused"
    assert (last.error or "").startswith("lib: this folder is a submodule")
