"""What GitHub's API says of a person, asked with the person's own token."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import requests

from bot.accounts import AccountsAwayError
from bot.errors import DppctlError
from bot.model.account import Permission
from bot.model.names import RepoPath
from cluster.auth.limits import MAX_GROUPS, MAX_PERMISSIONS, PERMISSION_SECONDS, PROVIDER_SECONDS
from cluster.auth.options import GitHubAddresses
from cluster.proxy.tokens import hash_of

_A_PAGE = 100  # the most that GitHub gives


@dataclass(frozen=True)
class GitHubAccount:
    """Who somebody is at GitHub."""

    id: int  # which stays when the login changes
    login: str
    organizations: tuple[str, ...]


def read_account(place: GitHubAddresses, token: str, *, with_groups: bool) -> GitHubAccount:
    """Return whose token it is; `with_groups`: with organisations, which need the scope read:org.

    https://docs.github.com/en/rest/users/users#get-the-authenticated-user,
    https://docs.github.com/en/rest/orgs/orgs#list-organizations-for-the-authenticated-user. Raises RequestException,
    and ValueError or KeyError for what is no such answer.
    """
    answer = _get(place, "/user", token)
    answer.raise_for_status()
    user = answer.json()
    if not isinstance(user, dict) or not isinstance(user.get("id"), int) or not isinstance(user.get("login"), str):
        raise ValueError("no user")
    organizations: list[str] = []
    while with_groups and len(organizations) < MAX_GROUPS:
        page = len(organizations) // _A_PAGE + 1
        answer = _get(place, f"/user/orgs?per_page={_A_PAGE}&page={page}", token)
        answer.raise_for_status()
        found = [str(each["login"]) for each in answer.json()]
        organizations += found
        if len(found) < _A_PAGE:
            break
    return GitHubAccount(user["id"], user["login"], tuple(organizations))


class RepositoryRights:
    """Who may write to which repository: asked of GitHub, and remembered for five minutes, a refusal too."""

    def __init__(self, place: GitHubAddresses, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask GitHub there."""
        self._place, self._clock, self._lock = place, clock, Lock()
        self._known: OrderedDict[tuple[str, str], tuple[float, Permission]] = OrderedDict()

    def may_write(self, login: str, token: str, app: str) -> Permission:
        """Return whether a token's person may write to an app's repository. Raises AccountsAwayError.

        https://docs.github.com/en/rest/repos/repos#get-a-repository
        """
        try:
            repository = RepoPath.parse(app).repository
        except DppctlError as error:
            return Permission(False, str(error))
        key = hash_of(token), repository.casefold()
        with self._lock:
            until, known = self._known.get(key, (0.0, None))
        if known and until > self._clock():
            return known
        permission = self._ask(login, token, repository)
        with self._lock:
            self._known[key] = self._clock() + PERMISSION_SECONDS, permission
            self._known.move_to_end(key)
            if len(self._known) > MAX_PERMISSIONS:
                self._known.popitem(last=False)
        return permission

    def _ask(self, login: str, token: str, repository: str) -> Permission:
        try:
            answer = _get(self._place, f"/repos/{repository}", token)
            status, limited = answer.status_code, "Retry-After" in answer.headers
            limited = limited or answer.headers.get("X-RateLimit-Remaining") == "0"
            found = answer.json() if status == 200 else {}
        except (requests.RequestException, ValueError) as error:
            raise AccountsAwayError(f"GitHub does not answer ({type(error).__name__}); try again later") from None
        if status >= 500 or status == 429 or (status == 403 and limited):
            raise AccountsAwayError(
                f"GitHub does not say now who may write to {repository} ({status}); try again later"
            )
        if status == 401:
            return Permission(False, f"GitHub does not know {login}'s login any more; log in again")
        if status in (301, 302, 307, 308):
            return Permission(False, f"{repository} has another name by now; correct apps.yaml")
        permissions = found.get("permissions") if isinstance(found, dict) else None
        if isinstance(permissions, dict) and permissions.get("push") is True:
            return Permission(True, f"{login} may write to {repository}")
        if status == 200:
            return Permission(False, f"{login} may not write to {repository}")
        why = f"GitHub shows {login} no {repository} ({status}); mayDeploy in apps.yaml can name who may"
        return Permission(False, why)


def _get(place: GitHubAddresses, path: str, token: str) -> requests.Response:
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "dppctl",
    }
    return requests.get(
        f"{place.api_url}{path}", headers=headers, timeout=PROVIDER_SECONDS, verify=place.verify, allow_redirects=False
    )
