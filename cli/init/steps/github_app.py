"""A GitHub App in place of the machine user: where it is installed, and what it may do there.

https://docs.github.com/en/rest/apps/apps
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from github import Auth, GithubException, GithubIntegration
from github.Installation import Installation
from jwt import InvalidKeyError

from bot.github.credentials import explain_app
from bot.limits import GITHUB_SECONDS
from bot.settings.github import GitHubSettings
from cli.errors import InputError
from cli.init.steps.step import Change

# Which permissions are needed for what: docs/github.md.
_FOR_APP = {"contents": "read", "deployments": "write", "statuses": "write"}
_FOR_OPS = {"contents": "write"}


def missing(granted: Mapping[str, str], needed: Mapping[str, str]) -> list[str]:
    """Return the permissions that are not granted, such as `contents: write`."""
    enough = {"read": ("read", "write", "admin"), "write": ("write", "admin")}
    return [f"{name}: {level}" for name, level in needed.items() if granted.get(name) not in enough[level]]


class NotInstalledError(InputError):
    """The app does not reach a repository, or there is none of this name any more."""


class GitHubApp:
    """GitHub as the app sees it. All calls raise GitHubError for an id and a key that do not fit together."""

    def __init__(self, identity: str, key: str, github: GitHubSettings) -> None:
        """Take the app's id and its private key, PEM."""
        self.identity = identity
        self.key = key
        self._github = github

    def __str__(self) -> str:
        return f"the GitHub App {self.identity}"

    @cached_property
    def slug(self) -> str:
        """Return the app's name in URLs."""
        try:
            return self._integration.get_app().slug
        except (GithubException, InvalidKeyError) as error:
            raise explain_app(error, str(self), str(self)) from None

    def installation(self, repository: str) -> Installation | None:
        """Return the app's installation for OWNER/REPO; None: it is not installed for it."""
        try:
            return self._integration.get_repo_installation(*repository.split("/"))
        except (GithubException, InvalidKeyError) as error:
            if isinstance(error, GithubException) and error.status == 404:
                return None
            raise explain_app(error, repository, str(self)) from None

    def token(self, repository: str, web: str) -> str:
        """Return a token for OWNER/REPO, good for an hour. Raises InputError when the app is not installed for it."""
        installation = self.installation(repository)
        if installation is None:
            raise self.not_installed([repository], web)
        return self._integration.get_access_token(installation.id).token

    def not_installed(self, repositories: Sequence[str], web: str) -> "NotInstalledError":
        """Return the error that says what to do; `web`: GitHub's URL."""
        where = f"{web}/apps/{self.slug}/installations/new"
        return NotInstalledError(
            f"{self} is not installed for {' and '.join(repositories)}; do it at {where}, and run again"
        )

    @cached_property
    def _integration(self) -> GithubIntegration:
        auth = Auth.AppAuth(self.identity, self.key)
        github = self._github
        return GithubIntegration(
            auth=auth, base_url=github.api_url, timeout=GITHUB_SECONDS, retry=None, verify=github.verify
        )


@dataclass(frozen=True)
class AppStep:
    """The app is installed for the repositories, and may do there what the bot does."""

    app: GitHubApp
    deploys: str  # OWNER/REPO of what is deployed; the others are ops repos
    repositories: Sequence[str]
    web: str

    def observe(self) -> Change | str:
        """Ask for the app's installations. Raises InputError: what is missing only a person can add, in the browser."""
        found = {name: each for name in self.repositories if (each := self.app.installation(name))}
        if absent := [name for name in self.repositories if name not in found]:
            raise self.app.not_installed(absent, self.web)
        for name, installation in found.items():
            needed = _FOR_APP if name == self.deploys else _FOR_OPS
            if lacking := missing(installation.permissions, needed):
                raise InputError(
                    f"{self.app} lacks permissions on {name}: {', '.join(lacking)}; add them in the app's settings, "
                    f"Permissions & events, and accept them at {self.web}/apps/{self.app.slug}/installations/new"
                )
        return f"{self.app} ({self.app.slug}) is installed for {' and '.join(found)} with the permissions it needs"
