"""Where exported files come from."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bot.git.copies import noting_broken


@dataclass(frozen=True)
class Origin:
    """A repository on this disk.

    folder: where git is run; data: where git keeps what belongs to it (a bare repository's own folder, a clone's
    .git); url: where it was fetched from, None for a person's clone, for which nothing is fetched.
    """

    folder: Path
    data: Path
    url: str | None

    def reading(self) -> AbstractContextManager[None]:
        """Let a copy that cannot be read in this context be made anew at its next refresh; the error goes on."""
        return noting_broken(self.data) if self.url else nullcontext()
