"""What the tests of the export of a commit share."""

import hashlib
from pathlib import Path

from bot.git.mirror import Mirror

DATA = "a,b\n1,2\n3,4\n"


def pointer_of(content: str) -> str:
    oid = hashlib.sha256(content.encode()).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


def files_of(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def export(mirror: Mirror, commit: str, target: Path, path: str = "") -> dict[str, str]:
    mirror.refresh()
    mirror.files(commit, path).export(target)
    return files_of(target)
