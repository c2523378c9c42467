"""Whether BuildKit reads a Dockerfile itself, or has an image of somebody's do that.

Such a frontend is a program that runs in BuildKit and asks it for whatever it likes. How BuildKit finds it:
https://github.com/moby/buildkit/blob/master/frontend/dockerfile/parser/directives.go. Pure.
"""

import re
from collections.abc import Collection

from bot.images.builders.context import shown
from bot.images.builders.interface import BuildError, Order

_ARGUMENTS = ("BUILDKIT_SYNTAX", "BUILDKIT_CACHE_MOUNT_NS")  # the second is dppctl's: it keeps apps' caches apart
_DIRECTIVE = re.compile(r"(?i)\s*(?:#|//)\s*syntax\s*=\s*(.*?)\s*")
_JSON = re.compile(r'(?is)"syntax"\s*:\s*"([^"]*)"')


def check_frontend(order: Order, text: str, allowed: Collection[str]) -> None:
    """Raise BuildError when the Dockerfile's text, or a build argument, names a frontend that is not allowed."""
    for name in _ARGUMENTS:
        given = order.arguments.get(name)
        if given is not None and (given not in allowed or name != _ARGUMENTS[0]):
            raise BuildError(f".dppctl.yaml: build: arguments: {name}: it steers the builder; {_advice(given)}")
    if found := _named(text):
        line, frontend = found
        if frontend not in allowed:
            what = f"syntax={frontend} has another program than BuildKit's own read the Dockerfile"
            raise BuildError(f"{shown(order)}:{line}: {what}; {_advice(frontend)}")


def _advice(frontend: str) -> str:
    return f"remove it, or ask whoever runs dppctl to let DPPCTL_DOCKERFILE_FRONTENDS name {frontend}"


def _named(text: str) -> tuple[int, str] | None:
    """Return the frontend that the comments at the beginning name, or the JSON there, and its line."""
    text = text.removeprefix("\ufeff")
    body = re.sub(r"\A\s*#!.*\n", "", text)
    if body.lstrip().startswith("{") and (found := _JSON.search(body)):
        return 1, found[1]
    for number, line in enumerate(text.splitlines(), 1):
        if found := _DIRECTIVE.fullmatch(line):
            return number, found[1]
        if line.strip() and not line.lstrip().startswith(("#", "//")):
            return None
    return None
