"""Settings about who people are: of the auth server, and of what asks it."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from bot.settings.runs import Listen
from bot.settings.types import CommaSeparated, ExistingFile, Section, WebUrl

_Word = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,100}$")]
# PROVIDER:SUBJECT, a login or an address.
Names = CommaSeparated[tuple[Annotated[str, Field(pattern=r"^[^\s,]{1,200}$")], ...]]


class AuthSettings(Section):
    """How people log in, and who of them gets in."""

    # none: no login, and acts from this machine alone; token: by pasting a token; oauth: at GitHub, Google or another.
    mode: Literal["none", "token", "oauth"] = Field("none", validation_alias="DPPCTL_AUTH_MODE")
    listen: Listen = Field("127.0.0.1:8092", validation_alias="DPPCTL_AUTH_LISTEN")
    # Where the other servers reach it. Left out: the proxy knows people by its file of tokens.
    url: WebUrl = Field("", validation_alias="DPPCTL_AUTH_URL")
    # By what the other servers are known to it.
    service_token_file: ExistingFile = Field(None, validation_alias="DPPCTL_AUTH_SERVICE_TOKEN_FILE")
    # From which the marks of forms and the encryption of people's own tokens are made.
    key_file: ExistingFile = Field(None, validation_alias="DPPCTL_AUTH_KEY_FILE")
    given_database_url: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_AUTH_DATABASE_URL")
    github_client_id: _Word = Field("", validation_alias="DPPCTL_AUTH_GITHUB_CLIENT_ID")
    github_client_secret: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_AUTH_GITHUB_CLIENT_SECRET")
    google_client_id: _Word = Field("", validation_alias="DPPCTL_AUTH_GOOGLE_CLIENT_ID")
    google_client_secret: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_AUTH_GOOGLE_CLIENT_SECRET")
    # Any provider of OpenID Connect, such as Dex or Keycloak: …/.well-known/openid-configuration.
    oidc_metadata_url: WebUrl = Field("", validation_alias="DPPCTL_AUTH_OIDC_METADATA_URL")
    oidc_client_id: _Word = Field("", validation_alias="DPPCTL_AUTH_OIDC_CLIENT_ID")
    oidc_client_secret: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_AUTH_OIDC_CLIENT_SECRET")
    oidc_name: _Word = Field("your account", validation_alias="DPPCTL_AUTH_OIDC_NAME")  # on its button
    admins: Names = Field((), validation_alias="DPPCTL_AUTH_ADMINS")
    users: Names = Field((), validation_alias="DPPCTL_AUTH_USERS")
    organizations: Names = Field((), validation_alias="DPPCTL_AUTH_ORGANIZATIONS")  # of GitHub
    domains: Names = Field((), validation_alias="DPPCTL_AUTH_DOMAINS")  # of verified addresses

    @property
    def secrets(self) -> list[SecretStr]:
        """Return what must never be seen in a log or a message."""
        found = [self.github_client_secret, self.google_client_secret, self.oidc_client_secret]
        return [*found, self.given_database_url]
