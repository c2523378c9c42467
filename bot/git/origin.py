"""Where exported files come from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """A repository on this disk.

    folder: where git is run; data: where git keeps what belongs to it (a bare repository's own folder, a clone's
    .git); url: where it was fetched from, None for a person's clone, for which nothing is fetched.
    """

    folder: Path
    data: Path
    url: str | None
