"""Which files of a workload are left out of an upload: as `.gitignore` and `.dppctlignore` say, both in git's syntax.

git itself is not asked: a workload need not be in a repository, and a file that git follows may still be too large
to go to a cluster. Patterns are read by pathspec (https://python-path-specification.readthedocs.io).
"""

from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from cli.errors import InputError

FILES = (".gitignore", ".dppctlignore")  # what the second says wins
ALWAYS = (".git", ".dpp/", "__pycache__/")  # of git, of dpp's own state, of Python


@dataclass(frozen=True)
class IgnoreRules:
    """The patterns of a folder and of those around it, the nearest last, each with the folder that it stands in."""

    levels: tuple[tuple[Path, GitIgnoreSpec], ...] = field(default_factory=tuple)

    def below(self, folder: Path) -> "IgnoreRules":
        """Return the rules for what is in a folder, which may have patterns of its own. Raises InputError."""
        lines = [line for name in FILES for line in _lines(folder / name)]
        if not lines:
            return self
        try:
            return IgnoreRules((*self.levels, (folder, GitIgnoreSpec.from_lines(lines))))
        except ValueError as error:
            raise InputError(f"{folder}: {' or '.join(FILES)} has a pattern that cannot be read: {error}") from None

    def leaves_out(self, path: Path, *, is_folder: bool) -> bool:
        """Return whether a file or folder is left out: the nearest patterns that say something about it count."""
        for folder, spec in reversed(self.levels):
            name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
            if (said := spec.check_file(name).include) is not None:
                return said
        return False


def rules_of(workload: Path) -> IgnoreRules:
    """Return the rules of a workload's folder, with those of the repository that it is in. Raises InputError."""
    around = []
    if not (workload / ".git").exists():
        for folder in workload.parents:
            around.append(folder)
            if (folder / ".git").exists():
                break
        else:
            around = []
    top = around[-1] if around else workload
    rules = IgnoreRules(((top, GitIgnoreSpec.from_lines(ALWAYS)),))
    for folder in reversed(around):
        rules = rules.below(folder)
    return rules


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
