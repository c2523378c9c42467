"""What BuildKit's error text means, whether docker or buildctl passes them on. Pure.

Its messages: https://github.com/moby/buildkit/tree/master/frontend/dockerfile, and solver/errdefs there for the lines
of the Dockerfile that it quotes.
"""

import re

from bot.errors import DppctlError
from bot.images.builders import failures
from bot.images.builders.context import shown
from bot.images.builders.failures import clipped, location
from bot.images.builders.interface import BuildError, BuildPutOffError, Order
from bot.process import Ended

_ERROR = re.compile(r"(?i:error): (?:failed to build: )?(?:failed to solve: )?(.*)", re.DOTALL)
_RUN = re.compile(r'process "(.*)" did not complete successfully: exit code: (\d+)', re.DOTALL)
_QUOTED_LINE = re.compile(r"^\S*:(\d+)$")
_MARKED = re.compile(r"\s*\d+ \| >>> +(.*)")
_PARSE = re.compile(r"(?:dockerfile )?parse error (?:on )?line (\d+): (.*)", re.DOTALL)
_TARGET = re.compile(r"target stage \"?([^\"\s]+)\"? could not be found")
_NO_FILE = re.compile(r'"/?([^"]*)": not found')
_IMAGE = re.compile(r"(?:resolve source metadata for|load metadata for) (\S+?):? ")
_DAEMON = re.compile(r"cannot connect to the docker daemon.*|error during connect.*", re.IGNORECASE)


def failure(ended: Ended, order: Order) -> DppctlError:
    """Return the error of a build or a push that failed."""
    file, words = shown(order), _error_text(ended)
    where = location(file, "", _line(ended.lines))
    if run := _RUN.search(words):  # first, for it quotes what an app's author wrote
        return failures.failed_run(where, run[1].removeprefix("/bin/sh -c "), run[2], _output(ended.lines))
    if problem := failures.disk(words):
        return problem
    if _DAEMON.search(words):
        return BuildPutOffError(f"docker: the daemon does not answer: {clipped(words)}")
    if parse := _PARSE.search(words):
        return BuildError(f"{file}:{parse[1]}: {clipped(parse[2])}")
    if target := _TARGET.search(words):
        return BuildError(f"{file} has no stage {target[1]!r}; correct the target, or add `FROM … AS {target[1]}`")
    if problem := failures.added_url(where, _instruction(ended.lines), words):
        return problem
    if "failed to push" in words or "exporting to image" in words:
        return failures.registry(words, order.destination) or BuildError(
            f"cannot push {order.destination}: {clipped(words)}"
        )
    if image := _IMAGE.search(words):
        return failures.registry(f"docker://{image[1]}: {words}", None) or BuildError(f"{where}: {clipped(words)}")
    if "failed to compute cache key" in words and (missing := _NO_FILE.search(words)):
        return BuildError(f"{where}: there is no {missing[1]} in the app's folder, or .dockerignore leaves it out")
    return failures.registry(words, None) or BuildError(
        f"{where}: {clipped(words) or f'the builder ended with {ended.code}'}"
    )


def digest(metadata: str) -> str | None:
    """Return the image's digest, of what `--metadata-file` holds: https://docs.docker.com/reference/cli/docker/buildx/build/."""
    found = re.search(r'"containerimage\.digest":\s*"(sha256:[0-9a-f]{64})"', metadata)
    return found[1] if found else None


def _error_text(ended: Ended) -> str:
    """Return what follows the last `ERROR: ` or `error: `; lines of the build itself begin with `#`."""
    for number in range(len(ended.lines) - 1, -1, -1):
        if found := _ERROR.match("\n".join(ended.lines[number:])):
            return found[1].strip()
    return "\n".join(ended.lines[-3:]).strip()


def _line(lines: list[str]) -> int | None:
    """Return the line of the Dockerfile: BuildKit writes `Dockerfile:4`, and the lines around it between two rulers."""
    for number in range(len(lines) - 2, -1, -1):
        if (found := _QUOTED_LINE.match(lines[number])) and lines[number + 1].startswith("----------"):
            return int(found[1])
    return None


def _instruction(lines: list[str]) -> str:
    """Return the instruction that failed, which BuildKit marks in the lines that it quotes; "" when it quotes none."""
    return next((found[1] for line in reversed(lines) if (found := _MARKED.match(line))), "")


def _output(lines: list[str]) -> list[str]:
    """Return the failed RUN's output, which BuildKit repeats between two lines of `------`, the RUN's name first."""
    rulers = [number for number, line in enumerate(lines) if line == "------"]
    for begin, end in zip(reversed(rulers[:-1]), reversed(rulers[1:]), strict=True):
        if lines[begin + 1].startswith(" > "):
            return [re.sub(r"^\d+\.\d+ ", "", line) for line in lines[begin + 2 : end]]
    return []
