"""The branches and tags of an open repository: which can be deployed, and why others cannot.

Of very many only the newest are looked at, by the dates of their commits, or of tags that are objects.
"""

import re
from functools import cached_property
from pathlib import Path

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
        found, left_out = {}, dict.fromkeys(self._old, old)
        for name, (identity, commit) in self._named.items():
            if name in left_out:
                continue
            problem = ref_problem(name)
            if not problem:
                try:
                    created, problem = self._look_at(identity, commit)
                except GitError:
                    raise
                except DppctlError as error:
                    problem = str(error)
            if problem:
                left_out[name] = problem
            else:
                found[Ref(name, commit)] = created
        return found, left_out

    def _look_at(self, identity: str, commit: str) -> tuple[int, str | None]:
        """Return when a branch or tag was made, and why it cannot be deployed."""
        entry = self._objects.get(identity, MAX_REF_BYTES, self._budget)
        kind = self._objects.get(commit, MAX_REF_BYTES, self._budget).kind if entry.kind == "tag" else entry.kind
        if kind != "commit":
            return 0, f"it names a {kind}, and only a commit can be deployed"
        if entry.content is None:
            return 0, f"its message has more than {MAX_REF_BYTES // 1024} KB"
        created = _CREATED.search(entry.content.partition(b"\n\n")[0])
        return int(created[1]) if created else 0, None
