"""Errors of GitHub's API, each as one line that says what to do; decided from the answer alone."""

import logging
import re
import time
from collections.abc import Mapping
from typing import Literal

import requests
from github import GithubException

from bot.errors import DppctlError, PermanentError, TransientError
from bot.limits import GITHUB_LIMITED_SECONDS, GITHUB_SECONDS

# PyGithub prints its own lines, past ours: https://github.com/PyGithub/PyGithub/blob/main/github/__init__.py
logging.getLogger("github").setLevel(logging.WARNING)

Scope = Literal["all", "repository", "call"]
_URL = re.compile(r"url=(https://\S+)")


class GitHubError(DppctlError):
    """GitHub refused or could not be reached."""

    def __init__(self, message: str, scope: Scope, wait: float = 0.0, status: int = 0) -> None:
        """`scope`: what else will fail for this reason; wait: seconds to leave GitHub alone; status: HTTP's, or 0."""
        super().__init__(message)
        self.scope = scope
        self.wait = wait
        self.status = status


class GitHubAwayError(GitHubError, TransientError):
    """GitHub cannot be reached, has a problem of its own, or takes no calls for a while."""


class GitHubRefusedError(GitHubError, PermanentError):
    """GitHub refuses the call, and will until a person changes something."""


def explain(error: Exception, repository: str, who: str, expired: str | None = None) -> GitHubError:
    """Explain an exception of PyGithub's; `who` asked; `expired`: when the token did so, as far as is known."""
    if isinstance(error, GithubException):
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        said = error.data.get("message") if isinstance(error.data, dict) else None
        return _explain(error.status, headers, str(said or error.message or ""), repository, who, expired)
    if isinstance(error, requests.Timeout):
        return GitHubAwayError(f"GitHub did not answer within {GITHUB_SECONDS} seconds", "all")
    if isinstance(error, requests.exceptions.SSLError):
        message = "GitHub's certificate is not believed, or there is no TLS; if it is of an authority of your own, "
        return GitHubRefusedError(f"{message}DPPCTL_GITHUB_CA is to name that one's certificate, a file (PEM)", "all")
    if isinstance(error, requests.RequestException):
        host = error.request.url.split("/")[2] if error.request and error.request.url else "GitHub"
        return GitHubAwayError(f"{host} cannot be reached ({type(error).__name__}); is there a network?", "all")
    return GitHubRefusedError(f"{repository}: {str(error) or type(error).__name__}", "repository")


def lacks_right(error: GithubException) -> bool:
    """Tell whether a refusal means a right that is missing, and not too many calls, single sign-on or an archive."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = str((error.data.get("message") if isinstance(error.data, dict) else None) or error.message or "")
    is_other = _limited(error.status, headers, said) or _URL.search(headers.get("x-github-sso", ""))
    return error.status in (403, 404) and not is_other and "archived" not in said


def _explain(
    status: int, headers: Mapping[str, str], said: str, repository: str, who: str, expired: str | None
) -> GitHubError:
    def refused(message: str, scope: Scope = "repository") -> GitHubError:
        return GitHubRefusedError(message, scope, status=status)

    def away(message: str, wait: float = 0.0) -> GitHubError:
        return GitHubAwayError(message, "all", wait, status)

    if status == 401:
        how = f"expired on {expired}" if expired else "is wrong, expired or revoked"
        return refused(f"GitHub does not accept {who} ({said}): it {how}; put a new one there", "all")
    if status >= 500:
        return away(f"GitHub has a problem of its own ({status} {said}); see https://www.githubstatus.com")
    if wait := _limited(status, headers, said):
        return away(f"GitHub takes no more calls for {wait:.0f} seconds ({said})", wait)
    if status in (403, 404):
        return refused(f"{repository}{_forbidden(status, headers, said, repository, who)}")
    return refused(f"{repository}: GitHub refuses it ({status}): {said}", "call")


def _forbidden(status: int, headers: Mapping[str, str], said: str, repository: str, who: str) -> str:
    if url := _URL.search(headers.get("x-github-sso", "")):
        owner = repository.split("/")[0]
        return f": {owner} wants {who} to be authorized for its single sign-on: open {url[1]}"
    if "archived" in said:
        return " is archived, so nothing can be shown there; unarchive it or take it out of apps.yaml"
    if needed := headers.get("x-accepted-github-permissions"):
        permissions = " or ".join(part.strip() for part in needed.split(";"))
        shown = permissions.replace("=", ": ").replace("repository_hooks", "webhooks")  # as the token's page calls it
        return f": {who} lacks a permission: {shown}"
    if needed := headers.get("x-accepted-oauth-scopes"):
        return f": {who} lacks a scope, one of: {needed}"
    if status == 404:
        return f": GitHub knows no such repository, or {who} does not reach it"
    return f": GitHub forbids it: {said}"


def _limited(status: int, headers: Mapping[str, str], said: str) -> float:
    """Return the seconds until GitHub takes calls again, when it says that there were too many; else 0."""
    if status not in (403, 429):
        return 0.0
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdigit():
        return max(1.0, float(after))
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(1.0, float(reset) - time.time())
    return GITHUB_LIMITED_SECONDS if status == 429 or "rate limit" in said.lower() else 0.0
