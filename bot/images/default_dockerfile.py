"""The Dockerfile of an app that has none: the runtime image, the app's requirements, its files."""

from pathlib import Path

from bot.errors import PermanentError
from bot.images.builders.interface import BuildError
from bot.model.requirements import REQUIREMENTS, references

# The same rule as without an image: what dpp needs wins over what a requirement asks for.
_INSTALL = """\
RUN --mount=type=cache,target=/var/cache/uv \\
    uv pip install --cache-dir /var/cache/uv --compile-bytecode \\
    --override /opt/dppctl/overrides.txt {again}-r requirements.txt
"""
# uv's cache, which builds share, goes by the time of a project's pyproject.toml alone.
_AGAIN = "--refresh "
_COPY = "COPY --chown=1000:1000 . ./\n"

TEMPLATE = f"{_COPY}{_INSTALL}{_AGAIN}"  # what changes with a release of dppctl


def default_dockerfile(runtime_image: str, app: Path) -> str:
    """Return its text.

    runtime_image: what images/runtime/Dockerfile builds, best by digest; app: the folder of the app's files. Raises
    BuildError, with file and line, for requirements that lead nowhere or out of that folder.
    """
    if not (app / REQUIREMENTS).is_file():
        return f"FROM {runtime_image}\n{_COPY}"
    try:
        has_files = bool(references(app))
    except PermanentError as error:
        raise BuildError(str(error)) from None
    # By themselves, where they can be: their layer then stays as it is when something else of the app changes.
    install = _INSTALL.format(again=_AGAIN if has_files else "")
    steps = f"{_COPY}{install}" if has_files else f"COPY {REQUIREMENTS} ./\n{install}{_COPY}"
    return f"FROM {runtime_image}\nUSER 0:0\n{steps}USER 1000:1000\n"
