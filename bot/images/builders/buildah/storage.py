"""Where buildah keeps layers and images: a folder that nobody else uses, and how it is kept small."""

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.images.builders.buildah.jail import Jail
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
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Storage:
    """One folder for all builds of one bot. Safe to be used from several threads."""

    def __init__(self, folder: Path, driver: str, auth_file: Path | None, plain_http: Iterable[str]) -> None:
        """`plain_http`: registries (HOST[:PORT]) that may be spoken to without TLS, besides those on loopback."""
        self.folder = folder
        self._driver = driver
        self._plain_http = (*_LOOPBACK, *sorted(plain_http))
        self.auth_file = auth_file or folder / "auth.json"
        self._lock = threading.Lock()
        self._builds = 0
        self._made = False

    @contextmanager
    def build(self) -> Iterator[Path]:
        """Make a folder for the files of a build; nothing is pruned as long as it lasts."""
        with self._lock:
            self._make()
            self._builds += 1
        try:
            with tempfile.TemporaryDirectory(dir=self.folder / "builds", ignore_cleanup_errors=True) as scratch:
                _fill(Path(scratch))
                yield Path(scratch)
        finally:
            with self._lock:
                self._builds -= 1

    def command(self, scratch: Path, *arguments: str | Path, readable: Sequence[Path] = ()) -> list[str]:
        """Return the command `buildah ARGUMENTS` on this storage, which sees of this machine what it needs.

        `readable`: files and folders that it sees besides.
        """
        # No device of an image is one: https://github.com/containers/storage/blob/main/docs/containers-storage.conf.5.md
        options = ["--storage-opt", "overlay.mountopt=nodev"] if self._driver == "overlay" else []
        places = [f"--root={self.folder}/root", f"--runroot={self.folder}/run"]
        places += [f"--storage-driver={self._driver}", *options, f"--registries-conf={self.folder}/registries.conf"]
        return Jail(scratch / "jail", readable, [self.folder]).command(["buildah", *places, *arguments])

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

    def prune(self, most_bytes: int) -> None:
        """Remove images until no more than that is left. Nothing happens while a build runs."""
        with self._lock:
            if self._builds:
                return
            self._make()
            shutil.rmtree(self.folder / "builds", ignore_errors=True)
            scratch = self.folder / "builds" / "prune"
            scratch.mkdir(parents=True)
            _fill(scratch)
            self._ask(scratch, "rm", "--all")  # of a bot that was killed
            while self.size() > most_bytes and (oldest := self._oldest(scratch)):
                if self._ask(scratch, "rmi", "--force", oldest).code:
                    break
                (self.folder / "used" / oldest).unlink(missing_ok=True)
            if self.size() > most_bytes:
                self._ask(scratch, "rmi", "--all", "--force")

    def size(self) -> int:
        """Return the bytes on the disk."""
        return sum(
            os.lstat(os.path.join(folder, name)).st_blocks * 512
            for folder, _, files in os.walk(self.folder / "root")
            for name in files
        )

    def is_full(self) -> bool:
        """Tell whether next to nothing is free on the disk, in bytes or in files."""
        found = os.statvfs(self.folder)
        room = found.f_bavail * found.f_frsize
        return (
            room < min(FULL_DISK_BYTES, found.f_blocks * found.f_frsize // 20)
            or 0 <= found.f_favail < found.f_files // 1000
        )

    def _oldest(self, scratch: Path) -> str | None:
        """Return the image whose last build is the longest ago; base images, which were never built, come last."""
        listed = self._ask(scratch, "images", "--json")
        images = [image["id"] for image in json.loads(listed.text or "[]")] if listed.code == 0 else []
        return min(images, key=self._last_built, default=None)

    def _last_built(self, image: str) -> float:
        try:
            return (self.folder / "used" / image).stat().st_mtime
        except FileNotFoundError:
            return time.time()

    def _ask(self, scratch: Path, *arguments: str) -> Ended:
        return ask(self.command(scratch, *arguments), self.environment(scratch), BUILDER_SECONDS)

    def _make(self) -> None:
        if self._made:
            return
        for name in ("home", "used", "builds"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        insecure = "".join(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in self._plain_http)
        # As docker does, a name without a host is looked up at Docker Hub:
        # https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
        short = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
        (self.folder / "registries.conf").write_text(short + insecure)
        (self.folder / "containers.conf").write_text(_CONTAINERS_CONF)
        if self.auth_file.parent == self.folder:
            self.auth_file.write_text("{}\n")  # so that buildah does not use this machine's own logins
        self._made = True


def _fill(scratch: Path) -> None:
    """Make what each command needs in the folder for its files."""
    for name in ("tmp", "jail"):
        (scratch / name).mkdir()
    (scratch / "mark").touch()
