"""Whether BuildKit reads a Dockerfile itself, or has an image of somebody's do that.

Such a frontend is a program that runs in BuildKit and asks it for whatever it likes. How BuildKit finds it:
https://github.com/moby/buildkit/blob/master/frontend/dockerfile/parser/directives.go. Pure.
"""

import json
import re
from collections.abc import Collection, Iterator

from bot.images.builders.context import shown
from bot.images.builders.interface import BuildError, Order

_ARGUMENTS = ("BUILDKIT_SYNTAX", "BUILDKIT_CACHE_MOUNT_NS")  # the second is dppctl's: it keeps apps' caches apart
_JSON = re.compile(r'(?is)"syntax"\s*:\s*"([^"]*)"')
_DIRECTIVE = re.compile(r"(?i)\s*(?:#|//)\s*syntax\s*=\s*(.*?)\s*")


def check_frontend(order: Order, text: str, allowed: Collection[str]) -> None:
    """Raise BuildError when the Dockerfile's text, or a build argument, names a frontend that is not allowed."""
    for name in _ARGUMENTS:
        given = order.arguments.get(name)
        if given is not None and (given not in allowed or name != _ARGUMENTS[0]):
            raise BuildError(f".dppctl.yaml: build: arguments: {name}: it steers the builder; {_advice(given)}")
    for line, frontend in _named(text):
        if frontend not in allowed:
            what = f"syntax={frontend} has another program than BuildKit's own read the Dockerfile"
            raise BuildError(f"{shown(order)}:{line}: {what}; {_advice(frontend)}")


def _advice(frontend: str) -> str:
    return f"remove it, or ask whoever runs dppctl to let DPPCTL_DOCKERFILE_FRONTENDS name {frontend}"


def _named(text: str) -> Iterator[tuple[int, str]]:
    """Yield the frontends that the comments at the beginning name, or the JSON there, with their lines."""
    text = text.removeprefix("\ufeff")
    body = re.sub(r"\A\s*#!.*\n", "", text)
    if body.lstrip().startswith("{"):
        yield from ((1, frontend) for frontend in _in_json(body))
        return
    # At \n alone: what else Python takes for the end of a line is a space to BuildKit, such as \f after the #.
    for number, line in enumerate(text.split("\n"), 1):
        if found := _DIRECTIVE.fullmatch(line):
            yield number, found[1]
            return
        if line.strip() and not line.lstrip().startswith(("#", "//")):
            return


def _in_json(text: str) -> list[str]:
    """Return what all keys `syntax` say, also such as are written `s\\u0079ntax`: of several BuildKit takes one."""
    found: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        found.extend(value for name, value in pairs if name.casefold() == "syntax" and isinstance(value, str))

    try:
        json.loads(text, object_pairs_hook=note, parse_int=str, parse_float=str)
    except ValueError:  # nor does BuildKit take it for JSON; where more comes after it another release might
        return _JSON.findall(text)
    except RecursionError:
        return ["JSON of too many levels"]
    return found
