"""All storages of one bot: one for each app, and one below them with the base images that any app may have.

So no app gets another's layers, in which a secret may be, and a base image that needs no login, or is dppctl's own, is
unpacked once for all. Apps' layers lie on those below, which are removed only together with them.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.images.builders.buildah.locks import exclusive, shared
from bot.images.builders.buildah.storage import Storage

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_BEFORE = ("root", "run", "used", "builds", "home")  # of the time when all apps had one


class AppStorages:
    """Safe to be used from several threads and processes."""

    def __init__(self, folder: Path, driver: str, plain_http: Iterable[str]) -> None:
        """`plain_http`: registries (HOST[:PORT]) that may be spoken to without TLS, besides those on loopback."""
        self._folder = folder
        self._driver = driver
        hosts = (*_LOOPBACK, *sorted(plain_http))
        insecure = "".join(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in hosts)
        # As docker does, a name without a host is looked up at Docker Hub:
        # https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
        short = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
        self._registries = short + insecure
        self.base = Storage(folder / "base", driver, self._registries)

    @property
    def shares(self) -> bool:
        """Tell whether storages can lie above another one."""
        return self._driver == "overlay"

    def of(self, app: str) -> Storage:
        """Return an app's storage; "" stands for dppctl itself. No two names have the same, also if only case differs.

        Its name is short, as the kernel and runc take only short paths.
        """
        return self._named(hashlib.sha256(app.encode()).hexdigest()[:16])

    @contextmanager
    def build(self, app: str, check: Callable[[], None] = lambda: None) -> Iterator[tuple[Storage, Path]]:
        """Give an app's storage and a folder for the files of a build, as `Storage.build` does."""
        storage = self.of(app)
        with shared(self.base.lock, check), storage.build(check) as scratch:
            (storage.folder / "app").write_text(f"{app or 'dppctl'}\n")
            yield storage, scratch

    def prune(self, most_bytes: int, apps: Collection[str] | None = None) -> None:
        """Remove images until no more than that is left in all; first those of apps that had no build for the longest.

        `apps`: those that there are; the storages of others are removed. None: it is not known which. What somebody
        builds in is left alone. Base images go when they are more than half of what may be left, and then all.
        """
        for name in _BEFORE:
            shutil.rmtree(self._folder / name, ignore_errors=True)
        with exclusive(self.base.lock) as alone:
            if alone and self.base.size() > most_bytes // 2:
                for storage in [*self._all(), self.base]:
                    storage.remove()
        with shared(self.base.lock, lambda: None):
            known = None if apps is None else {self.of(app).folder for app in ("", *apps)}
            for storage in self._all():
                if known is not None and storage.folder not in known:
                    storage.remove()
            left = sorted(self._all(), key=Storage.last_used)
            for storage in left:
                others = self.base.size() + sum(other.size() for other in left if other is not storage)
                storage.prune(max(0, most_bytes - others))

    def _all(self) -> list[Storage]:
        return [self._named(folder.name) for folder in (self._folder / "apps").glob("*") if folder.is_dir()]

    def _named(self, name: str) -> Storage:
        below = self.base.folder if self.shares else None
        return Storage(self._folder / "apps" / name, self._driver, self._registries, below)
