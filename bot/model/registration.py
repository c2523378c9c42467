"""`apps.yaml`: which apps this bot serves, and which environments of which ops repo each may touch.

It lies with the bot's own settings, so no push can change it. The form:

    apps:
    - appRepoPath: OWNER/REPO/PATH
      opsRepoPath: OWNER/OPS-REPO
      environments: [staging, production]
      verify: signed
      signers: [ann@example.org ssh-ed25519 AAAA…]
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from bot.errors import DppctlError
from bot.limits import MAX_REGISTRATION_BYTES, MAX_REGISTRATION_NODES
from bot.model.documents import Document, Part, read_text
from bot.model.names import Environment, RepoPath
from bot.model.signers import check_signer

REGISTRATION_FILE = "apps.yaml"


@dataclass(frozen=True, order=True)
class Target:
    """What the bot may do: deploy this app to this environment of this ops repo."""

    app: RepoPath
    ops: RepoPath
    environment: str
    verify: str | None = field(default=None, compare=False)  # `signed` or `none`; None: as the settings say
    signers: tuple[str, ...] = field(default=(), compare=False)  # whose signatures count; none: those of the settings

    def __str__(self) -> str:
        """Return `OWNER/REPO/PATH in ENVIRONMENT`, as logs and threads name it."""
        return f"{self.app} in {self.environment}"

    @property
    def values_file(self) -> str:
        """Return the path, within the ops repo, of the file that the bot owns for this environment."""
        return self.ops.file(f"environments/{self.environment}/values.auto-updated.yaml")


class _App(Part):
    app_repo_path: str
    ops_repo_path: str
    environments: list[Environment]
    verify: Literal["signed", "none"] | None = None
    signers: tuple[Annotated[str, AfterValidator(check_signer)], ...] = ()


class _Registration(Part):
    apps: list[_App]


def parse_registration(text: str, where: str) -> frozenset[Target]:
    """Return all targets that the text registers. Raises DppctlError, with file and line, for what is wrong."""
    document = Document(text, where, MAX_REGISTRATION_BYTES, MAX_REGISTRATION_NODES)
    owners: dict[tuple[RepoPath, str], Target] = {}
    trusted: dict[RepoPath, tuple[object, ...]] = {}
    for index, entry in enumerate(document.read(_Registration).apps):
        try:
            app, ops = RepoPath.parse(entry.app_repo_path), RepoPath.parse(entry.ops_repo_path)
        except DppctlError as error:
            raise document.error(["apps", index], str(error)) from None
        if trusted.setdefault(app, (entry.verify, entry.signers)) != (entry.verify, entry.signers):
            raise document.error(["apps", index], f"{app} stands here twice, with another `verify` or other `signers`")
        for environment in entry.environments:
            target = Target(app, ops, environment, entry.verify, entry.signers)
            owner = owners.setdefault((ops, environment), target)
            if owner is not target:
                message = f"{environment} of {ops} is already {owner.app}'s; give each app an opsRepoPath of its own"
                raise document.error(["apps", index], message)
    return frozenset(owners.values())


def read_registration(file: Path) -> frozenset[Target]:
    """Return all targets that the file registers, as `parse_registration` does."""
    try:
        return parse_registration(read_text(file), str(file))
    except FileNotFoundError:
        raise DppctlError(f"{file}: not found; it says which apps to deploy (see .dppctl.yaml.example)") from None
