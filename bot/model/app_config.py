"""`.dppctl.yaml`: what an app says about itself, above all which push deploys it where."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, StrictStr, field_validator, model_validator

from bot.errors import DppctlError
from bot.limits import MAX_CONFIG_ENTRIES
from bot.model.config_action import Action, Expectations, Text
from bot.model.documents import Document, Part
from bot.model.expectation_places import with_places
from bot.model.gates import refuse_gates
from bot.model.image_reference import Reference
from bot.model.names import RepoPath, is_path
from bot.model.previews import is_preview
from bot.near_names import name_hint

Provider = Literal["local", "minikube", "minikube-public", "gcloud", "kamatera", "kubeconfig", "public"]
_Argument = Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_Value = Annotated[StrictStr, Field(max_length=1000, pattern=r"^[^\x00-\x1f]*$")]
_Id = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


class ContinuousDeployment(Part):
    """Which app goes to which ops repo, and when."""

    app_repo_path: Text
    ops_repo_path: Text
    actions: Annotated[list[Action], Field(min_length=1, max_length=MAX_CONFIG_ENTRIES)]

    @model_validator(mode="after")
    def _is_clear(self) -> "ContinuousDeployment":
        for text in (self.app_repo_path, self.ops_repo_path):
            try:
                RepoPath.parse(text)
            except DppctlError as error:
                raise ValueError(str(error)) from None
        globs = [action.branches for action in self.actions if action.branches]
        for glob in globs:
            if globs.count(glob) > 1:
                raise ValueError(f"two actions are for branches: {glob}; one preview has one trigger")
        environments = [action.environment for action in self.actions if action.environment]
        for environment in environments:
            if globs and is_preview(environment):
                raise ValueError(f"{environment} may be the preview of a branch; call the environment something else")
            if environments.count(environment) > 1:
                raise ValueError(f"two actions deploy to {environment}; one environment has one trigger")
        return self


class Build(Part):
    """How the app's image is built."""

    dockerfile: Annotated[StrictStr, Field(max_length=200)] = "Dockerfile"  # within the app's folder
    target: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] | None = None  # one of its stages
    arguments: Annotated[dict[_Argument, _Value], Field(max_length=MAX_CONFIG_ENTRIES)] = Field(default_factory=dict)
    # For RUN --mount=type=secret,id=…: names of files that whoever runs the bot has put there for this app.
    secrets: Annotated[list[_Id], Field(max_length=MAX_CONFIG_ENTRIES)] = Field(default_factory=list)

    @field_validator("dockerfile")
    @classmethod
    def _is_inside(cls, value: str) -> str:
        if not is_path(value):
            raise ValueError("expected the path of a file within the app's folder")
        return value


class AppConfig(Part):
    """The whole file. Keys that start with the provider's name are that provider's own settings."""

    model_config = ConfigDict(extra="allow")

    cluster_provider: Provider = "local"
    # Where `dppctl run` runs it: `local`, or a name that `dppctl login` gave a cluster on the person's machine.
    cluster: Annotated[StrictStr, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] | None = None
    image: Text | None = None  # a ready one to run in, HOST/NAME:TAG or HOST/NAME@sha256:…; nothing is built then
    build: Build | None = None
    expect: Expectations = ()  # of the data, wherever it is deployed
    continuous_deployment: Annotated[list[ContinuousDeployment], Field(max_length=MAX_CONFIG_ENTRIES)] = Field(
        default_factory=list
    )

    @model_validator(mode="after")
    def _has_one_image(self) -> "AppConfig":
        if self.image is not None:
            if self.build:
                raise ValueError("either image: (a ready one) or build: (how to build one)")
            try:
                Reference.parse(self.image)
            except DppctlError as error:
                raise ValueError(f"image: {error}") from None
        return self

    @property
    def provider_settings(self) -> dict[str, Any]:
        """Return settings such as `gcloudProjectId`, as they stand in the file."""
        return dict(self.model_extra or {})

    def expected(self, action: Action | None) -> Expectations:
        """Return what is expected of the data that an action deploys (None: no action does): its own or the app's.

        What a preview's data is compared with is the environment that the action names, where nothing else is said.
        """
        expect = self.expect if action is None or action.expect is None else action.expect
        if action is None or action.preview is None:
            return expect
        return tuple(
            found.model_copy(update={"compared_with": action.preview})
            if found.compares and found.compared_with is None
            else found
            for found in expect
        )

    def actions(self, app: RepoPath) -> Iterator[tuple[RepoPath, Action]]:
        """Return the actions of an app, each with the ops repo that it deploys to."""
        for deployment in self.continuous_deployment:
            if RepoPath.parse(deployment.app_repo_path) == app:
                ops = RepoPath.parse(deployment.ops_repo_path)
                yield from ((ops, action) for action in deployment.actions)

    def triggered_by(self, app: RepoPath, ref: str) -> list[tuple[RepoPath, Action]]:
        """Return the actions of an app that a ref triggers: of a glob's only where no other action names the branch.

        Of several globs for one ops repo the first counts.
        """
        fitting = [(ops, action) for ops, action in self.actions(app) if action.triggered_by(ref)]
        named = [(ops, action) for ops, action in fitting if not action.branches]
        if named:
            return named
        first: dict[RepoPath, Action] = {}
        for ops, action in fitting:
            first.setdefault(ops, action)
        return [*first.items()]


def parse_app_config(text: str, where: str) -> AppConfig:
    """Read `.dppctl.yaml`. `where` names the file in messages.

    Raises DppctlError (`file:line: what`) for anything that is unknown, missing or of the wrong type.
    """
    document = Document(text, where)
    config = document.read(AppConfig)
    _refuse_double_claims(config, document)
    refuse_gates(config, document)
    prefix = config.cluster_provider.partition("-")[0]
    for key in config.provider_settings:
        if not (key.startswith(prefix) and key[len(prefix) :][:1].isupper()):
            others = [name for name in get_args(Provider) if key.startswith(name)]
            if others:
                raise document.error([key], f"{key} is for {others[0]}, but clusterProvider is {prefix}")
            raise document.unknown(
                [key], ["clusterProvider", "cluster", "image", "build", "expect", "continuousDeployment"]
            )
    return with_places(config, document)


def _refuse_double_claims(config: AppConfig, document: Document) -> None:
    """Raise for an environment that two entries for the same app and ops repo deploy to, or that is not there."""
    seen: set[tuple[str, str, str]] = set()
    for index, entry in enumerate(config.continuous_deployment):
        for number, action in enumerate(entry.actions):
            path: list[int | str] = ["continuousDeployment", index, "actions", number]
            name = action.environment or f"branches: {action.branches}"
            key = (entry.app_repo_path, entry.ops_repo_path, name)
            if key in seen:
                trigger = "environment" if action.environment else "branches"
                message = f"two actions deploy to {name}; one environment has one trigger"
                raise document.error([*path, trigger], message)
            seen.add(key)
    for index, entry in enumerate(config.continuous_deployment):
        places = (entry.app_repo_path, entry.ops_repo_path)
        known = sorted(name for *place, name in seen if tuple(place) == places and not name.startswith("branches: "))
        for number, action in enumerate(entry.actions):
            if action.preview and action.preview not in known:
                message = f"preview: no action deploys to {action.preview}; {name_hint(action.preview, known)}"
                raise document.error(["continuousDeployment", index, "actions", number, "preview"], message)
