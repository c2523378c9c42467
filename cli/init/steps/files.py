"""Text files that `dppctl init` writes: the app's `.dppctl.yaml`, the bot's `apps.yaml`."""

import os
from dataclasses import dataclass
from pathlib import Path

from cli.errors import InputError
from cli.init.steps.step import Change


def read_text(file: Path) -> str | None:
    """Return the file's text; None: there is no such file. Raises InputError for one that cannot be read as text."""
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None


@dataclass(frozen=True)
class FileStep:
    """The file has this text."""

    file: Path
    text: str
    what: str  # how messages call what is written

    def observe(self) -> Change | str:
        """Compare the text; a change writes the whole file, or nothing."""
        if read_text(self.file) == self.text:
            return f"{self.what} in {self.file}"
        return Change(f"write {self.what} to {self.file}", self._write)

    def _write(self) -> None:
        part = self.file.with_name(f"{self.file.name}.part")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(self.text)
            os.replace(part, self.file)
        except OSError as error:
            raise InputError(f"{self.file} cannot be written: {error.strerror}") from None
