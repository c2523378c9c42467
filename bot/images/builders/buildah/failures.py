"""What buildah's error text means. Pure; the tests get that text from buildah itself."""

import re

from bot.errors import DppctlError
from bot.images.builders import failures
from bot.images.builders.context import shown
from bot.images.builders.dockerfile import line_of, lines_with
from bot.images.builders.failures import NO_ROOM, clipped, location
from bot.images.builders.interface import BuildError, BuildPutOffError, Order
from bot.process import Ended

_STEP = re.compile(r'building at STEP "((?:[^"\\]|\\.)*)": (.*)', re.DOTALL)
# `committing container for step {… Original:RUN …}: what failed`: a layer goes to a file first, and what reads it says
# what became of the file, not why.
_COMMIT = re.compile(r"committing container for step \{.*?\}: (copying layers .*)", re.DOTALL)
_NOT_STORED = re.compile(r"storing layer .*(?:closed pipe|short write)", re.DOTALL)
_FAILED_RUN = re.compile(
    r'building at STEP "(RUN .*)": (while running runtime: exit status \d+)', re.DOTALL | re.IGNORECASE
)
_STATUS = re.compile(r"exit status (\d+)$")
_NO_FILE = re.compile(r'copier: stat: "/?([^"]*)": no such file')
_UNKNOWN = re.compile(r'(?:Build error: )?Unknown instruction: "([^"]*)"')
_TARGET = re.compile(r'target "([^"]*)" was not found')
_PARSING = re.compile(r"(?:parsing main Dockerfile: [^:]*: )?((\w+) (?:must have|requires|names can not|can.t have).*)")
_NOT_GOT = re.compile(r"from=(\S+): no stage or image found with that name")
NEWER = "use DPPCTL_BUILDER=docker, or a newer buildah"


def failure(ended: Ended, order: Order, text: str, version: str, *, is_full: bool = False) -> DppctlError:
    """Return the error of a `buildah build` that failed.

    `text`: the Dockerfile; `version`: buildah's; `is_full`: the disk with its files was seen to be.
    """
    file, (words, before) = shown(order), _error_text(ended)
    # First, for it quotes what an app's author wrote; a RUN's quotes are as they were.
    if step := _FAILED_RUN.fullmatch(words) or _STEP.match(words):
        return _step(step[1].replace('\\"', '"'), step[2], before, order, text, version, is_full=is_full)
    if commit := _COMMIT.match(words):
        if _NOT_STORED.search(commit[1]):
            return BuildPutOffError(NO_ROOM)
        words = commit[1]
    if problem := failures.disk(words):
        return problem
    if target := _TARGET.search(words):
        return BuildError(f"{file} has no stage {target[1]!r}; correct the target, or add `FROM … AS {target[1]}`")
    if problem := failures.registry(words, None, order.logins):
        return problem
    if wrong := _PARSING.fullmatch(words):
        return BuildError(f"{location(file, text, None, wrong[2])}: {wrong[1]}")
    if "no FROM statement" in words or "no contents in" in words:
        return BuildError(f"{file}: there is no FROM, or it names nothing; a Dockerfile begins with FROM IMAGE")
    return BuildError(f"{file}: {clipped(words) or f'buildah ended with {ended.code}'}")


def not_got(ended: Ended) -> str | None:
    """Return the image of a COPY --from, or of a RUN --mount, that buildah could not get without saying why."""
    found = _NOT_GOT.search(_error_text(ended)[0])
    return found[1] if found else None


def push_failure(ended: Ended, order: Order) -> DppctlError:
    """Return the error of a `buildah push` that failed."""
    words, _ = _error_text(ended)
    return (
        failures.disk(words)
        or failures.registry(words, order.destination)
        or BuildError(f"cannot push {order.destination}: {clipped(words) or f'buildah ended with {ended.code}'}")
    )


def _step(
    step: str, words: str, before: list[str], order: Order, text: str, version: str, *, is_full: bool
) -> DppctlError:
    """Return the error of an instruction that failed; `before`: the lines of output before buildah's own."""
    where = location(shown(order), text, line_of(text, step), step.split(" ", 1)[0])
    if problem := failures.disk(words):
        return problem
    if unknown := _UNKNOWN.match(words):
        line = next(iter(lines_with(text, unknown[1])), None)
        return BuildError(f"{location(shown(order), text, line)}: {unknown[1]} is no instruction of a Dockerfile")
    if missing := _NO_FILE.search(words):
        return BuildError(
            f"{where}: {clipped(step)}: there is no {missing[1]} in the app's folder, or .dockerignore leaves it out"
        )
    if " only supports the " in words:
        return BuildError(f"{where}: buildah {version} does not know an option of {clipped(step)!r}; {NEWER}")
    status = _STATUS.search(words.strip())
    if step.upper().startswith("RUN ") and status:
        begin = max((number for number, line in enumerate(before) if re.match(r"(\[.*\] )?STEP \d", line)), default=-1)
        return failures.failed_run(where, step, status[1], before[begin + 1 :], is_full=is_full)
    if problem := failures.added_url(where, step, words):
        return problem
    return failures.registry(words, None, order.logins) or BuildError(f"{where}: {clipped(step)}: {clipped(words)}")


def _error_text(ended: Ended) -> tuple[str, list[str]]:
    """Return what follows the last `Error: `, and the lines before it."""
    for number in range(len(ended.lines) - 1, -1, -1):
        if ended.lines[number].startswith("Error: "):
            words = "\n".join(ended.lines[number:]).removeprefix("Error: ")
            return words.strip(), ended.lines[:number]
    return "\n".join(ended.lines[-3:]).strip(), ended.lines
