"""`.dppctl.yaml`: what an app says about itself, above all which push deploys it where."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

from pydantic import ConfigDict, Field, StrictBool, StrictStr, field_validator, model_validator

from bot.errors import DppctlError
from bot.limits import MAX_CONFIG_ENTRIES
from bot.model.documents import Document, Part
from bot.model.expectation_places import placed
from bot.model.expectations import Expectation
from bot.model.image_reference import Reference
from bot.model.names import Environment, RepoPath, is_path, may_match, ref_problem, short
from bot.model.previews import PREFIX, glob_problem, is_preview, matches, preview_of

if TYPE_CHECKING:
    from pydantic.config import JsonDict

CONFIG_FILE = ".dppctl.yaml"

Provider = Literal["local", "minikube", "minikube-public", "gcloud", "kamatera", "kubeconfig", "public"]
_BOOLEANS = ("true", "false", "yes", "no", "on", "off")  # of YAML, which are words once they are in quotes
_Text = Annotated[StrictStr, Field(min_length=1, max_length=200)]
_Argument = Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_Value = Annotated[StrictStr, Field(max_length=1000, pattern=r"^[^\x00-\x1f]*$")]
Selection = str | list[str]  # of pipelines: `all`, an id, or a list of ids
Expectations = Annotated[tuple[Expectation, ...], Field(max_length=MAX_CONFIG_ENTRIES)]
_Id = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


# The same for editors, as far as a pattern can say it (RE2 and JavaScript have it too): names that git or we refuse.
_NO_BRANCH = r"^refs/|^HEAD$|^[./+@#=%,-]|[./]$|\.\.|//|/\.|\.lock(/|$)|[\x00-\x20!\"$&'()*:;<>?\[\\\]^`{|}~\x7f]"
_NO_TAGS = r"^refs/|^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])$"
_NO_TAGS += r"|^[^\[]*[\x00-\x20!\"$&'():;<>\\\]^`{|}~\x7f][^\[]*$"
_NONE = {"enum": [None, False]}
_NULL, _WORD = {"type": "null"}, {"type": "string"}
_NO_PREVIEW = {"branches": _NULL, "preview": _NULL}
_ONE_TRIGGER = {
    "oneOf": [
        {
            "required": ["branch", "environment"],
            "properties": {"branch": _WORD, "tags": _NONE, "environment": _WORD, **_NO_PREVIEW},
        },
        {
            "required": ["tags", "environment"],
            "properties": {"branch": _NULL, "tags": {"not": _NONE}, "environment": _WORD, **_NO_PREVIEW},
        },
        {
            "required": ["branches", "preview"],
            "properties": {
                "branch": _NULL,
                "tags": _NONE,
                "environment": _NULL,
                "after": _NULL,
                "branches": _WORD,
                "preview": _WORD,
            },
        },
    ]
}


class Action(Part):
    """A push to a branch, or a tag, deploys these pipelines to this environment; or a preview for each branch."""

    model_config = ConfigDict(json_schema_extra=cast("JsonDict", _ONE_TRIGGER))

    branch: _Text | None = Field(None, json_schema_extra={"not": {"type": "string", "pattern": _NO_BRANCH}})
    # true: any tag; or a glob
    tags: StrictBool | _Text | None = Field(None, json_schema_extra={"not": {"type": "string", "pattern": _NO_TAGS}})
    # A glob: each branch that it matches, and that no other action names, has an environment of its own, a preview.
    branches: _Text | None = None
    preview: Environment | None = None  # whose data a preview's is compared with
    environment: Environment | None = None
    pipeline: _Text | Annotated[list[_Text], Field(min_length=1, max_length=MAX_CONFIG_ENTRIES)] = "all"
    after: Environment | None = None  # only files that ran well there
    expect: Expectations | None = None  # instead of the app's

    @field_validator("branch")
    @classmethod
    def _is_a_branch(cls, value: str | None) -> str | None:
        if value is not None and (problem := branch_problem(value)):
            raise ValueError(problem)
        return value

    @field_validator("tags", mode="before")
    @classmethod
    def _is_a_pattern(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.casefold() in _BOOLEANS:
            raise ValueError(f'"{value}" in quotes is the name of a tag; for any tag write true, without quotes')
        if value.startswith("refs/"):
            raise ValueError(f"{value} is no tag's name; write {short(value)}")
        if not may_match(value):
            raise ValueError(f"{value!r} can match no tag; write a tag's name, with * ? and [a-z] for what varies")
        return value

    @field_validator("branches")
    @classmethod
    def _is_a_glob(cls, value: str | None) -> str | None:
        if value is not None and (problem := glob_problem(value)):
            raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _is_one_trigger(self) -> "Action":
        if [self.branch is None, self.tags in (None, False), self.branches is None].count(False) != 1:
            raise ValueError('an action has either branch: NAME, tags: true (or a glob) or branches: "*" (or a glob)')
        if self.branches is not None:
            self._check_preview()
        elif self.environment is None:
            raise ValueError("environment is missing")
        elif self.preview is not None:
            raise ValueError("preview: is for an action with branches: (a glob), which has an environment for each")
        if self.after and self.after == self.environment:
            raise ValueError(f"after: {self.after} is the action's own environment, which can not wait for itself")
        return self

    def _check_preview(self) -> None:
        if self.environment is not None:
            name = f"{PREFIX}BRANCH"
            raise ValueError(f"with branches: each branch has an environment {name}; leave environment: out")
        if self.preview is None:
            raise ValueError("preview: ENVIRONMENT is missing, whose data each branch's is compared with")
        if is_preview(self.preview):
            raise ValueError(f"preview: {self.preview} is a preview itself; name the environment to compare with")
        if self.after is not None:
            raise ValueError("a preview waits for no other environment; leave after: out")

    def environment_for(self, ref: str) -> str:
        """Return the environment that a ref which triggers the action is deployed to."""
        return self.environment or preview_of(short(ref))

    def triggered_by(self, ref: str) -> bool:
        """Return whether a push of this ref (`refs/heads/…` or `refs/tags/…`) triggers the action.

        Of `branches:` it is whether the glob means it; `AppConfig.triggered_by` knows what other actions name.
        """
        if self.branches is not None:
            return matches(self.branches, ref)
        if self.branch is not None:
            return ref == f"refs/heads/{self.branch}"
        pattern = self.tags if isinstance(self.tags, str) else "*"
        return ref.startswith("refs/tags/") and fnmatchcase(ref.removeprefix("refs/tags/"), pattern)


def branch_problem(name: str) -> str | None:
    """Return why no push to a branch of this name could be deployed; None: it can be."""
    if name.startswith("refs/"):
        return f"{name} is no branch's name; write {short(name)}"
    if set(name) & set("*?["):
        return f"{name} is a pattern, and an environment is for one branch; write its name"
    problem = "HEAD is no branch" if name == "HEAD" else ref_problem(f"refs/heads/{name}")
    return f"{name!r} can never be pushed: {problem}" if problem else None


class ContinuousDeployment(Part):
    """Which app goes to which ops repo, and when."""

    app_repo_path: _Text
    ops_repo_path: _Text
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
    image: _Text | None = None  # a ready one to run in, HOST/NAME:TAG or HOST/NAME@sha256:…; nothing is built then
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
    config = _with_lines(config, document)
    prefix = config.cluster_provider.partition("-")[0]
    for key in config.provider_settings:
        if not (key.startswith(prefix) and key[len(prefix) :][:1].isupper()):
            others = [name for name in get_args(Provider) if key.startswith(name)]
            if others:
                raise document.error([key], f"{key} is for {others[0]}, but clusterProvider is {prefix}")
            raise document.unknown(
                [key], ["clusterProvider", "cluster", "image", "build", "expect", "continuousDeployment"]
            )
    return config


def _with_lines(config: AppConfig, document: Document) -> AppConfig:
    """Return the config, its expectations with their lines. Raises DppctlError for those that can never be checked."""
    environments = {action.environment for entry in config.continuous_deployment for action in entry.actions}
    entries = []
    for number, entry in enumerate(config.continuous_deployment):
        actions = []
        for index, action in enumerate(entry.actions):
            if action.expect:
                path: list[int | str] = ["continuousDeployment", number, "actions", index, "expect"]
                expect = placed(action.expect, document, path, environments)
                action = action.model_copy(update={"expect": expect})
            actions.append(action)
        entries.append(entry.model_copy(update={"actions": actions}))
    update: dict[str, object] = {"continuous_deployment": entries} if entries else {}
    if config.expect:
        update["expect"] = placed(config.expect, document, ["expect"], environments)
    return config.model_copy(update=update)


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
                message = f"preview: no action deploys to {action.preview}; there are: {', '.join(known) or 'none'}"
                raise document.error(["continuousDeployment", index, "actions", number, "preview"], message)
