"""How GitHub fails: each is an answer that it gives, as its documentation and people's reports have it."""

import re
from dataclasses import dataclass, field, replace

SSO_URL = "https://github.com/orgs/acme/sso?authorization_request=A1B2"
DOCS = "https://docs.github.com/rest"


@dataclass
class Fault:
    """Answers instead of GitHub, for calls that match, so many times."""

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)
    calls: str = ""  # a pattern for `METHOD /path`
    times: int = 10**9
    seconds: float = 0.0  # it answers so late

    def takes(self, call: str) -> bool:
        """Is this call one? Then it is counted."""
        if self.times <= 0 or not re.search(self.calls, call):
            return False
        self.times -= 1
        return True

    def only(self, calls: str = "", times: int = 10**9) -> "Fault":
        return replace(self, calls=calls, times=times)


UNAUTHORIZED = Fault(401, "Bad credentials")
# https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
FORBIDDEN = Fault(
    403,
    "Resource not accessible by personal access token",
    {"X-Accepted-GitHub-Permissions": "deployments=write"},
)
# https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
SSO = Fault(
    403,
    "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this "
    "organization.",
    {"X-GitHub-SSO": f"required; url={SSO_URL}"},
)
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
SECONDARY = Fault(
    403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    {"Retry-After": "1"},
)  # fmt: skip
TOO_MANY = replace(SECONDARY, status=429)
PRIMARY = Fault(403, "API rate limit exceeded for user ID 1.", {"X-RateLimit-Remaining": "0"})
NOT_FOUND = Fault(404, "Not Found")
ARCHIVED = Fault(403, "Repository was archived so is read-only.")
BROKEN = Fault(502, "Server Error")
SLOW = Fault(200, "too late", seconds=5.0)
