"""A repository's deploy key: made here, its public half added on GitHub, its private half kept, and tried.

https://docs.github.com/en/rest/deploy-keys/deploy-keys
"""

import tempfile
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from github import Github, GithubException
from github.Repository import Repository
from github.RepositoryKey import RepositoryKey
from pydantic import SecretStr

from bot.git.command import Git
from bot.git.errors import GitError
from bot.model.deploy_keys import parse_deploy_keys
from bot.settings import Settings
from cli.errors import InputError
from cli.init.secret_stores import SecretStore
from cli.init.steps.repository import find_repository, refused
from cli.init.steps.step import Change

VARIABLE = "DPPCTL_DEPLOY_KEYS"
_TITLE = "dppctl"


def new_key() -> str:
    """Return a new private key, ed25519, in OpenSSH's format."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_half(private: str) -> str:
    """Return the public key, such as `ssh-ed25519 AAAA…`. Raises InputError for a key that ssh cannot use by itself."""
    try:
        key = load_ssh_private_key(private.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{VARIABLE}: a key there cannot be used: {error}; it must have no passphrase") from None
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def to_setting(keys: Mapping[str, str]) -> str:
    """Return the value of DPPCTL_DEPLOY_KEYS for private keys by repository; see `parse_deploy_keys`."""
    return ",".join(f"{name}={b64encode(key.encode()).decode()}" for name, key in sorted(keys.items()))


def kept_keys(store: SecretStore) -> dict[str, str]:
    """Return the private keys that are kept, by lower-case OWNER/REPO. Raises InputError for a broken value."""
    try:
        return parse_deploy_keys(store.read(VARIABLE) or "")
    except ValueError as error:
        raise InputError(f"{VARIABLE} in {store}: {error}") from None


def host_keys(github: Github, ssh_url: str) -> tuple[str, ...]:
    """Return the public keys of GitHub's ssh host; https://docs.github.com/en/rest/meta/meta. Raises InputError."""
    _, about = github.requester.requestJsonAndCheck("GET", "/meta")
    keys = about.get("ssh_keys")
    if not keys:
        raise InputError(
            f"GitHub's API does not tell the ssh keys of {ssh_url}; use a machine user's token or a GitHub App instead"
        )
    return tuple(str(key) for key in keys)


@dataclass(frozen=True)
class DeployKeyStep:
    """git reaches the repository with a key of its own."""

    github: Github  # of somebody who administers it
    repository: str  # OWNER/REPO
    store: SecretStore
    settings: Settings  # with GitHub's host keys
    read_only: bool = False

    def observe(self) -> Change | str:
        """Look for the key on GitHub, and try it. Raises InputError when the token may not, or git fails."""
        repository = find_repository(self.github, self.repository)
        private = kept_keys(self.store).get(self.repository.lower())
        found = self._find(repository, private) if repository and private else None
        access = "read" if self.read_only else "write"
        if private and found and found.read_only == self.read_only:
            self._try(private)
            return f"the deploy key of {self.repository} ({access} access) is there, and git reaches it by ssh"
        return Change(f"add a deploy key with {access} access to {self.repository}", lambda: self._add(private, found))

    def exists(self) -> bool:
        """Return whether a key of the repository is kept."""
        return self.repository.lower() in kept_keys(self.store)

    def remove(self) -> None:
        """Delete the key on GitHub, then from where it is kept."""
        kept = kept_keys(self.store)
        private = kept.pop(self.repository.lower())
        repository = find_repository(self.github, self.repository)
        if repository and not repository.archived and (found := self._find(repository, private)):
            found.delete()
        self.store.write({VARIABLE: to_setting(kept)})

    def _find(self, repository: Repository, private: str) -> RepositoryKey | None:
        public = public_half(private).split()
        try:
            return next((key for key in repository.get_keys() if key.key.split()[:2] == public), None)
        except GithubException as error:
            raise self._refused(error) from None

    def _add(self, private: str | None, wrong: RepositoryKey | None) -> str:
        repository = find_repository(self.github, self.repository)
        if repository is None:
            raise InputError(f"the token does not reach {self.repository}; it must be of somebody who administers it")
        if private is None:
            private = new_key()
            self.store.write({VARIABLE: to_setting({**kept_keys(self.store), self.repository.lower(): private})})
        try:
            if wrong:
                wrong.delete()
            repository.create_key(_TITLE, public_half(private), read_only=self.read_only)
        except GithubException as error:
            raise self._refused(error) from None
        self._try(private)
        return "git reaches it by ssh"

    def _refused(self, error: GithubException) -> Exception:
        return refused(
            error,
            self.repository,
            f"the token may not manage the deploy keys of {self.repository}; give one of somebody who administers it "
            "(--owner-token-file), with the scope `repo` or Administration: read and write",
        )

    def _try(self, private: str) -> None:
        keys = {self.repository.lower(): SecretStr(private)}
        git = Git(settings := self.settings.replace("github", deploy_keys=keys))
        try:
            with tempfile.TemporaryDirectory(prefix="dppctl-init-") as folder:
                git.run(Path(folder), "ls-remote", "--quiet", "--", settings.github.repository_url(self.repository))
        except GitError as error:
            advice = "; where ssh does not get out, try DPPCTL_GITHUB_SSH_URL=ssh://git@ssh.github.com:443"
            blocked = "cannot be reached" in str(error) and not self.settings.github.given_ssh_url
            raise InputError(f"the deploy key of {self.repository}: {error}{advice if blocked else ''}") from None
        finally:
            git.close()
