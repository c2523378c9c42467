"""Settings about GitHub and git: where repositories are, who works on them, and with which credentials."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr

from bot.limits import GIT_SILENCE_SECONDS, GITHUB_CALLS_AN_HOUR, REDELIVER_SECONDS
from bot.model.deploy_keys import HostKey, parse_deploy_keys
from bot.settings.certificates import Authority, machine_bundle
from bot.settings.types import CommaSeparated, ExistingFile, GitUrl, Name, Section, WebUrl, is_web, pairs


def _parse_keys(value: object) -> object:
    return parse_deploy_keys(value) if isinstance(value, str) else value


class GitHubSettings(Section):
    """Where repositories are, who commits, and what GitHub shows."""

    # OWNER/REPO is cloned from <url>/OWNER/REPO.git. file:///folder works too.
    url: GitUrl = Field("https://github.com", validation_alias="DPPCTL_GITHUB_URL")
    # PEM, of a GitHub whose certificate is of an authority of your own: for git and the API.
    ca: Authority = Field(None, validation_alias="DPPCTL_GITHUB_CA")
    token: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_GITHUB_TOKEN")
    # Instead of the token: a GitHub App that is installed for the repositories' owners, and its private key (PEM).
    app_id: str = Field("", validation_alias="DPPCTL_GITHUB_APP_ID", pattern=r"^[0-9]*$")
    app_key: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_GITHUB_APP_KEY")  # or in a file:
    app_key_file: Path | None = Field(None, validation_alias="DPPCTL_GITHUB_APP_KEY_FILE")
    # Deploy keys: for these repositories git goes by ssh. "OWNER/REPO=KEY,…", a KEY being base64 of OpenSSH's format.
    deploy_keys: Annotated[dict[str, SecretStr], BeforeValidator(_parse_keys)] = Field(
        {}, validation_alias="DPPCTL_DEPLOY_KEYS"
    )
    given_ssh_url: str = Field(
        "", validation_alias="DPPCTL_GITHUB_SSH_URL", pattern=r"^$|^ssh://[\w.-]+@[\w.-]+(:[0-9]+)?$"
    )
    host_keys: CommaSeparated[tuple[HostKey, ...]] = Field((), validation_alias="DPPCTL_GITHUB_HOST_KEYS")  # for ssh
    given_api_url: WebUrl = Field("", validation_alias="DPPCTL_GITHUB_API_URL")
    # After so long without a word of the server, or without progress, git is ended; longer is all that it takes.
    silence_seconds: float = Field(GIT_SILENCE_SECONDS, validation_alias="DPPCTL_GIT_SILENCE_SECONDS", ge=1)
    # Who commits to the ops repos, and pushes.
    user: Name = Field("dppctl", validation_alias="DPPCTL_GITHUB_USER")
    email: Name = Field("dppctl@users.noreply.github.com", validation_alias="DPPCTL_GITHUB_EMAIL")
    # Only commits and tags that somebody listed has signed are deployed; apps.yaml may say otherwise of an app.
    commits: Literal["none", "signed"] = Field("none", validation_alias="DPPCTL_VERIFY")
    signers_file: Path | None = Field(None, validation_alias="DPPCTL_SIGNERS_FILE")  # bot/model/signers.py
    # A private key of OpenSSH's, without a passphrase, that the commits to the ops repos are signed with.
    signing_key_file: ExistingFile = Field(None, validation_alias="DPPCTL_SIGNING_KEY_FILE")
    # Show deployments on GitHub; left out: when GitHub can be asked at all.
    statuses: bool | None = Field(None, validation_alias="DPPCTL_GITHUB_STATUSES")
    # What an environment shows to the world: "staging=https://HOST/PATH,production=…"; {app} is the app's path.
    environment_urls: Annotated[
        dict[str, str],
        pairs("ENVIRONMENT=https://HOST/PATH, more of them separated by commas", accepts=is_web),
    ] = Field({}, validation_alias="DPPCTL_ENVIRONMENT_URLS")
    # Between looks for lost deliveries; 0: none.
    redeliver_seconds: float = Field(REDELIVER_SECONDS, validation_alias="DPPCTL_GITHUB_REDELIVER_SECONDS", ge=0)

    # Of git and the API, by all bots together; 0: any number.
    given_calls_an_hour: int = Field(GITHUB_CALLS_AN_HOUR, validation_alias="DPPCTL_GITHUB_CALLS_AN_HOUR", ge=0)

    @property
    def calls_an_hour(self) -> int:
        """Return how many calls the forge takes within an hour; 0: any number, as when it is a folder."""
        return self.given_calls_an_hour if is_web(self.url) else 0

    def repository_url(self, repository: str) -> str:
        """Return the only URL that a repository (OWNER/REPO) is reached at: for ssh when it has a deploy key."""
        return f"{self.ssh_url if self.deploy_key(repository) else self.url}/{repository}.git"

    def deploy_key(self, repository: str) -> str | None:
        """Return the private key of OWNER/REPO, in OpenSSH's format, or None."""
        found = self.deploy_keys.get(repository.lower())
        return found.get_secret_value() if found else None

    @property
    def ssh_url(self) -> str:
        """Return where repositories are for ssh."""
        return self.given_ssh_url or f"ssh://git@{urlsplit(self.url).hostname}"

    @property
    def api_url(self) -> str:
        """Return the address of GitHub's REST API.

        https://docs.github.com/en/enterprise-server/rest/quickstart has the form with /api/v3.
        """
        default = "https://api.github.com" if self.url == "https://github.com" else f"{self.url}/api/v3"
        return self.given_api_url or default

    @property
    def verify(self) -> str | bool:
        """Return by what the API's certificate is known, as requests wants it: a file, or True for the usual."""
        return str(self.ca) if self.ca else machine_bundle() or True

    @property
    def app_private_key(self) -> str:
        """Return the GitHub App's private key, PEM. Raises OSError when its file cannot be read."""
        return self.app_key.get_secret_value() or (self.app_key_file.read_text() if self.app_key_file else "")

    @property
    def has_api(self) -> bool:
        """Return whether the bot may use GitHub's API."""
        return is_web(self.url) and bool(self.token.get_secret_value() or self.app_id)

    @property
    def shows_deployments(self) -> bool:
        """Return whether GitHub is notified of deployments."""
        return self.has_api and self.statuses is not False

    def commit_url(self, repository: str, commit: str) -> str | None:
        """Return the address of a commit's page, when repositories come from the web."""
        return f"{self.url}/{repository}/commit/{commit}" if is_web(self.url) else None

    def line_url(self, repository: str, commit: str, path: str, line: int) -> str | None:
        """Return the address of a line of a file at a commit, when repositories come from the web."""
        return f"{self.url}/{repository}/blob/{commit}/{quote(path)}#L{line}" if is_web(self.url) else None
