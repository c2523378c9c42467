"""Who may do what in a repository of the fake GitHub, and how it refuses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import request

from tests.support.github.state import Repo, State, Token

# What an operation of a repository needs: a fine-grained permission, the scopes one of which does, and the role.
_NEEDS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "webhook": ("repository_hooks", ("repo", "write:repo_hook", "admin:repo_hook"), "admin"),
    "deploy-key": ("administration", ("repo",), "admin"),
    "collaborator": ("administration", ("repo",), "admin"),
    "invitation": ("administration", ("repo",), "admin"),
    "deployment": ("deployments", ("repo", "repo_deployment"), "write"),
    "commit-status": ("statuses", ("repo", "repo:status"), "write"),
    "pulls": ("pull_requests", ("repo",), "write"),
    "comment": ("pull_requests", ("repo",), "write"),  # of pull requests this does as well as issues
    "content": ("contents", ("repo",), "write"),
    "create-ref": ("contents", ("repo",), "write"),
    "branch": ("contents", ("repo", "public_repo"), "read"),
    "": ("metadata", ("repo", "public_repo", "repo:status", "repo_deployment"), "read"),
}


@dataclass
class Refused(Exception):  # noqa: N818
    """An answer that is an error."""

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)


def reached(github: State, identity: str, token: Token, where: Mapping[str, str]) -> Repo:
    """The repository that an operation is about, for who may do that there. Raises Refused."""
    name = f"{where['owner']}/{where['repo']}"
    if new := github.renamed.get(name.lower()):
        there = github.repos[new.lower()]
        rest = re.sub(r"^.*?/repos/[^/]+/[^/]+", "", request.path)
        base = request.url_root + request.path.lstrip("/").partition("/repos/")[0]
        raise Refused(301, "Moved Permanently", {"Location": f"{base}/repositories/{there.id}{rest}"})
    repo = github.repos.get(name.lower())
    if repo is None or repo not in github.visible(token):
        raise Refused(404, "Not Found")
    is_write = request.method != "GET"
    about = next(kind for kind in _NEEDS if kind in identity)
    permission, scopes, role = _NEEDS[about]
    level = "write" if is_write else "read"
    if token.scopes is not None and not (about == "" and not repo.private):  # a public one needs no scope to be seen
        if not set(scopes) & set(token.scopes):
            raise Refused(404, "Not Found", {"X-Accepted-OAuth-Scopes": ", ".join(scopes)})
    elif permission != "metadata" and token.permissions.get(permission) not in (level, "write"):
        kind = "integration" if token.is_installation else "personal access token"
        needed = {"X-Accepted-GitHub-Permissions": f"{permission}={level}"}
        raise Refused(403, f"Resource not accessible by {kind}", needed)
    if not token.is_installation and not repo.may(token.user, role if is_write or role == "admin" else "read"):
        raise Refused(*((403, "Must have admin rights to Repository.") if role == "admin" else (404, "Not Found")))
    if is_write and repo.archived:
        raise Refused(403, "Repository was archived so is read-only.")
    return repo
