"""The Dockerfile of an app that has none: the runtime image, the app's requirements, its files."""

import re

# A package of an index, with or without extras, versions and markers. Anything else may lead to a file of the app.
_FROM_AN_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]*\s*(\[[^\]]*\])?\s*([<>=!~;].*)?", re.IGNORECASE | re.ASCII)

# The same rule as without an image: what dpp needs wins over what a requirement asks for.
_INSTALL = """\
RUN --mount=type=cache,target=/var/cache/uv \\
    uv pip install --cache-dir /var/cache/uv --compile-bytecode \\
    --override /opt/dppctl/overrides.txt -r requirements.txt
"""
_COPY = "COPY --chown=1000:1000 . ./\n"


def default_dockerfile(runtime_image: str, requirements: str | None) -> str:
    """Return its text.

    runtime_image: what images/runtime/Dockerfile builds, best by digest; requirements: the text of the app's
    requirements.txt, None when it has none.
    """
    if requirements is None:
        return f"FROM {runtime_image}\n{_COPY}"
    # By themselves, where they can be: their layer then stays as it is when something else of the app changes.
    steps = f"COPY requirements.txt ./\n{_INSTALL}{_COPY}" if _stand_alone(requirements) else f"{_COPY}{_INSTALL}"
    return f"FROM {runtime_image}\nUSER 0:0\n{steps}USER 1000:1000\n"


def _stand_alone(requirements: str) -> bool:
    lines = [line.partition("#")[0].strip() for line in requirements.splitlines()]
    return all(_FROM_AN_INDEX.fullmatch(line) for line in lines if line)
