"""What a fine-grained token may do: GitHub does not say, so each permission is tried with a call that changes nothing.

A call that writes is about a commit that there is not, which GitHub refuses only after it has looked at the permission:
https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
"""

from collections.abc import Mapping
from typing import Any, Literal

from github import Github, GithubException

from bot.github.errors import explain, lacks_right
from cli.errors import InputError

Role = Literal["app", "ops"]
_NO_COMMIT = "0" * 40
_BRANCHES = ("GET", "branches", None)
_REF = ("POST", "git/refs", {"ref": "refs/heads/dppctl-tries", "sha": _NO_COMMIT})
_DEPLOYMENT = ("POST", "deployments", {"ref": _NO_COMMIT, "auto_merge": False, "required_contexts": []})
_STATUS = ("POST", f"statuses/{_NO_COMMIT}", {"state": "pending", "context": "dppctl-tries"})
# By what GitHub calls them on the token's page; docs/github.md says what each is for.
_TRIALS: Mapping[Role, Mapping[str, tuple[str, str, dict[str, Any] | None]]] = {
    "app": {
        "Contents: read": _BRANCHES,
        "Deployments: read and write": _DEPLOYMENT,
        "Commit statuses: read and write": _STATUS,
    },
    "ops": {"Contents: read and write": _REF},
}


def lacking(github: Github, repositories: Mapping[str, Role]) -> list[str]:
    """Return `OWNER/REPO: Permission, …` for each repository where one is missing. Raises GithubException."""
    found = []
    for repository, role in repositories.items():
        missing = [name for name, trial in _TRIALS[role].items() if not _may(github, repository, *trial)]
        if missing:
            found.append(f"{repository}: {', '.join(missing)}")
    return found


def _may(github: Github, repository: str, verb: str, path: str, body: dict[str, Any] | None) -> bool:
    try:
        github.requester.requestJsonAndCheck(verb, f"/repos/{repository}/{path}", input=body)
    except GithubException as error:
        if lacks_right(error):
            return False
        if error.status in (403, 429):
            raise InputError(str(explain(error, repository, "the token"))) from None
        if error.status not in (409, 422):  # an empty repository; what we tried to make
            raise
    return True
