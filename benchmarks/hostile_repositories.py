"""Repositories that are made to be too much for whoever looks at them."""

import subprocess
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO

from tests.support.forge import git

SPEC = "one: {pipeline: [{run: load_resource}]}\n"
CONFIG = """\
continuousDeployment:
- appRepoPath: ann/%s
  opsRepoPath: ann/ops
  actions: [{branch: master, environment: %s}]
"""
_PRIME = 2**61 - 1  # https://docs.python.org/3/library/stdtypes.html#hashing-of-numeric-types


class Importer:
    """Writes commits into a new bare repository, by `git fast-import`."""

    def __init__(self, bare: Path) -> None:
        """Make the repository."""
        bare.mkdir(parents=True)
        git(bare, "init", "--quiet", "--bare", "--initial-branch=master")
        self.bare = bare
        self._process = subprocess.Popen(["git", "fast-import", "--quiet", "--force"], cwd=bare, stdin=subprocess.PIPE)
        assert self._process.stdin
        self._stream: IO[bytes] = self._process.stdin
        self._mark = 0

    def blob(self, content: bytes) -> str:
        """Write a file's content, and return its mark."""
        self._mark += 1
        self._stream.write(b"blob\nmark :%d\n" % self._mark + _data(content))
        return f":{self._mark}"

    def commit(self, ref: str, files: Iterable[tuple[str, str]], seconds: int = 0) -> None:
        """Write a commit, without history, of files by path and mark."""
        head = f"commit {ref}\ncommitter ann <a@example.org> {1_800_000_000 + seconds} +0000\n"
        changes = "deleteall\n" + "".join(f"M 100644 {mark} {path}\n" for path, mark in files)
        self._stream.write(head.encode() + _data(b"start") + changes.encode())

    def tag(self, name: str, message: bytes) -> None:
        """Write a tag of master."""
        head = f"tag {name}\nfrom refs/heads/master\ntagger ann <a@example.org> 1800000000 +0000\n"
        self._stream.write(head.encode() + _data(message))

    def close(self) -> None:
        """Wait for the end of git."""
        self._stream.close()
        if self._process.wait():
            raise RuntimeError("git fast-import failed")


def write_app(importer: Importer, name: str, more: dict[str, bytes] | None = None) -> list[tuple[str, str]]:
    """Write the files of an app that is deployed to an environment of its own name; return them by path and mark."""
    files = {".dppctl.yaml": (CONFIG % (name, name)).encode(), "pipeline-spec.yaml": SPEC.encode(), **(more or {})}
    return [(path, importer.blob(content)) for path, content in files.items()]


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _one_spec(importer: Importer) -> None:
    mark = importer.blob(f"one: {{pipeline: [{', '.join(['{run: a}'] * 490_000)}]}}".encode())
    files = [(f"folder{number}/pipeline-spec.yaml", mark) for number in range(400)]
    importer.commit("refs/heads/master", [*write_app(importer, "bad"), *files])


def _long_spec(importer: Importer) -> None:
    mark = importer.blob(f"one: {{title: '{'x' * 4_900_000}'}}".encode())
    files = [(f"folder{number}/pipeline-spec.yaml", mark) for number in range(400)]
    importer.commit("refs/heads/master", [*write_app(importer, "bad"), *files])


def _bomb(depth: int, importer: Importer) -> None:
    """Write folders of ten folders each, which are all the same one."""
    importer.commit("refs/heads/master", write_app(importer, "bad"))
    importer.close()
    blob = git(importer.bare, "rev-parse", "master:pipeline-spec.yaml")
    listing = [f"100644 blob {blob}\tf{number}" for number in range(10)]
    for _ in range(depth - 1):
        tree = _make_tree(importer.bare, listing)
        listing = [f"040000 tree {tree}\tf{number}" for number in range(10)]
    tree = _make_tree(importer.bare, [*listing, git(importer.bare, "ls-tree", "master")])
    commit = git(importer.bare, "commit-tree", "-m", "bomb", tree)
    git(importer.bare, "update-ref", "refs/heads/master", commit)


def _make_tree(bare: Path, listing: Iterable[str]) -> str:
    text = "\n".join(listing) + "\n"
    done = subprocess.run(["git", "mktree"], cwd=bare, input=text, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _wide(importer: Importer) -> None:
    """Write a folder that `git fast-import` would take an hour for."""
    importer.commit("refs/heads/master", write_app(importer, "bad"))
    importer.close()
    blob = git(importer.bare, "rev-parse", "master:pipeline-spec.yaml")
    files = (f"100644 blob {blob}\tfile{number}" for number in range(1_000_000))
    tree = _make_tree(importer.bare, [*files, git(importer.bare, "ls-tree", "master")])
    commit = git(importer.bare, "commit-tree", "-m", "wide", tree)
    git(importer.bare, "update-ref", "refs/heads/master", commit)


def _branches(importer: Importer) -> None:
    files = write_app(importer, "bad")
    importer.commit("refs/heads/master", files)
    for number in range(20_000):
        if number < 200:
            text = (CONFIG % ("bad", "bad")).encode()
            config = importer.blob(text + b"# %d " % number + b"x" * (65_000 - len(text)))
        importer.commit(f"refs/heads/branch{number}", [(".dppctl.yaml", config), files[1]], number)


def _file(name: str, content: str, importer: Importer) -> None:
    importer.commit("refs/heads/master", write_app(importer, "bad", {name: content.encode()}))


def _patterns(importer: Importer) -> None:
    ignored = "\n".join(f"*{number}*x*" for number in range(100_000)).encode()
    mark = importer.blob(SPEC.encode())
    files = [(f"some/folder{number}/pipeline-spec.yaml", mark) for number in range(50)]
    importer.commit("refs/heads/master", [*write_app(importer, "bad", {".dpp_spec_ignore": ignored}), *files])


def _large(importer: Importer) -> None:
    _file(".dppctl.yaml", "# x" * 100_000_000, importer)


def _tags(importer: Importer) -> None:
    importer.commit("refs/heads/master", write_app(importer, "bad"))
    for number in range(1_000):
        importer.tag(f"v{number}", b"%d" % number * 300_000)


def _keys(importer: Importer) -> None:
    keys = ", ".join(f"{_PRIME * number}: " for number in range(170_000))
    _file("pipeline-spec.yaml", f"one: {{{keys}}}", importer)


HOSTILE: dict[str, Callable[[Importer], None]] = {
    "a spec of 4.9 MB, 980,000 values, in 400 folders": _one_spec,
    "a spec of 4.9 MB, one long text, in 400 folders": _long_spec,
    "10^7 paths": partial(_bomb, 7),
    "10^10 paths": partial(_bomb, 10),
    "1,000,000 files in one folder": _wide,
    "20,000 branches with 64 KB of `.dppctl.yaml`": _branches,
    "a number to base 60 in `.dppctl.yaml`, 60 KB": partial(_file, ".dppctl.yaml", f"gcloudX: 1{':1' * 30_000}"),
    "a number to base 60 in a spec, 4.9 MB": partial(_file, "pipeline-spec.yaml", f"one: {{x: 1{':1' * 2_450_000}}}"),
    "whole numbers of one hash as keys": _keys,
    "2,400,000 values in a spec": partial(_file, "pipeline-spec.yaml", f"one: [{'a,' * 2_400_000}]"),
    "100,000 patterns in `.dpp_spec_ignore`, 51 specs": _patterns,
    "1,000 tags with messages of 300 KB or more": _tags,
    "a `.dppctl.yaml` of 300 MB": _large,
}
