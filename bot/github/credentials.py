"""Credentials for GitHub: the machine user's token, or tokens that a GitHub App gets for an hour each.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.errors import DppctlError
from bot.github.call_limit import CallLimit
from bot.settings import Settings

if TYPE_CHECKING:
    from github import GithubIntegration

_EARLY = timedelta(minutes=5)  # before a token's end another one is got


class Credentials:
    """Give the token for a repository. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._integration: GithubIntegration | None = None
        self.limit = CallLimit(settings.github.calls_an_hour)  # of all that goes to GitHub by these credentials
        self._tokens: dict[str, tuple[str, datetime]] = {}  # by owner, with its end

    @property
    def is_app(self) -> bool:
        """Tell whether tokens change from time to time."""
        return bool(self._settings.github.app_id)

    @property
    def name(self) -> str:
        """Return what messages call the token or the app."""
        app = self._settings.github.app_id
        return f"the GitHub App {app} (DPPCTL_GITHUB_APP_ID)" if app else "the token in DPPCTL_GITHUB_TOKEN"

    def forget(self, repository: str) -> None:
        """Get another token next time, if it is an app's: GitHub did not accept this one."""
        with self._lock:
            self._tokens.pop(repository.split("/")[0].lower(), None)

    def token(self, repository: str) -> str:
        """Return the token for OWNER/REPO, "" when none is set. Raises GitHubError when the app gets none."""
        if not self.is_app:
            return self._settings.github.token.get_secret_value()
        owner = repository.split("/")[0].lower()
        with self._lock:
            token, end = self._tokens.get(owner, ("", datetime.min.replace(tzinfo=UTC)))
            if end < datetime.now(UTC) + _EARLY:
                token, end = self._tokens[owner] = self._new(repository)
            return token

    def _new(self, repository: str) -> tuple[str, datetime]:
        # Here, as it takes a third of a second and most who run git need it not.
        import requests
        from github import GithubException
        from jwt import InvalidKeyError

        try:
            integration = self._integration = self._integration or self._make()
            installation = integration.get_repo_installation(*repository.split("/"))
            given = integration.get_access_token(installation.id)
        except (GithubException, requests.RequestException, InvalidKeyError) as error:
            raise explain_app(error, repository, self.name) from None
        return given.token, given.expires_at

    def _make(self) -> "GithubIntegration":
        from github import Auth, GithubIntegration

        from bot.limits import GITHUB_SECONDS

        auth = Auth.AppAuth(self._settings.github.app_id, self._settings.github.app_private_key)
        github = self._settings.github
        return GithubIntegration(
            auth=auth, base_url=github.api_url, timeout=GITHUB_SECONDS, retry=None, verify=github.verify
        )


def explain_app(error: Exception, repository: str, who: str) -> DppctlError:
    """Explain why an app gets nothing, or no token, for a repository; `who`: what messages call the app."""
    from github import GithubException
    from jwt import InvalidKeyError

    from bot.github.errors import GitHubRefusedError, explain

    status = error.status if isinstance(error, GithubException) else 0
    if status == 404:
        return GitHubRefusedError(f"{repository}: {who} is not installed there", "repository", status=404)
    if status == 401 or isinstance(error, InvalidKeyError):
        return GitHubRefusedError(
            f"GitHub does not accept {who}: its id and private key do not fit together", "all", status=status
        )
    return explain(error, repository, who)
