"""An action of `.dppctl.yaml`: which push deploys which pipelines to which environment."""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import ConfigDict, Field, StrictBool, StrictStr, field_validator, model_validator

from bot.limits import MAX_CONFIG_ENTRIES
from bot.model.documents import Part
from bot.model.expectations import Expectation
from bot.model.name_types import Environment
from bot.model.names import may_match, ref_problem, short
from bot.model.previews import PREFIX, glob_problem, is_preview, matches, preview_of

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_BOOLEANS = ("true", "false", "yes", "no", "on", "off")  # of YAML, which are words once they are in quotes
Text = Annotated[StrictStr, Field(min_length=1, max_length=200)]
Selection = str | list[str]  # of pipelines: `all`, an id, or a list of ids
Expectations = Annotated[tuple[Expectation, ...], Field(max_length=MAX_CONFIG_ENTRIES)]


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

    branch: Text | None = Field(None, json_schema_extra={"not": {"type": "string", "pattern": _NO_BRANCH}})
    # true: any tag; or a glob
    tags: StrictBool | Text | None = Field(None, json_schema_extra={"not": {"type": "string", "pattern": _NO_TAGS}})
    # A glob: each branch that it matches, and that no other action names, has an environment of its own, a preview.
    branches: Text | None = None
    preview: Environment | None = None  # whose data a preview's is compared with
    environment: Environment | None = None
    pipeline: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_CONFIG_ENTRIES)] = "all"
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
