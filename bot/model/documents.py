"""YAML files that people write, read into typed models; what is wrong is said with file and line."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Never, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from bot.errors import DppctlError
from bot.limits import MAX_CONFIG_BYTES, MAX_YAML_NODES
from bot.model.safe_yaml import read_yaml
from bot.near_names import nearest


class Part(BaseModel):
    """The base of every model of a YAML file: keys in camelCase, unknown ones refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, serialize_by_alias=True)


def read_text(file: Path) -> str:
    """Return a file's text. Raises FileNotFoundError or NotADirectoryError where there is none.

    And DppctlError, with the line where it is not UTF-8.
    """
    content = b""
    try:
        content = file.read_bytes()
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DppctlError(f"{file}:{line}: not UTF-8; save the file in that encoding") from None
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise DppctlError(f"{file}: {error.strerror}") from None


Model = TypeVar("Model", bound=BaseModel)


class Document:
    """A YAML file's content, with the lines that its parts stand on."""

    def __init__(self, text: str, where: str, limit: int = MAX_CONFIG_BYTES, nodes: int = MAX_YAML_NODES) -> None:
        """Parse a text. `where` names the file in messages; limit: characters; nodes: values in it.

        Raises DppctlError unless it is a YAML mapping.
        """
        self.where = where
        if len(text) > limit:
            raise DppctlError(f"{where}: larger than {limit // 1024} KB")
        content, self._node = read_yaml(text, where, doubles_below=True, nodes=nodes)
        self.content: Any = content
        if not isinstance(self.content, dict):
            raise DppctlError(f"{where}:1: expected keys and values")

    def read(self, model: type[Model]) -> Model:
        """Return the content as a model. Raises DppctlError for the first thing that does not fit."""
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            # A misspelt key first: what then seems to be missing is what it was meant to be.
            problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
            self._refuse(problems[0], model)

    def line(self, path: Sequence[int | str]) -> int:
        """Return the line on which the part at `path` (keys and indexes from the top) stands."""
        return self._find(path)[0]

    def error(self, path: Sequence[int | str], message: str) -> DppctlError:
        """Return an error about the part at `path` (keys and indexes from the top)."""
        return DppctlError(f"{self.where}:{self._find(path)[0]}: {message}")

    def unknown(self, path: Sequence[int | str], known: Iterable[str]) -> DppctlError:
        """Return the error for a key that is none of the known ones, with what was probably meant."""
        key = " ".join(str(path[-1]).split())[:80]
        meant = nearest(key, known)
        hint = f"did you mean {meant}?" if meant else f"known here: {', '.join(sorted(known))}"
        return self.error(path, f"unknown key {key}; {hint}")

    def _refuse(self, problem: ErrorDetails, model: type[BaseModel]) -> Never:
        path = problem["loc"]
        if problem["type"] == "extra_forbidden":
            raise self.unknown(path, _keys_beside(path, model)) from None
        known = path[: self._find(path)[1]]  # pydantic adds the kinds of value that it tried
        name = ".".join(part for part in known if isinstance(part, str)) or "the file"
        if problem["type"] == "missing":
            raise self.error(path, f"{path[-1]} is missing") from None
        message = problem["msg"].removeprefix("Value error, ")
        raise self.error(path, f"{name}: {message[:1].lower()}{message[1:]}") from None

    def _find(self, path: Sequence[int | str]) -> tuple[int, int]:
        """Return the deepest line on a path, as what is missing has none, and how many parts of the path lead to it."""
        line, node = 1, self._node
        for depth, part in enumerate(path):
            if isinstance(node, yaml.MappingNode):
                # What `<<` brings stands before the mapping's own keys, which replace it.
                found = next(((key, value) for key, value in reversed(node.value) if key.value == part), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                found = (node.value[part], node.value[part])
            else:
                found = None
            if found is None:
                return line, depth
            line, node = found[0].start_mark.line + 1, found[1]
        return line, len(path)


def _keys_beside(path: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """Return the keys that the model allows beside an unknown one."""
    schema = model.model_json_schema()
    node = schema
    for part in path[:-1]:
        if isinstance(part, int):
            node = node["items"]
        elif "properties" in node:
            node = node["properties"][part]
        else:  # a mapping whose keys people choose
            node = next(iter(node["patternProperties"].values()))
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return list(node["properties"])
