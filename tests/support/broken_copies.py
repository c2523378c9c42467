"""What happens to a repository's kept copy: a kill, a machine without power, a full disk, a person."""

from collections.abc import Callable
from pathlib import Path

LOCKS = ("HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "refs/heads/master.lock", "refs/tags/v1.lock")
REMAINS = ("objects/pack/tmp_pack_a1B2c3", "objects/pack/tmp_idx_a1B2c3", "objects/4b/tmp_obj_a1B2c3")


def leave(folder: Path, *names: str) -> None:
    """Leave files as a git does that was killed."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"half")


def truncate(folder: Path, size: int) -> None:
    """Cut all objects, as a machine does that lost its power."""
    files = [file for file in (folder / "objects").rglob("*") if file.is_file()]
    assert files
    for file in files:
        file.chmod(0o644)
        file.write_bytes(file.read_bytes()[:size])


BROKEN: dict[str, Callable[[Path], object]] = {
    "locks": lambda folder: leave(folder, *LOCKS),
    "empty ref": lambda folder: (folder / "refs/heads/master").write_bytes(b""),
    "no HEAD": lambda folder: (folder / "HEAD").unlink(),
    "broken config": lambda folder: (folder / "config").write_text("[core\n"),
    "truncated objects": lambda folder: truncate(folder, 10),
    "empty objects": lambda folder: truncate(folder, 0),
    "no objects": lambda folder: [file.unlink() for file in (folder / "objects").rglob("*") if file.is_file()],
}
