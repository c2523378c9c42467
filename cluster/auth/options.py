"""What the auth server is made with: plain data, which `cli/servers/auth_server.py` makes of the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cluster.auth.admission import Lists

Mode = Literal["none", "token", "oauth"]
ProviderName = Literal["github", "google", "oidc"]


@dataclass(frozen=True)
class OAuthProvider:
    """Where people log in, and what this server is known by there."""

    name: ProviderName
    title: str  # on the button
    client_id: str
    client_secret: str = field(repr=False)
    metadata_url: str = ""  # of OpenID Connect: https://openid.net/specs/openid-connect-discovery-1_0.html


@dataclass(frozen=True)
class GitHubAddresses:
    """Where GitHub is."""

    url: str = "https://github.com"
    api_url: str = "https://api.github.com"
    verify: str | bool = True  # by what its certificate is known, as requests wants it


@dataclass(frozen=True)
class AuthOptions:
    """All that the auth server is told."""

    mode: Mode
    key: bytes = field(repr=False)  # from which all others are made
    public_url: str = ""  # of pages, auth, usage and proxy together; none: where a request went
    hosts: tuple[str, ...] = ()  # that the pages answer to, besides that of the public address
    service_token: str = field(default="", repr=False)  # by which proxy, pages and usage are known; none: nobody is
    tokens_file: Path | None = None  # of `dppctl token`, whose tokens have no end
    providers: tuple[OAuthProvider, ...] = ()
    github: GitHubAddresses = field(default_factory=GitHubAddresses)
    lists: Lists = field(default_factory=Lists)
    deployers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by app: who may deploy it, and nobody else

    @property
    def needs_organizations(self) -> bool:
        """Return whether GitHub is to be asked for people's organisations: something names one."""
        listed = [*self.lists.admins, *self.lists.users, *(entry for each in self.deployers.values() for entry in each)]
        return bool(self.lists.organizations) or any(entry.casefold().startswith("org:") for entry in listed)

    @property
    def secrets(self) -> list[str]:
        """Return what must never be seen in a log, besides what the settings hold themselves."""
        return [text for text in (self.service_token, self.key.decode(errors="replace")) if text]
