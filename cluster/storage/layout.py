"""Where a publication is in the storage, and which version of it is current: pure, the same for all engines.

    WORKER/…                              a run's publication: written once, never again
    APP/ENVIRONMENT/releases/ID/…         a version of a deployment's publication: written once
    APP/ENVIRONMENT/current.json          the pointer: which release each path is read from

Writing the pointer, one small file, makes a new version current: whole, or not at all. A release holds what one run
wrote, so a run of some pipelines makes only their packages new. Paths in a publication end with a slash: `committees/`;
the empty one is all of it, a site.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import PermanentError

RELEASES = "releases"
POINTER_FILE = "current.json"
DESCRIPTOR = "datapackage.json"
SITE = "index.html"
MAX_POINTER_BYTES = 2**20  # of a few thousand packages
_KEPT_BEFORE = 2  # earlier pointers, whose releases stay: who began to read an old version can read on
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z0-9]{1,16}")
_ID_TIME = "%Y%m%d-%H%M%S"


class LayoutError(PermanentError):
    """A prefix, a path or a pointer is not as it has to be."""


def _check_path(path: str) -> str:
    if path and not (path.endswith("/") and all(part and not part.startswith(".") for part in path[:-1].split("/"))):
        raise ValueError(f"{path!r} is no path such as `committees/`")
    if path.split("/", 1)[0] == RELEASES:
        raise ValueError(f"{path!r}: the name {RELEASES!r} is the storage's own; call the folder otherwise")
    return path


def _check_id(release: str) -> str:
    if not _ID.fullmatch(release):
        raise ValueError(f"{release!r} is no release")
    return release


PublishedPath = Annotated[str, AfterValidator(_check_path)]
ReleaseId = Annotated[str, AfterValidator(_check_id)]


@dataclass(frozen=True)
class Prefix:
    """Where a publication is in the storage, with a slash at the end: a run's, or a deployment's.

    Empty: the storage holds one deployment's and nothing else.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the prefix of `WORKER/` or `APP/ENVIRONMENT/`. Raises LayoutError."""
        parts = text.removesuffix("/").split("/")
        if len(parts) not in (1, 2) or not all(_SEGMENT.fullmatch(part) for part in parts) or parts[0] == RELEASES:
            raise LayoutError(f"{text[:200]!r} is no prefix of the storage; it is WORKER/ or APP/ENVIRONMENT/")
        return cls("/".join(parts) + "/")

    @property
    def is_deployment(self) -> bool:
        """Return whether it has releases and a pointer; a run's has neither."""
        return self.text.count("/") != 1

    @property
    def pointer(self) -> str:
        """Return where its pointer is."""
        return self.text + POINTER_FILE

    @property
    def releases(self) -> str:
        """Return where its releases are."""
        return f"{self.text}{RELEASES}/"

    def release(self, release: str) -> str:
        """Return where a release is."""
        return f"{self.releases}{release}/"


class Pointer(BaseModel):
    """What is current of a deployment's publication, as it stands in `current.json`."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    paths: dict[PublishedPath, ReleaseId]
    published: AwareDatetime
    before: Annotated[tuple[tuple[ReleaseId, ...], ...], Field(max_length=_KEPT_BEFORE)] = ()
    """What the pointers before this one named, the newest first."""

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Return the pointer of such a file. Raises LayoutError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise LayoutError(f"{POINTER_FILE} cannot be read: {where}: {first['msg']}") from None

    def write(self) -> bytes:
        """Return the file's content."""
        return self.model_dump_json().encode()

    def resolve(self, path: str) -> str | None:
        """Return the release that a path (`committees/data.csv`, `committees`) is read from: by the longest prefix.

        None: nothing was published there, or it is a folder above what was: see `below`.
        """
        named = (known for known in self.paths if f"{path}/".startswith(known))
        longest = max(named, key=len, default=None)
        return None if longest is None else self.paths[longest]

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder (`""`, `committees/`) that are published by paths of their own, sorted."""
        return tuple(
            sorted(
                {
                    known[len(folder) :].split("/", 1)[0]
                    for known in self.paths
                    if known != folder and known.startswith(folder)
                }
            )
        )

    @property
    def named(self) -> tuple[str, ...]:
        """Return the releases that it reads from, sorted."""
        return tuple(sorted(set(self.paths.values())))


def switch(current: Pointer | None, release: str, paths: Iterable[str], now: datetime) -> Pointer:
    """Return the pointer that reads these paths from a new release, and all others from where they are now.

    The same one again when it is current already: a switch is done once. Raises LayoutError.
    """
    new = dict.fromkeys(paths, release)
    if current and all(current.paths.get(path) == release for path in new):
        return current
    before = (current.named, *current.before)[:_KEPT_BEFORE] if current else ()
    try:
        made = Pointer(paths={**(current.paths if current else {}), **new}, published=now, before=before)
    except ValidationError as error:
        raise LayoutError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    if len(made.write()) > MAX_POINTER_BYTES:
        many = f"with this there are {len(made.paths):,} published paths, and {POINTER_FILE}, which names them, would"
        raise LayoutError(
            f"{many} have more than {MAX_POINTER_BYTES:,} bytes; publish fewer packages, or shorter paths"
        )
    return made


def removable(present: Iterable[str], pointer: Pointer | None, made_before: datetime) -> tuple[str, ...]:
    """Return which of the releases that are present may be deleted: those that none of the last pointers named.

    A newer one than `made_before` may be in the making, by a publisher that works at the same time.
    """
    kept = {*pointer.named, *(name for names in pointer.before for name in names)} if pointer else set()
    return tuple(sorted(name for name in present if name not in kept and _is_made_before(name, made_before)))


def make_id(now: datetime, uid: str) -> str:
    """Return the id of a release that is made now for the publication of this uid; ids sort by their time."""
    letters = re.sub("[^a-z0-9]", "", uid.lower())[:8] or "x"
    return f"{now.astimezone(UTC):{_ID_TIME}}-{letters}"


def is_last(file: str) -> bool:
    """Return whether a file is written after all others: what it describes is there when somebody reads it."""
    return file.rpartition("/")[2] in (DESCRIPTOR, SITE)


def _is_made_before(release: str, moment: datetime) -> bool:
    if not _ID.fullmatch(release):
        return False  # not ours: somebody else put it there
    try:
        return datetime.strptime(release[:15], _ID_TIME).replace(tzinfo=UTC) <= moment
    except ValueError:
        return False
