"""What happens to a repository's kept copy: a kill, a machine without power, a full disk, a person."""

import random
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


def harm_at_random(folder: Path, chance: random.Random) -> str:
    """Cut, empty, fill with other bytes or remove some files of a copy; return which."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    told = []
    for file in chance.sample(files, min(len(files), chance.randint(1, 4))):
        what = chance.choice(("cut", "emptied", "spoilt", "removed"))
        file.chmod(0o644)
        content = file.read_bytes()
        if what == "removed":
            file.unlink()
        elif what == "spoilt":
            place = chance.randrange(len(content) + 1)
            file.write_bytes(content[:place] + b"\0\xff#" + content[place + 3 :])
        else:
            file.write_bytes(content[: chance.randrange(len(content) + 1) if what == "cut" else 0])
        told.append(f"{file.relative_to(folder)} {what}")
    return ", ".join(told)
