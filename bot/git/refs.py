"""The branches and tags of an open repository: which can be deployed, and why others cannot.

Of very many only the newest are looked at, by the dates of their commits, or of tags that are objects.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from bot.errors import DppctlError
from bot.git.budget import LookBudget
from bot.git.command import Git
from bot.git.errors import GitError
from bot.git.objects import ObjectReader
from bot.limits import MAX_REF_BYTES, MAX_REFS
from bot.model.decisions import Ref
from bot.model.names import ref_problem

_CREATED = re.compile(rb"^(?:committer|tagger) .*> (\d+) [+-]\d+$", re.MULTILINE)
_DEFAULT = re.compile(r"^ref: (refs/heads/\S+)\tHEAD$", re.MULTILINE)


class RefObject(NamedTuple):
    """What a branch or tag names: the object's kind, when it was made (unix time), whether it is too large to read."""

    kind: str
    created: int
    is_large: bool


class RefReader:
    """Reads the refs that a listing names. All properties raise GitError when git fails."""

    def __init__(self, git: Git, folder: Path, objects: ObjectReader, listing: str, budget: LookBudget) -> None:
        """Take where git is run, and the branches and tags as `git ls-remote` listed them."""
        self._git = git
        self._folder = folder
        self._objects = objects
        self._listing = listing
        self._budget = budget

    @property
    def usable(self) -> dict[Ref, int]:
        """Return the branches and tags that can be deployed, and when each was made (unix time)."""
        return self._told_apart[0]

    @property
    def left_out(self) -> dict[str, str]:
        """Return the other branches and tags, by their full names: why they cannot be deployed."""
        return self._told_apart[1]

    @property
    def old_tags(self) -> dict[str, str]:
        """Return the commits of the tags that are left out because others are newer, by their full names."""
        return {name: commit for name, (_, commit) in self._old.items() if name.startswith("refs/tags/")}

    @cached_property
    def _named(self) -> dict[str, tuple[str, str]]:
        """Return by full names the id of what each names, and of what a tag that is an object names in the end."""
        lines = (line.partition("\t") for line in self._listing.split("\n"))
        named = {name: identity for identity, _, name in lines if name.startswith(("refs/heads/", "refs/tags/"))}
        return {
            name: (identity, named.get(f"{name}^{{}}", identity))
            for name, identity in named.items()
            if not name.endswith("^{}")
        }

    @cached_property
    def _old(self) -> dict[str, tuple[str, str]]:
        """Return those of `_named` that are too many: neither the default branch nor among the newest MAX_REFS."""
        if len(self._named) <= MAX_REFS:
            return {}
        newest = ("--sort=-creatordate", f"--count={MAX_REFS}", "--format=%(refname)")
        found = self._git.run(self._folder, "for-each-ref", *newest, "refs/heads", "refs/tags")
        kept = {*found.decode(errors="replace").splitlines(), *_DEFAULT.findall(self._listing)}
        return {name: ids for name, ids in self._named.items() if name not in kept}

    @cached_property
    def _told_apart(self) -> tuple[dict[Ref, int], dict[str, str]]:
        """Tell what can be deployed from what names no commit, or has a name that `bot.model.names` does not accept."""
        old = (
            f"there are {len(self._named):,} branches and tags, and only the newest {MAX_REFS:,} are looked at; "
            "delete old ones, or push a new commit"
        )
        left_out = dict.fromkeys(self._old, old)
        left_out |= {name: problem for name in self._named if name not in left_out and (problem := ref_problem(name))}
        named = {name: ids for name, ids in self._named.items() if name not in left_out}
        objects, error = self._read([identity for ids in named.values() for identity in ids])
        found = {}
        for name, (identity, commit) in named.items():
            if identity not in objects or commit not in objects:
                left_out[name] = str(error)
            elif problem := _problem(objects[identity], objects[commit]):
                left_out[name] = problem
            else:
                found[Ref(name, commit)] = objects[identity].created
        return found, left_out

    def _read(self, identities: Iterable[str]) -> tuple[dict[str, RefObject], DppctlError | None]:
        """Return commits and tags by their ids, and why the others are not read."""
        found: dict[str, RefObject] = {}
        unique = list(dict.fromkeys(identities))
        objects = self._objects.get_each(unique, MAX_REF_BYTES, self._budget)
        try:
            for identity, entry in zip(unique, objects, strict=True):
                header = (entry.content or b"").partition(b"\n\n")[0]
                created = _CREATED.search(header) if entry.kind in ("commit", "tag") else None
                found[identity] = RefObject(entry.kind, int(created[1]) if created else 0, entry.content is None)
        except GitError:
            raise
        except DppctlError as error:
            return found, error
        return found, None


def _problem(entry: RefObject, commit: RefObject) -> str | None:
    """Return why a branch or tag cannot be deployed: `entry` is what it names, `commit` what that leads to."""
    if commit.kind != "commit":
        return f"it names a {commit.kind}, and only a commit can be deployed"
    return f"its message has more than {MAX_REF_BYTES // 1024} KB" if entry.is_large else None
