"""From a builder's error text to an error of ours. Pure.

What a registry, the network or the disk did is put off; the rest is the source's. Builders tell both in text only, so
this looks for the words of Go's network library and of the registries' own error codes
(https://distribution.github.io/distribution/spec/api/#errors-2), which all builders quote.
"""

import re
from collections.abc import Collection

from bot.errors import DppctlError
from bot.images.builders.dockerfile import lines_with
from bot.images.builders.interface import BuildError, BuildPutOffError
from bot.images.decide import is_below
from bot.limits import FAILED_RUN_LINES, MAX_PROGRAM_LINE
from bot.model.image_reference import Reference

NO_ROOM = "no space left on the disk that holds the builder's files: free some"
# Of a RUN that says so itself, on a builder whose disk nobody here can look at.
MAYBE_FULL = "is the disk of the builder full? Free some there, and deploy again with `dppctl deploy`"
_DISK = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_LOGIN = re.compile(
    r"unauthorized|authentication required|access to the resource is denied|\b(401|403) (unauthorized|forbidden)"
    r"|insufficient_scope|no basic auth credentials",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(
    r"getting username and password|credential file|reading JSON file|loading config file", re.IGNORECASE
)
_AWAY = re.compile(
    r"connection (refused|reset)|no such host|no route to host|network is unreachable|i/o timeout|timeout awaiting"
    r"|TLS handshake|x509:|server gave HTTP response|temporary failure|server misbehaving|unexpected EOF"
    r"|context deadline exceeded|toomanyrequests|too many requests|\b50[0234]\b|unexpected status.*\b5\d\d\b",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"manifest unknown|name unknown|repository name not known|\bnot found\b", re.IGNORECASE)
_ADDED = re.compile(r"(?i)ADD (?:--\S+ )*(https?://\S+)")
_URL = re.compile(r"https?://[^\s\"]+")
_SECRET_PARTS = re.compile(r"(?<=//)[^/@]*@|\?.*")  # of a URL
_STATUS = re.compile(r"\b(?:status|code|response)\D{0,20}([45]\d\d)\b", re.IGNORECASE)
_PINGED = re.compile(r"pinging container registry ([^\s\"]+?):? |https?://([^\s/\"]+)/v2|lookup ([^\s\"]+) on ")
_IMAGE = re.compile(r"docker://([^\s\"]+?)\"?(?:: |$)")


def says_full(words: str) -> bool:
    """Tell whether somebody says that a disk is full; a RUN may say so of what it likes."""
    return bool(_DISK.search(words))


def disk(words: str) -> DppctlError | None:
    """Return an error when the builder says that its machine has no room on its disk."""
    if says_full(words):
        return BuildPutOffError(NO_ROOM)
    return None


def registry(words: str, destination: str | None, logins: Collection[str] | None = None) -> DppctlError | None:
    """Return an error when a registry caused the failure. `destination`: what was pushed; None for a pull.

    `logins`: the images (HOST/NAME, and below) that could be pulled with our login; None: all.
    """
    pinged, image = _PINGED.search(words), _IMAGE.search(words)
    name = destination or (image[1] if image else "")
    host = next(filter(None, pinged.groups()), "") if pinged else ""
    host = host or (name.partition("/")[0] if "/" in name else "docker.io")
    what = f"cannot push {destination}" if destination else f"cannot get the base image {name}".rstrip()
    if _CREDENTIALS.search(words):
        return BuildPutOffError(
            f"{what}: the file that DPPCTL_REGISTRY_AUTH_FILE names cannot be used: {clipped(words)}"
        )
    if _LOGIN.search(words) and logins is not None and not destination and not _may_log_in(name, logins):
        return BuildError(
            f"{what}: the registry {host} asks for a login, and this app may not use dppctl's there: make the image "
            "public, or let the app's `images:` in apps.yaml name it"
        )
    if _LOGIN.search(words):
        return BuildPutOffError(
            f"{what}: the registry {host} asks for a login, or refuses the one it got: give one that may in the file "
            "that DPPCTL_REGISTRY_AUTH_FILE names" + ("" if destination else "; or there is no such image")
        )
    if _AWAY.search(words):
        return BuildPutOffError(f"{what}: the registry {host} does not answer as it should: {clipped(words)}")
    if not destination and _NOT_FOUND.search(words):
        return BuildError(f"there is no image {name}; correct the Dockerfile's FROM or COPY --from")
    return None


def _may_log_in(image: str, logins: Collection[str]) -> bool:
    try:
        return is_below(Reference.parse(image), logins)
    except DppctlError:
        return False


def failed_run(
    location: str, command: str, code: str, output: list[str], *, is_full: bool | None = None
) -> DppctlError:
    """Return the error of a RUN that failed: its command, its exit code and its last lines.

    `is_full`: whether the disk was seen to be, None: nobody could look; what the RUN itself says of one proves nothing.
    """
    end = "\n".join(output[-FAILED_RUN_LINES:])
    if is_full and (problem := disk(end)):
        return problem
    hint = f" ({MAYBE_FULL})" if is_full is None and says_full(end) else ""
    return BuildError(
        f"{location}: {clipped(command)}: exit code {code}{hint}" + (f"; its last lines:\n{end}" if end.strip() else "")
    )


def added_url(location: str, instruction: str, words: str) -> DppctlError | None:
    """Return the error of an `ADD URL` that failed; None for another instruction. A registry has no part in it."""
    url = _ADDED.match(instruction)
    if not url:
        return None
    shown, words = (_URL.sub(lambda found: _SECRET_PARTS.sub("", found[0]), text) for text in (url[1], words))
    status = _STATUS.search(words)
    answer = f"answers {status[1]}" if status else clipped(words)
    if not status or status[1] in ("408", "429") or status[1].startswith("5"):
        return BuildPutOffError(f"{location}: cannot get {shown}, which ADD names: {answer}")
    return BuildError(f"{location}: cannot get {shown}, which ADD names: it {answer}; correct the URL")


def location(dockerfile: str, text: str, line: int | None, instruction: str = "") -> str:
    """Return `Dockerfile:3`, or all lines with the instruction when it is not known which line is meant."""
    lines = [line] if line else lines_with(text, instruction) if instruction else []
    if not lines:
        return dockerfile
    return f"{dockerfile}:{lines[0]}" if len(lines) == 1 else f"{dockerfile}, one of the lines {_listed(lines)}"


def clipped(words: str) -> str:
    """Return the text on one line, which is not too long."""
    line = " ".join(words.split())
    return line if len(line) <= MAX_PROGRAM_LINE // 4 else line[: MAX_PROGRAM_LINE // 4 - 1] + "…"


def _listed(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:10])) + (", …" if len(lines) > 10 else "")
