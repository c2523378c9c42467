"""`values.auto-updated.yaml`: what an environment should run. The bot writes it, sync acts on it."""

from io import StringIO
from typing import Annotated, Any

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from bot.limits import MAX_PIPELINE_ID, MAX_PIPELINES, MAX_SCHEDULE, MAX_VALUES_BYTES, MAX_VALUES_NODES
from bot.model.documents import Document, Part
from bot.model.expectations import Expectation
from bot.model.name_types import Environment

_HEADER = "# dppctl writes this whole file; put your own values into values.yaml beside it.\n"


class Source(Part):
    """The commit that is deployed."""

    repository: str  # OWNER/REPO
    path: str  # the app's folder in it, "" for the root
    ref: str  # the branch or tag that brought it: refs/heads/…, refs/tags/…
    commit: str


class Pipeline(Part):
    """A pipeline of the app, as its spec has it at that commit."""

    id: str = Field(min_length=1, max_length=MAX_PIPELINE_ID)
    schedule: Annotated[str, Field(max_length=MAX_SCHEDULE)] | None = None  # a crontab line, when it runs by the clock


class ComparedField(Part):
    """A column of data that is compared with."""

    name: str
    type: str


class ComparedResource(Part):
    """A resource of data that is compared with."""

    pipeline: str
    name: str
    rows: int | None = None
    fields: tuple[ComparedField, ...] = ()


class Compared(Part):
    """What data is compared with: that of another environment, as it was when these values were written."""

    environment: Environment
    deployment: int | None = None  # by its number in the bot's store
    resources: tuple[ComparedResource, ...] = ()


class Values(Part):
    """The file's content."""

    image: str | None  # by digest; null where the source runs as it is, without an image
    source: Source
    pipelines: Annotated[tuple[Pipeline, ...], Field(max_length=MAX_PIPELINES + 1)]  # `all` may stand before them
    request: int | None = None  # the number of the deployment by hand that it comes from: a new one runs it anew
    expect: tuple[Expectation, ...] = ()  # of the data; what is violated leaves the environment as it was
    accept: bool = False  # somebody takes the data as it is, once, whatever is expected of it
    compared: tuple[Compared, ...] = ()  # the environments that `comparedWith` names

    def to_yaml(self) -> str:
        """Return the file's text; the same values always give the same bytes."""
        text, content = StringIO(), self._content()
        yaml = YAML()
        yaml.width = 4096
        yaml.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
        yaml.dump(_quoted(content), text)
        return _HEADER + text.getvalue()

    @property
    def nodes(self) -> int:
        """Return how many values of YAML the file has, of which MAX_VALUES_NODES are read."""
        return _nodes(self._content())

    def _content(self) -> dict[str, Any]:
        left_out = {name for name in ("request", "expect", "accept", "compared") if not getattr(self, name)}
        content = self.model_dump(mode="json", exclude=left_out)
        if self.expect:
            content["expect"] = [found.model_dump(mode="json", exclude_none=True) for found in self.expect]
        return content

    @classmethod
    def from_yaml(cls, text: str, where: str) -> "Values":
        """Parse the file's text. Raises DppctlError, with file and line, when it is not such a file."""
        return Document(text, where, MAX_VALUES_BYTES, MAX_VALUES_NODES).read(cls)


def _nodes(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + _nodes(below) for below in value.values())
    return 1 + sum(map(_nodes, value)) if isinstance(value, list) else 1


def _quoted(value: Any) -> Any:
    """Put all strings in quotes: a commit such as 12e4567… is a number to some readers of YAML, Helm's among them."""
    if isinstance(value, dict):
        return {key: _quoted(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_quoted(below) for below in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value
