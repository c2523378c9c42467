"""Calls of GitHub's REST API by PyGithub: all of the bot's go through here, are counted, and their errors explained.

Nothing waits or tries again in here, so that the one thread that calls can be stopped: the notifier knows when. Only
the second that GitHub asks for between two calls that create something is left to PyGithub.
"""

from datetime import UTC, datetime
from typing import Any

import requests
from github import Auth, Github, GithubException

from bot import limits
from bot.github.credentials import Credentials
from bot.github.errors import GitHubError, explain
from bot.logs import get_logger
from bot.settings import Settings

_log = get_logger("dppctl.github")
_EXPIRY = "github-authentication-token-expiration"


class Client:
    """Calls GitHub for one thread."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._settings = settings
        self._credentials = credentials
        self._githubs: dict[str, tuple[str, Github]] = {}  # by owner, with the token that it uses
        self._names: dict[str, str] = {}  # by the name in apps.yaml, what the repository is called now
        self._renamed: set[str] = set()  # those of which that was said
        self._expires: str | None = None
        self.calls = self.errors = 0  # for /metrics

    def get(self, repository: str, path: str, **query: str) -> Any:
        """Return what there is at a path of a repository, as JSON. Raises GitHubError."""
        return self._call("GET", repository, f"/repos/{self._name(repository)}/{path}", query, None)

    def post(self, repository: str, path: str, body: dict[str, Any]) -> Any:
        """Create something at a path of a repository; return it as JSON. Raises GitHubError."""
        return self._call("POST", repository, f"/repos/{self._name(repository)}/{path}", {}, body)

    def patch(self, repository: str, path: str, body: dict[str, Any]) -> Any:
        """Change something at a path of a repository; return it as JSON. Raises GitHubError."""
        return self._call("PATCH", repository, f"/repos/{self._name(repository)}/{path}", {}, body)

    def _name(self, repository: str) -> str:
        """Return what it is called now: looked up once, by a call that GitHub redirects when it was renamed."""
        if repository not in self._names:
            found = self._call("GET", repository, f"/repos/{repository}", {}, None)
            name = str(found["full_name"])
            if name.lower() != repository.lower() and repository not in self._renamed:
                self._renamed.add(repository)
                _log.warning("renamed: correct apps.yaml and .dppctl.yaml", repository=repository, now=name)
            if found["archived"]:
                raise explain(GithubException(403, {"message": "archived"}), repository, self._credentials.name)
            self._names[repository] = name
        return self._names[repository]

    def _call(self, verb: str, repository: str, path: str, query: dict[str, str], body: dict[str, Any] | None) -> Any:
        try:
            requester = self._github(repository).requester
            self.calls += 1
            self._credentials.limit.note()
            headers, answer = requester.requestJsonAndCheck(verb, path, parameters=query, input=body)
        except GitHubError:
            self.errors += 1
            raise
        except (GithubException, requests.RequestException, RuntimeError, AssertionError) as error:
            self.errors += 1
            failure = explain(error, repository, self._credentials.name, self._expired())
            if failure.status == 401:
                self._credentials.forget(repository)
            if failure.status == 404:
                self._names.pop(repository, None)  # it may have been renamed meanwhile
            raise failure from None
        self._expires = headers.get(_EXPIRY)
        return answer

    def _github(self, repository: str) -> Github:
        owner = repository.split("/")[0].lower()
        token = self._credentials.token(repository)
        if owner not in self._githubs or self._githubs[owner][0] != token:
            self._githubs[owner] = (
                token,
                Github(
                    auth=Auth.Token(token),
                    base_url=self._settings.github.api_url,
                    timeout=limits.GITHUB_SECONDS,
                    verify=self._settings.github.verify,
                    retry=None,
                    seconds_between_requests=None,  # they come one after the other; more GitHub does not ask for
                    seconds_between_writes=limits.GITHUB_WRITE_SECONDS,
                ),
            )
        return self._githubs[owner][1]

    def _expired(self) -> str | None:
        """Return when the token expired, if GitHub said before when it would."""
        try:
            end = datetime.strptime(self._expires or "", "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)
        except ValueError:
            return None
        return f"{end:%Y-%m-%d %H:%M} UTC" if end < datetime.now(UTC) else None
