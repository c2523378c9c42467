"""What the fake GitHub knows: accounts, tokens, repositories. Most of it in the form in which it is answered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.forge import Forge, Repository

Json = dict[str, Any]
ROLES = ["read", "write", "admin"]


@dataclass(frozen=True)
class Token:
    """A token of a user's: classic with scopes, fine-grained with permissions; or of an app's installation."""

    value: str
    user: str
    scopes: tuple[str, ...] | None = ("repo",)  # None: it is not a classic one
    permissions: dict[str, str] = field(default_factory=dict)  # such as {"deployments": "write"}
    repositories: frozenset[str] | None = None  # None: all of the user's
    expires: datetime | None = None
    is_installation: bool = False


@dataclass
class Repo:
    """A repository, beside the bare one that git serves."""

    id: int
    full_name: str
    git: Repository
    private: bool = False
    archived: bool = False
    protected: set[str] = field(default_factory=set)  # branches that refuse pushes
    roles: dict[str, str] = field(default_factory=dict)  # login -> one of ROLES
    hooks: dict[int, Json] = field(default_factory=dict)
    secrets: dict[int, str] = field(default_factory=dict)  # the hooks', which are never answered
    deliveries: dict[int, list[Json]] = field(default_factory=dict)  # of each hook, the oldest first
    keys: dict[int, Json] = field(default_factory=dict)
    invitations: dict[int, Json] = field(default_factory=dict)
    deployments: dict[int, Json] = field(default_factory=dict)
    deployment_statuses: dict[int, list[Json]] = field(default_factory=dict)
    commit_statuses: dict[str, list[Json]] = field(default_factory=dict)

    pulls: dict[int, Json] = field(default_factory=dict)  # by number: id, head (a branch), repo (of the head), state
    comments: dict[int, Json] = field(default_factory=dict)  # by id, as answered, and `issue`: the number

    @property
    def owner(self) -> str:
        return self.full_name.split("/")[0]

    @property
    def default_branch(self) -> str:
        return (self.git.bare / "HEAD").read_text().strip().removeprefix("ref: refs/heads/")

    def may(self, login: str, role: str) -> bool:
        mine = "admin" if login == self.owner else self.roles.get(login)
        if mine is None:
            return role == "read" and not self.private
        return ROLES.index(mine) >= ROLES.index(role)

    def pull_request(self, branch: str, fork: int | None = None) -> int:
        """Open a pull request of a branch of its own, or of a fork with this id; return its number."""
        number = 1 + len(self.pulls)
        self.pulls[number] = {"head": branch, "repo": fork or self.id, "state": "open"}
        return number

    def told(self, number: int) -> list[str]:
        """What the comments of a pull request say."""
        return [one["body"] for one in self.comments.values() if one["issue"] == number]

    def shown(self) -> list[tuple[str, str, list[str]]]:
        """What a person sees of the deployments: environment, commit, and their states from first to last."""
        return [
            (one["environment"], one["sha"], [status["state"] for status in self.deployment_statuses[number]])
            for number, one in self.deployments.items()
        ]

    def statuses(self, commit: str) -> dict[str, tuple[str, str]]:
        """What a person sees beside a commit: by context, the last state and its description."""
        return {one["context"]: (one["state"], one["description"]) for one in self.commit_statuses.get(commit, [])}


class State:
    """All of it. Tests set it up by these methods, and read it."""

    def __init__(self, forge: Forge) -> None:
        self.forge = forge
        self.users: dict[str, int] = {}
        self.organizations: dict[str, set[str]] = {}  # login -> those who may create repositories
        self.tokens: dict[str, Token] = {}
        self.repos: dict[str, Repo] = {}  # by lower-case name
        self.renamed: dict[str, str] = {}  # old name -> new one
        self.apps: dict[str, str] = {}  # app id -> its public key, PEM
        self.installations: dict[int, tuple[str, str, dict[str, str]]] = {}  # id -> app id, owner, permissions
        self.token_seconds = 3600  # that an installation's token is good for
        self.ssh_keys: list[str] = []  # its own, for git over ssh (tests/support/github/git_ssh.py)
        self.authorized_keys: Path | None = None  # the deploy keys, for sshd
        self._numbers = count(2**31 + 1)  # as long as GitHub's own: more than 32 bits

    def number(self) -> int:
        """A new id."""
        return next(self._numbers)

    def user(self, login: str, token: str | None = None, **about: Any) -> None:
        """A user, with a token."""
        self.users.setdefault(login, self.number())
        if token:
            self.tokens[token] = Token(token, login, **about)

    def organization(self, login: str, *members: str) -> None:
        """An organization."""
        self.users.setdefault(login, self.number())
        self.organizations[login] = set(members)

    def repository(self, name: str, **roles: str) -> Repo:
        """A new one, empty."""
        self.user(name.split("/")[0])
        repo = Repo(self.number(), name, self.forge.repository(name), roles=roles)
        self.repos[name.lower()] = repo
        return repo

    def rename(self, old: str, new: str) -> None:
        """API and git then answer to the old name with a redirect."""
        repo = self.repos.pop(old.lower())
        self.repos[new.lower()] = repo
        repo.full_name, self.renamed[old.lower()] = new, new
        moved = repo.git.bare.parent.parent / f"{new}.git"
        moved.parent.mkdir(exist_ok=True)
        repo.git.bare = repo.git.bare.rename(moved)
        objects = repo.git.work / ".git" / "objects"  # the clone's, which are those of the bare one
        objects.unlink()
        objects.symlink_to(moved / "objects")

    def app(self, identity: str, public_key: str, owner: str, **permissions: str) -> int:
        """A GitHub App, installed for all repositories of an owner; the installation's id."""
        self.apps[identity] = public_key
        self.user(f"app-{identity}[bot]")
        number = self.number()
        self.installations[number] = (identity, owner, permissions)
        return number

    def visible(self, token: Token) -> Iterator[Repo]:
        """The repositories that a token reaches."""
        for repo in self.repos.values():
            reached = repo.owner == token.user if token.is_installation else repo.may(token.user, "read")
            if reached and (token.repositories is None or repo.full_name in token.repositories):
                yield repo
