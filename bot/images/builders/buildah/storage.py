"""Where buildah keeps the layers and images of one app: a folder that no other app's builds see."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.images.builders.buildah.jail import Jail
from bot.images.builders.buildah.locks import exclusive, shared
from bot.images.builders.process import clean_environment
from bot.limits import BUILDER_SECONDS, FULL_DISK_BYTES
from bot.process import Ended, ask

# Debian's crun refuses machines that have both kinds of control groups, and buildah 1.28 asks for limits that an
# ordinary machine does not grant. https://github.com/containers/common/blob/main/docs/containers.conf.5.md
_CONTAINERS_CONF = """\
[engine]
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
"""


class Storage:
    """One folder for an app's builds. Safe to be used from several threads and processes."""

    def __init__(self, folder: Path, driver: str, registries: str, below: Path | None = None) -> None:
        """`registries`: the text of registries.conf; `below`: the folder of a storage whose images are seen too."""
        self.folder = folder
        self._driver = driver
        self._registries = registries
        self._below = below
        self.lock = folder.parent / f"{folder.name}.lock"  # beside it: it stays when the folder goes

    @contextmanager
    def build(self, check: Callable[[], None] = lambda: None) -> Iterator[Path]:
        """Make a folder for the files of a build; nothing is pruned as long as it lasts, by no process.

        `check` is called while somebody prunes, and raises when the build is to end.
        """
        with shared(self.lock, check):
            self._make()
            (self.folder / "size").unlink(missing_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder / "builds", ignore_cleanup_errors=True) as scratch:
                _fill(Path(scratch))
                yield Path(scratch)

    def command(self, scratch: Path, *arguments: str | Path, readable: Sequence[Path] = ()) -> list[str]:
        """Return the command `buildah ARGUMENTS` on this storage, which sees of this machine what it needs.

        `readable`: files and folders that it sees besides.
        """
        # No device of an image is one: https://github.com/containers/storage/blob/main/docs/containers-storage.conf.5.md
        options = ["--storage-opt=overlay.mountopt=nodev"] if self._driver == "overlay" else []
        below = [self._below / "root"] if self._below and (self._below / "root" / "overlay-images").is_dir() else []
        options += [f"--storage-opt=overlay.imagestore={root}" for root in below]
        places = [f"--root={self.folder}/root", f"--runroot={self.folder}/run"]
        places += [f"--storage-driver={self._driver}", *options, f"--registries-conf={self.folder}/registries.conf"]
        return Jail(scratch / "jail", [*readable, *below], [self.folder]).command(["buildah", *places, *arguments])

    def environment(self, scratch: Path) -> dict[str, str]:
        return {
            **clean_environment(self.folder / "home"),
            "TMPDIR": str(scratch / "tmp"),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
        }

    def mark(self, scratch: Path) -> list[str]:
        """Return options marking what a build makes, for `clean`: a secret that no RUN asks for; and runc's folder."""
        return [f"--secret=id={scratch.name},src={scratch / 'mark'}", f"--runtime-flag=root={scratch / 'runc'}"]

    def clean(self, scratch: Path) -> None:
        """Remove the containers that a build left behind.

        buildah keeps a container's options, our mark among them, in this file; no command of it shows them.
        """
        mark, left = str(scratch / "mark").encode(), []
        for file in self.folder.glob("root/*-containers/*/userdata/buildah.json"):
            with suppress(FileNotFoundError):  # another build's, which has ended
                if mark in file.read_bytes():
                    left.append(file.parts[-3])
        if left:
            self._ask(scratch, "rm", *left)

    def used(self, image: str) -> None:
        """Remember when an image was last built."""
        (self.folder / "used" / image.removeprefix("sha256:")).touch()

    def forget(self, scratch: Path, image: str) -> None:
        """Remove an image that was built, with the layers that only it has."""
        self._ask(scratch, "rmi", "--force", image)

    def prune(self, most_bytes: float) -> None:
        """Remove images until no more than that is left, and what killed builds left. Not while a build runs."""
        with exclusive(self.lock) as alone:
            left = self.folder / "builds"
            if not alone or (self.size() <= most_bytes and not (left.is_dir() and any(left.iterdir()))):
                return
            self._make()
            shutil.rmtree(left, ignore_errors=True)
            scratch = left / "prune"
            scratch.mkdir(parents=True)
            _fill(scratch)
            self._ask(scratch, "rm", "--all")  # of a bot that was killed
            while self._measured() > most_bytes and (oldest := self._oldest(scratch)):
                if self._ask(scratch, "rmi", "--force", oldest).code:
                    break
                (self.folder / "used" / oldest).unlink(missing_ok=True)
            if self._measured() > most_bytes:
                self._ask(scratch, "rmi", "--all", "--force")
            shutil.rmtree(left, ignore_errors=True)
            left.mkdir()
            (self.folder / "size").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder. Not while a build runs."""
        with exclusive(self.lock) as alone:
            if alone:
                shutil.rmtree(self.folder, ignore_errors=True)

    def size(self) -> int:
        """Return the bytes on the disk, measured once after each build."""
        known = self.folder / "size"
        with suppress(OSError, ValueError):
            return int(known.read_text())
        size = self._measured()
        with suppress(FileNotFoundError):  # nothing was built yet
            known.write_text(str(size))
        return size

    def last_used(self) -> float:
        """Return when something was built last, 0 for never."""
        with suppress(FileNotFoundError):
            return (self.folder / "builds").stat().st_mtime
        return 0.0

    def is_full(self) -> bool:
        """Tell whether next to nothing is free on the disk, in bytes or in files."""
        found = os.statvfs(self.folder)
        room = found.f_bavail * found.f_frsize
        return (
            room < min(FULL_DISK_BYTES, found.f_blocks * found.f_frsize // 20)
            or 0 <= found.f_favail < found.f_files // 1000
        )

    def _measured(self) -> int:
        size = 0
        for folder, _, files in os.walk(self.folder / "root"):
            for name in files:
                with suppress(FileNotFoundError):
                    size += os.lstat(os.path.join(folder, name)).st_blocks * 512
        return size

    def _oldest(self, scratch: Path) -> str | None:
        """Return the image whose last build is the longest ago; base images, which were never built, come last."""
        listed = self._ask(scratch, "images", "--json", "--no-trunc")
        held = json.loads(listed.text or "[]") if listed.code == 0 else []
        images = [image["id"].removeprefix("sha256:") for image in held if not image.get("readonly")]
        return min(images, key=self._last_built, default=None)

    def _last_built(self, image: str) -> float:
        try:
            return (self.folder / "used" / image).stat().st_mtime
        except FileNotFoundError:
            return time.time()

    def _ask(self, scratch: Path, *arguments: str) -> Ended:
        return ask(self.command(scratch, *arguments), self.environment(scratch), BUILDER_SECONDS)

    def _make(self) -> None:
        for name in ("home", "used", "builds"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in (("registries.conf", self._registries), ("containers.conf", _CONTAINERS_CONF)):
            file = self.folder / name
            if not file.is_file() or file.read_text() != text:
                _write(file, text)


def _write(file: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as part:
        part.write(text)
    os.replace(part.name, file)


def _fill(scratch: Path) -> None:
    """Make what each command needs in the folder for its files."""
    for name in ("tmp", "jail"):
        (scratch / name).mkdir()
    (scratch / "mark").touch()
