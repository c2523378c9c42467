"""`apps.yaml`: which apps this bot serves, and which environments of which ops repo each may touch.

It lies with the bot's own settings, so no push can change it. The form:

    apps:
    - appRepoPath: OWNER/REPO/PATH
      opsRepoPath: OWNER/OPS-REPO
      environments: [staging, production, preview-*]    # preview-*: an environment for each branch that asks for one
      verify: signed
      signers: [ann@example.org ssh-ed25519 AAAA…]
      images: [ghcr.io/ann/private]    # which it may take with the bot's login; may be left out
      mayDeploy: [github:583231, OriHoch, org:hasadna]    # left out: who may write to its repository
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bot.errors import DppctlError
from bot.limits import MAX_REGISTRATION_BYTES, MAX_REGISTRATION_NODES
from bot.model.documents import Document, Part, read_text
from bot.model.image_reference import Reference
from bot.model.name_types import Environment
from bot.model.names import RepoPath
from bot.model.previews import PREVIEWS, is_preview
from bot.model.signers import check_signer
from bot.near_names import name_hint


@dataclass(frozen=True, order=True)
class Target:
    """What the bot may do: deploy this app to this environment of this ops repo."""

    app: RepoPath
    ops: RepoPath
    environment: str
    verify: str | None = field(default=None, compare=False)  # `signed` or `none`; None: as the settings say
    signers: tuple[str, ...] = field(default=(), compare=False)  # whose signatures count; none: those of the settings
    # Names (HOST/NAME, and what is below) that the app may take with the bot's login, besides its own images.
    images: frozenset[str] = field(default=frozenset(), compare=False)
    # Who may act on the app's deployments, and nobody else: PROVIDER:SUBJECT, logins, org:NAME, domain:NAME.
    may_deploy: tuple[str, ...] | None = field(default=None, compare=False)  # None: who may write to its repository

    def __str__(self) -> str:
        """Return `OWNER/REPO/PATH in ENVIRONMENT`, as logs and threads name it."""
        return f"{self.app} in {self.environment}"

    @property
    def is_pattern(self) -> bool:
        """Return whether it stands for all previews of the app."""
        return self.environment == PREVIEWS

    @property
    def is_preview(self) -> bool:
        """Return whether it is one preview of the app."""
        return is_preview(self.environment) and not self.is_pattern

    def with_environment(self, environment: str) -> "Target":
        """Return the same for another environment: of the pattern a preview, of a preview the pattern."""
        return replace(self, environment=environment)

    @property
    def values_file(self) -> str:
        """Return the path, within the ops repo, of the file that the bot owns for this environment."""
        return self.ops.file(f"environments/{self.environment}/values.auto-updated.yaml")


class RegisteredApp(Part):
    """An entry of the file: an app, and what it may touch."""

    app_repo_path: str
    ops_repo_path: str
    environments: list[Environment | Literal["preview-*"]]
    verify: Literal["signed", "none"] | None = None
    signers: tuple[Annotated[str, AfterValidator(check_signer)], ...] = ()
    images: list[str] = Field(default_factory=list)
    may_deploy: tuple[Annotated[str, Field(pattern=r"^[^\s,]{1,200}$")], ...] | None = None


class Registration(Part):
    """The whole file."""

    apps: list[RegisteredApp]


def parse_registration(text: str, where: str) -> frozenset[Target]:
    """Return all targets that the text registers. Raises DppctlError, with file and line, for what is wrong."""
    document = Document(text, where, MAX_REGISTRATION_BYTES, MAX_REGISTRATION_NODES)
    owners: dict[tuple[RepoPath, str], Target] = {}
    trusted: dict[RepoPath, tuple[object, ...]] = {}
    for index, entry in enumerate(document.read(Registration).apps):
        try:
            app, ops = RepoPath.parse(entry.app_repo_path), RepoPath.parse(entry.ops_repo_path)
        except DppctlError as error:
            raise document.error(["apps", index], str(error)) from None
        who = entry.verify, entry.signers, entry.may_deploy
        if trusted.setdefault(app, who) != who:
            other = "another `verify`, other `signers` or another `mayDeploy`"
            raise document.error(["apps", index], f"{app} stands here twice, with {other}")
        images = frozenset(_image(document, index, name) for name in entry.images)
        for environment in entry.environments:
            target = Target(app, ops, environment, entry.verify, entry.signers, images, entry.may_deploy)
            owner = owners.setdefault((ops, environment), target)
            if owner is not target:
                message = f"{environment} of {ops} is already {owner.app}'s; give each app an opsRepoPath of its own"
                raise document.error(["apps", index], message)
    seen: dict[RepoPath, Target] = {}
    for target in sorted(owners.values()):
        if target.is_pattern and (first := seen.setdefault(target.app, target)) is not target:
            message = f"{target.app} has {PREVIEWS} in {first.ops} and in {target.ops}; keep one"
            raise document.error(["apps"], message)
        if target.is_preview and (pattern := owners.get((target.ops, PREVIEWS))):
            message = f"{target.environment} of {target.ops} may be a preview of {pattern.app} ({PREVIEWS}); rename it"
            raise document.error(["apps"], message)
    return frozenset(owners.values())


def check_registered(app: str | None, environment: str | None, targets: Iterable[Target]) -> list[Target]:
    """Return the targets of an app for an environment; None: of any. Raises DppctlError, with what was meant."""
    of_app = {target for target in targets if app in (None, str(target.app))}
    if not of_app:
        raise DppctlError(f"{app} is not registered; {name_hint(app or '', {str(target.app) for target in targets})}")
    if environment is None:
        return sorted(of_app)
    found = [target for each in of_app for target in registered_for(str(each.app), environment, [each])]
    if not found:
        meant = name_hint(environment, {target.environment for target in of_app})
        what = f"{app} is not registered" if app else "no app is registered"
        raise DppctlError(f"{what} for {environment}; {meant}")
    return sorted(found)


def registered_for(app: str, environment: str, targets: Iterable[Target]) -> list[Target]:
    """Return the targets of an app for an environment: a preview is registered by its pattern."""
    of_app = [target for target in targets if str(target.app) == app]
    found = [target for target in of_app if target.environment == environment]
    if found or not is_preview(environment):
        return found
    return [target.with_environment(environment) for target in of_app if target.is_pattern]


def _image(document: Document, index: int, name: str) -> str:
    """Return the name as references have it, with its host."""
    try:
        reference = Reference.parse(name)
    except DppctlError as error:
        raise document.error(["apps", index], f"images: {error}") from None
    if str(reference) != f"{reference.name}:latest" or name.endswith(":latest"):
        raise document.error(["apps", index], f"images: {name!r}: expected HOST/NAME, without a tag or a digest")
    return reference.name


def read_registration(file: Path) -> frozenset[Target]:
    """Return all targets that the file registers, as `parse_registration` does."""
    try:
        return parse_registration(read_text(file), str(file))
    except FileNotFoundError:
        raise DppctlError(f"{file}: not found; it says which apps to deploy (see .dppctl.yaml.example)") from None
