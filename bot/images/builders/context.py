"""What is checked of an order before a builder sees it: it can then read nothing but the app's own files."""

import os
import re
from pathlib import Path

from bot.images.builders.interface import BuildError, BuildPutOffError, Order

_NAME = re.compile(r"[A-Za-z_][\w.-]*")


def check(order: Order) -> str:
    """Return the Dockerfile's text. Raises BuildError, or BuildPutOffError for a secret that is not there."""
    for name in (*order.arguments, *order.secrets):
        if not _NAME.fullmatch(name):
            raise BuildError(f"build argument or secret {name!r}: expected letters, digits and _")
    for name, path in order.secrets.items():
        if not path.is_file() or "," in str(path):
            raise BuildPutOffError(f"build secret {name}: {path} is not a file, or has a comma in its name")
    for link in links_out(order.context):
        raise BuildError(
            f"{link} is a symbolic link out of the app's folder ({os.readlink(order.context / link)}); builds see only "
            "what is in that folder: make it a file, or remove it"
        )
    try:
        if order.dockerfile.is_symlink() and not order.dockerfile.is_relative_to(order.context):
            raise BuildError(f"{shown(order)} is a symbolic link; make it a file")
        return order.dockerfile.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BuildError(f"{shown(order)}: there is no such file; add it, or name the right one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{shown(order)} cannot be read as a Dockerfile: {error}") from None


def shown(order: Order) -> str:
    """Return the Dockerfile's path as the app's author knows it."""
    if order.dockerfile.is_relative_to(order.context):
        return str(order.dockerfile.relative_to(order.context))
    return order.dockerfile.name


def links_out(context: Path) -> list[Path]:
    """Return the symbolic links that end outside of the folder, as paths in it.

    A builder that follows such a link, as for `COPY link /`, would put this machine's files into the image. Links that
    are absolute lead out, too, although an image could hold them: a RUN can make those.
    """
    root = os.path.realpath(context)
    found = []
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                target = os.path.realpath(path)
                if target != root and not target.startswith(root + os.sep):
                    found.append(Path(path).relative_to(root))
    return sorted(found)
