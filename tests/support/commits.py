"""Commits that no ordinary use of git makes."""

import subprocess

from tests.support.forge import Repository, git


def add_submodule(repository: Repository, library: Repository, path: str, url: str, commit: str | None = None) -> str:
    """Commit what `git submodule add` does; that is a script which needs half of a system."""
    said = f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
    (repository.work / ".gitmodules").write_text(said)
    repository.git("add", "--all")
    commit = commit or library.git("rev-parse", "HEAD")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    repository.git("commit", "--quiet", "--message", "a submodule")
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/master")
    return repository.git("rev-parse", "HEAD")


def push_bomb(repository: Repository, depth: int) -> str:
    """Push a commit of 10 ** `depth` files, of a few KB, and return its id."""
    repository.push({"file": ""})
    listing = [f"100644 blob {git(repository.bare, 'rev-parse', 'master:file')}\tf{number}" for number in range(10)]
    for _ in range(depth):
        text = "\n".join(listing) + "\n"
        done = subprocess.run(["git", "mktree"], cwd=repository.bare, input=text, capture_output=True, text=True)
        listing = [f"040000 tree {done.stdout.strip()}\tf{number}" for number in range(10)]
    commit = git(repository.bare, "commit-tree", "-m", "bomb", done.stdout.strip())
    git(repository.bare, "update-ref", "refs/heads/master", commit)
    return commit
